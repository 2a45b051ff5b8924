//! Where a student is enrolled on a day: at present, earlier, on the day between two schools, and where rows overlap.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use chrono::NaiveDate;
use rosterbridge_domain::{
    id::{SchoolNumber, StudentDcid, StudentId, StudentNumber},
    roster::{EnrollStatus, Reenrollment, Student},
};
use rstest::rstest;

/// A day of November 2026.
fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, day).unwrap()
}

fn student((school, entry, exit): (i64, Option<u32>, Option<u32>)) -> Student {
    Student {
        dcid: StudentDcid::new(71),
        id: StudentId::new(7),
        number: StudentNumber::new(9_007),
        first_name: "".into(),
        middle_name: "".into(),
        last_name: "".into(),
        dob: None,
        grade_level: 4,
        school: SchoolNumber::new(school),
        enroll_status: EnrollStatus::ACTIVE,
        entry_date: entry.map(day),
        exit_date: exit.map(day),
        mailing_street: "".into(),
        mailing_city: "".into(),
        mailing_state: "".into(),
        mailing_zip: "".into(),
        guardian_email: "".into(),
        home_phone: "".into(),
        home_room: "".into(),
    }
}

fn earlier(stays: &[(i64, Option<u32>, u32)]) -> Vec<Reenrollment> {
    let stay = |(id, (school, entry, exit)): (i64, &(i64, Option<u32>, u32))| Reenrollment {
        id,
        student: StudentId::new(7),
        school: SchoolNumber::new(*school),
        entry_date: entry.map(day),
        exit_date: day(*exit),
    };
    (1..).zip(stays).map(stay).collect()
}

/// The present enrolment (school, first day, day after the last), earlier ones, the day, the school asked about, and the
/// school the student is enrolled at.
#[rstest]
#[case::present((100, Some(2), None), &[], 20, 100, Some(100))]
#[case::before_it_began((100, Some(20), None), &[], 19, 100, None)]
#[case::on_its_first_day((100, Some(20), None), &[], 20, 100, Some(100))]
#[case::after_leaving((100, Some(2), Some(20)), &[], 20, 100, None)]
#[case::moved_the_day_before((200, Some(20), None), &[(100, Some(2), 20)], 19, 100, Some(100))]
#[case::moved_and_asked_for_the_new_school((200, Some(20), None), &[(100, Some(2), 20)], 19, 200, Some(100))]
#[case::the_day_of_the_move_is_the_new_schools((200, Some(20), None), &[(100, Some(2), 20)], 20, 100, Some(200))]
#[case::moved_twice((300, Some(20), None), &[(100, Some(2), 10), (200, Some(10), 20)], 10, 100, Some(200))]
#[case::the_day_of_an_earlier_move((300, Some(20), None), &[(200, Some(10), 20), (100, Some(2), 10)], 10, 200, Some(200))]
#[case::came_back_before_leaving((100, Some(20), None), &[(100, Some(2), 10)], 9, 100, Some(100))]
#[case::came_back_while_away((100, Some(20), None), &[(100, Some(2), 10)], 15, 100, None)]
#[case::came_back_the_day_after_the_last((100, Some(20), None), &[(100, Some(2), 10)], 10, 100, None)]
#[case::came_back_since((100, Some(20), None), &[(100, Some(2), 10)], 20, 100, Some(100))]
#[case::there_for_no_day((200, Some(20), None), &[(100, Some(10), 10)], 10, 100, None)]
#[case::moved_away_and_back((100, Some(20), None), &[(100, Some(2), 10), (200, Some(10), 20)], 15, 100, Some(200))]
#[case::left_and_elsewhere_before((100, Some(10), Some(20)), &[(200, Some(2), 10)], 20, 200, None)]
#[case::overlap_with_the_school_asked_for((200, Some(10), None), &[(100, Some(2), 20)], 15, 100, Some(100))]
#[case::overlap_with_another((200, Some(10), None), &[(100, Some(2), 20)], 15, 300, Some(200))]
#[case::overlap_of_earlier_ones((300, Some(25), None), &[(100, Some(2), 20), (200, Some(10), 20)], 15, 300, Some(200))]
#[case::present_without_a_first_day((200, None, None), &[(100, Some(2), 20)], 15, 300, Some(100))]
#[case::earlier_without_a_first_day((200, Some(20), None), &[(100, None, 20)], 15, 200, Some(100))]
fn the_school_on_a_day(
    #[case] present: (i64, Option<u32>, Option<u32>),
    #[case] stays: &[(i64, Option<u32>, u32)],
    #[case] on: u32,
    #[case] asked: i64,
    #[case] expected: Option<i64>,
) {
    let found = student(present).school_on(&earlier(stays), day(on), SchoolNumber::new(asked));
    assert_eq!(found, expected.map(SchoolNumber::new));
}

#[test]
fn somebody_elses_enrolment_says_nothing() {
    let mut stays = earlier(&[(100, Some(2), 20)]);
    stays[0].student = StudentId::new(8);
    let moved = student((200, Some(20), None));
    assert_eq!(moved.school_on(&stays, day(19), SchoolNumber::new(100)), None);
}
