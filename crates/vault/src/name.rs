use std::fmt;
use std::str::FromStr;

use rosterbridge_domain::settings::ConnectionId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The secrets a profile can hold. The written form (`hero.password`) is what `rosterbridge secrets set`
/// takes and what the keychain entry is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretName {
    /// The plugin's OAuth client secret (PowerSchool: Data Provider Configuration).
    PowerSchoolClientSecret,
    /// A secret of a managed connection.
    Connection(ConnectionId, ConnectionSecret),
    /// Password of the mail server's account.
    SmtpPassword,
    /// Password of the web proxy's account.
    ProxyPassword,
    /// The private key that opens handover files encrypted for this profile (age: `AGE-SECRET-KEY-1…`). Made by the
    /// program, and never shown.
    HandoverIdentity,
}

/// The secrets of a managed connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConnectionSecret {
    /// Password of the account.
    Password,
    /// The account's private key, where the server was given a public key.
    PrivateKey,
    /// Passphrase of the private key.
    KeyPassphrase,
}

impl ConnectionSecret {
    /// All of a connection.
    pub const ALL: [Self; 3] = [Self::Password, Self::PrivateKey, Self::KeyPassphrase];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::PrivateKey => "private-key",
            Self::KeyPassphrase => "key-passphrase",
        }
    }
}

impl SecretName {
    /// Password of a managed connection.
    pub const fn password(id: ConnectionId) -> Self {
        Self::Connection(id, ConnectionSecret::Password)
    }

    /// Private key of a managed connection.
    pub const fn private_key(id: ConnectionId) -> Self {
        Self::Connection(id, ConnectionSecret::PrivateKey)
    }

    /// Passphrase of a managed connection's private key.
    pub const fn key_passphrase(id: ConnectionId) -> Self {
        Self::Connection(id, ConnectionSecret::KeyPassphrase)
    }

    /// Those that belong to no connection.
    const OTHERS: [Self; 4] =
        [Self::PowerSchoolClientSecret, Self::SmtpPassword, Self::ProxyPassword, Self::HandoverIdentity];

    /// Every name of a profile with these connections, in the order in which a person meets them during set-up.
    pub fn of(connections: impl IntoIterator<Item = ConnectionId>) -> Vec<Self> {
        let [powerschool, others @ ..] = Self::OTHERS;
        let of_connections = connections
            .into_iter()
            .flat_map(|id| ConnectionSecret::ALL.map(|secret| Self::Connection(id, secret)));
        std::iter::once(powerschool).chain(of_connections).chain(others).collect()
    }

    /// Every name there can be, whatever connections a profile has or had.
    pub fn possible() -> Vec<Self> {
        Self::of(ConnectionId::possible())
    }
}

/// Stable, part of the command line's contract and of stored entries.
impl fmt::Display for SecretName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PowerSchoolClientSecret => formatter.write_str("powerschool.client-secret"),
            Self::Connection(id, secret) => write!(formatter, "{id}.{}", secret.as_str()),
            Self::SmtpPassword => formatter.write_str("smtp.password"),
            Self::ProxyPassword => formatter.write_str("proxy.password"),
            Self::HandoverIdentity => formatter.write_str("handover.identity"),
        }
    }
}

/// Text that names no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no secret called '{0}'")]
pub struct UnknownSecretName(pub String);

impl UnknownSecretName {
    /// Stable code for people and scripts.
    pub fn code(&self) -> &'static str {
        "vault.unknown_name"
    }

    /// What the person can do about it.
    pub fn remedy(&self) -> String {
        let usual = SecretName::of([ConnectionId::HERO, ConnectionId::RAPTOR]);
        let names: Vec<_> = usual.iter().map(ToString::to_string).collect();
        format!("Use one of: {}; or those of another managed connection, by its id.", names.join(", "))
    }
}

impl FromStr for SecretName {
    type Err = UnknownSecretName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownSecretName(text.to_owned());
        if let Some(name) = Self::OTHERS.into_iter().find(|name| name.to_string() == text) {
            return Ok(name);
        }
        let (id, secret) = text.split_once('.').ok_or_else(unknown)?;
        let id = id.parse().map_err(|_| unknown())?;
        let secret = ConnectionSecret::ALL.into_iter().find(|known| known.as_str() == secret);
        secret.map(|secret| Self::Connection(id, secret)).ok_or_else(unknown)
    }
}

impl Serialize for SecretName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SecretName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
