use std::fmt;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use ssh2::{FileStat, OpenFlags, OpenType};
use tokio::sync::Mutex;

use crate::connection::session_code;
use crate::wire::Line;
use crate::{Error, HostKey, RemoteFile, RemoteFolder};

/// Bytes asked for in one read: libssh2 requests ahead four times as many.
const READ_CHUNK: usize = 1024 * 1024;
/// The file that shows whether a folder can be written to.
const PROBE: &str = ".rosterbridge-probe";

/// Mode of a new folder, before the server's umask: whoever takes files from it may be another account there.
const FOLDER_MODE: i32 = 0o755;

/// libssh2's objects.
pub(crate) struct Channel {
    pub(crate) sftp: ssh2::Sftp,
    pub(crate) ssh: ssh2::Session,
}

/// An open SFTP session with a server whose key was the pinned one. Dropping it cuts the connection.
///
/// Operations take turns: libssh2 may leave a packet half-sent between two calls of a transfer, and a request
/// of another operation would land in its middle. Transfers side by side need a session each.
pub struct Session {
    line: Arc<Line>,
    turn: Mutex<()>,
    channel: Arc<Channel>,
    host_key: HostKey,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").field("address", &self.line.address).finish_non_exhaustive()
    }
}

/// What a folder holds, or what is known of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Name within its folder.
    pub name: String,
    /// Size in bytes; 0 where the server does not say.
    pub size: u64,
    /// Last change, in the server's clock, where the server says.
    pub modified: Option<SystemTime>,
    /// Whether it is a folder.
    pub is_folder: bool,
}

impl Entry {
    fn new(name: String, stat: &FileStat) -> Self {
        Self {
            name,
            size: stat.size.unwrap_or(0),
            modified: stat.mtime.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds))),
            is_folder: stat.is_dir(),
        }
    }
}

/// A finished download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Downloaded {
    /// Bytes read.
    pub bytes: u64,
    /// SHA-256 of those bytes, lower-case hexadecimal.
    pub sha256: String,
    /// The file's last change, in the server's clock, where the server says.
    pub modified: Option<SystemTime>,
}

impl Session {
    pub(crate) fn new(line: Arc<Line>, channel: Channel, host_key: HostKey) -> Self {
        Self { line, turn: Mutex::new(()), channel: Arc::new(channel), host_key }
    }

    /// The server's key, which was the pinned one.
    pub fn host_key(&self) -> &HostKey {
        &self.host_key
    }

    /// What a folder holds, by name.
    pub async fn list(&self, folder: &RemoteFolder) -> Result<Vec<Entry>, Error> {
        let folder = folder.clone();
        self.run("listing a folder", move |line, channel| {
            let mut entries: Vec<_> = channel
                .sftp
                .readdir(Path::new(folder.wire()))
                .map_err(|error| in_folder(line.request(&error, "list", &folder.to_string()), &folder))?
                .into_iter()
                .filter_map(|(path, stat)| {
                    let name = path.file_name()?.to_string_lossy().into_owned();
                    Some(Entry::new(name, &stat))
                })
                .collect();
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(entries)
        })
        .await
    }

    /// What is known of a file; `None` if it does not exist.
    pub async fn stat(&self, file: &RemoteFile) -> Result<Option<Entry>, Error> {
        let file = file.clone();
        self.run("looking at a file", move |line, channel| {
            Ok(stat(line, channel, &file.wire())?.map(|stat| Entry::new(file.name().to_owned(), &stat)))
        })
        .await
    }

    /// Whether a file exists.
    pub async fn exists(&self, file: &RemoteFile) -> Result<bool, Error> {
        Ok(self.stat(file).await?.is_some())
    }

    /// Fails with [`Error::FolderMissing`] unless the folder exists.
    pub async fn require_folder(&self, folder: &RemoteFolder) -> Result<(), Error> {
        let folder = folder.clone();
        self.run("looking at a folder", move |line, channel| match stat(line, channel, folder.wire())? {
            Some(found) if found.is_dir() => Ok(()),
            _ => Err(Error::FolderMissing { folder: folder.to_string() }),
        })
        .await
    }

    /// Makes a folder, unless it exists. The one it is in has to.
    pub async fn make_folder(&self, folder: &RemoteFolder) -> Result<(), Error> {
        let folder = folder.clone();
        self.run("making a folder", move |line, channel| {
            let path = folder.wire();
            let is_there = || Ok::<_, Error>(stat(line, channel, path)?.is_some_and(|found| found.is_dir()));
            if is_there()? {
                return Ok(());
            }
            match channel.sftp.mkdir(Path::new(path), FOLDER_MODE) {
                Ok(()) => Ok(()),
                // Somebody else may have made it meanwhile.
                Err(_) if is_there()? => Ok(()),
                Err(error) => Err(in_folder(line.request(&error, "make", path), &folder)),
            }
        })
        .await
    }

    /// Gives a file another name, which none may have yet.
    pub async fn rename(&self, from: &RemoteFile, to: &RemoteFile) -> Result<(), Error> {
        let (from, to) = (from.wire(), to.wire());
        self.run("renaming a file", move |line, channel| {
            let renamed = channel.sftp.rename(Path::new(&from), Path::new(&to), None);
            renamed.map_err(|error| line.request(&error, "rename", &from))
        })
        .await
    }

    /// Removes a file.
    pub async fn remove(&self, file: &RemoteFile) -> Result<(), Error> {
        let path = file.wire();
        self.run("removing a file", move |line, channel| {
            channel.sftp.unlink(Path::new(&path)).map_err(|error| line.request(&error, "remove", &path))
        })
        .await
    }

    /// Copies a remote file into `sink` and gives the sink back. The file is only read. A file that changes
    /// meanwhile gives [`Error::FileChanging`]; how much is taken in is for the sink to limit.
    pub async fn download<S: Write + Send + 'static>(
        &self,
        file: &RemoteFile,
        mut sink: S,
    ) -> Result<(Downloaded, S), Error> {
        let file = file.clone();
        self.run("reading a file", move |line, channel| {
            let path = file.wire();
            let at = |error: &ssh2::Error| line.request(error, "read", &path);
            let mut remote = channel.sftp.open(Path::new(&path)).map_err(|error| at(&error))?;
            let before = remote.stat().map_err(|error| at(&error))?;
            let mut chunk = vec![0; READ_CHUNK];
            let mut digest = Sha256::new();
            let mut bytes = 0;
            loop {
                let count =
                    remote.read(&mut chunk).map_err(|_| transfer_failure(line, channel, "read", &path))?;
                let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else { break };
                digest.update(read);
                sink.write_all(read).map_err(|cause| Error::Sink { path: path.clone(), cause })?;
                bytes += read.len() as u64;
            }
            let after = remote.stat().map_err(|error| at(&error))?;
            let complete = after.size.is_none_or(|size| size == bytes);
            if !complete || before.size != after.size || before.mtime != after.mtime {
                return Err(Error::FileChanging { path });
            }
            sink.flush().map_err(|cause| Error::Sink { path: path.clone(), cause })?;
            let sha256 = hex::encode(digest.finalize());
            Ok((Downloaded { bytes, sha256, modified: Entry::new(String::new(), &after).modified }, sink))
        })
        .await
    }

    /// Writes a tiny file into the folder and removes it again: the proof that uploads can work. It leaves a
    /// trace in the server's log, so it belongs in a test a person asked for and in no dry run.
    pub async fn probe(&self, folder: &RemoteFolder) -> Result<(), Error> {
        let file = folder.file(PROBE)?;
        self.run("writing a file", move |line, channel| {
            let path = file.wire();
            let mut remote = channel
                .sftp
                .open_mode(Path::new(&path), OpenFlags::WRITE | OpenFlags::TRUNCATE, 0o600, OpenType::File)
                .map_err(|error| in_folder(line.request(&error, "write", &path), file.folder()))?;
            remote
                .write_all(b"RosterBridge\n")
                .map_err(|_| transfer_failure(line, channel, "write", &path))?;
            drop(remote);
            channel.sftp.unlink(Path::new(&path)).map_err(|error| line.request(&error, "remove", &path))
        })
        .await
    }

    /// Says goodbye to the server and closes.
    pub async fn close(self) -> Result<(), Error> {
        self.run("closing", |line, channel| {
            channel
                .ssh
                .disconnect(None, "done", None)
                .map_err(|error| line.broken(session_code(&error), "closing"))
        })
        .await
    }

    pub(crate) async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        call: impl FnOnce(&Line, &Channel) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let _turn = self.turn.lock().await;
        let (line, channel) = (Arc::clone(&self.line), Arc::clone(&self.channel));
        self.line.run(doing, move || call(&line, &channel)).await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // libssh2 waits for the server while it frees its objects; without a connection it can't.
        self.line.cut();
    }
}

/// Metadata of a path; `None` if nothing is there.
pub(crate) fn stat(line: &Line, channel: &Channel, path: &str) -> Result<Option<FileStat>, Error> {
    match channel.sftp.stat(Path::new(path)) {
        Ok(stat) => Ok(Some(stat)),
        Err(error) => match line.request(&error, "look at", path) {
            Error::FileMissing { .. } => Ok(None),
            other => Err(other),
        },
    }
}

/// In an operation that makes a file or lists a folder, 'no such file' means the folder.
pub(crate) fn in_folder(error: Error, folder: &RemoteFolder) -> Error {
    match error {
        Error::FileMissing { .. } => Error::FolderMissing { folder: folder.to_string() },
        other => other,
    }
}

/// Why a read or write of an open file failed. `std::io` has dropped the number by then, so it is asked from
/// libssh2; a status of the file itself is only known to be one (SSH_FX_FAILURE stands for it).
pub(crate) fn transfer_failure(line: &Line, channel: &Channel, action: &'static str, path: &str) -> Error {
    const SSH_FX_FAILURE: i32 = 4;
    use crate::wire::code::SFTP_PROTOCOL;
    match ssh2::Error::last_session_error(&channel.ssh).map(|error| session_code(&error)) {
        Some(SFTP_PROTOCOL) | None => {
            Error::ServerRefused { action, path: path.to_owned(), status: SSH_FX_FAILURE }
        }
        Some(number) => {
            line.broken(number, if action == "read" { "reading a file" } else { "writing a file" })
        }
    }
}
