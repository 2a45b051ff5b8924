//! Everything of an account at Hero that the window can set, by command: made, changed, shown and removed.

use std::fs;

use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    crash_care::ledger,
    support::{District, Profile, rosterbridge},
};

/// Carries out `hero accounts` with these arguments.
#[track_caller]
fn accounts(profile: &Profile, arguments: &[&str]) -> crate::support::Output {
    profile.run(&[&["hero", "accounts"], arguments].concat())
}

/// What a person sees without `--json`.
fn shown(profile: &Profile, arguments: &[&str]) -> String {
    let home = profile.home().to_str().unwrap();
    let output =
        rosterbridge().args(["--home", home, "--profile", "practice"]).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_second_account_is_made_used_and_removed_by_command() {
    let district = District::start(&["--students", "90", "--schools", "3"]);
    let schools = district.ready.hero_accounts[0].schools.clone();
    let south = district.add_hero_account("South", "group", &schools[1..]);
    let profile = Profile::of(&district);
    let port = district.ready.hero.port.to_string();
    let connection = ["connections", "set", "connection-3", "--name", "South's connection"];
    let server = ["--host", &district.ready.hero.host, "--port", &port, "--username", &south.username];
    profile.run(&[connection.as_slice(), &server].concat()).done();
    profile.set_secret("connection-3.password", &south.password);

    // Nothing is switched on for an account that there is not.
    profile.run(&["jobs", "set", "hero-students-2", "--on"]).ended(1, "hero.no_account");

    // While the first account is for every school there can't be another such, nor the same file twice.
    let add = ["add", "--name", "South", "--connection", "connection-3"];
    accounts(&profile, &add).ended(1, "hero.settings_invalid");
    let first = schools[0].to_string();
    accounts(&profile, &["set", "1", "--school", &first]).done();
    let same = ["add", "--name", "South", "--connection", "hero", "--school", "9"];
    accounts(&profile, &same).ended(1, "hero.settings_invalid");
    let others: Vec<String> = schools[1..].iter().map(ToString::to_string).collect();
    let of_south = ["--level", "group", "--school", &others[0], "--school", &others[1]];
    let times = ["--hero-imports-at", "04:00", "--hero-exports-at", "15:30", "--hero-zone", "America/Denver"];
    let added = accounts(&profile, &[add.as_slice(), &of_south, &times].concat()).done();
    let account = added.data();
    assert_eq!(
        (&account["id"], &account["level"], &account["name"]),
        (&json!(2), &json!("group"), &json!("South"))
    );
    assert_eq!(account["schools"], json!(schools[1..]));
    assert_eq!(
        account["hero_side"],
        json!({"imports_at": "04:00", "exports_at": "15:30", "zone": "America/Denver"})
    );
    let jobs = account["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 4);
    assert!(jobs.iter().all(|job| job["enabled"] == false && job["schedule"].is_object()), "{jobs:?}");

    let export =
        ["set-export", "hero-students-2", "--path", "imports/SOUTH.TXT", "--field-delimiter", "comma"];
    let saved = accounts(&profile, &export).done();
    assert_eq!(saved.data()["job"], "hero-students-2");
    let notes = saved.data()["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note.as_str().unwrap().contains("SchoolID")), "{notes:?}");
    profile.run(&["jobs", "set", "hero-students-2", "--on", "--at", "03:07"]).done();
    profile.run(&["sync", "hero-students-2"]).done();
    let text = fs::read_to_string(south.folder.join("imports/SOUTH.TXT")).unwrap();
    assert!(text.lines().count() > 10);
    assert!(
        text.lines().all(|row| others.iter().any(|school| row.starts_with(&format!("{school},")))),
        "{text}"
    );

    // Its name and its times are seen.
    let list = shown(&profile, &["hero", "accounts", "list"]);
    for told in ["Account 1 (", "Account 2 (South): group-level", "imports/SOUTH.TXT", "MTWHF at 03:07"] {
        assert!(list.contains(told), "{told} is not in:\n{list}");
    }
    let text = shown(&profile, &["hero", "accounts", "show", "2"]);
    for told in ["04:00 America/Denver", "hero-attendance-2", "comma, CRLF, UTF-8", "connection-3"] {
        assert!(text.contains(told), "{told} is not in:\n{text}");
    }

    // Removing it asks, and says what becomes of its schools.
    accounts(&profile, &["set", "1", "--school", &first]).done();
    accounts(&profile, &["set", "2", "--every-school"]).done();
    let asked = accounts(&profile, &["remove", "2"]).ended(2, "usage");
    let message = asked.document["message"].as_str().unwrap();
    assert!(message.contains("no account takes every other school"), "{message}");
    let again: Vec<&str> = others.iter().flat_map(|school| ["--school", school.as_str()]).collect();
    accounts(&profile, &[&["set", "2"], again.as_slice()].concat()).done();
    accounts(&profile, &["set", "1", "--every-school"]).done();
    let asked = accounts(&profile, &["remove", "2"]).ended(2, "usage");
    let message = asked.document["message"].as_str().unwrap();
    assert!(message.contains("--yes") && message.contains(&others.join(", ")), "{message}");
    assert!(message.contains("Account 1"), "{message}");
    accounts(&profile, &["show", "2"]).done();
    ledger(&profile)
        .execute_batch(
            "INSERT INTO export_problems (job, position, row, number, field, kind)
                 VALUES ('hero-students-2', 900, 7, '5000', 'Last_Name', 'break');
             INSERT INTO watched_files VALUES
                 ('connection-3', 'imports/SOUTH.TXT', 4, NULL, 1, 2, NULL),
                 ('hero', 'imports/STUDENT.TXT', 4, NULL, 1, 2, NULL);",
        )
        .unwrap();
    accounts(&profile, &["remove", "2", "--yes"]).done();
    // Nothing is left of its students, and of its files at Hero; another account's stay.
    let left = "SELECT (SELECT count(*) FROM export_problems WHERE job = 'hero-students-2'),
                       (SELECT group_concat(connection) FROM watched_files)";
    let left: (i64, String) =
        ledger(&profile).query_one(left, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(left, (0, "hero".to_owned()));
    accounts(&profile, &["show", "2"]).ended(1, "hero.no_account");
    accounts(&profile, &["remove", "2", "--yes"]).ended(1, "hero.no_account");
    profile.run(&["sync", "hero-students-2"]).ended(1, "hero.no_account");
    assert!(!profile.setup()["jobs"].to_string().contains("hero-students-2"));
    profile.run(&["secrets", "check", "connection-3.password"]).done();
    // Its number is not given again.
    let list = accounts(&profile, &["list"]).done();
    assert_eq!((list.data()["accounts"].as_array().unwrap().len(), &list.data()["next"]), (1, &json!(3)));
    let removed = accounts(&profile, &["remove", "1", "--yes"]).ended(1, "hero.first_account");
    assert!(removed.document["remedy"].as_str().unwrap().contains("jobs set"), "{}", removed.stdout);
}

/// Every option, with where it stands in the set-up and what is there afterwards.
#[test]
fn every_field_of_the_forms_has_its_option() {
    let profile = Profile::fresh();
    let folder = profile.home().join("out");
    fs::create_dir_all(&folder).unwrap();
    let folder = folder.to_str().unwrap();
    let usual = profile.setup()["hero"]["accounts"][0].clone();
    let schedule: [(&[&str], &str, Value); 21] = [
        (&["--name", "Nightly"], "/name", json!("Nightly")),
        (&["--path", "imports/S_%Y%m%d.TXT"], "/path", json!("imports/S_%Y%m%d.TXT")),
        (&["--folder", folder], "/destination", json!({"kind": "folder", "folder": folder})),
        (&["--over-connection"], "/destination", json!({"kind": "connection"})),
        (&["--field-delimiter", "comma"], "/field_delimiter", json!("comma")),
        (&["--record-delimiter", "cr"], "/record_delimiter", json!("cr")),
        (&["--character-set", "windows-ansi"], "/character_set", json!("windows_ansi")),
        (&["--header", "true"], "/header", json!(true)),
        (&["--fields", "Schoolid, Period"], "/fields", json!(["Schoolid", "Period"])),
        (&["--usual-fields"], "/fields", usual["schedule"]["fields"].clone()),
        (&["--school", "100", "--school", "200"], "/schools", json!([100, 200])),
        (&["--every-school"], "/schools", json!([])),
        (&["--only-current-terms", "true"], "/only_current_terms", json!(true)),
        (&["--long-values", "shorten"], "/long_values", json!("shorten")),
        (&["--skip-unchanged", "false"], "/skip_unchanged", json!(false)),
        (
            &["--email", "a@example.org", "--email", "b@example.org"],
            "/email",
            json!(["a@example.org", "b@example.org"]),
        ),
        (&["--no-email"], "/email", json!([])),
        (&["--attendance-setting", "None"], "/in_powerschool/attendance", json!("None")),
        (&["--upload-type", "true"], "/in_powerschool/upload_type", json!(true)),
        (&["--sort-order", "Last_Name"], "/in_powerschool/sort_order", json!("Last_Name")),
        (&["--duplicate-all-schools", "true"], "/in_powerschool/duplicate/all_schools", json!(true)),
    ];
    let attendance: [(&[&str], &str, Value); 12] = [
        (&["--name", "Back"], "/name", json!("Back")),
        (&["--path", "export/ATT.txt"], "/path", json!("export/ATT.txt")),
        (&["--field-delimiter", "comma"], "/field_delimiter", json!("comma")),
        (&["--record-delimiter", "crlf"], "/record_delimiter", json!("crlf")),
        (&["--character-set", "mac-roman"], "/character_set", json!("mac_roman")),
        (&["--header", "true"], "/header", json!(true)),
        (&["--update-existing", "false"], "/update_existing", json!(false)),
        (&["--email", "a@example.org"], "/email", json!(["a@example.org"])),
        (&["--synchronize", "true"], "/in_powerschool/synchronize", json!(true)),
        (&["--mark-students", "true"], "/in_powerschool/mark_students", json!(true)),
        (&["--sort-order", "SchoolID"], "/in_powerschool/sort_order", json!("SchoolID")),
        (&["--duplicate-district-office", "true"], "/in_powerschool/duplicate/district_office", json!(true)),
    ];
    for (command, job, part, options) in [
        ("set-export", "hero-schedule", "schedule", schedule.as_slice()),
        ("set-import", "hero-attendance", "attendance", attendance.as_slice()),
    ] {
        let mut expected = usual[part].clone();
        for (option, pointer, value) in options {
            let answer = accounts(&profile, &[&[command, job], *option].concat()).done();
            assert_eq!(answer.data().pointer(pointer), Some(value), "{option:?}: {}", answer.stdout);
            *expected.pointer_mut(pointer).unwrap() = value.clone();
            assert_eq!(
                profile.setup()["hero"]["accounts"][0][part],
                expected,
                "{option:?} changes that alone"
            );
        }
        // Nothing named changes nothing.
        accounts(&profile, &[command, job]).done();
        assert_eq!(profile.setup()["hero"]["accounts"][0][part], expected);
    }
    let order = "Student_Number, SchoolID, Course_Number, Section_Number, Att_Date, Period Abbreviation, Attendance Code";
    let ordered = accounts(&profile, &["set-import", "hero-attendance", "--fields", order]).done();
    assert_eq!(ordered.data()["fields"], json!(order.split(", ").collect::<Vec<_>>()));
    let notes = ordered.data()["notes"].to_string();
    let text = shown(&profile, &["hero", "accounts", "show", "1"]);
    for harmful in ["Take the tick off 'Synchronize Mode'", "Take the tick off 'Mark students…'"] {
        assert!(notes.contains(harmful) && text.contains(harmful), "{harmful} is not in {notes} or:\n{text}");
    }
    for told in ["Synchronize Mode is ticked", "Mark students is ticked", "Mac Roman", "a@example.org", order]
    {
        assert!(text.contains(told), "{told} is not in:\n{text}");
    }
    accounts(&profile, &["set-import", "hero-attendance", "--usual-fields"]).done();
    let first = profile.setup()["hero"]["accounts"][0].clone();
    assert_eq!(first["attendance"]["fields"], usual["attendance"]["fields"]);

    let account: [(&[&str], &str, Value); 6] = [
        (&["--name", " North "], "/name", json!("North")),
        (&["--level", "group"], "/level", json!("group")),
        (&["--school", "300"], "/schools", json!([300])),
        (&["--hero-imports-at", "04:10"], "/hero_side/imports_at", json!("04:10")),
        (&["--hero-imports-at", "unknown"], "/hero_side/imports_at", Value::Null),
        (&["--hero-zone", "America/Phoenix"], "/hero_side/zone", json!("America/Phoenix")),
    ];
    for (option, pointer, value) in account {
        let answer = accounts(&profile, &[&["set", "1"], option].concat()).done();
        assert_eq!(answer.data().pointer(pointer), Some(&value), "{option:?}: {}", answer.stdout);
    }
    assert_eq!(profile.setup()["hero"]["accounts"][0]["attendance"], first["attendance"]);
}

#[rstest]
#[case::an_import_is_no_export(&["set-export", "hero-attendance", "--name", "x"], 2, "usage")]
#[case::an_export_is_no_import(&["set-import", "hero-students", "--name", "x"], 2, "usage")]
#[case::terms_of_students(&["set-export", "hero-students", "--only-current-terms", "true"], 2, "usage")]
#[case::raptors(&["set-export", "raptor-roster"], 2, "usage")]
#[case::no_line(&["set-export", "hero-students", "--attendance-setting", ""], 2, "usage")]
#[case::account(&["set", "7", "--name", "x"], 1, "hero.no_account")]
#[case::export_of_no_account(&["set-export", "hero-students-7", "--name", "x"], 1, "hero.no_account")]
#[case::import_of_no_account(&["set-import", "hero-attendance-7", "--name", "x"], 1, "hero.no_account")]
#[case::connection(&["set", "1", "--connection", "connection-9"], 1, "hero.settings_invalid")]
#[case::field(&["set-export", "hero-students", "--fields", "Lunch_Balance_7"], 1, "hero.settings_invalid")]
#[case::field_left_out(&["set-import", "hero-attendance", "--fields", "SchoolID"], 1, "hero.settings_invalid")]
#[case::path(&["set-export", "hero-students", "--path", "imports/MY FILE.TXT"], 1, "hero.settings_invalid")]
#[case::address(&["set-export", "hero-students", "--email", "nobody"], 1, "mail.bad_address")]
fn what_can_not_be_is_refused_and_changes_nothing(
    #[case] command: &[&str],
    #[case] exit: i32,
    #[case] code: &str,
) {
    let profile = Profile::fresh();
    let before = profile.setup();
    let refused = accounts(&profile, command).ended(exit, code);
    assert_eq!(profile.setup(), before, "{}", refused.stdout);
}

/// PowerSchool has no folders of this computer; what it carries out is only told of.
#[test]
fn what_powerschool_sends_goes_over_the_connection() {
    let profile = Profile::fresh();
    profile.run(&["hero", "take-back", "hero-students"]).done();
    let folder = ["set-export", "hero-students", "--folder", profile.home().to_str().unwrap()];
    accounts(&profile, &folder).ended(2, "usage");
    accounts(&profile, &["set-export", "hero-students", "--path", "STUDENT.TXT"]).done();
    let text = shown(&profile, &["hero", "accounts", "show", "1"]);
    assert!(text.contains("by PowerSchool"), "{text}");
    assert_eq!(profile.setup()["hero"]["accounts"][0]["students"]["owner"], "power_school");
}

/// What is told of the schools in the roster is not worth losing what was saved.
#[test]
fn what_is_saved_is_saved_while_the_roster_can_not_be_read() {
    let district = District::start(&["--students", "60", "--schools", "2"]);
    let profile = Profile::of(&district);
    let roster = profile.folder().join("roster.db");
    fs::remove_file(&roster).unwrap();
    fs::create_dir(&roster).unwrap();
    let saved = accounts(&profile, &["set-export", "hero-students", "--path", "imports/NEW.TXT"]).done();
    assert!(saved.data()["notes"].to_string().contains("can't be told now"), "{}", saved.stdout);
    assert_eq!(profile.setup()["hero"]["accounts"][0]["students"]["path"], "imports/NEW.TXT");
    accounts(&profile, &["set", "1", "--name", "North"]).done();
    assert_eq!(profile.setup()["hero"]["accounts"][0]["name"], "North");
}
