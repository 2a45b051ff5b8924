//! When the integration window is open: a function of its settings and of the moment passed in.
//!
//! It opens at a wall-clock time of its zone, by the rule of [`crate::schedule`]: a time that the clocks skip opens right
//! after the gap, one that they repeat opens in the first pass only. How long it stays open is elapsed time.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    schedule::{JobSchedule, Missed, Weekdays, When},
    settings::IntegrationWindow,
};

/// One opening of the window: from `opened_at` on, and before `closes_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Its first moment.
    pub opened_at: DateTime<Utc>,
    /// The first moment after it.
    pub closes_at: DateTime<Utc>,
}

/// Farther back than any opening that can still be open: they last a day at most, and a zone that leaves out a date has
/// none on it.
const LOOK_BACK: TimeDelta = TimeDelta::days(3);

impl IntegrationWindow {
    /// The opening that lasts at a moment. One that would last until the next has its end there.
    pub fn open_at(&self, now: DateTime<Utc>) -> Option<Opening> {
        let schedule = self.schedule();
        let mut opened_at = schedule.next_after(now.checked_sub_signed(LOOK_BACK)?)?;
        if opened_at > now {
            return None;
        }
        let mut next = schedule.next_after(opened_at);
        while let Some(later) = next.filter(|later| *later <= now) {
            opened_at = later;
            next = schedule.next_after(opened_at);
        }
        let opening = self.opening(opened_at, next);
        (now < opening.closes_at).then_some(opening)
    }

    /// The next opening strictly after a moment. There is one every day; `None` only at the end of all dates.
    pub fn next_opening(&self, after: DateTime<Utc>) -> Option<Opening> {
        let schedule = self.schedule();
        let opened_at = schedule.next_after(after)?;
        Some(self.opening(opened_at, schedule.next_after(opened_at)))
    }

    fn opening(&self, opened_at: DateTime<Utc>, next: Option<DateTime<Utc>>) -> Opening {
        let closes_at = opened_at + TimeDelta::minutes(self.minutes.minutes().into());
        Opening { opened_at, closes_at: next.map_or(closes_at, |next| closes_at.min(next)) }
    }

    fn schedule(&self) -> JobSchedule {
        JobSchedule {
            when: When::At { days: Weekdays::DAILY, time: self.opens },
            zone: self.zone,
            only_in_session: false,
            missed: Missed::Skip,
        }
    }
}
