//! Whether a file at Hero is as it should be, by what was seen of it.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use rosterbridge_domain::dated_path::folder_and_name;

use super::shape::Counted;
use crate::report::{Cause, WatchState};

/// How long after PowerSchool's time a file may take to be there.
pub(super) const TOLERANCE: TimeDelta = TimeDelta::minutes(30);
/// Differences of fewer rows are none: PowerSchool's data goes on changing.
const FEW_ROWS: u64 = 3;
/// The share of PowerSchool's own rows, in percent, by which a file's may differ.
const ROWS_PERCENT: u64 = 10;

/// What a file should be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    /// Folder and name.
    pub(super) path: String,
    /// Hero writes it, and PowerSchool takes it in.
    pub(super) of_hero: bool,
    /// When PowerSchool was last to send it or to take it in.
    pub(super) due: Option<DateTime<Utc>>,
    /// The zone of that time.
    pub(super) zone: Tz,
    /// Its columns.
    pub(super) columns: u32,
    /// Its rows by PowerSchool's own data, where that is known.
    pub(super) rows: Option<u64>,
    /// When Hero takes in files next after PowerSchool was to send it, where that is known.
    pub(super) taken_at: Option<DateTime<Utc>>,
}

/// A file on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its size in bytes.
    pub(super) bytes: u64,
    /// Its last change in the server's clock, where the server says.
    pub(super) modified: Option<DateTime<Utc>>,
}

/// What was seen of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// In its place.
    pub(super) there: Option<Found>,
    /// Under the same name in the folder the account starts in.
    pub(super) in_root: Option<Found>,
    /// What it came to, without a row of field names; none where it was not read.
    pub(super) counted: Option<Counted>,
    /// The size and last change it had in its place when it was seen earlier.
    pub(super) before: Option<Found>,
    /// It was looked for in time: after PowerSchool was to send it, and before Hero takes in files.
    pub(super) in_time: bool,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WatchProblem {
    /// PowerSchool did not send it.
    #[error("the file {0} is not there, though PowerSchool's time to send it has passed")]
    Missing(String),
    /// It is of an earlier day.
    #[error("the file {path} is of {day}: PowerSchool has not sent it since")]
    Old {
        /// The file.
        path: String,
        /// The day it was changed last.
        day: NaiveDate,
    },
    /// It is where Hero does not look.
    #[error("the file {found} was sent, but {path} is where Hero looks")]
    WrongFolder {
        /// Where it should be.
        path: String,
        /// Where it is.
        found: String,
    },
    /// It has other columns than it should have.
    #[error("the file {path} has {columns} columns and should have {expected}")]
    Columns {
        /// The file.
        path: String,
        /// Of its first row.
        columns: u32,
        /// As it is set up.
        expected: u32,
    },
    /// A row is shorter or longer than the others.
    #[error("row {row} of {path} has {columns} columns and should have {expected}")]
    UnevenRow {
        /// The file.
        path: String,
        /// From 1.
        row: u64,
        /// Of that row.
        columns: u32,
        /// As it is set up.
        expected: u32,
    },
    /// It has far fewer or more rows than PowerSchool's data gives.
    #[error("the file {path} has {rows} rows, and PowerSchool's own data gives {expected}")]
    Rows {
        /// The file.
        path: String,
        /// In the file.
        rows: u64,
        /// By PowerSchool's data.
        expected: u64,
    },
    /// Hero has not written its export.
    #[error("the file {0} is not there, and PowerSchool's time to take it in has passed")]
    NoExport(String),
    /// Hero's export is of an earlier day.
    #[error(
        "the file {path} is of {day}: Hero has not written it since, and PowerSchool's time to take it in has passed"
    )]
    OldExport {
        /// The file.
        path: String,
        /// The day it was changed last.
        day: NaiveDate,
    },
}

impl WatchProblem {
    /// The stable code.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "hero.watch_missing",
            Self::Old { .. } => "hero.watch_old",
            Self::WrongFolder { .. } => "hero.watch_wrong_folder",
            Self::Columns { .. } | Self::UnevenRow { .. } => "hero.watch_columns",
            Self::Rows { .. } => "hero.watch_rows",
            Self::NoExport(_) => "hero.watch_no_export",
            Self::OldExport { .. } => "hero.watch_old_export",
        }
    }

    /// What the person can do.
    pub(super) const fn remedy(&self) -> &'static str {
        match self {
            Self::Missing(_) | Self::Old { .. } => {
                "In PowerSchool look at AutoSend Setup: 'Turn Execution Off' must not be ticked, and time, days, \
                 connection and path must be as RosterBridge shows them."
            }
            Self::WrongFolder { .. } => {
                "In PowerSchool enter the path of this AutoSend record with the folder in front: imports/ and the name."
            }
            Self::Columns { .. } | Self::UnevenRow { .. } => {
                "In PowerSchool compare 'Fields to Export', 'Field Delimiter' and 'First record' of this record with \
                 what RosterBridge shows. For a tab or line break inside a value correct the value."
            }
            Self::Rows { .. } => {
                "In PowerSchool look whether this AutoSend record runs at the district office and for all schools of \
                 the account, and whether its run was cut off."
            }
            Self::NoExport(_) | Self::OldExport { .. } => {
                "In Hero look whether the attendance export is on, what its file is called and when it is written. \
                 PowerSchool must take it in later than that."
            }
        }
    }

    pub(super) fn cause(&self) -> Cause {
        Cause {
            code: self.code().to_owned(),
            message: crate::error::sentence(&self.to_string()),
            remedy: self.remedy().to_owned(),
        }
    }
}

impl Expected {
    /// The day it should be of.
    pub(super) fn day(&self, now: DateTime<Utc>) -> NaiveDate {
        self.local_day(self.due.unwrap_or(now))
    }

    fn local_day(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.zone).date_naive()
    }

    /// Whether a file is of the day or later. One whose server does not say counts.
    pub(super) fn is_fresh(&self, found: &Found, now: DateTime<Utc>) -> bool {
        found.modified.is_none_or(|at| self.local_day(at) >= self.day(now))
    }

    /// What the file is like at `now`.
    pub(super) fn judge(&self, seen: &Seen, now: DateTime<Utc>) -> (WatchState, Option<WatchProblem>) {
        if let Some(there) = seen.there.filter(|found| self.is_fresh(found, now)) {
            let problem = seen.counted.and_then(|counted| self.shape_problem(&counted, there.bytes));
            return match problem {
                None => (WatchState::Fine, None),
                // Half of it may be on the way still.
                Some(_) if self.may_come(now) && seen.before != Some(there) => (WatchState::Waiting, None),
                Some(problem) => (WatchState::Alert, Some(problem)),
            };
        }
        if seen.there.is_none() && seen.before.is_some_and(|before| self.is_fresh(&before, now)) {
            return (WatchState::Taken, None);
        }
        let (_, name) = folder_and_name(&self.path);
        if seen.in_root.is_some_and(|found| self.is_fresh(&found, now)) && !self.of_hero {
            let problem = WatchProblem::WrongFolder { path: self.path.clone(), found: name.to_owned() };
            return (WatchState::Alert, Some(problem));
        }
        if self.due.is_none() {
            return (WatchState::NotDue, None);
        }
        if self.may_come(now) {
            return (WatchState::Waiting, None);
        }
        // Hero may have taken it and removed it while nobody looked.
        if seen.there.is_none() && !self.of_hero && !seen.in_time && self.taken_at.is_some_and(|at| at <= now)
        {
            return (WatchState::NotSeen, None);
        }
        let path = self.path.clone();
        let day = seen.there.and_then(|found| found.modified).map(|at| self.local_day(at));
        let problem = match (day, self.of_hero) {
            (Some(day), true) => WatchProblem::OldExport { path, day },
            (None, true) => WatchProblem::NoExport(path),
            (Some(day), false) => WatchProblem::Old { path, day },
            (None, false) => WatchProblem::Missing(path),
        };
        (WatchState::Alert, Some(problem))
    }

    /// Whether PowerSchool may still be at it.
    fn may_come(&self, now: DateTime<Utc>) -> bool {
        self.due.is_some_and(|due| now < due + TOLERANCE)
    }

    fn shape_problem(&self, counted: &Counted, bytes: u64) -> Option<WatchProblem> {
        let (path, expected) = (self.path.clone(), self.columns);
        if let Some(columns) = counted.columns.filter(|columns| *columns != expected) {
            return Some(WatchProblem::Columns { path, columns, expected });
        }
        if let Some((row, columns)) = counted.uneven {
            return Some(WatchProblem::UnevenRow { path, row, columns, expected });
        }
        let rows = if bytes == 0 { 0 } else { counted.rows };
        let expected = self.rows?;
        let differ = rows.abs_diff(expected);
        let implausible = differ >= FEW_ROWS && differ * 100 > expected.saturating_mul(ROWS_PERCENT);
        (implausible || (rows == 0 && expected > 0)).then_some(WatchProblem::Rows { path, rows, expected })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use chrono_tz::America::Chicago;
    use rstest::rstest;

    use super::*;

    /// 3:00 in Chicago on a Wednesday.
    fn due() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 18, 9, 0, 0).unwrap()
    }

    fn after(minutes: i64) -> DateTime<Utc> {
        due() + TimeDelta::minutes(minutes)
    }

    fn expected(of_hero: bool) -> Expected {
        let path = if of_hero { "export/ATTENDANCE.txt" } else { "imports/STUDENT.TXT" }.to_owned();
        Expected {
            path,
            of_hero,
            due: Some(due()),
            zone: Chicago,
            columns: 12,
            rows: Some(100),
            taken_at: None,
        }
    }

    fn found(minutes: i64) -> Found {
        Found { bytes: 9_000, modified: Some(after(minutes)) }
    }

    fn counted(rows: u64, columns: u32, uneven: Option<(u64, u32)>) -> Counted {
        Counted { rows, columns: Some(columns), uneven }
    }

    fn seen(there: impl Into<Option<Found>>, counted: impl Into<Option<Counted>>) -> Seen {
        Seen { there: there.into(), counted: counted.into(), ..Seen::default() }
    }

    fn in_root(minutes: i64) -> Seen {
        Seen { in_root: Some(found(minutes)), ..Seen::default() }
    }

    fn before(minutes: i64) -> Seen {
        Seen { before: Some(found(minutes)), ..Seen::default() }
    }

    /// As it was at the look before, too.
    fn still(found: Found, counted: Counted) -> Seen {
        Seen { before: Some(found), ..seen(found, counted) }
    }

    fn grown(found: Found, counted: Counted) -> Seen {
        Seen { before: Some(Found { bytes: found.bytes - 1, ..found }), ..seen(found, counted) }
    }

    #[rstest]
    #[case::just_sent(seen(found(1), counted(100, 12, None)), 3, "fine")]
    #[case::not_read(seen(found(1), None), 3, "fine")]
    #[case::sent_earlier_on_the_day(seen(found(-170), counted(100, 12, None)), 40, "fine")]
    #[case::sent_the_day_before(seen(found(-190), counted(100, 12, None)), 40, "hero.watch_old")]
    #[case::may_still_come(seen(found(-1_440), None), 29, "waiting")]
    #[case::did_not_come(seen(None, None), 30, "hero.watch_missing")]
    #[case::not_yet(seen(None, None), 29, "waiting")]
    #[case::hero_took_it(before(1), 60, "taken")]
    #[case::hero_took_yesterdays(before(-1_440), 60, "hero.watch_missing")]
    #[case::in_the_root(in_root(1), 3, "hero.watch_wrong_folder")]
    #[case::an_old_one_in_the_root(in_root(-1_440), 40, "hero.watch_missing")]
    #[case::a_column_less(still(found(1), counted(100, 11, None)), 8, "hero.watch_columns")]
    #[case::a_column_less_at_last(seen(found(1), counted(100, 11, None)), 30, "hero.watch_columns")]
    #[case::a_broken_row(still(found(1), counted(100, 12, Some((7, 13)))), 8, "hero.watch_columns")]
    #[case::half_a_row(seen(found(1), counted(100, 12, Some((7, 3)))), 3, "waiting")]
    #[case::half_a_file(seen(found(1), counted(50, 12, None)), 29, "waiting")]
    #[case::half_a_file_grows(grown(found(1), counted(70, 12, None)), 8, "waiting")]
    #[case::half_a_file_changes(Seen { before: Some(found(0)), ..seen(found(1), counted(50, 12, None)) }, 8, "waiting")]
    #[case::half_a_file_stays(still(found(1), counted(50, 12, None)), 8, "hero.watch_rows")]
    #[case::half_a_file_at_last(grown(found(1), counted(70, 12, None)), 30, "hero.watch_rows")]
    #[case::a_tenth_less(seen(found(1), counted(90, 12, None)), 3, "fine")]
    #[case::more_than_a_tenth_less(seen(found(1), counted(89, 12, None)), 40, "hero.watch_rows")]
    #[case::a_tenth_more(seen(found(1), counted(110, 12, None)), 3, "fine")]
    #[case::more_than_a_tenth_more(seen(found(1), counted(111, 12, None)), 40, "hero.watch_rows")]
    #[case::nothing_in_it(seen(found(1), Some(Counted::default())), 40, "hero.watch_rows")]
    fn an_export(#[case] seen: Seen, #[case] minutes: i64, #[case] outcome: &str) {
        assert_eq!(told(expected(false).judge(&seen, after(minutes))), outcome);
    }

    #[rstest]
    #[case::two_of_five(5, 3, "fine")]
    #[case::three_of_five(5, 2, "hero.watch_rows")]
    #[case::all_of_one(1, 0, "hero.watch_rows")]
    #[case::none_of_none(0, 0, "fine")]
    fn few_rows(#[case] by_powerschool: u64, #[case] rows: u64, #[case] outcome: &str) {
        let expected = Expected { rows: Some(by_powerschool), ..expected(false) };
        let seen = seen(found(1), Some(Counted { rows, columns: (rows > 0).then_some(12), uneven: None }));
        assert_eq!(told(expected.judge(&seen, after(40))), outcome);
    }

    /// Hero takes in files two hours after PowerSchool's time.
    #[rstest]
    #[case::nobody_looked(Seen::default(), 120, "not_seen")]
    #[case::it_was_looked(Seen { in_time: true, ..Seen::default() }, 120, "hero.watch_missing")]
    #[case::hero_takes_it_later(Seen::default(), 119, "hero.watch_missing")]
    #[case::an_old_one_was_not_taken(seen(found(-1_440), None), 120, "hero.watch_old")]
    #[case::in_the_root(in_root(1), 120, "hero.watch_wrong_folder")]
    #[case::it_was_there(before(1), 120, "taken")]
    fn when_hero_may_have_taken_it(#[case] seen: Seen, #[case] minutes: i64, #[case] outcome: &str) {
        let expected = Expected { taken_at: Some(after(120)), ..expected(false) };
        assert_eq!(told(expected.judge(&seen, after(minutes))), outcome);
    }

    #[rstest]
    #[case::written_before(seen(found(-60), counted(3, 7, None)), 3, "fine")]
    #[case::empty(seen(found(-60), Some(Counted::default())), 3, "fine")]
    #[case::of_yesterday(seen(found(-1_440), None), 40, "hero.watch_old_export")]
    #[case::not_there(seen(None, None), 40, "hero.watch_no_export")]
    #[case::in_the_root_is_not_heros(in_root(1), 40, "hero.watch_no_export")]
    #[case::another_order(seen(found(-60), counted(3, 6, None)), 40, "hero.watch_columns")]
    fn the_import(#[case] seen: Seen, #[case] minutes: i64, #[case] outcome: &str) {
        let expected = Expected { columns: 7, rows: None, ..expected(true) };
        assert_eq!(told(expected.judge(&seen, after(minutes))), outcome);
    }

    #[test]
    fn before_any_time_nothing_is_expected() {
        let expected = Expected { due: None, ..expected(false) };
        assert_eq!(told(expected.judge(&seen(None, None), after(600))), "not_due");
        assert_eq!(told(expected.judge(&seen(found(1), None), after(60))), "fine");
    }

    fn told((state, problem): (WatchState, Option<WatchProblem>)) -> String {
        match (state, problem) {
            (WatchState::Alert, Some(problem)) => problem.code().to_owned(),
            (WatchState::NotDue, None) => "not_due".to_owned(),
            (WatchState::Waiting, None) => "waiting".to_owned(),
            (WatchState::Fine, None) => "fine".to_owned(),
            (WatchState::Taken, None) => "taken".to_owned(),
            (WatchState::NotSeen, None) => "not_seen".to_owned(),
            other => panic!("{other:?}"),
        }
    }
}
