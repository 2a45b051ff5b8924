//! Host keys from OpenSSH's `known_hosts` file, in the format sshd(8) describes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use russh::keys::PublicKey;
use serde::Serialize;
use sha1::Sha1;

use crate::algorithms::{HOST_KEYS, key_type};
use crate::{HostKey, Pin};

/// What a file says of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KnownHosts {
    /// The lines that are about the server.
    pub found: Vec<Found>,
    /// The lines that could not be read, whichever server they are about.
    pub problems: Vec<LineProblem>,
}

/// A line that is about the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Its number in the file, from 1.
    pub line: usize,
    /// The key.
    pub key: HostKey,
    /// Whether the server's name is hashed in the file.
    pub hashed: bool,
    /// What else the line says of the key.
    pub marker: Option<Marker>,
}

/// A mark in front of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Marker {
    /// `@cert-authority`: the key signs other keys. Such a key is not one of the server's, and is not used.
    CertAuthority,
    /// `@revoked`: the key must never be accepted.
    Revoked,
}

/// A line that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LineProblem {
    /// Its number in the file, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl KnownHosts {
    /// The keys to accept for the server, one of each type: the first, as OpenSSH takes them. No revoked key is one.
    pub fn pins(&self) -> Vec<Pin> {
        let mut pins: Vec<Pin> = Vec::new();
        for found in self.found.iter().filter(|found| found.marker.is_none()) {
            let known = pins.iter().any(|pin| pin.algorithm == found.key.algorithm);
            if !known && !self.revokes(&found.key) {
                pins.push(Pin::from(&found.key));
            }
        }
        pins
    }

    /// Whether the file says that the server's key must not be accepted.
    pub fn revokes(&self, key: &HostKey) -> bool {
        self.found.iter().any(|found| found.marker == Some(Marker::Revoked) && found.key.blob == key.blob)
    }
}

/// Finds what a file says of the server at `host` and `port`. A name without a port stands for port 22.
pub fn read(text: &str, host: &str, port: u16) -> KnownHosts {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let name = if port == 22 { host } else { format!("[{host}]:{port}") };
    let mut known = KnownHosts::default();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = number + 1;
        match Line::parse(line) {
            Err(reason) => known.problems.push(LineProblem { line: number, reason }),
            Ok(line) if line.is_about(&name) => known.found.push(Found {
                line: number,
                key: line.key,
                hashed: matches!(line.hosts, Hosts::Hashed { .. }),
                marker: line.marker,
            }),
            Ok(_) => {}
        }
    }
    known
}

struct Line<'a> {
    marker: Option<Marker>,
    hosts: Hosts<'a>,
    key: HostKey,
}

enum Hosts<'a> {
    /// Separated by commas, each perhaps with wildcards or a `!` in front.
    Patterns(&'a str),
    /// One name, as its HMAC-SHA1 under a salt.
    Hashed { salt: Vec<u8>, hash: Vec<u8> },
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Result<Self, &'static str> {
        let mut fields = line.split([' ', '\t']).filter(|field| !field.is_empty());
        let mut next = || fields.next().ok_or("it is not complete");
        let mut hosts = next()?;
        let marker = match hosts {
            "@cert-authority" => Some(Marker::CertAuthority),
            "@revoked" => Some(Marker::Revoked),
            other if other.starts_with('@') => return Err("its mark is unknown"),
            _ => None,
        };
        if marker.is_some() {
            hosts = next()?;
        }
        let hosts = Hosts::parse(hosts).ok_or("the server's name in it is damaged")?;
        let kind = next()?;
        if kind.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("its key is for SSH 1");
        }
        if !HOST_KEYS.into_iter().any(|name| key_type(name) == kind) {
            return Err("keys of its type can't be used");
        }
        let key = STANDARD.decode(next()?).ok().and_then(|blob| HostKey::from_blob(&blob));
        let key = key.filter(|key| key.algorithm == kind).ok_or("its key is damaged")?;
        PublicKey::from_bytes(&key.blob).map_err(|_| "its key is damaged")?;
        Ok(Self { marker, hosts, key })
    }

    fn is_about(&self, name: &str) -> bool {
        match &self.hosts {
            Hosts::Patterns(patterns) => {
                let mut found = false;
                for pattern in patterns.split(',') {
                    match pattern.strip_prefix('!') {
                        // One that is excluded is not found, whatever else the line says.
                        Some(excluded) if matches(excluded, name) => return false,
                        Some(_) => {}
                        None => found |= matches(pattern, name),
                    }
                }
                found
            }
            Hosts::Hashed { salt, hash } => Hmac::<Sha1>::new_from_slice(salt)
                .is_ok_and(|mac| mac.chain_update(name).verify_slice(hash).is_ok()),
        }
    }
}

impl<'a> Hosts<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let Some(hashed) = text.strip_prefix('|') else { return Some(Self::Patterns(text)) };
        let (salt, hash) = hashed.strip_prefix("1|")?.split_once('|')?;
        let (salt, hash) = (STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?);
        // Both are as long as a SHA1.
        (salt.len() == 20 && hash.len() == 20).then_some(Self::Hashed { salt, hash })
    }
}

/// Whether a pattern with `*` (any text) and `?` (any character) covers a name in lower case.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase().into_bytes(), name.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // Where to go on if what follows the last `*` does not fit: behind it, one more character of the name taken by it.
    let mut retry = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                retry = Some((at, seen));
            }
            Some(expected) if *expected == b'?' || Some(expected) == name.get(seen) => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((behind, taken)) = retry else { return false };
                (at, seen) = (behind, taken + 1);
                retry = Some((at, seen));
            }
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}
