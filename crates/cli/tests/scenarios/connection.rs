//! The connection test of PowerSchool: every stage told, offline and online, and certificates a person trusts.

use std::{
    io::{BufRead, BufReader},
    process::Child,
};

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{District, Output, Profile};

/// The stages that need no network, and the one that comes last.
const LOCAL: [&str; 2] = ["Input", "Keychain"];
const STAGES: usize = 12;

fn stages(test: &Output) -> Vec<(String, String)> {
    let stages = test.data()["stages"].as_array().unwrap_or_else(|| panic!("{}", test.stdout));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    stages.iter().map(|stage| (text(&stage["name"]), text(&stage["result"]["result"]))).collect()
}

#[track_caller]
fn all_passed(test: &Output) {
    let stages = stages(test);
    assert_eq!(stages.len(), STAGES);
    assert!(stages.iter().all(|(_, result)| result == "passed"), "{stages:?}");
}

#[test]
fn every_stage_is_told_and_the_report_can_be_passed_on() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let test = profile.run(&["test", "powerschool"]).done();
    all_passed(&test);
    let data = test.data();
    assert_eq!(data["passed"], true);
    assert_eq!(data["waiting"], false);
    assert_eq!(data["server"]["url"], district.ready.powerschool.url);
    assert!(data["server"]["plugin_id"].is_i64(), "{data}");
    assert!(!data["certificates"][0]["sha256"].as_str().unwrap().is_empty());
    let fields: Vec<&Value> = data["access"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|table| table["fields"].as_array().unwrap())
        .collect();
    assert!(fields.len() > 50);
    assert!(fields.iter().all(|field| field["granted"] != "NoAccess"));
    assert!(data["queries"].as_array().unwrap().iter().all(|query| query["present"] == true));
    // Each stage was told as it ended, and the report tells all of them. That neither shows a secret, `run` checks.
    let text = data["text"].as_str().unwrap();
    for (name, _) in stages(&test) {
        assert!(test.stderr.contains(&name), "{}", test.stderr);
        assert!(text.contains(&name), "{text}");
    }
    assert!(text.contains(env!("CARGO_PKG_VERSION")) && text.contains(std::env::consts::OS), "{text}");
}

#[test]
fn later_stages_are_skipped_when_one_fails() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.set_secret("powerschool.client-secret", "0a4e4a0c-57a8-4a25-b79f-1f4b9c3c5b00");
    let test = profile.run(&["test", "powerschool"]).ended(1, "powerschool.bad_credentials");
    let stages = stages(&test);
    let failed = stages.iter().position(|(_, result)| result == "failed").unwrap();
    assert!(stages[..failed].iter().all(|(_, result)| result == "passed"), "{stages:?}");
    assert!(stages[failed + 1..].iter().all(|(_, result)| result == "skipped"), "{stages:?}");
    assert!(failed + 1 < STAGES);
}

#[test]
fn offline_everything_that_needs_no_network_is_tested_and_the_rest_waits() {
    let mut district = District::start(&[]);
    let profile = Profile::of(&district);
    district.stop();
    let test = profile.run(&["test", "powerschool", "--offline"]).ended(0, "test.waiting");
    assert_eq!(test.document["ok"], true);
    assert_eq!(test.data()["waiting"], true);
    let stages = stages(&test);
    assert_eq!(stages.len(), STAGES);
    for (name, result) in stages {
        let expected = if LOCAL.contains(&name.as_str()) { "passed" } else { "waiting" };
        assert_eq!(result, expected, "{name}");
    }
}

#[rstest]
#[case::cut_off(|setup: &mut Value| setup["powerschool"]["client_id"] = "0a4e4a0c-57a8".into(), "powerschool.bad_client_id")]
#[case::http(|setup: &mut Value| setup["powerschool"]["url"] = "http://sis.example.org".into(), "powerschool.http_refused")]
#[case::no_address(|setup: &mut Value| setup["powerschool"]["url"] = "".into(), "setup.incomplete")]
fn offline_wrong_input_is_told_at_once_and_nothing_waits(#[case] spoil: fn(&mut Value), #[case] code: &str) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.change_setup(spoil);
    let test = profile.run(&["test", "powerschool", "--offline", "--wait"]).ended(1, code);
    assert_eq!(test.data()["waiting"], false);
    let stages = stages(&test);
    assert_eq!(stages[0], ("Input".to_owned(), "failed".to_owned()));
    assert!(stages[1..].iter().all(|(_, result)| result == "skipped"), "{stages:?}");
}

#[rstest]
#[case::not_there("http://127.0.0.1:1", "powerschool.proxy_unreachable")]
#[case::not_an_address("proxy district org", "powerschool.bad_proxy")]
fn a_proxy_that_can_not_be_used_is_named(#[case] proxy: &str, #[case] code: &str) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.set_secret("proxy.password", "tulip under glass");
    profile.change_setup(|setup| {
        setup["powerschool"]["proxy"] = json!({"mode": "explicit", "url": proxy, "username": "rosters"});
    });
    let test = profile.run(&["test", "powerschool"]).ended(1, code);
    assert!(!test.stdout.contains("tulip"));
    profile.run(&["sync", "hero-students"]).ended(1, code);
    profile.change_setup(|setup| setup["powerschool"]["proxy"] = json!({"mode": "none"}));
    profile.run(&["test", "powerschool"]).done();
}

/// All that is wrong is told in one test.
#[test]
fn all_wrong_input_is_told_together() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.change_setup(|setup| {
        setup["powerschool"]["url"] = "http://sis.example.org".into();
        setup["powerschool"]["client_id"] = "0a4e4a0c-57a8".into();
    });
    let test = profile.run(&["test", "powerschool"]).ended(1, "powerschool.http_refused");
    let message = test.document["message"].as_str().unwrap();
    assert!(message.contains("http://") && message.contains("Client ID"), "{message}");
}

/// Starts a test that waits, and returns once it does.
fn waiting_test(profile: &Profile) -> Child {
    let mut child = profile.spawn(&["test", "powerschool", "--offline", "--wait"]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let waits = |line: &String| line.starts_with("waiting") && line.contains("Sample read");
    assert!(lines.by_ref().any(|line| waits(&line.unwrap())));
    // Nobody reads the rest, and it must not fill the pipe.
    std::thread::spawn(move || lines.count());
    child
}

#[test]
fn a_test_that_waits_runs_when_the_server_can_be_reached() {
    let mut district = District::start(&[]);
    let profile = Profile::of(&district);
    district.stop();
    let waiting = waiting_test(&profile);
    district.restart();
    let test = profile.finish(waiting).done();
    all_passed(&test);
    assert_eq!(test.data()["waiting"], false);
}

#[test]
fn a_test_waits_for_the_end_of_maintenance_and_then_tells_what_is_wrong() {
    let mut district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.set_secret("powerschool.client-secret", "0a4e4a0c-57a8-4a25-b79f-1f4b9c3c5b00");
    district.stop();
    let waiting = waiting_test(&profile);
    district.restart();
    let test = profile.finish(waiting).ended(1, "powerschool.bad_credentials");
    assert_eq!(test.data()["waiting"], false);
}

/// Whoever waits sees why, as often as the reason changes.
#[test]
fn a_test_that_waits_says_why_it_still_does() {
    let mut district = District::start(&[]);
    let profile = Profile::of(&district);
    district.faults(&json!({"maintenance": "redirect"}));
    let mut child = profile.spawn(&["test", "powerschool", "--offline", "--wait"]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut until_told = |code: &str| {
        let line = lines.by_ref().find(|line| line.contains("[powerschool.")).unwrap();
        assert!(line.starts_with("waiting") && line.contains(code), "{line}");
    };
    until_told("powerschool.maintenance");
    district.stop();
    until_told("powerschool.unreachable");
    std::thread::spawn(move || lines.count());
    district.restart();
    all_passed(&profile.finish(child).done());
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_waiting_and_the_test_still_waits() {
    let mut district = District::start(&[]);
    let profile = Profile::of(&district);
    district.stop();
    let waiting = waiting_test(&profile);
    let id = waiting.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    // A script that waits for a tested connection must not go on without one.
    profile.finish(waiting).ended(1, "test.waiting");
    district.restart();
    // Whoever opens the profile next makes it.
    all_passed(&profile.run(&["test", "powerschool", "--offline", "--wait"]).done());
}

#[test]
fn a_certificate_is_trusted_by_its_fingerprint_only() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.change_setup(|setup| setup["powerschool"]["extra_roots"] = json!([]));
    let test = profile.run(&["test", "powerschool"]).ended(1, "powerschool.unknown_authority");
    let certificates = test.data()["certificates"].as_array().unwrap();
    let offered: Vec<&Value> =
        certificates.iter().filter(|certificate| certificate["offered"] == true).collect();
    assert_eq!(offered.len(), 1, "{certificates:?}");
    let sha256 = offered[0]["sha256"].as_str().unwrap();

    let other = "00".repeat(32);
    profile
        .run(&["test", "powerschool", "--accept-certificate", &other])
        .ended(1, "powerschool.certificate_not_presented");
    assert_eq!(profile.setup()["powerschool"]["extra_roots"], json!([]));
    all_passed(&profile.run(&["test", "powerschool", "--accept-certificate", sha256]).done());
    assert_eq!(profile.setup()["powerschool"]["extra_roots"].as_array().unwrap().len(), 1);
    // Once is enough.
    profile.run(&["test", "powerschool", "--accept-certificate", &sha256.to_lowercase()]).done();
    assert_eq!(profile.setup()["powerschool"]["extra_roots"].as_array().unwrap().len(), 1);
    profile.run(&["sync", "hero-students"]).done();
}

/// The practice district's certificate is not for this address, at which Linux reaches it too.
#[cfg(target_os = "linux")]
#[test]
fn a_certificate_for_another_name_is_not_kept() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let certificates = profile.run(&["test", "powerschool"]).done().data()["certificates"].clone();
    let port = district.ready.powerschool.url.rsplit(':').next().unwrap().to_owned();
    profile.change_setup(|setup| {
        setup["powerschool"]["extra_roots"] = json!([]);
        setup["powerschool"]["url"] = format!("https://0.0.0.0:{port}").into();
    });
    for certificate in certificates.as_array().unwrap() {
        let sha256 = certificate["sha256"].as_str().unwrap();
        let refused = profile
            .run(&["test", "powerschool", "--accept-certificate", sha256])
            .ended(1, "powerschool.certificate");
        assert!(refused.document["message"].as_str().unwrap().contains("name"), "{}", refused.stdout);
    }
    assert_eq!(profile.setup()["powerschool"]["extra_roots"], json!([]));
}

#[test]
fn a_practice_profile_stays_one_when_a_wrong_address_is_entered() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.change_setup(|setup| setup["powerschool"]["url"] = "https://sis.example.org".into());
    assert_eq!(profile.run(&["status"]).done().data()["practice"], true);
}
