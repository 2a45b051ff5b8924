//! Taking a run back: what is undone, and what this profile knows of a record afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use std::collections::BTreeMap;

use rosterbridge_domain::{
    attendance::{AttendanceKey, AttendanceWrite, Source},
    id::SchoolNumber,
    job::{FileReceipt, JobId, Outcome, RowCounts},
};
use rosterbridge_store::{
    Ledger, StoreError,
    ledger::{JobResult, KeyHistory, OutboxId, OutboxState, RunId, SchoolRows, Standing, Trigger, Undo},
};
use support::{Fixture, at, attendance, daily, start_run, write};

fn history(ledger: &Ledger, source: Source, key: AttendanceKey) -> KeyHistory {
    ledger.history(source, &[key]).unwrap().remove(&key).unwrap_or_default()
}

/// Decides a write in a run of its own, sends it, and has PowerSchool confirm it.
fn written(
    ledger: &Ledger,
    source: Source,
    row: u64,
    key: AttendanceKey,
    code: &str,
    before: Option<&str>,
) -> RunId {
    let second = i64::try_from(row).unwrap();
    let run = start_run(ledger, second);
    let mut decision = write(row, key, code);
    if let rosterbridge_store::ledger::DecisionOutcome::Write(write) = &mut decision.outcome {
        write.previous_code = before.map(str::to_owned);
    }
    support::record(ledger, run, source, "file", &[decision], at(second)).unwrap();
    let [pending] = &ledger.pending(source).unwrap()[..] else { panic!("not one") };
    ledger.mark_sending(&[pending.id], at(second)).unwrap();
    ledger.mark_confirmed(&[pending.id], at(second)).unwrap();
    run
}

/// The undos of everything a run wrote.
fn undos(ledger: &Ledger, run: RunId) -> Vec<Undo> {
    ledger
        .written_by(run)
        .unwrap()
        .into_iter()
        .map(|written| Undo {
            undoes: written.row.id,
            write: AttendanceWrite {
                code: written.row.write.previous_code.clone().unwrap_or_default(),
                previous_code: Some(written.row.write.code.clone()),
                ..written.row.write
            },
        })
        .collect()
}

/// Takes a run back in a run of its own, which PowerSchool confirms.
fn undo(ledger: &Ledger, run: RunId, second: i64) -> RunId {
    let own = RunId::new(at(second));
    ledger.start_run(own, Trigger::Undo, &[JobId::HERO_ATTENDANCE], at(second)).unwrap();
    ledger.record_undo(own, &undos(ledger, run), at(second)).unwrap();
    let ids: Vec<OutboxId> = ledger.undos_of(own).unwrap().iter().map(|row| row.id).collect();
    ledger.mark_sending(&ids, at(second)).unwrap();
    ledger.mark_confirmed(&ids, at(second)).unwrap();
    own
}

fn standing(ledger: &Ledger, run: RunId) -> Vec<Standing> {
    ledger.written_by(run).unwrap().into_iter().map(|written| written.standing).collect()
}

#[test]
fn what_was_stated_stays_and_what_was_written_is_what_stood_before() {
    let fixture = Fixture::new();
    let (ledger, key) = (&fixture.ledger, daily(7));
    let first = written(ledger, Source::Hero, 1, key, "T", None);
    let second = written(ledger, Source::Hero, 2, key, "A", Some("T"));
    assert_eq!(
        (standing(ledger, first), standing(ledger, second)),
        (vec![Standing::WrittenAgain], vec![Standing::Last])
    );

    let own = undo(ledger, second, 10);
    let after = history(ledger, Source::Hero, key);
    assert_eq!((after.stated.as_deref(), after.written), (Some("A"), Some((Source::Hero, "T".to_owned()))));
    // So the first one is the last that stands, and can be taken back, too.
    assert_eq!(
        (standing(ledger, first), standing(ledger, second)),
        (vec![Standing::Last], vec![Standing::Undone])
    );
    undo(ledger, first, 11);
    let after = history(ledger, Source::Hero, key);
    assert_eq!((after.stated.as_deref(), after.written), (Some("A"), None));
    assert_eq!(
        (standing(ledger, first), standing(ledger, second)),
        (vec![Standing::Undone], vec![Standing::Undone])
    );

    // An undo is in the history and in the outbox, and no exchange of its own.
    let [row] = &ledger.undos_of(own).unwrap()[..] else { panic!("not one") };
    assert_eq!((row.state, row.revision, row.undoes.is_some()), (OutboxState::Confirmed, 3, true));
    assert_eq!(ledger.run(own).unwrap().unwrap().trigger, Trigger::Undo);
    assert_eq!(ledger.written_by(own).unwrap(), []);
}

#[test]
fn a_code_that_was_not_ours_is_not_ours_after_an_undo() {
    let fixture = Fixture::new();
    let (ledger, key) = (&fixture.ledger, daily(7));
    // Ours, taken back; then somebody records the same code, which is replaced by another one.
    undo(ledger, written(ledger, Source::Hero, 1, key, "T", None), 2);
    let replaced = written(ledger, Source::Hero, 3, key, "A", Some("T"));
    undo(ledger, replaced, 4);
    assert_eq!(history(ledger, Source::Hero, key).written, None);
}

#[test]
fn an_undo_under_way_keeps_others_off_and_can_be_given_up() {
    let fixture = Fixture::new();
    let (ledger, key) = (&fixture.ledger, daily(7));
    let run = written(ledger, Source::Hero, 1, key, "T", None);
    let own = start_run(ledger, 2);
    ledger.record_undo(own, &undos(ledger, run), at(2)).unwrap();
    assert_eq!(standing(ledger, run), [Standing::UnderWay]);
    let twice = ledger.record_undo(own, &undos(ledger, run), at(3)).unwrap_err();
    assert!(matches!(twice, StoreError::UnsettledWrite { .. }), "{twice}");
    let other =
        support::record(ledger, own, Source::Raptor, "file", &[write(9, key, "X")], at(3)).unwrap_err();
    assert!(matches!(other, StoreError::UnsettledWrite { .. }), "{other}");

    // It is found after a crash like any other write.
    let [pending] = &ledger.pending(Source::Hero).unwrap()[..] else { panic!("not one") };
    assert_eq!(pending.write.previous_code.as_deref(), Some("T"));
    ledger.mark_not_undone(pending.id, "changed", at(4)).unwrap();
    assert_eq!(ledger.held_count().unwrap(), 0, "no row of a file is held");
    let after = history(ledger, Source::Hero, key);
    assert_eq!((after.stated.as_deref(), after.written), (Some("T"), Some((Source::Hero, "T".to_owned()))));
    assert_eq!(standing(ledger, run), [Standing::Last]);
    assert_eq!(ledger.undos_of(own).unwrap()[0].reason, "changed");
}

#[test]
fn what_somebody_restored_first_states_nothing() {
    let fixture = Fixture::new();
    let (ledger, key) = (&fixture.ledger, daily(7));
    let run = written(ledger, Source::Hero, 1, key, "T", None);
    ledger.record_undo(fixture.run, &undos(ledger, run), at(2)).unwrap();
    let id = ledger.pending(Source::Hero).unwrap()[0].id;
    ledger.mark_already_recorded(id, at(3)).unwrap();
    assert_eq!(history(ledger, Source::Hero, key).stated.as_deref(), Some("T"));
    assert!(ledger.delivered(Source::Hero, &[support::hash(1)]).unwrap().contains(&support::hash(1)));
}

#[test]
fn an_undo_is_no_run_of_the_exchange() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let run = written(ledger, Source::Hero, 1, daily(7), "T", None);
    let result = |rows_read| JobResult {
        outcome: Outcome::Succeeded,
        rows: RowCounts { read: rows_read, ..RowCounts::default() },
        newly_held: 0,
        files: Vec::new(),
        notes: Vec::new(),
        cause: None,
    };
    for (second, rows) in [(20, 30), (21, 0), (22, 40)] {
        let run = start_run(ledger, second);
        ledger.finish_job(run, JobId::HERO_ATTENDANCE, &result(rows), at(second)).unwrap();
    }
    let own = undo(ledger, run, 30);
    ledger.finish_job(own, JobId::HERO_ATTENDANCE, &result(1), at(30)).unwrap();
    let last = ledger.last_job_run(JobId::HERO_ATTENDANCE).unwrap().unwrap();
    assert_eq!(last.result.rows.read, 40);
    assert_eq!(ledger.latest_imports(JobId::HERO_ATTENDANCE, 10).unwrap(), [40, 30]);
    assert_eq!(ledger.latest_imports(JobId::HERO_ATTENDANCE, 1).unwrap(), [40]);
}

#[test]
fn a_write_keeps_the_comment_that_stood_before_it() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let comments = [None, Some(String::new()), Some("Nurse".to_owned())];
    for (row, before) in (1_u64..).zip(&comments) {
        let mut write = attendance(daily(i64::try_from(row).unwrap()), "T");
        write.previous_comment.clone_from(before);
        let decision = support::decision(row, rosterbridge_store::ledger::DecisionOutcome::Write(write));
        support::record(ledger, fixture.run, Source::Hero, "file", &[decision], at(1)).unwrap();
    }
    let pending = ledger.pending(Source::Hero).unwrap();
    assert!(pending.iter().map(|row| &row.write.previous_comment).eq(&comments));
}

#[test]
fn the_rows_of_each_school_are_kept_of_the_last_upload() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let name = "imports/STUDENT.TXT";
    let receipt = FileReceipt { name: name.to_owned(), rows: 3, bytes: 9, sha256: "ab".to_owned() };
    let schools = |rows| {
        BTreeMap::from([
            (SchoolNumber::new(100), SchoolRows { rows, students: vec![1, 2] }),
            (SchoolNumber::new(200), SchoolRows { rows: 1, students: Vec::new() }),
        ])
    };
    let of = |job| ledger.last_upload_by_school(job, name).unwrap();
    assert!(of(JobId::HERO_STUDENTS).is_empty());
    for rows in [2, 5] {
        let run = fixture.run;
        ledger.record_upload_by_school(run, JobId::HERO_STUDENTS, &receipt, &schools(rows), at(1)).unwrap();
        assert_eq!(of(JobId::HERO_STUDENTS), schools(rows));
    }
    assert!(of(JobId::RAPTOR_ROSTER).is_empty());
    // An upload whose schools nobody counted says nothing about schools.
    ledger.record_upload(fixture.run, JobId::HERO_STUDENTS, &receipt, at(2)).unwrap();
    assert!(of(JobId::HERO_STUDENTS).is_empty());
}
