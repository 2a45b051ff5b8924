//! The command line's promises that no single exchange is about.

use std::{fs, process::Stdio};

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{District, Output, Profile, rosterbridge};

#[rstest]
#[case::no_command(&[])]
#[case::unknown_command(&["synchronise"])]
#[case::unknown_job(&["sync", "hero-student"])]
#[case::unknown_option(&["status", "--verbose"])]
#[case::missing_value(&["setup", "import"])]
#[case::conflict(&["setup", "import", "a.json", "--practice", "b.json"])]
#[case::unknown_test(&["test", "internet"])]
#[case::option_of_another_test(&["test", "hero", "--offline"])]
#[case::no_fingerprint(&["test", "powerschool", "--accept-certificate", "AB:CD"])]
#[case::key_of_another_test(&["test", "mail", "--accept-host-key", "SHA256:abc"])]
fn wrong_usage_is_one_document_and_exit_code_2(#[case] arguments: &[&str]) {
    let output = rosterbridge().args(arguments).arg("--json").output().unwrap();
    let output = Output::of(&output).ended(2, "usage");
    assert_eq!(output.data(), &Value::Null);
}

#[rstest]
#[case::no_command(&[], 2)]
#[case::unknown_command(&["synchronise"], 2)]
#[case::help(&["help"], 0)]
#[case::version(&["--version"], 0)]
fn usage_without_json_is_for_people(#[case] arguments: &[&str], #[case] exit: i32) {
    let output = rosterbridge().args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(exit));
    assert!(!String::from_utf8(output.stdout).unwrap().starts_with('{'));
}

#[rstest]
#[case::help(&["--json", "--help"], "Usage:")]
#[case::help_of_a_command(&["--json", "help", "sync"], "JOB")]
#[case::json_after_help(&["help", "sync", "--json"], "JOB")]
#[case::version(&["--json", "--version"], env!("CARGO_PKG_VERSION"))]
fn help_with_json_is_one_document(#[case] arguments: &[&str], #[case] part: &str) {
    let output = Output::of(&rosterbridge().args(arguments).output().unwrap()).done();
    let message = output.document["message"].as_str().unwrap();
    assert!(message.contains(part), "{message}");
}

/// For whoever looks after several districts: listing them opens and makes none.
#[test]
fn the_profiles_there_are_can_be_listed() {
    let profile = Profile::new();
    assert_eq!(profile.run(&["profiles"]).done().data(), &json!({"profiles": []}));
    assert!(!profile.home().join("profiles").exists());
    profile.run(&["handover", "key"]).done();
    assert_eq!(profile.run(&["profiles"]).done().data(), &json!({"profiles": [{"name": "practice"}]}));
}

/// A mistyped name is no new profile.
#[test]
fn a_profile_nobody_made_is_told_with_those_that_there_are() {
    let profile = Profile::new();
    let none = profile.run(&["status"]).ended(1, "profile.not_found");
    assert!(none.document["remedy"].as_str().unwrap().contains("setup import"), "{}", none.stdout);
    assert!(!profile.home().join("profiles").exists());

    profile.run(&["handover", "key"]).done();
    profile.run(&["status"]).done();
    for arguments in [
        ["status"].as_slice(),
        &["sync", "--dry-run"],
        &["test", "powerschool"],
        &["runs"],
        &["setup", "export", "setup.json"],
        &["secrets", "check", "hero.password"],
        &["plugin", "build", "plugin.zip", "--of-profile"],
    ] {
        let output = rosterbridge()
            .arg("--home")
            .arg(profile.home())
            .args(["--profile", "practise", "--json"])
            .args(arguments)
            .output()
            .unwrap();
        let other = Output::of(&output).ended(1, "profile.not_found");
        assert!(other.document["message"].as_str().unwrap().contains("practise"), "{}", other.stdout);
        assert!(other.document["remedy"].as_str().unwrap().contains("(practice)"), "{}", other.stdout);
    }
    assert!(!profile.home().join("profiles/practise").exists());
}

#[rstest]
#[case::no_file("nowhere.json", None, "file.unusable")]
#[case::not_json("setup.json", Some("tab\tseparated"), "setup.unreadable")]
#[case::newer("setup.json", Some("{\"version\": 99}"), "setup.newer_version")]
fn a_setup_file_that_can_not_be_used_changes_nothing(
    #[case] name: &str,
    #[case] content: Option<&str>,
    #[case] code: &str,
) {
    let profile = Profile::fresh();
    let before = profile.setup();
    let file = profile.home().join(name);
    if let Some(content) = content {
        fs::write(&file, content).unwrap();
    }
    profile.run(&["setup", "import", file.to_str().unwrap()]).ended(1, code);
    let practice = profile.run(&["setup", "import", "--practice", file.to_str().unwrap()]);
    assert_eq!(practice.exit, 1);
    assert_eq!(profile.setup(), before);
}

#[test]
fn a_profile_moves_to_another_machine_with_its_secrets_encrypted() {
    const PASSPHRASE: &str = "four words for phone";
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let file = profile.home().join("handover.age");
    let path = file.to_str().unwrap();
    profile
        .run_with_input(&["setup", "export", path, "--with-secrets"], "short\n")
        .ended(1, "setup.short_passphrase");
    profile.run(&["setup", "export", path, "--with-secrets"]).ended(1, "secret.not_given");
    assert!(!file.exists());

    profile.run_with_input(&["setup", "export", path, "--with-secrets"], PASSPHRASE).done();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    let other = Profile::new();
    other.run_with_input(&["setup", "import", path], "another passphrase").ended(1, "setup.wrong_passphrase");
    let imported = other.run_with_input(&["setup", "import", path], &format!("{PASSPHRASE}\n")).done();
    for secret in [&district.ready.powerschool.client_secret, &district.ready.hero.password] {
        assert!(!imported.stdout.contains(secret) && !imported.stderr.contains(secret));
    }
    assert_eq!(other.setup(), profile.setup());
    assert_eq!(other.run(&["status"]).done().data()["paused"], true);
    other.run(&["test", "powerschool"]).done();
    // A host key is accepted by a person on each machine.
    other.run(&["test", "hero"]).ended(3, "sftp.host_key_unknown");
}

/// What is on disk in a profile shows neither secrets nor students.
#[test]
fn a_profiles_files_are_encrypted_and_their_owners() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.run(&["sync"]).done();
    let folder = profile.home().join("profiles/practice");
    let student: String = district
        .database()
        .query_one(
            "SELECT Mailing_Street FROM Students WHERE Enroll_Status = 0 ORDER BY ID LIMIT 1",
            (),
            |row| row.get(0),
        )
        .unwrap();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let Ok(bytes) = fs::read(&path) else { continue };
        for text in [&district.ready.powerschool.client_secret, &district.ready.hero.password, &student] {
            assert!(!bytes.windows(text.len()).any(|part| part == text.as_bytes()), "{}", path.display());
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        for name in ["ledger.db", "roster.db"] {
            assert_eq!(fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o077, 0, "{name}");
        }
    }
}

/// Without a keychain, as on a server without a desktop session.
#[cfg(target_os = "linux")]
#[test]
fn without_a_keychain_the_product_says_what_to_start() {
    let profile = Profile::fresh();
    let output = profile
        .command(&["status"])
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
        .output()
        .unwrap();
    let output = Output::of(&output).ended(1, "vault.no_keychain");
    let remedy = output.document["remedy"].as_str().unwrap();
    assert!(remedy.contains("gnome-keyring"), "{remedy}");
}

/// The plugin is what a person needs first: before any profile, on any machine.
#[test]
fn plugin_build_needs_neither_profile_nor_keychain() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plugin.zip");
    let output = rosterbridge()
        .args(["--home", "/nonexistent/home", "--json", "plugin", "build"])
        .arg(&file)
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let output = Output::of(&output).done();
    let bytes = fs::read(&file).unwrap();
    assert_eq!(output.data()["bytes"], bytes.len());
    assert!(bytes.starts_with(b"PK\x03\x04"));
    // PowerSchool takes it: the practice district installs it as PowerSchool would.
    let names = ["plugin.xml", "queries_root/"];
    for name in names {
        assert!(bytes.windows(name.len()).any(|part| part == name.as_bytes()), "{name}");
    }
}

#[test]
fn the_runs_command_shows_the_newest_first_and_no_more_than_asked_for() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let runs: Vec<Value> =
        (0..3).map(|_| profile.run(&["sync", "raptor-roster"]).done().data()["run"].clone()).collect();
    let listed = profile.run(&["runs", "--limit", "2"]).done();
    let listed: Vec<&Value> =
        listed.data()["runs"].as_array().unwrap().iter().map(|run| &run["run"]).collect();
    assert_eq!(listed, [&runs[2], &runs[1]]);
}
