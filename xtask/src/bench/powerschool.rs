//! Reading PowerSchool: STUDENTS and CC into the encrypted roster. Beside it, against the same server and for the same
//! bytes, `curl` with the `sqlite3` shell, and the PyPI client `powerschool`.

use super::{
    Figures, Measured, Target,
    downloads::{Downloads, PAGES_IN_FLIGHT},
    folders::empty,
    peers::is_there,
    python_client::PythonClient,
};
use crate::{
    cargo,
    district::{self, Ready},
    packages,
    process::{self, StepError},
};
use serde::Deserialize;
use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

/// Measured rounds; one more goes before them, uncounted.
const ROUNDS: usize = 5;
/// The practice day, a Tuesday in session, so that every machine measures the same district.
const DATE: &str = "2026-03-17";
/// PowerSchool's YearID of that day (school year's start - 1990).
const YEAR: u16 = 35;
/// Students of the large and the small district. A school has as many in both.
const STUDENTS: u32 = 100_000;
const FEWER_STUDENTS: u32 = 10_000;
const STUDENTS_OF_A_SCHOOL: u32 = 1_000;
/// The round trip of the latency figures, milliseconds.
const LATENCY: u32 = 20;
/// Pages the Python client is measured on: it reads one after the other, so the others take as long each.
const PYTHON_PAGES: u64 = 500;
const GNU_TIME: &str = "/usr/bin/time";

/// How the tables are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By the plugin's queries, each in one answer, without latency.
    Query,
    /// The same with latency.
    QueryWithLatency,
    /// By pages of the tables, without latency.
    Pages,
    /// The same with latency.
    PagesWithLatency,
}

impl Way {
    const ALL: [Self; 4] = [Self::Query, Self::QueryWithLatency, Self::Pages, Self::PagesWithLatency];

    const fn paged(self) -> bool {
        matches!(self, Self::Pages | Self::PagesWithLatency)
    }

    const fn latency(self) -> u32 {
        match self {
            Self::Query | Self::Pages => 0,
            Self::QueryWithLatency | Self::PagesWithLatency => LATENCY,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Query => "PowerQuery path, 0 ms",
            Self::QueryWithLatency => "PowerQuery path, 20 ms",
            Self::Pages => "paged path, 0 ms",
            Self::PagesWithLatency => "paged path, 20 ms",
        }
    }
}

/// One pull of ours.
#[derive(Clone, Copy)]
struct Pull {
    /// Of the whole process.
    seconds: f64,
    /// The process's largest resident set, in MB of a million bytes, where GNU time is there to tell.
    peak: Option<f64>,
    rows: u64,
    bytes: u64,
}

/// What one round measured; times in seconds. A peer that is not installed has none.
struct Round {
    /// Ours and curl's, in the order of [`Way::ALL`].
    ours: [Pull; 4],
    curl: [Option<f64>; 4],
    sqlite3: Option<f64>,
    /// The Python client by queries without latency.
    python: Option<f64>,
    /// The Python client by pages with latency, as if it had read all of them.
    python_pages: Option<f64>,
    /// Ours against the small district, by queries and by pages with latency.
    fewer: [Pull; 2],
}

/// What every round shares.
struct Bench {
    rosterbridge: PathBuf,
    pull: PathBuf,
    folder: PathBuf,
    python: Option<PythonClient>,
}

/// A served district.
struct Site {
    _district: process::Running,
    ready: Ready,
    authority: PathBuf,
    folder: PathBuf,
}

pub fn measure(root: &Path, target: &Path) -> Result<Measured, StepError> {
    if !cfg!(unix) {
        return Err(StepError::Unmet("this bench needs a Unix system".to_owned()));
    }
    eprintln!("==> System packages");
    if let Err(error) = packages::ensure(&[packages::BENCH, packages::PYTHON]) {
        eprintln!("    {error}; what is compared with a missing program has no value");
    }
    eprintln!("==> Command line and pull, release build");
    let rosterbridge = cargo::release_command_line(root)?;
    let pull = cargo::release_example(root, "rosterbridge-engine", "pull")?;
    let folder = target.join("bench").join("powerschool");
    empty(&folder)?;
    eprintln!("==> The PyPI client powerschool");
    let python = PythonClient::install(&target.join("bench").join("python"))
        .inspect_err(|error| eprintln!("    {error}; what is compared with it has no value"))
        .ok();
    let bench = Bench { rosterbridge, pull, folder, python };

    eprintln!("==> Districts of {STUDENTS} and {FEWER_STUDENTS} students");
    let large = bench.site("large", STUDENTS)?;
    let small = bench.site("small", FEWER_STUDENTS)?;
    let downloads = Downloads::prepare(&large.folder, &large.ready, &large.authority, YEAR)?;
    let mut rounds = Vec::new();
    for number in 0..=ROUNDS {
        eprintln!("==> Round {number} of {ROUNDS}{}", if number == 0 { " (not counted)" } else { "" });
        let round = bench.round(&large, &small, &downloads, number % 2 == 0)?;
        eprintln!("    {}", round.line());
        if number > 0 {
            rounds.push(round);
        }
    }
    Ok(summed_up(&large.ready, downloads.pages, &rounds))
}

impl Bench {
    /// A district of `students`, made and served.
    fn site(&self, name: &str, students: u32) -> Result<Site, StepError> {
        let folder = self.folder.join(name);
        empty(&folder)?;
        let schools = (students / STUDENTS_OF_A_SCHOOL).to_string();
        let options =
            ["--students", &students.to_string(), "--date", DATE, "--schools", &schools].map(str::to_owned);
        let (district, ready) =
            district::start(&self.rosterbridge, &folder.join("data"), &folder.join("ready.json"), &options)?;
        let authority = folder.join("ca.pem");
        fs::write(&authority, &ready.powerschool.ca_pem)
            .map_err(|source| StepError::file(authority.display(), source))?;
        Ok(Site { _district: district, ready, authority, folder })
    }

    /// Each side once, in turns, so that neither always has the warmer machine.
    fn round(
        &self,
        large: &Site,
        small: &Site,
        downloads: &Downloads,
        ours_first: bool,
    ) -> Result<Round, StepError> {
        let nothing = Pull { seconds: 0.0, peak: None, rows: 0, bytes: 0 };
        let mut round = Round {
            ours: [nothing; 4],
            curl: [None; 4],
            sqlite3: None,
            python: None,
            python_pages: None,
            fewer: [nothing; 2],
        };
        for (place, way) in Way::ALL.into_iter().enumerate() {
            large.behave(way)?;
            if ours_first {
                round.ours[place] = self.pull(large)?;
            }
            round.curl[place] = downloads.run(way.paged())?;
            if way == Way::Query {
                round.sqlite3 = downloads.import()?;
            }
            if !ours_first {
                round.ours[place] = self.pull(large)?;
            }
            if let Some(python) = &self.python {
                match way {
                    Way::Query => round.python = Some(self.python_queries(python, large)?),
                    Way::PagesWithLatency => {
                        round.python_pages = Some(Self::python_pages(python, large, downloads.pages)?);
                    }
                    Way::QueryWithLatency | Way::Pages => {}
                }
            }
        }
        for (pull, way) in round.fewer.iter_mut().zip([Way::Query, Way::PagesWithLatency]) {
            small.behave(way)?;
            *pull = self.pull(small)?;
        }
        Ok(round)
    }
}
