//! The icon beside the clock, where the app stays when its window is closed.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Local};
use rosterbridge_api::{
    Fault, Request, Response, Session,
    domain::schedule::Pause,
    report::{Event, NoticePlace, StatusView},
};
use tauri::{
    AppHandle, Manager, Wry,
    menu::{Menu, MenuEvent, MenuItem, PredefinedMenuItem},
    tray::{MouseButton, TrayIconBuilder, TrayIconEvent},
};
use tokio::{sync::oneshot, time};

use crate::{closing, desk::Desk, notices, window};

const ID: &str = "main";
const OPEN: &str = "open";
const RUN: &str = "run";
const PAUSE: &str = "pause";
const HELD: &str = "held";
const SETTINGS: &str = "settings";
const QUIT: &str = "quit";

/// How often the menu is brought up to date.
const GLANCE: Duration = Duration::from_secs(30);

/// What in the menu changes.
struct Lines {
    next: MenuItem<Wry>,
    held: MenuItem<Wry>,
    pause: MenuItem<Wry>,
    said: Mutex<Said>,
}

/// What the menu says now.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    next: String,
    /// Rows waiting for a person.
    held: u64,
    /// Whether its click resumes scheduled runs rather than pausing them.
    resumes: bool,
}

impl Said {
    fn of(status: &StatusView, now: DateTime<Local>) -> Self {
        let next = status.jobs.iter().filter_map(|job| job.next_at).min();
        let next = match (status.pause, next) {
            _ if status.running.is_some() => "Running now".to_owned(),
            _ if !status.other_sender.is_empty() => "Another sender is active: open RosterBridge".to_owned(),
            (Pause::UntilResumed, _) => "Scheduled runs are paused".to_owned(),
            (Pause::Until(end), _) if status.paused => {
                format!("Paused until {}", moment(end.with_timezone(&Local), now))
            }
            (_, Some(next)) => format!("Next run: {}", moment(next.with_timezone(&Local), now)),
            (_, None) => "No run is planned".to_owned(),
        };
        Self { next, held: status.held, resumes: status.paused }
    }

    fn held_text(&self) -> String {
        match self.held {
            0 => "No held records".to_owned(),
            1 => "1 held record…".to_owned(),
            held => format!("{held} held records…"),
        }
    }

    const fn pause_text(&self) -> &'static str {
        if self.resumes { "Resume scheduled runs" } else { "Pause scheduled runs" }
    }
}

/// A time to come, by this computer's clock: `today 4:00 PM`, `Friday 3:10 AM`, `Nov 30, 3:10 AM`.
pub fn moment(then: DateTime<Local>, now: DateTime<Local>) -> String {
    let days = then.date_naive().signed_duration_since(now.date_naive()).num_days();
    let day = match days {
        0 => "today ".to_owned(),
        1 => "tomorrow ".to_owned(),
        2..=6 => then.format("%A ").to_string(),
        _ => then.format("%b %-d, ").to_string(),
    };
    day + &then.format("%-I:%M %p").to_string()
}

/// Puts the icon up unless it stands already. False where the desktop shows none.
pub async fn available(app: &AppHandle) -> bool {
    if !has_place().await {
        return false;
    }
    let (send, put_up) = oneshot::channel();
    let handle = app.clone();
    // Toolkits make icons on their main thread only.
    let asked = app.run_on_main_thread(move || {
        // Nobody waits any more when the app is ending.
        let _ = send.send(put_up_on_main_thread(&handle));
    });
    asked.is_ok() && put_up.await.unwrap_or(false)
}

fn put_up_on_main_thread(app: &AppHandle) -> bool {
    if app.tray_by_id(ID).is_some() {
        return true;
    }
    // On Linux the library behind it panics where a system library is not installed.
    match panic::catch_unwind(AssertUnwindSafe(|| build(app))) {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the icon could not be put beside the clock");
            false
        }
        Err(_) => {
            tracing::warn!("the library for icons beside the clock is not installed");
            false
        }
    }
}

fn build(app: &AppHandle) -> tauri::Result<()> {
    let said = Said { next: "No run is planned".to_owned(), held: 0, resumes: false };
    let next = MenuItem::new(app, &said.next, false, None::<&str>)?;
    let held = MenuItem::with_id(app, HELD, said.held_text(), false, None::<&str>)?;
    let pause = MenuItem::with_id(app, PAUSE, said.pause_text(), true, None::<&str>)?;
    let menu = Menu::with_items(
        app,
        &[
            &next,
            &held,
            &PredefinedMenuItem::separator(app)?,
            &MenuItem::with_id(app, OPEN, "Open RosterBridge", true, None::<&str>)?,
            &MenuItem::with_id(app, RUN, "Run now", true, None::<&str>)?,
            &pause,
            &PredefinedMenuItem::separator(app)?,
            &MenuItem::with_id(app, SETTINGS, "Settings…", true, None::<&str>)?,
            &MenuItem::with_id(app, QUIT, "Quit…", true, None::<&str>)?,
        ],
    )?;
    let mut icon = TrayIconBuilder::with_id(ID)
        .menu(&menu)
        .tooltip("RosterBridge")
        // Where a click on the icon is a thing of its own it opens the window.
        .show_menu_on_left_click(!cfg!(windows))
        .on_menu_event(|app, event| chosen(app, &event))
        .on_tray_icon_event(|icon, event| {
            if cfg!(windows)
                && matches!(
                    event,
                    TrayIconEvent::DoubleClick { button: MouseButton::Left, .. }
                        | TrayIconEvent::Click { button: MouseButton::Left, .. }
                )
            {
                window::show(icon.app_handle());
            }
        });
    if let Some(image) = app.default_window_icon() {
        icon = icon.icon(image.clone());
    }
    icon.build(app)?;
    app.manage(Lines { next, held, pause, said: Mutex::new(said) });
    Ok(())
}

fn chosen(app: &AppHandle, event: &MenuEvent) {
    let app = app.clone();
    match event.id().as_ref() {
        OPEN => window::show(&app),
        HELD => window::go(&app, app.state::<Desk>().own_profile(), NoticePlace::Held),
        SETTINGS => window::go(&app, app.state::<Desk>().own_profile(), NoticePlace::Settings),
        RUN => drop(tauri::async_runtime::spawn(async move { run_now(&app).await })),
        PAUSE => drop(tauri::async_runtime::spawn(async move { turn_pause(&app).await })),
        QUIT => drop(tauri::async_runtime::spawn(async move { closing::ask_to_quit(&app).await })),
        _ => {}
    }
}

/// The session of the district, or the window where none is open yet.
async fn session(app: &AppHandle) -> Option<Session> {
    let session = app.state::<Desk>().own_session().await;
    if session.is_none() {
        window::show(app);
    }
    session
}

async fn run_now(app: &AppHandle) {
    let Some(session) = session(app).await else { return };
    let tell = app.state::<Desk>().teller_of_own();
    let asked = session.call(Request::Sync { jobs: Vec::new(), dry_run: false }, tell).await;
    tell_fault(app, asked.err().as_ref());
    bring_up_to_date(app, &session).await;
}

async fn turn_pause(app: &AppHandle) {
    let Some(session) = session(app).await else { return };
    // What the person saw when they clicked counts.
    let resumes = app
        .try_state::<Lines>()
        .is_some_and(|lines| lines.said.lock().unwrap_or_else(PoisonError::into_inner).resumes);
    let pause = if resumes { Pause::No } else { Pause::UntilResumed };
    match session.call(Request::Pause { pause }, |_: Event| {}).await {
        Ok(Response::Status(status)) => say(app, &status),
        Ok(_) => {}
        Err(fault) => tell_fault(app, Some(&fault)),
    }
}

fn tell_fault(app: &AppHandle, fault: Option<&Fault>) {
    if let Some(fault) = fault {
        notices::show(app, &fault.message, &fault.remedy, None);
    }
}

/// Brings the menu in step with the district's state.
pub fn say(app: &AppHandle, status: &StatusView) {
    let Some(lines) = app.try_state::<Lines>() else { return };
    let now_said = Said::of(status, Local::now());
    {
        let mut said = lines.said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said == now_said {
            return;
        }
        *said = now_said.clone();
    }
    let changed = lines
        .next
        .set_text(&now_said.next)
        .and(lines.held.set_text(now_said.held_text()))
        .and(lines.held.set_enabled(now_said.held > 0))
        .and(lines.pause.set_text(now_said.pause_text()));
    if let Some(icon) = app.tray_by_id(ID)
        && let Err(error) = changed.and(icon.set_tooltip(Some(format!("RosterBridge – {}", now_said.next))))
    {
        tracing::debug!(%error, "the menu beside the clock was not brought up to date");
    }
}

async fn bring_up_to_date(app: &AppHandle, session: &Session) {
    if let Ok(Response::Status(status)) = session.call(Request::Status, |_: Event| {}).await {
        say(app, &status);
    }
}

/// Keeps the menu in step for as long as the app runs.
pub async fn follow(app: AppHandle) {
    loop {
        if app.try_state::<Lines>().is_some()
            && let Some(session) = app.state::<Desk>().own_session().await
        {
            bring_up_to_date(&app, &session).await;
        }
        time::sleep(GLANCE).await;
    }
}

/// Whether the desktop has a place for icons.
#[cfg(target_os = "linux")]
async fn has_place() -> bool {
    /// How long the session bus may take to answer.
    const ANSWER: Duration = Duration::from_secs(2);
    let asking = async {
        let bus = zbus::Connection::session().await?;
        let place: zbus::Proxy<'_> = zbus::proxy::Builder::new(&bus)
            .destination("org.kde.StatusNotifierWatcher")?
            .path("/StatusNotifierWatcher")?
            .interface("org.kde.StatusNotifierWatcher")?
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()
            .await?;
        place.get_property::<bool>("IsStatusNotifierHostRegistered").await
    };
    match time::timeout(ANSWER, asking).await {
        Ok(Ok(registered)) => registered,
        Ok(Err(error)) => {
            tracing::debug!(%error, "this desktop shows no icons beside the clock");
            false
        }
        Err(_) => false,
    }
}

/// Windows and macOS always have one.
#[cfg(not(target_os = "linux"))]
async fn has_place() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn a_time_to_come_is_told_by_how_far_it_is() {
        let at = |day, hour, minute| Local.with_ymd_and_hms(2026, 11, day, hour, minute, 0).unwrap();
        let now = at(20, 15, 0);
        for (then, told) in [
            (at(20, 16, 0), "today 4:00 PM"),
            (at(21, 3, 10), "tomorrow 3:10 AM"),
            (at(23, 3, 10), "Monday 3:10 AM"),
            (at(30, 12, 5), "Nov 30, 12:05 PM"),
        ] {
            assert_eq!(moment(then, now), told);
        }
    }
}
