//! What becomes of the rows of Hero's export, and that many at once come to the same as one after another.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use chrono::NaiveDate;
use rosterbridge_domain::{
    attendance::{AttendanceMode, Meeting},
    held::HeldFix,
    id::{
        AttendanceCodeId, BellScheduleId, CalendarDayId, CcId, CycleDayId, Dcid, PeriodId, SchoolDcid,
        SchoolNumber, SectionId, StudentDcid, TeacherId, TermId, YearId,
    },
    roster::{
        AttendanceCode, BellScheduleItem, CalendarDay, CycleDay, EnrollStatus, Period, School, Section,
        Student, Term,
    },
    settings::Setup,
};
use rosterbridge_hero::{ImportLayout, read_attendance};
use rosterbridge_store::{Roster, RosterStaging, roster::RosterMeta};
use rstest::rstest;

use super::*;

const YEAR: YearId = YearId::new(36);
const NORTH: SchoolNumber = SchoolNumber::new(100);
const SOUTH: SchoolNumber = SchoolNumber::new(200);

/// A day of November 2026; today is the 20th, the 11th is a holiday.
fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, day).unwrap()
}

fn student(number: i64, dcid: i64) -> Student {
    Student {
        dcid: StudentDcid::new(dcid),
        // Another order than that of the numbers.
        id: StudentId::new(20_000 - dcid),
        number: StudentNumber::new(number),
        first_name: "".into(),
        middle_name: "".into(),
        last_name: "".into(),
        dob: None,
        grade_level: 4,
        school: NORTH,
        enroll_status: EnrollStatus::ACTIVE,
        entry_date: Some(day(2)),
        exit_date: None,
        mailing_street: "".into(),
        mailing_city: "".into(),
        mailing_state: "".into(),
        mailing_zip: "".into(),
        guardian_email: "".into(),
        home_phone: "".into(),
        home_room: "".into(),
    }
}

/// The sections: id, course, section number, school, mode.
const SECTIONS: [(i64, &str, &str, SchoolNumber, AttendanceMode); 4] = [
    (1, "ENG9", "1", NORTH, AttendanceMode::Meeting),
    // Without SECTION_MEETING: its expression tells when it meets.
    (2, "MAT9", "1", NORTH, AttendanceMode::Meeting),
    (3, "HOME", "7", NORTH, AttendanceMode::Daily),
    (4, "ART", "2", SOUTH, AttendanceMode::Meeting),
];

/// Two schools of which the second knows no code `X`; students 9001 to 9040 in all sections, of whom 9002 left them on
/// the 10th and number 9003 is given twice.
fn roster(folder: &Path) -> Roster {
    let mut staging = RosterStaging::create(folder, &[7; 32]).unwrap();
    for school in [NORTH, SOUTH] {
        let number = school.get();
        let (dcid, name) = (SchoolDcid::new(number), number.to_string());
        staging.insert(&[School { dcid, number: school, name, abbreviation: String::new() }]).unwrap();
        staging
            .insert(&[Term {
                dcid: Dcid::new(number),
                id: TermId::new(3_600),
                year: YEAR,
                school,
                abbreviation: "26-27".to_owned(),
                first_day: day(2),
                last_day: day(30),
            }])
            .unwrap();
        let code = |id: i64, code: &str| AttendanceCode {
            dcid: Dcid::new(number + id),
            id: AttendanceCodeId::new(number + id),
            code: Some(code.to_owned()),
            description: String::new(),
            presence: "Present".to_owned(),
            school,
            year: YEAR,
        };
        staging.insert(&[code(1, "T"), code(2, "A"), code(3, "A")]).unwrap();
        if school == NORTH {
            staging.insert(&[code(4, "X")]).unwrap();
        }
        let period = |id: i64, abbreviation: &str| Period {
            id: PeriodId::new(number * 10 + id),
            number: id,
            name: format!("Period {id}"),
            abbreviation: abbreviation.to_owned(),
            school,
            year: YEAR,
        };
        let periods =
            [period(1, "P1"), period(2, "P2"), period(3, "LAB"), period(4, "LAB"), period(5, "ZERO")];
        let rings = periods.iter().take(4).map(|period| BellScheduleItem {
            id: period.id.get(),
            bell_schedule: BellScheduleId::new(number),
            period: period.id,
            start: 3_600 * (7 + u32::try_from(period.number).unwrap()),
            end: 3_600 * (7 + u32::try_from(period.number).unwrap()) + 3_000,
        });
        staging.insert(&rings.collect::<Vec<_>>()).unwrap();
        staging.insert(&periods).unwrap();
        staging
            .insert(&[CycleDay {
                id: CycleDayId::new(number),
                number: 1,
                letter: "A".to_owned(),
                school,
                year: YEAR,
            }])
            .unwrap();
        let days = (2..=20).map(|date| CalendarDay {
            id: CalendarDayId::new(number * 100 + i64::from(date)),
            school,
            date: day(date),
            in_session: date != 11,
            cycle_day: Some(CycleDayId::new(number)),
            bell_schedule: Some(BellScheduleId::new(number)),
        });
        staging.insert(&days.collect::<Vec<_>>()).unwrap();
    }
    for (id, course, section, school, mode) in SECTIONS {
        let (course_number, section_number) = (course.to_owned(), section.to_owned());
        staging
            .insert(&[Section {
                dcid: Dcid::new(id),
                id: SectionId::new(id),
                course_number,
                section_number,
                school,
                term: TermId::new(3_600),
                teacher: TeacherId::new(3),
                room: String::new(),
                external_expression: String::new(),
                att_mode_code: mode.code().to_owned(),
                attendance_type_code: 1,
            }])
            .unwrap();
    }
    let meeting = |section: i64, school, period_number| SectionMeeting {
        id: section * 10,
        section: SectionId::new(section),
        school,
        year: YEAR,
        period_number,
        cycle_day_letter: "A".into(),
    };
    staging.insert(&[meeting(1, NORTH, 1), meeting(4, SOUTH, 2)]).unwrap();
    let mut students: Vec<Student> = (9_001..=9_040).map(|number| student(number, number + 1)).collect();
    students.push(student(9_003, 15_000));
    staging.insert(&students).unwrap();
    for Student { id, number, .. } in students {
        let enrollments = SECTIONS.map(|(section, course_number, section_number, school, _)| Enrollment {
            dcid: Dcid::new(id.get() * 10 + section),
            id: CcId::new(id.get() * 10 + section),
            student: id,
            section: SectionId::new(section),
            term: TermId::new(3_600),
            dropped: false,
            course_number: course_number.into(),
            section_number: section_number.into(),
            school,
            teacher: TeacherId::new(3),
            expression: "2(A)".into(),
            period: "1".into(),
            date_enrolled: day(2),
            date_left: if number.get() == 9_002 { day(10) } else { day(30) },
        });
        staging.insert(&enrollments).unwrap();
    }
    let at = chrono::DateTime::UNIX_EPOCH;
    staging.finish(RosterMeta { pulled_at: at, today: day(20), years: vec![YEAR] }).unwrap()
}

fn district<'a>(roster: &'a Roster, setup: &'a Setup) -> District<'a> {
    District::new(roster, setup, chrono_tz::America::Chicago).unwrap()
}

/// A row of the file, its answer: the record as `school day meeting code`, or the reason and its detail.
#[rstest]
#[case::a_meeting("100\t9001\tENG9\t1\t11/19/2026\tT\tP1", Ok("100 10019 109981-1001 101"))]
#[case::by_the_expression("100\t9001\tMAT9\t1\t11/19/2026\tX\tP2", Ok("100 10019 109982-1002 104"))]
#[case::another_school("200\t9001\tART\t2\t11/19/2026\tT\tP2", Ok("200 20019 109984-2002 201"))]
#[case::by_the_day("100\t9001\tHOME\t7\t11/19/2026\tT\tP1", Ok("100 10019 - 101"))]
#[case::by_the_day_whatever_the_period("100\t9001\tHOME\t7\t11/19/2026\tT\t", Ok("100 10019 - 101"))]
#[case::before_it_left("100\t9002\tENG9\t1\t11/09/2026\tT\tP1", Ok("100 10009 109971-1001 101"))]
#[case::school("300\t9001\tENG9\t1\t11/19/2026\tT\tP1", Err((HoldReason::UnknownSchool, "300")))]
#[case::nobody("100\t1\tENG9\t1\t11/19/2026\tT\tP1", Err((HoldReason::UnknownStudent, "1")))]
#[case::two_students("100\t9003\tENG9\t1\t11/19/2026\tT\tP1", Err((HoldReason::AmbiguousStudent, "9003")))]
#[case::holiday("100\t9001\tENG9\t1\t11/11/2026\tT\tP1", Err((HoldReason::NotInSession, "2026-11-11")))]
#[case::long_ago("100\t9001\tENG9\t1\t11/19/2024\tT\tP1", Err((HoldReason::TooOld, "2024-11-19")))]
#[case::course(
    "100\t9001\teng9\t1\t11/19/2026\tT\tP1",
    Err((HoldReason::NoSuchEnrollment, "course eng9 section 1"))
)]
#[case::section(
    "100\t9001\tENG9\t01\t11/19/2026\tT\tP1",
    Err((HoldReason::NoSuchEnrollment, "course ENG9 section 01"))
)]
#[case::section_of_another_school(
    "100\t9001\tART\t2\t11/19/2026\tT\tP2",
    Err((HoldReason::NoSuchEnrollment, "course ART section 2"))
)]
#[case::no_section_at_all(
    "100\t9001\t\t \t11/19/2026\tT\tP1",
    Err((HoldReason::NoSuchEnrollment, "course (empty) section (empty)"))
)]
#[case::not_enrolled_any_more(
    "100\t9002\tENG9\t1\t11/10/2026\tT\tP1",
    Err((HoldReason::NoSuchEnrollment, "course ENG9 section 1, not on 2026-11-10"))
)]
#[case::period("100\t9001\tENG9\t1\t11/19/2026\tT\tp1", Err((HoldReason::UnknownPeriod, "p1")))]
#[case::no_period("100\t9001\tENG9\t1\t11/19/2026\tT\t", Err((HoldReason::UnknownPeriod, "(empty)")))]
#[case::two_periods("100\t9001\tENG9\t1\t11/19/2026\tT\tLAB", Err((HoldReason::AmbiguousPeriod, "LAB")))]
#[case::not_then("100\t9001\tENG9\t1\t11/19/2026\tT\tP2", Err((HoldReason::NoSuchMeeting, "P2")))]
#[case::does_not_ring("100\t9001\tENG9\t1\t11/19/2026\tT\tZERO", Err((HoldReason::NoSuchMeeting, "ZERO")))]
#[case::code_of_another_school("200\t9001\tART\t2\t11/19/2026\tX\tP2", Err((HoldReason::UnknownCode, "X")))]
#[case::code_in_another_case("100\t9001\tENG9\t1\t11/19/2026\tt\tP1", Err((HoldReason::UnknownCode, "t")))]
#[case::two_codes("100\t9001\tENG9\t1\t11/19/2026\tA\tP1", Err((HoldReason::AmbiguousCode, "A")))]
fn a_row_comes_to(#[case] line: &str, #[case] expected: Result<&str, (HoldReason, &str)>) {
    let folder = tempfile::tempdir().unwrap();
    let (roster, setup) = (roster(folder.path()), Setup::default());
    let mut file = read_attendance(line.as_bytes(), ImportLayout::default()).unwrap();
    let rows = hero_rows(&mut file, 3, &mut district(&roster, &setup)).unwrap();
    let [row] = rows.as_slice() else { panic!("{} rows", rows.len()) };
    assert_eq!((row.input, row.line, row.raw.as_str()), (3, 1, line));
    let found = match &row.wanted {
        Ok(AttendanceWrite { key, calendar_day, code_id, .. }) => {
            let meeting =
                key.meeting.map_or("-".to_owned(), |Meeting { cc, period }| format!("{cc}-{period}"));
            Ok(format!("{} {calendar_day} {meeting} {code_id}", key.school))
        }
        Err(Stop::Hold(reason, detail)) => Err((*reason, detail.clone())),
        Err(stop) => panic!("{stop:?}"),
    };
    assert_eq!(found, expected.map(str::to_owned).map_err(|(reason, detail)| (reason, detail.to_owned())));
}

#[test]
fn a_date_to_come_is_refused_and_bad_lines_keep_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let (roster, setup) = (roster(folder.path()), Setup::default());
    let text = "100\t9040\tHOME\t7\t11/19/2026\tT\t\n100\t9001\tHOME\t7\tyesterday\tT\t\n\
                100\t9001\tHOME\t7\t11/21/2026\tT\t\n\n\
                100\t9001\tHOME\t7\t11/19/2026\tT\t";
    let mut file = read_attendance(text.as_bytes(), ImportLayout::default()).unwrap();
    let rows = hero_rows(&mut file, 0, &mut district(&roster, &setup)).unwrap();
    let told: Vec<(u64, Option<i64>, String)> = rows
        .iter()
        .map(|row| {
            let told = match &row.wanted {
                Ok(write) => write.key.student.to_string(),
                Err(Stop::Reject(why)) => why.clone(),
                Err(stop) => panic!("{stop:?}"),
            };
            (row.line, row.student_number.map(StudentNumber::get), told)
        })
        .collect();
    assert_eq!(
        told,
        [
            (1, Some(9_040), "10959".to_owned()),
            (2, None, "Att_Date (column 5) is not a date like 09/30/2026 or 2026-09-30".to_owned()),
            (3, Some(9_001), "the date 2026-11-21 lies in the future".to_owned()),
            (5, Some(9_001), "10998".to_owned()),
        ]
    );
    assert_eq!(usize::try_from(file.whole_bytes()).unwrap(), text.rfind('\n').unwrap() + 1);
}

#[test]
fn a_file_of_several_parts_is_looked_up_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (roster, setup) = (roster(folder.path()), Setup::default());
    let good = "100\t9001\tENG9\t1\t11/19/2026\tT\tP1\n";
    let text = [good, &good.replacen("100", "300", 1).repeat(ROWS_AT_ONCE), good].concat();
    let mut file = read_attendance(text.as_bytes(), ImportLayout::default()).unwrap();
    let rows = hero_rows(&mut file, 0, &mut district(&roster, &setup)).unwrap();
    assert_eq!(rows.len(), ROWS_AT_ONCE + 2);
    assert!(rows.iter().map(|row| row.line).eq(1..=rows.len() as u64));
    let records: Vec<u64> = rows.iter().filter(|row| row.wanted.is_ok()).map(|row| row.line).collect();
    assert_eq!(records, [1, rows.len() as u64]);
    assert_eq!(file.whole_bytes(), text.len() as u64);
}

/// Every school, student, course, section, period and code with each other; days take turns.
fn all_sorts_of_rows() -> Vec<AttendanceRow> {
    let students: Vec<String> = (9_000..9_042).map(|number: i64| number.to_string()).collect();
    let mut rows = vec![Vec::new()];
    let students: Vec<&str> = students.iter().map(String::as_str).collect();
    for column in [
        students.as_slice(),
        &["ENG9", "MAT9", "HOME", "ART"],
        &["1", "2", "7"],
        &["100", "200", "300"],
        &["P1", "P2", "LAB", "ZERO", ""],
        &["T", "A", "X"],
    ] {
        let with = |row: &Vec<String>| {
            column.iter().map(|value| [row.as_slice(), &[(*value).to_owned()]].concat()).collect::<Vec<_>>()
        };
        rows = rows.iter().flat_map(with).collect();
    }
    let mut rows: Vec<AttendanceRow> = rows
        .into_iter()
        .enumerate()
        .filter_map(|(turn, row)| {
            let [student, course_number, section_number, school, period_abbreviation, code] =
                row.try_into().ok()?;
            Some(AttendanceRow {
                school: SchoolNumber::new(school.parse().ok()?),
                student: StudentNumber::new(student.parse().ok()?),
                course_number: course_number.into(),
                section_number: section_number.into(),
                date: day([19, 18, 10, 9, 11, 21, 19, 18][turn % 8]),
                code: code.into(),
                period_abbreviation: period_abbreviation.into(),
            })
        })
        .collect();
    // A file has its rows in no order of the roster's.
    rows.sort_by_key(|row| (row.student.get() * 7_919 % 101, row.section_number.clone()));
    rows
}

/// Rows as a file has them.
fn text(rows: &[AttendanceRow]) -> String {
    rows.iter().fold(String::new(), |mut text, row| {
        let AttendanceRow { school, student, course_number, section_number, date, code, period_abbreviation } = row;
        let _ = writeln!(
            text,
            "{school}\t{student}\t{course_number}\t{section_number}\t{date}\t{code}\t{period_abbreviation}"
        );
        text
    })
}

#[test]
fn many_rows_come_to_what_each_comes_to_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (roster, setup) = (roster(folder.path()), Setup::default());
    let rows = all_sorts_of_rows();
    assert_eq!(rows.len(), 42 * 4 * 3 * 3 * 5 * 3);
    let text = text(&rows);
    let mut file = read_attendance(text.as_bytes(), ImportLayout::default()).unwrap();
    let together = hero_rows(&mut file, 0, &mut district(&roster, &setup)).unwrap();
    assert_eq!(together.len(), rows.len());
    let mut one_by_one = district(&roster, &setup);
    let (mut records, mut reasons) = (0, BTreeSet::new());
    for ((line, together), row) in (1..).zip(together).zip(&rows) {
        assert_eq!((together.line, together.student_number), (line, Some(row.student)));
        // As a row about which a person decided nothing that it does not say.
        let alone = one_by_one.fixed_hero_row(row, HeldFix::default());
        assert_eq!(format!("{:?}", together.wanted), format!("{alone:?}"), "{row:?}");
        match alone {
            Ok(_) => records += 1,
            Err(Stop::Hold(reason, _)) => _ = reasons.insert(reason),
            Err(_) => {}
        }
    }
    // Of each kind there were some.
    assert!(records > 100, "{records}");
    assert_eq!(reasons.len(), 10, "{reasons:?}");
}
