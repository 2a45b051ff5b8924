//! One serialisable operation for each thing a person can do.
//!
//! A [`Session`] reaches a profile's engine from any process: the window, the command line or a service. Whoever
//! opens the profile first hosts its engine; the others send the same [`Request`]s over a local socket.
#![forbid(unsafe_code)]

mod desk;
mod handover;
mod request;
mod session;
mod setup_file;
mod socket;

pub use request::{Fault, HandoverTo, Request, Response, SecretText, SetupView};
pub use rosterbridge_domain as domain;
pub use rosterbridge_engine::{check_plugin, report};
pub use session::Session;

/// Our plugin for some exchanges, with its file, for whoever has no profile yet. `revision` is the last part of its
/// version.
pub fn plugin_view(jobs: &[domain::job::Job], revision: u32) -> Result<report::PluginView, Fault> {
    Ok(rosterbridge_engine::plugin_view(jobs, revision)?)
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
