//! What became of a row, from the file it came in to the record in PowerSchool.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::RowPlace;

/// Whose rows, and where they came from. What is absent does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct RowsOf {
    /// Of this student, by number.
    #[ts(optional, type = "number")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub student: Option<i64>,
    /// Of files of this name.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Of this line in them, from 1.
    #[ts(optional, type = "number")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Read first on this day of the district.
    #[ts(optional, type = "string")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<NaiveDate>,
}

/// Which rows to trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct TraceQuery {
    /// Those of these, flattened.
    #[serde(flatten)]
    pub of: RowsOf,
    /// This very row.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<RowPlace>,
    /// At most this many.
    pub limit: u32,
    /// After this many.
    pub offset: u32,
}

/// What became of a row in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum RowFate {
    /// Its record is to be written, and not yet known to stand in PowerSchool.
    Open,
    /// Its record stands in PowerSchool.
    Written,
    /// Nothing had to be written.
    Noop,
    /// It is kept for a person.
    Held,
    /// It is malformed.
    Rejected,
}

/// A row and what became of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TracedRow {
    /// `hero` or `raptor`.
    pub source: String,
    /// The file it came in.
    pub file: String,
    /// SHA-256 of that file's content, lower-case hexadecimal; empty where it is not known any more.
    pub file_sha256: String,
    /// Its line there, from 1.
    #[ts(type = "number")]
    pub line: u64,
    /// The row as it came; empty where it is not kept any more.
    pub raw: String,
    /// The student it names, if that could be read.
    #[ts(optional, type = "number")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub student_number: Option<i64>,
    /// What became of it.
    pub fate: RowFate,
    /// Everything that happened to it, oldest first.
    pub steps: Vec<TraceStep>,
}

/// Without the row itself.
impl std::fmt::Debug for TracedRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TracedRow")
            .field("file", &self.file)
            .field("line", &self.line)
            .field("fate", &self.fate)
            .finish_non_exhaustive()
    }
}

/// One thing that happened to a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TraceStep {
    /// When.
    #[ts(type = "string")]
    pub at: DateTime<Utc>,
    /// The run it happened in; absent where a person did it.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// What: stable, e.g. `decided_write`, `held`, `sent`, `confirmed`, `retried`, `discarded`, `undone`.
    pub what: String,
    /// The reason's stable code, e.g. `held.reason_not_mapped` or `already_stated`; empty for none.
    pub code: String,
    /// What happened, in a sentence.
    pub sentence: String,
    /// The record in PowerSchool it is about.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<TracedRecord>,
    /// The held row's id, where it is about one: what was decided about that row can be taken back by it.
    #[ts(optional, type = "number")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<i64>,
}

/// An attendance record of PowerSchool's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TracedRecord {
    /// ATTENDANCE.SCHOOLID.
    #[ts(type = "number")]
    pub school: i64,
    /// ATTENDANCE.ATT_DATE.
    #[ts(type = "string")]
    pub date: NaiveDate,
    /// ATTENDANCE.ATT_MODE_CODE.
    pub mode: String,
    /// ATTENDANCE.CCID; 0 in the daily mode.
    #[ts(type = "number")]
    pub cc: i64,
    /// ATTENDANCE.PERIODID; 0 in the daily mode.
    #[ts(type = "number")]
    pub period: i64,
    /// ATTENDANCE_CODE.ATT_CODE.
    pub code: String,
    /// The code that stood there before; absent where there was none.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_code: Option<String>,
}

/// Traced rows, latest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TracePage {
    /// How many there are in all.
    #[ts(type = "number")]
    pub total: u64,
    /// This page.
    pub rows: Vec<TracedRow>,
}

/// A day's rows and what became of them: `rows` is the sum of the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Reconciliation {
    /// The day, in the district's zone, on which the rows were read first.
    #[ts(type = "string")]
    pub day: NaiveDate,
    /// All files together.
    pub total: ReconciledRows,
    /// File by file.
    pub files: Vec<ReconciledFile>,
}

/// A file's rows and what became of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReconciledFile {
    /// `hero` or `raptor`.
    pub source: String,
    /// The file.
    pub file: String,
    /// SHA-256 of its content.
    pub sha256: String,
    /// Its rows.
    pub rows: ReconciledRows,
}

/// Rows in, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReconciledRows {
    /// Rows read.
    #[ts(type = "number")]
    pub rows: u64,
    /// Written to PowerSchool.
    #[ts(type = "number")]
    pub written: u64,
    /// Nothing had to be written.
    #[ts(type = "number")]
    pub noop: u64,
    /// Kept for a person.
    #[ts(type = "number")]
    pub held: u64,
    /// Malformed.
    #[ts(type = "number")]
    pub rejected: u64,
    /// On their way: decided, and not yet known to stand in PowerSchool.
    #[ts(type = "number")]
    pub open: u64,
}
