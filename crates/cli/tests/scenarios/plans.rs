//! A dry run is the plan of the next real one, and leaves everything as it is.

use std::fs;

use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    stage::Stage,
    support::{District, Output, Profile, files_below, rosterbridge},
};

/// What the profile keeps about the exchange, as far as it shows.
fn kept(profile: &Profile) -> Vec<Value> {
    let status = profile.run(&["status"]).done();
    vec![
        status.data()["metrics"]["outbox"].clone(),
        status.data()["metrics"]["rows"].clone(),
        status.data()["jobs"].clone(),
        profile.run(&["held", "list"]).done().data().clone(),
        profile.run(&["guard", "list"]).done().data().clone(),
    ]
}

#[rstest]
#[case(&["hero-students"])]
#[case(&["hero-schedule"])]
#[case(&["hero-teachers"])]
#[case(&["hero-attendance"])]
#[case(&["raptor-roster"])]
#[case(&["raptor-tardies"])]
fn a_dry_run_touches_nothing_and_is_the_plan_of_the_next_run(#[case] jobs: &'static [&'static str]) {
    let district = District::start(&["--students", "40", "--schools", "2", "--attendance", "insert"]);
    let profile = Profile::of(&district);
    match jobs {
        ["hero-attendance"] => {
            profile.run(&["sync", "hero-students", "hero-schedule", "hero-teachers"]).done();
        }
        ["raptor-tardies"] => {
            profile.run(&["sync", "raptor-roster"]).done();
        }
        _ => {}
    }
    let stage = Stage::kept(district, profile, jobs);
    let run = |options: &[&str]| stage.profile.run(&[&["sync"], jobs, options].concat()).done();
    let plan = |output: &Output| {
        let mut plan = output.job(jobs[0])["plan"].clone();
        // What a real run answers ends up in log files: only a dry run shows rows.
        plan.as_object_mut().unwrap().remove("files");
        plan
    };

    let (before, kept_before) = (stage.left(), kept(&stage.profile));
    let dry = run(&["--dry-run"]);
    assert_eq!((stage.left(), kept(&stage.profile)), (before, kept_before));
    let planned = plan(&dry);
    assert_eq!(planned["id"].as_str().unwrap().len(), 16);
    assert!(dry.job(jobs[0])["rows"]["written"].as_u64().unwrap() > 0, "there is something to do");
    let attendance = matches!(jobs[0], "hero-attendance" | "raptor-tardies");
    assert_eq!(!planned["sample"].as_array().unwrap().is_empty(), attendance, "{planned}");
    assert_eq!(plan(&run(&["--dry-run"])), planned, "the same plan again");

    let real = run(&[]);
    assert!(real.job(jobs[0])["plan"]["files"].is_null());
    assert_eq!(plan(&real), planned);
    assert_eq!(real.job(jobs[0])["rows"], dry.job(jobs[0])["rows"]);
    assert_eq!(real.job(jobs[0])["files"], dry.job(jobs[0])["files"]);
    if attendance {
        assert_ne!(plan(&run(&["--dry-run"])), planned, "what is done is not planned again");
    }
}

/// The rows a dry run shows are those the next run writes, with the names of the columns.
#[rstest]
#[case("hero-students", "Student_Number", '\t', 2)]
#[case("hero-schedule", "Schoolid", '\t', 8)]
#[case("hero-teachers", "Schoolid", '\t', 1)]
#[case("raptor-roster", "Building", ',', 4)]
fn a_dry_run_shows_the_first_rows_of_every_file(
    #[case] job: &str,
    #[case] first_column: &str,
    #[case] delimiter: char,
    #[case] last_name: usize,
) {
    let district = District::start(&["--students", "40", "--schools", "2"]);
    let profile = Profile::of(&district);
    let dry = profile.run(&["sync", job, "--dry-run"]).done();
    let planned = dry.job(job);
    let samples = planned["plan"]["files"].as_array().unwrap().clone();
    let names: Vec<&Value> = planned["files"].as_array().unwrap().iter().map(|file| &file["name"]).collect();
    assert_eq!(samples.iter().map(|sample| &sample["name"]).collect::<Vec<_>>(), names);

    profile.run(&["sync", job]).done();
    for (sample, file) in samples.iter().zip(planned["files"].as_array().unwrap()) {
        let name = sample["name"].as_str().unwrap();
        let path = if job == "raptor-roster" { district.raptor(name) } else { district.hero(name) };
        // Raptor's file begins with the names of its columns and quotes values; Hero's does neither.
        let comma = delimiter == ',';
        let written = csv::ReaderBuilder::new()
            .delimiter(delimiter as u8)
            .quoting(comma)
            .has_headers(comma)
            .from_path(path)
            .unwrap();
        let columns = sample["columns"].as_array().unwrap();
        assert_eq!(columns[0], first_column);
        let lines: Vec<Vec<String>> = written
            .into_records()
            .take(5)
            .map(|line| line.unwrap().iter().map(str::to_owned).collect())
            .collect();
        assert_eq!(lines.len() as u64, file["rows"].as_u64().unwrap().min(5));
        assert_eq!(sample["rows"], json!(lines), "{name}");
        assert!(lines.iter().all(|line| line.len() == columns.len()));
    }

    // On the terminal, too, and nowhere else.
    let mut shown = rosterbridge();
    shown.arg("--home").arg(profile.home()).args(["--profile", "practice", "sync", job, "--dry-run"]);
    let shown = String::from_utf8(shown.output().unwrap().stdout).unwrap();
    for cell in samples[0]["rows"][0].as_array().unwrap() {
        assert!(shown.contains(cell.as_str().unwrap()), "{cell} is not in {shown}");
    }
    let person = samples[0]["rows"][0][last_name].as_str().unwrap().to_owned();
    assert!(!person.is_empty());
    let runs = profile.run(&["runs"]).done();
    assert!(runs.data()["runs"][0]["jobs"][0]["plan"].is_null());
    assert!(!runs.stdout.contains(&person), "{person} is in the run history");
    for log in files_below(profile.home()).iter().filter(|file| file.parent().unwrap().ends_with("logs")) {
        assert!(!fs::read_to_string(log).unwrap().contains(&person), "{person} is in {}", log.display());
    }
}
