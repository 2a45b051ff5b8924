//! The real window, driven as a person would: from Welcome through all steps to a finished run, checked in the
//! practice district's own database and folders.
//!
//! Needs a display, a session bus with an unlocked keyring, and WebKitWebDriver: `cargo xtask test` provides them.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod bad_input;
mod desk;
mod districts;
mod driver;
mod hero;
mod powerschool;
mod print;
mod raptor;
mod shell;
mod support;
mod tray;

use std::{collections::BTreeMap, fs, path::Path};

use rusqlite::{Connection, OpenFlags};

use support::Window;

#[tokio::test(flavor = "multi_thread")]
async fn from_welcome_to_a_finished_run() {
    let window = Window::open().await;

    window.find("welcome-practice").await;
    window.picture("welcome").await;
    window.click("welcome-practice").await;
    assert!(window.value("field-url").await.starts_with("https://127.0.0.1:"));
    assert_eq!(window.value("field-client-id").await.len(), 36);
    window.click("test-powerschool").await;
    window.until("powerschool-stages", "data-passed", "true").await;
    window.picture("powerschool").await;
    window.click("step-next").await;

    window.find("building-row-0").await;
    window.until("buildings", "aria-busy", "false").await;
    window.picture("buildings").await;
    window.click("step-next").await;
    window.find("tardy-row-0").await;
    window.picture("tardies").await;
    window.click("step-next").await;

    // First contact: the key is shown, and nothing goes on before it is accepted.
    assert_eq!(window.value("field-hero-host").await, "127.0.0.1");
    window.click("test-hero").await;
    let shown = window.text("host-key-sha256").await;
    assert_eq!(shown, window.ready()["hero"]["host_key_sha256"].as_str().unwrap());
    window.picture("host-key").await;
    window.click("accept-host-key").await;
    window.until("hero-stages", "data-passed", "true").await;
    window.click("step-next").await;
    window.find("schedule-hero-students").await;
    window.picture("schedule").await;
    window.click("finish-setup").await;

    window.click("run-now").await;
    window.until("run-outcome", "data-outcome", "succeeded").await;
    window.until("job-raptor-tardies-written", "data-value", "6").await;
    window.picture("finished").await;
    window.click("close-run").await;
    window.picture("home").await;

    let district =
        Connection::open_with_flags(window.practice().join("district.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)
            .unwrap();
    for (name, expected) in [
        ("STUDENT.TXT", students(&district)),
        ("SCHEDULE.TXT", schedule(&district)),
        ("TEACHER.txt", teachers(&district)),
    ] {
        let sent = fs::read(window.practice().join("hero/imports").join(name)).unwrap();
        assert!(!sent.is_empty());
        assert!(String::from_utf8(sent).unwrap() == expected, "{name} is not the district's");
    }
    attendance_arrived(&district, &window.practice());

    let status = window.command_line(&["status"]);
    assert_eq!(status["data"]["profile"], "practice");
    assert_eq!(status["data"]["held"], 0);
    let runs = window.command_line(&["runs"]);
    assert_eq!(runs["data"]["runs"][0]["outcome"], "succeeded");
    window.close().await;
}

/// A file of Hero's from a query: tab, CRLF, no header.
fn file(district: &Connection, query: &str) -> String {
    let mut statement = district.prepare(query).unwrap();
    let columns = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    let mut text = String::new();
    while let Some(row) = rows.next().unwrap() {
        for column in 0..columns {
            if column > 0 {
                text.push('\t');
            }
            match row.get_ref(column).unwrap() {
                rusqlite::types::ValueRef::Null => {}
                rusqlite::types::ValueRef::Integer(number) => text.push_str(&number.to_string()),
                other => text.push_str(other.as_str().unwrap()),
            }
        }
        text.push_str("\r\n");
    }
    text
}

/// STUDENT.TXT, computed from the district's tables alone.
fn students(district: &Connection) -> String {
    file(
        district,
        "SELECT student_number, first_name, last_name, middle_name,
                substr(dob, 6, 2) || '/' || substr(dob, 9, 2) || '/' || substr(dob, 1, 4),
                mailing_street, mailing_city, mailing_state, mailing_zip, guardianemail, home_phone, grade_level
         FROM students WHERE enroll_status = 0 AND schoolid <> 999999 ORDER BY student_number",
    )
}

/// SCHEDULE.TXT, computed from the district's tables alone.
fn schedule(district: &Connection) -> String {
    file(
        district,
        "SELECT cc.schoolid, students.student_number, cc.termid, cc.course_number, courses.course_name,
                cc.section_number, cc.period_obsolete,
                coalesce(nullif(sections.external_expression, ''), cc.expression), teachers.last_name, teachers.first_name,
                sections.room, teachers.teachernumber
         FROM cc JOIN students ON students.id = cc.studentid JOIN courses ON courses.course_number = cc.course_number
              JOIN sections ON sections.id = cc.sectionid JOIN teachers ON teachers.id = cc.teacherid
         WHERE cc.termid > 0 AND cc.sectionid > 0 AND cc.schoolid <> 999999
               AND cc.termid / 100 = (SELECT yearid FROM terms JOIN (SELECT max(att_date) AS today FROM attendance)
                                      WHERE firstday <= today AND today <= lastday)
         ORDER BY students.student_number, cc.termid, cc.course_number, cc.section_number, cc.id",
    )
}

/// TEACHER.txt, computed from the district's tables alone.
fn teachers(district: &Connection) -> String {
    file(
        district,
        "SELECT schoolid, last_name, first_name, teachernumber, email_addr, teachernumber, status
         FROM teachers WHERE schoolid IN (SELECT school_number FROM schools WHERE school_number <> 999999)
         ORDER BY teachernumber, schoolid, id",
    )
}

/// Every row of Hero's export and every tardy of Raptor's stands in the district's attendance table, once.
fn attendance_arrived(district: &Connection, practice: &Path) {
    let export = fs::read(practice.join("hero/export/ATTENDANCE.txt")).unwrap();
    // The practice export holds nothing beyond ASCII, which windows-1252 shares.
    let export = String::from_utf8(export).unwrap();
    let mut expected: BTreeMap<(i64, String), u32> = BTreeMap::new();
    for line in export.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [_, student, _, _, date, code, _] = fields[..] else { panic!("{line}") };
        assert_eq!(code, "T");
        let date = format!("{}-{}-{}", &date[6..10], &date[0..2], &date[3..5]);
        *expected.entry((student.parse().unwrap(), date)).or_default() += 1;
    }
    let processed: Vec<_> =
        fs::read_dir(practice.join("raptor/processed")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(processed.len(), 1, "the tardy file was moved when its rows were decided");
    for line in fs::read_to_string(&processed[0]).unwrap().lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        *expected.entry((fields[1].parse().unwrap(), fields[2][..10].to_owned())).or_default() += 1;
    }
    assert!(expected.len() > 20);

    let mut statement = district
        .prepare(
            "SELECT students.student_number, attendance.att_date, count(*)
             FROM attendance JOIN students ON students.id = attendance.studentid
                  JOIN attendance_code ON attendance_code.id = attendance.attendance_codeid
             WHERE attendance_code.att_code = 'T' AND attendance.att_date = (SELECT max(att_date) FROM attendance)
             GROUP BY 1, 2",
        )
        .unwrap();
    let recorded: BTreeMap<(i64, String), u32> = statement
        .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(recorded, expected);
}
