//! What is known of Hero's files: the rows of an export that need a look, and files seen on a server that were not sent
//! from here.

use chrono::{DateTime, Utc};
use rosterbridge_domain::job::JobId;
use rusqlite::params;

use super::Ledger;
use crate::{
    StoreError,
    database::{from_instant, signed, to_instant},
};

/// Something about a row of an export that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportProblem {
    /// The row in the file, from 1.
    pub row: u64,
    /// The student's or teacher's number.
    pub number: String,
    /// The field, as it stands in the list of fields; empty where it is about the whole row.
    pub field: String,
    /// What it is: a stable code.
    pub kind: String,
    /// What was found: the value's length in characters, or the first row with the same number.
    pub found: Option<u64>,
    /// How many characters Hero accepts.
    pub accepted: Option<u64>,
}

/// A file seen on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedFile {
    /// The managed connection, by its id.
    pub connection: String,
    /// Folder and name on the server.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its last change in the server's clock, where the server says.
    pub modified: Option<DateTime<Utc>>,
    /// When it was first seen like this.
    pub first_seen: DateTime<Utc>,
    /// When it was last seen like this.
    pub last_seen: DateTime<Utc>,
    /// When it was first seen to be gone.
    pub gone_at: Option<DateTime<Utc>>,
}

impl Ledger {
    /// Keeps what the last file of an export job had to be told of, in place of what an earlier one had.
    pub fn keep_export_problems(&self, job: JobId, problems: &[ExportProblem]) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            transaction.execute("DELETE FROM export_problems WHERE job = ?1", [job.to_string()])?;
            let mut insert = transaction.prepare_cached(
                "INSERT INTO export_problems (job, position, row, number, field, kind, found, accepted)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            for (position, problem) in problems.iter().enumerate() {
                insert.execute(params![
                    job.to_string(),
                    signed(position as u64),
                    signed(problem.row),
                    problem.number,
                    problem.field,
                    problem.kind,
                    problem.found.map(signed),
                    problem.accepted.map(signed),
                ])?;
            }
            Ok(())
        })
    }

    /// What the last file of an export job had to be told of, in the order of its rows: `at_most` of it, after the first
    /// `skip`.
    pub fn export_problems(
        &self,
        job: JobId,
        skip: u64,
        at_most: u32,
    ) -> Result<Vec<ExportProblem>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT row, number, field, kind, found, accepted FROM export_problems
             WHERE job = ?1 AND position >= ?2 ORDER BY position LIMIT ?3",
        )?;
        let problems = statement.query_map(params![job.to_string(), signed(skip), at_most], |row| {
            Ok(ExportProblem {
                row: row.get::<_, i64>(0)?.unsigned_abs(),
                number: row.get(1)?,
                field: row.get(2)?,
                kind: row.get(3)?,
                found: row.get::<_, Option<i64>>(4)?.map(i64::unsigned_abs),
                accepted: row.get::<_, Option<i64>>(5)?.map(i64::unsigned_abs),
            })
        })?;
        Ok(problems.collect::<Result<_, _>>()?)
    }

    /// How much of each kind the last file of an export job had to be told of.
    pub fn export_problem_counts(&self, job: JobId) -> Result<Vec<(String, u64)>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT kind, count(*) FROM export_problems WHERE job = ?1 GROUP BY kind ORDER BY count(*) DESC, kind",
        )?;
        let counts = statement
            .query_map([job.to_string()], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
        Ok(counts.collect::<Result<_, _>>()?)
    }

    /// The files seen over a connection, by path.
    pub fn watched_files(&self, connection: &str) -> Result<Vec<WatchedFile>, StoreError> {
        let ledger = self.lock();
        let mut statement = ledger.prepare_cached(
            "SELECT path, size, modified, first_seen, last_seen, gone_at FROM watched_files
             WHERE connection = ?1 ORDER BY path",
        )?;
        let mut rows = statement.query([connection])?;
        let mut files = Vec::new();
        while let Some(row) = rows.next()? {
            files.push(WatchedFile {
                connection: connection.to_owned(),
                path: row.get(0)?,
                size: row.get::<_, i64>(1)?.unsigned_abs(),
                modified: row.get::<_, Option<i64>>(2)?.map(to_instant).transpose()?,
                first_seen: to_instant(row.get(3)?)?,
                last_seen: to_instant(row.get(4)?)?,
                gone_at: row.get::<_, Option<i64>>(5)?.map(to_instant).transpose()?,
            });
        }
        Ok(files)
    }

    /// Keeps what is known of a file on a server, in place of what was.
    pub fn keep_watched_file(&self, file: &WatchedFile) -> Result<(), StoreError> {
        self.lock().execute(
            "INSERT OR REPLACE INTO watched_files (connection, path, size, modified, first_seen, last_seen, gone_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                file.connection,
                file.path,
                signed(file.size),
                file.modified.map(from_instant),
                from_instant(file.first_seen),
                from_instant(file.last_seen),
                file.gone_at.map(from_instant)
            ],
        )?;
        Ok(())
    }

    /// Forgets files seen over a connection, by path.
    pub fn forget_watched_files(&self, connection: &str, paths: &[String]) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            let mut forget = transaction
                .prepare_cached("DELETE FROM watched_files WHERE connection = ?1 AND path = ?2")?;
            for path in paths {
                forget.execute([connection, path])?;
            }
            Ok(())
        })
    }
}
