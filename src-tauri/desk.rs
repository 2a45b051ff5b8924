//! The window's place: the profile it shows, its sessions, and the practice district it has started.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex as StdMutex, MutexGuard, PoisonError},
    time::Duration,
};

use rosterbridge_api::{Fault, Request, Response, SecretText, Session};
use tokio::{process::Child, sync::Mutex, task::JoinSet};

use crate::{
    practice_child::{self, Ready},
    start::{DEFAULT_PROFILE, PRACTICE_PROFILE, Start},
};

/// How long the app's end may wait for what other processes have asked it to do.
const FAREWELL: Duration = Duration::from_secs(5);

/// Shared by all commands.
#[derive(Debug)]
pub struct Desk {
    start: Start,
    shown: Mutex<Shown>,
    /// The practice district this window started. Apart, because the app's end is not asynchronous.
    practice: StdMutex<Option<Child>>,
}

#[derive(Debug)]
struct Shown {
    profile: String,
    /// Opened once each, so that turning to and fro never waits for a lock this process holds itself.
    sessions: HashMap<String, Session>,
}

impl Desk {
    /// Nothing is opened before the window asks for something, so that every failure can be shown in it.
    pub fn new(start: Start) -> Self {
        let shown = Shown { profile: start.profile.clone(), sessions: HashMap::new() };
        Self { start, shown: Mutex::new(shown), practice: StdMutex::new(None) }
    }

    /// The folder that holds the profiles.
    pub fn home(&self) -> Option<&Path> {
        self.start.home.as_deref()
    }

    /// The profile the window shows.
    pub async fn profile(&self) -> String {
        self.shown.lock().await.profile.clone()
    }

    /// The session of the profile the window shows, opened if need be.
    pub async fn session(&self) -> Result<Session, Fault> {
        let mut shown = self.shown.lock().await;
        let profile = shown.profile.clone();
        self.open(&mut shown, &profile).await
    }

    async fn open(&self, shown: &mut Shown, profile: &str) -> Result<Session, Fault> {
        if let Some(session) = shown.sessions.get(profile) {
            return Ok(session.clone());
        }
        let session = Session::open(self.required_home()?, profile).await?;
        shown.sessions.insert(profile.to_owned(), session.clone());
        Ok(session)
    }

    fn required_home(&self) -> Result<&Path, Fault> {
        self.home().ok_or_else(|| Fault {
            code: "profile.no_home".to_owned(),
            message: "This account has no folder for application data.".to_owned(),
            remedy: "Start RosterBridge with --home and a folder to keep its data in.".to_owned(),
        })
    }

    /// Starts the practice district unless one serves already, sets its profile up for it, and turns to that profile.
    /// The window stays where it is when any of this fails.
    pub async fn enter_practice(&self) -> Result<(), Fault> {
        let data = self.required_home()?.join("practice");
        let mut shown = self.shown.lock().await;
        let ready = if let Some(ready) = practice_child::serving(&data).await {
            ready
        } else {
            let (child, ready) = practice_child::start(&data).await?;
            *self.held_practice() = Some(child);
            ready
        };
        let session = self.open(&mut shown, PRACTICE_PROFILE).await?;
        if !is_set_up_for(&session, &ready).await? {
            // The host key is left to be asked about: first contact is part of what is practised.
            session
                .call(Request::ImportPractice { ready: SecretText::new(ready.text), pin: false }, |_| {})
                .await?;
        }
        PRACTICE_PROFILE.clone_into(&mut shown.profile);
        Ok(())
    }

    /// Ends the practice district and turns back to the profile the app was started with.
    pub async fn leave_practice(&self) {
        let mut shown = self.shown.lock().await;
        let own = if self.start.profile == PRACTICE_PROFILE { DEFAULT_PROFILE } else { &self.start.profile };
        own.clone_into(&mut shown.profile);
        let child = self.held_practice().take();
        if let Some(mut child) = child
            && let Err(error) = child.kill().await
        {
            tracing::warn!(%error, "the practice district could not be ended");
        }
    }

    /// Ends the sessions when the app ends: what other processes asked it to do is finished first, if that is soon.
    pub async fn close(&self) {
        let closing = async {
            let sessions = std::mem::take(&mut self.shown.lock().await.sessions);
            let mut closing = JoinSet::new();
            for session in sessions.into_values() {
                closing.spawn(session.close());
            }
            closing.join_all().await;
        };
        if tokio::time::timeout(FAREWELL, closing).await.is_err() {
            tracing::warn!("another process was still waiting when the app ended");
        }
    }

    /// Ends the practice district when the app ends.
    pub fn end_practice(&self) {
        if let Some(mut child) = self.held_practice().take()
            && let Err(error) = child.start_kill()
        {
            tracing::warn!(%error, "the practice district could not be ended");
        }
    }

    fn held_practice(&self) -> MutexGuard<'_, Option<Child>> {
        // A handle to a process is whole whatever happened to the thread that held it.
        self.practice.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the profile is set up for this very practice district already; then the person's own edits are kept.
async fn is_set_up_for(session: &Session, ready: &Ready) -> Result<bool, Fault> {
    let Response::Setup(view) = session.call(Request::Setup, |_| {}).await? else { return Ok(false) };
    Ok(view.practice
        && view.setup.powerschool.url == ready.powerschool.url
        && view.setup.powerschool.client_id == ready.powerschool.client_id
        && view.setup.hero.port == ready.hero.port)
}
