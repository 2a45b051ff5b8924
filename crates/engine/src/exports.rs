//! Hero's three files, written from the roster. Which rows go in, and their order, is fixed: students by student
//! number; schedules by student number, term, course and section; teachers by teacher number.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Write},
    ops::ControlFlow,
};

use rosterbridge_domain::{
    id::{SchoolNumber, TermId, YearId},
    job::Job,
    roster::{Course, EnrollStatus},
    school_year::Summer,
    settings::HeroSettings,
};
use rosterbridge_hero::{
    ExportLayout, SCHEDULE_FIELDS, STUDENT_FIELDS, ScheduleFile, ScheduleRow, StudentFile, TEACHER_FIELDS,
    TeacherFile, WriteError, Written,
};
use rosterbridge_store::{Roster, StoreError};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

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
    #[error("the run was cancelled")]
    Cancelled,
}

impl From<ExportError> for io::Error {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Write(WriteError::Io(error)) => error,
            error @ (ExportError::Store(_) | ExportError::Cancelled) => Self::other(error),
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

/// The names of the columns of a job's file, in order. The file itself has no header.
pub(crate) const fn columns(job: Job) -> &'static [&'static str] {
    match job {
        Job::HeroStudents => &STUDENT_FIELDS,
        Job::HeroSchedule => &SCHEDULE_FIELDS,
        Job::HeroTeachers => &TEACHER_FIELDS,
        Job::HeroAttendance | Job::RaptorRoster | Job::RaptorTardies => &[],
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

/// One of the three files, and what it is written from.
pub(crate) struct Export<'a> {
    pub(crate) job: Job,
    pub(crate) roster: &'a Roster,
    pub(crate) settings: &'a HeroSettings,
    pub(crate) summer: Summer,
    pub(crate) layout: ExportLayout,
    /// Ends the writing at the next student.
    pub(crate) cancel: &'a CancellationToken,
}

impl Export<'_> {
    /// Writes the file, and counts its rows.
    pub(crate) fn write(&self, tally: &mut Tally, out: &mut dyn Write) -> Result<Written, ExportError> {
        self.go_on()?;
        let account = Account::new(self.settings, self.roster)?;
        match self.job {
            Job::HeroSchedule => {
                self.write_schedule(&account, &Sent::of(self.roster, self.summer)?, tally, out)
            }
            Job::HeroTeachers => self.write_teachers(&account, tally, out),
            _ => self.write_students(&account, &Sent::of(self.roster, self.summer)?, tally, out),
        }
    }

    fn go_on(&self) -> Result<(), ExportError> {
        if self.cancel.is_cancelled() { Err(ExportError::Cancelled) } else { Ok(()) }
    }

    fn write_students(
        &self,
        account: &Account,
        sent: &Sent,
        tally: &mut Tally,
        out: &mut dyn Write,
    ) -> Result<Written, ExportError> {
        let mut file = StudentFile::new(out, self.layout);
        self.roster.for_each_student(|student| -> Result<_, ExportError> {
            self.go_on()?;
            if sent.counts(student) && account.covers(student.school) {
                file.write(student)?;
                tally.row(student.school, Some(student.number));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(file.finish()?.1)
    }

    fn write_schedule(
        &self,
        account: &Account,
        sent: &Sent,
        tally: &mut Tally,
        out: &mut dyn Write,
    ) -> Result<Written, ExportError> {
        let mut file = ScheduleFile::new(out, self.layout);
        let courses: HashMap<String, Course> = self.roster.courses()?;
        let rooms = self.roster.rooms()?;
        let teachers = self.roster.teacher_names()?;
        self.go_on()?;
        let years = current_years(self.roster)?;
        self.roster.for_each_student_with_enrollments(|student, enrollments| -> Result<_, ExportError> {
            self.go_on()?;
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
                let teacher = teachers.get(cc.teacher);
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
                    room: rooms.get(cc.section).map_or("", |room| room),
                    teacher_number: teacher.map_or("", |teacher| &teacher.number),
                })?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(file.finish()?.1)
    }

    fn write_teachers(
        &self,
        account: &Account,
        tally: &mut Tally,
        out: &mut dyn Write,
    ) -> Result<Written, ExportError> {
        let mut file = TeacherFile::new(out, self.layout);
        let mut teachers = self.roster.teachers()?;
        teachers.retain(|teacher| account.covers(teacher.school));
        teachers.sort_by(|a, b| (&a.number, a.school, a.id).cmp(&(&b.number, b.school, b.id)));
        for teacher in &teachers {
            file.write(teacher)?;
            tally.row(teacher.school, None);
        }
        Ok(file.finish()?.1)
    }
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
const KEPT: usize = 12 << 20;
/// The pieces it is kept in: growing one large piece would take twice its size.
const PIECE: usize = 1 << 20;

/// Keeps what is written to it as long as it is small, so that a planned file need not be put together a second time
/// to be sent. Of a large one it keeps nothing.
pub(crate) struct Kept {
    pieces: Option<Vec<Vec<u8>>>,
    bytes: usize,
}

impl Kept {
    pub(crate) fn new() -> Self {
        Self { pieces: Some(Vec::new()), bytes: 0 }
    }

    /// Everything written, in pieces, unless it was too much.
    pub(crate) fn into_pieces(self) -> Option<Vec<Vec<u8>>> {
        self.pieces
    }
}

impl Write for Kept {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.bytes += buffer.len();
        if self.bytes > KEPT {
            self.pieces = None;
        }
        if let Some(pieces) = &mut self.pieces {
            if let Some(last) = pieces.last_mut().filter(|last| last.len() + buffer.len() <= PIECE) {
                last.extend_from_slice(buffer);
            } else {
                let mut piece = Vec::with_capacity(PIECE.max(buffer.len()));
                piece.extend_from_slice(buffer);
                pieces.push(piece);
            }
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
    use rosterbridge_domain::{
        id::{SchoolDcid, StudentDcid, StudentId, StudentNumber},
        roster::{School, Student},
    };
    use rosterbridge_store::{RosterStaging, roster::RosterMeta};

    use super::*;

    #[test]
    fn a_small_file_is_kept_and_of_a_large_one_nothing() {
        let mut out = Measured::new(Kept::new());
        out.write_all(&vec![b'a'; KEPT - PIECE]).unwrap();
        out.write_all(b"b").unwrap();
        out.write_all(&vec![b'c'; PIECE - 1]).unwrap();
        let (bytes, _, kept) = out.into_parts();
        let content = kept.into_pieces().unwrap().concat();
        assert_eq!((bytes, content.len()), (KEPT as u64, KEPT));
        assert_eq!(content[KEPT - PIECE - 1..KEPT - PIECE + 2], *b"abc");

        let mut out = Measured::new(Kept::new());
        out.write_all(&vec![b'a'; KEPT]).unwrap();
        out.write_all(b"b").unwrap();
        out.write_all(b"c").unwrap();
        let (bytes, sha256, kept) = out.into_parts();
        assert_eq!((bytes, kept.into_pieces()), (KEPT as u64 + 2, None));
        // Size and digest are of the whole file nevertheless.
        let mut whole = vec![b'a'; KEPT];
        whole.extend_from_slice(b"bc");
        assert_eq!(sha256, hex::encode(Sha256::digest(&whole)));
    }

    const SCHOOL: SchoolNumber = SchoolNumber::new(100);

    fn student(number: i64) -> Student {
        Student {
            dcid: StudentDcid::new(number),
            id: StudentId::new(number),
            number: StudentNumber::new(number),
            first_name: "Ann".into(),
            middle_name: "".into(),
            last_name: format!("Student {number}").into(),
            dob: None,
            grade_level: 4,
            school: SCHOOL,
            enroll_status: EnrollStatus::ACTIVE,
            entry_date: None,
            exit_date: None,
            mailing_street: "1 Main Street ".repeat(4).into(),
            mailing_city: "Springfield".into(),
            mailing_state: "IL".into(),
            mailing_zip: "62701".into(),
            guardian_email: "".into(),
            home_phone: "".into(),
            home_room: "".into(),
        }
    }

    fn roster(folder: &std::path::Path, students: i64) -> Roster {
        let mut staging = RosterStaging::create(folder, &[7; 32]).unwrap();
        let school = School {
            dcid: SchoolDcid::new(1),
            number: SCHOOL,
            name: "North".to_owned(),
            abbreviation: String::new(),
        };
        staging.insert(&[school]).unwrap();
        staging.insert(&(1..=students).map(student).collect::<Vec<_>>()).unwrap();
        let at = chrono::DateTime::UNIX_EPOCH;
        let meta = RosterMeta { pulled_at: at, today: at.date_naive(), years: Vec::new() };
        staging.finish(meta).unwrap()
    }

    /// Counts what is written to it, and cancels with the first piece.
    struct Cancelling {
        cancel: CancellationToken,
        pieces: usize,
    }

    impl Write for Cancelling {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            self.cancel.cancel();
            self.pieces += 1;
            Ok(buffer.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_cancelled_file_is_not_written_on() {
        let folder = tempfile::tempdir().unwrap();
        let roster = roster(folder.path(), 4_000);
        let write = |cancel: &CancellationToken, out: &mut dyn Write| {
            let (settings, layout) = (HeroSettings::default(), ExportLayout::default());
            let job = Job::HeroStudents;
            let export = Export {
                job,
                roster: &roster,
                settings: &settings,
                summer: Summer::default(),
                layout,
                cancel,
            };
            export.write(&mut Tally::default(), out)
        };
        let mut whole = Measured::new(io::sink());
        write(&CancellationToken::new(), &mut whole).unwrap();
        assert!(whole.finish().0 > 5 * 64 * 1024, "it comes in several pieces");
        let cancel = CancellationToken::new();
        let mut out = Cancelling { cancel: cancel.clone(), pieces: 0 };
        assert!(matches!(write(&cancel, &mut out), Err(ExportError::Cancelled)));
        assert_eq!(out.pieces, 1);
    }
}
