//! The three exports as a person sets them up: every setting reaches the file, wherever it goes and whatever the server
//! can do, and what can't be is refused before anything is kept.

use std::{fs, path::Path};

use rosterbridge_practice::Ready;
use rstest::rstest;
use rusqlite::named_params;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{DATE, District, Output, Profile, files_in};

/// The three exports: what the setup file calls each, its job and its file.
const EXPORTS: [(&str, &str, &str); 3] = [
    ("students", "hero-students", "imports/STUDENT.TXT"),
    ("schedule", "hero-schedule", "imports/SCHEDULE.TXT"),
    ("teachers", "hero-teachers", "imports/TEACHER.txt"),
];

/// The most characters Hero takes in each of the student file's columns.
const LIMITS: [usize; 12] = [50, 20, 20, 50, 10, 50, 50, 50, 10, 255, 50, 5];

/// A small district with a student whose values are not easy to write, and a profile for it.
fn awkward() -> (District, Profile) {
    let district = District::start(&["--students", "60", "--schools", "2"]);
    let profile = Profile::of(&district);
    let first = one(&district, "SELECT MIN(Student_Number) FROM Students WHERE Enroll_Status = 0");
    let set = json!({
        "Mailing_Street": "12 \"Elm\" St, Apt 3", "Mailing_City": "Upper\tFalls", "Middle_Name": "Zoë Łucja",
    });
    district
        .change(&json!([{"change": {"table": "Students", "where": {"Student_Number": first}, "set": set}}]));
    (district, profile)
}

fn one(district: &District, sql: &str) -> i64 {
    district.database().query_one(sql, [], |row| row.get(0)).unwrap()
}

/// Sets fields of an export of the first account.
fn set(profile: &Profile, export: &str, changes: &Value) {
    profile.change_setup(|setup| {
        for (field, value) in changes.as_object().unwrap() {
            setup["hero"]["accounts"][0][export][field] = value.clone();
        }
    });
}

/// Runs a job; a person lets what was stopped go out.
fn sync_accepting(profile: &Profile, job: &str) -> Output {
    let run = profile.run(&["sync", job]);
    if run.code() != "guard.large_change" {
        return run.done();
    }
    for stopped in profile.run(&["guard", "list"]).done().data()["stopped"].as_array().unwrap() {
        profile.run(&["guard", "accept", stopped["id"].as_str().unwrap()]).done();
    }
    profile.run(&["sync", job]).done()
}

/// A file in Hero's own layout.
fn rows(text: &str) -> Vec<Vec<String>> {
    text.split_terminator("\r\n").map(|row| row.split('\t').map(str::to_owned).collect()).collect()
}

/// Those of the rows.
fn tabbed(rows: &[Vec<String>]) -> String {
    rows.iter().map(|row| row.join("\t") + "\r\n").collect()
}

fn windows_ansi(c: char) -> u8 {
    match c {
        'Š' => 0x8A,
        'Ž' => 0x8E,
        '’' => 0x92,
        'š' => 0x9A,
        'ž' => 0x9E,
        c => u8::try_from(u32::from(c)).unwrap_or(b'?'),
    }
}

/// What becomes of a file in Hero's own layout.
type Expected = fn(&District, &str) -> Vec<u8>;

#[rstest]
#[case::comma("students", json!({"field_delimiter": "comma"}), |_: &District, usual: &str| {
    let mut csv = csv::WriterBuilder::new().has_headers(false).terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for mut row in rows(usual) {
        // A tab is a character like any other here.
        row[6] = row[6].replace("Upper Falls", "Upper\tFalls");
        csv.write_record(row).unwrap();
    }
    let written = csv.into_inner().unwrap();
    assert!(String::from_utf8_lossy(&written).contains(",\"12 \"\"Elm\"\" St, Apt 3\",Upper\tFalls,"));
    written
})]
#[case::lf("students", json!({"record_delimiter": "lf"}), |_: &District, usual: &str| usual.replace("\r\n", "\n").into_bytes())]
#[case::cr("schedule", json!({"record_delimiter": "cr"}), |_: &District, usual: &str| usual.replace("\r\n", "\r").into_bytes())]
#[case::header("teachers", json!({"header": true}), |_: &District, usual: &str| {
    let header = "Schoolid\t[05]last_name\t[05]first_name\tteachernumber\temail_addr\tteachernumber\tstatus\r\n";
    format!("{header}{usual}").into_bytes()
})]
#[case::windows_ansi("students", json!({"character_set": "windows_ansi"}), |_: &District, usual: &str| {
    assert!(usual.contains("\tZoë Łucja\t"));
    let written: Vec<u8> = usual.chars().map(windows_ansi).collect();
    assert!(written.windows(11).any(|bytes| bytes == b"\tZo\xEB ?ucja\t"));
    written
})]
#[case::other_order("students", json!({"fields": ["Grade_Level", "[01]student_number", "Last_Name"]}), |_: &District, usual: &str| {
    let picked = |row: &Vec<String>| vec![row[11].clone(), row[0].clone(), row[2].clone()];
    tabbed(&rows(usual).iter().map(picked).collect::<Vec<_>>()).into_bytes()
})]
#[case::two_fields_on_a_line_as_hero_prints_them(
    "schedule",
    json!({"fields": ["Schoolid [01]student_number", "termid", "Period Expression", "teachernumber"]}),
    |_: &District, usual: &str| {
        let picked = |row: &Vec<String>| [0, 1, 2, 6, 7, 11].map(|column: usize| row[column].clone()).to_vec();
        tabbed(&rows(usual).iter().map(picked).collect::<Vec<_>>()).into_bytes()
    }
)]
#[case::shortened("students", json!({"long_values": "shorten"}), |_: &District, usual: &str| {
    let cut = |row: &Vec<String>| {
        row.iter().zip(LIMITS).map(|(value, limit)| value.chars().take(limit).collect()).collect::<Vec<String>>()
    };
    let written = tabbed(&rows(usual).iter().map(cut).collect::<Vec<_>>());
    assert_ne!(written, usual, "some name is too long");
    written.into_bytes()
})]
#[case::restricted_to_a_school("students", json!({"schools": "the last one"}), |district: &District, usual: &str| {
    let school = *district.ready.hero_accounts[0].schools.last().unwrap();
    let database = district.database();
    let mut of_school =
        database.prepare("SELECT 1 FROM Students WHERE Student_Number = ?1 AND SchoolID = ?2").unwrap();
    let mut all = rows(usual);
    let before = all.len();
    all.retain(|row| of_school.exists((&row[0], school)).unwrap());
    assert!(!all.is_empty() && all.len() < before);
    tabbed(&all).into_bytes()
})]
#[case::only_terms_of_the_day("schedule", json!({"only_current_terms": true}), |district: &District, usual: &str| {
    let database = district.database();
    let mut current = database
        .prepare(
            "SELECT 1 FROM Terms
              WHERE ID = :term AND SchoolID = :school AND FirstDay <= :day AND LastDay >= :day",
        )
        .unwrap();
    let mut all = rows(usual);
    let before = all.len();
    all.retain(|row| {
        current.exists(named_params! {":term": row[2], ":school": row[0], ":day": DATE}).unwrap()
    });
    assert!(!all.is_empty() && all.len() < before);
    tabbed(&all).into_bytes()
})]
fn every_setting_reaches_the_file(
    #[case] export: &str,
    #[case] mut changes: Value,
    #[case] expected: Expected,
) {
    let (_, job, file) = *EXPORTS.iter().find(|(name, ..)| *name == export).unwrap();
    let (district, profile) = awkward();
    profile.run(&["sync", job]).done();
    let usual = fs::read_to_string(district.hero(file)).unwrap();
    if changes["schools"] == "the last one" {
        changes["schools"] = json!([district.ready.hero_accounts[0].schools.last()]);
    }
    set(&profile, export, &changes);
    let run = sync_accepting(&profile, job);
    let sent = fs::read(district.hero(file)).unwrap();
    let wanted = expected(&district, &usual);
    assert!(sent == wanted, "{}\n---\n{}", String::from_utf8_lossy(&sent), String::from_utf8_lossy(&wanted));
    // What the report says of the file is true of its bytes.
    let receipt = &run.job(job)["files"][0];
    assert_eq!(receipt["sha256"], hex::encode(Sha256::digest(&sent)));
    assert_eq!((&receipt["name"], &receipt["bytes"]), (&json!(file), &json!(sent.len())));
    // And the dry run had said so.
    let dry = profile.run(&["sync", job, "--dry-run"]).done();
    assert_eq!(&dry.job(job)["files"][0], receipt);
}

/// Values that Hero has no room for, or that the file can't hold, are counted and named by row and field.
#[test]
fn what_needs_a_look_is_told_by_row_and_field() {
    let (district, profile) = awkward();
    let notes = |run: &Output| run.job("hero-students")["notes"].to_string();
    let first = notes(&profile.run(&["sync", "hero-students"]).done());
    assert!(first.contains("1 value stands in the file otherwise than in PowerSchool"), "{first}");
    assert!(first.contains("Row 1: Mailing_City has a tab"), "{first}");
    let text = fs::read_to_string(district.hero("imports/STUDENT.TXT")).unwrap();
    let long = rows(&text).iter().position(|row| row[1].chars().count() > 20).unwrap();
    let long = format!("Row {}: First_Name has", long + 1);
    assert!(first.contains(&long), "{long}: {first}");
    // What was found is known as well where the file need not be put together again.
    let again = notes(&profile.run(&["sync", "hero-students"]).done());
    assert!(again.contains(&long) && again.contains("Nothing has changed since"), "{again}");

    set(&profile, "students", &json!({"character_set": "windows_ansi"}));
    let other = notes(&profile.run(&["sync", "hero-students"]).done());
    assert!(other.contains("Row 1: Middle_Name has characters"), "{other}");
    for notes in [first, again, other] {
        assert!(!notes.contains("ucja") && !notes.contains("Falls"), "no values: {notes}");
    }
}

/// What a file has to be looked at for is kept until the next one, row by row, and by number only.
#[test]
fn what_needs_a_look_is_kept_row_by_row() {
    let (district, profile) = awkward();
    let first = one(&district, "SELECT MIN(Student_Number) FROM Students WHERE Enroll_Status = 0");
    let id = one(&district, &format!("SELECT ID FROM Students WHERE Student_Number = {first}"));
    district.change(&json!([{"delete": {"table": "CC", "where": {"StudentID": id}}}]));
    profile.run(&["sync", "hero-students", "hero-schedule"]).done();
    let problems = |job: &str| profile.run(&["hero", "problems", job]).done();
    let of_kind = |problems: &Output, kind: &str| -> Vec<Value> {
        let rows = problems.data()["rows"].as_array().unwrap().iter();
        rows.filter(|row| row["kind"] == kind).cloned().collect()
    };
    let usual = problems("hero-students");
    assert!(!usual.stdout.contains("Falls"), "no values: {}", usual.stdout);
    let first = first.to_string();
    let broken = of_kind(&usual, "break");
    assert_eq!(broken.len(), 1, "{}", usual.stdout);
    let of_row = ["row", "number", "field"].map(|name| broken[0][name].clone());
    assert_eq!(of_row, [json!(1), json!(first), json!("Mailing_City")]);
    let text = fs::read_to_string(district.hero("imports/STUDENT.TXT")).unwrap();
    let too_long = |row: &Vec<String>| {
        row.iter().zip(LIMITS).filter(|(value, limit)| value.chars().count() > *limit).count()
    };
    let long: usize = rows(&text).iter().map(too_long).sum();
    assert!(long > 0);
    assert_eq!(of_kind(&usual, "too_long").len(), long, "{}", usual.stdout);
    let without = of_kind(&problems("hero-schedule"), "no_schedule");
    assert!(without.iter().any(|row| row["number"].as_str() == Some(first.as_str())), "{without:?}");

    set(&profile, "students", &json!({"long_values": "shorten"}));
    profile.run(&["sync", "hero-students"]).done();
    let shortened = problems("hero-students");
    assert_eq!(of_kind(&shortened, "shortened").len(), long, "{}", shortened.stdout);
    assert_eq!(of_kind(&shortened, "too_long").len(), 0, "the former ones are gone");
}

#[cfg(unix)]
fn copy_of(path: &Path) -> (u64, std::time::SystemTime) {
    use std::os::unix::fs::MetadataExt;
    let found = fs::metadata(path).unwrap();
    (found.ino(), found.modified().unwrap())
}

#[cfg(not(unix))]
fn copy_of(path: &Path) -> (u64, std::time::SystemTime) {
    (0, fs::metadata(path).unwrap().modified().unwrap())
}

#[test]
fn a_file_is_sent_every_time_where_a_person_wants_it_so() {
    let (district, profile) = awkward();
    set(&profile, "teachers", &json!({"skip_unchanged": false}));
    let sync = || {
        let run = profile.run(&["sync", "hero-students", "hero-teachers"]).done();
        let copies = ["imports/STUDENT.TXT", "imports/TEACHER.txt"].map(|file| copy_of(&district.hero(file)));
        let written =
            ["hero-students", "hero-teachers"].map(|job| run.job(job)["rows"]["written"].as_u64().unwrap());
        (copies, written)
    };
    let ([students, teachers], rows) = sync();
    let ([students_again, teachers_again], rows_again) = sync();
    assert_eq!(students_again, students);
    assert_ne!(teachers_again, teachers);
    assert_eq!(rows_again, [0, rows[1]]);
}

/// A path with the date in it names another file every day, and is the same file to every rule.
#[test]
fn a_dated_path_has_the_day_at_the_server_in_it() {
    let mut district = District::start(&["--students", "200", "--schools", "2"]);
    let profile = Profile::of(&district);
    set(&profile, "students", &json!({"path": "imports/STUDENT_%Y%m%d.TXT"}));
    let sync = || profile.run(&["sync", "hero-students"]);
    let first = sync().done();
    assert_eq!(first.job("hero-students")["files"][0]["name"], "imports/STUDENT_20261118.TXT");
    assert_eq!(files_in(&district.hero("imports")), ["STUDENT_20261118.TXT"]);
    // On the same day it is known to be there.
    let again = sync().done();
    assert_eq!(again.job("hero-students")["rows"]["written"], 0);
    assert_eq!(again.job("hero-students")["files"][0]["name"], "imports/STUDENT_20261118.TXT");

    district.move_to("2026-11-19");
    assert_eq!(sync().done().job("hero-students")["files"][0]["name"], "imports/STUDENT_20261119.TXT");
    assert_eq!(files_in(&district.hero("imports")), ["STUDENT_20261118.TXT", "STUDENT_20261119.TXT"]);

    // Half the students are gone on the next day: it is the file of the day before that is compared with.
    district.move_to("2026-11-20");
    let leave = |status: i64| {
        let sql = "UPDATE Students SET Enroll_Status = ?1 WHERE DCID % 2 = 0 AND Enroll_Status IN (0, 2)";
        district.database().execute(sql, [status]).unwrap();
    };
    leave(2);
    sync().ended(3, "guard.large_change");
    let stopped = profile.run(&["guard", "list"]).done();
    assert_eq!(stopped.data()["stopped"][0]["name"], "imports/STUDENT_%Y%m%d.TXT");
    assert!(!district.hero("imports/STUDENT_20261120.TXT").exists());
    profile.run(&["guard", "accept", stopped.data()["stopped"][0]["id"].as_str().unwrap()]).done();
    sync().done();
    assert!(district.hero("imports/STUDENT_20261120.TXT").exists());
    assert_eq!(profile.run(&["guard", "list"]).done().data()["stopped"], json!([]));
}

/// A folder of this computer in place of the server.
#[test]
fn a_local_folder_takes_the_place_of_the_server() {
    let (district, profile) = awkward();
    profile.run(&["sync", "hero-students"]).done();
    let at_server = fs::read(district.hero("imports/STUDENT.TXT")).unwrap();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("to hero");
    set(&profile, "students", &json!({"destination": {"kind": "folder", "folder": folder}}));
    let sync = || profile.run(&["sync", "hero-students"]);

    // Without the folder nothing is made in its place, and the job can be tried again.
    let missing = sync().ended(1, "hero.folder_unusable");
    assert!(missing.document["message"].as_str().unwrap().contains("no such folder"), "{}", missing.stdout);
    assert!(!folder.exists());

    fs::create_dir(&folder).unwrap();
    fs::remove_file(district.hero("imports/STUDENT.TXT")).unwrap();
    let run = sync().done();
    let file = folder.join("STUDENT.TXT");
    assert_eq!(fs::read(&file).unwrap(), at_server);
    assert_eq!(files_in(&folder), ["STUDENT.TXT"]);
    assert!(!district.hero("imports/STUDENT.TXT").exists(), "nothing goes to the server");
    assert_eq!(run.job("hero-students")["files"][0]["name"], file.to_str().unwrap());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    // What is there is not written again; what is not, or is another, is.
    let first = copy_of(&file);
    assert_eq!(sync().done().job("hero-students")["rows"]["written"], 0);
    assert_eq!(copy_of(&file), first);
    fs::write(&file, "cut off").unwrap();
    sync().done();
    assert_eq!(fs::read(&file).unwrap(), at_server);
    fs::remove_file(&file).unwrap();
    sync().done();
    assert_eq!(fs::read(&file).unwrap(), at_server);

    // The server's account is not needed for any of it.
    profile.change_setup(|setup| setup["connections"][0]["allow_upload"] = false.into());
    district.hero_faults(&json!({"missing_imports": true}));
    fs::remove_file(&file).unwrap();
    sync().done();
    assert_eq!(fs::read(&file).unwrap(), at_server);
}

#[cfg(unix)]
#[rstest]
#[case::in_the_place_of_the_file("STUDENT.TXT")]
#[case::in_the_place_of_the_unfinished_one(".STUDENT.TXT.rosterbridge-part")]
fn a_link_in_a_local_folder_is_not_followed(#[case] name: &str) {
    let (_district, profile) = awkward();
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "somebody else's").unwrap();
    std::os::unix::fs::symlink(&elsewhere, folder.path().join(name)).unwrap();
    set(&profile, "students", &json!({"destination": {"kind": "folder", "folder": folder.path()}}));
    let refused = profile.run(&["sync", "hero-students"]).ended(1, "hero.folder_unusable");
    assert!(refused.document["message"].as_str().unwrap().contains("is a link"), "{}", refused.stdout);
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "somebody else's");
    assert_eq!(files_in(folder.path()), [name, "elsewhere"]);
}

#[rstest]
#[case::unknown_field("students", json!({"fields": ["Student_Number", "Lunch_Number_7"]}), "Lunch_Number_7")]
#[case::no_field("schedule", json!({"fields": []}), "hero-schedule")]
#[case::space_in_the_name("students", json!({"path": "imports/MY STUDENTS.TXT"}), "imports/MY STUDENTS.TXT")]
#[case::out_of_the_folder("teachers", json!({"path": "imports/../../TEACHER.txt"}), "..")]
#[case::no_such_token("teachers", json!({"path": "imports/TEACHER%H.txt"}), "%H")]
#[case::same_file("teachers", json!({"path": "imports/student.txt"}), "hero-students and hero-teachers")]
#[case::no_folder("students", json!({"destination": {"kind": "folder", "folder": " "}}), "none is named")]
#[case::mac("students", json!({"character_set": "mac_roman"}), "Mac Roman")]
#[case::import_from_elsewhere("attendance", json!({"path": "imports/STUDENT.txt"}), "imports/STUDENT.txt")]
#[case::import_with_a_field_missing("attendance", json!({"fields": ["SchoolID", "Student_Number"]}), "hero-attendance")]
fn what_cannot_be_is_refused_when_it_is_saved(
    #[case] export: &str,
    #[case] changes: Value,
    #[case] named: &str,
) {
    let district = District::start(&["--students", "40", "--schools", "2"]);
    let profile = Profile::of(&district);
    let before = profile.setup();
    let mut setup = before.clone();
    for (field, value) in changes.as_object().unwrap() {
        setup["hero"]["accounts"][0][export][field] = value.clone();
    }
    let file = profile.home().join("wrong.json");
    fs::write(&file, setup.to_string()).unwrap();
    let refused = profile.run(&["setup", "import", file.to_str().unwrap()]).ended(1, "hero.settings_invalid");
    assert!(refused.document["message"].as_str().unwrap().contains(named), "{}", refused.stdout);
    assert_eq!(profile.setup(), before, "nothing of it is kept, and nothing is lost");
    profile.run(&["sync", "hero-students"]).done();
}

/// Whatever a server can't do, a file is replaced whole, and nothing is left beside it.
#[rstest]
#[case::everything(json!({}))]
#[case::no_posix_rename(json!({"no_posix_rename": true}))]
#[case::no_fsync(json!({"no_fsync": true}))]
#[case::no_renames(json!({"refuse_rename": true}))]
#[case::one_channel(json!({"one_channel": true}))]
#[case::nothing_but_sftp(json!({"no_posix_rename": true, "no_fsync": true, "no_statvfs": true, "one_channel": true}))]
#[case::cut_at_the_first_bytes(json!({"cut_once": {"received": 0}}))]
#[case::cut_in_the_middle(json!({"cut_once": {"received": 2_000}}))]
fn every_server_gets_the_file(#[case] faults: Value) {
    let (district, profile) = awkward();
    let file = district.hero("imports/STUDENT.TXT");
    for name in ["Before", "After"] {
        let sql = "UPDATE Students SET Last_Name = ?1 WHERE DCID = (SELECT MAX(DCID) FROM Students WHERE Enroll_Status = 0)";
        assert_eq!(district.database().execute(sql, [name]).unwrap(), 1);
        district.hero_faults(&faults);
        let run = profile.run(&["sync", "hero-students"]).done();
        let sent = fs::read(&file).unwrap();
        assert_eq!(run.job("hero-students")["files"][0]["sha256"], hex::encode(Sha256::digest(&sent)));
        assert!(String::from_utf8(sent).unwrap().contains(&format!("\t{name}\t")));
        assert_eq!(files_in(&district.hero("imports")), ["STUDENT.TXT"]);
    }
}

/// Every connection breaks before the whole file has come: only what goes on where the last one broke ever ends.
#[test]
fn a_file_larger_than_any_connection_lasts_goes_on_where_it_was_cut() {
    let district = District::start(&["--students", "1500"]);
    let profile = Profile::of(&district);
    district.hero_faults(&json!({"drop_after_bytes": 400_000}));
    let run = profile.run(&["sync", "hero-schedule"]).done();
    let sent = fs::read(district.hero("imports/SCHEDULE.TXT")).unwrap();
    assert!((400_001..900_000).contains(&sent.len()), "{}", sent.len());
    assert_eq!(run.job("hero-schedule")["files"][0]["sha256"], hex::encode(Sha256::digest(&sent)));
    assert_eq!(files_in(&district.hero("imports")), ["SCHEDULE.TXT"]);
}

/// What PowerSchool's AutoSend sends and what RosterBridge sends is the same, so that a hand-over changes nothing at Hero.
#[test]
fn powerschools_autosend_sends_the_same_bytes() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let read = || EXPORTS.map(|(_, _, file)| fs::read_to_string(district.hero(file)).unwrap());
    profile.run(&["sync", "hero-students", "hero-schedule", "hero-teachers"]).done();
    let ours = read();
    for (_, _, file) in EXPORTS {
        fs::remove_file(district.hero(file)).unwrap();
    }
    district.ask("autosend", &json!({}));
    for ((_, _, file), (ours, theirs)) in EXPORTS.iter().zip(ours.iter().zip(&read())) {
        let differing = ours.lines().zip(theirs.lines()).find(|(ours, theirs)| ours != theirs);
        assert_eq!(differing, None, "{file}");
        assert!(ours == theirs && !ours.is_empty(), "{file}");
    }
    // Some class names its periods otherwise than by their numbers.
    let stored = "SELECT COUNT(*) FROM Sections WHERE External_Expression NOT IN ('', Expression)";
    let named: i64 = district.database().query_one(stored, (), |row| row.get(0)).unwrap();
    assert!(named > 0);
}

/// The account of the ready file takes both kinds of student files: what is proved here is what Hero itself read.
#[test]
fn hero_reads_every_row_of_what_it_is_sent() {
    let district = District::start(&["--students", "40", "--schools", "2"]);
    let profile = Profile::of(&district);
    let jobs = EXPORTS.map(|(_, job, _)| job);
    let run = profile.run(&[["sync"].as_slice(), &jobs].concat()).done();
    let Ready { hero, .. } = &district.ready;
    let read = district.hero_read(&hero.username);
    for (_, job, file) in EXPORTS {
        let read = &read[file.trim_start_matches("imports/")];
        let receipt = &run.job(job)["files"][0];
        assert_eq!((&read["rows"], &read["skipped"]), (&receipt["rows"], &json!(0)), "{job}");
        assert_eq!((&read["sha256"], &read["header"]), (&receipt["sha256"], &json!(false)), "{job}");
    }
}
