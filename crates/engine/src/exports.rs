//! Hero's three files, written from the roster. Which rows go in, and their order, is fixed: students by student
//! number; schedules by student number, term, course and section; teachers by teacher number.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Write},
    ops::ControlFlow,
};

use rosterbridge_domain::{
    id::{SchoolNumber, SectionId, TeacherId, TermId, YearId},
    job::Job,
    roster::{Course, EnrollStatus, Section, Teacher},
    school_year::Summer,
    settings::HeroSettings,
};
use rosterbridge_hero::{
    ExportLayout, ScheduleFile, ScheduleRow, StudentFile, TeacherFile, WriteError, Written,
};
use rosterbridge_store::{Roster, StoreError};
use sha2::{Digest, Sha256};

use crate::{school_year::Sent, tally::Tally};

/// Where Hero takes files from.
pub(crate) const IMPORTS: &str = "imports";
/// Where Hero places its exports.
pub(crate) const EXPORT: &str = "export";

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<ExportError> for io::Error {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Write(WriteError::Io(error)) => error,
            ExportError::Store(error) => Self::other(error),
        }
    }
}

/// The remote name of a job's file, exactly as Hero expects it.
pub(crate) const fn file_name(job: Job) -> Option<&'static str> {
    match job {
        Job::HeroStudents => Some(rosterbridge_hero::STUDENT_FILE),
        Job::HeroSchedule => Some(rosterbridge_hero::SCHEDULE_FILE),
        Job::HeroTeachers => Some(rosterbridge_hero::TEACHER_FILE),
        Job::HeroAttendance | Job::RaptorRoster | Job::RaptorTardies => None,
    }
}

/// The schools of a Hero account: the chosen ones, or every school of the district. Graduated Students never.
struct Account {
    schools: HashSet<SchoolNumber>,
}

impl Account {
    fn new(settings: &HeroSettings, roster: &Roster) -> Result<Self, StoreError> {
        let chosen = |school: &SchoolNumber| settings.schools.is_empty() || settings.schools.contains(school);
        let schools = roster
            .schools()?
            .into_iter()
            .map(|school| school.number)
            .filter(|school| *school != SchoolNumber::GRADUATED && chosen(school))
            .collect();
        Ok(Self { schools })
    }

    fn covers(&self, school: SchoolNumber) -> bool {
        self.schools.contains(&school)
    }
}

/// Writes the file of one of the three export jobs, and counts its rows.
pub(crate) fn write(
    job: Job,
    roster: &Roster,
    settings: &HeroSettings,
    summer: Summer,
    layout: ExportLayout,
    tally: &mut Tally,
    out: &mut dyn Write,
) -> Result<Written, ExportError> {
    let account = Account::new(settings, roster)?;
    match job {
        Job::HeroSchedule => write_schedule(roster, &account, &Sent::of(roster, summer)?, layout, tally, out),
        Job::HeroTeachers => write_teachers(roster, &account, layout, tally, out),
        _ => write_students(roster, &account, &Sent::of(roster, summer)?, layout, tally, out),
    }
}

fn write_students(
    roster: &Roster,
    account: &Account,
    sent: &Sent,
    layout: ExportLayout,
    tally: &mut Tally,
    out: &mut dyn Write,
) -> Result<Written, ExportError> {
    let mut file = StudentFile::new(out, layout);
    roster.for_each_student(|student| -> Result<_, ExportError> {
        if sent.counts(student) && account.covers(student.school) {
            file.write(student)?;
            tally.row(student.school, Some(student.number));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(file.finish()?.1)
}

fn write_schedule(
    roster: &Roster,
    account: &Account,
    sent: &Sent,
    layout: ExportLayout,
    tally: &mut Tally,
    out: &mut dyn Write,
) -> Result<Written, ExportError> {
    let mut file = ScheduleFile::new(out, layout);
    let courses: HashMap<String, Course> = roster.courses()?;
    let sections: HashMap<SectionId, Section> = roster.sections()?;
    let teachers: HashMap<TeacherId, Teacher> =
        roster.teachers()?.into_iter().map(|teacher| (teacher.id, teacher)).collect();
    let years = current_years(roster)?;
    roster.for_each_student_with_enrollments(|student, enrollments| -> Result<_, ExportError> {
        // Classes of somebody who is not sent yet would be nobody's in Hero.
        if student.enroll_status == EnrollStatus::PRE_REGISTERED && !sent.counts(student) {
            return Ok(ControlFlow::Continue(()));
        }
        let mut rows: Vec<_> = enrollments
            .iter()
            .filter(|cc| !cc.dropped && account.covers(cc.school))
            .filter(|cc| years.get(&cc.school).is_some_and(|year| is_of(cc.term, *year)))
            .collect();
        rows.sort_by(|a, b| {
            (a.term, &a.course_number, &a.section_number, a.id).cmp(&(
                b.term,
                &b.course_number,
                &b.section_number,
                b.id,
            ))
        });
        for cc in rows {
            tally.row(cc.school, Some(student.number));
            let teacher = teachers.get(&cc.teacher);
            file.write(&ScheduleRow {
                school: cc.school,
                student_number: student.number,
                term: cc.term,
                course_number: &cc.course_number,
                course_name: courses.get(cc.course_number.as_str()).map_or("", |course| &course.name),
                section_number: &cc.section_number,
                period: &cc.period,
                expression: &cc.expression,
                teacher_last_name: teacher.map_or("", |teacher| &teacher.last_name),
                teacher_first_name: teacher.map_or("", |teacher| &teacher.first_name),
                room: sections.get(&cc.section).map_or("", |section| &section.room),
                teacher_number: teacher.map_or("", |teacher| &teacher.number),
            })?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(file.finish()?.1)
}

fn write_teachers(
    roster: &Roster,
    account: &Account,
    layout: ExportLayout,
    tally: &mut Tally,
    out: &mut dyn Write,
) -> Result<Written, ExportError> {
    let mut file = TeacherFile::new(out, layout);
    let mut teachers = roster.teachers()?;
    teachers.retain(|teacher| account.covers(teacher.school));
    teachers.sort_by(|a, b| (&a.number, a.school, a.id).cmp(&(&b.number, b.school, b.id)));
    for teacher in &teachers {
        file.write(teacher)?;
        tally.row(teacher.school, None);
    }
    Ok(file.finish()?.1)
}

/// The school year that the pull's day falls in, school by school.
pub(crate) fn current_years(roster: &Roster) -> Result<HashMap<SchoolNumber, YearId>, StoreError> {
    let terms = roster.terms()?;
    let today = roster.meta().today;
    Ok(roster
        .schools()?
        .into_iter()
        .filter_map(|school| {
            Some((school.number, rosterbridge_domain::calendar::year_of(&terms, school.number, today)?))
        })
        .collect())
}

/// Whether a term is the year's own or one of its parts (PowerSchool: `YearID * 100` and above).
fn is_of(term: TermId, year: YearId) -> bool {
    term.get().div_euclid(100) == year.get()
}

/// What a planned file may take in memory.
const KEPT: usize = 16 << 20;

/// Keeps what is written to it as long as it is small, so that a planned file need not be put together a second time
/// to be sent. Of a large one it keeps nothing.
pub(crate) struct Kept(Option<Vec<u8>>);

impl Kept {
    pub(crate) fn new() -> Self {
        Self(Some(Vec::new()))
    }

    /// Everything written, unless it was too much.
    pub(crate) fn into_content(self) -> Option<Vec<u8>> {
        self.0
    }
}

impl Write for Kept {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.0.as_ref().is_some_and(|content| content.len() + buffer.len() > KEPT) {
            self.0 = None;
        }
        if let Some(content) = &mut self.0 {
            content.extend_from_slice(buffer);
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts and hashes what passes through to `out`.
pub(crate) struct Measured<W> {
    out: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Measured<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, hash: Sha256::new(), bytes: 0 }
    }

    /// Size and lower-case hexadecimal SHA-256.
    pub(crate) fn finish(self) -> (u64, String) {
        let (bytes, sha256, _) = self.into_parts();
        (bytes, sha256)
    }

    /// [`Measured::finish`], and what it all went to.
    pub(crate) fn into_parts(self) -> (u64, String, W) {
        (self.bytes, hex::encode(self.hash.finalize()), self.out)
    }
}

impl<W: Write> Write for Measured<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.out.write(buffer)?;
        self.hash.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_file_is_kept_and_of_a_large_one_nothing() {
        let mut out = Measured::new(Kept::new());
        out.write_all(&vec![b'a'; KEPT - 1]).unwrap();
        out.write_all(b"b").unwrap();
        let (bytes, _, kept) = out.into_parts();
        assert_eq!((bytes, kept.into_content().map(|content| content.len())), (KEPT as u64, Some(KEPT)));

        let mut out = Measured::new(Kept::new());
        out.write_all(&vec![b'a'; KEPT]).unwrap();
        out.write_all(b"b").unwrap();
        out.write_all(b"c").unwrap();
        let (bytes, sha256, kept) = out.into_parts();
        assert_eq!((bytes, kept.into_content()), (KEPT as u64 + 2, None));
        // Size and digest are of the whole file nevertheless.
        let mut whole = vec![b'a'; KEPT];
        whole.extend_from_slice(b"bc");
        assert_eq!(sha256, hex::encode(Sha256::digest(&whole)));
    }
}
