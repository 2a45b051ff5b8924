//! Rows that came in, and what waits for a person.

use chrono::NaiveDate;
use clap::{Args, Subcommand};

/// Which rows to trace; all of them when nothing is given.
#[derive(Debug, Args)]
pub struct Trace {
    /// Of the student with this number
    #[arg(long, value_name = "NUMBER")]
    pub student: Option<i64>,
    /// Of files of this name
    #[arg(long, value_name = "NAME")]
    pub file: Option<String>,
    /// Of this line in them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub line: Option<u64>,
    /// Of files read first on this day in the district
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub day: Option<NaiveDate>,
    /// How many at most, latest first
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub limit: u32,
    /// After this many
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub offset: u32,
    /// Count instead: the rows of the day, today if none is given, and what became of them
    #[arg(long, conflicts_with_all = ["student", "file", "line", "limit", "offset"])]
    pub reconcile: bool,
}

/// Held rows.
#[derive(Debug, Subcommand)]
pub enum Held {
    /// List them
    List {
        /// How many at most
        #[arg(long, default_value_t = 1000, value_name = "N")]
        limit: u32,
        /// After how many
        #[arg(long, default_value_t = 0, value_name = "N")]
        offset: u32,
    },
    /// Have rows decided again by the next run
    Retry {
        /// Their ids, as the list shows them
        #[arg(value_name = "ID", required = true)]
        ids: Vec<i64>,
    },
    /// Close rows for good: they are never written
    Discard {
        /// Their ids, as the list shows them
        #[arg(value_name = "ID", required = true)]
        ids: Vec<i64>,
    },
}

/// Stopped files.
#[derive(Debug, Subcommand)]
pub enum Guard {
    /// List them
    List,
    /// Let this very content go out with the next run within seven days
    Accept {
        /// The id that the list shows
        id: String,
    },
    /// Forget it; it stops again if it is planned again
    Reject {
        /// The id that the list shows
        id: String,
    },
}
