//! The interface in `ui/`: its packages, checks and build, each only when something changed.

use crate::{
    cargo, packages,
    process::{self, StepError},
};
use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
    process::Command,
};

/// Folders of `ui/` that are made, not written.
const MADE: &[&str] = &["node_modules", "dist", ".wuchale"];

/// The interface of the repository at `root`.
#[derive(Debug)]
pub struct Ui {
    folder: PathBuf,
    built_stamp: PathBuf,
}

impl Ui {
    /// `scratch` is where stamps are kept (below the target folder).
    pub fn new(root: &Path, scratch: &Path) -> Self {
        Self { folder: root.join("ui"), built_stamp: scratch.join("ui-built") }
    }

    /// `npm ci`, when package-lock.json is not the one installed last.
    pub fn install(&self) -> Result<(), StepError> {
        packages::ensure_node()?;
        let lock_path = self.folder.join("package-lock.json");
        let lock = fs::read(&lock_path).map_err(|source| StepError::file(lock_path.display(), source))?;
        let stamp = self.folder.join("node_modules/.installed-lock");
        if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
            println!("    The installed packages match package-lock.json.");
            return Ok(());
        }
        process::run(self.npm().args(["ci", "--no-audit", "--no-fund"]))?;
        fs::write(&stamp, lock).map_err(|source| StepError::file(stamp.display(), source))
    }

    /// The type checker and Svelte's own warnings.
    pub fn check(&self) -> Result<(), StepError> {
        process::run(self.npm().args(["run", "check"]))
    }

    /// The unit and component tests; their totals go to `report` as JSON.
    pub fn test(&self, report: &Path) -> Result<(), StepError> {
        process::run(
            self.npm()
                .args(["run", "test", "--", "--reporter=default", "--reporter=json"])
                .arg(format!("--outputFile.json={}", report.display())),
        )
    }

    /// The whole app in Chromium, and a choice of the screens' states; their totals go to `report` as JSON. Needs the debug
    /// binaries.
    pub fn end_to_end(&self, report: &Path) -> Result<(), StepError> {
        process::run(
            self.npm()
                .args(["run", "e2e", "--", "--grep-invert", "@state"])
                .env("E2E_REPORT", report)
                .env("ROSTERBRIDGE_BIN", cargo::binary("rosterbridge")?)
                .env("ROSTERBRIDGE_DESKTOP_BIN", cargo::binary("rosterbridge-desktop")?)
                .env("ROSTERBRIDGE_XTASK_BIN", cargo::binary("xtask")?),
        )
    }

    /// Builds `ui/dist`, which the desktop binary embeds, unless the last build was of the same sources.
    /// An untouched folder keeps cargo from embedding it again.
    pub fn build(&self) -> Result<(), StepError> {
        if self.is_built() {
            println!("    Nothing changed since the last build.");
            return Ok(());
        }
        process::run(self.npm().args(["run", "build"]))?;
        self.stamp().map_err(|source| StepError::file(self.built_stamp.display(), source))
    }

    fn is_built(&self) -> bool {
        let stamp = fs::read_to_string(&self.built_stamp);
        matches!((self.fingerprint(), stamp), (Ok(now), Ok(then)) if now == then)
    }

    fn stamp(&self) -> io::Result<()> {
        if let Some(parent) = self.built_stamp.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&self.built_stamp, self.fingerprint()?)
    }

    /// Of every source's name and content, and of the page they were built to: build.rs may have put
    /// its placeholder there since. Not of times, which a test that exports bindings changes.
    fn fingerprint(&self) -> io::Result<String> {
        let mut hasher = DefaultHasher::new();
        hash_folder(&self.folder, &mut hasher)?;
        fs::read(self.folder.join("dist/index.html"))?.hash(&mut hasher);
        Ok(format!("{:016x}", hasher.finish()))
    }

    fn npm(&self) -> Command {
        let mut command = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
        command.current_dir(&self.folder);
        command
    }
}

fn hash_folder(folder: &Path, hasher: &mut DefaultHasher) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        if MADE.iter().any(|made| name == *made) {
            continue;
        }
        name.hash(hasher);
        if entry.file_type()?.is_dir() {
            hash_folder(&entry.path(), hasher)?;
        } else {
            fs::read(entry.path())?.hash(hasher);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, time::SystemTime};

    fn built() -> (tempfile::TempDir, Ui) {
        let root = tempfile::tempdir().unwrap();
        let ui = Ui::new(root.path(), &root.path().join("scratch"));
        for folder in ["ui/src", "ui/dist", "ui/node_modules"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        for file in ["ui/src/main.ts", "ui/src/old.ts", "ui/dist/index.html", "ui/node_modules/x"] {
            fs::write(root.path().join(file), b"x").unwrap();
        }
        ui.stamp().unwrap();
        (root, ui)
    }

    #[test]
    fn the_same_sources_are_not_built_again_whatever_their_times() {
        let (root, ui) = built();
        fs::write(root.path().join("ui/node_modules/x"), b"changed").unwrap();
        File::open(root.path().join("ui/src/main.ts")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(ui.is_built());
    }

    #[test]
    fn a_changed_source_or_a_placeholder_asks_for_a_build() {
        for changed in ["ui/src/main.ts", "ui/src/new.ts", "ui/dist/index.html"] {
            let (root, ui) = built();
            fs::write(root.path().join(changed), b"changed").unwrap();
            assert!(!ui.is_built(), "{changed}");
        }
    }

    #[test]
    fn a_removed_source_page_or_stamp_asks_for_a_build() {
        for removed in ["ui/src/old.ts", "ui/dist/index.html", "scratch/ui-built"] {
            let (root, ui) = built();
            fs::remove_file(root.path().join(removed)).unwrap();
            assert!(!ui.is_built(), "{removed}");
        }
    }
}
