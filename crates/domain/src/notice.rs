//! Who is told what, and when. Time is passed in; what was told before is kept in [`Told`].
//!
//! A change of the integration's status is told each time, as Raptor's procedure has it. A failure is told at once and
//! the same one again only after [`REPEAT_AFTER`]; the first success after a failure that was told is told once. Held
//! rows and runs that were missed are counted and told together, at most every [`DIGEST_EVERY`]; runs that were cut off are
//! named, each once, and no more often than that. What is wrong with a file that is seen from outside is told once a day,
//! and once when it is right again; that another sender pauses a job once, and once when it goes on. How a job ended is
//! told to those who asked for its completion report, each run once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    integration::{IntegrationEvent, IntegrationStatus},
    job::{FileReceipt, JobId, Outcome, RowCounts},
    school_year::{TardyCodeFault, YearChange},
};

/// How long the same failure of the same exchange is not told again.
pub const REPEAT_AFTER: TimeDelta = TimeDelta::hours(4);
/// The shortest time between two digests.
pub const DIGEST_EVERY: TimeDelta = TimeDelta::hours(1);
/// The most failures that are remembered. Beyond, those told longest ago are forgotten.
pub const MOST_REMEMBERED: usize = 200;
/// The most stopped files, runs that were cut off, or files and notes of a job that are named one by one.
pub const MOST_NAMED: usize = 20;

/// How long an alert that is over keeps the same file from being told again on the same day, whatever the zone.
const ALERT_REMEMBERED: TimeDelta = TimeDelta::hours(48);

/// Why something went wrong: the stable code, and what a person can do. Names no student.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable, e.g. `sftp.unreachable`.
    pub code: String,
    /// What to do, in sentences.
    pub remedy: String,
}

/// A change of the Raptor integration's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChange {
    /// The status before.
    pub from: IntegrationStatus,
    /// The status now.
    pub to: IntegrationStatus,
    /// What happened.
    pub event: IntegrationEvent,
    /// Why, where it failed.
    pub reason: Option<Reason>,
}

/// A file that was not sent because it would lose too many rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedFile {
    /// Names this very content.
    pub id: String,
    /// The file's name.
    pub name: String,
    /// Rows of the last one sent.
    pub before: u64,
    /// Rows it would have now.
    pub now: u64,
}

/// An exchange that did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which exchange; `None` for a run that came to none of them.
    pub job: Option<JobId>,
    /// Why.
    pub reason: Reason,
    /// The files the large-change guard stopped, if that is why: all of them as they happen, at most [`MOST_NAMED`]
    /// in a notice.
    pub stopped: Vec<StoppedFile>,
}

impl Failure {
    /// Whether a person would take both for the same: same exchange, same code, same files. What is in a stopped file
    /// may change from run to run.
    fn is_same(&self, other: &Self) -> bool {
        self.job == other.job && self.reason.code == other.reason.code && self.names() == other.names()
    }

    /// The stopped files' names.
    fn names(&self) -> BTreeSet<&str> {
        self.stopped.iter().map(|file| file.name.as_str()).collect()
    }
}

/// A new school year or term, and the rows of the tardy table that no longer fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchoolYearNews {
    /// What changed, school by school: at most [`MOST_NAMED`] in a notice.
    pub changes: Vec<YearChange>,
    /// Rows that a school cannot use now and could before: at most [`MOST_NAMED`] in a notice.
    pub faults: Vec<TardyCodeFault>,
    /// Changes and faults that are not named.
    pub more: u64,
}

impl SchoolYearNews {
    /// Names no more than [`MOST_NAMED`] of each.
    fn bounded(mut self) -> Self {
        let all = self.changes.len() + self.faults.len();
        self.changes.truncate(MOST_NAMED);
        self.faults.truncate(MOST_NAMED);
        let left_out = all - self.changes.len() - self.faults.len();
        self.more = self.more.saturating_add(u64::try_from(left_out).unwrap_or(u64::MAX));
        self
    }
}

/// A run that the program, or the computer, ended in the middle of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterruptedRun {
    /// Its id.
    pub run: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Whether it was taking back what another run had written.
    pub undo: bool,
}

/// What an [`Alert`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// A file that PowerSchool should send, or take in, is not as it should be.
    Watch,
    /// Somebody else sends, or takes in, what is this program's to do, and the job is paused.
    OtherSender,
    /// It can't be looked at what PowerSchool sends or takes in: `file` is the connection's name.
    Look,
}

/// What names an alert: of one file there is one at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertSubject {
    /// What it is about.
    pub kind: AlertKind,
    /// Whose file.
    pub job: JobId,
    /// The file's path as it is configured, the same every day; or what else is looked at.
    pub file: String,
}

/// Something about a file at Hero that is wrong, though no run of this program failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Which file.
    pub subject: AlertSubject,
    /// The day it is wrong on. It is told once a day.
    pub day: NaiveDate,
    /// What is wrong, in a sentence.
    pub what: String,
    /// Its code, and what to do.
    pub reason: Reason,
}

/// How a job of a run ended, for its completion report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// Which job.
    pub job: JobId,
    /// Its name, as in 'Name' of PowerSchool's form.
    pub name: String,
    /// The run's id.
    pub run: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Its rows.
    pub rows: RowCounts,
    /// Rows held or rejected for the first time.
    pub newly_held: u64,
    /// What it sent or took in: at most [`MOST_NAMED`] in a notice.
    pub files: Vec<FileReceipt>,
    /// What to look at, in sentences: at most [`MOST_NAMED`] in a notice.
    pub notes: Vec<String>,
    /// Notes that are left out.
    pub more_notes: u64,
    /// Why it failed.
    pub reason: Option<Reason>,
}

impl Completion {
    /// Names no more than [`MOST_NAMED`] of each.
    fn bounded(mut self) -> Self {
        let more = self.notes.len().saturating_sub(MOST_NAMED);
        self.more_notes = self.more_notes.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
        self.notes.truncate(MOST_NAMED);
        self.files.truncate(MOST_NAMED);
        self
    }
}

/// Something that happened and that somebody may have to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The Raptor integration's status changed.
    StatusChanged(StatusChange),
    /// An exchange failed, or the large-change guard stopped it.
    Failed(Failure),
    /// An exchange did its work; `None`: a run got as far as its exchanges.
    Succeeded(Option<JobId>),
    /// A school year or term is new. Told each time: that it happens once is for whoever notices it.
    SchoolYear(SchoolYearNews),
    /// Rows were held or rejected for the first time.
    RowsHeld {
        /// By which exchange.
        job: JobId,
        /// How many.
        rows: u64,
    },
    /// Scheduled runs did not take place when they were due.
    RunsMissed {
        /// Of which exchange.
        job: JobId,
        /// How many.
        times: u64,
        /// When the latest of them was due.
        latest: DateTime<Utc>,
    },
    /// A run was found cut off.
    RunInterrupted(InterruptedRun),
    /// The ledger was damaged, and a backup has taken its place.
    LedgerRestored {
        /// When that backup was made.
        backup_made_at: DateTime<Utc>,
    },
    /// The nightly backup of the ledger could not be made.
    BackupFailed(Reason),
    /// A file at Hero is not as it should be.
    Alerted(Alert),
    /// A file at Hero is as it should be.
    InOrder(AlertSubject),
    /// A job ended whose completion report somebody asked for.
    Completed(Completion),
}

/// How often something happened again, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// How often.
    pub times: u64,
    /// Since it was told last.
    pub since: DateTime<Utc>,
}

/// Scheduled runs of one exchange that did not take place when they were due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissedRuns {
    /// How many.
    pub times: u64,
    /// When the latest of them was due.
    pub latest: DateTime<Utc>,
}

/// What somebody is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// The Raptor integration's status changed. Goes out alone, never together with another notice.
    StatusChanged(StatusChange),
    /// An exchange failed, or was stopped by the large-change guard.
    Failed {
        /// What failed, and why.
        failure: Failure,
        /// Stopped files that are not named.
        more_stopped: u64,
        /// Absent when it is told for the first time.
        again: Option<Again>,
    },
    /// An exchange works again after a failure that was told.
    Recovered {
        /// Which exchange; `None` for runs as a whole.
        job: Option<JobId>,
        /// How often it had failed.
        failures: u64,
        /// When it first failed.
        since: DateTime<Utc>,
    },
    /// A school year or term is new.
    SchoolYear(SchoolYearNews),
    /// What has gathered since the last digest.
    Digest {
        /// Rows held or rejected for the first time, by exchange.
        held: BTreeMap<JobId, u64>,
        /// Runs that did not take place when they were due, by exchange.
        missed: BTreeMap<JobId, MissedRuns>,
    },
    /// Runs were cut off.
    RunsInterrupted {
        /// Which, oldest first: at most [`MOST_NAMED`].
        runs: Vec<InterruptedRun>,
        /// Further ones.
        more: u64,
    },
    /// The ledger was damaged, and a backup has taken its place.
    LedgerRestored {
        /// When that backup was made.
        backup_made_at: DateTime<Utc>,
    },
    /// The nightly backup of the ledger could not be made.
    BackupFailed {
        /// Why.
        reason: Reason,
    },
    /// A file at Hero is not as it should be.
    Alerted(Alert),
    /// It is as it should be again.
    InOrderAgain {
        /// Which file.
        subject: AlertSubject,
        /// Since when it was not.
        since: DateTime<Utc>,
    },
    /// How a job ended. Goes out alone, to those whom the job's settings name.
    Completed(Completion),
}

impl Notice {
    /// Whether it tells a change of the integration's status: those have addressees of their own.
    pub fn is_status_change(&self) -> bool {
        matches!(self, Self::StatusChanged(_))
    }

    /// The job whose completion report it is: that has addressees of its own.
    pub const fn completed_job(&self) -> Option<JobId> {
        match self {
            Self::Completed(completion) => Some(completion.job),
            _ => None,
        }
    }

    /// What it tells, for the log: as it is called where it is kept.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::StatusChanged(_) => "status_changed",
            Self::Failed { .. } => "failed",
            Self::Recovered { .. } => "recovered",
            Self::SchoolYear(_) => "school_year",
            Self::Digest { .. } => "digest",
            Self::RunsInterrupted { .. } => "runs_interrupted",
            Self::LedgerRestored { .. } => "ledger_restored",
            Self::BackupFailed { .. } => "backup_failed",
            Self::Alerted(_) => "alerted",
            Self::InOrderAgain { .. } => "in_order_again",
            Self::Completed(_) => "completed",
        }
    }
}

/// An alert that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ToldAlert {
    subject: AlertSubject,
    /// The day it was told for last.
    day: NaiveDate,
    /// When it was told last.
    told_at: DateTime<Utc>,
    /// Whether it has lasted since: nobody has been told yet that the file is as it should be again.
    lasts: bool,
    /// Since when it lasts.
    since: DateTime<Utc>,
}

/// A failure that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ToldFailure {
    failure: Failure,
    more_stopped: u64,
    /// When it was told last.
    told_at: DateTime<Utc>,
    /// Whether it has lasted since: nobody has been told yet that the exchange works again.
    lasts: bool,
    /// When it first failed, of the failures that last.
    since: DateTime<Utc>,
    /// How often, of the failures that last.
    failures: u64,
    /// How often it has failed since it was told.
    untold: u64,
}

/// What was told before, and what waits for the digest. Bounded, whatever happens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    failures: Vec<ToldFailure>,
    held: BTreeMap<JobId, u64>,
    missed: BTreeMap<JobId, MissedRuns>,
    digest_at: Option<DateTime<Utc>>,
    interrupted: Vec<InterruptedRun>,
    more_interrupted: u64,
    interrupted_at: Option<DateTime<Utc>>,
    alerts: Vec<ToldAlert>,
    /// The jobs whose end was told, with their runs: the latest ones.
    completed: VecDeque<(JobId, String)>,
}

impl Told {
    /// Takes note of what happened, and gives what is to be told at `now`. With nothing new it gives what has become
    /// due since.
    pub fn tell(&mut self, happenings: Vec<Happening>, now: DateTime<Utc>) -> Vec<Notice> {
        self.forgive_the_clock(now);
        let mut notices = Vec::new();
        for happening in happenings {
            match happening {
                Happening::StatusChanged(change) => notices.push(Notice::StatusChanged(change)),
                Happening::Failed(failure) => notices.extend(self.failed(failure, now)),
                Happening::Succeeded(job) => notices.extend(self.succeeded(job)),
                Happening::SchoolYear(news) => notices.push(Notice::SchoolYear(news.bounded())),
                Happening::RowsHeld { job, rows } => {
                    let held = self.held.entry(job).or_default();
                    *held = held.saturating_add(rows);
                }
                Happening::RunsMissed { job, times, latest } => {
                    let missed = self.missed.entry(job).or_insert(MissedRuns { times: 0, latest });
                    missed.times = missed.times.saturating_add(times);
                    missed.latest = missed.latest.max(latest);
                }
                Happening::RunInterrupted(run) if self.interrupted.len() < MOST_NAMED => {
                    self.interrupted.push(run);
                }
                Happening::RunInterrupted(_) => {
                    self.more_interrupted = self.more_interrupted.saturating_add(1);
                }
                Happening::LedgerRestored { backup_made_at } => {
                    notices.push(Notice::LedgerRestored { backup_made_at });
                }
                Happening::BackupFailed(reason) => notices.push(Notice::BackupFailed { reason }),
                Happening::Alerted(alert) => notices.extend(self.alerted(alert, now)),
                Happening::InOrder(subject) => notices.extend(self.in_order(&subject)),
                Happening::Completed(completion) => notices.extend(self.completed(completion)),
            }
        }
        notices.extend(self.repeated(now));
        notices.extend(self.digest(now));
        notices.extend(self.cut_off(now));
        self.forget(now);
        notices
    }

    /// A clock that was put back must not keep anything silent for longer than the rules say.
    fn forgive_the_clock(&mut self, now: DateTime<Utc>) {
        for told in &mut self.failures {
            told.told_at = told.told_at.min(now);
        }
        for told in &mut self.alerts {
            told.told_at = told.told_at.min(now);
        }
        self.digest_at = self.digest_at.map(|at| at.min(now));
        self.interrupted_at = self.interrupted_at.map(|at| at.min(now));
    }

    fn failed(&mut self, mut failure: Failure, now: DateTime<Utc>) -> Option<Notice> {
        let more_stopped =
            u64::try_from(failure.stopped.len().saturating_sub(MOST_NAMED)).unwrap_or(u64::MAX);
        failure.stopped.truncate(MOST_NAMED);
        if let Some(told) = self.failures.iter_mut().find(|told| told.failure.is_same(&failure))
            && (told.lasts || told.untold > 0 || now - told.told_at < REPEAT_AFTER)
        {
            told.failure = failure;
            told.more_stopped = more_stopped;
            if told.failures == 0 {
                told.since = now;
            }
            told.failures = told.failures.saturating_add(1);
            told.untold = told.untold.saturating_add(1);
            return None;
        }
        self.failures.retain(|told| !told.failure.is_same(&failure));
        self.failures.push(ToldFailure {
            failure: failure.clone(),
            more_stopped,
            told_at: now,
            lasts: true,
            since: now,
            failures: 1,
            untold: 0,
        });
        Some(Notice::Failed { failure, more_stopped, again: None })
    }

    fn succeeded(&mut self, job: Option<JobId>) -> Option<Notice> {
        let mut recovered: Option<(u64, DateTime<Utc>)> = None;
        for told in self.failures.iter_mut().filter(|told| told.failure.job == job) {
            if told.lasts {
                let (failures, since) = recovered.unwrap_or((0, told.since));
                recovered = Some((failures.saturating_add(told.failures), since.min(told.since)));
            }
            told.lasts = false;
            told.failures = 0;
            told.untold = 0;
        }
        recovered.map(|(failures, since)| Notice::Recovered { job, failures, since })
    }

    /// A day's first alert of a file is told, whatever is wrong with the file later on the day. That a job is paused is
    /// always news: while it lasts, no run looks again.
    fn alerted(&mut self, alert: Alert, now: DateTime<Utc>) -> Option<Notice> {
        let told = self.alerts.iter().position(|told| told.subject == alert.subject);
        let Some(told) = told.map(|place| &mut self.alerts[place]) else {
            let (subject, day) = (alert.subject.clone(), alert.day);
            self.alerts.push(ToldAlert { subject, day, told_at: now, lasts: true, since: now });
            return Some(Notice::Alerted(alert));
        };
        let is_pause = alert.subject.kind == AlertKind::OtherSender;
        if told.day == alert.day && !is_pause {
            return None;
        }
        if !told.lasts || is_pause {
            told.since = now;
        }
        (told.day, told.told_at, told.lasts) = (alert.day, now, true);
        Some(Notice::Alerted(alert))
    }

    fn in_order(&mut self, subject: &AlertSubject) -> Option<Notice> {
        let told = self.alerts.iter_mut().find(|told| told.subject == *subject && told.lasts)?;
        told.lasts = false;
        Some(Notice::InOrderAgain { subject: subject.clone(), since: told.since })
    }

    /// Told once: whoever finds a run cut off may not know that its end was told.
    fn completed(&mut self, completion: Completion) -> Option<Notice> {
        let of_run = (completion.job, completion.run.clone());
        if self.completed.contains(&of_run) {
            return None;
        }
        self.completed.push_back(of_run);
        if self.completed.len() > MOST_REMEMBERED {
            self.completed.pop_front();
        }
        Some(Notice::Completed(completion.bounded()))
    }

    /// Failures that went on and may be told again.
    fn repeated(&mut self, now: DateTime<Utc>) -> Vec<Notice> {
        let due = |told: &&mut ToldFailure| told.untold > 0 && now - told.told_at >= REPEAT_AFTER;
        self.failures
            .iter_mut()
            .filter(due)
            .map(|told| {
                let again = Again { times: told.untold, since: told.told_at };
                told.told_at = now;
                told.lasts = true;
                told.untold = 0;
                Notice::Failed {
                    failure: told.failure.clone(),
                    more_stopped: told.more_stopped,
                    again: Some(again),
                }
            })
            .collect()
    }

    fn digest(&mut self, now: DateTime<Utc>) -> Option<Notice> {
        let gathered = !self.held.is_empty() || !self.missed.is_empty();
        if !gathered || self.digest_at.is_some_and(|at| now - at < DIGEST_EVERY) {
            return None;
        }
        self.digest_at = Some(now);
        Some(Notice::Digest {
            held: std::mem::take(&mut self.held),
            missed: std::mem::take(&mut self.missed),
        })
    }

    /// Runs that were cut off: the first is told at once, those after it are gathered.
    fn cut_off(&mut self, now: DateTime<Utc>) -> Option<Notice> {
        if self.interrupted.is_empty() || self.interrupted_at.is_some_and(|at| now - at < DIGEST_EVERY) {
            return None;
        }
        self.interrupted_at = Some(now);
        Some(Notice::RunsInterrupted {
            runs: std::mem::take(&mut self.interrupted),
            more: std::mem::take(&mut self.more_interrupted),
        })
    }

    /// Forgets what no longer keeps anything from being told; then, if need be, what was told longest ago.
    fn forget(&mut self, now: DateTime<Utc>) {
        self.failures.retain(|told| told.lasts || told.untold > 0 || now - told.told_at < REPEAT_AFTER);
        if self.failures.len() > MOST_REMEMBERED {
            self.failures.sort_by_key(|told| told.told_at);
            self.failures.drain(..self.failures.len() - MOST_REMEMBERED);
        }
        self.alerts.retain(|told| told.lasts || now - told.told_at < ALERT_REMEMBERED);
        if self.alerts.len() > MOST_REMEMBERED {
            self.alerts.sort_by_key(|told| told.told_at);
            self.alerts.drain(..self.alerts.len() - MOST_REMEMBERED);
        }
    }
}
