//! The one window: where it was, and where in it a person is to be taken.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tauri::{
    AppHandle, Emitter, Manager, Monitor, PhysicalPosition, PhysicalSize, WebviewWindow, WebviewWindowBuilder,
};

use rosterbridge_api::report::NoticePlace;
use tokio::time;

use crate::{
    desk::Desk,
    start::{PRACTICE_PROFILE, Start},
    words,
};

/// Its name in `tauri.conf.json` and in its capabilities.
pub const LABEL: &str = "main";

/// The window's name for a place it is to show.
const GO: &str = "go";

/// How much of the window's upper edge has to be on a screen, in that screen's pixels: enough to be seen and dragged.
const HANDLE: (i32, i32) = (160, 24);

/// Where it was is kept here, beside the profiles, by profile: each district has a window of its own.
const FILE: &str = "window-state.json";

/// How long after a move it is kept where the window is.
const SETTLED: Duration = Duration::from_secs(1);

/// Whether that is about to be kept.
static PENDING: AtomicBool = AtomicBool::new(false);

/// A place in the window.
#[derive(Clone, Debug, Serialize)]
struct Go {
    /// Of this profile; the window goes nowhere when it shows another one.
    profile: String,
    place: NoticePlace,
}

/// Where the window is, in the screen's pixels, counted from the upper left corner of the first screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Frame {
    x: i32,
    y: i32,
    width: u32,
    height: u32,
    maximized: bool,
}

impl Frame {
    fn of(window: &WebviewWindow) -> tauri::Result<Self> {
        let (position, size) = (window.outer_position()?, window.inner_size()?);
        Ok(Self {
            x: position.x,
            y: position.y,
            width: size.width,
            height: size.height,
            maximized: window.is_maximized()?,
        })
    }

    /// No larger than the screen it is on, and `None` where no screen shows enough of it: a monitor may be gone.
    fn fitted(self, screens: &[Screen]) -> Option<Self> {
        let (right, bottom) = (
            i64::from(self.x) + i64::from(self.width),
            // Of the upper edge alone: a window whose lower part is outside can be dragged.
            i64::from(self.y) + i64::from(HANDLE.1),
        );
        let shown = screens.iter().find(|screen| {
            let width = right.min(screen.right()) - i64::from(self.x.max(screen.x));
            self.y >= screen.y && bottom <= screen.bottom() && width >= i64::from(HANDLE.0)
        })?;
        Some(Self { width: self.width.min(shown.width), height: self.height.min(shown.height), ..self })
    }
}

/// Where the windows were, by profile. A file that can't be read counts as none: it is only about comfort.
fn kept(home: &Path) -> BTreeMap<String, Frame> {
    fs::read(home.join(FILE)).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// A screen's place among the others.
#[derive(Clone, Copy, Debug)]
struct Screen {
    x: i32,
    y: i32,
    width: u32,
    height: u32,
}

impl Screen {
    fn of(monitor: &Monitor) -> Self {
        let (position, size) = (monitor.position(), monitor.size());
        Self { x: position.x, y: position.y, width: size.width, height: size.height }
    }

    fn right(&self) -> i64 {
        i64::from(self.x) + i64::from(self.width)
    }

    fn bottom(&self) -> i64 {
        i64::from(self.y) + i64::from(self.height)
    }
}

/// Makes it where it was last, or else as the configuration says.
pub fn open(app: &AppHandle, start: &Start) -> tauri::Result<()> {
    let configured = app.config().app.windows.iter().find(|window| window.label == LABEL);
    let Some(configured) = configured.cloned() else { return Err(tauri::Error::WindowNotFound) };
    let window = WebviewWindowBuilder::from_config(app, &configured)?.visible(false).build()?;
    entitle(app, &start.profile, start.home.as_deref());
    let screens: Vec<Screen> = app.available_monitors()?.iter().map(Screen::of).collect();
    let last = start.home.as_deref().and_then(|home| kept(home).remove(&start.profile));
    if let Some(frame) = last.and_then(|frame| frame.fitted(&screens)) {
        report(put(&window, frame));
    }
    if start.in_tray { Ok(()) } else { window.show() }
}

/// Gives it the title of a profile, among those that there are under `home`.
pub fn entitle(app: &AppHandle, profile: &str, home: Option<&Path>) {
    let Some(window) = app.get_webview_window(LABEL) else { return };
    let profiles = home.map(rosterbridge_api::profile_names).unwrap_or_default();
    let title = title(profile, &profiles, &words::of(app).practice);
    on_main_thread(app, move |_| {
        // Set anew it would flicker on some desktops.
        if window.title().is_ok_and(|shown| shown == title) {
            return;
        }
        report(window.set_title(&title));
    });
}

/// Has something done to windows, menus and icons on the thread that they belong to, and does not wait for it. Asked from
/// elsewhere each of them waits for that thread, which waits for the engine while the app ends: with all of the runtime's
/// threads waiting it would never end.
pub fn on_main_thread(app: &AppHandle, work: impl FnOnce(&AppHandle) + Send + 'static) {
    let handle = app.clone();
    report(app.run_on_main_thread(move || work(&handle)));
}

/// Its district is named where there is another one its window could be taken for.
fn title(profile: &str, profiles: &[String], practice: &str) -> String {
    let others = || profiles.iter().any(|other| other != profile && other != PRACTICE_PROFILE);
    match profile {
        PRACTICE_PROFILE => format!("RosterBridge – {practice}"),
        profile if others() => format!("RosterBridge – {profile}"),
        _ => "RosterBridge".to_owned(),
    }
}

fn put(window: &WebviewWindow, frame: Frame) -> tauri::Result<()> {
    window.set_size(PhysicalSize::new(frame.width, frame.height))?;
    window.set_position(PhysicalPosition::new(frame.x, frame.y))?;
    if frame.maximized { window.maximize() } else { Ok(()) }
}

/// It is being moved or resized. Where it has come to is kept soon after, so that it is known however the app ends.
pub fn moved(app: &AppHandle) {
    if PENDING.swap(true, Ordering::SeqCst) {
        return;
    }
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        time::sleep(SETTLED).await;
        PENDING.store(false, Ordering::SeqCst);
        on_main_thread(&app, |app| remember(app, app.state::<Desk>().start()));
    });
}

/// Keeps where it is for the next start. A window that fills the screen or is put away small keeps where it was before.
pub fn remember(app: &AppHandle, start: &Start) {
    let (Some(window), Some(home)) = (app.get_webview_window(LABEL), &start.home) else { return };
    let done = Frame::of(&window).and_then(|frame| {
        let mut frames = kept(home);
        let before = frames.get(&start.profile).copied();
        let frame = match before {
            Some(before) if frame.maximized => Frame { maximized: true, ..before },
            Some(before) if window.is_minimized()? => before,
            _ => frame,
        };
        if before == Some(frame) {
            return Ok(());
        }
        frames.insert(start.profile.clone(), frame);
        fs::create_dir_all(home)?;
        Ok(fs::write(home.join(FILE), serde_json::to_vec(&frames)?)?)
    });
    report(done);
}

/// Brings it to the front, also out of hiding.
pub fn show(app: &AppHandle) {
    let Some(window) = app.get_webview_window(LABEL) else { return };
    let shown = window.show().and_then(|()| window.unminimize()).and_then(|()| window.set_focus());
    report(shown);
}

/// Brings it to the front, at a place of this profile.
pub fn go(app: &AppHandle, profile: &str, place: NoticePlace) {
    show(app);
    report(app.emit_to(LABEL, GO, Go { profile: profile.to_owned(), place }));
}

/// Puts it away; the app goes on.
pub fn hide(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(LABEL) {
        report(window.hide());
    }
}

/// Makes it small, where there is no other place for it.
pub fn minimize(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(LABEL) {
        report(WebviewWindow::minimize(&window));
    }
}

fn report(done: tauri::Result<()>) {
    if let Err(error) = done {
        tracing::warn!(%error, "the window does not do as it is told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn frame(x: i32, y: i32, width: u32, height: u32) -> Frame {
        Frame { x, y, width, height, maximized: false }
    }

    #[test]
    fn a_window_comes_back_only_where_it_can_be_seen_and_dragged() {
        let screens = [
            Screen { x: 0, y: 0, width: 1280, height: 900 },
            Screen { x: 1280, y: -200, width: 1920, height: 1080 },
        ];
        for (there, fits) in [
            (frame(40, 30, 1000, 700), true),
            (frame(1300, -200, 1000, 700), true),
            // The lower part outside can be dragged back; the upper edge can't.
            (frame(40, 860, 1000, 700), true),
            (frame(40, 890, 1000, 700), false),
            (frame(40, -10, 1000, 700), false),
            (frame(-900, 30, 1000, 700), false),
            (frame(-840, 30, 1000, 700), true),
            (frame(5000, 30, 1000, 700), false),
            (frame(i32::MAX, i32::MAX, u32::MAX, u32::MAX), false),
        ] {
            assert_eq!(there.fitted(&screens), fits.then_some(there), "{there:?}");
        }
        assert_eq!(frame(0, 0, 4000, 3000).fitted(&screens), Some(frame(0, 0, 1280, 900)));
        assert_eq!(frame(40, 30, 1000, 700).fitted(&[]), None);
    }

    #[test]
    fn the_title_names_the_district_where_there_are_several() {
        let profiles = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        for (profile, others, shown) in [
            ("default", &[] as &[&str], "RosterBridge"),
            ("default", &["default", "practice"], "RosterBridge"),
            ("default", &["default", "north"], "RosterBridge – default"),
            // It is made with the first request.
            ("north", &["default"], "RosterBridge – north"),
            ("practice", &["default", "practice"], "RosterBridge – Practice district"),
        ] {
            assert_eq!(title(profile, &profiles(others), "Practice district"), shown);
        }
    }

    #[test]
    fn what_is_no_frame_counts_as_none() {
        let home = tempfile::tempdir().unwrap();
        assert!(kept(home.path()).is_empty());
        fs::write(home.path().join(FILE), "{\"default\":{\"x\":1").unwrap();
        assert!(kept(home.path()).is_empty());
        let frames = BTreeMap::from([("default".to_owned(), frame(1, 2, 3, 4))]);
        fs::write(home.path().join(FILE), serde_json::to_vec(&frames).unwrap()).unwrap();
        assert_eq!(kept(home.path()), frames);
    }
}
