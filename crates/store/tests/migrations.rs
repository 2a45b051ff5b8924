//! Ledgers of every older layout, brought up to date.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use rosterbridge_domain::{attendance::Source, job::JobId};
use rosterbridge_store::{Ledger, StoreError, backup};
use rusqlite::{Connection, types::Value};
use support::{KEY, at, daily, raw};

/// The migrations in order, as they are in the repository.
fn migrations() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join("ledger");
    let files = support::files_in(&folder);
    assert!(files.len() >= 2);
    files
}

/// Rows of every table of the first layout. Later layouts are filled with the same: a migration keeps them.
const ROWS: &str = "
    INSERT INTO setup VALUES (1, '{}');
    INSERT INTO facts VALUES ('paused', 'true');
    INSERT INTO sealed_secrets VALUES ('hero.private-key', x'00ff');
    INSERT INTO host_keys VALUES ('sftp.hero.example', 22, 'ssh-ed25519', 'SHA256:AAAA', 1, 'ada');
    INSERT INTO runs VALUES (x'019aa100000070008000000000000001', 'schedule', 1000, 2000, 'succeeded', NULL);
    INSERT INTO runs VALUES (x'019aa100000070008000000000000002', 'manual', 3000, NULL, 'running', NULL);
    INSERT INTO run_jobs (run, job, position, started_at, finished_at, outcome)
        VALUES (x'019aa100000070008000000000000001', 'hero-attendance', 0, 1000, 2000, 'succeeded');
    INSERT INTO uploads (id, job, name, row_count, bytes, sha256, uploaded_at, run) VALUES
        (1, 'hero-students', 'imports/STUDENT.TXT', 5, 400, 'ef', 1500, x'019aa100000070008000000000000001');
    INSERT INTO outbox (id, source, school, student, date, mode, cc, period, revision, state, code, code_id, year,
        calendar_day, starts_at, ends_at, comment, replaces, previous_code, file, line, row_hash, raw, student_number, run,
        reason, decided_at, changed_at) VALUES
        (1, 'hero', 100, 7, '2026-11-20', 'ATT_ModeDaily', 0, 0, 1, 'confirmed', 'T', 17, 36, 4711, NULL, NULL, '',
         NULL, NULL, 'ATTENDANCE.txt', 1, zeroblob(32), 'row', 5000, x'019aa100000070008000000000000001', '', 1, 2),
        (2, 'hero', 100, 8, '2026-11-20', 'ATT_ModeDaily', 0, 0, 1, 'sending', 'T', 17, 36, 4711, NULL, NULL, '',
         NULL, NULL, 'ATTENDANCE.txt', 2, zeroblob(32), 'row', 5000, x'019aa100000070008000000000000001', '', 1, 2);
    INSERT INTO stated (source, school, student, date, mode, cc, period, code, stated_at) VALUES
        ('hero', 100, 7, '2026-11-20', 'ATT_ModeDaily', 0, 0, 'T', 2);
    INSERT INTO written VALUES (100, 7, '2026-11-20', 'ATT_ModeDaily', 0, 0, 'hero', 'T', 2, 1);
    INSERT INTO decisions (source, row_hash, decision, reason, file, line, raw, run, decided_at) VALUES
        ('hero', zeroblob(32), 'write', '', 'ATTENDANCE.txt', 1, NULL, x'019aa100000070008000000000000001', 1);
    INSERT INTO held_rows (id, source, row_hash, file, line, raw, reason, detail, student_number, first_seen, last_seen,
        run, state) VALUES
        (1, 'raptor', zeroblob(32), 'tardies.csv', 1, 'row', 'unknown_student', '', NULL, 1, 1,
         x'019aa100000070008000000000000001', 'open');
    INSERT INTO files_seen VALUES ('hero', 'ATTENDANCE.txt', 'ef', x'019aa100000070008000000000000001', 1);
";

/// Rows of tables that came with a later layout, by its number.
const LATER_ROWS: &[(usize, &str)] = &[
    (3, "INSERT INTO upload_schools VALUES (1, 100, 5, x'01020304');"),
    (
        5,
        "INSERT INTO status_changes VALUES
             (1, 1000, 'disabled', 'pending_initialization', 'enabled', 'Switched on.', NULL, NULL);",
    ),
    (
        6,
        "INSERT INTO raptor_rosters VALUES ('north', 100, zeroblob(17));
         INSERT INTO raptor_rosters_staged VALUES
             ('north', 100, zeroblob(17), 'folder', 'roster/North changes 2026-09-30 160000.csv', 1, 90, 'ef');",
    ),
    (
        7,
        "INSERT INTO input_files VALUES (1, 'hero', 'ATTENDANCE.txt', 'ef', 1, '2026-11-20', 1);
         INSERT INTO traced_rows (id, row_hash, student_number) VALUES ((1 << 40) + 1, zeroblob(32), 5000);
         INSERT INTO row_events VALUES ((1 << 40) + 1, 1, 1, NULL, 'put_off', 'open', '', '', NULL, NULL, NULL);
         INSERT INTO put_off_rows VALUES ('hero', zeroblob(32), (1 << 40) + 1);",
    ),
    (9, "INSERT INTO rows_in_doubt VALUES ('raptor', zeroblob(32), 1);"),
    (
        10,
        "INSERT INTO host_key_replacements VALUES
             (1, 'sftp.hero.example', 22, 'ssh-rsa', 'SHA256:BBBB', 1, 'ada', 'ssh-ed25519', 'SHA256:AAAA', 2, 'ada');
         INSERT INTO export_problems (job, position, row, number, field, kind) VALUES
             ('hero-students', 0, 7, '5000', 'Last_Name', 'too_long');
         INSERT INTO watched_files VALUES ('hero', 'imports/STUDENT.TXT', 400, NULL, 1, 2, NULL);",
    ),
];

/// Columns that a later layout does without.
const DROPPED: &[(&str, &str)] = &[("uploads", "sent_as")];

/// A ledger as the program wrote it that knew the first `layout` migrations only.
fn ledger_of_layout(path: &Path, layout: usize) {
    let connection = raw(path);
    for migration in &migrations()[..layout] {
        connection.execute_batch(&fs::read_to_string(migration).unwrap()).unwrap();
    }
    connection.execute_batch(ROWS).unwrap();
    for (_, rows) in LATER_ROWS.iter().filter(|(since, _)| *since <= layout) {
        connection.execute_batch(rows).unwrap();
    }
    connection.execute_batch(&format!("PRAGMA journal_mode = WAL; PRAGMA user_version = {layout};")).unwrap();
}

/// Every row of every table, by table and in the order of the first layout's columns, but for those that were dropped.
fn rows(connection: &Connection) -> BTreeMap<String, Vec<Vec<Value>>> {
    let tables: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    tables
        .into_iter()
        .map(|table| {
            let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).unwrap();
            let names = statement.column_names().enumerate();
            let stays = names.filter(|(_, name)| !DROPPED.contains(&(table.as_str(), *name)));
            let columns: Vec<usize> = stays.map(|(column, _)| column).collect();
            let rows = statement
                .query_map([], |row| columns.iter().map(|column| row.get(*column)).collect())
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            (table, rows)
        })
        .collect()
}

#[test]
fn every_older_layout_ends_at_the_newest_with_all_its_rows() {
    let newest = migrations().len();
    for layout in 1..=newest {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        ledger_of_layout(&path, layout);
        let before = rows(&raw(&path));
        assert!(before.len() >= 12 && before.values().all(|rows| !rows.is_empty()), "{:?}", before.keys());

        let ledger = Ledger::open(&path, &KEY, at(0)).unwrap();
        ledger.integrity_check().unwrap();
        assert_eq!(ledger.pending(Source::Hero).unwrap().len(), 1);
        assert_eq!(ledger.history(Source::Hero, &[daily(7)]).unwrap().len(), 1);
        assert_eq!((ledger.held_count().unwrap(), ledger.runs(9).unwrap().len()), (1, 2));
        assert!(ledger.last_upload(JobId::HERO_STUDENTS, "imports/STUDENT.TXT").unwrap().is_some());

        let connection = raw(&path);
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!(version, i64::try_from(newest).unwrap());
        for (table, rows_before) in before {
            let rows_after = &rows(&connection)[&table];
            assert_eq!(rows_after.len(), rows_before.len(), "{table}");
            for (after, before) in rows_after.iter().zip(&rows_before) {
                assert_eq!(after[..before.len()], before[..], "{table} of layout {layout}");
            }
        }

        // An existing ledger was backed up before it was changed, as it was.
        let backups = backup::list(&Ledger::backups_beside(&path)).unwrap();
        if layout == newest {
            assert_eq!(backups, []);
        } else {
            let [backup] = &backups[..] else { panic!("{backups:?}") };
            assert_eq!((backup.made_at, backup.before_layout), (at(0), Some(i64::try_from(newest).unwrap())));
            let version: i64 =
                raw(&backup.path).query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
            assert_eq!(version, i64::try_from(layout).unwrap());
        }
    }
}

/// Rows to which things happen: as (the line, what, what it has come to, its write).
const HAPPENS: &[(i64, &str, &str, Option<i64>)] = &[
    (11, "decided_write", "open", Some(11)),
    (11, "confirmed", "written", Some(11)),
    (12, "held", "held", None),
    // Decided anew for another school, while it was not known what had become of the first write.
    (13, "decided_write", "open", Some(11)),
    (13, "held", "held", None),
    (13, "decided_write", "open", Some(12)),
    (13, "confirmed", "written", Some(11)),
    // Known only by what PowerSchool was found to have.
    (14, "confirmed", "written", Some(12)),
    (14, "undo_decided", "open", Some(11)),
    // Its write is forgotten.
    (15, "decided_write", "open", Some(99)),
    (16, "decided_write", "open", Some(12)),
    (16, "decided_write", "open", Some(99)),
];

/// A ledger to which these things happen after the first `layout` migrations: the fate and the school of each row.
fn fates_and_schools(layout: usize) -> Vec<(i64, i64, i64)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    ledger_of_layout(&path, layout);
    let connection = raw(&path);
    for (write, school) in [(11, 100), (12, 200)] {
        connection
            .execute(
                "INSERT INTO outbox (id, source, school, student, date, mode, cc, period, revision, state, code, code_id,
                     year, calendar_day, comment, file, line, row_hash, raw, run, decided_at, changed_at)
                 VALUES (?1, 'raptor', ?2, ?1, '2026-11-20', 'ATT_ModeDaily', 0, 0, 1, 'confirmed', 'T', 17, 36, 4711, '',
                     'tardies.csv', 1, zeroblob(32), 'row', x'019aa100000070008000000000000001', 1, 2)",
                [write, school],
            )
            .unwrap();
    }
    for (seq, (line, what, fate, write)) in (1..).zip(HAPPENS) {
        connection
            .execute(
                "INSERT OR IGNORE INTO traced_rows (id, row_hash) VALUES ((1 << 40) + ?1, zeroblob(32))",
                [line],
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO row_events (traced, seq, at, what, fate, outbox) VALUES ((1 << 40) + ?1, ?2, 1, ?3, ?4, ?5)",
                (line, seq, what, fate, write),
            )
            .unwrap();
    }
    drop(connection);
    drop(Ledger::open(&path, &KEY, at(0)).unwrap());
    let connection = raw(&path);
    let mut rows = connection
        .prepare("SELECT id - (1 << 40), fate, school FROM traced_rows WHERE id > (1 << 40) + 10 ORDER BY id")
        .unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// What is worked out of what happened before, and what is kept as it happens.
#[test]
fn a_row_has_the_school_of_its_latest_decision_whenever_that_was_made() {
    let before = fates_and_schools(13);
    let schools: Vec<(i64, i64)> = before.iter().map(|(line, _, school)| (*line, *school)).collect();
    assert_eq!(schools, [(11, 100), (12, -1), (13, 200), (14, 200), (15, -1), (16, 200)]);
    assert_eq!(fates_and_schools(14), before);
}

#[test]
fn a_backup_of_an_older_layout_can_be_restored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    ledger_of_layout(&path, 1);
    drop(Ledger::open(&path, &KEY, at(0)).unwrap());
    fs::write(&path, "").unwrap();
    let restored = Ledger::restore_latest(&path, &Ledger::backups_beside(&path), &KEY, at(1)).unwrap();
    assert_eq!(restored.made_unknown, 1);
    let ledger = Ledger::open(&path, &KEY, at(2)).unwrap();
    assert_eq!(ledger.pending(Source::Hero).unwrap().len(), 1);
    assert_eq!(backup::list(&Ledger::backups_beside(&path)).unwrap().len(), 1, "the backup is not changed");
}

#[test]
fn a_newer_layout_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let newest = migrations().len();
    ledger_of_layout(&path, newest);
    raw(&path).execute_batch(&format!("PRAGMA user_version = {};", newest + 1)).unwrap();
    let before = fs::read(&path).unwrap();
    match Ledger::open(&path, &KEY, at(0)) {
        Err(StoreError::NewerSchema { found, known, .. }) => {
            assert_eq!((found, known), (known + 1, i64::try_from(newest).unwrap()));
        }
        other => panic!("{:?}", other.err()),
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(!Ledger::backups_beside(&path).exists());
    // Such a backup is passed over as well: an older one may fit.
    let backups = Ledger::backups_beside(&path);
    fs::create_dir(&backups).unwrap();
    fs::copy(&path, backups.join("ledger-20261120T140000Z.db")).unwrap();
    match Ledger::restore_latest(&path, &backups, &KEY, at(1)) {
        Err(StoreError::NoBackup { tried: 1, .. }) => {}
        other => panic!("{other:?}"),
    }
}
