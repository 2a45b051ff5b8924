//! Taking a run back.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::SyncReport;

/// What an undo did, or would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct UndoReport {
    /// The run whose writes it takes back.
    pub undoes: String,
    /// How it went. Of each job: `read` counts the records the run wrote, `written` those taken back, `noop` those left.
    pub report: SyncReport,
    /// What stays as it is, and why.
    pub left: Vec<LeftAlone>,
}

/// A record an undo leaves as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LeftAlone {
    /// `hero` or `raptor`.
    pub source: String,
    /// The student's number.
    #[ts(type = "number | null")]
    pub student_number: Option<i64>,
    /// The school's number.
    #[ts(type = "number")]
    pub school: i64,
    /// The day.
    #[ts(type = "string")]
    pub date: NaiveDate,
    /// The code the run wrote.
    pub code: String,
    /// Why.
    pub reason: NotUndone,
    /// Why, and what to do, in sentences.
    pub message: String,
}

/// Why a write is not taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum NotUndone {
    /// A later run has written the record again.
    WrittenAgain,
    /// It was undone already.
    AlreadyUndone,
    /// Another write of the record is under way.
    UnderWay,
    /// Somebody has changed the record in PowerSchool.
    Changed,
    /// What stood before is not known, since the ledger was restored from an older backup after the write.
    TakenOver,
    /// PowerSchool has several records.
    SeveralRecords,
    /// The code that stood before is not there any more.
    NoSuchCode,
    /// PowerSchool refused it.
    Refused,
}
