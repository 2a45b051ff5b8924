//! OAuth with client credentials.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

use super::answer::{Failure, ok};
use super::{PowerSchool, TOKEN_SECONDS};
use crate::identity::PluginState;

/// `POST /oauth/access_token`, with or without a slash at the end.
pub(super) async fn issue(
    State(state): State<Arc<PowerSchool>>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, Failure> {
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|encoded| BASE64_STANDARD.decode(encoded.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or(Failure::Credentials)?;
    let installed = state.installed();
    let expected = format!("{}:{}", installed.credentials.client_id, installed.credentials.client_secret);
    // A plugin without an oauth element has no credentials at all, and those of one that is not enabled
    // are worth nothing.
    let none =
        installed.state != PluginState::Enabled || installed.plugin.is_some_and(|plugin| !plugin.oauth);
    if none || basic != expected || state.faults().revoked_credentials {
        return Err(Failure::Credentials);
    }
    let form = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    if !form || !body.split('&').any(|pair| pair == "grant_type=client_credentials") {
        return Err(Failure::BadRequest("grant_type=client_credentials is required as a form".into()));
    }
    let seconds = state.faults().token_lifetime_seconds.unwrap_or(TOKEN_SECONDS);
    let mut bytes = [0u8; 24];
    getrandom::fill(&mut bytes).map_err(|error| Failure::Internal(error.to_string()))?;
    let token = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let now = Instant::now();
    let mut tokens = state.tokens.lock().unwrap_or_else(PoisonError::into_inner);
    tokens.retain(|_, end| *end > now);
    tokens.insert(token.clone(), now + Duration::from_secs(seconds));
    drop(tokens);
    Ok(ok(&json!({"access_token": token, "token_type": "Bearer", "expires_in": seconds.to_string()})))
}

/// Lets a request through that carries a token which is still good.
pub(super) async fn require(
    State(state): State<Arc<PowerSchool>>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    if state.carries_token(request.headers())? {
        Ok(next.run(request).await)
    } else {
        Err(Failure::Token("The access token has expired"))
    }
}

impl PowerSchool {
    /// Whether a request carries a token that is still good; an error without any.
    pub(super) fn carries_token(&self, headers: &HeaderMap) -> Result<bool, Failure> {
        let token = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or(Failure::Token("An access token is required"))?;
        let good = self
            .tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(token)
            .is_some_and(|end| *end > Instant::now());
        Ok(good && self.installed().state == PluginState::Enabled && !self.faults().revoked_credentials)
    }
}
