//! The window beside a bare one of Tauri's: launch, memory, and answers to keys while a roster is read; the list of many
//! rows beside that of few; and how large the interface is.

use super::{Figures, Measured, Target, control, empty, ours::Ours, prepare};
use crate::{
    cargo,
    district::{self, Ready},
    packages,
    process::{self, Running, StepError},
    ui::Ui,
};
use serde::Deserialize;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The practice day, a Tuesday in session, so that every machine measures the same district.
const DATE: &str = "2026-03-17";
/// A district whose whole roster takes long enough to read for all keys to be pressed meanwhile.
const LARGE: u32 = 200_000;
/// The one whose rows are listed.
const LISTED: u32 = 5_000;
/// Rows of the long list and of the short one, at least.
const MANY: u32 = 100_000;
const FEW: u32 = 100;
/// The import whose rows are listed.
const IMPORT: &str = "hero-attendance";
/// Bytes of JavaScript and style sheets, each packed by gzip: 250 kB.
const INTERFACE: f64 = 250.0;

/// What the windows' own bench tells: measurements in pairs.
#[derive(Deserialize)]
struct Told {
    launch: Pair,
    memory: Pair,
    rows: Pair,
    keys: Pair,
}

#[derive(Deserialize)]
struct Pair {
    ours: Vec<f64>,
    peer: Vec<f64>,
}

impl Pair {
    /// One against the other, round by round.
    fn each(&self) -> Vec<f64> {
        self.ours.iter().zip(&self.peer).map(|(ours, peer)| ours / peer).collect()
    }
}

pub fn measure(root: &Path, target: &Path) -> Result<Measured, StepError> {
    let (ours, folder) = prepare(root, target, "window")?;
    packages::ensure(&[packages::BUILD, packages::TESTS])?;
    eprintln!("==> Interface, and the window's release build");
    let ui = Ui::new(root, &target.join("xtask"));
    ui.install()?;
    ui.build()?;
    let mut figures = Figures::default();
    let interface = interface(&root.join("ui").join("dist").join("assets"))?;
    figures.fact("JavaScript and style sheets, gzip, kB", interface);
    let desktop = cargo::release_desktop(root)?;

    eprintln!("==> Profiles with {FEW} and {MANY} rows, and two on a district of {LARGE} students");
    let (_listed, ready, ready_file) = serve(&ours, &folder, "listed", LISTED)?;
    let few = list(&ours, &folder, "few", FEW, &ready, &ready_file)?;
    let many = list(&ours, &folder, "many", MANY, &ready, &ready_file)?;
    let (_serving, _, ready_file) = serve(&ours, &folder, "large", LARGE)?;
    let homes = ["window-home", "beside-home"].map(|name| folder.join(name));
    for home in &homes {
        empty(home)?;
        ours.set_up(home, &ready_file)?;
    }

    eprintln!("==> Windows");
    let mut bench = Command::new("xvfb-run");
    bench
        .args([
            "--auto-servernum",
            "--server-args=-screen 0 1280x900x24",
            "cargo",
            "bench",
            "--quiet",
            "--locked",
        ])
        .args(["-p", "rosterbridge-desktop", "--bench", "window", "--"])
        .args([&desktop, ours.rosterbridge(), &few, &many])
        .args(&homes)
        .current_dir(root);
    cargo::without_own(&mut bench);
    let output = process::output(ours.share(&mut bench))?;
    let Told { launch, memory, rows, keys } = process::parse("what the windows' bench says", &output)?;

    figures.runs("ours: launch to Home", "ms", &launch.ours);
    figures.runs("peer: launch of a bare window", "ms", &launch.peer);
    figures.runs("ours: memory of the page's process", "MB", &memory.ours);
    figures.runs("peer: a bare page's", "MB", &memory.peer);
    figures.runs("ours: 100,000 rows opened", "ms", &rows.ours);
    figures.runs("ours: 100 rows opened", "ms", &rows.peer);
    figures.runs("ours: key to frame, p95, busy", "ms", &keys.ours);
    figures.runs("peer: key to frame, p95, busy", "ms", &keys.peer);
    let targets = vec![
        Target::at_most("launch / a bare window's", 1.3, "x", &launch.each()),
        Target::at_most("memory / a bare page's", 1.3, "x", &memory.each()),
        Target::at_most("opening 100,000 rows / 100 rows", 1.5, "x", &rows.each()),
        Target::at_most("key to frame, p95, busy / a bare window's", 2.0, "x", &keys.each()),
        Target::at_most("JavaScript and style sheets, gzip", INTERFACE, "kB", &[interface]),
    ];
    Ok(Measured { figures, targets })
}

/// A district of so many students, served, with its ready file.
fn serve(
    ours: &Ours,
    folder: &Path,
    name: &str,
    students: u32,
) -> Result<(Running, Ready, PathBuf), StepError> {
    let data = folder.join(name);
    empty(&data)?;
    let ready_file = folder.join(format!("{name}.json"));
    let options = ["--students", &students.to_string(), "--schools", "20", "--date", DATE].map(str::to_owned);
    let (serving, ready) = district::start(ours.rosterbridge(), &data, &ready_file, &options)?;
    Ok((serving, ready, ready_file))
}

/// A profile that has taken in so many rows.
fn list(
    ours: &Ours,
    folder: &Path,
    name: &str,
    rows: u32,
    ready: &Ready,
    ready_file: &Path,
) -> Result<PathBuf, StepError> {
    let home = folder.join(format!("{name}-home"));
    empty(&home)?;
    ours.set_up(&home, ready_file)?;
    control::hero_export(ready, &json!({"export": {"more_rows": rows}}))?;
    ours.sync(&home, &folder.join("memory"), &[IMPORT])?;
    Ok(home)
}

/// Scripts and style sheets as a server would pack them, in thousands of bytes.
fn interface(assets: &Path) -> Result<f64, StepError> {
    let failed = |source| StepError::file(assets.display(), source);
    let mut bytes = 0;
    for entry in fs::read_dir(assets).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "js" || extension == "css") {
            bytes += process::output(Command::new("gzip").args(["-9", "--stdout"]).arg(&path))?.len();
        }
    }
    Ok(u32::try_from(bytes).map_or(f64::INFINITY, f64::from) / 1000.0)
}
