//! Raptor's jobs: the roster files of a large district beside the `sqlite3` shell exporting the same rows, and a day's
//! tardies beside `curl` sending the same bodies.

mod roster;
mod tardies;

use super::{Figures, Measured, Target, empty, ours::Ours, prepare};
use crate::{
    district::{self, Ready},
    process::{Running, StepError},
};
use std::path::{Path, PathBuf};

/// Measured rounds; one more goes before short ones, uncounted.
const ROUNDS: usize = 3;
/// The practice day, a Tuesday in session, so that every machine measures the same district.
const DATE: &str = "2026-03-17";
const STUDENTS: u32 = 100_000;
const BUILDINGS: u32 = 150;
/// Rows of the tardy file.
const TARDIES: u32 = 20_000;

/// A way PowerSchool takes attendance, measured.
struct Posts {
    /// PowerSchool's version; the current one where none is given.
    version: Option<&'static str>,
    /// How late it answers, milliseconds.
    latency: u16,
    figure: &'static str,
    target: &'static str,
}

/// With 20 ms as a server elsewhere answers; and with none, where both programs share the processor with the server.
const POSTS: [Posts; 3] = [
    Posts {
        version: None,
        latency: 20,
        figure: "batches, 20 ms",
        target: "20,000 tardies, batches, 20 ms: rows/s against curl",
    },
    Posts {
        version: Some("23.9.0.0"),
        latency: 20,
        figure: "single posts, 20 ms",
        target: "20,000 tardies, single posts, 20 ms: rows/s against curl",
    },
    Posts {
        version: None,
        latency: 0,
        figure: "batches, 0 ms",
        target: "20,000 tardies, batches, 0 ms: rows/s against curl",
    },
];

/// What every part works with.
struct Bench {
    ours: Ours,
    folder: PathBuf,
    /// The district's data as it was made, never served.
    pristine: PathBuf,
}

/// A copy of the district, served, and a profile set up on it.
struct Site {
    _serving: Running,
    ready: Ready,
    data: PathBuf,
    home: PathBuf,
}

pub fn measure(root: &Path, target: &Path) -> Result<Measured, StepError> {
    let (ours, folder) = prepare(root, target, "raptor")?;
    eprintln!("==> A district of {STUDENTS} students in {BUILDINGS} buildings, with {TARDIES} tardies");
    let bench = Bench { ours, pristine: folder.join("pristine"), folder };
    drop(bench.serve(&bench.pristine)?);

    eprintln!("==> Roster files, {ROUNDS} counted rounds");
    let files = roster::measure(&bench)?;
    let mut figures = Figures::default();
    figures.fact("district: active students", STUDENTS);
    figures.fact("district: buildings", BUILDINGS);
    figures.fact("roster files: bytes", files.bytes);
    figures.runs("ours: full roster files", "s", &files.full);
    figures.runs("peer: sqlite3", "s", &files.peer);
    figures.runs("ours: changes only, 0 changes", "s", &files.unchanged);
    let mut targets = vec![
        Target::at_most(
            "full roster files / sqlite3 exporting the same rows",
            1.0,
            "x",
            &files.against_peer(),
        ),
        Target::at_most(
            "changes only, 0 changes / full roster files",
            0.05,
            "x",
            &files.unchanged_against_full(),
        ),
        Target::at_most("files written with 0 changes", 0.0, "", &files.written_unchanged),
    ];

    for Posts { version, latency, figure, target } in POSTS {
        eprintln!("==> {TARDIES} tardies, {figure}, {ROUNDS} counted rounds");
        let measured = tardies::measure(&bench, version, latency)?;
        figures.fact(&format!("tardies, {figure}: rows written"), measured.written);
        figures.fact(&format!("tardies, {figure}: requests of the peer"), measured.requests);
        figures.runs(&format!("ours: tardies, {figure}"), "s", &measured.ours);
        figures.runs(&format!("peer: curl, {figure}"), "s", &measured.peer);
        figures.runs(&format!("peak memory, {figure}"), "MB", &measured.peak);
        targets.push(Target::at_least(target, 0.8, "x", &measured.against_peer()));
    }
    Ok(Measured { figures, targets })
}

impl Bench {
    /// Makes the district in `data`, or takes what is there, and serves it.
    fn serve(&self, data: &Path) -> Result<(Running, Ready), StepError> {
        let options = [
            ["--students", &STUDENTS.to_string()],
            ["--schools", &BUILDINGS.to_string()],
            ["--tardies", &TARDIES.to_string()],
            ["--date", DATE],
        ];
        let options = options.as_flattened().iter().map(ToString::to_string).collect::<Vec<_>>();
        district::start(self.ours.rosterbridge(), data, &self.ready_file(), &options)
    }

    fn ready_file(&self) -> PathBuf {
        self.folder.join("ready.json")
    }

    /// A fresh copy of the district, served, with a new profile set up on it.
    fn site(&self) -> Result<Site, StepError> {
        let (data, home) = (self.folder.join("district"), self.folder.join("home"));
        empty(&home)?;
        let (serving, ready) = self.copy(&data)?;
        self.ours.set_up(&home, &self.ready_file())?;
        Ok(Site { _serving: serving, ready, data, home })
    }

    /// A fresh copy of the district, served.
    fn copy(&self, data: &Path) -> Result<(Running, Ready), StepError> {
        empty(data)?;
        copy_folder(&self.pristine, data)?;
        self.serve(data)
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), StepError> {
    let failed = |source| StepError::file(from.display(), source);
    for entry in std::fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(failed)?.is_dir() {
            std::fs::create_dir_all(&target).map_err(failed)?;
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)
                .and_then(|_| entry.metadata()?.modified())
                // A tardy file that looks just written would be waited for.
                .and_then(|written| {
                    std::fs::File::options().append(true).open(&target)?.set_modified(written)
                })
                .map_err(|source| StepError::file(entry.path().display(), source))?;
        }
    }
    Ok(())
}
