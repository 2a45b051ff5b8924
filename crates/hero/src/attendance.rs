//! The attendance export that Hero leaves in `export/`, as AutoComm's form describes it: tab, LF, no header row,
//! seven fields. Quotes mean nothing in it, so that a stray one cannot swallow lines.

use std::io::{self, Read};

use chrono::NaiveDate;
use encoding_rs::{MACINTOSH, WINDOWS_1252};
use rosterbridge_domain::id::{SchoolNumber, StudentNumber};
use serde::{Deserialize, Serialize};

use crate::{
    layout::{ImportCharacters, UNDEFINED_IN_WINDOWS_ANSI},
    lines::{Line, Lines},
};

/// 'PowerSchool fields to import into', in the file's order.
pub const IMPORT_FIELDS: [&str; 7] = [
    "SchoolID",
    "Student_Number",
    "Course_Number",
    "Section_Number",
    "Att_Date",
    "Attendance Code",
    "Period Abbreviation",
];

/// The longest line taken, in bytes: a hundred times what seven fields need.
const LONGEST_LINE: usize = 64 * 1024;
/// What is kept of a line that is too long, in bytes.
const KEPT_OF_LONG_LINE: usize = 200;

/// The form of the import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImportLayout {
    /// 'Character Set'.
    pub characters: ImportCharacters,
}

/// What one line states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttendanceRow {
    /// SchoolID.
    pub school: SchoolNumber,
    /// Student_Number.
    pub student: StudentNumber,
    /// Course_Number, exactly as it stands in the file; may be empty.
    pub course_number: String,
    /// Section_Number, exactly as it stands in the file; may be empty.
    pub section_number: String,
    /// Att_Date.
    pub date: NaiveDate,
    /// Attendance Code, exactly as it stands in the file: PowerSchool tells letter cases apart. Never empty.
    pub code: String,
    /// Period Abbreviation, exactly as it stands in the file; may be empty.
    pub period_abbreviation: String,
}

/// A line of the file that is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportRow {
    /// Its number, counted from 1 over all lines.
    pub line: u64,
    /// Its text for a person. Bytes that are no characters stand as `\x81`; of a line that is too long only the
    /// beginning is kept, with `…` after it.
    pub raw: String,
    /// What it states, or why it cannot be used.
    pub parsed: Result<AttendanceRow, RowError>,
}

/// Why a line cannot be used. The other lines can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Not seven fields.
    #[error("the line has {found} columns instead of 7")]
    Columns {
        /// How many it has.
        found: usize,
    },
    /// SchoolID is not a number.
    #[error("SchoolID (column 1) is not a school number")]
    School,
    /// Student_Number is not a number.
    #[error("Student_Number (column 2) is not a student number")]
    Student,
    /// Att_Date is no date.
    #[error("Att_Date (column 5) is not a date like 09/30/2026 or 2026-09-30")]
    Date,
    /// Attendance Code is empty.
    #[error("Attendance Code (column 6) is empty")]
    Code,
    /// Bytes that are no text in the import's character set.
    #[error("the line has bytes that are no characters in the import's character set")]
    Characters,
    /// Longer than any attendance row.
    #[error("the line is longer than 64 KiB")]
    TooLong,
}

impl RowError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Columns { .. } => "hero.row_columns",
            Self::School => "hero.row_school",
            Self::Student => "hero.row_student",
            Self::Date => "hero.row_date",
            Self::Code => "hero.row_code",
            Self::Characters => "hero.row_characters",
            Self::TooLong => "hero.row_too_long",
        }
    }

    /// What the person can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Columns { .. } | Self::TooLong => {
                "Check in Hero's export settings that the file has the seven columns of the set-up guide, separated by \
                 tabs, one record a line."
            }
            Self::School => {
                "Check that the first column of Hero's export is the school's number in PowerSchool."
            }
            Self::Student => {
                "Check that the second column of Hero's export is the student's number in PowerSchool."
            }
            Self::Date => "Check the date column in Hero's export settings: MM/DD/YYYY.",
            Self::Code => {
                "Give the behaviour in Hero an External Reference Code that equals the PowerSchool attendance code."
            }
            Self::Characters => {
                "Set the import's character set to the one Hero writes, or correct the record in Hero."
            }
        }
    }
}

/// Why a file cannot be used at all: nothing of it is imported.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The bytes could not be read.
    #[error("Hero's attendance export could not be read: {0}")]
    Io(#[from] io::Error),
    /// The first line has another number of columns: another export, or other settings.
    #[error("Hero's attendance export has {found} columns instead of 7")]
    WrongColumns {
        /// The columns of its first line.
        found: usize,
    },
    /// A byte order mark of another character set.
    #[error("Hero's attendance export is not in the character set chosen for the import")]
    WrongCharacters,
}

impl FileError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "hero.file_read",
            Self::WrongColumns { .. } => "hero.wrong_columns",
            Self::WrongCharacters => "hero.wrong_characters",
        }
    }

    /// What the person can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Io(_) => "Run the import again. If it fails again, check the connection to Hero.",
            Self::WrongColumns { .. } => {
                "Check that the file name is that of Hero's attendance export, and that its columns are SchoolID, \
                 Student_Number, Course_Number, Section_Number, Att_Date, Attendance Code and Period Abbreviation, \
                 separated by tabs. Nothing was imported."
            }
            Self::WrongCharacters => {
                "Set the import's character set to the one Hero writes: Windows ANSI by default. Nothing was imported."
            }
        }
    }
}

/// The lines of an attendance export, read as they are asked for. A read error ends the iteration.
pub struct AttendanceRows<R> {
    lines: Lines<R>,
    characters: ImportCharacters,
    line: Vec<u8>,
    /// What `line` holds, when it was read ahead.
    ahead: Option<Line>,
    failed: bool,
}

/// Opens an attendance export. Its first line is read at once: if that has another number of columns, the file as a
/// whole is refused. An empty file has no rows and is fine.
pub fn read_attendance<R: Read>(reader: R, layout: ImportLayout) -> Result<AttendanceRows<R>, FileError> {
    let mut rows = AttendanceRows {
        lines: Lines::new(reader, LONGEST_LINE),
        characters: layout.characters,
        line: Vec::new(),
        ahead: None,
        failed: false,
    };
    let mut first = rows.lines.next(&mut rows.line)?;
    if rows.line.starts_with(b"\xFF\xFE") || rows.line.starts_with(b"\xFE\xFF") {
        return Err(FileError::WrongCharacters);
    }
    if rows.line.starts_with(b"\xEF\xBB\xBF") {
        if layout.characters != ImportCharacters::Utf8 {
            return Err(FileError::WrongCharacters);
        }
        rows.line.drain(..3);
    }
    while matches!(first, Line::Whole) && rows.line.is_empty() {
        first = rows.lines.next(&mut rows.line)?;
    }
    let found = columns(&rows.line);
    if !matches!(first, Line::End) && found != IMPORT_FIELDS.len() {
        return Err(FileError::WrongColumns { found });
    }
    rows.ahead = Some(first);
    Ok(rows)
}

impl<R: Read> Iterator for AttendanceRows<R> {
    type Item = Result<ImportRow, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        loop {
            let found = match self.ahead.take() {
                Some(found) => Ok(found),
                None => self.lines.next(&mut self.line),
            };
            match found {
                Ok(Line::Whole) if self.line.is_empty() => {}
                Ok(Line::Whole) => {
                    let (raw, whole) = decode(&self.line, self.characters);
                    let parsed = if whole { parse(&raw) } else { Err(RowError::Characters) };
                    return Some(Ok(ImportRow { line: self.lines.number(), raw, parsed }));
                }
                Ok(Line::TooLong) => {
                    let (mut raw, _) = decode(&self.line[..KEPT_OF_LONG_LINE], self.characters);
                    raw.push('…');
                    return Some(Ok(ImportRow {
                        line: self.lines.number(),
                        raw,
                        parsed: Err(RowError::TooLong),
                    }));
                }
                Ok(Line::End) => {
                    self.ahead = Some(Line::End);
                    return None;
                }
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error.into()));
                }
            }
        }
    }
}

fn columns(line: &[u8]) -> usize {
    line.split(|byte| *byte == b'\t').count()
}

/// The line's text, and whether all of it is text. Control characters are not: Hero never writes them, and a value
/// that carries one could look equal to another without being it.
fn decode(line: &[u8], characters: ImportCharacters) -> (String, bool) {
    let control = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7F;
    let bad = |byte: &u8| {
        control(byte)
            || (characters == ImportCharacters::WindowsAnsi && UNDEFINED_IN_WINDOWS_ANSI.contains(byte))
    };
    let text = |bytes: &[u8]| match characters {
        ImportCharacters::WindowsAnsi => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
        ImportCharacters::MacRoman => MACINTOSH.decode_without_bom_handling(bytes).0.into_owned(),
        ImportCharacters::Utf8 => {
            bytes.utf8_chunks().fold(String::with_capacity(bytes.len()), |mut text, chunk| {
                text.push_str(chunk.valid());
                text.extend(chunk.invalid().iter().copied().map(escaped));
                text
            })
        }
    };
    let clean =
        !line.iter().any(bad) && (characters != ImportCharacters::Utf8 || std::str::from_utf8(line).is_ok());
    if clean {
        return (text(line), true);
    }
    let mut shown = String::with_capacity(line.len() + 16);
    for piece in line.split_inclusive(bad) {
        match piece.split_last() {
            Some((last, before)) if bad(last) => {
                shown.push_str(&text(before));
                shown.push_str(&escaped(*last));
            }
            _ => shown.push_str(&text(piece)),
        }
    }
    (shown, false)
}

fn escaped(byte: u8) -> String {
    format!("\\x{byte:02X}")
}

fn parse(line: &str) -> Result<AttendanceRow, RowError> {
    let mut fields = line.split('\t');
    let mut row = [""; IMPORT_FIELDS.len()];
    for slot in &mut row {
        *slot = fields.next().ok_or_else(|| RowError::Columns { found: columns(line.as_bytes()) })?;
    }
    if fields.next().is_some() {
        return Err(RowError::Columns { found: columns(line.as_bytes()) });
    }
    let [school, student, course_number, section_number, date, code, period_abbreviation] = row;
    let school = SchoolNumber::new(number(school).ok_or(RowError::School)?);
    let student = StudentNumber::new(number(student).ok_or(RowError::Student)?);
    let date = day(date).ok_or(RowError::Date)?;
    if code.is_empty() {
        return Err(RowError::Code);
    }
    Ok(AttendanceRow {
        school,
        student,
        course_number: course_number.to_owned(),
        section_number: section_number.to_owned(),
        date,
        code: code.to_owned(),
        period_abbreviation: period_abbreviation.to_owned(),
    })
}

/// A number without sign; leading zeros and surrounding spaces don't matter.
fn number(text: &str) -> Option<i64> {
    let digits = text.trim();
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// MM/DD/YYYY, with or without leading zeros, or YYYY-MM-DD.
fn day(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    let part = |digits: &str, lengths: std::ops::RangeInclusive<usize>| {
        let plain = lengths.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if plain { digits.parse::<u32>().ok() } else { None }
    };
    let (year, month, day) = if let Some((month, rest)) = text.split_once('/') {
        let (day, year) = rest.split_once('/')?;
        (part(year, 4..=4)?, part(month, 1..=2)?, part(day, 1..=2)?)
    } else {
        let (year, rest) = text.split_once('-')?;
        let (month, day) = rest.split_once('-')?;
        (part(year, 4..=4)?, part(month, 2..=2)?, part(day, 2..=2)?)
    };
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
}
