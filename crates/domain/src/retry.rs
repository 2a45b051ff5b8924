//! When something that failed is tried again, and when a remote system is left alone.
//!
//! Pauses grow exponentially and are drawn from the whole span between nothing and their ceiling ('full jitter'), so
//! that many installations that lost the same server do not come back to it at the same moment.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// How an operation is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The ceiling of the first pause.
    pub first: Duration,
    /// By how much each ceiling exceeds the one before.
    pub factor: u32,
    /// The highest ceiling.
    pub longest: Duration,
    /// How often an operation is repeated at most.
    pub repetitions: u32,
}

impl Backoff {
    /// A scheduled run that failed for a reason that may pass: within the next hour or so, and then at its next time.
    pub const RUN: Self =
        Self { first: Duration::from_mins(4), factor: 3, longest: Duration::from_mins(40), repetitions: 3 };

    /// The pause after `failures` failures in a row, from 1; `None` when there were enough. `chance` places the pause
    /// between nothing (0) and its ceiling ([`u32::MAX`]). What the other side asked for (`Retry-After`, RFC 9110
    /// 10.2.3) is waited out at any rate.
    pub fn pause(self, failures: u32, asked: Option<Duration>, chance: u32) -> Option<Duration> {
        if failures == 0 || failures > self.repetitions {
            return None;
        }
        Some(self.ceiling(failures).mul_f64(share(chance)).max(asked.unwrap_or_default()))
    }

    fn ceiling(self, failures: u32) -> Duration {
        let times = self.factor.saturating_pow(failures.saturating_sub(1));
        self.first.saturating_mul(times).min(self.longest)
    }
}

fn share(chance: u32) -> f64 {
    f64::from(chance) / f64::from(u32::MAX)
}

/// A system at the other end of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Remote {
    /// PowerSchool's API.
    PowerSchool,
    /// Hero's SFTP server.
    Hero,
    /// Raptor's exchange folder.
    Raptor,
}

impl Remote {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::PowerSchool, Self::Hero, Self::Raptor];

    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::PowerSchool => "PowerSchool",
            Self::Hero => "Hero",
            Self::Raptor => "Raptor",
        }
    }
}

/// How the schedule treats a remote system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum CircuitState {
    /// It goes there whenever a job is due.
    Closed,
    /// It leaves it alone.
    Open,
    /// It has left it alone for long enough: the next try decides.
    HalfOpen,
}

/// Whether the schedule goes to a remote system, or leaves it alone for a while because it could not be reached again
/// and again. A person who asks is never kept from trying.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circuit {
    failures: u32,
    open_until: Option<DateTime<Utc>>,
}

/// Failures in a row that open a circuit.
const OPENS_AFTER: u32 = 3;

/// How long a circuit stays open: for less at first, up to an hour.
const OPEN: Backoff = Backoff {
    first: Duration::from_mins(5),
    factor: 2,
    longest: Duration::from_hours(1),
    repetitions: u32::MAX,
};

impl Circuit {
    /// Whether the system may be tried. Once the time is over it is tried once; that decides what follows.
    pub fn allows(self, now: DateTime<Utc>) -> bool {
        self.open_until.is_none_or(|until| now >= until)
    }

    /// Until when it is left alone.
    pub fn open_until(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.open_until.filter(|until| now < *until)
    }

    /// How the schedule treats the system.
    pub fn state(self, now: DateTime<Utc>) -> CircuitState {
        match self.open_until {
            None => CircuitState::Closed,
            Some(until) if now < until => CircuitState::Open,
            Some(_) => CircuitState::HalfOpen,
        }
    }

    /// How often in a row the system could not be reached.
    pub const fn misses(self) -> u32 {
        self.failures
    }

    /// It answered.
    #[must_use]
    pub const fn reached(self) -> Self {
        Self { failures: 0, open_until: None }
    }

    /// It could not be reached. An open circuit stays open for at least half of its ceiling.
    #[must_use]
    pub fn missed(self, now: DateTime<Utc>, asked: Option<Duration>, chance: u32) -> Self {
        let failures = self.failures.saturating_add(1);
        let beyond = failures.saturating_sub(OPENS_AFTER - 1);
        let open_until = (beyond > 0).then(|| {
            let ceiling = OPEN.ceiling(beyond);
            let pause = (ceiling / 2 + (ceiling / 2).mul_f64(share(chance))).max(asked.unwrap_or_default());
            now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX / 4)
        });
        Self { failures, open_until }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const STEPS: Backoff = Backoff {
        first: Duration::from_secs(2),
        factor: 3,
        longest: Duration::from_secs(30),
        repetitions: 4,
    };

    #[rstest]
    #[case::nothing_failed(0, None)]
    #[case::first(1, Some(2))]
    #[case::second(2, Some(6))]
    #[case::third(3, Some(18))]
    #[case::capped(4, Some(30))]
    #[case::enough(5, None)]
    fn ceilings_grow_to_the_longest_and_end(#[case] failures: u32, #[case] ceiling: Option<u64>) {
        assert_eq!(STEPS.pause(failures, None, u32::MAX), ceiling.map(Duration::from_secs));
    }

    #[test]
    fn what_the_other_side_asks_for_is_waited_out() {
        let asked = Some(Duration::from_secs(50));
        assert_eq!(STEPS.pause(1, asked, 0), asked);
        assert_eq!(STEPS.pause(1, asked, u32::MAX), asked);
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    #[test]
    fn a_circuit_opens_after_three_failures_tries_once_and_closes_when_reached() {
        let twice = Circuit::default().missed(at(0), None, 0).missed(at(1), None, 0);
        assert!(twice.allows(at(1)));
        assert_eq!((twice.state(at(1)), twice.misses()), (CircuitState::Closed, 2));
        let open = twice.missed(at(2), None, u32::MAX);
        assert_eq!(open.open_until(at(2)), Some(at(7)));
        assert!(!open.allows(at(6)));
        assert_eq!((open.state(at(6)), open.misses()), (CircuitState::Open, 3));
        assert!(open.allows(at(7)), "it is tried again");
        assert_eq!(open.state(at(7)), CircuitState::HalfOpen);
        let again = open.missed(at(7), None, u32::MAX);
        assert_eq!(again.open_until(at(7)), Some(at(17)), "and left alone for longer");
        assert_eq!(again.reached().state(at(8)), CircuitState::Closed);
        assert!(again.reached().missed(at(20), None, u32::MAX).allows(at(20)));
    }

    proptest! {
        #[test]
        fn a_pause_is_never_above_its_ceiling(failures in 0_u32..8, chance in any::<u32>()) {
            if let Some(pause) = STEPS.pause(failures, None, chance) {
                prop_assert!(pause <= STEPS.longest);
                prop_assert!(pause <= STEPS.pause(failures, None, u32::MAX).unwrap());
            }
        }

        /// Whatever happens, a circuit lets a try through within an hour.
        #[test]
        fn no_circuit_stays_open_for_ever(
            events in prop::collection::vec((0_i64..600, any::<bool>(), any::<u32>()), 0..40),
        ) {
            let (mut circuit, mut now) = (Circuit::default(), 0);
            for (later, reached, chance) in events {
                now += later;
                circuit = if reached { circuit.reached() } else { circuit.missed(at(now), None, chance) };
                prop_assert!(circuit.allows(at(now + 60)));
                prop_assert!(!reached || circuit.allows(at(now)));
            }
        }
    }
}
