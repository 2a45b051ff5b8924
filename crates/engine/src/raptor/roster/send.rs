//! Sending planned rosters, and recording what Raptor has then.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{NaiveDateTime, Utc};
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{
    job::{FileReceipt, JobId},
    settings::{RosterContent, Setup},
};
use rosterbridge_raptor::changes_file_name;
use rosterbridge_store::{
    Ledger,
    ledger::{RaptorRoster, RunId, SentRosters, StagedRoster},
};
use tokio_util::sync::CancellationToken;

use super::{
    KEPT, PlannedFile, ROSTER, RosterPlan, SentFiles,
    compose::{Composing, Content, Known},
    destination::{Destination, Outgoing, Staged, destination_name, file_name},
};
use crate::{
    engine::{Engine, blocking},
    error::EngineError,
    unchanged::Sending,
};

impl Engine {
    /// Sends the planned rosters and records what Raptor has then. Where all are there as they were sent earlier in the
    /// day, none is sent.
    pub(crate) async fn apply_rosters(
        &self,
        plan: &RosterPlan,
        sending: Sending<'_>,
    ) -> Result<SentFiles, EngineError> {
        let sent = match plan.content {
            RosterContent::Full => self.send_full_rosters(plan, sending).await?,
            RosterContent::Changes => self.send_changes(plan, sending).await?,
        };
        pass(CrashPoint::RosterFilesRecorded);
        // What was stopped in between is not what is there, nor what is planned.
        self.forget_stops(JobId::RAPTOR_ROSTER, &plan.names()).await?;
        let from = self.rosters_made_from(sending.roster, sending.setup).await?;
        self.remember_made(JobId::RAPTOR_ROSTER, plan.made(from)).await?;
        Ok(sent)
    }

    async fn send_full_rosters(
        &self,
        plan: &RosterPlan,
        sending: Sending<'_>,
    ) -> Result<SentFiles, EngineError> {
        let Sending { setup, run, now, zone, cancel, .. } = sending;
        let files = plan.receipts();
        let destination = self.roster_destination(setup, cancel).await?;
        let there = destination.prepare(cancel).await?;
        let sent_today = self.sent_today(JobId::RAPTOR_ROSTER, &files, now, zone).await?;
        if let Some(sent_at) = sent_today
            && self.still_there(&destination, &files, cancel).await?
        {
            let notes = self.put_aside(plan, &destination, &there, sending).await?;
            destination.close().await;
            self.accept_rosters(plan, run, Vec::new()).await?;
            return Ok(SentFiles { files, sent_before: Some(sent_at), notes });
        }
        let mut staged = Staged::new();
        let mut names = Vec::new();
        for group in groups(&plan.files) {
            let outgoing = self.contents(plan, group, sending, file_name_of).await?;
            names.extend(outgoing.iter().map(|file| file.name.clone()));
            if matches!(destination, Destination::Folder(_)) {
                staged.add(destination.stage(outgoing, cancel).await?);
            } else {
                for file in outgoing {
                    destination.send(file).await?;
                }
            }
        }
        if matches!(destination, Destination::Folder(_)) {
            if cancel.is_cancelled() {
                return Err(EngineError::Cancelled);
            }
            destination.place(&names, staged).await?;
        }
        self.remember_at_server(&destination, &files).await?;
        // Before it is recorded: from then on nobody knows any more whose they are.
        let notes = self.put_aside(plan, &destination, &there, sending).await?;
        destination.close().await;
        pass(CrashPoint::RosterFilesUnrecorded);
        self.accept_rosters(plan, run, files.clone()).await?;
        Ok(SentFiles { files, sent_before: None, notes })
    }

    async fn send_changes(&self, plan: &RosterPlan, sending: Sending<'_>) -> Result<SentFiles, EngineError> {
        let Sending { setup, run, now, zone, cancel, .. } = sending;
        if plan.files.is_empty() {
            let sent_before = self.ledger(Ledger::raptor_accepted_at).await?;
            let notes = self.put_aside_alone(plan, sending).await?;
            self.accept_rosters(plan, run, Vec::new()).await?;
            return Ok(SentFiles { files: Vec::new(), sent_before, notes });
        }
        let Some(accepted) = &plan.accepted else { return Err(EngineError::NotAsPlanned(ROSTER.to_owned())) };
        let destination = self.roster_destination(setup, cancel).await?;
        let taken = destination.prepare(cancel).await?;
        let at = now.with_timezone(&zone).naive_local();
        let files: Vec<FileReceipt> = plan
            .files
            .iter()
            .map(|file| {
                let name = free_name(&plan.table.buildings[file.place].name, at, &taken);
                FileReceipt { name: format!("{ROSTER}/{name}"), ..file.receipt.clone() }
            })
            .collect();
        let mut staged = Staged::new();
        let mut named = files.iter();
        for group in groups(&plan.files) {
            let name = |_: &PlannedFile| named.next().map_or("", |file| file_name(&file.name)).to_owned();
            let outgoing = self.contents(plan, group, sending, name).await?;
            staged.add(destination.stage(outgoing, cancel).await?);
        }
        if cancel.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        let rosters: Vec<StagedRoster> = plan
            .files
            .iter()
            .zip(&files)
            .map(|(file, receipt)| StagedRoster {
                roster: accepted[file.place].clone(),
                destination: destination_name(setup),
                receipt: receipt.clone(),
            })
            .collect();
        self.ledger(move |ledger| ledger.stage_raptor_rosters(&rosters)).await?;
        pass(CrashPoint::RosterFilesStaged);
        let names: Vec<String> = files.iter().map(|file| file_name(&file.name).to_owned()).collect();
        destination.place(&names, staged).await?;
        let notes = self.put_aside(plan, &destination, &taken, sending).await?;
        destination.close().await;
        pass(CrashPoint::RosterFilesUnrecorded);
        self.accept_rosters(plan, run, Vec::new()).await?;
        Ok(SentFiles { files, sent_before: None, notes })
    }

    /// Records what Raptor has, with the files that took the place of those of their names.
    async fn accept_rosters(
        &self,
        plan: &RosterPlan,
        run: RunId,
        uploads: Vec<FileReceipt>,
    ) -> Result<(), EngineError> {
        if plan.accepted.is_none() && uploads.is_empty() {
            return Ok(());
        }
        let rosters = plan.accepted.clone().unwrap_or_default();
        let in_table: Vec<String> = plan.table.keys().cloned().collect();
        let now = Utc::now();
        self.ledger(move |ledger| {
            let sent = SentRosters { rosters: &rosters, in_table: Some(&in_table), uploads: &uploads };
            ledger.accept_raptor_rosters(run, sent, now).map(drop)
        })
        .await
    }

    /// The contents of planned files, under the names they are given: what the plan kept of them, or put together again.
    async fn contents(
        &self,
        plan: &RosterPlan,
        group: &[PlannedFile],
        sending: Sending<'_>,
        mut name: impl FnMut(&PlannedFile) -> String,
    ) -> Result<Vec<Outgoing>, EngineError> {
        let kept: Option<Vec<Arc<Content>>> = group.iter().map(|file| file.content.clone()).collect();
        let contents = match kept {
            Some(kept) => kept,
            None => self.compose_again(plan, group, sending).await?,
        };
        let named = group.iter().zip(contents);
        Ok(named.map(|(file, content)| Outgoing { name: name(file), content }).collect())
    }

    async fn compose_again(
        &self,
        plan: &RosterPlan,
        group: &[PlannedFile],
        sending: Sending<'_>,
    ) -> Result<Vec<Arc<Content>>, EngineError> {
        let Sending { setup, roster, cancel, .. } = sending;
        let composing = Composing::of(setup, roster, plan.table.clone(), cancel)?;
        let told = self.ledger(Ledger::raptor_rosters).await?;
        let planned: Vec<(usize, FileReceipt)> =
            group.iter().map(|file| (file.place, file.receipt.clone())).collect();
        blocking(move || {
            let known = Known::of(&composing.table, told);
            let wanted = |place: usize| planned.iter().any(|(planned, _)| *planned == place);
            let mut composed = composing.compose(&known, wanted, usize::MAX)?;
            planned
                .iter()
                .map(|(place, receipt)| {
                    let file = composed[*place].file.take().filter(|file| file.sha256 == receipt.sha256);
                    let content = file.and_then(|file| file.content);
                    content.map(Arc::new).ok_or_else(|| EngineError::NotAsPlanned(receipt.name.clone()))
                })
                .collect()
        })
        .await
    }

    /// Finishes files of changes that a run which was ended has left between two names, so that what they say is known to
    /// have been said. What a person should know of it.
    pub(crate) async fn finish_left_rosters(
        &self,
        setup: &Setup,
        run: RunId,
        cancel: &CancellationToken,
    ) -> Result<Option<String>, EngineError> {
        let left = self.ledger(Ledger::staged_raptor_rosters).await?;
        if left.is_empty() {
            return Ok(None);
        }
        let destination = destination_name(setup);
        if left.iter().any(|file| file.destination != destination) {
            // They stay where nobody looks any more: the new place gets what they say.
            self.ledger(|ledger| ledger.stage_raptor_rosters(&[])).await?;
            return Ok(None);
        }
        let receipts: Vec<FileReceipt> = left.iter().map(|file| file.receipt.clone()).collect();
        let destination = self.roster_destination(setup, cancel).await?;
        let arrived = destination.place_left(&receipts, cancel).await?;
        destination.close().await;
        let rosters: Vec<RaptorRoster> = left
            .into_iter()
            .zip(arrived)
            .filter_map(|(file, arrived)| arrived.then_some(file.roster))
            .collect();
        let count = rosters.len();
        let now = Utc::now();
        self.ledger(move |ledger| {
            let sent = SentRosters { rosters: &rosters, in_table: None, uploads: &[] };
            ledger.accept_raptor_rosters(run, sent, now).map(drop)
        })
        .await?;
        pass(CrashPoint::RosterFilesRecorded);
        Ok((count > 0).then(|| format!("Finished first: {count} files of a run that had been interrupted.")))
    }
}

fn file_name_of(file: &PlannedFile) -> String {
    file_name(&file.receipt.name).to_owned()
}

/// The files in groups that may be in memory at once.
fn groups(files: &[PlannedFile]) -> impl Iterator<Item = &[PlannedFile]> {
    let mut bytes = 0;
    files.chunk_by(move |file, next| {
        bytes += file.receipt.bytes;
        let together = bytes.saturating_add(next.receipt.bytes) <= KEPT as u64;
        if !together {
            bytes = 0;
        }
        together
    })
}

/// A name for a file of changes that no file has.
fn free_name(building: &str, at: NaiveDateTime, taken: &BTreeSet<String>) -> String {
    let mut count = 1;
    loop {
        let name = changes_file_name(building, at, count);
        if !taken.contains(&name) {
            return name;
        }
        count += 1;
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::report::FileSample;

    const FULL: u64 = KEPT as u64;

    #[rstest]
    #[case::none(&[], &[])]
    #[case::all_at_once(&[FULL / 2, FULL / 4, FULL / 4], &[3])]
    #[case::one_too_many(&[FULL / 2, FULL / 2, 1], &[2, 1])]
    #[case::large_ones(&[1, FULL + 1, FULL, 1, FULL], &[1, 1, 1, 1, 1])]
    #[case::from_the_start_again(&[FULL, 1, FULL - 1, 1, 1], &[1, 2, 2])]
    fn as_many_files_as_may_be_in_memory_go_together(#[case] bytes: &[u64], #[case] sizes: &[usize]) {
        let files: Vec<PlannedFile> = bytes
            .iter()
            .map(|bytes| PlannedFile {
                place: 0,
                receipt: FileReceipt { name: String::new(), rows: 1, bytes: *bytes, sha256: String::new() },
                content: None,
                sample: FileSample::new("", &[], Vec::new()),
            })
            .collect();
        assert_eq!(groups(&files).map(<[_]>::len).collect::<Vec<_>>(), sizes);
    }

    #[test]
    fn a_name_that_is_taken_is_not_given_again() {
        let at = chrono::NaiveDate::from_ymd_opt(2026, 11, 1).unwrap().and_hms_opt(1, 30, 0).unwrap();
        let mut taken = BTreeSet::new();
        for name in ["North changes 2026-11-01 013000.csv", "North changes 2026-11-01 013000 2.csv"] {
            assert_eq!(free_name("North", at, &taken), name);
            taken.insert(name.to_owned());
        }
    }
}
