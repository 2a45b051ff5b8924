use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The public key with which a server proves who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostKey {
    /// SSH's name of the key type, such as `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:` and unpadded base64, exactly as `ssh-keygen -lf` prints it: what a person compares and what
    /// is pinned.
    pub sha256: String,
    /// `MD5:` and colon-separated hexadecimal, for servers whose operators still publish only that. Shown,
    /// never trusted.
    pub md5: String,
    /// The key in SSH's wire form.
    pub blob: Vec<u8>,
}

impl HostKey {
    /// Describes a key given in SSH's wire form (RFC 4253, 6.6): a length-prefixed type name comes first.
    pub(crate) fn from_blob(blob: &[u8]) -> Option<Self> {
        let (length, rest) = blob.split_first_chunk::<4>()?;
        let name = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let md5 = Md5::digest(blob).iter().fold(String::from("MD5"), |mut text, byte| {
            // Writing to a String can't fail.
            let _ = write!(text, ":{byte:02x}");
            text
        });
        Some(Self {
            algorithm: std::str::from_utf8(name).ok()?.to_owned(),
            sha256: format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob))),
            md5,
            blob: blob.to_owned(),
        })
    }

    /// Whether `pin` is this key's SHA256 fingerprint. Base64 padding and surrounding blanks, as they come with
    /// copying, don't matter.
    pub fn matches(&self, pin: &str) -> bool {
        pin.trim().trim_end_matches('=') == self.sha256
    }
}
