//! Decisions, the way of a write through the outbox, and held rows.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;
use rosterbridge_domain::{
    attendance::{AttendanceKey, NoOpReason, Source},
    held::HoldReason,
};
use rosterbridge_store::{
    Ledger, StoreError,
    ledger::{
        DecisionOutcome, Fixed, HeldFilter, HeldId, HeldState, KeptRow, KeyHistory, OutboxId, OutboxState,
        RowEventKind, RowFate, TraceFilter,
    },
};
use rstest::rstest;
use support::{
    Fixture, KEY, at, attendance, daily, decision, hash, hold, meeting, noop, reject, start_run, write,
};

const FILE: &str = "ATTENDANCE.txt";

fn only_pending(ledger: &Ledger, source: Source) -> OutboxId {
    match ledger.pending(source).unwrap().as_slice() {
        [row] => row.id,
        rows => panic!("{} rows pending", rows.len()),
    }
}

fn history(ledger: &Ledger, source: Source, key: AttendanceKey) -> KeyHistory {
    ledger.history(source, &[key]).unwrap().remove(&key).unwrap_or_default()
}

fn send_and_confirm(ledger: &Ledger, source: Source, second: i64) -> OutboxId {
    let id = only_pending(ledger, source);
    ledger.mark_sending(&[id], at(second)).unwrap();
    ledger.mark_confirmed(&[id], at(second)).unwrap();
    id
}

#[test]
fn a_write_comes_back_as_it_went_in() {
    let fixture = Fixture::new();
    let mut full = attendance(meeting(7, 81, 3), "T");
    full.comment = "late — Zoë".to_owned();
    full.replaces = Some(rosterbridge_domain::id::AttendanceDcid::new(99));
    full.previous_code = Some("A".to_owned());
    let mut row = write(4, full.key, "T");
    row.outcome = DecisionOutcome::Write(full.clone());
    let plain = write(5, daily(7), "T");
    let counts = fixture.decide(Source::Raptor, "tardies.csv", &[row.clone(), plain], 1);
    assert_eq!(counts.all(), [2, 0, 0, 0, 0, 0]);

    let path = fixture.path();
    drop(fixture.ledger);
    let pending = Ledger::open(&path, &KEY, at(0)).unwrap().pending(Source::Raptor).unwrap();
    assert_eq!(pending.len(), 2);
    let first = &pending[0];
    assert_eq!(first.write, full);
    assert_eq!((first.revision, first.state, first.source), (1, OutboxState::Decided, Source::Raptor));
    assert_eq!((first.file.as_str(), first.line, first.row_hash), ("tardies.csv", 4, row.row_hash));
    assert_eq!((first.student_number, first.run, first.decided_at), (row.student_number, fixture.run, at(1)));
    assert_eq!(pending[1].write, attendance(daily(7), "T"));
}

/// Which marks are allowed in which state.
#[rstest]
#[case(OutboxState::Decided, [true, false, false, false, true, true])]
#[case(OutboxState::Sending, [false, true, true, true, true, false])]
#[case(OutboxState::Unknown, [false, true, true, true, true, false])]
#[case(OutboxState::Confirmed, [false; 6])]
#[case(OutboxState::AlreadyRecorded, [false; 6])]
#[case(OutboxState::Held, [false; 6])]
fn moves(#[case] from: OutboxState, #[case] allowed: [bool; 6]) {
    for (mark, allowed) in allowed.into_iter().enumerate() {
        let fixture = Fixture::new();
        let ledger = &fixture.ledger;
        fixture.decide(Source::Hero, FILE, &[write(1, daily(1), "T")], 1);
        let id = only_pending(ledger, Source::Hero);
        if matches!(from, OutboxState::Sending | OutboxState::Unknown | OutboxState::Confirmed) {
            ledger.mark_sending(&[id], at(2)).unwrap();
        }
        match from {
            OutboxState::Decided | OutboxState::Sending => {}
            OutboxState::Unknown => ledger.mark_unknown(&[id], "powerschool.timeout", at(3)).unwrap(),
            OutboxState::Confirmed => ledger.mark_confirmed(&[id], at(3)).unwrap(),
            OutboxState::Held => assert!(ledger.mark_held(id, HoldReason::ExistingCode, "", at(3)).unwrap()),
            OutboxState::AlreadyRecorded => ledger.mark_already_recorded(id, at(3)).unwrap(),
        }
        let (to, answer) = match mark {
            0 => (OutboxState::Sending, ledger.mark_sending(&[id], at(4))),
            1 => (OutboxState::Confirmed, ledger.mark_confirmed(&[id], at(4))),
            2 => (OutboxState::Unknown, ledger.mark_unknown(&[id], "powerschool.reset", at(4))),
            3 => (OutboxState::Decided, ledger.mark_decided_again(&[id], at(4))),
            4 => (OutboxState::Held, ledger.mark_held(id, HoldReason::SeveralRecords, "", at(4)).map(|_| ())),
            _ => (OutboxState::AlreadyRecorded, ledger.mark_already_recorded(id, at(4))),
        };
        let state = ledger.outbox_row(id).unwrap().unwrap().state;
        match answer {
            Ok(()) => assert!(allowed && state == to, "{from:?} to {to:?}"),
            Err(StoreError::NotInState { id: named }) => {
                assert!(!allowed && state == from && named == id.0, "{from:?} to {to:?}");
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn one_wrong_id_moves_nothing() {
    let fixture = Fixture::new();
    fixture.decide(Source::Hero, FILE, &[write(1, daily(1), "T"), write(2, daily(2), "T")], 1);
    let ids: Vec<_> = fixture.ledger.pending(Source::Hero).unwrap().iter().map(|row| row.id).collect();
    fixture.ledger.mark_sending(&[ids[0]], at(2)).unwrap();
    fixture.ledger.mark_confirmed(&ids, at(3)).unwrap_err();
    let states: Vec<_> = fixture.ledger.pending(Source::Hero).unwrap().iter().map(|row| row.state).collect();
    assert_eq!(states, [OutboxState::Sending, OutboxState::Decided]);
    assert_eq!(history(&fixture.ledger, Source::Hero, daily(1)), KeyHistory::default());
}

#[test]
fn tardy_absent_tardy_again_are_three_revisions() {
    let fixture = Fixture::new();
    let key = meeting(1, 10, 2);
    let mut ids = Vec::new();
    for (second, code) in [(1, "T"), (2, "A"), (3, "T")] {
        // The first and the third row are the same text.
        let row = write(if code == "T" { 1 } else { 2 }, key, code);
        fixture.decide(Source::Hero, FILE, &[row], second);
        ids.push(send_and_confirm(&fixture.ledger, Source::Hero, second));
        let known = history(&fixture.ledger, Source::Hero, key);
        assert_eq!(known.stated.as_deref(), Some(code));
        assert_eq!(known.written, Some((Source::Hero, code.to_owned())));
    }
    let revisions: Vec<_> =
        ids.iter().map(|id| fixture.ledger.outbox_row(*id).unwrap().unwrap().revision).collect();
    assert_eq!(revisions, [1, 2, 3]);
    assert_eq!(fixture.ledger.pending(Source::Hero).unwrap(), []);
}

#[test]
fn history_tells_sources_and_keys_apart() {
    let fixture = Fixture::new();
    fixture.decide(Source::Hero, FILE, &[write(1, meeting(1, 10, 2), "T")], 1);
    send_and_confirm(&fixture.ledger, Source::Hero, 2);
    let keys = [meeting(1, 10, 2), meeting(1, 10, 3), meeting(1, 11, 2), daily(1), meeting(2, 10, 2)];
    let raptor = fixture.ledger.history(Source::Raptor, &keys).unwrap();
    assert_eq!(raptor.len(), 1, "only the record that was written");
    let known = &raptor[&keys[0]];
    assert_eq!((known.stated.clone(), known.written.clone()), (None, Some((Source::Hero, "T".to_owned()))));
    assert_eq!(known.as_history().written, Some((Source::Hero, "T")));
}

#[test]
fn what_is_stated_is_what_stands_in_powerschool() {
    let fixture = Fixture::new();
    let stated = |student| history(&fixture.ledger, Source::Hero, daily(student)).stated;
    fixture.decide(
        Source::Hero,
        FILE,
        &[
            noop(1, daily(1), "T", NoOpReason::AlreadyRecorded),
            noop(2, daily(2), "T", NoOpReason::Superseded),
            noop(3, daily(3), "T", NoOpReason::NotTardy),
            write(4, daily(4), "T"),
            write(5, daily(5), "T"),
        ],
        1,
    );
    assert_eq!(stated(1).as_deref(), Some("T"), "PowerSchool holds it already");
    assert_eq!((stated(2), stated(3), stated(4)), (None, None, None));
    // A write that ends up held was never stated, so that the row is decided afresh when it is retried.
    let last = fixture.ledger.pending(Source::Hero).unwrap()[1].id;
    fixture.ledger.mark_held(last, HoldReason::RefusedByPowerSchool, "code", at(2)).unwrap();
    assert_eq!(stated(5), None);
}

#[test]
fn the_revision_of_the_statements_tells_changes_and_no_repetitions() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let revision = || ledger.stated_revision().unwrap();
    let mut seen = vec![revision()];
    let mut is_new = |what: &str| {
        let now = revision();
        assert!(!seen.contains(&now), "{what} is not counted");
        seen.push(now);
    };
    let same = |before: String, what: &str| assert_eq!(revision(), before, "{what} is counted");

    fixture.decide(Source::Hero, FILE, &[write(1, daily(1), "T")], 1);
    same(String::new(), "a decision");
    send_and_confirm(ledger, Source::Hero, 2);
    is_new("a written code");
    let before = revision();
    fixture.decide(Source::Hero, FILE, &[noop(1, daily(1), "T", NoOpReason::AlreadyStated)], 3);
    same(before, "the same statement");
    fixture.decide(Source::Hero, FILE, &[noop(2, daily(1), "A", NoOpReason::AlreadyRecorded)], 4);
    is_new("another code");
    fixture.decide(Source::Hero, FILE, &[noop(1, daily(1), "T", NoOpReason::AlreadyRecorded)], 5);
    is_new("the former code");
    ledger.forget_exchange().unwrap();
    is_new("what is forgotten");
}

#[test]
fn a_code_somebody_else_recorded_first_is_stated_but_not_ours() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    fixture.decide(Source::Raptor, "a.csv", &[write(1, daily(1), "T")], 1);
    ledger.mark_already_recorded(only_pending(ledger, Source::Raptor), at(2)).unwrap();
    let known = history(ledger, Source::Raptor, daily(1));
    assert_eq!((known.stated.as_deref(), known.written), (Some("T"), None));
    assert_eq!(ledger.pending(Source::Raptor).unwrap(), []);
    assert_eq!(ledger.delivered(Source::Raptor, &[hash(1)]).unwrap(), [hash(1)].into());
    // The record takes the source's next statement.
    fixture.decide(Source::Raptor, "b.csv", &[write(2, daily(1), "A")], 3);
    assert_eq!(ledger.pending(Source::Raptor).unwrap()[0].revision, 2);
}

#[rstest]
#[case::same_source(Source::Hero)]
#[case::other_source(Source::Raptor)]
fn a_record_has_one_write_under_way(#[case] second: Source) {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    fixture.decide(Source::Hero, FILE, &[write(1, daily(1), "T")], 1);
    let rows = [write(8, daily(2), "T"), hold(9, HoldReason::UnknownCode), write(10, daily(1), "A")];
    match support::record(ledger, fixture.run, second, "later.txt", &rows, at(2)) {
        Err(StoreError::UnsettledWrite { line: 10 }) => {}
        other => panic!("{other:?}"),
    }
    // All or nothing: the rows before it are not recorded either.
    assert_eq!(ledger.held_count().unwrap(), 0);
    assert_eq!(ledger.delivered(second, &[hash(8)]).unwrap(), HashSet::new());

    send_and_confirm(ledger, Source::Hero, 3);
    support::record(ledger, fixture.run, second, "later.txt", &rows, at(4)).unwrap();
    assert_eq!(ledger.pending(second).unwrap().len(), 2);
}

#[test]
fn after_a_crash_everything_under_way_is_found_in_order() {
    let fixture = Fixture::new();
    let rows: Vec<_> = (1..=5).map(|row| write(row, daily(i64::try_from(row).unwrap()), "T")).collect();
    fixture.decide(Source::Hero, FILE, &rows, 1);
    let ids: Vec<_> = fixture.ledger.pending(Source::Hero).unwrap().iter().map(|row| row.id).collect();
    fixture.ledger.mark_sending(&ids[1..4], at(2)).unwrap();
    fixture.ledger.mark_unknown(&ids[2..3], "powerschool.timeout", at(3)).unwrap();
    fixture.ledger.mark_confirmed(&ids[3..4], at(3)).unwrap();
    let path = fixture.path();
    drop(fixture.ledger);

    let ledger = Ledger::open(&path, &KEY, at(0)).unwrap();
    let pending: Vec<_> =
        ledger.pending(Source::Hero).unwrap().iter().map(|row| (row.id, row.state)).collect();
    assert_eq!(
        pending,
        [
            (ids[0], OutboxState::Decided),
            (ids[1], OutboxState::Sending),
            (ids[2], OutboxState::Unknown),
            (ids[4], OutboxState::Decided)
        ]
    );
    assert_eq!(ledger.outbox_row(ids[2]).unwrap().unwrap().reason, "powerschool.timeout");
    assert_eq!(ledger.pending(Source::Raptor).unwrap(), []);
}

#[test]
fn a_row_is_delivered_once_its_decision_is_final() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    fixture.decide(
        Source::Raptor,
        "a.csv",
        &[
            write(1, daily(1), "T"),
            noop(2, daily(2), "T", NoOpReason::NotTardy),
            hold(3, HoldReason::UnknownStudent),
            reject(4),
            write(5, daily(5), "T"),
        ],
        1,
    );
    let all: Vec<_> = (1..=6).map(hash).collect();
    let delivered = |source| ledger.delivered(source, &all).unwrap();
    assert_eq!(delivered(Source::Raptor), [1, 2, 4, 5].map(hash).into());
    assert_eq!(delivered(Source::Hero), HashSet::new());

    let last = ledger.pending(Source::Raptor).unwrap()[1].id;
    ledger.mark_held(last, HoldReason::ExistingCode, "A", at(2)).unwrap();
    assert_eq!(delivered(Source::Raptor), [1, 2, 4].map(hash).into(), "a write that is held is not final");

    let held = ledger.held(10, 0, None).unwrap();
    ledger.discard_held(&[held[0].id], at(3)).unwrap();
    assert_eq!(delivered(Source::Raptor), [1, 2, 3, 4].map(hash).into(), "a discarded row is");
}

#[test]
fn a_file_delivered_again_does_not_double_the_list() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let rows = [hold(1, HoldReason::UnknownStudent), hold(2, HoldReason::UnknownCode), reject(3)];
    assert_eq!(fixture.decide(Source::Raptor, "a.csv", &rows, 1).all(), [0, 0, 2, 2, 1, 1]);
    let again = start_run(ledger, 60);
    let counts = support::record(ledger, again, Source::Raptor, "b.csv", &rows, at(61)).unwrap();
    assert_eq!(support::Counts(counts).all(), [0, 0, 2, 0, 1, 0]);

    let held = ledger.held(10, 0, Some(HeldState::Open)).unwrap();
    assert_eq!(held.len(), 2);
    let first = &held[0];
    assert_eq!((first.first_seen, first.last_seen), (at(1), at(61)));
    assert_eq!((first.file.as_str(), first.run, first.raw.as_str()), ("b.csv", again, rows[0].raw.as_str()));
    assert_eq!((first.reason, first.detail.as_str()), (HoldReason::UnknownStudent, "row in question"));
    assert_eq!(first.student_number, rows[0].student_number);

    assert_eq!(
        fixture.decide(Source::Hero, FILE, &rows[..1], 70).all(),
        [0, 0, 1, 1, 0, 0],
        "another source's row is another"
    );
    assert_eq!(
        ledger.held_by_reason().unwrap(),
        [(HoldReason::UnknownStudent, 2), (HoldReason::UnknownCode, 1)]
    );
    assert_eq!(ledger.held(1, 1, None).unwrap()[0].row_hash, hash(2), "a page");
    let details = |source, reason| ledger.held_details(source, reason, 9).unwrap();
    assert_eq!(details(Source::Raptor, HoldReason::UnknownStudent), ["row in question"]);
    assert_eq!(details(Source::Hero, HoldReason::UnknownCode), [""; 0], "another source's");
    ledger.discard_held(&[held[0].id], at(80)).unwrap();
    assert_eq!(details(Source::Raptor, HoldReason::UnknownStudent), [""; 0], "nothing waits for it any more");
}

#[test]
fn another_decision_takes_a_row_off_the_list() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let hold_three: Vec<_> = (1..=4).map(|row| hold(row, HoldReason::ReasonNotMapped)).collect();
    fixture.decide(Source::Raptor, "a.csv", &hold_three, 1);
    fixture.decide(
        Source::Raptor,
        "a.csv",
        &[
            write(1, daily(1), "T"),
            noop(2, daily(2), "T", NoOpReason::AlreadyRecorded),
            reject(3),
            // Says nothing about the row itself.
            noop(4, daily(4), "T", NoOpReason::AlreadyDelivered),
        ],
        2,
    );
    let states: Vec<_> = ledger.held(10, 0, None).unwrap().iter().map(|row| row.state).collect();
    assert_eq!(states, [HeldState::Resolved, HeldState::Resolved, HeldState::Resolved, HeldState::Open]);
    assert_eq!(ledger.held_count().unwrap(), 1);

    assert!(ledger.resolve_held(Source::Raptor, &hash(4), at(3)).unwrap());
    assert!(!ledger.resolve_held(Source::Raptor, &hash(4), at(3)).unwrap());
    assert_eq!(ledger.held_count().unwrap(), 0);

    // Held once more, it is a new entry.
    assert_eq!(fixture.decide(Source::Raptor, "a.csv", &hold_three[1..2], 3).all(), [0, 0, 1, 1, 0, 0]);
}

#[test]
fn a_person_retries_and_discards() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let rows = [hold(1, HoldReason::UnknownStudent), hold(2, HoldReason::UnknownStudent)];
    fixture.decide(Source::Raptor, "a.csv", &rows, 1);
    let ids: Vec<_> = ledger.held(10, 0, None).unwrap().iter().map(|row| row.id).collect();

    ledger.retry_held(&ids[..1], at(2)).unwrap();
    assert_eq!(ledger.held(10, 0, Some(HeldState::Retried)).unwrap().len(), 1);
    assert_eq!(ledger.held_count().unwrap(), 2, "it still waits");
    assert_eq!(fixture.decide(Source::Raptor, "a.csv", &rows[..1], 2).all(), [0, 0, 1, 0, 0, 0]);
    assert_eq!(ledger.held(10, 0, Some(HeldState::Open)).unwrap().len(), 2, "held for the same cause");

    ledger.discard_held(&ids[1..], at(3)).unwrap();
    assert_eq!(fixture.decide(Source::Raptor, "a.csv", &rows[1..], 4).all(), [0, 1, 0, 0, 0, 0]);
    assert_eq!(ledger.held_count().unwrap(), 1, "it stays discarded when it comes again");

    assert_eq!(ledger.discard_held(&ids, at(5)).unwrap_err().code(), "store.not_found");
    assert_eq!(ledger.held_count().unwrap(), 1, "all or nothing");
    assert_eq!(ledger.retry_held(&ids[1..], at(6)).unwrap_err().code(), "store.not_found");
}

#[test]
fn a_held_row_is_kept_with_what_it_states_until_it_is_settled() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let rows = [hold(1, HoldReason::UnknownStudent), hold(2, HoldReason::UnknownStudent)];
    fixture.decide(Source::Raptor, "a.csv", &rows, 1);
    fixture.decide(Source::Hero, FILE, &[hold(3, HoldReason::UnknownStudent)], 1);
    let ids: Vec<_> = ledger.held(10, 0, None).unwrap().iter().map(|row| row.id).collect();
    let hashes = |kept| ledger.held_hashes(Source::Raptor, kept).unwrap();
    assert_eq!((hashes(true).len(), hashes(false).len()), (0, 2));
    assert_eq!(ledger.kept_rows(&ids).unwrap(), []);

    ledger.keep_fields(Source::Raptor, &[(hash(2), "two".to_owned()), (hash(9), "nine".to_owned())]).unwrap();
    assert_eq!((hashes(true), hashes(false)), ([(hash(2), ids[1])].into(), [(hash(1), ids[0])].into()));
    let kept = ledger.kept_rows(&ids).unwrap();
    assert_eq!(kept.len(), 1);
    let KeptRow { row_hash, file, line, raw, fields, .. } = &kept[0];
    assert_eq!((*row_hash, file.as_str(), *line, fields.as_str()), (hash(2), "a.csv", 2, "two"));
    assert_eq!(*raw, rows[1].raw);

    // Held again, also under another name, it stays so; a person may ask for it.
    fixture.decide(Source::Raptor, "b.csv", &rows, 2);
    ledger.retry_held(&ids[1..2], at(3)).unwrap();
    assert_eq!(ledger.kept_rows(&ids).unwrap(), kept);
    ledger.discard_held(&ids[1..2], at(4)).unwrap();
    assert_eq!((ledger.kept_rows(&ids).unwrap(), hashes(true).len()), (Vec::new(), 0));
}

#[test]
fn a_write_that_is_held_comes_from_its_row() {
    let fixture = Fixture::new();
    let row = write(6, daily(1), "T");
    fixture.decide(Source::Hero, FILE, std::slice::from_ref(&row), 1);
    let id = only_pending(&fixture.ledger, Source::Hero);
    fixture.ledger.mark_sending(&[id], at(2)).unwrap();
    assert!(
        fixture.ledger.mark_held(id, HoldReason::RefusedByPowerSchool, "comment too long", at(3)).unwrap()
    );
    let held = fixture.ledger.held(10, 0, Some(HeldState::Open)).unwrap().remove(0);
    assert_eq!((held.raw, held.row_hash, held.line, held.file.as_str()), (row.raw, row.row_hash, 6, FILE));
    assert_eq!((held.reason, held.detail.as_str()), (HoldReason::RefusedByPowerSchool, "comment too long"));
    assert_eq!((held.student_number, held.run, held.first_seen), (row.student_number, fixture.run, at(3)));

    // Decided to be written after all, as its next revision.
    fixture.decide(Source::Hero, FILE, &[write(6, daily(1), "T")], 4);
    assert_eq!(fixture.ledger.held_count().unwrap(), 0);
    let id = send_and_confirm(&fixture.ledger, Source::Hero, 5);
    assert_eq!(fixture.ledger.outbox_row(id).unwrap().unwrap().revision, 2);
}

/// One thing that can happen to the ledger.
#[derive(Clone, Debug)]
enum Step {
    Decide { hero: bool, key: usize, code: &'static str },
    Mark { which: usize, mark: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (any::<bool>(), 0..4_usize, prop::sample::select(vec!["T", "A"]))
            .prop_map(|(hero, key, code)| Step::Decide { hero, key, code }),
        (any::<prop::sample::Index>(), 0..6_u8)
            .prop_map(|(which, mark)| Step::Mark { which: which.index(1 << 16), mark }),
    ]
}

/// What the ledger should hold, kept in plain memory.
#[derive(Default)]
struct Model {
    rows: Vec<(OutboxId, Source, usize, &'static str, OutboxState)>,
    written: BTreeMap<usize, (Source, String)>,
    stated: BTreeMap<(Source, usize), String>,
}

const OPEN: [OutboxState; 3] = [OutboxState::Decided, OutboxState::Sending, OutboxState::Unknown];

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_record_has_one_write_under_way(steps in prop::collection::vec(step(), 1..40)) {
        let keys = [daily(1), daily(2), meeting(1, 10, 1), meeting(1, 10, 2)];
        let fixture = Fixture::new();
        let ledger = &fixture.ledger;
        let mut model = Model::default();
        for (row, step) in (1..).zip(steps) {
            let now = at(i64::try_from(row).unwrap());
            match step {
                Step::Decide { hero, key, code } => {
                    let source = if hero { Source::Hero } else { Source::Raptor };
                    let open = model.rows.iter().any(|(_, _, of, _, state)| *of == key && OPEN.contains(state));
                    let answer =
                        support::record(ledger, fixture.run, source, FILE, &[write(row, keys[key], code)], now);
                    prop_assert_eq!(answer.is_ok(), !open);
                    if !open {
                        let id = ledger.pending(source).unwrap().last().unwrap().id;
                        model.rows.push((id, source, key, code, OutboxState::Decided));
                    }
                }
                Step::Mark { which, mark } => {
                    if model.rows.is_empty() {
                        continue;
                    }
                    let index = which % model.rows.len();
                    let (id, source, key, code, state) = &mut model.rows[index];
                    let under_way = matches!(state, OutboxState::Sending | OutboxState::Unknown);
                    let (to, allowed, answer) = match mark {
                        0 => (OutboxState::Sending, *state == OutboxState::Decided, ledger.mark_sending(&[*id], now)),
                        1 => (OutboxState::Confirmed, under_way, ledger.mark_confirmed(&[*id], now)),
                        2 => (OutboxState::Unknown, under_way, ledger.mark_unknown(&[*id], "x", now)),
                        3 => (OutboxState::Decided, under_way, ledger.mark_decided_again(&[*id], now)),
                        4 => (
                            OutboxState::Held,
                            OPEN.contains(state),
                            ledger.mark_held(*id, HoldReason::ExistingCode, "", now).map(|_| ()),
                        ),
                        _ => (
                            OutboxState::AlreadyRecorded,
                            *state == OutboxState::Decided,
                            ledger.mark_already_recorded(*id, now),
                        ),
                    };
                    prop_assert_eq!(answer.is_ok(), allowed);
                    if allowed {
                        *state = to;
                        if to == OutboxState::Confirmed {
                            model.written.insert(*key, (*source, (*code).to_owned()));
                        }
                        if matches!(to, OutboxState::Confirmed | OutboxState::AlreadyRecorded) {
                            model.stated.insert((*source, *key), (*code).to_owned());
                        }
                    }
                }
            }
        }

        let mut revisions: BTreeMap<(Source, usize), u32> = BTreeMap::new();
        for (id, source, key, code, state) in &model.rows {
            let row = ledger.outbox_row(*id).unwrap().unwrap();
            let revision = revisions.entry((*source, *key)).or_default();
            *revision += 1;
            prop_assert_eq!((row.state, row.revision, row.write.code.as_str()), (*state, *revision, *code));
        }
        for source in [Source::Hero, Source::Raptor] {
            let expected: Vec<_> = model.rows.iter()
                .filter(|(_, of, _, _, state)| *of == source && OPEN.contains(state))
                .map(|(id, ..)| *id)
                .collect();
            let pending: Vec<_> = ledger.pending(source).unwrap().iter().map(|row| row.id).collect();
            prop_assert_eq!(pending, expected);
            let histories = ledger.history(source, &keys).unwrap();
            for (index, key) in keys.iter().enumerate() {
                let known = histories.get(key).cloned().unwrap_or_default();
                prop_assert_eq!(known.stated.as_ref(), model.stated.get(&(source, index)));
                prop_assert_eq!(known.written.as_ref(), model.written.get(&index));
            }
        }
        ledger.integrity_check().unwrap();
    }
}

/// What a person decided about held rows stays with them while they come and go, and can be taken back while they wait.
#[test]
fn what_a_person_decided_stays_with_the_row() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let rows = [hold(1, HoldReason::UnknownStudent), hold(2, HoldReason::UnknownCode)];
    fixture.decide(Source::Hero, FILE, &rows, 1);
    let waiting = || ledger.held_waiting(&HeldFilter::default(), 9, 0).unwrap();
    let ids: Vec<_> = waiting().iter().map(|row| row.id).collect();
    let fixed = |fix: &str| Fixed {
        fix: fix.to_owned(),
        words: "student 7".to_owned(),
        by: "ada".to_owned(),
        at: at(2),
    };
    let fixes = || ledger.held_fixes(Source::Hero).unwrap();

    let unknown = ledger.fix_held(&[(ids[0], fixed("7")), (HeldId(777), fixed("7"))]);
    assert_eq!(unknown.unwrap_err().code(), "store.not_found");
    assert_eq!(fixes(), [].into(), "all or nothing");
    ledger.fix_held(&[(ids[0], fixed("7"))]).unwrap();
    assert_eq!((waiting()[0].state, waiting()[0].fixed.clone()), (HeldState::Retried, Some(fixed("7"))));
    assert_eq!(waiting()[0].raw, rows[0].raw, "the row is as it came");
    assert_eq!(ledger.asked_for(Source::Hero).unwrap(), [].into(), "what it states is not kept");
    let held = ledger.held_by_run(Source::Hero, fixture.run).unwrap();
    assert_eq!(held.iter().map(|row| row.fields.clone()).collect::<Vec<_>>(), [None, None]);
    ledger.keep_fields(Source::Hero, &[(hash(1), "one".to_owned())]).unwrap();
    let held = ledger.held_by_run(Source::Hero, fixture.run).unwrap();
    let one = held.iter().find(|row| row.row_hash == hash(1)).unwrap();
    assert_eq!((one.raw.as_str(), one.fields.as_deref()), (rows[0].raw.as_str(), Some("one")));
    assert_eq!(ledger.asked_for(Source::Hero).unwrap(), [(hash(1), ids[0])].into());

    // Held again for another reason, what was decided still counts, and the next decision comes to it.
    fixture.decide(Source::Hero, FILE, &[hold(1, HoldReason::UnknownCode)], 3);
    assert_eq!((waiting()[0].state, waiting()[0].fixed.is_some()), (HeldState::Open, true));
    ledger.fix_held(&[(ids[0], fixed("7 and T"))]).unwrap();
    // Written, the same row may come again: it is decided in the same way, or held with what was decided.
    fixture.decide(Source::Hero, FILE, &[write(1, daily(7), "T")], 4);
    assert_eq!((waiting().len(), fixes()), (1, [(hash(1), "7 and T".to_owned())].into()));
    fixture.decide(Source::Hero, FILE, &[hold(1, HoldReason::UnknownCode)], 5);
    let again = waiting().into_iter().find(|row| row.row_hash == hash(1)).unwrap();
    assert_eq!(again.fixed, Some(fixed("7 and T")));
    // Nobody has to wait for its file to change that.
    let statement = ledger.held_statements(&[again.id]).unwrap().remove(0);
    assert_eq!((statement.fields.as_deref(), statement.fix.as_deref()), (Some("one"), Some("7 and T")));

    ledger.take_back_fix(&[again.id], "eve", at(6)).unwrap();
    assert_eq!(fixes(), [].into(), "also where it was held before");
    assert_eq!(ledger.take_back_fix(&[again.id], "eve", at(7)).unwrap_err().code(), "store.not_found");
}

/// A wrong pick speaks for the row whenever it comes: it can be taken back also when the row is settled.
#[test]
fn what_a_person_decided_can_be_taken_back_when_the_row_is_settled() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    fixture.decide(Source::Hero, FILE, &[hold(1, HoldReason::UnknownStudent)], 1);
    let id = ledger.held_waiting(&HeldFilter::default(), 9, 0).unwrap()[0].id;
    let by =
        |fix: &str| Fixed { fix: fix.to_owned(), words: fix.to_owned(), by: "ada".to_owned(), at: at(2) };
    let fixes = || ledger.held_fixes(Source::Hero).unwrap();
    let fate = || {
        let (_, rows) = ledger.trace(&TraceFilter::default(), 9, 0).unwrap();
        let last = rows[0].events.last().unwrap().clone();
        (rows[0].fate, last.kind, last.held)
    };
    ledger.fix_held(&[(id, by("7"))]).unwrap();
    fixture.decide(Source::Hero, FILE, &[noop(1, daily(7), "T", NoOpReason::AlreadyStated)], 3);
    assert_eq!(fixes().len(), 1);

    ledger.take_back_fix(&[id], "eve", at(4)).unwrap();
    assert_eq!(fixes(), [].into());
    assert_eq!(fate(), (RowFate::Noop, RowEventKind::FixTakenBack, Some(id)), "it stays what it was");
    assert_eq!(ledger.held_waiting_count(&HeldFilter::default()).unwrap(), 0, "and waits for nobody");
    assert_eq!(ledger.take_back_fix(&[id], "eve", at(5)).unwrap_err().code(), "store.not_found");

    // It comes again, and is held anew: what is taken back by its earlier id is taken back here.
    fixture.decide(Source::Hero, FILE, &[hold(1, HoldReason::UnknownStudent)], 6);
    let again = ledger.held_waiting(&HeldFilter::default(), 9, 0).unwrap()[0].id;
    assert_ne!(again, id);
    ledger.fix_held(&[(again, by("8"))]).unwrap();
    fixture.decide(Source::Hero, FILE, &[write(1, daily(8), "T")], 7);
    fixture.decide(Source::Hero, FILE, &[hold(1, HoldReason::UnknownCode)], 8);
    let anew = ledger.held_waiting(&HeldFilter::default(), 9, 0).unwrap()[0].id;
    ledger.retry_held(&[anew], at(9)).unwrap();
    ledger.take_back_fix(&[again], "eve", at(10)).unwrap();
    let waiting = &ledger.held_waiting(&HeldFilter::default(), 9, 0).unwrap()[0];
    assert_eq!((waiting.state, waiting.fixed.is_none()), (HeldState::Open, true));
    assert_eq!(fate(), (RowFate::Held, RowEventKind::FixTakenBack, Some(again)));
}

#[test]
fn held_rows_are_counted_by_what_they_wait_for() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let held = |row: u64, reason, detail: &str| {
        decision(row, DecisionOutcome::Hold { reason, detail: detail.to_owned() })
    };
    let rows = [
        held(1, HoldReason::ReasonNotMapped, "Bus"),
        held(2, HoldReason::ReasonNotMapped, "Rain"),
        held(3, HoldReason::ReasonNotMapped, "Bus"),
        held(4, HoldReason::TooOld, "2026-01-07"),
    ];
    fixture.decide(Source::Raptor, "a.csv", &rows, 1);
    let causes: Vec<_> = ledger
        .held_causes(2)
        .unwrap()
        .into_iter()
        .map(|cause| (cause.reason, cause.detail, cause.rows))
        .collect();
    assert_eq!(
        causes,
        [
            (HoldReason::ReasonNotMapped, "Bus".to_owned(), 2),
            (HoldReason::ReasonNotMapped, "Rain".to_owned(), 1)
        ]
    );
    let counted = |source, reason, detail: Option<&str>| {
        let filter = HeldFilter { source, reason, detail: detail.map(str::to_owned) };
        let rows = ledger.held_waiting(&filter, 9, 0).unwrap();
        assert_eq!(rows.len() as u64, ledger.held_waiting_count(&filter).unwrap());
        rows.len()
    };
    assert_eq!(counted(None, None, None), 4);
    assert_eq!(counted(Some(Source::Hero), None, None), 0);
    assert_eq!(counted(None, Some(HoldReason::ReasonNotMapped), None), 3);
    assert_eq!(counted(Some(Source::Raptor), Some(HoldReason::ReasonNotMapped), Some("Bus")), 2);
}
