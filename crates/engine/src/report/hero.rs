//! What is shown of the exchange with Hero: what to enter in PowerSchool, the order of the day, the files.

use chrono::{DateTime, NaiveDate, Utc};
use rosterbridge_domain::{
    day::{ClashKind, Step},
    job::{AccountId, JobId},
    settings::Owner,
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::Cause;

/// What to enter in PowerSchool and at Hero for an account, screen by screen in the order in which a person does it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Sheet {
    /// The account.
    pub account: AccountId,
    /// What people call it.
    pub account_name: String,
    /// The screens.
    pub screens: Vec<SheetScreen>,
    /// How many rows there are.
    pub rows: u32,
    /// How many of them are ticked.
    pub ticked: u32,
}

/// One screen: a form of PowerSchool's, or what is set up at Hero's side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SheetScreen {
    /// Stable, e.g. `students`.
    pub key: String,
    /// e.g. `Student Demographics AutoSend Export`.
    pub title: String,
    /// In which of the two programs it is.
    pub at: SheetSide,
    /// The job it sets up, where it sets one up.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// Who carries that job out. Where RosterBridge does, nothing is entered, and a record that exists is turned off.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// Whether anything has to be entered: PowerSchool carries it out, or something that needs it.
    pub needed: bool,
    /// Where to click to get there, step by step.
    pub way: Vec<String>,
    /// What to enter, in the form's order.
    pub rows: Vec<SheetRow>,
    /// What to do when everything is entered.
    pub then: Vec<String>,
    /// What a person should know about it, in sentences.
    pub notes: Vec<String>,
}

/// Where a screen is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SheetSide {
    /// In PowerSchool's pages.
    PowerSchool,
    /// In Hero's pages.
    Hero,
}

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SheetRow {
    /// Stable, and its own within the sheet, e.g. `students.path`.
    pub key: String,
    /// The field's label as Hero's procedure prints it.
    pub label: String,
    /// What to enter.
    pub entry: SheetEntry,
    /// What Hero's procedure says about it; empty where it says nothing.
    pub comment: String,
    /// What there is to know besides, in a sentence; empty where there is nothing.
    pub note: String,
    /// Whether a person ticked it, with what is to be entered now.
    pub ticked: bool,
    /// Whether it was ticked when something else was to be entered: it has to be changed there.
    pub changed: bool,
}

/// What to do with a field of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SheetEntry {
    /// Type or paste this. It may be copied.
    Text {
        /// The value.
        value: String,
    },
    /// Paste these lines, one field a line. They may be copied, as one text.
    Lines {
        /// The lines.
        lines: Vec<String>,
    },
    /// Choose this from what the form offers.
    Choose {
        /// As the form shows it.
        value: String,
    },
    /// Tick the box.
    Check,
    /// Leave the box without a tick.
    LeaveUnchecked,
    /// Leave the field empty.
    LeaveBlank,
    /// Enter what is known to the person only, such as a password.
    Own {
        /// What it is.
        what: String,
    },
}

/// The day of an account, in the order of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Timeline {
    /// The account.
    pub account: AccountId,
    /// What people call it.
    pub account_name: String,
    /// The zone whose clocks the times are read from: the district's where it is known.
    pub zone: String,
    /// Whether that zone is PowerSchool's word.
    pub zone_known: bool,
    /// The day that is shown: the next one, from today on, on which most of it happens.
    #[ts(type = "string")]
    pub day: NaiveDate,
    /// What happens on that day, in the order of time.
    pub entries: Vec<TimelineEntry>,
    /// What has no time, or does not happen on that day.
    pub without_time: Vec<TimelineEntry>,
    /// What does not fit together, gravest first.
    pub warnings: Vec<TimelineWarning>,
}

/// One thing that happens in the day of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TimelineEntry {
    /// What.
    pub step: Step,
    /// The same for a person, e.g. `Hero Student Info (students, sent by PowerSchool)`.
    pub title: String,
    /// When, on the clocks of the timeline's zone, `03:10`; absent where it has no time.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The days it happens on in PowerSchool's letters, such as `MTWHF`; empty where it has no time.
    pub days: String,
    /// Whether it is switched on. What PowerSchool and Hero do counts as switched on.
    pub on: bool,
}

/// Something in the order of the day that does not fit together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TimelineWarning {
    /// What kind.
    pub kind: ClashKind,
    /// The jobs it is about; none where it is about Hero alone.
    pub jobs: Vec<JobId>,
    /// What does not fit, in a sentence.
    pub message: String,
    /// What a person can do.
    pub remedy: String,
}

/// An export as these settings would make it, from the last roster pull.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ExportPreview {
    /// The path on the day, e.g. `imports/STUDENT_20260907.TXT`; absent where it can't be used.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The day: today in the district.
    #[ts(type = "string")]
    pub day: NaiveDate,
    /// What is wrong with the settings; empty where they can be used.
    pub problems: Vec<Cause>,
    /// What a person should know about them, in sentences.
    pub notes: Vec<String>,
    /// What each column holds, in the file's order; empty where the list of fields can't be used.
    pub columns: Vec<ExportField>,
    /// Every field there is to choose from.
    pub known: Vec<ExportField>,
    /// The rows; absent where they were not asked for, the settings can't be used, or PowerSchool was not read yet.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<ExportRows>,
}

/// Without the rows.
impl std::fmt::Debug for ExportPreview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExportPreview").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A field that an export can send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ExportField {
    /// Its name in a field list.
    pub name: String,
    /// Where PowerSchool holds it, e.g. `STUDENTS.STUDENT_NUMBER`.
    pub column: String,
    /// What it holds.
    pub meaning: String,
    /// How many characters Hero accepts, where it says so.
    pub limit: Option<u32>,
    /// Whether Hero requires a value.
    pub required: bool,
}

/// The rows of a file that is not sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ExportRows {
    /// The first ones, at most five, value by value.
    pub first: Vec<Vec<String>>,
    /// How many there are, without a header.
    pub total: u64,
    /// The file's size in bytes.
    pub bytes: u64,
    /// What they would have to be looked at for, kind by kind.
    pub problems: Vec<ProblemCount>,
    /// When PowerSchool was read.
    #[ts(type = "string")]
    pub read_at: DateTime<Utc>,
}

/// Without the rows.
impl std::fmt::Debug for ExportRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExportRows").field("total", &self.total).finish_non_exhaustive()
    }
}

/// How often rows of an export have to be looked at for one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ProblemCount {
    /// Which: `empty`, `too_long`, `shortened`, `break`, `unmappable`, `duplicate` or `no_schedule`.
    pub kind: String,
    /// The same for a person.
    pub meaning: String,
    /// How often.
    pub count: u64,
}

/// What the last file of an export has to be looked at for, row by row: a page of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ExportProblems {
    /// The job.
    pub job: JobId,
    /// How many are kept, in all.
    pub total: u64,
    /// Whether there were more than are kept.
    pub more_than_kept: bool,
    /// The same kind by kind.
    pub counts: Vec<ProblemCount>,
    /// This page, in the order of the rows.
    pub rows: Vec<ExportProblemView>,
}

/// A row of an export that has to be looked at. By number, never by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ExportProblemView {
    /// The row in the file, from 1, without a header; absent for somebody who has no row.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// The student's or teacher's number.
    pub number: String,
    /// The field; empty where it is about the whole row.
    pub field: String,
    /// As in [`ProblemCount`].
    pub kind: String,
    /// What it is and what was done with it, in a sentence.
    pub message: String,
    /// How many characters the value has that is too long.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// How many characters Hero accepts of it.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The first row with the same number, where an earlier one has it.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_row: Option<u64>,
}

/// What an account's server has in the folders that matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RemoteFiles {
    /// The account.
    pub account: AccountId,
    /// When it was looked at.
    #[ts(type = "string")]
    pub seen_at: DateTime<Utc>,
    /// `imports/`, `export/` and the folder the account starts in.
    pub folders: Vec<RemoteFolderView>,
}

/// One folder of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RemoteFolderView {
    /// Its name; empty for the folder the account starts in.
    pub folder: String,
    /// Its files, by name.
    pub files: Vec<RemoteFileView>,
    /// Why it could not be listed; absent where it could.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<Cause>,
}

/// One file of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RemoteFileView {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its last change in the server's clock, where the server says.
    #[ts(type = "string | null")]
    pub modified: Option<DateTime<Utc>>,
    /// What it is.
    pub is: RemoteFileKind,
    /// The job it belongs to; absent for another one's file.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
}

/// What a file on a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum RemoteFileKind {
    /// A file of an export, where it belongs.
    Export,
    /// A file of an export in the wrong folder: Hero takes files from `imports/` only.
    WrongFolder,
    /// The file that is imported.
    Import,
    /// What a transfer under way, or one that was cut, has left.
    Unfinished,
    /// Another file: shown and never imported.
    Other,
}

/// Hero's file for creating the staff's accounts, written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct FacultyFileView {
    /// The file.
    pub file: String,
    /// Its rows, without the header.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// What a person should look at before importing it, in sentences.
    pub notes: Vec<String>,
}
