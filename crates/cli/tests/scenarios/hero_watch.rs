//! Hero's files seen from outside: those PowerSchool sends.

use serde_json::json;

use crate::support::{District, Profile};

const EXPORTS: [&str; 3] = ["students", "schedule", "teachers"];

/// A profile for whose account PowerSchool does everything.
fn watching(district: &District) -> Profile {
    let profile = Profile::of(district);
    profile.change_setup(|setup| {
        for job in EXPORTS.into_iter().chain(["attendance"]) {
            setup["hero"]["accounts"][0][job]["owner"] = json!("power_school");
        }
    });
    profile
}

#[test]
fn a_look_shows_what_powerschool_sent() {
    let district = District::start(&[]);
    let profile = watching(&district);
    let looked = profile.run(&["hero", "watch"]).done();
    let files = looked.data()["files"].as_array().unwrap();
    let states: Vec<&str> = files.iter().map(|file| file["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["not_due"; 4], "{}", looked.stdout);

    district.ask("autosend", &json!({}));
    let looked = profile.run(&["hero", "watch", "--account", "1"]).done();
    for file in looked.data()["files"].as_array().unwrap() {
        assert_eq!(file["state"], "fine", "{}", looked.stdout);
        assert_eq!(file["columns"], file["expected_columns"]);
    }
    for file in &looked.data()["files"].as_array().unwrap()[..3] {
        assert_eq!(file["rows"], file["expected_rows"], "{}", looked.stdout);
    }

    district.ask("autosend", &json!({"without": ["Home_Phone"], "files": ["STUDENT.TXT"]}));
    let looked = profile.run(&["hero", "watch"]).ended(1, "hero.watch_columns");
    assert_eq!(looked.data()["files"][0]["state"], "alert");
    let status = profile.run(&["status"]).done();
    assert_eq!(status.data()["watch"][0]["files"][0]["cause"]["code"], "hero.watch_columns");
    assert_eq!(profile.run(&["runs"]).done().data()["runs"], json!([]), "a look is no run");

    profile.run(&["hero", "watch", "--account", "7"]).ended(1, "hero.no_account");
    profile.run(&["hero", "watch", "--account", "0"]).ended(2, "usage");
}
