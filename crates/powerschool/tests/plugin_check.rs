//! Checking plugin files of any origin.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "check/hostile.rs"]
mod hostile;
#[path = "check/rules.rs"]
mod rules;
#[path = "check/zips.rs"]
mod zips;

use proptest::prelude::*;
use rosterbridge_domain::job::Job;
use rosterbridge_powerschool::plugin::{self, Access, Checked, Severity, check};
use rstest::rstest;

/// Every remark as `error plugin.code file 3:7 message`.
fn remarks(checked: &Checked) -> Vec<String> {
    checked
        .remarks
        .iter()
        .map(|remark| {
            let severity = match remark.severity {
                Severity::Error => "error",
                Severity::Note => "note",
            };
            format!(
                "{severity} {} {} {}:{} {}",
                remark.code, remark.file, remark.line, remark.column, remark.message
            )
        })
        .collect()
}

/// The codes of the errors.
fn errors(checked: &Checked) -> Vec<&'static str> {
    let errors = checked.remarks.iter().filter(|remark| remark.severity == Severity::Error);
    errors.map(|remark| remark.code).collect()
}

#[test]
fn ours_passes_without_a_remark_and_fits() {
    let checked = check("RosterBridge.zip", &plugin::build(&Job::ALL, 3).unwrap());
    assert_eq!(remarks(&checked), Vec::<String>::new());
    assert!(checked.valid() && checked.oauth);
    assert_eq!(checked.name.as_deref(), Some("RosterBridge"));
    assert_eq!(checked.version.as_deref(), Some("1.3.3"));
    assert_eq!(checked.publisher.as_deref(), Some("RosterBridge (support@rosterbridge.example)"));
    let asked: Vec<_> = plugin::access_request(&Job::ALL)
        .into_iter()
        .map(|field| (field.table.to_owned(), field.field, field.access))
        .collect();
    assert_eq!(checked.asks, asked);
    let queries: Vec<_> =
        checked.queries.iter().map(|query| (query.name.as_str(), query.columns.clone())).collect();
    let ours = plugin::named_queries(&Job::ALL);
    assert_eq!(queries, ours.iter().map(|query| (query.name, query.columns.clone())).collect::<Vec<_>>());
    for job in Job::ALL {
        let fit = checked.fit(job);
        assert_eq!(
            (fit.missing.as_slice(), fit.without_queries, fit.sentence.as_str()),
            (&[][..], false, "Works with this plugin."),
            "{job}"
        );
    }
    insta::assert_snapshot!(checked.summary.join("\n"));
}

#[test]
fn ours_for_other_exchanges_lacks_what_the_new_one_needs() {
    let checked = check("RosterBridge.zip", &plugin::build(&[Job::HeroStudents], 0).unwrap());
    assert_eq!(remarks(&checked), Vec::<String>::new());
    let fit = checked.fit(Job::RaptorTardies);
    assert!(fit.without_queries);
    assert!(fit.missing.contains(&("ATTENDANCE".to_owned(), "ATT_COMMENT".to_owned(), Access::FullAccess)));
    assert!(fit.missing.contains(&("STUDENTS".to_owned(), "EXITDATE".to_owned(), Access::ViewOnly)));
    assert!(!fit.missing.iter().any(|(table, ..)| table == "TERMS"));
    insta::assert_snapshot!(fit.sentence);
}

#[test]
fn a_bare_file_has_no_queries_and_its_name_may_be_in_capitals() {
    let plugin_xml = plugin::files(&Job::ALL, 0).unwrap()[0].1.clone();
    let checked = check("C:\\Users\\office\\Plugin.XML", plugin_xml.as_bytes());
    assert_eq!(remarks(&checked), Vec::<String>::new());
    let fit = checked.fit(Job::HeroSchedule);
    assert!(fit.missing.is_empty() && fit.without_queries);
    assert!(fit.sentence.contains("page by page"), "{}", fit.sentence);
}

/// A vendor's plugin that asks for these fields to read.
fn vendors(fields: &[(&str, &str)]) -> String {
    let fields = fields
        .iter()
        .map(|(table, field)| format!(r#"<field table="{table}" field="{field}" access="ViewOnly"/>"#));
    format!(
        r#"<plugin xmlns="http://plugin.powerschool.pearson.com" name="Visitors" version="1.0"><oauth/>
        <access_request>{}</access_request>
        <publisher name="Visitors"><contact email="help@visitors.example"/></publisher></plugin>"#,
        fields.collect::<String>()
    )
}

/// Which exchanges a plugin without our queries serves, and what keeps the others back: the tables of the fields.
#[rstest]
#[case::hero_students(Job::HeroStudents, None)]
#[case::raptor_roster(Job::RaptorRoster, None)]
#[case::hero_teachers(Job::HeroTeachers, Some(&["TEACHERS"][..]))]
#[case::hero_schedule(Job::HeroSchedule, Some(&["CC", "COURSES", "SECTIONS", "TEACHERS"][..]))]
#[case::hero_attendance(Job::HeroAttendance, Some(&[
    "ATTENDANCE", "ATTENDANCE_CODE", "BELL_SCHEDULE_ITEMS", "CALENDAR_DAY", "CC", "CYCLE_DAY", "PERIOD",
    "SECTIONS", "SECTION_MEETING",
][..]))]
fn what_core_resources_hold_needs_no_access(
    #[case] job: Job,
    #[case] missing: Option<&[&str]>,
    #[values(&[], &[("STUDENTS", "LAST_NAME"), ("TERMS", "ID")])] asked: &[(&str, &str)],
) {
    let checked = check("plugin.xml", vendors(asked).as_bytes());
    assert_eq!(errors(&checked), Vec::<&str>::new());
    let fit = checked.fit(job);
    let mut tables: Vec<&str> = fit.missing.iter().map(|(table, ..)| table.as_str()).collect();
    tables.dedup();
    assert_eq!(tables, missing.unwrap_or_default());
    assert_eq!((fit.core_only, fit.without_queries), (missing.is_none(), true));
    let says = if missing.is_none() {
        "Works with this plugin, but slower: "
    } else {
        "Can't work with this plugin"
    };
    assert!(fit.sentence.starts_with(says), "{}", fit.sentence);
    assert_eq!(fit.sentence.contains("/ws/v1"), missing.is_none());
}

/// Where our query is, it is our plugin, and what it lacks is to be repaired.
#[test]
fn core_resources_do_not_stand_in_for_our_own_plugin() {
    let files = plugin::files(&[Job::HeroStudents], 0).unwrap();
    let asked = r#"    <field table="STUDENTS" field="HOME_PHONE" access="ViewOnly"/>"#;
    assert!(files[0].1.contains(asked));
    let lacking: Vec<(&str, String)> =
        files.iter().map(|(name, text)| (*name, text.replace(asked, ""))).collect();
    let lacking: Vec<(&str, &[u8])> = lacking.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let fit = check("ours.zip", &zips::archive(&lacking)).fit(Job::HeroStudents);
    assert_eq!(fit.missing, [("STUDENTS".to_owned(), "HOME_PHONE".to_owned(), Access::ViewOnly)]);
    assert!(!fit.core_only && !fit.sentence.contains("/ws/v1"), "{}", fit.sentence);
}

#[test]
fn reading_only_is_not_enough_to_write() {
    let plugin_xml = plugin::files(&Job::ALL, 0).unwrap()[0].1.replace("FullAccess", "ViewOnly");
    let fit = check("plugin.xml", plugin_xml.as_bytes()).fit(Job::HeroAttendance);
    assert_eq!(fit.missing.len(), 11);
    assert!(
        fit.missing.iter().all(|(table, _, access)| table == "ATTENDANCE" && *access == Access::FullAccess)
    );
    assert!(fit.sentence.contains("may not write 11 fields of Attendance"), "{}", fit.sentence);
}

#[test]
fn without_credentials_nothing_works() {
    let plugin_xml = plugin::files(&Job::ALL, 0).unwrap()[0].1.replace("<oauth/>", "");
    let checked = check("plugin.xml", plugin_xml.as_bytes());
    assert_eq!(remarks(&checked), Vec::<String>::new());
    assert!(!checked.oauth);
    assert!(checked.fit(Job::HeroStudents).sentence.contains("makes no credentials"));
}

#[test]
fn of_an_unreadable_file_nothing_is_told() {
    let checked = check("plugin.xml", b"<plugin");
    assert!(!checked.valid());
    assert!(checked.fit(Job::HeroStudents).sentence.starts_with("Can't be told"));
}

/// A plugin as a vendor could write it, valid in every part.
fn valid_plugin() -> impl Strategy<Value = String> {
    let name = "[A-Za-z][A-Za-z &\"'<>é]{0,30}";
    let field = ("[A-Z_]{1,30}", "[A-Z_0-9]{1,30}", any::<bool>());
    let fields = prop::collection::btree_map(field, Just(()), 0..20);
    let children = Just(vec!["oauth", "access_request", "publisher", "links", "autoinstall"]).prop_shuffle();
    (name, "[0-9.]{1,20}", ".{0,256}", fields, children, any::<bool>()).prop_filter_map(
        "characters that XML can hold",
        |(name, version, description, fields, children, mark)| {
            let writable =
                |letter: char| !letter.is_control() && letter != '\u{fffe}' && letter != '\u{ffff}';
            if !description.chars().all(writable) {
                return None;
            }
            let escaped = |text: &str| quick_xml_escape(text);
            let mut xml = format!(
                "{}<plugin xmlns=\"http://plugin.powerschool.pearson.com\" name=\"{}\" version='{version}' \
                 description=\"{}\">\n",
                if mark { "\u{feff}" } else { "" },
                escaped(&name),
                escaped(&description)
            );
            for child in children {
                match child {
                    "access_request" => {
                        xml.push_str("<access_request>\n");
                        for (table, field, full) in fields.keys() {
                            let access = if *full { "FullAccess" } else { "ViewOnly" };
                            let attributes = format!("access='{access}' table='{table}' field='{field}'");
                            xml += &["  <field ", &attributes, "/>\n"].concat();
                        }
                        xml.push_str("</access_request>\n");
                    }
                    "publisher" => {
                        xml.push_str("<publisher name='P'><contact email='a@b.example'/></publisher>\n");
                    }
                    other => xml += &["<", other, "></", other, ">\n"].concat(),
                }
            }
            xml.push_str("</plugin>");
            Some(xml)
        },
    )
}

fn quick_xml_escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

proptest! {
    #[test]
    fn valid_plugins_have_no_errors(plugin in valid_plugin()) {
        let checked = check("vendor.xml", plugin.as_bytes());
        prop_assert_eq!(errors(&checked), Vec::<&str>::new(), "{:?}\n{}", remarks(&checked), plugin);
        prop_assert!(checked.valid() && checked.oauth);
    }

    /// Any subset of the exchanges gives a plugin without a remark, which fits exactly those and what they include.
    #[test]
    fn ours_for_any_exchanges_has_no_remarks(jobs in prop::sample::subsequence(Job::ALL.to_vec(), 1..=6)) {
        let checked = check("x.zip", &plugin::build(&jobs, 7).unwrap());
        prop_assert_eq!(remarks(&checked), Vec::<String>::new());
        for job in jobs {
            let fit = checked.fit(job);
            prop_assert!(fit.missing.is_empty() && !fit.without_queries);
        }
    }

    #[test]
    fn any_bytes_are_checked_to_the_end(
        name in "(plugin|a/b)?\\.?(xml|zip|XML|txt)?",
        start in prop::sample::select(vec![&b""[..], b"PK\x03\x04", b"<?xml", b"\xff\xfe", b"<plugin "]),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let content = [start, &bytes].concat();
        let checked = check(&name, &content);
        prop_assert!(!checked.valid());
    }

    /// Whatever is done to a plugin, checking ends, and places are in the file.
    #[test]
    fn damaged_plugins_are_checked_to_the_end(
        zip in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let jobs = [Job::HeroTeachers];
        let (name, mut content) = if zip {
            ("x.zip", plugin::build(&jobs, 0).unwrap())
        } else {
            ("x.xml", plugin::files(&jobs, 0).unwrap()[0].1.clone().into_bytes())
        };
        for (at, byte) in edits {
            let at = at.index(content.len());
            content[at] = byte;
        }
        if let Some(cut) = cut {
            content.truncate(cut.index(content.len()));
        }
        let checked = check(name, &content);
        let lines = content.split(|byte| *byte == b'\n').count();
        for remark in &checked.remarks {
            prop_assert!(!remark.message.is_empty());
            prop_assert_eq!(remark.line == 0, remark.column == 0);
            prop_assert!(zip || remark.line as usize <= lines);
        }
        for job in Job::ALL {
            prop_assert!(!checked.fit(job).sentence.is_empty());
        }
    }
}
