//! RosterBridge's command line as chores read it: how a call ended, and the document it prints with `--json`.

use crate::process::{self, StepError};
use serde::{Deserialize, de::DeserializeOwned};
use std::process::{Command, ExitStatus};

/// Exit code of a call that did its work and left something for a person (contract of the command line).
const FOR_A_PERSON: i32 = 3;

#[derive(Deserialize)]
struct Document<T> {
    message: String,
    data: Option<T>,
}

/// Whether a call did its work, also where it left something for a person.
fn did_its_work(status: ExitStatus) -> bool {
    status.success() || status.code() == Some(FOR_A_PERSON)
}

/// Makes a call that may leave something for a person.
pub fn run(command: &mut Command) -> Result<(), StepError> {
    match process::run(command) {
        Err(StepError::Failed { status, .. }) if did_its_work(status) => Ok(()),
        other => other,
    }
}

/// Makes such a call with `--json` among its arguments; gives its document's data.
pub fn data<T: DeserializeOwned>(command: &mut Command) -> Result<T, StepError> {
    let (status, document) = process::output_any(command)?;
    data_of(status, &document)
}

/// The data of the document a call printed. One that failed says why.
pub fn data_of<T: DeserializeOwned>(status: ExitStatus, document: &[u8]) -> Result<T, StepError> {
    const WHAT: &str = "a command's document";
    let Document::<serde_json::Value> { message, data } = process::parse(WHAT, document)?;
    if data.is_none() || !did_its_work(status) {
        return Err(StepError::Unmet(message));
    }
    let document: Document<T> = process::parse(WHAT, document)?;
    document.data.ok_or(StepError::Unmet(message))
}
