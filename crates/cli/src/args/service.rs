//! The service that runs a profile without a window.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::service::{Logon, ServiceManager};

/// The service that runs a profile without a window.
#[derive(Debug, Subcommand)]
pub enum Service {
    /// Have the operating system run it, now and whenever the account or the computer starts
    Install(InstallService),
    /// End it and have the operating system forget it; data and secrets stay
    Uninstall(ServiceAccount),
    /// Whether it is installed, runs, and how it last ended
    Status(ServiceAccount),
}

impl Service {
    /// An option of Windows' Task Scheduler beside another service manager.
    pub fn misplaced_option(&self) -> Option<&'static str> {
        let (manager, logon, account) = match self {
            Self::Install(install) => {
                (install.manager.unwrap_or(ServiceManager::HERE), install.logon.is_some(), &install.account)
            }
            Self::Uninstall(account) | Self::Status(account) => (ServiceManager::HERE, false, account),
        };
        let options = [("--logon", logon), ("--account", account.account.is_some())];
        let given = options.into_iter().find_map(|(option, given)| given.then_some(option));
        given.filter(|_| manager != ServiceManager::Windows)
    }
}

/// Options of an installation.
#[derive(Debug, Args)]
pub struct InstallService {
    /// Only show the file that would be written
    #[arg(long)]
    pub print: bool,
    /// Show the file of this service manager instead of the one of this system
    #[arg(long = "for", value_enum, requires = "print", value_name = "MANAGER")]
    pub manager: Option<ServiceManager>,
    /// Path of rosterbridge in the shown file, when it is for another computer
    #[arg(long, requires = "print", value_name = "FILE")]
    pub executable: Option<PathBuf>,
    /// How Windows logs the account on; with its password unless you say otherwise
    #[arg(long, value_enum)]
    pub logon: Option<Logon>,
    /// Whose service it is.
    #[command(flatten)]
    pub account: ServiceAccount,
}

/// Whose service it is.
#[derive(Debug, Args)]
pub struct ServiceAccount {
    /// The Windows account that set the profile up, if it is not this one
    #[arg(long, value_name = "DOMAIN\\USER")]
    pub account: Option<String>,
}
