use std::io::{self, Read as _, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rosterbridge_crash_points::{CrashPoint, pass};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use ssh2::{ErrorCode, OpenFlags, OpenType};

use crate::session::{Channel, in_folder, stat, transfer_failure};
use crate::wire::Line;
use crate::{Error, RemoteFile, Session};

/// Unconfirmed bytes libssh2 is given to work on. It pipelines only what one call hands it, so this is what
/// keeps a distant server busy; OpenSSH's own window is 2 MiB.
const WINDOW: usize = 4 * 1024 * 1024;
/// Mode of a new remote file, before the server's umask. Whoever takes the file in on the other side may be
/// another account there, so it is what every SFTP client asks for.
const FILE_MODE: i32 = 0o644;

/// How an upload reached its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Placement {
    /// Written beside the target, checked, then renamed: nobody saw half a file.
    Renamed,
    /// The server refuses renames, so the checked content was written over the target; a reader could have
    /// seen it incomplete for a moment.
    Overwritten,
}

/// A finished upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Uploaded {
    /// Bytes sent; the server reports the same size.
    pub bytes: u64,
    /// SHA-256 of those bytes, lower-case hexadecimal.
    pub sha256: String,
    /// How the file reached its name.
    pub placement: Placement,
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

impl Session {
    /// Replaces a remote file by what `source` writes, whole or not at all.
    ///
    /// The content goes to a temporary name beside the target, is flushed to disk where the server offers it
    /// (`fsync@openssh.com`), its size is compared, and only then does it take the target's name. What an
    /// upload of the same file left behind in a crash is put right first.
    pub async fn upload<S>(&self, file: &RemoteFile, source: S) -> Result<Uploaded, Error>
    where
        S: FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    {
        let file = file.clone();
        self.run("writing a file", move |line, channel| {
            let upload = Upload { line, channel, names: Beside::new(&file), file: &file };
            upload.recover()?;
            let (bytes, sha256) =
                upload.write_part(source).inspect_err(|error| upload.discard_part(error))?;
            let placement =
                line.place(|| upload.place(bytes)).inspect_err(|error| upload.discard_part(error))?;
            Ok(Uploaded { bytes, sha256, placement })
        })
        .await
    }
}

struct Upload<'a> {
    line: &'a Line,
    channel: &'a Channel,
    names: Beside,
    file: &'a RemoteFile,
}

impl Upload<'_> {
    /// Puts right what a crash left behind. With the previous content set aside and no target there are two
    /// cases: the new content is still beside it (the crash came between the renames: the old one goes back),
    /// or it is gone (the swap was done, and the server's owner has taken the file since: the old one goes).
    fn recover(&self) -> Result<(), Error> {
        if self.stat(&self.names.old)?.is_none() {
            return Ok(());
        }
        let swap_was_open =
            self.stat(&self.names.target)?.is_none() && self.stat(&self.names.part)?.is_some();
        tracing::warn!(file = %self.file, swap_was_open, "finishing an interrupted upload");
        if swap_was_open {
            self.rename(&self.names.old, &self.names.target)
        } else {
            self.remove(&self.names.old)
        }
    }

    /// Writes the new content beside the target and checks its size there.
    fn write_part<S>(&self, source: S) -> Result<(u64, String), Error>
    where
        S: FnOnce(&mut dyn Write) -> io::Result<()>,
    {
        let part = self.names.part.as_str();
        let remote = self
            .create(part)
            .map_err(|error| in_folder(self.line.request(&error, "write", part), self.file.folder()))?;
        pass(CrashPoint::UploadOpened);
        let mut writer = PipelinedWriter::new(self.line, self.channel, remote, part);
        let mut digest = DigestWriter { inner: &mut writer, digest: Sha256::new(), bytes: 0 };
        let produced = source(&mut digest);
        pass(CrashPoint::UploadBegun);
        let (bytes, sha256) = (digest.bytes, hex::encode(digest.digest.finalize()));
        // The server's failure comes first: the source only saw that its writing failed.
        if let Some(error) = writer.failure.take() {
            return Err(error);
        }
        if let Err(cause) = produced {
            // What is on its way must arrive before another request may follow it.
            writer.finish()?;
            return Err(Error::Source { path: self.file.to_string(), cause });
        }
        writer.finish()?;
        pass(CrashPoint::UploadWritten);
        self.check_size(part, bytes)?;
        pass(CrashPoint::UploadVerified);
        Ok((bytes, sha256))
    }

    /// Gives the new content its name.
    fn place(&self, bytes: u64) -> Result<Placement, Error> {
        let Beside { target, part, old } = &self.names;
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
            // The upload itself is done; the next one removes what stayed.
            tracing::warn!(file = %self.file, code = error.code(), "the replaced file could not be removed");
        }
        Ok(Placement::Renamed)
    }

    /// Copies the checked content over the target, for servers that refuse renames.
    fn overwrite(&self, bytes: u64) -> Result<Placement, Error> {
        let Beside { target, part, .. } = &self.names;
        let open = self.channel.sftp.open(Path::new(part));
        let mut from = open.map_err(|error| self.line.request(&error, "read", part))?;
        let to = self.create(target).map_err(|error| self.line.request(&error, "write", target))?;
        let mut writer = PipelinedWriter::new(self.line, self.channel, to, target);
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
        self.remove(part)?;
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
        if !matches!(cause, Error::Disconnected { .. } | Error::Timeout { .. } | Error::Library { .. })
            && let Err(error) = self.remove(&self.names.part)
        {
            tracing::debug!(file = %self.file, code = error.code(), "the temporary file could not be removed");
        }
    }

    fn create(&self, path: &str) -> Result<ssh2::File, ssh2::Error> {
        let flags = OpenFlags::WRITE | OpenFlags::TRUNCATE;
        self.channel.sftp.open_mode(Path::new(path), flags, FILE_MODE, OpenType::File)
    }

    fn stat(&self, path: &str) -> Result<Option<ssh2::FileStat>, Error> {
        stat(self.line, self.channel, path)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.channel
            .sftp
            .rename(Path::new(from), Path::new(to), None)
            .map_err(|error| self.line.request(&error, "rename", from))
    }

    fn remove(&self, path: &str) -> Result<(), Error> {
        self.channel.sftp.unlink(Path::new(path)).map_err(|error| self.line.request(&error, "remove", path))
    }
}

/// Whether the server said no to a request, as against a broken connection.
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Permission { .. } | Error::ServerRefused { .. })
}

/// Counts and digests what goes through.
struct DigestWriter<'a> {
    inner: &'a mut dyn Write,
    digest: Sha256,
    bytes: u64,
}

impl Write for DigestWriter<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.inner.write_all(data)?;
        self.digest.update(data);
        self.bytes += data.len() as u64;
        Ok(data.len())
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
    failure: Option<Error>,
}

impl<'a> PipelinedWriter<'a> {
    fn new(line: &'a Line, channel: &'a Channel, remote: ssh2::File, path: &'a str) -> Self {
        Self { line, channel, remote, path, window: Vec::new(), confirmed: 0, failure: None }
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
        if self.confirmed >= WINDOW || self.confirmed == self.window.len() {
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

    /// Drains, asks the server to put the file on its disk, and closes.
    fn finish(mut self) -> Result<(), Error> {
        self.drain()?;
        match self.remote.fsync() {
            Ok(()) => {}
            // Not every server knows the extension; what counts then is the size it reports afterwards.
            Err(error) if matches!(error.code(), ErrorCode::SFTP(_)) => {
                tracing::debug!(path = self.path, %error, "the server does not flush files on request");
            }
            Err(error) => return Err(self.line.request(&error, "write", self.path)),
        }
        self.remote.close().map_err(|error| self.line.request(&error, "write", self.path))
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
