//! The roster is right whatever way PowerSchool gives it: as changes, as a whole, in pages, or from its tables.

use std::fs;

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{District, Output, Profile};

/// The exports that are made of the tables read by data version.
const JOBS: [&str; 3] = ["sync", "hero-students", "hero-schedule"];
const FILES: [&str; 2] = ["imports/STUDENT.TXT", "imports/SCHEDULE.TXT"];

fn files(district: &District) -> Vec<String> {
    FILES.iter().map(|file| fs::read_to_string(district.hero(file)).unwrap()).collect()
}

/// Student_Number of some active students.
fn students(district: &District, count: u32) -> Vec<i64> {
    let database = district.database();
    let mut statement = database
        .prepare("SELECT Student_Number FROM Students WHERE Enroll_Status = 0 ORDER BY DCID LIMIT ?1")
        .unwrap();
    statement.query_map([count], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// What another profile, that knows nothing yet, makes of the district as it is now.
fn afresh(district: &District) -> Vec<String> {
    district.faults(&json!({}));
    Profile::of(district).run(&JOBS).done();
    files(district)
}

#[rstest]
#[case::by_data_version(json!({}))]
#[case::of_an_unknown_version(json!({"purge_data_versions": true}))]
#[case::without_versions(json!({"no_data_versions": true}))]
#[case::in_pages(json!({"refuse_whole": 500, "purge_data_versions": true}))]
#[case::from_an_answer_that_breaks(json!({"cut_body": {"n": 1, "after_bytes": 20_000}, "no_data_versions": true}))]
#[case::from_the_tables(json!({"no_powerqueries": true, "page_limit": 60}))]
fn what_changed_between_two_runs_is_in_the_second(#[case] server: Value) {
    let district = District::start(&["--students", "400"]);
    let profile = Profile::of(&district);
    profile.run(&JOBS).done();
    let before = files(&district);
    let known = students(&district, 6);
    district.change(&json!([
        {"add_student": {"student_number": 999_001, "like": known[0], "last_name": "Added"}},
        {"leave": {"student_number": known[1]}},
        {"remove_student": {"student_number": known[2]}},
        {"change": {
            "table": "Students",
            "where": {"Student_Number": known[3]},
            "set": {"Student_Number": 999_002, "Last_Name": "Renumbered"}
        }},
    ]));
    district.faults(&server);
    profile.run(&JOBS).done();
    let after = files(&district);
    assert!(after[0].contains("Added") && after[0].contains("Renumbered"));
    assert_ne!(after[1], before[1]);
    assert_eq!(after, afresh(&district));
}

#[test]
fn a_run_soon_after_another_reads_only_what_changed() {
    let district = District::start(&["--students", "400"]);
    let profile = Profile::of(&district);
    profile.run(&JOBS).done();
    let before = files(&district);
    // A change that PowerSchool's data versions don't tell of shows only in a whole pull.
    let number = students(&district, 1)[0];
    let database = district.database();
    let newest: i64 =
        database.query_row("SELECT MAX(Seq) FROM Practice_Change", [], |row| row.get(0)).unwrap();
    database
        .execute("UPDATE Students SET Last_Name = 'Unversioned' WHERE Student_Number = ?1", [number])
        .unwrap();
    database.execute("DELETE FROM Practice_Change WHERE Seq > ?1", [newest]).unwrap();
    drop(database);
    profile.run(&JOBS).done();
    assert_eq!(files(&district), before);
    // Other jobs read other columns, so nothing is taken over from what these two read.
    profile.run(&["sync", "raptor-roster"]).done();
    district.faults(&json!({"purge_data_versions": true}));
    profile.run(&JOBS).done();
    assert!(files(&district)[0].contains("Unversioned"));
}

#[rstest]
#[case::by_data_version(json!({}))]
#[case::by_whole_answers(json!({"no_data_versions": true}))]
#[case::without_earlier_enrolments(json!({"missing_access": ["REENROLLMENTS.SCHOOLID"]}))]
fn a_roster_that_has_not_changed_stays_as_it_is(#[case] server: Value) {
    let district = District::start(&["--students", "400"]);
    let profile = Profile::of(&district);
    district.faults(&server);
    profile.run(&JOBS).done();
    let (before, files_before) = (fs::read(profile.folder().join("roster.db")).unwrap(), files(&district));
    let as_of = |status: &Output| status.data()["roster_pulled_at"].as_str().unwrap().to_owned();
    let pulled = as_of(&profile.run(&["status"]).done());

    profile.run(&JOBS).done();
    assert!(fs::read(profile.folder().join("roster.db")).unwrap() == before, "the roster was written anew");
    assert_eq!(files(&district), files_before);
    assert!(as_of(&profile.run(&["status"]).done()) > pulled, "it was looked at again");

    // What changed after that is found in the one table it is in.
    let number = students(&district, 1)[0];
    district.change(&json!([{"change": {
        "table": "Students", "where": {"Student_Number": number}, "set": {"Last_Name": "Married"}
    }}]));
    profile.run(&JOBS).done();
    let after = files(&district);
    assert!(after[0].contains("Married"));
    assert_eq!(after[1], files_before[1]);
    assert_eq!(after, afresh(&district));
}

/// A plugin for fewer exchanges serves those, and the others say what is missing.
#[test]
fn a_plugin_for_some_exchanges_does_not_stop_them() {
    let district = District::start(&["--students", "300"]);
    let profile = Profile::of(&district);
    district.faults(&json!({"missing_access": ["STUDENTS.HOME_ROOM", "ATTENDANCE_CODE.ATT_CODE"]}));
    let run = profile.run(&["sync"]);
    for job in ["hero-students", "hero-schedule", "hero-teachers"] {
        assert_eq!(run.job(job)["outcome"], "succeeded", "{}", run.stdout);
    }
    for job in ["hero-attendance", "raptor-roster", "raptor-tardies"] {
        assert_eq!(run.job(job)["outcome"], "failed", "{}", run.stdout);
        assert_eq!(run.job(job)["cause"]["code"], "powerschool.no_access", "{}", run.stdout);
    }
}
