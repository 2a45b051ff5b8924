//! The attendance export that Hero leaves in `export/`, as AutoComm's form describes it. By default: tab, LF, no header
//! row, seven fields in the order of Hero's procedure. Quotes mean nothing in a file separated by tabs, so that a stray
//! one cannot swallow lines; where commas separate, a quoted value ends in its line, for the same reason.

use std::{
    borrow::Cow,
    io::{self, Read},
};

use chrono::NaiveDate;
use compact_str::CompactString;
use encoding_rs::{MACINTOSH, WINDOWS_1252};
use rosterbridge_domain::{
    id::{SchoolNumber, StudentNumber},
    settings::{CharacterSet, FieldDelimiter, ImportField, ImportJob, RecordDelimiter},
};
use serde::{Deserialize, Serialize};

use crate::{
    field_order::{FIELDS, FieldOrder, FieldOrderError, field_named},
    layout::UNDEFINED_IN_WINDOWS_ANSI,
    lines::{Line, Lines},
};

/// The longest line taken, in bytes: a hundred times what seven fields need.
const LONGEST_LINE: usize = 64 * 1024;
/// What is kept of a line that is too long, in bytes.
const KEPT_OF_LONG_LINE: usize = 200;

/// The form of the import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportLayout {
    /// 'Field Delimiter'.
    pub delimiter: FieldDelimiter,
    /// 'Record Delimiter'. LF takes CRLF as well, and the other way round.
    pub record_end: RecordDelimiter,
    /// 'Character Set'.
    pub characters: CharacterSet,
    /// 'First record contains field names'.
    pub header: bool,
    /// 'PowerSchool fields to import into'.
    pub fields: FieldOrder,
}

/// What Hero's procedure has a person enter.
impl Default for ImportLayout {
    fn default() -> Self {
        Self {
            delimiter: FieldDelimiter::Tab,
            record_end: RecordDelimiter::Lf,
            characters: CharacterSet::WindowsAnsi,
            header: false,
            fields: FieldOrder::default(),
        }
    }
}

impl ImportLayout {
    /// The form of an import as it is set up.
    pub fn of(job: &ImportJob) -> Result<Self, FieldOrderError> {
        Ok(Self {
            delimiter: job.field_delimiter,
            record_end: job.record_delimiter,
            characters: job.character_set,
            header: job.header,
            fields: FieldOrder::new(&job.fields)?,
        })
    }
}

/// What one line states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttendanceRow {
    /// SchoolID.
    pub school: SchoolNumber,
    /// Student_Number.
    pub student: StudentNumber,
    /// Course_Number, exactly as it stands in the file; may be empty.
    pub course_number: CompactString,
    /// Section_Number, exactly as it stands in the file; may be empty.
    pub section_number: CompactString,
    /// Att_Date.
    pub date: NaiveDate,
    /// Attendance Code, exactly as it stands in the file: PowerSchool tells letter cases apart. Never empty.
    pub code: CompactString,
    /// Period Abbreviation, exactly as it stands in the file; may be empty.
    pub period_abbreviation: CompactString,
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

/// Why a line cannot be used. The other lines can. Columns are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Not seven fields.
    #[error("the line has {found} columns instead of 7")]
    Columns {
        /// How many it has.
        found: usize,
    },
    /// SchoolID is not a number.
    #[error("SchoolID (column {column}) is not a school number")]
    School {
        /// Its column.
        column: usize,
    },
    /// Student_Number is not a number.
    #[error("Student_Number (column {column}) is not a student number")]
    Student {
        /// Its column.
        column: usize,
    },
    /// Att_Date is no date.
    #[error("Att_Date (column {column}) is not a date like 09/30/2026 or 2026-09-30")]
    Date {
        /// Its column.
        column: usize,
    },
    /// Attendance Code is empty.
    #[error("Attendance Code (column {column}) is empty")]
    Code {
        /// Its column.
        column: usize,
    },
    /// A quoted value that doesn't end, or goes on after its end.
    #[error("the quoted value in column {column} does not end where the column ends")]
    Quote {
        /// Its column.
        column: usize,
    },
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
            Self::School { .. } => "hero.row_school",
            Self::Student { .. } => "hero.row_student",
            Self::Date { .. } => "hero.row_date",
            Self::Code { .. } => "hero.row_code",
            Self::Quote { .. } => "hero.row_quote",
            Self::Characters => "hero.row_characters",
            Self::TooLong => "hero.row_too_long",
        }
    }

    /// What the person can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Columns { .. } | Self::TooLong => {
                "Check in Hero's export settings that the file has the seven columns of the import, separated as the \
                 import says, one record a line."
            }
            Self::School { .. } => {
                "Check that this column of Hero's export is the school's number in PowerSchool."
            }
            Self::Student { .. } => {
                "Check that this column of Hero's export is the student's number in PowerSchool."
            }
            Self::Date { .. } => "Check the date column in Hero's export settings: MM/DD/YYYY.",
            Self::Code { .. } => {
                "Give the behaviour in Hero an External Reference Code that equals the PowerSchool attendance code."
            }
            Self::Quote { .. } => {
                "Correct the record in Hero, or let Hero separate the columns by tabs: quotes mean nothing then."
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
    /// The first record is to hold the field names, and states attendance.
    #[error("the first record of Hero's attendance export holds no field names, but attendance")]
    NoHeader,
    /// The first record names a field that the import has elsewhere.
    #[error(
        "column {column} of Hero's attendance export is named {}, and the import takes it for {}",
        named.as_str(),
        expected.as_str()
    )]
    OtherOrder {
        /// The column, counted from 1.
        column: usize,
        /// The field its name stands for.
        named: ImportField,
        /// The field of the import.
        expected: ImportField,
    },
}

impl FileError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "hero.file_read",
            Self::WrongColumns { .. } => "hero.wrong_columns",
            Self::WrongCharacters => "hero.wrong_characters",
            Self::NoHeader => "hero.no_header",
            Self::OtherOrder { .. } => "hero.other_order",
        }
    }

    /// What the person can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Io(_) => "Run the import again. If it fails again, check the connection to Hero.",
            Self::WrongColumns { .. } => {
                "Check that the file name is that of Hero's attendance export, and that its columns are SchoolID, \
                 Student_Number, Course_Number, Section_Number, Att_Date, Attendance Code and Period Abbreviation, \
                 and that the import's field and record delimiters are those of the file: tab and LF by default. \
                 Nothing was imported."
            }
            Self::WrongCharacters => {
                "Set the import's character set to the one Hero writes: Windows ANSI by default. Nothing was imported."
            }
            Self::NoHeader => {
                "Untick 'First record contains field names' in the import, or let Hero write them. Nothing was \
                 imported."
            }
            Self::OtherOrder { .. } => {
                "Put the import's fields in the order of the columns in Hero's export. Nothing was imported."
            }
        }
    }
}

/// The lines of an attendance export, read as they are asked for. A read error ends the iteration.
pub struct AttendanceRows<R> {
    lines: Lines<R>,
    layout: ImportLayout,
    line: Vec<u8>,
    /// What `line` holds, when it was read ahead.
    ahead: Option<Line>,
    failed: bool,
}

/// Opens an attendance export. Its first line is read at once: if that has another number of columns, or is to name the
/// fields and does not, the file as a whole is refused. An empty file has no rows and is fine.
pub fn read_attendance<R: Read>(reader: R, layout: ImportLayout) -> Result<AttendanceRows<R>, FileError> {
    let mut rows = AttendanceRows {
        lines: Lines::new(reader, LONGEST_LINE, layout.record_end),
        layout,
        line: Vec::new(),
        ahead: None,
        failed: false,
    };
    let mut first = rows.lines.next(&mut rows.line)?;
    if rows.line.starts_with(b"\xFF\xFE") || rows.line.starts_with(b"\xFE\xFF") {
        return Err(FileError::WrongCharacters);
    }
    if rows.line.starts_with(b"\xEF\xBB\xBF") {
        if layout.characters != CharacterSet::Utf8 {
            return Err(FileError::WrongCharacters);
        }
        rows.line.drain(..3);
    }
    while matches!(first, Line::Whole) && rows.line.is_empty() {
        first = rows.lines.next(&mut rows.line)?;
    }
    if !matches!(first, Line::End) {
        // What a stray quote makes of a line says nothing about the file.
        if let Some(found) = columns(&rows.line, layout.delimiter)
            && found != FIELDS
        {
            return Err(FileError::WrongColumns { found });
        }
        if layout.header {
            layout.check_header(&decode(&rows.line, layout.characters).0)?;
            return Ok(rows);
        }
    }
    rows.ahead = Some(first);
    Ok(rows)
}

impl<R: Read> AttendanceRows<R> {
    /// How many bytes the file has up to the end of its last whole record, as far as it was read. If it has more, its
    /// last row lacks its end, and may not be whole where the file is still being written.
    pub const fn whole_bytes(&self) -> u64 {
        self.lines.ended_at()
    }

    fn row(&self, raw: String, parsed: Result<AttendanceRow, RowError>) -> ImportRow {
        ImportRow { line: self.lines.number(), raw, parsed }
    }
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
                    let (raw, whole) = decode(&self.line, self.layout.characters);
                    let parsed = if whole { self.layout.parse(&raw) } else { Err(RowError::Characters) };
                    return Some(Ok(self.row(raw, parsed)));
                }
                Ok(Line::TooLong) => {
                    let (mut raw, _) = decode(&self.line[..KEPT_OF_LONG_LINE], self.layout.characters);
                    raw.push('…');
                    return Some(Ok(self.row(raw, Err(RowError::TooLong))));
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

/// How many columns a line has; `None` where a quote is open at its end.
fn columns(line: &[u8], delimiter: FieldDelimiter) -> Option<usize> {
    let (separator, quote) = match delimiter {
        FieldDelimiter::Tab => (b'\t', None),
        FieldDelimiter::Comma => (b',', Some(b'"')),
    };
    let (mut found, mut quoted) = (1, false);
    for byte in line {
        quoted ^= Some(*byte) == quote;
        found += usize::from(*byte == separator && !quoted);
    }
    (!quoted).then_some(found)
}

/// The line's text, and whether all of it is text. Control characters are not: Hero never writes them, and a value
/// that carries one could look equal to another without being it.
fn decode(line: &[u8], characters: CharacterSet) -> (String, bool) {
    // Most lines are ASCII, which is the same in every set. A loop without a way out takes many bytes at a time.
    let others = line.iter().filter(|byte| !matches!(byte, b' '..=b'~' | b'\t')).count();
    if others == 0
        && let Ok(text) = str::from_utf8(line)
    {
        return (text.to_owned(), true);
    }
    let control = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7F;
    let bad = |byte: &u8| {
        control(byte) || (characters == CharacterSet::WindowsAnsi && UNDEFINED_IN_WINDOWS_ANSI.contains(byte))
    };
    let text = |bytes: &[u8]| match characters {
        CharacterSet::WindowsAnsi => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
        CharacterSet::MacRoman => MACINTOSH.decode_without_bom_handling(bytes).0.into_owned(),
        CharacterSet::Utf8 => {
            bytes.utf8_chunks().fold(String::with_capacity(bytes.len()), |mut text, chunk| {
                text.push_str(chunk.valid());
                text.extend(chunk.invalid().iter().copied().map(escaped));
                text
            })
        }
    };
    let clean = !line.iter().any(bad) && (characters != CharacterSet::Utf8 || str::from_utf8(line).is_ok());
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

impl ImportLayout {
    /// The header names the fields this import has, as far as it names any.
    fn check_header(&self, header: &str) -> Result<(), FileError> {
        if self.parse(header).is_ok() {
            return Err(FileError::NoHeader);
        }
        // Captions of Hero's own are its business.
        let Ok(captions) = self.values(header) else { return Ok(()) };
        for ((column, caption), expected) in (1..).zip(&captions).zip(*self.fields.fields()) {
            if let Some(named) = field_named(caption)
                && named != expected
            {
                return Err(FileError::OtherOrder { column, named, expected });
            }
        }
        Ok(())
    }

    fn parse(&self, line: &str) -> Result<AttendanceRow, RowError> {
        let mut row = <[Cow<'_, str>; FIELDS]>::default();
        for (value, field) in self.values(line)?.into_iter().zip(self.fields.fields()) {
            row[*field as usize] = value;
        }
        let [school, student, course_number, section_number, date, code, period_abbreviation] = row;
        let column = |field| self.fields.column(field);
        let school =
            number(&school).ok_or_else(|| RowError::School { column: column(ImportField::SchoolId) })?;
        let student = number(&student)
            .ok_or_else(|| RowError::Student { column: column(ImportField::StudentNumber) })?;
        let date =
            day(&date).ok_or_else(|| RowError::Date { column: column(ImportField::AttendanceDate) })?;
        if code.is_empty() {
            return Err(RowError::Code { column: column(ImportField::AttendanceCode) });
        }
        Ok(AttendanceRow {
            school: SchoolNumber::new(school),
            student: StudentNumber::new(student),
            course_number: course_number.into(),
            section_number: section_number.into(),
            date,
            code: code.into(),
            period_abbreviation: period_abbreviation.into(),
        })
    }

    /// The values of a line, in the file's order.
    fn values<'a>(&self, line: &'a str) -> Result<[Cow<'a, str>; FIELDS], RowError> {
        let mut values = <[Cow<'a, str>; FIELDS]>::default();
        let mut found = 0;
        let mut left = Some(line);
        while let Some(rest) = left {
            let (value, after) = match self.delimiter {
                FieldDelimiter::Tab => plain(rest, '\t'),
                FieldDelimiter::Comma => match rest.strip_prefix('"') {
                    Some(quoted) => unquoted(quoted).ok_or(RowError::Quote { column: found + 1 })?,
                    None => plain(rest, ','),
                },
            };
            if let Some(place) = values.get_mut(found) {
                *place = value;
            }
            found += 1;
            left = after;
        }
        if found == FIELDS { Ok(values) } else { Err(RowError::Columns { found }) }
    }
}

/// A value, and what stands after its delimiter.
type Value<'a> = (Cow<'a, str>, Option<&'a str>);

/// The value up to the delimiter.
fn plain(text: &str, delimiter: char) -> Value<'_> {
    match text.split_once(delimiter) {
        Some((value, rest)) => (Cow::Borrowed(value), Some(rest)),
        None => (Cow::Borrowed(text), None),
    }
}

/// The value up to the quote that ends it, without the doubling of quotes within (RFC 4180); `None` if it does not end,
/// or something other than a comma follows.
fn unquoted(text: &str) -> Option<Value<'_>> {
    let (first, mut after) = text.split_once('"')?;
    let mut value = Cow::Borrowed(first);
    while let Some(more) = after.strip_prefix('"') {
        let (piece, rest) = more.split_once('"')?;
        value.to_mut().push('"');
        value.to_mut().push_str(piece);
        after = rest;
    }
    if after.is_empty() {
        Some((value, None))
    } else {
        after.strip_prefix(',').map(|rest| (value, Some(rest)))
    }
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
