//! The roster out: who is in which file, with everybody and with changes only, over a folder and over SFTP, and whatever
//! ends a run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use rosterbridge_crash_points::CrashPoint;
use rstest::rstest;
use serde_json::{Value, json};

#[cfg(unix)]
#[path = "../../../sftp/tests/support/sshd.rs"]
#[allow(dead_code, reason = "the tests of the SFTP crate use the rest")]
mod sshd;

use crate::{
    care::flipped,
    crash_points::{End, ends_of},
    stage::Stage,
    support::{District, Output, Profile},
};

/// A row: building, number, last name, status.
type Row = (String, i64, String, String);

/// The rows of every roster file in a folder, by file.
fn files(folder: &Path) -> BTreeMap<String, Vec<Row>> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeMap::new() };
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let rows = csv::Reader::from_path(&path)
                .unwrap()
                .into_records()
                .map(|row| {
                    let row = row.unwrap();
                    (row[0].to_owned(), row[1].parse().unwrap(), row[4].to_owned(), row[10].to_owned())
                })
                .collect();
            (path.file_name().unwrap().to_string_lossy().into_owned(), rows)
        })
        .collect()
}

/// A district of two schools and a profile, and what Raptor was told.
struct Exchange {
    district: District,
    profile: Profile,
    changes: bool,
    /// The files that Raptor has looked at.
    seen: BTreeSet<String>,
}

impl Exchange {
    /// With everybody in the files, or with changes only.
    fn of(content: &str, schools: &str) -> Self {
        let district = District::start(&["--students", "120", "--schools", schools]);
        let profile = Profile::of(&district);
        profile.change_setup(|setup| setup["raptor"]["roster"]["content"] = content.into());
        Self { district, profile, changes: content == "changes", seen: BTreeSet::new() }
    }

    fn folder(&self) -> std::path::PathBuf {
        self.district.raptor("roster")
    }

    #[track_caller]
    fn sync(&self) -> Output {
        self.profile.run(&["sync", "raptor-roster"]).done()
    }

    /// Runs the job; the rows that Raptor is told.
    #[track_caller]
    fn told(&mut self) -> Vec<Row> {
        let run = self.sync();
        self.rows_of(&run)
    }

    /// Accepts whatever a run stops for, and runs it again.
    #[track_caller]
    fn told_after_accepting(&mut self) -> Vec<Row> {
        self.profile.run(&["sync", "raptor-roster"]).ended(3, "guard.large_change");
        let stopped = self.profile.run(&["guard", "list"]).done();
        for file in stopped.data()["stopped"].as_array().unwrap() {
            self.profile.run(&["guard", "accept", file["id"].as_str().unwrap()]).done();
        }
        self.told()
    }

    #[track_caller]
    fn rows_of(&mut self, run: &Output) -> Vec<Row> {
        let now = files(&self.folder());
        let mut rows = Vec::new();
        let mut count = 0;
        for (name, of_file) in now {
            if !self.changes || self.seen.insert(name) {
                count += 1;
                rows.extend(of_file);
            }
        }
        let report = run.job("raptor-roster");
        if self.changes {
            assert_eq!(report["files"].as_array().unwrap().len(), count, "{}", run.stdout);
            assert_eq!(report["rows"]["written"], rows.len(), "{}", run.stdout);
        }
        let counts = &report["rows"];
        assert_eq!(
            counts["read"].as_u64().unwrap(),
            counts["written"].as_u64().unwrap() + counts["noop"].as_u64().unwrap()
        );
        rows.sort();
        rows
    }

    /// Some active students of a school, by number.
    fn students(&self, school: i64, count: i64) -> Vec<i64> {
        let database = self.district.database();
        let mut find = database
            .prepare(
                "SELECT Student_Number FROM Students WHERE Enroll_Status = 0 AND SchoolID = ?1
                  ORDER BY Student_Number LIMIT ?2",
            )
            .unwrap();
        find.query_map((school, count), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn change(&self, changes: &Value) {
        self.district.change(changes);
    }

    /// The mapped buildings with their schools.
    fn buildings(&self) -> Vec<(String, i64)> {
        let setup = self.profile.setup();
        let buildings = setup["mappings"]["buildings"].as_array().unwrap();
        buildings
            .iter()
            .map(|row| (row["building"].as_str().unwrap().to_owned(), row["school"].as_i64().unwrap()))
            .collect()
    }

    fn change_building(&self, place: usize, field: &str, value: Value) {
        self.profile.change_setup(|setup| setup["mappings"]["buildings"][place][field] = value);
    }
}

fn inactive(rows: &[Row]) -> Vec<(String, i64)> {
    rows.iter().filter(|row| row.3 == "Inactive").map(|row| (row.0.clone(), row.1)).collect()
}

fn active(rows: &[Row], number: i64) -> Vec<String> {
    rows.iter().filter(|row| row.1 == number && row.3 == "Active").map(|row| row.0.clone()).collect()
}

#[rstest]
fn a_leaver_is_inactive_exactly_once_and_may_come_back(#[values("full", "changes")] content: &str) {
    let mut exchange = Exchange::of(content, "2");
    let [(building, school), ..] = &exchange.buildings()[..] else { panic!("no building") };
    let (building, school) = (building.clone(), *school);
    let [leaver, gone, stays] = exchange.students(school, 3)[..] else { panic!("too few students") };
    let first = exchange.told();
    assert_eq!(inactive(&first), []);
    assert_eq!(active(&first, leaver), std::slice::from_ref(&building));

    exchange.change(
        &json!([{"leave": {"student_number": leaver}}, {"remove_student": {"student_number": gone}}]),
    );
    let second = exchange.told();
    let mut expected = vec![(building.clone(), leaver), (building.clone(), gone)];
    expected.sort();
    assert_eq!(inactive(&second), expected);
    let row_of = |number: i64| second.iter().find(|row| row.1 == number).unwrap();
    assert!(!row_of(leaver).2.is_empty(), "what PowerSchool still has is told");
    assert_eq!(row_of(gone).2, "");
    assert_eq!(active(&second, stays).len(), usize::from(content == "full"));

    let third = exchange.told();
    assert_eq!(inactive(&third), []);
    assert_eq!(third.iter().filter(|row| row.1 == leaver).count(), 0);
    if content == "changes" {
        assert_eq!(third, [], "nothing has changed");
    } else {
        assert_eq!(third.len(), first.len() - 2);
    }
    assert_eq!(exchange.told(), third);

    let status = |status: i64| json!({"change": {"table": "Students", "where": {"Student_Number": leaver}, "set": {"Enroll_Status": status}}});
    exchange.change(&status(0));
    let back = exchange.told();
    assert_eq!(active(&back, leaver), std::slice::from_ref(&building));
    exchange.change(&status(2));
    assert_eq!(inactive(&exchange.told()), [(building, leaver)]);
    assert_eq!(inactive(&exchange.told()), []);
}

#[rstest]
fn somebody_who_moves_is_never_inactive(#[values("full", "changes")] content: &str) {
    let mut exchange = Exchange::of(content, "2");
    let [(old, from), (new, to)] = &exchange.buildings()[..] else { panic!("not two buildings") };
    let (old, from, new, to) = (old.clone(), *from, new.clone(), *to);
    let mover = exchange.students(from, 1)[0];
    assert_eq!(active(&exchange.told(), mover), std::slice::from_ref(&old));
    exchange.change(&json!({"move": {"student_number": mover, "to_school": to}}));
    let run = exchange.sync();
    let notes = run.job("raptor-roster")["notes"].to_string();
    assert!(notes.contains(&format!("{old}: 1 student moved to another mapped building")), "{notes}");
    let rows = exchange.rows_of(&run);
    assert_eq!(inactive(&rows), []);
    assert_eq!(active(&rows, mover), std::slice::from_ref(&new));
    if content == "changes" {
        assert_eq!(rows.len(), 1, "the old building has no file");
    }
    let after = exchange.told();
    assert_eq!(inactive(&after), []);
    // From there, they may leave like anybody.
    exchange.change(&json!({"leave": {"student_number": mover}}));
    assert_eq!(inactive(&exchange.told()), [(new, mover)]);
    assert_eq!(inactive(&exchange.told()), []);
}

#[test]
fn changes_are_rows_that_are_new_or_different() {
    let mut exchange = Exchange::of("changes", "2");
    let (building, school) = exchange.buildings()[0].clone();
    let [model, renamed, moved_house] = exchange.students(school, 3)[..] else { panic!("too few students") };
    let all = exchange.told().len();
    let quiet = exchange.sync();
    assert_eq!(quiet.job("raptor-roster")["files"], json!([]));
    assert_eq!(quiet.job("raptor-roster")["rows"]["noop"], all);
    assert_eq!(exchange.rows_of(&quiet), []);
    exchange.change(&json!([
        {"add_student": {"student_number": 77_777_777, "like": model}},
        {"change": {"table": "Students", "where": {"Student_Number": renamed}, "set": {"Last_Name": "Renamed"}}},
        {"change": {"table": "Students", "where": {"Student_Number": moved_house}, "set": {"Mailing_City": "Elsewhere"}}},
    ]));
    let rows = exchange.told();
    let row = |number: i64, last: &str| (building.clone(), number, last.to_owned(), "Active".to_owned());
    assert_eq!(rows, [row(renamed, "Renamed"), row(77_777_777, "Student")], "the address is in no column");
    assert_eq!(exchange.told(), []);
    // With everybody again, and back: what Raptor has counts, however it was told.
    exchange.profile.change_setup(|setup| setup["raptor"]["roster"]["content"] = "full".into());
    exchange.sync();
    exchange.profile.change_setup(|setup| setup["raptor"]["roster"]["content"] = "changes".into());
    let whole: Vec<String> = files(&exchange.folder()).into_keys().collect();
    assert!(whole.contains(&format!("{building}.csv")), "{whole:?}");
    exchange.seen.extend(whole);
    assert_eq!(exchange.told(), []);
}

#[rstest]
fn a_school_that_changes_its_building_has_its_students_once(#[values("full", "changes")] content: &str) {
    let mut exchange = Exchange::of(content, "2");
    let before = exchange.buildings();
    exchange.told();
    // The two buildings change places.
    exchange.change_building(0, "school", before[1].1.into());
    exchange.change_building(1, "school", before[0].1.into());
    let rows = exchange.told_after_accepting();
    assert_eq!(inactive(&rows), []);
    let mut numbers: Vec<i64> = rows.iter().map(|row| row.1).collect();
    numbers.sort_unstable();
    let all = numbers.len();
    numbers.dedup();
    assert_eq!(numbers.len(), all, "nobody twice");
    assert_eq!(active(&rows, exchange.students(before[0].1, 1)[0]), [before[1].0.clone()]);
    assert_eq!(inactive(&exchange.told()), []);
}

#[rstest]
fn two_buildings_of_one_school_both_know_its_students(#[values("full", "changes")] content: &str) {
    let mut exchange = Exchange::of(content, "1");
    let (building, school) = exchange.buildings()[0].clone();
    exchange.profile.change_setup(|setup| {
        let mut annex = setup["mappings"]["buildings"][0].clone();
        annex["building"] = "Annex".into();
        setup["mappings"]["buildings"].as_array_mut().unwrap().push(annex);
    });
    let leaver = exchange.students(school, 1)[0];
    let mut both = [building.clone(), "Annex".to_owned()];
    both.sort();
    assert_eq!(active(&exchange.told(), leaver), both);
    exchange.change(&json!({"leave": {"student_number": leaver}}));
    assert_eq!(inactive(&exchange.told()), both.clone().map(|building| (building, leaver)));
    assert_eq!(inactive(&exchange.told()), []);
}

#[rstest]
fn what_happens_in_a_building_without_a_file_is_told_once_it_has_one_again(
    #[values("full", "changes")] content: &str,
) {
    let mut exchange = Exchange::of(content, "2");
    let [(off, school), (on, other)] = &exchange.buildings()[..] else { panic!("not two buildings") };
    let (off, school, on, other) = (off.clone(), *school, on.clone(), *other);
    let [leaver, mover, ..] = exchange.students(school, 2)[..] else { panic!("too few students") };
    let [goes, goes_and_leaves, ..] = exchange.students(other, 2)[..] else { panic!("too few students") };
    let all = exchange.told().into_iter().filter(|row| row.0 == off).count();
    exchange.change_building(0, "enabled", false.into());
    fs::remove_dir_all(exchange.folder()).unwrap();
    exchange.seen.clear();
    let rows = exchange.told();
    assert!(rows.iter().all(|row| row.0 == on && row.3 == "Active"), "nothing is told of the other");
    let move_to = |number: i64, to: i64| json!({"move": {"student_number": number, "to_school": to}});
    exchange.change(&json!([
        {"leave": {"student_number": leaver}},
        move_to(mover, other),
        move_to(goes, school),
        move_to(goes_and_leaves, school),
    ]));
    let run = exchange.sync();
    let notes = run.job("raptor-roster")["notes"].to_string();
    assert!(
        notes.contains(&format!("{on}: 2 students moved to a mapped building that takes no part")),
        "{notes}"
    );
    let rows = exchange.rows_of(&run);
    assert_eq!(inactive(&rows), [], "nobody has left who is at a mapped school");
    assert_eq!(active(&rows, mover), std::slice::from_ref(&on));
    assert_eq!(active(&rows, goes).len() + active(&rows, goes_and_leaves).len(), 0);
    assert_eq!(inactive(&exchange.told()), []);
    // Only the building that Raptor has them at can tell it, and once.
    exchange.change(&json!({"leave": {"student_number": goes_and_leaves}}));
    assert_eq!(inactive(&exchange.told()), [(on, goes_and_leaves)]);
    assert_eq!(inactive(&exchange.told()), []);

    exchange.change_building(0, "enabled", true.into());
    let rows = exchange.told();
    assert_eq!(inactive(&rows), [(off.clone(), leaver)], "it left while nothing was told of the building");
    assert_eq!(active(&rows, goes), std::slice::from_ref(&off));
    let of_building = rows.iter().filter(|row| row.0 == off && row.3 == "Active").count();
    // Two have gone, one has come.
    assert_eq!(of_building, if content == "full" { all - 1 } else { 1 });
    assert_eq!(inactive(&exchange.told()), []);
}

/// Everybody moves to where no file names them: that is a loss, too, and only once.
#[test]
fn a_loss_to_a_building_without_a_file_is_stopped_once() {
    let mut exchange = Exchange::of("full", "2");
    let [(_, school), (on, other)] = &exchange.buildings()[..] else { panic!("not two buildings") };
    let (school, on, other) = (*school, on.clone(), *other);
    exchange.told();
    exchange.change_building(0, "enabled", false.into());
    let numbers = exchange.students(other, 1_000);
    let moves = numbers.iter().map(|number| json!({"move": {"student_number": number, "to_school": school}}));
    exchange.change(&moves.collect());
    fs::remove_dir_all(exchange.folder()).unwrap();
    assert_eq!(exchange.told_after_accepting(), [], "{on} has a file of nobody");
    exchange.change(&json!({"leave": {"student_number": numbers[0]}}));
    assert_eq!(inactive(&exchange.told()), [(on, numbers[0])]);
}

/// The file under the old name would go on saying who was there.
#[test]
fn the_file_of_a_building_that_was_renamed_is_out_of_the_way() {
    let mut exchange = Exchange::of("full", "2");
    let [(renamed, _), (deleted, _)] = &exchange.buildings()[..] else { panic!("not two buildings") };
    let (renamed, deleted) = (renamed.clone(), deleted.clone());
    exchange.told();
    fs::write(exchange.folder().join("somebody's.csv"), "").unwrap();
    let run = |exchange: &Exchange| exchange.sync().job("raptor-roster")["notes"].to_string();
    exchange.change_building(0, "building", "Annex".into());
    let notes = run(&exchange);
    assert!(notes.contains(&format!("roster/{renamed}.csv is of a building that is not in")), "{notes}");
    assert!(notes.contains("It was moved to roster/not-in-use."), "{notes}");
    // The others are as they were: none is sent.
    exchange
        .profile
        .change_setup(|setup| drop(setup["mappings"]["buildings"].as_array_mut().unwrap().remove(1)));
    let notes = run(&exchange);
    assert!(notes.contains(&format!("roster/{deleted}.csv is of a building that is not in")), "{notes}");
    assert!(!notes.contains(&renamed), "{notes}");
    let names = |folder: &Path| crate::support::files_in(folder);
    let mut expected = [format!("{deleted}.csv"), format!("{renamed}.csv")];
    expected.sort();
    assert_eq!(names(&exchange.folder().join("not-in-use")), expected);
    assert!(exchange.folder().join("Annex.csv").exists());
    assert!(exchange.folder().join("somebody's.csv").exists(), "it is not ours");
    assert!(!exchange.folder().join(format!("{renamed}.csv")).exists());
    assert!(!run(&exchange).contains("not-in-use"));
}

/// What Raptor was told after the backup was made is not in the ledger any more.
#[rstest]
fn after_a_restored_ledger_everybody_is_told_again(#[values("full", "changes")] content: &str) {
    let mut exchange = Exchange::of(content, "2");
    let [(building, school), (_, other)] = &exchange.buildings()[..] else { panic!("not two buildings") };
    let (building, school, other) = (building.clone(), *school, *other);
    let [left_before, left_since, renamed] = exchange.students(school, 3)[..] else {
        panic!("too few students")
    };
    exchange.told();
    exchange.change(&json!({"leave": {"student_number": left_before}}));
    exchange.told();
    exchange.profile.run(&["backup", "now"]).done();
    let rename = |name: &str| json!({"change": {"table": "Students", "where": {"Student_Number": renamed}, "set": {"Last_Name": name}}});
    exchange.change(&json!([rename("Elsewise"), {"leave": {"student_number": left_since}}]));
    exchange.told();
    // Raptor has neither this name, nor the one of the backup's time.
    exchange.change(&rename("Likewise"));

    flipped(&exchange.profile.folder().join("ledger.db"));
    let run = exchange.sync();
    let notes = run.job("raptor-roster")["notes"].to_string();
    assert!(notes.contains("look for them in Raptor by hand"), "{notes}");
    let rows = exchange.rows_of(&run);
    let active_now = exchange.students(school, 1_000).len() + exchange.students(other, 1_000).len();
    assert_eq!(rows.iter().filter(|row| row.3 == "Active").count(), active_now);
    assert_eq!(inactive(&rows), [(building, left_since)], "Raptor may not have been told");
    assert_eq!(rows.iter().find(|row| row.1 == renamed).unwrap().2, "Likewise");
    let again = exchange.sync();
    assert!(!again.job("raptor-roster")["notes"].to_string().contains("by hand"), "{}", again.stdout);
    assert_eq!(inactive(&exchange.rows_of(&again)), []);
}

#[test]
fn a_loss_is_stopped_also_where_only_changes_are_sent() {
    let mut exchange = Exchange::of("changes", "1");
    let told = exchange.told().len();
    let lost = exchange
        .district
        .database()
        .execute(
            "UPDATE Students SET Enroll_Status = 2 WHERE Enroll_Status = 0 AND Student_Number % 2 = 0",
            (),
        )
        .unwrap();
    assert!(lost > 20);
    exchange.profile.run(&["sync", "raptor-roster"]).ended(3, "guard.large_change");
    let stopped = exchange.profile.run(&["guard", "list"]).done().data()["stopped"][0].clone();
    assert_eq!((&stopped["before"], &stopped["now"]), (&json!(told), &json!(told - lost)));
    assert_eq!(stopped["sample"].as_array().unwrap().len(), 10);
    exchange.profile.run(&["guard", "accept", stopped["id"].as_str().unwrap()]).done();
    assert_eq!(inactive(&exchange.told()).len(), lost);
    assert_eq!(exchange.told(), []);
}

#[test]
fn a_layout_shapes_the_files_and_one_that_cannot_is_refused() {
    let district = District::start(&["--students", "40", "--schools", "1"]);
    let profile = Profile::of(&district);
    let columns = json!([
        {"title": "Student ID", "field": "id_number"},
        {"title": "Born", "field": "date_of_birth"},
        {"title": "Status", "field": "status"},
    ]);
    let layout = json!({
        "name": "Short", "columns": columns, "delimiter": "tab", "line_end": "lf", "header": true,
        "byte_order_mark": true, "dates": "us",
    });
    profile.change_setup(|setup| setup["raptor"]["roster"] = json!({"layout": "Short", "layouts": [layout]}));
    profile.run(&["sync", "raptor-roster"]).done();
    let file = fs::read_dir(district.raptor("roster")).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("\u{feff}Student ID\tBorn\tStatus"));
    let row: Vec<&str> = lines.next().unwrap().split('\t').collect();
    assert_eq!((row.len(), row[1].matches('/').count(), row[2]), (3, 2, "Active"), "{row:?}");

    let mut setup = profile.setup();
    setup["raptor"]["roster"]["layouts"][0]["columns"][0]["field"] = "status".into();
    let bad = profile.home().join("bad.json");
    fs::write(&bad, setup.to_string()).unwrap();
    let refused = profile.run(&["setup", "import", bad.to_str().unwrap()]).ended(1, "raptor.layout");
    let message = refused.document["message"].as_str().unwrap();
    assert_eq!(
        message,
        "The layout 'Short' has no column for IdNumber, by which Raptor recognises a student. The layout 'Short' has two \
         columns for Status."
    );
}

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
    assert_eq!(output.status.code(), None, "it did not end at {place}@{time}");
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

#[cfg(unix)]
mod over_sftp {
    use super::*;

    use super::sshd::{Options, PASSWORD, Sshd};

    fn connect(profile: &Profile, sshd: &Sshd, content: &str) {
        let connection = sshd.connection_with_password(PASSWORD);
        profile.change_setup(|setup| {
            setup["raptor"]["folder"] = "".into();
            setup["raptor"]["connection"] = json!({
                "host": connection.address.host, "port": connection.address.port, "username": connection.username,
                "folder": "export",
            });
            setup["raptor"]["roster"]["content"] = content.into();
        });
    }

    #[rstest]
    fn the_files_go_to_the_server_once_its_key_is_accepted(
        #[values("full", "changes")] content: &str,
        #[values("", "-P rename,posix-rename")] sftp_arguments: &'static str,
    ) {
        let sshd = Sshd::with(&Options { password_account: true, sftp_arguments, ..Options::default() });
        let mut exchange = Exchange::of(content, "2");
        connect(&exchange.profile, &sshd, content);
        let test = |more: &[&str]| exchange.profile.run(&[&["test", "raptor"], more].concat());
        let stage = |output: &Output, name: &str| {
            let stages = output.data()["stages"].as_array().unwrap().clone();
            stages.into_iter().find(|stage| stage["name"] == name).unwrap_or_default()
        };
        let lacking = test(&[]);
        assert!(lacking.stdout.contains("vault.secret_missing"), "{}", lacking.stdout);
        exchange.profile.set_secret("raptor.password", PASSWORD);
        let unknown = test(&[]);
        assert!(unknown.stdout.contains("sftp.host_key_unknown"), "{}", unknown.stdout);
        assert_eq!(unknown.data()["host_key_sha256"], sshd.pin());
        let refused = exchange.profile.run(&["sync", "raptor-roster"]);
        assert_eq!(refused.code(), "sftp.host_key_unknown");
        let accepted = test(&["--accept-host-key", &sshd.pin()]).done();
        assert_eq!(stage(&accepted, "Upload")["detail"], "export/roster");

        let first = exchange.sync();
        let folder = sshd.files().join("export/roster");
        let told = files(&folder);
        let rows: Vec<&Row> = told.values().flatten().collect();
        assert_eq!(told.len(), 2, "{:?}", told.keys());
        assert_eq!(first.job("raptor-roster")["rows"]["written"], rows.len());
        let again = exchange.sync();
        assert_eq!(again.job("raptor-roster")["rows"]["noop"], rows.len(), "{}", again.stdout);
        assert_eq!(files(&folder), told);

        let leaver = exchange.students(exchange.buildings()[0].1, 1)[0];
        exchange.change(&json!({"leave": {"student_number": leaver}}));
        exchange.sync();
        let inactive = |folder: &Path| {
            let rows: Vec<Row> = files(folder).into_values().flatten().collect();
            inactive(&rows).into_iter().map(|(_, number)| number).collect::<Vec<_>>()
        };
        assert_eq!(inactive(&folder), [leaver]);
        exchange.sync();
        assert_eq!(inactive(&folder).len(), usize::from(exchange.changes));
        exchange.seen.clear();
        assert!(files(&folder).keys().all(|name| !name.starts_with('.')));

        // What somebody took away is sent again where it shall be there.
        if exchange.changes {
            return;
        }
        fs::remove_file(folder.join(told.keys().next().unwrap())).unwrap();
        exchange.sync();
        assert_eq!(files(&folder).len(), 2);
        // Nothing is moved about on somebody else's server.
        let (renamed, _) = exchange.buildings()[0].clone();
        exchange.change_building(0, "building", "Annex".into());
        let notes = exchange.sync().job("raptor-roster")["notes"].to_string();
        assert!(notes.contains(&format!("roster/{renamed}.csv is of a building that is not in")), "{notes}");
        assert_eq!(files(&folder).len(), 3);
    }

    #[test]
    fn an_end_between_two_names_is_finished_on_the_server() {
        let sshd = Sshd::with(&Options { password_account: true, ..Options::default() });
        let exchange = Exchange::of("changes", "2");
        connect(&exchange.profile, &sshd, "changes");
        exchange.profile.set_secret("raptor.password", PASSWORD);
        exchange.profile.run(&["test", "raptor", "--accept-host-key", &sshd.pin()]).done();
        for place in
            [CrashPoint::RosterFileWritten, CrashPoint::RosterFilesStaged, CrashPoint::RosterFileNamed]
        {
            let output = exchange
                .profile
                .command(&["sync", "raptor-roster"])
                .env("ROSTERBRIDGE_CRASH_AT", place.as_str())
                .output()
                .unwrap();
            assert_eq!(output.status.code(), None, "{place:?}");
            exchange.sync();
            let folder = sshd.files().join("export/roster");
            let told = files(&folder);
            assert_eq!(told.len(), 2, "{place:?}: {:?}", told.keys());
            let mut numbers: Vec<i64> = told.values().flatten().map(|row| row.1).collect();
            numbers.sort_unstable();
            let count = numbers.len();
            numbers.dedup();
            assert_eq!(numbers.len(), count, "{place:?}");
            assert_eq!(exchange.sync().job("raptor-roster")["files"], json!([]), "{place:?}");
            // Everybody anew for the next place: the dates look different.
            fs::remove_dir_all(&folder).unwrap();
            exchange.profile.change_setup(|setup| {
                let dates = if setup["raptor"]["roster"]["layout"] == "us" { "iso" } else { "us" };
                let layout = json!({
                    "name": dates, "columns": columns(), "delimiter": "comma", "line_end": "crlf", "header": true,
                    "byte_order_mark": false, "dates": dates,
                });
                setup["raptor"]["roster"]["layouts"] = json!([layout]);
                setup["raptor"]["roster"]["layout"] = dates.into();
            });
        }
    }

    fn columns() -> Value {
        let fields = [
            "building",
            "id_number",
            "first_name",
            "middle_name",
            "last_name",
            "date_of_birth",
            "grade",
            "homeroom",
            "guardian_email",
            "phone",
            "status",
        ];
        fields.iter().map(|field| json!({"title": field, "field": field})).collect()
    }
}
