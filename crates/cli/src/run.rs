//! `run`: the engine in the foreground, for a service manager or a terminal.

use std::path::Path;

use rosterbridge_api::{Fault, Session, report::Event};
use serde_json::Value;

use crate::{answer::show, document::Document, stop, text};

/// Runs the profile's jobs when they are due, until it is asked to stop. While another process holds the profile, that
/// one does it, and this one waits for its turn.
pub async fn run(home: &Path, profile: &str) -> Result<Document, Fault> {
    let stop = stop::token();
    let session = Session::open_existing(home, profile).await?.follow(|event| report(&event)).await;
    if session.is_host().await {
        tell("RosterBridge runs this profile's exchanges. Stop it with Ctrl-C.");
    } else {
        tell("Another RosterBridge runs this profile's exchanges. This one takes over when it ends.");
    }
    let attended = session.attend(&stop).await;
    session.stop().await;
    attended.map(|()| Document::done("Stopped.", Value::Null))
}

/// A line for each thing a service's journal should hold.
fn report(event: &Event) {
    match event {
        Event::RunFinished(report) => tell(text::sync(report).trim_end()),
        event => show(event),
    }
}

#[allow(clippy::print_stderr)]
fn tell(line: &str) {
    eprintln!("{line}");
}
