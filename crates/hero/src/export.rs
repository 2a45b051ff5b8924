//! The three exports. Values go out as PowerSchool holds them; what a layout cannot carry is replaced, what is longer
//! than Hero accepts goes out whole or cut as the administrator chose, and either is reported row by row.

use std::io::Write;

use rosterbridge_domain::{
    id::StudentNumber,
    roster::{Course, Enrollment, Section, Student, Teacher},
};

use crate::{
    fields::{Field, FieldList, ScheduleField, StudentField, TeacherField},
    layout::ExportLayout,
    problems::{Kind, Subject},
    records::{Records, WriteError, Written},
};

/// The student demographics file: every student of the account's schools, by student number.
pub struct StudentFile<'a, W: Write> {
    records: Records<W>,
    fields: &'a [StudentField],
    /// The number of the student before, and the row with it that came first.
    last: Option<(StudentNumber, u64)>,
}

impl<'a, W: Write> StudentFile<'a, W> {
    /// Starts a file. Nothing reaches `out` before about 64 KiB are together or [`Self::finish`] is called. Of the
    /// problems `listed` are kept, and all are counted.
    pub fn new(out: W, fields: &'a FieldList<StudentField>, layout: ExportLayout, listed: usize) -> Self {
        let records = Records::new(out, fields.names(), layout, listed);
        Self { records, fields: fields.fields(), last: None }
    }

    /// Appends a student's row. Students come in ascending order of their numbers.
    pub fn write(&mut self, student: &Student) -> Result<(), WriteError> {
        let row = &mut self.records;
        for field in self.fields {
            let known = field.known();
            match field {
                StudentField::Number => row.number(known, student.number.get())?,
                StudentField::FirstName => row.text(known, &student.first_name),
                StudentField::LastName => row.text(known, &student.last_name),
                StudentField::MiddleName => row.text(known, &student.middle_name),
                StudentField::Dob => row.date(student.dob)?,
                StudentField::MailingStreet => row.text(known, &student.mailing_street),
                StudentField::MailingCity => row.text(known, &student.mailing_city),
                StudentField::MailingState => row.text(known, &student.mailing_state),
                StudentField::MailingZip => row.text(known, &student.mailing_zip),
                StudentField::GuardianEmail => row.text(known, &student.guardian_email),
                StudentField::HomePhone => row.text(known, &student.home_phone),
                StudentField::GradeLevel => row.number(known, student.grade_level)?,
                StudentField::School => row.number(known, student.school.get())?,
                StudentField::EnrollStatus => row.number(known, student.enroll_status.0)?,
                StudentField::Id => row.number(known, student.id.get())?,
                StudentField::Dcid => row.number(known, student.dcid.get())?,
            }
        }
        match self.last {
            Some((number, first_row)) if number == student.number => {
                row.note(StudentField::Number.known(), Kind::Duplicate { first_row });
            }
            _ => self.last = Some((student.number, row.row())),
        }
        row.end(|| Subject::Student(student.number))
    }

    /// Hands the rest on, flushes `out` and gives it back with the counts. A file dropped before this is cut short.
    pub fn finish(self) -> Result<(W, Written), WriteError> {
        self.records.finish()
    }
}

/// A row of the schedule: one student's enrolment in one section, with what belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleRow<'a> {
    /// The student.
    pub student: &'a Student,
    /// The enrolment.
    pub enrollment: &'a Enrollment,
    /// Its course; `None` where PowerSchool has no such course.
    pub course: Option<&'a Course>,
    /// SECTIONS.ROOM; empty for none.
    pub room: &'a str,
    /// SECTIONS.EXTERNAL_EXPRESSION; empty for none.
    pub external_expression: &'a str,
    /// Its section, for the fields that [need it](ScheduleField::needs_section).
    pub section: Option<&'a Section>,
    /// TEACHERS.LAST_NAME; empty where the enrolment names no teacher.
    pub teacher_last_name: &'a str,
    /// TEACHERS.FIRST_NAME.
    pub teacher_first_name: &'a str,
    /// TEACHERS.TEACHERNUMBER.
    pub teacher_number: &'a str,
}

/// The schedule file: every enrolment of the account's schools in the current school year.
pub struct ScheduleFile<'a, W: Write> {
    records: Records<W>,
    fields: &'a [ScheduleField],
}

impl<'a, W: Write> ScheduleFile<'a, W> {
    /// Starts a file; see [`StudentFile::new`].
    pub fn new(out: W, fields: &'a FieldList<ScheduleField>, layout: ExportLayout, listed: usize) -> Self {
        Self { records: Records::new(out, fields.names(), layout, listed), fields: fields.fields() }
    }

    /// Appends an enrolment's row.
    pub fn write(&mut self, of: &ScheduleRow<'_>) -> Result<(), WriteError> {
        let row = &mut self.records;
        let ScheduleRow { student, enrollment, .. } = of;
        for field in self.fields {
            let known = field.known();
            match field {
                ScheduleField::School => row.number(known, enrollment.school.get())?,
                ScheduleField::StudentNumber => row.number(known, student.number.get())?,
                ScheduleField::Term => row.number(known, enrollment.term.get())?,
                ScheduleField::CourseNumber => row.text(known, &enrollment.course_number),
                ScheduleField::CourseName => row.text(known, of.course.map_or("", |course| &course.name)),
                ScheduleField::SectionNumber => row.text(known, &enrollment.section_number),
                ScheduleField::Period => row.text(known, &enrollment.period),
                // As PowerSchool displays it, and as AutoSend prints it: with the periods' abbreviations.
                ScheduleField::Expression if of.external_expression.is_empty() => {
                    row.text(known, &enrollment.expression);
                }
                ScheduleField::Expression | ScheduleField::ExternalExpression => {
                    row.text(known, of.external_expression);
                }
                ScheduleField::TeacherLastName => row.text(known, of.teacher_last_name),
                ScheduleField::TeacherFirstName => row.text(known, of.teacher_first_name),
                ScheduleField::Room => row.text(known, of.room),
                ScheduleField::TeacherNumber => row.text(known, of.teacher_number),
                ScheduleField::Id => row.number(known, enrollment.id.get())?,
                ScheduleField::Dcid => row.number(known, enrollment.dcid.get())?,
                ScheduleField::Student => row.number(known, enrollment.student.get())?,
                ScheduleField::Section => row.number(known, enrollment.section.get())?,
                ScheduleField::Teacher => row.number(known, enrollment.teacher.get())?,
                ScheduleField::DateEnrolled => row.date(Some(enrollment.date_enrolled))?,
                ScheduleField::DateLeft => row.date(Some(enrollment.date_left))?,
                ScheduleField::StudentGradeLevel => row.number(known, student.grade_level)?,
                ScheduleField::StudentSchool => row.number(known, student.school.get())?,
                ScheduleField::StudentEnrollStatus => row.number(known, student.enroll_status.0)?,
                ScheduleField::StudentDcid => row.number(known, student.dcid.get())?,
                ScheduleField::SectionDcid => {
                    row.optional_number(known, of.section.map(|section| section.dcid.get()))?;
                }
                ScheduleField::SectionTerm => {
                    row.optional_number(known, of.section.map(|section| section.term.get()))?;
                }
                ScheduleField::SectionTeacher => {
                    row.optional_number(known, of.section.map(|section| section.teacher.get()))?;
                }
            }
        }
        row.end(|| Subject::Student(student.number))
    }

    /// Notes a student of the account who has no row in the file.
    pub fn without_schedule(&mut self, student: StudentNumber) {
        self.records.without_row(Subject::Student(student), Kind::NoSchedule);
    }

    /// Ends the file; see [`StudentFile::finish`].
    pub fn finish(self) -> Result<(W, Written), WriteError> {
        self.records.finish()
    }
}

/// The teacher file: every person on the staff of the account's schools, whatever the status.
pub struct TeacherFile<'a, W: Write> {
    records: Records<W>,
    fields: &'a [TeacherField],
}

impl<'a, W: Write> TeacherFile<'a, W> {
    /// Starts a file; see [`StudentFile::new`].
    pub fn new(out: W, fields: &'a FieldList<TeacherField>, layout: ExportLayout, listed: usize) -> Self {
        Self { records: Records::new(out, fields.names(), layout, listed), fields: fields.fields() }
    }

    /// Appends a teacher's row.
    pub fn write(&mut self, teacher: &Teacher) -> Result<(), WriteError> {
        let row = &mut self.records;
        for field in self.fields {
            let known = field.known();
            match field {
                TeacherField::School => row.number(known, teacher.school.get())?,
                TeacherField::LastName => row.text(known, &teacher.last_name),
                TeacherField::FirstName => row.text(known, &teacher.first_name),
                TeacherField::Number => row.text(known, &teacher.number),
                TeacherField::Email => row.text(known, &teacher.email),
                TeacherField::Status => row.number(known, teacher.status)?,
                TeacherField::Id => row.number(known, teacher.id.get())?,
            }
        }
        row.end(|| Subject::Teacher(teacher.number.clone()))
    }

    /// Ends the file; see [`StudentFile::finish`].
    pub fn finish(self) -> Result<(W, Written), WriteError> {
        self.records.finish()
    }
}
