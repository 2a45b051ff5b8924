//! How the Raptor integration's status came about, as the ledger keeps it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use rosterbridge_domain::{
    integration::{IntegrationEvent as E, IntegrationStatus as S},
    settings::Setup,
};
use rosterbridge_store::{
    Ledger,
    ledger::{Cause, Forgotten, RunId, StatusChange, Together},
};
use rstest::rstest;
use support::{KEY, at, raw};

fn empty() -> (tempfile::TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.db"), &KEY, at(0)).unwrap();
    (folder, ledger)
}

fn change(second: i64, from: S, to: S, event: E) -> StatusChange {
    let because = format!("It is {}.", event.as_str());
    StatusChange { at: at(second), from, to, event, because, cause: None, run: None }
}

fn failed(second: i64, status: S, code: &str) -> StatusChange {
    let cause = Cause { code: code.to_owned(), message: "It failed.".to_owned(), remedy: "Wait.".to_owned() };
    let run = Some(RunId::new(at(second)));
    StatusChange { cause: Some(cause), run, ..change(second, status, status, E::SyncFailed) }
}

fn keep(ledger: &Ledger, change: &StatusChange) {
    ledger.keep_together(Together { status_change: Some(change), ..Together::default() }).unwrap();
}

#[test]
fn changes_are_listed_latest_first_and_page_by_page() {
    let (_folder, ledger) = empty();
    assert_eq!((ledger.status_changes(9, None).unwrap(), ledger.status_since().unwrap()), (Vec::new(), None));
    let changes = [
        change(1, S::Disabled, S::PendingInitialization, E::Enabled),
        change(2, S::PendingInitialization, S::Initializing, E::WindowOpened),
        failed(3, S::Reinitializing, "sftp.unreachable"),
    ];
    for change in &changes {
        keep(&ledger, change);
    }
    let page = ledger.status_changes(2, None).unwrap();
    let of_page: Vec<&StatusChange> = page.iter().map(|(_, change)| change).collect();
    assert_eq!(of_page, [&changes[2], &changes[1]]);
    let rest = ledger.status_changes(2, Some(page[1].0)).unwrap();
    assert_eq!(rest.into_iter().map(|(_, change)| change).collect::<Vec<_>>(), changes[..1]);
    assert_eq!(ledger.status_since().unwrap(), Some(at(2)), "what stays is no change");
}

#[test]
fn what_changes_nothing_is_listed_once_until_the_status_changes() {
    let (_folder, ledger) = empty();
    keep(&ledger, &change(1, S::Initializing, S::Reinitializing, E::SyncFailed));
    for second in 2..9 {
        keep(&ledger, &failed(second, S::Reinitializing, "sftp.unreachable"));
        keep(&ledger, &change(second, S::Reinitializing, S::Reinitializing, E::WindowOpened));
    }
    keep(&ledger, &failed(9, S::Reinitializing, "raptor.folder_unusable"));
    assert_eq!(ledger.status_changes(99, None).unwrap().len(), 4);
    keep(&ledger, &change(10, S::Reinitializing, S::InitializationScheduled, E::WindowClosed));
    keep(&ledger, &failed(11, S::InitializationScheduled, "sftp.unreachable"));
    keep(&ledger, &failed(12, S::InitializationScheduled, "sftp.unreachable"));
    assert_eq!(ledger.status_changes(99, None).unwrap().len(), 6);
}

/// Half of it would be a set-up that is switched on with an integration that is not, or the other way round.
#[rstest]
#[case("facts")]
#[case("setup")]
#[case("status_changes")]
fn all_or_nothing(#[case] full: &str) {
    let (folder, ledger) = empty();
    let sql = format!("CREATE TRIGGER full BEFORE INSERT ON {full} BEGIN SELECT RAISE(ABORT, 'full'); END;");
    raw(&folder.path().join("ledger.db")).execute_batch(&sql).unwrap();
    let (setup, change) = (Setup::default(), change(1, S::Disabled, S::PendingInitialization, E::Enabled));
    let together =
        Together { values: &[("status", "on")], setup: Some(&setup), status_change: Some(&change) };
    ledger.keep_together(together).unwrap_err();
    assert_eq!(ledger.value("status").unwrap(), None);
    assert_eq!(ledger.setup().unwrap(), None);
    assert!(ledger.status_changes(9, None).unwrap().is_empty());

    raw(&folder.path().join("ledger.db")).execute_batch("DROP TRIGGER full;").unwrap();
    ledger.keep_together(together).unwrap();
    assert_eq!(ledger.value("status").unwrap().as_deref(), Some("on"));
    assert_eq!(ledger.setup().unwrap(), Some(setup));
    assert_eq!(ledger.status_changes(9, None).unwrap().len(), 1);
}

#[test]
fn how_the_status_came_to_be_what_it_is_stays_however_old() {
    let (_folder, ledger) = empty();
    for change in [
        change(1, S::Disabled, S::PendingInitialization, E::Enabled),
        failed(2, S::PendingInitialization, "sftp.unreachable"),
        change(3, S::PendingInitialization, S::Initializing, E::WindowOpened),
        failed(4, S::Initializing, "sftp.unreachable"),
    ] {
        keep(&ledger, &change);
    }
    assert_eq!(ledger.forget_before(at(1)).unwrap(), Forgotten::default());
    assert_eq!(ledger.forget_before(at(2)).unwrap(), Forgotten { status_changes: 1, ..Forgotten::default() });
    assert_eq!(ledger.forget_before(at(99)).unwrap().status_changes, 1);
    assert_eq!(ledger.status_changes(9, None).unwrap().len(), 2);
    assert_eq!(ledger.status_since().unwrap(), Some(at(3)));
    assert_eq!(ledger.forget_before(at(99)).unwrap(), Forgotten::default());
}
