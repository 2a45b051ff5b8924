//! Updates of the app. Off until an address and a public key are configured; and then nothing is asked, downloaded or
//! installed but when a person says so. What is downloaded is installed only if its signature fits that key and that version.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rosterbridge_api::{Fault, ProfileView};
use serde::{Deserialize, Serialize};
use tauri::{AppHandle, Manager, State, async_runtime, ipc::Channel};
use tauri_plugin_updater::{Error as UpdaterError, Update, UpdaterExt};
use tokio_util::sync::CancellationToken;
use url::{Host, Url};

use crate::{clipboard, desk::Desk};

/// Where a district, or whoever looks after its computers, configures them: in the folder that holds the profiles.
const FILE: &str = "updates.json";

/// The name of the plug-in's part of `tauri.conf.json`, for those who build the app.
const PLUGIN: &str = "updater";

/// How long the answer to whether there is an update may take.
const ANSWER: Duration = Duration::from_secs(30);

/// How long a download may take.
const DOWNLOAD: Duration = Duration::from_mins(30);

/// The most that is downloaded, in bytes: an installer has some tens of megabytes.
const LARGEST: u64 = 300 * 1024 * 1024;

/// From where updates come, and whose signature they have to bear.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Source {
    /// Answers with the latest version; see Tauri's documentation of its updater for the answer and for what may stand in
    /// double braces.
    endpoint: Url,
    /// Minisign, in Base64: as `tauri signer generate` writes it.
    public_key: String,
}

/// Whether there can be updates.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Updates {
    /// Nothing is configured: RosterBridge never looks for one.
    Off,
    /// RosterBridge looks for one when it is told to.
    On {
        /// The server's name.
        server: String,
    },
}

/// A version newer than this one.
#[derive(Debug, Serialize)]
pub struct Found {
    version: String,
    /// What is new, as whoever published it wrote: plain text.
    notes: String,
    /// The day it was published, e.g. `2026-11-18`.
    date: Option<String>,
}

/// How far a download is.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Downloaded {
    bytes: u64,
    /// Of so many, where the server tells.
    of: Option<u64>,
}

/// The version that was found last.
#[derive(Default)]
pub struct Latest(Mutex<Option<Update>>);

/// Why there is no update.
#[derive(Debug, thiserror::Error)]
enum UpdateError {
    #[error("Updates are off: no server is configured for them")]
    Off,
    #[error("{file} does not say where updates come from: {reason}")]
    Configuration { file: PathBuf, reason: String },
    #[error("The server for updates gave no answer that can be used: {0}")]
    Unreachable(String),
    #[error("There is no update for this kind of computer: {0}")]
    NotForThisSystem(String),
    #[error("The update comes from {0}, which is neither HTTPS nor this computer")]
    Insecure(String),
    #[error("The update is larger than {} MB, and the rest was not downloaded", LARGEST / 1024 / 1024)]
    TooLarge,
    #[error("The update does not bear the signature it has to: {0}")]
    Signature(String),
    #[error("The update could not be installed: {0}")]
    NotInstalled(String),
    #[error("Version {0} is no longer the one that was found")]
    Gone(String),
    #[error("The update was not installed: other RosterBridge processes work on {}", .0.join(", "))]
    OthersAtWork(Vec<String>),
}

impl UpdateError {
    const fn code(&self) -> &'static str {
        match self {
            Self::Off => "updates.off",
            Self::Configuration { .. } => "updates.configuration",
            Self::Unreachable(_) => "updates.unreachable",
            Self::NotForThisSystem(_) => "updates.not_for_this_system",
            Self::Insecure(_) => "updates.insecure",
            Self::TooLarge => "updates.too_large",
            Self::Signature(_) => "updates.signature",
            Self::NotInstalled(_) => "updates.not_installed",
            Self::Gone(_) => "updates.gone",
            Self::OthersAtWork(_) => "updates.others_at_work",
        }
    }

    const fn remedy(&self) -> &'static str {
        match self {
            Self::Off => {
                "Install new versions by hand, or have updates.json put into RosterBridge's data folder."
            }
            Self::Configuration { .. } => {
                "Have the file put right by whoever looks after this computer, or delete it: updates are off then."
            }
            Self::Unreachable(_) => {
                "Check that this computer is online and may reach that server, then look again."
            }
            Self::NotForThisSystem(_) => "Install the new version by hand.",
            Self::Insecure(_) | Self::TooLarge => {
                "Nothing was installed. Tell whoever publishes the updates, and install the new version by hand."
            }
            Self::Signature(_) => {
                "Nothing was installed. Do not install this update by other means before whoever publishes it has said \
                 why: the file may not be theirs."
            }
            Self::NotInstalled(_) => {
                "Install the new version by hand, with an account that may install programs."
            }
            Self::Gone(_) => "Look for updates again.",
            Self::OthersAtWork(_) => {
                "The installer would end them in the middle of their work. Quit RosterBridge in each of those districts' \
                 windows, or remove its service with 'rosterbridge service uninstall', then install the update."
            }
        }
    }
}

impl From<UpdateError> for Fault {
    fn from(error: UpdateError) -> Self {
        Self {
            code: error.code().to_owned(),
            message: format!("{error}."),
            remedy: error.remedy().to_owned(),
        }
    }
}

impl From<UpdaterError> for UpdateError {
    fn from(error: UpdaterError) -> Self {
        let reason = error.to_string().trim_end_matches('.').to_owned();
        match error {
            UpdaterError::Minisign(_)
            | UpdaterError::Base64(_)
            | UpdaterError::SignatureUtf8(_)
            | UpdaterError::SignedVersionMismatch { .. }
            | UpdaterError::MissingSignedVersion => Self::Signature(reason),
            UpdaterError::Reqwest(_)
            | UpdaterError::Network(_)
            | UpdaterError::ReleaseNotFound
            | UpdaterError::Serialization(_)
            | UpdaterError::UrlParse(_)
            | UpdaterError::Http(_) => Self::Unreachable(reason),
            UpdaterError::TargetNotFound(_)
            | UpdaterError::TargetsNotFound(_)
            | UpdaterError::UnsupportedArch
            | UpdaterError::UnsupportedOs => Self::NotForThisSystem(reason),
            UpdaterError::InsecureTransportProtocol => Self::Insecure(reason),
            // The rest, and what a later version of the plug-in adds, happens while it installs.
            _ => Self::NotInstalled(reason),
        }
    }
}

/// What is configured: in the file, or else in the app itself.
fn source(app: &AppHandle) -> Result<Option<Source>, UpdateError> {
    let desk = app.state::<Desk>();
    if let Some(source) = desk.home().map(configured_in).transpose()?.flatten() {
        return Ok(Some(source));
    }
    let built_in = app.config().plugins.0.get(PLUGIN);
    let text = |name: &str| built_in?.pointer(name)?.as_str().filter(|text| !text.is_empty());
    let (Some(endpoint), Some(public_key)) = (text("/endpoints/0"), text("/pubkey")) else { return Ok(None) };
    let endpoint = endpoint.parse().map_err(|error: url::ParseError| UpdateError::Configuration {
        file: PathBuf::from("tauri.conf.json"),
        reason: error.to_string(),
    })?;
    Ok(Some(Source { endpoint, public_key: public_key.to_owned() }))
}

fn configured_in(home: &Path) -> Result<Option<Source>, UpdateError> {
    let file = home.join(FILE);
    let wrong = |reason: String| UpdateError::Configuration { file: file.clone(), reason };
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error.to_string())),
    };
    let source: Source = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if source.public_key.is_empty() {
        return Err(wrong("public_key is empty".to_owned()));
    }
    if !is_trusted(&source.endpoint) {
        return Err(wrong("endpoint has to begin with https://".to_owned()));
    }
    Ok(Some(source))
}

/// HTTPS, or this computer itself.
fn is_trusted(address: &Url) -> bool {
    match address.scheme() {
        "https" => address.has_host(),
        "http" => match address.host() {
            Some(Host::Ipv4(host)) => host.is_loopback(),
            Some(Host::Ipv6(host)) => host.is_loopback(),
            Some(Host::Domain(_)) | None => false,
        },
        _ => false,
    }
}

/// Whether there can be updates. Asks nobody.
#[tauri::command]
pub async fn updates(app: AppHandle) -> Result<Updates, Fault> {
    Ok(match source(&app)? {
        None => Updates::Off,
        Some(source) => Updates::On { server: source.endpoint.host_str().unwrap_or_default().to_owned() },
    })
}

/// Asks the configured server for a newer version. Nothing is downloaded.
#[tauri::command]
pub async fn check_for_update(app: AppHandle, latest: State<'_, Latest>) -> Result<Option<Found>, Fault> {
    let found = look(&app).await?;
    let answer = found.as_ref().map(|update| Found {
        version: update.version.clone(),
        notes: update.body.clone().unwrap_or_default(),
        date: update.date.map(|date| date.date().to_string()),
    });
    *latest.0.lock().unwrap_or_else(PoisonError::into_inner) = found;
    Ok(answer)
}

async fn look(app: &AppHandle) -> Result<Option<Update>, UpdateError> {
    let source = source(app)?.ok_or(UpdateError::Off)?;
    let shell = app.clone();
    let updater = app
        .updater_builder()
        .pubkey(source.public_key)
        .endpoints(vec![source.endpoint])?
        .timeout(ANSWER)
        // On Windows the installer ends the app without the usual way out.
        .on_before_exit(move || {
            clipboard::forget_now(&shell);
            async_runtime::block_on(shell.state::<Desk>().close());
            shell.state::<Desk>().end_practice();
            shell.cleanup_before_exit();
        })
        .build()?;
    Ok(updater.check().await?)
}

/// Downloads and installs the version that was found, and that the person has agreed to. The new one runs after a
/// [`restart`]; on Windows the installer ends the app and starts the new one.
#[tauri::command]
pub async fn install_update(
    desk: State<'_, Desk>,
    latest: State<'_, Latest>,
    version: String,
    on_progress: Channel<Downloaded>,
) -> Result<(), Fault> {
    let found = latest.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let update = found.filter(|update| update.version == version).ok_or(UpdateError::Gone(version))?;
    Ok(install(&desk, update, &on_progress).await?)
}

/// Refuses while other processes work on districts: on Windows the installer ends them all without a word.
async fn refuse_others(desk: &Desk) -> Result<(), UpdateError> {
    let Some(home) = desk.home().filter(|_| cfg!(windows)) else { return Ok(()) };
    let others = others(rosterbridge_api::profiles(home).await, &desk.hosted().await);
    if others.is_empty() { Ok(()) } else { Err(UpdateError::OthersAtWork(others)) }
}

/// The profiles that are served, but not by this process.
fn others(profiles: Vec<ProfileView>, ours: &[String]) -> Vec<String> {
    profiles
        .into_iter()
        .filter(|profile| profile.served.is_some() && !ours.contains(&profile.name))
        .map(|profile| profile.name)
        .collect()
}

async fn install(
    desk: &Desk,
    mut update: Update,
    on_progress: &Channel<Downloaded>,
) -> Result<(), UpdateError> {
    refuse_others(desk).await?;
    if !is_trusted(&update.download_url) {
        return Err(UpdateError::Insecure(update.download_url.to_string()));
    }
    update.timeout = Some(DOWNLOAD);
    let too_large = CancellationToken::new();
    let bytes = AtomicU64::new(0);
    let downloading = update.download(
        |chunk, of| {
            let now = bytes.fetch_add(chunk as u64, Ordering::Relaxed) + chunk as u64;
            if now > LARGEST {
                too_large.cancel();
            }
            // A page that was reloaded no longer listens.
            if let Err(error) = on_progress.send(Downloaded { bytes: now, of }) {
                tracing::debug!(%error, "the window did not take a download's progress");
            }
        },
        || {},
    );
    let package = tokio::select! {
        package = downloading => package?,
        () = too_large.cancelled() => return Err(UpdateError::TooLarge),
    };
    // Somebody may have opened another district's window meanwhile.
    refuse_others(desk).await?;
    let installing = tokio::task::spawn_blocking(move || update.install(package));
    match installing.await {
        Ok(installed) => Ok(installed?),
        Err(error) => Err(UpdateError::NotInstalled(error.to_string())),
    }
}

/// Ends the app in order and starts it again, for the version that was installed.
#[tauri::command]
#[expect(clippy::needless_pass_by_value, reason = "a command's arguments are its own")]
pub fn restart(app: AppHandle) {
    app.request_restart();
}

#[cfg(test)]
mod tests {
    use rosterbridge_api::ServedView;

    use super::*;

    #[test]
    fn without_a_file_updates_are_off_and_a_wrong_one_is_told() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(configured_in(home.path()).unwrap(), None);
        for wrong in [
            "{",
            "{}",
            r#"{"endpoint":"https://updates.example.org/","public_key":""}"#,
            r#"{"endpoint":"http://updates.example.org/","public_key":"RW"}"#,
            r#"{"endpoint":"https://updates.example.org/","public_key":"RW","insecure":true}"#,
        ] {
            fs::write(home.path().join(FILE), wrong).unwrap();
            assert_eq!(configured_in(home.path()).unwrap_err().code(), "updates.configuration", "{wrong}");
        }
        fs::write(
            home.path().join(FILE),
            r#"{"endpoint":"https://updates.example.org/{{target}}","public_key":"RW"}"#,
        )
        .unwrap();
        assert_eq!(configured_in(home.path()).unwrap().unwrap().public_key, "RW");
    }

    #[test]
    fn an_update_waits_for_districts_that_other_processes_work_on() {
        let profile = |name: &str, served| ProfileView {
            name: name.to_owned(),
            served: bool::then(served, || ServedView {
                server: String::new(),
                paused: true,
                running: false,
                next_at: None,
            }),
        };
        let profiles = vec![
            profile("default", true),
            profile("north", true),
            profile("south", false),
            profile("west", true),
        ];
        let ours = ["default".to_owned()];
        let others = others(profiles, &ours);
        assert_eq!(others, ["north", "west"]);
        let fault = Fault::from(UpdateError::OthersAtWork(others));
        assert_eq!(fault.code, "updates.others_at_work");
        assert!(fault.message.ends_with("work on north, west."), "{}", fault.message);
    }

    #[test]
    fn only_https_and_this_computer_are_trusted() {
        for (address, trusted) in [
            ("https://updates.example.org/", true),
            ("http://127.0.0.1:8080/", true),
            ("http://[::1]/", true),
            ("http://localhost/", false),
            ("http://updates.example.org/", false),
            ("file:///tmp/update", false),
        ] {
            assert_eq!(is_trusted(&address.parse().unwrap()), trusted, "{address}");
        }
    }

    /// What the app is built with is off: a build with an address in it is somebody's decision.
    #[test]
    fn the_app_is_built_without_a_source() {
        let configuration: serde_json::Value =
            serde_json::from_str(include_str!("../tauri.conf.json")).unwrap();
        let updater = &configuration["plugins"][PLUGIN];
        assert_eq!(updater["pubkey"], "");
        assert_eq!(updater["endpoints"], serde_json::json!([]));
        assert_eq!(updater["requireSignedVersion"], true);
        assert!(updater.get("dangerousInsecureTransportProtocol").is_none());
    }
}
