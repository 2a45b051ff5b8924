//! An engine that has nothing to do: how much memory it keeps, and how much processor time it takes.

use super::ours::Ours;
use crate::process::{Running, StepError};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How long after its run it is looked at.
const AFTER: Duration = Duration::from_mins(10);
/// How long it is watched then.
const WATCHED: Duration = Duration::from_mins(2);
/// Ticks of a second in which /proc counts processor time (`USER_HZ`: 100 on x86-64 and ARM).
const TICKS: f64 = 100.0;
/// Processor seconds that its run takes at least, by far. If another process had done the run, it would be next to none.
const LEAST: f64 = 0.3;

/// `rosterbridge run` after its run.
pub struct Waiting {
    engine: Running,
    ended: Instant,
    /// Processor time of the run, seconds.
    spent: f64,
}

/// What it came to.
pub struct Idle {
    /// Minutes from the run's end to the first look.
    pub minutes: f64,
    /// Resident set at the first look and at the last, MB.
    pub memory: [f64; 2],
    /// Processor seconds in a minute between the two.
    pub processor: f64,
    /// Processor seconds of the run before.
    pub run: f64,
}

impl Waiting {
    /// Starts the engine on the profile in `home` and has it do all jobs once, reading the whole roster. Notes are kept
    /// in `folder`.
    pub fn start(ours: &Ours, home: &Path, folder: &Path) -> Result<Self, StepError> {
        Ours::forget_roster(home)?;
        let engine = ours.attend(home, &folder.join("journal"))?;
        let from = processor_seconds(&engine)?;
        // By way of the process that has the profile.
        ours.sync(home, &folder.join("memory"), &[])?;
        let (ended, spent) = (Instant::now(), processor_seconds(&engine)? - from);
        if spent < LEAST {
            return Err(StepError::Unmet(format!(
                "the waiting engine took {spent} s of processor time for its run: somebody else did it"
            )));
        }
        Ok(Self { engine, ended, spent })
    }

    /// Waits until the run is long over, and watches.
    pub fn watch(self) -> Result<Idle, StepError> {
        let rest = AFTER.saturating_sub(self.ended.elapsed());
        eprintln!("    waiting {} s, watching {} s", rest.as_secs(), WATCHED.as_secs());
        thread::sleep(rest);
        let (first, began) = (self.memory()?, Instant::now());
        let minutes = began.duration_since(self.ended).as_secs_f64() / 60.0;
        let from = processor_seconds(&self.engine)?;
        thread::sleep(WATCHED);
        let processor = (processor_seconds(&self.engine)? - from) / (began.elapsed().as_secs_f64() / 60.0);
        Ok(Idle { minutes, memory: [first, self.memory()?], processor, run: self.spent })
    }

    fn memory(&self) -> Result<f64, StepError> {
        read(&self.engine, "status", resident)
    }
}

fn processor_seconds(process: &Running) -> Result<f64, StepError> {
    read(process, "stat", processor_ticks).map(|ticks| ticks / TICKS)
}

fn read(process: &Running, name: &str, find: fn(&str) -> Option<f64>) -> Result<f64, StepError> {
    let path = PathBuf::from(format!("/proc/{}/{name}", process.child.id()));
    let text = fs::read_to_string(&path).map_err(|source| StepError::file(path.display(), source))?;
    find(&text).ok_or_else(|| StepError::Unmet(format!("{} is not as proc(5) has it", path.display())))
}

/// `VmRSS` of `/proc/PID/status`, in MB of a million bytes. Without the line the process has ended.
fn resident(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u32 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(f64::from(kibibytes) * 1024.0 / 1_000_000.0)
}

/// utime and stime of `/proc/PID/stat`, its fields 14 and 15. The second field, the program's name in brackets, may hold
/// anything.
fn processor_ticks(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok().map(f64::from);
    Some(ticks()? + ticks()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_set_is_told_in_kibibytes() {
        let status = "Name:\trosterbridge\nVmHWM:\t   90000 kB\nVmRSS:\t   50000 kB\nThreads:\t4\n";
        assert_eq!(resident(status), Some(51.2));
        assert_eq!(resident("Name:\trosterbridge\nState:\tZ (zombie)\n"), None);
    }

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "4711 (a) b (c) S 1 4711 4711 0 -1 4194304 900 0 7 0 120 34 0 0 20 0 4 0 100 200 300";
        assert_eq!(processor_ticks(stat), Some(154.0));
        assert_eq!(processor_ticks("4711 (rosterbridge) S 1 2 3"), None);
        assert_eq!(processor_ticks(""), None);
    }

    #[test]
    fn this_process_is_read_as_well() {
        if cfg!(target_os = "linux") {
            let text = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap();
            assert!(resident(&text("status")).unwrap() > 0.1);
            assert!(processor_ticks(&text("stat")).is_some());
        }
    }
}
