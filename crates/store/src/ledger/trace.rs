//! What became of source rows: from a line of a file to the record in PowerSchool, with everything in between.
//!
//! Decisions, writes and held rows know the latest of a row. Beside them every change is noted in the transaction it is
//! made in, so that a row can be followed afterwards, and so that a day's rows add up. Of Hero's export, which states
//! the same again and again, only lines with news are kept; the others are counted.

mod list;
mod log;

use chrono::{DateTime, NaiveDate, Utc};
use rosterbridge_domain::{
    attendance::{AttendanceKey, Source},
    id::{SchoolNumber, StudentNumber},
};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params, types::Value};

use super::{
    Ledger, RunId,
    held::HeldId,
    outbox::{self, OutboxId},
};
use crate::{
    StoreError,
    database::{from_instant, to_instant},
};

pub use list::{ListedRow, RowColumn, RowCursor, RowOrder, RowPlace, RowSnapshot};
pub(in crate::ledger) use log::{
    Event, Lines, Place, TracedId, all_become_unknown, of_held_row, of_settled_row, of_write, write_changes,
};

/// Lines a file can have: a line's id is that of its file times this, and its own number.
pub(in crate::ledger) const LINES: i64 = 1 << 40;

/// Traced rows answered at once, at most.
pub const TRACED_AT_ONCE: u32 = 500;

/// A file as it was read, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputFile<'a> {
    /// Its name at its source.
    pub name: &'a str,
    /// SHA-256 of its content, lower-case hexadecimal.
    pub sha256: &'a str,
    /// The district's day. That of the first reading counts.
    pub day: NaiveDate,
}

/// What a row has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowFate {
    /// Its record is to be written or taken back, and it is not known yet that it was.
    Open,
    /// Its record stands in PowerSchool.
    Written,
    /// Nothing has to be written, a person has discarded it, or what was written was taken back.
    Noop,
    /// It is kept for a person.
    Held,
    /// It is malformed.
    Rejected,
}

impl RowFate {
    /// Every fate.
    pub const ALL: [Self; 5] = [Self::Open, Self::Written, Self::Noop, Self::Held, Self::Rejected];

    /// The name in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Written => "written",
            Self::Noop => "noop",
            Self::Held => "held",
            Self::Rejected => "rejected",
        }
    }

    /// Its place among all, as `traced_rows.fate` has it: what wants a person first.
    const fn rank(self) -> i64 {
        match self {
            Self::Held => 0,
            Self::Rejected => 1,
            Self::Open => 2,
            Self::Written => 3,
            Self::Noop => 4,
        }
    }
}

/// Declares what can happen to a row, with its name in the ledger and what the row has come to with it.
macro_rules! row_event_kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $fate:ident);+ $(;)?) => {
        /// Something that happens to a row.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum RowEventKind {
            $($(#[$doc])* $name,)+
        }

        impl RowEventKind {
            /// Everything that can happen.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name in the ledger and in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What the row has come to with it.
            pub const fn fate(self) -> RowFate {
                match self { $(Self::$name => RowFate::$fate,)+ }
            }
        }
    };
}

row_event_kinds! {
    /// Its record is to be written.
    DecidedWrite = "decided_write", Open;
    /// Nothing is to be done; the code is a [`rosterbridge_domain::attendance::NoOpReason`]'s.
    NoOp = "noop", Noop;
    /// It is kept for a person; the code is a [`rosterbridge_domain::held::HoldReason`]'s.
    Held = "held", Held;
    /// It is malformed; the detail says how.
    Rejected = "rejected", Rejected;
    /// Its record has another write whose fate is open: it waits for that.
    PutOff = "put_off", Open;
    /// The same row had come before.
    Repeated = "repeated", Noop;
    /// Its write was given to PowerSchool.
    Sent = "sent", Open;
    /// PowerSchool may or may not have it; the code says why that is not known.
    Unknown = "unknown", Open;
    /// PowerSchool certainly does not have it: it is sent again.
    DecidedAgain = "decided_again", Open;
    /// PowerSchool has it.
    Confirmed = "confirmed", Written;
    /// Never sent: somebody else recorded the code before.
    AlreadyRecorded = "already_recorded", Noop;
    /// A person asked for it to be decided again.
    Retried = "retried", Held;
    /// A person decided something about it; the detail says who, and what.
    Fixed = "fixed", Held;
    /// A person took that back; the detail says who. A row that was settled meanwhile stays what it has come to.
    FixTakenBack = "fix_taken_back", Held;
    /// A person closed it.
    Discarded = "discarded", Noop;
    /// It is settled otherwise.
    Resolved = "resolved", Noop;
    /// What was written is to be taken back.
    UndoDecided = "undo_decided", Open;
    /// That was given to PowerSchool.
    UndoSent = "undo_sent", Open;
    /// PowerSchool may or may not have taken it back.
    UndoUnknown = "undo_unknown", Open;
    /// PowerSchool certainly has not taken it back: it is sent again.
    UndoDecidedAgain = "undo_decided_again", Open;
    /// What stood before stands again.
    Undone = "undone", Noop;
    /// What stood before stood again already.
    AlreadyUndone = "already_undone", Noop;
    /// It was not taken back; the code says why.
    NotUndone = "not_undone", Written;
}

/// Which rows to trace. What is absent does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceFilter {
    /// Of this student.
    pub student: Option<StudentNumber>,
    /// Of files of this name, with or without the folder they came from.
    pub file: Option<String>,
    /// Of this line in them, from 1.
    pub line: Option<u64>,
    /// Read first on this day of the district.
    pub day: Option<NaiveDate>,
    /// This very row.
    pub row: Option<RowPlace>,
    /// Of files with this content: SHA-256, lower-case hexadecimal.
    pub sha256: Option<String>,
    /// Of this source.
    pub source: Option<Source>,
    /// That came to this.
    pub fate: Option<RowFate>,
    /// Whose record is of this school. Rows without a record are of none.
    pub school: Option<SchoolNumber>,
}

impl TraceFilter {
    /// What is asked of the rows, as conditions on `traced_rows` and `input_files`.
    fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        if let Some(student) = self.student {
            conditions.add("traced_rows.student = :student", ":student", student.get());
        }
        if let Some(file) = &self.file {
            let named = "(name = :file OR substr(name, -length(:file) - 1) = '/' || :file)";
            conditions.add(named, ":file", file.clone());
        }
        if let Some(line) = self.line {
            let line = i64::try_from(line).unwrap_or(i64::MAX);
            conditions.add("traced_rows.id = (input_files.id << 40) + :line", ":line", line);
        }
        if let Some(day) = self.day {
            conditions.add("day = :day", ":day", day.to_string());
        }
        if let Some(row) = self.row {
            conditions.add("traced_rows.id = :row", ":row", row.id());
        }
        if let Some(sha256) = &self.sha256 {
            conditions.add("sha256 = :sha256", ":sha256", sha256.clone());
        }
        if let Some(source) = self.source {
            // Not by the index of sources: its files are not in the order of reading.
            conditions.add("+source = :source", ":source", source.as_str().to_owned());
        }
        if let Some(fate) = self.fate {
            conditions.add("traced_rows.fate = :fate", ":fate", fate.rank());
        }
        if let Some(school) = self.school {
            conditions.add("traced_rows.school = :school", ":school", school.get());
        }
        conditions
    }

    /// Whether it is about the files the rows came in.
    const fn is_about_files(&self) -> bool {
        self.file.is_some() || self.day.is_some() || self.sha256.is_some() || self.source.is_some()
    }
}

/// Files, and their lines in each.
const BY_FILE: &str = "input_files CROSS JOIN traced_rows
    ON traced_rows.id BETWEEN input_files.id << 40 AND ((input_files.id + 1) << 40) - 1";

/// Lines, and the file of each.
const BY_LINE: &str = "traced_rows CROSS JOIN input_files ON input_files.id = traced_rows.id >> 40";

/// Conditions of a statement, with their values.
#[derive(Default)]
struct Conditions {
    all: Vec<&'static str>,
    values: Vec<(&'static str, Value)>,
}

impl Conditions {
    fn add(&mut self, condition: &'static str, name: &'static str, value: impl Into<Value>) {
        self.all.push(condition);
        self.values.push((name, value.into()));
    }

    /// What stands behind WHERE.
    fn text(&self) -> String {
        if self.all.is_empty() { "true".to_owned() } else { self.all.join(" AND ") }
    }

    fn values(&self) -> Vec<(&str, &dyn ToSql)> {
        self.values.iter().map(|(name, value)| (*name, value as &dyn ToSql)).collect()
    }
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedLine {
    /// Whose file.
    pub source: Source,
    /// Its name there.
    pub file: String,
    /// SHA-256 of its content, lower-case hexadecimal; empty where it is not known any more.
    pub sha256: String,
    /// When the file was read first.
    pub first_read: DateTime<Utc>,
    /// The line, from 1.
    pub line: u64,
}

/// A row and everything that happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedRow {
    /// Where it came.
    pub at: TracedLine,
    /// The line that had brought the same row before, if this one only repeats it.
    pub repeats: Option<TracedLine>,
    /// The student it names, if that could be read.
    pub student_number: Option<StudentNumber>,
    /// The row as it came; empty where it is not kept any more.
    pub raw: String,
    /// What it has come to.
    pub fate: RowFate,
    /// What happened to it, and to the row it repeats, in order.
    pub events: Vec<RowEvent>,
}

/// Something that happened to a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// The run it happened in; `None` where a person did it.
    pub run: Option<RunId>,
    /// What.
    pub kind: RowEventKind,
    /// Why: a stable code; empty for none.
    pub code: String,
    /// What exactly; may name what is in the row.
    pub detail: String,
    /// The record it is about, if that is known and still kept.
    pub record: Option<EventRecord>,
    /// The held row it is about, if so.
    pub held: Option<HeldId>,
}

/// The attendance record something is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// Which.
    pub key: AttendanceKey,
    /// The code that is written.
    pub code: String,
    /// The code that stood there before; `None` where there was none.
    pub previous_code: Option<String>,
}

/// A file's rows and what they have come to. `rows` is the sum of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFates {
    /// Whose file.
    pub source: Source,
    /// Its name there.
    pub file: String,
    /// SHA-256 of its content, lower-case hexadecimal; empty where it is not known any more.
    pub sha256: String,
    /// Rows in it.
    pub rows: u64,
    /// Rows whose record is on its way.
    pub open: u64,
    /// Rows whose record stands in PowerSchool.
    pub written: u64,
    /// Rows without consequence, those that only repeat another one among them.
    pub noop: u64,
    /// Rows kept for a person.
    pub held: u64,
    /// Malformed rows.
    pub rejected: u64,
}

impl Ledger {
    /// Rows with what became of them, latest file first and within it last line first, and how many there are in all.
    /// At most [`TRACED_AT_ONCE`].
    pub fn trace(
        &self,
        filter: &TraceFilter,
        limit: u32,
        offset: u32,
    ) -> Result<(u64, Vec<TracedRow>), StoreError> {
        let connection = self.lock();
        // What leads to few rows comes first.
        let of_few = filter.student.is_some() || filter.row.is_some();
        let from = if !of_few && filter.is_about_files() { BY_FILE } else { BY_LINE };
        let conditions = filter.conditions();
        let only = conditions.text();
        let mut values = conditions.values();
        let total: i64 = connection
            .prepare_cached(&format!("SELECT count(*) FROM {from} WHERE {only}"))?
            .query_row(values.as_slice(), |row| row.get(0))?;
        let limit = limit.min(TRACED_AT_ONCE);
        values.push((":limit", &limit));
        values.push((":offset", &offset));
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {READ_COLUMNS} FROM {from} WHERE {only} ORDER BY traced_rows.id DESC LIMIT :limit OFFSET :offset"
        ))?;
        let mut rows = statement.query(values.as_slice())?;
        let mut traced = Vec::new();
        while let Some(row) = rows.next()? {
            traced.push(read(&connection, row)?);
        }
        Ok((total.unsigned_abs(), traced))
    }

    /// How many rows of a source were read first on each day of the district, latest day first: `at_most` days, the one
    /// named among them or not, and none after it. A row that repeats another one does not count.
    pub fn rows_by_day(
        &self,
        source: Source,
        until: NaiveDate,
        at_most: u32,
    ) -> Result<Vec<(NaiveDate, u64)>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "WITH days AS (
                 SELECT DISTINCT day FROM input_files WHERE source = ?1 AND day <= ?2 ORDER BY day DESC LIMIT ?3)
             SELECT day, count(traced_rows.id) FROM days CROSS JOIN input_files USING (day) CROSS JOIN traced_rows
                 ON traced_rows.id BETWEEN input_files.id << 40 AND ((input_files.id + 1) << 40) - 1
             WHERE source = ?1 AND repeats IS NULL GROUP BY day ORDER BY day DESC",
        )?;
        let mut rows = statement.query(params![source.as_str(), until.to_string(), at_most])?;
        let mut days = Vec::new();
        while let Some(row) = rows.next()? {
            let day: String = row.get(0)?;
            let day = day.parse().map_err(|_| StoreError::unreadable("input_files.day"))?;
            days.push((day, row.get::<_, i64>(1)?.unsigned_abs()));
        }
        Ok(days)
    }

    /// What the rows of the files have come to that were read first on a day of the district, file by file in the order
    /// of reading.
    pub fn fates_on(&self, day: NaiveDate) -> Result<Vec<FileFates>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "WITH fates AS (
                 SELECT input_files.id AS file,
                     (SELECT fate FROM row_events WHERE traced = traced_rows.id ORDER BY seq DESC LIMIT 1) AS fate
                 FROM input_files CROSS JOIN traced_rows
                     ON traced_rows.id BETWEEN input_files.id << 40 AND ((input_files.id + 1) << 40) - 1
                 WHERE day = ?1)
             SELECT source, name, sha256, row_count, count(fate), count(*) FILTER (WHERE fate = 'open'),
                 count(*) FILTER (WHERE fate = 'written'), count(*) FILTER (WHERE fate = 'noop'),
                 count(*) FILTER (WHERE fate = 'held'), count(*) FILTER (WHERE fate = 'rejected')
             FROM input_files LEFT JOIN fates ON file = id
             WHERE day = ?1 GROUP BY id ORDER BY id",
        )?;
        let mut rows = statement.query([day.to_string()])?;
        let mut files = Vec::new();
        while let Some(row) = rows.next()? {
            let count = |index: usize| row.get::<_, i64>(index).map(i64::unsigned_abs);
            let kept = count(4)?;
            // What is not kept row by row repeats what had been stated before.
            let counted = count(3)?.saturating_sub(kept);
            files.push(FileFates {
                source: outbox::source(row, 0)?,
                file: row.get(1)?,
                sha256: content_hash(row.get(2)?),
                rows: kept + counted,
                open: count(5)?,
                written: count(6)?,
                noop: count(7)? + counted,
                held: count(8)?,
                rejected: count(9)?,
            });
        }
        Ok(files)
    }
}

/// A column that names a fate.
fn fate(row: &Row<'_>, index: usize) -> Result<RowFate, StoreError> {
    let name = row.get_ref(index)?.as_str().ok();
    RowFate::ALL
        .into_iter()
        .find(|known| Some(known.as_str()) == name)
        .ok_or_else(|| StoreError::unreadable("row_events.fate"))
}

/// The hash of a content; nothing of a file that is only known by the run that read it.
fn content_hash(sha256: String) -> String {
    if sha256.starts_with("run-") { String::new() } else { sha256 }
}

/// The columns [`read`] reads.
const READ_COLUMNS: &str =
    "traced_rows.id, source, name, sha256, first_read, row_hash, student_number, repeats";

fn read(connection: &Connection, row: &Row<'_>) -> Result<TracedRow, StoreError> {
    let id: i64 = row.get(0)?;
    let source = outbox::source(row, 1)?;
    let repeats: Option<i64> = row.get(7)?;
    let at = TracedLine {
        source,
        file: row.get(2)?,
        sha256: content_hash(row.get(3)?),
        first_read: to_instant(row.get(4)?)?,
        line: (id % LINES).unsigned_abs(),
    };
    let row_hash: Vec<u8> = row.get(5)?;
    let mut raw = String::new();
    let (mut events, fate) = events(connection, id, &mut raw)?;
    let mut before = None;
    if let Some(repeats) = repeats {
        before = line(connection, repeats)?;
        let (mut earlier, _) = self::events(connection, repeats, &mut raw)?;
        earlier.append(&mut events);
        // What happened at the same time stays in this order.
        earlier.sort_by_key(|event| event.at);
        events = earlier;
    }
    if raw.is_empty() {
        // A malformed row is kept with its decision.
        let kept: Option<Option<String>> = connection
            .prepare_cached("SELECT raw FROM decisions WHERE source = ?1 AND row_hash = ?2")?
            .query_row(params![source.as_str(), row_hash], |row| row.get(0))
            .optional()?;
        raw = kept.flatten().unwrap_or_default();
    }
    Ok(TracedRow {
        at,
        repeats: before,
        student_number: row.get::<_, Option<i64>>(6)?.map(StudentNumber::new),
        raw,
        fate,
        events,
    })
}

/// A line, unless it is forgotten.
fn line(connection: &Connection, id: i64) -> Result<Option<TracedLine>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT source, name, sha256, first_read FROM traced_rows JOIN input_files ON input_files.id = traced_rows.id >> 40
         WHERE traced_rows.id = ?1",
    )?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(TracedLine {
        source: outbox::source(row, 0)?,
        file: row.get(1)?,
        sha256: content_hash(row.get(2)?),
        first_read: to_instant(row.get(3)?)?,
        line: (id % LINES).unsigned_abs(),
    }))
}

/// What happened at a line, in order, and what the row has come to. Fills in the row as it came, if it is found.
fn events(
    connection: &Connection,
    traced: i64,
    raw: &mut String,
) -> Result<(Vec<RowEvent>, RowFate), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT row_events.at, row_events.run, what, row_events.code, row_events.detail, fate, sent_at, outbox.id,
             outbox.undoes IS NOT NULL, outbox.state = 'sending', outbox.changed_at, outbox.raw, held_rows.raw,
             held_rows.id
         FROM row_events LEFT JOIN outbox ON outbox.id = row_events.outbox
             LEFT JOIN held_rows ON held_rows.id = row_events.held
         WHERE row_events.traced = ?1 ORDER BY seq",
    )?;
    let mut rows = statement.query([traced])?;
    let mut events = Vec::new();
    let mut last = RowFate::Noop;
    // The write that is with PowerSchool now.
    let mut sending = None;
    while let Some(row) = rows.next()? {
        let at = to_instant(row.get(0)?)?;
        let (is_undo, is_sending) =
            (row.get::<_, Option<bool>>(8)? == Some(true), row.get::<_, Option<bool>>(9)? == Some(true));
        let record = match row.get::<_, Option<i64>>(7)? {
            Some(id) => outbox::record(connection, OutboxId(id))?,
            None => None,
        };
        let sent = |at: DateTime<Utc>, record: Option<EventRecord>| {
            let kind = if is_undo { RowEventKind::UndoSent } else { RowEventKind::Sent };
            let run = run_at(connection, at)?;
            Ok::<_, StoreError>(RowEvent {
                at,
                run,
                kind,
                code: String::new(),
                detail: String::new(),
                record,
                held: None,
            })
        };
        if let Some(sent_at) = row.get::<_, Option<i64>>(6)? {
            events.push(sent(to_instant(sent_at)?, record.clone())?);
        }
        sending = match row.get::<_, Option<i64>>(10)? {
            Some(changed_at) if is_sending => Some(sent(to_instant(changed_at)?, record.clone())?),
            _ => None,
        };
        let came: Option<String> = match row.get::<_, Option<String>>(11)? {
            Some(raw) if !raw.is_empty() => Some(raw),
            _ => row.get(12)?,
        };
        if raw.is_empty() {
            *raw = came.unwrap_or_default();
        }
        last = fate(row, 5)?;
        events.push(RowEvent {
            at,
            run: row.get(1)?,
            kind: kind(row, 2)?,
            code: row.get(3)?,
            detail: row.get(4)?,
            record,
            held: row.get::<_, Option<i64>>(13)?.map(HeldId),
        });
    }
    events.extend(sending);
    Ok((events, last))
}

fn kind(row: &Row<'_>, index: usize) -> Result<RowEventKind, StoreError> {
    let name = row.get_ref(index)?.as_str().ok();
    RowEventKind::ALL
        .iter()
        .copied()
        .find(|known| Some(known.as_str()) == name)
        .ok_or_else(|| StoreError::unreadable("row_events.what"))
}

/// The run that was under way at a time.
fn run_at(connection: &Connection, at: DateTime<Utc>) -> Result<Option<RunId>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT id FROM runs WHERE id < ?1 AND trigger <> 'dry_run' AND started_at <= ?2 ORDER BY id DESC LIMIT 1",
        )?
        .query_row(params![RunId::first_at(at + chrono::TimeDelta::milliseconds(1)), from_instant(at)], |row| {
            row.get(0)
        })
        .optional()?)
}
