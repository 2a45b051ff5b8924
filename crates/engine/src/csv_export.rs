//! CSV files for a person's own spreadsheet: RFC 4180, UTF-8 without a mark, a comma between fields.
//!
//! A field comes from other systems, and a spreadsheet takes one that begins like a formula for a formula. Such a field gets
//! an apostrophe before it, which spreadsheets show as text.

use std::io::{self, Write};

/// What makes a spreadsheet take a field for a formula, as its first character.
const BEGINS_FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A CSV file being written, row by row.
pub(crate) struct CsvExport<W: Write> {
    out: csv::Writer<W>,
    rows: u64,
}

impl<W: Write> CsvExport<W> {
    /// Begins with the names of the columns.
    pub(crate) fn new(to: W, columns: &[&str]) -> io::Result<Self> {
        let mut out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(to);
        out.write_record(columns)?;
        Ok(Self { out, rows: 0 })
    }

    /// Adds a row with a field for each column.
    pub(crate) fn row<'a>(&mut self, fields: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
        for field in fields {
            if field.starts_with(BEGINS_FORMULA) {
                self.out.write_field(format!("'{field}"))?;
            } else {
                self.out.write_field(field)?;
            }
        }
        // Ends the row.
        self.out.write_record(None::<&[u8]>)?;
        self.rows += 1;
        Ok(())
    }

    /// Writes what is left. How many rows there are, without the names of the columns.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.out.flush()?;
        Ok(self.rows)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn written(rows: &[[&str; 2]]) -> String {
        let mut file = Vec::new();
        let mut export = CsvExport::new(&mut file, &["a", "b"]).unwrap();
        for row in rows {
            export.row(*row).unwrap();
        }
        assert_eq!(export.finish().unwrap(), rows.len() as u64);
        String::from_utf8(file).unwrap()
    }

    #[test]
    fn fields_are_quoted_where_they_have_to_be_and_rows_end_as_the_standard_wants() {
        let text = written(&[["one, two", "say \"no\""], ["two\nlines", "Peña"], ["", ""]]);
        assert_eq!(text, "a,b\r\n\"one, two\",\"say \"\"no\"\"\"\r\n\"two\nlines\",Peña\r\n,\r\n");
    }

    #[rstest]
    #[case("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\"")]
    #[case("+1", "'+1")]
    #[case("-1", "'-1")]
    #[case("@SUM(A1)", "'@SUM(A1)")]
    #[case("\t=1", "'\t=1")]
    #[case("\r=1", "\"'\r=1\"")]
    #[case("a=1", "a=1")]
    fn no_field_is_a_formula(#[case] field: &str, #[case] expected: &str) {
        assert_eq!(written(&[[field, "x"]]), format!("a,b\r\n{expected},x\r\n"));
    }
}
