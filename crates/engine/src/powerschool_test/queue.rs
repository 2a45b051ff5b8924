//! Tests that wait until the server can be reached.

use std::{sync::PoisonError, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio_util::sync::CancellationToken;

use super::{comes_back, is_passing, report, value};
use crate::{
    engine::Engine,
    error::EngineError,
    report::{PowerSchoolTest, StageResult},
};

/// The first pause between two looks at the server: somebody may just be plugging the network in.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// The one test that may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// None waits.
    Empty,
    /// One waits.
    Waiting,
    /// The one that waited was taken off.
    Cancelled,
}

impl Engine {
    /// Whether a test waits for the server.
    pub fn is_test_waiting(&self) -> bool {
        *self.queue.borrow() == Queue::Waiting
    }

    /// Puts a test on the waiting list or takes it off because it is done.
    pub(super) async fn set_waiting(&self, waiting: bool) -> Result<(), EngineError> {
        self.set_flag(value::WAITING, waiting).await?;
        self.queue.send_replace(if waiting { Queue::Waiting } else { Queue::Empty });
        Ok(())
    }

    /// What the waiting list was when the profile was last open.
    pub(crate) async fn restore_queue(&self) -> Result<(), EngineError> {
        if self.flag(value::WAITING).await? {
            self.queue.send_replace(Queue::Waiting);
        }
        Ok(())
    }

    /// Ends with the next cancellation of tests.
    pub(super) fn test_token(&self) -> CancellationToken {
        self.testing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops the test under way and takes one that waits off the list.
    pub async fn cancel_test(&self) -> Result<(), EngineError> {
        let under_way = {
            let mut testing = self.testing.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *testing, CancellationToken::new())
        };
        under_way.cancel();
        let _concluding = self.concluding.lock().await;
        if !self.is_test_waiting() {
            return Ok(());
        }
        self.set_flag(value::WAITING, false).await?;
        if let Some(mut last) = self.last_test().await?.filter(|last| last.waiting) {
            last.waiting = false;
            for stage in &mut last.report.stages {
                if stage.result == StageResult::Waiting {
                    stage.result = StageResult::Skipped;
                    stage.detail.clear();
                }
            }
            last.report = report(last.report.stages);
            self.keep_test(&mut last).await?;
        }
        self.queue.send_replace(Queue::Cancelled);
        Ok(())
    }

    /// Waits until the test on the waiting list has been made, and returns it. One that was made just before is
    /// returned at once.
    pub async fn await_test(&self) -> Result<PowerSchoolTest, EngineError> {
        let mut queue = self.queue.subscribe();
        let ended = *queue
            .wait_for(|queue| *queue != Queue::Waiting)
            .await
            .map_err(|_| EngineError::TestCancelled)?;
        match ended {
            Queue::Cancelled => Err(EngineError::TestCancelled),
            Queue::Empty | Queue::Waiting => self.last_test().await?.ok_or(EngineError::NoTestWaiting),
        }
    }

    /// Makes tests that wait as soon as the server can be reached, as long as the profile is open.
    pub async fn make_waiting_tests(&self) {
        let mut queue = self.queue.subscribe();
        while queue.wait_for(|queue| *queue == Queue::Waiting).await.is_ok() {
            let mut pauses = ExponentialBuilder::default()
                .with_min_delay(FIRST_PAUSE)
                .with_factor(1.5)
                .with_max_delay(LONGEST_PAUSE)
                .with_jitter()
                .without_max_times()
                .build();
            loop {
                match self.make_waiting_test().await {
                    Ok(()) => {}
                    Err(error) => tracing::debug!(%error, "the waiting test can't be made yet"),
                }
                if !self.is_test_waiting() {
                    break;
                }
                tokio::select! {
                    () = tokio::time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE)) => {}
                    // Taken off, or asked for again: then the server is looked at at once.
                    _ = queue.changed() => break,
                }
            }
        }
    }

    /// Makes the test that waits, if the server can be reached.
    async fn make_waiting_test(&self) -> Result<(), EngineError> {
        let cancelled = self.test_token();
        let testing = async {
            let setup = self.setup().await?;
            let due = match self.powerschool_connection(&setup).await {
                Ok(connection) => match rosterbridge_powerschool::reach(&connection).await {
                    Ok(()) => true,
                    Err(error) => !is_passing(error.code()),
                },
                // Locked for a while: somebody will sign in.
                Err(error @ EngineError::Vault(_)) => return Err(error),
                // What was entered has changed since: the test will tell what is wrong with it.
                Err(_) => true,
            };
            if due { self.whole_test(&mut |_| ()).await.map(Some) } else { Ok(None) }
        };
        let test = tokio::select! {
            test = testing => test?,
            () = cancelled.cancelled() => return Ok(()),
        };
        if let Some(mut test) = test.filter(|test| !comes_back(&test.report)) {
            let _concluding = self.concluding.lock().await;
            // Taken off, or told by another test, while this one was made.
            if self.is_test_waiting() {
                test.waiting = false;
                self.keep_test(&mut test).await?;
                self.set_waiting(false).await?;
            }
        }
        Ok(())
    }
}
