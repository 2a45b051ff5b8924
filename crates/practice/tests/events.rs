//! Event subscriptions and what is posted to the callback.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its parts fails")]

mod support;

use axum::routing::post;
use axum::{Json, Router};
use reqwest::{Method, Response, StatusCode};
use rosterbridge_practice::DistrictChange;
use rstest::rstest;
use serde_json::{Value, json};
use support::{Practice, options};
use tokio::sync::mpsc;

const PATH: &str = "/ws/v1/event_subscription";

async fn subscribe(practice: &Practice, body: &Value) -> Response {
    practice.request(Method::PUT, PATH).json(body).send().await.unwrap()
}

/// A callback, and what it is told.
async fn callback() -> (String, mpsc::UnboundedReceiver<Value>) {
    let (tell, told) = mpsc::unbounded_channel();
    let router = Router::new().route(
        "/changed",
        post(move |Json(event): Json<Value>| async move {
            tell.send(event).unwrap();
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/changed", listener.local_addr().unwrap());
    let service = hyper_util::service::TowerToHyperService::new(router);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(hyper_util::rt::TokioIo::new(stream), service.clone());
            tokio::spawn(connection);
        }
    });
    (url, told)
}

#[tokio::test]
async fn a_subscription_is_made_replaced_shown_and_ended() {
    let practice = Practice::start(options()).await;
    practice.ask(Method::GET, PATH, StatusCode::NOT_FOUND).await;
    let one = json!({"event_subscriptions": {
        "key": "k", "callback_url": "http://127.0.0.1:9/x",
        "event_subscription": {"resource": "/ws/v1/student/*", "event_type": "INSERT"},
    }});
    assert_eq!(subscribe(&practice, &one).await.status(), StatusCode::CREATED);
    assert_eq!(subscribe(&practice, &one).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(practice.get(PATH).await, one);
    let end = || practice.request(Method::DELETE, PATH).send();
    assert_eq!(end().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(end().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[rstest]
#[case::elsewhere("http://example.com:80/", "/ws/v1/student/*", "INSERT", "callback_url")]
#[case::not_a_path("http://127.0.0.1:9/", "student", "INSERT", "resource")]
#[case::unknown_event("http://127.0.0.1:9/", "/ws/v1/student/*", "RENAME", "event_type")]
#[tokio::test]
async fn a_subscription_that_cannot_work_is_refused(
    #[case] url: &str,
    #[case] resource: &str,
    #[case] kind: &str,
    #[case] field: &str,
) {
    let practice = Practice::start(options()).await;
    let body = json!({"event_subscriptions": {
        "key": "k", "callback_url": url,
        "event_subscription": [{"resource": resource, "event_type": kind}],
    }});
    let refused = support::json_of(subscribe(&practice, &body).await, StatusCode::BAD_REQUEST).await;
    assert_eq!(refused["errors"][0]["field"], field);
}

#[tokio::test]
async fn the_callback_is_told_what_it_asked_for() {
    let practice = Practice::start(options()).await;
    let (url, mut told) = callback().await;
    let body = json!({"event_subscriptions": {
        "key": "mine", "callback_url": url,
        "event_subscription": [
            {"resource": "/ws/v1/student/*", "event_type": "INSERT"},
            {"resource": "/ws/v1/student/*", "event_type": "DELETE"},
            {"resource": "/ws/v1/test_subscription", "event_type": "UPDATE"},
        ],
    }});
    assert_eq!(subscribe(&practice, &body).await.status(), StatusCode::CREATED);
    practice.request(Method::GET, "/ws/v1/test_subscription").send().await.unwrap();
    let test = json!({"resource": "/ws/v1/test_subscription", "event_type": "UPDATE"});
    assert_eq!(told.recv().await.unwrap(), json!({"events": {"key": "mine", "event": test}}));

    let number = practice.number("SELECT MIN(Student_Number) FROM Students WHERE Enroll_Status = 0");
    let gone = practice.number(&format!("SELECT DCID FROM Students WHERE Student_Number = {number}"));
    let like = practice.number("SELECT MAX(Student_Number) FROM Students WHERE Enroll_Status = 0");
    let added = DistrictChange::AddStudent {
        student_number: 88_888,
        like,
        first_name: None,
        last_name: None,
        on: None,
    };
    let changes = vec![added, DistrictChange::RemoveStudent { student_number: number }];
    practice.running.change_district(changes).await.unwrap();
    let new = practice.number("SELECT DCID FROM Students WHERE Student_Number = 88888");
    assert_eq!(
        told.recv().await.unwrap()["events"]["event"],
        json!([
            {"resource": format!("/ws/v1/student/{new}"), "event_type": "INSERT"},
            {"resource": format!("/ws/v1/student/{gone}"), "event_type": "DELETE"},
        ])
    );
}
