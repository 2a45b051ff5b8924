//! What a run means for the Raptor integration's status.

use chrono::Utc;
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::integration::{IntegrationEvent, IntegrationStatus};

use super::Run;
use crate::{error::EngineError, following::NOT_FETCHED, integration::Incident, notices::announce};

impl Run<'_> {
    /// Moves the Raptor integration's status with the outcome of a full synchronization. A run a person asked for
    /// counts as the window being open.
    pub(super) async fn follow_raptor(&self, failed: Option<&EngineError>) -> Result<(), EngineError> {
        let status = self.engine.raptor_status().await?;
        if status == IntegrationStatus::PendingInitialization {
            let because = "A person started a full synchronization, as if the window were open.";
            self.move_raptor(IntegrationEvent::WindowOpened, because, None).await?;
        }
        pass(CrashPoint::StatusUnmoved);
        match failed {
            None => {
                let because = "A full synchronization succeeded.";
                self.move_raptor(IntegrationEvent::SyncSucceeded, because, None).await?;
                self.engine.remember_followed(self.roster()?, &self.setup, Utc::now()).await
            }
            // Nothing was wrong with fetching: it waits for a person, who is told.
            Some(EngineError::LargeChange(_)) if status == IntegrationStatus::Synchronizing => Ok(()),
            Some(error) => {
                let because = "A full synchronization failed.";
                self.move_raptor(IntegrationEvent::SyncFailed, because, Some(error)).await
            }
        }
    }

    /// Moves the Raptor integration's status because PowerSchool does not give what the roster is made of.
    pub(super) async fn refuse_raptor(&self, error: &EngineError) -> Result<(), EngineError> {
        if self.engine.raptor_status().await? != IntegrationStatus::Synchronizing {
            return self.follow_raptor(Some(error)).await;
        }
        self.move_raptor(IntegrationEvent::FetchFailed, NOT_FETCHED, Some(error)).await
    }

    async fn move_raptor(
        &self,
        event: IntegrationEvent,
        because: &str,
        error: Option<&EngineError>,
    ) -> Result<(), EngineError> {
        let incident = Incident { event, because, error, run: Some(self.id) };
        let notices = self.engine.raptor_event(incident, Utc::now(), Vec::new()).await?;
        self.engine.wake_sending();
        announce(&notices, &self.on_event);
        Ok(())
    }
}
