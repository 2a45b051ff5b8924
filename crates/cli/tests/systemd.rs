//! `rosterbridge service` with a `systemd --user` of the test's own, from the installation to the end.
//!
//! systemd starts no manager of an account on a computer that it did not boot, which it looks up in `/run`. So the
//! manager gets a `/run` of its own, and that takes root. Where it can't be had, the test says so and ends.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::{DirBuilderExt, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything may take before the test gives up. Never reached by a healthy run.
const PATIENCE: Duration = Duration::from_mins(1);

const SYSTEMD: &str = "/usr/lib/systemd/systemd";

/// systemd's own units that a manager can't do without. Of the others none is wanted: a second session bus, say.
const OWN_UNITS: [&str; 9] = [
    "app.slice",
    "basic.target",
    "default.target",
    "exit.target",
    "paths.target",
    "shutdown.target",
    "sockets.target",
    "systemd-exit.service",
    "timers.target",
];

const UNIT: &str = "rosterbridge-default.service";

#[track_caller]
fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// An account's service manager.
struct Manager {
    account: TempDir,
    process: Child,
}

impl Manager {
    /// None where it can't be had, with the reason told.
    fn start() -> Option<Self> {
        let skipped = |reason: &str| {
            eprintln!("SKIPPED: {reason}");
            None
        };
        if !Path::new(SYSTEMD).exists() {
            return skipped("systemd is not on this machine.");
        }
        let account = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = account.path().join(name);
            fs::DirBuilder::new().mode(0o700).recursive(true).create(&folder).unwrap();
            folder
        };
        folder("run");
        let units = folder("units");
        for unit in OWN_UNITS {
            symlink(Path::new("/usr/lib/systemd/user").join(unit), units.join(unit)).unwrap();
        }
        // Half a minute is long for a test that waits.
        let settings = folder(&format!("config/systemd/user/{UNIT}.d"));
        fs::write(settings.join("quick.conf"), "[Service]\nRestartSec=0\n").unwrap();

        let log = File::create(account.path().join("log")).unwrap();
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c"])
            .arg("mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec \"$0\" --user --log-target=console")
            .arg(SYSTEMD)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let Ok(process) = Self::of_account(account.path(), &mut command).spawn() else {
            return skipped("`unshare` (util-linux) is not on this machine.");
        };
        let mut manager = Self { account, process };
        let answers = until("the manager answers, or has ended", || {
            let ended = manager.process.try_wait().unwrap().is_some();
            let answers = manager.systemctl(&["show", "--property=Version"]).is_some();
            (ended || answers).then_some(answers)
        });
        if !answers {
            let said = fs::read_to_string(manager.account.path().join("log")).unwrap();
            return skipped(&format!("systemd does not start here for an account alone: {said}"));
        }
        Some(manager)
    }

    fn of_account<'a>(account: &Path, command: &'a mut Command) -> &'a mut Command {
        let config = account.join("config");
        let units = format!("{}:{}", config.join("systemd/user").display(), account.join("units").display());
        command
            .env("HOME", account)
            .env("XDG_RUNTIME_DIR", account.join("run"))
            .env("XDG_CONFIG_HOME", config)
            .env("SYSTEMD_UNIT_PATH", units)
    }

    /// What systemd answers, unless it refuses.
    fn systemctl(&self, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new("systemctl");
        command.arg("--user").args(arguments).stdin(Stdio::null());
        let output = Self::of_account(self.account.path(), &mut command).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }

    #[track_caller]
    fn property(&self, name: &str) -> String {
        self.systemctl(&["show", "--value", "--property", name, UNIT]).unwrap()
    }

    /// The service's process, while there is one.
    fn process_id(&self) -> Option<String> {
        Some(self.property("MainPID")).filter(|id| id != "0")
    }

    fn home(&self) -> PathBuf {
        self.account.path().join("the data")
    }

    /// The data of a command of ours that is done.
    #[track_caller]
    fn rosterbridge(&self, arguments: &[&str]) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rosterbridge"));
        command.arg("--json").arg("--home").arg(self.home()).args(arguments).stdin(Stdio::null());
        let output = Self::of_account(self.account.path(), &mut command).output().unwrap();
        let mut document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(output.status.success(), "{document}");
        document["data"].take()
    }

    /// Whether a process holds the profile.
    fn is_held(&self) -> bool {
        let lock = self.home().join("profiles/default/engine.lock");
        matches!(File::open(lock).unwrap().try_lock(), Err(TryLockError::WouldBlock))
    }

    /// Waits for a process of the service, other than `before`, that holds the profile.
    #[track_caller]
    fn next_process(&self, before: Option<&String>) -> String {
        until("the service holds the profile", || {
            self.process_id().filter(|id| Some(id) != before && self.is_held())
        })
    }
}

impl Drop for Manager {
    /// It ends its services first.
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(Some(_))) {
            return;
        }
        let asked = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

#[test]
fn systemd_starts_restarts_and_stops_the_service() {
    let Some(manager) = Manager::start() else { return };
    manager.rosterbridge(&["handover", "key"]);
    assert!(!manager.is_held());

    let installed = manager.rosterbridge(&["service", "install"]);
    let unit = PathBuf::from(installed["file"].as_str().unwrap());
    let first = manager.next_process(None);
    assert_eq!(manager.property("UnitFileState"), "enabled", "it starts at every login");
    let status = manager.rosterbridge(&["service", "status"]);
    assert_eq!((&status["installed"], &status["running"]), (&json!(true), &json!(true)));
    // The profile is in its hands; what is asked of it meanwhile is answered there.
    manager.rosterbridge(&["status"]);

    manager.systemctl(&["kill", "--signal=KILL", UNIT]).unwrap();
    let second = manager.next_process(Some(&first));
    assert_eq!(manager.property("NRestarts"), "1");
    // Installed again, it goes on as it is.
    manager.rosterbridge(&["service", "install"]);
    assert_eq!(manager.process_id(), Some(second));

    manager.systemctl(&["stop", UNIT]).unwrap();
    assert!(!manager.is_held());
    let status = manager.rosterbridge(&["service", "status"]);
    assert_eq!(
        (&status["installed"], &status["running"], &status["last_exit"]),
        (&json!(true), &json!(false), &json!({ "code": 0 })),
        "asked to stop, it comes to a good end"
    );

    manager.systemctl(&["start", UNIT]).unwrap();
    manager.next_process(None);
    assert_eq!(manager.rosterbridge(&["service", "uninstall"])["removed"], true);
    assert!(!manager.is_held() && !unit.exists());
    assert_eq!(manager.property("LoadState"), "not-found");
    assert_eq!(manager.rosterbridge(&["service", "status"])["installed"], false);
}
