//! Where roster files go: a folder, or a folder of an SFTP server. They are written whole under names that nobody takes
//! them from, and then get their own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::UNIX_EPOCH,
};

use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{job::FileReceipt, settings::Setup};
use rosterbridge_files::{owner_only, sync_folder};
use rosterbridge_sftp::{Error as SftpError, RemoteFile, RemoteFolder, Session};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{super::content_hash, ROSTER, compose::Content};
use crate::{
    connections::raptor_folder,
    diagnosis::existing_folder,
    engine::{Engine, blocking},
    error::EngineError,
    transfers::OpenConnection,
};

/// Where the name of a file ends that is on its way. It is foreseeable, so that what a crash leaves is found again: it
/// holds students.
const PART: &str = ".rosterbridge-part";
/// Files written at the same time: each waits for the disk.
const WRITERS: usize = 8;
/// The ledger's value that tells how the server has the files.
const AT_SERVER: &str = "at_raptor";

/// The folder that roster files go to.
pub(super) enum Destination {
    /// On this computer or in its network.
    Folder(PathBuf),
    /// On an SFTP server.
    Server { session: Arc<OpenConnection>, folder: RemoteFolder, name: String },
}

/// A file to be written.
pub(super) struct Outgoing {
    /// Its name in the destination.
    pub(super) name: String,
    pub(super) content: Arc<Content>,
}

/// How the server had the files right after they were sent last.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct AtServer {
    destination: String,
    /// By name: content, and the last change in the server's clock, seconds since 1970.
    files: BTreeMap<String, (String, u64)>,
}

/// Names a destination, so that it is known again.
pub(crate) fn destination_name(setup: &Setup) -> String {
    match &setup.raptor.connection {
        Some(server) => {
            let folder = server.folder.trim();
            let place = setup.connection(server.connection).map(|connection| {
                let (username, host) = (connection.username.trim(), connection.host.trim());
                format!("{username}@{host}:{}", connection.port)
            });
            format!("sftp://{}/{folder}", place.unwrap_or_default())
        }
        None => setup.raptor.folder.clone(),
    }
}

fn part_name(name: &str) -> String {
    format!(".{name}{PART}")
}

impl Engine {
    /// Opens the destination that is set up: connects, if it is a server.
    pub(super) async fn roster_destination(
        &self,
        setup: &Setup,
        cancel: &CancellationToken,
    ) -> Result<Destination, EngineError> {
        let Some(settings) = &setup.raptor.connection else {
            let folder = setup.raptor.folder.clone();
            let looking = blocking(move || existing_folder(&folder).map(|folder| folder.join(ROSTER)));
            // It only reads, and a folder of another computer may keep it waiting.
            let folder = cancel.run_until_cancelled(looking).await.ok_or(EngineError::Cancelled)??;
            return Ok(Destination::Folder(folder));
        };
        let folder = raptor_folder(settings)?.folder(ROSTER).map_err(EngineError::raptor_server)?;
        // A keychain that asks a person for its password may take any time.
        let connected = cancel.run_until_cancelled(self.raptor(setup, settings, cancel)).await;
        let session = Arc::new(connected.ok_or(EngineError::Cancelled)??);
        Ok(Destination::Server { session, folder, name: destination_name(setup) })
    }

    /// Whether the destination has these very files as they were sent last.
    pub(super) async fn still_there(
        &self,
        destination: &Destination,
        receipts: &[FileReceipt],
        cancel: &CancellationToken,
    ) -> Result<bool, EngineError> {
        match destination {
            Destination::Folder(folder) => {
                let (receipts, folder, stop) = (receipts.to_vec(), folder.clone(), cancel.clone());
                let looking = blocking(move || {
                    // One that can't be read is written anew, which says what is wrong with it.
                    let there = |receipt: &FileReceipt| {
                        let file = folder.join(file_name(&receipt.name));
                        !stop.is_cancelled()
                            && content_hash(&file).is_ok_and(|sha256| sha256 == receipt.sha256)
                    };
                    Ok(receipts.iter().all(there))
                });
                cancel.run_until_cancelled(looking).await.ok_or(EngineError::Cancelled)?
            }
            Destination::Server { .. } => {
                let text = self.ledger(|ledger| ledger.value(AT_SERVER)).await?.unwrap_or_default();
                let then = serde_json::from_str::<AtServer>(&text).ok();
                let now = at_server(destination, receipts).await?;
                Ok(then.is_some() && then == now)
            }
        }
    }

    /// Remembers how a server has files that were just sent.
    pub(super) async fn remember_at_server(
        &self,
        destination: &Destination,
        receipts: &[FileReceipt],
    ) -> Result<(), EngineError> {
        // The files are there. Where the server does not tell more of them, they are sent every time.
        let Some(found) = at_server(destination, receipts).await.ok().flatten() else { return Ok(()) };
        let text = serde_json::to_string(&found).unwrap_or_default();
        self.ledger(move |ledger| ledger.set_value(AT_SERVER, &text)).await
    }
}

/// How a server has files; `None` where it does not have them whole, or does not tell.
async fn at_server(
    destination: &Destination,
    receipts: &[FileReceipt],
) -> Result<Option<AtServer>, EngineError> {
    let Destination::Server { session, folder, name } = destination else { return Ok(None) };
    let entries = session.list(folder).await.map_err(EngineError::raptor_server)?;
    let found: BTreeMap<&str, _> = entries.iter().map(|entry| (entry.name.as_str(), entry)).collect();
    let mut files = BTreeMap::new();
    for receipt in receipts {
        let entry = found.get(file_name(&receipt.name)).filter(|entry| entry.size == receipt.bytes);
        let modified = entry.and_then(|entry| entry.modified?.duration_since(UNIX_EPOCH).ok());
        let Some(modified) = modified else { return Ok(None) };
        files.insert(receipt.name.clone(), (receipt.sha256.clone(), modified.as_secs()));
    }
    Ok(Some(AtServer { destination: name.clone(), files }))
}

/// A file's name without its folder.
pub(super) fn file_name(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, name)| name)
}

impl Destination {
    /// Makes sure that it is there, and removes what a run that was ended left of its files. The names of those that are
    /// there.
    pub(super) async fn prepare(&self, cancel: &CancellationToken) -> Result<BTreeSet<String>, EngineError> {
        self.make(cancel).await?;
        let mut names = self.names(cancel).await?;
        let parts: Vec<String> = names.extract_if(.., |name| name.ends_with(PART)).collect();
        match self {
            Self::Folder(folder) => {
                let folder = folder.clone();
                let removing = blocking(move || {
                    parts.iter().map(|part| folder.join(part)).try_for_each(|part| {
                        fs::remove_file(&part).map_err(|source| EngineError::io("remove", &part, source))
                    })
                });
                // Where it is, it may come to its own end: the next run would do the same first.
                cancel.run_until_cancelled(removing).await.ok_or(EngineError::Cancelled)??;
            }
            Self::Server { session, folder, .. } => {
                for part in parts {
                    let part = folder.file(&part).map_err(EngineError::raptor_server)?;
                    session.remove(&part).await.map_err(EngineError::raptor_server)?;
                }
            }
        }
        Ok(names)
    }

    /// Makes the folder, if there is none.
    async fn make(&self, cancel: &CancellationToken) -> Result<(), EngineError> {
        match self {
            Self::Folder(folder) => {
                let folder = folder.clone();
                let making = blocking(move || {
                    fs::create_dir_all(&folder).map_err(|source| EngineError::io("create", &folder, source))
                });
                cancel.run_until_cancelled(making).await.ok_or(EngineError::Cancelled)?
            }
            Self::Server { session, folder, .. } => {
                session.make_folder(folder).await.map_err(EngineError::raptor_server)
            }
        }
    }

    /// The names of the files that are there.
    pub(super) async fn names(&self, cancel: &CancellationToken) -> Result<BTreeSet<String>, EngineError> {
        match self {
            Self::Folder(folder) => {
                let folder = folder.clone();
                let looking = blocking(move || {
                    let unreadable = |source| EngineError::io("read", &folder, source);
                    fs::read_dir(&folder)
                        .map_err(unreadable)?
                        .map(|entry| {
                            Ok(entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned())
                        })
                        .collect()
                });
                cancel.run_until_cancelled(looking).await.ok_or(EngineError::Cancelled)?
            }
            Self::Server { session, folder, .. } => {
                let entries = session.list(folder).await.map_err(EngineError::raptor_server)?;
                Ok(entries.into_iter().map(|entry| entry.name).collect())
            }
        }
    }

    /// Writes files whole, under names that nobody takes them from. Cancelled, or where one can't be written, a folder is
    /// left as it was.
    pub(super) async fn stage(
        &self,
        files: Vec<Outgoing>,
        cancel: &CancellationToken,
    ) -> Result<Staged, EngineError> {
        match self {
            Self::Folder(folder) => {
                let (folder, stop) = (folder.clone(), cancel.clone());
                let parts = blocking(move || write_parts(&folder, &files, &stop)).await?;
                Ok(Staged { parts })
            }
            Self::Server { session, folder, .. } => {
                for Outgoing { name, content } in files {
                    upload(session, folder, &part_name(&name), content).await?;
                    pass(CrashPoint::RosterFileWritten);
                }
                Ok(Staged { parts: Vec::new() })
            }
        }
    }

    /// Writes one file over that of its name, on a server, whole or not at all.
    pub(super) async fn send(&self, file: Outgoing) -> Result<(), EngineError> {
        if let Self::Server { session, folder, .. } = self {
            upload(session, folder, &file.name, file.content).await?;
            pass(CrashPoint::RosterFileNamed);
        }
        Ok(())
    }

    /// Gives staged files their names.
    pub(super) async fn place(&self, names: &[String], mut staged: Staged) -> Result<(), EngineError> {
        match self {
            Self::Folder(folder) => {
                let (folder, names) = (folder.clone(), names.to_vec());
                blocking(move || {
                    for part in &mut staged.parts {
                        // From here on it is only lost with its name.
                        part.disable_cleanup(true);
                    }
                    for name in &names {
                        let (part, target) = (folder.join(part_name(name)), folder.join(name));
                        fs::rename(&part, &target)
                            .map_err(|source| EngineError::io("write", &target, source))?;
                        pass(CrashPoint::RosterFileNamed);
                    }
                    flush(&folder)
                })
                .await
            }
            Self::Server { session, folder, .. } => {
                for name in names {
                    let part = folder.file(&part_name(name)).map_err(EngineError::raptor_server)?;
                    let target = folder.file(name).map_err(EngineError::raptor_server)?;
                    rename(session, &part, &target).await.map_err(EngineError::raptor_server)?;
                    pass(CrashPoint::RosterFileNamed);
                }
                Ok(())
            }
        }
    }

    /// Gives files their names that were staged by a run that was ended. Those that have arrived, by their place in the
    /// list: one that is there neither way has been taken, since it was whole under the other name before. That can only be
    /// told where the folder is the one they were in: one that is missing is an error.
    pub(super) async fn place_left(
        &self,
        files: &[FileReceipt],
        cancel: &CancellationToken,
    ) -> Result<Vec<bool>, EngineError> {
        if let Self::Folder(folder) = self {
            let path = folder.clone();
            let looking = blocking(move || Ok(path.is_dir()));
            if !cancel.run_until_cancelled(looking).await.ok_or(EngineError::Cancelled)?? {
                let why = "it is not there, and a run that was interrupted left files in it. If it is on another computer, \
                           connect it again; if somebody removed it, make it again"
                    .to_owned();
                return Err(EngineError::Folder { path: folder.clone(), why });
            }
        }
        let names = self.names(cancel).await?;
        let mut arrived = Vec::new();
        for receipt in files {
            let name = file_name(&receipt.name);
            let left = !names.contains(name) && names.contains(&part_name(name));
            let usable = left && self.is_whole(&part_name(name), receipt, cancel).await?;
            if usable {
                self.place(&[name.to_owned()], Staged { parts: Vec::new() }).await?;
            }
            // What is left and not whole is removed with everything else on its way, and made again.
            arrived.push(usable || !left);
        }
        Ok(arrived)
    }

    async fn is_whole(
        &self,
        name: &str,
        receipt: &FileReceipt,
        cancel: &CancellationToken,
    ) -> Result<bool, EngineError> {
        match self {
            Self::Folder(folder) => {
                let (path, sha256) = (folder.join(name), receipt.sha256.clone());
                let looking = blocking(move || Ok(content_hash(&path)? == sha256));
                cancel.run_until_cancelled(looking).await.ok_or(EngineError::Cancelled)?
            }
            Self::Server { session, folder, .. } => {
                let file = folder.file(name).map_err(EngineError::raptor_server)?;
                let found = session.stat(&file).await.map_err(EngineError::raptor_server)?;
                Ok(found.is_some_and(|found| found.size == receipt.bytes))
            }
        }
    }

    /// Says goodbye, where there is somebody to say it to.
    pub(super) async fn close(self) {
        if let Self::Server { session, .. } = self
            && let Some(session) = Arc::into_inner(session)
            && let Err(error) = session.close().await
        {
            tracing::debug!(code = error.code(), "Raptor's server did not say goodbye");
        }
    }
}

/// Files that are whole under other names. On a folder they are removed with this unless they are placed.
pub(super) struct Staged {
    parts: Vec<tempfile::TempPath>,
}

impl Staged {
    /// None.
    pub(super) fn new() -> Self {
        Self { parts: Vec::new() }
    }

    /// With these.
    pub(super) fn add(&mut self, mut others: Self) {
        self.parts.append(&mut others.parts);
    }
}

async fn upload(
    session: &Session,
    folder: &RemoteFolder,
    name: &str,
    content: Arc<Content>,
) -> Result<(), EngineError> {
    let file = folder.file(name).map_err(EngineError::raptor_server)?;
    let uploaded =
        session.upload(&file, move |out| content.iter().try_for_each(|piece| out.write_all(piece))).await;
    uploaded.map(drop).map_err(EngineError::raptor_server)
}

/// Gives a file of a server another name; where the server refuses that, by writing it again.
async fn rename(session: &Session, from: &RemoteFile, to: &RemoteFile) -> Result<(), SftpError> {
    match session.rename(from, to).await {
        Err(SftpError::Permission { .. } | SftpError::ServerRefused { .. }) => {}
        renamed => return renamed,
    }
    let (_, content) = session.download(from, Vec::new()).await?;
    session.upload(to, move |out| out.write_all(&content)).await?;
    // The upload may have used that very name on its way.
    match session.remove(from).await {
        Err(SftpError::FileMissing { .. }) => Ok(()),
        removed => removed,
    }
}

/// Writes files beside the names they get, readable by their owner only, several at a time.
fn write_parts(
    folder: &Path,
    files: &[Outgoing],
    stop: &CancellationToken,
) -> Result<Vec<tempfile::TempPath>, EngineError> {
    let (next, parts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let write = || -> Result<(), EngineError> {
        while let Some(Outgoing { name, content }) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            if stop.is_cancelled() {
                return Err(EngineError::Cancelled);
            }
            let path = folder.join(part_name(name));
            let failed = |source| EngineError::io("write", &path, source);
            let mut file = owner_only::options().write(true).create_new(true).open(&path).map_err(failed)?;
            let part = tempfile::TempPath::try_from_path(&path).map_err(failed)?;
            parts.lock().unwrap_or_else(PoisonError::into_inner).push(part);
            content.iter().try_for_each(|piece| file.write_all(piece)).map_err(failed)?;
            file.sync_all().map_err(failed)?;
            pass(CrashPoint::RosterFileWritten);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS.min(files.len())).map(|_| scope.spawn(write)).collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    flush(folder)?;
    Ok(parts.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Puts a folder's names on the disk.
fn flush(folder: &Path) -> Result<(), EngineError> {
    sync_folder(folder).map_err(|source| EngineError::io("flush", folder, source))
}
