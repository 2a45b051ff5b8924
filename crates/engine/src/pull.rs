//! Reading the roster from PowerSchool into a new database file that takes the old one's place when it is complete.

use std::{pin::Pin, sync::Arc};

use chrono::{NaiveDate, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use rosterbridge_domain::{
    calendar,
    id::YearId,
    roster::{
        AttendanceCode, BellScheduleItem, CalendarDay, Course, CycleDay, Enrollment, Period, School, Section,
        SectionMeeting, Student, Teacher, Term,
    },
    settings::Setup,
};
use rosterbridge_powerschool::{Batch, Client, Metadata, PullScope, RosterRow, Version};
use rosterbridge_store::{
    Roster, RosterStaging, StoreError,
    roster::{RosterMeta, RosterTable},
};
use tokio::sync::{OwnedMutexGuard, mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{Engine, blocking},
    error::EngineError,
};

/// Told about progress: what is being read, and how many rows of it have been.
pub(crate) type OnRows<'a> = &'a (dyn Fn(&'static str, u64) + Send + Sync);

/// Batches of all tables on their way from the network to the database.
const BATCHES_IN_FLIGHT: usize = 8;

/// Tables read at the same time: enough to hide the round trips, and few enough not to burden PowerSchool.
const TABLES_AT_ONCE: usize = 3;

/// What is known about the server before the roster is read.
pub(crate) struct Server {
    pub(crate) client: Client,
    /// The day it is in the district: the practice date on a practice district.
    pub(crate) today: NaiveDate,
    /// The district's time zone.
    pub(crate) zone: chrono_tz::Tz,
    /// The district's own identity, where the server tells it.
    pub(crate) district: Option<String>,
}

impl Engine {
    /// Meets the server: refuses one that is too old, signs in, and learns what day it is there.
    pub(crate) async fn meet(&self, setup: &Setup, practice: bool) -> Result<Server, EngineError> {
        let client = self.powerschool(setup).await?;
        let metadata: Metadata = client.metadata().await?;
        if !metadata.version.as_ref().is_some_and(|version| version.at_least(Version::OLDEST)) {
            return Err(rosterbridge_powerschool::Error::TooOld { version: metadata.version }.into());
        }
        client.authenticate().await?;
        // Without a known zone the server's own date counts: in a guessed zone, today could be 'the future'.
        let today = match metadata.district_timezone {
            Some(zone) if !practice => Utc::now().with_timezone(&zone).date_naive(),
            _ => client.time().await?.date(),
        };
        let zone = metadata.district_timezone.unwrap_or(chrono_tz::America::Chicago);
        Ok(Server { client, today, zone, district: metadata.district_uuid })
    }

    /// Reads the whole roster of the current school year. The former one stays until the new one is complete.
    pub(crate) async fn pull(
        &self,
        setup: &Setup,
        practice: bool,
        cancel: &CancellationToken,
        on_rows: OnRows<'_>,
    ) -> Result<Arc<Roster>, EngineError> {
        let server = self.meet(setup, practice).await?;
        self.pull_from(&server, cancel, on_rows).await
    }

    /// As [`Engine::pull`], from a server that has been met.
    pub(crate) async fn pull_from(
        &self,
        server: &Server,
        cancel: &CancellationToken,
        on_rows: OnRows<'_>,
    ) -> Result<Arc<Roster>, EngineError> {
        let reading = self.read_tables(server, on_rows);
        tokio::select! {
            roster = reading => roster,
            () = cancel.cancelled() => Err(EngineError::Cancelled),
        }
    }

    async fn read_tables(&self, server: &Server, on_rows: OnRows<'_>) -> Result<Arc<Roster>, EngineError> {
        let turn = Arc::clone(&self.pulling).lock_owned().await;
        let (folder, key) = (self.roster_folder().to_owned(), self.key().clone());
        let filling =
            blocking(move || Ok(Filling { staging: RosterStaging::create(&folder, key.expose())?, turn }))
                .await?;
        let (inserts, waiting) = mpsc::channel(BATCHES_IN_FLIGHT);
        let inserting = tokio::task::spawn_blocking(move || insert_all(filling, waiting));
        let reading = Reading { client: &server.client, on_rows, inserts };
        let read = reading.read(server.today).await;
        // The inserting thread ends when nothing more can come.
        drop(reading);
        // Where it refused a batch, the reading broke off: that error is the one to report.
        let filling = inserting.await??;
        let meta = RosterMeta { pulled_at: Utc::now(), today: server.today, years: read? };
        let roster = blocking(move || {
            let Filling { staging, turn: _turn } = filling;
            Ok(staging.finish(meta)?)
        })
        .await?;
        Ok(Arc::new(roster))
    }
}

/// The new file, and the turn to fill it, since there is one such file. A pull that is cancelled lets go of both only
/// when its last batch is in, of the file first.
struct Filling {
    staging: RosterStaging,
    turn: OwnedMutexGuard<()>,
}

/// A batch on its way into the new file. Boxed, because batches of all tables take the same way.
type Insert = Box<dyn FnOnce(&mut RosterStaging) -> Result<(), StoreError> + Send>;

/// Inserts what comes until nothing more can, in the order it comes.
fn insert_all(mut filling: Filling, mut waiting: mpsc::Receiver<Insert>) -> Result<Filling, EngineError> {
    while let Some(insert) = waiting.blocking_recv() {
        insert(&mut filling.staging)?;
    }
    Ok(filling)
}

/// A pull under way.
struct Reading<'a> {
    client: &'a Client,
    on_rows: OnRows<'a>,
    inserts: mpsc::Sender<Insert>,
}

impl Reading<'_> {
    /// Reads every table; the school years it was about. Which those are must be known before most tables are
    /// asked for. Of the rest some are read at the same time, the largest first: the many small ones then cost their
    /// round trips while a large one streams.
    async fn read(&self, today: NaiveDate) -> Result<Vec<YearId>, EngineError> {
        let every_year = PullScope::every_year();
        let mut terms: Vec<Term> = Vec::new();
        let listing = async { Ok::<Vec<School>, EngineError>(self.client.schools().await?) };
        let reading_terms = self.table::<Term>(&every_year, "terms", |batch| terms.extend_from_slice(batch));
        let (schools, ()) = tokio::try_join!(listing, reading_terms)?;
        (self.on_rows)("schools", schools.len() as u64);
        let years = years_of(&schools, &terms, today);
        self.insert(schools).await?;

        let scope = PullScope { years, jobs: Vec::new() };
        let tables: [TableReading<'_>; 11] = [
            Box::pin(self.table::<Enrollment>(&scope, "enrolments", |_| ())),
            Box::pin(self.table::<Student>(&scope, "students", |_| ())),
            Box::pin(self.table::<CalendarDay>(&scope, "calendar days", |_| ())),
            Box::pin(self.table::<SectionMeeting>(&scope, "meetings", |_| ())),
            Box::pin(self.table::<Section>(&scope, "sections", |_| ())),
            Box::pin(self.table::<Teacher>(&scope, "teachers", |_| ())),
            Box::pin(self.table::<Course>(&scope, "courses", |_| ())),
            Box::pin(self.table::<AttendanceCode>(&scope, "attendance codes", |_| ())),
            Box::pin(self.table::<Period>(&scope, "periods", |_| ())),
            Box::pin(self.table::<CycleDay>(&scope, "cycle days", |_| ())),
            Box::pin(self.table::<BellScheduleItem>(&scope, "bell schedules", |_| ())),
        ];
        stream::iter(tables).buffer_unordered(TABLES_AT_ONCE).try_collect::<()>().await?;
        Ok(scope.years)
    }

    /// Reads one table into the new file, in batches.
    async fn table<R: RosterRow + RosterTable>(
        &self,
        scope: &PullScope,
        subject: &'static str,
        mut seen: impl FnMut(&[R]),
    ) -> Result<(), EngineError> {
        let (sink, mut batches) = mpsc::channel::<Batch<R>>(1);
        let pulling = async { Ok::<_, EngineError>(self.client.pull::<R>(scope, sink).await?) };
        let passing = async {
            let mut rows = 0;
            while let Some(batch) = batches.recv().await {
                let Batch::Rows(batch) = batch else {
                    return Err(rosterbridge_powerschool::Error::Stopped.into());
                };
                rows += batch.len() as u64;
                seen(&batch);
                self.insert(batch).await?;
                (self.on_rows)(subject, rows);
            }
            Ok::<(), EngineError>(())
        };
        tokio::try_join!(pulling, passing)?;
        Ok(())
    }

    async fn insert<R: RosterTable + Send + 'static>(&self, rows: Vec<R>) -> Result<(), EngineError> {
        let insert: Insert = Box::new(move |staging| staging.insert(&rows));
        self.inserts.send(insert).await.map_err(|_| rosterbridge_powerschool::Error::Stopped.into())
    }
}

/// One table being read.
type TableReading<'a> = Pin<Box<dyn Future<Output = Result<(), EngineError>> + Send + 'a>>;

/// The school years to read: each school's current one.
fn years_of(schools: &[School], terms: &[Term], today: NaiveDate) -> Vec<YearId> {
    let mut years: Vec<YearId> =
        schools.iter().filter_map(|school| calendar::year_of(terms, school.number, today)).collect();
    years.sort_unstable();
    years.dedup();
    years
}
