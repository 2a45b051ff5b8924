//! Which school year and term a school is in, what changes with a new one, and what happens in summer.
//!
//! The rule for the year is [`year_of`]: that of the term containing the day, else of the next to start.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    calendar::year_of,
    held::HoldReason,
    id::{SchoolNumber, TermId, YearId},
    mapping::Mappings,
    roster::{AttendanceCode, EnrollStatus, Term},
};

impl YearId {
    /// The year as people call it: `2026-2027` for 36.
    pub fn name(self) -> String {
        let start = self.get() + 1990;
        format!("{start}-{}", start + 1)
    }
}

/// What the exchanges do in summer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Summer {
    /// Scheduled runs pause while every school has its summer.
    #[default]
    Pause,
    /// They go on, and students pre-registered for the new year (ENROLL_STATUS -1) are sent too.
    SendPreRegistered,
}

impl Summer {
    /// Whether scheduled runs pause, given the season of every school that takes part. A district pauses as a whole
    /// or not at all, because its files are; with no school known nothing pauses.
    pub fn pauses(self, seasons: impl IntoIterator<Item = Season>) -> bool {
        let mut seasons = seasons.into_iter().peekable();
        self == Self::Pause && seasons.peek().is_some() && seasons.all(Season::is_summer)
    }

    /// Whether a student of a school in this season is sent: active ones always, pre-registered ones in summer if so
    /// chosen, others never.
    pub fn counts(self, status: EnrollStatus, season: Season) -> bool {
        status == EnrollStatus::ACTIVE
            || (status == EnrollStatus::PRE_REGISTERED
                && self == Self::SendPreRegistered
                && season.is_summer())
    }
}

/// A term that has begun. Its first day tells which of two terms is the later one; their ids do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct StartedTerm {
    /// TERMS.ID.
    pub id: TermId,
    /// TERMS.FIRSTDAY.
    #[ts(type = "string")]
    pub first_day: NaiveDate,
}

impl StartedTerm {
    const fn of(term: &Term) -> Self {
        Self { id: term.id, first_day: term.first_day }
    }
}

/// Where in the school year a school is on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "season", rename_all = "snake_case")]
pub enum Season {
    /// A term contains the day.
    InSession {
        /// The school year.
        year: YearId,
        /// The shortest term in progress: the quarter rather than the semester, the semester rather than the year.
        term: StartedTerm,
    },
    /// The year has begun, or its own term has, and the day is in none of its parts.
    BetweenTerms {
        /// The school year.
        year: YearId,
        /// First day of its next part; `None` after the last one.
        #[ts(type = "string | null")]
        next: Option<NaiveDate>,
    },
    /// No term contains the day and the next one to start begins a school year.
    Summer {
        /// The school year to come, or the one past while PowerSchool has no later one.
        year: YearId,
        /// Its first day; `None` while PowerSchool has no later year.
        #[ts(type = "string | null")]
        starts: Option<NaiveDate>,
    },
}

impl Season {
    /// The season of a school on a day; `None` for a school without terms.
    pub fn of(terms: &[Term], school: SchoolNumber, date: NaiveDate) -> Option<Self> {
        let year = year_of(terms, school, date)?;
        let of_year = || terms.iter().filter(move |term| term.school == school && term.year == year);
        let parts = || of_year().filter(move |term| term.id != year.year_term());
        let contains = |term: &&Term| term.first_day <= date && date <= term.last_day;
        let part = parts().filter(contains).min_by_key(|term| (term.last_day - term.first_day, term.id));
        if let Some(part) = part {
            return Some(Self::InSession { year, term: StartedTerm::of(part) });
        }
        let next = |term: &Term| (term.first_day > date).then_some(term.first_day);
        if let Some(whole) = of_year().find(contains) {
            return Some(if parts().next().is_none() {
                Self::InSession { year, term: StartedTerm::of(whole) }
            } else {
                Self::BetweenTerms { year, next: parts().filter_map(next).min() }
            });
        }
        let starts = of_year().filter_map(next).min();
        Some(if starts.is_some() && of_year().any(|term| term.last_day < date) {
            Self::BetweenTerms { year, next: starts }
        } else {
            Self::Summer { year, starts }
        })
    }

    /// The current school year.
    pub const fn year(self) -> YearId {
        match self {
            Self::InSession { year, .. } | Self::BetweenTerms { year, .. } | Self::Summer { year, .. } => {
                year
            }
        }
    }

    /// The term in progress.
    pub const fn term(self) -> Option<StartedTerm> {
        match self {
            Self::InSession { term, .. } => Some(term),
            Self::BetweenTerms { .. } | Self::Summer { .. } => None,
        }
    }

    /// Whether it is summer.
    pub const fn is_summer(self) -> bool {
        matches!(self, Self::Summer { .. })
    }
}

/// The latest school year and term a school was seen in: what is kept to notice the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct KnownTerm {
    /// The school.
    pub school: SchoolNumber,
    /// The school year.
    pub year: YearId,
    /// The latest term of that year that has been in progress; `None` before its first.
    pub term: Option<StartedTerm>,
}

/// A new school year or term, to be announced. An outgoing file that changes much because of it can be accepted as
/// expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum YearChange {
    /// The school year is another: what is sent is now that of the new one, even if its first term is still to come.
    NewYear {
        /// The school.
        school: SchoolNumber,
        /// The year before.
        from: YearId,
        /// The year now.
        to: YearId,
    },
    /// Another term of the same year has begun.
    NewTerm {
        /// The school.
        school: SchoolNumber,
        /// The year.
        year: YearId,
        /// The term before; `None` when the year's first one starts.
        from: Option<TermId>,
        /// The term now.
        to: TermId,
    },
}

impl KnownTerm {
    /// What is known of a school on a day; `None` for a school without terms.
    pub fn of(terms: &[Term], school: SchoolNumber, date: NaiveDate) -> Option<Self> {
        let season = Season::of(terms, school, date)?;
        Some(Self { school, year: season.year(), term: season.term() })
    }

    /// What has changed up to `now`, and what is to be kept instead of `self`. A break between terms is no change,
    /// and neither is a year or a term before the known one: somebody may have put the clock back, and what was
    /// announced is not announced again.
    #[must_use]
    pub fn observe(self, now: Self) -> (Self, Option<YearChange>) {
        let school = self.school;
        if now.year > self.year {
            return (now, Some(YearChange::NewYear { school, from: self.year, to: now.year }));
        }
        match now.term {
            Some(term)
                if now.year == self.year
                    && self.term.is_none_or(|known| known.first_day < term.first_day) =>
            {
                let from = self.term.map(|known| known.id);
                (now, Some(YearChange::NewTerm { school, year: now.year, from, to: term.id }))
            }
            _ => (self, None),
        }
    }
}

/// A row of the tardy table that a school cannot use in a year.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TardyCodeFault {
    /// The school.
    pub school: SchoolNumber,
    /// The year.
    pub year: YearId,
    /// The student reason in Raptor.
    pub reason: String,
    /// The PowerSchool code it is mapped to.
    pub code: String,
    /// [`HoldReason::UnknownCode`] or [`HoldReason::AmbiguousCode`]: for what its tardies would be held.
    pub why: HoldReason,
}

/// Checks the active rows of the tardy table against the codes of a school in a year; nothing for a school that no
/// enabled building is mapped to. A code is found by its exact text.
pub fn tardy_code_faults(
    mappings: &Mappings,
    codes: &[AttendanceCode],
    school: SchoolNumber,
    year: YearId,
) -> Vec<TardyCodeFault> {
    if !mappings.buildings.iter().any(|row| row.enabled && row.school == Some(school)) {
        return Vec::new();
    }
    let found = |text: &str| {
        let of_school = codes.iter().filter(|code| code.school == school && code.year == year);
        of_school.filter(|code| code.code.as_deref() == Some(text)).count()
    };
    let active = mappings.tardy_codes.iter().filter(|row| row.active);
    active
        .filter_map(|row| {
            let why = match found(&row.code) {
                0 => HoldReason::UnknownCode,
                1 => return None,
                _ => HoldReason::AmbiguousCode,
            };
            Some(TardyCodeFault { school, year, reason: row.reason.clone(), code: row.code.clone(), why })
        })
        .collect()
}
