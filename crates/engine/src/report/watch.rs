//! What is seen of Hero's files from outside: those PowerSchool should send and take in, and those somebody else sends.

use chrono::{DateTime, Utc};
use rosterbridge_domain::job::{AccountId, JobId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::Cause;

/// What the latest look at an account's folders at Hero showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct WatchView {
    /// The account.
    pub account: AccountId,
    /// When it was looked.
    #[ts(type = "string")]
    pub looked_at: DateTime<Utc>,
    /// Why nothing could be seen; absent when it could. Then `files` is as it was before, or empty.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Why the rows were not compared with PowerSchool's own; absent when they were, or when there was nothing to compare.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_compared: Option<Cause>,
    /// The file of each export and import that is PowerSchool's to do, in running order.
    pub files: Vec<WatchedFileView>,
}

/// One file of a [`WatchView`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct WatchedFileView {
    /// The export or import whose file it is.
    pub job: JobId,
    /// The record's name in PowerSchool: 'Name' of the AutoSend or AutoComm form.
    pub record: String,
    /// Where it should be: folder and name.
    pub path: String,
    /// When PowerSchool was last to send it, or to take it in; absent where no such time has come yet.
    #[ts(optional, type = "string")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
    /// What it is like.
    pub state: WatchState,
    /// Where it is instead, when it is somewhere else.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// Its size in bytes, where it is there.
    #[ts(optional, type = "number")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Its last change in the server's clock, where the server says.
    #[ts(optional, type = "string")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<DateTime<Utc>>,
    /// The columns of its first row; absent where it was not read or has no row.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<u32>,
    /// The columns it should have.
    pub expected_columns: u32,
    /// Its rows, without the field names; absent where it was not read.
    #[ts(optional, type = "number")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The rows it should have by PowerSchool's own data; absent where that is not known, and for an import.
    #[ts(optional, type = "number")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_rows: Option<u64>,
    /// What is wrong; present only with [`WatchState::Alert`].
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// What a watched file is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum WatchState {
    /// Nothing is expected: PowerSchool's time has not come since it was set, or there is none.
    NotDue,
    /// PowerSchool's time has come, and the file may take a while.
    Waiting,
    /// It is there, and as it should be.
    Fine,
    /// It was there as it should be, and is gone: Hero may remove files it has taken.
    Taken,
    /// It is not there, and nobody looked before Hero takes in files: Hero may have taken and removed it.
    NotSeen,
    /// Something is wrong: `cause` says what.
    Alert,
}

/// That somebody else does what is this program's to do, PowerSchool's AutoSend or AutoComm or a second installation: the
/// job is paused until a person says that nobody else does it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct OtherSenderView {
    /// The export or import.
    pub job: JobId,
    /// The record in PowerSchool that was to be turned off, by the name it was handed over under, or else the job's own.
    pub record: String,
    /// The file.
    pub path: String,
    /// When it was noticed: the job is paused since.
    #[ts(type = "string")]
    pub since: DateTime<Utc>,
    /// What was noticed, and what to do.
    pub cause: Cause,
}
