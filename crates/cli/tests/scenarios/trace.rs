//! What became of every tardy of a day, step by step, and that the day's rows add up.

use std::fs;

use serde_json::{Value, json};

use crate::support::{DATE, District, Output, Profile};

/// What happened to a row, in order.
fn steps(row: &Value) -> Vec<&str> {
    row["steps"].as_array().unwrap().iter().map(|step| step["what"].as_str().unwrap()).collect()
}

/// The only row of a trace.
fn only(output: &Output) -> &Value {
    assert_eq!(output.data()["total"], 1, "{}", output.stdout);
    &output.data()["rows"][0]
}

/// Rows, written, no-op, held, rejected and open of what was read today.
fn counts(profile: &Profile) -> [u64; 6] {
    let output = profile.run(&["trace", "--reconcile"]).done();
    let count = |rows: &Value| {
        ["rows", "written", "noop", "held", "rejected", "open"].map(|name| rows[name].as_u64().unwrap())
    };
    let total = count(&output.data()["total"]);
    let files = output.data()["files"].as_array().unwrap();
    for (place, of_all) in total.iter().enumerate() {
        let sum: u64 = files.iter().map(|file| count(&file["rows"])[place]).sum();
        assert_eq!(sum, *of_all, "{}", output.stdout);
    }
    for rows in files.iter().map(|file| count(&file["rows"])).chain([total]) {
        assert_eq!(rows[0], rows[1..].iter().sum::<u64>(), "{}", output.stdout);
    }
    total
}

#[test]
fn every_tardy_of_a_day_is_accounted_for() {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "raptor-roster"]).done();
    let day = fs::read_to_string(district.tardies()).unwrap();
    let mut days = day.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    let (first, other) = (days.next().unwrap(), days.next().unwrap());
    let (building, student, time) = (first[0], first[1], first[2]);
    fs::remove_file(district.tardies()).unwrap();
    // One that is written, one with a reason nobody has mapped, one that is malformed, and the first once more.
    let tardy = first[..4].join(",");
    let unmapped = format!("{},Alpaca", other[..3].join(","));
    let three = format!("{tardy}\n{unmapped}\n{building},not a number,{time},Bus\n");
    let header = "Building,IdNumber,SignInTime,Reason";
    let file = format!("{header}\n{three}{tardy}\n");
    fs::write(district.raptor("late.csv"), &file).unwrap();
    profile.run(&["sync", "raptor-tardies"]).ended(3, "sync.held_rows");
    assert_eq!(counts(&profile), [4, 1, 1, 1, 1, 0]);

    let written = profile.run(&["trace", "--file", "late.csv", "--line", "2"]).done();
    let row = only(&written);
    assert_eq!(steps(row), ["read", "decided_write", "sent", "confirmed"], "{}", written.stdout);
    assert_eq!((&row["fate"], &row["raw"]), (&json!("written"), &json!(tardy)));
    assert_eq!(row["file_sha256"].as_str().unwrap().len(), 64);
    let record = &row["steps"][3]["record"];
    assert_eq!((&record["date"], &record["mode"]), (&json!(DATE), &json!("ATT_ModeMeeting")), "{record}");
    let malformed = profile.run(&["trace", "--file", "late.csv", "--line", "4"]).done();
    assert_eq!(only(&malformed)["fate"], "rejected");
    assert_eq!(steps(only(&malformed)), ["read", "rejected"]);
    let repeated = profile.run(&["trace", "--file", "late.csv", "--line", "5"]).done();
    assert_eq!(only(&repeated)["fate"], "noop");
    assert!(steps(only(&repeated)).contains(&"confirmed"), "{}", repeated.stdout);
    let of_student = profile.run(&["trace", "--student", student]).done();
    assert_eq!(of_student.data()["total"], 2);
    assert_eq!(of_student.data()["rows"][0]["line"], 5, "latest first");

    // The reason is mapped, and the row is decided again.
    let held = profile.run(&["trace", "--student", other[1], "--limit", "1"]).done();
    assert_eq!(held.data()["rows"][0]["fate"], "held");
    assert_eq!(held.data()["rows"][0]["steps"][1]["code"], "held.reason_not_mapped");
    profile.change_setup(|setup| {
        let mut row = setup["mappings"]["tardy_codes"][0].clone();
        row["reason"] = "Alpaca".into();
        setup["mappings"]["tardy_codes"].as_array_mut().unwrap().push(row);
    });
    let list = profile.run(&["held", "list"]).done();
    profile.run(&["held", "retry", &list.data()["rows"][0]["id"].to_string()]).done();
    let sync = profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(counts(&profile), [4, 2, 1, 0, 1, 0]);
    let later = profile.run(&["trace", "--file", "late.csv", "--line", "3"]).done();
    assert_eq!(steps(only(&later)), ["read", "held", "retried", "decided_write", "sent", "confirmed"]);
    let runs = only(&later)["steps"].as_array().unwrap();
    assert_eq!((&runs[2]["run"], &runs[5]["run"]), (&Value::Null, &sync.data()["run"]));

    // The same row in a file of another day's making is found there as well, and nothing is written once more.
    fs::write(district.raptor("again.csv"), format!("{header}\n{three}")).unwrap();
    profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(counts(&profile), [7, 2, 4, 0, 1, 0]);
    let again = profile.run(&["trace", "--file", "again.csv", "--line", "3"]).done();
    assert!(steps(only(&again)).contains(&"repeated"));
    assert_eq!(district.audit().len(), 2);

    // What is taken back counts as nothing to write.
    profile.run(&["undo", sync.data()["run"].as_str().unwrap()]).done();
    assert_eq!(counts(&profile), [7, 1, 5, 0, 1, 0]);
    let undone = profile.run(&["trace", "--file", "late.csv", "--line", "3"]).done();
    assert_eq!(steps(only(&undone))[6..], ["undo_decided", "undo_sent", "undone"]);
    assert_eq!(only(&undone)["fate"], "noop");
}

#[test]
fn the_daily_export_adds_up_as_well() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    // Hero answers to what it was sent.
    profile.run(&["sync", "hero-students", "hero-schedule", "hero-teachers", "hero-attendance"]).done();
    let [rows, written, ..] = counts(&profile);
    assert_eq!((rows, written), (30, 30));
    // A row less: what is left repeats what was stated before.
    let export = district.hero("export/ATTENDANCE.txt");
    let text = fs::read_to_string(&export).unwrap();
    let rest: Vec<&str> = text.lines().collect();
    fs::write(&export, rest[..rest.len() - 1].join("\r\n") + "\r\n").unwrap();
    profile.run(&["sync", "hero-attendance"]).done();
    let [rows, written, noop, ..] = counts(&profile);
    assert_eq!((written, noop), (30, rows - 30));
    assert!(rows > 30);
    let page = profile.run(&["trace", "--file", "ATTENDANCE.txt", "--limit", "7"]).done();
    assert_eq!((page.data()["total"].as_u64(), page.data()["rows"].as_array().unwrap().len()), (Some(30), 7));
}

#[test]
fn what_is_asked_for_is_within_bounds() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    for wrong in [
        ["trace", "--limit", "501"].as_slice(),
        &["trace", "--line", "0"],
        &["trace", "--day", "yesterday"],
        &["trace", "--reconcile", "--student", "7"],
    ] {
        profile.run(wrong).ended(2, "usage");
    }
    let none = profile.run(&["trace", "--student", "7"]).done();
    assert_eq!(none.data(), &json!({"total": 0, "rows": []}));
    let day = profile.run(&["trace", "--reconcile", "--day", DATE]).done();
    assert_eq!(day.data()["day"], DATE);
    assert_eq!(day.data()["files"], json!([]));
}
