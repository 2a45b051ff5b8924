//! The order of the day of an account at Hero.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use chrono::{NaiveDate, TimeDelta, Timelike};
use chrono_tz::{America, Tz};
use proptest::prelude::*;
use rosterbridge_domain::{
    day::{Clash, ClashKind, Day, Planned, Step},
    job::{AccountId, Job, JobId},
    schedule::{Interval, JobSchedule, Missed, TimeOfDay, Weekdays, When},
    settings::Owner,
};
use rstest::rstest;

/// A Monday.
const MONDAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 9, 7).unwrap();
const CHICAGO: Tz = America::Chicago;

fn step(job: Job, owner: Owner) -> Step {
    Step::Job { job: job.into(), owner }
}

fn at(days: &str, time: &str, zone: Tz) -> JobSchedule {
    let when = When::At { days: days.parse().unwrap(), time: time.parse().unwrap() };
    JobSchedule { when, zone, only_in_session: false, missed: Missed::CatchUp }
}

fn every(minutes: u16) -> JobSchedule {
    let when = When::Every { minutes: Interval::new(minutes).unwrap() };
    JobSchedule { when, ..at("MTWHF", "00:10", CHICAGO) }
}

fn hero(step: Step, time: &str) -> Planned {
    Planned::at_hero(step, Some(time.parse().unwrap()), CHICAGO)
}

const JOBS: [Job; 4] = [Job::HeroStudents, Job::HeroSchedule, Job::HeroTeachers, Job::HeroAttendance];

/// Exports at 3:10, 3:20 and 3:30, taken in at 5:00; attendance written at 16:00 and imported at 16:30.
fn sound(owner: Owner) -> Day {
    let times = ["03:10", "03:20", "03:30", "16:30"];
    let jobs = JOBS.into_iter().zip(times);
    let jobs = jobs
        .map(|(job, time)| Planned { step: step(job, owner), schedule: Some(at("MTWHF", time, CHICAGO)) });
    let heros = [hero(Step::HeroImports, "05:00"), hero(Step::HeroExports, "16:00")];
    Day { planned: jobs.chain(heros).collect(), neighbours: Vec::new(), district: Some(CHICAGO) }
}

fn set(day: &mut Day, job: Job, schedule: Option<JobSchedule>) {
    let wanted =
        |planned: &&mut Planned| matches!(planned.step, Step::Job { job: of, .. } if of.kind() == job);
    day.planned.iter_mut().find(wanted).unwrap().schedule = schedule;
}

fn set_hero(day: &mut Day, step: Step, time: Option<&str>, zone: Tz) {
    let time = time.map(|time| time.parse().unwrap());
    *day.planned.iter_mut().find(|planned| planned.step == step).unwrap() =
        Planned::at_hero(step, time, zone);
}

fn told(day: &Day) -> Vec<(ClashKind, String, Option<String>)> {
    let name = |step: &Step| match step {
        Step::Job { job, .. } => job.to_string().replace("hero-", ""),
        Step::HeroImports => "Hero takes in".to_owned(),
        Step::HeroExports => "Hero writes".to_owned(),
    };
    let told = |clash: Clash| {
        let steps: Vec<String> = clash.steps.iter().map(name).collect();
        (clash.kind, steps.join(", "), clash.on.map(|day| day.to_string()))
    };
    day.clashes(MONDAY).into_iter().map(told).collect()
}

fn usually(kind: ClashKind, steps: &str) -> (ClashKind, String, Option<String>) {
    (kind, steps.to_owned(), None)
}

#[rstest]
fn a_sound_day_has_nothing_against_it(#[values(Owner::PowerSchool, Owner::RosterBridge)] owner: Owner) {
    assert_eq!(told(&sound(owner)), []);
}

#[test]
fn the_steps_of_a_day_come_in_the_order_of_time() {
    let day = sound(Owner::PowerSchool);
    let steps: Vec<(String, Step)> = day
        .on(MONDAY)
        .into_iter()
        .map(|(at, step)| (TimeOfDay::from(at.with_timezone(&CHICAGO).time()).to_string(), step))
        .collect();
    let of = |job| step(job, Owner::PowerSchool);
    let expected = [
        ("03:10", of(Job::HeroStudents)),
        ("03:20", of(Job::HeroSchedule)),
        ("03:30", of(Job::HeroTeachers)),
        ("05:00", Step::HeroImports),
        ("16:00", Step::HeroExports),
        ("16:30", of(Job::HeroAttendance)),
    ];
    assert_eq!(steps, expected.map(|(time, step)| (time.to_owned(), step)));
    let saturday = MONDAY + TimeDelta::days(5);
    let steps: Vec<Step> = day.on(saturday).into_iter().map(|(_, step)| step).collect();
    assert_eq!(steps, [Step::HeroImports, Step::HeroExports]);
    assert_eq!(day.fullest(saturday), MONDAY + TimeDelta::days(7));
    assert_eq!(day.fullest(MONDAY), MONDAY);
}

#[rstest]
#[case::export_late(
    |day: &mut Day| set(day, Job::HeroSchedule, Some(at("MTWHF", "05:10", CHICAGO))),
    &[usually(ClashKind::ExportAfterHero, "schedule, Hero takes in")]
)]
#[case::export_at_the_same_time(
    |day: &mut Day| {
        set_hero(day, Step::HeroImports, Some("05:05"), CHICAGO);
        set(day, Job::HeroSchedule, Some(at("MTWHF", "05:05", CHICAGO)));
    },
    &[usually(ClashKind::ExportAfterHero, "schedule, Hero takes in")]
)]
#[case::export_just_before(
    |day: &mut Day| set(day, Job::HeroTeachers, Some(at("MTWHF", "04:51", CHICAGO))),
    &[usually(ClashKind::TooClose, "teachers, Hero takes in")]
)]
#[case::export_ten_minutes_before(
    |day: &mut Day| set(day, Job::HeroTeachers, Some(at("MTWHF", "04:50", CHICAGO))),
    &[]
)]
#[case::import_early(
    |day: &mut Day| set(day, Job::HeroAttendance, Some(at("MTWHF", "04:10", CHICAGO))),
    &[usually(ClashKind::ImportBeforeHero, "attendance, Hero writes")]
)]
#[case::import_just_after(
    |day: &mut Day| set(day, Job::HeroAttendance, Some(at("MTWHF", "16:05", CHICAGO))),
    &[usually(ClashKind::TooClose, "attendance, Hero writes")]
)]
#[case::import_all_day(|day: &mut Day| set(day, Job::HeroAttendance, Some(every(15))), &[usually(
    ClashKind::OtherDays, "students, schedule, teachers, attendance"
)])]
#[case::hero_in_another_zone(
    // 5:00 in New York is 4:00 in Chicago.
    |day: &mut Day| {
        set_hero(day, Step::HeroImports, Some("05:00"), America::New_York);
        set(day, Job::HeroStudents, Some(at("MTWHF", "04:10", CHICAGO)));
    },
    &[usually(ClashKind::ExportAfterHero, "students, Hero takes in")]
)]
#[case::same_clocks_under_another_name(
    |day: &mut Day| set(day, Job::HeroStudents, Some(at("MTWHF", "03:10", chrono_tz::US::Central))),
    &[]
)]
#[case::days(
    |day: &mut Day| set(day, Job::HeroTeachers, Some(at("M", "03:30", CHICAGO))),
    &[usually(ClashKind::OtherDays, "students, schedule, teachers, attendance")]
)]
#[case::a_school_day_left_out_by_all(
    |day: &mut Day| for (job, time) in JOBS.into_iter().zip(["03:10", "03:20", "03:30", "16:30"]) {
        set(day, job, Some(at("MTWH", time, CHICAGO)));
    },
    &[usually(ClashKind::OtherDays, "students, schedule, teachers, attendance")]
)]
#[case::no_time(
    |day: &mut Day| set(day, Job::HeroStudents, None),
    &[usually(ClashKind::NoTime, "students")]
)]
#[case::no_day(
    |day: &mut Day| set(day, Job::HeroStudents, Some(at("", "03:10", CHICAGO))),
    &[usually(ClashKind::NoTime, "students")]
)]
#[case::hero_unknown(
    |day: &mut Day| set_hero(day, Step::HeroExports, None, CHICAGO),
    &[usually(ClashKind::HeroTimeUnknown, "Hero writes")]
)]
fn what_does_not_fit_is_told(
    #[case] change: impl Fn(&mut Day),
    #[case] expected: &[(ClashKind, String, Option<String>)],
    #[values(Owner::PowerSchool, Owner::RosterBridge)] owner: Owner,
) {
    let mut day = sound(owner);
    change(&mut day);
    assert_eq!(told(&day), expected);
}

#[test]
fn close_together_matters_where_powerschool_sends() {
    let close = |owner| {
        let mut day = sound(owner);
        set(&mut day, Job::HeroSchedule, Some(at("MTWHF", "03:15", CHICAGO)));
        told(&day)
    };
    assert_eq!(close(Owner::RosterBridge), []);
    let all = usually(ClashKind::TooClose, "students, schedule");
    assert_eq!(close(Owner::PowerSchool), [all]);
}

#[test]
fn another_accounts_job_on_the_connection_counts() {
    let mut day = sound(Owner::PowerSchool);
    let job = JobId::new(Job::HeroStudents, AccountId::try_from(2).unwrap());
    let neighbour = |time| Planned {
        step: Step::Job { job, owner: Owner::RosterBridge },
        schedule: Some(at("MTWHF", time, CHICAGO)),
    };
    day.neighbours = vec![neighbour("03:12"), neighbour("12:12")];
    assert_eq!(told(&day), [usually(ClashKind::TooClose, "students, students-2, schedule")]);
}

#[test]
fn minutes_00_matter_where_powerschool_sends() {
    for (owner, expected) in
        [(Owner::RosterBridge, vec![]), (Owner::PowerSchool, vec![usually(ClashKind::OnTheHour, "students")])]
    {
        let mut day = sound(owner);
        set(&mut day, Job::HeroStudents, Some(at("MTWHF", "03:00", CHICAGO)));
        assert_eq!(told(&day), expected);
    }
}

#[test]
fn powerschool_goes_by_its_own_clocks() {
    let mut day = sound(Owner::PowerSchool);
    // 5:30 in New York would be before Hero's 5:00 in Chicago; PowerSchool's clocks are Chicago's.
    set(&mut day, Job::HeroStudents, Some(at("MTWHF", "05:30", America::New_York)));
    let late = usually(ClashKind::ExportAfterHero, "students, Hero takes in");
    assert_eq!(told(&day), [late, usually(ClashKind::OtherZone, "students")]);
    let mut day = sound(Owner::RosterBridge);
    set(&mut day, Job::HeroStudents, Some(at("MTWHF", "05:30", America::New_York)));
    assert_eq!(told(&day), [usually(ClashKind::OtherZone, "students")]);
}

#[test]
fn the_zone_is_the_districts_or_the_jobs() {
    let mut day = sound(Owner::RosterBridge);
    assert_eq!(day.zone(), CHICAGO);
    day.district = None;
    set(&mut day, Job::HeroStudents, Some(at("MTWHF", "03:10", America::Denver)));
    assert_eq!(day.zone(), America::Denver);
    assert_eq!(Day::default().zone(), Tz::UTC);
}

#[test]
fn the_night_in_which_the_clocks_go_forward_is_told() {
    let mut day = sound(Owner::RosterBridge);
    for (job, time) in
        [(Job::HeroStudents, "02:20"), (Job::HeroSchedule, "02:30"), (Job::HeroTeachers, "02:40")]
    {
        set(&mut day, job, Some(at("MTWHFSU", time, CHICAGO)));
    }
    set(&mut day, Job::HeroAttendance, Some(at("MTWHFSU", "16:30", CHICAGO)));
    set_hero(&mut day, Step::HeroImports, Some("02:50"), CHICAGO);
    let on = |kind, steps: &str| (kind, steps.to_owned(), Some("2027-03-14".to_owned()));
    // Everything between 2 and 3 happens at 3 in that night: nothing is before Hero any more.
    assert_eq!(
        told(&day),
        [
            on(ClashKind::ExportAfterHero, "students, Hero takes in"),
            on(ClashKind::ExportAfterHero, "schedule, Hero takes in"),
            on(ClashKind::ExportAfterHero, "teachers, Hero takes in"),
            on(ClashKind::ClocksForward, "students"),
            on(ClashKind::ClocksForward, "schedule"),
            on(ClashKind::ClocksForward, "teachers"),
            on(ClashKind::ClocksForward, "Hero takes in"),
        ]
    );
    // On school days only there is no such night.
    for (job, time) in
        [(Job::HeroStudents, "02:20"), (Job::HeroSchedule, "02:30"), (Job::HeroTeachers, "02:40")]
    {
        set(&mut day, job, Some(at("MTWHF", time, CHICAGO)));
    }
    set(&mut day, Job::HeroAttendance, Some(at("MTWHF", "16:30", CHICAGO)));
    assert_eq!(told(&day), [on(ClashKind::ClocksForward, "Hero takes in")]);
}

fn any_time() -> impl Strategy<Value = TimeOfDay> {
    (0_u32..24, 0_u32..60).prop_map(|(hour, minute)| TimeOfDay::new(hour, minute).unwrap())
}

fn any_zone() -> impl Strategy<Value = Tz> {
    prop::sample::select(vec![CHICAGO, America::New_York, America::Phoenix, Tz::UTC, Tz::Pacific__Apia])
}

fn any_day() -> impl Strategy<Value = Day> {
    let owner = prop::sample::select(vec![Owner::PowerSchool, Owner::RosterBridge]);
    let job = (prop::option::weighted(0.9, any_time()), any_zone(), owner, "[MTWHFSU]{0,7}");
    let hero = (prop::option::of(any_time()), any_zone());
    (prop::collection::vec(job, 4), prop::collection::vec(hero, 2), prop::option::of(any_zone())).prop_map(
        |(jobs, heros, district)| {
            let jobs = JOBS.into_iter().zip(jobs).map(|(job, (time, zone, owner, days))| {
                let days: Weekdays = days.parse().unwrap();
                let schedule =
                    time.map(|time| JobSchedule { when: When::At { days, time }, ..at("M", "01:00", zone) });
                Planned { step: step(job, owner), schedule }
            });
            let heros = [Step::HeroImports, Step::HeroExports].into_iter().zip(heros);
            let heros = heros.map(|(step, (time, zone))| Planned::at_hero(step, time, zone));
            Day { planned: jobs.chain(heros).collect(), neighbours: Vec::new(), district }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn everything_is_told_once_and_in_order(day in any_day(), from in 0_i64..800) {
        let from = MONDAY + TimeDelta::days(from);
        let clashes = day.clashes(from);
        for pair in clashes.windows(2) {
            prop_assert!(pair[0].kind <= pair[1].kind);
            prop_assert!(pair[0] != pair[1]);
        }
        // Each thing without a time is told, and nothing else is said of it alone.
        for planned in &day.planned {
            let untimed = planned.schedule.is_none_or(|schedule| schedule.when.days() == Weekdays::NONE);
            let told = clashes.iter().any(|clash| {
                matches!(clash.kind, ClashKind::NoTime | ClashKind::HeroTimeUnknown)
                    && clash.steps == [planned.step]
            });
            prop_assert_eq!(told, untimed);
        }
        let days = from.iter_days().take(7);
        for steps in days.map(|date| day.on(date)) {
            prop_assert!(steps.is_sorted());
        }
    }

    #[test]
    fn an_export_that_is_never_late_is_before_hero_on_each_day(day in any_day(), ahead in 0_i64..366) {
        let date = MONDAY + TimeDelta::days(ahead);
        let late = |step: Step| {
            day.clashes(MONDAY).iter().any(|clash| {
                clash.kind == ClashKind::ExportAfterHero && clash.steps.contains(&step)
            })
        };
        let steps = day.on(date);
        let hero = steps.iter().find(|(_, step)| *step == Step::HeroImports);
        for (at, step) in &steps {
            let export = matches!(step, Step::Job { job, .. } if job.kind() != Job::HeroAttendance);
            if let Some((hero, _)) = hero && export && !late(*step) {
                prop_assert!(at < hero, "{step:?} at {at}, Hero at {hero}");
            }
        }
    }

    #[test]
    fn minutes_are_shown_as_they_were_entered(time in any_time()) {
        let shown = TimeOfDay::from(chrono::NaiveTime::from_hms_opt(time.hour(), time.minute(), 59).unwrap());
        prop_assert_eq!(shown, time);
        prop_assert_eq!(chrono::NaiveTime::from_hms_opt(time.hour(), time.minute(), 0).unwrap().minute(), time.minute());
    }
}
