//! Benches: one part of the product measured beside a named peer, in the same run.
//!
//! A bench succeeds when it has measured. Whether its targets were met is what their `ok` says, so that a miss is
//! a figure like any other and not a failed command.

mod control;
mod downloads;
mod engine;
mod hero;
mod idle;
mod main_job;
mod ours;
mod peers;
mod powerschool;
mod python_client;
mod raptor;
mod window;

use crate::{
    cargo, packages,
    process::{self, StepError},
    steps::Failed,
};
use ours::Ours;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

/// A bench by its name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bench {
    /// Roster out to Hero, attendance back.
    MainJob,
    /// PowerSchool into the store.
    PowerSchool,
    /// Runs with and without changes, a million students, and nothing to do.
    Engine,
    /// Roster files of a large district, and a day's tardies.
    Raptor,
    /// The schedule file of a large district, and a large attendance import.
    Hero,
    /// The window beside a bare one of Tauri's.
    Window,
}

impl Bench {
    /// The bench of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::MainJob, Self::PowerSchool, Self::Engine, Self::Raptor, Self::Hero, Self::Window]
            .into_iter()
            .find(|bench| bench.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::MainJob => "main-job",
            Self::PowerSchool => "powerschool",
            Self::Engine => "engine",
            Self::Raptor => "raptor",
            Self::Hero => "hero",
            Self::Window => "window",
        }
    }
}

/// Measures and prints: a table, or with `json` exactly one document. Progress goes to standard error.
pub fn run(bench: Bench, root: &Path, target: &Path, json: bool) -> Result<(), Failed> {
    let step = |source| Failed { step: bench.name(), source };
    let measured = match bench {
        Bench::MainJob => main_job::measure(root, target),
        Bench::PowerSchool => powerschool::measure(root, target),
        Bench::Engine => engine::measure(root, target),
        Bench::Raptor => raptor::measure(root, target),
        Bench::Hero => hero::measure(root, target),
        Bench::Window => window::measure(root, target),
    };
    let Measured { figures, targets } = measured.map_err(step)?;
    let report = Report { bench: bench.name(), machine: machine(), figures, targets };
    if json {
        let text = serde_json::to_string(&report)
            .map_err(|source| step(StepError::Unmet(format!("the report is no JSON: {source}"))))?;
        println!("{text}");
    } else {
        print!("{}", report.table());
    }
    Ok(())
}

/// What a bench found out.
struct Measured {
    figures: Figures,
    targets: Vec<Target>,
}

/// Everything that was measured, by name.
#[derive(Default, Serialize)]
#[serde(transparent)]
struct Figures(Map<String, Value>);

impl Figures {
    /// A fact about the data.
    fn fact(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// What was measured run by run, with its median; nothing if it was never measured.
    fn runs(&mut self, name: &str, unit: &str, runs: &[f64]) {
        if let Some(median) = median(runs) {
            let runs: Vec<f64> = runs.iter().copied().map(rounded).collect();
            self.0.insert(name.to_owned(), json!({ "median": rounded(median), "unit": unit, "runs": runs }));
        }
    }
}

/// What the product is to reach.
#[derive(Serialize)]
struct Target {
    name: &'static str,
    /// The median, or none when there was nothing to compare with.
    value: Option<f64>,
    op: &'static str,
    limit: f64,
    unit: &'static str,
    runs: Vec<f64>,
    ok: bool,
}

impl Target {
    /// The median of `runs` is to be `limit` at most. Without runs it is missed: an absent peer is no success.
    fn at_most(name: &'static str, limit: f64, unit: &'static str, runs: &[f64]) -> Self {
        Self::of(name, "<=", limit, unit, runs, |value| value <= limit)
    }

    /// The same with `limit` at least.
    fn at_least(name: &'static str, limit: f64, unit: &'static str, runs: &[f64]) -> Self {
        Self::of(name, ">=", limit, unit, runs, |value| value >= limit)
    }

    fn of(
        name: &'static str,
        op: &'static str,
        limit: f64,
        unit: &'static str,
        runs: &[f64],
        met: impl FnOnce(f64) -> bool,
    ) -> Self {
        let value = median(runs);
        let runs = runs.iter().copied().map(rounded).collect();
        Self { name, value: value.map(rounded), op, limit, unit, runs, ok: value.is_some_and(met) }
    }
}

#[derive(Serialize)]
struct Report {
    bench: &'static str,
    machine: String,
    figures: Figures,
    targets: Vec<Target>,
}

impl Report {
    fn table(&self) -> String {
        let mut table = format!("{} on {}\n\n", self.bench, self.machine);
        for (name, value) in &self.figures.0 {
            // Writing to a string can't fail.
            let _ = match (value.get("median"), value.get("unit"), value.get("runs")) {
                (Some(median), Some(unit), Some(runs)) => writeln!(
                    table,
                    "{name:<44} {:>10} {:<3} {}",
                    median.to_string(),
                    unit.as_str().unwrap_or_default(),
                    runs.as_array()
                        .into_iter()
                        .flatten()
                        .fold(String::new(), |all, run| format!("{all} {run}"))
                ),
                _ => writeln!(table, "{name:<44} {:>10}", value.to_string()),
            };
        }
        let _ = writeln!(table, "\n{:<44} {:>10} {:>10}", "target", "median", "limit");
        for Target { name, value, op, limit, unit, ok, .. } in &self.targets {
            let value = value.map_or("no peer".to_owned(), |value| value.to_string());
            let met = if *ok { "met" } else { "MISSED" };
            let _ = writeln!(table, "{name:<44} {value:>10} {:>10} {unit:<3} {met}", format!("{op} {limit}"));
        }
        table
    }
}

/// The middle of some measurements; between the two middle ones when there is an even number.
fn median(runs: &[f64]) -> Option<f64> {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*sorted.get(middle.checked_sub(1)?)?, upper))
}

/// To a thousandth: more digits would only look exact.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// A command that has GNU time write the largest resident set of `program` into the file `told`, where there is GNU
/// time.
fn remembering_memory(program: &Path, told: &Path) -> Command {
    const GNU_TIME: &str = "/usr/bin/time";
    if !peers::is_there(GNU_TIME, "--version") {
        return Command::new(program);
    }
    let mut command = Command::new(GNU_TIME);
    command.args(["--quiet", "--format", "%M", "--output"]).arg(told).arg(program);
    command
}

/// What was told, in MB of a million bytes.
fn peak_memory(told: &Path) -> Option<f64> {
    megabytes(&fs::read_to_string(told).ok()?)
}

/// GNU time's kibibytes in millions of bytes.
fn megabytes(told: &str) -> Option<f64> {
    let kibibytes: u32 = told.lines().last()?.trim().parse().ok()?;
    Some(f64::from(kibibytes) * 1024.0 / 1_000_000.0)
}

/// The command line of the bench of that name, with a keyring of its own, and an empty folder to work in. Peers that
/// can't be installed are gone without.
fn prepare(root: &Path, target: &Path, name: &str) -> Result<(Ours, PathBuf), StepError> {
    if !cfg!(target_os = "linux") {
        return Err(StepError::Unmet("this bench needs Linux: it runs with a private keyring".to_owned()));
    }
    ensure_peers(&[packages::BENCH]);
    packages::ensure(&[packages::KEYRING])?;
    eprintln!("==> Command line, release build");
    let rosterbridge = cargo::release_command_line(root)?;
    let folder = target.join("bench").join(name);
    empty(&folder)?;
    Ok((Ours::new(rosterbridge, &folder.join("keyring"))?, folder))
}

/// Installs what a bench compares with, where it can.
fn ensure_peers(wanted: &[&[&str]]) {
    eprintln!("==> System packages");
    if let Err(error) = packages::ensure(wanted) {
        eprintln!("    {error}; what is compared with a missing program has no value");
    }
}

/// An empty folder of that name.
fn empty(folder: &Path) -> Result<(), StepError> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(StepError::file(folder.display(), source));
        }
        _ => {}
    }
    fs::create_dir_all(folder).map_err(|source| StepError::file(folder.display(), source))
}

/// What the figures were measured on, in a line.
fn machine() -> String {
    let line = |path: &str, key: &str| {
        let text = fs::read_to_string(path).ok()?;
        let value = text.lines().find(|line| line.starts_with(key))?.split_once([':', '='])?.1;
        Some(value.trim().trim_matches('"').to_owned())
    };
    let cores = thread::available_parallelism().map_or("?".to_owned(), |cores| cores.to_string());
    let processor = line("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let memory = line("/proc/meminfo", "MemTotal")
        .and_then(|size| size.split(' ').next()?.parse::<u64>().ok())
        .map_or("?".to_owned(), |kib| (kib >> 20).to_string());
    let system = line("/etc/os-release", "PRETTY_NAME").unwrap_or_else(|| std::env::consts::OS.to_owned());
    let kernel = process::probe(Command::new("uname").arg("-r")).unwrap_or_default();
    format!("{processor}, {cores} cores, {memory} GiB, {system}, kernel {}", kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some(3.0));
    }

    #[test]
    fn memory_is_told_in_kibibytes_and_reported_in_millions_of_bytes() {
        assert_eq!(megabytes("97656\n"), Some(99.999_744));
        // After a failed command GNU time says so first, unless told to be quiet.
        assert_eq!(megabytes("Command exited with non-zero status 3\n1000\n"), Some(1.024));
        assert_eq!(megabytes(""), None);
    }

    #[test]
    fn a_target_is_met_up_to_its_limit_and_missed_without_a_peer() {
        let met = |runs: &[f64]| Target::at_most("x", 1.5, "x", runs).ok;
        assert!(met(&[1.5]));
        assert!(met(&[9.0, 1.4, 1.0]));
        assert!(!met(&[1.51]));
        // The limit holds for what was measured, not for what is shown of it.
        assert!(!met(&[1.500_1]));
        let reached = |runs: &[f64]| Target::at_least("x", 3.0, "x", runs).ok;
        assert!(reached(&[3.0]));
        assert!(!reached(&[2.999_9]));
        assert!(!reached(&[]));
        let absent = serde_json::to_value(Target::at_most("x", 1.5, "x", &[])).unwrap();
        assert_eq!(
            absent,
            json!({"name": "x", "value": null, "op": "<=", "limit": 1.5, "unit": "x", "runs": [], "ok": false})
        );
    }
}
