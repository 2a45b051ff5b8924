use std::path::PathBuf;

use chrono::NaiveDate;

use crate::faults::Faults;

/// What an attendance POST without a `dcid` does.
///
/// PowerSchool documents 'create or update' by key. Whether every installation really does so cannot
/// be checked from outside, so the practice server can behave either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttendanceMode {
    /// Updates the row of the same student, date, mode, enrolment, period and program, if there is one.
    #[default]
    Upsert,
    /// Always adds a row, so that a double send shows.
    Insert,
}

/// How to generate and serve the practice district.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Active students (Enroll_Status 0); leavers, graduates and pre-registered students come on top.
    pub students: u32,
    /// Schools, without 'Graduated Students'.
    pub schools: u32,
    /// Equal seeds, sizes and dates give equal districts.
    pub seed: u64,
    /// The practice date: in session, unless it lies between two school years. None for the last weekday
    /// on or before today in the district's zone, which is in session always.
    pub date: Option<NaiveDate>,
    /// Hero accounts; 0 counts as 1. The second one and every other after it are of one school each, those between
    /// of all schools. Accounts once made stay.
    pub hero_accounts: u32,
    /// Where keys, credentials, ports and the database stay between starts; none for a fresh
    /// temporary folder that is removed at the end.
    pub data: Option<PathBuf>,
    /// Tardies of the day, at most one a student; none for one student in a hundred.
    pub tardies: Option<u32>,
    /// Added to every answer of the HTTPS server, milliseconds.
    pub latency_ms: u64,
    /// Renders each PowerSchool answer once and serves it from memory when it is asked for again.
    pub prerender: bool,
    /// What a POST without `dcid` does.
    pub attendance: AttendanceMode,
    /// Faults switched on from the start; `POST /control/faults` changes them later.
    pub faults: Faults,
    /// Where to write the ready file once everything answers.
    pub ready_file: Option<PathBuf>,
    /// A plugin zip installed at the start. Without one nothing but the core resources is visible.
    pub plugin: Option<Vec<u8>>,
}

impl ServeOptions {
    /// Two small schools on a Wednesday in session, with a plugin installed: large enough for every exchange, and
    /// started in a moment.
    pub fn small(plugin: Vec<u8>) -> Self {
        Self {
            students: 40,
            schools: 2,
            date: NaiveDate::from_ymd_opt(2026, 11, 18),
            plugin: Some(plugin),
            ..Self::default()
        }
    }
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            students: 600,
            schools: 5,
            seed: 1,
            date: None,
            hero_accounts: 1,
            data: None,
            tardies: None,
            latency_ms: 0,
            prerender: false,
            attendance: AttendanceMode::Upsert,
            faults: Faults::default(),
            ready_file: None,
            plugin: None,
        }
    }
}
