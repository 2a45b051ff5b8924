//! Writes that a restored ledger knows from PowerSchool only.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use rosterbridge_domain::attendance::Source;
use rusqlite::params;

use super::{
    Decision, DecisionCounts, OutboxId, OutboxState, RowHash, advance, confirm, decisions::Recording,
    forget_stated, keep_as_stated, keep_as_written,
};
use crate::{
    StoreError,
    database::from_instant,
    ledger::{InputFile, Ledger, RunId},
};

/// The reason of a write that was confirmed without having been sent by this ledger.
pub const TAKEN_OVER: &str = "taken_over";
/// The same where its record holds something else, and its row had been decided for good.
pub const FOUND_CHANGED: &str = "found_changed";
/// The same where its record had no code any more, or another one.
pub(super) const FOUND_CLEARED: &str = "found_cleared";

/// What rows that are read again after a restoration come to.
#[derive(Clone, Copy, Debug)]
pub struct TakenOver<'a> {
    /// How many rows the file has, if nobody will read it once more; 0 if its rows wait to be decided.
    pub rows: u64,
    /// The decisions about them.
    pub decisions: &'a [Decision],
    /// Rows among these whose code stands in PowerSchool: they were written, and count as ours.
    pub standing: &'a HashSet<RowHash>,
    /// Rows among these that were decided for good, and PowerSchool holds something else now: they count as written and as
    /// stated, so that no other row is written over what may be a correction.
    pub changed: &'a HashSet<RowHash>,
    /// Rows among these that wait where they were found, and are decided by the next plan: their own decision stays what
    /// it was. A write is of a record that somebody may have changed after it was written: it counts as ours as well, but
    /// as not stated, so that the row is held. Of one without consequence only what was stated is kept.
    pub undecided: &'a HashSet<RowHash>,
    /// Writes under way about records that stand as a later row says: PowerSchool had them before.
    pub overtaken: &'a [OutboxId],
}

impl Ledger {
    /// Records what a source's file states and PowerSchool holds already, all or none; how many records stand.
    pub fn take_over(
        &self,
        run: RunId,
        source: Source,
        file: &InputFile<'_>,
        taken_over: &TakenOver<'_>,
        at: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        self.transaction(|transaction| {
            for id in taken_over.overtaken {
                confirm(transaction, *id, at)?;
            }
            let mut recording = Recording::of(transaction, run, source, file, at)?;
            let mut counts = DecisionCounts::default();
            for decision in taken_over.decisions {
                if taken_over.undecided.contains(&decision.row_hash) {
                    recording.keep_undecided(decision)?;
                } else {
                    recording.record(decision, &mut counts)?;
                }
            }
            recording.finish(taken_over.rows, &[], &[])?;
            let decided: Vec<(OutboxId, RowHash)> = transaction
                .prepare_cached(
                    "SELECT id, row_hash FROM outbox INDEXED BY outbox_open
                     WHERE state IN ('decided', 'sending', 'unknown') AND state = 'decided' AND source = ?1
                         AND run = ?2",
                )?
                .query_map((source.as_str(), run), |row| Ok((OutboxId(row.get(0)?), row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            let mut standing = 0;
            for (id, row_hash) in decided {
                let stands = taken_over.standing.contains(&row_hash);
                if stands || taken_over.changed.contains(&row_hash) {
                    let reason = if stands { TAKEN_OVER } else { FOUND_CHANGED };
                    advance(transaction, id, "'decided'", OutboxState::Confirmed, reason, at)?;
                    keep_as_written(transaction, id)?;
                    keep_as_stated(transaction, id)?;
                    standing += usize::from(stands);
                } else if taken_over.undecided.contains(&row_hash) {
                    advance(transaction, id, "'decided'", OutboxState::Confirmed, FOUND_CLEARED, at)?;
                    keep_as_written(transaction, id)?;
                    forget_stated(transaction, id)?;
                }
            }
            Ok(standing)
        })
    }

    /// Remembers waiting rows of which it can't be told yet which record they are about: they may have been written after
    /// the backup. They are so until a person asks for one that is held because of what stands in PowerSchool.
    pub fn doubt(&self, source: Source, row_hashes: &[RowHash], at: DateTime<Utc>) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            let mut doubt = transaction.prepare_cached(
                "INSERT OR IGNORE INTO rows_in_doubt (source, row_hash, doubted_at) VALUES (?1, ?2, ?3)",
            )?;
            for row_hash in row_hashes {
                doubt.execute(params![source.as_str(), row_hash, from_instant(at)])?;
            }
            Ok(())
        })
    }

    /// The rows of a source that [`Ledger::doubt`] was told of.
    pub fn in_doubt(&self, source: Source) -> Result<HashSet<RowHash>, StoreError> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached("SELECT row_hash FROM rows_in_doubt WHERE source = ?1")?;
        let row_hashes = statement.query_map([source.as_str()], |row| row.get(0))?;
        Ok(row_hashes.collect::<Result<_, _>>()?)
    }
}
