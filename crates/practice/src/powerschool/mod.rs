//! The practice PowerSchool: the endpoints a plugin uses, with the quirks of the real one.

pub(crate) mod answer;
mod attendance;
mod autocomm;
mod core;
mod delivery;
mod events;
mod fiql;
mod functions;
mod kept;
mod queries;
mod tables;
mod token;
mod versions;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use rusqlite::Connection;
use uuid::Uuid;

use self::answer::Failure;
pub use self::autocomm::{AutoComm, Imported};
use crate::district::{self, Plan};
use crate::faults::Hanging;
use crate::identity::{Credentials, Identity, PluginState};
use crate::plugin::{Access, Plugin, version_parts};
use crate::{
    AttendanceMode, Changed, District, DistrictChange, Faults, Firewall, Maintenance, PracticeError,
};

/// The version that is played unless a fault says otherwise.
const VERSION: &str = "25.6.0.0";
/// Rows of a page by default, and at most where there is a limit.
const PAGE: u32 = 100;
/// Connections kept open for reading.
const IDLE_READERS: usize = 8;
/// Columns that no plugin can read, whatever it asks for: (table, column) in lower case.
const NEVER: [(&str, &str); 2] = [("students", "student_web_password"), ("users", "password")];
/// Largest body of a request, bytes; a batch of attendance takes a hundredth of it.
const LARGEST_REQUEST: usize = 8 * 1024 * 1024;
/// Seconds a token lives by default.
const TOKEN_SECONDS: u64 = 3600;

/// What every handler shares.
pub(crate) struct PowerSchool {
    district: District,
    plan: Plan,
    mode: AttendanceMode,
    latency: Duration,
    district_uuid: Uuid,
    /// Columns in their own spelling by table in lower case.
    schema: HashMap<String, Table>,
    faults: Mutex<Faults>,
    tokens: Mutex<HashMap<String, Instant>>,
    installed: RwLock<Installed>,
    readers: Mutex<Vec<Connection>>,
    writer: Mutex<Connection>,
    /// Answers rendered before, if they are to be kept.
    kept: Option<Mutex<kept::Kept>>,
    /// Who is told of changes.
    subscription: Mutex<Option<events::Subscription>>,
    /// Requests that hang by a fault.
    hanging: AtomicUsize,
}

/// The installed plugin and the credentials made for it.
#[derive(Clone)]
pub(crate) struct Installed {
    pub plugin: Option<Arc<Plugin>>,
    pub credentials: Credentials,
    /// As `/ws/v1/metadata` gives it.
    pub plugin_id: u32,
    pub state: PluginState,
}

impl Installed {
    pub fn new(plugin: Option<Arc<Plugin>>, identity: &Identity) -> Self {
        Self {
            plugin,
            credentials: identity.credentials.clone(),
            plugin_id: identity.plugin_id,
            state: identity.plugin_state,
        }
    }
}

/// A table or view that the schema endpoints know.
struct Table {
    name: String,
    columns: Vec<String>,
}

/// What the HTTPS server is made from.
pub(crate) struct Settings {
    pub district: District,
    pub plan: Plan,
    pub mode: AttendanceMode,
    pub latency: Duration,
    pub district_uuid: Uuid,
    pub faults: Faults,
    pub installed: Installed,
    pub prerender: bool,
}

impl PowerSchool {
    /// Blocking: reads the schema.
    pub fn new(settings: Settings) -> Result<Self, PracticeError> {
        let writer = settings.district.connect()?;
        let mut schema = HashMap::new();
        let mut tables = writer.prepare(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')
                AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND name NOT LIKE 'Practice!_%' ESCAPE '!'",
        )?;
        let names = tables.query_map((), |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        for name in names {
            let mut info = writer.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid")?;
            let columns = info.query_map([&name], |row| row.get(0))?.collect::<Result<Vec<_>, _>>()?;
            schema.insert(name.to_lowercase(), Table { name, columns });
        }
        drop(tables);
        Ok(Self {
            district: settings.district,
            plan: settings.plan,
            mode: settings.mode,
            latency: settings.latency,
            district_uuid: settings.district_uuid,
            schema,
            faults: Mutex::new(settings.faults),
            tokens: Mutex::default(),
            installed: RwLock::new(settings.installed),
            readers: Mutex::default(),
            writer: Mutex::new(writer),
            kept: settings.prerender.then(Mutex::default),
            subscription: Mutex::default(),
            hanging: AtomicUsize::new(0),
        })
    }

    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the faults; forgetting tokens happens here and now.
    pub fn set_faults(&self, mut faults: Faults) {
        if std::mem::take(&mut faults.expire_tokens_now) {
            self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        let before = std::mem::replace(&mut *self.faults(), faults.clone());
        // What only delays or breaks answers leaves them as they are.
        let content = |faults: Faults| Faults {
            latency_ms: 0,
            fail_next: None,
            slow_body: None,
            cut_body: None,
            no_gzip: false,
            hang: None,
            ..faults
        };
        if content(before) != content(faults) {
            self.render_again();
        }
    }

    /// Requests that hang now.
    pub fn hanging(&self) -> usize {
        self.hanging.load(Ordering::SeqCst)
    }

    pub fn installed(&self) -> Installed {
        self.installed.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a plugin in place of the installed one; tokens of other credentials end.
    pub fn install(&self, installed: Installed) {
        let mut held = self.installed.write().unwrap_or_else(PoisonError::into_inner);
        if held.credentials != installed.credentials || installed.state == PluginState::Deleted {
            self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        *held = installed;
        drop(held);
        self.render_again();
    }

    /// The version it plays, and whether that is at least `wanted`.
    fn version(&self) -> String {
        self.faults().version.clone().unwrap_or_else(|| VERSION.to_owned())
    }

    pub fn at_least(&self, wanted: &[u32]) -> bool {
        version_parts(&self.version()).as_slice() >= wanted
    }

    /// Most rows of a page, where the resource has a limit.
    fn page_limit(&self) -> u32 {
        self.faults().page_limit.unwrap_or(PAGE)
    }

    /// What the plugin may do with a field, faults considered.
    fn access(&self, table: &str, field: &str) -> Option<Access> {
        if never(table, field) {
            return None;
        }
        let name = format!("{table}.{field}");
        if self.faults().missing_access.iter().any(|missing| missing.eq_ignore_ascii_case(&name)) {
            return None;
        }
        self.installed().plugin.and_then(|plugin| plugin.access(table, field))
    }

    /// Changes the district, all of it or nothing.
    pub async fn change_district(
        self: Arc<Self>,
        changes: Vec<DistrictChange>,
    ) -> Result<Changed, PracticeError> {
        let state = self.clone();
        let (changed, events) = tokio::task::spawn_blocking(move || {
            let mut writer = state.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let before = versions::newest(&writer)?;
            let changed = district::apply(&mut writer, state.plan, &changes);
            state.render_again();
            Ok::<_, PracticeError>((changed?, events::since(&writer, before)?))
        })
        .await??;
        self.announce(events);
        Ok(changed)
    }

    /// Runs a read on a blocking thread with a connection of its own.
    async fn read<T: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce(&Self, &Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        tokio::task::spawn_blocking(move || {
            let connection = self.reader()?;
            let result = work(&self, &connection);
            self.put_back(connection);
            result
        })
        .await?
    }

    fn reader(&self) -> rusqlite::Result<Connection> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let connection = self.district.connect()?;
        connection.pragma_update(None, "query_only", true)?;
        functions::register(&connection)?;
        Ok(connection)
    }

    fn put_back(&self, connection: Connection) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < IDLE_READERS {
            readers.push(connection);
        }
    }
}

fn never(table: &str, field: &str) -> bool {
    NEVER.iter().any(|never| never.0.eq_ignore_ascii_case(table) && never.1.eq_ignore_ascii_case(field))
}

/// Everything the HTTPS port answers.
pub(crate) fn router(state: Arc<PowerSchool>) -> Router {
    let authorised = Router::new()
        .merge(core::routes())
        .merge(tables::routes())
        .merge(queries::routes())
        .merge(attendance::routes())
        .merge(versions::routes())
        .merge(events::routes())
        .layer(middleware::from_fn_with_state(state.clone(), kept::answer))
        .layer(middleware::from_fn_with_state(state.clone(), token::require));
    Router::new()
        .route("/oauth/access_token", post(token::issue))
        .route("/oauth/access_token/", post(token::issue))
        .route("/ws/v1/time", get(core::time))
        .route("/ws/v1/metadata", get(core::metadata))
        .merge(authorised)
        .route("/", get(|| async { Html(SIGN_IN) }))
        .fallback(unknown)
        .layer(delivery::compression(state.clone()))
        .layer(middleware::from_fn_with_state(state.clone(), disturb))
        .layer(middleware::from_fn(whole))
        .with_state(state)
}

const SIGN_IN: &str = "<!DOCTYPE html><html><head><title>Student and Parent Sign In</title></head>\
    <body><h1>Practice PowerSchool</h1></body></html>\n";
const NOT_FOUND: &str =
    "<!DOCTYPE html><html><head><title>Not Found</title></head><body>Page not found.</body></html>\n";
const UNAVAILABLE: &str = "<!DOCTYPE html><html><head><title>PowerSchool page unavailable</title></head>\
    <body>The page you are looking for is temporarily unavailable.</body></html>\n";

const FORBIDDEN: &str = "<!DOCTYPE html><html><head><title>403 Forbidden</title></head>\
    <body><h1>Access denied</h1>This address is not allowed.</body></html>\n";

/// Paths that do not exist: JSON where the API is, a page elsewhere.
async fn unknown(request: Request) -> Response {
    if request.uri().path().starts_with("/ws/") {
        Failure::NotFound.into_response()
    } else {
        (StatusCode::NOT_FOUND, Html(NOT_FOUND)).into_response()
    }
}

/// Reads the whole request first. Clients send a body even with GET, and a connection whose request was not read to
/// its end could not be used for the next one.
async fn whole(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    match axum::body::to_bytes(body, LARGEST_REQUEST).await {
        Ok(body) => next.run(Request::from_parts(head, body.into())).await,
        Err(_) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
    }
}

/// Faults that strike whatever was asked for.
async fn disturb(State(state): State<Arc<PowerSchool>>, request: Request, next: Next) -> Response {
    let hangs = state.faults().hang.as_ref().is_some_and(|path| request.uri().path().contains(path));
    if hangs {
        let _hanging = Hanging::new(&state.hanging);
        // Dropped when the client gives up.
        return std::future::pending().await;
    }
    let (latency, maintenance, firewall, failure) = {
        let mut faults = state.faults();
        let latency = Duration::from_millis(faults.latency_ms);
        (latency, faults.maintenance, faults.firewall, faults.take_failure())
    };
    let latency = latency + state.latency;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    match firewall {
        Some(Firewall::Forbidden) => return (StatusCode::FORBIDDEN, Html(FORBIDDEN)).into_response(),
        // A connection that was there before.
        Some(Firewall::Reset) => return Failure::Drop.into_response(),
        None => {}
    }
    match maintenance {
        Some(Maintenance::Html) => return Html(UNAVAILABLE).into_response(),
        Some(Maintenance::Redirect) => {
            let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
            let host = host.split(':').next().unwrap_or("");
            let location = format!("https://message.powerschool.com/?server={host}");
            return (StatusCode::FOUND, [(header::LOCATION, location)]).into_response();
        }
        None => {}
    }
    if let Some(failure) = failure {
        let mut response = Failure::Status(failure.status).into_response();
        if let Some(seconds) = failure.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        return response;
    }
    delivery::disturbed(&state, next.run(request).await)
}
