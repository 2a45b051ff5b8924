//! The practice district's whole job by command line, for machines without a display.

use crate::{
    cargo, command_line,
    district::{self, Ready},
    process::{self, StepError, parse},
    run::PRACTICE_KEYRING,
    session_bus::PrivateSession,
    steps::{Failed, Steps},
};
use serde::Deserialize;
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// Jobs whose written rows are attendance in PowerSchool.
const ATTENDANCE_JOBS: &[&str] = &["hero-attendance", "raptor-tardies"];

#[derive(Debug, Deserialize)]
struct Sync {
    outcome: String,
    jobs: Vec<Job>,
}

#[derive(Debug, Deserialize)]
struct Job {
    #[serde(rename = "job")]
    name: String,
    outcome: String,
    rows: Rows,
    files: Vec<File>,
}

#[derive(Debug, Deserialize)]
struct Rows {
    read: u64,
    written: u64,
    noop: u64,
    held: u64,
    rejected: u64,
}

#[derive(Debug, Deserialize)]
struct File {
    name: String,
    rows: u64,
    bytes: u64,
    sha256: String,
}

#[derive(Debug, Deserialize)]
struct Audit {
    writes: Vec<serde::de::IgnoredAny>,
}

/// Starts a practice district, sets a profile up on it, and runs the exchange. Everything lives in
/// `scratch`, made anew each time, unless the person named a `home`.
pub fn run(steps: &mut Steps, scratch: &Path, home: Option<PathBuf>) -> Result<(), Failed> {
    // A home the person named may hold an earlier run; ours starts anew.
    let keep = home.is_some();
    let home = home.unwrap_or_else(|| scratch.to_owned());
    let session = steps.take("Private keyring", || {
        if !keep {
            remove_folder(&home)?;
        }
        PrivateSession::start(&home.join(PRACTICE_KEYRING))
    })?;
    let folder = home.join("practice");
    let ready_file = folder.join("ready.json");

    let (mut district, ready) = steps.take("Practice district", || {
        district::start(&cargo::binary("rosterbridge")?, &folder, &ready_file, &[])
    })?;
    println!(
        "    {} students, {} enrolments, {} schools at {}",
        ready.district.students, ready.district.enrollments, ready.district.schools, ready.powerschool.url
    );

    let rosterbridge = |arguments: &[&str]| -> Result<Command, StepError> {
        let mut command = Command::new(cargo::binary("rosterbridge")?);
        session.apply(&mut command).arg("--home").arg(&home).args(["--profile", "practice"]).args(arguments);
        println!("    $ rosterbridge {}", arguments.join(" "));
        Ok(command)
    };
    let say = |arguments: &[&str]| process::run(&mut rosterbridge(arguments)?);

    steps.take("Set up the profile", || {
        process::run(rosterbridge(&["setup", "import", "--practice"])?.arg(&ready_file))
    })?;
    steps.take("Test PowerSchool", || say(&["test", "powerschool"]))?;
    steps.take("Test Hero", || say(&["test", "hero"]))?;
    steps.take("Dry run", || command_line::run(&mut rosterbridge(&["sync", "--dry-run"])?))?;

    let before = steps.take("PowerSchool's attendance writes before", || audit_count(&ready))?;
    let sync = steps.take("Run", || {
        let sync: Sync = command_line::data(&mut rosterbridge(&["sync", "--json"])?)?;
        print_sync(&sync);
        Ok(sync)
    })?;
    steps.take("Status", || say(&["status"]))?;
    steps.take("Held records", || say(&["held", "list"]))?;
    steps.take("PowerSchool's attendance writes after", || {
        let accepted = audit_count(&ready)?.saturating_sub(before);
        let reported = attendance_written(&sync);
        println!("    The run reports {reported}, PowerSchool's audit log has {accepted} more.");
        if accepted == reported {
            Ok(())
        } else {
            Err(StepError::Unmet("the run's report and PowerSchool's audit log differ".to_owned()))
        }
    })?;
    // Still there to be stopped: otherwise it broke down on the way.
    steps.take("Stop the practice district", || match district.child.try_wait() {
        Ok(None) => Ok(()),
        Ok(Some(status)) => Err(StepError::Unmet(format!("it had already ended, with {status}"))),
        Err(source) => Err(StepError::file("the practice district", source)),
    })?;
    drop(district);
    println!(
        "==> Done: the run ended as '{}'. Its files and databases are in {}.",
        sync.outcome,
        home.display()
    );
    Ok(())
}

/// Every attendance write the practice PowerSchool accepted so far.
fn audit_count(ready: &Ready) -> Result<u64, StepError> {
    let output = process::output(
        Command::new("curl")
            .args(["--fail", "--silent", "--show-error", "--max-time", "30", "--noproxy", "*"])
            .arg(&ready.audit_url),
    )?;
    let audit: Audit = parse("the audit log", &output)?;
    let count = u64::try_from(audit.writes.len()).unwrap_or(u64::MAX);
    println!("    {count}");
    Ok(count)
}

fn attendance_written(sync: &Sync) -> u64 {
    sync.jobs
        .iter()
        .filter(|job| ATTENDANCE_JOBS.contains(&job.name.as_str()))
        .map(|job| job.rows.written)
        .sum()
}

fn print_sync(sync: &Sync) {
    for Job { name, outcome, rows, files } in &sync.jobs {
        println!(
            "    {name:<16} {outcome:<10} read {}, written {}, unchanged {}, held {}, rejected {}",
            rows.read, rows.written, rows.noop, rows.held, rows.rejected
        );
        for file in files {
            println!(
                "        {}  {} rows, {} bytes, SHA256 {}",
                file.name, file.rows, file.bytes, file.sha256
            );
        }
    }
}

fn remove_folder(folder: &Path) -> Result<(), StepError> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(StepError::file(folder.display(), source))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::ExitStatus;

    #[test]
    fn only_attendance_jobs_are_compared_with_the_audit_log() {
        let document = br#"{"schema":1,"ok":true,"code":"ok","message":"","remedy":"","data":{"run":"r","outcome":"done","jobs":[
            {"job":"hero-students","outcome":"done","rows":{"read":9,"written":9,"noop":0,"held":0,"rejected":0},
             "files":[{"name":"students.csv","rows":9,"bytes":100,"sha256":"00"}]},
            {"job":"hero-attendance","outcome":"done","rows":{"read":5,"written":3,"noop":1,"held":1,"rejected":0},"files":[]},
            {"job":"raptor-tardies","outcome":"done","rows":{"read":4,"written":4,"noop":0,"held":0,"rejected":0},"files":[]}]}}"#;
        assert_eq!(attendance_written(&command_line::data_of(ExitStatus::default(), document).unwrap()), 7);
    }
}
