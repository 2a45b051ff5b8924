//! Raptor's jobs: a roster file for each mapped building out, dropped tardy files in.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufWriter, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use rosterbridge_domain::{
    attendance::Source,
    id::SchoolNumber,
    job::{FileReceipt, Job},
    roster::EnrollStatus,
    settings::Setup,
};
use rosterbridge_raptor::{RosterFile, RosterStatus, TardyFile, building_file_name};
use rosterbridge_store::{Roster, StoreError, ledger::RunId};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::{
    attendance::{PlannedInput, SourceRow},
    choices::{BUILDINGS_FILE, REASONS_FILE},
    decide::{District, Stop},
    diagnosis::existing_folder,
    engine::{Engine, blocking},
    error::EngineError,
    exports::Measured,
    report::Cause,
};

/// Rosters go to this folder in the exchange folder.
const ROSTER: &str = "roster";
/// Decided files go to this folder in the exchange folder.
const PROCESSED: &str = "processed";

/// The name under which Raptor's rows are decided.
pub(crate) const SOURCE: Source = Source::Raptor;

/// The roster files of a run.
#[derive(Debug, Serialize)]
pub(crate) struct RosterPlan {
    pub(crate) files: Vec<FileReceipt>,
}

/// The tardy files of a run.
pub(crate) struct Dropped {
    pub(crate) inputs: Vec<PlannedInput>,
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) rows: Vec<SourceRow>,
    /// Files that can't be read as a whole. They stay where they are.
    pub(crate) refused: Vec<(String, Cause)>,
}

/// A building's file: whose students go in, and under which name.
struct BuildingFile {
    building: String,
    school: SchoolNumber,
    name: String,
}

fn building_files(setup: &Setup) -> Vec<BuildingFile> {
    setup
        .mappings
        .buildings
        .iter()
        .filter(|row| row.enabled)
        .filter_map(|row| {
            Some(BuildingFile {
                building: row.building.clone(),
                school: row.school?,
                name: format!("{ROSTER}/{}", building_file_name(&row.building)),
            })
        })
        .collect()
}

/// Why a roster file could not be written.
#[derive(Debug, thiserror::Error)]
enum RosterError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Write(#[from] rosterbridge_raptor::WriteError),
}

impl From<RosterError> for EngineError {
    fn from(error: RosterError) -> Self {
        match error {
            RosterError::Store(error) => error.into(),
            RosterError::Write(error) => {
                Self::Export { job: Job::RaptorRoster, source: io::Error::other(error) }
            }
        }
    }
}

/// Writes every building's roster in one pass over the students; gives the targets back with their row counts.
fn write_rosters<W: Write>(
    roster: &Roster,
    files: &[BuildingFile],
    targets: Vec<W>,
) -> Result<Vec<(W, u64)>, RosterError> {
    let mut open = targets.into_iter().map(RosterFile::new).collect::<Result<Vec<_>, _>>()?;
    let mut of_school: HashMap<SchoolNumber, Vec<usize>> = HashMap::new();
    for (place, file) in files.iter().enumerate() {
        of_school.entry(file.school).or_default().push(place);
    }
    roster.for_each_student(|student| -> Result<_, RosterError> {
        if student.enroll_status == EnrollStatus::ACTIVE {
            for place in of_school.get(&student.school).into_iter().flatten() {
                open[*place].write(&files[*place].building, student, RosterStatus::Active)?;
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(open.into_iter().map(RosterFile::finish).collect::<Result<Vec<_>, _>>()?)
}

impl Engine {
    /// Works out every building's roster file without writing any.
    pub(crate) async fn plan_rosters(
        &self,
        setup: &Setup,
        roster: &Arc<Roster>,
    ) -> Result<RosterPlan, EngineError> {
        let files = building_files(setup);
        if files.is_empty() {
            return Err(EngineError::NotSetUp("no Raptor building is mapped to a school yet"));
        }
        let (roster, folder) = (Arc::clone(roster), setup.raptor.folder.clone());
        let receipts = blocking(move || {
            existing_folder(&folder)?;
            let targets = files.iter().map(|_| Measured::new(io::sink())).collect();
            let written = write_rosters(&roster, &files, targets)?;
            Ok(files
                .iter()
                .zip(written)
                .map(|(file, (measured, rows))| {
                    let (bytes, sha256) = measured.finish();
                    FileReceipt { name: file.name.clone(), rows, bytes, sha256 }
                })
                .collect::<Vec<_>>())
        })
        .await?;
        self.refuse_large_changes(Job::RaptorRoster, &receipts).await?;
        Ok(RosterPlan { files: receipts })
    }

    /// Writes the planned rosters: each to a temporary file first, which then takes the name.
    pub(crate) async fn apply_rosters(
        &self,
        plan: &RosterPlan,
        setup: &Setup,
        roster: &Arc<Roster>,
        run: RunId,
    ) -> Result<(), EngineError> {
        let files = building_files(setup);
        let (roster, folder) = (Arc::clone(roster), PathBuf::from(&setup.raptor.folder));
        let planned: Vec<String> = plan.files.iter().map(|file| file.sha256.clone()).collect();
        blocking(move || {
            let target = folder.join(ROSTER);
            fs::create_dir_all(&target).map_err(|source| EngineError::io("create", &target, source))?;
            let mut parts = Vec::new();
            let mut targets = Vec::new();
            for _ in &files {
                let part = NamedTempFile::new_in(&target)
                    .map_err(|source| EngineError::io("write", &target, source))?;
                let out = part.reopen().map_err(|source| EngineError::io("write", part.path(), source))?;
                targets.push(Measured::new(BufWriter::new(out)));
                parts.push(part);
            }
            let written = write_rosters(&roster, &files, targets)?;
            for (((file, part), (measured, _)), planned) in files.iter().zip(parts).zip(written).zip(planned)
            {
                if measured.finish().1 != planned {
                    return Err(EngineError::NotAsPlanned(file.name.clone()));
                }
                let path = folder.join(&file.name);
                part.as_file().sync_all().map_err(|source| EngineError::io("write", &path, source))?;
                part.persist(&path).map_err(|error| EngineError::io("write", &path, error.error))?;
            }
            Ok(())
        })
        .await?;
        for receipt in plan.files.clone() {
            self.record_upload(run, Job::RaptorRoster, receipt).await?;
        }
        Ok(())
    }

    /// Reads every dropped tardy file and looks every row up. The files stay where they are.
    pub(crate) async fn read_tardies(
        &self,
        setup: &Setup,
        roster: &Arc<Roster>,
        zone: chrono_tz::Tz,
    ) -> Result<Dropped, EngineError> {
        let (roster, setup) = (Arc::clone(roster), setup.clone());
        blocking(move || {
            let folder = existing_folder(&setup.raptor.folder)?;
            let mut district = District::new(&roster, &setup.mappings, zone)?;
            let mut dropped =
                Dropped { inputs: Vec::new(), paths: Vec::new(), rows: Vec::new(), refused: Vec::new() };
            for path in dropped_files(folder)? {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                match read_file(&path, dropped.inputs.len(), &mut district) {
                    Ok((bytes, sha256, rows)) => {
                        dropped.inputs.push(PlannedInput {
                            name,
                            rows: 0,
                            bytes,
                            sha256,
                            decisions: Vec::new(),
                        });
                        dropped.paths.push(path);
                        dropped.rows.extend(rows);
                    }
                    // One file that is malformed, locked or still being written keeps no other from being read.
                    Err(
                        error @ (EngineError::RaptorFile(_)
                        | EngineError::Io { .. }
                        | EngineError::FileChanging(_)),
                    ) => {
                        dropped.refused.push((name, error.cause()));
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(dropped)
        })
        .await
    }
}

/// The files in the exchange folder that may hold tardies, by name.
fn dropped_files(folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let unreadable = |source| EngineError::io("read", folder, source);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        let tabular = Path::new(&name)
            .extension()
            .is_some_and(|ending| ["csv", "txt", "tsv"].iter().any(|known| ending == *known));
        let ours = name.starts_with('.') || name == BUILDINGS_FILE || name == REASONS_FILE;
        if tabular && !ours && entry.file_type().map_err(unreadable)?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Reads one file to its end: size, hash, and its rows.
fn read_file(
    path: &Path,
    input: usize,
    district: &mut District<'_>,
) -> Result<(u64, String, Vec<SourceRow>), EngineError> {
    let file = File::open(path).map_err(|source| EngineError::io("read", path, source))?;
    let mut hashed = Hashed { file, hash: Sha256::new(), bytes: 0 };
    let mut rows = Vec::new();
    for row in TardyFile::open(&mut hashed)? {
        let row = row?;
        rows.push(SourceRow {
            input,
            line: row.line,
            raw: row.raw,
            student_number: row.parsed.as_ref().ok().map(|tardy| tardy.student),
            wanted: match &row.parsed {
                Ok(tardy) => district.raptor(tardy),
                Err(error) => Err(Stop::Reject(error.to_string())),
            },
        });
    }
    // Its last row may be half a row while another program writes it.
    let now = fs::metadata(path).map_err(|source| EngineError::io("read", path, source))?;
    if now.len() != hashed.bytes {
        return Err(EngineError::FileChanging(path.to_owned()));
    }
    Ok((hashed.bytes, hex::encode(hashed.hash.finalize()), rows))
}

/// Hashes what is read.
struct Hashed {
    file: File,
    hash: Sha256,
    bytes: u64,
}

impl io::Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Moves a decided file to `processed/`, beside an earlier one of the same name if there is one. `sha256` is that of
/// the content that was decided: a file that another program has changed since goes back to be read again.
pub(crate) fn set_aside(path: &Path, sha256: &str) -> Result<(), EngineError> {
    let folder = path.parent().unwrap_or_else(|| Path::new(".")).join(PROCESSED);
    fs::create_dir_all(&folder).map_err(|source| EngineError::io("create", &folder, source))?;
    let target = free_name(&folder, path);
    fs::rename(path, &target).map_err(|source| EngineError::io("move", path, source))?;
    // Only now nobody can put another file in its place.
    if content_hash(&target)? != sha256 {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        fs::rename(&target, free_name(folder, path))
            .map_err(|source| EngineError::io("move", &target, source))?;
        return Err(EngineError::FileChanging(path.to_owned()));
    }
    Ok(())
}

/// A path in `folder` that nothing has yet: the name of `path`, with a number if need be.
fn free_name(folder: &Path, path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    let mut target = folder.join(path.file_name().unwrap_or_default());
    let mut copies = 1;
    while target.exists() {
        copies += 1;
        target = folder.join(format!("{stem} ({copies}).{ending}"));
    }
    target
}

/// SHA-256 of a file's content, lower-case hexadecimal.
fn content_hash(path: &Path) -> Result<String, EngineError> {
    let unreadable = |source| EngineError::io("read", path, source);
    let file = File::open(path).map_err(unreadable)?;
    let mut hashed = Hashed { file, hash: Sha256::new(), bytes: 0 };
    io::copy(&mut hashed, &mut io::sink()).map_err(unreadable)?;
    Ok(hex::encode(hashed.hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECIDED: &str = "Building,IdNumber,SignInTime,Reason\nNorth,1001,2026-09-30T08:12,Bus\n";

    fn dropped(content: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tardies.csv");
        fs::write(&path, content).unwrap();
        (folder, path)
    }

    fn decided() -> String {
        hex::encode(Sha256::digest(DECIDED))
    }

    #[test]
    fn a_decided_file_is_moved_and_never_over_another() {
        let (folder, path) = dropped(DECIDED);
        set_aside(&path, &decided()).unwrap();
        fs::write(&path, DECIDED).unwrap();
        set_aside(&path, &decided()).unwrap();
        assert!(!path.exists());
        for name in ["tardies.csv", "tardies (2).csv"] {
            assert_eq!(fs::read_to_string(folder.path().join(PROCESSED).join(name)).unwrap(), DECIDED);
        }
    }

    #[test]
    fn rows_appended_after_the_reading_are_not_lost() {
        let grown = format!("{DECIDED}North,1002,2026-09-30T08:15,Bus\n");
        let (folder, path) = dropped(&grown);
        assert_eq!(set_aside(&path, &decided()).unwrap_err().code(), "raptor.file_changing");
        assert_eq!(fs::read_to_string(&path).unwrap(), grown);
        assert_eq!(fs::read_dir(folder.path().join(PROCESSED)).unwrap().count(), 0);
    }
}
