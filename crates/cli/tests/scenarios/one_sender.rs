//! One sender: where somebody else does what RosterBridge does, the job is paused until a person lets it go on.

use std::{fs, path::Path, time::SystemTime};

use rosterbridge_crash_points::CrashPoint;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    care::flipped,
    support::{District, Output, Profile, crashed},
};

const CODE: &str = "hero.other_sender";
const STUDENTS: [&str; 2] = ["sync", "hero-students"];

/// Has PowerSchool's AutoSend send its file of the students, without their phone numbers: an hour from now by the server's
/// clock, later than whatever is there.
fn auto_send(district: &District) {
    let modified = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let request = json!({"files": ["STUDENT.TXT"], "without": ["Home_Phone"], "modified": modified});
    district.ask("autosend", &request);
}

fn titled(district: &District, words: &str) -> usize {
    district.mails().iter().filter(|mail| mail.contains(words)).count()
}

fn job<'a>(status: &'a Output, name: &str) -> &'a Value {
    let jobs = status.data()["jobs"].as_array().unwrap();
    jobs.iter().find(|view| view["job"] == name).unwrap()
}

fn set_students(profile: &Profile, change: &Value) {
    profile.change_setup(|setup| {
        for (field, value) in change.as_object().unwrap() {
            setup["hero"]["accounts"][0]["students"][field] = value.clone();
        }
    });
}

#[test]
fn an_export_that_somebody_else_sends_is_paused_until_a_person_lets_it_go_on() {
    let district = District::start(&["--students", "200"]);
    let profile = Profile::of(&district);
    let file = district.hero("imports/STUDENT.TXT");
    // What PowerSchool sent before RosterBridge did proves nothing.
    auto_send(&district);
    let both = ["sync", "hero-students", "hero-teachers"];
    profile.run(&both).done();
    profile.run(&both).done();
    assert_eq!(profile.run(&["status"]).done().data()["other_sender"], json!([]));
    let ours = fs::read(&file).unwrap();

    // The run that notices it sends nothing over the other's file, and the other jobs go on.
    auto_send(&district);
    let theirs = fs::read(&file).unwrap();
    assert_ne!(theirs, ours);
    let paused = profile.run(&both).ended(3, CODE);
    assert_eq!(paused.job("hero-students")["outcome"], "failed");
    let told = paused.job("hero-students")["cause"]["message"].as_str().unwrap();
    assert!(told.contains("hero-students is paused: imports/STUDENT.TXT"), "{told}");
    assert_eq!(paused.job("hero-teachers")["outcome"], "succeeded");
    assert_eq!(fs::read(&file).unwrap(), theirs);

    let status = profile.run(&["status"]).done();
    let [other] = &status.data()["other_sender"].as_array().unwrap()[..] else { panic!("{}", status.stdout) };
    assert_eq!((&other["job"], &other["path"]), (&json!("hero-students"), &json!("imports/STUDENT.TXT")));
    let remedy = other["cause"]["remedy"].as_str().unwrap();
    assert!(remedy.contains("'Hero Student Info'") && remedy.contains("Turn Execution Off"), "{remedy}");
    assert_eq!(job(&status, "hero-students")["paused_since"], other["since"]);
    assert_eq!(job(&status, "hero-students")["next_at"], Value::Null);
    assert_eq!(job(&status, "hero-teachers")["paused_since"], Value::Null);
    let listed = profile.run(&["jobs", "list"]).done();
    assert_eq!(job(&listed, "hero-students")["paused_since"], other["since"]);
    let day = profile.run(&["hero", "timeline"]).done();
    assert_eq!(day.data()["warnings"][0]["kind"], "other_sender", "{}", day.stdout);

    // As long as it lasts every run of it ends at once, also without PowerSchool, and nobody gets another mail.
    let mails = district.mails().len();
    district.faults(&json!({"maintenance": "redirect"}));
    for _ in 0..2 {
        let again = profile.run(&STUDENTS).ended(3, CODE);
        assert_eq!(again.job("hero-students")["rows"]["read"], 0);
    }
    district.faults(&json!({}));
    assert_eq!(profile.run(&["runs"]).done().data()["runs"][0]["jobs"][0]["cause"]["code"], CODE);
    assert_eq!(fs::read(&file).unwrap(), theirs);
    assert_eq!(district.mails().len(), mails);
    assert_eq!(titled(&district, "hero-students is paused: another sender is active"), 1);
    assert_eq!(titled(&district, "hero-students failed"), 0);
    // A dry run changes nothing, and says so.
    let dry = profile.run(&["sync", "hero-students", "--dry-run"]).done();
    assert!(
        dry.job("hero-students")["notes"].to_string().contains("A real run ends at once"),
        "{}",
        dry.stdout
    );

    profile.run(&["hero", "only-sender", "hero-students"]).ended(2, "usage");
    let confirmed = profile.run(&["hero", "only-sender", "hero-students", "--yes"]).done();
    let word = profile.setup()["hero"]["accounts"][0]["students"]["hand_over"].clone();
    assert_eq!(word["record"], "Hero Student Info");
    assert_eq!(
        (&word["confirmed_by"], &word["confirmed_at"]),
        (&confirmed.data()["by"], &confirmed.data()["at"])
    );
    profile.run(&["status"]).done();
    profile.run(&["hero", "only-sender", "hero-students", "--yes"]).ended(1, "hero.no_other_sender");
    // From then on nothing older counts.
    profile.run(&STUDENTS).done();
    assert_eq!(fs::read(&file).unwrap(), ours);
    profile.run(&STUDENTS).done();
    assert_eq!(titled(&district, "hero-students is no longer paused"), 1);

    // The other one is back on the same day: that is told again.
    auto_send(&district);
    profile.run(&STUDENTS).ended(3, CODE);
    assert_eq!(titled(&district, "hero-students is paused: another sender is active"), 2);
    // Whose it is PowerSchool's may send it; and handing it over is a person's word, too.
    profile.run(&["hero", "take-back", "hero-students"]).done();
    profile.run(&["status"]).done();
    assert_eq!(titled(&district, "hero-students is no longer paused"), 2);
    profile.run(&["hero", "hand-over", "hero-students", "--record", "Nightly", "--yes"]).done();
    profile.run(&STUDENTS).done();
    auto_send(&district);
    profile.run(&STUDENTS).ended(3, CODE);
    profile.run(&["hero", "hand-over", "hero-students", "--record", "Nightly", "--yes"]).done();
    profile.run(&STUDENTS).done();
}

#[test]
fn attendance_that_somebody_else_takes_in_is_paused() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let import = ["sync", "hero-attendance"];
    // Hero writes its export once it has the three files.
    profile.run(&["sync", "hero-students", "hero-schedule", "hero-teachers"]).done();
    // In the first run everything may have been taken in before.
    district.ask("autocomm", &json!({}));
    profile.run(&import).done();

    // Rows that come later are RosterBridge's to write.
    district.hero_export(None, &json!({"more_rows": 6}));
    let report = profile.run(&import).done();
    assert_eq!(report.job("hero-attendance")["rows"]["written"], 6, "{}", report.stdout);

    // A run that came before Hero's file fails; what is known is from the one before it.
    fs::remove_file(district.hero("export/ATTENDANCE.txt")).unwrap();
    profile.run(&import).ended(1, "hero.export_missing");
    district.hero_export(None, &json!({"more_rows": 12}));
    district.ask("autocomm", &json!({}));
    district.hero_export(None, &json!({"more_rows": 13}));
    let writes = district.audit();
    let paused = profile.run(&import).ended(3, CODE);
    let told = paused.job("hero-attendance")["cause"]["message"].as_str().unwrap();
    assert!(told.contains("of 7 new rows") && told.contains("had 6 already"), "{told}");
    let remedy = paused.job("hero-attendance")["cause"]["remedy"].as_str().unwrap();
    assert!(remedy.contains("AutoComm Setup"), "{remedy}");
    profile.run(&import).ended(3, CODE);
    assert_eq!(district.audit(), writes, "the seventh row waits, too");
    assert_eq!(titled(&district, "hero-attendance is paused: another sender is active"), 1);

    profile.run(&["hero", "only-sender", "hero-attendance", "--yes"]).done();
    let report = profile.run(&import).done();
    assert_eq!(report.job("hero-attendance")["rows"]["written"], 1, "{}", report.stdout);
    assert_eq!(profile.run(&import).done().job("hero-attendance")["rows"]["written"], 0);
}

/// What is told by everything but another sender: nothing.
#[test]
fn nobody_is_taken_for_another_sender_who_is_none() {
    let district = District::start(&["--students", "200"]);
    let profile = Profile::of(&district);
    let file = district.hero("imports/STUDENT.TXT");
    let sync = || profile.run(&STUDENTS).done();
    sync();
    // Hero took the file away, or emptied it.
    fs::remove_file(&file).unwrap();
    sync();
    fs::File::options().write(true).open(&file).unwrap().set_len(0).unwrap();
    sync();
    // While RosterBridge wrote elsewhere, the old path was free for anybody.
    set_students(&profile, &json!({"path": "imports/STUDENT_2.TXT"}));
    sync();
    auto_send(&district);
    set_students(&profile, &json!({"path": "imports/STUDENT.TXT"}));
    sync();
    // A hand-over that was just confirmed.
    auto_send(&district);
    profile.run(&["hero", "take-back", "hero-students"]).done();
    profile.run(&["hero", "hand-over", "hero-students", "--record", "Nightly", "--yes"]).done();
    sync();
    // What is not sent again because nothing has changed, and what is.
    set_students(&profile, &json!({"skip_unchanged": true}));
    assert_eq!(sync().job("hero-students")["rows"]["written"], 0);
    set_students(&profile, &json!({"skip_unchanged": false}));
    sync();
    // A folder of this computer is anybody's.
    let folder = tempfile::tempdir().unwrap();
    set_students(&profile, &json!({"destination": {"kind": "folder", "folder": folder.path()}}));
    sync();
    let local = folder.path().join("STUDENT.TXT");
    fs::write(&local, "somebody's").unwrap();
    set_modified(&local, SystemTime::now() + std::time::Duration::from_hours(1));
    sync();
    assert_eq!(profile.run(&["status"]).done().data()["other_sender"], json!([]));
    assert_eq!(titled(&district, "is paused"), 0);
}

fn set_modified(file: &Path, at: SystemTime) {
    fs::File::options().write(true).open(file).unwrap().set_modified(at).unwrap();
}

/// The program ends while it sends: its own file is never taken for another's.
#[rstest]
fn a_file_that_was_sent_and_not_recorded_is_nobody_elses(
    #[values(
        CrashPoint::UploadBegun,
        CrashPoint::UploadWritten,
        CrashPoint::UploadReplaced,
        CrashPoint::UploadUnrecorded,
        CrashPoint::UploadRecorded
    )]
    point: CrashPoint,
) {
    let district = District::start(&["--students", "60", "--schools", "2"]);
    let profile = Profile::of(&district);
    profile.run(&STUDENTS).done();
    let sql = "UPDATE Students SET Last_Name = 'Renamed-for-length' WHERE Enroll_Status = 0";
    assert!(district.database().execute(sql, ()).unwrap() > 0);
    let ended = profile.command(&STUDENTS).env("ROSTERBRIDGE_CRASH_AT", point.as_str()).output().unwrap();
    assert!(crashed(ended.status), "it did not end");
    profile.run(&STUDENTS).done();
    profile.run(&STUDENTS).done();
    assert_eq!(profile.run(&["status"]).done().data()["other_sender"], json!([]));
    // It is noticed all the same, once a run came to its end.
    auto_send(&district);
    profile.run(&STUDENTS).ended(3, CODE);
}

#[test]
fn with_the_date_in_the_name_a_file_of_an_earlier_month_is_nobody_elses() {
    let mut district = District::start(&["--students", "60", "--schools", "2"]);
    let profile = Profile::of(&district);
    set_students(&profile, &json!({"path": "imports/STUDENT_%d.TXT"}));
    let sync = || profile.run(&STUDENTS);
    sync().done();
    let hour = std::time::Duration::from_hours(1);
    let of_day = |day: u32, modified: SystemTime| {
        let file = district.hero(&format!("imports/STUDENT_{day}.TXT"));
        fs::write(&file, "a month ago\n").unwrap();
        set_modified(&file, modified);
    };
    of_day(19, SystemTime::now() - 24 * 31 * hour);
    of_day(20, SystemTime::now() + hour);
    district.move_to("2026-11-19");
    sync().done();
    // Somebody wrote today's since.
    district.move_to("2026-11-20");
    let paused = sync().ended(3, CODE);
    assert!(paused.stdout.contains("imports/STUDENT_20.TXT at Hero is another file"), "{}", paused.stdout);
}

#[test]
fn after_a_restored_ledger_nothing_older_counts() {
    let district = District::start(&["--students", "60", "--schools", "2"]);
    let profile = Profile::of(&district);
    profile.run(&STUDENTS).done();
    profile.run(&["backup", "now"]).done();
    // What was sent since the backup, the restored ledger does not know.
    let sql = "UPDATE Students SET Last_Name = 'Renamed-for-length' WHERE Enroll_Status = 0";
    assert!(district.database().execute(sql, ()).unwrap() > 0);
    profile.run(&STUDENTS).done();
    flipped(&profile.folder().join("ledger.db"));
    profile.run(&STUDENTS).done();
    auto_send(&district);
    profile.run(&STUDENTS).ended(3, CODE);
}
