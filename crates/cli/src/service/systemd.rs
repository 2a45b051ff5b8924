//! Linux: a unit of the account's own service manager (`systemd --user`), which shares the login's keyring, or one of the
//! computer's, which brings a keyring of its own.
//!
//! Quoting is that of systemd.syntax(7), variables and specifiers those of systemd.service(5) and systemd.unit(5).

use std::path::{Path, PathBuf};

use super::{
    Service, ServiceError,
    plan::{LastExit, State},
};

/// Where the computer's units of an administrator are.
const SYSTEM_UNITS: &str = "/etc/systemd/system";

/// The password of the keyring that a unit of the computer unlocks, encrypted for this computer by `systemd-creds`.
const KEYRING_CREDENTIAL: &str = "/etc/rosterbridge/keyring.cred";

/// Unlocks the account's keyring with that password, and runs what is named after this with it.
const WITH_KEYRING: &str = r#"gnome-keyring-daemon --unlock --components=secrets < "$CREDENTIALS_DIRECTORY/keyring" > /dev/null && exec "$@""#;

/// Whose service manager it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// The account's own.
    Account,
    /// The computer's, for this account.
    Computer(&'a str),
}

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

/// Where one of the computer is written.
pub fn system_file(profile: &str) -> PathBuf {
    Path::new(SYSTEM_UNITS).join(unit_name(profile))
}

/// The arguments as they stand in the unit: what tells one service's unit from another's.
pub fn arguments(service: &Service) -> String {
    service.arguments().map(argument).join(" ")
}

/// The unit's text. systemd starts nothing whose path holds a quotation mark or a backslash.
pub fn unit(service: &Service, scope: Scope) -> Result<String, ServiceError> {
    if service.executable().contains(['"', '\'', '\\']) {
        return Err(ServiceError::UnusablePath {
            path: service.executable().to_owned(),
            why: "systemd starts no program whose path has a quotation mark or a backslash",
        });
    }
    let (network, account, started) = match scope {
        Scope::Account => (
            "# The units of an account can't wait for network-online.target: what finds no network yet is tried again.\n\
             [Unit]\n",
            String::new(),
            // Variables are not replaced in the program's path, so its '$' stays single.
            format!("\"{}\"", service.executable().replace('%', "%%")),
        ),
        Scope::Computer(account) => (
            "[Unit]\nWants=network-online.target\nAfter=network-online.target\n",
            format!(
                "User={}\n# The password of the account's keyring.\n\
                 LoadCredentialEncrypted=keyring:{KEYRING_CREDENTIAL}\n",
                account.replace('%', "%%")
            ),
            ["/usr/bin/dbus-run-session", "--", "/bin/sh", "-c", WITH_KEYRING, "sh", service.executable()]
                .map(argument)
                .join(" "),
        ),
    };
    let wanted_by = match scope {
        Scope::Account => "default.target",
        Scope::Computer(_) => "multi-user.target",
    };
    Ok(format!(
        "\
# Written by 'rosterbridge service install'; 'rosterbridge service uninstall' removes it.
{network}Description=RosterBridge, profile {profile}

[Service]
Type=exec
{account}ExecStart={started} {arguments}
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
WantedBy={wanted_by}
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
pub fn install_commands(profile: &str, scope: Scope, replaces: bool) -> Vec<Vec<String>> {
    let unit = unit_name(profile);
    let mut commands =
        vec![systemctl(scope, &["daemon-reload"]), systemctl(scope, &["enable", "--now", &unit])];
    if replaces {
        commands.push(systemctl(scope, &["restart", &unit]));
    }
    commands
}

/// What ends it, before the unit is removed.
pub fn stop_commands(profile: &str, scope: Scope, state: &State) -> Vec<Vec<String>> {
    if state.known { vec![systemctl(scope, &["disable", "--now", &unit_name(profile)])] } else { Vec::new() }
}

/// What makes systemd forget the removed unit.
pub fn forget_commands(scope: Scope) -> Vec<Vec<String>> {
    vec![systemctl(scope, &["daemon-reload"])]
}

/// Asks for the unit's state. It succeeds for an unknown unit too, and fails without a service manager only.
pub fn query(profile: &str, scope: Scope) -> Vec<String> {
    let properties = "--property=LoadState,ActiveState,ExecMainCode,ExecMainStatus";
    systemctl(scope, &["show", properties, "--", &unit_name(profile)])
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

fn systemctl(scope: Scope, arguments: &[&str]) -> Vec<String> {
    let whose: &[&str] = match scope {
        Scope::Account => &["--user"],
        Scope::Computer(_) => &[],
    };
    ["systemctl"].iter().chain(whose).chain(arguments).map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn unit_of(executable: &str, home: &str, scope: Scope) -> Result<String, ServiceError> {
        unit(&Service::new(Path::new(executable), Path::new(home), "default").unwrap(), scope)
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
        let home = "/home/office/.local/share/rosterbridge";
        insta::assert_snapshot!(unit_of("/usr/bin/rosterbridge", home, Scope::Account).unwrap());
    }

    #[test]
    fn the_unit_of_the_computer() {
        let scope = Scope::Computer("rosterbridge");
        insta::assert_snapshot!(unit_of("/usr/bin/rosterbridge", "/var/lib/rosterbridge", scope).unwrap());
    }

    proptest! {
        #[test]
        fn every_path_reaches_the_program_unchanged(
            folder in r"[ a-z%$&<>;#=*~{}éß漢🏫-]{0,30}",
            home in r#"[ a-z"'\\%$&<>;#=*~{}éß漢🏫-]{0,30}"#,
        ) {
            let (executable, home) = (format!("/opt/{folder}/rosterbridge"), format!("/srv/{home}"));
            let started = [executable.as_str(), "--home", &home, "--profile", "default", "run"];
            let unit = unit_of(&executable, &home, Scope::Account).unwrap();
            prop_assert_eq!(words(command_line(&unit)), started);
            let unit = unit_of(&executable, &home, Scope::Computer("rosterbridge")).unwrap();
            let line = words(command_line(&unit));
            let (before, after) = line.split_at(6);
            prop_assert_eq!(
                before, ["/usr/bin/dbus-run-session", "--", "/bin/sh", "-c", WITH_KEYRING, "sh"]
            );
            prop_assert_eq!(after, started);
        }
    }

    #[rstest]
    #[case(r#"/opt/the "new" one/rosterbridge"#)]
    #[case("/opt/today's/rosterbridge")]
    #[case(r"/opt/a\b/rosterbridge")]
    fn a_program_systemd_would_not_start_is_refused(#[case] executable: &str) {
        let error = unit_of(executable, "/srv/home", Scope::Account).unwrap_err();
        assert_eq!(error.code(), "service.unusable_path");
    }

    /// The shell of a unit of the computer, with a keyring daemon of the test's own: it is given the password, and the
    /// program is not started unless it takes it.
    #[cfg(target_os = "linux")]
    #[rstest]
    #[case::taken("password", true)]
    #[case::refused("another", false)]
    fn the_program_is_started_once_the_keyring_is_open(#[case] password: &str, #[case] started: bool) {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let daemon = root.path().join("gnome-keyring-daemon");
        std::fs::write(&daemon, "#!/bin/sh\necho noise; read given; [ \"$given $*\" = \"password --unlock --components=secrets\" ]\n")
            .unwrap();
        std::fs::set_permissions(&daemon, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(root.path().join("keyring"), format!("{password}\n")).unwrap();
        let output = Command::new("/bin/sh")
            .args(["-c", WITH_KEYRING, "sh", "/bin/echo", "--home", "/srv/a  b"])
            .env("PATH", root.path())
            .env("CREDENTIALS_DIRECTORY", root.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            (said.as_str(), output.status.success()),
            (if started { "--home /srv/a  b\n" } else { "" }, started)
        );
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
        std::fs::write(&file, unit_of(executable.to_str().unwrap(), home, Scope::Account).unwrap()).unwrap();
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
