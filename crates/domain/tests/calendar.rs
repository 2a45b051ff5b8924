//! Bell-schedule arithmetic on a small school: two periods, a passing time between them, two cycle days.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use chrono::NaiveDate;
use proptest::prelude::*;
use rosterbridge_domain::{
    attendance::{Meeting, MeetingTimes},
    calendar::{CycleLetter, SchoolDay, SignIn, meeting_in_progress, year_of},
    held::HoldReason,
    id::{
        BellScheduleId, CalendarDayId, CcId, CycleDayId, Dcid, PeriodId, SchoolNumber, SectionId, StudentId,
        TeacherId, TermId, YearId,
    },
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
        expression: "1(A)".into(),
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
        cycle_day_letter: letter.to_owned(),
    }
}

/// Section 21 meets in the first period of A days, 22 in the second, 23 in the second of B days.
fn meetings() -> Vec<SectionMeeting> {
    vec![meets(21, 1, "A"), meets(22, 2, "A"), meets(23, 2, "B")]
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
    let day = SchoolDay::new(&bare, YEAR, &cycle_days(), &periods(), &items()).unwrap();
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
#[case::none(None, "B", true)]
#[case::known(Some(1), "A", true)]
#[case::another(Some(1), "B", false)]
#[case::meets_on_every_day(Some(1), "", true)]
#[case::unknown(Some(99), "A", false)]
#[case::unknown_to_any(Some(99), "", false)]
fn only_a_day_without_cycle_day_has_every_meeting(
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
                prop_assert_eq!(expected, [(meeting.cc.get(), meeting.period.get())].into());
            }
            SignIn::Held(HoldReason::NoMeetingNow) => prop_assert!(expected.is_empty()),
            SignIn::Held(HoldReason::SeveralMeetings) => prop_assert!(expected.len() > 1),
            SignIn::Held(other) => prop_assert!(false, "{:?}", other),
        }
    }
}
