//! Pinned host keys, against OpenSSH's own sshd: asked for by type, and a full stop when they change.
#![cfg(unix)]
// Fixtures fail a test by panicking, like the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use rosterbridge_sftp::{Error, Pin, connect, presented_host_key};
use rstest::rstest;
use support::sshd::{Options, PASSWORD, Sshd};
use tokio_util::sync::CancellationToken;

const ALL: &[&str] = &["ecdsa", "rsa"];

async fn presented(sshd: &Sshd, pins: &[Pin]) -> Result<Pin, Error> {
    let session = connect(&sshd.connection(), pins, &CancellationToken::new()).await?;
    Ok(Pin::from(session.host_key()))
}

#[rstest]
#[case::ed25519("host_key")]
#[case::ecdsa("host_key_ecdsa")]
#[case::rsa("host_key_rsa")]
#[tokio::test]
async fn the_pinned_type_is_asked_for(#[case] name: &str) {
    let sshd = Sshd::with(&Options { more_host_keys: ALL, ..Options::default() });
    let pin = sshd.pin_of(name);
    assert_eq!(presented(&sshd, std::slice::from_ref(&pin)).await.unwrap(), pin);
}

#[tokio::test]
async fn any_of_several_pinned_keys_is_taken() {
    let all = Sshd::with(&Options { more_host_keys: ALL, ..Options::default() });
    let pins = [all.pin_of("host_key_rsa"), all.pin_of("host_key"), all.pin_of("host_key_ecdsa")];
    // The best of those that are pinned, whatever their order.
    assert_eq!(presented(&all, &pins).await.unwrap(), pins[1]);
    assert_eq!(presented(&all, &[pins[0].clone(), pins[2].clone()]).await.unwrap(), pins[2]);
}

#[tokio::test]
async fn a_key_is_looked_at_without_signing_in() {
    let sshd = Sshd::with(&Options { more_host_keys: ALL, ..Options::default() });
    let (connection, cancel) = (sshd.connection(), CancellationToken::new());
    for (pins, name) in [(vec![], "host_key"), (vec![sshd.pin_of("host_key_rsa")], "host_key_rsa")] {
        let key = presented_host_key(&connection, &pins, &cancel).await.unwrap();
        assert_eq!(Pin::from(&key), sshd.pin_of(name));
    }
    assert!(!sshd.log_with("Connection from", 2).contains("userauth"), "{}", sshd.log());
    cancel.cancel();
    let cancelled = presented_host_key(&connection, &[], &cancel).await;
    assert!(matches!(cancelled, Err(Error::Cancelled)), "{cancelled:?}");
}

#[rstest]
#[case::same_type("ed25519")]
#[case::another_type("rsa")]
#[tokio::test]
async fn a_key_changed_under_a_running_server_stops_before_anything_is_told(#[case] kind: &str) {
    let sshd = Sshd::start();
    let pins = sshd.pins();
    presented(&sshd, &pins).await.unwrap();
    let known = sshd.log_with("userauth-request", 1).matches("userauth-request").count();

    sshd.replace_host_keys(kind);
    let error = presented(&sshd, &pins).await.unwrap_err();
    let Error::HostKeyChanged { pinned, presented: shown } = &error else { panic!("{error:?}") };
    assert_eq!((pinned, Pin::from(&**shown)), (&pins, sshd.pin_of("host_key")));
    assert!(
        error.to_string().contains(&pins[0].sha256) && error.to_string().contains(&sshd.pin()),
        "{error}"
    );
    assert!(!error.is_transient());
    assert_eq!(sshd.log().matches("userauth-request").count(), known, "{}", sshd.log());
    // Once accepted, it is the one that is asked for.
    assert_eq!(presented(&sshd, &sshd.pins()).await.unwrap(), sshd.pin_of("host_key"));
}

#[tokio::test]
async fn a_server_that_gets_another_key_beside_the_pinned_one_has_not_changed() {
    let sshd = Sshd::with(&Options { host_key_type: Some("rsa"), ..Options::default() });
    let pin = sshd.pin_of("host_key");
    assert_eq!(presented(&sshd, std::slice::from_ref(&pin)).await.unwrap(), pin);
    // Without a pin it is the better one that is shown.
    let both = Sshd::with(&Options {
        host_key_type: Some("rsa"),
        more_host_keys: &["ed25519"],
        ..Options::default()
    });
    let error = presented(&both, &[]).await.unwrap_err();
    let Error::HostKeyUnknown(key) = &error else { panic!("{error:?}") };
    assert_eq!(Pin::from(&**key), both.pin_of("host_key_ed25519"));
    assert_eq!(presented(&both, &[both.pin_of("host_key")]).await.unwrap(), both.pin_of("host_key"));
}

#[tokio::test]
async fn a_pin_of_a_type_nobody_knows_is_a_changed_key() {
    let sshd = Sshd::start();
    let pins = [Pin { algorithm: "ssh-dss".to_owned(), sha256: "SHA256:none".to_owned() }];
    let error = presented(&sshd, &pins).await.unwrap_err();
    assert_eq!(error.code(), "sftp.host_key_changed", "{error:?}");
}

#[tokio::test]
async fn a_password_user_meets_the_same_stop() {
    let sshd = Sshd::with(&Options { password_account: true, more_host_keys: ALL, ..Options::default() });
    let connection = sshd.connection_with_password(PASSWORD);
    let pins = [sshd.pin_of("host_key_ecdsa")];
    connect(&connection, &pins, &CancellationToken::new()).await.unwrap();
    let asked = sshd.log_with("Accepted password", 1).matches("userauth-request").count();
    sshd.replace_host_keys("rsa");
    let error = connect(&connection, &pins, &CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.code(), "sftp.host_key_changed", "{error:?}");
    assert_eq!(sshd.log().matches("userauth-request").count(), asked);
}
