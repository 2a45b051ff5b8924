//! What goes with an account at Hero that is removed.

use rosterbridge_domain::{
    dated_path::DatedPath,
    job::{Job, JobId},
    settings::{ExportKind, HeroAccount, Setup},
};

use super::missed;
use crate::{engine::Engine, error::EngineError};

impl Engine {
    /// Forgets what is known of the files of accounts that are not in the set-up any more: the rows that had to be looked
    /// at, which name students, and the files seen on the server, unless another account has them.
    pub(crate) async fn forget_gone_accounts(&self, before: &Setup, now: &Setup) -> Result<(), EngineError> {
        for gone in before.hero.accounts.iter().filter(|account| now.hero.account(account.id).is_none()) {
            let jobs: Vec<JobId> = ExportKind::ALL.map(|kind| JobId::new(kind.job(), gone.id)).into();
            let connection = gone.connection.to_string();
            let of_others: Vec<DatedPath> = now
                .hero
                .accounts
                .iter()
                .filter(|account| account.connection == gone.connection)
                .flat_map(paths)
                .collect();
            let of_it = paths(gone);
            let read_whole = missed::key(JobId::new(Job::HeroAttendance, gone.id));
            self.ledger(move |ledger| {
                for job in jobs {
                    ledger.keep_export_problems(job, &[])?;
                }
                let seen = ledger.watched_files(&connection)?.into_iter().map(|file| file.path);
                let is = |paths: &[DatedPath], seen: &str| paths.iter().any(|path| path.gives(seen));
                let goes = seen.filter(|seen| is(&of_it, seen) && !is(&of_others, seen));
                ledger.forget_watched_files(&connection, &goes.collect::<Vec<_>>())?;
                if ledger.value(&read_whole)?.is_some() { ledger.set_value(&read_whole, "") } else { Ok(()) }
            })
            .await?;
        }
        Ok(())
    }
}

/// The paths of an account's files.
fn paths(account: &HeroAccount) -> Vec<DatedPath> {
    let exports = ExportKind::ALL.into_iter().map(|kind| &account.export(kind).path);
    exports.chain([&account.attendance.path]).filter_map(|path| DatedPath::parse(path).ok()).collect()
}
