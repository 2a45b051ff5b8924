//! `ledger.db`: everything that must survive. Set-up, runs, uploads, host keys, attendance under way and done, and
//! rows kept for a person.
//!
//! Every change is one transaction on the disk (`synchronous=FULL`) when its method returns. Times are passed in and
//! kept to the millisecond.

mod counts;
mod facts;
mod held;
mod hero;
mod host_keys;
mod migrate;
mod outbox;
mod raptor_roster;
mod restore;
mod retention;
mod runs;
mod status_changes;
mod trace;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use rosterbridge_crash_points::{CrashPoint, pass};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::{
    ProfileKeyBytes, StoreError,
    backup::{self, Backup},
    database::{self, Access},
};

pub use counts::DatabaseVersions;
pub use held::{Fixed, HeldByRun, HeldCause, HeldFilter, HeldId, HeldRow, HeldState, HeldStatement, KeptRow};
pub use hero::{ExportProblem, WatchedFile};
pub use host_keys::{HostKeyReplacement, PinnedHostKey};
pub use outbox::{
    Decision, DecisionCounts, DecisionOutcome, FOUND_CHANGED, KeyHistory, KnownRow, OutboxId, OutboxRow,
    OutboxState, RowHash, Standing, TAKEN_OVER, TakenOver, Told, Undo, Written,
};
pub use raptor_roster::{
    ANOTHER_NAME, ELSEWHERE, LEFT, ROW_DIGEST, RaptorRoster, RaptorStudents, SentRosters, StagedRoster,
};
pub(crate) use restore::is_set_aside;
pub use restore::{Restoration, Restored, UNKNOWN_SINCE_RESTORED};
pub use retention::Forgotten;
pub use runs::{Cause, JobResult, JobRun, Run, RunId, RunSpan, SchoolRows, Trigger, Upload};
pub use status_changes::{StatusChange, Together};
pub use trace::{
    EventRecord, FileFates, InputFile, ListedRow, RowColumn, RowCursor, RowEvent, RowEventKind, RowFate,
    RowOrder, RowPlace, RowSnapshot, TRACED_AT_ONCE, TraceFilter, TracedLine, TracedRow,
};

/// The largest ledger that is read whole at every opening; that takes less than a tenth of a second. A larger one is
/// read whole at an opening after a process that did not close it, and by every backup.
const CHECKED_AT_EVERY_OPENING: u64 = 16 << 20;

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
    /// Opens the ledger at `path`, and brings its layout up to date; before that, a backup is made in
    /// [`Ledger::backups_beside`] it. A profile's first opening creates the ledger, and its folder.
    ///
    /// A ledger that is not whole is [`StoreError::Damaged`], and so is one that a backup found not to be whole, or that
    /// is missing or empty although it had been there: see [`Ledger::restore_latest`]. Only the holder of the profile's
    /// lock may call this.
    pub fn open(path: &Path, key: &ProfileKeyBytes, at: DateTime<Utc>) -> Result<Self, StoreError> {
        if database::damage_mark(path).exists() {
            return Err(damaged(path, key, "a backup found that it is not whole"));
        }
        match fs::metadata(path) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if Self::was_at(path)? {
                    return Err(damaged(path, key, "the file is missing, but there are traces of it"));
                }
                create(path, key)?;
            }
            Err(source) => return Err(StoreError::io("find", path, source)),
        }
        Self::open_existing(path, key, at).map_err(|error| match error.of_file(path) {
            StoreError::WrongKey(_) if opens_something_beside(path, key) => {
                StoreError::damaged(path, "this profile's key opens the other files, but no page of this one")
            }
            error => error,
        })
    }

    fn open_existing(path: &Path, key: &ProfileKeyBytes, at: DateTime<Utc>) -> Result<Self, StoreError> {
        database::owner_only(path)?;
        let length = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        // Of a file without a whole page SQLite would make a new database.
        if length(path) < database::PAGE_BYTES {
            return Err(StoreError::damaged(path, "the file is cut off at its beginning"));
        }
        // The log is removed by whoever closes the ledger.
        let was_closed = length(&database::beside(path, "-wal")) == 0;
        let mut connection = database::connect(path, key, Access::Write)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA cache_size = -16384;",
        )?;
        connection.set_prepared_statement_cache_capacity(64);
        migrate::refuse_unknown(&connection, path, migrate::MIGRATIONS)?;
        if !was_closed || length(path) <= CHECKED_AT_EVERY_OPENING {
            database::check_pages(&connection, path)?;
        }
        database::fold_log_on_close(&connection)?;
        migrate::migrate(&mut connection, migrate::MIGRATIONS, |connection, layout| {
            backup::make(connection, &Self::backups_beside(path), key, at, Some(layout)).map(drop)
        })?;
        Ok(Self { connection: Mutex::new(connection), path: path.to_owned() })
    }

    /// Where the ledger is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the memory back that holds pages of the ledger.
    pub fn give_back_memory(&self) {
        // Whoever needs them reads them again.
        if let Err(error) = self.lock().execute_batch("PRAGMA shrink_memory") {
            tracing::debug!(%error, "the ledger's memory was not given back");
        }
    }

    /// The folder of a ledger's backups: `backups` beside it.
    pub fn backups_beside(path: &Path) -> PathBuf {
        path.with_file_name("backups")
    }

    /// Makes a backup in `folder`: a copy of the moment, encrypted with the same key, checked whole, and only then given
    /// its name. The ledger can be used meanwhile. Of the backups there, the newest `keep` stay (this one in any case),
    /// and besides them those made before a change of layout, for 30 days.
    ///
    /// A ledger that turns out not to be whole is [`StoreError::Damaged`] and the earlier backups stay. If one of them can
    /// take its place, a file beside it says so to [`Ledger::open`], which does not look at everything itself; if none
    /// can, the ledger is better than nothing.
    pub fn back_up(
        &self,
        folder: &Path,
        key: &ProfileKeyBytes,
        at: DateTime<Utc>,
        keep: usize,
    ) -> Result<Backup, StoreError> {
        // A connection of its own, so that nobody waits for the copy.
        let connection = database::connect(&self.path, key, Access::Read)?;
        let made =
            backup::make(&connection, folder, key, at, None).map_err(|error| error.of_file(&self.path));
        match &made {
            // Not where it is the copy that went wrong.
            Err(StoreError::Damaged { path, .. })
                if *path == self.path && restore::can_be_restored(path, key) =>
            {
                self.mark_damaged();
            }
            _ => {}
        }
        let made = made?;
        backup::remove_old(folder, keep, at);
        Ok(made)
    }

    /// Has the next opening treat the ledger as damaged.
    fn mark_damaged(&self) {
        let mark = database::damage_mark(&self.path);
        match database::owner_only(&mark).and_then(|()| database::sync_folder_of(&mark)) {
            Ok(()) => pass(CrashPoint::DamageMarked),
            Err(error) => tracing::warn!(code = error.code(), "a damaged ledger could not be marked"),
        }
    }

    /// Reads everything and checks it: each page's authentication code, the structure, and the references.
    /// [`StoreError::Busy`] where somebody else reads an earlier moment for longer than five seconds: nothing is said about
    /// the ledger then.
    pub fn integrity_check(&self) -> Result<(), StoreError> {
        let connection = self.lock();
        // The authentication codes are checked in the file itself, so what is in the write-ahead log goes there first.
        let is_busy: bool = connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(|error| StoreError::from(error).of_file(&self.path))?;
        if is_busy {
            return Err(StoreError::Busy);
        }
        database::check_all(&connection, &self.path)
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

/// Creates a ledger beside its place and puts it there once it is complete, so that an empty file is never a new ledger.
fn create(path: &Path, key: &ProfileKeyBytes) -> Result<(), StoreError> {
    let new = database::beside(path, ".new");
    database::remove(&new)?;
    database::owner_only(&new)?;
    let mut connection = database::connect(&new, key, Access::Write)?;
    migrate::migrate(&mut connection, migrate::MIGRATIONS, |_, _| Ok(()))?;
    connection.close().map_err(|(_, error)| StoreError::from(error))?;
    database::replace(&new, path)
}

/// Damage that was found without looking at the ledger; a wrong key if that is what the ledger and its backups say.
fn damaged(path: &Path, key: &ProfileKeyBytes, found: &str) -> StoreError {
    let backups = backup::list(&Ledger::backups_beside(path)).unwrap_or_default();
    let mut refused = false;
    for file in backups.into_iter().map(|backup| backup.path).chain([path.to_owned()]) {
        // Of a file without a whole page SQLite would make a new database.
        if fs::metadata(&file).map_or(0, |file| file.len()) < database::PAGE_BYTES {
            continue;
        }
        match database::connect(&file, key, Access::Read) {
            Err(StoreError::WrongKey(_)) => refused = true,
            Ok(_) | Err(StoreError::Damaged { .. }) => return StoreError::damaged(path, found),
            Err(_) => {}
        }
    }
    if refused { StoreError::WrongKey(path.to_owned()) } else { StoreError::damaged(path, found) }
}

/// Whether the key opens a backup or the roster, and so is the profile's.
fn opens_something_beside(path: &Path, key: &ProfileKeyBytes) -> bool {
    let backups = backup::list(&Ledger::backups_beside(path)).unwrap_or_default();
    backups
        .into_iter()
        .map(|backup| backup.path)
        .chain([path.with_file_name("roster.db")])
        .any(|other| other.exists() && database::connect(&other, key, Access::Read).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ProfileKeyBytes = [7; 32];

    /// A full disk can't be had without rights over the machine; SQLite answers the same when a file may not grow.
    #[test]
    fn a_full_disk_refuses_a_write_and_leaves_a_usable_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let ledger = Ledger::open(&path, &KEY, DateTime::UNIX_EPOCH).unwrap();
        ledger.set_value("before", "kept").unwrap();
        let limit = |pages: i64| {
            ledger.lock().query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
        };
        // Less than there is counts as what there is.
        limit(1);
        let large = "x".repeat(100_000);
        assert_eq!(ledger.set_value("large", &large).unwrap_err().code(), "store.disk_full");
        let several = ledger.transaction(|transaction| {
            transaction.execute("UPDATE facts SET value = 'changed'", [])?;
            Ok(transaction.execute("INSERT INTO facts VALUES ('large', ?1)", [&large])?)
        });
        assert_eq!(several.unwrap_err().code(), "store.disk_full");
        assert_eq!(ledger.value("before").unwrap().as_deref(), Some("kept"), "all or nothing");
        ledger.set_value("before", "small").unwrap();
        ledger.integrity_check().unwrap();

        limit(1_000_000);
        ledger.set_value("large", &large).unwrap();
        drop(ledger);
        let ledger = Ledger::open(&path, &KEY, DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(ledger.value("large").unwrap(), Some(large));
        assert_eq!(ledger.value("before").unwrap().as_deref(), Some("small"));
    }

    /// The same from the system, for what is not written by SQLite.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_from_other_failures_of_files() {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let source = std::io::Write::write_all(&mut &full, b"x").unwrap_err();
        assert_eq!(StoreError::io("write", Path::new("/dev/full"), source).code(), "store.disk_full");
    }
}
