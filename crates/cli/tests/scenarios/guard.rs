//! Plans that would change too much: by school, by the settings, and attendance that is many times the usual.

use std::fs;

use serde_json::json;

use crate::{
    crash_care::ledger,
    support::{DATE, District, Profile, files_in},
};

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

/// Raptor's files come all day long: what is unusual is the number of rows of the day.
#[test]
fn a_day_with_many_times_the_usual_tardies_asks() {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "raptor-roster"]).done();
    fs::remove_file(district.tardies()).unwrap();
    let setup = profile.setup();
    let buildings = setup["mappings"]["buildings"].as_array().unwrap();
    let daily = buildings.iter().find(|row| row["method"] == "daily").unwrap();
    let building = daily["building"].as_str().unwrap();
    let reason = setup["mappings"]["tardy_codes"][0]["reason"].as_str().unwrap();
    let students: Vec<i64> = {
        let database = district.database();
        let mut find = database
            .prepare(
                "SELECT Student_Number FROM Students WHERE SchoolID = ?1 AND Enroll_Status = 0 ORDER BY 1 LIMIT 61",
            )
            .unwrap();
        find.query_map([daily["school"].as_i64()], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(students.len(), 61);
    let file = |name: &str, rows: std::ops::Range<usize>| {
        let rows =
            students[rows].iter().map(|student| format!("{building},{student},{DATE}T11:40,{reason}\n"));
        let text = format!("Building,IdNumber,SignInTime,Reason\n{}", rows.collect::<Vec<_>>().concat());
        fs::write(district.raptor(name), text).unwrap();
    };
    let sync = || profile.run(&["sync", "raptor-tardies"]);
    let written = |output: &crate::support::Output| output.job("raptor-tardies")["rows"]["written"].clone();
    let a_day_passes = || {
        let moved = ledger(&profile).execute("UPDATE input_files SET day = date(day, '-1 day')", ()).unwrap();
        assert!(moved > 0);
    };

    // The first day is as good as any, and what came before says what is usual.
    file("day-1.csv", 0..5);
    assert_eq!(written(&sync().done()), 5);
    a_day_passes();
    file("day-2.csv", 5..11);
    assert_eq!(written(&sync().done()), 6);
    a_day_passes();

    file("morning.csv", 11..21);
    assert_eq!(written(&sync().done()), 10, "few rows pass");
    // The same rows once more are none of the day.
    for (again, name) in ["day-1.csv", "day-2.csv", "morning.csv"].into_iter().enumerate() {
        let processed = district.raptor("processed").join(name);
        fs::copy(processed, district.raptor(&format!("again-{again}.csv"))).unwrap();
    }
    assert_eq!(sync().done().job("raptor-tardies")["rows"]["noop"], 21);
    let before = (district.audit().len(), files_in(&district.raptor("processed")));
    assert_eq!(before.0, 21);

    // With these it is 31 rows, and 6 are usual: the larger of the two days before.
    file("noon.csv", 21..42);
    let stopped = sync().ended(3, "guard.large_change");
    let message = stopped.document["message"].as_str().unwrap();
    assert!(message.contains("31 rows of attendance came in, and 6 are usual"), "{message}");
    assert_eq!(stopped.job("raptor-tardies")["outcome"], "failed");
    assert_eq!((district.audit().len(), files_in(&district.raptor("processed"))), before, "nothing is done");
    assert!(district.raptor("noon.csv").exists(), "the file waits");
    let listed = profile.run(&["guard", "list"]).done().data()["stopped"][0].clone();
    assert_eq!(
        (&listed["job"], &listed["reason"], &listed["before"], &listed["now"]),
        (&json!("raptor-tardies"), &json!("many_rows"), &json!(6), &json!(31))
    );

    profile.run(&["guard", "accept", listed["id"].as_str().unwrap()]).done();
    assert_eq!(written(&sync().done()), 21);
    assert_eq!(profile.run(&["guard", "list"]).done().data()["stopped"], json!([]));
    assert!(!district.raptor("noon.csv").exists());
    // Who let so many pass is not asked again for a few more that day.
    file("afternoon.csv", 42..61);
    assert_eq!(written(&sync().done()), 19);
}
