//! Several sign-ins of one student about one record: the latest counts, however they arrive.

use std::fs;

use serde_json::{Value, json};

use crate::support::{DATE, District, Profile};

/// A daily school's building, one of its students, and a reason that is mapped to T.
struct Daily<'a> {
    district: &'a District,
    profile: &'a Profile,
    building: String,
    student: i64,
    mapped: String,
}

impl<'a> Daily<'a> {
    fn of(district: &'a District, profile: &'a Profile) -> Self {
        let setup = profile.setup();
        let rows = setup["mappings"]["buildings"].as_array().unwrap();
        let row = rows.iter().find(|row| row["method"] == "daily").unwrap();
        let building = row["building"].as_str().unwrap();
        let student: i64 = district
            .database()
            .query_row(
                "SELECT min(Student_Number) FROM Students WHERE SchoolID = ?1 AND Enroll_Status = 0",
                [row["school"].as_i64().unwrap()],
                |row| row.get(0),
            )
            .unwrap();
        let mapped = setup["mappings"]["tardy_codes"][0]["reason"].as_str().unwrap().to_owned();
        fs::remove_file(district.tardies()).unwrap();
        profile.run(&["sync", "raptor-roster"]).done();
        Self { district, profile, building: building.to_owned(), student, mapped }
    }

    fn drop(&self, name: &str, rows: &[(&str, &str)]) {
        let Self { building, student, .. } = self;
        let rows = rows.iter().map(|(time, reason)| format!("{building},{student},{DATE}T{time},{reason}\n"));
        let rows = rows.collect::<Vec<_>>().concat();
        fs::write(self.district.raptor(name), format!("Building,IdNumber,SignInTime,Reason\n{rows}"))
            .unwrap();
    }

    fn map(&self, reason: &str, code: &str) {
        self.profile.run(&["mapping", "code", reason, code]).done();
    }

    /// Written, no-op, held.
    fn sync(&self) -> [u64; 3] {
        let ran = self.profile.run(&["sync", "raptor-tardies"]);
        ["written", "noop", "held"].map(|name| ran.job("raptor-tardies")["rows"][name].as_u64().unwrap())
    }

    /// The code each write of the audit log gave, in order.
    fn written(&self) -> Vec<String> {
        let database = self.district.database();
        let code = |write: &Value| {
            database
                .query_row(
                    "SELECT Att_Code FROM Attendance_Code WHERE ID = ?1",
                    [write["attendance_codeid"].as_i64().unwrap()],
                    |row| row.get(0),
                )
                .unwrap()
        };
        self.district.audit().iter().map(code).collect()
    }
}

#[test]
fn the_latest_sign_in_counts_whatever_its_file_is_called() {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    let daily = Daily::of(&district, &profile);
    daily.map("Left and came back", "A");
    daily.drop("tardies-9.csv", &[("08:20", &daily.mapped)]);
    daily.drop("tardies-10.csv", &[("11:40", "Left and came back")]);
    assert_eq!(daily.sync(), [1, 1, 0]);
    assert_eq!(daily.written(), ["A"]);
}

#[test]
fn an_earlier_sign_in_that_was_held_does_not_take_the_place_of_a_later_one() {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    let daily = Daily::of(&district, &profile);
    daily.drop("tardies.csv", &[("08:20", "Walked"), ("11:40", &daily.mapped)]);
    assert_eq!(daily.sync(), [1, 0, 1]);
    daily.map("Walked", "A");
    assert_eq!(daily.sync(), [0, 2, 0]);
    assert_eq!(daily.written(), ["T"]);
    let trace = profile.run(&["trace", "--file", "tardies.csv", "--line", "2"]).done();
    let steps = trace.data()["rows"][0]["steps"].as_array().unwrap().clone();
    assert_eq!(steps.last().unwrap()["code"], json!("superseded"), "{steps:?}");
}
