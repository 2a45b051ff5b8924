//! A private session bus with an unlocked keyring, for machines and tests that have none.

use crate::process::{self, Running, StepError};
use std::{
    env, fs,
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long the keyring may take to appear on the bus.
const PATIENCE: Duration = Duration::from_secs(20);

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
    keyring: Keyring,
    _bus: Running,
    address: String,
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
        let keyring = Keyring { daemon: Arc::new(Mutex::new(keyring)), watch: None };
        let mut session = Self { keyring, _bus: bus, address, runtime };
        session.wait_for_keyring(&log)?;
        let again = {
            let (home, runtime) = (keyring_home.to_owned(), session.runtime.path().to_owned());
            let (address, log) = (session.address.clone(), log);
            move || start_keyring(&home, &runtime, &address, &log)
        };
        session.keyring.watch(again);
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

    fn wait_for_keyring(&mut self, log: &Path) -> Result<(), StepError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut ask = default_collection_locked();
            if process::probe(self.apply(&mut ask)).is_some_and(|reply| is_unlocked(&reply)) {
                return Ok(());
            }
            let ended = self.keyring.has_ended();
            if ended || Instant::now() > deadline {
                let said = fs::read_to_string(log).unwrap_or_default();
                return Err(StepError::Unmet(format!(
                    "gnome-keyring did not come up unlocked. It said:\n{said}"
                )));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// gnome-keyring, started again whenever it ends. Asked for an item that another program removes at that moment it
/// ends itself (`GLib-ERROR: g_variant_new: expected GVariant of type 'v'`, seen with 42.1), and every later test would
/// find no keychain.
#[derive(Debug)]
struct Keyring {
    daemon: Arc<Mutex<Running>>,
    watch: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Keyring {
    fn has_ended(&self) -> bool {
        has_ended(&self.daemon)
    }

    fn watch(&mut self, start: impl Fn() -> Result<Running, StepError> + Send + 'static) {
        let (stop, daemon) = (Arc::new(AtomicBool::new(false)), Arc::clone(&self.daemon));
        let stopped = Arc::clone(&stop);
        let watching = thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                if has_ended(&daemon) {
                    eprintln!("    gnome-keyring has ended by itself and is started again.");
                    if let Ok(new) = start() {
                        *daemon.lock().unwrap_or_else(PoisonError::into_inner) = new;
                    }
                }
                thread::sleep(Duration::from_millis(50));
            }
        });
        self.watch = Some((stop, watching));
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        if let Some((stop, watching)) = self.watch.take() {
            stop.store(true, Ordering::SeqCst);
            // It ends by itself within moments; if it panicked, there is nothing left to stop.
            let _ = watching.join();
        }
    }
}

fn has_ended(daemon: &Mutex<Running>) -> bool {
    let mut daemon = daemon.lock().unwrap_or_else(PoisonError::into_inner);
    daemon.child.try_wait().ok().flatten().is_some()
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
    fn a_keyring_that_ends_by_itself_is_started_again() {
        let home = tempfile::tempdir().unwrap();
        let session = PrivateSession::start(home.path()).unwrap();
        let before = session.keyring.daemon.lock().unwrap().child.id();
        session.keyring.daemon.lock().unwrap().child.kill().unwrap();
        let deadline = Instant::now() + PATIENCE;
        let asks = || process::probe(session.apply(&mut default_collection_locked()));
        while session.keyring.daemon.lock().unwrap().child.id() == before
            || !asks().is_some_and(|reply| is_unlocked(&reply))
        {
            assert!(Instant::now() < deadline, "it did not come back");
            thread::sleep(Duration::from_millis(50));
        }
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
