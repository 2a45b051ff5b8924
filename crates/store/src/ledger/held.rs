//! Rows kept for a person.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rosterbridge_domain::{attendance::Source, held::HoldReason, id::StudentNumber};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::{
    Ledger, RowHash, RunId, outbox,
    trace::{self, LINES, RowEventKind},
};
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

/// A held row that can be decided without its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRow {
    /// The hash it is recognised by.
    pub row_hash: RowHash,
    /// The file that brought it first.
    pub file: String,
    /// SHA-256 of that file's content, as the ledger knows it.
    pub sha256: String,
    /// Its line there, from 1.
    pub line: u64,
    /// The row as it came.
    pub raw: String,
    /// What it states, as [`Ledger::keep_fields`] was told.
    pub fields: String,
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

/// Holds a row: its id on the list, and whether it was not there before.
pub(super) fn hold(connection: &Connection, row: &Holding<'_>) -> Result<(HeldId, bool), StoreError> {
    let at = from_instant(row.at);
    let known: Option<i64> = connection
        .prepare_cached(
            "UPDATE held_rows SET file = ?3, line = ?4, reason = ?5, detail = ?6, last_seen = ?7, run = ?8,
                 state = 'open'
             WHERE source = ?1 AND row_hash = ?2 AND state IN ('open', 'retried') RETURNING id",
        )?
        .query_row(
            params![
                row.source.as_str(),
                row.row_hash,
                row.file,
                signed(row.line),
                row.reason.code(),
                row.detail,
                at,
                row.run
            ],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(id) = known {
        return Ok((HeldId(id), false));
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
    Ok((HeldId(connection.last_insert_rowid()), true))
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

    /// What rows of a source wait for with this reason ([`HeldRow::detail`]): each once, in order, at most `limit`.
    pub fn held_details(
        &self,
        source: Source,
        reason: HoldReason,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT DISTINCT detail FROM held_rows
             WHERE state IN ('open', 'retried') AND source = ?1 AND reason = ?2 AND detail <> ''
             ORDER BY detail LIMIT ?3",
        )?;
        let details =
            statement.query_map(params![source.as_str(), reason.code(), limit], |row| row.get(0))?;
        Ok(details.collect::<Result<_, _>>()?)
    }

    /// The rows of a source that wait, and of which is kept what they state, or of which it is not.
    pub fn held_hashes(&self, source: Source, kept: bool) -> Result<HashMap<RowHash, HeldId>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT row_hash, id FROM held_rows
             WHERE state IN ('open', 'retried') AND source = ?1 AND (fields IS NOT NULL) = ?2",
        )?;
        let hashes = statement
            .query_map(params![source.as_str(), kept], |row| Ok((row.get(0)?, HeldId(row.get(1)?))))?;
        Ok(hashes.collect::<Result<_, _>>()?)
    }

    /// Keeps what waiting rows state, in a form of the caller's: with that they can be decided when their file is gone.
    pub fn keep_fields(&self, source: Source, rows: &[(RowHash, String)]) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            let mut keep = transaction.prepare_cached(
                "UPDATE held_rows SET fields = ?3
                 WHERE source = ?1 AND row_hash = ?2 AND state IN ('open', 'retried')",
            )?;
            for (row_hash, fields) in rows {
                keep.execute(params![source.as_str(), row_hash, fields])?;
            }
            Ok(())
        })
    }

    /// Waiting rows by their ids, in that order. Those of which is not kept what they state are left out, and those whose
    /// line is not known any more.
    pub fn kept_rows(&self, ids: &[HeldId]) -> Result<Vec<KeptRow>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT held_rows.row_hash, name, sha256, decisions.traced % ?2, held_rows.raw, fields
             FROM held_rows JOIN decisions USING (source, row_hash)
                 JOIN input_files ON input_files.id = decisions.traced / ?2
             WHERE held_rows.id = ?1 AND state IN ('open', 'retried') AND fields IS NOT NULL",
        )?;
        let mut kept = Vec::new();
        for id in ids {
            let mut rows = statement.query(params![id.0, LINES])?;
            if let Some(row) = rows.next()? {
                kept.push(KeptRow {
                    row_hash: row.get(0)?,
                    file: row.get(1)?,
                    sha256: row.get(2)?,
                    line: row.get::<_, i64>(3)?.unsigned_abs(),
                    raw: row.get(4)?,
                    fields: row.get(5)?,
                });
            }
        }
        Ok(kept)
    }

    /// Takes a row off the list because it is settled otherwise; whether it was on it. Decisions recorded by
    /// [`Ledger::record_decisions`] do this by themselves.
    pub fn resolve_held(
        &self,
        source: Source,
        row_hash: &RowHash,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.transaction(|transaction| {
            let held: Option<i64> = transaction
                .query_row(
                    "SELECT id FROM held_rows WHERE source = ?1 AND row_hash = ?2 AND state IN ('open', 'retried')",
                    params![source.as_str(), row_hash],
                    |row| row.get(0),
                )
                .optional()?;
            let Some(held) = held else { return Ok(false) };
            trace::of_held_row(transaction, HeldId(held), RowEventKind::Resolved, at)?;
            resolve(transaction, source, row_hash)
        })
    }

    /// Marks open rows to be decided again.
    pub fn retry_held(&self, ids: &[HeldId], at: DateTime<Utc>) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            for id in ids {
                // Whoever saw what stands in PowerSchool and asks for the row knows better than a restored ledger.
                transaction
                    .prepare_cached(
                        "DELETE FROM rows_in_doubt WHERE (source, row_hash) IN
                             (SELECT source, row_hash FROM held_rows WHERE id = ?1 AND reason = ?2)",
                    )?
                    .execute(params![id.0, HoldReason::CorrectedInPowerSchool.code()])?;
                let asked_before = transaction
                    .prepare_cached("SELECT 1 FROM held_rows WHERE id = ?1 AND state = 'retried'")?
                    .exists([id.0])?;
                if !asked_before {
                    trace::of_held_row(transaction, *id, RowEventKind::Retried, at)?;
                }
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
                trace::of_held_row(transaction, *id, RowEventKind::Discarded, at)?;
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
