//! The roster of one building: a CSV file in UTF-8 without byte order mark, header first, records ended by CRLF.

use std::io::Write;

use chrono::Datelike;
use rosterbridge_domain::roster::Student;
use serde::{Deserialize, Serialize};

use crate::error::WriteError;

/// The roster's columns, in order.
pub const ROSTER_COLUMNS: [&str; 11] = [
    "Building",
    "IdNumber",
    "FirstName",
    "MiddleName",
    "LastName",
    "DateOfBirth",
    "Grade",
    "Homeroom",
    "GuardianEmail",
    "Phone",
    "Status",
];

/// The roster's last column.
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
/// DateOfBirth is YYYY-MM-DD, the form that means the same everywhere, and empty where PowerSchool has none. Values
/// are written exactly as PowerSchool holds them, quoted as in RFC 4180 where they have to be. One that begins with
/// `=`, `+`, `-` or `@` is left as it is: the file is read by a program that compares it with its own records, and
/// an apostrophe put in front against spreadsheets would become part of a person's name.
pub struct RosterFile<W: Write> {
    out: csv::Writer<W>,
    number: String,
    rows: u64,
    first: Vec<Vec<String>>,
}

/// What is gathered before it is written, in bytes: a large district has a thousand of these files open at once.
const BUFFER: usize = 8 * 1024;

/// Rows kept as a sample of what is written.
pub const FIRST_ROWS: usize = 5;

impl<W: Write> RosterFile<W> {
    /// Starts a roster with its header.
    pub fn new(out: W) -> Result<Self, WriteError> {
        let mut out = csv::WriterBuilder::new()
            .buffer_capacity(BUFFER)
            .terminator(csv::Terminator::CRLF)
            .from_writer(out);
        out.write_record(ROSTER_COLUMNS).map_err(io_error)?;
        Ok(Self { out, number: String::new(), rows: 0, first: Vec::new() })
    }

    /// Appends a student's row.
    pub fn write(
        &mut self,
        building: &str,
        student: &Student,
        status: RosterStatus,
    ) -> Result<(), WriteError> {
        if self.first.len() < FIRST_ROWS {
            self.first.push(Vec::with_capacity(ROSTER_COLUMNS.len()));
        }
        self.text(building)?;
        self.formatted(format_args!("{}", student.number))?;
        for name in [&student.first_name, &student.middle_name, &student.last_name] {
            self.text(name)?;
        }
        match student.dob {
            Some(dob) => {
                self.formatted(format_args!("{:04}-{:02}-{:02}", dob.year(), dob.month(), dob.day()))?;
            }
            None => self.text("")?,
        }
        self.formatted(format_args!("{}", student.grade_level))?;
        for value in [&student.home_room, &student.guardian_email, &student.home_phone] {
            self.text(value)?;
        }
        self.text(status.as_str())?;
        self.out.write_record(None::<&[u8]>).map_err(io_error)?;
        self.rows += 1;
        Ok(())
    }

    fn formatted(&mut self, value: std::fmt::Arguments<'_>) -> Result<(), WriteError> {
        use std::fmt::Write as _;
        self.number.clear();
        // Writing to a String cannot fail.
        _ = self.number.write_fmt(value);
        let number = std::mem::take(&mut self.number);
        let written = self.text(&number);
        self.number = number;
        written
    }

    fn text(&mut self, value: &str) -> Result<(), WriteError> {
        if self.rows < FIRST_ROWS as u64
            && let Some(row) = self.first.last_mut()
        {
            row.push(value.to_owned());
        }
        self.out.write_field(value).map_err(io_error)
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

fn io_error(error: csv::Error) -> WriteError {
    WriteError::Io(error.into())
}
