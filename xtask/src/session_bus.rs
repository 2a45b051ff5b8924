//! A private session bus with an unlocked keyring, for machines and tests that have none.

use crate::process::{self, Running, StepError};
use std::{
    env, fs,
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long the keyring may take to appear on the bus.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often it is asked for meanwhile: it is there within a few hundredths of a second.
const PAUSE: Duration = Duration::from_millis(5);

/// The bus's rules. No service folders: the stock session bus would start portals and a locked keyring
/// whenever a program asks for them.
const BUS_CONFIGURATION: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir=@FOLDER@</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// A bus and a keyring that live as long as this value.
#[derive(Debug)]
pub struct PrivateSession {
    // Dropped in this order: the keyring before its bus, both before their folder.
    keyring: Running,
    _bus: Running,
    address: String,
    log: PathBuf,
    runtime: tempfile::TempDir,
}

impl PrivateSession {
    /// Starts both. The keyring's file lives in `keyring_home`; reuse that folder to find the same
    /// secrets again.
    pub fn start(keyring_home: &Path) -> Result<Self, StepError> {
        fs::create_dir_all(keyring_home).map_err(|source| StepError::file(keyring_home.display(), source))?;
        // Made with mode 0700, which XDG_RUNTIME_DIR asks for.
        let runtime = tempfile::tempdir().map_err(|source| StepError::file("a temporary folder", source))?;
        let log = runtime.path().join("log");
        let (bus, address) = start_bus(runtime.path(), &log)?;
        let keyring = start_keyring(keyring_home, runtime.path(), &address, &log)?;
        let mut session = Self { keyring, _bus: bus, address, log, runtime };
        session.wait_for_keyring()?;
        Ok(session)
    }

    /// Lets `command` use this session instead of the person's own.
    pub fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        // There is no accessibility bus here; GTK would wait for it.
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.address).env("NO_AT_BRIDGE", "1");
        // A person's own runtime folder stays: Wayland's socket is in it.
        if env::var_os("XDG_RUNTIME_DIR").is_none() {
            command.env("XDG_RUNTIME_DIR", self.runtime.path());
        }
        command
    }

    /// What the keyring said, if it has ended by itself.
    pub fn last_words(&mut self) -> Option<String> {
        let ended = self.keyring.child.try_wait().ok().flatten().is_some();
        ended.then(|| fs::read_to_string(&self.log).unwrap_or_default())
    }

    fn wait_for_keyring(&mut self) -> Result<(), StepError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut ask = default_collection_locked();
            if process::probe(self.apply(&mut ask)).is_some_and(|reply| is_unlocked(&reply)) {
                return Ok(());
            }
            if self.last_words().is_some() || Instant::now() > deadline {
                let said = fs::read_to_string(&self.log).unwrap_or_default();
                return Err(StepError::Unmet(format!(
                    "gnome-keyring did not come up unlocked. It said:\n{said}"
                )));
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Whether the person's own session has a Secret Service: unlocked, or able to ask them to unlock it.
pub fn secret_service_answers(can_ask: bool) -> bool {
    // Without an address libdbus would try to launch a bus of its own.
    let has_bus = env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some()
        || env::var_os("XDG_RUNTIME_DIR").is_some_and(|runtime| PathBuf::from(runtime).join("bus").exists());
    has_bus
        && process::probe(&mut default_collection_locked())
            .is_some_and(|reply| can_ask || is_unlocked(&reply))
}

/// Secret Service specification: collection property `Locked`, at the alias `default`.
fn default_collection_locked() -> Command {
    let mut command = Command::new("dbus-send");
    command.args([
        "--session",
        "--print-reply",
        "--reply-timeout=5000",
        "--dest=org.freedesktop.secrets",
        "/org/freedesktop/secrets/aliases/default",
        "org.freedesktop.DBus.Properties.Get",
        "string:org.freedesktop.Secret.Collection",
        "string:Locked",
    ]);
    command
}

fn is_unlocked(reply: &str) -> bool {
    reply.contains("boolean false")
}

fn start_bus(runtime: &Path, log: &Path) -> Result<(Running, String), StepError> {
    let configuration = runtime.join("bus.conf");
    fs::write(&configuration, BUS_CONFIGURATION.replace("@FOLDER@", &runtime.to_string_lossy()))
        .map_err(|source| StepError::file(configuration.display(), source))?;
    let mut bus = process::spawn(
        Command::new("dbus-daemon")
            .arg(format!("--config-file={}", configuration.display()))
            .args(["--nofork", "--nopidfile", "--print-address=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file(log)?),
    )?;
    let mut address = String::new();
    if let Some(stdout) = bus.child.stdout.take() {
        BufReader::new(stdout)
            .read_line(&mut address)
            .map_err(|source| StepError::file("the bus's address", source))?;
    }
    let address = address.trim().to_owned();
    if address.is_empty() {
        let said = fs::read_to_string(log).unwrap_or_default();
        return Err(StepError::Unmet(format!("dbus-daemon did not start. It said:\n{said}")));
    }
    Ok((bus, address))
}

fn start_keyring(home: &Path, runtime: &Path, address: &str, log: &Path) -> Result<Running, StepError> {
    let mut keyring = process::spawn(
        Command::new("gnome-keyring-daemon")
            .args(["--foreground", "--unlock", "--components=secrets"])
            .env("DBUS_SESSION_BUS_ADDRESS", address)
            .env("HOME", home)
            .env("XDG_RUNTIME_DIR", runtime)
            .env_remove("XDG_DATA_HOME")
            .env_remove("GNOME_KEYRING_CONTROL")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log_file(log)?),
    )?;
    // The password of a keyring that only ever holds practice secrets. The daemon reads to the end of
    // its input, so the pipe must close here.
    let mut stdin =
        keyring.child.stdin.take().ok_or_else(|| StepError::Unmet("no pipe to gnome-keyring".to_owned()))?;
    stdin.write_all(b"practice").map_err(|source| StepError::file("gnome-keyring's input", source))?;
    drop(stdin);
    Ok(keyring)
}

fn log_file(path: &Path) -> Result<Stdio, StepError> {
    let open = || -> io::Result<File> { File::options().create(true).append(true).open(path) };
    open().map(Stdio::from).map_err(|source| StepError::file(path.display(), source))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_keyring_that_has_ended_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        let mut session = PrivateSession::start(home.path()).unwrap();
        assert_eq!(session.last_words(), None);
        session.keyring.child.kill().unwrap();
        session.keyring.child.wait().unwrap();
        assert!(session.last_words().is_some());
    }

    #[test]
    fn a_session_is_unlocked_ends_with_its_owner_and_opens_the_same_keyring_again() {
        let home = tempfile::tempdir().unwrap();
        let asks = |session: &PrivateSession| process::probe(session.apply(&mut default_collection_locked()));

        let session = PrivateSession::start(home.path()).unwrap();
        assert!(is_unlocked(&asks(&session).unwrap()));
        let keyrings = home.path().join(".local/share/keyrings");
        assert!(keyrings.join("login.keyring").exists());
        let address = session.address.clone();
        drop(session);

        let mut after = default_collection_locked();
        assert_eq!(process::probe(after.env("DBUS_SESSION_BUS_ADDRESS", address)), None);

        let session = PrivateSession::start(home.path()).unwrap();
        assert!(is_unlocked(&asks(&session).unwrap()));
    }
}
