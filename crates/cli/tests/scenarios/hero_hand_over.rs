//! Every export and import has one owner: PowerSchool or RosterBridge.

use std::fs;

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{District, Output, Profile, files_in};

/// What the set-up says of a job of the first account.
fn job(profile: &Profile, field: &str) -> Value {
    profile.setup()["hero"]["accounts"][0][field].clone()
}

#[rstest]
#[case::an_export("hero-students", "students", "Hero Student Info", "AutoSend")]
#[case::the_import("hero-attendance", "attendance", "Hero Attendance", "AutoComm")]
fn a_job_is_taken_from_powerschool_only_with_somebodys_word(
    #[case] name: &str,
    #[case] field: &str,
    #[case] record: &str,
    #[case] form: &str,
) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let taken: Output = profile.run(&["hero", "take-back", name]).done();
    let told = taken.document["message"].as_str().unwrap();
    assert!(told.contains("Untick 'Turn Execution Off'"), "{told}");
    assert!(told.contains(&format!("{form} record '{record}'")), "{told}");
    assert_eq!(job(&profile, field)["owner"], "power_school");
    profile.run(&["sync", name]).ended(1, "hero.owned_by_powerschool");
    if form == "AutoSend" {
        profile.run(&["sync"]);
        assert!(!files_in(&district.hero("imports")).contains(&"STUDENT.TXT".to_owned()));
    }

    // A set-up that takes it over is not saved, whatever else it says.
    let mut setup = profile.setup();
    setup["hero"]["accounts"][0][field]["owner"] = "roster_bridge".into();
    setup["retention_days"] = 200.into();
    let file = profile.home().join("taken.json");
    fs::write(&file, setup.to_string()).unwrap();
    let refused = profile.run(&["setup", "import", file.to_str().unwrap()]);
    let refused = refused.ended(1, "hero.hand_over_not_confirmed");
    assert!(refused.document["message"].as_str().unwrap().contains(record), "{}", refused.stdout);
    assert_eq!(profile.setup()["retention_days"], 400);
    assert_eq!(job(&profile, field)["owner"], "power_school");

    profile.run(&["hero", "hand-over", name, "--record", record]).ended(2, "usage");
    profile.run(&["hero", "hand-over", name, "--record", " ", "--yes"]).ended(1, "hero.record_not_named");
    let handed = profile.run(&["hero", "hand-over", name, "--record", record, "--yes"]).done();
    assert_eq!(handed.data()["owner"], "roster_bridge");
    let confirmed = job(&profile, field)["hand_over"].clone();
    assert_eq!(confirmed["record"], record);
    assert_eq!(confirmed["confirmed_by"], handed.data()["by"]);
    // Saving anything else keeps the word.
    profile.run(&["connections", "set", "hero", "--description", "For Hero"]).done();
    profile.change_setup(|setup| setup["retention_days"] = 300.into());
    assert_eq!(job(&profile, field)["hand_over"], confirmed);
    // Hero writes its export once it has all three files.
    profile.run(&["sync", "hero-students", "hero-schedule", "hero-teachers"]).done();
    profile.run(&["sync", name]).done();
    // Whoever takes it back and hands it over anew confirms anew.
    profile.run(&["hero", "take-back", name]).done();
    assert!(job(&profile, field)["hand_over"].is_null());
}

#[test]
fn a_confirmation_travels_with_the_setup_file() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.run(&["hero", "hand-over", "hero-schedule", "--record", "Nightly", "--yes"]).done();
    let file = profile.home().join("handed.json");
    fs::write(&file, profile.setup().to_string()).unwrap();
    profile.run(&["hero", "take-back", "hero-schedule"]).done();
    profile.run(&["setup", "import", file.to_str().unwrap()]).done();
    assert_eq!(job(&profile, "schedule")["owner"], "roster_bridge");
    assert_eq!(job(&profile, "schedule")["hand_over"]["record"], "Nightly");
}

#[test]
fn a_set_up_of_an_earlier_version_is_not_held_up() {
    let profile = Profile::fresh();
    let file = profile.home().join("earlier.json");
    let earlier = json!({
        "version": 1,
        "hero": {"username": "district", "attendance_file": "ATT.txt", "update_existing": false},
    });
    fs::write(&file, earlier.to_string()).unwrap();
    profile.run(&["setup", "import", file.to_str().unwrap()]).done();
    assert_eq!(job(&profile, "attendance")["owner"], "roster_bridge");
    assert_eq!(job(&profile, "attendance")["path"], "export/ATT.txt");
}

#[test]
fn only_jobs_that_powerschool_can_have_change_hands() {
    let profile = Profile::fresh();
    let hand_over = |job: &str| profile.run(&["hero", "hand-over", job, "--record", "Any", "--yes"]);
    hand_over("raptor-roster").ended(1, "hero.not_an_exchange");
    hand_over("hero-students-2").ended(1, "hero.no_account");
    hand_over("hero-nothing").ended(2, "usage");
    profile.run(&["hero", "take-back", "raptor-tardies"]).ended(1, "hero.not_an_exchange");
}
