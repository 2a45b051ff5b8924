//! What the window may ask of the shell.

use rosterbridge_api::{Fault, Request, Response, report::Event};
use serde::Serialize;
use tauri::{AppHandle, State, ipc::Channel};

use crate::{
    desk::Desk,
    files::Named,
    notices::{self, Aim},
    start::PRACTICE_PROFILE,
    tray,
};

/// What the window was started with.
#[derive(Debug, Serialize)]
pub struct Environment {
    /// The profile it shows.
    profile: String,
    /// Whether that is open already. The first thing asked of another one opens it, and may ask for the keychain.
    opened: bool,
    /// The app's version.
    version: &'static str,
    /// The folder that holds the profiles; empty when there is none.
    home: String,
    /// `linux`, `macos` or `windows`.
    platform: &'static str,
}

impl Environment {
    /// As it is now.
    pub async fn of(desk: &Desk) -> Self {
        Self {
            profile: desk.profile().await,
            opened: desk.is_open().await,
            version: env!("CARGO_PKG_VERSION"),
            home: desk.home().map(|home| home.display().to_string()).unwrap_or_default(),
            platform: std::env::consts::OS,
        }
    }
}

/// Carries out a request in the profile the page showed when it was asked for, which has to be the window's still. Events
/// go to the channel until the answer; a notice is shown by the system, since the window may be hidden. A file is written
/// only where a person has said in the system's dialog.
#[tauri::command]
pub async fn call(
    app: AppHandle,
    desk: State<'_, Desk>,
    named: State<'_, Named>,
    profile: String,
    request: Request,
    on_event: Channel<Event>,
) -> Result<Response, Fault> {
    named.check(&request)?;
    let session = desk.session(&profile).await?;
    let shell = app.clone();
    let answer = session
        .call(request, move |event| {
            if let Event::Notice { title, body, place } = event {
                notices::show(&shell, &title, &body, Some(&Aim { profile: profile.clone(), place }));
                return;
            }
            // A page that was reloaded no longer listens; the request goes on all the same.
            if let Err(error) = on_event.send(event) {
                tracing::debug!(%error, "the window did not take an event");
            }
        })
        .await;
    if let Ok(Response::Status(status)) = &answer
        && status.profile != PRACTICE_PROFILE
    {
        tray::say(&app, status);
    }
    answer
}

/// Starts the practice district and turns the window to its profile. Gives that one's name.
#[tauri::command]
pub async fn practice_start(desk: State<'_, Desk>) -> Result<String, Fault> {
    desk.enter_practice().await
}

/// Ends the practice district and turns the window back. Gives the name of the profile it shows from then on.
#[tauri::command]
pub async fn practice_leave(desk: State<'_, Desk>) -> Result<String, Fault> {
    Ok(desk.leave_practice().await)
}

/// What the window was started with, and the profile it shows now.
#[tauri::command]
pub async fn environment(desk: State<'_, Desk>) -> Result<Environment, Fault> {
    Ok(Environment::of(&desk).await)
}
