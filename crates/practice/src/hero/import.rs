//! What Hero does with the three files: it takes them in and notes what it could not read.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use csv::ByteRecord;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    account::{Account, HeroLevel, HeroTaking},
    export::put,
};

/// The student file's exact name, case included (Hero: import settings).
pub(crate) const STUDENTS: &str = "STUDENT.TXT";
/// The schedule file's exact name.
pub(crate) const SCHEDULE: &str = "SCHEDULE.TXT";
/// The teacher file's exact name; only its extension is lower case in Hero's procedure.
pub(crate) const TEACHERS: &str = "TEACHER.txt";
/// In the order they are read.
pub(crate) const IMPORT_FILES: [&str; 3] = [STUDENTS, SCHEDULE, TEACHERS];

const STUDENT_FIELDS: usize = 12;
/// A group-level account has the SchoolID in front of the student fields.
const GROUP_STUDENT_FIELDS: usize = 13;
const SCHEDULE_FIELDS: usize = 12;
const TEACHER_FIELDS: usize = 7;

/// Problems listed per file; the rest are only counted.
const LISTED_PROBLEMS: usize = 20;

/// What Hero read in a file the last time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    /// How many times a file of this name was read.
    pub times: u32,
    /// Rows taken.
    pub rows: usize,
    /// Rows not taken, a header row among them.
    pub skipped: usize,
    /// Columns of the first row.
    pub columns: usize,
    /// Whether the first row holds names of fields.
    pub header: bool,
    /// Whether fields are apart by tabs; else by commas.
    pub tabs: bool,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

/// Whether `name` is one of the three files an import consists of.
pub(super) fn is_import_file(name: &str) -> bool {
    IMPORT_FILES.contains(&name)
}

/// Takes in the files that are there. Says whether Hero now has all three, and so writes its exports. Blocking.
pub(super) fn import(account: &Account) -> io::Result<bool> {
    let present = present(&account.folder.imports())?;
    let taking = account.state().settings.taking;
    if taking == HeroTaking::Leave && present.len() < IMPORT_FILES.len() {
        return Ok(false);
    }
    let mut log = String::new();
    for file in present {
        let path = account.folder.imports().join(file);
        let mut known = HashSet::new();
        let report = match file {
            STUDENTS => {
                let widths = student_widths(account);
                let mut take =
                    |row: &ByteRecord| student(account, row).map(|number| _ = known.insert(number));
                take_in(&path, file, widths, &mut log, &mut take)?
            }
            SCHEDULE => {
                take_in(&path, file, &[SCHEDULE_FIELDS], &mut log, &mut |row| of_school(account, row))?
            }
            _ => take_in(&path, file, &[TEACHER_FIELDS], &mut log, &mut |row| of_school(account, row))?,
        };
        if taking != HeroTaking::Leave {
            fs::remove_file(&path)?;
        }
        let mut state = account.state();
        if file == STUDENTS {
            state.known = Some(known);
        }
        let times = state.reports.get(file).map_or(0, |before| before.times);
        state.reports.insert(file, FileReport { times: times + 1, ..report });
    }
    put(&account.folder.import_log(), &account.folder.root().join(".import-log.part"), log.as_bytes())?;
    Ok(account.state().reports.len() == IMPORT_FILES.len())
}

/// Compares names byte for byte, because a case-insensitive file system would accept more.
fn present(imports: &Path) -> io::Result<Vec<&'static str>> {
    let mut present = BTreeMap::new();
    for entry in fs::read_dir(imports)? {
        let name = entry?.file_name();
        if let Some(place) = IMPORT_FILES.iter().position(|wanted| name.to_str() == Some(wanted)) {
            present.insert(place, IMPORT_FILES[place]);
        }
    }
    Ok(present.into_values().collect())
}

/// An account of every school takes the files of both levels.
fn student_widths(account: &Account) -> &'static [usize] {
    match account.level {
        _ if account.schools.is_empty() => &[STUDENT_FIELDS, GROUP_STUDENT_FIELDS],
        HeroLevel::School => &[STUDENT_FIELDS],
        HeroLevel::Group => &[GROUP_STUDENT_FIELDS],
    }
}

fn student(account: &Account, row: &ByteRecord) -> Result<i64, &'static str> {
    let group = row.len() == GROUP_STUDENT_FIELDS;
    if group {
        of_school(account, row)?;
    }
    number(row, usize::from(group)).ok_or("the student number is not a number")
}

/// The SchoolID is the first field of every file that has one.
fn of_school(account: &Account, row: &ByteRecord) -> Result<(), &'static str> {
    // An account of every school asks nothing.
    if account.schools.is_empty() {
        return Ok(());
    }
    match number(row, 0) {
        Some(school) if account.takes_school(school) => Ok(()),
        Some(_) => Err("the school is not one of the account's"),
        None => Err("the school is not a number"),
    }
}

fn number(row: &ByteRecord, column: usize) -> Option<i64> {
    str::from_utf8(row.get(column)?).ok()?.trim().parse().ok()
}

/// Field lists begin with one of these names, whatever table they name it by.
fn is_header(row: &ByteRecord) -> bool {
    let first = row.get(0).and_then(|field| str::from_utf8(field).ok()).unwrap_or_default();
    let name = first.trim().rsplit(']').next().unwrap_or_default();
    ["student_number", "schoolid"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Reads one file record by record, hands the good ones on and logs the others.
fn take_in(
    path: &Path,
    name: &str,
    widths: &[usize],
    log: &mut String,
    take: &mut dyn FnMut(&ByteRecord) -> Result<(), &'static str>,
) -> io::Result<FileReport> {
    let mut file = BufReader::new(Hashed { file: File::open(path)?, sha256: Sha256::new(), bytes: 0 });
    // Hero's import is set to tab or comma; tab files are never quoted, comma files follow RFC 4180.
    let tab = {
        let start = file.fill_buf()?;
        let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
        line.contains(&b'\t')
    };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(if tab { b'\t' } else { b',' })
        .quoting(!tab)
        .from_reader(file);

    let mut report = FileReport { tabs: tab, ..FileReport::default() };
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        if report.columns == 0 {
            (report.columns, report.header) = (record.len(), is_header(&record));
        }
        let outcome = if report.header && report.rows + report.skipped == 0 {
            // Hero's imports are set to files without a header.
            Err("the names of fields are no row".to_owned())
        } else if widths.contains(&record.len()) {
            take(&record).map_err(str::to_owned)
        } else {
            Err(format!("{} columns instead of {}", record.len(), widths[0]))
        };
        match outcome {
            Ok(()) => report.rows += 1,
            Err(problem) => {
                report.skipped += 1;
                if report.skipped <= LISTED_PROBLEMS {
                    _ = writeln!(log, "imports/{name} line {line}: {problem}, skipped");
                }
            }
        }
    }
    _ = writeln!(log, "imports/{name}: {} rows taken, {} skipped", report.rows, report.skipped);
    let Hashed { sha256, bytes, .. } = reader.into_inner().into_inner();
    Ok(FileReport { bytes, sha256: hex::encode(sha256.finalize()), ..report })
}

/// A file and the hash of what was read of it.
struct Hashed {
    file: File,
    sha256: Sha256,
    bytes: u64,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.sha256.update(buffer.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }
}
