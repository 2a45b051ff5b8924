//! Tardies in from an SFTP server. Its files are only read: which of them are decided is remembered here.

use std::{
    collections::BTreeMap,
    io::{self, PipeReader},
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chrono::Utc;
use rosterbridge_domain::settings::Setup;
use rosterbridge_raptor::{FileError, LARGEST_TARDY_FILE};
use rosterbridge_sftp::{Downloaded, RemoteFile, RemoteFolder, Session};
use rosterbridge_store::ledger::RunId;
use serde::{Deserialize, Serialize};

use super::{
    SOURCE,
    folder::{Look, MOST_FILES, is_tardy_file},
    tardies::{AtHand, Contents, Found, LookUp, read_rows},
};
use crate::{
    connections::raptor_folder,
    decide::District,
    engine::{Engine, blocking},
    error::EngineError,
};

/// The ledger's value that holds the files of the server that are decided.
const DECIDED: &str = "remote_tardies";
/// A server may tell the time of a change in whole seconds only: a file that was younger than this when it was read may
/// have changed since without showing it.
const SURELY_SHOWN: Duration = Duration::from_secs(5);

/// A tardy file on the server.
#[derive(Clone, Debug)]
pub(crate) struct RemoteTardies {
    file: RemoteFile,
    look: Look,
}

impl RemoteTardies {
    pub(super) fn name(&self) -> &str {
        self.file.name()
    }
}

/// The files of a server that are decided: they need not be read again to know that.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Decided {
    /// The server and the folder this is about.
    of: String,
    /// Size, and seconds from 1970 to the last change, by name.
    files: BTreeMap<String, (u64, u64)>,
}

impl Decided {
    fn knows(&self, name: &str, look: Look) -> bool {
        seconds(look).is_some_and(|seconds| self.files.get(name) == Some(&(look.bytes, seconds)))
    }

    /// The first `most` files of a listing that are not decided, and whether there are more.
    fn undecided(&self, listed: BTreeMap<String, Look>, most: usize) -> (Vec<(String, Look)>, bool) {
        let mut left = listed.into_iter().filter(|(name, look)| !self.knows(name, *look));
        let first = left.by_ref().take(most).collect();
        (first, left.next().is_some())
    }
}

fn seconds(look: Look) -> Option<u64> {
    Some(look.changed?.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// The server and the folder that the set-up names.
fn of(setup: &Setup) -> String {
    let Some(server) = &setup.raptor.connection else { return String::new() };
    let Some(connection) = setup.connection(server.connection) else { return String::new() };
    format!("{}@{}:{}/{}", connection.username, connection.host, connection.port, server.folder)
}

/// The folder on the server that stands for the exchange folder.
fn folder(setup: &Setup) -> Result<RemoteFolder, EngineError> {
    setup.raptor.connection.as_ref().map_or_else(|| Ok(RemoteFolder::login()), raptor_folder)
}

impl Engine {
    /// Looks which tardy files are on the server and not decided yet.
    pub(super) async fn tardies_at_server(
        &self,
        setup: &Setup,
        session: &Session,
    ) -> Result<Found, EngineError> {
        let folder = folder(setup)?;
        let listed = listed(session, &folder).await?;
        let decided = self.decided_at_server(setup, &listed).await?;
        let (undecided, more) = decided.undecided(listed, MOST_FILES);
        let mut found = Found { more, ..Found::default() };
        let mut recent = Vec::new();
        let now = SystemTime::now();
        for (name, look) in undecided {
            match folder.file(&name) {
                Ok(_) if look.bytes > LARGEST_TARDY_FILE => {
                    found.refused.push((name, FileError::TooLarge.into()));
                }
                Ok(file) if look.waits(now).is_zero() => {
                    found.waiting.push_back(AtHand::Remote(RemoteTardies { file, look }));
                }
                Ok(file) => recent.push(RemoteTardies { file, look }),
                Err(error) => found.refused.push((name, EngineError::raptor_server(error))),
            }
        }
        let Some(longest) = recent.iter().map(|remote| remote.look.waits(now)).max() else {
            return Ok(found);
        };
        tokio::time::sleep(longest).await;
        let listed = self::listed(session, &folder).await?;
        for remote in recent {
            if listed.get(remote.name()) == Some(&remote.look) {
                found.waiting.push_back(AtHand::Remote(remote));
            } else {
                found.changing.push(remote.name().to_owned());
            }
        }
        found.waiting.make_contiguous().sort_by_key(AtHand::name);
        Ok(found)
    }

    /// Reads a file of the server, and looks every row up.
    pub(super) async fn fetch_tardies(
        &self,
        session: &Session,
        remote: &RemoteTardies,
        input: usize,
        look_up: &LookUp<'_>,
    ) -> Result<Contents, EngineError> {
        let (roster, setup) = (Arc::clone(look_up.roster), look_up.setup.clone());
        let (zone, fixes, stop) = (look_up.zone, look_up.fixes.clone(), look_up.cancel.clone());
        let looking_up = move |reader: PipeReader| {
            let mut district = District::new(&roster, &setup, zone)?.with_fixes(fixes);
            read_rows(reader, input, &mut district, &stop)
        };
        let (downloaded, rows) = read_at_server(session, &remote.file, looking_up).await?;
        Ok(Contents { bytes: downloaded.bytes, sha256: downloaded.sha256, look: remote.look, rows })
    }

    /// The files of the server that are decided and still there.
    async fn decided_at_server(
        &self,
        setup: &Setup,
        listed: &BTreeMap<String, Look>,
    ) -> Result<Decided, EngineError> {
        let text = self.ledger(|ledger| ledger.value(DECIDED)).await?.unwrap_or_default();
        let known: Decided = serde_json::from_str(&text).unwrap_or_default();
        if known.of != of(setup) {
            return Ok(Decided { of: of(setup), files: BTreeMap::new() });
        }
        let still = known.files.into_iter().filter(|(name, _)| listed.contains_key(name));
        Ok(Decided { of: known.of, files: still.collect() })
    }

    /// Remembers files of the server that are decided: every row of them is.
    pub(crate) async fn remember_decided(
        &self,
        setup: &Setup,
        session: &Session,
        run: RunId,
        files: Vec<(RemoteTardies, String)>,
    ) -> Result<(), EngineError> {
        if files.is_empty() {
            return Ok(());
        }
        let listed = listed(session, &folder(setup)?).await?;
        let mut decided = self.decided_at_server(setup, &listed).await?;
        let now = SystemTime::now();
        for (RemoteTardies { file, look }, _) in &files {
            let shown = look.changed.and_then(|changed| now.duration_since(changed).ok());
            if let (Some(seconds), true) = (seconds(*look), shown.is_some_and(|age| age >= SURELY_SHOWN)) {
                decided.files.insert(file.name().to_owned(), (look.bytes, seconds));
            }
        }
        let text = serde_json::to_string(&decided).unwrap_or_default();
        self.ledger(move |ledger| {
            let at = Utc::now();
            for (remote, sha256) in &files {
                ledger.mark_file_seen(SOURCE, remote.name(), sha256, run, at)?;
            }
            ledger.set_value(DECIDED, &text)
        })
        .await
    }
}

/// Reads a file of the server as it comes: `read` sees it from its beginning to its end.
pub(crate) async fn read_at_server<T: Send + 'static>(
    session: &Session,
    file: &RemoteFile,
    read: impl FnOnce(PipeReader) -> Result<T, EngineError> + Send + 'static,
) -> Result<(Downloaded, T), EngineError> {
    let (reader, writer) = io::pipe().map_err(|source| EngineError::Pipe { source })?;
    let reading = blocking(move || read(reader));
    let downloading = async {
        // The reader sees the end only when the writer is gone.
        session.download(file, writer).await.map(|(downloaded, _writer)| downloaded)
    };
    let (downloaded, read) = tokio::join!(downloading, reading);
    let downloaded = match downloaded {
        Err(rosterbridge_sftp::Error::FileChanging { .. }) => {
            return Err(EngineError::FileChanging(PathBuf::from(file.name())));
        }
        // A file that is refused breaks off its download: the refusal is the cause.
        Err(rosterbridge_sftp::Error::Sink { .. }) => None,
        downloaded => Some(downloaded.map_err(EngineError::raptor_server)?),
    };
    let read = read?;
    let Some(downloaded) = downloaded else {
        return Err(EngineError::NotAsPlanned(file.name().to_owned()));
    };
    Ok((downloaded, read))
}

/// The tardy files in a folder of the server, by name.
async fn listed(session: &Session, folder: &RemoteFolder) -> Result<BTreeMap<String, Look>, EngineError> {
    let entries = session.list(folder).await.map_err(EngineError::raptor_server)?;
    let files = entries.into_iter().filter(|entry| !entry.is_folder && is_tardy_file(&entry.name));
    Ok(files.map(|entry| (entry.name, Look { bytes: entry.size, changed: entry.modified })).collect())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::all_of_few(9, "b d e", false)]
    #[case::just_as_many(3, "b d e", false)]
    #[case::the_first_of_many(2, "b d", true)]
    fn only_what_is_undecided_counts(#[case] most: usize, #[case] names: &str, #[case] more: bool) {
        let look = |bytes| Look { bytes, changed: Some(UNIX_EPOCH + Duration::from_secs(bytes)) };
        let files = ["a", "b", "c"].map(|name| (name.to_owned(), (7, 7)));
        let decided = Decided { of: String::new(), files: files.into() };
        let listed = [("a", 7), ("b", 8), ("c", 7), ("d", 7), ("e", 1)];
        let listed = listed.map(|(name, bytes)| (name.to_owned(), look(bytes)));
        let (undecided, is_more) = decided.undecided(listed.into(), most);
        let undecided: Vec<&str> = undecided.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((undecided.join(" ").as_str(), is_more), (names, more));
    }
}
