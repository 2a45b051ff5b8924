//! Reading, from servers that answer oddly.
//!
//! | How PowerSchool may answer | Test |
//! |---|---|
//! | One element instead of a list | `takes_the_shapes_powerschool_gives_a_list`, `schools_come_in_every_shape`, `core` |
//! | `""`, `null` or nothing for an empty container | `takes_the_shapes_powerschool_gives_a_list`, `schools_come_in_every_shape` |
//! | Numbers as text, text as numbers | `takes_the_shapes_powerschool_gives_a_list`, `core`, unit tests of `Fields` |
//! | Keys that begin with `@`, fields nobody knows | `takes_the_shapes_powerschool_gives_a_list`, `core` |
//! | Columns in capitals; in `tables` or flat | `takes_the_shapes_powerschool_gives_a_list` |
//! | Columns left out, as empty or as not allowed | `fallback::a_column_the_query_lacks_is_never_taken_for_empty` |
//! | A value of the wrong kind | `a_wrong_value_is_located` |
//! | Both shapes of a count | `takes_both_shapes_of_a_count` |
//! | `expires_in` as text, as a number, not at all | `a_token_is_kept_as_long_as_it_lasts` |
//! | A token revoked in mid-run, by one request or by many at once | `a_revoked_token_is_renewed_once_and_unnoticed`, `fallback::all_pages_refused_at_once_renew_the_token_once` |
//! | Maintenance: a redirect, or a page for people with 200 | `each_bad_answer_has_its_code`, `each_refusal_of_a_token_has_its_code` |
//! | A firewall's 403 | `each_bad_answer_has_its_code` |
//! | 429 and 503 with Retry-After | `each_bad_answer_has_its_code`, `an_answer_that_comes_after_all_is_taken`, `fallback::a_page_that_breaks_or_comes_too_early_is_asked_for_again` |
//! | Validation errors, one or several; missing access | `each_bad_answer_has_its_code`, `missing_access_names_every_field` |
//! | An answer cut off, or a connection that breaks | `an_answer_that_ends_early_is_not_a_small_roster`, `fallback::a_table_that_does_not_come_whole_is_read_in_pages` |
//! | `pagesize=0` limited or refused | `a_server_that_limits_pagesize_0_is_asked_for_the_other_pages`, `fallback` |
//! | No queries, no table access | `without_queries_tables_are_read_page_by_page`, `core` |
//! | No `powerschool_version`, page limits as text or missing | `reads_metadata` |
//! | Rows twice, out of order, or fewer than counted | `a_pull_counts_only_if_counts_and_distinct_keys_agree`, `rows_out_of_order_are_refused` |

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::stub::{Asked, Reply, Stub, client_of};
use axum::http::header;
use chrono::NaiveDate;
use rosterbridge_domain::{
    id::{CcId, SchoolNumber, YearId},
    roster::{AttendanceRecord, Course, Enrollment, Term},
};
use rosterbridge_powerschool::{AnswerProblem, Batch, Client, Error, PullScope, Pulled, RosterRow};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::sync::mpsc;

const COURSES: &str = "/ws/schema/query/com.rosterbridge.roster.courses.all";

pub async fn pull<R: RosterRow>(client: &Client, scope: PullScope) -> (Result<Pulled, Error>, Vec<Vec<R>>) {
    let (sink, mut batches) = mpsc::channel(2);
    let client = client.clone();
    let pulling = tokio::spawn(async move { client.pull::<R>(&scope, sink).await });
    let mut gathered = Vec::new();
    while let Some(batch) = batches.recv().await {
        match batch {
            Batch::Rows(rows) => gathered.push(rows),
            Batch::StartOver => gathered.clear(),
        }
    }
    (pulling.await.unwrap(), gathered)
}

async fn courses(client: &Client) -> (Result<Pulled, Error>, Vec<String>) {
    let (pulled, batches) = pull::<Course>(client, PullScope::every_year()).await;
    (pulled, batches.concat().into_iter().map(|course| course.number).collect())
}

/// Answers the courses query with `body`, and its count with `count`.
async fn courses_stub(count: impl ToString, body: impl ToString) -> Stub {
    let (count, body) = (count.to_string(), body.to_string());
    Stub::start(move |asked| match asked.path.strip_prefix(COURSES) {
        Some("/count") => Some(Reply::json(200, &count)),
        Some("") if asked.parameter("page").is_none() => Some(Reply::json(200, &body)),
        Some("") => Some(Reply::json(200, "{}")),
        _ => None,
    })
    .await
}

#[rstest]
#[case::the_same(0, 1, true)]
#[case::another_value(1, 1, false)]
#[case::cut_short(2, 1, false)]
#[case::another_table(3, 1, false)]
#[case::a_row_beyond_the_servers_limit(0, 2, false)]
#[tokio::test]
async fn an_answer_is_recognised_only_as_what_it_was(
    #[case] then: usize,
    #[case] count: usize,
    #[case] repeats: bool,
) {
    let whole = r#"{"record":[{"dcid":"1","course_number":"100","course_name":"Art"}]}"#;
    let other = r#"{"record":[{"dcid":"1","course_number":"100","course_name":"Arts"}]}"#;
    let bodies = [whole, other, &whole[..whole.len() - 1], "{}"].map(str::to_owned);
    let now = Arc::new(AtomicUsize::new(0));
    let counted = Arc::new(AtomicUsize::new(1));
    let (turn, counting) = (Arc::clone(&now), Arc::clone(&counted));
    let stub = Stub::start(move |asked| match asked.path.strip_prefix(COURSES) {
        Some("/count") => {
            let count = counting.load(Ordering::SeqCst);
            Some(Reply::json(200, json!({"count": count}).to_string()))
        }
        Some("") => Some(Reply::json(200, &bodies[turn.load(Ordering::SeqCst)])),
        _ => None,
    })
    .await;
    let client = stub.client();
    let known = courses(&client).await.0.unwrap().fingerprint.unwrap();
    let asked = stub.asked().len();
    now.store(then, Ordering::SeqCst);
    counted.store(count, Ordering::SeqCst);
    let scope = PullScope::every_year();
    assert_eq!(client.repeats::<Course>(&scope, &known, 1).await.unwrap(), repeats);
    assert_eq!(stub.asked().len(), asked + 2, "the answer, and the count");
}

#[rstest]
#[case::no_rows_absent(0, r#"{"name":"Courses","@extensions":""}"#, &[])]
#[case::no_rows_text(0, r#"{"name":"Courses","record":""}"#, &[])]
#[case::no_rows_null(0, r#"{"record":null}"#, &[])]
#[case::one_row(1, r#"{"record":{"dcid":"1","course_number":"100","course_name":"Art"}}"#, &["100"])]
#[case::numbers_for_text(1, r#"{"record":[{"dcid":1,"course_number":100,"course_name":7}]}"#, &["100"])]
#[case::capitals(1, r#"{"record":[{"COURSE_NUMBER":"A","DCID":"1","Course_Name":""}]}"#, &["A"])]
#[case::nested(1, r#"{"record":[{"id":1,"tables":{"courses":{"dcid":"1","course_number":"A","course_name":"x"}}}]}"#, &["A"])]
#[case::further_columns(1, r#"{"record":[{"_id":{"x":[]},"dcid":"1","course_number":"A","course_name":null,"more":[1]}]}"#, &["A"])]
#[tokio::test]
async fn takes_the_shapes_powerschool_gives_a_list(
    #[case] count: u64,
    #[case] body: &str,
    #[case] expected: &[&str],
) {
    let stub = courses_stub(json!({"count": count}), body).await;
    let (pulled, numbers) = courses(&stub.client()).await;
    let Pulled { rows, bytes, version, fingerprint } = pulled.unwrap();
    assert_eq!((rows, bytes, version), (count, body.len() as u64, None));
    assert!(fingerprint.is_some());
    assert_eq!(numbers, expected);
    let asked = stub.asked();
    let paths: Vec<&str> = asked.iter().map(|asked| asked.path.as_str()).collect();
    let count_path = format!("{COURSES}/count");
    assert_eq!(paths, [count_path.as_str(), COURSES, &count_path]);
    assert_eq!(asked[1].parameter("pagesize"), Some("0"));
    assert_eq!(asked[1].authorization, "Bearer t");
}

#[rstest]
#[case(json!({"count": 1}))]
#[case(json!({"count": "1"}))]
#[case(json!({"resource": {"count": 1}}))]
#[tokio::test]
async fn takes_both_shapes_of_a_count(#[case] count: Value) {
    let stub = courses_stub(count, r#"{"record":{"dcid":"1","course_number":"A","course_name":"x"}}"#).await;
    assert_eq!(courses(&stub.client()).await.0.unwrap().rows, 1);
}

fn three_courses(numbers: [&str; 3]) -> Value {
    let records: Vec<Value> = numbers
        .iter()
        .map(|number| json!({"dcid": number.len(), "course_number": number, "course_name": "x"}))
        .collect();
    json!({"record": records})
}

#[rstest]
#[case::a_row_less(4, three_courses(["a", "b", "c"]), 3)]
#[case::a_row_more(2, three_courses(["a", "b", "c"]), 3)]
#[case::a_row_twice_hides_a_missing_one(3, three_courses(["a", "a", "b"]), 2)]
#[tokio::test]
async fn a_pull_counts_only_if_counts_and_distinct_keys_agree(
    #[case] count: u64,
    #[case] body: Value,
    #[case] distinct: u64,
) {
    let stub = courses_stub(json!({"count": count}), body).await;
    let error = courses(&stub.client()).await.0.unwrap_err();
    assert!(
        matches!(error, Error::ChangedWhileReading { table: "COURSES", before, rows, after }
            if before == count && rows == distinct && after == count),
        "{error}"
    );
    assert_eq!(error.code(), "powerschool.changed_while_reading");
    assert!(error.is_transient());
}

#[tokio::test]
async fn rows_out_of_order_are_refused() {
    let term = |id| json!({"dcid": 1, "id": id, "yearid": 36, "schoolid": 1, "firstday": "2026-08-24", "lastday": "2027-06-01"});
    let body = json!({"record": [term(3602), term(3601)]}).to_string();
    let stub = Stub::start(move |asked| {
        let query = asked.path.strip_prefix("/ws/schema/query/com.rosterbridge.roster.terms.all")?;
        Some(if query.is_empty() { Reply::json(200, &body) } else { Reply::json(200, json!({"count": 2})) })
    })
    .await;
    let (pulled, _) = pull::<Term>(&stub.client(), PullScope::every_year()).await;
    assert!(matches!(pulled, Err(Error::UnexpectedAnswer { problem: AnswerProblem::OutOfOrder, .. })));
}

#[tokio::test]
async fn a_wrong_value_is_located() {
    let body = r#"{"record":[{"dcid":"1","course_number":"A"},{"dcid":"Smith","course_number":"B"}]}"#;
    let stub = courses_stub(json!({"count": 2}), body).await;
    let error = courses(&stub.client()).await.0.unwrap_err();
    assert_eq!(
        error.to_string(),
        "com.rosterbridge.roster.courses.all, record 2: dcid is not a whole number."
    );
    assert_eq!(error.code(), "powerschool.bad_record");
}

#[tokio::test]
async fn rows_come_in_batches_of_a_thousand() {
    let records: Vec<Value> = (0..2_500)
        .map(|n| json!({"dcid": n, "course_number": format!("{n:05}"), "course_name": "x"}))
        .collect();
    let stub = courses_stub(json!({"count": 2_500}), json!({"record": records})).await;
    let (pulled, batches) = pull::<Course>(&stub.client(), PullScope::every_year()).await;
    assert_eq!(pulled.unwrap().rows, 2_500);
    assert!(batches.iter().all(|batch| batch.len() <= 250), "{:?}", batches.iter().map(Vec::len));
    let numbers: Vec<String> = batches.concat().into_iter().map(|course| course.number).collect();
    assert_eq!(numbers, (0..2_500).map(|n| format!("{n:05}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_server_that_limits_pagesize_0_is_asked_for_the_other_pages() {
    let stub = Stub::start(|asked| {
        if asked.path.strip_prefix(COURSES)? == "/count" {
            return Some(Reply::json(200, json!({"count": 7})));
        }
        let size = asked.parameter("pagesize")?.parse::<usize>().ok().filter(|&size| size > 0).unwrap_or(3);
        let page = asked.parameter("page").map_or(1, |page| page.parse().unwrap());
        let rows: Vec<Value> = ((page - 1) * size..(page * size).min(7))
            .map(|n| json!({"dcid": n, "course_number": n.to_string(), "course_name": "x"}))
            .collect();
        Some(Reply::json(200, json!({"record": rows})))
    })
    .await;
    let (pulled, numbers) = courses(&stub.client()).await;
    assert_eq!(pulled.unwrap().rows, 7);
    assert_eq!(numbers, ["0", "1", "2", "3", "4", "5", "6"]);
}

#[tokio::test]
async fn a_receiver_that_is_gone_ends_the_pull() {
    let stub = courses_stub(json!({"count": 3}), three_courses(["a", "bb", "ccc"])).await;
    let (sink, batches) = mpsc::channel::<Batch<Course>>(1);
    drop(batches);
    let pulled = stub.client().pull(&PullScope::every_year(), sink).await;
    assert!(matches!(pulled, Err(Error::Stopped)));
}

/// A table of four enrolments, two of them dropped, served page by page with a limit of one row.
fn paged_cc(asked: &Asked) -> Option<Reply> {
    let rows = [(11, 3_600), (12, 3_601), (21, -3_600), (22, -3_602)];
    let (from, to) = match asked.parameter("q")? {
        "termid=ge=3600;termid=le=3699" => (3_600, 3_699),
        "termid=ge=-3699;termid=le=-3600" => (-3_699, -3_600),
        _ => return None,
    };
    let wanted: Vec<_> = rows.into_iter().filter(|(_, term)| (from..=to).contains(term)).collect();
    match asked.path.as_str() {
        "/ws/schema/table/cc/count" => Some(Reply::json(200, json!({"count": wanted.len()}))),
        "/ws/schema/table/cc" => {
            let page: usize = asked.parameter("page")?.parse().ok()?;
            assert_eq!(asked.parameter("pagesize"), Some("1"));
            assert_eq!(asked.parameter("sort"), Some("studentid,id"));
            assert!(asked.parameter("projection")?.starts_with("dcid,id,studentid,sectionid,"));
            Some(cc_page(wanted[page - 1]))
        }
        _ => None,
    }
}

fn cc_page((id, term): (i64, i64)) -> Reply {
    let row = json!({
        "dcid": "9", "id": id.to_string(), "studentid": "5", "sectionid": (term / 100).to_string(),
        "termid": term.to_string(), "course_number": "A", "section_number": "1", "schoolid": "100",
        "teacherid": "7", "expression": "1(A)", "dateenrolled": "2026-08-24", "dateleft": "2027-06-05",
    });
    Reply::json(200, json!({"name": "CC", "record": {"id": 9, "tables": {"cc": row}}}))
}

#[tokio::test]
async fn without_queries_tables_are_read_page_by_page() {
    let stub = Stub::start(|asked| {
        if asked.path == "/ws/v1/metadata" {
            return Some(Reply::json(200, json!({"metadata": {"schema_table_query_max_page_size": "1"}})));
        }
        paged_cc(asked)
    })
    .await;
    let scope = PullScope { years: vec![YearId::new(36)], ..PullScope::every_year() };
    let (pulled, batches) = pull::<Enrollment>(&stub.client(), scope).await;
    assert_eq!(pulled.unwrap().rows, 4);
    let rows: Vec<(CcId, bool, i64)> =
        batches.concat().iter().map(|row| (row.id, row.dropped, row.section.get())).collect();
    let row = |id, dropped| (CcId::new(id), dropped, 36);
    assert_eq!(rows, [row(21, true), row(22, true), row(11, false), row(12, false)]);
}

/// An enrolment that is dropped moves from the filter that is still to be read to the one that has been.
#[tokio::test]
async fn a_row_that_moves_to_a_filter_already_read_is_missed_by_nobody() {
    let counted = AtomicUsize::new(0);
    let stub = Stub::start(move |asked| {
        if asked.path == "/ws/v1/metadata" {
            return Some(Reply::json(200, json!({"metadata": {"schema_table_query_max_page_size": "1"}})));
        }
        let of_the_first = asked.parameter("q").is_some_and(|filter| filter.starts_with("termid=ge=-3699"));
        // Before and after it is read two, and three once the other filter has been read.
        if asked.path == "/ws/schema/table/cc/count"
            && of_the_first
            && counted.fetch_add(1, Ordering::SeqCst) == 2
        {
            return Some(Reply::json(200, json!({"count": 3})));
        }
        paged_cc(asked)
    })
    .await;
    let scope = PullScope { years: vec![YearId::new(36)], ..PullScope::every_year() };
    let error = pull::<Enrollment>(&stub.client(), scope).await.0.unwrap_err();
    assert!(matches!(error, Error::ChangedWhileReading { before: 2, rows: 2, after: 3, .. }), "{error}");
}

/// One that is taken up again moves the other way, and would come twice.
#[rstest]
#[case::before_it_is_counted(3, 3)]
#[case::while_it_is_read(2, 3)]
#[case::and_another_is_dropped(3, 2)]
#[tokio::test]
async fn a_row_that_moves_to_a_filter_still_to_be_read_never_comes_twice(
    #[case] before: usize,
    #[case] after: usize,
) {
    let counted = AtomicUsize::new(0);
    let stub = Stub::start(move |asked| {
        if asked.path == "/ws/v1/metadata" {
            return Some(Reply::json(200, json!({"metadata": {"schema_table_query_max_page_size": "1"}})));
        }
        if asked.parameter("q") != Some("termid=ge=3600;termid=le=3699") {
            return paged_cc(asked);
        }
        if asked.path.ends_with("/count") {
            let count = if counted.fetch_add(1, Ordering::SeqCst) == 0 { before } else { after };
            return Some(Reply::json(200, json!({"count": count})));
        }
        // The dropped enrolment 21 is none any more.
        let page: usize = asked.parameter("page")?.parse().ok()?;
        Some(cc_page([(11, 3_600), (12, 3_601), (21, 3_600)][page - 1]))
    })
    .await;
    let scope = PullScope { years: vec![YearId::new(36)], ..PullScope::every_year() };
    let (pulled, batches) = pull::<Enrollment>(&stub.client(), scope).await;
    let error = pulled.unwrap_err();
    assert!(matches!(error, Error::ChangedWhileReading { rows: 2, .. }), "{error}");
    let mut ids: Vec<CcId> = batches.concat().iter().map(|row| row.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [11, 12, 21, 22].map(CcId::new));
}

#[rstest]
#[case::one(r#"{"schools":{"@expansions":"","school":{"id":"7","school_number":100,"name":"North"}}}"#, 1, &[100])]
#[case::two(r#"{"schools":{"school":[{"id":8,"school_number":"200","name":5},{"id":7,"school_number":100,"more":{"x":[]}}]}}"#, 2, &[100, 200])]
#[case::graduates(r#"{"schools":{"school":[{"id":8,"school_number":999999},{"id":7,"school_number":100}]}}"#, 2, &[100])]
#[case::empty_text(r#"{"schools":""}"#, 0, &[])]
#[case::null(r#"{"schools":null}"#, 1, &[])]
#[case::absent("{}", 1, &[])]
#[case::empty_list(r#"{"schools":{"school":""}}"#, 1, &[])]
#[tokio::test]
async fn schools_come_in_every_shape(
    #[case] body: &'static str,
    #[case] count: u64,
    #[case] expected: &[i64],
) {
    let stub = Stub::start(move |asked| match asked.path.as_str() {
        "/ws/v1/district/school/count" => Some(Reply::json(200, json!({"resource": {"count": count}}))),
        "/ws/v1/district/school" => Some(Reply::json(200, body)),
        path if path.starts_with("/ws/schema/table/schools") => Some(Reply::json(
            400,
            json!({"errors": [{"field": "schools.abbreviation", "code": "No access to the field"}]}),
        )),
        _ => None,
    })
    .await;
    let schools = stub.client().schools().await.unwrap();
    assert_eq!(schools.iter().map(|school| school.number.get()).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn attendance_of_a_day_is_asked_by_school_and_day() {
    let stub = Stub::start(|asked| {
        let query = asked.path.strip_prefix("/ws/schema/query/com.rosterbridge.attendance.records.by_day")?;
        assert_eq!(asked.body, json!({"schoolid": 100, "att_date": "2026-11-20"}));
        Some(if query.is_empty() {
            Reply::json(
                200,
                json!({"record": {
                    "dcid": "9", "studentid": 5, "schoolid": 100, "att_date": "2026-11-20",
                    "att_mode_code": "ATT_ModeDaily", "ccid": "0", "periodid": null, "attendance_codeid": "3",
                    "programid": "0",
                }}),
            )
        } else {
            Reply::json(200, json!({"count": 1}))
        })
    })
    .await;
    let day = NaiveDate::from_ymd_opt(2026, 11, 20).unwrap();
    let records = stub.client().attendance_on(SchoolNumber::new(100), day).await.unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].cc, records[0].period, records[0].program), (None, None, None));
    assert_eq!((records[0].date, records[0].comment.as_str()), (day, ""));
}

/// A school day of `rows` records, of which `counted` are counted before the reading and `after` later.
async fn busy_day(counted: usize, rows: usize, after: usize) -> (Stub, Result<Vec<AttendanceRecord>, Error>) {
    let counts = AtomicUsize::new(0);
    let stub = Stub::start(move |asked| {
        let query = asked.path.strip_prefix("/ws/schema/query/com.rosterbridge.attendance.records.by_day")?;
        Some(if query.is_empty() {
            let records: Vec<Value> = (0..if asked.parameter("page").is_none() { rows } else { 0 })
                .map(|n| {
                    json!({
                        "dcid": n, "studentid": n, "schoolid": 100, "att_date": "2026-11-20",
                        "att_mode_code": "ATT_ModeDaily", "ccid": "0", "periodid": null,
                        "attendance_codeid": "3", "programid": "0",
                    })
                })
                .collect();
            Reply::json(200, json!({"record": records}))
        } else {
            let first = counts.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
            Reply::json(200, json!({"count": if first { counted } else { after }}))
        })
    })
    .await;
    let day = NaiveDate::from_ymd_opt(2026, 11, 20).unwrap();
    let records = stub.client().attendance_on(SchoolNumber::new(100), day).await;
    (stub, records)
}

#[tokio::test]
async fn a_day_teachers_are_recording_is_taken_as_one_answer_gives_it() {
    let (stub, records) = busy_day(2, 3, 9).await;
    assert_eq!(records.unwrap().len(), 3);
    assert_eq!(stub.asked().len(), 2, "one count and one answer");
}

#[tokio::test]
async fn a_day_with_fewer_records_than_counted_may_be_cut_off() {
    let (_, records) = busy_day(4, 3, 4).await;
    assert!(matches!(records, Err(Error::ChangedWhileReading { before: 4, rows: 3, after: 4, .. })));
}

#[rstest]
#[case::html(Reply::html(200), "powerschool.maintenance")]
#[case::redirect(Reply::html(302).with(header::LOCATION, "https://message.powerschool.com/?server=x"), "powerschool.maintenance")]
#[case::firewall(Reply::html(403), "powerschool.forbidden")]
#[case::no_token_for_it(Reply::json(401, ""), "powerschool.bad_credentials")]
#[case::no_access(
    Reply::json(400, r#"{"message":"Validation Failed","errors":{"resource":"Q","field":"students.dob","code":"No access to the field"}}"#),
    "powerschool.no_access"
)]
#[case::refused(Reply::json(400, r#"{"message":"Validation Failed"}"#), "powerschool.unexpected_answer")]
#[case::busy(Reply::json(429, "{}").with(header::RETRY_AFTER, "0"), "powerschool.busy")]
#[case::overloaded(Reply::json(503, "{}").with(header::RETRY_AFTER, "0"), "powerschool.busy")]
#[case::too_busy_to_wait_for(Reply::json(503, "{}").with(header::RETRY_AFTER, "86400"), "powerschool.busy")]
#[case::not_json(Reply::json(200, "{"), "powerschool.unexpected_answer")]
#[case::teapot(Reply::json(418, "{}"), "powerschool.unexpected_answer")]
#[tokio::test]
async fn each_bad_answer_has_its_code(#[case] reply: Reply, #[case] code: &str) {
    let Reply { status, headers, body } = reply;
    let stub = Stub::start(move |asked| {
        asked.path.starts_with(COURSES).then(|| Reply {
            status,
            headers: headers.clone(),
            body: body.clone(),
        })
    })
    .await;
    let error = courses(&stub.client()).await.0.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(!error.remedy().is_empty());
    let times = stub.asked().len();
    match code {
        // Repeated, but not for ever, and not when the server asks for more time than a run has.
        "powerschool.busy" if !error_waits(&error) => assert_eq!(times, 4),
        // With the token it had, and with a new one.
        "powerschool.bad_credentials" => assert_eq!((times, stub.tokens()), (2, 2)),
        _ => assert_eq!(times, 1),
    }
}

fn error_waits(error: &Error) -> bool {
    matches!(error, Error::Busy { retry_after: Some(wait), .. } if !wait.is_zero())
}

#[tokio::test]
async fn missing_access_names_every_field() {
    let stub = Stub::start(|asked| {
        asked.path.starts_with(COURSES).then(|| {
            Reply::json(
                400,
                json!({"message": "Validation Failed", "errors": [
                    {"resource": "Q", "field": "courses.dcid", "code": "No access to the field"},
                    {"resource": "Q", "field": "courses.course_name", "code": "No access to the field"},
                ]}),
            )
        })
    })
    .await;
    let error = courses(&stub.client()).await.0.unwrap_err();
    assert_eq!(error.to_string(), "The PowerSchool plugin has no access to COURSES: dcid, course_name.");
}

#[tokio::test]
async fn an_answer_that_comes_after_all_is_taken() {
    let left = AtomicUsize::new(2);
    let stub = Stub::start(move |asked| {
        let query = asked.path.strip_prefix(COURSES)?;
        if query.is_empty() {
            return Some(Reply::json(200, three_courses(["a", "bb", "ccc"])));
        }
        let failing =
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        Some(if failing {
            Reply::json(503, "{}").with(header::RETRY_AFTER, "0")
        } else {
            Reply::json(200, json!({"count": 3}))
        })
    })
    .await;
    assert_eq!(courses(&stub.client()).await.0.unwrap().rows, 3);
}

#[tokio::test]
async fn an_answer_that_ends_early_is_not_a_small_roster() {
    let body = r#"{"record":[{"dcid":"1","course_number":"A"}"#;
    let stub = Stub::start(move |asked| match asked.path.strip_prefix(COURSES) {
        Some("/count") => Some(Reply::json(200, json!({"count": 1}))),
        Some("") => Some(Reply::json(200, body)),
        _ => None,
    })
    .await;
    let error = courses(&stub.client()).await.0.unwrap_err();
    assert!(matches!(error, Error::UnexpectedAnswer { problem: AnswerProblem::Incomplete, .. }), "{error}");
}

#[tokio::test]
async fn a_revoked_token_is_renewed_once_and_unnoticed() {
    let seen = AtomicUsize::new(0);
    let stub = Stub::start(move |asked| {
        let query = asked.path.strip_prefix(COURSES)?;
        if seen.fetch_add(1, Ordering::SeqCst) == 0 {
            return Some(Reply::json(401, ""));
        }
        Some(Reply::json(200, if query.is_empty() { json!({}) } else { json!({"count": 0}) }))
    })
    .await;
    assert_eq!(courses(&stub.client()).await.0.unwrap().rows, 0);
    assert_eq!(stub.tokens(), 2);
}

#[rstest]
#[case::text(json!({"access_token": "t", "expires_in": "3600"}))]
#[case::number(json!({"access_token": "t", "expires_in": 3600}))]
#[case::absent(json!({"access_token": "t"}))]
#[tokio::test]
async fn a_token_is_kept_as_long_as_it_lasts(#[case] token: Value) {
    let stub =
        Stub::start(move |asked| (asked.path == "/oauth/access_token").then(|| Reply::json(200, &token)))
            .await;
    let client = stub.client();
    client.authenticate().await.unwrap();
    client.authenticate().await.unwrap();
    assert_eq!(stub.tokens(), 1);
}

#[rstest]
#[case::over_at_once(json!("0"))]
#[case::over_before(json!(-30))]
#[tokio::test]
async fn a_token_that_does_not_last_is_an_answer_nobody_understands(#[case] lifetime: Value) {
    let token = json!({"access_token": "t", "expires_in": lifetime});
    let stub =
        Stub::start(move |asked| (asked.path == "/oauth/access_token").then(|| Reply::json(200, &token)))
            .await;
    let error = stub.client().authenticate().await.unwrap_err();
    assert_eq!(error.code(), "powerschool.unexpected_answer");
    assert!(error.to_string().contains("expires_in"), "{error}");
}

#[rstest]
#[case::powerschool(Reply::json(401, r#"{"error":"invalid_client"}"#), "powerschool.bad_credentials")]
#[case::standard(Reply::json(400, r#"{"error":"invalid_client"}"#), "powerschool.bad_credentials")]
#[case::no_token(Reply::json(200, r#"{"token_type":"Bearer"}"#), "powerschool.unexpected_answer")]
#[case::maintenance(Reply::html(302), "powerschool.maintenance")]
#[tokio::test]
async fn each_refusal_of_a_token_has_its_code(#[case] reply: Reply, #[case] code: &str) {
    let Reply { status, headers, body } = reply;
    let stub = Stub::start(move |asked| {
        (asked.path == "/oauth/access_token").then(|| Reply {
            status,
            headers: headers.clone(),
            body: body.clone(),
        })
    })
    .await;
    assert_eq!(stub.client().authenticate().await.unwrap_err().code(), code);
}

#[rstest]
#[case(json!({"time": {"dateTime": "2026-11-20T13:05:07.123-06:00"}}), true)]
#[case(json!({"time": "2026-11-20 13:05:07"}), true)]
#[case(json!("2026-11-20T13:05:07"), true)]
#[case(json!({"date": "2026-11-20", "time": "13:05:07"}), true)]
#[case(json!({"time": {}}), false)]
#[tokio::test]
async fn reads_the_servers_clock(#[case] answer: Value, #[case] readable: bool) {
    let stub =
        Stub::start(move |asked| (asked.path == "/ws/v1/time").then(|| Reply::json(200, &answer))).await;
    let time = stub.client().time().await;
    assert_eq!(
        time.ok().map(|time| time.format("%Y-%m-%d %H:%M:%S").to_string()),
        readable.then(|| "2026-11-20 13:05:07".to_owned())
    );
    assert_eq!(stub.tokens(), 0);
    assert_eq!(stub.asked()[0].authorization, "");
}

#[tokio::test]
async fn another_kind_of_server_is_told_apart() {
    let stub = Stub::start(|_| Some(Reply::html(404))).await;
    assert_eq!(stub.client().time().await.unwrap_err().code(), "powerschool.not_powerschool");
    assert_eq!(stub.client().metadata().await.unwrap_err().code(), "powerschool.not_powerschool");
}

#[rstest]
#[case(json!({"metadata": {"powerschool_version": "23.9.0.0.2345", "district_timezone": "America/Chicago", "schema_table_query_max_page_size": "250", "school_max_page_size": 50}}), Some("23.9.0.0.2345"), true, (250, 50))]
#[case(json!({"metadata": {"powerschool_version": "9.0-b12"}}), Some("9.0"), false, (100, 100))]
#[case(json!({"metadata": {"schema_table_query_max_page_size": 0}}), None, false, (100, 100))]
#[case(json!({"metadata": ""}), None, false, (100, 100))]
#[tokio::test]
async fn reads_metadata(
    #[case] answer: Value,
    #[case] version: Option<&str>,
    #[case] zone: bool,
    #[case] limits: (u32, u32),
) {
    let stub =
        Stub::start(move |asked| (asked.path == "/ws/v1/metadata").then(|| Reply::json(200, &answer))).await;
    let metadata = stub.client().metadata().await.unwrap();
    assert_eq!(metadata.version.map(|version| version.to_string()).as_deref(), version);
    assert_eq!(metadata.district_timezone.is_some(), zone);
    assert_eq!((metadata.page_limits.table_rows, metadata.page_limits.schools), limits);
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let url = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    assert_eq!(client_of(&url).time().await.unwrap_err().code(), "powerschool.unreachable");
}

#[tokio::test]
async fn a_name_without_address_is_a_matter_of_dns() {
    let error = client_of("https://no-such-district.invalid").time().await.unwrap_err();
    assert_eq!(error.code(), "powerschool.dns", "{error}");
}

/// PowerSchool 25.2 and later can deny the core resources to a plugin.
#[tokio::test]
async fn schools_come_from_the_table_where_core_resources_are_denied() {
    let stub = Stub::start(|asked| {
        if asked.path.starts_with("/ws/v1/district/") {
            return Some(Reply::json(403, json!({"message": "Access denied"})));
        }
        match asked.path.as_str() {
            "/ws/schema/query/com.rosterbridge.roster.schools.all/count" => Some(Reply::json(200, json!({"count": 2}))),
            "/ws/schema/query/com.rosterbridge.roster.schools.all" => Some(Reply::json(
                200,
                json!({"record": [
                    {"dcid": 7, "school_number": "100", "name": "Elm", "abbreviation": "EE"},
                    {"dcid": 9, "school_number": "999999", "name": "Graduated Students", "abbreviation": "GR"},
                ]}),
            )),
            _ => None,
        }
    })
    .await;
    let schools = stub.client().schools().await.unwrap();
    assert_eq!(schools.iter().map(|school| school.name.as_str()).collect::<Vec<_>>(), ["Elm"]);
}

/// A plugin for Hero's exchanges has no SCHOOLS.ABBREVIATION, with queries of its own or without any.
#[rstest]
#[case::query(true)]
#[case::table(false)]
#[tokio::test]
async fn schools_of_a_plugin_without_abbreviations_do_where_core_resources_are_denied(#[case] query: bool) {
    let stub = Stub::start(move |asked| {
        if asked.path.starts_with("/ws/v1/district/") {
            return Some(Reply::json(403, json!({"message": "Access denied"})));
        }
        let school = json!({"dcid": 7, "school_number": "100", "name": "Elm"});
        let all = "/ws/schema/query/com.rosterbridge.roster.schools.all";
        match asked.path.as_str() {
            path if query && path == all => Some(Reply::json(200, json!({"record": [school]}))),
            path if query && path.strip_prefix(all) == Some("/count") => {
                Some(Reply::json(200, json!({"count": 1})))
            }
            "/ws/schema/table/schools/count" => Some(Reply::json(200, json!({"count": 1}))),
            "/ws/schema/table/schools" if asked.parameter("projection")?.contains("abbreviation") => {
                let error = json!({"field": "schools.abbreviation", "code": "No access to the field"});
                Some(Reply::json(400, json!({"message": "Validation Failed", "errors": [error]})))
            }
            "/ws/schema/table/schools" => {
                Some(Reply::json(200, json!({"record": {"id": 7, "tables": {"schools": school}}})))
            }
            _ => None,
        }
    })
    .await;
    let schools = stub.client().schools().await.unwrap();
    assert_eq!(schools.iter().map(|school| school.name.as_str()).collect::<Vec<_>>(), ["Elm"]);
}
