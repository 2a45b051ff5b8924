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
