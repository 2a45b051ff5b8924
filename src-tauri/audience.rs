//! Who is told what a run does that nobody at the window started.

use std::path::Path;

use rosterbridge_api::report::Event;
use serde::Serialize;
use tauri::{AppHandle, Emitter};

#[cfg(debug_assertions)]
use crate::browser::Pages;
use crate::{
    notices::{self, Aim},
    window,
};

/// The window's name for what happened.
const HAPPENED: &str = "engine";

/// What a run does that the window did not start.
#[derive(Clone, Debug, Serialize)]
pub struct Happened {
    /// The profile the run is of.
    pub profile: String,
    /// What it does.
    pub event: Event,
}

/// The window, or what stands in for it.
#[derive(Clone, Debug)]
pub enum Audience {
    /// The app's window; notices are shown by the system.
    Window(AppHandle),
    /// The pages in a browser.
    #[cfg(debug_assertions)]
    Browser(Pages),
}

impl Audience {
    /// Passes it on. That nobody listens is no failure.
    pub fn tell(&self, profile: &str, event: Event) {
        let profile = profile.to_owned();
        match self {
            Self::Window(app) => {
                if let Event::Notice { title, body, place } = event {
                    notices::show(app, &title, &body, Some(&Aim { profile, place }));
                } else if let Err(error) = app.emit_to(window::LABEL, HAPPENED, Happened { profile, event }) {
                    tracing::debug!(%error, "the window was not told of a scheduled run");
                }
            }
            #[cfg(debug_assertions)]
            Self::Browser(pages) => pages.tell(Happened { profile, event }),
        }
    }

    /// Says which profile is shown, among those there are under `home`: in the window's title.
    pub fn entitle(&self, profile: &str, home: Option<&Path>) {
        match self {
            Self::Window(app) => window::entitle(app, profile, home),
            #[cfg(debug_assertions)]
            Self::Browser(_) => {}
        }
    }
}
