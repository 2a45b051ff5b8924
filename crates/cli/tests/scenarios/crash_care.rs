//! Care of the data that ends at a named place, as in a power cut, is done again as if nothing had happened: backups,
//! a damaged ledger's restoration with the reading that follows, a newer layout, the recovery of a key, and an erasure.
//!
//! As in [`crate::crash_points`], each is first done undisturbed, and then from the same beginning once for every place
//! it comes to, the first time and the last.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fmt::{Debug, Write as _},
    fs,
    io::Write,
    path::Path,
    process::Stdio,
};

use rosterbridge_api::domain::settings::ConnectionId;
use rosterbridge_crash_points::CrashPoint;
use rosterbridge_vault::{ProfileKey, SecretName};
use rstest::rstest;
use rusqlite::Connection;
use serde_json::json;

use crate::{
    care::{Day, entries, flipped, identity, in_keychain},
    crash_points::ends_of,
    stage::{Stage, report},
    support::{District, EXPORTS, Profile, crashed, files_below, files_in},
};

const SYNC: [&str; 3] = ["sync", "hero-attendance", "raptor-tardies"];

/// A command that is ended at places.
struct Trial<'a> {
    name: &'a str,
    command: &'a [&'a str],
    /// What it reads from standard input.
    input: &'a str,
    /// How it ends undisturbed.
    exit: i32,
    /// Where it is ended.
    places: &'a [CrashPoint],
}

impl Trial<'_> {
    fn run(&self, stage: &Stage, variable: &str, value: impl AsRef<OsStr>) -> std::process::Output {
        let mut command = stage.profile.command(self.command);
        let mut child = command.stdin(Stdio::piped()).env(variable, value).spawn().unwrap();
        // It may have ended before it reads.
        let _ = child.stdin.take().unwrap().write_all(self.input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Ends the command at every place, each time after `begin`; `finish`, which does the command again where that is
    /// what a person or the next run would do, has to see the same afterwards as without the end.
    #[track_caller]
    fn survived<T: PartialEq + Debug>(
        &self,
        stage: &mut Stage,
        begin: impl Fn(&Stage),
        finish: impl Fn(&Stage) -> T,
    ) {
        begin(stage);
        let trace = tempfile::NamedTempFile::new().unwrap();
        let output = self.run(stage, "ROSTERBRIDGE_CRASH_TRACE", trace.path());
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(self.exit), "{}: {text}", self.name);
        let names: BTreeSet<&str> = self.places.iter().map(|place| place.as_str()).collect();
        let passed: Vec<String> = fs::read_to_string(trace.path())
            .unwrap()
            .lines()
            .filter(|place| names.contains(place))
            .map(str::to_owned)
            .collect();
        let met: BTreeSet<&str> = passed.iter().map(String::as_str).collect();
        assert_eq!(met, names, "{} comes to every place", self.name);
        let expected = finish(stage);

        let ends = ends_of(&passed);
        for (place, time) in &ends {
            stage.rewind();
            begin(stage);
            let output = self.run(stage, "ROSTERBRIDGE_CRASH_AT", format!("{place}@{time}"));
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(crashed(output.status), "{} did not end at {place}@{time}: {text}", self.name);
            assert_eq!(finish(stage), expected, "{} after its end at {place}@{time}", self.name);
        }
        let (tried, name) = (ends.len(), format!("crash-care-{}", self.name));
        report(&name, &json!({"tried": tried, "places": names, "lost": 0, "doubled": 0}));
    }
}

/// A district with its day of attendance, of which the first half is exchanged and backed up.
fn half_a_day(mode: &str) -> (District, Profile, Day) {
    let district = District::start(&["--attendance", mode]);
    let profile = Profile::patient_for(&district, 1);
    profile.run(&[&["sync", "raptor-roster"], EXPORTS.as_slice()].concat()).done();
    let day = Day::of(&district);
    let (rows, tardies) = (day.lines.len(), day.tardies.len() - 1);
    assert!(rows >= 20 && tardies >= 6, "{rows} {tardies}");
    day.export(rows / 2, "");
    day.drop_tardies(&district, "tardies-morning.csv", 0..tardies / 2);
    profile.run(&SYNC).done();
    profile.run(&["backup", "now"]).done();
    (district, profile, day)
}

/// A row that states another code than before.
pub fn corrected(line: &str) -> String {
    let mut fields: Vec<&str> = line.trim_end().split('\t').collect();
    fields[5] = if fields[5] == "T" { "A" } else { "T" };
    fields.join("\t") + "\n"
}

pub fn marked(ledger: &Path) {
    fs::write(ledger.with_file_name("ledger.db-damaged"), "").unwrap();
}

/// The log that a process leaves which did not close the ledger has to go where the ledger goes.
fn flipped_with_a_log(ledger: &Path) {
    flipped(ledger);
    fs::write(ledger.with_file_name("ledger.db-wal"), [0; 40]).unwrap();
}

/// A correction of what was written after the backup is only written if the restored ledger knows that it was ours.
#[rstest]
#[case::upsert("upsert", marked)]
#[case::insert("insert", flipped_with_a_log)]
fn a_restoration_that_ends_anywhere_is_done_again(#[case] mode: &str, #[case] damage: fn(&Path)) {
    let (district, profile, day) = half_a_day(mode);
    let (rows, tardies) = (day.lines.len(), day.tardies.len() - 1);
    day.export(rows - 3, "");
    day.drop_tardies(&district, "tardies-noon.csv", tardies / 2..tardies - 2);
    profile.run(&SYNC).done();
    // What the run has to write that restores the ledger.
    let later = |noon: &str| {
        let morning = corrected(&day.lines[0]);
        day.export(
            0,
            &[&morning, &day.lines[1..rows - 4].concat(), noon, &day.lines[rows - 3..].concat()].concat(),
        );
    };
    later(&day.lines[rows - 4]);
    day.drop_tardies(&district, "tardies-evening.csv", tardies - 2..tardies);
    damage(&profile.folder().join("ledger.db"));
    let mut stage = Stage::kept(district, profile, &[]);

    let trial = Trial {
        name: &format!("restoration-{mode}"),
        command: &SYNC,
        input: "",
        exit: 0,
        places: &[
            CrashPoint::RestorationPrepared,
            CrashPoint::LedgerFileMoved,
            CrashPoint::LedgerSetAside,
            CrashPoint::DamageUnmarked,
            CrashPoint::ReplacementFlushed,
            CrashPoint::ReplacementRenamed,
            CrashPoint::LedgerRestored,
            CrashPoint::FileReadAgain,
            CrashPoint::SourceReadAgain,
            CrashPoint::SourceNoted,
            CrashPoint::RestorationCompleted,
            CrashPoint::DecisionsRecorded,
            CrashPoint::WritesMarked,
            CrashPoint::WritesAnswered,
            CrashPoint::WritesRecorded,
        ],
    };
    let finish = |stage: &Stage| {
        stage.profile.run(&SYNC).done();
        let next = (stage.left(), stage.profile.held());
        later(&corrected(&day.lines[rows - 4]));
        stage.profile.run(&SYNC).done();
        let last = (stage.left(), stage.profile.held());
        assert_ne!(next, last, "the correction is written");
        let unread = ledger(&stage.profile)
            .query_one("SELECT count(*) FROM facts WHERE name = 'ledger.restoration'", [], |row| {
                row.get::<_, i64>(0)
            })
            .unwrap();
        assert_eq!(unread, 0, "the restoration is complete");
        assert!(!stage.profile.folder().join("ledger.db-damaged").exists());
        (next, last)
    };
    trial.survived(&mut stage, |_| (), finish);
}

/// The same for damage that a backup finds.
#[rstest]
fn a_backup_that_finds_damage_may_end_there(#[values("upsert", "insert")] mode: &str) {
    let (district, profile, day) = half_a_day(mode);
    day.export(day.lines.len(), "");
    profile.run(&SYNC).done();
    // No opening looks at what an index says.
    ledger(&profile)
        .execute_batch(
            "PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = replace(sql, '(run)', '(line)') WHERE name = 'decisions_by_run';",
        )
        .unwrap();
    let mut stage = Stage::kept(district, profile, &[]);
    let trial = Trial {
        name: &format!("damage-found-{mode}"),
        command: &["backup", "now"],
        input: "",
        exit: 1,
        places: &[CrashPoint::DamageMarked],
    };
    let finish = |stage: &Stage| {
        let sync = stage.profile.run(&SYNC).done();
        let notes = sync.job("hero-attendance")["notes"].to_string();
        assert!(notes.contains("restored from a backup"), "{notes}");
        stage.profile.run(&["backup", "now"]).done();
        (stage.left(), stage.profile.held())
    };
    trial.survived(&mut stage, |_| (), finish);
}

#[test]
fn a_backup_that_ends_anywhere_is_made_again_and_is_whole() {
    let (district, profile, day) = half_a_day("upsert");
    for _ in 0..6 {
        profile.run(&["backup", "now"]).done();
    }
    day.export(day.lines.len(), "");
    profile.run(&SYNC).done();
    let mut stage = Stage::kept(district, profile, &[]);
    let trial = Trial {
        name: "backup",
        command: &["backup", "now"],
        input: "",
        exit: 0,
        places: &[
            CrashPoint::BackupCopied,
            CrashPoint::BackupChecked,
            CrashPoint::ReplacementFlushed,
            CrashPoint::ReplacementRenamed,
            CrashPoint::BackupNamed,
            CrashPoint::BackupPruned,
        ],
    };
    let finish = |stage: &Stage| {
        stage.profile.run(&["backup", "now"]).done();
        let listed = stage.profile.run(&["backup", "list"]).done();
        let there = files_below(&stage.profile.folder().join("backups")).len();
        flipped(&stage.profile.folder().join("ledger.db"));
        stage.profile.run(&SYNC).done();
        (listed.data()["backups"].as_array().unwrap().len(), there, stage.left(), stage.profile.held())
    };
    trial.survived(&mut stage, |_| (), finish);
}

/// The ledger as an outsider with the profile's key opens it.
pub fn ledger(profile: &Profile) -> Connection {
    let connection = Connection::open(profile.folder().join("ledger.db")).unwrap();
    connection.execute_batch(&format!("PRAGMA key = \"{}\";", raw_key(profile))).unwrap();
    connection
}

fn raw_key(profile: &Profile) -> String {
    let key = in_keychain(&identity(profile), async |vault| vault.profile_key(false).await.unwrap());
    format!("x'{}'", &*key.to_hex())
}

/// Makes the ledger one of an older layout, as the program wrote it that knew no newer one.
pub fn take_back_to_layout(profile: &Profile, layout: usize) {
    let (path, key) = (profile.folder().join("ledger.db"), raw_key(profile));
    let older = path.with_file_name("older.db");
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/migrations/ledger");
    let old = Connection::open(&older).unwrap();
    old.execute_batch(&format!("PRAGMA key = \"{key}\";")).unwrap();
    for migration in &files_in(&migrations)[..layout] {
        old.execute_batch(&fs::read_to_string(migrations.join(migration)).unwrap()).unwrap();
    }
    old.execute(&format!("ATTACH ?1 AS now KEY \"{key}\""), [path.to_str().unwrap()]).unwrap();
    let mut copying = "PRAGMA foreign_keys = OFF;".to_owned();
    {
        let mut tables = old
            .prepare(
                "SELECT t.name, group_concat(c.name) FROM main.sqlite_schema AS t, pragma_table_info(t.name) AS c
                  WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' GROUP BY t.name",
            )
            .unwrap();
        let mut rows = tables.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let (table, columns): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
            write!(
                copying,
                "INSERT OR REPLACE INTO main.{table} ({columns}) SELECT {columns} FROM now.{table};"
            )
            .unwrap();
        }
    }
    old.execute_batch(&copying).unwrap();
    old.execute_batch(&format!("DETACH now; PRAGMA journal_mode = WAL; PRAGMA user_version = {layout};"))
        .unwrap();
    old.close().unwrap();
    fs::rename(older, path).unwrap();
}

#[rstest]
fn a_newer_layout_that_ends_anywhere_is_made_again(#[values("upsert", "insert")] mode: &str) {
    let (district, profile, day) = half_a_day(mode);
    fs::remove_dir_all(profile.folder().join("backups")).unwrap();
    day.export(day.lines.len(), "");
    take_back_to_layout(&profile, 1);
    let mut stage = Stage::kept(district, profile, &[]);
    let trial = Trial {
        name: &format!("layout-{mode}"),
        command: &SYNC,
        input: "",
        exit: 0,
        places: &[
            CrashPoint::BackupCopied,
            CrashPoint::BackupChecked,
            CrashPoint::BackupNamed,
            CrashPoint::LayoutMade,
            CrashPoint::LayoutCommitted,
        ],
    };
    let finish = |stage: &Stage| {
        stage.profile.run(&SYNC).done();
        day.export(0, &(corrected(&day.lines[0]) + &day.lines[1..].concat()));
        stage.profile.run(&SYNC).done();
        let listed = stage.profile.run(&["backup", "list"]).done();
        let backups = listed.data()["backups"].as_array().unwrap();
        assert!(backups.iter().all(|backup| backup["before_layout"] == true) && !backups.is_empty());
        stage.left()
    };
    trial.survived(&mut stage, |_| (), finish);
}

#[test]
fn the_recovery_of_a_key_that_ends_anywhere_is_done_again() {
    let (district, profile, day) = half_a_day("upsert");
    day.export(day.lines.len(), "");
    let file = profile.home().join("recovery.age").to_str().unwrap().to_owned();
    profile.run_with_input(&["backup", "recovery-file", &file], "four words on paper\n").done();
    let identity = identity(&profile);
    fs::remove_file(profile.folder().join("profile.json")).unwrap();
    let mut stage = Stage::kept(district, profile, &[]);
    let trial = Trial {
        name: "recovery",
        command: &["backup", "recover", &file],
        input: "four words on paper\n",
        exit: 0,
        places: &[CrashPoint::KeyChecked, CrashPoint::KeyRecovered],
    };
    let begin = |_: &Stage| in_keychain(&identity, async |vault| vault.erase().await.unwrap());
    let finish = |stage: &Stage| {
        stage.profile.run_with_input(trial.command, trial.input).done();
        let ready = &stage.district.ready;
        stage.profile.set_secret("powerschool.client-secret", &ready.powerschool.client_secret);
        stage.profile.set_secret("hero.password", &ready.hero.password);
        stage.profile.run(&SYNC).done();
        (stage.left(), entries(&identity))
    };
    trial.survived(&mut stage, begin, finish);
}

#[test]
fn an_erasure_that_ends_anywhere_is_done_again_and_leaves_nothing() {
    let (district, profile, _) = half_a_day("upsert");
    flipped(&profile.folder().join("ledger.db"));
    profile.run(&["status"]).done();
    let identity = identity(&profile);
    let key = in_keychain(&identity, async |vault| *vault.profile_key(false).await.unwrap().expose());
    let there = entries(&identity);
    assert!(there.len() >= 3, "{there:?}");
    let mut stage = Stage::kept(district, profile, &[]);
    let trial = Trial {
        name: "erasure",
        command: &["erase", "--confirm", "practice"],
        input: "",
        exit: 0,
        places: &[
            CrashPoint::BackupErased,
            CrashPoint::DatabaseFileErased,
            CrashPoint::FilesErased,
            CrashPoint::KeychainErased,
            CrashPoint::IdentityErased,
        ],
    };
    let begin = |_: &Stage| {
        in_keychain(&identity, async |vault| {
            vault.restore_profile_key(&ProfileKey::from_bytes(key)).await.unwrap();
            vault.set(SecretName::password(ConnectionId::HERO), &"tulip-9 under glass".into()).await.unwrap();
        });
    };
    let finish = |stage: &Stage| {
        let again = stage.profile.run(trial.command);
        // Without its identity it is no profile any more.
        assert!(["ok", "profile.not_found"].contains(&again.code()), "{}", again.stdout);
        stage.profile.run(&["status"]).ended(1, "profile.not_found");
        let folder = stage.profile.folder();
        let files = if folder.exists() { files_below(&folder) } else { Vec::new() };
        let left: Vec<_> = files.into_iter().filter(|file| !file.ends_with("engine.lock")).collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(entries(&identity), [""; 0]);
        stage.district.audit().len()
    };
    trial.survived(&mut stage, begin, finish);
}
