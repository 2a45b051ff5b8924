//! The command line's grammar: a stable contract, described in the administrator guide.

mod accounts;
mod care;
mod connect;
mod connections;
mod hero;
mod jobs;
mod mapping;
mod practice;
mod raptor;
mod rows;
mod service;

use std::{ffi::OsString, path::PathBuf};

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};
use rosterbridge_api::domain::job::JobId;

pub use self::{
    accounts::{
        AccountChanges, Accounts, AddAccount, EitherRecord, Format, SetAccount, SetExport, SetImport,
    },
    care::Backup,
    connect::{Handover, Plugin, Secrets, Setup, Test, Tested},
    connections::{Connections, Keys, Ownership, SetConnection, SignIn},
    hero::{Hero, WriteFaculty},
    jobs::{Jobs, SetJob},
    mapping::{MapBuilding, Mapping},
    practice::{Attendance, Practice, Serve},
    raptor::Raptor,
    rows::{Guard, Held, Trace},
    service::{InstallService, Service, WhichService},
};

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
                    format!("{option} can't be used with this test: see 'rosterbridge test --help'"),
                )),
                None => Ok(cli),
            },
            Command::Service(service) => match service.misplaced_option() {
                Some(wrong) => Err(Self::command().error(ErrorKind::ArgumentConflict, wrong)),
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
        /// hero-students, hero-schedule, hero-teachers, hero-attendance, with -2, ... for further accounts; raptor-roster,
        /// raptor-tardies
        #[arg(value_name = "JOB")]
        jobs: Vec<JobId>,
        /// Only work out and show what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Run exchanges when they are due, in the foreground until stopped: for a service manager
    Run {
        /// Windows' service control manager starts it, and is told how it goes
        #[arg(long, hide = true)]
        as_service: bool,
    },
    /// Which exchanges run by themselves, and when
    #[command(subcommand)]
    Jobs(Jobs),
    /// Managed connections: where an SFTP server is, as whom it is signed in to, and its accepted host keys
    #[command(subcommand)]
    Connections(Connections),
    /// Private keys that managed connections sign in with
    #[command(subcommand)]
    Keys(Keys),
    /// The exchange with Hero
    #[command(subcommand)]
    Hero(Hero),
    /// The Raptor integration: its status, and switching it on and off
    #[command(subcommand)]
    Raptor(Raptor),
    /// Raptor's buildings and tardy codes, and what stands for them in PowerSchool
    #[command(subcommand)]
    Mapping(Mapping),
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
    /// Plans stopped because they would change too much: files that would lose too many rows, attendance that brings
    /// many more than usual
    #[command(subcommand)]
    Guard(Guard),
    /// Take back the attendance a run wrote to PowerSchool, where it still stands: the code before it is written again
    Undo {
        /// The run's id, as 'runs' shows it
        run: String,
        /// Only tell how many records would be changed and which would stay
        #[arg(long)]
        dry_run: bool,
    },
    /// What became of rows, from file and line to the record in PowerSchool; or whether a day's rows add up
    Trace(Trace),
    /// Write what somebody needs to see who helps you: versions, set-up, runs, logs. No secrets and no names
    SupportBundle {
        /// The zip file
        file: PathBuf,
        /// Replace a file that is there
        #[arg(long)]
        force: bool,
    },
    /// Backups of the ledger, and the recovery file for the profile's key
    #[command(subcommand)]
    Backup(Backup),
    /// The profiles there are, one district each, and what works on them
    Profiles,
    /// Erase a district: databases, backups, logs, keychain entries and the profile's folder
    Erase {
        /// The profile's name once more
        #[arg(long, value_name = "PROFILE")]
        confirm: String,
    },
    /// A profile's exchanges without a window, run by the operating system
    #[command(subcommand)]
    Service(Service),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    /// What is wrong with a text of the help: they are sentences without a full stop at their end, in plain text.
    fn wrong(help: Option<&clap::builder::StyledStr>) -> Option<&'static str> {
        let Some(help) = help.map(ToString::to_string) else { return Some("says nothing") };
        match help {
            help if help.contains('`') => Some("has backticks"),
            help if help.ends_with('.') && !help.ends_with("...") => Some("ends with a full stop"),
            help if help.lines().count() > 1 => Some("has several paragraphs"),
            help if help.chars().next().is_some_and(char::is_lowercase)
                && !NAMES.iter().any(|name| help.starts_with(name)) =>
            {
                Some("begins with a small letter")
            }
            _ => None,
        }
    }

    /// Texts that are lists of names as they are typed.
    const NAMES: [&str; 4] = ["e.g. ", "hero", "macOS", "raptor"];

    #[test]
    fn every_command_and_option_says_what_it_is_in_the_same_way() {
        let mut problems = Vec::new();
        let mut open = vec![Cli::command()];
        while let Some(command) = open.pop() {
            let name = command.get_name().to_owned();
            problems.extend(wrong(command.get_about()).map(|wrong| format!("{name} {wrong}")));
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                let id = argument.get_id();
                problems.extend(wrong(argument.get_help()).map(|wrong| format!("{name} {id} {wrong}")));
                for value in argument.get_possible_values() {
                    // Whether something is so is said by the option itself.
                    let explained = !["true", "false"].contains(&value.get_name());
                    let wrong = wrong(value.get_help()).filter(|_| explained);
                    problems.extend(wrong.map(|wrong| format!("{name} {id} {} {wrong}", value.get_name())));
                }
            }
            open.extend(command.get_subcommands().cloned());
        }
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }
}
