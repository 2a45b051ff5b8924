//! 'Path' of an export or import: folder and file name at the other side, in which `%Y`, `%m` and `%d` stand for the
//! day's date.

use chrono::{Datelike, NaiveDate};

/// The folder Hero places its exports in.
const EXPORT: &str = "export";
/// The longest name of a file or folder, in bytes: less than file systems allow, for the marks of a half-done transfer.
const LONGEST_NAME: usize = 200;

/// The year whose days are tried where none is named: it has a 29th of February.
const LEAP_YEAR: i32 = 2024;

/// A path that may have the date in it, e.g. `imports/STUDENT_%Y%m%d.TXT`. It leads to a file below the folder it is
/// relative to, whatever the date.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DatedPath {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    Text(String),
    Year,
    Month,
    Day,
}

/// Why a path cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatedPathError {
    /// Nothing was entered.
    #[error("the path is empty")]
    Empty,
    /// A percent sign with something other than `Y`, `m`, `d` or another percent sign after it.
    #[error("'{0}' means nothing in a path")]
    Token(String),
    /// A space or another blank character.
    #[error("'{0}' has a space in it, and Hero takes no such file names")]
    Space(String),
    /// It begins with `/`.
    #[error("'{0}' begins with '/': paths begin in the folder the account starts in")]
    Absolute(String),
    /// A character that separates folders on some servers, or that no name can have.
    #[error("'{0}' has a character that no path at Hero has")]
    Character(String),
    /// `..`, `.`, or no name between two slashes or at the end.
    #[error("'{path}' has '{step}' where the name of a folder or file belongs")]
    Step {
        /// The path.
        path: String,
        /// What stands in it.
        step: String,
    },
    /// A name of more than 200 bytes.
    #[error("'{0}' is too long for the name of a file or folder")]
    Long(String),
    /// An import's path that is not one file in Hero's folder.
    #[error("'{0}' is not a file in Hero's folder 'export'")]
    NotAnExport(String),
}

impl DatedPathError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "hero.path_empty",
            Self::Token(_) => "hero.path_token",
            Self::Space(_) => "hero.path_space",
            Self::Absolute(_) => "hero.path_absolute",
            Self::Character(_) => "hero.path_character",
            Self::Step { .. } => "hero.path_step",
            Self::Long(_) => "hero.path_long",
            Self::NotAnExport(_) => "hero.path_not_an_export",
        }
    }

    /// What the person can do.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Empty => "Enter the path, for instance imports/STUDENT.TXT.",
            Self::Token(_) => {
                "Use %Y for the year, %m for the month and %d for the day. Write %% for a percent sign."
            }
            Self::Space(_) => "Take the spaces out, in Hero's import settings as well.",
            Self::Absolute(_) => "Take the first slash away: imports/STUDENT.TXT.",
            Self::Character(_) => {
                "Use letters, digits, dots, hyphens and underscores, and '/' between folder and name."
            }
            Self::Step { .. } => "Enter folder and file name with one slash between: imports/STUDENT.TXT.",
            Self::Long(_) => "Choose a shorter name.",
            Self::NotAnExport(_) => {
                "Enter export/ and the name Hero's export settings show, upper and lower case included, for instance \
                 export/ATTENDANCE.txt."
            }
        }
    }
}

impl DatedPath {
    /// Reads a path relative to the folder an account or a destination starts in.
    pub fn parse(text: &str) -> Result<Self, DatedPathError> {
        if text.is_empty() {
            return Err(DatedPathError::Empty);
        }
        if text.chars().any(char::is_whitespace) {
            return Err(DatedPathError::Space(text.to_owned()));
        }
        if text.starts_with('/') {
            return Err(DatedPathError::Absolute(text.to_owned()));
        }
        // A backslash separates folders on Windows servers, and a colon names a drive or a hidden part of a file there.
        if text.chars().any(|c| matches!(c, '\\' | ':') || c.is_control()) {
            return Err(DatedPathError::Character(text.to_owned()));
        }
        let path = Self { text: text.to_owned(), parts: parts(text)? };
        // With another date the steps differ in digits only. Of a name of dots alone Windows strips the dots.
        for step in path.expand(NaiveDate::default()).split('/') {
            if step.chars().all(|c| c == '.') {
                return Err(DatedPathError::Step { path: path.text, step: step.to_owned() });
            }
            if step.len() > LONGEST_NAME {
                return Err(DatedPathError::Long(step.to_owned()));
            }
        }
        Ok(path)
    }

    /// Reads an import's path: exactly `export/NAME`, one file in the folder in which Hero places its exports, usually a
    /// `.txt`.
    pub fn parse_import(text: &str) -> Result<Self, DatedPathError> {
        let path = Self::parse(text)?;
        let name = text.split_once('/').filter(|(folder, name)| *folder == EXPORT && !name.contains('/'));
        if name.is_some() { Ok(path) } else { Err(DatedPathError::NotAnExport(path.text)) }
    }

    /// The path as it is configured: the same on all days, so that it names what is sent or fetched there.
    pub fn slot(&self) -> &str {
        &self.text
    }

    /// The path on a day.
    pub fn expand(&self, date: NaiveDate) -> String {
        self.parts.iter().map(|part| part.on(date)).collect()
    }

    /// Whether the path is another one from day to day.
    pub fn is_dated(&self) -> bool {
        self.parts.iter().any(|part| !matches!(part, Part::Text(_)))
    }

    /// The paths of the days before `today`, from `from` on and oldest first: each once, and none that `today` has.
    pub fn before(&self, today: NaiveDate, from: NaiveDate) -> Vec<(NaiveDate, String)> {
        let todays = self.expand(today);
        let mut paths: Vec<(NaiveDate, String)> = Vec::new();
        // From the latest back: of days with the same path the last one counts.
        let days = std::iter::successors(today.pred_opt(), NaiveDate::pred_opt);
        for day in days.take_while(|day| *day >= from) {
            let path = self.expand(day);
            if path != todays && !paths.iter().any(|(_, known)| *known == path) {
                paths.push((day, path));
            }
        }
        paths.reverse();
        paths
    }

    /// Whether this is the path on some day, letter by letter.
    pub fn gives(&self, path: &str) -> bool {
        let mut rest = path;
        self.parts.iter().all(|part| {
            let taken = match part {
                Part::Text(text) => rest.strip_prefix(text.as_str()),
                Part::Year => without_digits(rest, 4),
                Part::Month | Part::Day => without_digits(rest, 2),
            };
            rest = taken.unwrap_or(rest);
            taken.is_some()
        }) && rest.is_empty()
    }

    /// The first day of a leap year on which two paths are the same, letter case aside since some servers tell none apart;
    /// of a hundred years where one holds the year. `None` where they never are.
    pub fn same_on(&self, other: &Self) -> Option<NaiveDate> {
        if !self.can_be(other) {
            return None;
        }
        let has_year = |path: &Self| path.parts.contains(&Part::Year);
        let last = if has_year(self) || has_year(other) { LEAP_YEAR + 99 } else { LEAP_YEAR };
        let first_day = NaiveDate::from_ymd_opt(LEAP_YEAR, 1, 1)?;
        let same = |day: &NaiveDate| self.expand(*day).to_lowercase() == other.expand(*day).to_lowercase();
        first_day.iter_days().take_while(|day| day.year() <= last).find(same)
    }

    /// Whether two paths are the same but for the dates, which most are not.
    fn can_be(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.letters(), other.letters());
        let is_same = |(ours, theirs): (&Option<char>, &Option<char>)| match (ours, theirs) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (Some(letter), None) | (None, Some(letter)) => letter.is_ascii_digit(),
            (None, None) => true,
        };
        ours.len() == theirs.len() && ours.iter().zip(&theirs).all(is_same)
    }

    /// Its letters in lower case; `None` stands for a digit of the date.
    fn letters(&self) -> Vec<Option<char>> {
        let mut letters = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => letters.extend(text.to_lowercase().chars().map(Some)),
                Part::Year => letters.extend([None; 4]),
                Part::Month | Part::Day => letters.extend([None; 2]),
            }
        }
        letters
    }

    /// What a form shows of a path that somebody is entering: the path on a day.
    pub fn preview(text: &str, date: NaiveDate) -> Result<String, DatedPathError> {
        Ok(Self::parse(text)?.expand(date))
    }
}

/// Folder and name of a file at the other side: what stands before the last slash, and what follows it.
pub fn folder_and_name(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// What follows the digits a text begins with, if it begins with as many.
fn without_digits(text: &str, count: usize) -> Option<&str> {
    let (digits, rest) = text.split_at_checked(count)?;
    digits.chars().all(|c| c.is_ascii_digit()).then_some(rest)
}

impl Part {
    fn on(&self, date: NaiveDate) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Year => format!("{:04}", date.year()),
            Self::Month => format!("{:02}", date.month()),
            Self::Day => format!("{:02}", date.day()),
        }
    }
}

fn parts(text: &str) -> Result<Vec<Part>, DatedPathError> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let token = match (c, if c == '%' { rest.next() } else { None }) {
            ('%', Some('Y')) => Part::Year,
            ('%', Some('m')) => Part::Month,
            ('%', Some('d')) => Part::Day,
            ('%', Some('%')) => {
                plain.push('%');
                continue;
            }
            ('%', other) => return Err(DatedPathError::Token(['%'].into_iter().chain(other).collect())),
            (other, _) => {
                plain.push(other);
                continue;
            }
        };
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(token);
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}
