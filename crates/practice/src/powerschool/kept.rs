//! Answers rendered once and then served from memory, so that a measurement of a client measures the client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::PowerSchool;
use super::answer::Failure;

/// Bytes of answers that are kept at most; later ones are rendered every time.
const MOST: usize = 1 << 30;
/// Largest body of a request that is looked at, bytes.
const LARGEST_REQUEST: usize = 64 * 1024;

/// What an answer depends on: path with parameters, and the request's body.
type Asked = (String, Bytes);

/// Bodies of successful answers to reads.
#[derive(Default)]
pub(super) struct Kept {
    answers: HashMap<Asked, Bytes>,
    bytes: usize,
}

impl PowerSchool {
    /// Forgets what was rendered: the district, the plugin or a fault has changed.
    pub(super) fn render_again(&self) {
        if let Some(kept) = &self.kept {
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Kept::default();
        }
    }
}

/// Answers from memory what was asked before, and keeps what is asked for the first time.
pub(super) async fn answer(
    State(state): State<Arc<PowerSchool>>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let path = request.uri().path();
    let reads = path.starts_with("/ws/schema/query/") && request.method() == Method::POST
        || request.method() == Method::GET && !path.starts_with("/ws/dataversion/");
    let Some(kept) = state.kept.as_ref().filter(|_| reads) else { return Ok(next.run(request).await) };
    let (head, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_REQUEST)
        .await
        .map_err(|error| Failure::BadRequest(format!("The body cannot be read: {error}")))?;
    let asked = (head.uri.to_string(), body.clone());
    let known = locked(kept).answers.get(&asked).cloned();
    if let Some(answer) = known {
        return Ok(([(header::CONTENT_TYPE, "application/json;charset=UTF-8")], answer).into_response());
    }
    let response = next.run(Request::from_parts(head, Body::from(body))).await;
    if response.status() != StatusCode::OK {
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    let answer = to_bytes(body, usize::MAX).await.map_err(|error| Failure::Internal(error.to_string()))?;
    let mut kept = locked(kept);
    if kept.bytes + answer.len() <= MOST {
        kept.bytes += answer.len();
        kept.answers.insert(asked, answer.clone());
    }
    Ok(Response::from_parts(head, Body::from(answer)))
}

fn locked(kept: &Mutex<Kept>) -> std::sync::MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
