//! The one window.

use tauri::{AppHandle, Manager, WebviewWindow, WebviewWindowBuilder};

/// Its name in `tauri.conf.json` and in its capabilities.
pub const LABEL: &str = "main";

/// Makes it, as the configuration says.
pub fn open(app: &AppHandle, visible: bool) -> tauri::Result<()> {
    let configured = app.config().app.windows.iter().find(|window| window.label == LABEL);
    let Some(configured) = configured.cloned() else { return Err(tauri::Error::WindowNotFound) };
    WebviewWindowBuilder::from_config(app, &configured)?.visible(visible).build()?;
    Ok(())
}

/// Brings it to the front, also out of hiding.
pub fn show(app: &AppHandle) {
    let Some(window) = app.get_webview_window(LABEL) else { return };
    let shown = window.show().and_then(|()| window.unminimize()).and_then(|()| window.set_focus());
    report(shown);
}

/// Puts it away; the app goes on.
pub fn hide(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(LABEL) {
        report(window.hide());
    }
}

/// Makes it small, where there is no other place for it.
pub fn minimize(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(LABEL) {
        report(WebviewWindow::minimize(&window));
    }
}

fn report(done: tauri::Result<()>) {
    if let Err(error) = done {
        tracing::warn!(%error, "the window does not do as it is told");
    }
}
