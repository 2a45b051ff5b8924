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
    /// Show what there is to pick from for a row: students, codes and classes
    Choices {
        /// Its id, as the list shows it
        #[arg(value_name = "ID")]
        id: i64,
    },
    /// Say whose rows they are, which code counts, or which class they are about; the next run decides them so
    #[command(group(clap::ArgGroup::new("who").args(["student", "student_id"])))]
    #[command(group(clap::ArgGroup::new("what").args(["code", "code_id"])))]
    #[command(group(clap::ArgGroup::new("when").args(["class", "day"])))]
    #[command(group(clap::ArgGroup::new("fix").args([
        "student", "student_id", "code", "code_id", "class", "day", "take_back",
    ]).required(true).multiple(true)))]
    Fix {
        /// Their ids, as the list shows them
        #[arg(value_name = "ID", required = true)]
        ids: Vec<i64>,
        /// The student with this number
        #[arg(long, value_name = "NUMBER")]
        student: Option<i64>,
        /// The student with this STUDENTS.ID, where several have the number
        #[arg(long, value_name = "STUDENTS.ID")]
        student_id: Option<i64>,
        /// The school's attendance code with this text
        #[arg(long)]
        code: Option<String>,
        /// The school's attendance code with this id, where several have the text
        #[arg(long, value_name = "ATTENDANCE_CODE.ID")]
        code_id: Option<i64>,
        /// The class of the student, as 'held choices' shows it
        #[arg(long, value_name = "CC/PERIOD", value_parser = class)]
        class: Option<(i64, i64)>,
        /// The record of the day
        #[arg(long)]
        day: bool,
        /// Take back what was decided about them, also where they were written since: 'trace' shows their ids
        #[arg(long, conflicts_with_all = ["student", "student_id", "code", "code_id", "class", "day"])]
        take_back: bool,
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

fn class(text: &str) -> Result<(i64, i64), String> {
    let parts = text.split_once('/').and_then(|(cc, period)| Some((cc.parse().ok()?, period.parse().ok()?)));
    parts.ok_or_else(|| "two numbers with a slash between them are needed, e.g. 81234/417".to_owned())
}
