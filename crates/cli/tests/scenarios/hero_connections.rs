//! Managed connections: the questions about host keys, the keys to sign in with, and how many sessions there may be.

use std::{
    fs,
    io::{BufRead as _, BufReader},
};

use serde_json::{Value, json};

use crate::support::{District, Profile, rosterbridge, until};

const OTHER_KEY: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What a person types to replace an accepted key.
fn beginning(sha256: &str) -> &str {
    &sha256["SHA256:".len()..][..8]
}

/// What a person sees without `--json`.
fn shown(profile: &Profile, arguments: &[&str]) -> (Option<i32>, String) {
    let home = profile.home().to_str().unwrap();
    let output =
        rosterbridge().args(["--home", home, "--profile", "practice"]).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// The names and fingerprints of a list of accepted keys.
#[track_caller]
fn fingerprints(keys: &Value) -> Vec<&str> {
    keys.as_array().unwrap().iter().map(|key| key["sha256"].as_str().unwrap()).collect()
}

#[test]
fn a_pasted_fingerprint_is_compared_before_the_question() {
    let district = District::start(&[]);
    let profile = Profile::importing(&district, &["--no-pin"]);
    let presented = district.ready.hero.host_key_sha256.clone();
    let test =
        |fingerprint: &str| profile.run(&["test", "connection", "hero", "--accept-host-key", fingerprint]);

    profile.run(&["test", "connection", "hero"]).ended(3, "sftp.host_key_unknown");
    test("yes").ended(1, "sftp.bad_fingerprint");
    let wrong = test(OTHER_KEY).ended(3, "sftp.host_key_mismatch");
    assert_eq!(wrong.data()["host_key"]["accepted"], false);
    let nothing = ["connections", "replace-host-key", "hero", "--presented", &presented];
    let typed = beginning(&presented);
    profile.run(&[nothing.as_slice(), &["--typed", typed]].concat()).ended(1, "sftp.no_host_key_accepted");

    let accepted = test(&format!("256 {presented} hero@practice (ED25519)")).done();
    assert_eq!(accepted.data()["host_key"]["accepted"], true);
    let shown = profile.run(&["connections", "show", "hero"]).done();
    assert_eq!(fingerprints(&shown.data()["host_keys"]), [presented.as_str()]);
    profile.run(&["test", "connection", "connection-9"]).ended(1, "connection.unknown");
}

#[test]
fn a_changed_key_is_replaced_the_guarded_way_only() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "hero-students"]).done();
    let old = district.ready.hero.host_key_sha256.clone();
    let new = district.new_hero_host_key();
    assert_ne!(new, old);

    profile.run(&["sync", "hero-students"]).ended(3, "sftp.host_key_changed");
    let test = profile.run(&["test", "connection", "hero"]).ended(3, "sftp.host_key_changed");
    let host_key = &test.data()["host_key"];
    assert_eq!(host_key["sha256"], new);
    assert_eq!(host_key["pinned_instead"]["sha256"], old);
    assert_eq!(host_key["pinned_instead"]["accepted_by"], "practice district");
    assert!(test.document["remedy"].as_str().unwrap().contains("replace-host-key"), "{}", test.stdout);
    let (exit, text) = shown(&profile, &["test", "connection", "hero"]);
    assert_eq!(exit, Some(3));
    let at = host_key["pinned_instead"]["accepted_at"].as_str().unwrap();
    for told in [&new, &old, "practice district", &at[..10]] {
        assert!(text.contains(told), "{told} is not in:\n{text}");
    }
    let accepting = ["test", "connection", "hero", "--accept-host-key", &new];
    profile.run(&accepting).ended(3, "sftp.host_key_changed");

    let replace = |presented: &str, typed: &str| {
        let command = ["connections", "replace-host-key", "hero", "--presented", presented];
        profile.run(&[command.as_slice(), &["--typed", typed]].concat())
    };
    replace(&new, "yes").ended(1, "sftp.host_key_not_confirmed");
    replace(&new, beginning(&old)).ended(1, "sftp.host_key_not_confirmed");
    replace(&new, &beginning(&new)[..7]).ended(1, "sftp.host_key_not_confirmed");
    // Neither a key that is not presented nor the one that counts.
    replace(OTHER_KEY, beginning(OTHER_KEY)).ended(3, "sftp.host_key_mismatch");
    replace(&old, beginning(&old)).ended(3, "sftp.host_key_mismatch");
    let history = || profile.run(&["connections", "history", "hero"]).done();
    assert_eq!(history().data()["replaced"], json!([]));
    profile.run(&["sync", "hero-students"]).ended(3, "sftp.host_key_changed");

    let replaced = replace(&new, beginning(&new)).done();
    assert_eq!(replaced.data()["replaced"][0]["old"]["sha256"], old);
    assert_eq!(replaced.data()["replaced"][0]["new"]["sha256"], new);
    profile.run(&["sync", "hero-students"]).done();
    let known = history();
    assert_eq!(fingerprints(&known.data()["accepted"]), [new.as_str()]);
    let [replacement] = &known.data()["replaced"].as_array().unwrap()[..] else { panic!("{}", known.stdout) };
    assert_eq!(replacement["old"]["sha256"], old);
    assert_eq!(replacement["old"]["accepted_by"], "practice district");
    replace(&new, beginning(&new)).ended(1, "sftp.host_key_accepted");
}

#[test]
fn a_connection_in_use_stays() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let refused = profile.run(&["connections", "remove", "hero"]).ended(1, "connection.in_use");
    assert!(refused.document["message"].as_str().unwrap().contains("the Hero account"), "{}", refused.stdout);
    profile.run(&["secrets", "check", "hero.password"]).done();

    let list = profile.run(&["connections", "list"]).done();
    assert_eq!(list.data()["next"], "raptor");
    // A mistyped id is no new connection, and no server has the port 0.
    profile.run(&["connections", "set", "connection-3", "--host", "sftp.example.org"]).ended(2, "usage");
    profile.run(&["connections", "set", "hero", "--port", "0"]).ended(2, "usage");
    // Nor is a secret kept for one that does not exist.
    let early = profile.run_with_input(&["secrets", "set", "connection-3.password"], "Throwaway 6");
    let early = early.ended(1, "connection.unknown");
    let message = early.document["message"].as_str().unwrap();
    assert!(message.contains("connection-3.password") && message.contains("'hero'"), "{message}");
    profile.run(&["secrets", "check", "connection-3.password"]).ended(1, "connection.unknown");
    let set =
        ["connections", "set", "connection-3", "--name", "Another", "--host", "sftp://sftp.example.org"];
    let set = profile.run(&[set.as_slice(), &["--username", "someone"]].concat()).done();
    assert_eq!(set.document["message"], "Another (connection-3) is created.");
    assert_eq!((&set.data()["host"], &set.data()["port"]), (&json!("sftp://sftp.example.org"), &json!(2022)));
    profile.set_secret("connection-3.password", "Throwaway 7");
    let line = profile.run(&["keys", "generate", "connection-3"]).done();
    assert!(line.data()["line"].as_str().unwrap().starts_with("ssh-ed25519 AAAA"), "{}", line.stdout);
    profile.run(&["connections", "remove", "connection-3"]).done();
    profile.run(&["connections", "show", "connection-3"]).ended(1, "connection.unknown");
    profile.run(&["secrets", "check", "connection-3.password"]).ended(1, "connection.unknown");
    // It took its secrets with it: the next one of the id has none.
    profile.run(&["connections", "set", "connection-3", "--name", "Another"]).done();
    for secret in ["connection-3.password", "connection-3.private-key"] {
        profile.run(&["secrets", "check", secret]).ended(1, "vault.secret_missing");
    }
    // One that a set-up does not have any more does so, too.
    profile.set_secret("connection-3.password", "Throwaway 8");
    profile.change_setup(|setup| {
        let connections = setup["connections"].as_array_mut().unwrap();
        connections.retain(|connection| connection["id"] != "connection-3");
    });
    profile.run(&["connections", "set", "connection-3", "--name", "Another"]).done();
    profile.run(&["secrets", "check", "connection-3.password"]).ended(1, "vault.secret_missing");
}

/// Two managed connections to one account at Hero: `hero`, which may have so many sessions, and `connection-3`.
fn with_two_connections(district: &District, at_once: &str) -> Profile {
    let profile = Profile::of(district);
    profile.run(&["sync", "hero-students", "hero-schedule", "hero-teachers"]).done();
    profile.run(&["connections", "set", "hero", "--transfers-at-once", at_once]).done();
    let hero = &district.ready.hero;
    let set = ["connections", "set", "connection-3", "--host", &hero.host, "--port", &hero.port.to_string()];
    profile.run(&[set.as_slice(), &["--name", "Another", "--username", &hero.username]].concat()).done();
    profile.set_secret("connection-3.password", &hero.password);
    profile
}

#[test]
fn a_test_waits_while_a_run_has_the_only_session() {
    let district = District::start(&[]);
    let profile = with_two_connections(&district, "1");
    district.hero_faults(&json!({"hang": "read"}));
    let mut running = profile.spawn(&["sync", "hero-attendance"]);
    until("the run reads Hero's file", || (district.hanging("hero") > 0).then_some(()));

    let mut waiting = profile.spawn(&["test", "connection", "hero"]);
    // As long as a test takes that may begin.
    profile.run(&["test", "connection", "connection-3"]).done();
    assert!(waiting.try_wait().unwrap().is_none(), "the test did not wait for its turn");
    assert!(running.try_wait().unwrap().is_none());
    district.hero_faults(&json!({}));
    profile.finish(waiting).done();
    running.wait().unwrap();
}

#[test]
fn a_test_has_a_session_beside_a_run_where_there_may_be_two() {
    let district = District::start(&[]);
    let profile = with_two_connections(&district, "2");
    district.hero_faults(&json!({"hang": "read"}));
    let mut running = profile.spawn(&["sync", "hero-attendance"]);
    until("the run reads Hero's file", || (district.hanging("hero") > 0).then_some(()));
    profile.run(&["test", "connection", "hero"]).done();
    assert!(running.try_wait().unwrap().is_none());
    district.hero_faults(&json!({}));
    running.wait().unwrap();
}

#[cfg(unix)]
#[test]
fn a_run_that_waits_for_a_session_hears_that_it_is_cancelled() {
    let district = District::start(&[]);
    let profile = with_two_connections(&district, "1");
    district.hero_faults(&json!({"hang": "stat"}));
    let mut testing = profile.spawn(&["test", "connection", "hero"]);
    until("the test has the session", || (district.hanging("hero") > 0).then_some(()));

    let mut running = profile.spawn(&["sync", "hero-attendance"]);
    let told = BufReader::new(running.stderr.take().unwrap());
    // What comes next is the session.
    assert!(told.lines().any(|line| line.unwrap().contains("export/ATTENDANCE.txt")), "no word of the file");
    assert_eq!(district.hanging("hero"), 1);
    crate::processes::interrupt(&running);
    profile.finish(running).ended(1, "run.cancelled");
    district.hero_faults(&json!({}));
    testing.wait().unwrap();
}

#[cfg(unix)]
mod openssh {
    use rstest::rstest;

    use super::*;
    use crate::raptor_roster::sshd::{Options, Sshd};

    /// A profile with `connection-3` to that server.
    fn connected(sshd: &Sshd) -> Profile {
        let profile = Profile::fresh();
        let (port, username) = (sshd.port.to_string(), sshd.connection().username);
        let set = ["connections", "set", "connection-3", "--host", "127.0.0.1", "--port", &port];
        profile.run(&[set.as_slice(), &["--name", "Another", "--username", &username]].concat()).done();
        profile
    }

    /// A public key as a line of a `known_hosts` file.
    fn known(mark: &str, sshd: &Sshd, public: &str) -> String {
        let words: Vec<&str> = public.split_whitespace().take(2).collect();
        format!("{mark}[127.0.0.1]:{} {}\n", sshd.port, words.join(" "))
    }

    #[test]
    fn keys_are_accepted_from_a_known_hosts_file() {
        let sshd = Sshd::with(&Options { more_host_keys: &["ecdsa", "rsa"], ..Options::default() });
        let profile = connected(&sshd);
        let file = profile.home().join("known_hosts");
        let write = |text: &str| fs::write(&file, text).unwrap();
        let read = |accept: &[&str]| {
            let command = ["connections", "known-hosts", "connection-3", file.to_str().unwrap()];
            let accept: Vec<&str> = accept.iter().flat_map(|sha256| ["--accept", sha256]).collect();
            profile.run(&[command.as_slice(), &accept].concat())
        };
        let [ed25519, ecdsa, rsa] = ["host_key", "host_key_ecdsa", "host_key_rsa"];
        write(
            &[
                "# made by hand\n".to_owned(),
                known("", &sshd, &sshd.public_host_key(ecdsa)),
                known("@revoked ", &sshd, &sshd.public_host_key(rsa)),
                "elsewhere ssh-ed25519 AAAA\n".to_owned(),
                known("", &sshd, &sshd.public_host_key(ed25519)),
            ]
            .concat(),
        );
        let found = read(&[]).done();
        let keys: Vec<_> = found.data()["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| (key["line"].as_u64(), key["standing"].as_str(), key["marker"].as_str()))
            .collect();
        let expected = [
            (Some(2), Some("new"), None),
            (Some(3), Some("not_used"), Some("revoked")),
            (Some(5), Some("new"), None),
        ];
        assert_eq!(keys, expected, "{}", found.stdout);
        assert_eq!(found.data()["problems"][0]["line"], 4);

        let pin = |name: &str| sshd.pin_of(name).sha256;
        read(&[&pin(ecdsa), &pin(rsa)]).ended(1, "sftp.not_in_known_hosts");
        read(&[OTHER_KEY]).ended(1, "sftp.not_in_known_hosts");
        let history = || profile.run(&["connections", "history", "connection-3"]).done();
        assert_eq!(history().data()["accepted"], json!([]));
        let accepted = read(&[&pin(ecdsa), &pin(ed25519)]).done();
        assert_eq!(fingerprints(&accepted.data()["accepted"]), [pin(ecdsa), pin(ed25519)]);
        read(&[&pin(ecdsa)]).done();

        let stranger = fs::read_to_string(sshd.client_key_file("client_stranger.pub")).unwrap();
        write(&known("", &sshd, &stranger));
        let differs = read(&[]).done();
        assert_eq!(differs.data()["keys"][0]["standing"], "differs");
        let sha256 = differs.data()["keys"][0]["sha256"].as_str().unwrap();
        read(&[sha256]).ended(1, "sftp.host_key_differs");
        assert_eq!(history().data()["accepted"], accepted.data()["accepted"]);
    }

    #[test]
    fn a_generated_key_signs_in() {
        let sshd = Sshd::start();
        let profile = connected(&sshd);
        profile.run(&["keys", "public", "connection-3"]).ended(1, "vault.secret_missing");
        profile.set_secret("connection-3.password", "Throwaway 9");
        let generated = profile.run(&["keys", "generate", "connection-3"]).done();
        let line = generated.data()["line"].as_str().unwrap();
        assert_eq!(profile.run(&["keys", "public", "connection-3"]).done().data(), generated.data());
        profile.run(&["keys", "generate", "connection-3"]).ended(1, "connection.key_exists");
        // The server does not know it yet, so it signs in as before.
        let shown = profile.run(&["connections", "show", "connection-3"]).done();
        assert_eq!(shown.data()["sign_in"], "password");
        assert!(!generated.stdout.contains("PRIVATE KEY"), "{}", generated.stdout);

        profile.run(&["connections", "set", "connection-3", "--sign-in", "private-key"]).done();
        let test = ["test", "connection", "connection-3", "--accept-host-key", &sshd.pin()];
        profile.run(&test).ended(1, "sftp.auth_refused");
        sshd.let_in(line);
        profile.run(&["test", "connection", "connection-3"]).done();

        let other = profile.run(&["keys", "generate", "connection-3", "--replace"]).done();
        assert_ne!(other.data()["line"], generated.data()["line"]);
        profile.run(&["test", "connection", "connection-3"]).ended(1, "sftp.auth_refused");
    }

    /// Raptor's job opens the connection by itself, which the run has open for Hero's.
    #[test]
    fn hero_and_raptor_share_a_connection_with_one_session() {
        let (sshd, district) = (Sshd::start(), District::start(&[]));
        let profile = Profile::of(&district);
        let (port, username) = (sshd.port.to_string(), sshd.connection().username);
        let set = ["connections", "set", "hero", "--host", "127.0.0.1", "--port", &port];
        let more = ["--username", &username, "--sign-in", "private-key", "--transfers-at-once", "1"];
        profile.run(&[set.as_slice(), &more].concat()).done();
        let key = fs::read_to_string(sshd.client_key_file("client_ed25519")).unwrap();
        profile.set_secret("hero.private-key", &key);
        profile.run(&["test", "connection", "hero", "--accept-host-key", &sshd.pin()]).done();
        profile.change_setup(|setup| {
            setup["raptor"]["connection"] = json!({"connection": "hero", "folder": "export"});
            setup["raptor"]["folder"] = "".into();
        });
        profile.run(&["sync", "hero-students", "raptor-roster"]).done();
        assert!(sshd.files().join("imports/STUDENT.TXT").exists());
        assert!(fs::read_dir(sshd.files().join("export/roster")).unwrap().count() > 0);
    }

    #[rstest]
    #[case::open("client_ed25519", None, true)]
    #[case::pem("client_rsa", None, true)]
    #[case::locked("client_locked", Some("open sesame"), true)]
    #[case::without_its_passphrase("client_locked", None, false)]
    #[case::wrong_passphrase("client_locked", Some("open barley"), false)]
    #[case::public("client_rsa.pub", None, false)]
    fn a_private_key_is_checked_before_it_is_kept(
        #[case] name: &str,
        #[case] passphrase: Option<&str>,
        #[case] usable: bool,
    ) {
        let sshd = Sshd::start();
        let profile = Profile::fresh();
        let file = sshd.client_key_file(name);
        let check = ["keys", "check", file.to_str().unwrap()];
        let checked = match passphrase {
            Some(passphrase) => {
                profile.run_with_input(&[check.as_slice(), &["--with-passphrase"]].concat(), passphrase)
            }
            None => profile.run(&check),
        };
        if usable {
            let fingerprint = &checked.done().data()["sha256"].as_str().unwrap().to_owned();
            assert!(sshd.keygen_line(name, "sha256").contains(fingerprint));
        } else {
            checked.ended(1, "sftp.bad_private_key");
        }
    }
}
