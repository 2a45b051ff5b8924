//! Why the engine could not do something. Every error has a stable code, and tells what happened and what to do.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rosterbridge_domain::retry::Remote;
use rosterbridge_store::StoreError;

use crate::report::Cause;

/// Anything that stops the engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The profile's name can't be a folder's.
    #[error("'{0}' is not a profile name")]
    ProfileName(String),
    /// A file that must not be replaced unasked is there.
    #[error("{} is there already", .0.display())]
    FileExists(PathBuf),
    /// A held row that this program does not know the statement of, only the text.
    #[error("what held row {0} states was not kept by the version that held it")]
    HeldRowNotKept(i64),
    /// What was picked is not there for a held row.
    #[error("what was picked is not one of the choices for held row {0}")]
    NotToPick(i64),
    /// Nobody has made a profile of that name.
    #[error("there is no profile '{name}'")]
    ProfileNotFound {
        /// The name asked for.
        name: String,
        /// Those that there are.
        others: Vec<String>,
    },
    /// The profile's identity can't be read.
    #[error("the file {} is damaged", .0.display())]
    ProfileDamaged(PathBuf),
    /// A file of ours can't be handled.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried: `read`, `write`, …
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something is not configured yet.
    #[error("{0}")]
    NotSetUp(&'static str),
    /// The mapping tables contradict themselves.
    #[error("{0}")]
    Mapping(#[from] rosterbridge_domain::mapping::MappingProblem),
    /// Pasted text or a file holds no list of names.
    #[error(transparent)]
    Names(#[from] crate::names::NamesError),
    /// The set-up says that this is not to be done.
    #[error("{0} is switched off in the set-up")]
    SwitchedOff(&'static str),
    /// A secret is not in the keychain.
    #[error("the secret {0} is not in the keychain")]
    SecretMissing(rosterbridge_vault::SecretName),
    /// There is no secret of that name.
    #[error("there is no secret '{0}'")]
    UnknownSecret(String),
    /// A secret is to be kept for a managed connection that does not exist.
    #[error("there is no managed connection that '{secret}' could be for: there {}", these(connections))]
    SecretOfNoConnection {
        /// The secret.
        secret: rosterbridge_vault::SecretName,
        /// The connections that there are.
        connections: Vec<rosterbridge_domain::settings::ConnectionId>,
    },
    /// A file for the other side could not be written.
    #[error("the file of {job} could not be written: {source}")]
    Export {
        /// The job.
        job: rosterbridge_domain::job::JobId,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system has no pipe left.
    #[error("the system is out of resources: {source}")]
    Pipe {
        /// What the system said.
        source: std::io::Error,
    },
    /// What was written is not what was planned.
    #[error("the file {0} did not come out as planned")]
    NotAsPlanned(String),
    /// Hero's export is not there.
    #[error("Hero has not placed {0} yet")]
    ExportMissing(String),
    /// The practice district's ready file can't be read.
    #[error("this is not the ready file of a practice district")]
    ReadyFile,
    /// The server belongs to another district than the profile.
    #[error("this profile belongs to another district than this PowerSchool")]
    OtherDistrict,
    /// The handover file is for another server than the profile.
    #[error("this profile is set up for {ours}, and the handover file is for {theirs}")]
    OtherServer {
        /// The server the profile is set up for.
        ours: String,
        /// The file's.
        theirs: String,
    },
    /// The server does not present the certificate a person accepted.
    #[error("the server presents no certificate with the SHA256 {0}")]
    CertificateNotPresented(String),
    /// A person stopped a connection test.
    #[error("the test was stopped")]
    TestCancelled,
    /// There is no test to wait for.
    #[error("no test waits for the server")]
    NoTestWaiting,
    /// The plugin's files.
    #[error(transparent)]
    Plugin(#[from] rosterbridge_powerschool::plugin::PluginError),
    /// A managed connection lacks its host or its user name.
    #[error("the managed connection '{0}' is not set up yet")]
    ConnectionNotSetUp(String),
    /// There is no managed connection of this id.
    #[error("there is no managed connection '{0}'")]
    NoSuchConnection(rosterbridge_domain::settings::ConnectionId),
    /// A managed connection that something uses is to be deleted.
    #[error("the managed connection '{name}' is in use: by {}", .users.join(" and "))]
    ConnectionInUse {
        /// What people call it.
        name: String,
        /// Who uses it.
        users: Vec<String>,
    },
    /// There is no accepted host key that could be replaced.
    #[error("no host key of the managed connection '{0}' has been accepted yet, so there is none to replace")]
    NoHostKeyToReplace(String),
    /// The server presents the accepted host key.
    #[error("the server presents the host key {0}, which is accepted already")]
    HostKeyAcceptedAlready(String),
    /// What a person typed is not the beginning of the new fingerprint.
    #[error("what was typed is not the beginning of the new fingerprint")]
    HostKeyNotConfirmed,
    /// A key in a `known_hosts` file stands against an accepted one.
    #[error("another host key of this type is accepted than {0}")]
    HostKeyDiffers(String),
    /// A `known_hosts` file has no such key for the server.
    #[error("the file has no host key of this server with the fingerprint {0} that could be accepted")]
    NotInKnownHosts(String),
    /// A private key is kept already.
    #[error("a private key is kept for the managed connection '{0}' already")]
    KeyExists(rosterbridge_domain::settings::ConnectionId),
    /// A job is to be taken from PowerSchool, and nobody has said that it is off there.
    #[error(
        "PowerSchool still carries out {job}: nobody has confirmed that 'Turn Execution Off' is ticked on its record \
         '{record}'"
    )]
    HandOverNotConfirmed {
        /// The job.
        job: rosterbridge_domain::job::JobId,
        /// The AutoSend or AutoComm record.
        record: String,
    },
    /// A hand-over that does not name PowerSchool's record.
    #[error("{0} can't be handed over without the name of its record in PowerSchool")]
    HandOverWithoutRecord(rosterbridge_domain::job::JobId),
    /// A job that PowerSchool has no record of.
    #[error("{0} is no exchange with Hero, and always RosterBridge's")]
    NotHeros(rosterbridge_domain::job::JobId),
    /// There is no such job, because there is no such account at Hero.
    #[error("there is no exchange '{0}': no account at Hero has this number")]
    NoSuchJob(rosterbridge_domain::job::JobId),
    /// A row that the sheet of an account does not have.
    #[error("the sheet has no row '{0}'")]
    NoSuchRow(String),
    /// The exchange with Hero can't be as it is set up.
    #[error("{}", sentences(.0))]
    HeroSettings(Vec<crate::hero::HeroProblem>),
    /// Somebody else does what a job is to do, so the job is paused.
    #[error("{}", .0.message)]
    OtherSender(Box<Cause>),
    /// A person says of a job that nobody else does it, and nobody was noticed to.
    #[error("{0} is not paused: no other sender was noticed")]
    NoOtherSender(rosterbridge_domain::job::JobId),
    /// PowerSchool carries the job out.
    #[error("PowerSchool carries out {0} itself")]
    OwnedByPowerSchool(rosterbridge_domain::job::JobId),
    /// A managed connection failed; the run's other jobs are told so too.
    #[error(transparent)]
    NotConnected(std::sync::Arc<EngineError>),
    /// The connection failed for an earlier job of the run.
    #[error("not tried, since the connection failed for {first} already")]
    NotTried {
        /// That job.
        first: rosterbridge_domain::job::JobId,
        /// What happened to it.
        error: std::sync::Arc<EngineError>,
    },
    /// A run is under way already.
    #[error("a run is under way already")]
    Busy,
    /// What is to be saved was made of a set-up that is no longer the one that is kept.
    #[error("the set-up was changed elsewhere meanwhile")]
    SetupChanged,
    /// A recovery file is another profile's.
    #[error("this recovery file belongs to another profile")]
    OtherProfilesKey,
    /// PowerSchool gave no clear answer to some writes, again and again.
    #[error("PowerSchool has not said clearly whether it recorded {0} attendance rows")]
    AnswersUnclear(usize),
    /// Records were sent again, and stand twice now.
    #[error("{0} attendance records stand twice in PowerSchool")]
    Doubled(usize),
    /// There is no run of this id in this profile.
    #[error("this profile has no run {0}")]
    UnknownRun(String),
    /// A run has nothing that could be taken back.
    #[error("{0}")]
    NothingToUndo(&'static str),
    /// What has to be done before the Raptor integration is not ticked.
    #[error("the Raptor integration can't be switched on yet: it is not confirmed that {}", .0.join(", that "))]
    RaptorPrerequisites(Vec<&'static str>),
    /// No building takes part in the Raptor integration.
    #[error("the Raptor integration can't be switched on yet: no building is switched on and has a school")]
    RaptorNoBuildings,
    /// There is nowhere to exchange files with Raptor.
    #[error(
        "the Raptor integration can't be switched on yet: there is neither an exchange folder nor an SFTP connection"
    )]
    RaptorNoExchange,
    /// Raptor's integration has not been initialized.
    #[error("the Raptor integration is {0}, so tardies are not taken in yet")]
    RaptorNotInitialized(rosterbridge_domain::integration::IntegrationStatus),
    /// A person stopped it.
    #[error("the run was cancelled")]
    Cancelled,
    /// Files would lose too many rows.
    #[error("{0}")]
    LargeChange(Box<crate::guard::LargeChange>),
    /// There is no stopped file of this id.
    #[error("no file with the id {0} is stopped")]
    NothingStopped(String),
    /// A folder is not there or not usable.
    #[error("the folder {} can't be used: {why}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The folder that an export goes to is not there or not usable.
    #[error("the export can't be put into the folder {}: {why}", path.display())]
    ExportFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A file or folder of the exchange folder is a link.
    #[error("{} is a link to another place", .0.display())]
    FileIsLink(PathBuf),
    /// Another program is writing a dropped file.
    #[error("{} changed while it was read", .0.display())]
    FileChanging(PathBuf),
    /// The mail could not be sent.
    #[error("the mail server {host} did not take the mail: {why}")]
    Mail {
        /// The server.
        host: String,
        /// What it said.
        why: String,
    },
    /// A mail address is none.
    #[error("'{0}' is not a mail address")]
    MailAddress(String),
    /// PowerSchool.
    #[error(transparent)]
    PowerSchool(#[from] rosterbridge_powerschool::Error),
    /// SFTP.
    #[error(transparent)]
    Sftp(rosterbridge_sftp::Error),
    /// The SFTP server that files are exchanged with Raptor over.
    #[error(transparent)]
    RaptorServer(rosterbridge_sftp::Error),
    /// The roster files can't be written as they are set up.
    #[error("{}", sentences(.0))]
    RosterLayout(Vec<rosterbridge_raptor::LayoutProblem>),
    /// The databases.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keychain.
    #[error(transparent)]
    Vault(#[from] rosterbridge_vault::VaultError),
    /// A file of Hero's.
    #[error(transparent)]
    HeroFile(#[from] rosterbridge_hero::FileError),
    /// A file of Raptor's.
    #[error(transparent)]
    RaptorFile(#[from] rosterbridge_raptor::FileError),
    /// A piece of work ended without an answer.
    #[error("a part of the work ended unexpectedly")]
    Ended(#[from] tokio::task::JoinError),
}

impl From<rosterbridge_sftp::Error> for EngineError {
    fn from(error: rosterbridge_sftp::Error) -> Self {
        match error {
            rosterbridge_sftp::Error::Cancelled => Self::Cancelled,
            rosterbridge_sftp::Error::NotAsPlanned { path } => Self::NotAsPlanned(path),
            error => Self::Sftp(error),
        }
    }
}

impl EngineError {
    /// An error of the SFTP server that files are exchanged with Raptor over.
    pub(crate) fn raptor_server(error: rosterbridge_sftp::Error) -> Self {
        match error {
            rosterbridge_sftp::Error::Cancelled => Self::Cancelled,
            error => Self::RaptorServer(error),
        }
    }

    /// The code of a stop by the large-change guard.
    pub(crate) const LARGE_CHANGE: &str = "guard.large_change";
    /// The code of a job that is paused because somebody else does it as well.
    pub(crate) const OTHER_SENDER: &str = "hero.other_sender";

    /// An [`EngineError::Io`], or the store's word for a full disk if that is what the system says.
    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        if is_full(&source) {
            return StoreError::DiskFull.into();
        }
        Self::Io { action, path: path.to_owned(), source }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ProfileName(_) => "profile.bad_name",
            Self::ProfileNotFound { .. } => "profile.not_found",
            Self::ProfileDamaged(_) => "profile.damaged",
            Self::HeldRowNotKept(_) => "held.not_kept",
            Self::NotToPick(_) => "held.not_to_pick",
            Self::Io { .. } => "file.unusable",
            Self::FileExists(_) => "file.exists",
            Self::NotSetUp(_) | Self::ConnectionNotSetUp(_) => "setup.incomplete",
            Self::Mapping(problem) => problem.code(),
            Self::Names(error) => error.code(),
            Self::SwitchedOff(_) => "setup.switched_off",
            Self::NoSuchConnection(_) | Self::SecretOfNoConnection { .. } => "connection.unknown",
            Self::ConnectionInUse { .. } => "connection.in_use",
            Self::NoHostKeyToReplace(_) => "sftp.no_host_key_accepted",
            Self::HostKeyAcceptedAlready(_) => "sftp.host_key_accepted",
            Self::HostKeyNotConfirmed => "sftp.host_key_not_confirmed",
            Self::HostKeyDiffers(_) => "sftp.host_key_differs",
            Self::NotInKnownHosts(_) => "sftp.not_in_known_hosts",
            Self::KeyExists(_) => "connection.key_exists",
            Self::HandOverNotConfirmed { .. } => "hero.hand_over_not_confirmed",
            Self::HandOverWithoutRecord(_) => "hero.record_not_named",
            Self::NotHeros(_) => "hero.not_an_exchange",
            Self::NoSuchJob(_) => "hero.no_account",
            Self::NoSuchRow(_) => "hero.no_such_row",
            Self::HeroSettings(_) => "hero.settings_invalid",
            Self::OtherSender(_) => Self::OTHER_SENDER,
            Self::NoOtherSender(_) => "hero.no_other_sender",
            Self::OwnedByPowerSchool(_) => "hero.owned_by_powerschool",
            Self::SecretMissing(_) => "vault.secret_missing",
            Self::UnknownSecret(_) => "vault.unknown_secret",
            Self::Export { .. } => "file.not_written",
            Self::Pipe { .. } => "system.exhausted",
            Self::NotAsPlanned(_) => "run.not_as_planned",
            Self::ExportMissing(_) => "hero.export_missing",
            Self::ReadyFile => "setup.bad_ready_file",
            Self::OtherDistrict => "profile.other_district",
            Self::OtherServer { .. } => "handover.other_server",
            Self::CertificateNotPresented(_) => "powerschool.certificate_not_presented",
            Self::TestCancelled => "test.cancelled",
            Self::NoTestWaiting => "test.none_waiting",
            Self::Plugin(error) => error.code(),
            Self::NotConnected(error) | Self::NotTried { error, .. } => error.code(),
            Self::Busy => "run.busy",
            Self::SetupChanged => "setup.changed_elsewhere",
            Self::OtherProfilesKey => "vault.other_profile",
            Self::AnswersUnclear(_) => "attendance.unclear",
            Self::Doubled(_) => "attendance.duplicate",
            Self::UnknownRun(_) => "run.unknown",
            Self::NothingToUndo(_) => "run.nothing_to_undo",
            Self::RaptorPrerequisites(_) => "raptor.prerequisites",
            Self::RaptorNoBuildings => "raptor.no_buildings",
            Self::RaptorNoExchange => "raptor.no_exchange",
            Self::RaptorNotInitialized(_) => "raptor.not_initialized",
            Self::Cancelled => "run.cancelled",
            Self::LargeChange(_) => Self::LARGE_CHANGE,
            Self::NothingStopped(_) => "guard.unknown",
            Self::Folder { .. } => "raptor.folder_unusable",
            Self::ExportFolder { .. } => "hero.folder_unusable",
            Self::FileIsLink(_) => "raptor.file_link",
            Self::FileChanging(_) => "raptor.file_changing",
            Self::Mail { .. } => "mail.refused",
            Self::MailAddress(_) => "mail.bad_address",
            Self::PowerSchool(error) => error.code(),
            Self::Sftp(error) | Self::RaptorServer(error) => error.code(),
            Self::RosterLayout(_) => rosterbridge_raptor::LayoutProblem::CODE,
            Self::Store(error) => error.code(),
            Self::Vault(error) => error.code(),
            Self::HeroFile(error) => error.code(),
            Self::RaptorFile(error) => error.code(),
            Self::Ended(_) => "run.ended_unexpectedly",
        }
    }

    /// What the person can do.
    pub fn remedy(&self) -> String {
        match self {
            Self::ProfileName(_) => "Use 1 to 40 letters, digits, '-' or '_'.".to_owned(),
            Self::ProfileNotFound { others, .. } if others.is_empty() => {
                "There is none yet. Make one with: rosterbridge setup import FILE".to_owned()
            }
            Self::ProfileNotFound { others, .. } => format!(
                "Name one of those that there are ({}) with --profile, or make a new one with: rosterbridge setup import FILE",
                others.join(", ")
            ),
            Self::ProfileDamaged(path) => {
                format!("Restore {} from a backup: it holds the name your secrets are kept under.", path.display())
            }
            Self::HeldRowNotKept(_) => "Let the row come once more in its file and run the job, then decide about it; or \
                 discard it."
                .to_owned(),
            Self::NotToPick(_) => "Look at the row's choices again: a student of the last roster, and a code and a class \
                 that the school and this student have on that day."
                .to_owned(),
            Self::Io { .. } => "Check that the disk is not full and that you may read and write there.".to_owned(),
            Self::FileExists(_) => "Choose another name, or replace it: with --force on the command line.".to_owned(),
            Self::NotSetUp(_) => "Complete that step of the set-up, then try again.".to_owned(),
            Self::Mapping(problem) => problem.remedy().to_owned(),
            Self::Names(error) => error.remedy().to_owned(),
            Self::ConnectionNotSetUp(_) => {
                "Enter its host and user name in the set-up, and test it there.".to_owned()
            }
            Self::SecretOfNoConnection { .. } => {
                "Create the connection first, in the set-up or with 'rosterbridge connections set', or name one of \
                 those that there are."
                    .to_owned()
            }
            Self::NoSuchConnection(_) => {
                "Choose one of the managed connections in the set-up, or create it there.".to_owned()
            }
            Self::ConnectionInUse { .. } => {
                "Choose another managed connection there first, then delete this one.".to_owned()
            }
            Self::NoHostKeyToReplace(_) => {
                "Test the connection, compare the fingerprint it shows, and accept it.".to_owned()
            }
            Self::HostKeyAcceptedAlready(_) => "Nothing has to be done: test the connection again.".to_owned(),
            Self::HostKeyNotConfirmed => "Nothing was changed. Type the first eight characters behind SHA256: of the new \
                 fingerprint, as the server's operator confirmed it; letter case counts."
                .to_owned(),
            Self::HostKeyDiffers(_) => "Nothing was accepted: a file never replaces an accepted key. If the server's \
                 operator confirms the new one, test the connection and replace the accepted key there."
                .to_owned(),
            Self::NotInKnownHosts(_) => "Nothing was accepted. Choose among the keys the file shows for this server; marked \
                 ones are never accepted."
                .to_owned(),
            Self::KeyExists(_) => "Go on with that one, or replace it: a key the server knows is lost then.".to_owned(),
            Self::HandOverNotConfirmed { job, record } => format!(
                "Nothing was saved. Tick 'Turn Execution Off' on '{record}' in PowerSchool, then confirm it in the set-up, or \
                 run: rosterbridge hero hand-over {job} --record '{record}' --yes"
            ),
            Self::HandOverWithoutRecord(_) => {
                "Name the AutoSend or AutoComm record as it is called in PowerSchool.".to_owned()
            }
            Self::NotHeros(_) => "Name an exchange with Hero.".to_owned(),
            Self::NoSuchJob(_) => "Create the account in the set-up, or name another exchange.".to_owned(),
            Self::NoSuchRow(_) => "See the rows and their names with: rosterbridge hero sheet --json".to_owned(),
            Self::HeroSettings(_) => {
                "Correct it in the set-up's step for Hero, then save again.".to_owned()
            }
            Self::OtherSender(cause) => cause.remedy.clone(),
            Self::NoOtherSender(_) => {
                "Nothing has to be confirmed. See what is paused with: rosterbridge status".to_owned()
            }
            Self::OwnedByPowerSchool(_) => {
                "Leave it to PowerSchool, or hand it over to RosterBridge in the set-up first: with both at work, \
                 rows would be sent or written twice."
                    .to_owned()
            }
            Self::SwitchedOff(_) => "Switch it on in the set-up if it is meant to run, or switch the exchange off.".to_owned(),
            Self::SecretMissing(name) => {
                format!("Enter it in the set-up, or store it with: rosterbridge secrets set {name}")
            }
            Self::UnknownSecret(name) => rosterbridge_vault::UnknownSecretName(name.clone()).remedy(),
            Self::Export { .. } => "Check that the disk is not full, then run the job again.".to_owned(),
            Self::Pipe { .. } => "Close other programs or restart the computer, then run the job again.".to_owned(),
            Self::NotAsPlanned(_) => "Run the job again.".to_owned(),
            Self::ExportMissing(_) => "Check in Hero that the attendance export runs before this import and that its \
                 file name is the one entered here, letter case included."
                .to_owned(),
            Self::ReadyFile => {
                "Name the file that 'rosterbridge practice serve --ready-file' wrote, while it runs.".to_owned()
            }
            Self::OtherDistrict => {
                "Use a profile of its own for each district: --profile NAME. What this one has sent stays with it."
                    .to_owned()
            }
            Self::OtherServer { .. } => {
                "Nothing was changed. Open the file in a profile of its own, one for each district: --profile NAME."
                    .to_owned()
            }
            Self::CertificateNotPresented(_) => "Test the connection again, compare the fingerprints it shows with \
                 the one the server's administrator gives you, and accept that one."
                .to_owned(),
            Self::TestCancelled => "Start it again when you are ready.".to_owned(),
            Self::NoTestWaiting => {
                "Put one on the waiting list first: rosterbridge test powerschool --offline".to_owned()
            }
            Self::Plugin(error) => error.remedy().to_owned(),
            Self::NotConnected(error) => error.remedy(),
            Self::NotTried { first, .. } => format!("See {first}."),
            Self::OtherProfilesKey => {
                "Name the profile it was written for with --profile, or find the recovery file of this one.".to_owned()
            }
            Self::Busy => "Wait until it has finished, or cancel it.".to_owned(),
            Self::SetupChanged => "Nothing was saved. Look at the set-up as it is now, and make the change again.".to_owned(),
            Self::AnswersUnclear(_) => "Nothing was sent twice. The next run reads PowerSchool again and finishes \
                 these rows; check meanwhile that PowerSchool answers."
                .to_owned(),
            Self::Doubled(_) => "PowerSchool applied a write long after it had stopped answering. Delete one of the two \
                 records in PowerSchool, and allow a longer time for an answer in the set-up."
                .to_owned(),
            Self::UnknownRun(_) => "See the runs and their ids with: rosterbridge runs. Those between a backup and its \
                                    being restored are not known any more: change what they wrote in PowerSchool by \
                                    hand."
                .to_owned(),
            Self::NothingToUndo(_) => {
                "Nothing was changed. See what each run did with: rosterbridge runs".to_owned()
            }
            Self::RaptorPrerequisites(_) => "See to it that each of them is done, and tick it in the set-up.".to_owned(),
            Self::RaptorNoBuildings => "Choose the PowerSchool school of at least one building, and switch the building on.".to_owned(),
            Self::RaptorNoExchange => "Choose the exchange folder, or enter the SFTP connection.".to_owned(),
            Self::RaptorNotInitialized(_) => {
                "Nothing has to be done: tardies are taken in from the moment the integration window opens, as long as \
                 raptor-roster is switched on. To begin earlier, run: rosterbridge sync raptor-roster"
                    .to_owned()
            }
            Self::Cancelled => "Nothing was lost. Start it again when you are ready.".to_owned(),
            Self::LargeChange(change) if change.others.is_empty() => format!(
                "Nothing was sent. Check PowerSchool first. If these rows are really meant to go, accept this change: \
                 rosterbridge guard accept {}",
                change.first.file.id
            ),
            Self::LargeChange(_) => "Nothing was sent. Check PowerSchool first. If these rows are really meant to go, \
                 see each file with 'rosterbridge guard list' and accept it with: rosterbridge guard accept ID"
                .to_owned(),
            Self::NothingStopped(_) => "See what is stopped with: rosterbridge guard list".to_owned(),
            Self::Folder { .. } => "Choose a folder that exists and that this account may write to.".to_owned(),
            Self::ExportFolder { .. } => "Make the folder, connect the drive or share it is on, or take away what is in the file's \
                 place. Or choose another folder in the export's settings."
                .to_owned(),
            Self::FileIsLink(_) => "Put the file or folder itself in the place of the link: nothing is read from, or moved \
                 to, where a link points."
                .to_owned(),
            Self::FileChanging(_) => {
                "Nothing of it is lost: the next run reads it again, once the program that writes it is done.".to_owned()
            }
            Self::Mail { .. } => "Check host, port, security and user name of the mail server.".to_owned(),
            Self::MailAddress(_) => "Write addresses as name@example.org.".to_owned(),
            Self::PowerSchool(error) => error.remedy().to_string(),
            Self::Sftp(error) | Self::RaptorServer(error) => error.remedy().to_string(),
            Self::RosterLayout(_) => {
                "Nothing was saved. Correct the columns of the roster files in the set-up, then save again.".to_owned()
            }
            Self::Store(error) => error.remedy().to_string(),
            Self::Vault(error) => error.remedy().to_string(),
            Self::HeroFile(error) => error.remedy().to_string(),
            Self::RaptorFile(error) => error.remedy().to_string(),
            Self::Ended(_) => "Start it again; if it happens again, report it with the log.".to_owned(),
        }
    }

    /// The system at the other end that could not be reached or gave no usable answer.
    pub(crate) fn remote(&self) -> Option<Remote> {
        match self {
            Self::PowerSchool(error) => error.is_transient().then_some(Remote::PowerSchool),
            Self::Sftp(error) => error.is_transient().then_some(Remote::Hero),
            Self::RaptorServer(error) => error.is_transient().then_some(Remote::Raptor),
            Self::NotConnected(error) | Self::NotTried { error, .. } => error.remote(),
            Self::Folder { .. } => Some(Remote::Raptor),
            _ => None,
        }
    }

    /// Whether trying again later may help, without anybody doing anything.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::PowerSchool(error) => error.is_transient(),
            Self::Sftp(error) | Self::RaptorServer(error) => error.is_transient(),
            Self::Store(error) => matches!(error, StoreError::Busy | StoreError::DiskFull),
            Self::NotConnected(error) | Self::NotTried { error, .. } => error.may_pass(),
            Self::ExportMissing(_)
            | Self::AnswersUnclear(_)
            | Self::FileChanging(_)
            | Self::Folder { .. }
            | Self::ExportFolder { .. }
            | Self::NotAsPlanned(_)
            | Self::Ended(_) => true,
            _ => false,
        }
    }

    /// How long the other side asked to be left alone (`Retry-After`).
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::PowerSchool(rosterbridge_powerschool::Error::Busy { retry_after, .. }) => *retry_after,
            _ => None,
        }
    }

    /// Code, message and remedy together.
    pub fn cause(&self) -> Cause {
        Cause { code: self.code().to_owned(), message: sentence(&self.to_string()), remedy: self.remedy() }
    }
}

/// Whether the system says that there is no room.
fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

/// What is wrong, sentence by sentence.
fn sentences(problems: &[impl std::fmt::Display]) -> String {
    problems.iter().map(|problem| sentence(&problem.to_string())).collect::<Vec<_>>().join(" ")
}

/// The managed connections that there are, by their ids.
fn these(connections: &[rosterbridge_domain::settings::ConnectionId]) -> String {
    match connections {
        [] => "is none".to_owned(),
        [one] => format!("is only '{one}'"),
        several => {
            let names: Vec<String> = several.iter().map(|id| format!("'{id}'")).collect();
            format!("are {}", names.join(", "))
        }
    }
}

/// A message as a sentence: first letter upper case, but for the name of a job, and a full stop at the end.
pub(crate) fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    let Some(first) = chars.next() else { return String::new() };
    let begins_with_job = message
        .split_whitespace()
        .next()
        .is_some_and(|word| word.trim_end_matches(':').parse::<rosterbridge_domain::job::JobId>().is_ok());
    let mut text: String =
        if begins_with_job { message.to_owned() } else { first.to_uppercase().chain(chars).collect() };
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}
