//! Decisions about source rows, and the attendance writes that follow from them.
//!
//! A write is `decided`, then `sending`, then `confirmed`; an answer that leaves it open whether PowerSchool took it
//! makes it `unknown`, until reading back tells. Whatever is not final after a crash is found by
//! [`Ledger::pending`]. What a source stated counts as stated only once it is known to stand in PowerSchool, so a
//! row that ends up held is decided afresh when it comes again.

mod decisions;
mod rows;
mod taken_over;
mod undo;

use std::{cmp::Ordering, collections::HashMap};

use chrono::{DateTime, NaiveDateTime, Utc};
use rosterbridge_domain::{
    attendance::{AttendanceKey, AttendanceWrite, History, NoOpReason, Source},
    held::HoldReason,
    id::{AttendanceDcid, StudentNumber},
};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use self::{
    rows::{COLUMNS, KeyColumns, local_time, read},
    taken_over::FOUND_CLEARED,
};
use super::{
    Ledger, RunId,
    held::{self, Holding},
    trace::{self, Event, RowEventKind, TracedId},
};
use crate::{
    StoreError,
    database::{from_instant, to_instant},
};

pub use decisions::{Decision, DecisionCounts, DecisionOutcome, KnownRow};
pub(super) use rows::{record, source, state};
pub use taken_over::{FOUND_CHANGED, TAKEN_OVER, TakenOver};
pub use undo::{Standing, Undo, Written};

/// SHA-256 of what identifies a source row.
pub type RowHash = [u8; 32];

/// An attendance write's id in the ledger, ascending in the order of decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OutboxId(pub i64);

/// How far an attendance write has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxState {
    /// To be sent.
    Decided,
    /// Given to PowerSchool, or about to be: after a crash it is as good as unknown.
    Sending,
    /// PowerSchool may or may not have it.
    Unknown,
    /// PowerSchool has it.
    Confirmed,
    /// Never sent: somebody else recorded the code before.
    AlreadyRecorded,
    /// It is not written; its row is held.
    Held,
}

impl OutboxState {
    const ALL: [Self; 6] =
        [Self::Decided, Self::Sending, Self::Unknown, Self::Confirmed, Self::AlreadyRecorded, Self::Held];

    /// The name in the ledger and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Confirmed => "confirmed",
            Self::AlreadyRecorded => "already_recorded",
            Self::Held => "held",
        }
    }
}

/// What this profile did with a record before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyHistory {
    /// The code the asking source last stated.
    pub stated: Option<String>,
    /// What told that, where the source tells when it happened.
    pub told: Option<Told>,
    /// Source and code of the last confirmed write.
    pub written: Option<(Source, String)>,
    /// Whether `written` only counts as ours since the ledger was restored, because what PowerSchool has may be a
    /// correction of it.
    pub only_counts: bool,
}

/// The row that last stated a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// When what it tells happened, in the district's local time.
    pub happened: NaiveDateTime,
    /// Its line, which tells when it came.
    line: Option<TracedId>,
}

impl KeyHistory {
    /// How something that happened at a time lies to what was last stated, as exactly as that is kept; nothing where one
    /// of the two times is not known.
    pub fn compare(&self, happened: Option<NaiveDateTime>) -> Option<Ordering> {
        Some(local_time(happened?).cmp(&local_time(self.told?.happened)))
    }

    /// The form the overwrite rules take.
    pub fn as_history(&self) -> History<'_> {
        History {
            stated: self.stated.as_deref(),
            written: self.written.as_ref().map(|(source, code)| (*source, code.as_str())),
        }
    }
}

/// An attendance write in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its id.
    pub id: OutboxId,
    /// Who stated it.
    pub source: Source,
    /// How often this source's statement for the record has been written or tried, from 1.
    pub revision: u32,
    /// How far it has come.
    pub state: OutboxState,
    /// What is written.
    pub write: AttendanceWrite,
    /// The file the row came in.
    pub file: String,
    /// Its line there, from 1.
    pub line: u64,
    /// The hash it is recognised by.
    pub row_hash: RowHash,
    /// The student's number.
    pub student_number: Option<StudentNumber>,
    /// The run that decided it.
    pub run: RunId,
    /// Why it is in its state, where that needs saying.
    pub reason: String,
    /// When it was decided.
    pub decided_at: DateTime<Utc>,
    /// When its state changed last.
    pub changed_at: DateTime<Utc>,
    /// The write it takes back, if it is part of an undo.
    pub undoes: Option<OutboxId>,
}

impl Ledger {
    /// The writes of a source that are not final, in the order of decision.
    pub fn pending(&self, source: Source) -> Result<Vec<OutboxRow>, StoreError> {
        let connection = self.lock();
        // The partial index holds just the rows in question; left alone, SQLite reads the whole table to save a sort.
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM outbox INDEXED BY outbox_open
             WHERE state IN ('decided', 'sending', 'unknown') AND source = ?1 ORDER BY id"
        ))?;
        let mut rows = statement.query([source.as_str()])?;
        let mut pending = Vec::new();
        while let Some(row) = rows.next()? {
            pending.push(read(row)?);
        }
        Ok(pending)
    }

    /// One attendance write.
    pub fn outbox_row(&self, id: OutboxId) -> Result<Option<OutboxRow>, StoreError> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM outbox WHERE id = ?1"))?;
        let mut rows = statement.query([id.0])?;
        rows.next()?.map(read).transpose()
    }

    /// `decided` → `sending`. To be called before the request leaves.
    pub fn mark_sending(&self, ids: &[OutboxId], at: DateTime<Utc>) -> Result<(), StoreError> {
        self.advance_all(ids, "'decided'", OutboxState::Sending, "", at)
    }

    /// `sending` or `unknown` → `confirmed`: PowerSchool has it. From now on it is what the source last stated and
    /// what was last written. An undo states nothing, so that a row delivered again is not written again; what was
    /// last written is then the write of ours that stood before the one taken back, or nothing.
    pub fn mark_confirmed(&self, ids: &[OutboxId], at: DateTime<Utc>) -> Result<(), StoreError> {
        self.transaction(|transaction| ids.iter().try_for_each(|id| confirm(transaction, *id, at)))
    }

    /// `decided` → `already_recorded`: PowerSchool has the code, but from somebody else. It is what the source last
    /// stated, and nothing that was written: whoever recorded it may change it. An undo states nothing.
    pub fn mark_already_recorded(&self, id: OutboxId, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            advance(transaction, id, "'decided'", OutboxState::AlreadyRecorded, "", at)?;
            if undo::is_undo(transaction, id)? {
                return Ok(());
            }
            keep_as_stated(transaction, id)?;
            transaction
                .prepare_cached(
                    "UPDATE decisions SET decision = 'noop', reason = ?2, decided_at = ?3
                     WHERE (source, row_hash) = (SELECT source, row_hash FROM outbox WHERE id = ?1)",
                )?
                .execute(params![id.0, NoOpReason::AlreadyRecorded.as_str(), from_instant(at)])?;
            Ok(())
        })
    }

    /// `sending` → `unknown`: no definite answer came. `reason` is the error's code.
    pub fn mark_unknown(&self, ids: &[OutboxId], reason: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.advance_all(ids, "'sending', 'unknown'", OutboxState::Unknown, reason, at)
    }

    /// Back to `decided`: PowerSchool certainly does not have it, and it may be sent again.
    pub fn mark_decided_again(&self, ids: &[OutboxId], at: DateTime<Utc>) -> Result<(), StoreError> {
        self.advance_all(ids, "'sending', 'unknown'", OutboxState::Decided, "", at)
    }

    /// Not written, and its row goes to the held rows with `reason`; whether it was not on that list before.
    pub fn mark_held(
        &self,
        id: OutboxId,
        reason: HoldReason,
        detail: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.transaction(|transaction| hold(transaction, id, reason, detail, at))
    }

    /// As [`Ledger::mark_held`], of a write that may have reached PowerSchool, where something else stands now than
    /// before. Somebody may have corrected what we wrote: it counts as written by us, but as not stated, so that no later
    /// row is written over it until a person has the row decided again.
    pub fn mark_corrected(
        &self,
        id: OutboxId,
        reason: HoldReason,
        detail: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.transaction(|transaction| {
            let newly = hold(transaction, id, reason, detail, at)?;
            // Where we had written before, whatever is not that any more is a correction already.
            transaction
                .prepare_cached(
                    "INSERT OR IGNORE INTO written
                         (school, student, date, mode, cc, period, source, code, written_at, outbox)
                     SELECT school, student, date, mode, cc, period, source, code, changed_at, id
                     FROM outbox WHERE id = ?1",
                )?
                .execute([id.0])?;
            Ok(newly)
        })
    }

    /// Keeps what a write that is to be sent was judged against: what PowerSchool holds may have changed since the row
    /// was decided. Neither its record nor its code is another one.
    pub fn judged_again(&self, id: OutboxId, write: &AttendanceWrite) -> Result<(), StoreError> {
        let changed = self
            .lock()
            .prepare_cached(&format!(
                "UPDATE outbox SET comment = ?2, replaces = ?3, previous_code = ?4, previous_comment = ?5
                 WHERE id = ?1 AND state IN ({OPEN_STATES}) AND undoes IS NULL"
            ))?
            .execute(params![
                id.0,
                write.comment,
                write.replaces.map(AttendanceDcid::get),
                write.previous_code,
                write.previous_comment
            ])?;
        if changed == 0 { Err(StoreError::NotInState { id: id.0 }) } else { Ok(()) }
    }

    /// What this profile did before with each of `keys`; records without a history are left out. What only counts as ours,
    /// because somebody may have corrected it, counts no longer once a person has the row decided again.
    pub fn history(
        &self,
        source: Source,
        keys: &[AttendanceKey],
    ) -> Result<HashMap<AttendanceKey, KeyHistory>, StoreError> {
        let connection = self.lock();
        // One lock of the file for all of them.
        let reading = connection.unchecked_transaction()?;
        let mut stated = reading.prepare_cached(
            "SELECT code, happened, traced FROM stated WHERE source = ?1 AND school = ?2 AND student = ?3
                 AND date = ?4 AND mode = ?5 AND cc = ?6 AND period = ?7",
        )?;
        let mut written = reading.prepare_cached(&format!(
            "SELECT source, code, outbox,
                 EXISTS (SELECT 1 FROM outbox WHERE outbox.id = written.outbox AND outbox.reason = '{FOUND_CLEARED}'),
                 EXISTS (SELECT 1 FROM outbox
                     WHERE outbox.id = written.outbox
                         AND (outbox.reason = '{FOUND_CLEARED}' OR outbox.state = 'held') AND (
                         EXISTS (SELECT 1 FROM held_rows WHERE held_rows.source = outbox.source
                             AND held_rows.row_hash = outbox.row_hash AND held_rows.state IN ('open', 'retried')
                             AND held_rows.state = 'retried')
                         OR EXISTS (SELECT 1 FROM decisions WHERE decisions.source = outbox.source
                             AND decisions.row_hash = outbox.row_hash AND decisions.decision = 'write'
                             AND decisions.decided_at > outbox.changed_at)))
             FROM written WHERE school = ?1 AND student = ?2 AND date = ?3 AND mode = ?4 AND cc = ?5 AND period = ?6",
        ))?;
        let mut histories = HashMap::new();
        for key in keys {
            let k = KeyColumns::from(key);
            let mut found = stated.query(params![
                source.as_str(),
                k.school,
                k.student,
                k.date,
                k.mode,
                k.cc,
                k.period
            ])?;
            let (mut last_stated, mut told) = (None, None);
            if let Some(row) = found.next()? {
                last_stated = Some(row.get(0)?);
                if let Some(happened) = row.get::<_, Option<i64>>(1)? {
                    told = Some(Told { happened: to_instant(happened)?.naive_utc(), line: row.get(2)? });
                }
            }
            let mut found = written.query(params![k.school, k.student, k.date, k.mode, k.cc, k.period])?;
            let (last_written, only_counts) = match found.next()? {
                Some(row) if row.get(4)? => (before_found(&reading, OutboxId(row.get(2)?))?, false),
                Some(row) => (Some((self::source(row, 0)?, row.get(1)?)), row.get(3)?),
                None => (None, false),
            };
            if last_stated.is_some() || last_written.is_some() {
                let history = KeyHistory { stated: last_stated, told, written: last_written, only_counts };
                histories.insert(*key, history);
            }
        }
        Ok(histories)
    }

    /// Whether a row of a source that waited tells of something that came before what was last stated for its record: it
    /// happened earlier, and came no later than in the same run; or at the same time, and came before it. A row that came
    /// afterwards is news, whatever time it tells: it may correct the other one.
    pub fn is_outdated(
        &self,
        source: Source,
        row_hash: &RowHash,
        happened: Option<NaiveDateTime>,
        history: &KeyHistory,
    ) -> Result<bool, StoreError> {
        let (Some(told), Some(order)) = (history.told, history.compare(happened)) else { return Ok(false) };
        let came_before = match order {
            Ordering::Greater => return Ok(false),
            Ordering::Equal => "waits.traced < ?3",
            Ordering::Less => {
                "(SELECT run FROM row_events WHERE traced = waits.traced ORDER BY seq LIMIT 1)
                     <= (SELECT run FROM row_events WHERE traced = ?3 ORDER BY seq LIMIT 1)"
            }
        };
        Ok(self
            .lock()
            .prepare_cached(&format!(
                "SELECT 1 FROM (SELECT traced FROM decisions
                         WHERE source = ?1 AND row_hash = ?2 AND decision = 'hold'
                     UNION ALL SELECT traced FROM put_off_rows WHERE source = ?1 AND row_hash = ?2) AS waits
                 WHERE {came_before}"
            ))?
            .exists(params![source.as_str(), row_hash, told.line])?)
    }

    fn advance_all(
        &self,
        ids: &[OutboxId],
        from: &str,
        to: OutboxState,
        reason: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            ids.iter().try_for_each(|id| advance(transaction, *id, from, to, reason, at))
        })
    }
}

/// The states of a write that is under way.
const OPEN_STATES: &str = "'decided', 'sending', 'unknown'";

/// Moves a write from one of the states `from` to another.
fn advance(
    connection: &Connection,
    id: OutboxId,
    from: &str,
    to: OutboxState,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    trace::write_changes(connection, id, to, reason, at)?;
    let changed = connection
        .prepare_cached(&format!(
            "UPDATE outbox SET state = ?2, reason = ?3, changed_at = ?4 WHERE id = ?1 AND state IN ({from})"
        ))?
        .execute(params![id.0, to.as_str(), reason, from_instant(at)])?;
    if changed == 0 { Err(StoreError::NotInState { id: id.0 }) } else { Ok(()) }
}

/// Not written, and its row goes to the held rows; whether it was not on that list before.
fn hold(
    connection: &Connection,
    id: OutboxId,
    reason: HoldReason,
    detail: &str,
    at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let (row, raw) = connection
        .prepare_cached(&format!("SELECT {COLUMNS}, raw FROM outbox WHERE id = ?1"))?
        .query_row([id.0], |row| Ok((read(row), row.get::<_, String>("raw")?)))
        .optional()?
        .ok_or(StoreError::NotInState { id: id.0 })?;
    let row = row?;
    advance(connection, id, OPEN_STATES, OutboxState::Held, reason.code(), at)?;
    let (held, newly) = held::hold(
        connection,
        &Holding {
            source: row.source,
            row_hash: &row.row_hash,
            file: &row.file,
            line: row.line,
            raw: &raw,
            reason,
            detail,
            student_number: row.student_number,
            run: row.run,
            at,
        },
    )?;
    connection
        .prepare_cached(
            "UPDATE decisions SET decision = 'hold', reason = ?3, decided_at = ?4
             WHERE source = ?1 AND row_hash = ?2",
        )?
        .execute(params![row.source.as_str(), row.row_hash, reason.code(), from_instant(at)])?;
    let event = Event {
        sent_at: (row.state == OutboxState::Sending).then_some(row.changed_at),
        held: Some(held),
        ..Event::new(RowEventKind::Held, reason.code(), detail)
    };
    trace::of_write(connection, id, event, at)?;
    Ok(newly)
}

/// `sending` or `unknown` → `confirmed`.
fn confirm(connection: &Connection, id: OutboxId, at: DateTime<Utc>) -> Result<(), StoreError> {
    advance(connection, id, "'sending', 'unknown'", OutboxState::Confirmed, "", at)?;
    if undo::is_undo(connection, id)? {
        return undo::restore_written(connection, id);
    }
    keep_as_stated(connection, id)?;
    keep_as_written(connection, id)
}

/// What was last written before a restored ledger found another code than a waiting row states. A person has decided about
/// that row, so what it found counts no longer.
fn before_found(connection: &Connection, id: OutboxId) -> Result<Option<(Source, String)>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT before.source, before.code FROM outbox AS found JOIN outbox AS before ON before.id = found.follows
         WHERE found.id = ?1 AND found.reason = '{FOUND_CLEARED}' AND before.state = 'confirmed'"
    ))?;
    let mut rows = statement.query([id.0])?;
    Ok(match rows.next()? {
        Some(row) => Some((source(row, 0)?, row.get(1)?)),
        None => None,
    })
}

/// Remembers a write as what was last written.
fn keep_as_written(connection: &Connection, id: OutboxId) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO written
                 (school, student, date, mode, cc, period, source, code, written_at, outbox)
             SELECT school, student, date, mode, cc, period, source, code, changed_at, id
             FROM outbox WHERE id = ?1",
        )?
        .execute([id.0])?;
    Ok(())
}

/// Remembers the code of a write as what its source last stated.
fn keep_as_stated(connection: &Connection, id: OutboxId) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO stated
                 (source, school, student, date, mode, cc, period, code, stated_at, happened, traced)
             SELECT source, school, student, date, mode, cc, period, code, changed_at, happened, traced
             FROM outbox WHERE id = ?1",
        )?
        .execute([id.0])?;
    Ok(())
}

/// Forgets what the source of a write stated for its record.
fn forget_stated(connection: &Connection, id: OutboxId) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM stated WHERE (source, school, student, date, mode, cc, period) =
                 (SELECT source, school, student, date, mode, cc, period FROM outbox WHERE id = ?1)",
        )?
        .execute([id.0])?;
    Ok(())
}
