//! Erasing a district: the store's part.

use std::path::{Path, PathBuf};

use rosterbridge_crash_points::{CrashPoint, pass};

use crate::{
    StoreError, backup,
    database::{SUFFIXES, beside, damage_mark, remove_file},
    ledger::{Ledger, is_set_aside},
};

/// Removes every database of the profile in `folder`: the ledger, the roster, what was set aside or is half made, what
/// SQLite keeps beside each, and the backups beside the ledger with their folder if nothing else is in it. Whatever else
/// is in the folder stays.
///
/// Goes on when something can't be removed, and answers what that was and why; so empty means that all is gone. To be
/// called with the databases closed. Deleting a file does not overwrite it: without the profile's key, which goes with
/// the keychain's entries, what is left on the disk can't be read.
pub fn erase_databases(folder: &Path) -> Vec<(PathBuf, StoreError)> {
    let mut left = Vec::new();
    let mut remove = |file: PathBuf, done: CrashPoint| {
        if let Err(error) = remove_file(&file) {
            left.push((file, error));
        }
        pass(done);
    };
    let backups = Ledger::backups_beside(&folder.join("ledger.db"));
    let is_ours = |file: &Path| is_set_aside(file) || backup::is_ours(file);
    let mut unlisted = Vec::new();
    for folder in [folder, &backups] {
        match backup::files(folder) {
            Ok(files) => files
                .into_iter()
                .filter(|file| is_ours(file))
                .for_each(|file| remove(file, CrashPoint::BackupErased)),
            Err(error) => unlisted.push((folder.to_owned(), error)),
        }
    }
    for name in ["ledger.db", "roster.db"] {
        remove(damage_mark(&folder.join(name)), CrashPoint::DatabaseFileErased);
    }
    // The ledger goes after its backups: cut short, this must not leave anything that it is restored from.
    for name in ["ledger.db.new", "ledger.db.restoring", "roster.db", "roster-staging.db", "ledger.db"] {
        for suffix in SUFFIXES {
            remove(beside(&folder.join(name), suffix), CrashPoint::DatabaseFileErased);
        }
    }
    left.append(&mut unlisted);
    // With something else in it, the folder stays.
    if backup::files(&backups).is_ok_and(|files| files.is_empty())
        && let Err(source) = std::fs::remove_dir(&backups)
        && source.kind() != std::io::ErrorKind::NotFound
    {
        left.push((backups.clone(), StoreError::io("remove", &backups, source)));
    }
    left
}
