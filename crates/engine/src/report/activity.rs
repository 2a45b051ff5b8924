//! What happened: the days' runs, and lists of rows with what became of each.

use chrono::{DateTime, NaiveDate, Utc};
use rosterbridge_domain::{attendance::Source, job::Outcome};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{RowFate, RowsOf, RunView};

/// The runs of the latest days, counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RunHistory {
    /// Today in the district.
    #[ts(type = "string")]
    pub today: NaiveDate,
    /// Every day, earliest first, also those without a run.
    pub days: Vec<RunDay>,
}

/// A day's runs, counted. A run belongs to the day it started on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RunDay {
    /// The day in the district.
    #[ts(type = "string")]
    pub day: NaiveDate,
    /// How the runs ended, each outcome once, dry runs aside.
    pub outcomes: Vec<OutcomeRuns>,
    /// Dry runs.
    pub dry_runs: u32,
}

/// Runs of a day that ended alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct OutcomeRuns {
    /// How they ended.
    pub outcome: Outcome,
    /// How many.
    pub runs: u32,
    /// How long they took together, in milliseconds; what is under way counts nothing.
    #[ts(type = "number")]
    pub millis: u64,
}

/// A day's runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DayRuns {
    /// The day in the district.
    #[ts(type = "string")]
    pub day: NaiveDate,
    /// When it begins.
    #[ts(type = "string")]
    pub from: DateTime<Utc>,
    /// When it ends.
    #[ts(type = "string")]
    pub to: DateTime<Utc>,
    /// The runs that started on it, latest first: 500 of them at most.
    pub runs: Vec<RunView>,
}

/// A row's place among all: in the order in which files were read first, and by its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RowPlace {
    /// The number of its file.
    #[ts(type = "number")]
    pub file: i64,
    /// Its line, from 1.
    #[ts(type = "number")]
    pub line: u64,
}

/// A place in a list: right behind a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RowCursor {
    /// What the row had in the column the list is ordered by.
    #[ts(type = "number")]
    pub key: i64,
    /// The row.
    pub row: RowPlace,
}

/// What a list of rows is ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum RowSort {
    /// The order of reading.
    #[default]
    Read,
    /// The student's number.
    Student,
    /// What the row has come to, what wants a person first.
    Fate,
    /// The school of its record, by its number.
    School,
}

/// Which rows are listed, and in which order. What is absent does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct RowList {
    /// Those of these, flattened.
    #[serde(flatten)]
    pub of: RowsOf,
    /// Of files with this content.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Of this source.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// That came to this.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fate: Option<RowFate>,
    /// Whose record is of this school.
    #[ts(optional, type = "number")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub school: Option<i64>,
    /// The order.
    pub sort: RowSort,
    /// Whether the last comes first.
    pub descending: bool,
}

/// Where a page of a list begins. From the beginning of the list as it is now, where all are absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct RowPageStart {
    /// What was read later than this is left out: `until` of the list's first page.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<RowPlace>,
    /// Behind this row.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<RowCursor>,
    /// And from there after so many more.
    pub skip: u32,
}

/// A page of a list of rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RowPage {
    /// How many rows the list has; of its first page only.
    #[ts(optional, type = "number")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What the list's further pages are asked for with; absent where nothing was ever read.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<RowPlace>,
    /// The rows.
    pub rows: Vec<RowSummary>,
}

/// A row of a list. [`crate::Engine::trace`] tells everything of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RowSummary {
    /// The place right behind it in the list.
    pub cursor: RowCursor,
    /// The system that stated it.
    pub source: Source,
    /// The file it came in.
    pub file: String,
    /// Its line there, from 1.
    #[ts(type = "number")]
    pub line: u64,
    /// When that file was read first.
    #[ts(type = "string")]
    pub read_at: DateTime<Utc>,
    /// The student it names, if that could be read.
    #[ts(optional, type = "number")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub student_number: Option<i64>,
    /// The school of its record in PowerSchool, if it has one.
    #[ts(optional, type = "number")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub school: Option<i64>,
    /// What became of it.
    pub fate: RowFate,
    /// When that was so.
    #[ts(type = "string")]
    pub at: DateTime<Utc>,
    /// The reason's stable code; empty for none.
    pub code: String,
    /// What happened last, in a sentence.
    pub sentence: String,
}

/// Without what the row says.
impl std::fmt::Debug for RowSummary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowSummary")
            .field("cursor", &self.cursor)
            .field("fate", &self.fate)
            .finish_non_exhaustive()
    }
}

/// A file of rows that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct WrittenRows {
    /// Where it is.
    pub file: String,
    /// Its rows, without the names of the columns.
    #[ts(type = "number")]
    pub rows: u64,
    /// Its size in bytes.
    #[ts(type = "number")]
    pub bytes: u64,
}
