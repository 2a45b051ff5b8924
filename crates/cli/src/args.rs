//! The command line's grammar: a stable contract, described in the administrator guide.

use std::{ffi::OsString, path::PathBuf};

use chrono::NaiveDate;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum, error::ErrorKind};
use rosterbridge_api::domain::{
    job::Job,
    mapping::{AttendanceMethod, BetweenClasses},
    schedule::{TimeOfDay, Weekdays},
};

use crate::service::{Logon, ServiceManager};

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
                Some(option) => Err(Self::command().error(
                    ErrorKind::ArgumentConflict,
                    format!("{option} can only be used with the Task Scheduler of Windows"),
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
    /// Run exchanges when they are due, in the foreground until stopped: for a service manager
    Run,
    /// Which exchanges run by themselves, and when
    #[command(subcommand)]
    Jobs(Jobs),
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

/// Backups and the recovery file.
#[derive(Debug, Subcommand)]
pub enum Backup {
    /// Make one now
    Now,
    /// List them
    List,
    /// Put the newest one in the ledger's place. What happened since is read again by the next run
    Restore {
        /// Begin an empty ledger instead: set-up, host keys and history are gone
        #[arg(long)]
        begin_anew: bool,
    },
    /// Write the profile's key, encrypted with the passphrase on standard input
    RecoveryFile {
        /// The file
        file: PathBuf,
    },
    /// Put the profile's key back into the keychain. The passphrase is read from standard input
    Recover {
        /// The recovery file
        file: PathBuf,
    },
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
    /// The district's today, in session unless it is in summer; the last weekday, in session, if not given
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub date: Option<NaiveDate>,
    /// Folder that keeps keys, credentials, ports and the database between starts
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Students who signed in late, in the Raptor folder; one in a hundred if not given
    #[arg(long, value_name = "N")]
    pub tardies: Option<u32>,
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
    #[arg(long, value_name = "SHA256", value_parser = fingerprint, conflicts_with = "offline")]
    pub accept_certificate: Option<String>,
    /// Accept this host key if the server presents it (hero, raptor)
    #[arg(long, value_name = "SHA256:...")]
    pub accept_host_key: Option<String>,
}

impl Test {
    /// An option that belongs to another test.
    fn misplaced_option(&self) -> Option<&'static str> {
        let options = [
            ("--offline", self.offline, &[Tested::Powerschool][..]),
            ("--accept-certificate", self.accept_certificate.is_some(), &[Tested::Powerschool]),
            ("--accept-host-key", self.accept_host_key.is_some(), &[Tested::Hero, Tested::Raptor]),
        ];
        let misplaced = options.into_iter().find(|(_, given, of)| *given && !of.contains(&self.what));
        misplaced.map(|(option, ..)| option)
    }
}

/// Reads a SHA256 fingerprint as people write it: 64 hexadecimal digits, with or without colons, spaces and `SHA256:`.
fn fingerprint(text: &str) -> Result<String, String> {
    let text = text.trim();
    let digits = match text.split_at_checked(7) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("SHA256:") => rest,
        _ => text,
    };
    let digits: String = digits.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
    if digits.len() == 64 && digits.chars().all(|c| c.is_ascii_hexdigit()) {
        Ok(digits.to_ascii_uppercase())
    } else {
        Err("a SHA256 fingerprint has 64 hexadecimal digits, such as 0F:1E:2D:...".to_owned())
    }
}

/// What a connection test is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tested {
    /// PowerSchool's API
    Powerschool,
    /// Hero's SFTP server
    Hero,
    /// The exchange with Raptor: its folder, or its SFTP server
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

/// Jobs and their schedules.
#[derive(Debug, Subcommand)]
pub enum Jobs {
    /// List them
    List,
    /// Change one
    Set(SetJob),
    /// Hold all scheduled runs back
    Pause {
        /// Until this date or moment, as 2026-08-24 or 2026-08-24T06:00:00Z; until 'jobs resume' when left out
        #[arg(long, value_name = "WHEN")]
        until: Option<String>,
    },
    /// Let scheduled runs go on
    Resume,
}

/// Changes to one job.
#[derive(Debug, Args)]
pub struct SetJob {
    /// Which
    pub job: Job,
    /// Switch it on
    #[arg(long, conflicts_with = "off")]
    pub on: bool,
    /// Switch it off
    #[arg(long)]
    pub off: bool,
    /// Days to run on, as MTWHFSU: H is Thursday, S Saturday, U Sunday
    #[arg(long, value_name = "DAYS")]
    pub days: Option<Weekdays>,
    /// Time to run at
    #[arg(long, value_name = "HH:MM")]
    pub at: Option<TimeOfDay>,
    /// Run every so many minutes instead
    #[arg(long, value_name = "MINUTES", conflicts_with_all = ["at", "days"])]
    pub every: Option<u16>,
    /// Run only when a person asks for it
    #[arg(long, conflicts_with_all = ["at", "days", "every"])]
    pub manual: bool,
    /// The zone whose clocks count, as America/Chicago
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<chrono_tz::Tz>,
    /// Whether it stays away on days without school
    #[arg(long, value_name = "true|false")]
    pub only_in_session: Option<bool>,
    /// Whether one run makes up for those missed while the computer was off
    #[arg(long, value_name = "true|false")]
    pub catch_up: Option<bool>,
}

impl SetJob {
    /// Whether the schedule is to be another one.
    pub const fn changes_schedule(&self) -> bool {
        self.days.is_some()
            || self.at.is_some()
            || self.every.is_some()
            || self.zone.is_some()
            || self.only_in_session.is_some()
            || self.catch_up.is_some()
    }
}

/// The Raptor integration.
#[derive(Debug, Subcommand)]
pub enum Raptor {
    /// Its status, its window, and what it does next
    Status,
    /// How the status came about, latest first
    History {
        /// How many at most
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
    },
    /// Switch it on: shows what that comes to, and when it begins
    Enable {
        /// Only show it
        #[arg(long)]
        dry_run: bool,
    },
    /// Switch it off
    Disable,
}

/// The mapping tables.
#[derive(Debug, Subcommand)]
pub enum Mapping {
    /// List them, with what PowerSchool and Raptor have that is not mapped, and what has changed
    List,
    /// Schools for the buildings that have none, by name, abbreviation or number
    Suggest {
        /// Map the buildings whose school is clear
        #[arg(long)]
        apply: bool,
    },
    /// Map a building to a school, or change its row
    Set(MapBuilding),
    /// Map a tardy code to an attendance code
    Code {
        /// The student reason, as Raptor writes it
        reason: String,
        /// PowerSchool's attendance code, letter case included
        code: String,
        /// Keep the row, and map nothing with it
        #[arg(long)]
        inactive: bool,
    },
    /// Remove a building's row, or a tardy code's
    Remove {
        /// The building, as Raptor writes it
        name: String,
        /// It is a tardy code
        #[arg(long)]
        reason: bool,
    },
}

/// A building's row.
#[derive(Debug, Args)]
pub struct MapBuilding {
    /// The building, as Raptor writes it
    pub building: String,
    /// The school's number in PowerSchool
    #[arg(value_name = "SCHOOL_NUMBER")]
    pub school: i64,
    /// How the school records attendance; as PowerSchool tells, if not given
    #[arg(long, value_enum)]
    pub method: Option<Method>,
    /// With both methods: the abbreviation of the period that the daily record follows
    #[arg(long, value_name = "PERIOD")]
    pub bridge_period: Option<String>,
    /// What becomes of a student who signs in between classes
    #[arg(long, value_enum)]
    pub between_classes: Option<Between>,
    /// The building takes part
    #[arg(long, conflicts_with = "inactive")]
    pub active: bool,
    /// The building does not take part
    #[arg(long)]
    pub inactive: bool,
}

impl MapBuilding {
    /// A building's school, and nothing else said.
    pub const fn new(building: String, school: i64) -> Self {
        Self {
            building,
            school,
            method: None,
            bridge_period: None,
            between_classes: None,
            active: false,
            inactive: false,
        }
    }
}

/// How a school records attendance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// One record a day
    Daily,
    /// One record a class meeting
    Meeting,
    /// Meeting records, and a daily one that PowerSchool links to them
    Both,
}

impl From<Method> for AttendanceMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::Daily => Self::Daily,
            Method::Meeting => Self::Meeting,
            Method::Both => Self::Both,
        }
    }
}

/// What becomes of a student who signs in between classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Between {
    /// The row is held for a person
    Hold,
    /// The next class gets the record
    Next,
    /// The class that was missed gets the record
    Missed,
}

impl From<Between> for BetweenClasses {
    fn from(between: Between) -> Self {
        match between {
            Between::Hold => Self::Hold,
            Between::Next => Self::NextMeeting,
            Between::Missed => Self::MissedMeeting,
        }
    }
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

/// The service that runs a profile without a window.
#[derive(Debug, Subcommand)]
pub enum Service {
    /// Have the operating system run it, now and whenever the account or the computer starts
    Install(InstallService),
    /// End it and have the operating system forget it; data and secrets stay
    Uninstall(ServiceAccount),
    /// Whether it is installed, runs, and how it last ended
    Status(ServiceAccount),
}

impl Service {
    /// An option of Windows' Task Scheduler beside another service manager.
    fn misplaced_option(&self) -> Option<&'static str> {
        let (manager, logon, account) = match self {
            Self::Install(install) => {
                (install.manager.unwrap_or(ServiceManager::HERE), install.logon.is_some(), &install.account)
            }
            Self::Uninstall(account) | Self::Status(account) => (ServiceManager::HERE, false, account),
        };
        let options = [("--logon", logon), ("--account", account.account.is_some())];
        let given = options.into_iter().find_map(|(option, given)| given.then_some(option));
        given.filter(|_| manager != ServiceManager::Windows)
    }
}

/// Options of an installation.
#[derive(Debug, Args)]
pub struct InstallService {
    /// Only show the file that would be written
    #[arg(long)]
    pub print: bool,
    /// Show the file of this service manager instead of the one of this system
    #[arg(long = "for", value_enum, requires = "print", value_name = "MANAGER")]
    pub manager: Option<ServiceManager>,
    /// Path of rosterbridge in the shown file, when it is for another computer
    #[arg(long, requires = "print", value_name = "FILE")]
    pub executable: Option<PathBuf>,
    /// How Windows logs the account on; with its password unless you say otherwise
    #[arg(long, value_enum)]
    pub logon: Option<Logon>,
    /// Whose service it is.
    #[command(flatten)]
    pub account: ServiceAccount,
}

/// Whose service it is.
#[derive(Debug, Args)]
pub struct ServiceAccount {
    /// The Windows account that set the profile up, if it is not this one
    #[arg(long, value_name = "DOMAIN\\USER")]
    pub account: Option<String>,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    const SHA256: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[rstest]
    #[case(&["powerschool", "--offline", "--wait"], true)]
    #[case(&["powerschool", "--accept-certificate", SHA256], true)]
    #[case(&["hero", "--accept-host-key", "SHA256:abc"], true)]
    #[case(&["hero", "--offline"], false)]
    #[case(&["raptor", "--offline", "--wait"], false)]
    #[case(&["mail", "--accept-certificate", SHA256], false)]
    #[case(&["powerschool", "--accept-host-key", "SHA256:abc"], false)]
    #[case(&["raptor", "--accept-host-key", "SHA256:abc"], true)]
    #[case(&["mail", "--accept-host-key", "SHA256:abc"], false)]
    fn a_test_takes_its_own_options_only(#[case] test: &[&str], #[case] taken: bool) {
        let arguments = ["rosterbridge", "test"].iter().chain(test).map(OsString::from);
        assert_eq!(Cli::read(arguments).is_ok(), taken);
    }

    #[rstest]
    #[case::bare(SHA256, true)]
    #[case::as_browsers_show_it(&format!("{}EF", "AB:".repeat(31)), true)]
    #[case::named(&format!("SHA256:{SHA256}"), true)]
    #[case::in_groups(&format!("sha256:{} {}", &SHA256[..32], &SHA256[32..]), true)]
    #[case::cut_off("AB:CD", false)]
    #[case::too_long(&format!("{SHA256}00"), false)]
    #[case::sha1(&SHA256[..40], false)]
    #[case::no_digits(&"x".repeat(64), false)]
    #[case::base64("SHA256:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg", false)]
    #[case::not_ascii("ää", false)]
    #[case::empty("", false)]
    fn a_fingerprint_has_64_digits(#[case] text: &str, #[case] taken: bool) {
        let arguments = ["rosterbridge", "test", "powerschool", "--accept-certificate", text];
        assert_eq!(Cli::read(arguments.map(OsString::from)).is_ok(), taken);
    }
}
