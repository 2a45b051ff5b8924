//! `ledger.db`: everything that must survive. Set-up, runs, uploads, host keys, attendance under way and done, and
//! rows kept for a person.
//!
//! Every change is one transaction on the disk (`synchronous=FULL`) when its method returns. Times are passed in and
//! kept to the millisecond.

mod facts;
mod held;
mod migrate;
mod outbox;
mod runs;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::{
    ProfileKeyBytes, StoreError,
    database::{self, Access},
};

pub use facts::PinnedHostKey;
pub use held::{HeldId, HeldRow, HeldState};
pub use outbox::{
    Decision, DecisionCounts, DecisionOutcome, KeyHistory, OutboxId, OutboxRow, OutboxState, RowHash,
};
pub use runs::{Cause, JobResult, JobRun, Run, RunId, Trigger, Upload};

/// The ledger of one profile. One connection, used by one caller at a time.
pub struct Ledger {
    connection: Mutex<Connection>,
    path: PathBuf,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens the ledger at `path`, creating it (and its folder) if it does not exist, and brings its layout up to
    /// date; before an existing file is changed, a copy `….before-layout-N` is put beside it.
    pub fn open(path: &Path, key: &ProfileKeyBytes) -> Result<Self, StoreError> {
        database::owner_only(path)?;
        let mut connection = database::connect(path, key, Access::Write)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA cache_size = -4096;",
        )?;
        connection.set_prepared_statement_cache_capacity(64);
        migrate::migrate(&mut connection, path, migrate::MIGRATIONS)?;
        Ok(Self { connection: Mutex::new(connection), path: path.to_owned() })
    }

    /// Where the ledger is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a complete copy, encrypted with the same key and readable by its owner only, in the place of `place`.
    /// The ledger waits meanwhile.
    pub fn backup_to(&self, place: &Path) -> Result<(), StoreError> {
        database::copy_to(&self.lock(), place)
    }

    /// Reads everything and checks it: each page's authentication code, the structure, and the references.
    pub fn integrity_check(&self) -> Result<(), StoreError> {
        let connection = self.lock();
        // The authentication codes are checked in the file itself, so what is in the write-ahead log goes there first.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        let mut faults = Vec::new();
        for check in ["PRAGMA cipher_integrity_check", "PRAGMA integrity_check(10)"] {
            let mut statement = connection.prepare(check)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let fault: String = row.get(0)?;
                // SQLite's way to say that there is none.
                if fault != "ok" {
                    faults.push(fault);
                }
            }
        }
        let dangling: i64 =
            connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))?;
        if dangling > 0 {
            faults.push(format!("{dangling} rows refer to rows that are missing"));
        }
        faults.truncate(10);
        if faults.is_empty() { Ok(()) } else { Err(StoreError::Corrupt(faults.join("; "))) }
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic inside a transaction has rolled it back, so the connection is as good as before.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does several statements as one: all or nothing.
    fn transaction<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.lock();
        // Taking the write lock first: a transaction that began by reading could not be made to wait for it.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }
}
