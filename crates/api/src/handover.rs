//! The handover file: address, Client ID and Client Secret on their way to the person who sets a site up, encrypted
//! with age (<https://age-encryption.org/v1>) for a passphrase or for the other side's key.

use std::io::{BufReader, Read};

use age::{DecryptError, Decryptor, Identity, armor::ArmoredReader, scrypt, x25519};
use rosterbridge_domain::settings::PluginSettings;
use rosterbridge_engine::{PowerSchoolAccess, report::Handover};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::request::{Fault, HandoverTo};

/// The version this program writes and the newest it reads.
const VERSION: u32 = 1;

/// Longest file taken, in bytes. One with a dozen certificates has about 30 thousand.
const LONGEST: usize = 256 * 1024;

/// First line of an armoured age file.
const AGE_ARMOUR: &str = "-----BEGIN AGE ENCRYPTED FILE-----";

/// Shortest passphrase, in characters.
const SHORTEST_PASSPHRASE: usize = 10;

/// What is encrypted.
#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    url: String,
    client_id: String,
    client_secret: String,
    #[serde(default)]
    extra_roots: Vec<String>,
    #[serde(default)]
    plugin: PluginSettings,
}

impl Drop for Content {
    fn drop(&mut self) {
        self.client_secret.zeroize();
    }
}

/// The version of a file that may be newer than anything known here.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Encrypts an access, and writes the mail to send it with.
pub(crate) fn write(access: &PowerSchoolAccess, to: &HandoverTo) -> Result<Handover, Fault> {
    let content = Content {
        version: VERSION,
        url: access.url.clone(),
        client_id: access.client_id.clone(),
        client_secret: access.client_secret.expose_secret().to_owned(),
        extra_roots: access.extra_roots.clone(),
        plugin: access.plugin.clone(),
    };
    let plain = Zeroizing::new(serde_json::to_vec(&content).map_err(|error| not_encrypted(&error))?);
    let text = match to {
        HandoverTo::Passphrase(passphrase) => {
            if passphrase.0.chars().count() < SHORTEST_PASSPHRASE {
                return Err(fault(
                    "handover.short_passphrase",
                    "The passphrase is too short to protect the credentials in this file.",
                    "Use at least 10 characters: several unrelated words are easy to say on the phone.",
                ));
            }
            let recipient = scrypt::Recipient::new(SecretString::from(passphrase.0.clone()));
            age::encrypt_and_armor(&recipient, &plain)
        }
        HandoverTo::Recipient(key) => {
            let recipient: x25519::Recipient = key.trim().parse().map_err(|_| {
                fault(
                    "handover.bad_recipient",
                    "This is not a key a handover file can be encrypted for.",
                    "Ask for the key again: it begins with age1, and the RosterBridge of the person who opens the \
                     file shows it.",
                )
            })?;
            age::encrypt_and_armor(&recipient, &plain)
        }
    };
    let host = host(&access.url);
    Ok(Handover {
        file_name: format!("rosterbridge-handover-{}.age", host.replace([':', '[', ']'], "-")),
        text: text.map_err(|error| not_encrypted(&error))?,
        subject: format!("RosterBridge: access to PowerSchool for {host}"),
        body: mail(&host, to),
    })
}

/// The text of the mail. It carries no secret.
fn mail(host: &str, to: &HandoverTo) -> String {
    let opening = match to {
        HandoverTo::Passphrase(_) => {
            "It is encrypted with a passphrase. I will tell you the passphrase by phone; please do not ask for it by \
             mail, and do not write it into one."
        }
        HandoverTo::Recipient(_) => {
            "It is encrypted for the key of your RosterBridge, so it opens there without a passphrase."
        }
    };
    format!(
        "Hello,\n\n\
         the attached file holds what RosterBridge needs to connect to PowerSchool at {host}.\n\n\
         {opening}\n\n\
         To use it:\n\
         1. Save the attached file on the computer RosterBridge runs on.\n\
         2. Open RosterBridge, go to the PowerSchool step of the set-up and choose 'Open a handover file'.\n   \
         On the command line: rosterbridge handover open FILE\n\
         3. Test the connection there.\n\
         4. Delete the file and this mail.\n\n\
         Nobody can read the file without the key to it. If it goes astray, nothing has to be changed.\n"
    )
}

/// Whether a file needs a passphrase. Says of a file that is none what is wrong with it.
pub(crate) fn needs_passphrase(text: &str) -> Result<bool, Fault> {
    Ok(decryptor(text)?.is_scrypt())
}

/// Decrypts a file for a passphrase.
pub(crate) fn read_with_passphrase(text: &str, passphrase: SecretString) -> Result<PowerSchoolAccess, Fault> {
    read(text, &scrypt::Identity::new(passphrase), || {
        fault(
            "handover.wrong_passphrase",
            "The passphrase does not open this handover file.",
            "Ask for the passphrase again by phone. Upper and lower case and spaces count.",
        )
    })
}

/// Decrypts a file for the profile's own key.
pub(crate) fn read_with_identity(text: &str, identity: &SecretString) -> Result<PowerSchoolAccess, Fault> {
    let identity: x25519::Identity = identity.expose_secret().parse().map_err(|_| {
        fault(
            "handover.bad_identity",
            "The key that opens handover files is damaged.",
            "Have the file encrypted with a passphrase instead.",
        )
    })?;
    read(text, &identity, wrong_recipient)
}

/// The file is for somebody else's key.
pub(crate) fn wrong_recipient() -> Fault {
    fault(
        "handover.wrong_recipient",
        "This handover file is encrypted for another RosterBridge's key.",
        "Open it on the computer and in the profile whose key was given, or send this profile's key and have the file \
         made again.",
    )
}

/// A passphrase is needed and none was given.
pub(crate) fn passphrase_needed() -> Fault {
    fault(
        "handover.passphrase_needed",
        "This handover file is encrypted with a passphrase.",
        "Enter the passphrase its sender tells you by phone.",
    )
}

fn decryptor(text: &str) -> Result<Decryptor<ArmoredReader<BufReader<&[u8]>>>, Fault> {
    if text.len() > LONGEST {
        return Err(fault(
            "handover.too_large",
            "This file is too large to be a handover file.",
            "Choose the file that came with the mail; its name ends in .age.",
        ));
    }
    let text = text.trim_start_matches('\u{feff}').trim();
    if !text.starts_with(AGE_ARMOUR) {
        return Err(fault(
            "handover.unreadable",
            "This is not a handover file.",
            "Choose the file that came with the mail; its first line is -----BEGIN AGE ENCRYPTED FILE-----.",
        ));
    }
    Decryptor::new_buffered(ArmoredReader::new(text.as_bytes())).map_err(|_| damaged())
}

fn read(
    text: &str,
    identity: &dyn Identity,
    not_for_it: impl Fn() -> Fault,
) -> Result<PowerSchoolAccess, Fault> {
    let reader = decryptor(text)?.decrypt(std::iter::once(identity)).map_err(|error| match error {
        // A file made to keep this computer busy is as useless as a broken one.
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed | DecryptError::NoMatchingKeys => {
            not_for_it()
        }
        _ => damaged(),
    })?;
    let mut plain = Zeroizing::new(Vec::new());
    reader.take(LONGEST as u64).read_to_end(&mut plain).map_err(|_| damaged())?;
    let unreadable = |_| {
        fault(
            "handover.unreadable",
            "This encrypted file holds something else than a handover.",
            "Choose the file that came with the mail. A setup file is imported in another place.",
        )
    };
    let Versioned { version } = serde_json::from_slice(&plain).map_err(unreadable)?;
    if version > VERSION {
        return Err(fault(
            "handover.newer_version",
            &format!("This handover file has version {version}, and this program reads up to {VERSION}."),
            "Update RosterBridge, or have the file written with this version.",
        ));
    }
    let mut content: Content = serde_json::from_slice(&plain).map_err(unreadable)?;
    Ok(PowerSchoolAccess {
        url: std::mem::take(&mut content.url),
        client_id: std::mem::take(&mut content.client_id),
        client_secret: SecretString::from(std::mem::take(&mut content.client_secret)),
        extra_roots: std::mem::take(&mut content.extra_roots),
        plugin: std::mem::take(&mut content.plugin),
    })
}

/// A new key: private and public.
pub(crate) fn new_identity() -> (SecretString, String) {
    let identity = x25519::Identity::generate();
    (identity.to_string(), identity.to_public().to_string())
}

/// The public key of a private one.
pub(crate) fn public_key(identity: &SecretString) -> Option<String> {
    let identity: x25519::Identity = identity.expose_secret().parse().ok()?;
    Some(identity.to_public().to_string())
}

/// The host of an address, with the port where it names one.
fn host(url: &str) -> String {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    host.trim_end_matches('/').to_owned()
}

fn damaged() -> Fault {
    fault(
        "handover.damaged",
        "This handover file is damaged, or was changed on its way.",
        "Have it sent again. If the new one is damaged too, have it saved and sent as an attachment, not as text.",
    )
}

fn not_encrypted(error: &dyn std::error::Error) -> Fault {
    fault(
        "handover.not_encrypted",
        &format!("The handover file could not be encrypted: {error}."),
        "Try again; nothing was written.",
    )
}

fn fault(code: &str, message: &str, remedy: &str) -> Fault {
    Fault { code: code.to_owned(), message: message.to_owned(), remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecretText;

    const SECRET: &str = "6b3b7a51-8d7c-4dd1-9d4c-0a5f0f8a1c11";
    const PASSPHRASE: &str = "four words for phone";

    fn access() -> PowerSchoolAccess {
        PowerSchoolAccess {
            url: "https://sis.district.example:8443".to_owned(),
            client_id: "0d2c5e4f-96a4-4b58-93a2-6f5d3c2b1a00".to_owned(),
            client_secret: SECRET.into(),
            extra_roots: vec!["-----BEGIN CERTIFICATE-----".to_owned()],
            plugin: PluginSettings { revision: 3, ..PluginSettings::default() },
        }
    }

    fn with_passphrase() -> Handover {
        write(&access(), &HandoverTo::Passphrase(SecretText::new(PASSPHRASE.to_owned()))).unwrap()
    }

    /// A file that holds `plain`, encrypted with the passphrase.
    fn holding(plain: &str) -> String {
        age::encrypt_and_armor(&scrypt::Recipient::new(PASSPHRASE.into()), plain.as_bytes()).unwrap()
    }

    #[track_caller]
    fn same(read: &PowerSchoolAccess) {
        let written = access();
        assert_eq!(read.url, written.url);
        assert_eq!(read.client_id, written.client_id);
        assert_eq!(read.client_secret.expose_secret(), SECRET);
        assert_eq!(read.extra_roots, written.extra_roots);
        assert_eq!(read.plugin, written.plugin);
    }

    #[test]
    fn whoever_knows_the_passphrase_opens_it_and_nobody_else() {
        let handover = with_passphrase();
        assert!(needs_passphrase(&handover.text).unwrap());
        same(&read_with_passphrase(&handover.text, PASSPHRASE.into()).unwrap());
        let wrong = read_with_passphrase(&handover.text, "four words for mail!".into()).unwrap_err();
        assert_eq!(wrong.code, "handover.wrong_passphrase");
    }

    #[test]
    fn the_holder_of_the_key_opens_it_and_nobody_else() {
        let (identity, public) = new_identity();
        assert_eq!(public_key(&identity).as_deref(), Some(public.as_str()));
        let handover = write(&access(), &HandoverTo::Recipient(format!(" {public}\n"))).unwrap();
        assert!(!needs_passphrase(&handover.text).unwrap());
        same(&read_with_identity(&handover.text, &identity).unwrap());
        let (other, _) = new_identity();
        let wrong = read_with_identity(&handover.text, &other).unwrap_err();
        assert_eq!(wrong.code, "handover.wrong_recipient");
    }

    #[test]
    fn the_mail_carries_no_secret_and_says_how_to_go_on() {
        let handover = with_passphrase();
        assert_eq!(handover.file_name, "rosterbridge-handover-sis.district.example-8443.age");
        for text in [&handover.subject, &handover.body, &handover.text] {
            for secret in [SECRET, PASSPHRASE, "0d2c5e4f"] {
                assert!(!text.contains(secret), "{text}");
            }
        }
        assert!(handover.body.contains("by phone") && handover.body.contains("handover open"));
    }

    #[test]
    fn what_can_not_be_written_is_refused() {
        let short = HandoverTo::Passphrase(SecretText::new("short".to_owned()));
        assert_eq!(write(&access(), &short).unwrap_err().code, "handover.short_passphrase");
        for key in ["", "age1", "ssh-ed25519 AAAA", "AGE-SECRET-KEY-1QQQ"] {
            let to = HandoverTo::Recipient(key.to_owned());
            assert_eq!(write(&access(), &to).unwrap_err().code, "handover.bad_recipient", "{key}");
        }
    }

    #[test]
    fn what_can_not_be_read_is_told_apart() {
        let open = |text: &str| read_with_passphrase(text, PASSPHRASE.into()).unwrap_err().code;
        let good = with_passphrase().text;
        assert_eq!(open("{\"version\":1}"), "handover.unreadable");
        assert_eq!(open(&"x".repeat(LONGEST + 1)), "handover.too_large");
        assert_eq!(open(&holding("{\"version\":2,\"anything\":[]}")), "handover.newer_version");
        assert_eq!(open(&holding("{\"version\":1,\"hero\":{}}")), "handover.unreadable");
        assert_eq!(open(&holding("no JSON")), "handover.unreadable");
        // Cut off, and with one character of the payload changed.
        assert_eq!(open(&good[..good.len() / 2]), "handover.damaged");
        let last_line = good.lines().rev().nth(1).unwrap();
        let first = last_line.chars().next().unwrap();
        let other = if first == 'A' { 'B' } else { 'A' };
        let tampered = good.replacen(last_line, &format!("{other}{}", &last_line[1..]), 1);
        assert_eq!(open(&tampered), "handover.damaged");
    }
}
