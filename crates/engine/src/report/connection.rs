//! Connection tests of PowerSchool and Hero.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::Cause;

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
    /// The accepted key when it is another one: a full stop.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned_instead: Option<AcceptedHostKey>,
}

/// The host key of a server that a person accepted: no other is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AcceptedHostKey {
    /// e.g. `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…` as `ssh-keygen -lf` prints it.
    pub sha256: String,
    /// Since when.
    #[ts(type = "string")]
    pub accepted_at: DateTime<Utc>,
    /// The operating system account it was accepted under.
    pub accepted_by: String,
}

/// The test of a managed connection, or of the folder that files are exchanged with Raptor over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ConnectionTest {
    /// Its stages.
    pub report: TestReport,
    /// The presented host key, once one was seen.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_key: Option<HostKeyView>,
}
