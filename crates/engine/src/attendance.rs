//! Attendance in: from the rows of a file to PowerSchool, each exactly once.
//!
//! Planning only reads: the roster, the ledger, and what PowerSchool holds now. Applying records every decision in
//! the ledger first, then sends what is to be written. A send without a definite answer is never repeated before
//! PowerSchool has been read back.

mod delivery;
mod on_record;

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
};

use chrono::NaiveDateTime;
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{
    attendance::{
        AttendanceKey, AttendanceWrite, NoOpReason, OverwriteRules, Recorded, Source, Verdict, judge,
    },
    held::HoldReason,
    id::{SchoolNumber, StudentNumber},
    job::AccountId,
    settings::Setup,
};
use rosterbridge_powerschool::Client;
use rosterbridge_store::{
    Roster,
    ledger::{Decision, DecisionOutcome, KeyHistory, KnownRow, RowHash},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use self::on_record::{NAMELESS_CODE, OnRecord};
pub(crate) use self::{
    delivery::{Delivered, NOT_SEEN, Writing, still_expected},
    on_record::{Current, read_back},
};
use crate::{decide::Stop, engine::Engine, error::EngineError};

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

/// What rows state about records, and what is known of these.
pub(crate) struct Stated {
    /// Of each record the row that counts, by its place: the latest one, of several of the same time the last.
    pub(crate) last: HashMap<AttendanceKey, usize>,
    /// What this profile did before with each record that a row is about.
    pub(crate) histories: HashMap<AttendanceKey, KeyHistory>,
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
    /// Of each of Hero's files: rows about records that nothing was known of.
    #[serde(skip)]
    pub(crate) first_seen: Vec<FirstSeen>,
}

/// Rows about records that this profile neither wrote nor was told of before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FirstSeen {
    /// How many.
    pub(crate) rows: u64,
    /// Those of them whose very code PowerSchool has.
    pub(crate) standing: u64,
}

/// A row about a record that nothing is known of.
struct NewRecord {
    /// The file it came in, by its place in the plan.
    input: usize,
    row_hash: RowHash,
    /// Whether PowerSchool has its very code.
    stands: bool,
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
/// not recorded. Hero's last row is the state, and all its files are read again until every one of them is recorded.
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

/// Who may overwrite what, for rows of a source.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) source: Source,
    pub(crate) setup: &'a Setup,
    /// Whose job it is.
    pub(crate) account: AccountId,
}

impl<'a> Rules<'a> {
    /// For a record of a school: 'Update existing records' is that of the school's account at Hero, and of the job's where
    /// the school takes part in none.
    pub(crate) fn of(self, school: SchoolNumber) -> OverwriteRules<'a> {
        let update_existing = match self.source {
            Source::Hero => {
                let hero = &self.setup.hero;
                let account = hero.account_of(school).or_else(|| hero.account(self.account));
                account.is_some_and(|account| account.attendance.update_existing)
            }
            Source::Raptor => true,
        };
        OverwriteRules { update_existing, replaceable: &self.setup.mappings.replaceable_codes }
    }
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
        rules: Rules<'_>,
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
        let says_nothing =
            |place: usize| repeats[place] || known.get(&hashes[place]) == Some(&KnownRow::Discarded);
        let Stated { last, histories } =
            self.stated(source, &rows, &hashes, |place| !says_nothing(place)).await?;
        let in_doubt = self.ledger(move |ledger| ledger.in_doubt(source)).await?;
        let undecided = last.iter().filter(|(key, place)| {
            if delivered(**place) {
                return false;
            }
            let stated = histories.get(key).and_then(|history| history.stated.as_deref());
            rows[**place].wanted.as_ref().is_ok_and(|write| stated != Some(write.code.as_str()))
        });
        let held = read_back(client, roster, undecided.map(|(key, _)| key)).await?;

        let nothing = KeyHistory::default();
        let mut new_records: Vec<NewRecord> = Vec::new();
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
                    let history = histories.get(&write.key).unwrap_or(&nothing);
                    let decided = decided(write, source, history, &held, rules, in_doubt.contains(&row_hash));
                    if *history == nothing {
                        let stands = matches!(
                            decided,
                            DecisionOutcome::NoOp { reason: NoOpReason::AlreadyRecorded, .. }
                        );
                        new_records.push(NewRecord { input: row.input, row_hash, stands });
                    }
                    decided
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
                happened: row.happened,
                outcome,
            });
        }
        let first_seen = match source {
            Source::Hero => self.first_seen(inputs.len(), new_records).await?,
            Source::Raptor => Vec::new(),
        };
        pass(CrashPoint::AttendancePlanned);
        Ok(AttendancePlan { source, inputs, new_rows, first_seen })
    }

    /// Counts of each of Hero's files the rows about records that nothing is known of, and those of them whose code stands.
    /// One that was held before is not new: a person may have entered it by hand meanwhile.
    async fn first_seen(&self, inputs: usize, rows: Vec<NewRecord>) -> Result<Vec<FirstSeen>, EngineError> {
        let hashes: Vec<RowHash> = rows.iter().map(|row| row.row_hash).collect();
        let known = self.ledger(move |ledger| ledger.known_rows(Source::Hero, &hashes)).await?;
        let mut first_seen = vec![FirstSeen::default(); inputs];
        for row in rows.iter().filter(|row| !known.contains_key(&row.row_hash)) {
            first_seen[row.input].rows += 1;
            first_seen[row.input].standing += u64::from(row.stands);
        }
        Ok(first_seen)
    }

    /// What those of `rows` state that say something, and what is known of their records. A row that is outdated states
    /// nothing: what an earlier run decided since it came may have been in a file that is gone.
    pub(crate) async fn stated(
        &self,
        source: Source,
        rows: &[SourceRow],
        hashes: &[RowHash],
        says: impl Fn(usize) -> bool,
    ) -> Result<Stated, EngineError> {
        let about = || {
            let stating = rows.iter().enumerate().filter(|(place, _)| says(*place));
            stating.filter_map(|(place, row)| Some((place, row, row.wanted.as_ref().ok()?)))
        };
        let keys: HashSet<AttendanceKey> = about().map(|(_, _, write)| write.key).collect();
        let keys: Vec<AttendanceKey> = keys.into_iter().collect();
        let histories = self.ledger(move |ledger| ledger.history(source, &keys)).await?;
        let mut outdated: HashSet<usize> = HashSet::new();
        let mut may_be_outdated: Vec<(usize, RowHash, Option<NaiveDateTime>, KeyHistory)> = Vec::new();
        for (place, row, write) in about() {
            let Some(history) = histories.get(&write.key) else { continue };
            if matches!(history.compare(row.happened), Some(Ordering::Less | Ordering::Equal)) {
                may_be_outdated.push((place, hashes[place], row.happened, history.clone()));
            }
        }
        if !may_be_outdated.is_empty() {
            let found = self
                .ledger(move |ledger| {
                    let mut outdated = Vec::new();
                    for (place, row_hash, happened, history) in may_be_outdated {
                        if ledger.is_outdated(source, &row_hash, happened, &history)? {
                            outdated.push(place);
                        }
                    }
                    Ok(outdated)
                })
                .await?;
            outdated.extend(found);
        }
        let mut last: HashMap<AttendanceKey, usize> = HashMap::new();
        for (place, row, write) in about().filter(|(place, ..)| !outdated.contains(place)) {
            let latest = last.entry(write.key).or_insert(place);
            if rows[*latest].happened <= row.happened {
                *latest = place;
            }
        }
        // Of an earlier row that states the same again the later one stays what others are compared with.
        last.retain(|key, place| {
            let (Some(history), Ok(write)) = (histories.get(key), &rows[*place].wanted) else { return true };
            history.compare(rows[*place].happened) != Some(Ordering::Less)
                || history.stated.as_ref() != Some(&write.code)
        });
        Ok(Stated { last, histories })
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
}

/// The decision about a row that states a code for a record. One in doubt may have been written already, and somebody may
/// have changed that: it is written by itself only where there is no record.
fn decided(
    mut write: AttendanceWrite,
    source: Source,
    history: &KeyHistory,
    held: &OnRecord,
    rules: Rules<'_>,
    in_doubt: bool,
) -> DecisionOutcome {
    let current = held.current(&write.key);
    let may_be_corrected = || DecisionOutcome::Hold {
        reason: HoldReason::CorrectedInPowerSchool,
        detail: format!("{MAY_BE_CORRECTED} {}", what_stands(&current, &write.code)).trim_end().to_owned(),
    };
    match judge(source, &write.code, history.as_history(), current.recorded, rules.of(write.key.school)) {
        Verdict::NoOp(reason) => DecisionOutcome::NoOp { key: Some(write.key), code: write.code, reason },
        Verdict::Hold(HoldReason::CorrectedInPowerSchool) if history.only_counts => may_be_corrected(),
        Verdict::Hold(reason) => DecisionOutcome::Hold { reason, detail: what_stands(&current, &write.code) },
        Verdict::Write if in_doubt && current.recorded != Recorded::Nothing => may_be_corrected(),
        Verdict::Write => {
            write.replaces = current.dcid;
            write.previous_code = current.code();
            write.comment = comment_after(current.comment, &write.comment);
            write.previous_comment = Some(current.comment.to_owned());
            DecisionOutcome::Write(write)
        }
    }
}

/// What a person is told where nobody knows whether somebody changed what we wrote.
const MAY_BE_CORRECTED: &str =
    "The ledger was restored from a backup: what PowerSchool has may be a correction.";

/// What a person is told about a record that is not written over.
fn what_stands(current: &Current<'_>, stated: &str) -> String {
    match current.recorded {
        Recorded::Code(code) if code != NAMELESS_CODE => {
            format!("PowerSchool has {code}, the row says {stated}")
        }
        _ => String::new(),
    }
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

#[cfg(test)]
mod tests {
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

    #[test]
    fn of_identical_rows_one_counts() {
        let hashes = [[1; 32], [2; 32], [1; 32]];
        assert_eq!(repeats(Source::Raptor, &hashes), [false, false, true]);
        assert_eq!(repeats(Source::Hero, &hashes), [true, false, false]);
    }
}
