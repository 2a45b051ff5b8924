//! The practice Raptor folder: its layout, and that every tardy in it can become attendance.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its parts fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use chrono::{NaiveDate, NaiveDateTime, Timelike as _};
use rosterbridge_practice::{District, district::Plan, raptor};
use rstest::rstest;
use tempfile::TempDir;

const FRIDAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 11, 20).unwrap();

fn district(folder: &TempDir, date: NaiveDate, students: u32) -> District {
    let plan = Plan { students, schools: 5, seed: 1, date, keeps_summer: false };
    District::generate(&folder.path().join("district.db"), plan).unwrap()
}

fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_path(path).unwrap().deserialize().collect::<Result<_, _>>().unwrap()
}

#[test]
fn buildings_are_named_in_raptors_own_way() {
    let folder = tempfile::tempdir().unwrap();
    let district = district(&folder, FRIDAY, 200);
    raptor::write_folder(&district, FRIDAY, 1, None, folder.path()).unwrap();
    let buildings: BTreeSet<String> =
        rows(&folder.path().join("buildings.csv")).iter().map(|row| row["Building"].clone()).collect();
    let connection = district.connect().unwrap();
    let mut schools = connection.prepare("SELECT Name FROM Schools WHERE School_Number <> 999999").unwrap();
    let schools: BTreeSet<String> =
        schools.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(buildings.len(), 5);
    assert!(buildings.is_disjoint(&schools), "{buildings:?}");
    for building in &buildings {
        let first_word = building.split(' ').next().unwrap();
        assert!(schools.iter().any(|school| school.starts_with(first_word)), "{building} is like no school");
    }
}

#[test]
fn every_building_has_student_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let district = district(&folder, FRIDAY, 200);
    raptor::write_folder(&district, FRIDAY, 1, None, folder.path()).unwrap();
    let reasons = rows(&folder.path().join("student-reasons.csv"));
    for building in rows(&folder.path().join("buildings.csv")) {
        let own: Vec<&str> = reasons
            .iter()
            .filter(|row| row["Building"] == building["Building"])
            .map(|row| row["Reason"].as_str())
            .collect();
        assert_eq!(own, ["Tardy - Traffic", "Tardy - Overslept", "Tardy - Late Bus", "Doctor Appointment"]);
    }
}

/// Checked against the tables by another route than the one that wrote the file.
#[rstest]
#[case::november(FRIDAY)]
#[case::january(NaiveDate::from_ymd_opt(2027, 1, 26).unwrap())]
#[case::july(NaiveDate::from_ymd_opt(2026, 7, 15).unwrap())]
fn every_tardy_is_inside_exactly_one_class(#[case] date: NaiveDate) {
    let folder = tempfile::tempdir().unwrap();
    let district = district(&folder, date, 600);
    raptor::write_folder(&district, date, 1, None, folder.path()).unwrap();
    let buildings: Vec<String> =
        rows(&folder.path().join("buildings.csv")).iter().map(|row| row["Building"].clone()).collect();
    let reasons: BTreeSet<(String, String)> = rows(&folder.path().join("student-reasons.csv"))
        .iter()
        .map(|row| (row["Building"].clone(), row["Reason"].clone()))
        .collect();

    let connection = district.connect().unwrap();
    let mut schools = connection
        .prepare("SELECT School_Number FROM Schools WHERE School_Number <> 999999 ORDER BY 1")
        .unwrap();
    let schools: Vec<i64> = schools.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut home = connection
        .prepare("SELECT ID, SchoolID FROM Students WHERE Student_Number = ?1 AND Enroll_Status = 0")
        .unwrap();
    // Times of day of everything the student sits in, whatever the second.
    let mut meetings = connection
        .prepare(
            "SELECT CC.SchoolID, Items.Start_Time, Items.End_Time
               FROM CC, Section_Meeting Meeting, Calendar_Day Day, Bell_Schedule_Items Items
              WHERE CC.StudentID = ?1 AND CC.DateEnrolled <= ?2 AND ?2 < CC.DateLeft
                AND Meeting.SectionID = CC.SectionID
                AND Day.SchoolID = CC.SchoolID AND Day.Date_Value = ?2 AND Day.InSession = 1
                AND Meeting.Cycle_Day_Letter = (SELECT Letter FROM Cycle_Day WHERE ID = Day.Cycle_Day_ID)
                AND Items.Bell_Schedule_ID = Day.Bell_Schedule_ID
                AND Items.Period_ID = (SELECT ID FROM Period WHERE SchoolID = Meeting.SchoolID
                        AND Year_ID = Meeting.Year_ID AND Period_Number = Meeting.Period_Number)",
        )
        .unwrap();

    let tardies = rows(&folder.path().join(format!("tardies-{date}.csv")));
    assert_eq!(tardies.len(), 6);
    let students: BTreeSet<&str> = tardies.iter().map(|row| row["IdNumber"].as_str()).collect();
    assert_eq!(students.len(), tardies.len());
    for row in &tardies {
        assert!(reasons.contains(&(row["Building"].clone(), row["Reason"].clone())), "{row:?}");
        let number: i64 = row["IdNumber"].parse().unwrap();
        let (student, school): (i64, i64) =
            home.query_row([number], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let building = buildings.iter().position(|building| *building == row["Building"]).unwrap();
        assert_eq!(schools[building], school, "{row:?}");
        let at = NaiveDateTime::parse_from_str(&row["SignInTime"], "%Y-%m-%dT%H:%M:%S").unwrap();
        assert_eq!(at.date(), date);
        let second = at.time().num_seconds_from_midnight();
        let sitting: Vec<(i64, u32, u32)> = meetings
            .query_map((student, date.to_string()), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .map(Result::unwrap)
            .filter(|(_, start, end)| *start <= second && second <= *end)
            .collect();
        assert!(
            matches!(sitting.as_slice(), [(at, start, end)] if *at == school && *start < second && second < *end),
            "{row:?} is in {sitting:?}"
        );
    }
}

#[test]
fn the_same_seed_and_date_give_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let district = district(&folder, FRIDAY, 600);
    let write = |name: &str, seed: u64| {
        let target = folder.path().join(name);
        raptor::write_folder(&district, FRIDAY, seed, None, &target).unwrap();
        fs::read(target.join("tardies-2026-11-20.csv")).unwrap()
    };
    let first = write("a", 1);
    assert_eq!(write("b", 1), first);
    assert_ne!(write("c", 2), first);
}

#[rstest]
#[case::still_there("tardies-2026-11-20.csv")]
#[case::moved_away("processed/tardies-2026-11-20.csv")]
fn tardies_are_written_once(#[case] already: &str) {
    let folder = tempfile::tempdir().unwrap();
    let district = district(&folder, FRIDAY, 200);
    let exchange = folder.path().join("exchange");
    fs::create_dir_all(exchange.join("processed")).unwrap();
    fs::write(exchange.join(already), "as it was").unwrap();
    raptor::write_folder(&district, FRIDAY, 1, None, &exchange).unwrap();
    assert_eq!(fs::read_to_string(exchange.join(already)).unwrap(), "as it was");
    assert_eq!(exchange.join("tardies-2026-11-20.csv").exists(), !already.starts_with("processed"));
    assert!(exchange.join("buildings.csv").exists());
}

#[test]
fn a_tiny_district_still_has_tardies() {
    let folder = tempfile::tempdir().unwrap();
    let district = district(&folder, FRIDAY, 60);
    raptor::write_folder(&district, FRIDAY, 1, None, folder.path()).unwrap();
    assert_eq!(rows(&folder.path().join("tardies-2026-11-20.csv")).len(), 3);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let district = district(&folder, FRIDAY, 60);
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = raptor::write_folder(&district, FRIDAY, 1, None, &file.join("exchange")).unwrap_err();
    assert_eq!(error.code(), "practice.raptor_folder");
    assert!(error.to_string().contains("exchange"));
}

#[test]
fn as_many_students_are_late_as_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let district = district(&folder, FRIDAY, 200);
    raptor::write_folder(&district, FRIDAY, 1, Some(40), folder.path()).unwrap();
    assert_eq!(rows(&folder.path().join("tardies-2026-11-20.csv")).len(), 40);
}
