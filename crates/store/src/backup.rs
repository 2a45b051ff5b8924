//! Backups of the ledger: copies of a moment, checked before they get their name.
//!
//! They are called `ledger-YYYYMMDDTHHMMSSZ.db`, those made before a change of layout
//! `ledger-YYYYMMDDTHHMMSSZ-before-layout-N.db`. A file of another name in their folder is left alone.

use std::{
    cmp::Reverse,
    fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use rosterbridge_crash_points::{CrashPoint, pass};
use rusqlite::Connection;

use crate::{
    ProfileKeyBytes, StoreError,
    database::{self, Access},
};

/// How many backups to keep when one is made each night: a week.
pub const NIGHTLY_BACKUPS_KEPT: usize = 7;
/// How long a backup made before a change of layout stays: long enough to notice that the new version does harm.
const BEFORE_LAYOUT_KEPT: TimeDelta = TimeDelta::days(30);
/// The time in a name.
const STAMP: &str = "%Y%m%dT%H%M%SZ";
/// What a backup is called until it is complete and checked.
const PARTIAL: &str = ".part";

/// A backup of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The file.
    pub path: PathBuf,
    /// When it was made, to the second, by its name. After the clock was put back, a second later than the backup before
    /// it: the order is always the one they were made in.
    pub made_at: DateTime<Utc>,
    /// For one made before a change of layout, the number of the new layout.
    pub before_layout: Option<i64>,
}

impl Backup {
    /// Reads a backup's name; `None` for any other file.
    fn from_path(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_prefix("ledger-")?.strip_suffix(".db")?;
        let (stamp, before_layout) = match name.split_once("-before-layout-") {
            Some((stamp, layout)) => (stamp, Some(layout.parse().ok()?)),
            None => (name, None),
        };
        let made_at = NaiveDateTime::parse_from_str(stamp, STAMP).ok()?.and_utc();
        Some(Self { path, made_at, before_layout })
    }
}

/// The backups in a folder, newest first; none if there is no such folder.
pub fn list(folder: &Path) -> Result<Vec<Backup>, StoreError> {
    let mut backups: Vec<_> = files(folder)?.into_iter().filter_map(Backup::from_path).collect();
    backups.sort_by(|a, b| (Reverse(a.made_at), &a.path).cmp(&(Reverse(b.made_at), &b.path)));
    Ok(backups)
}

/// The paths of what is in a folder; none if it does not exist.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let unreadable = |source| StoreError::io("list", folder, source);
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry.map_err(unreadable)?.path())).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(unreadable(source)),
    }
}

/// Checks the ledger that `connection` has open, copies it into `folder`, and checks the copy before it gets its name.
/// Damage of the ledger itself is [`StoreError::Corrupt`], that of the copy names the copy.
pub(crate) fn make(
    connection: &Connection,
    folder: &Path,
    key: &ProfileKeyBytes,
    at: DateTime<Utc>,
    before_layout: Option<i64>,
) -> Result<Backup, StoreError> {
    // A copy has indexes of its own: those of the ledger are seen here only.
    database::check_contents(connection)?;
    database::create_folder(folder)?;
    // What a backup that was cut short left behind.
    for file in files(folder)? {
        if is_partial(&file) {
            database::remove(&file)?;
        }
    }
    let newest = list(folder)?.first().map(|backup| backup.made_at + TimeDelta::seconds(1));
    let made_at = newest.map_or(at, |newest| at.max(newest));
    let kind = before_layout.map(|layout| format!("-before-layout-{layout}")).unwrap_or_default();
    let path = folder.join(format!("ledger-{}{kind}.db", made_at.format(STAMP)));
    let partial = database::beside(&path, PARTIAL);
    // The ledger was whole a moment ago: what is not so now is the copy.
    let copied = database::copy_to(connection, &partial).map_err(|error| error.of_file(&partial));
    let copied = copied.and_then(|()| {
        pass(CrashPoint::BackupCopied);
        check(&partial, key)
    });
    if copied.is_err() {
        // The reason is worth more than what is left behind, which the next backup removes.
        if let Err(error) = database::remove(&partial) {
            tracing::warn!(code = error.code(), "an unfinished backup stays behind");
        }
    }
    copied?;
    pass(CrashPoint::BackupChecked);
    database::replace(&partial, &path)?;
    pass(CrashPoint::BackupNamed);
    let made_at = made_at - TimeDelta::nanoseconds(i64::from(made_at.timestamp_subsec_nanos()));
    Ok(Backup { path, made_at, before_layout })
}

/// Whether a file is a backup that was never finished.
pub(crate) fn is_partial(file: &Path) -> bool {
    file.extension().is_some_and(|extension| *extension == *PARTIAL.trim_start_matches('.'))
        && Backup::from_path(file.with_extension("")).is_some()
}

/// Whether a file is a backup, finished or not, or what SQLite keeps beside one.
pub(crate) fn is_ours(file: &Path) -> bool {
    let Some(name) = file.to_str() else { return false };
    database::SUFFIXES.iter().filter_map(|suffix| name.strip_suffix(suffix)).any(|name| {
        let file = PathBuf::from(name);
        is_partial(&file) || Backup::from_path(file).is_some()
    })
}

/// Checks a whole ledger that nobody has open.
pub(crate) fn check(path: &Path, key: &ProfileKeyBytes) -> Result<(), StoreError> {
    let connection = database::connect(path, key, Access::Read)?;
    database::check_all(&connection, path).map_err(|error| error.of_file(path))
}

/// Removes backups that are not to be kept: see [`crate::Ledger::back_up`]. The newest always stays. What can't be
/// removed is tried again with the next backup.
pub(crate) fn remove_old(folder: &Path, keep: usize, at: DateTime<Utc>) {
    let removed = list(folder).and_then(|backups| {
        let (before_layout, regular): (Vec<_>, Vec<_>) =
            backups.into_iter().partition(|backup| backup.before_layout.is_some());
        let outdated = before_layout.into_iter().filter(|backup| backup.made_at < at - BEFORE_LAYOUT_KEPT);
        regular.into_iter().skip(keep.max(1)).chain(outdated).try_for_each(|backup| {
            database::remove(&backup.path)?;
            pass(CrashPoint::BackupPruned);
            Ok(())
        })
    });
    if let Err(error) = removed {
        tracing::warn!(code = error.code(), "an old backup could not be removed");
    }
}
