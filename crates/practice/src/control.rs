//! The control port: audit log, plugin installation, faults and what administrators do, over plain HTTP on 127.0.0.1.

mod hero;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::at;
use crate::hero::HeroServer;
use crate::identity::{Credentials, Identity, PluginState, write_private};
use crate::plugin::{Plugin, PluginError};
use crate::powerschool::{Installed, PowerSchool};
use crate::{Changed, District, DistrictChange, Faults, PracticeError, Summary};

/// Largest plugin taken, bytes.
const LARGEST_PLUGIN: usize = 8 * 1024 * 1024;

pub(crate) use self::hero::auto_comm;

/// What the control port works on.
pub(crate) struct Control {
    pub powerschool: Arc<PowerSchool>,
    pub hero: Arc<HeroServer>,
    pub summary: Summary,
    pub date: chrono::NaiveDate,
    pub identity: Mutex<Identity>,
    pub identity_path: PathBuf,
    pub plugin_path: PathBuf,
    pub district: District,
    /// The current school year.
    pub yearid: i64,
    /// The folder that keeps everything.
    pub data: PathBuf,
    /// The district's schools by number.
    pub schools: Vec<i64>,
}

/// What a step in Plugin Management did.
pub(crate) struct Managed {
    plugin_id: u32,
    /// Made by this step, or stated because the plugin is the first; shown this once.
    credentials: Option<Credentials>,
}

impl IntoResponse for Managed {
    fn into_response(self) -> Response {
        let mut answer = json!({"installed": true, "plugin_id": self.plugin_id});
        if let Some(credentials) = self.credentials {
            answer["client_id"] = credentials.client_id.to_string().into();
            answer["client_secret"] = credentials.client_secret.to_string().into();
        }
        Json(answer).into_response()
    }
}

impl Control {
    /// Installs a plugin as PowerSchool's Plugin Management does. Blocking.
    pub fn install(&self, file: &[u8]) -> Result<Managed, PracticeError> {
        let plugin = Plugin::read(file)?;
        // Held throughout, so that two installations cannot cross.
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.powerschool.installed();
        let mut new = true;
        match &before.plugin {
            Some(installed) => {
                plugin.check_update(installed)?;
                new = installed.name != plugin.name;
                if new {
                    identity.next_plugin();
                }
            }
            None if identity.plugin_state == PluginState::Deleted => identity.next_plugin(),
            // The first plugin gets the credentials that the ready file states.
            None => {}
        }
        write_private(&self.plugin_path, file)?;
        self.keep(&identity, Some(Arc::new(plugin)), new)
    }

    /// Deletes the plugin, its queries and its credentials. Blocking.
    pub fn uninstall(&self) -> Result<(), PracticeError> {
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        match std::fs::remove_file(&self.plugin_path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(at(&self.plugin_path)(error));
            }
            _ => {}
        }
        identity.plugin_state = PluginState::Deleted;
        self.keep(&identity, None, false)?;
        Ok(())
    }

    /// Enables the installed plugin or disables it. Blocking.
    pub fn enable(&self, enabled: bool) -> Result<Managed, PracticeError> {
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        let plugin = self.managed()?;
        identity.plugin_state = if enabled { PluginState::Enabled } else { PluginState::Disabled };
        self.keep(&identity, Some(plugin), false)
    }

    /// Makes new credentials for the installed plugin (PowerSchool: since 21.11.2). Blocking.
    pub fn regenerate(&self) -> Result<Managed, PracticeError> {
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        let plugin = self.managed()?;
        if !self.powerschool.at_least(&[21, 11, 2]) {
            return Err(PracticeError::Change {
                reason: "PowerSchool regenerates credentials since 21.11.2".into(),
            });
        }
        identity.credentials = Credentials::new();
        self.keep(&identity, Some(plugin), true)
    }

    fn managed(&self) -> Result<Arc<Plugin>, PracticeError> {
        self.powerschool
            .installed()
            .plugin
            .ok_or_else(|| PracticeError::Change { reason: "no plugin is installed".into() })
    }

    /// Saves what a step decided and puts it in force.
    fn keep(
        &self,
        identity: &Identity,
        plugin: Option<Arc<Plugin>>,
        tell: bool,
    ) -> Result<Managed, PracticeError> {
        identity.save(&self.identity_path)?;
        self.powerschool.install(Installed::new(plugin, identity));
        Ok(Managed { plugin_id: identity.plugin_id, credentials: tell.then(|| identity.credentials.clone()) })
    }
}

/// Everything the control port answers.
pub(crate) fn router(control: Arc<Control>) -> Router {
    Router::new()
        .route("/audit", get(audit))
        .route("/control/plugin", get(plugin).post(install_plugin).delete(delete_plugin))
        .route("/control/plugin/enabled", post(enable_plugin))
        .route("/control/plugin/credentials", post(regenerate))
        .route("/control/faults", get(faults).post(set_faults))
        .route("/control/hanging", get(hanging))
        .route("/control/district", get(district).post(change_district))
        .merge(hero::routes())
        .layer(axum::extract::DefaultBodyLimit::max(LARGEST_PLUGIN))
        .layer(middleware::from_fn(from_this_machine))
        .with_state(control)
}

/// Refuses requests under another name: a web page that resolves its own name to 127.0.0.1 must not
/// reach this port through a person's browser.
async fn from_this_machine(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if ["127.0.0.1", "localhost"].contains(&name) {
        next.run(request).await
    } else {
        StatusCode::FORBIDDEN.into_response()
    }
}

impl IntoResponse for PracticeError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Plugin(PluginError::NotNewer { .. }) => StatusCode::CONFLICT,
            Self::Plugin(_) | Self::Change { .. } => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(json!({"code": self.code(), "message": self.to_string(), "remedy": self.remedy()})))
            .into_response()
    }
}

async fn audit(State(control): State<Arc<Control>>) -> Result<Json<Value>, PracticeError> {
    Ok(Json(tokio::task::spawn_blocking(move || control.powerschool.audit()).await??))
}

async fn plugin(State(control): State<Arc<Control>>) -> Json<Value> {
    let installed = control.powerschool.installed();
    Json(json!({
        "name": installed.plugin.as_ref().map(|plugin| &plugin.name),
        "version": installed.plugin.as_ref().map(|plugin| &plugin.version),
        "plugin_id": installed.plugin_id,
        "state": installed.state,
    }))
}

async fn install_plugin(State(control): State<Arc<Control>>, file: Bytes) -> Result<Managed, PracticeError> {
    tokio::task::spawn_blocking(move || control.install(&file)).await?
}

async fn delete_plugin(State(control): State<Arc<Control>>) -> Result<StatusCode, PracticeError> {
    tokio::task::spawn_blocking(move || control.uninstall()).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// `{"enabled": false}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enabled {
    enabled: bool,
}

async fn enable_plugin(
    State(control): State<Arc<Control>>,
    Json(Enabled { enabled }): Json<Enabled>,
) -> Result<Managed, PracticeError> {
    tokio::task::spawn_blocking(move || control.enable(enabled)).await?
}

async fn regenerate(State(control): State<Arc<Control>>) -> Result<Managed, PracticeError> {
    tokio::task::spawn_blocking(move || control.regenerate()).await?
}

async fn faults(State(control): State<Arc<Control>>) -> Json<Faults> {
    Json(control.powerschool.faults().clone())
}

async fn set_faults(State(control): State<Arc<Control>>, Json(faults): Json<Faults>) -> StatusCode {
    control.powerschool.set_faults(faults);
    StatusCode::NO_CONTENT
}

async fn hanging(State(control): State<Arc<Control>>) -> Json<Value> {
    Json(json!({"powerschool": control.powerschool.hanging(), "hero": control.hero.hanging()}))
}

async fn district(State(control): State<Arc<Control>>) -> Json<Value> {
    Json(json!({"date": control.date, "district": control.summary}))
}

/// One change or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Changes {
    Several(Vec<DistrictChange>),
    One(DistrictChange),
}

async fn change_district(
    State(control): State<Arc<Control>>,
    Json(changes): Json<Changes>,
) -> Result<Json<Changed>, PracticeError> {
    let changes = match changes {
        Changes::Several(changes) => changes,
        Changes::One(change) => vec![change],
    };
    Ok(Json(control.powerschool.clone().change_district(changes).await?))
}
