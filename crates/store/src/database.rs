//! What both files share: encryption, owner-only files, durable renames, and the forms values take in columns.

use std::{
    fs::{self, File, OpenOptions},
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, NaiveDate, Utc};
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_files::{is_open_elsewhere, owner_only, sync_folder};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, config::DbConfig};
use zeroize::Zeroizing;

use crate::{ProfileKeyBytes, StoreError};

/// How long a statement waits for another connection's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// SQLCipher's own default, spelled out because it has to be the same at every opening. Larger pages scan up to a tenth
/// faster, but once a roster outgrows the cache its keyed reads take a fifth (8 KiB) to twice (16 KiB) as long.
const PAGE_SIZE: &str = "PRAGMA cipher_page_size = 4096;";
/// The same, in bytes.
pub const PAGE_BYTES: u64 = 4096;
/// A file begins with 16 random bytes, its salt.
const SALT_BYTES: usize = 16;
/// Faults of a damaged file that are named; the others say nothing more.
const FAULTS_NAMED: usize = 10;

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
    let mut options = owner_only::options();
    let file = options.write(true).create(true).truncate(false).open(path);
    let file = file.map_err(|source| StoreError::io("create", path, source))?;
    owner_only::protect(&file).map_err(|source| StoreError::io("protect", path, source))
}

/// Creates a missing folder, open to its owner only. An existing one is left as it is: it may not be ours alone.
pub fn create_folder(folder: &Path) -> Result<(), StoreError> {
    owner_only::create_folder(folder).map_err(|source| StoreError::io("create", folder, source))
}

/// Opens an existing (possibly empty) file with a raw SQLCipher key and makes sure it can be read with it. A file whose
/// beginning can't be read is [`StoreError::Damaged`] if the key fits any of its pages, else [`StoreError::WrongKey`].
///
/// A log beside the file stays as it is when the connection is closed, unless [`fold_log_on_close`] is called.
pub fn connect(path: &Path, key: &ProfileKeyBytes, access: Access) -> Result<Connection, StoreError> {
    let connection = open_with_key(path, key, access)?;
    let version: Option<String> =
        connection.query_row("PRAGMA cipher_version", [], |row| row.get(0)).optional()?;
    if version.is_none_or(|version| version.is_empty()) {
        return Err(StoreError::NotEncrypted);
    }
    // The first read of a page is what shows whether the key fits.
    let first_read = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    if let Err(error) = first_read {
        if error.sqlite_error_code() != Some(ErrorCode::NotADatabase) {
            return Err(StoreError::from(error).of_file(path));
        }
        drop(connection);
        return Err(if key_fits_a_page(path, key)? {
            StoreError::damaged(path, "its beginning is not what was written")
        } else {
            StoreError::WrongKey(path.to_owned())
        });
    }
    connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;")?;
    Ok(connection)
}

/// Lets the last connection that is closed write the log into the file and remove it, as SQLite does by default. For a
/// file that has been checked: a damaged one is to be set aside as it was found.
pub fn fold_log_on_close(connection: &Connection) -> Result<(), StoreError> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(())
}

/// Opens a file and sets its key, without reading anything of it.
fn open_with_key(path: &Path, key: &ProfileKeyBytes, access: Access) -> Result<Connection, StoreError> {
    let flags = match access {
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
    } | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // SQLCipher logs to standard error by default; what matters of it comes back as an error code.
    connection.execute_batch("PRAGMA cipher_log_level = NONE;")?;
    let statement = key_statement(key);
    // The error's text could hold the statement, and so the key.
    connection.execute_batch(&statement).map_err(|_| StoreError::WrongKey(path.to_owned()))?;
    drop(statement);
    connection.execute_batch(PAGE_SIZE)?;
    Ok(connection)
}

/// Whether some page of a file that can't be opened was written with this key: each carries an authentication code of
/// its own, so that a damaged beginning can be told from a wrong key. A file that begins with zeros was damaged too:
/// that is what a power cut leaves of blocks that were never written. Nothing can be said if only the salt is damaged,
/// since the codes depend on it.
fn key_fits_a_page(path: &Path, key: &ProfileKeyBytes) -> Result<bool, StoreError> {
    let mut salt = [0; SALT_BYTES];
    let read = File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.read_exact(&mut salt)?;
        Ok(length)
    });
    let length = match read {
        Ok(length) => length,
        // Not even a salt.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(true),
        Err(source) => return Err(StoreError::io("read", path, source)),
    };
    if salt == [0; SALT_BYTES] {
        return Ok(true);
    }
    let connection = open_with_key(path, key, Access::Read)?;
    let mut statement = connection.prepare("PRAGMA cipher_integrity_check")?;
    let mut rows = statement.query([])?;
    let mut faults: u64 = 0;
    while rows.next()?.is_some() {
        faults += 1;
    }
    // A last page cut short is counted as a fault as well.
    Ok(faults < length.div_ceil(PAGE_BYTES))
}

/// What one of SQLite's checks finds, at most ten faults.
fn faults(connection: &Connection, check: &str) -> Result<Vec<String>, StoreError> {
    let found = (|| {
        let mut statement = connection.prepare(check)?;
        let mut rows = statement.query([])?;
        let mut faults = Vec::new();
        while let Some(row) = rows.next()?
            && faults.len() < FAULTS_NAMED
        {
            let fault: String = row.get(0)?;
            // SQLite's way to say that there is none.
            if fault != "ok" {
                faults.push(fault);
            }
        }
        Ok(faults)
    })();
    match found.map_err(|error: rusqlite::Error| StoreError::from(error)) {
        Err(StoreError::Corrupt(fault)) => Ok(vec![fault]),
        found => found,
    }
}

/// Reads every page in use, the log's included, and checks that it is what was written and that the tables hold
/// together. Whether the indexes agree with them is left out.
pub fn check_pages(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    answer(path, &faults(connection, "PRAGMA quick_check(10)")?)
}

/// Checks everything: each page's authentication code in the file, the structure with the indexes, and the references.
pub fn check_all(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let mut found = faults(connection, "PRAGMA cipher_integrity_check")?;
    found.append(&mut content_faults(connection)?);
    found.truncate(FAULTS_NAMED);
    answer(path, &found)
}

/// Checks the structure with the indexes, and the references, as a reader sees them: others may write meanwhile. Damage
/// is [`StoreError::Corrupt`].
pub fn check_contents(connection: &Connection) -> Result<(), StoreError> {
    let found = content_faults(connection)?;
    if found.is_empty() { Ok(()) } else { Err(StoreError::Corrupt(found.join("; "))) }
}

fn content_faults(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut found = faults(connection, "PRAGMA integrity_check(10)")?;
    if found.is_empty() {
        let dangling: i64 =
            connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))?;
        if dangling > 0 {
            found.push(format!("{dangling} rows refer to rows that are missing"));
        }
    }
    Ok(found)
}

fn answer(path: &Path, faults: &[String]) -> Result<(), StoreError> {
    if faults.is_empty() { Ok(()) } else { Err(StoreError::damaged(path, faults.join("; "))) }
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
    pass(CrashPoint::ReplacementFlushed);
    rename(new, place)?;
    pass(CrashPoint::ReplacementRenamed);
    sync_folder_of(place)
}

/// Renames a file.
pub fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(|source| {
        if is_open_elsewhere(&source) { StoreError::Busy } else { StoreError::io("rename", from, source) }
    })
}

/// Makes a rename in a file's folder durable.
pub fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    sync_folder(folder).map_err(|source| StoreError::io("flush", folder, source))
}

/// Removes a database file and what SQLite keeps beside it, as far as they exist.
pub fn remove(path: &Path) -> Result<(), StoreError> {
    SUFFIXES.iter().try_for_each(|suffix| remove_file(&beside(path, suffix)))
}

/// What SQLite appends to a database's name for the files it keeps beside it, and the database's own name.
pub const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Removes a file, if it exists.
pub fn remove_file(file: &Path) -> Result<(), StoreError> {
    match fs::remove_file(file) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::io("remove", file, source))
        }
        _ => Ok(()),
    }
}

/// The empty file beside a database that says that it is damaged, so that it is not opened again.
pub fn damage_mark(path: &Path) -> PathBuf {
    beside(path, "-damaged")
}

/// A file's path with something appended to its name.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Writes a copy, encrypted with the same key, to `copy`. The original may be written meanwhile: the copy is of the
/// moment it was begun. Every page in use is read and its authentication code checked.
pub fn copy_to(connection: &Connection, copy: &Path) -> Result<(), StoreError> {
    remove(copy)?;
    // VACUUM INTO accepts an existing empty file, which is how the copy gets its mode.
    owner_only(copy)?;
    let text = copy.to_str().ok_or_else(|| {
        StoreError::io("name", copy, std::io::Error::from(std::io::ErrorKind::InvalidFilename))
    })?;
    connection.execute("VACUUM INTO ?1", [text])?;
    Ok(())
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
