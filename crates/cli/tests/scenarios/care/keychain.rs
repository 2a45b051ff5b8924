//! A lost key, and what is left of an erased district.

use std::fs;

use rosterbridge_vault::{SecretName, Vault};
use serde_json::Value;

use crate::support::{District, Profile};

/// Does something with a profile's part of the keychain.
pub fn in_keychain<T>(identity: &str, work: impl AsyncFnOnce(&Vault) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let identity = identity.parse().unwrap();
    runtime.block_on(async { work(&Vault::open(identity).await.unwrap()).await })
}

pub fn identity(profile: &Profile) -> String {
    let text = fs::read_to_string(profile.folder().join("profile.json")).unwrap();
    let identity: Value = serde_json::from_str(&text).unwrap();
    identity["id"].as_str().unwrap().to_owned()
}

/// What the keychain has of a profile.
pub fn entries(identity: &str) -> Vec<String> {
    in_keychain(identity, async |vault| {
        let mut entries = Vec::new();
        if vault.profile_key(false).await.is_ok() {
            entries.push("profile-key".to_owned());
        }
        for name in SecretName::possible() {
            if vault.holds(name).await.unwrap() {
                entries.push(name.to_string());
            }
        }
        entries
    })
}

#[test]
fn a_lost_key_comes_back_from_the_recovery_file() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.run(&["sync"]).done();
    let file = profile.home().join("recovery.age");
    let write = ["backup", "recovery-file", file.to_str().unwrap()];
    profile.run(&write).ended(1, "secret.not_given");
    profile.run_with_input(&write, "too short").ended(1, "vault.short_passphrase");
    profile.run_with_input(&write, "four words on paper\n").done();

    in_keychain(&identity(&profile), async |vault| vault.erase().await.unwrap());
    profile.run(&["sync"]).ended(1, "vault.key_missing");
    let recover = ["backup", "recover", file.to_str().unwrap()];
    profile.run_with_input(&recover, "other words on paper").ended(1, "vault.wrong_passphrase");
    profile.run(&["sync"]).ended(1, "vault.key_missing");
    profile.run_with_input(&recover, "four words on paper").done();

    // The secrets were lost too, and are entered again.
    profile.set_secret("powerschool.client-secret", &district.ready.powerschool.client_secret);
    profile.set_secret("hero.password", &district.ready.hero.password);
    profile.run(&["sync"]).done();
    district.holds_each_once(&district.day(&profile.setup()));
}

#[test]
fn nothing_of_an_erased_district_is_left() {
    let district = District::start(&["--latency-ms", "300"]);
    let profile = Profile::of(&district);
    profile.run(&["backup", "now"]).done();
    let identity = identity(&profile);
    assert!(entries(&identity).len() >= 3);
    let erase = ["erase", "--confirm", "practice"];
    profile.run(&["erase", "--confirm", "Practice"]).ended(1, "profile.not_confirmed");

    // Not while somebody works on it.
    let (mut sync, _progress) = profile.under_way(&["sync"]);
    profile.run(&erase).ended(1, "run.busy");
    profile.run(&["backup", "restore"]).ended(1, "run.busy");
    assert!(sync.try_wait().unwrap().is_none(), "the run went on meanwhile");
    profile.finish(sync).done();

    profile.run(&erase).done();
    assert!(!profile.folder().exists());
    assert_eq!(entries(&identity), Vec::<String>::new());
    profile.run(&["status"]).ended(1, "profile.not_found");
}
