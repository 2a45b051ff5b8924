use zeroize::Zeroizing;

use crate::VaultError;

/// The random 256-bit key of one profile: opens its databases and seals its long secrets.
///
/// It has no `Debug`, so it can't slip into a log line, and its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct ProfileKey(Zeroizing<[u8; Self::BYTES]>);

impl ProfileKey {
    /// Length in bytes.
    pub const BYTES: usize = 32;

    /// A new key from the operating system's random source.
    pub fn generate() -> Result<Self, VaultError> {
        let mut bytes = Zeroizing::new([0; Self::BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|error| VaultError::NoRandomness(error.to_string()))?;
        Ok(Self(bytes))
    }

    /// A key that is already known: from a recovery file, or in a test.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key itself, for the database and for sealing.
    pub fn expose(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// 64 lower-case hexadecimal digits, the form in which the keychain and SQLCipher's raw key take it.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    /// Reads what [`ProfileKey::to_hex`] wrote.
    pub fn from_hex(text: &str) -> Result<Self, VaultError> {
        let mut bytes = Zeroizing::new([0; Self::BYTES]);
        hex::decode_to_slice(text, bytes.as_mut_slice()).map_err(|_| VaultError::KeyDamaged)?;
        Ok(Self(bytes))
    }
}
