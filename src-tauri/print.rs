//! The system's print dialog, which also makes a PDF.

use rosterbridge_api::Fault;
use tauri::WebviewWindow;

/// Why nothing was printed.
#[derive(Debug, thiserror::Error)]
#[error("the system did not open its print dialog: {0}")]
struct NotPrinted(#[from] tauri::Error);

impl From<NotPrinted> for Fault {
    fn from(error: NotPrinted) -> Self {
        Self {
            code: "window.print".to_owned(),
            message: format!("Nothing was printed: {error}."),
            remedy: "Restart RosterBridge and try again. The command line shows the same pages.".to_owned(),
        }
    }
}

/// Opens the system's dialog for printing what the window shows on paper.
#[tauri::command]
pub async fn print(window: WebviewWindow) -> Result<(), Fault> {
    Ok(window.print().map_err(NotPrinted)?)
}
