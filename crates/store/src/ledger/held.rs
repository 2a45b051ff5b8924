//! Rows kept for a person.

use chrono::{DateTime, Utc};
use rosterbridge_domain::{attendance::Source, held::HoldReason, id::StudentNumber};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::{Ledger, RowHash, RunId, outbox};
use crate::{
    StoreError,
    database::{from_instant, signed, to_instant},
};

/// A held row's id in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HeldId(pub i64);

/// What became of a held row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldState {
    /// Waits for a person or for its cause to go.
    Open,
    /// A person asked for it to be decided again, which has not happened yet.
    Retried,
    /// A person closed it; the row is never written.
    Discarded,
    /// A later decision of the same row was another.
    Resolved,
}

impl HeldState {
    const ALL: [Self; 4] = [Self::Open, Self::Retried, Self::Discarded, Self::Resolved];

    /// The name in the ledger and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Retried => "retried",
            Self::Discarded => "discarded",
            Self::Resolved => "resolved",
        }
    }
}

/// A row kept for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRow {
    /// Its id.
    pub id: HeldId,
    /// Who stated it.
    pub source: Source,
    /// The hash it is recognised by.
    pub row_hash: RowHash,
    /// The file it came in last.
    pub file: String,
    /// Its line there, from 1.
    pub line: u64,
    /// The row as it came.
    pub raw: String,
    /// Why it is held.
    pub reason: HoldReason,
    /// What exactly, e.g. the unknown code.
    pub detail: String,
    /// The student it names, if that could be read.
    pub student_number: Option<StudentNumber>,
    /// When it was first held.
    pub first_seen: DateTime<Utc>,
    /// When it was last held.
    pub last_seen: DateTime<Utc>,
    /// The run that held it last.
    pub run: RunId,
    /// What became of it.
    pub state: HeldState,
}

/// A row to be held.
pub(super) struct Holding<'a> {
    pub source: Source,
    pub row_hash: &'a RowHash,
    pub file: &'a str,
    pub line: u64,
    pub raw: &'a str,
    pub reason: HoldReason,
    pub detail: &'a str,
    pub student_number: Option<StudentNumber>,
    pub run: RunId,
    pub at: DateTime<Utc>,
}

/// Holds a row; whether it was not on the list before.
pub(super) fn hold(connection: &Connection, row: &Holding<'_>) -> Result<bool, StoreError> {
    let at = from_instant(row.at);
    let known = connection
        .prepare_cached(
            "UPDATE held_rows SET file = ?3, line = ?4, reason = ?5, detail = ?6, last_seen = ?7, run = ?8,
                 state = 'open'
             WHERE source = ?1 AND row_hash = ?2 AND state IN ('open', 'retried')",
        )?
        .execute(params![
            row.source.as_str(),
            row.row_hash,
            row.file,
            signed(row.line),
            row.reason.code(),
            row.detail,
            at,
            row.run
        ])?;
    if known > 0 {
        return Ok(false);
    }
    connection
        .prepare_cached(
            "INSERT INTO held_rows (source, row_hash, file, line, raw, reason, detail, student_number, first_seen,
                 last_seen, run, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, 'open')",
        )?
        .execute(params![
            row.source.as_str(),
            row.row_hash,
            row.file,
            signed(row.line),
            row.raw,
            row.reason.code(),
            row.detail,
            row.student_number.map(StudentNumber::get),
            at,
            row.run
        ])?;
    Ok(true)
}

/// Takes a row off the list; whether it was on it.
pub(super) fn resolve(
    connection: &Connection,
    source: Source,
    row_hash: &RowHash,
) -> Result<bool, StoreError> {
    let resolved = connection
        .prepare_cached(
            "UPDATE held_rows SET state = 'resolved'
             WHERE source = ?1 AND row_hash = ?2 AND state IN ('open', 'retried')",
        )?
        .execute(params![source.as_str(), row_hash])?;
    Ok(resolved > 0)
}

/// Takes back that a row is to be decided again.
pub(super) fn open_again(
    connection: &Connection,
    source: Source,
    row_hash: &RowHash,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE held_rows SET state = 'open'
             WHERE source = ?1 AND row_hash = ?2 AND state IN ('open', 'retried')",
        )?
        .execute(params![source.as_str(), row_hash])?;
    Ok(())
}

impl Ledger {
    /// Held rows, oldest first; of one state, or all.
    pub fn held(
        &self,
        limit: u32,
        offset: u32,
        state: Option<HeldState>,
    ) -> Result<Vec<HeldRow>, StoreError> {
        let connection = self.lock();
        let only = if state.is_some() { "WHERE state = ?3" } else { "WHERE ?3 IS NULL" };
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM held_rows {only} ORDER BY id LIMIT ?1 OFFSET ?2"
        ))?;
        let mut rows = statement.query(params![limit, offset, state.map(HeldState::as_str)])?;
        let mut held = Vec::new();
        while let Some(row) = rows.next()? {
            held.push(read(row)?);
        }
        Ok(held)
    }

    /// The rows that wait, oldest first: open ones, and those to be decided again.
    pub fn held_waiting(&self, limit: u32, offset: u32) -> Result<Vec<HeldRow>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM held_rows WHERE state IN ('open', 'retried') ORDER BY id LIMIT ?1 OFFSET ?2"
        ))?;
        let mut rows = statement.query([limit, offset])?;
        let mut held = Vec::new();
        while let Some(row) = rows.next()? {
            held.push(read(row)?);
        }
        Ok(held)
    }

    /// How many rows wait: open ones, and those to be decided again.
    pub fn held_count(&self) -> Result<u64, StoreError> {
        let count: i64 = self.lock().query_row(
            "SELECT count(*) FROM held_rows WHERE state IN ('open', 'retried')",
            [],
            |row| row.get(0),
        )?;
        Ok(count.unsigned_abs())
    }

    /// How many rows wait for each reason, most first.
    pub fn held_by_reason(&self) -> Result<Vec<(HoldReason, u64)>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT reason, count(*) AS many FROM held_rows WHERE state IN ('open', 'retried')
             GROUP BY reason ORDER BY many DESC, reason",
        )?;
        let mut rows = statement.query([])?;
        let mut reasons = Vec::new();
        while let Some(row) = rows.next()? {
            reasons.push((reason(row, 0)?, row.get::<_, i64>(1)?.unsigned_abs()));
        }
        Ok(reasons)
    }

    /// Takes a row off the list because it is settled otherwise; whether it was on it. Decisions recorded by
    /// [`Ledger::record_decisions`] do this by themselves.
    pub fn resolve_held(&self, source: Source, row_hash: &RowHash) -> Result<bool, StoreError> {
        resolve(&self.lock(), source, row_hash)
    }

    /// Marks open rows to be decided again.
    pub fn retry_held(&self, ids: &[HeldId]) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            for id in ids {
                let changed = transaction.execute(
                    "UPDATE held_rows SET state = 'retried' WHERE id = ?1 AND state IN ('open', 'retried')",
                    [id.0],
                )?;
                if changed == 0 {
                    return Err(StoreError::NotFound("such held row"));
                }
            }
            Ok(())
        })
    }

    /// Closes rows for good: delivered again, they count as decided.
    pub fn discard_held(&self, ids: &[HeldId], at: DateTime<Utc>) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            for id in ids {
                let row: Option<(String, RowHash)> = transaction
                    .query_row(
                        "UPDATE held_rows SET state = 'discarded' WHERE id = ?1 AND state IN ('open', 'retried')
                         RETURNING source, row_hash",
                        [id.0],
                        |row| Ok((row.get(0)?, row.get(1)?)),
                    )
                    .optional()?;
                let (source, row_hash) = row.ok_or(StoreError::NotFound("such held row"))?;
                transaction.execute(
                    "UPDATE decisions SET decision = 'discard', decided_at = ?3 WHERE source = ?1 AND row_hash = ?2",
                    params![source, row_hash, from_instant(at)],
                )?;
            }
            Ok(())
        })
    }
}

/// The columns [`read`] reads.
const COLUMNS: &str = "id, source, row_hash, file, line, raw, reason, detail, student_number, first_seen, last_seen, \
                       run, state";

fn read(row: &Row<'_>) -> Result<HeldRow, StoreError> {
    let state = row.get_ref(12)?.as_str().ok();
    Ok(HeldRow {
        id: HeldId(row.get(0)?),
        source: outbox::source(row, 1)?,
        row_hash: row.get(2)?,
        file: row.get(3)?,
        line: row.get::<_, i64>(4)?.unsigned_abs(),
        raw: row.get(5)?,
        reason: reason(row, 6)?,
        detail: row.get(7)?,
        student_number: row.get::<_, Option<i64>>(8)?.map(StudentNumber::new),
        first_seen: to_instant(row.get(9)?)?,
        last_seen: to_instant(row.get(10)?)?,
        run: row.get(11)?,
        state: HeldState::ALL
            .into_iter()
            .find(|known| Some(known.as_str()) == state)
            .ok_or_else(|| StoreError::unreadable("held_rows.state"))?,
    })
}

fn reason(row: &Row<'_>, index: usize) -> Result<HoldReason, StoreError> {
    let code: String = row.get(index)?;
    HoldReason::ALL
        .iter()
        .copied()
        .find(|reason| reason.code() == code)
        .ok_or_else(|| StoreError::unreadable("held_rows.reason"))
}
