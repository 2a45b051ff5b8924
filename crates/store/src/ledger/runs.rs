//! Runs, their jobs, and what they uploaded.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};
use rosterbridge_domain::{
    id::SchoolNumber,
    job::{FileReceipt, JobId, Outcome, RowCounts},
};
use rusqlite::{
    Connection, OptionalExtension, Row, ToSql, params,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::{NoContext, Timestamp, Uuid};

use super::Ledger;
use crate::{
    StoreError,
    database::{from_instant, signed, to_instant},
};

/// A run's id: a UUID of version 7, which begins with the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Uuid);

impl RunId {
    /// A new id for a run that starts at `at`. Ids of the same millisecond are in no particular order.
    pub fn new(at: DateTime<Utc>) -> Self {
        let seconds = u64::try_from(at.timestamp()).unwrap_or(0);
        Self(Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, at.timestamp_subsec_nanos())))
    }

    /// Not above the id of any run that started at `at` or later.
    pub(super) fn first_of(at: DateTime<Utc>) -> Self {
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
    }

    /// What the ids of all runs that start at `at` or later come after.
    pub(super) fn first_at(at: DateTime<Utc>) -> Self {
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
        // The time is the first 48 bits.
        Self(Uuid::from_u128(u128::from(millis) << 80))
    }

    /// The bare UUID.
    pub const fn get(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for RunId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

impl ToSql for RunId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

impl FromSql for RunId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Uuid::from_slice(value.as_blob()?).map(Self).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

/// What started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A person, in the window or on the command line.
    Manual,
    /// The schedule.
    Schedule,
    /// A person, who only wants to see what would be done: nothing is written outside the ledger.
    DryRun,
    /// A person, who takes back what another run wrote to PowerSchool.
    Undo,
}

impl Trigger {
    const ALL: [Self; 4] = [Self::Manual, Self::Schedule, Self::DryRun, Self::Undo];

    /// The name in the ledger and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Schedule => "schedule",
            Self::DryRun => "dry_run",
            Self::Undo => "undo",
        }
    }
}

/// Why a run or a job failed, as the person was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Stable, e.g. `powerschool.bad_credentials`.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// How one job of a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobResult {
    /// How.
    pub outcome: Outcome,
    /// Its rows.
    pub rows: RowCounts,
    /// Rows held for the first time.
    pub newly_held: u64,
    /// Files written or read.
    pub files: Vec<FileReceipt>,
    /// Things worth knowing that did not stop it, in sentences without names of students.
    pub notes: Vec<String>,
    /// Why it failed.
    pub cause: Option<Cause>,
}

/// When a run was, and how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunSpan {
    /// What started it.
    pub trigger: Trigger,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it ended; `None` while it is under way.
    pub finished_at: Option<DateTime<Utc>>,
    /// How it ended.
    pub outcome: Outcome,
}

/// One job of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRun {
    /// Which run.
    pub run: RunId,
    /// Which job.
    pub job: JobId,
    /// When it started; `None` while it waits or when it was skipped.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// How it ended; `Running` until then.
    pub result: JobResult,
}

/// A run with its jobs in running order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// What started it.
    pub trigger: Trigger,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// How it ended; `Running` until then.
    pub outcome: Outcome,
    /// Why it failed as a whole.
    pub cause: Option<Cause>,
    /// Its jobs.
    pub jobs: Vec<JobRun>,
}

/// The rows of a file that are of one school.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchoolRows {
    /// How many.
    pub rows: u64,
    /// The student numbers in ascending order, each as the distance to the one before it in LEB128; empty for a file that
    /// is not about students.
    pub students: Vec<u8>,
}

/// A file the other side accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The job that sent it.
    pub job: JobId,
    /// Name, rows, size and hash. The name is the path as it is configured.
    pub receipt: FileReceipt,
    /// When it was in its place.
    pub uploaded_at: DateTime<Utc>,
    /// The run that sent it.
    pub run: RunId,
}

impl Ledger {
    /// Records a run and the jobs it is going to do, before anything is done.
    pub fn start_run(
        &self,
        id: RunId,
        trigger: Trigger,
        jobs: &[JobId],
        started_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            transaction.execute(
                "INSERT INTO runs (id, trigger, started_at, outcome) VALUES (?1, ?2, ?3, ?4)",
                params![id, trigger.as_str(), from_instant(started_at), Outcome::Running.as_str()],
            )?;
            for (position, job) in (0_i64..).zip(jobs) {
                transaction.execute(
                    "INSERT INTO run_jobs (run, job, position, outcome) VALUES (?1, ?2, ?3, ?4)",
                    params![id, job.to_string(), position, Outcome::Running.as_str()],
                )?;
            }
            Ok(())
        })
    }

    /// Records that a job of the run starts.
    pub fn start_job(&self, run: RunId, job: JobId, at: DateTime<Utc>) -> Result<(), StoreError> {
        let changed = self.lock().execute(
            "UPDATE run_jobs SET started_at = ?3 WHERE run = ?1 AND job = ?2",
            params![run, job.to_string(), from_instant(at)],
        )?;
        if changed == 0 { Err(StoreError::NotFound("such job in the run")) } else { Ok(()) }
    }

    /// Records how a job of the run ended.
    pub fn finish_job(
        &self,
        run: RunId,
        job: JobId,
        result: &JobResult,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let changed = self.lock().execute(
            "UPDATE run_jobs SET finished_at = ?3, outcome = ?4, rows_read = ?5, rows_written = ?6, rows_noop = ?7,
                 rows_held = ?8, rows_rejected = ?9, newly_held = ?10, files = ?11, notes = ?12, cause = ?13
             WHERE run = ?1 AND job = ?2",
            params![
                run,
                job.to_string(),
                from_instant(at),
                result.outcome.as_str(),
                signed(result.rows.read),
                signed(result.rows.written),
                signed(result.rows.noop),
                signed(result.rows.held),
                signed(result.rows.rejected),
                signed(result.newly_held),
                to_json(&result.files)?,
                to_json(&result.notes)?,
                result.cause.as_ref().map(to_json).transpose()?,
            ],
        )?;
        if changed == 0 { Err(StoreError::NotFound("such job in the run")) } else { Ok(()) }
    }

    /// Records how a run ended. Jobs of it that did not end by themselves were skipped.
    pub fn finish_run(
        &self,
        id: RunId,
        outcome: Outcome,
        cause: Option<&Cause>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            let changed = transaction.execute(
                "UPDATE runs SET finished_at = ?2, outcome = ?3, cause = ?4 WHERE id = ?1",
                params![id, from_instant(at), outcome.as_str(), cause.map(to_json).transpose()?],
            )?;
            if changed == 0 {
                return Err(StoreError::NotFound("such run"));
            }
            transaction.execute(
                "UPDATE run_jobs SET finished_at = ?2, outcome = ?3 WHERE run = ?1 AND finished_at IS NULL",
                params![id, from_instant(at), Outcome::Skipped.as_str()],
            )?;
            Ok(())
        })
    }

    /// Records that every run without an end was interrupted; how many there were. To be called when an engine
    /// starts, while it alone holds the profile.
    pub fn interrupt_unfinished_runs(&self, at: DateTime<Utc>) -> Result<usize, StoreError> {
        self.transaction(|transaction| {
            let at = from_instant(at);
            // A job that had not started was skipped, the one in the middle was interrupted.
            transaction.execute(
                "UPDATE run_jobs SET finished_at = ?1, outcome = CASE WHEN started_at IS NULL THEN ?2 ELSE ?3 END
                 WHERE finished_at IS NULL AND run IN (SELECT id FROM runs WHERE finished_at IS NULL)",
                params![at, Outcome::Skipped.as_str(), Outcome::Interrupted.as_str()],
            )?;
            Ok(transaction.execute(
                "UPDATE runs SET finished_at = ?1, outcome = ?2 WHERE finished_at IS NULL",
                params![at, Outcome::Interrupted.as_str()],
            )?)
        })
    }

    /// The latest runs, newest first.
    pub fn runs(&self, limit: u32) -> Result<Vec<Run>, StoreError> {
        self.latest_runs("", limit)
    }

    /// The latest runs that were interrupted, newest first.
    pub fn interrupted_runs(&self, limit: u32) -> Result<Vec<Run>, StoreError> {
        self.latest_runs(&format!("WHERE outcome = '{}'", Outcome::Interrupted.as_str()), limit)
    }

    fn latest_runs(&self, which: &str, limit: u32) -> Result<Vec<Run>, StoreError> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached(&format!("SELECT {RUN_COLUMNS} FROM runs {which} ORDER BY id DESC LIMIT ?1"))?;
        let mut rows = statement.query([limit])?;
        let mut runs = Vec::new();
        while let Some(row) = rows.next()? {
            runs.push(read_run(&connection, row)?);
        }
        Ok(runs)
    }

    /// The runs that started from `from` on and before `to`, latest first: `at_most` of them.
    pub fn runs_started(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        at_most: u32,
    ) -> Result<Vec<Run>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {RUN_COLUMNS} FROM runs WHERE id >= ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
        ))?;
        let mut rows = statement.query(params![RunId::first_at(from), RunId::first_at(to), at_most])?;
        let mut runs = Vec::new();
        while let Some(row) = rows.next()? {
            runs.push(read_run(&connection, row)?);
        }
        Ok(runs)
    }

    /// When the runs were that started from `from` on and before `to`, and how they ended, earliest first.
    pub fn run_spans(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<RunSpan>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT trigger, started_at, finished_at, outcome FROM runs WHERE id >= ?1 AND id < ?2 ORDER BY id",
        )?;
        let mut rows = statement.query([RunId::first_at(from), RunId::first_at(to)])?;
        let mut spans = Vec::new();
        while let Some(row) = rows.next()? {
            spans.push(RunSpan {
                trigger: trigger(row, 0)?,
                started_at: to_instant(row.get(1)?)?,
                finished_at: row.get::<_, Option<i64>>(2)?.map(to_instant).transpose()?,
                outcome: outcome(row, 3)?,
            });
        }
        Ok(spans)
    }

    /// One run.
    pub fn run(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached(&format!("SELECT {RUN_COLUMNS} FROM runs WHERE id = ?1"))?;
        let mut rows = statement.query([id])?;
        rows.next()?.map(|row| read_run(&connection, row)).transpose()
    }

    /// How a job ended last, dry runs and undos aside.
    pub fn last_job_run(&self, job: JobId) -> Result<Option<JobRun>, StoreError> {
        self.last_job_run_where("finished_at IS NOT NULL", job)
    }

    /// The last time a job did everything it had to, dry runs and undos aside.
    pub fn last_success(&self, job: JobId) -> Result<Option<JobRun>, StoreError> {
        let (all, held) = (Outcome::Succeeded.as_str(), Outcome::SucceededWithHeldRows.as_str());
        self.last_job_run_where(&format!("outcome IN ('{all}', '{held}')"), job)
    }

    fn last_job_run_where(&self, which: &str, job: JobId) -> Result<Option<JobRun>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {JOB_COLUMNS} FROM run_jobs WHERE job = ?1 AND {which}
                 AND run IN (SELECT id FROM runs WHERE trigger IN ('manual', 'schedule'))
             ORDER BY run DESC LIMIT 1"
        ))?;
        let mut rows = statement.query([job.to_string()])?;
        rows.next()?.map(read_job).transpose()
    }

    /// Records a file the other side accepted.
    pub fn record_upload(
        &self,
        run: RunId,
        job: JobId,
        receipt: &FileReceipt,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        insert_upload(&self.lock(), run, job, receipt, at)
    }

    /// Records a file the other side accepted, and its rows school by school, which are kept of the last file of its name
    /// only. The receipt's name is the path as it is configured.
    pub fn record_upload_by_school(
        &self,
        run: RunId,
        job: JobId,
        receipt: &FileReceipt,
        schools: &BTreeMap<SchoolNumber, SchoolRows>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            insert_upload(transaction, run, job, receipt, at)?;
            let upload = transaction.last_insert_rowid();
            transaction.execute(
                "DELETE FROM upload_schools WHERE upload IN (SELECT id FROM uploads WHERE job = ?1 AND name = ?2)",
                [&job.to_string(), &receipt.name],
            )?;
            let mut insert = transaction.prepare_cached(
                "INSERT INTO upload_schools (upload, school, row_count, students) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for (school, of_school) in schools {
                insert.execute(params![upload, school.get(), signed(of_school.rows), of_school.students])?;
            }
            Ok(())
        })
    }

    /// The rows of the last file of this name that was accepted, school by school; empty where they were not recorded.
    pub fn last_upload_by_school(
        &self,
        job: JobId,
        name: &str,
    ) -> Result<BTreeMap<SchoolNumber, SchoolRows>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT school, row_count, students FROM upload_schools WHERE upload =
                 (SELECT max(id) FROM uploads WHERE job = ?1 AND name = ?2)",
        )?;
        let schools = statement.query_map([job.to_string().as_str(), name], |row| {
            let rows = row.get::<_, i64>(1)?.unsigned_abs();
            Ok((SchoolNumber::new(row.get(0)?), SchoolRows { rows, students: row.get(2)? }))
        })?;
        Ok(schools.collect::<Result<_, _>>()?)
    }

    /// How many rows the latest imports of a job read, latest first: `at_most` of them, without those that had none.
    pub fn latest_imports(&self, job: JobId, at_most: u32) -> Result<Vec<u64>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT rows_read FROM run_jobs WHERE job = ?1 AND rows_read > 0
                 AND outcome IN ('succeeded', 'succeeded_with_held_rows')
                 AND run IN (SELECT id FROM runs WHERE trigger IN ('manual', 'schedule'))
             ORDER BY run DESC LIMIT ?2",
        )?;
        let rows = statement
            .query_map(params![job.to_string(), at_most], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The names of a job's files that were accepted, each once.
    pub fn uploaded_names(&self, job: JobId) -> Result<Vec<String>, StoreError> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached("SELECT DISTINCT name FROM uploads WHERE job = ?1 ORDER BY name")?;
        let names = statement.query_map([job.to_string()], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// The last file of a job that was accepted, whatever its name.
    pub fn last_upload_of(&self, job: JobId) -> Result<Option<Upload>, StoreError> {
        let name: Option<String> = self
            .lock()
            .query_row(
                "SELECT name FROM uploads WHERE job = ?1 ORDER BY id DESC LIMIT 1",
                [job.to_string()],
                |row| row.get(0),
            )
            .optional()?;
        name.map_or(Ok(None), |name| self.last_upload(job, &name))
    }

    /// The last file of this name that was accepted: what the next one is compared with.
    pub fn last_upload(&self, job: JobId, name: &str) -> Result<Option<Upload>, StoreError> {
        let found: Option<(i64, i64, String, i64, RunId)> = self
            .lock()
            .query_row(
                "SELECT row_count, bytes, sha256, uploaded_at, run FROM uploads
                 WHERE job = ?1 AND name = ?2 ORDER BY id DESC LIMIT 1",
                [job.to_string().as_str(), name],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
            )
            .optional()?;
        found
            .map(|(rows, bytes, sha256, uploaded_at, run)| {
                let receipt = FileReceipt {
                    name: name.to_owned(),
                    rows: rows.unsigned_abs(),
                    bytes: bytes.unsigned_abs(),
                    sha256,
                };
                Ok(Upload { job, receipt, uploaded_at: to_instant(uploaded_at)?, run })
            })
            .transpose()
    }
}

pub(super) fn insert_upload(
    connection: &Connection,
    run: RunId,
    job: JobId,
    receipt: &FileReceipt,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO uploads (job, name, row_count, bytes, sha256, uploaded_at, run)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            job.to_string(),
            receipt.name,
            signed(receipt.rows),
            signed(receipt.bytes),
            receipt.sha256,
            from_instant(at),
            run
        ],
    )?;
    Ok(())
}

/// The columns [`read_run`] reads.
pub(super) const RUN_COLUMNS: &str = "id, trigger, started_at, finished_at, outcome, cause";

/// The columns [`read_job`] reads.
const JOB_COLUMNS: &str = "run, job, started_at, finished_at, outcome, rows_read, rows_written, rows_noop, rows_held, \
                           rows_rejected, newly_held, files, notes, cause";

pub(super) fn read_run(connection: &Connection, row: &Row<'_>) -> Result<Run, StoreError> {
    let id: RunId = row.get(0)?;
    let mut statement = connection
        .prepare_cached(&format!("SELECT {JOB_COLUMNS} FROM run_jobs WHERE run = ?1 ORDER BY position"))?;
    let mut rows = statement.query([id])?;
    let mut jobs = Vec::new();
    while let Some(job) = rows.next()? {
        jobs.push(read_job(job)?);
    }
    Ok(Run {
        id,
        trigger: trigger(row, 1)?,
        started_at: to_instant(row.get(2)?)?,
        finished_at: row.get::<_, Option<i64>>(3)?.map(to_instant).transpose()?,
        outcome: outcome(row, 4)?,
        cause: cause(row, 5)?,
        jobs,
    })
}

fn read_job(row: &Row<'_>) -> Result<JobRun, StoreError> {
    let job: String = row.get(1)?;
    let count = |index| row.get::<_, i64>(index).map(i64::unsigned_abs);
    Ok(JobRun {
        run: row.get(0)?,
        job: job.parse().map_err(|_| StoreError::unreadable("run_jobs.job"))?,
        started_at: row.get::<_, Option<i64>>(2)?.map(to_instant).transpose()?,
        finished_at: row.get::<_, Option<i64>>(3)?.map(to_instant).transpose()?,
        result: JobResult {
            outcome: outcome(row, 4)?,
            rows: RowCounts {
                read: count(5)?,
                written: count(6)?,
                noop: count(7)?,
                held: count(8)?,
                rejected: count(9)?,
            },
            newly_held: count(10)?,
            files: from_json(&row.get::<_, String>(11)?, "run_jobs.files")?,
            notes: from_json(&row.get::<_, String>(12)?, "run_jobs.notes")?,
            cause: cause(row, 13)?,
        },
    })
}

fn trigger(row: &Row<'_>, index: usize) -> Result<Trigger, StoreError> {
    let name = row.get_ref(index)?.as_str().ok();
    Trigger::ALL
        .into_iter()
        .find(|known| Some(known.as_str()) == name)
        .ok_or_else(|| StoreError::unreadable("runs.trigger"))
}

pub(super) fn outcome(row: &Row<'_>, index: usize) -> Result<Outcome, StoreError> {
    const ALL: [Outcome; 7] = [
        Outcome::Running,
        Outcome::Succeeded,
        Outcome::SucceededWithHeldRows,
        Outcome::Failed,
        Outcome::Cancelled,
        Outcome::Interrupted,
        Outcome::Skipped,
    ];
    let name: String = row.get(index)?;
    ALL.into_iter().find(|known| known.as_str() == name).ok_or_else(|| StoreError::unreadable("an outcome"))
}

fn cause(row: &Row<'_>, index: usize) -> Result<Option<Cause>, StoreError> {
    row.get::<_, Option<String>>(index)?.map(|json| from_json(&json, "a cause")).transpose()
}

fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::unreadable("a value"))
}

fn from_json<T: DeserializeOwned>(json: &str, column: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|_| StoreError::unreadable(column))
}
