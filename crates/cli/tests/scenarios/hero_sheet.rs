//! What a person sets up at both sides for Hero: the sheet, the order of the day, and the files before and after.

use std::fs;

use serde_json::{Value, json};

use crate::support::{District, Profile, files_in};

const JOBS: [(&str, &str); 4] = [
    ("students", "hero-students"),
    ("schedule", "hero-schedule"),
    ("teachers", "hero-teachers"),
    ("attendance", "hero-attendance"),
];

/// A profile for whose account PowerSchool does everything.
fn by_powerschool(district: &District) -> Profile {
    let profile = Profile::of(district);
    for (_, job) in JOBS {
        profile.run(&["hero", "take-back", job]).done();
    }
    profile
}

/// The rows of a screen of the sheet, by their keys.
fn row(sheet: &Value, key: &str) -> Value {
    let mut rows = sheet["screens"].as_array().unwrap().iter().flat_map(|s| s["rows"].as_array().unwrap());
    rows.find(|row| row["key"] == key).unwrap().clone()
}

#[test]
fn the_sheet_has_what_is_to_be_entered_and_keeps_its_ticks() {
    let district = District::start(&["--students", "40", "--schools", "2"]);
    let profile = by_powerschool(&district);
    let shown = profile.run(&["hero", "sheet"]).done();
    let sheet = shown.data();
    let screens = sheet["screens"].as_array().unwrap();
    let keys: Vec<&str> = screens.iter().map(|screen| screen["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["connection", "students", "schedule", "teachers", "attendance", "hero-side"]);
    let setup = profile.setup();
    let username = &setup["connections"][0]["username"];
    assert_eq!(row(sheet, "connection/username")["entry"], json!({"kind": "text", "value": username}));
    assert_eq!(row(sheet, "students/off")["entry"], json!({"kind": "leave_unchecked"}));
    // The practice district's profile has no times of its own.
    assert_eq!(row(sheet, "students/time")["entry"]["kind"], "own");
    assert_eq!(row(sheet, "students/days")["entry"], json!({"kind": "text", "value": "MTWHF"}));
    // What the practice district's key was accepted as stands beside the form.
    let notes = screens[0]["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note.as_str().unwrap().contains("SHA256:")), "{notes:?}");

    let ticked = profile.run(&["hero", "tick", "students/name"]).done();
    assert_eq!(
        (&ticked.data()["ticked"], &row(ticked.data(), "students/name")["ticked"]),
        (&json!(1), &json!(true))
    );
    // Saving something else keeps it.
    profile.run(&["connections", "set", "hero", "--description", "For Hero"]).done();
    let kept = profile.run(&["hero", "sheet"]).done();
    assert_eq!(kept.data()["ticked"], 1, "{}", kept.stdout);
    // Another name is to be entered anew.
    profile.change_setup(|setup| setup["hero"]["accounts"][0]["students"]["name"] = "Another".into());
    let changed = row(profile.run(&["hero", "sheet"]).done().data(), "students/name");
    assert_eq!((&changed["ticked"], &changed["changed"]), (&json!(false), &json!(true)));
    profile.run(&["hero", "tick", "students/name"]).done();
    let off = profile.run(&["hero", "tick", "students/name", "--off"]).done();
    assert_eq!(off.data()["ticked"], 0);

    profile.run(&["hero", "tick", "students/colour"]).ended(1, "hero.no_such_row");
    profile.run(&["hero", "sheet", "--account", "9"]).ended(1, "hero.no_account");
    profile.run(&["hero", "sheet", "--screen", "colours"]).ended(2, "usage");
    let one = profile.run(&["hero", "sheet", "--screen", "attendance"]).done();
    assert_eq!(one.data()["screens"].as_array().unwrap().len(), 1);
}

#[test]
fn the_order_of_the_day_warns_of_what_does_not_fit() {
    let district = District::start(&["--students", "40", "--schools", "2"]);
    let profile = by_powerschool(&district);
    let kinds = |profile: &Profile| -> Vec<String> {
        let told = profile.run(&["hero", "timeline"]).done();
        let warnings = told.data()["warnings"].as_array().unwrap().clone();
        warnings.iter().map(|warning| warning["kind"].as_str().unwrap().to_owned()).collect()
    };
    let untimed = ["no_time"; 4].into_iter().chain(["hero_time_unknown"; 2]);
    assert_eq!(kinds(&profile), untimed.collect::<Vec<_>>());
    profile.run(&["test", "powerschool"]).done();
    let told = profile.run(&["hero", "timeline"]).done();
    assert_eq!(told.data()["zone_known"], true, "{}", told.stdout);
    let zone = told.data()["zone"].clone();
    let set = |times: [&str; 4]| {
        profile.change_setup(|setup| {
            let account = &mut setup["hero"]["accounts"][0];
            account["hero_side"] = json!({"imports_at": "05:00", "exports_at": "15:00", "zone": zone});
            for ((_, job), time) in JOBS.into_iter().zip(times) {
                let jobs = setup["jobs"].as_array_mut().unwrap();
                let settings = jobs.iter_mut().find(|settings| settings["job"] == job).unwrap();
                settings["schedule"] =
                    json!({"when": {"kind": "at", "days": "MTWHF", "time": time}, "zone": zone});
            }
        });
    };
    set(["03:10", "03:20", "03:30", "15:30"]);
    assert_eq!(kinds(&profile), [] as [&str; 0]);
    set(["03:10", "03:10", "03:10", "15:30"]);
    assert_eq!(kinds(&profile), ["too_close"]);
    set(["03:00", "03:20", "05:30", "14:30"]);
    assert_eq!(kinds(&profile), ["export_after_hero", "import_before_hero", "on_the_hour"]);
}

#[test]
fn an_export_is_shown_before_it_is_sent_and_what_is_wrong_with_it_after() {
    let district = District::start(&["--students", "40", "--schools", "2"]);
    let profile = Profile::of(&district);
    let number: i64 = district
        .database()
        .query_one("SELECT MIN(Student_Number) FROM Students WHERE Enroll_Status = 0", [], |row| row.get(0))
        .unwrap();
    let street = "Long Street ".repeat(6);
    district.change(&json!([{"change": {"table": "Students", "where": {"Student_Number": number},
                                        "set": {"Mailing_Street": street}}}]));
    profile.run(&["hero", "problems", "hero-students"]).done();
    let run = profile.run(&["sync", "hero-students"]).done();
    let rows = run.job("hero-students")["rows"]["read"].clone();
    let preview = profile.run(&["hero", "preview", "hero-students"]).done();
    assert_eq!(preview.data()["path"], "imports/STUDENT.TXT");
    assert_eq!(preview.data()["rows"]["total"], rows, "{}", preview.stdout);
    assert_eq!(preview.data()["rows"]["first"][0][0], number.to_string());
    assert_eq!(preview.data()["columns"].as_array().unwrap().len(), 12);
    let sent = fs::metadata(district.hero("imports").join("STUDENT.TXT")).unwrap().len();
    assert_eq!(preview.data()["rows"]["bytes"], sent);

    let told = profile.run(&["hero", "problems", "hero-students"]).done();
    let street: Vec<&Value> = told.data()["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["field"] == "Mailing_Street")
        .collect();
    assert_eq!(
        (street.len(), &street[0]["number"], &street[0]["row"]),
        (1, &json!(number.to_string()), &json!(1))
    );
    assert_eq!(street[0]["kind"], "too_long");
    let csv = profile.home().join("problems.csv");
    let written = profile.run(&["hero", "problems", "hero-students", "--csv", csv.to_str().unwrap()]).done();
    let text = fs::read_to_string(&csv).unwrap();
    assert!(text.starts_with("row,number,field,kind,message,length,limit,first_row\n"), "{text}");
    let street = text.lines().find(|line| line.contains("Mailing_Street")).unwrap();
    assert!(street.contains("too_long,") && street.ends_with(",50,"), "{street}");
    assert_eq!(text.lines().count() as u64, written.data()["total"].as_u64().unwrap() + 1);
    let again = ["hero", "problems", "hero-students", "--csv", csv.to_str().unwrap()];
    profile.run(&again).ended(1, "file.exists");
    profile.run(&[again.as_slice(), &["--force"]].concat()).done();
    for command in ["problems", "preview"] {
        profile.run(&["hero", command, "hero-attendance"]).ended(2, "usage");
        profile.run(&["hero", command, "hero-students-7"]).ended(1, "hero.no_account");
    }
}

#[test]
fn the_servers_files_are_told_apart() {
    let district = District::start(&["--students", "40", "--schools", "2"]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "hero-students", "hero-schedule", "hero-teachers"]).done();
    let imports = district.hero("imports");
    fs::copy(imports.join("SCHEDULE.TXT"), imports.parent().unwrap().join("SCHEDULE.TXT")).unwrap();
    fs::write(imports.join("NOTES.TXT"), "x").unwrap();
    let listed = profile.run(&["hero", "files"]).done();
    let of = |folder: &str| -> Vec<(String, String)> {
        let folders = listed.data()["folders"].as_array().unwrap();
        let folder = folders.iter().find(|found| found["folder"] == folder).unwrap();
        let text = |file: &Value, field: &str| file[field].as_str().unwrap().to_owned();
        folder["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| (text(file, "name"), text(file, "is")))
            .collect()
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, is)| ((*name).to_owned(), (*is).to_owned())).collect()
    };
    let expected = pairs(&[
        ("NOTES.TXT", "other"),
        ("SCHEDULE.TXT", "export"),
        ("STUDENT.TXT", "export"),
        ("TEACHER.txt", "export"),
    ]);
    assert_eq!(of("imports"), expected);
    assert_eq!(of(""), pairs(&[("SCHEDULE.TXT", "wrong_folder")]));
    assert!(of("export").contains(&("ATTENDANCE.txt".to_owned(), "import".to_owned())), "{}", listed.stdout);
    assert_eq!(of("export").len(), files_in(&district.hero("export")).len());

    profile.change_setup(|setup| setup["connections"][0]["allow_download"] = false.into());
    profile.run(&["hero", "files"]).ended(1, "setup.switched_off");
}

#[test]
fn the_staffs_file_is_written_for_its_owner_alone() {
    let district = District::start(&["--students", "40", "--schools", "2"]);
    let profile = Profile::of(&district);
    let file = profile.home().join("FACULTY.CSV");
    let write = ["hero", "faculty", file.to_str().unwrap(), "--role", "Staff", "--type", "Teacher, full"];
    let written = profile.run(&write).done();
    let text = fs::read_to_string(&file).unwrap();
    let mut lines = text.split_terminator("\r\n");
    assert_eq!(lines.next(), Some("School ID,First Name,Last Name,Email Address,Role,Type,Instructor Code"));
    let rows: Vec<&str> = lines.collect();
    assert_eq!(rows.len() as u64, written.data()["rows"].as_u64().unwrap());
    assert!(!rows.is_empty() && rows.iter().all(|row| row.contains(",Staff,\"Teacher, full\",")), "{text}");
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    profile.run(&write).ended(1, "file.exists");
    let mut again = write.to_vec();
    again.push("--force");
    profile.run(&again).done();
}

/// Hero can't tell the schools of a school-level account's students apart: it is said wherever they are about to be sent.
#[test]
fn one_schools_account_that_takes_several_schools_is_told_so() {
    let district = District::start(&["--students", "40", "--schools", "2"]);
    let profile = Profile::of(&district);
    let told = || {
        let run = profile.run(&["sync", "hero-students", "--dry-run"]).done();
        let hand_over = ["hero", "hand-over", "hero-students", "--record", "Students", "--yes"];
        let handed = profile.run(&hand_over).done();
        let preview = profile.run(&["hero", "preview", "hero-students"]).done();
        let sheet = profile.run(&["hero", "sheet"]).done();
        let sheet = sheet.data()["screens"].as_array().unwrap().clone();
        let students = sheet.iter().find(|screen| screen["key"] == "students").unwrap();
        [
            &run.job("hero-students")["notes"],
            &handed.data()["warnings"],
            &preview.data()["notes"],
            &students["notes"],
        ]
        .map(|notes| {
            notes.to_string().contains("is a school-level account, and its student file takes in 2 schools")
        })
    };
    assert_eq!(told(), [true; 4]);
    profile.change_setup(|setup| setup["hero"]["accounts"][0]["level"] = json!("group"));
    assert_eq!(told(), [false; 4]);
    let one = district.database().query_one("SELECT MIN(SchoolID) FROM Students", [], |row| row.get(0));
    let one: i64 = one.unwrap();
    profile.change_setup(|setup| {
        setup["hero"]["accounts"][0]["level"] = json!("school");
        setup["hero"]["accounts"][0]["schools"] = json!([one]);
    });
    assert_eq!(told(), [false; 4]);
}

#[test]
fn what_powerschools_form_has_besides_is_kept_and_shown() {
    let district = District::start(&["--students", "40", "--schools", "2"]);
    let profile = by_powerschool(&district);
    profile.change_setup(|setup| {
        let account = &mut setup["hero"]["accounts"][0];
        account["students"]["in_powerschool"] = json!({"sort_order": "Last_Name"});
        account["attendance"]["in_powerschool"] = json!({"synchronize": true});
    });
    let setup = profile.setup();
    let account = &setup["hero"]["accounts"][0];
    assert_eq!(
        account["students"]["in_powerschool"],
        json!({
            "sort_order": "Last_Name",
            "upload_type": false,
            "attendance": "Send any Attendance modified in last 24 Hours",
            "duplicate": {"all_schools": false, "district_office": false}
        })
    );
    assert_eq!(account["attendance"]["in_powerschool"]["synchronize"], true);
    let sheet = profile.run(&["hero", "sheet"]).done();
    assert_eq!(
        row(sheet.data(), "students/sort-order")["entry"],
        json!({"kind": "text", "value": "Last_Name"})
    );
    let synchronize = row(sheet.data(), "attendance/synchronize");
    assert_eq!(synchronize["entry"]["kind"], "leave_unchecked");
    assert!(synchronize["note"].as_str().unwrap().contains("checked in PowerSchool"), "{synchronize}");
}
