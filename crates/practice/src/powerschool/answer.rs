//! Answers in PowerSchool's shapes.

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// Everything that is not a success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No token, an unknown one, or one that expired.
    Token(&'static str),
    /// The client's credentials are wrong.
    Credentials,
    /// 404.
    NotFound,
    /// 400 'Validation Failed' with (resource, field, code) for each field.
    Validation(Vec<(String, String, String)>),
    /// 403 for fields the plugin may not write.
    Security(Vec<(String, String)>),
    /// 400 with a sentence.
    BadRequest(String),
    /// 500.
    Internal(String),
    /// A status that a fault asks for.
    Status(u16),
    /// The connection ends without an answer.
    Drop,
}

/// Marks a response that must never reach the client: its connection is closed instead.
#[derive(Clone)]
pub(crate) struct DropConnection;

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let errors = |errors: Vec<(String, String, String)>| -> Vec<Value> {
            errors
                .into_iter()
                .map(|(resource, field, code)| json!({"resource": resource, "field": field, "code": code}))
                .collect()
        };
        match self {
            Self::Token(description) => (
                StatusCode::UNAUTHORIZED,
                [(
                    header::WWW_AUTHENTICATE,
                    format!("Bearer error=\"invalid_token\",realm=\"PowerSchool\",error_description=\"{description}\""),
                )],
            )
                .into_response(),
            Self::Credentials => reply(StatusCode::UNAUTHORIZED, &json!({"error": "invalid_client"})),
            Self::NotFound => reply(StatusCode::NOT_FOUND, &json!({"message": "Not Found"})),
            Self::Validation(fields) => reply(
                StatusCode::BAD_REQUEST,
                &json!({"message": "Validation Failed", "errors": errors(fields)}),
            ),
            Self::Security(fields) => reply(
                StatusCode::FORBIDDEN,
                &json!({"message": "Security Failed", "errors": errors(
                    fields
                        .into_iter()
                        .map(|(resource, field)| (resource, field, "No access to the field".into()))
                        .collect(),
                )}),
            ),
            Self::BadRequest(message) => reply(StatusCode::BAD_REQUEST, &json!({"message": message})),
            Self::Internal(message) => {
                tracing::error!(message, "the practice PowerSchool failed");
                reply(StatusCode::INTERNAL_SERVER_ERROR, &json!({"message": message}))
            }
            Self::Status(status) => reply(
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                &json!({"message": "The request could not be processed"}),
            ),
            Self::Drop => {
                let mut response = StatusCode::SERVICE_UNAVAILABLE.into_response();
                response.extensions_mut().insert(DropConnection);
                response
            }
        }
    }
}

/// A JSON answer.
pub(crate) fn reply(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json;charset=UTF-8")], Body::from(value.to_string()))
        .into_response()
}

/// The DCID in a path: whatever is no number names nothing.
pub(crate) fn dcid(text: &str) -> Result<i64, Failure> {
    text.parse().map_err(|_| Failure::NotFound)
}

/// A JSON answer with 200.
pub(crate) fn ok(value: &Value) -> Response {
    reply(StatusCode::OK, value)
}

/// `{"OUTER":{META...,"INNER":[...]}}` as an XML model comes out as JSON: one element is the bare
/// object, none leave the key out, and a container with nothing in it is an empty string.
pub(crate) fn container(outer: &str, meta: &[(&str, &str)], inner: &str, mut rows: Vec<Value>) -> Value {
    let mut content: Map<String, Value> =
        meta.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
    match rows.len() {
        0 => {}
        1 => _ = content.insert(inner.into(), rows.remove(0)),
        _ => _ = content.insert(inner.into(), Value::Array(rows)),
    }
    let content = if content.is_empty() { Value::from("") } else { Value::Object(content) };
    json!({ outer: content })
}

/// A list inside a write's answer, collapsed when single.
pub(crate) fn collapsed(mut rows: Vec<Value>) -> Value {
    if rows.len() == 1 { rows.remove(0) } else { Value::Array(rows) }
}

/// Text that looks like a number comes out as one: 63001, but "04512" and "63001-1234".
pub(crate) fn loose(text: String) -> Value {
    let plain = text.len() < 16 && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<i64>() {
        Ok(number) if plain && (text.len() == 1 || !text.starts_with('0')) => number.into(),
        _ => text.into(),
    }
}

/// Leaves out members that are null, as an XML model leaves out empty elements.
pub(crate) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(
        members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.into(), value))
            .collect(),
    )
}
