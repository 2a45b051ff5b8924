//! Bell-schedule arithmetic: which class meetings a student has on a day, and which one is in progress at a time.

use chrono::NaiveDate;

use crate::{
    attendance::{Meeting, MeetingTimes},
    held::HoldReason,
    id::{CalendarDayId, SchoolNumber, SectionId, YearId},
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
    /// The periods of the day in order of their start, with their times.
    pub bells: Vec<(Period, MeetingTimes)>,
}

/// What is known of a day's cycle day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CycleLetter {
    /// CALENDAR_DAY.Cycle_Day_ID is not set: the school does not cycle, and every meeting is on such a day.
    Any,
    /// CYCLE_DAY.Letter.
    Letter(String),
    /// Cycle_Day_ID is set to a cycle day the school does not have: nothing says what meets.
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
            None => CycleLetter::Any,
            Some(id) => cycle_days
                .iter()
                .find(|cycle| cycle.id == id)
                .map_or(CycleLetter::Unknown, |cycle| CycleLetter::Letter(cycle.letter.clone())),
        };
        let mut bells: Vec<(Period, MeetingTimes)> = items
            .iter()
            .filter(|item| Some(item.bell_schedule) == day.bell_schedule)
            .filter_map(|item| {
                let period = periods.iter().find(|period| period.id == item.period)?;
                Some((period.clone(), MeetingTimes { start: item.start, end: item.end }))
            })
            .collect();
        bells.sort_by_key(|(period, times)| (times.start, times.end, period.number));
        Some(Self { school: day.school, year, date: day.date, calendar_day: day.id, cycle_day, bells })
    }

    /// Start of the first period, seconds since midnight.
    pub fn first_bell(&self) -> Option<u32> {
        self.bells.first().map(|(_, times)| times.start)
    }

    /// The meetings of one enrolment on this day, by SECTION_MEETING: its periods whose cycle day is today's and
    /// which the day's bell schedule rings.
    pub fn meetings<'a>(
        &'a self,
        enrollment: &'a Enrollment,
        section_meetings: &'a [SectionMeeting],
    ) -> impl Iterator<Item = (Meeting, MeetingTimes)> + 'a {
        self.bells.iter().filter_map(move |(period, times)| {
            let meets = section_meetings.iter().any(|meeting| {
                meeting.section == enrollment.section
                    && meeting.school == self.school
                    && meeting.year == self.year
                    && meeting.period_number == period.number
                    && self.cycle_day.includes(&meeting.cycle_day_letter)
            });
            meets.then_some((Meeting { cc: enrollment.id, period: period.id }, *times))
        })
    }
}

/// What a sign-in time means for a student's day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// Before the first bell: not tardy.
    BeforeFirstBell,
    /// During this class meeting.
    During(Meeting, MeetingTimes),
    /// Not to be decided by rule.
    Held(HoldReason),
}

/// Finds the class meeting in progress when a student signs in, among the student's enrolments on that day.
/// `at` is in seconds since midnight, local to the school.
pub fn meeting_in_progress(
    day: &SchoolDay,
    enrollments: &[Enrollment],
    section_meetings: &[SectionMeeting],
    at: u32,
) -> SignIn {
    if day.first_bell().is_some_and(|bell| at < bell) {
        return SignIn::BeforeFirstBell;
    }
    let mut now: Vec<(Meeting, MeetingTimes, SectionId)> = enrollments
        .iter()
        .filter(|enrollment| enrollment.school == day.school && enrollment.includes(day.date))
        .flat_map(|enrollment| {
            day.meetings(enrollment, section_meetings)
                .map(move |(meeting, times)| (meeting, times, enrollment.section))
        })
        .filter(|(_, times, _)| times.start <= at && at < times.end)
        .collect();
    now.sort_by_key(|(meeting, ..)| *meeting);
    now.dedup();
    match now.as_slice() {
        [] => SignIn::Held(HoldReason::NoMeetingNow),
        [(meeting, times, _)] => SignIn::During(*meeting, *times),
        _ => SignIn::Held(HoldReason::SeveralMeetings),
    }
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
