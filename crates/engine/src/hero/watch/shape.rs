//! The shape of a delimited file: how many rows, how many columns.

use std::io;

use rosterbridge_domain::settings::FieldDelimiter;

/// Counts the rows and columns of what is written to it, and keeps none of it. A line break of any kind ends a row, and
/// empty lines are none.
#[derive(Debug)]
pub(super) struct Shape {
    delimiter: u8,
    quotes: bool,
    quoted: bool,
    /// Delimiters of the row being read.
    delimiters: u32,
    /// Whether anything of it was read.
    begun: bool,
    rows: u64,
    columns: Option<u32>,
    uneven: Option<(u64, u32)>,
}

/// What a file came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Its rows, with a row of field names if there is one.
    pub(super) rows: u64,
    /// Columns of the first row; none where there is no row.
    pub(super) columns: Option<u32>,
    /// The first row that has another number of columns, from 1, and that number.
    pub(super) uneven: Option<(u64, u32)>,
}

impl Shape {
    /// With commas values may be quoted as in RFC 4180; with tabs a quote is a character like others.
    pub(super) fn new(delimiter: FieldDelimiter) -> Self {
        let (delimiter, quotes) = match delimiter {
            FieldDelimiter::Tab => (b'\t', false),
            FieldDelimiter::Comma => (b',', true),
        };
        Self {
            delimiter,
            quotes,
            quoted: false,
            delimiters: 0,
            begun: false,
            rows: 0,
            columns: None,
            uneven: None,
        }
    }

    /// What was counted, with a last row that has no line end.
    pub(super) fn finish(mut self) -> Counted {
        self.end_row();
        Counted { rows: self.rows, columns: self.columns, uneven: self.uneven }
    }

    fn end_row(&mut self) {
        if std::mem::take(&mut self.begun) {
            self.rows += 1;
            let columns = std::mem::take(&mut self.delimiters).saturating_add(1);
            if *self.columns.get_or_insert(columns) != columns {
                self.uneven.get_or_insert((self.rows, columns));
            }
        }
    }
}

impl io::Write for Shape {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            match byte {
                b'\r' | b'\n' if !self.quoted => {
                    self.end_row();
                    continue;
                }
                b'"' if self.quotes => self.quoted = !self.quoted,
                byte if byte == self.delimiter && !self.quoted => {
                    self.delimiters = self.delimiters.saturating_add(1);
                }
                _ => {}
            }
            self.begun = true;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;
    use rosterbridge_domain::settings::FieldDelimiter::{Comma, Tab};
    use rstest::rstest;

    use super::*;

    fn counted(delimiter: FieldDelimiter, text: &str) -> Counted {
        let mut shape = Shape::new(delimiter);
        shape.write_all(text.as_bytes()).unwrap();
        shape.finish()
    }

    #[rstest]
    #[case::nothing(Tab, "", 0, None, None)]
    #[case::line_ends_only(Tab, "\r\n\r\n", 0, None, None)]
    #[case::records_of_hero(Tab, "1\t2\n3\t4\n", 2, Some(2), None)]
    #[case::records_of_autosend(Tab, "1\t2\r\n3\t4\r\n", 2, Some(2), None)]
    #[case::carriage_returns(Tab, "1\t2\r3\t4\r", 2, Some(2), None)]
    #[case::no_last_line_end(Tab, "1\t2\r\n3\t4", 2, Some(2), None)]
    #[case::empty_values(Tab, "\t\t\r\n\t\t\r\n", 2, Some(3), None)]
    #[case::a_quote_among_tabs(Tab, "O\"Hara\t2\r\n3\t4\r\n", 2, Some(2), None)]
    #[case::a_comma_among_tabs(Tab, "a,b\t2\r\n", 1, Some(2), None)]
    #[case::quoted_commas(Comma, "\"a,b\",2\r\n\"c\"\"d\r\n,\",4\r\n", 2, Some(2), None)]
    #[case::a_short_row(Tab, "1\t2\t3\r\n1\t2\r\n1\r\n", 3, Some(3), Some((2, 2)))]
    fn rows_and_columns(
        #[case] delimiter: FieldDelimiter,
        #[case] text: &str,
        #[case] rows: u64,
        #[case] columns: Option<u32>,
        #[case] uneven: Option<(u64, u32)>,
    ) {
        assert_eq!(counted(delimiter, text), Counted { rows, columns, uneven });
    }

    proptest! {
        /// Wherever a transfer cuts it, the file is the same.
        #[test]
        fn pieces_change_nothing(text in "[a\",\t\r\n]{0,60}", cut in 0..60_usize, comma: bool) {
            let delimiter = if comma { Comma } else { Tab };
            let mut shape = Shape::new(delimiter);
            let (first, second) = text.as_bytes().split_at(cut.min(text.len()));
            shape.write_all(first).unwrap();
            shape.write_all(second).unwrap();
            prop_assert_eq!(shape.finish(), counted(delimiter, &text));
        }
    }
}
