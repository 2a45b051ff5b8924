//! Why rows are held, and what deals with them.

use std::collections::BTreeSet;

use rosterbridge_domain::{
    held::{HeldFix, HoldReason, PickedMeeting, PickedStudent, Remedy},
    id::{AttendanceCodeId, CcId, PeriodId, StudentId, StudentNumber},
};
use rstest::rstest;

fn codes(of: Remedy) -> Vec<&'static str> {
    let reasons = HoldReason::ALL.iter().filter(|reason| reason.remedy() == of);
    reasons.map(|reason| reason.code().trim_start_matches("held.")).collect()
}

#[rstest]
#[case::map_building(Remedy::MapBuilding, &["building_not_mapped"])]
#[case::enable_building(Remedy::EnableBuilding, &["building_disabled"])]
#[case::choose_method(Remedy::ChooseMethod, &["method_not_set"])]
#[case::map_reason(Remedy::MapReason, &["reason_not_mapped"])]
#[case::pick_student(Remedy::PickStudent, &["unknown_student", "ambiguous_student", "student_not_in_school"])]
#[case::pick_code(Remedy::PickCode, &["unknown_code", "ambiguous_code"])]
#[case::pick_meeting(
    Remedy::PickMeeting,
    &["no_such_enrollment", "unknown_period", "ambiguous_period", "no_such_meeting", "no_meeting_now", "several_meetings"]
)]
#[case::settings(Remedy::Settings, &["other_accounts_school", "too_old"])]
#[case::power_school(
    Remedy::PowerSchool,
    &["not_in_session", "existing_code", "update_existing_off", "corrected_in_powerschool", "other_source_wrote",
      "several_records", "refused_by_powerschool"]
)]
#[case::source_file(Remedy::SourceFile, &["unknown_school"])]
#[case::discard(Remedy::Discard, &["before_first_bell"])]
fn every_reason_has_what_deals_with_it(#[case] remedy: Remedy, #[case] expected: &[&str]) {
    assert_eq!(codes(remedy), expected);
}

#[test]
fn a_reason_has_a_code_and_a_sentence_of_its_own() {
    let all = HoldReason::ALL;
    assert_eq!(all.iter().map(|reason| reason.code()).collect::<BTreeSet<_>>().len(), all.len());
    assert_eq!(all.iter().map(|reason| reason.sentence()).collect::<BTreeSet<_>>().len(), all.len());
}

#[test]
fn a_later_decision_keeps_what_it_says_nothing_about() {
    let student = |id| Some(PickedStudent { number: StudentNumber::new(5_000), id: StudentId::new(id) });
    let meeting = Some(PickedMeeting::Class { cc: CcId::new(6), period: PeriodId::new(7) });
    let code = Some(AttendanceCodeId::new(8));
    let first = HeldFix { student: student(1), ..HeldFix::default() };
    let second = first.then(HeldFix { meeting, ..HeldFix::default() });
    let third = second.then(HeldFix { code, ..HeldFix::default() });
    assert_eq!(third, HeldFix { student: student(1), code, meeting });
    assert_eq!(third.then(HeldFix { student: student(1), ..HeldFix::default() }), third);
    // A class is of one student.
    let other = third.then(HeldFix { student: student(2), ..HeldFix::default() });
    assert_eq!(other, HeldFix { student: student(2), code, meeting: None });
}
