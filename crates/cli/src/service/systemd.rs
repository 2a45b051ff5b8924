//! Linux: a unit of the account's own service manager (`systemd --user`), which shares the login's keyring.
//!
//! Quoting is that of systemd.syntax(7), variables and specifiers those of systemd.service(5) and systemd.unit(5).

use std::path::{Path, PathBuf};

use super::{
    Service, ServiceError,
    plan::{LastExit, State},
};

/// The unit's name. A profile's name has no character that a unit's may not have.
pub fn unit_name(profile: &str) -> String {
    format!("rosterbridge-{profile}.service")
}

/// `$XDG_CONFIG_HOME`, where it is set to a path that counts.
pub fn given_config_home() -> Option<PathBuf> {
    std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Where the unit is written. `config_home` is `$XDG_CONFIG_HOME`.
pub fn file(config_home: &Path, profile: &str) -> PathBuf {
    config_home.join("systemd/user").join(unit_name(profile))
}

/// The arguments as they stand in the unit: what tells one service's unit from another's.
pub fn arguments(service: &Service) -> String {
    service.arguments().map(argument).join(" ")
}

/// The unit's text. systemd starts nothing whose path holds a quotation mark or a backslash.
pub fn unit(service: &Service) -> Result<String, ServiceError> {
    if service.executable().contains(['"', '\'', '\\']) {
        return Err(ServiceError::UnusablePath {
            path: service.executable().to_owned(),
            why: "systemd starts no program whose path has a quotation mark or a backslash",
        });
    }
    // Variables are not replaced in the program's path, so its '$' stays single.
    let executable = format!("\"{}\"", service.executable().replace('%', "%%"));
    Ok(format!(
        "\
# Written by 'rosterbridge service install'; 'rosterbridge service uninstall' removes it.
# The units of an account can't wait for network-online.target: what finds no network yet is tried again.
[Unit]
Description=RosterBridge, profile {profile}

[Service]
Type=exec
ExecStart={executable} {arguments}
Restart=on-failure
RestartSec=30
# Wrong usage: no restart makes it right.
RestartPreventExitStatus=2
KillSignal=SIGTERM
TimeoutStopSec=30
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes

[Install]
WantedBy=default.target
",
        profile = service.profile(),
        arguments = arguments(service),
    ))
}

/// A word of `ExecStart=` that reaches the program as `value`.
fn argument(value: &str) -> String {
    let mut word = String::with_capacity(value.len() + 2);
    word.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => word.extend(['\\', c]),
            // A variable or a specifier otherwise.
            '$' | '%' => word.extend([c, c]),
            c => word.push(c),
        }
    }
    word.push('"');
    word
}

/// What makes systemd run the unit, now and at every login. A running one goes on, unless its unit is another now.
pub fn install_commands(profile: &str, replaces: bool) -> Vec<Vec<String>> {
    let unit = unit_name(profile);
    let mut commands = vec![systemctl(&["daemon-reload"]), systemctl(&["enable", "--now", &unit])];
    if replaces {
        commands.push(systemctl(&["restart", &unit]));
    }
    commands
}

/// What ends it, before the unit is removed.
pub fn stop_commands(profile: &str, state: &State) -> Vec<Vec<String>> {
    if state.known { vec![systemctl(&["disable", "--now", &unit_name(profile)])] } else { Vec::new() }
}

/// What makes systemd forget the removed unit.
pub fn forget_commands() -> Vec<Vec<String>> {
    vec![systemctl(&["daemon-reload"])]
}

/// Asks for the unit's state. It succeeds for an unknown unit too, and fails without a service manager only.
pub fn query(profile: &str) -> Vec<String> {
    systemctl(&[
        "show",
        "--property=LoadState,ActiveState,ExecMainCode,ExecMainStatus",
        "--",
        &unit_name(profile),
    ])
}

/// Reads the answer, lines of `Property=value`.
pub fn read_state(answer: &str) -> State {
    let property = |name: &str| {
        answer.lines().find_map(|line| line.split_once('=').filter(|(key, _)| *key == name)).map(|(_, v)| v)
    };
    let number = |name| property(name).and_then(|value| value.parse::<i64>().ok());
    State {
        known: property("LoadState") == Some("loaded"),
        running: matches!(property("ActiveState"), Some("active" | "reloading" | "deactivating")),
        // The codes are those of waitid(2): CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0 while none has ended.
        last_exit: match number("ExecMainCode") {
            Some(1) => number("ExecMainStatus").map(LastExit::Code),
            Some(2 | 3) => number("ExecMainStatus").map(LastExit::Signal),
            _ => None,
        },
    }
}

fn systemctl(arguments: &[&str]) -> Vec<String> {
    ["systemctl", "--user"].iter().chain(arguments).map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn unit_of(executable: &str, home: &str) -> Result<String, ServiceError> {
        unit(&Service::new(Path::new(executable), Path::new(home), "default").unwrap())
    }

    /// The words systemd makes of a command line without variables that are set, by systemd.syntax(7) and
    /// systemd.service(5).
    fn words(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut chars = line.chars().peekable();
        loop {
            while chars.next_if_eq(&' ').is_some() {}
            let Some(first) = chars.next() else { return words };
            assert_eq!(first, '"', "every word is quoted: {line}");
            let mut word = String::new();
            loop {
                match chars.next().expect("the quotation ends") {
                    '"' => break,
                    '\\' => match chars.next().unwrap() {
                        c @ ('\\' | '"' | '\'') => word.push(c),
                        other => panic!("escape \\{other}"),
                    },
                    '%' => {
                        assert_eq!(chars.next(), Some('%'), "a specifier: {line}");
                        word.push('%');
                    }
                    // The program's path is taken as it is.
                    '$' if !words.is_empty() => {
                        assert_eq!(chars.next(), Some('$'), "a variable: {line}");
                        word.push('$');
                    }
                    c => word.push(c),
                }
            }
            words.push(word);
        }
    }

    fn command_line(unit: &str) -> &str {
        let mut lines = unit.lines().filter_map(|line| line.strip_prefix("ExecStart="));
        let line = lines.next().unwrap();
        assert_eq!(lines.next(), None);
        line
    }

    #[test]
    fn the_unit() {
        insta::assert_snapshot!(
            unit_of("/usr/bin/rosterbridge", "/home/office/.local/share/rosterbridge").unwrap()
        );
    }

    proptest! {
        #[test]
        fn every_path_reaches_the_program_unchanged(
            folder in r"[ a-z%$&<>;#=*~{}éß漢🏫-]{0,30}",
            home in r#"[ a-z"'\\%$&<>;#=*~{}éß漢🏫-]{0,30}"#,
        ) {
            let (executable, home) = (format!("/opt/{folder}/rosterbridge"), format!("/srv/{home}"));
            let unit = unit_of(&executable, &home).unwrap();
            prop_assert_eq!(
                words(command_line(&unit)),
                [executable.as_str(), "--home", &home, "--profile", "default", "run"]
            );
        }
    }

    #[rstest]
    #[case(r#"/opt/the "new" one/rosterbridge"#)]
    #[case("/opt/today's/rosterbridge")]
    #[case(r"/opt/a\b/rosterbridge")]
    fn a_program_systemd_would_not_start_is_refused(#[case] executable: &str) {
        let error = unit_of(executable, "/srv/home").unwrap_err();
        assert_eq!(error.code(), "service.unusable_path");
    }

    /// systemd's own check takes the unit without a remark, and finds the program.
    #[rstest]
    #[case::plain("bin", "/home/office/.local/share/rosterbridge")]
    #[case::special("100% $HOME & <é>; #1", r#"/srv/a "b" 'c' \d $HOME ${HOME} 100%h é"#)]
    fn systemd_takes_the_unit(#[case] folder: &str, #[case] home: &str) {
        if Command::new("systemd-analyze").arg("--version").output().is_err() {
            eprintln!("SKIPPED: systemd-analyze is not on this machine.");
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let executable = root.path().join(folder).join("rosterbridge");
        std::fs::create_dir_all(executable.parent().unwrap()).unwrap();
        std::fs::copy("/bin/true", &executable).unwrap();
        let file = root.path().join(unit_name("default"));
        std::fs::write(&file, unit_of(executable.to_str().unwrap(), home).unwrap()).unwrap();
        let runtime = root.path().join("run");
        std::fs::create_dir(&runtime).unwrap();
        let output = Command::new("systemd-analyze")
            .args(["--user", "verify"])
            .arg(&file)
            .env("XDG_RUNTIME_DIR", &runtime)
            .env("HOME", root.path())
            .output()
            .unwrap();
        let remarks = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && remarks.is_empty(), "{remarks}");
    }

    #[rstest]
    #[case::unknown(
        "LoadState=not-found\nActiveState=inactive\nExecMainCode=0\nExecMainStatus=0\n",
        false,
        false,
        None
    )]
    #[case::running(
        "LoadState=loaded\nActiveState=active\nExecMainCode=0\nExecMainStatus=0\n",
        true,
        true,
        None
    )]
    #[case::waits_to_restart(
        "ExecMainStatus=1\nExecMainCode=1\nActiveState=activating\nLoadState=loaded\n",
        true,
        false,
        Some(LastExit::Code(1))
    )]
    #[case::killed(
        "LoadState=loaded\nActiveState=failed\nExecMainCode=2\nExecMainStatus=9\n",
        true,
        false,
        Some(LastExit::Signal(9))
    )]
    #[case::silent("", false, false, None)]
    fn the_state_is_read(
        #[case] answer: &str,
        #[case] known: bool,
        #[case] running: bool,
        #[case] last_exit: Option<LastExit>,
    ) {
        assert_eq!(read_state(answer), State { known, running, last_exit });
    }
}
