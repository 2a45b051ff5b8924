//! Care of a profile's data, with the time passed in: against a practice district, with a real keychain.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use chrono::{DateTime, TimeDelta, Utc};
use rosterbridge_domain::{
    job::{Job, JobId, Outcome},
    settings::{ConnectionId, Setup},
};
use rosterbridge_engine::{
    Engine, OnEvent, care,
    profile::{ProfileFolder, ProfileLock},
    report::Event,
    setup_revision,
};
use rosterbridge_practice::{Running, ServeOptions};
use rosterbridge_store::{
    Ledger,
    ledger::{RunId, Trigger},
};
use rosterbridge_vault::{SecretName, Vault};
use rstest::rstest;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use uuid::Uuid;

/// A profile of its own.
struct Home {
    folder: ProfileFolder,
    home: TempDir,
}

impl Home {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { folder: ProfileFolder::new(home.path(), "practice").unwrap(), home }
    }

    fn lock(&self) -> ProfileLock {
        ProfileLock::take(&self.folder).unwrap().unwrap()
    }

    async fn open(&self) -> Arc<Engine> {
        Arc::new(Engine::open(self.folder.clone(), self.lock()).await.unwrap())
    }

    async fn code_of_opening(&self) -> &'static str {
        Engine::open(self.folder.clone(), self.lock()).await.unwrap_err().code()
    }

    fn backups(&self) -> Vec<PathBuf> {
        care::backups(&self.folder).unwrap().into_iter().map(|backup| backup.file.into()).collect()
    }

    fn identity(&self) -> Uuid {
        let text = fs::read_to_string(self.folder.path().join("profile.json")).unwrap();
        text.split('"').find_map(|part| part.parse().ok()).unwrap()
    }

    async fn vault(&self) -> Vault {
        Vault::open(self.identity()).await.unwrap()
    }
}

/// What the desktop is told, by its titles.
fn titles() -> (Arc<Mutex<Vec<String>>>, OnEvent) {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let showing = Arc::clone(&shown);
    let on_event: OnEvent = Arc::new(move |event| {
        if let Event::Notice { title, .. } = event {
            showing.lock().unwrap().push(title);
        }
    });
    (shown, on_event)
}

fn silent() -> OnEvent {
    Arc::new(|_| ())
}

/// Noon of a day, far from every midnight wherever the tests run.
fn noon(day: u32) -> DateTime<Utc> {
    "2026-11-01T12:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::days(day.into())
}

async fn change(engine: &Engine, change: impl FnOnce(&mut Setup)) {
    let mut setup = engine.setup().await.unwrap();
    let revision = setup_revision(&setup);
    change(&mut setup);
    engine.save_setup(setup, &revision).await.unwrap();
}

async fn practice(engine: &Arc<Engine>) -> Running {
    let plugin = rosterbridge_powerschool::plugin::build(&Job::ALL, 0).unwrap();
    let district = rosterbridge_practice::start(ServeOptions::small(plugin)).await.unwrap();
    let ready = serde_json::to_string(district.ready()).unwrap();
    engine.import_practice(&ready, true).await.unwrap();
    district
}

#[tokio::test(flavor = "multi_thread")]
async fn one_backup_is_made_a_day_and_a_week_of_them_stays() {
    let home = Home::new();
    let engine = home.open().await;
    assert!(engine.keep_house(noon(0), &silent()).await.unwrap(), "at the first chance");
    assert!(!engine.keep_house(noon(0) + TimeDelta::hours(3), &silent()).await.unwrap(), "once a day");
    assert_eq!(home.backups().len(), 1);
    for day in 1..10 {
        assert!(engine.keep_house(noon(day), &silent()).await.unwrap());
    }
    let backups = home.backups();
    assert_eq!(backups.len(), 7);
    assert!(backups[0].ends_with("ledger-20261110T120000Z.db"), "{backups:?}");
    // The clock was put back: a backup too many harms nobody, but there is only one.
    assert!(engine.keep_house(noon(2), &silent()).await.unwrap());
    assert!(!engine.keep_house(noon(2), &silent()).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_fails_is_tried_again_an_hour_later() {
    let home = Home::new();
    let engine = home.open().await;
    let backups = home.folder.path().join("backups");
    fs::write(&backups, "no folder").unwrap();
    let (shown, on_event) = titles();
    assert!(engine.keep_house(noon(0), &on_event).await.unwrap());
    assert!(!engine.keep_house(noon(0), &on_event).await.unwrap());
    assert_eq!(*shown.lock().unwrap(), ["The nightly backup failed"], "the desktop shows it once");
    fs::remove_file(&backups).unwrap();
    assert!(
        !engine.keep_house(noon(0) + TimeDelta::minutes(1), &silent()).await.unwrap(),
        "left alone for a while"
    );
    assert!(engine.keep_house(noon(0) + TimeDelta::minutes(61), &silent()).await.unwrap());
    assert_eq!(home.backups().len(), 1);
    assert!(!engine.keep_house(noon(0) + TimeDelta::minutes(122), &silent()).await.unwrap());
}

/// On a full disk neither the backup is made, nor can it be noted that it was told.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_fails_is_told_once_a_day_though_the_ledger_takes_nothing() {
    let home = Home::new();
    let engine = home.open().await;
    fs::write(home.folder.path().join("backups"), "no folder").unwrap();
    let ledger = rusqlite::Connection::open(home.folder.ledger()).unwrap();
    let key = format!("x'{}'", engine.recovery_key().key.expose_secret());
    ledger.pragma_update(None, "key", key).unwrap();
    let refuse = "CREATE TRIGGER full BEFORE INSERT ON facts BEGIN SELECT RAISE(ABORT, 'full'); END;";
    ledger.execute_batch(refuse).unwrap();
    let (shown, on_event) = titles();
    for hours in [0, 2, 4] {
        let now = noon(0) + TimeDelta::hours(hours);
        assert!(engine.keep_house(now, &on_event).await.unwrap(), "tried again");
    }
    assert_eq!(*shown.lock().unwrap(), ["The nightly backup failed"]);
    assert!(engine.keep_house(noon(1), &on_event).await.unwrap());
    assert_eq!(shown.lock().unwrap().len(), 2, "the next day it is told again");
}

/// Ids of runs are made from the clock.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_cut_off_while_the_clock_was_ahead_keeps_no_later_one_from_being_told() {
    let home = Home::new();
    drop(home.open().await);
    let key = *home.vault().await.profile_key(false).await.unwrap().expose();
    let (shown, on_event) = titles();
    let now = Utc::now();
    let ahead = now + TimeDelta::days(365);
    for (day, started_at) in [(1, ahead), (2, now), (3, now + TimeDelta::hours(1))] {
        let ledger = Ledger::open(&home.folder.ledger(), &key, now).unwrap();
        let run = RunId::new(started_at);
        ledger.start_run(run, Trigger::Manual, &[JobId::HERO_STUDENTS], started_at).unwrap();
        drop(ledger);
        let engine = home.open().await;
        // Those after the first are told together, hours later.
        engine.keep_house(now + TimeDelta::days(day), &on_event).await.unwrap();
        drop(engine);
        drop(home.open().await);
    }
    assert_eq!(*shown.lock().unwrap(), ["1 run was cut off"; 3]);
}

/// What another version kept of a second sender, say.
#[rstest]
#[case::of_one_job(r#"[{"job": "hero-students", "file": "imports/STUDENT.TXT", "since": "Monday"}]"#, &[JobId::HERO_STUDENTS])]
#[case::of_any(
    "not a list",
    &[JobId::HERO_STUDENTS, JobId::HERO_SCHEDULE, JobId::HERO_TEACHERS, JobId::HERO_ATTENDANCE]
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_cant_be_read_lasts_and_is_told_once(#[case] kept: &str, #[case] jobs: &[JobId]) {
    let home = Home::new();
    drop(home.open().await);
    let key = *home.vault().await.profile_key(false).await.unwrap().expose();
    let ledger = Ledger::open(&home.folder.ledger(), &key, Utc::now()).unwrap();
    ledger.set_value("other_sender", kept).unwrap();
    drop(ledger);
    let (shown, on_event) = titles();
    let mut found = Vec::new();
    for _ in 0..2 {
        let engine = home.open().await;
        engine.keep_house(Utc::now(), &on_event).await.unwrap();
        for _ in 0..2 {
            found.push(engine.status().await.unwrap().other_sender);
        }
    }
    let paused: Vec<JobId> = found[0].iter().map(|view| view.job).collect();
    assert_eq!(paused, jobs);
    assert!(
        found[0].iter().all(|view| view.cause.message.contains("can't be read") && !view.path.is_empty())
    );
    assert!(found.iter().all(|later| *later == found[0]), "{found:#?}");
    let told: Vec<String> =
        jobs.iter().map(|job| format!("{job} is paused: another sender is active")).collect();
    assert_eq!(*shown.lock().unwrap(), told);
}

/// Makes a file look as old as it is to be.
fn age(path: &Path, at: DateTime<Utc>) {
    fs::File::options().write(true).open(path).unwrap().set_modified(at.into()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_the_retention_goes_and_only_what_is_ours() {
    let home = Home::new();
    let engine = home.open().await;
    let district = practice(&engine).await;
    let jobs = vec![JobId::RAPTOR_ROSTER, JobId::RAPTOR_TARDIES];
    let report = engine.sync(jobs, false, Arc::new(|_| ())).await.unwrap();
    assert_eq!(report.outcome, Outcome::Succeeded);
    let processed = district.ready().raptor.folder.join("processed");
    let ours: Vec<PathBuf> = fs::read_dir(&processed).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(ours.len(), 1);
    let stranger = processed.join("kept by hand.csv");
    fs::write(&stranger, "a,b\n1,2\n").unwrap();
    let now = Utc::now();
    for file in [&ours[0], &stranger] {
        age(file, now - TimeDelta::days(1));
    }
    // Less than the least counts as the least.
    change(&engine, |setup| setup.retention_days = 1).await;
    assert!(engine.keep_house(now + TimeDelta::days(59), &silent()).await.unwrap());
    assert!(ours[0].exists());
    assert!(engine.keep_house(now + TimeDelta::days(61), &silent()).await.unwrap());
    assert!(!ours[0].exists());
    assert!(stranger.exists());
    assert_eq!(engine.runs(9).await.unwrap().len(), 1, "the last run of every job stays");
    district.stop().await;
}

/// It counts when a file was put aside, not when it was written.
#[tokio::test(flavor = "multi_thread")]
async fn a_roster_file_that_is_not_in_use_goes_with_the_retention() {
    let home = Home::new();
    let engine = home.open().await;
    let district = practice(&engine).await;
    engine.sync(vec![JobId::RAPTOR_ROSTER], false, silent()).await.unwrap();
    let not_in_use = district.ready().raptor.folder.join("roster/not-in-use");
    assert!(!not_in_use.exists());
    change(&engine, |setup| setup.mappings.buildings[0].enabled = false).await;
    engine.sync(vec![JobId::RAPTOR_ROSTER], false, silent()).await.unwrap();
    let ours: Vec<PathBuf> = fs::read_dir(&not_in_use).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(ours.len(), 1);
    let stranger = not_in_use.join("kept by hand.csv");
    fs::write(&stranger, "a,b\n1,2\n").unwrap();
    let now = Utc::now();
    for file in [&ours[0], &stranger] {
        age(file, now - TimeDelta::days(100));
    }
    change(&engine, |setup| setup.retention_days = 60).await;
    assert!(engine.keep_house(now + TimeDelta::days(59), &silent()).await.unwrap());
    assert!(ours[0].exists());
    assert!(engine.keep_house(now + TimeDelta::days(61), &silent()).await.unwrap());
    assert!(!ours[0].exists());
    assert!(stranger.exists());
    district.stop().await;
}

/// Nobody may ever switch on again what a restored ledger has still to read.
#[tokio::test(flavor = "multi_thread")]
async fn a_restoration_that_is_never_completed_keeps_nothing_longer_than_the_retention() {
    let home = Home::new();
    let engine = home.open().await;
    let district = practice(&engine).await;
    change(&engine, |setup| setup.retention_days = 60).await;
    engine.sync(vec![JobId::RAPTOR_ROSTER, JobId::RAPTOR_TARDIES], false, silent()).await.unwrap();
    let processed = district.ready().raptor.folder.join("processed");
    let tardies = fs::read_dir(&processed).unwrap().next().unwrap().unwrap().path();
    let now = Utc::now();
    age(&tardies, now - TimeDelta::days(1));
    engine.back_up(now).await.unwrap();
    drop(engine);
    care::restore(home.folder.clone(), home.lock(), false, now).await.unwrap();
    let engine = home.open().await;
    assert!(engine.keep_house(now + TimeDelta::days(59), &silent()).await.unwrap());
    assert!(tardies.exists());
    assert!(engine.keep_house(now + TimeDelta::days(61), &silent()).await.unwrap());
    assert!(!tardies.exists());
    district.stop().await;
}

#[rstest]
#[case::cut_off(|ledger: &Path| fs::File::options().write(true).open(ledger).unwrap().set_len(5000).unwrap())]
#[case::flipped(|ledger: &Path| {
    let mut bytes = fs::read(ledger).unwrap();
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 16] {
        *byte ^= 0x5a;
    }
    fs::write(ledger, bytes).unwrap();
})]
#[case::gone(|ledger: &Path| fs::remove_file(ledger).unwrap())]
#[tokio::test(flavor = "multi_thread")]
async fn the_newest_backup_takes_a_damaged_ledgers_place(#[case] damage: fn(&Path)) {
    let home = Home::new();
    let engine = home.open().await;
    change(&engine, |setup| setup.connections[0].username = "before".to_owned()).await;
    engine.back_up(Utc::now()).await.unwrap();
    change(&engine, |setup| setup.connections[0].username = "after".to_owned()).await;
    drop(engine);
    damage(&home.folder.ledger());
    let engine = home.open().await;
    assert_eq!(engine.setup().await.unwrap().connections[0].username, "before");
    // It stays so, and is as good as any other.
    change(&engine, |setup| setup.connections[0].username = "again".to_owned()).await;
    drop(engine);
    assert_eq!(home.open().await.setup().await.unwrap().connections[0].username, "again");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_backup_only_a_person_begins_anew() {
    let home = Home::new();
    drop(home.open().await);
    // Nothing shows whether the file or the key is the wrong one, so nothing is done about it.
    fs::write(home.folder.ledger(), vec![0x5a; 40_960]).unwrap();
    assert_eq!(home.code_of_opening().await, "store.wrong_key");
    fs::File::options().write(true).open(home.folder.ledger()).unwrap().set_len(100).unwrap();
    assert_eq!(home.code_of_opening().await, "store.no_backup");
    let restored = care::restore(home.folder.clone(), home.lock(), false, Utc::now()).await;
    assert_eq!(restored.unwrap_err().code(), "store.no_backup");
    let begun = care::restore(home.folder.clone(), home.lock(), true, Utc::now()).await.unwrap();
    assert!(Path::new(&begun.set_aside.unwrap()).exists());
    assert_eq!(home.open().await.setup().await.unwrap(), Setup::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_key_comes_back_from_the_recovery_file_and_no_other() {
    let (home, other) = (Home::new(), Home::new());
    let engine = home.open().await;
    change(&engine, |setup| setup.connections[0].username = "kept".to_owned()).await;
    let recovery = engine.recovery_key();
    drop(engine);
    let others = other.open().await.recovery_key();
    home.vault().await.erase().await.unwrap();
    assert_eq!(home.code_of_opening().await, "vault.key_missing");

    let refused = care::recover_key(home.folder.clone(), home.lock(), others.clone(), Utc::now()).await;
    assert_eq!(refused.unwrap_err().code(), "vault.other_profile");
    let forged = care::RecoveryKey { profile: recovery.profile, ..others };
    let mark = home.folder.path().join("ledger.db-damaged");
    // Neither where a backup found the ledger to be damaged.
    for marked in [false, true] {
        if marked {
            fs::write(&mark, "").unwrap();
        }
        let refused = care::recover_key(home.folder.clone(), home.lock(), forged.clone(), Utc::now()).await;
        assert_eq!(refused.unwrap_err().code(), "store.wrong_key", "{marked}");
    }
    fs::remove_file(mark).unwrap();
    assert_eq!(home.code_of_opening().await, "vault.key_missing", "nothing was put into the keychain");

    // The identity may be lost along with the keychain.
    fs::remove_file(home.folder.path().join("profile.json")).unwrap();
    care::recover_key(home.folder.clone(), home.lock(), recovery, Utc::now()).await.unwrap();
    assert_eq!(home.open().await.setup().await.unwrap().connections[0].username, "kept");
    home.vault().await.erase().await.unwrap();
    other.vault().await.erase().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_erased_district_is_left() {
    let home = Home::new();
    let engine = home.open().await;
    engine.set_secret("hero.password", "tulip-9 under glass".into()).await.unwrap();
    engine.back_up(Utc::now()).await.unwrap();
    drop(engine);
    let vault = home.vault().await;
    fs::create_dir_all(home.folder.logs()).unwrap();
    fs::write(home.folder.logs().join("rosterbridge.log"), "x").unwrap();
    fs::write(home.folder.path().join("mine.txt"), "x").unwrap();

    let erased = care::erase(home.folder.clone(), home.lock(), Vec::new()).await.unwrap();
    let left: Vec<&str> = erased.left.iter().map(|left| left.what.as_str()).collect();
    assert_eq!(left, [home.folder.path().join("mine.txt").to_str().unwrap()], "what is not ours stays");
    let there: Vec<_> =
        fs::read_dir(home.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(there, ["mine.txt"]);
    assert_eq!(vault.profile_key(false).await.map(drop).unwrap_err().code(), "vault.key_missing");
    for name in SecretName::of([ConnectionId::HERO]) {
        assert!(!vault.holds(name).await.unwrap(), "{name}");
    }

    fs::remove_file(home.folder.path().join("mine.txt")).unwrap();
    let erased = care::erase(home.folder.clone(), home.lock(), Vec::new()).await.unwrap();
    assert_eq!(erased.left, []);
    assert!(!home.folder.path().exists());
    assert_eq!(fs::read_dir(home.home.path().join("profiles")).unwrap().count(), 0);
}
