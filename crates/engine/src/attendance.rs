//! Attendance in: from the rows of a file to PowerSchool, each exactly once.
//!
//! Planning only reads: the roster, the ledger, and what PowerSchool holds now. Applying records every decision in
//! the ledger first, then sends what is to be written. A send without a definite answer is never repeated before
//! PowerSchool has been read back.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{
    attendance::{
        AttendanceKey, AttendanceWrite, NoOpReason, OverwriteRules, Recorded, Source, Verdict, judge,
    },
    held::HoldReason,
    id::{AttendanceCodeId, AttendanceDcid, SchoolNumber, StudentNumber},
    roster::AttendanceRecord,
};
use rosterbridge_powerschool::{Client, WriteAnswer};
use rosterbridge_store::{
    Roster,
    ledger::{Decision, DecisionOutcome, KnownRow, OutboxId, OutboxRow, OutboxState, RowHash, RunId},
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{
    decide::Stop,
    engine::Engine,
    error::EngineError,
    report::NotUndone,
    undo::{Restored, restored},
};

/// Writes that are noted in the ledger together, before and after they are given to PowerSchool.
const SENT_AT_ONCE: usize = 1_000;
/// School days read back at the same time.
const READ_AT_ONCE: usize = 4;
/// How often unclear answers are looked up before the rest is left to the next run: two before a write is sent again.
const LOOK_UPS: u32 = 4;
/// In the ledger: the reason of a write that PowerSchool did not show at the first look-up.
pub(crate) const NOT_SEEN: &str = "not_seen";

/// The ledger's value that holds which writes of a source were sent a second time, until they have been looked at.
fn sent_again_fact(source: Source) -> String {
    format!("attendance.sent_again.{source}")
}

/// A row of a file on its way to a decision.
pub(crate) struct SourceRow {
    /// The file it came in, by its place in the plan.
    pub(crate) input: usize,
    pub(crate) line: u64,
    pub(crate) raw: String,
    pub(crate) student_number: Option<StudentNumber>,
    /// When what it tells happened, where it tells that: of two rows about one record the later one counts.
    pub(crate) happened: Option<NaiveDateTime>,
    /// The record it asks for, or why there is none.
    pub(crate) wanted: Result<AttendanceWrite, Stop>,
}

/// A file and what is to become of each of its rows.
#[derive(Debug, Serialize)]
pub(crate) struct PlannedInput {
    /// Its name at its source.
    pub(crate) name: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    pub(crate) decisions: Vec<Decision>,
}

/// What is to be done with the attendance of one source.
#[derive(Debug, Serialize)]
pub(crate) struct AttendancePlan {
    pub(crate) source: Source,
    pub(crate) inputs: Vec<PlannedInput>,
    /// Rows that were never decided before. They do not name the plan: which they are, its decisions tell.
    #[serde(skip)]
    pub(crate) new_rows: u64,
}

/// What writing needs: PowerSchool, the roster, the rules, and who is told.
pub(crate) struct Writing<'a> {
    pub(crate) client: &'a Client,
    pub(crate) roster: &'a Roster,
    pub(crate) source: Source,
    pub(crate) rules: OverwriteRules<'a>,
    /// How long PowerSchool may take for an answer.
    pub(crate) answer_time: Duration,
    pub(crate) cancel: &'a CancellationToken,
    pub(crate) on_written: &'a (dyn Fn(u64) + Send + Sync),
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

/// What identifies a row when it comes again.
pub(crate) fn row_hash(source: Source, raw: &str) -> RowHash {
    let mut hash = Sha256::new();
    hash.update(source.as_str());
    hash.update([0]);
    hash.update(raw);
    hash.finalize().into()
}

/// Which rows only repeat another one of the same plan, letter for letter. Of Raptor's the first counts: files are
/// recorded one after the other, and a crash in between must not leave a row decided by a repetition whose write is
/// not recorded. Hero's one file is recorded as a whole, and its last row is the state.
fn repeats(source: Source, hashes: &[RowHash]) -> Vec<bool> {
    let mut seen = HashSet::new();
    let mut repeats: Vec<bool> = match source {
        Source::Raptor => hashes.iter().map(|hash| !seen.insert(*hash)).collect(),
        Source::Hero => hashes.iter().rev().map(|hash| !seen.insert(*hash)).collect(),
    };
    if source == Source::Hero {
        repeats.reverse();
    }
    repeats
}

/// What PowerSchool holds, by key.
pub(crate) struct OnRecord {
    records: HashMap<AttendanceKey, Vec<AttendanceRecord>>,
    codes: HashMap<AttendanceCodeId, Option<String>>,
}

/// A record of PowerSchool's with its code as text.
pub(crate) struct Current<'a> {
    pub(crate) recorded: Recorded<'a>,
    pub(crate) dcid: Option<AttendanceDcid>,
    pub(crate) comment: &'a str,
}

impl Current<'_> {
    /// The code, if there is a record with one.
    fn code(&self) -> Option<String> {
        match self.recorded {
            Recorded::Code(code) => Some(code.to_owned()),
            Recorded::Nothing | Recorded::Blank | Recorded::Several => None,
        }
    }
}

/// A code of another school or year, which the roster can't name. No code has this text.
const NAMELESS_CODE: &str = "\u{0}";

impl OnRecord {
    pub(crate) fn current(&self, key: &AttendanceKey) -> Current<'_> {
        match self.records.get(key).map(Vec::as_slice) {
            None | Some([]) => Current { recorded: Recorded::Nothing, dcid: None, comment: "" },
            Some([record]) => Current {
                recorded: match self.codes.get(&record.code_id) {
                    Some(Some(code)) => Recorded::Code(code),
                    Some(None) => Recorded::Blank,
                    None => Recorded::Code(NAMELESS_CODE),
                },
                dcid: Some(record.dcid),
                comment: &record.comment,
            },
            Some(_) => Current { recorded: Recorded::Several, dcid: None, comment: "" },
        }
    }
}

/// The key of a record, if it is one the exchange could have written.
fn key_of(record: &AttendanceRecord) -> Option<AttendanceKey> {
    use rosterbridge_domain::attendance::{AttendanceMode, Meeting};
    if record.program.is_some() {
        return None;
    }
    let meeting = match (record.cc, record.period) {
        _ if record.mode == AttendanceMode::Daily.code() => None,
        (Some(cc), Some(period)) if record.mode == AttendanceMode::Meeting.code() => {
            Some(Meeting { cc, period })
        }
        _ => return None,
    };
    Some(AttendanceKey { school: record.school, student: record.student, date: record.date, meeting })
}

/// Reads back what PowerSchool holds for the schools and days of `keys`.
pub(crate) async fn read_back(
    client: &Client,
    roster: &Roster,
    keys: impl Iterator<Item = &AttendanceKey>,
) -> Result<OnRecord, EngineError> {
    let wanted: HashSet<AttendanceKey> = keys.copied().collect();
    let days: BTreeSet<(SchoolNumber, NaiveDate)> = wanted.iter().map(|key| (key.school, key.date)).collect();
    let mut records: HashMap<AttendanceKey, Vec<AttendanceRecord>> = HashMap::new();
    let mut reading = stream::iter(days)
        .map(|(school, date)| client.attendance_on(school, date))
        .buffer_unordered(READ_AT_ONCE);
    while let Some(batch) = reading.try_next().await? {
        for record in batch {
            if let Some(key) = key_of(&record).filter(|key| wanted.contains(key)) {
                records.entry(key).or_default().push(record);
            }
        }
    }
    let codes = if wanted.is_empty() {
        HashMap::new()
    } else {
        roster.all_attendance_codes()?.into_iter().map(|code| (code.id, code.code)).collect()
    };
    Ok(OnRecord { records, codes })
}

impl Engine {
    /// Decides every row of a source's files. Only reads.
    pub(crate) async fn plan_attendance(
        &self,
        client: &Client,
        roster: &Roster,
        source: Source,
        mut inputs: Vec<PlannedInput>,
        rows: Vec<SourceRow>,
        rules: OverwriteRules<'_>,
    ) -> Result<AttendancePlan, EngineError> {
        let hashes: Vec<RowHash> = rows.iter().map(|row| row_hash(source, &row.raw)).collect();
        // A Raptor row tells one signing-in: the very same row again is the same event. A Hero row tells a state,
        // which may come back: it is judged against what was last stated.
        let known = match source {
            Source::Raptor => {
                let hashes = hashes.clone();
                self.ledger(move |ledger| ledger.known_rows(source, &hashes)).await?
            }
            Source::Hero => HashMap::new(),
        };
        let delivered =
            |place: usize| matches!(known.get(&hashes[place]), Some(KnownRow::Decided | KnownRow::Discarded));
        let repeats = repeats(source, &hashes);
        let new_rows =
            (0..rows.len()).filter(|place| !repeats[*place] && !known.contains_key(&hashes[*place]));
        let new_rows = new_rows.count() as u64;
        // The latest row about a record is what the files state, also one that was decided before.
        let mut last: HashMap<AttendanceKey, usize> = HashMap::new();
        for (place, row) in rows.iter().enumerate() {
            let says_nothing = repeats[place] || known.get(&hashes[place]) == Some(&KnownRow::Discarded);
            if let (Ok(write), false) = (&row.wanted, says_nothing) {
                let latest = last.entry(write.key).or_insert(place);
                if rows[*latest].happened <= row.happened {
                    *latest = place;
                }
            }
        }
        let keys: Vec<AttendanceKey> = last.keys().copied().collect();
        let histories = self.ledger(move |ledger| ledger.history(source, &keys)).await?;
        let undecided = last.iter().filter(|(key, place)| {
            if delivered(**place) {
                return false;
            }
            let stated = histories.get(key).and_then(|history| history.stated.as_deref());
            rows[**place].wanted.as_ref().is_ok_and(|write| stated != Some(write.code.as_str()))
        });
        let held = read_back(client, roster, undecided.map(|(key, _)| key)).await?;

        let nothing = rosterbridge_store::ledger::KeyHistory::default();
        for (place, row) in rows.into_iter().enumerate() {
            let row_hash = hashes[place];
            let outcome = match row.wanted {
                _ if repeats[place] || delivered(place) => DecisionOutcome::NoOp {
                    key: None,
                    code: String::new(),
                    reason: NoOpReason::AlreadyDelivered,
                },
                Ok(write) if last.get(&write.key) != Some(&place) => {
                    DecisionOutcome::NoOp { key: None, code: write.code, reason: NoOpReason::Superseded }
                }
                Ok(write) => {
                    let history = histories.get(&write.key).unwrap_or(&nothing).as_history();
                    decided(write, source, history, &held, rules)
                }
                Err(Stop::Hold(reason, detail)) => DecisionOutcome::Hold { reason, detail },
                Err(Stop::NoOp(reason)) => DecisionOutcome::NoOp { key: None, code: String::new(), reason },
                Err(Stop::Reject(detail)) => DecisionOutcome::Reject { detail },
                Err(Stop::Store(error)) => return Err(error.into()),
            };
            inputs[row.input].rows += 1;
            inputs[row.input].decisions.push(Decision {
                line: row.line,
                row_hash,
                raw: row.raw,
                student_number: row.student_number,
                outcome,
            });
        }
        pass(CrashPoint::AttendancePlanned);
        Ok(AttendancePlan { source, inputs, new_rows })
    }

    /// The records that have a write under way, of either source.
    pub(crate) async fn open_keys(&self) -> Result<HashSet<AttendanceKey>, EngineError> {
        self.ledger(|ledger| {
            let mut keys = HashSet::new();
            for source in [Source::Hero, Source::Raptor] {
                keys.extend(ledger.pending(source)?.into_iter().map(|row| row.write.key));
            }
            Ok(keys)
        })
        .await
    }

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
            let pending = self.ledger(move |ledger| ledger.pending(source)).await?;
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
        let nothing = rosterbridge_store::ledger::KeyHistory::default();
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
                None => judge(source, &row.write.code, history, current.recorded, writing.rules),
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

    /// Sends decided writes. Every one is marked as being sent before its request leaves.
    async fn send(
        &self,
        writing: &Writing<'_>,
        mut rows: Vec<OutboxRow>,
        delivered: &mut Delivered,
    ) -> Result<(), EngineError> {
        // As the ledger has its records, so that what is noted together is kept together. Those of one student at one
        // school stay in their order.
        rows.sort_by_key(|row| (row.write.key.school, row.write.key.student));
        for chunk in rows.chunks(SENT_AT_ONCE) {
            if writing.cancel.is_cancelled() {
                return Err(EngineError::Cancelled);
            }
            let ids: Vec<OutboxId> = chunk.iter().map(|row| row.id).collect();
            let undos: HashSet<OutboxId> =
                chunk.iter().filter(|row| row.undoes.is_some()).map(|row| row.id).collect();
            let sending = ids.clone();
            self.ledger(move |ledger| ledger.mark_sending(&sending, Utc::now())).await?;
            pass(CrashPoint::WritesMarked);
            let writes: Vec<AttendanceWrite> = chunk.iter().map(|row| row.write.clone()).collect();
            let sent = writing.cancel.run_until_cancelled(writing.client.write_attendance(&writes)).await;
            let Some(answers) = sent else {
                // From now on none of them is on its way out, but any may arrive yet: the next run looks them up.
                let code = EngineError::Cancelled.code();
                self.ledger(move |ledger| ledger.mark_unknown(&ids, code, Utc::now())).await?;
                return Err(EngineError::Cancelled);
            };
            pass(CrashPoint::WritesAnswered);

            let (mut confirmed, mut unsent, mut unclear, mut refused) = (vec![], vec![], vec![], vec![]);
            let mut stopped = None;
            for (id, answer) in ids.into_iter().zip(answers) {
                match answer {
                    WriteAnswer::Written => confirmed.push(id),
                    WriteAnswer::Refused { field, code, description } => {
                        let said: Vec<String> = [field, code, description].into_iter().flatten().collect();
                        refused.push((id, said.join(": ")));
                    }
                    WriteAnswer::NotSent(error) => {
                        unsent.push(id);
                        stopped = Some(error);
                    }
                    WriteAnswer::Unclear(error) => unclear.push((id, error.code())),
                }
            }
            delivered.written += confirmed.len() as u64;
            let not_undone = refused.iter().filter(|(id, _)| undos.contains(id)).count() as u64;
            delivered.not_undone += not_undone;
            delivered.held += refused.len() as u64 - not_undone;
            delivered.newly_held += self
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
                        newly +=
                            u64::from(ledger.mark_held(id, HoldReason::RefusedByPowerSchool, &said, now)?);
                    }
                    Ok(newly)
                })
                .await?;
            pass(CrashPoint::WritesRecorded);
            (writing.on_written)(delivered.written);
            if let Some(error) = stopped {
                return Err(error.into());
            }
        }
        Ok(())
    }
}

/// The decision about a row that states a code for a record.
fn decided(
    mut write: AttendanceWrite,
    source: Source,
    history: rosterbridge_domain::attendance::History<'_>,
    held: &OnRecord,
    rules: OverwriteRules<'_>,
) -> DecisionOutcome {
    let current = held.current(&write.key);
    match judge(source, &write.code, history, current.recorded, rules) {
        Verdict::NoOp(reason) => DecisionOutcome::NoOp { key: Some(write.key), code: write.code, reason },
        Verdict::Hold(reason) => DecisionOutcome::Hold { reason, detail: what_stands(&current, &write.code) },
        Verdict::Write => {
            write.replaces = current.dcid;
            write.previous_code = current.code();
            write.comment = comment_after(current.comment, &write.comment);
            write.previous_comment = Some(current.comment.to_owned());
            DecisionOutcome::Write(write)
        }
    }
}

/// What a person is told about a record that is not written over.
fn what_stands(current: &Current<'_>, stated: &str) -> String {
    match current.recorded {
        Recorded::Code(code) if code != NAMELESS_CODE => {
            format!("PowerSchool has {code}, the row says {stated}")
        }
        _ => String::new(),
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

/// The comment a write leaves behind: what PowerSchool has stays, and ours follows it. Ours may hold theirs already,
/// from the time the row was decided.
fn comment_after(theirs: &str, ours: &str) -> String {
    match (theirs.trim(), ours.trim()) {
        (theirs, ours) if ours.starts_with(theirs) => ours.to_owned(),
        (theirs, ours) if theirs.contains(ours) => theirs.to_owned(),
        (theirs, ours) => format!("{theirs}; {ours}"),
    }
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
    #[case::none("", "", "")]
    #[case::ours("", "Bus 12", "Bus 12")]
    #[case::theirs_stays("Parent called", "", "Parent called")]
    #[case::ours_follows("Parent called", "Bus 12", "Parent called; Bus 12")]
    #[case::as_decided("Parent called", "Parent called; Bus 12", "Parent called; Bus 12")]
    #[case::written_since("Nurse", "Bus 12", "Nurse; Bus 12")]
    #[case::already_there("Parent called; Bus 12", "Bus 12", "Parent called; Bus 12")]
    fn a_comment_in_powerschool_is_never_lost(#[case] theirs: &str, #[case] ours: &str, #[case] after: &str) {
        assert_eq!(comment_after(theirs, ours), after);
    }

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

    #[test]
    fn of_identical_rows_one_counts() {
        let hashes = [[1; 32], [2; 32], [1; 32]];
        assert_eq!(repeats(Source::Raptor, &hashes), [false, false, true]);
        assert_eq!(repeats(Source::Hero, &hashes), [true, false, false]);
    }
}
