//! Setup files a person opens from outside the window: with a double click, or by naming one at the start. Nothing is
//! imported by that: the window shows what was opened and asks.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use rosterbridge_api::Fault;
use serde::Serialize;
use tauri::{AppHandle, Emitter, Manager, State};
use url::Url;

use crate::window;

/// The ending the system knows our setup files by.
const ENDING: &str = "rosterbridge";

/// The most that is read, in bytes; the window takes as much of a file that is dropped on it. A setup file has some kilobytes.
const LIMIT: u64 = 8_000_000;

/// The window's name for 'there is a file to be taken'.
const OPENED: &str = "file-opened";

/// The file that was opened last and that the window has not taken yet.
#[derive(Debug, Default)]
pub struct Opened(Mutex<Option<PathBuf>>);

/// A setup file, as it is.
#[derive(Debug, Serialize)]
pub struct SetupFile {
    /// Its name, without the folder.
    name: String,
    /// What it holds: JSON, or armoured age.
    text: String,
}

/// Why it was not read.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("{name} has more than 8 MB")]
    TooLarge { name: String },
    #[error("{name} could not be read: {source}")]
    Unreadable { name: String, source: io::Error },
}

impl From<OpenError> for Fault {
    fn from(error: OpenError) -> Self {
        let (code, remedy) = match &error {
            OpenError::TooLarge { .. } => {
                ("window.file_too_large", "Choose the file itself, not an archive or a picture of it.")
            }
            OpenError::Unreadable { .. } => (
                "window.file_unreadable",
                "Check that it is a file, still where it was, and that you may open it.",
            ),
        };
        Self { code: code.to_owned(), message: format!("{error}."), remedy: remedy.to_owned() }
    }
}

/// The setup file among the arguments of a start in `folder`: the last one. Systems name files by path or by `file:` address.
pub fn named(arguments: &[String], folder: &Path) -> Option<PathBuf> {
    arguments.iter().rev().filter(|argument| !argument.starts_with('-')).find_map(|argument| {
        let path = match Url::parse(argument) {
            Ok(address) if address.scheme() == "file" => address.to_file_path().ok()?,
            // Nothing is fetched. A drive's letter looks like an address, too, but names no host.
            Ok(address) if address.has_host() => return None,
            _ => PathBuf::from(argument),
        };
        is_setup_file(&path).then(|| folder.join(path))
    })
}

fn is_setup_file(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(ENDING))
}

/// Those of the addresses a system hands over that are setup files here.
#[cfg(target_os = "macos")]
pub fn of_addresses(addresses: &[Url]) -> Option<PathBuf> {
    addresses
        .iter()
        .filter_map(|address| address.to_file_path().ok())
        .filter(|path| is_setup_file(path))
        .last()
}

/// Keeps the file for the window, and brings that to the front.
pub fn open(app: &AppHandle, file: PathBuf) {
    keep(&app.state::<Opened>(), file);
    window::show(app);
    // A window that is still being made asks by itself.
    if let Err(error) = app.emit_to(window::LABEL, OPENED, ()) {
        tracing::debug!(%error, "the window was not told of a file");
    }
}

/// Keeps the file for a window that is not there yet.
pub fn keep(opened: &Opened, file: PathBuf) {
    *opened.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
}

/// The file that was opened, once; nothing when none was.
#[tauri::command]
pub async fn take_opened_file(opened: State<'_, Opened>) -> Result<Option<SetupFile>, Fault> {
    let file = opened.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(file) = file else { return Ok(None) };
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let unreadable = {
        let name = name.clone();
        move |source| OpenError::Unreadable { name, source }
    };
    let read = tokio::task::spawn_blocking(move || read(&file)).await.map_err(io::Error::other);
    match read.and_then(|read| read) {
        Ok(Some(text)) => Ok(Some(SetupFile { name, text })),
        Ok(None) => Err(OpenError::TooLarge { name }.into()),
        Err(source) => Err(unreadable(source).into()),
    }
}

/// What the file holds; nothing when that is too much.
fn read(file: &Path) -> io::Result<Option<String>> {
    let file = File::open(file)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Ok(None);
    }
    // What is no text is no setup file, and whoever reads it says so.
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named_by(arguments: &[&str]) -> Option<PathBuf> {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        named(&arguments, Path::new("/home/office"))
    }

    #[test]
    fn a_setup_file_is_known_by_its_ending() {
        let here = Some(PathBuf::from("/home/office/north.rosterbridge"));
        assert_eq!(named_by(&["north.rosterbridge"]), here);
        assert_eq!(named_by(&["--profile", "a.rosterbridge", "/home/office/north.rosterbridge"]), here);
        for none in
            [&["--home=/x.rosterbridge"] as &[&str], &["north.json"], &["https://a.test/x.rosterbridge"], &[]]
        {
            assert_eq!(named_by(none), None, "{none:?}");
        }
        assert_eq!(named_by(&["/a/North.RosterBridge"]), Some(PathBuf::from("/a/North.RosterBridge")));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_may_come_as_an_address() {
        let path = Some(PathBuf::from("/a folder/x.rosterbridge"));
        assert_eq!(named_by(&["file:///a%20folder/x.rosterbridge"]), path);
        assert_eq!(named_by(&["file:///a/x.zip"]), None);
    }

    #[test]
    fn a_file_is_read_unless_it_is_too_large_or_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.rosterbridge");
        std::fs::write(&file, "{}").unwrap();
        assert_eq!(read(&file).unwrap().as_deref(), Some("{}"));
        File::create(&file).unwrap().set_len(LIMIT + 1).unwrap();
        assert_eq!(read(&file).unwrap(), None);
        assert!(read(folder.path()).is_err());
        assert!(read(&folder.path().join("missing.rosterbridge")).is_err());
    }
}
