//! Hero's three files, written from the roster. Which rows go in, and their order, is fixed: students by student
//! number; schedules by student number, term, course and section; teachers by teacher number.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Write},
    ops::ControlFlow,
};

use chrono::NaiveDate;
use rosterbridge_domain::{
    dated_path::{DatedPath, folder_and_name},
    id::{SchoolNumber, SectionId, TermId, YearId},
    job::JobId,
    roster::{Course, EnrollStatus, Enrollment, Section},
    school_year::Summer,
    settings::{Destination, ExportJob, ExportKind, HeroAccount, HeroSettings, Setup},
};
use rosterbridge_hero::{
    ExportLayout, ScheduleFile, ScheduleRow, StudentFile, TeacherFile, WriteError, Written,
    fields::{self, FieldList, ScheduleField, StudentField, TeacherField},
};
use rosterbridge_store::{Roster, StoreError};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{
    error::EngineError,
    hero::{HeroProblem, schools_of, too_many_schools},
    school_year::Sent,
    tally::Tally,
};

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

/// Problems of a file that are kept row by row. All are counted.
pub(crate) const LISTED: usize = 5_000;

/// Sections, for the fields that need them.
type Sections = HashMap<SectionId, Option<Section>>;

/// One of the three files as it is set up, for a day.
#[derive(Clone)]
pub(crate) struct Export {
    /// Where it goes.
    pub(crate) destination: Destination,
    /// The path as it is configured: the file's name in the ledger, whatever the day.
    pub(crate) slot: String,
    /// The path on the day.
    pub(crate) path: String,
    /// Whether a file that the other side has already is not sent again on the same day.
    pub(crate) skip_unchanged: bool,
    columns: Columns,
    layout: ExportLayout,
    hero: HeroSettings,
    account: HeroAccount,
    settings: ExportJob,
    summer: Summer,
    today: NaiveDate,
}

/// What the columns hold.
#[derive(Clone)]
enum Columns {
    Students(FieldList<StudentField>),
    Schedule(FieldList<ScheduleField>),
    Teachers(FieldList<TeacherField>),
}

impl Columns {
    fn of(kind: ExportKind, account: &HeroAccount) -> Result<Self, Vec<fields::FieldError>> {
        let names = &account.export(kind).fields;
        Ok(match kind {
            ExportKind::Students => {
                Self::Students(fields::parse::<StudentField>(names)?.for_level(account.level))
            }
            ExportKind::Schedule => Self::Schedule(fields::parse(names)?),
            ExportKind::Teachers => Self::Teachers(fields::parse(names)?),
        })
    }
}

impl Export {
    /// The file of a job, as it is set up, on a day in the district.
    pub(crate) fn of(job: JobId, setup: &Setup, today: NaiveDate) -> Result<Self, EngineError> {
        let kind = ExportKind::of(job.kind()).ok_or(EngineError::NoSuchJob(job))?;
        let account = setup.hero.account(job.account()).ok_or(EngineError::NoSuchJob(job))?;
        let settings = account.export(kind);
        let columns = Columns::of(kind, account).map_err(|errors| {
            let problems = errors.into_iter().map(|error| HeroProblem::Field { job, error });
            EngineError::HeroSettings(problems.collect())
        })?;
        let path = DatedPath::parse(&settings.path)
            .map_err(|error| EngineError::HeroSettings(vec![HeroProblem::Path { job, error }]))?;
        Ok(Self {
            destination: settings.destination.clone(),
            slot: slot(account, kind),
            path: path.expand(today),
            skip_unchanged: settings.skip_unchanged,
            columns,
            layout: ExportLayout::from(settings),
            hero: setup.hero.clone(),
            account: account.clone(),
            settings: settings.clone(),
            summer: setup.summer,
            today,
        })
    }

    /// What a person calls the file: its path on the server, or in the folder.
    pub(crate) fn sent_as(&self) -> String {
        match &self.destination {
            Destination::Connection => self.path.clone(),
            Destination::Folder { folder } => in_folder(folder, &self.path),
        }
    }

    /// The names of the columns, in order, whether or not the file has a header.
    pub(crate) fn columns(&self) -> &[String] {
        match &self.columns {
            Columns::Students(fields) => fields.names(),
            Columns::Schedule(fields) => fields.names(),
            Columns::Teachers(fields) => fields.names(),
        }
    }

    /// All that the content depends on besides the roster, for a digest.
    pub(crate) fn grounds(&self) -> serde_json::Value {
        let schools: Vec<_> =
            self.hero.accounts.iter().map(|account| (account.id, &account.schools)).collect();
        let ExportJob { fields, only_current_terms, .. } = &self.settings;
        // Those of the other exports as well: what is told of the file depends on them.
        let only = ExportKind::ALL.map(|kind| &self.account.export(kind).schools);
        serde_json::json!({
            "level": self.account.level,
            "accounts": schools,
            "only": only,
            "fields": fields,
            "slot": self.slot,
            "layout": [
                serde_json::json!(self.settings.field_delimiter),
                serde_json::json!(self.settings.record_delimiter),
                serde_json::json!(self.settings.character_set),
                serde_json::json!(self.settings.header),
                serde_json::json!(self.settings.long_values),
            ],
            "terms_of": only_current_terms.then_some(self.today),
        })
    }

    /// Writes the file, and counts its rows. `cancel` ends the writing at the next student.
    pub(crate) fn write(
        &self,
        roster: &Roster,
        cancel: &CancellationToken,
        tally: &mut Tally,
        out: &mut dyn Write,
    ) -> Result<Written, ExportError> {
        let writing = Writing { roster, schools: self.schools(roster)?, cancel, layout: self.layout };
        writing.go_on()?;
        match &self.columns {
            Columns::Students(fields) => {
                writing.students(fields, &Sent::of(roster, self.summer)?, tally, out)
            }
            Columns::Schedule(fields) => {
                let terms = self.terms(roster)?;
                writing.schedule(fields, terms.as_ref(), &Sent::of(roster, self.summer)?, tally, out)
            }
            Columns::Teachers(fields) => writing.teachers(fields, tally, out),
        }
    }

    /// What to tell of a student file that does not say which of several schools a student belongs to.
    pub(crate) fn too_many_schools(&self, roster: &Roster) -> Result<Option<String>, StoreError> {
        if !matches!(self.columns, Columns::Students(_)) {
            return Ok(None);
        }
        Ok(too_many_schools(&self.hero, &self.account, &schools_of(roster)?))
    }

    /// The schools whose rows go in.
    fn schools(&self, roster: &Roster) -> Result<HashSet<SchoolNumber>, StoreError> {
        let only = &self.settings.schools;
        let chosen = |school: &SchoolNumber| {
            self.hero.takes(&self.account, *school) && (only.is_empty() || only.contains(school))
        };
        Ok(roster.schools()?.into_iter().map(|school| school.number).filter(chosen).collect())
    }

    /// The terms that contain the day, school by school, where no others go in.
    fn terms(&self, roster: &Roster) -> Result<Option<HashSet<(SchoolNumber, TermId)>>, StoreError> {
        if !self.settings.only_current_terms {
            return Ok(None);
        }
        let terms = roster.terms()?.into_iter();
        let current = terms.filter(|term| (term.first_day..=term.last_day).contains(&self.today));
        Ok(Some(current.map(|term| (term.school, term.id)).collect()))
    }
}

/// The name under which the ledger knows a file of Hero's: its path as it is configured.
pub(crate) fn slot(account: &HeroAccount, kind: ExportKind) -> String {
    let export = account.export(kind);
    match &export.destination {
        Destination::Connection => export.path.clone(),
        Destination::Folder { folder } => in_folder(folder, &export.path),
    }
}

/// A path's file name in a folder of this computer.
fn in_folder(folder: &str, path: &str) -> String {
    let (_, name) = folder_and_name(path);
    std::path::Path::new(folder).join(name).to_string_lossy().into_owned()
}

/// A file being written.
struct Writing<'a> {
    roster: &'a Roster,
    schools: HashSet<SchoolNumber>,
    cancel: &'a CancellationToken,
    layout: ExportLayout,
}

impl Writing<'_> {
    fn go_on(&self) -> Result<(), ExportError> {
        if self.cancel.is_cancelled() { Err(ExportError::Cancelled) } else { Ok(()) }
    }

    fn covers(&self, school: SchoolNumber) -> bool {
        self.schools.contains(&school)
    }

    fn students(
        &self,
        fields: &FieldList<StudentField>,
        sent: &Sent,
        tally: &mut Tally,
        out: &mut dyn Write,
    ) -> Result<Written, ExportError> {
        let mut file = StudentFile::new(out, fields, self.layout, LISTED);
        self.roster.for_each_student(|student| -> Result<_, ExportError> {
            self.go_on()?;
            if sent.counts(student) && self.covers(student.school) {
                file.write(student)?;
                tally.row(student.school, Some(student.number));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(file.finish()?.1)
    }

    fn schedule(
        &self,
        fields: &FieldList<ScheduleField>,
        terms: Option<&HashSet<(SchoolNumber, TermId)>>,
        sent: &Sent,
        tally: &mut Tally,
        out: &mut dyn Write,
    ) -> Result<Written, ExportError> {
        let mut file = ScheduleFile::new(out, fields, self.layout, LISTED);
        let courses: HashMap<String, Course> = self.roster.courses()?;
        let places = self.roster.meeting_places()?;
        let teachers = self.roster.teacher_names()?;
        let needs_section = fields.fields().iter().any(|field| field.needs_section());
        let mut sections = Sections::new();
        self.go_on()?;
        let years = current_years(self.roster)?;
        let goes_in = |cc: &Enrollment| {
            !cc.dropped
                && self.covers(cc.school)
                && years.get(&cc.school).is_some_and(|year| is_of(cc.term, *year))
                && terms.is_none_or(|terms| terms.contains(&(cc.school, cc.term)))
        };
        self.roster.for_each_student_with_enrollments(|student, enrollments| -> Result<_, ExportError> {
            self.go_on()?;
            // Classes of somebody who is not sent yet would be nobody's in Hero.
            if student.enroll_status == EnrollStatus::PRE_REGISTERED && !sent.counts(student) {
                return Ok(ControlFlow::Continue(()));
            }
            let mut rows: Vec<_> = enrollments.iter().filter(|cc| goes_in(cc)).collect();
            rows.sort_by(|a, b| {
                (a.term, &a.course_number, &a.section_number, a.id).cmp(&(
                    b.term,
                    &b.course_number,
                    &b.section_number,
                    b.id,
                ))
            });
            if rows.is_empty() && sent.counts(student) && self.covers(student.school) {
                file.without_schedule(student.number);
            }
            for cc in rows {
                tally.row(cc.school, Some(student.number));
                if needs_section && !sections.contains_key(&cc.section) {
                    sections.insert(cc.section, self.roster.section(cc.section)?);
                }
                let (teacher, place) = (teachers.get(cc.teacher), places.get(cc.section));
                file.write(&ScheduleRow {
                    student,
                    enrollment: cc,
                    course: courses.get(cc.course_number.as_str()),
                    room: place.map_or("", |place| &place.room),
                    external_expression: place.map_or("", |place| &place.external_expression),
                    section: sections.get(&cc.section).and_then(Option::as_ref),
                    teacher_last_name: teacher.map_or("", |teacher| &teacher.last_name),
                    teacher_first_name: teacher.map_or("", |teacher| &teacher.first_name),
                    teacher_number: teacher.map_or("", |teacher| &teacher.number),
                })?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(file.finish()?.1)
    }

    fn teachers(
        &self,
        fields: &FieldList<TeacherField>,
        tally: &mut Tally,
        out: &mut dyn Write,
    ) -> Result<Written, ExportError> {
        let mut file = TeacherFile::new(out, fields, self.layout, LISTED);
        let mut teachers = self.roster.teachers()?;
        teachers.retain(|teacher| self.covers(teacher.school));
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
const KEPT: usize = 2 << 20;
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
            let export = Export::of(JobId::HERO_STUDENTS, &Setup::default(), roster.meta().today).unwrap();
            export.write(&roster, cancel, &mut Tally::default(), out)
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
