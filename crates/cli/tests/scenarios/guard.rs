//! Plans that would change too much: by school, by the settings, and attendance that is many times the usual.

use std::fs;

use serde_json::json;

use crate::support::{District, Profile};

/// The schools of students' classes, largest number first.
fn schools(district: &District) -> Vec<i64> {
    let database = district.database();
    let mut find = database.prepare("SELECT DISTINCT SchoolID FROM CC ORDER BY 1 DESC").unwrap();
    find.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// As many rows as before, and one school has none any more.
#[test]
fn a_school_that_is_lost_stops_a_file_that_keeps_its_size() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let sync = || profile.run(&["sync", "hero-schedule"]);
    sync().done();
    let [lost, other, ..] = schools(&district)[..] else { panic!("too few schools") };
    let students: Vec<i64> = {
        let database = district.database();
        let mut find = database
            .prepare(
                "SELECT DISTINCT Student_Number FROM Students s JOIN CC c ON c.StudentID = s.ID
                  WHERE c.SchoolID = ?1 AND c.SectionID > 0 ORDER BY 1 LIMIT 10",
            )
            .unwrap();
        find.query_map([lost], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    // Terms of both schools are of one year, so every row stays in the file.
    district.database().execute("UPDATE CC SET SchoolID = ?1 WHERE SchoolID = ?2", (other, lost)).unwrap();

    let stopped = sync().ended(3, "guard.large_change");
    assert!(stopped.document["message"].as_str().unwrap().contains(&lost.to_string()), "{}", stopped.stdout);
    let listed = profile.run(&["guard", "list"]).done().data()["stopped"][0].clone();
    assert_eq!(listed["before"], listed["now"]);
    assert_eq!(listed["reason"], "rows_lost");
    let school = &listed["schools"][0];
    assert_eq!((&school["school"], &school["now"]), (&json!(lost), &json!(0)));
    assert!(school["before"].as_u64().unwrap() > 20);
    assert_eq!(listed["sample"], json!(students));

    profile.run(&["guard", "accept", listed["id"].as_str().unwrap()]).done();
    sync().done();
    // What went out is what the next one is compared with.
    sync().done();
    assert_eq!(profile.run(&["guard", "list"]).done().data()["stopped"], json!([]));
}

#[test]
fn how_much_may_be_lost_is_a_setting() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "hero-students"]).done();
    let gone = district
        .database()
        .execute(
            "UPDATE Students SET Enroll_Status = 2 WHERE Enroll_Status = 0 AND Student_Number % 3 = 0",
            (),
        )
        .unwrap();
    assert!(gone > 100);
    profile.run(&["sync", "hero-students"]).ended(3, "guard.large_change");
    profile.change_setup(|setup| setup["guard"] = json!({"percent": 60, "rows": 20}));
    profile.run(&["sync", "hero-students"]).done();
    // All is all, whatever the settings.
    district.database().execute("UPDATE Students SET Enroll_Status = 2 WHERE Enroll_Status = 0", ()).unwrap();
    profile.change_setup(|setup| setup["guard"] = json!({"percent": 100, "rows": 100_000}));
    profile.run(&["sync", "hero-students"]).ended(3, "guard.large_change");
}

#[test]
fn attendance_that_is_many_times_the_usual_asks() {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    // The first one ever is as good as any.
    profile.run(&["sync"]).done();
    let writes = district.audit().len();
    let export = district.hero("export/ATTENDANCE.txt");
    let day = fs::read_to_string(&export).unwrap();
    let sync = || profile.run(&["sync", "hero-attendance"]);

    fs::write(&export, day.repeat(3)).unwrap();
    assert_eq!(sync().done().job("hero-attendance")["rows"]["read"], 90);
    // The usual number is the median of 30 and 90, taken from above.
    fs::write(&export, day.repeat(10)).unwrap();
    let stopped = sync().ended(3, "guard.large_change");
    assert_eq!(stopped.job("hero-attendance")["outcome"], "failed");
    let listed = profile.run(&["guard", "list"]).done().data()["stopped"][0].clone();
    assert_eq!(
        (&listed["reason"], &listed["before"], &listed["now"]),
        (&json!("many_rows"), &json!(90), &json!(300))
    );
    // The acceptance is of this very plan.
    profile.run(&["guard", "accept", listed["id"].as_str().unwrap()]).done();
    fs::write(&export, day.repeat(11)).unwrap();
    sync().ended(3, "guard.large_change");
    let other = profile.run(&["guard", "list"]).done().data()["stopped"][0].clone();
    assert_ne!(other["id"], listed["id"]);
    profile.run(&["guard", "accept", other["id"].as_str().unwrap()]).done();
    sync().done();
    assert_eq!(profile.run(&["guard", "list"]).done().data()["stopped"], json!([]));
    assert_eq!(district.audit().len(), writes, "repetitions write nothing");
}
