use std::fmt;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{ProfileKey, SecretName, VaultError};

/// First byte of every sealed value, so that a later cipher can be told apart.
const XCHACHA20_POLY1305: u8 = 1;
/// Bytes of the random nonce (XChaCha20: 192 bits, safe to draw at random for every seal).
const NONCE_BYTES: usize = 24;

/// A secret too long for the keychain, encrypted with the profile's key for the ledger to keep.
///
/// Layout: one version byte, 24 bytes of nonce, then XChaCha20-Poly1305 ciphertext with its tag. The profile
/// and the secret's name are authenticated too, so a sealed value can't be moved to another place.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret(Vec<u8>);

impl SealedSecret {
    /// Encrypts `secret` as `name` of `profile`.
    pub fn seal(
        key: &ProfileKey,
        profile: Uuid,
        name: SecretName,
        secret: &SecretString,
    ) -> Result<Self, VaultError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|error| VaultError::NoRandomness(error.to_string()))?;
        let message = secret.expose_secret().as_bytes();
        let ciphertext = XChaCha20Poly1305::new(key.expose().into())
            .encrypt(&XNonce::from(nonce), Payload { msg: message, aad: &bound_to(profile, name) })
            .map_err(|_| VaultError::SealBroken(name))?;
        let mut bytes = Vec::with_capacity(1 + NONCE_BYTES + ciphertext.len());
        bytes.push(XCHACHA20_POLY1305);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&ciphertext);
        Ok(Self(bytes))
    }

    /// Decrypts what [`SealedSecret::seal`] made for the same profile and name.
    pub fn open(
        &self,
        key: &ProfileKey,
        profile: Uuid,
        name: SecretName,
    ) -> Result<SecretString, VaultError> {
        let broken = || VaultError::SealBroken(name);
        let (&version, rest) = self.0.split_first().ok_or_else(broken)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(broken)?;
        if version != XCHACHA20_POLY1305 {
            return Err(broken());
        }
        let plain = XChaCha20Poly1305::new(key.expose().into())
            .decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad: &bound_to(profile, name) })
            .map(Zeroizing::new)
            .map_err(|_| broken())?;
        let text = std::str::from_utf8(&plain).map_err(|_| broken())?;
        Ok(SecretString::from(text))
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes stored bytes back; whether they are whole shows in [`SealedSecret::open`].
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SealedSecret({} bytes)", self.0.len())
    }
}

/// What the seal is bound to besides its key.
fn bound_to(profile: Uuid, name: SecretName) -> Vec<u8> {
    format!("rosterbridge/{profile}/{name}").into_bytes()
}
