//! All four of Hero's jobs at an OpenSSH server: a user with a password, who sees nothing but their own files.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _, path::Path};

use serde_json::{Value, json};

use crate::{
    raptor_roster::sshd::{Options, PASSWORD, Sshd},
    support::{District, EXPORTS, Profile, files_below},
};

const IMPORT: &str = "hero-attendance";
const EXPORT: &str = "export/ATTENDANCE.txt";
const ALL: [&str; 4] = [EXPORTS[0], EXPORTS[1], EXPORTS[2], IMPORT];

/// `sync` for all four.
fn everything() -> Vec<&'static str> {
    [["sync"].as_slice(), &ALL].concat()
}

/// Every file below a folder: what is in it, and which file it is.
fn contents(folder: &Path) -> BTreeMap<String, (Vec<u8>, u64)> {
    let name = |path: &Path| path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
    files_below(folder)
        .iter()
        .map(|path| (name(path), (fs::read(path).unwrap(), fs::metadata(path).unwrap().ino())))
        .collect()
}

fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    contents(folder).into_iter().map(|(name, (bytes, _))| (name, bytes)).collect()
}

/// Hero writes its export, there and at the practice district.
fn place_export(district: &District, sshd: &Sshd) {
    fs::copy(district.hero(EXPORT), sshd.files().join(EXPORT)).unwrap();
}

#[test]
fn everything_is_exchanged_with_an_openssh_server() {
    let sshd = Sshd::with(&Options { password_account: true, chroot: true, ..Options::default() });
    let district = District::start(&["--students", "300"]);
    let profile = Profile::of(&district);
    profile.run(&[["sync"].as_slice(), &EXPORTS].concat()).done();
    let at_practice = bytes(&district.hero("imports"));
    assert_eq!(at_practice.len(), 3, "{:?}", at_practice.keys());

    let (port, username) = (sshd.port.to_string(), sshd.connection_with_password(PASSWORD).username);
    let set = ["connections", "set", "hero", "--host", "127.0.0.1", "--port", &port];
    profile.run(&[set.as_slice(), &["--username", &username]].concat()).done();
    profile.set_secret("hero.password", PASSWORD);
    profile.run(&["test", "connection", "hero", "--accept-host-key", &sshd.pin()]).done();
    place_export(&district, &sshd);

    // What lies at another server does not count as sent to this one.
    let first = profile.run(&everything()).done();
    assert!(bytes(&sshd.files().join("imports")) == at_practice, "other files than the practice server has");
    let records = district.hero_records();
    assert!(records.len() >= 10);
    assert_eq!(first.job(IMPORT)["rows"]["written"], records.len(), "{}", first.stdout);
    district.holds_each_once(&records);

    let written = district.audit().len();
    let again = profile.run(&everything()).done();
    assert_eq!(again.job(IMPORT)["rows"]["written"], 0, "{}", again.stdout);
    assert_eq!(again.job(IMPORT)["rows"]["noop"], records.len(), "{}", again.stdout);
    assert_eq!(district.audit().len(), written);
    assert!(bytes(&sshd.files().join("imports")) == at_practice);

    // From here there would be something to do for each of them.
    district.hero_export(None, &json!({"more_rows": 3}));
    place_export(&district, &sshd);
    let renamed = |table: &str, all: Value| json!({"change": {"table": table, "where": all, "set": {"Last_Name": "Renamed"}}});
    district.change(&json!([
        renamed("Students", json!({"Enroll_Status": 0})),
        renamed("Users", json!({"HomeSchoolID": district.ready.hero_accounts[0].schools[0]})),
    ]));
    let there = contents(&sshd.files());
    let (old, let_in) = (sshd.pin(), sshd.log().matches("Accepted ").count());
    assert!(let_in > 0);
    sshd.replace_host_keys("ed25519");
    assert_ne!(sshd.pin(), old);

    let stopped = profile.run(&everything()).ended(3, "sftp.host_key_changed");
    for job in ALL {
        assert_eq!(stopped.job(job)["cause"]["code"], "sftp.host_key_changed", "{}", stopped.stdout);
        profile.run(&["sync", job]).ended(3, "sftp.host_key_changed");
    }
    assert!(contents(&sshd.files()) == there, "something was sent to a server with another key");
    assert_eq!(district.audit().len(), written, "something of a server with another key was written");
    // Not even the password was shown to it.
    assert_eq!(sshd.log().matches("Accepted ").count(), let_in);
    assert_eq!(sshd.log().matches("Failed ").count(), 0);

    // The vendor confirms the new key: all that waited is exchanged.
    let replace = ["connections", "replace-host-key", "hero", "--presented", &sshd.pin()];
    profile.run(&[replace.as_slice(), &["--typed", &sshd.pin()["SHA256:".len()..][..8]]].concat()).done();
    let caught_up = profile.run(&everything()).done();
    assert_eq!(caught_up.job(IMPORT)["rows"]["written"], 3, "{}", caught_up.stdout);
    district.holds_each_once(&district.hero_records());
    for (name, (sent, _)) in contents(&sshd.files().join("imports")) {
        assert_ne!(sent, at_practice[&name], "{name} is as before");
    }
}
