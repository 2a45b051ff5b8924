//! The service managers' own commands.

use std::{
    io,
    process::{Output, Stdio},
};

use tokio::process::Command;

use super::ServiceError;

/// Runs a command and keeps what it says.
pub async fn output(command: &[String]) -> io::Result<Output> {
    Command::new(&command[0]).args(&command[1..]).stdin(Stdio::null()).output().await
}

/// Runs a command to its good end.
pub async fn run(command: &[String]) -> Result<(), ServiceError> {
    match output(command).await {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(command_failed(command, own_words(&output))),
        Err(error) => Err(command_failed(command, error.to_string())),
    }
}

/// Runs a command that asks the person something. Standard output is kept for our own document.
pub async fn run_at_console(command: &[String]) -> Result<(), ServiceError> {
    let status = Command::new(&command[0]).args(&command[1..]).stdout(io::stderr()).status().await;
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(command_failed(command, status.to_string())),
        Err(error) => Err(command_failed(command, error.to_string())),
    }
}

fn command_failed(command: &[String], reason: String) -> ServiceError {
    ServiceError::CommandFailed { command: command.join(" "), reason }
}

/// Characters of a command's own words that are shown.
const LONGEST_WORDS: usize = 500;

/// What a failed command said, or else how it ended.
pub fn own_words(output: &Output) -> String {
    let said =
        String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr });
    let said: String = said.trim().chars().take(LONGEST_WORDS).collect();
    if said.is_empty() { output.status.to_string() } else { said }
}
