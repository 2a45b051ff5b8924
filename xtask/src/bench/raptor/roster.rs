//! The roster files: all of them from a profile that has sent none, and none where nothing has changed.

use super::{BUILDINGS, Bench, ROUNDS, STUDENTS, Site};
use crate::{
    bench::{
        empty, median,
        peers::{is_there, timed, write},
    },
    process::{self, StepError},
};
use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const JOB: &str = "raptor-roster";
/// Runs without changes, in the profile of the last round.
const UNCHANGED_RUNS: usize = 5;

/// What was measured, in seconds.
#[derive(Default)]
pub struct Files {
    pub full: Vec<f64>,
    pub peer: Vec<f64>,
    pub unchanged: Vec<f64>,
    /// Files written by each of the runs without changes.
    pub written_unchanged: Vec<f64>,
    /// Of all files of a full run.
    pub bytes: u64,
}

impl Files {
    /// Ours against the peer's, round by round.
    pub fn against_peer(&self) -> Vec<f64> {
        self.full.iter().zip(&self.peer).map(|(ours, peer)| ours / peer).collect()
    }

    /// Each run without changes against the median of the full ones.
    pub fn unchanged_against_full(&self) -> Vec<f64> {
        let Some(full) = median(&self.full) else { return Vec::new() };
        self.unchanged.iter().map(|unchanged| unchanged / full).collect()
    }
}

pub fn measure(bench: &Bench) -> Result<Files, StepError> {
    let mut files = Files::default();
    for round in 0..=ROUNDS {
        // A new profile: it has sent nothing yet.
        let site = bench.site()?;
        let full = sync(bench, &site)?;
        files.bytes = full.bytes;
        let peer = if is_there("sqlite3", "--version") { Some(export(bench, &site)?) } else { None };
        eprintln!("    round {round}: ours {:.3} s, sqlite3 {peer:?} s", full.seconds);
        if round > 0 {
            files.full.push(full.seconds);
            files.peer.extend(peer);
        }
        if round == ROUNDS {
            changes_only(bench, &site)?;
            // The first run with these settings finds that they are new.
            sync(bench, &site)?;
            for _ in 0..UNCHANGED_RUNS {
                let before = names(&roster_folder(&site))?;
                let unchanged = sync(bench, &site)?;
                let after = names(&roster_folder(&site))?;
                let written = after.iter().filter(|name| !before.contains(name)).count() + unchanged.files;
                eprintln!("    without changes {:.3} s, {written} files", unchanged.seconds);
                files.unchanged.push(unchanged.seconds);
                files.written_unchanged.push(f64::from(u32::try_from(written).unwrap_or(u32::MAX)));
            }
        }
    }
    Ok(files)
}

struct Sent {
    seconds: f64,
    bytes: u64,
    files: usize,
}

/// The job once. Its time is its own: the roster pull before it is another part of the run.
fn sync(bench: &Bench, site: &Site) -> Result<Sent, StepError> {
    let run = bench.ours.sync(&site.home, &bench.folder.join("memory"), &[JOB])?;
    let seconds = run
        .phase(JOB)
        .ok_or_else(|| StepError::Unmet("the run tells no time for the roster files".to_owned()))?;
    let files: Vec<_> = run.report.jobs.iter().flat_map(|job| &job.files).collect();
    Ok(Sent { seconds, bytes: files.iter().map(|file| file.bytes).sum(), files: files.len() })
}

/// Has the profile send what has changed only.
fn changes_only(bench: &Bench, site: &Site) -> Result<(), StepError> {
    let file = bench.folder.join("setup.json");
    bench.ours.command(&site.home, &["setup", "export"], &file)?;
    let text = fs::read(&file).map_err(|source| StepError::file(file.display(), source))?;
    let mut setup: Value = process::parse("the setup file", &text)?;
    setup["raptor"]["roster"]["content"] = "changes".into();
    fs::write(&file, setup.to_string()).map_err(|source| StepError::file(file.display(), source))?;
    bench.ours.command(&site.home, &["setup", "import"], &file)
}

fn roster_folder(site: &Site) -> PathBuf {
    site.data.join("raptor").join("roster")
}

fn names(folder: &Path) -> Result<Vec<String>, StepError> {
    let failed = |source| StepError::file(folder.display(), source);
    fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| Ok(entry.map_err(failed)?.file_name().to_string_lossy().into_owned()))
        .collect()
}

/// The same rows from an unencrypted copy, which holds them by building and number: one file a building, as ours.
fn export(bench: &Bench, site: &Site) -> Result<f64, StepError> {
    let folder = bench.folder.join("peer");
    empty(&folder)?;
    let ours = roster_folder(site);
    let mut files = names(&ours)?;
    files.sort();
    if files.len() != BUILDINGS as usize {
        return Err(StepError::Unmet(format!("{} roster files of {BUILDINGS}", files.len())));
    }
    let mut copy = "CREATE TABLE roster (Building TEXT, IdNumber INTEGER, FirstName TEXT, MiddleName TEXT, \
                    LastName TEXT, DateOfBirth TEXT, Grade INTEGER, Homeroom TEXT, GuardianEmail TEXT, Phone TEXT, \
                    Status TEXT, PRIMARY KEY (Building, IdNumber)) WITHOUT ROWID;\nBEGIN;\n.mode csv\n"
        .to_owned();
    for file in &files {
        // Writing to a string can't fail.
        let _ = writeln!(copy, ".import --skip 1 \"{}\" roster", ours.join(file).display());
    }
    copy.push_str("COMMIT;\n");
    let script = write(&folder, "copy.sql", &copy)?;
    process::run(&mut sqlite3(&folder, &script))?;
    let buildings = process::output(
        Command::new("sqlite3")
            .current_dir(&folder)
            .args(["-batch", "copy.db"])
            .arg("SELECT DISTINCT Building FROM roster ORDER BY Building;"),
    )?;
    let buildings = String::from_utf8_lossy(&buildings).into_owned();
    let mut export = ".mode csv\n.headers on\n".to_owned();
    for (place, building) in buildings.lines().enumerate() {
        let _ = writeln!(
            export,
            ".once {place}.csv\nSELECT * FROM roster WHERE Building = '{}' ORDER BY IdNumber;",
            building.replace('\'', "''")
        );
    }
    let script = write(&folder, "export.sql", &export)?;
    let spent = timed(&mut sqlite3(&folder, &script))?.as_secs_f64();
    let rows: usize = (0..buildings.lines().count())
        .map(|place| {
            let path = folder.join(format!("{place}.csv"));
            let text = fs::read_to_string(&path).map_err(|source| StepError::file(path.display(), source))?;
            Ok(text.lines().count().saturating_sub(1))
        })
        .sum::<Result<usize, StepError>>()?;
    if rows < STUDENTS as usize {
        return Err(StepError::Unmet(format!("sqlite3 exported {rows} rows of {STUDENTS}")));
    }
    Ok(spent)
}

fn sqlite3(folder: &Path, script: &Path) -> Command {
    let mut command = Command::new("sqlite3");
    command.current_dir(folder).args(["-batch", "-bail", "copy.db"]);
    command.arg(format!(".read {}", script.display()));
    command
}
