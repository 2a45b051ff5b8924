//! A disk that fills up.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::MetadataExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use rstest::rstest;
use tempfile::TempDir;

use crate::support::{District, Output, Profile, copy_tree, rosterbridge};

/// A small disk that can fill up, seen by its own commands only.
struct SmallDisk {
    holder: Child,
    folder: TempDir,
    /// What a command is put before to see it.
    enter: Vec<String>,
}

impl SmallDisk {
    /// None where the system does not let us mount one. A namespace of users of our own needs no rights; where there are
    /// none of these, an administrator may mount.
    fn mount(megabytes: u32) -> Option<Self> {
        Self::mount_in(megabytes, &["--user", "--map-root-user", "--mount"])
            .or_else(|| Self::mount_in(megabytes, &["--mount"]))
    }

    fn mount_in(megabytes: u32, namespaces: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let script =
            format!("mount -t tmpfs -o size={megabytes}m,mode=700 none \"$0\" && echo mounted && exec cat");
        let mut holder = Command::new("unshare")
            .args(namespaces)
            .args(["sh", "-c", &script])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut line = [0; 7];
        let mounted = holder.stdout.as_mut().unwrap().read_exact(&mut line).is_ok();
        let process = holder.id().to_string();
        let mut enter = ["nsenter", "--mount", "--target", &process].map(str::to_owned).to_vec();
        if namespaces.contains(&"--user") {
            // The keyring wants to see who we are, not the administrator we are in there.
            let own = fs::metadata(folder.path()).unwrap();
            enter.extend(["--user", "--preserve-credentials", "unshare", "--user"].map(str::to_owned));
            enter.extend([format!("--map-user={}", own.uid()), format!("--map-group={}", own.gid())]);
        }
        let disk = Self { holder, folder, enter };
        mounted.then_some(disk)
    }

    /// A path on the disk, as seen from here.
    fn path(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.folder.path().strip_prefix("/").unwrap()).join(name)
    }

    /// Fills the disk up but for so many kilobytes.
    fn fill(&self, but_for: usize) {
        let path = self.path("filler");
        let mut filler = File::create(&path).unwrap();
        let block = [0x5a; 4096];
        while filler.write_all(&block).is_ok() {}
        let length = filler.metadata().unwrap().len();
        filler.set_len(length.saturating_sub(but_for as u64 * 1024)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Output {
        let output = Command::new(&self.enter[0])
            .args(&self.enter[1..])
            .arg(rosterbridge().get_program())
            .arg("--home")
            .arg(self.folder.path())
            .args(["--profile", "practice", "--json"])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Output::of(&output)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// The run ends with a word about the disk, wherever it fills up, and the next one does it all.
#[rstest]
#[case::nothing(0)]
#[case::for_the_run_only(128)]
#[case::for_some_of_the_roster(400)]
fn a_full_disk_ends_a_run_cleanly(#[case] kilobytes: usize) {
    let Some(disk) = SmallDisk::mount(24) else {
        eprintln!("SKIPPED: this system lets nobody but an administrator mount a small disk to fill up");
        return;
    };
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    copy_tree(profile.home(), &disk.path("."));
    disk.fill(kilobytes);
    let full = disk.command(&["sync"]);
    assert_eq!((full.exit, full.code()), (1, "store.disk_full"), "{}\n{}", full.stdout, full.stderr);
    fs::remove_file(disk.path("filler")).unwrap();
    assert_eq!(disk.command(&["sync"]).code(), "ok");
    district.holds_each_once(&district.day(&profile.setup()));
    let runs = disk.command(&["runs"]);
    for run in runs.data()["runs"].as_array().unwrap() {
        let outcome = run["outcome"].as_str().unwrap();
        assert!(["succeeded", "failed", "interrupted"].contains(&outcome), "{run}");
    }
}
