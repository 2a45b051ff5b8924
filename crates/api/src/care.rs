//! What is done to a profile that no engine works on: restoring its ledger, putting its key back, erasing it.

use std::{path::Path, time::Duration};

use chrono::Utc;
use rosterbridge_engine::{
    EngineError,
    care::{self, BackupView, Erased, RestoredView},
    profile::{ProfileFolder, ProfileLock},
};

use crate::{
    profiles, recovery_file,
    request::{Fault, SecretText},
    socket,
};

/// How long the process that holds the profile may take to say what it does.
const PATIENCE: Duration = Duration::from_secs(10);

/// The backups of a profile's ledger, newest first. Needs neither the keychain nor a ledger that opens.
pub fn backups(home: &Path, profile: &str) -> Result<Vec<BackupView>, Fault> {
    Ok(care::backups(&ProfileFolder::existing(home, profile)?)?)
}

/// Puts the newest usable backup in the ledger's place, or an empty ledger with `begin_anew`. The former one is set
/// aside. Refused while another process holds the profile.
pub async fn restore(home: &Path, profile: &str, begin_anew: bool) -> Result<RestoredView, Fault> {
    restore_folder(ProfileFolder::existing(home, profile)?, begin_anew).await
}

/// Puts a profile's key back into the keychain from a recovery file. Refused while another process holds the profile,
/// and for another profile's file.
pub async fn recover(home: &Path, profile: &str, text: String, passphrase: SecretText) -> Result<(), Fault> {
    let folder = ProfileFolder::existing(home, profile)?;
    let lock = take_lock(&folder).await?;
    // Its key derivation is slow.
    let reading = tokio::task::spawn_blocking(move || recovery_file::read(&text, passphrase.into()));
    let recovery = reading.await.map_err(EngineError::from)??;
    Ok(care::recover_key(folder, lock, recovery, Utc::now()).await?)
}

/// Erases a profile: databases, backups, logs, the keychain's entries and the folder. `confirm` has to be the profile's
/// name. Refused while another process holds the profile.
pub async fn erase(home: &Path, profile: &str, confirm: &str) -> Result<Erased, Fault> {
    let folder = ProfileFolder::existing(home, profile)?;
    check_confirmed(&folder, confirm)?;
    erase_folder(folder).await
}

/// Refuses what a person has not confirmed by typing the profile's name.
pub(crate) fn check_confirmed(folder: &ProfileFolder, confirm: &str) -> Result<(), Fault> {
    if confirm == folder.name() {
        return Ok(());
    }
    Err(Fault {
        code: "profile.not_confirmed".to_owned(),
        message: format!("'{confirm}' is not the name of the district to be erased."),
        remedy: format!("Nothing was erased. To erase it, type its name: {}", folder.name()),
    })
}

pub(crate) async fn restore_folder(folder: ProfileFolder, begin_anew: bool) -> Result<RestoredView, Fault> {
    let lock = take_lock(&folder).await?;
    Ok(care::restore(folder, lock, begin_anew, Utc::now()).await?)
}

pub(crate) async fn erase_folder(folder: ProfileFolder) -> Result<Erased, Fault> {
    let lock = take_lock(&folder).await?;
    let others = socket::file(&folder).into_iter().collect();
    Ok(care::erase(folder, lock, others).await?)
}

/// The profile's lock. Where another process has it, the reason tells whether that one is at work.
async fn take_lock(folder: &ProfileFolder) -> Result<ProfileLock, Fault> {
    if let Some(lock) = ProfileLock::take(folder)? {
        return Ok(lock);
    }
    let status = tokio::time::timeout(PATIENCE, profiles::status(folder)).await;
    if status.ok().flatten().is_some_and(|status| status.running.is_some()) {
        return Err(EngineError::Busy.into());
    }
    Err(Fault {
        code: "profile.in_use".to_owned(),
        message: format!("Another RosterBridge works on {}.", folder.name()),
        remedy: "Close its window, and stop its service with 'rosterbridge service uninstall' if there is one, then try \
                 again."
            .to_owned(),
    })
}
