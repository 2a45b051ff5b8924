//! Connection tests of Hero, of the exchange with Raptor and of the mail server, stage by stage.

use std::{path::Path, time::Instant};

use chrono::Utc;
use rosterbridge_sftp::{Connection, Error as SftpError, Needs, Outcome, RemoteFolder, Stage};
use rosterbridge_store::ledger::PinnedHostKey;
use tokio_util::sync::CancellationToken;

use crate::{
    connections::raptor_folder,
    engine::Engine,
    error::EngineError,
    exports::{EXPORT, IMPORTS},
    raptor::ROSTER,
    report::{HeroTest, HostKeyView, RaptorTest, StageReport, StageResult, TestReport},
};

impl Engine {
    /// Tests Hero's SFTP server. A host key is pinned only if a person has accepted the very one presented.
    pub async fn test_hero(
        &self,
        accept: Option<String>,
        on_stage: impl FnMut(StageReport),
    ) -> Result<HeroTest, EngineError> {
        let started = Instant::now();
        let setup = self.setup().await?;
        let tested = async {
            let connection = self.hero_connection(&setup).await?;
            let needs = Needs {
                upload_folder: setup.hero.allow_upload.then(|| RemoteFolder::parse(IMPORTS)).transpose()?,
                download_folder: setup
                    .hero
                    .allow_download
                    .then(|| RemoteFolder::parse(EXPORT))
                    .transpose()?,
                made_folder: None,
            };
            Ok((connection, needs))
        };
        let (report, host_key) = self.test_server(tested.await, accept, started, on_stage).await?;
        Ok(HeroTest { report, host_key })
    }

    /// Tests the exchange with Raptor: the folder is there and can be written to, or the SFTP server stage by stage. The
    /// server's host key is pinned only if a person has accepted the very one presented.
    pub async fn test_raptor(
        &self,
        accept: Option<String>,
        mut on_stage: impl FnMut(StageReport),
    ) -> Result<RaptorTest, EngineError> {
        let started = Instant::now();
        let setup = self.setup().await?;
        let Some(settings) = &setup.raptor.connection else {
            let folder = setup.raptor.folder.clone();
            let usable = crate::engine::blocking(move || usable_folder(&folder)).await;
            let tested = stage("Exchange folder", &usable, "exists and can be written to", started);
            on_stage(tested.clone());
            return Ok(RaptorTest { report: report(vec![tested]), host_key: None });
        };
        let tested = async {
            let connection = self.raptor_connection(settings).await?;
            let exchange = raptor_folder(settings)?;
            let roster = exchange.folder(ROSTER).map_err(EngineError::raptor_server)?;
            let needs =
                Needs { upload_folder: None, download_folder: Some(exchange), made_folder: Some(roster) };
            Ok((connection, needs))
        };
        let (report, host_key) = self.test_server(tested.await, accept, started, on_stage).await?;
        Ok(RaptorTest { report, host_key })
    }

    /// Tests an SFTP server that is set up like this, and for this.
    async fn test_server(
        &self,
        tested: Result<(Connection, Needs), EngineError>,
        accept: Option<String>,
        mut started: Instant,
        mut on_stage: impl FnMut(StageReport),
    ) -> Result<(TestReport, Option<HostKeyView>), EngineError> {
        let (connection, needs) = match tested {
            Err(
                error @ (EngineError::NotSetUp(_)
                | EngineError::SecretMissing(_)
                | EngineError::Sftp(_)
                | EngineError::RaptorServer(_)),
            ) => {
                let shape = stage::<()>("Input", &Err(error), "", started);
                on_stage(shape.clone());
                return Ok((report(vec![shape]), None));
            }
            tested => tested?,
        };
        let before = self.pinned(&connection.address).await?;
        // Accepting only answers the question of a first contact. A changed key is never accepted this way.
        let trusted = before.clone().or_else(|| accept.clone());
        let mut stages = Vec::new();
        let tested = rosterbridge_sftp::test(
            &connection,
            trusted.as_deref(),
            &needs,
            &CancellationToken::new(),
            |stage| {
                let mut shown = from_sftp(stage, started);
                if let (None, Some(accepted), Outcome::Failed(SftpError::HostKeyChanged { presented, .. })) =
                    (&before, &accept, &stage.outcome)
                {
                    // Nothing was pinned, so nothing changed: the person accepted another key than this one.
                    let (accepted, presented) = (accepted.clone(), presented.sha256.clone());
                    let mismatch = EngineError::HostKeyMismatch { accepted, presented };
                    shown.result = StageResult::Failed(mismatch.cause());
                }
                on_stage(shown.clone());
                stages.push(shown);
                started = Instant::now();
            },
        )
        .await;
        let presented = tested.host_key;
        if let (None, Some(accepted), Some(key)) = (&before, &accept, &presented)
            && key.matches(accepted)
        {
            let pin = PinnedHostKey {
                host: connection.address.host.clone(),
                port: connection.address.port,
                algorithm: key.algorithm.clone(),
                sha256: key.sha256.clone(),
                accepted_at: Utc::now(),
                accepted_by: account(),
            };
            self.ledger(move |ledger| ledger.pin_host_key(&pin)).await?;
        }
        let host_key = presented.map(|key| HostKeyView {
            accepted: trusted.as_deref().is_some_and(|pin| key.matches(pin)),
            pinned_instead: before.filter(|pin| !key.matches(pin)),
            algorithm: key.algorithm,
            sha256: key.sha256,
            md5: key.md5,
        });
        Ok((report(stages), host_key))
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
        Stage::HostKey => "Host key",
        Stage::SignIn => "Sign-in",
        Stage::Folders => "Folders",
        Stage::Probe => "Upload",
    };
    let (result, detail) = match &stage.outcome {
        Outcome::Passed(found) => (StageResult::Passed, found.clone()),
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

/// The operating system account that accepted something.
fn account() -> String {
    std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_else(|_| "unknown".to_owned())
}
