//! What a restored ledger does not know: what was exchanged after its backup was made.
//!
//! Before a source's rows are decided again, everything it stated that is still at hand is read once more: Hero's export,
//! Raptor's files in the exchange folder, and those moved to `processed/` since. PowerSchool is read back for every record
//! they name. What PowerSchool holds as they say was written by us, and is recorded so. What it holds otherwise may be a
//! correction of what we wrote: such a row is held until a person asks for it. After that the usual rules apply.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use chrono::Utc;
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{
    attendance::{AttendanceKey, AttendanceWrite, NoOpReason, Recorded, Source},
    job::JobId,
    settings::{Owner, Setup},
};
use rosterbridge_powerschool::Client;
use rosterbridge_raptor::FileError;
use rosterbridge_sftp::Session;
use rosterbridge_store::{
    Ledger, Roster,
    ledger::{
        Decision, DecisionOutcome, InputFile, KeyHistory, OutboxId, OutboxRow, OutboxState, RowHash, RunId,
        TakenOver,
    },
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{
    attendance::{Current, SourceRow, Stated, read_back, row_hash, still_expected},
    decide::{District, Stop},
    diagnosis::existing_folder,
    engine::{Engine, blocking},
    error::EngineError,
    raptor::{self, LookUp},
};

/// The ledger's value that holds which sources were read again.
const READ_AGAIN: &str = "care.read_again";

/// Which sources were read again since the ledger was restored.
#[derive(Debug, Default, Serialize, Deserialize)]
struct ReadAgain {
    /// Which restoration this is about: its moment.
    of: String,
    sources: Vec<Source>,
    /// The imports from Hero that were, one for each account, until the source was as a whole.
    #[serde(default)]
    imports: Vec<JobId>,
    /// The jobs that were left out when the restoration ended: not this program's, or never in use as far as the ledger
    /// knows. What they take in is read again before they do anything.
    #[serde(default)]
    left: Vec<JobId>,
}

impl ReadAgain {
    /// The sources that are still to be read.
    fn unread_sources(&self, is_open: bool) -> Vec<Source> {
        let is_unread = |source: &Source| {
            if is_open {
                !self.sources.contains(source)
            } else {
                self.left.iter().any(|job| source_of(*job) == *source)
            }
        };
        [Source::Hero, Source::Raptor].into_iter().filter(is_unread).collect()
    }

    fn is_unread(&self, is_open: bool, import: JobId) -> bool {
        if is_open {
            !self.sources.contains(&Source::Hero) && !self.imports.contains(&import)
        } else {
            self.left.contains(&import)
        }
    }
}

/// The source a job takes in.
fn source_of(job: JobId) -> Source {
    if job == JobId::RAPTOR_TARDIES { Source::Raptor } else { Source::Hero }
}

/// What reading again needs.
pub(crate) struct Rereading<'a> {
    pub(crate) run: RunId,
    pub(crate) client: &'a Client,
    pub(crate) setup: &'a Setup,
    pub(crate) roster: &'a Arc<Roster>,
    pub(crate) zone: chrono_tz::Tz,
    /// Raptor's server, where its files are there and not in a folder.
    pub(crate) server: Option<&'a Session>,
}

impl Rereading<'_> {
    /// A file that is read again now.
    pub(crate) fn file<'f>(&self, name: &'f str, sha256: &'f str) -> InputFile<'f> {
        InputFile { name, sha256, day: Utc::now().with_timezone(&self.zone).date_naive() }
    }
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
    /// Rows among the decisions that were decided for good, and something else stands in PowerSchool now.
    changed: HashSet<RowHash>,
    /// Rows among the decisions that the job is to decide, knowing what was found out about their record here.
    undecided: HashSet<RowHash>,
    /// Writes under way about records that stand as a later row says.
    overtaken: Vec<OutboxId>,
}

impl Engine {
    /// The sources of which something is still to be read again after the ledger was restored.
    pub(crate) async fn unread_sources(&self) -> Result<Vec<Source>, EngineError> {
        let (known, is_open) = self.read_again().await?;
        Ok(known.unread_sources(is_open))
    }

    /// Whether a run of a job first reads something again.
    pub(crate) async fn reads_again_first(&self, job: JobId) -> Result<bool, EngineError> {
        let (known, is_open) = self.read_again().await?;
        Ok(if is_open { !known.unread_sources(is_open).is_empty() } else { known.left.contains(&job) })
    }

    /// What was read again, and whether the restoration is open.
    async fn read_again(&self) -> Result<(ReadAgain, bool), EngineError> {
        let (restoration, text) =
            self.ledger(|ledger| Ok((ledger.restoration()?, ledger.value(READ_AGAIN)?))).await?;
        let known: Option<ReadAgain> = text.and_then(|text| serde_json::from_str(&text).ok());
        let Some(restoration) = restoration else { return Ok((known.unwrap_or_default(), false)) };
        let of = restoration.at.to_rfc3339();
        let known = known.filter(|known| known.of == of);
        Ok((known.unwrap_or_else(|| ReadAgain { of, ..ReadAgain::default() }), true))
    }

    async fn keep_read_again(&self, known: &ReadAgain) -> Result<(), EngineError> {
        let text = serde_json::to_string(known).unwrap_or_default();
        self.ledger(move |ledger| ledger.set_value(READ_AGAIN, &text)).await
    }

    /// The imports from Hero among these whose export is still to be read again after the ledger was restored.
    pub(crate) async fn unread_imports(&self, imports: &[JobId]) -> Result<Vec<JobId>, EngineError> {
        let (known, is_open) = self.read_again().await?;
        Ok(imports.iter().copied().filter(|import| known.is_unread(is_open, *import)).collect())
    }

    /// Notes that the export of an import from Hero was read again.
    pub(crate) async fn import_read_again(&self, import: JobId) -> Result<(), EngineError> {
        let (mut known, is_open) = self.read_again().await?;
        if is_open {
            known.imports.push(import);
        } else {
            known.left.retain(|left| *left != import);
        }
        self.keep_read_again(&known).await
    }

    /// Notes that a source was read again; with the last one the restored ledger is complete.
    pub(crate) async fn source_read_again(&self, source: Source) -> Result<(), EngineError> {
        pass(CrashPoint::SourceReadAgain);
        let (mut known, is_open) = self.read_again().await?;
        if is_open {
            known.sources.push(source);
        } else {
            known.left.retain(|left| source_of(*left) != source);
        }
        self.keep_read_again(&known).await?;
        pass(CrashPoint::SourceNoted);
        self.complete_restoration().await
    }

    /// Ends the restoration where every source was read again, also where a run ended before it came to that.
    pub(crate) async fn complete_restoration(&self) -> Result<(), EngineError> {
        let (known, is_open) = self.read_again().await?;
        if is_open && known.unread_sources(is_open).is_empty() {
            self.ledger(Ledger::restoration_completed).await?;
            pass(CrashPoint::RestorationCompleted);
            tracing::info!("what happened since the ledger's backup is in it again");
        }
        Ok(())
    }

    /// Ends the restoration where nobody can be expected to read what is left: it is that of jobs that are PowerSchool's, or
    /// that are switched off and never ran as far as the ledger knows. `imports` are those of all accounts at Hero.
    pub(crate) async fn leave_the_unused(&self, setup: &Setup, imports: &[JobId]) -> Result<(), EngineError> {
        let (mut known, is_open) = self.read_again().await?;
        if !is_open {
            return Ok(());
        }
        let unread = known.unread_sources(is_open);
        let tardies = Some(JobId::RAPTOR_TARDIES).filter(|_| unread.contains(&Source::Raptor));
        let imports = imports.iter().copied().filter(|import| known.is_unread(is_open, *import));
        let left: Vec<JobId> = imports.chain(tardies).collect();
        for &job in &left {
            let is_ours = setup.owner(job) == Owner::RosterBridge;
            let is_used = setup.job_enabled(job)
                || self.ledger(move |ledger| ledger.last_job_run(job)).await?.is_some();
            if is_ours && is_used {
                return Ok(());
            }
        }
        tracing::info!(?left, "the restoration ends without what nobody reads");
        known.left = left;
        self.keep_read_again(&known).await?;
        self.ledger(Ledger::restoration_completed).await?;
        pass(CrashPoint::RestorationCompleted);
        Ok(())
    }

    /// Waits until nothing can arrive any more that was sent before the ledger was restored: the restored ledger does not
    /// know of it, and PowerSchool does not show it yet.
    pub(crate) async fn wait_for_what_left_before(
        &self,
        answer_time: Duration,
        cancel: &CancellationToken,
    ) -> Result<(), EngineError> {
        let Some(restoration) = self.ledger(Ledger::restoration).await? else { return Ok(()) };
        tokio::select! {
            () = tokio::time::sleep(still_expected(restoration.at, Utc::now(), answer_time)) => Ok(()),
            () = cancel.cancelled() => Err(EngineError::Cancelled),
        }
    }

    /// Reads Raptor's files again, those that were decided first; how many records were found as they say.
    pub(crate) async fn reread_raptor(&self, rereading: &Rereading<'_>) -> Result<usize, EngineError> {
        self.doubt_kept_rows().await?;
        if let Some(session) = rereading.server {
            return self.reread_server(rereading, session).await;
        }
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

    /// Marks held rows that can be decided without their file: where that is gone nothing here comes to them.
    async fn doubt_kept_rows(&self) -> Result<(), EngineError> {
        let kept: Vec<RowHash> = self.kept_tardies().await?.into_keys().collect();
        self.ledger(move |ledger| ledger.doubt(Source::Raptor, &kept, Utc::now())).await
    }

    /// Reads the files of Raptor's server again that the ledger does not know to be decided.
    async fn reread_server(
        &self,
        rereading: &Rereading<'_>,
        session: &Session,
    ) -> Result<usize, EngineError> {
        let cancel = CancellationToken::new();
        let Rereading { setup, roster, zone, .. } = *rereading;
        let fixes = &self.fixes(Source::Raptor).await?;
        let look_up = LookUp { setup, roster, zone, fixes, cancel: &cancel };
        let mut found = self.find_tardies(setup, Some(session), &cancel).await?;
        let mut unread = found.changing.first().map(|name| EngineError::FileChanging(name.into()));
        let mut taken_over = 0;
        while !found.waiting.is_empty() {
            let batch = self.read_tardies(&mut found.waiting, Some(session), &look_up).await?;
            let growing = batch.within_a_row.first().map(|name| EngineError::FileChanging(name.into()));
            unread = unread.or(growing).or(batch
                .refused
                .into_iter()
                .map(|(_, error)| error)
                .find(|error| !is_no_tardy_file(error)));
            let mut rows = batch.rows.into_iter().peekable();
            for (place, input) in batch.inputs.iter().enumerate() {
                let of_file = std::iter::from_fn(|| rows.next_if(|row| row.input == place)).collect();
                taken_over += self
                    .take_over(
                        rereading,
                        Source::Raptor,
                        rereading.file(&input.name, &input.sha256),
                        of_file,
                        Found::Waiting,
                    )
                    .await?;
            }
        }
        unread.map_or(Ok(taken_over), Err)
    }

    async fn reread_file(
        &self,
        rereading: &Rereading<'_>,
        path: PathBuf,
        found: Found,
    ) -> Result<usize, EngineError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (roster, setup) = (Arc::clone(rereading.roster), rereading.setup.clone());
        let (zone, file, fixes) = (rereading.zone, path.clone(), self.fixes(Source::Raptor).await?);
        let read = blocking(move || {
            let mut district = District::new(&roster, &setup, zone)?.with_fixes(fixes);
            raptor::read_file(&file, 0, &mut district, &CancellationToken::new())
        })
        .await;
        let (sha256, rows) = match read {
            Ok(contents) => (contents.sha256, contents.rows.rows),
            // The job tells of one in the folder; another program put one into `processed/`.
            Err(error) if is_no_tardy_file(&error) => {
                tracing::warn!(code = error.code(), file = name, "a file holds no tardies");
                return Ok(0);
            }
            Err(error) => return Err(error),
        };
        let file = rereading.file(&name, &sha256);
        let taken_over = self.take_over(rereading, Source::Raptor, file, rows, found).await?;
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
        file: InputFile<'_>,
        rows: Vec<SourceRow>,
        found: Found,
    ) -> Result<usize, EngineError> {
        // Nobody reads a file in `processed/` once more.
        let all_rows = if found == Found::Processed { rows.len() as u64 } else { 0 };
        let hashes: Vec<RowHash> = rows.iter().map(|row| row_hash(source, &row.raw)).collect();
        let decided = {
            let hashes = hashes.clone();
            self.ledger(move |ledger| ledger.delivered(source, &hashes)).await?
        };
        // A row of Raptor's that is known to be decided tells nothing new; one of Hero's states what is so now.
        let is_new = |place: usize| source == Source::Hero || !decided.contains(&hashes[place]);
        let Stated { mut last, histories } = self.stated(source, &rows, &hashes, is_new).await?;
        // Rows that may have been written and are about no one knows what: the set-up may be an older one, too.
        let unknown = |place: usize| is_new(place) && matches!(rows[place].wanted, Err(Stop::Hold(..)));
        let in_doubt: Vec<RowHash> = match found {
            Found::Waiting => {
                // It may have waited, or have corrected what was stated last: nobody knows which came first.
                let earlier: HashSet<usize> = last
                    .extract_if(|key, place| {
                        let history = histories.get(key);
                        history.and_then(|history| history.compare(rows[*place].happened))
                            == Some(Ordering::Less)
                    })
                    .map(|(_, place)| place)
                    .collect();
                (0..rows.len())
                    .filter(|place| earlier.contains(place) || unknown(*place))
                    .map(|place| hashes[place])
                    .collect()
            }
            // It was decided when its file was moved.
            Found::Processed => Vec::new(),
        };
        let held = read_back(rereading.client, rereading.roster, last.keys()).await?;
        let open = self
            .ledger(move |ledger| {
                let mut open: HashMap<AttendanceKey, OutboxRow> = HashMap::new();
                for source in [Source::Hero, Source::Raptor] {
                    open.extend(ledger.pending(source)?.into_iter().map(|row| (row.write.key, row)));
                }
                ledger.doubt(source, &in_doubt, Utc::now())?;
                Ok(open)
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
                happened: row.happened,
                outcome,
            };
            match row.wanted {
                Ok(write) if last.get(&write.key) == Some(&place) => {
                    let known = Known {
                        source,
                        current: held.current(&write.key),
                        history: histories.get(&write.key).unwrap_or(&nothing),
                        open: open.get(&write.key),
                        found,
                    };
                    let outcome = again.last_row(&write, &known, hash);
                    again.decisions.extend(outcome.map(decision));
                }
                // Nobody knows what it states.
                Err(Stop::Store(error)) => return Err(error.into()),
                Err(Stop::Reject(detail)) if found == Found::Processed => {
                    again.decisions.push(decision(DecisionOutcome::Reject { detail }));
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
        let (run, day) = (rereading.run, file.day);
        let (name, sha256) = (file.name.to_owned(), file.sha256.to_owned());
        let taken_over = self
            .ledger(move |ledger| {
                let Again { decisions, standing, changed, undecided, overtaken } = &again;
                let taken_over =
                    TakenOver { rows: all_rows, decisions, standing, changed, undecided, overtaken };
                let file = InputFile { name: &name, sha256: &sha256, day };
                ledger.take_over(run, source, &file, &taken_over, Utc::now())
            })
            .await?;
        pass(CrashPoint::FileReadAgain);
        Ok(taken_over)
    }
}

/// What is known of a record that a row names.
struct Known<'a> {
    /// Whose row it is.
    source: Source,
    /// What PowerSchool holds.
    current: Current<'a>,
    /// What the restored ledger knows to have been stated and written.
    history: &'a KeyHistory,
    /// A write of it that is under way, of either source.
    open: Option<&'a OutboxRow>,
    /// Where the row was found.
    found: Found,
}

impl Again {
    /// The decision about the last row that names a record, if there is one to be made here.
    fn last_row(
        &mut self,
        write: &AttendanceWrite,
        known: &Known<'_>,
        hash: RowHash,
    ) -> Option<DecisionOutcome> {
        let Known { source, ref current, history, open, found } = *known;
        let stated = |code: &str| DecisionOutcome::NoOp {
            key: Some(write.key),
            code: code.to_owned(),
            reason: NoOpReason::AlreadyRecorded,
        };
        let as_found = || {
            let mut write = write.clone();
            current.comment.clone_into(&mut write.comment);
            write.replaces = current.dcid;
            Some(DecisionOutcome::Write(write))
        };
        let stated_before = history.stated.as_deref() == Some(write.code.as_str());
        if matches!(current.recorded, Recorded::Code(code) if code == write.code) {
            let settled_otherwise = match open {
                // One of the other source may never have been sent, whatever stands. One that is to be sent was judged
                // just now. Both come to their end by themselves, and so does an undo, which this record is still to be
                // changed by.
                Some(open) => {
                    open.source != source || open.state == OutboxState::Decided || open.undoes.is_some()
                }
                None => stated_before,
            };
            if settled_otherwise {
                return (found == Found::Processed).then(|| stated(&write.code));
            }
            self.overtaken.extend(open.map(|open| open.id));
            self.standing.insert(hash);
            return as_found();
        }
        if found == Found::Processed {
            // It was written and changed since, or never had to be: for all that is known, what stands is a correction.
            return match open {
                None => {
                    self.changed.insert(hash);
                    as_found()
                }
                Some(open) => (open.source != source).then(|| stated(&write.code)),
            };
        }
        if open.is_some() {
            return None;
        }
        match (current.recorded, &history.written) {
            // What never was has no record. It is not written over again unasked, nor is a new row lost: the job holds it,
            // and a person decides. So also where another code stands that is not known to be ours: nothing would keep it
            // from being written over what may be a correction, so it counts as ours.
            (Recorded::Blank, None) if !stated_before => {
                self.undecided.insert(hash);
                as_found()
            }
            (Recorded::Code(_), None) => {
                self.undecided.insert(hash);
                as_found()
            }
            // What the source stated last is not known any more: what it states now may be new, so a person decides. For
            // that it counts as having stated what PowerSchool holds.
            (Recorded::Code(code), Some((_, written))) if stated_before && written != code => {
                self.undecided.insert(hash);
                Some(stated(code))
            }
            // Our own code stands, and a sign-in states another one. It may be new, or it was written since and somebody
            // went back to ours. What Hero's export states is so now, whatever was written, and is written over ours.
            (Recorded::Code(code), Some((by, written)))
                if source == Source::Raptor && *by == source && written == code && !stated_before =>
            {
                self.undecided.insert(hash);
                as_found()
            }
            _ => None,
        }
    }
}

/// Whether a file holds no tardies, whoever reads it. Any other one that can't be read may hold some that were written
/// since the backup.
fn is_no_tardy_file(error: &EngineError) -> bool {
    match error {
        EngineError::RaptorFile(error) => !matches!(error, FileError::Io(_)),
        EngineError::FileIsLink(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use rosterbridge_store::StoreError;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::malformed(FileError::Empty.into(), true)]
    #[case::a_link(EngineError::FileIsLink("link.csv".into()), true)]
    #[case::half_read(FileError::Io(io::ErrorKind::TimedOut.into()).into(), false)]
    #[case::locked(EngineError::FileChanging("open.csv".into()), false)]
    #[case::not_allowed(EngineError::io("read", "own.csv".as_ref(), io::ErrorKind::PermissionDenied.into()), false)]
    #[case::damaged_roster(EngineError::Store(StoreError::Busy), false)]
    fn only_what_holds_no_tardies_counts_as_read(#[case] error: EngineError, #[case] is_none: bool) {
        assert_eq!(is_no_tardy_file(&error), is_none);
    }
}
