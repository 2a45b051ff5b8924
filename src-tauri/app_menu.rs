//! The menu bar of macOS, with Settings where people look for it, and a Quit that asks as the icon's does.
//!
//! The system's own Quit item ends the app without a word to anybody who could ask (tauri-apps/tauri#9198). What the Dock
//! and a logout send does so still: the app then ends in order, and a logout is not to be held up.

use tauri::{
    AppHandle, Manager, Wry,
    menu::{
        AboutMetadata, HELP_SUBMENU_ID, Menu, MenuEvent, MenuItem, PredefinedMenuItem, Submenu,
        WINDOW_SUBMENU_ID,
    },
};

use rosterbridge_api::report::NoticePlace;

use crate::{closing, desk::Desk, window, words};

/// Not the icon's: its handler hears of every menu.
const QUIT: &str = "quit-app";
const SETTINGS: &str = "settings-app";

/// The usual menu, with Settings, and with an item of our own in place of Quit.
pub fn asking(app: &AppHandle) -> tauri::Result<Menu<Wry>> {
    let words = words::of(app);
    let (package, bundle) = (app.package_info(), &app.config().bundle);
    let about = AboutMetadata {
        name: Some(package.name.clone()),
        version: Some(package.version.to_string()),
        copyright: bundle.copyright.clone(),
        authors: bundle.publisher.clone().map(|publisher| vec![publisher]),
        ..Default::default()
    };
    let line = || PredefinedMenuItem::separator(app);
    let own = |id, text: &str, keys| MenuItem::with_id(app, id, text, true, Some(keys));
    let of_app = Submenu::with_items(
        app,
        &package.name,
        true,
        &[
            &PredefinedMenuItem::about(app, Some(&words.about_app), Some(about))?,
            &line()?,
            &own(SETTINGS, &words.settings, "CmdOrCtrl+,")?,
            &line()?,
            &PredefinedMenuItem::services(app, Some(&words.services))?,
            &line()?,
            &PredefinedMenuItem::hide(app, Some(&words.hide_app))?,
            &PredefinedMenuItem::hide_others(app, Some(&words.hide_others))?,
            &line()?,
            &own(QUIT, &words.quit_app, "CmdOrCtrl+Q")?,
        ],
    )?;
    let file = Submenu::with_items(
        app,
        &words.file,
        true,
        &[&PredefinedMenuItem::close_window(app, Some(&words.close_window))?],
    )?;
    let edit = Submenu::with_items(
        app,
        &words.edit,
        true,
        &[
            &PredefinedMenuItem::undo(app, Some(&words.undo))?,
            &PredefinedMenuItem::redo(app, Some(&words.redo))?,
            &line()?,
            &PredefinedMenuItem::cut(app, Some(&words.cut))?,
            &PredefinedMenuItem::copy(app, Some(&words.copy))?,
            &PredefinedMenuItem::paste(app, Some(&words.paste))?,
            &PredefinedMenuItem::select_all(app, Some(&words.select_all))?,
        ],
    )?;
    let view = Submenu::with_items(
        app,
        &words.view,
        true,
        &[&PredefinedMenuItem::fullscreen(app, Some(&words.full_screen))?],
    )?;
    // By these two ids the system knows which they are.
    let window = Submenu::with_id_and_items(
        app,
        WINDOW_SUBMENU_ID,
        &words.window,
        true,
        &[
            &PredefinedMenuItem::minimize(app, Some(&words.minimize))?,
            &PredefinedMenuItem::maximize(app, Some(&words.zoom))?,
            &line()?,
            &PredefinedMenuItem::close_window(app, Some(&words.close_window))?,
        ],
    )?;
    let help = Submenu::with_id(app, HELP_SUBMENU_ID, &words.help, true)?;
    Menu::with_items(app, &[&of_app, &file, &edit, &view, &window, &help])
}

/// Makes it anew, in the words in use by now.
pub fn reword(app: &AppHandle) {
    if !cfg!(target_os = "macos") {
        return;
    }
    if let Err(error) = asking(app).and_then(|menu| app.set_menu(menu)) {
        tracing::debug!(%error, "the menu bar was not brought up to date");
    }
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
