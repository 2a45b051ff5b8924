//! Identifiers, jobs, and the codes that other programs rely on.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use rosterbridge_domain::{
    attendance::NoOpReason,
    held::HoldReason,
    id::{AttendanceDcid, CcId, SchoolNumber, StudentDcid, StudentId, StudentNumber, TermId, YearId},
    job::{AccountId, Job, JobId, UnknownJob},
    settings::{HeroAccount, Setup},
};
use rstest::rstest;

proptest! {
    #[test]
    fn an_id_is_its_number_in_every_form(value in any::<i64>()) {
        let text = value.to_string();
        prop_assert_eq!(StudentNumber::new(value).get(), value);
        prop_assert_eq!(StudentDcid::new(value).to_string(), text.clone());
        prop_assert_eq!(serde_json::to_string(&StudentId::new(value)).unwrap(), text.clone());
        prop_assert_eq!(serde_json::from_str::<CcId>(&text).unwrap(), CcId::new(value));
        prop_assert_eq!(format!("{:>22}", AttendanceDcid::new(value)), format!("{value:>22}"));
    }

    #[test]
    fn ids_sort_as_numbers(a in any::<i64>(), b in any::<i64>()) {
        prop_assert_eq!(SchoolNumber::new(a).cmp(&SchoolNumber::new(b)), a.cmp(&b));
    }
}

#[test]
fn graduated_students_and_the_year_term() {
    assert_eq!(SchoolNumber::GRADUATED, SchoolNumber::new(999_999));
    assert_eq!(YearId::new(36).year_term(), TermId::new(3600));
}

#[rstest]
#[case("hero-students", Job::HeroStudents)]
#[case("hero-schedule", Job::HeroSchedule)]
#[case("hero-teachers", Job::HeroTeachers)]
#[case("hero-attendance", Job::HeroAttendance)]
#[case("raptor-roster", Job::RaptorRoster)]
#[case("raptor-tardies", Job::RaptorTardies)]
fn jobs_have_one_name_everywhere(#[case] name: &str, #[case] job: Job) {
    assert_eq!(name.parse::<Job>(), Ok(job));
    assert_eq!(job.to_string(), name);
    assert_eq!(serde_json::to_value(job).unwrap(), name);
}

#[test]
fn jobs_run_in_the_order_of_the_contract() {
    assert!(Job::ALL.is_sorted());
    assert_eq!("hero".parse::<Job>(), Err(UnknownJob("hero".to_owned())));
    assert!(Job::ALL.iter().all(|job| !Setup::default().job_enabled((*job).into())));
}

#[test]
fn hold_reasons_have_their_own_code_and_advice() {
    let codes: BTreeSet<_> = HoldReason::ALL.iter().map(|reason| reason.code()).collect();
    assert_eq!(codes.len(), HoldReason::ALL.len());
    for reason in HoldReason::ALL {
        assert!(reason.code().starts_with("held."));
        assert!(reason.sentence().ends_with('.'));
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
    }
}

#[rstest]
#[case("hero-students", Job::HeroStudents, 1)]
#[case("hero-attendance-2", Job::HeroAttendance, 2)]
#[case("hero-teachers-100", Job::HeroTeachers, 100)]
#[case("raptor-tardies", Job::RaptorTardies, 1)]
fn a_job_of_an_account_has_one_name_everywhere(#[case] name: &str, #[case] kind: Job, #[case] account: u16) {
    let id = JobId::new(kind, AccountId::try_from(account).unwrap());
    assert_eq!(name.parse::<JobId>(), Ok(id));
    assert_eq!(serde_json::to_value(id).unwrap(), name);
    assert_eq!(serde_json::from_value::<JobId>(name.into()).unwrap(), id);
}

#[rstest]
#[case("hero-students-1")]
#[case("hero-students-02")]
#[case("hero-students-0")]
#[case("hero-students-101")]
#[case("hero-students-")]
#[case("hero-students--2")]
#[case("hero-2")]
#[case("raptor-roster-2")]
fn no_job_has_a_second_name(#[case] name: &str) {
    assert_eq!(name.parse::<JobId>(), Err(UnknownJob(name.to_owned())));
}

#[test]
fn jobs_of_one_kind_are_done_together() {
    let second = AccountId::try_from(2).unwrap();
    assert!(JobId::new(Job::HeroStudents, second) < JobId::HERO_SCHEDULE);
    assert!(JobId::HERO_STUDENTS < JobId::new(Job::HeroStudents, second));
}

#[rstest]
#[case(NoOpReason::AlreadyStated)]
#[case(NoOpReason::AlreadyRecorded)]
#[case(NoOpReason::AlreadyDelivered)]
#[case(NoOpReason::Superseded)]
#[case(NoOpReason::NotTardy)]
fn no_op_reasons_are_named_alike_in_ledger_and_json(#[case] reason: NoOpReason) {
    assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
}

#[test]
fn a_setup_file_may_leave_out_what_it_does_not_change() {
    let setup: Setup = serde_json::from_str(r#"{"version": 1}"#).unwrap();
    assert_eq!(setup.hero, Setup::default().hero);
    let written = serde_json::to_string(&Setup::default()).unwrap();
    assert_eq!(serde_json::from_str::<Setup>(&written).unwrap(), Setup::default());
}

#[test]
fn no_account_gets_the_number_of_one_that_is_gone() {
    let mut before = Setup::default().hero;
    let second = HeroAccount { id: before.next_account().unwrap(), ..HeroAccount::default() };
    before.accounts.push(second);
    let mut now = before.clone();
    now.accounts.pop();
    now.note_accounts(&before);
    assert_eq!(now.next_account().map(AccountId::number), Some(3));
    // Also where somebody saves settings that know nothing of it.
    let mut saved = Setup::default().hero;
    saved.note_accounts(&now);
    assert_eq!(saved.next_account().map(AccountId::number), Some(3));
}
