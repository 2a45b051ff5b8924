//! Tardies of students who have changed schools since, or left and came back: where they were that day decides.

use std::fs;

use rstest::rstest;
use rusqlite::params;
use serde_json::{Value, json};

use crate::support::{DATE, District, Output, Profile};

/// A daily school's building and one of its students, another school, and the school day before.
struct Mover<'a> {
    district: &'a District,
    profile: &'a Profile,
    building: String,
    school: i64,
    school_name: String,
    other: i64,
    other_name: String,
    student: i64,
    reason: String,
    day_before: String,
}

impl<'a> Mover<'a> {
    fn of(district: &'a District, profile: &'a Profile) -> Self {
        let setup = profile.setup();
        let rows = setup["mappings"]["buildings"].as_array().unwrap();
        let row = rows.iter().find(|row| row["method"] == "daily").unwrap();
        let school = row["school"].as_i64().unwrap();
        let other = rows.iter().find(|row| row["school"] != school).unwrap();
        let database = district.database();
        // Somebody who has been at the school all year.
        let student: i64 = database
            .query_row(
                "SELECT MIN(Student_Number) FROM Students WHERE SchoolID = ?1 AND Enroll_Status = 0
                    AND EntryDate = (SELECT MIN(EntryDate) FROM Students WHERE SchoolID = ?1 AND Enroll_Status = 0)",
                [school],
                |row| row.get(0),
            )
            .unwrap();
        fs::remove_file(district.tardies()).unwrap();
        profile.run(&["sync", "raptor-roster"]).done();
        let mover = Self {
            district,
            profile,
            building: row["building"].as_str().unwrap().to_owned(),
            school,
            school_name: row["school_name"].as_str().unwrap().to_owned(),
            other: other["school"].as_i64().unwrap(),
            other_name: other["school_name"].as_str().unwrap().to_owned(),
            student,
            reason: setup["mappings"]["tardy_codes"][0]["reason"].as_str().unwrap().to_owned(),
            day_before: String::new(),
        };
        Self { day_before: mover.school_day_before(DATE), ..mover }
    }

    fn school_day_before(&self, day: &str) -> String {
        self.district
            .database()
            .query_row(
                "SELECT MAX(Date_Value) FROM Calendar_Day WHERE SchoolID = ?1 AND InSession = 1 AND Date_Value < ?2",
                params![self.school, day],
                |row| row.get(0),
            )
            .unwrap()
    }

    /// The student's first day at a school is this one.
    fn moves(&self, to_school: i64, on: &str) {
        let moved = json!([{"move": {"student_number": self.student, "to_school": to_school, "on": on}}]);
        self.district.change(&moved);
    }

    /// Drops a tardy of each of the days, and takes them in.
    fn tardy_on(&self, days: &[&str]) -> Output {
        let Self { building, student, reason, .. } = self;
        let rows = days.iter().map(|day| format!("{building},{student},{day}T09:40,{reason}\n"));
        let rows = rows.collect::<Vec<_>>().concat();
        let text = format!("Building,IdNumber,SignInTime,Reason\n{rows}");
        fs::write(self.district.raptor("moved.csv"), text).unwrap();
        self.sync()
    }

    fn sync(&self) -> Output {
        self.profile.run(&["sync", "raptor-tardies"])
    }

    /// School and day of every record written.
    fn written(&self) -> Vec<(i64, String)> {
        let place = |write: &Value| {
            (write["schoolid"].as_i64().unwrap(), write["att_date"].as_str().unwrap().to_owned())
        };
        self.district.audit().iter().map(place).collect()
    }

    /// What the held rows say.
    fn held(&self) -> Vec<(String, String)> {
        let held = self.profile.run(&["held", "list"]).done();
        let rows = held.data()["rows"].as_array().unwrap().iter();
        rows.map(|row| (row["code"].as_str().unwrap().to_owned(), row["detail"].as_str().unwrap().to_owned()))
            .collect()
    }
}

/// Written, held.
fn counts(output: &Output) -> [u64; 2] {
    ["written", "held"].map(|name| output.job("raptor-tardies")["rows"][name].as_u64().unwrap())
}

#[test]
fn a_tardy_of_the_day_before_a_move_is_of_the_old_school() {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    let mover = Mover::of(&district, &profile);
    mover.moves(mover.other, DATE);
    // On the day itself the student is at the new school.
    assert_eq!(counts(&mover.tardy_on(&[&mover.day_before, DATE])), [1, 1]);
    assert_eq!(mover.written(), [(mover.school, mover.day_before.clone())]);
    let held = ("held.student_not_in_school".to_owned(), mover.other_name.clone());
    assert_eq!(mover.held(), [held]);
}

#[test]
fn between_leaving_and_coming_back_the_school_in_between_is_named() {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    let mover = Mover::of(&district, &profile);
    let away = mover.day_before.clone();
    let before = mover.school_day_before(&away);
    mover.moves(mover.other, &away);
    mover.moves(mover.school, DATE);
    assert_eq!(counts(&mover.tardy_on(&[&before, &away, DATE])), [2, 1]);
    let written = [before, DATE.to_owned()].map(|day| (mover.school, day));
    assert_eq!(mover.written(), written);
    assert_ne!(mover.school_name, mover.other_name);
    let held = ("held.student_not_in_school".to_owned(), mover.other_name.clone());
    assert_eq!(mover.held(), [held]);
}

/// With an older plugin the tardy waits, the run says why, and the updated plugin lets it go.
#[rstest]
#[case::without_the_fields(json!({"missing_access": ["REENROLLMENTS.EXITDATE"]}))]
#[case::without_the_query(json!({"missing_access": ["REENROLLMENTS.EXITDATE"], "no_powerqueries": true}))]
fn an_older_plugin_costs_only_such_tardies(#[case] older: Value) {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    let mover = Mover::of(&district, &profile);
    mover.moves(mover.other, DATE);
    district.faults(&older);
    profile.run(&["test", "powerschool"]).done();
    let run = mover.tardy_on(&[&mover.day_before]);
    assert_eq!(counts(&run), [0, 1]);
    let notes = run.job("raptor-tardies")["notes"].to_string();
    assert!(notes.contains("REENROLLMENTS") && notes.contains("powerschool.partial_access"), "{notes}");

    district.faults(&json!({}));
    let run = mover.sync();
    assert_eq!(counts(&run), [1, 0]);
    assert!(!run.job("raptor-tardies")["notes"].to_string().contains("REENROLLMENTS"));
    assert_eq!(mover.written(), [(mover.school, mover.day_before.clone())]);
}
