//! How a run's jobs ended, for the report, the history and the log.

use std::time::{Duration, Instant};

use rosterbridge_domain::{
    job::{FileReceipt, JobId, Outcome, RowCounts},
    retry::Remote,
};
use rosterbridge_store::ledger::JobResult;

use crate::{
    error::EngineError,
    report::{Cause, JobReport, LeftAlone, PhaseSeconds, PlanView, SyncReport},
};

/// What a failure means for trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The system it concerns, if it could not be reached or did not answer as it should.
    pub(crate) remote: Option<Remote>,
    /// Whether it may pass by itself.
    pub(crate) may_pass: bool,
    /// When the system asked to be tried again.
    pub(crate) asked: Option<Duration>,
    /// Whether it was stopped, rather than failed.
    pub(crate) stopped: bool,
}

impl Failure {
    /// One that nothing is known of: trying again may help.
    pub(crate) const UNKNOWN: Self = Self { remote: None, may_pass: true, asked: None, stopped: false };

    pub(super) fn of(error: &EngineError) -> Self {
        Self {
            remote: error.remote(),
            may_pass: error.may_pass(),
            asked: error.retry_after(),
            stopped: matches!(error, EngineError::Cancelled),
        }
    }
}

/// What a job has done so far: kept when it ends with an error too.
#[derive(Default)]
pub(super) struct Done {
    pub(super) rows: RowCounts,
    pub(super) newly_held: u64,
    pub(super) files: Vec<FileReceipt>,
    pub(super) notes: Vec<String>,
    /// What kept it from doing all, though it went on.
    pub(super) cause: Option<Cause>,
    /// What that means for trying again.
    pub(super) failure: Option<Failure>,
    /// What was planned.
    pub(super) plan: Option<PlanView>,
    /// Of an undo: what stays as it is.
    pub(super) left: Vec<LeftAlone>,
}

impl Done {
    /// Notes what keeps it from doing all, though it goes on.
    pub(super) fn fail(&mut self, error: &EngineError) {
        self.cause = Some(error.cause());
        self.failure = Some(Failure::of(error));
    }
}

pub(super) fn add(sum: &mut RowCounts, counts: RowCounts) {
    sum.read += counts.read;
    sum.written += counts.written;
    sum.noop += counts.noop;
    sum.held += counts.held;
    sum.rejected += counts.rejected;
}

pub(super) fn job_report(job: JobId, done: Done, error: Option<&EngineError>) -> JobReport {
    let outcome = match error {
        Some(EngineError::Cancelled) => Outcome::Cancelled,
        Some(EngineError::NotTried { .. }) => Outcome::Skipped,
        Some(_) => Outcome::Failed,
        None if done.cause.is_some() => Outcome::Failed,
        None if done.rows.held > 0 || done.rows.rejected > 0 => Outcome::SucceededWithHeldRows,
        None => Outcome::Succeeded,
    };
    JobReport {
        job,
        outcome,
        rows: done.rows,
        newly_held: done.newly_held,
        files: done.files,
        cause: error.map(EngineError::cause).or(done.cause),
        notes: done.notes,
        plan: done.plan,
    }
}

pub(super) fn skipped(job: JobId) -> JobReport {
    JobReport {
        job,
        outcome: Outcome::Skipped,
        rows: RowCounts::default(),
        newly_held: 0,
        files: Vec::new(),
        cause: None,
        notes: Vec::new(),
        plan: None,
    }
}

pub(super) fn job_result(report: &JobReport) -> JobResult {
    JobResult {
        outcome: report.outcome,
        rows: report.rows,
        newly_held: report.newly_held,
        files: report.files.clone(),
        notes: report.notes.clone(),
        cause: report.cause.clone().map(Into::into),
    }
}

/// The worst of what happened.
pub(super) fn outcome(report: &SyncReport) -> Outcome {
    let any = |outcome: Outcome| report.jobs.iter().any(|job| job.outcome == outcome);
    match &report.cause {
        Some(cause) if cause.code == EngineError::Cancelled.code() => Outcome::Cancelled,
        Some(_) => Outcome::Failed,
        None if any(Outcome::Failed) => Outcome::Failed,
        None if any(Outcome::Cancelled) => Outcome::Cancelled,
        None if any(Outcome::SucceededWithHeldRows) => Outcome::SucceededWithHeldRows,
        None => Outcome::Succeeded,
    }
}

/// Logs how a job ended.
pub(super) fn log_end(report: &JobReport) {
    let RowCounts { read, written, noop, held, rejected } = report.rows;
    tracing::info!(
        job = %report.job,
        outcome = report.outcome.as_str(),
        code = report.cause.as_ref().map(|cause| cause.code.as_str()),
        read,
        written,
        noop,
        held,
        rejected,
        newly_held = report.newly_held,
        "the job has ended"
    );
}

pub(super) fn seconds(phase: &str, since: Instant) -> PhaseSeconds {
    PhaseSeconds {
        phase: phase.to_owned(),
        millis: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}
