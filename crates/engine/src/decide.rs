//! From a row of a file to an attendance record: who, which school, which day, which meeting, which code. What can't
//! be answered from PowerSchool's own data holds the row.

mod fixed;
mod hero;

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use chrono::{Days, NaiveDate, NaiveDateTime, Timelike};
use chrono_tz::Tz;
use rosterbridge_domain::{
    attendance::{AttendanceKey, AttendanceMode, AttendanceWrite, Meeting, MeetingTimes, NoOpReason},
    calendar::{self, Class, DailySignIn, SchoolDay, SignIn},
    held::{HeldFix, HoldReason},
    id::{AttendanceCodeId, SchoolNumber, SectionId, StudentId, StudentNumber, YearId},
    job::AccountId,
    mapping::{AttendanceMethod, BetweenClasses, BuildingMapping, folded},
    roster::{AttendanceCode, Enrollment, Period, School, SectionMeeting, Student, Term, records_once_a_day},
    settings::{BeforeFirstBell, HeroSettings, SchoolDays, Setup},
};
use rosterbridge_raptor::Tardy;
use rosterbridge_store::{Roster, StoreError, roster::SectionAttendance};
use rustc_hash::FxHashMap;

pub(crate) use fixed::{ClassChoice, Fixes, MeetingChoice, RowChoices, Statement};
pub(crate) use hero::hero_rows;

/// Calendar days after which no school calendar needs to be counted: more than the longest limit takes with a summer in
/// between.
const SURELY_TOO_OLD_DAYS: i64 = 366;

/// Why a row can't become a record now.
#[derive(Debug)]
pub(crate) enum Stop {
    Hold(HoldReason, String),
    NoOp(NoOpReason),
    Reject(String),
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn hold<T>(reason: HoldReason, detail: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Hold(reason, detail.into()))
}

/// Answers questions about the district from the roster, remembering what one file asks again and again.
pub(crate) struct District<'a> {
    roster: &'a Roster,
    buildings: HashMap<String, &'a BuildingMapping>,
    /// Active rows of the tardy code table.
    tardy_codes: HashMap<String, &'a str>,
    /// The district's.
    pub(crate) zone: Tz,
    today: NaiveDate,
    /// School days attendance may be written back for.
    oldest: SchoolDays,
    before_first_bell: BeforeFirstBell,
    schools: Vec<School>,
    terms: Vec<Term>,
    days: FxHashMap<(SchoolNumber, NaiveDate), Option<Arc<SchoolDay>>>,
    codes: FxHashMap<(SchoolNumber, YearId), Vec<AttendanceCode>>,
    too_old: FxHashMap<(SchoolNumber, NaiveDate), bool>,
    sections: FxHashMap<SectionId, KnownSection>,
    periods: FxHashMap<(SchoolNumber, YearId), Vec<Period>>,
    /// Schools whose rows another account at Hero states: two that state one record would undo each other for ever.
    elsewhere: HashSet<SchoolNumber>,
    /// What people decided about rows that are looked up here.
    pub(crate) fixes: Fixes,
}

/// When a section meets, and how it is recorded.
struct KnownSection {
    meetings: Vec<SectionMeeting>,
    once_a_day: bool,
    /// Whether its attendance is taken by the day (SECTIONS.ATT_MODE_CODE).
    daily: bool,
}

impl<'a> District<'a> {
    pub(crate) fn new(roster: &'a Roster, setup: &'a Setup, zone: Tz) -> Result<Self, StoreError> {
        Ok(Self {
            roster,
            buildings: setup.mappings.buildings_by_name(),
            tardy_codes: setup.mappings.codes_by_reason(),
            zone,
            today: roster.meta().today,
            oldest: setup.attendance.oldest,
            before_first_bell: setup.raptor.before_first_bell,
            schools: roster.schools()?,
            terms: roster.terms()?,
            days: FxHashMap::default(),
            codes: FxHashMap::default(),
            too_old: FxHashMap::default(),
            sections: FxHashMap::default(),
            periods: FxHashMap::default(),
            elsewhere: HashSet::new(),
            fixes: Fixes::default(),
        })
    }

    /// The same for rows of an account at Hero.
    pub(crate) fn of_account(mut self, hero: &HeroSettings, account: AccountId) -> Self {
        let other = |school: SchoolNumber| hero.account_of(school).is_some_and(|other| other.id != account);
        self.elsewhere = self.schools.iter().map(|school| school.number).filter(|n| other(*n)).collect();
        self
    }

    /// A tardy of Raptor's: a student who signed in at a building for a reason. What a person decided about the row counts
    /// in the place of what it says.
    pub(crate) fn raptor(&mut self, row: &Tardy, fix: HeldFix) -> Result<AttendanceWrite, Stop> {
        let Some(mapping) = self.buildings.get(&folded(&row.building)).copied() else {
            return hold(HoldReason::BuildingNotMapped, &row.building);
        };
        if !mapping.enabled {
            return hold(HoldReason::BuildingDisabled, &row.building);
        }
        let Some(school) = mapping.school else {
            return hold(HoldReason::BuildingNotMapped, &row.building);
        };
        let Some(method) = mapping.method else {
            return hold(HoldReason::MethodNotSet, &row.building);
        };
        let mapped = self.tardy_codes.get(&folded(&row.reason)).copied();
        if mapped.is_none() && fix.code.is_none() {
            return hold(HoldReason::ReasonNotMapped, &row.reason);
        }
        let code = mapped.unwrap_or_default();
        let student = self.student_of(row.student, fix)?;
        let signed_in = row.signed_in.local(self.zone);
        let date = signed_in.date();
        let at = signed_in.time().num_seconds_from_midnight();
        // Said of the date, before anything is said of the student on it.
        self.in_time(school, date)?;
        let enrollments = self.roster.enrollments_of(student.id)?;
        let sits_there = enrollments.iter().any(|cc| cc.school == school && cc.includes(date));
        let enrolled_at = self.enrolled_at(&student, date, school)?;
        if enrolled_at != Some(school) && !sits_there {
            return hold(
                HoldReason::StudentNotInSchool,
                self.school_name(enrolled_at.unwrap_or(student.school)),
            );
        }
        match method {
            AttendanceMethod::Daily => {
                // The daily record belongs to the school of the student's enrolment on that day.
                let Some(enrolled_at) = enrolled_at else {
                    return hold(HoldReason::StudentNotInSchool, self.school_name(student.school));
                };
                let day = self.writable_day(enrolled_at, date)?;
                if let Some(picked) = fix.meeting {
                    let meeting = self.picked(student.id, &day, picked)?;
                    return self.record_fixed(student.id, &day, meeting, code, &row.comment, fix);
                }
                match calendar::daily_sign_in(&day, at, mapping.between_classes) {
                    DailySignIn::BeforeFirstBell => self.before_first_bell(signed_in),
                    DailySignIn::Tardy => self.record_fixed(student.id, &day, None, code, &row.comment, fix),
                    DailySignIn::Held(reason) => hold(reason, clock(signed_in)),
                }
            }
            AttendanceMethod::Meeting | AttendanceMethod::Both => {
                let day = self.writable_day(school, date)?;
                if let Some(picked) = fix.meeting {
                    let meeting = self.picked(student.id, &day, picked)?;
                    return self.record_fixed(student.id, &day, meeting, code, &row.comment, fix);
                }
                match self.sign_in(&day, &enrollments, at, mapping.between_classes)? {
                    SignIn::BeforeFirstBell => self.before_first_bell(signed_in),
                    SignIn::During(meeting, times) => {
                        let meeting = Some((meeting, times));
                        self.record_fixed(student.id, &day, meeting, code, &row.comment, fix)
                    }
                    SignIn::Held(reason) => hold(reason, clock(signed_in)),
                }
            }
        }
    }

    fn before_first_bell<T>(&self, signed_in: NaiveDateTime) -> Result<T, Stop> {
        match self.before_first_bell {
            BeforeFirstBell::NotTardy => Err(Stop::NoOp(NoOpReason::NotTardy)),
            BeforeFirstBell::Hold => hold(HoldReason::BeforeFirstBell, clock(signed_in)),
        }
    }

    /// The one student with this number.
    fn student(&self, number: StudentNumber) -> Result<Student, Stop> {
        let mut found = self.roster.students_by_number(number)?;
        match found.len() {
            0 => hold(HoldReason::UnknownStudent, number.to_string()),
            1 => Ok(found.swap_remove(0)),
            _ => hold(HoldReason::AmbiguousStudent, number.to_string()),
        }
    }

    /// The school whose enrolment a student had on a date, `asked` before any other.
    fn enrolled_at(
        &self,
        student: &Student,
        date: NaiveDate,
        asked: SchoolNumber,
    ) -> Result<Option<SchoolNumber>, StoreError> {
        // That is most of them: no need to look at earlier enrolments.
        if student.attends(asked, date) {
            return Ok(Some(asked));
        }
        Ok(student.school_on(&self.roster.reenrollments_of(student.id)?, date, asked))
    }

    /// The day, if it is in session, not in the future, and not too long ago. From then on the periods and codes of its
    /// school and year are known.
    fn writable_day(&mut self, school: SchoolNumber, date: NaiveDate) -> Result<Arc<SchoolDay>, Stop> {
        self.in_time(school, date)?;
        let Some(day) = self.day(school, date)? else {
            return hold(HoldReason::NotInSession, date.to_string());
        };
        if let Entry::Vacant(place) = self.periods.entry((school, day.year)) {
            place.insert(self.roster.periods(school, day.year)?);
        }
        self.codes(school, day.year)?;
        Ok(day)
    }

    /// Whether a date lies neither in the future nor too long ago.
    fn in_time(&mut self, school: SchoolNumber, date: NaiveDate) -> Result<(), Stop> {
        if date > self.today {
            return Err(Stop::Reject(format!("the date {date} lies in the future")));
        }
        if self.is_too_old(school, date)? {
            return hold(HoldReason::TooOld, date.to_string());
        }
        Ok(())
    }

    /// Whether more school days than the limit have passed since.
    fn is_too_old(&mut self, school: SchoolNumber, date: NaiveDate) -> Result<bool, StoreError> {
        if (self.today - date).num_days() > SURELY_TOO_OLD_DAYS {
            return Ok(true);
        }
        if let Some(known) = self.too_old.get(&(school, date)) {
            return Ok(*known);
        }
        let mut passed = 0;
        let mut next = date;
        while next < self.today && passed <= self.oldest.days() {
            next = next.checked_add_days(Days::new(1)).unwrap_or(self.today);
            if self.roster.calendar_day(school, next)?.is_some_and(|day| day.in_session) {
                passed += 1;
            }
        }
        let too_old = passed > self.oldest.days();
        self.too_old.insert((school, date), too_old);
        Ok(too_old)
    }

    fn day(&mut self, school: SchoolNumber, date: NaiveDate) -> Result<Option<Arc<SchoolDay>>, StoreError> {
        match self.days.entry((school, date)) {
            Entry::Occupied(known) => Ok(known.get().clone()),
            Entry::Vacant(place) => {
                let day = school_day(self.roster, &self.terms, school, date)?.map(Arc::new);
                Ok(place.insert(day).clone())
            }
        }
    }

    /// The class meeting a sign-in belongs to, among the sections the student sits in at the day's school.
    fn sign_in(
        &mut self,
        day: &SchoolDay,
        enrollments: &[Enrollment],
        at: u32,
        between: BetweenClasses,
    ) -> Result<SignIn, StoreError> {
        let sits = || enrollments.iter().filter(|cc| cc.school == day.school && cc.includes(day.date));
        self.know_sections(sits().map(|cc| cc.section))?;
        let classes: Vec<Class<'_>> = sits()
            .filter_map(|enrollment| {
                let KnownSection { meetings, once_a_day, .. } = self.sections.get(&enrollment.section)?;
                Some(Class { enrollment, meetings, once_a_day: *once_a_day })
            })
            .collect();
        Ok(calendar::sign_in(day, &classes, at, between))
    }

    /// Looks up those of the sections that are not known yet.
    fn know_sections(&mut self, sections: impl Iterator<Item = SectionId>) -> Result<(), StoreError> {
        let mut unknown: Vec<SectionId> = sections.filter(|id| !self.sections.contains_key(id)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(());
        }
        let found = self.roster.section_attendance(&unknown)?;
        for (id, SectionAttendance { taken, meetings }) in unknown.into_iter().zip(found) {
            let (mode, kind) = taken.unzip();
            let once_a_day = kind.is_some_and(records_once_a_day);
            let daily = mode.is_some_and(|mode| mode == AttendanceMode::Daily.code());
            self.sections.insert(id, KnownSection { meetings, once_a_day, daily });
        }
        Ok(())
    }

    /// The periods of the school and year of a writable day.
    fn periods(&self, day: &SchoolDay) -> &[Period] {
        self.periods.get(&(day.school, day.year)).map_or(&[], Vec::as_slice)
    }

    /// The attendance codes of a school and year.
    fn codes(&mut self, school: SchoolNumber, year: YearId) -> Result<&[AttendanceCode], StoreError> {
        Ok(match self.codes.entry((school, year)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(self.roster.attendance_codes(school, year)?),
        })
    }

    /// The id of a code's text at the school and in the year of a writable day.
    fn code_id(&self, day: &SchoolDay, code: &str) -> Result<AttendanceCodeId, Stop> {
        let codes = self.codes.get(&(day.school, day.year)).map_or(&[][..], Vec::as_slice);
        let mut matching = codes.iter().filter(|row| row.code.as_deref() == Some(code));
        match (matching.next(), matching.next()) {
            (Some(only), None) => Ok(only.id),
            (None, _) => hold(HoldReason::UnknownCode, code),
            (Some(_), Some(_)) => hold(HoldReason::AmbiguousCode, code),
        }
    }

    fn record(
        &self,
        student: StudentId,
        day: &SchoolDay,
        meeting: Option<(Meeting, MeetingTimes)>,
        code: &str,
        comment: &str,
    ) -> Result<AttendanceWrite, Stop> {
        let code_id = self.code_id(day, code)?;
        Ok(write(student, day, meeting, (code, code_id), comment))
    }

    fn school_name(&self, number: SchoolNumber) -> String {
        self.schools
            .iter()
            .find(|school| school.number == number)
            .map_or_else(|| number.to_string(), |school| school.name.clone())
    }
}

/// A record to be written, as a row states it.
fn write(
    student: StudentId,
    day: &SchoolDay,
    meeting: Option<(Meeting, MeetingTimes)>,
    (code, code_id): (&str, AttendanceCodeId),
    comment: &str,
) -> AttendanceWrite {
    AttendanceWrite {
        key: AttendanceKey {
            school: day.school,
            student,
            date: day.date,
            meeting: meeting.map(|(meeting, _)| meeting),
        },
        code: code.to_owned(),
        code_id,
        year: day.year,
        calendar_day: day.calendar_day,
        times: meeting.map(|(_, times)| times),
        comment: comment.to_owned(),
        replaces: None,
        previous_code: None,
        previous_comment: None,
    }
}

/// A time of day, as a held row tells it.
fn clock(signed_in: NaiveDateTime) -> String {
    signed_in.format("%H:%M").to_string()
}

/// Puts a school's day together; `None` when it is not in session or in no known year.
fn school_day(
    roster: &Roster,
    terms: &[Term],
    school: SchoolNumber,
    date: NaiveDate,
) -> Result<Option<SchoolDay>, StoreError> {
    let Some(day) = roster.calendar_day(school, date)? else { return Ok(None) };
    let Some(year) = calendar::year_of(terms, school, date) else { return Ok(None) };
    let items = match day.bell_schedule {
        Some(bell_schedule) => roster.bell_items(bell_schedule)?,
        None => Vec::new(),
    };
    let (cycle_days, periods) = (roster.cycle_days(school, year)?, roster.periods(school, year)?);
    Ok(SchoolDay::new(&day, year, &cycle_days, &periods, &items))
}

#[cfg(test)]
mod tests;
