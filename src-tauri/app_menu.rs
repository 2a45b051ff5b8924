//! The menu bar of macOS, with Settings where people look for it, and a Quit that asks as the icon's does.
//!
//! The system's own Quit item ends the app without a word to anybody who could ask (tauri-apps/tauri#9198). What the Dock
//! and a logout send does so still: the app then ends in order, and a logout is not to be held up.

use tauri::{
    AppHandle, Manager, Wry,
    menu::{Menu, MenuEvent, MenuItem, PredefinedMenuItem},
};

use rosterbridge_api::report::NoticePlace;

use crate::{closing, desk::Desk, window};

/// Not the icon's: its handler hears of every menu.
const QUIT: &str = "quit-app";
const SETTINGS: &str = "settings-app";

/// Behind 'About' and the line below it, as everywhere on macOS.
const SETTINGS_AT: usize = 2;

/// The usual menu, with Settings, and with an item of our own in place of Quit, which is the last one of the app's menu.
pub fn asking(app: &AppHandle) -> tauri::Result<Menu<Wry>> {
    let menu = Menu::default(app)?;
    if let Some(first) = menu.items()?.first()
        && let Some(of_app) = first.as_submenu()
        && let Some(last) = of_app.items()?.len().checked_sub(1)
    {
        of_app.remove_at(last)?;
        let title = format!("Quit {}", app.package_info().name);
        of_app.append(&MenuItem::with_id(app, QUIT, title, true, Some("CmdOrCtrl+Q"))?)?;
        let settings = MenuItem::with_id(app, SETTINGS, "Settings…", true, Some("CmdOrCtrl+,"))?;
        of_app.insert_items(&[&settings, &PredefinedMenuItem::separator(app)?], SETTINGS_AT)?;
    }
    Ok(menu)
}

/// What was chosen in it.
#[expect(clippy::needless_pass_by_value, reason = "a handler's arguments are its own")]
pub fn chosen(app: &AppHandle, event: MenuEvent) {
    if event.id() == QUIT {
        let app = app.clone();
        tauri::async_runtime::spawn(async move { closing::ask_to_quit(&app).await });
    } else if event.id() == SETTINGS {
        window::go(app, app.state::<Desk>().own_profile(), NoticePlace::Settings);
    }
}
