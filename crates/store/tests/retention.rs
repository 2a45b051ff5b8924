//! What the retention forgets, and what it must not.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use rosterbridge_domain::{
    attendance::{NoOpReason, Source},
    held::HoldReason,
    job::{FileReceipt, JobId, Outcome, RowCounts},
};
use rosterbridge_store::{
    Ledger,
    ledger::{ExportProblem, Forgotten, HeldState, JobResult, RunId, Trigger, WatchedFile},
};
use support::{Fixture, KEY, at, daily, hash, hold, noop, raw, reject, write};

const FILE: &str = "ATTENDANCE.txt";

fn day(day: i64) -> DateTime<Utc> {
    at(0) + TimeDelta::days(day)
}

/// A run of both attendance jobs that ended.
fn run(ledger: &Ledger, trigger: Trigger, at: DateTime<Utc>) -> RunId {
    let run = RunId::new(at);
    let result = JobResult {
        outcome: Outcome::Succeeded,
        rows: RowCounts { read: 0, written: 0, noop: 0, held: 0, rejected: 0 },
        newly_held: 0,
        files: Vec::new(),
        notes: Vec::new(),
        cause: None,
    };
    ledger.start_run(run, trigger, &[JobId::HERO_ATTENDANCE], at).unwrap();
    ledger.start_job(run, JobId::HERO_ATTENDANCE, at).unwrap();
    ledger.finish_job(run, JobId::HERO_ATTENDANCE, &result, at).unwrap();
    ledger.finish_run(run, Outcome::Succeeded, None, at).unwrap();
    run
}

fn receipt(name: &str, rows: u64) -> FileReceipt {
    FileReceipt { name: name.to_owned(), rows, bytes: rows * 80, sha256: format!("{rows:064x}") }
}

/// Sends and confirms what is pending.
fn confirm_all(ledger: &Ledger, at: DateTime<Utc>) {
    let ids: Vec<_> = ledger.pending(Source::Hero).unwrap().iter().map(|row| row.id).collect();
    ledger.mark_sending(&ids, at).unwrap();
    ledger.mark_confirmed(&ids, at).unwrap();
}

/// An empty ledger: the fixture's own run would stay, since it never ends.
fn empty() -> (tempfile::TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.db"), &KEY, at(0)).unwrap();
    (folder, ledger)
}

#[test]
fn each_kind_of_row_goes_when_it_is_old_and_done_with() {
    let (_folder, ledger) = empty();
    let old = run(&ledger, Trigger::Schedule, day(0));
    let decide = |run, rows: &[_], at| support::record(&ledger, run, Source::Hero, FILE, rows, at).unwrap();
    // The first revision of a record written twice, a rejected and a harmless row, and a held one, discarded.
    decide(old, &[write(1, daily(1), "T"), reject(2), hold(3, HoldReason::UnknownStudent)], day(0));
    decide(old, &[noop(4, daily(4), "A", NoOpReason::AlreadyStated)], day(0));
    let discarded = ledger.held(9, 0, None).unwrap()[0].id;
    ledger.discard_held(&[discarded], day(0)).unwrap();
    confirm_all(&ledger, day(0));
    ledger.mark_file_seen(Source::Hero, FILE, "ef", old, day(0)).unwrap();
    ledger.record_upload(old, JobId::HERO_STUDENTS, &receipt("STUDENT.TXT", 10), day(0)).unwrap();
    let young = run(&ledger, Trigger::Schedule, day(9));
    decide(young, &[write(11, daily(1), "A")], day(9));
    confirm_all(&ledger, day(9));
    ledger.record_upload(young, JobId::HERO_STUDENTS, &receipt("STUDENT.TXT", 11), day(9)).unwrap();

    assert_eq!(ledger.forget_before(day(0)).unwrap(), Forgotten::default(), "nothing is older");
    let forgotten = ledger.forget_before(day(9)).unwrap();
    let all = Forgotten {
        runs: 1,
        writes: 1,
        decisions: 4,
        held_rows: 1,
        files: 1,
        uploads: 1,
        traced: 3,
        ..Forgotten::default()
    };
    assert_eq!(forgotten, all);
    assert_eq!(ledger.forget_before(day(9)).unwrap(), Forgotten::default());
    assert_eq!(ledger.run(old).unwrap(), None);
    assert_eq!(ledger.delivered(Source::Hero, &[hash(1), hash(11)]).unwrap(), [hash(11)].into());
    assert_eq!(ledger.file_seen(Source::Hero, FILE, "ef").unwrap(), None);
    ledger.integrity_check().unwrap();
}

#[test]
fn what_is_known_of_heros_files_goes_with_what_it_is_about() {
    let (_folder, ledger) = empty();
    let run = run(&ledger, Trigger::Schedule, day(0));
    let problem = ExportProblem {
        row: 3,
        number: "5003".to_owned(),
        field: "Last_Name".to_owned(),
        kind: "too_long".to_owned(),
        found: None,
        accepted: None,
    };
    let (sends, stopped) = (JobId::HERO_STUDENTS, JobId::HERO_TEACHERS);
    for job in [sends, stopped] {
        ledger.record_upload(run, job, &receipt("FILE.TXT", 10), day(0)).unwrap();
        ledger.keep_export_problems(job, std::slice::from_ref(&problem)).unwrap();
    }
    ledger.record_upload(run, sends, &receipt("FILE.TXT", 11), day(9)).unwrap();
    let file = |path: &str, last_seen| WatchedFile {
        connection: "hero".to_owned(),
        path: path.to_owned(),
        size: 400,
        modified: None,
        first_seen: day(0),
        last_seen,
        gone_at: None,
    };
    ledger.keep_watched_file(&file("imports/OLD.TXT", day(8))).unwrap();
    ledger.keep_watched_file(&file("imports/STUDENT.TXT", day(9))).unwrap();

    let forgotten = ledger.forget_before(day(9)).unwrap();
    assert_eq!((forgotten.export_problems, forgotten.watched_files), (1, 1));
    assert_eq!(ledger.export_problems(sends, 0, 9).unwrap(), [problem]);
    assert_eq!(ledger.export_problems(stopped, 0, 9).unwrap(), []);
    assert_eq!(ledger.watched_files("hero").unwrap(), [file("imports/STUDENT.TXT", day(9))]);
    assert_eq!(ledger.forget_before(day(9)).unwrap(), Forgotten::default());
}

#[test]
fn what_still_matters_stays_however_old() {
    let (folder, ledger) = empty();
    let old = run(&ledger, Trigger::Schedule, day(0));
    let dry = run(&ledger, Trigger::DryRun, day(0) + TimeDelta::hours(1));
    let decide = |rows: &[_]| support::record(&ledger, old, Source::Hero, FILE, rows, day(0)).unwrap();
    decide(&[write(1, daily(1), "T"), write(2, daily(2), "T")]);
    confirm_all(&ledger, day(0));
    decide(&[write(3, daily(3), "T"), write(4, daily(4), "T"), write(5, daily(5), "T")]);
    decide(&[
        hold(6, HoldReason::UnknownStudent),
        write(7, daily(7), "T"),
        hold(8, HoldReason::UnknownStudent),
    ]);
    let ids: Vec<_> = ledger.pending(Source::Hero).unwrap().iter().map(|row| row.id).collect();
    ledger.mark_sending(&ids[1..3], day(0)).unwrap();
    ledger.mark_unknown(&ids[2..3], "powerschool.timeout", day(0)).unwrap();
    ledger.mark_held(ids[3], HoldReason::ExistingCode, "", day(0)).unwrap();
    // Held long ago, discarded only now: the list says so for as long as the decision is young.
    let late = ledger.held(9, 0, None).unwrap().iter().find(|row| row.row_hash == hash(8)).unwrap().id;
    ledger.discard_held(&[late], day(99)).unwrap();
    ledger.record_upload(old, JobId::HERO_STUDENTS, &receipt("STUDENT.TXT", 10), day(0)).unwrap();

    let forgotten = ledger.forget_before(day(50)).unwrap();
    // The decisions of what was confirmed, and the dry run.
    assert_eq!(forgotten, Forgotten { runs: 1, decisions: 2, traced: 2, ..Forgotten::default() });
    assert_eq!(ledger.run(dry).unwrap(), None);
    assert_eq!(ledger.pending(Source::Hero).unwrap().len(), 3);
    assert_eq!(ledger.held(9, 0, Some(HeldState::Open)).unwrap().len(), 2);
    assert_eq!(ledger.held(9, 0, Some(HeldState::Discarded)).unwrap().len(), 1);
    for id in &ids {
        assert!(ledger.outbox_row(*id).unwrap().is_some());
    }
    // A row whose write is under way is not decided a second time.
    let hashes: Vec<_> = (1..=8).map(hash).collect();
    assert_eq!(ledger.delivered(Source::Hero, &hashes).unwrap(), [hash(3), hash(4), hash(5), hash(8)].into());
    let history = ledger.history(Source::Hero, &[daily(1), daily(2)]).unwrap();
    assert_eq!(history[&daily(1)].written, Some((Source::Hero, "T".to_owned())));
    assert_eq!(history[&daily(2)].stated.as_deref(), Some("T"));
    assert!(ledger.last_upload(JobId::HERO_STUDENTS, "STUDENT.TXT").unwrap().is_some());
    assert_eq!(ledger.last_job_run(JobId::HERO_ATTENDANCE).unwrap().unwrap().run, old);
    // Nothing that is done with names a student any more.
    let texts: Vec<(i64, String)> = raw(&folder.path().join("ledger.db"))
        .prepare("SELECT student, raw FROM outbox ORDER BY id")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let kept: Vec<_> =
        texts.iter().filter(|(_, text)| !text.is_empty()).map(|(student, _)| *student).collect();
    assert_eq!(kept, [3, 4, 5, 7]);
}

#[test]
fn more_than_one_batch_of_each() {
    let (_folder, ledger) = empty();
    let runs: Vec<_> = (0..1_100).map(|second| run(&ledger, Trigger::DryRun, at(second))).collect();
    let rows: Vec<_> =
        (0..1_300_u64).map(|row| write(row, daily(i64::try_from(row).unwrap()), "T")).collect();
    support::record(&ledger, runs[0], Source::Hero, FILE, &rows, at(0)).unwrap();
    for id in ledger.pending(Source::Hero).unwrap().iter().map(|row| row.id) {
        ledger.mark_already_recorded(id, at(1)).unwrap();
    }
    let forgotten = ledger.forget_before(day(1)).unwrap();
    assert_eq!((forgotten.runs, forgotten.writes, forgotten.decisions), (1_100, 1_300, 1_300));
    ledger.integrity_check().unwrap();
}

#[test]
fn a_run_under_way_stays() {
    let fixture = Fixture::new();
    assert_eq!(fixture.ledger.forget_before(day(500)).unwrap(), Forgotten::default());
    assert!(fixture.ledger.run(fixture.run).unwrap().is_some());
}

/// What happens to the one row of a day.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Decided,
    Unknown,
    Confirmed,
    AlreadyRecorded,
    HeldOpen,
    HeldWrite,
    Discarded,
    Resolved,
    Rejected,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop::sample::select(vec![
        Fate::Decided,
        Fate::Unknown,
        Fate::Confirmed,
        Fate::Confirmed,
        Fate::Confirmed,
        Fate::AlreadyRecorded,
        Fate::HeldOpen,
        Fate::HeldWrite,
        Fate::Discarded,
        Fate::Resolved,
        Fate::Rejected,
    ])
}

/// Lets a row about a student's record meet its fate; none if the record has a write under way.
fn live(ledger: &Ledger, run: RunId, row: u64, student: i64, code: &str, fate: Fate, at: DateTime<Utc>) {
    let decide = |decision| support::record(ledger, run, Source::Hero, FILE, &[decision], at);
    match fate {
        Fate::Rejected => drop(decide(reject(row)).unwrap()),
        Fate::HeldOpen => drop(decide(hold(row, HoldReason::UnknownStudent)).unwrap()),
        Fate::Discarded => {
            decide(hold(row, HoldReason::UnknownStudent)).unwrap();
            let held = ledger.held(999, 0, Some(HeldState::Open)).unwrap();
            ledger.discard_held(&[held.last().unwrap().id], at).unwrap();
        }
        Fate::Resolved => {
            decide(hold(row, HoldReason::UnknownStudent)).unwrap();
            decide(noop(row, daily(student), code, NoOpReason::AlreadyRecorded)).unwrap();
        }
        Fate::Decided | Fate::Unknown | Fate::Confirmed | Fate::AlreadyRecorded | Fate::HeldWrite => {
            if decide(write(row, daily(student), code)).is_err() {
                return;
            }
            let id = ledger.pending(Source::Hero).unwrap().last().unwrap().id;
            match fate {
                Fate::HeldWrite => drop(ledger.mark_held(id, HoldReason::ExistingCode, "", at).unwrap()),
                Fate::AlreadyRecorded => ledger.mark_already_recorded(id, at).unwrap(),
                Fate::Unknown | Fate::Confirmed => {
                    ledger.mark_sending(&[id], at).unwrap();
                    if matches!(fate, Fate::Unknown) {
                        ledger.mark_unknown(&[id], "powerschool.timeout", at).unwrap();
                    } else {
                        ledger.mark_confirmed(&[id], at).unwrap();
                    }
                }
                _ => {}
            }
        }
    }
}

/// Everything the engine asks about what matters.
fn answers(ledger: &Ledger, rows: u64, cutoff: u64) -> BTreeMap<&'static str, String> {
    let keys: Vec<_> = (0..4).map(daily).collect();
    let history = ledger.history(Source::Hero, &keys).unwrap();
    let young: Vec<_> = (cutoff..rows).map(hash).collect();
    let mut delivered: Vec<_> = ledger.delivered(Source::Hero, &young).unwrap().into_iter().collect();
    delivered.sort_unstable();
    let waiting: Vec<_> = ledger.pending(Source::Hero).unwrap();
    let waiting_hashes: Vec<_> = waiting.iter().map(|row| row.row_hash).collect();
    let decided = ledger.delivered(Source::Hero, &waiting_hashes).unwrap().len();
    let held = ledger.held(9_999, 0, Some(HeldState::Open)).unwrap();
    let upload = ledger.last_upload(JobId::HERO_STUDENTS, "STUDENT.TXT").unwrap();
    let histories: Vec<_> = keys.iter().map(|key| history.get(key)).collect();
    let last = ledger.last_job_run(JobId::HERO_ATTENDANCE).unwrap();
    let by_reason = ledger.held_by_reason().unwrap();
    [
        ("history", format!("{histories:?}")),
        ("young rows", format!("{delivered:?}")),
        ("under way", format!("{waiting:?}, decided: {decided}")),
        ("held", format!("{held:?}, {by_reason:?}")),
        ("uploads", format!("{upload:?}")),
        ("last run", format!("{last:?}")),
    ]
    .into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// One row a day about one of four records, and a cutoff somewhere among the days.
    #[test]
    fn forgetting_changes_no_answer_that_matters(
        fates in prop::collection::vec((fate(), 0..4_i64, prop::bool::ANY), 1..40),
        cutoff in 0..40_u64,
    ) {
        let (_folder, ledger) = empty();
        for (row, (fate, student, tardy)) in (0_u64..).zip(&fates) {
            let at = day(i64::try_from(row).unwrap());
            let run = run(&ledger, Trigger::Schedule, at);
            ledger.record_upload(run, JobId::HERO_STUDENTS, &receipt("STUDENT.TXT", row), at).unwrap();
            live(&ledger, run, row, *student, if *tardy { "T" } else { "A" }, *fate, at);
        }
        let rows = fates.len() as u64;
        let before = answers(&ledger, rows, cutoff);
        let cutoff_at = day(i64::try_from(cutoff).unwrap());
        let forgotten = ledger.forget_before(cutoff_at).unwrap();
        prop_assert_eq!(answers(&ledger, rows, cutoff), before);
        ledger.integrity_check().unwrap();
        // It has forgotten all it may: nothing is left for a second time.
        prop_assert_eq!(ledger.forget_before(cutoff_at).unwrap(), Forgotten::default());
        let old = cutoff.min(rows);
        prop_assert_eq!(forgotten.uploads as u64, if old == rows { old - 1 } else { old });
    }
}
