//! Telling people what happened: which mails wait, how they get to the mail server, and what the desktop shows.
//!
//! What is to be told is kept in the ledger before anything is sent, so that neither a crash nor a mail server that is
//! away loses it. While the ledger takes nothing, the desktop is told all the same, and the mail is kept in mind. Everybody
//! gets a mail of their own. One may go out twice when the program ends while the server takes it; both have the same id.

mod completion;
mod html;
mod letter;
mod post;
mod sending;
mod text;
mod unkept;

use std::{
    collections::BTreeSet,
    mem,
    sync::{
        Mutex as StdMutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::{DateTime, Utc};
use rosterbridge_domain::{
    job::{JobId, Outcome},
    notice::{Failure, Happening, InterruptedRun, Notice, Reason, StoppedFile},
    settings::Setup,
};
use rosterbridge_store::ledger::{StatusChange, Together, Trigger};
use tokio::sync::{Mutex, Notify};

use crate::{
    engine::Engine,
    error::EngineError,
    notices::{
        post::{MOST_WAITING, POST, Post},
        unkept::Unkept,
    },
    report::{Event, JobReport, NoticePlace, SyncReport},
    run::OnEvent,
};

pub(crate) use {completion::record_name, letter::RESTORED};

/// The ledger's value that holds which of the latest runs were told to have been cut off.
const CUT_OFF: &str = "notices.cut_off";
/// The most runs that are looked at for it. Ids are made from the clock, which may have been ahead for a while: so it is
/// the interrupted ones that are looked at, and not the latest of all.
const LATEST_RUNS: u32 = 10;

/// What an engine has for its notices beside the ledger.
#[derive(Debug, Default)]
pub(crate) struct NoticeDesk {
    /// Held while [`Post`] changes.
    noting: Mutex<()>,
    /// Held while mail is sent.
    sending: Mutex<()>,
    /// Whether something waits that nobody has tried to send since the last happening.
    fresh: AtomicBool,
    /// Wakes whoever sends.
    wake: Notify,
    /// What became known beside a run and the desktop is still to show: at most [`MOST_WAITING`].
    unseen: StdMutex<Vec<Notice>>,
    /// What the ledger did not take.
    unkept: StdMutex<Unkept>,
}

/// What the ledger keeps at once with what is to be told: all of it, or nothing.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Values of the ledger by their names.
    pub(crate) values: Vec<(&'static str, String)>,
    /// What is configured from now on.
    pub(crate) setup: Option<Setup>,
    /// What happened to the Raptor integration.
    pub(crate) status_change: Option<StatusChange>,
}

impl NoticeDesk {
    /// Keeps notices for the desktop until somebody shows what happens beside a run.
    fn keep_unseen(&self, notices: Vec<Notice>) {
        let mut unseen = self.unseen.lock().unwrap_or_else(PoisonError::into_inner);
        unseen.extend(notices);
        unseen.truncate(MOST_WAITING);
    }

    fn unkept(&self) -> MutexGuard<'_, Unkept> {
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why something failed, as it is told.
pub(crate) fn reason(error: &EngineError) -> Reason {
    Reason { code: error.code().to_owned(), remedy: error.remedy() }
}

/// Hands on what the desktop is to show: everything but held rows, which wait where a person looks anyway, and completion
/// reports, which are asked for by mail.
pub(crate) fn announce(notices: &[Notice], on_event: &OnEvent) {
    let shown = |notice: &&Notice| match notice {
        Notice::Digest { missed, .. } => !missed.is_empty(),
        Notice::Completed(_) => false,
        _ => true,
    };
    for notice in notices.iter().filter(shown) {
        let (title, body) = (letter::title(notice), letter::in_short(notice));
        on_event(Event::Notice { title, body, place: place(notice) });
    }
}

/// Where a person sees to what is told.
const fn place(notice: &Notice) -> NoticePlace {
    match notice {
        Notice::Digest { .. } | Notice::RunsInterrupted { .. } | Notice::Completed(_) => {
            NoticePlace::Activity
        }
        Notice::LedgerRestored { .. } | Notice::BackupFailed { .. } => NoticePlace::Backups,
        Notice::StatusChanged(_)
        | Notice::Failed { .. }
        | Notice::Recovered { .. }
        | Notice::SchoolYear(_)
        | Notice::Alerted(_)
        | Notice::InOrderAgain { .. } => NoticePlace::Home,
    }
}

impl Engine {
    /// Takes note of what happened, in the run `run` if it was in one, and gives what is to be told of it now. It is kept
    /// at once with another of the ledger's values, if one is given; mail is sent later.
    pub(crate) async fn note(
        &self,
        happenings: Vec<Happening>,
        now: DateTime<Utc>,
        with: Option<(&'static str, String)>,
        run: Option<&str>,
    ) -> Result<Vec<Notice>, EngineError> {
        let kept = Kept { values: with.into_iter().collect(), ..Kept::default() };
        self.note_with(happenings, now, kept, run).await
    }

    /// As [`Engine::note`], with all that is to be kept at once.
    pub(crate) async fn note_with(
        &self,
        happenings: Vec<Happening>,
        now: DateTime<Utc>,
        kept: Kept,
        run: Option<&str>,
    ) -> Result<Vec<Notice>, EngineError> {
        let _noting = self.notices.noting.lock().await;
        let unkept = self.notices.unkept().happened.clone();
        let happened = !happenings.is_empty() || !unkept.is_empty();
        let run = run.map(str::to_owned);
        let (notices, told, waits) = self
            .ledger(move |ledger| {
                let mut post = Post::read(ledger)?;
                let before = post.text();
                let setup = match &kept.setup {
                    Some(setup) => setup.clone(),
                    None => ledger.setup()?.unwrap_or_default(),
                };
                let mut notices = Vec::new();
                if !unkept.is_empty() {
                    notices = post.told.tell(Vec::new(), now);
                    post.take(&notices, &setup, now, None);
                    // The desktop has shown these.
                    for past in &unkept {
                        let late = post.told.tell(vec![past.happening.clone()], now);
                        post.take(&late, &setup, past.at, past.run.as_deref());
                    }
                }
                let fresh = post.told.tell(happenings, now);
                post.take(&fresh, &setup, now, run.as_deref());
                notices.extend(fresh);
                let after = post.text();
                let mut values: Vec<(&str, &str)> =
                    kept.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
                if after != before {
                    values.push((POST, after.as_str()));
                }
                if !values.is_empty() || kept.setup.is_some() || kept.status_change.is_some() {
                    ledger.keep_together(Together {
                        values: &values,
                        setup: kept.setup.as_ref(),
                        status_change: kept.status_change.as_ref(),
                    })?;
                }
                Ok((notices, post.told, !post.waiting.is_empty()))
            })
            .await?;
        *self.notices.unkept() = Unkept::after(told);
        // What the mail server did not take before is tried again after each run.
        if happened && waits {
            self.notices.fresh.store(true, Ordering::Release);
        }
        Ok(notices)
    }

    /// As [`Engine::note`], also when the ledger takes nothing, on a full disk say: then it is kept in mind until the
    /// ledger takes it.
    pub(crate) async fn note_all_the_same(
        &self,
        happenings: Vec<Happening>,
        now: DateTime<Utc>,
        run: Option<&str>,
    ) -> Vec<Notice> {
        match self.note(happenings.clone(), now, None, run).await {
            Ok(notices) => notices,
            Err(error) => {
                tracing::warn!(code = error.code(), run, "what is to be told can't be kept yet");
                let _noting = self.notices.noting.lock().await;
                self.notices.unkept().tell(happenings, now, run)
            }
        }
    }

    /// Calls to mind what was told before, so that it is not told again should the ledger take nothing.
    pub(crate) async fn recall_what_was_told(&self) -> Result<(), EngineError> {
        let post = self.ledger(Post::read).await?;
        *self.notices.unkept() = Unkept::after(post.told);
        Ok(())
    }

    /// Takes note of how a run ended, also when the ledger takes nothing. With `setup` the completion reports it asks for
    /// are told as well. Of the jobs in `paused`, which another sender had paused before, nothing is told: it was, when
    /// they were paused.
    pub(crate) async fn note_run(
        &self,
        setup: Option<&Setup>,
        report: &SyncReport,
        paused: &BTreeSet<JobId>,
        now: DateTime<Utc>,
    ) -> Vec<Notice> {
        let jobs: Vec<JobReport> =
            report.jobs.iter().filter(|job| !paused.contains(&job.job)).cloned().collect();
        if jobs.is_empty() && report.cause.is_none() {
            return Vec::new();
        }
        let of_jobs = |setup| completion::reports(setup, &report.run, &jobs, report.cause.as_ref());
        let mut happenings = setup.map(of_jobs).unwrap_or_default();
        match (&report.cause, report.outcome) {
            (_, Outcome::Cancelled) => {}
            (None, _) => happenings.push(Happening::Succeeded(None)),
            (Some(cause), _) => {
                let reason = Reason { code: cause.code.clone(), remedy: cause.remedy.clone() };
                happenings.push(Happening::Failed(Failure { job: None, reason, stopped: Vec::new() }));
            }
        }
        for job in &jobs {
            match (job.outcome, &job.cause) {
                // Told as an alert, at once with the pause.
                (Outcome::Failed, Some(cause)) if cause.code == EngineError::OTHER_SENDER => {}
                (Outcome::Failed, Some(cause)) => {
                    let reason = Reason { code: cause.code.clone(), remedy: cause.remedy.clone() };
                    let stopped = self.stopped_files(job).await.unwrap_or_else(|error| {
                        tracing::warn!(code = error.code(), "which files were stopped can't be told");
                        Vec::new()
                    });
                    happenings.push(Happening::Failed(Failure { job: Some(job.job), reason, stopped }));
                }
                (Outcome::Succeeded | Outcome::SucceededWithHeldRows, _) => {
                    happenings.push(Happening::Succeeded(Some(job.job)));
                }
                _ => {}
            }
            if job.newly_held > 0 {
                happenings.push(Happening::RowsHeld { job: job.job, rows: job.newly_held });
            }
        }
        self.note_all_the_same(happenings, now, Some(&report.run)).await
    }

    /// The files the large-change guard stopped, if it is what made a job fail.
    async fn stopped_files(&self, job: &JobReport) -> Result<Vec<StoppedFile>, EngineError> {
        if job.cause.as_ref().is_none_or(|cause| cause.code != EngineError::LARGE_CHANGE) {
            return Ok(Vec::new());
        }
        let stopped = self.guarded().await?.into_iter().filter(|file| file.job == job.job);
        Ok(stopped
            .map(|file| StoppedFile { id: file.id, name: file.name, before: file.before, now: file.now })
            .collect())
    }

    /// As [`Engine::note`], for what happens beside a run: the desktop shows it when it is next asked to.
    pub(crate) async fn note_beside(
        &self,
        happenings: Vec<Happening>,
        now: DateTime<Utc>,
        with: Option<(&'static str, String)>,
    ) -> Result<(), EngineError> {
        let kept = Kept { values: with.into_iter().collect(), ..Kept::default() };
        self.note_beside_with(happenings, now, kept).await
    }

    /// As [`Engine::note_beside`], with all that is to be kept at once.
    pub(crate) async fn note_beside_with(
        &self,
        happenings: Vec<Happening>,
        now: DateTime<Utc>,
        kept: Kept,
    ) -> Result<(), EngineError> {
        self.notices.keep_unseen(self.note_with(happenings, now, kept, None).await?);
        Ok(())
    }

    /// As [`Engine::note_all_the_same`], for what happens beside a run.
    pub(crate) async fn note_beside_all_the_same(&self, happenings: Vec<Happening>, now: DateTime<Utc>) {
        self.notices.keep_unseen(self.note_all_the_same(happenings, now, None).await);
    }

    /// Tells of runs that were found cut off, of each once. A dry run has left nothing that could matter.
    pub(crate) async fn tell_runs_cut_off(&self, now: DateTime<Utc>) -> Result<(), EngineError> {
        let known = self.ledger(|ledger| ledger.value(CUT_OFF)).await?.unwrap_or_default();
        let (runs, latest) = self
            .ledger(|ledger| Ok((ledger.interrupted_runs(LATEST_RUNS)?, ledger.runs(LATEST_RUNS)?)))
            .await?;
        let named: Option<Vec<String>> = serde_json::from_str(&known).ok();
        let is_told = |id: &String| match &named {
            Some(told) => told.contains(id),
            // Earlier versions kept the latest one.
            None => *id <= known || !latest.iter().any(|run| run.id.to_string() == *id),
        };
        let setup = self.setup().await?;
        let (mut cut_off, mut reports, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for run in runs.into_iter().rev() {
            if run.outcome != Outcome::Interrupted || run.trigger == Trigger::DryRun {
                continue;
            }
            let id = run.id.to_string();
            told.push(id.clone());
            if is_told(&id) {
                continue;
            }
            tracing::warn!(run = id, trigger = run.trigger.as_str(), "the run was cut off");
            let (started_at, undo) = (run.started_at, run.trigger == Trigger::Undo);
            if !undo {
                let jobs: Vec<JobReport> = run.jobs.into_iter().map(JobReport::from).collect();
                reports.extend(completion::reports(&setup, &id, &jobs, None));
            }
            cut_off.push(InterruptedRun { run: id, started_at, undo });
        }
        if cut_off.is_empty() {
            return Ok(());
        }
        let told = serde_json::to_string(&told).unwrap_or_default();
        let happenings = cut_off.into_iter().map(Happening::RunInterrupted).chain(reports).collect();
        self.note_beside(happenings, now, Some((CUT_OFF, told))).await
    }

    /// Hands on what happened beside a run and was not shown yet.
    pub(crate) fn announce_unseen(&self, on_event: &OnEvent) {
        let unseen = mem::take(&mut *self.notices.unseen.lock().unwrap_or_else(PoisonError::into_inner));
        announce(&unseen, on_event);
    }

    /// Has what was noted sent soon.
    pub(crate) fn wake_sending(&self) {
        if self.notices.fresh.load(Ordering::Acquire) {
            self.notices.wake.notify_one();
        }
    }
}
