//! What the rows of a file name, looked up many rows at a time.
//!
//! One at a time, most of a look-up is finding the statement again and going down to the row from the table's root; and
//! rows in the order of a file read one page of the roster again and again. So these take the questions of many rows,
//! which come fastest in the order the roster has the answers, and long lists are shared out to as many threads as the
//! computer runs at once, each with a connection of its own.

use std::{num::NonZero, sync::mpsc, thread};

use chrono::NaiveDate;
use rosterbridge_domain::{
    id::{CcId, SchoolNumber, SectionId, StudentId, StudentNumber},
    roster::{Section, SectionMeeting},
};
use rusqlite::{Connection, Row};

use super::{BATCHES_AHEAD, Roster, note_damage, open_for_reading, prepare, read_all, tables::day_number};
use crate::StoreError;

/// Questions answered in one go: the connection is held as long. More of them are worth further connections: one takes
/// 0.2 ms to open, a thirtieth of what 512 answers from all over a large roster take.
const AT_ONCE: usize = 512;
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

/// A section, as far as the roster has it, with when it meets.
pub type SectionDetails = (Option<Section>, Vec<SectionMeeting>);

impl Roster {
    /// Who has each of these numbers, in their order. Fastest in the order of the numbers.
    pub fn students_numbered(&self, numbers: &[StudentNumber]) -> Result<Vec<Numbered>, StoreError> {
        let mut found = vec![Numbered::Nobody; numbers.len()];
        self.answer(numbers, students_numbered, |first, answers| {
            for (place, answer) in found[first..].iter_mut().zip(answers) {
                *place = answer;
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(found)
    }

    /// Visits the enrolments that seats name: of several the first by CC.ID, `None` where there is no such enrolment on
    /// that day. The visitor gets the place of the first seat it is about, and what that one and those after it name;
    /// not in order, but each seat once. Fastest in the order of the students' ids. Memory is bounded.
    pub fn for_each_enrollment_named<E: From<StoreError>>(
        &self,
        seats: &[Seat<'_>],
        mut visit: impl FnMut(usize, &[Option<Seated>]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.answer(seats, enrollments_named, |first, enrollments| visit(first, &enrollments))
    }

    /// Sections with when they meet, in the order asked. Fastest in the order of the ids.
    pub fn sections_with_meetings(&self, ids: &[SectionId]) -> Result<Vec<SectionDetails>, StoreError> {
        note_damage(&self.path, sections_with_meetings(&self.lock(), ids))
    }

    /// Answers questions, some at a time, and gives each visit the place of its first one.
    fn answer<Q: Sync, A: Send, E: From<StoreError>>(
        &self,
        questions: &[Q],
        read: impl Fn(&Connection, &[Q]) -> Result<Vec<A>, StoreError> + Sync,
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
fn send_answers<Q, A>(
    answers: &mpsc::SyncSender<Answered<A>>,
    questions: &[Q],
    first: usize,
    read: impl Fn(&[Q]) -> Result<Vec<A>, StoreError>,
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
    let mut with_number = connection.prepare_cached(
        "SELECT id FROM students INDEXED BY student_ids WHERE number = ?1 ORDER BY dcid LIMIT 2",
    )?;
    let mut found = Vec::with_capacity(numbers.len());
    for number in numbers {
        let mut rows = with_number.query([number.get()])?;
        found.push(match rows.next()? {
            None => Numbered::Nobody,
            Some(row) => {
                let id = StudentId::new(row.get(0)?);
                if rows.next()?.is_some() { Numbered::Several } else { Numbered::One(id) }
            }
        });
    }
    Ok(found)
}

fn enrollments_named(connection: &Connection, seats: &[Seat<'_>]) -> Result<Vec<Option<Seated>>, StoreError> {
    let mut named = connection.prepare_cached(
        "SELECT id, section FROM enrollments
         WHERE student = ?1 AND course_number = ?2 AND section_number = ?3 AND school = ?4
             AND date_enrolled <= ?5 AND date_left > ?5
         ORDER BY id LIMIT 1",
    )?;
    let mut found = Vec::with_capacity(seats.len());
    for seat in seats {
        let Seat { student, school, course_number, section_number, date } = seat;
        let day = day_number(*date);
        let mut rows = named.query((student.get(), course_number, section_number, school.get(), day))?;
        let seated = |row: &Row<'_>| -> rusqlite::Result<Seated> {
            Ok(Seated { cc: CcId::new(row.get(0)?), section: SectionId::new(row.get(1)?) })
        };
        found.push(rows.next()?.map(seated).transpose()?);
    }
    Ok(found)
}

fn sections_with_meetings(
    connection: &Connection,
    ids: &[SectionId],
) -> Result<Vec<SectionDetails>, StoreError> {
    let mut section = prepare::<Section>(connection, "WHERE id = ?1")?;
    let mut meetings = prepare::<SectionMeeting>(connection, "WHERE section = ?1 ORDER BY id")?;
    let details = ids.iter().map(|id| {
        let found = read_all(&mut section, [id.get()])?.pop();
        Ok((found, read_all(&mut meetings, [id.get()])?))
    });
    details.collect()
}
