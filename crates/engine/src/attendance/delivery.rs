//! Writes on their way to PowerSchool, each to its end.
//!
//! A write whose fate is open is never repeated before PowerSchool has been read back.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use chrono::{DateTime, Utc};
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{
    attendance::{AttendanceKey, AttendanceWrite, Recorded, Source, Verdict, judge},
    held::HoldReason,
    id::{AttendanceDcid, SchoolNumber},
    job::AccountId,
};
use rosterbridge_powerschool::{Client, WriteAnswer};
use rosterbridge_store::{
    Roster,
    ledger::{KeyHistory, OutboxId, OutboxRow, OutboxState, RunId},
};
use tokio_util::sync::CancellationToken;

use super::{Rules, comment_after, on_record::read_back, what_stands};
use crate::{
    engine::Engine,
    error::EngineError,
    report::NotUndone,
    undo::{Restored, restored},
};

/// Writes that are noted in the ledger together, before and after they are given to PowerSchool. Few in a debug build: so
/// the tests, which have few rows, pass from some to the next as well.
const SENT_AT_ONCE: usize = if cfg!(debug_assertions) { 5 } else { 2_000 };
/// How often unclear answers are looked up before the rest is left to the next run: two before a write is sent again.
const LOOK_UPS: u32 = 4;
/// In the ledger: the reason of a write that PowerSchool did not show at the first look-up.
pub(crate) const NOT_SEEN: &str = "not_seen";

/// The ledger's value that holds which writes of a source were sent a second time, until they have been looked at.
fn sent_again_fact(source: Source) -> String {
    format!("attendance.sent_again.{source}")
}

/// What writing needs: PowerSchool, the roster, the rules, and who is told.
pub(crate) struct Writing<'a> {
    pub(crate) client: &'a Client,
    pub(crate) roster: &'a Roster,
    pub(crate) source: Source,
    pub(crate) rules: Rules<'a>,
    /// The accounts at Hero whose writes may be sent, where it is not known of all what was sent already.
    pub(crate) accounts: Option<BTreeSet<AccountId>>,
    /// How long PowerSchool may take for an answer.
    pub(crate) answer_time: Duration,
    pub(crate) cancel: &'a CancellationToken,
    pub(crate) on_written: &'a (dyn Fn(u64) + Send + Sync),
}

impl Writing<'_> {
    fn may_send(&self, school: SchoolNumber) -> bool {
        let Some(accounts) = &self.accounts else { return true };
        self.rules.setup.hero.account_of(school).is_some_and(|account| accounts.contains(&account.id))
    }
}

/// What became of writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivered {
    pub(crate) written: u64,
    /// Writes never sent, since somebody else recorded their code first.
    pub(crate) noop: u64,
    pub(crate) held: u64,
    pub(crate) newly_held: u64,
    /// Writes whose fate PowerSchool has not told. They stay open for the next run.
    pub(crate) unclear: usize,
    /// Undos not made, since something else stands in PowerSchool.
    pub(crate) not_undone: u64,
    /// Records that were sent again and then stood twice, with the DCIDs of both.
    pub(crate) doubled: Vec<Vec<AttendanceDcid>>,
}

impl Engine {
    /// Brings every write of a source that is not final to its end, but for those PowerSchool tells nothing clear
    /// about: one record it can't answer for must not keep all others waiting. `judged` is the run whose own writes were judged
    /// a moment ago; all others are judged again before anything is sent. A write without an answer is sent again only
    /// after PowerSchool did not show it twice, one answer time apart. `delivered` tells what was done, also when it ends
    /// with an error.
    pub(crate) async fn deliver(
        &self,
        writing: &Writing<'_>,
        judged: Option<RunId>,
        delivered: &mut Delivered,
    ) -> Result<(), EngineError> {
        let source = writing.source;
        let mut looked_up = 0;
        let mut fresh = judged;
        let mut sent_again = self.sent_again(source).await?;
        loop {
            let mut pending = self.ledger(move |ledger| ledger.pending(source)).await?;
            pending.retain(|row| writing.may_send(row.write.key.school));
            if pending.is_empty() {
                break;
            }
            let (ready, open): (Vec<OutboxRow>, Vec<OutboxRow>) = pending
                .into_iter()
                .partition(|row| row.state == OutboxState::Decided && Some(row.run) == fresh);
            if !open.is_empty() {
                if open.iter().any(|row| row.state != OutboxState::Decided) {
                    looked_up += 1;
                    if looked_up > LOOK_UPS {
                        delivered.unclear = open.len();
                        break;
                    }
                    wait_for_late_answers(&open, writing.answer_time, writing.cancel).await?;
                }
                let again = self.look_up(writing, open, delivered).await?;
                let repeated: Vec<OutboxId> =
                    again.iter().filter(|row| row.state != OutboxState::Decided).map(|row| row.id).collect();
                if !repeated.is_empty() {
                    sent_again.extend(&repeated);
                    self.remember_sent_again(source, &sent_again).await?;
                    self.ledger(move |ledger| ledger.mark_decided_again(&repeated, Utc::now())).await?;
                }
                self.send(writing, again, delivered).await?;
            }
            self.send(writing, ready, delivered).await?;
            fresh = None;
        }
        if !sent_again.is_empty() {
            let writes: Vec<AttendanceWrite> = self
                .ledger(move |ledger| {
                    let rows = sent_again.iter().map(|id| ledger.outbox_row(*id));
                    Ok(rows
                        .collect::<Result<Vec<_>, _>>()?
                        .into_iter()
                        .flatten()
                        .map(|row| row.write)
                        .collect())
                })
                .await?;
            delivered.doubled = doubled(writing, &writes).await?;
            self.remember_sent_again(source, &BTreeSet::new()).await?;
        }
        Ok(())
    }

    /// The writes of a source that were sent a second time, and not looked at since: a run may end before it does.
    async fn sent_again(&self, source: Source) -> Result<BTreeSet<OutboxId>, EngineError> {
        let text = self.ledger(move |ledger| ledger.value(&sent_again_fact(source))).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    async fn remember_sent_again(&self, source: Source, ids: &BTreeSet<OutboxId>) -> Result<(), EngineError> {
        let text = serde_json::to_string(ids).unwrap_or_default();
        self.ledger(move |ledger| ledger.set_value(&sent_again_fact(source), &text)).await
    }

    /// Reads PowerSchool back for writes whose fate is open, settles those that can be, and returns those to send in the
    /// state they are in.
    async fn look_up(
        &self,
        writing: &Writing<'_>,
        open: Vec<OutboxRow>,
        delivered: &mut Delivered,
    ) -> Result<Vec<OutboxRow>, EngineError> {
        let source = writing.source;
        let keys: Vec<AttendanceKey> = open.iter().map(|row| row.write.key).collect();
        let reading = read_back(writing.client, writing.roster, keys.iter());
        let held = writing.cancel.run_until_cancelled(reading).await.ok_or(EngineError::Cancelled)??;
        pass(CrashPoint::WritesLookedUp);
        let histories = self.ledger(move |ledger| ledger.history(source, &keys)).await?;
        let nothing = KeyHistory::default();
        let mut again = Vec::new();
        for mut row in open {
            let id = row.id;
            let never_sent = row.state == OutboxState::Decided;
            let current = held.current(&row.write.key);
            let restored = row.undoes.map(|_| restored(current.recorded, &row.write));
            let stands = match &restored {
                Some(restored) => matches!(restored, Restored::Done),
                None => matches!(current.recorded, Recorded::Code(code) if code == row.write.code),
            };
            if stands {
                if never_sent {
                    self.ledger(move |ledger| ledger.mark_already_recorded(id, Utc::now())).await?;
                    delivered.noop += 1;
                } else {
                    self.ledger(move |ledger| ledger.mark_confirmed(&[id], Utc::now())).await?;
                    delivered.written += 1;
                }
                continue;
            }
            if let Some(Restored::Never(reason)) = restored {
                self.ledger(move |ledger| ledger.mark_not_undone(id, reason.as_str(), Utc::now())).await?;
                delivered.not_undone += 1;
                continue;
            }
            if !never_sent && restored.is_none() && !row.write.stood_before(current.recorded, current.dcid) {
                // PowerSchool may have taken it, and somebody corrected it since.
                let reason = match current.recorded {
                    Recorded::Several => HoldReason::SeveralRecords,
                    Recorded::Nothing | Recorded::Blank | Recorded::Code(_) => {
                        HoldReason::CorrectedInPowerSchool
                    }
                };
                let detail = what_stands(&current, &row.write.code);
                let newly =
                    self.ledger(move |ledger| ledger.mark_corrected(id, reason, &detail, Utc::now())).await?;
                delivered.held += 1;
                delivered.newly_held += u64::from(newly);
                continue;
            }
            let history = histories.get(&row.write.key).unwrap_or(&nothing).as_history();
            let verdict = match restored {
                Some(_) => Verdict::Write,
                None => judge(
                    source,
                    &row.write.code,
                    history,
                    current.recorded,
                    writing.rules.of(row.write.key.school),
                ),
            };
            match verdict {
                Verdict::Hold(reason) => {
                    let newly =
                        self.ledger(move |ledger| ledger.mark_held(id, reason, "", Utc::now())).await?;
                    delivered.held += 1;
                    delivered.newly_held += u64::from(newly);
                }
                // It may still be on its way to the tables: not seen once is no proof.
                Verdict::Write | Verdict::NoOp(_)
                    if !never_sent && (row.state != OutboxState::Unknown || row.reason != NOT_SEEN) =>
                {
                    self.ledger(move |ledger| ledger.mark_unknown(&[id], NOT_SEEN, Utc::now())).await?;
                }
                Verdict::Write | Verdict::NoOp(_) => {
                    let judged_before = row.write.clone();
                    // Somebody may have written a comment since the row was decided.
                    row.write.comment = match (row.undoes, &row.write.previous_comment) {
                        (None, _) => comment_after(current.comment, &row.write.comment),
                        (Some(_), Some(before)) if before == current.comment => row.write.comment,
                        (Some(_), _) => current.comment.to_owned(),
                    };
                    row.write.replaces = current.dcid;
                    if row.undoes.is_none() {
                        row.write.previous_code = current.code();
                        row.write.previous_comment = Some(current.comment.to_owned());
                    }
                    if row.undoes.is_none() && row.write != judged_before {
                        let write = row.write.clone();
                        self.ledger(move |ledger| ledger.judged_again(id, &write)).await?;
                    }
                    again.push(row);
                }
            }
        }
        pass(CrashPoint::WritesSettled);
        Ok(again)
    }

    /// Sends decided writes. Every one is marked as being sent before its request leaves. While some are on their way,
    /// what became of those before them is noted, and those after them are marked.
    async fn send(
        &self,
        writing: &Writing<'_>,
        rows: Vec<OutboxRow>,
        delivered: &mut Delivered,
    ) -> Result<(), EngineError> {
        let mut chunks = rows.chunks(SENT_AT_ONCE);
        let mut marked = chunks.next();
        if let Some(first) = marked {
            self.mark_sending(first).await?;
        }
        let mut answered = None;
        while let Some(chunk) = marked.take() {
            if writing.cancel.is_cancelled() {
                self.note_answers(writing, answered.take(), delivered).await?;
                self.mark_unsent(Some(chunk)).await?;
                return Err(EngineError::Cancelled);
            }
            let after = chunks.next();
            let writes: Vec<AttendanceWrite> = chunk.iter().map(|row| row.write.clone()).collect();
            let sending = writing.cancel.run_until_cancelled(writing.client.write_attendance(&writes));
            let before = answered.take();
            let noting = async {
                self.note_answers(writing, before, delivered).await?;
                match after {
                    Some(after) => self.mark_sending(after).await,
                    None => Ok(()),
                }
            };
            let (sent, noted) = tokio::join!(sending, noting);
            // What was sent is as good as unknown then, and looked up by the next run.
            noted?;
            let Some(answers) = sent else {
                self.mark_unsent(after).await?;
                // From now on none of them is on its way out, but any may arrive yet: the next run looks them up.
                let ids: Vec<OutboxId> = chunk.iter().map(|row| row.id).collect();
                let code = EngineError::Cancelled.code();
                self.ledger(move |ledger| ledger.mark_unknown(&ids, code, Utc::now())).await?;
                return Err(EngineError::Cancelled);
            };
            pass(CrashPoint::WritesAnswered);
            let (answers, stopped) = Answered::of(chunk, answers);
            if let Some(error) = stopped {
                self.mark_unsent(after).await?;
                self.note_answers(writing, Some(answers), delivered).await?;
                return Err(error.into());
            }
            answered = Some(answers);
            marked = after;
        }
        self.note_answers(writing, answered, delivered).await
    }

    async fn mark_sending(&self, rows: &[OutboxRow]) -> Result<(), EngineError> {
        let ids: Vec<OutboxId> = rows.iter().map(|row| row.id).collect();
        self.ledger(move |ledger| ledger.mark_sending(&ids, Utc::now())).await?;
        pass(CrashPoint::WritesMarked);
        Ok(())
    }

    /// Takes the mark back from writes of which no request left.
    async fn mark_unsent(&self, rows: Option<&[OutboxRow]>) -> Result<(), EngineError> {
        let Some(rows) = rows else { return Ok(()) };
        let ids: Vec<OutboxId> = rows.iter().map(|row| row.id).collect();
        self.ledger(move |ledger| ledger.mark_decided_again(&ids, Utc::now())).await
    }

    /// Notes what became of writes.
    async fn note_answers(
        &self,
        writing: &Writing<'_>,
        answered: Option<Answered>,
        delivered: &mut Delivered,
    ) -> Result<(), EngineError> {
        let Some(Answered { confirmed, unsent, unclear, refused, undos }) = answered else { return Ok(()) };
        let written = confirmed.len() as u64;
        let not_undone = refused.iter().filter(|(id, _)| undos.contains(id)).count() as u64;
        let held = refused.len() as u64 - not_undone;
        let newly_held = self
            .ledger(move |ledger| {
                let now = Utc::now();
                ledger.mark_confirmed(&confirmed, now)?;
                ledger.mark_decided_again(&unsent, now)?;
                for (id, code) in unclear {
                    ledger.mark_unknown(&[id], code, now)?;
                }
                let mut newly = 0;
                for (id, said) in refused {
                    if undos.contains(&id) {
                        ledger.mark_not_undone(id, NotUndone::Refused.as_str(), now)?;
                        continue;
                    }
                    newly += u64::from(ledger.mark_held(id, HoldReason::RefusedByPowerSchool, &said, now)?);
                }
                Ok(newly)
            })
            .await?;
        delivered.written += written;
        delivered.not_undone += not_undone;
        delivered.held += held;
        delivered.newly_held += newly_held;
        pass(CrashPoint::WritesRecorded);
        (writing.on_written)(delivered.written);
        Ok(())
    }
}

/// What PowerSchool said of writes.
struct Answered {
    confirmed: Vec<OutboxId>,
    /// No request left for them.
    unsent: Vec<OutboxId>,
    /// Without a definite answer, and the code of the error.
    unclear: Vec<(OutboxId, &'static str)>,
    /// With what was said.
    refused: Vec<(OutboxId, String)>,
    /// Those of all these that take others back.
    undos: HashSet<OutboxId>,
}

impl Answered {
    /// Sorts answers by what they mean; and what keeps everything else from being sent, if something does.
    fn of(rows: &[OutboxRow], answers: Vec<WriteAnswer>) -> (Self, Option<rosterbridge_powerschool::Error>) {
        let undos = rows.iter().filter(|row| row.undoes.is_some()).map(|row| row.id).collect();
        let (confirmed, unsent, unclear, refused) = (vec![], vec![], vec![], vec![]);
        let mut answered = Self { confirmed, unsent, unclear, refused, undos };
        let mut stopped = None;
        for (row, answer) in rows.iter().zip(answers) {
            match answer {
                WriteAnswer::Written => answered.confirmed.push(row.id),
                WriteAnswer::Refused { field, code, description } => {
                    let said: Vec<String> = [field, code, description].into_iter().flatten().collect();
                    answered.refused.push((row.id, said.join(": ")));
                }
                WriteAnswer::NotSent(error) => {
                    answered.unsent.push(row.id);
                    stopped = Some(error);
                }
                WriteAnswer::Unclear(error) => answered.unclear.push((row.id, error.code())),
            }
        }
        (answered, stopped)
    }
}

/// Looks once more, an answer time later, at records that were sent a second time: those that stand twice with our code.
async fn doubled(
    writing: &Writing<'_>,
    sent_again: &[AttendanceWrite],
) -> Result<Vec<Vec<AttendanceDcid>>, EngineError> {
    tokio::select! {
        () = tokio::time::sleep(writing.answer_time) => {}
        () = writing.cancel.cancelled() => return Err(EngineError::Cancelled),
    }
    let reading = read_back(writing.client, writing.roster, sent_again.iter().map(|write| &write.key));
    let held = writing.cancel.run_until_cancelled(reading).await.ok_or(EngineError::Cancelled)??;
    Ok(sent_again
        .iter()
        .filter_map(|write| {
            let ours = held.records.get(&write.key)?.iter().filter(|record| record.code_id == write.code_id);
            Some(ours.map(|record| record.dcid).collect::<Vec<_>>()).filter(|dcids| dcids.len() > 1)
        })
        .collect())
}

/// A write without an answer may still be applied for as long as an answer may take: waits until that time is over.
async fn wait_for_late_answers(
    open: &[OutboxRow],
    answer_time: Duration,
    cancel: &CancellationToken,
) -> Result<(), EngineError> {
    let now = Utc::now();
    let longest = open
        .iter()
        .map(|row| still_open(row.state, row.changed_at, now, answer_time))
        .max()
        .unwrap_or_default();
    tokio::select! {
        () = tokio::time::sleep(longest) => Ok(()),
        () = cancel.cancelled() => Err(EngineError::Cancelled),
    }
}

/// How much longer what was sent at `last` may still arrive.
pub(crate) fn still_expected(last: DateTime<Utc>, now: DateTime<Utc>, answer_time: Duration) -> Duration {
    answer_time.saturating_sub((now - last).to_std().unwrap_or_default())
}

/// How much longer PowerSchool may still apply a write.
fn still_open(
    state: OutboxState,
    changed_at: DateTime<Utc>,
    now: DateTime<Utc>,
    answer_time: Duration,
) -> Duration {
    match state {
        // Given up at `changed_at`.
        OutboxState::Unknown => still_expected(changed_at, now, answer_time),
        // Marked before its request left: many requests follow one mark, so this one may have left just before the
        // program ended or a person cancelled.
        OutboxState::Sending => answer_time,
        OutboxState::Decided | OutboxState::Confirmed | OutboxState::AlreadyRecorded | OutboxState::Held => {
            Duration::ZERO
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::given_up_now(OutboxState::Unknown, 0, 60)]
    #[case::given_up_a_while_ago(OutboxState::Unknown, 45, 15)]
    #[case::given_up_long_ago(OutboxState::Unknown, 600, 0)]
    #[case::clock_was_set_back(OutboxState::Unknown, -600, 60)]
    #[case::left_at_an_unknown_time(OutboxState::Sending, 600, 60)]
    #[case::never_sent(OutboxState::Decided, 0, 0)]
    fn an_open_write_is_given_the_time_of_an_answer(
        #[case] state: OutboxState,
        #[case] seconds_ago: i64,
        #[case] expected: u64,
    ) {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let changed_at = now - TimeDelta::seconds(seconds_ago);
        let left = still_open(state, changed_at, now, Duration::from_mins(1));
        assert_eq!(left, Duration::from_secs(expected));
    }
}
