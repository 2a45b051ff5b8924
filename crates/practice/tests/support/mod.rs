//! A practice district and a client that trusts it and nothing else.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::time::Duration;

use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode};
use rosterbridge_practice::{AttendanceMode, Running, ServeOptions};
use serde_json::{Value, json};

pub const DATE: &str = "2026-11-20";

/// Queries of the test plugin: one flattened with arguments, one nested, one that selects too little.
const QUERIES: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<queries>
  <query name="com.example.practice.roster.students" coreTable="students" flattened="true">
    <description>Students by status</description>
    <args>
      <arg name="status" type="primitive" required="true" description="Enrolment status"/>
      <arg name="after" type="primitive" required="false" default="0" description="ID to start after"/>
    </args>
    <columns>
      <column column="STUDENTS.ID">id</column>
      <column column="STUDENTS.DCID">dcid</column>
      <column column="STUDENTS.LAST_NAME">last_name</column>
      <column column="STUDENTS.MIDDLE_NAME">middle_name</column>
    </columns>
    <sql><![CDATA[
      SELECT ID, DCID, Last_Name, NVL(Middle_Name, NULL) FROM Students
       WHERE Enroll_Status = :status AND ID > :after AND ID < 99999999
       ORDER BY ID;
    ]]></sql>
  </query>
  <query name="com.example.practice.roster.sections" coreTable="sections" flattened="false">
    <description>Sections of this year</description>
    <columns>
      <column column="SECTIONS.ID">id</column>
      <column column="COURSES.COURSE_NAME">course_name</column>
    </columns>
    <sql>SELECT S.ID, C.Course_Name FROM Sections S, Courses C
          WHERE C.Course_Number = S.Course_Number AND S.TermID &gt;= ~(curyearid) * 100 ORDER BY S.ID</sql>
  </query>
  <query name="com.example.practice.roster.births" coreTable="students" flattened="true">
    <description>Needs a field that the plugin may not read</description>
    <columns>
      <column column="STUDENTS.ID">id</column>
      <column column="STUDENTS.DOB">dob</column>
    </columns>
    <sql>SELECT ID, TO_CHAR(DOB, 'MM/DD/YYYY') FROM Students ORDER BY ID</sql>
  </query>
  <query name="com.example.practice.roster.broken" coreTable="students" flattened="true">
    <description>Its SQL is wrong</description>
    <columns><column column="STUDENTS.ID">id</column></columns>
    <sql>SELECT No_Such_Column FROM Students</sql>
  </query>
</queries>"#;

/// A plugin with access to some fields; `extra` adds `field` elements.
pub fn plugin(version: &str, extra: &[(&str, &str, &str)]) -> Vec<u8> {
    let mut fields = String::new();
    let base = [
        ("STUDENTS", "ID", "ViewOnly"),
        ("STUDENTS", "DCID", "ViewOnly"),
        ("STUDENTS", "LAST_NAME", "ViewOnly"),
        ("Students", "Middle_Name", "ViewOnly"),
        ("STUDENTS", "Enroll_Status", "ViewOnly"),
        ("STUDENTS", "Student_Number", "ViewOnly"),
        ("SECTIONS", "ID", "ViewOnly"),
        ("COURSES", "COURSE_NAME", "ViewOnly"),
    ];
    for (table, field, access) in base.iter().chain(extra) {
        writeln!(fields, "<field table=\"{table}\" field=\"{field}\" access=\"{access}\"/>").unwrap();
    }
    for field in [
        "Att_Mode_Code",
        "Att_Date",
        "Attendance_CodeID",
        "Calendar_DayID",
        "CCID",
        "PeriodID",
        "SchoolID",
        "StudentID",
        "YearID",
        "Att_Comment",
        "Total_Minutes",
        "ProgramID",
    ] {
        writeln!(fields, "<field table=\"ATTENDANCE\" field=\"{field}\" access=\"FullAccess\"/>").unwrap();
    }
    zipped(&[
        (
            "plugin.xml",
            &format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                 <plugin xmlns=\"http://plugin.powerschool.pearson.com\" name=\"Practice Test\" version=\"{version}\" \
                 description=\"For tests\"><oauth/><access_request>{fields}</access_request>\
                 <publisher name=\"Tests\"><contact email=\"tests@example.com\"/></publisher></plugin>"
            ),
        ),
        ("queries_root/practice.named_queries.xml", QUERIES),
    ])
}

pub fn zipped(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A small district with the test plugin.
pub fn options() -> ServeOptions {
    ServeOptions {
        students: 150,
        schools: 5,
        date: Some(DATE.parse().unwrap()),
        plugin: Some(plugin("1.0", &[])),
        ..ServeOptions::default()
    }
}

/// A running district and everything a test asks it with.
pub struct Practice {
    pub running: Running,
    pub client: Client,
    pub token: String,
}

impl Practice {
    pub async fn start(options: ServeOptions) -> Self {
        let running = rosterbridge_practice::start(options).await.unwrap();
        let client = client(&running);
        let token = token(&client, &running).await;
        Self { running, client, token }
    }

    pub async fn with_attendance(attendance: AttendanceMode) -> Self {
        Self::start(ServeOptions { attendance, ..options() }).await
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.running.ready().powerschool.url))
            .bearer_auth(&self.token)
    }

    pub async fn get(&self, path: &str) -> Value {
        let response = self.request(Method::GET, path).send().await.unwrap();
        json_of(response, StatusCode::OK).await
    }

    pub async fn ask(&self, method: Method, path: &str, status: StatusCode) -> Value {
        json_of(self.request(method, path).send().await.unwrap(), status).await
    }

    pub async fn query(&self, name: &str, parameters: &str, body: &Value) -> Value {
        let path = format!("/ws/schema/query/com.example.practice.roster.{name}{parameters}");
        json_of(self.request(Method::POST, &path).json(body).send().await.unwrap(), StatusCode::OK).await
    }

    pub async fn audit(&self) -> Vec<Value> {
        let audit: Value =
            self.client.get(&self.running.ready().audit_url).send().await.unwrap().json().await.unwrap();
        audit["writes"].as_array().unwrap().clone()
    }

    /// What the control port answers to a POST.
    pub async fn control(&self, path: &str, body: &Value) -> Value {
        let response = self.ask_control(path, body).await;
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// A POST to the control port.
    pub async fn ask_control(&self, path: &str, body: &Value) -> Response {
        let url = format!("{}/{path}", self.running.control_url());
        self.client.post(url).json(body).send().await.unwrap()
    }

    pub fn database(&self) -> rusqlite::Connection {
        self.running.district().connect().unwrap()
    }

    pub fn number(&self, sql: &str) -> i64 {
        self.database().query_row(sql, (), |row| row.get(0)).unwrap()
    }
}

pub async fn json_of(response: Response, status: StatusCode) -> Value {
    let seen = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(seen, status, "{text}");
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"))
}

/// A client that trusts the practice authority only.
pub fn client(running: &Running) -> Client {
    // The first test of a process installs it; the others find it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority = Certificate::from_pem(running.ready().powerschool.ca_pem.as_bytes()).unwrap();
    Client::builder()
        .tls_certs_only([authority])
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .no_proxy()
        // What is compressed, and whether, is looked at in its raw form.
        .no_gzip()
        .build()
        .unwrap()
}

pub async fn ask_token(client: &Client, running: &Running, path: &str, secret: &str) -> Response {
    let access = &running.ready().powerschool;
    client
        .post(format!("{}{path}", access.url))
        .basic_auth(&access.client_id, Some(secret))
        .header("content-type", "application/x-www-form-urlencoded;charset=UTF-8")
        .body("grant_type=client_credentials")
        .send()
        .await
        .unwrap()
}

pub async fn token(client: &Client, running: &Running) -> String {
    let secret = running.ready().powerschool.client_secret.clone();
    let answer =
        json_of(ask_token(client, running, "/oauth/access_token", &secret).await, StatusCode::OK).await;
    answer["access_token"].as_str().unwrap().to_owned()
}

/// An attendance body with these records.
pub fn attendance(records: &[Value]) -> Value {
    let records: Vec<Value> = records
        .iter()
        .map(|fields| json!({"name": "ATTENDANCE", "tables": {"attendance": fields}}))
        .collect();
    json!({"name": "ATTENDANCE", "record": records})
}
