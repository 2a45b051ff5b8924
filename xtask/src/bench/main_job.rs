//! The main job: the roster out of PowerSchool, three files to Hero, Hero's attendance back into PowerSchool. Beside
//! it, against the same server, `curl`, the `sqlite3` shell and OpenSSH's `sftp`, which together do its outward half.

use super::{
    Figures, Measured, Target, empty,
    ours::{Job, Ours},
    peers::{FILES, Peers, Taken},
    prepare,
};
use crate::{
    district::{self, Counts, Ready},
    process::{self, StepError},
};
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
/// Students of the district, and for the scaling twice as many. A school has as many in both.
const STUDENTS: u32 = 10_000;
const STUDENTS_OF_A_SCHOOL: u32 = 500;
/// The jobs of the main job, which starts with one roster pull.
const JOBS: [&str; 4] = ["hero-students", "hero-schedule", "hero-teachers", "hero-attendance"];
/// The phases of a run: the pull, and each job.
const PHASES: [&str; 5] = ["pull", JOBS[0], JOBS[1], JOBS[2], JOBS[3]];

/// One run of ours.
struct Run {
    /// Of the whole process.
    seconds: f64,
    /// The process's largest resident set, in MB of a million bytes, where GNU time is there to tell.
    peak: Option<f64>,
    /// Seconds by phase, in the order of [`PHASES`].
    phases: [f64; 5],
    /// Attendance rows written.
    written: u64,
    /// Bytes of the three files.
    file_bytes: u64,
}

/// What every run shares.
struct Bench {
    ours: Ours,
    /// Emptied before each district.
    scratch: PathBuf,
    /// The three files of the first run, for the peer.
    files: PathBuf,
}

/// A served district with a profile set up on it.
struct Site {
    _district: process::Running,
    ready: Ready,
    home: PathBuf,
    data: PathBuf,
}

pub fn measure(root: &Path, target: &Path) -> Result<Measured, StepError> {
    let (ours, folder) = prepare(root, target, "main-job")?;
    let bench = Bench { ours, scratch: folder.join("site"), files: folder.join("files") };

    let (mut ours, mut peers, mut doubled) = (Vec::new(), Vec::new(), Vec::new());
    let mut counts = None;
    for round in 0..=ROUNDS {
        eprintln!("==> Round {round} of {ROUNDS}{}", if round == 0 { " (not counted)" } else { "" });
        let site = bench.site(STUDENTS)?;
        // In turns, so that neither always has the warmer machine.
        let (run, taken) = if round % 2 == 0 {
            let run = bench.sync(&site)?;
            if round == 0 {
                bench.keep_files(&site)?;
            }
            (run, bench.peers(&site)?)
        } else {
            let taken = bench.peers(&site)?;
            (bench.sync(&site)?, taken)
        };
        counts.get_or_insert(site.ready.district);
        drop(site);
        let larger = bench.site(2 * STUDENTS)?;
        let double = bench.sync(&larger)?;
        eprintln!(
            "    ours {:.2} s (attendance {:.2} s), peers {:?}, twice the students {:.2} s",
            run.seconds,
            run.phases[4],
            taken.sum(),
            double.seconds
        );
        if round > 0 {
            ours.push(run);
            peers.push(taken);
            doubled.push(double);
        }
    }
    Ok(summed_up(counts, &ours, &peers, &doubled))
}

fn summed_up(counts: Option<Counts>, ours: &[Run], peers: &[Taken], doubled: &[Run]) -> Measured {
    let mut figures = Figures::default();
    if let (Some(counts), Some(run), Some(taken)) = (counts, ours.first(), peers.first()) {
        figures.fact("district: active students", counts.students);
        figures.fact("district: enrolments", counts.enrollments);
        figures.fact("district: schools", counts.schools);
        figures.fact("district: rows read", taken.rows);
        figures.fact("district: bytes read", taken.bytes);
        figures.fact("district: bytes uploaded", run.file_bytes);
        figures.fact("district: attendance rows written", run.written);
    }
    let of = |runs: &[Run], figure: fn(&Run) -> f64| runs.iter().map(figure).collect::<Vec<f64>>();
    figures.runs("ours: whole job", "s", &of(ours, |run| run.seconds));
    for (place, phase) in PHASES.iter().enumerate() {
        let seconds: Vec<f64> = ours.iter().map(|run| run.phases[place]).collect();
        figures.runs(&format!("ours: {phase}"), "s", &seconds);
    }
    figures.runs("ours: whole job at 20,000 students", "s", &of(doubled, |run| run.seconds));
    let peer = |part: fn(&Taken) -> Option<f64>| peers.iter().filter_map(part).collect::<Vec<f64>>();
    figures.runs("peer: curl", "s", &peer(|taken| taken.curl));
    figures.runs("peer: sqlite3", "s", &peer(|taken| taken.sqlite3));
    figures.runs("peer: sftp", "s", &peer(|taken| taken.sftp));
    figures.runs("peer: curl + sqlite3 + sftp", "s", &peer(Taken::sum));
    let memory: Vec<f64> = ours.iter().filter_map(|run| run.peak).collect();
    let doubled_memory: Vec<f64> = doubled.iter().filter_map(|run| run.peak).collect();
    figures.runs("peak memory at 20,000 students", "MB", &doubled_memory);

    let against_peers: Vec<f64> =
        ours.iter().zip(peers).filter_map(|(run, taken)| Some(run.seconds / taken.sum()?)).collect();
    let scaling: Vec<f64> =
        ours.iter().zip(doubled).map(|(run, double)| double.seconds / run.seconds).collect();
    let targets = vec![
        Target::at_most("whole job / (curl + sqlite3 + sftp)", 1.5, "x", &against_peers),
        Target::at_most("peak memory", 120.0, "MB", &memory),
        Target::at_most("time at 20,000 / time at 10,000 students", 2.2, "x", &scaling),
    ];
    Measured { figures, targets }
}

impl Bench {
    /// A new district of `students`, served, and a new profile set up on it.
    fn site(&self, students: u32) -> Result<Site, StepError> {
        empty(&self.scratch)?;
        let (home, data) = (self.scratch.join("home"), self.scratch.join("district"));
        let ready_file = self.scratch.join("ready.json");
        let options = ["--students", &students.to_string(), "--date", DATE, "--schools"]
            .map(str::to_owned)
            .into_iter()
            .chain([(students / STUDENTS_OF_A_SCHOOL).to_string()])
            .collect::<Vec<_>>();
        let (district, ready) = district::start(self.ours.rosterbridge(), &data, &ready_file, &options)?;
        self.ours.set_up(&home, &ready_file)?;
        Ok(Site { _district: district, ready, home, data })
    }

    /// The main job, once.
    fn sync(&self, site: &Site) -> Result<Run, StepError> {
        let run = self.ours.sync(&site.home, &self.scratch.join("memory"), &JOBS)?;
        let mut phases = [0.0; PHASES.len()];
        for (seconds, name) in phases.iter_mut().zip(PHASES) {
            *seconds = run
                .phase(name)
                .ok_or_else(|| StepError::Unmet(format!("the run tells no time for {name}")))?;
        }
        let (attendance, files): (Vec<&Job>, Vec<&Job>) =
            run.report.jobs.iter().partition(|job| job.name == JOBS[3]);
        Ok(Run {
            seconds: run.seconds,
            peak: run.peak,
            phases,
            written: attendance.iter().map(|job| job.rows.written).sum(),
            file_bytes: files.iter().flat_map(|job| &job.files).map(|file| file.bytes).sum(),
        })
    }

    /// The peers against the same servers, with Hero's account as empty as our run found it.
    fn peers(&self, site: &Site) -> Result<Taken, StepError> {
        let folder = self.scratch.join("peers");
        empty(&folder)?;
        clear_imports(site)?;
        let taken = Peers::new(&folder, &site.ready, YEAR, &self.files).run()?;
        clear_imports(site)?;
        Ok(taken)
    }

    fn keep_files(&self, site: &Site) -> Result<(), StepError> {
        empty(&self.files)?;
        for name in FILES {
            let from = imports(site).join(name);
            fs::copy(&from, self.files.join(name))
                .map_err(|source| StepError::file(from.display(), source))?;
        }
        Ok(())
    }
}

/// Where the practice Hero keeps what was uploaded.
fn imports(site: &Site) -> PathBuf {
    site.data.join("hero").join("imports")
}

fn clear_imports(site: &Site) -> Result<(), StepError> {
    for name in FILES {
        let path = imports(site).join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StepError::file(path.display(), source));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_taken_run_by_run_and_a_missing_peer_leaves_none() {
        let run = |seconds| Run { seconds, peak: Some(90.0), phases: [0.0; 5], written: 500, file_bytes: 1 };
        let taken = |curl| Taken { curl, sqlite3: Some(0.5), sftp: Some(0.5), rows: 1, bytes: 1 };
        let ours = [run(3.0), run(2.0), run(8.0)];
        let doubled = [run(6.0), run(5.0), run(8.0)];
        let with = summed_up(None, &ours, &[taken(Some(1.0)), taken(Some(1.0)), taken(Some(3.0))], &doubled);
        let values = |measured: &Measured| measured.targets.iter().map(|t| t.value).collect::<Vec<_>>();
        assert_eq!(values(&with), [Some(1.5), Some(90.0), Some(2.0)]);
        let without = summed_up(None, &ours, &[taken(None), taken(None), taken(None)], &doubled);
        assert_eq!(values(&without), [None, Some(90.0), Some(2.0)]);
        assert!(!without.targets[0].ok);
    }
}
