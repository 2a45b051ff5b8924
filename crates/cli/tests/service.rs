//! `rosterbridge service` against a `systemctl` of the test's own, first in the PATH, that writes down what it is asked.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Answers from the file `answer` beside it, and fails for the verb in the file `fails`.
const SYSTEMCTL: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/asked"
if [ -e "$here/unreachable" ]; then echo "Failed to connect to bus: No medium found" >&2; exit 1; fi
if [ "$2" = show ]; then cat "$here/answer"; exit 0; fi
if [ "$2" = "$(cat "$here/fails" 2>/dev/null)" ]; then echo "Unit is masked." >&2; exit 1; fi
"#;

const UNKNOWN: &str = "LoadState=not-found\nActiveState=inactive\nExecMainCode=0\nExecMainStatus=0\n";
const RUNNING: &str = "LoadState=loaded\nActiveState=active\nExecMainCode=0\nExecMainStatus=0\n";
const FAILED: &str = "LoadState=loaded\nActiveState=failed\nExecMainCode=1\nExecMainStatus=1\n";

const SHOW: &str = "--user show --property=LoadState,ActiveState,ExecMainCode,ExecMainStatus -- \
                    rosterbridge-default.service";
const RELOAD: &str = "--user daemon-reload";
const ENABLE: &str = "--user enable --now rosterbridge-default.service";
const RESTART: &str = "--user restart rosterbridge-default.service";
const DISABLE: &str = "--user disable --now rosterbridge-default.service";

/// An account's home with a profile in it, and a service manager that knows no service yet.
struct Account {
    root: TempDir,
}

impl Account {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let account = Self { root };
        fs::create_dir(account.bin()).unwrap();
        let systemctl = account.bin().join("systemctl");
        fs::write(&systemctl, SYSTEMCTL).unwrap();
        fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
        account.answers(UNKNOWN);
        for home in [account.home(), account.other_home()] {
            fs::create_dir_all(home.join("profiles/default")).unwrap();
            fs::write(home.join("profiles/default/profile.json"), "{}").unwrap();
        }
        account
    }

    fn bin(&self) -> PathBuf {
        self.root.path().join("bin")
    }

    fn home(&self) -> PathBuf {
        self.root.path().join("the data")
    }

    fn other_home(&self) -> PathBuf {
        self.root.path().join("other data")
    }

    fn units(&self) -> PathBuf {
        self.root.path().join("config/systemd/user")
    }

    fn unit(&self) -> PathBuf {
        self.units().join("rosterbridge-default.service")
    }

    /// What the service manager answers from now on.
    fn answers(&self, answer: &str) {
        fs::write(self.bin().join("answer"), answer).unwrap();
    }

    /// What the service manager was asked since the last time.
    fn asked(&self) -> Vec<String> {
        let file = self.bin().join("asked");
        let lines = fs::read_to_string(&file).unwrap_or_default();
        let _ = fs::remove_file(file);
        lines.lines().map(str::to_owned).collect()
    }

    fn command(&self, home: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rosterbridge"));
        let path = std::env::var("PATH").unwrap();
        command
            .env("PATH", format!("{}:{path}", self.bin().display()))
            .env("HOME", self.root.path())
            .env("XDG_CONFIG_HOME", self.root.path().join("config"))
            .stdin(Stdio::null())
            .arg("--home")
            .arg(home)
            .arg("service");
        command
    }

    /// Exit code and document of `service ARGUMENTS` for a home.
    fn run_for(&self, home: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
        let output = self.command(home).args(arguments).arg("--json").output().unwrap();
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        self.run_for(&self.home(), arguments)
    }

    /// The data of a command that is done.
    #[track_caller]
    fn done(&self, arguments: &[&str]) -> Value {
        let (exit, mut document) = self.run(arguments);
        assert_eq!(exit, Some(0), "{document}");
        document["data"].take()
    }
}

#[track_caller]
fn assert_failed((exit, document): (Option<i32>, Value), code: &str) -> Value {
    assert_eq!((exit, document["code"].as_str()), (Some(1), Some(code)), "{document}");
    assert!(document["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()));
    document
}

#[test]
fn installing_again_changes_nothing() {
    let account = Account::new();
    account.done(&["install"]);
    assert_eq!(account.asked(), [SHOW, RELOAD, ENABLE]);
    let unit = fs::read_to_string(account.unit()).unwrap();
    let line = format!(
        "ExecStart=\"{}\" \"--home\" \"{}\" \"--profile\" \"default\" \"run\"\n",
        fs::canonicalize(env!("CARGO_BIN_EXE_rosterbridge")).unwrap().display(),
        account.home().display()
    );
    assert!(unit.contains(&line), "{unit}");

    account.answers(RUNNING);
    account.done(&["install"]);
    assert_eq!(account.asked(), [SHOW, RELOAD, ENABLE]);
    assert_eq!(fs::read_to_string(account.unit()).unwrap(), unit);
}

/// What an AppImage holds is mounted while it runs only, each time elsewhere. A program that an AppImage of another
/// application has started, a terminal say, has that one's variables.
#[rstest]
#[case::of_ours(true)]
#[case::of_another(false)]
fn a_service_starts_the_appimage_it_was_installed_from(#[case] ours: bool) {
    let account = Account::new();
    let own = fs::canonicalize(env!("CARGO_BIN_EXE_rosterbridge")).unwrap();
    let (image, elsewhere) = (Path::new("/opt/RosterBridge.AppImage"), account.root.path());
    let mut install = account.command(&account.home());
    install.env("APPIMAGE", image).env("APPDIR", if ours { own.parent().unwrap() } else { elsewhere });
    assert!(install.arg("install").output().unwrap().status.success());
    let unit = fs::read_to_string(account.unit()).unwrap();
    let started = if ours { image } else { &own };
    assert!(unit.contains(&format!("ExecStart=\"{}\" \"--home\"", started.display())), "{unit}");
}

#[test]
fn a_unit_of_another_version_is_replaced_and_the_service_restarted() {
    let account = Account::new();
    account.done(&["install"]);
    account.answers(RUNNING);
    account.asked();
    let unit = fs::read_to_string(account.unit()).unwrap();
    fs::write(account.unit(), unit.replace("RestartSec=30", "RestartSec=5")).unwrap();
    account.done(&["install"]);
    assert_eq!(account.asked(), [SHOW, RELOAD, ENABLE, RESTART]);
    assert_eq!(fs::read_to_string(account.unit()).unwrap(), unit);
    assert_eq!(fs::read_dir(account.units()).unwrap().count(), 1);
}

#[test]
fn uninstalling_removes_what_installing_wrote_and_nothing_else() {
    let account = Account::new();
    fs::create_dir_all(account.units()).unwrap();
    let foreign = account.units().join("rosterbridge-default2.service");
    fs::write(&foreign, "[Unit]\n").unwrap();
    assert_eq!(account.done(&["uninstall"])["removed"], false);
    assert_eq!(account.asked(), [""; 0]);

    account.done(&["install"]);
    account.answers(RUNNING);
    account.asked();
    assert_eq!(account.done(&["uninstall"])["removed"], true);
    assert_eq!(account.asked(), [SHOW, DISABLE, RELOAD]);
    let left: Vec<_> = fs::read_dir(account.units()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [foreign]);
    assert!(account.home().join("profiles/default").is_dir());
}

#[test]
fn a_unit_systemd_does_not_know_is_removed_without_stopping_it() {
    let account = Account::new();
    account.done(&["install"]);
    account.asked();
    account.done(&["uninstall"]);
    assert_eq!(account.asked(), [SHOW, RELOAD]);
    assert!(!account.unit().exists());
}

#[rstest]
#[case::running(RUNNING, json!({ "installed": true, "running": true, "last_exit": null }))]
#[case::failed(FAILED, json!({ "installed": true, "running": false, "last_exit": { "code": 1 } }))]
#[case::unknown(UNKNOWN, json!({ "installed": false, "running": false, "last_exit": null }))]
fn status_tells_what_systemd_knows(#[case] answer: &str, #[case] mut expected: Value) {
    let account = Account::new();
    let before = account.done(&["status"]);
    assert_eq!((&before["installed"], &before["running"]), (&json!(false), &json!(false)));
    account.done(&["install"]);
    account.answers(answer);
    expected["manager"] = json!("systemd");
    expected["file"] = json!(account.unit());
    assert_eq!(account.done(&["status"]), expected);
}

/// As over sudo, or on a server without a login.
#[rstest]
#[case::no_bus(true)]
#[case::no_systemd(false)]
fn without_a_service_manager_nothing_is_written(#[case] systemctl: bool) {
    let account = Account::new();
    let mut command = account.command(&account.home());
    if systemctl {
        fs::write(account.bin().join("unreachable"), "").unwrap();
    } else {
        command.env("PATH", account.root.path());
    }
    let output = command.args(["install", "--json"]).output().unwrap();
    let document = serde_json::from_slice(&output.stdout).unwrap();
    let document = assert_failed((output.status.code(), document), "service.no_manager");
    assert!(document["remedy"].as_str().unwrap().contains("sudo"));
    assert!(!account.units().exists());
}

#[test]
fn what_systemctl_refuses_is_told_and_can_be_tried_again() {
    let account = Account::new();
    let fails = account.bin().join("fails");
    fs::write(&fails, "enable").unwrap();
    let document = assert_failed(account.run(&["install"]), "service.command_failed");
    let message = document["message"].as_str().unwrap();
    assert!(
        message.contains(&format!("systemctl {ENABLE}")) && message.contains("Unit is masked."),
        "{message}"
    );
    fs::remove_file(fails).unwrap();
    account.done(&["install"]);
}

#[test]
fn a_service_of_another_home_is_left_alone() {
    let account = Account::new();
    account.done(&["install"]);
    let unit = fs::read(account.unit()).unwrap();
    account.asked();
    for arguments in [["install"], ["uninstall"], ["status"]] {
        assert_failed(account.run_for(&account.other_home(), &arguments), "service.name_taken");
    }
    assert_eq!(fs::read(account.unit()).unwrap(), unit);
    assert!(account.asked().iter().all(|line| line == SHOW));
}

#[test]
fn a_profile_that_is_not_there_gets_no_service() {
    let account = Account::new();
    assert_failed(account.run(&["install", "--profile", "defualt"]), "profile.not_found");
    assert_failed(account.run(&["install", "--profile", "../default"]), "profile.bad_name");
    assert!(!account.units().exists());
}

#[rstest]
#[case::here(&[], "[Unit]")]
#[case::systemd(&["--for", "systemd"], "[Unit]")]
#[case::launchd(&["--for", "launchd"], "<plist version=\"1.0\">")]
#[case::system(&["--for", "systemd-system", "--account", "svc"], "User=svc\n")]
#[case::windows(&["--for", "windows"], "<Task version=\"1.2\"")]
#[case::windows_service(&["--for", "windows-service", "--account", "svc"], "Logs on as:     .\\svc,")]
fn print_shows_the_file_and_does_nothing(#[case] which: &[&str], #[case] part: &str) {
    let account = Account::new();
    let arguments = [&["install", "--print", "--executable", "/opt/rb/rosterbridge"], which].concat();
    let output = account.command(&account.home()).args(&arguments).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains(part) && shown.contains("/opt/rb/rosterbridge"), "{shown}");
    assert_eq!(account.done(&arguments)["content"], shown);
    assert_eq!(account.asked(), [""; 0]);
    assert!(!account.units().exists());
}

/// A task for another computer is made of that computer's paths.
#[test]
fn a_task_for_another_computer_has_its_paths() {
    let account = Account::new();
    let arguments = [
        "install",
        "--print",
        "--for",
        "windows",
        "--executable",
        r"C:\RB\rosterbridge.exe",
        "--account",
        r"D\office",
        "--logon",
        "interactive",
    ];
    let (exit, document) = account.run_for(Path::new(r"D:\data"), &arguments);
    assert_eq!(exit, Some(0), "{document}");
    let content = document["data"]["content"].as_str().unwrap();
    for part in
        [r"<Command>C:\RB\rosterbridge.exe</Command>", r"&quot;D:\data&quot;", r"<UserId>D\office</UserId>"]
    {
        assert!(content.contains(part), "{content}");
    }
}

#[rstest]
#[case::s4u(&["--logon", "s4u"])]
#[case::system(&["--logon", "system"])]
#[case::system_account(&["--account", r"NT AUTHORITY\SYSTEM"])]
#[case::service(&["--for", "windows-service", "--account", "LocalSystem"])]
fn an_account_without_the_keychain_is_refused_with_the_reason(#[case] options: &[&str]) {
    let account = Account::new();
    let windows: &[&str] = if options[0] == "--for" { &[] } else { &["--for", "windows"] };
    let arguments = [&["install", "--print"], windows, options].concat();
    let document = assert_failed(account.run(&arguments), "service.keychain_closed");
    assert!(document["message"].as_str().unwrap().contains("keychain"));
}

#[rstest]
#[case::of_another_system(&["install", "--for", "launchd"])]
#[case::service_of_another_system(&["install", "--for", "windows-service"])]
#[case::status_of_another_system(&["status", "--for", "windows-service"])]
#[case::logon_of_a_service(&["install", "--print", "--for", "windows-service", "--logon", "password"])]
#[case::account_of_a_unit(&["status", "--for", "systemd-system", "--account", "office"])]
#[case::account(&["install", "--account", "office"])]
#[case::account_of_a_status(&["status", "--account", "office"])]
#[case::logon(&["install", "--logon", "password"])]
#[case::executable(&["install", "--executable", "/bin/true"])]
#[case::line_break(&["install", "--print", "--for", "systemd-system", "--account", "office\nExecStartPre=/bin/true"])]
#[case::backslash(&["install", "--print", "--for", "systemd-system", "--account", "DISTRICT\\"])]
#[case::no_name(&["install", "--print", "--for", "systemd-system", "--account", ""])]
fn options_that_mean_nothing_are_wrong_usage(#[case] arguments: &[&str]) {
    let account = Account::new();
    let (exit, document) = account.run(arguments);
    assert_eq!((exit, document["code"].as_str()), (Some(2), Some("usage")), "{document}");
    assert!(!account.units().exists());
}
