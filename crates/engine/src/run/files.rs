//! A run's files out: the three exports to Hero, the buildings' rosters for Raptor.

use chrono::Utc;
use rosterbridge_domain::{
    job::{FileReceipt, JobId, RowCounts},
    settings::ExportKind,
};

use super::{Run, outcome::Done};
use crate::{
    error::EngineError,
    hero,
    report::{FileSample, Phase, PlanView},
    unchanged::{self, MadeBefore, Sending},
};

/// Files a dry run shows rows of.
const SAMPLE_FILES: usize = 10;

impl Run<'_> {
    /// What a job's files come to, if they are made from the same as the last ones. A dry run looks at the rows themselves.
    async fn made_before(&self, job: JobId) -> Result<Option<MadeBefore>, EngineError> {
        if self.dry {
            return Ok(None);
        }
        let from = unchanged::made_from(job, self.roster()?, &self.setup, None);
        self.engine.made_before(job, from.as_deref()).await
    }

    fn compose(&self, job: JobId) -> Result<hero::Composing, EngineError> {
        hero::Composing::start(job, &self.setup, self.roster()?, &self.cancel)
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

    pub(super) async fn export(&mut self, job: JobId, done: &mut Done) -> Result<(), EngineError> {
        self.progress(job, Phase::Plan, "rows", 0, None);
        let plan = match (self.ahead.take(), self.made_before(job).await?) {
            (_, Some(made)) => {
                let (setup, roster) = (&self.setup, self.roster()?);
                self.engine.plan_made_export(job, setup, roster, made, &self.years).await?
            }
            (Some(ahead), None) if ahead.job == job => self.engine.plan_export(ahead, &self.years).await?,
            (_, None) => self.engine.plan_export(self.compose(job)?, &self.years).await?,
        };
        let next =
            self.jobs.iter().copied().find(|next| *next > job && ExportKind::of(next.kind()).is_some());
        if let Some(next) = next
            && self.made_before(next).await?.is_none()
        {
            // What is wrong with that one is its own job's to say.
            self.ahead = self.compose(next).ok();
        }
        let rows = plan.receipt.rows;
        // What is to be sent counts once it is.
        let written = if self.dry { rows } else { 0 };
        done.rows = RowCounts { read: rows, written, ..RowCounts::default() };
        done.notes.clone_from(&plan.notes);
        let (receipt, sent) = (plan.receipt.clone(), plan.sent());
        let view = self.plan_view(job, std::slice::from_ref(&receipt), vec![plan.sample.clone()]);
        if !self.dry {
            self.progress(job, Phase::Upload, &sent.name, 0, Some(rows));
            let session = if plan.leaves() { Some(self.hero(job).await?) } else { None };
            let sent_before = self.engine.apply_export(plan, self.sending()?, session.as_deref()).await?;
            done.rows.written = rows;
            if let Some(sent_at) = sent_before {
                done.rows = RowCounts { read: rows, noop: rows, ..RowCounts::default() };
                done.notes.push(unchanged::note(sent_at));
            }
            self.engine.keep_pre_registered(&self.years, job, &[receipt.name.as_str()]).await?;
            self.progress(job, Phase::Upload, &sent.name, rows, Some(rows));
        }
        done.plan = Some(view);
        done.files.push(sent);
        Ok(())
    }

    pub(super) async fn raptor_roster(&self, done: &mut Done) -> Result<(), EngineError> {
        self.progress(JobId::RAPTOR_ROSTER, Phase::Plan, "buildings", 0, None);
        let (setup, years, cancel) = (&self.setup, &self.years, &self.cancel);
        let made = if self.dry {
            // A dry run looks at the rows themselves, and leaves everything as it is.
            None
        } else {
            done.notes.extend(self.engine.finish_left_rosters(setup, self.id, cancel).await?);
            self.engine.made_rosters(setup, self.roster()?, cancel).await?
        };
        let plan = match made {
            Some(made) => made,
            None => self.engine.plan_rosters(setup, self.roster()?, years, cancel).await?,
        };
        done.rows = plan.rows();
        done.notes.extend_from_slice(&plan.notes);
        let receipts = plan.receipts();
        done.plan = Some(self.plan_view(JobId::RAPTOR_ROSTER, &receipts, plan.samples()));
        if self.dry {
            done.files = receipts;
            return Ok(());
        }
        let sent = self.engine.apply_rosters(&plan, self.sending()?).await?;
        if let Some(sent_at) = sent.sent_before {
            let read = done.rows.read;
            done.rows = RowCounts { read, noop: read, ..RowCounts::default() };
            done.notes.push(unchanged::note(sent_at));
        }
        // Of every building: who was sent is sent, whether or not they changed this time.
        self.engine.keep_pre_registered(&self.years, JobId::RAPTOR_ROSTER, &plan.names()).await?;
        done.notes.extend(sent.notes);
        done.files = sent.files;
        Ok(())
    }

    /// The plan to send files. Rows are shown where somebody asked for them: what real runs answer ends up in the log
    /// files of whatever started them.
    fn plan_view(&self, job: JobId, files: &[FileReceipt], mut samples: Vec<FileSample>) -> PlanView {
        samples.truncate(if self.dry { SAMPLE_FILES } else { 0 });
        PlanView::of_files(job, files, samples)
    }
}
