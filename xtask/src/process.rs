//! Starting other programs, and saying plainly when one fails.

use serde::Deserialize;
use std::{
    ffi::OsStr,
    fmt, io,
    process::{Child, Command, ExitStatus, Stdio},
};
use thiserror::Error;

/// Why a chore stopped.
#[derive(Debug, Error)]
pub enum StepError {
    /// The program could not be started at all.
    #[error("could not start `{program}`: {source}")]
    Start {
        /// Name as it was called.
        program: String,
        /// What the operating system answered.
        source: io::Error,
    },
    /// The program ran and reported failure.
    #[error("`{command}` ended with {status}")]
    Failed {
        /// The command line.
        command: String,
        /// Its exit status.
        status: ExitStatus,
    },
    /// A file or folder could not be read or written.
    #[error("{what}: {source}")]
    File {
        /// Which one.
        what: String,
        /// What the operating system answered.
        source: io::Error,
    },
    /// Something this machine lacks, or a result that is not what it must be.
    #[error("{0}")]
    Unmet(String),
}

impl StepError {
    /// A failure to read or write `what`.
    pub fn file(what: impl fmt::Display, source: io::Error) -> Self {
        Self::File { what: what.to_string(), source }
    }
}

/// Runs to the end, with this process's own output streams and nothing to read.
pub fn run(command: &mut Command) -> Result<(), StepError> {
    let status = command.stdin(Stdio::null()).status().map_err(|source| start_error(command, source))?;
    check(command, status)
}

/// Runs to the end and returns what it wrote to standard output; standard error passes through.
pub fn output(command: &mut Command) -> Result<Vec<u8>, StepError> {
    let (status, output) = output_any(command)?;
    check(command, status)?;
    Ok(output)
}

/// [`output`] for a command whose exit status the caller judges.
pub fn output_any(command: &mut Command) -> Result<(ExitStatus, Vec<u8>), StepError> {
    collect(command.stderr(Stdio::inherit()))
}

/// [`output_any`] without what the command says to standard error.
pub fn output_quiet(command: &mut Command) -> Result<(ExitStatus, Vec<u8>), StepError> {
    collect(command.stderr(Stdio::null()))
}

fn collect(command: &mut Command) -> Result<(ExitStatus, Vec<u8>), StepError> {
    let output = command.stdin(Stdio::null()).output().map_err(|source| start_error(command, source))?;
    Ok((output.status, output.stdout))
}

/// Whether the program starts, ends well, and what it printed; quiet either way.
pub fn probe(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The JSON in `bytes`, in the shape agreed for `what`.
pub fn parse<'de, T: Deserialize<'de>>(what: &str, bytes: &'de [u8]) -> Result<T, StepError> {
    serde_json::from_slice(bytes)
        .map_err(|source| StepError::Unmet(format!("{what} is not as agreed: {source}")))
}

/// Starts a program that goes on beside us.
pub fn spawn(command: &mut Command) -> Result<Running, StepError> {
    let child = command.spawn().map_err(|source| start_error(command, source))?;
    Ok(Running { child })
}

/// A program that is ended when its owner is done with it.
#[derive(Debug)]
pub struct Running {
    /// The process, for its pipes and its state.
    pub child: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already; there is nobody left to tell either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start_error(command: &Command, source: io::Error) -> StepError {
    StepError::Start { program: command.get_program().to_string_lossy().into_owned(), source }
}

fn check(command: &Command, status: ExitStatus) -> Result<(), StepError> {
    if status.success() { Ok(()) } else { Err(StepError::Failed { command: line(command), status }) }
}

/// The command as a person would type it (without quoting).
pub fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
