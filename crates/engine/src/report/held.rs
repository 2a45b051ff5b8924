//! Rows kept for a person.

use chrono::{DateTime, Utc};
use rosterbridge_domain::held::HoldReason;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A row kept for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HeldView {
    /// The ledger's id.
    pub id: i64,
    /// `hero` or `raptor`.
    pub source: String,
    /// The file it came in.
    pub file: String,
    /// Its line there, from 1.
    pub line: u64,
    /// Why: the stable code.
    pub code: String,
    /// Why and what to do, in sentences.
    pub message: String,
    /// What exactly, e.g. the unknown code.
    pub detail: String,
    /// The row as it came.
    pub raw: String,
    /// When it was first held.
    #[ts(type = "string")]
    pub first_seen: DateTime<Utc>,
    /// Whether a person asked for it to be decided again, which the next run does.
    pub retried: bool,
}

/// The rows kept for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HeldPage {
    /// How many there are in all.
    pub total: u64,
    /// How many by reason, most first.
    pub by_reason: Vec<(HoldReason, u64)>,
    /// This page's rows.
    pub rows: Vec<HeldView>,
}
