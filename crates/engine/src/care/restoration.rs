//! What a restored ledger does not know: what was exchanged after its backup was made.
//!
//! Before a source's rows are decided again, everything it stated that is still at hand is read once more: Hero's export,
//! Raptor's files in the exchange folder, and those moved to `processed/` since. PowerSchool is read back for every record
//! they name. What PowerSchool holds as they say was written by us, and is recorded so; after that the usual rules apply.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
};

use chrono::Utc;
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{
    attendance::{AttendanceKey, AttendanceWrite, NoOpReason, Recorded, Source},
    settings::Setup,
};
use rosterbridge_powerschool::Client;
use rosterbridge_store::{
    Ledger, Roster,
    ledger::{
        Decision, DecisionOutcome, KeyHistory, OutboxId, OutboxRow, OutboxState, RowHash, RunId, TakenOver,
    },
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{
    attendance::{Current, SourceRow, read_back, row_hash},
    decide::{District, Stop},
    diagnosis::existing_folder,
    engine::{Engine, blocking},
    error::EngineError,
    raptor,
};

/// The ledger's value that holds which sources were read again.
const READ_AGAIN: &str = "care.read_again";

/// Which sources were read again since the ledger was restored.
#[derive(Debug, Default, Serialize, Deserialize)]
struct ReadAgain {
    /// Which restoration this is about: its moment.
    of: String,
    sources: Vec<Source>,
}

/// What reading again needs.
pub(crate) struct Rereading<'a> {
    pub(crate) run: RunId,
    pub(crate) client: &'a Client,
    pub(crate) setup: &'a Setup,
    pub(crate) roster: &'a Arc<Roster>,
    pub(crate) zone: chrono_tz::Tz,
}

/// Where rows were found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Where the next run finds them, too.
    Waiting,
    /// In `processed/`: every one of them had been decided for good.
    Processed,
}

/// What rows that are read again come to.
#[derive(Default)]
struct Again {
    decisions: Vec<Decision>,
    /// Rows among the decisions whose code stands in PowerSchool: written.
    standing: HashSet<RowHash>,
    /// Rows among the decisions that the job is to decide, knowing what was found out about their record here.
    undecided: HashSet<RowHash>,
    /// Writes under way about records that stand as a later row says.
    overtaken: Vec<OutboxId>,
}

impl Engine {
    /// The sources that are still to be read again after the ledger was restored.
    pub(crate) async fn unread_sources(&self) -> Result<Vec<Source>, EngineError> {
        let Some(restoration) = self.ledger(Ledger::restoration).await? else { return Ok(Vec::new()) };
        let known = self.read_again(&restoration.at.to_rfc3339()).await?;
        Ok([Source::Hero, Source::Raptor]
            .into_iter()
            .filter(|source| !known.sources.contains(source))
            .collect())
    }

    async fn read_again(&self, of: &str) -> Result<ReadAgain, EngineError> {
        let text = self.ledger(|ledger| ledger.value(READ_AGAIN)).await?;
        let known: Option<ReadAgain> = text.and_then(|text| serde_json::from_str(&text).ok());
        Ok(known
            .filter(|known| known.of == of)
            .unwrap_or_else(|| ReadAgain { of: of.to_owned(), sources: Vec::new() }))
    }

    /// Notes that a source was read again; with the last one the restored ledger is complete.
    pub(crate) async fn source_read_again(&self, source: Source) -> Result<(), EngineError> {
        let Some(restoration) = self.ledger(Ledger::restoration).await? else { return Ok(()) };
        pass(CrashPoint::SourceReadAgain);
        let mut known = self.read_again(&restoration.at.to_rfc3339()).await?;
        known.sources.push(source);
        let text = serde_json::to_string(&known).unwrap_or_default();
        self.ledger(move |ledger| ledger.set_value(READ_AGAIN, &text)).await?;
        pass(CrashPoint::SourceNoted);
        if self.unread_sources().await?.is_empty() {
            self.ledger(Ledger::restoration_completed).await?;
            pass(CrashPoint::RestorationCompleted);
            tracing::info!("what happened since the ledger's backup is in it again");
        }
        Ok(())
    }

    /// Reads Raptor's files again, those that were decided first; how many records were found as they say.
    pub(crate) async fn reread_raptor(&self, rereading: &Rereading<'_>) -> Result<usize, EngineError> {
        let folder = PathBuf::from(&rereading.setup.raptor.folder);
        let (processed, waiting) = {
            let text = rereading.setup.raptor.folder.clone();
            blocking(move || {
                existing_folder(&text)?;
                Ok((raptor::processed_files(&folder)?, raptor::dropped_files(&folder)?))
            })
            .await?
        };
        let mut taken_over = 0;
        for (path, _) in processed {
            let hashed = path.clone();
            let sha256 = blocking(move || raptor::content_hash(&hashed)).await?;
            let names = raptor::names_before_moving(&path);
            let decided_before = self
                .ledger(move |ledger| {
                    names.iter().try_fold(false, |known, name| {
                        Ok(known || ledger.file_seen(Source::Raptor, name, &sha256)?.is_some())
                    })
                })
                .await?;
            if !decided_before {
                taken_over += self.reread_file(rereading, path, Found::Processed).await?;
            }
        }
        for path in waiting {
            taken_over += self.reread_file(rereading, path, Found::Waiting).await?;
        }
        Ok(taken_over)
    }

    async fn reread_file(
        &self,
        rereading: &Rereading<'_>,
        path: PathBuf,
        found: Found,
    ) -> Result<usize, EngineError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (roster, setup) = (Arc::clone(rereading.roster), rereading.setup.clone());
        let (zone, file) = (rereading.zone, path.clone());
        let read = blocking(move || {
            let mut district = District::new(&roster, &setup, zone)?;
            raptor::read_file(&file, 0, &mut district, &CancellationToken::new())
        })
        .await;
        let (sha256, rows) = match read {
            Ok((_, sha256, rows)) => (sha256, rows),
            // The job tells of a file in the folder that can't be read; another program put one into `processed/`.
            Err(
                error @ (EngineError::RaptorFile(_) | EngineError::Io { .. } | EngineError::FileChanging(_)),
            ) => {
                tracing::warn!(code = error.code(), file = name, "a file can't be read again");
                return Ok(0);
            }
            Err(error) => return Err(error),
        };
        let taken_over = self.take_over(rereading, Source::Raptor, &name, rows, found).await?;
        if found == Found::Processed {
            let (run, names) = (rereading.run, raptor::names_before_moving(&path));
            self.ledger(move |ledger| {
                let name = names.last().unwrap_or(&name);
                ledger.mark_file_seen(Source::Raptor, name, &sha256, run, Utc::now())
            })
            .await?;
        }
        Ok(taken_over)
    }

    /// Records what PowerSchool holds as `rows` of a file say; how many records that were.
    pub(crate) async fn take_over(
        &self,
        rereading: &Rereading<'_>,
        source: Source,
        file: &str,
        rows: Vec<SourceRow>,
        found: Found,
    ) -> Result<usize, EngineError> {
        let hashes: Vec<RowHash> = rows.iter().map(|row| row_hash(source, &row.raw)).collect();
        let decided = {
            let hashes = hashes.clone();
            self.ledger(move |ledger| ledger.delivered(source, &hashes)).await?
        };
        // A row of Raptor's that is known to be decided tells nothing new; one of Hero's states what is so now.
        let is_new = |place: usize| source == Source::Hero || !decided.contains(&hashes[place]);
        let mut last: HashMap<AttendanceKey, usize> = HashMap::new();
        for (place, row) in rows.iter().enumerate() {
            if let (Ok(write), true) = (&row.wanted, is_new(place)) {
                last.insert(write.key, place);
            }
        }
        let keys: Vec<AttendanceKey> = last.keys().copied().collect();
        let held = read_back(rereading.client, rereading.roster, keys.iter()).await?;
        let (histories, open) = self
            .ledger(move |ledger| {
                let mut open: HashMap<AttendanceKey, OutboxRow> = HashMap::new();
                for source in [Source::Hero, Source::Raptor] {
                    open.extend(ledger.pending(source)?.into_iter().map(|row| (row.write.key, row)));
                }
                Ok((ledger.history(source, &keys)?, open))
            })
            .await?;

        let mut again = Again::default();
        let nothing = KeyHistory::default();
        for (place, row) in rows.into_iter().enumerate() {
            let hash = hashes[place];
            if !is_new(place) {
                continue;
            }
            let decision = |outcome| Decision {
                line: row.line,
                row_hash: hash,
                raw: row.raw.clone(),
                student_number: row.student_number,
                outcome,
            };
            match &row.wanted {
                Ok(write) if last.get(&write.key) == Some(&place) => {
                    let history = histories.get(&write.key).unwrap_or(&nothing);
                    let current = held.current(&write.key);
                    let outcome = again.last_row(write, &current, history, open.get(&write.key), found, hash);
                    again.decisions.extend(outcome.map(decision));
                }
                Err(Stop::Reject(detail)) if found == Found::Processed => {
                    again.decisions.push(decision(DecisionOutcome::Reject { detail: detail.clone() }));
                }
                // Whatever it was decided to be, it was decided for good.
                _ if found == Found::Processed => {
                    let reason = NoOpReason::AlreadyDelivered;
                    let outcome = DecisionOutcome::NoOp { key: None, code: String::new(), reason };
                    again.decisions.push(decision(outcome));
                }
                // The job decides it by the usual rules.
                _ => {}
            }
        }
        let (run, file) = (rereading.run, file.to_owned());
        let taken_over = self
            .ledger(move |ledger| {
                let Again { decisions, standing, undecided, overtaken } = &again;
                let taken_over = TakenOver { decisions, standing, undecided, overtaken };
                ledger.take_over(run, source, &file, &taken_over, Utc::now())
            })
            .await?;
        pass(CrashPoint::FileReadAgain);
        Ok(taken_over)
    }
}

impl Again {
    /// The decision about the last row that names a record, if there is one to be made here.
    fn last_row(
        &mut self,
        write: &AttendanceWrite,
        current: &Current<'_>,
        history: &KeyHistory,
        open: Option<&OutboxRow>,
        found: Found,
        hash: RowHash,
    ) -> Option<DecisionOutcome> {
        let stated = |code: &str| DecisionOutcome::NoOp {
            key: Some(write.key),
            code: code.to_owned(),
            reason: NoOpReason::AlreadyRecorded,
        };
        let stands = matches!(current.recorded, Recorded::Code(code) if code == write.code);
        if stands {
            if history.stated.as_deref() == Some(write.code.as_str()) && open.is_none() {
                return (found == Found::Processed).then(|| stated(&write.code));
            }
            match open {
                // One that is to be sent was judged just now: it comes to its end by itself. So does an undo, which this
                // record is still to be changed by.
                Some(open) if open.state == OutboxState::Decided || open.undoes.is_some() => {
                    return (found == Found::Processed).then(|| stated(&write.code));
                }
                Some(open) => self.overtaken.push(open.id),
                None => {}
            }
            self.standing.insert(hash);
            let mut write = write.clone();
            current.comment.clone_into(&mut write.comment);
            write.replaces = current.dcid;
            return Some(DecisionOutcome::Write(write));
        }
        if found == Found::Processed {
            // It was written and changed since, or never had to be.
            return open.is_none().then(|| stated(&write.code));
        }
        // What never was has no record. It is not written over again unasked, nor is a new row lost: the job holds it, and
        // a person decides.
        if matches!(current.recorded, Recorded::Blank) && open.is_none() && *history == KeyHistory::default()
        {
            self.undecided.insert(hash);
            let mut write = write.clone();
            current.comment.clone_into(&mut write.comment);
            write.replaces = current.dcid;
            return Some(DecisionOutcome::Write(write));
        }
        match (current.recorded, &history.written) {
            // What the source stated last is not known any more: what it states now may be new, so a person decides. For
            // that it counts as having stated what PowerSchool holds.
            (Recorded::Code(code), Some((_, written)))
                if open.is_none()
                    && history.stated.as_deref() == Some(write.code.as_str())
                    && written != code =>
            {
                self.undecided.insert(hash);
                Some(stated(code))
            }
            _ => None,
        }
    }
}
