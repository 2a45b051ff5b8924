//! `run`: the engine in the foreground, for a service manager or a terminal.

use std::path::Path;

use rosterbridge_api::{Fault, Session, report::Event};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    answer::show,
    document::{Document, Exit},
    service::Hosted,
    stop, text,
};

/// Runs the profile's jobs when they are due, until it is asked to stop. While another process holds the profile, that
/// one does it, and this one waits for its turn.
pub async fn run(home: &Path, profile: &str, as_service: bool) -> Result<Document, Fault> {
    // Started by hand it runs as it does without.
    let hosted = if as_service { Hosted::find().await? } else { None };
    let Some(hosted) = hosted else {
        return attend(home, profile, &stop::token(), || ()).await;
    };
    let attended = attend(home, profile, &hosted.stop(), || hosted.runs()).await;
    hosted.ended(attended.as_ref().map_or(Exit::Failed, |document| document.exit));
    attended
}

async fn attend(
    home: &Path,
    profile: &str,
    stop: &CancellationToken,
    runs: impl Fn(),
) -> Result<Document, Fault> {
    let session = Session::open_existing(home, profile).await?.follow(|event| report(&event)).await;
    runs();
    if session.is_host().await {
        tell("RosterBridge runs this profile's exchanges. Stop it with Ctrl-C.");
    } else {
        tell("Another RosterBridge runs this profile's exchanges. This one takes over when it ends.");
    }
    let attended = session.attend(stop).await;
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
