//! macOS: a LaunchAgent of the account, see launchd.plist(5). A LaunchDaemon would run without the account's login, and
//! so without its keychain.

use std::path::{Path, PathBuf};

use quick_xml::escape::escape;

use super::{
    Service, command,
    plan::{LastExit, State},
};

/// The number of the account this runs under. Windows has none; what is printed there says nothing of an account.
pub async fn own_uid() -> u32 {
    match command::output(&["id", "-u"].map(str::to_owned)).await {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or_default(),
        Err(_) => 0,
    }
}

/// The agent's label.
pub fn label(profile: &str) -> String {
    format!("app.rosterbridge.{profile}")
}

/// Where the agent is written. `user_home` is the account's home.
pub fn file(user_home: &Path, profile: &str) -> PathBuf {
    user_home.join("Library/LaunchAgents").join(format!("{}.plist", label(profile)))
}

/// The arguments as they stand in the property list: what tells one service's agent from another's.
pub fn arguments(service: &Service) -> String {
    service.arguments().map(string).join("\n")
}

/// The property list's text.
pub fn property_list(service: &Service) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Written by 'rosterbridge service install'; 'rosterbridge service uninstall' removes it. -->
<plist version="1.0">
<dict>
    <key>Label</key>
    <string>{label}</string>
    <key>ProgramArguments</key>
    <array>
{executable}
{arguments}
    </array>
    <key>RunAtLoad</key>
    <true/>
    <key>KeepAlive</key>
    <dict>
        <key>SuccessfulExit</key>
        <false/>
    </dict>
    <key>ThrottleInterval</key>
    <integer>30</integer>
    <key>ExitTimeOut</key>
    <integer>30</integer>
    <key>Umask</key>
    <integer>{umask}</integer>
</dict>
</plist>
"#,
        label = label(service.profile()),
        executable = string(service.executable()),
        arguments = arguments(service),
        umask = 0o077,
    )
}

fn string(value: &str) -> String {
    format!("        <string>{}</string>", escape(value))
}

/// The agent in the account's graphical session.
fn target(uid: u32, profile: &str) -> String {
    format!("gui/{uid}/{}", label(profile))
}

/// What makes launchd run the agent, now and at every login. One that is loaded already goes on, unless its property
/// list is another now: launchd reads that when it loads.
pub fn install_commands(
    profile: &str,
    file: &str,
    uid: u32,
    state: &State,
    replaces: bool,
) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    if state.known && replaces {
        commands.extend(stop_commands(profile, uid, state));
    }
    if !state.known || replaces {
        // Whoever once disabled the agent could not load it otherwise.
        commands.push(launchctl(&["enable", &target(uid, profile)]));
        commands.push(launchctl(&["bootstrap", &format!("gui/{uid}"), file]));
    }
    commands
}

/// What ends it, before the file is removed.
pub fn stop_commands(profile: &str, uid: u32, state: &State) -> Vec<Vec<String>> {
    if state.known { vec![launchctl(&["bootout", &target(uid, profile)])] } else { Vec::new() }
}

/// Asks for the agent's state. It fails when the agent is not loaded.
pub fn query(profile: &str, uid: u32) -> Vec<String> {
    launchctl(&["print", &target(uid, profile)])
}

/// Reads the answer. launchctl(1) promises no form for it, so what is not recognised is taken as not told.
pub fn read_state(answer: &str) -> State {
    let value = |name: &str| {
        answer.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(" = ")).map(str::trim)
    };
    let code = value("last exit code").and_then(|code| code.split(':').next()?.parse().ok());
    // Such as 'Killed: 9'.
    let signal = value("last terminating signal").and_then(|text| text.rsplit(' ').next()?.parse().ok());
    State {
        known: true,
        running: value("pid").is_some(),
        last_exit: signal.map(LastExit::Signal).or(code.map(LastExit::Code)),
    }
}

fn launchctl(arguments: &[&str]) -> Vec<String> {
    ["launchctl"].iter().chain(arguments).map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::service::xml;

    fn list_of(executable: &str, home: &str) -> String {
        property_list(&Service::new(Path::new(executable), Path::new(home), "default").unwrap())
    }

    #[test]
    fn the_property_list() {
        insta::assert_snapshot!(list_of(
            "/Applications/RosterBridge.app/Contents/MacOS/rosterbridge",
            "/Users/office/Library/Application Support/app.RosterBridge"
        ));
    }

    proptest! {
        #[test]
        fn every_path_reaches_the_program_unchanged(
            folder in r#"[ a-z"'\\%$&<>;#\[\]éß漢🏫-]{0,30}"#,
            home in r#"[ a-z"'\\%$&<>;#\[\]éß漢🏫-]{0,30}"#,
        ) {
            let (executable, home) = (format!("/opt/{folder}/rosterbridge"), format!("/srv/{home}"));
            let list = list_of(&executable, &home);
            prop_assert_eq!(
                xml::texts(&list, "plist/dict/array/string"),
                [executable.as_str(), "--home", &home, "--profile", "default", "run"]
            );
        }
    }

    #[rstest]
    #[case::new(State::default(), false, &["enable gui/501/L", "bootstrap gui/501 F"])]
    #[case::the_same(State { known: true, ..State::default() }, false, &[])]
    #[case::another(State { known: true, ..State::default() }, true,
        &["bootout gui/501/L", "enable gui/501/L", "bootstrap gui/501 F"])]
    fn it_is_loaded_once(#[case] state: State, #[case] replaces: bool, #[case] expected: &[&str]) {
        let commands = install_commands("default", "F", 501, &state, replaces);
        let expected: Vec<_> = expected
            .iter()
            .map(|line| format!("launchctl {}", line.replace("/L", "/app.rosterbridge.default")))
            .collect();
        assert_eq!(commands.iter().map(|words| words.join(" ")).collect::<Vec<_>>(), expected);
    }

    #[rstest]
    #[case::running(
        "gui/501/x = {\n\tstate = running\n\tpid = 812\n\tlast exit code = (never exited)\n}",
        true,
        None
    )]
    #[case::ended("x = {\n\tstate = not running\n\tlast exit code = 1\n}", false, Some(LastExit::Code(1)))]
    #[case::named_code("x = {\n\tlast exit code = 78: EX_CONFIG\n}", false, Some(LastExit::Code(78)))]
    #[case::killed("x = {\n\tlast terminating signal = Killed: 9\n}", false, Some(LastExit::Signal(9)))]
    #[case::another_form("state: fine", false, None)]
    fn the_state_is_read(#[case] answer: &str, #[case] running: bool, #[case] last_exit: Option<LastExit>) {
        assert_eq!(read_state(answer), State { known: true, running, last_exit });
    }
}
