//! Hero's files seen from outside: those PowerSchool sends, and those it still sends though RosterBridge does.

use serde_json::{Value, json};

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

/// Has PowerSchool's AutoSend send, an hour from now by the server's clock: later than whatever is there.
fn auto_send(district: &District, request: &Value) {
    let mut request = request.clone();
    request["modified"] = json!(chrono::Utc::now() + chrono::TimeDelta::hours(1));
    district.ask("autosend", &request);
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

#[test]
fn a_file_that_somebody_else_sent_is_told_and_stops_nothing() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    // What PowerSchool sent before RosterBridge did proves nothing.
    auto_send(&district, &json!({}));
    profile.run(&["sync", "hero-students", "hero-teachers"]).done();
    profile.run(&["sync", "hero-students", "hero-teachers"]).done();
    assert_eq!(profile.run(&["status"]).done().data()["other_sender"], json!([]));

    auto_send(&district, &json!({"files": ["STUDENT.TXT"]}));
    profile.run(&["sync", "hero-students", "hero-teachers"]).done();
    let status = profile.run(&["status"]).done();
    let [other] = &status.data()["other_sender"].as_array().unwrap()[..] else { panic!("{}", status.stdout) };
    assert_eq!((&other["job"], &other["path"]), (&json!("hero-students"), &json!("imports/STUDENT.TXT")));
    assert_eq!(other["cause"]["code"], "hero.other_sender");
    let remedy = other["cause"]["remedy"].as_str().unwrap();
    assert!(remedy.contains("'Hero Student Info'") && remedy.contains("Turn Execution Off"), "{remedy}");
    let mails = district.mails();
    let told = mails.iter().filter(|mail| mail.contains("hero-students: PowerSchool still does it, too"));
    assert_eq!(told.count(), 1, "{mails:?}");

    // It is told once a day, and goes on standing in the status until it was not to be seen for days.
    auto_send(&district, &json!({"files": ["STUDENT.TXT"]}));
    profile.run(&["sync", "hero-students"]).done();
    profile.run(&["sync", "hero-students"]).done();
    assert_eq!(district.mails().len(), mails.len());
    let status = profile.run(&["status"]).done();
    assert_eq!(status.data()["other_sender"].as_array().unwrap().len(), 1);

    // Whose it is PowerSchool's may send it.
    profile.change_setup(|setup| setup["hero"]["accounts"][0]["students"]["owner"] = json!("power_school"));
    assert_eq!(profile.run(&["status"]).done().data()["other_sender"], json!([]));
}

#[test]
fn attendance_that_somebody_else_took_in_is_told() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    // Hero writes its export once it has the three files.
    profile.run(&["sync", "hero-students", "hero-schedule", "hero-teachers"]).done();
    // In the first run everything may have been taken in before.
    district.ask("autocomm", &json!({}));
    profile.run(&["sync", "hero-attendance"]).done();
    assert_eq!(profile.run(&["status"]).done().data()["other_sender"], json!([]));

    // Rows that come later are RosterBridge's to write.
    district.hero_export(None, &json!({"more_rows": 6}));
    let report = profile.run(&["sync", "hero-attendance"]).done();
    assert_eq!(report.job("hero-attendance")["rows"]["written"], 6, "{}", report.stdout);
    assert_eq!(profile.run(&["status"]).done().data()["other_sender"], json!([]));

    district.hero_export(None, &json!({"more_rows": 12}));
    district.ask("autocomm", &json!({}));
    profile.run(&["sync", "hero-attendance"]).done();
    let status = profile.run(&["status"]).done();
    let [other] = &status.data()["other_sender"].as_array().unwrap()[..] else { panic!("{}", status.stdout) };
    assert_eq!(other["job"], "hero-attendance");
    let told = other["cause"]["message"].as_str().unwrap();
    assert!(told.contains("of 6 new rows") && told.contains("had 6 already"), "{told}");
    assert!(other["cause"]["remedy"].as_str().unwrap().contains("AutoComm Setup"), "{}", status.stdout);
}
