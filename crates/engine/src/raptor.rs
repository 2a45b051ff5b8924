//! Raptor's jobs: a roster file for each mapped building out, dropped tardy files in.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{
    attendance::Source,
    id::SchoolNumber,
    job::{FileReceipt, Job},
    school_year::Summer,
    settings::Setup,
};
use rosterbridge_raptor::{ROSTER_COLUMNS, RosterFile, RosterStatus, TardyFile, building_file_name};
use rosterbridge_store::{Roster, StoreError};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tempfile::TempPath;
use tokio_util::sync::CancellationToken;

use crate::{
    attendance::{PlannedInput, SourceRow},
    choices::{BUILDINGS_FILE, REASONS_FILE},
    decide::{District, Stop},
    diagnosis::existing_folder,
    engine::{Engine, blocking},
    error::EngineError,
    exports::Measured,
    guard::OutgoingFile,
    report::FileSample,
    school_year::{Sent, YearsInSight},
    tally::{Schools, Tally},
    unchanged::{self, MadeBefore, Sending},
};

/// Rosters go to this folder in the exchange folder.
const ROSTER: &str = "roster";
/// Decided files go to this folder in the exchange folder.
const PROCESSED: &str = "processed";

/// The name under which Raptor's rows are decided.
pub(crate) const SOURCE: Source = Source::Raptor;

/// The roster files of a run.
#[derive(Serialize)]
pub(crate) struct RosterPlan {
    pub(crate) files: Vec<FileReceipt>,
    /// Of each file its first rows.
    #[serde(skip)]
    pub(crate) samples: Vec<FileSample>,
    /// Of each file its rows, school by school.
    #[serde(skip)]
    schools: Vec<Schools>,
}

/// The tardy files of a run.
pub(crate) struct Dropped {
    pub(crate) inputs: Vec<PlannedInput>,
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) rows: Vec<SourceRow>,
    /// Files that can't be read as a whole. They stay where they are.
    pub(crate) refused: Vec<(String, EngineError)>,
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

/// The roster files by name, and which school each is about.
pub(crate) fn schools_of_files(setup: &Setup) -> impl Iterator<Item = (String, SchoolNumber)> {
    building_files(setup).into_iter().map(|file| (file.name, file.school))
}

/// Why a roster file could not be written.
#[derive(Debug, thiserror::Error)]
enum RosterError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Write(#[from] rosterbridge_raptor::WriteError),
    #[error("the run was cancelled")]
    Cancelled,
}

impl From<RosterError> for EngineError {
    fn from(error: RosterError) -> Self {
        match error {
            RosterError::Store(error) => error.into(),
            RosterError::Cancelled => Self::Cancelled,
            RosterError::Write(error) => {
                Self::Export { job: Job::RaptorRoster, source: io::Error::other(error) }
            }
        }
    }
}

/// What the roster files are written from.
struct Rosters<'a> {
    roster: &'a Roster,
    files: &'a [BuildingFile],
    summer: Summer,
    /// Ends the writing at the next student.
    cancel: &'a CancellationToken,
}

/// A roster file that was written.
struct WrittenRoster<W> {
    target: W,
    rows: u64,
    schools: Schools,
    first: Vec<Vec<String>>,
}

impl Rosters<'_> {
    /// Writes every building's roster in one pass over the students.
    fn write<W: Write>(&self, targets: Vec<W>) -> Result<Vec<WrittenRoster<W>>, RosterError> {
        let Self { roster, files, summer, cancel } = *self;
        let sent = Sent::of(roster, summer)?;
        let mut open = targets.into_iter().map(RosterFile::new).collect::<Result<Vec<_>, _>>()?;
        let mut tallies: Vec<Tally> = files.iter().map(|_| Tally::default()).collect();
        let mut of_school: HashMap<SchoolNumber, Vec<usize>> = HashMap::new();
        for (place, file) in files.iter().enumerate() {
            of_school.entry(file.school).or_default().push(place);
        }
        roster.for_each_student(|student| -> Result<_, RosterError> {
            if cancel.is_cancelled() {
                return Err(RosterError::Cancelled);
            }
            if sent.counts(student) {
                for place in of_school.get(&student.school).into_iter().flatten() {
                    open[*place].write(&files[*place].building, student, RosterStatus::Active)?;
                    tallies[*place].row(student.school, Some(student.number));
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        open.into_iter()
            .zip(tallies)
            .map(|(file, tally)| {
                let first = file.first().to_vec();
                let (target, rows) = file.finish()?;
                Ok(WrittenRoster { target, rows, schools: tally.finish(), first })
            })
            .collect()
    }
}

impl Engine {
    /// Works out every building's roster file without writing any.
    pub(crate) async fn plan_rosters(
        &self,
        setup: &Setup,
        roster: &Arc<Roster>,
        years: &YearsInSight,
        cancel: &CancellationToken,
    ) -> Result<RosterPlan, EngineError> {
        let files = building_files(setup);
        if files.is_empty() {
            return Err(EngineError::NotSetUp("no Raptor building is mapped to a school yet"));
        }
        let (roster, folder, summer) = (Arc::clone(roster), setup.raptor.folder.clone(), setup.summer);
        let stop = cancel.clone();
        let planning = blocking(move || {
            existing_folder(&folder)?;
            let targets = files.iter().map(|_| Measured::new(io::sink())).collect();
            let rosters = Rosters { roster: &roster, files: &files, summer, cancel: &stop };
            let mut plan = RosterPlan { files: Vec::new(), samples: Vec::new(), schools: Vec::new() };
            for (file, written) in files.iter().zip(rosters.write(targets)?) {
                let (bytes, sha256) = written.target.finish();
                plan.files.push(FileReceipt { name: file.name.clone(), rows: written.rows, bytes, sha256 });
                plan.samples.push(FileSample::new(&file.name, &ROSTER_COLUMNS, written.first));
                plan.schools.push(written.schools);
            }
            Ok(plan)
        });
        // It only reads: where it is, it may come to its own end.
        let plan = cancel.run_until_cancelled(planning).await.ok_or(EngineError::Cancelled)??;
        self.pass_rosters(plan, years).await
    }

    /// Plans rosters that are made from the same as the last ones.
    pub(crate) async fn plan_made_rosters(
        &self,
        setup: &Setup,
        (made, schools): MadeBefore,
        years: &YearsInSight,
        cancel: &CancellationToken,
    ) -> Result<RosterPlan, EngineError> {
        let folder = setup.raptor.folder.clone();
        let looking = blocking(move || existing_folder(&folder).map(|_| ()));
        // It only reads, and a folder of another computer may keep it waiting.
        cancel.run_until_cancelled(looking).await.ok_or(EngineError::Cancelled)??;
        self.pass_rosters(RosterPlan { files: made.files, samples: Vec::new(), schools }, years).await
    }

    async fn pass_rosters(&self, plan: RosterPlan, years: &YearsInSight) -> Result<RosterPlan, EngineError> {
        let outgoing: Vec<OutgoingFile<'_>> = plan
            .files
            .iter()
            .zip(&plan.schools)
            .map(|(receipt, schools)| OutgoingFile { receipt, schools })
            .collect();
        self.refuse_large_changes(Job::RaptorRoster, &outgoing, years).await?;
        Ok(plan)
    }

    /// Writes the planned rosters: all to temporary files first, which then take the names. Cancelled, it leaves the
    /// former ones. Where all are there as they were written earlier in the day, none is written; the answer is when they
    /// were.
    pub(crate) async fn apply_rosters(
        &self,
        plan: &RosterPlan,
        sending: Sending<'_>,
    ) -> Result<Option<DateTime<Utc>>, EngineError> {
        let Sending { setup, roster, run, now, zone, cancel } = sending;
        let files = building_files(setup);
        let made_from = unchanged::made_from(Job::RaptorRoster, roster, setup);
        let (roster, folder) = (Arc::clone(roster), PathBuf::from(&setup.raptor.folder));
        let (summer, stop) = (setup.summer, cancel.clone());
        let target = folder.join(ROSTER);
        let clearing = blocking(move || {
            fs::create_dir_all(&target).map_err(|source| EngineError::io("create", &target, source))?;
            remove_parts(&target)
        });
        // Where it is, it may come to its own end: the next run would do the same first.
        cancel.run_until_cancelled(clearing).await.ok_or(EngineError::Cancelled)??;
        if let Some(sent_at) = self.all_sent_today(Job::RaptorRoster, &plan.files, now, zone).await? {
            let looking = self.still_in_folder(&plan.files, &folder, cancel);
            if cancel.run_until_cancelled(looking).await.ok_or(EngineError::Cancelled)?? {
                for file in &plan.files {
                    // What was stopped in between is not what is there, nor what is planned.
                    self.forget_stop(Job::RaptorRoster, &file.name).await?;
                }
                self.remember_made(Job::RaptorRoster, made_from, plan.files.clone(), Vec::new()).await?;
                return Ok(Some(sent_at));
            }
        }
        let planned: Vec<String> = plan.files.iter().map(|file| file.sha256.clone()).collect();
        blocking(move || {
            let mut parts = Vec::new();
            let mut targets = Vec::new();
            for file in &files {
                let part = Part::create(&folder.join(&file.name))?;
                let out = part.file.try_clone();
                let out = out.map_err(|source| EngineError::io("write", part.path.as_ref(), source))?;
                targets.push(Measured::new(out));
                parts.push(part);
            }
            let rosters = Rosters { roster: &roster, files: &files, summer, cancel: &stop };
            let written = rosters.write(targets)?;
            for (((file, part), written), planned) in files.iter().zip(&parts).zip(written).zip(planned) {
                if stop.is_cancelled() {
                    return Err(EngineError::Cancelled);
                }
                if written.target.finish().1 != planned {
                    return Err(EngineError::NotAsPlanned(file.name.clone()));
                }
                part.file.sync_all().map_err(|source| EngineError::io("write", &part.path, source))?;
                pass(CrashPoint::RosterFileWritten);
            }
            if stop.is_cancelled() {
                return Err(EngineError::Cancelled);
            }
            for (file, part) in files.iter().zip(parts) {
                let path = folder.join(&file.name);
                part.path.persist(&path).map_err(|error| EngineError::io("write", &path, error.error))?;
                pass(CrashPoint::RosterFileNamed);
            }
            Ok(())
        })
        .await?;
        pass(CrashPoint::RosterFilesUnrecorded);
        for (receipt, schools) in plan.files.iter().zip(&plan.schools) {
            self.record_upload(run, Job::RaptorRoster, receipt.clone(), schools.clone()).await?;
        }
        self.remember_made(Job::RaptorRoster, made_from, plan.files.clone(), Vec::new()).await?;
        Ok(None)
    }

    /// Reads every dropped tardy file and looks every row up. The files stay where they are.
    pub(crate) async fn read_tardies(
        &self,
        setup: &Setup,
        roster: &Arc<Roster>,
        zone: chrono_tz::Tz,
        cancel: &CancellationToken,
    ) -> Result<Dropped, EngineError> {
        let (roster, setup, stop) = (Arc::clone(roster), setup.clone(), cancel.clone());
        let reading = blocking(move || {
            let folder = existing_folder(&setup.raptor.folder)?;
            let mut district = District::new(&roster, &setup, zone)?;
            let mut dropped =
                Dropped { inputs: Vec::new(), paths: Vec::new(), rows: Vec::new(), refused: Vec::new() };
            for path in dropped_files(folder)? {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                match read_file(&path, dropped.inputs.len(), &mut district, &stop) {
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
                        dropped.refused.push((name, error));
                    }
                    Err(error) => return Err(error),
                }
            }
            pass(CrashPoint::TardiesRead);
            Ok(dropped)
        });
        // It only reads, and a folder of another computer may keep it waiting.
        cancel.run_until_cancelled(reading).await.ok_or(EngineError::Cancelled)?
    }
}

/// A roster file on its way, beside the one it replaces. It is removed unless it gets that one's name.
struct Part {
    file: File,
    path: TempPath,
}

/// Where the name of a [`Part`] ends.
const PART: &str = ".rosterbridge-part";

impl Part {
    /// Starts the next content of a file, readable by its owner only. Its name is foreseeable, so that what a crash
    /// leaves is found again: it holds students.
    fn create(target: &Path) -> Result<Self, EngineError> {
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let path = target.with_file_name(format!(".{name}{PART}"));
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = options.open(&path).map_err(|source| EngineError::io("write", &path, source))?;
        let path =
            TempPath::try_from_path(&path).map_err(|source| EngineError::io("write", &path, source))?;
        Ok(Self { file, path })
    }
}

/// Removes what a run that was ended left of its roster files.
fn remove_parts(folder: &Path) -> Result<(), EngineError> {
    let unreadable = |source| EngineError::io("read", folder, source);
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(PART)) {
            fs::remove_file(&path).map_err(|source| EngineError::io("remove", &path, source))?;
        }
    }
    Ok(())
}

/// The files in the exchange folder that may hold tardies, by name.
pub(crate) fn dropped_files(folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
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
pub(crate) fn read_file(
    path: &Path,
    input: usize,
    district: &mut District<'_>,
    cancel: &CancellationToken,
) -> Result<(u64, String, Vec<SourceRow>), EngineError> {
    let file = File::open(path).map_err(|source| EngineError::io("read", path, source))?;
    let mut hashed = Hashed { file, hash: Sha256::new(), bytes: 0 };
    let mut rows = Vec::new();
    for row in TardyFile::open(&mut hashed)? {
        if cancel.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
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
    pass(CrashPoint::TardiesDecided);
    fs::rename(path, &target).map_err(|source| EngineError::io("move", path, source))?;
    pass(CrashPoint::TardiesMoved);
    // Only now nobody can put another file in its place.
    if content_hash(&target)? != sha256 {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        fs::rename(&target, free_name(folder, path))
            .map_err(|source| EngineError::io("move", &target, source))?;
        return Err(EngineError::FileChanging(path.to_owned()));
    }
    Ok(())
}

/// What is in `processed/` of the exchange folder, with the time each file was changed last, oldest first; nothing if
/// there is no such folder.
pub(crate) fn processed_files(folder: &Path) -> Result<Vec<(PathBuf, DateTime<Utc>)>, EngineError> {
    // A folder that is away for now says nothing about what is in it.
    if !folder.as_os_str().is_empty() && !folder.is_dir() {
        let why = "it is not there".to_owned();
        return Err(EngineError::Folder { path: folder.to_owned(), why });
    }
    let folder = folder.join(PROCESSED);
    let unreadable = |source| EngineError::io("read", &folder, source);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for path in dropped_files(&folder)? {
        let changed = fs::metadata(&path).and_then(|file| file.modified()).map_err(unreadable)?;
        files.push((path, changed.into()));
    }
    files.sort_by_key(|(_, changed)| *changed);
    Ok(files)
}

/// The names a file in `processed/` may have had before it was moved there: its own, and that without a number.
pub(crate) fn names_before_moving(path: &Path) -> Vec<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let numbered = stem.strip_suffix(')').and_then(|stem| stem.rsplit_once(" ("));
    let without = numbered
        .filter(|(_, number)| number.parse::<u32>().is_ok())
        .map(|(stem, _)| format!("{stem}.{}", path.extension().unwrap_or_default().to_string_lossy()));
    std::iter::once(name).chain(without).collect()
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
pub(crate) fn content_hash(path: &Path) -> Result<String, EngineError> {
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
    fn a_moved_file_is_known_by_the_name_it_had() {
        let names = |path: &str| names_before_moving(Path::new(path));
        assert_eq!(names("processed/tardies.csv"), ["tardies.csv"]);
        assert_eq!(names("processed/tardies (2).csv"), ["tardies (2).csv", "tardies.csv"]);
        assert_eq!(names("processed/tardies (late).csv"), ["tardies (late).csv"]);
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
