//! A run that a person cancels ends although a system it waits for never answers, and leaves nothing behind that the
//! next run would not put right.
#![cfg(unix)]

use std::{fs, process::Child};

use rstest::rstest;
use serde_json::json;

use crate::{
    processes::interrupt,
    stage::{Left, Stage},
    support::{District, Output, Profile, files_below, until},
    wire::{Fault, Relay},
};

/// What gives no answer, for much longer than any test waits.
#[derive(Clone, Copy, Debug)]
enum Hang {
    /// PowerSchool, to requests whose path holds this.
    PowerSchool(&'static str),
    /// PowerSchool, to an attendance write, which it applies after the client has given up.
    LateWrite,
    /// Hero, to SFTP requests of this kind.
    Hero(&'static str),
}

impl Hang {
    fn begin(self, district: &District) {
        match self {
            Self::PowerSchool(path) => district.faults(&json!({"hang": path})),
            Self::LateWrite => {
                district.faults(&json!({"attendance": {"apply_late": {"n": 1, "seconds": 1}}}));
            }
            Self::Hero(request) => district.hero_faults(&json!({"hang": request})),
        }
    }

    fn has_begun(self, district: &District) -> bool {
        match self {
            Self::PowerSchool(_) => district.hanging("powerschool") > 0,
            Self::LateWrite => district.faults_left()["attendance"].is_null(),
            Self::Hero(_) => district.hanging("hero") > 0,
        }
    }

    fn end(district: &District) {
        district.faults(&json!({}));
        district.hero_faults(&json!({}));
    }
}

/// Waits for a run that has been cancelled, with the patience of the tests, while nothing else changes.
#[track_caller]
fn ended(profile: &Profile, mut running: Child) -> Output {
    until("the cancelled run ends", || running.try_wait().unwrap());
    let ended = profile.finish(running).ended(1, "run.cancelled");
    assert_eq!(ended.data()["outcome"], "cancelled");
    ended
}

/// Checks what a cancelled run left, and that the next one ends as if there had been none.
#[track_caller]
fn is_clean(stage: &Stage, expected: &Left, cancelled: &Output, after: &str) {
    let runs = stage.profile.run(&["runs"]).done();
    let latest = &runs.data()["runs"][0];
    assert_eq!(latest["run"], cancelled.data()["run"], "after {after}");
    assert_eq!(latest["outcome"], "cancelled", "after {after}");
    assert!(latest["finished_at"].is_string(), "after {after}");
    for job in latest["jobs"].as_array().unwrap() {
        assert_ne!(job["outcome"], "running", "after {after}: {job}");
        assert_ne!(job["outcome"], "failed", "after {after}: {job}");
    }
    let status = stage.profile.run(&["status"]).done();
    assert!(status.data()["running"].is_null(), "after {after}");
    let sending = &status.data()["metrics"]["outbox"]["sending"];
    assert_eq!(sending.as_u64().unwrap_or_default(), 0, "after {after}: a write nobody knows the state of");
    for folder in [stage.profile.home().to_owned(), stage.district.data().join("raptor")] {
        for file in files_below(&folder) {
            let name = file.to_string_lossy();
            assert!(!name.contains("-part") && !name.contains("staging"), "after {after}: {name} is left");
        }
    }

    stage.profile.change_setup(|setup| setup["powerschool"]["answer_seconds"] = 1.into());
    let next = Output::of(&stage.sync().output().unwrap()).done();
    assert_eq!(next.data()["outcome"], "succeeded", "after {after}");
    assert_eq!(&stage.left(), expected, "after {after}");
}

#[rstest]
#[case::meeting_powerschool(&[], "upsert", &[
    Hang::PowerSchool("/ws/v1/metadata"),
    Hang::PowerSchool("/oauth/access_token"),
    Hang::PowerSchool("/ws/v1/time"),
])]
#[case::reading_the_roster(&[], "upsert", &[
    Hang::PowerSchool("/ws/v1/district/school"),
    Hang::PowerSchool("roster.terms.all"),
    Hang::PowerSchool("roster.students.all"),
    Hang::PowerSchool("roster.enrollments.of_years"),
])]
#[case::sending_files(&[], "upsert", &[
    Hang::Hero("stat"),
    Hang::Hero("open"),
    Hang::Hero("write"),
    Hang::Hero("rename"),
])]
#[case::replacing_a_file(&["hero-students"], "upsert", &[Hang::Hero("write"), Hang::Hero("rename")])]
#[case::fetching_a_file(&["hero-attendance"], "upsert", &[Hang::Hero("stat"), Hang::Hero("read")])]
#[case::upserting_attendance(&["hero-attendance"], "upsert", &[
    Hang::PowerSchool("attendance.records.by_day"),
    Hang::PowerSchool("/ws/attendance/"),
    Hang::LateWrite,
])]
#[case::inserting_attendance(&["hero-attendance"], "insert", &[
    Hang::PowerSchool("attendance.records.by_day"),
    Hang::PowerSchool("/ws/attendance/"),
    Hang::LateWrite,
])]
#[case::upserting_tardies(&["raptor-tardies"], "upsert", &[
    Hang::PowerSchool("attendance.records.by_day"),
    Hang::LateWrite,
])]
#[case::inserting_tardies(&["raptor-tardies"], "insert", &[
    Hang::PowerSchool("attendance.records.by_day"),
    Hang::LateWrite,
])]
fn a_run_is_cancelled_while_a_system_hangs(
    #[case] jobs: &'static [&'static str],
    #[case] mode: &str,
    #[case] hangs: &[Hang],
) {
    let mut stage = Stage::new(jobs, mode);
    let before = stage.left();
    assert!(stage.sync().output().unwrap().status.success());
    let expected = stage.left();
    assert_ne!(expected, before, "the run does something");
    for hang in hangs {
        stage.rewind();
        // PowerSchool's silence must not end the run by itself.
        stage.profile.change_setup(|setup| setup["powerschool"]["answer_seconds"] = 600.into());
        hang.begin(&stage.district);
        let running = stage.sync().spawn().unwrap();
        until(&format!("{hang:?} keeps the run waiting"), || hang.has_begun(&stage.district).then_some(()));
        interrupt(&running);
        let cancelled = ended(&stage.profile, running);
        Hang::end(&stage.district);
        is_clean(&stage, &expected, &cancelled, &format!("{hang:?}"));
    }
}

/// Hero takes in whatever is there: it must never find nothing because a person cancelled.
#[test]
fn a_file_between_two_names_gets_its_own_although_cancelled() {
    let stage = Stage::new(&["hero-students"], "upsert");
    assert!(stage.sync().output().unwrap().status.success());
    let file = stage.district.hero("imports/STUDENT.TXT");
    let before = fs::read_to_string(&file).unwrap();
    let renamed = "UPDATE Students SET Last_Name = 'Renamed' WHERE Enroll_Status = 0";
    assert!(stage.district.database().execute(renamed, ()).unwrap() > 0);
    stage.district.hero_faults(&json!({"late_name_ms": 400}));
    let mut running = stage.sync().spawn().unwrap();
    let (imports, old) = (file.parent().unwrap(), file.with_file_name(".STUDENT.TXT.rosterbridge-old"));
    // On a slow computer it may be through already.
    until("the file is between its names", || {
        (old.exists() || fs::read_to_string(&file).is_ok_and(|now| now != before)).then_some(())
    });
    interrupt(&running);
    until("the run ends", || running.try_wait().unwrap());
    assert!(fs::read_to_string(&file).unwrap().contains("Renamed"));
    for left in files_below(imports) {
        let name = left.to_string_lossy();
        assert!(!name.contains(".rosterbridge-"), "{name} is left");
    }
}

/// A line on which nothing comes any more after so many bytes of a run, or from its first.
#[rstest]
#[case::half_an_answer_of_powerschool(false)]
#[case::not_even_the_greeting_of_hero(true)]
fn a_run_is_cancelled_on_a_line_that_went_silent(#[case] hero: bool) {
    let mut district = District::start(&["--students", "40", "--schools", "2"]);
    let url = district.ready.powerschool.url.clone();
    let port = if hero { district.ready.hero.port } else { url.rsplit(':').next().unwrap().parse().unwrap() };
    let relay = Relay::to(port);
    if hero {
        district.ready.hero.port = relay.port;
    } else {
        district.ready.powerschool.url = format!("https://127.0.0.1:{}", relay.port);
    }
    fs::write(district.ready_file(), serde_json::to_string(&district.ready).unwrap()).unwrap();
    let profile = Profile::patient_for(&district, 1);
    let mut stage = Stage::kept(district, profile, &[]);
    relay.set(None);
    assert!(stage.sync().output().unwrap().status.success());
    let (whole, expected) = (relay.passed(), stage.left());
    relay.set(None);
    stage.rewind();
    stage.profile.change_setup(|setup| setup["powerschool"]["answer_seconds"] = 600.into());
    let at = if hero { 0 } else { whole / 3 };
    relay.set(Some(Fault::Stall { at }));
    let running = stage.sync().spawn().unwrap();
    until("the line is silent", || (relay.passed() > at).then_some(()));
    interrupt(&running);
    let cancelled = ended(&stage.profile, running);
    relay.set(None);
    is_clean(&stage, &expected, &cancelled, "silence on the line");
}

/// Whoever tests a connection does not wait for a server that says nothing. What another process asked of the same engine
/// is stopped, too: there is one test of a connection to stop.
#[rstest]
#[case::alone(false)]
#[case::beside_another_process(true)]
fn a_connection_test_is_stopped(#[case] beside: bool) {
    let district = District::start(&["--students", "40", "--schools", "2"]);
    let profile = Profile::of(&district);
    let test = ["test", "connection", "hero"];
    district.hero_faults(&json!({"hang": "stat"}));
    let mut tests = vec![profile.spawn(&test)];
    until("the server keeps it waiting", || (district.hanging("hero") > 0).then_some(()));
    if beside {
        tests.push(profile.spawn(&["test", "hero"]));
        until("the server keeps both waiting", || (district.hanging("hero") > 1).then_some(()));
    }
    interrupt(tests.last().unwrap());
    for mut test in tests {
        until("the test ends", || test.try_wait().unwrap());
        profile.finish(test).ended(1, "test.cancelled");
    }
    Hang::end(&district);
    profile.run(&test).done();
}

#[test]
fn replacing_a_host_key_is_stopped_and_the_old_one_stays() {
    let mut district = District::start(&["--students", "40", "--schools", "2"]);
    let relay = Relay::to(district.ready.hero.port);
    district.ready.hero.port = relay.port;
    fs::write(district.ready_file(), serde_json::to_string(&district.ready).unwrap()).unwrap();
    let profile = Profile::of(&district);
    let accepted = profile.run(&["connections", "show", "hero"]).done().data()["host_keys"].clone();
    relay.set(Some(Fault::Stall { at: 0 }));
    let other = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let replace = ["connections", "replace-host-key", "hero", "--presented", other, "--typed", "AAAAAAAA"];
    let mut replacing = profile.spawn(&replace);
    until("the line is silent", || (relay.passed() > 0).then_some(()));
    interrupt(&replacing);
    until("it ends", || replacing.try_wait().unwrap());
    profile.finish(replacing).ended(1, "test.cancelled");
    relay.set(None);
    assert_eq!(profile.run(&["connections", "show", "hero"]).done().data()["host_keys"], accepted);
}
