//! What became of rows, step by step, and that a day's rows add up whatever happens.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::TimeDelta;
use proptest::prelude::*;
use rosterbridge_domain::{
    attendance::{AttendanceKey, NoOpReason, Source},
    held::HoldReason,
    id::StudentNumber,
};
use rosterbridge_store::{
    Ledger,
    ledger::{
        Decision, DecisionOutcome, FileFates, HeldFilter, HeldState, InputFile, OutboxId, OutboxState,
        RowEventKind, RowFate, TraceFilter, TracedRow, Undo,
    },
};
use rstest::rstest;
use support::{
    Fixture, at, attendance, content, daily, day, decision, hash, hold, noop, raw, reject, start_run, write,
};

const FILE: &str = "tardies.csv";

fn only(rows: &[OutboxId]) -> OutboxId {
    let [only] = rows else { panic!("{rows:?}") };
    *only
}

fn pending(ledger: &Ledger, source: Source) -> Vec<OutboxId> {
    ledger.pending(source).unwrap().iter().map(|row| row.id).collect()
}

fn confirm(ledger: &Ledger, source: Source, second: i64) -> OutboxId {
    let id = only(&pending(ledger, source));
    ledger.mark_sending(&[id], at(second)).unwrap();
    ledger.mark_confirmed(&[id], at(second + 1)).unwrap();
    id
}

fn at_line(ledger: &Ledger, file: &str, line: u64) -> TracedRow {
    let filter = TraceFilter { file: Some(file.to_owned()), line: Some(line), ..TraceFilter::default() };
    let (total, mut rows) = ledger.trace(&filter, 10, 0).unwrap();
    assert_eq!((total, rows.len()), (1, 1), "{file}:{line}");
    rows.remove(0)
}

fn steps(row: &TracedRow) -> Vec<(&'static str, &str)> {
    row.events.iter().map(|event| (event.kind.as_str(), event.code.as_str())).collect()
}

/// Rows, written, no-op, held, rejected, open: of all files of the day together.
fn counts(ledger: &Ledger) -> [u64; 6] {
    let mut sum = [0; 6];
    for FileFates { rows, written, noop, held, rejected, open, .. } in ledger.fates_on(day()).unwrap() {
        for (sum, count) in sum.iter_mut().zip([rows, written, noop, held, rejected, open]) {
            *sum += count;
        }
    }
    sum
}

#[test]
fn a_held_row_that_is_written_later_tells_all_of_it() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let file = [hold(1, HoldReason::ReasonNotMapped), write(2, daily(2), "T"), reject(3)];
    fixture.decide(Source::Raptor, FILE, &file, 1);
    confirm(ledger, Source::Raptor, 2);
    assert_eq!(counts(ledger), [3, 1, 0, 1, 1, 0]);

    // The file waits in the folder: nothing new is noted about it.
    let again = [
        hold(1, HoldReason::ReasonNotMapped),
        noop(2, daily(2), "", NoOpReason::AlreadyDelivered),
        noop(3, daily(3), "", NoOpReason::AlreadyDelivered),
    ];
    let later = start_run(ledger, 4);
    support::record(ledger, later, Source::Raptor, FILE, &again, at(5)).unwrap();
    assert_eq!(steps(&at_line(ledger, FILE, 1)), [("held", "held.reason_not_mapped")]);

    let held = ledger.held(9, 0, None).unwrap()[0].id;
    ledger.retry_held(&[held], at(6)).unwrap();
    ledger.retry_held(&[held], at(7)).unwrap();
    let last = start_run(ledger, 8);
    let mapped = [write(1, daily(1), "T"), again[1].clone(), again[2].clone()];
    support::record(ledger, last, Source::Raptor, FILE, &mapped, at(9)).unwrap();
    assert_eq!(counts(ledger), [3, 1, 0, 0, 1, 1], "on its way");
    let id = only(&pending(ledger, Source::Raptor));
    ledger.mark_sending(&[id], at(10)).unwrap();
    let row = at_line(ledger, FILE, 1);
    assert_eq!(steps(&row)[3], ("sent", ""), "it is with PowerSchool");
    ledger.mark_unknown(&[id], "powerschool.timeout", at(11)).unwrap();
    ledger.mark_unknown(&[id], "powerschool.timeout", at(12)).unwrap();
    ledger.mark_decided_again(&[id], at(13)).unwrap();
    ledger.mark_sending(&[id], at(14)).unwrap();
    ledger.mark_confirmed(&[id], at(15)).unwrap();

    let row = at_line(ledger, FILE, 1);
    let expected = [
        ("held", "held.reason_not_mapped"),
        ("retried", ""),
        ("decided_write", ""),
        ("sent", ""),
        ("unknown", "powerschool.timeout"),
        ("decided_again", ""),
        ("sent", ""),
        ("confirmed", ""),
    ];
    assert_eq!(steps(&row), expected);
    let times: Vec<i64> = row.events.iter().map(|event| (event.at - at(0)).num_seconds()).collect();
    assert_eq!(times, [1, 6, 9, 10, 11, 13, 14, 15]);
    let runs: Vec<_> = row.events.iter().map(|event| event.run).collect();
    assert_eq!(runs[..3], [Some(fixture.run), None, Some(last)], "a person is no run");
    assert_eq!(runs[3..], [Some(last); 5]);
    assert_eq!(row.events[0].detail, "row in question");
    assert_eq!(row.events[0].record, None);
    let record = row.events[7].record.as_ref().unwrap();
    assert_eq!((record.key, record.code.as_str()), (daily(1), "T"));
    assert_eq!((row.fate, row.raw.as_str()), (RowFate::Written, "100\t1\tENG9\t1\t11/20/2026\tT\t1"));
    assert_eq!((row.at.sha256.as_str(), row.at.first_read), (content(&file).as_str(), at(1)));
    assert_eq!(counts(ledger), [3, 2, 0, 0, 1, 0]);
    let malformed = at_line(ledger, FILE, 3);
    assert_eq!(
        (malformed.fate, malformed.events[0].detail.as_str()),
        (RowFate::Rejected, "7 columns expected")
    );
    assert_eq!(malformed.raw, "100\t3\tENG9\t1\t11/20/2026\tT\t1");
    ledger.integrity_check().unwrap();
}

#[test]
fn a_repeated_row_is_found_under_each_line() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let mut twice = noop(9, daily(1), "", NoOpReason::AlreadyDelivered);
    twice.row_hash = hash(1);
    fixture.decide(Source::Raptor, "a.csv", &[write(1, daily(1), "T"), twice], 1);
    confirm(ledger, Source::Raptor, 2);
    let mut other = noop(4, daily(1), "", NoOpReason::AlreadyDelivered);
    other.row_hash = hash(1);
    fixture.decide(Source::Raptor, "b.csv", &[other], 5);
    assert_eq!(counts(ledger), [3, 1, 2, 0, 0, 0]);

    for (file, line) in [("a.csv", 9), ("b.csv", 4)] {
        let row = at_line(ledger, file, line);
        let first = row.repeats.as_ref().unwrap();
        assert_eq!((first.file.as_str(), first.line, row.fate), ("a.csv", 1, RowFate::Noop));
        let mut seen: Vec<_> = steps(&row).into_iter().map(|(what, _)| what).collect();
        seen.sort_unstable();
        assert_eq!(seen, ["confirmed", "decided_write", "repeated", "sent"], "what became of the first");
    }
    let student = TraceFilter { student: Some(StudentNumber::new(5_000)), ..TraceFilter::default() };
    let (total, rows) = ledger.trace(&student, 2, 0).unwrap();
    let places: Vec<_> = rows.iter().map(|row| (row.at.file.as_str(), row.at.line)).collect();
    assert_eq!((total, places), (3, vec![("b.csv", 4), ("a.csv", 9)]), "latest first");
    assert_eq!(ledger.trace(&student, 2, 2).unwrap().1.len(), 1);
    assert_eq!(ledger.trace(&student, 2, 3).unwrap(), (3, vec![]));
}

#[test]
fn of_the_daily_export_only_news_is_kept_and_all_rows_are_counted() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let name = "export/ATTENDANCE.txt";
    let first = [write(1, daily(1), "T"), hold(2, HoldReason::UnknownStudent)];
    fixture.decide(Source::Hero, name, &first, 1);
    confirm(ledger, Source::Hero, 2);
    for second in 10..13 {
        let line = u64::try_from(second).unwrap();
        let mut grown = vec![
            noop(1, daily(1), "T", NoOpReason::AlreadyStated),
            hold(2, HoldReason::UnknownStudent),
            write(line, daily(second), "T"),
        ];
        grown.extend((14..20).map(|row| noop(row, daily(9), "T", NoOpReason::AlreadyStated)));
        fixture.decide(Source::Hero, name, &grown, second);
        confirm(ledger, Source::Hero, second);
    }
    let (kept, _) = ledger.trace(&TraceFilter::default(), 100, 0).unwrap();
    assert_eq!(kept, 2 + 3);
    assert_eq!(counts(ledger), [2 + 3 * 9, 4, 3 * 8, 1, 0, 0]);
    // The name of the file is enough.
    let filter = TraceFilter { file: Some("ATTENDANCE.txt".to_owned()), ..TraceFilter::default() };
    assert_eq!(ledger.trace(&filter, 1, 0).unwrap().0, 5);
    let filter = TraceFilter { file: Some("TENDANCE.txt".to_owned()), ..TraceFilter::default() };
    assert_eq!(ledger.trace(&filter, 1, 0).unwrap().0, 0);
}

#[test]
fn a_state_that_comes_back_is_a_row_of_its_own() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    for (second, row, code) in [(1, 1, "T"), (4, 2, "A"), (7, 1, "T")] {
        let mut row = write(row, daily(1), code);
        row.line = u64::try_from(second).unwrap();
        fixture.decide(Source::Hero, "export/A.txt", &[row], second);
        confirm(ledger, Source::Hero, second + 1);
    }
    assert_eq!(counts(ledger), [3, 3, 0, 0, 0, 0]);
    let expected = [("decided_write", ""), ("sent", ""), ("confirmed", "")];
    for line in [1, 4, 7] {
        assert_eq!(steps(&at_line(ledger, "A.txt", line)), expected);
    }
}

/// What a person does with a held row.
#[rstest]
#[case::discarded(&["held", "discarded"], [1, 0, 1, 0, 0, 0])]
#[case::resolved(&["held", "resolved"], [1, 0, 1, 0, 0, 0])]
fn a_closed_row_counts_as_without_consequence(#[case] expected: &[&str], #[case] after: [u64; 6]) {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    fixture.decide(Source::Raptor, FILE, &[hold(1, HoldReason::UnknownStudent)], 1);
    if expected[1] == "discarded" {
        ledger.discard_held(&[ledger.held(9, 0, None).unwrap()[0].id], at(2)).unwrap();
        fixture.decide(Source::Raptor, FILE, &[write(1, daily(1), "T")], 3);
    } else {
        ledger.resolve_held(Source::Raptor, &hash(1), at(2)).unwrap();
    }
    let row = at_line(ledger, FILE, 1);
    let seen: Vec<_> = steps(&row).into_iter().map(|(what, _)| what).collect();
    assert_eq!((seen.as_slice(), row.fate), (expected, RowFate::Noop));
    assert_eq!(counts(ledger)[..1], after[..1]);
    assert_eq!(counts(ledger), after);
}

fn undo_of(ledger: &Ledger, id: OutboxId) -> Undo {
    let mut write = ledger.outbox_row(id).unwrap().unwrap().write;
    write.previous_code = Some(std::mem::take(&mut write.code));
    Undo { undoes: id, write }
}

#[rstest]
#[case::taken_back(true, &["undo_decided", "undo_sent", "undone"], RowFate::Noop)]
#[case::changed_since(false, &["undo_decided", "not_undone"], RowFate::Written)]
fn an_undo_is_part_of_it(#[case] restored: bool, #[case] expected: &[&str], #[case] fate: RowFate) {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    fixture.decide(Source::Raptor, FILE, &[write(1, daily(1), "T")], 1);
    let written = confirm(ledger, Source::Raptor, 2);
    let run = start_run(ledger, 4);
    ledger.record_undo(run, &[undo_of(ledger, written)], at(4)).unwrap();
    assert_eq!(counts(ledger), [1, 0, 0, 0, 0, 1]);
    let id = only(&pending(ledger, Source::Raptor));
    if restored {
        ledger.mark_sending(&[id], at(5)).unwrap();
        ledger.mark_confirmed(&[id], at(6)).unwrap();
    } else {
        ledger.mark_not_undone(id, "changed", at(6)).unwrap();
    }
    let row = at_line(ledger, FILE, 1);
    let seen: Vec<_> = steps(&row).into_iter().map(|(what, _)| what).collect();
    assert_eq!((&seen[3..], row.fate), (expected, fate));
    assert_eq!(row.events[3].run, Some(run));
    let undo = row.events[3].record.as_ref().unwrap();
    assert_eq!((undo.code.as_str(), undo.previous_code.as_deref()), ("", Some("T")));
    assert_eq!(counts(ledger)[0], 1);
}

#[test]
fn a_row_that_waits_for_another_write_is_open_until_it_is_decided() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    fixture.decide(Source::Hero, "export/A.txt", &[write(1, daily(1), "A")], 1);
    let waiting = [write(2, daily(1), "T")];
    let sha256 = content(&waiting);
    let file = InputFile { name: FILE, sha256: &sha256, day: day() };
    for second in [2, 3] {
        ledger.record_decisions(fixture.run, Source::Raptor, &file, &[], &waiting, at(second)).unwrap();
    }
    assert_eq!(steps(&at_line(ledger, FILE, 2)), [("put_off", "")]);
    assert_eq!(counts(ledger), [2, 0, 0, 0, 0, 2]);
    confirm(ledger, Source::Hero, 4);
    ledger.record_decisions(fixture.run, Source::Raptor, &file, &waiting, &[], at(6)).unwrap();
    confirm(ledger, Source::Raptor, 7);
    let seen: Vec<_> = steps(&at_line(ledger, FILE, 2)).into_iter().map(|(what, _)| what).collect();
    assert_eq!(seen, ["put_off", "decided_write", "sent", "confirmed"]);
    assert_eq!(counts(ledger), [2, 2, 0, 0, 0, 0]);

    // What the export does not say any more is not waited for.
    fixture.decide(Source::Raptor, "b.csv", &[write(3, daily(3), "T")], 10);
    let waiting = [write(4, daily(3), "A")];
    let file = InputFile { name: "export/A.txt", sha256: "b", day: day() };
    ledger.record_decisions(fixture.run, Source::Hero, &file, &[], &waiting, at(11)).unwrap();
    fixture.decide(Source::Hero, "export/A.txt", &[noop(1, daily(1), "A", NoOpReason::AlreadyStated)], 12);
    let row = at_line(ledger, "export/A.txt", 4);
    assert_eq!(steps(&row), [("put_off", ""), ("noop", "superseded")]);
}

#[test]
fn a_forgotten_row_is_not_traced_and_an_open_one_is() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let rows =
        [write(1, daily(1), "T"), hold(2, HoldReason::UnknownStudent), write(3, daily(3), "T"), reject(4)];
    fixture.decide(Source::Raptor, FILE, &rows, 1);
    let ids = pending(ledger, Source::Raptor);
    ledger.mark_sending(&ids, at(2)).unwrap();
    ledger.mark_confirmed(&ids[..1], at(3)).unwrap();
    ledger.forget_before(at(0) + TimeDelta::days(50)).unwrap();
    assert_eq!(counts(ledger), [2, 0, 0, 1, 0, 1]);
    // What is kept of it can still be changed, and taken back.
    ledger.mark_confirmed(&ids[1..], at(4)).unwrap();
    ledger.record_undo(fixture.run, &[undo_of(ledger, ids[0])], at(5)).unwrap();
    let id = only(&pending(ledger, Source::Raptor));
    ledger.mark_sending(&[id], at(6)).unwrap();
    ledger.mark_confirmed(&[id], at(7)).unwrap();
    assert_eq!(counts(ledger), [2, 1, 0, 1, 0, 0]);
    ledger.discard_held(&[ledger.held(9, 0, Some(HeldState::Open)).unwrap()[0].id], at(8)).unwrap();
    ledger.forget_before(at(0) + TimeDelta::days(50)).unwrap();
    assert_eq!(ledger.fates_on(day()).unwrap(), []);
    assert_eq!(ledger.trace(&TraceFilter::default(), 9, 0).unwrap(), (0, vec![]));
    // An id that is free again is another row's.
    fixture.decide(Source::Raptor, FILE, &[write(9, daily(9), "T")], 9);
    assert_eq!(steps(&at_line(ledger, FILE, 9)), [("decided_write", "")]);
    ledger.integrity_check().unwrap();
}

#[test]
fn moving_to_another_district_forgets_all_of_it() {
    let fixture = Fixture::new();
    fixture.decide(Source::Raptor, FILE, &[write(1, daily(1), "T")], 1);
    fixture.ledger.forget_exchange().unwrap();
    assert_eq!(fixture.ledger.trace(&TraceFilter::default(), 9, 0).unwrap(), (0, vec![]));
    assert_eq!(fixture.ledger.fates_on(day()).unwrap(), []);
}

#[test]
fn no_more_rows_are_answered_than_the_limit() {
    let fixture = Fixture::new();
    let rows: Vec<_> = (1..=600).map(reject).collect();
    fixture.decide(Source::Raptor, FILE, &rows, 1);
    let (total, rows) = fixture.ledger.trace(&TraceFilter::default(), u32::MAX, 0).unwrap();
    assert_eq!((total, rows.len()), (600, 500));
    assert_eq!(rows[0].at.line, 600);
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    /// A file of these rows, each with what it would be decided to be.
    Read { hero: bool, rows: Vec<(u64, u8)> },
    /// A write goes on.
    Mark { which: prop::sample::Index, mark: u8 },
    /// A person deals with a held row.
    Deal { which: prop::sample::Index, discard: bool },
    /// A confirmed write is taken back.
    Undo { which: prop::sample::Index },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (any::<bool>(), prop::collection::vec((0..5_u64, 0..6_u8), 1..5))
            .prop_map(|(hero, rows)| Step::Read { hero, rows }),
        6 => (any::<prop::sample::Index>(), 0..6_u8).prop_map(|(which, mark)| Step::Mark { which, mark }),
        1 => (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(which, discard)| Step::Deal { which, discard }),
        1 => any::<prop::sample::Index>().prop_map(|which| Step::Undo { which }),
    ]
}

/// The record a row is about: several rows are about one.
fn key(row: u64) -> AttendanceKey {
    daily(i64::try_from(row % 3).unwrap() + 1)
}

/// What the ledger should tell.
#[derive(Default)]
struct Model {
    /// Rows of each file.
    files: BTreeMap<(Source, String), u64>,
    /// Rows that wait for another write.
    put_off: BTreeSet<(Source, u64)>,
    /// Rows a person closed.
    discarded: BTreeSet<(Source, u64)>,
    /// Rows whose last line tells of a write: a further line may have told something else since.
    told_written: BTreeSet<(Source, u64)>,
    writes: Vec<OutboxId>,
}

/// Decides a file as a run does: the last of several rows about a record is written, unless its record has a write under
/// way; what was decided before is not decided again.
fn read(fixture: &Fixture, model: &mut Model, source: Source, rows: &[(u64, u8)], second: i64) {
    let ledger = &fixture.ledger;
    let open: HashSet<AttendanceKey> = [Source::Hero, Source::Raptor]
        .into_iter()
        .flat_map(|source| ledger.pending(source).unwrap())
        .map(|row| row.write.key)
        .collect();
    let hashes: Vec<_> = rows.iter().map(|(row, _)| hash(*row)).collect();
    let delivered =
        if source == Source::Raptor { ledger.delivered(source, &hashes).unwrap() } else { HashSet::new() };
    let is_repeat = |place: usize| match source {
        Source::Raptor => hashes[..place].contains(&hashes[place]),
        Source::Hero => hashes[place + 1..].contains(&hashes[place]),
    };
    let decides = |place: usize| !is_repeat(place) && !delivered.contains(&hashes[place]);
    let last_about = |place: usize| {
        !(place + 1..rows.len())
            .any(|later| decides(later) && rows[later].1 < 2 && key(rows[later].0) == key(rows[place].0))
    };
    let (mut decided, mut waiting, mut put_off) = (Vec::new(), Vec::new(), HashSet::new());
    let mut all = Vec::new();
    let own: HashSet<_> = ledger.pending(source).unwrap().iter().map(|row| row.row_hash).collect();
    for (place, (row, choice)) in rows.iter().copied().enumerate() {
        let noop = |reason| DecisionOutcome::NoOp { key: None, code: String::new(), reason };
        let outcome = match choice {
            _ if !decides(place) => noop(NoOpReason::AlreadyDelivered),
            0 | 1 if !last_about(place) => noop(NoOpReason::Superseded),
            0 | 1 => DecisionOutcome::Write(attendance(key(row), "T")),
            // What is being written was neither malformed nor to be held a moment ago.
            2 | 3 if own.contains(&hash(row)) => noop(NoOpReason::AlreadyRecorded),
            2 => DecisionOutcome::Hold { reason: HoldReason::UnknownStudent, detail: String::new() },
            3 => DecisionOutcome::Reject { detail: "7 columns expected".to_owned() },
            4 => noop(NoOpReason::AlreadyStated),
            _ => noop(NoOpReason::NotTardy),
        };
        let waits = match &outcome {
            DecisionOutcome::Write(write) => open.contains(&write.key) && put_off.insert(row),
            DecisionOutcome::NoOp { reason: NoOpReason::AlreadyDelivered, .. } => put_off.contains(&row),
            _ => false,
        };
        let line = u64::try_from(place).unwrap() + 1;
        let decision = Decision { line, ..decision(row, outcome) };
        all.push(decision.clone());
        if waits { waiting.push(decision) } else { decided.push(decision) }
    }
    let sha256 = content(&all);
    let file = InputFile { name: FILE, sha256: &sha256, day: day() };
    ledger.record_decisions(fixture.run, source, &file, &decided, &waiting, at(second)).unwrap();

    let is_known = model.files.insert((source, sha256), all.len() as u64).is_some();
    for decision in &decided {
        let row = u64::from_be_bytes(decision.row_hash[..8].try_into().unwrap());
        match decision.outcome {
            DecisionOutcome::Write(_) => {
                model.told_written.insert((source, row));
            }
            DecisionOutcome::NoOp { reason, .. }
                if matches!(reason, NoOpReason::AlreadyDelivered | NoOpReason::AlreadyStated)
                    || own.contains(&decision.row_hash) => {}
            _ => {
                model.told_written.remove(&(source, row));
            }
        }
        match decision.outcome {
            DecisionOutcome::NoOp { reason: NoOpReason::AlreadyDelivered, .. } => {}
            DecisionOutcome::NoOp { .. } | DecisionOutcome::Reject { .. } => {
                model.put_off.remove(&(source, row));
                model.discarded.remove(&(source, row));
            }
            DecisionOutcome::Write(_) | DecisionOutcome::Hold { .. } => {
                model.put_off.remove(&(source, row));
            }
        }
    }
    if source == Source::Hero {
        model.put_off.retain(|(of, row)| *of != Source::Hero || hashes.contains(&hash(*row)));
    }
    // A row whose own write is under way, or that a person discarded, does not wait. Its write may be one that is being
    // undone, of a line before the last: then it is waited for on a line of its own, unless that is the very line.
    let under_way: HashSet<_> = ledger.pending(source).unwrap().iter().map(|row| row.row_hash).collect();
    let (closed, told_written) = (&model.discarded, &model.told_written);
    let waits_for_itself =
        |row: u64| under_way.contains(&hash(row)) && (is_known || told_written.contains(&(source, row)));
    model.put_off.extend(
        put_off
            .into_iter()
            .filter(|row| !waits_for_itself(*row) && !closed.contains(&(source, *row)))
            .map(|row| (source, row)),
    );
    let new = pending(ledger, source).into_iter().filter(|id| !model.writes.contains(id)).collect::<Vec<_>>();
    model.writes.extend(new);
}

fn happens(fixture: &Fixture, model: &mut Model, step: Step, second: i64) {
    let (ledger, now) = (&fixture.ledger, at(second));
    match step {
        Step::Read { hero, rows } => {
            read(fixture, model, if hero { Source::Hero } else { Source::Raptor }, &rows, second);
        }
        Step::Mark { which, mark } if !model.writes.is_empty() => {
            // What is not allowed is refused, and changes nothing.
            let id = *which.get(&model.writes);
            let row = ledger.outbox_row(id).unwrap().unwrap();
            let _ = match mark {
                0 => ledger.mark_sending(&[id], now),
                1 => ledger.mark_confirmed(&[id], now),
                2 => ledger.mark_unknown(&[id], "x", now),
                3 => ledger.mark_decided_again(&[id], now),
                4 if row.undoes.is_some() => ledger.mark_not_undone(id, "changed", now),
                4 => ledger.mark_held(id, HoldReason::ExistingCode, "", now).map(drop),
                _ => ledger.mark_already_recorded(id, now),
            };
        }
        Step::Deal { which, discard } => {
            let held = ledger.held_waiting(&HeldFilter::default(), 1_000, 0).unwrap();
            if held.is_empty() {
                return;
            }
            let row = which.get(&held);
            if discard {
                ledger.discard_held(&[row.id], now).unwrap();
                let number = u64::from_be_bytes(row.row_hash[..8].try_into().unwrap());
                model.put_off.remove(&(row.source, number));
                model.discarded.insert((row.source, number));
            } else {
                ledger.retry_held(&[row.id], now).unwrap();
            }
        }
        Step::Undo { which } => {
            let written: Vec<_> = ledger
                .written_by(fixture.run)
                .unwrap()
                .into_iter()
                .filter(|written| written.standing == rosterbridge_store::ledger::Standing::Last)
                .collect();
            if !written.is_empty() {
                let undone = which.get(&written);
                ledger.record_undo(fixture.run, &[undo_of(ledger, undone.row.id)], now).unwrap();
                model.writes.extend(
                    ledger
                        .undos_of(fixture.run)
                        .unwrap()
                        .iter()
                        .map(|undo| undo.id)
                        .filter(|id| !model.writes.contains(id))
                        .collect::<Vec<_>>(),
                );
            }
        }
        Step::Mark { .. } => {}
    }
}

/// Whether what the ledger tells is what happened.
fn adds_up(ledger: &Ledger, model: &Model) {
    let files = ledger.fates_on(day()).unwrap();
    let rows: BTreeMap<_, _> =
        files.iter().map(|file| ((file.source, file.sha256.clone()), file.rows)).collect();
    assert_eq!(rows, model.files, "every row of every file");
    for file in &files {
        let sum = file.open + file.written + file.noop + file.held + file.rejected;
        assert_eq!(file.rows, sum, "{file:?}");
    }
    let total = |count: fn(&FileFates) -> u64| files.iter().map(count).sum::<u64>();
    let held = ledger.held_waiting(&HeldFilter::default(), 1_000, 0).unwrap();
    assert_eq!(total(|file| file.held), held.len() as u64, "what is held is on the list");
    let waits = model.put_off.iter().filter(|(source, row)| {
        !held.iter().any(|held| held.source == *source && held.row_hash == hash(*row))
    });
    let under_way = pending(ledger, Source::Hero).len() + pending(ledger, Source::Raptor).len();
    assert_eq!(total(|file| file.open), (under_way + waits.count()) as u64, "what is open is under way");

    let (_, traced) = ledger.trace(&TraceFilter::default(), 500, 0).unwrap();
    let raptors: u64 =
        model.files.iter().filter(|((source, _), _)| *source == Source::Raptor).map(|(_, rows)| rows).sum();
    let kept = traced.iter().filter(|row| row.at.source == Source::Raptor).count() as u64;
    assert_eq!(kept, raptors, "of Raptor every line is found");
    let mut standing: Vec<OutboxState> = Vec::new();
    for row in &traced {
        assert!(row.events.windows(2).all(|pair| pair[0].at <= pair[1].at), "{row:?}");
        if row.fate == RowFate::Written {
            let last = row.events.iter().rfind(|event| event.kind != RowEventKind::Repeated).unwrap();
            assert!(matches!(last.kind, RowEventKind::Confirmed | RowEventKind::NotUndone), "{row:?}");
            assert!(last.record.is_some());
            standing.push(OutboxState::Confirmed);
        }
    }
    let confirmed = model
        .writes
        .iter()
        .filter(|id| ledger.outbox_row(**id).unwrap().unwrap().state == OutboxState::Confirmed);
    assert!(standing.len() <= confirmed.count(), "nothing is told to be written that was not");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_days_rows_add_up(steps in prop::collection::vec(step(), 1..60)) {
        let fixture = Fixture::new();
        let mut model = Model::default();
        for (second, step) in (1..).zip(steps) {
            happens(&fixture, &mut model, step, second);
            adds_up(&fixture.ledger, &model);
        }
        fixture.ledger.integrity_check().unwrap();
    }
}

#[test]
fn rows_from_before_are_traced_as_far_as_they_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let connection = raw(&path);
    let migrations =
        support::files_in(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/ledger"));
    let before = migrations.iter().position(|file| file.ends_with("007_trace.sql")).unwrap();
    for migration in &migrations[..before] {
        connection.execute_batch(&std::fs::read_to_string(migration).unwrap()).unwrap();
    }
    connection
        .execute_batch(&format!(
            "INSERT INTO runs VALUES (x'019aa100000070008000000000000001', 'schedule', 1000, 2000, 'succeeded', NULL);
             INSERT INTO outbox (id, source, school, student, date, mode, cc, period, revision, state, code, code_id,
                 year, calendar_day, comment, file, line, row_hash, raw, student_number, run, decided_at, changed_at,
                 undoes)
             SELECT column1, 'raptor', 100, column1, '2026-11-20', 'ATT_ModeDaily', 0, 0, column3, column4, 'T', 17, 36,
                 4711, '', 'old.csv', column2, unhex(printf('%064x', column2)), 'row', 5000,
                 x'019aa100000070008000000000000001', 1000, 1500, column5
             FROM (VALUES (1, 1, 1, 'confirmed', NULL), (2, 2, 1, 'unknown', NULL), (3, 3, 1, 'held', NULL),
                 (4, 5, 1, 'confirmed', NULL), (5, 5, 2, 'confirmed', 4));
             INSERT INTO held_rows VALUES (1, 'raptor', unhex(printf('%064x', 3)), 'old.csv', 3, 'row',
                 'held.existing_code', 'PowerSchool has A', 5000, 1500, 1500, x'019aa100000070008000000000000001',
                 'retried');
             INSERT INTO decisions SELECT 'raptor', unhex(printf('%064x', column1)), column2, column3, 'old.csv',
                 column1, NULL, x'019aa100000070008000000000000001', 1000
             FROM (VALUES (1, 'write', ''), (2, 'write', ''), (3, 'hold', 'held.existing_code'),
                 (4, 'reject', '4 columns expected'), (5, 'write', ''), (6, 'noop', 'not_tardy'), (7, 'discard', ''));
             PRAGMA user_version = {before};"
        ))
        .unwrap();
    drop(connection);
    let ledger = Ledger::open(&path, &support::KEY, at(0)).unwrap();
    let expected: [(&[&str], RowFate); 7] = [
        (&["decided_write", "confirmed"], RowFate::Written),
        (&["decided_write", "unknown"], RowFate::Open),
        (&["decided_write", "held", "retried"], RowFate::Held),
        (&["rejected"], RowFate::Rejected),
        (&["decided_write", "undo_decided", "confirmed", "undone"], RowFate::Noop),
        (&["noop"], RowFate::Noop),
        (&["discarded"], RowFate::Noop),
    ];
    for (line, (kinds, fate)) in (1..).zip(expected) {
        let row = at_line(&ledger, "old.csv", line);
        let seen: Vec<_> = steps(&row).into_iter().map(|(what, _)| what).collect();
        assert_eq!((seen.as_slice(), row.fate, row.at.sha256.as_str()), (kinds, fate, ""), "{line}");
    }
    let [file] = &ledger.fates_on("1970-01-01".parse().unwrap()).unwrap()[..] else { panic!("one file") };
    assert_eq!((file.rows, file.open, file.written, file.noop, file.held, file.rejected), (7, 1, 1, 3, 1, 1));
    // They go on from there.
    let [id] = pending(&ledger, Source::Raptor)[..] else { panic!("one write") };
    ledger.mark_confirmed(&[id], at(1)).unwrap();
    assert_eq!(at_line(&ledger, "old.csv", 2).fate, RowFate::Written);
    ledger.integrity_check().unwrap();
}
