//! Who is let in: the page this host has served, by the key in the address it printed.
//!
//! Everybody on this computer can reach the port, and every web page a person has open can send requests to it. So a request
//! has to name this host by its very address (a foreign name that leads here is refused), and whatever reaches the
//! engine has to come from this host's own page and bring the key in a header, which other pages can't set. No answer
//! allows another origin anything.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use subtle::ConstantTimeEq;

use super::Host;

/// The header with the key.
const KEY: HeaderName = HeaderName::from_static("x-rosterbridge-key");

/// What is asked of who comes.
pub struct Door {
    host: String,
    origin: String,
    /// 32 random bytes, in hexadecimal.
    key: String,
}

impl Door {
    /// With a key of its own.
    pub fn new(port: u16) -> Result<Self, getrandom::Error> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        let key = random.iter().fold(String::new(), |key, byte| format!("{key}{byte:02x}"));
        let host = format!("127.0.0.1:{port}");
        Ok(Self { origin: format!("http://{host}"), host, key })
    }

    /// What to open in the browser. A browser sends nothing behind the `#` to anybody.
    pub fn address(&self) -> String {
        format!("{}/#key={}", self.origin, self.key)
    }

    fn is_named(&self, headers: &HeaderMap) -> bool {
        is(headers, &header::HOST, &self.host)
    }

    fn lets_in(&self, headers: &HeaderMap) -> bool {
        is(headers, &header::ORIGIN, &self.origin)
            && headers.get(KEY).is_some_and(|key| key.as_bytes().ct_eq(self.key.as_bytes()).into())
    }
}

fn is(headers: &HeaderMap, name: &HeaderName, value: &str) -> bool {
    headers.get(name).is_some_and(|found| found == value)
}

/// Refuses requests that name another host.
pub async fn only_by_this_address(State(host): State<Arc<Host>>, request: Request, next: Next) -> Response {
    if host.door.is_named(request.headers()) {
        next.run(request).await
    } else {
        StatusCode::MISDIRECTED_REQUEST.into_response()
    }
}

/// Refuses requests that are not from our page with the key.
pub async fn only_the_page(State(host): State<Arc<Host>>, request: Request, next: Next) -> Response {
    if host.door.lets_in(request.headers()) {
        next.run(request).await
    } else {
        StatusCode::FORBIDDEN.into_response()
    }
}
