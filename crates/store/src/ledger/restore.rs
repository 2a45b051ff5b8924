//! What is done about a damaged ledger.
//!
//! The damaged file is set aside, never deleted, and a backup takes its place. That backup does not know what happened
//! after it: the restored ledger says so until the engine has read the kept inputs and PowerSchool again
//! ([`Ledger::restoration`]), and every write that was under way has to be read back before it is sent.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use rosterbridge_crash_points::{CrashPoint, pass};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{Ledger, OutboxState, create, migrate, raptor_roster, trace};
use crate::{
    ProfileKeyBytes, StoreError,
    backup::{self, Backup},
    database::{self, Access, from_instant},
};

/// The name of the fact that says that the ledger was restored.
const RESTORATION: &str = "ledger.restoration";
/// What the reason of a write says that became unknown because the ledger was restored.
pub const UNKNOWN_SINCE_RESTORED: &str = "restored";
/// The time in the name of a ledger that was set aside.
const STAMP: &str = "%Y%m%dT%H%M%SZ";
/// What such a name begins with.
const SET_ASIDE: &str = "ledger-damaged-";

/// That the ledger does not know everything that happened, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restoration {
    /// When it took the damaged one's place.
    pub at: DateTime<Utc>,
    /// The file name of the backup it was made from; `None` if it was begun anew.
    pub from: Option<String>,
    /// When that backup was made.
    pub backup_made_at: Option<DateTime<Utc>>,
}

/// What [`Ledger::restore_latest`] did.
#[derive(Debug)]
pub struct Restored {
    /// The backup that was restored.
    pub backup: Backup,
    /// Where the damaged ledger is now; `None` if there was no file any more.
    pub set_aside: Option<PathBuf>,
    /// Newer backups that could not be used, with the reason, newest first.
    pub passed_over: Vec<(PathBuf, StoreError)>,
    /// Writes that were under way when the backup was made: all of them are unknown now.
    pub made_unknown: usize,
}

impl Ledger {
    /// Puts the newest usable backup of `backups` in the place of the ledger at `path`, which is set aside as
    /// `ledger-damaged-TIME.db` with what SQLite keeps beside it. Cut short at any point, it can be called again. Nothing
    /// is moved before a backup is ready to take the place; [`StoreError::NoBackup`] if there is none.
    ///
    /// Only the holder of the profile's lock may call this, with the ledger closed.
    pub fn restore_latest(
        path: &Path,
        backups: &Path,
        key: &ProfileKeyBytes,
        at: DateTime<Utc>,
    ) -> Result<Restored, StoreError> {
        let ready = database::beside(path, ".restoring");
        let mut passed_over = Vec::new();
        for backup in backup::list(backups)? {
            // Whatever is wrong with this backup, an older one may be whole.
            if let Err(error) = usable(&backup, key) {
                passed_over.push((backup.path, error));
                continue;
            }
            // From here on it is not the backup's fault.
            let made_unknown = prepare(&backup, &ready, key, at)?;
            pass(CrashPoint::RestorationPrepared);
            let set_aside = set_aside(path, at)?;
            database::replace(&ready, path)?;
            pass(CrashPoint::LedgerRestored);
            return Ok(Restored { backup, set_aside, passed_over, made_unknown });
        }
        if !passed_over.is_empty()
            && passed_over.iter().all(|(_, error)| matches!(error, StoreError::WrongKey(_)))
        {
            return Err(StoreError::WrongKey(path.to_owned()));
        }
        Err(StoreError::NoBackup { folder: backups.to_owned(), tried: passed_over.len() })
    }

    /// Sets aside whatever is at `path`, and begins an empty ledger there, marked like a restored one. For when there is
    /// no backup, and only on a person's word: set-up, host keys and history are gone. Answers where the former ledger
    /// is now.
    pub fn begin_anew(
        path: &Path,
        key: &ProfileKeyBytes,
        at: DateTime<Utc>,
    ) -> Result<Option<PathBuf>, StoreError> {
        let ready = database::beside(path, ".restoring");
        database::remove(&ready)?;
        create(&ready, key)?;
        let connection = database::connect(&ready, key, Access::Write)?;
        mark(&connection, &Restoration { at, from: None, backup_made_at: None })?;
        connection.close().map_err(|(_, error)| StoreError::from(error))?;
        let set_aside = set_aside(path, at)?;
        database::replace(&ready, path)?;
        Ok(set_aside)
    }

    /// Whether there is a ledger at `path`, or was one: something of it is left. A profile of which this is true has a key.
    pub fn was_at(path: &Path) -> Result<bool, StoreError> {
        if path.exists()
            || database::beside(path, "-wal").exists()
            || database::damage_mark(path).exists()
            || !backup::list(&Self::backups_beside(path))?.is_empty()
        {
            return Ok(true);
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(backup::files(folder)?.iter().any(|file| is_set_aside(file)))
    }

    /// That the ledger was restored, until [`Ledger::restoration_completed`]: what happened after the backup was made is
    /// not in it. Every kept input is then to be read again, and PowerSchool be read back.
    pub fn restoration(&self) -> Result<Option<Restoration>, StoreError> {
        let connection = self.lock();
        let json: Option<String> = connection
            .query_row("SELECT value FROM facts WHERE name = ?1", [RESTORATION], |row| row.get(0))
            .optional()?;
        json.map(|json| serde_json::from_str(&json).map_err(|_| StoreError::unreadable("facts.value")))
            .transpose()
    }

    /// Records that what happened between the backup and the restoring is in the ledger again.
    pub fn restoration_completed(&self) -> Result<(), StoreError> {
        self.lock().execute("DELETE FROM facts WHERE name = ?1", [RESTORATION])?;
        Ok(())
    }
}

/// Whether a file is a ledger that was set aside, or one of those SQLite kept beside it.
pub(crate) fn is_set_aside(file: &Path) -> bool {
    file.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(SET_ASIDE))
}

/// Whether there is a backup that can take the place of the ledger at `path`.
pub(super) fn can_be_restored(path: &Path, key: &ProfileKeyBytes) -> bool {
    let backups = backup::list(&Ledger::backups_beside(path)).unwrap_or_default();
    backups.iter().any(|backup| usable(backup, key).is_ok())
}

/// Whether a backup is whole and of a layout this program knows.
fn usable(backup: &Backup, key: &ProfileKeyBytes) -> Result<(), StoreError> {
    let connection = database::connect(&backup.path, key, Access::Read)?;
    migrate::refuse_unknown(&connection, &backup.path, migrate::MIGRATIONS)?;
    database::check_all(&connection, &backup.path).map_err(|error| error.of_file(&backup.path))
}

/// Makes a ledger from a backup at `ready`, up to date and marked; how many writes became unknown in it.
fn prepare(
    backup: &Backup,
    ready: &Path,
    key: &ProfileKeyBytes,
    at: DateTime<Utc>,
) -> Result<usize, StoreError> {
    database::remove(ready)?;
    std::fs::copy(&backup.path, ready).map_err(|source| StoreError::io("copy", &backup.path, source))?;
    database::owner_only(ready)?;
    let mut connection = database::connect(ready, key, Access::Write)?;
    connection.execute_batch("PRAGMA foreign_keys = ON;")?;
    migrate::migrate(&mut connection, migrate::MIGRATIONS, |_, _| Ok(()))?;
    // What was to be sent may have been sent since. And one that was unknown may have been sent again: what was found out
    // about it before the backup tells nothing any more.
    trace::all_become_unknown(&connection, UNKNOWN_SINCE_RESTORED, at)?;
    let made_unknown = connection.execute(
        "UPDATE outbox SET state = ?1, reason = ?2, changed_at = ?3
         WHERE state IN ('decided', 'sending', 'unknown')",
        params![OutboxState::Unknown.as_str(), UNKNOWN_SINCE_RESTORED, from_instant(at)],
    )?;
    raptor_roster::restored(&connection)?;
    let from = backup.path.file_name().map(|name| name.to_string_lossy().into_owned());
    mark(&connection, &Restoration { at, from, backup_made_at: Some(backup.made_at) })?;
    database::check_all(&connection, ready)?;
    connection.close().map_err(|(_, error)| StoreError::from(error))?;
    Ok(made_unknown)
}

fn mark(connection: &Connection, restoration: &Restoration) -> Result<(), StoreError> {
    let json = serde_json::to_string(restoration).map_err(|_| StoreError::unreadable("facts.value"))?;
    connection.execute(
        "INSERT OR REPLACE INTO facts (name, value) VALUES (?1, ?2)",
        [RESTORATION, json.as_str()],
    )?;
    Ok(())
}

/// Moves a ledger and what SQLite keeps beside it out of the way; where it is now, if there was anything. The mark that
/// it is damaged goes as well, but last: from then on the ledger is noticed to be missing.
fn set_aside(path: &Path, at: DateTime<Utc>) -> Result<Option<PathBuf>, StoreError> {
    let mut at = at;
    let target = loop {
        let target = path.with_file_name(format!("{SET_ASIDE}{}.db", at.format(STAMP)));
        if !database::SUFFIXES.iter().any(|suffix| database::beside(&target, suffix).exists()) {
            break target;
        }
        at += TimeDelta::seconds(1);
    };
    let mut moved = false;
    // The ledger itself goes first. A log without a ledger is noticed if this is cut short; a ledger without its log
    // would pass for a whole one. And a log that stayed would be taken for the next ledger's.
    for suffix in database::SUFFIXES {
        let from = database::beside(path, suffix);
        match database::rename(&from, &database::beside(&target, suffix)) {
            Ok(()) => {
                moved = true;
                pass(CrashPoint::LedgerFileMoved);
            }
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    database::sync_folder_of(path)?;
    pass(CrashPoint::LedgerSetAside);
    database::remove_file(&database::damage_mark(path))?;
    pass(CrashPoint::DamageUnmarked);
    Ok(moved.then_some(target))
}
