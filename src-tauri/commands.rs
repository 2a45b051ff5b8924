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
    /// The app's version.
    version: &'static str,
    /// The folder that holds the profiles; empty when there is none.
    home: String,
    /// `linux`, `macos` or `windows`.
    platform: &'static str,
}

/// Carries out a request in the window's profile. Events go to the channel until the answer; a notice is shown by the
/// system, since the window may be hidden. A file is written only where a person has said in the system's dialog.
#[tauri::command]
pub async fn call(
    app: AppHandle,
    desk: State<'_, Desk>,
    named: State<'_, Named>,
    request: Request,
    on_event: Channel<Event>,
) -> Result<Response, Fault> {
    named.check(&request)?;
    let session = desk.session().await?;
    let (shell, profile) = (app.clone(), desk.profile().await);
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

/// Starts the practice district and turns the window to its profile.
#[tauri::command]
pub async fn practice_start(desk: State<'_, Desk>) -> Result<(), Fault> {
    desk.enter_practice().await
}

/// Ends the practice district and turns the window back.
#[tauri::command]
pub async fn practice_leave(desk: State<'_, Desk>) -> Result<(), Fault> {
    desk.leave_practice().await;
    Ok(())
}

/// What the window was started with, and the profile it shows now.
#[tauri::command]
pub async fn environment(desk: State<'_, Desk>) -> Result<Environment, Fault> {
    Ok(Environment {
        profile: desk.profile().await,
        version: env!("CARGO_PKG_VERSION"),
        home: desk.home().map(|home| home.display().to_string()).unwrap_or_default(),
        platform: std::env::consts::OS,
    })
}
