//! Paths with the date in them.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use chrono::NaiveDate;
use proptest::prelude::*;
use rosterbridge_domain::dated_path::{DatedPath, DatedPathError};
use rstest::rstest;

#[rstest]
#[case("imports/STUDENT.TXT", "imports/STUDENT.TXT")]
#[case("STUDENT.TXT", "STUDENT.TXT")]
#[case("imports/STUDENT_%Y%m%d.TXT", "imports/STUDENT_20260903.TXT")]
#[case("imports/%d-%m-%Y/TEACHER.txt", "imports/03-09-2026/TEACHER.txt")]
#[case("imports/100%%_%m.TXT", "imports/100%_09.TXT")]
#[case("imports/%%Y.TXT", "imports/%Y.TXT")]
#[case("imports/..TXT", "imports/..TXT")]
#[case("imports/Überblick.TXT", "imports/Überblick.TXT")]
fn a_path_on_a_day(#[case] text: &str, #[case] expanded: &str) {
    let path = DatedPath::parse(text).unwrap();
    let date = NaiveDate::from_ymd_opt(2026, 9, 3).unwrap();
    assert_eq!(path.expand(date), expanded);
    assert_eq!(DatedPath::preview(text, date).as_deref(), Ok(expanded));
    // Its name stays the same from day to day.
    assert_eq!(path.slot(), text);
}

#[rstest]
#[case("", DatedPathError::Empty, "hero.path_empty")]
#[case("imports/%H.TXT", DatedPathError::Token("%H".into()), "hero.path_token")]
#[case("imports/%y.TXT", DatedPathError::Token("%y".into()), "hero.path_token")]
#[case("imports/%D.TXT", DatedPathError::Token("%D".into()), "hero.path_token")]
#[case("imports/A%", DatedPathError::Token("%".into()), "hero.path_token")]
#[case("imports/%%%", DatedPathError::Token("%".into()), "hero.path_token")]
#[case("imports/%é.TXT", DatedPathError::Token("%é".into()), "hero.path_token")]
#[case("imports/MY FILE.TXT", DatedPathError::Space("imports/MY FILE.TXT".into()), "hero.path_space")]
#[case(" imports/A.TXT", DatedPathError::Space(" imports/A.TXT".into()), "hero.path_space")]
#[case("imports/A\u{a0}B.TXT", DatedPathError::Space("imports/A\u{a0}B.TXT".into()), "hero.path_space")]
#[case("imports/A.TXT\n", DatedPathError::Space("imports/A.TXT\n".into()), "hero.path_space")]
#[case("/imports/A.TXT", DatedPathError::Absolute("/imports/A.TXT".into()), "hero.path_absolute")]
#[case("/", DatedPathError::Absolute("/".into()), "hero.path_absolute")]
#[case(r"imports\A.TXT", DatedPathError::Character(r"imports\A.TXT".into()), "hero.path_character")]
#[case("C:/A.TXT", DatedPathError::Character("C:/A.TXT".into()), "hero.path_character")]
#[case("sftp://host/A.TXT", DatedPathError::Character("sftp://host/A.TXT".into()), "hero.path_character")]
#[case("imports/A\u{0}.TXT", DatedPathError::Character("imports/A\u{0}.TXT".into()), "hero.path_character")]
#[case("../A.TXT", DatedPathError::Step { path: "../A.TXT".into(), step: "..".into() }, "hero.path_step")]
#[case("imports/..", DatedPathError::Step { path: "imports/..".into(), step: "..".into() }, "hero.path_step")]
#[case("imports/...", DatedPathError::Step { path: "imports/...".into(), step: "...".into() }, "hero.path_step")]
#[case("imports/./A", DatedPathError::Step { path: "imports/./A".into(), step: ".".into() }, "hero.path_step")]
#[case("imports//A", DatedPathError::Step { path: "imports//A".into(), step: String::new() }, "hero.path_step")]
#[case("imports/", DatedPathError::Step { path: "imports/".into(), step: String::new() }, "hero.path_step")]
fn a_path_that_is_refused(#[case] text: &str, #[case] error: DatedPathError, #[case] code: &str) {
    assert_eq!(error.code(), code);
    assert!(!error.remedy().is_empty());
    assert_eq!(DatedPath::parse(text), Err(error));
}

#[test]
fn a_name_has_room_for_the_marks_of_a_transfer() {
    let name = |length: usize| format!("imports/{}", "x".repeat(length));
    assert!(DatedPath::parse(&name(200)).is_ok());
    assert_eq!(DatedPath::parse(&name(201)), Err(DatedPathError::Long("x".repeat(201))));
    // Of a name with the date the expanded length counts.
    assert!(DatedPath::parse(&format!("{}%Y", "x".repeat(196))).is_ok());
    assert!(DatedPath::parse(&format!("{}%Y", "x".repeat(197))).is_err());
}

#[rstest]
#[case("export/ATTENDANCE.txt", true)]
#[case("export/ATTENDANCE_%Y%m%d.TXT", true)]
#[case("export/ATTENDANCE", true)]
#[case("export/ATTENDANCE.csv", true)]
#[case("export/a/ATTENDANCE.txt", false)]
#[case("Export/ATTENDANCE.txt", false)]
#[case("exports/ATTENDANCE.txt", false)]
#[case("imports/ATTENDANCE.txt", false)]
#[case("ATTENDANCE.txt", false)]
fn an_import_is_one_file_in_heros_folder(#[case] text: &str, #[case] taken: bool) {
    let read = DatedPath::parse_import(text);
    if taken {
        assert_eq!(read, DatedPath::parse(text));
    } else {
        assert_eq!(read, Err(DatedPathError::NotAnExport(text.to_owned())));
    }
}

#[test]
fn an_imports_path_is_a_path() {
    assert_eq!(
        DatedPath::parse_import("export/../A.txt").map_err(|error| error.code()),
        Err("hero.path_step")
    );
}

fn any_path() -> impl Strategy<Value = String> {
    let step = prop_oneof![
        4 => "[A-Za-z0-9._-]{0,8}",
        4 => "[A-Za-z.]{0,3}(%[Ymd%]){0,3}[.]{0,2}",
        1 => Just("..".to_owned()),
        1 => Just("%%".to_owned()),
        1 => "\\PC{0,6}",
    ];
    proptest::collection::vec(step, 0..5).prop_map(|steps| steps.join("/"))
}

proptest! {
    /// Whatever is taken leads to a file below the folder it begins in, on any day, and to as many folders down as the
    /// path shows.
    #[test]
    fn an_expanded_path_never_leaves_its_folder(text in any_path(), days in -400_000_i32..3_000_000) {
        let date = NaiveDate::from_num_days_from_ce_opt(days).unwrap();
        if let Ok(path) = DatedPath::parse(&text) {
            let expanded = path.expand(date);
            let steps: Vec<&str> = expanded.split('/').collect();
            prop_assert_eq!(steps.len(), text.split('/').count());
            for step in steps {
                prop_assert!(!matches!(step, "" | "." | ".."));
                prop_assert!(!step.contains(['\\', ':', '\0', ' ']));
            }
            prop_assert_eq!(std::path::Path::new(&expanded).components().count(), text.split('/').count());
            prop_assert!(std::path::Path::new(&expanded)
                .components()
                .all(|component| matches!(component, std::path::Component::Normal(_))));
        }
    }

    /// Reading a path is reading it token by token, as the calendar library would.
    #[test]
    fn a_date_is_written_as_the_calendar_writes_it(
        before in "[A-Za-z0-9_-]{0,5}",
        tokens in proptest::collection::vec(prop_oneof!["%Y", "%m", "%d", "%%", "[a-z.-]"], 1..6),
        days in 600_000_i32..900_000,
    ) {
        let text = format!("{before}x{}", tokens.concat());
        let date = NaiveDate::from_num_days_from_ce_opt(days).unwrap();
        prop_assert_eq!(DatedPath::parse(&text).unwrap().expand(date), date.format(&text).to_string());
    }
}
