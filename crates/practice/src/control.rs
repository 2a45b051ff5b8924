//! The control port: audit log, plugin installation and faults, over plain HTTP on 127.0.0.1.

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

use crate::hero::{HeroFaults, HeroServer};
use crate::identity::{Credentials, Identity, write_private};
use crate::plugin::{Plugin, PluginError};
use crate::powerschool::{Installed, PowerSchool};
use crate::{Changed, DistrictChange, Faults, PracticeError, Summary};

/// Largest plugin taken, bytes.
const LARGEST_PLUGIN: usize = 8 * 1024 * 1024;

/// What the control port works on.
pub(crate) struct Control {
    pub powerschool: Arc<PowerSchool>,
    pub hero: Arc<HeroServer>,
    pub summary: Summary,
    pub date: chrono::NaiveDate,
    pub identity: Mutex<Identity>,
    pub identity_path: PathBuf,
    pub plugin_path: PathBuf,
}

/// What installing a plugin did.
pub(crate) enum Installation {
    /// A plugin of a new name: the credentials that belong to it, shown this once.
    New(Credentials),
    /// A higher version of the installed one: credentials stay.
    Updated,
}

impl Control {
    /// Installs a plugin as PowerSchool's Plugin Management does. Blocking.
    pub fn install(&self, zip: &[u8]) -> Result<Installation, PracticeError> {
        let plugin = Plugin::read(zip)?;
        // Held throughout, so that two installations cannot cross.
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.powerschool.installed();
        let installation = match &before.plugin {
            Some(installed) => {
                plugin.check_update(installed)?;
                if installed.name == plugin.name {
                    Installation::Updated
                } else {
                    Installation::New(Credentials::new())
                }
            }
            // The first plugin gets the credentials that the ready file states.
            None => Installation::New(before.credentials.clone()),
        };
        write_private(&self.plugin_path, zip)?;
        if let Installation::New(credentials) = &installation {
            identity.credentials = credentials.clone();
            identity.save(&self.identity_path)?;
        }
        let credentials = identity.credentials.clone();
        self.powerschool.install(Installed { plugin: Some(Arc::new(plugin)), credentials });
        Ok(installation)
    }
}

/// Everything the control port answers.
pub(crate) fn router(control: Arc<Control>) -> Router {
    Router::new()
        .route("/audit", get(audit))
        .route("/control/plugin", post(plugin))
        .route("/control/faults", get(faults).post(set_faults))
        .route("/control/hero", post(set_hero_faults))
        .route("/control/district", get(district).post(change_district))
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

async fn plugin(State(control): State<Arc<Control>>, zip: Bytes) -> Result<Json<Value>, PracticeError> {
    let installation = tokio::task::spawn_blocking(move || control.install(&zip)).await??;
    Ok(Json(match installation {
        Installation::New(credentials) => json!({
            "installed": true,
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
        }),
        Installation::Updated => json!({"installed": true}),
    }))
}

async fn faults(State(control): State<Arc<Control>>) -> Json<Faults> {
    Json(control.powerschool.faults().clone())
}

async fn set_faults(State(control): State<Arc<Control>>, Json(faults): Json<Faults>) -> StatusCode {
    control.powerschool.set_faults(faults);
    StatusCode::NO_CONTENT
}

/// Hero's faults as JSON; absent ones are off.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct HeroFaultSet {
    missing_imports: bool,
    refuse_rename: bool,
    drop_after_bytes: Option<u64>,
}

async fn set_hero_faults(
    State(control): State<Arc<Control>>,
    Json(faults): Json<HeroFaultSet>,
) -> StatusCode {
    control.hero.set_faults(HeroFaults {
        missing_imports: faults.missing_imports,
        refuse_rename: faults.refuse_rename,
        drop_after_bytes: faults.drop_after_bytes,
    });
    StatusCode::NO_CONTENT
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
