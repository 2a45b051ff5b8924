//! Records made into rows, counted and handed over.

use std::cmp::Ordering;

use tokio::sync::mpsc;

use super::{BATCH, Batch};
use crate::{
    error::{AnswerProblem, Error},
    records::{self, FieldError, Fields, Records},
    roster::RosterRow,
    shape::Shape,
};

/// Why the reading of an answer stopped: its outer shape, or a row in it.
pub(super) enum Broken {
    Shape(AnswerProblem),
    Row(Error),
}

impl From<AnswerProblem> for Broken {
    fn from(problem: AnswerProblem) -> Self {
        Self::Shape(problem)
    }
}

impl Broken {
    pub(super) fn into_error(self, path: &str) -> Error {
        match self {
            Self::Shape(problem) => Error::unexpected(path, problem),
            Self::Row(error) => error,
        }
    }
}

/// Turns records into rows and counts the distinct ones.
pub(super) struct RowReader<R: RosterRow> {
    /// What is read, for messages.
    source: &'static str,
    pub(super) rows: Vec<R>,
    last_key: Option<R::Key>,
    /// The keys of rows that came through another filter of the table, in order.
    elsewhere: Vec<R::Key>,
    /// The keys of these rows, if they are kept for another filter.
    pub(super) kept: Option<Vec<R::Key>>,
    /// Whether rows have to come in the order of their keys.
    ordered: bool,
    pub(super) distinct: u64,
    /// Records of earlier pages.
    pub(super) first_record: u64,
    pub(super) records: u64,
    /// Records there may be.
    pub(super) most: u64,
    /// Columns that the first record has to have.
    pub(super) wanted: Vec<&'static str>,
    /// Those of them that it does not have.
    pub(super) absent: Vec<&'static str>,
    /// That of the last record that was read by itself.
    shape: Option<Shape>,
}

impl<R: RosterRow> Records for RowReader<R> {
    type Error = Broken;

    fn begins(&mut self, bytes: &[u8]) -> Result<Option<usize>, Broken> {
        let read = self.shape.as_ref().and_then(|shape| shape.read(bytes, R::read));
        read.map(|(length, row)| self.read(row).map(|()| length)).transpose()
    }

    fn complete(&mut self, record: &[u8]) -> Result<(), Broken> {
        if self.records == 0 && !self.wanted.is_empty() {
            self.absent = records::absent(record, &self.wanted);
        }
        self.read(Fields::of_record(record, R::TABLE.columns, R::read))?;
        self.shape = Shape::of(record, R::TABLE.columns);
        Ok(())
    }
}

impl<R: RosterRow> RowReader<R> {
    pub(super) const fn new(source: &'static str) -> Self {
        Self {
            source,
            rows: Vec::new(),
            last_key: None,
            elsewhere: Vec::new(),
            kept: None,
            ordered: true,
            distinct: 0,
            first_record: 0,
            records: 0,
            most: u64::MAX,
            wanted: Vec::new(),
            absent: Vec::new(),
            shape: None,
        }
    }

    /// Takes rows in any order. Who reads them sees to it that none comes twice then.
    pub(super) fn in_any_order(self) -> Self {
        Self { ordered: false, ..self }
    }

    /// Takes no row that came through another filter before, and keeps the keys for the next one.
    pub(super) fn besides(self, elsewhere: Vec<R::Key>, keep: bool) -> Self {
        Self { elsewhere, kept: keep.then(Vec::new), ..self }
    }

    /// Looks for columns in the first record.
    pub(super) fn expecting(self, wanted: Vec<&'static str>) -> Self {
        Self { wanted, ..self }
    }

    fn read(&mut self, row: Result<R, FieldError>) -> Result<(), Broken> {
        self.records += 1;
        // Held in memory: a server that ignores the size it is asked for must not fill it.
        if self.records > self.most {
            return Err(Broken::Row(Error::unexpected(self.source, AnswerProblem::TooLarge)));
        }
        let row = row.map_err(|source| {
            let record = self.first_record + self.records;
            Broken::Row(Error::BadRecord { query: self.source.to_owned(), record, source })
        })?;
        self.take(row).map_err(Broken::Row)
    }

    /// Adds a row. Sorted by a unique key, a row that comes twice comes right after itself, and is left out: the
    /// counts then tell that another one is missing. So is one that went from another filter to this one.
    pub(super) fn take(&mut self, row: R) -> Result<(), Error> {
        let key = row.key();
        match self.last_key.as_ref().and_then(|last| last.partial_cmp(&key)) {
            Some(Ordering::Equal) => return Ok(()),
            Some(Ordering::Greater) if self.ordered => {
                return Err(Error::unexpected(self.source, AnswerProblem::OutOfOrder));
            }
            Some(Ordering::Less | Ordering::Greater) | None => {}
        }
        let order = |other: &R::Key| other.partial_cmp(&key).unwrap_or(Ordering::Less);
        if self.elsewhere.binary_search_by(order).is_ok() {
            return Ok(());
        }
        if let Some(kept) = &mut self.kept {
            kept.push(row.key());
        }
        self.last_key = Some(key);
        self.distinct += 1;
        self.rows.push(row);
        Ok(())
    }

    /// Hands rows over in batches, as long as at least `least` of them are together.
    pub(super) async fn hand_over(
        &mut self,
        sink: &mpsc::Sender<Batch<R>>,
        least: usize,
    ) -> Result<(), Error> {
        while self.rows.len() >= least {
            let rest = self.rows.split_off(self.rows.len().min(BATCH));
            let batch = std::mem::replace(&mut self.rows, rest);
            sink.send(Batch::Rows(batch)).await.map_err(|_| Error::Stopped)?;
        }
        Ok(())
    }
}
