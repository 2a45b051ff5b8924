//! What an administrator should look at in an export, row by row. The rows are sent nevertheless.

use std::fmt;

use rosterbridge_domain::id::StudentNumber;
use serde::Serialize;

/// Something an administrator should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The row, counted from 1 without the header; `None` for somebody who has no row.
    pub row: Option<u64>,
    /// Whom the row is about.
    pub subject: Subject,
    /// The field's name in PowerSchool's field list; `None` where it is about no one field.
    pub field: Option<&'static str>,
    /// What is unusual.
    #[serde(flatten)]
    pub kind: Kind,
}

/// Whom a row is about: by number, never by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// STUDENTS.STUDENT_NUMBER.
    Student(StudentNumber),
    /// TEACHERS.TEACHERNUMBER.
    Teacher(String),
}

/// What a [`Problem`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Kind {
    /// Hero requires the field and it is empty.
    Empty,
    /// The value is longer than Hero accepts.
    TooLong {
        /// Its length in characters.
        length: usize,
        /// Hero's limit in characters.
        limit: usize,
        /// Whether it was cut to the limit; otherwise it was sent whole.
        shortened: bool,
    },
    /// A tab or line break in the value, which would have ended it: each was sent as a space.
    Break,
    /// The value has characters that the file's character set lacks: each was sent as `?`.
    Unmappable,
    /// A student before this one has the same number.
    Duplicate {
        /// The first row with the number.
        first_row: u64,
    },
    /// The student is sent, and no class of theirs is.
    NoSchedule,
}

impl Kind {
    /// A stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong { shortened: false, .. } => "too_long",
            Self::TooLong { shortened: true, .. } => "shortened",
            Self::Break => "break",
            Self::Unmappable => "unmappable",
            Self::Duplicate { .. } => "duplicate",
            Self::NoSchedule => "no_schedule",
        }
    }
}

impl Kind {
    /// The kind of a code, with what it measures: `found` is a value's length or the first row with the same number,
    /// `accepted` Hero's limit. `None` where the code is none, or the measures are missing.
    pub fn of(code: &str, found: Option<u64>, accepted: Option<u64>) -> Option<Self> {
        let too_long = |shortened| {
            let (length, limit) = (usize::try_from(found?).ok()?, usize::try_from(accepted?).ok()?);
            Some(Self::TooLong { length, limit, shortened })
        };
        match code {
            "empty" => Some(Self::Empty),
            "too_long" => too_long(false),
            "shortened" => too_long(true),
            "break" => Some(Self::Break),
            "unmappable" => Some(Self::Unmappable),
            "duplicate" => Some(Self::Duplicate { first_row: found? }),
            "no_schedule" => Some(Self::NoSchedule),
            _ => None,
        }
    }

    /// What it measures: the `found` and `accepted` of [`Kind::of`].
    pub const fn measures(self) -> (Option<u64>, Option<u64>) {
        match self {
            Self::TooLong { length, limit, .. } => (Some(length as u64), Some(limit as u64)),
            Self::Duplicate { first_row } => (Some(first_row), None),
            Self::Empty | Self::Break | Self::Unmappable | Self::NoSchedule => (None, None),
        }
    }

    /// What it is, of a field or of the row.
    pub const fn of_field(self, field: &str) -> impl fmt::Display + '_ {
        KindOf { kind: self, field }
    }
}

/// What a kind of problem is, of a field.
struct KindOf<'a> {
    kind: Kind,
    field: &'a str,
}

impl fmt::Display for Problem {
    /// For a person, with the row and field and without the subject.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(row) = self.row {
            write!(f, "row {row}: ")?;
        }
        self.kind.of_field(self.field.unwrap_or("the row")).fmt(f)
    }
}

impl fmt::Display for KindOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field;
        match self.kind {
            Kind::Empty => write!(f, "{field} is empty, and Hero requires it"),
            Kind::TooLong { length, limit, shortened } => {
                let sent = if shortened { "shortened" } else { "sent whole" };
                write!(f, "{field} has {length} characters and Hero accepts {limit}: it was {sent}")
            }
            Kind::Break => write!(f, "{field} has a tab or line break, which was sent as a space"),
            Kind::Unmappable => {
                write!(f, "{field} has characters that the file's character set lacks; they were sent as ?")
            }
            Kind::Duplicate { first_row } => write!(f, "{field} is the same as in row {first_row}"),
            Kind::NoSchedule => f.write_str("a student has no class in the schedule"),
        }
    }
}

/// How many problems of each kind there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProblemCounts {
    /// [`Kind::Empty`].
    pub empty: u64,
    /// [`Kind::TooLong`].
    pub too_long: u64,
    /// [`Kind::Break`].
    pub breaks: u64,
    /// [`Kind::Unmappable`].
    pub unmappable: u64,
    /// [`Kind::Duplicate`].
    pub duplicates: u64,
    /// [`Kind::NoSchedule`].
    pub no_schedule: u64,
}

impl ProblemCounts {
    /// Of all kinds together.
    pub const fn total(self) -> u64 {
        let Self { empty, too_long, breaks, unmappable, duplicates, no_schedule } = self;
        empty + too_long + breaks + unmappable + duplicates + no_schedule
    }

    fn count(&mut self, kind: Kind) {
        *match kind {
            Kind::Empty => &mut self.empty,
            Kind::TooLong { .. } => &mut self.too_long,
            Kind::Break => &mut self.breaks,
            Kind::Unmappable => &mut self.unmappable,
            Kind::Duplicate { .. } => &mut self.duplicates,
            Kind::NoSchedule => &mut self.no_schedule,
        } += 1;
    }
}

/// The problems of a file: all counted, the first ones kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Problems {
    /// How many of each kind.
    pub counts: ProblemCounts,
    /// The first ones, in the order of the rows.
    pub listed: Vec<Problem>,
    #[serde(skip)]
    limit: usize,
}

impl Problems {
    /// Keeps this many.
    pub(crate) fn up_to(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    pub(crate) fn add(&mut self, kind: Kind, problem: impl FnOnce(Kind) -> Problem) {
        self.counts.count(kind);
        if self.listed.len() < self.limit {
            self.listed.push(problem(kind));
        }
    }
}
