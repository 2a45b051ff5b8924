//! Reading one table: through our query in one streamed answer or, where the server does not give that, in pages; page
//! by page from the table itself where the plugin has no queries.

mod pages;
mod rows;
mod without_query;

use std::{
    collections::BTreeMap,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering as Memory},
    },
};

use reqwest::Response;
use serde_json::Value;
use tokio::{
    sync::{OnceCell, mpsc},
    task::JoinSet,
};
use tracing::Instrument;

use self::{
    pages::{Pages, Tally, stream},
    rows::RowReader,
};
use crate::{
    access,
    client::{Client, Metadata, Pulled},
    deltas::{self, DataVersion},
    error::{AnswerProblem, Error},
    fingerprint::{Fingerprint, Fingerprinting},
    json::CountAnswer,
    pace::{self, Gate},
    roster::{Narrowed, RosterRow},
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
        Ok(Some(Pulled { rows: reader.distinct, bytes: tally.bytes, version, fingerprint: None }))
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

    /// Whether the query's one answer is the one that `known` was taken of, and still has all `rows`: a server that
    /// limits even that one gives the same answer when rows beyond its limit come.
    pub(crate) async fn run_repeated(&self, known: &Fingerprint, rows: u64) -> Result<bool, Error> {
        if self.client.lessons().refuses_whole.load(Memory::Relaxed) {
            return Ok(false);
        }
        let (same, count) = tokio::try_join!(self.gives(known), self.count())?;
        Ok(same && count == rows)
    }

    /// Whether the query's one answer is the one that `known` was taken of.
    async fn gives(&self, known: &Fingerprint) -> Result<bool, Error> {
        let mut body = self.ask_whole(&self.query(false, None)).await?.bytes_stream();
        let mut fingerprint = Fingerprinting::default();
        while let Some(chunk) = self.transport.next_chunk(&mut body).await? {
            fingerprint.push(&chunk);
            if !fingerprint.may_be(known) {
                return Ok(false);
            }
        }
        Ok(fingerprint.finish() == *known)
    }

    /// Asks for all of the query's rows in one answer. Asked again only while the server is busy: for everything else
    /// there is another way.
    async fn ask_whole(&self, pages: &Pages) -> Result<Response, Error> {
        let call = pages.call.clone().with("pagesize", 0);
        self.transport
            .repeating(|| async {
                match self.transport.ask_streaming_once(&call).await {
                    Err(busy @ Error::Busy { .. }) => Err(busy),
                    other => Ok(other),
                }
            })
            .await?
            .map_err(|error| self.without_query(error))
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
        let response = self.ask_whole(&pages).await?;
        let mut fingerprint = Fingerprinting::default();
        let taking = Some(&mut fingerprint);
        let answer =
            stream(self.transport, &pages.call.path, response, &mut reader, Some(sink), taking).await?;
        tally.add_answer(&answer);
        let given = reader.records;
        if given > 0 && given < before {
            // A server that limits even that one is asked for the other pages of the size it gave.
            self.read_pages(&pages, 2, given, before, &mut reader, &mut tally, sink).await?;
        }
        reader.hand_over(sink, 1).await?;
        self.check_columns(&reader.absent).await?;
        let (bytes, version) = (tally.bytes, tally.version());
        // One with a version is never the same again.
        let alone = tally.answers == 1 && version.is_none();
        let fingerprint = alone.then(|| fingerprint.finish());
        let pulled = Pulled { rows: reader.distinct, bytes, version, fingerprint };
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
        let (rows, bytes, version) = (reader.distinct, tally.bytes, tally.version());
        Ok(Pulled { rows, bytes, version, fingerprint: None })
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
                    let page = async move { (number, pages.read::<R>(number, size).await) };
                    asked.spawn(page.in_current_span());
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
        if absent.is_empty() {
            return Ok(());
        }
        let granted = access::of_table(self.transport, self.table.name).await?;
        let fields: Vec<String> = absent
            .iter()
            .filter(|column| !granted.contains_key(&column.to_ascii_uppercase()))
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

fn counted(call: &Call, answer: &CountAnswer) -> Result<u64, Error> {
    answer.count().ok_or_else(|| Error::unexpected(&call.path, AnswerProblem::Missing("count")))
}
