//! The roster of one building, in UTF-8, as a layout has it. In the usual layout: CSV without byte order mark, header
//! first, records ended by CRLF.

use std::io::Write;

use chrono::{Datelike, NaiveDate};
use rosterbridge_domain::{
    id::StudentNumber,
    roster::RosterStudent,
    settings::{DateForm, Delimiter, LineEnd, RosterField, RosterLayout},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::WriteError;

/// Whether a student attends a mapped building.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RosterStatus {
    /// Attends the building.
    Active,
    /// Attends no mapped building any more.
    Inactive,
}

impl RosterStatus {
    /// The word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
        }
    }
}

/// A roster on its way into `W`.
///
/// Dates are empty where PowerSchool has none. Values are written exactly as PowerSchool holds them, quoted as in
/// RFC 4180 where they have to be, with whichever delimiter. One that begins with `=`, `+`, `-` or `@` is left as it is:
/// the file is read by a program that compares it with its own records, and an apostrophe put in front against
/// spreadsheets would become part of a person's name.
pub struct RosterFile<'l, W: Write> {
    out: csv::Writer<W>,
    layout: &'l RosterLayout,
    /// A value that is not text in PowerSchool.
    formatted: String,
    rows: u64,
    first: Vec<Vec<String>>,
}

/// What is gathered before it is written, in bytes: a large district has a thousand of these files open at once.
const BUFFER: usize = 8 * 1024;

/// Rows kept as a sample of what is written.
pub const FIRST_ROWS: usize = 5;

/// UTF-8's byte order mark.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl<'l, W: Write> RosterFile<'l, W> {
    /// Starts a roster with what its layout begins with.
    pub fn new(mut out: W, layout: &'l RosterLayout) -> Result<Self, WriteError> {
        if layout.byte_order_mark {
            out.write_all(BYTE_ORDER_MARK)?;
        }
        let mut out = csv::WriterBuilder::new()
            .buffer_capacity(BUFFER)
            .delimiter(match layout.delimiter {
                Delimiter::Comma => b',',
                Delimiter::Tab => b'\t',
            })
            .terminator(match layout.line_end {
                LineEnd::Crlf => csv::Terminator::CRLF,
                LineEnd::Lf => csv::Terminator::Any(b'\n'),
            })
            .from_writer(out);
        if layout.header {
            out.write_record(layout.columns.iter().map(|column| &column.title)).map_err(io_error)?;
        }
        Ok(Self { out, layout, formatted: String::new(), rows: 0, first: Vec::new() })
    }

    /// Appends a student's row.
    pub fn write(
        &mut self,
        building: &str,
        student: &RosterStudent<'_>,
        status: RosterStatus,
    ) -> Result<(), WriteError> {
        self.row(&Row { building, number: student.number, student: Some(student), status })
    }

    /// Appends the row of a student of whom PowerSchool has nothing any more: only the number is known.
    pub fn write_gone(&mut self, building: &str, number: StudentNumber) -> Result<(), WriteError> {
        self.row(&Row { building, number, student: None, status: RosterStatus::Inactive })
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), WriteError> {
        let mut kept = (self.first.len() < FIRST_ROWS).then(Vec::new);
        for column in &self.layout.columns {
            let value = row.value(column.field, &mut self.formatted, self.layout.dates);
            if let Some(kept) = &mut kept {
                kept.push(value.to_owned());
            }
            self.out.write_field(value).map_err(io_error)?;
        }
        self.first.extend(kept);
        self.out.write_record(None::<&[u8]>).map_err(io_error)?;
        self.rows += 1;
        Ok(())
    }

    /// The first [`FIRST_ROWS`] rows so far, value by value. They are the students': not for a log.
    pub fn first(&self) -> &[Vec<String>] {
        &self.first
    }

    /// Hands the rest on, flushes, and gives the target back with the number of rows without the header.
    pub fn finish(mut self) -> Result<(W, u64), WriteError> {
        self.out.flush()?;
        let out = self.out.into_inner().map_err(|failed| WriteError::Io(failed.into_error()))?;
        Ok((out, self.rows))
    }
}

/// What a row says.
struct Row<'a> {
    building: &'a str,
    number: StudentNumber,
    student: Option<&'a RosterStudent<'a>>,
    status: RosterStatus,
}

impl Row<'_> {
    /// What stands in a column; `formatted` holds it where it has to be made.
    fn value<'v>(&'v self, field: RosterField, formatted: &'v mut String, dates: DateForm) -> &'v str {
        let Some(student) = self.student else {
            return match field {
                RosterField::Building => self.building,
                RosterField::IdNumber => format(formatted, format_args!("{}", self.number)),
                RosterField::Status => self.status.as_str(),
                _ => "",
            };
        };
        match field {
            RosterField::Building => self.building,
            RosterField::IdNumber => format(formatted, format_args!("{}", self.number)),
            RosterField::FirstName => student.first_name,
            RosterField::MiddleName => student.middle_name,
            RosterField::LastName => student.last_name,
            RosterField::DateOfBirth => student.dob.map_or("", |dob| date(formatted, dob, dates)),
            RosterField::Grade => format(formatted, format_args!("{}", student.grade_level)),
            RosterField::Homeroom => student.home_room,
            RosterField::GuardianEmail => student.guardian_email,
            RosterField::Phone => student.home_phone,
            RosterField::Status => self.status.as_str(),
        }
    }
}

fn format<'f>(formatted: &'f mut String, value: std::fmt::Arguments<'_>) -> &'f str {
    use std::fmt::Write as _;
    formatted.clear();
    // Writing to a String cannot fail.
    _ = formatted.write_fmt(value);
    formatted
}

fn date(formatted: &mut String, date: NaiveDate, dates: DateForm) -> &str {
    let (year, month, day) = (date.year(), date.month(), date.day());
    match dates {
        DateForm::Iso => format(formatted, format_args!("{year:04}-{month:02}-{day:02}")),
        DateForm::Us => format(formatted, format_args!("{month:02}/{day:02}/{year:04}")),
    }
}

fn io_error(error: csv::Error) -> WriteError {
    WriteError::Io(error.into())
}

/// Tells whether what a roster says of a student has changed: the values in its columns, whatever the columns are called
/// and in whichever order they stand.
pub struct RowDigest {
    /// In the usual order.
    fields: Vec<RosterField>,
    dates: DateForm,
    values: Vec<u8>,
}

/// Bytes of a [`RowDigest`]'s answer.
pub const DIGEST: usize = 16;

impl RowDigest {
    /// For the rows of a layout.
    pub fn new(layout: &RosterLayout) -> Self {
        let has = |field: &RosterField| layout.columns.iter().any(|column| column.field == *field);
        let fields = RosterField::ALL.into_iter().filter(has).collect();
        Self { fields, dates: layout.dates, values: Vec::new() }
    }

    /// Of the row of an active student.
    pub fn of(&mut self, student: &RosterStudent<'_>) -> [u8; DIGEST] {
        let values = &mut self.values;
        values.clear();
        for field in &self.fields {
            let text = match field {
                // The same in every row of the file.
                RosterField::Building | RosterField::Status => continue,
                RosterField::IdNumber => {
                    values.extend(student.number.get().to_le_bytes());
                    continue;
                }
                RosterField::Grade => {
                    values.extend(student.grade_level.to_le_bytes());
                    continue;
                }
                RosterField::DateOfBirth => {
                    values.push(match self.dates {
                        DateForm::Iso => 0,
                        DateForm::Us => 1,
                    });
                    values.extend(student.dob.map_or(0, |dob| dob.num_days_from_ce()).to_le_bytes());
                    continue;
                }
                RosterField::FirstName => student.first_name,
                RosterField::MiddleName => student.middle_name,
                RosterField::LastName => student.last_name,
                RosterField::Homeroom => student.home_room,
                RosterField::GuardianEmail => student.guardian_email,
                RosterField::Phone => student.home_phone,
            };
            // Length first: values of different columns never read as one another's. Which column it is, since an empty
            // one more would else be no change.
            values.push(*field as u8);
            values.extend((text.len() as u64).to_le_bytes());
            values.extend(text.as_bytes());
        }
        let mut digest = [0; DIGEST];
        digest.copy_from_slice(&Sha256::digest(&self.values)[..DIGEST]);
        digest
    }
}
