//! The desktop shell: a window, and the way from it to a profile's engine.
//!
//! It holds no rule of the exchange. Whatever the window asks for is a request of the `api` crate; what is here is
//! what only a desktop has: start options, the practice district's child process, and an orderly end.
#![forbid(unsafe_code)]

mod commands;
mod desk;
mod files;
mod notices;
mod practice_child;
mod start;
mod termination;

use std::{env, io, process::ExitCode};

use tauri::{Manager, RunEvent};

use crate::{desk::Desk, start::Start};

/// Opens the window and stays until it is closed.
pub fn run() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("ROSTERBRIDGE_LOG")
                .unwrap_or_else(|_| "warn,rustls_platform_verifier=off".into()),
        )
        .with_writer(io::stderr)
        .init();
    let start = Start::new(env::args_os().skip(1), env::var_os("ROSTERBRIDGE_HOME"));
    let app = tauri::Builder::default()
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_notification::init())
        .manage(Desk::new(start))
        .invoke_handler(tauri::generate_handler![
            commands::call,
            commands::environment,
            commands::practice_leave,
            commands::practice_start,
            files::save_file,
            notices::notify,
        ])
        .setup(|app| {
            termination::watch(app.handle().clone());
            Ok(())
        })
        .build(tauri::generate_context!());
    match app {
        Ok(app) => {
            app.run(|handle, event| {
                if matches!(event, RunEvent::Exit) {
                    let desk = handle.state::<Desk>();
                    tauri::async_runtime::block_on(desk.close());
                    // Last, since somebody's request may still have been talking to it.
                    desk.end_practice();
                }
            });
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(%error, "the window could not be opened");
            ExitCode::FAILURE
        }
    }
}
