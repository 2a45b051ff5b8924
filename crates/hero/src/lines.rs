//! Physical lines of a file of any size, in bounded memory.

use std::io::{self, BufRead, BufReader, Read};

use rosterbridge_domain::settings::RecordDelimiter;

/// What [`Lines::next`] found.
pub(crate) enum Line {
    /// A whole line is in the buffer.
    Whole,
    /// The line was longer than the limit: the buffer holds its beginning, the rest was passed over.
    TooLong,
    /// No further line.
    End,
}

/// Splits at LF and removes one CR before it, or splits at CR and removes one LF after it.
pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    limit: usize,
    /// The byte every line ends in.
    end: u8,
    number: u64,
    /// Bytes read.
    read: u64,
    /// Bytes up to the last line end that was read.
    ended_at: u64,
    /// What is passed over of a line that is too long, piece by piece.
    passed_over: Vec<u8>,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(reader: R, limit: usize, end: RecordDelimiter) -> Self {
        Self {
            reader: BufReader::with_capacity(64 * 1024, reader),
            limit,
            end: match end {
                RecordDelimiter::Crlf | RecordDelimiter::Lf => b'\n',
                RecordDelimiter::Cr => b'\r',
            },
            number: 0,
            read: 0,
            ended_at: 0,
            passed_over: Vec::new(),
        }
    }

    /// The number of the line read last, counted from 1.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// How many bytes the file has up to the end of the last line that has one, as far as it was read.
    pub(crate) const fn ended_at(&self) -> u64 {
        self.ended_at
    }

    /// Reads the next line into `line`, replacing what it holds.
    pub(crate) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Line> {
        line.clear();
        // Two more than the limit, for the line's end and the byte that may stand beside it.
        let most = self.limit + 2;
        let first = take_line(&mut self.reader, self.end, most, line)?;
        if first == 0 {
            return Ok(Line::End);
        }
        self.number += 1;
        self.read += first as u64;
        let mut ended = line.pop_if(|last| *last == self.end).is_some();
        let mut piece = first;
        while !ended && piece == most {
            self.passed_over.clear();
            piece = take_line(&mut self.reader, self.end, most, &mut self.passed_over)?;
            self.read += piece as u64;
            ended = self.passed_over.last() == Some(&self.end);
        }
        if self.end == b'\n' {
            line.pop_if(|last| *last == b'\r');
        } else if line.first() == Some(&b'\n') {
            line.remove(0);
            // It belongs to the end of the line before.
            self.ended_at += 1;
        }
        if ended {
            self.ended_at = self.read;
        }
        if line.len() > self.limit {
            line.truncate(self.limit);
            return Ok(Line::TooLong);
        }
        Ok(Line::Whole)
    }
}

/// Adds bytes up to and with the next `end` to `line`, at most `most`. None at all is the end of the file.
fn take_line(reader: &mut impl BufRead, end: u8, most: usize, line: &mut Vec<u8>) -> io::Result<usize> {
    reader.take(most as u64).read_until(end, line)
}
