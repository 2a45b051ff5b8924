//! Filling a roster beside the one in use.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, ErrorCode};

use super::{LAYOUT, Roster, RosterCounts, RosterMeta, StoredMeta, tables::RosterTable};
use crate::{
    ProfileKeyBytes, StoreError,
    database::{self, Access},
};

/// Rows of one statement. Statement by statement SQLite looks for the row's place from the root of the table; within one
/// it goes on from the row before.
const ROWS_AT_ONCE: usize = 25;

/// The roster of a pull under way, in a file of its own. Dropped before [`RosterStaging::finish`], it leaves nothing.
pub struct RosterStaging {
    /// `None` once it is closed.
    connection: Option<Connection>,
    path: PathBuf,
    key: zeroize::Zeroizing<ProfileKeyBytes>,
    counts: RosterCounts,
}

impl fmt::Debug for RosterStaging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RosterStaging")
            .field("path", &self.path)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl RosterStaging {
    /// Starts an empty roster in `folder`, in place of what an interrupted pull left there.
    pub fn create(folder: &Path, key: &ProfileKeyBytes) -> Result<Self, StoreError> {
        let path = folder.join("roster-staging.db");
        database::remove(&path)?;
        database::owner_only(&path)?;
        let connection = database::connect(&path, key, Access::Write)?;
        connection.set_prepared_statement_cache_capacity(32);
        // Nobody reads the file before it is complete and on the disk, so there is nothing to roll back to.
        connection.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA cache_size = -8192; BEGIN;",
        )?;
        connection.execute_batch(include_str!("../../migrations/roster.sql"))?;
        Ok(Self {
            connection: Some(connection),
            path,
            key: zeroize::Zeroizing::new(*key),
            counts: RosterCounts::default(),
        })
    }

    /// Adds rows of one table. Fastest in the order of the table's primary key; right in any.
    pub fn insert<T: RosterTable>(&mut self, mut rows: &[T]) -> Result<(), StoreError> {
        let connection = self.connection.as_ref().ok_or(StoreError::NotFound("roster being filled"))?;
        self.counts.active_students += rows.iter().filter(|row| row.is_active_student()).count() as u64;
        *T::NAME.count(&mut self.counts) += rows.len() as u64;
        for at_once in [ROWS_AT_ONCE, 1] {
            let (now, later) = rows.split_at(rows.len() - rows.len() % at_once);
            rows = later;
            if now.is_empty() {
                continue;
            }
            let mut statement = connection
                .prepare_cached(&(T::INSERT.to_owned() + &format!(", {}", T::ROW).repeat(at_once - 1)))?;
            for rows in now.chunks_exact(at_once) {
                for (row, first) in rows.iter().zip((1..).step_by(T::PARAMETERS)) {
                    row.bind(&mut statement, first)?;
                }
                statement.raw_execute().map_err(|error| match error.sqlite_error_code() {
                    Some(ErrorCode::ConstraintViolation) => StoreError::DuplicateRow(T::TABLE),
                    _ => error.into(),
                })?;
            }
        }
        Ok(())
    }

    /// Rows added so far.
    pub fn counts(&self) -> RosterCounts {
        self.counts
    }

    /// Makes the roster complete and durable, puts it in the place of `roster.db` in the same folder, and opens it.
    /// On Windows this answers [`StoreError::Busy`] while a [`Roster`] is open on the old file.
    pub fn finish(mut self, meta: RosterMeta) -> Result<Roster, StoreError> {
        let connection = self.connection.take().ok_or(StoreError::NotFound("roster being filled"))?;
        let json = serde_json::to_string(&StoredMeta { pull: meta, counts: self.counts })
            .map_err(|_| StoreError::unreadable("meta.json"))?;
        connection.execute("INSERT INTO meta (id, json) VALUES (1, ?1)", [json])?;
        connection.execute_batch(&format!("PRAGMA user_version = {LAYOUT}; COMMIT;"))?;
        connection.close().map_err(|(_, error)| StoreError::from(error))?;
        let place = self.path.with_file_name("roster.db");
        database::replace(&self.path, &place)?;
        Roster::open(&place, &self.key)?.ok_or(StoreError::NotFound("roster that was just written"))
    }
}

impl Drop for RosterStaging {
    fn drop(&mut self) {
        // Windows removes no open file.
        self.connection = None;
        if let Err(error) = database::remove(&self.path) {
            tracing::warn!(code = error.code(), "an unfinished roster stays behind until the next pull");
        }
    }
}
