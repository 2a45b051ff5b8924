//! A run is taken back: what it wrote stands as before, what somebody has changed since stays, and an undo that is
//! ended anywhere is finished by the next run.

use std::{collections::BTreeSet, fs};

use rosterbridge_crash_points::CrashPoint;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    crash_points::ends_of,
    stage::{Stage, report},
    support::{DATE, District, Profile, Records, crashed},
};

/// Long enough for a practice district to answer, short enough to wait for.
const ANSWER_SECONDS: u32 = 1;

/// The code PowerSchool holds for each record of the day, empty for the blank one, with its comment.
fn standing(district: &District, records: &Records) -> Vec<(String, String)> {
    let database = district.database();
    let mut find = database
        .prepare(
            "SELECT COALESCE(c.Att_Code, ''), COALESCE(a.Att_Comment, '') FROM Attendance a
               JOIN Attendance_Code c ON c.ID = a.Attendance_CodeID
              WHERE a.StudentID = ?1 AND a.SchoolID = ?2 AND a.Att_Date = ?3 AND a.Att_Mode_Code = ?4 AND a.CCID = ?5
                AND a.PeriodID = ?6 AND a.ProgramID = 0",
        )
        .unwrap();
    records
        .keys()
        .map(|key| {
            find.query_one((key.student, key.school, &key.date, &key.mode, key.cc, key.period), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap()
        })
        .collect()
}

/// Sets the code and the comment of a record, as somebody in the office does.
fn correct(district: &District, records: &Records, place: usize, code: &str, comment: &str) {
    let key = records.keys().nth(place).unwrap();
    let changed = district
        .database()
        .execute(
            "UPDATE Attendance SET Att_Comment = ?5, Attendance_CodeID = (
                SELECT ID FROM Attendance_Code c WHERE c.SchoolID = Attendance.SchoolID
                   AND c.YearID = Attendance.YearID AND c.Att_Code = ?4)
              WHERE StudentID = ?1 AND CCID = ?2 AND PeriodID = ?3",
            (key.student, key.cc, key.period, code, comment),
        )
        .unwrap();
    assert_eq!(changed, 1);
}

/// Records of a job: what the run wrote, what is taken back, what is left.
fn counts(undo: &Value, job: &str) -> (u64, u64, u64) {
    let jobs = undo["report"]["jobs"].as_array().unwrap();
    let rows = &jobs.iter().find(|report| report["job"] == job).unwrap()["rows"];
    let count = |name: &str| rows[name].as_u64().unwrap();
    (count("read"), count("written"), count("noop"))
}

#[rstest]
fn what_a_run_wrote_is_taken_back_where_it_still_stands(#[values("upsert", "insert")] mode: &str) {
    let district = District::start(&["--attendance", mode]);
    let profile = Profile::of(&district);
    let sync = profile.run(&["sync"]).done();
    let run = sync.data()["run"].as_str().unwrap();
    let records = district.day(&profile.setup());
    district.holds_each_once(&records);
    correct(&district, &records, 0, "A", "");
    let before = standing(&district, &records);

    let dry = profile.run(&["undo", run, "--dry-run"]).done();
    let (hero, raptor) = (counts(dry.data(), "hero-attendance"), counts(dry.data(), "raptor-tardies"));
    assert_eq!((hero.0, raptor.0), (30, 6));
    assert_eq!((hero.1 + raptor.1, hero.2 + raptor.2), (35, 1));
    assert_eq!((district.audit().len(), standing(&district, &records)), (36, before), "nothing was changed");

    let undo = profile.run(&["undo", run]).done();
    assert_eq!(counts(undo.data(), "hero-attendance"), hero);
    assert_eq!(counts(undo.data(), "raptor-tardies"), raptor);
    assert_eq!(undo.data()["left"].as_array().unwrap().len(), 1);
    assert_eq!(undo.data()["left"][0]["reason"], "changed");
    assert_eq!(undo.data()["left"], dry.data()["left"]);
    let restored = standing(&district, &records);
    assert_eq!(restored[0].0, "A", "a correction stands");
    assert!(restored[1..].iter().all(|(code, _)| code.is_empty()), "{restored:?}");
    assert_eq!(district.audit().len(), 36 + 35);

    let runs = profile.run(&["runs"]).done();
    let listed = &runs.data()["runs"];
    assert_eq!((&listed[0]["undo"], &listed[0]["outcome"]), (&json!(true), &json!("succeeded")));
    assert_eq!((&listed[1]["dry_run"], &listed[2]["run"]), (&json!(true), &json!(run)));
    // It is no run of the exchange: how that stands is as it was.
    let status = profile.run(&["status"]).done();
    assert_eq!(status.data()["jobs"][3]["last"]["rows"]["written"], 30);

    // What is delivered again is not written again.
    fs::copy(district.raptor(&format!("processed/tardies-{DATE}.csv")), district.raptor("again.csv"))
        .unwrap();
    let again = profile.run(&["sync"]).done();
    assert_eq!(again.job("hero-attendance")["rows"]["noop"], 30);
    assert_eq!(again.job("raptor-tardies")["rows"]["noop"], 6);
    assert_eq!((district.audit().len(), standing(&district, &records)), (36 + 35, restored));

    // Once more there is nothing to do.
    let twice = profile.run(&["undo", run]).done();
    assert_eq!(counts(twice.data(), "hero-attendance").1 + counts(twice.data(), "raptor-tardies").1, 0);
    let reasons = twice.data()["left"].as_array().unwrap();
    assert_eq!(reasons.iter().filter(|left| left["reason"] == "already_undone").count(), 35);
    assert_eq!(district.audit().len(), 36 + 35);
}

/// A code that was replaced comes back, and a comment stays as it was.
#[test]
fn the_code_before_is_written_back_with_its_comment() {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    profile.change_setup(|setup| setup["mappings"]["replaceable_codes"] = json!(["A"]));
    // The day as it would be without us.
    let sync = profile.run(&["sync"]).done();
    let records = district.day(&profile.setup());
    profile.run(&["undo", sync.data()["run"].as_str().unwrap()]).done();
    correct(&district, &records, 2, "A", "Parent called");
    let key = records.keys().nth(2).unwrap().clone();

    // Hero states something else for this record, which replaces what stands there.
    let other = |code: &str| {
        let database = district.database();
        let number: i64 = database
            .query_one("SELECT Student_Number FROM Students WHERE ID = ?1", [key.student], |row| row.get(0))
            .unwrap();
        let export = district.hero("export/ATTENDANCE.txt");
        let text = fs::read_to_string(&export).unwrap();
        let lines: Vec<String> = text
            .lines()
            .map(|line| {
                let mut fields: Vec<&str> = line.split('\t').collect();
                if fields[1] == number.to_string() {
                    fields[5] = code;
                }
                fields.join("\t")
            })
            .collect();
        fs::write(&export, lines.join("\r\n") + "\r\n").unwrap();
    };
    let raptors = fs::read_to_string(district.raptor(&format!("processed/tardies-{DATE}.csv"))).unwrap();
    let student: i64 = district
        .database()
        .query_one("SELECT Student_Number FROM Students WHERE ID = ?1", [key.student], |row| row.get(0))
        .unwrap();
    assert!(!raptors.contains(&student.to_string()), "the record is one of Hero's");
    other("UA");
    let second = profile.run(&["sync", "hero-attendance"]);
    assert_eq!(second.job("hero-attendance")["rows"]["written"], 1, "{}", second.stdout);
    assert_eq!(standing(&district, &records)[2], ("UA".to_owned(), "Parent called".to_owned()));

    let undo = profile.run(&["undo", second.data()["run"].as_str().unwrap()]).done();
    assert_eq!(counts(undo.data(), "hero-attendance"), (1, 1, 0));
    assert_eq!(standing(&district, &records)[2], ("A".to_owned(), "Parent called".to_owned()));
}

/// What was said about a tardy is taken out again, and what somebody added since stays.
#[rstest]
#[case::as_written("Bus 12", "")]
#[case::added_to("Bus 12, excused", "Bus 12, excused")]
fn our_comment_is_taken_out_where_it_stands_as_we_wrote_it(#[case] now: &str, #[case] after: &str) {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "raptor-roster"]).done();
    let tardies = fs::read_to_string(district.tardies()).unwrap();
    let row: Vec<&str> = tardies.lines().nth(1).unwrap().split(',').collect();
    let text = format!("Building,IdNumber,SignInTime,Reason,Comment\n{},Bus 12\n", row[..4].join(","));
    fs::write(district.tardies(), text).unwrap();
    let sync = profile.run(&["sync", "raptor-tardies"]).done();
    let comment = || -> String {
        let sql = "SELECT COALESCE(Att_Comment, '') FROM Attendance ORDER BY DCID DESC LIMIT 1";
        district.database().query_one(sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(comment(), "Bus 12");
    let sql = "UPDATE Attendance SET Att_Comment = ?1 WHERE DCID = (SELECT MAX(DCID) FROM Attendance)";
    district.database().execute(sql, [now]).unwrap();
    let undo = profile.run(&["undo", sync.data()["run"].as_str().unwrap()]).done();
    assert_eq!(counts(undo.data(), "raptor-tardies"), (1, 1, 0));
    assert_eq!(comment(), after);
}

/// The first time it comes to each place, and the last.
#[rstest]
fn an_undo_that_is_ended_anywhere_is_finished_by_the_next_run(#[values("upsert", "insert")] mode: &str) {
    let district = District::start(&["--students", "40", "--schools", "2", "--attendance", mode]);
    let profile = Profile::patient_for(&district, ANSWER_SECONDS);
    let sync = profile.run(&["sync"]).done();
    let undo = ["undo", sync.data()["run"].as_str().unwrap()];
    let records = district.day(&profile.setup());
    let writes = district.audit().len();
    assert_eq!(writes, records.len());
    let mut stage = Stage::kept(district, profile, &[]);

    let trace = tempfile::NamedTempFile::new().unwrap();
    let undone = stage.profile.command(&undo).env("ROSTERBRIDGE_CRASH_TRACE", trace.path()).output().unwrap();
    assert_eq!(undone.status.code(), Some(0), "{}", String::from_utf8_lossy(&undone.stdout));
    stage.profile.run(&["sync"]).done();
    let expected = stage.left();
    let text = fs::read_to_string(trace.path()).unwrap();
    let passed: Vec<String> = text.lines().map(str::to_owned).collect();
    let places: BTreeSet<&str> = text.lines().collect();
    for place in [CrashPoint::UndoPlanned, CrashPoint::UndoRecorded, CrashPoint::WritesMarked] {
        assert!(places.contains(place.as_str()), "{places:?}");
    }
    let ends = ends_of(&passed);
    for (place, time) in &ends {
        let place = format!("{place}@{time}");
        stage.rewind();
        let ended = stage.profile.command(&undo).env("ROSTERBRIDGE_CRASH_AT", &place).output().unwrap();
        assert!(crashed(ended.status), "it did not end at {place}");
        stage.profile.run(&["sync"]).done();
        // The rest of the undo, where the end came before all of it was decided.
        stage.profile.run(&undo).done();
        let restored = standing(&stage.district, &records);
        assert!(restored.iter().all(|(code, _)| code.is_empty()), "{place}: {restored:?}");
        assert_eq!(stage.district.audit().len(), 2 * writes, "{place}: each was taken back once");
        stage.profile.run(&["sync"]).done();
        assert_eq!(stage.left(), expected, "{place}");
    }
    let (tried, name) = (ends.len(), format!("crash-undo-{mode}"));
    report(&name, &json!({"tried": tried, "places": places, "lost": 0, "doubled": 0}));
}

/// An answer that does not come is looked up here, too.
#[rstest]
#[case::applied(json!({"apply_then_drop": {"n": 2}}))]
#[case::not_applied(json!({"drop_before_apply": {"n": 2}}))]
fn an_undo_without_an_answer_is_looked_up(#[case] fault: Value) {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::patient_for(&district, 2);
    let sync = profile.run(&["sync"]).done();
    let records = district.day(&profile.setup());
    district.faults(&json!({"attendance": fault}));
    let undo = profile.run(&["undo", sync.data()["run"].as_str().unwrap()]).done();
    assert_eq!(district.faults_left()["attendance"], Value::Null, "the fault was met");
    assert_eq!(undo.data()["left"], json!([]));
    assert!(standing(&district, &records).iter().all(|(code, _)| code.is_empty()));
    assert_eq!(district.audit().len(), 36 + 36);
}

#[test]
fn only_a_run_that_wrote_attendance_is_taken_back() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let dry = profile.run(&["sync", "--dry-run"]).done();
    let files = profile.run(&["sync", "hero-students", "hero-schedule", "hero-teachers"]).done();
    let sync = profile.run(&["sync"]).done();
    let id = |run: &crate::support::Output| run.data()["run"].as_str().unwrap().to_owned();
    profile.run(&["undo", &id(&dry)]).ended(1, "run.nothing_to_undo");
    profile.run(&["undo", &id(&files)]).ended(1, "run.nothing_to_undo");
    profile.run(&["undo", "no-run"]).ended(1, "run.unknown");
    let another = Profile::of(&district);
    another.run(&["undo", &id(&sync)]).ended(1, "run.unknown");
    profile.run(&["undo", &id(&sync)]).done();
    let runs = profile.run(&["runs"]).done();
    let undo = runs.data()["runs"][0]["run"].as_str().unwrap();
    profile.run(&["undo", undo]).ended(1, "run.nothing_to_undo");
}
