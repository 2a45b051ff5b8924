//! `roster.db`: PowerSchool's roster as of the last complete pull.
//!
//! A pull fills a [`RosterStaging`] beside the roster in use and then takes its place at once, so a reader sees one
//! pull or the other. A [`Roster`] that is open keeps showing the pull it was opened on.

mod look_ups;
mod packed;
mod staging;
mod students;
mod tables;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    fs::File,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    thread,
};

use chrono::{DateTime, NaiveDate, Utc};
use compact_str::CompactString;
use rosterbridge_domain::{
    id::{BellScheduleId, SchoolNumber, SectionId, StudentId, StudentNumber, TeacherId, YearId},
    roster::{
        AttendanceCode, BellScheduleItem, CalendarDay, Course, CycleDay, Enrollment, Period, Reenrollment,
        School, Section, SectionMeeting, Student, Teacher, Term,
    },
};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    ProfileKeyBytes, StoreError,
    database::{self, Access},
};

pub use look_ups::{Numbered, Seat, Seated, Seats};
pub use packed::SectionAttendance;
pub use staging::RosterStaging;
pub use tables::{FollowedTable, RosterTable};

/// The layout this program writes and reads.
const LAYOUT: i64 = 5;
/// Students read at once; what is held in memory is a few times as much.
const BATCH: usize = 256;
/// Batches read before they are asked for.
const BATCHES_AHEAD: usize = 2;

/// Students with their enrolments.
type Batch = Vec<(Student, Vec<Enrollment>)>;

/// What is known about a pull.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterMeta {
    /// When the pull was complete.
    pub pulled_at: DateTime<Utc>,
    /// The day it was in the district then; on the practice district, the practice date.
    pub today: NaiveDate,
    /// The school years whose enrolments, calendars and codes were pulled.
    pub years: Vec<YearId>,
}

/// What a pull leaves for the next one, which may then read no more than what changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullState {
    /// Everything the rows depend on besides PowerSchool's data: server, plugin, school years, columns. Two pulls of
    /// different bases have nothing in common.
    pub basis: String,
    /// When every table was last read whole, or before.
    pub whole_at: DateTime<Utc>,
    /// PowerSchool's data version of the rows, table by table in PowerSchool's names (`$dataversion`).
    pub versions: BTreeMap<String, u64>,
    /// What the one answer with all rows of a table is recognised by, table by table in PowerSchool's names: for the
    /// tables that were read without a version.
    #[serde(default)]
    pub answers: BTreeMap<String, serde_json::Value>,
}

/// Rows of each table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterCounts {
    /// SCHOOLS.
    pub schools: u64,
    /// STUDENTS of every status.
    pub students: u64,
    /// STUDENTS with ENROLL_STATUS 0.
    pub active_students: u64,
    /// REENROLLMENTS that ended in the school years pulled.
    pub reenrollments: u64,
    /// CC.
    pub enrollments: u64,
    /// SECTIONS.
    pub sections: u64,
    /// COURSES.
    pub courses: u64,
    /// TEACHERS.
    pub teachers: u64,
    /// TERMS.
    pub terms: u64,
    /// ATTENDANCE_CODE.
    pub attendance_codes: u64,
    /// PERIOD.
    pub periods: u64,
    /// CYCLE_DAY.
    pub cycle_days: u64,
    /// CALENDAR_DAY.
    pub calendar_days: u64,
    /// BELL_SCHEDULE_ITEMS.
    pub bell_schedule_items: u64,
    /// SECTION_MEETING.
    pub section_meetings: u64,
}

impl RosterCounts {
    /// Rows of one table.
    pub const fn of<T: RosterTable>(mut self) -> u64 {
        *T::NAME.count(&mut self)
    }
}

/// Something of every row of a table, found by the row's id. Takes no more memory than it has to: a large district has
/// hundreds of thousands of sections.
#[derive(Clone, Debug)]
pub struct ById<Id, T>(Vec<(Id, T)>);

impl<Id: Copy + Ord, T> ById<Id, T> {
    /// What belongs to an id.
    pub fn get(&self, id: Id) -> Option<&T> {
        let place = self.0.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.0.get(place).map(|(_, found)| found)
    }
}

fn capacity(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or_default()
}

/// What a teacher goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeacherName {
    /// `TEACHERS.TEACHERNUMBER`.
    pub number: CompactString,
    /// First name.
    pub first_name: CompactString,
    /// Last name.
    pub last_name: CompactString,
}

/// Where and when a section meets, as a schedule shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeetingPlace {
    /// `SECTIONS.ROOM`; empty for none.
    pub room: CompactString,
    /// `SECTIONS.EXTERNAL_EXPRESSION`: the expression with the periods' abbreviations; empty for none.
    pub external_expression: CompactString,
}

/// What the `meta` table holds.
#[derive(Serialize, Deserialize)]
struct StoredMeta {
    pull: RosterMeta,
    counts: RosterCounts,
    /// Rosters of earlier programs have none.
    #[serde(default)]
    state: Option<PullState>,
    /// Names these rows: no other roster has the same. Rosters of earlier programs have none.
    #[serde(default)]
    content: Option<String>,
}

/// A complete pull, read-only. May be shared between threads; a visitor may call its other methods.
pub struct Roster {
    connection: Mutex<Connection>,
    path: PathBuf,
    /// For further connections.
    key: Zeroizing<ProfileKeyBytes>,
    meta: RosterMeta,
    counts: RosterCounts,
    state: Option<PullState>,
    content: Option<String>,
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster")
            .field("meta", &self.meta)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl Roster {
    /// Opens the roster at `path`; `None` when there is none yet, an older program wrote it, or it is damaged, in which
    /// case PowerSchool is pulled anew. A damaged file is removed, and so is one the key does not open: the ledger, which
    /// is opened first, has shown that the key is the profile's. Damage behind the beginning shows when it is read; the
    /// file is then no roster any more at the next opening.
    pub fn open(path: &Path, key: &ProfileKeyBytes) -> Result<Option<Self>, StoreError> {
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(source) => return Err(StoreError::io("find", path, source)),
        }
        if database::damage_mark(path).exists() {
            remove_damaged(path);
            return Ok(None);
        }
        match Self::open_whole(path, key) {
            Err(StoreError::Damaged { .. } | StoreError::Corrupt(_) | StoreError::WrongKey(_)) => {
                remove_damaged(path);
                Ok(None)
            }
            opened => opened,
        }
    }

    fn open_whole(path: &Path, key: &ProfileKeyBytes) -> Result<Option<Self>, StoreError> {
        let Some((connection, stored)) = open_for_reading(path, key)? else { return Ok(None) };
        let StoredMeta { pull: meta, counts, state, content } = stored;
        let (path, key) = (path.to_owned(), Zeroizing::new(*key));
        Ok(Some(Self { connection: Mutex::new(connection), path, key, meta, counts, state, content }))
    }

    /// Whether reading it has shown that it is damaged: then it is not opened again, and PowerSchool is pulled anew.
    pub fn is_damaged(&self) -> bool {
        database::damage_mark(&self.path).exists()
    }

    /// What is known about the pull.
    pub fn meta(&self) -> &RosterMeta {
        &self.meta
    }

    /// How many rows it brought.
    pub fn counts(&self) -> RosterCounts {
        self.counts
    }

    /// What the pull left for the next one.
    pub fn state(&self) -> Option<&PullState> {
        self.state.as_ref()
    }

    /// Names the rows of this roster: as long as it is the same, so are they. `None` for a roster that an earlier program
    /// wrote.
    pub fn content(&self) -> Option<&str> {
        self.content.as_deref()
    }

    /// Every school, by number.
    pub fn schools(&self) -> Result<Vec<School>, StoreError> {
        self.select("ORDER BY number", [])
    }

    /// Every term, by school and id.
    pub fn terms(&self) -> Result<Vec<Term>, StoreError> {
        self.select("ORDER BY school, id", [])
    }

    /// The attendance codes of every school and year pulled.
    pub fn all_attendance_codes(&self) -> Result<Vec<AttendanceCode>, StoreError> {
        self.select("ORDER BY school, year, id", [])
    }

    /// The attendance codes of one school and year.
    pub fn attendance_codes(
        &self,
        school: SchoolNumber,
        year: YearId,
    ) -> Result<Vec<AttendanceCode>, StoreError> {
        self.select("WHERE school = ?1 AND year = ?2 ORDER BY id", (school.get(), year.get()))
    }

    /// The periods of one school and year.
    pub fn periods(&self, school: SchoolNumber, year: YearId) -> Result<Vec<Period>, StoreError> {
        self.select("WHERE school = ?1 AND year = ?2 ORDER BY id", (school.get(), year.get()))
    }

    /// The cycle days of one school and year.
    pub fn cycle_days(&self, school: SchoolNumber, year: YearId) -> Result<Vec<CycleDay>, StoreError> {
        self.select("WHERE school = ?1 AND year = ?2 ORDER BY id", (school.get(), year.get()))
    }

    /// The calendar row of a school and date. PowerSchool has one; of several the first counts.
    pub fn calendar_day(
        &self,
        school: SchoolNumber,
        date: NaiveDate,
    ) -> Result<Option<CalendarDay>, StoreError> {
        self.first(
            "WHERE school = ?1 AND date = ?2 ORDER BY id LIMIT 1",
            (school.get(), tables::day_number(date)),
        )
    }

    /// The items of one bell schedule.
    pub fn bell_items(&self, bell_schedule: BellScheduleId) -> Result<Vec<BellScheduleItem>, StoreError> {
        self.select("WHERE bell_schedule = ?1 ORDER BY id", [bell_schedule.get()])
    }

    /// Every teacher by teacher number (as text), school and id. A few thousand rows, sorted in memory.
    pub fn teachers(&self) -> Result<Vec<Teacher>, StoreError> {
        let mut teachers: Vec<Teacher> = self.select("ORDER BY id", [])?;
        teachers.sort_by(|a, b| (&a.number, a.school, a.id).cmp(&(&b.number, b.school, b.id)));
        Ok(teachers)
    }

    /// What the exports name every teacher by, for a job that needs most of them: 80 bytes each.
    pub fn teacher_names(&self) -> Result<ById<TeacherId, TeacherName>, StoreError> {
        let connection = self.lock();
        let names = || -> Result<_, StoreError> {
            let mut statement = connection
                .prepare_cached("SELECT id, number, first_name, last_name FROM teachers ORDER BY id")?;
            let mut rows = statement.query([])?;
            let mut names = Vec::with_capacity(capacity(self.counts.teachers));
            while let Some(row) = rows.next()? {
                let text = |column| Ok::<_, StoreError>(row.get::<_, String>(column)?.into());
                let name = TeacherName { number: text(1)?, first_name: text(2)?, last_name: text(3)? };
                names.push((TeacherId::new(row.get(0)?), name));
            }
            Ok(ById(names))
        };
        note_damage(&self.path, names())
    }

    /// One section.
    pub fn section(&self, id: SectionId) -> Result<Option<Section>, StoreError> {
        self.first("WHERE id = ?1", [id.get()])
    }

    /// The attendance modes (SECTIONS.ATT_MODE_CODE) that the sections of each school have.
    pub fn attendance_modes(&self) -> Result<Vec<(SchoolNumber, String)>, StoreError> {
        let connection = self.lock();
        let modes = || -> Result<_, StoreError> {
            let mut statement =
                connection.prepare_cached("SELECT DISTINCT school, att_mode_code FROM sections")?;
            let modes = statement.query_map([], |row| Ok((SchoolNumber::new(row.get(0)?), row.get(1)?)))?;
            Ok(modes.collect::<Result<_, _>>()?)
        };
        note_damage(&self.path, modes())
    }

    /// Where and when every section meets that tells either, for a job that needs most of them: 56 bytes each.
    pub fn meeting_places(&self) -> Result<ById<SectionId, MeetingPlace>, StoreError> {
        let connection = self.lock();
        let places = || -> Result<_, StoreError> {
            let mut statement = connection.prepare_cached(
                "SELECT id, room, external_expression FROM sections
                 WHERE room <> '' OR external_expression <> '' ORDER BY id",
            )?;
            let mut rows = statement.query([])?;
            let mut places = Vec::with_capacity(capacity(self.counts.sections));
            while let Some(row) = rows.next()? {
                let text = |column| {
                    row.get_ref(column)?.as_str().map(CompactString::from).map_err(rusqlite::Error::from)
                };
                let place = MeetingPlace { room: text(1)?, external_expression: text(2)? };
                places.push((SectionId::new(row.get(0)?), place));
            }
            Ok(ById(places))
        };
        note_damage(&self.path, places())
    }

    /// One course. PowerSchool's course numbers are unique; of several rows the first counts.
    pub fn course(&self, number: &str) -> Result<Option<Course>, StoreError> {
        self.first("WHERE number = ?1 ORDER BY dcid LIMIT 1", [number])
    }

    /// Every course by its number, for a job that needs most of them.
    pub fn courses(&self) -> Result<HashMap<String, Course>, StoreError> {
        let mut courses = HashMap::new();
        for course in self.select::<Course>("ORDER BY number, dcid", [])? {
            courses.entry(course.number.clone()).or_insert(course);
        }
        Ok(courses)
    }

    /// When a section meets.
    pub fn section_meetings(&self, section: SectionId) -> Result<Vec<SectionMeeting>, StoreError> {
        self.select("WHERE section = ?1 ORDER BY id", [section.get()])
    }

    /// The students with a number: none, one, or several if PowerSchool's own data is ambiguous.
    pub fn students_by_number(&self, number: StudentNumber) -> Result<Vec<Student>, StoreError> {
        self.select("WHERE number = ?1 ORDER BY dcid", [number.get()])
    }

    /// A student's enrolments in schools that have ended, as far as they reach into the school years pulled.
    pub fn reenrollments_of(&self, student: StudentId) -> Result<Vec<Reenrollment>, StoreError> {
        self.select("WHERE student = ?1 ORDER BY id", [student.get()])
    }

    /// A student's enrolments, dropped ones included.
    pub fn enrollments_of(&self, student: StudentId) -> Result<Vec<Enrollment>, StoreError> {
        self.select("WHERE student = ?1 ORDER BY id", [student.get()])
    }

    /// Visits every student by student number, until the visitor breaks or fails. Memory is bounded.
    pub fn for_each_student<E: From<StoreError>>(
        &self,
        mut visit: impl FnMut(&Student) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        thread::scope(|scope| {
            let (sender, batches) = mpsc::sync_channel(BATCHES_AHEAD);
            let read = move |after| read_students(&self.lock(), after);
            scope.spawn(move || self.read_ahead(&sender, read, |student: &Student| student));
            // Leaving the loop early hangs up, which ends the reading.
            for batch in batches {
                for student in &batch? {
                    if visit(student)?.is_break() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })
    }

    /// Visits every student by student number together with their enrolments (by CC.ID), until the visitor breaks
    /// or fails. Memory is bounded. A thread of its own reads ahead: reading takes about as long as what is done
    /// with the rows.
    pub fn for_each_student_with_enrollments<E: From<StoreError>>(
        &self,
        mut visit: impl FnMut(&Student, &[Enrollment]) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        thread::scope(|scope| {
            let (sender, batches) = mpsc::sync_channel(BATCHES_AHEAD);
            let read = move |after| self.read_students_with_enrollments(after);
            scope.spawn(move || self.read_ahead(&sender, read, |(student, _): &(Student, _)| student));
            // Leaving the loop early hangs up, which ends the reading.
            for batch in batches {
                for (student, enrollments) in &batch? {
                    if visit(student, enrollments)?.is_break() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })
    }

    /// Reads students batch by batch, each after the last one's number and DCID, until nobody listens any more.
    fn read_ahead<T>(
        &self,
        batches: &mpsc::SyncSender<Result<Vec<T>, StoreError>>,
        read: impl Fn(Option<(i64, i64)>) -> Result<Vec<T>, StoreError>,
        student: impl Fn(&T) -> &Student,
    ) {
        let mut after = None;
        loop {
            let batch = note_damage(&self.path, read(after));
            // Neither an error nor an empty batch has a last student: either is the end.
            let last = batch.as_ref().ok().and_then(|batch| batch.last()).map(&student);
            after = last.map(|student| (student.number.get(), student.dcid.get()));
            if batches.send(batch).is_err() || after.is_none() {
                return;
            }
        }
    }

    fn read_students_with_enrollments(&self, after: Option<(i64, i64)>) -> Result<Batch, StoreError> {
        // Held for a batch, not for a visit: the visitor may look things up here.
        let connection = self.lock();
        let mut with_enrollments = Vec::with_capacity(BATCH);
        // Once for the batch: finding the statement again costs as much as a student's few rows.
        let mut of_student = prepare::<Enrollment>(&connection, "WHERE student = ?1 ORDER BY id")?;
        for student in read_students(&connection, after)? {
            let enrollments = read_all(&mut of_student, [student.id.get()])?;
            with_enrollments.push((student, enrollments));
        }
        Ok(with_enrollments)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // Reading leaves nothing half done, so a visitor's panic elsewhere does not matter here.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn select<T: RosterTable>(&self, tail: &str, params: impl Params) -> Result<Vec<T>, StoreError> {
        note_damage(&self.path, select(&self.lock(), tail, params))
    }

    fn first<T: RosterTable>(&self, tail: &str, params: impl Params) -> Result<Option<T>, StoreError> {
        Ok(self.select(tail, params)?.into_iter().next())
    }
}

/// Opens a file of this layout, to read; `None` for one of an older layout.
fn open_for_reading(
    path: &Path,
    key: &ProfileKeyBytes,
) -> Result<Option<(Connection, StoredMeta)>, StoreError> {
    let connection = database::connect(path, key, Access::Read)?;
    let layout = database::user_version(&connection)?;
    if layout > LAYOUT {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found: layout, known: LAYOUT });
    }
    if layout < LAYOUT {
        return Ok(None);
    }
    connection.set_prepared_statement_cache_capacity(48);
    // The file never changes once it has its name, so one read transaction saves a lock for each statement.
    connection.execute_batch("PRAGMA cache_size = -4096; BEGIN;")?;
    let stored = stored_meta(&connection)?;
    Ok(Some((connection, stored)))
}

/// What is known about the pull a file holds.
fn stored_meta(connection: &Connection) -> Result<StoredMeta, StoreError> {
    let json: Option<String> =
        connection.query_row("SELECT json FROM meta", [], |row| row.get(0)).optional()?;
    json.and_then(|json| serde_json::from_str(&json).ok()).ok_or_else(|| StoreError::unreadable("meta.json"))
}

/// Marks the roster at `path` if reading it has shown that it is damaged, so that it is not opened again: an open file
/// can't be removed everywhere.
fn note_damage<T>(path: &Path, read: Result<T, StoreError>) -> Result<T, StoreError> {
    if let Err(StoreError::Corrupt(_)) = &read
        && let Err(source) = File::create(database::damage_mark(path))
    {
        tracing::warn!(kind = %source.kind(), "a damaged roster could not be marked");
    }
    read
}

/// Removes a damaged roster. One that stays, since somebody has it open, is in the way of nothing but its replacement.
fn remove_damaged(path: &Path) {
    match database::remove(path).and_then(|()| database::remove_file(&database::damage_mark(path))) {
        Ok(()) => tracing::warn!("a damaged roster was removed; PowerSchool is read anew"),
        Err(error) => tracing::warn!(code = error.code(), "a damaged roster could not be removed yet"),
    }
}

/// The students after one, in order of their numbers.
fn read_students(connection: &Connection, after: Option<(i64, i64)>) -> Result<Vec<Student>, StoreError> {
    match after {
        None => select(connection, &format!("ORDER BY number, dcid LIMIT {BATCH}"), []),
        Some(after) => select(
            connection,
            &format!("WHERE (number, dcid) > (?1, ?2) ORDER BY number, dcid LIMIT {BATCH}"),
            after,
        ),
    }
}

/// The rows of a table that `tail` selects.
fn select<T: RosterTable>(
    connection: &Connection,
    tail: &str,
    params: impl Params,
) -> Result<Vec<T>, StoreError> {
    read_all(&mut prepare::<T>(connection, tail)?, params)
}

/// The statement that selects the rows of a table by `tail`.
fn prepare<'c, T: RosterTable>(
    connection: &'c Connection,
    tail: &str,
) -> Result<CachedStatement<'c>, StoreError> {
    Ok(connection.prepare_cached(&format!("SELECT {} FROM {} {tail}", T::COLUMNS, T::TABLE))?)
}

/// Every row that a statement of [`prepare`] selects.
fn read_all<T: RosterTable>(
    statement: &mut CachedStatement<'_>,
    params: impl Params,
) -> Result<Vec<T>, StoreError> {
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(T::read(row)?);
    }
    Ok(found)
}
