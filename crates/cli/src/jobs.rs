//! `jobs`: which exchanges run by themselves, and when.

use std::fmt::Write;

use chrono::{DateTime, NaiveDate, Utc};
use rosterbridge_api::{
    Fault, Request, Response, Session, SetupView,
    domain::{
        job::JobId,
        schedule::{Interval, JobSchedule, Missed, Pause, Weekdays, When},
        settings::{JobSettings, Setup},
    },
    report::StatusView,
};
use serde_json::json;

use crate::{
    answer::unexpected,
    args::{Jobs, SetJob},
    document::Document,
    setup,
    status::{paused, summer_pause},
};

/// Why a command about jobs is not carried out.
enum Refusal {
    /// Its options make no sense together.
    Usage(String),
    Fault(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Carries out a command about jobs. Its answer is always how they stand.
pub async fn carry_out(session: &Session, jobs: Jobs) -> Result<Document, Fault> {
    match change(session, jobs).await {
        Ok(()) => {}
        Err(Refusal::Usage(message)) => return Ok(Document::wrong_usage(message)),
        Err(Refusal::Fault(fault)) => return Err(fault),
    }
    match session.call(Request::Status, |_| ()).await? {
        Response::Status(status) => {
            let data = json!({ "paused": status.paused, "pause": status.pause, "jobs": status.jobs });
            Ok(Document::done("Jobs", data).with_text(listed(&status)))
        }
        _ => Err(unexpected()),
    }
}

async fn change(session: &Session, jobs: Jobs) -> Result<(), Refusal> {
    match jobs {
        Jobs::List => {}
        Jobs::Set(set) => {
            let SetupView { setup, revision, .. } = *setup::now(session).await?;
            setup::save(session, changed(setup, &set)?, revision).await?;
        }
        Jobs::Pause { until } => {
            let pause = match until.as_deref().map(moment).transpose()? {
                Some(moment) if moment <= Utc::now() => {
                    return Err(Refusal::Usage(format!("{moment} is over already.")));
                }
                Some(moment) => Pause::Until(moment),
                None => Pause::UntilResumed,
            };
            session.call(Request::Pause { pause }, |_| ()).await?;
        }
        Jobs::Resume => {
            session.call(Request::Pause { pause: Pause::No }, |_| ()).await?;
        }
    }
    Ok(())
}

/// The set-up with one job's settings changed.
fn changed(mut setup: Setup, set: &SetJob) -> Result<Setup, Refusal> {
    if !setup.possible_jobs().contains(&set.job) {
        // Nothing would ever run it.
        return Err(Refusal::Fault(Fault {
            code: "hero.no_account".to_owned(),
            message: format!("{} is of an account at Hero that is not in the set-up.", set.job),
            remedy: "See those that there are with: rosterbridge jobs list".to_owned(),
        }));
    }
    let zone = set.zone.or_else(|| setup.jobs.iter().find_map(|job| Some(job.schedule?.zone)));
    let zone = zone.unwrap_or(chrono_tz::America::Chicago);
    let place = setup.jobs.iter().position(|job| job.job == set.job).unwrap_or_else(|| {
        setup.jobs.push(JobSettings::new(set.job, zone));
        setup.jobs.len() - 1
    });
    let settings = &mut setup.jobs[place];
    let usual = JobSchedule::usual(set.job.kind(), zone);
    if usual.is_none() && (set.manual || set.changes_schedule()) {
        return Err(Refusal::Usage(format!(
            "{} has no schedule: it runs in the integration window, and then whenever something is new in PowerSchool. See \
             both with: rosterbridge raptor status. To run it only when a person asks, switch it off with --off.",
            set.job
        )));
    }
    if set.on || set.off {
        settings.enabled = set.on;
    }
    if set.manual {
        settings.schedule = None;
    } else if set.changes_schedule()
        && let Some(mut schedule) = settings.schedule.or(usual)
    {
        schedule.zone = set.zone.unwrap_or(schedule.zone);
        schedule.when = when(schedule.when, set)?;
        schedule.only_in_session = set.only_in_session.unwrap_or(schedule.only_in_session);
        if let Some(catch_up) = set.catch_up {
            schedule.missed = if catch_up { Missed::CatchUp } else { Missed::Skip };
        }
        settings.schedule = Some(schedule);
    }
    Ok(setup)
}

fn when(before: When, set: &SetJob) -> Result<When, Refusal> {
    if let Some(minutes) = set.every {
        let minutes = Interval::try_from(minutes).map_err(|error| Refusal::Usage(error.to_string()))?;
        return Ok(When::Every { minutes });
    }
    match (before, set.days, set.at) {
        (When::At { days, time }, new_days, new_time) => {
            Ok(When::At { days: new_days.unwrap_or(days), time: new_time.unwrap_or(time) })
        }
        (When::Every { .. }, days, Some(time)) => {
            Ok(When::At { days: days.unwrap_or(Weekdays::DAILY), time })
        }
        (every, None, None) => Ok(every),
        (When::Every { .. }, Some(_), None) => {
            Err(Refusal::Usage("The job runs at an interval: name a time too, with --at HH:MM.".to_owned()))
        }
    }
}

/// A moment, or the beginning of a day on this computer's clock.
fn moment(text: &str) -> Result<DateTime<Utc>, Refusal> {
    if let Ok(moment) = text.parse::<DateTime<Utc>>() {
        return Ok(moment);
    }
    let midnight = text.parse::<NaiveDate>().ok().and_then(|day| {
        day.and_hms_opt(0, 0, 0)?.and_local_timezone(chrono::Local).earliest().map(|at| at.to_utc())
    });
    midnight.ok_or_else(|| {
        Refusal::Usage(format!(
            "'{text}' is no moment: write a date, as 2026-08-24, or a moment, as 2026-08-24T06:00:00Z."
        ))
    })
}

/// Every job: whether and when it runs by itself.
fn listed(status: &StatusView) -> String {
    let mut text = match status.pause {
        Pause::No => String::new(),
        Pause::Until(_) if !status.paused => String::new(),
        Pause::Until(end) => {
            format!("Scheduled runs are paused until {} UTC.\n", end.format("%Y-%m-%d %H:%M"))
        }
        Pause::UntilResumed => "Scheduled runs are paused. Go on with: rosterbridge jobs resume\n".to_owned(),
    };
    text += &summer_pause(&status.school_year);
    for view in &status.jobs {
        let next = match (view.enabled, view.next_at) {
            (true, Some(at)) => format!(", next {} UTC", at.format("%Y-%m-%d %H:%M")),
            _ => String::new(),
        };
        let _ = writeln!(
            text,
            "{:<16} {:<4} {}{next}{}",
            view.job.to_string(),
            if view.enabled { "on" } else { "off" },
            match view.job {
                JobId::RAPTOR_ROSTER => "in the integration window, then as PowerSchool changes".to_owned(),
                _ => schedule(view.schedule.as_ref()),
            },
            paused(view)
        );
    }
    text
}

/// A schedule in words.
pub fn schedule(schedule: Option<&JobSchedule>) -> String {
    let Some(schedule) = schedule else { return "when a person asks for it".to_owned() };
    let when = match schedule.when {
        When::At { days, time } => format!("{days} at {time} {}", schedule.zone),
        When::Every { minutes } => format!("every {} min", minutes.minutes()),
    };
    if schedule.only_in_session { format!("{when}, on days with school") } else { when }
}
