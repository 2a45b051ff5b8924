//! An export that goes to a folder of this computer or its network, in place of a server.

use std::{
    fs::{self, File, Metadata},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_files::owner_only;

use crate::{error::EngineError, exports::Measured};

/// Where the name of a file ends that is on its way. It is foreseeable, so that what a crash leaves is written over: it
/// holds students.
const PART: &str = ".rosterbridge-part";

/// Writes a file whole or not at all: under a name that nobody takes it from, flushed to the disk, and then with its own.
/// What is not of the planned SHA-256 does not get the name.
pub(super) fn write(
    folder: &str,
    name: &str,
    sha256: &str,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), EngineError> {
    let refused = |why: &str| EngineError::ExportFolder { path: folder.into(), why: why.to_owned() };
    let folder = Path::new(folder);
    if !folder.is_dir() {
        return Err(refused("there is no such folder"));
    }
    let (part, target) = (folder.join(format!(".{name}{PART}")), folder.join(name));
    for path in [&part, &target] {
        match fs::symlink_metadata(path) {
            // What it leads to is somebody else's.
            Ok(found) if found.is_symlink() => {
                return Err(refused(&format!("{} in it is a link to another place", name_of(path))));
            }
            Ok(found) if !found.is_file() => {
                return Err(refused(&format!("{} in it is not a file", name_of(path))));
            }
            _ => {}
        }
    }
    let written = write_part(&part, content).and_then(|written| {
        if written == sha256 { Ok(()) } else { Err(EngineError::NotAsPlanned(target.display().to_string())) }
    });
    let placed = written.and_then(|()| {
        pass(CrashPoint::UploadWritten);
        fs::rename(&part, &target).map_err(|source| EngineError::io("replace", &target, source))
    });
    if placed.is_err() {
        // The next one is written over it where it can't be removed now.
        let _ = fs::remove_file(&part);
    }
    placed?;
    pass(CrashPoint::UploadRenamed);
    // Network shares know nothing of flushing a folder.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

fn name_of(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

fn write_part(
    part: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<String, EngineError> {
    let failed = |source| EngineError::io("write", part, source);
    let file = open(part).map_err(failed)?;
    let mut out = Measured::new(BufWriter::with_capacity(1 << 20, file));
    content(&mut out).map_err(failed)?;
    let (_, sha256, out) = out.into_parts();
    let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok(sha256)
}

/// For its owner alone: it holds students.
fn open(part: &Path) -> io::Result<File> {
    owner_only::options().write(true).create(true).truncate(true).open(part)
}

/// What is known of a file in a folder; nothing where there is none, or where it can't be told.
pub(super) fn look(path: PathBuf) -> Option<Metadata> {
    fs::symlink_metadata(path).ok().filter(Metadata::is_file)
}
