//! Files the window writes where a person says.

use std::{
    collections::HashSet,
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rosterbridge_api::{Fault, Request};
use rosterbridge_files::owner_only;
use serde::Deserialize;
use tauri::{AppHandle, State};
use tauri_plugin_dialog::DialogExt;
use tokio::sync::oneshot;

/// The most that is written at once, in bytes: the largest is a plugin of some tens of kilobytes.
const LIMIT: usize = 8 * 1024 * 1024;

/// What to write.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// As UTF-8.
    Text(String),
    /// Bytes in Base64.
    Base64(String),
}

/// The files a person has named in the system's dialog since the app was started. The window's page may have the engine write
/// these and no others, whatever becomes of the page.
#[derive(Debug, Default)]
pub struct Named(Mutex<HashSet<PathBuf>>);

impl Named {
    /// From now on the engine may write this file.
    pub fn note(&self, file: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(file.into());
    }

    /// Refuses a request for a file that nobody has named.
    pub fn check(&self, request: &Request) -> Result<(), Fault> {
        let Some(file) = written_by(request) else { return Ok(()) };
        let named = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if named.contains(Path::new(file)) {
            Ok(())
        } else {
            Err(SaveError::NotNamed { file: file.to_owned() }.into())
        }
    }
}

/// The file a request has the engine write, by the path the window gave.
fn written_by(request: &Request) -> Option<&str> {
    match request {
        Request::ExportRows { file, .. }
        | Request::FacultyFile { file, .. }
        | Request::SupportBundle { file, .. } => Some(file),
        _ => None,
    }
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
enum SaveError {
    #[error("{file} was not chosen in the system's dialog")]
    NotNamed { file: String },
    #[error("what was to be saved is not a file RosterBridge makes")]
    Content,
    #[error("{path} could not be written: {source}")]
    Write { path: String, source: std::io::Error },
    #[error("the system did not open its dialog for saving files")]
    Dialog,
    #[error("the system did not open its dialog for choosing a folder")]
    Folder,
}

impl SaveError {
    const fn code(&self) -> &'static str {
        match self {
            Self::NotNamed { .. } => "window.file_not_chosen",
            Self::Content => "window.save_content",
            Self::Write { .. } => "window.save_failed",
            Self::Dialog => "window.save_dialog",
            Self::Folder => "window.folder_dialog",
        }
    }

    const fn remedy(&self) -> &'static str {
        match self {
            Self::NotNamed { .. } => "Choose the place again with the button in the window.",
            Self::Content => "Try again. If it happens once more, restart RosterBridge.",
            Self::Write { .. } => "Save to another folder, one you may write to and with room left.",
            Self::Dialog => "Restart RosterBridge. The command line writes the same file.",
            Self::Folder => "Type the folder's path into the field.",
        }
    }
}

impl From<SaveError> for Fault {
    fn from(error: SaveError) -> Self {
        Self {
            code: error.code().to_owned(),
            message: format!("Nothing was saved: {error}."),
            remedy: error.remedy().to_owned(),
        }
    }
}

/// Asks where to save a file and writes it there. Answers its path, or nothing when the person thought better of it.
#[tauri::command]
pub async fn save_file(
    app: AppHandle,
    suggested_name: String,
    content: Content,
) -> Result<Option<String>, Fault> {
    let bytes = bytes(content)?;
    let Some(path) = ask(&app, &suggested_name).await? else { return Ok(None) };
    let shown = path.display().to_string();
    let written = tokio::task::spawn_blocking(move || write(&path, &bytes)).await;
    match written {
        Ok(Ok(())) => Ok(Some(shown)),
        Ok(Err(source)) => Err(SaveError::Write { path: shown, source }.into()),
        Err(_) => Err(SaveError::Dialog.into()),
    }
}

/// Asks where to save a file that somebody else writes. Answers its path, or nothing when the person thought better of it.
#[tauri::command]
pub async fn choose_file(
    app: AppHandle,
    named: State<'_, Named>,
    suggested_name: String,
) -> Result<Option<String>, Fault> {
    let Some(path) = ask(&app, &suggested_name).await? else { return Ok(None) };
    let shown = path.display().to_string();
    named.note(&shown);
    Ok(Some(shown))
}

/// Opens the system's dialog, which asks before a file that is there is replaced.
async fn ask(app: &AppHandle, suggested: &str) -> Result<Option<PathBuf>, SaveError> {
    let (send, chosen) = oneshot::channel();
    app.dialog().file().set_file_name(plain_name(suggested)).save_file(move |path| {
        // The window may be gone; then nobody waits for the answer.
        let _ = send.send(path);
    });
    let Some(path) = chosen.await.map_err(|_| SaveError::Dialog)? else { return Ok(None) };
    path.into_path().map(Some).map_err(|_| SaveError::Dialog)
}

/// Asks for a folder. Answers its path, or nothing when the person thought better of it.
#[tauri::command]
pub async fn choose_folder(app: AppHandle) -> Result<Option<String>, Fault> {
    let (send, chosen) = oneshot::channel();
    app.dialog().file().pick_folder(move |path| {
        // The window may be gone; then nobody waits for the answer.
        let _ = send.send(path);
    });
    let Some(path) = chosen.await.map_err(|_| SaveError::Folder)? else { return Ok(None) };
    let path = path.into_path().map_err(|_| SaveError::Folder)?;
    Ok(Some(path.display().to_string()))
}

fn bytes(content: Content) -> Result<Vec<u8>, SaveError> {
    let bytes = match content {
        Content::Text(text) => text.into_bytes(),
        Content::Base64(text) => BASE64_STANDARD.decode(text).map_err(|_| SaveError::Content)?,
    };
    if bytes.len() > LIMIT { Err(SaveError::Content) } else { Ok(bytes) }
}

/// The last part of a suggested name: a suggestion never leads out of the folder the person chooses.
pub fn plain_name(suggested: &str) -> &str {
    suggested.rsplit(['/', '\\']).next().unwrap_or_default()
}

/// Writes the file to the end, new ones readable by its owner only where the system has modes.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = owner_only::options().write(true).create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn text_and_base64_become_the_same_bytes() {
        assert_eq!(bytes(Content::Text("PK".to_owned())).unwrap(), b"PK");
        assert_eq!(bytes(Content::Base64("UEs=".to_owned())).unwrap(), b"PK");
        assert_eq!(
            bytes(Content::Base64("not base64".to_owned())).unwrap_err().code(),
            "window.save_content"
        );
        assert_eq!(bytes(Content::Text("x".repeat(LIMIT + 1))).unwrap_err().code(), "window.save_content");
    }

    #[test]
    fn the_engine_writes_only_files_that_a_person_has_named() {
        let bundle = |file: &str| Request::SupportBundle { file: file.to_owned(), overwrite: true };
        let named = Named::default();
        named.note("/home/office/bundle.zip");
        assert!(named.check(&bundle("/home/office/bundle.zip")).is_ok());
        for file in
            ["/home/office/.ssh/authorized_keys", "/home/office/../office/bundle.zip", "bundle.zip", ""]
        {
            assert_eq!(named.check(&bundle(file)).unwrap_err().code, "window.file_not_chosen", "{file}");
        }
        assert!(named.check(&Request::Status).is_ok());
    }

    /// The requests as the interface sees them: one that names a file has to be known here.
    #[test]
    fn every_request_that_names_a_file_is_checked() {
        let requests = include_str!("../ui/src/bindings/Request.ts");
        let naming: Vec<&str> = requests
            .split("\"op\": ")
            .filter(|request| request.contains("\nfile: string"))
            .filter_map(|request| request.split('"').nth(1))
            .collect();
        assert_eq!(naming, ["export_rows", "support_bundle", "faculty_file"]);
    }

    #[test]
    fn a_suggested_name_has_no_folder() {
        for (suggested, name) in [("a.zip", "a.zip"), ("../../a.zip", "a.zip"), ("C:\\Temp\\a.zip", "a.zip")]
        {
            assert_eq!(plain_name(suggested), name);
        }
    }

    #[test]
    fn a_file_is_replaced_and_a_folder_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plugin.zip");
        write(&path, b"first, and longer").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        let missing = folder.path().join("missing/plugin.zip");
        let source = write(&missing, b"x").unwrap_err();
        let fault = Fault::from(SaveError::Write { path: missing.display().to_string(), source });
        assert_eq!(fault.code, "window.save_failed");
        assert!(fault.message.contains("plugin.zip"));
    }
}
