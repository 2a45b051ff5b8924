//! The course of the school year: summer, the first day of a new year, and a new semester.

use std::fs;

use serde_json::{Value, json};

use crate::support::{District, Output, Profile};

/// Rows of a job in a `sync` document.
#[track_caller]
fn rows(run: &Output, job: &str) -> u64 {
    run.job(job)["rows"]["written"].as_u64().unwrap()
}

/// How many rows a query of the district's own tables gives.
fn count(district: &District, sql: &str) -> u64 {
    let count: u32 = district.database().query_row(sql, (), |row| row.get(0)).unwrap();
    count.into()
}

fn school_year(profile: &Profile) -> Value {
    profile.run(&["status"]).done().data()["school_year"].clone()
}

/// The subjects of the mails the practice district's server got.
fn subjects(district: &District) -> Vec<String> {
    let Ok(mails) = fs::read_dir(district.data().join("mail")) else { return Vec::new() };
    let texts = mails.map(|mail| fs::read_to_string(mail.unwrap().path()).unwrap());
    texts
        .filter_map(|text| Some(text.lines().find(|line| line.starts_with("Subject:"))?.to_owned()))
        .collect()
}

fn told(district: &District, what: &str) -> usize {
    subjects(district).iter().filter(|subject| subject.contains(what)).count()
}

#[test]
fn in_july_a_run_by_hand_sends_the_year_to_come() {
    let district = District::start_on("2026-07-15", &["--students", "300"]);
    let profile = Profile::of(&district);
    let run = profile.run(&["sync"]).done();
    assert_eq!(run.data()["outcome"], "succeeded");
    let summary = district.ready.district;
    assert_eq!(rows(&run, "hero-students"), u64::from(summary.students));
    assert_eq!(rows(&run, "hero-schedule"), u64::from(summary.enrollments));
    assert_eq!(rows(&run, "raptor-roster"), u64::from(summary.students));
    assert_eq!((rows(&run, "hero-attendance"), rows(&run, "raptor-tardies")), (0, 0));
    assert!(district.audit().is_empty());

    let year = school_year(&profile);
    assert_eq!(year["summer_pause"], json!({"until": "2026-08-17"}));
    let schools = year["schools"].as_array().unwrap();
    assert_eq!(schools.len(), 5);
    for school in schools {
        assert_eq!((&school["season"], &school["year"]), (&json!("summer"), &json!(36)), "{school}");
    }
    // Nothing has changed yet, and every code is there for the new year.
    assert_eq!((&year["changes"], &year["tardy_code_faults"]), (&json!([]), &json!([])));
}

#[test]
fn pre_registered_students_go_too_if_chosen_and_the_guard_compares_like_with_like() {
    let district = District::start_on("2026-07-15", &["--students", "300"]);
    let pre_registered = district
        .database()
        .execute("UPDATE Students SET Enroll_Status = -1 WHERE Enroll_Status = 0 AND ID % 3 = 0", ());
    assert!(pre_registered.unwrap() > 90);
    let active = count(&district, "SELECT COUNT(*) FROM Students WHERE Enroll_Status = 0");
    let all = count(&district, "SELECT COUNT(*) FROM Students WHERE Enroll_Status IN (0, -1)");
    let profile = Profile::of(&district);
    let jobs = ["sync", "hero-students", "raptor-roster"];
    let choose = |summer: &str| profile.change_setup(|setup| setup["summer"] = json!(summer));

    // Raptor is told once of those who are not sent any more: they are inactive.
    let choices = [("pause", active, active), ("send_pre_registered", all, all), ("pause", active, all)];
    for (summer, expected, of_raptor) in choices {
        choose(summer);
        let dry = profile.run(&[jobs.as_slice(), &["--dry-run"]].concat()).done();
        let run = profile.run(&jobs).done();
        for run in [&dry, &run] {
            assert_eq!(rows(run, "hero-students"), expected, "{summer}");
            assert_eq!(rows(run, "raptor-roster"), of_raptor, "{summer}");
        }
        assert_eq!(school_year(&profile)["summer_pause"].is_null(), summer != "pause");
    }
    // Losing the active ones is no matter of the choice.
    choose("send_pre_registered");
    district.database().execute("UPDATE Students SET Enroll_Status = 2 WHERE Enroll_Status = 0", ()).unwrap();
    profile.run(&jobs).ended(3, "guard.large_change");
}

/// Students who were pre-registered and are active now are as they were to Raptor: no file says anything of them.
#[test]
fn who_became_active_without_a_row_counts_as_active_from_then_on() {
    let district = District::start_on("2026-07-15", &["--students", "300", "--schools", "1"]);
    let profile = Profile::of(&district);
    profile.change_setup(|setup| {
        setup["summer"] = json!("send_pre_registered");
        setup["raptor"]["roster"]["content"] = json!("changes");
    });
    let become_of_a_third = |before: i64, now: i64| {
        let sql = "UPDATE Students SET Enroll_Status = ?2 WHERE Enroll_Status = ?1 AND ID % 3 = 0";
        assert!(district.database().execute(sql, [before, now]).unwrap() > 90);
    };
    become_of_a_third(0, -1);
    let sync = ["sync", "raptor-roster"];
    profile.run(&sync).done();
    become_of_a_third(-1, 0);
    assert_eq!(profile.run(&sync).done().job("raptor-roster")["files"], json!([]));
    // That so many fewer are sent is no longer what ending the choice would come to.
    become_of_a_third(0, 2);
    profile.run(&sync).ended(3, "guard.large_change");
}

#[test]
fn a_new_year_is_told_once_checks_the_tardy_codes_and_is_what_a_stopped_file_is_expected_for() {
    let mut district = District::start_on("2026-06-03", &["--students", "300"]);
    let profile = Profile::of(&district);
    profile.run(&["sync"]).done();
    assert!(school_year(&profile)["changes"].as_array().unwrap().is_empty());

    district.move_to("2026-08-17");
    let database = district.database();
    database.execute("DELETE FROM CC WHERE ID % 2 = 0", ()).unwrap();
    let school: i64 = database
        .query_row("SELECT MIN(School_Number) FROM Schools WHERE School_Number <> 999999", (), |row| {
            row.get(0)
        })
        .unwrap();
    database
        .execute(
            "DELETE FROM Attendance_Code WHERE Att_Code = 'T' AND YearID = 36 AND SchoolID = ?1",
            [school],
        )
        .unwrap();

    // A dry run sees it and keeps nothing of it.
    let exports = ["sync", "hero-students", "hero-schedule", "hero-teachers"];
    let dry = profile.run(&[exports.as_slice(), &["--dry-run"]].concat());
    let message = |run: &Output| run.job("hero-schedule")["cause"]["message"].as_str().unwrap().to_owned();
    assert!(
        message(&dry).contains("expected: new year, 2025-2026 before and 2026-2027 now"),
        "{}",
        message(&dry)
    );
    assert!(school_year(&profile)["changes"].as_array().unwrap().is_empty());

    let run = profile.run(&exports);
    assert_eq!(message(&run), message(&dry));
    assert_eq!(run.job("hero-students")["outcome"], "succeeded");
    let stopped = profile.run(&["guard", "list"]).done();
    let [file] = &stopped.data()["stopped"].as_array().unwrap()[..] else { panic!("{}", stopped.stdout) };
    assert_eq!(
        (&file["expected"]["kind"], &file["expected"]["from"], &file["expected"]["to"]),
        (&json!("new_year"), &json!(35), &json!(36))
    );
    let year = school_year(&profile);
    let changes = year["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 5);
    assert!(changes.iter().all(|change| change["kind"] == "new_year" && change["to"] == 36), "{year}");
    assert!(year["summer_pause"].is_null());
    let faults = year["tardy_code_faults"].as_array().unwrap();
    assert!(!faults.is_empty());
    for fault in faults {
        assert_eq!(
            (&fault["school"], &fault["year"], &fault["code"]),
            (&json!(school), &json!(36), &json!("T"))
        );
    }
    assert_eq!(told(&district, "A new school year"), 1);

    let id = file["id"].as_str().unwrap();
    profile.run(&["guard", "accept", id]).done();
    let run = profile.run(&exports).done();
    assert_eq!(
        rows(&run, "hero-schedule"),
        count(&district, "SELECT COUNT(*) FROM CC WHERE SectionID > 0 AND TermID BETWEEN 3600 AND 3699")
    );
    assert_eq!(told(&district, "A new school year"), 1);
    // Once a file of the new year is out, the year explains no further loss.
    district.database().execute("DELETE FROM CC WHERE ID % 3 = 0", ()).unwrap();
    let run = profile.run(&exports);
    assert!(
        message(&run).contains("would shrink") && !message(&run).contains("expected"),
        "{}",
        message(&run)
    );
}

#[test]
fn a_new_semester_is_told_and_stops_nothing() {
    let mut district = District::start_on("2027-01-08", &["--students", "200"]);
    let profile = Profile::of(&district);
    profile.run(&["sync"]).done();
    district.move_to("2027-01-11");
    for _ in 0..2 {
        let run = profile.run(&["sync"]);
        assert_eq!(run.data()["outcome"], "succeeded", "{}", run.stdout);
    }
    let year = school_year(&profile);
    let changes = year["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 5);
    for change in changes {
        let of = |name: &str| change[name].clone();
        assert_eq!(
            (of("kind"), of("year"), of("from"), of("to")),
            ("new_term".into(), 36.into(), 3601.into(), 3602.into())
        );
    }
    assert_eq!(year["tardy_code_faults"], json!([]));
    assert_eq!(told(&district, "A new term"), 1);
}
