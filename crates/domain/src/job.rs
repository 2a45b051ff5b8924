//! The exchanges a profile runs, and how a run and its jobs end.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// One exchange. The order is the order in which jobs of one run are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// Hero's student demographics export (`STUDENT.TXT`).
    HeroStudents,
    /// Hero's schedule export (`SCHEDULE.TXT`).
    HeroSchedule,
    /// Hero's teacher export (`TEACHER.txt`).
    HeroTeachers,
    /// Hero's attendance import.
    HeroAttendance,
    /// The student roster for Raptor, a file for each mapped building.
    RaptorRoster,
    /// Raptor's tardies, in as attendance.
    RaptorTardies,
}

impl Job {
    /// Every job, in running order.
    pub const ALL: [Self; 6] = [
        Self::HeroStudents,
        Self::HeroSchedule,
        Self::HeroTeachers,
        Self::HeroAttendance,
        Self::RaptorRoster,
        Self::RaptorTardies,
    ];

    /// The name on the command line and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HeroStudents => "hero-students",
            Self::HeroSchedule => "hero-schedule",
            Self::HeroTeachers => "hero-teachers",
            Self::HeroAttendance => "hero-attendance",
            Self::RaptorRoster => "raptor-roster",
            Self::RaptorTardies => "raptor-tardies",
        }
    }
}

impl std::fmt::Display for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name is no job.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("there is no job '{0}'")]
pub struct UnknownJob(pub String);

impl std::str::FromStr for Job {
    type Err = UnknownJob;

    fn from_str(name: &str) -> Result<Self, UnknownJob> {
        Self::ALL.into_iter().find(|job| job.as_str() == name).ok_or_else(|| UnknownJob(name.to_owned()))
    }
}

/// Which account a job belongs to: at Hero a school's or a group's. Raptor's jobs belong to the first, which is the only
/// one there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(try_from = "u16", into = "u16")]
#[ts(type = "number")]
pub struct AccountId(u16);

/// The number can't be an account's.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("accounts are numbered 1 to {most}, and {0} is none", most = AccountId::MOST)]
pub struct NoAccount(pub u16);

impl AccountId {
    /// The first one, which every profile has.
    pub const FIRST: Self = Self(1);
    /// How many there can be.
    pub const MOST: u16 = 100;

    /// The number, from 1.
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for AccountId {
    type Error = NoAccount;

    fn try_from(number: u16) -> Result<Self, NoAccount> {
        if (1..=Self::MOST).contains(&number) { Ok(Self(number)) } else { Err(NoAccount(number)) }
    }
}

impl From<AccountId> for u16 {
    fn from(id: AccountId) -> Self {
        id.0
    }
}

/// An exchange of an account. Written as its [`Job`], and from the second account on with its number: `hero-students-2`.
/// The order is the order in which jobs of one run are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "import('./Job').Job | `hero-${'students' | 'schedule' | 'teachers' | 'attendance'}-${number}`")]
pub struct JobId {
    kind: Job,
    account: AccountId,
}

impl JobId {
    /// The student export of the first account at Hero.
    pub const HERO_STUDENTS: Self = Self::new(Job::HeroStudents, AccountId::FIRST);
    /// The schedule export of the first account.
    pub const HERO_SCHEDULE: Self = Self::new(Job::HeroSchedule, AccountId::FIRST);
    /// The teacher export of the first account.
    pub const HERO_TEACHERS: Self = Self::new(Job::HeroTeachers, AccountId::FIRST);
    /// The attendance import of the first account.
    pub const HERO_ATTENDANCE: Self = Self::new(Job::HeroAttendance, AccountId::FIRST);
    /// The roster for Raptor.
    pub const RAPTOR_ROSTER: Self = Self::new(Job::RaptorRoster, AccountId::FIRST);
    /// Raptor's tardies.
    pub const RAPTOR_TARDIES: Self = Self::new(Job::RaptorTardies, AccountId::FIRST);

    /// An exchange of an account.
    pub const fn new(kind: Job, account: AccountId) -> Self {
        Self { kind, account }
    }

    /// Which exchange.
    pub const fn kind(self) -> Job {
        self.kind
    }

    /// Whose.
    pub const fn account(self) -> AccountId {
        self.account
    }
}

/// The exchange of the first account.
impl From<Job> for JobId {
    fn from(kind: Job) -> Self {
        Self::new(kind, AccountId::FIRST)
    }
}

impl std::fmt::Display for JobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind.as_str())?;
        if self.account == AccountId::FIRST { Ok(()) } else { write!(f, "-{}", self.account.0) }
    }
}

impl std::str::FromStr for JobId {
    type Err = UnknownJob;

    fn from_str(name: &str) -> Result<Self, UnknownJob> {
        if let Ok(kind) = name.parse::<Job>() {
            return Ok(kind.into());
        }
        let unknown = || UnknownJob(name.to_owned());
        let (kind, number) = name.rsplit_once('-').ok_or_else(unknown)?;
        let kind: Job = kind.parse().map_err(|_| unknown())?;
        let account = number.parse::<u16>().ok().and_then(|number| AccountId::try_from(number).ok());
        // One way to write each: neither `-1` nor `-02`, and Raptor has no further accounts.
        let id = account.map(|account| Self::new(kind, account)).ok_or_else(unknown)?;
        let has_accounts = !matches!(kind, Job::RaptorRoster | Job::RaptorTardies);
        if has_accounts && id.to_string() == name { Ok(id) } else { Err(unknown()) }
    }
}

impl TryFrom<String> for JobId {
    type Error = UnknownJob;

    fn try_from(name: String) -> Result<Self, UnknownJob> {
        name.parse()
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.to_string()
    }
}

/// How a run, or one job of it, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has not ended.
    Running,
    /// Everything was done.
    Succeeded,
    /// Everything was done and at least one row was newly held or rejected.
    SucceededWithHeldRows,
    /// It stopped with an error.
    Failed,
    /// A person stopped it.
    Cancelled,
    /// The program ended in the middle of it.
    Interrupted,
    /// It was not started, because something it needs failed first.
    Skipped,
}

impl Outcome {
    /// The name in JSON and in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::SucceededWithHeldRows => "succeeded_with_held_rows",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Skipped => "skipped",
        }
    }
}

/// Rows of one job: what came in and what became of it. For an outgoing file `read` and `written` are its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RowCounts {
    /// Rows read from the source.
    pub read: u64,
    /// Rows that arrived where they belong.
    pub written: u64,
    /// Rows that needed no write.
    pub noop: u64,
    /// Rows kept for a person.
    pub held: u64,
    /// Malformed rows, kept with file and line.
    pub rejected: u64,
}

/// A file a job wrote or read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct FileReceipt {
    /// Its path at the other side, e.g. `imports/STUDENT.TXT`.
    pub name: String,
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Lower-case hexadecimal SHA-256 of its content.
    pub sha256: String,
}
