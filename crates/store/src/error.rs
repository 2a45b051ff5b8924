//! Why a database can't be used.

use std::path::{Path, PathBuf};

use rusqlite::{Error as Sqlite, ErrorCode};

/// Anything that stops a database. Messages hold no value of a row and no key.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No page of the file was written with this key, and neither was a backup of it.
    #[error("{} does not open with this profile's key", .0.display())]
    WrongKey(PathBuf),
    /// A newer version of the program wrote the file.
    #[error("{} was written by a newer RosterBridge (layout {found}, this one knows {known})", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its layout number.
        found: i64,
        /// The newest layout this program knows.
        known: i64,
    },
    /// The file as a whole is not what was written: it was found so when it was opened or checked.
    #[error("{} is damaged: {found}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, in SQLite's words or ours.
        found: String,
    },
    /// What is read is not what was written, which showed while a file was in use.
    #[error("a database is damaged: {0}")]
    Corrupt(String),
    /// There is no backup to restore, or none that is whole.
    #[error("no usable backup in {}; {tried} were tried", folder.display())]
    NoBackup {
        /// Where backups are.
        folder: PathBuf,
        /// How many are there that can't be used.
        tried: usize,
    },
    /// No room.
    #[error("the disk is full")]
    DiskFull,
    /// The system can't read or write the file.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// SQLite could not read or write its file.
    #[error("a database file could not be read or written: {0}")]
    File(#[source] Sqlite),
    /// Another process holds the file.
    #[error("a database is in use by another program")]
    Busy,
    /// This build has no SQLCipher: going on would write plain text.
    #[error("this build of RosterBridge can't encrypt its databases")]
    NotEncrypted,
    /// PowerSchool sent a row twice.
    #[error("PowerSchool sent two rows with the same key in {0}")]
    DuplicateRow(&'static str),
    /// The record already has a write under way.
    #[error("line {line}: an earlier write of the same attendance record is not settled yet")]
    UnsettledWrite {
        /// The line of the row that wants another write.
        line: u64,
    },
    /// The outbox row is in no state from which this follows.
    #[error("outbox row {id} is not under way in a state that allows this")]
    NotInState {
        /// The outbox row.
        id: i64,
    },
    /// Another host key of the server and of this type counts as accepted.
    #[error("another {algorithm} host key of {host}:{port} is accepted, and none takes its place unasked")]
    HostKeyAccepted {
        /// The server.
        host: String,
        /// Its port.
        port: u16,
        /// The key's type.
        algorithm: String,
    },
    /// No such row.
    #[error("the ledger has no {0}")]
    NotFound(&'static str),
    /// Any other answer of SQLite's.
    #[error("the database refused an operation: {0}")]
    Refused(#[source] Sqlite),
}

impl StoreError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::WrongKey(_) => "store.wrong_key",
            Self::NewerSchema { .. } => "store.newer_schema",
            Self::Damaged { .. } => "store.damaged",
            Self::Corrupt(_) => "store.corrupt",
            Self::NoBackup { .. } => "store.no_backup",
            Self::DiskFull => "store.disk_full",
            Self::Io { .. } | Self::File(_) => "store.io",
            Self::Busy => "store.busy",
            Self::NotEncrypted => "store.not_encrypted",
            Self::DuplicateRow(_) => "store.duplicate_row",
            Self::UnsettledWrite { .. } => "store.unsettled_write",
            Self::NotInState { .. } => "store.not_in_state",
            Self::HostKeyAccepted { .. } => "store.host_key_accepted",
            Self::NotFound(_) => "store.not_found",
            Self::Refused(_) => "store.refused",
        }
    }

    /// What the person can do.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::WrongKey(_) => {
                "Make sure this is the account that set the district up and that its keychain holds the key. If the profile's folder was copied from elsewhere, put its own one back."
            }
            Self::NewerSchema { .. } => {
                "Install the newer RosterBridge again, or restore the backup made before it."
            }
            Self::Damaged { .. } => {
                "Quit RosterBridge from the menu of its icon, not only its window, and start it again; where it runs as a service, restart that. The last backup is restored, the damaged file set aside, and what happened since read again; what is changed in the set-up before that is lost."
            }
            Self::Corrupt(_) => {
                "Run again. The roster is read anew by itself; a damaged ledger is found when it is opened, and can be restored from its last backup."
            }
            Self::NoBackup { .. } => {
                "Put a backup of your own of the profile's folder in its place. Without one, begin an empty ledger with 'rosterbridge backup restore --begin-anew' and set the district up again: the damaged file is kept."
            }
            Self::DiskFull => "Free some space on the disk that holds the profile, then run again.",
            Self::Io { .. } | Self::File(_) => {
                "Check that the profile's folder exists and that this account may read and write it, then run again."
            }
            Self::Busy => {
                "Close other programs that use the profile's folder (a backup, a virus scanner, another RosterBridge), then run again."
            }
            Self::NotEncrypted => "Install RosterBridge from an official package.",
            Self::DuplicateRow(_) => "Run again: the table probably changed while it was being read.",
            Self::UnsettledWrite { .. } => "Run again: writes under way are settled first.",
            Self::NotInState { .. } => "Run again: the ledger is read afresh.",
            Self::HostKeyAccepted { .. } => {
                "Ask whoever runs the server whether its host key was replaced. If so, test the connection and choose 'Replace the accepted host key'."
            }
            Self::NotFound(_) => "Refresh the list: somebody may have dealt with it already.",
            Self::Refused(_) => "Run again. If it stays, report it with the message above.",
        }
    }

    /// A [`StoreError::Io`], or [`StoreError::DiskFull`] if that is what the system says.
    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull,
            std::io::ErrorKind::ResourceBusy => Self::Busy,
            _ => Self::Io { action, path: path.to_owned(), source },
        }
    }

    /// A [`StoreError::Damaged`].
    pub(crate) fn damaged(path: &Path, found: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), found: found.into() }
    }

    /// Names the file, where damage was found without knowing which file it was in.
    pub(crate) fn of_file(self, path: &Path) -> Self {
        match self {
            Self::Corrupt(found) => Self::damaged(path, found),
            other => other,
        }
    }

    /// Text in a column that this program never writes there.
    pub(crate) fn unreadable(column: &'static str) -> Self {
        Self::Corrupt(format!("unknown content in {column}"))
    }
}

impl From<Sqlite> for StoreError {
    fn from(error: Sqlite) -> Self {
        // The file that several connections share can't grow: that is the first thing a full disk refuses.
        if error
            .sqlite_error()
            .is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
        {
            return Self::DiskFull;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Corrupt(error.to_string()),
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied,
            ) => Self::File(error),
            Some(_) => Self::Refused(error),
            None => match error {
                Sqlite::FromSqlConversionFailure(..)
                | Sqlite::IntegralValueOutOfRange(..)
                | Sqlite::InvalidColumnType(..)
                | Sqlite::Utf8Error(..) => Self::Corrupt(error.to_string()),
                _ => Self::Refused(error),
            },
        }
    }
}
