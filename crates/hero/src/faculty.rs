//! The faculty file, with which a Hero administrator creates the staff's accounts once: a flat CSV file, imported by hand
//! at Hero's side.

use std::io::Write;

use rosterbridge_domain::{roster::Teacher, settings::FieldDelimiter};

use crate::{
    fields::KnownField,
    layout::ExportLayout,
    problems::Subject,
    records::{Records, WriteError, Written},
};

/// Its usual name.
pub const FACULTY_FILE: &str = "FACULTY.CSV";

const fn column(name: &'static str, column: &'static str, meaning: &'static str) -> KnownField {
    KnownField { name, column, meaning, limit: None, required: false }
}

static SCHOOL_ID: KnownField = column("School ID", "TEACHERS.SCHOOLID", "Number of the school");
static FIRST_NAME: KnownField = column("First Name", "TEACHERS.FIRST_NAME", "First name");
static LAST_NAME: KnownField = column("Last Name", "TEACHERS.LAST_NAME", "Last name");
static EMAIL_ADDRESS: KnownField = column("Email Address", "TEACHERS.EMAIL_ADDR", "E-mail address");
static ROLE: KnownField = column("Role", "", "The role in Hero");
static TYPE: KnownField = column("Type", "", "The type of the account in Hero");
static INSTRUCTOR_CODE: KnownField =
    column("Instructor Code", "TEACHERS.TEACHERNUMBER", "Number of the teacher");

/// The faculty file: always comma, CRLF and UTF-8, with a header row.
pub struct FacultyFile<'a, W: Write> {
    records: Records<W>,
    role: &'a str,
    account_type: &'a str,
}

impl<'a, W: Write> FacultyFile<'a, W> {
    /// Starts a file in which everybody gets this role and type, by their names in Hero. Of the problems `listed` are
    /// kept.
    pub fn new(out: W, role: &'a str, account_type: &'a str, listed: usize) -> Self {
        let layout =
            ExportLayout { field_delimiter: FieldDelimiter::Comma, header: true, ..ExportLayout::default() };
        let columns = [&SCHOOL_ID, &FIRST_NAME, &LAST_NAME, &EMAIL_ADDRESS, &ROLE, &TYPE, &INSTRUCTOR_CODE];
        let records = Records::new(out, &columns.map(|column| column.name), layout, listed);
        Self { records, role, account_type }
    }

    /// Appends a person's row.
    pub fn write(&mut self, teacher: &Teacher) -> Result<(), WriteError> {
        let row = &mut self.records;
        row.number(&SCHOOL_ID, teacher.school.get())?;
        row.text(&FIRST_NAME, &teacher.first_name);
        row.text(&LAST_NAME, &teacher.last_name);
        row.text(&EMAIL_ADDRESS, &teacher.email);
        row.text(&ROLE, self.role);
        row.text(&TYPE, self.account_type);
        row.text(&INSTRUCTOR_CODE, &teacher.number);
        row.end(|| Subject::Teacher(teacher.number.clone()))
    }

    /// Ends the file; see [`StudentFile::finish`](crate::StudentFile::finish).
    pub fn finish(self) -> Result<(W, Written), WriteError> {
        self.records.finish()
    }
}
