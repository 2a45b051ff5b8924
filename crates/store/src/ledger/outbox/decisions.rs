//! What is to become of the rows of a file.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDateTime, Utc};
use rosterbridge_domain::{
    attendance::{AttendanceKey, AttendanceWrite, NoOpReason, Source},
    held::HoldReason,
    id::StudentNumber,
};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{
    OutboxId, RowHash,
    rows::{KeyColumns, NewWrite, insert, local_time},
};
use crate::{
    StoreError,
    database::{from_instant, signed},
    ledger::{
        Ledger, RunId,
        held::{self, Holding},
        trace::{Event, InputFile, Lines, Place, TracedId},
    },
};

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
    /// When what it tells happened, in the district's local time, where its source tells that.
    pub happened: Option<NaiveDateTime>,
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

impl Ledger {
    /// Records what is to become of the rows of one file, as one: either every decision is in the ledger, or none.
    /// A write of a record that has another under way (of either source) is refused as
    /// [`StoreError::UnsettledWrite`], since it was judged against what that other one may be changing: settle
    /// [`Ledger::pending`] first, and decide several rows about one record in one file as superseded but the last.
    ///
    /// `put_off` are the rows of the file that have to wait: they are only noted as such, and come again.
    pub fn record_decisions(
        &self,
        run: RunId,
        source: Source,
        file: &InputFile<'_>,
        decisions: &[Decision],
        put_off: &[Decision],
        at: DateTime<Utc>,
    ) -> Result<DecisionCounts, StoreError> {
        self.transaction(|transaction| {
            let mut recording = Recording::of(transaction, run, source, file, at)?;
            let mut counts = DecisionCounts::default();
            for decision in decisions {
                recording.record(decision, &mut counts)?;
            }
            recording.put_off(put_off)?;
            recording.finish((decisions.len() + put_off.len()) as u64, decisions, put_off)?;
            Ok(counts)
        })
    }

    /// Which of these rows were decided before for good. A held row was not.
    pub fn delivered(&self, source: Source, row_hashes: &[RowHash]) -> Result<HashSet<RowHash>, StoreError> {
        let known = self.known_rows(source, row_hashes)?.into_iter();
        Ok(known.filter(|(_, known)| *known != KnownRow::Held).map(|(row_hash, _)| row_hash).collect())
    }

    /// What was decided about these rows before; nothing of a row that comes for the first time.
    pub fn known_rows(
        &self,
        source: Source,
        row_hashes: &[RowHash],
    ) -> Result<HashMap<RowHash, KnownRow>, StoreError> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached("SELECT decision FROM decisions WHERE source = ?1 AND row_hash = ?2")?;
        let mut known = HashMap::new();
        for row_hash in row_hashes {
            let mut rows = statement.query(params![source.as_str(), row_hash])?;
            if let Some(row) = rows.next()? {
                let decision = match row.get_ref(0)?.as_str() {
                    Ok("hold") => KnownRow::Held,
                    Ok("discard") => KnownRow::Discarded,
                    _ => KnownRow::Decided,
                };
                known.insert(*row_hash, decision);
            }
        }
        Ok(known)
    }
}

/// What was decided about a row before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownRow {
    /// For good.
    Decided,
    /// Not yet: it is kept for a person.
    Held,
    /// A person closed it: it says nothing about its record.
    Discarded,
}

/// One file's decisions being recorded.
pub(super) struct Recording<'a> {
    connection: &'a Connection,
    run: RunId,
    source: Source,
    file: &'a str,
    at: DateTime<Utc>,
    lines: Lines<'a>,
}

impl<'a> Recording<'a> {
    pub(super) fn of(
        connection: &'a Connection,
        run: RunId,
        source: Source,
        file: &InputFile<'a>,
        at: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let lines = Lines::of(connection, source, run, file, at)?;
        Ok(Self { connection, run, source, file: file.name, at, lines })
    }

    pub(super) fn record(
        &mut self,
        decision: &Decision,
        counts: &mut DecisionCounts,
    ) -> Result<(), StoreError> {
        let (before, known) = self.decision_before(&decision.row_hash)?.unzip();
        let known = known.flatten();
        match &decision.outcome {
            // What a person discarded stays discarded, whatever has become possible since.
            DecisionOutcome::Write(_) | DecisionOutcome::Hold { .. }
                if before.as_deref() == Some("discard") =>
            {
                counts.noop += 1;
                self.lines.already_decided(decision, known)?;
                return self.lines.is_decided(&decision.row_hash);
            }
            // The row's own decision was made earlier and stands.
            DecisionOutcome::NoOp { reason: NoOpReason::AlreadyDelivered, .. } if before.is_some() => {
                counts.noop += 1;
                return self.lines.already_decided(decision, known);
            }
            _ => {}
        }
        let event = Event::of(&decision.outcome);
        let place = self.lines.place(decision, known, &event)?;
        if event.code != NoOpReason::AlreadyDelivered.as_str() {
            self.lines.is_decided(&decision.row_hash)?;
        }
        match &decision.outcome {
            DecisionOutcome::Write(write) => {
                counts.to_write += 1;
                let outbox = Some(self.write(decision, write, place.traced)?);
                self.lines.add(place, &Event { outbox, ..event })?;
                self.remember(decision, "write", "", place)?;
            }
            DecisionOutcome::NoOp { key, code, reason } => {
                counts.noop += 1;
                // A later sign-in that states the same again is the one others are compared with from now on.
                let is_stated = match reason {
                    NoOpReason::AlreadyRecorded => true,
                    NoOpReason::AlreadyStated => decision.happened.is_some(),
                    NoOpReason::AlreadyDelivered | NoOpReason::Superseded | NoOpReason::NotTardy => false,
                };
                if let (true, Some(key)) = (is_stated, key) {
                    self.state(key, code, decision.happened, place.traced)?;
                }
                self.lines.add(place, &event)?;
                self.remember(decision, "noop", reason.as_str(), place)?;
            }
            DecisionOutcome::Hold { reason, detail } => {
                counts.held += 1;
                let (held, newly) = held::hold(
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
                self.lines.add(place, &Event { held: Some(held), ..event })?;
                return self.remember(decision, "hold", reason.code(), place);
            }
            DecisionOutcome::Reject { detail } => {
                counts.rejected += 1;
                counts.newly_rejected += u64::from(before.as_deref() != Some("reject"));
                self.lines.add(place, &event)?;
                self.remember(decision, "reject", detail, place)?;
            }
        }
        if before.as_deref() == Some("hold") {
            held::resolve(self.connection, self.source, &decision.row_hash)?;
        }
        Ok(())
    }

    /// Notes rows that wait for another write of their record.
    fn put_off(&mut self, waiting: &[Decision]) -> Result<(), StoreError> {
        for decision in waiting {
            match self.decision_before(&decision.row_hash)? {
                Some((before, known)) if before == "discard" => {
                    self.lines.already_decided(decision, known)?;
                }
                before => self.lines.put_off(decision, before.and_then(|(_, known)| known))?,
            }
        }
        Ok(())
    }

    /// Ends a file of `rows` rows; 0 if they are still to be decided.
    pub(super) fn finish(
        self,
        rows: u64,
        decisions: &[Decision],
        put_off: &[Decision],
    ) -> Result<(), StoreError> {
        self.lines.finish(rows, decisions.iter().chain(put_off))
    }

    /// Keeps what a row comes to without deciding it: what it was decided to be stays, and the next plan judges it.
    pub(super) fn keep_undecided(&self, decision: &Decision) -> Result<(), StoreError> {
        if self.decision_before(&decision.row_hash)?.is_some_and(|(before, _)| before == "discard") {
            return Ok(());
        }
        match &decision.outcome {
            DecisionOutcome::Write(write) => {
                // Whoever had it decided again did not know of what has happened since the backup.
                held::open_again(self.connection, self.source, &decision.row_hash)?;
                self.write(decision, write, None).map(drop)
            }
            DecisionOutcome::NoOp { key: Some(key), code, .. } => self.state(key, code, None, None),
            DecisionOutcome::NoOp { .. } | DecisionOutcome::Hold { .. } | DecisionOutcome::Reject { .. } => {
                Ok(())
            }
        }
    }

    /// What a row was decided to be last, and where that is noted.
    fn decision_before(&self, row_hash: &RowHash) -> Result<Option<(String, Option<TracedId>)>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT decision, traced FROM decisions WHERE source = ?1 AND row_hash = ?2")?
            .query_row(params![self.source.as_str(), row_hash], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?)
    }

    fn remember(
        &self,
        decision: &Decision,
        what: &str,
        reason: &str,
        place: Place,
    ) -> Result<(), StoreError> {
        // A row that was malformed is kept as it came; others are in the outbox, among the held rows, or harmless.
        let raw = (what == "reject").then_some(&decision.raw);
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO decisions
                     (source, row_hash, decision, reason, file, line, raw, run, decided_at, traced)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
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
                from_instant(self.at),
                place.traced
            ])?;
        Ok(())
    }

    /// Remembers what the source stated for a record.
    fn state(
        &self,
        key: &AttendanceKey,
        code: &str,
        happened: Option<NaiveDateTime>,
        traced: Option<TracedId>,
    ) -> Result<(), StoreError> {
        let k = KeyColumns::from(key);
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO stated
                     (source, school, student, date, mode, cc, period, code, stated_at, happened, traced)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
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
                from_instant(self.at),
                happened.map(local_time),
                traced
            ])?;
        Ok(())
    }

    /// Puts a write into the outbox.
    fn write(
        &self,
        decision: &Decision,
        write: &AttendanceWrite,
        traced: Option<TracedId>,
    ) -> Result<OutboxId, StoreError> {
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
                traced,
                happened: decision.happened,
                run: self.run,
                at: self.at,
            },
        )
    }
}
