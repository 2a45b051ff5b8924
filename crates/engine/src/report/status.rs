//! The state of a profile.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use rosterbridge_domain::id::SchoolNumber;
use rosterbridge_domain::integration::IntegrationStatus;
use rosterbridge_domain::job::{AccountId, JobId, RowCounts};
use rosterbridge_domain::retry::{CircuitState, Remote};
use rosterbridge_domain::schedule::{JobSchedule, Pause};
use rosterbridge_domain::school_year::{Season, TardyCodeFault, YearChange};
use rosterbridge_domain::settings::{IntegrationWindow, Owner};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{Cause, JobReport, OtherSenderView, PhaseSeconds, WatchView};

/// The state of a profile, in two seconds' reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct StatusView {
    /// The profile's name.
    pub profile: String,
    /// Whether this is the practice district.
    pub practice: bool,
    /// The server's name from the configured URL; empty before set-up.
    pub server: String,
    /// Whether scheduled runs are paused now (an imported profile starts so).
    pub paused: bool,
    /// Until when, or that a person has to resume them.
    pub pause: Pause,
    /// The run under way.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<String>,
    /// The Raptor integration's status.
    pub raptor_status: IntegrationStatus,
    /// The Raptor integration's times.
    pub raptor: RaptorView,
    /// 'Today' as the exchange sees it: the practice date on the practice district.
    #[ts(type = "string | null")]
    pub today: Option<NaiveDate>,
    /// Every job with its last report.
    pub jobs: Vec<JobView>,
    /// Held rows waiting for a person.
    pub held: u64,
    /// Students in the last roster pull.
    pub students: u64,
    /// When the roster was last pulled.
    #[ts(type = "string | null")]
    pub roster_pulled_at: Option<DateTime<Utc>>,
    /// Why mail does not go out; absent when it does.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailProblem>,
    /// Where the schools are in their years.
    pub school_year: SchoolYearView,
    /// What the latest look from outside showed of each account for which PowerSchool does something, by account.
    pub watch: Vec<WatchView>,
    /// The exports and imports of this program that are paused because another sender is active, in running order.
    pub other_sender: Vec<OtherSenderView>,
}

/// Since when the Raptor integration is as it is, and what it does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RaptorView {
    /// Its status.
    pub status: IntegrationStatus,
    /// Since when; absent where it was never switched on.
    #[ts(optional, type = "string")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// The daily window, as it is set.
    pub window: IntegrationWindow,
    /// Until when the window is open; absent while it is closed.
    #[ts(optional, type = "string")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_until: Option<DateTime<Utc>>,
    /// When it opens next.
    #[ts(optional, type = "string")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<DateTime<Utc>>,
    /// What it does next by itself; absent while it does nothing: switched off, paused, or in a summer whose end is not
    /// known.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<RaptorNext>,
}

/// What the Raptor integration does next by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RaptorNext {
    /// What.
    pub step: RaptorStep,
    /// When.
    #[ts(type = "string")]
    pub at: DateTime<Utc>,
}

/// What the Raptor integration does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum RaptorStep {
    /// A full synchronization, in the window.
    Synchronize,
    /// A look at PowerSchool for updates.
    Look,
}

/// Where the schools that take part are in their school years, and what a new one changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SchoolYearView {
    /// By school number; empty before the first roster pull.
    pub schools: Vec<SchoolSeason>,
    /// Set while scheduled runs pause for the summer. Runs a person starts are made all the same.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summer_pause: Option<SummerPause>,
    /// Of each school the latest new year and the latest new term that were noticed.
    pub changes: Vec<NoticedChange>,
    /// Rows of the tardy table that a school cannot use in its current year: their tardies are held.
    pub tardy_code_faults: Vec<TardyCodeFault>,
}

/// Where a school is in its year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SchoolSeason {
    /// The school.
    pub school: SchoolNumber,
    /// Its season, flattened: year and term stand beside the school.
    #[serde(flatten)]
    pub season: Season,
}

/// A pause for the summer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SummerPause {
    /// First day of school; absent while PowerSchool has no terms of the year to come.
    #[ts(type = "string | null")]
    pub until: Option<NaiveDate>,
}

/// A new school year or term, and when it was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct NoticedChange {
    /// When a roster pull showed it first.
    #[ts(type = "string")]
    pub noticed_at: DateTime<Utc>,
    /// What is new, flattened.
    #[serde(flatten)]
    pub change: YearChange,
}

/// Why mail does not go out at present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct MailProblem {
    /// Why the last mail could not be sent.
    pub cause: Cause,
    /// Since when none could.
    #[ts(type = "string")]
    pub since: DateTime<Utc>,
    /// Notices that wait to be sent.
    pub waiting: u64,
    /// Notices given up, because too many waited.
    pub dropped: u64,
}

/// One exchange on the Home screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct JobView {
    /// Which.
    pub job: JobId,
    /// Who carries it out.
    pub owner: Owner,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Its last real run.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<JobReport>,
    /// When that ended.
    #[ts(type = "string | null")]
    pub last_at: Option<DateTime<Utc>>,
    /// When it runs by itself; absent when it does not.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<JobSchedule>,
    /// When it runs next by itself; absent when nothing is planned, and while it is paused.
    #[ts(optional, type = "string")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<DateTime<Utc>>,
    /// Since when it is paused because another sender is active: its runs end at once.
    #[ts(optional, type = "string")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_since: Option<DateTime<Utc>>,
}

/// What a profile does, in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Metrics {
    /// From when on `runs` and `rows` are counted: seven days back.
    #[ts(type = "string")]
    pub since: DateTime<Utc>,
    /// How many runs ended how, by the outcome's name. Dry runs are left out here and in `rows`.
    pub runs: BTreeMap<String, u64>,
    /// The rows of all their jobs.
    pub rows: RowCounts,
    /// How long the latest pull and each job's latest run took.
    pub phases: Vec<PhaseSeconds>,
    /// Attendance writes under way, by state: `decided`, `sending`, `unknown`.
    pub outbox: BTreeMap<String, u64>,
    /// Held rows waiting for a person.
    pub held: u64,
    /// Every remote system, and whether scheduled runs leave it alone.
    pub circuits: Vec<CircuitView>,
    /// Space taken, in bytes.
    pub sizes: Sizes,
    /// The process that hosts the engine.
    pub holder: HolderView,
}

/// How the schedule treats a remote system that could not be reached again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CircuitView {
    /// The system.
    pub remote: Remote,
    /// At Hero, the account there; elsewhere the first.
    pub account: AccountId,
    /// Whether scheduled runs go there.
    pub state: CircuitState,
    /// Until when it is left alone; absent unless it is.
    #[ts(optional, type = "string")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// How often in a row it could not be reached, since this process opened the profile.
    pub misses: u32,
}

/// Space a profile takes on the disk, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Sizes {
    /// `ledger.db` with its write-ahead log.
    pub ledger: u64,
    /// `roster.db`.
    pub roster: u64,
    /// Copies of the ledger.
    pub backups: u64,
    /// Log files.
    pub logs: u64,
}

/// The process that hosts a profile's engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HolderView {
    /// Its version of RosterBridge.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// How long it has hosted the profile, in seconds.
    pub uptime_seconds: u64,
}

/// A support bundle that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SupportBundle {
    /// Where it is.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// The files in it.
    pub contents: Vec<String>,
}
