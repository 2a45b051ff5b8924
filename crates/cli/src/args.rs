//! The command line's grammar: a stable contract, described in the administrator guide.

use std::{ffi::OsString, path::PathBuf};

use chrono::NaiveDate;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum, error::ErrorKind};
use rosterbridge_api::domain::job::Job;

/// Connects PowerSchool SIS to Raptor and SchoolMint Hero.
#[derive(Debug, Parser)]
#[command(name = "rosterbridge", version, arg_required_else_help = true)]
pub struct Cli {
    /// Folder that holds all profiles
    #[arg(long, global = true, env = "ROSTERBRIDGE_HOME", value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Profile to work on: one district each
    #[arg(long, global = true, default_value = "default", value_name = "NAME")]
    pub profile: String,
    /// Print exactly one JSON document on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads a command line. An option that the test named beside it does not have is refused, not ignored.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let cli = Self::try_parse_from(arguments)?;
        match &cli.command {
            Command::Test(test) => match test.misplaced_option() {
                Some(option) => Err(Self::command().error(
                    ErrorKind::ArgumentConflict,
                    format!("{option} can only be used with 'test powerschool'"),
                )),
                None => Ok(cli),
            },
            _ => Ok(cli),
        }
    }
}

/// Everything the command line can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The practice district: a PowerSchool, a Hero, a Raptor folder and a mail server on this machine
    #[command(subcommand)]
    Practice(Practice),
    /// Read or write everything configured for a district
    #[command(subcommand)]
    Setup(Setup),
    /// Store or check secrets in the operating system's keychain
    #[command(subcommand)]
    Secrets(Secrets),
    /// Test a connection stage by stage
    Test(Test),
    /// The plugin to install in PowerSchool: write ours, or check one from a vendor
    #[command(subcommand)]
    Plugin(Plugin),
    /// PowerSchool's address and credentials, encrypted for the person who sets a site up
    #[command(subcommand)]
    Handover(Handover),
    /// Run exchanges now: the named ones, or all that are enabled
    Sync {
        /// hero-students, hero-schedule, hero-teachers, hero-attendance, raptor-roster, raptor-tardies
        #[arg(value_name = "JOB")]
        jobs: Vec<Job>,
        /// Only work out and show what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// What is set up, what ran last, what needs attention
    Status,
    /// The latest runs
    Runs {
        /// How many
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: u32,
    },
    /// Rows kept for a person
    #[command(subcommand)]
    Held(Held),
    /// Files stopped because they would lose too many rows
    #[command(subcommand)]
    Guard(Guard),
}

/// The practice district.
#[derive(Debug, Subcommand)]
pub enum Practice {
    /// Serve it until stopped
    Serve(Serve),
}

/// Options of the practice district.
#[derive(Debug, Args)]
pub struct Serve {
    /// Students with Enroll_Status 0
    #[arg(long, default_value_t = 600, value_name = "N")]
    pub students: u32,
    /// Schools
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub schools: u32,
    /// Seed of the generator: the same seed makes the same district
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// The district's today; the last weekday if not given
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub date: Option<NaiveDate>,
    /// Folder that keeps keys, credentials, ports and the database between starts
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Delay of every PowerSchool answer
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub latency_ms: u64,
    /// Render each PowerSchool answer once and serve it from memory afterwards: for measurements
    #[arg(long)]
    pub prerender: bool,
    /// How attendance without a dcid is taken
    #[arg(long, value_enum, default_value_t = Attendance::Upsert)]
    pub attendance: Attendance,
    /// Stop when standard input ends: for a program that starts this one and must not outlive it
    #[arg(long)]
    pub until_stdin_closes: bool,
    /// File that is written once everything is ready
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

/// How attendance without a dcid is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Attendance {
    /// Create or update by key, as documented
    Upsert,
    /// Always add a row, so that a double send shows
    Insert,
}

/// The setup file.
#[derive(Debug, Subcommand)]
pub enum Setup {
    /// Take over a setup file, or set the profile up for a practice district
    Import {
        /// The setup file. The passphrase of an encrypted one is read from standard input
        #[arg(required_unless_present = "practice", conflicts_with = "practice")]
        file: Option<PathBuf>,
        /// Ready file of a running practice district
        #[arg(long, value_name = "READY")]
        practice: Option<PathBuf>,
        /// Leave the practice district's host key to be accepted
        #[arg(long, requires = "practice")]
        no_pin: bool,
    },
    /// Write the setup file
    Export {
        /// The file
        file: PathBuf,
        /// Include the secrets and encrypt the file with the passphrase on standard input
        #[arg(long)]
        with_secrets: bool,
    },
}

/// Secrets in the keychain.
#[derive(Debug, Subcommand)]
pub enum Secrets {
    /// Store the value on standard input
    Set {
        /// e.g. powerschool.client-secret, hero.password
        name: String,
    },
    /// Tell whether it is there and can be read
    Check {
        /// e.g. powerschool.client-secret, hero.password
        name: String,
    },
}

/// A connection test.
#[derive(Debug, Args)]
pub struct Test {
    /// What to test
    #[arg(value_enum)]
    pub what: Tested,
    /// Test only what needs no network now; the rest runs by itself when the server can be reached (powerschool)
    #[arg(long)]
    pub offline: bool,
    /// Stay until that has happened, and show the whole report
    #[arg(long, requires = "offline")]
    pub wait: bool,
    /// Trust the certificate with this fingerprint if the server presents it (powerschool). Compare it first with the
    /// one the server's administrator gives you
    #[arg(long, value_name = "SHA256", conflicts_with = "offline")]
    pub accept_certificate: Option<String>,
    /// Accept this host key if the server presents it (hero)
    #[arg(long, value_name = "SHA256:...")]
    pub accept_host_key: Option<String>,
}

impl Test {
    /// An option of PowerSchool's test beside another test.
    fn misplaced_option(&self) -> Option<&'static str> {
        if self.what == Tested::Powerschool {
            None
        } else if self.offline {
            Some("--offline")
        } else if self.accept_certificate.is_some() {
            Some("--accept-certificate")
        } else {
            None
        }
    }
}

/// What a connection test is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tested {
    /// PowerSchool's API
    Powerschool,
    /// Hero's SFTP server
    Hero,
    /// Raptor's exchange folder
    Raptor,
    /// The mail server
    Mail,
}

/// The plugin.
#[derive(Debug, Subcommand)]
pub enum Plugin {
    /// Write the plugin to install in PowerSchool
    Build {
        /// The zip file to write
        file: PathBuf,
        /// An exchange it shall allow; may be repeated. All of them when none is named
        #[arg(long = "job", value_name = "JOB")]
        jobs: Vec<Job>,
        /// For this profile: its exchanges when none is named, and a higher version when it asks for something else
        /// than the one before, so that PowerSchool updates it in place
        #[arg(long)]
        of_profile: bool,
    },
    /// Check a plugin file, ours or a vendor's: whether PowerSchool would take it, and what it asks for
    Check {
        /// A zip, or a bare Plugin.xml
        file: PathBuf,
    },
}

/// Handover files.
#[derive(Debug, Subcommand)]
pub enum Handover {
    /// Write one, encrypted with the passphrase on standard input, and the mail to send it with
    Write {
        /// The file
        file: PathBuf,
        /// Encrypt it for this public key instead: what 'handover key' prints where it will be opened
        #[arg(long, value_name = "age1...")]
        to: Option<String>,
    },
    /// Take over what one holds. A passphrase, if it needs one, is read from standard input
    Open {
        /// The file
        file: PathBuf,
    },
    /// Show the public key that files for this profile can be encrypted for
    Key,
}

/// Stopped files.
#[derive(Debug, Subcommand)]
pub enum Guard {
    /// List them
    List,
    /// Let this very content go out with the next run
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
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[rstest]
    #[case(&["powerschool", "--offline", "--wait"], true)]
    #[case(&["powerschool", "--accept-certificate", "AB:CD"], true)]
    #[case(&["hero", "--accept-host-key", "SHA256:abc"], true)]
    #[case(&["hero", "--offline"], false)]
    #[case(&["raptor", "--offline", "--wait"], false)]
    #[case(&["mail", "--accept-certificate", "AB:CD"], false)]
    fn a_test_takes_its_own_options_only(#[case] test: &[&str], #[case] taken: bool) {
        let arguments = ["rosterbridge", "test"].iter().chain(test).map(OsString::from);
        assert_eq!(Cli::read(arguments).is_ok(), taken);
    }
}
