//! The engine's runs: all of a district and only what changed, a district of a million students, and nothing to do at
//! all. Beside the runs without changes, against the same server, `curl`.

mod large;

use super::{
    Figures, Measured, Target, control, empty,
    idle::{Idle, Waiting},
    median,
    ours::{Ours, Run},
    prepare,
};
use crate::{
    district::{self, Ready},
    process::{Running, StepError},
};
use large::{CHANGED, LATENCY, Large, Round};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Measured rounds; one more goes before them, uncounted.
const ROUNDS: usize = 3;
/// Runs at a million students. None goes before them: they take long enough not to notice.
const ROUNDS_OF_MANY: usize = 2;
/// The practice day, a Tuesday in session, so that every machine measures the same district.
const DATE: &str = "2026-03-17";
/// PowerSchool's YearID of that day (school year's start - 1990).
const YEAR: u16 = 35;
/// Students of most districts, and of the one for the scaling. A school has as many in both.
const STUDENTS: u32 = 100_000;
const MANY_STUDENTS: u32 = 1_000_000;
const STUDENTS_OF_A_SCHOOL: u32 = 1_000;
/// What the scaling is about: reading everything and sending all files.
const FILE_JOBS: [&str; 4] = ["hero-students", "hero-schedule", "hero-teachers", "raptor-roster"];
/// The phases of such a run.
const FILE_PHASES: [&str; 5] = ["pull", FILE_JOBS[0], FILE_JOBS[1], FILE_JOBS[2], FILE_JOBS[3]];
/// The phases of a run of all jobs.
const PHASES: [&str; 7] = [
    "pull",
    "hero-students",
    "hero-schedule",
    "hero-teachers",
    "hero-attendance",
    "raptor-roster",
    "raptor-tardies",
];

/// A served district. Answers are plain bytes to everybody.
struct District {
    _serving: Running,
    ready: Ready,
    ready_file: PathBuf,
    data: PathBuf,
    /// For whatever belongs to it.
    folder: PathBuf,
}

/// Runs of the file jobs on one district.
struct FileRuns(Vec<Run>);

/// How large the districts are.
struct Sizes {
    few: district::Counts,
    many: district::Counts,
}

pub fn measure(root: &Path, target: &Path) -> Result<Measured, StepError> {
    let (ours, folder) = prepare(root, target, "engine")?;

    eprintln!("==> An engine that will wait, after one run at {STUDENTS} students");
    let plain = District::start(&ours, folder.join("plain"), STUDENTS, false)?;
    let waiting = Waiting::start(&ours, &plain.profile(&ours, "waiting")?, &plain.folder)?;

    let rounds = rounds(&ours, &folder)?;

    eprintln!("==> Files of {STUDENTS} students, {ROUNDS} counted rounds");
    let home = plain.profile(&ours, "files")?;
    let few = plain.file_runs(&ours, &home, ROUNDS + 1)?.counted(1);
    eprintln!("==> A district of {MANY_STUDENTS} students");
    let many_folder = folder.join("many");
    let district = District::start(&ours, many_folder.clone(), MANY_STUDENTS, false)?;
    let home = district.profile(&ours, "files")?;
    eprintln!("==> Files of {MANY_STUDENTS} students, {ROUNDS_OF_MANY} rounds");
    let many = district.file_runs(&ours, &home, ROUNDS_OF_MANY)?;
    let sizes = Sizes { few: plain.ready.district, many: district.ready.district };
    drop(district);
    // Some gigabytes.
    empty(&many_folder)?;

    eprintln!("==> The engine with nothing to do");
    let idle = waiting.watch()?;
    Ok(summed_up(&sizes, &rounds, &few, &many, &idle))
}

/// The runs with and without changes.
fn rounds(ours: &Ours, folder: &Path) -> Result<Vec<Round>, StepError> {
    eprintln!("==> All jobs on {STUDENTS} students, first run");
    let large = Large::start(ours, folder.join("large"))?;
    let mut rounds = Vec::new();
    for number in 0..=ROUNDS {
        eprintln!("==> Round {number} of {ROUNDS}{}", if number == 0 { " (not counted)" } else { "" });
        let round = large.round(number)?;
        eprintln!("    {}", round.told());
        if number > 0 {
            rounds.push(round);
        }
    }
    Ok(rounds)
}

fn summed_up(sizes: &Sizes, rounds: &[Round], few: &FileRuns, many: &FileRuns, idle: &Idle) -> Measured {
    let mut figures = Figures::default();
    for (name, counts) in [("100,000", sizes.few), ("1,000,000", sizes.many)] {
        figures.fact(&format!("district of {name}: active students"), counts.students);
        figures.fact(&format!("district of {name}: enrolments"), counts.enrollments);
        figures.fact(&format!("district of {name}: schools"), counts.schools);
    }
    if let Some(bytes) = rounds.first().and_then(|round| round.bytes) {
        figures.fact("district of 100,000: bytes read", bytes);
    }

    let of = |figure: fn(&Round) -> f64| rounds.iter().map(figure).collect::<Vec<f64>>();
    let peer = |figure: fn(&Round) -> Option<f64>| rounds.iter().filter_map(figure).collect::<Vec<f64>>();
    let unchanged = format!("no changes, data versions, {LATENCY} ms");
    let whole = format!("no changes, no data versions, {LATENCY} ms");
    figures.runs(&format!("ours: full run, {LATENCY} ms"), "s", &of(|round| round.full.seconds));
    for phase in PHASES {
        let of_phase = |run: fn(&Round) -> &Run| {
            rounds.iter().filter_map(|round| run(round).phase(phase)).collect::<Vec<f64>>()
        };
        for (name, seconds) in [
            (format!("full run, {LATENCY} ms"), of_phase(|round| &round.full)),
            (unchanged.clone(), of_phase(|round| &round.unchanged)),
            (whole.clone(), of_phase(|round| &round.whole)),
        ] {
            figures.runs(&format!("ours: {name}: {phase}"), "s", &seconds);
        }
    }
    figures.runs(&format!("ours: {unchanged}"), "s", &of(|round| round.unchanged.seconds));
    figures.runs(&format!("peer: token + metadata, {LATENCY} ms"), "s", &peer(|round| round.meeting));
    figures.runs("ours: no changes, data versions, 0 ms", "s", &of(|round| round.unchanged_near.seconds));
    figures.runs("peer: token + metadata, 0 ms", "s", &peer(|round| round.meeting_near));
    for (place, students) in CHANGED.into_iter().enumerate() {
        let seconds: Vec<f64> =
            rounds.iter().filter_map(|round| round.changed.get(place)).map(|run| run.seconds).collect();
        figures.runs(&format!("ours: {students} students changed, answers not prerendered"), "s", &seconds);
    }
    figures.runs(&format!("ours: {whole}"), "s", &of(|round| round.whole.seconds));
    figures.runs(&format!("peer: curl, {LATENCY} ms"), "s", &peer(|round| round.download));
    figures.runs("peak memory, all jobs, 100,000 students", "MB", &peer(|round| round.full.peak));

    for (name, FileRuns(runs)) in [("100,000", few), ("1,000,000", many)] {
        let seconds: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
        figures.runs(&format!("scaling, {name} students: whole run"), "s", &seconds);
        for phase in FILE_PHASES {
            let seconds: Vec<f64> = runs.iter().filter_map(|run| run.phase(phase)).collect();
            figures.runs(&format!("scaling, {name} students: {phase}"), "s", &seconds);
        }
    }
    figures.runs("peak memory at 100,000 students", "MB", &few.peaks());
    figures.runs("idle: minutes after the run", "min", &[idle.minutes]);
    figures.runs("idle: memory, first and last look", "MB", &idle.memory);
    figures.runs("idle: processor time of the run before", "s", &[idle.run]);

    let unchanged = of(|round| round.unchanged.seconds);
    let round_trips: Vec<Option<f64>> = rounds.iter().map(|round| round.meeting).collect();
    let whole = of(|round| round.whole.seconds);
    let downloads: Vec<Option<f64>> = rounds.iter().map(|round| round.download).collect();
    let targets = vec![
        Target::at_most(
            "no changes, data versions: run / (token + metadata)",
            10.0,
            "x",
            &ratios(&unchanged, &round_trips),
        ),
        Target::at_most(
            "no changes, no data versions: run / curl of the same bytes",
            1.3,
            "x",
            &ratios(&whole, &downloads),
        ),
        Target::at_most("time at 1,000,000 / time at 100,000 students", 12.0, "x", &many.times(few)),
        Target::at_most("peak memory at 1,000,000 students", 100.0, "MB", &many.peaks()),
        // The larger look counts.
        Target::at_most(
            "memory, idle ten minutes after a run",
            60.0,
            "MB",
            &[idle.memory[0].max(idle.memory[1])],
        ),
        Target::at_most("processor time a minute, idle", 0.2, "s", &[idle.processor]),
    ];
    Measured { figures, targets }
}

/// Each run against its peer of the same round, where there is one.
fn ratios(runs: &[f64], peers: &[Option<f64>]) -> Vec<f64> {
    runs.iter().zip(peers).filter_map(|(run, peer)| Some(run / (*peer)?)).collect()
}

impl District {
    /// A district of so many students, made and served from `folder`.
    fn start(ours: &Ours, folder: PathBuf, students: u32, prerender: bool) -> Result<Self, StepError> {
        empty(&folder)?;
        let (data, ready_file) = (folder.join("data"), folder.join("ready.json"));
        let schools = (students / STUDENTS_OF_A_SCHOOL).to_string();
        let mut options = ["--students", &students.to_string(), "--date", DATE, "--schools", &schools]
            .map(str::to_owned)
            .to_vec();
        if prerender {
            options.push("--prerender".to_owned());
        }
        let (serving, ready) = district::start(ours.rosterbridge(), &data, &ready_file, &options)?;
        let district = Self { _serving: serving, ready, ready_file, data, folder };
        district.behave(0, true)?;
        Ok(district)
    }

    /// Has PowerSchool answer so many milliseconds late from now on, with data versions or without. What was
    /// prerendered stays unless the latter changes.
    fn behave(&self, latency: u16, data_versions: bool) -> Result<(), StepError> {
        let faults = json!({"latency_ms": latency, "no_data_versions": !data_versions, "no_gzip": true});
        control::faults(&self.ready, &faults)
    }

    /// A new profile set up for it, in a home of its own.
    fn profile(&self, ours: &Ours, name: &str) -> Result<PathBuf, StepError> {
        let home = self.folder.join(name);
        empty(&home)?;
        ours.set_up(&home, &self.ready_file)?;
        Ok(home)
    }

    /// Empties the folders that our files go to, so that the next run sends all of them.
    fn take_files(&self) -> Result<(), StepError> {
        empty(&self.data.join("hero").join("imports"))?;
        empty(&self.data.join("raptor").join("roster"))
    }

    /// Reads everything and sends all files, so many times.
    fn file_runs(&self, ours: &Ours, home: &Path, times: usize) -> Result<FileRuns, StepError> {
        let mut runs = Vec::new();
        for _ in 0..times {
            Ours::forget_roster(home)?;
            self.take_files()?;
            let run = ours.sync(home, &self.folder.join("memory"), &FILE_JOBS)?;
            eprintln!(
                "    {:.2} s ({} s pull), memory {} MB",
                run.seconds,
                told(run.phase(FILE_PHASES[0])),
                told(run.peak)
            );
            runs.push(run);
        }
        Ok(FileRuns(runs))
    }
}

impl FileRuns {
    /// Without the first ones.
    fn counted(mut self, uncounted: usize) -> Self {
        self.0.drain(..uncounted.min(self.0.len()));
        self
    }

    fn peaks(&self) -> Vec<f64> {
        self.0.iter().filter_map(|run| run.peak).collect()
    }

    /// How many times as long as the median of the others each of them took.
    fn times(&self, others: &Self) -> Vec<f64> {
        let others: Vec<f64> = others.0.iter().map(|run| run.seconds).collect();
        let Some(usual) = median(&others) else { return Vec::new() };
        self.0.iter().map(|run| run.seconds / usual).collect()
    }
}

/// A figure for a line of progress.
fn told(figure: Option<f64>) -> String {
    figure.map_or("none".to_owned(), |figure| format!("{figure:.2}"))
}

/// The numbers of the first active students: the first field of each line of the file that Hero got, which may have a
/// first line of names.
fn student_numbers(data: &Path, how_many: usize) -> Result<Vec<u64>, StepError> {
    let path = data.join("hero").join("imports").join("STUDENT.TXT");
    let file = fs::read(&path).map_err(|source| StepError::file(path.display(), source))?;
    let numbers = numbers_in(&file, how_many);
    if numbers.len() == how_many {
        Ok(numbers)
    } else {
        Err(StepError::Unmet(format!("{} has {} of {how_many} students", path.display(), numbers.len())))
    }
}

/// Only the numbers are sure to be ASCII.
fn numbers_in(file: &[u8], how_many: usize) -> Vec<u64> {
    file.split(|byte| *byte == b'\n')
        .filter_map(|line| {
            str::from_utf8(line.split(|byte| *byte == b'\t').next()?).ok()?.trim().parse().ok()
        })
        .take(how_many)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seconds: f64, peak: Option<f64>) -> Run {
        let phases: Vec<_> = PHASES.iter().map(|phase| json!({"phase": phase, "millis": 10})).collect();
        let report = serde_json::from_value(json!({"jobs": [], "seconds": phases})).unwrap();
        Run { seconds, peak, report }
    }

    fn round(unchanged: f64, round_trip: Option<f64>, whole: f64, download: Option<f64>) -> Round {
        Round {
            full: run(9.0, Some(50.0)),
            unchanged: run(unchanged, None),
            meeting: round_trip,
            unchanged_near: run(0.1, None),
            meeting_near: round_trip,
            changed: CHANGED.iter().map(|_| run(1.0, None)).collect(),
            whole: run(whole, None),
            download,
            bytes: download.map(|_| 5),
        }
    }

    const fn counts(students: u64) -> district::Counts {
        district::Counts { students, enrollments: 6 * students, schools: students / 1_000 }
    }

    #[test]
    fn a_ratio_belongs_to_a_round_and_a_missing_peer_leaves_none() {
        assert_eq!(ratios(&[2.0, 9.0], &[Some(1.0), Some(3.0)]), [2.0, 3.0]);
        assert_eq!(ratios(&[2.0, 9.0], &[None, Some(3.0)]), [3.0]);
        assert!(ratios(&[2.0], &[None]).is_empty());
    }

    #[test]
    fn every_target_has_its_value_and_one_without_a_peer_is_missed() {
        let sizes = Sizes { few: counts(100_000), many: counts(1_000_000) };
        let idle = Idle { minutes: 12.5, memory: [40.0, 41.0], processor: 0.1, run: 3.0 };
        let few = FileRuns(vec![run(1.0, Some(30.0)), run(2.0, Some(31.0)), run(4.0, Some(32.0))]);
        let many = FileRuns(vec![run(20.0, Some(90.0)), run(30.0, Some(96.0))]);
        let values = |rounds: &[Round]| {
            let targets = summed_up(&sizes, rounds, &few, &many, &idle).targets;
            targets.iter().map(|target| (target.value, target.ok)).collect::<Vec<_>>()
        };
        let met = |value: f64, ok: bool| (Some(value), ok);
        let rest = [met(12.5, false), met(93.0, true), met(41.0, true), met(0.1, true)];
        let peers = [round(0.5, Some(0.1), 2.4, Some(2.0)), round(0.7, Some(0.1), 3.2, Some(2.0))];
        assert_eq!(values(&peers)[..2], [met(6.0, true), met(1.4, false)]);
        assert_eq!(values(&peers)[2..], rest);
        let alone = [round(0.5, None, 2.4, None)];
        assert_eq!(values(&alone)[..2], [(None, false), (None, false)]);
        assert_eq!(values(&alone)[2..], rest);
    }

    #[test]
    fn students_are_found_by_the_first_field() {
        let file = b"Student_Number\tFirst_Name\r\n9027\tJos\xe9\tx\r\n9025\tAnn\r\n9020\tBo\r\n";
        assert_eq!(numbers_in(file, 2), [9027, 9025]);
        assert_eq!(numbers_in(file, 9), [9027, 9025, 9020]);
        assert!(numbers_in(b"", 1).is_empty());
    }
}
