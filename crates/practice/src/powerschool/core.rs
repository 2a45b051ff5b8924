//! `/ws/v1`: core resources. Every id in them is a DCID.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use chrono::{SecondsFormat, TimeDelta, TimeZone as _, Utc};
use chrono_tz::America::Chicago;
use rusqlite::types::Value as Stored;
use rusqlite::{Connection, Row, params_from_iter};
use serde_json::{Value, json};

use super::answer::{Failure, container, dcid, loose, object, ok};
use super::tables::{given, page};
use super::{PowerSchool, fiql};
use crate::district::GRADUATED;

type Parameters = HashMap<String, String>;

/// Expansions of a student; PowerSchool lists what there is whether or not it was asked for.
const STUDENT_EXPANSIONS: &str = "demographics, addresses, alerts, phones, school_enrollment, ethnicity_race, \
    contact, contact_info, initial_enrollment, schedule_setup, fees, lunch";
const SECTION_EXPANSIONS: &str = "term";

pub(super) fn routes() -> Router<Arc<PowerSchool>> {
    Router::new()
        .route("/ws/v1/district", get(district))
        .route("/ws/v1/district/school", get(schools))
        .route("/ws/v1/district/school/count", get(school_count))
        .route("/ws/v1/district/student", get(district_students))
        .route("/ws/v1/district/student/count", get(district_student_count))
        .route("/ws/v1/school/{id}", get(one_school))
        .route("/ws/v1/school/{id}/{kind}", get(of_school))
        .route("/ws/v1/school/{id}/{kind}/count", get(count_of_school))
        .route("/ws/v1/section/{id}/section_enrollment", get(enrollments))
        .route("/ws/v1/{kind}/{id}", get(one))
}

/// A resource: names, where its rows come from, and how one is rendered.
struct Resource {
    /// The element of a list, and the wrapper of a single one.
    name: &'static str,
    /// The list's wrapper.
    plural: &'static str,
    /// Columns; the first is the DCID.
    columns: &'static str,
    from: &'static str,
    /// What belongs to a school, with `?` for its School_Number.
    in_school: &'static str,
    expansions: &'static str,
    render: fn(&Row<'_>, &[&str]) -> rusqlite::Result<Value>,
}

const STUDENT: Resource = Resource {
    name: "student",
    plural: "students",
    columns: "S.DCID, S.Student_Number, S.First_Name, S.Middle_Name, S.Last_Name, S.Gender, S.DOB, S.Street, S.City,
        S.State, S.Zip, S.Mailing_Street, S.Mailing_City, S.Mailing_State, S.Mailing_Zip, S.Home_Phone,
        S.GuardianEmail, S.Enroll_Status, S.EntryDate, S.ExitDate, S.Grade_Level, S.SchoolID, H.DCID, S.Student_Web_ID,
        S.Home_Room",
    from: "Students S LEFT JOIN Schools H ON H.School_Number = S.SchoolID",
    in_school: "S.SchoolID = ?",
    expansions: STUDENT_EXPANSIONS,
    render: student,
};

const STAFF: Resource = Resource {
    name: "staff",
    plural: "staffs",
    columns: "T.DCID, T.TeacherNumber, T.First_Name, T.Last_Name, T.Users_DCID, T.Status, T.Email_Addr",
    from: "Teachers T",
    in_school: "T.SchoolID = ? AND T.Status = 1",
    expansions: "emails",
    render: staff,
};

const SECTION: Resource = Resource {
    name: "section",
    plural: "sections",
    columns: "X.DCID, H.DCID, C.DCID, R.DCID, X.Section_Number, X.Expression, X.External_Expression, F.DCID,
        R.Abbreviation, R.FirstDay, R.LastDay, R.YearID",
    from: "Sections X JOIN Schools H ON H.School_Number = X.SchoolID
        JOIN Courses C ON C.Course_Number = X.Course_Number
        JOIN Terms R ON R.ID = X.TermID AND R.SchoolID = X.SchoolID
        JOIN SchoolStaff F ON F.ID = X.Teacher",
    in_school: "X.SchoolID = ?",
    expansions: SECTION_EXPANSIONS,
    render: section,
};

const COURSE: Resource = Resource {
    name: "course",
    plural: "courses",
    columns: "C.DCID, C.Course_Number, C.Course_Name",
    from: "Courses C",
    in_school: "C.Course_Number IN (SELECT Course_Number FROM Sections WHERE SchoolID = ?)",
    expansions: "",
    render: course,
};

const TERM: Resource = Resource {
    name: "term",
    plural: "terms",
    columns: "R.DCID, R.ID, R.Name, R.Abbreviation, R.FirstDay, R.LastDay, R.YearID, H.DCID",
    from: "Terms R JOIN Schools H ON H.School_Number = R.SchoolID",
    in_school: "R.SchoolID = ?",
    expansions: "",
    render: term,
};

const SCHOOL: Resource = Resource {
    name: "school",
    plural: "schools",
    columns: "H.DCID, H.School_Number, H.Name, H.Low_Grade, H.High_Grade, H.SchoolAddress, H.SchoolCity,
        H.SchoolState, H.SchoolZip, H.SchoolPhone",
    from: "Schools H",
    in_school: "H.School_Number = ?",
    expansions: "",
    render: school,
};

const ENROLLMENT: Resource = Resource {
    name: "section_enrollment",
    plural: "section_enrollments",
    columns: "E.DCID, X.DCID, S.DCID, E.DateEnrolled, E.DateLeft, E.SectionID < 0",
    from: "CC E JOIN Sections X ON X.ID = ABS(E.SectionID) JOIN Students S ON S.ID = E.StudentID",
    in_school: "E.SchoolID = ?",
    expansions: "",
    render: enrollment,
};

impl Resource {
    fn key(&self) -> &'static str {
        self.columns.split(',').next().unwrap_or("DCID")
    }

    fn count(&self, connection: &Connection, condition: &str, values: Vec<Stored>) -> Result<Value, Failure> {
        let count: i64 = connection.query_row(
            &format!("SELECT COUNT(*) FROM {} WHERE {condition}", self.from),
            params_from_iter(values),
            |row| row.get(0),
        )?;
        Ok(json!({"resource": {"count": count}}))
    }

    fn list(
        &self,
        connection: &Connection,
        condition: &str,
        values: Vec<Stored>,
        parameters: &Parameters,
        most: u32,
    ) -> Result<Value, Failure> {
        let (limit, offset) = page(parameters, most)?;
        let expansions = expansions(parameters);
        let mut statement = connection.prepare(&format!(
            "SELECT {} FROM {} WHERE {condition} ORDER BY {} LIMIT {limit} OFFSET {offset}",
            self.columns,
            self.from,
            self.key()
        ))?;
        let rows = statement
            .query_map(params_from_iter(values), |row| (self.render)(row, &expansions))?
            .collect::<Result<Vec<_>, _>>()?;
        let meta = [("@expansions", self.expansions), ("@extensions", "")];
        let meta = if self.expansions.is_empty() { &[][..] } else { &meta[..] };
        Ok(container(self.plural, meta, self.name, rows))
    }

    fn one(&self, connection: &Connection, dcid: i64, parameters: &Parameters) -> Result<Value, Failure> {
        let expansions = expansions(parameters);
        let mut statement = connection.prepare(&format!(
            "SELECT {} FROM {} WHERE {} = ?1",
            self.columns,
            self.from,
            self.key()
        ))?;
        let mut rows = statement.query([dcid])?;
        let row = rows.next()?.ok_or(Failure::NotFound)?;
        Ok(json!({ self.name: (self.render)(row, &expansions)? }))
    }
}

fn expansions(parameters: &Parameters) -> Vec<&str> {
    given(parameters, "expansions").unwrap_or_default().split(',').map(str::trim).collect()
}

/// Text of a column, or null.
fn text(row: &Row<'_>, index: usize) -> rusqlite::Result<Value> {
    Ok(row.get::<_, Option<String>>(index)?.map_or(Value::Null, Value::from))
}

/// Text that comes out as a number where it looks like one.
fn numberish(row: &Row<'_>, index: usize) -> rusqlite::Result<Value> {
    Ok(row.get::<_, Option<String>>(index)?.map_or(Value::Null, loose))
}

fn number(row: &Row<'_>, index: usize) -> rusqlite::Result<Value> {
    Ok(row.get::<_, Option<i64>>(index)?.map_or(Value::Null, Value::from))
}

/// The letter and words of an enrolment status (PowerSchool: Students.Enroll_Status).
fn enrollment_status(code: i64) -> (&'static str, &'static str) {
    match code {
        0 => ("A", "Active"),
        -1 => ("P", "Pre-registered"),
        2 => ("T", "Transferred out"),
        3 => ("G", "Graduated"),
        4 => ("H", "Historical"),
        _ => ("I", "Inactive"),
    }
}

fn student(row: &Row<'_>, expansions: &[&str]) -> rusqlite::Result<Value> {
    let wants = |name: &str| expansions.contains(&name);
    let mut student = object([
        ("id", number(row, 0)?),
        ("local_id", number(row, 1)?),
        ("student_username", text(row, 23)?),
        (
            "name",
            object([
                ("first_name", text(row, 2)?),
                ("middle_name", text(row, 3)?),
                ("last_name", text(row, 4)?),
            ]),
        ),
    ]);
    let address = |first: usize| -> rusqlite::Result<Value> {
        Ok(object([
            ("street", text(row, first)?),
            ("city", text(row, first + 1)?),
            ("state_province", text(row, first + 2)?),
            ("postal_code", numberish(row, first + 3)?),
        ]))
    };
    if wants("demographics") {
        student["demographics"] = object([("gender", text(row, 5)?), ("birth_date", text(row, 6)?)]);
    }
    if wants("addresses") {
        student["addresses"] = json!({"physical": address(7)?, "mailing": address(11)?});
    }
    if wants("phones") {
        let phone = numberish(row, 15)?;
        student["phones"] = if phone.is_null() { "".into() } else { json!({"main": {"number": phone}}) };
    }
    if wants("contact") {
        student["contact"] = object([("guardian_email", text(row, 16)?)]);
    }
    if wants("contact_info") {
        student["contact_info"] = object([("email", text(row, 16)?)]);
    }
    if wants("school_enrollment") {
        let status = row.get(17)?;
        let (letter, words) = enrollment_status(status);
        student["school_enrollment"] = object([
            ("enroll_status", letter.into()),
            ("enroll_status_description", words.into()),
            ("enroll_status_code", status.into()),
            ("entry_date", text(row, 18)?),
            ("exit_date", text(row, 19)?),
            ("grade_level", number(row, 20)?),
            ("school_number", number(row, 21)?),
            ("school_id", number(row, 22)?),
        ]);
    }
    if wants("schedule_setup") {
        student["schedule_setup"] = object([("home_room", text(row, 24)?)]);
    }
    Ok(student)
}

fn staff(row: &Row<'_>, expansions: &[&str]) -> rusqlite::Result<Value> {
    let mut staff = object([
        ("id", number(row, 0)?),
        ("local_id", numberish(row, 1)?),
        ("users_dcid", number(row, 4)?),
        ("name", object([("first_name", text(row, 2)?), ("last_name", text(row, 3)?)])),
    ]);
    if expansions.contains(&"emails") {
        staff["emails"] = object([("work_email", text(row, 6)?)]);
    }
    Ok(staff)
}

fn section(row: &Row<'_>, expansions: &[&str]) -> rusqlite::Result<Value> {
    let mut section = object([
        ("id", number(row, 0)?),
        ("school_id", number(row, 1)?),
        ("course_id", number(row, 2)?),
        ("term_id", number(row, 3)?),
        ("section_number", numberish(row, 4)?),
        ("expression", text(row, 5)?),
        ("external_expression", text(row, 6)?),
        ("staff_id", number(row, 7)?),
    ]);
    if expansions.contains(&"term") {
        section["term"] = object([
            ("id", number(row, 3)?),
            ("abbreviation", text(row, 8)?),
            ("start_date", text(row, 9)?),
            ("end_date", text(row, 10)?),
            ("start_year", (row.get::<_, i64>(11)? + 1990).into()),
        ]);
    }
    Ok(section)
}

fn course(row: &Row<'_>, _: &[&str]) -> rusqlite::Result<Value> {
    Ok(object([
        ("id", number(row, 0)?),
        ("course_number", numberish(row, 1)?),
        ("course_name", text(row, 2)?),
    ]))
}

fn term(row: &Row<'_>, _: &[&str]) -> rusqlite::Result<Value> {
    Ok(object([
        ("id", number(row, 0)?),
        ("local_id", number(row, 1)?),
        ("name", text(row, 2)?),
        ("abbreviation", text(row, 3)?),
        ("start_date", text(row, 4)?),
        ("end_date", text(row, 5)?),
        ("start_year", (row.get::<_, i64>(6)? + 1990).into()),
        ("school_id", number(row, 7)?),
    ]))
}

fn school(row: &Row<'_>, _: &[&str]) -> rusqlite::Result<Value> {
    let address = object([
        ("street", text(row, 5)?),
        ("city", text(row, 6)?),
        ("state_province", text(row, 7)?),
        ("postal_code", numberish(row, 8)?),
    ]);
    Ok(object([
        ("id", number(row, 0)?),
        ("name", text(row, 2)?),
        ("school_number", number(row, 1)?),
        ("low_grade", number(row, 3)?),
        ("high_grade", number(row, 4)?),
        ("addresses", json!({ "physical": address })),
        ("phones", json!({"main": {"number": text(row, 9)?}})),
    ]))
}

fn enrollment(row: &Row<'_>, _: &[&str]) -> rusqlite::Result<Value> {
    Ok(object([
        ("id", number(row, 0)?),
        ("section_id", number(row, 1)?),
        ("student_id", number(row, 2)?),
        ("entry_date", text(row, 3)?),
        ("exit_date", text(row, 4)?),
        ("dropped", row.get::<_, bool>(5)?.into()),
    ]))
}

fn resource(name: &str) -> Result<&'static Resource, Failure> {
    match name {
        "student" => Ok(&STUDENT),
        "staff" => Ok(&STAFF),
        "section" => Ok(&SECTION),
        "course" => Ok(&COURSE),
        "term" => Ok(&TERM),
        "school" => Ok(&SCHOOL),
        "section_enrollment" => Ok(&ENROLLMENT),
        _ => Err(Failure::NotFound),
    }
}

/// School_Number of a school's DCID; 'Graduated Students' is not among the resources.
fn school_number(connection: &Connection, dcid: i64) -> Result<i64, Failure> {
    use rusqlite::OptionalExtension as _;
    connection
        .query_row(
            "SELECT School_Number FROM Schools WHERE DCID = ?1 AND School_Number <> ?2",
            (dcid, GRADUATED),
            |row| row.get(0),
        )
        .optional()?
        .ok_or(Failure::NotFound)
}

/// What a resource can be filtered by: the name in the API and the SQL expression.
fn filter_fields(resource: &str) -> &'static [(&'static str, &'static str)] {
    match resource {
        "student" => &[
            ("id", "S.DCID"),
            ("local_id", "S.Student_Number"),
            ("name.last_name", "S.Last_Name"),
            ("name.first_name", "S.First_Name"),
            ("student_username", "S.Student_Web_ID"),
            ("school_enrollment.grade_level", "S.Grade_Level"),
            ("school_enrollment.entry_date", "S.EntryDate"),
            ("school_enrollment.exit_date", "S.ExitDate"),
            ("school_enrollment.school_number", "S.SchoolID"),
            ("school_enrollment.enroll_status_code", "S.Enroll_Status"),
            ("school_enrollment.enroll_status", "S.Enroll_Status"),
        ],
        "staff" => &[
            ("id", "T.DCID"),
            ("local_id", "T.TeacherNumber"),
            ("name.last_name", "T.Last_Name"),
            ("name.first_name", "T.First_Name"),
        ],
        "section" => &[
            ("id", "X.DCID"),
            ("section_number", "X.Section_Number"),
            ("course_id", "C.DCID"),
            ("term_id", "R.DCID"),
            ("staff_id", "F.DCID"),
            ("term.start_year", "R.YearID + 1990"),
        ],
        "course" => {
            &[("id", "C.DCID"), ("course_number", "C.Course_Number"), ("course_name", "C.Course_Name")]
        }
        "term" => &[
            ("id", "R.DCID"),
            ("local_id", "R.ID"),
            ("start_year", "R.YearID + 1990"),
            ("abbreviation", "R.Abbreviation"),
        ],
        "school" => &[("id", "H.DCID"), ("school_number", "H.School_Number"), ("name", "H.Name")],
        _ => &[],
    }
}

/// The stored code of an enrolment status letter.
fn status_code(letter: &str) -> String {
    [0i64, -1, 2, 3, 4]
        .into_iter()
        .find(|code| enrollment_status(*code).0 == letter)
        .map_or_else(|| letter.to_owned(), |code| code.to_string())
}

/// The `q` filter of a resource as a condition.
fn filter(resource: &Resource, parameters: &Parameters) -> Result<(String, Vec<Stored>), Failure> {
    let filter = fiql::parse(given(parameters, "q").unwrap_or_default(), resource.name, |name| {
        let (_, sql) =
            filter_fields(resource.name).iter().find(|field| field.0 == name).ok_or_else(|| {
                Failure::Validation(vec![(resource.name.into(), name.into(), "Invalid field".into())])
            })?;
        let letters = name == "school_enrollment.enroll_status";
        let spelled: fn(&str) -> String = if letters { status_code } else { ToOwned::to_owned };
        Ok(fiql::Field { sql: (*sql).into(), spelled })
    })?;
    Ok(if filter.sql.is_empty() { ("1 = 1".into(), filter.values) } else { (filter.sql, filter.values) })
}

/// `GET /ws/v1/time`: the practice date with the time of day that it is in the district now.
pub(super) async fn time(State(state): State<Arc<PowerSchool>>) -> Response {
    let clock = Utc::now().with_timezone(&Chicago).time();
    let ahead = state.faults().clock_ahead_seconds;
    let shown = TimeDelta::try_seconds(ahead)
        .and_then(|ahead| state.plan.date.and_time(clock).checked_add_signed(ahead))
        .unwrap_or_else(|| state.plan.date.and_time(clock));
    // The hour that daylight saving skips does not exist; one later does.
    let now =
        Chicago.from_local_datetime(&shown).earliest().unwrap_or_else(|| Utc::now().with_timezone(&Chicago));
    ok(&json!({"time": {"dateTime": now.to_rfc3339_opts(SecondsFormat::Millis, false)}}))
}

/// `GET /ws/v1/metadata`, with or without a token; only with one there is a plugin to speak of.
pub(super) async fn metadata(State(state): State<Arc<PowerSchool>>, headers: HeaderMap) -> Response {
    let limit = state.page_limit();
    let mut metadata = json!({
        "district_timezone": "America/Chicago",
        "district_uuid": state.district_uuid,
        "state": "MO",
        "student_max_page_size": limit,
        "school_max_page_size": limit,
        "staff_max_page_size": limit,
        "section_max_page_size": limit,
        "section_enrollment_max_page_size": limit,
        "course_max_page_size": limit,
        "term_max_page_size": limit,
        "schema_table_query_max_page_size": limit,
    });
    if state.carries_token(&headers).unwrap_or(false) {
        metadata["plugin_id"] = state.installed().plugin_id.into();
    }
    // Older servers do not say how old they are.
    if state.at_least(&[9]) {
        metadata["powerschool_version"] = state.version().into();
    }
    ok(&json!({ "metadata": metadata }))
}

async fn district(State(state): State<Arc<PowerSchool>>) -> Response {
    ok(&json!({"district": {
        "uuid": state.district_uuid,
        "name": "Practice School District",
        "district_number": 4001,
        "addresses": {"physical": {
            "street": "1 Schoolhouse Road", "city": "Cedar Bend", "state_province": "MO", "postal_code": 63001,
        }},
    }}))
}

async fn schools(
    State(state): State<Arc<PowerSchool>>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Failure> {
    state
        .read(move |state, connection| {
            let (condition, values) = real_schools(&parameters)?;
            Ok(ok(&SCHOOL.list(connection, &condition, values, &parameters, state.page_limit())?))
        })
        .await
}

async fn school_count(
    State(state): State<Arc<PowerSchool>>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Failure> {
    state
        .read(move |_, connection| {
            let (condition, values) = real_schools(&parameters)?;
            Ok(ok(&SCHOOL.count(connection, &condition, values)?))
        })
        .await
}

/// All schools but 'Graduated Students', and of these the wanted ones.
fn real_schools(parameters: &Parameters) -> Result<(String, Vec<Stored>), Failure> {
    let (condition, mut values) = filter(&SCHOOL, parameters)?;
    values.insert(0, Stored::Integer(GRADUATED));
    Ok((format!("H.School_Number <> ? AND {condition}"), values))
}

async fn district_students(
    State(state): State<Arc<PowerSchool>>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Failure> {
    state
        .read(move |state, connection| {
            let (condition, values) = filter(&STUDENT, &parameters)?;
            Ok(ok(&STUDENT.list(connection, &condition, values, &parameters, state.page_limit())?))
        })
        .await
}

async fn district_student_count(
    State(state): State<Arc<PowerSchool>>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Failure> {
    state
        .read(move |_, connection| {
            let (condition, values) = filter(&STUDENT, &parameters)?;
            Ok(ok(&STUDENT.count(connection, &condition, values)?))
        })
        .await
}

async fn one_school(
    State(state): State<Arc<PowerSchool>>,
    Path(id): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Failure> {
    state
        .read(move |_, connection| {
            let id = dcid(&id)?;
            school_number(connection, id)?;
            Ok(ok(&SCHOOL.one(connection, id, &parameters)?))
        })
        .await
}

/// The resource and condition of `/ws/v1/school/{id}/{kind}`.
fn in_school(
    connection: &Connection,
    id: i64,
    kind: &str,
    parameters: &Parameters,
) -> Result<(&'static Resource, String, Vec<Stored>), Failure> {
    let resource = match kind {
        "student" | "staff" | "section" | "course" | "term" => resource(kind)?,
        _ => return Err(Failure::NotFound),
    };
    let (condition, mut values) = filter(resource, parameters)?;
    values.insert(0, Stored::Integer(school_number(connection, id)?));
    Ok((resource, format!("{} AND {condition}", resource.in_school), values))
}

async fn of_school(
    State(state): State<Arc<PowerSchool>>,
    Path((id, kind)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Failure> {
    state
        .read(move |state, connection| {
            let (resource, condition, values) = in_school(connection, dcid(&id)?, &kind, &parameters)?;
            Ok(ok(&resource.list(connection, &condition, values, &parameters, state.page_limit())?))
        })
        .await
}

async fn count_of_school(
    State(state): State<Arc<PowerSchool>>,
    Path((id, kind)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Failure> {
    state
        .read(move |_, connection| {
            let (resource, condition, values) = in_school(connection, dcid(&id)?, &kind, &parameters)?;
            Ok(ok(&resource.count(connection, &condition, values)?))
        })
        .await
}

async fn enrollments(
    State(state): State<Arc<PowerSchool>>,
    Path(id): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Failure> {
    state
        .read(move |state, connection| {
            let id = dcid(&id)?;
            SECTION.one(connection, id, &parameters)?;
            let values = vec![Stored::Integer(id)];
            Ok(ok(&ENROLLMENT.list(connection, "X.DCID = ?", values, &parameters, state.page_limit())?))
        })
        .await
}

async fn one(
    State(state): State<Arc<PowerSchool>>,
    Path((kind, id)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Failure> {
    state.read(move |_, connection| Ok(ok(&resource(&kind)?.one(connection, dcid(&id)?, &parameters)?))).await
}
