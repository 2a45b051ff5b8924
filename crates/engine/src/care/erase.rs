//! Erasing a district: nothing of a profile stays, neither on the disk nor in the keychain.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_store::erase_databases;
use rosterbridge_vault::Vault;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    engine::blocking,
    error::EngineError,
    profile::{ProfileFolder, ProfileLock},
};

/// What erasing a district came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Erased {
    /// The profile.
    pub profile: String,
    /// What is still there; empty when everything is gone.
    pub left: Vec<LeftBehind>,
}

/// Something that could not be erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LeftBehind {
    /// A file, a folder, or the keychain's entries.
    pub what: String,
    /// Why.
    pub why: String,
}

/// What is being erased, and what stays.
#[derive(Default)]
struct Erasing {
    left: Vec<LeftBehind>,
}

impl Erasing {
    fn stays(&mut self, what: &impl ToString, why: &impl ToString) {
        self.left.push(LeftBehind { what: what.to_string(), why: why.to_string() });
    }

    /// Takes note of how a removal ended. What is not there is gone.
    fn note(&mut self, path: &Path, removed: io::Result<()>) {
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => self.stays(&path.display(), &error),
            _ => {}
        }
    }
}

/// Erases a profile: databases, backups, logs, the keychain's entries, and the profile's folder with `others` of ours in
/// it. Goes on when something can't be removed, and tells what. A file in the folder that is not ours stays, and the
/// folder with it.
///
/// The identity goes last, after the keychain's entries were deleted: as long as it is there, an erasure that was cut
/// short can be repeated.
pub async fn erase(
    folder: ProfileFolder,
    lock: ProfileLock,
    others: Vec<PathBuf>,
) -> Result<Erased, EngineError> {
    let profile = folder.name().to_owned();
    // Without the identity nobody knows what its entries are called; a profile without one has none.
    let identity = folder.identity()?;
    let mut erasing = {
        let folder = folder.clone();
        blocking(move || Ok(erase_files(&folder, others))).await?
    };
    pass(CrashPoint::FilesErased);
    let erased = match Vault::open(identity).await {
        Ok(vault) => vault.erase().await,
        Err(error) => Err(error),
    };
    if let Err(error) = erased {
        erasing.stays(&"the entries in the keychain", &error);
        // Its name has to be known to try again.
        return Ok(Erased { profile, left: erasing.left });
    }
    pass(CrashPoint::KeychainErased);
    blocking(move || {
        erasing.note(&folder.identity_file(), fs::remove_file(folder.identity_file()));
        pass(CrashPoint::IdentityErased);
        // An open file can't be removed on Windows.
        drop(lock);
        erasing.note(&folder.lock_file(), fs::remove_file(folder.lock_file()));
        if erasing.left.is_empty() {
            let strangers: Vec<PathBuf> = fs::read_dir(folder.path())
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path())
                .collect();
            for path in &strangers {
                erasing.stays(&path.display(), &"it was not made by RosterBridge");
            }
            if strangers.is_empty() {
                erasing.note(folder.path(), fs::remove_dir(folder.path()));
            }
        }
        Ok(Erased { profile, left: erasing.left })
    })
    .await
}

/// Removes what is ours in a profile's folder, but for its identity and its lock.
fn erase_files(folder: &ProfileFolder, others: Vec<PathBuf>) -> Erasing {
    let mut erasing = Erasing::default();
    for (path, error) in erase_databases(folder.path()) {
        erasing.stays(&path.display(), &error);
    }
    erasing.note(&folder.logs(), fs::remove_dir_all(folder.logs()));
    for path in others {
        erasing.note(&path, fs::remove_file(&path));
    }
    erasing
}
