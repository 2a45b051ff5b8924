//! Where the daily record of a student goes who has changed schools since.

use rosterbridge_domain::{
    id::{
        AttendanceCodeId, CalendarDayId, CcId, Dcid, SchoolDcid, StudentDcid, StudentId, TeacherId, TermId,
    },
    mapping::TardyMapping,
    roster::{CalendarDay, EnrollStatus, Reenrollment},
};
use rosterbridge_raptor::SignInTime;
use rosterbridge_store::{RosterStaging, roster::RosterMeta};
use rstest::rstest;

use super::*;

const YEAR: YearId = YearId::new(36);
const STUDENT: StudentId = StudentId::new(7);

/// A day of November 2026; today is the 20th.
fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, day).unwrap()
}

/// A stay at a school: its number, the first day, the day after the last.
type Stay = (i64, u32, u32);

/// A roster of three schools with one student: enrolled now, enrolled earlier, and sitting in a class.
fn roster(folder: &std::path::Path, now: (i64, u32), earlier: &[Stay], class: Option<Stay>) -> Roster {
    let schools = [(100, "North"), (200, "South"), (300, "West")];
    let mut staging = RosterStaging::create(folder, &[7; 32]).unwrap();
    for (number, name) in schools {
        let school = SchoolNumber::new(number);
        let (name, abbreviation) = (name.to_owned(), String::new());
        staging
            .insert(&[School { dcid: SchoolDcid::new(number), number: school, name, abbreviation }])
            .unwrap();
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
        staging
            .insert(&[AttendanceCode {
                dcid: Dcid::new(number),
                id: AttendanceCodeId::new(number + 1),
                code: Some("T".to_owned()),
                description: "Tardy".to_owned(),
                presence: "Present".to_owned(),
                school,
                year: YEAR,
            }])
            .unwrap();
        let days = (2..=20).map(|date| CalendarDay {
            id: CalendarDayId::new(number * 100 + i64::from(date)),
            school,
            date: day(date),
            in_session: true,
            cycle_day: None,
            bell_schedule: None,
        });
        staging.insert(&days.collect::<Vec<_>>()).unwrap();
    }
    let student = Student {
        dcid: StudentDcid::new(71),
        id: STUDENT,
        number: StudentNumber::new(9_007),
        first_name: "".into(),
        middle_name: "".into(),
        last_name: "".into(),
        dob: None,
        grade_level: 4,
        school: SchoolNumber::new(now.0),
        enroll_status: EnrollStatus::ACTIVE,
        entry_date: Some(day(now.1)),
        exit_date: None,
        mailing_street: "".into(),
        mailing_city: "".into(),
        mailing_state: "".into(),
        mailing_zip: "".into(),
        guardian_email: "".into(),
        home_phone: "".into(),
        home_room: "".into(),
    };
    staging.insert(&[student]).unwrap();
    let earlier = (1..).zip(earlier).map(|(id, (school, entry, exit))| Reenrollment {
        id,
        student: STUDENT,
        school: SchoolNumber::new(*school),
        entry_date: Some(day(*entry)),
        exit_date: day(*exit),
    });
    staging.insert(&earlier.collect::<Vec<_>>()).unwrap();
    let classes = class.into_iter().map(|(school, enrolled, left)| Enrollment {
        dcid: Dcid::new(5),
        id: CcId::new(6),
        student: STUDENT,
        section: SectionId::new(9),
        term: TermId::new(3_600),
        dropped: false,
        course_number: "ART".into(),
        section_number: "1".into(),
        school: SchoolNumber::new(school),
        teacher: TeacherId::new(3),
        expression: "1(A)".into(),
        period: "1".into(),
        date_enrolled: day(enrolled),
        date_left: day(left),
    });
    staging.insert(&classes.collect::<Vec<_>>()).unwrap();
    let at = chrono::DateTime::UNIX_EPOCH;
    staging.finish(RosterMeta { pulled_at: at, today: day(20), years: vec![YEAR] }).unwrap()
}

/// The student now (school, first day), earlier, in a class, the day of a tardy at North, and the school of its record or
/// the one that the held row names.
#[rstest]
#[case::never_moved((100, 2), &[], None, 19, Ok(100))]
#[case::moved_today((200, 20), &[(100, 2, 20)], None, 19, Ok(100))]
#[case::the_day_of_the_move((200, 20), &[(100, 2, 20)], None, 20, Err("South"))]
#[case::moved_here_that_day((100, 20), &[(200, 2, 20)], None, 20, Ok(100))]
#[case::moved_here_the_day_after((100, 20), &[(200, 2, 20)], None, 19, Err("South"))]
#[case::came_back((100, 20), &[(100, 2, 15)], None, 14, Ok(100))]
#[case::away((100, 20), &[(100, 2, 15)], None, 15, Err("North"))]
#[case::elsewhere_in_between((100, 20), &[(100, 2, 10), (300, 10, 20)], None, 15, Err("West"))]
#[case::not_known_where((200, 20), &[], None, 19, Err("South"))]
#[case::a_class_here_and_enrolled_elsewhere_then((300, 20), &[(200, 2, 20)], Some((100, 2, 30)), 19, Ok(200))]
#[case::a_class_here_and_enrolled_nowhere((300, 20), &[], Some((100, 2, 30)), 19, Err("West"))]
fn a_daily_tardy_is_of_the_school_of_that_day(
    #[case] now: (i64, u32),
    #[case] earlier: &[Stay],
    #[case] class: Option<Stay>,
    #[case] on: u32,
    #[case] expected: Result<i64, &str>,
) {
    let folder = tempfile::tempdir().unwrap();
    let roster = roster(folder.path(), now, earlier, class);
    let mut setup = Setup::default();
    setup.mappings.buildings = vec![BuildingMapping {
        building: "North".to_owned(),
        school: Some(SchoolNumber::new(100)),
        school_name: String::new(),
        method: Some(AttendanceMethod::Daily),
        bridge_period: String::new(),
        between_classes: BetweenClasses::Hold,
        enabled: true,
    }];
    setup.mappings.tardy_codes =
        vec![TardyMapping { reason: "Bus".to_owned(), code: "T".to_owned(), active: true }];
    let tardy = Tardy {
        building: "North".to_owned(),
        student: StudentNumber::new(9_007),
        signed_in: SignInTime::parse(&format!("{}T09:40", day(on))).unwrap(),
        reason: "Bus".to_owned(),
        comment: String::new(),
    };
    let mut district = District::new(&roster, &setup, chrono_tz::America::Chicago).unwrap();
    let found = match district.raptor(&tardy, HeldFix::default()) {
        Ok(write) => {
            assert_eq!((write.key.date, write.key.student), (day(on), STUDENT));
            // The code and the calendar day are that school's, too.
            assert_eq!(write.code_id.get(), write.key.school.get() + 1);
            assert_eq!(write.calendar_day.get(), write.key.school.get() * 100 + i64::from(on));
            Ok(write.key.school.get())
        }
        Err(Stop::Hold(HoldReason::StudentNotInSchool, detail)) => Err(detail),
        Err(other) => panic!("{other:?}"),
    };
    assert_eq!(found, expected.map_err(str::to_owned));
}
