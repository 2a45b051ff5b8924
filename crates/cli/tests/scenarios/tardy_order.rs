//! Several sign-ins of one student about one record: the latest counts, however they arrive.

use std::fs;

use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    care::correct_the_last_record,
    support::{DATE, District, Profile, files_in},
};

/// A daily school's building, one of its students, and a reason that is mapped to T.
pub struct Daily<'a> {
    district: &'a District,
    profile: &'a Profile,
    building: String,
    student: i64,
    pub mapped: String,
}

impl<'a> Daily<'a> {
    pub fn of(district: &'a District, profile: &'a Profile) -> Self {
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

    /// A file with sign-ins of the student: when, and why.
    pub fn text(&self, rows: &[(&str, &str)]) -> String {
        let Self { building, student, .. } = self;
        let rows = rows.iter().map(|(time, reason)| format!("{building},{student},{DATE}T{time},{reason}\n"));
        format!("Building,IdNumber,SignInTime,Reason\n{}", rows.collect::<Vec<_>>().concat())
    }

    fn drop(&self, name: &str, rows: &[(&str, &str)]) {
        fs::write(self.district.raptor(name), self.text(rows)).unwrap();
    }

    pub fn map(&self, reason: &str, code: &str) {
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

/// One student, one day, two files: of the one the reason is not mapped yet.
#[rstest]
#[case::the_earlier_one_waits("08:20", "11:40", &["T"])]
#[case::the_later_one_waits("11:40", "08:20", &["T", "A"])]
fn of_two_files_one_waits_for_its_reason(
    #[case] waits: &str,
    #[case] goes: &str,
    #[case] codes: &[&str],
    #[values(("a.csv", "b.csv"), ("b.csv", "a.csv"))] names: (&str, &str),
) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let daily = Daily::of(&district, &profile);
    daily.drop(names.0, &[(waits, "Walked")]);
    daily.drop(names.1, &[(goes, &daily.mapped)]);
    assert_eq!(daily.sync(), [1, 0, 1]);
    assert_eq!(files_in(&district.raptor("processed")), [names.1]);
    let held = profile.run(&["held", "list"]).done();
    assert_eq!(held.data()["rows"][0]["code"], "held.reason_not_mapped");
    daily.map("Walked", "A");
    let written = codes.len() as u64 - 1;
    assert_eq!(daily.sync(), [written, 1 - written, 0]);
    assert_eq!(daily.written(), codes);
    assert_eq!(files_in(&district.raptor("processed")), ["a.csv", "b.csv"]);
}

/// A sign-in waits for its reason, and its file is gone or stays. What other files said of its record in runs before it can
/// be decided is what it is compared with.
#[rstest]
#[case::a_later_one_was_decided("08:20", &[], &["11:40"], &["T"])]
#[case::a_later_one_changed_nothing("10:00", &["08:20"], &["11:40"], &["T"])]
#[case::of_the_same_moment_and_decided_since("08:20", &[], &["08:20"], &["T"])]
#[case::of_the_same_moment_and_decided_before("08:20", &["08:20"], &[], &["T", "A"])]
#[case::an_earlier_one_was_decided("11:40", &[], &["08:20"], &["T", "A"])]
#[case::an_earlier_one_was_decided_before("11:40", &["08:20"], &[], &["T", "A"])]
fn a_sign_in_that_waited_is_compared_with_what_was_decided_meanwhile(
    #[case] waits: &str,
    #[case] before: &[&str],
    #[case] since: &[&str],
    #[case] codes: &[&str],
    #[values(false, true)] gone: bool,
) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let daily = Daily::of(&district, &profile);
    let others = |name: &str, times: &[&str]| {
        for (number, time) in times.iter().enumerate() {
            daily.drop(&format!("{name}-{number}.csv"), &[(time, &daily.mapped)]);
            daily.sync();
        }
    };
    others("m", before);
    daily.drop("n.csv", &[(waits, "Walked")]);
    assert_eq!(daily.sync(), [0, 0, 1]);
    if gone {
        fs::remove_file(district.raptor("n.csv")).unwrap();
    }
    others("a", since);
    assert_eq!(daily.written(), ["T"]);
    daily.map("Walked", "A");
    let written = codes.len() as u64 - 1;
    assert_eq!(daily.sync(), [written, 1 - written, 0]);
    assert_eq!(daily.written(), codes);
    let step = profile.run(&["trace", "--file", "n.csv"]).done();
    let steps = step.data()["rows"][0]["steps"].as_array().unwrap().clone();
    let last = &steps.last().unwrap()["code"];
    assert_eq!(*last == json!("superseded"), written == 0, "{steps:?}");
}

/// Raptor's office corrects a sign-in that was written: it comes again with an earlier time and another reason. That is
/// written, also where the new reason has to be mapped first, but never over what somebody did in PowerSchool.
#[rstest]
fn a_corrected_sign_in_may_tell_an_earlier_time(
    #[values(false, true)] waits: bool,
    #[values(false, true)] cleared: bool,
) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let daily = Daily::of(&district, &profile);
    daily.drop("late.csv", &[("11:40", &daily.mapped)]);
    assert_eq!(daily.sync(), [1, 0, 0]);
    assert_eq!(files_in(&district.raptor("processed")), ["late.csv"]);
    if cleared {
        correct_the_last_record(&district, None);
    }
    daily.drop("corrected.csv", &[("08:20", "Bus")]);
    if waits {
        assert_eq!(daily.sync(), [0, 0, 1]);
    }
    daily.map("Bus", "A");
    if cleared {
        assert_eq!(daily.sync(), [0, 0, 1]);
        assert_eq!(daily.written(), ["T"]);
        let held = profile.run(&["held", "list"]).done();
        assert_eq!(held.data()["rows"][0]["code"], "held.corrected_in_powerschool");
    } else {
        assert_eq!(daily.sync(), [1, 0, 0]);
        assert_eq!(daily.written(), ["T", "A"]);
    }
}

/// A sign-in that waited since before a later one is over, and does not take a correction of that with it.
#[test]
fn a_sign_in_that_waited_does_not_hide_a_correction() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let daily = Daily::of(&district, &profile);
    daily.drop("waits.csv", &[("10:00", "Walked")]);
    assert_eq!(daily.sync(), [0, 0, 1]);
    daily.drop("late.csv", &[("11:40", &daily.mapped)]);
    assert_eq!(daily.sync(), [1, 0, 1]);
    daily.map("Walked", "A");
    daily.map("Bus", "A");
    daily.drop("corrected.csv", &[("08:20", "Bus")]);
    assert_eq!(daily.sync(), [1, 1, 0]);
    assert_eq!(daily.written(), ["T", "A"]);
    let trace = profile.run(&["trace", "--file", "waits.csv"]).done();
    let steps = trace.data()["rows"][0]["steps"].as_array().unwrap().clone();
    assert_eq!(steps.last().unwrap()["code"], json!("superseded"), "{steps:?}");
}

/// An earlier sign-in with the code that stands changes nothing: others are compared with the later one.
#[test]
fn an_earlier_sign_in_of_the_same_code_does_not_set_the_time_back() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let daily = Daily::of(&district, &profile);
    daily.drop("waits.csv", &[("10:00", "Walked")]);
    assert_eq!(daily.sync(), [0, 0, 1]);
    for (name, time) in [("late.csv", "11:40"), ("early.csv", "08:20")] {
        daily.drop(name, &[(time, &daily.mapped)]);
        daily.sync();
    }
    daily.map("Walked", "A");
    assert_eq!(daily.sync(), [0, 1, 0]);
    assert_eq!(daily.written(), ["T"]);
}

/// Of two earlier sign-ins the later one is said again, and the other one is superseded by it as ever.
#[test]
fn an_earlier_sign_in_of_the_same_code_still_supersedes_one_before_it() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let daily = Daily::of(&district, &profile);
    daily.map("Walked", "A");
    daily.drop("late.csv", &[("11:40", &daily.mapped)]);
    assert_eq!(daily.sync(), [1, 0, 0]);
    daily.drop("again.csv", &[("08:05", "Walked"), ("08:20", &daily.mapped)]);
    assert_eq!(daily.sync(), [0, 2, 0]);
    assert_eq!(daily.written(), ["T"]);
}
