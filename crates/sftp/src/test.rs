use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::connection::{check_host_key, dial, greet, resolve, sign_in};
use crate::{Connection, Error, HostKey, RemoteFolder};

/// The stages of a connection test, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The host name has an address.
    Resolve,
    /// The port takes a TCP connection.
    Connect,
    /// It is an SSH server, encryption is agreed on, and its key is the accepted one.
    HostKey,
    /// The account is let in and may use SFTP.
    SignIn,
    /// The folders in use exist.
    Folders,
    /// A file can be written to the upload folder and removed again.
    Probe,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 6] =
        [Self::Resolve, Self::Connect, Self::HostKey, Self::SignIn, Self::Folders, Self::Probe];
}

/// What became of a stage.
#[derive(Debug)]
pub enum Outcome {
    /// It works; the text says what was found.
    Passed(String),
    /// It does not.
    Failed(Error),
    /// Not tried, because an earlier stage failed or nothing asked for it.
    Skipped,
}

/// One stage and its outcome.
#[derive(Debug)]
pub struct StageReport {
    /// Which stage.
    pub stage: Stage,
    /// What became of it.
    pub outcome: Outcome,
}

/// The whole test.
#[derive(Debug)]
pub struct TestReport {
    /// Every stage of [`Stage::ALL`], in that order.
    pub stages: Vec<StageReport>,
    /// The key the server presented, accepted or not, if it came that far.
    pub host_key: Option<HostKey>,
}

impl TestReport {
    /// The failure, if there was one; everything behind it was skipped.
    pub fn failure(&self) -> Option<&Error> {
        self.stages.iter().find_map(|report| match &report.outcome {
            Outcome::Failed(error) => Some(error),
            _ => None,
        })
    }
}

/// What a connection will be used for.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// The folder uploads go to: must exist and be writable.
    pub upload_folder: Option<RemoteFolder>,
    /// The folder downloads come from: must exist and be listable.
    pub download_folder: Option<RemoteFolder>,
    /// A folder in one of these that uploads go to: made where it is missing, and must be writable.
    pub made_folder: Option<RemoteFolder>,
}

/// Tries a connection stage by stage and reports each as it ends. The first failure ends the test.
pub async fn test(
    connection: &Connection,
    pinned: Option<&str>,
    needs: &Needs,
    cancel: &CancellationToken,
    on_stage: impl FnMut(&StageReport),
) -> TestReport {
    let mut progress = Progress { stages: Vec::new(), on_stage };
    let mut host_key = None;
    if let Err(error) = run(connection, pinned, needs, cancel, &mut progress, &mut host_key).await {
        progress.report(Outcome::Failed(error));
    }
    while progress.stages.len() < Stage::ALL.len() {
        progress.report(Outcome::Skipped);
    }
    TestReport { stages: progress.stages, host_key }
}

async fn run<F: FnMut(&StageReport)>(
    connection: &Connection,
    pinned: Option<&str>,
    needs: &Needs,
    cancel: &CancellationToken,
    progress: &mut Progress<F>,
    host_key: &mut Option<HostKey>,
) -> Result<(), Error> {
    let addresses = resolve(connection, cancel).await?;
    let found: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    progress.report(Outcome::Passed(found.join(", ")));

    let socket = dial(connection, &addresses, cancel).await?;
    progress.report(Outcome::Passed(connection.address.to_string()));

    let greeted = greet(connection, socket, cancel).await?;
    let presented = host_key.insert(greeted.host_key.clone());
    check_host_key(presented, pinned)?;
    progress.report(Outcome::Passed(format!("{} {}", presented.algorithm, presented.sha256)));

    let session = sign_in(connection, greeted).await?;
    progress.report(Outcome::Passed(connection.username.clone()));

    let folders: Vec<_> = needs.upload_folder.iter().chain(&needs.download_folder).collect();
    for folder in &folders {
        session.require_folder(folder).await?;
    }
    if let Some(folder) = &needs.download_folder {
        session.list(folder).await?;
    }
    if let Some(folder) = &needs.made_folder {
        session.make_folder(folder).await?;
    }
    let folders: Vec<_> = folders.into_iter().chain(&needs.made_folder).collect();
    if folders.is_empty() {
        progress.report(Outcome::Skipped);
    } else {
        let names: Vec<_> = folders.iter().map(ToString::to_string).collect();
        progress.report(Outcome::Passed(names.join(", ")));
    }

    let written: Vec<_> = needs.upload_folder.iter().chain(&needs.made_folder).collect();
    for folder in &written {
        session.probe(folder).await?;
    }
    if !written.is_empty() {
        let names: Vec<_> = written.iter().map(ToString::to_string).collect();
        progress.report(Outcome::Passed(names.join(", ")));
    }
    // What was to be found out is known; a server that closes first changes nothing.
    if let Err(error) = session.close().await {
        tracing::debug!(code = error.code(), "the server closed the test's session first");
    }
    Ok(())
}

struct Progress<F> {
    stages: Vec<StageReport>,
    on_stage: F,
}

impl<F: FnMut(&StageReport)> Progress<F> {
    /// Records the outcome of the next stage.
    fn report(&mut self, outcome: Outcome) {
        let Some(stage) = Stage::ALL.get(self.stages.len()).copied() else { return };
        let report = StageReport { stage, outcome };
        (self.on_stage)(&report);
        self.stages.push(report);
    }
}
