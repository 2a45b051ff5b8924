//! What Hero's administrators set, and what PowerSchool's AutoSend and AutoComm do.

use std::sync::{Arc, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Control;
use crate::error::at;
use crate::hero::{
    AccountReport, Exported, HeroAccountSettings, HeroExport, HeroFaults, HeroLevel, HeroServer, HostKey,
    HostKeyKind, generate_host_key_of,
};
use crate::powerschool::PowerSchool;
use crate::ready::HeroAccountAccess;
use crate::serve::access;
use crate::{AutoComm, AutoSend, Imported, PracticeError, Sent, autosend};

pub(super) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/control/hero", post(set_faults))
        .route("/control/hero/accounts", get(accounts).post(add_account))
        .route("/control/hero/settings", post(set_account))
        .route("/control/hero/host-keys", get(host_keys).post(set_host_keys))
        .route("/control/hero/export", post(set_export))
        .route("/control/hero/read", post(read_imports))
        .route("/control/hero/imports", get(imports))
        .route("/control/autosend", post(auto_send))
        .route("/control/autocomm", post(auto_comm_request))
}

async fn set_faults(State(control): State<Arc<Control>>, Json(faults): Json<HeroFaults>) -> StatusCode {
    control.hero.set_faults(faults);
    StatusCode::NO_CONTENT
}

async fn accounts(State(control): State<Arc<Control>>) -> Json<Vec<HeroAccountAccess>> {
    Json(control.hero_accounts())
}

/// An account to add: `{"level": "school", "schools": [100]}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    name: Option<String>,
    level: HeroLevel,
    /// One at school level, at least one at group level.
    schools: Vec<i64>,
}

async fn add_account(
    State(control): State<Arc<Control>>,
    Json(account): Json<NewAccount>,
) -> Result<Json<HeroAccountAccess>, PracticeError> {
    tokio::task::spawn_blocking(move || control.add_hero_account(account)).await?.map(Json)
}

/// `{"account": "practice-district-2", "settings": {"refuse_password": true}}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountSettings {
    /// The account's user; none for the first account.
    account: Option<String>,
    /// What is left out is as in a new account.
    settings: HeroAccountSettings,
}

async fn set_account(
    State(control): State<Arc<Control>>,
    Json(AccountSettings { account, settings }): Json<AccountSettings>,
) -> Result<StatusCode, PracticeError> {
    tokio::task::spawn_blocking(move || control.set_hero_account(account.as_deref(), settings)).await??;
    Ok(StatusCode::NO_CONTENT)
}

async fn host_keys(State(control): State<Arc<Control>>) -> Json<Vec<HostKey>> {
    Json(control.hero.host_keys())
}

/// The host keys to offer from the next connection on, in this order.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum HostKeys {
    /// These kinds. A kind that is offered already keeps its key.
    Kinds(Vec<HostKeyKind>),
    /// These kinds, each with a new key.
    New(Vec<HostKeyKind>),
    /// These private keys in OpenSSH's format.
    Keys(Vec<String>),
}

async fn set_host_keys(
    State(control): State<Arc<Control>>,
    Json(wanted): Json<HostKeys>,
) -> Result<Json<Vec<HostKey>>, PracticeError> {
    tokio::task::spawn_blocking(move || control.set_hero_host_keys(wanted)).await?.map(Json)
}

/// `{"account": "practice-district-2", "export": {"form": "half"}}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    /// The account's user; none for the first account.
    account: Option<String>,
    /// What is left out is as Hero does it of itself.
    export: HeroExport,
}

async fn set_export(
    State(control): State<Arc<Control>>,
    Json(Export { account, export }): Json<Export>,
) -> Result<Json<Exported>, PracticeError> {
    control.hero.set_export(account.as_deref(), export).await.map(Json)
}

/// `{"account": "practice-district-2"}`, or `{}` for the first account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    account: Option<String>,
}

async fn read_imports(
    State(control): State<Arc<Control>>,
    Json(Account { account }): Json<Account>,
) -> Result<Json<AccountReport>, PracticeError> {
    control.hero.read_imports(account.as_deref()).await.map(Json)
}

async fn imports(State(control): State<Arc<Control>>) -> Json<Value> {
    Json(json!({ "accounts": control.hero.reports() }))
}

async fn auto_send(
    State(control): State<Arc<Control>>,
    Json(request): Json<AutoSend>,
) -> Result<Json<Vec<Sent>>, PracticeError> {
    let (hero, district) = (control.hero.clone(), control.district.clone());
    autosend::send(hero, district, control.yearid, request).await.map(Json)
}

async fn auto_comm_request(
    State(control): State<Arc<Control>>,
    Json(request): Json<AutoComm>,
) -> Result<Json<Imported>, PracticeError> {
    auto_comm(&control.powerschool, &control.hero, request).await.map(Json)
}

/// Lets PowerSchool import an account's attendance export.
pub(crate) async fn auto_comm(
    powerschool: &Arc<PowerSchool>,
    hero: &HeroServer,
    AutoComm { account, file }: AutoComm,
) -> Result<Imported, PracticeError> {
    let path = hero.export_file(account.as_deref(), file.as_deref())?;
    let bytes = match tokio::fs::read(&path).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(PracticeError::Change {
                reason: "Hero has placed no such file in export/".to_owned(),
            });
        }
        read => read.map_err(at(&path))?,
    };
    powerschool.clone().auto_comm(bytes).await
}

impl Control {
    fn hero_accounts(&self) -> Vec<HeroAccountAccess> {
        let identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        identity.hero_options(&self.data).into_iter().map(|account| access(account, &self.schools)).collect()
    }

    /// Blocking.
    fn add_hero_account(&self, account: NewAccount) -> Result<HeroAccountAccess, PracticeError> {
        let NewAccount { name, level, schools } = account;
        let refused = |reason: String| Err(PracticeError::Change { reason });
        if let Some(unknown) = schools.iter().find(|school| !self.schools.contains(school)) {
            return refused(format!("there is no school {unknown}"));
        }
        match (level, schools.len()) {
            (_, 0) => return refused("a Hero account has a school".to_owned()),
            (HeroLevel::School, 2..) => {
                return refused("a school-level Hero account has one school".to_owned());
            }
            _ => {}
        }
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        let account = identity.add_hero_account(name, level, schools)?.clone();
        identity.save(&self.identity_path)?;
        let options = identity.account_options(&account, &self.data);
        self.hero.add_account(options.clone())?;
        Ok(access(options, &self.schools))
    }

    /// Blocking.
    fn set_hero_account(
        &self,
        username: Option<&str>,
        settings: HeroAccountSettings,
    ) -> Result<(), PracticeError> {
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        self.hero.set_account(username, settings.clone())?;
        let username = username.unwrap_or(&identity.sftp_username).to_owned();
        identity.hero_settings.insert(username, settings);
        identity.save(&self.identity_path)
    }

    /// Blocking.
    fn set_hero_host_keys(&self, wanted: HostKeys) -> Result<Vec<HostKey>, PracticeError> {
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        let before = identity.host_keys();
        let keys = match wanted {
            HostKeys::Keys(keys) => keys,
            HostKeys::New(kinds) => {
                kinds.into_iter().map(generate_host_key_of).collect::<Result<Vec<_>, _>>()?
            }
            HostKeys::Kinds(kinds) => kinds
                .into_iter()
                .map(|kind| {
                    let kept = before.iter().find(|key| HostKeyKind::of(key) == Some(kind)).cloned();
                    kept.map_or_else(|| generate_host_key_of(kind), Ok)
                })
                .collect::<Result<Vec<_>, _>>()?,
        };
        let shown = self
            .hero
            .set_host_keys(&keys)
            .map_err(|error| PracticeError::Change { reason: error.to_string() })?;
        let mut keys = keys.into_iter();
        if let Some(first) = keys.next() {
            identity.host_key = first;
            identity.further_host_keys = keys.collect();
            identity.save(&self.identity_path)?;
        }
        Ok(shown)
    }
}
