//! Files from Hero and Raptor that are not as they should be: good rows arrive, bad ones wait, nothing is lost.

use std::fs;

use rstest::rstest;
use serde_json::json;

use crate::support::{DATE, District, EXPORTS, Output, Profile, Records, files_in};

/// A district whose Hero has written its export, which has not been taken in yet.
fn exported(options: &[&str]) -> (District, Profile, Records) {
    let district = District::start(options);
    let profile = Profile::of(&district);
    profile.run(&[["sync"].as_slice(), &EXPORTS].concat()).done();
    let records = district.hero_records();
    (district, profile, records)
}

/// Puts a line in the middle of Hero's export.
fn insert_line(district: &District, line: &[u8]) {
    let path = district.hero("export/ATTENDANCE.txt");
    let text = fs::read(&path).unwrap();
    let middle = text.split_inclusive(|byte| *byte == b'\n').take(10).map(<[u8]>::len).sum();
    let (before, after) = text.split_at(middle);
    fs::write(&path, [before, line, b"\n", after].concat()).unwrap();
}

/// A good line of Hero's export, as fields.
fn first_line(district: &District) -> Vec<String> {
    let text = fs::read_to_string(district.hero("export/ATTENDANCE.txt")).unwrap();
    text.lines().next().unwrap().split('\t').map(str::to_owned).collect()
}

fn rows(output: &Output, job: &str) -> [u64; 5] {
    ["read", "written", "noop", "held", "rejected"]
        .map(|name| output.job(job)["rows"][name].as_u64().unwrap())
}

#[rstest]
#[case::fewer("105\t9049\t0303\t1\t11/18/2026\tT\n", "hero.wrong_columns")]
#[case::comma("105,9049,0303,1,11/18/2026,T,2\n", "hero.wrong_columns")]
#[case::another_export("105\t9049\t11/18/2026\tHallway pass\tClosed\n", "hero.wrong_columns")]
#[case::utf16("\u{feff}105\t9049\t0303\t1\t11/18/2026\tT\t2\n", "hero.wrong_characters")]
fn an_export_of_another_shape_is_refused_as_a_whole(#[case] text: &str, #[case] code: &str) {
    let (district, profile, expected) = exported(&[]);
    let path = district.hero("export/ATTENDANCE.txt");
    let good = fs::read(&path).unwrap();
    fs::write(&path, text).unwrap();
    let sync = profile.run(&["sync", "hero-attendance"]).ended(1, code);
    assert_eq!(sync.job("hero-attendance")["outcome"], "failed");
    assert!(district.audit().is_empty());
    assert_eq!(fs::read(&path).unwrap(), text.as_bytes(), "remote files are only read");

    fs::write(&path, good).unwrap();
    profile.run(&["sync", "hero-attendance"]).done();
    district.holds_each_once(&expected);
}

#[test]
fn an_export_that_is_not_there_yet_is_named() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let sync = profile.run(&["sync", "hero-attendance"]).ended(1, "hero.export_missing");
    assert!(sync.document["message"].as_str().unwrap().contains("ATTENDANCE.txt"));
}

/// One bad row beside thirty good ones: those arrive, it waits, and only its first coming asks for a person.
#[rstest]
#[case::student(1, "999999999", "held.unknown_student")]
#[case::code(5, "XYZ", "held.unknown_code")]
#[case::code_in_another_case(5, "t", "held.unknown_code")]
#[case::school(0, "777", "held.unknown_school")]
#[case::period(6, "ZZ", "held.unknown_period")]
#[case::section(3, "98", "held.no_such_enrollment")]
#[case::long_ago(4, "09/01/2026", "held.too_old")]
fn a_row_that_does_not_fit_is_held(#[case] column: usize, #[case] value: &str, #[case] code: &str) {
    let (district, profile, expected) = exported(&[]);
    // The last line of a meeting school, so that a period matters.
    let text = fs::read_to_string(district.hero("export/ATTENDANCE.txt")).unwrap();
    let meeting = text.lines().find(|line| line.starts_with("103\t") || line.starts_with("104\t")).unwrap();
    let mut fields: Vec<&str> = meeting.split('\t').collect();
    fields[column] = value;
    let bad = fields.join("\t");
    insert_line(&district, bad.as_bytes());

    let sync = profile.run(&["sync", "hero-attendance"]).ended(3, "sync.held_rows");
    assert_eq!(rows(&sync, "hero-attendance"), [31, 30, 0, 1, 0]);
    assert_eq!(sync.data()["outcome"], "succeeded_with_held_rows");
    district.holds_each_once(&expected);
    let held = profile.run(&["held", "list"]).done();
    assert_eq!(held.data()["total"], 1);
    let row = &held.data()["rows"][0];
    assert_eq!((&row["code"], &row["raw"], &row["line"]), (&json!(code), &json!(bad), &json!(11)));
    assert!(!row["message"].as_str().unwrap().is_empty());

    let again = profile.run(&["sync", "hero-attendance"]).ended(0, "sync.held_rows");
    assert_eq!(rows(&again, "hero-attendance"), [31, 0, 30, 1, 0]);
    assert_eq!(profile.run(&["held", "list"]).done().data()["total"], 1);
    assert_eq!(profile.run(&["status"]).done().data()["held"], 1);
    district.holds_each_once(&expected);
}

#[rstest]
#[case::undefined_in_windows_1252(b"\x81", 2)]
#[case::not_a_number(b"x", 1)]
#[case::no_date(b"9", 4)]
fn a_malformed_row_is_rejected_and_the_others_arrive(#[case] bytes: &[u8], #[case] column: usize) {
    let (district, profile, expected) = exported(&[]);
    let mut fields: Vec<Vec<u8>> = first_line(&district).into_iter().map(String::into_bytes).collect();
    fields[column].extend_from_slice(bytes);
    insert_line(&district, &fields.join(&b'\t'));

    let sync = profile.run(&["sync", "hero-attendance"]).ended(3, "sync.held_rows");
    assert_eq!(rows(&sync, "hero-attendance"), [31, 30, 0, 0, 1]);
    district.holds_each_once(&expected);
    let again = profile.run(&["sync", "hero-attendance"]).ended(0, "sync.held_rows");
    assert_eq!(rows(&again, "hero-attendance"), [31, 0, 30, 0, 1]);
}

/// Accents and quotation marks of Windows ANSI are text like any other, and quotes don't swallow lines.
#[test]
fn windows_ansi_text_is_read_as_such() {
    let (district, profile, expected) = exported(&[]);
    let mut fields: Vec<Vec<u8>> = first_line(&district).into_iter().map(String::into_bytes).collect();
    fields[2] = b"\"Espa\xF1ol".to_vec();
    insert_line(&district, &fields.join(&b'\t'));
    profile.run(&["sync", "hero-attendance"]).ended(3, "sync.held_rows");
    let held = profile.run(&["held", "list"]).done();
    assert!(held.data()["rows"][0]["raw"].as_str().unwrap().contains("\t\"Español\t"), "{}", held.stdout);
    district.holds_each_once(&expected);
}

/// PowerSchool already holds a code nobody of ours wrote: it stays, the row waits.
#[test]
fn an_existing_code_is_not_overwritten() {
    let (district, profile, expected) = exported(&[]);
    let (key, code) = expected.iter().next().unwrap();
    let other = "SELECT ID FROM Attendance_Code WHERE SchoolID = ?1 AND YearID = 36 AND Att_Code = 'A'";
    let database = district.database();
    let absent: i64 = database.query_one(other, [key.school], |row| row.get(0)).unwrap();
    assert_ne!(absent, *code);
    let day = "SELECT ID FROM Calendar_Day WHERE SchoolID = ?1 AND Date_Value = ?2";
    let day: i64 = database.query_one(day, (key.school, DATE), |row| row.get(0)).unwrap();
    database
        .execute(
            "DELETE FROM Attendance WHERE StudentID = ?1 AND Att_Date = ?2 AND Att_Mode_Code = ?3 AND CCID = ?4
                AND PeriodID = ?5",
            (key.student, DATE, &key.mode, key.cc, key.period),
        )
        .unwrap();
    database
        .execute(
            "INSERT INTO Attendance (DCID, ID, Att_Mode_Code, Att_Date, Attendance_CodeID, Calendar_DayID, CCID,
                PeriodID, SchoolID, StudentID, YearID) VALUES (900041, 900000, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 36)",
            (&key.mode, DATE, absent, day, key.cc, key.period, key.school, key.student),
        )
        .unwrap();
    drop(database);

    let sync = profile.run(&["sync", "hero-attendance"]).ended(3, "sync.held_rows");
    assert_eq!(rows(&sync, "hero-attendance"), [30, 29, 0, 1, 0]);
    assert_eq!(profile.run(&["held", "list"]).done().data()["rows"][0]["code"], "held.existing_code");
    let mut written = expected.clone();
    written.remove(key);
    district.holds_each_once(&written);
}

/// A file Raptor's columns are missing from stays where it is and keeps no other file from being taken.
#[rstest]
#[case::columns("Building,IdNumber,Reason\nLincoln ES,10317,Tardy - Traffic\n", "raptor.wrong_columns")]
#[case::empty("", "raptor.empty_file")]
fn a_tardy_file_of_another_shape_is_left_in_place(#[case] text: &str, #[case] code: &str) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    fs::write(district.raptor("a-visitors.csv"), text).unwrap();
    let sync = profile.run(&["sync"]).ended(1, code);
    assert_eq!(sync.job("raptor-tardies")["rows"]["written"], 6);
    assert_eq!(fs::read_to_string(district.raptor("a-visitors.csv")).unwrap(), text);
    assert_eq!(files_in(&district.raptor("processed")), [format!("tardies-{DATE}.csv")]);
    district.holds_each_once(&district.day(&profile.setup()));
}

/// A row that waits keeps its file in the folder; once its cause is gone it is written and the file put away.
#[rstest]
#[case::building("buildings", "building", "held.building_not_mapped")]
#[case::reason("tardy_codes", "reason", "held.reason_not_mapped")]
fn a_tardy_nobody_mapped_waits_in_its_file(#[case] table: &str, #[case] name: &str, #[case] code: &str) {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    let whole = profile.setup();
    let expected = district.raptor_records(&district.tardies(), &whole);
    let in_file = fs::read_to_string(district.tardies()).unwrap();
    // The roster starts the integration; without it tardies are not taken in.
    profile.run(&["sync", "raptor-tardies"]).ended(1, "raptor.not_initialized");
    profile.run(&["sync", "raptor-roster"]).done();
    profile.change_setup(|setup| {
        let mappings = setup["mappings"][table].as_array_mut().unwrap();
        mappings.retain(|mapping| !in_file.contains(mapping[name].as_str().unwrap()));
    });

    let sync = profile.run(&["sync", "raptor-tardies"]).ended(3, "sync.held_rows");
    assert_eq!(rows(&sync, "raptor-tardies"), [6, 0, 0, 6, 0]);
    assert!(district.tardies().exists());
    let held = profile.run(&["held", "list"]).done();
    assert_eq!(held.data()["by_reason"], json!([[code, 6]]));
    profile.run(&["sync", "raptor-tardies"]).ended(0, "sync.held_rows");
    assert!(district.audit().is_empty());

    profile.change_setup(|setup| *setup = whole);
    let sync = profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(rows(&sync, "raptor-tardies"), [6, 6, 0, 0, 0]);
    district.holds_each_once(&expected);
    assert_eq!(profile.run(&["held", "list"]).done().data()["total"], 0);
    assert!(!district.tardies().exists());
}

#[test]
fn an_exchange_folder_that_is_gone_is_named() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let folder = district.ready.raptor.folder.clone();
    let aside = folder.with_extension("aside");
    fs::rename(&folder, &aside).unwrap();
    profile.run(&["test", "raptor"]).ended(1, "raptor.folder_unusable");
    let sync = profile.run(&["sync"]).ended(1, "raptor.folder_unusable");
    assert_eq!(sync.job("hero-attendance")["rows"]["written"], 30, "Hero does not wait for Raptor");
    fs::rename(&aside, &folder).unwrap();
    profile.run(&["sync"]).done();
    district.holds_each_once(&district.day(&profile.setup()));
}
