//! The server's host keys.

use getrandom::{SysRng, rand_core::UnwrapErr};
use russh::keys::{
    Algorithm, EcdsaCurve, HashAlg, PrivateKey,
    ssh_key::{
        self, LineEnding,
        private::{Ed25519Keypair, RsaKeypair},
    },
};
use serde::{Deserialize, Serialize};

use super::HeroError;

/// What OpenSSH's key tool makes RSA keys with at least.
const RSA_BITS: usize = 2048;

/// A kind of host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostKeyKind {
    /// `ssh-ed25519`.
    Ed25519,
    /// `ecdsa-sha2-nistp256`.
    Ecdsa,
    /// `ssh-rsa` by name, signing with SHA-2; 2048 bits. Takes a second or two to make in a debug build.
    Rsa,
}

impl HostKeyKind {
    /// The kind of a private key in OpenSSH's format, if it is one of these.
    pub fn of(host_key: &str) -> Option<Self> {
        match PrivateKey::from_openssh(host_key).ok()?.algorithm() {
            Algorithm::Ed25519 => Some(Self::Ed25519),
            Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 } => Some(Self::Ecdsa),
            Algorithm::Rsa { .. } => Some(Self::Rsa),
            _ => None,
        }
    }
}

/// What everybody may know of a host key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostKey {
    /// As in the first word of the public key: `ssh-ed25519`, `ecdsa-sha2-nistp256` or `ssh-rsa`.
    pub algorithm: String,
    /// `SHA256:...`, as `ssh-keygen -lf` prints it.
    pub sha256: String,
    /// The public key as a line of a `known_hosts` file has it after the host's name.
    pub public: String,
}

impl HostKey {
    pub(super) fn of(key: &PrivateKey) -> Result<Self, HeroError> {
        let public = key.public_key();
        Ok(Self {
            algorithm: public.algorithm().as_str().to_owned(),
            sha256: public.fingerprint(HashAlg::Sha256).to_string(),
            public: public.to_openssh().map_err(|error| unusable(&error))?,
        })
    }
}

/// Makes a new ed25519 host key, as OpenSSH private key text.
pub fn generate_host_key() -> Result<String, HeroError> {
    generate_host_key_of(HostKeyKind::Ed25519)
}

/// Makes a new host key of a kind, as OpenSSH private key text. Blocking.
pub fn generate_host_key_of(kind: HostKeyKind) -> Result<String, HeroError> {
    let mut seed = [0; 32];
    // Asked first whatever the kind: the generators below cannot report that there is no randomness.
    getrandom::fill(&mut seed).map_err(|error| HeroError::HostKey(error.to_string()))?;
    let mut random = UnwrapErr(SysRng);
    let key = match kind {
        HostKeyKind::Ed25519 => PrivateKey::from(Ed25519Keypair::from_seed(&seed)),
        HostKeyKind::Ecdsa => {
            PrivateKey::random(&mut random, Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 })
                .map_err(|error| unusable(&error))?
        }
        HostKeyKind::Rsa => RsaKeypair::random(&mut random, RSA_BITS)
            .map(PrivateKey::from)
            .map_err(|error| unusable(&error))?,
    };
    let text = key.to_openssh(LineEnding::LF).map_err(|error| unusable(&error))?;
    Ok(text.as_str().to_owned())
}

/// Reads private keys in OpenSSH's format.
pub(super) fn read(host_keys: &[String]) -> Result<Vec<PrivateKey>, HeroError> {
    if host_keys.is_empty() {
        return Err(HeroError::HostKey("there is none".to_owned()));
    }
    host_keys.iter().map(|text| PrivateKey::from_openssh(text).map_err(|error| unusable(&error))).collect()
}

fn unusable(error: &ssh_key::Error) -> HeroError {
    HeroError::HostKey(error.to_string())
}
