//! Fills an empty district database.
//!
//! Every ID counts up from a table's own base and its DCID lies a table's own distance above it, so
//! the two never agree but cover the same numbers: code that mixes them up finds a wrong row and shows.

use std::collections::{HashMap, HashSet};

use chrono::{Datelike as _, Days, NaiveDate, Weekday};
use rusqlite::{Transaction, params};

use super::random::Random;
use super::timetable::{Kind, SUBJECTS, Slot, Subject};
use super::year::SchoolYear;
use super::{GRADUATED, Plan, names};
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
    let year = SchoolYear::around(plan.date);
    let mut schools = schools(to, plan, year)?;
    let seats = seats(plan, &schools);
    sections(to, plan, year, &mut schools, &seats)?;
    students(to, plan, year, &schools, &seats)?;
    Ok(())
}

fn schools(to: &Transaction<'_>, plan: Plan, year: SchoolYear) -> Result<Vec<School>, PracticeError> {
    let mut school_row =
        to.prepare("INSERT INTO Schools VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'MO', ?10, ?11)")?;
    let mut prefs = to.prepare("INSERT INTO Prefs VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut term_row = to.prepare("INSERT INTO Terms VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
    let mut period_row = to.prepare("INSERT INTO Period VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    let mut cycle_row = to.prepare("INSERT INTO Cycle_Day VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    let mut schedule_row = to.prepare("INSERT INTO Bell_Schedule VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut item_row = to.prepare("INSERT INTO Bell_Schedule_Items VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut day_row = to.prepare("INSERT INTO Calendar_Day VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    let mut code_row =
        to.prepare("INSERT INTO Attendance_Code VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;

    let mut pref_keys = Keys::new(400, 9);
    let mut term_dcid = 3480;
    let mut period_keys = Keys::new(300, 11);
    let mut cycle_keys = Keys::new(120, 3);
    let mut schedule_keys = Keys::new(60, 5);
    let mut item_keys = Keys::new(700, 13);
    let mut day_keys = Keys::new(9_000, 29);
    let mut code_keys = Keys::new(500, 7);
    let mut turns: HashMap<&'static str, usize> = HashMap::new();
    let mut schools = Vec::new();

    let mut years = vec![year.previous(), year];
    // In the summer weeks PowerSchool holds the coming year already.
    if (6..=8).contains(&plan.date.month()) {
        years.push(year.next());
    }

    for index in 0..plan.schools {
        let kind = Kind::of(index, plan.schools);
        let id = 101 + i64::from(index);
        let number = id + 1;
        let turn = turns.entry(kind_word(kind)).or_default();
        let (name, abbreviation) = kind.name(*turn);
        *turn += 1;
        let (town, zip) = names::TOWNS[index as usize % names::TOWNS.len()];
        school_row.execute(params![
            id + 3,
            id,
            number,
            name,
            abbreviation,
            kind.grades().start(),
            kind.grades().end(),
            format!("{} {}", 100 + 10 * index, names::STREETS[index as usize % names::STREETS.len()]),
            town,
            zip,
            format!("573-555-{:04}", 100 + index % 100),
        ])?;

        let mut current_periods = HashMap::new();
        let mut codes = HashMap::new();
        let mut present = 0;
        let mut letters = Vec::new();
        for each in &years {
            let terms = [
                (0, "Full Year", "YR", each.first, each.last),
                (1, "Semester 1", "S1", each.first, each.second_semester - Days::new(1)),
                (2, "Semester 2", "S2", each.second_semester, each.last),
            ];
            for (offset, name, abbreviation, first, last) in terms {
                let term = each.term() + offset;
                term_dcid += if term_dcid + 1 == term { 2 } else { 1 };
                term_row.execute(params![
                    term_dcid,
                    term,
                    each.yearid,
                    number,
                    if offset == 0 {
                        format!("{}-{}", each.yearid + 1990, each.yearid + 1991)
                    } else {
                        name.to_owned()
                    },
                    abbreviation,
                    first.to_string(),
                    last.to_string(),
                    offset == 0,
                ])?;
            }
            for bell in kind.bells() {
                let (dcid, id) = period_keys.take();
                period_row.execute(params![
                    dcid,
                    id,
                    bell.number,
                    bell.name,
                    bell.abbreviation,
                    number,
                    each.yearid,
                    bell.number * 10,
                ])?;
                if *each == year {
                    current_periods.insert(bell.number, id);
                }
            }
            for (position, letter) in (1i64..).zip(kind.cycle()) {
                let (dcid, id) = cycle_keys.take();
                cycle_row.execute(params![
                    dcid,
                    id,
                    number,
                    each.yearid,
                    letter,
                    position,
                    format!("Day {letter}")
                ])?;
                if *each == year {
                    letters.push((*letter, id));
                }
            }
            for (position, (code, description, here)) in (1i64..).zip(kind.codes()) {
                let (dcid, id) = code_keys.take();
                code_row.execute(params![
                    dcid,
                    id,
                    code,
                    description,
                    if *here { "Present" } else { "Absent" },
                    number,
                    each.yearid,
                    position,
                    *here,
                ])?;
                if *each == year {
                    match code {
                        Some(code) => _ = codes.insert(*code, id),
                        None => present = id,
                    }
                }
            }
        }

        let mut bridge = None;
        if kind.daily() && kind.meeting() {
            bridge = current_periods.get(&1).map(ToString::to_string);
        }
        for (name, value) in [
            ("ATT_RecordModeMeeting", Some(i64::from(kind.meeting()).to_string())),
            ("ATT_RecordModeDaily", Some(i64::from(kind.daily()).to_string())),
            ("ATT_BridgePeriod", bridge),
        ] {
            if value.is_some() {
                let (dcid, id) = pref_keys.take();
                prefs.execute(params![dcid, id, name, value, number, year.yearid])?;
            }
        }

        let mut schedules = Vec::new();
        for (name, early) in [("Regular Day", false), ("Early Release", true)] {
            let (dcid, schedule) = schedule_keys.take();
            schedule_row.execute(params![dcid, schedule, name, number, year.yearid])?;
            schedules.push(schedule);
            for bell in kind.bells() {
                let (start, end) = if early { bell.early } else { bell.regular };
                let (dcid, id) = item_keys.take();
                item_row.execute(params![
                    dcid,
                    id,
                    schedule,
                    current_periods.get(&bell.number),
                    start * 60,
                    end * 60
                ])?;
            }
        }

        let mut school_days = 0;
        let mut today = None;
        let mut yesterday = None;
        let mut date = year.first;
        while date <= year.last {
            let weekend = matches!(date.weekday(), Weekday::Sat | Weekday::Sun);
            let practice = date == plan.date;
            let note = if practice { None } else { year.holiday(date) };
            let in_session = practice || (!weekend && note.is_none());
            let (dcid, id) = day_keys.take();
            let mut cycle = None;
            let mut schedule = None;
            if in_session {
                let (letter, cycle_id) = letters[school_days % letters.len()];
                school_days += 1;
                cycle = Some(cycle_id);
                schedule = Some(schedules[usize::from(date.weekday() == Weekday::Wed)]);
                let day = Day { calendar_day: id, letter };
                if practice {
                    today = Some(day);
                } else if date < plan.date {
                    yesterday = Some((date, day));
                }
            }
            day_row.execute(params![
                dcid,
                id,
                date.to_string(),
                number,
                in_session,
                cycle,
                schedule,
                note
            ])?;
            date = date + Days::new(1);
        }

        schools.push(School {
            kind,
            number,
            periods: current_periods,
            codes,
            present,
            cohorts: Vec::new(),
            archived: None,
            today,
            yesterday,
        });
    }
    school_row.execute(params![
        90,
        88,
        GRADUATED,
        "Graduated Students",
        "GRAD",
        0,
        12,
        None::<&str>,
        None::<&str>,
        None::<&str>,
        None::<&str>
    ])?;
    Ok(schools)
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Elementary => "elementary",
        Kind::Middle => "middle",
        Kind::High => "high",
        Kind::Unit => "unit",
    }
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

fn sections(
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

fn students(
    to: &Transaction<'_>,
    plan: Plan,
    year: SchoolYear,
    schools: &[School],
    seats: &[Seat],
) -> Result<(), PracticeError> {
    let mut rows = Rows::new(to, plan, year)?;
    let mut random = Random::new(plan.seed, 4);
    let spread = (seats.len() / (names::UNUSUAL.len() + 1)).max(1);
    let high = schools.iter().position(|school| school.kind == Kind::High && !school.cohorts[0].is_empty());
    // Those who take a class at a high school: in a district without a middle school, fifth graders.
    let from_grade = if schools.iter().any(|school| school.kind == Kind::Middle) { 7 } else { 5 };
    for (index, seat) in seats.iter().enumerate() {
        let unusual = (index % spread == spread / 2).then(|| names::UNUSUAL.get(index / spread)).flatten();
        let school = &schools[seat.school];
        let late = random.chance(20);
        let entry = if late { rows.day_since_start(&mut random) } else { year.first };
        let student = rows.student(
            &mut random,
            &Person { unusual: unusual.copied(), grade: seat.grade, school: school.number, status: 0 },
            Some((entry, year.end())),
            Some(&cohort(school, *seat).room),
        )?;
        // A few take one class at a high school instead of one of their own.
        let elsewhere = match high {
            Some(high) if high != seat.school && seat.grade >= from_grade && index % 12 == 5 => {
                (schools[seat.school].kind != Kind::High).then(|| &schools[high])
            }
            _ => None,
        };
        let enrolled = rows.enrol(&mut random, student, school, *seat, entry, elsewhere)?;
        if !late {
            rows.attendance(student, school, &enrolled)?;
        }
        if index < schools.len() * 20 {
            rows.archived(student, school)?;
        }
        // Leavers, graduates and pre-registered students come in between, as they do in real tables.
        match index % 100 {
            17 | 41 | 83 => {
                let left = rows.day_since_start(&mut random);
                let student = rows.student(
                    &mut random,
                    &Person { unusual: None, grade: seat.grade, school: school.number, status: 2 },
                    Some((year.first, left)),
                    None,
                )?;
                rows.leave(student, school, *seat, left)?;
            }
            29 | 71 => {
                let last = year.previous();
                rows.student(
                    &mut random,
                    &Person { unusual: None, grade: 12, school: GRADUATED, status: 3 },
                    Some((last.first, last.end())),
                    None,
                )?;
            }
            53 => {
                let next = year.next();
                rows.student(
                    &mut random,
                    &Person { unusual: None, grade: seat.grade, school: school.number, status: -1 },
                    Some((next.first, next.end())),
                    None,
                )?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn cohort(school: &School, seat: Seat) -> &Cohort {
    let grade = usize::try_from(seat.grade - school.kind.grades().start()).unwrap_or(0);
    &school.cohorts[grade][seat.cohort]
}

struct Person {
    unusual: Option<(&'static str, &'static str)>,
    grade: i64,
    school: i64,
    status: i64,
}

/// The statements and counters of everything that hangs on a student.
struct Rows<'a> {
    plan: Plan,
    year: SchoolYear,
    student_row: rusqlite::Statement<'a>,
    reenrollment_row: rusqlite::Statement<'a>,
    cc_row: rusqlite::Statement<'a>,
    attendance_row: rusqlite::Statement<'a>,
    student_keys: Keys,
    reenrollment_keys: Keys,
    cc_keys: Keys,
    attendance_keys: Keys,
    students: i64,
}

impl<'a> Rows<'a> {
    fn new(to: &'a Transaction<'_>, plan: Plan, year: SchoolYear) -> rusqlite::Result<Self> {
        Ok(Self {
            plan,
            year,
            student_row: to.prepare(
                "INSERT INTO Students VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,
                     ?15, ?16, 'MO', ?17, ?15, ?16, 'MO', ?17, ?18, ?19, ?20, ?21, ?22, NULL)",
            )?,
            reenrollment_row: to.prepare("INSERT INTO ReEnrollments VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?,
            cc_row: to.prepare(
                "INSERT INTO CC VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?,
            attendance_row: to.prepare(
                "INSERT INTO Attendance VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, NULL, NULL, NULL)",
            )?,
            student_keys: Keys::new(1_000, 17),
            reenrollment_keys: Keys::new(40, 8),
            cc_keys: Keys::new(20_000, 61),
            attendance_keys: Keys::new(800, super::ATTENDANCE_DISTANCE),
            students: 0,
        })
    }

    /// A day from the first of the year to the practice date.
    fn day_since_start(&self, random: &mut Random) -> NaiveDate {
        let days = u32::try_from((self.plan.date - self.year.first).num_days()).unwrap_or(0);
        self.year.first + Days::new(u64::from(random.below(days + 1)))
    }

    fn student(
        &mut self,
        random: &mut Random,
        person: &Person,
        enrolled: Option<(NaiveDate, NaiveDate)>,
        room: Option<&str>,
    ) -> rusqlite::Result<i64> {
        let (dcid, id) = self.student_keys.take();
        let index = self.students;
        self.students += 1;
        // Numbers neither follow the IDs nor have one length: 9,0xx and 10,0xx and so on.
        let number = 9_000 + (index / 10 * 10 + 9 - index % 10) * 3 + i64::from(random.below(3));
        let (first, last) =
            person.unusual.unwrap_or_else(|| (*random.pick(names::FIRST), *random.pick(names::LAST)));
        let last = if person.unusual.is_none() && random.chance(40) {
            format!("{last}-{}", random.pick(names::LAST))
        } else {
            last.to_owned()
        };
        let middle = (!random.chance(150)).then(|| *random.pick(names::MIDDLE));
        let born = self.year.first.year() - 6 - i32::try_from(person.grade).unwrap_or(0);
        let dob = NaiveDate::from_yo_opt(born, 1 + random.below(365));
        let (town, zip) = *random.pick(names::TOWNS);
        let street = format!("{} {}", 1 + random.below(9_900), random.pick(names::STREETS));
        let phone = (!random.chance(80)).then(|| format!("(573) 555-{:04}", random.below(10_000)));
        let mail = match random.below(100) {
            0..8 => None,
            8..30 => Some(format!("family{number}@home.example,parent2.{number}@work.example")),
            _ => Some(format!("family{number}@home.example")),
        };
        self.student_row.execute(params![
            dcid,
            id,
            number,
            first,
            middle,
            last,
            middle.map_or_else(|| format!("{last}, {first}"), |middle| format!("{last}, {first} {middle}")),
            dob.map(|dob| dob.to_string()),
            if random.chance(500) { "F" } else { "M" },
            person.grade,
            person.school,
            person.status,
            enrolled.map(|days| days.0.to_string()),
            enrolled.map(|days| days.1.to_string()),
            street,
            town,
            if random.chance(100) { format!("{zip}-{:04}", random.below(10_000)) } else { zip.to_owned() },
            phone,
            mail,
            room,
            format!("{:010}", 4_000_000 + number * 7),
            format!("s{number}"),
        ])?;
        // Someone who was in another grade here last year.
        if person.status == 0 && person.grade > 0 && random.chance(100) {
            let (dcid, reenrollment) = self.reenrollment_keys.take();
            let last = self.year.previous();
            self.reenrollment_row.execute(params![
                dcid,
                reenrollment,
                id,
                person.school,
                person.grade - 1,
                last.first.to_string(),
                last.end().to_string(),
            ])?;
        }
        Ok(id)
    }

    fn cc(
        &mut self,
        student: i64,
        school: i64,
        section: &Section,
        slot: &Slot,
        from: NaiveDate,
        left: Option<NaiveDate>,
    ) -> rusqlite::Result<i64> {
        let (dcid, id) = self.cc_keys.take();
        let (start, end) = match section.term - self.year.term() {
            1 => (self.year.first, self.year.second_semester),
            2 => (self.year.second_semester, self.year.end()),
            _ => (self.year.first, self.year.end()),
        };
        let sign = if left.is_some() { -1 } else { 1 };
        let enrolled = start.max(from).min(end);
        self.cc_row.execute(params![
            dcid,
            id,
            student,
            sign * section.id,
            sign * section.term,
            section.course,
            section.number,
            school,
            section.teacher,
            slot.expression,
            slot.periods.first().map(ToString::to_string),
            enrolled.to_string(),
            left.map_or(end, |left| left.clamp(enrolled, end)).to_string(),
        ])?;
        Ok(id)
    }

    /// Enrols a student in the classes of their cohort, with a drop here and there.
    fn enrol<'b>(
        &mut self,
        random: &mut Random,
        student: i64,
        school: &'b School,
        seat: Seat,
        from: NaiveDate,
        elsewhere: Option<&'b School>,
    ) -> rusqlite::Result<Vec<Enrolled<'b>>> {
        let slots = school.kind.slots();
        let free = match school.kind.free_slots() {
            [] => None,
            some => Some(*random.pick(some)),
        };
        // Where a class at another school replaces one here.
        let replaced = elsewhere.map(|_| slots.len() - 1);
        let grade = usize::try_from(seat.grade - school.kind.grades().start()).unwrap_or(0);
        let cohorts = &school.cohorts[grade];
        let mut enrolled = Vec::new();
        for (position, slot) in slots.iter().enumerate() {
            if Some(position) == free || Some(position) == replaced {
                continue;
            }
            let mut class = seat.cohort;
            if random.chance(30) {
                // Changed class: the first choice stays, dropped.
                class = (class + 1) % cohorts.len();
                let left = self.day_since_start(random);
                for section in &cohorts[seat.cohort].sections[position] {
                    self.cc(student, school.number, section, slot, from, Some(left))?;
                }
            }
            for section in &cohorts[class].sections[position] {
                let cc = self.cc(student, school.number, section, slot, from, None)?;
                let runs_today = match section.term - self.year.term() {
                    1 => self.plan.date < self.year.second_semester,
                    2 => self.plan.date >= self.year.second_semester,
                    _ => true,
                };
                if runs_today {
                    enrolled.push(Enrolled { cc, slot });
                }
            }
        }
        if let Some(other) = elsewhere {
            let slot = &other.kind.slots()[0];
            let cohorts = &other.cohorts[0];
            let cohort = &cohorts[seat.cohort % cohorts.len()];
            for section in &cohort.sections[0] {
                self.cc(student, other.number, section, slot, from, None)?;
            }
        }
        Ok(enrolled)
    }

    /// Last year's enrolment in the archived section of a school.
    fn archived(&mut self, student: i64, school: &School) -> rusqlite::Result<()> {
        let Some(section) = &school.archived else { return Ok(()) };
        let last = self.year.previous();
        let slot = &school.kind.slots()[0];
        let (dcid, id) = self.cc_keys.take();
        self.cc_row.execute(params![
            dcid,
            id,
            student,
            section.id,
            section.term,
            section.course,
            section.number,
            school.number,
            section.teacher,
            slot.expression,
            slot.periods.first().map(ToString::to_string),
            last.first.to_string(),
            last.end().to_string(),
        ])?;
        Ok(())
    }

    /// All classes of a student who left, dropped on the day they left.
    fn leave(&mut self, student: i64, school: &School, seat: Seat, left: NaiveDate) -> rusqlite::Result<()> {
        let year = self.year;
        for (slot, sections) in school.kind.slots().iter().zip(&cohort(school, seat).sections) {
            for section in sections {
                self.cc(student, school.number, section, slot, year.first, Some(left))?;
            }
        }
        Ok(())
    }

    /// A little attendance: absences of the school day before, and blank Present rows of today.
    fn attendance(
        &mut self,
        student: i64,
        school: &School,
        enrolled: &[Enrolled<'_>],
    ) -> rusqlite::Result<()> {
        if let (Some((date, day)), true) = (school.yesterday, student % 61 == 7) {
            let code = if student % 2 == 0 { "A" } else { "T" };
            let code = school.codes.get(code).copied().unwrap_or(school.present);
            self.attended(student, school, enrolled, date, day, code)?;
        }
        if let (Some(day), true) = (school.today, student % 97 == 12) {
            self.attended(student, school, enrolled, self.plan.date, day, school.present)?;
        }
        Ok(())
    }

    fn attended(
        &mut self,
        student: i64,
        school: &School,
        enrolled: &[Enrolled<'_>],
        date: NaiveDate,
        day: Day,
        code: i64,
    ) -> rusqlite::Result<()> {
        let mut keys = Vec::new();
        if school.kind.daily() {
            keys.push(("ATT_ModeDaily", 0, 0));
        }
        if school.kind.meeting() {
            let meets = enrolled.iter().find(|class| class.slot.days.contains(&day.letter));
            if let Some(class) = meets {
                for period in class.slot.periods {
                    let period = school.periods.get(period).copied().unwrap_or(0);
                    keys.push(("ATT_ModeMeeting", class.cc, period));
                }
            }
        }
        for (mode, cc, period) in keys {
            let (dcid, id) = self.attendance_keys.take();
            self.attendance_row.execute(params![
                dcid,
                id,
                mode,
                date.to_string(),
                code,
                day.calendar_day,
                cc,
                period,
                school.number,
                student,
                self.year.yearid,
            ])?;
        }
        Ok(())
    }
}
