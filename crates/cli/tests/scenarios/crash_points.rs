//! A run that ends at a named place, as in a power cut, is finished by the next one as if nothing had happened.
//!
//! Each job is first run undisturbed, to see what it leaves behind and which places it comes to. Then it is run again
//! from the same beginning for every one of these places, ends there the first time it comes to it and, if there is
//! more than one, the last; the next run has to end in the same state. Where that next run comes to places of its own
//! (it looks up what the ended one left open), it is ended there too.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use rosterbridge_crash_points::CrashPoint;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    stage::{Left, Stage, report},
    support::{District, Profile, crashed},
};

/// Where a run ends: a place, and the how-manieth time it comes there.
pub type End = (String, usize);

impl Stage {
    /// Runs the job to its end; the places it came to, in order.
    #[track_caller]
    fn run(&self, after: &[End]) -> Vec<String> {
        let trace = tempfile::NamedTempFile::new().unwrap();
        let output = self.sync().env("ROSTERBRIDGE_CRASH_TRACE", trace.path()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{:?} after {after:?}: {text}", self.jobs);
        fs::read_to_string(trace.path()).unwrap().lines().map(str::to_owned).collect()
    }

    /// Runs the job until it ends at a place.
    #[track_caller]
    fn end_at(&self, (place, time): &End) {
        let output = self.sync().env("ROSTERBRIDGE_CRASH_AT", format!("{place}@{time}")).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(crashed(output.status), "{:?} did not end at {place}@{time}: {text}", self.jobs);
    }

    /// Ends the job at each of `ends` in turn, then runs it to its end, and checks what is left: what one undisturbed run
    /// leaves, or what two do, and after another run what two do. The places that only this run comes to, of those not in
    /// `known`.
    #[track_caller]
    fn survives(
        &mut self,
        ends: &[End],
        (expected, settled): (&Left, &Left),
        known: &BTreeSet<String>,
    ) -> BTreeSet<String> {
        self.rewind();
        for end in ends {
            self.end_at(end);
        }
        let finished = ends.iter().filter(|(place, _)| place == CrashPoint::RunFinished.as_str()).count();
        let passed = self.run(ends);
        let left = self.left();
        if left != *settled {
            assert_eq!(&left, expected, "{:?} after {ends:?}", self.jobs);
        }
        let runs = self.profile.run(&["runs"]).done();
        let outcomes: Vec<&str> = runs.data()["runs"]
            .as_array()
            .unwrap()
            .iter()
            .take(ends.len() + 1)
            .map(|run| run["outcome"].as_str().unwrap())
            .collect();
        let interrupted = outcomes.iter().filter(|outcome| **outcome == "interrupted").count();
        assert_eq!(interrupted, ends.len() - finished, "{:?} after {ends:?}: {outcomes:?}", self.jobs);
        assert_eq!(outcomes[0], "succeeded", "{:?} after {ends:?}", self.jobs);
        // Nothing comes after, either.
        self.run(ends);
        assert_eq!(&self.left(), settled, "{:?} once more after {ends:?}", self.jobs);
        passed.into_iter().filter(|place| !known.contains(place)).collect()
    }
}

/// The first time a job comes to each place, and the last.
pub fn ends_of(passed: &[String]) -> Vec<End> {
    let mut times: BTreeMap<&String, usize> = BTreeMap::new();
    for place in passed {
        *times.entry(place).or_default() += 1;
    }
    times
        .into_iter()
        .flat_map(|(place, times)| {
            BTreeSet::from([1, times]).into_iter().map(move |time| (place.clone(), time))
        })
        .collect()
}

#[rstest]
#[case(&["hero-students"], "upsert")]
#[case(&["hero-schedule"], "upsert")]
#[case(&["hero-teachers"], "upsert")]
#[case(&["hero-attendance"], "upsert")]
#[case(&["hero-attendance"], "insert")]
#[case(&["raptor-roster"], "upsert")]
#[case(&["raptor-tardies"], "upsert")]
#[case(&["raptor-tardies"], "insert")]
fn the_end_of_a_run_anywhere_is_made_good_by_the_next(
    #[case] jobs: &'static [&'static str],
    #[case] mode: &str,
) {
    ends_are_made_good(Stage::new(jobs, mode), &format!("{}-{mode}", jobs.join("+")));
}

/// A server replaces a file in one step, or has none of the name for a moment, or is written into directly; and a folder
/// of this computer takes the place of a server.
#[rstest]
#[case::in_one_step("posix-rename", json!({}), CrashPoint::UploadReplaced)]
#[case::set_aside("no-posix-rename", json!({"no_posix_rename": true}), CrashPoint::UploadSetAside)]
#[case::directly("no-rename", json!({"refuse_rename": true}), CrashPoint::UploadVerified)]
fn whichever_way_a_file_gets_its_name(#[case] name: &str, #[case] faults: Value, #[case] place: CrashPoint) {
    let stage = Stage::new(&["hero-students"], "upsert").with_hero_faults(faults);
    let places = ends_are_made_good(stage, &format!("hero-students-{name}"));
    assert!(places.contains(place.as_str()), "{places:?}");
}

#[test]
fn a_file_in_a_folder_of_this_computer_is_there_whole_or_not_at_all() {
    let district = District::start(&["--students", "40", "--schools", "2"]);
    let profile = Profile::patient_for(&district, 1);
    let folder = district.hero("to-hero");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("STUDENT.TXT"), "an earlier one\r\n").unwrap();
    profile.change_setup(|setup| {
        setup["hero"]["accounts"][0]["students"]["destination"] = json!({"kind": "folder", "folder": folder});
    });
    let places =
        ends_are_made_good(Stage::kept(district, profile, &["hero-students"]), "hero-students-folder");
    for place in [CrashPoint::UploadWritten, CrashPoint::UploadRenamed] {
        assert!(places.contains(place.as_str()), "{places:?}");
    }
    assert!(!places.contains(CrashPoint::HeroConnected.as_str()), "no server is asked");
}

/// Ends the stage's job at every place it comes to. The places.
fn ends_are_made_good(mut stage: Stage, name: &str) -> BTreeSet<String> {
    let jobs = stage.jobs;
    let before = stage.left();
    let passed = stage.run(&[]);
    let expected = stage.left();
    assert_ne!(before, expected, "the job does something");
    stage.run(&[]);
    let settled = stage.left();
    // A roster with everybody names those who have left once, and the next one does not any more.
    assert_eq!(settled == expected, jobs != ["raptor-roster"]);
    let lefts = (&expected, &settled);
    let known: BTreeSet<String> = passed.iter().cloned().collect();

    let mut tried = 0;
    let mut looked_at = BTreeSet::new();
    for end in ends_of(&passed) {
        let further = stage.survives(std::slice::from_ref(&end), lefts, &known);
        tried += 1;
        for place in further {
            if looked_at.insert((end.0.clone(), place.clone())) {
                stage.survives(&[end.clone(), (place, 1)], lefts, &known);
                tried += 1;
            }
        }
    }
    let places: BTreeSet<String> =
        known.iter().chain(looked_at.iter().map(|(_, place)| place)).cloned().collect();
    let numbers = json!({"tried": tried, "places": &places, "lost": 0, "doubled": 0});
    report(&format!("crash-{name}"), &numbers);
    places
}
