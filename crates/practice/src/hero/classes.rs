//! Who sits in which class on the practice date, and the draw that decides whom Hero and Raptor pick.
//!
//! Both vendors' sample records come from the same district but must never speak about the same
//! student: Hero draws among students whose hash is even, Raptor among those whose hash is odd.

use chrono::{Datelike, NaiveDate};
use rusqlite::{CachedStatement, Connection, Row, named_params};

/// A student with Enroll_Status 0 whose school enrolment covers the date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActiveStudent {
    /// STUDENTS.ID
    pub(crate) id: i64,
    /// STUDENTS.Student_Number
    pub(crate) number: i64,
    /// STUDENTS.SchoolID, a school number
    pub(crate) school: i64,
}

/// One meeting of one section a student is enrolled in, on one date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Class {
    /// CC.SchoolID, which differs from the student's own school for a class taken elsewhere
    pub(crate) school: i64,
    pub(crate) course: String,
    pub(crate) section: String,
    /// PERIOD.Abbreviation
    pub(crate) period: String,
    /// Seconds since midnight, from the bell schedule of the school's calendar day
    pub(crate) start: u32,
    /// Seconds since midnight
    pub(crate) end: u32,
}

impl Class {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            school: row.get(0)?,
            course: row.get(1)?,
            section: row.get(2)?,
            period: row.get(3)?,
            start: row.get(4)?,
            end: row.get(5)?,
        })
    }

    /// Two classes whose times touch the same second cannot be told apart by a sign-in time.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// The students enrolled in a school on `date`, by student number.
pub(crate) fn active_students(
    connection: &Connection,
    date: NaiveDate,
) -> rusqlite::Result<Vec<ActiveStudent>> {
    connection
        .prepare(
            "SELECT ID, Student_Number, SchoolID FROM Students
              WHERE Enroll_Status = 0 AND EntryDate <= :date AND ExitDate > :date
              ORDER BY Student_Number",
        )?
        .query_map(named_params! {":date": date.to_string()}, |row| {
            Ok(ActiveStudent { id: row.get(0)?, number: row.get(1)?, school: row.get(2)? })
        })?
        .collect()
}

/// The classes of one student at a time, on one date.
pub(crate) struct Timetable<'connection> {
    classes: CachedStatement<'connection>,
    date: String,
}

impl<'connection> Timetable<'connection> {
    pub(crate) fn on(connection: &'connection Connection, date: NaiveDate) -> rusqlite::Result<Self> {
        // A meeting happens when the section's cycle day is the calendar day's and the day's bell
        // schedule gives the period a time. A negative SectionID (dropped) joins to nothing.
        let classes = connection.prepare_cached(
            "SELECT CC.SchoolID, CC.Course_Number, CC.Section_Number, Period.Abbreviation,
                    Bell_Schedule_Items.Start_Time, Bell_Schedule_Items.End_Time
               FROM CC
               JOIN Sections ON Sections.ID = CC.SectionID
               JOIN Section_Meeting ON Section_Meeting.SectionID = Sections.ID
               JOIN Calendar_Day ON Calendar_Day.SchoolID = Section_Meeting.SchoolID
                    AND Calendar_Day.Date_Value = :date AND Calendar_Day.InSession = 1
               JOIN Cycle_Day ON Cycle_Day.ID = Calendar_Day.Cycle_Day_ID
                    AND Cycle_Day.Letter = Section_Meeting.Cycle_Day_Letter
               JOIN Period ON Period.SchoolID = Section_Meeting.SchoolID
                    AND Period.Year_ID = Section_Meeting.Year_ID
                    AND Period.Period_Number = Section_Meeting.Period_Number
               JOIN Bell_Schedule_Items
                    ON Bell_Schedule_Items.Bell_Schedule_ID = Calendar_Day.Bell_Schedule_ID
                    AND Bell_Schedule_Items.Period_ID = Period.ID
              WHERE CC.StudentID = :student AND CC.TermID > 0
                AND CC.DateEnrolled <= :date AND CC.DateLeft > :date
              ORDER BY Bell_Schedule_Items.Start_Time, Period.Period_Number, CC.ID",
        )?;
        Ok(Self { classes, date: date.to_string() })
    }

    /// What `student` attends that day, by starting time.
    pub(crate) fn classes_of(&mut self, student: &ActiveStudent) -> rusqlite::Result<Vec<Class>> {
        self.classes
            .query_map(named_params! {":student": student.id, ":date": self.date}, Class::from_row)?
            .collect()
    }
}

/// Which of the two vendors may speak about a student.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// Students with an even hash
    Hero,
    /// Students with an odd hash
    Raptor,
}

/// A reproducible draw: the same seed and date always pick the same students.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draw {
    seed: u64,
    day: u64,
}

impl Draw {
    pub(crate) fn new(seed: u64, date: NaiveDate) -> Self {
        Self { seed: scramble(seed), day: scramble(seed ^ u64::from(date.num_days_from_ce().unsigned_abs())) }
    }

    /// The students of one share, the first drawn first.
    pub(crate) fn order(self, students: &[ActiveStudent], share: Share) -> Vec<ActiveStudent> {
        let mut drawn: Vec<ActiveStudent> =
            students.iter().filter(|student| self.share(student) == share).cloned().collect();
        drawn.sort_by_key(|student| (self.number(student, 0), student.number));
        drawn
    }

    fn share(self, student: &ActiveStudent) -> Share {
        if scramble(self.seed ^ student.number.unsigned_abs()).is_multiple_of(2) {
            Share::Hero
        } else {
            Share::Raptor
        }
    }

    /// A number fixed for this student, day and question.
    pub(crate) fn number(self, student: &ActiveStudent, question: u64) -> u64 {
        scramble(self.day ^ scramble(student.number.unsigned_abs()).wrapping_add(question))
    }

    /// One of `choices`, or none of none.
    pub(crate) fn choose<'a, T>(
        self,
        student: &ActiveStudent,
        question: u64,
        choices: &'a [T],
    ) -> Option<&'a T> {
        let count = u64::try_from(choices.len()).ok().filter(|&count| count > 0)?;
        choices.get(usize::try_from(self.number(student, question) % count).ok()?)
    }
}

/// `SplitMix64`'s finaliser: every input bit reaches every output bit, and it is the same on every
/// platform and in every release, unlike the standard library's hashers.
fn scramble(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
