//! Managed connections: host keys accepted and replaced, keys to sign in with, and whose jobs are whose.

use chrono::{DateTime, Utc};
use rosterbridge_domain::{
    job::JobId,
    settings::{ConnectionId, Owner},
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::AcceptedHostKey;

/// An accepted host key that a person replaced, because the server has another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReplacedHostKey {
    /// The key that counted until then.
    pub old: AcceptedHostKey,
    /// The one in its place: accepted when the old one was replaced, by whoever replaced it.
    pub new: AcceptedHostKey,
}

/// The host keys of a managed connection's server: those that count, and those that did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HostKeyHistory {
    /// The connection.
    pub connection: ConnectionId,
    /// Its server. Keys belong to host and port, so connections to the same server share them.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The accepted keys, by type.
    pub accepted: Vec<AcceptedHostKey>,
    /// The replaced ones, latest first.
    pub replaced: Vec<ReplacedHostKey>,
}

/// What a `known_hosts` file says of a managed connection's server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct KnownHostsView {
    /// The server that was looked for.
    pub host: String,
    /// The port. A name without a port stands for port 22 in such a file; others are written `[host]:port`.
    pub port: u16,
    /// The lines about it, in the file's order.
    pub keys: Vec<KnownHostView>,
    /// Lines that could not be read, whichever server they are about.
    pub problems: Vec<UnreadableLine>,
}

/// A line of a `known_hosts` file that is about the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct KnownHostView {
    /// Its number in the file, from 1.
    pub line: u32,
    /// The type of key, e.g. `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…` as `ssh-keygen -lf` prints it.
    pub sha256: String,
    /// The MD5 fingerprint, for old documents.
    pub md5: String,
    /// Whether the server's name is hashed in the file.
    pub hashed: bool,
    /// What else the line says of the key.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker: Option<HostKeyMarker>,
    /// What can be done with it.
    pub standing: KnownHostStanding,
}

/// A mark in front of a line of a `known_hosts` file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum HostKeyMarker {
    /// `@cert-authority`: the key signs other keys, and is none of the server's.
    CertAuthority,
    /// `@revoked`: the key must never be accepted.
    Revoked,
}

/// How a key in a `known_hosts` file stands to the accepted ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum KnownHostStanding {
    /// It can be accepted: none of its type is yet.
    New,
    /// It is accepted already. With the mark `@revoked` that is a warning: whoever made the file says that it must not
    /// be.
    Accepted,
    /// Another key of its type is accepted. A file never replaces that one.
    Differs,
    /// It is of no use: it is marked, or stands behind another one of its type.
    NotUsed,
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct UnreadableLine {
    /// Its number in the file, from 1.
    pub line: u32,
    /// What is wrong with it, to follow the word 'because'.
    pub reason: String,
}

/// What a private key is. Nothing of the key itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct KeyView {
    /// The type of key, e.g. `ssh-ed25519`.
    pub algorithm: String,
    /// Its length in bits, as `ssh-keygen -lf` prints it.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<u32>,
    /// Its comment; empty for none.
    pub comment: String,
    /// The fingerprint of its public key: `SHA256:…`.
    pub sha256: String,
    /// Whether a passphrase protects it.
    pub encrypted: bool,
}

/// The public key a managed connection signs in with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PublicKeyView {
    /// The connection.
    pub connection: ConnectionId,
    /// The line for the server's operator, as `authorized_keys` takes it: type, key and comment.
    pub line: String,
    /// What the key is.
    pub key: KeyView,
}

/// An algorithm that only 'Allow legacy ciphers' adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LegacyAlgorithm {
    /// SSH's name of it, e.g. `aes256-cbc`.
    pub name: String,
    /// What it is for, in the plural: 'ciphers'.
    pub kind: String,
    /// What it weakens, in a sentence.
    pub weakens: String,
}

/// That a job for Hero has another owner now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct OwnerChange {
    /// The job.
    pub job: JobId,
    /// Who carries it out from now on.
    pub owner: Owner,
    /// The AutoSend or AutoComm record, as it is called in PowerSchool; empty where nobody named it.
    pub record: String,
    /// When that was confirmed.
    #[ts(type = "string")]
    pub at: DateTime<Utc>,
    /// The operating system account it was confirmed under.
    pub by: String,
    /// What has to be so in PowerSchool, in sentences.
    pub in_powerschool: String,
    /// What a person should look at before the job runs, in sentences.
    pub warnings: Vec<String>,
}
