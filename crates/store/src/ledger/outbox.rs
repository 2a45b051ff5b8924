//! Decisions about source rows, and the attendance writes that follow from them.
//!
//! A write is `decided`, then `sending`, then `confirmed`; an answer that leaves it open whether PowerSchool took it
//! makes it `unknown`, until reading back tells. Whatever is not final after a crash is found by
//! [`Ledger::pending`]. What a source stated counts as stated only once it is known to stand in PowerSchool, so a
//! row that ends up held is decided afresh when it comes again.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use rosterbridge_domain::{
    attendance::{AttendanceKey, AttendanceWrite, History, Meeting, MeetingTimes, NoOpReason, Source},
    held::HoldReason,
    id::{
        AttendanceCodeId, AttendanceDcid, CalendarDayId, CcId, PeriodId, SchoolNumber, StudentId,
        StudentNumber, YearId,
    },
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::{
    Ledger, RunId,
    held::{self, Holding},
};
use crate::{
    StoreError,
    database::{from_instant, signed, to_date, to_instant},
};

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

/// What is to become of one source row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Its line in the file, from 1.
    pub line: u64,
    /// What it is recognised by when it comes again.
    pub row_hash: RowHash,
    /// The row as it came.
    pub raw: String,
    /// The student it names, if that could be read.
    pub student_number: Option<StudentNumber>,
    /// The decision.
    pub outcome: DecisionOutcome,
}

/// A decision about a source row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionOutcome {
    /// It is to be written.
    Write(AttendanceWrite),
    /// Nothing is to be done.
    NoOp {
        /// The record the row is about, if it was found out.
        key: Option<AttendanceKey>,
        /// The code it states; empty if that was not found out.
        code: String,
        /// Why nothing is to be done.
        reason: NoOpReason,
    },
    /// A person is to decide.
    Hold {
        /// Why.
        reason: HoldReason,
        /// What exactly.
        detail: String,
    },
    /// It is malformed.
    Reject {
        /// What is wrong.
        detail: String,
    },
}

/// What [`Ledger::record_decisions`] recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecisionCounts {
    /// Writes put into the outbox.
    pub to_write: u64,
    /// Rows without consequence, among them rows a person had discarded.
    pub noop: u64,
    /// Rows held, new or not.
    pub held: u64,
    /// Rows held that were not on the list.
    pub newly_held: u64,
    /// Malformed rows, new or not.
    pub rejected: u64,
    /// Malformed rows not seen before.
    pub newly_rejected: u64,
}

/// What this profile did with a record before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyHistory {
    /// The code the asking source last stated.
    pub stated: Option<String>,
    /// Source and code of the last confirmed write.
    pub written: Option<(Source, String)>,
}

impl KeyHistory {
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

/// A confirmed write of a run that may be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The write.
    pub row: OutboxRow,
    /// What became of its record in this profile since.
    pub standing: Standing,
}

/// What became of a record in this profile after a write of it. What others did is known to PowerSchool only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing: it is the last write of ours that stands.
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

/// A record's key as columns.
struct KeyColumns {
    school: i64,
    student: i64,
    date: String,
    mode: &'static str,
    cc: i64,
    period: i64,
}

impl From<&AttendanceKey> for KeyColumns {
    fn from(key: &AttendanceKey) -> Self {
        Self {
            school: key.school.get(),
            student: key.student.get(),
            date: key.date.to_string(),
            mode: key.mode().code(),
            cc: key.meeting.map_or(0, |meeting| meeting.cc.get()),
            period: key.meeting.map_or(0, |meeting| meeting.period.get()),
        }
    }
}

impl Ledger {
    /// Records what is to become of the rows of one file, as one: either every decision is in the ledger, or none.
    /// A write of a record that has another under way (of either source) is refused as
    /// [`StoreError::UnsettledWrite`], since it was judged against what that other one may be changing: settle
    /// [`Ledger::pending`] first, and decide several rows about one record in one file as superseded but the last.
    pub fn record_decisions(
        &self,
        run: RunId,
        source: Source,
        file: &str,
        decisions: &[Decision],
        at: DateTime<Utc>,
    ) -> Result<DecisionCounts, StoreError> {
        self.transaction(|transaction| {
            let recording = Recording { connection: transaction, run, source, file, at };
            let mut counts = DecisionCounts::default();
            for decision in decisions {
                recording.record(decision, &mut counts)?;
            }
            Ok(counts)
        })
    }

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
        self.transaction(|transaction| {
            for id in ids {
                advance(transaction, *id, "'sending', 'unknown'", OutboxState::Confirmed, "", at)?;
                if is_undo(transaction, *id)? {
                    restore_written(transaction, *id)?;
                    continue;
                }
                state_as_written(transaction, *id)?;
                transaction
                    .prepare_cached(
                        "INSERT OR REPLACE INTO written
                             (school, student, date, mode, cc, period, source, code, written_at, outbox)
                         SELECT school, student, date, mode, cc, period, source, code, changed_at, id
                         FROM outbox WHERE id = ?1",
                    )?
                    .execute([id.0])?;
            }
            Ok(())
        })
    }

    /// `decided` → `already_recorded`: PowerSchool has the code, but from somebody else. It is what the source last
    /// stated, and nothing that was written: whoever recorded it may change it. An undo states nothing.
    pub fn mark_already_recorded(&self, id: OutboxId, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            advance(transaction, id, "'decided'", OutboxState::AlreadyRecorded, "", at)?;
            if is_undo(transaction, id)? {
                return Ok(());
            }
            state_as_written(transaction, id)?;
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
                 EXISTS (SELECT 1 FROM written WHERE written.outbox = outbox.id),
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
            written.push(Written { row: read(row)?, standing });
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
                insert(
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
                        run,
                        at,
                    },
                )?;
            }
            Ok(())
        })
    }

    /// Not written, and its row goes to the held rows with `reason`; whether it was not on that list before.
    pub fn mark_held(
        &self,
        id: OutboxId,
        reason: HoldReason,
        detail: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.transaction(|transaction| {
            advance(transaction, id, OPEN_STATES, OutboxState::Held, reason.code(), at)?;
            let (row, raw) = transaction
                .prepare_cached(&format!("SELECT {COLUMNS}, raw FROM outbox WHERE id = ?1"))?
                .query_row([id.0], |row| Ok((read(row), row.get::<_, String>("raw")?)))?;
            let row = row?;
            let newly = held::hold(
                transaction,
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
            transaction
                .prepare_cached(
                    "UPDATE decisions SET decision = 'hold', reason = ?3, decided_at = ?4
                     WHERE source = ?1 AND row_hash = ?2",
                )?
                .execute(params![row.source.as_str(), row.row_hash, reason.code(), from_instant(at)])?;
            Ok(newly)
        })
    }

    /// What this profile did before with each of `keys`; records without a history are left out.
    pub fn history(
        &self,
        source: Source,
        keys: &[AttendanceKey],
    ) -> Result<HashMap<AttendanceKey, KeyHistory>, StoreError> {
        let connection = self.lock();
        let mut stated = connection.prepare_cached(
            "SELECT code FROM stated WHERE source = ?1 AND school = ?2 AND student = ?3 AND date = ?4 AND mode = ?5
                 AND cc = ?6 AND period = ?7",
        )?;
        let mut written = connection.prepare_cached(
            "SELECT source, code FROM written WHERE school = ?1 AND student = ?2 AND date = ?3 AND mode = ?4
                 AND cc = ?5 AND period = ?6",
        )?;
        let mut histories = HashMap::new();
        for key in keys {
            let k = KeyColumns::from(key);
            let last_stated: Option<String> = stated
                .query_row(
                    params![source.as_str(), k.school, k.student, k.date, k.mode, k.cc, k.period],
                    |row| row.get(0),
                )
                .optional()?;
            let mut found = written.query(params![k.school, k.student, k.date, k.mode, k.cc, k.period])?;
            let last_written = match found.next()? {
                Some(row) => Some((self::source(row, 0)?, row.get(1)?)),
                None => None,
            };
            if last_stated.is_some() || last_written.is_some() {
                histories.insert(*key, KeyHistory { stated: last_stated, written: last_written });
            }
        }
        Ok(histories)
    }

    /// Which of these rows were decided before for good. A held row was not.
    pub fn delivered(&self, source: Source, row_hashes: &[RowHash]) -> Result<HashSet<RowHash>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT 1 FROM decisions WHERE source = ?1 AND row_hash = ?2 AND decision <> 'hold'",
        )?;
        let mut delivered = HashSet::new();
        for row_hash in row_hashes {
            if statement.exists(params![source.as_str(), row_hash])? {
                delivered.insert(*row_hash);
            }
        }
        Ok(delivered)
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
    let changed = connection
        .prepare_cached(&format!(
            "UPDATE outbox SET state = ?2, reason = ?3, changed_at = ?4 WHERE id = ?1 AND state IN ({from})"
        ))?
        .execute(params![id.0, to.as_str(), reason, from_instant(at)])?;
    if changed == 0 { Err(StoreError::NotInState { id: id.0 }) } else { Ok(()) }
}

fn is_undo(connection: &Connection, id: OutboxId) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM outbox WHERE id = ?1 AND undoes IS NOT NULL")?
        .exists([id.0])?)
}

/// After an undo, what was last written is what stood before the write that was taken back, if it was ours and is what
/// the undo restored.
fn restore_written(connection: &Connection, id: OutboxId) -> Result<(), StoreError> {
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

/// Remembers the code of a write as what its source last stated.
fn state_as_written(connection: &Connection, id: OutboxId) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO stated (source, school, student, date, mode, cc, period, code, stated_at)
             SELECT source, school, student, date, mode, cc, period, code, changed_at FROM outbox WHERE id = ?1",
        )?
        .execute([id.0])?;
    Ok(())
}

/// One file's decisions being recorded.
struct Recording<'a> {
    connection: &'a Connection,
    run: RunId,
    source: Source,
    file: &'a str,
    at: DateTime<Utc>,
}

impl Recording<'_> {
    fn record(&self, decision: &Decision, counts: &mut DecisionCounts) -> Result<(), StoreError> {
        let before = self.decision_before(&decision.row_hash)?;
        match &decision.outcome {
            // What a person discarded stays discarded, whatever has become possible since.
            DecisionOutcome::Write(_) | DecisionOutcome::Hold { .. }
                if before.as_deref() == Some("discard") =>
            {
                counts.noop += 1;
                return Ok(());
            }
            DecisionOutcome::Write(write) => {
                counts.to_write += 1;
                self.write(decision, write)?;
                self.remember(decision, "write", "")?;
            }
            // The row's own decision was made earlier and stands.
            DecisionOutcome::NoOp { reason: NoOpReason::AlreadyDelivered, .. } if before.is_some() => {
                counts.noop += 1;
                return Ok(());
            }
            DecisionOutcome::NoOp { key, code, reason } => {
                counts.noop += 1;
                if let (NoOpReason::AlreadyRecorded, Some(key)) = (reason, key) {
                    self.state(key, code)?;
                }
                self.remember(decision, "noop", reason.as_str())?;
            }
            DecisionOutcome::Hold { reason, detail } => {
                counts.held += 1;
                let newly = held::hold(
                    self.connection,
                    &Holding {
                        source: self.source,
                        row_hash: &decision.row_hash,
                        file: self.file,
                        line: decision.line,
                        raw: &decision.raw,
                        reason: *reason,
                        detail,
                        student_number: decision.student_number,
                        run: self.run,
                        at: self.at,
                    },
                )?;
                counts.newly_held += u64::from(newly);
                return self.remember(decision, "hold", reason.code());
            }
            DecisionOutcome::Reject { detail } => {
                counts.rejected += 1;
                counts.newly_rejected += u64::from(before.as_deref() != Some("reject"));
                self.remember(decision, "reject", detail)?;
            }
        }
        if before.as_deref() == Some("hold") {
            held::resolve(self.connection, self.source, &decision.row_hash)?;
        }
        Ok(())
    }

    fn decision_before(&self, row_hash: &RowHash) -> Result<Option<String>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT decision FROM decisions WHERE source = ?1 AND row_hash = ?2")?
            .query_row(params![self.source.as_str(), row_hash], |row| row.get(0))
            .optional()?)
    }

    fn remember(&self, decision: &Decision, what: &str, reason: &str) -> Result<(), StoreError> {
        // A row that was malformed is kept as it came; others are in the outbox, among the held rows, or harmless.
        let raw = (what == "reject").then_some(&decision.raw);
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO decisions (source, row_hash, decision, reason, file, line, raw, run, decided_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                self.source.as_str(),
                decision.row_hash,
                what,
                reason,
                self.file,
                signed(decision.line),
                raw,
                self.run,
                from_instant(self.at)
            ])?;
        Ok(())
    }

    /// Remembers what the source stated for a record.
    fn state(&self, key: &AttendanceKey, code: &str) -> Result<(), StoreError> {
        let k = KeyColumns::from(key);
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO stated (source, school, student, date, mode, cc, period, code, stated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                self.source.as_str(),
                k.school,
                k.student,
                k.date,
                k.mode,
                k.cc,
                k.period,
                code,
                from_instant(self.at)
            ])?;
        Ok(())
    }

    /// Puts a write into the outbox.
    fn write(&self, decision: &Decision, write: &AttendanceWrite) -> Result<(), StoreError> {
        insert(
            self.connection,
            &NewWrite {
                source: self.source,
                write,
                file: self.file,
                line: decision.line,
                row_hash: &decision.row_hash,
                raw: &decision.raw,
                student_number: decision.student_number,
                undoes: None,
                run: self.run,
                at: self.at,
            },
        )
    }
}

/// A write on its way into the outbox.
struct NewWrite<'a> {
    source: Source,
    write: &'a AttendanceWrite,
    file: &'a str,
    line: u64,
    row_hash: &'a RowHash,
    raw: &'a str,
    student_number: Option<StudentNumber>,
    undoes: Option<OutboxId>,
    run: RunId,
    at: DateTime<Utc>,
}

/// Puts a write into the outbox, as the next revision of what the source states for the record.
fn insert(connection: &Connection, new: &NewWrite<'_>) -> Result<(), StoreError> {
    let (k, write) = (KeyColumns::from(&new.write.key), new.write);
    let unsettled = connection
        .prepare_cached(
            "SELECT 1 FROM outbox WHERE school = ?1 AND student = ?2 AND date = ?3 AND mode = ?4 AND cc = ?5
                 AND period = ?6 AND state IN ('decided', 'sending', 'unknown')",
        )?
        .exists(params![k.school, k.student, k.date, k.mode, k.cc, k.period])?;
    if unsettled {
        return Err(StoreError::UnsettledWrite { line: new.line });
    }
    connection
        .prepare_cached(
            "INSERT INTO outbox (source, school, student, date, mode, cc, period, revision, state, code, code_id,
                 year, calendar_day, starts_at, ends_at, comment, replaces, previous_code, file, line, row_hash,
                 raw, student_number, run, decided_at, changed_at, previous_comment, undoes, follows)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
                 (SELECT coalesce(max(revision), 0) + 1 FROM outbox WHERE source = ?1 AND school = ?2
                     AND student = ?3 AND date = ?4 AND mode = ?5 AND cc = ?6 AND period = ?7),
                 'decided', ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?23, ?24,
                 ?25, (SELECT outbox FROM written WHERE school = ?2 AND student = ?3 AND date = ?4 AND mode = ?5
                     AND cc = ?6 AND period = ?7))",
        )?
        .execute(params![
            new.source.as_str(),
            k.school,
            k.student,
            k.date,
            k.mode,
            k.cc,
            k.period,
            write.code,
            write.code_id.get(),
            write.year.get(),
            write.calendar_day.get(),
            write.times.map(|times| times.start),
            write.times.map(|times| times.end),
            write.comment,
            write.replaces.map(AttendanceDcid::get),
            write.previous_code,
            new.file,
            signed(new.line),
            new.row_hash,
            new.raw,
            new.student_number.map(StudentNumber::get),
            new.run,
            from_instant(new.at),
            write.previous_comment,
            new.undoes.map(|id| id.0),
        ])?;
    Ok(())
}

/// The columns [`read`] reads.
const COLUMNS: &str = "id, source, school, student, date, cc, period, revision, state, code, code_id, year, \
                       calendar_day, starts_at, ends_at, comment, replaces, previous_code, file, line, row_hash, \
                       student_number, run, reason, decided_at, changed_at, previous_comment, undoes";

/// The first place after these.
const BESIDE: usize = 28;

fn read(row: &Row<'_>) -> Result<OutboxRow, StoreError> {
    let cc: i64 = row.get(5)?;
    let times = match (row.get(13)?, row.get(14)?) {
        (Some(start), Some(end)) => Some(MeetingTimes { start, end }),
        _ => None,
    };
    Ok(OutboxRow {
        id: OutboxId(row.get(0)?),
        source: source(row, 1)?,
        revision: row.get(7)?,
        state: state(row, 8)?,
        write: AttendanceWrite {
            key: AttendanceKey {
                school: SchoolNumber::new(row.get(2)?),
                student: StudentId::new(row.get(3)?),
                date: to_date(&row.get::<_, String>(4)?)?,
                meeting: if cc == 0 {
                    None
                } else {
                    Some(Meeting { cc: CcId::new(cc), period: PeriodId::new(row.get(6)?) })
                },
            },
            code: row.get(9)?,
            code_id: AttendanceCodeId::new(row.get(10)?),
            year: YearId::new(row.get(11)?),
            calendar_day: CalendarDayId::new(row.get(12)?),
            times,
            comment: row.get(15)?,
            replaces: row.get::<_, Option<i64>>(16)?.map(AttendanceDcid::new),
            previous_code: row.get(17)?,
            previous_comment: row.get(26)?,
        },
        file: row.get(18)?,
        line: row.get::<_, i64>(19)?.unsigned_abs(),
        row_hash: row.get(20)?,
        student_number: row.get::<_, Option<i64>>(21)?.map(StudentNumber::new),
        run: row.get(22)?,
        reason: row.get(23)?,
        decided_at: to_instant(row.get(24)?)?,
        changed_at: to_instant(row.get(25)?)?,
        undoes: row.get::<_, Option<i64>>(27)?.map(OutboxId),
    })
}

/// Reads a column that names a write's state.
pub(super) fn state(row: &Row<'_>, index: usize) -> Result<OutboxState, StoreError> {
    let name = row.get_ref(index)?.as_str().ok();
    OutboxState::ALL
        .into_iter()
        .find(|known| Some(known.as_str()) == name)
        .ok_or_else(|| StoreError::unreadable("outbox.state"))
}

/// Reads a column that names a source.
pub(super) fn source(row: &Row<'_>, index: usize) -> Result<Source, StoreError> {
    let name = row.get_ref(index)?.as_str().ok();
    [Source::Hero, Source::Raptor]
        .into_iter()
        .find(|source| Some(source.as_str()) == name)
        .ok_or_else(|| StoreError::unreadable("a source"))
}
