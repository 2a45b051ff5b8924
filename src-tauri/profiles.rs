//! Profiles: which there are, a window for each, and what is done to the one this window shows while nothing works on it.

use rosterbridge_api::{Erased, Fault, LeftBehind, ProfileView, RestoredView, SecretText};
use tauri::{AppHandle, Manager, State};
use tauri_plugin_autostart::ManagerExt;

use crate::{
    desk::Desk,
    start::{PRACTICE_PROFILE, Start},
};

/// The profiles of this account, and what the processes say that work on them.
#[tauri::command]
pub async fn profiles(desk: State<'_, Desk>) -> Result<Vec<ProfileView>, Fault> {
    Ok(match desk.home() {
        Some(home) => rosterbridge_api::profiles(home).await,
        None => Vec::new(),
    })
}

/// Opens a profile in a window of its own, in a process of its own: districts share nothing. One that is not there yet is
/// made. Where its window is open already, that one comes to the front.
#[tauri::command]
pub async fn open_profile(app: AppHandle, desk: State<'_, Desk>, name: String) -> Result<(), Fault> {
    if let Some(home) = desk.home() {
        rosterbridge_api::check_profile_name(home, &name)?;
    }
    start(&app, &Start { profile: name, in_tray: false, ..desk.start().clone() }).map_err(|error| Fault {
        code: "window.profile_not_opened".to_owned(),
        message: format!("The district’s window could not be opened: {error}."),
        remedy: "Start RosterBridge anew with --profile and the district’s name.".to_owned(),
    })
}

fn start(app: &AppHandle, start: &Start) -> std::io::Result<()> {
    let program = tauri::process::current_binary(&app.env())?;
    // It lives as long as it likes; the runtime takes note of its end.
    let mut window = tokio::process::Command::new(program);
    window.args(start.command_line()).kill_on_drop(false).spawn().map(drop)
}

/// Puts the newest usable backup in the ledger's place, or an empty ledger with `begin_anew`.
#[tauri::command]
pub async fn restore_ledger(
    desk: State<'_, Desk>,
    profile: String,
    begin_anew: bool,
) -> Result<RestoredView, Fault> {
    desk.restore(&profile, begin_anew).await
}

/// Puts the profile's key back into the keychain from the text of a recovery file.
#[tauri::command]
pub async fn recover_key(
    desk: State<'_, Desk>,
    profile: String,
    text: String,
    passphrase: SecretText,
) -> Result<(), Fault> {
    desk.recover(&profile, text, passphrase).await
}

/// Erases the profile the window shows. `confirm` has to be its name. The app no longer starts at login for it.
#[tauri::command]
pub async fn erase_profile(
    app: AppHandle,
    desk: State<'_, Desk>,
    profile: String,
    confirm: String,
) -> Result<Erased, Fault> {
    let mut erased = desk.erase(&profile, &confirm).await?;
    // The entry would make the profile anew at the next login. The practice district has none.
    let login = app.autolaunch();
    if erased.profile != PRACTICE_PROFILE
        && login.is_enabled().unwrap_or(false)
        && let Err(error) = login.disable()
    {
        erased.left.push(LeftBehind { what: "the start at login".to_owned(), why: error.to_string() });
    }
    Ok(erased)
}
