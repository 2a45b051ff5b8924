//! Ends the app in order when the system asks it to end, so that the practice district does not outlive it.

use tauri::AppHandle;

/// Exits on SIGTERM and SIGINT. Elsewhere closing the window is the only way out.
#[cfg(unix)]
pub fn watch(app: AppHandle) {
    use tokio::signal::unix::{SignalKind, signal};

    tauri::async_runtime::spawn(async move {
        let (Ok(mut terminate), Ok(mut interrupt)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            tracing::warn!("signals can't be watched; the practice district may outlive the window");
            return;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        app.exit(0);
    });
}

/// Exits on SIGTERM and SIGINT. Elsewhere closing the window is the only way out.
#[cfg(not(unix))]
pub fn watch(_app: AppHandle) {}
