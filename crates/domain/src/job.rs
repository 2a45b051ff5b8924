//! The exchanges a profile runs, and how a run and its jobs end.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// One exchange. The order is the order in which jobs of one run are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// Hero's student demographics export (`STUDENT.TXT`).
    HeroStudents,
    /// Hero's schedule export (`SCHEDULE.TXT`).
    HeroSchedule,
    /// Hero's teacher export (`TEACHER.txt`).
    HeroTeachers,
    /// Hero's attendance import.
    HeroAttendance,
    /// The student roster for Raptor, a file for each mapped building.
    RaptorRoster,
    /// Raptor's tardies, in as attendance.
    RaptorTardies,
}

impl Job {
    /// Every job, in running order.
    pub const ALL: [Self; 6] = [
        Self::HeroStudents,
        Self::HeroSchedule,
        Self::HeroTeachers,
        Self::HeroAttendance,
        Self::RaptorRoster,
        Self::RaptorTardies,
    ];

    /// The name on the command line and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HeroStudents => "hero-students",
            Self::HeroSchedule => "hero-schedule",
            Self::HeroTeachers => "hero-teachers",
            Self::HeroAttendance => "hero-attendance",
            Self::RaptorRoster => "raptor-roster",
            Self::RaptorTardies => "raptor-tardies",
        }
    }
}

impl std::fmt::Display for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name is no job.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("there is no job '{0}'")]
pub struct UnknownJob(pub String);

impl std::str::FromStr for Job {
    type Err = UnknownJob;

    fn from_str(name: &str) -> Result<Self, UnknownJob> {
        Self::ALL.into_iter().find(|job| job.as_str() == name).ok_or_else(|| UnknownJob(name.to_owned()))
    }
}

/// How a run, or one job of it, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has not ended.
    Running,
    /// Everything was done.
    Succeeded,
    /// Everything was done and at least one row was newly held or rejected.
    SucceededWithHeldRows,
    /// It stopped with an error.
    Failed,
    /// A person stopped it.
    Cancelled,
    /// The program ended in the middle of it.
    Interrupted,
    /// It was not started, because something it needs failed first.
    Skipped,
}

impl Outcome {
    /// The name in JSON and in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::SucceededWithHeldRows => "succeeded_with_held_rows",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Skipped => "skipped",
        }
    }
}

/// Rows of one job: what came in and what became of it. For an outgoing file `read` and `written` are its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RowCounts {
    /// Rows read from the source.
    pub read: u64,
    /// Rows that arrived where they belong.
    pub written: u64,
    /// Rows that needed no write.
    pub noop: u64,
    /// Rows kept for a person.
    pub held: u64,
    /// Malformed rows, kept with file and line.
    pub rejected: u64,
}

/// A file a job wrote or read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct FileReceipt {
    /// Its path at the other side, e.g. `imports/STUDENT.TXT`.
    pub name: String,
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Lower-case hexadecimal SHA-256 of its content.
    pub sha256: String,
}
