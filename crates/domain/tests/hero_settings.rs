//! The settings of the exchange with Hero: what a new profile has, and which schools an account takes.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use chrono::NaiveDate;
use chrono_tz::America;
use rosterbridge_domain::{
    day::{ClashKind, Day, Planned, Step},
    id::SchoolNumber,
    job::{AccountId, Job},
    schedule::{TimeOfDay, When},
    settings::{
        ATTENDANCE_SETTING, AccountLevel, AutoCommFields, AutoSendFields, Duplicate, HeroAccount,
        HeroSettings, Owner, SETUP_VERSION, Setup,
    },
};
use rstest::rstest;
use serde_json::json;

/// A Monday.
const MONDAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 9, 7).unwrap();

fn time(text: &str) -> TimeOfDay {
    text.parse().unwrap()
}

#[test]
fn a_new_profile_has_the_procedures_times_past_the_hour() {
    let setup = Setup::default();
    let times: Vec<String> = HeroAccount::default()
        .jobs()
        .into_iter()
        .map(|job| {
            let settings = setup.jobs.iter().find(|settings| settings.job == job).unwrap();
            let When::At { days, time } = settings.schedule.unwrap().when else { panic!("{job}") };
            format!("{} {days} {time}", job.kind().as_str())
        })
        .collect();
    assert_eq!(
        times,
        [
            "hero-students MTWHF 03:05",
            "hero-schedule MTWHF 03:15",
            "hero-teachers MTWHF 03:25",
            "hero-attendance MTWHF 04:10"
        ]
    );
}

/// What Hero does is not known to a new profile; everything else fits, whoever carries it out.
#[rstest]
#[case::hero_unknown(None, None, &[ClashKind::HeroTimeUnknown, ClashKind::HeroTimeUnknown])]
#[case::hero_known(Some("05:00"), Some("04:00"), &[])]
fn the_order_of_a_new_profiles_day_is_sound(
    #[values(Owner::PowerSchool, Owner::RosterBridge)] exports: Owner,
    #[values(Owner::PowerSchool, Owner::RosterBridge)] import: Owner,
    #[case] imports_at: Option<&str>,
    #[case] exports_at: Option<&str>,
    #[case] expected: &[ClashKind],
) {
    let setup = Setup::default();
    let jobs = HeroAccount::default().jobs().map(|job| Planned {
        step: Step::Job { job, owner: if job.kind() == Job::HeroAttendance { import } else { exports } },
        schedule: setup.jobs.iter().find(|settings| settings.job == job).unwrap().schedule,
    });
    let zone = America::Chicago;
    let heros = [
        Planned::at_hero(Step::HeroImports, imports_at.map(time), zone),
        Planned::at_hero(Step::HeroExports, exports_at.map(time), zone),
    ];
    let day = Day {
        planned: jobs.into_iter().chain(heros).collect(),
        neighbours: Vec::new(),
        district: Some(zone),
    };
    let kinds: Vec<ClashKind> = day.clashes(MONDAY).iter().map(|clash| clash.kind).collect();
    assert_eq!(kinds, expected);
}

fn schools(numbers: &[i64]) -> Vec<SchoolNumber> {
    numbers.iter().copied().map(SchoolNumber::new).collect()
}

#[rstest]
#[case::one(AccountLevel::School, &[], &[], &[100, 999_999], &[])]
#[case::all_of_several(AccountLevel::School, &[], &[], &[100, 200, 999_999], &[100, 200])]
#[case::chosen(AccountLevel::School, &[100], &[], &[100, 200], &[])]
#[case::several_chosen(AccountLevel::School, &[100, 200], &[], &[100, 200, 300], &[100, 200])]
#[case::chosen_and_none_known(AccountLevel::School, &[100, 200], &[], &[], &[100, 200])]
#[case::nothing_known(AccountLevel::School, &[], &[], &[], &[])]
#[case::exports_of_one(AccountLevel::School, &[], &[200], &[100, 200], &[])]
#[case::a_group(AccountLevel::Group, &[], &[], &[100, 200], &[])]
fn one_schools_account_takes_one_school(
    #[case] level: AccountLevel,
    #[case] chosen: &[i64],
    #[case] only: &[i64],
    #[case] known: &[i64],
    #[case] told: &[i64],
) {
    let mut hero = HeroSettings::default();
    let account = &mut hero.accounts[0];
    (account.level, account.schools) = (level, schools(chosen));
    for export in [&mut account.students, &mut account.schedule, &mut account.teachers] {
        export.schools = schools(only);
    }
    let too_many = hero.too_many_schools(&hero.accounts[0], schools(known));
    assert_eq!(too_many, schools(told).into_iter().collect());
}

#[test]
fn the_school_of_another_account_does_not_count() {
    let mut hero = HeroSettings::default();
    let second = HeroAccount { id: AccountId::try_from(2).unwrap(), ..HeroAccount::default() };
    hero.accounts.push(HeroAccount { schools: schools(&[200]), ..second });
    let too_many =
        |hero: &HeroSettings, known: &[i64]| hero.too_many_schools(&hero.accounts[0], schools(known)).len();
    assert_eq!((too_many(&hero, &[100, 200]), too_many(&hero, &[100, 200, 300])), (0, 2));
    // Rows of teachers and classes tell their school.
    hero.accounts[0].students.schools = schools(&[100]);
    assert_eq!(too_many(&hero, &[100, 200, 300]), 0);
}

#[rstest]
#[case::as_in_a_groups_file("SchoolID", true)]
#[case::with_its_table("DOB [01]schoolid", true)]
#[case::of_another_table("[39]SchoolID", false)]
#[case::other_fields("DOB\nHome_Phone", false)]
fn a_student_file_that_names_the_school_can_take_several(#[case] line: &str, #[case] names: bool) {
    let mut hero = HeroSettings::default();
    hero.accounts[0].students.fields.push(line.to_owned());
    let too_many = hero.too_many_schools(&hero.accounts[0], schools(&[100, 200]));
    assert_eq!(too_many.is_empty(), names);
}

#[test]
fn the_forms_other_fields_are_kept_and_begin_as_in_the_procedure() {
    let earlier: Setup = serde_json::from_value(json!({
        "version": SETUP_VERSION,
        "hero": {"accounts": [{"students": {"name": "S", "path": "imports/S.TXT", "fields": ["DOB"]}}]},
    }))
    .unwrap();
    let account = &earlier.hero.accounts[0];
    assert_eq!(account.students.in_powerschool, AutoSendFields::default());
    assert_eq!(account.students.in_powerschool.attendance, ATTENDANCE_SETTING);
    assert_eq!(account.attendance.in_powerschool, AutoCommFields::default());

    let mut setup = Setup::default();
    let account = &mut setup.hero.accounts[0];
    account.teachers.in_powerschool = AutoSendFields {
        sort_order: "Last_Name".to_owned(),
        upload_type: true,
        attendance: "None".to_owned(),
        duplicate: Duplicate { all_schools: true, district_office: false },
    };
    account.attendance.in_powerschool = AutoCommFields {
        synchronize: true,
        mark_students: true,
        duplicate: Duplicate { all_schools: false, district_office: true },
        ..AutoCommFields::default()
    };
    let read: Setup = serde_json::from_str(&serde_json::to_string(&setup).unwrap()).unwrap();
    assert_eq!(read, setup);
}
