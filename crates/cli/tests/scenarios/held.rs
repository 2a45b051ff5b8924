//! Rows kept for a person: decided again, or closed for good; and how far back a row may lie.

use std::fs;

use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    crash_care::take_back_to_layout,
    support::{DATE, District, Profile, files_in},
};

/// A row of the day's file of Raptor's.
struct Dropped {
    building: String,
    student: i64,
    time: String,
    reason: String,
}

/// The first row of the day's tardies; the file is taken away.
fn a_tardy(district: &District) -> Dropped {
    let mut file = csv::Reader::from_path(district.tardies()).unwrap();
    let row = file.records().next().unwrap().unwrap();
    fs::remove_file(district.tardies()).unwrap();
    Dropped {
        building: row[0].to_owned(),
        student: row[1].parse().unwrap(),
        time: row[2].to_owned(),
        reason: row[3].to_owned(),
    }
}

fn drop_file(district: &District, name: &str, row: &Dropped) {
    let Dropped { building, student, time, reason } = row;
    let text = format!("Building,IdNumber,SignInTime,Reason\n{building},{student},{time},{reason}\n");
    fs::write(district.raptor(name), text).unwrap();
}

fn the_held_row(profile: &Profile) -> Value {
    let held = profile.run(&["held", "list"]).done();
    assert_eq!(held.data()["total"], 1, "{}", held.stdout);
    held.data()["rows"][0].clone()
}

#[test]
fn a_held_row_is_decided_again_when_its_cause_is_gone() {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "raptor-roster"]).done();
    let like = a_tardy(&district);
    drop_file(&district, "late.csv", &Dropped { student: 8_000_001, ..a_copy(&like) });
    profile.run(&["sync", "raptor-tardies"]).ended(3, "sync.held_rows");
    let row = the_held_row(&profile);
    assert_eq!((&row["code"], &row["retried"]), (&json!("held.unknown_student"), &json!(false)));
    let id = row["id"].to_string();

    profile.run(&["held", "retry", "777"]).ended(1, "store.not_found");
    profile.run(&["held", "retry", &id]).done();
    assert_eq!(the_held_row(&profile)["retried"], true);
    // The cause is still there: it is held as before, and nobody asked for it any more.
    profile.run(&["sync", "raptor-tardies"]).ended(0, "sync.held_rows");
    assert_eq!(the_held_row(&profile)["retried"], false);

    district.change(&json!([{"add_student": {"student_number": 8_000_001, "like": like.student}}]));
    profile.run(&["held", "retry", &id]).done();
    let sync = profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(sync.job("raptor-tardies")["rows"]["written"], 1);
    assert_eq!(profile.run(&["held", "list"]).done().data()["total"], 0);
    assert_eq!(district.audit().len(), 1);
    assert_eq!(files_in(&district.raptor("processed")), ["late.csv"]);
    // It is settled: nothing is left to be retried.
    profile.run(&["held", "retry", &id]).ended(1, "store.not_found");
}

fn a_copy(row: &Dropped) -> Dropped {
    Dropped {
        building: row.building.clone(),
        student: row.student,
        time: row.time.clone(),
        reason: row.reason.clone(),
    }
}

/// Raptor's program may replace its file, or take it away, before somebody has dealt with a row of it.
#[rstest]
#[case::taken_away(false)]
#[case::replaced(true)]
fn a_held_row_does_not_need_its_file(#[case] replaced: bool) {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "raptor-roster"]).done();
    let like = a_tardy(&district);
    let Dropped { building, time, reason, .. } = a_copy(&like);
    // Its text alone does not tell which value is which.
    let text = |student: i64| {
        format!(
            "Comment\tReason\tIdNumber\tSignInTime\tBuilding\nBus 12\t{reason}\t{student}\t{time}\t{building}\n"
        )
    };
    let path = district.raptor("late.csv");
    fs::write(&path, text(8_000_001)).unwrap();
    profile.run(&["sync", "raptor-tardies"]).ended(3, "sync.held_rows");
    let held = the_held_row(&profile);
    fs::remove_file(&path).unwrap();
    if replaced {
        fs::write(&path, text(like.student)).unwrap();
    }
    let others = u64::from(replaced);

    let dry = profile.run(&["sync", "raptor-tardies", "--dry-run"]);
    assert_eq!(dry.job("raptor-tardies")["rows"]["held"], 1, "{}", dry.stdout);
    let sync = profile.run(&["sync", "raptor-tardies"]).ended(0, "sync.held_rows");
    let job = sync.job("raptor-tardies");
    assert_eq!((&job["rows"]["read"], &job["rows"]["written"]), (&json!(1 + others), &json!(others)));
    assert_eq!(job["files"].as_array().unwrap().len() as u64, others, "{job}");
    let still = the_held_row(&profile);
    assert_eq!(
        ["id", "file", "line", "raw"].map(|field| &still[field]),
        ["id", "file", "line", "raw"].map(|field| &held[field])
    );

    district.change(&json!([{"add_student": {"student_number": 8_000_001, "like": like.student}}]));
    let retry = profile.run(&["held", "retry", &held["id"].to_string()]).done();
    assert_eq!(retry.data()["by_file"], json!([]));
    let sync = profile.run(&["sync", "raptor-tardies"]).done();
    let rows = &sync.job("raptor-tardies")["rows"];
    assert_eq!((&rows["read"], &rows["written"], &rows["held"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(district.audit().len() as u64, 1 + others);
    assert_eq!(profile.run(&["held", "list"]).done().data()["total"], 0);
    let again = profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(again.job("raptor-tardies")["rows"]["read"], 0);

    // It is the same line all the time, and every row counts once.
    let trace = profile.run(&["trace", "--student", "8000001"]).done();
    assert_eq!(trace.data()["total"], 1, "{}", trace.stdout);
    let row = &trace.data()["rows"][0];
    assert_eq!(
        (&row["file"], &row["line"], &row["fate"]),
        (&json!("late.csv"), &json!(2), &json!("written"))
    );
    let day = profile.run(&["trace", "--reconcile"]).done();
    let total = &day.data()["total"];
    assert_eq!(
        (&total["rows"], &total["written"]),
        (&json!(1 + others), &json!(1 + others)),
        "{}",
        day.stdout
    );
}

/// The layout before the one that keeps what a held row states.
const NOTHING_KEPT: usize = 7;

/// A program that did not keep what a held row states has held it: it can only be decided with its file, and that is said.
#[rstest]
#[case::decided_from_its_file(true)]
#[case::kept_from_its_file(false)]
fn a_row_held_by_an_older_program_needs_its_file(#[case] decided: bool) {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "raptor-roster"]).done();
    let like = a_tardy(&district);
    let row = Dropped { student: 8_000_001, ..a_copy(&like) };
    let arrives =
        || district.change(&json!([{"add_student": {"student_number": 8_000_001, "like": like.student}}]));
    drop_file(&district, "late.csv", &row);
    profile.run(&["sync", "raptor-tardies"]).ended(3, "sync.held_rows");
    take_back_to_layout(&profile, NOTHING_KEPT);
    let held = the_held_row(&profile);
    let id = held["id"].to_string();
    let retry = profile.run(&["held", "retry", &id]).done();
    assert_eq!(retry.data()["by_file"], json!([held["id"]]));
    let said = retry.document["message"].as_str().unwrap();
    assert!(said.contains(&format!("{id} only if the file is still there or comes again")), "{said}");

    // Without its file it waits, as it was.
    fs::remove_file(district.raptor("late.csv")).unwrap();
    let sync = profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(sync.job("raptor-tardies")["rows"]["read"], 0);
    let waits = the_held_row(&profile);
    assert_eq!((&waits["raw"], &waits["retried"]), (&held["raw"], &json!(true)));

    // From the file it is decided, or kept so that it needs the file no more.
    if decided {
        arrives();
    }
    drop_file(&district, "late.csv", &row);
    profile.run(&["sync", "raptor-tardies"]).ended(0, if decided { "ok" } else { "sync.held_rows" });
    if !decided {
        fs::remove_file(district.raptor("late.csv")).unwrap();
        arrives();
        assert_eq!(profile.run(&["held", "retry", &id]).done().data()["by_file"], json!([]));
        profile.run(&["sync", "raptor-tardies"]).done();
    }
    assert_eq!(district.audit().len(), 1);
    assert_eq!(profile.run(&["held", "list"]).done().data()["total"], 0);
}

#[test]
fn a_discarded_row_is_never_written() {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "raptor-roster"]).done();
    let like = a_tardy(&district);
    let row = Dropped { student: 8_000_001, ..a_copy(&like) };
    drop_file(&district, "late.csv", &row);
    profile.run(&["sync", "raptor-tardies"]).ended(3, "sync.held_rows");
    let id = the_held_row(&profile)["id"].to_string();
    // One wrong id, and none is closed.
    profile.run(&["held", "discard", &id, "777"]).ended(1, "store.not_found");
    the_held_row(&profile);
    profile.run(&["held", "discard", &id]).done();
    assert_eq!(profile.run(&["held", "list"]).done().data()["total"], 0);

    // The file can go, and the row does not come back, though it could be written now.
    district.change(&json!([{"add_student": {"student_number": 8_000_001, "like": like.student}}]));
    profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(files_in(&district.raptor("processed")), ["late.csv"]);
    drop_file(&district, "again.csv", &row);
    let again = profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(again.job("raptor-tardies")["rows"]["noop"], 1);
    assert_eq!(district.audit(), Vec::<Value>::new());
}

/// A week before the day, which is five school days.
const A_WEEK_AGO: &str = "2026-11-11";

#[rstest]
#[case::as_usual(None, true)]
#[case::just_so_far(Some(5), true)]
#[case::not_so_far(Some(4), false)]
fn how_far_back_a_row_may_lie_is_a_setting(#[case] oldest: Option<u8>, #[case] written: bool) {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    assert_eq!(profile.setup()["attendance"]["oldest"], 10);
    if let Some(oldest) = oldest {
        profile.change_setup(|setup| setup["attendance"]["oldest"] = oldest.into());
    }
    profile.run(&["sync", "raptor-roster"]).done();
    let row = a_tardy(&district);
    drop_file(&district, "late.csv", &Dropped { time: row.time.replace(DATE, A_WEEK_AGO), ..row });
    let sync = profile.run(&["sync", "raptor-tardies"]);
    let rows = &sync.job("raptor-tardies")["rows"];
    if written {
        assert_eq!(rows["written"], 1, "{}", sync.stdout);
    } else {
        assert_eq!(rows["held"], 1, "{}", sync.stdout);
        assert_eq!(the_held_row(&profile)["code"], "held.too_old");
    }
}

#[rstest]
#[case::none(0)]
#[case::too_many(61)]
fn a_setting_out_of_its_range_is_refused(#[case] oldest: u8) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let mut setup = profile.setup();
    setup["attendance"]["oldest"] = oldest.into();
    let file = profile.home().join("changed.json");
    fs::write(&file, setup.to_string()).unwrap();
    let refused = profile.run(&["setup", "import", file.to_str().unwrap()]);
    assert_eq!(refused.exit, 1, "{}", refused.stdout);
    assert_eq!(profile.setup()["attendance"]["oldest"], 10);
}

fn id_of(held: &Value) -> String {
    held["id"].to_string()
}

fn steps(profile: &Profile, student: &str) -> Vec<String> {
    let trace = profile.run(&["trace", "--student", student]).done();
    let steps = trace.data()["rows"][0]["steps"].as_array().unwrap();
    steps.iter().map(|step| step["what"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_row_of_an_unknown_student_is_written_once_it_is_said_whose_it_is() {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "raptor-roster"]).done();
    let like = a_tardy(&district);
    drop_file(&district, "late.csv", &Dropped { student: 8_000_001, ..a_copy(&like) });
    profile.run(&["sync", "raptor-tardies"]).ended(3, "sync.held_rows");
    let held = the_held_row(&profile);
    assert_eq!((&held["remedy"], &held["student_number"]), (&json!("pick_student"), &json!(8_000_001)));
    let (id, number) = (id_of(&held), like.student.to_string());

    profile.run(&["held", "fix", &id, "--student", "8000002"]).ended(1, "held.not_to_pick");
    profile.run(&["held", "fix", "777", "--student", &number]).ended(1, "store.not_found");
    profile.run(&["held", "fix", &id, "--code-id", "999999"]).ended(1, "held.not_to_pick");
    profile.run(&["held", "fix", &id, "--student", &number]).done();
    let fixed = the_held_row(&profile);
    assert_eq!((&fixed["retried"], &fixed["raw"]), (&json!(true), &held["raw"]));
    assert!(fixed["fixed"]["words"].as_str().unwrap().starts_with(&format!("student {number}, ")));

    // What was decided can be taken back before a run.
    profile.run(&["held", "fix", &id, "--take-back"]).done();
    profile.run(&["sync", "raptor-tardies"]).ended(0, "sync.held_rows");
    assert_eq!((district.audit().len(), the_held_row(&profile)["fixed"].is_null()), (0, true));

    profile.run(&["held", "fix", &id, "--student", &number]).done();
    let sync = profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(sync.job("raptor-tardies")["rows"]["written"], 1);
    let audit = district.audit();
    assert_eq!(audit.len(), 1);
    let student = district.database().query_row(
        "SELECT ID FROM Students WHERE Student_Number = ?1",
        [like.student],
        |row| row.get::<_, i64>(0),
    );
    assert_eq!(audit[0]["studentid"], student.unwrap());
    assert_eq!(profile.run(&["held", "list"]).done().data()["total"], 0);
    assert_eq!(files_in(&district.raptor("processed")), ["late.csv"]);
    let steps = steps(&profile, "8000001");
    assert!(
        steps.iter().any(|step| step == "fixed") && steps.iter().any(|step| step == "fix_taken_back"),
        "{steps:?}"
    );
    // The same row again is the same event.
    drop_file(&district, "again.csv", &Dropped { student: 8_000_001, ..a_copy(&like) });
    profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(district.audit().len(), 1);
}

#[test]
fn what_was_decided_wrongly_holds_the_row_again() {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "raptor-roster"]).done();
    let like = a_tardy(&district);
    drop_file(&district, "late.csv", &Dropped { student: 8_000_001, ..a_copy(&like) });
    profile.run(&["sync", "raptor-tardies"]).ended(3, "sync.held_rows");
    let id = id_of(&the_held_row(&profile));
    let elsewhere = district.database().query_row(
        "SELECT Student_Number FROM Students WHERE Enroll_Status = 0
         AND SchoolID <> (SELECT SchoolID FROM Students WHERE Student_Number = ?1) LIMIT 1",
        [like.student],
        |row| row.get::<_, i64>(0),
    );
    profile.run(&["held", "fix", &id, "--student", &elsewhere.unwrap().to_string()]).done();
    profile.run(&["sync", "raptor-tardies"]).ended(0, "sync.held_rows");
    let again = the_held_row(&profile);
    assert_eq!((&again["code"], &again["retried"]), (&json!("held.student_not_in_school"), &json!(false)));
    assert_eq!(district.audit().len(), 0);

    profile.run(&["held", "fix", &id, "--student", &like.student.to_string()]).done();
    profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(district.audit().len(), 1);
}

#[test]
fn mapping_a_reason_releases_all_its_rows() {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "raptor-roster"]).done();
    // Closed with this: Windows keeps a removed file as long as somebody has it open.
    let file = csv::Reader::from_path(district.tardies()).unwrap().into_records();
    let rows: Vec<csv::StringRecord> = file.take(3).map(Result::unwrap).collect();
    fs::remove_file(district.tardies()).unwrap();
    let mut text = "Building,IdNumber,SignInTime,Reason\n".to_owned();
    for row in &rows {
        text.extend([&row[0], ",", &row[1], ",", &row[2], ",Volcano\n"]);
    }
    fs::write(district.raptor("late.csv"), text).unwrap();
    profile.run(&["sync", "raptor-tardies"]).ended(3, "sync.held_rows");
    let list = profile.run(&["held", "list"]).done();
    let cause = &list.data()["causes"][0];
    assert_eq!(
        (&cause["code"], &cause["remedy"], &cause["detail"], &cause["rows"]),
        (&json!("held.reason_not_mapped"), &json!("map_reason"), &json!("Volcano"), &json!(3))
    );
    profile.change_setup(|setup| {
        let codes = setup["mappings"]["tardy_codes"].as_array_mut().unwrap();
        codes.push(json!({"reason": "Volcano", "code": codes[0]["code"], "active": true}));
    });
    let sync = profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(sync.job("raptor-tardies")["rows"]["written"], 3);
    assert_eq!(district.audit().len(), 3);
}

/// What is wrong in a row of Hero's, and what deals with it. The columns are those of Hero's procedure.
#[rstest]
#[case::student(1, "8000001", "held.unknown_student")]
#[case::code(5, "ZZ", "held.unknown_code")]
#[case::class(2, "NONE", "held.no_such_enrollment")]
fn a_row_of_heros_is_written_as_a_person_decided(
    #[case] column: usize,
    #[case] wrong: &str,
    #[case] code: &str,
    #[values(true, false)] stays_in_the_file: bool,
) {
    let district = District::start(&["--students", "300", "--attendance", "insert"]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "hero-students", "hero-schedule", "hero-teachers"]).done();
    let export = fs::read_to_string(district.hero("export/ATTENDANCE.txt")).unwrap();
    let first: Vec<&str> = export.lines().next().unwrap().split('\t').collect();
    let mut row: Vec<&str> = first.clone();
    row[column] = wrong;
    let text = row.join("\t") + "\n";
    district.hero_export(None, &json!({"text": text}));
    profile.run(&["sync", "hero-attendance"]).ended(3, "sync.held_rows");
    let held = the_held_row(&profile);
    assert_eq!(held["code"], code);
    let id = id_of(&held);
    let choices = profile.run(&["held", "choices", &id]).done();
    let pick = &choices.data()["meetings"][0]["pick"];
    let class = format!("{}/{}", pick["cc"], pick["period"]);
    let mut fix = vec!["held", "fix", id.as_str()];
    match column {
        1 => fix.extend(["--student", first[1]]),
        5 => fix.extend(["--code", first[5]]),
        _ if pick["kind"] == "day" => fix.push("--day"),
        _ => fix.extend(["--class", class.as_str()]),
    }
    profile.run(&fix).done();
    if !stays_in_the_file {
        // An export without it says nothing of it: the next one that has it decides it so.
        district.hero_export(None, &json!({"text": ""}));
        profile.run(&["sync", "hero-attendance"]).done();
        assert_eq!(district.audit().len(), 0);
        assert_eq!(profile.run(&["held", "list"]).done().data()["total"], 1);
        district.hero_export(None, &json!({"text": text}));
    }
    let sync = profile.run(&["sync", "hero-attendance"]).done();
    assert_eq!(sync.job("hero-attendance")["rows"]["written"], 1, "{}", sync.stdout);
    assert_eq!(district.audit().len(), 1);
    assert_eq!(profile.run(&["held", "list"]).done().data()["total"], 0);
    // Hero states it again: it is decided in the same way, and says nothing new.
    district.hero_export(None, &json!({"text": text}));
    let again = profile.run(&["sync", "hero-attendance"]).done();
    let rows = &again.job("hero-attendance")["rows"];
    assert_eq!((&rows["noop"], &rows["held"]), (&json!(1), &json!(0)), "{}", again.stdout);
    assert_eq!(district.audit().len(), 1);
}

/// A row of Hero's that nobody's number is in, and the one it should have been: as lines of an export.
fn a_wrong_and_a_right_row(district: &District) -> (String, String, String) {
    let export = fs::read_to_string(district.hero("export/ATTENDANCE.txt")).unwrap();
    let right = export.lines().next().unwrap();
    let mut row: Vec<&str> = right.split('\t').collect();
    let student = row[1].to_owned();
    row[1] = "8000001";
    (row.join("\t") + "\n", format!("{right}\n"), student)
}

/// Whether a run has looked at each row of Hero's export.
fn looked_through(sync: &crate::support::Output) -> bool {
    sync.stderr.contains("planning rows")
}

/// A pick speaks for its row whenever Hero states it again, until it is taken back.
#[test]
fn a_wrong_pick_is_taken_back_after_it_was_written() {
    let district = District::start(&["--students", "300", "--attendance", "insert"]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "hero-students", "hero-schedule", "hero-teachers"]).done();
    let (wrong, _, student) = a_wrong_and_a_right_row(&district);
    district.hero_export(None, &json!({"text": wrong}));
    profile.run(&["sync", "hero-attendance"]).ended(3, "sync.held_rows");
    let id = id_of(&the_held_row(&profile));
    profile.run(&["held", "fix", &id, "--student", &student]).done();
    let written = profile.run(&["sync", "hero-attendance"]).done();
    assert_eq!(written.job("hero-attendance")["rows"]["written"], 1, "{}", written.stdout);
    let run = written.data()["run"].as_str().unwrap();
    // Hero goes on stating it, and nobody looks at it any more.
    assert!(looked_through(&profile.run(&["sync", "hero-attendance"]).done()));
    assert!(!looked_through(&profile.run(&["sync", "hero-attendance"]).done()));

    // It is found where the row is followed.
    let trace = profile.run(&["trace", "--student", "8000001"]).done();
    let steps = trace.data()["rows"][0]["steps"].as_array().unwrap();
    let fixed = steps.iter().find(|step| step["what"] == "fixed").unwrap();
    assert_eq!(fixed["held"].to_string(), id);
    profile.run(&["held", "fix", &id, "--take-back"]).done();
    let trace = profile.run(&["trace", "--student", "8000001"]).done();
    assert_eq!(trace.data()["rows"][0]["fate"], "written", "it is in PowerSchool still");
    profile.run(&["undo", run]).done();
    assert_eq!(district.audit().len(), 2);

    profile.run(&["sync", "hero-attendance"]).ended(3, "sync.held_rows");
    let held = the_held_row(&profile);
    assert_eq!((&held["code"], &held["fixed"]), (&json!("held.unknown_student"), &Value::Null));
    assert_eq!(district.audit().len(), 2);
    profile.run(&["held", "fix", &id, "--take-back"]).ended(1, "store.not_found");
}

/// A row that no export holds any more is looked for once in each.
#[test]
fn a_row_that_is_asked_for_in_vain_costs_one_look() {
    let district = District::start(&["--students", "300", "--attendance", "insert"]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "hero-students", "hero-schedule", "hero-teachers"]).done();
    let (wrong, right, student) = a_wrong_and_a_right_row(&district);
    district.hero_export(None, &json!({"text": wrong}));
    profile.run(&["sync", "hero-attendance"]).ended(3, "sync.held_rows");
    let id = id_of(&the_held_row(&profile));
    district.hero_export(None, &json!({"text": right}));
    let sync = || profile.run(&["sync", "hero-attendance"]).done();
    assert_eq!(sync().job("hero-attendance")["rows"]["written"], 1);
    assert!(looked_through(&sync()));
    assert!(!looked_through(&sync()));

    profile.run(&["held", "retry", &id]).done();
    assert!(looked_through(&sync()));
    assert_eq!(the_held_row(&profile)["retried"], true, "it waits for an export that holds it");
    assert!(!looked_through(&sync()));
    // What is decided about it is another question.
    profile.run(&["held", "fix", &id, "--student", &student]).done();
    assert!(looked_through(&sync()));
    assert!(!looked_through(&sync()));

    district.hero_export(None, &json!({"text": wrong}));
    let rows = sync().job("hero-attendance")["rows"].clone();
    assert_eq!((&rows["noop"], &rows["held"]), (&json!(1), &json!(0)), "it is the record of the other row");
    assert_eq!(profile.run(&["held", "list"]).done().data()["total"], 0);
}
