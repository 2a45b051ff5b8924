//! Filling a roster beside the one in use.

use std::{
    fmt, fs, mem,
    path::{Path, PathBuf},
    time::Duration,
};

use backon::{BlockingRetryable, ConstantBuilder};
use rosterbridge_crash_points::{CrashPoint, pass};
use rusqlite::{Connection, ErrorCode};
use uuid::Uuid;

use super::{
    LAYOUT, PullState, Roster, RosterCounts, RosterMeta, StoredMeta, note_damage,
    packed::Packing,
    stored_meta,
    tables::{FollowedTable, RosterTable, TableName},
};
use crate::{
    ProfileKeyBytes, StoreError,
    database::{self, Access},
};

/// Rows of one statement. Statement by statement SQLite looks for the row's place from the root of the table; within one
/// it goes on from the row before.
const ROWS_AT_ONCE: usize = 25;

/// How the old file is waited for: five seconds in all.
const IN_USE: ConstantBuilder =
    ConstantBuilder::new().with_delay(Duration::from_millis(100)).with_max_times(50);

/// The roster of a pull under way, in a file of its own. Dropped before [`RosterStaging::finish`], it leaves nothing.
pub struct RosterStaging {
    /// `None` once it is closed.
    connection: Option<Connection>,
    path: PathBuf,
    key: zeroize::Zeroizing<ProfileKeyBytes>,
    counts: RosterCounts,
    state: Option<PullState>,
    packing: Packing,
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
        let connection = open_for_filling(&path, key)?;
        connection.execute_batch(include_str!("../../migrations/roster.sql"))?;
        pass(CrashPoint::StagingCreated);
        Ok(Self {
            connection: Some(connection),
            path,
            key: zeroize::Zeroizing::new(*key),
            counts: RosterCounts::default(),
            state: None,
            packing: Packing::from_nothing(),
        })
    }

    /// Starts with a copy of the roster in `folder`, to lay changes over it. Its state is not passed on by itself: see
    /// [`RosterStaging::keep`].
    pub fn copy(folder: &Path, key: &ProfileKeyBytes) -> Result<Self, StoreError> {
        let place = folder.join("roster.db");
        let path = folder.join("roster-staging.db");
        database::remove(&path)?;
        database::owner_only(&path)?;
        let mut staging = Self {
            connection: None,
            path,
            key: zeroize::Zeroizing::new(*key),
            counts: RosterCounts::default(),
            state: None,
            packing: Packing::of_copy(),
        };
        // The file in place never changes, so a copy of its bytes is a copy of the database.
        fs::copy(&place, &staging.path).map_err(|source| StoreError::io("copy", &place, source))?;
        let connection = staging.connection.insert(open_for_filling(&staging.path, key)?);
        staging.counts = stored_meta(connection)?.counts;
        connection.execute("DELETE FROM meta", [])?;
        Ok(staging)
    }

    /// Keeps what the next pull may go on from, with the rows it is about.
    pub fn keep(&mut self, state: PullState) {
        self.state = Some(state);
    }

    /// Removes every row of a table.
    pub fn discard<T: RosterTable>(&mut self) -> Result<(), StoreError> {
        let discarded = self.open()?.execute(&format!("DELETE FROM {}", T::TABLE), []);
        // Every pull begins a table so, also one that has no rows yet.
        if note_damage(&self.place(), discarded.map_err(StoreError::from))? > 0 {
            self.packing.changed(T::NAME);
        }
        *T::NAME.count(&mut self.counts) = 0;
        if matches!(T::NAME, TableName::Student) {
            self.counts.active_students = 0;
        }
        Ok(())
    }

    /// Puts changed rows in the place of what was known of them, new ones beside the others. Scans the table once,
    /// so all the changes of a table belong together.
    pub fn replace<T: FollowedTable>(&mut self, rows: &[T]) -> Result<(), StoreError> {
        // The copy is no better than the roster it was made of.
        let replaced = self.replace_rows(rows);
        note_damage(&self.place(), replaced)
    }

    fn replace_rows<T: FollowedTable>(&mut self, rows: &[T]) -> Result<(), StoreError> {
        let connection = self.open()?;
        connection.execute_batch(
            "CREATE TEMP TABLE IF NOT EXISTS changed (identity INTEGER PRIMARY KEY);
             DELETE FROM temp.changed;",
        )?;
        {
            let mut remember = connection.prepare_cached("INSERT OR IGNORE INTO temp.changed VALUES (?1)")?;
            for row in rows {
                remember.execute([row.identity()])?;
            }
        }
        connection.execute(
            &format!(
                "DELETE FROM {} WHERE \"{}\" IN (SELECT identity FROM temp.changed)",
                T::TABLE,
                T::IDENTITY
            ),
            [],
        )?;
        self.packing.changed(T::NAME);
        self.insert(rows)?;
        // Counted, not reckoned: the pull's last check compares this number with PowerSchool's.
        let connection = self.open()?;
        let count =
            |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
        let stored = count(&format!("SELECT count(*) FROM {}", T::TABLE))?;
        let active = match T::NAME {
            TableName::Student => Some(count("SELECT count(*) FROM students WHERE enroll_status = 0")?),
            _ => None,
        };
        *T::NAME.count(&mut self.counts) = stored;
        if let Some(active) = active {
            self.counts.active_students = active;
        }
        Ok(())
    }

    /// Adds rows of one table. Fastest in the order of the table's primary key; right in any.
    pub fn insert<T: RosterTable>(&mut self, mut rows: &[T]) -> Result<(), StoreError> {
        let connection = self.connection.as_ref().ok_or(StoreError::NotFound("roster being filled"))?;
        pass(CrashPoint::StagingFilled);
        self.counts.active_students += rows.iter().filter(|row| row.is_active_student()).count() as u64;
        *T::NAME.count(&mut self.counts) += rows.len() as u64;
        T::pack(rows, &mut self.packing, connection)?;
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
    /// On Windows this waits a few seconds for whoever has the old file open, and answers [`StoreError::Busy`] then.
    pub fn finish(mut self, meta: RosterMeta) -> Result<Roster, StoreError> {
        let connection = self.connection.take().ok_or(StoreError::NotFound("roster being filled"))?;
        let packing = mem::replace(&mut self.packing, Packing::of_copy());
        note_damage(&self.place(), packing.finish(&connection))?;
        let (counts, state) = (self.counts, self.state.take());
        let content = Some(Uuid::new_v4().to_string());
        let json = serde_json::to_string(&StoredMeta { pull: meta, counts, state, content })
            .map_err(|_| StoreError::unreadable("meta.json"))?;
        connection.execute("INSERT INTO meta (id, json) VALUES (1, ?1)", [json])?;
        connection.execute_batch(&format!("PRAGMA user_version = {LAYOUT}; COMMIT;"))?;
        connection.close().map_err(|(_, error)| StoreError::from(error))?;
        pass(CrashPoint::StagingCommitted);
        let place = self.place();
        // Whoever looks at the old one for a moment must not cost the whole pull.
        (|| database::replace(&self.path, &place))
            .retry(IN_USE)
            .sleep(std::thread::sleep)
            .when(|error| matches!(error, StoreError::Busy))
            .call()?;
        // It was about the one that was replaced.
        database::remove_file(&database::damage_mark(&place))?;
        Roster::open(&place, &self.key)?.ok_or(StoreError::NotFound("roster that was just written"))
    }

    /// Where the roster in use is.
    fn place(&self) -> PathBuf {
        self.path.with_file_name("roster.db")
    }

    fn open(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or(StoreError::NotFound("roster being filled"))
    }
}

/// Opens a roster's file to fill it. Nobody reads it before it is complete and on the disk, so there is nothing to roll
/// back to.
fn open_for_filling(path: &Path, key: &ProfileKeyBytes) -> Result<Connection, StoreError> {
    let connection = database::connect(path, key, Access::Write)?;
    connection.set_prepared_statement_cache_capacity(32);
    connection.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA cache_size = -2048; BEGIN;",
    )?;
    Ok(connection)
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
