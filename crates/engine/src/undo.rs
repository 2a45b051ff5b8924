//! Taking a run back: what it wrote to PowerSchool is written over with what stood there before, where our code still
//! stands. An undo goes through the outbox like any other write, so it may be ended anywhere and is finished by the
//! next run.

use std::sync::Arc;

use chrono::Utc;
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{
    attendance::{AttendanceKey, AttendanceWrite, Recorded, Source},
    held::HoldReason,
    id::AttendanceCodeId,
    job::{Job, JobId},
};
use rosterbridge_powerschool::Client;
use rosterbridge_store::{
    Roster, StoreError,
    ledger::{OutboxRow, OutboxState, Run, RunId, Standing, Trigger, Undo, Written},
};

use crate::{
    attendance::{Current, read_back},
    engine::Engine,
    error::EngineError,
    report::{LeftAlone, NotUndone, UndoReport},
    run::OnEvent,
};

/// What taking back the writes of one source comes to.
pub(crate) struct UndoPlan {
    pub(crate) undos: Vec<Undo>,
    pub(crate) left: Vec<LeftAlone>,
}

/// Where an undo that is under way stands in PowerSchool.
pub(crate) enum Restored {
    /// What stood before stands again.
    Done,
    /// Our code still stands.
    NotYet,
    /// Something else stands.
    Never(NotUndone),
}

/// Compares what PowerSchool holds with what an undo is to change.
pub(crate) fn restored(current: Recorded<'_>, undo: &AttendanceWrite) -> Restored {
    match current {
        Recorded::Several => Restored::Never(NotUndone::SeveralRecords),
        Recorded::Blank if undo.code.is_empty() => Restored::Done,
        Recorded::Code(code) if code == undo.code => Restored::Done,
        Recorded::Code(code) if Some(code) == undo.previous_code.as_deref() => Restored::NotYet,
        Recorded::Nothing | Recorded::Blank | Recorded::Code(_) => Restored::Never(NotUndone::Changed),
    }
}

/// The comment without what `write` added to it, where that still stands as it was added.
fn comment_without_ours(current: &str, write: &AttendanceWrite) -> String {
    let current = current.trim();
    let ours = write
        .previous_comment
        .as_deref()
        .and_then(|before| write.comment.strip_prefix(before.trim()))
        .map(|added| added.trim_start_matches("; ").trim());
    let Some(ours) = ours.filter(|ours| !ours.is_empty()) else { return current.to_owned() };
    match current.strip_suffix(ours) {
        Some("") => String::new(),
        Some(rest) => rest.strip_suffix("; ").unwrap_or(current).to_owned(),
        None => current.to_owned(),
    }
}

/// The id of the code that stood before a write: its own, or the school's blank code where there was none.
fn code_before(roster: &Roster, write: &AttendanceWrite) -> Result<Option<AttendanceCodeId>, StoreError> {
    let codes = roster.attendance_codes(write.key.school, write.year)?;
    let mut matching = codes.iter().filter(|row| match &write.previous_code {
        Some(before) => row.code.as_ref() == Some(before),
        None => row.code.as_deref().is_none_or(str::is_empty) && row.presence == "Present",
    });
    Ok(match (matching.next(), matching.next()) {
        (Some(only), None) => Some(only.id),
        _ => None,
    })
}

/// The write that takes one back that stands last of ours, or why there is none.
fn undo_of(
    roster: &Roster,
    written: &Written,
    current: &Current<'_>,
) -> Result<Result<Undo, NotUndone>, StoreError> {
    let (row, write) = (&written.row, &written.row.write);
    let refused = match current.recorded {
        Recorded::Several => Some(NotUndone::SeveralRecords),
        Recorded::Code(code) if code == write.code => written.taken_over.then_some(NotUndone::TakenOver),
        // A ledger that was restored from a backup does not know of an undo made since.
        Recorded::Blank if write.previous_code.is_none() && !written.taken_over => {
            Some(NotUndone::AlreadyUndone)
        }
        Recorded::Code(code) if Some(code) == write.previous_code.as_deref() => {
            Some(NotUndone::AlreadyUndone)
        }
        Recorded::Nothing | Recorded::Blank | Recorded::Code(_) => Some(NotUndone::Changed),
    };
    if let Some(refused) = refused {
        return Ok(Err(refused));
    }
    let Some(code_id) = code_before(roster, write)? else { return Ok(Err(NotUndone::NoSuchCode)) };
    Ok(Ok(Undo {
        undoes: row.id,
        write: AttendanceWrite {
            code: write.previous_code.clone().unwrap_or_default(),
            code_id,
            comment: comment_without_ours(current.comment, write),
            replaces: current.dcid,
            previous_code: Some(write.code.clone()),
            previous_comment: Some(current.comment.to_owned()),
            ..write.clone()
        },
    }))
}

fn left_alone(row: &OutboxRow, reason: NotUndone, code: &str) -> LeftAlone {
    LeftAlone {
        source: row.source.as_str().to_owned(),
        student_number: row.student_number.map(rosterbridge_domain::id::StudentNumber::get),
        school: row.write.key.school.get(),
        date: row.write.key.date,
        code: code.to_owned(),
        reason,
        message: reason.sentence().to_owned(),
    }
}

/// The job of a run whose rows a source's are: the first, where several accounts had some.
fn job_of(source: Source, run: &Run) -> JobId {
    let kind = match source {
        Source::Hero => Job::HeroAttendance,
        Source::Raptor => Job::RaptorTardies,
    };
    let of_run = run.jobs.iter().map(|job| job.job).find(|job| job.kind() == kind);
    of_run.unwrap_or(kind.into())
}

impl Engine {
    /// Takes back what a run wrote to PowerSchool. A dry run tells what that would come to, and writes nothing.
    pub async fn undo(
        self: &Arc<Self>,
        run: &str,
        dry_run: bool,
        on_event: OnEvent,
    ) -> Result<UndoReport, EngineError> {
        let unknown = || EngineError::UnknownRun(run.to_owned());
        let id: RunId = run.parse().map_err(|_| unknown())?;
        let undone = self.ledger(move |ledger| ledger.run(id)).await?.ok_or_else(unknown)?;
        match undone.trigger {
            Trigger::DryRun => return Err(EngineError::NothingToUndo("a dry run has written nothing")),
            Trigger::Undo => return Err(EngineError::NothingToUndo("an undo can't be undone itself")),
            Trigger::Manual | Trigger::Schedule => {}
        }
        let written = self.ledger(move |ledger| ledger.written_by(id)).await?;
        let jobs: Vec<JobId> = [Source::Hero, Source::Raptor]
            .into_iter()
            .filter(|source| written.iter().any(|write| write.row.source == *source))
            .map(|source| job_of(source, &undone))
            .collect();
        if jobs.is_empty() {
            return Err(EngineError::NothingToUndo("the run has written no attendance"));
        }
        let trigger = if dry_run { Trigger::DryRun } else { Trigger::Undo };
        let ran = self.run_work(jobs, trigger, Some(id), on_event).await?;
        Ok(UndoReport { undoes: id.to_string(), report: ran.report, left: ran.left })
    }

    /// Works out how to take back what a run wrote for a source. Only reads.
    pub(crate) async fn plan_undo(
        &self,
        client: &Client,
        roster: &Roster,
        run: RunId,
        source: Source,
    ) -> Result<UndoPlan, EngineError> {
        let mut written = self.ledger(move |ledger| ledger.written_by(run)).await?;
        written.retain(|write| write.row.source == source);
        let keys: Vec<AttendanceKey> = written
            .iter()
            .filter(|write| write.standing == Standing::Last)
            .map(|write| write.row.write.key)
            .collect();
        let held = read_back(client, roster, keys.iter()).await?;
        let mut plan = UndoPlan { undos: Vec::new(), left: Vec::new() };
        for write in written {
            let row = &write.row;
            let undo = match write.standing {
                Standing::Last => undo_of(roster, &write, &held.current(&row.write.key))?,
                Standing::UnderWay => Err(NotUndone::UnderWay),
                Standing::WrittenAgain => Err(NotUndone::WrittenAgain),
                Standing::Undone => Err(NotUndone::AlreadyUndone),
            };
            match undo {
                Ok(undo) => plan.undos.push(undo),
                Err(reason) => plan.left.push(left_alone(row, reason, &row.write.code)),
            }
        }
        pass(CrashPoint::UndoPlanned);
        Ok(plan)
    }

    /// Puts the writes of an undo into the outbox.
    pub(crate) async fn record_undo(&self, run: RunId, undos: Vec<Undo>) -> Result<(), EngineError> {
        self.ledger(move |ledger| ledger.record_undo(run, &undos, Utc::now())).await?;
        pass(CrashPoint::UndoRecorded);
        Ok(())
    }

    /// The writes an undo did not take back after all, because something had changed when it came to them.
    pub(crate) async fn left_by_undo(
        &self,
        run: RunId,
        source: Source,
    ) -> Result<Vec<LeftAlone>, EngineError> {
        let undos = self.ledger(move |ledger| ledger.undos_of(run)).await?;
        Ok(undos
            .iter()
            .filter(|row| row.source == source)
            .filter_map(|row| {
                let reason = match row.state {
                    OutboxState::Held => NotUndone::of_code(&row.reason),
                    OutboxState::AlreadyRecorded => NotUndone::Changed,
                    _ => return None,
                };
                Some(left_alone(row, reason, row.write.previous_code.as_deref().unwrap_or_default()))
            })
            .collect())
    }
}

impl NotUndone {
    const ALL: [Self; 8] = [
        Self::WrittenAgain,
        Self::AlreadyUndone,
        Self::UnderWay,
        Self::Changed,
        Self::TakenOver,
        Self::SeveralRecords,
        Self::NoSuchCode,
        Self::Refused,
    ];

    /// The name in the ledger.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::WrittenAgain => "written_again",
            Self::AlreadyUndone => "already_undone",
            Self::UnderWay => "under_way",
            Self::Changed => "changed",
            Self::TakenOver => "taken_over",
            Self::SeveralRecords => "several_records",
            Self::NoSuchCode => "no_such_code",
            Self::Refused => "refused",
        }
    }

    pub(crate) fn of_code(code: &str) -> Self {
        Self::ALL.into_iter().find(|known| known.as_str() == code).unwrap_or(Self::Changed)
    }

    /// Why, and what to do.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::WrittenAgain => "A later run has written this record again. Undo that one first.",
            Self::AlreadyUndone => "This was undone already: what stood before stands again.",
            Self::UnderWay => "Another write of this record is under way. Run the exchange, then undo again.",
            Self::Changed => "Somebody has changed this record in PowerSchool since. The change stands.",
            Self::TakenOver => {
                "The ledger was restored from a backup after this was written, and what stood before is not known any more. Change the record in PowerSchool by hand."
            }
            Self::SeveralRecords => HoldReason::SeveralRecords.sentence(),
            Self::NoSuchCode => {
                "The school has no such code any more, or no blank code for present. Change the record in PowerSchool by hand."
            }
            Self::Refused => "PowerSchool refused to change this record. Change it there by hand.",
        }
    }
}

#[cfg(test)]
mod tests {
    use rosterbridge_domain::id::{CalendarDayId, SchoolNumber, StudentId, YearId};
    use rstest::rstest;

    use super::*;

    fn write(before: Option<&str>, comment: &str) -> AttendanceWrite {
        AttendanceWrite {
            key: AttendanceKey {
                school: SchoolNumber::new(100),
                student: StudentId::new(7),
                date: chrono::NaiveDate::from_ymd_opt(2026, 11, 20).unwrap(),
                meeting: None,
            },
            code: "T".to_owned(),
            code_id: AttendanceCodeId::new(3),
            year: YearId::new(36),
            calendar_day: CalendarDayId::new(1),
            times: None,
            comment: comment.to_owned(),
            replaces: None,
            previous_code: Some("A".to_owned()),
            previous_comment: before.map(str::to_owned),
        }
    }

    #[rstest]
    #[case::only_ours(Some(""), "Bus 12", "Bus 12", "")]
    #[case::appended(Some("Nurse"), "Nurse; Bus 12", "Nurse; Bus 12", "Nurse")]
    #[case::theirs_changed_since(Some("Nurse"), "Nurse; Bus 12", "Parent; Bus 12", "Parent")]
    #[case::ours_changed_since(Some(""), "Bus 12", "Bus 12, excused", "Bus 12, excused")]
    #[case::part_of_a_word(Some(""), "12", "Bus 12", "Bus 12")]
    #[case::nothing_of_ours(Some("Nurse"), "Nurse", "Nurse", "Nurse")]
    #[case::unknown(None, "Nurse; Bus 12", "Nurse; Bus 12", "Nurse; Bus 12")]
    fn only_what_was_added_is_taken_out(
        #[case] before: Option<&str>,
        #[case] written: &str,
        #[case] current: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(comment_without_ours(current, &write(before, written)), expected);
    }

    #[rstest]
    #[case::ours(Recorded::Code("A"), "not yet")]
    #[case::restored(Recorded::Code("T"), "done")]
    #[case::another(Recorded::Code("X"), "changed")]
    #[case::gone(Recorded::Nothing, "changed")]
    #[case::blank(Recorded::Blank, "changed")]
    #[case::two(Recorded::Several, "several_records")]
    fn an_undo_is_judged_by_what_stands(#[case] current: Recorded<'_>, #[case] expected: &str) {
        let found = match restored(current, &write(Some(""), "")) {
            Restored::Done => "done",
            Restored::NotYet => "not yet",
            Restored::Never(reason) => reason.as_str(),
        };
        assert_eq!(found, expected);
    }
}
