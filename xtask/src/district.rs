//! The practice district as a child of this program.

use crate::process::{self, Running, StepError};
use serde::Deserialize;
use std::{
    fs, io,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long it may take to make its data and listen.
const PATIENCE: Duration = Duration::from_mins(3);

/// The part of the ready file read here.
#[derive(Deserialize)]
pub struct Ready {
    pub audit_url: String,
    pub powerschool: PowerSchool,
    pub hero: Hero,
    pub district: Counts,
}

/// The practice PowerSchool. Its credentials are worth nothing outside this machine.
#[derive(Deserialize)]
pub struct PowerSchool {
    pub url: String,
    pub client_id: String,
    pub client_secret: String,
    pub ca_pem: String,
}

/// The practice Hero account.
#[derive(Deserialize)]
pub struct Hero {
    pub host: String,
    pub port: u16,
    pub username: String,
    pub password: String,
    pub host_key_sha256: String,
}

/// How large the district is.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Counts {
    pub students: u64,
    pub enrollments: u64,
    pub schools: u64,
}

/// Starts `rosterbridge practice serve` with its data in `folder` and waits until it listens.
pub fn start(
    rosterbridge: &Path,
    folder: &Path,
    ready_file: &Path,
    options: &[String],
) -> Result<(Running, Ready), StepError> {
    fs::create_dir_all(folder).map_err(|source| StepError::file(folder.display(), source))?;
    match fs::remove_file(ready_file) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(StepError::file(ready_file.display(), source));
        }
        _ => {}
    }
    let mut district = process::spawn(
        Command::new(rosterbridge)
            .args(["practice", "serve", "--data"])
            .arg(folder)
            .arg("--ready-file")
            .arg(ready_file)
            .args(options)
            // Open until we end, however we end.
            .stdin(Stdio::piped()),
    )?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Renamed into place, so it is whole once it exists.
        if let Ok(bytes) = fs::read(ready_file) {
            return Ok((district, process::parse("the ready file", &bytes)?));
        }
        let ended =
            district.child.try_wait().map_err(|source| StepError::file("the practice district", source))?;
        if let Some(status) = ended {
            return Err(StepError::Unmet(format!("the practice district ended with {status}")));
        }
        if Instant::now() > deadline {
            return Err(StepError::Unmet(format!("it was not ready after {} s", PATIENCE.as_secs())));
        }
        thread::sleep(Duration::from_millis(100));
    }
}
