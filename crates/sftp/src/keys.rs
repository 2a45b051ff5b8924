//! Private keys: reading what a person pastes, and making new ones.
//!
//! Every form is read here and given to libssh2 as an unencrypted OpenSSH key, so that what [`check_key`] says holds
//! at sign-in too.

mod openssh;

use aes::cipher::{BlockModeDecrypt, KeyIvInit, block_padding::Pkcs7};
use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use md5::{Digest as _, Md5};
use russh::keys::ssh_key::{
    self, HashAlg, LineEnding, PrivateKey as SshKey, PublicKey,
    private::{Ed25519Keypair, KeypairData},
};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::{Error, KeyProblem};

/// What is known of a private key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyFacts {
    /// SSH's name of the key type, such as `ssh-ed25519`.
    pub kind: String,
    /// Length of the key in bits, as `ssh-keygen -lf` prints it.
    pub bits: Option<u32>,
    /// The comment kept in it, often who made it and where. PEM forms have none.
    pub comment: String,
    /// Fingerprint of its public key, as `ssh-keygen -lf` prints it.
    pub sha256: String,
    /// Whether a passphrase protects it.
    pub encrypted: bool,
}

/// A new key pair.
#[derive(Debug)]
pub struct GeneratedKey {
    /// The whole private key in OpenSSH form, without a passphrase.
    pub private: SecretString,
    /// The line for the server's operator: type, key and comment.
    pub public_line: String,
}

/// Reads a private key and says what it is. OpenSSH, PEM (PKCS#1, SEC1, PKCS#8) and PuTTY forms are read; blanks and
/// Windows line ends from copying don't matter.
pub fn check_key(text: &SecretString, passphrase: Option<&SecretString>) -> Result<KeyFacts, Error> {
    let PrivateKey { key, encrypted } = PrivateKey::read(text, passphrase).map_err(Error::BadPrivateKey)?;
    let bits = match key.key_data() {
        KeypairData::Rsa(pair) => Some(pair.key_size()),
        KeypairData::Ed25519(_) => Some(256),
        KeypairData::Ecdsa(pair) => match pair.curve() {
            ssh_key::EcdsaCurve::NistP256 => Some(256),
            ssh_key::EcdsaCurve::NistP384 => Some(384),
            ssh_key::EcdsaCurve::NistP521 => Some(521),
        },
        _ => None,
    };
    Ok(KeyFacts {
        kind: key.algorithm().as_str().to_owned(),
        bits,
        comment: one_line(key.comment().as_str_lossy()),
        sha256: key.fingerprint(HashAlg::Sha256).to_string(),
        encrypted,
    })
}

/// The public key of a private key, as the line an operator puts into `authorized_keys`.
pub fn public_line(text: &SecretString, passphrase: Option<&SecretString>) -> Result<String, Error> {
    let key = PrivateKey::read(text, passphrase).map_err(Error::BadPrivateKey)?.key;
    line_of(key.public_key()).map_err(Error::BadPrivateKey)
}

/// Makes a new ed25519 key. The comment tells the server's operator whose it is.
pub fn generate_key(comment: &str) -> Result<GeneratedKey, Error> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|_| Error::NoRandomness)?;
    let mut key = SshKey::from(Ed25519Keypair::from_seed(&seed));
    key.set_comment(one_line(comment));
    let private = PrivateKey { key, encrypted: false };
    Ok(GeneratedKey {
        public_line: line_of(private.key.public_key()).map_err(Error::BadPrivateKey)?,
        private: private.openssh_text().map_err(Error::BadPrivateKey)?,
    })
}

fn line_of(key: &PublicKey) -> Result<String, KeyProblem> {
    let mut key = key.clone();
    key.set_comment(one_line(key.comment().as_str_lossy()));
    key.to_openssh().map_err(|_| KeyProblem::Unsupported)
}

/// A comment ends the line it stands on, so it must not begin another.
fn one_line(comment: &str) -> String {
    let clean: String = comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean.trim().to_owned()
}

/// A private key that has been read.
pub(crate) struct PrivateKey {
    key: SshKey,
    encrypted: bool,
}

impl PrivateKey {
    /// Reads the whole text of a key file.
    pub(crate) fn read(text: &SecretString, passphrase: Option<&SecretString>) -> Result<Self, KeyProblem> {
        let text = text.expose_secret();
        // An empty field means that there is none.
        let passphrase =
            passphrase.map(ExposeSecret::expose_secret).filter(|passphrase| !passphrase.is_empty());
        let lines: Vec<_> = text.trim_start_matches('\u{feff}').lines().map(str::trim).collect();
        let (key, encrypted) = if lines.iter().any(|line| line.starts_with("PuTTY-User-Key-File-")) {
            putty(&lines, passphrase)?
        } else {
            Armoured::find(&lines).ok_or_else(|| no_private_key(&lines))?.open(passphrase)?
        };
        match key.key_data() {
            KeypairData::Rsa(_) | KeypairData::Ed25519(_) | KeypairData::Ecdsa(_) => {
                Ok(Self { key, encrypted })
            }
            _ => Err(KeyProblem::Unsupported),
        }
    }

    /// The key as libssh2 takes it.
    pub(crate) fn openssh_text(&self) -> Result<SecretString, KeyProblem> {
        let text = self.key.to_openssh(LineEnding::LF).map_err(|_| KeyProblem::Unsupported)?;
        Ok(SecretString::from(text.as_str()))
    }
}

/// What a text without a private key is.
fn no_private_key(lines: &[&str]) -> KeyProblem {
    const PUBLIC: [&str; 7] = [
        "ssh-",
        "ecdsa-sha2-",
        "sk-ssh-",
        "sk-ecdsa-",
        "---- BEGIN SSH2 PUBLIC KEY ----",
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN RSA PUBLIC KEY-----",
    ];
    if lines.iter().any(|line| PUBLIC.iter().any(|start| line.starts_with(start))) {
        KeyProblem::Public
    } else {
        KeyProblem::Unreadable
    }
}

/// A key between a BEGIN and an END line (RFC 7468, and RFC 1421 for the encrypted PEM forms of OpenSSL).
struct Armoured<'a> {
    /// Between `-----BEGIN ` and `-----`.
    label: &'a str,
    /// What protects the body of an old PEM form, as its `DEK-Info:` says.
    protection: Option<&'a str>,
    body: Zeroizing<String>,
}

impl<'a> Armoured<'a> {
    fn find(lines: &[&'a str]) -> Option<Self> {
        let label = |line: &'a str| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----");
        let is_private = |line: &&'a str| label(line).is_some_and(|label| label.ends_with("PRIVATE KEY"));
        let start = lines.iter().position(is_private)?;
        let label = label(lines.get(start)?)?;
        let mut protection = None;
        // As much room as can be needed, so that no half-grown copy of the key stays behind in memory.
        let mut body = Zeroizing::new(String::with_capacity(lines.iter().map(|line| line.len()).sum()));
        for line in lines.get(start + 1..)? {
            if line.starts_with("-----END ") {
                return Some(Self { label, protection, body });
            }
            match line.split_once(':') {
                Some(("DEK-Info", value)) => protection = Some(value.trim()),
                Some(_) => {}
                None => body.push_str(line),
            }
        }
        None
    }

    fn open(&self, passphrase: Option<&str>) -> Result<(SshKey, bool), KeyProblem> {
        /// Some programs leave the padding off.
        const LENIENT: GeneralPurpose = GeneralPurpose::new(
            &base64::alphabet::STANDARD,
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
        );
        let body = Zeroizing::new(LENIENT.decode(self.body.as_bytes()).map_err(|_| KeyProblem::Unreadable)?);
        match self.label {
            "OPENSSH PRIVATE KEY" => openssh::read(&body, passphrase),
            "ENCRYPTED PRIVATE KEY" => {
                let passphrase = passphrase.ok_or(KeyProblem::PassphraseMissing)?;
                let key = russh::keys::pkcs8::decode_pkcs8(&body, Some(passphrase.as_bytes()));
                Ok((key.map_err(|_| KeyProblem::PassphraseWrong)?, true))
            }
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => match self.protection {
                None => Ok((plain(self.label, &body).ok_or(KeyProblem::Unreadable)?, false)),
                Some(protection) => {
                    let passphrase = passphrase.ok_or(KeyProblem::PassphraseMissing)?;
                    let opened = old_pem(protection, &body, passphrase)?;
                    Ok((plain(self.label, &opened).ok_or(KeyProblem::PassphraseWrong)?, true))
                }
            },
            _ => Err(KeyProblem::Unsupported),
        }
    }
}

/// An unencrypted PEM form: PKCS#1 for RSA, SEC1 for elliptic curves, PKCS#8 for all.
fn plain(label: &str, body: &[u8]) -> Option<SshKey> {
    if label == "RSA PRIVATE KEY" {
        let mut text = Zeroizing::new(String::with_capacity(body.len() * 2 + 100));
        text.push_str("-----BEGIN RSA PRIVATE KEY-----\n");
        STANDARD.encode_string(body, &mut text);
        text.push_str("\n-----END RSA PRIVATE KEY-----\n");
        russh::keys::decode_secret_key(&text, None).ok()
    } else {
        russh::keys::pkcs8::decode_pkcs8(body, None).ok()
    }
}

/// Opens the body of an old encrypted PEM form: `CIPHER,IV` in its `DEK-Info:`, and a key made from the passphrase as
/// OpenSSL's `EVP_BytesToKey` does with MD5, one round and the first 8 bytes of the IV as salt.
fn old_pem(protection: &str, body: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, KeyProblem> {
    let (cipher, iv) = protection.split_once(',').ok_or(KeyProblem::Unreadable)?;
    let length = match cipher.trim() {
        "AES-128-CBC" => 16,
        "AES-192-CBC" => 24,
        "AES-256-CBC" => 32,
        _ => return Err(KeyProblem::Unsupported),
    };
    let iv: [u8; 16] =
        hex::decode(iv.trim()).ok().and_then(|iv| iv.try_into().ok()).ok_or(KeyProblem::Unreadable)?;
    let (salt, _) = iv.split_at(8);
    let mut key = Zeroizing::new(Vec::with_capacity(32));
    let mut last = Vec::new();
    while key.len() < length {
        last = Md5::new().chain_update(&last).chain_update(passphrase).chain_update(salt).finalize().to_vec();
        key.extend_from_slice(&last);
    }
    key.truncate(length);
    let mut opened = Zeroizing::new(body.to_vec());
    let length = match length {
        16 => decrypted::<cbc::Decryptor<aes::Aes128>>(&key, &iv, &mut opened),
        24 => decrypted::<cbc::Decryptor<aes::Aes192>>(&key, &iv, &mut opened),
        _ => decrypted::<cbc::Decryptor<aes::Aes256>>(&key, &iv, &mut opened),
    }?;
    opened.truncate(length);
    Ok(opened)
}

/// Decrypts in place and says how much of it is content.
fn decrypted<D: KeyIvInit + BlockModeDecrypt>(
    key: &[u8],
    iv: &[u8],
    buffer: &mut [u8],
) -> Result<usize, KeyProblem> {
    let cipher = D::new_from_slices(key, iv).map_err(|_| KeyProblem::Unreadable)?;
    Ok(cipher.decrypt_padded::<Pkcs7>(buffer).map_err(|_| KeyProblem::PassphraseWrong)?.len())
}

/// PuTTY's own form, versions 2 and 3.
fn putty(lines: &[&str], passphrase: Option<&str>) -> Result<(SshKey, bool), KeyProblem> {
    let encrypted = lines
        .iter()
        .any(|line| line.strip_prefix("Encryption:").is_some_and(|cipher| cipher.trim() != "none"));
    if encrypted && passphrase.is_none() {
        return Err(KeyProblem::PassphraseMissing);
    }
    let start = lines.iter().position(|line| line.starts_with("PuTTY-User-Key-File-")).unwrap_or(0);
    let mut text = Zeroizing::new(String::with_capacity(lines.iter().map(|line| line.len() + 2).sum()));
    for line in lines.get(start..).unwrap_or_default().iter().take_while(|line| !line.is_empty()) {
        text.push_str(line);
        // The blank belongs to the form even where there is no comment.
        text.push_str(if *line == "Comment:" { " \n" } else { "\n" });
    }
    let passphrase = passphrase.filter(|_| encrypted).map(str::to_owned);
    let problem = if encrypted { KeyProblem::PassphraseWrong } else { KeyProblem::Unreadable };
    Ok((SshKey::from_ppk(text.as_str(), passphrase).map_err(|_| problem)?, encrypted))
}
