//! `raptor`: the Raptor integration's status, how it came about, and switching it on and off.

use std::fmt::Write;

use rosterbridge_api::{
    Fault, Request, Response, Session, SetupView,
    domain::{
        integration::IntegrationStatus,
        job::JobId,
        settings::{IntegrationWindow, JobSettings, Setup},
    },
    report::{Cause, RaptorConfirmation, RaptorHistory, RaptorStep, RaptorView, StatusView},
};
use serde_json::json;

use crate::{
    answer::{to_value, unexpected},
    args::Raptor,
    document::Document,
    setup,
};

/// Carries out a command about the Raptor integration.
pub async fn carry_out(session: &Session, raptor: Raptor) -> Result<Document, Fault> {
    match raptor {
        Raptor::Status => {
            let status = status(session).await?;
            let message = format!("The Raptor integration is {}.", status.raptor.status);
            Ok(Document::done(message, to_value(&status.raptor)?).with_text(status_text(&status)))
        }
        Raptor::History { limit } => {
            match session.call(Request::RaptorHistory { limit, before: None }, |_| ()).await? {
                Response::RaptorHistory(history) => {
                    let message = format!("The Raptor integration is {}.", history.status);
                    Ok(Document::done(message, to_value(&history)?).with_text(history_text(&history)))
                }
                _ => Err(unexpected()),
            }
        }
        Raptor::Enable { dry_run } => enable(session, dry_run).await,
        Raptor::Disable => {
            let SetupView { mut setup, revision, .. } = *setup::now(session).await?;
            setup.raptor.enabled = false;
            setup::save(session, setup, revision).await?;
            let status = status(session).await?;
            let message = format!(
                "The Raptor integration is {}. Nothing is sent or taken in any more.",
                status.raptor.status
            );
            Ok(Document::done(message, to_value(&status.raptor)?))
        }
    }
}

/// Switches the integration on, with the exchanges that belong to it.
async fn enable(session: &Session, dry_run: bool) -> Result<Document, Fault> {
    let SetupView { mut setup, revision, .. } = *setup::now(session).await?;
    let before = setup.raptor.enabled;
    setup.raptor.enabled = true;
    switch_on(&mut setup, JobId::RAPTOR_ROSTER);
    if setup.raptor.student_tardy {
        switch_on(&mut setup, JobId::RAPTOR_TARDIES);
    }
    let request = Request::RaptorConfirmation { setup: Box::new(setup.clone()) };
    let Response::RaptorConfirmation(confirmation) = session.call(request, |_| ()).await? else {
        return Err(unexpected());
    };
    let data = to_value(&confirmation)?;
    let text = confirmation_text(&confirmation);
    if let Some(Cause { code, message, remedy }) = confirmation.obstacles.first().filter(|_| !before) {
        let fault = Fault { code: code.clone(), message: message.clone(), remedy: remedy.clone() };
        return Ok(Document::failed(&fault, data).with_text(text));
    }
    if dry_run {
        return Ok(Document::done("Nothing was changed.", data).with_text(text));
    }
    setup::save(session, setup, revision).await?;
    let status = status(session).await?;
    let data = json!({ "confirmation": data, "raptor": status.raptor });
    let message = format!("The Raptor integration is {}.", status.raptor.status);
    let text = format!("{text}{message}\n");
    Ok(Document::done(message, data).with_text(text))
}

fn switch_on(setup: &mut Setup, job: JobId) {
    match setup.jobs.iter_mut().find(|settings| settings.job == job) {
        Some(settings) => settings.enabled = true,
        None => {
            setup.jobs.push(JobSettings { enabled: true, ..JobSettings::new(job, setup.raptor.window.zone) });
        }
    }
}

async fn status(session: &Session) -> Result<Box<StatusView>, Fault> {
    match session.call(Request::Status, |_| ()).await? {
        Response::Status(status) => Ok(status),
        _ => Err(unexpected()),
    }
}

/// Its status, window, and what comes next.
fn status_text(status: &StatusView) -> String {
    let sends_students = status.jobs.iter().any(|view| view.job == JobId::RAPTOR_ROSTER && view.enabled);
    let RaptorView { status: raptor, since, window, open_until, opens_at, next } = &status.raptor;
    let time =
        |at: &chrono::DateTime<chrono::Utc>| at.with_timezone(&window.zone).format("%Y-%m-%d %H:%M %Z");
    let mut text = format!("Raptor integration: {raptor}");
    if let Some(since) = since {
        let _ = write!(text, ", since {}", time(since));
    }
    let _ = writeln!(text, "\n{}", window_text(window));
    match (open_until, opens_at) {
        (Some(until), _) => {
            let _ = writeln!(text, "It is open until {}.", time(until));
        }
        (None, Some(opens)) => {
            let _ = writeln!(text, "It opens at {}.", time(opens));
        }
        (None, None) => {}
    }
    match next {
        Some(next) => {
            let what = match next.step {
                RaptorStep::Synchronize => "a full synchronization",
                RaptorStep::Look => "a look at PowerSchool for updates",
            };
            let _ = writeln!(text, "Next: {what} at {}", time(&next.at));
        }
        None if *raptor == IntegrationStatus::Disabled => {}
        None if status.paused => {
            text.push_str("Scheduled runs are paused. Go on with: rosterbridge jobs resume\n");
        }
        None if !sends_students => {}
        None => text.push_str("Nothing is planned: it is summer.\n"),
    }
    if *raptor != IntegrationStatus::Disabled && !sends_students {
        text.push_str(
            "No students are sent: the exchange raptor-roster is switched off. Switch it on with: rosterbridge jobs set \
             raptor-roster --on\n",
        );
    }
    text
}

fn window_text(window: &IntegrationWindow) -> String {
    format!(
        "Window: every day at {} {} for {} min, an attempt every {} min",
        window.opens,
        window.zone,
        window.minutes.minutes(),
        window.retry_minutes.minutes()
    )
}

/// How the status came about, a line or two for each thing that happened.
fn history_text(history: &RaptorHistory) -> String {
    if history.changes.is_empty() {
        return "Nothing has happened to the Raptor integration yet.\n".to_owned();
    }
    let mut text = String::new();
    for change in &history.changes {
        let at = change.at.format("%Y-%m-%d %H:%M:%S");
        let _ = if change.from == change.to {
            writeln!(text, "{at} UTC  still {}", change.to)
        } else {
            writeln!(text, "{at} UTC  {} after {}", change.to, change.from)
        };
        let _ = writeln!(text, "    {}", change.because);
        if let Some(cause) = &change.cause {
            let _ = writeln!(text, "    {} [{}] {}", cause.message, cause.code, cause.remedy);
        }
    }
    if history.more {
        text.push_str("There are earlier ones: see more with --limit.\n");
    }
    text
}

/// What is confirmed by switching it on.
fn confirmation_text(confirmation: &RaptorConfirmation) -> String {
    let RaptorConfirmation { buildings, schools, students, tardy_codes, notified, window, .. } = confirmation;
    let mut text = format!("Buildings: {buildings}, for PowerSchool schools: {schools}");
    if let Some(students) = students {
        let _ = write!(text, ", with students by the last reading: {students}");
    }
    let _ = match tardy_codes {
        Some(codes) => writeln!(text, "\nStudent Tardy: Yes, active codes: {codes}"),
        None => writeln!(text, "\nStudent Tardy: No"),
    };
    if !notified.is_empty() {
        let _ = writeln!(text, "Mailed when the status changes: {}", notified.join(", "));
    }
    let _ = writeln!(text, "{}", window_text(window));
    let at = confirmation.processed_at.with_timezone(&window.zone);
    let _ = writeln!(
        text,
        "Your synchronization request will be processed at {} on {}.",
        at.format("%-I:%M %p %Z"),
        at.format("%Y-%m-%d")
    );
    for warning in &confirmation.warnings {
        let _ = writeln!(text, "NOTE    {warning}");
    }
    for Cause { code, message, remedy } in &confirmation.obstacles {
        let _ = writeln!(text, "MISSING {message} [{code}]\n        {remedy}");
    }
    text
}

#[cfg(test)]
mod tests {
    use rosterbridge_api::{domain::integration::IntegrationEvent, report::StatusChangeView};

    use super::*;

    #[test]
    fn the_sentence_of_the_dialog_has_the_time_and_the_zone() {
        let confirmation = |at: &str| RaptorConfirmation {
            buildings: 3,
            schools: 2,
            schools_left_out: 1,
            students: Some(600),
            tardy_codes: Some(4),
            notified: vec!["office@example.org".to_owned()],
            window: IntegrationWindow::default(),
            processed_at: at.parse().unwrap_or_default(),
            paused: false,
            obstacles: Vec::new(),
            warnings: vec!["A and B stand for the same school.".to_owned()],
        };
        let winter = confirmation_text(&confirmation("2026-12-15T22:00:00Z"));
        assert_eq!(
            winter,
            "Buildings: 3, for PowerSchool schools: 2, with students by the last reading: 600\n\
             Student Tardy: Yes, active codes: 4\n\
             Mailed when the status changes: office@example.org\n\
             Window: every day at 16:00 America/Chicago for 120 min, an attempt every 10 min\n\
             Your synchronization request will be processed at 4:00 PM CST on 2026-12-15.\n\
             NOTE    A and B stand for the same school.\n"
        );
        let summer = confirmation_text(&confirmation("2026-07-15T21:00:00Z"));
        assert!(summer.contains("processed at 4:00 PM CDT on 2026-07-15."), "{summer}");
    }

    #[test]
    fn what_leaves_the_status_as_it_is_says_so() {
        let change = |from, to, event, because: &str| StatusChangeView {
            id: 1,
            at: "2026-12-15T22:00:00Z".parse().unwrap_or_default(),
            from,
            to,
            event,
            because: because.to_owned(),
            cause: None,
            run: None,
        };
        let (pending, initializing) =
            (IntegrationStatus::PendingInitialization, IntegrationStatus::Initializing);
        let history = RaptorHistory {
            status: initializing,
            changes: vec![
                change(initializing, initializing, IntegrationEvent::WindowOpened, "Already."),
                change(
                    pending,
                    initializing,
                    IntegrationEvent::WindowOpened,
                    "The integration window is open.",
                ),
            ],
            more: true,
        };
        assert_eq!(
            history_text(&history),
            "2026-12-15 22:00:00 UTC  still Initializing\n    Already.\n\
             2026-12-15 22:00:00 UTC  Initializing after Pending Initialization\n    The integration window is open.\n\
             There are earlier ones: see more with --limit.\n"
        );
    }
}
