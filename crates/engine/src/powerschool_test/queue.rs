//! Tests that wait until the server can be reached.

use std::{sync::PoisonError, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use rosterbridge_powerschool::{Error, StageName};
use tokio_util::sync::CancellationToken;

use super::{report, value};
use crate::{
    engine::Engine,
    error::EngineError,
    report::{Cause, PowerSchoolTest, StageReport, StageResult, TestReport},
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
        self.obstacle.send_replace(None);
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
    /// returned at once. Why it still waits is told as a waiting stage, as often as the reason changes.
    pub async fn await_test(
        &self,
        on_stage: impl Fn(StageReport) + Send,
    ) -> Result<PowerSchoolTest, EngineError> {
        let (mut queue, mut obstacle) = (self.queue.subscribe(), self.obstacle.subscribe());
        let telling = async {
            loop {
                let known = obstacle.borrow_and_update().clone();
                if let Some(cause) = known {
                    on_stage(StageReport {
                        name: StageName::Tcp.title().to_owned(),
                        result: StageResult::Waiting,
                        detail: format!("{} [{}]", cause.message, cause.code),
                        millis: 0,
                    });
                }
                if obstacle.changed().await.is_err() {
                    // The engine is gone, and with it the queue, which tells.
                    std::future::pending::<()>().await;
                }
            }
        };
        let ending = async { queue.wait_for(|queue| *queue != Queue::Waiting).await.map(|ended| *ended) };
        let ended = tokio::select! {
            biased;
            ended = ending => ended.map_err(|_| EngineError::TestCancelled)?,
            () = telling => return Err(EngineError::TestCancelled),
        };
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
        let mut queue = self.queue.subscribe();
        let testing = async {
            let due = match self.look().await {
                Err(EngineError::PowerSchool(error)) if passes(&error) => {
                    self.waits_for(&EngineError::from(error).cause());
                    false
                }
                // Locked for a while: somebody will sign in.
                Err(error @ EngineError::Vault(_)) => {
                    self.waits_for(&error.cause());
                    return Err(error);
                }
                // What was entered has changed since: the test will tell what is wrong with it.
                Ok(()) | Err(_) => true,
            };
            if !due {
                return Ok(None);
            }
            let test = self.whole_test(&mut |_| ()).await?;
            if !self.comes_back(&test.report).await {
                return Ok(Some(test));
            }
            if let Some(cause) = failure(&test.report) {
                self.waits_for(cause);
            }
            Ok(None)
        };
        let test = tokio::select! {
            test = testing => test?,
            () = cancelled.cancelled() => return Ok(()),
            // Asked for again, perhaps after a correction: this one may be about what was entered before.
            _ = queue.changed() => return Ok(()),
        };
        if let Some(mut test) = test {
            let _concluding = self.concluding.lock().await;
            // Taken off, told by another test, or asked for again while this one was made.
            if self.is_test_waiting() && !queue.has_changed().unwrap_or(true) {
                test.waiting = false;
                self.keep_test(&mut test).await?;
                self.set_waiting(false).await?;
            }
        }
        Ok(())
    }

    /// Keeps why the test still waits.
    fn waits_for(&self, cause: &Cause) {
        self.obstacle.send_if_modified(|known| {
            let other = known.as_ref() != Some(cause);
            if other {
                *known = Some(cause.clone());
            }
            other
        });
    }

    /// Looks whether the server can be reached.
    async fn look(&self) -> Result<(), EngineError> {
        let setup = self.setup().await?;
        let connection = self.powerschool_connection(&setup).await?;
        Ok(rosterbridge_powerschool::reach(&connection).await?)
    }

    /// Whether a test failed for something that passes by itself: no way to the server, or a server that is down.
    pub(super) async fn comes_back(&self, report: &TestReport) -> bool {
        match failure(report).map(|cause| cause.code.as_str()) {
            Some(
                "powerschool.dns"
                | "powerschool.unreachable"
                | "powerschool.interrupted"
                | "powerschool.timeout"
                | "powerschool.maintenance"
                | "powerschool.busy"
                | "powerschool.proxy_unreachable"
                | "powerschool.proxy_timeout"
                | "powerschool.proxy_pac",
            ) => true,
            // What the proxy or the server answered tells it, so it is asked once more.
            Some("powerschool.proxy_refused" | "powerschool.unexpected_answer") => {
                matches!(self.look().await, Err(EngineError::PowerSchool(error)) if passes(&error))
            }
            _ => false,
        }
    }
}

/// Why a test failed, if it did.
fn failure(report: &TestReport) -> Option<&Cause> {
    report.stages.iter().find_map(|stage| match &stage.result {
        StageResult::Failed(cause) => Some(cause),
        _ => None,
    })
}

/// Whether what keeps the server from being reached passes by itself. Without a network no name is found, and a
/// computer that is set to a proxy's script then has no way to the server either.
fn passes(error: &Error) -> bool {
    error.is_transient()
        || matches!(
            error,
            Error::Dns { .. } | Error::ProxyPac { .. } | Error::ProxyRefused { status: Some(500..=599), .. }
        )
}

#[cfg(test)]
mod tests {
    use rosterbridge_powerschool::AnswerProblem;
    use rstest::rstest;

    use super::*;

    fn answered(status: u16) -> Error {
        Error::UnexpectedAnswer { request: "/ws/v1/time".to_owned(), problem: AnswerProblem::Status(status) }
    }

    fn refused(status: Option<u16>) -> Error {
        Error::ProxyRefused { proxy: "proxy:8080".to_owned(), host: "sis.example.org".to_owned(), status }
    }

    #[rstest]
    #[case::no_name(Error::Dns { host: "sis.example.org".to_owned() }, true)]
    #[case::broken_off(Error::Interrupted { host: "sis.example.org".to_owned() }, true)]
    #[case::gateway(answered(502), true)]
    #[case::other_answer(answered(404), false)]
    #[case::gateway_of_the_proxy(refused(Some(503)), true)]
    #[case::forbidden_by_the_proxy(refused(Some(403)), false)]
    #[case::no_answer_of_the_proxy(refused(None), false)]
    #[case::credentials(Error::BadCredentials, false)]
    fn a_test_waits_for_what_passes_by_itself(#[case] error: Error, #[case] expected: bool) {
        assert_eq!(passes(&error), expected);
    }
}
