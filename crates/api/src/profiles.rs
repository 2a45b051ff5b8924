//! The profiles of an account, of which each is a district of its own.

use std::{path::Path, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use rosterbridge_engine::{profile::ProfileFolder, report::StatusView};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use ts_rs::TS;

use crate::{
    request::{Request, Response},
    session,
};

/// How long a process that works on a profile may take to say what it does.
const PATIENCE: Duration = Duration::from_secs(2);

/// A profile that has been made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ProfileView {
    /// Its name.
    pub name: String,
    /// What the process says that works on it; absent where none does, and nothing is exchanged by itself.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served: Option<ServedView>,
}

/// What a process does that works on a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ServedView {
    /// The server's name from the configured URL; empty before set-up.
    pub server: String,
    /// Whether scheduled runs are paused.
    pub paused: bool,
    /// Whether a run is under way.
    pub running: bool,
    /// When something runs next by itself; absent where nothing is planned.
    #[ts(optional, type = "string")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<DateTime<Utc>>,
}

impl From<StatusView> for ServedView {
    fn from(status: StatusView) -> Self {
        Self {
            next_at: status.jobs.iter().filter_map(|job| job.next_at).min(),
            paused: status.paused,
            running: status.running.is_some(),
            server: status.server,
        }
    }
}

/// The names of the profiles under `home`, in the alphabet's order. Asks no process.
pub fn profile_names(home: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        ProfileFolder::all(home).into_iter().map(|folder| folder.name().to_owned()).collect();
    names.sort_unstable();
    names
}

/// The profiles under `home`, by name. Opens none: what is told of a profile comes from the process that works on it.
pub async fn profiles(home: &Path) -> Vec<ProfileView> {
    let mut asking: JoinSet<ProfileView> = ProfileFolder::all(home)
        .into_iter()
        .map(|folder| async move {
            let served = tokio::time::timeout(PATIENCE, status(&folder)).await.ok().flatten();
            ProfileView { name: folder.name().to_owned(), served: served.map(Into::into) }
        })
        .collect();
    let mut profiles = Vec::new();
    while let Some(profile) = asking.join_next().await {
        profiles.extend(profile.ok());
    }
    profiles.sort_by(|one, other| one.name.cmp(&other.name));
    profiles
}

/// What the process that works on a profile says of it; nothing where there is none or it does not answer.
pub(crate) async fn status(folder: &ProfileFolder) -> Option<StatusView> {
    let line = session::introduce(folder).await.ok()?.ok()?;
    let answer = session::ask(line, &Request::Status, &(Arc::new(|_| ()) as _)).await.ok()?.ok()?;
    match answer {
        Response::Status(status) => Some(*status),
        _ => None,
    }
}
