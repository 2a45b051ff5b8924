//! `status`: what is set up, what ran last, what needs attention.

use std::fmt::Write;

use rosterbridge_api::{
    Fault, Request, Response, Session,
    domain::school_year::YearChange,
    report::{CircuitView, JobView, SchoolYearView, StatusView, SummerPause},
};

use crate::{
    answer::{to_value, unexpected},
    document::Document,
    text, watch,
};

/// The state of the profile, with its numbers.
pub async fn show(session: &Session) -> Result<Document, Fault> {
    let Response::Status(status) = session.call(Request::Status, |_| ()).await? else {
        return Err(unexpected());
    };
    let Response::Metrics(metrics) = session.call(Request::Metrics, |_| ()).await? else {
        return Err(unexpected());
    };
    let mut data = to_value(&status)?;
    data["metrics"] = to_value(&metrics)?;
    let text = overview(&status)
        + &watch::alerts(&status.watch, &status.other_sender)
        + &circuits(&metrics.circuits);
    Ok(Document::done("Status", data).with_text(text))
}

/// The state of a profile.
fn overview(status: &StatusView) -> String {
    let mut text = format!(
        "Profile {}{}\nPowerSchool: {}\nRaptor: {}\n",
        status.profile,
        if status.practice { " (practice district)" } else { "" },
        if status.server.is_empty() { "not set up yet" } else { &status.server },
        status.raptor_status.title(),
    );
    for view in &status.jobs {
        let last = match (&view.last, view.last_at) {
            (Some(report), Some(at)) => {
                let (ended, at) = (text::outcome(report.outcome), at.format("%Y-%m-%d %H:%M"));
                let unchanged = match report.rows.noop {
                    0 => String::new(),
                    rows => format!(", {rows} unchanged"),
                };
                format!("{ended} at {at} UTC, {} written{unchanged}", report.rows.written)
            }
            _ => "never ran".to_owned(),
        };
        let _ = writeln!(
            text,
            "{:<16} {:<4} {last}{}",
            view.job.to_string(),
            if view.enabled { "on" } else { "off" },
            paused(view)
        );
    }
    let _ = writeln!(text, "Held rows: {}", status.held);
    text += &school_year(&status.school_year);
    if let Some(problem) = &status.mail {
        let _ = writeln!(
            text,
            "Mail does not go out since {} UTC ({} waiting, {} given up): {} [{}] {}",
            problem.since.format("%Y-%m-%d %H:%M"),
            problem.waiting,
            problem.dropped,
            problem.cause.message,
            problem.cause.code,
            problem.cause.remedy
        );
    }
    text
}

/// The remote systems that scheduled runs leave alone.
fn circuits(circuits: &[CircuitView]) -> String {
    let mut text = String::new();
    for circuit in circuits {
        let misses = circuit.misses;
        let system = match circuit.account.number() {
            1 => circuit.remote.title().to_owned(),
            account => format!("{}, account {account},", circuit.remote.title()),
        };
        if let Some(until) = circuit.until {
            let until = until.format("%Y-%m-%d %H:%M");
            let _ = writeln!(
                text,
                "{system} could not be reached {misses} times in a row: scheduled runs leave it alone until {until} UTC."
            );
        }
    }
    text
}

/// What there is to know of the school year: a pause for the summer, the latest changes, tardy codes that don't fit.
fn school_year(view: &SchoolYearView) -> String {
    let mut text = summer_pause(view);
    for noticed in view.changes.iter().rev().take(LATEST_CHANGES) {
        let what = match noticed.change {
            YearChange::NewYear { school, from, to } => {
                format!("School {school}: school year {} after {}", to.name(), from.name())
            }
            YearChange::NewTerm { school, from: Some(from), to, .. } => {
                format!("School {school}: term {to} after {from}")
            }
            YearChange::NewTerm { school, from: None, to, .. } => format!("School {school}: term {to}"),
        };
        let _ = writeln!(text, "{what}, noticed {} UTC", noticed.noticed_at.format("%Y-%m-%d %H:%M"));
    }
    for fault in &view.tardy_code_faults {
        let _ = writeln!(
            text,
            "School {}, {}: tardies with code {} are held in {}: {}",
            fault.school,
            fault.reason,
            fault.code,
            fault.year.name(),
            fault.why.sentence()
        );
    }
    text
}

/// The most changes of year or term that are listed.
const LATEST_CHANGES: usize = 10;

/// Until when the summer holds scheduled runs back, if it does.
pub fn summer_pause(view: &SchoolYearView) -> String {
    match view.summer_pause {
        None => String::new(),
        Some(SummerPause { until: Some(date) }) => {
            format!("Scheduled runs are paused for summer until {date}.\n")
        }
        Some(SummerPause { until: None }) => {
            "Scheduled runs are paused for summer until PowerSchool has the terms of the new year.\n"
                .to_owned()
        }
    }
}

/// That a job is paused because another sender is active.
pub fn paused(view: &JobView) -> String {
    view.paused_since.map_or_else(String::new, |since| {
        let since = since.format("%Y-%m-%d %H:%M");
        format!(", PAUSED since {since} UTC: another sender is active")
    })
}

#[cfg(test)]
mod tests {
    use rosterbridge_api::domain::{
        job::AccountId,
        retry::{CircuitState, Remote},
    };

    use super::*;

    #[test]
    fn only_a_system_that_is_left_alone_is_named() {
        let circuit = |remote, state, until: Option<&str>| CircuitView {
            remote,
            account: AccountId::FIRST,
            state,
            until: until.and_then(|until| until.parse().ok()),
            misses: 3,
        };
        let circuits = [
            circuit(Remote::PowerSchool, CircuitState::Closed, None),
            circuit(Remote::Hero, CircuitState::Open, Some("2026-11-18T03:10:00Z")),
            circuit(Remote::Raptor, CircuitState::HalfOpen, None),
        ];
        assert_eq!(
            super::circuits(&circuits),
            "Hero could not be reached 3 times in a row: scheduled runs leave it alone until 2026-11-18 03:10 UTC.\n"
        );
    }
}
