//! The administrator's mapping tables: Raptor buildings to PowerSchool schools, Raptor tardy codes to PowerSchool
//! attendance codes, and suggestions for the former.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{id::SchoolNumber, roster::School};

/// How a school records attendance (a setting per school in PowerSchool, confirmed here by a person).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum AttendanceMethod {
    /// One record a day.
    Daily,
    /// One record a class meeting.
    Meeting,
    /// Both: tardies become meeting records, and the bell schedule's bridge period links the daily record to one of them.
    Both,
}

impl AttendanceMethod {
    /// The lower-case name used in setup files and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Meeting => "meeting",
            Self::Both => "both",
        }
    }
}

/// What becomes of a student who signed in when no class of theirs was in progress: in passing time, in an hour without a
/// class, or after the last bell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum BetweenClasses {
    /// The row is held for a person.
    #[default]
    Hold,
    /// The next meeting of the day gets the record; held where there is none.
    NextMeeting,
    /// The meeting that was missed, the latest one that had begun, gets the record; held where there is none.
    MissedMeeting,
}

/// One row of the building table: 'Raptor Building Name' and 'SIS Building Name' of the vendor's procedure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct BuildingMapping {
    /// The name as Raptor writes it.
    pub building: String,
    /// The PowerSchool school with the same meaning; `None` until a person has chosen one.
    pub school: Option<SchoolNumber>,
    /// The school's name as it was when a person chose it; empty where that is not known. Another name in PowerSchool
    /// since then is shown.
    #[serde(default)]
    pub school_name: String,
    /// How tardies of this building are recorded; `None` until confirmed.
    pub method: Option<AttendanceMethod>,
    /// With both methods: the abbreviation of the bridge period (PERIOD.ABBREVIATION); empty where it is not known.
    #[serde(default)]
    pub bridge_period: String,
    /// What becomes of a student who signed in between classes.
    #[serde(default)]
    pub between_classes: BetweenClasses,
    /// Whether the building takes part in the exchange.
    pub enabled: bool,
}

/// One row of the tardy code table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TardyMapping {
    /// A student reason defined in Raptor.
    pub reason: String,
    /// The text of a PowerSchool attendance code; its id is resolved per school and year when a row is decided.
    pub code: String,
    /// 'Active' of the vendor's table: an inactive row maps nothing.
    pub active: bool,
}

/// Every mapping of a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct Mappings {
    /// Raptor building → PowerSchool school.
    pub buildings: Vec<BuildingMapping>,
    /// Raptor tardy code → PowerSchool attendance code.
    pub tardy_codes: Vec<TardyMapping>,
    /// Attendance codes written by others that a tardy may replace; empty until asked.
    pub replaceable_codes: BTreeSet<String>,
}

impl Mappings {
    /// The row of each Raptor building, by its name [`folded`]; of several the first.
    pub fn buildings_by_name(&self) -> HashMap<String, &BuildingMapping> {
        self.buildings.iter().rev().map(|row| (folded(&row.building), row)).collect()
    }

    /// The attendance code of each Raptor tardy code that has an active row, by its name [`folded`]; of several the
    /// first.
    pub fn codes_by_reason(&self) -> HashMap<String, &str> {
        let active = self.tardy_codes.iter().rev().filter(|row| row.active);
        active.map(|row| (folded(&row.reason), row.code.as_str())).collect()
    }
}

/// What keeps mapping tables from being saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingProblem {
    /// Two rows for one Raptor building: nothing says which counts.
    #[error("The building {0} is in the building table twice.")]
    BuildingTwice(String),
    /// Two rows for one Raptor tardy code, active or not.
    #[error("The tardy code {0} is in the tardy code table twice.")]
    ReasonTwice(String),
    /// A tardy would be recorded with PowerSchool's blank code, which usually means present.
    #[error("The tardy code {0} has no PowerSchool attendance code.")]
    BlankCode(String),
}

impl MappingProblem {
    /// The stable code, `mapping.…`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BuildingTwice(_) => "mapping.building_twice",
            Self::ReasonTwice(_) => "mapping.reason_twice",
            Self::BlankCode(_) => "mapping.blank_code",
        }
    }

    /// What the person can do.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::BuildingTwice(_) => {
                "Remove one of its rows. Letter case and spaces make no difference between two names."
            }
            Self::ReasonTwice(_) => {
                "Remove one of its rows, or change the row that is there. Letter case and spaces make no difference between two names."
            }
            Self::BlankCode(_) => "Choose the attendance code that its tardies are recorded with.",
        }
    }
}

/// What keeps the tables from being saved, in their order. Several buildings of one school are no problem.
pub fn problems(mappings: &Mappings) -> Vec<MappingProblem> {
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for row in &mappings.buildings {
        if !seen.insert(folded(&row.building)) {
            problems.push(MappingProblem::BuildingTwice(row.building.clone()));
        }
    }
    seen.clear();
    for row in &mappings.tardy_codes {
        if !seen.insert(folded(&row.reason)) {
            problems.push(MappingProblem::ReasonTwice(row.reason.clone()));
        }
        if row.code.trim().is_empty() {
            problems.push(MappingProblem::BlankCode(row.reason.clone()));
        }
    }
    problems
}

/// A name without surrounding and doubled spaces, in lower case: two names that only differ in these are one.
pub fn folded(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Words that schools abbreviate, spelled out for comparison.
const ABBREVIATIONS: &[(&str, &str)] = &[
    ("es", "elementary"),
    ("elem", "elementary"),
    ("el", "elementary"),
    ("ms", "middle"),
    ("mid", "middle"),
    ("hs", "high"),
    ("jhs", "junior high"),
    ("jh", "junior high"),
    ("jr", "junior"),
    ("shs", "senior high"),
    ("sr", "senior"),
    ("prim", "primary"),
    ("int", "intermediate"),
    ("acad", "academy"),
    ("alt", "alternative"),
    ("tech", "technical"),
    ("voc", "vocational"),
    ("prep", "preparatory"),
    ("ctr", "center"),
    ("co", "county"),
    ("twp", "township"),
    ("hts", "heights"),
    ("dr", "doctor"),
    ("st", "saint"),
    ("mt", "mount"),
    ("ft", "fort"),
    ("n", "north"),
    ("s", "south"),
    ("e", "east"),
    ("w", "west"),
    ("ps", "public"),
    ("sch", "school"),
    ("no", "number"),
];

/// Words that say which of the schools of one name is meant.
const LEVELS: &[&str] = &["primary", "elementary", "intermediate", "middle", "junior", "high"];

/// Words that say nothing about which school is meant.
const FILLERS: &[&str] = &["school", "senior", "number"];

/// The school most likely meant by a Raptor building's name, if one is clearly closest: by name, by abbreviation, or by the
/// school's number in the name, as in `Lincoln (102)`. A suggestion only: a person confirms it. A school of another level
/// or with another number is never suggested, however similar its name, and neither is 'Graduated Students'.
pub fn suggest_school<'a>(building: &str, schools: &'a [School]) -> Option<&'a School> {
    /// Leaves room for a letter mistyped in a name of six.
    const CLEARLY_SIMILAR: f64 = 0.9;
    /// How far the next school has to lie behind.
    const CLEARLY_CLOSER: f64 = 0.02;
    let wanted = NameParts::of(building);
    let mut scored: Vec<(f64, &School)> = schools
        .iter()
        .filter(|school| school.number != SchoolNumber::GRADUATED)
        .map(|school| (wanted.means(school), school))
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (best, school) = *scored.first()?;
    let clear =
        best >= CLEARLY_SIMILAR && scored.get(1).is_none_or(|(next, _)| best - next >= CLEARLY_CLOSER);
    (clear && !wanted.names_another(school, schools)).then_some(school)
}

/// A building's name, taken apart for comparison.
#[derive(Clone, Default)]
struct NameParts {
    /// The words that are neither level nor number nor filler, abbreviations spelled out.
    name: String,
    levels: BTreeSet<&'static str>,
    numbers: BTreeSet<String>,
    /// Every word as it stands.
    words: Vec<String>,
}

impl NameParts {
    fn of(name: &str) -> Self {
        let mut parts = Self::default();
        for word in spaced(name).split_whitespace() {
            let spelled_out =
                ABBREVIATIONS.iter().find(|(short, _)| *short == word).map_or(word, |(_, long)| long);
            for word in spelled_out.split(' ') {
                if let Some(level) = LEVELS.iter().find(|level| **level == word) {
                    parts.levels.insert(level);
                } else if word.contains(|c: char| c.is_ascii_digit()) {
                    parts.numbers.insert(word.to_owned());
                } else if !FILLERS.contains(&word) {
                    if !parts.name.is_empty() {
                        parts.name.push(' ');
                    }
                    parts.name.push_str(word);
                }
            }
            parts.words.push(word.to_owned());
        }
        parts
    }

    /// How likely this name means a school: 1 for what says the same, more where the school's number confirms it, 0 for
    /// what cannot be meant.
    fn means(&self, school: &School) -> f64 {
        /// What is left of a name beside the school's number may be a rough one.
        const ROUGHLY_SIMILAR: f64 = 0.8;
        /// Added where the school's number is named.
        const CONFIRMED: f64 = 0.1;
        let theirs = Self::of(&school.name);
        let by_name = self.likeness(&theirs).max(self.abbreviates(school));
        let Some(without) = self.without_number(school.number) else { return by_name };
        let named = without.likeness(&theirs).max(without.abbreviates(school));
        if without.is_empty() {
            by_name.max(1.0)
        } else if named >= ROUGHLY_SIMILAR {
            by_name.max(named + CONFIRMED)
        } else {
            by_name
        }
    }

    /// Whether the name holds the number of a school other than this one, and not as a part of this one's own name.
    fn names_another(&self, school: &School, schools: &[School]) -> bool {
        let own = Self::of(&school.name).numbers;
        schools.iter().filter(|other| other.number != school.number).any(|other| {
            let number = self.words.iter().find(|word| word.parse() == Ok(other.number.get()));
            number.is_some_and(|word| !own.contains(word))
        })
    }

    /// 1 for a school's abbreviation, however spaced or dotted.
    fn abbreviates(&self, school: &School) -> f64 {
        let short = Self::of(&school.abbreviation).words.concat();
        if !short.is_empty() && self.words.concat() == short { 1.0 } else { 0.0 }
    }

    /// The rest of the name where it holds the school's number.
    fn without_number(&self, number: SchoolNumber) -> Option<Self> {
        let mut rest = self.clone();
        let word = self.words.iter().find(|word| word.parse() == Ok(number.get()))?;
        rest.numbers.remove(word);
        rest.words.retain(|other| other != word);
        Some(rest)
    }

    fn is_empty(&self) -> bool {
        self.name.is_empty() && self.levels.is_empty() && self.numbers.is_empty()
    }

    /// 1 for names that say the same, 0 for names that cannot mean the same school.
    fn likeness(&self, other: &Self) -> f64 {
        /// Taken off where one of the names leaves open what the other says.
        const LEFT_OPEN: f64 = 0.05;
        if self.is_empty() {
            return 0.0;
        }
        let compared = [
            (self.levels == other.levels, self.levels.is_empty() || other.levels.is_empty()),
            (self.numbers == other.numbers, self.numbers.is_empty() || other.numbers.is_empty()),
        ];
        let mut likeness = strsim::jaro_winkler(&self.name, &other.name);
        for (same, left_open) in compared {
            if !same {
                if !left_open {
                    return 0.0;
                }
                likeness -= LEFT_OPEN;
            }
        }
        likeness
    }
}

/// A name's words in lower case, with spaces between them: `Mary's` and `H.S.` are one word, `Jr./Sr.` are two.
fn spaced(name: &str) -> String {
    let chars: Vec<char> = name.chars().filter(|c| !matches!(c, '\'' | '’')).collect();
    let letter =
        |place: Option<usize>| place.and_then(|place| chars.get(place)).is_some_and(|c| c.is_alphanumeric());
    let mut spaced = String::with_capacity(name.len());
    for (place, c) in chars.iter().enumerate() {
        // The dot of an initial: one letter before it, and another one behind.
        let initial = *c == '.'
            && letter(place.checked_sub(1))
            && !letter(place.checked_sub(2))
            && letter(Some(place + 1));
        if c.is_alphanumeric() {
            spaced.push(*c);
        } else if !initial {
            spaced.push(' ');
        }
    }
    spaced.to_lowercase()
}
