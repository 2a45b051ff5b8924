//! When what a source stated last had happened, and rows a restored ledger is in doubt about.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use chrono::{NaiveDateTime, NaiveTime, TimeDelta};
use rosterbridge_domain::{
    attendance::{NoOpReason, Source},
    held::HoldReason,
};
use rosterbridge_store::ledger::{Decision, HeldFilter, InputFile, KeyHistory, Standing, TakenOver};
use rstest::rstest;
use support::{Fixture, at, content, daily, day, hash, hold, noop, start_run, write};

/// A time of the day.
fn time(hour: u32, minute: u32) -> NaiveDateTime {
    day().and_time(NaiveTime::from_hms_opt(hour, minute, 0).unwrap())
}

impl Fixture {
    fn of_the_record(&self) -> KeyHistory {
        let key = daily(1);
        self.ledger.history(Source::Raptor, &[key]).unwrap().remove(&key).unwrap_or_default()
    }

    /// A file with one row is decided; what is to be written is.
    fn tardy(&self, name: &str, decision: Decision, happened: NaiveDateTime, second: i64) {
        let decision = Decision { happened: Some(happened), ..decision };
        self.decide(Source::Raptor, name, &[decision], second);
        for open in self.ledger.pending(Source::Raptor).unwrap() {
            self.ledger.mark_sending(&[open.id], at(second)).unwrap();
            self.ledger.mark_confirmed(&[open.id], at(second)).unwrap();
        }
    }

    fn is_outdated(&self, row: u64, happened: NaiveDateTime) -> bool {
        let history = self.of_the_record();
        self.ledger.is_outdated(Source::Raptor, &hash(row), Some(happened), &history).unwrap()
    }
}

#[test]
fn what_was_stated_last_keeps_when_it_happened() {
    let fixture = Fixture::new();
    let held = || hold(7, HoldReason::ReasonNotMapped);
    assert!(!fixture.is_outdated(7, time(8, 20)), "nothing is stated");
    fixture.tardy("a.csv", held(), time(8, 20), 1);
    fixture.tardy("b.csv", write(8, daily(1), "T"), time(8, 20), 2);
    fixture.tardy("c.csv", hold(9, HoldReason::ReasonNotMapped), time(8, 20), 3);
    assert_eq!(fixture.of_the_record().told.map(|told| told.happened), Some(time(8, 20)));
    assert!(fixture.is_outdated(7, time(8, 19)));
    assert!(fixture.is_outdated(7, time(8, 20)), "it was waiting when the other one came");
    assert!(!fixture.is_outdated(9, time(8, 20)), "it came afterwards");
    assert!(!fixture.is_outdated(10, time(8, 20)), "it has only just come");
    assert!(!fixture.is_outdated(7, time(8, 21)));

    // A later one that states the same changes nothing but that.
    fixture.tardy("d.csv", noop(11, daily(1), "T", NoOpReason::AlreadyStated), time(11, 40), 4);
    assert_eq!(fixture.of_the_record().stated.as_deref(), Some("T"));
    assert!(fixture.is_outdated(9, time(10, 0)));
    assert!(!fixture.is_outdated(9, time(11, 41)));
    // Rows that state nothing do not count.
    let superseded = noop(12, daily(1), "A", NoOpReason::Superseded);
    fixture.tardy("e.csv", superseded, time(12, 0), 5);
    assert!(!fixture.is_outdated(9, time(11, 41)));
}

/// What came after what was stated last may correct it, whatever time it tells.
#[test]
fn only_what_came_before_is_outdated() {
    let mut fixture = Fixture::new();
    let held = |row| hold(row, HoldReason::ReasonNotMapped);
    fixture.tardy("a.csv", held(1), time(8, 20), 1);
    fixture.run = start_run(&fixture.ledger, 10);
    fixture.tardy("b.csv", write(2, daily(1), "T"), time(11, 40), 11);
    fixture.tardy("c.csv", held(3), time(8, 20), 12);
    fixture.run = start_run(&fixture.ledger, 20);
    fixture.tardy("d.csv", held(4), time(8, 20), 21);
    assert!(fixture.is_outdated(1, time(8, 20)), "it waited already");
    assert!(fixture.is_outdated(3, time(8, 20)), "it came in the same run");
    assert!(!fixture.is_outdated(4, time(8, 20)), "it came afterwards, and waits since");
    assert!(!fixture.is_outdated(5, time(8, 20)), "it has only just come");
    // One that has to wait for another write has not come any sooner.
    let put_off = Decision { happened: Some(time(8, 20)), ..write(6, daily(1), "A") };
    let decisions = [put_off];
    let file = InputFile { name: "e.csv", sha256: &content(&decisions), day: day() };
    fixture.ledger.record_decisions(fixture.run, Source::Raptor, &file, &[], &decisions, at(22)).unwrap();
    assert!(!fixture.is_outdated(6, time(8, 20)));
    fixture.run = start_run(&fixture.ledger, 30);
    fixture.tardy("f.csv", write(7, daily(1), "E"), time(11, 50), 31);
    assert!(fixture.is_outdated(6, time(8, 20)));
}

#[test]
fn what_somebody_else_recorded_counts_as_well() {
    let fixture = Fixture::new();
    fixture.tardy("waits.csv", hold(2, HoldReason::ReasonNotMapped), time(8, 59), 0);
    fixture.tardy("a.csv", noop(1, daily(1), "T", NoOpReason::AlreadyRecorded), time(9, 0), 1);
    assert!(fixture.is_outdated(2, time(8, 59)));
    let write = Decision { happened: Some(time(9, 30)), ..write(3, daily(1), "A") };
    fixture.decide(Source::Raptor, "b.csv", &[write], 2);
    let open = fixture.ledger.pending(Source::Raptor).unwrap()[0].id;
    assert!(!fixture.is_outdated(2, time(9, 15)), "it does not stand yet");
    fixture.ledger.mark_already_recorded(open, at(3)).unwrap();
    assert!(fixture.is_outdated(2, time(9, 15)));
}

/// Hero's export tells a state and no time.
#[test]
fn without_a_time_nothing_is_outdated() {
    let fixture = Fixture::new();
    fixture.decide(Source::Hero, "ATTENDANCE.txt", &[noop(1, daily(1), "T", NoOpReason::AlreadyRecorded)], 1);
    let history = fixture.ledger.history(Source::Hero, &[daily(1)]).unwrap().remove(&daily(1)).unwrap();
    assert_eq!((history.stated.as_deref(), history.told), (Some("T"), None));
    for happened in [None, Some(time(8, 0))] {
        assert!(!fixture.ledger.is_outdated(Source::Hero, &hash(2), happened, &history).unwrap());
    }
}

#[rstest]
#[case::it_says_nothing_of_the_record(HoldReason::ReasonNotMapped, true)]
#[case::it_was_said_what_stands(HoldReason::CorrectedInPowerSchool, false)]
fn a_row_is_in_doubt_until_a_person_who_knows_asks_for_it(#[case] reason: HoldReason, #[case] stays: bool) {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    ledger.doubt(Source::Raptor, &[hash(1), hash(2)], at(0)).unwrap();
    ledger.doubt(Source::Raptor, &[hash(1)], at(0)).unwrap();
    assert_eq!(ledger.in_doubt(Source::Raptor).unwrap(), [hash(1), hash(2)].into());
    assert!(ledger.in_doubt(Source::Hero).unwrap().is_empty());
    fixture.decide(
        Source::Raptor,
        "a.csv",
        &[hold(1, reason), hold(2, HoldReason::CorrectedInPowerSchool)],
        1,
    );
    let held = ledger.held_waiting(&HeldFilter::default(), 9, 0).unwrap();
    ledger.retry_held(&[held[0].id], at(2)).unwrap();
    assert_eq!(ledger.in_doubt(Source::Raptor).unwrap().contains(&hash(1)), stays);
    assert!(ledger.in_doubt(Source::Raptor).unwrap().contains(&hash(2)), "nobody asked for it");
}

#[test]
fn a_doubt_is_forgotten_with_its_row_and_no_sooner() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    ledger.doubt(Source::Raptor, &[hash(1), hash(2)], at(0)).unwrap();
    fixture.decide(Source::Raptor, "a.csv", &[hold(1, HoldReason::UnknownStudent)], 1);
    ledger.forget_before(at(0)).unwrap();
    assert_eq!(ledger.in_doubt(Source::Raptor).unwrap().len(), 2, "it is not decided yet");
    ledger.forget_before(at(0) + TimeDelta::days(90)).unwrap();
    assert_eq!(ledger.in_doubt(Source::Raptor).unwrap(), [hash(1)].into(), "it is still held");
    ledger.forget_exchange().unwrap();
    assert!(ledger.in_doubt(Source::Raptor).unwrap().is_empty());
}

/// A restored ledger finds our own code and a row with another one. Once a person has asked for the row, our code is ours
/// again, and may be followed by the row's.
#[test]
fn what_was_ours_before_a_restored_ledger_found_it_stays_ours() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let wrote = |code: &str| Some((Source::Raptor, code.to_owned()));
    fixture.tardy("a.csv", write(1, daily(1), "T"), time(8, 20), 1);
    let run = start_run(ledger, 10);
    let decisions = [write(2, daily(1), "A")];
    let taken_over = TakenOver {
        rows: 0,
        decisions: &decisions,
        standing: &[].into(),
        changed: &[].into(),
        undecided: &[hash(2)].into(),
        overtaken: &[],
    };
    let file = InputFile { name: "b.csv", sha256: &content(&decisions), day: day() };
    ledger.take_over(run, Source::Raptor, &file, &taken_over, at(11)).unwrap();
    let found = KeyHistory { written: wrote("A"), only_counts: true, ..KeyHistory::default() };
    assert_eq!(fixture.of_the_record(), found);
    // No later run has written it: the first one can be undone.
    assert_eq!(ledger.written_by(fixture.run).unwrap()[0].standing, Standing::Last);
    fixture.decide(Source::Raptor, "b.csv", &[hold(2, HoldReason::CorrectedInPowerSchool)], 12);
    assert_eq!(fixture.of_the_record().written, wrote("A"));
    let held = ledger.held_waiting(&HeldFilter::default(), 9, 0).unwrap();
    ledger.retry_held(&[held[0].id], at(13)).unwrap();
    assert_eq!(fixture.of_the_record(), KeyHistory { written: wrote("T"), ..KeyHistory::default() });
}
