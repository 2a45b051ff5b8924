//! A second SFTP channel beside libssh2's own, for what libssh2 can't do: tell which extensions the server offers
//! (draft-ietf-secsh-filexfer-02, section 4), and ask for OpenSSH's `posix-rename` and `statvfs` (OpenSSH's
//! `PROTOCOL`, sections 4.3 and 4.4).
//!
//! One request at a time, each answered before the next. A server may refuse a second channel or offer nothing: then
//! there simply are no extensions.

use std::io::{Read as _, Write as _};
use std::time::Instant;

use serde::Serialize;
use ssh2::ExtendedData;

use crate::Error;
use crate::connection::session_code;
use crate::wire::{Line, code, status};

const POSIX_RENAME: &[u8] = b"posix-rename@openssh.com";
const FSYNC: &[u8] = b"fsync@openssh.com";
const STATVFS: &[u8] = b"statvfs@openssh.com";

/// The protocol's version that libssh2 speaks too.
const VERSION: u32 = 3;
/// Bytes of the longest answer that is taken. Real ones are below a few hundred; what a server claims must not make us
/// set memory aside.
const LONGEST_ANSWER: usize = 64 * 1024;

const DOING: &str = "asking for the server's SFTP extensions";

/// Packet types (SSH_FXP_*).
mod packet {
    pub(super) const INIT: u8 = 1;
    pub(super) const VERSION: u8 = 2;
    pub(super) const STATUS: u8 = 101;
    pub(super) const EXTENDED: u8 = 200;
    pub(super) const EXTENDED_REPLY: u8 = 201;
}

/// What a server can do beyond the protocol's core, as far as it matters to transfers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// A file can take the name of another in one step (`posix-rename@openssh.com`), unless
    /// [`crate::Session::probe`] has shown that this account can't use it.
    pub posix_rename: bool,
    /// Files are flushed to the server's disk on request (`fsync@openssh.com`).
    pub fsync: bool,
    /// The server tells how much room it has (`statvfs@openssh.com`).
    pub statvfs: bool,
    /// Whether the server lets this account rename files; `None` until [`crate::Session::probe`] or an upload has
    /// tried.
    pub renames: Option<bool>,
}

/// Room on the file system of a remote folder, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Space {
    /// What this account can still write.
    pub available: u64,
    /// The whole file system.
    pub total: u64,
}

/// The extensions a server named.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Offered {
    pub(crate) posix_rename: bool,
    pub(crate) fsync: bool,
    pub(crate) statvfs: bool,
}

/// The open second channel.
pub(crate) struct Extensions {
    /// What the server offers, once its greeting was read.
    offered: Option<Offered>,
    /// The server's answers made no sense, or it closed the channel: it is not to be asked again.
    pub(crate) confused: bool,
    ssh: ssh2::Session,
    channel: ssh2::Channel,
    next_id: u32,
}

/// Why there is no answer.
enum Silence {
    /// The server closed the channel.
    Closed,
    /// The connection failed, with libssh2's number.
    Broken(i32),
    /// What came is not the protocol.
    Nonsense,
}

/// An answer to an extended request.
enum Answer {
    Status(i32),
    Reply(Vec<u8>),
}

impl Extensions {
    /// Opens the channel; `None` where the server refuses it.
    pub(crate) fn open(line: &Line, ssh: &ssh2::Session) -> Result<Option<Self>, Error> {
        let declined = |error: &ssh2::Error| match session_code(error) {
            code::CHANNEL_FAILURE
            | code::CHANNEL_REQUEST_DENIED
            | code::CHANNEL_CLOSED
            | code::CHANNEL_EOF_SENT => Ok(None),
            number => Err(line.broken(number, DOING)),
        };
        let mut channel = match ssh.channel_session() {
            Ok(channel) => channel,
            Err(error) => return declined(&error),
        };
        if let Err(error) = channel.subsystem("sftp") {
            return declined(&error);
        }
        // Nobody reads what a server writes to its standard error; kept, it would only take memory.
        if let Err(error) = channel.handle_extended_data(ExtendedData::Ignore) {
            return declined(&error);
        }
        let mut extensions = Self { offered: None, confused: false, ssh: ssh.clone(), channel, next_id: 0 };
        // The answer is read when it is needed: until then it costs no wait.
        match extensions.send(packet::INIT, &VERSION.to_be_bytes()) {
            Ok(()) => Ok(Some(extensions)),
            Err(Silence::Closed | Silence::Nonsense) => Ok(None),
            Err(Silence::Broken(number)) => Err(line.broken(number, DOING)),
        }
    }

    /// What the server offers: nothing, if its greeting makes no sense.
    pub(crate) fn offered(&mut self, line: &Line) -> Result<Offered, Error> {
        if let Some(offered) = self.offered {
            return Ok(offered);
        }
        let offered = match self.greeting(line) {
            Ok(offered) => offered,
            Err(Silence::Closed | Silence::Nonsense) => {
                self.confused = true;
                Offered::default()
            }
            Err(Silence::Broken(number)) => return Err(line.broken(number, DOING)),
        };
        self.offered = Some(offered);
        Ok(offered)
    }

    /// Gives a file the name of another, which it replaces, in one step.
    pub(crate) fn posix_rename(&mut self, line: &Line, from: &str, to: &str) -> Result<(), Error> {
        match self.ask(line, "renaming a file", POSIX_RENAME, &[from, to])? {
            Answer::Status(status::OK) => Ok(()),
            Answer::Status(number) => Err(line.answered(number, "rename", from)),
            Answer::Reply(_) => {
                self.confused = true;
                Err(line.broken(code::CHANNEL_CLOSED, "renaming a file"))
            }
        }
    }

    /// Room on the file system of a folder; `None` where the server does not tell.
    pub(crate) fn space(&mut self, line: &Line, folder: &str) -> Result<Option<Space>, Error> {
        match self.ask(line, "asking for free space", STATVFS, &[folder])? {
            Answer::Status(status::NO_SUCH_FILE) => Err(Error::FolderMissing { folder: folder.to_owned() }),
            Answer::Status(_) => Ok(None),
            Answer::Reply(body) => Ok(space(&body)),
        }
    }

    /// Reads what the server offers.
    fn greeting(&mut self, line: &Line) -> Result<Offered, Silence> {
        let (kind, body) = self.receive(line)?;
        let mut fields = Fields(&body);
        if kind != packet::VERSION || fields.number().is_none() {
            return Err(Silence::Nonsense);
        }
        let mut offered = Offered::default();
        while let (Some(name), Some(_version)) = (fields.text(), fields.text()) {
            match name {
                POSIX_RENAME => offered.posix_rename = true,
                FSYNC => offered.fsync = true,
                STATVFS => offered.statvfs = true,
                _ => {}
            }
        }
        Ok(offered)
    }

    fn ask(
        &mut self,
        line: &Line,
        doing: &'static str,
        name: &[u8],
        arguments: &[&str],
    ) -> Result<Answer, Error> {
        self.exchange(line, name, arguments).map_err(|silence| match silence {
            Silence::Broken(number) => line.broken(number, doing),
            // Nobody knows what became of the request: only a new connection tells.
            Silence::Closed | Silence::Nonsense => {
                self.confused = true;
                line.broken(code::CHANNEL_CLOSED, doing)
            }
        })
    }

    fn exchange(&mut self, line: &Line, name: &[u8], arguments: &[&str]) -> Result<Answer, Silence> {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let mut body = id.to_be_bytes().to_vec();
        for text in std::iter::once(name).chain(arguments.iter().map(|argument| argument.as_bytes())) {
            let length = u32::try_from(text.len()).map_err(|_| Silence::Nonsense)?;
            body.extend_from_slice(&length.to_be_bytes());
            body.extend_from_slice(text);
        }
        self.send(packet::EXTENDED, &body)?;
        let (kind, body) = self.receive(line)?;
        let mut fields = Fields(&body);
        if fields.number() != Some(id) {
            return Err(Silence::Nonsense);
        }
        match kind {
            packet::STATUS => {
                let number = fields.number().ok_or(Silence::Nonsense)?;
                Ok(Answer::Status(i32::try_from(number).unwrap_or(i32::MAX)))
            }
            packet::EXTENDED_REPLY => Ok(Answer::Reply(fields.0.to_vec())),
            _ => Err(Silence::Nonsense),
        }
    }

    fn send(&mut self, kind: u8, body: &[u8]) -> Result<(), Silence> {
        let length = u32::try_from(body.len() + 1).map_err(|_| Silence::Nonsense)?;
        let mut packet = length.to_be_bytes().to_vec();
        packet.push(kind);
        packet.extend_from_slice(body);
        self.channel.write_all(&packet).map_err(|_| self.broken())
    }

    /// The next packet: its type and what follows.
    fn receive(&mut self, line: &Line) -> Result<(u8, Vec<u8>), Silence> {
        let asked = Instant::now();
        let mut length = [0; 4];
        self.read_exact(line, asked, &mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| Silence::Nonsense)?;
        if length > LONGEST_ANSWER {
            return Err(Silence::Nonsense);
        }
        let mut packet = vec![0; length];
        self.read_exact(line, asked, &mut packet)?;
        match packet.split_first() {
            Some((kind, body)) => Ok((*kind, body.to_vec())),
            None => Err(Silence::Nonsense),
        }
    }

    fn read_exact(&mut self, line: &Line, asked: Instant, buffer: &mut [u8]) -> Result<(), Silence> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.channel.read(rest) {
                Ok(0) => return Err(Silence::Closed),
                Ok(count) => filled += count,
                Err(_) => return Err(self.broken()),
            }
            // libssh2 only limits the wait for the next byte.
            if asked.elapsed() > line.answer_within {
                return Err(Silence::Broken(code::TIMEOUT));
            }
        }
        Ok(())
    }

    /// What libssh2 says of its last failure, which `std::io` has dropped.
    fn broken(&self) -> Silence {
        let number = ssh2::Error::last_session_error(&self.ssh).map(|error| session_code(&error));
        match number {
            Some(code::CHANNEL_CLOSED | code::CHANNEL_EOF_SENT) => Silence::Closed,
            Some(number) => Silence::Broken(number),
            None => Silence::Broken(code::SFTP_PROTOCOL),
        }
    }
}

/// Reads an answer to `statvfs`: eleven numbers of 64 bits, of which block size, blocks and blocks available count.
fn space(body: &[u8]) -> Option<Space> {
    let mut fields = Fields(body);
    let (_, block, blocks) = (fields.long()?, fields.long()?, fields.long()?);
    let (_, available) = (fields.long()?, fields.long()?);
    Some(Space { available: available.saturating_mul(block), total: blocks.saturating_mul(block) })
}

/// What is left to read of a packet.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    fn long(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*number))
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }
}
