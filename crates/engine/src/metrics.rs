//! What a profile does, in numbers: a snapshot that costs little, for whoever watches many districts.

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, TimeDelta, Utc};
use rosterbridge_store::ledger::{JobRun, Run};

use crate::{
    engine::Engine,
    error::EngineError,
    report::{HolderView, Metrics, PhaseSeconds, Sizes},
};

/// How far back runs and rows are counted.
const COUNTED: TimeDelta = TimeDelta::days(7);

impl Engine {
    /// The numbers as of `now`.
    pub async fn metrics(&self, now: DateTime<Utc>) -> Result<Metrics, EngineError> {
        let since = now - COUNTED;
        let holder = HolderView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: self.opened.elapsed().as_secs(),
        };
        let circuits = self.circuit_views(now);
        let (folder, logs, ledger) =
            (self.folder.path().to_owned(), self.folder.logs(), self.folder.ledger());
        let jobs = self.setup().await?.possible_jobs();
        self.ledger(move |database| {
            let owned = |counts: std::collections::BTreeMap<&str, u64>| {
                counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
            };
            let mut phases = Vec::new();
            phases.extend(database.last_run()?.as_ref().and_then(pull));
            for job in jobs {
                phases.extend(database.last_job_run(job)?.as_ref().and_then(duration));
            }
            Ok(Metrics {
                since,
                runs: owned(database.runs_by_outcome(since)?),
                rows: database.rows_since(since)?,
                phases,
                outbox: owned(database.open_writes()?),
                held: database.held_count()?,
                circuits,
                sizes: Sizes {
                    ledger: size(&ledger) + size(&beside(&ledger, "-wal")),
                    roster: size(&folder.join("roster.db")),
                    backups: size(&folder.join("backups")),
                    logs: size(&logs),
                },
                holder,
            })
        })
        .await
    }
}

/// The phases of a run that came to an end: its pull, and its jobs in running order.
pub(crate) fn phases(run: &Run) -> Vec<PhaseSeconds> {
    pull(run).into_iter().chain(run.jobs.iter().filter_map(duration)).collect()
}

/// The roster pull of a run: what comes before its first job.
fn pull(run: &Run) -> Option<PhaseSeconds> {
    let first = run.jobs.iter().filter_map(|job| job.started_at).min()?;
    Some(phase("pull", run.started_at, first))
}

/// A job; none where it was not started.
fn duration(job: &JobRun) -> Option<PhaseSeconds> {
    Some(phase(&job.job.to_string(), job.started_at?, job.finished_at?))
}

fn phase(name: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> PhaseSeconds {
    // A clock that was set back in between makes it negative.
    let millis = u64::try_from((to - from).num_milliseconds()).unwrap_or(0);
    PhaseSeconds { phase: name.to_owned(), millis }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Bytes of a file, or of the files in a folder; none where there is none.
fn size(path: &Path) -> u64 {
    match fs::read_dir(path) {
        Ok(entries) => {
            entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|metadata| metadata.len()).sum()
        }
        Err(_) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
    }
}
