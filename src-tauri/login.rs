//! Whether the app starts when the person signs in to the computer.

use rosterbridge_api::Fault;
use tauri::{AppHandle, plugin::TauriPlugin};
use tauri_plugin_autostart::ManagerExt;

use crate::start::{IN_TRAY, Start};

/// Why that could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[error("The system did not let RosterBridge change what starts at login: {0}.")]
struct LoginError(#[from] tauri_plugin_autostart::Error);

impl From<LoginError> for Fault {
    fn from(error: LoginError) -> Self {
        Self {
            code: "window.start_at_login".to_owned(),
            message: error.to_string(),
            remedy: "Add RosterBridge to the programs that start at login in the system's own settings."
                .to_owned(),
        }
    }
}

/// Makes entries that start this very profile, out of sight.
pub fn plugin(start: &Start) -> TauriPlugin<tauri::Wry> {
    let builder = tauri_plugin_autostart::Builder::new().arg(IN_TRAY).args(start.arguments());
    match start.name() {
        Some(name) => builder.app_name(format!("RosterBridge ({name})")).build(),
        None => builder.app_name("RosterBridge").build(),
    }
}

/// Whether the app starts at login.
#[tauri::command]
#[expect(clippy::needless_pass_by_value, reason = "a command's arguments are its own")]
pub fn starts_at_login(app: AppHandle) -> Result<bool, Fault> {
    Ok(app.autolaunch().is_enabled().map_err(LoginError::from)?)
}

/// Lets the app start at login, or not.
#[tauri::command]
#[expect(clippy::needless_pass_by_value, reason = "a command's arguments are its own")]
pub fn start_at_login(app: AppHandle, wanted: bool) -> Result<(), Fault> {
    let login = app.autolaunch();
    let changed = if wanted { login.enable() } else { login.disable() };
    Ok(changed.map_err(LoginError::from)?)
}
