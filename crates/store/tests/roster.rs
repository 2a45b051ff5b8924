//! The roster: what goes in comes out, in order; and it is replaced as a whole.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use std::{ops::ControlFlow, path::Path};

use chrono::NaiveDate;
use proptest::prelude::*;
use rosterbridge_domain::{
    id::{
        AttendanceCodeId, BellScheduleId, CalendarDayId, CcId, CycleDayId, Dcid, PeriodId, SchoolDcid,
        SchoolNumber, SectionId, StudentDcid, StudentId, StudentNumber, TeacherId, TermId, YearId,
    },
    roster::{
        AttendanceCode, BellScheduleItem, CalendarDay, Course, CycleDay, EnrollStatus, Enrollment, Period,
        Reenrollment, RosterStudent, School, Section, SectionMeeting, Student, Teacher, Term,
    },
};
use rosterbridge_store::{
    Roster, RosterStaging, StoreError,
    roster::{PullState, RosterCounts, RosterMeta},
};
use support::{KEY, at, day, files_in};

const SCHOOL: SchoolNumber = SchoolNumber::new(100);
const YEAR: YearId = YearId::new(36);

fn meta() -> RosterMeta {
    RosterMeta { pulled_at: at(0), today: day(), years: vec![YEAR] }
}

fn student(number: i64) -> Student {
    Student {
        dcid: StudentDcid::new(number + 70_000),
        id: StudentId::new(10_000 - number),
        number: StudentNumber::new(number),
        first_name: "Zoë".into(),
        middle_name: "".into(),
        last_name: format!("O'Neil-{number}").into(),
        dob: NaiveDate::from_ymd_opt(2012, 2, 29),
        grade_level: -1,
        school: SCHOOL,
        enroll_status: EnrollStatus::ACTIVE,
        entry_date: NaiveDate::from_ymd_opt(2026, 8, 24),
        exit_date: None,
        mailing_street: "1 Main St".into(),
        mailing_city: "Springfield".into(),
        mailing_state: "IL".into(),
        mailing_zip: "62701".into(),
        guardian_email: "a@example.org,b@example.org".into(),
        home_phone: "555-0100".into(),
        home_room: "12".into(),
    }
}

fn enrollment(student: StudentId, id: i64) -> Enrollment {
    Enrollment {
        dcid: Dcid::new(id + 5),
        id: CcId::new(id),
        student,
        section: SectionId::new(9),
        term: TermId::new(3_600),
        dropped: id % 2 == 0,
        course_number: "ENG9".into(),
        section_number: "1".into(),
        school: SCHOOL,
        teacher: TeacherId::new(3),
        expression: "1(A-B)".into(),
        period: "1".into(),
        date_enrolled: day(),
        date_left: day().succ_opt().unwrap(),
    }
}

fn reenrollment(student: StudentId, id: i64) -> Reenrollment {
    Reenrollment {
        id,
        student,
        school: SCHOOL,
        entry_date: (id % 2 == 0).then(day),
        exit_date: day().succ_opt().unwrap(),
    }
}

fn section(id: i64) -> Section {
    Section {
        dcid: Dcid::new(id + 1),
        id: SectionId::new(id),
        course_number: "ENG9".to_owned(),
        section_number: "1".to_owned(),
        school: SCHOOL,
        term: TermId::new(3_600),
        teacher: TeacherId::new(3),
        // Some have none.
        room: if id == 9 { "204".to_owned() } else { String::new() },
        external_expression: "1(A-B)".to_owned(),
        att_mode_code: "ATT_ModeMeeting".to_owned(),
        attendance_type_code: 2,
    }
}

fn teacher(id: i64, number: &str) -> Teacher {
    Teacher {
        id: TeacherId::new(id),
        school: SCHOOL,
        number: number.to_owned(),
        first_name: "Ada".to_owned(),
        last_name: "Byron".to_owned(),
        email: "ada@example.org".to_owned(),
        status: 1,
    }
}

fn code(id: i64, code: Option<&str>, school: i64, year: i64) -> AttendanceCode {
    AttendanceCode {
        dcid: Dcid::new(id),
        id: AttendanceCodeId::new(id),
        code: code.map(str::to_owned),
        description: "Tardy".to_owned(),
        presence: "Present".to_owned(),
        school: SchoolNumber::new(school),
        year: YearId::new(year),
    }
}

/// A roster with only students of these numbers.
fn pull(folder: &Path, numbers: impl IntoIterator<Item = i64>) -> Roster {
    let mut staging = RosterStaging::create(folder, &KEY).unwrap();
    let students: Vec<_> = numbers.into_iter().map(student).collect();
    staging.insert(&students).unwrap();
    staging.finish(meta()).unwrap()
}

fn numbers(roster: &Roster) -> Vec<i64> {
    let mut numbers = Vec::new();
    roster
        .for_each_student(|student| {
            numbers.push(student.number.get());
            Ok::<_, StoreError>(ControlFlow::Continue(()))
        })
        .unwrap();
    numbers
}

#[test]
fn there_is_none_before_the_first_pull() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Roster::open(&folder.path().join("roster.db"), &KEY).unwrap().is_none());
    assert_eq!(files_in(folder.path()).len(), 0, "looking for it creates nothing");
}

#[test]
fn every_table_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut staging = RosterStaging::create(folder.path(), &KEY).unwrap();
    let schools = [200, 100].map(|number| School {
        dcid: SchoolDcid::new(number * 2),
        number: SchoolNumber::new(number),
        name: "Lincoln".to_owned(),
        abbreviation: "LHS".to_owned(),
    });
    let term = |id: i64, school: i64| Term {
        dcid: Dcid::new(id),
        id: TermId::new(id),
        year: YEAR,
        school: SchoolNumber::new(school),
        abbreviation: "S1".to_owned(),
        first_day: day(),
        last_day: day(),
    };
    let codes = [
        code(2, Some("T"), 100, 36),
        code(1, None, 100, 36),
        code(3, Some("T"), 100, 35),
        code(4, None, 200, 36),
    ];
    let period = |id: i64, school: i64| Period {
        id: PeriodId::new(id),
        number: 1,
        name: "First".to_owned(),
        abbreviation: "P1".to_owned(),
        school: SchoolNumber::new(school),
        year: YEAR,
    };
    let cycle = |id: i64, school: i64| CycleDay {
        id: CycleDayId::new(id),
        number: 1,
        letter: "A".to_owned(),
        school: SchoolNumber::new(school),
        year: YEAR,
    };
    let calendar = |id: i64, in_session: bool| CalendarDay {
        id: CalendarDayId::new(id),
        school: SCHOOL,
        date: day(),
        in_session,
        cycle_day: in_session.then_some(CycleDayId::new(1)),
        bell_schedule: in_session.then_some(BellScheduleId::new(2)),
    };
    let bell = |id: i64, schedule: i64| BellScheduleItem {
        id,
        bell_schedule: BellScheduleId::new(schedule),
        period: PeriodId::new(1),
        start: 29_700,
        end: 32_400,
    };
    let meeting = |section: i64, id: i64, letter: &str| SectionMeeting {
        id,
        section: SectionId::new(section),
        school: SCHOOL,
        year: YEAR,
        period_number: 1,
        cycle_day_letter: letter.into(),
    };
    let course = |number: &str, dcid: i64, name: &str| Course {
        dcid: Dcid::new(dcid),
        number: number.to_owned(),
        name: name.to_owned(),
    };
    let mut left = student(1);
    left.enroll_status = EnrollStatus::TRANSFERRED_OUT;
    left.dob = None;
    left.exit_date = Some(day());
    let enrollments = [enrollment(left.id, 5), enrollment(left.id, 6), enrollment(StudentId::new(1), 4)];

    staging.insert(&schools).unwrap();
    staging.insert(&[term(3_601, 200), term(3_600, 100)]).unwrap();
    staging.insert(&codes).unwrap();
    staging.insert(&[period(2, 100), period(1, 100), period(3, 200)]).unwrap();
    staging.insert(&[cycle(1, 100), cycle(2, 200)]).unwrap();
    staging.insert(&[calendar(5, true)]).unwrap();
    staging.insert(&[bell(1, 2), bell(2, 3), bell(3, 2)]).unwrap();
    staging.insert(&[meeting(9, 1, "A"), meeting(9, 2, "B"), meeting(10, 3, "A")]).unwrap();
    staging
        .insert(&[course("ENG9", 1, "English 9"), course("ENG9", 2, "copy"), course("ART", 3, "Art")])
        .unwrap();
    staging.insert(&[teacher(3, "20"), teacher(4, "10"), teacher(5, "20")]).unwrap();
    staging.insert(&[section(9), section(10)]).unwrap();
    staging.insert(&[left.clone(), student(2)]).unwrap();
    staging.insert(&[reenrollment(left.id, 8), reenrollment(StudentId::new(1), 6)]).unwrap();
    staging.insert(&[reenrollment(left.id, 7)]).unwrap();
    staging.insert(&enrollments[..2]).unwrap();
    staging.insert(&enrollments[2..]).unwrap();
    let counts = RosterCounts {
        schools: 2,
        students: 2,
        active_students: 1,
        reenrollments: 3,
        enrollments: 3,
        sections: 2,
        courses: 3,
        teachers: 3,
        terms: 2,
        attendance_codes: 4,
        periods: 3,
        cycle_days: 2,
        calendar_days: 1,
        bell_schedule_items: 3,
        section_meetings: 3,
    };
    assert_eq!(staging.counts(), counts);
    drop(staging.finish(meta()).unwrap());

    let roster = Roster::open(&folder.path().join("roster.db"), &KEY).unwrap().unwrap();
    assert_eq!((roster.meta(), roster.counts()), (&meta(), counts));
    assert_eq!(roster.schools().unwrap(), [schools[1].clone(), schools[0].clone()]);
    assert_eq!(roster.terms().unwrap(), [term(3_600, 100), term(3_601, 200)]);
    assert_eq!(roster.attendance_codes(SCHOOL, YEAR).unwrap(), [codes[1].clone(), codes[0].clone()]);
    assert_eq!(roster.all_attendance_codes().unwrap().len(), 4);
    assert_eq!(roster.periods(SCHOOL, YEAR).unwrap(), [period(1, 100), period(2, 100)]);
    assert_eq!(roster.cycle_days(SCHOOL, YEAR).unwrap(), [cycle(1, 100)]);
    assert_eq!(roster.calendar_day(SCHOOL, day()).unwrap(), Some(calendar(5, true)));
    assert_eq!(roster.calendar_day(SCHOOL, day().succ_opt().unwrap()).unwrap(), None);
    assert_eq!(roster.bell_items(BellScheduleId::new(2)).unwrap(), [bell(1, 2), bell(3, 2)]);
    assert_eq!(roster.section_meetings(SectionId::new(9)).unwrap(), [meeting(9, 1, "A"), meeting(9, 2, "B")]);
    assert_eq!(roster.course("ENG9").unwrap(), Some(course("ENG9", 1, "English 9")));
    assert_eq!(roster.course("eng9").unwrap(), None);
    let courses = roster.courses().unwrap();
    assert_eq!((courses.len(), courses["ENG9"].name.as_str()), (2, "English 9"));
    let by_number: Vec<_> = roster.teachers().unwrap().iter().map(|teacher| teacher.id.get()).collect();
    assert_eq!(by_number, [4, 3, 5]);
    assert_eq!(roster.section(SectionId::new(10)).unwrap(), Some(section(10)));
    assert_eq!(roster.section(SectionId::new(11)).unwrap(), None);
    let earlier = roster.reenrollments_of(left.id).unwrap();
    assert_eq!(earlier, [reenrollment(left.id, 7), reenrollment(left.id, 8)]);
    assert_eq!(roster.reenrollments_of(StudentId::new(2)).unwrap(), []);
    let names = roster.teacher_names().unwrap();
    let first = &roster.teachers().unwrap()[0];
    assert_eq!(names.get(first.id).unwrap().number, first.number);
    assert_eq!(names.get(first.id).unwrap().last_name, first.last_name);
    assert_eq!(names.get(TeacherId::new(77)), None);
    let places = roster.meeting_places().unwrap();
    let place = |id| {
        let place = places.get(SectionId::new(id))?;
        Some((place.room.as_str(), place.external_expression.as_str()))
    };
    assert_eq!(place(9), Some(("204", "1(A-B)")));
    assert_eq!((place(10), place(11)), (Some(("", "1(A-B)")), None));
    assert_eq!(roster.attendance_modes().unwrap(), [(SCHOOL, section(9).att_mode_code)]);
    assert_eq!(roster.students_by_number(left.number).unwrap(), [left.clone()]);
    assert_eq!(roster.students_by_number(StudentNumber::new(3)).unwrap(), []);
    assert_eq!(roster.enrollments_of(left.id).unwrap(), enrollments[..2]);
    assert_eq!(roster.enrollments_of(StudentId::new(77)).unwrap(), []);
}

#[test]
fn students_of_the_same_number_are_all_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut staging = RosterStaging::create(folder.path(), &KEY).unwrap();
    let twin = Student { dcid: StudentDcid::new(1), id: StudentId::new(1), ..student(5) };
    staging.insert(&[student(5), twin.clone()]).unwrap();
    let roster = staging.finish(meta()).unwrap();
    assert_eq!(roster.students_by_number(StudentNumber::new(5)).unwrap(), [twin, student(5)]);
    assert_eq!(numbers(&roster), [5, 5]);
}

#[test]
fn students_come_in_the_order_of_their_numbers_with_their_enrolments() {
    let folder = tempfile::tempdir().unwrap();
    let mut staging = RosterStaging::create(folder.path(), &KEY).unwrap();
    let mut expected: Vec<i64> = (1..=700).map(|n| n * 7 % 1_000).collect();
    for chunk in expected.chunks(90) {
        staging.insert(&chunk.iter().map(|number| student(*number)).collect::<Vec<_>>()).unwrap();
        for number in chunk {
            let id = student(*number).id;
            let of_student: Vec<_> = (0..number % 4).map(|n| enrollment(id, number * 10 + n)).collect();
            staging.insert(&of_student).unwrap();
        }
    }
    expected.sort_unstable();
    let roster = staging.finish(meta()).unwrap();
    assert_eq!(numbers(&roster), expected);

    let mut visited = Vec::new();
    roster
        .for_each_student_with_enrollments(|student, enrollments| {
            let number = student.number.get();
            assert_eq!(enrollments.len() as u64, (number % 4).unsigned_abs());
            assert!(enrollments.iter().all(|enrollment| enrollment.student == student.id));
            // Looking something up while visiting works.
            assert_eq!(roster.students_by_number(student.number)?.len(), 1);
            visited.push(number);
            Ok::<_, StoreError>(ControlFlow::Continue(()))
        })
        .unwrap();
    assert_eq!(visited, expected);
}

#[test]
fn a_visitor_may_stop_or_fail() {
    let folder = tempfile::tempdir().unwrap();
    let roster = pull(folder.path(), 1..=600);
    let mut seen = 0;
    roster
        .for_each_student(|_| {
            seen += 1;
            Ok::<_, StoreError>(if seen == 300 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .unwrap();
    assert_eq!(seen, 300);
    let error = roster.for_each_student_with_enrollments(|_, _| Err(StoreError::DiskFull)).unwrap_err();
    assert_eq!(error.code(), "store.disk_full");
}

#[test]
fn a_row_sent_twice_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut staging = RosterStaging::create(folder.path(), &KEY).unwrap();
    staging.insert(&[student(1)]).unwrap();
    match staging.insert(&[student(2), student(1)]) {
        Err(StoreError::DuplicateRow("students")) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unfinished_pull_leaves_the_roster_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    drop(pull(folder.path(), [1, 2]));
    let mut staging = RosterStaging::create(folder.path(), &KEY).unwrap();
    staging.insert(&[student(9)]).unwrap();
    assert_eq!(files_in(folder.path()).len(), 2);
    drop(staging);
    assert_eq!(files_in(folder.path()), [folder.path().join("roster.db")]);
    // Nor does what a killed process left behind matter.
    std::fs::write(folder.path().join("roster-staging.db"), b"half a file").unwrap();
    let roster = Roster::open(&folder.path().join("roster.db"), &KEY).unwrap().unwrap();
    assert_eq!(numbers(&roster), [1, 2]);
    drop(roster);
    assert_eq!(numbers(&pull(folder.path(), [3])), [3]);
}

#[test]
fn what_a_roster_names_of_the_students_comes_in_the_same_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut staging = RosterStaging::create(folder.path(), &KEY).unwrap();
    let students: Vec<Student> = (1..=5_000)
        .map(|number| Student {
            dob: student(number).dob.filter(|_| number % 3 > 0),
            home_room: if number % 5 == 0 { "".into() } else { format!("Room {number}").into() },
            guardian_email: "".into(),
            enroll_status: EnrollStatus(number % 4 - 1),
            school: SchoolNumber::new(number % 7),
            // One number for two students, across what is read at once.
            number: StudentNumber::new(if number == 2_049 { 2_048 } else { number }),
            ..student(number)
        })
        .collect();
    staging.insert(&students).unwrap();
    let roster = staging.finish(meta()).unwrap();
    let mut expected = students.iter().map(RosterStudent::from);
    roster
        .for_each_roster_student(|student| {
            assert_eq!(Some(*student), expected.next());
            Ok::<_, StoreError>(ControlFlow::Continue(()))
        })
        .unwrap();
    assert_eq!(expected.next(), None);

    let mut seen = 0;
    roster
        .for_each_roster_student(|_| {
            seen += 1;
            Ok::<_, StoreError>(if seen == 300 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .unwrap();
    assert_eq!(seen, 300);
    let error = roster.for_each_roster_student(|_| Err(StoreError::DiskFull)).unwrap_err();
    assert_eq!(error.code(), "store.disk_full");
}

#[test]
fn a_reader_keeps_its_pull_while_it_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let old = pull(folder.path(), 1..=600);
    let mut staging = RosterStaging::create(folder.path(), &KEY).unwrap();
    staging.insert(&[student(9)]).unwrap();
    let mut seen = 0;
    let mut staging = Some(staging);
    old.for_each_student(|_| {
        if let Some(staging) = staging.take() {
            match staging.finish(meta()) {
                Ok(new) => assert!(cfg!(unix) && numbers(&new) == [9]),
                // Windows does not replace a file that is open.
                Err(error) => assert!(cfg!(windows) && error.code() == "store.busy"),
            }
        }
        seen += 1;
        Ok::<_, StoreError>(ControlFlow::Continue(()))
    })
    .unwrap();
    assert_eq!(seen, 600);
    assert_eq!(old.students_by_number(StudentNumber::new(600)).unwrap().len(), 1);
    drop(old);
    let after = Roster::open(&folder.path().join("roster.db"), &KEY).unwrap().unwrap();
    assert_eq!(numbers(&after).len(), if cfg!(windows) { 600 } else { 1 });
}

#[test]
fn it_is_encrypted_and_its_owners() {
    let folder = tempfile::tempdir().unwrap();
    let mut staging = RosterStaging::create(folder.path(), &KEY).unwrap();
    // More than the page cache holds, so that the staging file is written before it is finished.
    let students: Vec<_> = (1..=60_000).map(student).collect();
    staging.insert(&students).unwrap();
    let check = |expected: &str| {
        let files = files_in(folder.path());
        assert_eq!(files, [folder.path().join(expected)]);
        let bytes = std::fs::read(&files[0]).unwrap();
        assert!(bytes.len() > 1_000_000, "rows have reached the disk: {}", bytes.len());
        for text in ["O'Neil-", "example.org", "CREATE TABLE", "SQLite format"] {
            assert!(
                !bytes.windows(text.len()).any(|window| window == text.as_bytes()),
                "'{text}' in {expected}"
            );
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);
        }
    };
    check("roster-staging.db");
    drop(staging.finish(meta()).unwrap());
    check("roster.db");
}

#[test]
fn threads_may_share_it() {
    let folder = tempfile::tempdir().unwrap();
    let roster = pull(folder.path(), 1..=600);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3).map(|_| scope.spawn(|| numbers(&roster).len())).collect();
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 600);
        }
    });
}

fn any_student() -> impl Strategy<Value = Student> {
    let date = || {
        prop::option::of(
            (-100_000..3_000_000_i32).prop_filter_map("a date", NaiveDate::from_num_days_from_ce_opt),
        )
    };
    (any::<[i64; 6]>(), prop::collection::vec(".*", 11), date(), date(), date()).prop_map(
        |([dcid, id, number, grade_level, school, status], text, dob, entry_date, exit_date)| {
            let mut text = text.into_iter();
            let mut next = || text.next().unwrap().into();
            Student {
                dcid: StudentDcid::new(dcid),
                id: StudentId::new(id),
                number: StudentNumber::new(number),
                first_name: next(),
                middle_name: next(),
                last_name: next(),
                dob,
                grade_level,
                school: SchoolNumber::new(school),
                enroll_status: EnrollStatus(status),
                entry_date,
                exit_date,
                mailing_street: next(),
                mailing_city: next(),
                mailing_state: next(),
                mailing_zip: next(),
                guardian_email: next(),
                home_phone: next(),
                home_room: next(),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_student_comes_back_as_it_went_in(students in prop::collection::vec(any_student(), 1..6)) {
        let folder = tempfile::tempdir().unwrap();
        let mut staging = RosterStaging::create(folder.path(), &KEY).unwrap();
        staging.insert(&students).unwrap();
        let roster = staging.finish(meta()).unwrap();
        let mut expected = students;
        expected.sort_by_key(|student| (student.number, student.dcid));
        let mut found = Vec::new();
        roster.for_each_student(|student| {
            found.push(student.clone());
            Ok::<_, StoreError>(ControlFlow::Continue(()))
        }).unwrap();
        prop_assert_eq!(found, expected);
    }
}

fn state(versions: &[(&str, u64)]) -> PullState {
    PullState {
        basis: "one".to_owned(),
        whole_at: at(0),
        versions: versions.iter().map(|(table, version)| ((*table).to_owned(), *version)).collect(),
        answers: [("TERMS".to_owned(), "digest".into())].into(),
    }
}

/// A roster of three students with an enrolment each, which the next pull may go on from.
fn pull_to_go_on_from(folder: &Path) -> Roster {
    let mut staging = RosterStaging::create(folder, &KEY).unwrap();
    let students = [student(1), student(2), student(3)];
    staging.insert(&students).unwrap();
    let enrollments: Vec<_> =
        students.iter().zip(10..).map(|(student, id)| enrollment(student.id, id)).collect();
    staging.insert(&enrollments).unwrap();
    staging.insert(&[section(9)]).unwrap();
    staging.keep(state(&[("STUDENTS", 7)]));
    staging.finish(meta()).unwrap()
}

#[test]
fn changes_are_laid_over_the_roster_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let before = pull_to_go_on_from(folder.path());
    assert_eq!(before.state(), Some(&state(&[("STUDENTS", 7)])));
    let mut staging = RosterStaging::copy(folder.path(), &KEY).unwrap();
    // One gets another number and leaves, one is new; an enrolment moves to another student.
    let left =
        Student { number: StudentNumber::new(9), enroll_status: EnrollStatus::TRANSFERRED_OUT, ..student(2) };
    staging.replace(&[left.clone(), student(4)]).unwrap();
    staging.replace(&[enrollment(student(4).id, 11)]).unwrap();
    assert_eq!((staging.counts().of::<Student>(), staging.counts().of::<Enrollment>()), (4, 3));
    staging.keep(state(&[("STUDENTS", 8)]));
    let roster = staging.finish(RosterMeta { pulled_at: at(60), ..meta() }).unwrap();

    assert_eq!(numbers(&roster), [1, 3, 4, 9]);
    assert_eq!(roster.students_by_number(left.number).unwrap(), [left]);
    assert_eq!(roster.enrollments_of(student(2).id).unwrap(), []);
    assert_eq!(roster.enrollments_of(student(4).id).unwrap().len(), 1);
    let counts = roster.counts();
    assert_eq!((counts.students, counts.active_students, counts.enrollments, counts.sections), (4, 3, 3, 1));
    assert_eq!(roster.meta().pulled_at, at(60));
    // Who had the former one open still sees it.
    assert_eq!(numbers(&before), [1, 2, 3]);
    assert_eq!(roster.state(), Some(&state(&[("STUDENTS", 8)])));
    assert_ne!(roster.content(), before.content(), "other rows have another name");
    let again = Roster::open(&folder.path().join("roster.db"), &KEY).unwrap().unwrap();
    assert_eq!(again.content(), roster.content(), "the same rows keep theirs");
}

#[test]
fn a_table_read_once_more_has_nothing_of_the_first_reading() {
    let folder = tempfile::tempdir().unwrap();
    let mut staging = RosterStaging::create(folder.path(), &KEY).unwrap();
    staging.insert(&[student(1), student(2)]).unwrap();
    staging.insert(&[section(1)]).unwrap();
    staging.discard::<Student>().unwrap();
    assert_eq!((staging.counts().students, staging.counts().active_students), (0, 0));
    staging.insert(&[student(2), student(5)]).unwrap();
    let roster = staging.finish(meta()).unwrap();
    assert_eq!(numbers(&roster), [2, 5]);
    let counts = roster.counts();
    assert_eq!((counts.students, counts.active_students, counts.sections), (2, 2, 1));
}

#[test]
fn a_copy_needs_a_roster_and_leaves_nothing_when_it_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(RosterStaging::copy(folder.path(), &KEY).unwrap_err().code(), "store.io");
    assert!(pull(folder.path(), [1]).state().is_none(), "it was left without a state");
    pull_to_go_on_from(folder.path());
    drop(RosterStaging::copy(folder.path(), &KEY).unwrap());
    assert_eq!(
        files_in(folder.path()),
        [folder.path().join("roster.db")],
        "what is not finished leaves nothing"
    );
    // The state belongs to the rows it was left with.
    let again = RosterStaging::copy(folder.path(), &KEY).unwrap().finish(meta()).unwrap();
    assert!(again.state().is_none());
}
