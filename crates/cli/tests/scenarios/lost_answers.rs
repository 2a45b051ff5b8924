//! Answers that never come, and a process that is killed: in the end every row is there once.

use std::time::Duration;

use rosterbridge_crash_points::CrashPoint;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    care::{correct_the_last_record, held_as_corrected},
    support::{District, Profile, crashed, until},
};

/// Long enough for a practice district on a busy machine to answer, short enough to wait for.
const ANSWER_SECONDS: u32 = 2;

#[rstest]
fn a_write_without_an_answer_is_looked_up_before_it_is_sent_again(
    #[values("upsert", "insert")] mode: &str,
    #[values(
        json!({"apply_then_drop": {"n": 3}}),
        json!({"drop_before_apply": {"n": 3}}),
        json!({"apply_late": {"n": 2, "seconds": 1}})
    )]
    fault: Value,
) {
    let district = District::start(&["--attendance", mode]);
    let profile = Profile::patient_for(&district, ANSWER_SECONDS);
    district.faults(&json!({"attendance": fault}));
    let sync = profile.run(&["sync"]).done();
    assert_eq!(district.faults_left()["attendance"], Value::Null, "the fault was met");
    assert_eq!(sync.job("hero-attendance")["rows"]["written"], 30);
    assert_eq!(sync.job("raptor-tardies")["rows"]["written"], 6);
    let expected = district.day(&profile.setup());
    if let Some(seconds) = fault["apply_late"]["seconds"].as_u64() {
        // A write sent twice would show by now: the first one has certainly arrived.
        std::thread::sleep(Duration::from_secs(seconds + 1));
    }
    district.holds_each_once(&expected);
    let again = profile.run(&["sync"]).done();
    assert_eq!(again.job("hero-attendance")["rows"]["noop"], 30);
    district.holds_each_once(&expected);
}

/// A write that is applied later than one answer time after it was given up is found at the second look.
#[rstest]
fn a_late_commit_is_not_doubled(#[values("upsert", "insert")] mode: &str) {
    let district = District::start(&["--attendance", mode]);
    let profile = Profile::patient_for(&district, 4);
    district.faults(&json!({"attendance": {"apply_late": {"n": 2, "seconds": 6}}}));
    let sync = profile.run(&["sync"]).done();
    assert_eq!(district.faults_left()["attendance"], Value::Null, "the fault was met");
    assert_eq!(sync.job("hero-attendance")["rows"]["written"], 30);
    district.holds_each_once(&district.day(&profile.setup()));
}

/// Later than that, nothing helps against a server that adds a row for every write; but it does not go untold.
#[test]
fn a_record_that_stands_twice_is_told_with_both_its_ids() {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::patient_for(&district, 4);
    profile.run(&["sync", "hero-students", "hero-schedule", "hero-teachers"]).done();
    district.faults(&json!({"attendance": {"apply_late": {"n": 1, "seconds": 10}}}));
    let sync = profile.run(&["sync", "hero-attendance"]).ended(1, "attendance.duplicate");
    let doubled: Vec<i64> = {
        let database = district.database();
        let mut find = database
            .prepare(
                "SELECT DCID FROM Attendance a WHERE Att_Date = '2026-11-18' AND EXISTS (
                    SELECT 1 FROM Attendance b WHERE b.DCID <> a.DCID AND b.StudentID = a.StudentID
                       AND b.Att_Date = a.Att_Date AND b.Att_Mode_Code = a.Att_Mode_Code AND b.CCID = a.CCID
                       AND b.PeriodID = a.PeriodID)",
            )
            .unwrap();
        find.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert!(doubled.len() >= 2);
    let notes = sync.job("hero-attendance")["notes"].to_string();
    assert!(doubled.iter().all(|dcid| notes.contains(&dcid.to_string())), "{notes}, {doubled:?}");
}

/// The run that sent it again ends before it has looked for that.
#[test]
fn a_record_that_stands_twice_is_told_by_the_next_run() {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::patient_for(&district, 4);
    profile.run(&["sync", "hero-students", "hero-schedule", "hero-teachers"]).done();
    district.faults(&json!({"attendance": {"apply_late": {"n": 1, "seconds": 10}}}));
    let sync = ["sync", "hero-attendance"];
    // Five are sent at a time, and then the one of which no answer came.
    let place = format!("{}@7", CrashPoint::WritesRecorded.as_str());
    let ended = profile.command(&sync).env("ROSTERBRIDGE_CRASH_AT", &place).output().unwrap();
    assert!(crashed(ended.status), "it did not end at {place}");
    until("it was written twice", || (district.audit().len() == 31).then_some(()));
    profile.run(&sync).ended(1, "attendance.duplicate");
    // And it is told once.
    let told = profile.run(&sync);
    assert_ne!(told.code(), "attendance.duplicate", "{}", told.stdout);
}

/// PowerSchool takes a write, the run ends before it knows, and somebody corrects the record.
#[rstest]
fn a_correction_of_a_write_without_an_answer_stands(
    #[values("upsert", "insert")] mode: &str,
    #[values(None, Some("E"))] code: Option<&str>,
) {
    let district = District::start(&["--attendance", mode]);
    let profile = Profile::patient_for(&district, ANSWER_SECONDS);
    profile.change_setup(|setup| setup["mappings"]["replaceable_codes"] = json!(["E"]));
    profile.run(&["sync", "hero-students", "hero-schedule", "hero-teachers"]).done();
    let sync = ["sync", "hero-attendance"];
    // Five are sent at a time: these are the last.
    let place = format!("{}@6", CrashPoint::WritesAnswered.as_str());
    let ended = profile.command(&sync).env("ROSTERBRIDGE_CRASH_AT", &place).output().unwrap();
    assert!(crashed(ended.status), "it did not end at {place}");
    let written = district.audit();
    assert_eq!(written.len(), 30);
    correct_the_last_record(&district, code);

    profile.run(&sync).ended(3, "sync.held_rows");
    profile.run(&sync).ended(0, "sync.held_rows");
    assert_eq!(district.audit(), written, "nothing is written over the correction");
    let row = held_as_corrected(&profile);

    // A person says that it is right.
    profile.run(&["held", "retry", &row["id"].to_string()]).done();
    assert_eq!(profile.run(&sync).done().job("hero-attendance")["rows"]["written"], 1);
    assert_eq!(district.audit().len(), 31);
    // It is ours again like any other, and a correction of it stands.
    correct_the_last_record(&district, code);
    profile.run(&sync).done();
    assert_eq!(district.audit().len(), 31);
}

#[rstest]
fn an_http_500_is_no_answer_either(#[values("upsert", "insert")] mode: &str) {
    let district = District::start(&["--attendance", mode]);
    let profile = Profile::patient_for(&district, ANSWER_SECONDS);
    district.faults(&json!({"latency_ms": 200}));
    let running = profile.spawn(&["sync"]);
    until("the first attendance was written", || (!district.audit().is_empty()).then_some(()));
    district.faults(&json!({"fail_next": {"n": 3, "status": 500}, "latency_ms": 50}));
    profile.finish(running).done();
    assert_eq!(district.faults_left()["fail_next"], Value::Null, "the fault was met");
    district.holds_each_once(&district.day(&profile.setup()));
}

/// The process is killed while attendance is being written; the next one finishes what it left.
#[rstest]
fn a_killed_process_leaves_nothing_lost_and_nothing_twice(
    #[values("upsert", "insert")] mode: &str,
    #[values(1, 12)] writes_before: usize,
) {
    let district = District::start(&["--attendance", mode]);
    let profile = Profile::patient_for(&district, ANSWER_SECONDS);
    district.faults(&json!({"latency_ms": 150}));
    let mut running = profile.spawn(&["sync"]);
    until("some attendance was written", || (district.audit().len() >= writes_before).then_some(()));
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(district.audit().len() < 30, "it was killed in the middle");

    district.faults(&json!({}));
    let status = profile.run(&["status"]).done();
    assert_eq!(status.data().get("running"), None, "a dead run is not under way");
    let runs = profile.run(&["runs"]).done();
    assert_eq!(runs.data()["runs"][0]["outcome"], "interrupted");

    let sync = profile.run(&["sync"]).done();
    let expected = district.day(&profile.setup());
    district.holds_each_once(&expected);
    assert_eq!(sync.data()["outcome"], "succeeded");
    let runs = profile.run(&["runs"]).done();
    assert_eq!(runs.data()["runs"][0]["outcome"], "succeeded");
    assert_eq!(runs.data()["runs"][1]["outcome"], "interrupted");

    profile.run(&["sync"]).done();
    district.holds_each_once(&expected);
}

/// PowerSchool itself goes away while attendance is written, and comes back.
#[rstest]
fn a_server_that_dies_at_work_has_each_row_once_in_the_end(#[values("upsert", "insert")] mode: &str) {
    let mut district = District::start(&["--attendance", mode]);
    let profile = Profile::patient_for(&district, ANSWER_SECONDS);
    district.faults(&json!({"latency_ms": 300}));
    let running = profile.spawn(&["sync"]);
    // More than are on their way at the same time, so that some of them have been answered.
    until("some attendance was written", || (district.audit().len() > 8).then_some(()));
    district.stop();
    let failed = profile.finish(running);
    assert_eq!(failed.exit, 1, "{}", failed.stdout);
    let job = failed.job("hero-attendance");
    assert_eq!(job["outcome"], "failed");
    let written = job["rows"]["written"].as_u64().unwrap();
    assert!((1..30).contains(&written), "what was written is told: {job}");

    district.restart();
    profile.run(&["sync"]).done();
    district.holds_each_once(&district.day(&profile.setup()));
}
