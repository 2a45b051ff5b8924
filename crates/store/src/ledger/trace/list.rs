//! Traced rows as a list: in an order, page by page, from wherever a page has ended.
//!
//! A page begins behind the last row of the one before, not after so many rows: what is added meanwhile moves nothing. A
//! list without a file or a day is walked along an index in its order, unless only few rows can be in it; one with them is as
//! long as the rows of these files.

use rosterbridge_domain::id::SchoolNumber;
use rusqlite::{Connection, OptionalExtension, ToSql, params};

use super::{
    BY_FILE, BY_LINE, Conditions, LINES, READ_COLUMNS, RowFate, TRACED_AT_ONCE, TraceFilter, TracedRow, read,
};
use crate::{
    ProfileKeyBytes, StoreError,
    database::{self, Access, signed},
    ledger::Ledger,
};

/// As many rows of a fate or a school are put in order in memory. Walked along the index of an order, a page of so few would
/// be far apart: of a million rows a hundred of them are found after ten thousand others.
const FEW_ROWS: u32 = 10_000;

/// A row's place among all: in the order in which the files were read first, and within a file by its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowPlace {
    /// The number of its file, from 1.
    pub file: i64,
    /// The line, from 1.
    pub line: u64,
}

impl RowPlace {
    pub(super) fn id(self) -> i64 {
        // A place that can't be is behind all others.
        self.file.saturating_mul(LINES).saturating_add(signed(self.line).min(LINES - 1))
    }

    const fn of(id: i64) -> Self {
        Self { file: id >> 40, line: (id % LINES).unsigned_abs() }
    }
}

/// What rows are put in order by. Where it is the same, the order of reading decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowColumn {
    /// The order of reading.
    Read,
    /// The student's number; rows without one are before the first.
    Student,
    /// What it has come to: held, rejected, open, written, nothing to do.
    Fate,
    /// The school of its record; rows without one are before the first.
    School,
}

impl RowColumn {
    const fn column(self) -> &'static str {
        match self {
            Self::Read => "0",
            Self::Student => "traced_rows.student",
            Self::Fate => "traced_rows.fate",
            Self::School => "traced_rows.school",
        }
    }

    const fn index(self) -> Option<&'static str> {
        match self {
            Self::Read => None,
            Self::Student => Some("traced_rows_by_student"),
            Self::Fate => Some("traced_rows_by_fate"),
            Self::School => Some("traced_rows_by_school"),
        }
    }
}

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowOrder {
    /// By what.
    pub by: RowColumn,
    /// Whether the last comes first.
    pub descending: bool,
}

/// A place in a list: right behind a row, whether or not that is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowCursor {
    /// What the row had in the column of the order; 0 in the order of reading.
    pub key: i64,
    /// The row.
    pub row: RowPlace,
}

/// A row of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRow {
    /// The place right behind it.
    pub cursor: RowCursor,
    /// The school of its record, if it has one.
    pub school: Option<SchoolNumber>,
    /// The row, with everything that happened to it.
    pub row: TracedRow,
}

impl Ledger {
    /// A page of a list: behind `after`, or from the beginning, and from there after `skip` more; at most
    /// [`TRACED_AT_ONCE`]. `until`: rows behind this place, in the order of reading, are left out, so that a list stays
    /// what it was while more is read.
    pub fn listed_rows(
        &self,
        filter: &TraceFilter,
        order: RowOrder,
        until: Option<RowPlace>,
        after: Option<RowCursor>,
        skip: u32,
        limit: u32,
    ) -> Result<Vec<ListedRow>, StoreError> {
        listed_rows(&self.lock(), filter, order, until, after, skip, limit)
    }

    /// The lists as they are at this moment, whatever happens meanwhile: for whoever reads one to its end. `key` is the
    /// ledger's. Nobody waits for whoever reads, but the ledger's log grows until that one is done.
    pub fn row_snapshot(&self, key: &ProfileKeyBytes) -> Result<RowSnapshot, StoreError> {
        let connection = database::connect(&self.path, key, Access::Read)?;
        // The first read is what holds the moment.
        connection.execute_batch("BEGIN; SELECT 1 FROM traced_rows LIMIT 1;")?;
        Ok(RowSnapshot { connection })
    }

    /// How many rows there are of a list.
    pub fn listed_row_count(&self, filter: &TraceFilter) -> Result<u64, StoreError> {
        let connection = self.lock();
        let conditions = filter.conditions();
        let only = conditions.text();
        let from = from(filter, RowOrder { by: RowColumn::Read, descending: true }, None);
        let count: i64 = connection
            .prepare_cached(&format!("SELECT count(*) FROM {from} WHERE {only}"))?
            .query_row(conditions.values().as_slice(), |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// The last place there is, in the order of reading; `None` where nothing was read.
    pub fn last_row_place(&self) -> Result<Option<RowPlace>, StoreError> {
        let connection = self.lock();
        let last: Option<i64> = connection
            .prepare_cached("SELECT id FROM traced_rows ORDER BY id DESC LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(last.map(RowPlace::of))
    }
}

/// The lists of one moment: see [`Ledger::row_snapshot`].
pub struct RowSnapshot {
    connection: Connection,
}

impl RowSnapshot {
    /// A page of a list: behind `after`, or from the beginning; at most [`TRACED_AT_ONCE`].
    pub fn listed_rows(
        &self,
        filter: &TraceFilter,
        order: RowOrder,
        after: Option<RowCursor>,
        limit: u32,
    ) -> Result<Vec<ListedRow>, StoreError> {
        listed_rows(&self.connection, filter, order, None, after, 0, limit)
    }
}

fn listed_rows(
    connection: &Connection,
    filter: &TraceFilter,
    order: RowOrder,
    until: Option<RowPlace>,
    after: Option<RowCursor>,
    skip: u32,
    limit: u32,
) -> Result<Vec<ListedRow>, StoreError> {
    let (text, conditions) = statement(filter, order, until, after, few(connection, filter, order)?);
    let limit = limit.min(TRACED_AT_ONCE);
    let mut values = conditions.values();
    let rest: [(&str, &dyn ToSql); 2] = [(":limit", &limit), (":skip", &skip)];
    values.extend(rest);
    let found: Vec<(i64, i64, i64)> = connection
        .prepare_cached(&text)?
        .query_map(values.as_slice(), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    found.into_iter().map(|found| listed(connection, found)).collect()
}

/// What a list is restricted to that few rows have: they are found by that, and put in order then.
fn few(
    connection: &Connection,
    filter: &TraceFilter,
    order: RowOrder,
) -> Result<Option<RowColumn>, StoreError> {
    let fate = filter.fate.map(|fate| (RowColumn::Fate, fate.rank()));
    let school = filter.school.map(|school| (RowColumn::School, school.get()));
    let mut fewest = None;
    for (by, value) in [fate, school].into_iter().flatten() {
        let Some(index) = by.index() else { continue };
        if order.by == RowColumn::Read || by == order.by {
            continue;
        }
        let rows: u32 = connection
            .prepare_cached(&format!(
                "SELECT count(*) FROM (SELECT 1 FROM traced_rows INDEXED BY {index} WHERE {} = ?1 LIMIT ?2)",
                by.column()
            ))?
            .query_row(params![value, FEW_ROWS + 1], |row| row.get(0))?;
        if rows <= FEW_ROWS && fewest.is_none_or(|(_, others)| rows < others) {
            fewest = Some((by, rows));
        }
    }
    Ok(fewest.map(|(by, _)| by))
}

/// The statement that finds the rows of a page, without its `:limit` and `:skip`: a row's number, its key and its school.
/// Rows that are skipped are not looked at.
fn statement(
    filter: &TraceFilter,
    order: RowOrder,
    until: Option<RowPlace>,
    after: Option<RowCursor>,
    few: Option<RowColumn>,
) -> (String, Conditions) {
    let mut conditions = filter.conditions();
    let from = from(filter, order, few);
    let by_file = order.by == RowColumn::Read && from == BY_FILE;
    let (direction, is_behind) = if order.descending { ("DESC", '<') } else { ("ASC", '>') };
    let key = order.by.column();
    if let Some(until) = until {
        conditions.add("traced_rows.id <= :until", ":until", until.id());
    }
    if let Some(after) = after {
        if order.by == RowColumn::Read {
            let behind = if order.descending { "traced_rows.id < :after" } else { "traced_rows.id > :after" };
            conditions.add(behind, ":after", after.row.id());
            if by_file {
                let behind = if order.descending {
                    "input_files.id <= :file_after"
                } else {
                    "input_files.id >= :file_after"
                };
                conditions.add(behind, ":file_after", after.row.file);
            }
        } else {
            conditions.values.extend([(":key", after.key.into()), (":after", after.row.id().into())]);
        }
    }
    let mut only = conditions.text();
    if after.is_some() && order.by != RowColumn::Read {
        only = format!("{only} AND ({key}, traced_rows.id) {is_behind} (:key, :after)");
    }
    let in_order = match order.by {
        RowColumn::Read if by_file => format!("input_files.id {direction}, traced_rows.id {direction}"),
        RowColumn::Read => format!("traced_rows.id {direction}"),
        RowColumn::Student | RowColumn::Fate | RowColumn::School => {
            format!("{key} {direction}, traced_rows.id {direction}")
        }
    };
    let text = format!(
        "SELECT traced_rows.id, {key}, school FROM {from} WHERE {only} ORDER BY {in_order} LIMIT :limit OFFSET :skip"
    );
    (text, conditions)
}

/// The tables a list is read from, and the way through them: that of `few`, where few rows are on it.
fn from(filter: &TraceFilter, order: RowOrder, few: Option<RowColumn>) -> String {
    if filter.student.is_none() && filter.row.is_none() {
        // Where the files are known, their rows are few; of a source they are many, and in the order of reading.
        let of_files = filter.file.is_some() || filter.day.is_some() || filter.sha256.is_some();
        if of_files || (filter.source.is_some() && order.by == RowColumn::Read && filter.school.is_none()) {
            return BY_FILE.to_owned();
        }
    }
    let column = if filter.row.is_some() {
        None
    } else if filter.student.is_some() {
        Some(RowColumn::Student)
    } else if order.by == RowColumn::Read {
        let is_rare = |fate| matches!(fate, RowFate::Held | RowFate::Rejected | RowFate::Open);
        match (filter.fate, filter.school) {
            (Some(fate), _) if is_rare(fate) => Some(RowColumn::Fate),
            (_, Some(_)) => Some(RowColumn::School),
            (Some(_), None) => Some(RowColumn::Fate),
            (None, None) => None,
        }
    } else {
        Some(few.unwrap_or(order.by))
    };
    let lines = if filter.is_about_files() || filter.line.is_some() { BY_LINE } else { "traced_rows" };
    match column.and_then(RowColumn::index) {
        Some(index) => lines.replacen("traced_rows", &format!("traced_rows INDEXED BY {index}"), 1),
        None => lines.to_owned(),
    }
}

fn listed(connection: &Connection, (id, key, school): (i64, i64, i64)) -> Result<ListedRow, StoreError> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {READ_COLUMNS} FROM {BY_LINE} WHERE traced_rows.id = ?1"))?;
    let mut rows = statement.query(params![id])?;
    let row = rows.next()?.ok_or_else(|| StoreError::unreadable("traced_rows.id"))?;
    Ok(ListedRow {
        cursor: RowCursor { key, row: RowPlace::of(id) },
        school: (school >= 0).then(|| SchoolNumber::new(school)),
        row: read(connection, row)?,
    })
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate};
    use rosterbridge_domain::{attendance::Source, id::StudentNumber};

    use super::*;

    /// A page is found along an index, and put in order in memory only among the rows of a few files or of one student, or
    /// among those of a fate or a school that few have.
    #[test]
    fn a_page_is_found_without_going_over_all_rows() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.db"), &[7; 32], DateTime::UNIX_EPOCH).unwrap();
        let connection = ledger.lock();
        let plan = |filter: &TraceFilter, order, few| {
            let after = RowCursor { key: 3, row: RowPlace { file: 2, line: 1 } };
            let (text, conditions) = statement(filter, order, Some(after.row), Some(after), few);
            let mut values = conditions.values();
            let rest: [(&str, &dyn ToSql); 2] = [(":limit", &9), (":skip", &0)];
            values.extend(rest);
            let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
            let steps = explained.query_map(values.as_slice(), |row| row.get::<_, String>(3)).unwrap();
            steps.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
        };
        let student = TraceFilter { student: Some(StudentNumber::new(5)), ..TraceFilter::default() };
        let day = TraceFilter { day: NaiveDate::from_ymd_opt(2026, 11, 20), ..TraceFilter::default() };
        let held = TraceFilter { fate: Some(RowFate::Held), ..TraceFilter::default() };
        let school = TraceFilter { school: Some(SchoolNumber::new(1)), ..held.clone() };
        let source = TraceFilter { source: Some(Source::Hero), ..TraceFilter::default() };
        for by in [RowColumn::Read, RowColumn::Student, RowColumn::Fate, RowColumn::School] {
            for descending in [true, false] {
                let order = RowOrder { by, descending };
                for (filter, column) in [(&held, RowColumn::Fate), (&school, RowColumn::School)] {
                    let known = few(&connection, filter, order).unwrap();
                    let is_sought = known.is_some();
                    assert_eq!(is_sought, by != RowColumn::Read && (filter == &school || by != column));
                    let Some(few) = known else { continue };
                    let steps = plan(filter, order, Some(few));
                    let index = few.index().unwrap();
                    assert!(steps.contains(&format!("USING INDEX {index}")), "{filter:?} {order:?}: {steps}");
                }
                for filter in [&TraceFilter::default(), &student, &day, &held, &school, &source] {
                    let steps = plan(filter, order, None);
                    assert!(!steps.contains("SCAN traced_rows"), "{filter:?} {order:?}: {steps}");
                    let few = filter.student.is_some() || filter.day.is_some();
                    let sorts = steps.contains("TEMP B-TREE");
                    assert!(!sorts || (few && by != RowColumn::Read), "{filter:?} {order:?}: {steps}");
                }
            }
        }
    }
}
