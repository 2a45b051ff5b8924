//! Notifications of the operating system. A click on one opens the window where what it tells is seen to.

use rosterbridge_api::report::NoticePlace;
use serde::{Deserialize, Serialize};
use tauri::AppHandle;
use tauri_plugin_notification::{ActionPerformed, NotificationExt, PermissionState};

use crate::window;

/// What the system gives back of a notification that was clicked.
const AIM: &str = "aim";

/// The most the window's page may have shown, in characters.
const LONGEST: (usize, usize) = (120, 600);

/// Where a click leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aim {
    /// Of this profile.
    pub profile: String,
    /// There.
    pub place: NoticePlace,
}

/// Shows a notification for the window; a click opens it where it is.
#[tauri::command]
#[expect(clippy::needless_pass_by_value, reason = "a command's arguments are its own")]
pub fn notify(app: AppHandle, title: String, body: String) {
    let cut = |text: &str, longest| text.chars().take(longest).collect::<String>();
    show(&app, &cut(&title, LONGEST.0), &cut(&body, LONGEST.1), None);
}

/// Shows a notification if the system lets us. That it can't is no failure: the window says the same.
pub fn show(app: &AppHandle, title: &str, body: &str, aim: Option<&Aim>) {
    let notifications = app.notification();
    let permission = match notifications.permission_state() {
        Ok(PermissionState::Prompt | PermissionState::PromptWithRationale) => {
            notifications.request_permission()
        }
        other => other,
    };
    match permission {
        Ok(PermissionState::Granted) => {
            let mut notification = notifications.builder().title(title).body(body);
            if let Some(aim) = aim {
                notification = notification.extra(AIM, aim);
            }
            if let Err(error) = notification.show() {
                tracing::debug!(%error, "the system showed no notification");
            }
        }
        Ok(_) => tracing::debug!("the system allows no notifications"),
        Err(error) => tracing::debug!(%error, "the system was not asked about notifications"),
    }
}

/// Follows the clicks on notifications.
pub fn follow(app: &AppHandle) {
    let shell = app.clone();
    let followed = app.notification().on_action(move |clicked| match aim(clicked) {
        Some(aim) => window::go(&shell, &aim.profile, aim.place),
        None => window::show(&shell),
    });
    if let Err(error) = followed {
        tracing::debug!(%error, "clicks on notifications are not heard of");
    }
}

fn aim(clicked: &ActionPerformed) -> Option<Aim> {
    serde_json::from_value(clicked.notification()?.extra().get(AIM)?.clone()).ok()
}
