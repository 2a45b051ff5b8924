//! The state of a profile and its history.

use chrono::Utc;
use rosterbridge_domain::job::JobId;
use rosterbridge_powerschool::ServerUrl;
use rosterbridge_store::ledger::{Cause as StoredCause, JobRun, Run, Trigger};

use crate::{
    engine::Engine,
    error::EngineError,
    metrics::phases,
    report::{Cause, JobReport, JobView, RunView, StatusView},
};

impl From<StoredCause> for Cause {
    fn from(cause: StoredCause) -> Self {
        Self { code: cause.code, message: cause.message, remedy: cause.remedy }
    }
}

impl From<Cause> for StoredCause {
    fn from(cause: Cause) -> Self {
        Self { code: cause.code, message: cause.message, remedy: cause.remedy }
    }
}

impl From<JobRun> for JobReport {
    fn from(run: JobRun) -> Self {
        Self {
            job: run.job,
            outcome: run.result.outcome,
            rows: run.result.rows,
            newly_held: run.result.newly_held,
            files: run.result.files,
            cause: run.result.cause.map(Cause::from),
            notes: run.result.notes,
            plan: None,
        }
    }
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        Self {
            run: run.id.to_string(),
            started_at: run.started_at,
            finished_at: run.finished_at,
            dry_run: run.trigger == Trigger::DryRun,
            undo: run.trigger == Trigger::Undo,
            scheduled: run.trigger == Trigger::Schedule,
            outcome: run.outcome,
            seconds: phases(&run),
            jobs: run.jobs.into_iter().map(JobReport::from).collect(),
            cause: run.cause.map(Cause::from),
        }
    }
}

impl Engine {
    /// The state of the profile.
    pub async fn status(&self) -> Result<StatusView, EngineError> {
        let setup = self.setup().await?;
        let roster = self.roster().await?;
        let roster_pulled_at = match &roster {
            Some(roster) => Some(self.roster_as_of(roster).await?),
            None => None,
        };
        let possible = setup.possible_jobs();
        let last_runs = self
            .ledger(move |ledger| {
                possible
                    .into_iter()
                    .map(|job| Ok((job, ledger.last_job_run(job)?)))
                    .collect::<Result<Vec<_>, _>>()
            })
            .await?;
        let now = Utc::now();
        let other_sender = self.other_senders(&setup).await?;
        let paused_since =
            |job| other_sender.iter().find(|paused| paused.job == job).map(|paused| paused.since);
        let next = self.next_runs(now).await?;
        let jobs = last_runs
            .into_iter()
            .map(|(job, last)| JobView {
                job,
                enabled: setup.job_enabled(job),
                owner: setup.owner(job),
                last_at: last.as_ref().and_then(|run| run.finished_at),
                last: last.map(JobReport::from),
                schedule: setup
                    .jobs
                    .iter()
                    // The roster follows its window, whatever an older set-up says.
                    .find(|settings| settings.job == job && job != JobId::RAPTOR_ROSTER)
                    .and_then(|found| found.schedule),
                next_at: next.get(&job).copied(),
                paused_since: paused_since(job),
            })
            .collect();
        let pause = self.pause().await?;
        Ok(StatusView {
            profile: self.folder.name().to_owned(),
            practice: self.is_practice().await?,
            server: ServerUrl::parse(&setup.powerschool.url)
                .map_or_else(|_| String::new(), |url| url.host().to_owned()),
            paused: pause.is_paused(now),
            pause,
            running: self.visible_run(),
            raptor_status: self.raptor_status().await?,
            raptor: self.raptor_view(&setup, next.get(&JobId::RAPTOR_ROSTER).copied(), now).await?,
            today: roster.as_ref().map(|roster| roster.meta().today),
            jobs,
            held: self.ledger(rosterbridge_store::Ledger::held_count).await?,
            students: roster.as_ref().map_or(0, |roster| roster.counts().active_students),
            roster_pulled_at,
            mail: self.mail_problem().await?,
            school_year: self.school_year(&setup, roster.as_ref(), now).await?,
            watch: self.watch_views(&setup).await?,
            other_sender,
        })
    }

    /// The latest runs, newest first.
    pub async fn runs(&self, limit: u32) -> Result<Vec<RunView>, EngineError> {
        Ok(self.ledger(move |ledger| ledger.runs(limit)).await?.into_iter().map(RunView::from).collect())
    }
}
