//! Managed connections: where an SFTP server is, and as whom it is signed in to. PowerSchool's 'Remote Connection
//! Manager' calls the same thing a remote connection; several can exist, and Hero's accounts and Raptor name the one
//! they use.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Which managed connection. The first two are written `hero` and `raptor`, whatever they are used for: the names of
/// their secrets and of their tests have been these from the beginning. Further ones are `connection-3` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string")]
pub struct ConnectionId(u16);

/// The text names no managed connection.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("there is no managed connection called '{0}'")]
pub struct UnknownConnection(pub String);

impl ConnectionId {
    /// The first one, which a new profile has for Hero.
    pub const HERO: Self = Self(1);
    /// The second one, which holds Raptor's server where an earlier version had it.
    pub const RAPTOR: Self = Self(2);
    /// How many there can be. Whatever a keychain may hold of a profile can be named, also when its settings are lost.
    pub const MOST: u16 = 100;

    /// Every possible one.
    pub fn possible() -> impl Iterator<Item = Self> {
        (1..=Self::MOST).map(Self)
    }

    /// The first one that none of these has; `None` when there are too many.
    pub fn unused(connections: &[ManagedConnection]) -> Option<Self> {
        Self::possible().find(|id| connections.iter().all(|connection| connection.id != *id))
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("hero"),
            2 => f.write_str("raptor"),
            number => write!(f, "connection-{number}"),
        }
    }
}

impl FromStr for ConnectionId {
    type Err = UnknownConnection;

    fn from_str(text: &str) -> Result<Self, UnknownConnection> {
        Self::possible().find(|id| id.to_string() == text).ok_or_else(|| UnknownConnection(text.to_owned()))
    }
}

impl TryFrom<String> for ConnectionId {
    type Error = UnknownConnection;

    fn try_from(text: String) -> Result<Self, UnknownConnection> {
        text.parse()
    }
}

impl From<ConnectionId> for String {
    fn from(id: ConnectionId) -> Self {
        id.to_string()
    }
}

/// One managed connection, with the fields of PowerSchool's Create Connection form. Password, private key and
/// passphrase are in the keychain, under `ID.password`, `ID.private-key` and `ID.key-passphrase`. The protocol is
/// always SFTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ManagedConnection {
    /// Which one.
    pub id: ConnectionId,
    /// 'Name'.
    #[serde(default)]
    pub name: String,
    /// 'Description'.
    #[serde(default)]
    pub description: String,
    /// 'Host', with or without `sftp://`.
    pub host: String,
    /// 'Port'.
    pub port: u16,
    /// 'Username'.
    pub username: String,
    /// How the account proves itself. Without a choice, by the private key where one is kept and else by the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub sign_in: Option<SignInMethod>,
    /// 'Allow Download'.
    #[serde(default = "yes")]
    pub allow_download: bool,
    /// 'Allow Upload'.
    #[serde(default = "yes")]
    pub allow_upload: bool,
    /// Whether ciphers are agreed on that are no longer held to be safe.
    #[serde(default)]
    pub allow_legacy: bool,
    /// How many transfers may be under way at a time, over all jobs.
    #[serde(default)]
    pub transfers_at_once: TransfersAtOnce,
    /// How long one answer of the server may take, in seconds.
    #[serde(default = "a_minute")]
    pub answer_seconds: u32,
    /// How often an idle connection is kept alive, in seconds; 0 for never.
    #[serde(default = "half_a_minute")]
    pub keep_alive_seconds: u32,
}

const fn yes() -> bool {
    true
}

const fn a_minute() -> u32 {
    60
}

const fn half_a_minute() -> u32 {
    30
}

/// How an account proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SignInMethod {
    /// By password, or by keyboard-interactive where the server offers only that.
    Password,
    /// By a private key.
    PrivateKey,
}

/// A number of transfers, 1 to 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(try_from = "u8", into = "u8")]
#[ts(type = "number")]
pub struct TransfersAtOnce(u8);

/// The number can't be one of transfers.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("1 to 8 transfers at a time are possible, not {0}")]
pub struct NoTransfersAtOnce(pub u8);

impl TransfersAtOnce {
    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for TransfersAtOnce {
    fn default() -> Self {
        Self(2)
    }
}

impl TryFrom<u8> for TransfersAtOnce {
    type Error = NoTransfersAtOnce;

    fn try_from(number: u8) -> Result<Self, NoTransfersAtOnce> {
        if (1..=8).contains(&number) { Ok(Self(number)) } else { Err(NoTransfersAtOnce(number)) }
    }
}

impl From<TransfersAtOnce> for u8 {
    fn from(number: TransfersAtOnce) -> Self {
        number.0
    }
}

impl Default for ManagedConnection {
    /// What Hero's procedure has a person enter.
    fn default() -> Self {
        Self {
            id: ConnectionId::HERO,
            name: "Hero SFTP Connection".to_owned(),
            description: String::new(),
            host: "sftp.hero.schoolmint.com".to_owned(),
            port: 2022,
            username: String::new(),
            sign_in: None,
            allow_download: true,
            allow_upload: true,
            allow_legacy: false,
            transfers_at_once: TransfersAtOnce::default(),
            answer_seconds: 60,
            keep_alive_seconds: 30,
        }
    }
}
