//! What the rows of a file name, looked up many rows at a time.
//!
//! One at a time, most of a look-up is finding the statement again and going down to the row from the table's root; and
//! rows in the order of a file read one page of the roster again and again. So these take the questions of many rows,
//! which come fastest in the order the roster has the answers, read them from its packed tables, and share long lists out
//! to as many threads as the computer runs at once, each with a connection of its own.

use std::{collections::BTreeMap, hash::BuildHasher, num::NonZero, sync::mpsc, thread};

use chrono::NaiveDate;
use rosterbridge_domain::id::{CcId, SchoolNumber, SectionId, StudentId, StudentNumber};
use rusqlite::Connection;
use rustc_hash::FxBuildHasher;

use super::{
    BATCHES_AHEAD, Roster, note_damage, open_for_reading,
    packed::{self, NUMBERS, PackedSeat, SEATS, SECTIONS, SeatName, SectionAttendance, Unpacked},
    tables::day_number,
};
use crate::StoreError;

/// Questions answered in one go: the connection is held as long. More of them are worth further connections, each of which
/// takes 0.2 ms to open.
const AT_ONCE: usize = 8_192;
/// Connections that read side by side.
const MOST_READERS: usize = 4;

/// Who has a student number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbered {
    /// No student.
    Nobody,
    /// One student.
    One(StudentId),
    /// More than one: PowerSchool's own data is ambiguous.
    Several,
}

/// What names an enrolment: a student's seat in a section of a course on a day.
#[derive(Clone, Copy, Debug)]
pub struct Seat<'a> {
    /// The student.
    pub student: StudentId,
    /// The school of the section.
    pub school: SchoolNumber,
    /// The course's number, letter by letter.
    pub course_number: &'a str,
    /// The section's number, letter by letter.
    pub section_number: &'a str,
    /// The day.
    pub date: NaiveDate,
}

/// An enrolment that a seat names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seated {
    /// The enrolment.
    pub cc: CcId,
    /// Its section.
    pub section: SectionId,
}

/// Every student's seats.
pub struct Seats<'r> {
    roster: &'r Roster,
    names: Vec<SeatName>,
    /// Of the names.
    hashes: Vec<u64>,
}

impl Roster {
    /// Who has each of these numbers, in their order. Fastest in the order of the numbers.
    pub fn students_numbered(&self, numbers: &[StudentNumber]) -> Result<Vec<Numbered>, StoreError> {
        self.in_order(numbers, students_numbered)
    }

    /// Opens the seats, for [`Seats::for_each_named`]. What they are named by is read at once: 80 bytes of memory for each
    /// section.
    pub fn seats(&self) -> Result<Seats<'_>, StoreError> {
        let names = note_damage(&self.path, packed::seat_names(&self.lock()))?;
        let hashes = names.iter().map(|name| hash(name.school, &name.course_number, &name.section_number));
        Ok(Seats { roster: self, hashes: hashes.collect(), names })
    }

    /// How sections take attendance and when they meet, in the order asked. Fastest in the order of the ids.
    pub fn section_attendance(&self, ids: &[SectionId]) -> Result<Vec<SectionAttendance>, StoreError> {
        self.in_order(ids, |connection, ids| {
            let mut packed = Unpacked::new(connection, SECTIONS)?;
            ids.iter().map(|id| packed::section_attendance(&mut packed, *id)).collect()
        })
    }

    /// The answers to questions, in their order.
    fn in_order<'q, Q: Sync, A: Send>(
        &self,
        questions: &'q [Q],
        read: impl Fn(&Connection, &'q [Q]) -> Result<Vec<A>, StoreError> + Sync,
    ) -> Result<Vec<A>, StoreError> {
        let mut parts = BTreeMap::new();
        self.answer(questions, read, |first, answers| {
            parts.insert(first, answers);
            Ok::<_, StoreError>(())
        })?;
        Ok(parts.into_values().flatten().collect())
    }

    /// Answers questions, some at a time, and gives each visit the place of its first one.
    fn answer<'q, Q: Sync, A: Send, E: From<StoreError>>(
        &self,
        questions: &'q [Q],
        read: impl Fn(&Connection, &'q [Q]) -> Result<Vec<A>, StoreError> + Sync,
        mut visit: impl FnMut(usize, Vec<A>) -> Result<(), E>,
    ) -> Result<(), E> {
        if questions.len() <= AT_ONCE {
            let answers = note_damage(&self.path, read(&self.lock(), questions))?;
            return visit(0, answers);
        }
        let readers = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_READERS);
        let others: Vec<Connection> = (1..readers).map_while(|_| self.another_connection()).collect();
        let each = questions.len().div_ceil(1 + others.len());
        thread::scope(|scope| {
            let (sender, answers) = mpsc::sync_channel(BATCHES_AHEAD);
            let (read, path) = (&read, &self.path);
            let mut shares = questions.chunks(each).zip((0..).step_by(each));
            if let Some((share, first)) = shares.next() {
                let sender = sender.clone();
                scope.spawn(move || {
                    // Held for a part, not for all: the visitor may look things up here.
                    send_answers(&sender, share, first, |part| note_damage(path, read(&self.lock(), part)));
                });
            }
            for (connection, (share, first)) in others.into_iter().zip(shares) {
                let sender = sender.clone();
                scope.spawn(move || {
                    send_answers(&sender, share, first, |part| note_damage(path, read(&connection, part)));
                });
            }
            drop(sender);
            // Leaving the loop early hangs up, which ends the reading.
            for answered in answers {
                let (first, answers) = answered?;
                visit(first, answers)?;
            }
            Ok(())
        })
    }

    /// Another connection to the same rows; `None` when there is none to be had, which costs no more than time.
    fn another_connection(&self) -> Option<Connection> {
        let (connection, stored) = open_for_reading(&self.path, &self.key).ok()??;
        // In the order of the table, no page is needed twice.
        connection.execute_batch("PRAGMA cache_size = -1024;").ok()?;
        // Another pull may have taken the place of this one meanwhile.
        (stored.content.is_some() && stored.content == self.content).then_some(connection)
    }
}

/// Answers with the place of the first question, or why there are none.
type Answered<A> = Result<(usize, Vec<A>), StoreError>;

/// Reads answers part by part until nobody listens any more.
fn send_answers<'q, Q, A>(
    answers: &mpsc::SyncSender<Answered<A>>,
    questions: &'q [Q],
    first: usize,
    read: impl Fn(&'q [Q]) -> Result<Vec<A>, StoreError>,
) {
    for (part, first) in questions.chunks(AT_ONCE).zip((first..).step_by(AT_ONCE)) {
        let answered = read(part).map(|answers| (first, answers));
        let failed = answered.is_err();
        if answers.send(answered).is_err() || failed {
            return;
        }
    }
}

fn students_numbered(
    connection: &Connection,
    numbers: &[StudentNumber],
) -> Result<Vec<Numbered>, StoreError> {
    let mut packed = Unpacked::new(connection, NUMBERS)?;
    let numbered = numbers.iter().map(|number| {
        Ok(match packed::students_numbered(&mut packed, number.get())? {
            (None, _) => Numbered::Nobody,
            (Some(only), None) => Numbered::One(only),
            (Some(_), Some(_)) => Numbered::Several,
        })
    });
    numbered.collect()
}

impl Seats<'_> {
    /// Visits the enrolments that the seats of rows name: of several the first by CC.ID, `None` where there is no such
    /// enrolment on that day. The visitor gets the place of the first row it is about, and what that one's seat and those
    /// after it name; not in order, but each once. Fastest in the order of the students' ids. Memory is bounded.
    pub fn for_each_named<'q, T: Sync, E: From<StoreError>>(
        &self,
        rows: &'q [T],
        seat: impl Fn(&'q T) -> Seat<'q> + Sync,
        mut visit: impl FnMut(usize, &[Option<Seated>]) -> Result<(), E>,
    ) -> Result<(), E> {
        let read = |connection: &Connection, rows: &'q [T]| self.enrollments_named(connection, rows, &seat);
        self.roster.answer(rows, read, |first, enrollments| visit(first, &enrollments))
    }

    fn enrollments_named<'q, T>(
        &self,
        connection: &Connection,
        rows: &'q [T],
        seat: impl Fn(&'q T) -> Seat<'q>,
    ) -> Result<Vec<Option<Seated>>, StoreError> {
        let mut packed = Unpacked::new(connection, SEATS)?;
        let mut found = Vec::with_capacity(rows.len());
        let (mut of, mut taken) = (None, Vec::new());
        for seat in rows.iter().map(seat) {
            if of != Some(seat.student) {
                packed::seats_of(&mut packed, seat.student, &mut taken)?;
                of = Some(seat.student);
            }
            found.push(self.enrollment_named(&seat, &taken));
        }
        Ok(found)
    }

    fn enrollment_named(&self, seat: &Seat<'_>, taken: &[PackedSeat]) -> Option<Seated> {
        let day = i64::from(day_number(seat.date));
        let hash = hash(seat.school, seat.course_number, seat.section_number);
        let mut then =
            taken.iter().filter(|PackedSeat { days: (begins, ends), .. }| (*begins..*ends).contains(&day));
        then.find_map(|PackedSeat { cc, name, .. }| {
            if *self.hashes.get(*name)? != hash {
                return None;
            }
            let name = self.names.get(*name)?;
            let named = name.school == seat.school
                && name.course_number == seat.course_number
                && name.section_number == seat.section_number;
            named.then_some(Seated { cc: CcId::new(*cc), section: name.section })
        })
    }
}

/// Tells most names apart without reading them.
fn hash(school: SchoolNumber, course_number: &str, section_number: &str) -> u64 {
    FxBuildHasher.hash_one((school, course_number, section_number))
}
