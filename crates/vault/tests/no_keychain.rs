//! Sessions in which the keychain is missing or locked. The bus address is the process's own, so each case runs
//! this test binary again as a child with an environment of its own.
#![cfg(target_os = "linux")]
// Fixtures fail a test by panicking, like the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Command;

use rosterbridge_domain::settings::ConnectionId;
use rosterbridge_vault::{SecretName, Vault};
use uuid::Uuid;

/// Set in the child: it prints the code of the first error it meets.
const CHILD: &str = "ROSTERBRIDGE_TEST_VAULT_CHILD";

/// The child's part; in an ordinary run there is nothing to do.
#[tokio::test]
async fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let outcome = async {
        let vault = Vault::open(Uuid::new_v4()).await?;
        vault.set(SecretName::password(ConnectionId::HERO), &"whatever".into()).await?;
        vault.get(SecretName::password(ConnectionId::HERO)).await
    }
    .await;
    match outcome {
        Ok(_) => println!("code=none"),
        Err(error) => println!("code={}\nmessage={error}\nremedy={}", error.code(), error.remedy()),
    }
}

/// This binary again, with only the child's test.
fn child_command(program: &Path) -> Vec<String> {
    [program.to_str().unwrap(), "--exact", "child", "--nocapture"].map(str::to_owned).into()
}

fn code_in(output: &std::process::Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let code = text.lines().find_map(|line| line.split_once("code=").map(|(_, code)| code.to_owned()));
    code.unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// Waits until the daemon, which goes to the background first, has taken its name on the bus.
const WAIT: &str = "for _ in $(seq 500); do dbus-send --session --print-reply --dest=org.freedesktop.DBus / \
                    org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets | grep -q true && break; \
                    sleep 0.02; done";

/// A private session bus that starts nothing by itself, and what runs on it.
fn in_private_session(home: &Path, script: &str) -> std::process::Output {
    let run = home.join("run");
    fs::DirBuilder::new().mode(0o700).create(&run).unwrap();
    let config = home.join("bus.conf");
    fs::write(
        &config,
        format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\
             <busconfig><type>session</type><listen>unix:dir={}</listen><auth>EXTERNAL</auth>\
             <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\
             <allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>",
            run.display()
        ),
    )
    .unwrap();
    Command::new("dbus-run-session")
        .arg(format!("--config-file={}", config.display()))
        .args(["--", "/bin/sh", "-c", script])
        .args(child_command(&std::env::current_exe().unwrap()))
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", &run)
        .env_remove("XDG_DATA_HOME")
        .env_remove("GNOME_KEYRING_CONTROL")
        .env(CHILD, "1")
        .output()
        .expect("dbus-run-session (package dbus)")
}

#[test]
fn no_bus_is_no_keychain() {
    let command = child_command(&std::env::current_exe().unwrap());
    let output = Command::new(&command[0])
        .args(&command[1..])
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert_eq!(code_in(&output), "vault.no_keychain");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("gnome-keyring"), "the remedy names what to start: {text}");
    assert!(!text.contains("zbus") && !text.contains("nonexistent"), "D-Bus text: {text}");
}

#[test]
fn a_bus_without_a_secret_service_is_no_keychain() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(code_in(&in_private_session(home.path(), "\"$0\" \"$@\"")), "vault.no_keychain");
}

#[test]
fn a_keyring_that_was_never_made_is_no_keychain() {
    let home = tempfile::tempdir().unwrap();
    let start = "gnome-keyring-daemon --start --components=secrets >/dev/null";
    let script = format!("{start} && {WAIT} && \"$0\" \"$@\"");
    assert_eq!(code_in(&in_private_session(home.path(), &script)), "vault.no_keychain");
}

#[test]
fn a_locked_keyring_is_locked_and_an_unlocked_one_works() {
    let unlock = "printf pass | gnome-keyring-daemon --unlock --components=secrets >/dev/null";
    let home = tempfile::tempdir().unwrap();
    let lock = "dbus-send --session --print-reply --dest=org.freedesktop.secrets /org/freedesktop/secrets \
                org.freedesktop.Secret.Service.Lock \
                array:objpath:/org/freedesktop/secrets/collection/login >/dev/null";
    let script = format!("{unlock} && {WAIT} && {lock} && \"$0\" \"$@\"");
    assert_eq!(code_in(&in_private_session(home.path(), &script)), "vault.locked");

    let home = tempfile::tempdir().unwrap();
    assert_eq!(
        code_in(&in_private_session(home.path(), &format!("{unlock} && {WAIT} && \"$0\" \"$@\""))),
        "none"
    );
}
