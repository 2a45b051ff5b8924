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
    Uninstall(WhichService),
    /// Whether it is installed, runs, and how it last ended
    Status(WhichService),
}

impl Service {
    /// What is wrong with an option that would do nothing where it stands.
    pub fn misplaced_option(&self) -> Option<&'static str> {
        let (which, logon, prints, installs) = match self {
            Self::Install(install) => (&install.which, install.logon.is_some(), install.print, true),
            Self::Uninstall(which) | Self::Status(which) => (which, false, false, false),
        };
        let manager = which.manager.unwrap_or(ServiceManager::HERE);
        let takes_account = match manager {
            ServiceManager::Windows | ServiceManager::WindowsService => true,
            ServiceManager::SystemdSystem => installs,
            ServiceManager::Systemd | ServiceManager::Launchd => false,
        };
        if !prints && !manager.is_here() {
            Some("--for can only name another system's service manager together with 'install --print'")
        } else if logon && manager != ServiceManager::Windows {
            Some("--logon can only be used with the Task Scheduler of Windows")
        } else if which.account.is_some() && !takes_account {
            Some("--account can only be used on Windows, and with 'install --for systemd-system'")
        } else {
            None
        }
    }
}

/// Options of an installation.
#[derive(Debug, Args)]
pub struct InstallService {
    /// Only show what would be made
    #[arg(long)]
    pub print: bool,
    /// Path of rosterbridge in what is shown, when it is for another computer
    #[arg(long, requires = "print", value_name = "FILE")]
    pub executable: Option<PathBuf>,
    /// How the Task Scheduler logs the account on; with its password unless you say otherwise
    #[arg(long, value_enum)]
    pub logon: Option<Logon>,
    /// Which service it is.
    #[command(flatten)]
    pub which: WhichService,
}

/// Which service of a profile.
#[derive(Debug, Args)]
pub struct WhichService {
    /// The service manager, if it is not the usual one of this system
    #[arg(long = "for", value_enum, value_name = "MANAGER")]
    pub manager: Option<ServiceManager>,
    /// The account that set the profile up, if it is not this one; 'rosterbridge' with systemd-system
    #[arg(long, value_name = "DOMAIN\\USER", value_parser = account_name)]
    pub account: Option<String>,
}

/// Reads the name of an account of the computer or of its domain. It stands on a line of the service's file: a line break
/// would begin another one there, a backslash at the end go on with the next.
fn account_name(name: &str) -> Result<String, String> {
    let no_name = name.trim().is_empty() || name.contains(char::is_control) || name.ends_with('\\');
    if no_name { Err("no account has such a name".to_owned()) } else { Ok(name.to_owned()) }
}
