//! Windows: a task of the Task Scheduler, in the form of its schema (MS-TSCH 2.3).
//!
//! Windows opens the account's Credential Manager to a program only where it knows the account's password: after the
//! account logged on by itself, or with the password that is stored with the task.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use quick_xml::escape::escape;

use super::{
    Service, ServiceError, ServiceManager, command,
    plan::{LastExit, State},
};

/// How Windows logs the account on for the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Logon {
    /// With its password, which Windows asks for and keeps: runs from the computer's start, whoever is logged on
    Password,
    /// Only while the account is logged on
    Interactive,
    /// Without a password: refused, because the keychain stays closed
    S4u,
    /// As the computer itself: refused, because it has no keychain of the profile's account
    System,
}

/// How Windows logs the account on, of the ways that open its keychain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogonType {
    /// With the password that Windows keeps with the task.
    Password,
    /// As the person who is logged on.
    Interactive,
}

/// Accounts of the system itself, without `NT AUTHORITY\`.
const SYSTEM_ACCOUNTS: [&str; 6] =
    ["system", "localsystem", "local service", "localservice", "network service", "networkservice"];

/// Security identifiers of the system's own accounts; the last one begins those of Windows services.
const SYSTEM_SIDS: [&str; 3] = ["S-1-5-18", "S-1-5-19", "S-1-5-20"];
const SERVICE_SIDS: &str = "S-1-5-80-";

/// Refuses whatever can't open the keychain of a profile's account. `sid` is the account's security identifier, where
/// it is known: the names above are translated on some Windows.
pub fn check_account(account: &str, sid: Option<&str>, logon: Logon) -> Result<LogonType, ServiceError> {
    let refused = |what: String| Err(ServiceError::KeychainClosed { what });
    let logon_type = match logon {
        Logon::Password => LogonType::Password,
        Logon::Interactive => LogonType::Interactive,
        Logon::S4u => return refused("A task without a stored password (S4U)".to_owned()),
        Logon::System => return refused("The SYSTEM account".to_owned()),
    };
    let lower = account.to_lowercase();
    let name = lower.rsplit_once('\\').map_or(lower.as_str(), |(_, name)| name);
    let is_system = SYSTEM_ACCOUNTS.contains(&name)
        || lower.starts_with("nt service\\")
        // A computer's account, which SYSTEM goes by in its own environment.
        || lower.ends_with('$')
        || SYSTEM_SIDS.contains(&account)
        || sid.is_some_and(|sid| SYSTEM_SIDS.contains(&sid) || sid.starts_with(SERVICE_SIDS));
    if is_system { refused(format!("The account {account}")) } else { Ok(logon_type) }
}

/// The account this runs under as Windows names it; on other systems, where a task is only printed, its plain name.
fn own_account() -> String {
    let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let user = variable("USERNAME").or_else(|| variable("USER")).unwrap_or_else(|| "ACCOUNT".to_owned());
    match variable("USERDOMAIN") {
        Some(domain) => format!("{domain}\\{user}"),
        None => user,
    }
}

/// The account named, or the one this runs under with its security identifier.
pub async fn account_or_own(account: Option<String>) -> (String, Option<String>) {
    match account {
        Some(account) => (account, None),
        None => (own_account(), own_sid().await),
    }
}

/// The security identifier of the account this runs under, which no language of Windows translates.
async fn own_sid() -> Option<String> {
    if !ServiceManager::Windows.is_here() {
        return None;
    }
    let query = ["whoami", "/user", "/fo", "csv", "/nh"].map(str::to_owned);
    let output = command::output(&query).await.ok()?;
    let row = String::from_utf8_lossy(&output.stdout).into_owned();
    row.rsplit(',').next().map(|sid| sid.trim().trim_matches('"').to_owned())
}

/// The task's name in its folder. All accounts of a computer share the folder, so the account is part of the name.
pub fn leaf(profile: &str, account: &str) -> String {
    let account: String = account.chars().map(|c| if r#"\/:*?"<>|"#.contains(c) { '.' } else { c }).collect();
    format!("{profile}-{account}")
}

/// The task's name with its folder.
pub fn task_name(profile: &str, account: &str) -> String {
    format!("RosterBridge\\{}", leaf(profile, account))
}

/// Where the task's text is written. `data` is the account's folder of RosterBridge's data.
pub fn file(data: &Path, profile: &str, account: &str) -> PathBuf {
    data.join("services").join(format!("{}.xml", leaf(profile, account)))
}

/// The arguments as they stand in the task: what tells one service's task from another's.
pub fn arguments(service: &Service) -> String {
    escape(service.arguments().map(argument).join(" ")).into_owned()
}

/// Refuses paths that Windows would replace something in, whatever `why` says.
pub fn check_variables(service: &Service, why: &'static str) -> Result<(), ServiceError> {
    match [service.executable(), service.home()].iter().find(|path| path.matches('%').count() > 1) {
        Some(path) => Err(ServiceError::UnusablePath { path: (*path).to_owned(), why }),
        None => Ok(()),
    }
}

/// The task's text. The Task Scheduler replaces `%NAME%` in it and has no way to write a percent sign that stays one.
pub fn task(service: &Service, account: &str, logon: LogonType) -> Result<String, ServiceError> {
    check_variables(service, "the Task Scheduler takes what is between two percent signs for a variable")?;
    let account = escape(account);
    // A restart on failure covers a program that can't be started, not one that ends: so it is started again and again,
    // which does nothing while it runs.
    let (trigger, of_account, logon_type) = match logon {
        LogonType::Password => ("BootTrigger", String::new(), "Password"),
        LogonType::Interactive => {
            ("LogonTrigger", format!("\n      <UserId>{account}</UserId>"), "InteractiveToken")
        }
    };
    Ok(format!(
        r#"<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>RosterBridge, profile {profile}. Written by 'rosterbridge service install'; 'rosterbridge service uninstall' removes it.</Description>
  </RegistrationInfo>
  <Triggers>
    <{trigger}>
      <Repetition>
        <Interval>PT5M</Interval>
        <StopAtDurationEnd>false</StopAtDurationEnd>
      </Repetition>
      <Enabled>true</Enabled>{of_account}
    </{trigger}>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>{account}</UserId>
      <LogonType>{logon_type}</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <AllowHardTerminate>true</AllowHardTerminate>
    <StartWhenAvailable>true</StartWhenAvailable>
    <RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>
    <IdleSettings>
      <StopOnIdleEnd>false</StopOnIdleEnd>
      <RestartOnIdle>false</RestartOnIdle>
    </IdleSettings>
    <AllowStartOnDemand>true</AllowStartOnDemand>
    <Enabled>true</Enabled>
    <Hidden>false</Hidden>
    <RunOnlyIfIdle>false</RunOnlyIfIdle>
    <WakeToRun>false</WakeToRun>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>7</Priority>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>255</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{command}</Command>
      <Arguments>{arguments}</Arguments>
    </Exec>
  </Actions>
</Task>
"#,
        profile = service.profile(),
        command = escape(service.executable()),
        arguments = arguments(service),
    ))
}

/// A word of a command line that `CommandLineToArgvW` gives back as `value`.
pub fn argument(value: &str) -> String {
    let mut word = String::with_capacity(value.len() + 2);
    let mut backslashes = 0;
    word.push('"');
    for c in value.chars() {
        if c == '"' {
            // Those before a quotation mark count double, and it needs one of its own.
            word.extend(std::iter::repeat_n('\\', backslashes + 1));
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        word.push(c);
    }
    word.extend(std::iter::repeat_n('\\', backslashes));
    word.push('"');
    word
}

/// What makes the Task Scheduler take the task and start it. `/RP *` makes it ask for the password itself.
pub fn install_commands(
    profile: &str,
    file: &str,
    account: &str,
    logon: LogonType,
    state: &State,
    replaces: bool,
) -> Vec<Vec<String>> {
    let name = task_name(profile, account);
    let mut create = schtasks(&["/Create", "/TN", &name, "/XML", file, "/F"]);
    if logon == LogonType::Password {
        create.extend(["/RU", account, "/RP", "*"].map(str::to_owned));
    }
    let mut commands = vec![create];
    if state.running && replaces {
        commands.push(schtasks(&["/End", "/TN", &name]));
    }
    if !state.running || replaces {
        commands.push(schtasks(&["/Run", "/TN", &name]));
    }
    commands
}

/// What ends and deletes it, before the file is removed.
pub fn stop_commands(profile: &str, account: &str, state: &State) -> Vec<Vec<String>> {
    let name = task_name(profile, account);
    let mut commands = Vec::new();
    if state.running {
        commands.push(schtasks(&["/End", "/TN", &name]));
    }
    if state.known {
        commands.push(schtasks(&["/Delete", "/TN", &name, "/F"]));
    }
    commands
}

/// Asks for the task's state. It fails when there is no such task.
pub fn query(profile: &str, account: &str) -> Vec<String> {
    schtasks(&["/Query", "/TN", &task_name(profile, account), "/FO", "CSV", "/V", "/NH"])
}

/// Results of a task that are none of its program's: SCHED_S_TASK_RUNNING, SCHED_S_TASK_HAS_NOT_RUN and
/// SCHED_S_TASK_TERMINATED.
const RUNNING: i64 = 0x41301;
const HAS_NOT_RUN: i64 = 0x41303;
const TERMINATED: i64 = 0x41306;

/// Column of the last result, the one that no language of Windows translates.
const LAST_RESULT: usize = 6;

/// Reads the answer, a line of comma-separated values for each trigger.
pub fn read_state(answer: &str) -> State {
    let mut rows = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(answer.as_bytes())
        .into_records();
    let result: Option<i64> = rows.find_map(|row| row.ok()?.get(LAST_RESULT)?.trim().parse().ok());
    State {
        known: true,
        running: result == Some(RUNNING),
        last_exit: match result {
            None | Some(RUNNING | HAS_NOT_RUN) => None,
            Some(TERMINATED) => Some(LastExit::Stopped),
            Some(code) => Some(LastExit::Code(code)),
        },
    }
}

fn schtasks(arguments: &[&str]) -> Vec<String> {
    ["schtasks"].iter().chain(arguments).map(|&word| word.to_owned()).collect()
}

/// The words `CommandLineToArgvW` makes of a command line, by its documentation.
#[cfg(test)]
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut backslashes = 0;
    for c in line.chars() {
        if c == '\\' {
            backslashes += 1;
            continue;
        }
        let literal = if c == '"' { backslashes / 2 } else { backslashes };
        let escaped = c == '"' && backslashes % 2 == 1;
        if backslashes > 0 {
            word.get_or_insert_default().extend(std::iter::repeat_n('\\', literal));
        }
        backslashes = 0;
        match c {
            '"' if !escaped => {
                word.get_or_insert_default();
                quoted = !quoted;
            }
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    assert!(!quoted && backslashes == 0, "{line}");
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::service::xml;

    fn task_of(executable: &str, home: &str, logon: LogonType) -> Result<String, ServiceError> {
        let service = Service::new(Path::new(executable), Path::new(home), "default").unwrap();
        task(&service, r"DISTRICT\svc & roster", logon)
    }

    #[rstest]
    #[case::password("password", LogonType::Password)]
    #[case::interactive("interactive", LogonType::Interactive)]
    fn the_task(#[case] name: &str, #[case] logon: LogonType) {
        let task = task_of(
            r"C:\Program Files\RosterBridge\rosterbridge.exe",
            r"C:\Users\Office\AppData\Local\RosterBridge\data",
            logon,
        );
        insta::assert_snapshot!(name, task.unwrap());
    }

    proptest! {
        #[test]
        fn every_path_reaches_the_program_unchanged(
            folder in r#"[ a-z"'\\$&<>;#\[\]éß漢🏫-]{0,30}%?"#,
            home in r#"[ a-z"'\\$&<>;#\[\]éß漢🏫-]{0,15}%?[ a-z"'\\]{0,15}"#,
        ) {
            let (executable, home) = (format!(r"C:\{folder}\rosterbridge.exe"), format!(r"D:\{home}"));
            let task = task_of(&executable, &home, LogonType::Password).unwrap();
            prop_assert_eq!(xml::texts(&task, "Task/Actions/Exec/Command"), [executable]);
            let arguments = xml::texts(&task, "Task/Actions/Exec/Arguments");
            prop_assert_eq!(words(&arguments.join("")), ["--home", &home, "--profile", "default", "run"]);
            prop_assert_eq!(
                xml::texts(&task, "Task/Principals/Principal/UserId"), [r"DISTRICT\svc & roster"]
            );
        }
    }

    #[rstest]
    #[case(r"C:\%TEMP%\rosterbridge.exe", r"D:\data")]
    #[case(r"C:\bin\rosterbridge.exe", r"D:\50%\60%")]
    fn a_variable_in_a_path_is_refused(#[case] executable: &str, #[case] home: &str) {
        let error = task_of(executable, home, LogonType::Password).unwrap_err();
        assert_eq!(error.code(), "service.unusable_path");
    }

    #[rstest]
    #[case::a_person(r"DISTRICT\office", Some("S-1-5-21-1-2-3-1001"), Logon::Password, true)]
    #[case::logged_on("office@district.org", None, Logon::Interactive, true)]
    #[case::called_nearly_so(r"DISTRICT\systems", None, Logon::Password, true)]
    #[case::s4u(r"DISTRICT\office", None, Logon::S4u, false)]
    #[case::as_system(r"DISTRICT\office", None, Logon::System, false)]
    #[case::system("SYSTEM", None, Logon::Password, false)]
    #[case::with_domain(r"NT AUTHORITY\Local Service", None, Logon::Password, false)]
    #[case::translated(r"NT-AUTORITÄT\NETZWERKDIENST", Some("S-1-5-20"), Logon::Password, false)]
    #[case::by_sid("S-1-5-18", None, Logon::Password, false)]
    #[case::a_service(r"NT SERVICE\RosterBridge", None, Logon::Interactive, false)]
    #[case::the_computer(r"WORKGROUP\OFFICE-PC$", Some("S-1-5-18"), Logon::Password, false)]
    fn who_can_not_open_the_keychain_is_refused(
        #[case] account: &str,
        #[case] sid: Option<&str>,
        #[case] logon: Logon,
        #[case] taken: bool,
    ) {
        match check_account(account, sid, logon) {
            Ok(_) => assert!(taken),
            Err(error) => assert_eq!((error.code(), taken), ("service.keychain_closed", false)),
        }
    }

    #[test]
    fn accounts_do_not_share_a_task() {
        assert_eq!(task_name("default", r"DISTRICT\office"), r"RosterBridge\default-DISTRICT.office");
        assert_ne!(task_name("default", r"DISTRICT\office"), task_name("default", r"COUNTY\office"));
    }

    #[rstest]
    #[case::new(LogonType::Password, State::default(), false, &["/Create /TN T /XML F /F /RU a /RP *", "/Run /TN T"])]
    #[case::interactive(LogonType::Interactive, State::default(), false, &["/Create /TN T /XML F /F", "/Run /TN T"])]
    #[case::runs_on(LogonType::Interactive, running(), false, &["/Create /TN T /XML F /F"])]
    #[case::another(LogonType::Interactive, running(), true,
        &["/Create /TN T /XML F /F", "/End /TN T", "/Run /TN T"])]
    fn it_is_started_once(
        #[case] logon: LogonType,
        #[case] state: State,
        #[case] replaces: bool,
        #[case] expected: &[&str],
    ) {
        let commands = install_commands("default", "F", "a", logon, &state, replaces);
        let lines: Vec<_> = commands.iter().map(|words| words.join(" ")).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|line| format!("schtasks {}", line.replace("/TN T", r"/TN RosterBridge\default-a")))
            .collect();
        assert_eq!(lines, expected);
    }

    fn running() -> State {
        State { known: true, running: true, last_exit: None }
    }

    #[rstest]
    #[case::running("267009", true, None)]
    #[case::never_ran("267011", false, None)]
    #[case::stopped("267014", false, Some(LastExit::Stopped))]
    #[case::failed("1", false, Some(LastExit::Code(1)))]
    #[case::not_found("-2147024894", false, Some(LastExit::Code(-2_147_024_894)))]
    #[case::not_told("N/A", false, None)]
    fn the_state_is_read(#[case] result: &str, #[case] running: bool, #[case] last_exit: Option<LastExit>) {
        let row = format!(
            "\"PC\",\"\\RosterBridge\\default-a\",\"N/A\",\"Wird ausgef\u{fffd}hrt\",\"x, y\",\"11/22/2026\",\"{result}\",\"office\"\r\n"
        );
        assert_eq!(read_state(&row), State { known: true, running, last_exit });
    }
}
