//! A dry run is the plan of the next real one, and leaves everything as it is.

use rstest::rstest;
use serde_json::Value;

use crate::{
    stage::Stage,
    support::{District, Output, Profile},
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
    let plan = |output: &Output| output.job(jobs[0])["plan"].clone();

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
    assert_eq!(plan(&real), planned);
    assert_eq!(real.job(jobs[0])["rows"], dry.job(jobs[0])["rows"]);
    assert_eq!(real.job(jobs[0])["files"], dry.job(jobs[0])["files"]);
    if attendance {
        assert_ne!(plan(&run(&["--dry-run"])), planned, "what is done is not planned again");
    }
}
