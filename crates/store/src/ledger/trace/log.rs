//! What happens to rows, written down in the transaction it happens in.
//!
//! A line of a file is noted once. What a row comes to is noted at the line that brought it first, until it is settled
//! there; the same row under another line repeats that one. The same decision about the same row again is no news.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use rosterbridge_domain::{
    attendance::{NoOpReason, Source},
    id::StudentNumber,
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{InputFile, LINES, RowEventKind, RowFate};
use crate::{
    StoreError,
    database::{from_instant, signed},
    ledger::{
        RunId,
        held::HeldId,
        outbox::{Decision, DecisionOutcome, OutboxId, OutboxState, RowHash},
    },
};

/// A line's place in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::ledger) struct TracedId(pub(super) i64);

impl rusqlite::ToSql for TracedId {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl rusqlite::types::FromSql for TracedId {
    fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

/// Something that happens to a row.
#[derive(Clone, Copy)]
pub(in crate::ledger) struct Event<'a> {
    pub kind: RowEventKind,
    pub code: &'a str,
    pub detail: &'a str,
    /// When the write had been given to PowerSchool, of which this is the outcome.
    pub sent_at: Option<DateTime<Utc>>,
    pub outbox: Option<OutboxId>,
    pub held: Option<HeldId>,
}

impl<'a> Event<'a> {
    pub const fn new(kind: RowEventKind, code: &'a str, detail: &'a str) -> Self {
        Self { kind, code, detail, sent_at: None, outbox: None, held: None }
    }

    /// What a decision is to the row it is about.
    pub const fn of(outcome: &'a DecisionOutcome) -> Self {
        match outcome {
            DecisionOutcome::Write(_) => Self::new(RowEventKind::DecidedWrite, "", ""),
            DecisionOutcome::NoOp { reason, .. } => Self::new(RowEventKind::NoOp, reason.as_str(), ""),
            DecisionOutcome::Hold { reason, detail } => {
                Self::new(RowEventKind::Held, reason.code(), detail.as_str())
            }
            DecisionOutcome::Reject { detail } => Self::new(RowEventKind::Rejected, "", detail.as_str()),
        }
    }
}

/// Where what a row comes to is noted.
#[derive(Clone, Copy)]
pub(in crate::ledger) struct Place {
    /// At this line; nowhere where nothing of the row is kept.
    pub traced: Option<TracedId>,
    /// Whether it is news there.
    is_news: bool,
    /// Whether the row was held there before.
    was_held: bool,
}

/// The last thing that happened to a row.
struct Last {
    what: String,
    fate: RowFate,
    code: String,
    detail: String,
}

impl Last {
    /// Whether the row is to be decided, or to be decided again.
    fn waits_for_a_decision(&self) -> bool {
        self.fate == RowFate::Held || self.what == RowEventKind::PutOff.as_str()
    }
}

/// The lines of one file being noted.
pub(in crate::ledger) struct Lines<'a> {
    connection: &'a Connection,
    source: Source,
    run: RunId,
    at: DateTime<Utc>,
    /// The file's id.
    file: i64,
    /// How many lines it has, if all of them were noted before; else 0.
    known_rows: u64,
    /// Rows of the source that wait for another write, and where they are noted.
    put_off: HashMap<RowHash, TracedId>,
}

impl<'a> Lines<'a> {
    pub(in crate::ledger) fn of(
        connection: &'a Connection,
        source: Source,
        run: RunId,
        input: &InputFile<'_>,
        at: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let known: Option<(i64, i64)> = connection
            .prepare_cached(
                "SELECT id, row_count FROM input_files WHERE source = ?1 AND name = ?2 AND sha256 = ?3",
            )?
            .query_row(params![source.as_str(), input.name, input.sha256], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let (file, rows) = if let Some(known) = known {
            known
        } else {
            connection
                .prepare_cached(
                    "INSERT INTO input_files (source, name, sha256, first_read, day) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    source.as_str(),
                    input.name,
                    input.sha256,
                    from_instant(at),
                    input.day.to_string()
                ])?;
            (connection.last_insert_rowid(), 0)
        };
        let put_off = connection
            .prepare_cached("SELECT row_hash, traced FROM put_off_rows WHERE source = ?1")?
            .query_map([source.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        Ok(Self { connection, source, run, at, file, known_rows: rows.unsigned_abs(), put_off })
    }

    /// Finds where a decision is noted, and notes the line itself. `known` is where the row's last decision is.
    pub(in crate::ledger) fn place(
        &self,
        decision: &Decision,
        known: Option<TracedId>,
        event: &Event<'_>,
    ) -> Result<Place, StoreError> {
        let here = self.line(decision.line);
        let known = self.known(&decision.row_hash, known)?;
        let (known_id, last) = known.unzip();
        // Whether it waits for this decision. A row whose write is under way does not: only the write's fate is its.
        let waits = last.as_ref().is_some_and(Last::waits_for_a_decision);
        let is_written_now = last.as_ref().is_some_and(|last| last.fate == RowFate::Open) && !waits;
        // The export says the same every day, and sometimes twice.
        let is_said_again = self.source == Source::Hero
            && event.kind == RowEventKind::NoOp
            && (event.code == NoOpReason::AlreadyDelivered.as_str()
                || event.code == NoOpReason::AlreadyStated.as_str() && !waits);
        let is_same = last.as_ref().is_some_and(|last| {
            event.kind != RowEventKind::DecidedWrite
                && last.what == event.kind.as_str()
                && last.code == event.code
                && last.detail == event.detail
        });
        if is_said_again || is_same || (is_written_now && event.kind == RowEventKind::NoOp) {
            return self.repeated(decision, known_id);
        }
        let was_held = last.as_ref().is_some_and(|last| last.fate == RowFate::Held);
        if let Some(known) = known_id
            && waits
            && known != here
        {
            self.note(here, decision, Some(known), true)?;
            return Ok(Place { traced: Some(known), is_news: true, was_held });
        }
        self.note(here, decision, None, false)?;
        Ok(Place { traced: Some(here), is_news: true, was_held: was_held && known_id == Some(here) })
    }

    /// Notes a line whose row was decided before, and stays as it was. `known` is where its last decision is.
    pub(in crate::ledger) fn already_decided(
        &self,
        decision: &Decision,
        known: Option<TracedId>,
    ) -> Result<(), StoreError> {
        let known = self.known(&decision.row_hash, known)?.map(|(known, _)| known);
        self.repeated(decision, known).map(drop)
    }

    /// Of Raptor every line is kept. Hero's export has the same rows again and again: they are only counted.
    fn repeated(&self, decision: &Decision, known: Option<TracedId>) -> Result<Place, StoreError> {
        let here = self.line(decision.line);
        if self.source == Source::Raptor && self.known_rows == 0 && known != Some(here) {
            self.note(here, decision, known, true)?;
        }
        let kept = known.or_else(|| (self.source == Source::Raptor).then_some(here));
        Ok(Place { traced: kept, is_news: false, was_held: false })
    }

    /// Notes what happens to a row where [`Lines::place`] found.
    pub(in crate::ledger) fn add(&self, place: Place, event: &Event<'_>) -> Result<(), StoreError> {
        if let (Some(traced), true) = (place.traced, place.is_news) {
            // What is held stays on the list of held rows while it waits.
            let fate = match event.kind {
                RowEventKind::PutOff if place.was_held => RowFate::Held,
                kind => kind.fate(),
            };
            add(self.connection, traced, event, fate, Some(self.run), self.at)?;
        }
        Ok(())
    }

    /// Notes a row that waits for another write of its record. `known` is where its last decision is.
    pub(in crate::ledger) fn put_off(
        &mut self,
        decision: &Decision,
        known: Option<TracedId>,
    ) -> Result<(), StoreError> {
        if let DecisionOutcome::NoOp { .. } = decision.outcome {
            // It only repeats one that waits.
            return self.already_decided(decision, known);
        }
        let event = Event::new(RowEventKind::PutOff, "", "");
        let last = self.known(&decision.row_hash, known)?.map(|(_, last)| last);
        if last.is_some_and(|last| last.fate == RowFate::Open && !last.waits_for_a_decision()) {
            // The write it waits for is its own.
            return self.already_decided(decision, known);
        }
        let place = self.place(decision, known, &event)?;
        self.add(place, &event)?;
        if let Some(traced) = place.traced {
            self.connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO put_off_rows (source, row_hash, traced) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![self.source.as_str(), decision.row_hash, traced])?;
            self.put_off.insert(decision.row_hash, traced);
        }
        Ok(())
    }

    /// A row has a decision now, and waits no more.
    pub(in crate::ledger) fn is_decided(&mut self, row_hash: &RowHash) -> Result<(), StoreError> {
        if !self.put_off.is_empty() && self.put_off.remove(row_hash).is_some() {
            self.connection
                .prepare_cached("DELETE FROM put_off_rows WHERE source = ?1 AND row_hash = ?2")?
                .execute(params![self.source.as_str(), row_hash])?;
        }
        Ok(())
    }

    /// All rows of the file are noted or counted: there were `rows`. What Hero's export does not say any more is not
    /// waited for.
    pub(in crate::ledger) fn finish<'d>(
        mut self,
        rows: u64,
        in_it: impl Iterator<Item = &'d Decision>,
    ) -> Result<(), StoreError> {
        if rows > 0 {
            self.connection
                .prepare_cached("UPDATE input_files SET row_count = max(row_count, ?2) WHERE id = ?1")?
                .execute(params![self.file, signed(rows)])?;
        }
        // Single rows of a file that a person asked for say nothing of the others.
        let is_whole = rows > 0 && rows >= self.known_rows;
        if is_whole && self.source == Source::Hero && !self.put_off.is_empty() {
            let in_it: HashSet<RowHash> = in_it.map(|decision| decision.row_hash).collect();
            let gone: Vec<(RowHash, TracedId)> = self
                .put_off
                .iter()
                .filter(|(row_hash, _)| !in_it.contains(*row_hash))
                .map(|(row_hash, traced)| (*row_hash, *traced))
                .collect();
            for (row_hash, traced) in gone {
                self.is_decided(&row_hash)?;
                // One that a person is to decide waits for that person.
                if self.last(traced)?.is_some_and(|last| last.fate == RowFate::Open) {
                    let event = Event::new(RowEventKind::NoOp, NoOpReason::Superseded.as_str(), "");
                    add(self.connection, traced, &event, event.kind.fate(), Some(self.run), self.at)?;
                }
            }
        }
        Ok(())
    }

    fn line(&self, line: u64) -> TracedId {
        TracedId(self.file * LINES + signed(line).min(LINES - 1))
    }

    /// Where a row is noted, with the last thing that happened to it. What was forgotten is not known.
    fn known(
        &self,
        row_hash: &RowHash,
        decided: Option<TracedId>,
    ) -> Result<Option<(TracedId, Last)>, StoreError> {
        let Some(known) = self.put_off.get(row_hash).copied().or(decided) else { return Ok(None) };
        Ok(self.last(known)?.map(|last| (known, last)))
    }

    fn last(&self, traced: TracedId) -> Result<Option<Last>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT what, fate, code, detail FROM row_events WHERE traced = ?1 ORDER BY seq DESC LIMIT 1",
        )?;
        let mut rows = statement.query([traced])?;
        match rows.next()? {
            Some(row) => Ok(Some(Last {
                what: row.get(0)?,
                fate: super::fate(row, 1)?,
                code: row.get(2)?,
                detail: row.get(3)?,
            })),
            None => Ok(None),
        }
    }

    /// Notes a line, unless it was noted before.
    fn note(
        &self,
        here: TracedId,
        decision: &Decision,
        repeats: Option<TracedId>,
        is_repeated: bool,
    ) -> Result<(), StoreError> {
        let noted = self
            .connection
            .prepare_cached(
                "INSERT OR IGNORE INTO traced_rows (id, row_hash, student_number, repeats) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                here,
                decision.row_hash,
                decision.student_number.map(StudentNumber::get),
                repeats
            ])?;
        if noted > 0 && is_repeated {
            let event = Event::new(RowEventKind::Repeated, NoOpReason::AlreadyDelivered.as_str(), "");
            add(self.connection, here, &event, event.kind.fate(), Some(self.run), self.at)?;
        }
        Ok(())
    }
}

/// Adds to what happened to a row.
fn add(
    connection: &Connection,
    traced: TracedId,
    event: &Event<'_>,
    fate: RowFate,
    run: Option<RunId>,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO row_events (traced, seq, at, run, what, fate, code, detail, sent_at, outbox, held)
             VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM row_events WHERE traced = ?1), ?2, ?3, ?4, ?5, ?6,
                 ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            traced,
            from_instant(at),
            run,
            event.kind.as_str(),
            fate.as_str(),
            event.code,
            event.detail,
            event.sent_at.map(from_instant),
            event.outbox.map(|id| id.0),
            event.held.map(|id| id.0)
        ])?;
    Ok(())
}

/// What a write's next state is to its row: of a write, and of an undo.
const fn of_state(state: OutboxState) -> Option<(RowEventKind, RowEventKind)> {
    Some(match state {
        // That a write is sent is known by its state, and afterwards by `sent_at`.
        OutboxState::Sending => return None,
        OutboxState::Decided => (RowEventKind::DecidedAgain, RowEventKind::UndoDecidedAgain),
        OutboxState::Unknown => (RowEventKind::Unknown, RowEventKind::UndoUnknown),
        OutboxState::Confirmed => (RowEventKind::Confirmed, RowEventKind::Undone),
        OutboxState::AlreadyRecorded => (RowEventKind::AlreadyRecorded, RowEventKind::AlreadyUndone),
        // A write is noted with what is wrong, once its row is held: see [`held`].
        OutboxState::Held => (RowEventKind::Held, RowEventKind::NotUndone),
    })
}

/// Notes that a write is about to change to `to`; to be called before it does. The run is the one under way: there is
/// never more than one that writes.
pub(in crate::ledger) fn write_changes(
    connection: &Connection,
    id: OutboxId,
    to: OutboxState,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Some((of_write, of_undo)) = of_state(to) else { return Ok(()) };
    connection
        .prepare_cached(
            "INSERT INTO row_events (traced, seq, at, run, what, fate, code, sent_at, outbox)
             SELECT traced, (SELECT coalesce(max(seq), 0) + 1 FROM row_events WHERE traced = outbox.traced), ?2,
                 (SELECT max(id) FROM runs INDEXED BY runs_unfinished WHERE finished_at IS NULL),
                 iif(undoes IS NULL, ?3, ?4), iif(undoes IS NULL, ?5, ?6), ?7,
                 iif(state = 'sending', changed_at, NULL), id
             FROM outbox
             WHERE id = ?1 AND EXISTS (SELECT 1 FROM traced_rows WHERE traced_rows.id = outbox.traced)
                 AND NOT (?3 = 'held' AND undoes IS NULL)
                 AND NOT (?3 = 'unknown' AND state = 'unknown' AND reason = ?7)",
        )?
        .execute(params![
            id.0,
            from_instant(at),
            of_write.as_str(),
            of_undo.as_str(),
            of_write.fate().as_str(),
            of_undo.fate().as_str(),
            reason
        ])?;
    Ok(())
}

/// Notes that of no write that was under way it is known any more whether it has arrived.
pub(in crate::ledger) fn all_become_unknown(
    connection: &Connection,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let open: Vec<i64> = connection
        .prepare("SELECT id FROM outbox WHERE state IN ('decided', 'sending', 'unknown') ORDER BY id")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    open.into_iter()
        .try_for_each(|id| write_changes(connection, OutboxId(id), OutboxState::Unknown, reason, at))
}

/// Notes what happens to a write beside a change of its state: that its row is held, or that it is to be taken back.
pub(in crate::ledger) fn of_write(
    connection: &Connection,
    id: OutboxId,
    event: Event<'_>,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let traced: Option<(TracedId, Option<RunId>)> = connection
        .prepare_cached(
            "SELECT traced, (SELECT max(id) FROM runs INDEXED BY runs_unfinished WHERE finished_at IS NULL)
             FROM outbox
             WHERE id = ?1 AND EXISTS (SELECT 1 FROM traced_rows WHERE traced_rows.id = outbox.traced)",
        )?
        .query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((traced, run)) = traced else { return Ok(()) };
    add(connection, traced, &Event { outbox: Some(id), ..event }, event.kind.fate(), run, at)
}

/// Notes what a person did to a held row, or that it is settled otherwise.
pub(in crate::ledger) fn of_held_row(
    connection: &Connection,
    held: HeldId,
    kind: RowEventKind,
    detail: &str,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let traced: Option<TracedId> = connection
        .prepare_cached(
            "SELECT traced FROM held_rows JOIN decisions USING (source, row_hash)
             WHERE held_rows.id = ?1 AND EXISTS (SELECT 1 FROM traced_rows WHERE traced_rows.id = decisions.traced)",
        )?
        .query_row([held.0], |row| row.get(0))
        .optional()?;
    let Some(traced) = traced else { return Ok(()) };
    let event = Event { held: Some(held), ..Event::new(kind, "", detail) };
    add(connection, traced, &event, kind.fate(), None, at)
}

/// Notes what a person did to a row that is held no more: what it has come to stays.
pub(in crate::ledger) fn of_settled_row(
    connection: &Connection,
    held: HeldId,
    kind: RowEventKind,
    detail: &str,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let last: Option<(TracedId, RowFate)> = connection
        .prepare_cached(
            "SELECT row_events.traced, row_events.fate
             FROM held_rows JOIN decisions USING (source, row_hash) JOIN row_events ON row_events.traced = decisions.traced
             WHERE held_rows.id = ?1 ORDER BY seq DESC LIMIT 1",
        )?
        .query_and_then([held.0], |row| Ok::<_, StoreError>((row.get(0)?, super::fate(row, 1)?)))?
        .next()
        .transpose()?;
    let Some((traced, fate)) = last else { return Ok(()) };
    let event = Event { held: Some(held), ..Event::new(kind, "", detail) };
    add(connection, traced, &event, fate, None, at)
}
