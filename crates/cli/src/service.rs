//! `service`: hands `rosterbridge run` to the operating system's own service manager, under the account whose keychain
//! holds the profile's secrets.
//!
//! What is written and which commands run is worked out first, as an [`InstallPlan`] or a [`RemovalPlan`]; the functions
//! that do so take everything as arguments and compile on every system.

mod error;
mod launchd;
mod systemd;
mod task_scheduler;
#[cfg(test)]
mod xml;

use std::{
    fs, io,
    io::IsTerminal,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use clap::ValueEnum;
use rosterbridge_api::Fault;
use serde::Serialize;
use serde_json::json;
use tokio::process::Command;

pub use self::task_scheduler::Logon;
use self::{error::ServiceError, task_scheduler::LogonType};
use crate::{
    args::{InstallService, Service as ServiceCommand},
    document::Document,
};

/// The service managers a file can be made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum ServiceManager {
    /// Linux
    Systemd,
    /// macOS
    Launchd,
    /// Windows' Task Scheduler
    Windows,
}

impl ServiceManager {
    /// The one of the system this is compiled for.
    pub const HERE: Self = if cfg!(windows) {
        Self::Windows
    } else if cfg!(target_os = "macos") {
        Self::Launchd
    } else {
        Self::Systemd
    };
}

/// What a service manager starts: `EXECUTABLE --home HOME --profile PROFILE run`.
#[derive(Debug)]
pub struct Service {
    executable: String,
    home: String,
    profile: String,
}

impl Service {
    /// Takes paths that every service manager's file can hold: Unicode without control characters.
    fn new(executable: &Path, home: &Path, profile: &str) -> Result<Self, ServiceError> {
        let text = |path: &Path| match path.to_str() {
            // XML has no way to write these, and a line break would end a unit's line.
            Some(text)
                if !text.contains(|c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) =>
            {
                Ok(text.to_owned())
            }
            _ => Err(ServiceError::UnusablePath {
                path: path.to_string_lossy().replace(char::is_control, "\u{fffd}"),
                why: "it has characters that are no text",
            }),
        };
        Ok(Self { executable: text(executable)?, home: text(home)?, profile: profile.to_owned() })
    }

    /// The program.
    fn executable(&self) -> &str {
        &self.executable
    }

    /// The folder of all profiles.
    fn home(&self) -> &str {
        &self.home
    }

    /// The profile's name.
    fn profile(&self) -> &str {
        &self.profile
    }

    /// What the program is started with.
    fn arguments(&self) -> [&str; 5] {
        ["--home", &self.home, "--profile", &self.profile, "run"]
    }
}

/// What a service manager knows of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    /// It knows the service.
    known: bool,
    /// The program runs.
    running: bool,
    /// How the program last ended, where that is told.
    last_exit: Option<LastExit>,
}

/// How the program last ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum LastExit {
    /// With this exit code.
    Code(i64),
    /// By this signal.
    Signal(i64),
    /// A person stopped it.
    Stopped,
}

/// How a file's text is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf8,
    /// Little endian with a byte order mark, which schtasks asks for.
    Utf16,
}

impl Encoding {
    fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Utf16 => {
                std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
            }
        }
    }

    fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Self::Utf16 => {
                let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
                char::decode_utf16(units.skip_while(|unit| *unit == 0xfeff))
                    .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect()
            }
        }
    }
}

/// What an installation does: writes one file, then runs commands.
#[derive(Debug)]
struct InstallPlan {
    file: PathBuf,
    content: String,
    encoding: Encoding,
    commands: Vec<Vec<String>>,
}

/// What a removal does: runs commands, removes the file, runs further ones.
#[derive(Debug)]
struct RemovalPlan {
    before: Vec<Vec<String>>,
    file: PathBuf,
    after: Vec<Vec<String>>,
}

/// A service manager, and where an account's services are in it.
#[derive(Debug)]
enum AccountServices {
    Systemd {
        /// `$XDG_CONFIG_HOME`
        config_home: PathBuf,
    },
    Launchd {
        /// The account's home.
        user_home: PathBuf,
        /// The account's number.
        uid: u32,
    },
    TaskScheduler {
        /// RosterBridge's own data of the account.
        data: PathBuf,
        account: String,
        logon: LogonType,
    },
}

impl AccountServices {
    fn kind(&self) -> ServiceManager {
        match self {
            Self::Systemd { .. } => ServiceManager::Systemd,
            Self::Launchd { .. } => ServiceManager::Launchd,
            Self::TaskScheduler { .. } => ServiceManager::Windows,
        }
    }

    fn encoding(&self) -> Encoding {
        match self {
            Self::Systemd { .. } | Self::Launchd { .. } => Encoding::Utf8,
            Self::TaskScheduler { .. } => Encoding::Utf16,
        }
    }

    fn file(&self, profile: &str) -> PathBuf {
        match self {
            Self::Systemd { config_home } => systemd::file(config_home, profile),
            Self::Launchd { user_home, .. } => launchd::file(user_home, profile),
            Self::TaskScheduler { data, account, .. } => task_scheduler::file(data, profile, account),
        }
    }

    /// Whether a file that is there is of this very service, of this version or another.
    fn wrote(&self, content: &str, service: &Service) -> bool {
        content.contains(&match self {
            Self::Systemd { .. } => systemd::arguments(service),
            Self::Launchd { .. } => launchd::arguments(service),
            Self::TaskScheduler { .. } => task_scheduler::arguments(service),
        })
    }

    /// The plan of an installation. `replaced` is the text the service's file has now.
    fn install(
        &self,
        service: &Service,
        state: &State,
        replaced: Option<&str>,
    ) -> Result<InstallPlan, ServiceError> {
        let profile = service.profile();
        let file = self.file(profile);
        let content = match self {
            Self::Systemd { .. } => systemd::unit(service)?,
            Self::Launchd { .. } => launchd::property_list(service),
            Self::TaskScheduler { account, logon, .. } => task_scheduler::task(service, account, *logon)?,
        };
        let replaces = replaced.is_some_and(|replaced| replaced != content);
        let path = file.to_string_lossy();
        let commands = match self {
            Self::Systemd { .. } => systemd::install_commands(profile, replaces),
            Self::Launchd { uid, .. } => launchd::install_commands(profile, &path, *uid, state, replaces),
            Self::TaskScheduler { account, logon, .. } => {
                task_scheduler::install_commands(profile, &path, account, *logon, state, replaces)
            }
        };
        Ok(InstallPlan { file, content, encoding: self.encoding(), commands })
    }

    /// The plan of a removal.
    fn remove(&self, profile: &str, state: &State) -> RemovalPlan {
        let (before, after) = match self {
            Self::Systemd { .. } => (systemd::stop_commands(profile, state), systemd::forget_commands()),
            Self::Launchd { uid, .. } => (launchd::stop_commands(profile, *uid, state), Vec::new()),
            Self::TaskScheduler { account, .. } => {
                (task_scheduler::stop_commands(profile, account, state), Vec::new())
            }
        };
        RemovalPlan { before, file: self.file(profile), after }
    }

    /// Asks the service manager.
    async fn state(&self, profile: &str) -> Result<State, ServiceError> {
        let query = match self {
            Self::Systemd { .. } => systemd::query(profile),
            Self::Launchd { uid, .. } => launchd::query(profile, *uid),
            Self::TaskScheduler { account, .. } => task_scheduler::query(profile, account),
        };
        let no_manager = |reason| ServiceError::NoManager { manager: self.kind(), reason };
        let output = output(&query).await.map_err(|error| no_manager(format!("{}: {error}", query[0])))?;
        let answer = String::from_utf8_lossy(&output.stdout);
        match self {
            Self::Systemd { .. } if !output.status.success() => Err(no_manager(own_words(&output))),
            Self::Systemd { .. } => Ok(systemd::read_state(&answer)),
            // These two fail for a service they do not know.
            _ if !output.status.success() => Ok(State::default()),
            Self::Launchd { .. } => Ok(launchd::read_state(&answer)),
            Self::TaskScheduler { .. } => Ok(task_scheduler::read_state(&answer)),
        }
    }

    /// What a person should know once it is installed.
    fn notes(&self) -> &'static [&'static str] {
        match self {
            Self::Systemd { .. } => &[
                "It runs while this account is logged in. To keep it running after that: loginctl enable-linger",
                "The login also unlocks the keyring with the secrets; after a restart of the computer nothing is sent \
                 before the first login. The administrator guide says how a server does without one.",
            ],
            Self::Launchd { .. } => &[
                "It runs while this account is logged in at the Mac: the login unlocks the keychain with the secrets.",
            ],
            Self::TaskScheduler { logon: LogonType::Password, .. } => &[
                "It runs from the computer's start, whoever is logged on. When the account's password changes, install \
                 it again.",
            ],
            Self::TaskScheduler { logon: LogonType::Interactive, .. } => {
                &["It runs only while this account is logged on, in a console window that must stay open."]
            }
        }
    }
}

/// Carries out `service …` for a profile under `home`.
pub async fn carry_out(command: ServiceCommand, home: &Path, profile: &str) -> Result<Document, Fault> {
    // What is printed or removed may be of a profile that is elsewhere, or gone.
    rosterbridge_api::check_profile_name(home, profile)?;
    let this_executable = || {
        std::env::current_exe().map_err(|source| ServiceError::File {
            action: "find",
            path: "rosterbridge".into(),
            source,
        })
    };
    // A service is started in another folder than this command.
    let absolute =
        || std::path::absolute(home).map_err(|source| file_error("find", home, source)).map_err(Fault::from);
    match command {
        ServiceCommand::Install(InstallService { print: true, manager, executable, logon, account }) => {
            let manager = manager.unwrap_or(ServiceManager::HERE);
            // Another system's paths are no paths here: they are taken as they are.
            let home = if manager == ServiceManager::HERE { absolute()? } else { home.to_owned() };
            let executable = executable.map_or_else(this_executable, Ok)?;
            let logon = logon.unwrap_or(Logon::Password);
            print(&find(manager, account.account, logon).await?, &Service::new(&executable, &home, profile)?)
        }
        ServiceCommand::Install(InstallService { logon, account, .. }) => {
            rosterbridge_api::check_profile_exists(home, profile)?;
            let service = Service::new(&this_executable()?, &absolute()?, profile)?;
            let logon = logon.unwrap_or(Logon::Password);
            install(&find(ServiceManager::HERE, account.account, logon).await?, &service).await
        }
        ServiceCommand::Uninstall(account) => {
            let service = Service::new(&this_executable()?, &absolute()?, profile)?;
            uninstall(&find(ServiceManager::HERE, account.account, Logon::Interactive).await?, &service).await
        }
        ServiceCommand::Status(account) => {
            let service = Service::new(&this_executable()?, &absolute()?, profile)?;
            status(&find(ServiceManager::HERE, account.account, Logon::Interactive).await?, &service).await
        }
    }
}

/// Finds where the account's services are.
async fn find(
    kind: ServiceManager,
    account: Option<String>,
    logon: Logon,
) -> Result<AccountServices, ServiceError> {
    let user_home = || std::env::home_dir().ok_or(ServiceError::NoAccountHome);
    let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    Ok(match kind {
        ServiceManager::Systemd => {
            let given = variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
            let config_home = given.map_or_else(|| user_home().map(|home| home.join(".config")), Ok)?;
            AccountServices::Systemd { config_home }
        }
        ServiceManager::Launchd => {
            let id = ["id", "-u"].map(str::to_owned);
            // Windows has no such numbers; what is printed there says nothing of an account.
            let uid = match output(&id).await {
                Ok(output) => String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or_default(),
                Err(_) => 0,
            };
            AccountServices::Launchd { user_home: user_home()?, uid }
        }
        ServiceManager::Windows => {
            let (account, sid) = match account {
                Some(account) => (account, None),
                None => (this_account(variable), own_sid().await),
            };
            AccountServices::TaskScheduler {
                logon: task_scheduler::check_account(&account, sid.as_deref(), logon)?,
                data: rosterbridge_api::default_home().ok_or(ServiceError::NoAccountHome)?,
                account,
            }
        }
    })
}

/// The account as Windows names it; on other systems, where such a task is only printed, its plain name.
fn this_account(variable: impl Fn(&'static str) -> Option<String>) -> String {
    let user = variable("USERNAME").or_else(|| variable("USER")).unwrap_or_else(|| "ACCOUNT".to_owned());
    match variable("USERDOMAIN") {
        Some(domain) => format!("{domain}\\{user}"),
        None => user,
    }
}

/// The security identifier of the account this runs under, which no language of Windows translates.
async fn own_sid() -> Option<String> {
    if ServiceManager::HERE != ServiceManager::Windows {
        return None;
    }
    let output = output(&["whoami", "/user", "/fo", "csv", "/nh"].map(str::to_owned)).await.ok()?;
    let row = String::from_utf8_lossy(&output.stdout).into_owned();
    row.rsplit(',').next().map(|sid| sid.trim().trim_matches('"').to_owned())
}

/// Shows what an installation would write and run.
fn print(services: &AccountServices, service: &Service) -> Result<Document, Fault> {
    let plan = services.install(service, &State::default(), None)?;
    let data = json!({
        "manager": services.kind(), "file": plan.file, "content": plan.content, "commands": plan.commands,
    });
    Ok(Document::done("Nothing was written.", data).with_text(plan.content))
}

async fn install(services: &AccountServices, service: &Service) -> Result<Document, Fault> {
    let asks_password = matches!(services, AccountServices::TaskScheduler { logon: LogonType::Password, .. });
    if asks_password && !io::stdin().is_terminal() {
        return Err(ServiceError::NoConsole.into());
    }
    let state = services.state(service.profile()).await?;
    let replaced = read_own(services, service)?;
    let plan = services.install(service, &state, replaced.as_deref())?;
    if replaced.as_ref() != Some(&plan.content) {
        write(&plan.file, &plan.encoding.encode(&plan.content))?;
    }
    for command in &plan.commands {
        if asks_password && command.iter().any(|word| word == "/RP") {
            run_at_console(command).await?;
        } else {
            run(command).await?;
        }
    }
    let data = json!({
        "manager": services.kind(), "file": plan.file, "commands": plan.commands, "notes": services.notes(),
    });
    let message = format!("Profile {} runs without a window from now on.", service.profile());
    let text = format!("{message}\nWrote {}.\n{}\n", plan.file.display(), services.notes().join("\n"));
    Ok(Document::done(message, data).with_text(text))
}

async fn uninstall(services: &AccountServices, service: &Service) -> Result<Document, Fault> {
    let profile = service.profile();
    if read_own(services, service)?.is_none() {
        let data = json!({ "manager": services.kind(), "file": services.file(profile), "removed": false });
        return Ok(Document::done(format!("No service is installed for profile {profile}."), data));
    }
    let plan = services.remove(profile, &services.state(profile).await?);
    for command in &plan.before {
        run(command).await?;
    }
    fs::remove_file(&plan.file).map_err(|source| file_error("remove", &plan.file, source))?;
    for command in &plan.after {
        run(command).await?;
    }
    let data = json!({ "manager": services.kind(), "file": plan.file, "removed": true });
    Ok(Document::done(format!("The service of profile {profile} is gone. Its data and secrets stay."), data))
}

async fn status(services: &AccountServices, service: &Service) -> Result<Document, Fault> {
    let profile = service.profile();
    let written = read_own(services, service)?.is_some();
    let state = if written { services.state(profile).await? } else { State::default() };
    let installed = written && state.known;
    let message = match (written, state) {
        (false, _) => format!("No service is installed for profile {profile}."),
        (true, State { known: false, .. }) => {
            "The service's file is there, but the service manager does not know it. Install it again."
                .to_owned()
        }
        (true, State { running: true, .. }) => format!("The service of profile {profile} runs."),
        (true, _) => format!("The service of profile {profile} is installed and does not run now."),
    };
    let message = match state.last_exit {
        Some(LastExit::Code(code)) => format!("{message} It last ended with exit code {code}."),
        Some(LastExit::Signal(signal)) => format!("{message} It was last ended by signal {signal}."),
        Some(LastExit::Stopped) => format!("{message} A person stopped it last."),
        None => message,
    };
    let data = json!({
        "manager": services.kind(), "file": services.file(profile), "installed": installed,
        "running": state.running, "last_exit": state.last_exit,
    });
    Ok(Document::done(message, data))
}

/// The text of the service's file, if it is there. One of another service is refused.
fn read_own(services: &AccountServices, service: &Service) -> Result<Option<String>, ServiceError> {
    let file = services.file(service.profile());
    match fs::read(&file) {
        Ok(bytes) => {
            let content = services.encoding().decode(&bytes);
            if services.wrote(&content, service) {
                Ok(Some(content))
            } else {
                Err(ServiceError::NameTaken(file))
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(file_error("read", &file, source)),
    }
}

/// Writes a file that is there whole or not at all.
fn write(file: &Path, content: &[u8]) -> Result<(), ServiceError> {
    let beside = file.with_extension("new");
    file.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(&beside, content))
        .and_then(|()| fs::rename(&beside, file))
        .map_err(|source| file_error("write", file, source))
}

fn file_error(action: &'static str, path: &Path, source: io::Error) -> ServiceError {
    ServiceError::File { action, path: path.to_owned(), source }
}

/// Runs a command and keeps what it says.
async fn output(command: &[String]) -> io::Result<Output> {
    Command::new(&command[0]).args(&command[1..]).stdin(Stdio::null()).output().await
}

async fn run(command: &[String]) -> Result<(), ServiceError> {
    match output(command).await {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(command_failed(command, own_words(&output))),
        Err(error) => Err(command_failed(command, error.to_string())),
    }
}

/// Runs a command that asks the person something. Standard output is kept for our own document.
async fn run_at_console(command: &[String]) -> Result<(), ServiceError> {
    let status = Command::new(&command[0]).args(&command[1..]).stdout(io::stderr()).status().await;
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(command_failed(command, status.to_string())),
        Err(error) => Err(command_failed(command, error.to_string())),
    }
}

fn command_failed(command: &[String], reason: String) -> ServiceError {
    ServiceError::CommandFailed { command: command.join(" "), reason }
}

/// Characters of a command's own words that are shown.
const LONGEST_WORDS: usize = 500;

/// What a failed command said, or else how it ended.
fn own_words(output: &Output) -> String {
    let said =
        String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr });
    let said: String = said.trim().chars().take(LONGEST_WORDS).collect();
    if said.is_empty() { output.status.to_string() } else { said }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn what_is_started_is_a_command_line_of_ours() {
        let service = Service::new(Path::new("/bin/rosterbridge"), Path::new("/srv/a b"), "north").unwrap();
        let line = ["rosterbridge"].iter().chain(&service.arguments()).map(Into::into).collect::<Vec<_>>();
        let cli = Cli::read(line).unwrap();
        assert_eq!((cli.home.as_deref(), cli.profile.as_str()), (Some(Path::new("/srv/a b")), "north"));
        assert!(matches!(cli.command, crate::args::Command::Run));
    }

    #[rstest]
    #[case::line_break("/srv/a\nExecStartPre=/bin/sh")]
    #[case::no_xml("/srv/\u{1}")]
    #[case::no_character("/srv/\u{ffff}")]
    fn a_path_that_no_file_can_hold_is_refused(#[case] path: &str) {
        for (executable, home) in [(path, "/srv"), ("/bin/rosterbridge", path)] {
            let error = Service::new(Path::new(executable), Path::new(home), "default").unwrap_err();
            assert_eq!(error.code(), "service.unusable_path");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_no_text_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        let home = Path::new(std::ffi::OsStr::from_bytes(b"/srv/\xff"));
        let error = Service::new(Path::new("/bin/rosterbridge"), home, "default").unwrap_err();
        assert_eq!(error.code(), "service.unusable_path");
    }

    fn of_every_system() -> [AccountServices; 3] {
        [
            AccountServices::Systemd { config_home: "/home/office/.config".into() },
            AccountServices::Launchd { user_home: "/Users/office".into(), uid: 501 },
            AccountServices::TaskScheduler {
                data: "/data".into(),
                account: r"DISTRICT\office".to_owned(),
                logon: LogonType::Password,
            },
        ]
    }

    /// A file is known again as the service's own after an update moved the program, and as no other's.
    #[test]
    fn a_service_knows_its_own_file() {
        let service = |executable, home, profile| {
            Service::new(Path::new(executable), Path::new(home), profile).unwrap()
        };
        let own = service("/opt/1/rosterbridge", "/srv/a & b", "default");
        for services in of_every_system() {
            let content = services.install(&own, &State::default(), None).unwrap().content;
            assert!(services.wrote(&content, &service("/opt/2/rosterbridge", "/srv/a & b", "default")));
            assert!(!services.wrote(&content, &service("/opt/1/rosterbridge", "/srv/a", "default")));
            assert!(!services.wrote(&content, &service("/opt/1/rosterbridge", "/srv/a & b", "practice")));
        }
    }

    proptest! {
        #[test]
        fn a_text_is_read_as_it_was_written(text in r"[^\u{feff}]{0,40}") {
            for encoding in [Encoding::Utf8, Encoding::Utf16] {
                prop_assert_eq!(encoding.decode(&encoding.encode(&text)), text.as_str());
            }
        }
    }

    #[test]
    fn a_task_is_written_in_the_encoding_schtasks_reads() {
        assert_eq!(Encoding::Utf16.encode("<é"), [0xff, 0xfe, b'<', 0, 0xe9, 0]);
    }
}
