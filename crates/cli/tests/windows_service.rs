//! `rosterbridge service --for windows-service` with a real service control manager, from the installation to the end.
//!
//! Wine takes any password and logs nobody on. Windows itself would need an administrator, the password of this account and
//! its right to log on as a service: `.config/nextest.toml` leaves these tests out there.
#![cfg(windows)]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a service may take to stop. Never reached by a healthy one.
const PATIENCE: Duration = Duration::from_secs(50);

/// Only Wine has it.
const WINES_OWN: &str = r"C:\windows\system32\winecfg.exe";

/// A profile, and whatever service there is of it.
struct Profile {
    home: TempDir,
    name: String,
}

impl Profile {
    fn new(name: &str) -> Self {
        assert!(
            Path::new(WINES_OWN).exists(),
            "Windows would log this account on, and its password is not known"
        );
        // Services are the computer's: no other run of this test has this name.
        let name = format!("{name}-{}", std::process::id());
        Self { home: tempfile::tempdir().unwrap(), name }
    }

    /// Exit code and document of a command for a home.
    fn run_for(&self, home: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rosterbridge"))
            .arg("--home")
            .arg(home)
            .args(["--json", "--profile", &self.name])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // What asks for no password has ended, maybe.
        let _ = child.stdin.take().unwrap().write_all(b"a password\n");
        let output = child.wait_with_output().unwrap();
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        self.run_for(self.home.path(), arguments)
    }

    #[track_caller]
    fn done(&self, arguments: &[&str]) -> Value {
        let (exit, mut document) = self.run(arguments);
        assert_eq!(exit, Some(0), "{document}");
        document["data"].take()
    }

    /// Exit code and document of the installation. Wine gives a program ten seconds to report that it has started, and a
    /// busy computer more to do: that one refusal is no answer yet.
    fn install(&self) -> (Option<i32>, Value) {
        let begun = Instant::now();
        loop {
            let (exit, document) = self.run(&["service", "install", "--for", "windows-service"]);
            let late =
                document["message"].as_str().is_some_and(|message| message.contains("(os error 1053)"));
            if !late || begun.elapsed() > PATIENCE {
                return (exit, document);
            }
        }
    }

    #[track_caller]
    fn installed(&self) -> Value {
        let (exit, mut document) = self.install();
        assert_eq!(exit, Some(0), "{document}");
        document["data"].take()
    }

    /// Whether the service is installed, whether it runs, and how it last ended.
    #[track_caller]
    fn status(&self) -> [Value; 3] {
        let mut data = self.done(&["service", "status"]);
        ["installed", "running", "last_exit"].map(|name| data[name].take())
    }

    #[track_caller]
    fn until(&self, expected: &[Value; 3]) {
        let begun = Instant::now();
        loop {
            let status = self.status();
            if status == *expected {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{status:?} does not become {expected:?}");
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        self.run(&["service", "uninstall"]);
    }
}

#[test]
fn it_runs_from_its_installation_until_it_is_stopped_or_removed() {
    let profile = Profile::new("service");
    let [runs, stopped, gone] = [
        [json!(true), json!(true), json!(null)],
        [json!(true), json!(false), json!({ "code": 0 })],
        [json!(false), json!(false), json!(null)],
    ];
    profile.done(&["handover", "key"]);
    assert_eq!(profile.status(), gone);

    let installed = profile.installed();
    let service = installed["service"].as_str().unwrap();
    assert!(service.starts_with(&format!("RosterBridge-{}-", profile.name)), "{service}");
    assert_eq!(profile.status(), runs);
    // Installed again, it goes on.
    profile.installed();
    assert_eq!(profile.status(), runs);

    let stop = Command::new("sc").args(["stop", service]).output().unwrap();
    assert!(stop.status.success(), "{}", String::from_utf8_lossy(&stop.stdout));
    profile.until(&stopped);
    profile.installed();
    assert_eq!(profile.status(), runs);

    let other = tempfile::tempdir().unwrap();
    let (_, document) = profile.run_for(other.path(), &["service", "status"]);
    assert_eq!(document["code"], "service.name_taken", "{document}");

    assert_eq!(profile.done(&["service", "uninstall"])["removed"], true);
    assert_eq!(profile.status(), gone);
    profile.done(&["erase", "--confirm", &profile.name]);
}

#[test]
fn one_that_fails_at_once_is_told_of() {
    let profile = Profile::new("broken");
    let folder = profile.home.path().join("profiles").join(&profile.name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("profile.json"), "{}").unwrap();
    let (exit, document) = profile.install();
    assert_eq!((exit, &document["code"]), (Some(1), &json!("service.ended_at_once")), "{document}");
    let status = profile.status();
    assert_eq!(status, [json!(true), json!(false), json!({ "code": 1 })]);
}
