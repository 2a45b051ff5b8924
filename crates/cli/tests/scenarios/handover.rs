//! PowerSchool's credentials on their way to the person who sets a site up.

use std::fs;

use serde_json::json;

use crate::support::{District, Profile};

const PASSPHRASE: &str = "four words for phone";

/// What the file and everything printed about it must not show.
#[track_caller]
fn shows_no_secret(district: &District, texts: &[&str]) {
    for text in texts {
        for secret in [&district.ready.powerschool.client_secret, &district.ready.powerschool.client_id] {
            assert!(!text.contains(secret.as_str()), "{text}");
        }
        assert!(!text.contains(PASSPHRASE), "{text}");
    }
}

#[test]
fn a_file_with_a_passphrase_sets_another_machine_up() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let file = profile.home().join("access.age");
    let path = file.to_str().unwrap();
    profile.run_with_input(&["handover", "write", path], "short\n").ended(1, "handover.short_passphrase");
    profile.run(&["handover", "write", path]).ended(1, "secret.not_given");
    assert!(!file.exists());
    let written = profile.run_with_input(&["handover", "write", path], &format!("{PASSPHRASE}\n")).done();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----"));
    shows_no_secret(&district, &[&text, &written.stdout, &written.stderr]);
    assert!(written.data()["body"].as_str().unwrap().contains("by phone"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    let site = Profile::new();
    site.run_with_input(&["handover", "open", path], "another passphrase")
        .ended(1, "handover.wrong_passphrase");
    site.run(&["test", "powerschool"]).ended(1, "setup.incomplete");
    let opened = site.run_with_input(&["handover", "open", path], PASSPHRASE).done();
    assert!(!opened.stdout.contains(&district.ready.powerschool.client_secret));
    let test = site.run(&["test", "powerschool"]);
    // The practice district's clock is its own, and this profile does not know it for one.
    assert_eq!((test.exit, test.code()), (0, "ok"), "{}", test.stdout);
    assert_eq!(site.setup()["powerschool"], profile_powerschool(&profile, &site));
}

/// What the site should have of PowerSchool: all but what is no part of a handover.
fn profile_powerschool(profile: &Profile, site: &Profile) -> serde_json::Value {
    let mut expected = profile.setup()["powerschool"].clone();
    expected["answer_seconds"] = site.setup()["powerschool"]["answer_seconds"].clone();
    expected
}

#[test]
fn a_file_for_a_key_opens_where_the_key_is_and_nowhere_else() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let (site, stranger) = (Profile::new(), Profile::new());
    let key = site.run(&["handover", "key"]).done().data()["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("age1"));
    assert_eq!(site.run(&["handover", "key"]).done().data()["key"], key, "it is made once");

    let file = profile.home().join("access.age");
    let path = file.to_str().unwrap();
    profile.run(&["handover", "write", path, "--to", "age1nobody"]).ended(1, "handover.bad_recipient");
    let written = profile.run(&["handover", "write", path, "--to", &key]).done();
    shows_no_secret(&district, &[&fs::read_to_string(&file).unwrap(), &written.stdout]);
    stranger.run(&["handover", "open", path]).ended(1, "handover.wrong_recipient");
    stranger.run(&["handover", "key"]).done();
    stranger.run(&["handover", "open", path]).ended(1, "handover.wrong_recipient");
    site.run(&["handover", "open", path]).done();
    site.run(&["test", "powerschool"]).done();

    // The private key does not leave with the other secrets.
    let exported = site.home().join("setup.age");
    let exported = exported.to_str().unwrap();
    site.run_with_input(&["setup", "export", exported, "--with-secrets"], PASSPHRASE).done();
    stranger.run_with_input(&["setup", "import", exported], PASSPHRASE).done();
    assert_ne!(stranger.run(&["handover", "key"]).done().data()["key"], key);
}

#[test]
fn another_districts_set_up_is_never_overwritten() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let file = profile.home().join("access.age");
    let path = file.to_str().unwrap();
    profile.run_with_input(&["handover", "write", path], PASSPHRASE).done();
    profile.change_setup(|setup| setup["powerschool"]["url"] = "https://sis.example.org".into());
    let before = profile.setup();
    profile.run_with_input(&["handover", "open", path], PASSPHRASE).ended(1, "handover.other_server");
    assert_eq!(profile.setup(), before);

    // For the same server new credentials are taken, and no certificates.
    profile.change_setup(|setup| {
        setup["powerschool"]["url"] = district.ready.powerschool.url.clone().into();
        setup["powerschool"]["client_id"] = "0a4e4a0c-57a8-4a25-b79f-1f4b9c3c5b00".into();
        setup["powerschool"]["extra_roots"] = json!([]);
    });
    profile.run_with_input(&["handover", "open", path], PASSPHRASE).done();
    let powerschool = profile.setup()["powerschool"].clone();
    assert_eq!(powerschool["client_id"], district.ready.powerschool.client_id);
    assert_eq!(powerschool["extra_roots"], json!([]));
}

#[test]
fn what_is_no_handover_file_is_told_so() {
    let profile = Profile::fresh();
    let file = profile.home().join("file.age");
    let path = file.to_str().unwrap();
    profile.run(&["handover", "write", path, "--to", "age1nobody"]).ended(1, "setup.incomplete");
    profile.run(&["handover", "open", path]).ended(1, "file.unusable");
    for (content, code) in [
        (b"Dear all, here is the secret".to_vec(), "handover.unreadable"),
        (vec![0xff; 100], "handover.unreadable"),
        (vec![b'-'; 2 << 20], "handover.too_large"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n".to_vec(), "handover.damaged"),
    ] {
        fs::write(&file, content).unwrap();
        profile.run_with_input(&["handover", "open", path], PASSPHRASE).ended(1, code);
    }
}
