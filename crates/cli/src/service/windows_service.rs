//! Windows: a service of its service control manager, which runs from the computer's start.
//!
//! It is logged on with the account's password, which Windows keeps, so that it can open the account's Credential Manager:
//! see [`task_scheduler`], the other way to have that.

#[cfg(any(windows, test))]
use super::plan::{LastExit, State};
use super::{
    Service, ServiceError,
    task_scheduler::{self, Logon},
};

/// The option of `run` that has it report to the service control manager.
const AS_SERVICE: &str = "--as-service";

/// Seconds until Windows starts it again after it failed.
pub const RESTART_AFTER: u32 = 60;

/// What the service control manager is told of a service.
#[derive(Debug)]
pub struct Definition {
    /// Its name: what commands call it by.
    pub name: String,
    /// What the list of services shows.
    pub display_name: String,
    /// What the list of services says about it.
    pub description: String,
    /// The program.
    pub executable: String,
    /// What the program is started with.
    pub arguments: Vec<String>,
    /// The account it is logged on as.
    pub account: String,
}

impl Definition {
    /// Works it out. `sid` is the account's security identifier, where it is known.
    pub fn new(service: &Service, account: &str, sid: Option<&str>) -> Result<Self, ServiceError> {
        task_scheduler::check_account(account, sid, Logon::Password)?;
        task_scheduler::check_variables(
            service,
            "Windows takes what is between two percent signs for a variable",
        )?;
        let profile = service.profile();
        Ok(Self {
            name: name(profile, account),
            display_name: format!("RosterBridge, profile {profile}"),
            description: format!(
                "Runs the exchanges of RosterBridge's profile {profile}. Made by 'rosterbridge service install'; \
                 'rosterbridge service uninstall' removes it."
            ),
            executable: service.executable().to_owned(),
            arguments: arguments(service),
            account: qualified(account),
        })
    }

    /// How Windows starts it.
    pub fn command_line(&self) -> String {
        format!("{} {}", word(&self.executable), joined(&self.arguments))
    }

    /// What is made, for a person.
    pub fn text(&self) -> String {
        format!(
            "\
Service name:   {name}
Display name:   {display_name}
Description:    {description}
Program:        {program}
Logs on as:     {account}, with its password
Starts:         automatic, delayed
After failing:  starts again after {RESTART_AFTER} seconds
",
            name = self.name,
            display_name = self.display_name,
            description = self.description,
            program = self.command_line(),
            account = self.account,
        )
    }

    /// What a person should know once it is installed.
    pub fn notes(&self) -> [String; 3] {
        [
            format!(
                "It runs from the computer's start as {}, whoever is logged on. When that account's password changes, \
                 install it again.",
                self.account
            ),
            format!(
                "It finds only the secrets that this very account stored in its Credential Manager. Those of another \
                 account have to be stored once more: runas /user:{} cmd, and there rosterbridge secrets set NAME.",
                self.account
            ),
            "The account needs the right 'Log on as a service'.".to_owned(),
        ]
    }
}

/// What the program is started with.
fn arguments(service: &Service) -> Vec<String> {
    service.arguments().into_iter().chain([AS_SERVICE]).map(str::to_owned).collect()
}

/// The service's name. All accounts of a computer share the services, so the account is part of the name.
pub fn name(profile: &str, account: &str) -> String {
    format!("RosterBridge-{}", task_scheduler::leaf(profile, &qualified(account)))
}

/// An account in the form the service control manager takes: one of this computer has a dot for the computer's name.
fn qualified(account: &str) -> String {
    if account.contains(['\\', '@']) { account.to_owned() } else { format!(r".\{account}") }
}

/// Whether a service with this command line is this very one, of this version or another.
pub fn started_by(command_line: &str, service: &Service) -> bool {
    command_line.ends_with(&format!(" {}", joined(&arguments(service))))
}

fn joined(words: &[String]) -> String {
    words.iter().map(|value| word(value)).collect::<Vec<_>>().join(" ")
}

/// A word of a command line; in quotation marks where it needs them.
fn word(value: &str) -> String {
    if value.is_empty() || value.contains([' ', '"']) {
        task_scheduler::argument(value)
    } else {
        value.to_owned()
    }
}

/// How a service that does not run has ended.
#[cfg(any(windows, test))]
#[derive(Clone, Copy, Debug)]
pub enum Ended {
    /// Windows ended it, or kept it from starting; or it came to a good end, with 0.
    Windows(u32),
    /// With an exit code of the program's own.
    Program(u32),
}

/// It was not started since the computer was: ERROR_SERVICE_NEVER_STARTED.
#[cfg(any(windows, test))]
const NEVER_STARTED: u32 = 1077;

/// What the service control manager knows of a service.
#[cfg(any(windows, test))]
pub fn state(running: bool, ended: Ended) -> State {
    let last_exit = match ended {
        Ended::Windows(NEVER_STARTED) => None,
        _ if running => None,
        Ended::Windows(code) | Ended::Program(code) => Some(LastExit::Code(code.into())),
    };
    State { known: true, running, last_exit }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn service(executable: &str, home: &str, profile: &str) -> Service {
        Service::new(Path::new(executable), Path::new(home), profile).unwrap()
    }

    fn definition(executable: &str, home: &str) -> Result<Definition, ServiceError> {
        Definition::new(&service(executable, home, "default"), r"DISTRICT\office", None)
    }

    #[test]
    fn the_service() {
        let definition = definition(
            r"C:\Program Files\RosterBridge\rosterbridge.exe",
            r"C:\Users\Office\AppData\Local\RosterBridge\data",
        );
        insta::assert_snapshot!(definition.unwrap().text());
    }

    proptest! {
        #[test]
        fn every_path_reaches_the_program_unchanged(
            folder in r"[ a-z'\\$&<>;#\[\]éß漢🏫-]{0,30}%?",
            home in r#"[ a-z"'\\$&<>;#\[\]éß漢🏫-]{0,15}%?[ a-z"'\\]{0,15}"#,
        ) {
            let (executable, home) = (format!(r"C:\{folder}\rosterbridge.exe"), format!(r"D:\{home}"));
            let definition = definition(&executable, &home).unwrap();
            prop_assert_eq!(
                task_scheduler::words(&definition.command_line()),
                [executable.as_str(), "--home", &home, "--profile", "default", "run", "--as-service"]
            );
        }
    }

    #[test]
    fn what_is_started_is_a_command_line_of_ours() {
        let definition = definition(r"C:\rosterbridge.exe", r"D:\data").unwrap();
        let line = std::iter::once(&definition.executable).chain(&definition.arguments).map(Into::into);
        let cli = crate::args::Cli::read(line.collect::<Vec<_>>()).unwrap();
        assert!(matches!(cli.command, crate::args::Command::Run { as_service: true }));
    }

    /// A service is known again as its own after an update moved the program, and as no other's.
    #[test]
    fn a_service_knows_its_own_command_line() {
        let line = definition(r"C:\1 a\rosterbridge.exe", r"D:\a & b").unwrap().command_line();
        assert!(started_by(&line, &service(r"C:\2\rosterbridge.exe", r"D:\a & b", "default")));
        assert!(!started_by(&line, &service(r"C:\1 a\rosterbridge.exe", r"D:\a", "default")));
        assert!(!started_by(&line, &service(r"C:\1 a\rosterbridge.exe", r"D:\a & b", "practice")));
    }

    #[rstest]
    #[case::of_a_domain(r"DISTRICT\office", "RosterBridge-default-DISTRICT.office", r"DISTRICT\office")]
    #[case::by_mail_address(
        "office@district.org",
        "RosterBridge-default-office@district.org",
        "office@district.org"
    )]
    #[case::of_this_computer("office", "RosterBridge-default-..office", r".\office")]
    fn accounts_do_not_share_a_service(#[case] account: &str, #[case] name: &str, #[case] logs_on_as: &str) {
        let definition =
            Definition::new(&service(r"C:\rosterbridge.exe", r"D:\data", "default"), account, None).unwrap();
        assert_eq!((definition.name.as_str(), definition.account.as_str()), (name, logs_on_as));
    }

    #[rstest]
    #[case::system("LocalSystem", None)]
    #[case::network(r"NT AUTHORITY\NetworkService", None)]
    #[case::its_own(r"NT SERVICE\RosterBridge", None)]
    #[case::the_computer(r"WORKGROUP\OFFICE-PC$", Some("S-1-5-18"))]
    fn an_account_without_the_keychain_is_refused(#[case] account: &str, #[case] sid: Option<&str>) {
        let service = service(r"C:\rosterbridge.exe", r"D:\data", "default");
        assert_eq!(Definition::new(&service, account, sid).unwrap_err().code(), "service.keychain_closed");
    }

    #[test]
    fn a_variable_in_a_path_is_refused() {
        let error = definition(r"C:\%TEMP%\rosterbridge.exe", r"D:\data").unwrap_err();
        assert_eq!(error.code(), "service.unusable_path");
    }

    #[rstest]
    #[case::running(true, Ended::Windows(0), None)]
    #[case::never_ran(false, Ended::Windows(1077), None)]
    #[case::good_end(false, Ended::Windows(0), Some(LastExit::Code(0)))]
    #[case::failed(false, Ended::Program(1), Some(LastExit::Code(1)))]
    #[case::not_logged_on(false, Ended::Windows(1069), Some(LastExit::Code(1069)))]
    fn the_state_is_read(#[case] running: bool, #[case] ended: Ended, #[case] last_exit: Option<LastExit>) {
        assert_eq!(state(running, ended), State { known: true, running, last_exit });
    }
}
