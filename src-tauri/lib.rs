//! The desktop shell: a window, and the way from it to a profile's engine.
//!
//! It holds no rule of the exchange. Whatever the window asks for is a request of the `api` crate; what is here is
//! what only a desktop has: start options, the practice district's child process, the icon beside the clock, and an
//! orderly end.
#![forbid(unsafe_code)]

mod alone;
mod app_menu;
mod audience;
#[cfg(debug_assertions)]
mod browser;
mod clipboard;
mod closing;
#[cfg(test)]
mod command_names;
mod commands;
mod desk;
mod files;
#[cfg(target_os = "linux")]
mod graphics;
mod login;
mod notices;
mod opened;
mod practice_child;
mod print;
mod profiles;
mod start;
mod termination;
mod tray;
mod updates;
mod window;
mod words;

use std::{
    env,
    io::{self, IsTerminal},
    process::ExitCode,
    time::Duration,
};

use tauri::{App, AppHandle, Builder, Manager, RunEvent, WindowEvent, Wry};
use tokio::time;

use crate::{
    audience::Audience, clipboard::Pasted, desk::Desk, files::Named, opened::Opened, start::Start,
    updates::Latest, words::Spoken,
};

/// How often, after a start at login, it is looked whether the desktop has a place for the icon by now.
const LOOKS: u32 = 15;
/// The time between two of these looks.
const BETWEEN: Duration = Duration::from_secs(2);

/// Opens the window and stays until the app is quit.
pub fn run() -> ExitCode {
    #[cfg(target_os = "linux")]
    graphics::settle();
    rosterbridge_api::logging::start(io::stderr().is_terminal());
    let start = Start::new(env::args_os().skip(1), env::var_os("ROSTERBRIDGE_HOME"));
    #[cfg(debug_assertions)]
    if let Some(page) = browser::wanted(env::args_os().skip(1)) {
        return browser::serve(start, &page);
    }
    let app = alone::build(&start, build);
    match app {
        Ok(app) => {
            app.run(|handle, event| match event {
                RunEvent::ExitRequested { code, api, .. } => closing::exit_requested(handle, code, &api),
                RunEvent::Exit => {
                    alone::ending();
                    let desk = handle.state::<Desk>();
                    window::remember(handle, desk.start());
                    clipboard::forget_now(handle);
                    tauri::async_runtime::block_on(desk.close());
                    // Last, since somebody's request may still have been talking to it.
                    desk.end_practice();
                    alone::ended(handle, desk.start());
                }
                #[cfg(target_os = "macos")]
                RunEvent::Reopen { .. } => window::show(handle),
                #[cfg(target_os = "macos")]
                RunEvent::Opened { urls } => {
                    if let Some(file) = opened::of_addresses(&urls) {
                        opened::open(handle, file);
                    }
                }
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

/// Everything the app is made of.
fn build(start: Start) -> tauri::Result<App<Wry>> {
    let in_tray = start.in_tray;
    let opened = Opened::default();
    let arguments: Vec<String> =
        env::args_os().skip(1).filter_map(|argument| argument.into_string().ok()).collect();
    if let Some(file) = env::current_dir().ok().and_then(|folder| opened::named(&arguments, &folder)) {
        opened::keep(&opened, file);
    }
    let mut builder = Builder::default();
    // First: what a second start would make besides is of no use.
    if let Some(plugin) = alone::plugin(&start) {
        builder = builder.plugin(plugin);
    }
    if cfg!(target_os = "macos") {
        builder = builder.menu(app_menu::asking).on_menu_event(app_menu::chosen);
    }
    builder
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_notification::init())
        .plugin(tauri_plugin_updater::Builder::new().build())
        .plugin(login::plugin(&start))
        .manage(Latest::default())
        .manage(Named::default())
        .manage(opened)
        .manage(Pasted::default())
        // Before the menu is made.
        .manage(Spoken::kept(&start))
        .invoke_handler(tauri::generate_handler![
            clipboard::forget_clipboard,
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
            opened::take_opened_file,
            print::print,
            profiles::erase_profile,
            profiles::open_profile,
            profiles::profiles,
            profiles::recover_key,
            profiles::restore_ledger,
            updates::check_for_update,
            updates::install_update,
            updates::restart,
            updates::updates,
            words::speak,
        ])
        .on_window_event(|window, event| match event {
            WindowEvent::CloseRequested { api, .. } => {
                window::remember(window.app_handle(), window.state::<Desk>().start());
                closing::requested(window, api);
            }
            WindowEvent::Moved(_) | WindowEvent::Resized(_) => window::moved(window.app_handle()),
            // Another window may have made or erased a district meanwhile.
            WindowEvent::Focused(true) => {
                let app = window.app_handle().clone();
                tauri::async_runtime::spawn(async move { app.state::<Desk>().entitle().await });
            }
            _ => {}
        })
        .setup(move |app| {
            let app = app.handle();
            app.manage(Desk::new(Audience::Window(app.clone()), start.clone()));
            termination::watch(app.clone());
            notices::follow(app);
            if !in_tray {
                let app = app.clone();
                tauri::async_runtime::spawn(async move { app.state::<Desk>().open_ahead().await });
            }
            window::open(app, &start)?;
            tauri::async_runtime::spawn(settle_beside_the_clock(app.clone(), in_tray));
            tauri::async_runtime::spawn(tray::follow(app.clone()));
            if in_tray {
                tauri::async_runtime::spawn(open_unseen(app.clone()));
            }
            Ok(())
        })
        .build(tauri::generate_context!())
}

/// Opens the district's profile after a start nobody watches. What it needs, the keychain above all, may not be ready
/// that soon: it is tried again until it opens, and the first failure is told.
async fn open_unseen(app: AppHandle) {
    let desk = app.state::<Desk>();
    let mut told = false;
    while let Err(fault) = desk.open_own().await {
        tracing::warn!(code = fault.code, "the profile does not open");
        if !told {
            notices::show(&app, &fault.message, &fault.remedy, None);
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

#[cfg(test)]
mod tests {
    use super::command_names::COMMANDS;

    /// What stands in `text` between `from` and `to`, each time.
    fn between<'a>(text: &'a str, from: &'a str, to: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(from).skip(1).filter_map(move |rest| rest.split_once(to).map(|(found, _)| found))
    }

    fn sorted<T: Ord>(names: impl Iterator<Item = T>) -> Vec<T> {
        let mut names: Vec<T> = names.collect();
        names.sort_unstable();
        names
    }

    /// A command is carried out only if it is registered, known to the build and granted to the window; and what nobody
    /// calls is none of the three.
    #[test]
    fn the_window_may_call_what_it_calls_and_nothing_else() {
        let invoked =
            sorted(between(include_str!("../ui/src/backend/tauri.ts"), "invoke<", ")").filter_map(|call| {
                let (_, arguments) = call.split_once(">('")?;
                arguments.split('\'').next()
            }));
        assert_eq!(
            invoked, COMMANDS,
            "invoked in ui/src/backend/tauri.ts, and named in src-tauri/command_names.rs"
        );

        let registered = between(include_str!("lib.rs"), "generate_handler![\n", "]").next().unwrap();
        let names = registered.lines().filter_map(|line| line.trim().trim_end_matches(',').rsplit_once("::"));
        let registered = sorted(names.map(|(_, name)| name));
        assert_eq!(registered, COMMANDS, "registered in src-tauri/lib.rs");

        let capability: serde_json::Value =
            serde_json::from_str(include_str!("../capabilities/main.json")).unwrap();
        let granted: Vec<&str> =
            capability["permissions"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let (tauris, ours): (Vec<&str>, Vec<&str>) = granted.iter().partition(|name| name.contains(':'));
        let ours = sorted(
            ours.iter().filter_map(|name| name.strip_prefix("allow-")).map(|name| name.replace('-', "_")),
        );
        assert_eq!(ours, COMMANDS, "granted in capabilities/main.json");
        assert_eq!(tauris, ["core:event:allow-listen", "core:event:allow-unlisten"]);
    }
}
