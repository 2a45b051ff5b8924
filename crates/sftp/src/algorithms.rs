//! Which SSH algorithms may be agreed on, and which of them a server offers.
//!
//! libssh2's own lists may change with its version, and hold ciphers that are no longer good enough. So every list
//! is said here. RFC 4253, 7.1 has the message a server offers its lists in, the exchange of `KEXINIT`.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;
use ssh2::MethodType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::Connection;
use crate::connection::dial;

/// Ways of agreeing on a key, the preferred one first.
pub const KEY_EXCHANGES: [&str; 12] = [
    "mlkem768x25519-sha256",
    "mlkem768nistp256-sha256",
    "mlkem1024nistp384-sha384",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group14-sha256",
];

/// Types of host key, in the order they are asked for: with another order, a server with several keys would show
/// another one than the one that was accepted. The last two are both made with an `ssh-rsa` key.
pub const HOST_KEYS: [&str; 6] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// Ciphers, the preferred one first.
pub const CIPHERS: [&str; 6] = [
    "aes256-gcm@openssh.com",
    "aes128-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
];

/// Message authentication, the preferred one first.
pub const MACS: [&str; 4] =
    ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512"];

/// What one algorithm is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Agreeing on the connection's key.
    KeyExchange,
    /// The server's proof of who it is.
    HostKey,
    /// Keeping what is sent unreadable.
    Cipher,
    /// Showing what was altered on the way.
    Mac,
}

impl Kind {
    /// As it reads in a sentence: several algorithms of this kind.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::KeyExchange => "key exchanges",
            Self::HostKey => "types of host key",
            Self::Cipher => "ciphers",
            Self::Mac => "message authentication codes",
        }
    }
}

/// An algorithm that is agreed on only where [`Connection::allow_legacy`] says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Legacy {
    /// What it is for.
    pub kind: Kind,
    /// SSH's name of it.
    pub name: &'static str,
    /// What it weakens, for the person who decides.
    pub weakens: &'static str,
}

const CBC: &str = "Ciphers in CBC mode: someone who can alter what is on the line may learn parts of it.";

/// Everything that [`Connection::allow_legacy`] adds, behind all others in preference.
///
/// The library is built without key exchanges, host keys and message authentication that rest on SHA-1 or MD5, and
/// without 3DES, Blowfish and RC4: no setting adds these.
pub static LEGACY: [Legacy; 4] = [
    Legacy { kind: Kind::Cipher, name: "aes256-cbc", weakens: CBC },
    Legacy { kind: Kind::Cipher, name: "rijndael-cbc@lysator.liu.se", weakens: CBC },
    Legacy { kind: Kind::Cipher, name: "aes192-cbc", weakens: CBC },
    Legacy { kind: Kind::Cipher, name: "aes128-cbc", weakens: CBC },
];

/// The ciphers that may be agreed on.
pub(crate) fn ciphers(allow_legacy: bool) -> Vec<&'static str> {
    let legacy = LEGACY.iter().filter(|legacy| allow_legacy && legacy.kind == Kind::Cipher);
    CIPHERS.into_iter().chain(legacy.map(|legacy| legacy.name)).collect()
}

/// The types of host key to ask for so that one of these is shown: every type where none is given.
pub(crate) fn host_keys_of<'a>(types: impl Iterator<Item = &'a str>) -> Vec<&'static str> {
    let types: Vec<_> = types.collect();
    let asked: Vec<_> = HOST_KEYS.into_iter().filter(|name| types.contains(&key_type(name))).collect();
    if asked.is_empty() { HOST_KEYS.to_vec() } else { asked }
}

/// The type of key an algorithm of [`HOST_KEYS`] is made with.
pub(crate) fn key_type(host_key_algorithm: &str) -> &str {
    if host_key_algorithm.starts_with("rsa-sha2-") { "ssh-rsa" } else { host_key_algorithm }
}

/// What a session has agreed on.
#[derive(Debug, Clone)]
pub(crate) struct Agreed {
    banner: String,
    key_exchange: String,
    host_key: String,
    ciphers: [String; 2],
    macs: [String; 2],
}

impl Agreed {
    pub(crate) fn of(ssh: &ssh2::Session) -> Self {
        let method = |kind| ssh.methods(kind).map(printable).unwrap_or_default();
        Self {
            banner: ssh
                .banner_bytes()
                .map(|banner| printable(&String::from_utf8_lossy(banner)))
                .unwrap_or_default(),
            key_exchange: method(MethodType::Kex),
            host_key: method(MethodType::HostKey),
            ciphers: [method(MethodType::CryptCs), method(MethodType::CryptSc)],
            macs: [method(MethodType::MacCs), method(MethodType::MacSc)],
        }
    }

    /// The weakest of [`LEGACY`] that is in use.
    pub(crate) fn legacy(&self) -> Option<&'static Legacy> {
        LEGACY.iter().rev().find(|legacy| self.ciphers.iter().any(|name| name == legacy.name))
    }
}

impl fmt::Display for Agreed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { banner, key_exchange, host_key, ciphers, macs } = self;
        write!(formatter, "{banner}, key exchange {key_exchange}, host key {host_key}, cipher ")?;
        either_way(formatter, ciphers)?;
        if !ciphers.iter().all(|cipher| authenticates(cipher)) {
            formatter.write_str(", MAC ")?;
            either_way(formatter, macs)?;
        }
        Ok(())
    }
}

/// One name where both directions use the same.
fn either_way(formatter: &mut fmt::Formatter<'_>, [sent, received]: &[String; 2]) -> fmt::Result {
    formatter.write_str(sent)?;
    if sent != received {
        write!(formatter, " and {received}")?;
    }
    Ok(())
}

/// Whether a cipher shows alterations by itself, so that no MAC is agreed on.
fn authenticates(cipher: &str) -> bool {
    cipher.contains("-gcm@") || cipher.starts_with("chacha20-poly1305@")
}

/// Longest name and text of a server that is kept or shown.
const LONGEST_NAME: usize = 100;

/// What a server says of itself, without anything that could disturb a terminal or a log.
pub(crate) fn printable(text: &str) -> String {
    text.trim_end().chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()
}

/// Why nothing could be agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What there is no common algorithm for.
    pub kind: Kind,
    /// What the server accepts, in its order, cut short where it is long.
    pub offered: Vec<String>,
    /// Whether [`Connection::allow_legacy`] would help.
    pub legacy_helps: bool,
}

/// The lists of algorithms a server has sent before anything was agreed on.
#[derive(Debug)]
pub(crate) struct Offer {
    key_exchanges: Vec<String>,
    pub(crate) host_keys: Vec<String>,
    /// To the server and from it.
    ciphers: [Vec<String>; 2],
    macs: [Vec<String>; 2],
}

/// RFC 4253, 6.1: no packet needs to be longer than this before anything is agreed on.
const LARGEST_PACKET: usize = 35_000;
/// Lines and bytes of a line a server may say before its version (RFC 4253, 4.2).
const MOST_LINES: usize = 50;
const LONGEST_LINE: usize = 1024;
const SSH_MSG_KEXINIT: u8 = 20;
/// Names of one list that are kept.
const MOST_NAMES: usize = 100;

impl Offer {
    /// Asks a server for its lists over a connection of its own, which then ends. Nothing is sent but SSH's greeting.
    pub(crate) async fn ask(
        connection: &Connection,
        addresses: &[SocketAddr],
        cancel: &CancellationToken,
    ) -> Option<Self> {
        let socket = dial(connection, addresses, cancel).await.ok()?;
        let patience: Duration = connection.timeouts.answer;
        tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            offer = tokio::time::timeout(patience, Self::read_from(socket)) => offer.ok()?,
        }
    }

    async fn read_from(socket: std::net::TcpStream) -> Option<Self> {
        socket.set_nonblocking(true).ok()?;
        let mut socket = tokio::net::TcpStream::from_std(socket).ok()?;
        socket.write_all(b"SSH-2.0-RosterBridge\r\n").await.ok()?;
        let mut reader = tokio::io::BufReader::new(socket);
        for _ in 0..MOST_LINES {
            let mut line = Vec::new();
            while line.last() != Some(&b'\n') {
                if line.len() == LONGEST_LINE {
                    return None;
                }
                line.push(reader.read_u8().await.ok()?);
            }
            if line.starts_with(b"SSH-") {
                let length = usize::try_from(reader.read_u32().await.ok()?).ok()?;
                if length > LARGEST_PACKET {
                    return None;
                }
                let mut packet = vec![0; length];
                reader.read_exact(&mut packet).await.ok()?;
                return Self::parse(&packet);
            }
        }
        None
    }

    /// Reads an unencrypted packet without its length: the length of its padding, the message, the padding.
    fn parse(packet: &[u8]) -> Option<Self> {
        let (padding, rest) = packet.split_first()?;
        let message = rest.get(..rest.len().checked_sub(usize::from(*padding))?)?;
        let (SSH_MSG_KEXINIT, rest) = message.split_first().map(|(kind, rest)| (*kind, rest))? else {
            return None;
        };
        // A cookie of 16 random bytes, then the lists.
        let mut rest = rest.get(16..)?;
        let mut next = || -> Option<Vec<String>> {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let (names, after) =
                after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
            rest = after;
            let names = String::from_utf8_lossy(names);
            Some(names.split(',').take(MOST_NAMES).map(printable).filter(|name| !name.is_empty()).collect())
        };
        Some(Self {
            key_exchanges: next()?,
            host_keys: next()?,
            ciphers: [next()?, next()?],
            macs: [next()?, next()?],
        })
    }

    /// The first kind of algorithm that the two sides have nothing in common for, in the order SSH agrees on them.
    pub(crate) fn mismatch(&self, allow_legacy: bool) -> Option<Mismatch> {
        let none =
            |offered: &[String], ours: &[&str]| !offered.iter().any(|name| ours.contains(&name.as_str()));
        let mismatch = |kind, offered: &[String], legacy_helps| {
            Some(Mismatch { kind, offered: offered.to_vec(), legacy_helps })
        };
        if none(&self.key_exchanges, &KEY_EXCHANGES) {
            return mismatch(Kind::KeyExchange, &self.key_exchanges, false);
        }
        if none(&self.host_keys, &HOST_KEYS) {
            return mismatch(Kind::HostKey, &self.host_keys, false);
        }
        let ciphers = ciphers(allow_legacy);
        for offered in &self.ciphers {
            if none(offered, &ciphers) {
                let helps = !none(offered, &LEGACY.map(|legacy| legacy.name));
                return mismatch(Kind::Cipher, offered, helps);
            }
        }
        for (offered, macs) in self.ciphers.iter().zip(&self.macs) {
            let agreed = ciphers.iter().find(|cipher| offered.iter().any(|name| name == *cipher));
            if !agreed.is_some_and(|cipher| authenticates(cipher)) && none(macs, &MACS) {
                return mismatch(Kind::Mac, macs, false);
            }
        }
        None
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// As many names as a sentence can take.
        const SHOWN: usize = 12;
        write!(formatter, "the server accepts no other {} than ", self.kind.plural())?;
        let shown: Vec<_> = self.offered.iter().take(SHOWN).map(String::as_str).collect();
        formatter.write_str(&shown.join(", "))?;
        if self.offered.len() > SHOWN { formatter.write_str(" and others like them") } else { Ok(()) }
    }
}
