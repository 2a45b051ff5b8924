//! What an export can send is read from PowerSchool for it.

use rosterbridge_domain::settings::ExportKind;
use rosterbridge_hero::fields::known_fields;
use rosterbridge_powerschool::plugin::access_request;
use rstest::rstest;

/// A plugin that was made for this export alone reads each of its fields: none would be empty in the file.
#[rstest]
fn every_known_field_is_read_for_its_export(
    #[values(ExportKind::Students, ExportKind::Schedule, ExportKind::Teachers)] kind: ExportKind,
) {
    let read: Vec<String> = access_request(&[kind.job()])
        .into_iter()
        .map(|access| format!("{}.{}", access.table, access.field))
        .collect();
    for field in known_fields(kind) {
        assert!(read.iter().any(|column| column == field.column), "{field:?}");
    }
}
