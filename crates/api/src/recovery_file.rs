//! The recovery file: a profile's key, encrypted with age (<https://age-encryption.org/v1>) for a passphrase. With it a
//! profile opens again whose keychain has lost the key.

use age::scrypt;
use rosterbridge_engine::care::RecoveryKey;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use crate::request::Fault;

/// The version this program writes and the newest it reads.
const VERSION: u32 = 1;

/// Shortest passphrase, in characters.
const SHORTEST_PASSPHRASE: usize = 10;

/// Longest file taken, in bytes: many times what one has.
const LONGEST: usize = 16 * 1024;

/// What is encrypted.
#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    /// The identity under which the keychain holds the key.
    profile: Uuid,
    /// 64 hexadecimal digits.
    profile_key: String,
}

impl Drop for Content {
    fn drop(&mut self) {
        self.profile_key.zeroize();
    }
}

/// Writes a recovery file.
pub(crate) fn write(recovery: &RecoveryKey, passphrase: SecretString) -> Result<String, Fault> {
    if passphrase.expose_secret().chars().count() < SHORTEST_PASSPHRASE {
        return Err(fault(
            "vault.short_passphrase",
            "The passphrase is too short to protect the profile's key.",
            "Use at least 10 characters: several unrelated words are easy to keep on paper.",
        ));
    }
    let content = Content {
        version: VERSION,
        profile: recovery.profile,
        profile_key: recovery.key.expose_secret().to_owned(),
    };
    let plain = Zeroizing::new(serde_json::to_vec(&content).map_err(|_| not_encrypted())?);
    age::encrypt_and_armor(&scrypt::Recipient::new(passphrase), &plain).map_err(|_| not_encrypted())
}

/// Reads a recovery file.
pub(crate) fn read(text: &str, passphrase: SecretString) -> Result<RecoveryKey, Fault> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.len() > LONGEST || !text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----") {
        return Err(unreadable());
    }
    let plain = age::decrypt(&scrypt::Identity::new(passphrase), text.as_bytes()).map_err(|_| {
        fault(
            "vault.wrong_passphrase",
            "The passphrase does not open this recovery file.",
            "Enter the passphrase it was written with. Upper and lower case and spaces count.",
        )
    })?;
    let content: Content = serde_json::from_slice(&Zeroizing::new(plain)).map_err(|_| unreadable())?;
    if content.version > VERSION {
        return Err(unreadable());
    }
    Ok(RecoveryKey { profile: content.profile, key: SecretString::from(content.profile_key.as_str()) })
}

fn not_encrypted() -> Fault {
    fault(
        "vault.not_encrypted",
        "The recovery file could not be encrypted.",
        "Try again; nothing was written.",
    )
}

fn unreadable() -> Fault {
    fault(
        "vault.bad_recovery_file",
        "This is not a recovery file this RosterBridge can read.",
        "Choose the file that 'rosterbridge backup recovery-file' wrote, and update RosterBridge if a newer one wrote it.",
    )
}

fn fault(code: &str, message: &str, remedy: &str) -> Fault {
    Fault { code: code.to_owned(), message: message.to_owned(), remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> RecoveryKey {
        RecoveryKey { profile: Uuid::from_u128(7), key: SecretString::from("ab".repeat(32)) }
    }

    #[test]
    fn a_recovery_file_opens_with_its_passphrase_only() {
        let text = write(&key(), "four words on paper".into()).unwrap();
        assert!(!text.contains("abab"));
        let read_again = read(&text, "four words on paper".into()).unwrap();
        assert_eq!(read_again.profile, key().profile);
        assert_eq!(read_again.key.expose_secret(), key().key.expose_secret());
        assert_eq!(read(&text, "other words on paper".into()).unwrap_err().code, "vault.wrong_passphrase");
    }

    #[test]
    fn what_is_none_is_refused_with_a_code() {
        assert_eq!(write(&key(), "short".into()).unwrap_err().code, "vault.short_passphrase");
        for text in ["", "{}", "-----BEGIN PGP MESSAGE-----"] {
            assert_eq!(read(text, "four words on paper".into()).unwrap_err().code, "vault.bad_recovery_file");
        }
    }
}
