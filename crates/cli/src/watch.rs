//! `hero watch`: whether PowerSchool does what is its to do at Hero, seen from outside.

use std::fmt::Write;

use rosterbridge_api::{
    Fault, Request, Response, Session,
    domain::job::AccountId,
    report::{Cause, OtherSenderView, WatchState, WatchView, WatchedFileView},
};

use crate::{
    answer::{show, to_value, unexpected},
    document::Document,
};

/// Looks now. That something is wrong is a failure, under the code of the first file that is.
pub async fn look(session: &Session, account: AccountId) -> Result<Document, Fault> {
    let Response::Watch(view) = session.call(Request::Watch { account }, |event| show(&event)).await? else {
        return Err(unexpected());
    };
    let data = to_value(&view)?;
    let wrong = view.cause.as_ref().or_else(|| view.files.iter().find_map(|file| file.cause.as_ref()));
    let document = match wrong {
        Some(cause) => Document::failed(&fault(cause), data),
        None => Document::done("What PowerSchool sends and takes in at Hero", data),
    };
    Ok(document.with_text(seen(&view)))
}

fn fault(cause: &Cause) -> Fault {
    Fault { code: cause.code.clone(), message: cause.message.clone(), remedy: cause.remedy.clone() }
}

/// What a look showed, a line for each file.
fn seen(view: &WatchView) -> String {
    let mut text = String::new();
    if view.files.is_empty() && view.cause.is_none() {
        text.push_str("PowerSchool does nothing for this account.\n");
    }
    for file in &view.files {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{:<18} {:<28} {}", file.job.to_string(), file.path, told(file));
    }
    if let Some(cause) = &view.not_compared {
        let _ = writeln!(text, "Rows were not compared: {} [{}]", cause.message, cause.code);
    }
    text
}

fn told(file: &WatchedFileView) -> String {
    let state = match file.state {
        WatchState::NotDue => "nothing is expected yet",
        WatchState::Waiting => "may still come",
        WatchState::Fine => "as it should be",
        WatchState::Taken => "taken by Hero",
        WatchState::NotSeen => "not seen: nobody looked before Hero takes in files",
        WatchState::Alert => "WRONG",
    };
    let mut text = state.to_owned();
    if let Some(rows) = file.rows {
        let _ = write!(text, ", {rows} rows");
    }
    if let Some(expected) = file.expected_rows {
        let _ = write!(text, " (by PowerSchool's data {expected})");
    }
    if let Some(cause) = &file.cause {
        let _ = write!(text, ": {} [{}]", cause.message, cause.code);
    }
    text
}

/// What was seen of Hero's files, for `status`: what is wrong only.
pub fn alerts(watch: &[WatchView], others: &[OtherSenderView]) -> String {
    let mut text = String::new();
    let of_view = |view: &WatchView| {
        let of_files = view.files.iter().filter_map(|file| file.cause.clone());
        view.cause.iter().cloned().chain(of_files).collect::<Vec<_>>()
    };
    let causes = watch.iter().flat_map(of_view).chain(others.iter().map(|other| other.cause.clone()));
    for cause in causes {
        let _ = writeln!(text, "{} [{}] {}", cause.message, cause.code, cause.remedy);
    }
    text
}
