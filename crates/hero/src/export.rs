//! The three exports. Values go out as PowerSchool holds them; what a layout cannot carry is replaced and counted,
//! and what Hero's own limits would reject is written as it is and named in a warning.

use std::io::{self, Write};

use chrono::{Datelike, NaiveDate};
use encoding_rs::{EncoderResult, WINDOWS_1252};
use rosterbridge_domain::{
    id::{SchoolNumber, StudentNumber, TermId},
    roster::{Student, Teacher},
};
use serde::Serialize;

use crate::layout::{Characters, Delimiter, ExportLayout, UNDEFINED_IN_WINDOWS_ANSI};

/// Name of the student demographics file.
pub const STUDENT_FILE: &str = "STUDENT.TXT";
/// Name of the schedule file.
pub const SCHEDULE_FILE: &str = "SCHEDULE.TXT";
/// Name of the teacher file; its extension is lower case, unlike the others'.
pub const TEACHER_FILE: &str = "TEACHER.txt";

/// 'Fields to Export' of the student demographics, in order (Hero: 'Enter fields exactly as shown').
pub const STUDENT_FIELDS: [&str; 12] = [
    "Student_Number",
    "First_Name",
    "Last_Name",
    "Middle_Name",
    "DOB",
    "Mailing_Street",
    "Mailing_City",
    "Mailing_State",
    "Mailing_Zip",
    "GuardianEmail",
    "Home_Phone",
    "Grade_Level",
];

/// 'Fields to Export' of the schedule, in order. A number in brackets is PowerSchool's way to name another table.
pub const SCHEDULE_FIELDS: [&str; 12] = [
    "Schoolid",
    "[01]student_number",
    "termid",
    "course_number",
    "[02]course_name",
    "section_number",
    "Period",
    "Expression",
    "[05]last_name",
    "[05]first_name",
    "[03]room",
    "teachernumber",
];

/// 'Fields to Export' of the teachers, in order: Hero asks for the teacher number twice.
pub const TEACHER_FIELDS: [&str; 7] =
    ["Schoolid", "[05]last_name", "[05]first_name", "teachernumber", "email_addr", "teachernumber", "status"];

/// Warnings kept per file; further ones are only counted.
pub const LISTED_WARNINGS: usize = 100;

/// Rows kept as a sample of what is written.
pub const FIRST_ROWS: usize = 5;

/// Rows are handed on in pieces of about this size: large enough that hashing and encrypting them costs no more
/// calls than it has to.
const PIECE: usize = 64 * 1024;

/// What Hero expects of a field besides its place.
#[derive(Clone, Copy)]
struct Expectation {
    /// Characters Hero accepts.
    limit: Option<usize>,
    required: bool,
}

const ANY: Expectation = Expectation { limit: None, required: false };

const fn up_to(limit: usize) -> Expectation {
    Expectation { limit: Some(limit), required: false }
}

const fn required(limit: usize) -> Expectation {
    Expectation { limit: Some(limit), required: true }
}

/// Hero's limits, in the order of [`STUDENT_FIELDS`].
const STUDENT_EXPECTATIONS: [Expectation; 12] = [
    required(50),
    required(20),
    required(20),
    up_to(50),
    up_to(10),
    up_to(50),
    up_to(50),
    up_to(50),
    up_to(10),
    up_to(255),
    up_to(50),
    required(5),
];
/// Hero publishes limits of the school and student numbers only, which numbers cannot exceed.
const SCHEDULE_EXPECTATIONS: [Expectation; 12] = [ANY; 12];
const TEACHER_EXPECTATIONS: [Expectation; 7] = [ANY; 7];

/// A value the administrator should look at. It was written nevertheless.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The row, counted from 1 without the header.
    pub row: u64,
    /// The field's name in PowerSchool's field list.
    pub field: &'static str,
    /// What is unusual.
    pub what: Concern,
}

/// What a [`Warning`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Concern {
    /// Hero requires the field and it is empty.
    Missing,
    /// The value is longer than Hero accepts.
    TooLong {
        /// Its length in characters.
        length: usize,
        /// Hero's limit in characters.
        limit: usize,
    },
    /// The value has characters that Windows ANSI lacks; each was replaced by `?`.
    Unmappable,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { row, field, what } = self;
        match what {
            Concern::Missing => write!(f, "row {row}: {field} is empty, and Hero requires it"),
            Concern::TooLong { length, limit } => {
                write!(f, "row {row}: {field} has {length} characters, and Hero accepts {limit}")
            }
            Concern::Unmappable => {
                write!(f, "row {row}: {field} has characters that Windows ANSI lacks; they were sent as ?")
            }
        }
    }
}

/// What was written.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Rows, without the header.
    pub rows: u64,
    /// Values in which something was replaced: a tab or line break, or a character that Windows ANSI lacks.
    pub altered_values: u64,
    /// The first [`LISTED_WARNINGS`] warnings.
    pub warnings: Vec<Warning>,
    /// How many warnings there were.
    pub warnings_total: u64,
    /// The first [`FIRST_ROWS`] rows, value by value, as they were written. They are the students': not for a log.
    #[serde(skip)]
    pub first: Vec<Vec<String>>,
}

/// Without the rows.
impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rows, altered_values, warnings, warnings_total, first: _ } = self;
        f.debug_struct("Written")
            .field("rows", rows)
            .field("altered_values", altered_values)
            .field("warnings", warnings)
            .field("warnings_total", warnings_total)
            .finish_non_exhaustive()
    }
}

/// Why an export could not be written.
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
struct Records<W> {
    out: W,
    buffer: Vec<u8>,
    layout: ExportLayout,
    names: &'static [&'static str],
    expectations: &'static [Expectation],
    column: usize,
    /// Where in the buffer the values of the row under way begin, as long as rows are kept.
    values: Vec<usize>,
    written: Written,
}

impl<W: Write> Records<W> {
    fn new(
        out: W,
        layout: ExportLayout,
        names: &'static [&'static str],
        expectations: &'static [Expectation],
    ) -> Self {
        let mut buffer = Vec::with_capacity(PIECE + PIECE / 4);
        if layout.header {
            for (column, name) in names.iter().enumerate() {
                if column > 0 {
                    buffer.push(layout.delimiter.byte());
                }
                buffer.extend_from_slice(name.as_bytes());
            }
            buffer.extend_from_slice(layout.record_end.bytes());
        }
        Self {
            out,
            buffer,
            layout,
            names,
            expectations,
            column: 0,
            values: Vec::new(),
            written: Written::default(),
        }
    }

    fn separate(&mut self) {
        if self.column > 0 {
            self.buffer.push(self.layout.delimiter.byte());
        }
        self.column += 1;
        if self.written.first.len() < FIRST_ROWS {
            self.values.push(self.buffer.len());
        }
    }

    fn number(&mut self, value: i64) -> io::Result<()> {
        self.separate();
        write!(self.buffer, "{value}")
    }

    /// MM/DD/YYYY, as PowerSchool exports dates; nothing where there is none.
    fn date(&mut self, value: Option<NaiveDate>) -> io::Result<()> {
        self.separate();
        match value {
            Some(date) => write!(self.buffer, "{:02}/{:02}/{:04}", date.month(), date.day(), date.year()),
            None => Ok(()),
        }
    }

    fn text(&mut self, value: &str) {
        self.separate();
        let Expectation { limit, required } = self.expectations[self.column - 1];
        if required && value.is_empty() {
            self.warn(Concern::Missing);
        }
        // A value has at most as many characters as bytes, so that nearly every value needs no counting.
        if let Some(limit) = limit.filter(|limit| value.len() > *limit) {
            let length = value.chars().count();
            if length > limit {
                self.warn(Concern::TooLong { length, limit });
            }
        }
        let breaks = value.bytes().any(|byte| matches!(byte, b'\t' | b'\r' | b'\n'));
        let start = self.buffer.len();
        let (replaced, unmappable) = match self.layout.delimiter {
            Delimiter::Tab => {
                let unmappable = self.characters(value);
                if breaks {
                    for byte in &mut self.buffer[start..] {
                        if matches!(*byte, b'\t' | b'\r' | b'\n') {
                            *byte = b' ';
                        }
                    }
                }
                (breaks, unmappable)
            }
            Delimiter::Comma if value.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n')) => {
                let mut unmappable = false;
                self.buffer.push(b'"');
                for (index, part) in value.split('"').enumerate() {
                    if index > 0 {
                        self.buffer.extend_from_slice(b"\"\"");
                    }
                    unmappable |= self.characters(part);
                }
                self.buffer.push(b'"');
                (false, unmappable)
            }
            Delimiter::Comma => (false, self.characters(value)),
        };
        if unmappable {
            self.warn(Concern::Unmappable);
        }
        if replaced || unmappable {
            self.written.altered_values += 1;
        }
    }

    /// Appends `value` in the file's characters. Returns whether a character had to be given up.
    fn characters(&mut self, value: &str) -> bool {
        if self.layout.characters == Characters::Utf8 || value.is_ascii() {
            self.buffer.extend_from_slice(value.as_bytes());
            return false;
        }
        let start = self.buffer.len();
        let mut unmappable = false;
        let mut encoder = WINDOWS_1252.new_encoder();
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
        // The encoder passes five control characters through as bytes that Windows itself leaves undefined.
        for byte in &mut self.buffer[start..] {
            if UNDEFINED_IN_WINDOWS_ANSI.contains(byte) {
                *byte = b'?';
                unmappable = true;
            }
        }
        unmappable
    }

    fn warn(&mut self, what: Concern) {
        self.written.warnings_total += 1;
        if self.written.warnings.len() < LISTED_WARNINGS {
            let field = self.names[self.column - 1];
            self.written.warnings.push(Warning { row: self.written.rows + 1, field, what });
        }
    }

    /// Keeps the row in the buffer among the first ones.
    fn keep(&mut self) {
        let ends = self.values.iter().skip(1).map(|next| next - 1).chain([self.buffer.len()]);
        let row = self.values.iter().zip(ends).map(|(begin, end)| {
            let bytes = self.buffer.get(*begin..end).unwrap_or_default();
            let value = match self.layout.characters {
                Characters::Utf8 => String::from_utf8_lossy(bytes),
                Characters::WindowsAnsi => WINDOWS_1252.decode_without_bom_handling(bytes).0,
            };
            match (self.layout.delimiter, value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'))) {
                (Delimiter::Comma, Some(quoted)) => quoted.replace("\"\"", "\""),
                _ => value.into_owned(),
            }
        });
        let row = row.collect();
        self.written.first.push(row);
        self.values.clear();
    }

    fn end(&mut self) -> Result<(), WriteError> {
        if !self.values.is_empty() {
            self.keep();
        }
        self.buffer.extend_from_slice(self.layout.record_end.bytes());
        self.column = 0;
        self.written.rows += 1;
        if self.buffer.len() >= PIECE {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(W, Written), WriteError> {
        self.out.write_all(&self.buffer)?;
        self.out.flush()?;
        Ok((self.out, self.written))
    }
}

/// The student demographics file: every student of the account's schools, in the order they are written.
pub struct StudentFile<W: Write>(Records<W>);

impl<W: Write> StudentFile<W> {
    /// Starts a file. Nothing reaches `out` before about 64 KiB are together or [`Self::finish`] is called.
    pub fn new(out: W, layout: ExportLayout) -> Self {
        Self(Records::new(out, layout, &STUDENT_FIELDS, &STUDENT_EXPECTATIONS))
    }

    /// Appends a student's row.
    pub fn write(&mut self, student: &Student) -> Result<(), WriteError> {
        let row = &mut self.0;
        row.number(student.number.get())?;
        row.text(&student.first_name);
        row.text(&student.last_name);
        row.text(&student.middle_name);
        row.date(student.dob)?;
        row.text(&student.mailing_street);
        row.text(&student.mailing_city);
        row.text(&student.mailing_state);
        row.text(&student.mailing_zip);
        row.text(&student.guardian_email);
        row.text(&student.home_phone);
        row.number(student.grade_level)?;
        row.end()
    }

    /// Hands the rest on, flushes `out` and gives it back with the counts. A file dropped before this is cut short.
    pub fn finish(self) -> Result<(W, Written), WriteError> {
        self.0.finish()
    }
}

/// A row of the schedule: one student's enrolment in one section, joined with its course, teacher and room.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleRow<'a> {
    /// CC.SCHOOLID.
    pub school: SchoolNumber,
    /// STUDENTS.STUDENT_NUMBER.
    pub student_number: StudentNumber,
    /// CC.TERMID.
    pub term: TermId,
    /// CC.COURSE_NUMBER.
    pub course_number: &'a str,
    /// COURSES.COURSE_NAME.
    pub course_name: &'a str,
    /// CC.SECTION_NUMBER.
    pub section_number: &'a str,
    /// CC.PERIOD_OBSOLETE, which an AutoSend export calls `Period`.
    pub period: &'a str,
    /// CC.EXPRESSION.
    pub expression: &'a str,
    /// TEACHERS.LAST_NAME.
    pub teacher_last_name: &'a str,
    /// TEACHERS.FIRST_NAME.
    pub teacher_first_name: &'a str,
    /// SECTIONS.ROOM.
    pub room: &'a str,
    /// TEACHERS.TEACHERNUMBER.
    pub teacher_number: &'a str,
}

/// The schedule file: every enrolment of the account's schools in the current school year.
pub struct ScheduleFile<W: Write>(Records<W>);

impl<W: Write> ScheduleFile<W> {
    /// Starts a file; see [`StudentFile::new`].
    pub fn new(out: W, layout: ExportLayout) -> Self {
        Self(Records::new(out, layout, &SCHEDULE_FIELDS, &SCHEDULE_EXPECTATIONS))
    }

    /// Appends an enrolment's row.
    pub fn write(&mut self, enrollment: &ScheduleRow<'_>) -> Result<(), WriteError> {
        let row = &mut self.0;
        row.number(enrollment.school.get())?;
        row.number(enrollment.student_number.get())?;
        row.number(enrollment.term.get())?;
        row.text(enrollment.course_number);
        row.text(enrollment.course_name);
        row.text(enrollment.section_number);
        row.text(enrollment.period);
        row.text(enrollment.expression);
        row.text(enrollment.teacher_last_name);
        row.text(enrollment.teacher_first_name);
        row.text(enrollment.room);
        row.text(enrollment.teacher_number);
        row.end()
    }

    /// Ends the file; see [`StudentFile::finish`].
    pub fn finish(self) -> Result<(W, Written), WriteError> {
        self.0.finish()
    }
}

/// The teacher file: every person on the staff of the account's schools, whatever the status.
pub struct TeacherFile<W: Write>(Records<W>);

impl<W: Write> TeacherFile<W> {
    /// Starts a file; see [`StudentFile::new`].
    pub fn new(out: W, layout: ExportLayout) -> Self {
        Self(Records::new(out, layout, &TEACHER_FIELDS, &TEACHER_EXPECTATIONS))
    }

    /// Appends a teacher's row.
    pub fn write(&mut self, teacher: &Teacher) -> Result<(), WriteError> {
        let row = &mut self.0;
        row.number(teacher.school.get())?;
        row.text(&teacher.last_name);
        row.text(&teacher.first_name);
        row.text(&teacher.number);
        row.text(&teacher.email);
        row.text(&teacher.number);
        row.number(teacher.status)?;
        row.end()
    }

    /// Ends the file; see [`StudentFile::finish`].
    pub fn finish(self) -> Result<(W, Written), WriteError> {
        self.0.finish()
    }
}
