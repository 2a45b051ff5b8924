//! What the Raptor integration does by itself: the window, and the attempts and looks that come of it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use rosterbridge_domain::{
    following::{Following, Step},
    integration::{IntegrationEvent as E, IntegrationStatus as S},
    schedule::TimeOfDay,
    settings::{IntegrationWindow, RaptorSettings},
    window::Opening,
};
use rstest::rstest;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn window(zone: Tz, opens: &str, minutes: u16) -> IntegrationWindow {
    IntegrationWindow {
        zone,
        opens: opens.parse().unwrap(),
        minutes: minutes.try_into().unwrap(),
        ..IntegrationWindow::default()
    }
}

fn opening(opened_at: &str, closes_at: &str) -> Opening {
    Opening { opened_at: at(opened_at), closes_at: at(closes_at) }
}

/// Chicago is five hours behind UTC in summer and six in winter.
#[rstest]
#[case::summer("2026-07-15T21:00:00Z", Some(("2026-07-15T21:00:00Z", "2026-07-15T23:00:00Z")))]
#[case::its_last_moment("2026-07-15T22:59:59Z", Some(("2026-07-15T21:00:00Z", "2026-07-15T23:00:00Z")))]
#[case::over("2026-07-15T23:00:00Z", None)]
#[case::not_yet("2026-07-15T20:59:59Z", None)]
#[case::winter_too_early("2026-12-15T21:59:59Z", None)]
#[case::winter("2026-12-15T22:00:00Z", Some(("2026-12-15T22:00:00Z", "2026-12-16T00:00:00Z")))]
fn at_four_in_the_afternoon_in_chicago(#[case] now: &str, #[case] open: Option<(&str, &str)>) {
    let expected = open.map(|(opened_at, closes_at)| opening(opened_at, closes_at));
    assert_eq!(IntegrationWindow::default().open_at(at(now)), expected);
}

/// In Chicago the hour from 2:00 is skipped on 2026-03-08 (at 08:00Z), and the one from 1:00 comes twice on 2026-11-01 (from
/// 06:00Z and from 07:00Z).
#[rstest]
#[case::skipped("02:30", "2026-03-07T12:00:00Z", opening("2026-03-08T08:00:00Z", "2026-03-08T09:00:00Z"))]
#[case::open_over_the_gap(
    "01:30",
    "2026-03-07T12:00:00Z",
    opening("2026-03-08T07:30:00Z", "2026-03-08T08:30:00Z")
)]
#[case::repeated("01:30", "2026-10-31T12:00:00Z", opening("2026-11-01T06:30:00Z", "2026-11-01T07:30:00Z"))]
fn when_the_clocks_change(#[case] opens: &str, #[case] after: &str, #[case] expected: Opening) {
    let window = window(Tz::America__Chicago, opens, 60);
    assert_eq!(window.next_opening(at(after)), Some(expected));
    let middle = expected.opened_at + TimeDelta::minutes(30);
    assert_eq!(window.open_at(middle), Some(expected));
    assert_eq!(window.open_at(expected.closes_at), None);
    // Not a second time when the clocks show it again.
    let next = window.next_opening(expected.opened_at).unwrap();
    assert!(next.opened_at - expected.opened_at > TimeDelta::hours(22), "{next:?}");
}

#[test]
fn a_window_of_a_whole_day_ends_where_the_next_begins() {
    let window = window(Tz::America__Chicago, "16:00", 1440);
    let short = opening("2026-03-07T22:00:00Z", "2026-03-08T21:00:00Z");
    assert_eq!(window.open_at(at("2026-03-08T20:59:59Z")), Some(short));
    assert_eq!(window.open_at(at("2026-03-08T21:00:00Z")).unwrap().opened_at, short.closes_at);
    // On the day of 25 hours it is closed for one.
    assert_eq!(window.open_at(at("2026-11-01T21:30:00Z")), None);
}

/// One step after the other, as whoever is asked every minute carries them out.
struct Drive {
    status: S,
    following: Following,
    settings: RaptorSettings,
}

impl Drive {
    fn new() -> Self {
        let settings = RaptorSettings::default();
        Self { status: S::PendingInitialization, following: Following::default(), settings }
    }

    fn event(&mut self, event: E) {
        if let Ok(to) = self.status.after(event) {
            self.status = to;
        }
    }

    /// What is due at a moment; an attempt ends as given.
    fn at(&mut self, now: &str, succeeds: bool) -> Step {
        let now = at(now);
        let step = self.following.step(self.status, &self.settings, now);
        match step {
            Step::Wait(_) => {}
            Step::Close => {
                self.following.close();
                self.event(E::WindowClosed);
            }
            Step::Open(_) | Step::Attempt => {
                if let Step::Open(opening) = step {
                    self.following.open(opening);
                    self.event(E::WindowOpened);
                }
                self.following.attempt(now);
                self.event(if succeeds { E::SyncSucceeded } else { E::SyncFailed });
            }
            Step::Look => {
                self.following.look(now);
                self.event(if succeeds { E::FetchSucceeded } else { E::FetchFailed });
            }
        }
        step
    }
}

const WAIT_FOR_TODAY: Step = Step::Wait(Some(DateTime::from_timestamp(1_784_149_200, 0).unwrap()));
const WAIT_FOR_TOMORROW: Step = Step::Wait(Some(DateTime::from_timestamp(1_784_235_600, 0).unwrap()));

#[test]
fn from_being_switched_on_to_following() {
    let mut drive = Drive::new();
    assert_eq!(drive.at("2026-07-15T12:00:00Z", true), WAIT_FOR_TODAY);
    assert_eq!(drive.status, S::PendingInitialization);
    assert!(matches!(drive.at("2026-07-15T21:00:10Z", true), Step::Open(_)));
    assert_eq!(drive.status, S::Synchronizing);
    assert_eq!(drive.at("2026-07-15T21:00:30Z", true), Step::Look);
    assert_eq!(drive.at("2026-07-15T21:02:00Z", true), Step::Wait(Some(at("2026-07-15T21:05:30Z"))));
    assert_eq!(drive.at("2026-07-15T21:05:30Z", true), Step::Look);
    // Also past the window's end, and on the next day's opening.
    assert_eq!(drive.at("2026-07-15T23:30:00Z", true), Step::Look);
    assert_eq!(drive.at("2026-07-16T21:00:00Z", true), Step::Look);
    drive.event(E::Disabled);
    assert_eq!(drive.at("2026-07-16T21:10:00Z", true), Step::Wait(None));
}

#[test]
fn attempts_that_fail_until_the_window_closes_go_on_the_next_day() {
    let mut drive = Drive::new();
    assert!(matches!(drive.at("2026-07-15T21:00:00Z", false), Step::Open(_)));
    assert_eq!(drive.status, S::Reinitializing);
    assert_eq!(drive.at("2026-07-15T21:09:59Z", false), Step::Wait(Some(at("2026-07-15T21:10:00Z"))));
    assert_eq!(drive.at("2026-07-15T21:10:00Z", false), Step::Attempt);
    assert_eq!(drive.at("2026-07-15T22:55:00Z", false), Step::Attempt);
    // The next one would come after the end.
    assert_eq!(drive.at("2026-07-15T22:59:00Z", false), WAIT_FOR_TOMORROW);
    assert_eq!(drive.status, S::Reinitializing);
    assert_eq!(drive.at("2026-07-15T23:00:00Z", false), Step::Close);
    assert_eq!(drive.status, S::InitializationScheduled);
    assert_eq!(drive.at("2026-07-15T23:01:00Z", false), WAIT_FOR_TOMORROW);
    assert!(matches!(drive.at("2026-07-16T21:00:00Z", false), Step::Open(_)));
    assert_eq!(drive.at("2026-07-16T21:10:00Z", true), Step::Attempt);
    assert_eq!(drive.status, S::Synchronizing);
}

#[test]
fn a_fetch_that_failed_is_made_good_in_the_same_window_or_the_next() {
    let mut drive = Drive::new();
    drive.at("2026-07-15T21:00:00Z", true);
    assert_eq!(drive.at("2026-07-15T21:02:00Z", false), Step::Look);
    assert_eq!(drive.status, S::ReinitializationScheduled);
    assert_eq!(drive.at("2026-07-15T21:02:20Z", true), Step::Wait(Some(at("2026-07-15T21:10:00Z"))));
    assert_eq!(drive.at("2026-07-15T21:10:00Z", true), Step::Attempt);
    // The first one of this opening succeeded: closing it without another one changes nothing.
    assert_eq!(drive.at("2026-07-15T22:58:00Z", false), Step::Look);
    assert_eq!(drive.status, S::ReinitializationScheduled);
    assert_eq!(drive.at("2026-07-15T23:00:00Z", false), WAIT_FOR_TOMORROW);
    assert!(matches!(drive.at("2026-07-16T21:00:00Z", true), Step::Open(_)));
    assert_eq!(drive.status, S::Synchronizing);
}

#[test]
fn a_window_that_is_slept_over_is_as_if_it_had_not_been() {
    let mut drive = Drive::new();
    drive.at("2026-07-14T12:00:00Z", true);
    assert_eq!(drive.at("2026-07-15T12:00:00Z", true), WAIT_FOR_TODAY);
    assert_eq!(drive.status, S::PendingInitialization);
    // Asleep until it is nearly over.
    assert!(matches!(drive.at("2026-07-15T22:59:00Z", false), Step::Open(_)));
    // And over its end: closed on waking, once.
    assert_eq!(drive.at("2026-07-16T12:00:00Z", false), Step::Close);
    assert_eq!(drive.at("2026-07-16T12:00:20Z", false), WAIT_FOR_TOMORROW);
    // Asleep from one opening into the next.
    assert!(matches!(drive.at("2026-07-16T21:00:00Z", false), Step::Open(_)));
    assert_eq!(drive.status, S::InitializationScheduled);
    assert_eq!(drive.at("2026-07-17T21:30:00Z", false), Step::Close);
    assert!(matches!(drive.at("2026-07-17T21:30:20Z", false), Step::Open(_)));
}

#[test]
fn a_clock_that_is_put_back_repeats_nothing() {
    let mut drive = Drive::new();
    drive.at("2026-07-15T21:00:00Z", false);
    drive.at("2026-07-15T22:50:00Z", false);
    assert_eq!(drive.at("2026-07-15T23:00:00Z", false), Step::Close);
    for now in
        ["2026-07-15T22:55:00Z", "2026-07-15T20:00:00Z", "2026-07-15T21:00:00Z", "2026-07-15T22:00:00Z"]
    {
        assert_eq!(drive.at(now, false), WAIT_FOR_TOMORROW, "{now}");
    }
    assert!(matches!(drive.at("2026-07-16T21:00:00Z", false), Step::Open(_)));
    // In the middle of an opening the distance is kept from the moment it was noticed.
    assert_eq!(drive.at("2026-07-16T21:00:00Z", false), Step::Wait(Some(at("2026-07-16T21:10:00Z"))));
    drive.at("2026-07-16T22:00:00Z", false);
    assert_eq!(drive.at("2026-07-16T21:05:00Z", false), Step::Wait(Some(at("2026-07-16T21:15:00Z"))));
    assert_eq!(drive.at("2026-07-16T21:15:00Z", false), Step::Attempt);
    // One that was years ahead blocks nothing.
    drive.at("2031-07-16T21:15:00Z", false);
    drive.at("2031-07-16T21:15:20Z", false);
    assert!(matches!(drive.at("2026-07-17T21:00:00Z", true), Step::Open(_) | Step::Wait(_)));
    assert!(matches!(drive.at("2026-07-17T21:10:00Z", true), Step::Open(_)));
    assert_eq!(drive.status, S::Synchronizing);
}

#[test]
fn another_window_counts_at_once() {
    let mut drive = Drive::new();
    drive.at("2026-07-15T21:00:00Z", false);
    drive.settings.window = window(Tz::America__Chicago, "18:00", 60);
    assert_eq!(drive.at("2026-07-15T21:30:00Z", false), Step::Close, "it is not open any more");
    assert!(matches!(drive.at("2026-07-15T23:00:00Z", false), Step::Open(_)));
    drive.settings.window = window(Tz::America__Chicago, "15:00", 600);
    assert_eq!(drive.at("2026-07-15T23:20:00Z", false), Step::Close);
    assert!(matches!(drive.at("2026-07-15T23:20:20Z", true), Step::Open(_)));
    assert_eq!(drive.status, S::Synchronizing);
}

#[test]
fn looks_that_read_everything_are_made_every_hour_only() {
    let mut drive = Drive::new();
    drive.at("2026-07-15T21:00:00Z", true);
    drive.at("2026-07-15T21:00:20Z", true);
    drive.following.looked(true);
    assert_eq!(drive.at("2026-07-15T21:30:00Z", true), Step::Wait(Some(at("2026-07-15T22:00:20Z"))));
    drive.following.looked(false);
    assert_eq!(drive.at("2026-07-15T21:30:00Z", true), Step::Look);
}

const ZONES: [Tz; 6] = [
    Tz::America__Chicago,
    Tz::Europe__London,
    Tz::Australia__Lord_Howe,
    Tz::Pacific__Apia,
    Tz::Africa__Casablanca,
    Tz::UTC,
];

fn windows() -> impl Strategy<Value = IntegrationWindow> {
    let times = prop_oneof![3 => (0..4_u32, 0..60_u32), 1 => (0..24_u32, 0..60_u32)];
    let lengths = prop_oneof![4 => 1..400_u16, 1 => 1380..=1440_u16];
    (proptest::sample::select(&ZONES), times, lengths, 1..90_u16).prop_map(
        |(zone, (hour, minute), minutes, retry)| IntegrationWindow {
            zone,
            opens: TimeOfDay::new(hour, minute).unwrap(),
            minutes: minutes.try_into().unwrap(),
            retry_minutes: retry.try_into().unwrap(),
        },
    )
}

/// Days on which clocks change in some of the zones, and one on which none do.
fn days() -> impl Strategy<Value = NaiveDate> {
    let days = [
        "2026-03-06",
        "2026-03-27",
        "2026-04-02",
        "2026-10-01",
        "2026-10-23",
        "2026-10-30",
        "2026-07-15",
        "2011-12-28",
    ];
    proptest::sample::select(days.map(|day| day.parse().unwrap()).to_vec())
}

/// The openings from two days before a moment to six days after it, found by watching the zone's clocks minute by minute: a
/// date's opening is when they first show its time or a later one, and a date that they never show has none.
fn watched(window: &IntegrationWindow, from: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let opens = NaiveTime::parse_from_str(&window.opens.to_string(), "%H:%M").unwrap();
    let shown = |at: DateTime<Utc>| at.with_timezone(&window.zone).naive_local();
    let mut seen = BTreeSet::new();
    let mut openings = Vec::new();
    let mut before = shown(from - TimeDelta::days(2) - TimeDelta::minutes(1));
    for minute in -2 * 1440..6 * 1440 {
        let now = from + TimeDelta::minutes(minute);
        let local = shown(now);
        for date in [before.date(), local.date()] {
            let time = date.and_time(opens);
            if before < time && time <= local && seen.insert(date) {
                openings.push(now);
            }
        }
        before = local;
    }
    openings
}

/// What happens to whoever follows the window.
#[derive(Clone, Copy, Debug)]
enum Happens {
    /// So many minutes pass, asked about once each, while attempts and looks end like this.
    Passes(u16, bool),
    /// The same without being asked.
    Sleeps(u16),
    /// The clock goes back.
    PutBack(u16),
    /// The clock goes forward.
    PutForward(u16),
    /// The program ends in the middle of the next attempt.
    Crashes,
    Enabled,
    Disabled,
    /// A person runs it.
    Runs(bool),
}

fn happenings() -> impl Strategy<Value = Vec<Happens>> {
    let happens = prop_oneof![
        6 => (1..400_u16, any::<bool>()).prop_map(|(minutes, succeeds)| Happens::Passes(minutes, succeeds)),
        3 => (1..3000_u16).prop_map(Happens::Sleeps),
        1 => (1..200_u16).prop_map(Happens::PutBack),
        1 => (1..2000_u16).prop_map(Happens::PutForward),
        1 => Just(Happens::Crashes),
        1 => Just(Happens::Enabled),
        1 => Just(Happens::Disabled),
        1 => any::<bool>().prop_map(Happens::Runs),
    ];
    proptest::collection::vec(happens, 1..40)
}

/// Somebody who follows the window, and what they have done.
struct Follower {
    status: S,
    following: Following,
    settings: RaptorSettings,
    now: DateTime<Utc>,
    crashing: bool,
    /// Whether a full synchronization has succeeded with no failure since.
    good: bool,
    /// When attempts and looks began, since the clock was last put back or it was switched on.
    attempts: Vec<DateTime<Utc>>,
    looks: Vec<DateTime<Utc>>,
    opened: BTreeSet<DateTime<Utc>>,
    closed: BTreeSet<DateTime<Utc>>,
    /// The opening that was begun last.
    current: Option<DateTime<Utc>>,
    put_back: u32,
}

impl Follower {
    fn event(&mut self, event: E) {
        let before = self.status;
        match self.status.after(event) {
            Ok(to) => self.status = to,
            Err(_) => return,
        }
        match (before, self.status) {
            (S::Synchronizing, S::Synchronizing) => {}
            (_, S::Synchronizing) => {
                assert!(!self.good, "initialized twice without a failure in between");
                self.good = true;
            }
            (S::Synchronizing, _) | (_, S::PendingInitialization) => self.good = false,
            _ => {}
        }
    }

    /// The program ends and starts again: what was kept is all there is.
    fn restart(&mut self) {
        let kept = serde_json::to_string(&self.following).unwrap();
        self.following = serde_json::from_str(&kept).unwrap();
    }

    fn ask(&mut self, succeeds: bool) {
        let now = self.now;
        let before = self.following.clone();
        let step = self.following.step(self.status, &self.settings, now);
        match step {
            Step::Wait(next) => {
                assert_eq!(next.is_none(), self.status == S::Disabled);
                assert!(next.is_none_or(|next| next > now), "{next:?} is not after {now}");
            }
            Step::Close => {
                let closed = self.current.expect("one was opened");
                assert!(self.closed.insert(closed) || self.put_back > 1200, "{closed} closed twice");
                self.following.close();
                self.event(E::WindowClosed);
            }
            Step::Open(_) | Step::Attempt => {
                let open = self.settings.window.open_at(now).expect("an attempt only while it is open");
                if let Step::Open(opening) = step {
                    assert_eq!(opening, open);
                    let new = self.opened.insert(opening.opened_at);
                    assert!(new || self.put_back > 1200, "{opening:?} opened twice");
                    self.current = Some(opening.opened_at);
                    self.following.open(opening);
                    self.event(E::WindowOpened);
                }
                assert_ne!(self.status, S::PendingInitialization);
                let distance = TimeDelta::minutes(self.settings.window.retry_minutes.minutes().into());
                assert!(self.attempts.last().is_none_or(|last| now - *last >= distance));
                self.attempts.push(now);
                self.following.attempt(now);
                if std::mem::take(&mut self.crashing) {
                    self.restart();
                } else {
                    self.event(if succeeds { E::SyncSucceeded } else { E::SyncFailed });
                }
            }
            Step::Look => {
                assert_eq!(self.status, S::Synchronizing);
                let distance = TimeDelta::minutes(self.settings.follow_minutes.minutes().into());
                assert!(self.looks.last().is_none_or(|last| now - *last >= distance));
                self.looks.push(now);
                self.following.look(now);
                self.event(if succeeds { E::FetchSucceeded } else { E::FetchFailed });
            }
        }
        if self.following != before {
            let after = self.following.clone();
            self.restart();
            assert_eq!(self.following, after, "all of it is kept");
        }
    }

    fn happen(&mut self, happens: Happens) {
        match happens {
            Happens::Passes(minutes, succeeds) => {
                for _ in 0..minutes {
                    self.now += TimeDelta::minutes(1);
                    self.ask(succeeds);
                }
            }
            Happens::Sleeps(minutes) => {
                self.now += TimeDelta::minutes(minutes.into());
                self.restart();
            }
            Happens::PutForward(minutes) => self.now += TimeDelta::minutes(minutes.into()),
            Happens::PutBack(minutes) => {
                self.now -= TimeDelta::minutes(minutes.into());
                self.put_back += u32::from(minutes);
                // From here on the distance counts.
                let now = self.now;
                for times in [&mut self.attempts, &mut self.looks] {
                    for time in times {
                        *time = now.min(*time);
                    }
                }
            }
            Happens::Crashes => self.crashing = true,
            Happens::Enabled if self.status == S::Disabled => {
                self.following = Following::default();
                (self.attempts, self.looks) = (Vec::new(), Vec::new());
                (self.opened, self.closed, self.current) = (BTreeSet::new(), BTreeSet::new(), None);
                self.event(E::Enabled);
            }
            Happens::Enabled => self.event(E::Enabled),
            Happens::Disabled => self.event(E::Disabled),
            Happens::Runs(succeeds) if self.status != S::Disabled => {
                if self.status == S::PendingInitialization {
                    self.event(E::WindowOpened);
                }
                self.event(if succeeds { E::SyncSucceeded } else { E::SyncFailed });
            }
            Happens::Runs(_) => {}
        }
    }
}

proptest! {
    #[test]
    fn the_window_is_as_the_clocks_on_the_wall_say(
        window in windows(),
        day in days(),
        minutes in proptest::collection::vec(0..4 * 1440_i64, 12),
    ) {
        let from = day.and_hms_opt(0, 0, 0).unwrap().and_utc();
        let openings = watched(&window, from);
        for minute in minutes {
            let now = from + TimeDelta::minutes(minute);
            let last = openings.iter().rfind(|opened_at| **opened_at <= now).unwrap();
            let next = *openings.iter().find(|opened_at| **opened_at > now).unwrap();
            let length = TimeDelta::minutes(window.minutes.minutes().into());
            let expected = (now < *last + length)
                .then(|| Opening { opened_at: *last, closes_at: next.min(*last + length) });
            prop_assert_eq!(window.open_at(now), expected, "at {}", now);
            prop_assert_eq!(window.next_opening(now).map(|opening| opening.opened_at), Some(next));
        }
    }

    #[test]
    fn whatever_happens_the_rules_hold_and_it_is_initialized_in_the_end(
        window in windows(),
        follow in 1..60_u16,
        day in days(),
        happenings in happenings(),
    ) {
        let settings =
            RaptorSettings { window, follow_minutes: follow.try_into().unwrap(), ..RaptorSettings::default() };
        let mut follower = Follower {
            status: S::Disabled,
            following: Following::default(),
            settings,
            now: day.and_hms_opt(0, 0, 0).unwrap().and_utc(),
            crashing: false,
            good: false,
            attempts: Vec::new(),
            looks: Vec::new(),
            opened: BTreeSet::new(),
            closed: BTreeSet::new(),
            current: None,
            put_back: 0,
        };
        follower.happen(Happens::Enabled);
        for happens in happenings {
            follower.happen(happens);
        }
        follower.crashing = false;
        follower.happen(Happens::Enabled);
        // Two days are enough from any moment; one more in case the zone leaves out a date, and what is left of a clock
        // that was put back.
        let mut left = 3 * 1440 + follower.put_back;
        while follower.status != S::Synchronizing {
            prop_assert!(left > 0, "still {} at {}", follower.status, follower.now);
            left -= 1;
            follower.happen(Happens::Passes(1, true));
        }
    }
}
