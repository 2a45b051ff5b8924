//! Attendance writes, their log, and answers that never come.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its parts fails")]

mod support;

use std::time::Duration;

use reqwest::{Method, StatusCode};
use rosterbridge_practice::{AttendanceFault, AttendanceMode, Faults};
use rstest::rstest;
use serde_json::{Value, json};
use support::{DATE, Practice, attendance, json_of};

/// A record for a student of an elementary school, who has no attendance yet that day.
fn daily(practice: &Practice, code: &str) -> Value {
    daily_of(practice, code, 0)
}

fn daily_of(practice: &Practice, code: &str, nth: u32) -> Value {
    practice
        .database()
        .query_row(
            "SELECT S.ID, S.SchoolID, C.ID, D.ID FROM Students S
               JOIN Schools H ON H.School_Number = S.SchoolID AND H.High_Grade = 5
               JOIN Attendance_Code C ON C.SchoolID = S.SchoolID AND C.YearID = 36 AND C.Att_Code = ?1
               JOIN Calendar_Day D ON D.SchoolID = S.SchoolID AND D.Date_Value = ?2
              WHERE S.Enroll_Status = 0
                AND NOT EXISTS (SELECT 1 FROM Attendance A WHERE A.StudentID = S.ID AND A.Att_Date = ?2)
              ORDER BY S.ID LIMIT 1 OFFSET ?3",
            (code, DATE, nth),
            |row| {
                Ok(json!({
                    "studentid": row.get::<_, i64>(0)?,
                    "schoolid": row.get::<_, i64>(1)?,
                    "attendance_codeid": row.get::<_, i64>(2)?,
                    "calendar_dayid": row.get::<_, i64>(3)?,
                    "att_date": DATE,
                    "yearid": 36,
                    "att_mode_code": "ATT_ModeDaily",
                }))
            },
        )
        .unwrap()
}

/// A record for a class of a high school student that meets that day.
fn meeting(practice: &Practice) -> Value {
    practice
        .database()
        .query_row(
            "SELECT CC.StudentID, CC.SchoolID, C.ID, D.ID, CC.ID, P.ID, B.Start_Time, B.End_Time FROM CC
               JOIN Schools H ON H.School_Number = CC.SchoolID AND H.High_Grade = 12
               JOIN Section_Meeting M ON M.SectionID = CC.SectionID
               JOIN Calendar_Day D ON D.SchoolID = CC.SchoolID AND D.Date_Value = ?1
               JOIN Cycle_Day Y ON Y.ID = D.Cycle_Day_ID AND Y.Letter = M.Cycle_Day_Letter
               JOIN Period P ON P.SchoolID = CC.SchoolID AND P.Year_ID = 36 AND P.Period_Number = M.Period_Number
               JOIN Bell_Schedule_Items B ON B.Bell_Schedule_ID = D.Bell_Schedule_ID AND B.Period_ID = P.ID
               JOIN Attendance_Code C ON C.SchoolID = CC.SchoolID AND C.YearID = 36 AND C.Att_Code = 'T'
              WHERE CC.DateEnrolled <= ?1 AND CC.DateLeft > ?1
                AND NOT EXISTS (SELECT 1 FROM Attendance A WHERE A.StudentID = CC.StudentID AND A.Att_Date = ?1)
              ORDER BY CC.ID LIMIT 1",
            [DATE],
            |row| {
                Ok(json!({
                    "studentid": row.get::<_, i64>(0)?.to_string(),
                    "schoolid": row.get::<_, i64>(1)?,
                    "attendance_codeid": row.get::<_, i64>(2)?,
                    "calendar_dayid": row.get::<_, i64>(3)?,
                    "ccid": row.get::<_, i64>(4)?,
                    "periodid": row.get::<_, i64>(5)?.to_string(),
                    "start_time": row.get::<_, i64>(6)?,
                    "end_time": row.get::<_, i64>(7)?,
                    "att_date": DATE,
                    "yearid": "36",
                    "att_mode_code": "ATT_ModeMeeting",
                }))
            },
        )
        .unwrap()
}

async fn post(practice: &Practice, endpoint: &str, records: &[Value]) -> (StatusCode, Value) {
    let response = practice
        .request(Method::POST, &format!("/ws/attendance/{endpoint}"))
        .json(&attendance(records))
        .send()
        .await
        .unwrap();
    let status = response.status();
    (status, response.json().await.unwrap())
}

fn with(mut record: Value, field: &str, value: Value) -> Value {
    record[field] = value;
    record
}

fn rows_of(practice: &Practice, record: &Value) -> i64 {
    practice.number(&format!(
        "SELECT COUNT(*) FROM Attendance WHERE StudentID = {} AND Att_Date = '{DATE}'",
        record["studentid"].as_str().map_or_else(|| record["studentid"].to_string(), ToOwned::to_owned)
    ))
}

#[rstest]
#[case::upsert(AttendanceMode::Upsert, "UPDATE", 1)]
#[case::insert(AttendanceMode::Insert, "INSERT", 2)]
#[tokio::test]
async fn a_second_post_updates_or_adds(
    #[case] mode: AttendanceMode,
    #[case] action: &str,
    #[case] rows: i64,
    #[values(true, false)] by_meeting: bool,
) {
    let practice = Practice::with_attendance(mode).await;
    let (endpoint, record) = if by_meeting {
        ("meeting_interval", meeting(&practice))
    } else {
        ("daily_time", daily(&practice, "T"))
    };
    let record = with(record, "client_uid", json!("row-1"));
    let (status, first) = post(&practice, endpoint, std::slice::from_ref(&record)).await;
    assert_eq!(status, StatusCode::OK, "{first}");
    assert_eq!(first["results"]["insert_count"], 1);
    assert_eq!(first["results"]["update_count"], 0);
    // A single result collapses.
    let result = &first["results"]["result"];
    assert_eq!((&result["client_uid"], &result["status"]), (&json!("row-1"), &json!("SUCCESS")));
    assert_eq!(result["action"], "INSERT");
    let dcid = result["success_message"]["id"].as_i64().unwrap();
    assert_eq!(
        practice.number(&format!("SELECT COUNT(*) FROM Attendance WHERE DCID = {dcid} AND ID <> DCID")),
        1
    );

    let (_, second) = post(&practice, endpoint, std::slice::from_ref(&record)).await;
    assert_eq!(second["results"]["result"]["action"], action);
    assert_eq!(rows_of(&practice, &record), rows);

    // With its dcid a row is updated in either mode.
    let (_, third) = post(&practice, endpoint, &[with(record.clone(), "dcid", dcid.into())]).await;
    assert_eq!(third["results"]["result"]["action"], "UPDATE");
    assert_eq!(third["results"]["result"]["success_message"]["id"], dcid);
    assert_eq!(rows_of(&practice, &record), rows);

    let audit = practice.audit().await;
    assert_eq!(audit.len(), 3);
    let seqs: Vec<i64> = audit.iter().map(|write| write["seq"].as_i64().unwrap()).collect();
    assert_eq!(seqs, [1, 2, 3]);
    for (name, field) in
        [("studentid", "studentid"), ("ccid", "ccid"), ("attendance_codeid", "attendance_codeid")]
    {
        let sent = record.get(field).map_or("0".into(), |value| value.to_string().replace('"', ""));
        assert_eq!(audit[0][name].to_string(), sent, "{name}");
    }
    assert_eq!((&audit[0]["att_date"], &audit[0]["att_mode_code"]), (&json!(DATE), &record["att_mode_code"]));
}

#[tokio::test]
async fn a_record_that_names_what_is_not_there_is_an_error_in_a_good_answer() {
    let practice = Practice::with_attendance(AttendanceMode::Upsert).await;
    let good = daily(&practice, "T");
    let elsewhere = practice
        .number("SELECT ID FROM Attendance_Code WHERE YearID = 36 ORDER BY SchoolID DESC, ID LIMIT 1");
    let last_year =
        practice.number("SELECT ID FROM Attendance_Code WHERE YearID = 35 AND Att_Code = 'T' LIMIT 1");
    let dcid =
        practice.number("SELECT DCID FROM Attendance_Code WHERE YearID = 36 ORDER BY DCID DESC LIMIT 1");
    for (field, value, blamed) in [
        ("attendance_codeid", json!(elsewhere), "attendance_codeid"),
        ("attendance_codeid", json!(last_year), "attendance_codeid"),
        ("attendance_codeid", json!(dcid), "attendance_codeid"),
        ("studentid", json!(1), "studentid"),
        ("schoolid", json!(1), "schoolid"),
        ("yearid", json!(35), "yearid"),
        ("calendar_dayid", json!(1), "calendar_dayid"),
        ("att_date", json!("2026-11-21"), "att_date"),
        ("dcid", json!(1), "dcid"),
    ] {
        let mut record = with(good.clone(), field, value);
        if field == "att_date" {
            record.as_object_mut().unwrap().remove("calendar_dayid");
        }
        let (status, answer) = post(&practice, "daily_time", &[record]).await;
        assert_eq!(status, StatusCode::OK, "{field}: {answer}");
        let result = &answer["results"]["result"];
        assert_eq!(result["status"], "ERROR", "{field}");
        assert_eq!(result["error_message"]["error"]["field"], blamed, "collapsed when single");
        assert_eq!(
            (&answer["results"]["insert_count"], &answer["results"]["update_count"]),
            (&json!(0), &json!(0))
        );
    }
    assert_eq!(rows_of(&practice, &good), 0);
    assert!(practice.audit().await.is_empty());
}

#[rstest]
#[case("start_time", Value::Null, StatusCode::BAD_REQUEST)]
#[case("end_time", Value::Null, StatusCode::BAD_REQUEST)]
#[case("ccid", Value::Null, StatusCode::BAD_REQUEST)]
#[case("periodid", Value::Null, StatusCode::BAD_REQUEST)]
#[case("studentid", Value::Null, StatusCode::BAD_REQUEST)]
#[case("att_date", json!("11/20/2026"), StatusCode::BAD_REQUEST)]
#[case("att_mode_code", json!("ATT_ModeDaily"), StatusCode::BAD_REQUEST)]
#[case("start_time", json!(1), StatusCode::OK)]
#[case("ccid", json!(1), StatusCode::OK)]
#[tokio::test]
async fn a_meeting_needs_all_its_fields(
    #[case] field: &str,
    #[case] value: Value,
    #[case] expected: StatusCode,
) {
    let practice = Practice::with_attendance(AttendanceMode::Upsert).await;
    let good = meeting(&practice);
    let (status, answer) = post(&practice, "meeting_interval", &[with(good, field, value)]).await;
    assert_eq!(status, expected, "{answer}");
    let blamed = if status == StatusCode::OK {
        &answer["results"]["result"]["error_message"]["error"]["field"]
    } else {
        &answer["errors"][0]["field"]
    };
    assert_eq!(blamed, field);
    assert!(practice.audit().await.is_empty());
}

#[tokio::test]
async fn batches_and_meetings_have_their_limits() {
    let practice = Practice::with_attendance(AttendanceMode::Upsert).await;
    let (one, two) = (daily(&practice, "T"), daily_of(&practice, "A", 1));
    let (status, answer) = post(&practice, "batch_daily_time", &[one.clone(), two.clone()]).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["results"]["result"].as_array().unwrap().len(), 2);
    let many = vec![one.clone(); 201];
    assert_eq!(post(&practice, "batch_daily_time", &many).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(post(&practice, "daily_time", &[one.clone(), two]).await.0, StatusCode::BAD_REQUEST);
    let meeting = meeting(&practice);
    let other = with(meeting.clone(), "studentid", one["studentid"].clone());
    assert_eq!(post(&practice, "meeting_interval", &[meeting, other]).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(practice.audit().await.len(), 2);

    // A batch with a broken record: a 400 that hides what went in before it.
    let third = daily_of(&practice, "T", 0);
    let broken = with(third.clone(), "studentid", Value::Null);
    assert_eq!(
        post(&practice, "batch_daily_time", &[third.clone(), broken]).await.0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(rows_of(&practice, &third), 1);
    assert_eq!(practice.audit().await.len(), 3);
}

#[tokio::test]
async fn writing_needs_full_access() {
    let practice = Practice::with_attendance(AttendanceMode::Upsert).await;
    let missing_access = vec!["attendance.attendance_codeid".to_owned()];
    practice.running.set_faults(Faults { missing_access, ..Faults::default() });
    let (status, answer) = post(&practice, "daily_time", &[daily(&practice, "T")]).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(answer["errors"][0]["field"], "attendance.attendance_codeid");
}

#[rstest]
#[case::applied(AttendanceFault::ApplyThenDrop { n: 1 }, 1)]
#[case::not_applied(AttendanceFault::DropBeforeApply { n: 1 }, 0)]
#[tokio::test]
async fn a_dropped_connection_leaves_no_answer(#[case] fault: AttendanceFault, #[case] rows: i64) {
    let practice = Practice::with_attendance(AttendanceMode::Insert).await;
    practice.running.set_faults(Faults { attendance: Some(fault), ..Faults::default() });
    let record = daily(&practice, "T");
    let request = practice.request(Method::POST, "/ws/attendance/daily_time");
    let error = request.json(&attendance(std::slice::from_ref(&record))).send().await.unwrap_err();
    assert!(!error.is_timeout() && !error.is_status(), "{error:?}");
    assert_eq!(rows_of(&practice, &record), rows);
    assert_eq!(practice.audit().await.len(), usize::try_from(rows).unwrap());
    // Once only.
    let (status, _) = post(&practice, "daily_time", std::slice::from_ref(&record)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(rows_of(&practice, &record), rows + 1);
}

#[tokio::test]
async fn a_late_write_comes_after_the_client_gave_up() {
    let practice = Practice::with_attendance(AttendanceMode::Insert).await;
    let fault = Some(AttendanceFault::ApplyLate { n: 1, seconds: 0 });
    practice.running.set_faults(Faults { attendance: fault, ..Faults::default() });
    let record = daily(&practice, "T");
    let request = practice.request(Method::POST, "/ws/attendance/daily_time");
    let request =
        request.json(&attendance(std::slice::from_ref(&record))).timeout(Duration::from_millis(200));
    assert!(request.send().await.unwrap_err().is_timeout());
    // The log is asked until the write shows; a write that never comes ends in the test's time limit.
    while practice.audit().await.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(rows_of(&practice, &record), 1);
}

#[tokio::test]
async fn the_log_needs_no_certificate() {
    let practice = Practice::with_attendance(AttendanceMode::Upsert).await;
    let url = &practice.running.ready().audit_url;
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    let answer = json_of(
        reqwest::Client::builder().no_proxy().build().unwrap().get(url).send().await.unwrap(),
        StatusCode::OK,
    )
    .await;
    assert_eq!(answer, json!({"writes": []}));
}
