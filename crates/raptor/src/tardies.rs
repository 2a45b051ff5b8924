//! Tardies in: what Raptor recorded when students signed in late.

use std::io::Read;

use rosterbridge_domain::id::StudentNumber;
use serde::{Deserialize, Serialize};

use crate::{
    error::{FileError, RowError},
    records::{LARGEST_FILE, MultiLine, Record, Records},
    sign_in::SignInTime,
};

/// The columns of a tardy file. All but the last have to be there; their order is free.
pub const TARDY_COLUMNS: [&str; 5] = ["Building", "IdNumber", "SignInTime", "Reason", "Comment"];
/// The largest tardy file that is read, in bytes.
pub const LARGEST_TARDY_FILE: u64 = LARGEST_FILE;
/// The most rows of a tardy file.
const MOST_ROWS: usize = 100_000;
const REQUIRED: usize = 4;
const SIGN_IN_TIME: usize = 2;
const COMMENT: usize = 4;

/// A student signed in late. Values are without surrounding spaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tardy {
    /// Raptor's name of the building.
    pub building: String,
    /// IdNumber: PowerSchool's student number.
    pub student: StudentNumber,
    /// When.
    pub signed_in: SignInTime,
    /// Raptor's tardy code: a student reason of the building.
    pub reason: String,
    /// A remark; empty for none. May hold line breaks.
    pub comment: String,
}

/// A row of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TardyRow {
    /// Its first line, counted from 1 with the header.
    pub line: u64,
    /// Its text for a person, lines separated by LF. Bytes that are no characters stand as `\x81`; of a line that is
    /// too long only the beginning is kept, with `…` after it.
    pub raw: String,
    /// What it states, or why it cannot be used.
    pub parsed: Result<Tardy, RowError>,
}

/// A tardy file, read as its rows are asked for. A read error ends the iteration.
///
/// Comma or tab, with or without byte order mark, UTF-8 or windows-1252 (each row that is not UTF-8 is taken as
/// windows-1252, unless a byte order mark says UTF-8). Values may be quoted; a comment may go over several lines.
/// A quote that does not end spoils its own line only. A file that is larger than any tardy file ends with an error, so
/// that what is kept of one is bounded: 100,000 rows, 64 MiB.
pub struct TardyFile<R> {
    records: Records<R, 5>,
    rows: usize,
    /// Bytes of the rows' texts.
    text: u64,
    failed: bool,
}

impl<R: Read> TardyFile<R> {
    /// Reads the header. Refuses the file when a required column is missing.
    pub fn open(reader: R) -> Result<Self, FileError> {
        // A line that reads as a row of its own is no part of the comment before it.
        let comments = MultiLine {
            column: COMMENT,
            row_mark: SIGN_IN_TIME,
            is_mark: |text| SignInTime::parse(text).is_some(),
        };
        let records = Records::open(reader, TARDY_COLUMNS, REQUIRED, Some(comments))?;
        Ok(Self { records, rows: 0, text: 0, failed: false })
    }

    /// The next record, unless there were too many.
    fn record(&mut self) -> Result<Option<Record<5>>, FileError> {
        let Some(record) = self.records.next()? else { return Ok(None) };
        self.rows += 1;
        // More than its bytes, where they are of windows-1252 or no characters.
        self.text += record.raw.len() as u64;
        if self.rows > MOST_ROWS || self.text > LARGEST_TARDY_FILE {
            return Err(FileError::TooLarge);
        }
        Ok(Some(record))
    }
}

impl<R: Read> Iterator for TardyFile<R> {
    type Item = Result<TardyRow, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match self.record() {
            Ok(Some(Record { line, raw, values })) => {
                Some(Ok(TardyRow { line, raw, parsed: values.and_then(tardy) }))
            }
            Ok(None) => None,
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}

fn tardy([building, student, signed_in, reason, comment]: [String; 5]) -> Result<Tardy, RowError> {
    if building.is_empty() {
        return Err(RowError::Building);
    }
    let digits = student.bytes().all(|byte| byte.is_ascii_digit());
    let student = if digits { student.parse().ok() } else { None };
    let student = StudentNumber::new(student.ok_or(RowError::Student)?);
    let signed_in = SignInTime::parse(&signed_in).ok_or(RowError::SignInTime)?;
    if reason.is_empty() {
        return Err(RowError::Reason);
    }
    Ok(Tardy { building, student, signed_in, reason, comment })
}
