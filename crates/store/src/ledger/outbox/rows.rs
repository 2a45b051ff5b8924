//! Attendance writes as rows of the ledger.

use chrono::{DateTime, NaiveDateTime, Utc};
use rosterbridge_domain::{
    attendance::{AttendanceKey, AttendanceWrite, Meeting, MeetingTimes, Source},
    id::{
        AttendanceCodeId, AttendanceDcid, CalendarDayId, CcId, PeriodId, SchoolNumber, StudentId,
        StudentNumber, YearId,
    },
};
use rusqlite::{Connection, Row, params};

use super::{OutboxId, OutboxRow, OutboxState, RowHash};
use crate::{
    StoreError,
    database::{from_instant, signed, to_date, to_instant},
    ledger::{
        RunId,
        trace::{EventRecord, TracedId},
    },
};

/// A record's key as columns.
pub(super) struct KeyColumns {
    pub(super) school: i64,
    pub(super) student: i64,
    pub(super) date: String,
    pub(super) mode: &'static str,
    pub(super) cc: i64,
    pub(super) period: i64,
}

impl From<&AttendanceKey> for KeyColumns {
    fn from(key: &AttendanceKey) -> Self {
        Self {
            school: key.school.get(),
            student: key.student.get(),
            date: key.date.to_string(),
            mode: key.mode().code(),
            cc: key.meeting.map_or(0, |meeting| meeting.cc.get()),
            period: key.meeting.map_or(0, |meeting| meeting.period.get()),
        }
    }
}

/// A write on its way into the outbox.
pub(super) struct NewWrite<'a> {
    pub(super) source: Source,
    pub(super) write: &'a AttendanceWrite,
    pub(super) file: &'a str,
    pub(super) line: u64,
    pub(super) row_hash: &'a RowHash,
    pub(super) raw: &'a str,
    pub(super) student_number: Option<StudentNumber>,
    pub(super) undoes: Option<OutboxId>,
    /// Where what becomes of its row is noted.
    pub(super) traced: Option<TracedId>,
    /// When what its row tells happened.
    pub(super) happened: Option<NaiveDateTime>,
    pub(super) run: RunId,
    pub(super) at: DateTime<Utc>,
}

/// Puts a write into the outbox, as the next revision of what the source states for the record.
pub(super) fn insert(connection: &Connection, new: &NewWrite<'_>) -> Result<OutboxId, StoreError> {
    let (k, write) = (KeyColumns::from(&new.write.key), new.write);
    let unsettled = connection
        .prepare_cached(
            "SELECT 1 FROM outbox WHERE school = ?1 AND student = ?2 AND date = ?3 AND mode = ?4 AND cc = ?5
                 AND period = ?6 AND state IN ('decided', 'sending', 'unknown')",
        )?
        .exists(params![k.school, k.student, k.date, k.mode, k.cc, k.period])?;
    if unsettled {
        return Err(StoreError::UnsettledWrite { line: new.line });
    }
    connection
        .prepare_cached(
            "INSERT INTO outbox (source, school, student, date, mode, cc, period, revision, state, code, code_id,
                 year, calendar_day, starts_at, ends_at, comment, replaces, previous_code, file, line, row_hash,
                 raw, student_number, run, decided_at, changed_at, previous_comment, undoes, traced, happened, follows)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
                 (SELECT coalesce(max(revision), 0) + 1 FROM outbox WHERE source = ?1 AND school = ?2
                     AND student = ?3 AND date = ?4 AND mode = ?5 AND cc = ?6 AND period = ?7),
                 'decided', ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?23, ?24,
                 ?25, ?26, ?27, (SELECT outbox FROM written WHERE school = ?2 AND student = ?3 AND date = ?4 AND mode = ?5
                     AND cc = ?6 AND period = ?7))",
        )?
        .execute(params![
            new.source.as_str(),
            k.school,
            k.student,
            k.date,
            k.mode,
            k.cc,
            k.period,
            write.code,
            write.code_id.get(),
            write.year.get(),
            write.calendar_day.get(),
            write.times.map(|times| times.start),
            write.times.map(|times| times.end),
            write.comment,
            write.replaces.map(AttendanceDcid::get),
            write.previous_code,
            new.file,
            signed(new.line),
            new.row_hash,
            new.raw,
            new.student_number.map(StudentNumber::get),
            new.run,
            from_instant(new.at),
            write.previous_comment,
            new.undoes.map(|id| id.0),
            new.traced,
            new.happened.map(local_time),
        ])?;
    Ok(OutboxId(connection.last_insert_rowid()))
}

/// A local time as the ledger keeps it.
pub(super) fn local_time(time: NaiveDateTime) -> i64 {
    from_instant(time.and_utc())
}

/// The record a write is about, if the write is still kept.
pub(in crate::ledger) fn record(
    connection: &Connection,
    id: OutboxId,
) -> Result<Option<EventRecord>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM outbox WHERE id = ?1"))?;
    let mut rows = statement.query([id.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let write = read(row)?.write;
    Ok(Some(EventRecord { key: write.key, code: write.code, previous_code: write.previous_code }))
}

/// The columns [`read`] reads.
pub(super) const COLUMNS: &str = "id, source, school, student, date, cc, period, revision, state, code, code_id, year, \
                       calendar_day, starts_at, ends_at, comment, replaces, previous_code, file, line, row_hash, \
                       student_number, run, reason, decided_at, changed_at, previous_comment, undoes";

/// The first place after these.
pub(super) const BESIDE: usize = 28;

/// Reads [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> Result<OutboxRow, StoreError> {
    let cc: i64 = row.get(5)?;
    let times = match (row.get(13)?, row.get(14)?) {
        (Some(start), Some(end)) => Some(MeetingTimes { start, end }),
        _ => None,
    };
    Ok(OutboxRow {
        id: OutboxId(row.get(0)?),
        source: source(row, 1)?,
        revision: row.get(7)?,
        state: state(row, 8)?,
        write: AttendanceWrite {
            key: AttendanceKey {
                school: SchoolNumber::new(row.get(2)?),
                student: StudentId::new(row.get(3)?),
                date: to_date(&row.get::<_, String>(4)?)?,
                meeting: if cc == 0 {
                    None
                } else {
                    Some(Meeting { cc: CcId::new(cc), period: PeriodId::new(row.get(6)?) })
                },
            },
            code: row.get(9)?,
            code_id: AttendanceCodeId::new(row.get(10)?),
            year: YearId::new(row.get(11)?),
            calendar_day: CalendarDayId::new(row.get(12)?),
            times,
            comment: row.get(15)?,
            replaces: row.get::<_, Option<i64>>(16)?.map(AttendanceDcid::new),
            previous_code: row.get(17)?,
            previous_comment: row.get(26)?,
        },
        file: row.get(18)?,
        line: row.get::<_, i64>(19)?.unsigned_abs(),
        row_hash: row.get(20)?,
        student_number: row.get::<_, Option<i64>>(21)?.map(StudentNumber::new),
        run: row.get(22)?,
        reason: row.get(23)?,
        decided_at: to_instant(row.get(24)?)?,
        changed_at: to_instant(row.get(25)?)?,
        undoes: row.get::<_, Option<i64>>(27)?.map(OutboxId),
    })
}

/// Reads a column that names a write's state.
pub(in crate::ledger) fn state(row: &Row<'_>, index: usize) -> Result<OutboxState, StoreError> {
    let name = row.get_ref(index)?.as_str().ok();
    OutboxState::ALL
        .into_iter()
        .find(|known| Some(known.as_str()) == name)
        .ok_or_else(|| StoreError::unreadable("outbox.state"))
}

/// Reads a column that names a source.
pub(in crate::ledger) fn source(row: &Row<'_>, index: usize) -> Result<Source, StoreError> {
    let name = row.get_ref(index)?.as_str().ok();
    [Source::Hero, Source::Raptor]
        .into_iter()
        .find(|source| Some(source.as_str()) == name)
        .ok_or_else(|| StoreError::unreadable("a source"))
}
