//! What becomes of the app when its window is closed, and what stops when it is quit.

use std::{
    fs::File,
    io,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use chrono::{DateTime, Local};
use rosterbridge_api::{
    Request, Response,
    report::{Event, StatusView},
};
use tauri::{AppHandle, CloseRequestApi, ExitRequestApi, Manager, Window};
use tauri_plugin_dialog::{DialogExt, MessageDialogButtons};
use tokio::{sync::oneshot, time};

use crate::{
    alone,
    desk::Desk,
    notices, tray, window,
    words::{self, Words},
};

/// How long the engine may take to say what it is doing.
const ANSWER: Duration = Duration::from_secs(2);

/// Whether it was told in this start that the app stays when its window is closed.
static TOLD: AtomicBool = AtomicBool::new(false);

/// An empty file beside the profiles once that was told: a person reads it once.
const TOLD_FILE: &str = "closing-explained";

/// Whether a person is being asked whether to quit.
static ASKING: AtomicBool = AtomicBool::new(false);

/// What quitting would stop.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stops {
    /// Whether anything does.
    anything: bool,
    /// What, and what goes on, in sentences.
    words: String,
}

impl Stops {
    /// Of a profile by its state, in this process or another one.
    fn of_profile(status: &StatusView, is_host: bool, words: &Words, now: DateTime<Local>) -> Self {
        let scheduled = status.jobs.iter().any(|job| job.enabled && job.schedule.is_some());
        let next = status.jobs.iter().filter_map(|job| job.next_at).min();
        let next = next.map(|next| words.moment(next.with_timezone(&Local), now));
        Self::of(is_host, status.running.is_some(), scheduled, next.as_deref(), words)
    }

    fn of(is_host: bool, is_running: bool, scheduled: bool, next: Option<&str>, words: &Words) -> Self {
        if !is_host {
            return Self { anything: false, words: words.goes_on.clone() };
        }
        let mut stopping = Vec::new();
        if is_running {
            stopping.push(words.run_ends.clone());
        }
        if scheduled {
            stopping.push(words.schedule_ends.clone());
        }
        if let Some(next) = next {
            stopping.push(words.next_due.replace("{when}", next));
        }
        if stopping.is_empty() {
            Self::nothing(words)
        } else {
            Self { anything: true, words: stopping.join(" ") }
        }
    }

    fn nothing(words: &Words) -> Self {
        Self { anything: false, words: words.nothing_stops.clone() }
    }

    fn unknown(words: &Words) -> Self {
        Self { anything: true, words: words.all_stops.clone() }
    }
}

async fn what_stops(app: &AppHandle) -> Stops {
    let words = &*words::of(app);
    let asking = async {
        let Some(session) = app.state::<Desk>().own_session().await else {
            return Some(Stops::nothing(words));
        };
        let is_host = session.is_host().await;
        match session.call(Request::Status, |_: Event| {}).await {
            Ok(Response::Status(status)) => Some(Stops::of_profile(&status, is_host, words, Local::now())),
            Ok(_) => None,
            // A profile that can't be opened exchanges nothing.
            Err(_) => Some(Stops::nothing(words)),
        }
    };
    time::timeout(ANSWER, asking).await.ok().flatten().unwrap_or_else(|| Stops::unknown(words))
}

/// The window shall be closed: the app goes on beside the clock. Where there is no such place it ends, once a person
/// has read what stops.
pub fn requested(window: &Window, api: &CloseRequestApi) {
    let app = window.app_handle().clone();
    if app.state::<Desk>().quits_on_close() {
        return;
    }
    api.prevent_close();
    tauri::async_runtime::spawn(async move {
        if tray::available(&app).await {
            window::hide(&app);
            if !TOLD.swap(true, Ordering::Relaxed) && is_new_here(app.state::<Desk>().home()) {
                let words = words::of(&app);
                notices::show(&app, &words.still_running, &words.still_running_about, None);
            }
            return;
        }
        let stops = what_stops(&app).await;
        if !stops.anything {
            app.exit(0);
        } else if asked(&app, &stops, &words::of(&app).keep).await == Some(false) {
            window::minimize(&app);
        }
    });
}

/// Whether a person was never told on this home that the app stays, and from now on was. Where that can't be kept, each start
/// tells it.
fn is_new_here(home: Option<&Path>) -> bool {
    let Some(home) = home else { return true };
    match File::create_new(home.join(TOLD_FILE)) {
        Ok(_) => true,
        Err(error) => error.kind() != io::ErrorKind::AlreadyExists,
    }
}

/// The app shall end. It does so without a question when it ends itself, for then it was asked or had nothing to ask, and
/// when closing its window ends it.
pub fn exit_requested(app: &AppHandle, code: Option<i32>, api: &ExitRequestApi) {
    if ends_unasked(code, app.state::<Desk>().quits_on_close()) {
        alone::ending();
        return;
    }
    api.prevent_exit();
    let app = app.clone();
    tauri::async_runtime::spawn(async move { ask_to_quit(&app).await });
}

/// Only an end that the app itself asked for has a code.
const fn ends_unasked(code: Option<i32>, quits_on_close: bool) -> bool {
    code.is_some() || quits_on_close
}

/// Quits, once a person has read what stops if anything does.
pub async fn ask_to_quit(app: &AppHandle) {
    let stops = what_stops(app).await;
    if stops.anything {
        asked(app, &stops, &words::of(app).cancel).await;
    } else {
        app.exit(0);
    }
}

/// Asks, and quits on yes. `None` when the question is open already.
async fn asked(app: &AppHandle, stops: &Stops, otherwise: &str) -> Option<bool> {
    if ASKING.swap(true, Ordering::SeqCst) {
        return None;
    }
    let (send, answer) = oneshot::channel();
    let words = words::of(app);
    app.dialog()
        .message(&stops.words)
        .title(&words.quit_question)
        .buttons(MessageDialogButtons::OkCancelCustom(words.quit_answer.clone(), otherwise.to_owned()))
        .show(move |quit| {
            // The app may be ending for another reason.
            let _ = send.send(quit);
        });
    let quit = answer.await.unwrap_or(false);
    ASKING.store(false, Ordering::SeqCst);
    if quit {
        app.exit(0);
    }
    Some(quit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_end_from_outside_is_asked_about() {
        for (code, quits_on_close, unasked) in
            [(None, false, false), (None, true, true), (Some(0), false, true), (Some(0), true, true)]
        {
            assert_eq!(ends_unasked(code, quits_on_close), unasked);
        }
    }

    #[test]
    fn that_the_app_stays_is_told_once() {
        let home = tempfile::tempdir().unwrap();
        assert!(is_new_here(Some(home.path())));
        assert!(!is_new_here(Some(home.path())));
        assert!(is_new_here(None));
        assert!(is_new_here(Some(&home.path().join("missing"))));
    }

    #[test]
    fn quitting_says_what_stops() {
        for (is_host, running, scheduled, next, anything, words) in [
            (true, false, false, None, false, "nothing stops"),
            (true, false, true, None, true, "on schedule until"),
            (true, false, true, Some("today, 4:00 PM"), true, "due today, 4:00 PM."),
            (true, true, false, None, true, "under way"),
            (false, true, true, Some("today, 4:00 PM"), false, "another RosterBridge process"),
        ] {
            let stops = Stops::of(is_host, running, scheduled, next, &Words::default());
            assert_eq!(stops.anything, anything, "{stops:?}");
            assert!(stops.words.contains(words), "{stops:?}");
        }
    }
}
