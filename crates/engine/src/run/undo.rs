//! Taking a run back, as a run of its own.

use std::collections::BTreeSet;

use rosterbridge_domain::{
    attendance::Source,
    job::{AccountId, Job, JobId},
};
use rosterbridge_store::ledger::RunId;

use super::{Run, attendance::Needed, outcome::Done};
use crate::{error::EngineError, hero, raptor, report::Phase};

impl Run<'_> {
    /// The accounts at Hero whose records a run wrote; none of another source's.
    async fn accounts_of(
        &self,
        job: JobId,
        source: Source,
        run: RunId,
    ) -> Result<BTreeSet<AccountId>, EngineError> {
        if source != Source::Hero {
            return Ok(BTreeSet::new());
        }
        let written = self.engine.ledger(move |ledger| ledger.written_by(run)).await?;
        let of_source = written.iter().filter(|write| write.row.source == source);
        let account = |school| self.setup.hero.account_of(school).map_or(job.account(), |account| account.id);
        Ok(of_source.map(|write| account(write.row.write.key.school)).collect())
    }

    /// Takes back what another run wrote for a job.
    #[tracing::instrument(skip_all, fields(job = %job, undone = %undone))]
    pub(super) async fn undo(
        &mut self,
        job: JobId,
        undone: RunId,
        done: &mut Done,
    ) -> Result<(), EngineError> {
        if self.cancel.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        if let Some(error) = self.refused.get(&job.kind()) {
            return Err(error.clone().into());
        }
        let source = if job.kind() == Job::HeroAttendance { hero::SOURCE } else { raptor::SOURCE };
        // What is under way is brought to its end first; its rows are not this run's.
        let mut earlier = Done::default();
        let accounts = self.accounts_of(job, source, undone).await?;
        self.read_again(job, Needed::Accounts(accounts), done).await?;
        self.settle(job, &mut earlier).await?;
        done.newly_held = earlier.newly_held;
        let client = &self.server.client;
        let planning = self.engine.plan_undo(client, self.roster()?, undone, source);
        let plan = self.cancel.run_until_cancelled(planning).await.ok_or(EngineError::Cancelled)??;
        let total = plan.undos.len() as u64;
        done.rows.read = total + plan.left.len() as u64;
        done.left = plan.left;
        if self.dry {
            done.rows.written = total;
        } else {
            self.engine.record_undo(self.id, plan.undos).await?;
            self.progress(job, Phase::Attendance, "attendance", 0, Some(total));
            let delivered = self.deliver(job, source, Some(self.id), Some(total), done).await?;
            done.left.extend(self.engine.left_by_undo(self.id, source).await?);
            if delivered.unclear > 0 {
                done.fail(&EngineError::AnswersUnclear(delivered.unclear));
            }
        }
        done.rows.noop = done.left.len() as u64;
        done.notes.push(format!("This takes back what run {undone} wrote."));
        Ok(())
    }
}
