//! From an empty profile to a finished exchange, and the same exchange again.

use std::{collections::HashMap, fs};

use rstest::rstest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{DATE, District, Profile, files_in};

/// A file Hero got: its records by fields. Also checks what holds for all three.
fn fields_of(district: &District, name: &str, columns: usize) -> Vec<Vec<String>> {
    let text = String::from_utf8(fs::read(district.hero(name)).unwrap()).unwrap();
    assert!(text.ends_with("\r\n") && !text.starts_with('\u{feff}'));
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "every record ends in CRLF");
    let records: Vec<Vec<String>> =
        text.split_terminator("\r\n").map(|record| record.split('\t').map(str::to_owned).collect()).collect();
    assert!(records.iter().all(|fields| fields.len() == columns), "{name}");
    records
}

fn ids(records: &[Vec<String>], column: usize) -> Vec<i64> {
    records.iter().map(|fields| fields[column].parse().expect("no header row, just numbers")).collect()
}

/// `YYYY-MM-DD` as PowerSchool's exports write it.
fn us_date(date: &str) -> String {
    chrono::NaiveDate::parse_from_str(date, "%Y-%m-%d").unwrap().format("%m/%d/%Y").to_string()
}

#[test]
fn the_main_job_runs_from_set_up_to_a_finished_exchange() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let status = profile.run(&["status"]).done();
    assert_eq!(status.data()["practice"], true);
    assert_eq!(status.data()["paused"], true, "an imported profile starts paused");
    for what in ["powerschool", "hero", "raptor", "mail"] {
        let test = profile.run(&["test", what]).done();
        assert_eq!(test.data()["passed"], true, "{}", test.stdout);
    }
    let mails = files_in(&district.data().join("mail"));
    assert_eq!(mails.len(), 2, "the test mail arrived after the one about Raptor's status: {mails:?}");
    assert_eq!(profile.run(&["runs"]).done().data()["runs"], json!([]));

    // A dry run shows the three files and leaves everything as it is.
    let dry = profile.run(&["sync", "--dry-run"]).done();
    assert_eq!(dry.data()["dry_run"], true);
    district.is_untouched();
    assert_eq!(profile.run(&["status"]).done().data()["jobs"][0].get("last"), None);

    let sync = profile.run(&["sync"]).done();
    assert_eq!(sync.data()["outcome"], "succeeded");
    let names: Vec<&Value> =
        sync.data()["jobs"].as_array().unwrap().iter().map(|report| &report["job"]).collect();
    assert_eq!(
        names,
        [
            "hero-students",
            "hero-schedule",
            "hero-teachers",
            "hero-attendance",
            "raptor-roster",
            "raptor-tardies"
        ]
    );

    // What the document says of a file is true of its bytes, and was so in the dry run.
    for (job, file) in [
        ("hero-students", "imports/STUDENT.TXT"),
        ("hero-schedule", "imports/SCHEDULE.TXT"),
        ("hero-teachers", "imports/TEACHER.txt"),
    ] {
        let receipt = &sync.job(job)["files"][0];
        let bytes = fs::read(district.hero(file)).unwrap();
        assert_eq!(receipt["name"], file);
        assert_eq!(receipt["sha256"], hex::encode(Sha256::digest(&bytes)));
        assert_eq!(receipt["bytes"], bytes.len());
        assert_eq!(receipt["rows"], sync.job(job)["rows"]["written"]);
        assert_eq!(receipt, &dry.job(job)["files"][0]);
    }
    assert_eq!(files_in(&district.hero("imports")), ["SCHEDULE.TXT", "STUDENT.TXT", "TEACHER.txt"]);

    check_students(&district);
    check_schedule(&district);
    check_teachers(&district);

    // Attendance: what Hero and Raptor say, each once, and Raptor's file is done with.
    let setup = profile.setup();
    district.holds_each_once(&district.day(&setup));
    let written = |job: &str| sync.job(job)["rows"]["written"].as_u64().unwrap();
    assert_eq!(written("hero-attendance"), 30, "Hero gives one student in twenty a tardy");
    assert_eq!(written("raptor-tardies"), 6, "one student in a hundred signs in late");
    assert!(!district.tardies().exists());
    assert_eq!(files_in(&district.raptor("processed")), [format!("tardies-{DATE}.csv")]);

    check_rosters(&district, &setup, sync.job("raptor-roster"));

    let status = profile.run(&["status"]).done();
    assert_eq!(status.data()["today"], DATE);
    assert_eq!(status.data()["held"], 0);
    assert_eq!(status.data()["raptor_status"], "synchronizing");
    assert_eq!(status.data()["students"], u64::from(district.ready.district.students));
    assert_eq!(status.data()["jobs"][3]["last"]["rows"]["written"], 30);
    let runs = profile.run(&["runs"]).done();
    assert_eq!(runs.data()["runs"].as_array().unwrap().len(), 2);
    assert_eq!(runs.data()["runs"][0]["run"], sync.data()["run"]);
    assert_eq!(runs.data()["runs"][1]["dry_run"], true);
    assert_eq!(profile.run(&["held", "list"]).done().data()["total"], 0);
}

fn check_students(district: &District) {
    let records = fields_of(district, "imports/STUDENT.TXT", 12);
    let numbers = ids(&records, 0);
    assert!(numbers.is_sorted());
    let database = district.database();
    let mut active = database
        .prepare(
            "SELECT Student_Number, First_Name, Last_Name, COALESCE(Middle_Name, ''), DOB,
                    COALESCE(Mailing_Street, ''), COALESCE(Mailing_City, ''), COALESCE(Mailing_State, ''),
                    COALESCE(Mailing_Zip, ''), COALESCE(GuardianEmail, ''), COALESCE(Home_Phone, ''), Grade_Level
               FROM Students WHERE Enroll_Status = 0 ORDER BY Student_Number",
        )
        .unwrap();
    let expected: Vec<Vec<String>> = active
        .query_map((), |row| {
            let mut fields = vec![row.get::<_, i64>(0)?.to_string()];
            for column in 1..11 {
                fields.push(row.get(column)?);
            }
            fields.push(row.get::<_, i64>(11)?.to_string());
            fields[4] = us_date(&fields[4]);
            Ok(fields)
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(records, expected);
}

fn check_schedule(district: &District) {
    let records = fields_of(district, "imports/SCHEDULE.TXT", 12);
    assert_eq!(records.len(), district.ready.district.enrollments as usize);
    assert!(ids(&records, 1).is_sorted());
    let database = district.database();
    let mut names = database.prepare("SELECT Course_Number, Course_Name FROM Courses").unwrap();
    let courses: HashMap<String, String> =
        names.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    let mut row_of = database
        .prepare(
            "SELECT c.SchoolID, s.Student_Number, c.TermID, c.Course_Number, c.Section_Number,
                    COALESCE(c.Period_Obsolete, ''), sec.External_Expression, t.Last_Name, t.First_Name,
                    COALESCE(sec.Room, ''), t.TeacherNumber
               FROM CC c JOIN Students s ON s.ID = c.StudentID JOIN Sections sec ON sec.ID = c.SectionID
               JOIN Teachers t ON t.ID = c.TeacherID
              WHERE s.Student_Number = ?1 AND c.TermID = ?2 AND c.Course_Number = ?3 AND c.Section_Number = ?4",
        )
        .unwrap();
    for fields in records.iter().step_by(97) {
        let expected: Vec<String> = row_of
            .query_one((&fields[1], &fields[2], &fields[3], &fields[5]), |row| {
                let number = |column| row.get::<_, i64>(column).map(|number| number.to_string());
                Ok(vec![
                    number(0)?,
                    number(1)?,
                    number(2)?,
                    row.get(3)?,
                    String::new(),
                    row.get(4)?,
                    row.get(5)?,
                    row.get(6)?,
                    row.get(7)?,
                    row.get(8)?,
                    row.get(9)?,
                    row.get(10)?,
                ])
            })
            .unwrap();
        let mut without_name = fields.clone();
        assert_eq!(without_name[4], courses[&fields[3]]);
        without_name[4].clear();
        assert_eq!(without_name, expected);
    }
}

fn check_teachers(district: &District) {
    let records = fields_of(district, "imports/TEACHER.txt", 7);
    let database = district.database();
    let mut teachers = database
        .prepare(
            "SELECT SchoolID, Last_Name, First_Name, TeacherNumber, COALESCE(Email_Addr, ''), TeacherNumber, Status
               FROM Teachers WHERE SchoolID <> 999999 ORDER BY TeacherNumber, SchoolID",
        )
        .unwrap();
    let expected: Vec<Vec<String>> = teachers
        .query_map((), |row| {
            let number = |column| row.get::<_, i64>(column).map(|number| number.to_string());
            let text = |column| row.get::<_, String>(column);
            Ok(vec![number(0)?, text(1)?, text(2)?, text(3)?, text(4)?, text(5)?, number(6)?])
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(records, expected);
}

/// A file for each building, with exactly the active students of its school.
fn check_rosters(district: &District, setup: &Value, report: &Value) {
    let buildings = setup["mappings"]["buildings"].as_array().unwrap();
    assert_eq!(buildings.len(), district.ready.district.schools as usize);
    let database = district.database();
    let mut students = database
        .prepare("SELECT Student_Number FROM Students WHERE Enroll_Status = 0 AND SchoolID = ?1 ORDER BY 1")
        .unwrap();
    for building in buildings {
        let name = building["building"].as_str().unwrap();
        let path = district.raptor(&format!("roster/{name}.csv"));
        let mut file = csv::Reader::from_path(&path).unwrap();
        let header: Vec<&str> = file.headers().unwrap().iter().collect();
        assert_eq!(
            header,
            [
                "Building",
                "IdNumber",
                "FirstName",
                "MiddleName",
                "LastName",
                "DateOfBirth",
                "Grade",
                "Homeroom",
                "GuardianEmail",
                "Phone",
                "Status"
            ]
        );
        let rows: Vec<csv::StringRecord> = file.records().map(Result::unwrap).collect();
        assert!(rows.iter().all(|row| &row[0] == name && &row[10] == "Active"));
        let listed: Vec<i64> = rows.iter().map(|row| row[1].parse().unwrap()).collect();
        let enrolled: Vec<i64> = students
            .query_map([building["school"].as_i64()], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(listed, enrolled, "{name}");
        let digest = hex::encode(Sha256::digest(fs::read(&path).unwrap()));
        let files = report["files"].as_array().unwrap();
        assert!(
            files.iter().any(|file| file["sha256"] == digest && file["name"] == format!("roster/{name}.csv"))
        );
    }
}

/// Hero's export stays in place and a tardy file can come twice: neither writes anything again.
#[rstest]
#[case::as_documented("upsert")]
#[case::every_post_adds_a_row("insert")]
fn the_same_again_writes_nothing(#[case] mode: &str) {
    let district = District::start(&["--attendance", mode]);
    let profile = Profile::of(&district);
    profile.run(&["sync"]).done();
    let expected = district.day(&profile.setup());
    district.holds_each_once(&expected);

    fs::copy(
        district.raptor(&format!("processed/tardies-{DATE}.csv")),
        district.raptor("tardies-sent-again.csv"),
    )
    .unwrap();
    let again = profile.run(&["sync"]).done();
    assert_eq!(again.job("hero-attendance")["rows"]["noop"], 30);
    assert_eq!(again.job("hero-attendance")["rows"]["written"], 0);
    assert_eq!(again.job("raptor-tardies")["rows"]["noop"], 6);
    assert_eq!(again.job("raptor-tardies")["rows"]["written"], 0);
    district.holds_each_once(&expected);
    assert_eq!(
        files_in(&district.raptor("processed")),
        [format!("tardies-{DATE}.csv"), "tardies-sent-again.csv".to_owned()]
    );
}

/// A correction made in PowerSchool stands, though Hero's file still says otherwise.
#[test]
fn a_correction_in_powerschool_is_not_undone() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.run(&["sync"]).done();
    let writes = district.audit().len();
    let database = district.database();
    let corrected = database
        .execute(
            "UPDATE Attendance SET Attendance_CodeID = (
                SELECT ID FROM Attendance_Code c WHERE c.SchoolID = Attendance.SchoolID
                   AND c.YearID = Attendance.YearID AND c.Att_Code = 'A')
              WHERE DCID = (SELECT MAX(DCID) FROM Attendance)",
            (),
        )
        .unwrap();
    assert_eq!(corrected, 1);
    let again = profile.run(&["sync", "hero-attendance"]).done();
    assert_eq!(again.job("hero-attendance")["rows"]["noop"], 30);
    assert_eq!(district.audit().len(), writes);
}

/// Servers differ: older ones have no batches, small pages, or a plugin that was installed without its queries.
#[rstest]
#[case::no_batches(json!({"version": "23.9.0.0"}))]
#[case::oldest(json!({"version": "9.0.0.0"}))]
#[case::small_pages(json!({"page_limit": 50}))]
#[case::no_queries(json!({"no_powerqueries": true}))]
#[case::short_tokens(json!({"token_lifetime_seconds": 2}))]
fn every_supported_server_gets_the_same_exchange(#[case] server: Value) {
    let usual = District::start(&[]);
    Profile::of(&usual).run(&["sync"]).done();
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    district.faults(&server);
    profile.run(&["sync"]).done();
    district.holds_each_once(&district.day(&profile.setup()));
    for file in ["imports/STUDENT.TXT", "imports/SCHEDULE.TXT", "imports/TEACHER.txt"] {
        assert_eq!(fs::read(district.hero(file)).unwrap(), fs::read(usual.hero(file)).unwrap(), "{file}");
    }
}

/// What one practice district was sent says nothing about the next one.
#[test]
fn a_profile_that_moves_to_another_practice_district_starts_afresh() {
    let (first, second) = (District::start(&[]), District::start(&[]));
    let profile = Profile::of(&first);
    profile.run(&["sync"]).done();

    profile.run(&["setup", "import", "--practice", second.ready_file().to_str().unwrap()]).done();
    profile.run(&["sync"]).done();
    second.holds_each_once(&second.day(&profile.setup()));
}
