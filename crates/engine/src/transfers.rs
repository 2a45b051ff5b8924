//! How many sessions a managed connection may have open at a time, over all runs, tests and looks between runs.

use std::{collections::BTreeMap, ops::Deref};

use rosterbridge_domain::settings::{ConnectionId, TransfersAtOnce};
use rosterbridge_sftp::Session;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::EngineError;

/// The turns that are taken, by connection. A session has one transfer under way at a time, so a turn is a session.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    taken: watch::Sender<BTreeMap<ConnectionId, u8>>,
}

/// A turn, taken until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    connection: ConnectionId,
    taken: watch::Sender<BTreeMap<ConnectionId, u8>>,
}

impl Transfers {
    /// Waits until the connection may have one more session.
    pub(crate) async fn turn(
        &self,
        connection: ConnectionId,
        at_once: TransfersAtOnce,
        cancel: &CancellationToken,
    ) -> Result<Turn, EngineError> {
        // From before the first look, so that no turn given back in between is missed.
        let mut given_back = self.taken.subscribe();
        loop {
            if cancel.is_cancelled() {
                return Err(EngineError::Cancelled);
            }
            let free = self.taken.send_if_modified(|taken| {
                let taken = taken.entry(connection).or_default();
                let free = *taken < at_once.get();
                *taken += u8::from(free);
                free
            });
            if free {
                return Ok(Turn { connection, taken: self.taken.clone() });
            }
            // It can't end: the sender is ours.
            let waited = cancel.run_until_cancelled(given_back.changed()).await;
            if !matches!(waited, Some(Ok(()))) {
                return Err(EngineError::Cancelled);
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.taken.send_modify(|taken| {
            if let Some(taken) = taken.get_mut(&self.connection) {
                *taken = taken.saturating_sub(1);
            }
        });
    }
}

/// An open session of a managed connection, which takes one of the connection's turns.
pub(crate) struct OpenConnection {
    session: Session,
    turn: Turn,
}

impl OpenConnection {
    pub(crate) const fn new(session: Session, turn: Turn) -> Self {
        Self { session, turn }
    }

    /// The session, and the turn to be kept as long as it is open.
    pub(crate) fn into_parts(self) -> (Session, Turn) {
        (self.session, self.turn)
    }

    /// Says goodbye to the server, then lets others have their turn.
    pub(crate) async fn close(self) -> Result<(), rosterbridge_sftp::Error> {
        let Self { session, turn } = self;
        let closed = session.close().await;
        drop(turn);
        closed
    }
}

impl Deref for OpenConnection {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    fn at_once(number: u8) -> TransfersAtOnce {
        number.try_into().unwrap()
    }

    /// Whether a turn can be had without waiting.
    async fn is_free(transfers: &Transfers, connection: ConnectionId, most: u8) -> bool {
        let cancel = CancellationToken::new();
        let asking = transfers.turn(connection, at_once(most), &cancel);
        tokio::select! {
            biased;
            turn = asking => turn.is_ok(),
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn no_more_turns_are_taken_than_a_connection_has() {
        let (transfers, cancel) = (Transfers::default(), CancellationToken::new());
        let first = transfers.turn(ConnectionId::HERO, at_once(2), &cancel).await.unwrap();
        let second = transfers.turn(ConnectionId::HERO, at_once(2), &cancel).await.unwrap();
        assert!(!is_free(&transfers, ConnectionId::HERO, 2).await);
        assert!(is_free(&transfers, ConnectionId::RAPTOR, 2).await);
        // A higher limit holds at once, a lower one as soon as turns are given back.
        assert!(is_free(&transfers, ConnectionId::HERO, 3).await);
        drop(first);
        assert!(!is_free(&transfers, ConnectionId::HERO, 1).await);
        assert!(is_free(&transfers, ConnectionId::HERO, 2).await);
        drop(second);
        assert!(is_free(&transfers, ConnectionId::HERO, 1).await);
    }

    #[tokio::test]
    async fn whoever_waits_gets_the_next_turn() {
        let (transfers, cancel) = (Transfers::default(), CancellationToken::new());
        let first = transfers.turn(ConnectionId::HERO, at_once(1), &cancel).await.unwrap();
        let waiting = transfers.turn(ConnectionId::HERO, at_once(1), &cancel);
        let (second, ()) = tokio::join!(waiting, async { drop(first) });
        second.unwrap();
    }

    #[tokio::test]
    async fn cancelling_ends_the_wait() {
        let (transfers, cancel) = (Transfers::default(), CancellationToken::new());
        let _first = transfers.turn(ConnectionId::HERO, at_once(1), &cancel).await.unwrap();
        let waiting = transfers.turn(ConnectionId::HERO, at_once(1), &cancel);
        let (second, ()) = tokio::join!(waiting, async { cancel.cancel() });
        assert!(matches!(second, Err(EngineError::Cancelled)));
    }
}
