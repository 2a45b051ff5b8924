//! Records of a delimited text file whose first line names the columns, in bounded memory.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read},
};

use encoding_rs::WINDOWS_1252;

use crate::error::{FileError, RowError};

/// The largest file taken, in bytes.
pub(crate) const LARGEST_FILE: u64 = 64 * 1024 * 1024;
/// The most columns a header may name.
const MOST_COLUMNS: usize = 1_000;
/// The longest line and the longest record taken, in bytes.
const LONGEST_RECORD: usize = 16 * 1024;
/// The most lines of one record.
const MOST_LINES: usize = 16;
/// What is kept of a line that is too long, in bytes.
const KEPT_OF_LONG_LINE: usize = 200;
/// Bytes to which windows-1252 gives no character (Microsoft's code page table).
const UNDEFINED_IN_WINDOWS_ANSI: [u8; 5] = [0x81, 0x8D, 0x8F, 0x90, 0x9D];

/// Where a value may hold line breaks. Anywhere else an open quote is a stray one.
pub(crate) struct MultiLine {
    /// The column, counted among the wanted ones.
    pub(crate) column: usize,
    /// The wanted column by which a line is known to be a record of its own.
    pub(crate) row_mark: usize,
    /// Whether a value is one of that column.
    pub(crate) is_mark: fn(&str) -> bool,
}

/// A record, with the wanted columns in the wanted order; a column the file lacks is empty.
pub(crate) struct Record<const N: usize> {
    /// Its first line, counted from 1.
    pub(crate) line: u64,
    /// Its text, lines separated by LF.
    pub(crate) raw: String,
    /// Its values without surrounding spaces.
    pub(crate) values: Result<[String; N], RowError>,
}

/// A file up to the largest that is taken: it ends there, and whether there was more is known.
struct Measured<R> {
    inner: R,
    left: u64,
    exceeded: bool,
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.exceeded {
            self.exceeded = self.inner.read(&mut [0])? > 0;
        }
        let read = self.inner.by_ref().take(self.left).read(buffer)?;
        self.left -= read as u64;
        Ok(read)
    }
}

/// A physical line.
struct Line {
    number: u64,
    text: String,
    problem: Option<RowError>,
}

/// The records after the header.
pub(crate) struct Records<R, const N: usize> {
    reader: BufReader<Measured<R>>,
    /// The number of the line read last.
    number: u64,
    /// Lines read ahead while looking for the end of a quote.
    ahead: VecDeque<Line>,
    utf8_only: bool,
    delimiter: char,
    /// Columns of the header.
    width: usize,
    /// Columns a record must have at least.
    needed: usize,
    /// Where the wanted columns are.
    places: [Option<usize>; N],
    multi_line: Option<MultiLine>,
}

impl<R: Read, const N: usize> Records<R, N> {
    /// Reads the header and finds the wanted columns in it, of which the first `required` have to be there.
    pub(crate) fn open(
        reader: R,
        columns: [&'static str; N],
        required: usize,
        multi_line: Option<MultiLine>,
    ) -> Result<Self, FileError> {
        let mut records = Self {
            reader: BufReader::new(Measured { inner: reader, left: LARGEST_FILE, exceeded: false }),
            number: 0,
            ahead: VecDeque::new(),
            utf8_only: false,
            delimiter: ',',
            width: 0,
            needed: 0,
            places: [None; N],
            multi_line,
        };
        if let Some(mut first) = records.read_bytes()? {
            if first.starts_with(b"\xFF\xFE") || first.starts_with(b"\xFE\xFF") {
                return Err(FileError::WrongCharacters);
            }
            if first.starts_with(b"\xEF\xBB\xBF") {
                records.utf8_only = true;
                first.drain(..3);
            }
            let first = records.understood(first);
            records.ahead.push_back(first);
        }
        let header = loop {
            match records.line()? {
                None if records.reader.get_ref().exceeded => return Err(FileError::TooLarge),
                None => return Err(FileError::Empty),
                Some(line) if line.text.is_empty() => {}
                Some(line) => break line,
            }
        };
        if header.problem == Some(RowError::TooLong) {
            return Err(FileError::HeaderTooLong);
        }
        records.delimiter = if header.text.contains('\t') { '\t' } else { ',' };
        let names = match split(&header.text, records.delimiter) {
            Split::Values(names) if header.problem.is_none() => names,
            _ => return Err(FileError::WrongColumns { missing: columns[..required].to_vec() }),
        };
        if names.len() > MOST_COLUMNS {
            return Err(FileError::TooManyColumns { found: names.len(), most: MOST_COLUMNS });
        }
        for (column, place) in columns.into_iter().zip(&mut records.places) {
            let mut found =
                names.iter().enumerate().filter(|(_, name)| name.trim().eq_ignore_ascii_case(column));
            *place = found.next().map(|(index, _)| index);
            if found.next().is_some() {
                return Err(FileError::RepeatedColumn { column });
            }
        }
        let needed = columns.into_iter().zip(records.places).take(required);
        let missing: Vec<_> =
            needed.clone().filter(|(_, place)| place.is_none()).map(|(column, _)| column).collect();
        if !missing.is_empty() {
            return Err(FileError::WrongColumns { missing });
        }
        records.width = names.len();
        records.needed = needed.filter_map(|(_, place)| place).max().map_or(0, |last| last + 1);
        Ok(records)
    }

    /// The next record; empty lines are passed over.
    pub(crate) fn next(&mut self) -> Result<Option<Record<N>>, FileError> {
        let line = loop {
            match self.line()? {
                None if self.reader.get_ref().exceeded => return Err(FileError::TooLarge),
                None => return Ok(None),
                Some(line) if line.text.is_empty() && line.problem.is_none() => {}
                Some(line) => break line,
            }
        };
        let Line { number, text, problem } = line;
        if let Some(problem) = problem {
            return Ok(Some(Record { line: number, raw: text, values: Err(problem) }));
        }
        let (raw, values) = match split(&text, self.delimiter) {
            Split::Values(values) => (text, self.wanted(values)),
            Split::Stray => (text, Err(RowError::Quote)),
            Split::Open { column } => match self.over_lines(&text, column)? {
                Some((raw, values)) => (raw, self.wanted(values)),
                None => (text, Err(RowError::Quote)),
            },
        };
        Ok(Some(Record { line: number, raw, values }))
    }

    /// Looks for the end of a quote on the following lines, and takes these lines if it is there. They stay where
    /// they are when the quote turns out to be a stray one.
    fn over_lines(&mut self, first: &str, column: usize) -> io::Result<Option<(String, Vec<String>)>> {
        let Some(multi_line) = &self.multi_line else { return Ok(None) };
        let (row_mark, is_mark) = (self.places[multi_line.row_mark], multi_line.is_mark);
        if self.places[multi_line.column] != Some(column) {
            return Ok(None);
        }
        let mut text = first.to_owned();
        for index in 0..MOST_LINES - 1 {
            if self.ahead.len() == index {
                match self.read_line()? {
                    Some(line) => self.ahead.push_back(line),
                    None => return Ok(None),
                }
            }
            let Line { text: line, problem, .. } = &self.ahead[index];
            let marked = row_mark
                .and_then(|place| line.split(self.delimiter).nth(place))
                .is_some_and(|value| is_mark(value.trim_matches(['"', ' '])));
            if problem.is_some() || marked || text.len() + line.len() >= LONGEST_RECORD {
                return Ok(None);
            }
            text.push('\n');
            text.push_str(line);
            match split(&text, self.delimiter) {
                Split::Values(values) => {
                    self.ahead.drain(..=index);
                    return Ok(Some((text, values)));
                }
                Split::Open { column: still } if still == column => {}
                Split::Open { .. } | Split::Stray => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Puts the values into the wanted order.
    fn wanted(&self, mut values: Vec<String>) -> Result<[String; N], RowError> {
        let surplus = values.iter().skip(self.width).any(|value| !value.trim().is_empty());
        if surplus || values.len() < self.needed {
            return Err(RowError::Columns { found: values.len(), expected: self.width });
        }
        Ok(self.places.map(|place| {
            let value = place.and_then(|place| values.get_mut(place)).map(std::mem::take).unwrap_or_default();
            value.trim().to_owned()
        }))
    }

    fn line(&mut self) -> io::Result<Option<Line>> {
        match self.ahead.pop_front() {
            Some(line) => Ok(Some(line)),
            None => self.read_line(),
        }
    }

    fn read_line(&mut self) -> io::Result<Option<Line>> {
        Ok(self.read_bytes()?.map(|bytes| self.understood(bytes)))
    }

    /// The next line without its end; of one that is too long a beginning that is still too long.
    fn read_bytes(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        // Two more than the limit, for the line's end.
        let most = LONGEST_RECORD + 2;
        let read = (&mut self.reader).take(most as u64).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        let cut = if bytes.last() == Some(&b'\n') {
            bytes.pop();
            false
        } else if read == most {
            self.reader.skip_until(b'\n')?;
            true
        } else {
            false
        };
        if !cut && bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        Ok(Some(bytes))
    }

    fn understood(&self, bytes: Vec<u8>) -> Line {
        let number = self.number;
        if bytes.len() > LONGEST_RECORD {
            let text = shown(&bytes[..KEPT_OF_LONG_LINE]) + "…";
            return Line { number, text, problem: Some(RowError::TooLong) };
        }
        match decoded(bytes, self.utf8_only) {
            Ok(text) => Line { number, text, problem: None },
            Err(bytes) => Line { number, text: shown(&bytes), problem: Some(RowError::Characters) },
        }
    }
}

enum Split {
    /// The record's values.
    Values(Vec<String>),
    /// A quote opened this column's value and did not end.
    Open { column: usize },
    /// A quoted value does not end where a value ends.
    Stray,
}

/// Splits a record as RFC 4180 says. A quote that does not begin a value is a character like any other.
fn split(text: &str, delimiter: char) -> Split {
    let mut values = Vec::new();
    let mut rest = text;
    loop {
        let after = if let Some(quoted) = rest.strip_prefix('"') {
            let mut value = String::new();
            let mut inside = quoted;
            loop {
                let Some((before, behind)) = inside.split_once('"') else {
                    return Split::Open { column: values.len() };
                };
                value.push_str(before);
                if let Some(more) = behind.strip_prefix('"') {
                    value.push('"');
                    inside = more;
                } else {
                    inside = behind;
                    break;
                }
            }
            values.push(value);
            if inside.is_empty() {
                None
            } else if let Some(after) = inside.strip_prefix(delimiter) {
                Some(after)
            } else {
                return Split::Stray;
            }
        } else if let Some((value, after)) = rest.split_once(delimiter) {
            values.push(value.to_owned());
            Some(after)
        } else {
            values.push(rest.to_owned());
            None
        };
        match after {
            Some(after) => rest = after,
            None => return Split::Values(values),
        }
    }
}

/// The line's text, or its bytes back when they are none.
fn decoded(bytes: Vec<u8>, utf8_only: bool) -> Result<String, Vec<u8>> {
    if bytes.iter().copied().any(is_control) {
        return Err(bytes);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(failed) => {
            let bytes = failed.into_bytes();
            if utf8_only || bytes.iter().any(|byte| UNDEFINED_IN_WINDOWS_ANSI.contains(byte)) {
                return Err(bytes);
            }
            Ok(WINDOWS_1252.decode_without_bom_handling(&bytes).0.into_owned())
        }
    }
}

fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7F
}

/// The line for a person: what is no character as `\x81`, at most as long as a line may be.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match u8::try_from(c) {
                Ok(byte) if is_control(byte) => text.push_str(&escaped(byte)),
                _ => text.push(c),
            }
        }
        text.extend(chunk.invalid().iter().copied().map(escaped));
    }
    if text.len() > LONGEST_RECORD {
        text.truncate(text.floor_char_boundary(LONGEST_RECORD));
        text.push('…');
    }
    text
}

fn escaped(byte: u8) -> String {
    format!("\\x{byte:02X}")
}
