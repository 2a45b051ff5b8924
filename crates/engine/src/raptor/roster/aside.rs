//! Files of everybody that are not in use any more: of buildings that take no part, are not in the table, or have another
//! name. They would go on saying what was, so they are put aside, in a folder beside the others.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use chrono::Utc;
use rosterbridge_domain::job::JobId;
use rosterbridge_raptor::building_file_name;
use rosterbridge_sftp::{Error as SftpError, RemoteFolder, Session};
use rosterbridge_store::{StoreError, ledger::RunId};

use super::{
    super::{
        SOURCE, content_hash,
        folder::{free_beside, free_name, move_to},
    },
    ROSTER, RosterPlan,
    destination::{Destination, file_name},
};
use crate::{
    engine::{Engine, blocking},
    error::EngineError,
    unchanged::Sending,
};

/// The folder beside the roster files that they go to.
pub(crate) const NOT_IN_USE: &str = "not-in-use";

/// Where a file stays that can't be moved.
#[derive(Clone, Copy)]
enum Stays {
    InFolder,
    AtServer,
}

impl Engine {
    /// [`Engine::put_aside`] where nothing is sent. The destination is opened only if there may be such a file.
    pub(super) async fn put_aside_alone(
        &self,
        plan: &RosterPlan,
        sending: Sending<'_>,
    ) -> Result<Vec<String>, EngineError> {
        if plan.repeats || !self.may_be_not_in_use(plan).await? {
            return Ok(Vec::new());
        }
        let destination = self.roster_destination(sending.setup, sending.cancel).await?;
        let there = destination.prepare(sending.cancel).await?;
        let notes = self.put_aside(plan, &destination, &there, sending).await?;
        destination.close().await;
        Ok(notes)
    }

    /// Whether a file of everybody was sent of a building that Raptor has and that has no file now.
    async fn may_be_not_in_use(&self, plan: &RosterPlan) -> Result<bool, EngineError> {
        let in_use: BTreeSet<String> =
            plan.table.buildings.iter().map(|building| building.key.clone()).collect();
        self.ledger(move |ledger| {
            let known = ledger.raptor_rosters()?.into_iter().map(|roster| roster.building);
            let stale: BTreeSet<String> = known
                .filter(|building| !in_use.contains(building))
                .map(|building| format!("{ROSTER}/{}", building_file_name(&building)).to_lowercase())
                .collect();
            if stale.is_empty() {
                return Ok(false);
            }
            let sent = ledger.uploaded_names(JobId::RAPTOR_ROSTER)?;
            Ok(sent.iter().any(|name| stale.contains(&name.to_lowercase())))
        })
        .await
    }

    /// Puts those aside of the files that were `there` before the planned ones were sent. What a person should know of it.
    pub(super) async fn put_aside(
        &self,
        plan: &RosterPlan,
        destination: &Destination,
        there: &BTreeSet<String>,
        sending: Sending<'_>,
    ) -> Result<Vec<String>, EngineError> {
        let in_use: BTreeSet<String> =
            plan.names().into_iter().map(|name| file_name(name).to_owned()).collect();
        let mut stale = self.not_in_use(there, &in_use).await?;
        if stale.iter().any(|name| respelled(name, &in_use).is_some()) {
            let now = destination.names(sending.cancel).await?;
            stale.retain(|name| is_another(name, &in_use, &now));
        }
        if stale.is_empty() {
            return Ok(Vec::new());
        }
        match destination {
            Destination::Folder(folder) => self.put_aside_in_folder(folder, stale, sending.run).await,
            Destination::Server { session, folder, .. } => put_aside_at_server(session, folder, stale).await,
        }
    }

    /// The names, among those that are there, of files of everybody that were sent from here and are not in use. Those of a
    /// building that is not in the table are known until the newer ones are recorded.
    async fn not_in_use(
        &self,
        there: &BTreeSet<String>,
        in_use: &BTreeSet<String>,
    ) -> Result<Vec<String>, EngineError> {
        let others: Vec<String> = there.difference(in_use).cloned().collect();
        let in_use = in_use.clone();
        self.ledger(move |ledger| {
            let known =
                ledger.raptor_rosters()?.into_iter().map(|roster| building_file_name(&roster.building));
            // Letter case is all that may differ from the name as it was sent.
            let ours: BTreeSet<String> = known.chain(in_use).map(|name| name.to_lowercase()).collect();
            let mut stale = Vec::new();
            for name in others.into_iter().filter(|name| ours.contains(&name.to_lowercase())) {
                if ledger.last_upload(JobId::RAPTOR_ROSTER, &format!("{ROSTER}/{name}"))?.is_some() {
                    stale.push(name);
                }
            }
            Ok(stale)
        })
        .await
    }

    /// As far as the folder lets us: the new files are in their places already.
    async fn put_aside_in_folder(
        &self,
        folder: &Path,
        names: Vec<String>,
        run: RunId,
    ) -> Result<Vec<String>, EngineError> {
        let mut notes = Vec::new();
        for name in names {
            match self.move_in_folder(folder.join(&name), run).await {
                Ok(()) => notes.push(moved(&name)),
                // Somebody has taken it.
                Err(EngineError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(
                    error @ (EngineError::Io { .. }
                    | EngineError::Store(StoreError::DiskFull)
                    | EngineError::FileChanging(_)
                    | EngineError::FileIsLink(_)),
                ) => notes.push(stays(&name, Stays::InFolder, error.code())),
                Err(error) => return Err(error),
            }
        }
        Ok(notes)
    }

    async fn move_in_folder(&self, path: PathBuf, run: RunId) -> Result<(), EngineError> {
        let (from, looking) = (path.clone(), path);
        // A few names: it may come to its own end.
        let (to, sha256): (PathBuf, String) =
            blocking(move || Ok((free_beside(&looking, NOT_IN_USE)?, content_hash(&looking)?))).await?;
        // Before it is moved: one that is there and not known to be from here is never removed.
        let kept = kept_name(&to);
        self.ledger(move |ledger| ledger.mark_file_seen(SOURCE, &kept, &sha256, run, Utc::now())).await?;
        blocking(move || move_to(&from, &to)).await
    }
}

/// The name by which the ledger knows a file that was put aside.
pub(crate) fn kept_name(path: &Path) -> String {
    format!("{ROSTER}/{NOT_IN_USE}/{}", path.file_name().unwrap_or_default().to_string_lossy())
}

/// As far as the server lets us: where not, whoever owns it has to.
async fn put_aside_at_server(
    session: &Session,
    folder: &RemoteFolder,
    names: Vec<String>,
) -> Result<Vec<String>, EngineError> {
    let aside = folder.folder(NOT_IN_USE).map_err(EngineError::raptor_server)?;
    let mut notes = Vec::new();
    for name in names {
        match move_at_server(session, folder, &aside, &name).await {
            Ok(()) => notes.push(moved(&name)),
            // Somebody has taken it.
            Err(SftpError::FileMissing { .. }) => {}
            Err(
                error @ (SftpError::Permission { .. }
                | SftpError::ServerRefused { .. }
                | SftpError::FolderMissing { .. }
                | SftpError::NotAFile { .. }
                | SftpError::NoSpace { .. }
                | SftpError::BadName { .. }),
            ) => {
                notes.push(stays(&name, Stays::AtServer, error.code()));
            }
            Err(error) => return Err(EngineError::raptor_server(error)),
        }
    }
    Ok(notes)
}

async fn move_at_server(
    session: &Session,
    folder: &RemoteFolder,
    aside: &RemoteFolder,
    name: &str,
) -> Result<(), SftpError> {
    let from = folder.file(name)?;
    session.make_folder(aside).await?;
    let taken: BTreeSet<String> = session.list(aside).await?.into_iter().map(|entry| entry.name).collect();
    let to = free_name(Path::new(name), |name| taken.contains(name));
    session.rename(&from, &aside.file(&to)?).await
}

fn moved(name: &str) -> String {
    not_in_use(name, &format!("It was moved to {ROSTER}/{NOT_IN_USE}."))
}

fn stays(name: &str, place: Stays, code: &str) -> String {
    tracing::warn!(code, "a roster file that is not in use can't be put aside");
    not_in_use(
        name,
        match place {
            Stays::InFolder => {
                "It can't be moved away: another program may have it open, or RosterBridge may not move it. Remove it from \
                 the folder, so that Raptor does not read it again."
            }
            Stays::AtServer => {
                "The server does not let it be moved away. Remove it from the server, so that Raptor does not read it again."
            }
        },
    )
}

fn not_in_use(name: &str, then: &str) -> String {
    format!("{ROSTER}/{name} is of a building that takes no part any more or has another name. {then}")
}

/// The name in use that only letter case tells a name from, if there is one.
fn respelled<'a>(name: &str, in_use: &'a BTreeSet<String>) -> Option<&'a String> {
    in_use.iter().find(|used| used.to_lowercase() == name.to_lowercase())
}

/// Whether a name is another file's than those in use. Where letter case does not matter there is one file under two names
/// that only letter case tells apart, and it is the new one: a listing has only one of them.
fn is_another(name: &str, in_use: &BTreeSet<String>, there: &BTreeSet<String>) -> bool {
    respelled(name, in_use).is_none_or(|used| there.contains(name) && there.contains(used))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::under_both_names("North.csv", &["North.csv", "north.csv"], true)]
    #[case::one_file_with_the_old_case("North.csv", &["North.csv"], false)]
    #[case::one_file_with_the_new_case("North.csv", &["north.csv"], false)]
    #[case::another_name("West.csv", &["north.csv"], true)]
    fn letter_case_tells_files_apart_only_where_both_are_listed(
        #[case] name: &str,
        #[case] there: &[&str],
        #[case] another: bool,
    ) {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let in_use = names(&["north.csv", "South.csv"]);
        assert_eq!(is_another(name, &in_use, &names(there)), another);
    }
}
