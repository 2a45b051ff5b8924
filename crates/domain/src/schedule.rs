//! When a job runs by itself. Everything here is a function of the schedule and the times passed in.
//!
//! A schedule speaks in wall-clock time of a zone; each time it names is one *occurrence*, a point in time. All of
//! them follow from one rule: the occurrence of a wall-clock time is the first moment at which the zone's clocks show
//! that time or a later one. So a time inside an hour that is skipped in spring occurs right after the gap, a time
//! inside an hour that is repeated in autumn occurs in the first pass only, and a date that a zone left out altogether
//! (30 December 2011 in Samoa) has no occurrence.
//!
//! What the caller keeps between calls is one moment, `handled`: everything up to it is dealt with.

use std::{fmt, str::FromStr};

use chrono::{
    DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike, Utc, Weekday,
    WeekdaySet,
};
use chrono_tz::{GapInfo, Tz};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::job::Job;

/// Days of the week, written with PowerSchool's letters `MTWHFSU`: H is Thursday, S Saturday, U Sunday. The empty set
/// is no day at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string")]
pub struct Weekdays(WeekdaySet);

/// PowerSchool's letters in its order.
const LETTERS: [(char, Weekday); 7] = [
    ('M', Weekday::Mon),
    ('T', Weekday::Tue),
    ('W', Weekday::Wed),
    ('H', Weekday::Thu),
    ('F', Weekday::Fri),
    ('S', Weekday::Sat),
    ('U', Weekday::Sun),
];

impl Weekdays {
    /// `MTWHF`: the days both vendor procedures name.
    pub const SCHOOL_WEEK: Self =
        Self(WeekdaySet::from_array([Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri]));
    /// `MTWHFSU`.
    pub const DAILY: Self = Self(WeekdaySet::ALL);

    /// No day at all.
    pub const NONE: Self = Self(WeekdaySet::EMPTY);

    /// Whether the day is one of them.
    pub fn contains(self, day: Weekday) -> bool {
        self.0.contains(day)
    }

    /// Whether every one of these days is one of them.
    pub const fn contains_all(self, days: Self) -> bool {
        days.0.is_subset(self.0)
    }
}

impl fmt::Display for Weekdays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        LETTERS
            .iter()
            .filter(|(_, day)| self.contains(*day))
            .try_for_each(|(letter, _)| write!(f, "{letter}"))
    }
}

/// A letter is none of `MTWHFSU`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{0}' is no day: the days are the letters MTWHFSU, H for Thursday, S for Saturday and U for Sunday")]
pub struct UnknownDay(pub char);

impl FromStr for Weekdays {
    type Err = UnknownDay;

    /// Letters may come in any order, small or capital, and more than once.
    fn from_str(letters: &str) -> Result<Self, UnknownDay> {
        letters.chars().try_fold(Self(WeekdaySet::EMPTY), |Self(mut days), letter| {
            let (_, day) = LETTERS
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(&letter))
                .ok_or(UnknownDay(letter))?;
            days.insert(*day);
            Ok(Self(days))
        })
    }
}

impl TryFrom<String> for Weekdays {
    type Error = UnknownDay;

    fn try_from(letters: String) -> Result<Self, UnknownDay> {
        letters.parse()
    }
}

impl From<Weekdays> for String {
    fn from(days: Weekdays) -> Self {
        days.to_string()
    }
}

/// A time on the clock to the minute, written `03:10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string")]
pub struct TimeOfDay(NaiveTime);

impl TimeOfDay {
    /// Hours 0 to 23, minutes 0 to 59.
    pub const fn new(hour: u32, minute: u32) -> Option<Self> {
        match NaiveTime::from_hms_opt(hour, minute, 0) {
            Some(time) => Some(Self(time)),
            None => None,
        }
    }

    /// The hour, 0 to 23.
    pub fn hour(self) -> u32 {
        self.0.hour()
    }

    /// The minute, 0 to 59.
    pub fn minute(self) -> u32 {
        self.0.minute()
    }

    /// A time written in this file, checked when it is compiled.
    pub(crate) const fn known(hour: u32, minute: u32) -> Self {
        match Self::new(hour, minute) {
            Some(time) => time,
            None => panic!("no time of day"),
        }
    }
}

/// The time that clocks show, to the minute.
impl From<NaiveTime> for TimeOfDay {
    fn from(time: NaiveTime) -> Self {
        Self(time.with_second(0).and_then(|time| time.with_nanosecond(0)).unwrap_or(time))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%H:%M"))
    }
}

/// The text is no time of day.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{0}' is no time of day: write hours and minutes on the 24-hour clock, such as 03:10")]
pub struct NoTimeOfDay(pub String);

impl FromStr for TimeOfDay {
    type Err = NoTimeOfDay;

    fn from_str(text: &str) -> Result<Self, NoTimeOfDay> {
        NaiveTime::parse_from_str(text, "%H:%M").map(Self).map_err(|_| NoTimeOfDay(text.to_owned()))
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = NoTimeOfDay;

    fn try_from(text: String) -> Result<Self, NoTimeOfDay> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

/// Minutes from one occurrence to the next, 1 to 1,440 (a day).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(try_from = "u16", into = "u16")]
#[ts(type = "number")]
pub struct Interval(u16);

/// The number of minutes cannot be an interval.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an interval is 1 to 1440 minutes, not {0}")]
pub struct NoInterval(pub u16);

/// Minutes of a day without a change of the clocks.
const DAY: u16 = 1440;

impl Interval {
    /// The interval of so many minutes, 1 to 1,440.
    pub const fn new(minutes: u16) -> Option<Self> {
        if 1 <= minutes && minutes <= DAY { Some(Self(minutes)) } else { None }
    }

    /// Its minutes.
    pub const fn minutes(self) -> u16 {
        self.0
    }

    /// An interval written in this crate, checked when it is compiled.
    pub(crate) const fn known(minutes: u16) -> Self {
        match Self::new(minutes) {
            Some(interval) => interval,
            None => panic!("no interval"),
        }
    }
}

impl TryFrom<u16> for Interval {
    type Error = NoInterval;

    fn try_from(minutes: u16) -> Result<Self, NoInterval> {
        Self::new(minutes).ok_or(NoInterval(minutes))
    }
}

impl From<Interval> for u16 {
    fn from(interval: Interval) -> Self {
        interval.0
    }
}

/// The wall-clock times a job runs at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum When {
    /// Once on each of the days.
    At {
        /// The days, as in PowerSchool's 'Days to Execute'.
        days: Weekdays,
        /// 'When to Execute'.
        time: TimeOfDay,
    },
    /// Again and again, every day. Counted from each day's midnight, so that a restart moves nothing; where the
    /// interval does not divide the day, the last stretch before midnight is shorter.
    Every {
        /// The distance.
        minutes: Interval,
    },
}

impl When {
    /// The days it has a time on.
    pub const fn days(self) -> Weekdays {
        match self {
            Self::At { days, .. } => days,
            Self::Every { .. } => Weekdays::DAILY,
        }
    }
}

/// What becomes of occurrences that went by while the computer slept or was off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// One run makes up for all of them.
    #[default]
    CatchUp,
    /// They are only recorded; the job waits for its next time.
    Skip,
}

/// When a job runs by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct JobSchedule {
    /// Its times.
    pub when: When,
    /// The zone whose clocks they are read from, by its name in the tz database, such as `America/Chicago`.
    #[ts(type = "string")]
    pub zone: Tz,
    /// Whether it stays away on days on which school is not in session.
    #[serde(default)]
    pub only_in_session: bool,
    /// What becomes of missed occurrences.
    #[serde(default)]
    pub missed: Missed,
}

/// How far back missed occurrences are counted, and how far ahead a day in session is looked for.
const YEAR: TimeDelta = TimeDelta::days(366);

/// Days that hold the next occurrence if there is one: a week, and another in case the zone leaves out a date.
const TWO_WEEKS: usize = 15;

impl JobSchedule {
    /// The schedule a new profile starts with, from the vendors' procedures.
    ///
    /// - Hero's exports: the three times ten minutes apart that its procedure prints as samples, 3:00, 3:10 and 3:20 on
    ///   `MTWHF`, moved five minutes on: PowerSchool does much on the hour. Apart, they suit whoever carries them out;
    ///   this program's own runs read only what has changed since the one before.
    /// - Hero's attendance: 'a time after the data is exported'; that time is set in Hero, so an hour after the
    ///   first export. Not bound to days in session, because Friday's attendance arrives in the night after the last day
    ///   before a holiday just as well.
    /// - Raptor's roster: none. It follows the integration window and then PowerSchool's updates: see
    ///   [`crate::following`].
    /// - Raptor's tardies: sign-ins happen all day, on days in session, and should be in PowerSchool before the next
    ///   class; looking into a folder costs nothing, so every five minutes.
    ///
    /// All catch up: a run too many changes nothing, a run too few leaves a school with yesterday's data.
    pub fn usual(job: Job, zone: Tz) -> Option<Self> {
        let weekdays = |time| When::At { days: Weekdays::SCHOOL_WEEK, time };
        let when = match job {
            Job::HeroStudents => weekdays(const { TimeOfDay::known(3, 5) }),
            Job::HeroSchedule => weekdays(const { TimeOfDay::known(3, 15) }),
            Job::HeroTeachers => weekdays(const { TimeOfDay::known(3, 25) }),
            Job::HeroAttendance => weekdays(const { TimeOfDay::known(4, 10) }),
            Job::RaptorRoster => return None,
            Job::RaptorTardies => When::Every { minutes: Interval(5) },
        };
        let only_in_session = job == Job::RaptorTardies;
        Some(Self { when, zone, only_in_session, missed: Missed::CatchUp })
    }

    /// The next occurrence strictly after a moment; `None` if there is none, because no day is chosen.
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.occurrences(after, TWO_WEEKS).next()
    }

    /// The next occurrence strictly after a moment that will not be left out for want of school, within a year: what
    /// is shown as the next run. `in_session` is that of [`JobSchedule::gate`].
    pub fn next_run(
        &self,
        after: DateTime<Utc>,
        in_session: impl Fn(NaiveDate) -> Option<bool>,
    ) -> Option<DateTime<Utc>> {
        let days = if self.only_in_session { days_of(YEAR) } else { TWO_WEEKS };
        self.occurrences(after, days).find(|occurrence| self.gate(*occurrence, &in_session).runs())
    }

    /// What is to be done now.
    ///
    /// `handled` is the moment up to which everything is dealt with; `None` for a job that never was: its counting
    /// starts at `now`. Whoever enables a job or changes its schedule sets `handled` to that moment, so that neither
    /// starts a run for times gone by. Each answer says what `handled` is from now on ([`Due::handled`]); for a run
    /// it has to be stored together with the record that the run began, before it does anything.
    ///
    /// An occurrence is on time up to `tolerance` after it; later it is missed. However many were missed, at most one
    /// run comes of them, and it stands for the latest. Counting goes back 366 days.
    ///
    /// When the clock was put back, `handled` may lie in the future. If no occurrence but the next lies up to it,
    /// then that one has had its run and is left out: nothing runs twice. If it lies behind the next one, then either
    /// the clock was far ahead or was put back by more than a whole period; `handled` returns to `now`, and the next
    /// occurrence runs. So a clock that was wrong blocks at most one occurrence, and an occurrence can come a second
    /// time only after the clock was put back by more than the time from one occurrence to the next.
    pub fn due(&self, handled: Option<DateTime<Utc>>, now: DateTime<Utc>, tolerance: TimeDelta) -> Due {
        let Some(handled) = handled else {
            return Due::NotYet { handled: now, next: self.next_after(now) };
        };
        if handled > now {
            let next = self.next_after(now);
            return if next.is_some_and(|next| next < handled) {
                Due::NotYet { handled: now, next }
            } else {
                Due::NotYet { handled, next: self.next_after(handled) }
            };
        }
        let from = now.checked_sub_signed(YEAR).map_or(handled, |earliest| handled.max(earliest));
        let mut pending = self.occurrences(from, days_of(now - from)).take_while(|time| *time <= now);
        let Some(earliest) = pending.next() else {
            return Due::NotYet { handled, next: self.next_after(now) };
        };
        let (missed, occurrence) = pending.fold((0, earliest), |(count, _), time| (count + 1, time));
        let timing = if now - occurrence <= tolerance { Timing::OnTime } else { Timing::CatchUp };
        if timing == Timing::CatchUp && self.missed == Missed::Skip {
            return Due::Skipped { occurrence, missed: missed + 1 };
        }
        Due::Run(DueRun { occurrence, timing, missed, earliest })
    }

    /// Whether school lets an occurrence run. `in_session` tells of a date whether any school that takes part is in
    /// session, by CALENDAR_DAY.InSession; `None` where no calendar covers it.
    pub fn gate(&self, occurrence: DateTime<Utc>, in_session: impl Fn(NaiveDate) -> Option<bool>) -> Gate {
        if !self.only_in_session {
            return Gate::Run;
        }
        match in_session(self.local_date(occurrence)) {
            Some(true) => Gate::Run,
            Some(false) => Gate::NotInSession,
            None => Gate::CalendarUnknown,
        }
    }

    /// Whether school lets a run begin that is due. A run that makes up for missed ones counts for all their dates:
    /// a computer that was off from Friday noon and wakes on Saturday has Friday's run to do.
    pub fn gate_run(&self, run: &DueRun, in_session: impl Fn(NaiveDate) -> Option<bool>) -> Gate {
        let own = self.gate(run.occurrence, &in_session);
        if own == Gate::Run || run.missed == 0 || self.missed == Missed::Skip {
            return own;
        }
        let (first, last) = (self.local_date(run.earliest), self.local_date(run.occurrence));
        let mut gate = own;
        for day in first.iter_days().take_while(|day| *day < last) {
            if self.on(day).last().is_none_or(|time| *time < run.earliest) {
                continue;
            }
            match in_session(day) {
                Some(true) => return Gate::Run,
                Some(false) => {}
                None => gate = Gate::CalendarUnknown,
            }
        }
        gate
    }

    /// The date that the schedule's zone has at a moment.
    pub fn local_date(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.zone).date_naive()
    }

    /// The occurrences after a moment in ascending order, of the local date of that moment and so many days in all.
    fn occurrences(&self, after: DateTime<Utc>, days: usize) -> impl Iterator<Item = DateTime<Utc>> {
        // Nothing of an earlier date can come after the moment: its clock times have all been shown. A gap over
        // midnight makes the end of one day and the start of the next the same moment, which is then given once.
        let mut last = after;
        self.local_date(after).iter_days().take(days).flat_map(|day| self.on(day)).filter(move |time| {
            let later = *time > last;
            last = last.max(*time);
            later
        })
    }

    /// The occurrences of one local date, ascending; those within a gap are all its end.
    pub(crate) fn on(&self, day: NaiveDate) -> Vec<DateTime<Utc>> {
        let Some(start) = self.first_showing(day.into()).filter(|start| self.local_date(*start) == day)
        else {
            return Vec::new();
        };
        match self.when {
            When::At { days, time } if days.contains(day.weekday()) => {
                self.first_showing(day.and_time(time.0)).into_iter().collect()
            }
            When::At { .. } => Vec::new(),
            When::Every { minutes } => {
                let steps =
                    (0..DAY).step_by(minutes.0.into()).map(|minute| TimeDelta::minutes(minute.into()));
                let end = day.succ_opt().and_then(|next| self.first_showing(next.into()));
                if end.is_some_and(|end| end - start == TimeDelta::days(1)) {
                    return steps.map(|step| start + step).collect();
                }
                steps.filter_map(|step| self.first_showing(NaiveDateTime::from(day) + step)).collect()
            }
        }
    }

    /// The first moment at which the zone's clocks show this time or a later one.
    fn first_showing(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        let shown = self.zone.from_local_datetime(&wall).earliest();
        shown.or_else(|| GapInfo::new(&wall, &self.zone)?.end).map(|moment| moment.to_utc())
    }
}

/// Local dates that a stretch of time can touch.
fn days_of(stretch: TimeDelta) -> usize {
    // The days at both ends, and one more for clocks that are put back.
    usize::try_from(stretch.num_days()).unwrap_or(0).saturating_add(3)
}

/// What a schedule asks for at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    NotYet {
        /// What to store.
        handled: DateTime<Utc>,
        /// The next occurrence.
        next: Option<DateTime<Utc>>,
    },
    /// One run.
    Run(DueRun),
    /// Nothing: occurrences were missed and the schedule says to leave them.
    Skipped {
        /// The latest of them.
        occurrence: DateTime<Utc>,
        /// How many.
        missed: u32,
    },
}

impl Due {
    /// The moment up to which everything is dealt with once this is: what to store.
    pub const fn handled(&self) -> DateTime<Utc> {
        match self {
            Self::NotYet { handled, .. } => *handled,
            Self::Run(run) => run.occurrence,
            Self::Skipped { occurrence, .. } => *occurrence,
        }
    }
}

/// A run that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueRun {
    /// The occurrence it stands for.
    pub occurrence: DateTime<Utc>,
    /// Whether that one was missed itself.
    pub timing: Timing,
    /// How many occurrences before it went by without a run of their own.
    pub missed: u32,
    /// The first of those, or `occurrence` if there are none.
    pub earliest: DateTime<Utc>,
}

/// Whether a run begins when it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// At its time, give or take the tolerance.
    OnTime,
    /// Later, because nothing ran at its time.
    CatchUp,
}

/// What the school calendar says to an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It runs.
    Run,
    /// School is not in session: it does not run, and counts as dealt with.
    NotInSession,
    /// No calendar covers the date. It runs: a run too many changes nothing.
    CalendarUnknown,
}

impl Gate {
    /// Whether it runs.
    pub const fn runs(self) -> bool {
        !matches!(self, Self::NotInSession)
    }
}

/// Whether a person holds a job, or the whole profile, back. Occurrences during a pause are missed ones: after it,
/// the schedule's [`Missed`] decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", content = "until", rename_all = "snake_case")]
pub enum Pause {
    /// Nobody does.
    #[default]
    No,
    /// Up to this moment, itself no longer in the pause.
    Until(#[ts(type = "string")] DateTime<Utc>),
    /// Until a person resumes it.
    UntilResumed,
}

impl Pause {
    /// Whether it holds at a moment.
    pub fn is_paused(self, now: DateTime<Utc>) -> bool {
        match self {
            Self::No => false,
            Self::Until(end) => now < end,
            Self::UntilResumed => true,
        }
    }
}
