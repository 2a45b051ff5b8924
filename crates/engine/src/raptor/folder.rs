//! The exchange folder: which of its files are tardy files, whether they are whole, and where they go when they are
//! decided. Nothing is read from, or moved to, where a link points.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File, Metadata},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_files::{Identity, is_locked};
use rosterbridge_raptor::{FileError, LARGEST_TARDY_FILE};
use sha2::{Digest, Sha256};

use super::{NOT_IN_USE, ROSTER};
use crate::{
    choices::{BUILDINGS_FILE, REASONS_FILE},
    engine::blocking,
    error::EngineError,
};

/// Decided files go to this folder in the exchange folder.
const PROCESSED: &str = "processed";
/// The most files that are looked at in one run: the first ones by name.
pub(super) const MOST_FILES: usize = 10_000;
/// How long nothing may have changed a file that counts as whole.
pub(super) const QUIET: Duration = Duration::from_secs(2);
/// The same of a file that does not end with a line end: a slow program may be about to write the rest of its last row.
const QUIET_WITHIN_A_LINE: Duration = Duration::from_mins(1);

/// What is in the exchange folder under the names of tardy files.
#[derive(Default)]
pub(super) struct Listing {
    /// By name.
    pub(super) files: BTreeSet<PathBuf>,
    /// Links to somewhere else.
    pub(super) links: BTreeSet<PathBuf>,
    /// Whether there are more than were to be listed.
    pub(super) more: bool,
}

impl Listing {
    /// Lists at most `most` files.
    pub(super) fn of(folder: &Path, most: usize) -> Result<Self, EngineError> {
        let unreadable = |source| EngineError::io("read", folder, source);
        let mut listing = Self::default();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if !is_tardy_file(&entry.file_name().to_string_lossy()) {
                continue;
            }
            let kind = entry.file_type().map_err(unreadable)?;
            let listed = if kind.is_symlink() {
                &mut listing.links
            } else if kind.is_file() {
                &mut listing.files
            } else {
                continue;
            };
            listed.insert(entry.path());
            if listed.len() > most {
                listed.pop_last();
                listing.more = true;
            }
        }
        Ok(listing)
    }
}

/// Whether a file of this name in the exchange folder may hold tardies.
pub(super) fn is_tardy_file(name: &str) -> bool {
    let name = name.to_lowercase();
    let tabular = Path::new(&name)
        .extension()
        .is_some_and(|ending| ["csv", "txt", "tsv"].iter().any(|known| ending == *known));
    tabular && !name.starts_with('.') && name != BUILDINGS_FILE && name != REASONS_FILE
}

/// The files in the exchange folder that may hold tardies, by name.
pub(crate) fn dropped_files(folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
    Ok(Listing::of(folder, MOST_FILES)?.files.into_iter().collect())
}

/// What changes when another program writes a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) bytes: u64,
    pub(super) changed: Option<SystemTime>,
}

impl Look {
    pub(super) fn of(file: &Metadata) -> Self {
        Self { bytes: file.len(), changed: file.modified().ok() }
    }

    /// How much longer nothing may change the file until it counts as whole. A clock of another computer may go ahead
    /// of this one's.
    pub(super) fn waits(self, now: SystemTime) -> Duration {
        let quiet = self.changed.and_then(|changed| now.duration_since(changed).ok()).unwrap_or_default();
        QUIET.saturating_sub(quiet)
    }

    /// Whether the last row of a file that does not end with a line end may still grow. By a clock that is further away
    /// than a minute nothing can be told: two looks have to do.
    pub(super) fn may_grow(self, now: SystemTime) -> bool {
        self.changed.is_some_and(|changed| {
            let apart = now.duration_since(changed).unwrap_or_else(|ahead| ahead.duration());
            apart < QUIET_WITHIN_A_LINE
        })
    }
}

/// Parts files that are whole from those that another program is writing: they changed a moment ago, and again since.
pub(super) async fn whole_files(files: Vec<PathBuf>) -> Result<(Vec<PathBuf>, Vec<PathBuf>), EngineError> {
    let (mut whole, recent) = blocking(move || Ok(quiet_files(files, SystemTime::now()))).await?;
    let now = SystemTime::now();
    let Some(longest) = recent.iter().map(|(_, look)| look.waits(now)).max() else {
        return Ok((whole, Vec::new()));
    };
    tokio::time::sleep(longest).await;
    let (unchanged, changing) = blocking(move || Ok(unchanged_files(recent))).await?;
    whole.extend(unchanged);
    whole.sort();
    Ok((whole, changing))
}

/// Parts files that nothing has changed for a while from those to be looked at again.
fn quiet_files(files: Vec<PathBuf>, now: SystemTime) -> (Vec<PathBuf>, Vec<(PathBuf, Look)>) {
    let (mut quiet, mut recent) = (Vec::new(), Vec::new());
    for path in files {
        // What can't be looked at is told when it is read.
        match fs::symlink_metadata(&path).map(|file| Look::of(&file)) {
            Ok(look) if !look.waits(now).is_zero() => recent.push((path, look)),
            _ => quiet.push(path),
        }
    }
    (quiet, recent)
}

/// Parts files that are as they were from those that have changed.
fn unchanged_files(recent: Vec<(PathBuf, Look)>) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut unchanged, mut changing) = (Vec::new(), Vec::new());
    for (path, before) in recent {
        match fs::symlink_metadata(&path).map(|file| Look::of(&file)) {
            Ok(look) if look != before => changing.push(path),
            _ => unchanged.push(path),
        }
    }
    (unchanged, changing)
}

/// Opens a file of the exchange folder, unless it is a link or larger than any tardy file.
pub(super) fn open(path: &Path) -> Result<File, EngineError> {
    let unreadable = |source| unusable("read", path, source);
    if fs::symlink_metadata(path).map_err(unreadable)?.is_symlink() {
        return Err(EngineError::FileIsLink(path.to_owned()));
    }
    let listed = Identity::at(path).map_err(unreadable)?;
    let file = File::open(path).map_err(unreadable)?;
    let opened = file.metadata().map_err(unreadable)?;
    // Somebody may have put a link in its place in between.
    if !opened.is_file() || Identity::of(&file).map_err(unreadable)? != listed {
        return Err(EngineError::FileIsLink(path.to_owned()));
    }
    if opened.len() > LARGEST_TARDY_FILE {
        return Err(FileError::TooLarge.into());
    }
    Ok(file)
}

/// Why a file of the exchange folder can't be used. One that another program has locked is not there yet.
pub(super) fn unusable(action: &'static str, path: &Path, source: io::Error) -> EngineError {
    if is_locked(&source) {
        return EngineError::FileChanging(path.to_owned());
    }
    EngineError::io(action, path, source)
}

/// Moves a decided file to `processed/`, beside an earlier one of the same name if there is one. `sha256` is that of
/// the content that was decided: a file that another program has changed since goes back to be read again.
pub(crate) fn set_aside(path: &Path, sha256: &str) -> Result<(), EngineError> {
    let target = free_beside(path, PROCESSED)?;
    pass(CrashPoint::TardiesDecided);
    fs::rename(path, &target).map_err(|source| unusable("move", path, source))?;
    pass(CrashPoint::TardiesMoved);
    // Only now nobody can put another file in its place.
    if content_hash(&target)? != sha256 {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        fs::rename(&target, free_in(folder, path))
            .map_err(|source| EngineError::io("move", &target, source))?;
        return Err(EngineError::FileChanging(path.to_owned()));
    }
    Ok(())
}

/// Moves a file to a path that nothing has.
pub(super) fn move_to(path: &Path, target: &Path) -> Result<(), EngineError> {
    fs::rename(path, target).map_err(|source| unusable("move", path, source))
}

/// A path that nothing has yet in a folder beside a file, which is made if need be: the file's name, with a number if there
/// is an earlier one.
pub(super) fn free_beside(path: &Path, folder: &str) -> Result<PathBuf, EngineError> {
    let folder = path.parent().unwrap_or_else(|| Path::new(".")).join(folder);
    fs::create_dir_all(&folder).map_err(|source| EngineError::io("create", &folder, source))?;
    if folder.is_symlink() {
        return Err(EngineError::FileIsLink(folder));
    }
    Ok(free_in(&folder, path))
}

/// What is in `processed/` of the exchange folder, with the time each file was changed last, oldest first; nothing if
/// there is no such folder.
pub(crate) fn processed_files(folder: &Path) -> Result<Vec<(PathBuf, DateTime<Utc>)>, EngineError> {
    // A folder that is away for now says nothing about what is in it.
    if !folder.as_os_str().is_empty() && !folder.is_dir() {
        let why = "it is not there".to_owned();
        return Err(EngineError::Folder { path: folder.to_owned(), why });
    }
    kept_files(&folder.join(PROCESSED))
}

/// What is in the folder of roster files that are not in use, as [`processed_files`] tells it.
pub(crate) fn files_not_in_use(folder: &Path) -> Result<Vec<(PathBuf, DateTime<Utc>)>, EngineError> {
    let folder = folder.join(ROSTER);
    if folder.is_symlink() {
        return Ok(Vec::new());
    }
    kept_files(&folder.join(NOT_IN_USE))
}

fn kept_files(folder: &Path) -> Result<Vec<(PathBuf, DateTime<Utc>)>, EngineError> {
    let unreadable = |source| EngineError::io("read", folder, source);
    if folder.is_symlink() || !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for path in Listing::of(folder, usize::MAX)?.files {
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
fn free_in(folder: &Path, path: &Path) -> PathBuf {
    folder.join(free_name(path, |name| folder.join(name).symlink_metadata().is_ok()))
}

/// A name that is not taken: that of `path`, with a number if need be.
pub(super) fn free_name(path: &Path, is_taken: impl Fn(&str) -> bool) -> String {
    let part = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (stem, ending) = (part(path.file_stem()), part(path.extension()));
    let mut name = part(path.file_name());
    let mut copies = 1;
    while is_taken(&name) {
        copies += 1;
        name = format!("{stem} ({copies}).{ending}");
    }
    name
}

/// SHA-256 of a file's content, lower-case hexadecimal.
pub(crate) fn content_hash(path: &Path) -> Result<String, EngineError> {
    let unreadable = |source| EngineError::io("read", path, source);
    let mut hashed = Hashed::new(File::open(path).map_err(unreadable)?);
    io::copy(&mut hashed, &mut io::sink()).map_err(unreadable)?;
    Ok(hashed.finish().1)
}

/// Notes how what is read ends.
pub(super) struct Ending<R> {
    inner: R,
    last: Option<u8>,
}

impl<R> Ending<R> {
    pub(super) fn of(inner: R) -> Self {
        Self { inner, last: None }
    }

    /// Whether the last byte that was read ends a line.
    pub(super) fn is_line_end(&self) -> bool {
        self.last == Some(b'\n')
    }
}

impl<R: io::Read> io::Read for Ending<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.last = buffer[..read].last().copied().or(self.last);
        Ok(read)
    }
}

/// Hashes what is read.
pub(super) struct Hashed<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R> Hashed<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    /// How many bytes were read, and their hash in lower-case hexadecimal.
    pub(super) fn finish(self) -> (u64, String) {
        (self.bytes, hex::encode(self.hash.finalize()))
    }
}

impl<R: io::Read> io::Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

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

    #[rstest]
    #[case::csv("tardies.csv", true)]
    #[case::capitals("TARDIES.CSV", true)]
    #[case::tab("a b.tsv", true)]
    #[case::text("x.txt", true)]
    #[case::no_ending("tardies", false)]
    #[case::being_copied("tardies.csv.part", false)]
    #[case::trailing_dot("tardies.csv.", false)]
    #[case::hidden(".tardies.csv", false)]
    #[case::buildings("Buildings.csv", false)]
    #[case::reasons("student-reasons.csv", false)]
    fn tardy_files_are_known_by_their_names(#[case] name: &str, #[case] is_one: bool) {
        assert_eq!(is_tardy_file(name), is_one);
    }

    #[test]
    fn folders_are_no_files_and_the_first_names_come_first() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["c.csv", "a.csv", "b.csv", "notes.doc"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("0.csv")).unwrap();
        let listing = |most| {
            let listing = Listing::of(folder.path(), most).unwrap();
            let names: Vec<String> = listing
                .files
                .iter()
                .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
                .collect();
            (names.join(" "), listing.more)
        };
        assert_eq!(listing(3), ("a.csv b.csv c.csv".to_owned(), false));
        assert_eq!(listing(2), ("a.csv b.csv".to_owned(), true));
    }

    #[cfg(unix)]
    #[test]
    fn what_a_link_points_to_is_neither_read_nor_moved_to() {
        use std::os::unix::fs::symlink;
        let (elsewhere, secret) = dropped(DECIDED);
        let (folder, path) = dropped(DECIDED);
        let link = folder.path().join("link.csv");
        symlink(&secret, &link).unwrap();
        let listing = Listing::of(folder.path(), 9).unwrap();
        assert_eq!((listing.files, listing.links), ([path.clone()].into(), [link.clone()].into()));
        assert_eq!(open(&link).unwrap_err().code(), "raptor.file_link");
        open(&path).unwrap();

        symlink(elsewhere.path(), folder.path().join(PROCESSED)).unwrap();
        assert_eq!(set_aside(&path, &decided()).unwrap_err().code(), "raptor.file_link");
        assert!(path.exists());
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
        assert_eq!(processed_files(folder.path()).unwrap(), []);
    }

    #[test]
    fn a_file_larger_than_any_is_not_read() {
        let (_folder, path) = dropped("");
        File::options().write(true).open(&path).unwrap().set_len(10 * 1024 * 1024 * 1024).unwrap();
        assert_eq!(open(&path).unwrap_err().code(), "raptor.file_too_large");
    }

    #[rstest]
    #[case::old(Some(60), 0)]
    #[case::a_moment_ago(Some(0), 2)]
    #[case::of_a_clock_ahead(Some(-3600), 2)]
    #[case::unknown(None, 2)]
    fn a_file_is_left_alone_until_it_is_quiet(#[case] seconds_ago: Option<i64>, #[case] waits: u64) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        let changed = seconds_ago.map(|seconds| {
            let by = Duration::from_secs(seconds.unsigned_abs());
            if seconds < 0 { now + by } else { now - by }
        });
        assert_eq!(Look { bytes: 1, changed }.waits(now), Duration::from_secs(waits));
    }

    #[rstest]
    #[case::a_moment_ago(Some(3), true)]
    #[case::almost_a_minute_ago(Some(59), true)]
    #[case::a_minute_ago(Some(60), false)]
    #[case::of_a_clock_a_little_ahead(Some(-30), true)]
    #[case::of_a_clock_far_ahead(Some(-3600), false)]
    #[case::unknown(None, false)]
    fn half_a_row_is_given_a_minute(#[case] seconds_ago: Option<i64>, #[case] may_grow: bool) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        let changed = seconds_ago.map(|seconds| {
            let by = Duration::from_secs(seconds.unsigned_abs());
            if seconds < 0 { now + by } else { now - by }
        });
        assert_eq!(Look { bytes: 1, changed }.may_grow(now), may_grow);
    }

    #[rstest]
    #[case::whole("a\nb\n", true)]
    #[case::windows("a\r\nb\r\n", true)]
    #[case::within_a_row("a\nb", false)]
    #[case::between_two_bytes_of_an_end("a\nb\r", false)]
    #[case::nothing("", false)]
    fn how_a_file_ends_is_known_once_it_is_read(#[case] text: &str, #[case] line_end: bool) {
        let mut ending = Ending::of(text.as_bytes());
        io::copy(&mut ending, &mut io::sink()).unwrap();
        assert_eq!(ending.is_line_end(), line_end);
    }

    #[test]
    fn a_file_that_changes_again_is_left_for_later() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["old.csv", "recent.csv", "growing.csv"].map(|name| folder.path().join(name));
        for path in &paths {
            fs::write(path, DECIDED).unwrap();
        }
        let now = SystemTime::now();
        let old = File::options().write(true).open(&paths[0]).unwrap();
        old.set_modified(now - Duration::from_hours(1)).unwrap();
        let (quiet, recent) = quiet_files(paths.to_vec(), now);
        assert_eq!(quiet, paths[..1]);
        fs::write(&paths[2], format!("{DECIDED}North,1002")).unwrap();
        assert_eq!(unchanged_files(recent), (paths[1..2].to_vec(), paths[2..].to_vec()));
    }
}
