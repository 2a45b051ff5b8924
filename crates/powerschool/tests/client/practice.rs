//! The client against the practice district, with our own plugin installed.

use std::{collections::HashMap, time::Duration};

use chrono::NaiveDate;
use rosterbridge_domain::{
    attendance::{AttendanceKey, AttendanceWrite, Meeting, MeetingTimes},
    id::{AttendanceCodeId, CalendarDayId, SchoolNumber, YearId},
    job::Job,
    roster::{
        AttendanceCode, BellScheduleItem, CalendarDay, Course, CycleDay, EnrollStatus, Enrollment, Period,
        Reenrollment, School, Section, SectionMeeting, Student, Teacher, Term,
    },
    settings::PowerSchoolSettings,
};
use rosterbridge_powerschool::{
    Batch, Client, Connection, Error, PullScope, RosterRow, Timeouts, WriteAnswer, plugin,
};
use rosterbridge_practice::{
    AttendanceFault, AttendanceMode, DistrictChange, FailNext, Faults, Running, ServeOptions, start,
};
use rstest::rstest;
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::mpsc;

pub async fn district(options: ServeOptions) -> Running {
    let options = ServeOptions {
        students: 120,
        schools: 3,
        date: NaiveDate::from_ymd_opt(2026, 11, 20),
        plugin: options.plugin.or_else(|| plugin::build(&Job::ALL, 0).ok()),
        ..options
    };
    start(options).await.unwrap()
}

pub async fn with_faults(faults: Faults) -> Running {
    district(ServeOptions { faults, ..ServeOptions::default() }).await
}

pub fn settings(running: &Running) -> PowerSchoolSettings {
    let access = &running.ready().powerschool;
    PowerSchoolSettings {
        url: access.url.clone(),
        client_id: access.client_id.clone(),
        extra_roots: vec![access.ca_pem.clone()],
        ..PowerSchoolSettings::default()
    }
}

pub fn secret(running: &Running) -> SecretString {
    SecretString::from(running.ready().powerschool.client_secret.clone())
}

pub fn connection(running: &Running) -> Connection {
    Connection::from_settings(&settings(running), secret(running), None, Timeouts::default()).unwrap()
}

fn client(running: &Running) -> Client {
    Client::new(connection(running)).unwrap()
}

async fn pull<R: RosterRow>(client: &Client, scope: &PullScope) -> Result<Vec<R>, Error> {
    let (sink, mut batches) = mpsc::channel(2);
    let (client, scope) = (client.clone(), scope.clone());
    let pulling = tokio::spawn(async move { client.pull::<R>(&scope, sink).await });
    let mut rows = Vec::new();
    while let Some(batch) = batches.recv().await {
        match batch {
            Batch::Rows(batch) => rows.extend(batch),
            Batch::StartOver => rows.clear(),
        }
    }
    let pulled = pulling.await.unwrap()?;
    assert_eq!(pulled.rows, rows.len() as u64);
    Ok(rows)
}

fn year() -> PullScope {
    PullScope { years: vec![YearId::new(36)], ..PullScope::every_year() }
}

#[tokio::test]
async fn reads_time_metadata_and_schools() {
    let running = district(ServeOptions::default()).await;
    let client = client(&running);
    assert_eq!(client.time().await.unwrap().date(), NaiveDate::from_ymd_opt(2026, 11, 20).unwrap());
    let metadata = client.metadata().await.unwrap();
    assert!(metadata.version.unwrap().at_least((9, 0)));
    assert_eq!(metadata.district_timezone, Some(chrono_tz::America::Chicago));
    let schools = client.schools().await.unwrap();
    assert_eq!(schools.len(), 3);
    assert!(
        schools
            .iter()
            .all(|school| !school.abbreviation.is_empty() && school.number != SchoolNumber::GRADUATED)
    );
    running.stop().await;
}

/// Every table, read by queries.
struct Roster {
    schools: Vec<School>,
    students: Vec<Student>,
    enrollments: Vec<Enrollment>,
    sections: Vec<Section>,
    courses: Vec<Course>,
    teachers: Vec<Teacher>,
    terms: Vec<Term>,
    codes: Vec<AttendanceCode>,
    periods: Vec<Period>,
    cycle_days: Vec<CycleDay>,
    days: Vec<CalendarDay>,
    bells: Vec<BellScheduleItem>,
    meetings: Vec<SectionMeeting>,
}

async fn roster(client: &Client) -> Roster {
    let year = &year();
    Roster {
        schools: pull(client, year).await.unwrap(),
        students: pull(client, year).await.unwrap(),
        enrollments: pull(client, year).await.unwrap(),
        sections: pull(client, year).await.unwrap(),
        courses: pull(client, year).await.unwrap(),
        teachers: pull(client, year).await.unwrap(),
        terms: pull(client, year).await.unwrap(),
        codes: pull(client, year).await.unwrap(),
        periods: pull(client, year).await.unwrap(),
        cycle_days: pull(client, year).await.unwrap(),
        days: pull(client, year).await.unwrap(),
        bells: pull(client, year).await.unwrap(),
        meetings: pull(client, year).await.unwrap(),
    }
}

#[tokio::test]
async fn reads_every_table_and_the_same_without_queries() {
    let running = district(ServeOptions::default()).await;
    let reading = client(&running);
    let all = roster(&reading).await;
    let active = all.students.iter().filter(|student| student.enroll_status == EnrollStatus::ACTIVE).count();
    assert_eq!(active, 120);
    assert_eq!(active, running.ready().district.students as usize);
    let sections: HashMap<_, _> = all.sections.iter().map(|section| (section.id, section)).collect();
    let dropped = all.enrollments.iter().filter(|enrollment| enrollment.dropped).count();
    assert!(dropped > 0 && dropped < all.enrollments.len() / 2);
    for enrollment in &all.enrollments {
        let section = sections[&enrollment.section];
        assert_eq!(section.course_number, enrollment.course_number.as_str());
        assert_eq!(section.term, enrollment.term);
    }
    assert!(all.enrollments.iter().all(|enrollment| enrollment.term.get() / 100 == 36));
    assert!(all.codes.iter().any(|code| code.code.is_none()));
    assert!(all.codes.iter().any(|code| code.code.as_deref() == Some("T")));
    assert!(all.days.iter().any(|day| day.in_session && day.bell_schedule.is_some()));
    assert!(all.days.iter().any(|day| !day.in_session && day.cycle_day.is_none()));
    assert!(all.bells.iter().all(|bell| bell.start < bell.end));
    for rows in [
        all.schools.len(),
        all.courses.len(),
        all.teachers.len(),
        all.terms.len(),
        all.periods.len(),
        all.cycle_days.len(),
        all.meetings.len(),
    ] {
        assert!(rows > 0);
    }
    running.stop().await;

    let running = with_faults(Faults { no_powerqueries: true, ..Faults::default() }).await;
    let paging = client(&running);
    let mut paged = roster(&paging).await;
    // Dropped enrolments come before the others: a table's filter knows no 'or'.
    paged.enrollments.sort_by_key(|enrollment| (enrollment.student, enrollment.id));
    assert_eq!(paged.students, all.students);
    assert_eq!(paged.enrollments, all.enrollments);
    assert_eq!(paged.sections.len(), all.sections.len());
    assert_eq!(paged.days, all.days);
    assert_eq!(paged.codes, all.codes);
    assert_eq!(paged.meetings, all.meetings);
    running.stop().await;
}

/// As a vendor could write it: credentials, and nothing of the tables.
const VENDOR: &str = r#"<plugin xmlns="http://plugin.powerschool.pearson.com" name="Visitors" version="1.0">
    <oauth/><publisher name="Visitors"><contact email="help@visitors.example"/></publisher></plugin>"#;

/// The practice district with a vendor's plugin.
pub async fn of_vendor() -> Running {
    district(ServeOptions { plugin: Some(VENDOR.as_bytes().to_vec()), ..ServeOptions::default() }).await
}

#[tokio::test]
async fn core_resources_give_what_queries_give() {
    let ours = district(ServeOptions::default()).await;
    let vendors = of_vendor().await;
    for job in [Job::HeroStudents, Job::RaptorRoster] {
        let scope = PullScope { years: vec![YearId::new(36)], first_day: None, jobs: vec![job] };
        let expected: Vec<Student> = pull(&client(&ours), &scope).await.unwrap();
        let mut students: Vec<Student> = pull(&client(&vendors), &scope).await.unwrap();
        students.sort_by_key(|student| (student.number, student.dcid));
        assert_eq!(students, expected, "{job}");
        assert!(students.iter().any(|student| student.enroll_status != EnrollStatus::ACTIVE));
        assert!(students.iter().any(|student| !student.home_room.is_empty()));

        let expected: Vec<Term> = pull(&client(&ours), &scope).await.unwrap();
        let mut terms: Vec<Term> = pull(&client(&vendors), &scope).await.unwrap();
        terms.sort_by_key(|term| (term.school, term.id));
        assert_eq!(terms, expected, "{job}");
    }
    let names = |schools: Vec<School>| schools.into_iter().map(|school| school.name).collect::<Vec<_>>();
    assert_eq!(
        names(client(&vendors).schools().await.unwrap()),
        names(client(&ours).schools().await.unwrap())
    );
    ours.stop().await;
    vendors.stop().await;
}

#[tokio::test]
async fn what_no_core_resource_holds_is_refused_by_name() {
    async fn refused<R: RosterRow + std::fmt::Debug>(running: &Running, job: Job) {
        let scope = PullScope { years: vec![YearId::new(36)], first_day: None, jobs: vec![job] };
        match pull::<R>(&client(running), &scope).await.unwrap_err() {
            Error::CoreOnly { fields } => {
                let table = format!("{}.", R::table().to_lowercase());
                assert!(
                    !fields.is_empty() && fields.iter().all(|field| field.starts_with(&table)),
                    "{fields:?}"
                );
            }
            other => panic!("{job}: {other}"),
        }
    }

    let vendors = of_vendor().await;
    refused::<Teacher>(&vendors, Job::HeroTeachers).await;
    refused::<Enrollment>(&vendors, Job::HeroSchedule).await;
    refused::<Section>(&vendors, Job::RaptorTardies).await;
    refused::<AttendanceCode>(&vendors, Job::HeroAttendance).await;
    vendors.stop().await;
}

/// What a person sees of attendance: a daily and a meeting record each for one student.
async fn writes_for(client: &Client, date: NaiveDate) -> Vec<AttendanceWrite> {
    let all = roster(client).await;
    let code = |school: SchoolNumber, text: &str| -> AttendanceCodeId {
        all.codes
            .iter()
            .find(|code| {
                code.school == school && code.year == YearId::new(36) && code.code.as_deref() == Some(text)
            })
            .unwrap()
            .id
    };
    let day =
        |school: SchoolNumber| all.days.iter().find(|day| day.school == school && day.date == date).unwrap();
    let calendar_day = |school| -> CalendarDayId { day(school).id };
    let student = all.students.iter().find(|student| student.enroll_status == EnrollStatus::ACTIVE).unwrap();
    let daily = AttendanceWrite {
        key: AttendanceKey { school: student.school, student: student.id, date, meeting: None },
        code: "T".to_owned(),
        code_id: code(student.school, "T"),
        year: YearId::new(36),
        calendar_day: calendar_day(student.school),
        times: None,
        comment: String::new(),
        replaces: None,
        previous_code: None,
        previous_comment: None,
    };
    // The first class that meets on the day, whoever sits in it.
    let meeting = all
        .enrollments
        .iter()
        .filter(|enrollment| enrollment.includes(date))
        .find_map(|enrollment| {
            let school = enrollment.school;
            let day = day(school);
            let letter = &all.cycle_days.iter().find(|cycle| Some(cycle.id) == day.cycle_day)?.letter;
            let meets = all.meetings.iter().find(|meeting| {
                meeting.section == enrollment.section && meeting.cycle_day_letter == *letter
            })?;
            let period = all.periods.iter().find(|period| {
                period.school == school && period.year == meets.year && period.number == meets.period_number
            })?;
            let bell = all
                .bells
                .iter()
                .find(|bell| Some(bell.bell_schedule) == day.bell_schedule && bell.period == period.id)?;
            let cc = enrollment.id;
            Some(AttendanceWrite {
                key: AttendanceKey {
                    school,
                    student: enrollment.student,
                    date,
                    meeting: Some(Meeting { cc, period: period.id }),
                },
                code_id: code(school, "T"),
                calendar_day: day.id,
                times: Some(MeetingTimes { start: bell.start, end: bell.end }),
                ..daily.clone()
            })
        })
        .unwrap();
    vec![daily, meeting]
}

async fn audited(running: &Running) -> usize {
    let audit: Value = reqwest::get(&running.ready().audit_url).await.unwrap().json().await.unwrap();
    audit["writes"].as_array().unwrap().len()
}

fn date() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 20).unwrap()
}

#[rstest]
#[case(AttendanceMode::Upsert, "25.6.0.0")]
#[case(AttendanceMode::Insert, "25.6.0.0")]
#[case::without_the_batch(AttendanceMode::Upsert, "23.9.0.0")]
#[tokio::test]
async fn writes_attendance_and_reads_it_back(#[case] attendance: AttendanceMode, #[case] version: &str) {
    let faults = Faults { version: Some(version.to_owned()), ..Faults::default() };
    let running = district(ServeOptions { attendance, faults, ..ServeOptions::default() }).await;
    let client = client(&running);
    let writes = writes_for(&client, date()).await;
    let mut refused = writes[0].clone();
    refused.key.student = rosterbridge_domain::id::StudentId::new(987_654_321);
    let answers = client.write_attendance(&[writes[0].clone(), writes[1].clone(), refused]).await;
    assert!(matches!(answers[0], WriteAnswer::Written), "{answers:?}");
    assert!(matches!(answers[1], WriteAnswer::Written), "{answers:?}");
    assert!(
        matches!(&answers[2], WriteAnswer::Refused { field: Some(field), .. } if field == "studentid"),
        "{answers:?}"
    );
    assert_eq!(audited(&running).await, 2);
    for write in &writes {
        let held = client.attendance_on(write.key.school, date()).await.unwrap();
        let record = held
            .iter()
            .find(|record| {
                record.student == write.key.student
                    && record.mode == write.key.mode().code()
                    && record.cc == write.key.meeting.map(|meeting| meeting.cc)
                    && record.code_id == write.code_id
            })
            .expect("the record that was written");
        assert_eq!(record.period, write.key.meeting.map(|meeting| meeting.period));

        // A replacement changes the same record.
        let replacing =
            AttendanceWrite { replaces: Some(record.dcid), comment: "x".to_owned(), ..write.clone() };
        let answers = client.write_attendance(&[replacing]).await;
        assert!(matches!(answers[0], WriteAnswer::Written), "{answers:?}");
        let after = client.attendance_on(write.key.school, date()).await.unwrap();
        assert_eq!(after.len(), held.len());
        assert!(after.iter().any(|after| after.dcid == record.dcid && after.comment == "x"));
    }
    running.stop().await;
}

#[rstest]
#[case::applied(AttendanceFault::ApplyThenDrop { n: 1 }, 1)]
#[case::not_applied(AttendanceFault::DropBeforeApply { n: 1 }, 0)]
#[tokio::test]
async fn a_lost_answer_is_unclear_and_nothing_is_sent_again(
    #[case] fault: AttendanceFault,
    #[case] applied: usize,
) {
    let faults = Faults { attendance: Some(fault), ..Faults::default() };
    let running =
        district(ServeOptions { attendance: AttendanceMode::Insert, faults, ..ServeOptions::default() })
            .await;
    let client = client(&running);
    let writes = writes_for(&client, date()).await;
    let answers = client.write_attendance(&writes[..1]).await;
    assert!(matches!(answers[0], WriteAnswer::Unclear(Error::Unreachable { .. })), "{answers:?}");
    assert_eq!(audited(&running).await, applied);
    running.stop().await;
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_unclear() {
    let fault = AttendanceFault::ApplyLate { n: 1, seconds: 0 };
    let running = with_faults(Faults { attendance: Some(fault), ..Faults::default() }).await;
    let patient = client(&running);
    let writes = writes_for(&patient, date()).await;
    let timeouts = Timeouts {
        connect: Duration::from_millis(500),
        request: Duration::from_millis(500),
        ..Timeouts::default()
    };
    let connection =
        Connection::from_settings(&settings(&running), secret(&running), None, timeouts).unwrap();
    let hasty = Client::new(connection).unwrap();
    hasty.authenticate().await.unwrap();
    let answers = hasty.write_attendance(&writes[..1]).await;
    assert!(matches!(answers[0], WriteAnswer::Unclear(Error::Timeout { .. })), "{answers:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_token_that_lives_for_a_second_carries_a_whole_pull() {
    let running = with_faults(Faults { token_lifetime_seconds: Some(1), ..Faults::default() }).await;
    assert_eq!(roster(&client(&running)).await.schools.len(), 4);
    running.stop().await;
}

#[tokio::test]
async fn a_server_that_fails_twice_is_asked_again() {
    let fail_next = Some(FailNext { n: 2, status: 503, retry_after: Some(0) });
    let running = with_faults(Faults { fail_next, ..Faults::default() }).await;
    client(&running).metadata().await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn a_page_limit_does_not_cost_rows() {
    let running = with_faults(Faults { page_limit: Some(37), ..Faults::default() }).await;
    let students: Vec<Student> = pull(&client(&running), &year()).await.unwrap();
    assert!(students.len() > 120);
    running.stop().await;
}

/// How the schools take attendance, by query and page by page: only that, of all preferences there are.
#[rstest]
#[case::by_query(false)]
#[case::page_by_page(true)]
#[tokio::test]
async fn attendance_preferences_are_read(#[case] no_powerqueries: bool) {
    let running = with_faults(Faults { no_powerqueries, ..Faults::default() }).await;
    let client = client(&running);
    let preferences = client.school_preferences().await.unwrap();
    let of = |school: &School, name: &str| {
        let mut values = preferences
            .iter()
            .filter(|row| row.school == school.number && row.name == name && row.year == YearId::new(36))
            .map(|row| row.value.clone());
        (values.next(), values.next())
    };
    let mut both = 0;
    for school in pull::<School>(&client, &year()).await.unwrap() {
        let (meeting, daily) = (of(&school, "ATT_RecordModeMeeting"), of(&school, "ATT_RecordModeDaily"));
        assert!(meeting.1.is_none() && daily.1.is_none());
        let records_both = meeting.0.as_deref() == Some("1") && daily.0.as_deref() == Some("1");
        both += usize::from(records_both);
        assert_eq!(of(&school, "ATT_BridgePeriod").0.is_some(), records_both, "{}", school.name);
    }
    assert!(both > 0);
    running.stop().await;
}

/// Enrolments in schools that ended after the school year began, by query and page by page. A day on which one ended is
/// the first that is not of it.
#[rstest]
#[case::by_query(false)]
#[case::page_by_page(true)]
#[tokio::test]
async fn earlier_enrolments_of_the_school_year_are_read(#[case] no_powerqueries: bool) {
    let running = with_faults(Faults { no_powerqueries, ..Faults::default() }).await;
    let client = client(&running);
    let students: Vec<Student> = pull(&client, &year()).await.unwrap();
    let schools: Vec<School> = pull(&client, &year()).await.unwrap();
    let moved = students.iter().find(|student| student.enroll_status == EnrollStatus::ACTIVE).unwrap();
    let other = schools.iter().find(|school| school.number != moved.school).unwrap();
    let day = |day: u32| NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
    running
        .change_district(vec![DistrictChange::Move {
            student_number: moved.number.get(),
            to_school: other.number.get(),
            on: Some(day(19)),
        }])
        .await
        .unwrap();
    let first_day = students.iter().filter_map(|student| student.entry_date).min();
    for (first_day, is_read) in [(first_day, true), (Some(day(18)), true), (Some(day(19)), false)] {
        let scope = PullScope { first_day, ..year() };
        let rows: Vec<Reenrollment> = pull(&client, &scope).await.unwrap();
        assert!(rows.iter().all(|row| row.exit_date > first_day.unwrap()));
        let row = rows.iter().find(|row| row.student == moved.id);
        assert_eq!(row.is_some(), is_read, "{first_day:?}");
        if let Some(row) = row {
            assert_eq!((row.school, row.entry_date), (moved.school, moved.entry_date));
            assert_eq!(row.exit_date, day(19));
        }
    }
    running.stop().await;
}

/// An older plugin has neither the query nor the fields: what that costs is told, and nothing is kept back.
#[tokio::test]
async fn a_plugin_may_do_without_earlier_enrolments() {
    let missing_access = vec!["REENROLLMENTS.EXITDATE".to_owned()];
    let running = with_faults(Faults { missing_access, ..Faults::default() }).await;
    let scope = PullScope { jobs: vec![Job::RaptorTardies], ..year() };
    let error = pull::<Reenrollment>(&client(&running), &scope).await.unwrap_err();
    assert_eq!(error.code(), "powerschool.no_access");
    let warning = scope.without::<Reenrollment>(&error).unwrap();
    assert_eq!(warning.code(), "powerschool.partial_access");
    assert!(warning.to_string().contains("REENROLLMENTS"), "{warning}");
    assert_eq!(scope.without::<Student>(&error), None);
    let busy = Error::Stopped;
    assert_eq!(scope.without::<Reenrollment>(&busy), None);
    running.stop().await;
}

/// They only suggest something: no exchange and no test needs them.
#[tokio::test]
async fn a_plugin_may_do_without_preferences() {
    let missing_access = vec!["PREFS.VALUE".to_owned()];
    let running = with_faults(Faults { missing_access, ..Faults::default() }).await;
    assert_eq!(client(&running).school_preferences().await.unwrap_err().code(), "powerschool.no_access");
    let needed = plugin::access_needed(&Job::ALL);
    assert!(needed.iter().all(|field| field.table != "PREFS"));
    assert!(plugin::queries_needed(&Job::ALL).iter().all(|query| !query.columns[0].starts_with("PREFS.")));
    running.stop().await;
}

#[tokio::test]
async fn a_plugin_without_our_fields_names_what_it_lacks() {
    let missing_access = vec!["STUDENTS.DOB".to_owned(), "STUDENTS.HOME_PHONE".to_owned()];
    let running = with_faults(Faults { missing_access, ..Faults::default() }).await;
    let error = pull::<Student>(&client(&running), &year()).await.unwrap_err();
    assert!(
        matches!(&error, Error::NoAccess { fields } if *fields == ["students.dob", "students.home_phone"]),
        "{error}"
    );
    running.stop().await;
}
