//! The Raptor integration's status, pair by pair.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

use rosterbridge_domain::integration::{IntegrationEvent as E, IntegrationStatus as S};

/// Every status with its answer to every event in the order of [`E::ALL`]: Enabled, Disabled, WindowOpened, WindowClosed,
/// SyncSucceeded, SyncFailed, FetchSucceeded, FetchFailed. `None` is a pair without a rule.
const TABLE: [(S, [Option<S>; 8]); 7] = {
    const OFF: Option<S> = Some(S::Disabled);
    const SYNC: Option<S> = Some(S::Synchronizing);
    const INIT: Option<S> = Some(S::Initializing);
    const AGAIN: Option<S> = Some(S::Reinitializing);
    const LATER: Option<S> = Some(S::ReinitializationScheduled);
    const NEXT: Option<S> = Some(S::InitializationScheduled);
    [
        (S::Disabled, [Some(S::PendingInitialization), None, None, None, None, None, None, None]),
        (S::PendingInitialization, [None, OFF, INIT, None, None, None, None, None]),
        (S::Initializing, [None, OFF, None, NEXT, SYNC, AGAIN, None, None]),
        (S::Reinitializing, [None, OFF, None, NEXT, SYNC, None, None, None]),
        (S::Synchronizing, [None, OFF, None, None, None, None, SYNC, LATER]),
        (S::ReinitializationScheduled, [None, OFF, None, NEXT, SYNC, None, None, None]),
        (S::InitializationScheduled, [None, OFF, None, None, SYNC, None, None, None]),
    ]
};

#[test]
fn all_56_pairs() {
    assert_eq!(TABLE.map(|(status, _)| status), S::ALL);
    for (from, answers) in TABLE {
        for (event, to) in E::ALL.into_iter().zip(answers) {
            assert_eq!(from.after(event).ok(), to, "{from} and {}", event.as_str());
        }
    }
}

#[test]
fn a_pair_without_a_rule_says_why_in_a_sentence() {
    for status in S::ALL {
        for why in E::ALL.into_iter().filter_map(|event| status.after(event).err()) {
            assert!(why.to_string().ends_with('.') && why.why().len() > 20, "{why}");
        }
    }
    let why = S::PendingInitialization.after(E::FetchFailed).unwrap_err();
    assert_eq!(why.why(), "Updates are followed only after a full synchronization has succeeded.");
}

#[test]
fn names_are_those_of_json() {
    for status in S::ALL {
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
    for event in E::ALL {
        assert_eq!(serde_json::to_value(event).unwrap(), event.as_str());
    }
}

/// Raptor's page names seven statuses; every one can be come to from Disabled, and each way back ends there.
#[test]
fn every_status_can_be_reached_and_left() {
    let mut reached = vec![S::Disabled];
    while let Some(new) = reached
        .iter()
        .flat_map(|status| E::ALL.into_iter().filter_map(|event| status.after(event).ok()))
        .find(|status| !reached.contains(status))
    {
        reached.push(new);
    }
    assert_eq!(reached.len(), S::ALL.len());
    assert!(
        S::ALL
            .iter()
            .all(|status| { *status == S::Disabled || status.after(E::Disabled) == Ok(S::Disabled) })
    );
}
