//! Physical lines of a file of any size, in bounded memory.

use std::io::{self, BufRead, BufReader, Read};

/// What [`Lines::next`] found.
pub(crate) enum Line {
    /// A whole line is in the buffer.
    Whole,
    /// The line was longer than the limit: the buffer holds its beginning, the rest was passed over.
    TooLong,
    /// No further line.
    End,
}

/// Splits at LF and removes one CR before it.
pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    limit: usize,
    number: u64,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(reader: R, limit: usize) -> Self {
        Self { reader: BufReader::with_capacity(64 * 1024, reader), limit, number: 0 }
    }

    /// The number of the line read last, counted from 1.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Reads the next line into `line`, replacing what it holds.
    pub(crate) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Line> {
        line.clear();
        // Two more than the limit, for the line's end.
        let most = self.limit + 2;
        let read = (&mut self.reader).take(most as u64).read_until(b'\n', line)?;
        if read == 0 {
            return Ok(Line::End);
        }
        self.number += 1;
        if line.last() == Some(&b'\n') {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        } else if read == most {
            self.reader.skip_until(b'\n')?;
        } else if line.last() == Some(&b'\r') {
            line.pop();
        }
        if line.len() > self.limit {
            line.truncate(self.limit);
            return Ok(Line::TooLong);
        }
        Ok(Line::Whole)
    }
}
