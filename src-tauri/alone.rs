//! One app for a home and a profile: a second start hands over what it was started with, and ends.

use std::{
    env,
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tauri::{App, AppHandle, Manager, Wry, plugin::TauriPlugin};

use crate::{
    opened,
    start::{IN_TRAY, Start},
    window,
};

/// How often a start is tried: the app that has the name may end before it has heard of us.
const TRIES: u32 = 4;
/// Which try this is, for a start in another one's place. Nobody else gives it.
const TRY: &str = "--try=";

/// Whether this app is ending. It can't show its window any more.
static ENDING: AtomicBool = AtomicBool::new(false);

/// What somebody who started the app while it was ending wanted of it.
static CALLED: Mutex<Option<Call>> = Mutex::new(None);

#[derive(Debug)]
struct Call {
    in_tray: bool,
    file: Option<PathBuf>,
}

/// Builds the app. Where another one that has our name ended just as it was to be called, the program starts anew in our
/// place: the system's toolkit can be set up only once in a process.
pub fn build(start: &Start, build: impl Fn(Start) -> tauri::Result<App<Wry>>) -> tauri::Result<App<Wry>> {
    let tries = env::args().find_map(|argument| argument.strip_prefix(TRY)?.parse().ok()).unwrap_or(1);
    match build(start.clone()) {
        Err(tauri::Error::PluginInitialization(plugin, reason))
            if plugin == "single-instance" && tries < TRIES =>
        {
            tracing::info!(reason, "the app that was running has ended: starting in its place");
            let program = tauri::process::current_binary(&tauri::Env::default())?;
            let arguments = env::args_os().skip(1).filter(|argument| !is_try(argument));
            let mut again = Command::new(program);
            again.args(arguments).arg(format!("{TRY}{}", tries + 1));
            Err(replace(again).into())
        }
        other => other,
    }
}

fn is_try(argument: &OsStr) -> bool {
    argument.to_str().is_some_and(|argument| argument.starts_with(TRY))
}

/// Runs a program in this one's place. Answers only what keeps it from that.
#[cfg(unix)]
fn replace(mut program: Command) -> io::Error {
    std::os::unix::process::CommandExt::exec(&mut program)
}

/// Runs a program in this one's place. Answers only what keeps it from that.
#[cfg(not(unix))]
fn replace(mut program: Command) -> io::Error {
    match program.spawn() {
        Ok(_) => std::process::exit(0),
        Err(error) => error,
    }
}

/// Lets a second start for the same home and profile bring the first one's window to the front, and end. `None` where a
/// second one can't be told from one for another home.
pub fn plugin(start: &Start) -> Option<TauriPlugin<Wry>> {
    let name = start.name();
    // Elsewhere the system knows an app by its identifier alone: a home or profile besides the usual starts anew.
    if cfg!(not(target_os = "linux")) && name.is_some() {
        return None;
    }
    let plugin = tauri_plugin_single_instance::Builder::new()
        .callback(|app, arguments, folder| called(app, &arguments, Path::new(&folder)));
    #[cfg(target_os = "linux")]
    let plugin = match name {
        // A name on the bus may hold hyphens, and none of its parts may begin with a digit.
        Some(name) => plugin.dbus_id(format!("app.rosterbridge.desktop.p_{name}")),
        None => plugin,
    };
    Some(plugin.build())
}

/// A second start has handed over its arguments, the program's own name first, and the folder it was started in.
fn called(app: &AppHandle, arguments: &[String], folder: &Path) {
    let arguments = arguments.get(1..).unwrap_or_default();
    let file = opened::named(arguments, folder);
    let in_tray = arguments.iter().any(|argument| argument == IN_TRAY);
    if ENDING.load(Ordering::SeqCst) {
        *CALLED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Call { in_tray, file });
    } else if let Some(file) = file {
        opened::open(app, file);
    } else if !in_tray {
        window::show(app);
    }
}

/// From now on a second start is kept for [`ended`].
pub fn ending() {
    ENDING.store(true, Ordering::SeqCst);
}

/// Gives the name away, and starts the app again if somebody started it meanwhile: they were told that it is running.
pub fn ended(app: &AppHandle, start: &Start) {
    if plugin_is_used(start) {
        tauri_plugin_single_instance::destroy(app);
    }
    let Some(Call { in_tray, file }) = CALLED.lock().unwrap_or_else(PoisonError::into_inner).take() else {
        return;
    };
    let again = Start { in_tray, ..start.clone() };
    let started = tauri::process::current_binary(&app.env())
        .and_then(|program| Command::new(program).args(again.command_line()).args(file).spawn());
    if let Err(error) = started {
        tracing::warn!(%error, "the app is not started again");
    }
}

/// Where there is no plug-in there is nothing to give away.
fn plugin_is_used(start: &Start) -> bool {
    cfg!(target_os = "linux") || start.name().is_none()
}
