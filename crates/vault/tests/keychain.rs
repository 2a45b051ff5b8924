//! The vault in a real Secret Service. These tests run inside a session with an unlocked keyring, which
//! `cargo xtask test` starts; on Windows and macOS the system's own keychain is used.
// Fixtures fail a test by panicking, like the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use rosterbridge_domain::settings::ConnectionId;
use rosterbridge_vault::{LONGEST_KEYCHAIN_VALUE, ProfileKey, SealedSecret, SecretName, Vault, VaultError};
use rstest::rstest;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

/// A profile of its own for each test, erased at its end.
async fn vault() -> Vault {
    Vault::open(Uuid::new_v4()).await.unwrap_or_else(|error| {
        panic!("{error}. Run the tests with `cargo xtask test`, which starts a keyring. ({error:?})")
    })
}

async fn text_of(vault: &Vault, name: SecretName) -> Option<String> {
    vault.get(name).await.unwrap().map(|secret| secret.expose_secret().to_owned())
}

#[tokio::test]
async fn every_secret_is_kept_under_its_own_name() {
    let vault = vault().await;
    for name in SecretName::of([ConnectionId::HERO, ConnectionId::RAPTOR]) {
        assert!(!vault.holds(name).await.unwrap());
        vault.set(name, &format!("the value of {name}").into()).await.unwrap();
    }
    for name in SecretName::of([ConnectionId::HERO, ConnectionId::RAPTOR]) {
        assert_eq!(text_of(&vault, name).await, Some(format!("the value of {name}")));
    }
    vault.set(SecretName::password(ConnectionId::HERO), &"a new one".into()).await.unwrap();
    assert_eq!(text_of(&vault, SecretName::password(ConnectionId::HERO)).await.as_deref(), Some("a new one"));
    assert!(vault.delete(SecretName::password(ConnectionId::HERO)).await.unwrap());
    assert!(!vault.delete(SecretName::password(ConnectionId::HERO)).await.unwrap());
    assert_eq!(text_of(&vault, SecretName::password(ConnectionId::HERO)).await, None);
    assert!(vault.holds(SecretName::SmtpPassword).await.unwrap());
    vault.erase().await.unwrap();
}

#[tokio::test]
async fn a_probe_works_again_and_again_and_touches_no_secret() {
    let vault = vault().await;
    vault.set(SecretName::password(ConnectionId::HERO), &"tulip".into()).await.unwrap();
    // At the same time, too: a test that waits may begin while a person tests.
    let (first, second, third) = tokio::join!(vault.probe(), vault.probe(), vault.probe());
    for probed in [first, second, third, vault.probe().await] {
        probed.unwrap();
    }
    assert_eq!(text_of(&vault, SecretName::password(ConnectionId::HERO)).await.as_deref(), Some("tulip"));
    vault.erase().await.unwrap();
}

#[rstest]
#[case::letters("Zürich-Ñandú-日本語-🔑 with 'quotes' and \"more\"".to_owned())]
#[case::lines("-----BEGIN-----\r\nabc\n\t-----END-----\n".to_owned())]
#[case::longest("x".repeat(LONGEST_KEYCHAIN_VALUE))]
#[tokio::test]
async fn a_value_comes_back_as_it_was(#[case] text: String) {
    let vault = vault().await;
    vault.set(SecretName::password(ConnectionId::HERO), &text.as_str().into()).await.unwrap();
    let again = Vault::open(vault.profile()).await.unwrap();
    assert_eq!(text_of(&again, SecretName::password(ConnectionId::HERO)).await, Some(text));
    vault.erase().await.unwrap();
}

#[rstest]
#[case::too_long("x".repeat(LONGEST_KEYCHAIN_VALUE + 1), "vault.too_long")]
// Windows counts UTF-16 units: one key emoji is two.
#[case::too_long_in_utf16("🔑".repeat(LONGEST_KEYCHAIN_VALUE / 2 + 1), "vault.too_long")]
#[case::empty(String::new(), "vault.empty")]
#[tokio::test]
async fn a_value_no_keychain_should_take_is_refused(#[case] text: String, #[case] code: &str) {
    let vault = vault().await;
    let error = vault.set(SecretName::private_key(ConnectionId::HERO), &text.into()).await.unwrap_err();
    assert_eq!(error.code(), code);
    assert!(!vault.holds(SecretName::private_key(ConnectionId::HERO)).await.unwrap());
}

#[tokio::test]
async fn the_profile_key_is_made_once_and_only_when_told() {
    let vault = vault().await;
    let Err(error) = vault.profile_key(false).await else { panic!("a key was made unasked") };
    assert_eq!(error.code(), "vault.key_missing");
    let made = vault.profile_key(true).await.map_err(|error| error.code()).unwrap();
    let kept = vault.profile_key(false).await.map_err(|error| error.code()).unwrap();
    let kept_again = vault.profile_key(true).await.map_err(|error| error.code()).unwrap();
    assert!(made.expose() == kept.expose() && kept.expose() == kept_again.expose());

    let other = Vault::open(Uuid::new_v4()).await.unwrap();
    let theirs = other.profile_key(true).await.map_err(|error| error.code()).unwrap();
    assert!(theirs.expose() != made.expose());

    vault.erase().await.unwrap();
    assert!(matches!(vault.profile_key(false).await, Err(VaultError::KeyMissing)));
    vault.restore_profile_key(&made).await.unwrap();
    let restored = vault.profile_key(false).await.map_err(|error| error.code()).unwrap();
    assert!(restored.expose() == made.expose());
    vault.erase().await.unwrap();
    other.erase().await.unwrap();
}

#[tokio::test]
async fn erasing_touches_no_other_profile() {
    let (ours, theirs) = (vault().await, vault().await);
    for vault in [&ours, &theirs] {
        vault.set(SecretName::SmtpPassword, &"mail".into()).await.unwrap();
        assert!(vault.profile_key(true).await.is_ok());
    }
    ours.erase().await.unwrap();
    ours.erase().await.unwrap();
    assert!(!ours.holds(SecretName::SmtpPassword).await.unwrap());
    assert!(theirs.holds(SecretName::SmtpPassword).await.unwrap());
    assert!(theirs.profile_key(false).await.is_ok());
    theirs.erase().await.unwrap();
}

#[tokio::test]
async fn a_long_secret_is_sealed_for_one_profile_and_name() {
    let (profile, other) = (Uuid::new_v4(), Uuid::new_v4());
    let key = ProfileKey::from_bytes([7; ProfileKey::BYTES]);
    let secret = SecretString::from("private key line\n".repeat(200));
    let sealed =
        SealedSecret::seal(&key, profile, SecretName::private_key(ConnectionId::HERO), &secret).unwrap();
    assert!(!sealed.as_bytes().windows(11).any(|window| window == b"private key"));
    let stored = SealedSecret::from_bytes(sealed.as_bytes().to_vec());
    let opened = stored.open(&key, profile, SecretName::private_key(ConnectionId::HERO)).unwrap();
    assert_eq!(opened.expose_secret(), secret.expose_secret());

    // A second seal of the same value shows nothing of the first.
    let again =
        SealedSecret::seal(&key, profile, SecretName::private_key(ConnectionId::HERO), &secret).unwrap();
    assert_ne!(again.as_bytes(), sealed.as_bytes());

    let other_key = ProfileKey::from_bytes([8; ProfileKey::BYTES]);
    for (key, profile, name) in [
        (&other_key, profile, SecretName::private_key(ConnectionId::HERO)),
        (&key, other, SecretName::private_key(ConnectionId::HERO)),
        (&key, profile, SecretName::password(ConnectionId::HERO)),
    ] {
        assert_eq!(stored.open(key, profile, name).unwrap_err().code(), "vault.seal_broken");
    }
}

#[test]
fn an_altered_seal_does_not_open() {
    let key = ProfileKey::from_bytes([7; ProfileKey::BYTES]);
    let name = SecretName::private_key(ConnectionId::HERO);
    let whole = SealedSecret::seal(&key, Uuid::nil(), name, &"secret".into()).unwrap().as_bytes().to_vec();
    for position in 0..whole.len() {
        let mut altered = whole.clone();
        altered[position] ^= 1;
        let error = SealedSecret::from_bytes(altered).open(&key, Uuid::nil(), name).unwrap_err();
        assert_eq!(error.code(), "vault.seal_broken", "byte {position}");
    }
    for length in 0..whole.len() {
        let cut = SealedSecret::from_bytes(whole[..length].to_vec());
        assert!(cut.open(&key, Uuid::nil(), name).is_err(), "{length} bytes");
    }
}

#[rstest]
#[case("powerschool.client-secret", SecretName::PowerSchoolClientSecret)]
#[case("hero.password", SecretName::password(ConnectionId::HERO))]
#[case("hero.private-key", SecretName::private_key(ConnectionId::HERO))]
#[case("hero.key-passphrase", SecretName::key_passphrase(ConnectionId::HERO))]
#[case("raptor.password", SecretName::password(ConnectionId::RAPTOR))]
#[case("smtp.password", SecretName::SmtpPassword)]
#[case("proxy.password", SecretName::ProxyPassword)]
#[case("handover.identity", SecretName::HandoverIdentity)]
fn the_written_names_are_the_contract(#[case] text: &str, #[case] name: SecretName) {
    assert_eq!(text.parse::<SecretName>().unwrap(), name);
    assert_eq!(name.to_string(), text);
    let upper = text.to_uppercase().parse::<SecretName>().unwrap_err();
    assert_eq!(upper.code(), "vault.unknown_name");
    assert!(upper.remedy().contains(text));
}

#[test]
fn a_key_reads_itself_and_nothing_else() {
    let key = ProfileKey::generate().map_err(|error| error.code()).unwrap();
    let hex = key.to_hex();
    assert_eq!(hex.len(), 64);
    let Ok(read) = ProfileKey::from_hex(&hex) else { panic!("the key did not read its own form") };
    assert!(read.expose() == key.expose());
    for damaged in ["", "00", &hex[1..], &hex.replace(|_: char| true, "g")] {
        assert!(matches!(ProfileKey::from_hex(damaged), Err(VaultError::KeyDamaged)));
    }
}
