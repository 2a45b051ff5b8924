//! Attendance: what a record is about, what is to be written, and who may overwrite what.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::id::{
    AttendanceCodeId, AttendanceDcid, CalendarDayId, CcId, PeriodId, SchoolNumber, StudentId, YearId,
};

/// The system that states a student's attendance to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// SchoolMint Hero's attendance export.
    Hero,
    /// Raptor's tardies.
    Raptor,
}

impl Source {
    /// The lower-case name used in the ledger and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hero => "hero",
            Self::Raptor => "raptor",
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// ATTENDANCE.ATT_MODE_CODE of the two modes the exchange writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AttendanceMode {
    /// One record a student and day.
    #[serde(rename = "ATT_ModeDaily")]
    Daily,
    /// One record a student, day and class meeting.
    #[serde(rename = "ATT_ModeMeeting")]
    Meeting,
}

impl AttendanceMode {
    /// PowerSchool's own code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Daily => "ATT_ModeDaily",
            Self::Meeting => "ATT_ModeMeeting",
        }
    }
}

/// A class meeting: an enrolment and a period (PowerSchool: CCID + PERIODID).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Meeting {
    /// CC.ID.
    pub cc: CcId,
    /// PERIOD.ID.
    pub period: PeriodId,
}

/// What one attendance record is about. Records of a program are other keys and never touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttendanceKey {
    /// ATTENDANCE.SCHOOLID.
    pub school: SchoolNumber,
    /// ATTENDANCE.STUDENTID.
    pub student: StudentId,
    /// ATTENDANCE.ATT_DATE.
    pub date: NaiveDate,
    /// The meeting, in the meeting mode; `None` in the daily mode.
    pub meeting: Option<Meeting>,
}

impl AttendanceKey {
    /// The mode the key belongs to.
    pub const fn mode(&self) -> AttendanceMode {
        if self.meeting.is_some() { AttendanceMode::Meeting } else { AttendanceMode::Daily }
    }
}

/// Start and end of a meeting on its day, in seconds since midnight, from that day's bell schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MeetingTimes {
    /// Seconds since midnight.
    pub start: u32,
    /// Seconds since midnight.
    pub end: u32,
}

/// A record to write to PowerSchool, complete: everything the request body needs and what is needed to judge the
/// answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttendanceWrite {
    /// What the record is about.
    pub key: AttendanceKey,
    /// ATTENDANCE_CODE.ATT_CODE to record.
    pub code: String,
    /// The code's id for this school and year.
    pub code_id: AttendanceCodeId,
    /// The school year of the date.
    pub year: YearId,
    /// The CALENDAR_DAY row of the school and date.
    pub calendar_day: CalendarDayId,
    /// Required by PowerSchool in the meeting mode.
    pub times: Option<MeetingTimes>,
    /// ATT_COMMENT as it shall read afterwards (an existing comment first, ours appended); empty for none.
    pub comment: String,
    /// The record to be changed, when PowerSchool holds one for the key.
    pub replaces: Option<AttendanceDcid>,
    /// The code the replaced record holds; `None` when there is no record or its code is blank.
    pub previous_code: Option<String>,
    /// The comment PowerSchool holds for the key, empty for none; `None` where that is not known.
    pub previous_comment: Option<String>,
}

impl AttendanceWrite {
    /// Whether PowerSchool holds what it held when the write was decided: the same record with the same code, or still
    /// none. A write that may have been sent is sent again only then; anything else may be a correction of it.
    pub fn stood_before(&self, recorded: Recorded<'_>, dcid: Option<AttendanceDcid>) -> bool {
        self.replaces == dcid
            && match recorded {
                Recorded::Nothing | Recorded::Blank => self.previous_code.is_none(),
                Recorded::Code(code) => self.previous_code.as_deref() == Some(code),
                Recorded::Several => false,
            }
    }
}

/// What PowerSchool holds for a key now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded<'a> {
    /// No record.
    Nothing,
    /// A record whose code is blank (usually 'Present').
    Blank,
    /// A record with this code.
    Code(&'a str),
    /// More than one record: PowerSchool's own data is ambiguous for the key.
    Several,
}

/// What this profile did with a key before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History<'a> {
    /// The code that the source of the new row last stated for the key.
    pub stated: Option<&'a str>,
    /// The source and code of the last write PowerSchool confirmed to us.
    pub written: Option<(Source, &'a str)>,
}

/// The district's rules for replacing what is already recorded.
#[derive(Clone, Copy, Debug)]
pub struct OverwriteRules<'a> {
    /// 'Update existing records' of the import form. Off: any existing code is held.
    pub update_existing: bool,
    /// Codes we didn't write that may be replaced, chosen in set-up; empty until then.
    pub replaceable: &'a BTreeSet<String>,
}

/// Why a row needs no write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoOpReason {
    /// The source stated this code for the key last time too; a correction made since then stands.
    AlreadyStated,
    /// PowerSchool already holds this code.
    AlreadyRecorded,
    /// The very same row was decided in an earlier run.
    AlreadyDelivered,
    /// A later sign-in or row states the key again.
    Superseded,
    /// The student signed in before the first bell.
    NotTardy,
}

impl NoOpReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::AlreadyStated,
        Self::AlreadyRecorded,
        Self::AlreadyDelivered,
        Self::Superseded,
        Self::NotTardy,
    ];

    /// Why, in a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::AlreadyStated => {
                "The same code was stated for this record before. What was done about it in PowerSchool since stands."
            }
            Self::AlreadyRecorded => "PowerSchool holds this code already.",
            Self::AlreadyDelivered => "The very same row was decided before.",
            Self::Superseded => "A later sign-in or row states this record again.",
            Self::NotTardy => "The student signed in before the first bell.",
        }
    }

    /// The name used in the ledger and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyStated => "already_stated",
            Self::AlreadyRecorded => "already_recorded",
            Self::AlreadyDelivered => "already_delivered",
            Self::Superseded => "superseded",
            Self::NotTardy => "not_tardy",
        }
    }
}

/// Whether a stated code may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Write it.
    Write,
    /// Nothing to do.
    NoOp(NoOpReason),
    /// Keep the row for a person.
    Hold(crate::held::HoldReason),
}

/// Decides who may overwrite what, for one stated code and one key.
///
/// - The code this source last stated for the key is a no-op, even if a person has since changed it in
///   PowerSchool: a file that is delivered again never undoes a correction.
/// - A new code from the same source is written only while PowerSchool still holds what we wrote.
/// - What another source wrote is a no-op if equal and held otherwise.
/// - An existing code we did not write is replaced only if blank or on the replaceable list.
/// - With 'update existing' off, any existing code is held.
pub fn judge(
    source: Source,
    new_code: &str,
    history: History<'_>,
    recorded: Recorded<'_>,
    rules: OverwriteRules<'_>,
) -> Verdict {
    use crate::held::HoldReason;

    if history.stated == Some(new_code) {
        return Verdict::NoOp(NoOpReason::AlreadyStated);
    }
    let existing = match recorded {
        Recorded::Several => return Verdict::Hold(HoldReason::SeveralRecords),
        Recorded::Nothing | Recorded::Blank => {
            // Whatever we wrote is gone: somebody cleared it, and that is a correction like any other.
            return match history.written {
                Some(_) => Verdict::Hold(HoldReason::CorrectedInPowerSchool),
                None => Verdict::Write,
            };
        }
        Recorded::Code(code) if code == new_code => return Verdict::NoOp(NoOpReason::AlreadyRecorded),
        Recorded::Code(code) => code,
    };
    if !rules.update_existing {
        return Verdict::Hold(HoldReason::UpdateExistingOff);
    }
    match history.written {
        Some((by, code)) if by == source && code == existing => Verdict::Write,
        Some((by, code)) if by != source && code == existing => Verdict::Hold(HoldReason::OtherSourceWrote),
        Some(_) => Verdict::Hold(HoldReason::CorrectedInPowerSchool),
        None if rules.replaceable.contains(existing) => Verdict::Write,
        None => Verdict::Hold(HoldReason::ExistingCode),
    }
}
