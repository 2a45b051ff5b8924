use std::time::Duration;

use crate::{LONGEST_KEYCHAIN_VALUE, SecretName};

/// Why a secret could not be kept or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// Nothing answers as a keychain, or the answering service has no collection to keep secrets in.
    #[error("no keychain answers on this computer")]
    NoKeychain {
        /// The system's own words, for the support bundle.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The keychain is there but locked, and nobody unlocked it.
    #[error("the keychain is locked")]
    Locked,
    /// The system refused access: a person said no, or this account may not use the keychain.
    #[error("the operating system refused access to the keychain")]
    Denied {
        /// The system's own words, for the support bundle.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The keychain did not answer in time; often its window is waiting for a password.
    #[error("the keychain did not answer within {} seconds", .0.as_secs())]
    Timeout(Duration),
    /// The value is longer than every system's keychain can take: seal it instead.
    #[error(
        "{name} has {length} characters, and a keychain entry holds at most {limit}",
        limit = LONGEST_KEYCHAIN_VALUE
    )]
    TooLong {
        /// Which secret.
        name: SecretName,
        /// Its length in UTF-16 units.
        length: usize,
    },
    /// An empty value was offered; removing a secret is `delete`.
    #[error("{0} is empty")]
    Empty(SecretName),
    /// The keychain took a value and then returned something else.
    #[error("the keychain did not keep what it was given ({entry})")]
    NotKept {
        /// The entry's name within the profile.
        entry: String,
    },
    /// The keychain holds several entries where there must be one.
    #[error("the keychain holds more than one entry called '{entry}'")]
    Ambiguous {
        /// The full entry name.
        entry: String,
    },
    /// The profile's key is not in the keychain. It is never made anew for a profile that has data.
    #[error("the key of this profile is not in the keychain")]
    KeyMissing,
    /// The keychain's entry for the profile's key is not a key.
    #[error("the keychain's entry for the key of this profile is damaged")]
    KeyDamaged,
    /// A sealed secret can't be opened: other key, other profile, other name, or altered bytes.
    #[error("the sealed value of {0} can't be opened with this profile's key")]
    SealBroken(SecretName),
    /// The operating system has no random numbers to give.
    #[error("the operating system gave no random numbers ({0})")]
    NoRandomness(String),
    /// Any other failure of the keychain.
    #[error("the keychain failed")]
    Failed {
        /// The system's own words, for the support bundle.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl VaultError {
    /// Stable code for people and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoKeychain { .. } => "vault.no_keychain",
            Self::Locked => "vault.locked",
            Self::Denied { .. } => "vault.denied",
            Self::Timeout(_) => "vault.timeout",
            Self::TooLong { .. } => "vault.too_long",
            Self::Empty(_) => "vault.empty",
            Self::NotKept { .. } => "vault.not_kept",
            Self::Ambiguous { .. } => "vault.ambiguous",
            Self::KeyMissing => "vault.key_missing",
            Self::KeyDamaged => "vault.key_damaged",
            Self::SealBroken(_) => "vault.seal_broken",
            Self::NoRandomness(_) => "vault.no_randomness",
            Self::Failed { .. } => "vault.failed",
        }
    }

    /// What the person can do about it, in the words of their operating system.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoKeychain { .. } if cfg!(target_os = "linux") => {
                "Start a Secret Service in this login session, for example gnome-keyring (package \
                 gnome-keyring) or KWallet with its Secret Service switched on, then try again. Without a \
                 desktop: run the program inside `dbus-run-session` with `gnome-keyring-daemon --unlock \
                 --components=secrets` started first."
            }
            Self::NoKeychain { .. } if cfg!(target_os = "macos") => {
                "Open Keychain Access, check that a default (login) keychain exists, then try again."
            }
            Self::NoKeychain { .. } => {
                "Start the Windows service 'Credential Manager' (VaultSvc) and sign in to this account once, \
                 then try again."
            }
            Self::Locked if cfg!(target_os = "linux") => {
                "Unlock the keyring (for example in 'Passwords and Keys', or by signing in with your \
                 password instead of automatically), then try again."
            }
            Self::Locked => "Unlock the keychain, then try again.",
            Self::Denied { .. } => {
                "Allow RosterBridge to use the keychain when the system asks, or run it under the account that \
                 set this district up."
            }
            Self::Timeout(_) => {
                "Look for a window that asks for the keychain's password, answer it, then try again."
            }
            Self::TooLong { .. } => {
                "Store it through RosterBridge's own settings, which encrypt long values with the profile's key."
            }
            Self::Empty(_) => "Enter a value; to remove a stored one, delete it.",
            Self::NotKept { .. } => {
                "Check that the keychain is not read-only and not being synchronized by another program, then \
                 set the value again."
            }
            Self::Ambiguous { .. } => {
                "Open the system's keychain program, delete the entries of that name and set the value again."
            }
            Self::KeyMissing => {
                "Sign in with the account that set this district up. If its keychain has lost the key, put it back from \
                 the recovery file with 'rosterbridge backup recover FILE'. Without one, move the profile's folder away \
                 and set the district up again, from a setup file if you exported one."
            }
            Self::KeyDamaged => {
                "Put the key back from the recovery file with 'rosterbridge backup recover FILE'. Without one, move the \
                 profile's folder away and set the district up again, from a setup file if you exported one."
            }
            Self::SealBroken(_) => "Set this value again.",
            Self::NoRandomness(_) => "Restart the computer, then try again.",
            Self::Failed { .. } => {
                "Check that the system's keychain program opens and can store a password, then try again."
            }
        }
    }
}
