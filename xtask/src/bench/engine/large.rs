//! All jobs on one district, with and without changes in between.

use super::{District, STUDENTS, YEAR, student_numbers, told};
use crate::{
    bench::{
        control, empty,
        ours::{Ours, Run},
        peers,
    },
    process::StepError,
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// How late PowerSchool answers, milliseconds: that of a server elsewhere.
pub const LATENCY: u16 = 20;
/// Students that change between two runs. With none the server has only forgotten its answers, as it does at every
/// change, so that the others have something to be compared with.
pub const CHANGED: [usize; 3] = [0, 10, 1_000];

/// The district with prerendered answers, and a profile on it that has done its first run.
pub struct Large<'a> {
    ours: &'a Ours,
    district: District,
    home: PathBuf,
    /// The students that change, the largest number of them.
    students: Vec<u64>,
    /// Whether there is curl.
    peers: bool,
}

/// What one round measured. A peer that is not installed has no time.
pub struct Round {
    /// The whole roster and all jobs.
    pub full: Run,
    /// Nothing has changed, and PowerSchool can tell.
    pub unchanged: Run,
    /// curl's token and metadata, seconds.
    pub meeting: Option<f64>,
    /// Both without latency.
    pub unchanged_near: Run,
    pub meeting_near: Option<f64>,
    /// By [`CHANGED`].
    pub changed: Vec<Run>,
    /// Nothing has changed, and PowerSchool can't tell.
    pub whole: Run,
    /// curl's download of everything, seconds.
    pub download: Option<f64>,
    /// Its bytes.
    pub bytes: Option<u64>,
}

impl Round {
    /// For a line of progress.
    pub fn told(&self) -> String {
        let changed: Vec<String> = self.changed.iter().map(|run| format!("{:.2}", run.seconds)).collect();
        format!(
            "full {:.2} s (memory {} MB); no changes {:.2} s, curl {} s (0 ms: {:.2} s, {} s); changes {} s; \
             no data versions {:.2} s, curl {} s",
            self.full.seconds,
            told(self.full.peak),
            self.unchanged.seconds,
            told(self.meeting),
            self.unchanged_near.seconds,
            told(self.meeting_near),
            changed.join(", "),
            self.whole.seconds,
            told(self.download),
        )
    }
}

impl<'a> Large<'a> {
    /// Makes district and profile, and runs all jobs once, after which no attendance is left to write.
    pub fn start(ours: &'a Ours, folder: PathBuf) -> Result<Self, StepError> {
        let district = District::start(ours, folder, STUDENTS, true)?;
        let home = district.profile(ours, "home")?;
        let peers = peers::is_there("curl", "--version");
        let mut large = Self { ours, district, home, students: Vec::new(), peers };
        let first = large.full()?;
        eprintln!("    {:.2} s", first.seconds);
        let most = CHANGED.into_iter().max().unwrap_or_default();
        large.students = student_numbers(&large.district.data, most)?;
        Ok(large)
    }

    /// Everything once; in even rounds ours begins. What the server has not answered before in the same words goes
    /// before what counts, so that it answers from memory.
    pub fn round(&self, number: usize) -> Result<Round, StepError> {
        let ours_first = number.is_multiple_of(2);
        self.district.behave(LATENCY, true)?;
        self.full()?;
        let full = self.full()?;

        self.sync()?;
        let (unchanged, meeting) = in_turns(ours_first, || self.sync(), || self.round_trip())?;
        self.district.behave(0, true)?;
        let (unchanged_near, meeting_near) = in_turns(ours_first, || self.sync(), || self.round_trip())?;
        self.district.behave(LATENCY, true)?;

        let mut changed = Vec::new();
        for students in CHANGED {
            self.change(students, number)?;
            changed.push(self.sync()?);
        }

        self.district.behave(LATENCY, false)?;
        // The first one still asks for data versions; the second one in the words that count.
        self.sync()?;
        self.sync()?;
        self.download()?;
        let (whole, download) = in_turns(ours_first, || self.sync(), || self.download())?;
        Ok(Round {
            full,
            unchanged,
            meeting,
            unchanged_near,
            meeting_near,
            changed,
            whole,
            download: download.map(|(seconds, _)| seconds),
            bytes: download.map(|(_, bytes)| bytes),
        })
    }

    /// All jobs, with the roster that is there.
    fn sync(&self) -> Result<Run, StepError> {
        self.ours.sync(&self.home, &self.district.folder.join("memory"), &[])
    }

    /// All jobs, with a roster read anew and all files sent.
    fn full(&self) -> Result<Run, StepError> {
        Ours::forget_roster(&self.home)?;
        self.district.take_files()?;
        self.sync()
    }

    /// Gives the first students other home rooms.
    fn change(&self, students: usize, round: usize) -> Result<(), StepError> {
        let room = format!("R{round}-{students}");
        let changes: Vec<Value> = self
            .students
            .iter()
            .take(students)
            .map(|number| {
                json!({"change": {
                    "table": "Students",
                    "where": {"Student_Number": number},
                    "set": {"Home_Room": room},
                }})
            })
            .collect();
        control::change(&self.district.ready, &changes)
    }

    fn round_trip(&self) -> Result<Option<f64>, StepError> {
        if !self.peers {
            return Ok(None);
        }
        let spent = peers::round_trip(&self.peers_folder()?, &self.district.ready)?;
        Ok(Some(spent.as_secs_f64()))
    }

    /// Seconds and bytes.
    fn download(&self) -> Result<Option<(f64, u64)>, StepError> {
        if !self.peers {
            return Ok(None);
        }
        let (spent, bytes) = peers::download(&self.peers_folder()?, &self.district.ready, YEAR)?;
        Ok(Some((spent.as_secs_f64(), bytes)))
    }

    fn peers_folder(&self) -> Result<PathBuf, StepError> {
        let folder = self.district.folder.join("peers");
        empty(&folder)?;
        Ok(folder)
    }
}

/// Both sides, so that neither always has the warmer machine.
fn in_turns<O, P>(
    ours_first: bool,
    ours: impl FnOnce() -> Result<O, StepError>,
    peer: impl FnOnce() -> Result<P, StepError>,
) -> Result<(O, P), StepError> {
    if ours_first {
        let run = ours()?;
        Ok((run, peer()?))
    } else {
        let taken = peer()?;
        Ok((ours()?, taken))
    }
}
