//! Connections that break, stall, or come another way than usual.

use std::time::Duration;

use rosterbridge_powerschool::{Client, Connection, Error, StageName, Timeouts, reach};
use rstest::rstest;
use tokio::net::TcpListener;

use crate::{
    raw::{self, After},
    staged::{failure, plan, test},
    stub::connection,
};

const TIME: &str = r#"{"time":{"dateTime":"2026-11-20T08:00:00-06:00"}}"#;

/// The head and first bytes of an answer that promises more.
fn cut() -> Vec<u8> {
    let mut bytes = raw::json(TIME);
    bytes.truncate(bytes.len() - 20);
    bytes
}

#[rstest]
#[case::reset(After::Reset)]
#[case::closed(After::Close)]
#[tokio::test]
async fn a_connection_that_breaks_in_mid_body_is_told_and_may_be_tried_again(#[case] after: After) {
    let url = raw::serve(move |_| (cut(), after)).await;
    let error = reach(&connection(&url)).await.unwrap_err();
    assert_eq!(error.code(), "powerschool.interrupted", "{error}");
    assert!(error.is_transient());
}

fn impatient() -> Timeouts {
    Timeouts {
        connect: Duration::from_millis(400),
        request: Duration::from_millis(400),
        body_idle: Duration::from_millis(400),
    }
}

#[rstest]
#[case::before_the_answer(Vec::new())]
#[case::in_the_answer(cut())]
#[tokio::test]
async fn a_server_that_stalls_is_waited_for_no_longer_than_told(#[case] bytes: Vec<u8>) {
    let url = raw::serve(move |_| (bytes.clone(), After::Stall)).await;
    let error = reach(&Connection { timeouts: impatient(), ..connection(&url) }).await.unwrap_err();
    assert_eq!(error.code(), "powerschool.timeout", "{error}");
}

#[tokio::test]
async fn a_server_that_never_shakes_hands_is_waited_for_no_longer_than_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let connection = Connection { timeouts: impatient(), ..connection(&url) };
    assert_eq!(failure(&test(plan(connection.clone())).await), (StageName::Tls, "powerschool.timeout"));
    let error = reach(&connection).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    // Connections wait to be accepted as long as it lives.
    drop(listener);
}

#[tokio::test]
async fn compressed_answers_are_asked_for_and_read() {
    // `gzip` of TIME.
    const COMPRESSED: [u8; 63] = [
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xab, 0x56, 0x2a, 0xc9, 0xcc, 0x4d, 0x55,
        0xb2, 0xaa, 0x56, 0x4a, 0x49, 0x2c, 0x49, 0x0d, 0x01, 0xb3, 0x95, 0x8c, 0x0c, 0x8c, 0xcc, 0x74, 0x0d,
        0x0d, 0x75, 0x8d, 0x0c, 0x42, 0x0c, 0x2c, 0xac, 0x0c, 0x0c, 0x80, 0x48, 0xd7, 0xc0, 0x0c, 0x48, 0x2a,
        0xd5, 0xd6, 0x02, 0x00, 0x53, 0xde, 0x94, 0x33, 0x31, 0x00, 0x00, 0x00,
    ];
    let url = raw::serve(|head| {
        assert!(head.to_lowercase().contains("accept-encoding: gzip"), "{head}");
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            COMPRESSED.len()
        )
        .into_bytes();
        answer.extend_from_slice(&COMPRESSED);
        (answer, After::Close)
    })
    .await;
    let time = Client::new(connection(&url)).unwrap().time().await.unwrap();
    assert_eq!(time.to_string(), "2026-11-20 08:00:00");
}

#[tokio::test]
async fn a_server_on_ipv6_is_reached() {
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().route(
        "/ws/v1/time",
        axum::routing::get(|| async { ([("content-type", "application/json")], TIME) }),
    );
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    reach(&connection(&url)).await.unwrap();
    let findings = test(plan(connection(&url))).await;
    assert!(findings.stages[1].detail.contains("[::1]"), "{findings:?}");
    // The stub has no metadata: everything up to there went over IPv6.
    assert_eq!(failure(&findings).0, StageName::Metadata);
}
