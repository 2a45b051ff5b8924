//! A server whose answers a test decides, for what no real PowerSchool would send twice.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderName, StatusCode, Uri, header},
    response::Response,
};
use rosterbridge_powerschool::{Client, ClientId, Connection, Proxy, ServerUrl, Timeouts};
use secrecy::SecretString;
use serde_json::{Value, json};

pub const CLIENT_ID: &str = "0e2fbd3c-9ac2-4c32-8a6c-6a4a3b0d1f5e";

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    pub query: Vec<(String, String)>,
    pub authorization: String,
    pub body: Value,
}

impl Asked {
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

/// An answer.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(HeaderName, &'static str)>,
    pub body: String,
}

impl Reply {
    #[expect(clippy::needless_pass_by_value, reason = "tests read better without the reference")]
    pub fn json(status: u16, body: impl ToString) -> Self {
        Self {
            status,
            headers: vec![(header::CONTENT_TYPE, "application/json;charset=UTF-8")],
            body: body.to_string(),
        }
    }

    pub fn html(status: u16) -> Self {
        Self {
            status,
            headers: vec![(header::CONTENT_TYPE, "text/html")],
            body: "<html><title>A page</title></html>".to_owned(),
        }
    }

    pub fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

type Answers = dyn Fn(&Asked) -> Option<Reply> + Send + Sync;

struct Shared {
    asked: Mutex<Vec<Asked>>,
    answers: Box<Answers>,
}

pub struct Stub {
    pub url: String,
    shared: Arc<Shared>,
}

impl Stub {
    /// Serves what `answers` says. What it leaves open is a token, metadata, or 404.
    pub async fn start(answers: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared { asked: Mutex::new(Vec::new()), answers: Box::new(answers) });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared }
    }

    pub fn client(&self) -> Client {
        client_of(&self.url)
    }

    /// What was asked so far, without tokens.
    pub fn asked(&self) -> Vec<Asked> {
        let asked = self.shared.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.path != "/oauth/access_token").cloned().collect()
    }

    /// What every request had to show, those for tokens included.
    pub fn authorizations(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().iter().map(|asked| asked.authorization.clone()).collect()
    }

    /// How many tokens were fetched.
    pub fn tokens(&self) -> usize {
        let asked = self.shared.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.path == "/oauth/access_token").count()
    }
}

pub fn connection(url: &str) -> Connection {
    Connection {
        url: ServerUrl::parse(url).unwrap(),
        client_id: ClientId::parse(CLIENT_ID).unwrap(),
        client_secret: SecretString::from("c5a1a0a4-3f0b-4a3e-a6a4-4c5a0f3a2b1d"),
        extra_roots: Vec::new(),
        proxy: Proxy::System,
        timeouts: Timeouts::default(),
    }
}

pub fn client_of(url: &str) -> Client {
    Client::new(connection(url)).unwrap()
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: axum::http::HeaderMap,
    body: Bytes,
) -> Response {
    let query =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let authorization = headers.get(header::AUTHORIZATION).map_or("", |value| value.to_str().unwrap());
    let asked = Asked {
        path: uri.path().to_owned(),
        query,
        authorization: authorization.to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    shared.asked.lock().unwrap().push(asked.clone());
    let reply = (shared.answers)(&asked).unwrap_or_else(|| match asked.path.as_str() {
        "/oauth/access_token" => {
            Reply::json(200, json!({"access_token": "t", "token_type": "Bearer", "expires_in": "3600"}))
        }
        "/ws/v1/metadata" => Reply::json(200, json!({"metadata": {"powerschool_version": "23.9.0.0"}})),
        _ => Reply::json(404, json!({"message": "Not Found"})),
    });
    let mut response = Response::builder().status(StatusCode::from_u16(reply.status).unwrap());
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}
