//! The practice district.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};

/// The practice district.
#[derive(Debug, Subcommand)]
pub enum Practice {
    /// Serve it until stopped
    Serve(Serve),
}

/// Options of the practice district.
#[derive(Debug, Args)]
pub struct Serve {
    /// Students with Enroll_Status 0
    #[arg(long, default_value_t = 600, value_name = "N")]
    pub students: u32,
    /// Schools
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub schools: u32,
    /// Accounts at Hero, the further ones for one school each
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub hero_accounts: u32,
    /// Seed of the generator: the same seed makes the same district
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// The district's today, in session unless it is in summer; the last weekday, in session, if not given
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub date: Option<NaiveDate>,
    /// Folder that keeps keys, credentials, ports and the database between starts
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Students who signed in late, in the Raptor folder; one in a hundred if not given
    #[arg(long, value_name = "N")]
    pub tardies: Option<u32>,
    /// Delay of every PowerSchool answer
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub latency_ms: u64,
    /// Render each PowerSchool answer once and serve it from memory afterwards: for measurements
    #[arg(long)]
    pub prerender: bool,
    /// How attendance without a dcid is taken
    #[arg(long, value_enum, default_value_t = Attendance::Upsert)]
    pub attendance: Attendance,
    /// Stop when standard input ends: for a program that starts this one and must not outlive it
    #[arg(long)]
    pub until_stdin_closes: bool,
    /// File that is written once everything is ready
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

/// How attendance without a dcid is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Attendance {
    /// Create or update by key, as documented
    Upsert,
    /// Always add a row, so that a double send shows
    Insert,
}
