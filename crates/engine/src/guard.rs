//! The large-change rule: nothing leaves the machine that would lose much of what was accepted last, unless a person
//! accepts that very content.

use std::{fmt, iter};

use chrono::Utc;
use rosterbridge_domain::job::{FileReceipt, Job};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{engine::Engine, error::EngineError, report::GuardedView};

/// Losses up to this share of the rows pass.
const SHARE: f64 = 0.10;
/// Losses of fewer rows pass, unless all are lost.
const ROWS: u64 = 20;

/// The ledger's value that holds the stopped files.
const STOPPED: &str = "guard.stopped";

/// A file that was stopped, and what a person said to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stopped {
    pub(crate) file: GuardedView,
    sha256: String,
    accepted: bool,
}

/// Whether going from `before` rows to `now` loses more than 10 % and at least 20 of them, or all.
fn is_large_loss(before: u64, now: u64) -> bool {
    let lost = before.saturating_sub(now);
    #[allow(clippy::cast_precision_loss)] // Row counts stay far below 2^52.
    let share = if before == 0 { 0.0 } else { lost as f64 / before as f64 };
    (before > 0 && now == 0) || (lost >= ROWS && share > SHARE)
}

/// Names one planned file: another content is another id, so an acceptance can't pass to it.
fn guard_id(job: Job, receipt: &FileReceipt) -> String {
    let mut hash = Sha256::new();
    for part in [job.as_str(), &receipt.name, &receipt.sha256] {
        hash.update(part);
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..4])
}

impl Engine {
    /// Stops before files of a job that would lose too many rows against the last ones sent, and names all of them,
    /// so that a person decides once. Only reads.
    pub(crate) async fn refuse_large_changes(
        &self,
        job: Job,
        receipts: &[FileReceipt],
    ) -> Result<(), EngineError> {
        let decided = self.stopped().await?;
        let mut stopped = Vec::new();
        for receipt in receipts {
            let name = receipt.name.clone();
            let last = self.ledger(move |ledger| ledger.last_upload(job, &name)).await?;
            let Some(before) =
                last.map(|last| last.receipt.rows).filter(|before| is_large_loss(*before, receipt.rows))
            else {
                continue;
            };
            let id = guard_id(job, receipt);
            if decided.iter().any(|decided| decided.accepted && decided.file.id == id) {
                continue;
            }
            let (name, now) = (receipt.name.clone(), receipt.rows);
            stopped.push(Stopped {
                file: GuardedView { id, job, name, before, now, stopped_at: Utc::now() },
                sha256: receipt.sha256.clone(),
                accepted: false,
            });
        }
        let mut stopped = stopped.into_iter();
        match stopped.next() {
            None => Ok(()),
            Some(first) => {
                Err(EngineError::LargeChange(Box::new(LargeChange { first, others: stopped.collect() })))
            }
        }
    }

    /// Remembers stopped files for a person to decide. Each takes the place of an older one of the same name.
    pub(crate) async fn remember_stop(&self, change: LargeChange) -> Result<(), EngineError> {
        let mut stopped = self.stopped().await?;
        for new in iter::once(change.first).chain(change.others) {
            stopped.retain(|other| (other.file.job, &other.file.name) != (new.file.job, &new.file.name));
            stopped.push(new);
        }
        self.save_stopped(stopped).await
    }

    /// The files that wait for a person, oldest first.
    pub async fn guarded(&self) -> Result<Vec<GuardedView>, EngineError> {
        let stopped = self.stopped().await?;
        Ok(stopped.into_iter().filter(|stopped| !stopped.accepted).map(|stopped| stopped.file).collect())
    }

    /// Accepts or rejects a stopped file by its id. An accepted one goes out with the next run if it has the same
    /// content then; a rejected one is forgotten, and stops again if it is planned again.
    pub async fn decide_guarded(&self, id: &str, accept: bool) -> Result<Vec<GuardedView>, EngineError> {
        let mut stopped = self.stopped().await?;
        let Some(place) = stopped.iter().position(|stopped| stopped.file.id == id) else {
            return Err(EngineError::NothingStopped(id.to_owned()));
        };
        if accept {
            stopped[place].accepted = true;
        } else {
            stopped.remove(place);
        }
        self.save_stopped(stopped).await?;
        self.guarded().await
    }

    /// Forgets what was decided about a file once another one of its name has been sent.
    pub(crate) async fn forget_stop(&self, job: Job, name: &str) -> Result<(), EngineError> {
        let mut stopped = self.stopped().await?;
        let before = stopped.len();
        stopped.retain(|other| (other.file.job, other.file.name.as_str()) != (job, name));
        if stopped.len() < before { self.save_stopped(stopped).await } else { Ok(()) }
    }

    async fn stopped(&self) -> Result<Vec<Stopped>, EngineError> {
        let text = self.ledger(|ledger| ledger.value(STOPPED)).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    async fn save_stopped(&self, stopped: Vec<Stopped>) -> Result<(), EngineError> {
        let text = serde_json::to_string(&stopped).unwrap_or_else(|_| "[]".to_owned());
        self.ledger(move |ledger| ledger.set_value(STOPPED, &text)).await
    }
}

/// Files of one job that would lose too many rows.
#[derive(Clone, Debug)]
pub struct LargeChange {
    pub(crate) first: Stopped,
    pub(crate) others: Vec<Stopped>,
}

impl fmt::Display for LargeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GuardedView { name, before, now, .. } = &self.first.file;
        write!(f, "{name} would shrink from {before} to {now} rows")?;
        match self.others.len() {
            0 => Ok(()),
            1 => write!(f, ", and 1 more file would lose too many rows as well"),
            others => write!(f, ", and {others} more files would lose too many rows as well"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::is_large_loss;

    #[rstest]
    #[case::first_file(0, 600, false)]
    #[case::growth(600, 900, false)]
    #[case::small_share(1000, 901, false)]
    #[case::few_rows(30, 11, false)]
    #[case::both(200, 170, true)]
    #[case::exactly_ten_percent(200, 180, false)]
    #[case::all_of_few(5, 0, true)]
    #[case::nothing_before(0, 0, false)]
    fn the_rule(#[case] before: u64, #[case] now: u64, #[case] stops: bool) {
        assert_eq!(is_large_loss(before, now), stops);
    }
}
