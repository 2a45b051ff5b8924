//! The whole job through the `rosterbridge` binary, against a practice district in a process of its own: what the
//! command line promises, what arrives in PowerSchool, Hero and Raptor, and what a crash or a bad input leaves behind.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod bad_files;
mod bad_input;
mod bad_network;
mod cancel;
mod care;
mod connection;
mod contract;
mod crash_care;
mod crash_points;
mod guard;
mod handover;
mod held;
mod hero_account_settings;
mod hero_accounts;
mod hero_connections;
mod hero_exports;
mod hero_hand_over;
mod hero_import;
#[cfg(unix)]
mod hero_openssh;
mod hero_reports;
mod hero_sheet;
mod hero_watch;
mod host_key;
mod lost_answers;
mod mail;
mod main_job;
mod mapping;
mod meetings;
mod observability;
mod one_sender;
mod plans;
mod plugin;
mod processes;
mod pull;
mod raptor_roster;
mod raptor_status;
mod raptor_tardies;
mod reenrollments;
mod school_year;
mod soak;
mod stage;
mod support;
mod tardy_order;
mod trace;
mod unchanged;
mod undo;
mod wire;
