//! What the engine tells about its work: progress while it runs, and reports when it is done. Serialisable, since
//! every process of a profile sees them; counts and ids only, no student's name.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use rosterbridge_domain::{
    held::HoldReason,
    id::SchoolNumber,
    integration::IntegrationStatus,
    job::{FileReceipt, Job, Outcome, RowCounts},
    schedule::{JobSchedule, Pause},
    school_year::{Season, TardyCodeFault, YearChange},
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Why something failed: a stable code, what happened, what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Cause {
    /// Stable, e.g. `powerschool.bad_credentials`.
    pub code: String,
    /// What happened, in a sentence.
    pub message: String,
    /// What the person can do.
    pub remedy: String,
}

/// The part of a run that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reading the roster from PowerSchool.
    Pull,
    /// Working out what a job would do.
    Plan,
    /// Sending a file.
    Upload,
    /// Fetching or reading a file.
    Download,
    /// Writing attendance to PowerSchool.
    Attendance,
}

/// One step of progress. `total` is absent while it is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Progress {
    /// The run's id.
    pub run: String,
    /// The job, or none during the roster pull.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<Job>,
    /// What is under way.
    pub phase: Phase,
    /// A short name of the thing worked on, e.g. `students` or `STUDENT.TXT`.
    pub subject: String,
    /// Rows done.
    pub done: u64,
    /// Rows to do.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// One job of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct JobReport {
    /// Which.
    pub job: Job,
    /// How it ended.
    pub outcome: Outcome,
    /// Its rows.
    pub rows: RowCounts,
    /// Rows held or rejected for the first time by this run.
    pub newly_held: u64,
    /// Its files.
    pub files: Vec<FileReceipt>,
    /// Why it failed.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Things worth knowing that did not stop it, in sentences.
    pub notes: Vec<String>,
    /// What it planned; absent in the history.
    #[ts(optional)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanView>,
}

/// What a job planned, before it did anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PlanView {
    /// Names this very content: a plan of the same id does the same.
    pub id: String,
    /// The first attendance records it writes, at most ten.
    pub sample: Vec<PlannedRecord>,
}

/// An attendance record to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PlannedRecord {
    /// The student's number.
    #[ts(type = "number | null")]
    pub student_number: Option<i64>,
    /// The school's number.
    #[ts(type = "number")]
    pub school: i64,
    /// The day.
    #[ts(type = "string")]
    pub date: NaiveDate,
    /// The code it gets.
    pub code: String,
    /// The code it has now; absent where there is none.
    pub previous_code: Option<String>,
}

/// What an undo did, or would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct UndoReport {
    /// The run whose writes it takes back.
    pub undoes: String,
    /// How it went. Of each job: `read` counts the records the run wrote, `written` those taken back, `noop` those left.
    pub report: SyncReport,
    /// What stays as it is, and why.
    pub left: Vec<LeftAlone>,
}

/// A record an undo leaves as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LeftAlone {
    /// `hero` or `raptor`.
    pub source: String,
    /// The student's number.
    #[ts(type = "number | null")]
    pub student_number: Option<i64>,
    /// The school's number.
    #[ts(type = "number")]
    pub school: i64,
    /// The day.
    #[ts(type = "string")]
    pub date: NaiveDate,
    /// The code the run wrote.
    pub code: String,
    /// Why.
    pub reason: NotUndone,
    /// Why, and what to do, in sentences.
    pub message: String,
}

/// Why a write is not taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum NotUndone {
    /// A later run has written the record again.
    WrittenAgain,
    /// It was undone already.
    AlreadyUndone,
    /// Another write of the record is under way.
    UnderWay,
    /// Somebody has changed the record in PowerSchool.
    Changed,
    /// PowerSchool has several records.
    SeveralRecords,
    /// The code that stood before is not there any more.
    NoSuchCode,
    /// PowerSchool refused it.
    Refused,
}

/// A whole run: what `sync` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SyncReport {
    /// The run's id.
    pub run: String,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// Its jobs in running order.
    pub jobs: Vec<JobReport>,
    /// Why it failed as a whole.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Seconds by phase, for the bench and the curious.
    pub seconds: Vec<PhaseSeconds>,
}

/// Time spent in one phase of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PhaseSeconds {
    /// `pull`, or a job's name.
    pub phase: String,
    /// Milliseconds.
    pub millis: u64,
}

/// A run in the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RunView {
    /// The run's id.
    pub run: String,
    /// When it started.
    #[ts(type = "string")]
    pub started_at: DateTime<Utc>,
    /// When it ended.
    #[ts(type = "string | null")]
    pub finished_at: Option<DateTime<Utc>>,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Whether it took back what another run had written.
    pub undo: bool,
    /// Whether the schedule started it, and not a person.
    pub scheduled: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// Its jobs.
    pub jobs: Vec<JobReport>,
    /// Why it failed.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// How long its pull and each of its jobs took, as far as they came to an end.
    pub seconds: Vec<PhaseSeconds>,
}

/// A row kept for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HeldView {
    /// The ledger's id.
    pub id: i64,
    /// `hero` or `raptor`.
    pub source: String,
    /// The file it came in.
    pub file: String,
    /// Its line there, from 1.
    pub line: u64,
    /// Why: the stable code.
    pub code: String,
    /// Why and what to do, in sentences.
    pub message: String,
    /// What exactly, e.g. the unknown code.
    pub detail: String,
    /// The row as it came.
    pub raw: String,
    /// When it was first held.
    #[ts(type = "string")]
    pub first_seen: DateTime<Utc>,
    /// Whether a person asked for it to be decided again, which the next run does.
    pub retried: bool,
}

/// The rows kept for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HeldPage {
    /// How many there are in all.
    pub total: u64,
    /// How many by reason, most first.
    pub by_reason: Vec<(HoldReason, u64)>,
    /// This page's rows.
    pub rows: Vec<HeldView>,
}

/// Why a plan waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum GuardReason {
    /// Too many rows would be lost, of the file or of one school in it.
    RowsLost,
    /// An import has many more rows than usual.
    ManyRows,
}

/// The rows of one school in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct GuardedSchool {
    /// The school's number.
    #[ts(type = "number")]
    pub school: i64,
    /// Rows of the last one sent.
    pub before: u64,
    /// Rows it would have now.
    pub now: u64,
}

/// A plan that was stopped because it would change too much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct GuardedView {
    /// Names this very content.
    pub id: String,
    /// The job.
    pub job: Job,
    /// The file.
    pub name: String,
    /// Rows of the last one sent; of an import the usual number.
    pub before: u64,
    /// Rows it would have now.
    pub now: u64,
    /// The new school year since the last one was sent, if there is one: so large a change is to be expected.
    #[ts(optional)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<YearChange>,
    /// When it was stopped.
    #[ts(type = "string")]
    pub stopped_at: DateTime<Utc>,
    /// Why.
    pub reason: GuardReason,
    /// The schools that would lose too many rows.
    pub schools: Vec<GuardedSchool>,
    /// Numbers of students who would have no row any more, at most ten.
    #[ts(type = "number[]")]
    pub sample: Vec<i64>,
}

/// How one stage of a connection test ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum StageResult {
    /// It is under way; the same stage is told again when it has ended.
    Running,
    /// It is right.
    Passed,
    /// It is right enough to go on, and a person should know something.
    Warned(Cause),
    /// It is not, and the stages after it are skipped.
    Failed(Cause),
    /// An earlier stage failed.
    Skipped,
    /// It needs a network that is not there, and runs by itself when the server can be reached.
    Waiting,
}

/// One stage of a connection test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct StageReport {
    /// What was tested, e.g. `Host key`.
    pub name: String,
    /// How it ended.
    pub result: StageResult,
    /// What was found, in plain words.
    pub detail: String,
    /// How long it took.
    pub millis: u64,
}

/// A connection test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TestReport {
    /// Whether no stage failed. Stages that wait have not been made.
    pub passed: bool,
    /// The stages in order.
    pub stages: Vec<StageReport>,
}

/// A connection test of PowerSchool: its stages, and what was found out on the way. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PowerSchoolTest {
    /// Its stages. Flattened: `passed` and `stages` stand beside the rest.
    #[serde(flatten)]
    pub report: TestReport,
    /// When it was made.
    #[ts(type = "string")]
    pub tested_at: DateTime<Utc>,
    /// What the server says about itself, as far as the test got.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerView>,
    /// The certificates it presented, its own first.
    pub certificates: Vec<CertificateView>,
    /// Every table the plugin's exchanges need, with what is granted; empty when the test did not get there.
    pub access: Vec<TableAccessView>,
    /// The named queries they need.
    pub queries: Vec<QueryView>,
    /// Whether the stages that need the network wait for the server to be reachable.
    pub waiting: bool,
    /// The whole report as text, to be copied or saved.
    pub text: String,
}

/// What a PowerSchool server says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ServerView {
    /// Its address, normalised.
    pub url: String,
    /// `powerschool_version`.
    pub version: Option<String>,
    /// `district_timezone`.
    pub time_zone: Option<String>,
    /// `plugin_id`, known with a token only.
    pub plugin_id: Option<i64>,
    /// `schema_table_query_max_page_size`.
    pub table_page_size: Option<u32>,
    /// How far its clock is ahead of this computer's, in seconds.
    pub clock_ahead_seconds: Option<i64>,
}

/// A certificate a server presented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CertificateView {
    /// Whom it was issued to.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// SHA256 of the certificate: pairs of hexadecimal digits with colons, as a browser shows it.
    pub sha256: String,
    /// First moment it is valid.
    #[ts(type = "string")]
    pub not_before: DateTime<Utc>,
    /// Last moment it is valid.
    #[ts(type = "string")]
    pub not_after: DateTime<Utc>,
    /// Whether this is the one to add when its authority is unknown.
    pub offered: bool,
}

/// How much of a field the plugin may have (PowerSchool's words).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
pub enum FieldAccess {
    /// Nothing.
    NoAccess,
    /// Reading.
    ViewOnly,
    /// Reading and writing.
    FullAccess,
}

/// A table and what the plugin may do with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TableAccessView {
    /// PowerSchool's name, in capitals.
    pub table: String,
    /// The fields the exchanges need.
    pub fields: Vec<FieldAccessView>,
}

/// A field and what the plugin may do with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct FieldAccessView {
    /// PowerSchool's name, in capitals.
    pub field: String,
    /// What is needed.
    pub wanted: FieldAccess,
    /// What is granted.
    pub granted: FieldAccess,
}

/// A named query and whether the server has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct QueryView {
    /// Its name, five parts.
    pub name: String,
    /// The table it reads.
    pub table: String,
    /// Whether the installed plugin has it.
    pub present: bool,
}

/// A field with the access asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
pub struct FieldView {
    /// Table, in capitals.
    pub table: String,
    /// Field, in capitals.
    pub field: String,
    /// What is asked for.
    pub access: FieldAccess,
}

/// Our plugin for some exchanges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PluginView {
    /// Its name: PowerSchool updates the plugin of the same name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The exchanges it allows.
    pub jobs: Vec<Job>,
    /// What it asks for.
    pub asks: Vec<FieldView>,
    /// Its named queries.
    pub queries: Vec<String>,
    /// What is different from the one written before, in sentences; empty when nothing is, or none was written.
    pub changes: Vec<String>,
    /// The version of the one written before, if there was one.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_before: Option<String>,
    /// The name to save the file under.
    pub file_name: String,
    /// The zip file, in Base64; empty where it was only asked what it would be.
    pub content: String,
}

/// What was found out about a plugin file, ours or a vendor's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PluginCheck {
    /// The file's name as it was given.
    pub file_name: String,
    /// Whether PowerSchool would install it: no remark is an error.
    pub valid: bool,
    /// Its name, if that could be read.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Who published it, with the contact's address.
    pub publisher: Option<String>,
    /// What it is about, in its own words.
    pub description: Option<String>,
    /// Errors and notes, by file and place.
    pub remarks: Vec<PluginRemark>,
    /// What it does and asks for, in plain sentences.
    pub summary: Vec<String>,
    /// What it asks for, field by field.
    pub asks: Vec<FieldView>,
    /// Its named queries.
    pub queries: Vec<String>,
    /// What each of our exchanges would miss with it; an exchange that misses nothing has empty lists.
    pub exchanges: Vec<ExchangeFit>,
}

/// Something about a plugin file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PluginRemark {
    /// Whether PowerSchool would refuse the plugin for it.
    pub error: bool,
    /// The file inside the archive, or the file itself.
    pub file: String,
    /// Line, from 1; 0 where it is about the whole file.
    pub line: u32,
    /// Column, from 1; 0 where it is about the whole file.
    pub column: u32,
    /// Stable, `plugin.…`.
    pub code: String,
    /// What is wrong or unusual.
    pub message: String,
}

/// What one of our exchanges would miss with a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ExchangeFit {
    /// The exchange.
    pub job: Job,
    /// Fields it needs and the plugin does not ask for, or not enough.
    pub missing: Vec<FieldView>,
    /// Whether it would read page by page for want of our queries: slower, and for attendance impossible.
    pub without_queries: bool,
    /// The same in a sentence.
    pub sentence: String,
}

/// Credentials on their way to the person who sets a site up, encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Handover {
    /// The name to save the file under.
    pub file_name: String,
    /// The file: age, armoured. It holds address, Client ID and Client Secret.
    pub text: String,
    /// Subject of the mail to send it with.
    pub subject: String,
    /// Text of that mail. It carries no secret.
    pub body: String,
}

/// The host key a server presented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HostKeyView {
    /// e.g. `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…` as `ssh-keygen -lf` prints it.
    pub sha256: String,
    /// The MD5 fingerprint, for old documents.
    pub md5: String,
    /// Whether this very key is pinned.
    pub accepted: bool,
    /// The pinned fingerprint when it is another one: a full stop.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned_instead: Option<String>,
}

/// The connection test of Hero's SFTP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HeroTest {
    /// Its stages.
    pub report: TestReport,
    /// The presented host key, once one was seen.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_key: Option<HostKeyView>,
}

/// Whether a secret is in the keychain. Its value never leaves the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SecretState {
    /// e.g. `hero.password`.
    pub name: String,
    /// Whether it is set.
    pub set: bool,
}

/// A school to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SchoolChoice {
    /// SCHOOLS.SCHOOL_NUMBER.
    pub number: i64,
    /// SCHOOLS.NAME.
    pub name: String,
}

/// A Raptor building found in the exchange folder, with a suggestion a person confirms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct BuildingChoice {
    /// The name as Raptor writes it.
    pub building: String,
    /// The school most likely meant.
    pub suggested_school: Option<i64>,
}

/// An attendance code to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CodeChoice {
    /// ATTENDANCE_CODE.ATT_CODE; `null` is PowerSchool's blank code, which a tardy can't be mapped to.
    pub code: Option<String>,
    /// Its description.
    pub description: String,
    /// `Present` or `Absent`.
    pub presence: String,
    /// In how many of the schools it exists this year.
    pub schools: u32,
}

/// Everything there is to choose from in the mapping steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Choices {
    /// PowerSchool's schools.
    pub schools: Vec<SchoolChoice>,
    /// Raptor's buildings.
    pub buildings: Vec<BuildingChoice>,
    /// Raptor's student reasons.
    pub reasons: Vec<String>,
    /// The schools' attendance codes of this year.
    pub codes: Vec<CodeChoice>,
}

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
    /// The Raptor integration.
    pub raptor_status: IntegrationStatus,
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
    pub job: Job,
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
    /// When it runs next by itself; absent when nothing is planned.
    #[ts(optional, type = "string")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<DateTime<Utc>>,
}

/// What happens while a request is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum Event {
    /// A run started.
    RunStarted {
        /// Its id.
        run: String,
        /// Its jobs.
        jobs: Vec<Job>,
        /// Whether nothing will be written.
        dry_run: bool,
    },
    /// It went on.
    Progress(Progress),
    /// One of its jobs ended.
    JobFinished(JobReport),
    /// It ended.
    RunFinished(SyncReport),
    /// A stage of a connection test ended.
    Stage(StageReport),
    /// Something a person wants to know wherever they are: the desktop shows it as a notification.
    Notice {
        /// What happened, in a few words.
        title: String,
        /// Why, and what to do. Names no student.
        body: String,
    },
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
    /// Space taken, in bytes.
    pub sizes: Sizes,
    /// The process that hosts the engine.
    pub holder: HolderView,
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
