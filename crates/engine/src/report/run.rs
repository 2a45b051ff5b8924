//! Runs: what happens while one is under way, what it answers, and the history.

use chrono::{DateTime, Utc};
use rosterbridge_domain::job::{FileReceipt, JobId, Outcome, RowCounts};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{Cause, PlanView, StageReport};

/// The part of a run that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reading the roster from PowerSchool.
    Pull,
    /// Working out what a job would do.
    Plan,
    /// Sending a file.
    Upload,
    /// Fetching or reading a file.
    Download,
    /// Writing attendance to PowerSchool.
    Attendance,
}

/// One step of progress. `total` is absent while it is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Progress {
    /// The run's id.
    pub run: String,
    /// The job, or none during the roster pull.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// What is under way.
    pub phase: Phase,
    /// A short name of the thing worked on, e.g. `students` or `STUDENT.TXT`.
    pub subject: String,
    /// Rows done.
    pub done: u64,
    /// Rows to do.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// One job of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct JobReport {
    /// Which.
    pub job: JobId,
    /// How it ended.
    pub outcome: Outcome,
    /// Its rows.
    pub rows: RowCounts,
    /// Rows held or rejected for the first time by this run.
    pub newly_held: u64,
    /// Its files.
    pub files: Vec<FileReceipt>,
    /// Why it failed.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Things worth knowing that did not stop it, in sentences.
    pub notes: Vec<String>,
    /// What it planned; absent in the history.
    #[ts(optional)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanView>,
}

/// A whole run: what `sync` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SyncReport {
    /// The run's id.
    pub run: String,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// Its jobs in running order.
    pub jobs: Vec<JobReport>,
    /// Why it failed as a whole.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Seconds by phase, for the bench and the curious.
    pub seconds: Vec<PhaseSeconds>,
}

/// Time spent in one phase of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PhaseSeconds {
    /// `pull`, or a job's name.
    pub phase: String,
    /// Milliseconds.
    pub millis: u64,
}

/// A run in the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RunView {
    /// The run's id.
    pub run: String,
    /// When it started.
    #[ts(type = "string")]
    pub started_at: DateTime<Utc>,
    /// When it ended.
    #[ts(type = "string | null")]
    pub finished_at: Option<DateTime<Utc>>,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Whether it took back what another run had written.
    pub undo: bool,
    /// Whether the schedule started it, and not a person.
    pub scheduled: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// Its jobs.
    pub jobs: Vec<JobReport>,
    /// Why it failed.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// How long its pull and each of its jobs took, as far as they came to an end.
    pub seconds: Vec<PhaseSeconds>,
}

/// What happens while a request is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum Event {
    /// A run started.
    RunStarted {
        /// Its id.
        run: String,
        /// Its jobs.
        jobs: Vec<JobId>,
        /// Whether nothing will be written.
        dry_run: bool,
    },
    /// It went on.
    Progress(Progress),
    /// One of its jobs ended.
    JobFinished(JobReport),
    /// It ended.
    RunFinished(SyncReport),
    /// A stage of a connection test ended.
    Stage(StageReport),
    /// Something a person wants to know wherever they are: the desktop shows it as a notification.
    Notice {
        /// What happened, in a few words.
        title: String,
        /// Why, and what to do. Names no student.
        body: String,
        /// Where a person sees to it.
        #[serde(default)]
        place: NoticePlace,
    },
}

/// Where in the window what a notice tells is seen to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum NoticePlace {
    /// The state of the integrations.
    #[default]
    Home,
    /// The runs.
    Activity,
    /// Rows held for a person.
    Held,
    /// The backups of the ledger.
    Backups,
    /// What is set.
    Settings,
}
