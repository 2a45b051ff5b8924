//! `sync` and `undo`: a run, to its end.

use std::sync::{Arc, OnceLock};

use rosterbridge_api::{
    Fault, Request, Response, Session,
    domain::job::{JobId, Outcome},
    report::{Event, SyncReport},
};

use crate::{
    answer::{show, to_value, unexpected},
    document::{Document, Exit, stops_for_a_person},
    stop, text,
};

/// Starts a run; Ctrl-C cancels it and waits for its clean end.
async fn run_to_its_end(session: &Session, request: Request) -> Result<Response, Fault> {
    let begun = Arc::new(OnceLock::new());
    let ours = Arc::clone(&begun);
    let on_event = move |event| {
        if let Event::RunStarted { run, .. } = &event {
            ours.get_or_init(|| run.clone());
        }
        show(&event);
    };
    // Ours and no other: one that the schedule begins right after it goes on.
    let cancel = || begun.get().map(|run: &String| Request::Cancel { run: Some(run.clone()) });
    stop::to_its_end(session, request, on_event, cancel).await
}

/// Takes back what a run wrote.
pub async fn undo(session: &Session, run: String, dry_run: bool) -> Result<Document, Fault> {
    let answer = run_to_its_end(session, Request::Undo { run, dry_run }).await?;
    let Response::Undo(undo) = answer else { return Err(unexpected()) };
    let data = to_value(&undo)?;
    let count: u64 = undo.report.jobs.iter().map(|job| job.rows.written).sum();
    let (left, text) = (undo.left.len(), text::undo(&undo));
    let document = match first_cause(&undo.report) {
        Some(fault) => Document::failed(&fault, data),
        None if dry_run => {
            Document::done(format!("Would change {count} records in PowerSchool and leave {left}."), data)
        }
        None => Document::done(format!("Changed {count} records in PowerSchool and left {left}."), data),
    };
    Ok(document.with_text(text))
}

/// Runs exchanges.
pub async fn sync(session: &Session, jobs: Vec<JobId>, dry_run: bool) -> Result<Document, Fault> {
    let answer = run_to_its_end(session, Request::Sync { jobs, dry_run }).await?;
    let Response::Sync(report) = answer else { return Err(unexpected()) };
    let data = to_value(&report)?;
    let text = text::sync(&report);
    let document = match first_cause(&report) {
        Some(fault) => Document::failed(&fault, data),
        None if report.outcome == Outcome::SucceededWithHeldRows => {
            let mut document = Document::done("Done, and some rows need a person.", data);
            "sync.held_rows".clone_into(&mut document.code);
            "See them with: rosterbridge held list".clone_into(&mut document.remedy);
            if report.jobs.iter().any(|job| job.newly_held > 0) {
                document.exit = Exit::NeedsPerson;
            }
            document
        }
        None => Document::done(if dry_run { "Dry run done." } else { "Done." }, data),
    };
    Ok(document.with_text(text))
}

/// The cause of a run that did not do everything; one that waits for a person comes first.
fn first_cause(report: &SyncReport) -> Option<Fault> {
    let causes = || report.cause.iter().chain(report.jobs.iter().filter_map(|job| job.cause.as_ref()));
    causes().find(|cause| stops_for_a_person(&cause.code)).or_else(|| causes().next()).map(|cause| Fault {
        code: cause.code.clone(),
        message: cause.message.clone(),
        remedy: cause.remedy.clone(),
    })
}
