//! A run that ends anywhere while it sends files of changes: each is told once.

use std::{collections::BTreeSet, fs};

use rosterbridge_crash_points::CrashPoint;
use serde_json::json;

use super::{Exchange, Row, files, inactive};
use crate::{
    crash_points::{End, ends_of},
    stage::Stage,
    support::{District, Profile, crashed},
};

/// What all files of changes together have told, and what the newest run did.
fn told_in_all(stage: &Stage) -> Vec<Row> {
    let mut rows: Vec<Row> = files(&stage.district.raptor("roster")).into_values().flatten().collect();
    rows.sort();
    rows
}

/// A beginning with somebody who has left, one who moved, one who is new and one who is different.
fn changed_stage() -> Stage {
    let district = District::start(&["--students", "40", "--schools", "2"]);
    let profile = Profile::of(&district);
    profile.change_setup(|setup| setup["raptor"]["roster"]["content"] = "changes".into());
    profile.run(&["sync", "raptor-roster"]).done();
    fs::remove_dir_all(district.raptor("roster")).unwrap();
    let exchange = Exchange { district, profile, changes: true, seen: BTreeSet::new() };
    let [(_, from), (_, to)] = &exchange.buildings()[..] else { panic!("not two buildings") };
    let [leaver, mover, renamed] = exchange.students(*from, 3)[..] else { panic!("too few students") };
    let other = exchange.students(*to, 1)[0];
    exchange.change(&json!([
        {"leave": {"student_number": leaver}},
        {"leave": {"student_number": other}},
        {"move": {"student_number": mover, "to_school": to}},
        {"add_student": {"student_number": 77_777_777, "like": renamed}},
        {"change": {"table": "Students", "where": {"Student_Number": renamed}, "set": {"Last_Name": "Renamed"}}},
    ]));
    let Exchange { district, profile, .. } = exchange;
    Stage::kept(district, profile, &["raptor-roster"])
}

fn end_at(stage: &Stage, (place, time): &End) {
    let output = stage.sync().env("ROSTERBRIDGE_CRASH_AT", format!("{place}@{time}")).output().unwrap();
    assert!(crashed(output.status), "it did not end at {place}@{time}");
}

/// A file of changes can't be told twice, nor missed.
#[test]
fn the_end_of_a_run_anywhere_tells_every_change_once() {
    let mut stage = changed_stage();
    let trace = tempfile::NamedTempFile::new().unwrap();
    let output = stage.sync().env("ROSTERBRIDGE_CRASH_TRACE", trace.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let expected = told_in_all(&stage);
    assert_eq!((expected.len(), inactive(&expected).len()), (5, 2), "{expected:?}");
    let passed: Vec<String> = fs::read_to_string(trace.path()).unwrap().lines().map(str::to_owned).collect();
    let sending = |place: &str| {
        [
            CrashPoint::RosterFileWritten,
            CrashPoint::RosterFilesStaged,
            CrashPoint::RosterFileNamed,
            CrashPoint::RosterFilesUnrecorded,
            CrashPoint::RosterFilesRecorded,
        ]
        .iter()
        .any(|point| point.as_str() == place)
    };
    let ends: Vec<End> = ends_of(&passed).into_iter().filter(|(place, _)| sending(place)).collect();
    assert_eq!(ends.len(), 7, "{ends:?}");
    for end in &ends {
        for taken in [false, true] {
            stage.rewind();
            end_at(&stage, end);
            // Raptor may take what has its name before the next run comes.
            let folder = stage.district.raptor("roster");
            let mut rows = Vec::new();
            if taken && let Ok(entries) = fs::read_dir(&folder) {
                let named: Vec<_> = entries
                    .map(|entry| entry.unwrap().path())
                    .filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'))
                    .collect();
                let raptors = tempfile::tempdir().unwrap();
                for path in named {
                    fs::rename(&path, raptors.path().join(path.file_name().unwrap())).unwrap();
                }
                rows.extend(files(raptors.path()).into_values().flatten());
            }
            for _ in 0..2 {
                stage.profile.run(&["sync", "raptor-roster"]).done();
                let mut now = rows.clone();
                now.extend(told_in_all(&stage));
                now.sort();
                assert_eq!(now, expected, "after {end:?}, taken: {taken}");
                let hidden = files(&folder).into_keys().filter(|name| name.starts_with('.')).count();
                assert_eq!(hidden, 0, "after {end:?}");
            }
        }
    }
}

/// Files that are not seen were not taken: the folder may just be away.
#[test]
fn what_a_run_left_in_a_folder_that_is_away_waits_for_it() {
    let mut stage = changed_stage();
    assert_eq!(stage.sync().output().unwrap().status.code(), Some(0));
    let expected = told_in_all(&stage);
    stage.rewind();
    end_at(&stage, &(CrashPoint::RosterFilesStaged.as_str().to_owned(), 1));
    let (folder, away) = (stage.district.raptor("roster"), stage.district.raptor("away"));
    fs::rename(&folder, &away).unwrap();
    for _ in 0..2 {
        let refused = stage.profile.run(&["sync", "raptor-roster"]);
        assert_eq!(refused.code(), "raptor.folder_unusable", "{}", refused.stdout);
        assert!(!folder.exists(), "nothing is made in its place");
    }
    fs::rename(&away, &folder).unwrap();
    stage.profile.run(&["sync", "raptor-roster"]).done();
    assert_eq!(told_in_all(&stage), expected);
}

/// What is left of a run for another place is told at the new one.
#[test]
fn what_a_run_left_elsewhere_is_told_where_it_is_set_up() {
    let stage = changed_stage();
    end_at(&stage, &(CrashPoint::RosterFilesStaged.as_str().to_owned(), 1));
    let elsewhere = tempfile::tempdir().unwrap();
    stage.profile.change_setup(|setup| setup["raptor"]["folder"] = elsewhere.path().to_str().unwrap().into());
    stage.profile.run(&["sync", "raptor-roster"]).done();
    let rows: Vec<Row> = files(&elsewhere.path().join("roster")).into_values().flatten().collect();
    assert_eq!((rows.len(), inactive(&rows).len()), (5, 2), "{rows:?}");
}

/// What is left between two names is finished first, and then nothing else is sent.
#[test]
fn a_file_of_everybody_is_out_of_the_way_also_after_a_run_that_was_ended() {
    let exchange = Exchange::of("full", "2");
    let (building, _) = exchange.buildings()[0].clone();
    exchange.sync();
    exchange.profile.change_setup(|setup| setup["raptor"]["roster"]["content"] = "changes".into());
    exchange.change_building(0, "building", "Annex".into());
    let end = CrashPoint::RosterFileNamed.as_str();
    let sync =
        exchange.profile.command(&["sync", "raptor-roster"]).env("ROSTERBRIDGE_CRASH_AT", end).output();
    assert!(crashed(sync.unwrap().status));
    assert!(exchange.folder().join(format!("{building}.csv")).exists());
    let run = exchange.sync();
    assert_eq!(run.job("raptor-roster")["files"], json!([]));
    assert!(run.job("raptor-roster")["notes"].to_string().contains("It was moved to roster/not-in-use."));
    assert_eq!(crate::support::files_in(&exchange.folder().join("not-in-use")), [format!("{building}.csv")]);
}
