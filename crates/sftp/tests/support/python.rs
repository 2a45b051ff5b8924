use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rosterbridge_sftp::{Address, Authentication, Connection, Pin, Timeouts};
use tempfile::TempDir;

const PACKAGES: [&str; 2] = ["asyncssh==2.24.1", "paramiko==5.1.0"];
/// The longest a server may take to start.
const START: Duration = Duration::from_mins(1);

/// An SFTP server that others wrote, with the folders of a Hero account. It ends with the test.
pub struct OtherServer {
    child: Child,
    folder: TempDir,
    pub port: u16,
    pin: Pin,
}

impl OtherServer {
    /// Runs a script of `tests/other_servers`.
    pub fn start(script: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("rosterbridge-sftp-").tempdir().unwrap();
        for name in ["imports", "export"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/other_servers").join(script);
        let mut child = Command::new(python())
            .arg(script)
            .arg(folder.path())
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (say, said) = channel();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            let _ = say.send(line);
        });
        let ready = said.recv_timeout(START).expect("the server says where it is");
        let ready: serde_json::Value = serde_json::from_str(&ready).expect("the server starts");
        let text = |field: &str| ready[field].as_str().unwrap().to_owned();
        let port = u16::try_from(ready["port"].as_u64().unwrap()).unwrap();
        Self { child, folder, port, pin: Pin { algorithm: text("algorithm"), sha256: text("sha256") } }
    }

    pub fn files(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub fn pins(&self) -> Vec<Pin> {
        vec![self.pin.clone()]
    }

    pub fn connection(&self) -> Connection {
        Connection {
            address: Address { host: "127.0.0.1".into(), port: self.port },
            username: "hero".to_owned(),
            authentication: Authentication::Password("practice".into()),
            allow_legacy: false,
            timeouts: Timeouts {
                connect: Duration::from_secs(20),
                answer: Duration::from_secs(20),
                ..Timeouts::default()
            },
        }
    }
}

impl Drop for OtherServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The interpreter of a virtual environment that has the packages. It is made below the target folder, once; without
/// Python, its venv module or the package index this fails and says so.
fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sftp-servers");
    fs::create_dir_all(&folder).unwrap();
    // Tests are processes of their own: one of them installs, the others wait.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let environment = folder.join("venv");
    let python = environment.join("bin/python");
    let done = folder.join("installed");
    let wanted = PACKAGES.join(" ");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return python;
    }
    run(
        Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment),
        "make a virtual environment",
    );
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--timeout", "30"]);
    install.args(["--retries", "3"]).args(PACKAGES);
    run(&mut install, "install the servers from the Python package index");
    fs::write(done, wanted).unwrap();
    python
}

#[track_caller]
fn run(command: &mut Command, what: &str) {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("cannot {what}: {command:?}: {error}"),
    };
    assert!(output.status.success(), "cannot {what}: {}", String::from_utf8_lossy(&output.stderr));
}
