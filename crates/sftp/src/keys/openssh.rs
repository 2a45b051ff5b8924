//! OpenSSH's own form of private keys (its `PROTOCOL.key`).
//!
//! OpenSSH writes the secret number of an elliptic-curve key without leading zeros, so one key in 256 has a number a byte
//! shorter than the curve's. The library we read keys with refuses those on the curve `nistp256`: they are written out in
//! full for it.

use russh::keys::ssh_key::{self, Algorithm, EcdsaCurve, PrivateKey as SshKey};
use secrecy::zeroize::Zeroizing;

use crate::KeyProblem;

/// What the form begins with.
const MAGIC: &[u8] = b"openssh-key-v1\0";

/// The only kind of key whose number may come out too short for the library.
const NISTP256: &[u8] = b"ecdsa-sha2-nistp256";

/// How many bytes the number of such a key has in full.
const NUMBER: usize = 32;

/// What the length of an unencrypted private part is a multiple of.
const BLOCK: usize = 8;

/// Reads a key, and says whether a passphrase protects it.
pub(super) fn read(body: &[u8], passphrase: Option<&str>) -> Result<(SshKey, bool), KeyProblem> {
    let key = match SshKey::from_bytes(body) {
        Ok(key) => key,
        Err(ssh_key::Error::AlgorithmUnknown | ssh_key::Error::AlgorithmUnsupported { .. }) => {
            return Err(KeyProblem::Unsupported);
        }
        Err(_) => {
            let key =
                Container::find(body).and_then(|container| in_full(container.public, container.private));
            return Ok((key.ok_or(KeyProblem::Unreadable)?, false));
        }
    };
    if !key.is_encrypted() {
        return Ok((key, false));
    }
    let passphrase = passphrase.ok_or(KeyProblem::PassphraseMissing)?;
    let may_be_short = matches!(key.algorithm(), Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 });
    let opened = key
        .decrypt(passphrase)
        .ok()
        .or_else(|| may_be_short.then(|| decrypted_in_full(&key, body, passphrase)).flatten());
    Ok((opened.ok_or(KeyProblem::PassphraseWrong)?, true))
}

/// The parts of the form that are not about how it is encrypted.
struct Container<'a> {
    public: &'a [u8],
    private: &'a [u8],
    /// What proves an encrypted private part, where the cipher has that.
    tag: &'a [u8],
}

impl<'a> Container<'a> {
    fn find(body: &'a [u8]) -> Option<Self> {
        let mut rest = body.strip_prefix(MAGIC)?;
        // Cipher, how its key is made of the passphrase, and with what.
        for _ in 0..3 {
            string(&mut rest)?;
        }
        let (_how_many_keys, after) = rest.split_first_chunk::<4>()?;
        rest = after;
        let (public, private) = (string(&mut rest)?, string(&mut rest)?);
        Some(Self { public, private, tag: rest })
    }
}

/// Takes a string off the front: its length, then its bytes (RFC 4251 section 5).
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (text, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *rest = after;
    Some(text)
}

fn decrypted_in_full(key: &SshKey, body: &[u8], passphrase: &str) -> Option<SshKey> {
    let Container { public, private, tag } = Container::find(body)?;
    let mut private = Zeroizing::new(private.to_vec());
    let (secret, start) = key.kdf().derive_key_and_iv(key.cipher(), passphrase).ok()?;
    let tag = <[u8; 16]>::try_from(tag).ok().map(Into::into);
    key.cipher().decrypt(&secret, &start, &mut private, tag).ok()?;
    in_full(public, &private)
}

/// The key of an unencrypted private part whose number is too short.
fn in_full(public: &[u8], private: &[u8]) -> Option<SshKey> {
    let (checks, mut rest) = private.split_at_checked(8)?;
    // A wrong passphrase makes anything of it; these two are the same only with the right one.
    let (check, again) = checks.split_at(4);
    let kind = string(&mut rest)?;
    let (curve, point, number, comment) =
        (string(&mut rest)?, string(&mut rest)?, string(&mut rest)?, string(&mut rest)?);
    if check != again || kind != NISTP256 || number.len() >= NUMBER {
        return None;
    }
    let mut full = Zeroizing::new([0; NUMBER]);
    full.get_mut(NUMBER - number.len()..)?.copy_from_slice(number);

    let mut written = Zeroizing::new(Vec::with_capacity(private.len() + NUMBER + BLOCK));
    written.extend_from_slice(checks);
    for part in [kind, curve, point, full.as_slice(), comment] {
        push(&mut written, part)?;
    }
    let padding = written.len().next_multiple_of(BLOCK) - written.len();
    written.extend((1..=padding).filter_map(|byte| u8::try_from(byte).ok()));

    let mut whole = Zeroizing::new(Vec::with_capacity(MAGIC.len() + public.len() + written.len() + 64));
    whole.extend_from_slice(MAGIC);
    for part in [b"none" as &[u8], b"none", b""] {
        push(&mut whole, part)?;
    }
    whole.extend_from_slice(&1_u32.to_be_bytes());
    push(&mut whole, public)?;
    push(&mut whole, &written)?;
    SshKey::from_bytes(&whole).ok()
}

fn push(to: &mut Vec<u8>, text: &[u8]) -> Option<()> {
    to.extend_from_slice(&u32::try_from(text.len()).ok()?.to_be_bytes());
    to.extend_from_slice(text);
    Some(())
}
