//! 'Email completion report' of an export or import: how it ended, for those whom its settings name.

use rosterbridge_domain::{
    job::{JobId, Outcome},
    notice::{Completion, Happening, Reason},
    settings::{ExportKind, Setup},
};

use super::post::report_addresses;
use crate::report::{Cause, JobReport};

/// The completion reports of a run's jobs, of those that somebody gets. `cause` is why the run failed as a whole. What a
/// person stopped is no news to them.
pub(super) fn reports(setup: &Setup, run: &str, jobs: &[JobReport], cause: Option<&Cause>) -> Vec<Happening> {
    let stopped = |report: &JobReport| {
        report.outcome == Outcome::Cancelled
            || report.outcome == Outcome::Skipped && report.cause.is_none() && cause.is_none_or(is_stop)
    };
    let wanted = jobs.iter().filter(|report| !report_addresses(setup, report.job).is_empty());
    let told = wanted.filter(|report| !stopped(report)).map(|report| {
        let why = report.cause.as_ref().or(cause.filter(|_| report.outcome == Outcome::Skipped));
        Happening::Completed(Completion {
            job: report.job,
            name: record_name(setup, report.job),
            run: run.to_owned(),
            // Who is told later that a run was cut off is told what it was at then.
            outcome: if report.outcome == Outcome::Running { Outcome::Interrupted } else { report.outcome },
            rows: report.rows,
            newly_held: report.newly_held,
            files: report.files.clone(),
            notes: report.notes.clone(),
            more_notes: 0,
            reason: why.map(|cause| Reason { code: cause.code.clone(), remedy: cause.remedy.clone() }),
        })
    });
    told.collect()
}

fn is_stop(cause: &Cause) -> bool {
    cause.code == crate::error::EngineError::Cancelled.code()
}

/// What the job's AutoSend or AutoComm record would be called.
pub(crate) fn record_name(setup: &Setup, job: JobId) -> String {
    let account = setup.hero.account(job.account());
    let name = account.map(|account| match ExportKind::of(job.kind()) {
        Some(kind) => account.export(kind).name.trim(),
        None => account.attendance.name.trim(),
    });
    name.filter(|name| !name.is_empty()).map_or_else(|| job.to_string(), str::to_owned)
}
