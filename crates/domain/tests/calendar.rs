//! Bell-schedule arithmetic on a small school: two periods, a passing time between them, two cycle days.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use chrono::NaiveDate;
use proptest::prelude::*;
use rosterbridge_domain::{
    attendance::{Meeting, MeetingTimes},
    calendar::{self, CycleLetter, DailySignIn, SchoolDay, SignIn, daily_sign_in, year_of},
    held::HoldReason,
    id::{
        BellScheduleId, CalendarDayId, CcId, CycleDayId, Dcid, PeriodId, SchoolNumber, SectionId, StudentId,
        TeacherId, TermId, YearId,
    },
    mapping::BetweenClasses,
    roster::{BellScheduleItem, CalendarDay, CycleDay, Enrollment, Period, SectionMeeting, Term},
};
use rstest::rstest;

const SCHOOL: SchoolNumber = SchoolNumber::new(100);
const YEAR: YearId = YearId::new(36);

fn date(month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, month, day).unwrap()
}

const fn clock(hour: u32, minute: u32) -> u32 {
    hour * 3600 + minute * 60
}

fn calendar_day() -> CalendarDay {
    CalendarDay {
        id: CalendarDayId::new(500),
        school: SCHOOL,
        date: date(9, 30),
        in_session: true,
        cycle_day: Some(CycleDayId::new(1)),
        bell_schedule: Some(BellScheduleId::new(7)),
    }
}

fn cycle_days() -> Vec<CycleDay> {
    [(1, "A"), (2, "B")]
        .map(|(id, letter)| CycleDay {
            id: CycleDayId::new(id),
            number: id,
            letter: letter.to_owned(),
            school: SCHOOL,
            year: YEAR,
        })
        .to_vec()
}

fn periods() -> Vec<Period> {
    [(11, 1), (12, 2)]
        .map(|(id, number)| Period {
            id: PeriodId::new(id),
            number,
            name: format!("Period {number}"),
            abbreviation: format!("P{number}"),
            school: SCHOOL,
            year: YEAR,
        })
        .to_vec()
}

fn item(id: i64, schedule: i64, period: i64, start: u32, end: u32) -> BellScheduleItem {
    BellScheduleItem {
        id,
        bell_schedule: BellScheduleId::new(schedule),
        period: PeriodId::new(period),
        start,
        end,
    }
}

/// Schedule 7 is the day's; in schedule 8 the periods come the other way round.
fn items() -> Vec<BellScheduleItem> {
    vec![
        item(3, 8, 12, clock(8, 0), clock(8, 45)),
        item(2, 7, 12, clock(8, 50), clock(9, 35)),
        item(1, 7, 11, clock(8, 0), clock(8, 45)),
        item(4, 8, 11, clock(8, 50), clock(9, 35)),
    ]
}

fn day() -> SchoolDay {
    SchoolDay::new(&calendar_day(), YEAR, &cycle_days(), &periods(), &items()).unwrap()
}

fn enrollment(cc: i64, section: i64) -> Enrollment {
    Enrollment {
        dcid: Dcid::new(cc + 1_000),
        id: CcId::new(cc),
        student: StudentId::new(1),
        section: SectionId::new(section),
        term: TermId::new(3600),
        dropped: false,
        course_number: "MAT".into(),
        section_number: "1".into(),
        school: SCHOOL,
        teacher: TeacherId::new(3),
        expression: "".into(),
        period: "1".into(),
        date_enrolled: date(8, 20),
        date_left: NaiveDate::from_ymd_opt(2027, 6, 1).unwrap(),
    }
}

fn meets(section: i64, period_number: i64, letter: &str) -> SectionMeeting {
    SectionMeeting {
        id: section * 10 + period_number,
        section: SectionId::new(section),
        school: SCHOOL,
        year: YEAR,
        period_number,
        cycle_day_letter: letter.into(),
    }
}

/// Section 21 meets in the first period of A days, 22 in the second, 23 in the second of B days.
fn meetings() -> Vec<SectionMeeting> {
    vec![meets(21, 1, "A"), meets(22, 2, "A"), meets(23, 2, "B")]
}

/// A class a student sits in.
#[derive(Clone)]
struct Class {
    enrollment: Enrollment,
    meetings: Vec<SectionMeeting>,
    once_a_day: bool,
}

fn sign_in(day: &SchoolDay, classes: &[Class], at: u32, between: BetweenClasses) -> SignIn {
    let classes: Vec<_> = classes
        .iter()
        .map(|class| calendar::Class {
            enrollment: &class.enrollment,
            meetings: &class.meetings,
            once_a_day: class.once_a_day,
        })
        .collect();
    calendar::sign_in(day, &classes, at, between)
}

/// Classes whose meetings are recorded one by one.
fn classes(enrollments: &[Enrollment], meetings: &[SectionMeeting]) -> Vec<Class> {
    let class = |enrollment: &Enrollment| Class {
        enrollment: enrollment.clone(),
        meetings: meetings.iter().filter(|meeting| meeting.section == enrollment.section).cloned().collect(),
        once_a_day: false,
    };
    enrollments.iter().map(class).collect()
}

/// A sign-in at a school that holds what falls between classes.
fn meeting_in_progress(
    day: &SchoolDay,
    enrollments: &[Enrollment],
    meetings: &[SectionMeeting],
    at: u32,
) -> SignIn {
    sign_in(day, &classes(enrollments, meetings), at, Hold)
}

fn during(cc: i64, period: i64, start: u32, end: u32) -> SignIn {
    SignIn::During(Meeting { cc: CcId::new(cc), period: PeriodId::new(period) }, MeetingTimes { start, end })
}

#[test]
fn a_day_has_its_own_bells_in_order() {
    let day = day();
    assert_eq!(day.cycle_day, CycleLetter::Letter("A".to_owned()));
    assert_eq!(day.first_bell(), Some(clock(8, 0)));
    let bells: Vec<_> =
        day.bells.iter().map(|(period, times)| (period.number, times.start, times.end)).collect();
    assert_eq!(bells, [(1, clock(8, 0), clock(8, 45)), (2, clock(8, 50), clock(9, 35))]);
}

#[test]
fn a_day_out_of_session_is_none() {
    let holiday = CalendarDay { in_session: false, ..calendar_day() };
    assert!(SchoolDay::new(&holiday, YEAR, &cycle_days(), &periods(), &items()).is_none());
}

#[test]
fn a_day_without_bell_schedule_has_no_bells() {
    let bare = CalendarDay { bell_schedule: None, cycle_day: None, ..calendar_day() };
    let day = SchoolDay::new(&bare, YEAR, &[], &periods(), &items()).unwrap();
    assert_eq!((day.first_bell(), &day.cycle_day), (None, &CycleLetter::Any));
    let found = meeting_in_progress(&day, &[enrollment(1, 21)], &meetings(), clock(8, 10));
    assert_eq!(found, SignIn::Held(HoldReason::NoMeetingNow));
}

#[rstest]
#[case::night(clock(0, 0), SignIn::BeforeFirstBell)]
#[case::just_before(clock(8, 0) - 1, SignIn::BeforeFirstBell)]
#[case::on_the_bell(clock(8, 0), during(1, 11, clock(8, 0), clock(8, 45)))]
#[case::first_period(clock(8, 12), during(1, 11, clock(8, 0), clock(8, 45)))]
#[case::its_last_second(clock(8, 45) - 1, during(1, 11, clock(8, 0), clock(8, 45)))]
#[case::passing_time(clock(8, 45), SignIn::Held(HoldReason::NoMeetingNow))]
#[case::second_period(clock(8, 50), during(2, 12, clock(8, 50), clock(9, 35)))]
#[case::last_bell(clock(9, 35), SignIn::Held(HoldReason::NoMeetingNow))]
#[case::evening(clock(23, 59), SignIn::Held(HoldReason::NoMeetingNow))]
fn signing_in_at(#[case] at: u32, #[case] expected: SignIn) {
    let enrollments = [enrollment(1, 21), enrollment(2, 22), enrollment(3, 23)];
    assert_eq!(meeting_in_progress(&day(), &enrollments, &meetings(), at), expected);
}

#[rstest]
#[case::no_enrolments(vec![])]
#[case::another_cycle_day(vec![enrollment(3, 23)])]
#[case::another_period(vec![enrollment(1, 21)])]
#[case::not_yet_enrolled(vec![Enrollment { date_enrolled: date(10, 1), ..enrollment(2, 22) }])]
#[case::left_that_day(vec![Enrollment { date_left: date(9, 30), ..enrollment(2, 22) }])]
#[case::at_another_school(vec![Enrollment { school: SchoolNumber::new(200), ..enrollment(2, 22) }])]
fn no_class_at_nine(#[case] enrollments: Vec<Enrollment>) {
    let found = meeting_in_progress(&day(), &enrollments, &meetings(), clock(9, 0));
    assert_eq!(found, SignIn::Held(HoldReason::NoMeetingNow));
}

#[rstest]
#[case::first_day(Enrollment { date_enrolled: date(9, 30), ..enrollment(2, 22) })]
#[case::last_day(Enrollment { date_left: date(10, 1), ..enrollment(2, 22) })]
#[case::dropped_later(Enrollment { dropped: true, date_left: date(10, 5), ..enrollment(2, 22) })]
fn a_class_at_nine(#[case] enrollment: Enrollment) {
    let found = meeting_in_progress(&day(), &[enrollment], &meetings(), clock(9, 0));
    assert_eq!(found, during(2, 12, clock(8, 50), clock(9, 35)));
}

#[rstest]
#[case::another_year(SectionMeeting { year: YearId::new(35), ..meets(22, 2, "A") })]
#[case::another_school(SectionMeeting { school: SchoolNumber::new(200), ..meets(22, 2, "A") })]
fn a_section_meets_elsewhere(#[case] meeting: SectionMeeting) {
    let found = meeting_in_progress(&day(), &[enrollment(2, 22)], &[meeting], clock(9, 0));
    assert_eq!(found, SignIn::Held(HoldReason::NoMeetingNow));
}

#[rstest]
#[case::not_set(None, "B", false)]
#[case::known(Some(1), "A", true)]
#[case::another(Some(1), "B", false)]
#[case::meets_on_every_day(Some(1), "", true)]
#[case::unknown(Some(99), "A", false)]
#[case::unknown_to_any(Some(99), "", false)]
fn in_a_school_that_cycles_only_the_days_own_meetings_take_place(
    #[case] cycle_day: Option<i64>,
    #[case] letter: &str,
    #[case] meeting: bool,
) {
    let row = CalendarDay { cycle_day: cycle_day.map(CycleDayId::new), ..calendar_day() };
    let day = SchoolDay::new(&row, YEAR, &cycle_days(), &periods(), &items()).unwrap();
    let found = meeting_in_progress(&day, &[enrollment(2, 22)], &[meets(22, 2, letter)], clock(9, 0));
    let expected = if meeting {
        during(2, 12, clock(8, 50), clock(9, 35))
    } else {
        SignIn::Held(HoldReason::NoMeetingNow)
    };
    assert_eq!(found, expected);
}

#[test]
fn without_cycle_days_every_meeting_takes_place() {
    let row = CalendarDay { cycle_day: None, ..calendar_day() };
    let day = SchoolDay::new(&row, YEAR, &[], &periods(), &items()).unwrap();
    let found = meeting_in_progress(&day, &[enrollment(2, 22)], &[meets(22, 2, "B")], clock(9, 0));
    assert_eq!(found, during(2, 12, clock(8, 50), clock(9, 35)));
}

#[test]
fn two_classes_at_once_are_held() {
    let found = meeting_in_progress(
        &day(),
        &[enrollment(1, 21), enrollment(2, 22), enrollment(4, 24)],
        &[meets(21, 1, "A"), meets(22, 2, "A"), meets(24, 2, "A")],
        clock(9, 0),
    );
    assert_eq!(found, SignIn::Held(HoldReason::SeveralMeetings));
}

#[test]
fn a_section_listed_twice_is_one_class() {
    let meetings = [meets(22, 2, "A"), SectionMeeting { id: 999, ..meets(22, 2, "A") }];
    let found = meeting_in_progress(&day(), &[enrollment(2, 22)], &meetings, clock(9, 0));
    assert_eq!(found, during(2, 12, clock(8, 50), clock(9, 35)));
}

#[test]
fn a_section_may_meet_in_both_periods() {
    let meetings = [meets(22, 1, "A"), meets(22, 2, "A")];
    let day = day();
    let enrollment = enrollment(2, 22);
    let periods: Vec<_> =
        day.meetings(&enrollment, &meetings).map(|(meeting, _)| meeting.period.get()).collect();
    assert_eq!(periods, [11, 12]);
}

/// A school of five periods with five minutes between them, lunch after the third, and a cycle of A, B and C:
/// 8:00-8:45, 8:50-9:35, 9:40-10:25, 11:00-11:45, 11:50-12:35.
fn long_day(letter: i64) -> SchoolDay {
    let cycle = [(1, "A"), (2, "B"), (3, "C")].map(|(id, letter)| CycleDay {
        id: CycleDayId::new(id),
        number: id,
        letter: letter.to_owned(),
        school: SCHOOL,
        year: YEAR,
    });
    let periods: Vec<Period> = (1..=5)
        .map(|number| Period { id: PeriodId::new(10 + number), number, ..periods()[0].clone() })
        .collect();
    let bells: [(i64, u32, u32); 5] = [(1, 8, 0), (2, 8, 50), (3, 9, 40), (4, 11, 0), (5, 11, 50)];
    let items: Vec<_> = bells
        .map(|(number, hour, minute)| {
            item(number, 7, 10 + number, clock(hour, minute), clock(hour, minute) + 45 * 60)
        })
        .into();
    let row = CalendarDay { cycle_day: Some(CycleDayId::new(letter)), ..calendar_day() };
    SchoolDay::new(&row, YEAR, &cycle, &periods, &items).unwrap()
}

fn class(cc: i64, periods: &[i64], once_a_day: bool) -> Class {
    let meetings = periods.iter().map(|period| meets(cc, *period, "A")).collect();
    Class { enrollment: enrollment(cc, cc), meetings, once_a_day }
}

/// The record of an expected period of enrolment 1: its own times.
fn in_period(cc: i64, period: i64) -> SignIn {
    let (_, times) = long_day(1).bells[usize::try_from(period).unwrap() - 1].clone();
    during(cc, 10 + period, times.start, times.end)
}

const NONE_NOW: SignIn = SignIn::Held(HoldReason::NoMeetingNow);

#[rstest]
#[case::first_of_the_block(&[2, 3], clock(9, 0), true, in_period(1, 2))]
#[case::second_of_the_block(&[2, 3], clock(10, 0), true, in_period(1, 2))]
#[case::gap_of_the_block(&[2, 3], clock(9, 37), true, in_period(1, 2))]
#[case::after_the_block(&[2, 3], clock(10, 25), true, NONE_NOW)]
#[case::three_in_a_row(&[1, 2, 3], clock(9, 37), true, in_period(1, 1))]
#[case::a_block_over_lunch(&[3, 4], clock(10, 40), true, in_period(1, 3))]
#[case::not_a_block_now(&[1, 4], clock(11, 10), true, in_period(1, 1))]
#[case::not_a_block_between(&[1, 4], clock(9, 0), true, NONE_NOW)]
#[case::each_first(&[2, 3], clock(9, 0), false, in_period(1, 2))]
#[case::each_second(&[2, 3], clock(10, 0), false, in_period(1, 3))]
#[case::each_gap(&[2, 3], clock(9, 37), false, NONE_NOW)]
fn double_blocks(
    #[case] periods: &[i64],
    #[case] at: u32,
    #[case] once_a_day: bool,
    #[case] expected: SignIn,
) {
    let found = sign_in(&long_day(1), &[class(1, periods, once_a_day)], at, Hold);
    assert_eq!(found, expected);
}

#[test]
fn another_class_in_the_gap_of_a_block_is_held() {
    // Section 2 meets while section 1 has its gap: nobody sits in both.
    let mut day = long_day(1);
    day.bells[1].1 = MeetingTimes { start: clock(8, 40), end: clock(8, 55) };
    let classes = [class(1, &[1, 2], true), class(2, &[2], false)];
    assert_eq!(sign_in(&day, &classes, clock(8, 50), Hold), SignIn::Held(HoldReason::SeveralMeetings));
}

use BetweenClasses::{Hold, MissedMeeting, NextMeeting};

#[rstest]
#[case::in_class(clock(9, 0), MissedMeeting, in_period(2, 2))]
#[case::in_class_next(clock(9, 0), NextMeeting, in_period(2, 2))]
#[case::passing_held(clock(8, 47), Hold, NONE_NOW)]
#[case::passing_next(clock(8, 47), NextMeeting, in_period(2, 2))]
#[case::passing_missed(clock(8, 47), MissedMeeting, in_period(1, 1))]
#[case::free_hour_next(clock(10, 0), NextMeeting, in_period(4, 4))]
#[case::free_hour_missed(clock(10, 0), MissedMeeting, in_period(2, 2))]
#[case::on_the_end(clock(8, 45), NextMeeting, in_period(2, 2))]
#[case::last_class_over_next(clock(11, 47), NextMeeting, NONE_NOW)]
#[case::last_class_over_missed(clock(11, 47), MissedMeeting, in_period(4, 4))]
#[case::after_the_last_bell_held(clock(15, 0), Hold, NONE_NOW)]
#[case::after_the_last_bell_next(clock(15, 0), NextMeeting, NONE_NOW)]
#[case::after_the_last_bell_missed(clock(15, 0), MissedMeeting, in_period(4, 4))]
#[case::before_the_first_bell(clock(7, 59), NextMeeting, SignIn::BeforeFirstBell)]
#[case::before_the_first_bell_missed(clock(7, 59), MissedMeeting, SignIn::BeforeFirstBell)]
fn between_classes(#[case] at: u32, #[case] between: BetweenClasses, #[case] expected: SignIn) {
    // Periods 1, 2 and 4; 3 and 5 are free.
    let classes = [class(1, &[1], false), class(2, &[2], false), class(4, &[4], true)];
    assert_eq!(sign_in(&long_day(1), &classes, at, between), expected);
}

#[rstest]
#[case::no_class_yet_next(clock(8, 10), NextMeeting, in_period(1, 4))]
#[case::no_class_yet_missed(clock(8, 10), MissedMeeting, NONE_NOW)]
#[case::next_of_a_block(clock(11, 47), NextMeeting, in_period(1, 4))]
fn a_day_that_begins_late(#[case] at: u32, #[case] between: BetweenClasses, #[case] expected: SignIn) {
    assert_eq!(sign_in(&long_day(1), &[class(1, &[4, 5], true)], at, between), expected);
}

#[rstest]
#[case::next(NextMeeting)]
#[case::missed(MissedMeeting)]
fn two_classes_that_might_be_meant_are_held(#[case] between: BetweenClasses) {
    let classes = [class(1, &[1, 2], false), class(2, &[1, 2], false)];
    let found = sign_in(&long_day(1), &classes, clock(8, 47), between);
    assert_eq!(found, SignIn::Held(HoldReason::SeveralMeetings));
}

#[test]
fn of_overlapping_meetings_of_one_section_the_first_counts() {
    let mut day = long_day(1);
    day.bells[1].1.start = clock(8, 30);
    let found = sign_in(&day, &[class(1, &[1, 2], false)], clock(8, 40), Hold);
    assert_eq!(found, in_period(1, 1));
    let two = [class(1, &[1], false), class(2, &[2], false)];
    assert_eq!(sign_in(&day, &two, clock(8, 40), Hold), SignIn::Held(HoldReason::SeveralMeetings));
    assert_eq!(sign_in(&day, &two, clock(8, 20), Hold), in_period(1, 1));
}

#[test]
fn a_period_that_rings_twice_is_one_class() {
    let mut day = long_day(1);
    // Two lunches: the fourth period goes on after a break.
    let again = (day.bells[3].0.clone(), MeetingTimes { start: clock(11, 30), end: clock(12, 10) });
    day.bells.insert(4, again);
    let found = sign_in(&day, &[class(1, &[4], false)], clock(11, 40), Hold);
    assert_eq!(found, in_period(1, 4));
}

#[rstest]
#[case::today("3(A)", 1, in_period(1, 3))]
#[case::a_range("1(B) 2-4(A)", 1, in_period(1, 3))]
#[case::in_the_cycles_order("3(A-C)", 2, in_period(1, 3))]
#[case::another_day("3(B)", 1, NONE_NOW)]
#[case::another_period("2(A)", 1, NONE_NOW)]
#[case::none("", 1, NONE_NOW)]
#[case::unreadable("P3(A", 1, NONE_NOW)]
fn an_expression_where_there_are_no_section_meetings(
    #[case] expression: &str,
    #[case] letter: i64,
    #[case] expected: SignIn,
) {
    let enrollment = Enrollment { expression: expression.into(), ..enrollment(1, 1) };
    let class = Class { enrollment, meetings: Vec::new(), once_a_day: false };
    assert_eq!(sign_in(&long_day(letter), &[class], clock(10, 0), Hold), expected);
}

#[test]
fn section_meetings_come_before_an_expression() {
    let moved = Class {
        enrollment: Enrollment { expression: "3(A)".into(), ..enrollment(1, 1) },
        ..class(1, &[1], false)
    };
    assert_eq!(sign_in(&long_day(1), std::slice::from_ref(&moved), clock(10, 0), Hold), NONE_NOW);
    assert_eq!(sign_in(&long_day(1), &[moved], clock(8, 10), Hold), in_period(1, 1));
}

#[test]
fn without_cycle_days_an_expression_counts_on_every_day() {
    let mut day = long_day(1);
    (day.cycle_day, day.cycle) = (CycleLetter::Any, Vec::new());
    let enrollment = Enrollment { expression: "3(B)".into(), ..enrollment(1, 1) };
    let class = Class { enrollment, meetings: Vec::new(), once_a_day: false };
    assert_eq!(sign_in(&day, std::slice::from_ref(&class), clock(10, 0), Hold), in_period(1, 3));
    day.cycle_day = CycleLetter::Unknown;
    assert_eq!(sign_in(&day, &[class], clock(10, 0), Hold), NONE_NOW);
}

#[test]
fn a_day_without_a_cycle_day_says_nothing_in_a_school_that_cycles() {
    let unset = CalendarDay { cycle_day: None, ..calendar_day() };
    let day = |cycle_days: &[CycleDay]| {
        SchoolDay::new(&unset, YEAR, cycle_days, &periods(), &items()).unwrap().cycle_day
    };
    assert!(cycle_days().len() > 1);
    assert_eq!(day(&cycle_days()), CycleLetter::Unknown);
    assert_eq!(day(&cycle_days()[..1]), CycleLetter::Any);
}

#[test]
fn an_expression_without_a_day_of_the_cycle_is_never_guessed_around() {
    let enrollment = Enrollment { expression: "2(X-Z)".into(), ..enrollment(1, 1) };
    let elsewhere = Class { enrollment, meetings: Vec::new(), once_a_day: false };
    let classes = [elsewhere, class(2, &[1, 4], false)];
    assert_eq!(sign_in(&long_day(1), &classes, clock(10, 0), NextMeeting), NONE_NOW);
}

#[rstest]
#[case::it_may_be_meant(clock(10, 0), NONE_NOW)]
#[case::another_is_in_progress(clock(8, 10), in_period(2, 1))]
fn what_cannot_be_read_is_never_guessed_around(#[case] at: u32, #[case] expected: SignIn) {
    let enrollment = Enrollment { expression: "P3(A".into(), ..enrollment(1, 1) };
    let unreadable = Class { enrollment, meetings: Vec::new(), once_a_day: false };
    let classes = [unreadable, class(2, &[1, 4], false)];
    assert_eq!(sign_in(&long_day(1), &classes, at, NextMeeting), expected);
}

#[test]
fn an_early_release_day_has_its_own_bells() {
    let early = CalendarDay { bell_schedule: Some(BellScheduleId::new(8)), ..calendar_day() };
    let day = SchoolDay::new(&early, YEAR, &cycle_days(), &periods(), &items()).unwrap();
    let enrollments = [enrollment(1, 21), enrollment(2, 22)];
    let found = meeting_in_progress(&day, &enrollments, &meetings(), clock(8, 10));
    assert_eq!(found, during(2, 12, clock(8, 0), clock(8, 45)));
}

#[rstest]
#[case::early(clock(7, 59), Hold, DailySignIn::BeforeFirstBell)]
#[case::in_class(clock(8, 0), Hold, DailySignIn::Tardy)]
#[case::passing(clock(8, 47), Hold, DailySignIn::Tardy)]
#[case::lunch(clock(10, 30), NextMeeting, DailySignIn::Tardy)]
#[case::last_second(clock(12, 35) - 1, Hold, DailySignIn::Tardy)]
#[case::last_bell(clock(12, 35), Hold, DailySignIn::Held(HoldReason::NoMeetingNow))]
#[case::last_bell_next(clock(12, 35), NextMeeting, DailySignIn::Held(HoldReason::NoMeetingNow))]
#[case::last_bell_missed(clock(12, 35), MissedMeeting, DailySignIn::Tardy)]
fn a_day_that_is_recorded_once(
    #[case] at: u32,
    #[case] between: BetweenClasses,
    #[case] expected: DailySignIn,
) {
    assert_eq!(daily_sign_in(&long_day(1), at, between), expected);
}

#[test]
fn without_bells_a_day_is_recorded_at_any_time() {
    let bare = CalendarDay { bell_schedule: None, ..calendar_day() };
    let day = SchoolDay::new(&bare, YEAR, &cycle_days(), &periods(), &items()).unwrap();
    assert_eq!(daily_sign_in(&day, clock(6, 0), Hold), DailySignIn::Tardy);
}

fn term(school: i64, year: i64, id: i64, first_day: NaiveDate, last_day: NaiveDate) -> Term {
    Term {
        dcid: Dcid::new(id),
        id: TermId::new(id),
        year: YearId::new(year),
        school: SchoolNumber::new(school),
        abbreviation: String::new(),
        first_day,
        last_day,
    }
}

#[rstest]
#[case::in_a_term(date(9, 30), Some(36))]
#[case::first_day(date(8, 20), Some(36))]
#[case::last_day(date(5, 29), Some(35))]
#[case::summer(date(7, 1), Some(36))]
#[case::before_all(NaiveDate::from_ymd_opt(2020, 1, 1).unwrap(), Some(35))]
#[case::after_all(NaiveDate::from_ymd_opt(2030, 1, 1).unwrap(), Some(36))]
fn the_school_year_of_a_day(#[case] day: NaiveDate, #[case] year: Option<i64>) {
    let terms = [
        term(200, 99, 9900, date(1, 1), date(12, 31)),
        term(100, 36, 3600, date(8, 20), NaiveDate::from_ymd_opt(2027, 5, 28).unwrap()),
        term(100, 36, 3601, date(8, 20), date(12, 18)),
        term(100, 35, 3500, NaiveDate::from_ymd_opt(2025, 8, 20).unwrap(), date(5, 29)),
    ];
    assert_eq!(year_of(&terms, SCHOOL, day).map(YearId::get), year);
    assert_eq!(year_of(&terms, SchoolNumber::new(300), day), None);
}

proptest! {
    #[test]
    fn a_meeting_found_is_in_progress_and_the_students_own(
        at in 0_u32..86_400,
        bells in proptest::collection::vec((0_u32..86_000, 0_u32..5_000), 0..6),
        sections in proptest::collection::vec((1_i64..4, 1_i64..7), 0..10),
    ) {
        let periods: Vec<Period> = (1..=6)
            .map(|number| Period { id: PeriodId::new(number), number, ..periods()[0].clone() })
            .collect();
        let items: Vec<_> = (1..)
            .zip(&bells)
            .map(|(id, (start, length))| item(id, 7, id, *start, start + length))
            .collect();
        let day = SchoolDay::new(&calendar_day(), YEAR, &cycle_days(), &periods, &items).unwrap();
        let meetings: Vec<_> = sections.iter().map(|(section, period)| meets(*section, *period, "A")).collect();
        let enrollments = [enrollment(1, 1), enrollment(2, 2)];
        let running = |(section, period): &(i64, i64)| {
            let bell = bells.get(usize::try_from(*period).unwrap() - 1);
            *section < 3 && bell.is_some_and(|(start, length)| *start <= at && at < start + length)
        };
        let expected: std::collections::BTreeSet<_> = sections.iter().copied().filter(running).collect();
        match meeting_in_progress(&day, &enrollments, &meetings, at) {
            SignIn::BeforeFirstBell => prop_assert!(bells.iter().all(|(start, _)| *start > at) && !bells.is_empty()),
            SignIn::During(meeting, times) => {
                prop_assert!(times.start <= at && at < times.end);
                prop_assert!(expected.contains(&(meeting.cc.get(), meeting.period.get())));
                prop_assert!(expected.iter().all(|(section, _)| *section == meeting.cc.get()));
            }
            SignIn::Held(HoldReason::NoMeetingNow) => prop_assert!(expected.is_empty()),
            SignIn::Held(HoldReason::SeveralMeetings) => prop_assert!(expected.len() > 1),
            SignIn::Held(other) => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_sign_in_makes_at_most_one_record_of_the_students_own(
        at in 0_u32..86_400,
        bells in proptest::collection::vec((0_u32..86_000, 0_u32..5_000), 0..6),
        sections in proptest::collection::vec((1_i64..4, 1_i64..7), 0..10),
        once_a_day in proptest::collection::vec(any::<bool>(), 3),
        between in prop_oneof![Just(Hold), Just(NextMeeting), Just(MissedMeeting)],
    ) {
        let periods: Vec<Period> = (1..=6)
            .map(|number| Period { id: PeriodId::new(number), number, ..periods()[0].clone() })
            .collect();
        let items: Vec<_> = (1..)
            .zip(&bells)
            .map(|(id, (start, length))| item(id, 7, id, *start, start + length))
            .collect();
        let day = SchoolDay::new(&calendar_day(), YEAR, &cycle_days(), &periods, &items).unwrap();
        let classes: Vec<Class> = (1_i64..4)
            .zip(&once_a_day)
            .map(|(section, once_a_day)| Class {
                enrollment: enrollment(section, section),
                meetings: sections
                    .iter()
                    .filter(|(of, _)| *of == section)
                    .map(|(section, period)| meets(*section, *period, "A"))
                    .collect(),
                once_a_day: *once_a_day,
            })
            .collect();
        let (held, found) = (sign_in(&day, &classes, at, Hold), sign_in(&day, &classes, at, between));
        if let SignIn::During(..) = held {
            prop_assert_eq!(found, held, "a class in progress comes before every rule");
        }
        if let SignIn::During(meeting, times) = found {
            prop_assert!(sections.contains(&(meeting.cc.get(), meeting.period.get())));
            let bell = bells[usize::try_from(meeting.period.get()).unwrap() - 1];
            prop_assert_eq!(times, MeetingTimes { start: bell.0, end: bell.0 + bell.1 });
            if once_a_day[usize::try_from(meeting.cc.get()).unwrap() - 1] {
                let own = sections.iter().filter(|(section, _)| *section == meeting.cc.get());
                let first = own
                    .filter_map(|(_, period)| bells.get(usize::try_from(*period).unwrap() - 1))
                    .filter(|(_, length)| *length > 0)
                    .map(|(start, _)| *start)
                    .min();
                prop_assert_eq!(Some(times.start), first, "one record a day, at its first meeting");
            }
        }
    }
}
