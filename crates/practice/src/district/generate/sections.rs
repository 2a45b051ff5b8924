//! Teachers, courses, and the sections of every cohort.

use std::collections::{HashMap, HashSet};

use rusqlite::{Transaction, params};

use super::{Cohort, Keys, School, Seat, Section};
use crate::PracticeError;
use crate::district::random::Random;
use crate::district::timetable::{Kind, SUBJECTS, Subject};
use crate::district::year::SchoolYear;
use crate::district::{Plan, names};

/// Hires a school's teachers.
struct Staff<'a> {
    people: rusqlite::Statement<'a>,
    places: rusqlite::Statement<'a>,
    person_keys: Keys,
    place_keys: Keys,
    random: Random,
}

impl Staff<'_> {
    /// Adds a person and their place at a school; gives (Users.DCID, SchoolStaff.ID).
    fn hire(&mut self, school: i64, current: bool) -> rusqlite::Result<(i64, i64)> {
        let (users_dcid, id) = self.person_keys.take();
        let (first, last) = if id % 11 == 0 {
            *self.random.pick(names::UNUSUAL)
        } else {
            (*self.random.pick(names::FIRST), *self.random.pick(names::LAST))
        };
        let letters: String =
            last.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase();
        // Some staff have no address.
        let email = (id % 13 != 0).then(|| format!("{letters}{id}@practice.example"));
        self.people.execute(params![
            users_dcid,
            id,
            format!("T{:05}", 100 + id * 3),
            first,
            last,
            format!("{last}, {first}"),
            email,
            school
        ])?;
        Ok((users_dcid, self.place(users_dcid, school, current)?))
    }

    fn place(&mut self, users_dcid: i64, school: i64, current: bool) -> rusqlite::Result<i64> {
        let (dcid, id) = self.place_keys.take();
        self.places.execute(params![dcid, id, users_dcid, school, if current { 1 } else { 2 }])?;
        Ok(id)
    }
}

pub(super) fn sections(
    to: &Transaction<'_>,
    plan: Plan,
    year: SchoolYear,
    schools: &mut [School],
    seats: &[Seat],
) -> Result<(), PracticeError> {
    let mut course_row = to.prepare("INSERT INTO Courses VALUES (?1, ?2, ?3, ?4, 0)")?;
    let mut section_row =
        to.prepare("INSERT INTO Sections VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")?;
    let mut meeting_row = to.prepare("INSERT INTO Section_Meeting VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    let mut staff = Staff {
        people: to.prepare("INSERT INTO Users VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL)")?,
        places: to.prepare("INSERT INTO SchoolStaff VALUES (?1, ?2, ?3, ?4, ?5)")?,
        person_keys: Keys::new(600, 31),
        place_keys: Keys::new(610, 17),
        random: Random::new(plan.seed, 2),
    };
    let mut course_keys = Keys::new(200, 19);
    let mut section_keys = Keys::new(2_000, 23);
    let mut meeting_keys = Keys::new(5_000, 37);
    let mut courses: HashSet<String> = HashSet::new();
    let mut rooms = Random::new(plan.seed, 3);
    let mut visitor = None;

    let mut sizes: HashMap<(usize, i64), usize> = HashMap::new();
    for seat in seats {
        let size = sizes.entry((seat.school, seat.grade)).or_default();
        *size = (*size).max(seat.cohort + 1);
    }

    for (index, school) in schools.iter_mut().enumerate() {
        let kind = school.kind;
        let cohorts: Vec<(i64, usize)> = kind
            .grades()
            .flat_map(|grade| {
                (0..sizes.get(&(index, grade)).copied().unwrap_or(0)).map(move |cohort| (grade, cohort))
            })
            .collect();
        let core = kind.core();
        // Enough of each subject that nobody teaches two core classes at once.
        let per_subject = cohorts.len().div_ceil(core.len().max(1)).max(1);
        let own = if core.is_empty() { cohorts.len().max(1) } else { per_subject * core.len() };
        let mut teachers = Vec::new();
        for _ in 0..own {
            teachers.push(staff.hire(school.number, true)?);
        }
        let mut specialists = Vec::new();
        for _ in 0..2 * cohorts.len().div_ceil(8).max(1) {
            specialists.push(staff.hire(school.number, true)?.1);
        }
        // People who left, and one who works at the school before this one as well.
        for _ in 0..=teachers.len() / 15 {
            staff.hire(school.number, false)?;
        }
        if let Some(users_dcid) = visitor {
            staff.place(users_dcid, school.number, true)?;
        }
        visitor = teachers.first().map(|teacher| teacher.0);

        let mut by_grade: Vec<Vec<Cohort>> = kind.grades().map(|_| Vec::new()).collect();
        for (turn, (grade, cohort)) in cohorts.iter().enumerate() {
            let home = 100 + rooms.below(280);
            let mut classes = Vec::new();
            for (position, slot) in kind.slots().iter().enumerate() {
                let (subject, teacher, room) = match slot.subject {
                    Subject::Own(subject) => (subject, teachers[turn % teachers.len()].1, home),
                    Subject::Turn => {
                        let at = (position + turn) % core.len();
                        let teacher = at * per_subject + turn / core.len();
                        (core[at], teachers[teacher % teachers.len()].1, home + 1 + rooms.below(20))
                    }
                    Subject::Special(from) => {
                        let at = turn % from.len();
                        (from[at], specialists[(2 * turn / 8 + at) % specialists.len()], 12 + rooms.below(6))
                    }
                };
                let (code, subject_name) = SUBJECTS[subject];
                let semesters: &[(i64, &str, &str)] = if slot.semesters && turn % 2 == 0 {
                    &[(1, "A", ", Semester 1"), (2, "B", ", Semester 2")]
                } else {
                    &[(0, "", "")]
                };
                let mut here = Vec::new();
                for (offset, letter, words) in semesters {
                    let course = format!("{code}{grade:02}{letter}");
                    if courses.insert(course.clone()) {
                        let (dcid, id) = course_keys.take();
                        let grade = if *grade == 0 { "K".to_owned() } else { grade.to_string() };
                        course_row.execute(params![
                            dcid,
                            id,
                            course,
                            format!("{subject_name} {grade}{words}")
                        ])?;
                    }
                    let section = Section {
                        id: section_keys.next,
                        course,
                        number: (cohort + 1).to_string(),
                        term: year.term() + offset,
                        teacher,
                    };
                    // Some rooms are not named; elementary schools count theirs with a letter.
                    let room = match kind {
                        _ if section.id % 47 == 0 => None,
                        Kind::Elementary => {
                            Some(format!("{}{}", room % 40 + 1, ["A", "B"][room as usize % 2]))
                        }
                        Kind::Middle | Kind::High | Kind::Unit => Some(room.to_string()),
                    };
                    let (dcid, id) = section_keys.take();
                    section_row.execute(params![
                        dcid,
                        id,
                        section.course,
                        section.number,
                        school.number,
                        section.term,
                        teacher,
                        room,
                        slot.expression,
                        slot.external,
                        if kind.meeting() { "ATT_ModeMeeting" } else { "ATT_ModeDaily" },
                        // A double period is recorded once; everything else meeting by meeting.
                        if kind.meeting() && slot.periods.len() == 1 { 2 } else { 0 },
                    ])?;
                    for period in slot.periods {
                        for day in slot.days {
                            let (dcid, meeting) = meeting_keys.take();
                            meeting_row.execute(params![
                                dcid,
                                meeting,
                                id,
                                school.number,
                                year.yearid,
                                period,
                                day
                            ])?;
                        }
                    }
                    here.push(section);
                }
                classes.push(here);
            }
            let grade = usize::try_from(grade - kind.grades().start()).unwrap_or(0);
            by_grade[grade].push(Cohort { sections: classes, room: home.to_string() });
        }
        school.cohorts = by_grade;

        // One section of last year, so that 'the current school year' is a filter that matters.
        let (dcid, id) = section_keys.take();
        if courses.insert("9900".into()) {
            let (dcid, id) = course_keys.take();
            course_row.execute(params![dcid, id, "9900", "Summer Bridge (archived)"])?;
        }
        let slot = &kind.slots()[0];
        section_row.execute(params![
            dcid,
            id,
            "9900",
            "1",
            school.number,
            year.previous().term(),
            teachers[0].1,
            None::<&str>,
            slot.expression,
            slot.external,
            if kind.meeting() { "ATT_ModeMeeting" } else { "ATT_ModeDaily" },
            0
        ])?;
        school.archived = Some(Section {
            id,
            course: "9900".into(),
            number: "1".into(),
            term: year.previous().term(),
            teacher: teachers[0].1,
        });
    }
    Ok(())
}
