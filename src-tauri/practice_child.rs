//! The practice district's process: `rosterbridge practice serve`, started from beside the app.

use std::{
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rosterbridge_api::Fault;
use serde::Deserialize;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{self, Instant},
};

/// How long a practice district may take to be generated and to serve.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often the ready file is looked for.
const GLANCE: Duration = Duration::from_millis(50);
/// How long a server on this machine may take to accept a connection.
const KNOCK: Duration = Duration::from_millis(500);

/// What the ready file says, as far as the shell needs it.
#[derive(Deserialize)]
pub struct Ready {
    /// The practice PowerSchool.
    pub powerschool: ReadyPowerSchool,
    /// The practice Hero server.
    pub hero: ReadyHero,
    /// The whole file, to be imported. It holds the practice district's secrets.
    #[serde(skip)]
    pub text: String,
}

/// Part of the ready file.
#[derive(Deserialize)]
pub struct ReadyPowerSchool {
    /// Its address.
    pub url: String,
    /// The plugin's Client ID.
    pub client_id: String,
}

/// Part of the ready file.
#[derive(Deserialize)]
pub struct ReadyHero {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// Why the practice district does not serve.
#[derive(Debug, thiserror::Error)]
pub enum PracticeError {
    /// The command line is not where it belongs.
    #[error("The practice district's program is missing: {0}.")]
    NoProgram(PathBuf),
    /// Its data folder or log could not be made.
    #[error("The practice district's folder {folder} can't be used: {source}.")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process could not be started.
    #[error("The practice district could not be started: {0}.")]
    Start(#[source] io::Error),
    /// It ended before it served.
    #[error("The practice district ended before it was ready ({status}). {last_words}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// The end of what it wrote.
        last_words: String,
    },
    /// It took too long.
    #[error("The practice district was not ready after {} seconds.", PATIENCE.as_secs())]
    Slow,
    /// Its ready file can't be read.
    #[error("The practice district's ready file can't be read: {0}.")]
    ReadyFile(#[source] io::Error),
}

impl PracticeError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoProgram(_) => "practice.no_program",
            Self::Folder { .. } => "practice.folder",
            Self::Start(_) => "practice.not_started",
            Self::Ended { .. } => "practice.ended",
            Self::Slow => "practice.slow",
            Self::ReadyFile(_) => "practice.ready_file",
        }
    }

    /// What the person can do.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::NoProgram(_) => "Install RosterBridge again: the command line belongs beside the app.",
            Self::Folder { .. } => {
                "Check that this account may write there, or start with --home and another folder."
            }
            Self::Start(_) => {
                "Check that this account may run programs from RosterBridge's folder, then try again."
            }
            Self::Ended { .. } | Self::ReadyFile(_) => {
                "Try again. If it happens once more, move the practice folder away: it is generated anew."
            }
            Self::Slow => "Try again when this computer is less busy.",
        }
    }
}

impl From<PracticeError> for Fault {
    fn from(error: PracticeError) -> Self {
        Self { code: error.code().to_owned(), message: error.to_string(), remedy: error.remedy().to_owned() }
    }
}

/// The practice district that serves from `data` already: this window's, or another one's.
pub async fn serving(data: &Path) -> Option<Ready> {
    let ready = read(&ready_file(data)).ok()??;
    let address = (ready.hero.host.as_str(), ready.hero.port);
    let answered = time::timeout(KNOCK, TcpStream::connect(address)).await;
    matches!(answered, Ok(Ok(_))).then_some(ready)
}

/// Starts the practice district on `data` and waits until it serves.
pub async fn start(data: &Path) -> Result<(Child, Ready), PracticeError> {
    let program = program()?;
    let folder_error = |source| PracticeError::Folder { folder: data.to_owned(), source };
    fs::create_dir_all(data).map_err(folder_error)?;
    let ready_file = ready_file(data);
    match fs::remove_file(&ready_file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(folder_error(error)),
        _ => {}
    }
    let log_file = data.join("serve.log");
    let log = File::create(&log_file).map_err(folder_error)?;
    let mut command = Command::new(program);
    command
        .args(["practice", "serve", "--data"])
        .arg(data)
        .arg("--ready-file")
        .arg(&ready_file)
        // Held open for as long as this process lives, however it ends.
        .arg("--until-stdin-closes")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true);
    #[cfg(windows)]
    {
        const CREATE_NO_WINDOW: u32 = 0x0800_0000;
        command.creation_flags(CREATE_NO_WINDOW);
    }
    let mut child = command.spawn().map_err(PracticeError::Start)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(ready) = read(&ready_file).map_err(PracticeError::ReadyFile)? {
            return Ok((child, ready));
        }
        if let Some(status) = child.try_wait().map_err(PracticeError::Start)? {
            return Err(PracticeError::Ended { status, last_words: last_words(&log_file) });
        }
        if Instant::now() >= deadline {
            return Err(PracticeError::Slow);
        }
        time::sleep(GLANCE).await;
    }
}

fn ready_file(data: &Path) -> PathBuf {
    data.join("ready.json")
}

/// The command line: beside the app, or where `ROSTERBRIDGE_BIN` says.
fn program() -> Result<PathBuf, PracticeError> {
    let path = match env::var_os("ROSTERBRIDGE_BIN").filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => env::current_exe()
            .map_err(PracticeError::Start)?
            .with_file_name(format!("rosterbridge{}", env::consts::EXE_SUFFIX)),
    };
    if path.is_file() { Ok(path) } else { Err(PracticeError::NoProgram(path)) }
}

/// The ready file, which is renamed into place whole; `None` while it is not there.
fn read(path: &Path) -> io::Result<Option<Ready>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let ready: Ready = serde_json::from_str(&text)?;
    Ok(Some(Ready { text, ..ready }))
}

/// The last line the process wrote, which is where it says what was wrong.
fn last_words(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &str = r#"{"powerschool":{"url":"https://127.0.0.1:1","client_id":"x","client_secret":"s"},
        "hero":{"host":"127.0.0.1","port":1,"username":"u","password":"p"}}"#;

    #[test]
    fn the_ready_file_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = ready_file(folder.path());
        assert!(read(&path).unwrap().is_none());
        fs::write(&path, READY).unwrap();
        let ready = read(&path).unwrap().unwrap();
        assert_eq!((ready.powerschool.url.as_str(), ready.hero.port), ("https://127.0.0.1:1", 1));
        assert_eq!(ready.text, READY);
        fs::write(&path, "{").unwrap();
        assert!(read(&path).is_err());
    }

    #[tokio::test]
    async fn only_a_district_that_answers_is_serving() {
        let folder = tempfile::tempdir().unwrap();
        assert!(serving(folder.path()).await.is_none());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let text = READY.replace("\"port\":1", &format!("\"port\":{port}"));
        fs::write(ready_file(folder.path()), text).unwrap();
        assert!(serving(folder.path()).await.is_some());
        drop(listener);
        assert!(serving(folder.path()).await.is_none());
    }

    #[test]
    fn the_last_line_that_says_something_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        fs::write(&log, "starting\nthe disk is full \n\n").unwrap();
        assert_eq!(last_words(&log), "the disk is full");
        assert_eq!(last_words(&folder.path().join("none")), "");
    }
}
