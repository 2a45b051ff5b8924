//! What a run is about to do, and what keeps it from doing it.

use chrono::{DateTime, NaiveDate, Utc};
use rosterbridge_domain::job::JobId;
use rosterbridge_domain::school_year::YearChange;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What a job planned, before it did anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PlanView {
    /// Names this very content: a plan of the same id does the same.
    pub id: String,
    /// The first attendance records it writes, at most ten.
    pub sample: Vec<PlannedRecord>,
    /// The first rows of the files it writes. In a dry run's report only: they name students.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<FileSample>>", optional)]
    pub files: Vec<FileSample>,
}

/// The first rows of a planned file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct FileSample {
    /// The file.
    pub name: String,
    /// Its columns, named whether or not the file has a header.
    pub columns: Vec<String>,
    /// Its first rows, at most five, as they would be written.
    pub rows: Vec<Vec<String>>,
}

impl FileSample {
    pub(crate) fn new(name: &str, columns: &[String], rows: Vec<Vec<String>>) -> Self {
        Self { name: name.to_owned(), columns: columns.to_vec(), rows }
    }
}

/// Without the rows.
impl std::fmt::Debug for FileSample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileSample").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An attendance record to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PlannedRecord {
    /// The student's number.
    #[ts(type = "number | null")]
    pub student_number: Option<i64>,
    /// The school's number.
    #[ts(type = "number")]
    pub school: i64,
    /// The day.
    #[ts(type = "string")]
    pub date: NaiveDate,
    /// The code it gets.
    pub code: String,
    /// The code it has now; absent where there is none.
    pub previous_code: Option<String>,
}

/// Why a plan waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum GuardReason {
    /// Too many rows would be lost, of the file or of one school in it.
    RowsLost,
    /// An import has many more rows than usual.
    ManyRows,
}

/// The rows of one school in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct GuardedSchool {
    /// The school's number.
    #[ts(type = "number")]
    pub school: i64,
    /// Rows of the last one sent.
    pub before: u64,
    /// Rows it would have now.
    pub now: u64,
}

/// A plan that was stopped because it would change too much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct GuardedView {
    /// Names this very content.
    pub id: String,
    /// The job.
    pub job: JobId,
    /// The file.
    pub name: String,
    /// Rows of the last one sent; of an import the usual number.
    pub before: u64,
    /// Rows it would have now.
    pub now: u64,
    /// The new school year since the last one was sent, if there is one: so large a change is to be expected.
    #[ts(optional)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<YearChange>,
    /// When it was stopped.
    #[ts(type = "string")]
    pub stopped_at: DateTime<Utc>,
    /// Why.
    pub reason: GuardReason,
    /// The schools that would lose too many rows.
    pub schools: Vec<GuardedSchool>,
    /// Numbers of students who would have no row any more, at most ten.
    #[ts(type = "number[]")]
    pub sample: Vec<i64>,
}
