use std::fmt;
use std::io::{Read as _, Seek as _, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use ssh2::{ErrorCode, FileStat, OpenFlags, OpenType};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::connection::session_code;
use crate::extensions::Extensions;
use crate::path::is_name;
use crate::wire::{Line, code};
use crate::{Capabilities, Connection, Error, HostKey, Pin, RemoteFile, RemoteFolder, Space, connect};

/// Bytes asked for in one read: libssh2 requests ahead four times as many.
const READ_CHUNK: usize = 1024 * 1024;
/// The file that shows whether a folder can be written to.
const PROBE: &str = ".rosterbridge-probe";
/// What that file is called after it was renamed, which shows whether files can be.
const PROBE_RENAMED: &str = ".rosterbridge-probe-renamed";
/// Entries of a folder that are taken at most. What a server goes on listing must not fill the memory.
const LONGEST_LISTING: usize = 100_000;
/// How often a transfer goes on over a new connection.
pub(crate) const RECONNECTIONS: usize = 3;
/// The pause before the first of them; each further one is three times as long. Up to as much again is added by chance.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Seconds between two signs of life that libssh2 lets through at least; how often they are due is up to
/// [`crate::Timeouts::keep_alive`].
const KEEP_ALIVE_AT_MOST_EVERY: u32 = 2;

/// Mode of a new folder, before the server's umask: whoever takes files from it may be another account there.
const FOLDER_MODE: i32 = 0o755;

/// libssh2's objects, and what has been learned of the server.
pub(crate) struct Channel {
    pub(crate) sftp: ssh2::Sftp,
    pub(crate) ssh: ssh2::Session,
    learned: Mutex<Learned>,
}

struct Learned {
    extending: Extending,
    renames: Option<bool>,
    replaces: Option<bool>,
}

/// The second channel, which is opened when it is first needed.
enum Extending {
    NotAsked,
    /// The server does not want one, or broke off when it was asked.
    Refused,
    Open(Extensions),
}

impl Channel {
    pub(crate) fn new(sftp: ssh2::Sftp, ssh: ssh2::Session) -> Self {
        let learned = Learned { extending: Extending::NotAsked, renames: None, replaces: None };
        Self { sftp, ssh, learned: Mutex::new(learned) }
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what an earlier connection to the same server has shown.
    fn inherit(&self, earlier: &Self) {
        let (mut learned, earlier) = (self.learned(), earlier.learned());
        learned.renames = earlier.renames;
        learned.replaces = earlier.replaces;
        if matches!(earlier.extending, Extending::Refused) {
            learned.extending = Extending::Refused;
        }
    }

    /// Asks over the second channel; `None` where there is none.
    pub(crate) fn extended<T>(
        &self,
        line: &Line,
        ask: impl FnOnce(&mut Extensions) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut learned = self.learned();
        if matches!(learned.extending, Extending::NotAsked) {
            // Should the server break off over the question, it is not asked again on the next connection.
            learned.extending = Extending::Refused;
            if let Some(extensions) = Extensions::open(line, &self.ssh)? {
                learned.extending = Extending::Open(extensions);
            } else {
                tracing::debug!(address = %line.address, "the server takes no second channel");
            }
        }
        match &mut learned.extending {
            Extending::Open(extensions) => {
                let answer = ask(extensions).map(Some);
                if extensions.confused {
                    learned.extending = Extending::Refused;
                }
                answer
            }
            Extending::NotAsked | Extending::Refused => Ok(None),
        }
    }

    /// Gives a file the name of another in one step; `false` where the server does not offer that, or offers it and
    /// lets nobody use it.
    pub(crate) fn replace(&self, line: &Line, from: &str, to: &str) -> Result<bool, Error> {
        let renamed = self.extended(line, |extensions| {
            if !extensions.offered(line)?.posix_rename {
                return Ok(false);
            }
            match extensions.posix_rename(line, from, to) {
                Ok(()) => Ok(true),
                Err(error) if is_refusal(&error) => {
                    tracing::debug!(%error, "not replaced in one step");
                    Ok(false)
                }
                Err(error) => Err(error),
            }
        })?;
        Ok(renamed.unwrap_or(false))
    }

    /// Gives a file a name that none has yet.
    pub(crate) fn rename(&self, line: &Line, from: &str, to: &str) -> Result<(), Error> {
        let renamed = self.sftp.rename(Path::new(from), Path::new(to), None);
        renamed.map_err(|error| line.request(&error, "rename", from))
    }

    pub(crate) fn remove(&self, line: &Line, path: &str) -> Result<(), Error> {
        self.sftp.unlink(Path::new(path)).map_err(|error| line.request(&error, "remove", path))
    }

    /// Sees to it that there is no file of this name; `false` where the server refuses to remove it.
    pub(crate) fn clear(&self, line: &Line, path: &str) -> Result<bool, Error> {
        match self.remove(line, path) {
            Ok(()) | Err(Error::FileMissing { .. }) => Ok(true),
            Err(error) if is_refusal(&error) => {
                tracing::debug!(%error, "not removed");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Room on the file system of a folder, where the server tells.
    pub(crate) fn space(&self, line: &Line, folder: &RemoteFolder) -> Result<Option<Space>, Error> {
        let space = self.extended(line, |extensions| {
            if !extensions.offered(line)?.statvfs {
                return Ok(None);
            }
            extensions.space(line, folder.wire())
        })?;
        Ok(space.flatten())
    }

    /// Whether the server lets files be renamed, once that was seen.
    pub(crate) fn renames(&self) -> Option<bool> {
        self.learned().renames
    }

    /// Remembers whether the server lets files be renamed.
    pub(crate) fn saw_renames(&self, allowed: bool) {
        self.learned().renames = Some(allowed);
    }

    /// Whether the server was seen to replace files in one step.
    fn replaces(&self) -> Option<bool> {
        self.learned().replaces
    }

    /// Remembers whether the server replaces files in one step, whatever it offers.
    fn saw_replacing(&self, done: bool) {
        self.learned().replaces = Some(done);
    }
}

/// An open connection.
struct Wire {
    line: Arc<Line>,
    channel: Arc<Channel>,
}

impl Wire {
    async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        call: impl FnOnce(&Line, &Channel) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (line, channel) = (Arc::clone(&self.line), Arc::clone(&self.channel));
        self.line.run(doing, move || call(&line, &channel)).await
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // libssh2 waits for the server while it frees its objects; without a connection it can't.
        self.line.cut();
    }
}

/// An open SFTP session with a server whose key was the pinned one. Dropping it cuts the connection.
///
/// Operations take turns: libssh2 may leave a packet half-sent between two calls of a transfer, and a request
/// of another operation would land in its middle. Transfers side by side need a session each. While nothing is going
/// on, the session shows the server from time to time that it is still there.
///
/// A transfer whose connection is lost goes on over a new one, to the same key, up to three times; questions about the
/// server and [`Session::probe`] are asked once more, since some servers break off over the second channel they need.
/// Everything else fails with the connection, as does whatever follows until the next of these.
pub struct Session {
    connection: Connection,
    host_key: HostKey,
    wire: Arc<tokio::sync::Mutex<Wire>>,
    cancel: CancellationToken,
    _keep_alive: Option<AbortOnDropHandle<()>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").field("address", &self.connection.address).finish_non_exhaustive()
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
    /// The byte from which it went on over a new connection, if one was lost on the way: the last such place.
    pub resumed_at: Option<u64>,
}

/// A download between two connections.
struct Taking<S> {
    sink: S,
    digest: Sha256,
    bytes: u64,
    /// Size and time of the file when it was first opened.
    first_seen: Option<(Option<u64>, Option<u64>)>,
    resumed_at: Option<u64>,
}

impl Session {
    pub(crate) fn new(connection: Connection, line: Arc<Line>, channel: Channel, host_key: HostKey) -> Self {
        let cancel = line.cancel.clone();
        let wire = Arc::new(tokio::sync::Mutex::new(Wire { line, channel: Arc::new(channel) }));
        let every = Some(connection.timeouts.keep_alive).filter(|every| !every.is_zero());
        let keep_alive = every.map(|every| keep_alive(&wire, every));
        Self { connection, host_key, wire, cancel, _keep_alive: keep_alive }
    }

    /// The server's key, which was the pinned one.
    pub fn host_key(&self) -> &HostKey {
        &self.host_key
    }

    /// What the server can do beyond the protocol's core.
    pub async fn capabilities(&self) -> Result<Capabilities, Error> {
        self.run_despite_cuts("asking for the server's SFTP extensions", 1, |line, channel| {
            let offered = channel.extended(line, |extensions| extensions.offered(line))?.unwrap_or_default();
            Ok(Capabilities {
                posix_rename: offered.posix_rename && channel.replaces() != Some(false),
                fsync: offered.fsync,
                statvfs: offered.statvfs,
                renames: channel.renames(),
            })
        })
        .await
    }

    /// Room on the file system of a folder; `None` where the server does not tell.
    pub async fn free_space(&self, folder: &RemoteFolder) -> Result<Option<Space>, Error> {
        let folder = folder.clone();
        self.run_despite_cuts("asking for free space", 1, move |line, channel| channel.space(line, &folder))
            .await
    }

    /// What a folder holds, by name. Names are the server's word: one that is no plain name, such as `../x`, is left
    /// out. What a symbolic link shows is what the server says of the link.
    pub async fn list(&self, folder: &RemoteFolder) -> Result<Vec<Entry>, Error> {
        let folder = folder.clone();
        self.run("listing a folder", move |line, channel| {
            let at =
                |error: &ssh2::Error| in_folder(line.request(error, "list", &folder.to_string()), &folder);
            let mut listing = channel.sftp.opendir(Path::new(folder.wire())).map_err(|error| at(&error))?;
            let (mut entries, mut left_out) = (Vec::new(), 0);
            loop {
                let (path, stat) = match listing.readdir() {
                    Ok(entry) => entry,
                    Err(error) if error.code() == ErrorCode::Session(code::NO_MORE_FILES) => break,
                    Err(error) => return Err(at(&error)),
                };
                if entries.len() + left_out == LONGEST_LISTING {
                    return Err(Error::FolderTooFull { folder: folder.to_string(), most: LONGEST_LISTING });
                }
                let name = path.to_string_lossy();
                if is_name(&name) {
                    entries.push(Entry::new(name.into_owned(), &stat));
                } else {
                    left_out += 1;
                }
            }
            // Every folder holds `.` and `..`.
            if left_out > 2 {
                tracing::debug!(%folder, left_out, "the server lists names that can't be used");
            }
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
        self.run("renaming a file", move |line, channel| channel.rename(line, &from, &to)).await
    }

    /// Removes a file.
    pub async fn remove(&self, file: &RemoteFile) -> Result<(), Error> {
        let path = file.wire();
        self.run("removing a file", move |line, channel| channel.remove(line, &path)).await
    }

    /// Copies a remote file into `sink` and gives the sink back. The file is only read, and `sink` gets each byte
    /// once, also where the connection is lost on the way. A file that changes meanwhile gives
    /// [`Error::FileChanging`]; how much is taken in is for the sink to limit.
    pub async fn download<S: Write + Send + 'static>(
        &self,
        file: &RemoteFile,
        sink: S,
    ) -> Result<(Downloaded, S), Error> {
        let path = file.wire();
        let taking = Taking { sink, digest: Sha256::new(), bytes: 0, first_seen: None, resumed_at: None };
        let taking = Mutex::new(Some(taking));
        self.run_despite_cuts("reading a file", RECONNECTIONS, move |line, channel| {
            let mut slot = taking.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(mut taken) = slot.take() else {
                return Err(Error::Library { doing: "reading a file", code: 0 });
            };
            match taken.go_on(line, channel, &path) {
                Ok(modified) => {
                    let Taking { sink, digest, bytes, resumed_at, .. } = taken;
                    let sha256 = hex::encode(digest.finalize());
                    Ok((Downloaded { bytes, sha256, modified, resumed_at }, sink))
                }
                Err(error) => {
                    *slot = Some(taken);
                    Err(error)
                }
            }
        })
        .await
    }

    /// Writes a tiny file into the folder, gives it another name and removes it again: the proof that uploads can
    /// work, after which [`Session::capabilities`] knows about renames. It leaves a trace in the server's log, so it
    /// belongs in a test a person asked for and in no dry run. Gives the paths of what stays there, from this time or an
    /// earlier one, because the account may not remove files.
    pub async fn probe(&self, folder: &RemoteFolder) -> Result<Vec<String>, Error> {
        let (file, renamed) = (folder.file(PROBE)?, folder.file(PROBE_RENAMED)?);
        self.run_despite_cuts("writing a file", 1, move |line, channel| {
            let (path, other) = (file.wire(), renamed.wire());
            let mut remote = channel
                .sftp
                .open_mode(Path::new(&path), OpenFlags::WRITE | OpenFlags::TRUNCATE, 0o600, OpenType::File)
                .map_err(|error| in_folder(line.request(&error, "write", &path), file.folder()))?;
            remote
                .write_all(b"RosterBridge\n")
                .map_err(|_| transfer_failure(line, channel, "write", &path))?;
            drop(remote);
            // As an upload does it.
            let rename = || {
                let replaced = channel.replace(line, &path, &other)?;
                if !replaced {
                    channel.rename(line, &path, &other)?;
                }
                channel.saw_replacing(replaced);
                Ok::<_, Error>(())
            };
            let mut stays = Vec::new();
            let mut outcome = rename();
            // What an earlier test left behind is in the way of some servers' renaming.
            if outcome.as_ref().is_err_and(is_refusal) && stat(line, channel, &other)?.is_some() {
                if channel.clear(line, &other)? {
                    outcome = rename();
                } else {
                    stays.push(other.clone());
                }
            }
            let left = match outcome {
                Ok(()) => {
                    channel.saw_renames(true);
                    other
                }
                Err(error) if is_refusal(&error) => {
                    // Where the name is taken for good, the refusal says nothing of renames.
                    if stays.is_empty() {
                        channel.saw_renames(false);
                    }
                    path
                }
                Err(error) => return Err(error),
            };
            if !channel.clear(line, &left)? {
                stays.push(left);
            }
            Ok(stays)
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
        self.wire.lock().await.run(doing, call).await
    }

    /// Runs a call that can be repeated, again over a new connection each time one is lost, so many times. Once nothing
    /// helps, the loss is reported; a server that has another key now, or lets us in no longer, is reported as that at once.
    pub(crate) async fn run_despite_cuts<T, C>(
        &self,
        doing: &'static str,
        reconnections: usize,
        call: C,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        C: Fn(&Line, &Channel) -> Result<T, Error> + Send + Sync + 'static,
    {
        let call = Arc::new(call);
        let mut pauses = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(FIRST_PAUSE)
            .with_factor(3.0)
            .with_max_times(reconnections)
            .build();
        let mut wire = self.wire.lock().await;
        loop {
            let again = Arc::clone(&call);
            let lost = match wire.run(doing, move |line, channel| again(line, channel)).await {
                Err(error @ (Error::Disconnected { .. } | Error::Timeout { .. })) => error,
                outcome => return outcome,
            };
            loop {
                let Some(pause) = pauses.next() else { return Err(lost) };
                tracing::warn!(
                    address = %self.connection.address, doing, code = lost.code(), ?pause, "connecting again"
                );
                if self.cancel.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                    return Err(Error::Cancelled);
                }
                match self.reconnect(&mut wire).await {
                    Ok(()) => break,
                    Err(error) if is_out_of_reach(&error) => {
                        tracing::warn!(code = error.code(), "the server can't be reached again yet");
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Runs a call over a new connection, where the old one is of no further use.
    pub(crate) async fn run_anew<T: Send + 'static>(
        &self,
        doing: &'static str,
        call: impl FnOnce(&Line, &Channel) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let mut wire = self.wire.lock().await;
        self.reconnect(&mut wire).await?;
        wire.run(doing, call).await
    }

    /// Puts a new connection, to the same key, in the place of the old one.
    async fn reconnect(&self, wire: &mut Wire) -> Result<(), Error> {
        let fresh = connect(&self.connection, &[Pin::from(&self.host_key)], &self.cancel).await?;
        let mut fresh = fresh.wire.lock().await;
        fresh.channel.inherit(&wire.channel);
        std::mem::swap(wire, &mut *fresh);
        Ok(())
    }
}

impl<S: Write> Taking<S> {
    /// Reads the file from where the last connection left it. Gives its last change.
    fn go_on(&mut self, line: &Line, channel: &Channel, path: &str) -> Result<Option<SystemTime>, Error> {
        let changing = || Error::FileChanging { path: path.to_owned() };
        let at = |error: &ssh2::Error| line.request(error, "read", path);
        let to_sink = |cause| Error::Sink { path: path.to_owned(), cause };
        let mut remote = channel.sftp.open(Path::new(path)).map_err(|error| at(&error))?;
        let before = remote.stat().map_err(|error| at(&error))?;
        let seen = (before.size, before.mtime);
        if *self.first_seen.get_or_insert(seen) != seen {
            return Err(changing());
        }
        if self.bytes > 0 {
            self.resumed_at = Some(self.bytes);
            // libssh2 only notes where the next read begins.
            remote
                .seek(SeekFrom::Start(self.bytes))
                .map_err(|_| transfer_failure(line, channel, "read", path))?;
        }
        let mut chunk = vec![0; READ_CHUNK];
        loop {
            let count = remote.read(&mut chunk).map_err(|_| transfer_failure(line, channel, "read", path))?;
            let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else { break };
            self.sink.write_all(read).map_err(to_sink)?;
            self.digest.update(read);
            self.bytes += read.len() as u64;
        }
        let after = remote.stat().map_err(|error| at(&error))?;
        let complete = after.size.is_none_or(|size| size == self.bytes);
        if !complete || before.size != after.size || before.mtime != after.mtime {
            return Err(changing());
        }
        self.sink.flush().map_err(to_sink)?;
        Ok(Entry::new(String::new(), &after).modified)
    }
}

/// Shows the server between operations that this end is still there. Ends with the session.
fn keep_alive(wire: &Arc<tokio::sync::Mutex<Wire>>, every: Duration) -> AbortOnDropHandle<()> {
    const DOING: &str = "keeping the connection open";
    let wire = Arc::downgrade(wire);
    AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            tokio::time::sleep(every).await;
            let Some(wire) = wire.upgrade() else { return };
            // Whoever holds the line uses it, and may have sent half a packet.
            let Ok(idle) = wire.try_lock() else { continue };
            let sent = idle
                .run(DOING, |line, channel| {
                    channel.ssh.set_keepalive(true, KEEP_ALIVE_AT_MOST_EVERY);
                    let sent = channel.ssh.keepalive_send();
                    // Left on, libssh2 would give up an answer that takes longer than it is to the next sign of life.
                    channel.ssh.set_keepalive(false, 0);
                    sent.map_err(|error| line.broken(session_code(&error), DOING))
                })
                .await;
            if let Err(error) = sent {
                // The next operation finds that out for itself, and a transfer connects again.
                tracing::debug!(code = error.code(), "the idle connection is gone");
            }
        }
    }))
}

/// Whether the server said no to a request, as against a broken connection.
pub(crate) fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Permission { .. } | Error::ServerRefused { .. })
}

/// Whether a new connection failed in a way that a moment may mend.
fn is_out_of_reach(error: &Error) -> bool {
    matches!(
        error,
        Error::Dns { .. }
            | Error::Refused { .. }
            | Error::Unreachable { .. }
            | Error::Timeout { .. }
            | Error::NotSsh { .. }
            | Error::Disconnected { .. }
    )
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
