//! When jobs run by themselves: through changes of the clocks, sleep, restarts and wrong clocks.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use rosterbridge_domain::{
    job::{Job, JobId},
    schedule::{
        Due, DueRun, Gate, Interval, JobSchedule, Missed, Pause, TimeOfDay, Timing, UnknownDay, Weekdays,
        When,
    },
    settings::{JobSettings, Setup},
};
use rstest::rstest;
use serde_json::json;

const TOLERANCE: TimeDelta = TimeDelta::minutes(10);

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn at(days: &str, time: &str, zone: Tz) -> JobSchedule {
    let when = When::At { days: days.parse().unwrap(), time: time.parse().unwrap() };
    JobSchedule { when, zone, only_in_session: false, missed: Missed::CatchUp }
}

fn every(minutes: u16, zone: Tz) -> JobSchedule {
    let when = When::Every { minutes: Interval::new(minutes).unwrap() };
    JobSchedule { when, zone, only_in_session: false, missed: Missed::CatchUp }
}

#[rstest]
#[case("MTWHF", Ok("MTWHF"))]
#[case("usfhwtm", Ok("MTWHFSU"))]
#[case("HH", Ok("H"))]
#[case("", Ok(""))]
#[case("MX", Err('X'))]
#[case("M W", Err(' '))]
fn days_are_powerschools_letters(#[case] text: &str, #[case] expected: Result<&str, char>) {
    let days: Result<Weekdays, UnknownDay> = text.parse();
    assert_eq!(days.map(|days| days.to_string()), expected.map(str::to_owned).map_err(UnknownDay));
}

#[rstest]
#[case("03:10", Some("03:10"))]
#[case("3:10", Some("03:10"))]
#[case("00:00", Some("00:00"))]
#[case("23:59", Some("23:59"))]
#[case("24:00", None)]
#[case("12:60", None)]
#[case("12", None)]
#[case("3:10 AM", None)]
fn times_are_hours_and_minutes(#[case] text: &str, #[case] expected: Option<&str>) {
    assert_eq!(text.parse().ok().map(|time: TimeOfDay| time.to_string()).as_deref(), expected);
}

#[test]
fn an_interval_is_a_minute_to_a_day() {
    let valid: Vec<u16> = (0..2000).filter(|minutes| Interval::new(*minutes).is_some()).collect();
    assert_eq!((valid.first(), valid.last(), valid.len()), (Some(&1), Some(&1440), 1440));
}

#[rstest]
#[case::later_today("2026-11-23T08:00:00Z", "2026-11-23T09:10:00Z")]
#[case::strictly_after("2026-11-23T09:10:00Z", "2026-11-24T09:10:00Z")]
#[case::over_the_weekend("2026-11-27T09:10:01Z", "2026-11-30T09:10:00Z")]
#[case::into_summer_time("2026-03-07T00:00:00Z", "2026-03-09T08:10:00Z")]
fn on_weekdays_in_chicago(#[case] after: &str, #[case] next: &str) {
    assert_eq!(at("MTWHF", "03:10", Tz::America__Chicago).next_after(utc(after)), Some(utc(next)));
}

#[rstest]
#[case::skipped_in_chicago("2026-03-08T00:00:00Z", "02:30", Tz::America__Chicago, "2026-03-08T08:00:00Z")]
#[case::repeated_in_chicago("2026-11-01T01:00:00Z", "01:30", Tz::America__Chicago, "2026-11-01T06:30:00Z")]
#[case::only_once_in_chicago("2026-11-01T06:30:00Z", "01:30", Tz::America__Chicago, "2026-11-02T07:30:00Z")]
#[case::skipped_in_london("2026-03-29T00:00:00Z", "01:30", Tz::Europe__London, "2026-03-29T01:00:00Z")]
#[case::skipped_half_hour("2026-10-03T12:00:00Z", "02:15", Tz::Australia__Lord_Howe, "2026-10-03T15:30:00Z")]
#[case::repeated_half_hour("2026-04-04T12:00:00Z", "01:45", Tz::Australia__Lord_Howe, "2026-04-04T14:45:00Z")]
#[case::no_summer_time("2026-03-29T00:00:00Z", "01:30", Tz::Asia__Kolkata, "2026-03-29T20:00:00Z")]
#[case::day_starting_late("2018-11-04T02:00:00Z", "00:30", Tz::America__Sao_Paulo, "2018-11-04T03:00:00Z")]
#[case::left_out_date("2011-12-29T20:00:00Z", "03:10", Tz::Pacific__Apia, "2011-12-30T13:10:00Z")]
fn where_clocks_change(#[case] after: &str, #[case] time: &str, #[case] zone: Tz, #[case] next: &str) {
    assert_eq!(at("MTWHFSU", time, zone).next_after(utc(after)), Some(utc(next)));
}

#[test]
fn a_friday_that_never_was_has_no_run() {
    let fridays = at("F", "03:10", Tz::Pacific__Apia);
    assert_eq!(fridays.next_after(utc("2011-12-24T00:00:00Z")), Some(utc("2012-01-05T13:10:00Z")));
}

#[rstest]
#[case::from_midnight(every(90, Tz::Asia__Kolkata), "2026-05-04T18:30:00Z", "2026-05-04T20:00:00Z")]
#[case::short_last_stretch(every(1000, Tz::UTC), "2026-05-04T16:40:00Z", "2026-05-05T00:00:00Z")]
#[case::once_a_day(every(1440, Tz::UTC), "2026-05-04T00:00:00Z", "2026-05-05T00:00:00Z")]
#[case::over_a_gap(every(40, Tz::America__Chicago), "2026-03-08T07:20:00Z", "2026-03-08T08:00:00Z")]
#[case::out_of_a_gap(every(40, Tz::America__Chicago), "2026-03-08T08:00:00Z", "2026-03-08T08:20:00Z")]
#[case::in_the_first_pass(every(30, Tz::America__Chicago), "2026-11-01T06:00:00Z", "2026-11-01T06:30:00Z")]
#[case::over_the_second_pass(every(30, Tz::America__Chicago), "2026-11-01T06:30:00Z", "2026-11-01T08:00:00Z")]
fn intervals(#[case] schedule: JobSchedule, #[case] after: &str, #[case] next: &str) {
    assert_eq!(schedule.next_after(utc(after)), Some(utc(next)));
}

#[test]
fn without_a_day_there_is_no_next_time() {
    let never = at("", "03:10", Tz::UTC);
    let now = utc("2026-11-23T08:00:00Z");
    assert_eq!(never.next_after(now), None);
    assert_eq!(never.next_run(now, |_| Some(true)), None);
    assert_eq!(never.due(Some(now - TimeDelta::days(9)), now, TOLERANCE).handled(), now - TimeDelta::days(9));
}

const ON_TIME: Timing = Timing::OnTime;
const CATCH_UP: Timing = Timing::CatchUp;

fn run(occurrence: &str, timing: Timing, missed: u32, earliest: &str) -> Due {
    Due::Run(DueRun { occurrence: utc(occurrence), timing, missed, earliest: utc(earliest) })
}

fn not_yet(handled: &str, next: &str) -> Due {
    Due::NotYet { handled: utc(handled), next: Some(utc(next)) }
}

/// Daily at 12:00 UTC.
#[rstest]
#[case::just_enabled(None, "2026-05-04T13:00:00Z", not_yet("2026-05-04T13:00:00Z", "2026-05-05T12:00:00Z"))]
#[case::before(
    Some("2026-05-03T12:00:00Z"),
    "2026-05-04T11:59:59Z",
    not_yet("2026-05-03T12:00:00Z", "2026-05-04T12:00:00Z")
)]
#[case::to_the_second(
    Some("2026-05-03T12:00:00Z"),
    "2026-05-04T12:00:00Z",
    run("2026-05-04T12:00:00Z", ON_TIME, 0, "2026-05-04T12:00:00Z")
)]
#[case::at_the_end_of_the_tolerance(
    Some("2026-05-03T12:00:00Z"),
    "2026-05-04T12:10:00Z",
    run("2026-05-04T12:00:00Z", ON_TIME, 0, "2026-05-04T12:00:00Z")
)]
#[case::late(
    Some("2026-05-03T12:00:00Z"),
    "2026-05-04T12:10:01Z",
    run("2026-05-04T12:00:00Z", CATCH_UP, 0, "2026-05-04T12:00:00Z")
)]
#[case::after_a_week_of_sleep(
    Some("2026-05-03T12:00:00Z"),
    "2026-05-10T15:00:00Z",
    run("2026-05-10T12:00:00Z", CATCH_UP, 6, "2026-05-04T12:00:00Z")
)]
#[case::woken_on_time(
    Some("2026-05-01T12:00:00Z"),
    "2026-05-04T12:01:00Z",
    run("2026-05-04T12:00:00Z", ON_TIME, 2, "2026-05-02T12:00:00Z")
)]
#[case::counting_goes_back_a_year(
    Some("1970-01-01T00:00:00Z"),
    "2026-05-04T12:00:00Z",
    run("2026-05-04T12:00:00Z", ON_TIME, 365, "2025-05-04T12:00:00Z")
)]
#[case::put_back_over_one(
    Some("2026-05-04T12:00:00Z"),
    "2026-05-04T11:00:00Z",
    not_yet("2026-05-04T12:00:00Z", "2026-05-05T12:00:00Z")
)]
#[case::put_back_over_two(
    Some("2026-05-04T12:00:00Z"),
    "2026-05-03T11:00:00Z",
    not_yet("2026-05-03T11:00:00Z", "2026-05-03T12:00:00Z")
)]
#[case::was_years_ahead(
    Some("2040-01-01T12:00:00Z"),
    "2026-05-04T11:00:00Z",
    not_yet("2026-05-04T11:00:00Z", "2026-05-04T12:00:00Z")
)]
fn what_is_due(#[case] handled: Option<&str>, #[case] now: &str, #[case] expected: Due) {
    let daily = at("MTWHFSU", "12:00", Tz::UTC);
    assert_eq!(daily.due(handled.map(utc), utc(now), TOLERANCE), expected);
}

#[rstest]
#[case::late("2026-05-04T12:10:01Z", Due::Skipped { occurrence: utc("2026-05-04T12:00:00Z"), missed: 1 })]
#[case::three("2026-05-06T15:00:00Z", Due::Skipped { occurrence: utc("2026-05-06T12:00:00Z"), missed: 3 })]
#[case::on_time("2026-05-06T12:05:00Z", run("2026-05-06T12:00:00Z", ON_TIME, 2, "2026-05-04T12:00:00Z"))]
fn missed_times_can_be_left(#[case] now: &str, #[case] expected: Due) {
    let daily = JobSchedule { missed: Missed::Skip, ..at("MTWHFSU", "12:00", Tz::UTC) };
    assert_eq!(daily.due(Some(utc("2026-05-03T12:00:00Z")), utc(now), TOLERANCE), expected);
}

/// In session on weekdays of May 2026, no calendar for any other month.
fn may(date: NaiveDate) -> Option<bool> {
    ((date.year(), date.month()) == (2026, 5)).then(|| date.weekday().number_from_monday() <= 5)
}

#[rstest]
#[case::friday("2026-05-08T22:00:00Z", Gate::Run)]
#[case::friday_there_saturday_in_greenwich("2026-05-09T04:00:00Z", Gate::Run)]
#[case::saturday("2026-05-09T22:00:00Z", Gate::NotInSession)]
#[case::no_calendar("2026-06-05T22:00:00Z", Gate::CalendarUnknown)]
fn the_school_calendar_decides(#[case] occurrence: &str, #[case] expected: Gate) {
    let gated = JobSchedule { only_in_session: true, ..every(60, Tz::America__Chicago) };
    assert_eq!(gated.gate(utc(occurrence), may), expected);
    assert_eq!(every(60, Tz::America__Chicago).gate(utc(occurrence), may), Gate::Run);
}

#[rstest]
#[case::off_since_friday_noon("2026-05-08T12:00:00Z", Missed::CatchUp, Gate::Run)]
#[case::off_since_friday_night("2026-05-08T23:30:00Z", Missed::CatchUp, Gate::NotInSession)]
#[case::off_for_months("2026-02-08T12:00:00Z", Missed::CatchUp, Gate::Run)]
#[case::missed_ones_are_left("2026-05-08T12:00:00Z", Missed::Skip, Gate::NotInSession)]
fn a_catch_up_counts_for_the_days_it_makes_up_for(
    #[case] handled: &str,
    #[case] missed: Missed,
    #[case] expected: Gate,
) {
    let gated = JobSchedule { only_in_session: true, missed, ..every(60, Tz::UTC) };
    let Due::Run(run) = gated.due(Some(utc(handled)), utc("2026-05-09T10:05:00Z"), TOLERANCE) else {
        panic!("nothing due")
    };
    assert_eq!(gated.gate_run(&run, may), expected);
}

#[rstest]
#[case::same_day(true, "2026-05-08T10:00:00Z", Some("2026-05-08T16:00:00Z"))]
#[case::over_the_weekend(true, "2026-05-08T16:00:00Z", Some("2026-05-11T16:00:00Z"))]
#[case::beyond_the_calendar(true, "2026-05-29T16:00:00Z", Some("2026-06-01T16:00:00Z"))]
#[case::whatever_the_calendar(false, "2026-05-08T16:00:00Z", Some("2026-05-09T16:00:00Z"))]
fn the_next_run_shown(#[case] only_in_session: bool, #[case] after: &str, #[case] next: Option<&str>) {
    let daily = JobSchedule { only_in_session, ..at("MTWHFSU", "16:00", Tz::UTC) };
    assert_eq!(daily.next_run(utc(after), may), next.map(utc));
    assert_eq!(daily.next_run(utc(after), |_| Some(false)).is_some(), !only_in_session);
}

#[test]
fn a_pause_ends_by_itself_or_by_a_person() {
    let end = utc("2026-05-04T12:00:00Z");
    let paused = |pause: Pause| [end - TimeDelta::seconds(1), end].map(|now| pause.is_paused(now));
    assert_eq!(paused(Pause::No), [false, false]);
    assert_eq!(paused(Pause::Until(end)), [true, false]);
    assert_eq!(paused(Pause::UntilResumed), [true, true]);
    for pause in [Pause::No, Pause::Until(end), Pause::UntilResumed] {
        let text = serde_json::to_string(&pause).unwrap();
        assert_eq!(serde_json::from_str::<Pause>(&text).unwrap(), pause, "{text}");
    }
}

#[test]
fn a_setup_file_holds_schedules_in_words() {
    let job = json!({
        "job": "hero-students",
        "enabled": true,
        "schedule": {
            "when": {"kind": "at", "days": "MTWHF", "time": "03:05"},
            "zone": "America/Denver",
            "only_in_session": false,
            "missed": "catch_up",
        },
    });
    let settings: JobSettings = serde_json::from_value(job.clone()).unwrap();
    assert_eq!(settings.schedule, JobSchedule::usual(Job::HeroStudents, Tz::America__Denver));
    assert_eq!(serde_json::to_value(&settings).unwrap(), job);

    let short = json!({"when": {"kind": "every", "minutes": 5}, "zone": "Europe/London"});
    assert_eq!(serde_json::from_value::<JobSchedule>(short).unwrap(), every(5, Tz::Europe__London));
}

#[rstest]
#[case(json!({"when": {"kind": "every", "minutes": 0}, "zone": "UTC"}), "1 to 1440")]
#[case(json!({"when": {"kind": "at", "days": "XYZ", "time": "03:10"}, "zone": "UTC"}), "MTWHFSU")]
#[case(json!({"when": {"kind": "at", "days": "M", "time": "3 AM"}, "zone": "UTC"}), "24-hour")]
#[case(json!({"when": {"kind": "every", "minutes": 5}, "zone": "Central"}), "Central")]
fn a_schedule_that_makes_no_sense_is_refused_in_words(
    #[case] schedule: serde_json::Value,
    #[case] says: &str,
) {
    let error = serde_json::from_value::<JobSchedule>(schedule).unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
}

#[test]
fn a_setup_file_from_before_schedules_is_read_and_runs_nothing_by_itself() {
    let setup: Setup = serde_json::from_value(json!({
        "version": 1,
        "jobs": [{"job": "raptor-roster", "enabled": true}],
    }))
    .unwrap();
    assert_eq!(setup.jobs, [JobSettings { job: JobId::RAPTOR_ROSTER, enabled: true, schedule: None }]);
}

#[rstest]
#[case(Job::HeroStudents, "2026-05-04T07:05:00Z")]
#[case(Job::HeroSchedule, "2026-05-04T07:15:00Z")]
#[case(Job::HeroTeachers, "2026-05-04T07:25:00Z")]
#[case(Job::HeroAttendance, "2026-05-04T08:10:00Z")]
#[case(Job::RaptorTardies, "2026-05-02T04:05:00Z")]
fn the_usual_times_of_a_district_in_new_york(#[case] job: Job, #[case] next: &str) {
    let saturday = utc("2026-05-02T04:00:00Z");
    let settings = JobSettings::new(job.into(), Tz::America__New_York);
    assert!(!settings.enabled);
    let schedule = settings.schedule.unwrap();
    assert_eq!(schedule.next_after(saturday), Some(utc(next)));
    assert_eq!(schedule.only_in_session, job == Job::RaptorTardies);
}

#[test]
fn raptors_roster_has_a_window_in_place_of_a_schedule() {
    assert_eq!(JobSettings::new(JobId::RAPTOR_ROSTER, Tz::America__New_York).schedule, None);
}

const ZONES: [Tz; 9] = [
    Tz::America__Chicago,
    Tz::Europe__London,
    Tz::Asia__Kolkata,
    Tz::Australia__Lord_Howe,
    Tz::Pacific__Apia,
    Tz::America__Sao_Paulo,
    Tz::Atlantic__Azores,
    Tz::Africa__Casablanca,
    Tz::UTC,
];

fn zones() -> impl Strategy<Value = Tz> {
    proptest::sample::select(&ZONES)
}

/// A zone in a year, and now and then the year in which Samoa left out a date.
fn years() -> impl Strategy<Value = (Tz, i32)> {
    prop_oneof![6 => (zones(), 2008..2036_i32), 1 => Just((Tz::Pacific__Apia, 2011))]
}

fn whens() -> impl Strategy<Value = When> {
    let days = "[MTWHFSU]{1,7}".prop_map(|letters| letters.parse().unwrap());
    let times = prop_oneof![(0..24_u32, 0..60_u32), (0..4_u32, 0..60_u32)];
    prop_oneof![
        (days, times).prop_map(|(days, (hour, minute))| When::At {
            days,
            time: TimeOfDay::new(hour, minute).unwrap()
        }),
        (1..=1440_u16).prop_map(|minutes| When::Every { minutes: Interval::new(minutes).unwrap() }),
        (1..=90_u16).prop_map(|minutes| When::Every { minutes: Interval::new(minutes).unwrap() }),
    ]
}

fn schedules() -> impl Strategy<Value = JobSchedule> {
    (whens(), zones(), prop_oneof![Just(Missed::CatchUp), Just(Missed::Skip)])
        .prop_map(|(when, zone, missed)| JobSchedule { when, zone, only_in_session: false, missed })
}

/// Every occurrence after a moment and up to another.
fn between(schedule: &JobSchedule, after: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    std::iter::successors(schedule.next_after(after), |time| schedule.next_after(*time))
        .take_while(|time| *time <= until)
        .collect()
}

/// The wall clock of a zone.
fn wall(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

/// Whether a schedule names this time on the clock, looked up without regard to zones.
fn names(when: When, wall: NaiveDateTime) -> bool {
    match when {
        When::At { days, time } => {
            days.contains(wall.weekday()) && time.to_string() == wall.format("%H:%M").to_string()
        }
        When::Every { minutes } => {
            (wall.hour() * 60 + wall.minute()).is_multiple_of(minutes.minutes().into())
        }
    }
}

/// Watches the zone's clock minute by minute, and notes when it first shows or passes a time the schedule names.
fn watched(schedule: &JobSchedule, after: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let minute = TimeDelta::minutes(1);
    let mut seen = Vec::new();
    // A clock that is put back shows again what it has shown before.
    let mut shown = wall(schedule.zone, after - TimeDelta::days(1));
    let mut now = after - TimeDelta::days(1);
    while now < until {
        now += minute;
        let clock = wall(schedule.zone, now);
        let (before, mut named) = (shown.date(), false);
        while shown < clock {
            shown += minute;
            // A date of which the clock shows nothing is left out.
            let left_out = shown.date() != before && shown.date() != clock.date();
            named |= !left_out && names(schedule.when, shown);
        }
        if named && now > after {
            seen.push(now);
        }
    }
    seen
}

/// Days of a year on which the zone's offset from Greenwich changes.
fn changes(zone: Tz, year: i32) -> Vec<NaiveDate> {
    let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
    let offset = |day: NaiveDate| {
        let noon = Utc.from_utc_datetime(&day.and_hms_opt(12, 0, 0).unwrap());
        wall(zone, noon) - noon.naive_utc()
    };
    let days = first.iter_days().take(366);
    days.filter(|day| offset(*day) != offset(day.succ_opt().unwrap())).collect()
}

/// Handles one moment the way an engine does, and answers with the run, if one comes.
fn tick(schedule: &JobSchedule, handled: &mut Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<DueRun> {
    let due = schedule.due(*handled, now, TOLERANCE);
    *handled = Some(due.handled());
    match due {
        Due::Run(run) => Some(run),
        Due::NotYet { .. } | Due::Skipped { .. } => None,
    }
}

/// Moves of a clock, in seconds.
fn steps() -> impl Strategy<Value = Vec<i64>> {
    let step = prop_oneof![
        10 => 1..120_i64,
        4 => 120..7_200_i64,
        3 => 7_200..400_000_i64,
        1 => 400_000..3_000_000_i64,
        3 => -7_200..0_i64,
        2 => -400_000..0_i64,
        1 => -200_000_000..200_000_000_i64,
    ];
    proptest::collection::vec(step, 1..80)
}

fn moments() -> impl Strategy<Value = DateTime<Utc>> {
    (utc("2010-01-01T00:00:00Z").timestamp()..utc("2036-01-01T00:00:00Z").timestamp())
        .prop_map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap())
}

proptest! {
    #[test]
    fn days_are_read_as_they_are_written(letters in "[MTWHFSUmtwhfsu]{0,9}") {
        let days: Weekdays = letters.parse().unwrap();
        prop_assert_eq!(days.to_string().parse(), Ok(days));
    }

    #[test]
    fn each_chosen_day_of_a_year_has_exactly_one_run(
        letters in "[MTWHFSU]{1,7}",
        hour in 0..24_u32,
        minute in 0..60_u32,
        (zone, year) in years(),
    ) {
        let days: Weekdays = letters.parse().unwrap();
        let when = When::At { days, time: TimeOfDay::new(hour, minute).unwrap() };
        let schedule = JobSchedule { when, zone, only_in_session: false, missed: Missed::CatchUp };
        let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
        let start = zone.from_local_datetime(&first.into()).unwrap().to_utc();
        let end = zone.from_local_datetime(&first.with_year(year + 1).unwrap().into()).unwrap().to_utc();
        let second = TimeDelta::seconds(1);
        let dates: Vec<NaiveDate> = between(&schedule, start - second, end - second)
            .into_iter()
            .map(|time| schedule.local_date(time))
            .collect();
        let noon = |day: &NaiveDate| zone.from_local_datetime(&day.and_hms_opt(12, 0, 0).unwrap());
        let expected: Vec<NaiveDate> = first
            .iter_days()
            .take_while(|day| day.year() == year)
            .filter(|day| days.contains(day.weekday()) && noon(day).earliest().is_some())
            .collect();
        prop_assert_eq!(dates, expected);
    }

    #[test]
    fn runs_are_when_a_watched_clock_first_shows_the_time(
        schedule in schedules(),
        (zone, year) in years(),
        which in any::<proptest::sample::Index>(),
        random_day in 0..365_u64,
    ) {
        let schedule = JobSchedule { zone, ..schedule };
        let changes = changes(zone, year);
        let day = if changes.is_empty() {
            NaiveDate::from_ymd_opt(year, 1, 1).unwrap() + Days::new(random_day)
        } else {
            changes[which.index(changes.len())]
        };
        let middle = Utc.from_utc_datetime(&day.into());
        let (start, end) = (middle - TimeDelta::days(1), middle + TimeDelta::days(3));
        prop_assert_eq!(between(&schedule, start, end), watched(&schedule, start, end));
    }

    #[test]
    fn next_times_come_in_the_order_of_the_moments_asked_for(
        schedule in schedules(),
        one in moments(),
        distance in 0..10_000_000_i64,
    ) {
        let other = one + TimeDelta::seconds(distance);
        let (first, second) = (schedule.next_after(one).unwrap(), schedule.next_after(other).unwrap());
        prop_assert!(one < first && other < second && first <= second);
        prop_assert_eq!(schedule.next_after(first - TimeDelta::seconds(1)), Some(first));
    }

    /// Sleep and restarts, with a clock that is right.
    #[test]
    fn every_time_is_run_or_counted_once(schedule in schedules(), start in moments(), steps in steps()) {
        let mut now = start;
        let mut handled = None;
        let (mut runs, mut accounted) = (Vec::new(), 0);
        prop_assert_eq!(tick(&schedule, &mut handled, now), None);
        for step in steps {
            now += TimeDelta::seconds(step.abs() % 20_000_000);
            let due = schedule.due(handled, now, TOLERANCE);
            handled = Some(due.handled());
            match due {
                Due::NotYet { next, .. } => prop_assert_eq!(next, schedule.next_after(now)),
                Due::Run(run) => {
                    prop_assert!(run.occurrence <= now);
                    prop_assert_eq!(run.timing == Timing::OnTime, now - run.occurrence <= TOLERANCE);
                    prop_assert!(run.timing == Timing::OnTime || schedule.missed == Missed::CatchUp);
                    accounted += run.missed + 1;
                    runs.push(run.occurrence);
                }
                Due::Skipped { occurrence, missed } => {
                    prop_assert!(schedule.missed == Missed::Skip && now - occurrence > TOLERANCE);
                    accounted += missed;
                }
            }
            // One run at most, however much was missed; asked again, there is nothing more.
            prop_assert_eq!(tick(&schedule, &mut handled, now), None);
        }
        prop_assert!(runs.is_sorted_by(|a, b| a < b));
        if now - start < TimeDelta::days(60) {
            prop_assert_eq!(accounted as usize, between(&schedule, start, now).len());
        }
    }

    /// A clock that is put back by no more than a period, as often as one likes.
    #[test]
    fn nothing_runs_twice_when_a_clock_is_put_back_a_little(
        schedule in schedules(),
        start in moments(),
        steps in steps(),
    ) {
        let mut now = start;
        let mut handled = None;
        let mut latest = None;
        for step in steps {
            let moved = now + TimeDelta::seconds(step);
            let too_far = handled.is_some_and(|handled| {
                schedule.next_after(moved).is_none_or(|next| next < handled)
            });
            if too_far {
                continue;
            }
            now = moved;
            if let Some(run) = tick(&schedule, &mut handled, now) {
                prop_assert!(latest.is_none_or(|latest| latest < run.occurrence));
                latest = Some(run.occurrence);
            }
        }
    }

    /// A clock that does as it likes.
    #[test]
    fn a_wrong_clock_costs_one_run_at_most(schedule in schedules(), start in moments(), steps in steps()) {
        let mut now = start;
        let mut handled = None;
        let mut latest: Option<DateTime<Utc>> = None;
        for step in steps {
            now = (now + TimeDelta::seconds(step)).clamp(utc("2009-01-01T00:00:00Z"), utc("2045-01-01T00:00:00Z"));
            let before = handled;
            let run = tick(&schedule, &mut handled, now);
            if handled < before {
                prop_assert!(schedule.next_after(now) < before, "taken back without need");
                latest = None;
            }
            if let Some(run) = run {
                prop_assert!(latest.is_none_or(|latest| latest < run.occurrence), "the same one again");
                latest = Some(run.occurrence);
            }
            // From here on the clock is right: of the next two times at least the second one runs.
            let (mut afterwards, mut runs) = (handled, 0);
            let next = schedule.next_after(now).unwrap();
            for later in [next, schedule.next_after(next).unwrap()] {
                runs += usize::from(tick(&schedule, &mut afterwards, later).is_some());
            }
            prop_assert!(runs >= 1, "blocked");
        }
    }
}
