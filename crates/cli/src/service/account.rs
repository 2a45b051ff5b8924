//! Where an account's services are, in whichever service manager.

use std::{fs, io, path::PathBuf};

use super::{
    Service, ServiceError, ServiceManager, command, launchd,
    plan::{Encoding, InstallPlan, RemovalPlan, State},
    systemd::{self, Scope},
    task_scheduler::{self, Logon, LogonType},
};

/// Whom a unit of the computer runs as, unless another account is named.
const SYSTEM_UNITS_ACCOUNT: &str = "rosterbridge";

/// A service manager, and where an account's services are in it.
#[derive(Debug)]
pub enum AccountServices {
    /// Linux
    Systemd {
        /// `$XDG_CONFIG_HOME`
        config_home: PathBuf,
    },
    /// Linux, the computer's
    SystemdSystem {
        /// Whom it runs as.
        account: String,
    },
    /// macOS
    Launchd {
        /// The account's home.
        user_home: PathBuf,
        /// The account's number.
        uid: u32,
    },
    /// Windows
    TaskScheduler {
        /// RosterBridge's own data of the account.
        data: PathBuf,
        /// The account's name.
        account: String,
        /// How it is logged on.
        logon: LogonType,
    },
}

impl AccountServices {
    /// Finds them. `account` says more on Windows and with the computer's systemd, `logon` with the Task Scheduler.
    pub async fn find(
        kind: ServiceManager,
        account: Option<String>,
        logon: Logon,
    ) -> Result<Self, ServiceError> {
        let user_home = || std::env::home_dir().ok_or(ServiceError::NoAccountHome);
        Ok(match kind {
            ServiceManager::Systemd => {
                let config_home = systemd::given_config_home()
                    .map_or_else(|| user_home().map(|home| home.join(".config")), Ok)?;
                Self::Systemd { config_home }
            }
            ServiceManager::SystemdSystem => {
                Self::SystemdSystem { account: account.unwrap_or_else(|| SYSTEM_UNITS_ACCOUNT.to_owned()) }
            }
            ServiceManager::Launchd => {
                Self::Launchd { user_home: user_home()?, uid: launchd::own_uid().await }
            }
            ServiceManager::Windows | ServiceManager::WindowsService => {
                let (account, sid) = task_scheduler::account_or_own(account).await;
                Self::TaskScheduler {
                    logon: task_scheduler::check_account(&account, sid.as_deref(), logon)?,
                    data: rosterbridge_api::default_home().ok_or(ServiceError::NoAccountHome)?,
                    account,
                }
            }
        })
    }

    /// Whose services they are.
    pub fn kind(&self) -> ServiceManager {
        match self {
            Self::Systemd { .. } => ServiceManager::Systemd,
            Self::SystemdSystem { .. } => ServiceManager::SystemdSystem,
            Self::Launchd { .. } => ServiceManager::Launchd,
            Self::TaskScheduler { .. } => ServiceManager::Windows,
        }
    }

    /// Whose systemd it is.
    fn scope(&self) -> Scope<'_> {
        match self {
            Self::SystemdSystem { account } => Scope::Computer(account),
            _ => Scope::Account,
        }
    }

    fn encoding(&self) -> Encoding {
        match self {
            Self::Systemd { .. } | Self::SystemdSystem { .. } | Self::Launchd { .. } => Encoding::Utf8,
            Self::TaskScheduler { .. } => Encoding::Utf16,
        }
    }

    /// Where the profile's service has its file.
    pub fn file(&self, profile: &str) -> PathBuf {
        match self {
            Self::Systemd { config_home } => systemd::file(config_home, profile),
            Self::SystemdSystem { .. } => systemd::system_file(profile),
            Self::Launchd { user_home, .. } => launchd::file(user_home, profile),
            Self::TaskScheduler { data, account, .. } => task_scheduler::file(data, profile, account),
        }
    }

    /// Whether a file that is there is of this very service, of this version or another.
    fn wrote(&self, content: &str, service: &Service) -> bool {
        content.contains(&match self {
            Self::Systemd { .. } | Self::SystemdSystem { .. } => systemd::arguments(service),
            Self::Launchd { .. } => launchd::arguments(service),
            Self::TaskScheduler { .. } => task_scheduler::arguments(service),
        })
    }

    /// The plan of an installation. `replaced` is the text the service's file has now.
    pub fn install(
        &self,
        service: &Service,
        state: &State,
        replaced: Option<&str>,
    ) -> Result<InstallPlan, ServiceError> {
        let profile = service.profile();
        let file = self.file(profile);
        let content = match self {
            Self::Systemd { .. } | Self::SystemdSystem { .. } => systemd::unit(service, self.scope())?,
            Self::Launchd { .. } => launchd::property_list(service),
            Self::TaskScheduler { account, logon, .. } => task_scheduler::task(service, account, *logon)?,
        };
        let replaces = replaced.is_some_and(|replaced| replaced != content);
        let path = file.to_string_lossy();
        let commands = match self {
            Self::Systemd { .. } | Self::SystemdSystem { .. } => {
                systemd::install_commands(profile, self.scope(), replaces)
            }
            Self::Launchd { uid, .. } => launchd::install_commands(profile, &path, *uid, state, replaces),
            Self::TaskScheduler { account, logon, .. } => {
                task_scheduler::install_commands(profile, &path, account, *logon, state, replaces)
            }
        };
        Ok(InstallPlan { file, content, encoding: self.encoding(), commands })
    }

    /// The plan of a removal.
    pub fn remove(&self, profile: &str, state: &State) -> RemovalPlan {
        let (before, after) = match self {
            Self::Systemd { .. } | Self::SystemdSystem { .. } => {
                let scope = self.scope();
                (systemd::stop_commands(profile, scope, state), systemd::forget_commands(scope))
            }
            Self::Launchd { uid, .. } => (launchd::stop_commands(profile, *uid, state), Vec::new()),
            Self::TaskScheduler { account, .. } => {
                (task_scheduler::stop_commands(profile, account, state), Vec::new())
            }
        };
        RemovalPlan { before, file: self.file(profile), after }
    }

    /// Asks the service manager.
    pub async fn state(&self, profile: &str) -> Result<State, ServiceError> {
        let query = match self {
            Self::Systemd { .. } | Self::SystemdSystem { .. } => systemd::query(profile, self.scope()),
            Self::Launchd { uid, .. } => launchd::query(profile, *uid),
            Self::TaskScheduler { account, .. } => task_scheduler::query(profile, account),
        };
        let no_manager = |reason| ServiceError::NoManager { manager: self.kind(), reason };
        let output =
            command::output(&query).await.map_err(|error| no_manager(format!("{}: {error}", query[0])))?;
        let answer = String::from_utf8_lossy(&output.stdout);
        match self {
            Self::Systemd { .. } | Self::SystemdSystem { .. } if !output.status.success() => {
                Err(no_manager(command::own_words(&output)))
            }
            Self::Systemd { .. } | Self::SystemdSystem { .. } => Ok(systemd::read_state(&answer)),
            // These two fail for a service they do not know.
            _ if !output.status.success() => Ok(State::default()),
            Self::Launchd { .. } => Ok(launchd::read_state(&answer)),
            Self::TaskScheduler { .. } => Ok(task_scheduler::read_state(&answer)),
        }
    }

    /// A file's error; that only root may write the computer's units is told as such.
    pub fn explained(&self, error: ServiceError) -> ServiceError {
        match (self, error) {
            (Self::SystemdSystem { .. }, ServiceError::File { source, path, .. })
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                ServiceError::NeedsAdministrator(format!("{}: {source}", path.display()))
            }
            (_, error) => error,
        }
    }

    /// What a person should know once it is installed.
    pub fn notes(&self) -> &'static [&'static str] {
        match self {
            Self::Systemd { .. } => &[
                "It runs while this account is logged in. To keep it running after that: loginctl enable-linger",
                "The login also unlocks the keyring with the secrets; after a restart of the computer nothing is sent \
                 before the first login. The administrator guide says how a server does without one.",
            ],
            Self::SystemdSystem { .. } => {
                &["It runs from the computer's start, with a keyring of its account's own that \
                 /etc/rosterbridge/keyring.cred unlocks. The administrator guide, 'Linux', says how both are made and how \
                 the secrets get there."]
            }
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

    /// The text of the service's file, if it is there. One of another service is refused.
    pub fn read_own(&self, service: &Service) -> Result<Option<String>, ServiceError> {
        let file = self.file(service.profile());
        match fs::read(&file) {
            Ok(bytes) => {
                let content = self.encoding().decode(&bytes);
                if self.wrote(&content, service) {
                    Ok(Some(content))
                } else {
                    Err(ServiceError::NameTaken(file))
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ServiceError::file("read", &file, source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn of_every_system() -> [AccountServices; 4] {
        [
            AccountServices::Systemd { config_home: "/home/office/.config".into() },
            AccountServices::SystemdSystem { account: "rosterbridge".to_owned() },
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
}
