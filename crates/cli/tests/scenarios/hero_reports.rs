//! 'Email completion report' of Hero's exports and import: who gets it, what is in it, and that no crash loses it.

use rosterbridge_crash_points::CrashPoint;
use serde_json::{Value, json};

use crate::support::{District, Profile, crashed};

const IT: &str = "exports@example.org";

/// A profile whose student export and import report to somebody.
fn reporting(district: &District) -> Profile {
    let profile = Profile::of(district);
    profile.change_setup(|setup| {
        setup["hero"]["accounts"][0]["students"]["email"] = json!([IT]);
        setup["hero"]["accounts"][0]["attendance"]["email"] = json!([IT, "office@example.org"]);
    });
    profile
}

/// The mails to an address that are completion reports, oldest first, with lines put together again.
fn reports(district: &District, to: &str) -> Vec<String> {
    let delivered = format!("Delivered-To: {to}");
    district.mails().into_iter().filter(|mail| mail.contains(&delivered)).collect()
}

fn has(mail: &str, parts: &[&str]) {
    for part in parts {
        assert!(mail.contains(part), "{part} is not in {mail}");
    }
}

#[test]
fn every_run_of_a_job_is_reported_to_those_it_names() {
    let district = District::start(&[]);
    let profile = reporting(&district);
    let report =
        profile.run(&["sync", "hero-students", "hero-schedule", "hero-teachers", "hero-attendance"]).done();
    let mails = reports(&district, IT);
    let [students, attendance] = &mails[..] else { panic!("{mails:?}") };
    let sent = &report.job("hero-students")["files"][0];
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    has(
        students,
        &[
            "Subject: RosterBridge (practice): Hero Student Info is done",
            &format!("Run: {}", report.data()["run"].as_str().unwrap()),
            "File: imports/STUDENT.TXT",
            &format!("{} rows, {} bytes", text(&sent["rows"]), text(&sent["bytes"])),
            &format!("SHA256: {}", text(&sent["sha256"])),
        ],
    );
    let rows = &report.job("hero-attendance")["rows"];
    let counts = format!("{} read, {} written", text(&rows["read"]), text(&rows["written"]));
    has(attendance, &["Hero Attendance is done", "File: export/ATTENDANCE.txt", &counts]);
    assert_eq!(reports(&district, "office@example.org").len(), 1, "only the import reports there");
    let practice = reports(&district, "office@practice.example");
    assert!(!practice.iter().any(|mail| mail.contains("is done")), "the report is for nobody else");

    // One for each run, and none for a dry one.
    profile.run(&["sync", "hero-students", "--dry-run"]).done();
    assert_eq!(reports(&district, IT).len(), 2);
    profile.run(&["sync", "hero-students"]).done();
    assert_eq!(reports(&district, IT).len(), 3);

    // A failure is reported with its code, again and again.
    profile.change_setup(|setup| setup["connections"][0]["allow_upload"] = json!(false));
    profile.run(&["sync", "hero-students"]);
    profile.run(&["sync", "hero-students"]);
    let mails = reports(&district, IT);
    assert_eq!(mails.len(), 5);
    has(&mails[4], &["Hero Student Info failed", "Code: setup.switched_off"]);
}

#[test]
fn a_report_is_lost_by_no_crash_and_sent_by_none_twice() {
    for (point, number) in
        [(CrashPoint::JobRecorded, 1), (CrashPoint::RunDone, 1), (CrashPoint::RunFinished, 1)]
    {
        let district = District::start(&[]);
        let profile = reporting(&district);
        let place = format!("{}@{number}", point.as_str());
        let sync = ["sync", "hero-students"];
        let ended = profile.command(&sync).env("ROSTERBRIDGE_CRASH_AT", place).output().unwrap();
        assert!(crashed(ended.status), "{point:?}: it did not end");
        profile.run(&["status"]).done();
        profile.run(&["sync", "hero-teachers"]).done();
        let mails = reports(&district, IT);
        let [report] = &mails[..] else { panic!("{point:?}: {} reports", mails.len()) };
        has(report, &["Hero Student Info is done", "File: imports/STUDENT.TXT"]);
    }
}
