//! RosterBridge's command line, as the benches run it: a process for each run, in a session with a keyring of its own.

use super::{peak_memory, remembering_memory};
use crate::{
    command_line,
    process::{self, Running, StepError},
    session_bus::PrivateSession,
};
use serde::Deserialize;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The name of every profile. Not the practice district's: the window starts a district of its own for that.
const PROFILE: &str = "bench";
/// How long `rosterbridge run` may take until it has a profile.
const PATIENCE: Duration = Duration::from_secs(30);

/// The command line and its keyring.
pub struct Ours {
    rosterbridge: PathBuf,
    session: PrivateSession,
}

/// One run.
pub struct Run {
    /// Of the whole process.
    pub seconds: f64,
    /// The process's largest resident set, in MB of a million bytes, where GNU time is there to tell.
    pub peak: Option<f64>,
    /// What it said of itself.
    pub report: Report,
}

/// The part of a run's report read here.
#[derive(Deserialize)]
pub struct Report {
    pub jobs: Vec<Job>,
    seconds: Vec<PhaseSeconds>,
}

#[derive(Deserialize)]
pub struct Job {
    #[serde(rename = "job")]
    pub name: String,
    pub rows: Rows,
    pub files: Vec<File>,
}

#[derive(Deserialize)]
pub struct Rows {
    pub written: u64,
}

#[derive(Deserialize)]
pub struct File {
    pub bytes: u64,
}

#[derive(Deserialize)]
struct PhaseSeconds {
    phase: String,
    millis: u32,
}

impl Run {
    /// Seconds of a phase: `pull`, or a job's name. None if it did not come to it.
    pub fn phase(&self, name: &str) -> Option<f64> {
        let found = self.report.seconds.iter().find(|phase| phase.phase == name)?;
        Some(f64::from(found.millis) / 1000.0)
    }
}

impl Ours {
    /// The binary `rosterbridge`, with a keyring kept in the folder.
    pub fn new(rosterbridge: PathBuf, keyring: &Path) -> Result<Self, StepError> {
        Ok(Self { rosterbridge, session: PrivateSession::start(keyring)? })
    }

    /// Has another program find this keyring as its own.
    pub fn share<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        self.session.apply(command)
    }

    /// The binary.
    pub fn rosterbridge(&self) -> &Path {
        &self.rosterbridge
    }

    /// Makes a profile in `home` that is set up for the district of the ready file. That pulls the roster once.
    pub fn set_up(&self, home: &Path, ready_file: &Path) -> Result<(), StepError> {
        let mut import = Command::new(&self.rosterbridge);
        self.on(&mut import, home).args(["setup", "import", "--practice"]);
        process::run(import.arg(ready_file).stdout(std::io::stderr()))
    }

    /// Has the profile in `home` do something with a file.
    pub fn command(&self, home: &Path, arguments: &[&str], file: &Path) -> Result<(), StepError> {
        let mut command = Command::new(&self.rosterbridge);
        self.on(&mut command, home).args(arguments).arg(file);
        process::run(command.stdout(Stdio::null()))
    }

    /// Runs these jobs once, or all that are enabled. `told` is a file for the memory.
    pub fn sync(&self, home: &Path, told: &Path, jobs: &[&str]) -> Result<Run, StepError> {
        let mut command = remembering_memory(&self.rosterbridge, told);
        self.on(&mut command, home).args(["--json", "sync"]).args(jobs);
        let started = Instant::now();
        let (status, output) = process::output_quiet(&mut command)?;
        let seconds = started.elapsed().as_secs_f64();
        Ok(Run { seconds, peak: peak_memory(told), report: command_line::data_of(status, &output)? })
    }

    /// Starts the engine in the foreground, as a service manager does, and waits until it has the profile. What it says
    /// goes into the file `journal`.
    pub fn attend(&self, home: &Path, journal: &Path) -> Result<Running, StepError> {
        let file = fs::File::create(journal).map_err(|source| StepError::file(journal.display(), source))?;
        let mut command = Command::new(&self.rosterbridge);
        self.on(&mut command, home).arg("run").stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let running = process::spawn(&mut command)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = fs::read_to_string(journal).unwrap_or_default();
            if said.lines().any(|line| line.starts_with("RosterBridge runs this profile's exchanges")) {
                return Ok(running);
            }
            if Instant::now() > deadline {
                return Err(StepError::Unmet(format!("`rosterbridge run` has no profile. It said:\n{said}")));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Has the next run of the profile in `home` read the whole roster: what is removed is a cache.
    pub fn forget_roster(home: &Path) -> Result<(), StepError> {
        let roster = home.join("profiles").join(PROFILE).join("roster.db");
        fs::remove_file(&roster).map_err(|source| StepError::file(roster.display(), source))
    }

    /// Where the profile in `home` keeps its log.
    pub fn logs(home: &Path) -> PathBuf {
        home.join("profiles").join(PROFILE).join("logs")
    }

    fn on<'a>(&self, command: &'a mut Command, home: &Path) -> &'a mut Command {
        self.session.apply(command).arg("--home").arg(home).args(["--profile", PROFILE])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_told_in_milliseconds() {
        let report = r#"{"run": "x", "jobs": [], "seconds": [{"phase": "pull", "millis": 1250}]}"#;
        let run = Run { seconds: 2.0, peak: None, report: serde_json::from_str(report).unwrap() };
        assert_eq!(run.phase("pull"), Some(1.25));
        assert_eq!(run.phase("hero-students"), None);
    }
}
