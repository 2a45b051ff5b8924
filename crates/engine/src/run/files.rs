//! A run's files out: the three exports to Hero, the buildings' rosters for Raptor.

use chrono::Utc;
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{
    integration::{IntegrationEvent, IntegrationStatus},
    job::{FileReceipt, Job, RowCounts},
    notice::Reason,
};

use super::{Run, outcome::Done};
use crate::{
    error::EngineError,
    exports, hero,
    notices::{announce, reason},
    report::{FileSample, Phase, PlanView},
    unchanged::{self, MadeBefore, Sending},
};

/// Files a dry run shows rows of.
const SAMPLE_FILES: usize = 10;

impl Run<'_> {
    /// What a job's files come to, if they are made from the same as the last ones. A dry run looks at the rows themselves.
    async fn made_before(&self, job: Job) -> Result<Option<MadeBefore>, EngineError> {
        if self.dry {
            return Ok(None);
        }
        let from = unchanged::made_from(job, self.roster()?, &self.setup);
        self.engine.made_before(job, from.as_deref()).await
    }

    fn compose(&self, job: Job) -> Result<hero::Composing, EngineError> {
        Ok(hero::Composing::start(job, &self.setup, self.roster()?, &self.cancel))
    }

    /// What sending files takes of this run, now.
    fn sending(&self) -> Result<Sending<'_>, EngineError> {
        Ok(Sending {
            setup: &self.setup,
            roster: self.roster()?,
            run: self.id,
            now: Utc::now(),
            zone: self.server.zone,
            cancel: &self.cancel,
        })
    }

    pub(super) async fn export(&mut self, job: Job, done: &mut Done) -> Result<(), EngineError> {
        self.progress(job, Phase::Plan, "rows", 0, None);
        let plan = match (self.ahead.take(), self.made_before(job).await?) {
            (_, Some(made)) => self.engine.plan_made_export(job, made, &self.years).await?,
            (Some(ahead), None) if ahead.job == job => self.engine.plan_export(ahead, &self.years).await?,
            (_, None) => self.engine.plan_export(self.compose(job)?, &self.years).await?,
        };
        let next = self.jobs.iter().copied().find(|next| *next > job && exports::file_name(*next).is_some());
        if let Some(next) = next
            && self.made_before(next).await?.is_none()
        {
            self.ahead = Some(self.compose(next)?);
        }
        let rows = plan.receipt.rows;
        done.rows = RowCounts { read: rows, written: rows, ..RowCounts::default() };
        done.notes.clone_from(&plan.notes);
        if !self.dry {
            let name = plan.receipt.name.clone();
            self.progress(job, Phase::Upload, &name, 0, Some(rows));
            let session = self.hero(job).await?;
            let sent_before = self.engine.apply_export(&plan, self.sending()?, &session).await?;
            if let Some(sent_at) = sent_before {
                done.rows = RowCounts { read: rows, noop: rows, ..RowCounts::default() };
                done.notes.push(unchanged::note(sent_at));
            }
            self.engine.keep_pre_registered(&self.years, std::slice::from_ref(&plan.receipt)).await?;
            self.progress(job, Phase::Upload, &name, rows, Some(rows));
        }
        done.plan = Some(self.plan_view(job, std::slice::from_ref(&plan.receipt), vec![plan.sample]));
        done.files.push(plan.receipt);
        Ok(())
    }

    pub(super) async fn raptor_roster(&self, done: &mut Done) -> Result<(), EngineError> {
        self.progress(Job::RaptorRoster, Phase::Plan, "buildings", 0, None);
        let (setup, years, cancel) = (&self.setup, &self.years, &self.cancel);
        let plan = match self.made_before(Job::RaptorRoster).await? {
            Some(made) => self.engine.plan_made_rosters(setup, made, years, cancel).await?,
            None => self.engine.plan_rosters(setup, self.roster()?, years, cancel).await?,
        };
        let rows = plan.files.iter().map(|file| file.rows).sum();
        done.rows = RowCounts { read: rows, written: rows, ..RowCounts::default() };
        if !self.dry {
            let sent_before = self.engine.apply_rosters(&plan, self.sending()?).await?;
            if let Some(sent_at) = sent_before {
                done.rows = RowCounts { read: rows, noop: rows, ..RowCounts::default() };
                done.notes.push(unchanged::note(sent_at));
            }
            self.engine.keep_pre_registered(&self.years, &plan.files).await?;
        }
        done.plan = Some(self.plan_view(Job::RaptorRoster, &plan.files, plan.samples));
        done.files = plan.files;
        Ok(())
    }

    /// The plan to send files. Rows are shown where somebody asked for them: what real runs answer ends up in the log
    /// files of whatever started them.
    fn plan_view(&self, job: Job, files: &[FileReceipt], mut samples: Vec<FileSample>) -> PlanView {
        samples.truncate(if self.dry { SAMPLE_FILES } else { 0 });
        PlanView::of_files(job, files, samples)
    }

    /// Moves the Raptor integration's status with the outcome of a full synchronisation. A run a person asked for
    /// counts as the window being open.
    pub(super) async fn follow_raptor(&self, failed: Option<&EngineError>) -> Result<(), EngineError> {
        if self.engine.raptor_status().await? == IntegrationStatus::PendingInitialization {
            self.move_raptor(IntegrationEvent::WindowOpened, None).await?;
        }
        pass(CrashPoint::StatusUnmoved);
        match failed {
            None => self.move_raptor(IntegrationEvent::SyncSucceeded, None).await,
            Some(error) => self.move_raptor(IntegrationEvent::SyncFailed, Some(reason(error))).await,
        }
    }

    async fn move_raptor(&self, event: IntegrationEvent, reason: Option<Reason>) -> Result<(), EngineError> {
        let notices = self.engine.raptor_event(event, reason, Some(&self.id.to_string())).await?;
        self.engine.wake_sending();
        announce(&notices, &self.on_event);
        Ok(())
    }
}
