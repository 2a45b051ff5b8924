//! The setup file: everything configured for a district as versioned JSON, with its secrets only inside an
//! age-encrypted file.

use std::collections::BTreeMap;

use age::scrypt;
use rosterbridge_domain::settings::{SETUP_VERSION, Setup};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::request::Fault;

/// First line of an armoured age file.
const AGE_ARMOUR: &str = "-----BEGIN AGE ENCRYPTED FILE-----";

/// A setup file's content.
#[derive(Serialize, Deserialize)]
struct SetupFile {
    #[serde(flatten)]
    setup: Setup,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    secrets: BTreeMap<String, String>,
}

impl Drop for SetupFile {
    fn drop(&mut self) {
        for value in self.secrets.values_mut() {
            zeroize::Zeroize::zeroize(value);
        }
    }
}

/// Writes a setup file. With a passphrase it holds the secrets too and is encrypted.
pub(crate) fn write(
    setup: &Setup,
    secrets: &[(String, SecretString)],
    passphrase: Option<SecretString>,
) -> Result<String, Fault> {
    let mut file = SetupFile { setup: setup.clone(), secrets: BTreeMap::new() };
    let Some(passphrase) = passphrase else { return to_json(&file) };
    if passphrase.expose_secret().chars().count() < 10 {
        return Err(Fault {
            code: "setup.short_passphrase".to_owned(),
            message: "The passphrase is too short to protect the secrets in this file.".to_owned(),
            remedy: "Use at least 10 characters: several unrelated words are easy to say on the phone."
                .to_owned(),
        });
    }
    file.secrets =
        secrets.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect();
    let mut text = to_json(&file)?;
    let sealed = age::encrypt_and_armor(&scrypt::Recipient::new(passphrase), text.as_bytes());
    zeroize::Zeroize::zeroize(&mut text);
    sealed.map_err(|error| Fault {
        code: "setup.not_encrypted".to_owned(),
        message: format!("The setup file could not be encrypted: {error}."),
        remedy: "Try again; nothing was written.".to_owned(),
    })
}

fn to_json(file: &SetupFile) -> Result<String, Fault> {
    serde_json::to_string_pretty(file).map(|text| text + "\n").map_err(|error| unreadable(&error.to_string()))
}

/// Reads a setup file: the set-up, and the secrets by name.
pub(crate) fn read(
    text: &str,
    passphrase: Option<SecretString>,
) -> Result<(Setup, Vec<(String, SecretString)>), Fault> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let mut file: SetupFile = if text.starts_with(AGE_ARMOUR) {
        let Some(passphrase) = passphrase else {
            return Err(Fault {
                code: "setup.passphrase_needed".to_owned(),
                message: "This setup file is encrypted.".to_owned(),
                remedy: "Enter the passphrase it was written with.".to_owned(),
            });
        };
        let plain = age::decrypt(&scrypt::Identity::new(passphrase), text.as_bytes()).map_err(|_| Fault {
            code: "setup.wrong_passphrase".to_owned(),
            message: "The setup file could not be decrypted.".to_owned(),
            remedy: "Check the passphrase, and that the file arrived whole.".to_owned(),
        })?;
        let plain = zeroize::Zeroizing::new(plain);
        serde_json::from_slice(&plain).map_err(|error| unreadable(&error.to_string()))?
    } else {
        let plain: SetupFile = serde_json::from_str(text).map_err(|error| unreadable(&error.to_string()))?;
        if !plain.secrets.is_empty() {
            return Err(Fault {
                code: "setup.plain_secrets".to_owned(),
                message: "This setup file holds secrets that anybody can read.".to_owned(),
                remedy: "Change those secrets, delete the file, and export it again with a passphrase."
                    .to_owned(),
            });
        }
        plain
    };
    if file.setup.version > SETUP_VERSION {
        return Err(Fault {
            code: "setup.newer_version".to_owned(),
            message: format!(
                "This setup file has version {}, and this program reads up to {SETUP_VERSION}.",
                file.setup.version
            ),
            remedy: "Update RosterBridge, or export the file again with this version.".to_owned(),
        });
    }
    let secrets = std::mem::take(&mut file.secrets)
        .into_iter()
        .map(|(name, value)| (name, SecretString::from(value)))
        .collect();
    Ok((file.setup.clone(), secrets))
}

fn unreadable(why: &str) -> Fault {
    Fault {
        code: "setup.unreadable".to_owned(),
        message: format!("This is not a setup file RosterBridge can read: {why}."),
        remedy: "Export it again from the RosterBridge it comes from.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Vec<(String, SecretString)> {
        vec![("hero.password".to_owned(), SecretString::from("tulip-9 under glass"))]
    }

    #[test]
    fn a_plain_file_never_holds_secrets() {
        let text = write(&Setup::default(), &secret(), None).unwrap();
        assert!(!text.contains("tulip-9"));
        let (setup, secrets) = read(&text, None).unwrap();
        assert_eq!(setup, Setup::default());
        assert!(secrets.is_empty());
    }

    #[test]
    fn an_encrypted_file_gives_its_secrets_for_its_passphrase_only() {
        let text = write(&Setup::default(), &secret(), Some("four words for phone".into())).unwrap();
        assert!(!text.contains("tulip-9"));
        let (_, secrets) = read(&text, Some("four words for phone".into())).unwrap();
        assert_eq!(secrets[0].1.expose_secret(), "tulip-9 under glass");
        assert_eq!(
            read(&text, Some("another passphrase".into())).unwrap_err().code,
            "setup.wrong_passphrase"
        );
        assert_eq!(read(&text, None).unwrap_err().code, "setup.passphrase_needed");
    }

    #[test]
    fn bad_files_are_refused_with_a_code() {
        assert_eq!(read("{", None).unwrap_err().code, "setup.unreadable");
        assert_eq!(read("{\"version\":3}", None).unwrap_err().code, "setup.newer_version");
        let open = "{\"version\":1,\"secrets\":{\"hero.password\":\"x\"}}";
        assert_eq!(read(open, None).unwrap_err().code, "setup.plain_secrets");
        let short = write(&Setup::default(), &secret(), Some("short".into()));
        assert_eq!(short.unwrap_err().code, "setup.short_passphrase");
    }
}
