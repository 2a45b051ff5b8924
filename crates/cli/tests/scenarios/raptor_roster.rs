//! The roster out: who is in which file, with everybody and with changes only, over a folder and over SFTP, and whatever
//! ends a run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use rstest::rstest;
use serde_json::{Value, json};

mod ends;
#[cfg(unix)]
mod over_sftp;
#[cfg(unix)]
#[path = "../../../sftp/tests/support/sshd.rs"]
#[allow(dead_code, reason = "the tests of the SFTP crate use the rest")]
pub mod sshd;

use crate::{
    care::flipped,
    support::{District, Output, Profile},
};

/// A row: building, number, last name, status.
type Row = (String, i64, String, String);

/// The rows of every roster file in a folder, by file.
fn files(folder: &Path) -> BTreeMap<String, Vec<Row>> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeMap::new() };
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| {
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
    assert!(notes.contains(&format!("roster/{renamed}.csv is of a building that takes no part")), "{notes}");
    assert!(notes.contains("It was moved to roster/not-in-use."), "{notes}");
    // The others are as they were: none is sent.
    exchange
        .profile
        .change_setup(|setup| drop(setup["mappings"]["buildings"].as_array_mut().unwrap().remove(1)));
    let notes = run(&exchange);
    assert!(notes.contains(&format!("roster/{deleted}.csv is of a building that takes no part")), "{notes}");
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

/// Nobody may have read the file that says so.
#[test]
fn who_left_in_a_file_that_is_put_aside_is_told_once_the_building_takes_part_again() {
    let mut exchange = Exchange::of("full", "2");
    let [(off, school), (on, _)] = &exchange.buildings()[..] else { panic!("not two buildings") };
    let (off, school, on) = (off.clone(), *school, on.clone());
    let [leaver, comes_back, ..] = exchange.students(school, 2)[..] else { panic!("too few students") };
    exchange.told();
    let leave = |number: i64| json!({"leave": {"student_number": number}});
    exchange.change(&json!([leave(leaver), leave(comes_back)]));
    assert_eq!(inactive(&exchange.told()).len(), 2);
    exchange.change_building(0, "enabled", false.into());
    let notes = exchange.sync().job("raptor-roster")["notes"].to_string();
    assert!(notes.contains(&format!("roster/{off}.csv is of a building that takes no part")), "{notes}");
    assert_eq!(crate::support::files_in(&exchange.folder().join("not-in-use")), [format!("{off}.csv")]);
    assert!(exchange.told().iter().all(|row| row.0 == on), "nothing is told of the other");
    exchange.change(
        &json!({"change": {"table": "Students", "where": {"Student_Number": comes_back}, "set": {"Enroll_Status": 0}}}),
    );

    exchange.change_building(0, "enabled", true.into());
    let rows = exchange.told();
    assert_eq!(inactive(&rows), [(off.clone(), leaver)]);
    assert_eq!(active(&rows, comes_back), std::slice::from_ref(&off));
    assert_eq!(inactive(&exchange.told()), []);
    assert!(!exchange.sync().job("raptor-roster")["notes"].to_string().contains("not-in-use"));
}

#[rstest]
fn who_left_a_building_that_was_renamed_is_told_under_its_new_name(
    #[values("full", "changes")] content: &str,
) {
    let mut exchange = Exchange::of(content, "2");
    let [(_, school), (_, other)] = &exchange.buildings()[..] else { panic!("not two buildings") };
    let (school, other) = (*school, *other);
    let [leaver, mover, stays, ..] = exchange.students(school, 3)[..] else { panic!("too few students") };
    exchange.told();
    exchange.change(&json!([
        {"leave": {"student_number": leaver}},
        {"move": {"student_number": mover, "to_school": other}},
    ]));
    exchange.change_building(0, "building", "Annex".into());
    let rows = exchange.told();
    assert_eq!(inactive(&rows), [("Annex".to_owned(), leaver)]);
    assert_eq!(active(&rows, stays), ["Annex"]);
    assert_eq!(active(&rows, mover), [exchange.buildings()[1].0.clone()]);
    assert_eq!(inactive(&exchange.told()), []);
}

/// Whoever leaves at the same time is a loss under either name.
#[rstest]
fn a_loss_is_stopped_also_in_a_building_that_was_renamed(
    #[values("full", "changes")] content: &str,
    #[values(false, true)] off_meanwhile: bool,
) {
    let mut exchange = Exchange::of(content, "2");
    let (building, school) = exchange.buildings()[0].clone();
    let had = exchange.told().iter().filter(|row| row.0 == building).count();
    exchange.change_building(0, "building", "Annex".into());
    if off_meanwhile {
        exchange.change_building(0, "enabled", false.into());
        exchange.told();
        exchange.change_building(0, "enabled", true.into());
    }
    let stay = exchange.students(school, 5);
    let lost = exchange
        .district
        .database()
        .execute(
            "UPDATE Students SET Enroll_Status = 2 WHERE Enroll_Status = 0 AND SchoolID = ?1 AND Student_Number > ?2",
            (school, stay[4]),
        )
        .unwrap();
    assert!(lost > 20);
    exchange.profile.run(&["sync", "raptor-roster"]).ended(3, "guard.large_change");
    let stopped = exchange.profile.run(&["guard", "list"]).done().data()["stopped"][0].clone();
    assert_eq!(stopped["name"], "roster/Annex.csv");
    assert_eq!((&stopped["before"], &stopped["now"]), (&json!(had), &json!(had - lost)));
    assert_eq!(inactive(&exchange.told_after_accepting()).len(), lost);
    assert_eq!(inactive(&exchange.told()), []);
}

#[rstest]
fn who_left_any_of_several_buildings_that_became_one_is_told(#[values("full", "changes")] content: &str) {
    let mut exchange = Exchange::of(content, "1");
    let model = exchange.students(exchange.buildings()[0].1, 1)[0];
    exchange.profile.change_setup(|setup| {
        let buildings = setup["mappings"]["buildings"].as_array_mut().unwrap();
        let mut other = buildings[0].clone();
        buildings[0]["building"] = "East".into();
        other["building"] = "West".into();
        buildings.push(other);
    });
    exchange.told();
    // Of the newcomer only the second one tells.
    exchange.change_building(0, "enabled", false.into());
    exchange.change(&json!({"add_student": {"student_number": 77_777_777, "like": model}}));
    assert_eq!(active(&exchange.told(), 77_777_777), ["West"]);
    exchange.profile.change_setup(|setup| {
        let buildings = setup["mappings"]["buildings"].as_array_mut().unwrap();
        buildings.pop();
        buildings[0]["building"] = "Annex".into();
        buildings[0]["enabled"] = true.into();
    });
    exchange.change(&json!([
        {"leave": {"student_number": 77_777_777}},
        {"leave": {"student_number": model}},
    ]));
    let mut left = [model, 77_777_777].map(|number| ("Annex".to_owned(), number));
    left.sort();
    assert_eq!(inactive(&exchange.told()), left);
    assert_eq!(inactive(&exchange.told()), []);
}

/// As above, where nothing is sent at the same time.
#[rstest]
#[case::deleted(|setup: &mut Value| drop(setup["mappings"]["buildings"].as_array_mut().unwrap().remove(0)))]
#[case::switched_off(|setup: &mut Value| setup["mappings"]["buildings"][0]["enabled"] = false.into())]
fn a_file_of_everybody_is_out_of_the_way_also_without_changes_to_send(#[case] change: fn(&mut Value)) {
    let mut exchange = Exchange::of("full", "2");
    let (building, _) = exchange.buildings()[0].clone();
    exchange.told();
    exchange.profile.change_setup(|setup| {
        setup["raptor"]["roster"]["content"] = "changes".into();
        change(setup);
    });
    let run = exchange.sync();
    let report = run.job("raptor-roster");
    assert_eq!(report["files"], json!([]));
    let notes = report["notes"].to_string();
    assert!(notes.contains(&format!("roster/{building}.csv is of a building that takes no part")), "{notes}");
    assert_eq!(crate::support::files_in(&exchange.folder().join("not-in-use")), [format!("{building}.csv")]);
    assert!(!exchange.folder().join(format!("{building}.csv")).exists());
    assert!(!exchange.sync().job("raptor-roster")["notes"].to_string().contains("not-in-use"));
}

/// The new files are in their places by then.
#[test]
fn a_file_that_cannot_be_moved_away_is_told_and_fails_nothing() {
    let mut exchange = Exchange::of("full", "2");
    let (building, _) = exchange.buildings()[0].clone();
    exchange.told();
    let in_the_way = exchange.folder().join("not-in-use");
    fs::write(&in_the_way, "").unwrap();
    exchange.change_building(0, "enabled", false.into());
    let notes = |exchange: &Exchange| exchange.sync().job("raptor-roster")["notes"].to_string();
    let told = notes(&exchange);
    assert!(told.contains(&format!("roster/{building}.csv is of a building that takes no part")), "{told}");
    assert!(told.contains("Remove it from the folder"), "{told}");
    assert!(exchange.folder().join(format!("{building}.csv")).exists());
    fs::remove_file(&in_the_way).unwrap();
    assert!(notes(&exchange).contains("It was moved to roster/not-in-use."));
    assert_eq!(crate::support::files_in(&in_the_way), [format!("{building}.csv")]);
}

#[test]
fn with_every_building_switched_off_that_is_said() {
    let exchange = Exchange::of("full", "1");
    exchange.change_building(0, "enabled", false.into());
    let refused = exchange.profile.run(&["sync", "raptor-roster"]);
    assert_eq!(refused.code(), "setup.incomplete");
    assert!(refused.stdout.contains("mapped to a school is switched on"), "{}", refused.stdout);
}

/// Where letter case matters, the file with the old name is another one.
#[cfg(target_os = "linux")]
#[test]
fn a_building_that_is_only_respelled_keeps_its_new_file() {
    let mut exchange = Exchange::of("full", "1");
    let (building, _) = exchange.buildings()[0].clone();
    let told = exchange.told();
    let respelled = building.to_uppercase();
    assert_ne!(building, respelled);
    exchange.change_building(0, "building", respelled.as_str().into());
    assert_eq!(exchange.told().len(), told.len());
    assert_eq!(files(&exchange.folder()).into_keys().collect::<Vec<_>>(), [format!("{respelled}.csv")]);
    assert_eq!(crate::support::files_in(&exchange.folder().join("not-in-use")), [format!("{building}.csv")]);
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
