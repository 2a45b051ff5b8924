//! The mapping tables from the command line: what is there to map, suggestions, rows, and what a tardy makes of them at a
//! school that records both kinds of attendance.

use std::fs;

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{DATE, District, Profile};

/// What `mapping list` tells.
fn listed(profile: &Profile) -> Value {
    profile.run(&["mapping", "list"]).done().data().clone()
}

/// The row of the school that records both.
fn middle_school(list: &Value) -> Value {
    let rows = list["buildings"].as_array().unwrap();
    rows.iter().find(|row| row["school_name"].as_str().unwrap().contains("Middle")).unwrap().clone()
}

#[test]
fn a_mapped_district_has_nothing_left_to_map() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let list = listed(&profile);
    let buildings = list["buildings"].as_array().unwrap();
    assert_eq!(buildings.len(), 5);
    for row in buildings {
        assert_eq!(row["warnings"], json!([]), "{row}");
        let (name, method) = (row["school_name"].as_str().unwrap(), row["method"].as_str().unwrap());
        let expected = if name.contains("High") {
            ("meeting", "")
        } else if name.contains("Middle") {
            ("both", "HR")
        } else {
            ("daily", "")
        };
        assert_eq!((method, row["bridge_period"].as_str().unwrap()), expected, "{name}");
    }
    for nothing in ["unmapped_buildings", "left_out_schools", "unmapped_reasons", "changes"] {
        assert_eq!(list[nothing], json!([]), "{nothing}");
    }
    // Codes are told with the schools that lack them.
    let late_bus = list["codes"].as_array().unwrap().iter().find(|code| code["code"] == "LB").unwrap();
    assert_eq!(
        late_bus["missing_in"].as_array().unwrap().len() as u64 + late_bus["schools"].as_u64().unwrap(),
        5
    );
}

#[test]
fn a_building_is_suggested_mapped_and_removed() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let row = middle_school(&listed(&profile));
    let (building, school) = (row["building"].as_str().unwrap(), row["school"].to_string());

    profile.run(&["mapping", "remove", building]).done();
    profile.run(&["mapping", "remove", building]).ended(1, "mapping.not_mapped");
    let list = listed(&profile);
    assert_eq!(list["left_out_schools"], json!([{ "number": row["school"], "name": row["school_name"] }]));
    assert_eq!(
        list["unmapped_buildings"],
        json!([{ "building": building, "suggested_school": row["school"] }])
    );

    let suggested = profile.run(&["mapping", "suggest"]).done().data().clone();
    assert_eq!(suggested["suggested"][0]["school"], row["school"]);
    assert_eq!(suggested["suggested"][0]["method"], "both");
    assert_eq!(listed(&profile)["unmapped_buildings"].as_array().unwrap().len(), 1, "only shown");
    profile.run(&["mapping", "suggest", "--apply"]).done();
    assert_eq!(middle_school(&listed(&profile)), row, "mapped as it was");
    let again = profile.run(&["mapping", "suggest", "--apply"]).done();
    assert_eq!(again.data()["suggested"], json!([]));

    profile.run(&["mapping", "set", building, "424242"]).ended(1, "mapping.unknown_school");
    let set = [
        "mapping",
        "set",
        building,
        &school,
        "--method",
        "meeting",
        "--between-classes",
        "next",
        "--inactive",
    ];
    profile.run(&set).done();
    let changed = middle_school(&listed(&profile));
    assert_eq!(
        (&changed["method"], &changed["between_classes"], &changed["enabled"]),
        (&json!("meeting"), &json!("next_meeting"), &json!(false))
    );
    assert_eq!(changed["warnings"], json!(["It is not active."]));
    // What is not said stays.
    profile.run(&["mapping", "set", building, &school, "--active"]).done();
    let active = middle_school(&listed(&profile));
    assert_eq!((&active["method"], &active["between_classes"]), (&json!("meeting"), &json!("next_meeting")));

    // A second building of the school is a warning, and no suggestion.
    profile.run(&["mapping", "set", "Annex", &school]).done();
    let list = listed(&profile);
    let shared =
        list["buildings"].as_array().unwrap().iter().filter(|row| row["warnings"] != json!([])).count();
    assert_eq!(shared, 2);
}

#[test]
fn a_tardy_code_is_mapped_to_a_code_that_the_schools_have() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.run(&["mapping", "code", "Flat tire", "t"]).ended(1, "mapping.unknown_code");
    profile.run(&["mapping", "code", "Flat tire", "LB"]).done();
    profile.run(&["mapping", "code", " flat  TIRE", "TX", "--inactive"]).done();
    let list = listed(&profile);
    let rows: Vec<&Value> =
        list["tardy_codes"].as_array().unwrap().iter().filter(|row| row["reason"] == "Flat tire").collect();
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["code"], &rows[0]["active"]), (&json!("TX"), &json!(false)));
    // Raptor's list does not have it.
    assert_eq!(list["changes"], json!([{ "change": "reason_gone", "reason": "Flat tire" }]));
    profile.run(&["mapping", "remove", "flat tire", "--reason"]).done();
    assert_eq!(listed(&profile)["changes"], json!([]));
}

#[test]
fn what_changed_in_either_system_is_told() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let row = middle_school(&listed(&profile));
    profile.change_setup(|setup| {
        let rows = setup["mappings"]["buildings"].as_array_mut().unwrap();
        let middle = rows.iter_mut().find(|other| other["building"] == row["building"]).unwrap();
        middle["school_name"] = json!("Its name last year");
        setup["mappings"]["tardy_codes"][0]["code"] = json!("GONE");
    });
    let buildings = fs::read_to_string(district.raptor("buildings.csv")).unwrap();
    fs::write(
        district.raptor("buildings.csv"),
        buildings.replace(row["building"].as_str().unwrap(), "Renamed"),
    )
    .unwrap();
    let list = listed(&profile);
    let kinds: Vec<&str> =
        list["changes"].as_array().unwrap().iter().map(|change| change["change"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["school_renamed", "building_gone", "code_gone"]);
    assert_eq!(list["unmapped_buildings"][0]["building"], "Renamed");
}

#[rstest]
#[case::reason("tardy_codes", "mapping.reason_twice")]
#[case::building("buildings", "mapping.building_twice")]
fn a_setup_with_a_row_twice_is_refused(#[case] table: &str, #[case] code: &str) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let mut setup = profile.setup();
    let row = setup["mappings"][table][0].clone();
    setup["mappings"][table].as_array_mut().unwrap().push(row);
    let file = profile.home().join("twice.json");
    fs::write(&file, setup.to_string()).unwrap();
    profile.run(&["setup", "import", file.to_str().unwrap()]).ended(1, code);
}

/// Without access to the preferences everything goes on, and a method is suggested by the sections.
#[test]
fn preferences_are_not_needed() {
    let district = District::start(&[]);
    district.faults(&json!({ "missing_access": ["PREFS.VALUE"] }));
    let profile = Profile::of(&district);
    profile.run(&["test", "powerschool"]).done();
    let row = middle_school(&listed(&profile));
    assert_eq!((&row["method"], &row["bridge_period"]), (&json!("meeting"), &json!("")));
}

#[rstest]
#[case::linked(true, "08:00", "in period HR; daily record T by the bridge period HR.")]
#[case::not_linked(
    false,
    "08:00",
    "in period HR; no daily record: PowerSchool did not link it. Check the bridge period of its bell schedules."
)]
#[case::another_period(true, "08:30", "in period P1; no daily record, since the bridge period is HR.")]
fn both_records_are_read_back_after_a_schools_first_tardy(
    #[case] linked: bool,
    #[case] time: &str,
    #[case] expected: &str,
) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    district.faults(&json!({ "bridge_daily": linked }));
    let row = middle_school(&listed(&profile));
    assert_eq!(row["bridge_period"], "HR");
    profile.run(&["sync", "raptor-roster"]).done();
    fs::remove_file(district.tardies()).unwrap();
    let students: Vec<i64> = {
        let database = district.database();
        let mut statement = database
            .prepare("SELECT Student_Number FROM Students WHERE SchoolID = ?1 AND Enroll_Status = 0 ORDER BY ID LIMIT 2")
            .unwrap();
        let rows = statement.query_map([row["school"].as_i64().unwrap()], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    let reason = profile.setup()["mappings"]["tardy_codes"][0]["reason"].as_str().unwrap().to_owned();
    let tardy = |name: &str, student: i64| {
        let building = row["building"].as_str().unwrap();
        let text =
            format!("Building,IdNumber,SignInTime,Reason\n{building},{student},{DATE}T{time},{reason}\n");
        fs::write(district.raptor(name), text).unwrap();
        let sync = profile.run(&["sync", "raptor-tardies"]).done();
        let report = sync.job("raptor-tardies").clone();
        assert_eq!(report["rows"]["written"], 1, "{report}");
        report["notes"].to_string()
    };
    let first = tardy("first.csv", students[0]);
    let school = row["school_name"].as_str().unwrap();
    assert!(first.contains(&format!("{school} records both: meeting record T {expected}")), "{first}");
    // Once a school.
    assert!(!tardy("second.csv", students[1]).contains("records both"));
}
