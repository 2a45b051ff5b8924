//! Connection tests of Hero, of the exchange with Raptor and of the mail server, stage by stage.

use std::{path::Path, sync::PoisonError, time::Instant};

use rosterbridge_domain::settings::{ConnectionId, RaptorConnection, Setup, TransfersAtOnce};
use rosterbridge_sftp::{Connection, HostKey, Needs, Outcome, Pin, RemoteFolder, Stage, fingerprint};
use rosterbridge_store::ledger::PinnedHostKey;
use tokio_util::sync::CancellationToken;

use crate::{
    connections::{managed, pin, raptor_folder},
    engine::Engine,
    error::EngineError,
    exports::{EXPORT, IMPORTS},
    host_keys::accepted_now,
    raptor::ROSTER,
    report::{AcceptedHostKey, ConnectionTest, HostKeyView, StageReport, StageResult, TestReport},
};

impl Engine {
    /// Tests the server of a managed connection, for what it is used for. A host key is pinned only if a person has
    /// accepted the very one presented, or knows its fingerprint from whoever runs the server: `accept` is that
    /// fingerprint, in any form it is printed in.
    pub async fn test_connection(
        &self,
        id: ConnectionId,
        accept: Option<String>,
        on_stage: impl FnMut(StageReport),
    ) -> Result<ConnectionTest, EngineError> {
        let started = Instant::now();
        let setup = self.setup().await?;
        let tested = async {
            let connection = self.managed_connection(&setup, id).await?;
            Ok((connection, needs(&setup, id)?, managed(&setup, id)?.transfers_at_once))
        };
        self.test_server(id, tested.await, accept, started, on_stage).await
    }

    /// Tests the exchange with Raptor: the folder is there and can be written to, or the SFTP server stage by stage, as
    /// [`Engine::test_connection`] does.
    pub async fn test_raptor(
        &self,
        accept: Option<String>,
        mut on_stage: impl FnMut(StageReport),
    ) -> Result<ConnectionTest, EngineError> {
        let started = Instant::now();
        let setup = self.setup().await?;
        let Some(settings) = &setup.raptor.connection else {
            let folder = setup.raptor.folder.clone();
            let usable = crate::engine::blocking(move || usable_folder(&folder)).await;
            let tested = stage("Exchange folder", &usable, "exists and can be written to", started);
            on_stage(tested.clone());
            return Ok(ConnectionTest { report: report(vec![tested]), host_key: None });
        };
        let tested = async {
            let connection = self.managed_connection(&setup, settings.connection).await?;
            let at_once = managed(&setup, settings.connection)?.transfers_at_once;
            Ok((connection, raptor_needs(settings)?, at_once))
        };
        self.test_server(settings.connection, tested.await, accept, started, on_stage).await
    }

    /// Tests an SFTP server that is set up like this, and for this.
    async fn test_server(
        &self,
        id: ConnectionId,
        tested: Result<(Connection, Needs, TransfersAtOnce), EngineError>,
        accept: Option<String>,
        mut started: Instant,
        mut on_stage: impl FnMut(StageReport),
    ) -> Result<ConnectionTest, EngineError> {
        let accept = accept.as_deref().map(fingerprint::parse).transpose();
        let ((connection, needs, at_once), accept) = match (tested, accept) {
            (Ok(tested), Ok(accept)) => (tested, accept),
            (
                Err(
                    error @ (EngineError::ConnectionNotSetUp(_)
                    | EngineError::SecretMissing(_)
                    | EngineError::Sftp(_)
                    | EngineError::RaptorServer(_)),
                ),
                _,
            ) => {
                let shape = stage::<()>("Input", &Err(error), "", started);
                on_stage(shape.clone());
                return Ok(ConnectionTest { report: report(vec![shape]), host_key: None });
            }
            (Err(error), _) => return Err(error),
            (_, Err(error)) => return Err(error.into()),
        };
        let stop = self.connection_test_token();
        let _turn = match self.transfers.turn(id, at_once, &stop).await {
            Err(EngineError::Cancelled) => return Err(EngineError::TestCancelled),
            turn => turn?,
        };
        let before = self.pinned_host_keys(&connection.address).await?;
        let pins: Vec<Pin> = before.iter().map(pin).collect();
        let mut stages = Vec::new();
        let tested = rosterbridge_sftp::test(&connection, &pins, accept.as_ref(), &needs, &stop, |stage| {
            let shown = from_sftp(stage, started);
            on_stage(shown.clone());
            stages.push(shown);
            started = Instant::now();
        })
        .await;
        let presented = tested.host_key;
        let mut accepted =
            presented.as_ref().is_some_and(|key| pins.iter().any(|pin| key.matches(&pin.sha256)));
        // Accepting only answers the question of a first contact. A changed key is never accepted this way.
        if let (true, Some(accept), Some(key)) = (before.is_empty(), &accept, &presented)
            && accept.matches(key)
        {
            let pin = accepted_now(&connection.address, key);
            self.ledger(move |ledger| ledger.pin_host_key(&pin)).await?;
            accepted = true;
        }
        let host_key = presented.map(|key| HostKeyView {
            accepted,
            pinned_instead: if accepted { None } else { instead_of(before, &key) },
            algorithm: key.algorithm,
            sha256: key.sha256,
            md5: key.md5,
        });
        Ok(ConnectionTest { report: report(stages), host_key })
    }

    /// Ends with the next cancellation of connection tests.
    pub(crate) fn connection_test_token(&self) -> CancellationToken {
        self.testing_connections.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops the tests of managed connections under way.
    pub fn cancel_connection_test(&self) {
        let mut testing = self.testing_connections.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *testing).cancel();
    }

    /// Sends a test mail: to these, or to everybody who gets reports where nobody is named.
    pub async fn test_mail(&self, to: Vec<String>) -> Result<TestReport, EngineError> {
        let setup = self.setup().await?;
        let started = Instant::now();
        let sent = self.send_test_letters(&setup, if to.is_empty() { &setup.mail.to } else { &to }).await;
        Ok(report(vec![stage("Test mail", &sent, "the mail server took the mail", started)]))
    }
}

/// The exchange folder, if it is there. Leaves no trace in it, so that planning may ask.
pub(crate) fn existing_folder(folder: &str) -> Result<&Path, EngineError> {
    if folder.trim().is_empty() {
        return Err(EngineError::NotSetUp("Raptor's exchange folder is not set up yet"));
    }
    let path = Path::new(folder);
    if !path.is_dir() {
        return Err(EngineError::Folder { path: path.to_owned(), why: "there is no such folder".to_owned() });
    }
    Ok(path)
}

/// Whether the exchange folder can be written to: creates a file there and removes it.
fn usable_folder(folder: &str) -> Result<(), EngineError> {
    let path = existing_folder(folder)?;
    match tempfile::Builder::new().prefix(".rosterbridge-probe").tempfile_in(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(EngineError::Folder { path: path.to_owned(), why: error.to_string() }),
    }
}

/// What a managed connection is used for.
fn needs(setup: &Setup, id: ConnectionId) -> Result<Needs, EngineError> {
    let for_hero = setup.hero.accounts.iter().any(|account| account.connection == id);
    if !for_hero
        && let Some(raptor) = setup.raptor.connection.as_ref().filter(|raptor| raptor.connection == id)
    {
        return raptor_needs(raptor);
    }
    let settings = managed(setup, id)?;
    Ok(Needs {
        upload_folder: settings.allow_upload.then(|| RemoteFolder::parse(IMPORTS)).transpose()?,
        download_folder: settings.allow_download.then(|| RemoteFolder::parse(EXPORT)).transpose()?,
        made_folder: None,
    })
}

fn raptor_needs(settings: &RaptorConnection) -> Result<Needs, EngineError> {
    let exchange = raptor_folder(settings)?;
    let roster = exchange.folder(ROSTER).map_err(EngineError::raptor_server)?;
    Ok(Needs { upload_folder: None, download_folder: Some(exchange), made_folder: Some(roster) })
}

/// The accepted key a presented one stands in the place of: that of its own type, if there is one.
fn instead_of(pinned: Vec<PinnedHostKey>, presented: &HostKey) -> Option<AcceptedHostKey> {
    let same_type = pinned.iter().position(|key| key.algorithm == presented.algorithm);
    pinned.into_iter().nth(same_type.unwrap_or(0)).map(AcceptedHostKey::from)
}

fn report(stages: Vec<StageReport>) -> TestReport {
    let passed = !stages.iter().any(|stage| matches!(stage.result, StageResult::Failed(_)));
    TestReport { passed, stages }
}

fn stage<T>(name: &str, result: &Result<T, EngineError>, found: &str, started: Instant) -> StageReport {
    let (result, detail) = match result {
        Ok(_) => (StageResult::Passed, found.to_owned()),
        Err(error) => (StageResult::Failed(error.cause()), String::new()),
    };
    StageReport { name: name.to_owned(), result, detail, millis: millis(started) }
}

fn from_sftp(stage: &rosterbridge_sftp::StageReport, started: Instant) -> StageReport {
    let name = match stage.stage {
        Stage::Resolve => "Host name",
        Stage::Connect => "Connection",
        Stage::Greeting => "SSH",
        Stage::HostKey => "Host key",
        Stage::SignIn => "Sign-in",
        Stage::Folders => "Folders",
        Stage::Probe => "Upload",
        Stage::Listing => "Download",
        Stage::Space => "Free space",
    };
    let (result, detail) = match &stage.outcome {
        Outcome::Passed(found) => (StageResult::Passed, found.clone()),
        Outcome::Warned { found, warning } => (
            StageResult::Warned(crate::report::Cause {
                code: warning.code().to_owned(),
                message: crate::error::sentence(&warning.to_string()),
                remedy: warning.remedy().to_string(),
            }),
            found.clone(),
        ),
        Outcome::Skipped => (StageResult::Skipped, String::new()),
        Outcome::Failed(error) => (
            StageResult::Failed(crate::report::Cause {
                code: error.code().to_owned(),
                message: crate::error::sentence(&error.to_string()),
                remedy: error.remedy().to_string(),
            }),
            String::new(),
        ),
    };
    StageReport { name: name.to_owned(), result, detail, millis: millis(started) }
}

pub(crate) fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
