//! The window's place: the profile it shows, its sessions, and the practice district it has started.

mod care;

use std::{
    collections::HashMap,
    mem,
    path::Path,
    sync::{Mutex as StdMutex, MutexGuard, PoisonError},
    time::Duration,
};

use rosterbridge_api::{Fault, Request, Response, SecretText, Session, report::Event};
use tauri::async_runtime;
use tokio::{process::Child, sync::Mutex, task::JoinSet, time};
use tokio_util::sync::CancellationToken;

use crate::{
    audience::Audience,
    practice_child::{self, Ready},
    start::{DEFAULT_PROFILE, PRACTICE_PROFILE, Start},
};

/// How long the app's end may wait for what other processes have asked it to do.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long it takes until a profile that could not be opened or taken over is tried again.
pub const AGAIN: Duration = Duration::from_secs(30);

/// Shared by all commands.
#[derive(Debug)]
pub struct Desk {
    audience: Audience,
    start: Start,
    shown: Mutex<Shown>,
    /// The practice district this window started. Apart, because the app's end is not asynchronous.
    practice: StdMutex<Option<Child>>,
}

#[derive(Debug)]
struct Shown {
    profile: String,
    /// Opened once each, so that turning to and fro never waits for a lock this process holds itself.
    sessions: HashMap<String, Opened>,
    ahead: Ahead,
}

/// What became of opening the district's own profile before the window asks for anything of it.
#[derive(Debug)]
enum Ahead {
    /// It was neither tried nor asked for.
    Untried,
    /// The window has not been told yet.
    Failed(Fault),
    /// It is open, or the window knows why it is not.
    Settled,
}

impl Shown {
    fn new(profile: String) -> Self {
        Self { profile, sessions: HashMap::new(), ahead: Ahead::Untried }
    }

    /// Refuses what was asked for while the page showed another profile: it must not reach the one that is shown now.
    fn check(&self, profile: &str) -> Result<(), Fault> {
        if profile == self.profile {
            return Ok(());
        }
        Err(Fault {
            code: "window.other_profile".to_owned(),
            message: "The window shows another district by now, so nothing was done.".to_owned(),
            remedy: "Look at which district the window shows, then do it again.".to_owned(),
        })
    }
}

/// A profile this window has opened.
#[derive(Debug)]
struct Opened {
    session: Session,
    /// Ends what waits to take the profile over; the practice district waits for nothing.
    attending: Option<Attending>,
}

/// Takes the profile over as soon as the process that holds it ends.
#[derive(Debug)]
struct Attending {
    task: async_runtime::JoinHandle<()>,
    stop: CancellationToken,
}

impl Attending {
    fn start(profile: String, session: Session) -> Self {
        let stop = CancellationToken::new();
        let until = stop.clone();
        let task = async_runtime::spawn(async move {
            while let Err(fault) = session.attend(&until).await {
                tracing::error!(code = fault.code, profile, "the profile could not be taken over");
                tokio::select! {
                    () = until.cancelled() => return,
                    () = time::sleep(AGAIN) => {}
                }
            }
        });
        Self { task, stop }
    }

    async fn end(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "a profile was not let go in order");
        }
    }
}

impl Desk {
    /// Opens nothing by itself.
    pub fn new(audience: Audience, start: Start) -> Self {
        let shown = Mutex::new(Shown::new(start.profile.clone()));
        Self { audience, start, shown, practice: StdMutex::new(None) }
    }

    /// The folder that holds the profiles.
    pub fn home(&self) -> Option<&Path> {
        self.start.home.as_deref()
    }

    /// The profile the window shows.
    pub async fn profile(&self) -> String {
        self.shown.lock().await.profile.clone()
    }

    /// Whether the profile the window shows is open.
    pub async fn is_open(&self) -> bool {
        let shown = self.shown.lock().await;
        shown.sessions.contains_key(&shown.profile)
    }

    /// The session of a profile, opened if need be. Refused unless it is the one the window shows.
    pub async fn session(&self, profile: &str) -> Result<Session, Fault> {
        let mut shown = self.shown.lock().await;
        shown.check(profile)?;
        if profile == self.own_profile()
            && let Ahead::Failed(fault) = mem::replace(&mut shown.ahead, Ahead::Settled)
        {
            // Tried again at once it would ask the person for the keychain a second time.
            return Err(fault);
        }
        self.open(&mut shown, profile).await
    }

    /// Opens the district's own profile while the window is being made, so that the page need not wait for it. What keeps
    /// it from that is the answer to the first thing the page asks of the profile; whatever it asks after that tries anew.
    /// Does nothing where the window begins with the practice district, or has asked already.
    pub async fn open_ahead(&self) {
        if self.start.profile == PRACTICE_PROFILE {
            return;
        }
        let mut shown = self.shown.lock().await;
        if !matches!(shown.ahead, Ahead::Untried) {
            return;
        }
        shown.ahead = match self.open(&mut shown, self.own_profile()).await {
            Ok(_) => Ahead::Settled,
            Err(fault) => {
                tracing::warn!(code = fault.code, "the profile does not open");
                Ahead::Failed(fault)
            }
        };
    }

    /// The profiles this process works on itself.
    pub async fn hosted(&self) -> Vec<String> {
        let mut hosted = Vec::new();
        for (profile, opened) in &self.shown.lock().await.sessions {
            if opened.session.is_host().await {
                hosted.push(profile.clone());
            }
        }
        hosted
    }

    /// Brings the window's title in step with the profile it shows, and with those there are.
    pub async fn entitle(&self) {
        self.audience.entitle(&self.profile().await, self.home());
    }

    /// Opens the district's own profile, whatever the window shows, unless it is open already.
    pub async fn open_own(&self) -> Result<(), Fault> {
        let mut shown = self.shown.lock().await;
        self.open(&mut shown, self.own_profile()).await.map(|_| ())
    }

    async fn open(&self, shown: &mut Shown, profile: &str) -> Result<Session, Fault> {
        if let Some(opened) = shown.sessions.get(profile) {
            return Ok(opened.session.clone());
        }
        let mut session = Session::open(self.required_home()?, profile).await?;
        let mut attending = None;
        // The practice district runs when it is asked to, so that what a person tries is all that happens.
        if profile != PRACTICE_PROFILE {
            session = session.follow(self.teller(profile)).await;
            attending = Some(Attending::start(profile.to_owned(), session.clone()));
        }
        shown.sessions.insert(profile.to_owned(), Opened { session: session.clone(), attending });
        Ok(session)
    }

    /// Passes on what a run does that the window did not start.
    fn teller(&self, profile: &str) -> impl Fn(Event) + Send + Sync + 'static + use<> {
        let (audience, profile) = (self.audience.clone(), profile.to_owned());
        move |event| audience.tell(&profile, event)
    }

    /// The same for the district's own profile, for runs started beside the window.
    pub fn teller_of_own(&self) -> impl Fn(Event) + Send + Sync + 'static + use<> {
        self.teller(self.own_profile())
    }

    /// How the app was started.
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// The profile of the district, also while the window shows the practice district.
    pub fn own_profile(&self) -> &str {
        if self.start.profile == PRACTICE_PROFILE { DEFAULT_PROFILE } else { &self.start.profile }
    }

    /// The session of the district, if it is open.
    pub async fn own_session(&self) -> Option<Session> {
        self.shown.lock().await.sessions.get(self.own_profile()).map(|opened| opened.session.clone())
    }

    /// Whether closing the window ends the app.
    pub fn quits_on_close(&self) -> bool {
        self.start.quit_on_close
    }

    fn required_home(&self) -> Result<&Path, Fault> {
        self.home().ok_or_else(|| Fault {
            code: "profile.no_home".to_owned(),
            message: "This account has no folder for application data.".to_owned(),
            remedy: "Start RosterBridge with --home and a folder to keep its data in.".to_owned(),
        })
    }

    /// Starts the practice district unless one serves already, sets its profile up for it, and turns to that profile.
    /// The window stays where it is when any of this fails. Gives the profile's name.
    pub async fn enter_practice(&self) -> Result<String, Fault> {
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
        drop(shown);
        self.entitle().await;
        Ok(PRACTICE_PROFILE.to_owned())
    }

    /// Ends the practice district and turns back to the profile the app was started with. Gives that one's name.
    pub async fn leave_practice(&self) -> String {
        let mut shown = self.shown.lock().await;
        self.own_profile().clone_into(&mut shown.profile);
        drop(shown);
        self.entitle().await;
        let child = self.held_practice().take();
        if let Some(mut child) = child
            && let Err(error) = child.kill().await
        {
            tracing::warn!(%error, "the practice district could not be ended");
        }
        self.own_profile().to_owned()
    }

    /// Ends the sessions when the app ends. A run under way is cancelled; whatever else other processes have asked for is
    /// finished first, if that is soon.
    pub async fn close(&self) {
        let closing = async {
            let sessions = mem::take(&mut self.shown.lock().await.sessions);
            let mut closing = JoinSet::new();
            for Opened { session, attending } in sessions.into_values() {
                closing.spawn(async move {
                    if let Some(attending) = attending {
                        attending.end().await;
                    }
                    session.stop().await;
                });
            }
            closing.join_all().await;
        };
        if time::timeout(FAREWELL, closing).await.is_err() {
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
        && view.setup.connections.iter().any(|connection| connection.port == ready.hero.port))
}

// A desk without a window is heard by the pages of the browser host, which no release build has.
#[cfg(debug_assertions)]
#[cfg(test)]
mod tests;
