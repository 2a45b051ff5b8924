//! One request at a time: address, token, timeouts, and what an answer's status means.

mod dial;
pub(crate) mod legacy;
mod pac;
mod proxy;
mod tls;

use std::{
    error::Error as StdError,
    fmt, io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use backon::{ExponentialBuilder, Retryable};
use futures_util::StreamExt;
use reqwest::{
    Method, Response, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header,
};
use rosterbridge_domain::settings::{PowerSchoolSettings, ProxyMode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::sync::Mutex;

pub(crate) use self::{
    dial::Route,
    proxy::proxy_address,
    tls::{Tls, added_certificates, tls_error, tls_problem},
};
pub use self::{proxy::Proxy, tls::Certificate};
use crate::{
    address::{self, ClientId, ServerUrl},
    error::{AnswerProblem, Error},
    json::{self, Validation},
};

/// The largest answer that is read as a whole, in bytes: lists of schools, counts, answers to writes.
const MAX_WHOLE_ANSWER: usize = 16 << 20;

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until there is a connection, TLS included.
    pub connect: Duration,
    /// From the request to the first byte of its answer.
    pub request: Duration,
    /// Between two pieces of an answer.
    pub body_idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            request: Duration::from_mins(1),
            body_idle: Duration::from_mins(1),
        }
    }
}

/// Where PowerSchool is and as whom we call it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The server.
    pub url: ServerUrl,
    /// The plugin's Client ID.
    pub client_id: ClientId,
    /// The plugin's Client Secret.
    pub client_secret: SecretString,
    /// Certificates (PEM text) trusted besides the system's: authorities, or a server's own certificate, which is
    /// then trusted as exactly that.
    pub extra_roots: Vec<String>,
    /// The way out of the network.
    pub proxy: Proxy,
    /// How long to wait.
    pub timeouts: Timeouts,
}

impl Connection {
    /// The connection a profile's settings describe, with the secrets from the keychain. `timeouts` are the caller's:
    /// `answer_seconds` of the settings is what it derives them from.
    pub fn from_settings(
        settings: &PowerSchoolSettings,
        client_secret: SecretString,
        proxy_password: Option<SecretString>,
        timeouts: Timeouts,
    ) -> Result<Self, Error> {
        let proxy = match settings.proxy.mode {
            ProxyMode::System => Proxy::System,
            ProxyMode::None => Proxy::None,
            ProxyMode::Explicit => Proxy::Explicit {
                url: proxy_address(&settings.proxy.url)?,
                username: settings.proxy.username.clone(),
                password: proxy_password,
            },
        };
        Ok(Self {
            url: ServerUrl::parse(&settings.url)?,
            client_id: ClientId::parse(&settings.client_id)?,
            client_secret: address::pasted(client_secret),
            extra_roots: settings.extra_roots.clone(),
            proxy,
            timeouts,
        })
    }
}

/// A token and when to get the next one.
struct Token {
    bearer: SecretString,
    renew_at: Instant,
}

/// A request that can be sent again.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    /// JSON.
    pub(crate) body: Option<Vec<u8>>,
    /// Whether PowerSchool wants a token for it.
    pub(crate) authenticated: bool,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), query: Vec::new(), body: None, authenticated: true }
    }

    pub(crate) fn post(path: impl Into<String>, body: impl Serialize) -> Self {
        // Texts and numbers can always be written.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        Self { method: Method::POST, body: Some(body), ..Self::get(path) }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// Without a token: `/ws/v1/time` and `/ws/v1/metadata` answer to everybody.
    pub(crate) fn open(mut self) -> Self {
        self.authenticated = false;
        self
    }
}

/// A failed exchange, and whether PowerSchool can have acted on the request.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) certainty: Certainty,
}

/// What a failure leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certainty {
    /// The request was certainly not acted on.
    NotApplied,
    /// It may or may not have been.
    Unknown,
}

impl Failure {
    fn not_applied(error: Error) -> Self {
        Self { error, certainty: Certainty::NotApplied }
    }

    fn unknown(error: Error) -> Self {
        Self { error, certainty: Certainty::Unknown }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// HTTP to one PowerSchool server.
pub(crate) struct Transport {
    http: reqwest::Client,
    connection: Connection,
    route: Route,
    tls: Tls,
    /// How often what only reads is asked again.
    repeats: usize,
    token: Mutex<Option<Token>>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("url", &self.connection.url).finish_non_exhaustive()
    }
}

impl Transport {
    /// For the exchange: what only reads is asked again a few times when that may help.
    pub(crate) fn new(connection: Connection) -> Result<Self, Error> {
        Self::with_repeats(connection, 3)
    }

    /// For a test, which is to show what happens, and soon.
    pub(crate) fn for_test(connection: Connection) -> Result<Self, Error> {
        Self::with_repeats(connection, 0)
    }

    fn with_repeats(connection: Connection, repeats: usize) -> Result<Self, Error> {
        // Whatever else in the process speaks TLS gets the same provider. The first caller decides.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tls = Tls::new(&connection.extra_roots)?;
        let route = Route::new(&connection)?;
        let unavailable = |error: reqwest::Error| Error::TlsUnavailable(Arc::new(error.without_url()));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("RosterBridge/", env!("CARGO_PKG_VERSION")))
            // A redirect leads to the maintenance page, to which a token must not go.
            .redirect(reqwest::redirect::Policy::none())
            // Over HTTP/1.1 a broken connection concerns one request only, which keeps unclear writes few.
            .http1_only()
            .connect_timeout(connection.timeouts.connect)
            .pool_idle_timeout(Duration::from_secs(20))
            .dns_resolver(SystemResolver)
            .tls_backend_preconfigured((*tls.config).clone());
        builder = match &route.proxy {
            Some(proxy) => builder.proxy(proxy.for_reqwest().map_err(unavailable)?),
            None => builder.no_proxy(),
        };
        let http = builder.build().map_err(unavailable)?;
        Ok(Self { http, connection, route, tls, repeats, token: Mutex::new(None) })
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) const fn route(&self) -> &Route {
        &self.route
    }

    pub(crate) const fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Fetches a token unless there is one that lasts.
    pub(crate) async fn authenticate(&self) -> Result<(), Error> {
        self.repeating(|| async {
            let mut token = self.token.lock().await;
            self.bearer(&mut token).await.map(|_| ())
        })
        .await
    }

    /// Asks and reads the whole answer; asked again when that may help.
    pub(crate) async fn ask<A: DeserializeOwned>(&self, call: &Call) -> Result<A, Error> {
        self.repeating(|| async { Ok(self.read_whole(call, self.send_once(call).await?).await?) }).await
    }

    /// Asks and returns the answer as it begins; asked again when that may help.
    pub(crate) async fn ask_streaming(&self, call: &Call) -> Result<Response, Error> {
        self.repeating(|| self.ask_streaming_once(call)).await
    }

    /// Asks once and returns the answer as it begins.
    pub(crate) async fn ask_streaming_once(&self, call: &Call) -> Result<Response, Error> {
        Ok(self.send_once(call).await?)
    }

    /// Sends a write: never twice, except after a 401, which is no write at all.
    pub(crate) async fn write_once<A: DeserializeOwned>(&self, call: &Call) -> Result<A, Failure> {
        // Getting a token is no write and may be repeated.
        self.authenticate().await.map_err(Failure::not_applied)?;
        let response = self.send_once(call).await?;
        self.read_whole(call, response).await
    }

    /// The next piece of an answer.
    pub(crate) async fn next_chunk<S, B>(&self, body: &mut S) -> Result<Option<B>, Error>
    where
        S: futures_util::Stream<Item = Result<B, reqwest::Error>> + Unpin,
    {
        let idle = self.connection.timeouts.body_idle;
        match tokio::time::timeout(idle, body.next()).await {
            Err(_) => Err(self.timeout(idle)),
            Ok(None) => Ok(None),
            Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
            Ok(Some(Err(error))) if error.is_timeout() => Err(self.timeout(idle)),
            Ok(Some(Err(_))) => Err(Error::Interrupted { host: self.host() }),
        }
    }

    /// Repeats what only reads, with growing pauses, or those the server asks for.
    pub(crate) async fn repeating<T, F: Future<Output = Result<T, Error>>>(
        &self,
        attempt: impl FnMut() -> F,
    ) -> Result<T, Error> {
        const LONGEST_PAUSE: Duration = Duration::from_mins(1);
        let pauses = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(Duration::from_millis(200))
            .with_factor(3.0)
            .with_max_delay(Duration::from_secs(10))
            .with_max_times(self.repeats);
        attempt
            .retry(pauses)
            // Maintenance and a wrong or absent host don't pass within seconds.
            .when(|error| error.is_transient() && !matches!(error, Error::Maintenance))
            .adjust(|error, pause| match error {
                Error::Busy { retry_after: Some(wait), .. } if pause.is_some() => {
                    (*wait <= LONGEST_PAUSE).then_some(*wait)
                }
                _ => pause,
            })
            .notify(|error, pause| tracing::info!(code = error.code(), ?pause, "asking PowerSchool again"))
            .await
    }

    /// Sends once, renewing the token and repeating after a 401 (PowerSchool: tokens can be revoked at any time).
    async fn send_once(&self, call: &Call) -> Result<Response, Failure> {
        if !call.authenticated {
            return self.judge(call, self.exchange(call, None).await?).await;
        }
        let used = {
            let mut token = self.token.lock().await;
            self.bearer(&mut token).await.map_err(Failure::not_applied)?
        };
        let response = self.exchange(call, Some(&used)).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return self.judge(call, response).await;
        }
        let renewed = {
            let mut token = self.token.lock().await;
            // Another request may have renewed it meanwhile.
            if token.as_ref().is_some_and(|held| held.bearer.expose_secret() == used.expose_secret()) {
                *token = None;
            }
            self.bearer(&mut token).await.map_err(Failure::not_applied)?
        };
        let response = self.exchange(call, Some(&renewed)).await?;
        self.judge(call, response).await
    }

    /// The token in use, or a new one.
    async fn bearer(&self, held: &mut Option<Token>) -> Result<SecretString, Error> {
        if let Some(token) = held.as_ref()
            && Instant::now() < token.renew_at
        {
            return Ok(token.bearer.clone());
        }
        let token = self.fetch_token().await?;
        let bearer = token.bearer.clone();
        *held = Some(token);
        Ok(bearer)
    }

    async fn fetch_token(&self) -> Result<Token, Error> {
        #[derive(Deserialize)]
        struct TokenAnswer {
            #[serde(default, deserialize_with = "json::text")]
            access_token: Option<String>,
            #[serde(default, deserialize_with = "json::number")]
            expires_in: Option<i64>,
        }

        const PATH: &str = "/oauth/access_token";
        // Nothing lives longer; keeps the arithmetic with instants in range.
        const LONGEST: u64 = 30 * 86_400;

        let asked_at = Instant::now();
        let request = self
            .http
            .post(self.connection.url.join(PATH))
            .basic_auth(self.connection.client_id, Some(self.connection.client_secret.expose_secret()))
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded;charset=UTF-8")
            .body("grant_type=client_credentials");
        let response = self.send(request).await?;
        let status = response.status();
        // OAuth 2.0 allows 400 for `invalid_client` where PowerSchool documents 401.
        if status == StatusCode::UNAUTHORIZED || (status == StatusCode::BAD_REQUEST && is_json(&response)) {
            return Err(Error::BadCredentials);
        }
        let call = Call::get(PATH).open();
        let response = self.judge(&call, response).await?;
        let answer: TokenAnswer = self.read_whole(&call, response).await?;
        let bearer = answer
            .access_token
            .map(SecretString::from)
            .ok_or_else(|| Error::unexpected(PATH, AnswerProblem::Missing("access_token")))?;
        // Renewed a little early: an answer takes its time, and clocks run differently.
        let seconds = match answer.expires_in.map(u64::try_from) {
            None => 300,
            Some(Ok(seconds @ 1..)) => seconds,
            // Over as soon as it begins: no request could be made with it.
            Some(_) => return Err(Error::unexpected(PATH, AnswerProblem::Missing("expires_in"))),
        };
        let lifetime = Duration::from_secs(seconds.min(LONGEST));
        let early = (lifetime / 10).min(Duration::from_mins(1));
        Ok(Token { bearer, renew_at: asked_at + lifetime.saturating_sub(early) })
    }

    async fn exchange(&self, call: &Call, bearer: Option<&SecretString>) -> Result<Response, Failure> {
        let mut request = self
            .http
            .request(call.method.clone(), self.connection.url.join(&call.path))
            .header(header::ACCEPT, "application/json");
        if !call.query.is_empty() {
            request = request.query(&call.query);
        }
        if let Some(body) = &call.body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.clone());
        }
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer.expose_secret());
        }
        self.send(request).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, Failure> {
        let patience = self.connection.timeouts.connect + self.connection.timeouts.request;
        match tokio::time::timeout(patience, request.send()).await {
            Err(_) => Err(Failure::unknown(self.no_answer())),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() => {
                Err(Failure::not_applied(self.find_the_way(self.explain(&error)).await))
            }
            Ok(Err(error)) => Err(Failure::unknown(self.explain(&error))),
        }
    }

    /// What an answer's status means, before its body is read as what was asked for.
    async fn judge(&self, call: &Call, response: Response) -> Result<Response, Failure> {
        let status = response.status();
        if status.is_success() {
            // The maintenance page itself comes with 200 where something follows the redirect for us.
            return if is_json(&response) { Ok(response) } else { Err(Failure::unknown(Error::Maintenance)) };
        }
        if status.is_redirection() {
            return Err(Failure::unknown(Error::Maintenance));
        }
        let unexpected = || Error::unexpected(&call.path, AnswerProblem::Status(status.as_u16()));
        Err(match status {
            StatusCode::UNAUTHORIZED if call.authenticated => Failure::not_applied(Error::BadCredentials),
            // PowerSchool answers these to everybody.
            StatusCode::UNAUTHORIZED => {
                Failure::not_applied(Error::NotPowerSchool { host: self.connection.url.host().to_owned() })
            }
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => Failure::not_applied(self.proxy_sign_in(&response)),
            StatusCode::BAD_REQUEST => Failure::not_applied(self.refusal(call, response).await),
            StatusCode::FORBIDDEN if is_json(&response) => {
                Failure::not_applied(self.refusal(call, response).await)
            }
            StatusCode::FORBIDDEN => Failure::not_applied(Error::Forbidden),
            StatusCode::NOT_FOUND => Failure::not_applied(unexpected()),
            StatusCode::TOO_MANY_REQUESTS => Failure::not_applied(busy(&response)),
            StatusCode::SERVICE_UNAVAILABLE => Failure::unknown(busy(&response)),
            _ => Failure::unknown(unexpected()),
        })
    }

    /// What a 400 or 403 of PowerSchool's API says: missing access, or a request it finds invalid.
    async fn refusal(&self, call: &Call, response: Response) -> Error {
        let validation: Validation = match self.read_whole(call, response).await {
            Ok(validation) => validation,
            Err(failure) => return failure.error,
        };
        // Only missing access is reported by table and column; our own arguments have no dot.
        let fields: Vec<String> = validation
            .errors
            .iter()
            .filter_map(|error| error.field.clone())
            .filter(|field| field.contains('.'))
            .collect();
        if !fields.is_empty() {
            return Error::NoAccess { fields };
        }
        let reasons: Vec<String> = validation
            .errors
            .into_iter()
            .map(|error| [error.field, error.code].into_iter().flatten().collect::<Vec<_>>().join(": "))
            .chain(validation.message)
            .collect();
        Error::unexpected(&call.path, AnswerProblem::Refused(reasons.join("; ")))
    }

    pub(crate) async fn read_whole<A: DeserializeOwned>(
        &self,
        call: &Call,
        response: Response,
    ) -> Result<A, Failure> {
        let mut body = response.bytes_stream();
        let mut bytes = Vec::new();
        while let Some(chunk) = self.next_chunk(&mut body).await.map_err(Failure::unknown)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_WHOLE_ANSWER {
                return Err(Failure::unknown(Error::unexpected(&call.path, AnswerProblem::TooLarge)));
            }
        }
        serde_json::from_slice(&bytes)
            .map_err(|_| Failure::unknown(Error::unexpected(&call.path, AnswerProblem::NotJson)))
    }

    /// That the server does not answer requests in time.
    pub(crate) fn no_answer(&self) -> Error {
        self.timeout(self.connection.timeouts.request)
    }

    fn host(&self) -> String {
        self.connection.url.host().to_owned()
    }

    fn timeout(&self, after: Duration) -> Error {
        Error::Timeout { host: self.host(), after }
    }

    /// Finds the cause of a failed exchange among the errors it is wrapped in.
    fn explain(&self, error: &reqwest::Error) -> Error {
        if let Some(tls) = tls_error(error) {
            return tls_problem(tls, &self.connection.url);
        }
        let mut next: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(cause) = next {
            if cause.is::<NoSuchHost>() {
                return Error::Dns { host: self.host() };
            }
            next = tls::inner(cause);
        }
        if error.is_timeout() {
            return self.timeout(self.connection.timeouts.connect);
        }
        Error::Unreachable { host: self.host() }
    }

    /// Finds out what keeps us from connecting. Behind a proxy the way is walked once more, because the first attempt
    /// does not tell what the proxy said.
    async fn find_the_way(&self, error: Error) -> Error {
        let on_the_way = matches!(error, Error::Dns { .. } | Error::Unreachable { .. });
        if self.route.proxy.is_none() {
            let on_the_way = on_the_way || matches!(error, Error::Timeout { .. });
            return if on_the_way { self.route.without_proxy(error).await } else { error };
        }
        let timed_out = matches!(error, Error::Timeout { .. });
        if !on_the_way && !timed_out {
            return error;
        }
        let walk = async { self.route.connect(&self.route.resolve().await?).await };
        match walk.await {
            Err(found) => found,
            // The proxy does its part, so it is the server that does not answer.
            Ok(_) if timed_out => error,
            Ok(_) => Error::Unreachable { host: self.host() },
        }
    }

    /// What a proxy's 407 to an unencrypted request means.
    fn proxy_sign_in(&self, response: &Response) -> Error {
        let challenges = response.headers().get_all(header::PROXY_AUTHENTICATE).iter();
        match &self.route.proxy {
            Some(proxy) => proxy.sign_in_problem(challenges.filter_map(|line| line.to_str().ok())),
            None => Error::NotPowerSchool { host: self.host() },
        }
    }
}

/// Whether an answer says it is JSON. Without a statement it is taken for JSON; reading it will tell.
fn is_json(response: &Response) -> bool {
    response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind.to_str().is_ok_and(|kind| kind.to_ascii_lowercase().contains("json")))
}

fn busy(response: &Response) -> Error {
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|wait| wait.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    Error::Busy { status: response.status().as_u16(), retry_after }
}

/// The system's resolver, with an error of its own: no such name is another problem than no route.
struct SystemResolver;

#[derive(Debug, thiserror::Error)]
#[error("no address for this name")]
struct NoSuchHost(#[source] io::Error);

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await.map_err(NoSuchHost)?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// A transport shared by all clones of a client.
pub(crate) type Shared = Arc<Transport>;
