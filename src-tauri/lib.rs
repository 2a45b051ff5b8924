//! The desktop shell: a window, and the way from it to a profile's engine.
//!
//! It holds no rule of the exchange. Whatever the window asks for is a request of the `api` crate; what is here is
//! what only a desktop has: start options, the practice district's child process, the icon beside the clock, and an
//! orderly end.
#![forbid(unsafe_code)]

mod app_menu;
mod closing;
mod commands;
mod desk;
mod files;
mod login;
mod notices;
mod practice_child;
mod print;
mod start;
mod termination;
mod tray;
mod window;

use std::{
    env,
    io::{self, IsTerminal},
    process::ExitCode,
    time::Duration,
};

use tauri::{AppHandle, Builder, Manager, RunEvent, WindowEvent, Wry};
use tokio::time;

use crate::{desk::Desk, start::Start};

/// How often, after a start at login, it is looked whether the desktop has a place for the icon by now.
const LOOKS: u32 = 15;
/// The time between two of these looks.
const BETWEEN: Duration = Duration::from_secs(2);

/// Opens the window and stays until the app is quit.
pub fn run() -> ExitCode {
    rosterbridge_api::logging::start(io::stderr().is_terminal());
    let start = Start::new(env::args_os().skip(1), env::var_os("ROSTERBRIDGE_HOME"));
    let in_tray = start.in_tray;
    let mut builder = alone(Builder::default(), &start);
    if cfg!(target_os = "macos") {
        builder = builder.menu(app_menu::asking).on_menu_event(app_menu::chosen);
    }
    let app = builder
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_notification::init())
        .plugin(login::plugin(&start))
        .invoke_handler(tauri::generate_handler![
            commands::call,
            commands::environment,
            commands::practice_leave,
            commands::practice_start,
            files::choose_file,
            files::choose_folder,
            files::save_file,
            login::start_at_login,
            login::starts_at_login,
            notices::notify,
            print::print,
        ])
        .on_window_event(|window, event| {
            if let WindowEvent::CloseRequested { api, .. } = event {
                closing::requested(window, api);
            }
        })
        .setup(move |app| {
            let app = app.handle();
            app.manage(Desk::new(app.clone(), start));
            termination::watch(app.clone());
            window::open(app, !in_tray)?;
            tauri::async_runtime::spawn(settle_beside_the_clock(app.clone(), in_tray));
            tauri::async_runtime::spawn(tray::follow(app.clone()));
            if in_tray {
                tauri::async_runtime::spawn(open_unseen(app.clone()));
            }
            Ok(())
        })
        .build(tauri::generate_context!());
    match app {
        Ok(app) => {
            app.run(|handle, event| match event {
                RunEvent::ExitRequested { code, api, .. } => closing::exit_requested(handle, code, &api),
                RunEvent::Exit => {
                    let desk = handle.state::<Desk>();
                    tauri::async_runtime::block_on(desk.close());
                    // Last, since somebody's request may still have been talking to it.
                    desk.end_practice();
                }
                #[cfg(target_os = "macos")]
                RunEvent::Reopen { .. } => window::show(handle),
                _ => {}
            });
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(%error, "the window could not be opened");
            ExitCode::FAILURE
        }
    }
}

/// Lets a second start for the same home and profile bring the first one's window to the front, and end.
fn alone(builder: Builder<Wry>, start: &Start) -> Builder<Wry> {
    let name = start.name();
    // Elsewhere the system knows an app by its identifier alone: a home or profile besides the usual starts anew.
    if cfg!(not(target_os = "linux")) && name.is_some() {
        return builder;
    }
    let plugin = tauri_plugin_single_instance::Builder::new().callback(|app, arguments, _| {
        if !arguments.iter().any(|argument| argument == start::IN_TRAY) {
            window::show(app);
        }
    });
    #[cfg(target_os = "linux")]
    let plugin = match name {
        // A name on the bus may hold hyphens, and none of its parts may begin with a digit.
        Some(name) => plugin.dbus_id(format!("app.rosterbridge.desktop.p_{name}")),
        None => plugin,
    };
    builder.plugin(plugin.build())
}

/// Opens the district's profile after a start nobody watches. What it needs, the keychain above all, may not be ready
/// that soon: it is tried again until it opens, and the first failure is told.
async fn open_unseen(app: AppHandle) {
    let desk = app.state::<Desk>();
    let mut told = false;
    while let Err(fault) = desk.open_own().await {
        tracing::warn!(code = fault.code, "the profile does not open");
        if !told {
            notices::show(&app, &fault.message, &fault.remedy);
            told = true;
        }
        time::sleep(desk::AGAIN).await;
    }
}

/// Puts the icon beside the clock. After a start without a window this may take until the desktop has a place for it;
/// where there is none, the window is shown after all.
async fn settle_beside_the_clock(app: AppHandle, in_tray: bool) {
    if tray::available(&app).await || !in_tray {
        return;
    }
    for _ in 0..LOOKS {
        time::sleep(BETWEEN).await;
        if tray::available(&app).await {
            return;
        }
    }
    window::show(&app);
}
