//! Rows of Hero's attendance export, looked up many at a time: a student's code in a course, section and period on a
//! date.
//!
//! Student after student in the order the roster has them, so that each page of it is read once for all the rows it
//! answers. A row is stopped by the first thing about it that is wrong, asked in this order: school, student, day,
//! enrolment, period, meeting, code.

use std::{
    io::Read,
    mem,
    num::NonZero,
    panic,
    sync::{Arc, mpsc},
    thread::{self, ScopedJoinHandle},
};

use chrono::NaiveDate;

use rosterbridge_domain::{
    attendance::{AttendanceWrite, Meeting, MeetingTimes},
    calendar::SchoolDay,
    held::HoldReason,
    id::{CcId, PeriodId, SchoolNumber, StudentId, StudentNumber},
    roster::{Enrollment, SectionMeeting},
};
use rosterbridge_hero::{AttendanceRow, AttendanceRows, FileError, ImportRow};
use rosterbridge_store::{
    StoreError,
    roster::{Numbered, Seat, Seated, Seats},
};
use rustc_hash::FxHashMap;

use super::{District, Stop, hold};
use crate::{attendance::SourceRow, error::EngineError};

/// Rows that are looked up together. A district's students are spread over the whole roster, so each further part of a
/// file may read all of it again.
const ROWS_AT_ONCE: usize = 1 << 17;

/// Rows that are passed on together from the thread that reads them.
const PART: usize = 1 << 10;
/// Parts that are read before they are asked for.
const PARTS_AHEAD: usize = 8;
/// Rows that are not worth a thread of their own.
const FEW: usize = 4_096;

/// A row that can be used, and its place among all.
struct Usable {
    place: usize,
    row: AttendanceRow,
}

/// A row whose student and day are known, by their places: as little of it as can be, to be sorted.
struct OnADay {
    row: usize,
    student: StudentId,
    day: usize,
}

/// What is known of a row before the sections are: its student, its day's place, and its enrolment.
type Asked = (StudentId, usize, Option<Seated>);

/// What becomes of a row; [`Stop::Store`] ends the look-up of all.
type Answer = Result<AttendanceWrite, Stop>;

/// Reads the rows of Hero's export that are still to be read, as rows of the plan's file `input`, and looks each up.
/// They stay in their order.
pub(crate) fn hero_rows<R: Read + Send>(
    file: &mut AttendanceRows<R>,
    input: usize,
    district: &mut District<'_>,
) -> Result<Vec<SourceRow>, EngineError> {
    let roster = district.roster;
    thread::scope(|scope| {
        let (sender, parts) = mpsc::sync_channel(PARTS_AHEAD);
        // One thread reads the rows, another one keeps them.
        scope.spawn(move || {
            loop {
                let part: Vec<_> = file.by_ref().take(PART).collect();
                if part.is_empty() || sender.send(part).is_err() {
                    return;
                }
            }
        });
        // While the file comes in.
        let opening = scope.spawn(|| roster.seats());
        let mut rows = Vec::new();
        let mut usable = keep_rows(&parts, input, &mut rows)?;
        let seats = opening.join().unwrap_or_else(|panic| panic::resume_unwind(panic))?;
        let mut looked_up = 0;
        while looked_up < rows.len() {
            looked_up = rows.len();
            district.hero(&usable, &seats, &mut rows)?;
            usable = keep_rows(&parts, input, &mut rows)?;
        }
        Ok(rows)
    })
}

/// Takes rows that are looked up together, and returns those of them that can be used. What becomes of these is not said
/// yet.
fn keep_rows(
    parts: &mpsc::Receiver<Vec<Result<ImportRow, FileError>>>,
    input: usize,
    rows: &mut Vec<SourceRow>,
) -> Result<Vec<Usable>, EngineError> {
    let mut usable = Vec::new();
    for row in parts.iter().take(ROWS_AT_ONCE / PART).flatten() {
        let ImportRow { line, raw, parsed } = row?;
        let (student_number, why_not) = match parsed {
            Ok(row) => {
                let number = row.student;
                usable.push(Usable { place: rows.len(), row });
                (Some(number), String::new())
            }
            Err(error) => (None, error.to_string()),
        };
        let wanted = Err(Stop::Reject(why_not));
        rows.push(SourceRow { input, line, raw, student_number, happened: None, wanted });
    }
    Ok(usable)
}

impl District<'_> {
    /// Says of the usable ones among the file's rows what becomes of them.
    fn hero(
        &mut self,
        usable: &[Usable],
        seats: &Seats<'_>,
        rows: &mut [SourceRow],
    ) -> Result<(), StoreError> {
        let mut days = Vec::new();
        let mut seated = self.students_and_days(usable, rows, &mut days)?;
        // As the roster has its enrolments.
        seated.sort_unstable_by_key(|row| row.student);
        let seat = |OnADay { row, student, .. }: &OnADay| {
            let AttendanceRow { school, course_number, section_number, date, .. } = &usable[*row].row;
            Seat { student: *student, school: *school, course_number, section_number, date: *date }
        };
        // By the rows' places: in the file's order one row after the other is at hand.
        let mut asked: Vec<Option<Asked>> = vec![None; usable.len()];
        seats.for_each_named(&seated, seat, |first, found| {
            for (OnADay { row, student, day }, enrollment) in seated[first..].iter().zip(found) {
                asked[*row] = Some((*student, *day, *enrollment));
            }
            Ok::<_, StoreError>(())
        })?;
        let enrollments = asked.iter().flatten().filter_map(|(_, _, enrollment)| *enrollment);
        self.know_sections(enrollments.map(|enrollment| enrollment.section))?;
        let district = &*self;
        let answered = thread::scope(|scope| {
            let threads = thread::available_parallelism().map_or(1, NonZero::get);
            let each = usable.len().div_ceil(threads).max(FEW);
            let (mut rest, mut first) = (rows, 0);
            let mut answering = Vec::new();
            for (usable, asked) in usable.chunks(each).zip(asked.chunks(each)) {
                let end = usable.last().map_or(first, |last| last.place + 1);
                let (these, others) = mem::take(&mut rest).split_at_mut(end - first);
                let days = &days;
                let answer = move || district.answer(usable, asked, days, these, first);
                answering.push(scope.spawn(answer));
                (rest, first) = (others, end);
            }
            answering.into_iter().map(ScopedJoinHandle::join).collect::<Result<Result<(), _>, _>>()
        });
        answered.unwrap_or_else(|panic| panic::resume_unwind(panic))
    }

    /// Says what becomes of rows of which all is known that the roster says; `rows` begin at the place `first`.
    fn answer(
        &self,
        usable: &[Usable],
        asked: &[Option<Asked>],
        days: &[Arc<SchoolDay>],
        rows: &mut [SourceRow],
        first: usize,
    ) -> Result<(), StoreError> {
        for (Usable { place, row }, asked) in usable.iter().zip(asked) {
            let Some((student, day, enrollment)) = asked else { continue };
            let answer = match enrollment {
                Some(seat) => self.seat(row, *student, &days[*day], *seat),
                None => self.no_seat(row, *student),
            };
            rows[*place - first].wanted = match answer {
                Err(Stop::Store(error)) => return Err(error),
                answer => answer,
            };
        }
        Ok(())
    }

    /// Answers the rows whose school, student or day stops them, and returns the others; their days are those of `days`.
    fn students_and_days(
        &mut self,
        usable: &[Usable],
        rows: &mut [SourceRow],
        days: &mut Vec<Arc<SchoolDay>>,
    ) -> Result<Vec<OnADay>, StoreError> {
        let mut by_number: Vec<(StudentNumber, usize)> = Vec::with_capacity(usable.len());
        for (place_of_row, Usable { place, row }) in usable.iter().enumerate() {
            // They come from the roster by number.
            let why_not = if self.elsewhere.contains(&row.school) {
                HoldReason::OtherAccountsSchool
            } else if self.schools.binary_search_by_key(&row.school, |school| school.number).is_ok() {
                by_number.push((row.student, place_of_row));
                continue;
            } else {
                HoldReason::UnknownSchool
            };
            rows[*place].wanted = hold(why_not, row.school.to_string());
        }
        by_number.sort_unstable();
        let mut numbers: Vec<StudentNumber> = by_number.iter().map(|(number, _)| *number).collect();
        numbers.dedup();
        let students = self.roster.students_numbered(&numbers)?;
        let mut known: FxHashMap<(SchoolNumber, NaiveDate), usize> = FxHashMap::default();
        let mut seated = Vec::with_capacity(by_number.len());
        for (of_student, numbered) in by_number.chunk_by(|(a, _), (b, _)| a == b).zip(students) {
            for (number, row) in of_student {
                let Usable { place, row: AttendanceRow { school, date, .. } } = &usable[*row];
                let why_not = match numbered {
                    Numbered::Nobody => hold(HoldReason::UnknownStudent, number.to_string()),
                    Numbered::Several => hold(HoldReason::AmbiguousStudent, number.to_string()),
                    Numbered::One(student) => {
                        let day = match known.get(&(*school, *date)) {
                            Some(day) => Ok(*day),
                            None => self.writable_day(*school, *date).map(|day| {
                                days.push(day);
                                known.insert((*school, *date), days.len() - 1);
                                days.len() - 1
                            }),
                        };
                        match day {
                            Ok(day) => {
                                seated.push(OnADay { row: *row, student, day });
                                continue;
                            }
                            Err(Stop::Store(error)) => return Err(error),
                            Err(stop) => Err(stop),
                        }
                    }
                };
                rows[*place].wanted = why_not;
            }
        }
        Ok(seated)
    }

    /// The seat that one row names, asked by itself: of several the first by CC.ID, as [`Seats::for_each_named`] finds it.
    pub(super) fn seat_named(
        &self,
        row: &AttendanceRow,
        student: StudentId,
    ) -> Result<Option<Seated>, StoreError> {
        let enrollments = self.roster.enrollments_of(student)?;
        let mut named = enrollments.iter().filter(|cc| is_named(row, cc));
        let found = named.find(|cc| cc.includes(row.date));
        Ok(found.map(|cc| Seated { cc: cc.id, section: cc.section }))
    }

    /// The record of a row whose student has this seat, whose section is known.
    fn seat(&self, row: &AttendanceRow, student: StudentId, day: &SchoolDay, seat: Seated) -> Answer {
        let meeting = self.class_named(row, student, day, seat)?;
        self.record(student, day, meeting, &row.code, "")
    }

    /// The class of a seat that a row names by its period; `None` for the day's record, where the section has that. The
    /// section is known.
    pub(super) fn class_named(
        &self,
        row: &AttendanceRow,
        student: StudentId,
        day: &SchoolDay,
        seat: Seated,
    ) -> Result<Option<(Meeting, MeetingTimes)>, Stop> {
        let section = self.sections.get(&seat.section);
        if section.is_some_and(|section| section.daily) {
            return Ok(None);
        }
        let mut matching =
            self.periods(day).iter().filter(|period| period.abbreviation == row.period_abbreviation);
        let abbreviation = told(&row.period_abbreviation);
        let period = match (matching.next(), matching.next()) {
            (Some(only), None) => only.id,
            (None, _) => return hold(HoldReason::UnknownPeriod, abbreviation),
            (Some(_), Some(_)) => return hold(HoldReason::AmbiguousPeriod, abbreviation),
        };
        let meetings = section.map_or(&[][..], |section| &section.meetings);
        match self.meeting(student, day, period, seat.cc, meetings)? {
            Some(meeting) => Ok(Some(meeting)),
            None => hold(HoldReason::NoSuchMeeting, abbreviation),
        }
    }

    /// When a seat's section meets in a period of a day. The enrolment's expression tells it where PowerSchool has no
    /// SECTION_MEETING of the section.
    fn meeting(
        &self,
        student: StudentId,
        day: &SchoolDay,
        period: PeriodId,
        cc: CcId,
        meetings: &[SectionMeeting],
    ) -> Result<Option<(Meeting, MeetingTimes)>, StoreError> {
        if !meetings.is_empty() {
            return Ok(day.meeting_in(period, cc, meetings));
        }
        let enrollments = self.roster.enrollments_of(student)?;
        let Some(enrollment) = enrollments.iter().find(|enrollment| enrollment.id == cc) else {
            return Ok(None);
        };
        Ok(day.meetings(enrollment, &[]).find(|(meeting, _)| meeting.period == period))
    }

    /// Why a row has no enrolment: none at all in this course and section, or none on its date.
    pub(super) fn no_seat<T>(&self, row: &AttendanceRow, student: StudentId) -> Result<T, Stop> {
        let named = format!("course {} section {}", told(&row.course_number), told(&row.section_number));
        let at_another_time = self.roster.enrollments_of(student)?.iter().any(|cc| is_named(row, cc));
        let detail = if at_another_time { format!("{named}, not on {}", row.date) } else { named };
        hold(HoldReason::NoSuchEnrollment, detail)
    }
}

/// Whether a row names an enrolment's section, whatever the day.
fn is_named(row: &AttendanceRow, cc: &Enrollment) -> bool {
    cc.school == row.school
        && cc.course_number == row.course_number
        && cc.section_number == row.section_number
}

/// A value of a file as a held row tells it.
fn told(value: &str) -> &str {
    if value.trim().is_empty() { "(empty)" } else { value }
}

#[cfg(test)]
mod tests;
