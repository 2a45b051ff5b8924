//! Hero's part of the set-up: a second account over a connection of its own, whose key was made in the window. Who sends
//! what, the ticks of the sheet and what was entered outlive the app; the files arrive at the second account.

use std::{collections::BTreeSet, fs, path::Path};

use fantoccini::Locator;
use rusqlite::{Connection, OpenFlags};
use serde_json::json;

use crate::support::Window;

const OTHER_KEY: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// WebDriver's keys.
const ENTER: &str = "\u{E007}";
const ESCAPE: &str = "\u{E00C}";
const DOWN: &str = "\u{E015}";

#[tokio::test(flavor = "multi_thread")]
async fn a_second_account_is_made_and_sent_to() {
    let window = Window::open().await;
    window.click("welcome-practice").await;
    window.find("field-url").await;
    window.click("step-hero").await;
    a_pasted_fingerprint_decides(&window).await;

    let ready = window.ready();
    let school = ready["hero_accounts"][0]["schools"].as_array().unwrap().last().unwrap().as_i64().unwrap();
    let account = json!({"name": "One school", "level": "school", "schools": [school]});
    let account = window.ask("hero/accounts", &account);
    let username = account["username"].as_str().unwrap();
    let connection = signs_in_with_a_new_key(&window, username).await;

    add_the_account(&window, school).await;
    turn_away_and_back(&window).await;
    as_entered(&window, school).await;
    who_sends(&window).await;
    a_tick_stays(&window).await;
    the_order_of_the_day(&window).await;

    window.click("setup-close").await;
    window.find("run-now-hero").await;
    let window = window.restart().await;
    window.click("welcome-practice").await;
    window.find("row-hero-teachers-2").await;
    window.click("open-setup").await;
    window.click("step-hero").await;
    let connections = window.text("connections").await;
    assert!(connections.contains("Hero for one school"), "{connections}");
    window.click(&format!("connection-{connection}")).await;
    window.find(&format!("field-{connection}-key-stored")).await;
    window.click("account-2").await;
    as_entered(&window, school).await;
    window.until("hero-teachers-2-owner-power_school", "data-state", "checked").await;
    ticked(&window).await;

    // What PowerSchool has not sent is told, and that nothing lies there.
    window.click("files-look").await;
    window.says("watched-hero-teachers-2", "imports/TEACHER.txt").await;
    window.says("remote-files", "No files.").await;

    window.click("setup-close").await;
    window.click("run-now-hero").await;
    window.until("run-outcome", "data-outcome", "succeeded").await;
    window.picture("two-accounts").await;
    let folder = Path::new(account["folder"].as_str().unwrap()).join("imports");
    sent_to_the_second_account(&window, &folder, school);
    window.click("close-run").await;
    window.click("open-setup").await;
    window.click("step-hero").await;
    window.click("account-2").await;
    window.click("files-look").await;
    window.says("remote-files", "STUDENT.TXT").await;
    window.picture("files-at-hero").await;
    window.close().await;
}

/// Whether the page has such a part now.
async fn shows(window: &Window, id: &str) -> bool {
    window.client.find(Locator::Css(&format!("[data-testid='{id}']"))).await.is_ok()
}

/// The fingerprint that the vendor gave is compared with the server's before anything is asked.
async fn a_pasted_fingerprint_decides(window: &Window) {
    window.fill("field-hero-fingerprint", OTHER_KEY).await;
    window.click("test-hero").await;
    window.told("sftp.host_key_mismatch").await;
    assert!(!shows(window, "host-key-question").await, "it was asked all the same");
    let accepted = || window.command_line(&["connections", "history", "hero"])["data"]["accepted"].clone();
    assert_eq!(accepted(), json!([]));
    window.picture("fingerprint-refused").await;

    let ready = window.ready();
    let right = ready["hero"]["host_key_sha256"].as_str().unwrap();
    window.fill("field-hero-fingerprint", right).await;
    window.click("test-hero").await;
    window.until("hero-stages", "data-passed", "true").await;
    assert!(!shows(window, "host-key-question").await, "it was asked all the same");
    assert_eq!(accepted()[0]["sha256"], right);
}

/// A managed connection whose private key never was anywhere but in the keychain. Its id.
async fn signs_in_with_a_new_key(window: &Window, username: &str) -> String {
    let connections = window.command_line(&["connections", "list"]);
    let id = connections["data"]["next"].as_str().unwrap().to_owned();
    let ready = window.ready();
    window.click("connection-create").await;
    for (field, entered) in [
        ("name", "Hero for one school"),
        ("host", "sftp://127.0.0.1"),
        ("port", &ready["hero"]["port"].to_string()),
        ("username", username),
    ] {
        window.fill(&format!("field-{id}-{field}"), entered).await;
    }
    window.click(&format!("{id}-sign-in-private_key")).await;
    window.click(&format!("generate-{id}-key")).await;
    let line = window.text(&format!("{id}-public-key")).await;
    assert!(line.starts_with("ssh-ed25519 AAAA"), "{line}");
    window.picture("generated-key").await;

    window.click(&format!("test-{id}")).await;
    window.told("sftp.auth_refused").await;
    let settings = json!({"public_key": line, "refuse_password": true});
    window.control("hero/settings", &json!({"account": username, "settings": settings}));
    window.click(&format!("test-{id}")).await;
    window.until(&format!("{id}-stages"), "data-passed", "true").await;
    id
}

/// The account of one school: its student file with commas, and no import.
async fn add_the_account(window: &Window, school: i64) {
    window.click("account-add").await;
    window.fill("account-name", "One school").await;
    // It is offered what no other account uses.
    assert_eq!(window.value("account-connection").await, "Hero for one school");
    window.click("account-schools-some").await;
    window.find("account-schools-add").await.send_keys(&school.to_string()).await.unwrap();
    window.find("account-schools-add").await.send_keys(&[DOWN, ENTER].concat()).await.unwrap();
    window.find(&format!("account-schools-remove-{school}")).await;

    window.click("hero-students-2-change").await;
    window.click("hero-students-2-format").await;
    window.click("hero-students-2-delimiter-comma").await;
    window.click("hero-attendance-2-change").await;
    window.click("hero-attendance-2-off").await;
}

/// To another step and back, which saves this one and draws it anew.
async fn turn_away_and_back(window: &Window) {
    window.click("step-schedule").await;
    window.find("schedule-hero-students").await;
    window.click("step-hero").await;
    window.click("account-2").await;
}

/// Checks what [`add_the_account`] has entered, and the preview that goes with it.
async fn as_entered(window: &Window, school: i64) {
    assert_eq!(window.value("account-name").await, "One school");
    window.find(&format!("account-schools-remove-{school}")).await;
    window.click("hero-students-2-change").await;
    window.click("hero-students-2-format").await;
    window.until("hero-students-2-delimiter-comma", "data-state", "checked").await;
    window.says("hero-students-2-preview", "from what PowerSchool had").await;
    window.says("hero-students-2-preview", "Mailing_Street").await;
    window.picture("preview").await;
    window.click("hero-students-2-change").await;
    window.click("hero-attendance-2-change").await;
    window.until("hero-attendance-2-off", "data-state", "checked").await;
    window.click("hero-attendance-2-change").await;
}

/// PowerSchool takes two exchanges over, and gives one of them back.
async fn who_sends(window: &Window) {
    for job in ["hero-schedule-2", "hero-teachers-2"] {
        window.click(&format!("{job}-owner-power_school")).await;
        window.click("hand-over-do").await;
        window.until(&format!("{job}-owner-power_school"), "data-state", "checked").await;
        window.gone("hand-over-do").await;
    }
    window.click("hero-schedule-2-owner-roster_bridge").await;
    assert!(
        !window.find("hand-over-do").await.is_enabled().await.unwrap(),
        "nobody said that PowerSchool stops"
    );
    window.fill("hand-over-record", "Hero Schedule, one school").await;
    window.click("hand-over-confirm").await;
    window.click("hand-over-do").await;
    window.until("hero-schedule-2-owner-roster_bridge", "data-state", "checked").await;
    window.gone("hand-over-do").await;
}

async fn a_tick_stays(window: &Window) {
    window.click("sheet-open").await;
    window.click("screen-teachers").await;
    window.until("tick-teachers/path", "aria-checked", "false").await;
    window.click("tick-teachers/path").await;
    window.until("tick-teachers/path", "aria-checked", "true").await;
    window.picture("sheet").await;
    leave_the_sheet(window).await;
    turn_away_and_back(window).await;
    ticked(window).await;
}

/// The one row of the second account's sheet is ticked, and no other.
async fn ticked(window: &Window) {
    window.click("sheet-open").await;
    window.click("screen-teachers").await;
    window.until("tick-teachers/path", "aria-checked", "true").await;
    window.until("tick-teachers/name", "aria-checked", "false").await;
    leave_the_sheet(window).await;
}

async fn leave_the_sheet(window: &Window) {
    window.client.active_element().await.unwrap().send_keys(ESCAPE).await.unwrap();
    window.gone("sheet-print").await;
}

/// What happens when, and that Hero would take in the files before they are sent.
async fn the_order_of_the_day(window: &Window) {
    window.says("day", "Hero Teacher Info (teachers, sent by PowerSchool)").await;
    window.fill("hero-imports-at", "2:00 AM").await;
    window.click("day-look").await;
    window.find("day-warning-export_after_hero").await;
    window.says("day", "2:00 AM").await;
    window.picture("day").await;
}

/// The students of the school are in the second account's file and in no other; PowerSchool's own file was left to it.
fn sent_to_the_second_account(window: &Window, folder: &Path, school: i64) {
    let database = window.practice().join("district.db");
    let district = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut students = district
        .prepare("SELECT student_number FROM students WHERE enroll_status = 0 AND schoolid = ?")
        .unwrap();
    let students: BTreeSet<i64> =
        students.query_map([school], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(!students.is_empty());

    let numbers = |file: &Path, delimiter: char| -> BTreeSet<i64> {
        let text = fs::read_to_string(file).unwrap();
        text.split_terminator("\r\n")
            .map(|row| row.split(delimiter).next().unwrap().parse().unwrap())
            .collect()
    };
    assert_eq!(numbers(&folder.join("STUDENT.TXT"), ','), students);
    let others = numbers(&window.practice().join("hero/imports/STUDENT.TXT"), '\t');
    assert!(!others.is_empty() && others.is_disjoint(&students));
    let schedule = fs::read_to_string(folder.join("SCHEDULE.TXT")).unwrap();
    assert!(!schedule.is_empty() && schedule.lines().all(|row| row.starts_with(&format!("{school}\t"))));
    assert!(!folder.join("TEACHER.txt").exists(), "PowerSchool sends it");
}
