//! Forgetting what is older than the retention, and does not matter any more.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use rusqlite::{ToSql, params};

use super::{Ledger, RunId};
use crate::{StoreError, database::from_instant};

/// Rows looked at in one transaction: nobody waits for longer than that takes.
const AT_ONCE: i64 = 500;

/// How many rows [`Ledger::forget_before`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Runs, with their jobs.
    pub runs: usize,
    /// Attendance writes that are done with.
    pub writes: usize,
    /// Decisions about source rows.
    pub decisions: usize,
    /// Held rows that were settled or discarded.
    pub held_rows: usize,
    /// Files that were decided as a whole.
    pub files: usize,
    /// Uploads that have a later one of the same name.
    pub uploads: usize,
    /// What happened to the Raptor integration before its status changed last.
    pub status_changes: usize,
    /// Rows that can't be traced any more.
    pub traced: usize,
    /// Rows of exports that had to be looked at, of jobs that have sent nothing since.
    pub export_problems: usize,
    /// Files that have not been seen on a server since.
    pub watched_files: usize,
}

impl Ledger {
    /// Forgets what is older than `cutoff` and is of no consequence any more, in small transactions. What stays, however
    /// old:
    ///
    /// - writes under way, and held rows a person has yet to deal with, with the decisions about them;
    /// - what each source last stated for a record and what was last written there, with that write's row. Of such a row
    ///   the text it came as is emptied: it may name the student, and nothing needs it;
    /// - a settled held row whose row was decided again since `cutoff`;
    /// - what happened to a row that is held or under way, or to which something happened since;
    /// - the last upload of every name, with which the next one is compared;
    /// - how the Raptor integration's status came to be what it is;
    /// - the last run of every job, runs that have not ended, and those something that stays refers to.
    ///
    /// A row delivered again after its decision was forgotten is decided afresh, by the overwrite rules.
    pub fn forget_before(&self, cutoff: DateTime<Utc>) -> Result<Forgotten, StoreError> {
        let at = from_instant(cutoff);
        // Ids of runs sort by time, and the indexes by run with them: they lead to what is old.
        let run = RunId::first_of(cutoff);
        let held_rows = self.repeat(
            "DELETE FROM held_rows WHERE id IN
                 (SELECT id FROM held_rows
                  WHERE state IN ('resolved', 'discarded') AND last_seen < ?1
                      AND NOT EXISTS (SELECT 1 FROM decisions
                          WHERE decisions.source = held_rows.source AND decisions.row_hash = held_rows.row_hash
                              AND decided_at >= ?1)
                  LIMIT ?2)",
            params![at, AT_ONCE],
        )?;
        let decisions = self.repeat(
            "DELETE FROM decisions WHERE (source, row_hash) IN
                 (SELECT source, row_hash FROM decisions INDEXED BY decisions_by_run
                  WHERE run < ?3 AND decided_at < ?1
                      AND NOT EXISTS (SELECT 1 FROM held_rows
                          WHERE held_rows.source = decisions.source AND held_rows.row_hash = decisions.row_hash
                              AND state IN ('open', 'retried'))
                      AND (source, row_hash) NOT IN (SELECT source, row_hash FROM outbox INDEXED BY outbox_open
                          WHERE state IN ('decided', 'sending', 'unknown'))
                  LIMIT ?2)",
            params![at, AT_ONCE, run],
        )?;
        let files = self.repeat(
            "DELETE FROM files_seen WHERE (source, name, sha256) IN
                 (SELECT source, name, sha256 FROM files_seen INDEXED BY files_seen_by_run
                  WHERE run < ?3 AND first_seen < ?1 LIMIT ?2)",
            params![at, AT_ONCE, run],
        )?;
        let uploads = self.repeat(
            "DELETE FROM uploads WHERE id IN
                 (SELECT id FROM uploads INDEXED BY uploads_by_run
                  WHERE run < ?3 AND uploaded_at < ?1
                      AND EXISTS (SELECT 1 FROM uploads AS later
                          WHERE later.job = uploads.job AND later.name = uploads.name AND later.id > uploads.id)
                  LIMIT ?2)",
            params![at, AT_ONCE, run],
        )?;
        let status_changes = self.repeat(
            "DELETE FROM status_changes WHERE id IN
                 (SELECT id FROM status_changes
                  WHERE at < ?1 AND id < (SELECT max(id) FROM status_changes WHERE from_status <> to_status)
                  LIMIT ?2)",
            params![at, AT_ONCE],
        )?;
        // Such a row that comes again lies further back than any is written for.
        self.lock().execute(
            "DELETE FROM rows_in_doubt WHERE doubted_at < ?1 AND NOT EXISTS (SELECT 1 FROM decisions
                 WHERE decisions.source = rows_in_doubt.source AND decisions.row_hash = rows_in_doubt.row_hash)",
            [at],
        )?;
        // They name students and teachers, and are about the last file of their job only.
        let export_problems = self.repeat(
            "DELETE FROM export_problems WHERE (job, position) IN
                 (SELECT job, position FROM export_problems
                  WHERE NOT EXISTS (SELECT 1 FROM uploads
                      WHERE uploads.job = export_problems.job AND uploaded_at >= ?1)
                  LIMIT ?2)",
            params![at, AT_ONCE],
        )?;
        let watched_files = self.repeat(
            "DELETE FROM watched_files WHERE (connection, path) IN
                 (SELECT connection, path FROM watched_files WHERE last_seen < ?1 LIMIT ?2)",
            params![at, AT_ONCE],
        )?;
        let traced = self.forget_traced_rows(at)?;
        let writes = self.forget_writes(at)?;
        let runs = self.forget_runs(at)?;
        Ok(Forgotten {
            runs,
            writes,
            decisions,
            held_rows,
            files,
            uploads,
            status_changes,
            traced,
            export_problems,
            watched_files,
        })
    }

    /// Forgets what happened to rows, and their files once nothing of them is left. What is left of a file is all there
    /// is to count from then on.
    fn forget_traced_rows(&self, cutoff: i64) -> Result<usize, StoreError> {
        let forgotten = self.repeat(
            "DELETE FROM traced_rows WHERE id IN
                 (SELECT traced_rows.id FROM input_files CROSS JOIN traced_rows
                      ON traced_rows.id BETWEEN input_files.id << 40 AND ((input_files.id + 1) << 40) - 1
                  WHERE first_read < ?1
                      AND (SELECT at < ?1 AND fate NOT IN ('open', 'held') FROM row_events
                          WHERE traced = traced_rows.id ORDER BY seq DESC LIMIT 1)
                  LIMIT ?2)",
            params![cutoff, AT_ONCE],
        )?;
        self.transaction(|transaction| {
            transaction.execute(
                "UPDATE input_files SET row_count = 0 WHERE first_read < ?1 AND row_count <> 0",
                [cutoff],
            )?;
            transaction.execute(
                "DELETE FROM input_files WHERE first_read < ?1 AND NOT EXISTS (SELECT 1 FROM traced_rows
                     WHERE traced_rows.id BETWEEN input_files.id << 40 AND ((input_files.id + 1) << 40) - 1)",
                [cutoff],
            )?;
            Ok(())
        })?;
        Ok(forgotten)
    }

    /// Repeats a statement that removes at most [`AT_ONCE`] rows, until it finds none; how many it removed.
    fn repeat(&self, sql: &str, params: &[&dyn ToSql]) -> Result<usize, StoreError> {
        let mut all = 0;
        loop {
            let removed = self.lock().prepare_cached(sql)?.execute(params)?;
            all += removed;
            if removed == 0 {
                return Ok(all);
            }
        }
    }

    /// Goes over the writes that are done with. Most stay, so this does not begin anew with each batch.
    fn forget_writes(&self, cutoff: i64) -> Result<usize, StoreError> {
        // A row that is the last one written stays; so does one that is held, as long as that is open.
        const DONE_WITH: &str = "id > ?1 AND id <= ?2 AND changed_at < ?3
             AND state IN ('confirmed', 'already_recorded', 'held')
             AND NOT EXISTS (SELECT 1 FROM held_rows
                 WHERE held_rows.source = outbox.source AND held_rows.row_hash = outbox.row_hash
                     AND held_rows.state IN ('open', 'retried'))";
        let mut forgotten = 0;
        let mut after: i64 = 0;
        loop {
            let last: Option<i64> = self
                .lock()
                .prepare_cached(
                    "SELECT max(id) FROM (SELECT id FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2)",
                )?
                .query_row([after, AT_ONCE], |row| row.get(0))?;
            let Some(last) = last else { return Ok(forgotten) };
            forgotten += self.transaction(|transaction| {
                let removed = transaction
                    .prepare_cached(&format!(
                        "DELETE FROM outbox WHERE {DONE_WITH}
                             AND NOT EXISTS (SELECT 1 FROM written WHERE written.outbox = outbox.id)"
                    ))?
                    .execute(params![after, last, cutoff])?;
                transaction
                    .prepare_cached(&format!("UPDATE outbox SET raw = '' WHERE {DONE_WITH} AND raw <> ''"))?
                    .execute(params![after, last, cutoff])?;
                Ok(removed)
            })?;
            after = last;
        }
    }

    /// Goes over the runs, from the oldest on.
    fn forget_runs(&self, cutoff: i64) -> Result<usize, StoreError> {
        let last_runs = self.last_runs()?;
        let mut forgotten = 0;
        // Smaller than the id of any run.
        let mut after = RunId::first_of(DateTime::UNIX_EPOCH);
        loop {
            let ended: Vec<RunId> = self
                .lock()
                .prepare_cached(
                    "SELECT id FROM runs WHERE id > ?1 AND finished_at < ?2
                         AND NOT EXISTS (SELECT 1 FROM outbox WHERE run = runs.id)
                         AND NOT EXISTS (SELECT 1 FROM uploads WHERE run = runs.id)
                         AND NOT EXISTS (SELECT 1 FROM decisions WHERE run = runs.id)
                         AND NOT EXISTS (SELECT 1 FROM held_rows WHERE run = runs.id)
                         AND NOT EXISTS (SELECT 1 FROM files_seen WHERE run = runs.id)
                     ORDER BY id LIMIT ?3",
                )?
                .query_map(params![after, cutoff, AT_ONCE], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let Some(last) = ended.last() else { return Ok(forgotten) };
            after = *last;
            forgotten += self.transaction(|transaction| {
                let mut forget = transaction.prepare_cached("DELETE FROM runs WHERE id = ?1")?;
                let mut removed = 0;
                for run in ended.iter().filter(|run| !last_runs.contains(*run)) {
                    removed += forget.execute([run])?;
                }
                Ok(removed)
            })?;
        }
    }

    /// The run in which each job ended last, dry runs and undos aside: what [`Ledger::last_job_run`] answers.
    fn last_runs(&self) -> Result<HashSet<RunId>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT (SELECT run FROM run_jobs
                     WHERE job = jobs.job AND finished_at IS NOT NULL
                         AND run IN (SELECT id FROM runs WHERE trigger IN ('manual', 'schedule'))
                     ORDER BY run DESC LIMIT 1)
             FROM (SELECT DISTINCT job FROM run_jobs) AS jobs",
        )?;
        let runs = statement.query_map([], |row| row.get::<_, Option<RunId>>(0))?;
        Ok(runs.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
}
