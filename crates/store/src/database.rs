//! What both files share: encryption, owner-only files, durable renames, and the forms values take in columns.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, NaiveDate, Utc};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use zeroize::Zeroizing;

use crate::{ProfileKeyBytes, StoreError};

/// How long a statement waits for another connection's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// SQLCipher's own default, spelled out because it has to be the same at every opening. Larger pages scan up to a tenth
/// faster, but once a roster outgrows the cache its keyed reads take a fifth (8 KiB) to twice (16 KiB) as long.
const PAGE_SIZE: &str = "PRAGMA cipher_page_size = 4096;";

/// Whether a connection may write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads and writes an existing file.
    Write,
    /// Only reads.
    Read,
}

/// Creates an empty file only its owner may read, or makes an existing one so. SQLite gives `-wal`, `-shm` and
/// journal files the mode of the main file, so they follow. On Windows the profile's folder carries the protection.
pub fn owner_only(path: &Path) -> Result<(), StoreError> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let file = options.open(path).map_err(|source| StoreError::io("create", path, source))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(fs::Permissions::from_mode(0o600))
            .map_err(|source| StoreError::io("protect", path, source))?;
    }
    drop(file);
    Ok(())
}

/// Creates a missing folder, open to its owner only. An existing one is left as it is: it may not be ours alone.
fn create_folder(folder: &Path) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder).map_err(|source| StoreError::io("create", folder, source))
}

/// Opens an existing (possibly empty) file with a raw SQLCipher key and makes sure it can be read with it.
pub fn connect(path: &Path, key: &ProfileKeyBytes, access: Access) -> Result<Connection, StoreError> {
    let flags = match access {
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
    } | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // SQLCipher logs to standard error by default; what matters of it comes back as an error code.
    connection.execute_batch("PRAGMA cipher_log_level = NONE;")?;
    let statement = key_statement(key);
    // The error's text could hold the statement, and so the key.
    connection.execute_batch(&statement).map_err(|_| StoreError::WrongKey(path.to_owned()))?;
    drop(statement);
    connection.execute_batch(PAGE_SIZE)?;
    let version: Option<String> =
        connection.query_row("PRAGMA cipher_version", [], |row| row.get(0)).optional()?;
    if version.is_none_or(|version| version.is_empty()) {
        return Err(StoreError::NotEncrypted);
    }
    // The first read of a page is what shows whether the key fits.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(
        |error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => StoreError::WrongKey(path.to_owned()),
            _ => error.into(),
        },
    )?;
    connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;")?;
    Ok(connection)
}

/// `PRAGMA key` with a raw key, wiped when dropped.
fn key_statement(key: &ProfileKeyBytes) -> Zeroizing<String> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    // Exactly as long as needed: growing would leave an unwiped copy behind.
    let mut statement = Zeroizing::new(String::with_capacity(96));
    statement.push_str("PRAGMA key = \"x'");
    for byte in key {
        statement.push(char::from(DIGITS[usize::from(byte >> 4)]));
        statement.push(char::from(DIGITS[usize::from(byte & 0x0f)]));
    }
    statement.push_str("'\";");
    statement
}

/// The layout number of a file; 0 when nothing was created in it yet.
pub fn user_version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Puts a closed file on the disk, then in the place of another, so that a power cut leaves one of the two whole.
pub fn replace(new: &Path, place: &Path) -> Result<(), StoreError> {
    OpenOptions::new()
        .write(true)
        .open(new)
        .and_then(|file| file.sync_all())
        .map_err(|source| StoreError::io("flush", new, source))?;
    fs::rename(new, place).map_err(|source| {
        // Windows refuses to replace a file somebody has open.
        if cfg!(windows) && source.kind() == std::io::ErrorKind::PermissionDenied {
            StoreError::Busy
        } else {
            StoreError::io("replace", place, source)
        }
    })?;
    sync_folder_of(place)
}

/// Makes a rename in a file's folder durable. Windows has no such call and needs none.
fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    if cfg!(unix)
        && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
    {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| StoreError::io("flush", folder, source))?;
    }
    Ok(())
}

/// Removes a database file and what SQLite keeps beside it, as far as they exist.
pub fn remove(path: &Path) -> Result<(), StoreError> {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        let file = beside(path, suffix);
        match fs::remove_file(&file) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(StoreError::io("remove", &file, source)),
        }
    }
    Ok(())
}

/// A file's path with something appended to its name.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Writes a copy, encrypted with the same key, to a new file, and puts it in its place once it is complete.
pub fn copy_to(connection: &Connection, place: &Path) -> Result<(), StoreError> {
    let partial = beside(place, ".part");
    remove(&partial)?;
    // VACUUM INTO accepts an existing empty file, which is how the copy gets its mode.
    owner_only(&partial)?;
    let text = partial.to_str().ok_or_else(|| {
        StoreError::io("name", &partial, std::io::Error::from(std::io::ErrorKind::InvalidFilename))
    })?;
    let copied = connection.execute("VACUUM INTO ?1", [text]).map_err(StoreError::from);
    if copied.is_err() {
        remove(&partial)?;
    }
    copied?;
    replace(&partial, place)
}

/// A count as SQLite's signed integer. Counts of rows, bytes and lines are far below the limit.
pub fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// An instant as a column: milliseconds since 1970.
pub fn from_instant(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

/// An instant from a column.
pub fn to_instant(millis: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_millis(millis).ok_or_else(|| StoreError::unreadable("a time"))
}

/// A date from a ledger column, `YYYY-MM-DD`.
pub fn to_date(text: &str) -> Result<NaiveDate, StoreError> {
    text.parse().map_err(|_| StoreError::unreadable("a date"))
}
