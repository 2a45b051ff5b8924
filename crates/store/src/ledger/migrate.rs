//! The ledger's layout, as numbered migrations.

use std::path::Path;

use rosterbridge_crash_points::{CrashPoint, pass};
use rusqlite::{Connection, TransactionBehavior};

use crate::{StoreError, database};

/// Every migration in order; the layout number is how many were made. Never edited once released.
pub const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/ledger/001_first.sql"),
    include_str!("../../migrations/ledger/002_retention.sql"),
    include_str!("../../migrations/ledger/003_undo.sql"),
    include_str!("../../migrations/ledger/004_stated_revision.sql"),
    include_str!("../../migrations/ledger/005_status_changes.sql"),
    include_str!("../../migrations/ledger/006_raptor_rosters.sql"),
    include_str!("../../migrations/ledger/007_trace.sql"),
    include_str!("../../migrations/ledger/008_held_fields.sql"),
    include_str!("../../migrations/ledger/009_sign_ins.sql"),
    include_str!("../../migrations/ledger/010_hero.sql"),
    include_str!("../../migrations/ledger/011_problem_details.sql"),
    include_str!("../../migrations/ledger/012_sent_as.sql"),
    include_str!("../../migrations/ledger/013_held_fixes.sql"),
    include_str!("../../migrations/ledger/014_listed_rows.sql"),
];

/// Refuses a file without a layout, which is no ledger whatever it opens as, and a layout newer than the newest of
/// `migrations`.
pub fn refuse_unknown(connection: &Connection, path: &Path, migrations: &[&str]) -> Result<(), StoreError> {
    let known = database::signed(migrations.len() as u64);
    let found = database::user_version(connection)?;
    if found < 1 {
        return Err(StoreError::damaged(path, "there is no ledger in it"));
    }
    if found > known {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found, known });
    }
    Ok(())
}

/// Makes the migrations that are missing, all or none. Before an existing layout is changed, `back_up` is called with
/// the number of the new one. Foreign keys are off meanwhile, so that a table can be replaced by another of its name;
/// what does not fit together in the end is not committed.
pub fn migrate(
    connection: &mut Connection,
    migrations: &[&str],
    back_up: impl FnOnce(&Connection, i64) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let newest = database::signed(migrations.len() as u64);
    let found = database::user_version(connection)?;
    if found >= newest {
        return Ok(());
    }
    if found > 0 {
        back_up(connection, newest)?;
    }
    // Within a transaction the setting can't be changed.
    let enforced: bool = connection.pragma_query_value(None, "foreign_keys", |row| row.get(0))?;
    connection.pragma_update(None, "foreign_keys", false)?;
    let made = make(connection, migrations, newest);
    connection.pragma_update(None, "foreign_keys", enforced)?;
    made
}

fn make(connection: &mut Connection, migrations: &[&str], newest: i64) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again under the write lock: another process may have been faster.
    let found = database::user_version(&transaction)?;
    for migration in migrations.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    if transaction.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return Err(StoreError::unreadable("a reference to another row"));
    }
    transaction.execute_batch(&format!("PRAGMA user_version = {newest};"))?;
    pass(CrashPoint::LayoutMade);
    transaction.commit()?;
    pass(CrashPoint::LayoutCommitted);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{Access, connect, owner_only};

    const KEY: [u8; 32] = [7; 32];

    /// Migrations can't be added from outside, so their rules are tested here with some of their own.
    #[test]
    fn an_existing_file_is_backed_up_then_brought_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        owner_only(&path).unwrap();
        let first = "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1);";
        let second = "CREATE TABLE b AS SELECT x + 1 AS y FROM a;";
        let no_backup = |_: &Connection, layout| panic!("a backup before layout {layout}");

        let mut connection = connect(&path, &KEY, Access::Write).unwrap();
        assert_eq!(refuse_unknown(&connection, &path, &[first]).unwrap_err().code(), "store.damaged");
        migrate(&mut connection, &[first], no_backup).unwrap();
        migrate(&mut connection, &[first], no_backup).unwrap();

        let mut backed_up = None;
        migrate(&mut connection, &[first, second], |connection, layout| {
            backed_up = Some((layout, database::user_version(connection)?));
            Ok(())
        })
        .unwrap();
        assert_eq!(backed_up, Some((2, 1)), "before anything was changed");
        let y: i64 = connection.query_row("SELECT y FROM b", [], |row| row.get(0)).unwrap();
        assert_eq!((y, database::user_version(&connection).unwrap()), (2, 2));

        refuse_unknown(&connection, &path, &[first, second]).unwrap();
        let refused = refuse_unknown(&connection, &path, &[first]).unwrap_err();
        assert_eq!(refused.code(), "store.newer_schema");
    }

    #[test]
    fn without_a_backup_nothing_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        owner_only(&path).unwrap();
        let mut connection = connect(&path, &KEY, Access::Write).unwrap();
        let first = "CREATE TABLE a (x INTEGER);";
        migrate(&mut connection, &[first], |_, _| Ok(())).unwrap();
        let error = migrate(&mut connection, &[first, "DROP TABLE a;"], |_, _| Err(StoreError::DiskFull))
            .unwrap_err();
        assert_eq!((error.code(), database::user_version(&connection).unwrap()), ("store.disk_full", 1));
    }

    #[test]
    fn a_migration_that_fails_leaves_the_layout_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        owner_only(&path).unwrap();
        let mut connection = connect(&path, &KEY, Access::Write).unwrap();
        let first = "CREATE TABLE a (x INTEGER);";
        migrate(&mut connection, &[first], |_, _| Ok(())).unwrap();
        let second = "CREATE TABLE b (x INTEGER); CREATE TABLE a (x INTEGER);";
        migrate(&mut connection, &[first, second], |_, _| Ok(())).unwrap_err();
        assert_eq!(database::user_version(&connection).unwrap(), 1);
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 1);
    }
}
