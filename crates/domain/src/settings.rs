//! What an administrator configures for one district. The same structure is the setup file (versioned JSON).
//! Secrets are not part of it: they live in the keychain under the names given here.

mod connections;
mod hero;
mod raptor;
mod upgrade;

use std::collections::BTreeSet;

use chrono::TimeDelta;
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ts_rs::TS;

use crate::{
    job::{Job, JobId},
    mapping::Mappings,
    schedule::JobSchedule,
    school_year::Summer,
};

pub use self::{
    connections::{
        ConnectionId, ManagedConnection, NoTransfersAtOnce, SignInMethod, TransfersAtOnce, UnknownConnection,
    },
    hero::{
        ATTENDANCE_SETTING, AccountLevel, AutoCommFields, AutoSendFields, CharacterSet, Destination,
        Duplicate, ExportJob, ExportKind, FieldDelimiter, HandOver, HeroAccount, HeroSettings, HeroSide,
        ImportField, ImportJob, LongValues, Owner, RecordDelimiter, SCHEDULE_FIELDS, STUDENT_FIELDS,
        TEACHER_FIELDS,
    },
    raptor::{
        BeforeFirstBell, DateForm, Delimiter, IntegrationWindow, LineEnd, Prerequisites, RaptorConnection,
        RaptorSettings, RosterColumn, RosterContent, RosterField, RosterLayout, RosterSettings,
    },
};

/// The setup file's version this program writes and the newest it reads.
pub const SETUP_VERSION: u32 = 2;

/// Everything configured for one district. Settings of earlier versions are read as what they mean today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(remote = "Self")]
pub struct Setup {
    /// [`SETUP_VERSION`].
    pub version: u32,
    /// Where PowerSchool is and as whom we call it.
    #[serde(default)]
    pub powerschool: PowerSchoolSettings,
    /// The managed connections, in the order in which they are shown.
    #[serde(default = "first_connection")]
    pub connections: Vec<ManagedConnection>,
    /// The exchange with Hero.
    #[serde(default)]
    pub hero: HeroSettings,
    /// The exchange with Raptor.
    #[serde(default)]
    pub raptor: RaptorSettings,
    /// The mail server for reports and status changes.
    #[serde(default)]
    pub mail: MailSettings,
    /// Buildings and tardy codes.
    #[serde(default)]
    pub mappings: Mappings,
    /// Which exchanges run.
    #[serde(default)]
    pub jobs: Vec<JobSettings>,
    /// What they do in summer.
    #[serde(default)]
    pub summer: Summer,
    /// How long runs, decided rows and files that were dealt with are kept, in days: see [`Setup::retention`].
    #[serde(default = "usual_retention")]
    pub retention_days: u32,
    /// What is written to PowerSchool.
    #[serde(default)]
    pub attendance: AttendanceSettings,
    /// When a change is too large to go out unasked.
    #[serde(default)]
    pub guard: GuardSettings,
}

/// The retention of a new profile, in days: a school year and a month.
pub const USUAL_RETENTION_DAYS: u32 = 400;
/// The shortest retention, in days. A row delivered again after its decision was forgotten is decided afresh, so this
/// has to be longer than any file is delivered again.
pub const SHORTEST_RETENTION_DAYS: u32 = 60;

const fn usual_retention() -> u32 {
    USUAL_RETENTION_DAYS
}

fn first_connection() -> Vec<ManagedConnection> {
    vec![ManagedConnection::default()]
}

impl<'de> Deserialize<'de> for Setup {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let settings = upgrade::upgraded(serde_json::Value::deserialize(deserializer)?);
        Self::deserialize(settings).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Setup {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            version: SETUP_VERSION,
            powerschool: PowerSchoolSettings::default(),
            connections: first_connection(),
            hero: HeroSettings::default(),
            raptor: RaptorSettings::default(),
            mail: MailSettings::default(),
            mappings: Mappings::default(),
            // The zone the vendors' procedures name; a person chooses another.
            jobs: Job::ALL
                .into_iter()
                .map(|job| JobSettings::new(job.into(), chrono_tz::America::Chicago))
                .collect(),
            summer: Summer::default(),
            retention_days: USUAL_RETENTION_DAYS,
            attendance: AttendanceSettings::default(),
            guard: GuardSettings::default(),
        }
    }
}

impl Setup {
    /// Whether a job is switched on, and is this program's to do. One of an account that is gone is neither.
    pub fn job_enabled(&self, job: JobId) -> bool {
        self.owner(job) == Owner::RosterBridge
            && self.possible_jobs().contains(&job)
            && self.jobs.iter().any(|settings| settings.job == job && settings.enabled)
    }

    /// The jobs for which [`Setup::job_enabled`] holds, in running order.
    pub fn enabled_jobs(&self) -> Vec<JobId> {
        let jobs: BTreeSet<JobId> = self.jobs.iter().map(|settings| settings.job).collect();
        jobs.into_iter().filter(|job| self.job_enabled(*job)).collect()
    }

    /// The exchanges that are switched on for any account, in running order.
    pub fn enabled_exchanges(&self) -> Vec<Job> {
        let jobs = self.enabled_jobs();
        Job::ALL.into_iter().filter(|kind| jobs.iter().any(|job| job.kind() == *kind)).collect()
    }

    /// Every job there can be with these settings, in running order.
    pub fn possible_jobs(&self) -> Vec<JobId> {
        let hero = self.hero.accounts.iter().flat_map(HeroAccount::jobs);
        let jobs: BTreeSet<JobId> =
            hero.chain([Job::RaptorRoster.into(), Job::RaptorTardies.into()]).collect();
        jobs.into_iter().collect()
    }

    /// Who carries a job out. Raptor's are always this program's.
    pub fn owner(&self, job: JobId) -> Owner {
        let account = self.hero.account(job.account());
        account.and_then(|account| account.owner(job.kind())).unwrap_or_default()
    }

    /// A managed connection.
    pub fn connection(&self, id: ConnectionId) -> Option<&ManagedConnection> {
        self.connections.iter().find(|connection| connection.id == id)
    }

    /// How long what is done with is kept: never shorter than [`SHORTEST_RETENTION_DAYS`].
    pub fn retention(&self) -> TimeDelta {
        TimeDelta::days(self.retention_days.max(SHORTEST_RETENTION_DAYS).into())
    }
}

/// What is written to PowerSchool's attendance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct AttendanceSettings {
    /// How far back: a row of an older date is held.
    pub oldest: SchoolDays,
}

/// A number of school days, 1 to 60.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(try_from = "u8", into = "u8")]
#[ts(type = "number")]
pub struct SchoolDays(u8);

/// The number can't be one of school days.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("1 to 60 school days are possible, not {0}")]
pub struct NoSchoolDays(pub u8);

impl SchoolDays {
    /// The number of days.
    pub const fn days(self) -> u8 {
        self.0
    }
}

impl Default for SchoolDays {
    fn default() -> Self {
        Self(10)
    }
}

impl TryFrom<u8> for SchoolDays {
    type Error = NoSchoolDays;

    fn try_from(days: u8) -> Result<Self, NoSchoolDays> {
        if (1..=60).contains(&days) { Ok(Self(days)) } else { Err(NoSchoolDays(days)) }
    }
}

impl From<SchoolDays> for u8 {
    fn from(days: SchoolDays) -> Self {
        days.0
    }
}

/// When a change is too large to go out unasked: a loss has to exceed both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct GuardSettings {
    /// The share of the rows, in percent, up to which a loss passes.
    pub percent: u8,
    /// Losses of fewer rows pass, unless all are lost.
    pub rows: u32,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self { percent: 10, rows: 20 }
    }
}

/// One exchange's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct JobSettings {
    /// Which exchange, of which account.
    pub job: JobId,
    /// Whether it runs when no job is named.
    pub enabled: bool,
    /// When it runs by itself; `None` only when a person asks for it. Raptor's roster has none, and one in an older file
    /// is ignored: it follows [`RaptorSettings::window`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub schedule: Option<JobSchedule>,
}

impl JobSettings {
    /// The settings of a new profile: switched off, with the usual schedule in the district's zone.
    pub fn new(job: JobId, zone: Tz) -> Self {
        Self { job, enabled: false, schedule: JobSchedule::usual(job.kind(), zone) }
    }
}

/// How to reach PowerSchool. The Client Secret is the keychain's `powerschool.client-secret`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct PowerSchoolSettings {
    /// The server's address as the administrator typed it; normalised when used.
    pub url: String,
    /// Client ID of the plugin: a UUID.
    pub client_id: String,
    /// Certificates (PEM text) trusted besides the system's roots, for an on-premises server.
    pub extra_roots: Vec<String>,
    /// How long one answer may take, in seconds. An attendance write without an answer is looked up in PowerSchool
    /// after the same time again.
    pub answer_seconds: u32,
    /// The plugin written for this district.
    pub plugin: PluginSettings,
    /// The way out of the network, for a school behind a web proxy.
    pub proxy: ProxySettings,
}

impl Default for PowerSchoolSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            client_id: String::new(),
            extra_roots: Vec::new(),
            answer_seconds: 60,
            plugin: PluginSettings::default(),
            proxy: ProxySettings::default(),
        }
    }
}

/// The plugin that was last written for this district.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct PluginSettings {
    /// The exchanges it allows: its access request names the fields of these and no others.
    pub jobs: Vec<Job>,
    /// The exchanges a person has chosen since, where the plugin for them was not written yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub wanted: Option<Vec<Job>>,
    /// The last part of its version. Raised whenever what it asks for changes: PowerSchool updates a plugin in place
    /// only when the version is higher, and an update keeps the credentials.
    pub revision: u32,
}

impl Default for PluginSettings {
    fn default() -> Self {
        Self { jobs: Job::ALL.to_vec(), wanted: None, revision: 0 }
    }
}

impl PluginSettings {
    /// The exchanges that shall work: the chosen ones, or those of the plugin as it was written.
    pub fn chosen(&self) -> &[Job] {
        self.wanted.as_deref().unwrap_or(&self.jobs)
    }
}

/// How to get to PowerSchool through a web proxy. Its password is the keychain's `proxy.password`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct ProxySettings {
    /// Which proxy.
    pub mode: ProxyMode,
    /// Address of an explicit proxy, such as `http://proxy.district.org:8080`.
    pub url: String,
    /// User name for an explicit proxy; empty for none.
    pub username: String,
}

/// Which web proxy is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum ProxyMode {
    /// The one the operating system is set to, if it is a fixed one.
    #[default]
    System,
    /// None: straight to the server.
    None,
    /// The one named here.
    Explicit,
}

/// The mail server. A password, if any, is the keychain's `smtp.password`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct MailSettings {
    /// Host name; empty for no mail.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is protected.
    pub security: MailSecurity,
    /// User name; empty for none.
    pub username: String,
    /// Sender's address.
    pub from: String,
    /// Who is told about failures, stops, recoveries and held rows.
    pub to: Vec<String>,
}

impl Default for MailSettings {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 587,
            security: MailSecurity::StartTls,
            username: String::new(),
            from: String::new(),
            to: Vec::new(),
        }
    }
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    /// TLS from the first byte (port 465).
    Tls,
    /// STARTTLS, required (port 587).
    StartTls,
    /// None: accepted for a loopback address only.
    None,
}
