//! What is agreed on with servers that offer little, and how it is explained when nothing is.
#![cfg(unix)]
// Fixtures fail a test by panicking, like the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::Write;
use std::net::TcpListener;

use rosterbridge_sftp::algorithms::{CIPHERS, HOST_KEYS, KEY_EXCHANGES, Kind, LEGACY, MACS};
use rosterbridge_sftp::{Error, Needs, Outcome, RemoteFolder, Stage, connect, test as test_connection};
use rstest::rstest;
use ssh2::MethodType;
use support::sshd::{Options, Sshd};
use tokio_util::sync::CancellationToken;

/// What the library has been built with is what is asked for: nothing is offered that nobody decided on, and what the
/// legacy setting promises is there.
#[test]
fn every_algorithm_the_library_has_is_either_good_or_legacy() {
    let library = ssh2::Session::new().unwrap();
    let legacy = |kind| LEGACY.iter().filter(move |legacy| legacy.kind == kind).map(|legacy| legacy.name);
    for (method, kind, good) in [
        (MethodType::Kex, Kind::KeyExchange, &KEY_EXCHANGES[..]),
        (MethodType::HostKey, Kind::HostKey, &HOST_KEYS[..]),
        (MethodType::CryptCs, Kind::Cipher, &CIPHERS[..]),
        (MethodType::MacCs, Kind::Mac, &MACS[..]),
    ] {
        let has: Vec<_> = library
            .supported_algs(method)
            .unwrap()
            .into_iter()
            // Names that stand for an ability of the protocol, and keys signed by an authority, which nobody pins.
            .filter(|name| !name.starts_with("ext-info-") && !name.starts_with("kex-strict-"))
            .filter(|name| !name.contains("-cert-v01@"))
            .collect();
        for name in &has {
            assert!(good.contains(name) || legacy(kind).any(|other| other == *name), "{kind:?} {name}");
        }
        for name in legacy(kind) {
            assert!(has.contains(&name), "{name} is promised and missing");
        }
        assert!(good.iter().any(|name| has.contains(name)), "{kind:?}");
    }
}

async fn tried(sshd: &Sshd, allow_legacy: bool) -> Result<(), Error> {
    let mut connection = sshd.connection();
    connection.allow_legacy = allow_legacy;
    connect(&connection, &sshd.pins(), &CancellationToken::new()).await.map(drop)
}

#[rstest]
#[case::cbc("Ciphers aes128-cbc", "Ciphers +aes256-cbc")]
#[tokio::test]
async fn an_old_cipher_is_agreed_on_only_where_it_is_allowed(
    #[case] only: &'static str,
    #[case] also: &'static str,
) {
    let sshd = Sshd::with(&Options { config: only, ..Options::default() });
    let error = tried(&sshd, false).await.unwrap_err();
    assert_eq!(error.code(), "sftp.handshake", "{error:?}");
    assert!(error.to_string().ends_with("the server accepts no other ciphers than aes128-cbc"), "{error}");
    assert!(error.remedy().contains("Allow legacy ciphers"), "{}", error.remedy());
    tried(&sshd, true).await.unwrap();

    // Allowed is not preferred.
    let sshd = Sshd::with(&Options { config: also, ..Options::default() });
    let mut connection = sshd.connection();
    connection.allow_legacy = true;
    let greeting = greeting(&connection, &sshd).await;
    assert!(greeting.ends_with("cipher aes256-gcm@openssh.com"), "{greeting}");
}

async fn greeting(connection: &rosterbridge_sftp::Connection, sshd: &Sshd) -> String {
    let needs = Needs { download_folders: vec![RemoteFolder::parse("export").unwrap()], ..Needs::default() };
    let report =
        test_connection(connection, &sshd.pins(), None, &needs, &CancellationToken::new(), |_| ()).await;
    let at = Stage::ALL.iter().position(|stage| *stage == Stage::Greeting).unwrap();
    match &report.stages[at].outcome {
        Outcome::Passed(found) => found.clone(),
        Outcome::Warned { found, warning } => format!("{}: {found}", warning.code()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_old_cipher_in_use_is_a_warning() {
    let sshd =
        Sshd::with(&Options { config: "Ciphers aes192-cbc\nMACs hmac-sha2-256", ..Options::default() });
    let mut connection = sshd.connection();
    connection.allow_legacy = true;
    let greeting = greeting(&connection, &sshd).await;
    assert!(
        greeting.starts_with("sftp.legacy_in_use: SSH-2.0-")
            && greeting.ends_with(", cipher aes192-cbc, MAC hmac-sha2-256"),
        "{greeting}"
    );
}

#[rstest]
#[case::key_exchange(
    "KexAlgorithms diffie-hellman-group14-sha1,diffie-hellman-group1-sha1",
    "key exchanges than diffie-hellman-group14-sha1, diffie-hellman-group1-sha1"
)]
#[case::host_key("HostKeyAlgorithms ssh-rsa", "types of host key than ssh-rsa")]
#[case::cipher("Ciphers 3des-cbc", "ciphers than 3des-cbc")]
#[case::mac(
    "Ciphers aes128-ctr\nMACs hmac-sha1,hmac-md5",
    "message authentication codes than hmac-sha1, hmac-md5"
)]
#[tokio::test]
async fn what_a_server_insists_on_is_named_and_no_setting_adds_it(
    #[case] config: &'static str,
    #[case] insists: &str,
) {
    let sshd = Sshd::with(&Options { config, host_key_type: Some("rsa"), ..Options::default() });
    for allow_legacy in [false, true] {
        let error = tried(&sshd, allow_legacy).await.unwrap_err();
        assert_eq!(error.code(), "sftp.handshake", "{error:?}");
        assert!(error.to_string().contains(&format!("the server accepts no other {insists}")), "{error}");
        assert!(!error.remedy().contains("Allow legacy"), "{}", error.remedy());
    }
    assert!(!sshd.log().contains("userauth"), "{}", sshd.log());
}

#[rstest]
#[case::kex("KexAlgorithms diffie-hellman-group14-sha256")]
#[case::nist("KexAlgorithms ecdh-sha2-nistp521")]
#[case::group_exchange("KexAlgorithms diffie-hellman-group-exchange-sha256")]
#[case::gcm("Ciphers aes128-gcm@openssh.com")]
#[case::chacha("Ciphers chacha20-poly1305@openssh.com")]
#[case::ctr_and_mac("Ciphers aes256-ctr\nMACs hmac-sha2-512")]
#[case::rsa_sha256("HostKeyAlgorithms rsa-sha2-256")]
#[tokio::test]
async fn each_of_the_good_ones_is_enough(#[case] config: &'static str) {
    let sshd = Sshd::with(&Options { config, host_key_type: Some("rsa"), ..Options::default() });
    tried(&sshd, false).await.unwrap();
}

/// Servers that greet and then go wrong: the failure stays the handshake's, and nothing hangs or grows.
#[rstest]
#[case::hangs_up(b"SSH-2.0-odd\r\n".as_slice())]
#[case::huge_packet(b"SSH-2.0-odd\r\n\xff\xff\xff\xff\x04\x14".as_slice())]
#[case::no_lists(b"SSH-2.0-odd\r\n\0\0\0\x0c\x04\x14\0\0\0\0\0\0\0\0\0\0".as_slice())]
#[tokio::test]
async fn a_server_that_talks_nonsense_is_a_failed_handshake(#[case] said: &'static [u8]) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.write_all(said).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            // Until the other side has gone, whatever it sends.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    let sshd = Sshd::start();
    let mut connection = sshd.connection();
    connection.address.port = port;
    let error = connect(&connection, &[], &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error.code(), "sftp.handshake" | "sftp.disconnected"), "{} {error:?}", error.code());
}
