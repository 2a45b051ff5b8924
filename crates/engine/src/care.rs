//! Care of a profile's data: backups and retention, what is done about a damaged ledger or a lost key, and erasing a
//! district.

mod erase;
mod restoration;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Local, NaiveDate, TimeDelta, Utc};
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{attendance::Source, job::Outcome, notice::Happening};
use rosterbridge_store::{
    Ledger, StoreError,
    backup::{self, NIGHTLY_BACKUPS_KEPT},
    ledger::{self, Restored, RunId},
};
use rosterbridge_vault::{ProfileKey, Vault};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use uuid::Uuid;

use crate::{
    engine::{Engine, blocking},
    error::EngineError,
    notices::{RESTORED, reason},
    profile::{ProfileFolder, ProfileLock},
    raptor,
    run::OnEvent,
};

pub use erase::{Erased, LeftBehind, erase};
pub(crate) use restoration::{Found, Rereading};

/// The ledger's value that holds when the house was kept last.
const HOUSE: &str = "care.house";
/// The ledger's value that holds which restoration was told.
const TOLD: &str = "care.told";
/// When the day of housekeeping begins, after midnight where this computer is.
const NIGHT: TimeDelta = TimeDelta::hours(2);
/// How long what failed is left alone.
const PAUSE: TimeDelta = TimeDelta::hours(1);

/// A backup of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct BackupView {
    /// The file.
    pub file: String,
    /// When it was made.
    #[ts(type = "string")]
    pub made_at: DateTime<Utc>,
    /// Its size.
    pub bytes: u64,
    /// Whether it was made before a change of the ledger's layout, and not at night or by a person.
    pub before_layout: bool,
}

/// What took a ledger's place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RestoredView {
    /// When the backup was made; absent when the ledger was begun anew.
    #[ts(optional, type = "string")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_made_at: Option<DateTime<Utc>>,
    /// Where the former ledger is now; absent when there was none.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<String>,
    /// Newer backups that could not be used.
    pub passed_over: Vec<String>,
}

/// A profile's key on its way to or from a recovery file.
#[derive(Clone, Debug)]
pub struct RecoveryKey {
    /// Whose key it is: the identity under which the keychain holds it.
    pub profile: Uuid,
    /// 64 hexadecimal digits.
    pub key: SecretString,
}

/// What an engine keeps in mind for housekeeping.
#[derive(Debug, Default)]
pub(crate) struct Household {
    /// When what failed is tried again.
    again: Mutex<Option<DateTime<Utc>>>,
    /// On which day a failed backup was told, also when the ledger took nothing.
    told: Mutex<Option<NaiveDate>>,
    /// Runs whose end could not be recorded, because the ledger took nothing: on a full disk.
    unrecorded: Mutex<Vec<EndedRun>>,
}

/// A run that has ended.
#[derive(Clone, Debug)]
pub(crate) struct EndedRun {
    pub(crate) id: RunId,
    pub(crate) outcome: Outcome,
    pub(crate) cause: Option<ledger::Cause>,
    pub(crate) at: DateTime<Utc>,
}

impl Household {
    fn again(&self) -> MutexGuard<'_, Option<DateTime<Utc>>> {
        self.again.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> MutexGuard<'_, Option<NaiveDate>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unrecorded(&self) -> MutexGuard<'_, Vec<EndedRun>> {
        self.unrecorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the end of a run until the ledger takes it.
    pub(crate) fn record_later(&self, run: EndedRun) {
        self.unrecorded().push(run);
    }
}

/// The days on which the house was kept.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct House {
    backed_up: Option<NaiveDate>,
    tidied: Option<NaiveDate>,
    /// On which a failed backup was told.
    told: Option<NaiveDate>,
}

impl From<backup::Backup> for BackupView {
    fn from(backup: backup::Backup) -> Self {
        Self {
            bytes: fs::metadata(&backup.path).map_or(0, |file| file.len()),
            file: backup.path.display().to_string(),
            made_at: backup.made_at,
            before_layout: backup.before_layout.is_some(),
        }
    }
}

impl From<Restored> for RestoredView {
    fn from(restored: Restored) -> Self {
        Self {
            backup_made_at: Some(restored.backup.made_at),
            set_aside: restored.set_aside.map(|path| path.display().to_string()),
            passed_over: restored
                .passed_over
                .into_iter()
                .map(|(path, _)| path.display().to_string())
                .collect(),
        }
    }
}

/// Opens a ledger. The newest usable backup takes the place of a damaged one.
pub(crate) fn open_ledger(path: &Path, key: &[u8; 32], now: DateTime<Utc>) -> Result<Ledger, StoreError> {
    let open = || -> Result<Ledger, StoreError> {
        let ledger = Ledger::open(path, key, now)?;
        ledger.interrupt_unfinished_runs(now)?;
        Ok(ledger)
    };
    let damage = match open() {
        Err(error @ (StoreError::Damaged { .. } | StoreError::Corrupt(_))) => error,
        opened => return opened,
    };
    tracing::error!(code = damage.code(), "the ledger is damaged");
    let restored = Ledger::restore_latest(path, &Ledger::backups_beside(path), key, now)?;
    tracing::warn!(
        code = RESTORED,
        backup = %restored.backup.made_at,
        passed_over = restored.passed_over.len(),
        made_unknown = restored.made_unknown,
        "a backup has taken the ledger's place"
    );
    open()
}

/// The backups of a profile's ledger, newest first.
pub fn backups(folder: &ProfileFolder) -> Result<Vec<BackupView>, EngineError> {
    let folder = Ledger::backups_beside(&folder.ledger());
    Ok(backup::list(&folder)?.into_iter().map(BackupView::from).collect())
}

/// Puts the newest usable backup in the ledger's place, damaged or not, or an empty ledger with `begin_anew`. The former
/// ledger is set aside. The next run reads again what happened since.
pub async fn restore(
    folder: ProfileFolder,
    lock: ProfileLock,
    begin_anew: bool,
    now: DateTime<Utc>,
) -> Result<RestoredView, EngineError> {
    let vault = Vault::open(folder.identity()?).await?;
    let key = vault.profile_key(false).await?;
    blocking(move || {
        let (path, _lock) = (folder.ledger(), lock);
        if begin_anew {
            let set_aside = Ledger::begin_anew(&path, key.expose(), now)?;
            return Ok(RestoredView {
                backup_made_at: None,
                set_aside: set_aside.map(|path| path.display().to_string()),
                passed_over: Vec::new(),
            });
        }
        Ok(Ledger::restore_latest(&path, &Ledger::backups_beside(&path), key.expose(), now)?.into())
    })
    .await
}

/// Puts a profile's key back into the keychain, unless it is another profile's.
pub async fn recover_key(
    folder: ProfileFolder,
    lock: ProfileLock,
    recovery: RecoveryKey,
    now: DateTime<Utc>,
) -> Result<(), EngineError> {
    if folder.identity_or(recovery.profile)? != recovery.profile {
        return Err(EngineError::OtherProfilesKey);
    }
    let key = ProfileKey::from_hex(recovery.key.expose_secret())?;
    let (bytes, path) = (*key.expose(), folder.ledger());
    blocking(move || {
        // A damaged ledger is seen to at the next opening; a key that opens nothing is not this profile's.
        match Ledger::was_at(&path)?.then(|| Ledger::open(&path, &bytes, now)) {
            Some(Err(error @ StoreError::WrongKey(_))) => Err(error.into()),
            _ => Ok(()),
        }
    })
    .await?;
    pass(CrashPoint::KeyChecked);
    Vault::open(recovery.profile).await?.restore_profile_key(&key).await?;
    pass(CrashPoint::KeyRecovered);
    drop(lock);
    Ok(())
}

impl Engine {
    /// The backups of the ledger, newest first.
    pub async fn backups(&self) -> Result<Vec<BackupView>, EngineError> {
        let folder = self.folder.clone();
        blocking(move || backups(&folder)).await
    }

    /// Makes a backup of the ledger now.
    pub async fn back_up(&self, now: DateTime<Utc>) -> Result<BackupView, EngineError> {
        let (folder, key) = (Ledger::backups_beside(&self.folder.ledger()), self.key().clone());
        let made = self
            .ledger(move |ledger| ledger.back_up(&folder, key.expose(), now, NIGHTLY_BACKUPS_KEPT))
            .await?;
        tracing::info!(backup = %made.made_at, "the ledger was backed up");
        Ok(made.into())
    }

    /// The profile's key, for a recovery file.
    pub fn recovery_key(&self) -> RecoveryKey {
        RecoveryKey { profile: self.identity(), key: SecretString::from(self.key().to_hex().as_str()) }
    }

    /// Does once a day, after two o'clock at night or as soon as it can, what keeps the data safe and small: a backup of
    /// the ledger, and forgetting what is older than the retention. What fails is logged and tried again an hour later; a
    /// backup that fails is told once a day. `on_event` is told what the desktop is to show. Whether there was anything to
    /// do.
    pub async fn keep_house(&self, now: DateTime<Utc>, on_event: &OnEvent) -> Result<bool, EngineError> {
        let kept = self.tidy_up(now).await;
        self.announce_unseen(on_event);
        kept
    }

    async fn tidy_up(&self, now: DateTime<Utc>) -> Result<bool, EngineError> {
        let day = (now.with_timezone(&Local).naive_local() - NIGHT).date();
        let pausing = self.house.again().is_some_and(|again| (now..=now + PAUSE).contains(&again));
        if pausing || self.running().is_some() {
            return Ok(false);
        }
        self.record_ended_runs().await?;
        let text = self.ledger(|ledger| ledger.value(HOUSE)).await?;
        let mut house: House = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        if house.backed_up == Some(day) && house.tidied == Some(day) {
            return Ok(false);
        }
        *self.house.again() = Some(now + PAUSE);
        let mut told = Vec::new();
        if house.backed_up != Some(day) {
            match self.back_up(now).await {
                Ok(_) => house.backed_up = Some(day),
                Err(error) => {
                    tracing::error!(code = error.code(), "the ledger could not be backed up");
                    let told_without_ledger = self.house.told().replace(day) == Some(day);
                    if house.told != Some(day) && !told_without_ledger {
                        house.told = Some(day);
                        told.push(Happening::BackupFailed(reason(&error)));
                    }
                }
            }
        }
        if house.tidied != Some(day) {
            match self.tidy(now).await {
                Ok(()) => house.tidied = Some(day),
                Err(error) => tracing::error!(code = error.code(), "what is too old could not be forgotten"),
            }
        }
        let done = house.backed_up == Some(day) && house.tidied == Some(day);
        let text = serde_json::to_string(&house).unwrap_or_default();
        let noted = self.note_beside(told.clone(), now, Some((HOUSE, text))).await;
        if let Err(error) = &noted {
            // On a full disk, where the backup failed as well: somebody has to hear of it.
            tracing::warn!(code = error.code(), "what was done for the data can't be noted");
            self.note_beside_all_the_same(told, now).await;
        }
        self.wake_sending();
        if done && noted.is_ok() {
            *self.house.again() = None;
        }
        Ok(true)
    }

    /// Forgets what is older than the retention, and removes the files we moved before that in Raptor's folder: tardy files to
    /// `processed/`, roster files to `roster/not-in-use/`.
    async fn tidy(&self, now: DateTime<Utc>) -> Result<(), EngineError> {
        let setup = self.setup().await?;
        let cutoff = now - setup.retention();
        // What happened since the backup is still to be read from these files. Where a source stays switched off, they
        // are kept no longer than anything else.
        if self.ledger(Ledger::restoration).await?.is_some_and(|restoration| restoration.at >= cutoff) {
            return Ok(());
        }
        let removed = self.forget_kept_files(PathBuf::from(&setup.raptor.folder), cutoff).await?;
        let forgotten = self.ledger(move |ledger| ledger.forget_before(cutoff)).await?;
        tracing::info!(
            files = removed,
            runs = forgotten.runs,
            writes = forgotten.writes,
            "what is too old is gone"
        );
        Ok(())
    }

    /// Removes files that we moved to `processed/` or `roster/not-in-use/` before `cutoff`: how many.
    async fn forget_kept_files(&self, folder: PathBuf, cutoff: DateTime<Utc>) -> Result<usize, EngineError> {
        let kept = blocking(move || {
            let processed = raptor::processed_files(&folder)?.into_iter();
            let processed =
                processed.map(|(path, changed)| (raptor::names_before_moving(&path), path, changed));
            let rosters = raptor::files_not_in_use(&folder)?.into_iter();
            let rosters = rosters.map(|(path, changed)| (vec![raptor::kept_name(&path)], path, changed));
            Ok(processed.chain(rosters).collect::<Vec<_>>())
        })
        .await?;
        let mut removed = 0;
        for (names, path, changed) in kept {
            // What was changed since can't have been moved there before.
            if changed >= cutoff {
                continue;
            }
            let hashed = path.clone();
            let sha256 = blocking(move || raptor::content_hash(&hashed)).await?;
            let ours = self
                .ledger(move |ledger| {
                    names.iter().try_fold(false, |ours, name| {
                        Ok(ours || ledger.file_seen_before(Source::Raptor, name, &sha256, cutoff)?)
                    })
                })
                .await?;
            if ours {
                blocking(move || {
                    fs::remove_file(&path).map_err(|source| EngineError::io("remove", &path, source))
                })
                .await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Tells once that the ledger was restored.
    pub(crate) async fn tell_restoration(&self, now: DateTime<Utc>) -> Result<(), EngineError> {
        let Some(restoration) = self.ledger(Ledger::restoration).await? else { return Ok(()) };
        let Some(backup_made_at) = restoration.backup_made_at else { return Ok(()) };
        let which = restoration.at.to_rfc3339();
        if self.ledger(|ledger| ledger.value(TOLD)).await?.as_deref() == Some(which.as_str()) {
            return Ok(());
        }
        self.note_beside(vec![Happening::LedgerRestored { backup_made_at }], now, Some((TOLD, which))).await
    }

    /// When a backup took the ledger's place last.
    pub(crate) async fn restored_at(&self) -> Result<Option<DateTime<Utc>>, EngineError> {
        let told = self.ledger(|ledger| ledger.value(TOLD)).await?;
        let at = told.and_then(|told| DateTime::parse_from_rfc3339(&told).ok());
        Ok(at.map(|at| at.to_utc()))
    }

    /// Records the ends of runs that the ledger did not take before.
    pub(crate) async fn record_ended_runs(&self) -> Result<(), EngineError> {
        loop {
            let Some(EndedRun { id, outcome, cause, at }) = self.house.unrecorded().first().cloned() else {
                return Ok(());
            };
            self.ledger(move |ledger| ledger.finish_run(id, outcome, cause.as_ref(), at)).await?;
            self.house.unrecorded().retain(|run| run.id != id);
        }
    }
}
