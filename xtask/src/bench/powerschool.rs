//! Reading PowerSchool: STUDENTS and CC into the encrypted roster. Beside it, against the same server and for the same
//! bytes, `curl` with the `sqlite3` shell, and the PyPI client `powerschool`.

use super::{
    Figures, Measured, Target, control,
    downloads::Downloads,
    empty, ensure_peers, peak_memory,
    python_client::{PythonClient, with_secret},
    remembering_memory,
};
use crate::{
    cargo,
    district::{self, Counts, Ready},
    packages,
    process::{self, StepError},
};
use serde::Deserialize;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
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

/// How the tables are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By the plugin's queries, each in one answer.
    Query,
    /// By pages of the tables, as from a plugin without queries.
    Pages,
}

/// What is measured, in this order: the way, and the server's latency in milliseconds.
const READS: [(Way, u16, &str); 4] = [
    (Way::Query, 0, "PowerQuery path, 0 ms"),
    (Way::Query, 20, "PowerQuery path, 20 ms"),
    (Way::Pages, 0, "paged path, 0 ms"),
    (Way::Pages, 20, "paged path, 20 ms"),
];
/// Those the targets are about.
const QUERY: usize = 0;
const PAGES: usize = 3;

/// One pull of ours.
#[derive(Clone, Copy)]
struct Pull {
    /// Of the whole process.
    seconds: f64,
    /// The process's largest resident set, in MB of a million bytes, where GNU time is there to tell.
    peak: Option<f64>,
}

/// What one round measured; times in seconds. A peer that is not installed has none.
struct Round {
    /// Ours and curl's, by [`READS`].
    ours: Vec<Pull>,
    curl: Vec<Option<f64>>,
    sqlite3: Option<f64>,
    /// The Python client at [`QUERY`].
    python: Option<f64>,
    /// The Python client at [`PAGES`], as if it had read all of them.
    python_pages: Option<f64>,
    /// Ours against the small district, at [`QUERY`] and [`PAGES`].
    fewer: Vec<Pull>,
}

impl Round {
    /// `curl` and `sqlite3`, which together are the least there is to do.
    fn floor(&self) -> Option<f64> {
        Some(self.curl.get(QUERY).copied()?? + self.sqlite3?)
    }

    /// Seconds of ours.
    fn ours(&self, read: usize) -> Option<f64> {
        self.ours.get(read).map(|pull| pull.seconds)
    }

    /// The larger peak of both paths.
    fn peak(pulls: [Option<&Pull>; 2]) -> Option<f64> {
        let [query, pages] = pulls.map(|pull| pull.and_then(|pull| pull.peak));
        Some(query?.max(pages?))
    }

    fn large_peak(&self) -> Option<f64> {
        Self::peak([self.ours.get(QUERY), self.ours.get(PAGES)])
    }

    fn small_peak(&self) -> Option<f64> {
        Self::peak([self.fewer.first(), self.fewer.get(1)])
    }

    fn told(&self) -> String {
        let shown =
            |seconds: Option<f64>| seconds.map_or("none".to_owned(), |seconds| format!("{seconds:.2}"));
        let reads: Vec<String> = READS
            .iter()
            .zip(self.ours.iter().zip(&self.curl))
            .map(|((_, _, name), (ours, curl))| {
                format!("{name}: ours {:.2} s, curl {} s", ours.seconds, shown(*curl))
            })
            .collect();
        format!(
            "{}; sqlite3 {} s, Python {} s and {} s, memory {} and {} MB",
            reads.join("; "),
            shown(self.sqlite3),
            shown(self.python),
            shown(self.python_pages),
            shown(self.large_peak()),
            shown(self.small_peak()),
        )
    }
}

/// What every round shares.
struct Bench {
    rosterbridge: PathBuf,
    pull: PathBuf,
    folder: PathBuf,
    python: Option<PythonClient>,
}

/// A district of one size, served once with the plugin's queries and once without. Answers are rendered once, in the
/// round that is not counted, and served from memory afterwards.
struct District {
    query: Site,
    pages: Site,
}

impl District {
    fn site(&self, way: Way) -> &Site {
        match way {
            Way::Query => &self.query,
            Way::Pages => &self.pages,
        }
    }
}

/// A served district.
pub struct Site {
    _district: process::Running,
    pub ready: Ready,
    /// The certificate of its authority, PEM.
    pub authority: PathBuf,
    folder: PathBuf,
}

pub fn measure(root: &Path, target: &Path) -> Result<Measured, StepError> {
    ensure_peers(&[packages::BENCH, packages::PYTHON]);
    eprintln!("==> Command line and pull, release build");
    let (rosterbridge, pull) = cargo::release_with_example(root, "pull")?;
    let folder = target.join("bench").join("powerschool");
    empty(&folder)?;
    eprintln!("==> The PyPI client powerschool");
    let python = PythonClient::install(&target.join("bench").join("python"))
        .inspect_err(|error| eprintln!("    {error}; what is compared with it has no value"))
        .ok();
    let bench = Bench { rosterbridge, pull, folder, python };

    eprintln!("==> Districts of {STUDENTS} and {FEWER_STUDENTS} students");
    let large = bench.district("large", STUDENTS)?;
    let small = bench.district("small", FEWER_STUDENTS)?;
    let downloads = Downloads::prepare(&bench.folder, [&large.query, &large.pages], YEAR)?;
    let mut rounds = Vec::new();
    for number in 0..=ROUNDS {
        eprintln!("==> Round {number} of {ROUNDS}{}", if number == 0 { " (not counted)" } else { "" });
        let round = bench.round(&large, &small, downloads.as_ref(), number % 2 == 0)?;
        eprintln!("    {}", round.told());
        if number > 0 {
            rounds.push(round);
        }
    }
    Ok(summed_up(&large.query.ready, downloads.as_ref(), &rounds))
}

fn summed_up(ready: &Ready, downloads: Option<&Downloads>, rounds: &[Round]) -> Measured {
    let mut figures = Figures::default();
    figures.fact("district: active students", ready.district.students);
    figures.fact("district: enrolments", ready.district.enrollments);
    figures.fact("district: schools", ready.district.schools);
    if let Some(downloads) = downloads {
        figures.fact("district: rows read", downloads.rows);
        figures.fact("district: bytes read, PowerQuery path", downloads.bytes[0]);
        figures.fact("district: bytes read, paged path", downloads.bytes[1]);
        figures.fact("district: pages read, paged path", downloads.pages);
    }
    let of = |figure: &dyn Fn(&Round) -> Option<f64>| rounds.iter().filter_map(figure).collect::<Vec<f64>>();
    for (place, (_, _, name)) in READS.iter().enumerate() {
        figures.runs(&format!("ours: {name}"), "s", &of(&|round| round.ours(place)));
        figures.runs(&format!("peer: curl, {name}"), "s", &of(&|round| round.curl.get(place).copied()?));
    }
    figures.runs("peer: sqlite3", "s", &of(&|round| round.sqlite3));
    figures.runs("floor: curl + sqlite3", "s", &of(&Round::floor));
    figures.runs("peer: Python, PowerQuery path, 0 ms", "s", &of(&|round| round.python));
    figures.runs(PythonClient::PAGES_FIGURE, "s", &of(&|round| round.python_pages));
    figures.runs("peak memory at 10,000 students", "MB", &of(&Round::small_peak));

    let targets = vec![
        Target::at_most(
            "PowerQuery path, 0 ms: pull / (curl + sqlite3)",
            1.2,
            "x",
            &of(&|round| Some(round.ours(QUERY)? / round.floor()?)),
        ),
        Target::at_least(
            "PowerQuery path, 0 ms: Python client / pull",
            3.0,
            "x",
            &of(&|round| Some(round.python? / round.ours(QUERY)?)),
        ),
        Target::at_most(
            "paged path, 20 ms, 16 in flight: pull / curl",
            1.3,
            "x",
            &of(&|round| Some(round.ours(PAGES)? / round.curl.get(PAGES).copied()??)),
        ),
        Target::at_least(
            "paged path, 20 ms, 16 in flight: Python client / pull",
            10.0,
            "x",
            &of(&|round| Some(round.python_pages? / round.ours(PAGES)?)),
        ),
        Target::at_most("peak memory at 100,000 students", 80.0, "MB", &of(&Round::large_peak)),
        Target::at_most(
            "peak memory at 100,000 / at 10,000 students",
            1.1,
            "x",
            &of(&|round| Some(round.large_peak()? / round.small_peak()?)),
        ),
    ];
    Measured { figures, targets }
}

impl Bench {
    fn district(&self, name: &str, students: u32) -> Result<District, StepError> {
        let query = self.site(&format!("{name}-query"), students)?;
        let pages = self.site(&format!("{name}-pages"), students)?;
        query.behave(Way::Query, 0)?;
        pages.behave(Way::Pages, 0)?;
        Ok(District { query, pages })
    }

    /// A district of `students`, made and served.
    fn site(&self, name: &str, students: u32) -> Result<Site, StepError> {
        let folder = self.folder.join(name);
        empty(&folder)?;
        let schools = (students / STUDENTS_OF_A_SCHOOL).to_string();
        let options =
            ["--students", &students.to_string(), "--date", DATE, "--schools", &schools, "--prerender"]
                .map(str::to_owned);
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
        large: &District,
        small: &District,
        downloads: Option<&Downloads>,
        ours_first: bool,
    ) -> Result<Round, StepError> {
        let mut round = Round {
            ours: Vec::new(),
            curl: Vec::new(),
            sqlite3: None,
            python: None,
            python_pages: None,
            fewer: Vec::new(),
        };
        for (place, (way, latency, _)) in READS.into_iter().enumerate() {
            let site = large.site(way);
            site.behave(way, latency)?;
            if ours_first {
                round.ours.push(self.pull(site)?);
            }
            round.curl.push(downloads.map(|downloads| downloads.run(way == Way::Pages)).transpose()?);
            if place == QUERY {
                round.sqlite3 = downloads.map(Downloads::import).transpose()?.flatten();
            }
            if !ours_first {
                round.ours.push(self.pull(site)?);
            }
            if let (Some(python), Some(downloads)) = (&self.python, downloads) {
                if place == QUERY {
                    round.python = Some(python.queries(site, downloads)?);
                } else if place == PAGES {
                    round.python_pages = Some(python.pages(site, downloads)?);
                }
            }
        }
        for (way, latency, _) in [READS[QUERY], READS[PAGES]] {
            let site = small.site(way);
            site.behave(way, latency)?;
            round.fewer.push(self.pull(site)?);
        }
        Ok(round)
    }

    /// Our pull, once, into a new store.
    fn pull(&self, site: &Site) -> Result<Pull, StepError> {
        #[derive(Deserialize)]
        struct Pulled {
            students: u64,
            enrollments: u64,
        }

        let (store, told) = (site.folder.join("store"), site.folder.join("memory"));
        empty(&store)?;
        let powerschool = &site.ready.powerschool;
        let mut command = remembering_memory(&self.pull, &told);
        command
            .args([&powerschool.url, &powerschool.client_id])
            .arg(&site.authority)
            .arg(store)
            .arg(YEAR.to_string());
        let (seconds, output) = with_secret(&mut command, &powerschool.client_secret)?;
        let pulled: Pulled = process::parse("the pull's document", &output)?;
        let Counts { students, enrollments, .. } = site.ready.district;
        if pulled.students < students || pulled.enrollments < enrollments {
            return Err(StepError::Unmet(format!(
                "the pull came to {} of {students} students and {} of {enrollments} enrolments",
                pulled.students, pulled.enrollments
            )));
        }
        Ok(Pull { seconds, peak: peak_memory(&told) })
    }
}

impl Site {
    /// Has the server answer like that from now on, and in plain bytes to everybody.
    fn behave(&self, way: Way, latency: u16) -> Result<(), StepError> {
        let faults = json!({"latency_ms": latency, "no_powerqueries": way == Way::Pages, "no_gzip": true});
        control::faults(&self.ready, &faults)
    }
}
