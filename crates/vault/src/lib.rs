//! Secrets in the operating system's keychain.
//!
//! A profile keeps in the keychain one random [`ProfileKey`], which opens its databases, and each
//! [`SecretName`] whose value is short enough for the strictest system. A longer one (a private key, as a
//! rule) becomes a [`SealedSecret`]: encrypted with the profile key and kept by the caller. There is no
//! second place to put a secret: where no keychain answers, [`VaultError::NoKeychain`] says what to start.

mod error;
mod key;
mod keychain;
mod name;
mod sealed;

pub use error::VaultError;
pub use key::ProfileKey;
pub use keychain::Vault;
pub use name::{ConnectionSecret, SecretName, UnknownSecretName};
pub use sealed::SealedSecret;

/// Longest value the keychain takes, in UTF-16 units: Windows Credential Manager holds 2,560 bytes of
/// UTF-16 in one entry (`CRED_MAX_CREDENTIAL_BLOB_SIZE`), and the same rule everywhere keeps a profile
/// movable between systems.
pub const LONGEST_KEYCHAIN_VALUE: usize = 1_200;
