//! A damaged database, a full disk, a lost key and an erased district: nothing lost, nothing doubled, nothing left.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};
#[cfg(target_os = "linux")]
use std::{
    io::{Read, Write},
    process::{Child, Command, Stdio},
};

use rosterbridge_crash_points::CrashPoint;
use rosterbridge_vault::{SecretName, Vault};
use rstest::rstest;
use serde_json::Value;
#[cfg(target_os = "linux")]
use tempfile::TempDir;

use crate::support::{District, EXPORTS, Profile, until};
#[cfg(target_os = "linux")]
use crate::support::{Output, copy_tree, rosterbridge};

impl Profile {
    fn folder(&self) -> PathBuf {
        self.home().join("profiles/practice")
    }

    fn held(&self) -> Value {
        let mut held = self.run(&["held", "list"]).done().data()["rows"].clone();
        // Held by another run, and so at another time.
        for row in held.as_array_mut().unwrap() {
            row.as_object_mut().unwrap().retain(|name, _| ["raw", "reason", "line"].contains(&name.as_str()));
        }
        held
    }
}

/// Ways a ledger may be damaged.
fn cut_off(ledger: &Path) {
    File::options().write(true).open(ledger).unwrap().set_len(10_000).unwrap();
}

fn flipped(ledger: &Path) {
    let mut bytes = fs::read(ledger).unwrap();
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 64] {
        *byte ^= 0xff;
    }
    fs::write(ledger, bytes).unwrap();
}

fn gone(ledger: &Path) {
    fs::remove_file(ledger).unwrap();
}

/// Of a day's files, the part that is there in the morning.
struct Day {
    export: PathBuf,
    lines: Vec<String>,
    tardies: Vec<String>,
}

impl Day {
    fn of(district: &District) -> Self {
        let lines = |path: &Path| -> Vec<String> {
            fs::read_to_string(path).unwrap().split_inclusive('\n').map(str::to_owned).collect()
        };
        let export = district.hero("export/ATTENDANCE.txt");
        let day = Self { lines: lines(&export), tardies: lines(&district.tardies()), export };
        fs::remove_file(district.tardies()).unwrap();
        day
    }

    /// Hero's export has its first `lines` rows, and further ones.
    fn export(&self, lines: usize, further: &str) {
        fs::write(&self.export, self.lines[..lines].concat() + further).unwrap();
    }

    /// Raptor drops a file with some of the day's tardies.
    fn drop_tardies(&self, district: &District, name: &str, rows: std::ops::Range<usize>) {
        let rows = self.tardies[1..][rows].concat();
        fs::write(district.raptor(name), format!("{}{rows}", self.tardies[0])).unwrap();
    }
}

#[rstest]
#[case::cut_off(cut_off, &[])]
#[case::flipped(flipped, &[])]
#[case::gone(gone, &[])]
#[case::where_a_double_write_adds_a_row(cut_off, &["--attendance", "insert"])]
fn after_a_restored_ledger_nothing_is_lost_and_nothing_doubled(
    #[case] damage: fn(&Path),
    #[case] options: &[&str],
) {
    let district = District::start(options);
    let profile = Profile::of(&district);
    // Each of Hero's three files makes Hero write its own anew, so they are sent once only.
    profile.run(&[&["sync", "raptor-roster"], EXPORTS.as_slice()].concat()).done();
    let sync = ["sync", "hero-attendance", "raptor-tardies"];
    let day = Day::of(&district);
    let (rows, tardies) = (day.lines.len(), day.tardies.len() - 1);
    assert!(rows > 20 && tardies >= 6, "{rows} {tardies}");

    // In the morning.
    day.export(rows / 2, "");
    day.drop_tardies(&district, "tardies-morning.csv", 0..tardies / 2);
    profile.run(&sync).done();
    profile.run(&["backup", "now"]).done();
    let backed_up = district.audit().len();

    // Later that day; a student nobody knows is held.
    let unknown = day.lines[0].replacen(day.lines[0].split('\t').nth(1).unwrap(), "99999999", 1);
    day.export(rows - 3, &unknown);
    day.drop_tardies(&district, "tardies-noon.csv", tardies / 2..tardies - 2);
    // The first of them has to be recorded again by the restored ledger, with the file where it is.
    profile.run(&sync).ended(3, "sync.held_rows");
    let written = district.audit();
    assert!(written.len() > backed_up + 10);
    let held = profile.held();
    assert_eq!(held.as_array().unwrap().len(), 1);
    assert!(district.raptor("processed/tardies-noon.csv").exists());

    damage(&profile.folder().join("ledger.db"));
    // A dry run says that it can't know all.
    let dry = profile.run(&[sync.as_slice(), &["--dry-run"]].concat());
    assert_eq!(dry.data()["dry_run"], true, "{}", dry.stdout);
    let again = profile.run(&sync).ended(3, "sync.held_rows");
    assert_eq!(district.audit(), written, "nothing is written twice");
    assert_eq!(profile.held(), held, "what was held is held again");
    let notes = again.job("hero-attendance")["notes"].to_string();
    assert!(notes.contains("restored from a backup"), "{notes}");
    let mails: String = fs::read_dir(district.data().join("mail"))
        .unwrap()
        .map(|mail| String::from_utf8_lossy(&fs::read(mail.unwrap().path()).unwrap()).into_owned())
        .collect();
    assert_eq!(mails.matches("Subject: RosterBridge (practice): The ledger was restored").count(), 1);

    // The end of the day: what is new is written, and what we wrote may be corrected by its source.
    let last = &day.lines[rows - 4];
    let fields: Vec<&str> = last.trim_end().split('\t').collect();
    let mut corrected = fields.clone();
    corrected[5] = if fields[5] == "T" { "A" } else { "T" };
    day.export(rows - 4, &format!("{}\n{}", corrected.join("\t"), day.lines[rows - 3..].concat()));
    day.drop_tardies(&district, "tardies-evening.csv", tardies - 2..tardies);
    profile.run(&sync).done();
    let all = district.audit();
    assert_eq!(all.len(), written.len() + 1 + 3 + 2, "a correction, three rows, two tardies");

    // And the very same again changes nothing.
    let notes = profile.run(&sync).done().job("hero-attendance")["notes"].to_string();
    assert!(!notes.contains("restored"), "{notes}");
    assert_eq!(district.audit(), all);
    assert_eq!(profile.held(), held);
}

/// At the time of the backup PowerSchool had writes that the ledger did not know the fate of. Later they were found to be
/// there, and one of them was corrected by its source: the restored ledger must not send it again over the correction.
#[rstest]
fn writes_under_way_at_the_backup_are_not_sent_again(#[values("upsert", "insert")] mode: &str) {
    let district = District::start(&["--attendance", mode]);
    let profile = Profile::patient_for(&district, 1);
    profile.run(&[&["sync"], EXPORTS.as_slice()].concat()).done();
    let export = district.hero("export/ATTENDANCE.txt");
    let stated = fs::read_to_string(&export).unwrap();
    let sync = ["sync", "hero-attendance"];
    let place = CrashPoint::WritesAnswered.as_str();
    let ended = profile.command(&sync).env("ROSTERBRIDGE_CRASH_AT", format!("{place}@1")).output().unwrap();
    assert_eq!(ended.status.code(), None, "it did not end at {place}");
    profile.run(&["backup", "now"]).done();

    profile.run(&sync).done();
    let corrected = stated.replacen("\tT\t", "\tA\t", 1);
    assert_ne!(corrected, stated);
    fs::write(&export, &corrected).unwrap();
    assert_eq!(profile.run(&sync).done().job("hero-attendance")["rows"]["written"], 1);
    let written = district.audit();

    flipped(&profile.folder().join("ledger.db"));
    profile.run(&sync).done();
    assert_eq!(district.audit(), written, "nothing is written twice");
    fs::write(&export, &stated).unwrap();
    assert_eq!(profile.run(&sync).done().job("hero-attendance")["rows"]["written"], 1);
    assert_eq!(district.audit().len(), written.len() + 1);
}

#[test]
fn without_a_backup_a_person_begins_anew() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.run(&["sync"]).done();
    let written = district.audit();
    cut_off(&profile.folder().join("ledger.db"));
    let refused = profile.run(&["sync"]).ended(1, "store.no_backup");
    assert!(refused.document["remedy"].as_str().unwrap().contains("backup restore --begin-anew"));
    profile.run(&["backup", "restore"]).ended(1, "store.no_backup");
    let begun = profile.run(&["backup", "restore", "--begin-anew"]).done();
    assert!(Path::new(begun.data()["set_aside"].as_str().unwrap()).exists());
    assert_eq!(profile.run(&["backup", "list"]).done().data()["backups"], Value::Array(Vec::new()));

    // Set up again, it takes note of what is there.
    let ready = district.ready_file();
    profile.run(&["setup", "import", "--practice", ready.to_str().unwrap()]).done();
    profile.run(&["sync"]).done();
    assert_eq!(district.audit(), written);
    district.holds_each_once(&district.day(&profile.setup()));
}

#[rstest]
#[case::cut_off(cut_off)]
#[case::flipped(flipped)]
#[case::gone(gone)]
fn a_damaged_roster_is_read_again(#[case] damage: fn(&Path)) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.run(&["sync"]).done();
    damage(&profile.folder().join("roster.db"));
    profile.run(&["sync"]).done();
    district.holds_each_once(&district.day(&profile.setup()));
    assert!(profile.run(&["status"]).done().data()["students"].as_u64().unwrap() > 0);
}

/// Does something with a profile's part of the keychain.
fn in_keychain<T>(identity: &str, work: impl AsyncFnOnce(&Vault) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let identity = identity.parse().unwrap();
    runtime.block_on(async { work(&Vault::open(identity).await.unwrap()).await })
}

fn identity(profile: &Profile) -> String {
    let text = fs::read_to_string(profile.folder().join("profile.json")).unwrap();
    let identity: Value = serde_json::from_str(&text).unwrap();
    identity["id"].as_str().unwrap().to_owned()
}

/// What the keychain has of a profile.
fn entries(identity: &str) -> Vec<String> {
    in_keychain(identity, async |vault| {
        let mut entries = Vec::new();
        if vault.profile_key(false).await.is_ok() {
            entries.push("profile-key".to_owned());
        }
        for name in SecretName::ALL {
            if vault.holds(name).await.unwrap() {
                entries.push(name.to_string());
            }
        }
        entries
    })
}

#[test]
fn a_lost_key_comes_back_from_the_recovery_file() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.run(&["sync"]).done();
    let file = profile.home().join("recovery.age");
    let write = ["backup", "recovery-file", file.to_str().unwrap()];
    profile.run(&write).ended(1, "secret.not_given");
    profile.run_with_input(&write, "too short").ended(1, "vault.short_passphrase");
    profile.run_with_input(&write, "four words on paper\n").done();

    in_keychain(&identity(&profile), async |vault| vault.erase().await.unwrap());
    profile.run(&["sync"]).ended(1, "vault.key_missing");
    let recover = ["backup", "recover", file.to_str().unwrap()];
    profile.run_with_input(&recover, "other words on paper").ended(1, "vault.wrong_passphrase");
    profile.run(&["sync"]).ended(1, "vault.key_missing");
    profile.run_with_input(&recover, "four words on paper").done();

    // The secrets were lost too, and are entered again.
    profile.set_secret("powerschool.client-secret", &district.ready.powerschool.client_secret);
    profile.set_secret("hero.password", &district.ready.hero.password);
    profile.run(&["sync"]).done();
    district.holds_each_once(&district.day(&profile.setup()));
}

#[test]
fn nothing_of_an_erased_district_is_left() {
    let district = District::start(&["--latency-ms", "300"]);
    let profile = Profile::of(&district);
    profile.run(&["backup", "now"]).done();
    let identity = identity(&profile);
    assert!(entries(&identity).len() >= 3);
    let erase = ["erase", "--confirm", "practice"];
    profile.run(&["erase", "--confirm", "Practice"]).ended(1, "profile.not_confirmed");

    // Not while somebody works on it.
    let mut sync = profile.command(&["sync"]);
    let mut sync = sync.spawn().unwrap();
    until("the run is under way", || {
        profile.run(&["status"]).done().data()["running"].as_str().map(str::to_owned)
    });
    profile.run(&erase).ended(1, "run.busy");
    profile.run(&["backup", "restore"]).ended(1, "run.busy");
    assert!(sync.try_wait().unwrap().is_none(), "the run went on meanwhile");
    profile.finish(sync).done();

    profile.run(&erase).done();
    assert!(!profile.folder().exists());
    assert_eq!(entries(&identity), Vec::<String>::new());
    profile.run(&["status"]).ended(1, "profile.not_found");
}

/// A small disk that can fill up, seen by its own commands only.
#[cfg(target_os = "linux")]
struct SmallDisk {
    holder: Child,
    folder: TempDir,
}

#[cfg(target_os = "linux")]
impl SmallDisk {
    /// None where the system does not let us mount one.
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let script =
            format!("mount -t tmpfs -o size={megabytes}m,mode=700 none \"$0\" && echo mounted && exec cat");
        let mut holder = Command::new("unshare")
            .args(["--mount", "sh", "-c", &script])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut line = [0; 7];
        let mounted = holder.stdout.as_mut().unwrap().read_exact(&mut line).is_ok();
        let disk = Self { holder, folder };
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
        let output = Command::new("nsenter")
            .args(["--mount", "--target", &self.holder.id().to_string()])
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

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// The run ends with a word about the disk, wherever it fills up, and the next one does it all.
#[cfg(target_os = "linux")]
#[rstest]
#[case::nothing(0)]
#[case::for_the_run_only(128)]
#[case::for_some_of_the_roster(400)]
fn a_full_disk_ends_a_run_cleanly(#[case] kilobytes: usize) {
    // Only an administrator may mount: elsewhere the store's own test of a full disk has to do.
    let Some(disk) = SmallDisk::mount(24) else { return };
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
