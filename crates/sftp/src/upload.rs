use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rosterbridge_crash_points::{CrashPoint, pass};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use ssh2::{ErrorCode, OpenFlags, OpenType};

use crate::session::{Channel, RECONNECTIONS, in_folder, is_refusal, stat, transfer_failure};
use crate::wire::{Line, status};
use crate::{Error, RemoteFile, Session};

/// What libssh2 answers where it would have to wait (LIBSSH2_ERROR_EAGAIN).
const WOULD_BLOCK: ErrorCode = ErrorCode::Session(-37);
/// Unconfirmed bytes libssh2 is given to work on. It pipelines only what one call hands it, so this is what
/// keeps a distant server busy; OpenSSH's own window is 2 MiB.
const WINDOW: usize = 4 * 1024 * 1024;
/// An upload goes on after a cut at a multiple of this many bytes, for which it knows the digest of all before.
const STEP: usize = 256 * 1024;
/// Bytes before that place that are read back from the server.
const TAIL: usize = 64 * 1024;
/// Mode of a new remote file, before the server's umask. Whoever takes the file in on the other side may be
/// another account there, so it is what every SFTP client asks for.
const FILE_MODE: i32 = 0o644;

/// How an upload reached its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Placement {
    /// Written beside the target, checked, then given its name in one step: at no moment was there half a file, or
    /// none where there had been one.
    Replaced,
    /// The same, but the server can't replace a file by renaming: the previous one was set aside first, so for a
    /// moment there was none of that name.
    SetAside,
    /// The server refuses renames, so the checked content was written over the target; a reader could have
    /// seen it incomplete for a moment.
    Overwritten,
}

/// A finished upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Uploaded {
    /// Bytes of the file; the server reports the same size.
    pub bytes: u64,
    /// SHA-256 of those bytes, lower-case hexadecimal.
    pub sha256: String,
    /// How the file reached its name.
    pub placement: Placement,
    /// The byte from which it went on over a new connection, if one was lost on the way: the last such place.
    pub resumed_at: Option<u64>,
}

/// Names of the files an upload uses beside its target.
struct Beside {
    target: String,
    /// The new content, until it is whole.
    part: String,
    /// The previous content, while the new one takes its name: SFTP's rename does not replace.
    old: String,
}

impl Beside {
    fn new(file: &RemoteFile) -> Self {
        Self {
            target: file.wire(),
            part: file.beside(&format!(".{}.rosterbridge-part", file.name())),
            old: file.beside(&format!(".{}.rosterbridge-old", file.name())),
        }
    }
}

/// One upload, across its connections.
struct Sending<S> {
    source: S,
    /// The digest the content must have.
    planned: Option<String>,
    trail: Trail,
    resumed_at: Option<u64>,
    /// Size and digest of the content once it is complete at the server and about to get its name.
    complete: Option<(u64, String)>,
}

/// What the server has of the content so far.
#[derive(Default)]
struct Trail {
    /// The digests of the first step, the first two steps, and so on, as far as they were sent.
    digests: Vec<[u8; 32]>,
    /// Bytes the server has confirmed, from the first on.
    confirmed: u64,
}

/// What became of a previous content that was found set aside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Previous {
    /// There was none.
    None,
    /// It was removed, or has its name again.
    Settled,
    /// The account may not remove it.
    Stays,
}

/// Where an upload can go on.
struct Rest {
    offset: u64,
    /// Digest of what comes before.
    digest: [u8; 32],
    /// The last of what comes before, as the server has it.
    tail: Vec<u8>,
}

impl Session {
    /// Replaces a remote file by what `source` writes, whole or not at all.
    ///
    /// The content goes to a temporary name beside the target, is flushed to disk where the server offers it
    /// (`fsync@openssh.com`), its size is compared, and only then does it take the target's name. What an
    /// upload of the same file left behind in a crash is put right first.
    ///
    /// Where the connection is lost, `source` is called again and must write the same: what the server has confirmed
    /// is not sent again. If it writes something else, the upload starts from the beginning.
    pub async fn upload<S>(&self, file: &RemoteFile, source: S) -> Result<Uploaded, Error>
    where
        S: FnMut(&mut dyn Write) -> io::Result<()> + Send + 'static,
    {
        self.send(file, None, source).await
    }

    /// The same for content of a known SHA-256 (lower-case hexadecimal): anything else does not get the name.
    pub async fn upload_planned<S>(
        &self,
        file: &RemoteFile,
        sha256: &str,
        source: S,
    ) -> Result<Uploaded, Error>
    where
        S: FnMut(&mut dyn Write) -> io::Result<()> + Send + 'static,
    {
        self.send(file, Some(sha256.to_owned()), source).await
    }

    async fn send<S>(&self, file: &RemoteFile, planned: Option<String>, source: S) -> Result<Uploaded, Error>
    where
        S: FnMut(&mut dyn Write) -> io::Result<()> + Send + 'static,
    {
        let target = file.clone();
        let sending = Sending { source, planned, trail: Trail::default(), resumed_at: None, complete: None };
        let sending = Mutex::new(sending);
        let sent = self
            .run_despite_cuts("writing a file", RECONNECTIONS, move |line, channel| {
                let mut sending = sending.lock().unwrap_or_else(PoisonError::into_inner);
                Upload { line, channel, names: Beside::new(&target), file: &target }.run(&mut sending)
            })
            .await;
        match sent {
            Err(error @ Error::ServerRefused { action: "write", .. }) => {
                Err(self.why_refused(file, error).await)
            }
            sent => sent.inspect(|uploaded| {
                let Uploaded { bytes, placement, resumed_at, .. } = uploaded;
                tracing::info!(%file, bytes, ?placement, ?resumed_at, "uploaded");
            }),
        }
    }

    /// OpenSSH answers 'failure' where its disk is full, and so do most. Whether it is can be asked; the connection on
    /// which a write was refused is of no further use. What was written so far is taken away.
    async fn why_refused(&self, file: &RemoteFile, refusal: Error) -> Error {
        let target = file.clone();
        let asked = self.run_anew("asking for free space", move |line, channel| {
            let space = channel.space(line, target.folder())?;
            Upload { line, channel, names: Beside::new(&target), file: &target }.remove_part();
            // Less than what was on its way.
            Ok(space.is_some_and(|space| space.available < WINDOW as u64))
        });
        match asked.await {
            Ok(true) => Error::NoSpace { path: file.to_string() },
            Err(Error::Cancelled) => Error::Cancelled,
            Ok(false) | Err(_) => refusal,
        }
    }
}

struct Upload<'a> {
    line: &'a Line,
    channel: &'a Channel,
    names: Beside,
    file: &'a RemoteFile,
}

impl Upload<'_> {
    /// Sends the content, or what is left of it, and gives it its name.
    fn run<S>(&self, sending: &mut Sending<S>) -> Result<Uploaded, Error>
    where
        S: FnMut(&mut dyn Write) -> io::Result<()>,
    {
        let previous = self.recover()?;
        if let Some((bytes, sha256)) = sending.complete.take()
            && self.has_its_name(bytes)?
        {
            let placement = match self.channel.renames() {
                Some(false) => Placement::Overwritten,
                _ if previous == Previous::None => Placement::Replaced,
                _ => Placement::SetAside,
            };
            return Ok(Uploaded { bytes, sha256, placement, resumed_at: sending.resumed_at });
        }
        if previous == Previous::Stays && self.reuse_old()? {
            // What is there now was not sent.
            sending.trail = Trail::default();
        }
        let (bytes, sha256) = self.write_part(sending).inspect_err(|error| self.discard_part(error))?;
        sending.complete = Some((bytes, sha256.clone()));
        let placement =
            self.line.place(|| self.place(bytes)).inspect_err(|error| self.discard_part(error))?;
        Ok(Uploaded { bytes, sha256, placement, resumed_at: sending.resumed_at })
    }

    /// Whether a placing whose answer was lost was done: only its end takes the temporary file away.
    fn has_its_name(&self, bytes: u64) -> Result<bool, Error> {
        Ok(self.stat(&self.names.part)?.is_none()
            && self.stat(&self.names.target)?.is_some_and(|target| target.size == Some(bytes)))
    }

    /// Puts right what a crash left behind, and tells what became of a previous content that was set aside. With no
    /// target then there are two cases: the new content is still beside it (the crash came between the renames: the
    /// old one goes back), or it is gone (the swap was done, and the server's owner has taken the file since: the old
    /// one goes). With a target the old one always goes, whichever way that one came.
    fn recover(&self) -> Result<Previous, Error> {
        if self.stat(&self.names.old)?.is_none() {
            return Ok(Previous::None);
        }
        let swap_was_open =
            self.stat(&self.names.target)?.is_none() && self.stat(&self.names.part)?.is_some();
        if swap_was_open {
            self.rename(&self.names.old, &self.names.target)?;
        } else if !self.clear(&self.names.old)? {
            tracing::warn!(file = %self.file, "the account may not remove the replaced file");
            return Ok(Previous::Stays);
        }
        tracing::warn!(file = %self.file, swap_was_open, "finished an interrupted upload");
        Ok(Previous::Settled)
    }

    /// Makes a previous content that can't be removed the temporary file, which the new content then overwrites. Left
    /// where it is, it would be in the way when the next one is set aside; and once the server's owner has taken the
    /// target, a crash in the midst of an upload would look like one between the renames, after which it came back.
    fn reuse_old(&self) -> Result<bool, Error> {
        let Beside { part, old, .. } = &self.names;
        if self.stat(part)?.is_some() {
            return Ok(false);
        }
        match self.rename(old, part) {
            Ok(()) => Ok(true),
            Err(error) if is_refusal(&error) => {
                tracing::debug!(file = %self.file, %error, "the replaced file stays where it is");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the new content, or what the server lacks of it, beside the target and checks its size there.
    fn write_part<S>(&self, sending: &mut Sending<S>) -> Result<(u64, String), Error>
    where
        S: FnMut(&mut dyn Write) -> io::Result<()>,
    {
        let mut rest = self.rest(&sending.trail)?;
        let (bytes, sha256, size) = loop {
            // Where all of it is sent there is nothing it could differ from.
            if let Some(written) = self.write_from(rest.take(), sending)? {
                break written;
            }
        };
        if sending.planned.as_ref().is_some_and(|planned| *planned != sha256) {
            return Err(Error::NotAsPlanned { path: self.file.to_string() });
        }
        if size != Some(bytes) {
            self.check_size(&self.names.part, bytes)?;
        }
        pass(CrashPoint::UploadVerified);
        Ok((bytes, sha256))
    }

    /// Where the upload can go on: at the last step that the server has confirmed and still has. Nowhere, for an account
    /// that may not read what it wrote.
    fn rest(&self, trail: &Trail) -> Result<Option<Rest>, Error> {
        let part = self.names.part.as_str();
        if trail.confirmed < STEP as u64 {
            return Ok(None);
        }
        let Some(size) = self.stat(part)?.and_then(|stat| stat.size) else { return Ok(None) };
        let steps = trail.confirmed.min(size) / STEP as u64;
        let digest = usize::try_from(steps).ok().and_then(|steps| trail.digests.get(steps.checked_sub(1)?));
        let Some(digest) = digest else { return Ok(None) };
        let offset = steps * STEP as u64;
        match self.tail(offset) {
            Ok(tail) => Ok(tail.map(|tail| Rest { offset, digest: *digest, tail })),
            Err(error) if is_refusal(&error) || matches!(error, Error::FileMissing { .. }) => {
                tracing::debug!(file = %self.file, %error, "what was sent can't be read back: sending all of it");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The bytes of the temporary file before `offset`; `None` if it ends earlier.
    fn tail(&self, offset: u64) -> Result<Option<Vec<u8>>, Error> {
        let part = self.names.part.as_str();
        let failed = || transfer_failure(self.line, self.channel, "read", part);
        let open = self.channel.sftp.open(Path::new(part));
        let mut remote = open.map_err(|error| self.line.request(&error, "read", part))?;
        // libssh2 only notes where the next read begins.
        remote.seek(SeekFrom::Start(offset - TAIL as u64)).map_err(|_| failed())?;
        let mut tail = vec![0; TAIL];
        match remote.read_exact(&mut tail) {
            Ok(()) => Ok(Some(tail)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(_) => Err(failed()),
        }
    }

    /// Writes the content from its beginning, or only `rest` of it, and tells its size, its digest, and the size the
    /// server had when it was closed; `None` if what comes before the rest is not what the server has.
    fn write_from<S>(
        &self,
        rest: Option<Rest>,
        sending: &mut Sending<S>,
    ) -> Result<Option<(u64, String, Option<u64>)>, Error>
    where
        S: FnMut(&mut dyn Write) -> io::Result<()>,
    {
        let part = self.names.part.as_str();
        let Sending { source, trail, resumed_at, .. } = sending;
        let offset = rest.as_ref().map_or(0, |rest| rest.offset);
        let remote = if rest.is_some() { self.reopen_part(offset)? } else { self.create_part()? };
        pass(CrashPoint::UploadOpened);
        trail.digests.truncate(usize::try_from(offset / STEP as u64).unwrap_or(0));
        trail.confirmed = offset;
        let Trail { digests, confirmed } = trail;
        let mut writer = PipelinedWriter::new(self.line, self.channel, remote, part, confirmed);
        let mut digesting = Digesting {
            inner: &mut writer,
            digest: Sha256::new(),
            bytes: 0,
            digests,
            rest,
            tail: Vec::new(),
            differs: false,
        };
        let produced = source(&mut digesting);
        pass(CrashPoint::UploadBegun);
        let Digesting { digest, bytes, differs, .. } = digesting;
        if differs {
            tracing::warn!(file = %self.file, "the content is not the one begun: sending all of it");
            return Ok(None);
        }
        // The server's failure comes first: the source only saw that its writing failed.
        if let Some(error) = writer.failure.take() {
            return Err(error);
        }
        if let Err(cause) = produced {
            // What is on its way must arrive before another request may follow it.
            writer.finish()?;
            return Err(Error::Source { path: self.file.to_string(), cause });
        }
        if bytes < offset {
            return Ok(None);
        }
        if offset > 0 {
            *resumed_at = Some(offset);
        }
        let size = writer.finish()?;
        pass(CrashPoint::UploadWritten);
        Ok(Some((bytes, hex::encode(digest.finalize()), size)))
    }

    /// Gives the new content its name.
    fn place(&self, bytes: u64) -> Result<Placement, Error> {
        let Beside { target, part, old } = &self.names;
        // Refused where nobody may use it, and where a folder has that name.
        if self.channel.replace(self.line, part, target)? {
            self.channel.saw_renames(true);
            pass(CrashPoint::UploadReplaced);
            return Ok(Placement::Replaced);
        }
        let replaces = match self.stat(target)? {
            Some(stat) if stat.is_dir() => return Err(Error::NotAFile { path: target.clone() }),
            found => found.is_some(),
        };
        if replaces {
            match self.rename(target, old) {
                Ok(()) => pass(CrashPoint::UploadSetAside),
                Err(error) if is_refusal(&error) => return self.overwrite(bytes),
                Err(error) => return Err(error),
            }
        }
        match self.rename(part, target) {
            Ok(()) => pass(CrashPoint::UploadRenamed),
            Err(error) if is_refusal(&error) => {
                if replaces {
                    self.rename(old, target)?;
                }
                return self.overwrite(bytes);
            }
            Err(error) => return Err(error),
        }
        if replaces && let Err(error) = self.remove(old) {
            // The upload itself is done; the next one removes what stayed, or uses it.
            tracing::warn!(file = %self.file, code = error.code(), "the replaced file could not be removed");
        }
        self.channel.saw_renames(true);
        Ok(if replaces { Placement::SetAside } else { Placement::Replaced })
    }

    /// Copies the checked content over the target, for servers that refuse renames.
    fn overwrite(&self, bytes: u64) -> Result<Placement, Error> {
        let Beside { target, part, .. } = &self.names;
        self.channel.saw_renames(false);
        let open = self.channel.sftp.open(Path::new(part));
        let mut from = open.map_err(|error| self.line.request(&error, "read", part))?;
        let to = self.create(target).map_err(|error| self.line.request(&error, "write", target))?;
        let mut confirmed = 0;
        let mut writer = PipelinedWriter::new(self.line, self.channel, to, target, &mut confirmed);
        let mut chunk = vec![0; WINDOW];
        loop {
            let count =
                from.read(&mut chunk).map_err(|_| transfer_failure(self.line, self.channel, "read", part))?;
            let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else { break };
            writer.window.extend_from_slice(read);
            // Everything must be out before the next read: its request must not land in a half-sent packet.
            writer.drain()?;
        }
        drop(from);
        writer.finish()?;
        self.check_size(target, bytes)?;
        if !self.clear(part)? {
            // The next upload writes over it.
            tracing::warn!(file = %self.file, "the account may not remove the temporary file");
        }
        Ok(Placement::Overwritten)
    }

    fn check_size(&self, path: &str, expected: u64) -> Result<(), Error> {
        match self.stat(path)? {
            Some(stat) if stat.size.is_some_and(|found| found != expected) => Err(Error::SizeMismatch {
                path: self.file.to_string(),
                expected,
                found: stat.size.unwrap_or(0),
            }),
            Some(_) => Ok(()),
            None => Err(Error::FileMissing { path: path.to_owned() }),
        }
    }

    /// Takes the half-done file away where the connection still allows it; else the next upload writes over it.
    fn discard_part(&self, cause: &Error) {
        if !matches!(cause, Error::Disconnected { .. } | Error::Timeout { .. } | Error::Library { .. }) {
            self.remove_part();
        }
    }

    fn remove_part(&self) {
        if let Err(error) = self.remove(&self.names.part) {
            tracing::debug!(file = %self.file, code = error.code(), "the temporary file could not be removed");
        }
    }

    fn create(&self, path: &str) -> Result<ssh2::File, ssh2::Error> {
        self.open(path, OpenFlags::WRITE | OpenFlags::TRUNCATE)
    }

    /// Opens the temporary file, empty: whatever has its name, such as half a file of an earlier upload, or a link that
    /// would lead the content elsewhere, goes first. An account that may not remove files writes over half a file, and
    /// only over that.
    fn create_part(&self) -> Result<ssh2::File, Error> {
        let part = self.names.part.as_str();
        let create_new = || {
            let flags = OpenFlags::WRITE | OpenFlags::TRUNCATE | OpenFlags::EXCLUSIVE;
            self.open(part, flags).map_err(|error| self.line.request(&error, "write", part))
        };
        let mut opened = create_new();
        // What has the name is no reason all servers have a number for.
        if opened.as_ref().is_err_and(is_refusal) && self.clear(part)? {
            opened = create_new();
        }
        let opened = match opened {
            // Either it can't be removed, or the server does not know how to open only what is new.
            Err(refusal) if is_refusal(&refusal) => {
                if self.is_a_file_or_nothing(part)? {
                    self.create(part).map_err(|error| self.line.request(&error, "write", part))
                } else {
                    Err(refusal)
                }
            }
            opened => opened,
        };
        opened.map_err(|error| in_folder(error, self.file.folder()))
    }

    /// Whether writing to this path reaches nothing but a file of that name: no folder, and no link that leads elsewhere.
    fn is_a_file_or_nothing(&self, path: &str) -> Result<bool, Error> {
        let looked = self.channel.sftp.lstat(Path::new(path));
        match looked.map_err(|error| self.line.request(&error, "look at", path)) {
            Ok(found) => Ok(found.is_file()),
            Err(Error::FileMissing { .. }) => Ok(true),
            Err(error) if is_refusal(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens the temporary file to go on at `offset`.
    fn reopen_part(&self, offset: u64) -> Result<ssh2::File, Error> {
        let part = self.names.part.as_str();
        let opened = self.open(part, OpenFlags::WRITE);
        let mut remote = opened.map_err(|error| self.line.request(&error, "write", part))?;
        // libssh2 only notes where the next write goes.
        let moved = remote.seek(SeekFrom::Start(offset));
        moved.map_err(|_| transfer_failure(self.line, self.channel, "write", part))?;
        Ok(remote)
    }

    fn open(&self, path: &str, flags: OpenFlags) -> Result<ssh2::File, ssh2::Error> {
        self.channel.sftp.open_mode(Path::new(path), flags, FILE_MODE, OpenType::File)
    }

    fn stat(&self, path: &str) -> Result<Option<ssh2::FileStat>, Error> {
        stat(self.line, self.channel, path)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.channel.rename(self.line, from, to)
    }

    fn remove(&self, path: &str) -> Result<(), Error> {
        self.channel.remove(self.line, path)
    }

    fn clear(&self, path: &str) -> Result<bool, Error> {
        self.channel.clear(self.line, path)
    }
}

/// Counts and digests what goes through, notes the digest after each step, and holds back what the server has.
struct Digesting<'a> {
    inner: &'a mut dyn Write,
    digest: Sha256,
    bytes: u64,
    digests: &'a mut Vec<[u8; 32]>,
    /// What is still to come before the rest, where only that is sent.
    rest: Option<Rest>,
    /// The last bytes before the rest.
    tail: Vec<u8>,
    /// What came before the rest is not what the server has.
    differs: bool,
}

impl Write for Digesting<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let another = || io::Error::other("the content is another one than before");
        if self.differs {
            return Err(another());
        }
        // Piece by piece to the end of a step.
        let into_step = usize::try_from(self.bytes % STEP as u64).unwrap_or(0);
        let piece = data.get(..STEP - into_step).unwrap_or(data);
        let end = self.bytes + piece.len() as u64;
        let ends_step = end.is_multiple_of(STEP as u64) && !piece.is_empty();
        if let Some(rest) = &self.rest {
            let tail_from = rest.offset - TAIL as u64;
            let before_tail = usize::try_from(tail_from.saturating_sub(self.bytes)).unwrap_or(usize::MAX);
            self.tail.extend_from_slice(piece.get(before_tail..).unwrap_or_default());
        } else {
            self.inner.write_all(piece)?;
        }
        self.digest.update(piece);
        self.bytes = end;
        if ends_step {
            let digest: [u8; 32] = self.digest.clone().finalize().into();
            if self.rest.is_none() {
                self.digests.push(digest);
            } else if let Some(rest) = self.rest.take_if(|rest| rest.offset == end) {
                self.differs = digest != rest.digest || self.tail != rest.tail;
                if self.differs {
                    return Err(another());
                }
            }
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Flushing half a window would make the server's round trip show; `finish` does it once.
        Ok(())
    }
}

/// Keeps a window of unconfirmed bytes in libssh2's hands.
///
/// libssh2 sends everything one `write` offers but returns as soon as the first packets are confirmed; the
/// next call must begin with the first unconfirmed byte and may offer more behind it. So the window slides:
/// confirmed bytes leave at the front while new ones join at the end, and the line never runs dry.
struct PipelinedWriter<'a> {
    line: &'a Line,
    channel: &'a Channel,
    remote: ssh2::File,
    path: &'a str,
    /// Unconfirmed bytes, from `confirmed` on.
    window: Vec<u8>,
    confirmed: usize,
    /// Bytes of the file that the server has confirmed, from the first on.
    total: &'a mut u64,
    failure: Option<Error>,
}

impl<'a> PipelinedWriter<'a> {
    fn new(
        line: &'a Line,
        channel: &'a Channel,
        remote: ssh2::File,
        path: &'a str,
        total: &'a mut u64,
    ) -> Self {
        Self { line, channel, remote, path, window: Vec::new(), confirmed: 0, total, failure: None }
    }

    /// Offers the window to libssh2 once and takes away what the server has confirmed.
    fn advance(&mut self) -> Result<(), Error> {
        let waiting_since = Instant::now();
        let confirmed = loop {
            let unconfirmed = self.window.get(self.confirmed..).unwrap_or_default();
            match self.remote.write(unconfirmed) {
                Ok(0) if waiting_since.elapsed() > self.line.answer_within => {
                    return Err(self.line.broken(crate::wire::code::TIMEOUT, "writing a file"));
                }
                // The server's receive window is full at a packet boundary: libssh2 returns instead of
                // waiting, and only the server's next message changes that.
                Ok(0) => std::thread::sleep(Duration::from_millis(1)),
                Ok(count) => break count,
                Err(_) => {
                    let error = transfer_failure(self.line, self.channel, "write", self.path);
                    // libssh2 forgets what it had not sent, perhaps the second half of a packet: no other
                    // request can follow on this connection.
                    self.line.cut();
                    return Err(error);
                }
            }
        };
        self.confirmed += confirmed;
        *self.total += confirmed as u64;
        // Seldom enough for its cost, often enough for the memory: what is confirmed takes half as much as what is not.
        if self.confirmed >= WINDOW / 2 || self.confirmed == self.window.len() {
            self.window.drain(..self.confirmed);
            self.confirmed = 0;
        }
        Ok(())
    }

    fn unconfirmed(&self) -> usize {
        self.window.len() - self.confirmed
    }

    /// Waits until the server has confirmed everything.
    fn drain(&mut self) -> Result<(), Error> {
        while self.unconfirmed() > 0 {
            self.advance()?;
        }
        Ok(())
    }

    /// Whether a refused request to flush means that the server has none.
    fn fsync_is_unknown(&self, error: &ssh2::Error) -> Result<bool, Error> {
        match error.code() {
            ErrorCode::SFTP(status::OP_UNSUPPORTED) => Ok(true),
            ErrorCode::SFTP(_) => {
                let offered = self.channel.extended(self.line, |extensions| extensions.offered(self.line))?;
                Ok(!offered.unwrap_or_default().fsync)
            }
            ErrorCode::Session(_) => Ok(false),
        }
    }

    /// Drains, asks the server to put the file on its disk, and closes. Answers the size the server had on the way.
    fn finish(mut self) -> Result<Option<u64>, Error> {
        self.drain()?;
        // What the second channel is greeted with arrives while the file is flushed.
        self.channel.extended(self.line, |_| Ok(()))?;
        match self.remote.fsync() {
            Ok(()) => {}
            // Not every server knows the extension; what counts then is the size it reports afterwards.
            Err(error) if self.fsync_is_unknown(&error)? => {
                tracing::debug!(path = self.path, %error, "the server does not flush files on request");
            }
            Err(error) => return Err(self.line.request(&error, "write", self.path)),
        }
        self.close()
    }

    /// Closes the file, and asks for its size without waiting for the first answer: that saves a round trip where the
    /// server's size is the one that is waited for. Where it is another one, it counts only once it is asked for again:
    /// not every server knows it before the file is closed.
    fn close(&mut self) -> Result<Option<u64>, Error> {
        let Channel { ssh, sftp, .. } = self.channel;
        // libssh2 goes on with each of the two requests when it is called for the same again.
        ssh.set_blocking(false);
        let mut closed = self.remote.close();
        let under_way = closed.as_ref().is_err_and(|error| error.code() == WOULD_BLOCK);
        if under_way {
            // Whatever comes of it is asked for below.
            let _ = sftp.stat(Path::new(self.path));
        }
        ssh.set_blocking(true);
        if under_way {
            closed = self.remote.close();
        }
        if let Err(error) = &closed
            && matches!(error.code(), ErrorCode::Session(_))
        {
            // Nothing can be asked any more.
            return Err(self.line.request(error, "write", self.path));
        }
        // Before anything else, also where closing failed: the next question would get this one's answer.
        let looked = stat(self.line, self.channel, self.path);
        closed.map_err(|error| self.line.request(&error, "write", self.path))?;
        match looked {
            Ok(found) => Ok(found.and_then(|found| found.size)),
            // It is asked for once more, and then it matters.
            Err(error) if is_refusal(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Write for PipelinedWriter<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let room = WINDOW - self.unconfirmed().min(WINDOW);
        let taken = data.get(..room.min(data.len())).unwrap_or(data);
        self.window.extend_from_slice(taken);
        while self.unconfirmed() >= WINDOW {
            if let Err(error) = self.advance() {
                let stopped = io::Error::other(error.to_string());
                self.failure = Some(error);
                return Err(stopped);
            }
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
