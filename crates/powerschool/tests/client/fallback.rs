//! Other ways to the same rows, for servers that don't give a table in one answer, have data versions, or have a
//! plugin for fewer exchanges.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{
    reading::pull,
    stub::{Asked, Reply, Stub, connection},
};
use axum::http::header;
use rosterbridge_domain::{
    id::YearId,
    job::Job,
    roster::{Course, Student},
};
use rosterbridge_powerschool::{Batch, Client, DataVersion, Error, PullScope, Pulled, Timeouts};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::sync::mpsc;

const COURSES: &str = "/ws/schema/query/com.rosterbridge.roster.courses.all";
const STUDENTS: &str = "/ws/schema/query/com.rosterbridge.roster.students.all";

fn metadata(version: &str, page: usize) -> Reply {
    let metadata = json!({"powerschool_version": version, "schema_table_query_max_page_size": page});
    Reply::json(200, json!({"metadata": metadata}))
}

fn course(n: usize) -> Value {
    json!({"dcid": n, "course_number": format!("{n:04}"), "course_name": "Art"})
}

/// A page of `count` courses, or all of them for a size of 0.
fn page_of_courses(asked: &Asked, count: usize) -> Value {
    let size = asked.parameter("pagesize").unwrap().parse().unwrap();
    let rows: Vec<Value> = match size {
        0 => (0..count).map(course).collect(),
        size => {
            let page: usize = asked.parameter("page").unwrap().parse().unwrap();
            ((page - 1) * size..(page * size).min(count)).map(course).collect()
        }
    };
    json!({"record": rows})
}

/// A district of `count` courses on a server with pages of ten that answers `pagesize=0` with `whole`.
async fn without_whole(count: usize, whole: impl Fn() -> Reply + Send + Sync + 'static) -> Stub {
    Stub::start(move |asked| {
        if asked.path == "/ws/v1/metadata" {
            return Some(metadata("23.9.0.0", 10));
        }
        match asked.path.strip_prefix(COURSES)? {
            "/count" => Some(Reply::json(200, json!({"count": count}))),
            _ if asked.parameter("pagesize") == Some("0") => Some(whole()),
            _ => Some(Reply::json(200, page_of_courses(asked, count))),
        }
    })
    .await
}

async fn numbers(client: &Client) -> Result<Vec<String>, Error> {
    let (pulled, batches) = pull::<Course>(client, PullScope::every_year()).await;
    let rows = batches.concat();
    assert_eq!(pulled?.rows, rows.len() as u64);
    Ok(rows.into_iter().map(|course| course.number).collect())
}

fn expected(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{n:04}")).collect()
}

fn first_rows() -> String {
    let rows: Vec<Value> = (0..2_500).map(course).collect();
    let body = json!({"record": rows}).to_string();
    body[..body.len() - 20].to_owned()
}

#[rstest]
#[case::refused(|| Reply::json(400, r#"{"message":"pagesize is invalid"}"#), true)]
#[case::too_much_for_it(|| Reply::json(500, "{}"), true)]
#[case::gateway_gives_up(|| Reply::json(504, "{}"), true)]
#[case::cut_off(|| Reply::json(200, first_rows()), false)]
#[case::connection_breaks(|| Reply::json(200, first_rows()).cut(), false)]
#[tokio::test]
async fn a_table_that_does_not_come_whole_is_read_in_pages(
    #[case] whole: fn() -> Reply,
    #[case] remembered: bool,
) {
    let stub = without_whole(2_501, whole).await;
    let client = stub.client();
    assert_eq!(numbers(&client).await.unwrap(), expected(2_501));
    let of_size =
        |size: &str| stub.asked().iter().filter(|asked| asked.parameter("pagesize") == Some(size)).count();
    assert_eq!((of_size("0"), of_size("10")), (1, 251));
    let metadata = stub.asked().into_iter().find(|asked| asked.path == "/ws/v1/metadata").unwrap();
    assert_eq!(metadata.authorization, "Bearer t", "the page limits are the plugin's own");
    // A server that refuses is not asked again; a line that broke may be well now.
    numbers(&client).await.unwrap();
    assert_eq!(of_size("0"), if remembered { 1 } else { 2 });
}

#[tokio::test]
async fn what_was_handed_over_before_the_answer_broke_is_taken_back() {
    let stub = without_whole(2_501, || Reply::json(200, first_rows())).await;
    let client = stub.client();
    let (sink, mut batches) = mpsc::channel(100);
    client.pull::<Course>(&PullScope::every_year(), sink).await.unwrap();
    let mut seen = Vec::new();
    while let Ok(batch) = batches.try_recv() {
        seen.push(match batch {
            Batch::Rows(rows) => rows.len(),
            Batch::StartOver => 0,
        });
    }
    let over = seen.iter().position(|rows| *rows == 0).unwrap();
    assert!(over > 0, "rows were handed over before");
    assert_eq!(seen[over..].iter().sum::<usize>(), 2_501);
    assert_eq!(seen.iter().filter(|rows| **rows == 0).count(), 1);
}

#[tokio::test]
async fn a_server_silent_about_the_whole_table_is_asked_for_pages() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let whole = std::sync::Arc::new(AtomicUsize::new(0));
    let seen = whole.clone();
    let router = axum::Router::new().fallback(move |uri: axum::http::Uri| {
        let seen = seen.clone();
        async move {
            let query = uri.query().unwrap_or_default();
            if query.contains("pagesize=0") {
                seen.fetch_add(1, Ordering::SeqCst);
                std::future::pending::<()>().await;
            }
            axum::Json(match uri.path() {
                "/oauth/access_token" => json!({"access_token": "t"}),
                "/ws/v1/metadata" => json!({"metadata": {"powerschool_version": "9.0"}}),
                path if path.ends_with("/count") => json!({"count": 1}),
                _ => json!({"record": course(0)}),
            })
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let timeouts = Timeouts {
        connect: Duration::from_millis(300),
        request: Duration::from_millis(300),
        ..Timeouts::default()
    };
    let client = Client::new(rosterbridge_powerschool::Connection { timeouts, ..connection(&url) }).unwrap();
    assert_eq!(numbers(&client).await.unwrap(), expected(1));
    assert_eq!(whole.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_page_that_breaks_or_comes_too_early_is_asked_for_again() {
    let failed = Mutex::new(Vec::new());
    let stub = Stub::start(move |asked| {
        if asked.path == "/ws/v1/metadata" {
            return Some(metadata("23.9.0.0", 10));
        }
        match asked.path.strip_prefix(COURSES)? {
            "/count" => return Some(Reply::json(200, json!({"count": 95}))),
            _ if asked.parameter("pagesize") == Some("0") => return Some(Reply::json(500, "{}")),
            _ => {}
        }
        let rows = page_of_courses(asked, 95);
        let page = asked.parameter("page")?.to_owned();
        let mut failed = failed.lock().unwrap();
        if failed.contains(&page) {
            return Some(Reply::json(200, rows));
        }
        failed.push(page.clone());
        Some(match page.as_str() {
            "2" => Reply::json(200, r#"{"record":[{"dcid":1,"#),
            "4" => Reply::json(200, r#"{"record":[{"dcid":1,"#).cut(),
            "6" => Reply::json(429, "{}").with(header::RETRY_AFTER, "0"),
            "8" => Reply::json(401, ""),
            _ => Reply::json(200, rows),
        })
    })
    .await;
    assert_eq!(numbers(&stub.client()).await.unwrap(), expected(95));
    assert_eq!(stub.tokens(), 2);
}

#[rstest]
#[case::smaller_than_said(4)]
#[case::one_row(1)]
#[tokio::test]
async fn pages_smaller_than_asked_for_leave_no_gaps(#[case] most: usize) {
    let stub = Stub::start(move |asked| {
        if asked.path == "/ws/v1/metadata" {
            return Some(metadata("23.9.0.0", 10));
        }
        match asked.path.strip_prefix(COURSES)? {
            "/count" => Some(Reply::json(200, json!({"count": 33}))),
            _ if asked.parameter("pagesize") == Some("0") => Some(Reply::json(500, "{}")),
            _ => {
                let size = asked.parameter("pagesize")?.parse::<usize>().unwrap().min(most);
                let page: usize = asked.parameter("page")?.parse().unwrap();
                let rows: Vec<Value> = ((page - 1) * size..(page * size).min(33)).map(course).collect();
                Some(Reply::json(200, json!({"record": rows})))
            }
        }
    })
    .await;
    assert_eq!(numbers(&stub.client()).await.unwrap(), expected(33));
}

#[tokio::test]
async fn a_server_that_ignores_the_size_of_pages_is_refused() {
    let stub = Stub::start(|asked| {
        if asked.path == "/ws/v1/metadata" {
            return Some(metadata("23.9.0.0", 10));
        }
        match asked.path.strip_prefix(COURSES)? {
            "/count" => Some(Reply::json(200, json!({"count": 33}))),
            _ if asked.parameter("pagesize") == Some("0") => Some(Reply::json(500, "{}")),
            _ => Some(Reply::json(200, json!({"record": (0..33).map(course).collect::<Vec<_>>()}))),
        }
    })
    .await;
    assert_eq!(numbers(&stub.client()).await.unwrap_err().code(), "powerschool.unexpected_answer");
}

#[tokio::test]
async fn all_pages_refused_at_once_renew_the_token_once() {
    let given = AtomicUsize::new(0);
    let stub = Stub::start(move |asked| {
        if asked.path == "/oauth/access_token" {
            let token = if given.fetch_add(1, Ordering::SeqCst) == 0 { "first" } else { "second" };
            return Some(Reply::json(200, json!({"access_token": token, "expires_in": "3600"})));
        }
        if asked.path == "/ws/v1/metadata" {
            return Some(metadata("23.9.0.0", 10));
        }
        Some(match asked.path.strip_prefix(COURSES)? {
            "/count" => Reply::json(200, json!({"count": 400})),
            _ if asked.parameter("pagesize") == Some("0") => Reply::json(500, "{}"),
            _ if asked.authorization == "Bearer first" => Reply::json(401, ""),
            _ => Reply::json(200, page_of_courses(asked, 400)),
        })
    })
    .await;
    assert_eq!(numbers(&stub.client()).await.unwrap(), expected(400));
    assert_eq!(stub.tokens(), 2);
    let asked = stub.asked();
    let refused = asked
        .iter()
        .filter(|asked| asked.authorization == "Bearer first" && asked.parameter("page").is_some());
    assert!(refused.count() > 1, "several pages had been asked for with the old token");
}

fn student(n: usize) -> Value {
    json!({
        "dcid": n + 1_000, "id": n, "student_number": n, "first_name": "A", "middle_name": null, "last_name": "B",
        "dob": null, "grade_level": 3, "schoolid": 100, "enroll_status": 0, "entrydate": null, "exitdate": null,
        "mailing_street": "", "mailing_city": "", "mailing_state": "", "mailing_zip": "", "guardianemail": "",
        "home_phone": "", "home_room": "",
    })
}

/// As the query of a plugin without HOME_ROOM gives it.
fn without_home_room(n: usize) -> Value {
    let mut row = student(n);
    row.as_object_mut().unwrap().remove("home_room");
    row
}

fn raptor() -> PullScope {
    PullScope { years: vec![YearId::new(36)], first_day: None, jobs: vec![Job::RaptorRoster] }
}

/// The query's answer has what a plugin for Raptor's roster has, without HOME_ROOM, which may be empty or not allowed.
#[rstest]
#[case::left_out_because_empty(r#"{"columns":[{"name":"Home_Room","access":"ViewOnly"}]}"#, None)]
#[case::single(r#"{"columns":{"name":"HOME_ROOM","access":"FullAccess"}}"#, None)]
#[case::not_granted(r#"{"columns":[{"name":"home_room","access":"NoAccess"}]}"#, Some("students.home_room"))]
#[case::black_listed(
    r#"{"columns":[{"name":"home_room","access":"BlackListNoAccess"}]}"#,
    Some("students.home_room")
)]
#[case::not_listed(r#"{"columns":""}"#, Some("students.home_room"))]
#[tokio::test]
async fn a_column_the_query_lacks_is_never_taken_for_empty(
    #[case] access: &'static str,
    #[case] missing: Option<&str>,
) {
    let stub = Stub::start(move |asked| {
        if asked.path == "/ws/schema/table/students/metadata" {
            assert_eq!(asked.parameter("expansions"), Some("access"));
            return Some(Reply::json(200, access));
        }
        if asked.path.strip_prefix(STUDENTS)? == "/count" {
            return Some(Reply::json(200, json!({"count": 1})));
        }
        let mut row = student(1);
        for column in ["home_room", "entrydate", "exitdate", "mailing_city", "mailing_street"] {
            row.as_object_mut().unwrap().remove(column);
        }
        Some(Reply::json(200, json!({"record": row})))
    })
    .await;
    let (pulled, _) = pull::<Student>(&stub.client(), raptor()).await;
    match (pulled, missing) {
        (Ok(pulled), None) => assert_eq!(pulled.rows, 1),
        (Err(Error::NoAccess { fields }), Some(missing)) => assert_eq!(fields, [missing]),
        (other, _) => panic!("{other:?}"),
    }
}

/// A server that has trouble says nothing about access.
#[tokio::test]
async fn trouble_while_asking_for_access_is_not_missing_access() {
    let stub = Stub::start(move |asked| {
        if asked.path == "/ws/schema/table/students/metadata" {
            return Some(Reply::json(500, "{}"));
        }
        if asked.path.strip_prefix(STUDENTS)? == "/count" {
            return Some(Reply::json(200, json!({"count": 1})));
        }
        Some(Reply::json(200, json!({"record": without_home_room(1)})))
    })
    .await;
    let error = pull::<Student>(&stub.client(), raptor()).await.0.unwrap_err();
    assert_eq!(error.code(), "powerschool.unexpected_answer", "{error}");
}

/// A server with data versions: students `0..count`, of which a delta since 7 brings `changed`.
struct Versions {
    count: usize,
    changed: Vec<usize>,
    /// The version an answer to the given `$dataversion` and page is of.
    version: fn(Option<u64>, u64) -> Option<Value>,
    /// Answers to requests with `$dataversion_applicationname`.
    refused: bool,
    /// Gives all changes on every page.
    unpaged: bool,
    row: fn(usize) -> Value,
    server: &'static str,
}

impl Default for Versions {
    fn default() -> Self {
        Self {
            count: 30,
            changed: vec![3, 5],
            version: |_, _| Some(json!(9)),
            refused: false,
            unpaged: false,
            row: student,
            server: "9.3.0",
        }
    }
}

impl Versions {
    async fn start(self) -> Stub {
        Stub::start(move |asked| {
            if asked.path == "/ws/v1/metadata" {
                return Some(metadata(self.server, 10));
            }
            if asked.path.strip_prefix(STUDENTS)? == "/count" {
                assert!(asked.body.as_object().unwrap().is_empty(), "counts are of all rows");
                return Some(Reply::json(200, json!({"count": self.count})));
            }
            let application = asked.body.get("$dataversion_applicationname");
            if self.refused && application.is_some() {
                return Some(Reply::json(400, r#"{"message":"Validation Failed"}"#));
            }
            let since = asked.body.get("$dataversion").and_then(Value::as_u64);
            let ids: Vec<usize> =
                if since.is_some() { self.changed.clone() } else { (0..self.count).collect() };
            let size: usize = asked.parameter("pagesize")?.parse().unwrap();
            let page: usize = asked.parameter("page").map_or(1, |page| page.parse().unwrap());
            let before = if self.unpaged { 0 } else { (page - 1) * size };
            let rows: Vec<Value> = match size {
                0 => ids.into_iter().map(self.row).collect(),
                _ => ids.into_iter().skip(before).take(size).map(self.row).collect(),
            };
            let mut answer = json!({"name": "students"});
            if !rows.is_empty() {
                answer["record"] = rows.into();
            }
            if let Some(version) = application.and_then(|_| (self.version)(since, page as u64)) {
                assert_eq!(application, Some(&json!("RosterBridge")));
                answer["$dataversion"] = version;
            }
            Some(Reply::json(200, answer))
        })
        .await
    }
}

fn seven() -> DataVersion {
    serde_json::from_value(json!(7)).unwrap()
}

async fn changes(client: &Client) -> (Result<Option<Pulled>, Error>, Vec<i64>) {
    let (sink, mut batches) = mpsc::channel(100);
    let pulled = client.pull_changes::<Student>(&raptor(), seven(), sink).await;
    let mut rows = Vec::new();
    while let Some(batch) = batches.recv().await {
        if let Batch::Rows(batch) = batch {
            rows.extend(batch.into_iter().map(|student| student.id.get()));
        }
    }
    (pulled, rows)
}

#[rstest]
#[case::number(|_, _| Some(json!(9)), Some(9))]
#[case::text(|_, _| Some(json!("9")), Some(9))]
#[case::none(|_, _| None, None)]
#[case::nothing(|_, _| Some(Value::Null), None)]
#[tokio::test]
async fn a_pull_keeps_the_data_version_it_is_of(
    #[case] version: fn(Option<u64>, u64) -> Option<Value>,
    #[case] kept: Option<u64>,
) {
    let stub = Versions { version, ..Versions::default() }.start().await;
    let (pulled, _) = pull::<Student>(&stub.client(), raptor()).await;
    let kept = kept.map(|version| serde_json::from_value(json!(version)).unwrap());
    assert_eq!(pulled.unwrap().version, kept);
}

#[rstest]
#[case::too_old_for_versions(Versions { server: "9.2.9", ..Versions::default() }, 1)]
#[case::not_for_this_plugin(Versions { refused: true, ..Versions::default() }, 2)]
#[tokio::test]
async fn a_server_without_data_versions_is_read_all_the_same(#[case] server: Versions, #[case] asked: usize) {
    let stub = server.start().await;
    let client = stub.client();
    let (pulled, batches) = pull::<Student>(&client, raptor()).await;
    assert_eq!((pulled.unwrap().version, batches.concat().len()), (None, 30));
    let queries = stub.asked().iter().filter(|asked| asked.path == STUDENTS).count();
    assert_eq!(queries, asked);
    // And is not asked for changes.
    assert_eq!(changes(&client).await.0.unwrap(), None);
    assert_eq!(stub.asked().iter().filter(|asked| asked.path == STUDENTS).count(), asked);
}

#[rstest]
#[case::none(Vec::new())]
#[case::some(vec![3, 5])]
#[case::a_full_page((0..10).collect())]
#[case::several_pages((0..25).collect())]
#[tokio::test]
async fn changes_come_completely(#[case] changed: Vec<usize>) {
    let stub = Versions { changed: changed.clone(), ..Versions::default() }.start().await;
    let (pulled, rows) = changes(&stub.client()).await;
    let pulled = pulled.unwrap().unwrap();
    assert_eq!(serde_json::to_value(pulled.version).unwrap(), json!(9));
    assert_eq!(rows, changed.iter().map(|id| i64::try_from(*id).unwrap()).collect::<Vec<_>>());
    let asked = stub.asked();
    let query = asked.iter().find(|asked| asked.path == STUDENTS).unwrap();
    assert_eq!(query.body, json!({"$dataversion_applicationname": "RosterBridge", "$dataversion": 7}));
}

#[rstest]
#[case::no_version_in_the_answer(|_, _| None, 2)]
#[case::an_older_version(|_, _| Some(json!(6)), 2)]
#[case::no_number(|_, _| Some(json!("x")), 2)]
#[case::changed_between_two_pages(|_, page| Some(json!(8 + page)), 25)]
#[tokio::test]
async fn changes_in_doubt_are_none(
    #[case] version: fn(Option<u64>, u64) -> Option<Value>,
    #[case] changed: usize,
) {
    let stub = Versions { version, changed: (0..changed).collect(), ..Versions::default() }.start().await;
    assert_eq!(changes(&stub.client()).await.0.unwrap(), None);
}

#[tokio::test]
async fn a_change_that_is_on_every_page_is_in_doubt() {
    let stub = Versions { unpaged: true, changed: vec![3], ..Versions::default() }.start().await;
    assert_eq!(changes(&stub.client()).await.0.unwrap(), None);
}

#[tokio::test]
async fn changes_without_a_column_are_not_taken_for_empty() {
    let stub = Versions { row: without_home_room, ..Versions::default() }.start().await;
    match changes(&stub.client()).await.0 {
        Err(Error::NoAccess { fields }) => assert_eq!(fields, ["students.home_room"]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn too_many_changes_are_a_whole_pull() {
    let stub = Versions { changed: (0..5_001).collect(), ..Versions::default() }.start().await;
    assert_eq!(changes(&stub.client()).await.0.unwrap(), None);
}

#[tokio::test]
async fn an_unknown_version_is_refused_by_the_server() {
    let stub = Versions { refused: true, ..Versions::default() }.start().await;
    assert!(changes(&stub.client()).await.0.is_err());
}
