//! Private keys in every form people have, made by the programs that make them, and taken to OpenSSH's own sshd.
#![cfg(unix)]
// Fixtures fail a test by panicking, like the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use aes::cipher::{BlockModeEncrypt as _, KeyIvInit as _, block_padding::NoPadding};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use rosterbridge_sftp::{
    Authentication, Error, KeyFacts, KeyProblem, RemoteFolder, check_key, connect, generate_key, public_line,
};
use rstest::rstest;
use russh::keys::ssh_key::{LineEnding, Mpint, PrivateKey, private::KeypairData};
use secrecy::{ExposeSecret, SecretString};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use support::sshd::Sshd;
use tokio_util::sync::CancellationToken;

const PASSPHRASE: &str = "open sesame";

/// Lets the account in with this key, as a person would have entered it.
async fn signs_in(sshd: &Sshd, key: SecretString, passphrase: Option<&str>) -> Result<(), Error> {
    let mut connection = sshd.connection();
    connection.authentication =
        Authentication::PrivateKey { key, passphrase: passphrase.map(SecretString::from) };
    let session = connect(&connection, &sshd.pins(), &CancellationToken::new()).await?;
    session.require_folder(&RemoteFolder::parse("imports").unwrap()).await
}

fn check(text: &SecretString, passphrase: Option<&str>) -> Result<KeyFacts, KeyProblem> {
    match check_key(text, passphrase.map(SecretString::from).as_ref()) {
        Ok(facts) => Ok(facts),
        Err(Error::BadPrivateKey(problem)) => Err(problem),
        Err(other) => panic!("{other:?}"),
    }
}

/// What `ssh-keygen -lf` prints for a public key: bits, fingerprint, comment, type.
fn keygen_line(path: &Path) -> Vec<String> {
    let output = Command::new("ssh-keygen").arg("-lf").arg(path.with_extension("pub")).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}

fn read(path: &Path) -> SecretString {
    fs::read_to_string(path).unwrap().into()
}

#[rstest]
#[case::openssh_ed25519(&["ed25519"], "", "ssh-ed25519")]
#[case::openssh_ecdsa_256(&["ecdsa", "-b", "256"], "", "ecdsa-sha2-nistp256")]
#[case::openssh_ecdsa_384(&["ecdsa", "-b", "384"], "", "ecdsa-sha2-nistp384")]
#[case::openssh_ecdsa_521(&["ecdsa", "-b", "521"], "", "ecdsa-sha2-nistp521")]
#[case::openssh_rsa(&["rsa", "-b", "3072"], "", "ssh-rsa")]
#[case::openssh_ed25519_locked(&["ed25519"], PASSPHRASE, "ssh-ed25519")]
#[case::openssh_rsa_locked(&["rsa", "-b", "2048"], PASSPHRASE, "ssh-rsa")]
#[case::openssh_locked_by_gcm(&["ecdsa", "-Z", "aes256-gcm@openssh.com"], PASSPHRASE, "ecdsa-sha2-nistp256")]
#[case::openssh_locked_by_chacha(
    &["ed25519", "-Z", "chacha20-poly1305@openssh.com"], PASSPHRASE, "ssh-ed25519"
)]
#[case::openssh_locked_by_cbc(&["ed25519", "-Z", "aes128-cbc"], PASSPHRASE, "ssh-ed25519")]
#[case::pkcs1_rsa(&["rsa", "-b", "2048", "-m", "PEM"], "", "ssh-rsa")]
#[case::pkcs1_rsa_long(&["rsa", "-b", "4096", "-m", "PEM"], "", "ssh-rsa")]
#[case::pkcs1_rsa_proc_type(&["rsa", "-b", "2048", "-m", "PEM"], PASSPHRASE, "ssh-rsa")]
#[case::sec1_ecdsa(&["ecdsa", "-m", "PEM"], "", "ecdsa-sha2-nistp256")]
#[case::sec1_ecdsa_proc_type(&["ecdsa", "-b", "521", "-m", "PEM"], PASSPHRASE, "ecdsa-sha2-nistp521")]
#[case::pkcs8_rsa(&["rsa", "-b", "2048", "-m", "PKCS8"], "", "ssh-rsa")]
#[case::pkcs8_ecdsa(&["ecdsa", "-b", "384", "-m", "PKCS8"], "", "ecdsa-sha2-nistp384")]
#[case::pkcs8_rsa_locked(&["rsa", "-b", "2048", "-m", "PKCS8"], PASSPHRASE, "ssh-rsa")]
#[case::pkcs8_ecdsa_locked(&["ecdsa", "-m", "PKCS8"], PASSPHRASE, "ecdsa-sha2-nistp256")]
#[tokio::test]
async fn what_ssh_keygen_makes_is_read_and_let_in(
    #[case] arguments: &[&str],
    #[case] passphrase: &str,
    #[case] kind: &str,
) {
    let sshd = Sshd::start();
    let path = sshd.new_client_key("made", arguments, passphrase);
    let key = read(&path);
    let encrypted = !passphrase.is_empty();
    let given = encrypted.then_some(passphrase);

    let facts = check(&key, given).unwrap();
    let line = keygen_line(&path);
    let bits = facts.bits.map(|bits| bits.to_string());
    assert_eq!((bits.as_ref(), &facts.sha256), (Some(&line[0]), &line[1]));
    assert_eq!((facts.kind.as_str(), facts.encrypted), (kind, encrypted));
    if !arguments.contains(&"-m") {
        assert_eq!(facts.comment, "rosterbridge-test");
    }
    let public = public_line(&key, given.map(SecretString::from).as_ref()).unwrap();
    let file = fs::read_to_string(path.with_extension("pub")).unwrap();
    assert_eq!(public.split(' ').take(2).collect::<Vec<_>>(), file.split(' ').take(2).collect::<Vec<_>>());

    signs_in(&sshd, key.clone(), given).await.unwrap();

    if encrypted {
        assert_eq!(check(&key, None).unwrap_err(), KeyProblem::PassphraseMissing);
        assert_eq!(check(&key, Some("")).unwrap_err(), KeyProblem::PassphraseMissing);
        assert_eq!(check(&key, Some("open barley")).unwrap_err(), KeyProblem::PassphraseWrong);
        let error = signs_in(&sshd, key, Some("open barley")).await.unwrap_err();
        assert!(matches!(error, Error::BadPrivateKey(KeyProblem::PassphraseWrong)), "{error:?}");
    } else {
        assert_eq!(check(&key, Some("not needed")).unwrap(), facts);
    }
}

/// A key of curve `nistp256` whose secret number begins with a zero byte, which OpenSSH does not write: one in 256 does.
const SHORT: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAaAAAABNlY2RzYS
1zaGEyLW5pc3RwMjU2AAAACG5pc3RwMjU2AAAAQQQGgTtIH05+lcPQPUVocGPQ2cFc/iXI
4IdDiF90sovVBpuNZiJ1wdHYSPU8rFzFs0YAaobaQv1q670FjKiJkidOAAAAqIhfkdWIX5
HVAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBAaBO0gfTn6Vw9A9
RWhwY9DZwVz+Jcjgh0OIX3Syi9UGm41mInXB0dhI9TysXMWzRgBqhtpC/WrrvQWMqImSJ0
4AAAAfCQNvISFCEMWqzvbgcmsualuTvwFOVjHOqogn8TskcAAAABFyb3N0ZXJicmlkZ2Ut
dGVzdA==
-----END OPENSSH PRIVATE KEY-----
";

#[rstest]
#[case::plain("", &[])]
#[case::locked(PASSPHRASE, &[])]
#[case::locked_by_cbc(PASSPHRASE, &["-Z", "aes256-cbc"])]
#[case::locked_by_gcm(PASSPHRASE, &["-Z", "aes256-gcm@openssh.com"])]
#[case::locked_by_chacha(PASSPHRASE, &["-Z", "chacha20-poly1305@openssh.com"])]
#[tokio::test]
async fn a_key_with_a_short_number_is_read_and_let_in(#[case] passphrase: &str, #[case] cipher: &[&str]) {
    let sshd = Sshd::start();
    let path = sshd.client_key_file("short");
    fs::write(&path, SHORT).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let public = Command::new("ssh-keygen").arg("-yf").arg(&path).output().unwrap().stdout;
    fs::write(path.with_extension("pub"), &public).unwrap();
    sshd.let_in(&String::from_utf8(public).unwrap());
    if !passphrase.is_empty() {
        let mut locking = Command::new("ssh-keygen");
        locking.args(["-q", "-p", "-P", "", "-N", passphrase]).args(cipher).arg("-f").arg(&path);
        assert!(locking.status().unwrap().success());
    }
    let (key, given) = (read(&path), (!passphrase.is_empty()).then_some(passphrase));
    let facts = check(&key, given).unwrap();
    assert_eq!(facts.sha256, keygen_line(&path)[1]);
    assert_eq!(facts.comment, "rosterbridge-test");
    signs_in(&sshd, key.clone(), given).await.unwrap();
    if given.is_some() {
        assert_eq!(check(&key, Some("open barley")).unwrap_err(), KeyProblem::PassphraseWrong);
    }
}

/// What OpenSSL makes of a key that `ssh-keygen` made.
fn openssl(arguments: &[&str], input: &Path) -> SecretString {
    let output = Command::new("openssl").args(arguments).arg("-in").arg(input).output().expect("openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    SecretString::from(String::from_utf8(output.stdout).unwrap())
}

#[rstest]
#[case::traditional_aes_192(&["rsa", "-traditional", "-aes192", "-passout", "pass:open sesame"])]
#[case::traditional_aes_256(&["rsa", "-traditional", "-aes256", "-passout", "pass:open sesame"])]
#[case::pkcs8_aes_256(&["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:open sesame"])]
#[case::pkcs8_scrypt(&["pkcs8", "-topk8", "-scrypt", "-passout", "pass:open sesame"])]
#[tokio::test]
async fn what_openssl_protects_is_read_and_let_in(#[case] arguments: &[&str]) {
    let sshd = Sshd::start();
    let path = sshd.new_client_key("made", &["rsa", "-b", "2048", "-m", "PEM"], "");
    let key = openssl(arguments, &path);
    let facts = check(&key, Some(PASSPHRASE)).unwrap();
    assert_eq!((facts.sha256, facts.encrypted), (keygen_line(&path)[1].clone(), true));
    signs_in(&sshd, key.clone(), Some(PASSPHRASE)).await.unwrap();
    assert_eq!(check(&key, None).unwrap_err(), KeyProblem::PassphraseMissing);
    assert_eq!(check(&key, Some("open barley")).unwrap_err(), KeyProblem::PassphraseWrong);
}

#[tokio::test]
async fn an_ed25519_key_in_pem_form_is_read_and_let_in() {
    let sshd = Sshd::start();
    let output =
        Command::new("openssl").args(["genpkey", "-algorithm", "ed25519"]).output().expect("openssl");
    let key = SecretString::from(String::from_utf8(output.stdout).unwrap());
    assert_eq!(check(&key, None).unwrap().kind, "ssh-ed25519");
    sshd.let_in(&public_line(&key, None).unwrap());
    signs_in(&sshd, key, None).await.unwrap();
}

#[test]
fn a_cipher_of_old_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made");
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f"])
        .arg(&path)
        .status()
        .unwrap();
    assert!(status.success());
    let key = openssl(&["rsa", "-traditional", "-des3", "-passout", "pass:open sesame"], &path);
    assert_eq!(check(&key, Some(PASSPHRASE)).unwrap_err(), KeyProblem::Unsupported);
}

/// A key that `ssh-keygen` made, in PuTTY's form, as its documentation describes it (appendix C of PuTTY's manual):
/// version 3 without a passphrase, version 2 with one.
fn putty(key: &PrivateKey, comment: &str, passphrase: Option<&str>) -> String {
    let kind = key.algorithm().as_str().to_owned();
    let public = key.public_key().to_bytes().unwrap();
    let number = |bytes: &[u8]| Mpint::from_positive_bytes(bytes).as_bytes().to_vec();
    let parts = match key.key_data() {
        KeypairData::Ed25519(pair) => vec![pair.private.to_bytes().to_vec()],
        KeypairData::Ecdsa(pair) => vec![number(pair.private_key_bytes())],
        KeypairData::Rsa(pair) => {
            let private = pair.private();
            [private.d(), private.p(), private.q(), private.iqmp()]
                .map(|part| part.as_bytes().to_vec())
                .into()
        }
        other => panic!("{other:?}"),
    };
    let string = |part: &[u8]| [&u32::try_from(part.len()).unwrap().to_be_bytes()[..], part].concat();
    let mut private: Vec<u8> = parts.iter().flat_map(|part| string(part)).collect();
    if passphrase.is_some() {
        // Filled up to whole blocks with bytes of its own SHA-1.
        let filling = Sha1::digest(&private);
        private.extend_from_slice(&filling[..(16 - private.len() % 16) % 16]);
    }
    let encryption = if passphrase.is_some() { "aes256-cbc" } else { "none" };
    let signed: Vec<u8> =
        [kind.as_bytes(), encryption.as_bytes(), comment.as_bytes(), &public, &private].map(string).concat();
    let (version, mac) = match passphrase {
        None => {
            let mac = Hmac::<Sha256>::new_from_slice(b"").unwrap().chain_update(signed);
            (3, hex::encode(mac.finalize().into_bytes()))
        }
        Some(passphrase) => {
            let half = |number: u8| Sha1::digest([&[0, 0, 0, number], passphrase.as_bytes()].concat());
            let cipher_key = [half(0), half(1)].concat();
            let cipher = cbc::Encryptor::<aes::Aes256>::new_from_slices(&cipher_key[..32], &[0; 16]).unwrap();
            let length = private.len();
            cipher.encrypt_padded::<NoPadding>(&mut private, length).unwrap();
            let mac_key = Sha1::digest(["putty-private-key-file-mac-key", passphrase].concat());
            let mac = Hmac::<Sha1>::new_from_slice(&mac_key).unwrap().chain_update(signed);
            (2, hex::encode(mac.finalize().into_bytes()))
        }
    };
    let lines = |bytes: &[u8]| {
        let text = STANDARD.encode(bytes);
        let lines: Vec<_> =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("{}\r\n{}", lines.len(), lines.join("\r\n"))
    };
    format!(
        "PuTTY-User-Key-File-{version}: {kind}\r\nEncryption: {encryption}\r\nComment: {comment}\r\n\
         Public-Lines: {}\r\nPrivate-Lines: {}\r\nPrivate-MAC: {mac}\r\n",
        lines(&public),
        lines(&private),
    )
}

#[rstest]
#[case::ed25519(&["ed25519"], "eddsa-key-of-the-office", None)]
#[case::without_comment(&["ed25519"], "", None)]
#[case::ecdsa(&["ecdsa", "-b", "384"], "x", None)]
#[case::rsa(&["rsa", "-b", "2048"], "x", None)]
#[case::ed25519_locked(&["ed25519"], "x", Some(PASSPHRASE))]
#[case::rsa_locked(&["rsa", "-b", "2048"], "x", Some(PASSPHRASE))]
#[tokio::test]
async fn a_key_in_puttys_form_is_read_and_let_in(
    #[case] arguments: &[&str],
    #[case] comment: &str,
    #[case] passphrase: Option<&str>,
) {
    let sshd = Sshd::start();
    let path = sshd.new_client_key("made", arguments, "");
    let key = PrivateKey::from_openssh(fs::read_to_string(&path).unwrap()).unwrap();
    let text = SecretString::from(putty(&key, comment, passphrase));
    let facts = check(&text, passphrase).unwrap();
    assert_eq!((&facts.sha256, facts.comment.as_str()), (&keygen_line(&path)[1], comment));
    assert_eq!(facts.encrypted, passphrase.is_some());
    signs_in(&sshd, text.clone(), passphrase).await.unwrap();
    if passphrase.is_some() {
        assert_eq!(check(&text, None).unwrap_err(), KeyProblem::PassphraseMissing);
        assert_eq!(check(&text, Some("open barley")).unwrap_err(), KeyProblem::PassphraseWrong);
    }
}

/// The key of [`SHORT`] in PuTTY's form, without a passphrase and with one.
const PUTTY_SHORT: &str = "\
PuTTY-User-Key-File-3: ecdsa-sha2-nistp256
Encryption: none
Comment: short
Public-Lines: 3
AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBAaBO0gfTn6V
w9A9RWhwY9DZwVz+Jcjgh0OIX3Syi9UGm41mInXB0dhI9TysXMWzRgBqhtpC/Wrr
vQWMqImSJ04=
Private-Lines: 1
AAAAHwkDbyEhQhDFqs724HJrLmpbk78BTlYxzqqIJ/E7JHA=
Private-MAC: 3b0e2684b4371bd89ec9d4f7313ccd38991023920f930e04cbb09e2ef766ccfb
";
const PUTTY_SHORT_LOCKED: &str = "\
PuTTY-User-Key-File-2: ecdsa-sha2-nistp256
Encryption: aes256-cbc
Comment: short
Public-Lines: 3
AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBAaBO0gfTn6V
w9A9RWhwY9DZwVz+Jcjgh0OIX3Syi9UGm41mInXB0dhI9TysXMWzRgBqhtpC/Wrr
vQWMqImSJ04=
Private-Lines: 1
8TsgRVVZMFo+yfSXh69eisq/tVKMotaFb5o9icajwLXwrgX9ctDIKIzxSMB7n/I6
Private-MAC: 89ab32bed05f13e3eb29c37c35ceda813825d129
";

#[rstest]
#[case::plain(PUTTY_SHORT, None)]
#[case::locked(PUTTY_SHORT_LOCKED, Some(PASSPHRASE))]
fn a_key_with_a_short_number_in_puttys_form_is_read(#[case] text: &str, #[case] passphrase: Option<&str>) {
    let text = SecretString::from(text);
    let facts = check(&text, passphrase).unwrap();
    assert_eq!(facts.sha256, check(&SecretString::from(SHORT), None).unwrap().sha256);
    assert_eq!((facts.comment.as_str(), facts.encrypted), ("short", passphrase.is_some()));
}

/// Version 3 with a passphrase takes Argon2, so this one was made beforehand (a throwaway key; passphrase as above).
const PUTTY_LOCKED: &str = "\
PuTTY-User-Key-File-3: ssh-ed25519
Encryption: aes256-cbc
Comment: throwaway
Public-Lines: 2
AAAAC3NzaC1lZDI1NTE5AAAAICyab5OxLnMwDPBRpciMB1NlbeFkqVssi4Pfr1IW
d91P
Key-Derivation: Argon2id
Argon2-Memory: 256
Argon2-Passes: 3
Argon2-Parallelism: 1
Argon2-Salt: a66244557d1c83c3dd1b6ea0b280623f
Private-Lines: 1
EHsYoJKBX+2FBurt4QOoDgEfYwPp24/oHYK2xuFSC0iJm+W3MezoJRPMC5pOKmya
Private-MAC: c6d64902ac895b6c9b68087cd7b9bfe13735d81f033814b37d3576e77708e253
";

#[tokio::test]
async fn a_key_in_puttys_form_of_today_with_a_passphrase_is_read_and_let_in() {
    let sshd = Sshd::start();
    let text = SecretString::from(PUTTY_LOCKED);
    sshd.let_in(&public_line(&text, Some(&SecretString::from(PASSPHRASE))).unwrap());
    signs_in(&sshd, text.clone(), Some(PASSPHRASE)).await.unwrap();
    assert_eq!(check(&text, None).unwrap_err(), KeyProblem::PassphraseMissing);
    assert_eq!(check(&text, Some("open barley")).unwrap_err(), KeyProblem::PassphraseWrong);
}

#[rstest]
#[case::nothing("", KeyProblem::Unreadable)]
#[case::no_key("what the administrator was sent", KeyProblem::Unreadable)]
#[case::public_key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPublic me@school", KeyProblem::Public)]
#[case::public_ecdsa("\n ecdsa-sha2-nistp256 AAAAE2VjZHNh me@school", KeyProblem::Public)]
#[case::public_pem("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n", KeyProblem::Public)]
#[case::public_ssh2(
    "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----\n",
    KeyProblem::Public
)]
#[case::putty_locked(
    "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: aes256-cbc\nComment: x\n",
    KeyProblem::PassphraseMissing
)]
#[case::putty_cut_off("PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\n", KeyProblem::Unreadable)]
#[case::cut_off(
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU=\n",
    KeyProblem::Unreadable
)]
#[case::damaged(
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n",
    KeyProblem::Unreadable
)]
#[case::dsa(
    "-----BEGIN DSA PRIVATE KEY-----\nMIIB\n-----END DSA PRIVATE KEY-----\n",
    KeyProblem::Unsupported
)]
#[case::empty_rsa(
    "-----BEGIN RSA PRIVATE KEY-----\n\n-----END RSA PRIVATE KEY-----\n",
    KeyProblem::Unreadable
)]
#[case::damaged_iv(
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n\
     -----END RSA PRIVATE KEY-----\n",
    KeyProblem::Unreadable
)]
fn what_is_no_usable_private_key_is_named(#[case] text: &str, #[case] problem: KeyProblem) {
    let passphrase = (problem != KeyProblem::PassphraseMissing).then_some(PASSPHRASE);
    assert_eq!(check(&SecretString::from(text), passphrase).unwrap_err(), problem);
}

#[tokio::test]
async fn a_generated_key_is_let_in() {
    let sshd = Sshd::start();
    let made = generate_key("rosterbridge@office\nssh-rsa smuggled").unwrap();
    assert!(
        made.public_line.starts_with("ssh-ed25519 AAAA")
            && made.public_line.ends_with(" rosterbridge@office ssh-rsa smuggled")
            && made.public_line.lines().count() == 1,
        "{}",
        made.public_line
    );
    assert_eq!(public_line(&made.private, None).unwrap(), made.public_line);
    assert!(!format!("{made:?}").contains("PRIVATE KEY"));
    let refused = signs_in(&sshd, made.private.clone(), None).await.unwrap_err();
    assert_eq!(refused.code(), "sftp.auth_refused");
    sshd.let_in(&made.public_line);
    signs_in(&sshd, made.private.clone(), None).await.unwrap();
    // ssh-keygen reads it too, and no two are the same.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, made.private.expose_secret()).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&path, mode).unwrap();
    let output = Command::new("ssh-keygen").arg("-yf").arg(&path).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), made.public_line);
    assert_ne!(generate_key("").unwrap().public_line, generate_key("").unwrap().public_line);
}

#[test]
fn a_key_written_by_another_program_with_other_line_ends_is_read() {
    let key = PrivateKey::from_openssh(generate_key("x").unwrap().private.expose_secret()).unwrap();
    let windows = key.to_openssh(LineEnding::CRLF).unwrap();
    let pasted =
        format!("\u{feff}Your new key:\r\n\r\n  {}\r\nRegards\r\n", windows.replace("\r\n", "  \r\n "));
    assert_eq!(check(&SecretString::from(pasted), None).unwrap().kind, "ssh-ed25519");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever is pasted: an answer, and no panic of the readers below.
    #[test]
    fn no_text_is_too_odd(
        label in "(OPENSSH |ENCRYPTED |RSA |EC |DSA )?PRIVATE KEY",
        header in "(Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-(128|192|256)-CBC,[0-9A-F]{30,34}\n\n)?",
        start in "(openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none)?",
        body in proptest::collection::vec(any::<u8>(), 0..80),
        passphrase: bool,
    ) {
        let body = [start.into_bytes(), body].concat();
        let text = format!(
            "-----BEGIN {label}-----\n{header}{}\n-----END {label}-----\n",
            STANDARD.encode(body)
        );
        let passphrase = passphrase.then_some(PASSPHRASE);
        prop_assert!(check(&SecretString::from(text), passphrase).is_err());
    }

    #[test]
    fn a_damaged_key_is_never_taken_for_another(at in 0_usize..600, byte in "[A-Za-z0-9+/]") {
        static KNOWN: LazyLock<(String, String)> = LazyLock::new(|| {
            let key = generate_key("throwaway").unwrap().private;
            let sha256 = check(&key, None).unwrap().sha256;
            (key.expose_secret().to_owned(), sha256)
        });
        let (mut text, sha256) = KNOWN.clone();
        let at = at % (text.len() - 1);
        text.replace_range(at..=at, &byte);
        if let Ok(facts) = check(&SecretString::from(text), None) {
            prop_assert_eq!(facts.sha256, sha256);
        }
    }
}
