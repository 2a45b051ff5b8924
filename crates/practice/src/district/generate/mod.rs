//! Fills an empty district database.
//!
//! Every ID counts up from a table's own base and its DCID lies a table's own distance above it, so
//! the two never agree but cover the same numbers: code that mixes them up finds a wrong row and shows.

mod schools;
mod sections;
mod students;

use std::collections::HashMap;

use chrono::NaiveDate;
use rusqlite::Transaction;

use super::Plan;
use super::random::Random;
use super::timetable::{Kind, Slot};
use super::year::SchoolYear;
use crate::PracticeError;

/// Most students in one cohort: those who share a homeroom or a timetable.
const COHORT: u32 = 25;

/// Hands out (DCID, ID) pairs of one table.
struct Keys {
    next: i64,
    distance: i64,
}

impl Keys {
    const fn new(first: i64, distance: i64) -> Self {
        Self { next: first, distance }
    }

    fn take(&mut self) -> (i64, i64) {
        let id = self.next;
        self.next += 1;
        (id + self.distance, id)
    }
}

/// A section as enrolments need it.
#[derive(Clone)]
struct Section {
    id: i64,
    course: String,
    number: String,
    term: i64,
    teacher: i64,
}

/// The classes of one cohort: by slot, the section or the two semester sections.
struct Cohort {
    sections: Vec<Vec<Section>>,
    room: String,
}

/// What one day looks like in one school.
#[derive(Clone, Copy)]
struct Day {
    calendar_day: i64,
    letter: &'static str,
}

struct School {
    kind: Kind,
    number: i64,
    periods: HashMap<i64, i64>,
    codes: HashMap<&'static str, i64>,
    present: i64,
    /// Cohorts by grade, in the order of the kind's grades.
    cohorts: Vec<Vec<Cohort>>,
    /// A section of last year.
    archived: Option<Section>,
    today: Option<Day>,
    yesterday: Option<(NaiveDate, Day)>,
}

/// An enrolment as attendance rows need it.
struct Enrolled<'a> {
    cc: i64,
    slot: &'a Slot,
}

#[derive(Clone, Copy)]
struct Seat {
    school: usize,
    grade: i64,
    cohort: usize,
}

/// Writes every table of a district.
pub(super) fn fill(to: &Transaction<'_>, plan: Plan) -> Result<(), PracticeError> {
    let year = SchoolYear::of(plan);
    let mut schools = schools::schools(to, plan, year)?;
    let seats = seats(plan, &schools);
    sections::sections(to, plan, year, &mut schools, &seats)?;
    students::students(to, plan, year, &schools, &seats)?;
    Ok(())
}

/// Where each active student sits: schools by weight, grades evenly, cohorts of at most [`COHORT`].
fn seats(plan: Plan, schools: &[School]) -> Vec<Seat> {
    let mut random = Random::new(plan.seed, 1);
    let total: u32 = schools.iter().map(|school| school.kind.weight()).sum();
    let mut seats: Vec<Seat> = (0..plan.students as usize)
        .map(|student| {
            let school = if student < schools.len() {
                student
            } else {
                let mut at = random.below(total);
                schools
                    .iter()
                    .position(|school| {
                        let here = at < school.kind.weight();
                        at = at.saturating_sub(school.kind.weight());
                        here
                    })
                    .unwrap_or(0)
            };
            let grades = schools[school].kind.grades();
            let span = u32::try_from(grades.end() - grades.start() + 1).unwrap_or(1);
            Seat { school, grade: grades.start() + i64::from(random.below(span)), cohort: 0 }
        })
        .collect();
    let mut counts: HashMap<(usize, i64), u32> = HashMap::new();
    for seat in &seats {
        *counts.entry((seat.school, seat.grade)).or_default() += 1;
    }
    let mut turns: HashMap<(usize, i64), u32> = HashMap::new();
    for seat in &mut seats {
        let cohorts = counts.get(&(seat.school, seat.grade)).map_or(1, |count| count.div_ceil(COHORT));
        let turn = turns.entry((seat.school, seat.grade)).or_default();
        seat.cohort = (*turn % cohorts) as usize;
        *turn += 1;
    }
    seats
}
