//! Notifications of the operating system.

use tauri::AppHandle;
use tauri_plugin_notification::{NotificationExt, PermissionState};

/// Shows a notification for the window.
#[tauri::command]
#[expect(clippy::needless_pass_by_value, reason = "a command's arguments are its own")]
pub fn notify(app: AppHandle, title: String, body: String) {
    show(&app, &title, &body);
}

/// Shows a notification if the system lets us. That it can't is no failure: the window says the same.
pub fn show(app: &AppHandle, title: &str, body: &str) {
    let notifications = app.notification();
    let permission = match notifications.permission_state() {
        Ok(PermissionState::Prompt | PermissionState::PromptWithRationale) => {
            notifications.request_permission()
        }
        other => other,
    };
    match permission {
        Ok(PermissionState::Granted) => {
            if let Err(error) = notifications.builder().title(title).body(body).show() {
                tracing::debug!(%error, "the system showed no notification");
            }
        }
        Ok(_) => tracing::debug!("the system allows no notifications"),
        Err(error) => tracing::debug!(%error, "the system was not asked about notifications"),
    }
}
