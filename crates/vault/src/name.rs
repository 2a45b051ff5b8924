use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The secrets a profile can hold. The written form (`hero.password`) is what `rosterbridge secrets set`
/// takes and what the keychain entry is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretName {
    /// The plugin's OAuth client secret (PowerSchool: Data Provider Configuration).
    PowerSchoolClientSecret,
    /// Password of the Hero SFTP account.
    HeroPassword,
    /// Private key for the Hero SFTP account, where Hero was given a public key instead of a password.
    HeroPrivateKey,
    /// Passphrase of [`SecretName::HeroPrivateKey`].
    HeroKeyPassphrase,
    /// Password of the account that reaches the Raptor exchange folder.
    RaptorPassword,
    /// Password of the mail server's account.
    SmtpPassword,
    /// Password of the web proxy's account.
    ProxyPassword,
    /// The private key that opens handover files encrypted for this profile (age: `AGE-SECRET-KEY-1…`). Made by the
    /// program, and never shown.
    HandoverIdentity,
}

impl SecretName {
    /// Every name, in the order in which a person meets them during set-up.
    pub const ALL: [Self; 8] = [
        Self::PowerSchoolClientSecret,
        Self::HeroPassword,
        Self::HeroPrivateKey,
        Self::HeroKeyPassphrase,
        Self::RaptorPassword,
        Self::SmtpPassword,
        Self::ProxyPassword,
        Self::HandoverIdentity,
    ];

    /// The written form: stable, part of the command line's contract and of stored entries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PowerSchoolClientSecret => "powerschool.client-secret",
            Self::HeroPassword => "hero.password",
            Self::HeroPrivateKey => "hero.private-key",
            Self::HeroKeyPassphrase => "hero.key-passphrase",
            Self::RaptorPassword => "raptor.password",
            Self::SmtpPassword => "smtp.password",
            Self::ProxyPassword => "proxy.password",
            Self::HandoverIdentity => "handover.identity",
        }
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
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
        let names: Vec<_> = SecretName::ALL.iter().map(|name| name.as_str()).collect();
        format!("Use one of: {}.", names.join(", "))
    }
}

impl FromStr for SecretName {
    type Err = UnknownSecretName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| UnknownSecretName(text.to_owned()))
    }
}

impl Serialize for SecretName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for SecretName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
