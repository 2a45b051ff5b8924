//! The fingerprint of a host key as a person got it: from a mail, a web page, or a command's output.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Serialize;

use crate::{Error, HostKey};

/// A host key as it was announced before the server was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExpectedFingerprint {
    /// What is compared.
    shown: Shown,
    /// SSH's name of the key type, where it was announced too.
    algorithm: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
enum Shown {
    /// In the form of [`HostKey::sha256`].
    Sha256(String),
    /// In the form of [`HostKey::md5`].
    Md5(String),
}

impl ExpectedFingerprint {
    /// Whether this is the fingerprint of `key`.
    pub fn matches(&self, key: &HostKey) -> bool {
        match &self.shown {
            Shown::Sha256(sha256) => *sha256 == key.sha256,
            Shown::Md5(md5) => *md5 == key.md5,
        }
    }

    /// The fingerprint in the form of [`HostKey::sha256`] or [`HostKey::md5`].
    pub fn as_str(&self) -> &str {
        match &self.shown {
            Shown::Sha256(text) | Shown::Md5(text) => text,
        }
    }

    /// SSH's name of the key type, such as `ssh-ed25519`, where the text said it.
    pub fn algorithm(&self) -> Option<&str> {
        self.algorithm.as_deref()
    }
}

/// Finds the fingerprint in what was pasted: SHA256 in base64 (with or without `SHA256:` and padding) or in
/// hexadecimal, MD5 in hexadecimal (with or without `MD5:` and colons, in either case), a line of `ssh-keygen -l`, or a
/// public key itself. SHA256 counts where both are there; two different ones are no answer.
pub fn parse(pasted: &str) -> Result<ExpectedFingerprint, Error> {
    let words: Vec<_> = pasted.split_whitespace().collect();
    let keys: Vec<_> = words.windows(2).filter_map(public_key).collect();
    if let Some(key) = only(keys)? {
        return Ok(ExpectedFingerprint { shown: Shown::Sha256(key.sha256), algorithm: Some(key.algorithm) });
    }
    let algorithm = words.iter().find_map(|word| algorithm(word)).map(str::to_owned);
    // As a sentence or a quotation leaves it.
    let words = words.iter().map(|word| word.trim_matches(['.', ',', ';', '"', '\'', '<', '>', '(', ')']));
    let words: Vec<_> = words.collect();
    let sha256 = only(words.iter().filter_map(|word| sha256(word)).collect())?;
    let shown = match sha256 {
        Some(sha256) => Shown::Sha256(sha256),
        None => Shown::Md5(
            only(words.iter().filter_map(|word| md5(word)).collect())?.ok_or(Error::NotAFingerprint)?,
        ),
    };
    Ok(ExpectedFingerprint { shown, algorithm })
}

/// The one thing that was found, be it several times.
fn only<T: PartialEq>(mut found: Vec<T>) -> Result<Option<T>, Error> {
    found.dedup();
    if found.len() > 1 { Err(Error::NotAFingerprint) } else { Ok(found.pop()) }
}

/// A public key: its type and its base64.
fn public_key(words: &[&str]) -> Option<HostKey> {
    let [name, body] = words else { return None };
    let key = HostKey::from_blob(&STANDARD.decode(body).ok()?)?;
    (key.algorithm == *name).then_some(key)
}

/// The type of key as `ssh-keygen -l` shows it, at the end of its line.
fn algorithm(word: &str) -> Option<&'static str> {
    match word {
        "(ED25519)" => Some("ssh-ed25519"),
        "(RSA)" => Some("ssh-rsa"),
        // (ECDSA) does not say which curve.
        _ => None,
    }
}

fn sha256(word: &str) -> Option<String> {
    let body = strip_prefix(word, "SHA256:").unwrap_or(word);
    let is_whole = |digest: &Vec<u8>| digest.len() == 32;
    let base64 = STANDARD_NO_PAD.decode(body.trim_end_matches('=')).ok().filter(is_whole);
    let digest = base64.or_else(|| hexadecimal(body).filter(is_whole))?;
    Some(format!("SHA256:{}", STANDARD_NO_PAD.encode(digest)))
}

fn md5(word: &str) -> Option<String> {
    let digest = hexadecimal(strip_prefix(word, "MD5:").unwrap_or(word))?;
    let pairs: Vec<_> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    (digest.len() == 16).then(|| format!("MD5:{}", pairs.join(":")))
}

fn strip_prefix<'a>(word: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = word.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Hexadecimal, with a colon or a hyphen between all bytes or none.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    for separator in [':', '-'] {
        if text.contains(separator) {
            let bytes: Option<Vec<_>> = text.split(separator).map(|pair| hex::decode(pair).ok()).collect();
            return bytes?
                .into_iter()
                .map(|byte| <[u8; 1]>::try_from(byte).ok().map(|[byte]| byte))
                .collect();
        }
    }
    hex::decode(text).ok()
}
