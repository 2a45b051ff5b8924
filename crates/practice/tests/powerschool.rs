//! The practice PowerSchool over real HTTPS, quirk by quirk.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its parts fails")]

mod support;

use reqwest::{Method, StatusCode};
use rosterbridge_practice::{FailNext, Faults, Maintenance, ServeOptions};
use rstest::rstest;
use serde_json::{Value, json};
use support::{Practice, ask_token, client, json_of, options, plugin};

#[rstest]
#[case::without_slash("/oauth/access_token")]
#[case::with_slash("/oauth/access_token/")]
#[tokio::test]
async fn a_token_is_given_for_the_credentials(#[case] path: &str) {
    let practice = Practice::start(options()).await;
    let secret = practice.running.ready().powerschool.client_secret.clone();
    let answer =
        json_of(ask_token(&practice.client, &practice.running, path, &secret).await, StatusCode::OK).await;
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], "3600", "a string of seconds");

    let refused = ask_token(&practice.client, &practice.running, path, "wrong").await;
    assert_eq!(json_of(refused, StatusCode::UNAUTHORIZED).await, json!({"error": "invalid_client"}));
}

#[tokio::test]
async fn only_the_practice_authority_makes_it_trusted() {
    let practice = Practice::start(options()).await;
    let strict = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
    let error = strict.get(&practice.running.ready().powerschool.url).send().await.unwrap_err();
    assert!(error.is_connect(), "{error}");
}

#[tokio::test]
async fn time_and_metadata_need_no_token_and_everything_else_does() {
    let practice = Practice::start(options()).await;
    let url = &practice.running.ready().powerschool.url;
    let plain = client(&practice.running);
    let ask = |path: &str| plain.get(format!("{url}{path}")).send();
    let time = json_of(ask("/ws/v1/time").await.unwrap(), StatusCode::OK).await;
    assert!(time["time"]["dateTime"].as_str().unwrap().starts_with(support::DATE), "{time}");
    let metadata = json_of(ask("/ws/v1/metadata").await.unwrap(), StatusCode::OK).await;
    assert_eq!(metadata["metadata"]["student_max_page_size"], 100, "a number");
    assert_eq!(metadata["metadata"]["district_timezone"], "America/Chicago");
    assert!(metadata["metadata"]["powerschool_version"].as_str().unwrap().starts_with("25."));
    for path in [
        "/ws/v1/district",
        "/ws/v1/district/school",
        "/ws/v1/student/1",
        "/ws/schema/table/students?projection=id",
        "/ws/schema/query/api",
        "/ws/dataversion/roster/0",
    ] {
        let response = ask(path).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        let header = response.headers()["www-authenticate"].to_str().unwrap().to_owned();
        assert!(header.contains("invalid_token"), "{header}");
    }
    let response = ask("/ws/nothing/roster/0").await.unwrap();
    assert_eq!(json_of(response, StatusCode::NOT_FOUND).await["message"], "Not Found");
    // A wrong path is a web page, as on a web server that is more than its API.
    let response = ask("/public/nothing.html").await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(response.text().await.unwrap().starts_with("<!DOCTYPE html>"));
}

#[tokio::test]
async fn lists_of_one_collapse_and_ids_are_dcids() {
    let several = Practice::start(options()).await;
    let schools = several.get("/ws/v1/district/school").await;
    let list = schools["schools"]["school"].as_array().unwrap();
    assert_eq!(list.len(), 5, "without Graduated Students");
    assert_eq!(several.get("/ws/v1/district/school/count").await, json!({"resource": {"count": 5}}));
    for school in list {
        let number = school["school_number"].as_i64().unwrap();
        let dcid = several.number(&format!("SELECT DCID FROM Schools WHERE School_Number = {number}"));
        assert_eq!(school["id"], dcid);
    }
    // A page that happens to hold one row collapses as well, and one beyond the end is empty.
    let page = several.get("/ws/v1/district/school?page=5&pagesize=1").await;
    assert!(page["schools"]["school"].is_object(), "{page}");
    assert_eq!(several.get("/ws/v1/district/school?page=6&pagesize=1").await, json!({"schools": ""}));

    let one = Practice::start(ServeOptions { schools: 1, ..options() }).await;
    let schools = one.get("/ws/v1/district/school").await;
    assert!(schools["schools"]["school"].is_object(), "{schools}");
}

#[tokio::test]
async fn students_are_paged_filtered_and_expanded() {
    let practice = Practice::start(options()).await;
    let all = practice.number("SELECT COUNT(*) FROM Students");
    let count = practice.get("/ws/v1/district/student/count").await;
    assert_eq!(count["resource"]["count"], all, "leavers and graduates come too");
    let active = practice.get("/ws/v1/district/student/count?q=school_enrollment.enroll_status==A").await;
    assert_eq!(active["resource"]["count"], 150);
    let some = practice.get("/ws/v1/district/student/count?q=school_enrollment.enroll_status==(T,G)").await;
    let left = practice.number("SELECT COUNT(*) FROM Students WHERE Enroll_Status IN (2, 3)");
    assert_eq!(some["resource"]["count"], left);

    // A page size above the limit is the limit.
    let page = practice.get("/ws/v1/district/student?pagesize=5000").await;
    assert_eq!(page["students"]["student"].as_array().unwrap().len(), 100);
    assert!(page["students"]["@expansions"].as_str().unwrap().contains("demographics, addresses"));
    assert!(page["students"]["student"][0].get("addresses").is_none(), "only on request");

    let named = practice
        .get("/ws/v1/district/student?q=name.last_name==Mu*;school_enrollment.enroll_status_code==0&expansions=demographics,addresses,school_enrollment,phones,contact_info")
        .await;
    let student = match &named["students"]["student"] {
        Value::Array(students) => {
            students.iter().find(|student| student["name"]["last_name"] == "Muñoz").unwrap()
        }
        one => one,
    };
    assert_eq!(student["name"]["first_name"], "José");
    assert_eq!(student["school_enrollment"]["enroll_status"], "A");
    assert_eq!(student["school_enrollment"]["enroll_status_code"], 0);
    assert!(student["demographics"]["birth_date"].is_string());
    assert!(student["addresses"]["mailing"]["city"].is_string());
    let id = student["id"].as_i64().unwrap();
    let one = practice.get(&format!("/ws/v1/student/{id}")).await;
    assert_eq!(one["student"]["local_id"], student["local_id"]);

    practice.ask(Method::GET, "/ws/v1/student/1", StatusCode::NOT_FOUND).await;
    let bad =
        practice.ask(Method::GET, "/ws/v1/district/student?q=shoe_size==9", StatusCode::BAD_REQUEST).await;
    assert_eq!(bad["message"], "Validation Failed");
}

#[tokio::test]
async fn a_school_has_sections_staff_courses_terms_and_enrollments() {
    let practice = Practice::start(options()).await;
    let (dcid, number): (i64, i64) = practice
        .database()
        .query_row("SELECT DCID, School_Number FROM Schools ORDER BY DCID LIMIT 1 OFFSET 3", (), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    for (kind, sql) in [
        ("section", "SELECT COUNT(*) FROM Sections WHERE SchoolID = "),
        ("staff", "SELECT COUNT(*) FROM SchoolStaff WHERE Status = 1 AND SchoolID = "),
        ("course", "SELECT COUNT(DISTINCT Course_Number) FROM Sections WHERE SchoolID = "),
        ("term", "SELECT COUNT(*) FROM Terms WHERE SchoolID = "),
        ("student", "SELECT COUNT(*) FROM Students WHERE SchoolID = "),
    ] {
        let expected = practice.number(&format!("{sql}{number}"));
        let count = practice.get(&format!("/ws/v1/school/{dcid}/{kind}/count")).await;
        assert_eq!(count, json!({"resource": {"count": expected}}), "{kind}");
        let list = practice.get(&format!("/ws/v1/school/{dcid}/{kind}")).await;
        let rows = list[format!("{kind}s")][kind].as_array().unwrap();
        assert_eq!(i64::try_from(rows.len()).unwrap(), expected.min(100), "{kind}");
    }
    let section = practice.number("SELECT DCID FROM Sections ORDER BY DCID LIMIT 1");
    let list = practice.get(&format!("/ws/v1/section/{section}/section_enrollment")).await;
    let first = match &list["section_enrollments"]["section_enrollment"] {
        Value::Array(rows) => rows[0].clone(),
        one => one.clone(),
    };
    assert_eq!(first["section_id"], section);
    let student = first["student_id"].as_i64().unwrap();
    assert_eq!(practice.number(&format!("SELECT COUNT(*) FROM Students WHERE DCID = {student}")), 1);
    assert!(first["dropped"].is_boolean());

    practice.ask(Method::GET, "/ws/v1/school/1/section", StatusCode::NOT_FOUND).await;
    practice.ask(Method::GET, &format!("/ws/v1/school/{dcid}/locker"), StatusCode::NOT_FOUND).await;
    practice.ask(Method::GET, "/ws/v1/school/first", StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn table_rows_are_strings_within_the_access_request() {
    let practice = Practice::start(options()).await;
    let rows = practice
        .get("/ws/schema/table/Students?projection=id,student_number,middle_name&q=enroll_status==0&page=1&pagesize=2&sort=&sortdescending=student_number")
        .await;
    assert_eq!((&rows["name"], &rows["@extensions"]), (&json!("Students"), &json!("")));
    let records = rows["record"].as_array().unwrap();
    assert_eq!(records.len(), 2);
    let top = practice.number("SELECT MAX(Student_Number) FROM Students WHERE Enroll_Status = 0");
    assert_eq!(records[0]["tables"]["students"]["student_number"], top.to_string());
    let dcid = practice.number(&format!("SELECT DCID FROM Students WHERE Student_Number = {top}"));
    assert_eq!(records[0]["id"], dcid);
    let switched = practice
        .get("/ws/schema/table/students?projection=id,student_number,middle_name&q=enroll_status==0&pagesize=2&sort=student_number&sortdescending=true")
        .await;
    assert_eq!(switched["record"], rows["record"], "a switch for the other list");
    assert_eq!(
        practice.get("/ws/schema/table/students/count?q=enroll_status==0").await,
        json!({"count": 150}),
        "not wrapped in resource"
    );
    let one = practice.get(&format!("/ws/schema/table/students/{dcid}?projection=student_number")).await;
    assert_eq!(one["tables"]["students"], json!({"student_number": top.to_string()}));
    let none = practice.get("/ws/schema/table/students?projection=id&q=id==5").await;
    assert!(none.get("record").is_none(), "{none}");

    // A single row stays in its list here.
    let single = practice.get(&format!("/ws/schema/table/students?projection=id&q=dcid=={dcid}")).await;
    assert_eq!(single["record"].as_array().unwrap().len(), 1);

    // `*` is what the plugin may read.
    let star = practice.get(&format!("/ws/schema/table/students/{dcid}?projection=*")).await;
    let mut fields: Vec<&str> =
        star["tables"]["students"].as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["dcid", "enroll_status", "id", "last_name", "middle_name", "student_number"]);

    let refused = practice
        .ask(Method::GET, "/ws/schema/table/students?projection=id,dob,home_phone", StatusCode::BAD_REQUEST)
        .await;
    assert_eq!(refused["message"], "Validation Failed");
    let fields: Vec<_> = refused["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
    assert_eq!(fields, ["students.dob", "students.home_phone"]);
    assert_eq!(refused["errors"][0]["code"], "No access to the field");
    // A filter may not look where a projection may not.
    practice
        .ask(Method::GET, "/ws/schema/table/students?projection=id&q=dob==2010*", StatusCode::BAD_REQUEST)
        .await;
    practice.ask(Method::GET, "/ws/schema/table/students", StatusCode::BAD_REQUEST).await;
    for table in ["practice_write", "sqlite_master", "nothing"] {
        practice
            .ask(Method::GET, &format!("/ws/schema/table/{table}?projection=*"), StatusCode::NOT_FOUND)
            .await;
    }
    let metadata = practice.get("/ws/schema/table/students/metadata?expansions=access").await;
    let access = |name: &str| {
        let columns = metadata["columns"].as_array().unwrap();
        columns.iter().find(|column| column["name"] == name).unwrap()["access"].clone()
    };
    assert_eq!((access("Last_Name"), access("DOB")), (json!("ViewOnly"), json!("NoAccess")));
    assert_eq!(access("Student_Web_Password"), "BlackListNoAccess");
}

#[tokio::test]
async fn some_columns_are_nobodys_business() {
    let asking = plugin("1.0", &[("STUDENTS", "Student_Web_Password", "FullAccess")]);
    let practice = Practice::start(ServeOptions { plugin: Some(asking), ..options() }).await;
    let path = "/ws/schema/table/students?projection=student_web_password";
    let refused = practice.ask(Method::GET, path, StatusCode::BAD_REQUEST).await;
    assert_eq!(refused["errors"][0]["code"], "No access to the field");
    let star = practice.get("/ws/schema/table/students?projection=*&pagesize=1").await;
    assert!(star["record"][0]["tables"]["students"].get("student_web_password").is_none());
}

#[rstest]
#[case::label(json!({"$q": "last_name==Mu*"}), "", "Last_Name LIKE 'Mu%'")]
#[case::table_and_field(json!({"$q": "students.id=gt=1100;STUDENTS.ID=le=1150"}), "", "ID > 1100 AND ID <= 1150")]
#[case::as_parameter(json!({}), "&q=id=gt=1100", "ID > 1100")]
#[tokio::test]
async fn a_power_query_is_filtered_and_ordered_on_the_way(
    #[case] keys: Value,
    #[case] parameters: &str,
    #[case] condition: &str,
) {
    let practice = Practice::start(options()).await;
    let mut body = json!({"status": "0"});
    body.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    let parameters = format!("?pagesize=0&count=true&order=last_name,students.id;desc{parameters}");
    let found = practice.query("students", &parameters, &body).await;
    let ids: Vec<i64> = found["record"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["id"].as_str().unwrap().parse().unwrap())
        .collect();
    let database = practice.database();
    let mut statement = database
        .prepare(&format!(
            "SELECT ID FROM Students WHERE Enroll_Status = 0 AND {condition} ORDER BY Last_Name, ID DESC"
        ))
        .unwrap();
    let expected: Vec<i64> = statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(!expected.is_empty());
    assert_eq!(ids, expected);
    assert_eq!(found["count"], expected.len());
    let path = "/ws/schema/query/com.example.practice.roster.students?order=shoe_size";
    let refused = practice.request(Method::POST, path).json(&json!({"status": 0})).send().await.unwrap();
    assert_eq!(json_of(refused, StatusCode::BAD_REQUEST).await["errors"][0]["field"], "shoe_size");
}

#[rstest]
#[case::staff(
    "staff",
    "name.last_name=ge=M",
    "SELECT COUNT(*) FROM Teachers WHERE Status = 1 AND Last_Name >= 'M' AND SchoolID = "
)]
#[case::section(
    "section",
    "term.start_year==2026",
    "SELECT COUNT(*) FROM Sections WHERE TermID / 100 = 36 AND SchoolID = "
)]
#[case::term("term", "start_year=lt=2026", "SELECT COUNT(*) FROM Terms WHERE YearID < 36 AND SchoolID = ")]
#[case::course(
    "course",
    "course_number=gt=2000",
    "SELECT COUNT(DISTINCT Course_Number) FROM Sections WHERE Course_Number > 2000 AND SchoolID = "
)]
#[tokio::test]
async fn every_resource_of_a_school_is_filtered_and_paged(
    #[case] kind: &str,
    #[case] q: &str,
    #[case] sql: &str,
) {
    let practice = Practice::start(options()).await;
    let (dcid, number): (i64, i64) = practice
        .database()
        .query_row("SELECT DCID, School_Number FROM Schools ORDER BY DCID LIMIT 1 OFFSET 3", (), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    let expected = practice.number(&format!("{sql}{number}"));
    assert!(expected > 0);
    let count = practice.get(&format!("/ws/v1/school/{dcid}/{kind}/count?q={q}")).await;
    assert_eq!(count["resource"]["count"], expected);
    let one = practice.get(&format!("/ws/v1/school/{dcid}/{kind}?q={q}&pagesize=1&expansions=term")).await;
    let row = &one[format!("{kind}s")][kind];
    assert!(row.is_object(), "a list of one is the bare object: {one}");
    assert_eq!(row["term"].is_object(), kind == "section");
    let alone = practice.get(&format!("/ws/v1/{kind}/{}", row["id"])).await;
    assert_eq!(alone[kind]["id"], row["id"]);
    practice
        .ask(Method::GET, &format!("/ws/v1/school/{dcid}/{kind}?q=shoe==9"), StatusCode::BAD_REQUEST)
        .await;
}

#[tokio::test]
async fn a_power_query_pages_counts_and_streams() {
    let practice = Practice::start(options()).await;
    let by_default = practice.query("students", "", &json!({"status": "0"})).await;
    assert_eq!(by_default["record"].as_array().unwrap().len(), 100, "a hundred unless asked otherwise");
    assert_eq!(by_default["name"], "students");
    let all = practice.query("students", "?pagesize=0&count=true", &json!({"status": 0})).await;
    assert_eq!(all["count"], 150, "a number");
    let records = all["record"].as_array().unwrap();
    assert_eq!(records.len(), 150);
    assert!(records[0]["id"].is_string() && records[0]["last_name"].is_string());
    let mut paged = Vec::new();
    for page in 1..=4 {
        let rows =
            practice.query("students", &format!("?page={page}&pagesize=40"), &json!({"status": "0"})).await;
        paged.extend(rows["record"].as_array().unwrap().clone());
    }
    assert_eq!(&paged, records);
    let after = records[9]["id"].clone();
    let rest = practice.query("students", "?pagesize=0", &json!({"status": "0", "after": after})).await;
    assert_eq!(rest["record"].as_array().unwrap()[..], records[10..]);

    let nobody = practice.query("students", "", &json!({"status": "7"})).await;
    assert!(nobody.get("record").is_none(), "{nobody}");
    let path = "/ws/schema/query/com.example.practice.roster.students/count";
    let count = practice.request(Method::POST, path).json(&json!({"status": 2})).send().await.unwrap();
    let left = practice.number("SELECT COUNT(*) FROM Students WHERE Enroll_Status = 2");
    assert_eq!(json_of(count, StatusCode::OK).await, json!({"count": left}));

    let nested = practice.query("sections", "?pagesize=1", &json!({})).await;
    let record = &nested["record"][0];
    assert!(record["tables"]["sections"]["id"].is_string(), "{nested}");
    assert!(record["tables"]["courses"]["course_name"].is_string(), "{nested}");

    let queries = practice.get("/ws/schema/query/api").await;
    assert_eq!(queries["queries"].as_array().unwrap().len(), 4);
}

/// Large enough that the answer leaves in many pieces.
#[tokio::test]
async fn a_long_answer_is_whole() {
    let practice = Practice::start(ServeOptions { students: 6_000, ..options() }).await;
    let path = "/ws/schema/query/com.example.practice.roster.students?pagesize=0";
    let mut response = practice.request(Method::POST, path).json(&json!({"status": 0})).send().await.unwrap();
    let mut body = Vec::new();
    let mut pieces = 0;
    while let Some(piece) = response.chunk().await.unwrap() {
        body.extend_from_slice(&piece);
        pieces += 1;
    }
    assert!(pieces > 1);
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["record"].as_array().unwrap().len(), 6_000);
}

#[tokio::test]
async fn a_power_query_is_refused_with_the_reason() {
    let practice = Practice::start(options()).await;
    let path = |name: &str| format!("/ws/schema/query/com.example.practice.roster.{name}");
    let births = practice.ask(Method::POST, &path("births"), StatusCode::BAD_REQUEST).await;
    assert_eq!(births["message"], "Validation Failed");
    assert_eq!(births["errors"].as_array().unwrap().len(), 1);
    assert_eq!(births["errors"][0]["field"], "students.dob");
    assert_eq!(births["errors"][0]["code"], "No access to the field");

    let argument = practice.ask(Method::POST, &path("students"), StatusCode::BAD_REQUEST).await;
    assert_eq!(argument["errors"][0]["field"], "status");
    practice.ask(Method::POST, &path("nothing"), StatusCode::NOT_FOUND).await;
    practice.ask(Method::POST, &path("broken"), StatusCode::INTERNAL_SERVER_ERROR).await;
}

#[tokio::test]
async fn without_a_plugin_only_core_resources_are_visible() {
    let practice = Practice::start(ServeOptions { plugin: None, ..options() }).await;
    practice.get("/ws/v1/district/school").await;
    let path = "/ws/schema/query/com.pearson.core.student.student_dcid_id_map?pagesize=0";
    let map = practice.ask(Method::POST, path, StatusCode::OK).await;
    let first = &map["record"][0];
    let dcid =
        practice.number(&format!("SELECT DCID FROM Students WHERE ID = {}", first["id"].as_str().unwrap()));
    assert_eq!(first["dcid"], dcid.to_string());
    practice.ask(Method::GET, "/ws/schema/table/students?projection=*", StatusCode::BAD_REQUEST).await;
    assert_eq!(practice.get("/ws/schema/query/api").await, json!({"queries": []}));
}

#[tokio::test]
async fn an_update_of_the_plugin_keeps_the_credentials_and_adds_access() {
    let practice = Practice::start(ServeOptions { plugin: None, ..options() }).await;
    let url = format!("{}/plugin", practice.running.control_url());
    let install = |zip: Vec<u8>| practice.client.post(&url).body(zip).send();
    let first = json_of(install(plugin("1.0", &[])).await.unwrap(), StatusCode::OK).await;
    assert_eq!(first["client_id"], practice.running.ready().powerschool.client_id);
    assert_eq!(first["client_secret"], practice.running.ready().powerschool.client_secret);
    let births = "/ws/schema/query/com.example.practice.roster.births";
    practice.ask(Method::POST, births, StatusCode::BAD_REQUEST).await;

    let same = json_of(install(plugin("1.0", &[])).await.unwrap(), StatusCode::CONFLICT).await;
    assert_eq!(same["code"], "practice.plugin");
    let second = plugin("1.0.1", &[("STUDENTS", "DOB", "ViewOnly")]);
    let second = json_of(install(second).await.unwrap(), StatusCode::OK).await;
    assert_eq!(second, json!({"installed": true, "plugin_id": 1}), "no credentials again");
    let rows = practice.query("births", "?pagesize=1", &json!({})).await;
    let dob = rows["record"][0]["dob"].as_str().unwrap();
    assert_eq!((&dob[2..3], &dob[5..6], dob.len()), ("/", "/", 10), "{dob}");
}

#[rstest]
#[case::not_a_zip(b"plugin".to_vec())]
#[case::in_a_folder(support::zipped(&[("plugin/plugin.xml", "<plugin/>")]))]
#[case::other_namespace(support::zipped(&[("plugin.xml", "<plugin xmlns='x' name='a' version='1'/>")]))]
#[case::no_publisher(support::zipped(&[(
    "plugin.xml",
    "<plugin xmlns='http://plugin.powerschool.pearson.com' name='a' version='1'><oauth/></plugin>"
)]))]
#[case::document_type(support::zipped(&[("plugin.xml", "<!DOCTYPE plugin [<!ENTITY a 'b'>]><plugin/>")]))]
#[case::not_xml(support::zipped(&[("plugin.xml", "<plugin")]))]
#[tokio::test]
async fn what_is_no_plugin_is_not_installed(#[case] zip: Vec<u8>) {
    let practice = Practice::start(options()).await;
    let url = format!("{}/plugin", practice.running.control_url());
    let answer = practice.client.post(&url).body(zip).send().await.unwrap();
    assert_eq!(json_of(answer, StatusCode::BAD_REQUEST).await["code"], "practice.plugin");
    practice.query("students", "", &json!({"status": 0})).await;
}

#[tokio::test]
async fn faults_strike_and_go_away() {
    let practice = Practice::start(options()).await;
    let district = || practice.request(Method::GET, "/ws/v1/district").send();

    practice.running.set_faults(Faults { maintenance: Some(Maintenance::Redirect), ..Faults::default() });
    let response = district().await.unwrap();
    assert_eq!(response.status(), StatusCode::FOUND);
    assert_eq!(response.headers()["location"], "https://message.powerschool.com/?server=127.0.0.1");

    practice.running.set_faults(Faults { maintenance: Some(Maintenance::Html), ..Faults::default() });
    let response = district().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.text().await.unwrap().contains("PowerSchool page unavailable"));

    let fail_next = Some(FailNext { n: 2, status: 503, retry_after: Some(7) });
    practice.running.set_faults(Faults { fail_next, ..Faults::default() });
    for _ in 0..2 {
        let response = district().await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "7");
    }
    assert_eq!(district().await.unwrap().status(), StatusCode::OK);

    practice.running.set_faults(Faults { revoked_credentials: true, ..Faults::default() });
    assert_eq!(district().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let secret = practice.running.ready().powerschool.client_secret.clone();
    let token = ask_token(&practice.client, &practice.running, "/oauth/access_token", &secret).await;
    assert_eq!(token.status(), StatusCode::UNAUTHORIZED);

    // Over the control port, as a test in another process does it.
    let url = format!("{}/faults", practice.running.control_url());
    let set = |faults: Value| practice.client.post(&url).json(&faults).send();
    assert_eq!(set(json!({"no_such_fault": 1})).await.unwrap().status(), StatusCode::UNPROCESSABLE_ENTITY);
    set(json!({"missing_access": ["Students.Last_Name"]})).await.unwrap();
    let path = "/ws/schema/query/com.example.practice.roster.students";
    let refused = practice.ask(Method::POST, path, StatusCode::BAD_REQUEST).await;
    assert_eq!(refused["errors"][0]["field"], "students.last_name");
    set(json!({"no_powerqueries": true})).await.unwrap();
    practice.ask(Method::POST, path, StatusCode::NOT_FOUND).await;
    set(json!({"page_limit": 3})).await.unwrap();
    let metadata = practice.get("/ws/v1/metadata").await;
    assert_eq!(metadata["metadata"]["student_max_page_size"], 3);
    let page = practice.query("students", "?pagesize=0", &json!({"status": 0})).await;
    assert_eq!(page["record"].as_array().unwrap().len(), 3);

    set(json!({"expire_tokens_now": true})).await.unwrap();
    assert_eq!(district().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let fresh = support::token(&practice.client, &practice.running).await;
    let again = practice.client.get(format!("{}/ws/v1/district", practice.running.ready().powerschool.url));
    assert_eq!(again.bearer_auth(fresh).send().await.unwrap().status(), StatusCode::OK);
}

/// The 'since' notes: what each version shows of itself and which endpoints it has.
#[rstest]
#[case::before_queries("8.0.4", None, [false, false, false, false])]
#[case::before_nine("8.3.0", None, [true, false, false, false])]
#[case::nine("9.0.0.0", Some("9.0.0.0"), [true, true, false, false])]
#[case::before_data_versions("9.2.9.0", Some("9.2.9.0"), [true, true, false, false])]
#[case::with_data_versions("9.3.0.0", Some("9.3.0.0"), [true, true, true, false])]
#[case::common("23.9.0.0", Some("23.9.0.0"), [true, true, true, false])]
#[case::before_batches("25.2.9.0", Some("25.2.9.0"), [true, true, true, false])]
#[case::with_batches("25.3.0.0", Some("25.3.0.0"), [true, true, true, true])]
#[tokio::test]
async fn old_versions_lack_endpoints(
    #[case] version: &str,
    #[case] shown: Option<&str>,
    #[case] has: [bool; 4],
) {
    let [queries, attendance, data_versions, batches] = has;
    let practice = Practice::start(options()).await;
    let subscribe = json!({"status": 0, "$dataversion_applicationname": "Roster"});
    practice.query("students", "", &subscribe).await;
    practice.running.set_faults(Faults { version: Some(version.into()), ..Faults::default() });
    let metadata = practice.get("/ws/v1/metadata").await;
    assert_eq!(metadata["metadata"].get("powerschool_version").and_then(Value::as_str), shown);
    assert_eq!(metadata["metadata"]["plugin_id"], 1);
    for (path, method, exists) in [
        ("/ws/schema/query/api", Method::GET, queries),
        ("/ws/schema/query/com.example.practice.roster.births/count", Method::POST, queries),
        ("/ws/dataversion/Roster/0", Method::GET, data_versions),
        ("/ws/attendance/daily_time", Method::POST, attendance),
        ("/ws/attendance/meeting_interval", Method::POST, attendance),
        ("/ws/attendance/batch_daily_time", Method::POST, batches),
        ("/ws/v1/district/school", Method::GET, true),
        ("/ws/schema/table/students/count", Method::GET, true),
    ] {
        let response = practice.request(method, path).json(&json!({})).send().await.unwrap();
        assert_eq!(response.status() != StatusCode::NOT_FOUND, exists, "{path}");
    }
}

#[tokio::test]
async fn the_control_port_answers_no_other_name() {
    let practice = Practice::start(options()).await;
    let url = &practice.running.ready().audit_url;
    let response = practice.client.get(url).header("host", "evil.example:80").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}
