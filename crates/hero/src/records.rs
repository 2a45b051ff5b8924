//! Records of an outgoing file: values in, bytes out, whatever the file is about.

use std::io::{self, Write};

use chrono::{Datelike, NaiveDate};
use encoding_rs::{EncoderResult, Encoding};
use rosterbridge_domain::settings::{CharacterSet, FieldDelimiter, LongValues};
use serde::Serialize;

use crate::{
    fields::KnownField,
    layout::{ExportLayout, UNDEFINED_IN_WINDOWS_ANSI, delimiter, record_end, single_byte},
    problems::{Kind, Problem, Problems, Subject},
};

/// Rows kept as a sample of what is written.
pub const FIRST_ROWS: usize = 5;

/// Rows are handed on in pieces of about this size: large enough that hashing and encrypting them costs no more
/// calls than it has to.
const PIECE: usize = 64 * 1024;

/// What was written.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Rows, without the header.
    pub rows: u64,
    /// Values that stand in the file otherwise than in PowerSchool: with a tab, a line break or a character of another
    /// character set replaced, or shortened.
    pub altered_values: u64,
    /// What an administrator should look at.
    pub problems: Problems,
    /// The first [`FIRST_ROWS`] rows, value by value, as they were written. They are the students': not for a log.
    #[serde(skip)]
    pub first: Vec<Vec<String>>,
}

/// Without the rows.
impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rows, altered_values, problems, first: _ } = self;
        f.debug_struct("Written")
            .field("rows", rows)
            .field("altered_values", altered_values)
            .field("problems", problems)
            .finish_non_exhaustive()
    }
}

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The target refused the bytes.
    #[error("the file for Hero could not be written: {0}")]
    Io(#[from] io::Error),
}

impl WriteError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "hero.file_write",
        }
    }

    /// What the person can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Io(_) => {
                "Check that the disk is not full and the connection to Hero works, then run the export again."
            }
        }
    }
}

/// Records of one file on their way into `W`.
pub(crate) struct Records<W> {
    out: W,
    buffer: Vec<u8>,
    layout: ExportLayout,
    delimiter: u8,
    encoding: Option<&'static Encoding>,
    column: usize,
    /// Where in the buffer the values of the row under way begin, as long as rows are kept.
    values: Vec<usize>,
    /// What was noted of the row under way.
    noted: Vec<(&'static str, Kind)>,
    written: Written,
}

impl<W: Write> Records<W> {
    /// Starts with the header, if the layout has one. Of the problems `listed` are kept.
    pub(crate) fn new(out: W, names: &[impl AsRef<str>], layout: ExportLayout, listed: usize) -> Self {
        let delimiter = delimiter(layout.field_delimiter);
        let mut buffer = Vec::with_capacity(PIECE + PIECE / 4);
        if layout.header {
            // Names of fields are ASCII, without delimiters.
            for (column, name) in names.iter().enumerate() {
                if column > 0 {
                    buffer.push(delimiter);
                }
                buffer.extend_from_slice(name.as_ref().as_bytes());
            }
            buffer.extend_from_slice(record_end(layout.record_delimiter));
        }
        Self {
            out,
            buffer,
            layout,
            delimiter,
            encoding: single_byte(layout.character_set),
            column: 0,
            values: Vec::new(),
            noted: Vec::new(),
            written: Written { problems: Problems::up_to(listed), ..Written::default() },
        }
    }

    /// The number of the row under way, counted from 1.
    pub(crate) const fn row(&self) -> u64 {
        self.written.rows + 1
    }

    fn separate(&mut self) {
        if self.column > 0 {
            self.buffer.push(self.delimiter);
        }
        self.column += 1;
        if self.written.first.len() < FIRST_ROWS {
            self.values.push(self.buffer.len());
        }
    }

    /// A number. One that is too long is reported and never cut: it would be another number.
    pub(crate) fn number(&mut self, known: &'static KnownField, value: i64) -> io::Result<()> {
        self.separate();
        let start = self.buffer.len();
        write!(self.buffer, "{value}")?;
        let length = self.buffer.len() - start;
        if let Some(limit) = known.limit.filter(|limit| length > *limit) {
            self.note(known, Kind::TooLong { length, limit, shortened: false });
        }
        Ok(())
    }

    /// A number, or nothing where there is none.
    pub(crate) fn optional_number(
        &mut self,
        known: &'static KnownField,
        value: Option<i64>,
    ) -> io::Result<()> {
        if let Some(value) = value {
            return self.number(known, value);
        }
        self.separate();
        Ok(())
    }

    /// MM/DD/YYYY, as PowerSchool exports dates; nothing where there is none.
    pub(crate) fn date(&mut self, value: Option<NaiveDate>) -> io::Result<()> {
        self.separate();
        match value {
            Some(date) => write!(self.buffer, "{:02}/{:02}/{:04}", date.month(), date.day(), date.year()),
            None => Ok(()),
        }
    }

    /// A text.
    pub(crate) fn text(&mut self, known: &'static KnownField, value: &str) {
        self.separate();
        if known.required && value.trim_ascii().is_empty() {
            self.note(known, Kind::Empty);
        }
        let mut value = value;
        let mut altered = false;
        // A value has at most as many characters as bytes, so that nearly every value needs no counting.
        if let Some(limit) = known.limit.filter(|limit| value.len() > *limit)
            && let Some((end, _)) = value.char_indices().nth(limit)
        {
            let shortened = self.layout.long_values == LongValues::Shorten;
            self.note(known, Kind::TooLong { length: value.chars().count(), limit, shortened });
            if shortened {
                value = &value[..end];
                altered = true;
            }
        }
        let start = self.buffer.len();
        let unmappable = match self.layout.field_delimiter {
            FieldDelimiter::Tab => {
                let unmappable = self.characters(value);
                // Bytes below 128 are the same characters in every set.
                let mut breaks = false;
                for byte in &mut self.buffer[start..] {
                    if matches!(*byte, b'\t' | b'\r' | b'\n') {
                        *byte = b' ';
                        breaks = true;
                    }
                }
                if breaks {
                    self.note(known, Kind::Break);
                    altered = true;
                }
                unmappable
            }
            FieldDelimiter::Comma
                if value.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n')) =>
            {
                let mut unmappable = false;
                self.buffer.push(b'"');
                for (index, part) in value.split('"').enumerate() {
                    if index > 0 {
                        self.buffer.extend_from_slice(b"\"\"");
                    }
                    unmappable |= self.characters(part);
                }
                self.buffer.push(b'"');
                unmappable
            }
            FieldDelimiter::Comma => self.characters(value),
        };
        if unmappable {
            self.note(known, Kind::Unmappable);
            altered = true;
        }
        self.written.altered_values += u64::from(altered);
    }

    /// Appends `value` in the file's characters. Returns whether a character had to be given up.
    fn characters(&mut self, value: &str) -> bool {
        let Some(encoding) = self.encoding.filter(|_| !value.is_ascii()) else {
            self.buffer.extend_from_slice(value.as_bytes());
            return false;
        };
        let start = self.buffer.len();
        let mut unmappable = false;
        let mut encoder = encoding.new_encoder();
        let mut piece = [0_u8; 256];
        let mut rest = value;
        loop {
            let (result, read, written) =
                encoder.encode_from_utf8_without_replacement(rest, &mut piece, true);
            self.buffer.extend_from_slice(&piece[..written]);
            rest = &rest[read..];
            match result {
                EncoderResult::InputEmpty => break,
                EncoderResult::OutputFull => {}
                EncoderResult::Unmappable(_) => {
                    self.buffer.push(b'?');
                    unmappable = true;
                }
            }
        }
        if self.layout.character_set == CharacterSet::WindowsAnsi {
            // The encoder passes five control characters through as bytes that Windows itself leaves undefined.
            for byte in &mut self.buffer[start..] {
                if UNDEFINED_IN_WINDOWS_ANSI.contains(byte) {
                    *byte = b'?';
                    unmappable = true;
                }
            }
        }
        unmappable
    }

    /// Notes a problem of the row under way.
    pub(crate) fn note(&mut self, known: &'static KnownField, kind: Kind) {
        self.noted.push((known.name, kind));
    }

    /// Notes a problem of somebody who has no row.
    pub(crate) fn without_row(&mut self, subject: Subject, kind: Kind) {
        self.written.problems.add(kind, |kind| Problem { row: None, subject, field: None, kind });
    }

    /// Keeps the row in the buffer among the first ones.
    fn keep(&mut self) {
        let ends = self.values.iter().skip(1).map(|next| next - 1).chain([self.buffer.len()]);
        let row = self.values.iter().zip(ends).map(|(begin, end)| {
            let bytes = self.buffer.get(*begin..end).unwrap_or_default();
            let value = match self.encoding {
                None => String::from_utf8_lossy(bytes),
                Some(encoding) => encoding.decode_without_bom_handling(bytes).0,
            };
            let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            match (self.layout.field_delimiter, quoted) {
                (FieldDelimiter::Comma, Some(quoted)) => quoted.replace("\"\"", "\""),
                _ => value.into_owned(),
            }
        });
        let row = row.collect();
        self.written.first.push(row);
        self.values.clear();
    }

    /// Ends the row under way. `subject` is whom it is about.
    pub(crate) fn end(&mut self, subject: impl Fn() -> Subject) -> Result<(), WriteError> {
        if !self.values.is_empty() {
            self.keep();
        }
        let row = Some(self.row());
        for (field, kind) in self.noted.drain(..) {
            let problem = |kind| Problem { row, subject: subject(), field: Some(field), kind };
            self.written.problems.add(kind, problem);
        }
        self.buffer.extend_from_slice(record_end(self.layout.record_delimiter));
        self.column = 0;
        self.written.rows += 1;
        if self.buffer.len() >= PIECE {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Hands the rest on and flushes.
    pub(crate) fn finish(mut self) -> Result<(W, Written), WriteError> {
        self.out.write_all(&self.buffer)?;
        self.out.flush()?;
        Ok((self.out, self.written))
    }
}
