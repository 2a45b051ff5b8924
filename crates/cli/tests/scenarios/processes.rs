//! Several processes on one profile.
#![cfg(unix)]

use std::process::{Child, Command};

use serde_json::json;

use crate::support::{District, Profile, until};

/// Ctrl-C, as a terminal sends it.
pub fn interrupt(child: &Child) {
    signal(child, "-INT");
}

fn signal(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// A run that has begun to write attendance and takes its time.
fn slow_sync(district: &District, profile: &Profile) -> Child {
    district.faults(&json!({"latency_ms": 250}));
    let running = profile.spawn(&["sync"]);
    until("the first attendance was written", || (!district.audit().is_empty()).then_some(()));
    running
}

#[test]
fn another_process_reaches_the_engine_that_is_at_work() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let running = slow_sync(&district, &profile);

    let status = profile.run(&["status"]).done();
    let run = status.data()["running"].as_str().unwrap().to_owned();
    let runs = profile.run(&["runs"]).done();
    assert_eq!(runs.data()["runs"][0]["run"], run);
    assert_eq!(runs.data()["runs"][0]["outcome"], "running");
    profile.run(&["sync", "hero-students"]).ended(1, "run.busy");
    profile.run(&["held", "list"]).done();

    let sync = profile.finish(running).done();
    assert_eq!(sync.data()["run"], run);
    district.holds_each_once(&district.day(&profile.setup()));
}

#[test]
fn ctrl_c_cancels_the_run_and_loses_nothing() {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::patient_for(&district, 2);
    let running = slow_sync(&district, &profile);
    interrupt(&running);
    let cancelled = profile.finish(running).ended(1, "run.cancelled");
    assert_eq!(cancelled.data()["outcome"], "cancelled");
    assert_eq!(cancelled.job("hero-attendance")["outcome"], "cancelled");
    assert_eq!(cancelled.job("raptor-tardies")["outcome"], "cancelled");
    assert!(district.tardies().exists());

    district.faults(&json!({}));
    let runs = profile.run(&["runs"]).done();
    assert_eq!(runs.data()["runs"][0]["outcome"], "cancelled");
    profile.run(&["sync"]).done();
    district.holds_each_once(&district.day(&profile.setup()));
}

/// The process at work answers nothing any more: neither the test nor its cancelling.
#[test]
fn the_second_ctrl_c_ends_a_test_whatever_it_waits_for() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let (mut host, _progress) = profile.under_way(&["run"]);
    district.hero_faults(&json!({"hang": "write"}));
    let mut testing = profile.spawn(&["test", "hero"]);
    until("the test hangs", || (district.hanging("hero") > 0).then_some(()));
    signal(&host, "-STOP");
    let ended = until("the test ends", || {
        interrupt(&testing);
        testing.try_wait().unwrap()
    });
    signal(&host, "-CONT");
    host.kill().unwrap();
    host.wait().unwrap();
    assert_eq!(ended.code(), Some(1));
    profile.finish(testing).ended(1, "test.cancelled");
}

/// A short command may be the one that holds the profile when another asks it for something long: it stays until that
/// is done.
#[test]
fn commands_at_the_same_time_all_get_their_answers() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    for _ in 0..3 {
        let short: Vec<Child> = (0..4).map(|_| profile.spawn(&["status"])).collect();
        let long = profile.spawn(&["sync"]);
        for child in short {
            profile.finish(child).done();
        }
        profile.finish(long).done();
    }
    district.holds_each_once(&district.day(&profile.setup()));
}
