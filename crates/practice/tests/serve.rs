//! Starting, stopping, and what stays between starts.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its parts fails")]

mod support;

use chrono::NaiveDate;
use rosterbridge_practice::{Ready, ServeOptions};
use serde_json::{Value, json};
use support::{Practice, attendance, json_of, options};

#[tokio::test]
async fn everything_but_the_district_survives_a_restart_with_another_seed() {
    let folder = tempfile::tempdir().unwrap();
    let options = ServeOptions { data: Some(folder.path().join("practice")), ..options() };
    let first = Practice::start(options.clone()).await;
    let before = first.running.ready().clone();
    let uuid = |metadata: Value| metadata["metadata"]["district_uuid"].clone();
    let first_uuid = uuid(first.get("/ws/v1/metadata").await);
    let names = |practice: &Practice| -> Vec<String> {
        let database = practice.database();
        let mut statement = database.prepare("SELECT LastFirst || DOB FROM Students ORDER BY ID").unwrap();
        statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let students = names(&first);
    let record: Value = first
        .database()
        .query_row(
            "SELECT S.ID, S.SchoolID, C.ID FROM Students S
               JOIN Attendance_Code C ON C.SchoolID = S.SchoolID AND C.YearID = 36 AND C.Att_Code = 'T'
              WHERE S.Enroll_Status = 0 LIMIT 1",
            (),
            |row| {
                Ok(json!({
                    "studentid": row.get::<_, i64>(0)?,
                    "schoolid": row.get::<_, i64>(1)?,
                    "attendance_codeid": row.get::<_, i64>(2)?,
                    "att_date": support::DATE, "yearid": 36, "att_mode_code": "ATT_ModeDaily",
                }))
            },
        )
        .unwrap();
    let request = first.request(reqwest::Method::POST, "/ws/attendance/daily_time");
    json_of(request.json(&attendance(&[record])).send().await.unwrap(), reqwest::StatusCode::OK).await;
    first.running.stop().await;

    // The same options, without date and plugin: everything as it was, writes included.
    let again = Practice::start(ServeOptions { date: None, plugin: None, ..options.clone() }).await;
    same_identity(again.running.ready(), &before);
    assert_eq!(names(&again), students);
    assert_eq!(uuid(again.get("/ws/v1/metadata").await), first_uuid);
    assert_eq!(again.audit().await.len(), 1);
    again.query("students", "", &json!({"status": 0})).await;
    again.running.stop().await;

    // A later day of the same people.
    let later = NaiveDate::from_ymd_opt(2027, 1, 11);
    let moved = Practice::start(ServeOptions { date: later, ..options.clone() }).await;
    same_identity(moved.running.ready(), &before);
    assert_eq!(names(&moved), students);
    assert_eq!(uuid(moved.get("/ws/v1/metadata").await), first_uuid);
    let time = moved.get("/ws/v1/time").await["time"]["dateTime"].as_str().unwrap().to_owned();
    assert!(time.starts_with("2027-01-11"), "{time}");
    moved.running.stop().await;

    let other = Practice::start(ServeOptions { seed: 2, ..options }).await;
    same_identity(other.running.ready(), &before);
    assert_ne!(names(&other), students);
    assert_ne!(uuid(other.get("/ws/v1/metadata").await), first_uuid, "another district");
    assert!(other.audit().await.is_empty());
    other.running.stop().await;
}

fn same_identity(now: &Ready, before: &Ready) {
    assert_eq!(now.powerschool.url, before.powerschool.url);
    assert_eq!(now.powerschool.ca_pem, before.powerschool.ca_pem);
    assert_eq!(now.powerschool.client_id, before.powerschool.client_id);
    assert_eq!(now.powerschool.client_secret, before.powerschool.client_secret);
    assert_eq!(now.hero.port, before.hero.port);
    assert_eq!(now.hero.host_key_sha256, before.hero.host_key_sha256);
    assert_eq!((&now.hero.username, &now.hero.password), (&before.hero.username, &before.hero.password));
    assert_eq!(now.mail.port, before.mail.port);
    assert_eq!(now.audit_url, before.audit_url);
}

#[tokio::test]
async fn a_port_that_is_taken_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let options = ServeOptions { data: Some(folder.path().to_owned()), ..options() };
    let first = Practice::start(options.clone()).await;
    let port = first.running.ready().mail.port;
    first.running.stop().await;
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let second = Practice::start(options).await;
    assert_ne!(second.running.ready().mail.port, port);
}

#[tokio::test]
async fn the_ready_file_is_there_while_it_serves() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ready.json");
    let practice = Practice::start(ServeOptions { ready_file: Some(file.clone()), ..options() }).await;
    let ready: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(ready, serde_json::to_value(practice.running.ready()).unwrap());
    let keys: Vec<&str> = ready.as_object().unwrap().keys().map(String::as_str).collect();
    for key in ["powerschool", "hero", "hero_accounts", "raptor", "mail", "audit_url", "district"] {
        assert!(keys.contains(&key), "{key}");
    }
    assert_eq!(keys.len(), 7);
    assert_eq!((&ready["district"]["students"], &ready["district"]["schools"]), (&json!(150), &json!(5)));
    assert!(ready["hero"]["host_key_sha256"].as_str().unwrap().starts_with("SHA256:"));
    assert!(practice.running.ready().raptor.folder.join("buildings.csv").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let identity = practice.running.data().join("identity.json");
        assert_eq!(std::fs::metadata(identity).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let district: Value = practice
        .client
        .get(format!("{}/district", practice.running.control_url()))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(district, json!({"date": support::DATE, "district": ready["district"]}));
    practice.running.stop().await;
    assert!(!file.exists());
}

#[tokio::test]
async fn a_folder_serves_one_district_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let options = ServeOptions { data: Some(folder.path().to_owned()), ..options() };
    let first = Practice::start(options.clone()).await;
    let Err(error) = rosterbridge_practice::start(options.clone()).await else { panic!("it started twice") };
    assert_eq!(error.code(), "practice.in_use");
    first.running.stop().await;
    Practice::start(options).await.running.stop().await;
}

#[tokio::test]
async fn serve_ends_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ready.json");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let options = ServeOptions { ready_file: Some(file.clone()), ..options() };
    let serving = tokio::spawn(rosterbridge_practice::serve(options, async {
        let _ = stopped.await;
    }));
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    assert!(!file.exists());
}

#[tokio::test]
async fn a_folder_that_was_no_practice_districts_keeps_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let letter = folder.path().join("raptor/letter.txt");
    std::fs::create_dir(folder.path().join("raptor")).unwrap();
    std::fs::write(&letter, "mine").unwrap();
    let practice = Practice::start(ServeOptions { data: Some(folder.path().into()), ..options() }).await;
    practice.running.stop().await;
    assert_eq!(std::fs::read_to_string(letter).unwrap(), "mine");
}

#[tokio::test]
async fn a_ready_file_left_behind_is_gone_before_anything_can_fail() {
    let folder = tempfile::tempdir().unwrap();
    let (data, ready_file) = (folder.path().join("practice"), folder.path().join("ready.json"));
    std::fs::write(&ready_file, "{}").unwrap();
    let impossible =
        ServeOptions { students: 0, data: Some(data), ready_file: Some(ready_file.clone()), ..options() };
    assert!(rosterbridge_practice::start(impossible).await.is_err());
    assert!(!ready_file.exists());
}
