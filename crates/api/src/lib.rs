//! One serialisable operation for each thing a person can do.
//!
//! A [`Session`] reaches a profile's engine from any process: the window, the command line or a service. Whoever
//! opens the profile first hosts its engine; the others send the same [`Request`]s over a local socket.
#![forbid(unsafe_code)]

mod care;
mod desk;
mod handover;
pub mod logging;
mod profiles;
mod recovery_file;
mod request;
mod session;
mod setup_file;
mod socket;

pub use care::{backups, erase, recover, restore};
pub use profiles::{ProfileView, ServedView, profile_names, profiles};
pub use request::{Fault, HandoverTo, Request, Response, SecretText, SetupView};
pub use rosterbridge_domain as domain;
pub use rosterbridge_engine::{
    care::{BackupView, Erased, LeftBehind, RestoredView},
    check_plugin, report,
};
pub use session::Session;

/// Our plugin for some exchanges, with its file, for whoever has no profile yet. The last part of its version comes from
/// the day it is written on.
pub fn plugin_view(jobs: &[domain::job::Job], today: chrono::NaiveDate) -> Result<report::PluginView, Fault> {
    Ok(rosterbridge_engine::plugin_view(jobs, rosterbridge_engine::plugin_revision(today))?)
}

/// A support bundle about a profile that can't be opened, which holds the reason and the logs. It is refused for a
/// profile that nobody has made.
pub async fn support_bundle_without_engine(
    home: &std::path::Path,
    profile: &str,
    file: std::path::PathBuf,
    overwrite: bool,
    why: &Fault,
) -> Result<report::SupportBundle, Fault> {
    let folder = rosterbridge_engine::profile::ProfileFolder::existing(home, profile)?;
    let why =
        report::Cause { code: why.code.clone(), message: why.message.clone(), remedy: why.remedy.clone() };
    let now = chrono::Utc::now();
    let written = tokio::task::spawn_blocking(move || {
        rosterbridge_engine::support_bundle_without_engine(&folder, &file, overwrite, &why, now)
    });
    Ok(written.await.map_err(rosterbridge_engine::EngineError::from)??)
}

/// Whether a handover file is encrypted with a passphrase, or for a key. A file that is none is refused.
pub fn handover_needs_passphrase(text: &str) -> Result<bool, Fault> {
    handover::needs_passphrase(text)
}

/// Where profiles are kept when nobody names another place: the system's folder for an account's application data
/// that stays on this machine. `None` on an account without a home.
pub fn default_home() -> Option<std::path::PathBuf> {
    Some(directories::ProjectDirs::from("app", "", "RosterBridge")?.data_local_dir().to_owned())
}

/// Refuses a name that can't be a profile's.
pub fn check_profile_name(home: &std::path::Path, profile: &str) -> Result<(), Fault> {
    rosterbridge_engine::profile::ProfileFolder::new(home, profile)?;
    Ok(())
}

/// Refuses a profile that nobody has made under `home` yet.
pub fn check_profile_exists(home: &std::path::Path, profile: &str) -> Result<(), Fault> {
    rosterbridge_engine::profile::ProfileFolder::existing(home, profile)?;
    Ok(())
}
