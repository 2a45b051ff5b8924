//! Writes that may have reached PowerSchool, where something else stands now: what a person may have corrected is held
//! until a person says otherwise.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use rosterbridge_domain::{attendance::Source, held::HoldReason, id::AttendanceDcid};
use rosterbridge_store::ledger::{
    HeldFilter, HeldState, InputFile, KeyHistory, OutboxId, OutboxRow, OutboxState, Standing, TakenOver,
};
use support::{Fixture, at, content, daily, day, hash, start_run, write};

const FILE: &str = "ATTENDANCE.txt";

impl Fixture {
    fn history(&self, student: i64) -> KeyHistory {
        let key = daily(student);
        self.ledger.history(Source::Hero, &[key]).unwrap().remove(&key).unwrap_or_default()
    }

    fn open(&self) -> OutboxRow {
        let [open] = &self.ledger.pending(Source::Hero).unwrap()[..] else { panic!("not one") };
        open.clone()
    }

    /// A row is decided and sent.
    fn sent(&self, row: u64, code: &str, second: i64) -> OutboxId {
        self.decide(Source::Hero, FILE, &[write(row, daily(1), code)], second);
        let id = self.open().id;
        self.ledger.mark_sending(&[id], at(second)).unwrap();
        id
    }
}

fn wrote(code: &str) -> (Source, String) {
    (Source::Hero, code.to_owned())
}

#[test]
fn what_may_have_been_corrected_counts_as_ours_until_a_person_says_otherwise() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let id = fixture.sent(1, "T", 1);
    ledger.mark_unknown(&[id], "powerschool.timeout", at(2)).unwrap();
    assert!(ledger.mark_corrected(id, HoldReason::CorrectedInPowerSchool, "", at(3)).unwrap());
    assert_eq!(fixture.history(1), KeyHistory { written: Some(wrote("T")), ..KeyHistory::default() });
    assert_eq!(ledger.outbox_row(id).unwrap().unwrap().state, OutboxState::Held);
    assert!(ledger.written_by(fixture.run).unwrap().is_empty(), "there is nothing an undo takes back");
    assert!(ledger.delivered(Source::Hero, &[hash(1)]).unwrap().is_empty(), "the row is decided again");
    let [held] = &ledger.held_waiting(&HeldFilter::default(), 10, 0).unwrap()[..] else { panic!("not one") };
    assert_eq!((held.reason, held.state), (HoldReason::CorrectedInPowerSchool, HeldState::Open));

    // A person says that it is right; until it is written, that stays said.
    ledger.retry_held(&[held.id], at(4)).unwrap();
    assert_eq!(fixture.history(1), KeyHistory::default());
    let again = fixture.sent(1, "T", 5);
    assert_eq!(fixture.history(1), KeyHistory::default());
    // And it comes to nothing once more.
    ledger.mark_corrected(again, HoldReason::CorrectedInPowerSchool, "", at(6)).unwrap();
    assert_eq!(fixture.history(1).written, Some(wrote("T")));
}

#[test]
fn what_was_written_before_stays_what_was_written() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let first = fixture.sent(1, "A", 1);
    ledger.mark_confirmed(&[first], at(2)).unwrap();
    let second = fixture.sent(2, "T", 3);
    ledger.mark_corrected(second, HoldReason::SeveralRecords, "", at(4)).unwrap();
    assert_eq!(
        fixture.history(1),
        KeyHistory { stated: Some("A".to_owned()), written: Some(wrote("A")), ..KeyHistory::default() }
    );
    assert_eq!(ledger.written_by(fixture.run).unwrap()[0].standing, Standing::Last);
    let final_ = ledger.mark_corrected(second, HoldReason::SeveralRecords, "", at(5)).unwrap_err();
    assert_eq!(final_.code(), "store.not_in_state");
}

#[test]
fn what_a_write_was_judged_against_again_is_what_stood_before() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    fixture.decide(Source::Hero, FILE, &[write(1, daily(1), "T")], 1);
    let mut open = fixture.open();
    open.write.replaces = Some(AttendanceDcid::new(7));
    open.write.previous_code = Some("E".to_owned());
    open.write.previous_comment = Some("Nurse".to_owned());
    open.write.comment = "Nurse; Bus 12".to_owned();
    ledger.judged_again(open.id, &open.write).unwrap();
    assert_eq!(fixture.open(), open);
    ledger.mark_sending(&[open.id], at(2)).unwrap();
    ledger.judged_again(open.id, &open.write).unwrap();
    ledger.mark_confirmed(&[open.id], at(3)).unwrap();
    assert_eq!(ledger.judged_again(open.id, &open.write).unwrap_err().code(), "store.not_in_state");
}

/// The source had stated what somebody else had recorded before the backup; afterwards another code stands.
#[test]
fn what_counts_as_ours_after_a_restoration_counts_as_not_stated() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    fixture.decide(Source::Hero, FILE, &[write(1, daily(1), "T")], 1);
    ledger.mark_already_recorded(fixture.open().id, at(2)).unwrap();
    assert_eq!(fixture.history(1), KeyHistory { stated: Some("T".to_owned()), ..KeyHistory::default() });

    let run = start_run(ledger, 10);
    let decisions = [write(1, daily(1), "T")];
    let undecided = [hash(1)].into();
    let taken_over = TakenOver {
        rows: 0,
        decisions: &decisions,
        standing: &[].into(),
        changed: &[].into(),
        undecided: &undecided,
        overtaken: &[],
    };
    let file = InputFile { name: FILE, sha256: &content(&decisions), day: day() };
    assert_eq!(ledger.take_over(run, Source::Hero, &file, &taken_over, at(11)).unwrap(), 0);
    let found = KeyHistory { written: Some(wrote("T")), only_counts: true, ..KeyHistory::default() };
    assert_eq!(fixture.history(1), found);
}
