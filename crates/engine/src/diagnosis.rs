//! Connection tests of Hero, of the exchange with Raptor and of the mail server, stage by stage.

use std::{
    collections::{BTreeSet, HashSet},
    path::{Path, PathBuf},
    sync::PoisonError,
    time::{Duration, Instant},
};

use chrono::Utc;
use rosterbridge_domain::{
    dated_path::{DatedPath, folder_and_name},
    settings::{
        ConnectionId, Destination, ExportKind, HeroAccount, RaptorConnection, Setup, TransfersAtOnce,
    },
};
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
        let stop = self.connection_test_token();
        let setup = self.setup().await?;
        let tested = async {
            let connection = self.managed_connection(&setup, id).await?;
            Ok((connection, needs(&setup, id)?, managed(&setup, id)?.transfers_at_once))
        };
        self.test_server(id, tested.await, accept, &stop, started, on_stage).await
    }

    /// Tests the exchange with Raptor: the folder is there and can be written to, or the SFTP server stage by stage, as
    /// [`Engine::test_connection`] does.
    pub async fn test_raptor(
        &self,
        accept: Option<String>,
        mut on_stage: impl FnMut(StageReport),
    ) -> Result<ConnectionTest, EngineError> {
        let started = Instant::now();
        let stop = self.connection_test_token();
        let setup = self.setup().await?;
        let Some(settings) = &setup.raptor.connection else {
            let folder = setup.raptor.folder.clone();
            let usable = tokio::select! {
                usable = crate::engine::blocking(move || usable_folder(&folder)) => usable,
                // A share that hangs keeps its thread, and nobody waits for it.
                () = stop.cancelled() => Err(EngineError::TestCancelled),
            };
            let tested = stage("Exchange folder", &usable, "exists and can be written to", started);
            on_stage(tested.clone());
            return Ok(ConnectionTest { report: report(vec![tested]), host_key: None });
        };
        let tested = async {
            let connection = self.managed_connection(&setup, settings.connection).await?;
            let at_once = managed(&setup, settings.connection)?.transfers_at_once;
            Ok((connection, raptor_needs(settings)?, at_once))
        };
        self.test_server(settings.connection, tested.await, accept, &stop, started, on_stage).await
    }

    /// Tests an SFTP server that is set up like this, and for this.
    async fn test_server(
        &self,
        id: ConnectionId,
        tested: Result<(Connection, Needs, TransfersAtOnce), EngineError>,
        accept: Option<String>,
        stop: &CancellationToken,
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
        let _turn = self.transfers.turn(id, at_once, stop).await.map_err(of_test)?;
        let before = self.pinned_host_keys(&connection.address).await?;
        let pins: Vec<Pin> = before.iter().map(pin).collect();
        let mut stages = Vec::new();
        let tested = rosterbridge_sftp::test(&connection, &pins, accept.as_ref(), &needs, stop, |stage| {
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

/// Whether the exchange folder can be written to.
fn usable_folder(folder: &str) -> Result<(), EngineError> {
    let path = existing_folder(folder)?;
    written_to(path).map_err(|error| EngineError::Folder { path: path.to_owned(), why: error.to_string() })
}

/// Creates a file in a folder and removes it.
fn written_to(folder: &Path) -> std::io::Result<()> {
    tempfile::Builder::new().prefix(".rosterbridge-probe").tempfile_in(folder).map(drop)
}

/// How long a folder may take to answer. A share whose server is away can keep a call waiting for minutes, or for ever.
const FOLDER_ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Whether the folders that exports go to can be written to: those that are new since `before`, so that a share that is
/// away keeps nobody from changing something else.
pub(crate) async fn usable_destinations(before: &Setup, setup: &Setup) -> Result<(), EngineError> {
    let folders = |setup: &Setup| -> BTreeSet<String> {
        let accounts = setup.hero.accounts.iter();
        let exports = accounts.flat_map(|account| ExportKind::ALL.map(|kind| account.export(kind).clone()));
        exports
            .filter_map(|export| match export.destination {
                Destination::Folder { folder } if !folder.trim().is_empty() => Some(folder),
                Destination::Folder { .. } | Destination::Connection => None,
            })
            .collect()
    };
    for folder in folders(setup).difference(&folders(before)) {
        let path = PathBuf::from(folder);
        answered_within(FOLDER_ANSWERS_WITHIN, path, usable_destination).await?;
    }
    Ok(())
}

fn usable_destination(path: &Path) -> Result<(), EngineError> {
    let refused = |why: String| EngineError::ExportFolder { path: path.to_owned(), why };
    if !path.is_dir() {
        return Err(refused("there is no such folder".to_owned()));
    }
    written_to(path).map_err(|error| refused(error.to_string()))
}

/// Asks something of a folder that may not answer. What goes on waiting is left to itself on a thread of its own: nothing
/// ends a call into a share that is away, and the runtime waits for its own threads when the program ends.
async fn answered_within(
    limit: Duration,
    path: PathBuf,
    ask: impl FnOnce(&Path) -> Result<(), EngineError> + Send + 'static,
) -> Result<(), EngineError> {
    let (sender, answer) = tokio::sync::oneshot::channel();
    let asked = path.clone();
    let asking = move || {
        // Whoever asked may have gone.
        let _ = sender.send(ask(&asked));
    };
    let refused = |why: String| EngineError::ExportFolder { path: path.clone(), why };
    std::thread::Builder::new()
        .name("folder".to_owned())
        .spawn(asking)
        .map_err(|error| refused(error.to_string()))?;
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(_)) => Err(refused("it could not be looked at".to_owned())),
        Err(_) => {
            let seconds = limit.as_secs();
            Err(refused(format!(
                "it has not answered within {seconds} seconds, as a network share does whose computer can't be reached"
            )))
        }
    }
}

/// What a managed connection is used for: the folders of all jobs whose files travel over it. One that nobody uses yet is
/// tested as Hero's.
fn needs(setup: &Setup, id: ConnectionId) -> Result<Needs, EngineError> {
    let settings = managed(setup, id)?;
    let raptor = setup.raptor.connection.as_ref().filter(|raptor| raptor.connection == id);
    let accounts: Vec<&HeroAccount> =
        setup.hero.accounts.iter().filter(|account| account.connection == id).collect();
    let mut needs = Needs::default();
    for account in &accounts {
        let today = Utc::now().with_timezone(&account.hero_side.zone).date_naive();
        let folder = |path: &str| {
            // A path that can't be is told where it is entered.
            let path = DatedPath::parse(path).ok()?.expand(today);
            RemoteFolder::parse(folder_and_name(&path).0).ok()
        };
        let exports = ExportKind::ALL.into_iter().map(|kind| account.export(kind));
        let sent = exports.filter(|export| export.destination == Destination::Connection);
        needs.upload_folders.extend(sent.filter_map(|export| folder(&export.path)));
        needs.download_folders.extend(folder(&account.attendance.path));
    }
    if accounts.is_empty() && raptor.is_none() {
        needs.upload_folders.push(RemoteFolder::parse(IMPORTS)?);
        needs.download_folders.push(RemoteFolder::parse(EXPORT)?);
    }
    if !settings.allow_upload {
        needs.upload_folders.clear();
    }
    if !settings.allow_download {
        needs.download_folders.clear();
    }
    if let Some(raptor) = raptor {
        let of_raptor = raptor_needs(raptor)?;
        needs.download_folders.extend(of_raptor.download_folders);
        needs.made_folder = of_raptor.made_folder;
    }
    for folders in [&mut needs.upload_folders, &mut needs.download_folders] {
        let mut known = HashSet::new();
        folders.retain(|folder| known.insert(folder.clone()));
    }
    Ok(needs)
}

fn raptor_needs(settings: &RaptorConnection) -> Result<Needs, EngineError> {
    let exchange = raptor_folder(settings)?;
    let roster = exchange.folder(ROSTER).map_err(EngineError::raptor_server)?;
    Ok(Needs { upload_folders: Vec::new(), download_folders: vec![exchange], made_folder: Some(roster) })
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

/// What ends a test: a person stops it, and not a run.
pub(crate) fn of_test(error: EngineError) -> EngineError {
    match error {
        EngineError::Cancelled => EngineError::TestCancelled,
        error => error,
    }
}

pub(crate) fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use rosterbridge_domain::settings::ManagedConnection;
    use rstest::rstest;

    use super::*;

    fn account(setup: &mut Setup) -> &mut HeroAccount {
        &mut setup.hero.accounts[0]
    }

    fn raptors(setup: &mut Setup, connection: ConnectionId) {
        setup.raptor.connection = Some(RaptorConnection { connection, folder: "exchange".to_owned() });
    }

    #[rstest]
    #[case::a_new_profile(|_: &mut Setup| {}, "imports", "export", "")]
    #[case::another_folder(
        |setup: &mut Setup| account(setup).teachers.path = "imports/staff/TEACHER.txt".to_owned(),
        "imports imports/staff", "export", ""
    )]
    #[case::no_folder(
        |setup: &mut Setup| account(setup).teachers.path = "TEACHER.txt".to_owned(),
        "imports (login folder)", "export", ""
    )]
    #[case::to_folders_of_this_computer(
        |setup: &mut Setup| {
            let local = Destination::Folder { folder: "/srv".to_owned() };
            for export in [0, 1, 2] {
                let account = account(setup);
                [&mut account.students, &mut account.schedule, &mut account.teachers][export].destination =
                    local.clone();
            }
        },
        "", "export", ""
    )]
    #[case::no_upload(|setup: &mut Setup| setup.connections[0].allow_upload = false, "", "export", "")]
    #[case::no_download(|setup: &mut Setup| setup.connections[0].allow_download = false, "imports", "", "")]
    #[case::shared_with_raptor(
        |setup: &mut Setup| raptors(setup, ConnectionId::HERO), "imports", "export exchange", "exchange/roster"
    )]
    #[case::raptors_alone(
        |setup: &mut Setup| {
            raptors(setup, ConnectionId::HERO);
            account(setup).connection = ConnectionId::RAPTOR;
        },
        "", "exchange", "exchange/roster"
    )]
    #[case::nobodys(|setup: &mut Setup| account(setup).connection = ConnectionId::RAPTOR, "imports", "export", "")]
    fn a_connection_is_tested_for_the_jobs_on_it(
        #[case] change: impl FnOnce(&mut Setup),
        #[case] uploads: &str,
        #[case] downloads: &str,
        #[case] made: &str,
    ) {
        let mut setup = Setup::default();
        setup
            .connections
            .push(ManagedConnection { id: ConnectionId::RAPTOR, ..ManagedConnection::default() });
        change(&mut setup);
        let needs = needs(&setup, ConnectionId::HERO).unwrap();
        let names =
            |folders: &[RemoteFolder]| folders.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(names(&needs.upload_folders), uploads);
        assert_eq!(names(&needs.download_folders), downloads);
        assert_eq!(names(&Vec::from_iter(needs.made_folder)), made);
    }

    #[tokio::test]
    async fn a_folder_that_exports_go_to_is_tried_when_it_is_entered() {
        let kept = tempfile::tempdir().unwrap();
        let to = |folder: &Path| {
            let mut setup = Setup::default();
            account(&mut setup).students.destination =
                Destination::Folder { folder: folder.to_string_lossy().into_owned() };
            setup
        };
        let (there, missing) = (to(kept.path()), to(&kept.path().join("missing")));
        let file = kept.path().join("file");
        std::fs::write(&file, "").unwrap();
        usable_destinations(&Setup::default(), &there).await.unwrap();
        for refused in [&missing, &to(&file)] {
            let error = usable_destinations(&there, refused).await.unwrap_err();
            assert_eq!(error.code(), "hero.folder_unusable");
        }
        // One that was entered before keeps nobody from changing something else.
        usable_destinations(&missing, &missing).await.unwrap();
        assert_eq!(std::fs::read_dir(kept.path()).unwrap().count(), 1, "nothing is left there");
    }

    /// A pipe nobody writes to answers like a share whose server is away: not at all.
    #[cfg(unix)]
    #[tokio::test]
    async fn a_folder_that_does_not_answer_is_not_waited_for() {
        let kept = tempfile::tempdir().unwrap();
        let pipe = kept.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let limit = Duration::from_millis(50);
        let open = |path: &Path| {
            std::fs::File::open(path).map(drop).map_err(|error| EngineError::io("open", path, error))
        };
        let error = answered_within(limit, pipe.clone(), open).await.unwrap_err();
        assert_eq!(error.code(), "hero.folder_unusable");
        assert!(error.to_string().contains("has not answered within"), "{error}");
        // With somebody at its other end it opens, and what was left waiting ends.
        let _writer = std::fs::File::options().write(true).open(&pipe).unwrap();
        answered_within(Duration::from_secs(30), pipe, open).await.unwrap();
    }
}
