//! Counts for the numbers a profile shows about itself and for support bundles.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rosterbridge_domain::{
    attendance::Source,
    job::{Outcome, RowCounts},
};

use super::{
    Ledger, OutboxState, Run, RunId, outbox,
    runs::{self, RUN_COLUMNS},
};
use crate::StoreError;

/// The versions of what encrypts and reads the databases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseVersions {
    /// SQLCipher's.
    pub sqlcipher: String,
    /// SQLite's.
    pub sqlite: String,
}

impl Ledger {
    /// How many of the runs that started at `since` or later ended how, dry runs aside. Ids begin with the time, so
    /// only these runs are read.
    pub fn runs_by_outcome(&self, since: DateTime<Utc>) -> Result<BTreeMap<&'static str, u64>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT outcome, count(*) FROM runs WHERE id >= ?1 AND trigger <> 'dry_run' GROUP BY outcome",
        )?;
        let mut rows = statement.query([RunId::first_at(since)])?;
        let mut counts = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let outcome: Outcome = runs::outcome(row, 0)?;
            counts.insert(outcome.as_str(), row.get::<_, i64>(1)?.unsigned_abs());
        }
        Ok(counts)
    }

    /// The rows of all jobs of the runs that started at `since` or later, dry runs aside.
    pub fn rows_since(&self, since: DateTime<Utc>) -> Result<RowCounts, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT coalesce(sum(rows_read), 0), coalesce(sum(rows_written), 0), coalesce(sum(rows_noop), 0),
                 coalesce(sum(rows_held), 0), coalesce(sum(rows_rejected), 0)
             FROM run_jobs WHERE run >= ?1 AND run IN (SELECT id FROM runs WHERE id >= ?1 AND trigger <> 'dry_run')",
        )?;
        let counts = statement.query_row([RunId::first_at(since)], |row| {
            let count = |index| row.get::<_, i64>(index).map(i64::unsigned_abs);
            Ok(RowCounts {
                read: count(0)?,
                written: count(1)?,
                noop: count(2)?,
                held: count(3)?,
                rejected: count(4)?,
            })
        })?;
        Ok(counts)
    }

    /// The latest run that has ended, dry runs aside.
    pub fn last_run(&self) -> Result<Option<Run>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {RUN_COLUMNS} FROM runs WHERE finished_at IS NOT NULL AND trigger <> 'dry_run'
             ORDER BY id DESC LIMIT 1"
        ))?;
        let mut rows = statement.query([])?;
        rows.next()?.map(|row| runs::read_run(&connection, row)).transpose()
    }

    /// How many attendance writes under way are in which state. The index of open writes holds just these.
    pub fn open_writes(&self) -> Result<BTreeMap<&'static str, u64>, StoreError> {
        let connection = self.lock();
        let mut counts: BTreeMap<_, _> = [OutboxState::Decided, OutboxState::Sending, OutboxState::Unknown]
            .map(|state| (state.as_str(), 0))
            .into();
        let mut statement = connection.prepare_cached(
            "SELECT state, count(*) FROM outbox INDEXED BY outbox_open
             WHERE state IN ('decided', 'sending', 'unknown') GROUP BY state",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            counts.insert(outbox::state(row, 0)?.as_str(), row.get::<_, i64>(1)?.unsigned_abs());
        }
        Ok(counts)
    }

    /// How many attendance writes of each source are in which state, settled ones included. Reads the whole outbox.
    pub fn writes_by_state(&self) -> Result<Vec<(Source, OutboxState, u64)>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare(
            "SELECT source, state, count(*) FROM outbox GROUP BY source, state ORDER BY source, state",
        )?;
        let mut rows = statement.query([])?;
        let mut counts = Vec::new();
        while let Some(row) = rows.next()? {
            counts.push((
                outbox::source(row, 0)?,
                outbox::state(row, 1)?,
                row.get::<_, i64>(2)?.unsigned_abs(),
            ));
        }
        Ok(counts)
    }

    /// What the databases are read and encrypted with.
    pub fn versions(&self) -> Result<DatabaseVersions, StoreError> {
        let sqlcipher = self.lock().query_row("PRAGMA cipher_version", [], |row| row.get(0))?;
        Ok(DatabaseVersions { sqlcipher, sqlite: rusqlite::version().to_owned() })
    }
}
