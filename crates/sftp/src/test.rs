use std::net::SocketAddr;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::algorithms::{HOST_KEYS, Legacy, Offer, host_keys_of, key_type, printable};
use crate::connection::{Greeted, check_host_key, dial, greet, meet, resolve, sign_in};
use crate::extensions::Space;
use crate::{Connection, Error, ExpectedFingerprint, HostKey, Pin, RemoteFolder, Session};

/// The stages of a connection test, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The host name has an address.
    Resolve,
    /// The port takes a TCP connection.
    Connect,
    /// It is an SSH server, and encryption is agreed on.
    Greeting,
    /// The server's key is the accepted one.
    HostKey,
    /// The account is let in and may use SFTP.
    SignIn,
    /// The folders in use exist.
    Folders,
    /// A file can be written to the upload folder and removed again.
    Probe,
    /// The download folder can be listed.
    Listing,
    /// The server has room for uploads.
    Space,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 9] = [
        Self::Resolve,
        Self::Connect,
        Self::Greeting,
        Self::HostKey,
        Self::SignIn,
        Self::Folders,
        Self::Probe,
        Self::Listing,
        Self::Space,
    ];
}

/// What became of a stage.
#[derive(Debug)]
pub enum Outcome {
    /// It works; the text says what was found.
    Passed(String),
    /// It works, and a person should know something about it.
    Warned {
        /// What was found.
        found: String,
        /// What to know.
        warning: Warning,
    },
    /// It does not.
    Failed(Error),
    /// Not tried, because an earlier stage failed or nothing asked for it.
    Skipped,
}

/// What a person should know of a connection that works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// Encryption of [`crate::algorithms::LEGACY`] is in use.
    #[error("the server has no better encryption than {}", .0.name)]
    Legacy(&'static Legacy),
    /// The probe could be written and not be removed.
    #[error("the account may write files but not remove them")]
    NotRemoved,
    /// The server refuses to rename files.
    #[error(
        "the server refuses to rename files, so they are written directly: a reader may see half a file{}",
        if *not_removed { "; nor may the account remove files" } else { "" }
    )]
    WrittenDirectly {
        /// What [`Warning::NotRemoved`] says is true as well.
        not_removed: bool,
    },
    /// There is less room than two of the largest files need.
    #[error("the server has little space left")]
    LittleSpace,
}

impl Warning {
    /// Stable code for people and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Legacy(_) => "sftp.legacy_in_use",
            Self::NotRemoved => "sftp.not_removed",
            Self::WrittenDirectly { .. } => "sftp.written_directly",
            Self::LittleSpace => "sftp.little_space",
        }
    }

    /// What the person can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Legacy(_) => {
                "Ask the server's operator for a newer cipher, then no longer allow the old ones."
            }
            Self::NotRemoved => {
                "Ask the server's operator to let this account remove files, and to remove what is named here as \
                 staying there."
            }
            Self::WrittenDirectly { not_removed: true } => {
                "Ask the server's operator to let this account rename and remove files, and to remove what is named \
                 here as staying there. Until then, let the other side read the files well after the time they are \
                 sent."
            }
            Self::WrittenDirectly { not_removed: false } => {
                "Ask the server's operator to let this account rename files. Until then, let the other side read the \
                 files well after the time they are sent."
            }
            Self::LittleSpace => "Ask the server's operator to free space.",
        }
    }
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
    /// The folders uploads go to: must exist and be writable.
    pub upload_folders: Vec<RemoteFolder>,
    /// The folders downloads come from: must exist and be listable.
    pub download_folders: Vec<RemoteFolder>,
    /// A folder in one of these that uploads go to: made where it is missing, and must be writable.
    pub made_folder: Option<RemoteFolder>,
}

/// Tries a connection stage by stage and reports each as it ends. The first failure ends the test.
///
/// With `pinned` keys the server must show one of them. Without any, `expected` answers the question whether to accept
/// the server's key: the one that was announced is accepted, any other ends the test. With neither, the test ends at
/// the question.
pub async fn test(
    connection: &Connection,
    pinned: &[Pin],
    expected: Option<&ExpectedFingerprint>,
    needs: &Needs,
    cancel: &CancellationToken,
    on_stage: impl FnMut(&StageReport),
) -> TestReport {
    let mut progress = Progress { stages: Vec::new(), on_stage };
    let mut host_key = None;
    if let Err(error) = run(connection, pinned, expected, needs, cancel, &mut progress, &mut host_key).await {
        progress.report(Outcome::Failed(error));
    }
    while progress.stages.len() < Stage::ALL.len() {
        progress.report(Outcome::Skipped);
    }
    TestReport { stages: progress.stages, host_key }
}

async fn run<F: FnMut(&StageReport)>(
    connection: &Connection,
    pinned: &[Pin],
    expected: Option<&ExpectedFingerprint>,
    needs: &Needs,
    cancel: &CancellationToken,
    progress: &mut Progress<F>,
    host_key: &mut Option<HostKey>,
) -> Result<(), Error> {
    let expected = expected.filter(|_| pinned.is_empty());
    let addresses = resolve(connection, cancel).await?;
    let found: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    progress.report(Outcome::Passed(found.join(", ")));

    let socket = dial(connection, &addresses, cancel).await?;
    progress.report(Outcome::Passed(connection.address.to_string()));

    let announced = expected.and_then(ExpectedFingerprint::algorithm);
    let asked = host_keys_of(pinned.iter().map(|pin| pin.algorithm.as_str()).chain(announced));
    let mut greeted = meet(connection, &addresses, socket, &asked, cancel).await?;
    let agreed = greeted.agreed.to_string();
    progress.report(match greeted.agreed.legacy() {
        None => Outcome::Passed(agreed),
        Some(legacy) => Outcome::Warned { found: agreed, warning: Warning::Legacy(legacy) },
    });

    if let Some(expected) = expected {
        greeted = find_key(connection, &addresses, greeted, expected, cancel, host_key).await?;
    }
    let presented = host_key.insert(greeted.host_key.clone());
    if expected.is_none()
        && let Err(error) = check_host_key(presented, pinned)
    {
        greeted.leave();
        return Err(error);
    }
    progress.report(Outcome::Passed(format!("{} {}", presented.algorithm, presented.sha256)));

    let session = sign_in(connection, greeted).await?;
    progress.report(Outcome::Passed(connection.username.clone()));

    let mut folders: Vec<_> = needs.upload_folders.iter().collect();
    folders.extend(needs.download_folders.iter().filter(|folder| !needs.upload_folders.contains(folder)));
    for folder in &folders {
        session.require_folder(folder).await?;
    }
    if let Some(folder) = &needs.made_folder {
        session.make_folder(folder).await?;
    }
    progress.report(passed(folders.into_iter().chain(&needs.made_folder)));

    let written: Vec<_> = needs.upload_folders.iter().chain(&needs.made_folder).collect();
    progress.report(probe(&session, &written).await?);
    let mut listed = Vec::new();
    for folder in &needs.download_folders {
        listed.push(listing(&session, folder).await?);
    }
    progress.report(if listed.is_empty() { Outcome::Skipped } else { Outcome::Passed(listed.join("; ")) });
    progress.report(match written.first() {
        None => Outcome::Skipped,
        Some(folder) => session.free_space(folder).await?.map_or(Outcome::Skipped, room),
    });
    // What was to be found out is known; a server that closes first changes nothing.
    if let Err(error) = session.close().await {
        tracing::debug!(code = error.code(), "the server closed the test's session first");
    }
    Ok(())
}

/// Looks for the announced key: the server may have several and has shown one of another type. No credential is sent.
/// `host_key` becomes the key shown first.
async fn find_key(
    connection: &Connection,
    addresses: &[SocketAddr],
    greeted: Greeted,
    expected: &ExpectedFingerprint,
    cancel: &CancellationToken,
    host_key: &mut Option<HostKey>,
) -> Result<Greeted, Error> {
    if expected.matches(&greeted.host_key) {
        return Ok(greeted);
    }
    let shown = host_key.insert(greeted.leave()).clone();
    let offered =
        Offer::ask(connection, addresses, cancel).await.map(|offer| offer.host_keys).unwrap_or_default();
    let mut others: Vec<_> =
        HOST_KEYS.into_iter().filter(|name| offered.iter().any(|key| key == name)).collect();
    others.dedup_by_key(|name| key_type(name));
    for name in others.into_iter().map(key_type).filter(|name| *name != shown.algorithm) {
        let socket = dial(connection, addresses, cancel).await?;
        match greet(connection, socket, &host_keys_of(std::iter::once(name)), cancel).await {
            Ok(other) if expected.matches(&other.host_key) => return Ok(other),
            Ok(other) => drop(other.leave()),
            Err(Error::Handshake { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    tracing::warn!(
        expected = expected.as_str(),
        presented = shown.sha256,
        "SFTP host key is not the announced one"
    );
    Err(Error::HostKeyMismatch { expected: expected.as_str().to_owned(), presented: Box::new(shown) })
}

fn passed<'a>(folders: impl Iterator<Item = &'a RemoteFolder>) -> Outcome {
    let names: Vec<_> = folders.map(ToString::to_string).collect();
    if names.is_empty() { Outcome::Skipped } else { Outcome::Passed(names.join(", ")) }
}

/// Writes to each of these folders, and says what follows for uploads.
async fn probe(session: &Session, folders: &[&RemoteFolder]) -> Result<Outcome, Error> {
    if folders.is_empty() {
        return Ok(Outcome::Skipped);
    }
    let mut stays = Vec::new();
    for folder in folders {
        stays.extend(session.probe(folder).await?);
    }
    let names: Vec<_> = folders.iter().map(ToString::to_string).collect();
    let capabilities = session.capabilities().await?;
    let refuses_renames = capabilities.renames == Some(false);
    let placing = if refuses_renames {
        "files are written directly"
    } else if capabilities.posix_rename {
        "files are replaced in one step"
    } else {
        "the old file is set aside for a moment while the new one takes its place"
    };
    let mut found = format!("{}: {placing}", names.join(", "));
    // Uploads work nevertheless, and the person should know what is left there.
    let not_removed = !stays.is_empty();
    if not_removed {
        let stay = if stays.len() == 1 { "stays" } else { "stay" };
        found = format!("{found}; {} {stay} there", stays.join(", "));
    }
    Ok(if refuses_renames {
        Outcome::Warned { found, warning: Warning::WrittenDirectly { not_removed } }
    } else if not_removed {
        Outcome::Warned { found, warning: Warning::NotRemoved }
    } else {
        Outcome::Passed(found)
    })
}

async fn listing(session: &Session, folder: &RemoteFolder) -> Result<String, Error> {
    /// As many names as a line can take.
    const SHOWN: usize = 10;
    let entries = session.list(folder).await?;
    let files: Vec<_> = entries.iter().filter(|entry| !entry.is_folder).collect();
    let names: Vec<_> = files.iter().take(SHOWN).map(|entry| printable(&entry.name)).collect();
    let count = match files.len() {
        0 => "no files yet".to_owned(),
        1 => "1 file: ".to_owned(),
        more => format!("{more} files: "),
    };
    let more = if files.len() > SHOWN { ", ..." } else { "" };
    Ok(format!("{folder}: {count}{}{more}", names.join(", ")))
}

/// Two of the largest files that are uploaded, one of them not yet in its place.
const ROOM_NEEDED: u64 = 200_000_000;

fn room(space: Space) -> Outcome {
    let found = format!("{} free of {}", bytes(space.available), bytes(space.total));
    if space.available < ROOM_NEEDED {
        Outcome::Warned { found, warning: Warning::LittleSpace }
    } else {
        Outcome::Passed(found)
    }
}

/// Bytes as disks are labelled.
fn bytes(count: u64) -> String {
    let (whole, unit) = match count {
        0..1_000_000_000 => (count / 1_000_000, "MB"),
        1_000_000_000..1_000_000_000_000 => (count / 1_000_000_000, "GB"),
        _ => (count / 1_000_000_000_000, "TB"),
    };
    format!("{whole} {unit}")
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
