//! The roster file, byte for byte, and the names of roster files.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::HashMap;

use chrono::NaiveDate;
use proptest::prelude::*;
use rosterbridge_domain::{
    id::{SchoolNumber, StudentNumber},
    roster::{EnrollStatus, RosterStudent},
    settings::{
        DateForm, Delimiter, LineEnd, RosterColumn, RosterContent, RosterField, RosterLayout, RosterSettings,
    },
};
use rosterbridge_raptor::{
    RosterFile, RosterStatus, RowDigest, building_file_name, changes_file_name, roster_layout,
    roster_problems, tells_status,
};
use rstest::rstest;

fn student<'a>(number: i64, first_name: &'a str, last_name: &'a str) -> RosterStudent<'a> {
    RosterStudent {
        number: StudentNumber::new(number),
        school: SchoolNumber::new(100),
        enroll_status: EnrollStatus::ACTIVE,
        first_name,
        middle_name: "Mae",
        last_name,
        dob: NaiveDate::from_ymd_opt(2012, 3, 9),
        grade_level: 8,
        home_room: "8A",
        guardian_email: "pat@example.org,kim@example.org",
        home_phone: "217-555-0101",
    }
}

fn bare() -> RosterStudent<'static> {
    RosterStudent {
        middle_name: "",
        dob: None,
        grade_level: -1,
        guardian_email: "@home",
        home_phone: "+1 217\n555",
        home_room: "",
        ..student(4712, "=1+1", "-Zoë \"Z\"")
    }
}

/// A file with three rows in a layout, its line ends made visible.
fn shown(layout: &RosterLayout) -> String {
    let mut file = RosterFile::new(Vec::new(), layout).unwrap();
    file.write("Lincoln, North", &student(42, "Ada", "O'Brien"), RosterStatus::Active).unwrap();
    file.write("Lincoln, North", &bare(), RosterStatus::Inactive).unwrap();
    file.write_gone("Lincoln, North", StudentNumber::new(7)).unwrap();
    let first = file.first().to_vec();
    let (bytes, rows) = file.finish().unwrap();
    assert_eq!(rows, 3);
    let text = String::from_utf8(bytes).unwrap();
    let read: Vec<Vec<String>> = csv::ReaderBuilder::new()
        .delimiter(if layout.delimiter == Delimiter::Tab { b'\t' } else { b',' })
        .has_headers(layout.header)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes())
        .into_records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    assert_eq!(first, read, "the rows kept as a sample are what a reader of the file finds");
    text.replace('\r', "␍").replace('\n', "␊\n").replace('\t', "⇥").replace('\u{feff}', "BOM ")
}

#[test]
fn the_roster_as_raptor_takes_it() {
    insta::assert_snapshot!(shown(&RosterLayout::default()), @r#"
    Building,IdNumber,FirstName,MiddleName,LastName,DateOfBirth,Grade,Homeroom,GuardianEmail,Phone,Status␍␊
    "Lincoln, North",42,Ada,Mae,O'Brien,2012-03-09,8,8A,"pat@example.org,kim@example.org",217-555-0101,Active␍␊
    "Lincoln, North",4712,=1+1,,"-Zoë ""Z""",,-1,,@home,"+1 217␊
    555",Inactive␍␊
    "Lincoln, North",7,,,,,,,,,Inactive␍␊
    "#);
}

fn layout(columns: &[(&str, RosterField)]) -> RosterLayout {
    let columns = columns
        .iter()
        .map(|(title, field)| RosterColumn { title: (*title).to_owned(), field: *field })
        .collect();
    RosterLayout { name: "Ours".to_owned(), columns, ..RosterLayout::default() }
}

#[test]
fn a_layout_with_tabs_and_american_dates() {
    let columns = [
        ("Student ID", RosterField::IdNumber),
        ("DOB", RosterField::DateOfBirth),
        ("Tel.", RosterField::Phone),
    ];
    let layout = RosterLayout {
        delimiter: Delimiter::Tab,
        line_end: LineEnd::Lf,
        byte_order_mark: true,
        dates: DateForm::Us,
        ..layout(&columns)
    };
    insta::assert_snapshot!(shown(&layout), @r#"
    BOM Student ID⇥DOB⇥Tel.␊
    42⇥03/09/2012⇥217-555-0101␊
    4712⇥⇥"+1 217␊
    555"␊
    7⇥⇥␊
    "#);
}

#[test]
fn a_layout_without_header_in_another_order() {
    let columns = [
        ("S", RosterField::Status),
        ("L", RosterField::LastName),
        ("F", RosterField::FirstName),
        ("N", RosterField::IdNumber),
        ("B", RosterField::Building),
    ];
    insta::assert_snapshot!(shown(&RosterLayout { header: false, ..layout(&columns) }), @r#"
    Active,O'Brien,Ada,42,"Lincoln, North"␍␊
    Inactive,"-Zoë ""Z""",=1+1,4712,"Lincoln, North"␍␊
    Inactive,,,7,"Lincoln, North"␍␊
    "#);
}

#[test]
fn a_value_with_a_tab_is_quoted_between_tabs() {
    let layout = RosterLayout {
        delimiter: Delimiter::Tab,
        header: false,
        ..layout(&[("A", RosterField::FirstName), ("B", RosterField::LastName), ("C", RosterField::IdNumber)])
    };
    let mut file = RosterFile::new(Vec::new(), &layout).unwrap();
    file.write("North", &student(1, "Ada\tMae", "a, \"b\""), RosterStatus::Active).unwrap();
    let text = String::from_utf8(file.finish().unwrap().0).unwrap();
    assert_eq!(text, "\"Ada\tMae\"\t\"a, \"\"b\"\"\"\t1\r\n");
}

#[test]
fn a_roster_without_students_has_its_header() {
    let layout = RosterLayout::default();
    let (bytes, rows) = RosterFile::new(Vec::new(), &layout).unwrap().finish().unwrap();
    assert_eq!(rows, 0);
    let titles: Vec<&str> = RosterField::ALL.into_iter().map(RosterField::title).collect();
    assert_eq!(String::from_utf8(bytes).unwrap(), format!("{}\r\n", titles.join(",")));
}

#[test]
fn only_the_first_rows_are_kept() {
    let layout = RosterLayout::default();
    let mut file = RosterFile::new(Vec::new(), &layout).unwrap();
    for number in 1..=20 {
        file.write("North", &student(number, "Ada", "Byron"), RosterStatus::Active).unwrap();
    }
    let numbers: Vec<&str> = file.first().iter().map(|row| row[1].as_str()).collect();
    assert_eq!(numbers, ["1", "2", "3", "4", "5"]);
    assert!(file.first().iter().all(|row| row.len() == layout.columns.len()));
}

#[test]
fn a_digest_follows_the_values_of_the_columns_and_nothing_else() {
    let usual = RosterLayout::default();
    let of = |layout: &RosterLayout, student: &RosterStudent<'_>| RowDigest::new(layout).of(student);
    let ada = student(42, "Ada", "Byron");
    let same = of(&usual, &ada);
    for other in [
        student(43, "Ada", "Byron"),
        student(42, "AdaB", "yron"),
        RosterStudent { dob: None, ..ada },
        RosterStudent { grade_level: 9, ..ada },
        RosterStudent { home_room: "", guardian_email: "8Apat@example.org,kim@example.org", ..ada },
    ] {
        assert_ne!(of(&usual, &other), same, "{other:?}");
    }
    let elsewhere = RosterStudent { school: SchoolNumber::new(200), ..ada };
    assert_eq!(of(&usual, &elsewhere), same, "the school is in no column");

    let mut turned = usual.clone();
    turned.columns.reverse();
    turned.columns[0].title = "Another".to_owned();
    (turned.delimiter, turned.line_end, turned.header) = (Delimiter::Tab, LineEnd::Lf, false);
    assert_eq!(of(&turned, &ada), same);
    assert_ne!(of(&RosterLayout { dates: DateForm::Us, ..usual.clone() }, &ada), same);
    let (names, fewer) = (
        layout(&[("I", RosterField::IdNumber), ("L", RosterField::LastName), ("F", RosterField::FirstName)]),
        layout(&[("I", RosterField::IdNumber), ("L", RosterField::LastName)]),
    );
    assert_eq!(of(&fewer, &ada), of(&fewer, &student(42, "Another", "Byron")));
    let nameless = student(42, "", "Byron");
    assert_ne!(of(&names, &nameless), of(&fewer, &nameless), "a column more is a change");
}

proptest! {
    #[test]
    fn values_never_read_as_one_another_s(a in "\\PC{0,6}", b in "\\PC{0,6}", c in "\\PC{0,6}", d in "\\PC{0,6}") {
        let usual = RosterLayout::default();
        let mut digest = RowDigest::new(&usual);
        let same = digest.of(&student(1, &a, &b)) == digest.of(&student(1, &c, &d));
        prop_assert_eq!(same, (a, b) == (c, d));
    }
}

fn chosen(content: RosterContent, layout: &str, layouts: &[RosterLayout]) -> RosterSettings {
    RosterSettings { content, layout: layout.to_owned(), layouts: layouts.to_vec() }
}

fn problems(settings: &RosterSettings) -> Vec<String> {
    roster_problems(settings).iter().map(ToString::to_string).collect()
}

#[test]
fn usable_settings_have_no_problems() {
    assert_eq!(problems(&RosterSettings::default()), [""; 0]);
    assert_eq!(problems(&chosen(RosterContent::Changes, "", &[])), [""; 0]);
    let ours = layout(&[("Last, First", RosterField::LastName), ("Id", RosterField::IdNumber)]);
    let ours = RosterLayout { delimiter: Delimiter::Tab, ..ours };
    assert_eq!(problems(&chosen(RosterContent::Full, "Ours", std::slice::from_ref(&ours))), [""; 0]);
    assert_eq!(
        roster_layout(&chosen(RosterContent::Full, "Ours", std::slice::from_ref(&ours))).as_deref(),
        Some(&ours)
    );
    assert_eq!(roster_layout(&RosterSettings::default()).as_deref(), Some(&RosterLayout::default()));
    assert!(!tells_status(&ours));
}

#[test]
fn every_problem_of_the_settings_is_a_sentence() {
    let bad = layout(&[
        ("a,b", RosterField::FirstName),
        ("", RosterField::LastName),
        ("Room", RosterField::Homeroom),
        ("room ", RosterField::Grade),
        ("Grade", RosterField::Grade),
    ]);
    let nameless = RosterLayout { name: " ".to_owned(), ..RosterLayout::default() };
    let ours = RosterLayout { name: "ours".to_owned(), ..RosterLayout::default() };
    let without_status = layout(&[("Id", RosterField::IdNumber)]);
    let without_status = RosterLayout { name: "Short".to_owned(), ..without_status };
    insta::assert_snapshot!(
        problems(&chosen(RosterContent::Changes, "Short", &[bad.clone(), ours, nameless, without_status])).join("\n"),
        @"
    the layout 'Ours' has no column for IdNumber, by which Raptor recognises a student
    the layout 'Ours' has a delimiter, a quote or a control character in the name of its column for FirstName
    the layout 'Ours' has no name for its column for LastName
    the layout 'Ours' has two columns named 'room'
    the layout 'Ours' has two columns for Grade
    two layouts are named 'ours'
    a layout has no name
    the layout 'Short' has no column for Status, by which a file of changes says who has left
    "
    );
    assert_eq!(problems(&chosen(RosterContent::Full, "Theirs", &[])), ["there is no layout named 'Theirs'"]);
}

/// Has room for a few bytes only.
struct Full(usize);

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0 == 0 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let layout = RosterLayout::default();
    let mut file = RosterFile::new(Full(64), &layout).unwrap();
    file.write("Lincoln", &student(1, "A", "B"), RosterStatus::Active).unwrap();
    let Err(error) = file.finish() else { panic!("the disk is full") };
    assert_eq!(error.code(), "raptor.file_write");
}

#[rstest]
#[case::plain("Lincoln High School", "Lincoln High School.csv")]
#[case::punctuation("St. Mary's (K-8) & Co", "St. Mary's (K-8) & Co.csv")]
#[case::spacing("  Lincoln   High ", "Lincoln High.csv")]
fn a_plain_name_is_kept(#[case] building: &str, #[case] name: &str) {
    assert_eq!(building_file_name(building), name);
}

#[rstest]
#[case::device("CON")]
#[case::device_with_extension("nul.old")]
#[case::device_with_space("aux .x")]
#[case::port("LPT1")]
#[case::separators("North/South")]
#[case::backslash("North\\South")]
#[case::climbing("../../etc/passwd")]
#[case::dots("..")]
#[case::drive("C:North")]
#[case::hidden(".north")]
#[case::option("-rf")]
#[case::wildcards("What? *")]
#[case::pipes("a|b<c>d\"e")]
#[case::control("a\u{0}b\u{7}")]
#[case::empty("")]
#[case::blank("   ")]
#[case::accents("École Élémentaire")]
#[case::long("A very long name of a building that goes on and on and does not end before the limit")]
#[case::emoji("🏫🏫")]
#[case::like_a_hashed_name("North-0123abcd")]
#[case::like_a_file_of_changes("North Changes 2026-09-30 160000")]
fn any_other_name_is_made_safe_and_told_apart(#[case] building: &str) {
    let name = building_file_name(building);
    let (stem, hash) = name.strip_suffix(".csv").unwrap().rsplit_once('-').unwrap();
    assert!(stem.starts_with(char::is_alphanumeric), "{name}");
    assert_eq!(hash.len(), 8);
    assert!(hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

#[rstest]
#[case("Lincoln High", 1, "Lincoln High changes 2026-09-30 160000.csv")]
#[case("Lincoln High", 2, "Lincoln High changes 2026-09-30 160000 2.csv")]
fn files_of_changes_are_told_apart_by_time_and_number(
    #[case] building: &str,
    #[case] count: u32,
    #[case] name: &str,
) {
    let at = NaiveDate::from_ymd_opt(2026, 9, 30).unwrap().and_hms_opt(16, 0, 0).unwrap();
    assert_eq!(changes_file_name(building, at, count), name);
}

#[rstest]
#[case("𝐀")]
#[case("学")]
fn the_longest_names_are_short_enough_for_any_server(#[case] letter: &str) {
    let at = NaiveDate::from_ymd_opt(2026, 9, 30).unwrap().and_hms_opt(16, 0, 0).unwrap();
    let name = changes_file_name(&letter.repeat(500), at, 1_000);
    assert!(format!(".{name}.rosterbridge-part").len() <= 200, "{name}");
}

#[test]
fn names_made_safe_stay_the_same_from_release_to_release() {
    assert_eq!(building_file_name("North/South"), "North_South-bf06773f.csv");
}

#[test]
fn different_buildings_never_share_a_file() {
    let names = ["a/b", "a\\b", "a:b", "a_b", "a?b", "A.B", "a b", "a/b "];
    let mut files: HashMap<String, &str> = HashMap::new();
    for name in &names[..7] {
        assert_eq!(files.insert(building_file_name(name).to_lowercase(), name), None);
    }
    assert_eq!(building_file_name("A/B").to_lowercase(), building_file_name(" a/b ").to_lowercase());
}

proptest! {
    #[test]
    fn a_file_name_is_safe_everywhere(building in any::<String>()) {
        let name = building_file_name(&building);
        prop_assert!(name.len() < 240);
        let unsafe_anywhere = |c: char| c.is_control() || "<>:\"/\\|?*".contains(c);
        prop_assert!(!name.contains(unsafe_anywhere), "{}", name);
        prop_assert!(name.starts_with(char::is_alphanumeric), "{}", name);
        prop_assert!(name.strip_suffix(".csv").is_some());
    }

    #[test]
    fn a_csv_reader_finds_the_very_values(
        rows in proptest::collection::vec((any::<i64>(), "\\PC{0,9}", any::<String>(), "[,\"\r\n\t a]{0,6}"), 0..8),
        delimiter in prop_oneof![Just(Delimiter::Comma), Just(Delimiter::Tab)],
    ) {
        let layout = RosterLayout { delimiter, ..RosterLayout::default() };
        let mut file = RosterFile::new(Vec::new(), &layout).unwrap();
        let mut expected = Vec::new();
        for (number, first, last, building) in &rows {
            let student = student(*number, first, last);
            file.write(building, &student, RosterStatus::Active).unwrap();
            expected.push(vec![
                building.clone(),
                number.to_string(),
                first.clone(),
                "Mae".to_owned(),
                last.clone(),
                "2012-03-09".to_owned(),
                "8".to_owned(),
                "8A".to_owned(),
                student.guardian_email.to_owned(),
                student.home_phone.to_owned(),
                "Active".to_owned(),
            ]);
        }
        let (bytes, written) = file.finish().unwrap();
        prop_assert_eq!(written, rows.len() as u64);
        let between = if delimiter == Delimiter::Tab { b'\t' } else { b',' };
        let mut reader = csv::ReaderBuilder::new().delimiter(between).from_reader(bytes.as_slice());
        let titles: Vec<&str> = RosterField::ALL.into_iter().map(RosterField::title).collect();
        prop_assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), titles);
        let read: Vec<Vec<String>> = reader.deserialize().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(read, expected);
    }
}
