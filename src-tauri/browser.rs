//! The window's page in a browser on this computer, for development and tests: the same interface, the same content
//! security policy and the same engine, without Tauri. Debug builds only.
//!
//! `rosterbridge-desktop --browser-host FOLDER` serves the built interface in FOLDER from a free port of 127.0.0.1 and
//! prints the address to open, which carries the key. It ends with its standard input, or by Ctrl-C.
#[cfg(not(debug_assertions))]
compile_error!("the browser host is no part of a release build");

mod door;
mod page;

use std::{
    convert::Infallible,
    ffi::OsString,
    io::{self, Write},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, State},
    http::header,
    middleware,
    response::{IntoResponse, Response as Answer},
    routing::{get, post},
};
use futures_util::{Stream, stream};
use rosterbridge_api::{Fault, Request, SecretText, report::Event};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{broadcast, mpsc, oneshot},
};

use self::door::Door;
use crate::{
    audience::{Audience, Happened},
    commands::Environment,
    desk::Desk,
    files::{Named, plain_name},
    start::{Start, value_of},
};

/// The most a command may bring, in bytes: a file of 8 MB in Base64, and some more.
const LARGEST: usize = 16 * 1024 * 1024;

/// How much of what happens a page that does not read may be behind; then it misses the oldest.
const BEHIND: usize = 1024;

/// The pages that listen to what happens.
#[derive(Clone, Debug)]
pub struct Pages(broadcast::Sender<Happened>);

impl Pages {
    /// None listens yet.
    pub fn new() -> Self {
        Self(broadcast::channel(BEHIND).0)
    }

    /// Tells them all. That nobody listens is no failure.
    pub fn tell(&self, happened: Happened) {
        let _ = self.0.send(happened);
    }
}

/// What a page may ask for: the window's commands that need no desktop.
#[derive(Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", rename_all_fields = "camelCase")]
enum Command {
    Call { profile: String, request: Request },
    ChooseFile { suggested_name: String },
    ChooseFolder,
    Environment,
    EraseProfile { profile: String, confirm: String },
    PracticeLeave,
    PracticeStart,
    Profiles,
    RecoverKey { profile: String, text: String, passphrase: SecretText },
    RestoreLedger { profile: String, begin_anew: bool },
}

/// A line of an answer. The last one is the answer or the fault.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Event(Event),
    Happened(Happened),
    Answer(Value),
    Fault(Fault),
}

impl Line {
    fn bytes(&self) -> Bytes {
        let mut text = serde_json::to_vec(self).unwrap_or_default();
        text.push(b'\n');
        text.into()
    }
}

/// Shared by all requests.
struct Host {
    desk: Desk,
    named: Named,
    pages: Pages,
    door: Door,
    page: PathBuf,
}

/// The folder of the built interface, if the app is to be served to a browser.
pub fn wanted(arguments: impl IntoIterator<Item = OsString>) -> Option<PathBuf> {
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if let Some(page) = value_of("--browser-host", &argument, &mut arguments) {
            return Some(page.into());
        }
    }
    None
}

/// Serves the page until standard input ends or Ctrl-C is pressed.
pub fn serve(start: Start, page: &Path) -> ExitCode {
    match tauri::async_runtime::block_on(serve_until_stopped(start, page)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the page could not be served");
            ExitCode::FAILURE
        }
    }
}

async fn serve_until_stopped(start: Start, page: &Path) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let door = Door::new(listener.local_addr()?.port()).map_err(io::Error::other)?;
    let address = door.address();
    let host = Arc::new(host(start, door, page.to_owned()));
    tokio::select! {
        served = axum::serve(listener, router(Arc::clone(&host))) => served?,
        () = stopped() => {}
        announced = announce(address) => announced?,
    }
    host.desk.close().await;
    host.desk.end_practice();
    Ok(())
}

fn host(start: Start, door: Door, page: PathBuf) -> Host {
    let pages = Pages::new();
    let desk = Desk::new(Audience::Browser(pages.clone()), start);
    Host { desk, named: Named::default(), pages, door, page }
}

/// Prints where the page is, and then never ends.
async fn announce(address: String) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{address}")?;
    out.flush()?;
    std::future::pending().await
}

async fn stopped() {
    let (closed, end) = oneshot::channel();
    // A thread of its own: a blocking read in the runtime's pool would keep the process from ending.
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = closed.send(());
    });
    tokio::select! {
        _ = end => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

fn router(host: Arc<Host>) -> Router {
    let guarded = Router::new()
        .route("/command", post(command))
        .route("/happened", post(happened))
        .layer(DefaultBodyLimit::max(LARGEST))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&host), door::only_the_page));
    Router::new()
        .merge(guarded)
        .fallback(get(page::file))
        .layer(middleware::from_fn_with_state(Arc::clone(&host), door::only_by_this_address))
        .with_state(host)
}

/// Carries a command out. What happens meanwhile comes line by line, the answer last. A page that goes away does not
/// stop it.
async fn command(State(host): State<Arc<Host>>, Json(command): Json<Command>) -> Answer {
    let (lines, read) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let events = lines.clone();
        let on_event = move |event| {
            let _ = events.send(Line::Event(event));
        };
        let _ = lines.send(match host.carry_out(command, on_event).await {
            Ok(answer) => Line::Answer(answer),
            Err(fault) => Line::Fault(fault),
        });
    });
    streamed(stream::unfold(read, async |mut read| Some((read.recv().await?, read))))
}

/// What happens from now on, for as long as the page listens.
async fn happened(State(host): State<Arc<Host>>) -> Answer {
    streamed(stream::unfold(host.pages.0.subscribe(), async |mut read| {
        loop {
            match read.recv().await {
                Ok(happened) => return Some((Line::Happened(happened), read)),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }))
}

fn streamed(lines: impl Stream<Item = Line> + Send + 'static) -> Answer {
    use futures_util::StreamExt;
    let body = Body::from_stream(lines.map(|line| Ok::<_, Infallible>(line.bytes())));
    ([(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")], body)
        .into_response()
}

impl Host {
    async fn carry_out(
        &self,
        command: Command,
        on_event: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Value, Fault> {
        let desk = &self.desk;
        match command {
            Command::Call { profile, request } => {
                self.named.check(&request)?;
                answer(&desk.session(&profile).await?.call(request, on_event).await?)
            }
            Command::ChooseFile { suggested_name } => {
                let file = self.folder("saved")?.join(plain_name(&suggested_name)).display().to_string();
                self.named.note(&file);
                answer(&file)
            }
            Command::ChooseFolder => answer(&self.folder("chosen")?.display().to_string()),
            Command::Environment => answer(&Environment::of(desk).await),
            Command::EraseProfile { profile, confirm } => answer(&desk.erase(&profile, &confirm).await?),
            Command::PracticeLeave => answer(&desk.leave_practice().await),
            Command::PracticeStart => answer(&desk.enter_practice().await?),
            Command::Profiles => answer(&match desk.home() {
                Some(home) => rosterbridge_api::profiles(home).await,
                None => Vec::new(),
            }),
            Command::RecoverKey { profile, text, passphrase } => {
                desk.recover(&profile, text, passphrase).await?;
                Ok(Value::Null)
            }
            Command::RestoreLedger { profile, begin_anew } => {
                answer(&desk.restore(&profile, begin_anew).await?)
            }
        }
    }

    /// A folder in the home, in place of one a person would choose in the system's dialog.
    fn folder(&self, name: &str) -> Result<PathBuf, Fault> {
        let folder = self.desk.home().unwrap_or(Path::new("")).join(name);
        std::fs::create_dir_all(&folder).map_err(unexpected)?;
        Ok(folder)
    }
}

fn answer(of: &impl Serialize) -> Result<Value, Fault> {
    serde_json::to_value(of).map_err(unexpected)
}

fn unexpected(error: impl std::fmt::Display) -> Fault {
    Fault {
        code: "window.unexpected".to_owned(),
        message: format!("The browser host failed: {error}."),
        remedy: "Look at what it printed where it was started.".to_owned(),
    }
}

#[cfg(test)]
mod tests;
