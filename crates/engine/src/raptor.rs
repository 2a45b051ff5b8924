//! Raptor's jobs: a roster file for each mapped building out, dropped tardy files in.

mod folder;
mod roster;
mod server;
mod tardies;
mod watch;

use rosterbridge_domain::attendance::Source;

pub(crate) use self::{
    folder::{
        content_hash, dropped_files, files_not_in_use, names_before_moving, processed_files, set_aside,
    },
    roster::{NOT_IN_USE, ROSTER, destination_name, kept_name, schools_of_files},
    server::{RemoteTardies, read_at_server},
    tardies::{AtHand, Found as FoundTardies, LookUp, read_file},
    watch::ExchangeWatch,
};

/// The name under which Raptor's rows are decided.
pub(crate) const SOURCE: Source = Source::Raptor;
