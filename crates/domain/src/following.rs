//! What the Raptor integration is to do by itself at a moment: in its daily window it is initialized, attempt by attempt,
//! and afterwards updates are looked for every few minutes. A function of its status, its settings, the moment passed in
//! and the little that is kept of what was done: [`Following`].
//!
//! Whoever asks later than planned, because the computer slept or the program was not running, is told what is due then:
//! an opening that was slept over is as if it had not been; one in which attempts were made is closed on waking.
//!
//! A clock that was put back repeats nothing: an opening that was dealt with stays so, unless the clock goes back by more
//! than the time from one opening to the next. Attempts and looks keep their distance from the moment at which that was
//! noticed.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    integration::IntegrationStatus,
    schedule::Interval,
    settings::{IntegrationWindow, RaptorSettings},
    window::Opening,
};

/// The shortest time between two looks that read PowerSchool's tables whole, because it does not tell what changed.
pub const WHOLE_LOOKS: TimeDelta = TimeDelta::hours(1);

/// What was done so far of what the integration is to do. A new one for each time it is switched on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Following {
    /// The latest opening of the window that something was done in.
    #[serde(skip_serializing_if = "Option::is_none")]
    opening: Option<Tried>,
    /// When the last attempt in a window began.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_attempt: Option<DateTime<Utc>>,
    /// When PowerSchool was last looked at for updates.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_look: Option<DateTime<Utc>>,
    /// Whether that had to read its tables whole.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    looks_are_whole: bool,
}

/// An opening of the window and what was done in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Tried {
    /// Which, by its first moment: its end may be set anew meanwhile.
    opened_at: DateTime<Utc>,
    /// Attempts that have not succeeded.
    attempts: u32,
    /// Whether its end was noticed.
    over: bool,
}

/// What the integration is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing before this moment; `None` while it is switched off.
    Wait(Option<DateTime<Utc>>),
    /// The window closed, and no attempt in it succeeded.
    Close,
    /// The window is open and nothing was done in it yet: it opens, and the first attempt begins.
    Open(Opening),
    /// The next attempt begins.
    Attempt,
    /// PowerSchool is looked at for updates.
    Look,
}

impl Following {
    /// What is to be done at `now`. What it says about the clock and about attempts that are of no more consequence is
    /// noted here, so this is to be kept if it changed.
    pub fn step(&mut self, status: IntegrationStatus, settings: &RaptorSettings, now: DateTime<Utc>) -> Step {
        let window = &settings.window;
        self.forgive_the_clock(window, now);
        match status {
            IntegrationStatus::Disabled => Step::Wait(None),
            IntegrationStatus::Synchronizing => {
                if let Some(tried) = &mut self.opening {
                    tried.attempts = 0;
                }
                match self.next_look(settings.follow_minutes) {
                    Some(next) if next > now => Step::Wait(Some(next)),
                    _ => Step::Look,
                }
            }
            IntegrationStatus::PendingInitialization
            | IntegrationStatus::Initializing
            | IntegrationStatus::Reinitializing
            | IntegrationStatus::ReinitializationScheduled
            | IntegrationStatus::InitializationScheduled => self.initialization(window, now),
        }
    }

    /// The window is open, and that was noticed.
    pub const fn open(&mut self, opening: Opening) {
        self.opening = Some(Tried { opened_at: opening.opened_at, attempts: 0, over: false });
    }

    /// An attempt begins in the opening at hand.
    pub const fn attempt(&mut self, now: DateTime<Utc>) {
        self.last_attempt = Some(now);
        if let Some(tried) = &mut self.opening {
            tried.attempts = tried.attempts.saturating_add(1);
        }
    }

    /// The end of the opening was noticed.
    pub const fn close(&mut self) {
        if let Some(tried) = &mut self.opening {
            tried.over = true;
        }
    }

    /// PowerSchool is looked at.
    pub const fn look(&mut self, now: DateTime<Utc>) {
        self.last_look = Some(now);
    }

    /// Notes whether the last look had to read PowerSchool's tables whole.
    pub const fn looked(&mut self, whole: bool) {
        self.looks_are_whole = whole;
    }

    fn initialization(&mut self, window: &IntegrationWindow, now: DateTime<Utc>) -> Step {
        let current = window.open_at(now);
        if let Some(tried) = &mut self.opening
            && !tried.over
            && tried.opened_at <= now
            && current.is_none_or(|current| current.opened_at != tried.opened_at)
        {
            if tried.attempts > 0 {
                return Step::Close;
            }
            tried.over = true;
        }
        let earliest = self.last_attempt.map(|last| last + minutes(window.retry_minutes));
        let begun = match (current, &self.opening) {
            (None, _) => None,
            // Put back: the one that was dealt with comes again, and nothing before it is new.
            (Some(_), Some(tried)) if tried.opened_at > now => None,
            (Some(current), Some(tried)) if tried.opened_at == current.opened_at => {
                (!tried.over).then_some((current, Step::Attempt))
            }
            (Some(current), _) => Some((current, Step::Open(current))),
        };
        match (begun, earliest) {
            (Some((current, _)), Some(earliest)) if earliest > now && earliest < current.closes_at => {
                Step::Wait(Some(earliest))
            }
            (Some((_, step)), earliest) if earliest.is_none_or(|earliest| earliest <= now) => step,
            _ => Step::Wait(self.next_new_opening(window, now)),
        }
    }

    /// When the window opens next in which nothing was done yet, or in which there is more to do.
    fn next_new_opening(&self, window: &IntegrationWindow, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = window.next_opening(now)?.opened_at;
        match &self.opening {
            Some(tried) if tried.over && tried.opened_at >= next => {
                Some(window.next_opening(tried.opened_at)?.opened_at)
            }
            _ => Some(next),
        }
    }

    fn next_look(&self, every: Interval) -> Option<DateTime<Utc>> {
        let pause = minutes(every);
        let pause = if self.looks_are_whole { pause.max(WHOLE_LOOKS) } else { pause };
        self.last_look.map(|last| last + pause)
    }

    /// A clock that was ahead, or is put back, must not keep anything from being done for longer than the rules say.
    fn forgive_the_clock(&mut self, window: &IntegrationWindow, now: DateTime<Utc>) {
        self.last_attempt = self.last_attempt.map(|at| at.min(now));
        self.last_look = self.last_look.map(|at| at.min(now));
        let ahead = |tried: &Tried| {
            tried.opened_at > now
                && window.next_opening(now).is_some_and(|next| next.opened_at < tried.opened_at)
        };
        if self.opening.as_ref().is_some_and(ahead) {
            self.opening = None;
        }
    }
}

fn minutes(interval: Interval) -> TimeDelta {
    TimeDelta::minutes(interval.minutes().into())
}
