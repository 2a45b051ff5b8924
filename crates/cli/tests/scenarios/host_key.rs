//! The server's identity: asked once, never accepted unseen, and a full stop when it changes.

use std::fs;

use serde_json::Value;

use crate::support::{District, EXPORTS, Profile, files_in};

const OTHER_KEY: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[test]
fn an_unknown_host_key_waits_for_a_person() {
    let district = District::start(&[]);
    let profile = Profile::importing(&district, &["--no-pin"]);
    let presented = district.ready.hero.host_key_sha256.clone();

    let sync = profile.run(&["sync"]).ended(3, "sftp.host_key_unknown");
    for job in EXPORTS.into_iter().chain(["hero-attendance"]) {
        // The others are not tried once the first has found out.
        assert_eq!(sync.job(job)["outcome"], if job == EXPORTS[0] { "failed" } else { "skipped" });
        assert_eq!(sync.job(job)["cause"]["code"], "sftp.host_key_unknown");
    }
    assert_eq!(files_in(&district.hero("imports")), Vec::<String>::new());
    // Raptor does not wait for Hero.
    assert_eq!(sync.job("raptor-roster")["outcome"], "succeeded");
    assert_eq!(sync.job("raptor-tardies")["rows"]["written"], 6);

    let test = profile.run(&["test", "hero"]).ended(3, "sftp.host_key_unknown");
    assert_eq!(test.data()["host_key_sha256"], presented);
    assert_eq!(test.data()["host_key"]["accepted"], false);

    let refused = profile.run(&["test", "hero", "--accept-host-key", OTHER_KEY]);
    assert_eq!((refused.exit, refused.code()), (3, "sftp.host_key_mismatch"), "{}", refused.stdout);
    assert_eq!(refused.data()["host_key_sha256"], presented);
    profile.run(&["test", "hero"]).ended(3, "sftp.host_key_unknown");

    let accepted = profile.run(&["test", "hero", "--accept-host-key", &presented]).done();
    assert_eq!(accepted.data()["host_key"]["accepted"], true);
    profile.run(&["test", "hero"]).done();
    profile.run(&["sync"]).done();
    district.holds_each_once(&district.day(&profile.setup()));
}

#[test]
fn a_changed_host_key_stops_everything_to_that_server() {
    let mut district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.run(&["sync"]).done();
    let sent = fs::metadata(district.hero("imports/STUDENT.TXT")).unwrap().modified().unwrap();
    let writes = district.audit().len();
    let pinned = district.ready.hero.host_key_sha256.clone();

    district.stop();
    let path = district.data().join("identity.json");
    let mut identity: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    identity["host_key"] = rosterbridge_practice::hero::generate_host_key().unwrap().into();
    fs::write(&path, identity.to_string()).unwrap();
    district.restart();
    let presented = district.ready.hero.host_key_sha256.clone();
    assert_ne!(presented, pinned);

    let sync = profile.run(&["sync"]).ended(3, "sftp.host_key_changed");
    for job in EXPORTS.into_iter().chain(["hero-attendance"]) {
        assert_eq!(sync.job(job)["cause"]["code"], "sftp.host_key_changed");
    }
    assert_eq!(fs::metadata(district.hero("imports/STUDENT.TXT")).unwrap().modified().unwrap(), sent);
    assert_eq!(files_in(&district.hero("imports")), ["SCHEDULE.TXT", "STUDENT.TXT", "TEACHER.txt"]);
    assert_eq!(district.audit().len(), writes);

    let test = profile.run(&["test", "hero"]).ended(3, "sftp.host_key_changed");
    assert_eq!(test.data()["host_key_sha256"], presented);
    assert_eq!(test.data()["host_key"]["pinned_instead"]["sha256"], pinned);
    // Accepting answers the question of a first contact only.
    profile.run(&["test", "hero", "--accept-host-key", &presented]).ended(3, "sftp.host_key_changed");
    profile.run(&["sync", "hero-students"]).ended(3, "sftp.host_key_changed");
}
