//! The Raptor integration on the command line: switching it on and off, and how its status came about.

use serde_json::{Value, json};

use crate::support::{District, Profile};

#[test]
fn it_is_switched_on_after_being_shown_what_that_comes_to() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let off = profile.run(&["raptor", "disable"]).done();
    assert_eq!(off.data()["status"], "disabled");
    profile.run(&["jobs", "set", "raptor-roster", "--off"]).done();

    let shown = profile.run(&["raptor", "enable", "--dry-run"]).done();
    let confirmation = shown.data();
    assert_eq!((&confirmation["obstacles"], &confirmation["buildings"]), (&json!([]), &json!(5)));
    assert_eq!((&confirmation["schools"], &confirmation["students"]), (&json!(5), &json!(600)));
    assert_eq!(profile.run(&["raptor", "status"]).done().data()["status"], "disabled");

    let on = profile.run(&["raptor", "enable"]).done();
    assert_eq!(on.data()["raptor"]["status"], "pending_initialization");
    let window = &on.data()["confirmation"]["window"];
    assert_eq!((&window["zone"], &window["opens"]), (&json!("America/Chicago"), &json!("16:00")));
    let jobs = profile.run(&["jobs", "list"]).done().data()["jobs"].clone();
    let roster = jobs.as_array().unwrap().iter().find(|job| job["job"] == "raptor-roster").unwrap();
    assert_eq!((&roster["enabled"], roster.get("schedule")), (&json!(true), None));

    profile.run(&["sync", "raptor-roster"]).done();
    let history = profile.run(&["raptor", "history"]).done();
    let changes = history.data()["changes"].as_array().unwrap();
    let came_to: Vec<Value> = changes.iter().map(|change| json!([change["event"], change["to"]])).collect();
    let expected = [
        ("sync_succeeded", "synchronizing"),
        ("window_opened", "initializing"),
        ("enabled", "pending_initialization"),
        ("disabled", "disabled"),
        ("enabled", "pending_initialization"),
    ];
    assert_eq!(json!(came_to), json!(expected));
    let latest = profile.run(&["raptor", "history", "--limit", "1"]).done();
    assert_eq!(latest.data()["changes"].as_array().unwrap().len(), 1);
    assert_eq!(latest.data()["more"], true);
}

#[test]
fn what_is_missing_is_named() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.change_setup(|setup| {
        setup["raptor"]["enabled"] = json!(false);
        setup["raptor"]["prerequisites"]["plugin_installed"] = json!(false);
        setup["raptor"]["folder"] = json!("");
    });
    let refused = profile.run(&["raptor", "enable"]).ended(1, "raptor.prerequisites");
    let codes: Vec<&Value> =
        refused.data()["obstacles"].as_array().unwrap().iter().map(|cause| &cause["code"]).collect();
    assert_eq!(codes, ["raptor.prerequisites", "raptor.no_exchange"]);
    assert_eq!(profile.run(&["raptor", "status"]).done().data()["status"], "disabled");
}

/// Its times are those of the window.
#[test]
fn the_roster_takes_no_schedule() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    for options in [&["--at", "03:10"][..], &["--every", "5"], &["--manual"], &["--only-in-session", "true"]]
    {
        let refused = profile.run(&[&["jobs", "set", "raptor-roster"], options].concat()).ended(2, "usage");
        assert!(refused.stdout.contains("integration window"), "{}", refused.stdout);
    }
    profile.run(&["jobs", "set", "raptor-tardies", "--at", "03:10"]).done();
}
