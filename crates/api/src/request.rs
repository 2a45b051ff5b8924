//! One serialisable operation for each thing a person can do, and its answer.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rosterbridge_domain::{
    attendance::Source,
    held::{HeldFix, HoldReason},
    id::SchoolNumber,
    job::{AccountId, Job, JobId},
    schedule::Pause,
    settings::{ConnectionId, ExportJob, ExportKind, RosterSettings, Setup},
};
use rosterbridge_engine::care::BackupView;
use rosterbridge_engine::report::{
    AcceptedHostKey, Choices, ConnectionTest, DayRuns, Event, ExportPreview, ExportProblems, FacultyFileView,
    FoundStudent, GuardedView, Handover, HeldChoices, HeldPage, HostKeyHistory, KeyView, KnownHostsView,
    LegacyAlgorithm, Metrics, OwnerChange, PluginCheck, PluginView, PowerSchoolTest, PublicKeyView,
    RaptorConfirmation, RaptorHistory, Reconciliation, RemoteFiles, ReplacedHostKey, RosterPreview, RowList,
    RowPage, RowPageStart, RunHistory, RunView, SecretState, Sheet, StatusView, SupportBundle, SyncReport,
    TestReport, Timeline, TracePage, TraceQuery, UndoReport, WatchView, WrittenRows,
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A secret on its way in. It never comes back out and does not print.
#[derive(Clone, Serialize, Deserialize, TS)]
#[serde(transparent)]
pub struct SecretText(pub(crate) String);

impl SecretText {
    /// Wraps what a person typed.
    pub fn new(value: String) -> Self {
        Self(value)
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(…)")
    }
}

impl Drop for SecretText {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

/// What a process asks of a profile's engine.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Request {
    /// The state of the profile. Answer: [`Response::Status`].
    Status,
    /// The latest runs, newest first. Answer: [`Response::Runs`].
    Runs {
        /// At most this many.
        limit: u32,
    },
    /// Rows kept for a person. Answer: [`Response::Held`].
    Held {
        /// At most this many.
        limit: u32,
        /// After this many.
        offset: u32,
        /// Those of a source.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        source: Option<Source>,
        /// Those held for a reason.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        reason: Option<HoldReason>,
        /// Those with just this detail.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        detail: Option<String>,
    },
    /// What there is to pick from for a held row. Answer: [`Response::HeldChoices`].
    HeldChoices {
        /// Which.
        id: i64,
    },
    /// The students of the last roster whose number or names begin so. Answer: [`Response::Students`].
    FindStudents {
        /// A number, or words of a name.
        text: String,
    },
    /// Decides something about held rows, beside what was decided before; the next run decides them so. Answer:
    /// [`Response::Done`].
    FixHeld {
        /// Which.
        #[ts(type = "number[]")]
        ids: Vec<i64>,
        /// What.
        fix: HeldFix,
    },
    /// Takes back what was decided about held rows. Answer: [`Response::Done`].
    TakeBackHeldFix {
        /// Which.
        #[ts(type = "number[]")]
        ids: Vec<i64>,
    },
    /// Marks held rows to be decided again by the next run. Answer: [`Response::Retried`].
    RetryHeld {
        /// Which.
        #[ts(type = "number[]")]
        ids: Vec<i64>,
    },
    /// Closes held rows for good: they are never written. Answer: [`Response::Done`].
    DiscardHeld {
        /// Which.
        #[ts(type = "number[]")]
        ids: Vec<i64>,
    },
    /// Takes back what a run wrote to PowerSchool. Answer: [`Response::Undo`], with run events on the way.
    Undo {
        /// The run's id.
        run: String,
        /// Only tell what it would come to.
        dry_run: bool,
    },
    /// Everything configured. Answer: [`Response::Setup`].
    Setup,
    /// Replaces everything configured, as one. Refused (`setup.changed_elsewhere`) where the set-up is no longer the one
    /// that the new one was made of. Answer: [`Response::Setup`].
    SaveSetup {
        /// The new set-up.
        setup: Box<Setup>,
        /// [`SetupView::revision`] of the set-up it was made of.
        revision: String,
    },
    /// Takes over a setup file: JSON text, or age-encrypted with secrets. The profile starts paused.
    /// Answer: [`Response::Setup`].
    ImportSetup {
        /// The file's content; armoured age or JSON.
        text: SecretText,
        /// Needed when it is encrypted.
        passphrase: Option<SecretText>,
    },
    /// Sets the profile up for a running practice district: maps all buildings and tardy codes, trusts its
    /// authority, stores its secrets, pins its host key and enables all jobs. Answer: [`Response::Setup`].
    ImportPractice {
        /// The content of the practice district's ready file.
        ready: SecretText,
        /// Whether to pin the host key. Off to rehearse first contact.
        pin: bool,
    },
    /// Writes the setup file. Answer: [`Response::Exported`].
    ExportSetup {
        /// Includes the secrets, encrypted with this passphrase.
        passphrase: Option<SecretText>,
    },
    /// Stores a secret in the keychain. Answer: [`Response::Secret`].
    SetSecret {
        /// e.g. `hero.password`.
        name: String,
        /// The value.
        value: SecretText,
    },
    /// Whether a secret is there and can be read. Answer: [`Response::Secret`].
    CheckSecret {
        /// e.g. `hero.password`.
        name: String,
    },
    /// Tests PowerSchool stage by stage. Answer: [`Response::PowerSchoolTest`], with [`Event::Stage`] on the way.
    TestPowerSchool {
        /// Only what needs no network. The rest is put on the waiting list.
        offline: bool,
    },
    /// Stops the test of PowerSchool under way, and takes one that waits off the list. Answer: [`Response::Done`].
    CancelTest,
    /// Waits until the test on the waiting list has run by itself. Answer: [`Response::PowerSchoolTest`].
    AwaitTest,
    /// The latest test of PowerSchool. Answer: [`Response::LastTest`].
    LastTest,
    /// Hears what the process that holds the profile has to tell by itself: [`Event::Notice`], until that process ends.
    /// Answer: the fault that it has ended; [`Response::Done`] at once where this process holds the profile.
    Listen,
    /// Trusts a certificate the server presents: the one with this SHA256 and no other.
    /// Answer: [`Response::Setup`].
    TrustCertificate {
        /// As [`rosterbridge_engine::report::CertificateView`] shows it.
        sha256: String,
    },
    /// Our plugin for some exchanges. Answer: [`Response::Plugin`].
    Plugin {
        /// The exchanges it shall allow.
        jobs: Vec<Job>,
        /// Whether to write it and keep that in the set-up, or only to tell what it would be.
        write: bool,
    },
    /// Checks a plugin file, ours or a vendor's. Answer: [`Response::PluginCheck`].
    CheckPlugin {
        /// Its name.
        file_name: String,
        /// Its content, in Base64.
        content: String,
    },
    /// Encrypts address, Client ID and Client Secret for the person who sets the site up.
    /// Answer: [`Response::Handover`].
    WriteHandover {
        /// For whom.
        to: HandoverTo,
    },
    /// Takes over address, Client ID and Client Secret from a handover file. Answer: [`Response::Setup`].
    OpenHandover {
        /// The file's text.
        text: SecretText,
        /// The passphrase; none for a file that was encrypted for this profile's own key.
        passphrase: Option<SecretText>,
    },
    /// The public key others can encrypt a handover file for, so that this profile alone opens it. Made when first
    /// asked for. Answer: [`Response::HandoverKey`].
    HandoverKey,
    /// Tests a managed connection stage by stage. Answer: [`Response::ConnectionTest`], with [`Event::Stage`] on the way.
    TestConnection {
        /// Which one.
        connection: ConnectionId,
        /// 'Yes, accept host key': the fingerprint a person has seen, or has from whoever runs the server. Pinned only if
        /// the server presents it.
        accept_host_key: Option<String>,
    },
    /// Tests the exchange with Raptor: its folder, or its SFTP connection stage by stage.
    /// Answer: [`Response::ConnectionTest`], with [`Event::Stage`] on the way.
    TestRaptor {
        /// 'Yes, accept host key': the fingerprint a person has seen. Pinned only if the server presents it.
        accept_host_key: Option<String>,
    },
    /// Sends a test mail. Answer: [`Response::Test`].
    TestMail {
        /// To these; to everybody who gets reports where nobody is named.
        #[serde(default)]
        to: Vec<String>,
    },
    /// What enabling the Raptor integration with this set-up would do, for the Setup Confirmation dialog. Nothing is
    /// saved. Answer: [`Response::RaptorConfirmation`].
    RaptorConfirmation {
        /// The set-up as it would be saved.
        setup: Box<Setup>,
    },
    /// How the Raptor integration's status came about. Answer: [`Response::RaptorHistory`].
    RaptorHistory {
        /// At most this many, latest first.
        limit: u32,
        /// Only those before this one, by its id.
        #[ts(optional, type = "number")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<i64>,
    },
    /// A roster file as these settings would make it, from the last roster pull. Answer: [`Response::RosterPreview`].
    RosterPreview {
        /// The settings to be tried.
        roster: Box<RosterSettings>,
        /// Of this building; of the first mapped one where none is named.
        #[ts(optional)]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        building: Option<String>,
    },
    /// Names of buildings or reasons in pasted text or the content of a CSV file, each once.
    /// Answer: [`Response::Names`].
    ReadNames {
        /// The text.
        text: String,
        /// What they are names of.
        of: NamesOf,
    },
    /// What became of rows, from file and line to the record in PowerSchool. Answer: [`Response::Trace`].
    Trace {
        /// Which.
        query: TraceQuery,
    },
    /// Rows in an order, page by page. Answer: [`Response::Rows`].
    Rows {
        /// Which, and how.
        list: RowList,
        /// Where the page begins.
        start: RowPageStart,
        /// At most this many, and 500.
        limit: u32,
    },
    /// Writes rows as CSV. Answer: [`Response::RowsWritten`].
    ExportRows {
        /// Which, and how.
        list: RowList,
        /// Where to. Absolute: the process that writes it may work in another folder.
        file: String,
        /// Whether a file that is there is replaced.
        overwrite: bool,
    },
    /// The runs of many days, counted. Answer: [`Response::RunHistory`].
    RunHistory {
        /// So many days.
        days: u32,
        /// The last of them; today in the district where none is named.
        #[ts(optional, type = "string")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<NaiveDate>,
    },
    /// The runs of a day. Answer: [`Response::DayRuns`].
    DayRuns {
        /// The day; today in the district where none is named.
        #[ts(optional, type = "string")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        day: Option<NaiveDate>,
    },
    /// A day's rows and what became of them. Answer: [`Response::Reconciliation`].
    Reconciliation {
        /// The day; today in the district where none is named.
        #[ts(optional, type = "string")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        day: Option<NaiveDate>,
    },
    /// What there is to choose from in the mapping steps. Answer: [`Response::Choices`].
    Choices,
    /// Runs jobs now, all enabled ones when none is named. Answer: [`Response::Sync`], with run events on the way.
    Sync {
        /// Which.
        jobs: Vec<JobId>,
        /// Only plan and show.
        dry_run: bool,
    },
    /// Files stopped because they would lose too many rows. Answer: [`Response::Guarded`].
    Guarded,
    /// Accepts or rejects one of them. Answer: [`Response::Guarded`], those left.
    DecideGuarded {
        /// Its id.
        id: String,
        /// Whether this very content may go out with the next run.
        accept: bool,
    },
    /// Stops the run under way. Answer: [`Response::Done`].
    Cancel {
        /// This one only, if it is the one under way; whichever it is where none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        run: Option<String>,
    },
    /// Holds scheduled runs back, or lets them go on. Answer: [`Response::Status`].
    Pause {
        /// How long.
        pause: Pause,
    },
    /// What the profile does, in numbers. Answer: [`Response::Metrics`].
    Metrics,
    /// The backups of the ledger, newest first. Answer: [`Response::Backups`].
    Backups,
    /// Makes a backup of the ledger now. Answer: [`Response::BackedUp`].
    BackUp,
    /// The profile's key, encrypted: without it a lost keychain is a lost ledger. Answer: [`Response::RecoveryFile`].
    RecoveryFile {
        /// What it is encrypted with.
        passphrase: SecretText,
    },
    /// Writes a support bundle: a zip file without secrets and names. Answer: [`Response::SupportBundle`].
    SupportBundle {
        /// Where to. Absolute: the process that writes it may work in another folder.
        file: String,
        /// Whether a file that is there is replaced.
        overwrite: bool,
    },
    /// Looks over an account's connection whether what PowerSchool should have sent is there and as it should be. Answer:
    /// [`Response::Watch`].
    Watch {
        /// The account.
        account: AccountId,
    },
    /// Stops the test of a managed connection under way, also while it waits for its turn. Answer: [`Response::Done`].
    CancelConnectionTest,
    /// Replaces the accepted host key of a managed connection's server, because the server has another one: the guarded
    /// way. It is done only while another key is accepted, the server presents exactly this one now, and the person typed
    /// what was asked for. The old key is kept in the history. Answer: [`Response::HostKeyReplaced`].
    ReplaceHostKey {
        /// Which connection.
        connection: ConnectionId,
        /// The key the person has seen and had confirmed: `SHA256:…` of `HostKeyView`.
        presented_sha256: String,
        /// The first eight characters behind `SHA256:` of the new fingerprint, typed by the person. Letter case counts.
        typed: String,
    },
    /// The host keys accepted for a managed connection's server, and those that were replaced.
    /// Answer: [`Response::HostKeyHistory`].
    HostKeyHistory {
        /// Which connection.
        connection: ConnectionId,
    },
    /// Finds a managed connection's server in an OpenSSH `known_hosts` file. Nothing is accepted.
    /// Answer: [`Response::KnownHosts`].
    ReadKnownHosts {
        /// Which connection.
        connection: ConnectionId,
        /// The file's text.
        text: String,
    },
    /// Accepts host keys of a managed connection's server from such a file: all or none. One that stands against an
    /// accepted key is refused; see [`Request::ReplaceHostKey`]. Answer: [`Response::HostKeyHistory`].
    AcceptKnownHosts {
        /// Which connection.
        connection: ConnectionId,
        /// The file's text.
        text: String,
        /// The fingerprints of the keys, at least one: `sha256` of those lines whose standing is `new`.
        sha256: Vec<String>,
    },
    /// Reads a private key and tells what it is, or why it can't be used. It is not kept: see [`Request::SetSecret`].
    /// Answer: [`Response::Key`].
    CheckKey {
        /// The whole key file: OpenSSH, PEM or PuTTY.
        text: SecretText,
        /// Its passphrase; none, or an empty one, where it has none.
        passphrase: Option<SecretText>,
    },
    /// Makes a key pair for a managed connection. The private key goes to the keychain and never comes out. The connection
    /// goes on signing in as before until its `sign_in` is set to the private key. Answer: [`Response::PublicKey`].
    GenerateKey {
        /// Which connection.
        connection: ConnectionId,
        /// Whether a private key that is kept already may be replaced; it is lost then.
        replace: bool,
    },
    /// The public key that belongs to a managed connection's private key. Answer: [`Response::PublicKey`].
    PublicKey {
        /// Which connection.
        connection: ConnectionId,
    },
    /// What 'Allow legacy ciphers' adds, and what each weakens. Answer: [`Response::LegacyAlgorithms`].
    LegacyAlgorithms,
    /// Deletes a managed connection and its secrets. Refused while an account at Hero or Raptor uses it. The accepted host
    /// keys stay: they are the server's. Answer: [`Response::Setup`].
    DeleteConnection {
        /// Which one.
        connection: ConnectionId,
    },
    /// Confirms that 'Turn Execution Off' is ticked on PowerSchool's own record of a job for Hero, and makes the job
    /// RosterBridge's. Saving a set-up can't do that. Answer: [`Response::OwnerChanged`].
    HandOver {
        /// The job.
        job: JobId,
        /// The AutoSend or AutoComm record, as it is called in PowerSchool.
        record: String,
    },
    /// Gives a job for Hero to PowerSchool: it does not run here any more. Answer: [`Response::OwnerChanged`].
    TakeBack {
        /// The job.
        job: JobId,
    },
    /// Confirms of a paused job for Hero that nobody else does it any more: 'Turn Execution Off' is ticked on its record in
    /// PowerSchool, and no second installation does it. The job goes on at its next time. Answer:
    /// [`Response::OwnerChanged`].
    ConfirmOneSender {
        /// The job.
        job: JobId,
    },
    /// What to enter in PowerSchool and at Hero for an account, screen by screen. Answer: [`Response::Sheet`].
    Sheet {
        /// Which account.
        account: AccountId,
    },
    /// Ticks a row of the sheet, or takes its tick away. Kept in the set-up. Answer: [`Response::Sheet`].
    TickSheet {
        /// Which account.
        account: AccountId,
        /// The row's key.
        row: String,
        /// Whether it is done.
        on: bool,
    },
    /// The order of an account's day, and what does not fit together in it. Answer: [`Response::Timeline`].
    Timeline {
        /// Which account.
        account: AccountId,
    },
    /// An export as these settings would make it, from the last roster pull; nothing is sent or saved.
    /// Answer: [`Response::ExportPreview`].
    ExportPreview {
        /// Which account.
        account: AccountId,
        /// Which of the three.
        kind: ExportKind,
        /// The settings to be tried.
        job: Box<ExportJob>,
        /// Whether the rows are wanted, too: they may take seconds, everything else takes no time.
        rows: bool,
    },
    /// What the last file of an export has to be looked at for, row by row: a page of 500.
    /// Answer: [`Response::ExportProblems`].
    ExportProblems {
        /// The export.
        job: JobId,
        /// After this many.
        skip: u64,
    },
    /// What an account's server has in `imports/`, in `export/` and in the folder the account starts in.
    /// Answer: [`Response::RemoteFiles`].
    RemoteFiles {
        /// Which account.
        account: AccountId,
    },
    /// Writes Hero's file for creating the staff's accounts, from the last roster pull. Answer: [`Response::FacultyFile`].
    FacultyFile {
        /// Which account.
        account: AccountId,
        /// The role everybody gets, by its name in Hero.
        role: String,
        /// The type of account everybody gets, by its name in Hero.
        account_type: String,
        /// Where to. Absolute: the process that writes it may work in another folder.
        file: String,
        /// Whether a file that is there is replaced.
        overwrite: bool,
    },
}

/// What names are names of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum NamesOf {
    /// Raptor's buildings.
    Buildings,
    /// Raptor's student reasons.
    Reasons,
}

/// Who can open a handover file.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum HandoverTo {
    /// Whoever knows the passphrase.
    Passphrase(SecretText),
    /// The holder of this key: `age1…`, public.
    Recipient(String),
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(tag = "kind", content = "data", rename_all = "snake_case")]
pub enum Response {
    /// To [`Request::Status`].
    Status(Box<StatusView>),
    /// To [`Request::Runs`].
    Runs(Vec<RunView>),
    /// To [`Request::Held`].
    Held(HeldPage),
    /// To [`Request::HeldChoices`].
    HeldChoices(HeldChoices),
    /// To [`Request::FindStudents`]: at most 50.
    Students(Vec<FoundStudent>),
    /// To [`Request::RetryHeld`]: those of the rows that are decided only once their file comes again, or while it is
    /// still there.
    Retried(#[ts(type = "number[]")] Vec<i64>),
    /// To [`Request::Setup`] and those that change it.
    Setup(Box<SetupView>),
    /// To [`Request::ExportSetup`]: the setup file's text.
    Exported(String),
    /// To [`Request::SetSecret`] and [`Request::CheckSecret`].
    Secret(SecretState),
    /// To [`Request::TestMail`].
    Test(TestReport),
    /// To [`Request::RaptorConfirmation`].
    RaptorConfirmation(Box<RaptorConfirmation>),
    /// To [`Request::RaptorHistory`].
    RaptorHistory(RaptorHistory),
    /// To [`Request::RosterPreview`].
    RosterPreview(Box<RosterPreview>),
    /// To [`Request::ReadNames`].
    Names(Vec<String>),
    /// To [`Request::Trace`].
    Trace(TracePage),
    /// To [`Request::Rows`].
    Rows(RowPage),
    /// To [`Request::ExportRows`].
    RowsWritten(WrittenRows),
    /// To [`Request::RunHistory`].
    RunHistory(RunHistory),
    /// To [`Request::DayRuns`].
    DayRuns(DayRuns),
    /// To [`Request::Reconciliation`].
    Reconciliation(Reconciliation),
    /// To [`Request::TestPowerSchool`] and [`Request::AwaitTest`].
    PowerSchoolTest(Box<PowerSchoolTest>),
    /// To [`Request::LastTest`].
    LastTest(Option<Box<PowerSchoolTest>>),
    /// To [`Request::Plugin`].
    Plugin(Box<PluginView>),
    /// To [`Request::CheckPlugin`].
    PluginCheck(Box<PluginCheck>),
    /// To [`Request::WriteHandover`].
    Handover(Handover),
    /// To [`Request::HandoverKey`]: `age1…`.
    HandoverKey(String),
    /// To [`Request::TestConnection`] and [`Request::TestRaptor`].
    ConnectionTest(ConnectionTest),
    /// To [`Request::Choices`].
    Choices(Choices),
    /// To [`Request::Sync`].
    Sync(SyncReport),
    /// To [`Request::Undo`].
    Undo(Box<UndoReport>),
    /// To [`Request::Guarded`] and [`Request::DecideGuarded`].
    Guarded(Vec<GuardedView>),
    /// To requests that answer with nothing.
    Done,
    /// To [`Request::Metrics`].
    Metrics(Box<Metrics>),
    /// To [`Request::Backups`].
    Backups(Vec<BackupView>),
    /// To [`Request::BackUp`].
    BackedUp(BackupView),
    /// To [`Request::RecoveryFile`]: the file's text.
    RecoveryFile(String),
    /// To [`Request::SupportBundle`].
    SupportBundle(SupportBundle),
    /// To [`Request::Watch`].
    Watch(Box<WatchView>),
    /// To [`Request::ReplaceHostKey`]: each key that counted until now, with the one in their place.
    HostKeyReplaced(Vec<ReplacedHostKey>),
    /// To [`Request::HostKeyHistory`] and [`Request::AcceptKnownHosts`].
    HostKeyHistory(HostKeyHistory),
    /// To [`Request::ReadKnownHosts`].
    KnownHosts(KnownHostsView),
    /// To [`Request::CheckKey`].
    Key(KeyView),
    /// To [`Request::GenerateKey`] and [`Request::PublicKey`].
    PublicKey(PublicKeyView),
    /// To [`Request::LegacyAlgorithms`].
    LegacyAlgorithms(Vec<LegacyAlgorithm>),
    /// To [`Request::HandOver`], [`Request::TakeBack`] and [`Request::ConfirmOneSender`]. The set-up has changed: ask for it anew.
    OwnerChanged(OwnerChange),
    /// To [`Request::Sheet`] and [`Request::TickSheet`].
    Sheet(Sheet),
    /// To [`Request::Timeline`].
    Timeline(Timeline),
    /// To [`Request::ExportPreview`].
    ExportPreview(Box<ExportPreview>),
    /// To [`Request::ExportProblems`].
    ExportProblems(ExportProblems),
    /// To [`Request::RemoteFiles`].
    RemoteFiles(RemoteFiles),
    /// To [`Request::FacultyFile`].
    FacultyFile(FacultyFileView),
}

/// Everything configured, with the state of the secrets.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SetupView {
    /// The set-up.
    pub setup: Setup,
    /// Tells this set-up from any other: the same for what is the same.
    pub revision: String,
    /// Every secret's state.
    pub secrets: Vec<SecretState>,
    /// The host keys accepted for the servers of the managed connections.
    pub host_keys: BTreeMap<ConnectionId, Vec<AcceptedHostKey>>,
    /// Whether the profile is set up for the practice district.
    pub practice: bool,
    /// Whether a test of PowerSchool waits for the server to be reachable.
    pub test_waiting: bool,
    /// The id of the next managed connection to be created; absent when there are as many as there can be.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_connection: Option<ConnectionId>,
    /// The numbers of the schools in the last roster, without 'Graduated Students'; none before the first.
    pub schools: Vec<SchoolNumber>,
    /// The number of the next account at Hero to be created; absent when there are as many as there can be.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_account: Option<AccountId>,
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// Stable, e.g. `powerschool.bad_credentials`.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What the person can do.
    pub remedy: String,
}

/// A line the engine's host sends while it carries out a request: events, then one answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Something happened.
    Event(Event),
    /// It is done.
    Answer(Box<Response>),
    /// It failed.
    Fault(Fault),
}
