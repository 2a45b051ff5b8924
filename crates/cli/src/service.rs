//! `service`: hands `rosterbridge run` to the operating system's own service manager, under the account whose keychain
//! holds the profile's secrets.
//!
//! What is written and which commands run is worked out first, as an [`plan::InstallPlan`] or a
//! [`plan::RemovalPlan`]; the functions that do so take everything as arguments and compile on every system.

mod account;
mod command;
#[cfg_attr(not(windows), path = "service/no_control_manager.rs")]
mod control_manager;
mod error;
mod launchd;
mod plan;
mod systemd;
mod task_scheduler;
mod windows_service;
#[cfg(test)]
mod xml;

use std::{
    env, fs, io,
    io::IsTerminal,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use rosterbridge_api::Fault;
use serde::Serialize;
use serde_json::json;

use self::{
    account::AccountServices,
    control_manager::Registered,
    error::ServiceError,
    plan::{LastExit, State},
    task_scheduler::LogonType,
    windows_service::Definition,
};
pub use self::{control_manager::Hosted, task_scheduler::Logon};
use crate::{
    args::{InstallService, Service as ServiceCommand, WhichService},
    document::Document,
};

/// The service managers a service can be made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum ServiceManager {
    /// Linux, the account's own: while the account is logged in
    Systemd,
    /// Linux, the computer's: from its start, for servers where nobody logs in
    SystemdSystem,
    /// macOS
    Launchd,
    /// Windows' Task Scheduler
    Windows,
    /// Windows' services
    WindowsService,
}

impl ServiceManager {
    /// The usual one of the system this is compiled for.
    pub const HERE: Self = if cfg!(windows) {
        Self::Windows
    } else if cfg!(target_os = "macos") {
        Self::Launchd
    } else {
        Self::Systemd
    };

    /// The usual one of its system.
    fn usual(self) -> Self {
        match self {
            Self::Systemd | Self::SystemdSystem => Self::Systemd,
            Self::Launchd => Self::Launchd,
            Self::Windows | Self::WindowsService => Self::Windows,
        }
    }

    /// Whether it is one of the system this is compiled for.
    pub fn is_here(self) -> bool {
        self.usual() == Self::HERE
    }
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

/// Carries out `service …` for a profile under `home`.
pub async fn carry_out(command: ServiceCommand, home: &Path, profile: &str) -> Result<Document, Fault> {
    // What is printed or removed may be of a profile that is elsewhere, or gone.
    rosterbridge_api::check_profile_name(home, profile)?;
    // A service is started in another folder than this command.
    let absolute = || {
        std::path::absolute(home)
            .map_err(|source| ServiceError::file("find", home, source))
            .map_err(Fault::from)
    };
    match command {
        ServiceCommand::Install(InstallService { print: prints, executable, logon, which }) => {
            let manager = which.manager.unwrap_or(ServiceManager::HERE);
            if !prints {
                rosterbridge_api::check_profile_exists(home, profile)?;
            }
            // Another system's paths are no paths here: they are taken as they are.
            let home = if manager.is_here() { absolute()? } else { home.to_owned() };
            let executable = executable.map_or_else(this_executable, Ok)?;
            let service = Service::new(&executable, &home, profile)?;
            if manager == ServiceManager::WindowsService {
                let (account, sid) = task_scheduler::account_or_own(which.account).await;
                let definition = Definition::new(&service, &account, sid.as_deref())?;
                return if prints {
                    Ok(print_service(&definition))
                } else {
                    install_service(&definition, &service).await
                };
            }
            let logon = logon.unwrap_or(Logon::Password);
            let services = AccountServices::find(manager, which.account, logon).await?;
            if prints { print(&services, &service) } else { install(&services, &service).await }
        }
        ServiceCommand::Uninstall(which) => {
            let service = Service::new(&this_executable()?, &absolute()?, profile)?;
            if let Some(found) = find_service(&which, &service).await? {
                return uninstall_service(found, &service).await;
            }
            uninstall(&services_of(which).await?, &service).await
        }
        ServiceCommand::Status(which) => {
            let service = Service::new(&this_executable()?, &absolute()?, profile)?;
            if let Some(found) = find_service(&which, &service).await? {
                return Ok(service_status(found, &service));
            }
            status(&services_of(which).await?, &service).await
        }
    }
}

/// The account's services in the service manager that keeps a file of them.
async fn services_of(which: WhichService) -> Result<AccountServices, ServiceError> {
    let manager = which.manager.unwrap_or(ServiceManager::HERE);
    AccountServices::find(manager, which.account, Logon::Interactive).await
}

/// A profile's Windows service, there or not.
struct FoundService {
    name: String,
    registered: Option<Registered>,
}

/// Looks for a profile's Windows service where it is asked for, and on Windows wherever nothing else is. None means that
/// another service manager is to be asked. A service of another profile is refused.
async fn find_service(which: &WhichService, service: &Service) -> Result<Option<FoundService>, ServiceError> {
    let asked_for = match which.manager {
        Some(manager) if manager != ServiceManager::WindowsService => return Ok(None),
        None if !ServiceManager::Windows.is_here() => return Ok(None),
        manager => manager.is_some(),
    };
    let (account, _) = task_scheduler::account_or_own(which.account.clone()).await;
    let name = windows_service::name(service.profile(), &account);
    let registered = own_service(&name, service)?;
    Ok((asked_for || registered.is_some()).then_some(FoundService { name, registered }))
}

/// The Windows service of this name, if it is there. One of another profile is refused.
fn own_service(name: &str, service: &Service) -> Result<Option<Registered>, ServiceError> {
    match control_manager::find(name)? {
        Some(registered) if !windows_service::started_by(&registered.command_line, service) => {
            Err(ServiceError::NameTaken(name.into()))
        }
        registered => Ok(registered),
    }
}

/// The program that is to be started: this one, or the AppImage it is in, whose files are there for the time it runs
/// only. AppImages set both variables, for every program they start, too.
fn this_executable() -> Result<PathBuf, ServiceError> {
    let own =
        env::current_exe().map_err(|source| ServiceError::file("find", Path::new("rosterbridge"), source))?;
    let path = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    Ok(match (path("APPIMAGE"), path("APPDIR")) {
        (Some(image), Some(mounted)) if own.starts_with(&mounted) => image,
        _ => own,
    })
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
    let replaced = services.read_own(service)?;
    let plan = services.install(service, &state, replaced.as_deref())?;
    if replaced.as_ref() != Some(&plan.content) {
        plan.write().map_err(|error| services.explained(error))?;
    }
    for words in &plan.commands {
        if asks_password && words.iter().any(|word| word == "/RP") {
            command::run_at_console(words).await?;
        } else {
            command::run(words).await?;
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
    if services.read_own(service)?.is_none() {
        let data = json!({ "manager": services.kind(), "file": services.file(profile), "removed": false });
        return Ok(Document::done(format!("No service is installed for profile {profile}."), data));
    }
    let plan = services.remove(profile, &services.state(profile).await?);
    for words in &plan.before {
        command::run(words).await?;
    }
    fs::remove_file(&plan.file)
        .map_err(|source| services.explained(ServiceError::file("remove", &plan.file, source)))?;
    for words in &plan.after {
        command::run(words).await?;
    }
    let data = json!({ "manager": services.kind(), "file": plan.file, "removed": true });
    Ok(Document::done(format!("The service of profile {profile} is gone. Its data and secrets stay."), data))
}

async fn status(services: &AccountServices, service: &Service) -> Result<Document, Fault> {
    let profile = service.profile();
    let written = services.read_own(service)?.is_some();
    let state = if written { services.state(profile).await? } else { State::default() };
    let installed = written && state.known;
    let data = json!({
        "manager": services.kind(), "file": services.file(profile), "installed": installed,
        "running": state.running, "last_exit": state.last_exit,
    });
    Ok(Document::done(status_message(profile, written, state), data))
}

/// How a service is. `written` says that what it was installed by is there.
fn status_message(profile: &str, written: bool, state: State) -> String {
    let message = match (written, state) {
        (false, _) => format!("No service is installed for profile {profile}."),
        (true, State { known: false, .. }) => {
            "The service's file is there, but the service manager does not know it. Install it again."
                .to_owned()
        }
        (true, State { running: true, .. }) => format!("The service of profile {profile} runs."),
        (true, _) => format!("The service of profile {profile} is installed and does not run now."),
    };
    match state.last_exit {
        Some(LastExit::Code(code)) => format!("{message} It last ended with exit code {code}."),
        Some(LastExit::Signal(signal)) => format!("{message} It was last ended by signal {signal}."),
        Some(LastExit::Stopped) => format!("{message} A person stopped it last."),
        None => message,
    }
}

/// Shows what an installation as a Windows service would make.
fn print_service(definition: &Definition) -> Document {
    let text = definition.text();
    let data = json!({
        "manager": ServiceManager::WindowsService, "file": null, "service": definition.name, "content": text,
        "commands": [],
    });
    Document::done("Nothing was written.", data).with_text(text)
}

async fn install_service(definition: &Definition, service: &Service) -> Result<Document, Fault> {
    // Before anybody types a password.
    control_manager::may_install(&definition.name)?;
    let replaced = own_service(&definition.name, service)?;
    let restarts = replaced.is_some_and(|replaced| replaced.command_line != definition.command_line());
    let password = control_manager::ask_password(&definition.account)?;
    control_manager::install(definition, &password, restarts).await?;
    let notes = definition.notes();
    let data = json!({
        "manager": ServiceManager::WindowsService, "file": null, "service": definition.name, "commands": [],
        "notes": notes,
    });
    let message = format!("Profile {} runs without a window from now on.", service.profile());
    let text = format!("{message}\nMade the service {}.\n{}\n", definition.name, notes.join("\n"));
    Ok(Document::done(message, data).with_text(text))
}

async fn uninstall_service(found: FoundService, service: &Service) -> Result<Document, Fault> {
    let FoundService { name, registered } = found;
    let removed = registered.is_some();
    let data = json!({
        "manager": ServiceManager::WindowsService, "file": null, "service": name, "removed": removed,
    });
    let profile = service.profile();
    if !removed {
        return Ok(Document::done(format!("No service is installed for profile {profile}."), data));
    }
    control_manager::remove(&name).await?;
    Ok(Document::done(format!("The service of profile {profile} is gone. Its data and secrets stay."), data))
}

fn service_status(found: FoundService, service: &Service) -> Document {
    let state = found.registered.map(|registered| registered.state);
    let shown = state.unwrap_or_default();
    let data = json!({
        "manager": ServiceManager::WindowsService, "file": null, "service": found.name,
        "installed": state.is_some(), "running": shown.running, "last_exit": shown.last_exit,
    });
    Document::done(status_message(service.profile(), state.is_some(), shown), data)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn what_is_started_is_a_command_line_of_ours() {
        let service = Service::new(Path::new("/bin/rosterbridge"), Path::new("/srv/a b"), "north").unwrap();
        let line = ["rosterbridge"].iter().chain(&service.arguments()).map(Into::into).collect::<Vec<_>>();
        let cli = Cli::read(line).unwrap();
        assert_eq!((cli.home.as_deref(), cli.profile.as_str()), (Some(Path::new("/srv/a b")), "north"));
        assert!(matches!(cli.command, crate::args::Command::Run { as_service: false }));
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
}
