//! The ledger's layout, as numbered migrations.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::{StoreError, database};

/// Every migration in order; the layout number is how many were made. Never edited once released.
pub const MIGRATIONS: &[&str] = &[include_str!("../../migrations/ledger/001_first.sql")];

/// Makes the migrations that are missing, all or none.
pub fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), StoreError> {
    let known = database::signed(migrations.len() as u64);
    let found = database::user_version(connection)?;
    if found == known {
        return Ok(());
    }
    if found > known {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found, known });
    }
    if found > 0 {
        database::copy_to(connection, &database::beside(path, &format!(".before-layout-{known}")))?;
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again under the write lock: another process may have been faster.
    let found = database::user_version(&transaction)?;
    for migration in migrations.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    transaction.execute_batch(&format!("PRAGMA user_version = {known};"))?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{Access, connect, owner_only};

    const KEY: [u8; 32] = [7; 32];

    /// Migrations can't be added from outside, so their rules are tested here with some of their own.
    #[test]
    fn an_existing_file_is_copied_then_brought_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        owner_only(&path).unwrap();
        let first = "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1);";
        let second = "CREATE TABLE b AS SELECT x + 1 AS y FROM a;";

        let mut connection = connect(&path, &KEY, Access::Write).unwrap();
        migrate(&mut connection, &path, &[first]).unwrap();
        migrate(&mut connection, &path, &[first]).unwrap();
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no copy of a file that is not changed"
        );

        migrate(&mut connection, &path, &[first, second]).unwrap();
        let y: i64 = connection.query_row("SELECT y FROM b", [], |row| row.get(0)).unwrap();
        assert_eq!((y, database::user_version(&connection).unwrap()), (2, 2));

        let copy = folder.path().join("ledger.db.before-layout-2");
        let copied = connect(&copy, &KEY, Access::Read).unwrap();
        assert_eq!(database::user_version(&copied).unwrap(), 1);

        let refused = migrate(&mut connection, &path, &[first]).unwrap_err();
        assert_eq!(refused.code(), "store.newer_schema");
    }

    #[test]
    fn a_migration_that_fails_leaves_the_layout_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        owner_only(&path).unwrap();
        let mut connection = connect(&path, &KEY, Access::Write).unwrap();
        let first = "CREATE TABLE a (x INTEGER);";
        migrate(&mut connection, &path, &[first]).unwrap();
        migrate(&mut connection, &path, &[first, "CREATE TABLE b (x INTEGER); CREATE TABLE a (x INTEGER);"])
            .unwrap_err();
        assert_eq!(database::user_version(&connection).unwrap(), 1);
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 1);
    }
}
