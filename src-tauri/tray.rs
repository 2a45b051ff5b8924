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

use crate::{
    closing,
    desk::Desk,
    notices, window,
    words::{self, Words},
};

const ID: &str = "main";
const OPEN: &str = "open";
const RUN: &str = "run";
const PAUSE: &str = "pause";
const HELD: &str = "held";
const SETTINGS: &str = "settings";
const QUIT: &str = "quit";

/// How often the menu is brought up to date.
const GLANCE: Duration = Duration::from_secs(30);

/// What the menu is made of.
struct Lines {
    next: MenuItem<Wry>,
    held: MenuItem<Wry>,
    open: MenuItem<Wry>,
    run: MenuItem<Wry>,
    pause: MenuItem<Wry>,
    settings: MenuItem<Wry>,
    quit: MenuItem<Wry>,
    said: Mutex<Said>,
    shown: Mutex<Shown>,
}

/// What the menu tells now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Said {
    next: Next,
    /// Rows waiting for a person.
    held: u64,
    /// Whether its click resumes scheduled runs rather than pausing them.
    resumes: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Running,
    OtherSender,
    Paused,
    PausedUntil(DateTime<Local>),
    Run(DateTime<Local>),
    Nothing,
}

/// That in words, for the lines that change.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown {
    next: String,
    held: String,
    pause: String,
}

impl Said {
    /// Before anything is known.
    const NOTHING: Self = Self { next: Next::Nothing, held: 0, resumes: false };

    fn of(status: &StatusView) -> Self {
        let next = status.jobs.iter().filter_map(|job| job.next_at).min();
        let next = match (status.pause, next) {
            _ if status.running.is_some() => Next::Running,
            _ if !status.other_sender.is_empty() => Next::OtherSender,
            (Pause::UntilResumed, _) => Next::Paused,
            (Pause::Until(end), _) if status.paused => Next::PausedUntil(end.with_timezone(&Local)),
            (_, Some(next)) => Next::Run(next.with_timezone(&Local)),
            (_, None) => Next::Nothing,
        };
        Self { next, held: status.held, resumes: status.paused }
    }

    fn shown(self, words: &Words, now: DateTime<Local>) -> Shown {
        let at = |text: &str, then| text.replace("{when}", &words.moment(then, now));
        let next = match self.next {
            Next::Running => words.running.clone(),
            Next::OtherSender => words.other_sender.clone(),
            Next::Paused => words.paused.clone(),
            Next::PausedUntil(end) => at(&words.paused_until, end),
            Next::Run(then) => at(&words.next_run, then),
            Next::Nothing => words.no_run.clone(),
        };
        let held = match self.held {
            0 => words.none_held.clone(),
            1 => words.one_held.clone(),
            held => words.held.replace("{held}", &held.to_string()),
        };
        let pause = if self.resumes { &words.resume } else { &words.pause };
        Shown { next, held, pause: pause.clone() }
    }
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
    let words = words::of(app);
    let said = Said::NOTHING;
    let shown = said.shown(&words, Local::now());
    let line = |id: &str, text: &str| MenuItem::with_id(app, id, text, true, None::<&str>);
    let next = MenuItem::new(app, &shown.next, false, None::<&str>)?;
    let held = MenuItem::with_id(app, HELD, &shown.held, false, None::<&str>)?;
    let open = line(OPEN, &words.open)?;
    let run = line(RUN, &words.run)?;
    let pause = line(PAUSE, &shown.pause)?;
    let settings = line(SETTINGS, &words.settings)?;
    let quit = line(QUIT, &words.quit)?;
    let menu = Menu::with_items(
        app,
        &[
            &next,
            &held,
            &PredefinedMenuItem::separator(app)?,
            &open,
            &run,
            &pause,
            &PredefinedMenuItem::separator(app)?,
            &settings,
            &quit,
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
    let (said, shown) = (Mutex::new(said), Mutex::new(shown));
    app.manage(Lines { next, held, open, run, pause, settings, quit, said, shown });
    // The page may have handed over other words meanwhile.
    reword(app);
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
    *lines.said.lock().unwrap_or_else(PoisonError::into_inner) = Said::of(status);
    window::on_main_thread(app, |app| {
        if let Some(lines) = app.try_state::<Lines>() {
            report(show(app, &lines));
        }
    });
}

/// Says the same in the words in use by now. On the main thread.
pub fn reword(app: &AppHandle) {
    let Some(lines) = app.try_state::<Lines>() else { return };
    let words = words::of(app);
    let fixed = lines
        .open
        .set_text(&words.open)
        .and_then(|()| lines.run.set_text(&words.run))
        .and_then(|()| lines.settings.set_text(&words.settings))
        .and_then(|()| lines.quit.set_text(&words.quit));
    report(fixed.and_then(|()| show(app, &lines)));
}

/// On the main thread.
fn show(app: &AppHandle, lines: &Lines) -> tauri::Result<()> {
    let said = *lines.said.lock().unwrap_or_else(PoisonError::into_inner);
    let now = said.shown(&words::of(app), Local::now());
    {
        let mut shown = lines.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if *shown == now {
            return Ok(());
        }
        *shown = now.clone();
    }
    lines.next.set_text(&now.next)?;
    lines.held.set_text(&now.held)?;
    lines.held.set_enabled(said.held > 0)?;
    lines.pause.set_text(&now.pause)?;
    match app.tray_by_id(ID) {
        Some(icon) => icon.set_tooltip(Some(format!("RosterBridge – {}", now.next))),
        None => Ok(()),
    }
}

fn report(done: tauri::Result<()>) {
    if let Err(error) = done {
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
    fn the_menu_tells_what_comes_next() {
        let at = |day, hour| Local.with_ymd_and_hms(2026, 11, day, hour, 0, 0).unwrap();
        let words = Words::default();
        for (next, told) in [
            (Next::Running, "Running now"),
            (Next::OtherSender, "Another sender is active: open RosterBridge"),
            (Next::Paused, "Scheduled runs are paused"),
            (Next::PausedUntil(at(21, 8)), "Paused until tomorrow, 8:00 AM"),
            (Next::Run(at(20, 16)), "Next run: today, 4:00 PM"),
            (Next::Nothing, "No run is planned"),
        ] {
            assert_eq!(Said { next, ..Said::NOTHING }.shown(&words, at(20, 15)).next, told);
        }
        for (held, told) in [(0, "No held records"), (1, "1 held record…"), (2, "2 held records…")] {
            assert_eq!(Said { held, ..Said::NOTHING }.shown(&words, at(20, 15)).held, told);
        }
        for (resumes, told) in [(false, "Pause scheduled runs"), (true, "Resume scheduled runs")] {
            assert_eq!(Said { resumes, ..Said::NOTHING }.shown(&words, at(20, 15)).pause, told);
        }
    }
}
