//! An undo after the ledger was restored.

use std::fs;

use rosterbridge_crash_points::CrashPoint;
use rstest::rstest;
use serde_json::json;

use super::{ANSWER_SECONDS, Day, MAY_BE_CORRECTED, flipped, held_as_corrected};
use crate::{
    crash_care::corrected,
    support::{District, EXPORTS, Output, Profile, crashed},
};

/// What a run's writes are after a restoration, for an undo.
#[rstest]
fn an_undo_knows_what_a_restored_ledger_does_not_know(#[values("upsert", "insert")] mode: &str) {
    let district = District::start(&["--attendance", mode]);
    let profile = Profile::patient_for(&district, ANSWER_SECONDS);
    profile.run(&[&["sync", "raptor-roster"], EXPORTS.as_slice()].concat()).done();
    let day = Day::of(&district);
    let rows = day.lines.len();
    let run_of = |output: &Output| output.data()["run"].as_str().unwrap().to_owned();
    let reasons = |undo: &Output| -> Vec<String> {
        let left = undo.data()["left"].as_array().unwrap();
        left.iter().map(|left| left["reason"].as_str().unwrap().to_owned()).collect()
    };
    let sync = ["sync", "hero-attendance"];
    let half = rows / 2;
    day.export(half, "");
    let before = run_of(&profile.run(&sync).done());
    profile.run(&["backup", "now"]).done();
    // One is taken back, one stays, and one is taken back that the backup knows.
    day.export(half + 5, "");
    let undone = run_of(&profile.run(&sync).done());
    profile.run(&["undo", &undone]).done();
    day.export(rows, "");
    let stays = run_of(&profile.run(&sync).done());
    profile.run(&["undo", &before]).done();
    let written = district.audit();
    assert_eq!(written.len(), rows + 5 + half);

    flipped(&profile.folder().join("ledger.db"));
    let restored = profile.run(&sync).ended(3, "sync.held_rows");
    assert_eq!(district.audit(), written, "what was taken back is not written again");
    assert_eq!(
        profile.held().as_array().unwrap().len(),
        5,
        "a person decides about what the backup does not know"
    );
    assert_eq!(restored.job("hero-attendance")["rows"]["held"], 5);

    for run in [&undone, &stays] {
        let unknown = profile.run(&["undo", run]).ended(1, "run.unknown");
        assert!(unknown.document["remedy"].as_str().unwrap().contains("restored"));
    }
    assert_eq!(reasons(&profile.run(&["undo", &before]).done()), vec!["already_undone"; half]);
    let mut taken_over = reasons(&profile.run(&["undo", &run_of(&restored)]).done());
    taken_over.sort();
    assert_eq!(taken_over, [vec!["changed"; 5], vec!["taken_over"; rows - half - 5]].concat());
    assert_eq!(district.audit(), written);
    profile.run(&sync).ended(0, "sync.held_rows");
    assert_eq!(district.audit(), written);
}

/// An undo that was under way at the backup is finished, whatever became of it since.
#[rstest]
fn an_undo_under_way_at_the_backup_is_finished(
    #[values("upsert", "insert")] mode: &str,
    #[values(false, true)] finished_since: bool,
) {
    let district = District::start(&["--students", "40", "--schools", "2", "--attendance", mode]);
    let profile = Profile::patient_for(&district, 1);
    let sync = profile.run(&["sync"]).done();
    let records = district.audit().len();
    let undo = ["undo", sync.data()["run"].as_str().unwrap()];
    let place = CrashPoint::UndoRecorded.as_str();
    let ended = profile.command(&undo).env("ROSTERBRIDGE_CRASH_AT", place).output().unwrap();
    assert!(crashed(ended.status), "it did not end at {place}");
    profile.run(&["backup", "now"]).done();
    if finished_since {
        profile.run(&["sync"]).done();
        profile.run(&undo).done();
        assert_eq!(district.audit().len(), 2 * records);
    }
    flipped(&profile.folder().join("ledger.db"));
    profile.run(&["sync"]).done();
    profile.run(&undo).done();
    assert_eq!(district.audit().len(), 2 * records, "each is taken back once");
    let standing: i64 = district
        .database()
        .query_one(
            "SELECT count(*) FROM Attendance a JOIN Attendance_Code c ON c.ID = a.Attendance_CodeID
              WHERE a.Att_Date = '2026-11-18' AND COALESCE(c.Att_Code, '') <> ''",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(standing, 0);
    profile.run(&["sync"]).done();
    assert_eq!(district.audit().len(), 2 * records);
}

/// A write was taken back before the backup, and what a teacher had recorded stands again, which may be replaced.
#[test]
fn what_was_taken_back_before_the_backup_is_not_written_again_unasked() {
    let district = District::start(&[]);
    let (profile, teacher) = (Profile::patient_for(&district, ANSWER_SECONDS), Profile::of(&district));
    profile.run(&[&["sync"], EXPORTS.as_slice()].concat()).done();
    let day = Day::of(&district);
    let (first, second) = (&day.lines[0], corrected(&day.lines[0]));
    let code = first.split('\t').nth(5).unwrap();
    profile.change_setup(|setup| setup["mappings"]["replaceable_codes"] = json!([code]));
    let sync = ["sync", "hero-attendance"];
    day.export(0, first);
    assert_eq!(teacher.run(&sync).done().job("hero-attendance")["rows"]["written"], 1);
    day.export(0, &second);
    let ran = profile.run(&sync).done();
    assert_eq!(ran.job("hero-attendance")["rows"]["written"], 1);
    profile.run(&["undo", ran.data()["run"].as_str().unwrap()]).done();
    profile.run(&["backup", "now"]).done();
    let written = district.audit();
    assert_eq!(written.len(), 3);

    flipped(&profile.folder().join("ledger.db"));
    profile.run(&sync).ended(3, "sync.held_rows");
    profile.run(&sync).ended(0, "sync.held_rows");
    assert_eq!(district.audit(), written, "nothing is written unasked");
    let row = held_as_corrected(&profile);
    let detail = row["detail"].as_str().unwrap();
    assert!(detail.starts_with(MAY_BE_CORRECTED), "{detail}");

    profile.run(&["held", "retry", &row["id"].to_string()]).done();
    assert_eq!(profile.run(&sync).done().job("hero-attendance")["rows"]["written"], 1);
}

/// Nothing of a source is sent before it was read again, by an undo neither.
#[test]
fn an_undo_waits_until_its_source_is_read_again() {
    let district = District::start(&[]);
    let profile = Profile::patient_for(&district, ANSWER_SECONDS);
    profile.run(&[&["sync"], EXPORTS.as_slice()].concat()).done();
    let run = profile.run(&["sync", "hero-attendance"]).done().data()["run"].as_str().unwrap().to_owned();
    profile.run(&["backup", "now"]).done();
    let written = district.audit();
    let (export, away) = (district.hero("export/ATTENDANCE.txt"), district.hero("export/later.txt"));
    fs::rename(&export, &away).unwrap();
    flipped(&profile.folder().join("ledger.db"));
    profile.run(&["undo", &run]).ended(1, "hero.export_missing");
    profile.run(&["sync", "hero-attendance"]).ended(1, "hero.export_missing");
    assert_eq!(district.audit(), written);
    fs::rename(&away, &export).unwrap();
    profile.run(&["undo", &run]).done();
    assert_eq!(district.audit().len(), 2 * written.len());
}
