//! What a person is shown of a roster file before its layout is saved: against a practice district, with a real keychain.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod practice;

use std::{fs, sync::Arc};

use rosterbridge_domain::{
    job::{JobId, Outcome},
    settings::{Delimiter, RosterContent, RosterField, RosterLayout, RosterSettings},
};
use rosterbridge_practice::ServeOptions;

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_is_how_the_file_begins() {
    let home = tempfile::tempdir().unwrap();
    let options = ServeOptions { data: Some(home.path().join("district")), ..practice::small() };
    let (engine, district) = practice::start(home.path(), options).await;

    let mut layout = RosterLayout { name: "Ours".to_owned(), ..RosterLayout::default() };
    layout.columns.retain(|column| column.field != RosterField::GuardianEmail);
    layout.columns.rotate_left(1);
    layout.delimiter = Delimiter::Tab;
    let settings =
        RosterSettings { content: RosterContent::Full, layout: "Ours".to_owned(), layouts: vec![layout] };
    let preview = engine.roster_preview(settings.clone(), None).await.unwrap();
    let mut setup = engine.setup().await.unwrap();
    let building = setup.mappings.buildings[0].building.clone();
    assert_eq!((&preview.building, &preview.problems[..]), (&building, &[][..]));
    assert_eq!((preview.rows.len(), preview.columns.len(), &*preview.columns[0]), (5, 10, "IdNumber"));
    let named = engine.roster_preview(settings.clone(), Some(&building.to_uppercase())).await.unwrap();
    assert_eq!(named, preview);

    setup.raptor.roster = settings.clone();
    practice::save(&engine, setup.clone()).await.unwrap();
    let report = engine.sync(vec![JobId::RAPTOR_ROSTER], false, Arc::new(|_| ())).await.unwrap();
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:?}");
    let file = district.ready().raptor.folder.join("roster").join(&preview.file);
    let text = fs::read_to_string(file).unwrap();
    assert!(text.starts_with(&preview.text), "{}\n{text}", preview.text);
    assert_eq!(text.lines().count() as u64, preview.total + 1);

    // What can't be written is shown with what is wrong, and not saved.
    let mut bad = settings;
    bad.layouts[0].columns[1].title = "IdNumber".to_owned();
    let shown = engine.roster_preview(bad.clone(), None).await.unwrap();
    assert_eq!(shown.problems, ["The layout 'Ours' has two columns named 'IdNumber'."]);
    assert_eq!(shown.rows, preview.rows);
    setup.raptor.roster = bad;
    let refused = practice::save(&engine, setup).await.unwrap_err();
    assert_eq!(refused.code(), "raptor.layout");
    let unknown = engine.roster_preview(RosterSettings::default(), Some("Nowhere")).await.unwrap_err();
    assert_eq!(unknown.code(), "setup.incomplete");
    let changes = RosterSettings { content: RosterContent::Changes, ..RosterSettings::default() };
    let changes = engine.roster_preview(changes, None).await.unwrap();
    assert!(changes.file.starts_with(&format!("{building} changes 20")), "{}", changes.file);
    district.stop().await;
}
