//! Who may overwrite what: every rule, and what holds whatever the case.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::BTreeSet;

use chrono::NaiveDate;
use proptest::prelude::*;
use rosterbridge_domain::{
    attendance::{
        AttendanceKey, AttendanceMode, AttendanceWrite, History, Meeting, NoOpReason, OverwriteRules,
        Recorded, Source, Verdict, judge,
    },
    held::HoldReason,
    id::{AttendanceCodeId, AttendanceDcid, CalendarDayId, CcId, PeriodId, SchoolNumber, StudentId, YearId},
};
use rstest::rstest;

use Recorded::{Blank, Code, Nothing, Several};
use Source::{Hero, Raptor};
use Verdict::{Hold, NoOp, Write};

/// Judges Raptor's `new_code` with updates on; absences with the code `UX` may be replaced.
fn judge_raptor(new_code: &str, history: History<'_>, recorded: Recorded<'_>) -> Verdict {
    let replaceable = BTreeSet::from(["UX".to_owned()]);
    judge(
        Raptor,
        new_code,
        history,
        recorded,
        OverwriteRules { update_existing: true, replaceable: &replaceable },
    )
}

const NEVER: History<'static> = History { stated: None, written: None };
const WE_WROTE_T: History<'static> = History { stated: Some("T"), written: Some((Raptor, "T")) };
const HERO_WROTE_T: History<'static> = History { stated: None, written: Some((Hero, "T")) };

#[rstest]
#[case::no_record(Nothing)]
#[case::blank_present(Blank)]
#[case::a_replaceable_absence(Code("UX"))]
fn a_first_statement_is_written_over(#[case] recorded: Recorded<'_>) {
    assert_eq!(judge_raptor("T", NEVER, recorded), Write);
}

#[rstest]
#[case::an_absence_not_listed(Code("A"), HoldReason::ExistingCode)]
#[case::another_letter_case(Code("t"), HoldReason::ExistingCode)]
#[case::a_listed_absence_in_another_letter_case(Code("ux"), HoldReason::ExistingCode)]
#[case::several_records(Several, HoldReason::SeveralRecords)]
fn a_first_statement_is_held_against(#[case] recorded: Recorded<'_>, #[case] reason: HoldReason) {
    assert_eq!(judge_raptor("T", NEVER, recorded), Hold(reason));
}

#[test]
fn a_first_statement_of_what_is_recorded_is_a_no_op() {
    assert_eq!(judge_raptor("T", NEVER, Code("T")), NoOp(NoOpReason::AlreadyRecorded));
}

#[rstest]
#[case::still_there(Code("T"))]
#[case::corrected(Code("A"))]
#[case::corrected_to_a_replaceable_code(Code("UX"))]
#[case::cleared(Blank)]
#[case::deleted(Nothing)]
#[case::doubled(Several)]
fn the_same_statement_again_never_undoes_a_correction(#[case] recorded: Recorded<'_>) {
    assert_eq!(judge_raptor("T", WE_WROTE_T, recorded), NoOp(NoOpReason::AlreadyStated));
}

#[rstest]
#[case::still_what_we_wrote(Code("T"), Write)]
#[case::corrected(Code("A"), Hold(HoldReason::CorrectedInPowerSchool))]
#[case::corrected_to_a_replaceable_code(Code("UX"), Hold(HoldReason::CorrectedInPowerSchool))]
#[case::cleared(Blank, Hold(HoldReason::CorrectedInPowerSchool))]
#[case::deleted(Nothing, Hold(HoldReason::CorrectedInPowerSchool))]
#[case::doubled(Several, Hold(HoldReason::SeveralRecords))]
#[case::a_person_was_first(Code("TT"), NoOp(NoOpReason::AlreadyRecorded))]
fn a_new_code_from_the_same_source_needs_what_we_wrote(
    #[case] recorded: Recorded<'_>,
    #[case] verdict: Verdict,
) {
    assert_eq!(judge_raptor("TT", WE_WROTE_T, recorded), verdict);
}

#[rstest]
#[case::equal(Code("T"), "T", NoOp(NoOpReason::AlreadyRecorded))]
#[case::different(Code("T"), "TT", Hold(HoldReason::OtherSourceWrote))]
#[case::corrected_since(Code("A"), "TT", Hold(HoldReason::CorrectedInPowerSchool))]
#[case::cleared_since(Blank, "TT", Hold(HoldReason::CorrectedInPowerSchool))]
#[case::deleted_since_and_equal(Nothing, "T", Hold(HoldReason::CorrectedInPowerSchool))]
fn another_sources_record_is_left(
    #[case] recorded: Recorded<'_>,
    #[case] new_code: &str,
    #[case] verdict: Verdict,
) {
    assert_eq!(judge_raptor(new_code, HERO_WROTE_T, recorded), verdict);
}

#[test]
fn another_sources_code_is_left_even_when_the_code_is_replaceable() {
    let history = History { stated: None, written: Some((Hero, "UX")) };
    assert_eq!(judge_raptor("T", history, Code("UX")), Hold(HoldReason::OtherSourceWrote));
}

#[test]
fn a_code_that_was_stated_but_not_written_by_us_is_a_persons() {
    // Raptor said T when a teacher's T was there already: nothing was written, so T isn't ours to replace.
    let history = History { stated: Some("T"), written: None };
    assert_eq!(judge_raptor("TT", history, Code("T")), Hold(HoldReason::ExistingCode));
    assert_eq!(judge_raptor("TT", history, Code("UX")), Write);
}

#[rstest]
#[case::replaceable(NEVER, Code("UX"), Hold(HoldReason::UpdateExistingOff))]
#[case::other(NEVER, Code("A"), Hold(HoldReason::UpdateExistingOff))]
#[case::ours(WE_WROTE_T, Code("T"), Hold(HoldReason::UpdateExistingOff))]
#[case::equal(NEVER, Code("TT"), NoOp(NoOpReason::AlreadyRecorded))]
#[case::blank(NEVER, Blank, Write)]
#[case::nothing(NEVER, Nothing, Write)]
fn with_update_existing_off_any_existing_code_is_held(
    #[case] history: History<'_>,
    #[case] recorded: Recorded<'_>,
    #[case] verdict: Verdict,
) {
    let replaceable = BTreeSet::from(["UX".to_owned()]);
    let rules = OverwriteRules { update_existing: false, replaceable: &replaceable };
    assert_eq!(judge(Raptor, "TT", history, recorded, rules), verdict);
}

/// A record in PowerSchool and what is remembered of it, as statements come in.
#[derive(Default)]
struct Ledger {
    recorded: Option<String>,
    stated: [Option<String>; 2],
    written: Option<(Source, String)>,
    writes: usize,
}

impl Ledger {
    fn state(&mut self, source: Source, code: &str) -> Verdict {
        let replaceable = BTreeSet::new();
        let slot = usize::from(source == Hero);
        let history = History {
            stated: self.stated[slot].as_deref(),
            written: self.written.as_ref().map(|(by, code)| (*by, code.as_str())),
        };
        let recorded = self.recorded.as_deref().map_or(Nothing, Code);
        let rules = OverwriteRules { update_existing: true, replaceable: &replaceable };
        let verdict = judge(source, code, history, recorded, rules);
        if verdict == Write {
            self.recorded = Some(code.to_owned());
            self.written = Some((source, code.to_owned()));
            self.writes += 1;
        }
        self.stated[slot] = Some(code.to_owned());
        verdict
    }
}

#[test]
fn tardy_absent_tardy_again_is_three_writes() {
    let mut ledger = Ledger::default();
    for code in ["T", "A", "T"] {
        assert_eq!(ledger.state(Hero, code), Write);
        assert_eq!(ledger.state(Hero, code), NoOp(NoOpReason::AlreadyStated));
    }
    assert_eq!(ledger.writes, 3);
}

#[test]
fn a_correction_survives_every_later_delivery() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.state(Raptor, "T"), Write);
    ledger.recorded = Some("E".to_owned());
    assert_eq!(ledger.state(Raptor, "T"), NoOp(NoOpReason::AlreadyStated));
    assert_eq!(ledger.state(Raptor, "TT"), Hold(HoldReason::CorrectedInPowerSchool));
    assert_eq!(ledger.state(Hero, "T"), Hold(HoldReason::CorrectedInPowerSchool));
    assert_eq!(ledger.recorded.as_deref(), Some("E"));
}

/// What may have been sent is only sent again where nothing has happened to the record since it was decided.
#[rstest]
#[case::still_none(None, None, Nothing, None, true)]
#[case::still_blank(Some(7), None, Blank, Some(7), true)]
#[case::still_the_same(Some(7), Some("A"), Code("A"), Some(7), true)]
#[case::a_blank_record_where_none_was(None, None, Blank, Some(8), false)]
#[case::a_code_where_none_was(None, None, Code("A"), Some(8), false)]
#[case::the_code_was_cleared(Some(7), Some("A"), Blank, Some(7), false)]
#[case::another_code(Some(7), Some("A"), Code("UX"), Some(7), false)]
#[case::a_code_where_it_was_blank(Some(7), None, Code("A"), Some(7), false)]
#[case::another_record(Some(7), Some("A"), Code("A"), Some(9), false)]
#[case::the_record_is_gone(Some(7), Some("A"), Nothing, None, false)]
#[case::twice(None, None, Several, None, false)]
fn what_stood_before_is_known(
    #[case] replaces: Option<i64>,
    #[case] previous_code: Option<&str>,
    #[case] recorded: Recorded<'_>,
    #[case] dcid: Option<i64>,
    #[case] before: bool,
) {
    let write = AttendanceWrite {
        key: AttendanceKey {
            school: SchoolNumber::new(100),
            student: StudentId::new(7),
            date: NaiveDate::from_ymd_opt(2026, 11, 20).unwrap(),
            meeting: None,
        },
        code: "T".to_owned(),
        code_id: AttendanceCodeId::new(3),
        year: YearId::new(36),
        calendar_day: CalendarDayId::new(1),
        times: None,
        comment: String::new(),
        replaces: replaces.map(AttendanceDcid::new),
        previous_code: previous_code.map(str::to_owned),
        previous_comment: Some(String::new()),
    };
    assert_eq!(write.stood_before(recorded, dcid.map(AttendanceDcid::new)), before);
}

#[test]
fn the_mode_follows_the_meeting() {
    let daily = AttendanceKey {
        school: SchoolNumber::new(100),
        student: StudentId::new(1),
        date: NaiveDate::from_ymd_opt(2026, 9, 30).unwrap(),
        meeting: None,
    };
    let meeting =
        AttendanceKey { meeting: Some(Meeting { cc: CcId::new(5), period: PeriodId::new(6) }), ..daily };
    assert_eq!((daily.mode(), meeting.mode()), (AttendanceMode::Daily, AttendanceMode::Meeting));
    assert_eq!((daily.mode().code(), meeting.mode().code()), ("ATT_ModeDaily", "ATT_ModeMeeting"));
    assert_eq!(serde_json::to_string(&AttendanceMode::Meeting).unwrap(), "\"ATT_ModeMeeting\"");
}

fn code() -> impl Strategy<Value = String> {
    "[ATUt]"
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![Just(Hero), Just(Raptor)]
}

proptest! {
    #[test]
    fn only_what_may_be_overwritten_is(
        by in source(),
        new_code in code(),
        stated in proptest::option::of(code()),
        written in proptest::option::of((source(), code())),
        record in proptest::option::of(proptest::option::of(code())),
        update_existing in any::<bool>(),
        replaceable in proptest::collection::btree_set(code(), 0..3),
    ) {
        let recorded = match &record {
            None => Nothing,
            Some(None) => Blank,
            Some(Some(code)) => Code(code),
        };
        let history = History {
            stated: stated.as_deref(),
            written: written.as_ref().map(|(by, code)| (*by, code.as_str())),
        };
        let rules = OverwriteRules { update_existing, replaceable: &replaceable };
        let verdict = judge(by, &new_code, history, recorded, rules);
        match recorded {
            Code(existing) if verdict == Write => {
                let ours = history.written == Some((by, existing));
                let free = history.written.is_none() && replaceable.contains(existing);
                prop_assert!(update_existing && (ours || free));
                prop_assert_ne!(existing, new_code.as_str());
            }
            Nothing | Blank if verdict == Write => prop_assert_eq!(history.written, None),
            _ => {}
        }
        prop_assert_eq!(
            verdict == NoOp(NoOpReason::AlreadyStated),
            history.stated == Some(new_code.as_str())
        );
    }

    #[test]
    fn nothing_is_written_twice_in_a_row(statements in proptest::collection::vec((source(), code()), 1..20)) {
        let mut ledger = Ledger::default();
        for (source, code) in statements {
            let before = ledger.recorded.clone();
            if ledger.state(source, &code) == Write {
                prop_assert_ne!(before.as_deref(), Some(code.as_str()));
            }
            prop_assert_ne!(ledger.state(source, &code), Write);
        }
    }
}
