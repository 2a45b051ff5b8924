//! School years and terms, summer, and the tardy table in a new year.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use chrono::NaiveDate;
use proptest::prelude::*;
use rosterbridge_domain::{
    calendar::year_of,
    held::HoldReason,
    id::{AttendanceCodeId, Dcid, SchoolNumber, TermId, YearId},
    mapping::{BuildingMapping, Mappings, TardyMapping},
    roster::{AttendanceCode, EnrollStatus, Term},
    school_year::{KnownTerm, Season, StartedTerm, Summer, YearChange, tardy_code_faults},
};
use rstest::rstest;

const SCHOOL: SchoolNumber = SchoolNumber::new(100);

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn term(school: i64, id: i64, first_day: &str, last_day: &str) -> Term {
    Term {
        dcid: Dcid::new(id + 50_000),
        id: TermId::new(id),
        year: YearId::new(id / 100),
        school: SchoolNumber::new(school),
        abbreviation: id.to_string(),
        first_day: date(first_day),
        last_day: date(last_day),
    }
}

/// A school with semesters and quarters, the winter break in none of them, a short course in January that overlaps
/// the third quarter and has the highest id; one without parts of the year; and one that is open all year.
fn terms() -> Vec<Term> {
    vec![
        term(100, 3500, "2025-08-20", "2026-05-29"),
        term(100, 3501, "2025-08-20", "2025-12-19"),
        term(100, 3502, "2026-01-05", "2026-05-29"),
        term(100, 3503, "2025-08-20", "2025-10-17"),
        term(100, 3504, "2025-10-20", "2025-12-19"),
        term(100, 3505, "2026-01-05", "2026-03-13"),
        term(100, 3506, "2026-03-23", "2026-05-29"),
        term(100, 3507, "2026-01-12", "2026-01-23"),
        term(100, 3600, "2026-08-19", "2027-05-28"),
        term(100, 3601, "2026-08-19", "2026-12-18"),
        term(100, 3602, "2027-01-04", "2027-05-28"),
        term(200, 3500, "2025-09-01", "2026-06-12"),
        term(300, 3600, "2026-01-01", "2026-12-31"),
    ]
}

fn in_session(year: i64, id: i64, first_day: &str) -> Season {
    let term = StartedTerm { id: TermId::new(id), first_day: date(first_day) };
    Season::InSession { year: YearId::new(year), term }
}

fn between(year: i64, next: Option<&str>) -> Season {
    Season::BetweenTerms { year: YearId::new(year), next: next.map(date) }
}

fn summer(year: i64, starts: Option<&str>) -> Season {
    Season::Summer { year: YearId::new(year), starts: starts.map(date) }
}

#[rstest]
#[case::first_day(100, "2025-08-20", Some(in_session(35, 3503, "2025-08-20")))]
#[case::quarter(100, "2025-11-03", Some(in_session(35, 3504, "2025-10-20")))]
#[case::shortest(100, "2026-01-14", Some(in_session(35, 3507, "2026-01-12")))]
#[case::longer_again(100, "2026-01-26", Some(in_session(35, 3505, "2026-01-05")))]
#[case::semester_without_its_quarters(100, "2026-03-18", Some(in_session(35, 3502, "2026-01-05")))]
#[case::last_day(100, "2026-05-29", Some(in_session(35, 3506, "2026-03-23")))]
#[case::winter_break(100, "2025-12-25", Some(between(35, Some("2026-01-05"))))]
#[case::june(100, "2026-06-15", Some(summer(36, Some("2026-08-19"))))]
#[case::july(100, "2026-07-15", Some(summer(36, Some("2026-08-19"))))]
#[case::day_before_school(100, "2026-08-18", Some(summer(36, Some("2026-08-19"))))]
#[case::next_first_day(100, "2026-08-19", Some(in_session(36, 3601, "2026-08-19")))]
#[case::after_all(100, "2027-06-15", Some(summer(36, None)))]
#[case::before_all(100, "2024-01-15", Some(summer(35, Some("2025-08-20"))))]
#[case::whole_year_only(200, "2025-11-03", Some(in_session(35, 3500, "2025-09-01")))]
#[case::no_later_year_yet(200, "2026-07-01", Some(summer(35, None)))]
#[case::open_all_year(300, "2026-07-15", Some(in_session(36, 3600, "2026-01-01")))]
#[case::no_terms(400, "2026-07-15", None)]
fn seasons(#[case] school: i64, #[case] day: &str, #[case] expected: Option<Season>) {
    assert_eq!(Season::of(&terms(), SchoolNumber::new(school), date(day)), expected);
}

#[test]
fn parts_without_a_term_for_the_year_have_breaks_too() {
    let terms = [term(100, 3601, "2026-08-19", "2026-12-18"), term(100, 3602, "2027-01-04", "2027-05-28")];
    let season = |day| Season::of(&terms, SCHOOL, date(day));
    assert_eq!(season("2026-12-24"), Some(between(36, Some("2027-01-04"))));
    assert_eq!(season("2026-08-01"), Some(summer(36, Some("2026-08-19"))));
    assert_eq!(season("2027-06-01"), Some(summer(36, None)));
}

/// Walks through the days and collects what is announced.
fn announced(school: i64, first: &str, last: &str) -> Vec<(String, String)> {
    let (terms, school) = (terms(), SchoolNumber::new(school));
    let mut known = KnownTerm::of(&terms, school, date(first)).unwrap();
    let mut changes = Vec::new();
    for day in date(first).iter_days().take_while(|day| *day <= date(last)) {
        let (next, change) = known.observe(KnownTerm::of(&terms, school, day).unwrap());
        known = next;
        match change {
            Some(YearChange::NewYear { from, to, .. }) => {
                changes.push((day.to_string(), format!("{from} to {to}")));
            }
            Some(YearChange::NewTerm { from, to, .. }) => {
                let from = from.map_or("none".to_owned(), |term| term.to_string());
                changes.push((day.to_string(), format!("{from} to {to}")));
            }
            None => {}
        }
    }
    changes
}

#[rstest]
#[case::two_years(100, "2025-08-20", "2027-09-30", &[
    ("2025-10-20", "3503 to 3504"),
    ("2026-01-05", "3504 to 3505"),
    ("2026-01-12", "3505 to 3507"),
    ("2026-03-23", "3507 to 3506"),
    ("2026-05-30", "35 to 36"),
    ("2026-08-19", "none to 3601"),
    ("2027-01-04", "3601 to 3602"),
])]
#[case::no_later_year(200, "2025-08-01", "2026-12-31", &[("2025-09-01", "none to 3500")])]
fn each_new_year_and_term_is_announced_once(
    #[case] school: i64,
    #[case] first: &str,
    #[case] last: &str,
    #[case] expected: &[(&str, &str)],
) {
    let expected: Vec<_> =
        expected.iter().map(|(day, change)| ((*day).to_owned(), (*change).to_owned())).collect();
    assert_eq!(announced(school, first, last), expected);
}

#[rstest]
#[case::active_in_term(Summer::Pause, 0, "2026-05-04", true)]
#[case::active_in_summer(Summer::Pause, 0, "2026-07-01", true)]
#[case::pre_registered_in_term(Summer::SendPreRegistered, -1, "2026-05-04", false)]
#[case::pre_registered_in_winter_break(Summer::SendPreRegistered, -1, "2025-12-25", false)]
#[case::pre_registered_in_summer(Summer::SendPreRegistered, -1, "2026-07-01", true)]
#[case::pre_registered_unless_chosen(Summer::Pause, -1, "2026-07-01", false)]
#[case::transferred_out(Summer::SendPreRegistered, 2, "2026-07-01", false)]
#[case::graduated(Summer::SendPreRegistered, 3, "2026-07-01", false)]
fn which_students_count(
    #[case] summer: Summer,
    #[case] status: i64,
    #[case] day: &str,
    #[case] expected: bool,
) {
    let season = Season::of(&terms(), SCHOOL, date(day)).unwrap();
    assert_eq!(summer.counts(EnrollStatus(status), season), expected);
}

#[rstest]
#[case::one_still_in_session(Summer::Pause, &[100, 200], "2026-06-10", false)]
#[case::all_on_holiday(Summer::Pause, &[100, 200], "2026-07-01", true)]
#[case::one_open_all_year(Summer::Pause, &[100, 300], "2026-07-01", false)]
#[case::winter_break(Summer::Pause, &[100], "2025-12-25", false)]
#[case::chosen_to_go_on(Summer::SendPreRegistered, &[100, 200], "2026-07-01", false)]
#[case::nothing_known(Summer::Pause, &[], "2026-07-01", false)]
fn when_jobs_pause(
    #[case] summer: Summer,
    #[case] schools: &[i64],
    #[case] day: &str,
    #[case] expected: bool,
) {
    let terms = terms();
    let seasons =
        schools.iter().filter_map(|school| Season::of(&terms, SchoolNumber::new(*school), date(day)));
    assert_eq!(summer.pauses(seasons), expected);
}

fn code(id: i64, school: i64, year: i64, text: Option<&str>) -> AttendanceCode {
    AttendanceCode {
        dcid: Dcid::new(id + 50_000),
        id: AttendanceCodeId::new(id),
        code: text.map(str::to_owned),
        description: String::new(),
        presence: "Present".to_owned(),
        school: SchoolNumber::new(school),
        year: YearId::new(year),
    }
}

#[rstest]
#[case::all_there(100, 35, &[])]
#[case::a_new_year(100, 36, &[("Overslept", HoldReason::UnknownCode), ("Bus", HoldReason::AmbiguousCode)])]
#[case::no_codes_yet(100, 37, &[
    ("Overslept", HoldReason::UnknownCode),
    ("Bus", HoldReason::UnknownCode),
    ("Dentist", HoldReason::UnknownCode),
])]
#[case::building_switched_off(200, 36, &[])]
#[case::no_building(300, 36, &[])]
fn the_tardy_table_in_a_year(
    #[case] school: i64,
    #[case] year: i64,
    #[case] expected: &[(&str, HoldReason)],
) {
    let building = |school, enabled| BuildingMapping {
        building: format!("Building {school}"),
        school: Some(SchoolNumber::new(school)),
        method: None,
        enabled,
        ..BuildingMapping::default()
    };
    let row = |reason: &str, code: &str, active| TardyMapping {
        reason: reason.to_owned(),
        code: code.to_owned(),
        active,
    };
    let mappings = Mappings {
        buildings: vec![building(100, true), building(200, false)],
        tardy_codes: vec![
            row("Overslept", "T", true),
            row("Bus", "B", true),
            row("Dentist", "D", true),
            row("Snow", "S", false),
        ],
        ..Mappings::default()
    };
    let codes = [
        code(1, 100, 35, None),
        code(2, 100, 35, Some("T")),
        code(3, 100, 35, Some("B")),
        code(4, 100, 35, Some("D")),
        code(5, 100, 36, None),
        code(6, 100, 36, Some("t")),
        code(7, 100, 36, Some("B")),
        code(8, 100, 36, Some("B")),
        code(9, 100, 36, Some("D")),
        code(10, 300, 36, Some("T")),
    ];
    let faults = tardy_code_faults(&mappings, &codes, SchoolNumber::new(school), YearId::new(year));
    let found: Vec<_> = faults.iter().map(|fault| (fault.reason.as_str(), fault.why)).collect();
    assert_eq!(found, expected);
    assert!(faults.iter().all(|fault| fault.school.get() == school && fault.year.get() == year));
}

proptest! {
    #[test]
    fn the_season_is_of_the_current_year_and_summer_is_in_no_term(
        spans in proptest::collection::vec((34..38_i64, 0..4_i64, 0..1_500_i64, 0..300_i64), 0..8),
        day in 0..1_800_i64,
    ) {
        let start = date("2024-01-01");
        let plus = |days: i64| (start + chrono::TimeDelta::days(days)).to_string();
        let terms: Vec<Term> = spans
            .into_iter()
            .map(|(year, part, first, length)| term(100, year * 100 + part, &plus(first), &plus(first + length)))
            .collect();
        let day = date(&plus(day));
        let season = Season::of(&terms, SCHOOL, day);
        prop_assert_eq!(season.map(Season::year), year_of(&terms, SCHOOL, day));
        let inside = terms.iter().any(|term| term.first_day <= day && day <= term.last_day);
        if let Some(season) = season {
            prop_assert!(!(season.is_summer() && inside));
            prop_assert!(season.term().is_none() || inside);
            if let Season::BetweenTerms { next: Some(next), .. } | Season::Summer { starts: Some(next), .. } = season {
                prop_assert!(day < next);
            }
        }
    }
}
