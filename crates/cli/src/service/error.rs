//! What a person can meet when a service is installed, removed or asked about.

use std::{
    io,
    path::{Path, PathBuf},
};

use rosterbridge_api::Fault;

use super::ServiceManager;

/// Why a service could not be installed, removed or asked about.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A path that a service manager's file can't hold.
    #[error("{path} can't be the path of a service: {why}.")]
    UnusablePath {
        /// The path, as far as it can be shown.
        path: String,
        /// The rule it breaks.
        why: &'static str,
    },
    /// An account, or a way to log it on, that never opens the profile's keychain.
    #[error("{what} can't open the keychain that holds this profile's secrets.")]
    KeychainClosed {
        /// The account or the way.
        what: String,
    },
    /// The account has no home, so there is no place for the service's file.
    #[error("This account has no home folder.")]
    NoAccountHome,
    /// The account's service manager does not answer.
    #[error("The service manager of this account can't be reached: {reason}")]
    NoManager {
        /// Whose answer is missing.
        manager: ServiceManager,
        /// Its own words.
        reason: String,
    },
    /// The place of the service's file is taken by another.
    #[error("{} belongs to a profile of the same name under another --home, or was changed by hand.", .0.display())]
    NameTaken(PathBuf),
    /// Windows asks for the account's password, and nobody can type it.
    #[error("Windows has to ask for the account's password, and there is no console to ask at.")]
    NoConsole,
    /// A command of the service manager failed.
    #[error("The command '{command}' failed: {reason}")]
    CommandFailed {
        /// The command line.
        command: String,
        /// Its own words, or its exit code.
        reason: String,
    },
    /// Only an administrator may do this.
    #[error("This needs the rights of an administrator: {0}.")]
    NeedsAdministrator(String),
    /// Windows does not take an account for a service, or does not log it on.
    #[error("Windows can't log {account} on for a service: {source}.")]
    AccountRefused {
        /// The account.
        account: String,
        /// Windows' answer.
        source: io::Error,
    },
    /// Windows refused something of a service.
    #[error("Windows could not {action} the service {name}: {source}.")]
    Refused {
        /// What was tried.
        action: &'static str,
        /// The service.
        name: String,
        /// Windows' answer.
        source: io::Error,
    },
    /// A service was made, and did not stay.
    #[error("The service {name} is made, and ended at once with exit code {code}.")]
    EndedAtOnce {
        /// The service.
        name: String,
        /// The program's exit code, or Windows' own reason.
        code: u32,
    },
    /// A file can't be written or removed.
    #[error("Could not {action} {}: {source}.", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Windows' answers: ERROR_ACCESS_DENIED, ERROR_INVALID_SERVICE_ACCOUNT, ERROR_SERVICE_LOGON_FAILED.
const ACCESS_DENIED: i32 = 5;
const ACCOUNT_UNKNOWN: i32 = 1057;
const NOT_LOGGED_ON: i32 = 1069;

impl ServiceError {
    /// What Windows answers about the service `name`; with the account, where it looks at that.
    pub fn of_windows(action: &'static str, name: &str, account: Option<&str>, source: io::Error) -> Self {
        match (source.raw_os_error(), account) {
            (Some(ACCESS_DENIED), _) => Self::NeedsAdministrator(source.to_string()),
            (Some(ACCOUNT_UNKNOWN | NOT_LOGGED_ON), Some(account)) => {
                Self::AccountRefused { account: account.to_owned(), source }
            }
            _ => Self::Refused { action, name: name.to_owned(), source },
        }
    }

    /// A file that can't be written, read or removed: whichever `action` says.
    pub fn file(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { action, path: path.to_owned(), source }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnusablePath { .. } => "service.unusable_path",
            Self::KeychainClosed { .. } => "service.keychain_closed",
            Self::NoAccountHome => "service.no_account_home",
            Self::NoManager { .. } => "service.no_manager",
            Self::NameTaken(_) => "service.name_taken",
            Self::NoConsole => "service.no_console",
            Self::CommandFailed { .. } => "service.command_failed",
            Self::NeedsAdministrator(_) => "service.needs_administrator",
            Self::AccountRefused { .. } => "service.account_refused",
            Self::Refused { .. } => "service.refused",
            Self::EndedAtOnce { .. } => "service.ended_at_once",
            Self::File { .. } => "file.unusable",
        }
    }

    /// What the person can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::UnusablePath { .. } => {
                "Move it to a folder with a plain name, then install the service again."
            }
            Self::KeychainClosed { .. } => {
                "Install it for the account that set the profile up, with --logon password or --logon interactive."
            }
            Self::NoAccountHome => "Log in as the account that set the profile up, and try again there.",
            Self::NoManager { manager: ServiceManager::Systemd, .. } => {
                "Log in as this account itself, not through sudo or su, and try again. On a server without logins use \
                 --for systemd-system: see the administrator guide, 'Running without a window'."
            }
            Self::NoManager { manager: ServiceManager::SystemdSystem, .. } => {
                "Run it on the computer that systemd has started, and try again."
            }
            Self::NoManager { manager: ServiceManager::WindowsService, .. } => {
                "Run it on the Windows computer the service is for."
            }
            Self::NoManager { manager: ServiceManager::Launchd, .. } => {
                "Log in at the Mac's screen as this account, and try again there."
            }
            Self::NoManager { manager: ServiceManager::Windows, .. } => {
                "Start the Windows service 'Task Scheduler', and try again."
            }
            Self::NameTaken(_) => {
                "Uninstall it with the --home it was installed with, or remove the file if nobody needs it."
            }
            Self::NoConsole => {
                "Run the command in a Command Prompt or PowerShell window, or use --logon interactive."
            }
            Self::CommandFailed { .. } => {
                "Correct what it says, then repeat this command. On Windows, --logon password needs an administrator's \
                 Command Prompt."
            }
            Self::NeedsAdministrator(_) => {
                "On Windows open a Command Prompt with 'Run as administrator', on Linux use sudo; then repeat this \
                 command there."
            }
            Self::AccountRefused { .. } => {
                "Check the account's name and password, and that it has the right 'Log on as a service'. Then repeat \
                 this command."
            }
            Self::Refused { .. } => "Correct what it says, then repeat this command.",
            Self::EndedAtOnce { .. } => {
                "See why: log on as the service's account (runas /user:ACCOUNT cmd) and start 'rosterbridge run' there. \
                 Most often that account's Credential Manager does not hold this profile's secrets."
            }
            Self::File { .. } => "Check the path, and that you may read and write there.",
        }
    }
}

impl From<ServiceError> for Fault {
    fn from(error: ServiceError) -> Self {
        Self { code: error.code().to_owned(), message: error.to_string(), remedy: error.remedy().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::not_elevated(5, None, "service.needs_administrator")]
    #[case::not_elevated_with_account(5, Some(r"D\office"), "service.needs_administrator")]
    #[case::no_such_account(1057, Some(r"D\office"), "service.account_refused")]
    #[case::wrong_password(1069, Some(r"D\office"), "service.account_refused")]
    #[case::no_account_asked_for(1069, None, "service.refused")]
    #[case::marked_for_deletion(1072, Some(r"D\office"), "service.refused")]
    fn what_windows_answers_has_a_code(
        #[case] answer: i32,
        #[case] account: Option<&str>,
        #[case] code: &str,
    ) {
        let source = io::Error::from_raw_os_error(answer);
        assert_eq!(ServiceError::of_windows("start", "RosterBridge-default", account, source).code(), code);
    }
}
