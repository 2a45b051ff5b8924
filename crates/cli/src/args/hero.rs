//! The exchange with Hero.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use rosterbridge_api::domain::job::{AccountId, JobId};

use super::{Accounts, Ownership};

/// The exchange with Hero.
#[derive(Debug, Subcommand)]
pub enum Hero {
    /// Accounts at Hero: whom each is for, its exports and its import
    #[command(subcommand)]
    Accounts(Accounts),
    /// Whose an exchange is: PowerSchool's or RosterBridge's.
    #[command(flatten)]
    Ownership(Ownership),
    /// Look whether what PowerSchool should send, or take in, is at Hero as it should be
    Watch {
        #[command(flatten)]
        of: OfAccount,
    },
    /// What to enter in PowerSchool and at Hero, field by field in the order of the forms
    Sheet {
        #[command(flatten)]
        of: OfAccount,
        /// Only this screen: connection, students, schedule, teachers, attendance or hero-side
        #[arg(long)]
        screen: Option<String>,
    },
    /// Tick a row of the sheet, so that it is known to be entered
    Tick {
        /// The row's key, such as students/path: see 'hero sheet'
        row: String,
        #[command(flatten)]
        of: OfAccount,
        /// Take the tick away
        #[arg(long)]
        off: bool,
    },
    /// The order of the day: what happens when, and what does not fit together
    Timeline {
        #[command(flatten)]
        of: OfAccount,
    },
    /// An export as it would be sent now, from the last roster pull: path, fields and first rows. Nothing is sent
    Preview {
        /// hero-students, hero-schedule or hero-teachers; with -2, ... for further accounts
        job: JobId,
    },
    /// What the last file of an export has to be looked at for, row by row
    Problems {
        /// hero-students, hero-schedule or hero-teachers; with -2, ... for further accounts
        job: JobId,
        /// Write all of it to a CSV file
        #[arg(long, value_name = "FILE")]
        csv: Option<PathBuf>,
        /// Replace a file that is there
        #[arg(long, requires = "csv")]
        force: bool,
    },
    /// What Hero's server has in imports, export and the folder the account starts in
    Files {
        #[command(flatten)]
        of: OfAccount,
    },
    /// Write Hero's file for creating the staff's accounts, which is imported there once
    Faculty(WriteFaculty),
}

/// Reads an account's number.
pub(super) fn account(number: &str) -> Result<AccountId, String> {
    let number: u16 = number.parse().map_err(|_| format!("'{number}' is no number of an account"))?;
    AccountId::try_from(number).map_err(|error| error.to_string())
}

/// Which account at Hero.
#[derive(Debug, Args)]
pub struct OfAccount {
    /// The account's number
    #[arg(long, default_value = "1", value_name = "N", value_parser = account)]
    pub account: AccountId,
}

/// Hero's file for creating the staff's accounts.
#[derive(Debug, Args)]
pub struct WriteFaculty {
    /// The CSV file
    pub file: PathBuf,
    /// The role everybody gets, by its name in Hero
    #[arg(long)]
    pub role: String,
    /// The type of account everybody gets, by its name in Hero
    #[arg(long = "type", value_name = "TYPE")]
    pub account_type: String,
    #[command(flatten)]
    pub of: OfAccount,
    /// Replace a file that is there
    #[arg(long)]
    pub force: bool,
}
