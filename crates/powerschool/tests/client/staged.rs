//! The staged connection test, against the practice district and servers that answer oddly.

use chrono::{DateTime, TimeDelta, Utc};
use rosterbridge_domain::{job::Job, settings::PowerSchoolSettings};
use rosterbridge_powerschool::{
    ClientId, Connection, Findings, KnownPlugin, Outcome, Stage, StageEvent, StageName, TestPlan, Timeouts,
    plugin, reach, test_connection,
};
use rosterbridge_practice::{Faults, Maintenance, ServeOptions};
use rstest::rstest;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    practice::{connection, district, of_vendor, secret, settings, with_faults},
    raw::{self, After},
    stub::{self, Asked, CLIENT_ID, Reply, Stub},
};

pub fn plan(connection: Connection) -> TestPlan {
    TestPlan { connection, jobs: Job::ALL.to_vec(), check_clock: false, known: None }
}

pub async fn test(plan: TestPlan) -> Findings {
    test_connection(plan, |_| {}).await
}

pub fn outcome(stage: &Stage) -> &'static str {
    match &stage.outcome {
        Outcome::Passed => "passed",
        Outcome::Warned { code, .. } | Outcome::Failed { code, .. } => code,
        Outcome::Skipped => "skipped",
    }
}

/// The stage a test failed at, and the code.
pub fn failure(findings: &Findings) -> (StageName, &'static str) {
    let stage = findings.failure().unwrap_or_else(|| panic!("nothing failed: {findings:#?}"));
    (stage.name, outcome(stage))
}

pub fn stage(findings: &Findings, name: StageName) -> &Stage {
    findings.stages.iter().find(|stage| stage.name == name).unwrap()
}

/// Every stage passed up to one that failed with `code`, and the others were skipped.
fn assert_stopped(findings: &Findings, at: StageName, code: &str) {
    let failed = StageName::NETWORK.iter().position(|name| *name == at).unwrap();
    let expected: Vec<&str> = (0..StageName::NETWORK.len())
        .map(|place| match place.cmp(&failed) {
            std::cmp::Ordering::Less => "passed",
            std::cmp::Ordering::Equal => code,
            std::cmp::Ordering::Greater => "skipped",
        })
        .collect();
    assert_eq!(findings.stages.iter().map(outcome).collect::<Vec<_>>(), expected, "{findings:#?}");
    assert!(!findings.passed());
}

#[tokio::test]
async fn passes_on_the_practice_district_and_tells_what_it_found() {
    let running = district(ServeOptions::default()).await;
    let plan = plan(connection(&running));
    // On a task of its own, as the engine runs it.
    let (findings, heard) = tokio::spawn(async move {
        let mut heard = Vec::new();
        let findings = test_connection(plan, |event| {
            heard.push(match event {
                StageEvent::Began(name) => ("began", name),
                StageEvent::Ended(stage) => (outcome(stage), stage.name),
            });
        })
        .await;
        (findings, heard)
    })
    .await
    .unwrap();
    assert!(findings.passed(), "{findings:#?}");
    let expected: Vec<_> =
        StageName::NETWORK.into_iter().flat_map(|name| [("began", name), ("passed", name)]).collect();
    assert_eq!(heard, expected);

    let server = findings.server.unwrap();
    assert_eq!(server.url, connection(&running).url.to_string());
    assert!(server.version.unwrap().at_least((9, 0)));
    assert_eq!(server.time_zone, Some(chrono_tz::America::Chicago));
    assert_eq!((server.plugin_id, server.table_page_size), (Some(1), Some(100)));
    assert_eq!(server.clock_ahead_seconds, None);
    let asked = plugin::access_request(&Job::ALL);
    assert_eq!(findings.access.len(), asked.iter().filter(|field| field.table != "PREFS").count());
    assert!(findings.access.iter().all(rosterbridge_powerschool::FieldGrant::is_enough));
    assert_eq!(findings.queries.len(), plugin::queries_needed(&Job::ALL).len());
    assert!(findings.queries.iter().all(|query| query.present && !query.table.is_empty()));
    assert!(!findings.certificates.is_empty());
    running.stop().await;
}

#[rstest]
#[case::redirect(Faults { maintenance: Some(Maintenance::Redirect), ..Faults::default() }, StageName::Time, "powerschool.maintenance")]
#[case::page(Faults { maintenance: Some(Maintenance::Html), ..Faults::default() }, StageName::Time, "powerschool.maintenance")]
#[case::old(Faults { version: Some("8.3.0".to_owned()), ..Faults::default() }, StageName::Metadata, "powerschool.too_old")]
#[case::revoked(Faults { revoked_credentials: true, ..Faults::default() }, StageName::Token, "powerschool.bad_credentials")]
#[case::no_access(Faults { missing_access: vec!["STUDENTS.DOB".to_owned()], ..Faults::default() }, StageName::Access, "powerschool.no_access")]
#[tokio::test]
async fn stops_where_it_fails(#[case] faults: Faults, #[case] at: StageName, #[case] code: &str) {
    let running = with_faults(faults).await;
    let findings = test(plan(connection(&running))).await;
    assert_stopped(&findings, at, code);
    running.stop().await;
}

#[rstest]
#[case::of_the_tardies(&[Job::RaptorTardies], "powerschool.partial_access")]
#[case::of_others(&[Job::RaptorRoster, Job::HeroAttendance], "passed")]
#[tokio::test]
async fn what_a_plugin_costs_that_reads_less_is_told(#[case] jobs: &[Job], #[case] code: &str) {
    let missing_access = vec!["REENROLLMENTS.ENTRYDATE".to_owned()];
    let running = with_faults(Faults { missing_access, ..Faults::default() }).await;
    let findings = test(TestPlan { jobs: jobs.to_vec(), ..plan(connection(&running)) }).await;
    assert!(findings.passed(), "{findings:#?}");
    assert_eq!(outcome(stage(&findings, StageName::Access)), code);
    assert_eq!(outcome(stage(&findings, StageName::Queries)), "passed");
    running.stop().await;
}

/// Core resources fill in for one exchange, and nothing does for the other.
#[tokio::test]
async fn what_a_plugin_costs_is_told_also_where_core_resources_fill_in() {
    let missing_access = ["REENROLLMENTS.ENTRYDATE", "STUDENTS.DOB"].map(str::to_owned).to_vec();
    let faults = Faults { missing_access, no_powerqueries: true, ..Faults::default() };
    let running = with_faults(faults).await;
    let jobs = vec![Job::RaptorRoster, Job::RaptorTardies];
    let findings = test(TestPlan { jobs, ..plan(connection(&running)) }).await;
    let access = stage(&findings, StageName::Access);
    let Outcome::Warned { code, message, .. } = &access.outcome else { panic!("{access:?}") };
    assert_eq!(*code, "powerschool.core_only");
    assert!(message.contains("REENROLLMENTS") && message.contains("/ws/v1"), "{message}");
    running.stop().await;
}

#[tokio::test]
async fn a_plugin_without_our_queries_is_pointed_out_and_works() {
    let running = with_faults(Faults { no_powerqueries: true, ..Faults::default() }).await;
    let findings = test(plan(connection(&running))).await;
    assert_eq!(outcome(stage(&findings, StageName::Queries)), "powerschool.no_queries");
    assert_eq!(outcome(stage(&findings, StageName::Sample)), "passed");
    assert!(findings.passed() && findings.queries.iter().all(|query| !query.present));
    running.stop().await;
}

#[rstest]
#[case::no_authority(|settings: &mut PowerSchoolSettings| settings.extra_roots.clear(), StageName::Tls, "powerschool.unknown_authority")]
#[case::name(|settings: &mut PowerSchoolSettings| settings.url = "https://no-such-district.invalid".to_owned(), StageName::Dns, "powerschool.dns")]
#[case::port(|settings: &mut PowerSchoolSettings| settings.url = "https://127.0.0.1:1".to_owned(), StageName::Tcp, "powerschool.unreachable")]
#[case::other_credentials(
    |settings: &mut PowerSchoolSettings| settings.client_id = CLIENT_ID.to_owned(),
    StageName::Token,
    "powerschool.bad_credentials"
)]
#[tokio::test]
async fn finds_what_was_entered_wrongly(
    #[case] spoil: fn(&mut PowerSchoolSettings),
    #[case] at: StageName,
    #[case] code: &str,
) {
    let running = district(ServeOptions::default()).await;
    let mut settings = settings(&running);
    spoil(&mut settings);
    let connection =
        Connection::from_settings(&settings, secret(&running), None, Timeouts::default()).unwrap();
    assert_stopped(&test(plan(connection)).await, at, code);
    running.stop().await;
}

fn known(client_id: &str, plugin_id: i64) -> KnownPlugin {
    let last_worked = "2026-11-03T07:30:00Z".parse().unwrap();
    KnownPlugin { client_id: client_id.to_owned(), plugin_id, last_worked }
}

#[tokio::test]
async fn credentials_that_used_to_work_were_replaced() {
    let running = with_faults(Faults { revoked_credentials: true, ..Faults::default() }).await;
    let id = settings(&running).client_id.to_uppercase();
    let findings = test(TestPlan { known: Some(known(&id, 1)), ..plan(connection(&running)) }).await;
    assert_stopped(&findings, StageName::Token, "powerschool.credentials_replaced");
    let Outcome::Failed { message, remedy, .. } = &findings.failure().unwrap().outcome else { panic!() };
    assert!(message.contains("2026-11-03") && remedy.contains("Enable"), "{message} {remedy}");
    let findings = test(TestPlan { known: Some(known(CLIENT_ID, 1)), ..plan(connection(&running)) }).await;
    assert_stopped(&findings, StageName::Token, "powerschool.bad_credentials");
    running.stop().await;
}

#[tokio::test]
async fn credentials_in_each_others_place_are_told_so() {
    let running = district(ServeOptions::default()).await;
    let right = connection(&running);
    let swapped = Connection {
        client_id: ClientId::parse(right.client_secret.expose_secret()).unwrap(),
        client_secret: SecretString::from(right.client_id.to_string()),
        ..right
    };
    // Whatever worked before.
    let before = known(&swapped.client_id.to_string(), 1);
    let findings = test(TestPlan { known: Some(before), ..plan(swapped) }).await;
    assert_stopped(&findings, StageName::Token, "powerschool.credentials_swapped");
    running.stop().await;
}

#[rstest]
#[case::uuid("c5a1a0a4-3f0b-4a3e-a6a4-4c5a0f3a2b1d", 2)]
#[case::no_uuid("tulip under glass", 1)]
#[tokio::test]
async fn only_uuids_are_tried_the_other_way_round(#[case] secret: &str, #[case] tokens: usize) {
    let stub = Stub::start(|asked| match asked.path.as_str() {
        "/oauth/access_token" => Some(Reply::json(401, r#"{"error":"invalid_client"}"#)),
        _ => answer(asked, "ViewOnly"),
    })
    .await;
    let connection = Connection { client_secret: SecretString::from(secret), ..stub::connection(&stub.url) };
    assert_stopped(&test(plan(connection)).await, StageName::Token, "powerschool.bad_credentials");
    assert_eq!(stub.tokens(), tokens);
}

#[rstest]
#[case::the_same(1, false)]
#[case::another(7, true)]
#[tokio::test]
async fn a_plugin_installed_anew_is_noticed(#[case] before: i64, #[case] anew: bool) {
    let running = district(ServeOptions::default()).await;
    let findings =
        test(TestPlan { known: Some(known(CLIENT_ID, before)), ..plan(connection(&running)) }).await;
    assert!(findings.passed());
    assert_eq!(stage(&findings, StageName::Plugin).detail.contains("installed anew"), anew);
    running.stop().await;
}

#[tokio::test]
async fn only_what_the_chosen_exchanges_need_is_missing() {
    let missing_access = vec!["STUDENTS.DOB".to_owned(), "STUDENTS.FIRST_NAME".to_owned()];
    let running = with_faults(Faults { missing_access, ..Faults::default() }).await;
    let teachers = TestPlan { jobs: vec![Job::HeroTeachers], ..plan(connection(&running)) };
    assert!(test(teachers).await.passed());
    let findings = test(plan(connection(&running))).await;
    let Outcome::Failed { message, .. } = &findings.failure().unwrap().outcome else { panic!() };
    assert!(message.contains("STUDENTS: DOB, FIRST_NAME"), "{message}");
    let missing: Vec<_> = findings.access.iter().filter(|grant| !grant.is_enough()).collect();
    assert_eq!(missing.len(), 2);
    assert!(missing.iter().all(|grant| grant.granted.is_none() && grant.table == "STUDENTS"));
    running.stop().await;
}

/// A vendor's plugin without the tables serves some exchanges through core resources. The test says which, and fails for
/// the others only.
#[rstest]
#[case::one(&[Job::RaptorRoster], "powerschool.core_only")]
#[case::both(&[Job::HeroStudents, Job::RaptorRoster], "powerschool.core_only")]
#[case::teachers(&[Job::HeroStudents, Job::HeroTeachers], "powerschool.no_access")]
#[case::schedule(&[Job::HeroSchedule], "powerschool.no_access")]
#[case::all(&Job::ALL, "powerschool.no_access")]
#[tokio::test]
async fn a_vendors_plugin_is_told_how_far_it_serves(#[case] jobs: &[Job], #[case] code: &str) {
    let running = of_vendor().await;
    let findings = test(TestPlan { jobs: jobs.to_vec(), ..plan(connection(&running)) }).await;
    let access = stage(&findings, StageName::Access);
    assert_eq!(outcome(access), code, "{access:?}");
    let (Outcome::Warned { message, .. } | Outcome::Failed { message, .. }) = &access.outcome else {
        panic!("{access:?}");
    };
    for job in jobs {
        assert!(message.contains(job.as_str()), "{job} in '{message}'");
    }
    let through_core = jobs.iter().any(|job| matches!(job, Job::HeroStudents | Job::RaptorRoster));
    assert_eq!(message.contains("/ws/v1"), through_core, "{message}");
    assert_eq!(findings.passed(), code == "powerschool.core_only");
    if findings.passed() {
        assert!(access.detail.starts_with("0 of "), "{}", access.detail);
        assert_eq!(outcome(stage(&findings, StageName::Queries)), "powerschool.no_queries");
        assert_eq!(outcome(stage(&findings, StageName::Sample)), "passed");
    } else {
        assert_eq!(outcome(stage(&findings, StageName::Queries)), "skipped");
        // Only what nothing gives is named.
        let named = message.to_uppercase();
        assert!(!named.contains("STUDENTS: DCID") && !named.contains("TERMS"), "{message}");
    }
    running.stop().await;
}

#[tokio::test]
async fn nothing_it_says_holds_a_secret() {
    let running = district(ServeOptions::default()).await;
    let connection = connection(&running);
    let secret = connection.client_secret.expose_secret().to_owned();
    let plan = plan(connection);
    let mut said = vec![format!("{plan:?}")];
    let findings = test_connection(plan, |event| said.push(format!("{event:?}"))).await;
    said.push(format!("{findings:?}"));
    assert!(!said.concat().contains(&secret));
    running.stop().await;
}

/// A stub whose tables grant `access` to everything, and that answers the counts of queries as `count` says.
async fn granting(access: &'static str, count: fn() -> Reply) -> Stub {
    Stub::start(move |asked| answer(asked, access).or_else(|| asked.path.ends_with("/count").then(count)))
        .await
}

fn answer(asked: &Asked, access: &str) -> Option<Reply> {
    let reply = |value: Value| Some(Reply::json(200, value));
    if let Some(table) =
        asked.path.strip_prefix("/ws/schema/table/").and_then(|rest| rest.strip_suffix("/metadata"))
    {
        assert_eq!(asked.parameter("expansions"), Some("access"));
        let columns: Vec<Value> = plugin::access_request(&Job::ALL)
            .into_iter()
            .filter(|field| field.table.eq_ignore_ascii_case(table))
            .map(|field| json!({"name": field.field, "access": access}))
            .collect();
        return reply(json!({"name": table, "columns": columns}));
    }
    match asked.path.as_str() {
        "/ws/v1/time" => reply(json!({"time": {"dateTime": "2026-11-20T08:00:00-06:00"}})),
        "/ws/v1/district/school" => reply(json!({"schools": {"school": {"id": 1, "name": "North"}}})),
        _ => None,
    }
}

fn refuses_arguments() -> Reply {
    Reply::json(
        400,
        json!({"message": "Validation Failed", "errors": [{"field": "yearid_from", "code": "Missing"}]}),
    )
}

fn not_found() -> Reply {
    Reply::json(404, json!({"message": "Not Found"}))
}

#[rstest]
#[case::more_than_needed("FullAccess", "passed")]
#[case::reading_only("ViewOnly", "powerschool.no_access")]
#[case::none("NoAccess", "powerschool.no_access")]
#[case::withheld("BlackListNoAccess", "powerschool.no_access")]
#[tokio::test]
async fn full_access_is_enough_to_read_and_nothing_less_to_write(
    #[case] access: &'static str,
    #[case] code: &str,
) {
    let stub = granting(access, refuses_arguments).await;
    let findings = test(plan(stub::connection(&stub.url))).await;
    assert_eq!(outcome(stage(&findings, StageName::Access)), code);
    let written = findings.access.iter().filter(|grant| grant.wanted == plugin::Access::FullAccess);
    assert_ne!(written.clone().count(), 0);
    assert_eq!(written.clone().all(rosterbridge_powerschool::FieldGrant::is_enough), access == "FullAccess");
    let read = findings.access.iter().filter(|grant| grant.wanted == plugin::Access::ViewOnly);
    assert_eq!(
        read.clone().all(rosterbridge_powerschool::FieldGrant::is_enough),
        access == "FullAccess" || access == "ViewOnly"
    );
}

#[rstest]
#[case::known(refuses_arguments, "passed")]
#[case::unknown(not_found, "powerschool.no_queries")]
#[case::failing(|| Reply::json(500, "{}"), "powerschool.unexpected_answer")]
#[tokio::test]
async fn queries_are_counted_where_they_cannot_be_listed(#[case] count: fn() -> Reply, #[case] code: &str) {
    let stub = granting("FullAccess", count).await;
    let findings = test(plan(stub::connection(&stub.url))).await;
    assert_eq!(outcome(stage(&findings, StageName::Queries)), code);
    // Without the queries it is only slower.
    assert_eq!(findings.passed(), code != "powerschool.unexpected_answer");
}

#[rstest]
#[case::right(TimeDelta::zero(), "passed")]
#[case::a_little_off(TimeDelta::minutes(-4), "passed")]
#[case::behind(TimeDelta::minutes(-6), "powerschool.clock_skew")]
#[case::ahead(TimeDelta::hours(3), "powerschool.clock_skew")]
#[tokio::test]
async fn clocks_that_differ_are_pointed_out(
    #[values("header", "offset", "zone")] told_by: &'static str,
    #[case] ahead: TimeDelta,
    #[case] code: &str,
) {
    let url = raw::serve(move |head| (clock_answer(head, told_by, Utc::now() + ahead), After::Close)).await;
    let findings = test(TestPlan { check_clock: true, ..plan(stub::connection(&url)) }).await;
    let time = stage(&findings, StageName::Time);
    assert_eq!(outcome(time), code, "{time:?}");
    let found = findings.server.as_ref().unwrap().clock_ahead_seconds.unwrap();
    assert!((found - ahead.num_seconds()).abs() <= 30, "{found}");
    // A warning stops nothing.
    assert_ne!(outcome(stage(&findings, StageName::Metadata)), "skipped");

    let findings = test(plan(stub::connection(&url))).await;
    assert_eq!(outcome(stage(&findings, StageName::Time)), "passed");
    assert_eq!(findings.server.unwrap().clock_ahead_seconds, None);
}

/// Tells a time by the `Date` header (with nonsense in the body), with an offset (and nonsense in the header), or in the
/// district's zone.
fn clock_answer(head: &str, told_by: &str, now: DateTime<Utc>) -> Vec<u8> {
    if head.starts_with("GET /ws/v1/metadata ") {
        return raw::json(
            r#"{"metadata":{"powerschool_version":"23.9.0.0","district_timezone":"America/Chicago"}}"#,
        );
    }
    let local = now.with_timezone(&chrono_tz::America::Chicago);
    match told_by {
        // A proxy's own idea of the time does not count beside PowerSchool's.
        "offset" => dated(
            &raw::json(&json!({"time": {"dateTime": local.to_rfc3339()}}).to_string()),
            now - TimeDelta::days(9),
        ),
        "zone" => raw::json(
            &json!({"time": {"date": local.format("%Y-%m-%d").to_string(), "time": local.format("%H:%M:%S").to_string()}})
                .to_string(),
        ),
        _ => dated(&raw::json(r#"{"time":{"dateTime":"1999-01-01T00:00:00"}}"#), now),
    }
}

/// An answer with a `Date` header.
fn dated(answer: &[u8], now: DateTime<Utc>) -> Vec<u8> {
    let date = now.format("HTTP/1.1 200 OK\r\nDate: %a, %d %b %Y %H:%M:%S GMT").to_string();
    str::from_utf8(answer).unwrap().replacen("HTTP/1.1 200 OK", &date, 1).into_bytes()
}

#[tokio::test]
async fn a_clock_that_cannot_be_compared_is_no_failure() {
    let url =
        raw::serve(|_| (raw::json(r#"{"time":{"dateTime":"2026-11-20T08:00:00"}}"#), After::Close)).await;
    let findings = test(TestPlan { check_clock: true, ..plan(stub::connection(&url)) }).await;
    let time = stage(&findings, StageName::Time);
    assert_eq!(outcome(time), "passed");
    assert!(time.detail.contains("cannot be compared"), "{time:?}");
}

#[tokio::test]
async fn nothing_is_asked_twice() {
    let stub = Stub::start(|asked| (asked.path == "/ws/v1/time").then(|| Reply::json(503, "{}"))).await;
    assert_stopped(&test(plan(stub::connection(&stub.url))).await, StageName::Time, "powerschool.busy");
    assert_eq!(stub.asked().len(), 1);
    assert_eq!(reach(&stub::connection(&stub.url)).await.unwrap_err().code(), "powerschool.busy");
    assert_eq!(stub.asked().len(), 2);
}

#[tokio::test]
async fn reaching_a_server_needs_no_credentials() {
    let running = with_faults(Faults { revoked_credentials: true, ..Faults::default() }).await;
    reach(&connection(&running)).await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn a_district_without_schools_passes() {
    let stub = Stub::start(|asked| match asked.path.as_str() {
        "/ws/v1/district/school" => Some(Reply::json(200, json!({"schools": ""}))),
        path if path.ends_with("/count") => Some(refuses_arguments()),
        _ => answer(asked, "FullAccess"),
    })
    .await;
    let findings = test(plan(stub::connection(&stub.url))).await;
    assert!(findings.passed(), "{findings:#?}");
}
