//! Paths with the date in them.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use chrono::NaiveDate;
use proptest::prelude::*;
use rosterbridge_domain::dated_path::{DatedPath, DatedPathError, folder_and_name};
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

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[rstest]
#[case::undated("export/A.txt", "2026-11-01", &[])]
#[case::dated("export/A%m%d.txt", "2026-11-20", &["export/A1120.txt", "export/A1121.txt"])]
#[case::nothing_between("export/A%m%d.txt", "2026-11-22", &[])]
#[case::months("export/A%Y%m.txt", "2026-09-29", &["export/A202609.txt", "export/A202610.txt"])]
#[case::as_today("export/A%d.txt", "2026-10-21", &[
    "export/A23.txt", "export/A24.txt", "export/A25.txt", "export/A26.txt", "export/A27.txt", "export/A28.txt",
    "export/A29.txt", "export/A30.txt", "export/A31.txt", "export/A01.txt", "export/A02.txt", "export/A03.txt",
    "export/A04.txt", "export/A05.txt", "export/A06.txt", "export/A07.txt", "export/A08.txt", "export/A09.txt",
    "export/A10.txt", "export/A11.txt", "export/A12.txt", "export/A13.txt", "export/A14.txt", "export/A15.txt",
    "export/A16.txt", "export/A17.txt", "export/A18.txt", "export/A19.txt", "export/A20.txt", "export/A21.txt",
])]
fn the_paths_of_earlier_days(#[case] text: &str, #[case] from: &str, #[case] expected: &[&str]) {
    let path = DatedPath::parse(text).unwrap();
    assert_eq!(path.is_dated(), text.contains('%'));
    let before = path.before(day("2026-11-22"), day(from));
    assert!(before.iter().all(|(on, text)| path.expand(*on) == *text && path.gives(text)));
    assert!(before.is_sorted());
    let paths: Vec<&str> = before.iter().map(|(_, path)| path.as_str()).collect();
    assert_eq!(paths, expected);
}

#[rstest]
#[case("imports/A_%Y%m%d.TXT", "imports/A_20261122.TXT", true)]
#[case("imports/A_%Y%m%d.TXT", "imports/A_2026112.TXT", false)]
#[case("imports/A_%Y%m%d.TXT", "imports/A_20261122.txt", false)]
#[case("imports/A_%Y%m%d.TXT", "imports/A_20261122.TXT.bak", false)]
#[case("imports/A_%Y%m%d.TXT", "imports/A_2026é12.TXT", false)]
#[case("imports/A.TXT", "imports/A.TXT", true)]
#[case("imports/A.TXT", "imports/B.TXT", false)]
fn a_path_of_some_day(#[case] text: &str, #[case] path: &str, #[case] gives: bool) {
    assert_eq!(DatedPath::parse(text).unwrap().gives(path), gives);
}

#[rstest]
#[case::never("imports/A.TXT", "imports/B.TXT", None)]
#[case::always("imports/A.TXT", "imports/a.txt", Some("2024-01-01"))]
#[case::letters("imports/A%d.txt", "imports/B%d.txt", None)]
#[case::a_day("imports/A%d.txt", "imports/A05.txt", Some("2024-01-05"))]
#[case::no_such_day("imports/A%d.txt", "imports/A32.txt", None)]
#[case::month_and_day("imports/%d%m.txt", "imports/%m%d.txt", Some("2024-01-01"))]
#[case::leap_day("imports/A%m%d.txt", "imports/A0229.txt", Some("2024-02-29"))]
#[case::no_leap_day("imports/A%m%d.txt", "imports/A0230.txt", None)]
#[case::a_year("imports/A%Y.txt", "imports/A2031.txt", Some("2031-01-01"))]
#[case::another_century("imports/A%Y.txt", "imports/A1931.txt", None)]
#[case::longer("imports/A%d.txt", "imports/A%d%d.txt", None)]
#[case::percent("imports/%%d.txt", "imports/%d.txt", None)]
#[case::across("imports/%Y%m.txt", "imports/203%d5.txt", Some("2031-05-10"))]
fn two_paths_that_are_one_file(#[case] one: &str, #[case] other: &str, #[case] first: Option<&str>) {
    let (one, other) = (DatedPath::parse(one).unwrap(), DatedPath::parse(other).unwrap());
    assert_eq!(one.same_on(&other), first.map(day));
    assert_eq!(other.same_on(&one), first.map(day));
}

#[test]
fn a_file_has_a_folder_and_a_name() {
    assert_eq!(folder_and_name("imports/staff/TEACHER.txt"), ("imports/staff", "TEACHER.txt"));
    assert_eq!(folder_and_name("TEACHER.txt"), ("", "TEACHER.txt"));
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

    /// No day is overlooked on which two paths are the same, and none is named on which they are not.
    #[test]
    fn the_day_is_the_first_on_which_two_paths_are_the_same(
        one in "[ab0-3]{0,2}(%[Ymd]|[0-3]){1,3}",
        other in "[aB0-3]{0,2}(%[Ymd]|[0-3]){1,3}",
    ) {
        let (one, other) = (DatedPath::parse(&one).unwrap(), DatedPath::parse(&other).unwrap());
        let years = if [&one, &other].iter().any(|path| path.slot().contains("%Y")) { 100 } else { 1 };
        let days = day("2024-01-01").iter_days().take_while(|day| chrono::Datelike::year(day) < 2024 + years);
        let same = |day: &NaiveDate| one.expand(*day).eq_ignore_ascii_case(&other.expand(*day));
        prop_assert_eq!(one.same_on(&other), { days }.find(same));
    }

    /// A path is one of those it comes to.
    #[test]
    fn a_path_gives_what_it_comes_to(text in any_path(), days in 600_000_i32..900_000) {
        if let Ok(path) = DatedPath::parse(&text) {
            let date = NaiveDate::from_num_days_from_ce_opt(days).unwrap();
            prop_assert!(path.gives(&path.expand(date)));
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
