//! Plans and applies the exchange: composes PowerSchool, Hero, Raptor, the keychain and the databases into runs.
//!
//! A run is *plan*, then *apply*. Planning only reads and yields what is to be done; applying does that and nothing
//! else; a dry run is a plan shown.
#![forbid(unsafe_code)]

mod activity;
mod attendance;
mod bridge;
pub mod care;
mod choices;
mod connections;
mod csv_export;
mod decide;
mod diagnosis;
mod engine;
mod error;
mod exports;
mod following;
mod guard;
mod hand_over;
mod handover;
mod held;
mod hero;
mod host_keys;
mod integration;
mod keys;
mod known_import;
mod mail;
mod metrics;
mod names;
mod notices;
mod plugin;
mod powerschool_test;
mod practice;
pub mod profile;
mod pull;
mod raptor;
pub mod report;
mod run;
mod scheduler;
mod school_year;
mod status;
mod support_bundle;
mod tally;
mod trace;
mod transfers;
mod unchanged;
mod undo;

pub use engine::{Engine, setup_revision};
pub use error::EngineError;
pub use guard::LargeChange;
pub use handover::PowerSchoolAccess;
pub use keys::{check_key, legacy_algorithms};
pub use names::{NamesError, building_names, reason_names};
pub use plugin::{check_plugin, plugin_revision, plugin_view};
pub use run::OnEvent;
pub use support_bundle::support_bundle_without_engine;
