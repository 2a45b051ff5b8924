//! Many rows of a file looked up at once: the answers are those of one look-up after another.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::{collections::BTreeSet, path::Path};

use chrono::{Days, NaiveDate};
use proptest::prelude::*;
use rosterbridge_domain::{
    id::{
        CcId, Dcid, SchoolNumber, SectionId, StudentDcid, StudentId, StudentNumber, TeacherId, TermId, YearId,
    },
    roster::{EnrollStatus, Enrollment, Section, SectionMeeting, Student},
};
use rosterbridge_store::{
    Roster, RosterStaging, StoreError,
    roster::{Numbered, RosterMeta, Seat, Seated, SectionAttendance},
};
use rstest::rstest;
use support::{KEY, at, day};

const SCHOOL: SchoolNumber = SchoolNumber::new(100);
const STUDENTS: i64 = 3_000;
const SECTIONS: i64 = 40;
/// Has the numbers of section 1.
const OTHER_TERM: SectionId = SectionId::new(1_001);

/// Ids come in another order than numbers.
fn id_of(number: i64) -> StudentId {
    StudentId::new(100_000 - number)
}

fn student(number: i64, dcid: i64) -> Student {
    Student {
        dcid: StudentDcid::new(dcid),
        id: StudentId::new(id_of(number).get() + dcid % 2),
        number: StudentNumber::new(number),
        first_name: "".into(),
        middle_name: "".into(),
        last_name: "".into(),
        dob: None,
        grade_level: 4,
        school: SCHOOL,
        enroll_status: EnrollStatus::ACTIVE,
        entry_date: None,
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

/// An enrolment from `day()` to `day()` + 9.
fn enrollment(student: StudentId, id: i64, course: &str, section: i64) -> Enrollment {
    Enrollment {
        dcid: Dcid::new(id),
        id: CcId::new(id),
        student,
        section: SectionId::new(section),
        term: TermId::new(3_600),
        dropped: false,
        course_number: course.into(),
        section_number: section.to_string().into(),
        school: SCHOOL,
        teacher: TeacherId::new(3),
        expression: "1(A)".into(),
        period: "1".into(),
        date_enrolled: day(),
        date_left: day().checked_add_days(Days::new(10)).unwrap(),
    }
}

fn section(id: i64) -> Section {
    Section {
        dcid: Dcid::new(id),
        id: SectionId::new(id),
        course_number: "ENG9".to_owned(),
        section_number: id.to_string(),
        school: SCHOOL,
        term: TermId::new(3_600),
        teacher: TeacherId::new(3),
        room: String::new(),
        external_expression: "1(A)".to_owned(),
        att_mode_code: "ATT_ModeMeeting".to_owned(),
        attendance_type_code: 2,
    }
}

fn meeting(section: i64, id: i64) -> SectionMeeting {
    SectionMeeting {
        id,
        section: SectionId::new(section),
        school: SCHOOL,
        year: YearId::new(36),
        period_number: id,
        cycle_day_letter: "A".into(),
    }
}

/// Students 1 to 3,000 with an even dcid, each in ENG9 and in ART of two sections; number 7 stands there twice.
fn roster(folder: &Path) -> Roster {
    let mut staging = RosterStaging::create(folder, &KEY).unwrap();
    let mut students: Vec<Student> = (1..=STUDENTS).map(|number| student(number, number * 2)).collect();
    students.push(student(7, 99_999));
    staging.insert(&students).unwrap();
    let enrollments = (1..=STUDENTS).flat_map(|number| {
        let (student, section) = (id_of(number), number % SECTIONS);
        [
            enrollment(student, number * 2, "ENG9", section),
            enrollment(student, number * 2 + 1, "ART", section),
        ]
    });
    staging.insert(&enrollments.collect::<Vec<_>>()).unwrap();
    // The same seat once more, and in another term's section of that number: the one with the lowest id counts.
    let other_term = Enrollment { section: OTHER_TERM, ..enrollment(id_of(1), 1, "ENG9", 1) };
    staging.insert(&[enrollment(id_of(1), 900_000, "ENG9", 1), other_term]).unwrap();
    let other_term = Section { id: OTHER_TERM, ..section(1) };
    staging.insert(&(0..SECTIONS).map(section).chain([other_term]).collect::<Vec<_>>()).unwrap();
    let meetings = (0..SECTIONS).flat_map(|id| (0..id % 3).map(move |meets| meeting(id, meets + 1)));
    staging.insert(&meetings.collect::<Vec<_>>()).unwrap();
    staging.finish(RosterMeta { pulled_at: at(0), today: day(), years: vec![YearId::new(36)] }).unwrap()
}

/// What the roster answers about one number.
fn one_by_one(roster: &Roster, number: StudentNumber) -> Numbered {
    match roster.students_by_number(number).unwrap().as_slice() {
        [] => Numbered::Nobody,
        [student] => Numbered::One(student.id),
        _ => Numbered::Several,
    }
}

#[rstest]
#[case::none(0, 1)]
#[case::a_few(20, 1)]
#[case::some_more_than_once(60, 7)]
#[case::just_at_once(512, 1)]
#[case::one_more(513, 1)]
#[case::all_and_more(6_000, 1)]
#[case::backwards(6_000, -1)]
fn students_by_their_numbers(#[case] asked: i64, #[case] step: i64) {
    let folder = tempfile::tempdir().unwrap();
    let roster = roster(folder.path());
    let mut numbers: Vec<StudentNumber> =
        (0..asked).map(|number| StudentNumber::new(number / step.abs())).collect();
    if step < 0 {
        numbers.reverse();
    }
    let found = roster.students_numbered(&numbers).unwrap();
    let expected: Vec<Numbered> = numbers.iter().map(|number| one_by_one(&roster, *number)).collect();
    assert_eq!(found, expected);
    if asked > 50 {
        assert!(found.contains(&Numbered::Nobody) && found.contains(&Numbered::Several));
        assert!(found.contains(&Numbered::One(id_of(1))));
    }
}

/// A seat of a student in a course, and whether there is one.
fn seats(asked: i64) -> Vec<(Seat<'static>, bool)> {
    let there = |number: i64, course, date: NaiveDate| {
        let section: &'static str = Box::leak((number % SECTIONS).to_string().into_boxed_str());
        Seat { student: id_of(number), school: SCHOOL, course_number: course, section_number: section, date }
    };
    let last = day().checked_add_days(Days::new(9)).unwrap();
    (0..asked)
        .map(|place| {
            let number = place % STUDENTS + 1;
            let seat = there(number, if place % 2 == 0 { "ENG9" } else { "ART" }, day());
            match place % 8 {
                0 | 1 => (seat, true),
                2 => (Seat { date: last, ..seat }, true),
                3 => (Seat { date: last.succ_opt().unwrap(), ..seat }, false),
                4 => (Seat { date: day().pred_opt().unwrap(), ..seat }, false),
                5 => (Seat { course_number: "art", ..seat }, false),
                6 => (Seat { section_number: "99", ..seat }, false),
                _ => (Seat { school: SchoolNumber::new(200), ..seat }, false),
            }
        })
        .collect()
}

#[rstest]
#[case::none(0)]
#[case::a_few(20)]
#[case::just_at_once(512)]
#[case::some_parts(2_000)]
#[case::many_parts(10_000)]
fn enrolments_by_their_seats(#[case] asked: i64) {
    let folder = tempfile::tempdir().unwrap();
    let roster = roster(folder.path());
    let seats = seats(asked);
    let asked: Vec<Seat<'_>> = seats.iter().map(|(seat, _)| *seat).collect();
    let mut visited = vec![0; seats.len()];
    roster
        .seats()
        .unwrap()
        .for_each_named(
            &asked,
            |seat| *seat,
            |first, enrollments| {
                for (place, found) in (first..).zip(enrollments) {
                    let (seat, there) = seats[place];
                    visited[place] += 1;
                    assert_eq!(found.is_some(), there, "{seat:?}");
                    let Some(found) = found else { continue };
                    // What one look-up after another finds, and a visitor may do so.
                    if place % 100 == 0 || found.section == OTHER_TERM {
                        let all = roster.enrollments_of(seat.student)?;
                        let named = all.iter().find(|cc| {
                            cc.course_number == seat.course_number
                                && cc.section_number == seat.section_number
                                && cc.school == seat.school
                                && cc.includes(seat.date)
                        });
                        assert_eq!(named.map(|cc| Seated { cc: cc.id, section: cc.section }), Some(*found));
                    }
                }
                Ok::<_, StoreError>(())
            },
        )
        .unwrap();
    assert!(visited.iter().all(|visits| *visits == 1));
}

#[test]
fn of_several_enrolments_of_a_seat_the_first_counts() {
    let folder = tempfile::tempdir().unwrap();
    let roster = roster(folder.path());
    let seat =
        Seat { student: id_of(1), school: SCHOOL, course_number: "ENG9", section_number: "1", date: day() };
    let mut found = Vec::new();
    roster
        .seats()
        .unwrap()
        .for_each_named(
            &[seat],
            |seat| *seat,
            |_, enrollments| {
                found.extend(enrollments.iter().flatten().map(|seated| seated.cc.get()));
                Ok::<_, StoreError>(())
            },
        )
        .unwrap();
    assert_eq!(found, [1]);
}

#[test]
fn a_visitor_that_fails_ends_the_look_up() {
    let folder = tempfile::tempdir().unwrap();
    let roster = roster(folder.path());
    let asked: Vec<Seat<'_>> = seats(10_000).into_iter().map(|(seat, _)| seat).collect();
    let mut visits = 0;
    let failed = roster.seats().unwrap().for_each_named(
        &asked,
        |seat| *seat,
        |_, _| {
            visits += 1;
            Err(StoreError::NotFound("seat"))
        },
    );
    assert!(matches!(failed, Err(StoreError::NotFound("seat"))));
    assert_eq!(visits, 1);
}

#[test]
fn sections_come_with_their_meetings() {
    let folder = tempfile::tempdir().unwrap();
    let roster = roster(folder.path());
    let ids: Vec<SectionId> = [39, 0, 2, 77].map(SectionId::new).to_vec();
    let found = roster.section_attendance(&ids).unwrap();
    let expected: Vec<_> = ids.iter().map(|id| attendance_of(&roster, *id)).collect();
    assert_eq!(found, expected);
    assert_eq!(
        found.iter().map(|section| (section.taken.is_some(), section.meetings.len())).collect::<Vec<_>>(),
        [(true, 0), (true, 0), (true, 2), (false, 0)]
    );
}

/// What the roster's own tables say of a section.
fn attendance_of(roster: &Roster, id: SectionId) -> SectionAttendance {
    let section = roster.section(id).unwrap();
    SectionAttendance {
        taken: section.map(|section| (section.att_mode_code.into(), section.attendance_type_code)),
        meetings: roster.section_meetings(id).unwrap(),
    }
}

/// Numbers that are near each other, and ones as far apart as can be.
fn id() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 0..6_i64, 1 => any::<i64>()]
}

fn any_enrollment() -> impl Strategy<Value = Enrollment> {
    let texts = (prop_oneof![Just("ENG9"), Just("eng9"), Just("")], 0..3_i64);
    (id(), id(), texts, 0..3_i64, 0..4_u64, 0..4_u64).prop_map(
        |(student, id, (course, section), of, from, days)| {
            let begins = day().checked_add_days(Days::new(from)).unwrap();
            Enrollment {
                section: SectionId::new(of),
                school: SchoolNumber::new(100 * (of % 2)),
                date_enrolled: begins,
                date_left: begins.checked_add_days(Days::new(days)).unwrap(),
                ..enrollment(StudentId::new(student), id, course, section)
            }
        },
    )
}

/// A step of filling a roster.
#[derive(Clone, Debug)]
enum Step {
    Insert(Vec<Enrollment>, Vec<i64>, Vec<(i64, i64)>),
    Replace(Vec<Enrollment>, Vec<i64>),
    Discard,
    /// The roster is finished, and a copy of it goes on.
    Copy,
}

fn any_step() -> impl Strategy<Value = Step> {
    let enrollments = || proptest::collection::vec(any_enrollment(), 0..12);
    let ids = || proptest::collection::vec(id(), 0..6);
    let meetings = proptest::collection::vec((id(), 0..4_i64), 0..8);
    prop_oneof![
        4 => (enrollments(), ids(), meetings).prop_map(|(cc, students, meetings)| Step::Insert(cc, students, meetings)),
        2 => (enrollments(), ids()).prop_map(|(cc, students)| Step::Replace(cc, students)),
        1 => Just(Step::Discard),
        2 => Just(Step::Copy),
    ]
}

/// Rows of which no two have the same identity, in an order of their own or in the table's.
fn distinct<T: Clone, K: Ord>(rows: &[T], sorted: bool, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut seen = BTreeSet::new();
    let mut rows: Vec<T> = rows.iter().filter(|row| seen.insert(key(row))).cloned().collect();
    if sorted {
        rows.sort_by_key(|row| key(row));
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// However a roster was filled, changed and copied, the packed tables answer as the tables do.
    #[test]
    fn the_packed_tables_say_what_the_tables_say(steps in proptest::collection::vec(any_step(), 1..7), sorted: bool) {
        let folder = tempfile::tempdir().unwrap();
        let meta = || RosterMeta { pulled_at: at(0), today: day(), years: vec![YearId::new(36)] };
        let mut staging = RosterStaging::create(folder.path(), &KEY).unwrap();
        let (mut ccs, mut dcids, mut met) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for step in &steps {
            match step {
                Step::Insert(cc, students, meetings) => {
                    let new = distinct(cc, sorted, |row| (row.student, row.id));
                    let new: Vec<_> = new.into_iter().filter(|row| ccs.insert((row.student, row.id))).collect();
                    staging.insert(&new).unwrap();
                    let new: Vec<_> = students.iter().filter(|dcid| dcids.insert(**dcid)).collect();
                    let mut new: Vec<_> = new.iter().map(|dcid| student(**dcid % 5, **dcid)).collect();
                    if sorted {
                        new.sort_by_key(|student| (student.number, student.dcid));
                    }
                    staging.insert(&new).unwrap();
                    let new: Vec<_> = meetings.iter().filter(|(of, id)| met.insert((*of, *id))).collect();
                    staging.insert(&new.iter().map(|(of, id)| meeting(*of, *id)).collect::<Vec<_>>()).unwrap();
                    let new: BTreeSet<i64> = new.iter().map(|(of, _)| of % 3).collect();
                    staging.replace(&new.into_iter().map(section).collect::<Vec<_>>()).unwrap();
                }
                Step::Replace(cc, students) => {
                    let changed = distinct(cc, sorted, |row| row.id);
                    ccs.retain(|(_, id)| changed.iter().all(|row| row.id != *id));
                    ccs.extend(changed.iter().map(|row| (row.student, row.id)));
                    staging.replace(&changed).unwrap();
                    let changed = distinct(students, sorted, |dcid| *dcid);
                    dcids.extend(changed.iter().copied());
                    staging.replace(&changed.iter().map(|dcid| student(*dcid % 3, *dcid)).collect::<Vec<_>>()).unwrap();
                }
                Step::Discard => {
                    staging.discard::<Enrollment>().unwrap();
                    staging.discard::<Student>().unwrap();
                    staging.discard::<SectionMeeting>().unwrap();
                    (ccs, dcids, met) = Default::default();
                }
                Step::Copy => {
                    drop(staging.finish(meta()).unwrap());
                    staging = RosterStaging::copy(folder.path(), &KEY).unwrap();
                }
            }
        }
        let roster = staging.finish(meta()).unwrap();
        let near = (-6..7).map(StudentNumber::new);
        let numbers: Vec<_> = near.chain(dcids.iter().map(|dcid| StudentNumber::new(dcid % 5))).collect();
        let expected: Vec<_> = numbers.iter().map(|number| one_by_one(&roster, *number)).collect();
        prop_assert_eq!(roster.students_numbered(&numbers).unwrap(), expected);

        let sections: Vec<_> = (-1..7).chain(met.iter().map(|(of, _)| *of)).map(SectionId::new).collect();
        let expected: Vec<_> = sections.iter().map(|id| attendance_of(&roster, *id)).collect();
        prop_assert_eq!(roster.section_attendance(&sections).unwrap(), expected);

        let students: BTreeSet<i64> = (-1..7).chain(ccs.iter().map(|(student, _)| student.get())).collect();
        let mut asked = Vec::new();
        for student in students.into_iter().map(StudentId::new) {
            for course_number in ["ENG9", "eng9", "", "ART"] {
                for section_number in ["0", "1", "2"] {
                    for (school, after) in [(0, 0), (100, 0), (0, 2), (100, 2), (100, 5)] {
                        let date = day().checked_add_days(Days::new(after)).unwrap();
                        asked.push(Seat { student, school: SchoolNumber::new(school), course_number, section_number, date });
                    }
                }
            }
        }
        let mut found = vec![None; asked.len()];
        let seats = roster.seats().unwrap();
        let kept = seats.for_each_named(&asked, |seat| *seat, |first, enrollments| {
            found[first..first + enrollments.len()].copy_from_slice(enrollments);
            Ok::<_, StoreError>(())
        });
        kept.unwrap();
        for (seat, found) in asked.iter().zip(found) {
            let all = roster.enrollments_of(seat.student).unwrap();
            let named = all.iter().find(|cc| {
                cc.course_number == seat.course_number
                    && cc.section_number == seat.section_number
                    && cc.school == seat.school
                    && cc.includes(seat.date)
            });
            prop_assert_eq!(named.map(|cc| Seated { cc: cc.id, section: cc.section }), found, "{:?}", seat);
        }
    }
}

/// A pull that takes the place of the roster meanwhile is not mixed into the answers of the one that is open.
#[cfg(unix)]
#[test]
fn all_threads_see_the_same_pull() {
    let folder = tempfile::tempdir().unwrap();
    let open = roster(folder.path());
    let empty = RosterStaging::create(folder.path(), &KEY).unwrap();
    let _empty =
        empty.finish(RosterMeta { pulled_at: at(1), today: day(), years: vec![YearId::new(36)] }).unwrap();
    let numbers: Vec<StudentNumber> =
        (0..6_000).map(|place| StudentNumber::new(place % STUDENTS + 1)).collect();
    let found = open.students_numbered(&numbers).unwrap();
    assert!(!found.contains(&Numbered::Nobody));
}
