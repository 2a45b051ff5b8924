//! Changing the district, and what data versions tell of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its parts fails")]

mod support;

use reqwest::{Method, StatusCode};
use rosterbridge_practice::{DistrictChange, Faults};
use rstest::rstest;
use serde_json::{Value, json};
use support::{Practice, json_of, options};

const STUDENTS: &str = "/ws/schema/query/com.example.practice.roster.students?pagesize=0&count=true";

/// The students' query with these keys of data versions.
async fn students(practice: &Practice, keys: Value, status: StatusCode) -> Value {
    let mut body = json!({"status": "0"});
    body.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    json_of(practice.request(Method::POST, STUDENTS).json(&body).send().await.unwrap(), status).await
}

async fn since(practice: &Practice, version: &Value) -> Value {
    let keys = json!({"$dataversion_applicationname": "Roster", "$dataversion": version});
    students(practice, keys, StatusCode::OK).await
}

async fn change(practice: &Practice, changes: Value) -> Value {
    let url = format!("{}/district", practice.running.control_url());
    json_of(practice.client.post(url).json(&changes).send().await.unwrap(), StatusCode::OK).await
}

fn ids(answer: &Value) -> Vec<i64> {
    let records = answer["record"].as_array().map(Vec::as_slice).unwrap_or_default();
    records.iter().map(|record| record["id"].as_str().unwrap().parse().unwrap()).collect()
}

fn active(practice: &Practice, offset: u32) -> (i64, i64) {
    practice
        .database()
        .query_row(
            &format!(
                "SELECT ID, Student_Number FROM Students WHERE Enroll_Status = 0 ORDER BY ID LIMIT 1 OFFSET {offset}"
            ),
            (),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap()
}

#[tokio::test]
async fn a_version_gives_what_changed_since() {
    let practice = Practice::start(options()).await;
    let all = students(&practice, json!({"$dataversion_applicationname": "Roster"}), StatusCode::OK).await;
    assert_eq!(ids(&all).len(), 150);
    let first = all["$dataversion"].clone();
    assert!(first.as_i64().unwrap() > 0);
    let nothing = since(&practice, &first).await;
    assert_eq!((ids(&nothing), &nothing["$dataversion"], &nothing["count"]), (vec![], &first, &json!(0)));
    assert!(nothing.get("record").is_none());

    let (renamed, renamed_number) = active(&practice, 3);
    let (gone, gone_number) = active(&practice, 5);
    let done = change(
        &practice,
        json!([
            {"change": {"table": "students", "where": {"student_number": renamed_number}, "set": {"Last_Name": "Newman"}}},
            {"remove_student": {"student_number": gone_number}},
            {"add_student": {"student_number": 77_777, "like": renamed_number}},
        ]),
    )
    .await;
    let added = practice.number("SELECT ID FROM Students WHERE Student_Number = 77777");
    // A removed row does not show.
    let delta = since(&practice, &first).await;
    assert_eq!(ids(&delta), [renamed, added]);
    assert_eq!(delta["record"][0]["last_name"], "Newman");
    assert_eq!(delta["$dataversion"], done["data_version"]);
    assert_eq!(delta["count"], 2);
    assert!(ids(&since(&practice, &delta["$dataversion"]).await).is_empty());
    // As text, as clients that keep it as such send it; and 0 is before everything.
    assert_eq!(ids(&since(&practice, &json!(first.to_string())).await).len(), 2);
    let everything = ids(&since(&practice, &json!(0)).await);
    assert!(everything.len() == 150 && !everything.contains(&gone));

    let listed = practice.get(&format!("/ws/dataversion/Roster/{first}")).await;
    assert_eq!(listed["$dataversion"], delta["$dataversion"]);
    let dcids =
        [renamed, added].map(|id| practice.number(&format!("SELECT DCID FROM Students WHERE ID = {id}")));
    assert_eq!(listed["tables"], json!([{"name": "students", "ids": dcids}]));
}

#[tokio::test]
async fn a_row_of_several_tables_changes_with_each() {
    let practice = Practice::start(options()).await;
    let ask = |version: Value| {
        let keys = json!({"$dataversion_applicationname": "Roster", "$dataversion": version});
        let path = "/ws/schema/query/com.example.practice.roster.sections?pagesize=0";
        practice.request(Method::POST, path).json(&keys).send()
    };
    let all = json_of(ask(Value::Null).await.unwrap(), StatusCode::OK).await;
    let (section, course): (i64, String) = practice
        .database()
        .query_row(
            "SELECT ID, Course_Number FROM Sections WHERE TermID >= 3600 ORDER BY ID LIMIT 1",
            (),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let named = practice.number(&format!(
        "SELECT COUNT(*) FROM Sections WHERE TermID >= 3600 AND Course_Number = '{course}'"
    ));
    change(
        &practice,
        json!([
            {"change": {"table": "Courses", "where": {"Course_Number": course}, "set": {"Course_Name": "Renamed"}}},
            {"change": {"table": "Sections", "where": {"ID": section}, "set": {"Room": "R1"}}},
        ]),
    )
    .await;
    let delta = json_of(ask(all["$dataversion"].clone()).await.unwrap(), StatusCode::OK).await;
    let records = delta["record"].as_array().unwrap();
    assert_eq!(i64::try_from(records.len()).unwrap(), named, "each once");
    assert!(records.iter().all(|record| record["tables"]["courses"]["course_name"] == "Renamed"));
}

#[rstest]
#[case::never_handed_out(json!({"$dataversion_applicationname": "Roster", "$dataversion": 5_000_000}))]
#[case::negative(json!({"$dataversion_applicationname": "Roster", "$dataversion": -1}))]
#[case::no_number(json!({"$dataversion_applicationname": "Roster", "$dataversion": "latest"}))]
#[case::of_another_application(json!({"$dataversion_applicationname": "Stranger", "$dataversion": 1}))]
#[tokio::test]
async fn a_version_that_nobody_has_is_refused(#[case] keys: Value) {
    let practice = Practice::start(options()).await;
    students(&practice, json!({"$dataversion_applicationname": "Roster"}), StatusCode::OK).await;
    let refused = students(&practice, keys, StatusCode::BAD_REQUEST).await;
    assert_eq!(
        (&refused["message"], &refused["errors"][0]["field"]),
        (&json!("Validation Failed"), &json!("$dataversion"))
    );
}

#[tokio::test]
async fn purged_versions_are_unknown_and_new_ones_work() {
    let practice = Practice::start(options()).await;
    let first = students(&practice, json!({"$dataversion_applicationname": "Roster"}), StatusCode::OK).await;
    practice.running.set_faults(Faults { purge_data_versions: true, ..Faults::default() });
    let keys = json!({"$dataversion_applicationname": "Roster", "$dataversion": first["$dataversion"]});
    students(&practice, keys, StatusCode::BAD_REQUEST).await;
    let path = format!("/ws/dataversion/Roster/{}", first["$dataversion"]);
    practice.ask(Method::GET, &path, StatusCode::BAD_REQUEST).await;
    let again = students(&practice, json!({"$dataversion_applicationname": "Roster"}), StatusCode::OK).await;
    assert!(ids(&since(&practice, &again["$dataversion"]).await).is_empty());
}

#[rstest]
#[case::too_old(Faults { version: Some("9.2.0.0".into()), ..Faults::default() }, false)]
#[case::switched_off(Faults { no_data_versions: true, ..Faults::default() }, false)]
#[case::just_new_enough(Faults { version: Some("9.3.0.0".into()), ..Faults::default() }, true)]
#[tokio::test]
async fn old_servers_have_no_data_versions(#[case] faults: Faults, #[case] offered: bool) {
    let practice = Practice::start(options()).await;
    practice.running.set_faults(faults);
    let answer = students(&practice, json!({"$dataversion_applicationname": "Roster"}), StatusCode::OK).await;
    assert_eq!(answer.get("$dataversion").is_some(), offered);
    assert_eq!(ids(&answer).len(), 150);
    let status = if offered { StatusCode::OK } else { StatusCode::NOT_FOUND };
    practice.ask(Method::GET, "/ws/dataversion/Roster/0", status).await;
}

#[tokio::test]
async fn leavers_and_movers_keep_the_rules_of_the_tables() {
    let practice = Practice::start(options()).await;
    let (leaver, leaver_number) = active(&practice, 10);
    let (mover, mover_number) = active(&practice, 20);
    let school = practice.number(&format!("SELECT SchoolID FROM Students WHERE ID = {mover}"));
    let other = practice.number(&format!(
        "SELECT School_Number FROM Schools WHERE School_Number NOT IN ({school}, 999999) ORDER BY 1 LIMIT 1"
    ));
    practice
        .running
        .change_district(vec![
            DistrictChange::Leave { student_number: leaver_number, on: None },
            DistrictChange::Move { student_number: mover_number, to_school: other, on: None },
        ])
        .await
        .unwrap();
    let date = support::DATE;
    for (left, nothing) in [
        (
            format!(
                "SELECT COUNT(*) FROM Students WHERE ID = {leaver} AND Enroll_Status = 2 AND ExitDate = '{date}'"
            ),
            format!(
                "SELECT COUNT(*) FROM CC WHERE StudentID = {leaver} AND SectionID > 0 AND TermID / 100 = 36"
            ),
        ),
        (
            format!(
                "SELECT COUNT(*) FROM ReEnrollments WHERE StudentID = {mover} AND SchoolID = {school} AND ExitDate = '{date}'"
            ),
            format!(
                "SELECT COUNT(*) FROM CC WHERE StudentID = {mover} AND SchoolID = {school} AND SectionID > 0 AND TermID / 100 = 36"
            ),
        ),
        (
            format!(
                "SELECT COUNT(*) FROM Students WHERE ID = {mover} AND SchoolID = {other} AND EntryDate = '{date}'"
            ),
            "SELECT COUNT(*) FROM CC WHERE DateLeft < DateEnrolled OR (SectionID < 0) <> (TermID < 0)".into(),
        ),
    ] {
        assert_eq!(practice.number(&left), 1, "{left}");
        assert_eq!(practice.number(&nothing), 0, "{nothing}");
    }
    let classes = format!(
        "SELECT COUNT(*) FROM CC WHERE StudentID = {mover} AND SchoolID = {other} AND SectionID > 0 AND DateEnrolled >= '{date}'"
    );
    assert!(practice.number(&classes) > 0);
    // Keys stay as the generator hands them out: never equal, a table's own distance apart.
    assert_eq!(practice.number("SELECT COUNT(DISTINCT DCID - ID) FROM CC"), 1);
}

#[rstest]
#[case::view(json!({"delete": {"table": "Teachers", "where": {"ID": 1}}}))]
#[case::ours(json!({"delete": {"table": "Practice_Write", "where": {"Seq": 1}}}))]
#[case::column(json!({"delete": {"table": "Students", "where": {"Shoe_Size": 1}}}))]
#[case::everything(json!({"delete": {"table": "Students", "where": {}}}))]
#[case::nobody(json!({"leave": {"student_number": 1}}))]
#[tokio::test]
async fn an_impossible_change_changes_nothing(#[case] impossible: Value) {
    let practice = Practice::start(options()).await;
    let url = format!("{}/district", practice.running.control_url());
    let (_, number) = active(&practice, 0);
    let changes = json!([{"remove_student": {"student_number": number}}, impossible]);
    let answer = practice.client.post(&url).json(&changes).send().await.unwrap();
    assert_eq!(json_of(answer, StatusCode::BAD_REQUEST).await["code"], "practice.change");
    assert_eq!(practice.number(&format!("SELECT COUNT(*) FROM Students WHERE Student_Number = {number}")), 1);
}
