//! A section's schedule expression (PowerSchool: CC.EXPRESSION, SECTIONS.EXPRESSION), such as `1-2(A) 3(B,D-E)`: groups of
//! periods, each with the cycle days on which the section meets in them.

use std::{collections::BTreeSet, fmt, str::FromStr};

/// The largest period number an expression may name. No bell schedule has as many periods; a larger number is a mistake.
const LARGEST_PERIOD: u16 = 999;

/// A parsed expression: groups of periods and cycle days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression(Vec<Group>);

/// Periods with the cycle days they are met on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// PERIOD.PERIOD_NUMBER, single or from and to; at least one.
    pub periods: Vec<Span<u16>>,
    /// CYCLE_DAY.LETTER, single or from and to in the order of the school's cycle; at least one.
    pub days: Vec<Span<String>>,
}

/// One value, or all from one to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span<T> {
    /// This one.
    One(T),
    /// From the first to the second, both included.
    Range(T, T),
}

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// There is nothing in it.
    #[error("the expression is empty")]
    Empty,
    /// Periods without days, or a bracket too many.
    #[error("'{0}' is no group of periods and days such as 1-2(A)")]
    Group(String),
    /// Not a period number, or a range that runs backwards.
    #[error("'{0}' names no period, such as 3 or 1-2")]
    Period(String),
    /// Not a cycle day.
    #[error("'{0}' names no cycle day, such as A or A-E")]
    Day(String),
}

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let mut groups = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let wrong = || ExpressionError::Group(rest.to_owned());
            let (periods, behind) = rest.split_once('(').ok_or_else(wrong)?;
            let (days, behind) = behind.split_once(')').ok_or_else(wrong)?;
            groups.push(Group {
                periods: spans(periods, period, |from, to| from <= to, ExpressionError::Period)?,
                // Only the school's cycle tells which day comes first.
                days: spans(days, day, |_, _| true, ExpressionError::Day)?,
            });
            rest = behind.trim_start();
        }
        if groups.is_empty() { Err(ExpressionError::Empty) } else { Ok(Self(groups)) }
    }
}

/// Reads values and ranges between commas. A range may run where `runs` says so.
fn spans<T>(
    text: &str,
    one: impl Fn(&str) -> Option<T>,
    runs: impl Fn(&T, &T) -> bool,
    wrong: impl Fn(String) -> ExpressionError,
) -> Result<Vec<Span<T>>, ExpressionError> {
    text.split(',')
        .map(|part| {
            let span = match part.split_once('-') {
                None => one(part).map(Span::One),
                Some((from, to)) => {
                    let ends = one(from).zip(one(to)).filter(|(from, to)| runs(from, to));
                    ends.map(|(from, to)| Span::Range(from, to))
                }
            };
            span.ok_or_else(|| wrong(part.trim().to_owned()))
        })
        .collect()
}

fn period(text: &str) -> Option<u16> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= LARGEST_PERIOD)
}

fn day(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.chars().all(char::is_alphanumeric)).then(|| text.to_owned())
}

impl Expression {
    /// The expression of these groups.
    pub const fn of(groups: Vec<Group>) -> Self {
        Self(groups)
    }

    /// Every period and cycle day the section meets in. `cycle` is the school's cycle of that year in its order: a range of
    /// days runs through it, and a day it does not have is not met.
    pub fn meetings(&self, cycle: &[String]) -> BTreeSet<(i64, String)> {
        let mut meetings = BTreeSet::new();
        for group in &self.0 {
            for day in cycle.iter().filter(|day| group.meets_on(day, cycle)) {
                meetings.extend(group.period_numbers().map(|period| (period, day.clone())));
            }
        }
        meetings
    }

    /// Every period the section meets in on any day: for a school that has no cycle.
    pub fn periods(&self) -> BTreeSet<i64> {
        self.0.iter().flat_map(Group::period_numbers).collect()
    }
}

impl Group {
    fn period_numbers(&self) -> impl Iterator<Item = i64> + '_ {
        self.periods.iter().flat_map(|span| match span {
            Span::One(number) => i64::from(*number)..=i64::from(*number),
            Span::Range(from, to) => i64::from(*from)..=i64::from(*to),
        })
    }

    fn meets_on(&self, day: &str, cycle: &[String]) -> bool {
        let place = |wanted: &str| cycle.iter().position(|day| day == wanted);
        self.days.iter().any(|span| match span {
            Span::One(letter) => letter == day,
            Span::Range(from, to) => match (place(from), place(day), place(to)) {
                (Some(from), Some(day), Some(to)) => from <= day && day <= to,
                _ => false,
            },
        })
    }
}

impl<T: fmt::Display> fmt::Display for Span<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(one) => one.fmt(f),
            Self::Range(from, to) => write!(f, "{from}-{to}"),
        }
    }
}

/// As PowerSchool writes it: `1-2(A) 3(B,D-E)`.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<T: fmt::Display>(spans: &[Span<T>]) -> String {
            spans.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        }
        for (place, group) in self.0.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(f, "{space}{}({})", list(&group.periods), list(&group.days))?;
        }
        Ok(())
    }
}
