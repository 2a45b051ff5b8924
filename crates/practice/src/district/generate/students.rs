//! Students, their enrolments, and a little attendance.

use chrono::{Datelike as _, Days, NaiveDate};
use rusqlite::{Transaction, params};

use super::{Cohort, Day, Enrolled, Keys, School, Seat, Section};
use crate::PracticeError;
use crate::district::random::Random;
use crate::district::timetable::{Kind, Slot};
use crate::district::year::SchoolYear;
use crate::district::{ATTENDANCE_DISTANCE, GRADUATED, Plan, names};

/// The stream of randomness for enrolments that ended this year.
const EARLIER_ENROLMENTS: u64 = 5;

pub(super) fn students(
    to: &Transaction<'_>,
    plan: Plan,
    year: SchoolYear,
    schools: &[School],
    seats: &[Seat],
) -> Result<(), PracticeError> {
    let mut rows = Rows::new(to, plan, year)?;
    let mut random = Random::new(plan.seed, 4);
    let mut late_ones = Vec::new();
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
        if late {
            late_ones.push((student, *seat, entry));
        } else {
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
                // In summer the year to come is the current one.
                let next = if year.holds(plan.date) { year.next() } else { year };
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
    let mut random = Random::new(plan.seed, EARLIER_ENROLMENTS);
    for (student, seat, entry) in late_ones {
        rows.earlier_this_year(&mut random, student, schools, seat, entry)?;
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
            attendance_keys: Keys::new(800, ATTENDANCE_DISTANCE),
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
            let last = self.year.previous();
            self.reenrollment(id, person.school, person.grade - 1, last.first, last.end())?;
        }
        Ok(id)
    }

    /// An enrolment in a school that has ended; `exit` is the day after its last one.
    fn reenrollment(
        &mut self,
        student: i64,
        school: i64,
        grade: i64,
        entry: NaiveDate,
        exit: NaiveDate,
    ) -> rusqlite::Result<()> {
        let (dcid, id) = self.reenrollment_keys.take();
        let (entry, exit) = (entry.to_string(), exit.to_string());
        self.reenrollment_row.execute(params![dcid, id, student, school, grade, entry, exit])?;
        Ok(())
    }

    /// Where somebody was this year before they entered: some in another school of their grade until that day, some in the
    /// same one until a week before it, the others nowhere in the district.
    fn earlier_this_year(
        &mut self,
        random: &mut Random,
        student: i64,
        schools: &[School],
        seat: Seat,
        entry: NaiveDate,
    ) -> rusqlite::Result<()> {
        let others: Vec<i64> = schools
            .iter()
            .enumerate()
            .filter(|(place, school)| *place != seat.school && school.kind.grades().contains(&seat.grade))
            .map(|(_, school)| school.number)
            .collect();
        let (school, exit) = match random.below(3) {
            0 => return Ok(()),
            1 if !others.is_empty() => (*random.pick(&others), entry),
            _ => (schools[seat.school].number, entry - Days::new(7)),
        };
        if exit <= self.year.first {
            return Ok(());
        }
        self.reenrollment(student, school, seat.grade, self.year.first, exit)
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
