//! Core resources, for a vendor's plugin without our queries and without access to the tables.

use crate::{
    reading::pull,
    stub::{Asked, Reply, Stub},
};
use chrono::NaiveDate;
use rosterbridge_domain::{
    id::{SchoolNumber, StudentDcid, StudentId, StudentNumber, TermId, YearId},
    job::Job,
    roster::{AttendanceCode, EnrollStatus, Student, Teacher, Term},
};
use rosterbridge_powerschool::{Error, PullScope, RosterRow};
use rstest::rstest;
use serde_json::{Value, json};

/// Three students, one of whom has left, on pages of two. Their IDs and DCIDs overlap.
fn student(n: i64, home_room: bool) -> Value {
    let mut student = json!({
        "id": 10 + n,
        "local_id": if n == 1 { json!(501) } else { json!((500 + n).to_string()) },
        "name": {"first_name": "Ada", "last_name": "Byron"},
        "demographics": {"gender": "F", "birth_date": "2012-02-29"},
        "addresses": {"mailing": {"street": "1 Main St", "city": "Springfield", "state_province": "IL", "postal_code": 62701}},
        "phones": if n == 2 { json!("") } else { json!({"main": {"number": 5_550_100}}) },
        "contact": {"guardian_email": "a@example.org"},
        "school_enrollment": {
            "enroll_status": if n == 3 { "T" } else { "A" }, "enroll_status_code": if n == 3 { 2 } else { 0 },
            "entry_date": "2026-08-24", "grade_level": 4, "school_number": 100, "school_id": 7,
        },
    });
    if home_room {
        student["schedule_setup"] = json!({"home_room": "B12"});
    }
    student
}

struct Vendor {
    home_room: bool,
    id_map: bool,
    /// The second student is on the second page as well.
    shifted: bool,
    /// Counted, of whom there are three.
    counted: i64,
}

impl Vendor {
    const USUAL: Self = Self { home_room: false, id_map: true, shifted: false, counted: 3 };

    fn answer(&self, asked: &Asked) -> Option<Reply> {
        let answer = match asked.path.as_str() {
            "/ws/v1/metadata" => {
                json!({"metadata": {"powerschool_version": "9.0", "student_max_page_size": "2"}})
            }
            "/ws/v1/district/student/count" => json!({"resource": {"count": self.counted}}),
            "/ws/v1/district/student" => {
                assert_eq!(asked.parameter("q"), None, "those who left count too");
                assert_eq!(asked.parameter("pagesize"), Some("2"));
                let expansions = "@expansions";
                match asked.parameter("page")? {
                    "1" => json!({"students": {expansions: "demographics, phones", "student": [
                        student(1, self.home_room), student(2, self.home_room),
                    ]}}),
                    _ if self.shifted => json!({"students": {"student": [
                        student(2, self.home_room), student(3, self.home_room),
                    ]}}),
                    _ => json!({"students": {"student": student(3, self.home_room)}}),
                }
            }
            "/ws/schema/query/com.pearson.core.student.student_dcid_id_map" if self.id_map => {
                assert_eq!(asked.parameter("pagesize"), Some("0"));
                let pair = |n: i64| json!({"dcid": (10 + n).to_string(), "id": 14 - n});
                json!({"record": [pair(1), pair(2), pair(3)]})
            }
            "/ws/v1/district/school/count" | "/ws/v1/school/7/term/count" => {
                json!({"resource": {"count": 1}})
            }
            "/ws/v1/district/school" => {
                json!({"schools": {"school": {"id": 7, "school_number": 100, "name": "A"}}})
            }
            "/ws/v1/school/7/term" => json!({"terms": {"term": {
                "id": 81, "local_id": 3600, "name": "2026-2027", "abbreviation": "26-27", "start_year": 2026,
                "start_date": "2026-08-24", "end_date": "2027-06-04", "school_id": 7,
            }}}),
            path if path.starts_with("/ws/schema/table/") => {
                let table = path.strip_prefix("/ws/schema/table/")?.split('/').next()?;
                let field = json!({"field": format!("{table}.id"), "code": "No access to the field"});
                return Some(Reply::json(400, json!({"message": "Validation Failed", "errors": field})));
            }
            _ => return None,
        };
        Some(Reply::json(200, answer))
    }

    async fn pull<R: RosterRow + Clone>(self, job: Job) -> Result<Vec<R>, Error> {
        let stub = Stub::start(move |asked| self.answer(asked)).await;
        let scope = PullScope { years: vec![YearId::new(36)], first_day: None, jobs: vec![job] };
        let (pulled, batches) = pull::<R>(&stub.client(), scope).await;
        let rows = batches.concat();
        assert_eq!(pulled?.rows, rows.len() as u64);
        Ok(rows)
    }
}

#[tokio::test]
async fn students_of_every_status_come_from_core_resources() {
    let students: Vec<Student> = Vendor::USUAL.pull(Job::HeroStudents).await.unwrap();
    let ids: Vec<_> = students.iter().map(|student| (student.dcid, student.id, student.number)).collect();
    let expected = [(11, 13, 501), (12, 12, 502), (13, 11, 503)];
    assert_eq!(
        ids,
        expected.map(|(dcid, id, number)| (
            StudentDcid::new(dcid),
            StudentId::new(id),
            StudentNumber::new(number)
        ))
    );
    let last = &students[2];
    assert_eq!(last.enroll_status, EnrollStatus::TRANSFERRED_OUT);
    assert_eq!(last.school, SchoolNumber::new(100));
    assert_eq!(last.dob, NaiveDate::from_ymd_opt(2012, 2, 29));
    assert_eq!((last.mailing_zip.as_str(), last.home_phone.as_str()), ("62701", "5550100"));
    assert_eq!((last.guardian_email.as_str(), last.middle_name.as_str()), ("a@example.org", ""));
    assert_eq!(students[1].home_phone, "", "one without a phone");
}

#[tokio::test]
async fn a_home_room_is_read_where_there_is_one() {
    let students: Vec<Student> =
        Vendor { home_room: true, ..Vendor::USUAL }.pull(Job::RaptorRoster).await.unwrap();
    assert!(students.iter().all(|student| student.home_room == "B12"));
}

fn named(error: &Error) -> &[String] {
    assert_eq!(error.code(), "powerschool.core_only", "{error}");
    match error {
        Error::CoreOnly { fields } => fields,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn what_core_resources_lack_is_named_and_not_blank() {
    let error = Vendor::USUAL.pull::<Student>(Job::RaptorRoster).await.unwrap_err();
    assert_eq!(named(&error), ["STUDENTS.HOME_ROOM"]);
    let scope = PullScope { jobs: vec![Job::HeroStudents, Job::RaptorRoster], ..PullScope::every_year() };
    assert_eq!(scope.kept_from::<Student>(&error), [Job::RaptorRoster]);
}

#[tokio::test]
async fn an_id_is_never_made_up_from_a_dcid() {
    let error =
        Vendor { id_map: false, ..Vendor::USUAL }.pull::<Student>(Job::HeroStudents).await.unwrap_err();
    assert_eq!(named(&error), ["STUDENTS.ID"]);
}

#[tokio::test]
async fn a_count_that_does_not_agree_is_no_roster() {
    let error = Vendor { counted: 4, ..Vendor::USUAL }.pull::<Student>(Job::HeroStudents).await.unwrap_err();
    assert_eq!(error.code(), "powerschool.changed_while_reading");
}

#[tokio::test]
async fn a_student_who_comes_on_two_pages_is_one() {
    let students: Vec<Student> =
        Vendor { shifted: true, ..Vendor::USUAL }.pull(Job::HeroStudents).await.unwrap();
    assert_eq!(students.len(), 3);
    let shifted = Vendor { shifted: true, counted: 4, ..Vendor::USUAL };
    let error = shifted.pull::<Student>(Job::HeroStudents).await.unwrap_err();
    assert_eq!(error.code(), "powerschool.changed_while_reading");
}

#[tokio::test]
async fn terms_come_from_every_school() {
    let terms: Vec<Term> = Vendor::USUAL.pull(Job::HeroStudents).await.unwrap();
    assert_eq!(terms.len(), 1);
    let term = &terms[0];
    assert_eq!(
        (term.id, term.year, term.school),
        (TermId::new(3_600), YearId::new(36), SchoolNumber::new(100))
    );
    assert_eq!(term.last_day, NaiveDate::from_ymd_opt(2027, 6, 4).unwrap());
}

#[rstest]
#[case::attendance_codes(Vendor::USUAL.pull::<AttendanceCode>(Job::RaptorTardies), "attendance_code.id")]
#[case::teachers(Vendor::USUAL.pull::<Teacher>(Job::HeroTeachers), "teachers.id")]
#[tokio::test]
async fn tables_without_a_core_resource_are_refused_by_name<R>(
    #[case]
    #[future]
    pulling: Result<Vec<R>, Error>,
    #[case] field: &str,
) where
    R: std::fmt::Debug,
{
    assert_eq!(named(&pulling.await.unwrap_err()), [field]);
}
