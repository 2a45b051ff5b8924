//! Writing attendance: how records are sent, and what each answer means for each record.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::stub::{Asked, Reply, Stub, client_of, connection};
use axum::{Json, Router, routing::post};
use chrono::NaiveDate;
use rosterbridge_domain::{
    attendance::{AttendanceKey, AttendanceWrite, Meeting, MeetingTimes},
    id::{AttendanceCodeId, AttendanceDcid, CalendarDayId, CcId, PeriodId, SchoolNumber, StudentId, YearId},
};
use rosterbridge_powerschool::{Client, Connection, Error, Timeouts, WriteAnswer};
use rstest::rstest;
use serde_json::{Value, json};

const DAILY: &str = "/ws/attendance/daily_time";
const BATCH: &str = "/ws/attendance/batch_daily_time";
const MEETING: &str = "/ws/attendance/meeting_interval";

fn daily(student: i64, code: i64) -> AttendanceWrite {
    AttendanceWrite {
        key: AttendanceKey {
            school: SchoolNumber::new(100),
            student: StudentId::new(student),
            date: NaiveDate::from_ymd_opt(2026, 11, 20).unwrap(),
            meeting: None,
        },
        code: "T".to_owned(),
        code_id: AttendanceCodeId::new(code),
        year: YearId::new(36),
        calendar_day: CalendarDayId::new(77),
        times: None,
        comment: String::new(),
        replaces: None,
        previous_code: None,
        previous_comment: None,
    }
}

fn meeting(student: i64, cc: i64, code: i64) -> AttendanceWrite {
    let mut write = daily(student, code);
    write.key.meeting = Some(Meeting { cc: CcId::new(cc), period: PeriodId::new(cc + 1) });
    write.times = Some(MeetingTimes { start: 28_800, end: 31_500 });
    write
}

/// The attendance columns of the records of a request.
fn records(asked: &Asked) -> Vec<Value> {
    asked.body["record"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["tables"]["attendance"].clone())
        .collect()
}

/// Confirms every record, as PowerSchool does: a single result is a bare object.
fn confirm(asked: &Asked) -> Reply {
    let mut results: Vec<Value> = asked.body["record"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| json!({"client_uid": record["client_uid"], "status": "SUCCESS", "action": "INSERT"}))
        .collect();
    let result = if results.len() == 1 { results.remove(0) } else { json!(results) };
    Reply::json(200, json!({"results": {"insert_count": 1, "result": result}}))
}

async fn confirming() -> Stub {
    Stub::start(|asked| asked.path.starts_with("/ws/attendance/").then(|| confirm(asked))).await
}

fn kinds(answers: &[WriteAnswer]) -> Vec<&'static str> {
    answers
        .iter()
        .map(|answer| match answer {
            WriteAnswer::Written => "written",
            WriteAnswer::Refused { .. } => "refused",
            WriteAnswer::NotSent(_) => "not sent",
            WriteAnswer::Unclear(_) => "unclear",
        })
        .collect()
}

#[tokio::test]
async fn a_daily_record_has_the_fields_powerschool_requires() {
    let stub = confirming().await;
    let mut write = daily(5, 9);
    write.comment = "late bus".to_owned();
    write.replaces = Some(AttendanceDcid::new(4_711));
    assert_eq!(kinds(&stub.client().write_attendance(&[write]).await), ["written"]);
    let asked = &stub.asked()[0];
    assert_eq!(asked.path, BATCH);
    assert_eq!(asked.body["name"], "ATTENDANCE");
    assert_eq!(asked.body["record"][0]["name"], "ATTENDANCE");
    assert_eq!(
        records(asked),
        [json!({
            "studentid": 5, "schoolid": 100, "yearid": 36, "att_date": "2026-11-20", "att_mode_code": "ATT_ModeDaily",
            "attendance_codeid": 9, "calendar_dayid": 77, "att_comment": "late bus", "dcid": 4711,
        })]
    );
}

#[tokio::test]
async fn a_meeting_has_its_enrolment_period_and_times() {
    let stub = confirming().await;
    assert_eq!(kinds(&stub.client().write_attendance(&[meeting(5, 31, 9)]).await), ["written"]);
    let asked = &stub.asked()[0];
    assert_eq!(asked.path, MEETING);
    assert_eq!(
        records(asked),
        [json!({
            "studentid": 5, "schoolid": 100, "yearid": 36, "att_date": "2026-11-20",
            "att_mode_code": "ATT_ModeMeeting", "attendance_codeid": 9, "calendar_dayid": 77, "ccid": 31,
            "periodid": 32, "start_time": 28_800, "end_time": 31_500,
        })]
    );
}

#[tokio::test]
async fn daily_records_go_in_batches_of_two_hundred() {
    let stub = confirming().await;
    let writes: Vec<_> = (0..401).map(|student| daily(student, 9)).collect();
    let answers = stub.client().write_attendance(&writes).await;
    assert!(answers.iter().all(|answer| matches!(answer, WriteAnswer::Written)));
    let mut sizes: Vec<usize> = stub.asked().iter().map(|asked| records(asked).len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 200, 200]);
}

#[tokio::test]
async fn meetings_go_by_student_and_day() {
    let stub = confirming().await;
    let writes = [meeting(5, 31, 9), meeting(6, 41, 9), meeting(5, 33, 9)];
    assert_eq!(kinds(&stub.client().write_attendance(&writes).await), ["written"; 3]);
    let mut sent: Vec<Vec<(Value, Value)>> = stub
        .asked()
        .iter()
        .map(|asked| {
            records(asked)
                .iter()
                .map(|record| (record["studentid"].clone(), record["ccid"].clone()))
                .collect()
        })
        .collect();
    sent.sort_by_key(Vec::len);
    assert_eq!(sent, [vec![(json!(6), json!(41))], vec![(json!(5), json!(31)), (json!(5), json!(33))]]);
}

#[tokio::test]
async fn records_of_one_key_keep_their_order() {
    let stub = confirming().await;
    let writes = [daily(5, 1), daily(6, 1), daily(5, 2), meeting(5, 31, 3), daily(5, 4)];
    assert_eq!(kinds(&stub.client().write_attendance(&writes).await), ["written"; 5]);
    let codes: Vec<Value> = stub
        .asked()
        .iter()
        .flat_map(records)
        .filter(|record| record["studentid"] == 5)
        .map(|record| record["attendance_codeid"].clone())
        .collect();
    assert_eq!(codes, [1, 2, 3, 4]);
}

#[tokio::test]
async fn without_the_batch_daily_records_go_singly_and_the_batch_is_not_tried_again() {
    let stub = Stub::start(|asked| (asked.path == DAILY).then(|| confirm(asked))).await;
    let client = stub.client();
    let writes: Vec<_> = (0..3).map(|student| daily(student, 9)).collect();
    assert_eq!(kinds(&client.write_attendance(&writes).await), ["written"; 3]);
    assert_eq!(kinds(&client.write_attendance(&writes[..1]).await), ["written"]);
    let paths: Vec<String> = stub.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, [BATCH, DAILY, DAILY, DAILY, DAILY]);
}

#[tokio::test]
async fn a_refused_batch_is_unclear_and_later_records_go_singly() {
    let stub = Stub::start(|asked| match asked.path.as_str() {
        BATCH => {
            Some(Reply::json(400, json!({"message": "Validation Failed", "errors": {"field": "att_date"}})))
        }
        DAILY if records(asked)[0]["studentid"] == 1 => {
            Some(Reply::json(400, json!({"message": "Validation Failed", "errors": {"field": "att_date"}})))
        }
        DAILY => Some(confirm(asked)),
        _ => None,
    })
    .await;
    let client = stub.client();
    let writes: Vec<_> = (0..3).map(|student| daily(student, 9)).collect();
    assert_eq!(kinds(&client.write_attendance(&writes).await), ["unclear"; 3]);
    assert_eq!(kinds(&client.write_attendance(&writes).await), ["written", "refused", "written"]);
}

#[tokio::test]
async fn meetings_refused_together_go_singly_afterwards() {
    let stub = Stub::start(|asked| {
        (asked.path == MEETING).then(|| {
            if records(asked).len() > 1 { Reply::json(400, json!({"message": "no"})) } else { confirm(asked) }
        })
    })
    .await;
    let client = stub.client();
    let writes = [meeting(5, 31, 9), meeting(5, 33, 9)];
    assert_eq!(kinds(&client.write_attendance(&writes).await), ["unclear"; 2]);
    assert_eq!(kinds(&client.write_attendance(&writes).await), ["written"; 2]);
}

#[tokio::test]
async fn each_record_of_an_answer_is_judged_by_itself() {
    let stub = Stub::start(|asked| {
        (asked.path == BATCH).then(|| {
            let error = json!({"field": "studentid", "error_code": "NOT_FOUND", "error_description": "No such student"});
            Reply::json(
                200,
                json!({"results": {"result": [
                    {"client_uid": "2", "status": "ERROR", "error_message": {"error": error}},
                    {"client_uid": 0, "status": "WARNING"},
                    {"client_uid": "3", "status": "PERHAPS"},
                ]}}),
            )
        })
    })
    .await;
    let writes: Vec<_> = (0..4).map(|student| daily(student, 9)).collect();
    let answers = stub.client().write_attendance(&writes).await;
    assert_eq!(kinds(&answers), ["written", "unclear", "refused", "unclear"]);
    let WriteAnswer::Refused { field, code, description } = &answers[2] else { panic!() };
    assert_eq!(field.as_deref(), Some("studentid"));
    assert_eq!(code.as_deref(), Some("NOT_FOUND"));
    assert_eq!(description.as_deref(), Some("No such student"));
}

#[rstest]
#[case::in_order(json!({"results": {"result": [{"status": "SUCCESS"}, {"status": "ERROR"}]}}), ["written", "refused"])]
#[case::fewer_without_numbers(json!({"results": {"result": {"status": "SUCCESS"}}}), ["unclear", "unclear"])]
#[case::no_results(json!({"results": ""}), ["unclear", "unclear"])]
#[case::another_shape(json!({"uris": ["/x", "/y"]}), ["unclear", "unclear"])]
#[case::unknown_number(json!({"results": {"result": {"client_uid": "7", "status": "SUCCESS"}}}), ["unclear", "unclear"])]
#[tokio::test]
async fn an_answer_without_our_numbers_counts_only_if_it_is_complete(
    #[case] answer: Value,
    #[case] expected: [&str; 2],
) {
    let stub = Stub::start(move |asked| (asked.path == BATCH).then(|| Reply::json(200, &answer))).await;
    assert_eq!(kinds(&stub.client().write_attendance(&[daily(1, 9), daily(2, 9)]).await), expected);
}

#[rstest]
#[case::error(Reply::json(500, "{}"), "unclear", "powerschool.unexpected_answer")]
#[case::overloaded(Reply::json(503, "{}"), "unclear", "powerschool.busy")]
#[case::unreadable(Reply::json(200, "{"), "unclear", "powerschool.unexpected_answer")]
#[case::maintenance(Reply::html(200), "unclear", "powerschool.maintenance")]
#[case::redirect(Reply::html(302), "unclear", "powerschool.maintenance")]
#[case::credentials(Reply::json(401, ""), "not sent", "powerschool.bad_credentials")]
#[case::firewall(Reply::html(403), "not sent", "powerschool.forbidden")]
#[case::too_many(Reply::json(429, "{}"), "not sent", "powerschool.busy")]
#[case::access(
    Reply::json(403, r#"{"errors":{"field":"attendance.att_comment","code":"No access to the field"}}"#),
    "not sent",
    "powerschool.no_access"
)]
#[tokio::test]
async fn a_write_is_never_repeated_and_says_whether_it_may_have_been_applied(
    #[case] reply: Reply,
    #[case] kind: &str,
    #[case] code: &str,
) {
    let Reply { status, headers, body } = reply;
    let stub = Stub::start(move |asked| {
        (asked.path == MEETING).then(|| Reply { status, headers: headers.clone(), body: body.clone() })
    })
    .await;
    let answers = stub.client().write_attendance(&[meeting(5, 31, 9)]).await;
    assert_eq!(kinds(&answers), [kind]);
    let (WriteAnswer::NotSent(error) | WriteAnswer::Unclear(error)) = &answers[0] else { panic!() };
    assert_eq!(error.code(), code);
    // After a 401 the same record goes out with a new token; nothing else is sent twice.
    assert_eq!(stub.asked().len(), if status == 401 { 2 } else { 1 });
}

#[tokio::test]
async fn a_server_without_the_resource_is_too_old() {
    let stub = Stub::start(|_| None).await;
    let answers = stub.client().write_attendance(&[meeting(5, 31, 9), daily(6, 9)]).await;
    for answer in answers {
        assert!(
            matches!(&answer, WriteAnswer::NotSent(error @ Error::TooOld { .. }) if error.code() == "powerschool.too_old")
        );
    }
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let url = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    assert_eq!(kinds(&client_of(&url).write_attendance(&[daily(5, 9)]).await), ["not sent"]);
}

#[tokio::test]
async fn a_server_that_hangs_is_not_asked_again_and_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let router = Router::new()
        .route("/oauth/access_token", post(async || Json(json!({"access_token": "t", "expires_in": "3600"}))))
        .fallback(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>()
        });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let patience = Duration::from_millis(300);
    let timeouts = Timeouts { connect: patience, request: patience, body_idle: patience };
    let client = Client::new(Connection { timeouts, ..connection(&url) }).unwrap();
    client.authenticate().await.unwrap();

    let writes: Vec<AttendanceWrite> = (1..=100).map(|student| meeting(student, 31, 9)).collect();
    let answers = client.write_attendance(&writes).await;
    let sent = asked.load(Ordering::SeqCst);
    // Eight in a row, and those on their way before the eighth was given up.
    assert!((8..16).contains(&sent), "{sent}");
    let unclear =
        answers.iter().filter(|answer| matches!(answer, WriteAnswer::Unclear(Error::Timeout { .. })));
    assert_eq!(unclear.count(), sent);
    let unsent =
        answers.iter().filter(|answer| matches!(answer, WriteAnswer::NotSent(Error::Timeout { .. })));
    assert_eq!(unsent.count(), writes.len() - sent);
}

#[tokio::test]
async fn a_token_that_expires_in_mid_run_does_not_cost_a_write() {
    let refusals = AtomicUsize::new(1);
    let stub = Stub::start(move |asked| {
        (asked.path == BATCH).then(|| {
            let refuse =
                refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            if refuse { Reply::json(401, "") } else { confirm(asked) }
        })
    })
    .await;
    assert_eq!(kinds(&stub.client().write_attendance(&[daily(5, 9)]).await), ["written"]);
    assert_eq!(stub.tokens(), 2);
}

#[tokio::test]
async fn nothing_to_write_asks_nothing() {
    let stub = confirming().await;
    assert!(stub.client().write_attendance(&[]).await.is_empty());
    assert_eq!((stub.asked().len(), stub.tokens()), (0, 0));
}
