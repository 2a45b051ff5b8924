//! What is shown of the Raptor integration: what confirming it would do, how its status changed, what its files look like.

use chrono::{DateTime, Utc};
use rosterbridge_domain::{
    integration::{IntegrationEvent, IntegrationStatus},
    settings::IntegrationWindow,
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::Cause;

/// What the Setup Confirmation dialog tells before the integration is enabled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RaptorConfirmation {
    /// Buildings that take part.
    pub buildings: u32,
    /// The PowerSchool schools they stand for.
    pub schools: u32,
    /// Schools of PowerSchool that no building stands for.
    pub schools_left_out: u32,
    /// Students of the schools that take part, by the last roster pull; absent before the first one.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub students: Option<u64>,
    /// Active rows of the tardy table; absent where 'Student Tardy' is No.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tardy_codes: Option<u32>,
    /// Who is mailed when the status changes.
    pub notified: Vec<String>,
    /// The window as it would be.
    pub window: IntegrationWindow,
    /// When the request is processed: the next time the window opens, or now while it is open.
    #[ts(type = "string")]
    pub processed_at: DateTime<Utc>,
    /// Whether scheduled runs are paused, so that nothing happens by itself before somebody resumes them.
    pub paused: bool,
    /// What keeps it from being confirmed; empty when nothing does.
    pub obstacles: Vec<Cause>,
    /// What a person should know and may accept, in sentences.
    pub warnings: Vec<String>,
}

/// Something that happened to the integration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct StatusChangeView {
    /// The ledger's id, larger for what happened later.
    #[ts(type = "number")]
    pub id: i64,
    /// When.
    #[ts(type = "string")]
    pub at: DateTime<Utc>,
    /// The status before.
    pub from: IntegrationStatus,
    /// The status after: the same where the event has no rule for the status.
    pub to: IntegrationStatus,
    /// What happened.
    pub event: IntegrationEvent,
    /// Why, in a sentence.
    pub because: String,
    /// What failed, where something did.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The run it happened in.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// How the integration's status came about, latest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RaptorHistory {
    /// The status now.
    pub status: IntegrationStatus,
    /// This page.
    pub changes: Vec<StatusChangeView>,
    /// Whether there are earlier ones.
    pub more: bool,
}

/// A building's roster file as a layout would make it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RosterPreview {
    /// The building.
    pub building: String,
    /// The file's name.
    pub file: String,
    /// The columns' titles.
    pub columns: Vec<String>,
    /// The first rows, value by value: at most five.
    pub rows: Vec<Vec<String>>,
    /// The beginning of the file as it would be written: the header, if there is one, and these rows.
    pub text: String,
    /// Rows in all.
    #[ts(type = "number")]
    pub total: u64,
    /// What is wrong with the layout, in sentences; empty where it can be used.
    pub problems: Vec<String>,
}

/// Without the rows.
impl std::fmt::Debug for RosterPreview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RosterPreview").field("file", &self.file).finish_non_exhaustive()
    }
}
