//! How many pages are asked for at the same time: more while PowerSchool keeps up, half as many as soon as it does not.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// Pages asked for at first.
const START: u32 = 4;

/// Pages asked for at most, so that the people who work in PowerSchool meanwhile don't notice.
pub(crate) const MOST: u32 = 16;

/// Answers after which an old best time is forgotten: later pages are dearer for a database than the first.
const MEMORY: u32 = 64;

/// How much slower than the best an answer has to be, at the least, to count as slower.
const NOTICEABLE: Duration = Duration::from_millis(100);

/// The longest pause a server is granted. Asked for a longer one, requests end with that.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Whether another page may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Now.
    Now,
    /// When an answer has come.
    AfterAnswer,
    /// When the pause the server asked for is over.
    At(Instant),
}

/// The rule: additive increase, multiplicative decrease.
///
/// A limit of pages in flight that grows by one each time as many answers have come, and is halved at an answer that
/// says the server has too much to do, or when answers take twice as long as the best of late.
#[derive(Debug)]
pub(crate) struct Pace {
    limit: u32,
    /// Answers since the limit last changed.
    answers: u32,
    /// When it was last halved. What was asked before says nothing about the new limit.
    halved_at: Option<Instant>,
    /// Until when the server asked to be left alone.
    paused_until: Option<Instant>,
    smoothed: Option<Duration>,
    /// The best time of this period of [`MEMORY`] answers and of the one before.
    best: Option<Duration>,
    best_before: Option<Duration>,
    remembered: u32,
}

impl Pace {
    pub(crate) const fn new() -> Self {
        Self {
            limit: START,
            answers: 0,
            halved_at: None,
            paused_until: None,
            smoothed: None,
            best: None,
            best_before: None,
            remembered: 0,
        }
    }

    /// Whether another page may be asked for while `in_flight` are.
    pub(crate) fn turn(&self, in_flight: u32, now: Instant) -> Turn {
        match self.paused_until {
            Some(until) if now < until => Turn::At(until),
            _ if in_flight < self.limit => Turn::Now,
            _ => Turn::AfterAnswer,
        }
    }

    /// An answer began `now` to a page asked for at `asked`.
    pub(crate) fn answered(&mut self, asked: Instant, now: Instant) {
        let took = now.saturating_duration_since(asked);
        let smoothed = self.smoothed.map_or(took, |smoothed| (smoothed * 7 + took) / 8);
        self.smoothed = Some(smoothed);
        if self.remembered == MEMORY {
            self.best_before = self.best.take();
            self.remembered = 0;
        }
        self.remembered += 1;
        self.best = Some(self.best.map_or(took, |best| best.min(took)));
        let best = [self.best, self.best_before].into_iter().flatten().min().unwrap_or(took);
        if smoothed > (best * 2).max(best + NOTICEABLE) {
            self.halve(asked, now);
            return;
        }
        self.answers += 1;
        if self.answers >= self.limit {
            self.answers = 0;
            self.limit = (self.limit + 1).min(MOST);
        }
    }

    /// The server said `now` that it has too much to do, or nothing in time, to a page asked for at `asked`.
    pub(crate) fn overloaded(&mut self, asked: Instant, now: Instant, retry_after: Option<Duration>) {
        if let Some(pause) = retry_after {
            let until = now + pause.min(LONGEST_PAUSE);
            self.paused_until = Some(self.paused_until.map_or(until, |paused| paused.max(until)));
        }
        self.halve(asked, now);
    }

    fn halve(&mut self, asked: Instant, now: Instant) {
        if self.halved_at.is_none_or(|halved| asked >= halved) {
            self.limit = (self.limit / 2).max(1);
            self.answers = 0;
            self.halved_at = Some(now);
            // What is slow now was slow under the old limit.
            self.smoothed = None;
        }
    }
}

/// Lets requests for pages through, one after the other, at the [`Pace`] they all share.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Mutex<(Pace, u32)>,
    /// Held by the request that is next.
    queue: tokio::sync::Mutex<()>,
    answered: Notify,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new((Pace::new(), 0)),
            queue: tokio::sync::Mutex::default(),
            answered: Notify::new(),
        }
    }

    /// Waits for a turn, in the order of asking. The turn lasts until what is returned is dropped.
    pub(crate) async fn enter(&self) -> InFlight<'_> {
        let _next = self.queue.lock().await;
        loop {
            let turn = {
                let (pace, in_flight) = &mut *self.state();
                let turn = pace.turn(*in_flight, Instant::now());
                if turn == Turn::Now {
                    *in_flight += 1;
                }
                turn
            };
            match turn {
                Turn::Now => return InFlight { gate: self, asked: Instant::now() },
                // Only the next one waits here, so no wake-up goes to another.
                Turn::AfterAnswer => self.answered.notified().await,
                Turn::At(until) => tokio::time::sleep_until(until.into()).await,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, (Pace, u32)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A page that is being asked for.
#[derive(Debug)]
pub(crate) struct InFlight<'a> {
    gate: &'a Gate,
    asked: Instant,
}

impl InFlight<'_> {
    /// Its answer has begun.
    pub(crate) fn answered(&self) {
        self.gate.state().0.answered(self.asked, Instant::now());
    }

    /// The server has too much to do.
    pub(crate) fn overloaded(&self, retry_after: Option<Duration>) {
        self.gate.state().0.overloaded(self.asked, Instant::now(), retry_after);
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.gate.state().1 -= 1;
        self.gate.answered.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Rounds of answers, each as many as the limit allows.
    fn rounds(pace: &mut Pace, clock: &mut Instant, count: u32, took: Duration) {
        for _ in 0..count {
            for _ in 0..pace.limit {
                let asked = *clock;
                *clock += took;
                pace.answered(asked, *clock);
            }
        }
    }

    #[test]
    fn grows_by_one_a_round_up_to_the_most() {
        let (mut pace, mut clock) = (Pace::new(), Instant::now());
        assert_eq!(pace.limit, START);
        rounds(&mut pace, &mut clock, 1, 20 * MS);
        assert_eq!(pace.limit, START + 1);
        rounds(&mut pace, &mut clock, 40, 20 * MS);
        assert_eq!(pace.limit, MOST);
        assert_eq!(pace.turn(MOST - 1, clock), Turn::Now);
        assert_eq!(pace.turn(MOST, clock), Turn::AfterAnswer);
    }

    #[rstest]
    #[case::steady(200 * MS, 200 * MS, MOST)]
    #[case::a_little_slower(200 * MS, 350 * MS, MOST)]
    #[case::fast_and_still_fast(2 * MS, 40 * MS, MOST)]
    fn keeps_its_limit_while_the_server_keeps_up(
        #[case] before: Duration,
        #[case] after: Duration,
        #[case] limit: u32,
    ) {
        let (mut pace, mut clock) = (Pace::new(), Instant::now());
        rounds(&mut pace, &mut clock, 40, before);
        rounds(&mut pace, &mut clock, 3, after);
        assert_eq!(pace.limit, limit);
    }

    #[test]
    fn rising_latency_halves_it_until_that_is_how_it_is() {
        let (mut pace, mut clock) = (Pace::new(), Instant::now());
        rounds(&mut pace, &mut clock, 40, 200 * MS);
        rounds(&mut pace, &mut clock, 1, 900 * MS);
        assert!(pace.limit <= MOST / 2, "{}", pace.limit);
        // The old best is forgotten after a while: a server that is slow throughout is no reason to crawl.
        rounds(&mut pace, &mut clock, 200, 900 * MS);
        assert_eq!(pace.limit, MOST);
    }

    #[test]
    fn one_overload_is_counted_once() {
        let (mut pace, mut clock) = (Pace::new(), Instant::now());
        rounds(&mut pace, &mut clock, 40, 20 * MS);
        let asked = clock;
        for _ in 0..MOST {
            clock += MS;
            pace.overloaded(asked, clock, None);
        }
        assert_eq!(pace.limit, MOST / 2);
        pace.overloaded(clock, clock + MS, None);
        assert_eq!(pace.limit, MOST / 4);
    }

    #[rstest]
    #[case::short(2_000 * MS, 2_000 * MS)]
    #[case::longer_than_a_run_waits(Duration::from_hours(1), LONGEST_PAUSE)]
    fn everyone_waits_as_long_as_the_server_asks(#[case] retry_after: Duration, #[case] pause: Duration) {
        let (mut pace, now) = (Pace::new(), Instant::now());
        pace.overloaded(now, now, Some(retry_after));
        // Neither a shorter wish of another answer nor none ends it early.
        pace.overloaded(now, now, Some(MS));
        pace.overloaded(now, now, None);
        assert_eq!(pace.turn(0, now), Turn::At(now + pause));
        assert_eq!(pace.turn(0, now + pause / 2), Turn::At(now + pause));
        assert_eq!(pace.turn(0, now + pause), Turn::Now);
    }

    proptest! {
        #[test]
        fn the_limit_stays_within_its_bounds_and_something_may_always_be_asked(
            events in prop::collection::vec((any::<bool>(), 0u64..5_000, prop::option::of(0u64..100)), 0..400),
        ) {
            let (mut pace, mut clock) = (Pace::new(), Instant::now());
            for (overloaded, took, retry_after) in events {
                let asked = clock;
                clock += Duration::from_millis(took);
                if overloaded {
                    pace.overloaded(asked, clock, retry_after.map(Duration::from_secs));
                } else {
                    pace.answered(asked, clock);
                }
                prop_assert!((1..=MOST).contains(&pace.limit));
                prop_assert_ne!(pace.turn(MOST, clock), Turn::Now);
                prop_assert_ne!(pace.turn(0, clock), Turn::AfterAnswer);
                prop_assert_eq!(pace.turn(0, clock + LONGEST_PAUSE), Turn::Now);
            }
        }
    }
}
