//! Event subscriptions (PowerSchool: `/ws/v1/event_subscription`): changes of the district are posted to a callback.
//!
//! Only callbacks on this machine are taken, over plain HTTP: the practice district sends nothing to anywhere else.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hyper_util::rt::TokioIo;
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::PowerSchool;
use super::answer::{Failure, collapsed, ok};

/// How long a callback may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The resource that exercises the path without a change.
const TEST: &str = "/ws/v1/test_subscription";
/// Tables whose rows are core resources.
const RESOURCES: [(&str, &str); 7] = [
    ("students", "student"),
    ("schoolstaff", "staff"),
    ("sections", "section"),
    ("courses", "course"),
    ("terms", "term"),
    ("schools", "school"),
    ("cc", "section_enrollment"),
];

/// What one client asked to be told.
#[derive(Clone)]
pub(super) struct Subscription {
    key: String,
    callback: Uri,
    /// Resource, with `*` for any DCID, and event type.
    wanted: Vec<(String, String)>,
}

/// Something that happened to a resource.
pub(super) struct Event {
    resource: String,
    /// INSERT, UPDATE or DELETE.
    kind: String,
}

pub(super) fn routes() -> Router<Arc<PowerSchool>> {
    Router::new()
        .route("/ws/v1/event_subscription", get(shown).put(replaced).delete(ended))
        .route(TEST, get(tested))
}

impl Subscription {
    /// Reads the body of a PUT. Lists of one may be the bare object.
    fn read(body: &Value) -> Result<Self, Failure> {
        let invalid = |field: &str, code: &str| {
            Failure::Validation(vec![("event_subscriptions".into(), field.into(), code.into())])
        };
        let body = &body["event_subscriptions"];
        let key = body["key"].as_str().ok_or_else(|| invalid("key", "Required field missing"))?;
        let callback: Uri = body["callback_url"]
            .as_str()
            .and_then(|url| url.parse().ok())
            .ok_or_else(|| invalid("callback_url", "Required field missing"))?;
        let here = ["127.0.0.1", "localhost"].contains(&callback.host().unwrap_or_default());
        if !here || callback.scheme_str() != Some("http") || callback.port_u16().is_none() {
            return Err(invalid("callback_url", "Only http://127.0.0.1:PORT is called"));
        }
        let list = match &body["event_subscription"] {
            Value::Array(list) => list.iter().collect(),
            one @ Value::Object(_) => vec![one],
            _ => return Err(invalid("event_subscription", "Required field missing")),
        };
        let mut wanted = Vec::new();
        for one in list {
            let resource = one["resource"].as_str().filter(|resource| resource.starts_with("/ws/v1/"));
            let kind =
                one["event_type"].as_str().filter(|kind| ["INSERT", "UPDATE", "DELETE"].contains(kind));
            match (resource, kind) {
                (Some(resource), Some(kind)) => wanted.push((resource.to_owned(), kind.to_owned())),
                (None, _) => return Err(invalid("resource", "Invalid value")),
                (_, None) => return Err(invalid("event_type", "Invalid value")),
            }
        }
        Ok(Self { key: key.to_owned(), callback, wanted })
    }

    fn wants(&self, event: &Event) -> bool {
        self.wanted.iter().any(|(resource, kind)| {
            *kind == event.kind
                && match resource.strip_suffix('*') {
                    Some(start) => event.resource.starts_with(start),
                    None => *resource == event.resource,
                }
        })
    }
}

/// What happened to core resources after a version, each once and as it ended.
pub(super) fn since(connection: &Connection, version: i64) -> rusqlite::Result<Vec<Event>> {
    let mut rows = connection.prepare(
        "SELECT TableName, RowDCID, MAX(Event = 'INSERT'), MAX(Event = 'DELETE') FROM Practice_Change
          WHERE Seq > ?1 GROUP BY TableName, RowDCID ORDER BY MIN(Seq)",
    )?;
    let rows = rows.query_map([version], |row| {
        let (table, dcid): (String, i64) = (row.get(0)?, row.get(1)?);
        let kind = match (row.get(2)?, row.get(3)?) {
            (_, true) => "DELETE",
            (true, false) => "INSERT",
            (false, false) => "UPDATE",
        };
        Ok(RESOURCES
            .iter()
            .find(|resource| resource.0 == table)
            .map(|resource| Event { resource: format!("/ws/v1/{}/{dcid}", resource.1), kind: kind.into() }))
    })?;
    rows.filter_map(Result::transpose).collect()
}

impl PowerSchool {
    /// Posts what the subscriber wants to know, without waiting for the answer.
    pub(super) fn announce(&self, events: Vec<Event>) {
        let held = self.subscription.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(subscription) = held else { return };
        let events: Vec<Value> = events
            .into_iter()
            .filter(|event| subscription.wants(event))
            .map(|event| json!({"resource": event.resource, "event_type": event.kind}))
            .collect();
        if events.is_empty() {
            return;
        }
        let body = json!({"events": {"key": subscription.key, "event": collapsed(events)}}).to_string();
        tokio::spawn(async move {
            match tokio::time::timeout(PATIENCE, call(&subscription.callback, body)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "an event could not be delivered"),
                Err(_) => tracing::warn!("a callback did not answer in time"),
            }
        });
    }
}

/// `POST`s to the callback.
async fn call(callback: &Uri, body: String) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (host, port) = (callback.host().unwrap_or_default(), callback.port_u16().unwrap_or(80));
    let stream = TcpStream::connect((host, port)).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let path = callback.path_and_query().map_or("/", |path| path.as_str());
    let request = axum::http::Request::post(path)
        .header(header::HOST, format!("{host}:{port}"))
        .header(header::CONTENT_TYPE, "application/json;charset=UTF-8")
        .body(Body::from(body))?;
    sender.send_request(request).await?;
    drop(sender);
    connection.await??;
    Ok(())
}

async fn shown(State(state): State<Arc<PowerSchool>>) -> Result<Response, Failure> {
    let held = state.subscription.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let subscription = held.ok_or(Failure::NotFound)?;
    let wanted = subscription
        .wanted
        .into_iter()
        .map(|(resource, kind)| json!({"resource": resource, "event_type": kind}))
        .collect();
    Ok(ok(&json!({"event_subscriptions": {
        "key": subscription.key,
        "callback_url": subscription.callback.to_string(),
        "event_subscription": collapsed(wanted),
    }})))
}

async fn replaced(State(state): State<Arc<PowerSchool>>, body: Bytes) -> Result<Response, Failure> {
    let body: Value =
        serde_json::from_slice(&body).map_err(|_| Failure::BadRequest("The body is not JSON".into()))?;
    let subscription = Subscription::read(&body)?;
    let before = state.subscription.lock().unwrap_or_else(PoisonError::into_inner).replace(subscription);
    let status = if before.is_some() { StatusCode::NO_CONTENT } else { StatusCode::CREATED };
    Ok(status.into_response())
}

async fn ended(State(state): State<Arc<PowerSchool>>) -> Result<Response, Failure> {
    match state.subscription.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(_) => Ok(StatusCode::NO_CONTENT.into_response()),
        None => Err(Failure::NotFound),
    }
}

/// Exercises the path to the callback: an event of every kind, for those who subscribed the test resource.
async fn tested(State(state): State<Arc<PowerSchool>>) -> Response {
    let events = ["INSERT", "UPDATE", "DELETE"]
        .map(|kind| Event { resource: TEST.into(), kind: kind.into() })
        .into_iter()
        .collect();
    state.announce(events);
    StatusCode::NO_CONTENT.into_response()
}
