//! A file that is as the other side has it is not sent again, and anything that makes this uncertain sends it.

use std::{fs, path::Path, time::SystemTime};

use rosterbridge_practice::Ready;
use rstest::rstest;
use serde_json::json;

use crate::support::{District, Output, Profile, rosterbridge};

/// The files of two jobs, with what names this very copy of each.
fn files(district: &District) -> Vec<(u64, SystemTime)> {
    let roster = first_roster(&district.ready);
    [district.hero("imports/STUDENT.TXT"), roster].iter().map(|path| copy_of(path)).collect()
}

#[cfg(unix)]
fn copy_of(path: &Path) -> (u64, SystemTime) {
    use std::os::unix::fs::MetadataExt;
    let found = fs::metadata(path).unwrap();
    (found.ino(), found.modified().unwrap())
}

#[cfg(not(unix))]
fn copy_of(path: &Path) -> (u64, SystemTime) {
    (0, fs::metadata(path).unwrap().modified().unwrap())
}

/// The first building's roster.
fn first_roster(ready: &Ready) -> std::path::PathBuf {
    let folder = fs::read_dir(ready.raptor.folder.join("roster")).unwrap();
    folder.map(|entry| entry.unwrap().path()).min().unwrap()
}

const JOBS: [&str; 2] = ["hero-students", "raptor-roster"];

fn sync(profile: &Profile) -> Output {
    profile.run(&["sync", JOBS[0], JOBS[1]]).done()
}

/// Rows that were sent and rows that did not have to be, of both jobs.
fn rows(run: &Output) -> [(u64, u64); 2] {
    JOBS.map(|job| {
        let rows = &run.job(job)["rows"];
        (rows["written"].as_u64().unwrap(), rows["noop"].as_u64().unwrap())
    })
}

fn is_noted(run: &Output, job: &str) -> bool {
    run.job(job)["notes"]
        .as_array()
        .unwrap()
        .iter()
        .any(|note| note.as_str().unwrap().starts_with("Nothing has changed since"))
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let district = District::start(&["--students", "200"]);
    let profile = Profile::of(&district);
    let first = sync(&profile);
    let sent = rows(&first).map(|(written, _)| written);
    assert!(sent.iter().all(|rows| *rows > 0));
    assert!(JOBS.iter().all(|job| !is_noted(&first, job)));
    let before = files(&district);

    let again = sync(&profile);
    assert_eq!(rows(&again), sent.map(|rows| (0, rows)));
    assert_eq!(
        again.job(JOBS[0])["files"],
        first.job(JOBS[0])["files"],
        "what is there is told all the same"
    );
    assert!(JOBS.iter().all(|job| is_noted(&again, job)));
    assert_eq!(files(&district), before);
    let mut status = rosterbridge();
    status.arg("--home").arg(profile.home()).args(["--profile", "practice", "status"]);
    let told = String::from_utf8(status.output().unwrap().stdout).unwrap();
    assert!(told.contains(&format!("0 written, {} unchanged", sent[0])), "{told}");
    assert_eq!(rows(&sync(&profile)), sent.map(|rows| (0, rows)), "nor the next time");
}

#[rstest]
#[case::it_was_taken_away(|district: &District| {
    fs::remove_file(district.hero("imports/STUDENT.TXT")).unwrap();
    fs::remove_file(first_roster(&district.ready)).unwrap();
})]
#[case::somebody_else_wrote_as_much(|district: &District| {
    for path in [district.hero("imports/STUDENT.TXT"), first_roster(&district.ready)] {
        let before = fs::metadata(&path).unwrap();
        fs::write(&path, "x".repeat(before.len().try_into().unwrap())).unwrap();
        let later = before.modified().unwrap() + std::time::Duration::from_secs(2);
        fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    }
})]
#[case::it_was_emptied(|district: &District| {
    for path in [district.hero("imports/STUDENT.TXT"), first_roster(&district.ready)] {
        fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    }
})]
fn what_the_other_side_has_no_more_is_sent(#[case] disturb: fn(&District)) {
    let district = District::start(&["--students", "200"]);
    let profile = Profile::of(&district);
    let first = sync(&profile);
    let contents = || {
        [district.hero("imports/STUDENT.TXT"), first_roster(&district.ready)]
            .map(|path| fs::read(path).unwrap())
    };
    let before = contents();
    disturb(&district);
    let again = sync(&profile);
    assert_eq!(rows(&again), rows(&first));
    assert!(JOBS.iter().all(|job| !is_noted(&again, job)));
    assert!(contents() == before, "the other side has them whole again");
}

/// What was stopped in between is as undone as the mistake it came from.
#[test]
fn a_mistake_that_is_taken_back_asks_nobody_any_more() {
    let district = District::start(&["--students", "400"]);
    let profile = Profile::of(&district);
    let sent = rows(&sync(&profile)).map(|(written, _)| written);
    let database = district.database();
    let enrolled: Vec<i64> = database
        .prepare("SELECT DCID FROM Students WHERE Enroll_Status = 0 AND DCID % 2 = 0")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let set = |status: i64| {
        for student in &enrolled {
            let sql = "UPDATE Students SET Enroll_Status = ?1 WHERE DCID = ?2";
            database.execute(sql, [status, *student]).unwrap();
        }
    };
    let stopped = || {
        let listed = profile.run(&["guard", "list"]).done();
        let files = listed.data()["stopped"].as_array().unwrap().iter();
        let mut ids: Vec<String> = files.map(|file| file["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    set(2);
    profile.run(&["sync", JOBS[0], JOBS[1]]).ended(3, "guard.large_change");
    let mistake = stopped();
    assert!(mistake.len() >= 2);
    profile.run(&["guard", "accept", &mistake[0]]).done();
    assert_eq!(stopped(), mistake[1..]);
    set(0);
    assert_eq!(rows(&sync(&profile)), sent.map(|rows| (0, rows)));
    assert_eq!(stopped(), [""; 0]);
    set(2);
    profile.run(&["sync", JOBS[0], JOBS[1]]).ended(3, "guard.large_change");
    assert_eq!(stopped(), mistake, "the acceptance is gone, too");
}

#[test]
fn what_goes_into_a_file_counts_and_not_only_the_roster() {
    let district = District::start(&["--students", "200", "--schools", "2"]);
    let profile = Profile::of(&district);
    let first = sync(&profile);
    let school = district.database().query_one(
        "SELECT MIN(School_Number) FROM Schools WHERE School_Number > 0 AND School_Number < 999999",
        [],
        |row| row.get::<_, i64>(0),
    );
    profile.change_setup(|setup| {
        setup["hero"]["accounts"][0]["schools"] = json!([school.unwrap()]);
    });
    profile.run(&["sync", JOBS[0]]).ended(3, "guard.large_change");
    let stopped =
        profile.run(&["guard", "list"]).done().data()["stopped"][0]["id"].as_str().unwrap().to_owned();
    profile.run(&["guard", "accept", &stopped]).done();
    let fewer = sync(&profile);
    let [students, _] = rows(&fewer);
    assert!(students.0 > 0 && students.0 < rows(&first)[0].0, "{}", fewer.stdout);
    // A dry run looks at the rows themselves, and comes to the same.
    let dry = profile.run(&["sync", JOBS[0], JOBS[1], "--dry-run"]).done();
    assert_eq!(dry.job(JOBS[0])["files"], fewer.job(JOBS[0])["files"]);
    assert_eq!(rows(&sync(&profile))[0], (0, students.0));
}

/// Hero's export, once every row of it is dealt with, is not looked up again while it stays as it is.
#[test]
fn an_import_without_news_stays_without_consequence_until_something_differs() {
    let district = District::start(&["--students", "200"]);
    let profile = Profile::of(&district);
    profile.run(&["sync"]).done();
    let import = || profile.run(&["sync", "hero-attendance"]).done();
    let counts = |run: &Output| {
        let rows = &run.job("hero-attendance")["rows"];
        ["read", "written", "noop"].map(|count| rows[count].as_u64().unwrap())
    };
    let plan = |run: &Output| run.job("hero-attendance")["plan"]["id"].as_str().unwrap().to_owned();
    let looked_up = import();
    let [read, written, noop] = counts(&looked_up);
    assert!(read > 0 && written == 0 && noop == read, "{}", looked_up.stdout);
    let writes = district.audit().len();
    // Known from here on: nothing is planned, nothing recorded, and the answer is the same.
    for _ in 0..2 {
        let known = import();
        assert_eq!(counts(&known), counts(&looked_up));
        assert_eq!(plan(&known), plan(&looked_up));
        assert_eq!(known.job("hero-attendance")["files"], looked_up.job("hero-attendance")["files"]);
    }
    let dry = profile.run(&["sync", "hero-attendance", "--dry-run"]).done();
    assert_eq!(plan(&dry), plan(&looked_up));
    assert_eq!(district.audit().len(), writes);

    // Another code in one row is written, though the file is as long as before.
    let export = district.hero("export/ATTENDANCE.txt");
    let text = fs::read_to_string(&export).unwrap();
    let (head, last) = text.trim_end().rsplit_once('\n').unwrap();
    let other =
        if last.contains("\tT") { last.replacen("\tT", "\tA", 1) } else { last.replacen("\tA", "\tT", 1) };
    assert_ne!(last, other);
    fs::write(&export, format!("{head}\n{other}{}", &text[text.trim_end().len()..])).unwrap();
    let run = import();
    assert_eq!(counts(&run)[1], 1, "{}", run.stdout);
    assert_eq!(district.audit().len(), writes + 1);

    // So is the former code when its row comes back, although that very file was without news before.
    fs::write(&export, &text).unwrap();
    assert_eq!(counts(&import())[1], 1);
    assert_eq!(district.audit().len(), writes + 2);
    assert_eq!(counts(&import()), [read, 0, read]);

    // An undo changes what was stated without a new file, and then nothing is known any more.
    let last_writing = profile.run(&["runs"]).done().data()["runs"][1]["run"].as_str().unwrap().to_owned();
    profile.run(&["undo", &last_writing]).done();
    let after = import();
    assert_eq!(counts(&after)[0], read);
    let lookups = |run: &Output| run.job("hero-attendance")["rows"].clone();
    assert_eq!(lookups(&import()), lookups(&after));
}
