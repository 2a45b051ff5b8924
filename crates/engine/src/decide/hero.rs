//! Rows of Hero's attendance export, looked up many at a time: a student's code in a course, section and period on a
//! date.
//!
//! Student after student in the order the roster has them, so that each page of it is read once for all the rows it
//! answers. A row is stopped by the first thing about it that is wrong, asked in this order: school, student, day,
//! enrolment, period, meeting, code.

use std::{io::Read, rc::Rc};

use rosterbridge_domain::{
    attendance::{AttendanceWrite, Meeting, MeetingTimes},
    calendar::SchoolDay,
    held::HoldReason,
    id::{PeriodId, StudentId, StudentNumber},
};
use rosterbridge_hero::{AttendanceRow, AttendanceRows, ImportRow};
use rosterbridge_store::{
    StoreError,
    roster::{Numbered, Seat, Seated},
};

use super::{District, Stop, hold};
use crate::{attendance::SourceRow, error::EngineError};

/// Rows that are looked up together. A district's students are spread over the whole roster, so each further part of a
/// file may read all of it again.
const ROWS_AT_ONCE: usize = 100_000;

/// A row whose student and day are known: its place, whose it is, and when.
struct OnADay {
    place: usize,
    student: StudentId,
    day: Rc<SchoolDay>,
}

/// What becomes of a row; [`Stop::Store`] ends the look-up of all.
type Answer = Result<AttendanceWrite, Stop>;

/// Reads the rows of Hero's export that are still to be read, as rows of the plan's file `input`, and looks each up.
/// They stay in their order.
pub(crate) fn hero_rows<R: Read>(
    file: &mut AttendanceRows<R>,
    input: usize,
    district: &mut District<'_>,
) -> Result<Vec<SourceRow>, EngineError> {
    let mut looked_up = Vec::new();
    loop {
        let rows: Vec<ImportRow> = file.by_ref().take(ROWS_AT_ONCE).collect::<Result<_, _>>()?;
        if rows.is_empty() {
            return Ok(looked_up);
        }
        let good: Vec<&AttendanceRow> = rows.iter().filter_map(|row| row.parsed.as_ref().ok()).collect();
        let mut answers = district.hero(&good)?.into_iter();
        looked_up.reserve(rows.len());
        for ImportRow { line, raw, parsed, .. } in rows {
            let (student_number, wanted) = match parsed {
                Ok(row) => match answers.next() {
                    Some(wanted) => (Some(row.student), wanted),
                    None => continue,
                },
                Err(error) => (None, Err(Stop::Reject(error.to_string()))),
            };
            looked_up.push(SourceRow { input, line, raw, student_number, happened: None, wanted });
        }
    }
}

impl District<'_> {
    /// What becomes of rows of Hero's export, in their order.
    fn hero(&mut self, rows: &[&AttendanceRow]) -> Result<Vec<Answer>, StoreError> {
        let mut answers: Vec<Option<Answer>> = Vec::new();
        answers.resize_with(rows.len(), || None);
        let mut seated = self.students_and_days(rows, &mut answers)?;
        // As the roster has its enrolments.
        seated.sort_unstable_by_key(|row| row.student);
        let seats: Vec<Seat<'_>> = seated
            .iter()
            .filter_map(|OnADay { place, student, .. }| {
                let row = rows.get(*place)?;
                Some(Seat {
                    student: *student,
                    school: row.school,
                    course_number: &row.course_number,
                    section_number: &row.section_number,
                    date: row.date,
                })
            })
            .collect();
        let roster = self.roster;
        roster.for_each_enrollment_named(&seats, |first, enrollments| {
            self.know_sections(enrollments.iter().flatten().map(|enrollment| enrollment.section))?;
            for (OnADay { place, student, day }, enrollment) in seated[first..].iter().zip(enrollments) {
                let answer = match enrollment {
                    Some(seat) => self.seat(rows[*place], *student, day, *seat),
                    None => self.no_seat(rows[*place], *student),
                };
                answers[*place] = Some(unless_store_error(answer)?);
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(answers.into_iter().flatten().collect())
    }

    /// Answers the rows whose school, student or day stops them, and returns the others.
    fn students_and_days(
        &mut self,
        rows: &[&AttendanceRow],
        answers: &mut [Option<Answer>],
    ) -> Result<Vec<OnADay>, StoreError> {
        let mut by_number: Vec<(StudentNumber, usize)> = Vec::with_capacity(rows.len());
        for (place, row) in rows.iter().enumerate() {
            // They come from the roster by number.
            if self.elsewhere.contains(&row.school) {
                answers[place] = Some(hold(HoldReason::OtherAccountsSchool, row.school.to_string()));
            } else if self.schools.binary_search_by_key(&row.school, |school| school.number).is_ok() {
                by_number.push((row.student, place));
            } else {
                answers[place] = Some(hold(HoldReason::UnknownSchool, row.school.to_string()));
            }
        }
        by_number.sort_unstable();
        let mut numbers: Vec<StudentNumber> = by_number.iter().map(|(number, _)| *number).collect();
        numbers.dedup();
        let students = self.roster.students_numbered(&numbers)?;
        let mut seated = Vec::with_capacity(by_number.len());
        for (of_student, numbered) in by_number.chunk_by(|(a, _), (b, _)| a == b).zip(students) {
            for (number, place) in of_student {
                let stop = |reason| hold(reason, number.to_string());
                let row = rows[*place];
                let found = match numbered {
                    Numbered::Nobody => stop(HoldReason::UnknownStudent),
                    Numbered::Several => stop(HoldReason::AmbiguousStudent),
                    Numbered::One(student) => {
                        let day = self.writable_day(row.school, row.date);
                        day.map(|day| OnADay { place: *place, student, day })
                    }
                };
                match unless_store_error(found)? {
                    Ok(row) => seated.push(row),
                    Err(stop) => answers[*place] = Some(Err(stop)),
                }
            }
        }
        Ok(seated)
    }

    /// The record of a row whose student has this seat, whose section is known.
    fn seat(&mut self, row: &AttendanceRow, student: StudentId, day: &SchoolDay, seat: Seated) -> Answer {
        let daily = self.sections.get(&seat.section).is_some_and(|section| section.daily);
        if daily {
            return self.record(student, day, None, &row.code, "");
        }
        let periods = self.periods(row.school, day.year)?;
        let mut matching = periods.iter().filter(|period| period.abbreviation == row.period_abbreviation);
        let abbreviation = told(&row.period_abbreviation);
        let period = match (matching.next(), matching.next()) {
            (Some(only), None) => only.id,
            (None, _) => return hold(HoldReason::UnknownPeriod, abbreviation),
            (Some(_), Some(_)) => return hold(HoldReason::AmbiguousPeriod, abbreviation),
        };
        match self.meeting(student, day, period, seat)? {
            Some(meeting) => self.record(student, day, Some(meeting), &row.code, ""),
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
        Seated { cc, section }: Seated,
    ) -> Result<Option<(Meeting, MeetingTimes)>, StoreError> {
        let meetings = self.sections.get(&section).map_or(&[][..], |section| &section.meetings);
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
    fn no_seat(&self, row: &AttendanceRow, student: StudentId) -> Answer {
        let named = format!("course {} section {}", told(&row.course_number), told(&row.section_number));
        let at_another_time = self.roster.enrollments_of(student)?.iter().any(|enrollment| {
            enrollment.school == row.school
                && enrollment.course_number == row.course_number
                && enrollment.section_number == row.section_number
        });
        let detail = if at_another_time { format!("{named}, not on {}", row.date) } else { named };
        hold(HoldReason::NoSuchEnrollment, detail)
    }
}

/// A value of a file as a held row tells it.
fn told(value: &str) -> &str {
    if value.trim().is_empty() { "(empty)" } else { value }
}

/// What a row comes to, where the roster could be read.
fn unless_store_error<T>(found: Result<T, Stop>) -> Result<Result<T, Stop>, StoreError> {
    match found {
        Err(Stop::Store(error)) => Err(error),
        found => Ok(found),
    }
}

#[cfg(test)]
mod tests;
