//! How answers arrive, or not.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its parts fails")]

mod support;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use reqwest::{Method, StatusCode};
use rosterbridge_practice::{CutBody, Faults, Firewall, ServeOptions};
use rstest::rstest;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use support::{Practice, client, json_of, options};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const STUDENTS: &str = "/ws/schema/query/com.example.practice.roster.students";

async fn students(practice: &Practice, parameters: &str) -> reqwest::Response {
    let path = format!("{STUDENTS}{parameters}");
    practice.request(Method::POST, &path).json(&json!({"status": "0"})).send().await.unwrap()
}

#[rstest]
#[case(400)]
#[case(500)]
#[tokio::test]
async fn a_whole_answer_can_be_refused_while_pages_work(#[case] status: u16) {
    let practice = Practice::start(options()).await;
    practice.running.set_faults(Faults { refuse_whole: Some(status), ..Faults::default() });
    assert_eq!(students(&practice, "?pagesize=0").await.status().as_u16(), status);
    let page = json_of(students(&practice, "?page=2&pagesize=100").await, StatusCode::OK).await;
    assert_eq!(page["record"].as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn a_long_body_breaks_off_as_often_as_wanted() {
    let practice = Practice::start(options()).await;
    let cut_body = Some(CutBody { n: 2, after_bytes: 4_000 });
    practice.running.set_faults(Faults { cut_body, ..Faults::default() });
    // Shorter ones pass and do not count.
    assert_eq!(practice.get("/ws/v1/district/school/count").await["resource"]["count"], 5);
    for _ in 0..2 {
        let mut response = students(&practice, "?pagesize=0").await;
        assert_eq!(response.status(), StatusCode::OK);
        let mut arrived = 0;
        let error = loop {
            match response.chunk().await {
                Ok(Some(piece)) => arrived += piece.len(),
                Ok(None) => panic!("the body ended as if it were whole"),
                Err(error) => break error,
            }
        };
        assert_eq!(arrived, 4_000, "{error}");
    }
    let whole = json_of(students(&practice, "?pagesize=0").await, StatusCode::OK).await;
    assert_eq!(whole["record"].as_array().unwrap().len(), 150);
}

#[tokio::test]
async fn a_slow_body_comes_in_small_pieces_and_whole() {
    let practice = Practice::start(options()).await;
    practice.running.set_faults(Faults { slow_body: Some(200_000), ..Faults::default() });
    let mut response = students(&practice, "?pagesize=0").await;
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.unwrap() {
        assert!(piece.len() <= 20_000);
        body.extend_from_slice(&piece);
    }
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["record"].as_array().unwrap().len(), 150);
}

#[rstest]
#[case::accepted(Some("gzip"), false, true)]
#[case::not_accepted(None, false, false)]
#[case::switched_off(Some("gzip, deflate"), true, false)]
#[tokio::test]
async fn answers_are_compressed_for_those_who_ask(
    #[case] accepted: Option<&str>,
    #[case] no_gzip: bool,
    #[case] compressed: bool,
) {
    let practice = Practice::start(options()).await;
    practice.running.set_faults(Faults { no_gzip, ..Faults::default() });
    let mut request =
        practice.request(Method::POST, &format!("{STUDENTS}?pagesize=0")).json(&json!({"status": "0"}));
    if let Some(accepted) = accepted {
        request = request.header("accept-encoding", accepted);
    }
    let response = request.send().await.unwrap();
    let encoding = response.headers().get("content-encoding").map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(encoding.as_deref(), compressed.then_some("gzip"));
    let body = response.bytes().await.unwrap();
    assert_eq!(body.starts_with(&[0x1f, 0x8b]), compressed);
}

#[tokio::test]
async fn a_firewall_refuses_before_powerschool_does() {
    let practice = Practice::start(options()).await;
    practice.running.set_faults(Faults { firewall: Some(Firewall::Forbidden), ..Faults::default() });
    let response = practice.request(Method::GET, "/ws/v1/time").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(response.text().await.unwrap().starts_with("<!DOCTYPE html>"));

    practice.running.set_faults(Faults { firewall: Some(Firewall::Reset), ..Faults::default() });
    let fresh = client(&practice.running);
    let url = format!("{}/ws/v1/time", practice.running.ready().powerschool.url);
    for client in [&fresh, &practice.client] {
        assert!(client.get(&url).send().await.is_err());
    }
    practice.running.set_faults(Faults::default());
    assert_eq!(fresh.get(&url).send().await.unwrap().status(), StatusCode::OK);
}

#[rstest]
#[case::ahead(3_600)]
#[case::behind(-7_200)]
#[tokio::test]
async fn the_clock_can_be_wrong_while_the_date_header_is_right(#[case] ahead: i64) {
    let practice = Practice::start(options()).await;
    let time = |answer: Value| -> DateTime<Utc> {
        answer["time"]["dateTime"]
            .as_str()
            .unwrap()
            .parse::<DateTime<chrono::FixedOffset>>()
            .unwrap()
            .to_utc()
    };
    let before = time(practice.get("/ws/v1/time").await);
    practice.running.set_faults(Faults { clock_ahead_seconds: ahead, ..Faults::default() });
    let response = practice.request(Method::GET, "/ws/v1/time").send().await.unwrap();
    let header = DateTime::parse_from_rfc2822(response.headers()["date"].to_str().unwrap()).unwrap();
    assert!((Utc::now() - header.to_utc()).num_minutes().abs() < 5, "{header}");
    let shifted = (time(json_of(response, StatusCode::OK).await) - before).num_seconds() - ahead;
    assert!((-60..60).contains(&shifted), "{shifted}");
}

#[tokio::test]
async fn a_prerendered_answer_is_the_same_until_something_changes() {
    let practice = Practice::start(ServeOptions { prerender: true, ..options() }).await;
    let ask = async |parameters: &str| students(&practice, parameters).await.text().await.unwrap();
    let whole = ask("?pagesize=0").await;
    // Past the server's back, so that only an answer from memory stays as it was.
    let set = |name: &str| format!("UPDATE Students SET Last_Name = '{name}' WHERE Enroll_Status = 0");
    practice.database().execute(&set("Behind"), ()).unwrap();
    assert!(ask("?pagesize=0").await == whole);
    assert!(ask("?pagesize=50").await.contains("Behind"), "another question");
    let unauthorised =
        practice.client.post(format!("{}{STUDENTS}?pagesize=0", practice.running.ready().powerschool.url));
    assert_eq!(unauthorised.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);

    practice.running.set_faults(Faults { latency_ms: 1, ..Faults::default() });
    assert!(ask("?pagesize=0").await == whole);
    practice.running.set_faults(Faults { missing_access: vec!["Students.DOB".into()], ..Faults::default() });
    assert!(ask("?pagesize=0").await.contains("Behind"));
}

/// As Python's `requests` sends them: the head, then a body that no handler of a GET looks at.
#[tokio::test]
async fn a_connection_stays_when_a_get_has_a_body() {
    let practice = Practice::start(options()).await;
    let access = &practice.running.ready().powerschool;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(access.ca_pem.as_bytes()).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(access.url.trim_start_matches("https://")).await.unwrap();
    let mut stream = connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap();
    for _ in 0..10 {
        // Without a token the answer is there at once.
        stream
            .write_all(b"GET /ws/v1/district HTTP/1.1\r\nHost: practice\r\nContent-Length: 2\r\n\r\n")
            .await
            .unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
        stream.write_all(b"{}").await.unwrap();
        stream.flush().await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        let answer = String::from_utf8(answer).unwrap().to_lowercase();
        assert!(answer.starts_with("http/1.1 401") && answer.contains("content-length: 0"), "{answer}");
    }
}
