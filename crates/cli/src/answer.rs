//! What a profile's engine answers, and what it tells meanwhile.

use std::io::IsTerminal;

use rosterbridge_api::{
    Fault,
    report::{Event, StageReport, StageResult},
};
use serde_json::Value;

use crate::text;

/// Shows an event on standard error. A stage under way is shown to somebody who watches only, and overwritten when it
/// has ended.
#[allow(clippy::print_stderr)]
pub fn show(event: &Event) {
    let watched = std::io::stderr().is_terminal();
    match event {
        Event::Stage(StageReport { result: StageResult::Running, name, .. }) => {
            if watched {
                eprint!("...     {name}\r");
            }
        }
        event => {
            if let Some(line) = text::progress(event) {
                eprintln!("{}{line}", if watched { "\x1b[K" } else { "" });
            }
        }
    }
}

pub fn to_value<T: serde::Serialize>(data: &T) -> Result<Value, Fault> {
    serde_json::to_value(data).map_err(|_| unexpected())
}

/// An answer of another kind than the request's: the two processes are not of one version.
pub fn unexpected() -> Fault {
    Fault {
        code: "session.unexpected_answer".to_owned(),
        message: "The RosterBridge that holds this district gave an answer this one does not know."
            .to_owned(),
        remedy: "Quit the other RosterBridge, then try again.".to_owned(),
    }
}
