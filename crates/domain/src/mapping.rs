//! The administrator's mapping tables: Raptor buildings to PowerSchool schools, Raptor tardy codes to PowerSchool
//! attendance codes, and suggestions for the former.

use std::collections::BTreeSet;

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
}

/// One row of the building table: 'Raptor Building Name' and 'SIS Building Name' of the vendor's procedure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct BuildingMapping {
    /// The name as Raptor writes it.
    pub building: String,
    /// The PowerSchool school with the same meaning; `None` until a person has chosen one.
    pub school: Option<SchoolNumber>,
    /// How tardies of this building are recorded; `None` until confirmed. A school with both methods gets
    /// meetings here, because its bridge period derives the daily record.
    pub method: Option<AttendanceMethod>,
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
    /// The row of a Raptor building. Names are compared without surrounding spaces and letter case.
    pub fn building(&self, name: &str) -> Option<&BuildingMapping> {
        let wanted = folded(name);
        self.buildings.iter().find(|row| folded(&row.building) == wanted)
    }

    /// The attendance code of a Raptor tardy code, if it has an active row.
    pub fn tardy_code(&self, reason: &str) -> Option<&str> {
        let wanted = folded(reason);
        self.tardy_codes
            .iter()
            .find(|row| row.active && folded(&row.reason) == wanted)
            .map(|row| row.code.as_str())
    }
}

/// A name without surrounding and doubled spaces, in lower case: two names that only differ in these are one.
fn folded(name: &str) -> String {
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
    ("jh", "junior high"),
    ("jr", "junior"),
    ("sr", "senior"),
    ("acad", "academy"),
    ("ctr", "center"),
    ("int", "intermediate"),
    ("st", "saint"),
    ("mt", "mount"),
    ("ft", "fort"),
    ("sch", "school"),
];

/// Words that say which of the schools of one name is meant.
const LEVELS: &[&str] = &["primary", "elementary", "intermediate", "middle", "junior", "high"];

/// Words that say nothing about which school is meant.
const FILLERS: &[&str] = &["school", "senior"];

/// The school most likely meant by a Raptor building's name, if one is clearly closest. A suggestion only: a person
/// confirms it. A school of another level or with another number is never suggested, however similar its name, and
/// neither is 'Graduated Students'.
pub fn suggest_school<'a>(building: &str, schools: &'a [School]) -> Option<&'a School> {
    /// Leaves room for a letter mistyped in a name of six.
    const CLEARLY_SIMILAR: f64 = 0.9;
    /// How far the next school has to lie behind.
    const CLEARLY_CLOSER: f64 = 0.02;
    let wanted = NameParts::of(building);
    let mut scored: Vec<(f64, &School)> = schools
        .iter()
        .filter(|school| school.number != SchoolNumber::GRADUATED)
        .map(|school| {
            let abbreviated =
                !school.abbreviation.is_empty() && folded(building) == folded(&school.abbreviation);
            let score = if abbreviated { 1.0 } else { wanted.likeness(&NameParts::of(&school.name)) };
            (score, school)
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    match scored.as_slice() {
        [(best, school), rest @ ..]
            if *best >= CLEARLY_SIMILAR
                && rest.first().is_none_or(|(next, _)| best - next >= CLEARLY_CLOSER) =>
        {
            Some(school)
        }
        _ => None,
    }
}

/// A building's name, taken apart for comparison.
#[derive(Default)]
struct NameParts {
    /// The words that are neither level nor number nor filler, abbreviations spelled out.
    name: String,
    levels: BTreeSet<&'static str>,
    numbers: BTreeSet<String>,
}

impl NameParts {
    fn of(name: &str) -> Self {
        let mut parts = Self::default();
        // `Mary's` is one word, `Jr./Sr.` are two.
        let spaced: String = name
            .chars()
            .filter(|c| !matches!(c, '\'' | '’'))
            .map(|c| if c.is_alphanumeric() { c } else { ' ' })
            .collect();
        for word in spaced.to_lowercase().split_whitespace() {
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
        }
        parts
    }

    /// 1 for names that say the same, 0 for names that cannot mean the same school.
    fn likeness(&self, other: &Self) -> f64 {
        /// Taken off where one of the names leaves open what the other says.
        const LEFT_OPEN: f64 = 0.05;
        if self.name.is_empty() && self.levels.is_empty() && self.numbers.is_empty() {
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
