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
    /// What a person decided about it, if so.
    pub fixed: Option<Fixed>,
}

/// That a person decided something about a held row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// The decision, in a form of the caller's.
    pub fix: String,
    /// The decision in words.
    pub words: String,
    /// Who made it.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Rows that wait for the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldCause {
    /// Who stated them.
    pub source: Source,
    /// Why they are held.
    pub reason: HoldReason,
    /// What exactly, e.g. the unknown code.
    pub detail: String,
    /// How many there are.
    pub rows: u64,
}

/// Which waiting rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldFilter {
    /// Those of a source.
    pub source: Option<Source>,
    /// Those held for a reason.
    pub reason: Option<HoldReason>,
    /// Those with just this detail.
    pub detail: Option<String>,
}

/// What a waiting row states, and what a person decided about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldStatement {
    /// The row.
    pub id: HeldId,
    /// Who stated it.
    pub source: Source,
    /// What it states, as [`Ledger::keep_fields`] was told; `None` where that is not kept.
    pub fields: Option<String>,
    /// [`Fixed::fix`].
    pub fix: Option<String>,
}

/// A row that a run held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldByRun {
    /// The hash it is recognised by.
    pub row_hash: RowHash,
    /// The row as it came.
    pub raw: String,
    /// What it states, as [`Ledger::keep_fields`] was told; `None` where that is not kept.
    pub fields: Option<String>,
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
    let id = connection.last_insert_rowid();
    // What was decided about the row when it was held before still counts, and can be taken back or changed here: for that
    // it has to be known what the row states.
    connection
        .prepare_cached(
            "UPDATE held_rows SET (fix, fix_words, fixed_at, fixed_by, fields) =
                 (SELECT fix, fix_words, fixed_at, fixed_by, fields FROM held_rows
                  WHERE source = ?2 AND row_hash = ?3 AND fix IS NOT NULL ORDER BY id DESC LIMIT 1)
             WHERE id = ?1",
        )?
        .execute(params![id, row.source.as_str(), row.row_hash])?;
    Ok((HeldId(id), true))
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
    pub fn held_waiting(
        &self,
        filter: &HeldFilter,
        limit: u32,
        offset: u32,
    ) -> Result<Vec<HeldRow>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM held_rows WHERE {WAITING} ORDER BY id LIMIT ?4 OFFSET ?5"
        ))?;
        let (source, reason, detail) = filter.parameters();
        let mut rows = statement.query(params![source, reason, detail, limit, offset])?;
        let mut held = Vec::new();
        while let Some(row) = rows.next()? {
            held.push(read(row)?);
        }
        Ok(held)
    }

    /// How many of them there are.
    pub fn held_waiting_count(&self, filter: &HeldFilter) -> Result<u64, StoreError> {
        let (source, reason, detail) = filter.parameters();
        let count: i64 = self
            .lock()
            .prepare_cached(&format!("SELECT count(*) FROM held_rows WHERE {WAITING}"))?
            .query_row(params![source, reason, detail], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// What rows wait for, most rows first; at most `limit`.
    pub fn held_causes(&self, limit: u32) -> Result<Vec<HeldCause>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT source, reason, detail, count(*) AS many FROM held_rows WHERE state IN ('open', 'retried')
             GROUP BY source, reason, detail ORDER BY many DESC, source, reason, detail LIMIT ?1",
        )?;
        let mut rows = statement.query([limit])?;
        let mut causes = Vec::new();
        while let Some(row) = rows.next()? {
            causes.push(HeldCause {
                source: outbox::source(row, 0)?,
                reason: reason(row, 1)?,
                detail: row.get(2)?,
                rows: row.get::<_, i64>(3)?.unsigned_abs(),
            });
        }
        Ok(causes)
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

    /// The rows of a source that a run held.
    pub fn held_by_run(&self, source: Source, run: RunId) -> Result<Vec<HeldByRun>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT row_hash, raw, fields FROM held_rows
             WHERE state IN ('open', 'retried') AND source = ?1 AND run = ?2",
        )?;
        let rows = statement.query_map(params![source.as_str(), run], |row| {
            Ok(HeldByRun { row_hash: row.get(0)?, raw: row.get(1)?, fields: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
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

    /// The rows of a source that a person asked for and of which is kept what they state.
    pub fn asked_for(&self, source: Source) -> Result<HashMap<RowHash, HeldId>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT row_hash, id FROM held_rows WHERE state = 'retried' AND source = ?1 AND fields IS NOT NULL",
        )?;
        let hashes = statement.query_map([source.as_str()], |row| Ok((row.get(0)?, HeldId(row.get(1)?))))?;
        Ok(hashes.collect::<Result<_, _>>()?)
    }

    /// What waiting rows state and what was decided about them, in the order of the ids. An id that no waiting row has is
    /// [`StoreError::NotFound`].
    pub fn held_statements(&self, ids: &[HeldId]) -> Result<Vec<HeldStatement>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT source, fields, fix FROM held_rows WHERE id = ?1 AND state IN ('open', 'retried')",
        )?;
        let mut statements = Vec::with_capacity(ids.len());
        for id in ids {
            let mut rows = statement.query([id.0])?;
            let row = rows.next()?.ok_or(NO_SUCH_ROW)?;
            statements.push(HeldStatement {
                id: *id,
                source: outbox::source(row, 0)?,
                fields: row.get(1)?,
                fix: row.get(2)?,
            });
        }
        Ok(statements)
    }

    /// What people decided about rows of a source ([`Fixed::fix`]), also about those that are held no more.
    pub fn held_fixes(&self, source: Source) -> Result<HashMap<RowHash, String>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT row_hash, fix FROM held_rows WHERE source = ?1 AND fix IS NOT NULL ORDER BY id",
        )?;
        let fixes = statement.query_map([source.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(fixes.collect::<Result<_, _>>()?)
    }

    /// Keeps what a person decided about waiting rows, in the place of what was decided before, and has them decided
    /// again: all of them or none.
    pub fn fix_held(&self, rows: &[(HeldId, Fixed)]) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            for (id, fixed) in rows {
                let changed = transaction
                    .prepare_cached(
                        "UPDATE held_rows SET fix = ?2, fix_words = ?3, fixed_by = ?4, fixed_at = ?5, state = 'retried'
                         WHERE id = ?1 AND state IN ('open', 'retried')",
                    )?
                    .execute(params![id.0, fixed.fix, fixed.words, fixed.by, from_instant(fixed.at)])?;
                if changed == 0 {
                    return Err(NO_SUCH_ROW);
                }
                let detail = format!("{}: {}", fixed.by, fixed.words);
                trace::of_held_row(transaction, *id, RowEventKind::Fixed, &detail, fixed.at)?;
            }
            Ok(())
        })
    }

    /// Takes back what was decided about rows: those that wait are as they came, and wait; those that are settled stay so,
    /// and the next time they come they are decided as any other row. All of them or none. An id of a row about which
    /// nothing was decided is [`StoreError::NotFound`].
    pub fn take_back_fix(&self, ids: &[HeldId], by: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            for id in ids {
                let row: Option<(String, RowHash)> = transaction
                    .query_row(
                        "SELECT source, row_hash FROM held_rows WHERE id = ?1 AND fix IS NOT NULL",
                        [id.0],
                        |row| Ok((row.get(0)?, row.get(1)?)),
                    )
                    .optional()?;
                let (source, row_hash) = row.ok_or(NO_SUCH_ROW)?;
                // Also where it was held before, or is held anew.
                transaction.execute(
                    "UPDATE held_rows SET fix = NULL, fix_words = NULL, fixed_by = NULL, fixed_at = NULL,
                         state = iif(state = 'retried', 'open', state)
                     WHERE source = ?1 AND row_hash = ?2 AND fix IS NOT NULL",
                    params![source, row_hash],
                )?;
                let waits = transaction
                    .prepare_cached(
                        "SELECT 1 FROM held_rows
                         WHERE source = ?1 AND row_hash = ?2 AND state IN ('open', 'retried')",
                    )?
                    .exists(params![source, row_hash])?;
                let note = if waits { trace::of_held_row } else { trace::of_settled_row };
                note(transaction, *id, RowEventKind::FixTakenBack, by, at)?;
            }
            Ok(())
        })
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
            trace::of_held_row(transaction, HeldId(held), RowEventKind::Resolved, "", at)?;
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
                    trace::of_held_row(transaction, *id, RowEventKind::Retried, "", at)?;
                }
                let changed = transaction.execute(
                    "UPDATE held_rows SET state = 'retried' WHERE id = ?1 AND state IN ('open', 'retried')",
                    [id.0],
                )?;
                if changed == 0 {
                    return Err(NO_SUCH_ROW);
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
                let (source, row_hash) = row.ok_or(NO_SUCH_ROW)?;
                trace::of_held_row(transaction, *id, RowEventKind::Discarded, "", at)?;
                // What was decided about it would speak for the row where it comes again.
                transaction.execute(
                    "UPDATE held_rows SET fix = NULL, fix_words = NULL, fixed_by = NULL, fixed_at = NULL
                     WHERE source = ?1 AND row_hash = ?2 AND fix IS NOT NULL",
                    params![source, row_hash],
                )?;
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
                       run, state, fix, fix_words, fixed_by, fixed_at";

/// The rows that wait and that a [`HeldFilter`] lets through, by its parameters.
const WAITING: &str = "state IN ('open', 'retried') AND (?1 IS NULL OR source = ?1) AND (?2 IS NULL OR reason = ?2) \
                       AND (?3 IS NULL OR detail = ?3)";

/// An id that no waiting row has.
const NO_SUCH_ROW: StoreError = StoreError::NotFound("such held row");

impl HeldFilter {
    fn parameters(&self) -> (Option<&str>, Option<&str>, Option<&str>) {
        (self.source.map(Source::as_str), self.reason.map(HoldReason::code), self.detail.as_deref())
    }
}

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
        fixed: match row.get::<_, Option<String>>(13)? {
            Some(fix) => Some(Fixed {
                fix,
                words: row.get::<_, Option<String>>(14)?.unwrap_or_default(),
                by: row.get::<_, Option<String>>(15)?.unwrap_or_default(),
                at: to_instant(row.get(16)?)?,
            }),
            None => None,
        },
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
