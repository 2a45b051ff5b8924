//! Tardies in: the files at the exchange, read where they are in batches of bounded size.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{held::HoldReason, settings::Setup};
use rosterbridge_files::is_locked;
use rosterbridge_raptor::{FileError, Tardy, TardyFile};
use rosterbridge_sftp::Session;
use rosterbridge_store::{
    Roster,
    ledger::{HeldId, KeptRow, RowHash},
};
use tokio_util::sync::CancellationToken;

use super::{
    SOURCE,
    folder::{self, Ending, Hashed, Listing, Look, MOST_FILES},
    server::RemoteTardies,
};
use crate::{
    attendance::{PlannedInput, SourceRow, row_hash},
    decide::{District, Fixes, Stop},
    diagnosis::existing_folder,
    engine::{Engine, blocking},
    error::EngineError,
};

/// The most names of one kind that are offered for mapping. A file of rubbish must not fill a screen.
const MOST_NAMES: u32 = 500;
/// Files are decided together until they have so many rows.
const ROWS_AT_ONCE: usize = 50_000;
/// Files are decided together until their rows have so many bytes.
const BYTES_AT_ONCE: usize = 16 * 1024 * 1024;
/// Held rows that are decided together once their files are gone.
const KEPT_AT_ONCE: usize = 1_000;

/// A tardy file that is there.
pub(crate) enum AtHand {
    /// In the exchange folder.
    Dropped(PathBuf),
    /// On the exchange's server.
    Remote(RemoteTardies),
}

impl AtHand {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Dropped(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Remote(remote) => remote.name().to_owned(),
        }
    }
}

/// The tardy files at the exchange.
#[derive(Default)]
pub(crate) struct Found {
    /// Those that are still to be read, by name.
    pub(crate) waiting: VecDeque<AtHand>,
    /// Those that another program seems to be writing.
    pub(crate) changing: Vec<String>,
    /// Those whose last row that program may not have written to its end.
    pub(crate) within_a_row: Vec<String>,
    /// Those that can't be used.
    pub(crate) refused: Vec<(String, EngineError)>,
    /// Whether there are more than one run looks at.
    pub(crate) more: bool,
}

/// Tardy files that are decided together.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) inputs: Vec<PlannedInput>,
    /// The files of `inputs`.
    pub(crate) files: Vec<AtHand>,
    pub(crate) rows: Vec<SourceRow>,
    /// What those of `rows` state that may come to be held.
    pub(crate) tardies: Vec<(RowHash, Tardy)>,
    /// Bytes of their texts.
    text: usize,
    /// Files that can't be read as a whole. They stay where they are.
    pub(crate) refused: Vec<(String, EngineError)>,
    /// [`Found::within_a_row`].
    pub(crate) within_a_row: Vec<String>,
    /// Files of the server that had this content, by hash, when they were decided before.
    pub(crate) known: Vec<(RemoteTardies, String)>,
}

impl Batch {
    /// Adds a file, unless its last row may still grow.
    fn add(&mut self, file: AtHand, contents: Contents) {
        let Contents { bytes, sha256, look, rows: TardyRows { rows, tardies, ends_a_line } } = contents;
        if !ends_a_line && look.may_grow(SystemTime::now()) {
            self.within_a_row.push(file.name());
            return;
        }
        self.inputs.push(PlannedInput { name: file.name(), rows: 0, bytes, sha256, decisions: Vec::new() });
        self.files.push(file);
        self.text += rows.iter().map(|row| row.raw.len()).sum::<usize>();
        self.rows.extend(rows);
        self.tardies.extend(tardies);
    }

    /// Takes the rows of this batch out of those of which is kept what they state.
    pub(crate) fn take_out_of(&self, kept: &mut HashMap<RowHash, HeldId>) {
        if kept.is_empty() {
            return;
        }
        for row in &self.rows {
            kept.remove(&row_hash(SOURCE, &row.raw));
        }
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= ROWS_AT_ONCE || self.text >= BYTES_AT_ONCE
    }
}

/// A tardy file that was read.
pub(crate) struct Contents {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    /// What it looked like.
    pub(super) look: Look,
    pub(crate) rows: TardyRows,
}

/// The rows of a tardy file, looked up.
pub(crate) struct TardyRows {
    pub(crate) rows: Vec<SourceRow>,
    /// What those of them state that may come to be held.
    tardies: Vec<(RowHash, Tardy)>,
    /// Whether the file ends with a line end.
    ends_a_line: bool,
}

/// What the rows of a run's files are looked up in.
pub(crate) struct LookUp<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) roster: &'a Arc<Roster>,
    pub(crate) zone: chrono_tz::Tz,
    /// What people decided about rows that were held.
    pub(crate) fixes: &'a Fixes,
    pub(crate) cancel: &'a CancellationToken,
}

impl Engine {
    /// The names of buildings and of reasons that dropped files use and the set-up does not map: rows wait for them.
    pub(crate) async fn names_in_held_rows(&self) -> Result<(Vec<String>, Vec<String>), EngineError> {
        self.ledger(|ledger| {
            let waiting_for = |reason| ledger.held_details(SOURCE, reason, MOST_NAMES);
            Ok((waiting_for(HoldReason::BuildingNotMapped)?, waiting_for(HoldReason::ReasonNotMapped)?))
        })
        .await
    }

    /// Looks which tardy files there are: on the server, or in the exchange folder where there is none. Takes as long as
    /// a file has to be left alone that was changed a moment ago.
    pub(crate) async fn find_tardies(
        &self,
        setup: &Setup,
        server: Option<&Session>,
        cancel: &CancellationToken,
    ) -> Result<Found, EngineError> {
        let finding = async {
            if let Some(session) = server {
                return self.tardies_at_server(setup, session).await;
            }
            let text = setup.raptor.folder.clone();
            let listing = blocking(move || Listing::of(existing_folder(&text)?, MOST_FILES)).await?;
            let links = listing.links.into_iter().map(|path| {
                let link = AtHand::Dropped(path.clone());
                (link.name(), EngineError::FileIsLink(path))
            });
            let (whole, changing) = folder::whole_files(listing.files.into_iter().collect()).await?;
            Ok(Found {
                waiting: whole.into_iter().map(AtHand::Dropped).collect(),
                changing: changing.into_iter().map(|path| AtHand::Dropped(path).name()).collect(),
                refused: links.collect(),
                more: listing.more,
                within_a_row: Vec::new(),
            })
        };
        // It only reads, and a folder of another computer may keep it waiting.
        cancel.run_until_cancelled(finding).await.ok_or(EngineError::Cancelled)?
    }

    /// Reads the next tardy files, and looks every row up: as many as are decided together, which may be all that are
    /// waiting. The files stay where they are.
    pub(crate) async fn read_tardies(
        &self,
        waiting: &mut VecDeque<AtHand>,
        server: Option<&Session>,
        look_up: &LookUp<'_>,
    ) -> Result<Batch, EngineError> {
        let cancel = look_up.cancel;
        let reading = async {
            let batch = match server {
                Some(session) => self.read_remote(waiting, session, look_up).await?,
                None => read_dropped(waiting, look_up).await?,
            };
            pass(CrashPoint::TardiesRead);
            Ok(batch)
        };
        cancel.run_until_cancelled(reading).await.ok_or(EngineError::Cancelled)?
    }

    /// The held rows of which is kept what they state: those whose file is gone are decided all the same.
    pub(crate) async fn kept_tardies(&self) -> Result<HashMap<RowHash, HeldId>, EngineError> {
        self.ledger(|ledger| ledger.held_hashes(SOURCE, true)).await
    }

    /// Adds held rows to a batch whose file is not there any more, oldest first: as many of `kept` as are decided
    /// together. They keep the file and the line they came in.
    pub(crate) async fn add_kept(
        &self,
        batch: &mut Batch,
        kept: &mut HashMap<RowHash, HeldId>,
        look_up: &LookUp<'_>,
    ) -> Result<(), EngineError> {
        let mut ids: Vec<HeldId> = kept.values().copied().collect();
        ids.sort_unstable();
        ids.truncate(KEPT_AT_ONCE);
        let Some(last) = ids.last().copied() else { return Ok(()) };
        kept.retain(|_, id| *id > last);
        let rows = self.ledger(move |ledger| ledger.kept_rows(&ids)).await?;
        let mut files: BTreeMap<(String, String), Vec<KeptRow>> = BTreeMap::new();
        for row in rows {
            files.entry((row.file.clone(), row.sha256.clone())).or_default().push(row);
        }
        let (roster, setup) = (Arc::clone(look_up.roster), look_up.setup.clone());
        let (zone, fixes, first) = (look_up.zone, look_up.fixes.clone(), batch.inputs.len());
        let (inputs, rows, tardies) = blocking(move || {
            let mut district = District::new(&roster, &setup, zone)?.with_fixes(fixes);
            let (mut inputs, mut rows, mut tardies) = (Vec::new(), Vec::new(), Vec::new());
            for (place, ((name, sha256), kept)) in files.into_iter().enumerate() {
                inputs.push(PlannedInput { name, rows: 0, bytes: 0, sha256, decisions: Vec::new() });
                for KeptRow { row_hash, line, raw, fields, .. } in kept {
                    // What another version kept is decided by that version, or from the row's file.
                    let Ok(tardy) = serde_json::from_str(&fields) else { continue };
                    rows.push(looked_up(first + place, line, raw, &tardy, &mut district));
                    tardies.push((row_hash, tardy));
                }
            }
            Ok((inputs, rows, tardies))
        })
        .await?;
        batch.inputs.extend(inputs);
        // They came before whatever is in the folder now: of two rows of the same moment that one counts.
        batch.rows.splice(0..0, rows);
        batch.tardies.extend(tardies);
        Ok(())
    }

    /// Keeps what rows state that are held now, so that they can be decided without their file.
    pub(crate) async fn keep_tardies(&self, tardies: Vec<(RowHash, Tardy)>) -> Result<(), EngineError> {
        self.ledger(move |ledger| {
            let unkept = ledger.held_hashes(SOURCE, false)?;
            let rows: Vec<(RowHash, String)> = tardies
                .iter()
                .filter(|(row_hash, _)| unkept.contains_key(row_hash))
                .filter_map(|(row_hash, tardy)| Some((*row_hash, serde_json::to_string(tardy).ok()?)))
                .collect();
            if rows.is_empty() { Ok(()) } else { ledger.keep_fields(SOURCE, &rows) }
        })
        .await
    }

    async fn read_remote(
        &self,
        waiting: &mut VecDeque<AtHand>,
        session: &Session,
        look_up: &LookUp<'_>,
    ) -> Result<Batch, EngineError> {
        let mut batch = Batch::default();
        while !batch.is_full()
            && let Some(file) = waiting.pop_front()
        {
            let AtHand::Remote(remote) = &file else { continue };
            match self.fetch_tardies(session, remote, batch.inputs.len(), look_up).await {
                Ok(contents) => {
                    let (name, content) = (file.name(), contents.sha256.clone());
                    let seen = self.ledger(move |ledger| ledger.file_seen(SOURCE, &name, &content)).await?;
                    if seen.is_some() {
                        batch.known.push((remote.clone(), contents.sha256));
                    } else {
                        batch.add(file, contents);
                    }
                }
                Err(error) if spoils_one_file(&error) => batch.refused.push((file.name(), error)),
                Err(error) => return Err(error),
            }
        }
        Ok(batch)
    }
}

async fn read_dropped(waiting: &mut VecDeque<AtHand>, look_up: &LookUp<'_>) -> Result<Batch, EngineError> {
    let (roster, setup, stop) = (Arc::clone(look_up.roster), look_up.setup.clone(), look_up.cancel.clone());
    let (zone, fixes, mut ahead) = (look_up.zone, look_up.fixes.clone(), std::mem::take(waiting));
    let (batch, left) = blocking(move || {
        let mut district = District::new(&roster, &setup, zone)?.with_fixes(fixes);
        let mut batch = Batch::default();
        while !batch.is_full()
            && let Some(file) = ahead.pop_front()
        {
            let AtHand::Dropped(path) = &file else { continue };
            match read_file(path, batch.inputs.len(), &mut district, &stop) {
                Ok(contents) => batch.add(file, contents),
                Err(error) if spoils_one_file(&error) => batch.refused.push((file.name(), error)),
                Err(error) => return Err(error),
            }
        }
        Ok((batch, ahead))
    })
    .await?;
    *waiting = left;
    Ok(batch)
}

/// Whether what went wrong is about one file: one that is malformed, locked or still being written keeps no other from
/// being read.
fn spoils_one_file(error: &EngineError) -> bool {
    match error {
        EngineError::RaptorFile(_)
        | EngineError::Io { .. }
        | EngineError::FileChanging(_)
        | EngineError::FileIsLink(_) => true,
        EngineError::RaptorServer(error) => !error.is_transient(),
        _ => false,
    }
}

/// Reads one file to its end.
pub(crate) fn read_file(
    path: &Path,
    input: usize,
    district: &mut District<'_>,
    cancel: &CancellationToken,
) -> Result<Contents, EngineError> {
    let mut hashed = Hashed::new(folder::open(path)?);
    let rows = match read_rows(&mut hashed, input, district, cancel) {
        Err(EngineError::RaptorFile(FileError::Io(error))) if is_locked(&error) => {
            return Err(EngineError::FileChanging(path.to_owned()));
        }
        rows => rows?,
    };
    let (bytes, sha256) = hashed.finish();
    // Its last row may be half a row while another program writes it.
    let now = std::fs::metadata(path).map_err(|source| folder::unusable("read", path, source))?;
    if now.len() != bytes {
        return Err(EngineError::FileChanging(path.to_owned()));
    }
    Ok(Contents { bytes, sha256, look: Look::of(&now), rows })
}

/// Reads a file's rows and looks each up.
pub(super) fn read_rows(
    reader: impl Read,
    input: usize,
    district: &mut District<'_>,
    cancel: &CancellationToken,
) -> Result<TardyRows, EngineError> {
    let go_on = || if cancel.is_cancelled() { Err(EngineError::Cancelled) } else { Ok(()) };
    let mut ending = Ending::of(reader);
    let mut read = Vec::new();
    for row in TardyFile::open(&mut ending)? {
        go_on()?;
        read.push(row?);
    }
    // As the roster has its students: most of what is read of it for one row serves the next.
    read.sort_by_key(|row| row.parsed.as_ref().ok().map(|tardy| tardy.student));
    let (mut rows, mut tardies) = (Vec::with_capacity(read.len()), Vec::new());
    for row in read {
        go_on()?;
        match row.parsed {
            Ok(tardy) => {
                let looked_up = looked_up(input, row.line, row.raw, &tardy, district);
                if matches!(looked_up.wanted, Ok(_) | Err(Stop::Hold(..))) {
                    tardies.push((row_hash(SOURCE, &looked_up.raw), tardy));
                }
                rows.push(looked_up);
            }
            Err(error) => rows.push(SourceRow {
                input,
                line: row.line,
                raw: row.raw,
                student_number: None,
                happened: None,
                wanted: Err(Stop::Reject(error.to_string())),
            }),
        }
    }
    rows.sort_by_key(|row: &SourceRow| row.line);
    Ok(TardyRows { rows, tardies, ends_a_line: ending.is_line_end() })
}

/// Looks up what a row states.
fn looked_up(input: usize, line: u64, raw: String, tardy: &Tardy, district: &mut District<'_>) -> SourceRow {
    let fix = district.fixes.of(SOURCE, &raw).unwrap_or_default();
    SourceRow {
        input,
        line,
        raw,
        student_number: Some(tardy.student),
        happened: Some(tardy.signed_in.local(district.zone)),
        wanted: district.raptor(tardy, fix),
    }
}
