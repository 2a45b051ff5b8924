//! Backups, damage, and what is done about it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use chrono::{DateTime, TimeDelta, Utc};
use rosterbridge_domain::{attendance::Source, held::HoldReason, job::JobId};
use rosterbridge_store::{
    Ledger, StoreError, backup, erase_databases,
    ledger::{InputFile, OutboxState, Standing, TakenOver, Trigger},
};
use rstest::rstest;
use support::{Fixture, KEY, OTHER_KEY, at, daily, files_in, hash, hold, raw, start_run, write};

const FILE: &str = "ATTENDANCE.txt";
/// SQLCipher's page.
const PAGE: usize = 4096;

fn names(folder: &Path) -> Vec<String> {
    files_in(folder)
        .iter()
        .filter(|file| file.is_file())
        .map(|file| file.file_name().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn days(days: i64) -> DateTime<Utc> {
    at(0) + TimeDelta::days(days)
}

/// A ledger of some fifty pages, closed, with one backup that lacks what came last.
struct Backed {
    folder: tempfile::TempDir,
    ledger: PathBuf,
    backups: PathBuf,
}

impl Backed {
    fn new() -> Self {
        let fixture = Fixture::new();
        let rows: Vec<_> = (0..300).map(|row| hold(row, HoldReason::UnknownStudent)).collect();
        fixture.decide(Source::Hero, FILE, &rows, 1);
        fixture.ledger.set_value("last", "before the backup").unwrap();
        let ledger = fixture.path();
        let backups = Ledger::backups_beside(&ledger);
        fixture.ledger.back_up(&backups, &KEY, at(10), 7).unwrap();
        fixture.ledger.set_value("last", "after the backup").unwrap();
        drop(fixture.ledger);
        Self { folder: fixture.folder, ledger, backups }
    }

    fn open(&self) -> Result<Ledger, StoreError> {
        Ledger::open(&self.ledger, &KEY, at(100))
    }

    fn restore(&self) -> Result<rosterbridge_store::ledger::Restored, StoreError> {
        Ledger::restore_latest(&self.ledger, &self.backups, &KEY, at(100))
    }
}

/// Ways in which a file is spoilt.
#[derive(Clone, Copy, Debug)]
enum Spoil {
    Emptied,
    CutToAByte,
    CutInTheFirstPage,
    CutBehindTheFirstPage,
    CutInTheMiddle,
    CutByAByte,
    SaltFlipped,
    HeaderFlipped,
    FirstPageZeroed,
    MiddleFlipped,
    LastByteFlipped,
    AllZeros,
    OtherContent,
    Missing,
}

fn spoil(path: &Path, how: Spoil) {
    let mut bytes = fs::read(path).unwrap();
    let length = bytes.len();
    match how {
        Spoil::Emptied => bytes.clear(),
        Spoil::CutToAByte => bytes.truncate(1),
        Spoil::CutInTheFirstPage => bytes.truncate(PAGE / 2),
        Spoil::CutBehindTheFirstPage => bytes.truncate(PAGE),
        Spoil::CutInTheMiddle => bytes.truncate(length / 2 / PAGE * PAGE),
        Spoil::CutByAByte => bytes.truncate(length - 1),
        Spoil::SaltFlipped => bytes[3] ^= 1,
        Spoil::HeaderFlipped => bytes[40] ^= 1,
        Spoil::FirstPageZeroed => bytes[..PAGE].fill(0),
        Spoil::MiddleFlipped => bytes[length / 2] ^= 1,
        Spoil::LastByteFlipped => bytes[length - 1] ^= 1,
        Spoil::AllZeros => bytes.fill(0),
        Spoil::OtherContent => bytes = b"This was a ledger once. ".repeat(2_000),
        Spoil::Missing => return fs::remove_file(path).unwrap(),
    }
    fs::write(path, bytes).unwrap();
}

#[rstest]
#[case(Spoil::Emptied)]
#[case(Spoil::CutToAByte)]
#[case(Spoil::CutInTheFirstPage)]
#[case(Spoil::CutBehindTheFirstPage)]
#[case(Spoil::CutInTheMiddle)]
#[case(Spoil::CutByAByte)]
#[case(Spoil::SaltFlipped)]
#[case(Spoil::HeaderFlipped)]
#[case(Spoil::FirstPageZeroed)]
#[case(Spoil::MiddleFlipped)]
#[case(Spoil::LastByteFlipped)]
#[case(Spoil::AllZeros)]
#[case(Spoil::OtherContent)]
#[case(Spoil::Missing)]
fn a_damaged_ledger_is_found_set_aside_and_restored(#[case] how: Spoil) {
    let backed = Backed::new();
    spoil(&backed.ledger, how);
    let damaged = fs::read(&backed.ledger).ok();
    match backed.open() {
        Err(StoreError::Damaged { path, .. }) => assert_eq!(path, backed.ledger),
        other => panic!("{how:?}: {:?}", other.err()),
    }
    assert_eq!(fs::read(&backed.ledger).ok(), damaged, "finding it changes nothing");

    let restored = backed.restore().unwrap();
    assert_eq!((restored.backup.made_at, restored.passed_over.len()), (at(10), 0));
    assert_eq!(restored.set_aside.map(|file| fs::read(file).unwrap()), damaged, "the damaged file is kept");

    let ledger = backed.open().unwrap();
    ledger.integrity_check().unwrap();
    assert_eq!(ledger.value("last").unwrap().as_deref(), Some("before the backup"));
    assert_eq!(ledger.held_count().unwrap(), 300);
    let restoration = ledger.restoration().unwrap().unwrap();
    assert_eq!((restoration.at, restoration.backup_made_at), (at(100), Some(at(10))));
    assert_eq!(restoration.from.as_deref(), Some("ledger-20261120T140010Z.db"));
    ledger.restoration_completed().unwrap();
    assert_eq!(ledger.restoration().unwrap(), None);
}

#[test]
fn another_key_is_no_damage() {
    let backed = Backed::new();
    let before = fs::read(&backed.ledger).unwrap();
    let code = |error: StoreError| error.code();
    assert_eq!(Ledger::open(&backed.ledger, &OTHER_KEY, at(0)).err().map(code), Some("store.wrong_key"));
    let restored = Ledger::restore_latest(&backed.ledger, &backed.backups, &OTHER_KEY, at(0));
    assert_eq!(restored.err().map(code), Some("store.wrong_key"));
    assert_eq!(fs::read(&backed.ledger).unwrap(), before);
    assert_eq!(names(backed.folder.path()), ["ledger.db"]);
    backed.open().unwrap();
}

#[rstest]
#[case::marked(|ledger: &Path| fs::write(ledger.with_file_name("ledger.db-damaged"), "").unwrap())]
#[case::gone(|ledger: &Path| fs::remove_file(ledger).unwrap())]
fn another_key_is_told_where_damage_was_found_before(#[case] damage: fn(&Path)) {
    let backed = Backed::new();
    damage(&backed.ledger);
    assert_eq!(Ledger::open(&backed.ledger, &OTHER_KEY, at(0)).unwrap_err().code(), "store.wrong_key");
    assert_eq!(backed.open().unwrap_err().code(), "store.damaged");
}

#[test]
fn without_a_backup_damage_is_told_from_another_key_by_the_other_pages() {
    let backed = Backed::new();
    fs::remove_dir_all(&backed.backups).unwrap();
    spoil(&backed.ledger, Spoil::HeaderFlipped);
    assert_eq!(backed.open().unwrap_err().code(), "store.damaged");
    assert_eq!(Ledger::open(&backed.ledger, &OTHER_KEY, at(0)).unwrap_err().code(), "store.wrong_key");
}

#[test]
fn damage_while_it_is_open_is_found_by_the_check_and_by_the_next_backup() {
    let fixture = Fixture::new();
    let rows: Vec<_> = (0..300).map(|row| hold(row, HoldReason::UnknownStudent)).collect();
    fixture.decide(Source::Hero, FILE, &rows, 1);
    let backups = Ledger::backups_beside(&fixture.path());
    fixture.ledger.back_up(&backups, &KEY, at(2), 1).unwrap();
    fixture.ledger.integrity_check().unwrap();
    // The check has folded the log into the file.
    spoil(&fixture.path(), Spoil::MiddleFlipped);
    assert_eq!(fixture.ledger.integrity_check().unwrap_err().code(), "store.damaged");
    assert_eq!(fixture.ledger.back_up(&backups, &KEY, at(3), 1).unwrap_err().code(), "store.damaged");
    assert_eq!(names(&backups), ["ledger-20261120T140002Z.db"], "the good one stays, and nothing half made");
}

/// The file lacks what the log holds then: whether that is whole can't be said.
#[test]
fn the_check_says_that_it_could_not_be_made_while_somebody_reads_an_earlier_moment() {
    let fixture = small();
    let rows = fixture.ledger.row_snapshot(&KEY).unwrap();
    fixture.ledger.set_value("later", "than what is read").unwrap();
    assert_eq!(fixture.ledger.integrity_check().unwrap_err().code(), "store.busy");
    drop(rows);
    fixture.ledger.integrity_check().unwrap();
}

fn small() -> Fixture {
    let fixture = Fixture::new();
    fixture.decide(Source::Hero, FILE, &[hold(1, HoldReason::UnknownStudent)], 1);
    fixture
}

/// A ledger too large to be read whole at every opening.
fn large() -> Fixture {
    let fixture = Fixture::new();
    let text = "x".repeat(30_000);
    for row in 0..640 {
        fixture.ledger.set_value(&format!("{row}"), &text).unwrap();
    }
    fixture.ledger.integrity_check().unwrap();
    assert!(fs::metadata(fixture.path()).unwrap().len() > 16 << 20);
    fixture
}

fn page_of_a_large_ledger(path: &Path) {
    spoil(path, Spoil::MiddleFlipped);
}

/// An index that does not say what its table says.
fn index(path: &Path) {
    let connection = raw(path);
    connection
        .execute_batch(
            "PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = replace(sql, '(run)', '(line)') WHERE name = 'held_rows_by_run';",
        )
        .unwrap();
}

#[rstest]
#[case::a_page_of_a_large_one(large, page_of_a_large_ledger)]
#[case::an_index(small, index)]
fn damage_that_only_a_backup_finds_is_known_at_the_next_opening(
    #[case] ledger: fn() -> Fixture,
    #[case] damage: fn(&Path),
) {
    let Fixture { folder, ledger, .. } = ledger();
    let path = folder.path().join("ledger.db");
    let backups = Ledger::backups_beside(&path);
    ledger.set_value("last", "before the backup").unwrap();
    ledger.back_up(&backups, &KEY, at(10), 7).unwrap();
    drop(ledger);
    damage(&path);
    let ledger = Ledger::open(&path, &KEY, at(20)).unwrap();
    ledger.set_value("last", "after the damage").unwrap();
    assert_eq!(ledger.back_up(&backups, &KEY, at(30), 7).unwrap_err().code(), "store.damaged");
    assert_eq!(names(&backups).len(), 1, "no backup is made of it");
    drop(ledger);

    assert_eq!(Ledger::open(&path, &KEY, at(40)).unwrap_err().code(), "store.damaged");
    let restored = Ledger::restore_latest(&path, &backups, &KEY, at(50)).unwrap();
    assert!(restored.set_aside.unwrap().exists());
    let ledger = Ledger::open(&path, &KEY, at(60)).unwrap();
    assert_eq!(ledger.value("last").unwrap().as_deref(), Some("before the backup"));
    ledger.back_up(&backups, &KEY, at(70), 7).unwrap();
    drop(ledger);
    Ledger::open(&path, &KEY, at(80)).unwrap();
}

#[rstest]
#[case::none(|_: &Path| ())]
#[case::that_is_damaged_as_well(|backups: &Path| {
    let damaged = backups.join("ledger-20261120T140010Z.db");
    fs::write(damaged, vec![0x5a; 40_960]).unwrap();
})]
fn without_a_good_backup_a_slightly_damaged_ledger_can_still_be_opened(#[case] backup: fn(&Path)) {
    let Fixture { folder, ledger, .. } = small();
    let path = folder.path().join("ledger.db");
    drop(ledger);
    index(&path);
    let backups = Ledger::backups_beside(&path);
    fs::create_dir_all(&backups).unwrap();
    backup(&backups);
    for day in 1..3 {
        let ledger = Ledger::open(&path, &KEY, days(day)).unwrap();
        assert_eq!(ledger.held_count().unwrap(), 1);
        assert_eq!(ledger.back_up(&backups, &KEY, days(day), 7).unwrap_err().code(), "store.damaged");
    }
}

/// It is the copy's disk that is bad then, or full.
#[test]
fn a_backup_that_fails_by_itself_says_nothing_about_the_ledger() {
    let fixture = Fixture::new();
    let no_folder = fixture.folder.path().join("a file");
    fs::write(&no_folder, "").unwrap();
    assert_eq!(fixture.ledger.back_up(&no_folder, &KEY, at(1), 7).unwrap_err().code(), "store.io");
    let path = fixture.path();
    drop(fixture.ledger);
    Ledger::open(&path, &KEY, at(2)).unwrap();
}

#[test]
fn a_large_ledger_is_read_whole_when_it_was_not_closed() {
    let fixture = large();
    fixture.ledger.set_value("last", "in the log").unwrap();
    // As a killed process leaves it.
    let killed = tempfile::tempdir().unwrap();
    for suffix in ["", "-wal"] {
        let name = format!("ledger.db{suffix}");
        fs::copy(fixture.folder.path().join(&name), killed.path().join(&name)).unwrap();
    }
    let left = killed.path().join("ledger.db");
    let ledger = Ledger::open(&left, &KEY, at(0)).unwrap();
    assert_eq!(ledger.value("last").unwrap().as_deref(), Some("in the log"));
    drop(ledger);
    drop(fixture.ledger);
    spoil(&left, Spoil::MiddleFlipped);
    drop(Ledger::open(&left, &KEY, at(0)).unwrap());
    fs::write(killed.path().join("ledger.db-wal"), [0; 40]).unwrap();
    assert_eq!(Ledger::open(&left, &KEY, at(0)).unwrap_err().code(), "store.damaged");
}

#[test]
fn a_backup_is_a_whole_ledger_with_the_same_key() {
    let backed = Backed::new();
    let [backup] = &backup::list(&backed.backups).unwrap()[..] else { panic!("one backup") };
    assert_eq!((backup.made_at, backup.before_layout), (at(10), None));
    assert_eq!(Ledger::open(&backup.path, &OTHER_KEY, at(0)).unwrap_err().code(), "store.wrong_key");
    let copy = Ledger::open(&backup.path, &KEY, at(0)).unwrap();
    copy.integrity_check().unwrap();
    assert_eq!(copy.value("last").unwrap().as_deref(), Some("before the backup"));
    assert_eq!(copy.restoration().unwrap(), None);
}

#[test]
fn the_newest_backups_stay() {
    let fixture = Fixture::new();
    let backups = Ledger::backups_beside(&fixture.path());
    for day in 0..10 {
        fixture.ledger.back_up(&backups, &KEY, days(day), 7).unwrap();
    }
    let made: Vec<_> = backup::list(&backups).unwrap().iter().map(|backup| backup.made_at).collect();
    assert_eq!(made, [9, 8, 7, 6, 5, 4, 3].map(days));
    fixture.ledger.back_up(&backups, &KEY, days(10), 0).unwrap();
    assert_eq!(names(&backups), ["ledger-20261130T140000Z.db"], "the one just made stays in any case");
}

#[test]
fn those_made_before_a_change_of_layout_stay_for_thirty_days() {
    let fixture = Fixture::new();
    let backups = Ledger::backups_beside(&fixture.path());
    fixture.ledger.back_up(&backups, &KEY, days(0), 1).unwrap();
    let before_layout = backups.join("ledger-20261120T140000Z-before-layout-2.db");
    fs::rename(backups.join("ledger-20261120T140000Z.db"), &before_layout).unwrap();
    fs::write(backups.join("notes.txt"), "the administrator's own").unwrap();
    fixture.ledger.back_up(&backups, &KEY, days(30), 1).unwrap();
    assert!(before_layout.exists());
    let listed: Vec<_> =
        backup::list(&backups).unwrap().iter().map(|backup| (backup.made_at, backup.before_layout)).collect();
    assert_eq!(listed, [(days(30), None), (days(0), Some(2))]);
    fixture.ledger.back_up(&backups, &KEY, days(31), 1).unwrap();
    assert_eq!(names(&backups), ["ledger-20261221T140000Z.db", "notes.txt"]);
}

/// A clock that was ahead for a while would else make its backups the newest for as long.
#[test]
fn backups_keep_their_order_when_the_clock_goes_back() {
    let fixture = Fixture::new();
    let backups = Ledger::backups_beside(&fixture.path());
    for (note, at) in [("ahead", days(5_000)), ("put right", days(0)), ("later", days(1))] {
        fixture.ledger.set_value("note", note).unwrap();
        fixture.ledger.back_up(&backups, &KEY, at, 2).unwrap();
    }
    let path = fixture.path();
    drop(fixture.ledger);
    let restored = Ledger::restore_latest(&path, &backups, &KEY, days(2)).unwrap();
    assert_eq!(restored.backup.made_at, days(5_000) + TimeDelta::seconds(2));
    let ledger = Ledger::open(&path, &KEY, days(2)).unwrap();
    assert_eq!(ledger.value("note").unwrap().as_deref(), Some("later"));
    assert_eq!(backup::list(&backups).unwrap().len(), 2);
}

#[test]
fn a_backup_is_made_while_somebody_writes() {
    let fixture = Fixture::new();
    let backups = Ledger::backups_beside(&fixture.path());
    // Another connection in the middle of a transaction.
    let writer = raw(&fixture.path());
    writer.execute_batch("BEGIN IMMEDIATE; INSERT INTO facts VALUES ('note', 'not yet');").unwrap();
    let backup = fixture.ledger.back_up(&backups, &KEY, at(1), 1).unwrap();
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(fixture.ledger.value("note").unwrap().as_deref(), Some("not yet"));
    assert_eq!(Ledger::open(&backup.path, &KEY, at(1)).unwrap().value("note").unwrap(), None);
}

#[test]
fn a_backup_that_was_cut_short_is_no_backup() {
    let backed = Backed::new();
    let partial = backed.backups.join("ledger-20261120T150000Z.db.part");
    let bytes = fs::read(backed.backups.join("ledger-20261120T140010Z.db")).unwrap();
    fs::write(&partial, &bytes[..bytes.len() / 2]).unwrap();
    fs::write(backed.backups.join("ledger-20261120T150000Z.db.part-journal"), "left over").unwrap();
    fs::write(&backed.ledger, "").unwrap();
    assert_eq!(backed.restore().unwrap().backup.made_at, at(10));
    let ledger = backed.open().unwrap();
    ledger.back_up(&backed.backups, &KEY, at(200), 7).unwrap();
    assert_eq!(names(&backed.backups), ["ledger-20261120T140010Z.db", "ledger-20261120T140320Z.db"]);
}

#[rstest]
#[case(Spoil::Emptied, "store.damaged")]
#[case(Spoil::CutInTheMiddle, "store.damaged")]
#[case(Spoil::HeaderFlipped, "store.damaged")]
#[case(Spoil::SaltFlipped, "store.wrong_key")]
#[case(Spoil::MiddleFlipped, "store.damaged")]
#[case(Spoil::AllZeros, "store.damaged")]
fn an_older_backup_is_used_if_the_newest_is_bad(#[case] how: Spoil, #[case] code: &str) {
    let backed = Backed::new();
    backed.open().unwrap().back_up(&backed.backups, &KEY, at(50), 7).unwrap();
    let newest = backed.backups.join("ledger-20261120T140050Z.db");
    spoil(&newest, how);
    spoil(&backed.ledger, Spoil::MiddleFlipped);
    let restored = backed.restore().unwrap();
    assert_eq!(restored.backup.made_at, at(10));
    let passed_over: Vec<_> =
        restored.passed_over.iter().map(|(path, error)| (path.as_path(), error.code())).collect();
    assert_eq!(passed_over, [(newest.as_path(), code)]);
    backed.open().unwrap().integrity_check().unwrap();
}

#[test]
fn with_no_usable_backup_nothing_is_touched_until_a_person_says_so() {
    let backed = Backed::new();
    spoil(&backed.backups.join("ledger-20261120T140010Z.db"), Spoil::MiddleFlipped);
    spoil(&backed.ledger, Spoil::CutInTheMiddle);
    match backed.restore() {
        Err(StoreError::NoBackup { tried: 1, .. }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(names(backed.folder.path()), ["ledger.db"]);
    assert_eq!(backed.open().unwrap_err().code(), "store.damaged");
    let nowhere = Ledger::restore_latest(&backed.ledger, &backed.folder.path().join("none"), &KEY, at(0));
    assert_eq!(nowhere.unwrap_err().code(), "store.no_backup");

    let set_aside = Ledger::begin_anew(&backed.ledger, &KEY, at(60)).unwrap().unwrap();
    assert_eq!(set_aside.file_name().unwrap(), "ledger-damaged-20261120T140100Z.db");
    let ledger = backed.open().unwrap();
    assert_eq!((ledger.held_count().unwrap(), ledger.setup().unwrap()), (0, None));
    let restoration = ledger.restoration().unwrap().unwrap();
    assert_eq!((restoration.at, restoration.from, restoration.backup_made_at), (at(60), None, None));
}

/// The log of the damaged ledger must not be laid over the restored one, nor be lost.
#[test]
fn the_log_is_set_aside_with_its_ledger() {
    let fixture = Fixture::new();
    fixture.ledger.back_up(&Ledger::backups_beside(&fixture.path()), &KEY, at(1), 7).unwrap();
    fixture.ledger.set_value("note", "in the log").unwrap();
    // As a killed process leaves it.
    let killed = tempfile::tempdir().unwrap();
    let ledger = killed.path().join("ledger.db");
    for name in ["ledger.db", "ledger.db-wal"] {
        fs::copy(fixture.folder.path().join(name), killed.path().join(name)).unwrap();
    }
    let log = fs::read(killed.path().join("ledger.db-wal")).unwrap();
    let backups = Ledger::backups_beside(&fixture.path());
    let restored = Ledger::restore_latest(&ledger, &backups, &KEY, at(0)).unwrap();
    assert_eq!(
        names(killed.path()),
        ["ledger-damaged-20261120T140000Z.db", "ledger-damaged-20261120T140000Z.db-wal", "ledger.db"]
    );
    assert_eq!(fs::read(killed.path().join("ledger-damaged-20261120T140000Z.db-wal")).unwrap(), log);
    assert_eq!(Ledger::open(&ledger, &KEY, at(0)).unwrap().value("note").unwrap(), None);
    // What was set aside is still a ledger with its log.
    let aside = Ledger::open(&restored.set_aside.unwrap(), &KEY, at(0)).unwrap();
    assert_eq!(aside.value("note").unwrap().as_deref(), Some("in the log"));
}

/// Each stage a restoration can be cut short at.
#[rstest]
#[case::nothing_moved(&[])]
#[case::the_ledger_moved(&[""])]
#[case::all_moved(&["", "-wal"])]
fn a_restoration_that_was_cut_short_is_done_again(#[case] moved: &[&str]) {
    let backed = Backed::new();
    fs::write(backed.folder.path().join("ledger.db-wal"), "what is left of a log").unwrap();
    fs::write(backed.folder.path().join("ledger.db.restoring"), "half of a ledger").unwrap();
    spoil(&backed.ledger, Spoil::HeaderFlipped);
    for suffix in moved {
        let aside = format!("ledger-damaged-20261120T140140Z.db{suffix}");
        fs::rename(backed.folder.path().join(format!("ledger.db{suffix}")), backed.folder.path().join(aside))
            .unwrap();
    }
    assert!(Ledger::was_at(&backed.ledger).unwrap());
    assert_eq!(backed.open().unwrap_err().code(), "store.damaged", "no empty ledger takes its place");
    backed.restore().unwrap();
    let ledger = backed.open().unwrap();
    assert_eq!(ledger.held_count().unwrap(), 300);
    drop(ledger);
    // Of what SQLite kept beside it, `-shm` is of no use to anybody.
    let kept: Vec<_> =
        names(backed.folder.path()).into_iter().filter(|name| !name.ends_with("-shm")).collect();
    assert_eq!(kept.iter().filter(|name| name.starts_with("ledger-damaged-")).count(), 2, "{kept:?}");
    assert!(kept.contains(&"ledger.db".to_owned()) && kept.len() == 3, "{kept:?}");
}

#[test]
fn two_restorations_in_one_second_lose_no_file() {
    let backed = Backed::new();
    backed.restore().unwrap();
    backed.restore().unwrap();
    assert_eq!(
        names(backed.folder.path()),
        ["ledger-damaged-20261120T140140Z.db", "ledger-damaged-20261120T140141Z.db", "ledger.db"]
    );
}

#[test]
fn what_was_under_way_is_unknown_after_a_restoration() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let rows: Vec<_> = (1..=5).map(|row| write(row, daily(i64::try_from(row).unwrap()), "T")).collect();
    fixture.decide(Source::Hero, FILE, &rows, 1);
    let ids: Vec<_> = ledger.pending(Source::Hero).unwrap().iter().map(|row| row.id).collect();
    ledger.mark_sending(&ids[1..], at(2)).unwrap();
    ledger.mark_unknown(&ids[2..3], "not_seen", at(3)).unwrap();
    ledger.mark_confirmed(&ids[3..4], at(3)).unwrap();
    ledger.mark_held(ids[4], HoldReason::ExistingCode, "", at(3)).unwrap();
    let path = fixture.path();
    let backups = Ledger::backups_beside(&path);
    ledger.back_up(&backups, &KEY, at(4), 7).unwrap();
    drop(fixture.ledger);

    let restored = Ledger::restore_latest(&path, &backups, &KEY, at(9)).unwrap();
    assert_eq!(restored.made_unknown, 3);
    let ledger = Ledger::open(&path, &KEY, at(9)).unwrap();
    let rows: Vec<_> = ids.iter().map(|id| ledger.outbox_row(*id).unwrap().unwrap()).collect();
    let states: Vec<_> = rows.iter().map(|row| (row.state, row.reason.as_str(), row.changed_at)).collect();
    assert_eq!(
        states,
        [
            (OutboxState::Unknown, "restored", at(9)),
            (OutboxState::Unknown, "restored", at(9)),
            // After the backup it may have been sent once more: what is known of its first sending tells nothing of that.
            (OutboxState::Unknown, "restored", at(9)),
            (OutboxState::Confirmed, "", at(3)),
            (OutboxState::Held, HoldReason::ExistingCode.code(), at(3)),
        ]
    );
    // None can be sent as it is; each can be settled by what PowerSchool turns out to have.
    assert_eq!(ledger.mark_sending(&ids[..1], at(10)).unwrap_err().code(), "store.not_in_state");
    ledger.mark_confirmed(&ids[..1], at(10)).unwrap();
    ledger.mark_decided_again(&ids[1..2], at(10)).unwrap();
    // The key comes back with the ledger, and the runs go on.
    let run = start_run(&ledger, 20);
    assert_eq!(ledger.run(run).unwrap().unwrap().trigger, Trigger::Manual);
    assert_eq!(ledger.interrupt_unfinished_runs(at(30)).unwrap(), 2);
    assert!(ledger.last_job_run(JobId::HERO_ATTENDANCE).unwrap().is_some());
}

/// What `killed_in_the_middle_of_a_backup` runs in a process of its own, until it is killed.
#[test]
#[ignore = "a child process of another test"]
fn backs_up_until_killed() {
    let path = std::env::var_os("ROSTERBRIDGE_STORE_TEST_LEDGER").expect("run by another test only");
    let path = Path::new(&path);
    let ledger = Ledger::open(path, &KEY, at(0)).unwrap();
    for second in 1.. {
        ledger.set_value("backups", &second.to_string()).unwrap();
        ledger.back_up(&Ledger::backups_beside(path), &KEY, at(second), 3).unwrap();
        println!("made {second}");
    }
}

#[test]
fn killed_in_the_middle_of_a_backup() {
    let backed = Backed::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "backs_up_until_killed", "--ignored", "--nocapture"])
        .env("ROSTERBRIDGE_STORE_TEST_LEDGER", &backed.ledger)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The test harness writes the test's name before the first line, without ending it.
    assert_eq!(lines.map_while(Result::ok).filter(|line| line.contains("made ")).take(3).count(), 3);
    child.kill().unwrap();
    child.wait().unwrap();

    assert!(!backup::list(&backed.backups).unwrap().is_empty());
    for backup in backup::list(&backed.backups).unwrap() {
        let copy = Ledger::open(&backup.path, &KEY, at(0)).unwrap();
        copy.integrity_check().unwrap();
    }
    let ledger = backed.open().unwrap();
    ledger.back_up(&backed.backups, &KEY, days(1), 1).unwrap();
    assert_eq!(names(&backed.backups), ["ledger-20261121T140000Z.db"], "nothing half made is left");
}

#[test]
fn two_connections_see_each_other_and_wait() {
    let fixture = Fixture::new();
    let other = Ledger::open(&fixture.path(), &KEY, at(0)).unwrap();
    fixture.ledger.set_value("note", "one").unwrap();
    assert_eq!(other.value("note").unwrap().as_deref(), Some("one"));
    drop(fixture.ledger);
    other.set_value("note", "two").unwrap();
    other.integrity_check().unwrap();
}

#[test]
fn what_powerschool_held_already_is_taken_over_as_ours() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    fixture.decide(Source::Hero, FILE, &[write(1, daily(1), "T")], 1);
    let [open] = &ledger.pending(Source::Hero).unwrap()[..] else { panic!("not one") };
    ledger.mark_sending(&[open.id], at(2)).unwrap();

    let run = start_run(ledger, 10);
    let rows = [(2, 1, "A"), (3, 2, "T"), (4, 3, "T"), (5, 4, "T")];
    let decisions = rows.map(|(row, student, code)| write(row, daily(student), code));
    let (standing, undecided) = ([hash(2), hash(3)].into(), [hash(5)].into());
    let file = InputFile { name: FILE, sha256: "ef", day: support::day() };
    let taken_over = TakenOver {
        rows: 0,
        decisions: &decisions,
        standing: &standing,
        changed: &[].into(),
        undecided: &undecided,
        overtaken: &[open.id],
    };
    assert_eq!(ledger.take_over(run, Source::Hero, &file, &taken_over, at(11)).unwrap(), 2);
    let written = ledger.written_by(run).unwrap();
    let seen: Vec<_> = written.iter().map(|write| (write.standing, write.taken_over)).collect();
    assert_eq!(seen, [(Standing::Last, true); 3]);
    let history = ledger.history(Source::Hero, &[daily(1), daily(4)]).unwrap();
    let ours = |code: &str| Some((Source::Hero, code.to_owned()));
    assert_eq!((history[&daily(1)].stated.as_deref(), &history[&daily(1)].written), (Some("A"), &ours("A")));
    assert_eq!((history[&daily(4)].stated.as_deref(), &history[&daily(4)].written), (None, &ours("T")));
    let pending: Vec<_> = ledger.pending(Source::Hero).unwrap().iter().map(|row| row.row_hash).collect();
    assert_eq!(pending, [hash(4)], "what does not stand is still to be sent");
    let decided = ledger.delivered(Source::Hero, &[2, 3, 4, 5].map(hash)).unwrap();
    assert_eq!(decided, [2, 3, 4].map(hash).into(), "what was cleared is still to be decided");
    let earlier = ledger.written_by(fixture.run).unwrap();
    assert_eq!((earlier[0].standing, earlier[0].taken_over), (Standing::WrittenAgain, false));

    // All of it or nothing.
    let decisions = [write(6, daily(5), "T"), write(7, daily(3), "A")];
    let (standing, undecided) = ([hash(6)].into(), [].into());
    let taken_over = TakenOver {
        rows: 0,
        decisions: &decisions,
        standing: &standing,
        changed: &[].into(),
        undecided: &undecided,
        overtaken: &[],
    };
    let refused = ledger.take_over(run, Source::Hero, &file, &taken_over, at(12)).unwrap_err();
    assert_eq!(refused.code(), "store.unsettled_write");
    assert_eq!(ledger.history(Source::Hero, &[daily(5)]).unwrap(), std::collections::HashMap::new());
}

#[test]
fn erasing_leaves_only_what_is_not_ours() {
    let backed = Backed::new();
    let folder = backed.folder.path();
    spoil(&backed.ledger, Spoil::MiddleFlipped);
    backed.restore().unwrap();
    for name in [
        "ledger.db-wal",
        "ledger.db.new",
        "ledger.db.restoring-journal",
        "roster.db",
        "roster.db-damaged",
        "ledger.db-damaged",
        "roster-staging.db",
        "profile.json",
        "ledger-notes.txt",
        "backups/ledger-20261120T150000Z.db.part",
        "backups/ledger-20261120T150000Z.db.part-journal",
        "backups/ledger-20261120T150000Z-before-layout-2.db",
    ] {
        fs::write(folder.join(name), "x").unwrap();
    }
    assert_eq!(erase_databases(folder).len(), 0);
    assert_eq!(names(folder), ["ledger-notes.txt", "profile.json"]);
    assert!(!backed.backups.exists());
    assert_eq!(erase_databases(folder).len(), 0, "what is gone already is no failure");
    assert!(!Ledger::was_at(&backed.ledger).unwrap());
    // The profile can be set up anew.
    backed.open().unwrap();
}

#[test]
fn erasing_says_what_it_could_not_remove_and_goes_on() {
    let backed = Backed::new();
    let folder = backed.folder.path();
    // What no file mode can refuse to root: a folder where a file is expected.
    fs::create_dir(folder.join("roster.db")).unwrap();
    fs::write(folder.join("roster.db").join("inside"), "x").unwrap();
    fs::write(backed.backups.join("notes.txt"), "the administrator's own").unwrap();
    let left = erase_databases(folder);
    let left: Vec<_> = left.iter().map(|(path, error)| (path.clone(), error.code())).collect();
    assert_eq!(left, [(folder.join("roster.db"), "store.io")]);
    assert!(!backed.ledger.exists());
    assert_eq!(names(&backed.backups), ["notes.txt"]);
}
