//! The roster file, byte for byte, and the names of roster files.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::HashMap;

use chrono::NaiveDate;
use proptest::prelude::*;
use rosterbridge_domain::{
    id::{SchoolNumber, StudentDcid, StudentId, StudentNumber},
    roster::{EnrollStatus, Student},
};
use rosterbridge_raptor::{ROSTER_COLUMNS, RosterFile, RosterStatus, building_file_name};
use rstest::rstest;

fn student(number: i64, first: &str, last: &str) -> Student {
    Student {
        dcid: StudentDcid::new(number + 7_000),
        id: StudentId::new(number + 9_000),
        number: StudentNumber::new(number),
        first_name: first.into(),
        middle_name: "Mae".into(),
        last_name: last.into(),
        dob: NaiveDate::from_ymd_opt(2012, 3, 9),
        grade_level: 8,
        school: SchoolNumber::new(100),
        enroll_status: EnrollStatus::ACTIVE,
        entry_date: None,
        exit_date: None,
        mailing_street: "".into(),
        mailing_city: "".into(),
        mailing_state: "".into(),
        mailing_zip: "".into(),
        guardian_email: "pat@example.org,kim@example.org".into(),
        home_phone: "217-555-0101".into(),
        home_room: "8A".into(),
    }
}

#[test]
fn the_roster_as_raptor_takes_it() {
    let mut bare = student(4712, "=1+1", "-Zoë \"Z\"");
    bare.middle_name = "".into();
    bare.dob = None;
    bare.grade_level = -1;
    bare.guardian_email = "@home".into();
    bare.home_phone = "+1 217\n555".into();
    bare.home_room = "".into();
    let mut file = RosterFile::new(Vec::new()).unwrap();
    file.write("Lincoln, North", &student(42, "Ada", "O'Brien"), RosterStatus::Active).unwrap();
    file.write("Lincoln, North", &bare, RosterStatus::Inactive).unwrap();
    let first = file.first().to_vec();
    let (bytes, rows) = file.finish().unwrap();
    assert_eq!(rows, 2);
    let read: Vec<Vec<String>> = csv::Reader::from_reader(bytes.as_slice())
        .into_records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    assert_eq!(first, read, "the rows kept as a sample are what a reader of the file finds");
    let shown = String::from_utf8(bytes).unwrap().replace('\r', "␍").replace('\n', "␊\n");
    insta::assert_snapshot!(shown, @r#"
    Building,IdNumber,FirstName,MiddleName,LastName,DateOfBirth,Grade,Homeroom,GuardianEmail,Phone,Status␍␊
    "Lincoln, North",42,Ada,Mae,O'Brien,2012-03-09,8,8A,"pat@example.org,kim@example.org",217-555-0101,Active␍␊
    "Lincoln, North",4712,=1+1,,"-Zoë ""Z""",,-1,,@home,"+1 217␊
    555",Inactive␍␊
    "#);
}

#[test]
fn a_roster_without_students_has_its_header() {
    let (bytes, rows) = RosterFile::new(Vec::new()).unwrap().finish().unwrap();
    assert_eq!(rows, 0);
    assert_eq!(String::from_utf8(bytes).unwrap(), format!("{}\r\n", ROSTER_COLUMNS.join(",")));
}

#[test]
fn only_the_first_rows_are_kept() {
    let mut file = RosterFile::new(Vec::new()).unwrap();
    for number in 1..=20 {
        file.write("North", &student(number, "Ada", "Byron"), RosterStatus::Active).unwrap();
    }
    let numbers: Vec<&str> = file.first().iter().map(|row| row[1].as_str()).collect();
    assert_eq!(numbers, ["1", "2", "3", "4", "5"]);
    assert!(file.first().iter().all(|row| row.len() == ROSTER_COLUMNS.len()));
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
    let mut file = RosterFile::new(Full(64)).unwrap();
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
fn any_other_name_is_made_safe_and_told_apart(#[case] building: &str) {
    let name = building_file_name(building);
    let (stem, hash) = name.strip_suffix(".csv").unwrap().rsplit_once('-').unwrap();
    assert!(stem.starts_with(char::is_alphanumeric), "{name}");
    assert_eq!(hash.len(), 8);
    assert!(hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
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
    ) {
        let mut file = RosterFile::new(Vec::new()).unwrap();
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
                student.guardian_email.to_string(),
                student.home_phone.to_string(),
                "Active".to_owned(),
            ]);
        }
        let (bytes, written) = file.finish().unwrap();
        prop_assert_eq!(written, rows.len() as u64);
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        prop_assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), ROSTER_COLUMNS);
        let read: Vec<Vec<String>> = reader.deserialize().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(read, expected);
    }
}
