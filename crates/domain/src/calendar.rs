//! Bell-schedule arithmetic: which class meetings a student has on a day, and which one a sign-in belongs to.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use crate::{
    attendance::{Meeting, MeetingTimes},
    expression::Expression,
    held::HoldReason,
    id::{CalendarDayId, CcId, PeriodId, SchoolNumber, SectionId, YearId},
    mapping::BetweenClasses,
    roster::{BellScheduleItem, CalendarDay, CycleDay, Enrollment, Period, SectionMeeting, Term},
};

/// One day of one school, with everything needed to say which class meets when.
#[derive(Clone, Debug)]
pub struct SchoolDay {
    /// The school.
    pub school: SchoolNumber,
    /// The school year the day belongs to.
    pub year: YearId,
    /// The day.
    pub date: NaiveDate,
    /// Its CALENDAR_DAY row.
    pub calendar_day: CalendarDayId,
    /// Its cycle day.
    pub cycle_day: CycleLetter,
    /// The letters of the school's cycle in that year, in its order.
    pub cycle: Vec<String>,
    /// The periods of the day in order of their start, with their times.
    pub bells: Vec<(Period, MeetingTimes)>,
}

/// What is known of a day's cycle day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CycleLetter {
    /// CALENDAR_DAY.Cycle_Day_ID is not set and the school does not cycle: every meeting is on such a day.
    Any,
    /// CYCLE_DAY.Letter.
    Letter(String),
    /// Cycle_Day_ID is not set in a school that cycles, or set to a cycle day it does not have: nothing says what meets.
    Unknown,
}

impl CycleLetter {
    /// Whether a SECTION_MEETING of this letter, empty where it has none, takes place.
    fn includes(&self, letter: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Letter(today) => letter.is_empty() || letter == today,
            Self::Unknown => false,
        }
    }
}

impl SchoolDay {
    /// Puts a day together from PowerSchool's rows of the same school and year; `None` when the day is not in
    /// session.
    pub fn new(
        day: &CalendarDay,
        year: YearId,
        cycle_days: &[CycleDay],
        periods: &[Period],
        items: &[BellScheduleItem],
    ) -> Option<Self> {
        if !day.in_session {
            return None;
        }
        let cycle_day = match day.cycle_day {
            // In a school that cycles, a day that was not given one of the days says nothing.
            None if cycle_days.len() > 1 => CycleLetter::Unknown,
            None => CycleLetter::Any,
            Some(id) => cycle_days
                .iter()
                .find(|cycle| cycle.id == id)
                .map_or(CycleLetter::Unknown, |cycle| CycleLetter::Letter(cycle.letter.clone())),
        };
        let mut cycle: Vec<&CycleDay> = cycle_days.iter().collect();
        cycle.sort_by_key(|day| (day.number, day.id));
        let cycle = cycle.into_iter().map(|day| day.letter.clone()).collect();
        let mut bells: Vec<(Period, MeetingTimes)> = items
            .iter()
            .filter(|item| Some(item.bell_schedule) == day.bell_schedule)
            .filter_map(|item| {
                let period = periods.iter().find(|period| period.id == item.period)?;
                Some((period.clone(), MeetingTimes { start: item.start, end: item.end }))
            })
            .collect();
        bells.sort_by_key(|(period, times)| (times.start, times.end, period.number));
        let (school, date, calendar_day) = (day.school, day.date, day.id);
        Some(Self { school, year, date, calendar_day, cycle_day, cycle, bells })
    }

    /// Start of the first period, seconds since midnight.
    pub fn first_bell(&self) -> Option<u32> {
        self.bells.first().map(|(_, times)| times.start)
    }

    /// End of the last period, seconds since midnight.
    pub fn last_bell(&self) -> Option<u32> {
        self.bells.iter().map(|(_, times)| times.end).max()
    }

    /// The meetings of one enrolment on this day, in order of their start: its section's periods on today's cycle day that
    /// the day's bell schedule rings. SECTION_MEETING tells them; the enrolment's expression does where the section has no
    /// such row at all.
    pub fn meetings<'a>(
        &'a self,
        enrollment: &'a Enrollment,
        section_meetings: &'a [SectionMeeting],
    ) -> impl Iterator<Item = (Meeting, MeetingTimes)> + 'a {
        let of_section =
            move || section_meetings.iter().filter(move |meeting| meeting.section == enrollment.section);
        let periods: BTreeSet<i64> = if of_section().next().is_some() {
            of_section().filter(|meeting| self.has(meeting)).map(|meeting| meeting.period_number).collect()
        } else {
            enrollment.expression.parse().map(|expression| self.periods_of(&expression)).unwrap_or_default()
        };
        let rings = self.bells.iter().filter(move |(period, _)| periods.contains(&period.number));
        rings.map(|(period, times)| (Meeting { cc: enrollment.id, period: period.id }, *times))
    }

    /// The meeting of an enrolment in one period of this day, by SECTION_MEETING of its section alone.
    pub fn meeting_in(
        &self,
        period: PeriodId,
        cc: CcId,
        section_meetings: &[SectionMeeting],
    ) -> Option<(Meeting, MeetingTimes)> {
        let meets = |number| {
            section_meetings.iter().any(|meeting| meeting.period_number == number && self.has(meeting))
        };
        let (_, times) = self.bells.iter().find(|(rings, _)| rings.id == period && meets(rings.number))?;
        Some((Meeting { cc, period }, *times))
    }

    /// Whether a section's meeting is one of this day.
    fn has(&self, meeting: &SectionMeeting) -> bool {
        meeting.school == self.school
            && meeting.year == self.year
            && self.cycle_day.includes(&meeting.cycle_day_letter)
    }

    fn periods_of(&self, expression: &Expression) -> BTreeSet<i64> {
        match &self.cycle_day {
            CycleLetter::Any => expression.periods(),
            CycleLetter::Letter(today) => {
                let meetings = expression.meetings(&self.cycle).into_iter();
                meetings.filter(|(_, day)| day == today).map(|(period, _)| period).collect()
            }
            CycleLetter::Unknown => BTreeSet::new(),
        }
    }
}

/// A student's enrolment, with what is known of its section.
#[derive(Clone, Copy, Debug)]
pub struct Class<'a> {
    /// The enrolment.
    pub enrollment: &'a Enrollment,
    /// SECTION_MEETING of the section; empty where PowerSchool has none.
    pub meetings: &'a [SectionMeeting],
    /// Whether one record stands for all of the section's meetings of a day (SECTIONS.ATTENDANCE_TYPE_CODE).
    pub once_a_day: bool,
}

/// What a sign-in time means for a student whose class meetings are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// Before the day's first bell.
    BeforeFirstBell,
    /// This class meeting gets the record, with these times.
    During(Meeting, MeetingTimes),
    /// Not to be decided by rule.
    Held(HoldReason),
}

/// A stretch of the day that belongs to one record.
#[derive(Clone, Copy)]
struct Stretch {
    section: SectionId,
    start: u32,
    end: u32,
    record: (Meeting, MeetingTimes),
}

/// Finds the class meeting a sign-in belongs to, among the student's classes of that day: the one in progress, else the one
/// `between` names. `at` is in seconds since midnight, local to the school.
///
/// - A section that records once a day is recorded at its first meeting of the day, whichever of them is in progress.
///   Between two of its meetings that follow one another without another period in between, a double block, it is still in
///   progress.
/// - Of two meetings of one section that overlap, the one that began first counts.
/// - Two sections at once are held.
pub fn sign_in(day: &SchoolDay, classes: &[Class<'_>], at: u32, between: BetweenClasses) -> SignIn {
    if day.first_bell().is_some_and(|bell| at < bell) {
        return SignIn::BeforeFirstBell;
    }
    let of_day = || {
        classes
            .iter()
            .filter(|class| class.enrollment.school == day.school && class.enrollment.includes(day.date))
    };
    let stretches: Vec<Stretch> = of_day().flat_map(|class| stretches(day, class)).collect();
    let now: Vec<Stretch> =
        stretches.iter().filter(|stretch| stretch.start <= at && at < stretch.end).copied().collect();
    if !now.is_empty() {
        return only_section(&now);
    }
    // What can't be read might name the very class that is in progress.
    if of_day().any(|class| is_unreadable(day, class)) {
        return SignIn::Held(HoldReason::NoMeetingNow);
    }
    let starts = stretches.iter().map(|stretch| stretch.start);
    let meant = match between {
        BetweenClasses::Hold => None,
        BetweenClasses::NextMeeting => starts.filter(|start| *start > at).min(),
        BetweenClasses::MissedMeeting => starts.filter(|start| *start <= at).max(),
    };
    let meant: Vec<Stretch> = stretches.into_iter().filter(|stretch| Some(stretch.start) == meant).collect();
    only_section(&meant)
}

/// What a sign-in time means for a student whose days are recorded, not the meetings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DailySignIn {
    /// Before the day's first bell.
    BeforeFirstBell,
    /// The day gets the record.
    Tardy,
    /// Not to be decided by rule.
    Held(HoldReason),
}

/// Whether a sign-in makes a day's record. It needs no class: only whether the day's bells have begun and are over counts.
/// After the last one it is held, unless `between` gives a missed meeting the record.
pub fn daily_sign_in(day: &SchoolDay, at: u32, between: BetweenClasses) -> DailySignIn {
    if day.first_bell().is_some_and(|bell| at < bell) {
        return DailySignIn::BeforeFirstBell;
    }
    let over = day.last_bell().is_some_and(|bell| at >= bell);
    if over && between != BetweenClasses::MissedMeeting {
        return DailySignIn::Held(HoldReason::NoMeetingNow);
    }
    DailySignIn::Tardy
}

/// The day of a class as the records it makes.
fn stretches(day: &SchoolDay, class: &Class<'_>) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = day
        .meetings(class.enrollment, class.meetings)
        .filter(|(_, times)| times.start < times.end)
        .map(|record| Stretch {
            section: class.enrollment.section,
            start: record.1.start,
            end: record.1.end,
            record,
        })
        .collect();
    if let (true, Some(first)) = (class.once_a_day, stretches.first().map(|first| first.record)) {
        for place in 0..stretches.len() {
            let end = stretches[place].end;
            let next = stretches.get(place + 1).map(|next| next.start).filter(|next| {
                // A period of its own in between makes two classes of it.
                !day.bells.iter().any(|(_, times)| end <= times.start && times.start < *next)
            });
            stretches[place].record = first;
            stretches[place].end = next.unwrap_or(end).max(end);
        }
    }
    stretches
}

/// The record of stretches that all belong to one section: that of the first to start.
fn only_section(stretches: &[Stretch]) -> SignIn {
    let Some(first) = stretches.iter().min_by_key(|stretch| (stretch.start, stretch.record.0)) else {
        return SignIn::Held(HoldReason::NoMeetingNow);
    };
    // A student is in a section once; two enrolments in it on one day are PowerSchool's to correct.
    let one = |other: &Stretch| other.section == first.section && other.record.0.cc == first.record.0.cc;
    if stretches.iter().all(one) {
        SignIn::During(first.record.0, first.record.1)
    } else {
        SignIn::Held(HoldReason::SeveralMeetings)
    }
}

/// Whether only an expression could tell when a class meets, and it can't be read or names no day of the school's cycle.
fn is_unreadable(day: &SchoolDay, class: &Class<'_>) -> bool {
    let expression = class.enrollment.expression.trim();
    class.meetings.is_empty()
        && !expression.is_empty()
        && expression
            .parse::<Expression>()
            .map_or(true, |expression| !day.cycle.is_empty() && expression.meetings(&day.cycle).is_empty())
}

/// The school year a date belongs to at a school: the year of the term containing it (PowerSchool: TERMS of that
/// school, FirstDay and LastDay included), else of the next one to start, else of the last one.
pub fn year_of(terms: &[Term], school: SchoolNumber, date: NaiveDate) -> Option<YearId> {
    let of_school = || terms.iter().filter(move |term| term.school == school);
    of_school()
        .find(|term| term.first_day <= date && date <= term.last_day)
        .or_else(|| of_school().filter(|term| term.first_day > date).min_by_key(|term| term.first_day))
        .or_else(|| of_school().max_by_key(|term| term.last_day))
        .map(|term| term.year)
}
