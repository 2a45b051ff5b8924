//! The order of the day of an account at Hero: the exports go out before Hero takes them in, and its attendance is
//! imported after Hero has written it. Everything here is a function of the times passed in.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    job::{Job, JobId},
    schedule::{JobSchedule, Missed, TimeOfDay, Weekdays, When},
    settings::Owner,
};

/// Something that happens in the day of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Step {
    /// An export or the import.
    Job {
        /// Which.
        job: JobId,
        /// Who carries it out.
        owner: Owner,
    },
    /// Hero takes in the three files.
    HeroImports,
    /// Hero writes its attendance export.
    HeroExports,
}

/// What does not fit together in a day, gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ClashKind {
    /// Another sender is active: the job is paused.
    OtherSender,
    /// An export goes out when Hero has taken in the day's files already.
    ExportAfterHero,
    /// The import comes before Hero has written the day's export.
    ImportBeforeHero,
    /// The clocks a job goes by are not those of the district's PowerSchool.
    OtherZone,
    /// Two things on one connection are too close together.
    TooClose,
    /// The jobs don't run on the same days, or not on every school day.
    OtherDays,
    /// A job has no time.
    NoTime,
    /// What PowerSchool does is switched off here: nobody looks whether it does it.
    NotWatched,
    /// Nobody entered when Hero takes in or writes files, so that the order can't be checked.
    HeroTimeUnknown,
    /// The clocks are put forward over the time on one day of the year.
    ClocksForward,
    /// PowerSchool does much on the hour: other minutes than 00 are safer.
    OnTheHour,
}

/// What happens once in a while in the day of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// What.
    pub step: Step,
    /// When; `None` where it has no time, or nobody said.
    pub schedule: Option<JobSchedule>,
}

impl Planned {
    /// What Hero does at its side: every day at a time.
    pub fn at_hero(step: Step, time: Option<TimeOfDay>, zone: Tz) -> Self {
        let at = |time| {
            let when = When::At { days: Weekdays::DAILY, time };
            JobSchedule { when, zone, only_in_session: false, missed: Missed::CatchUp }
        };
        Self { step, schedule: time.map(at) }
    }

    /// The same where it has a time on at least one day.
    fn timed(&self) -> Option<(Step, JobSchedule)> {
        let schedule = self.schedule.filter(|schedule| schedule.when.days() != Weekdays::NONE)?;
        Some((self.step, schedule))
    }
}

/// The day of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Its jobs, and what Hero does.
    pub planned: Vec<Planned>,
    /// Jobs of other accounts that use the same connection.
    pub neighbours: Vec<Planned>,
    /// The zone of the district's PowerSchool, where it is known.
    pub district: Option<Tz>,
}

/// Something in a day that does not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// What.
    pub kind: ClashKind,
    /// Between which; of one thing alone, that one.
    pub steps: Vec<Step>,
    /// The first day it happens on, where it happens on few days only.
    pub on: Option<NaiveDate>,
}

/// Less than this between two things is too close: Hero's procedure has ten minutes between PowerSchool's exports.
const APART: TimeDelta = TimeDelta::minutes(10);

/// How far ahead the order is looked at: every change of the clocks once.
const DAYS: usize = 366;

impl Day {
    /// The zone whose clocks the day is read from: the district's; as long as that is not known, the jobs'.
    pub fn zone(&self) -> Tz {
        let of_jobs = || self.planned.iter().filter(|planned| matches!(planned.step, Step::Job { .. }));
        let first = || of_jobs().chain(&self.planned).find_map(|planned| planned.schedule);
        self.district.or_else(|| first().map(|schedule| schedule.zone)).unwrap_or(Tz::UTC)
    }

    /// What happens on a day, in the order of time. Of something that happens more than once the first time counts.
    pub fn on(&self, day: NaiveDate) -> Vec<(DateTime<Utc>, Step)> {
        let first = |planned: &Planned| {
            let (step, schedule) = planned.timed()?;
            Some((*self.moments(step, schedule, day).first()?, step))
        };
        let mut steps: Vec<_> = self.planned.iter().filter_map(first).collect();
        steps.sort();
        steps
    }

    /// The next day from a day on, a week at most, on which most of the jobs run.
    pub fn fullest(&self, from: NaiveDate) -> NaiveDate {
        let jobs = |day: &NaiveDate| {
            self.on(*day).iter().filter(|(_, step)| matches!(step, Step::Job { .. })).count()
        };
        // Of days with as many the last maximum counts, so the first day comes last.
        let week: Vec<NaiveDate> = from.iter_days().take(7).collect();
        week.into_iter().rev().max_by_key(jobs).unwrap_or(from)
    }

    /// What does not fit together within a year from a day on, gravest first.
    pub fn clashes(&self, from: NaiveDate) -> Vec<Clash> {
        let mut clashes = Vec::new();
        self.order(from, &mut clashes);
        self.zones(from, &mut clashes);
        self.distances(from, &mut clashes);
        self.days(&mut clashes);
        self.times(from, &mut clashes);
        clashes.sort_by(|a, b| (a.kind, &a.steps).cmp(&(b.kind, &b.steps)));
        clashes
    }

    /// When something happens on a day. PowerSchool goes by its own clocks, whatever zone was entered here.
    fn moments(&self, step: Step, schedule: JobSchedule, day: NaiveDate) -> Vec<DateTime<Utc>> {
        match (step, self.district) {
            (Step::Job { owner: Owner::PowerSchool, .. }, Some(zone)) => {
                JobSchedule { zone, ..schedule }.on(day)
            }
            _ => schedule.on(day),
        }
    }

    fn timed(&self) -> impl Iterator<Item = (Step, JobSchedule)> {
        self.planned.iter().filter_map(Planned::timed)
    }

    fn find(&self, wanted: Step) -> Option<(Step, JobSchedule)> {
        self.timed().find(|(step, _)| *step == wanted)
    }

    /// On which of the days something holds of the moments of two things; only days on which both happen count.
    fn happens(
        &self,
        from: NaiveDate,
        (a, b): ((Step, JobSchedule), (Step, JobSchedule)),
        holds: impl Fn(&[DateTime<Utc>], &[DateTime<Utc>]) -> bool,
    ) -> Option<Often> {
        let (mut days, mut bad, mut first) = (0_usize, 0_usize, None);
        for day in from.iter_days().take(DAYS) {
            let (at, other) = (self.moments(a.0, a.1, day), self.moments(b.0, b.1, day));
            if at.is_empty() || other.is_empty() {
                continue;
            }
            days += 1;
            if holds(&at, &other) {
                bad += 1;
                first = first.or(Some(day));
            }
        }
        first.map(|first| if bad * 2 > days { Often::Usually } else { Often::Seldom(first) })
    }

    /// Exports before Hero takes them in, the import after Hero has written.
    fn order(&self, from: NaiveDate, clashes: &mut Vec<Clash>) {
        for (step, schedule) in self.timed() {
            let Step::Job { job, .. } = step else { continue };
            let (hero, kind) = match job.kind() {
                Job::HeroAttendance => (Step::HeroExports, ClashKind::ImportBeforeHero),
                _ => (Step::HeroImports, ClashKind::ExportAfterHero),
            };
            let Some(at_hero) = self.find(hero) else { continue };
            let often = self.happens(from, ((step, schedule), at_hero), |ours, theirs| {
                !ours.iter().any(|ours| {
                    theirs.iter().any(|theirs| match kind {
                        ClashKind::ImportBeforeHero => ours > theirs,
                        _ => ours < theirs,
                    })
                })
            });
            clashes.extend(often.map(|often| Clash { kind, steps: vec![step, hero], on: often.day() }));
        }
    }

    /// Jobs whose clocks show another time than the district's on any day.
    fn zones(&self, from: NaiveDate, clashes: &mut Vec<Clash>) {
        let district = self.zone();
        let differs = |zone: Tz| {
            zone != district
                && from.iter_days().take(DAYS).any(|day| {
                    let noon = day.and_time(NOON);
                    let offset = |zone: Tz| zone.offset_from_utc_datetime(&noon).fix();
                    offset(zone) != offset(district)
                })
        };
        let steps = self.timed().filter(|(step, _)| matches!(step, Step::Job { .. }));
        let steps: Vec<Step> =
            steps.filter(|(_, schedule)| differs(schedule.zone)).map(|(step, _)| step).collect();
        if !steps.is_empty() {
            clashes.push(Clash { kind: ClashKind::OtherZone, steps, on: None });
        }
    }

    fn distances(&self, from: NaiveDate, clashes: &mut Vec<Clash>) {
        let once = |(_, schedule): &(Step, JobSchedule)| matches!(schedule.when, When::At { .. });
        let close = |ours: &[DateTime<Utc>], theirs: &[DateTime<Utc>]| {
            ours.iter().any(|ours| theirs.iter().any(|theirs| (*ours - *theirs).abs() < APART))
        };
        // What RosterBridge does at the same time is one run: one thing after another over one connection.
        let by_powerschool = |step: Step| matches!(step, Step::Job { owner: Owner::PowerSchool, .. });
        let own: Vec<_> =
            self.timed().filter(once).filter(|(step, _)| matches!(step, Step::Job { .. })).collect();
        let others: Vec<_> = self.neighbours.iter().filter_map(Planned::timed).filter(once).collect();
        let mut together = BTreeSet::new();
        for (place, a) in own.iter().enumerate() {
            for b in own[place + 1..].iter().chain(&others) {
                if (by_powerschool(a.0) || by_powerschool(b.0))
                    && matches!(self.happens(from, (*a, *b), close), Some(Often::Usually))
                {
                    together.extend([a.0, b.0]);
                }
            }
        }
        if !together.is_empty() {
            let steps = together.into_iter().collect();
            clashes.push(Clash { kind: ClashKind::TooClose, steps, on: None });
        }
        for ours in own {
            let Step::Job { job, .. } = ours.0 else { continue };
            let is_import = job.kind() == Job::HeroAttendance;
            let hero = if is_import { Step::HeroExports } else { Step::HeroImports };
            let Some(theirs) = self.find(hero) else { continue };
            // In the wrong order it is told already.
            let just = |ours: &[DateTime<Utc>], theirs: &[DateTime<Utc>]| {
                let ahead = |ours: DateTime<Utc>, theirs: DateTime<Utc>| {
                    if is_import { ours - theirs } else { theirs - ours }
                };
                ours.iter().any(|ours| {
                    theirs.iter().any(|theirs| {
                        let ahead = ahead(*ours, *theirs);
                        TimeDelta::zero() < ahead && ahead < APART
                    })
                })
            };
            if let Some(Often::Usually) = self.happens(from, (ours, theirs), just) {
                clashes.push(Clash { kind: ClashKind::TooClose, steps: vec![ours.0, hero], on: None });
            }
        }
    }

    /// The same days for all, and every school day.
    fn days(&self, clashes: &mut Vec<Clash>) {
        let jobs: Vec<_> = self.timed().filter(|(step, _)| matches!(step, Step::Job { .. })).collect();
        let days = |job: &(Step, JobSchedule)| job.1.when.days();
        let differ = jobs.iter().any(|job| days(job) != days(&jobs[0]));
        let left_out = jobs.iter().any(|job| !days(job).contains_all(Weekdays::SCHOOL_WEEK));
        if differ || left_out {
            let steps = jobs.iter().map(|(step, _)| *step).collect();
            clashes.push(Clash { kind: ClashKind::OtherDays, steps, on: None });
        }
    }

    /// What one time alone has against it.
    fn times(&self, from: NaiveDate, clashes: &mut Vec<Clash>) {
        for planned in &self.planned {
            let step = planned.step;
            let is_job = matches!(step, Step::Job { .. });
            let mut tell = |kind, on| clashes.push(Clash { kind, steps: vec![step], on });
            let Some((_, schedule)) = planned.timed() else {
                tell(if is_job { ClashKind::NoTime } else { ClashKind::HeroTimeUnknown }, None);
                continue;
            };
            let When::At { time, .. } = schedule.when else { continue };
            if matches!(step, Step::Job { owner: Owner::PowerSchool, .. }) && time.minute() == 0 {
                tell(ClashKind::OnTheHour, None);
            }
            let zone = match step {
                Step::Job { owner: Owner::PowerSchool, .. } => self.district.unwrap_or(schedule.zone),
                _ => schedule.zone,
            };
            let leaps = |day: &NaiveDate| {
                let shown = |at: &DateTime<Utc>| TimeOfDay::from(at.with_timezone(&zone).time());
                self.moments(step, schedule, *day).first().is_some_and(|at| shown(at) != time)
            };
            if let Some(day) = from.iter_days().take(DAYS).find(leaps) {
                tell(ClashKind::ClocksForward, Some(day));
            }
        }
    }
}

/// Midday, when no zone changes its clocks.
const NOON: NaiveTime = match NaiveTime::from_hms_opt(12, 0, 0) {
    Some(noon) => noon,
    None => NaiveTime::MIN,
};

/// On how many days something happens.
enum Often {
    /// On most.
    Usually,
    /// On few, the first time on this one.
    Seldom(NaiveDate),
}

impl Often {
    const fn day(&self) -> Option<NaiveDate> {
        match self {
            Self::Usually => None,
            Self::Seldom(day) => Some(*day),
        }
    }
}
