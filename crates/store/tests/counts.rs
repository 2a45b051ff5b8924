//! Counts for the numbers a profile shows about itself.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use std::collections::BTreeMap;

use rosterbridge_domain::{
    attendance::Source,
    job::{JobId, Outcome, RowCounts},
};
use rosterbridge_store::ledger::{JobResult, OutboxState, RunId, Trigger};
use support::{Fixture, at, daily, start_run, write};

const DAY: i64 = 24 * 60 * 60;

fn finish(fixture: &Fixture, run: RunId, outcome: Outcome, second: i64) {
    let rows = RowCounts { read: 10, written: 6, noop: 2, held: 1, rejected: 1 };
    let result =
        JobResult { outcome, rows, newly_held: 1, files: Vec::new(), notes: Vec::new(), cause: None };
    fixture.ledger.start_job(run, JobId::HERO_ATTENDANCE, at(second)).unwrap();
    fixture.ledger.finish_job(run, JobId::HERO_ATTENDANCE, &result, at(second)).unwrap();
    fixture.ledger.finish_run(run, outcome, None, at(second)).unwrap();
}

#[test]
fn runs_and_rows_are_those_since_then_without_dry_runs() {
    let fixture = Fixture::new();
    finish(&fixture, fixture.run, Outcome::Succeeded, 1);
    for (day, outcome) in [(1, Outcome::Failed), (2, Outcome::Failed), (3, Outcome::Succeeded)] {
        let run = start_run(&fixture.ledger, day * DAY);
        finish(&fixture, run, outcome, day * DAY + 1);
    }
    let dry = RunId::new(at(4 * DAY));
    fixture.ledger.start_run(dry, Trigger::DryRun, &[JobId::HERO_ATTENDANCE], at(4 * DAY)).unwrap();
    finish(&fixture, dry, Outcome::Succeeded, 4 * DAY + 1);
    let open = start_run(&fixture.ledger, 5 * DAY);

    let runs = |second| fixture.ledger.runs_by_outcome(at(second)).unwrap();
    assert_eq!(runs(0), BTreeMap::from([("failed", 2), ("running", 1), ("succeeded", 2)]));
    assert_eq!(runs(2 * DAY), BTreeMap::from([("failed", 1), ("running", 1), ("succeeded", 1)]));
    assert_eq!(runs(6 * DAY), BTreeMap::new());
    let rows = |second| fixture.ledger.rows_since(at(second)).unwrap();
    assert_eq!(rows(2 * DAY), RowCounts { read: 20, written: 12, noop: 4, held: 2, rejected: 2 });
    assert_eq!(rows(6 * DAY), RowCounts::default());
    let last = fixture.ledger.last_run().unwrap().unwrap();
    assert_eq!((last.started_at, last.outcome), (at(3 * DAY), Outcome::Succeeded));
    assert_ne!(last.id, open);
}

#[test]
fn writes_are_counted_by_state() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.ledger.open_writes().unwrap(),
        BTreeMap::from([("decided", 0), ("sending", 0), ("unknown", 0)])
    );
    let decisions: Vec<_> =
        (1_u8..=4).map(|student| write(student.into(), daily(student.into()), "T")).collect();
    fixture.decide(Source::Hero, "ATTENDANCE.txt", &decisions, 1);
    let ids: Vec<_> = fixture.ledger.pending(Source::Hero).unwrap().iter().map(|row| row.id).collect();
    fixture.ledger.mark_sending(&ids[1..], at(2)).unwrap();
    fixture.ledger.mark_unknown(&ids[2..3], "powerschool.timeout", at(3)).unwrap();
    fixture.ledger.mark_confirmed(&ids[3..], at(3)).unwrap();

    assert_eq!(
        fixture.ledger.open_writes().unwrap(),
        BTreeMap::from([("decided", 1), ("sending", 1), ("unknown", 1)])
    );
    let mut all = fixture.ledger.writes_by_state().unwrap();
    all.sort_by_key(|(_, state, _)| state.as_str());
    let expected = [OutboxState::Confirmed, OutboxState::Decided, OutboxState::Sending, OutboxState::Unknown];
    assert_eq!(all, expected.map(|state| (Source::Hero, state, 1)));
}

#[test]
fn the_databases_tell_their_versions() {
    let versions = Fixture::new().ledger.versions().unwrap();
    assert!(versions.sqlcipher.starts_with(|c: char| c.is_ascii_digit()), "{versions:?}");
    assert!(versions.sqlite.starts_with("3."), "{versions:?}");
}
