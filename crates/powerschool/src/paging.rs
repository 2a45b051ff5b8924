//! Reading one table: through our query in one streamed answer or, where the server does not give that, in pages; page
//! by page from the table itself where the plugin has no queries.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering as Memory},
    },
};

use reqwest::Response;
use serde::Deserialize;
use serde_json::Value;
use tokio::{
    sync::{OnceCell, mpsc},
    task::JoinSet,
};

use crate::{
    client::{Client, Metadata, Pulled},
    core::{Core, CoreSource},
    deltas::{self, DataVersion},
    error::{AnswerProblem, Error},
    json::{self, CountAnswer},
    pace::{self, Gate, InFlight},
    records::{self, FieldError, Fields, RecordSplitter, Records},
    roster::{Narrowed, RosterRow},
    shape::Shape,
    tables::Table,
    transport::{Call, Shared},
};

/// Rows handed over at once.
const BATCH: usize = 250;

/// The largest page asked for, in rows, whatever the server allows: several of them are held at the same time.
const LARGEST_PAGE: u64 = 1_000;

/// What a pull hands over.
#[derive(Debug)]
pub enum Batch<R> {
    /// Up to 250 further rows.
    Rows(Vec<R>),
    /// Everything handed over before is void: the table is read once more from its beginning, in another way.
    StartOver,
}

/// What reading has taught about a server; shared by all clones of a client.
#[derive(Debug)]
pub(crate) struct Lessons {
    /// The pace of pages.
    gate: Gate,
    /// The server's metadata as this plugin is told it.
    pub(crate) metadata: OnceCell<Metadata>,
    /// The server refuses `pagesize=0`.
    refuses_whole: AtomicBool,
    /// The server refuses to be asked for data versions.
    refuses_versions: AtomicBool,
}

impl Lessons {
    pub(crate) fn new() -> Self {
        Self {
            gate: Gate::new(),
            metadata: OnceCell::new(),
            refuses_whole: AtomicBool::new(false),
            refuses_versions: AtomicBool::new(false),
        }
    }
}

/// One table, narrowed, about to be read.
pub(crate) struct Pull<'a, R> {
    client: &'a Client,
    transport: &'a Shared,
    table: &'static Table,
    narrowed: Narrowed<'a>,
    rows: PhantomData<fn() -> R>,
}

/// A way to ask a query for its rows.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// All rows in one answer, instead of pages.
    whole: bool,
    /// With the data version.
    versioned: bool,
    /// The server is said to have data versions.
    versions_offered: bool,
    /// The one answer was refused, rather than cut off.
    whole_refused: bool,
}

impl Way {
    /// The way to try after this one failed, if any is left.
    fn after(self, error: &Error) -> Option<Self> {
        let refused = match error {
            Error::UnexpectedAnswer { problem, .. } => match problem {
                AnswerProblem::Status(_) | AnswerProblem::Refused(_) => true,
                AnswerProblem::Incomplete => false,
                _ => return None,
            },
            Error::Timeout { .. } | Error::Unreachable { .. } | Error::Interrupted { .. } => false,
            _ => return None,
        };
        if refused && self.versioned {
            Some(Self { versioned: false, ..self })
        } else if self.whole {
            let versioned = self.versions_offered;
            Some(Self { whole: false, versioned, whole_refused: refused, ..self })
        } else {
            None
        }
    }
}

impl<'a, R: RosterRow> Pull<'a, R> {
    pub(crate) fn new(client: &'a Client, transport: &'a Shared, narrowed: Narrowed<'a>) -> Self {
        Self { client, transport, table: R::TABLE, narrowed, rows: PhantomData }
    }

    pub(crate) async fn run(&self, sink: &mpsc::Sender<Batch<R>>) -> Result<Pulled, Error> {
        match self.count().await {
            Ok(before) => self.run_query(before, sink).await,
            Err(Error::NoQueries { query }) => {
                tracing::info!(query, "the plugin lacks the query: reading the table page by page");
                self.run_without_query(sink).await
            }
            // The query is of a plugin for more exchanges than ours, which can do without those fields.
            Err(Error::NoAccess { fields }) if self.can_do_without(&fields) => {
                tracing::info!(?fields, "the query is refused: reading the table page by page");
                self.run_table(sink).await
            }
            Err(other) => Err(other),
        }
    }

    /// Reads the table itself or, where the plugin may not, the core resources that hold the same.
    async fn run_without_query(&self, sink: &mpsc::Sender<Batch<R>>) -> Result<Pulled, Error> {
        match self.run_table(sink).await {
            Err(Error::NoAccess { fields }) => {
                sink.send(Batch::StartOver).await.map_err(|_| Error::Stopped)?;
                let Some(source) = CoreSource::of(self.table) else { return Err(Error::CoreOnly { fields }) };
                tracing::info!(?fields, "the table is refused: reading core resources");
                self.run_core(source, sink).await
            }
            other => other,
        }
    }

    /// Reads core resources, whose order is not ours.
    async fn run_core(&self, source: CoreSource, sink: &mpsc::Sender<Batch<R>>) -> Result<Pulled, Error> {
        let wanted = self.narrowed.columns(self.table);
        let mut core = Core::new(self.client, self.transport, source, &wanted);
        let before = core.count().await?;
        let mut reader = RowReader::new(self.table.name).in_any_order();
        while let Some(records) = core.next_page().await? {
            for record in records {
                reader.complete(&record).map_err(|broken| broken.into_error(self.table.name))?;
            }
            reader.hand_over(sink, BATCH).await?;
        }
        reader.hand_over(sink, 1).await?;
        core.check_columns(self.table)?;
        self.agree(before, reader.distinct, core.count().await?)?;
        Ok(Pulled { rows: reader.distinct, bytes: 0, version: None })
    }

    /// Whether these are fields of the table that are not wanted of it.
    fn can_do_without(&self, fields: &[String]) -> bool {
        let columns = self.narrowed.columns(self.table);
        fields.iter().all(|field| {
            field.split_once('.').is_some_and(|(table, field)| {
                table.eq_ignore_ascii_case(self.table.name)
                    && !columns.iter().any(|column| column.eq_ignore_ascii_case(field))
            })
        })
    }

    /// How many rows our query has now.
    pub(crate) async fn count(&self) -> Result<u64, Error> {
        let path = format!("/ws/schema/query/{}/count", self.table.query);
        let call = Call::post(path, Value::Object(self.narrowed.arguments(self.table.limit)));
        counted(&call, &self.transport.ask(&call).await.map_err(|error| self.without_query(error))?)
    }

    /// Reads the rows changed since a data version. `None` when there is any doubt that these are all of them.
    pub(crate) async fn run_changes(
        &self,
        since: DataVersion,
        sink: &mpsc::Sender<Batch<R>>,
    ) -> Result<Option<Pulled>, Error> {
        if !self.has_versions().await? {
            return Ok(None);
        }
        let size = self.page_size().await?;
        let pages = self.query(true, Some(since));
        let mut reader = RowReader::new(self.table.query);
        let mut tally = Tally::default();
        let mut current = None;
        // How many rows there are is not known, and a server may give smaller pages than asked for: the end is
        // where there are no more.
        for number in 1.. {
            let page = pages.read::<R>(number, size).await?;
            let Some(version) = page.version.filter(|version| *version >= since.0) else { return Ok(None) };
            if page.records == 0 {
                current.get_or_insert(version);
                break;
            }
            // Rows that change between two pages can push others from one to the other.
            if *current.get_or_insert(version) != version {
                return Ok(None);
            }
            tally.add(&page);
            let known = reader.distinct;
            page.rows.into_iter().try_for_each(|row| reader.take(row))?;
            // A server that does not page such an answer gives the same rows for ever.
            if reader.distinct == known || reader.distinct > deltas::MOST_CHANGES {
                return Ok(None);
            }
            reader.hand_over(sink, BATCH).await?;
        }
        reader.hand_over(sink, 1).await?;
        self.check_columns(&tally.absent).await?;
        let version = current.map(DataVersion);
        Ok(Some(Pulled { rows: reader.distinct, bytes: tally.bytes, version }))
    }

    /// Whether this table is read with its data version.
    async fn has_versions(&self) -> Result<bool, Error> {
        Ok(deltas::follows(self.table, &self.narrowed)
            && !self.client.lessons().refuses_versions.load(Memory::Relaxed)
            && deltas::offered(self.client.known_metadata().await?.version.as_ref()))
    }

    async fn run_query(&self, before: u64, sink: &mpsc::Sender<Batch<R>>) -> Result<Pulled, Error> {
        let lessons = self.client.lessons();
        let versions_offered = self.has_versions().await?;
        let mut way = Way {
            whole: !lessons.refuses_whole.load(Memory::Relaxed),
            versioned: versions_offered,
            versions_offered,
            whole_refused: false,
        };
        loop {
            let read = if way.whole {
                self.read_whole(way.versioned, before, sink).await
            } else {
                self.read_paged(way.versioned, before, sink).await
            };
            match read {
                Ok(pulled) => {
                    if way.whole_refused {
                        lessons.refuses_whole.store(true, Memory::Relaxed);
                    }
                    if way.versions_offered && !way.versioned {
                        lessons.refuses_versions.store(true, Memory::Relaxed);
                    }
                    return Ok(pulled);
                }
                Err(error) => {
                    let Some(next) = way.after(&error) else { return Err(error) };
                    tracing::info!(
                        table = self.table.name,
                        code = error.code(),
                        ?next,
                        "reading in another way"
                    );
                    sink.send(Batch::StartOver).await.map_err(|_| Error::Stopped)?;
                    way = next;
                }
            }
        }
    }

    /// Reads the query's rows in one answer (PowerSchool: `pagesize=0`).
    async fn read_whole(
        &self,
        versioned: bool,
        before: u64,
        sink: &mpsc::Sender<Batch<R>>,
    ) -> Result<Pulled, Error> {
        let pages = self.query(versioned, None);
        let mut reader =
            RowReader::new(self.table.query).expecting(self.narrowed.columns_of_some(self.table));
        let mut tally = Tally::default();
        let call = pages.call.clone().with("pagesize", 0);
        // Asked again only while the server is busy: for everything else there is another way.
        let response = self
            .transport
            .repeating(|| async {
                match self.transport.ask_streaming_once(&call).await {
                    Err(busy @ Error::Busy { .. }) => Err(busy),
                    other => Ok(other),
                }
            })
            .await?
            .map_err(|error| self.without_query(error))?;
        let answer = stream(self.transport, &call.path, response, &mut reader, Some(sink)).await?;
        tally.add_answer(&answer);
        let given = reader.records;
        if given > 0 && given < before {
            // A server that limits even that one is asked for the other pages of the size it gave.
            self.read_pages(&pages, 2, given, before, &mut reader, &mut tally, sink).await?;
        }
        reader.hand_over(sink, 1).await?;
        self.check_columns(&reader.absent).await?;
        let pulled = Pulled { rows: reader.distinct, bytes: tally.bytes, version: tally.version() };
        // One answer is one moment's state, and a day's attendance is asked for while teachers record it: that one
        // came to whole is enough. Fewer rows than counted may be a limit, though, and twice the same are no state.
        let whole = tally.answers == 1 && reader.distinct == reader.records && reader.distinct >= before;
        if whole && matches!(self.narrowed, Narrowed::SchoolDay(..)) {
            return Ok(pulled);
        }
        self.agree(before, reader.distinct, self.count().await?)?;
        Ok(pulled)
    }

    /// Reads the query's rows in pages.
    async fn read_paged(
        &self,
        versioned: bool,
        before: u64,
        sink: &mpsc::Sender<Batch<R>>,
    ) -> Result<Pulled, Error> {
        let pages = self.query(versioned, None);
        let size = self.page_size().await?;
        let mut reader = RowReader::new(self.table.query);
        let mut tally = Tally::default();
        self.read_pages(&pages, 1, size, before, &mut reader, &mut tally, sink).await?;
        reader.hand_over(sink, 1).await?;
        self.check_columns(&tally.absent).await?;
        self.agree(before, reader.distinct, self.count().await?)?;
        Ok(Pulled { rows: reader.distinct, bytes: tally.bytes, version: tally.version() })
    }

    /// Reads the table itself, in pages.
    async fn run_table(&self, sink: &mpsc::Sender<Batch<R>>) -> Result<Pulled, Error> {
        let size = self.page_size().await?;
        let mut pulled = Pulled::default();
        let mut read = Vec::new();
        for filter in self.narrowed.filters(self.table.limit) {
            let before = self.count_table(&filter).await?;
            let call = Call::get(format!("/ws/schema/table/{}", self.table.path_name()))
                .with("projection", self.narrowed.columns(self.table).join(","))
                .with("sort", self.table.key.join(","));
            let pages = self.pages(filtered(call, &filter), self.table.name, Vec::new());
            // Each filter's rows are sorted by themselves.
            let mut reader = RowReader::new(self.table.name);
            let mut tally = Tally::default();
            self.read_pages(&pages, 1, size, before, &mut reader, &mut tally, sink).await?;
            reader.hand_over(sink, 1).await?;
            self.agree(before, reader.distinct, self.count_table(&filter).await?)?;
            pulled.rows += reader.distinct;
            pulled.bytes += tally.bytes;
            read.push((filter, reader.distinct));
        }
        // A dropped enrolment that is taken up again meanwhile goes from one filter to the other: each for itself
        // agrees, and the row can be in neither or in both. The last one has just been counted.
        for (filter, rows) in read.iter().rev().skip(1) {
            self.agree(*rows, *rows, self.count_table(filter).await?)?;
        }
        Ok(pulled)
    }

    async fn count_table(&self, filter: &str) -> Result<u64, Error> {
        let call = filtered(Call::get(format!("/ws/schema/table/{}/count", self.table.path_name())), filter);
        counted(&call, &self.transport.ask(&call).await?)
    }

    /// Rows to ask for at once.
    async fn page_size(&self) -> Result<u64, Error> {
        let limit = self.client.known_metadata().await?.page_limits.table_rows;
        Ok(u64::from(limit).min(LARGEST_PAGE))
    }

    /// The pages of the table's query.
    fn query(&self, versioned: bool, since: Option<DataVersion>) -> Arc<Pages> {
        let mut arguments = self.narrowed.arguments(self.table.limit);
        if versioned {
            arguments.insert("$dataversion_applicationname".to_owned(), deltas::APPLICATION.into());
        }
        if let Some(DataVersion(since)) = since {
            arguments.insert("$dataversion".to_owned(), since.into());
        }
        let call = Call::post(format!("/ws/schema/query/{}", self.table.query), Value::Object(arguments));
        self.pages(call, self.table.query, self.narrowed.columns_of_some(self.table))
    }

    fn pages(&self, call: Call, source: &'static str, columns: Vec<&'static str>) -> Arc<Pages> {
        let (transport, lessons) = (Arc::clone(self.transport), Arc::clone(self.client.lessons()));
        Arc::new(Pages { call, source, columns, transport, lessons })
    }

    /// Reads the pages from `first` on, as many at the same time as the server's pace allows, and hands their rows
    /// over in order.
    #[expect(clippy::too_many_arguments, reason = "what is read, and where it goes")]
    async fn read_pages(
        &self,
        pages: &Arc<Pages>,
        mut first: u64,
        mut size: u64,
        before: u64,
        reader: &mut RowReader<R>,
        tally: &mut Tally,
        sink: &mpsc::Sender<Batch<R>>,
    ) -> Result<(), Error> {
        'sizes: loop {
            let last = before.div_ceil(size);
            let mut asked = JoinSet::new();
            let mut waiting = BTreeMap::new();
            let (mut next, mut wanted) = (first, first);
            while wanted <= last {
                while next <= last && next < wanted + u64::from(pace::MOST) {
                    let (pages, number) = (Arc::clone(pages), next);
                    asked.spawn(async move { (number, pages.read::<R>(number, size).await) });
                    next += 1;
                }
                let Some(page) = waiting.remove(&wanted) else {
                    match asked.join_next().await {
                        Some(Ok((number, page))) => drop(waiting.insert(number, page?)),
                        Some(Err(ended)) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
                        Some(Err(_)) | None => return Err(Error::Stopped),
                    }
                    continue;
                };
                tally.add(&page);
                page.rows.into_iter().try_for_each(|row| reader.take(row))?;
                reader.hand_over(sink, BATCH).await?;
                // A server that gives smaller pages than its metadata says is asked for that size.
                if wanted == 1 && wanted < last && (1..size).contains(&page.records) {
                    (first, size) = (2, page.records);
                    continue 'sizes;
                }
                wanted += 1;
            }
            return Ok(());
        }
    }

    /// Makes sure that columns a query's answer does not have are left out because they are empty, and not because the
    /// installed plugin is one for fewer exchanges.
    async fn check_columns(&self, absent: &[&'static str]) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default, deserialize_with = "json::list")]
            columns: Vec<Column>,
        }
        #[derive(Deserialize)]
        struct Column {
            #[serde(default, deserialize_with = "json::text")]
            name: Option<String>,
            #[serde(default, deserialize_with = "json::text")]
            access: Option<String>,
        }

        if absent.is_empty() {
            return Ok(());
        }
        let call = Call::get(format!("/ws/schema/table/{}/metadata", self.table.path_name()))
            .with("expansions", "access");
        let columns = match self.transport.ask::<Answer>(&call).await {
            Ok(answer) => answer.columns,
            // What the plugin may not even ask about, it may not read.
            Err(
                Error::NoAccess { .. }
                | Error::UnexpectedAnswer {
                    problem: AnswerProblem::Status(404) | AnswerProblem::Refused(_),
                    ..
                },
            ) => Vec::new(),
            Err(other) => return Err(other),
        };
        let granted = |wanted: &str| {
            columns.iter().any(|column| {
                column.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(wanted))
                    && matches!(column.access.as_deref(), Some("ViewOnly" | "FullAccess"))
            })
        };
        let fields: Vec<String> = absent
            .iter()
            .filter(|column| !granted(column))
            .map(|column| format!("{}.{column}", self.table.path_name()))
            .collect();
        if fields.is_empty() { Ok(()) } else { Err(Error::NoAccess { fields }) }
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

/// Something that answers in pages. Owned, so that pages can be read by tasks of their own.
struct Pages {
    /// The request, without its page.
    call: Call,
    /// What is read, for messages.
    source: &'static str,
    /// The columns the first record has to have.
    columns: Vec<&'static str>,
    transport: Shared,
    lessons: Arc<Lessons>,
}

impl Pages {
    /// Reads one page, numbered from 1; asked for again when that may help.
    async fn read<R: RosterRow>(&self, number: u64, size: u64) -> Result<Page<R>, Error> {
        let call = self.call.clone().with("page", number).with("pagesize", size);
        self.transport
            .repeating(|| async {
                let turn = self.lessons.gate.enter().await;
                let read = self.read_once(&call, (number - 1) * size, size, &turn).await;
                match &read {
                    Err(Error::Busy { retry_after, .. }) => turn.overloaded(*retry_after),
                    Err(Error::Timeout { .. }) => turn.overloaded(None),
                    _ => {}
                }
                read
            })
            .await
    }

    async fn read_once<R: RosterRow>(
        &self,
        call: &Call,
        first_record: u64,
        size: u64,
        turn: &InFlight<'_>,
    ) -> Result<Page<R>, Error> {
        let response = self.transport.ask_streaming_once(call).await?;
        turn.answered();
        let mut reader = RowReader::new(self.source);
        reader.first_record = first_record;
        reader.most = size;
        if first_record == 0 {
            reader.wanted.clone_from(&self.columns);
        }
        let answer = stream(&self.transport, &call.path, response, &mut reader, None).await?;
        let RowReader { rows, records, absent, .. } = reader;
        Ok(Page { rows, records, absent, bytes: answer.bytes, version: answer.version })
    }
}

/// Reads an answer as it arrives. With a sink, full batches go there; without one the rows stay with the reader.
async fn stream<R: RosterRow>(
    transport: &Shared,
    path: &str,
    response: Response,
    reader: &mut RowReader<R>,
    sink: Option<&mpsc::Sender<Batch<R>>>,
) -> Result<Answer, Error> {
    let mut splitter = RecordSplitter::new();
    let mut body = response.bytes_stream();
    let mut bytes = 0;
    while let Some(chunk) = transport.next_chunk(&mut body).await? {
        bytes += chunk.len() as u64;
        splitter.push(&chunk, reader).map_err(|broken| broken.into_error(path))?;
        if let Some(sink) = sink {
            reader.hand_over(sink, BATCH).await?;
        }
    }
    splitter.finish().map_err(|problem| Error::unexpected(path, problem))?;
    Ok(Answer { bytes, version: splitter.data_version() })
}

/// An answer besides its rows.
struct Answer {
    bytes: u64,
    version: Option<u64>,
}

/// What several answers sum up to.
#[derive(Default)]
struct Tally {
    bytes: u64,
    answers: u64,
    versioned: u64,
    /// The oldest version among the answers: what changed later comes once more.
    oldest: Option<u64>,
    absent: Vec<&'static str>,
}

impl Tally {
    fn add_answer(&mut self, answer: &Answer) {
        self.bytes += answer.bytes;
        self.answers += 1;
        if let Some(version) = answer.version {
            self.versioned += 1;
            self.oldest = Some(self.oldest.map_or(version, |oldest| oldest.min(version)));
        }
    }

    fn add<R>(&mut self, page: &Page<R>) {
        self.add_answer(&Answer { bytes: page.bytes, version: page.version });
        self.absent.extend_from_slice(&page.absent);
    }

    /// The version that every answer is of at least.
    fn version(&self) -> Option<DataVersion> {
        self.oldest.filter(|_| self.versioned == self.answers).map(DataVersion)
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
    /// Rows with those that come twice.
    records: u64,
    bytes: u64,
    version: Option<u64>,
    absent: Vec<&'static str>,
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
    /// Whether rows have to come in the order of their keys.
    ordered: bool,
    distinct: u64,
    /// Records of earlier pages.
    first_record: u64,
    records: u64,
    /// Records there may be.
    most: u64,
    /// Columns that the first record has to have.
    wanted: Vec<&'static str>,
    /// Those of them that it does not have.
    absent: Vec<&'static str>,
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
    const fn new(source: &'static str) -> Self {
        Self {
            source,
            rows: Vec::new(),
            last_key: None,
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

    /// Takes rows in any order. None may come twice then: the database refuses it.
    fn in_any_order(self) -> Self {
        Self { ordered: false, ..self }
    }

    /// Looks for columns in the first record.
    fn expecting(self, wanted: Vec<&'static str>) -> Self {
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
    /// counts then tell that another one is missing.
    fn take(&mut self, row: R) -> Result<(), Error> {
        let key = row.key();
        match self.last_key.as_ref().and_then(|last| last.partial_cmp(&key)) {
            Some(Ordering::Equal) => return Ok(()),
            Some(Ordering::Greater) if self.ordered => {
                return Err(Error::unexpected(self.source, AnswerProblem::OutOfOrder));
            }
            Some(Ordering::Less | Ordering::Greater) | None => {}
        }
        self.last_key = Some(key);
        self.distinct += 1;
        self.rows.push(row);
        Ok(())
    }

    /// Hands rows over in batches, as long as at least `least` of them are together.
    async fn hand_over(&mut self, sink: &mpsc::Sender<Batch<R>>, least: usize) -> Result<(), Error> {
        while self.rows.len() >= least {
            let rest = self.rows.split_off(self.rows.len().min(BATCH));
            let batch = std::mem::replace(&mut self.rows, rest);
            sink.send(Batch::Rows(batch)).await.map_err(|_| Error::Stopped)?;
        }
        Ok(())
    }
}
