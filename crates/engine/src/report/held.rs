//! Rows kept for a person, and what there is to pick from for them.

use chrono::{DateTime, NaiveDate, Utc};
use rosterbridge_domain::{
    attendance::Source,
    held::{HoldReason, PickedMeeting, Remedy},
    id::{AttendanceCodeId, SchoolNumber, StudentId, StudentNumber},
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A row kept for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HeldView {
    /// The ledger's id.
    pub id: i64,
    /// `hero` or `raptor`.
    pub source: String,
    /// The file it came in.
    pub file: String,
    /// Its line there, from 1.
    pub line: u64,
    /// Why: the stable code.
    pub code: String,
    /// Why and what to do, in sentences.
    pub message: String,
    /// What deals with it.
    pub remedy: Remedy,
    /// What exactly, e.g. the unknown code.
    pub detail: String,
    /// The row as it came.
    pub raw: String,
    /// The student number it names, if that could be read.
    #[ts(optional)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub student_number: Option<StudentNumber>,
    /// When it was first held.
    #[ts(type = "string")]
    pub first_seen: DateTime<Utc>,
    /// Whether a person asked for it to be decided again, which the next run does.
    pub retried: bool,
    /// What a person decided about it, if so.
    #[ts(optional)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed: Option<HeldFixView>,
}

/// What a person decided about a held row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HeldFixView {
    /// The decision in words.
    pub words: String,
    /// Who made it.
    pub by: String,
    /// When.
    #[ts(type = "string")]
    pub at: DateTime<Utc>,
}

/// Rows that wait for the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HeldCauseView {
    /// Who stated them.
    pub source: Source,
    /// Why: the stable code.
    pub code: HoldReason,
    /// Why and what to do, in sentences.
    pub message: String,
    /// What deals with them.
    pub remedy: Remedy,
    /// What exactly, e.g. the unknown code.
    pub detail: String,
    /// How many there are.
    pub rows: u64,
}

/// The rows kept for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HeldPage {
    /// How many there are in all of those asked for.
    pub total: u64,
    /// How many by reason, most first; of all there are.
    pub by_reason: Vec<(HoldReason, u64)>,
    /// What they wait for, most rows first; of all there are, but not more than 200.
    pub causes: Vec<HeldCauseView>,
    /// This page's rows.
    pub rows: Vec<HeldView>,
}

/// A student found in the last roster. It stays in the window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct FoundStudent {
    /// STUDENTS.STUDENT_NUMBER.
    pub number: StudentNumber,
    /// STUDENTS.ID.
    pub id: StudentId,
    /// Last name, first and middle name.
    pub name: String,
    /// STUDENTS.GRADE_LEVEL: 0 is kindergarten, negative is pre-kindergarten.
    pub grade: i64,
    /// STUDENTS.SCHOOLID.
    pub school: SchoolNumber,
    /// The school's name.
    pub school_name: String,
    /// Whether the student is enrolled now.
    pub active: bool,
}

/// What there is to pick from for a held row, by the last roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HeldChoices {
    /// The day it is about.
    #[ts(type = "string")]
    pub date: NaiveDate,
    /// The school's name; empty where the school is not known.
    pub school_name: String,
    /// The students with the row's number.
    pub students: Vec<FoundStudent>,
    /// Whose row it is, as far as that is known: picked, or the only one with the number.
    #[ts(optional)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub student: Option<FoundStudent>,
    /// The school's codes of that year.
    pub codes: Vec<HeldCodeChoice>,
    /// The student's records of that day.
    pub meetings: Vec<HeldMeetingChoice>,
}

/// A code to pick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HeldCodeChoice {
    /// ATTENDANCE_CODE.ID.
    pub id: AttendanceCodeId,
    /// ATTENDANCE_CODE.ATT_CODE.
    pub code: String,
    /// ATTENDANCE_CODE.DESCRIPTION.
    pub description: String,
}

/// A record of a student's day to pick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HeldMeetingChoice {
    /// What is picked.
    pub pick: PickedMeeting,
    /// The period's name; empty for the record of the day.
    pub period: String,
    /// The course's name and the section, e.g. `Algebra 1, MATH101.2`; empty for the record of the day.
    pub class: String,
    /// When the class begins and ends, e.g. `09:50–10:40`; empty for the record of the day.
    pub times: String,
}
