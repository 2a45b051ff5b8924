//! The lists an administrator exports from Raptor, or pastes: its buildings, and the student reasons of each.

use std::{collections::HashSet, io::Read};

use serde::{Deserialize, Serialize};

use crate::{
    error::{FileError, RowError},
    records::Records,
};

/// The most names taken: many times the buildings or student reasons of the largest district.
const MOST_NAMES: usize = 20_000;

/// A student reason that Raptor defines at a building.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StudentReason {
    /// The building.
    pub building: String,
    /// The reason, also called tardy code.
    pub reason: String,
}

/// Reads a list with the header `Building`: every name once, in the order of the file.
pub fn read_buildings<R: Read>(reader: R) -> Result<Vec<String>, FileError> {
    read(
        reader,
        ["Building"],
        |[building]| {
            if building.is_empty() { Err(RowError::Building) } else { Ok(building) }
        },
    )
}

/// Reads a list with the header `Building,Reason`: every pair once, in the order of the file.
pub fn read_reasons<R: Read>(reader: R) -> Result<Vec<StudentReason>, FileError> {
    read(reader, ["Building", "Reason"], |[building, reason]| {
        if building.is_empty() {
            Err(RowError::Building)
        } else if reason.is_empty() {
            Err(RowError::Reason)
        } else {
            Ok(StudentReason { building, reason })
        }
    })
}

fn read<R: Read, T: Clone + Eq + std::hash::Hash, const N: usize>(
    reader: R,
    columns: [&'static str; N],
    row: impl Fn([String; N]) -> Result<T, RowError>,
) -> Result<Vec<T>, FileError> {
    let mut records = Records::open(reader, columns, N, None)?;
    let mut seen = HashSet::new();
    let mut names = Vec::new();
    while let Some(record) = records.next()? {
        let line = record.line;
        let name = record.values.and_then(&row).map_err(|error| FileError::ListRow { line, error })?;
        if seen.insert(name.clone()) {
            if names.len() == MOST_NAMES {
                return Err(FileError::ListTooLong { limit: MOST_NAMES });
            }
            names.push(name);
        }
    }
    Ok(names)
}
