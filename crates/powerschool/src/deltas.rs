//! Data versions: reading only what changed since the last pull.
//!
//! PowerSchool (since 9.3) counts the changes of a table for an application that asks for it: a PowerQuery with
//! `$dataversion_applicationname` in its body is answered with `$dataversion`, and with that number sent back it
//! returns only the rows changed since. Deleted rows don't show, so a delta is only ever laid over a whole pull, of
//! which the number of rows has to agree afterwards.

use serde::{Deserialize, Serialize};

use crate::{client::Version, roster::Narrowed, tables::Table};

/// The name our subscriptions go by.
pub(crate) const APPLICATION: &str = "RosterBridge";

/// PowerSchool's first version with data versions.
pub(crate) const SINCE: (u32, u32) = (9, 3);

/// Changed rows read at most. With more, the whole table is read as quickly.
pub(crate) const MOST_CHANGES: u64 = 5_000;

/// PowerSchool's number of a table's state (`$dataversion`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DataVersion(pub(crate) u64);

impl DataVersion {
    /// A version that was kept.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number, to keep.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Whether a table is read by data version: the ones that grow with the number of students and are tables, not views,
/// so that a change of a row is a change of that table. The others are small, and read whole.
pub(crate) fn follows(table: &Table, narrowed: &Narrowed<'_>) -> bool {
    matches!(narrowed, Narrowed::Years(_)) && matches!(table.name, "STUDENTS" | "CC" | "SECTIONS")
}

/// Whether a server has data versions.
pub(crate) fn offered(version: Option<&Version>) -> bool {
    version.is_some_and(|version| version.at_least(SINCE))
}
