//! Reading one table: through our query in one streamed answer, or page by page where the plugin has no queries.

use std::{cmp::Ordering, marker::PhantomData};

use futures_util::{StreamExt, stream};
use reqwest::Response;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::{
    client::{Client, Pulled},
    error::{AnswerProblem, Error},
    json::CountAnswer,
    records::{FieldError, Fields, RecordSplitter, Records},
    roster::{Narrowed, RosterRow},
    shape::Shape,
    tables::Table,
    transport::{Call, Transport},
};

/// Rows handed over at once.
const BATCH: usize = 1_000;

/// Pages asked for at the same time.
const PAGES_IN_FLIGHT: usize = 4;

/// One table, narrowed, about to be read.
pub(crate) struct Pull<'a, R> {
    client: &'a Client,
    transport: &'a Transport,
    table: &'static Table,
    narrowed: Narrowed<'a>,
    rows: PhantomData<fn() -> R>,
}

impl<'a, R: RosterRow> Pull<'a, R> {
    pub(crate) fn new(client: &'a Client, transport: &'a Transport, narrowed: Narrowed<'a>) -> Self {
        Self { client, transport, table: R::TABLE, narrowed, rows: PhantomData }
    }

    pub(crate) async fn run(&self, sink: &mpsc::Sender<Vec<R>>) -> Result<Pulled, Error> {
        match self.count().await {
            Ok(before) => self.run_query(before, sink).await,
            Err(Error::NoQueries { query }) => {
                tracing::info!(query, "the plugin lacks the query: reading the table page by page");
                self.run_table(sink).await
            }
            Err(other) => Err(other),
        }
    }

    /// How many rows our query has now.
    pub(crate) async fn count(&self) -> Result<u64, Error> {
        let path = format!("/ws/schema/query/{}/count", self.table.query);
        let call = Call::post(path, Value::Object(self.narrowed.arguments(self.table.limit)));
        counted(&call, &self.transport.ask(&call).await.map_err(|error| self.without_query(error))?)
    }

    async fn run_query(&self, before: u64, sink: &mpsc::Sender<Vec<R>>) -> Result<Pulled, Error> {
        let mut reader = RowReader::new(self.table.query);
        let mut bytes = 0;
        // PowerSchool: 0 sends every row in one answer.
        self.query_page(None, &mut reader, &mut bytes, sink).await?;
        // A server that limits even that one is asked for the other pages of the size it gave.
        let page_size = reader.records;
        let mut page = 2;
        while page_size > 0 && reader.records < before && reader.records == (page - 1) * page_size {
            self.query_page(Some((page, page_size)), &mut reader, &mut bytes, sink).await?;
            page += 1;
        }
        reader.hand_over(sink, 1).await?;
        let pulled = Pulled { rows: reader.distinct, bytes };
        // One answer is one moment's state, and a day's attendance is asked for while teachers record it: that one
        // came to whole is enough. Fewer rows than counted may be a limit, though, and twice the same are no state.
        let whole = page == 2 && reader.distinct == reader.records && reader.distinct >= before;
        if whole && matches!(self.narrowed, Narrowed::SchoolDay(..)) {
            return Ok(pulled);
        }
        self.agree(before, reader.distinct, self.count().await?)?;
        Ok(pulled)
    }

    async fn query_page(
        &self,
        page: Option<(u64, u64)>,
        reader: &mut RowReader<R>,
        bytes: &mut u64,
        sink: &mpsc::Sender<Vec<R>>,
    ) -> Result<(), Error> {
        let path = format!("/ws/schema/query/{}", self.table.query);
        let call = Call::post(path, Value::Object(self.narrowed.arguments(self.table.limit)));
        let call = match page {
            None => call.with("pagesize", 0),
            Some((page, size)) => call.with("page", page).with("pagesize", size),
        };
        let response =
            self.transport.ask_streaming(&call).await.map_err(|error| self.without_query(error))?;
        self.stream(&call.path, response, reader, bytes, Some(sink)).await
    }

    async fn run_table(&self, sink: &mpsc::Sender<Vec<R>>) -> Result<Pulled, Error> {
        let page_size = u64::from(self.client.metadata().await?.page_limits.table_rows);
        let mut pulled = Pulled::default();
        for filter in self.narrowed.filters(self.table.limit) {
            let before = self.count_table(&filter).await?;
            // Each filter's rows are sorted by themselves.
            let mut reader = RowReader::new(self.table.name);
            let mut pages = stream::iter(1..=before.div_ceil(page_size))
                .map(|page| self.page(&filter, page, page_size))
                .buffered(PAGES_IN_FLIGHT);
            while let Some(page) = pages.next().await {
                let page = page?;
                pulled.bytes += page.bytes;
                for row in page.rows {
                    reader.take(row)?;
                }
                reader.hand_over(sink, BATCH).await?;
            }
            drop(pages);
            reader.hand_over(sink, 1).await?;
            self.agree(before, reader.distinct, self.count_table(&filter).await?)?;
            pulled.rows += reader.distinct;
        }
        Ok(pulled)
    }

    async fn count_table(&self, filter: &str) -> Result<u64, Error> {
        let call = filtered(Call::get(format!("/ws/schema/table/{}/count", self.table.path_name())), filter);
        counted(&call, &self.transport.ask(&call).await?)
    }

    async fn page(&self, filter: &str, page: u64, page_size: u64) -> Result<Page<R>, Error> {
        let call = Call::get(format!("/ws/schema/table/{}", self.table.path_name()))
            .with("projection", self.table.columns.join(","))
            .with("page", page)
            .with("pagesize", page_size)
            .with("sort", self.table.key.join(","));
        let call = filtered(call, filter);
        let response = self.transport.ask_streaming(&call).await?;
        let mut reader = RowReader::new(self.table.name);
        reader.first_record = (page - 1) * page_size;
        let mut bytes = 0;
        self.stream(&call.path, response, &mut reader, &mut bytes, None).await?;
        Ok(Page { rows: reader.rows, bytes })
    }

    /// Reads an answer as it arrives. With a sink, full batches go there; without one the rows stay with the reader.
    async fn stream(
        &self,
        path: &str,
        response: Response,
        reader: &mut RowReader<R>,
        bytes: &mut u64,
        sink: Option<&mpsc::Sender<Vec<R>>>,
    ) -> Result<(), Error> {
        let mut splitter = RecordSplitter::new();
        let mut body = response.bytes_stream();
        while let Some(chunk) = self.transport.next_chunk(&mut body).await? {
            *bytes += chunk.len() as u64;
            splitter.push(&chunk, reader).map_err(|broken| broken.into_error(path))?;
            if let Some(sink) = sink {
                reader.hand_over(sink, BATCH).await?;
            }
        }
        splitter.finish().map_err(|problem| Error::unexpected(path, problem))
    }

    fn agree(&self, before: u64, rows: u64, after: u64) -> Result<(), Error> {
        if before == rows && rows == after {
            Ok(())
        } else {
            Err(Error::ChangedWhileReading { table: self.table.name, before, rows, after })
        }
    }

    /// A query that is not there answers 404.
    fn without_query(&self, error: Error) -> Error {
        match error {
            Error::UnexpectedAnswer { problem: AnswerProblem::Status(404), .. } => {
                Error::NoQueries { query: self.table.query.to_owned() }
            }
            other => other,
        }
    }
}

fn filtered(call: Call, filter: &str) -> Call {
    if filter.is_empty() { call } else { call.with("q", filter) }
}

fn counted(call: &Call, answer: &CountAnswer) -> Result<u64, Error> {
    answer.count().ok_or_else(|| Error::unexpected(&call.path, AnswerProblem::Missing("count")))
}

struct Page<R> {
    rows: Vec<R>,
    bytes: u64,
}

/// Why the reading of an answer stopped: its outer shape, or a row in it.
enum Broken {
    Shape(AnswerProblem),
    Row(Error),
}

impl From<AnswerProblem> for Broken {
    fn from(problem: AnswerProblem) -> Self {
        Self::Shape(problem)
    }
}

impl Broken {
    fn into_error(self, path: &str) -> Error {
        match self {
            Self::Shape(problem) => Error::unexpected(path, problem),
            Self::Row(error) => error,
        }
    }
}

/// Turns records into rows and counts the distinct ones.
struct RowReader<R: RosterRow> {
    /// What is read, for messages.
    source: &'static str,
    rows: Vec<R>,
    last_key: Option<R::Key>,
    distinct: u64,
    /// Records of earlier pages.
    first_record: u64,
    records: u64,
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
        self.read(Fields::of_record(record, R::TABLE.columns, R::read))?;
        self.shape = Shape::of(record, R::TABLE.columns);
        Ok(())
    }
}

impl<R: RosterRow> RowReader<R> {
    const fn new(source: &'static str) -> Self {
        Self {
            source,
            rows: Vec::new(),
            last_key: None,
            distinct: 0,
            first_record: 0,
            records: 0,
            shape: None,
        }
    }

    fn read(&mut self, row: Result<R, FieldError>) -> Result<(), Broken> {
        self.records += 1;
        let row = row.map_err(|source| {
            let record = self.first_record + self.records;
            Broken::Row(Error::BadRecord { query: self.source.to_owned(), record, source })
        })?;
        self.take(row).map_err(Broken::Row)
    }

    /// Adds a row. Sorted by a unique key, a row that comes twice comes right after itself, and is left out: the
    /// counts then tell that another one is missing.
    fn take(&mut self, row: R) -> Result<(), Error> {
        let key = row.key();
        match self.last_key.as_ref().and_then(|last| last.partial_cmp(&key)) {
            Some(Ordering::Equal) => return Ok(()),
            Some(Ordering::Greater) => return Err(Error::unexpected(self.source, AnswerProblem::OutOfOrder)),
            Some(Ordering::Less) | None => {}
        }
        self.last_key = Some(key);
        self.distinct += 1;
        self.rows.push(row);
        Ok(())
    }

    /// Hands rows over in batches, as long as at least `least` of them are together.
    async fn hand_over(&mut self, sink: &mpsc::Sender<Vec<R>>, least: usize) -> Result<(), Error> {
        while self.rows.len() >= least {
            let rest = self.rows.split_off(self.rows.len().min(BATCH));
            let batch = std::mem::replace(&mut self.rows, rest);
            sink.send(batch).await.map_err(|_| Error::Stopped)?;
        }
        Ok(())
    }
}
