//! Names of Raptor's buildings and student reasons, as a person pastes them or chooses a file of them.

use std::collections::HashSet;

use rosterbridge_domain::mapping::folded;

use crate::error::EngineError;

/// The most names taken at once: many times the buildings or reasons of the largest district.
const MOST: usize = 2_000;
/// The longest name taken, in characters.
const LONGEST: usize = 200;

/// Why names can't be taken over.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// Nothing but spaces and empty lines.
    #[error("there is no name in it")]
    None,
    /// More than anybody has.
    #[error("there are more than {MOST} names in it")]
    TooMany,
    /// A line that is no name.
    #[error("line {0} is longer than {LONGEST} characters")]
    TooLong(usize),
}

impl NamesError {
    /// The stable code, `mapping.…`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::None => "mapping.no_names",
            Self::TooMany => "mapping.too_many_names",
            Self::TooLong(_) => "mapping.long_name",
        }
    }

    /// What the person can do.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::None => "Paste one name a line, or choose a CSV file whose first line names the columns.",
            Self::TooMany | Self::TooLong(_) => {
                "Check that this is the list of names: one name a line, or a CSV file whose first line names the columns."
            }
        }
    }
}

/// Names of Raptor's buildings: of a CSV file with the column Building, or one a line.
pub fn building_names(text: &str) -> Result<Vec<String>, EngineError> {
    let names = if header(text).iter().any(|column| column == "building") {
        rosterbridge_raptor::read_buildings(text.as_bytes())?
    } else {
        return Ok(taken(lines(text, 0))?);
    };
    Ok(taken(names.into_iter().zip(2..).map(|(name, line)| (line, name)))?)
}

/// Names of Raptor's student reasons: of a CSV file with the columns Building and Reason, or one a line.
pub fn reason_names(text: &str) -> Result<Vec<String>, EngineError> {
    let header = header(text);
    if !header.iter().any(|column| column == "reason") {
        return Ok(taken(lines(text, 0))?);
    }
    if header.len() == 1 {
        return Ok(taken(lines(text, 1))?);
    }
    let rows = rosterbridge_raptor::read_reasons(text.as_bytes())?;
    Ok(taken(rows.into_iter().zip(2..).map(|(row, line)| (line, row.reason)))?)
}

/// The columns that the first line names, in lower case, if it is a header.
fn header(text: &str) -> Vec<String> {
    let first = text.trim_start_matches('\u{feff}').lines().find(|line| !line.trim().is_empty());
    let columns = first.unwrap_or_default().split([',', '\t']);
    columns.map(|column| column.trim().trim_matches('"').trim().to_lowercase()).collect()
}

/// One name a line, after as many lines that hold something as are told: the first cell of what a spreadsheet gives.
fn lines(text: &str, after: usize) -> impl Iterator<Item = (usize, String)> + '_ {
    let text = text.trim_start_matches('\u{feff}');
    let filled = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    filled.skip(after).map(|(number, line)| {
        let cell = line.split('\t').next().unwrap_or_default().trim();
        let quoted = cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"'));
        (number, quoted.map_or_else(|| cell.to_owned(), |cell| cell.replace("\"\"", "\"")))
    })
}

/// Each name once, in order, letter case and spaces aside.
fn taken(names: impl Iterator<Item = (usize, String)>) -> Result<Vec<String>, NamesError> {
    let mut seen = HashSet::new();
    let mut taken = Vec::new();
    for (line, name) in names {
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        let name = name.trim();
        if name.is_empty() {
            continue;
        }
        if name.chars().count() > LONGEST {
            return Err(NamesError::TooLong(line));
        }
        if seen.insert(folded(name)) {
            if taken.len() == MOST {
                return Err(NamesError::TooMany);
            }
            taken.push(name.to_owned());
        }
    }
    if taken.is_empty() { Err(NamesError::None) } else { Ok(taken) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::lines("North High\nSouth High\n", &["North High", "South High"])]
    #[case::windows("North\r\n\r\n South \r\n", &["North", "South"])]
    #[case::once("North\n north \nNORTH\n", &["North"])]
    #[case::header("Building\nNorth\nSouth\n", &["North", "South"])]
    #[case::other_columns("Id,Building,City\n7,\"North, Upper\",X\n8,South,Y\n", &["North, Upper", "South"])]
    #[case::tabs("Building\tId\nNorth\t1\n", &["North"])]
    #[case::mark("\u{feff}Building\nNorth\n", &["North"])]
    #[case::a_comma_is_no_column("North, Upper School\n", &["North, Upper School"])]
    #[case::cells("North\t7\nSouth\t8\n", &["North", "South"])]
    #[case::quoted("\"North \"\"A\"\"\"\n", &["North \"A\""])]
    #[case::rubbish("No\u{0}rth\n", &["North"])]
    fn buildings(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(building_names(text).unwrap(), expected);
    }

    #[rstest]
    #[case::lines("Bus\nOverslept\n", &["Bus", "Overslept"])]
    #[case::header("Reason\nBus\n", &["Bus"])]
    #[case::exported("Building,Reason\nNorth,Bus\nSouth,bus\nSouth,Rain\n", &["Bus", "Rain"])]
    fn reasons(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(reason_names(text).unwrap(), expected);
    }

    #[rstest]
    #[case::nothing("", "mapping.no_names")]
    #[case::spaces(" \n\t\n", "mapping.no_names")]
    #[case::only_a_header("Building\n", "mapping.no_names")]
    #[case::long(&"x".repeat(201), "mapping.long_name")]
    #[case::many(&(0..=2_000).map(|n| n.to_string()).collect::<Vec<_>>().join("\n"), "mapping.too_many_names")]
    fn not_names(#[case] text: &str, #[case] code: &str) {
        assert_eq!(building_names(text).unwrap_err().code(), code);
    }
}
