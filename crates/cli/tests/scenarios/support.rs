//! A practice district, a profile, and what should be in PowerSchool in the end.

mod district;
mod profile;
mod records;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

pub use self::{
    district::District,
    profile::{Output, Profile},
    records::Records,
};

/// A Wednesday in session, so that nothing depends on the day the tests run.
pub const DATE: &str = "2026-11-18";

/// How long anything may take before a test gives up. Never reached by a healthy run.
const PATIENCE: Duration = Duration::from_mins(2);

/// The three files in the order Hero's procedure lists them.
pub const EXPORTS: [&str; 3] = ["hero-students", "hero-schedule", "hero-teachers"];

/// Our own binary.
pub fn rosterbridge() -> Command {
    Command::new(env!("CARGO_BIN_EXE_rosterbridge"))
}

/// Whether a process ended where it was told to, by `ROSTERBRIDGE_CRASH_AT`: as `std::process::abort` ends one.
pub fn crashed(status: ExitStatus) -> bool {
    // Windows has no signals: an abort is one of its status codes (STATUS_STACK_BUFFER_OVERRUN).
    status.code() == cfg!(windows).then_some(0xC000_0409_u32.cast_signed())
}

/// Looks again and again until `condition` gives something.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The names in a folder, sorted; none when there is no folder.
pub fn files_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every file below a folder, at any depth.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

/// Copies a folder with all that is in it, and when it was changed, but for sockets. `to` may exist.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (kind, target) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy_tree(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), &target).unwrap();
            // A file at Hero that looks newer is another sender's.
            let modified = entry.metadata().unwrap().modified().unwrap();
            fs::File::options().write(true).open(target).unwrap().set_modified(modified).unwrap();
        }
    }
}
