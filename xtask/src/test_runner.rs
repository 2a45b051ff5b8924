//! What nextest starts every test with, on Linux: `xtask run-test PROGRAM ARGUMENT…`.
//!
//! nextest gives each test a process of its own, and this gives those that keep secrets a session bus and a keyring of
//! their own. gnome-keyring ends itself now and then (`g_variant_new: expected GVariant of type 'v'`, seen with 42.1):
//! then the test it served fails and says so, and no other one is touched.

use crate::{process::StepError, session_bus::PrivateSession};
use std::{
    env,
    process::{Command, ExitStatus},
};

/// Packages whose tests in `tests/` keep secrets.
const WITH_SECRETS: &[&str] = &[
    "rosterbridge-api",
    "rosterbridge-cli",
    "rosterbridge-desktop",
    "rosterbridge-engine",
    "rosterbridge-vault",
];

/// Runs one test to its end, or lists a binary's tests. The exit code is the program's own.
pub fn run(program: &str, arguments: &[&str]) -> Result<u8, StepError> {
    let mut command = Command::new(program);
    command.args(arguments);
    if !env::var("NEXTEST_BINARY_ID").is_ok_and(|binary| keeps_secrets(&binary)) {
        return wait(&mut command).map(exit_code);
    }
    let home = tempfile::tempdir().map_err(|source| StepError::file("a temporary folder", source))?;
    let mut session = PrivateSession::start(home.path())?;
    let status = wait(session.apply(&mut command))?;
    if let Some(said) = session.last_words() {
        eprintln!("gnome-keyring has ended by itself during this test. It said:\n{said}");
    }
    Ok(exit_code(status))
}

/// nextest's name of a binary is `PACKAGE` for a library's tests, `PACKAGE::NAME` for those of a file in `tests/`, and
/// `PACKAGE::bin/NAME` for a program's own.
fn keeps_secrets(binary: &str) -> bool {
    binary
        .split_once("::")
        .is_some_and(|(package, name)| WITH_SECRETS.contains(&package) && !name.contains('/'))
}

fn wait(command: &mut Command) -> Result<ExitStatus, StepError> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.status().map_err(|source| StepError::Start { program, source })
}

/// As a shell gives it: 128 and the signal's number for a program that a signal has ended.
fn exit_code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    let code = status.code().or_else(|| signal.map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tests_that_keep_secrets_get_a_keyring() {
        for binary in ["rosterbridge-cli::scenarios", "rosterbridge-vault::keychain"] {
            assert!(keeps_secrets(binary), "{binary}");
        }
        for binary in
            ["rosterbridge-engine", "rosterbridge-cli::bin/rosterbridge", "rosterbridge-sftp::server"]
        {
            assert!(!keeps_secrets(binary), "{binary}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_exit_code_is_the_programs_own() {
        for (script, code) in [("exit 0", 0), ("exit 101", 101), ("kill -9 $$", 137)] {
            assert_eq!(run("sh", &["-c", script]).unwrap(), code, "{script}");
        }
    }
}
