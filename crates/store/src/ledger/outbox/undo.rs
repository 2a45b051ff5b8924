//! Writes that take other ones back.

use chrono::{DateTime, Utc};
use rosterbridge_domain::attendance::AttendanceWrite;
use rusqlite::Connection;
use serde::Serialize;

use super::{
    OPEN_STATES, OutboxId, OutboxRow, OutboxState,
    rows::{BESIDE, COLUMNS, NewWrite, insert, read},
    taken_over::{FOUND_CHANGED, FOUND_CLEARED, TAKEN_OVER},
};
use crate::{
    StoreError,
    ledger::{
        Ledger, RunId,
        trace::{self, Event, RowEventKind},
    },
};

/// A confirmed write of a run that may be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The write.
    pub row: OutboxRow,
    /// What became of its record in this profile since.
    pub standing: Standing,
    /// Whether it is known only because PowerSchool held it when the ledger had been restored: what stood before it is
    /// not known then. See [`Ledger::take_over`].
    pub taken_over: bool,
}

/// What became of a record in this profile after a write of it. What others did is known to PowerSchool only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing: it is the last write of ours. What a restored ledger only counts as ours is no write of it.
    Last,
    /// Another write of it is under way.
    UnderWay,
    /// A later one was made.
    WrittenAgain,
    /// It was taken back.
    Undone,
}

/// A write that takes another one back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Undo {
    /// The write it takes back.
    pub undoes: OutboxId,
    /// What is written: the code and comment that stood before. An empty code is the blank one.
    pub write: AttendanceWrite,
}

impl Ledger {
    /// An undo that is not made: the record stays as it is. `reason` is the code of why.
    pub fn mark_not_undone(&self, id: OutboxId, reason: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.advance_all(&[id], OPEN_STATES, OutboxState::Held, reason, at)
    }

    /// The writes of a run that PowerSchool confirmed, in the order of decision, each with what became of its record
    /// since. Undos are no part of it.
    pub fn written_by(&self, run: RunId) -> Result<Vec<Written>, StoreError> {
        const SAME_RECORD: &str = "other.school = outbox.school AND other.student = outbox.student
             AND other.date = outbox.date AND other.mode = outbox.mode AND other.cc = outbox.cc
             AND other.period = outbox.period";
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS},
                 EXISTS (SELECT 1 FROM outbox AS other
                     WHERE {SAME_RECORD} AND other.state IN ('decided', 'sending', 'unknown')),
                 EXISTS (SELECT 1 FROM written WHERE written.outbox = outbox.id)
                     OR EXISTS (SELECT 1 FROM written AS other JOIN outbox AS found ON found.id = other.outbox
                         WHERE {SAME_RECORD} AND found.reason = '{FOUND_CLEARED}' AND found.follows = outbox.id),
                 EXISTS (SELECT 1 FROM outbox AS other
                     WHERE other.source = outbox.source AND {SAME_RECORD} AND other.undoes = outbox.id
                         AND other.state = 'confirmed')
             FROM outbox WHERE run = ?1 AND state = 'confirmed' AND undoes IS NULL ORDER BY id"
        ))?;
        let mut rows = statement.query([run])?;
        let mut written = Vec::new();
        while let Some(row) = rows.next()? {
            let standing = match (row.get(BESIDE)?, row.get(BESIDE + 1)?, row.get(BESIDE + 2)?) {
                (true, _, _) => Standing::UnderWay,
                (false, true, _) => Standing::Last,
                (false, false, true) => Standing::Undone,
                (false, false, false) => Standing::WrittenAgain,
            };
            let row = read(row)?;
            written.push(Written { standing, taken_over: is_taken_over(&row), row });
        }
        Ok(written)
    }

    /// The writes of an undo, in the order of decision.
    pub fn undos_of(&self, run: RunId) -> Result<Vec<OutboxRow>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM outbox WHERE run = ?1 AND undoes IS NOT NULL ORDER BY id"
        ))?;
        let mut rows = statement.query([run])?;
        let mut undos = Vec::new();
        while let Some(row) = rows.next()? {
            undos.push(read(row)?);
        }
        Ok(undos)
    }

    /// Puts the writes of an undo into the outbox, all or none; refused where a record has another write under way.
    pub fn record_undo(&self, run: RunId, undos: &[Undo], at: DateTime<Utc>) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            for undo in undos {
                let undone = transaction
                    .prepare_cached(&format!("SELECT {COLUMNS} FROM outbox WHERE id = ?1"))?
                    .query_row([undo.undoes.0], |row| Ok(read(row)))??;
                let traced = transaction
                    .prepare_cached("SELECT traced FROM outbox WHERE id = ?1")?
                    .query_row([undo.undoes.0], |row| row.get(0))?;
                let id = insert(
                    transaction,
                    &NewWrite {
                        source: undone.source,
                        write: &undo.write,
                        file: &undone.file,
                        line: undone.line,
                        row_hash: &undone.row_hash,
                        raw: "",
                        student_number: undone.student_number,
                        undoes: Some(undo.undoes),
                        traced,
                        happened: None,
                        run,
                        at,
                    },
                )?;
                trace::of_write(transaction, id, Event::new(RowEventKind::UndoDecided, "", ""), at)?;
            }
            Ok(())
        })
    }
}

/// Whether a confirmed write was not sent by this ledger. Earlier versions gave no reason: what they took over tells
/// nothing of what stood before, though a record was there.
fn is_taken_over(row: &OutboxRow) -> bool {
    let OutboxRow { write, reason, .. } = row;
    let tells_nothing = write.previous_code.is_none() && write.previous_comment.is_none();
    [TAKEN_OVER, FOUND_CHANGED, FOUND_CLEARED].contains(&reason.as_str())
        || (reason.is_empty() && write.replaces.is_some() && tells_nothing)
}

/// Whether a write takes another one back.
pub(super) fn is_undo(connection: &Connection, id: OutboxId) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM outbox WHERE id = ?1 AND undoes IS NOT NULL")?
        .exists([id.0])?)
}

/// After an undo, what was last written is what stood before the write that was taken back, if it was ours and is what
/// the undo restored.
pub(super) fn restore_written(connection: &Connection, id: OutboxId) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM written WHERE (school, student, date, mode, cc, period) =
                 (SELECT school, student, date, mode, cc, period FROM outbox WHERE id = ?1)",
        )?
        .execute([id.0])?;
    connection
        .prepare_cached(
            "INSERT INTO written (school, student, date, mode, cc, period, source, code, written_at, outbox)
             SELECT before.school, before.student, before.date, before.mode, before.cc, before.period,
                 before.source, before.code, before.changed_at, before.id
             FROM outbox AS undo JOIN outbox AS undone ON undone.id = undo.undoes
                 JOIN outbox AS before ON before.id = undone.follows
             WHERE undo.id = ?1 AND before.code = undo.code AND before.state = 'confirmed'",
        )?
        .execute([id.0])?;
    Ok(())
}
