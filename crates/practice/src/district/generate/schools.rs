//! Schools with their years: terms, periods, bell schedules, calendar and attendance codes.

use std::collections::HashMap;

use chrono::{Datelike as _, Days, Weekday};
use rusqlite::{Transaction, params};

use super::{Day, Keys, School};
use crate::PracticeError;
use crate::district::timetable::Kind;
use crate::district::year::SchoolYear;
use crate::district::{GRADUATED, Plan, names};

pub(super) fn schools(
    to: &Transaction<'_>,
    plan: Plan,
    year: SchoolYear,
) -> Result<Vec<School>, PracticeError> {
    let mut school_row =
        to.prepare("INSERT INTO Schools VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'MO', ?10, ?11)")?;
    let mut prefs = to.prepare("INSERT INTO Prefs VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut term_row = to.prepare("INSERT INTO Terms VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
    let mut period_row = to.prepare("INSERT INTO Period VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    let mut cycle_row = to.prepare("INSERT INTO Cycle_Day VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    let mut schedule_row = to.prepare("INSERT INTO Bell_Schedule VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut item_row = to.prepare("INSERT INTO Bell_Schedule_Items VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut day_row = to.prepare("INSERT INTO Calendar_Day VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    let mut code_row =
        to.prepare("INSERT INTO Attendance_Code VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;

    let mut pref_keys = Keys::new(400, 9);
    let mut term_dcid = 3480;
    let mut period_keys = Keys::new(300, 11);
    let mut cycle_keys = Keys::new(120, 3);
    let mut schedule_keys = Keys::new(60, 5);
    let mut item_keys = Keys::new(700, 13);
    let mut day_keys = Keys::new(9_000, 29);
    let mut code_keys = Keys::new(500, 7);
    let mut turns: HashMap<&'static str, usize> = HashMap::new();
    let mut schools = Vec::new();

    let summer = !year.holds(plan.date);
    let mut years = vec![year.previous(), year];
    // Around the summer PowerSchool holds the coming year already; in summer that is the current one.
    if !summer && (6..=8).contains(&plan.date.month()) {
        years.push(year.next());
    }

    for index in 0..plan.schools {
        let kind = Kind::of(index, plan.schools);
        let id = 101 + i64::from(index);
        let number = id + 1;
        let turn = turns.entry(kind_word(kind)).or_default();
        let (name, abbreviation) = kind.name(*turn);
        *turn += 1;
        let (town, zip) = names::TOWNS[index as usize % names::TOWNS.len()];
        school_row.execute(params![
            id + 3,
            id,
            number,
            name,
            abbreviation,
            kind.grades().start(),
            kind.grades().end(),
            format!("{} {}", 100 + 10 * index, names::STREETS[index as usize % names::STREETS.len()]),
            town,
            zip,
            format!("573-555-{:04}", 100 + index % 100),
        ])?;

        let mut current_periods = HashMap::new();
        let mut codes = HashMap::new();
        let mut present = 0;
        let mut letters = Vec::new();
        for each in &years {
            let terms = [
                (0, "Full Year", "YR", each.first, each.last),
                (1, "Semester 1", "S1", each.first, each.second_semester - Days::new(1)),
                (2, "Semester 2", "S2", each.second_semester, each.last),
            ];
            for (offset, name, abbreviation, first, last) in terms {
                let term = each.term() + offset;
                term_dcid += if term_dcid + 1 == term { 2 } else { 1 };
                term_row.execute(params![
                    term_dcid,
                    term,
                    each.yearid,
                    number,
                    if offset == 0 {
                        format!("{}-{}", each.yearid + 1990, each.yearid + 1991)
                    } else {
                        name.to_owned()
                    },
                    abbreviation,
                    first.to_string(),
                    last.to_string(),
                    offset == 0,
                ])?;
            }
            for bell in kind.bells() {
                let (dcid, id) = period_keys.take();
                period_row.execute(params![
                    dcid,
                    id,
                    bell.number,
                    bell.name,
                    bell.abbreviation,
                    number,
                    each.yearid,
                    bell.number * 10,
                ])?;
                if *each == year {
                    current_periods.insert(bell.number, id);
                }
            }
            for (position, letter) in (1i64..).zip(kind.cycle()) {
                let (dcid, id) = cycle_keys.take();
                cycle_row.execute(params![
                    dcid,
                    id,
                    number,
                    each.yearid,
                    letter,
                    position,
                    format!("Day {letter}")
                ])?;
                if *each == year {
                    letters.push((*letter, id));
                }
            }
            for (position, (code, description, here)) in (1i64..).zip(kind.codes()) {
                let (dcid, id) = code_keys.take();
                code_row.execute(params![
                    dcid,
                    id,
                    code,
                    description,
                    if *here { "Present" } else { "Absent" },
                    number,
                    each.yearid,
                    position,
                    *here,
                ])?;
                if *each == year {
                    match code {
                        Some(code) => _ = codes.insert(*code, id),
                        None => present = id,
                    }
                }
            }
        }

        let mut bridge = None;
        if kind.daily() && kind.meeting() {
            bridge = current_periods.get(&1).map(ToString::to_string);
        }
        for (name, value) in [
            ("ATT_RecordModeMeeting", Some(i64::from(kind.meeting()).to_string())),
            ("ATT_RecordModeDaily", Some(i64::from(kind.daily()).to_string())),
            ("ATT_BridgePeriod", bridge),
        ] {
            if value.is_some() {
                let (dcid, id) = pref_keys.take();
                prefs.execute(params![dcid, id, name, value, number, year.yearid])?;
            }
        }

        let mut schedules = Vec::new();
        for (name, early) in [("Regular Day", false), ("Early Release", true)] {
            let (dcid, schedule) = schedule_keys.take();
            schedule_row.execute(params![dcid, schedule, name, number, year.yearid])?;
            schedules.push(schedule);
            for bell in kind.bells() {
                let (start, end) = if early { bell.early } else { bell.regular };
                let (dcid, id) = item_keys.take();
                item_row.execute(params![
                    dcid,
                    id,
                    schedule,
                    current_periods.get(&bell.number),
                    start * 60,
                    end * 60
                ])?;
            }
        }

        let mut school_days = 0;
        let mut today = None;
        let mut yesterday = None;
        // The calendar of a year can begin with the summer before it.
        let mut date = if summer { year.previous().end() } else { year.first };
        while date <= year.last {
            let weekend = matches!(date.weekday(), Weekday::Sat | Weekday::Sun);
            let practice = date == plan.date && !summer;
            let note = if practice { None } else { year.holiday(date) };
            let in_session = practice || (!weekend && note.is_none());
            let (dcid, id) = day_keys.take();
            let mut cycle = None;
            let mut schedule = None;
            if in_session {
                let (letter, cycle_id) = letters[school_days % letters.len()];
                school_days += 1;
                cycle = Some(cycle_id);
                schedule = Some(schedules[usize::from(date.weekday() == Weekday::Wed)]);
                let day = Day { calendar_day: id, letter };
                if practice {
                    today = Some(day);
                } else if date < plan.date {
                    yesterday = Some((date, day));
                }
            }
            day_row.execute(params![
                dcid,
                id,
                date.to_string(),
                number,
                in_session,
                cycle,
                schedule,
                note
            ])?;
            date = date + Days::new(1);
        }

        schools.push(School {
            kind,
            number,
            periods: current_periods,
            codes,
            present,
            cohorts: Vec::new(),
            archived: None,
            today,
            yesterday,
        });
    }
    school_row.execute(params![
        90,
        88,
        GRADUATED,
        "Graduated Students",
        "GRAD",
        0,
        12,
        None::<&str>,
        None::<&str>,
        None::<&str>,
        None::<&str>
    ])?;
    Ok(schools)
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Elementary => "elementary",
        Kind::Middle => "middle",
        Kind::High => "high",
        Kind::Unit => "unit",
    }
}
