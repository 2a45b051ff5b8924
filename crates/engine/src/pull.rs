//! Reading the roster from PowerSchool into a new database file that takes the old one's place when it is complete.
//!
//! The first pull of a day reads every table whole. Later ones begin with a copy of the roster in place and read of the
//! large tables only what changed, where PowerSchool has data versions; any doubt about that ends in a whole table.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{NaiveDate, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use rosterbridge_domain::{
    calendar,
    id::YearId,
    job::Job,
    roster::{
        AttendanceCode, BellScheduleItem, CalendarDay, Course, CycleDay, Enrollment, Period, School, Section,
        SectionMeeting, Student, Teacher, Term,
    },
    settings::Setup,
};
use rosterbridge_powerschool::{
    Batch, Client, DataVersion, Metadata, PullScope, RosterRow, ServerUrl, Version, plugin,
};
use rosterbridge_store::{
    Roster, RosterStaging, StoreError,
    roster::{FollowedTable, PullState, RosterMeta, RosterTable},
};
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{Engine, blocking},
    error::EngineError,
    powerschool_test::Credentials,
};

/// Told about progress: what is being read, and how many rows of it have been.
pub(crate) type OnRows<'a> = &'a (dyn Fn(&'static str, u64) + Send + Sync);

/// Batches of all tables on their way from the network to the database.
const BATCHES_IN_FLIGHT: usize = 4;

/// Tables read at the same time: enough to hide the round trips, and few enough not to burden PowerSchool.
const TABLES_AT_ONCE: usize = 3;

/// How long changes are laid over a roster before it is read whole: PowerSchool's data versions don't tell of rows that
/// were deleted.
const WHOLE_EVERY: TimeDelta = TimeDelta::hours(24);

/// What is known about the server before the roster is read.
pub(crate) struct Server {
    pub(crate) client: Client,
    /// Its address: a test server can be a copy of another one in everything else.
    address: ServerUrl,
    /// The day it is in the district: the practice date on a practice district.
    pub(crate) today: NaiveDate,
    /// The district's time zone.
    pub(crate) zone: chrono_tz::Tz,
    /// The district's own identity, where the server tells it.
    pub(crate) district: Option<String>,
}

/// What a pull brought.
#[derive(Debug)]
pub(crate) struct Pull {
    /// The roster, with all that the other jobs need.
    pub(crate) roster: Arc<Roster>,
    /// The jobs that need what the plugin has no access to, and what that is. Their tables may be empty.
    pub(crate) refused: BTreeMap<Job, rosterbridge_powerschool::Error>,
}

impl Engine {
    /// Meets the server: refuses one that is too old, signs in, and learns what day it is there.
    pub(crate) async fn meet(&self, setup: &Setup, practice: bool) -> Result<Server, EngineError> {
        let connection = self.powerschool_connection(setup).await?;
        let credentials = Credentials::of(&connection);
        let client = Client::new(connection)?;
        let metadata: Metadata = client.metadata().await?;
        if !metadata.version.as_ref().is_some_and(|version| version.at_least(Version::OLDEST)) {
            return Err(rosterbridge_powerschool::Error::TooOld { version: metadata.version }.into());
        }
        match client.authenticate().await {
            Err(rosterbridge_powerschool::Error::BadCredentials) => {
                return Err(self.refused_credentials(&credentials).await?.into());
            }
            answered => answered?,
        }
        // A server that does not tell fails, if it has to, where its answer is needed.
        if let Some(plugin_id) = client.known_metadata().await.ok().and_then(|metadata| metadata.plugin_id) {
            self.remember_plugin(&credentials, plugin_id).await?;
        }
        // Without a known zone the server's own date counts: in a guessed zone, today could be 'the future'.
        let today = match metadata.district_timezone {
            Some(zone) if !practice => Utc::now().with_timezone(&zone).date_naive(),
            _ => client.time().await?.date(),
        };
        let zone = metadata.district_timezone.unwrap_or(chrono_tz::America::Chicago);
        let address = ServerUrl::parse(&setup.powerschool.url)?;
        Ok(Server { client, address, today, zone, district: metadata.district_uuid })
    }

    /// Reads what `jobs` need of the roster of the current school year. The former one stays until the new one is
    /// complete.
    pub(crate) async fn pull(
        &self,
        setup: &Setup,
        practice: bool,
        jobs: &[Job],
        cancel: &CancellationToken,
        on_rows: OnRows<'_>,
    ) -> Result<Pull, EngineError> {
        let server = self.meet(setup, practice).await?;
        self.pull_from(&server, jobs, cancel, on_rows).await
    }

    /// As [`Engine::pull`], from a server that has been met.
    pub(crate) async fn pull_from(
        &self,
        server: &Server,
        jobs: &[Job],
        cancel: &CancellationToken,
        on_rows: OnRows<'_>,
    ) -> Result<Pull, EngineError> {
        let reading = self.read_tables(server, jobs, on_rows);
        tokio::select! {
            roster = reading => roster,
            () = cancel.cancelled() => Err(EngineError::Cancelled),
        }
    }

    async fn read_tables(
        &self,
        server: &Server,
        jobs: &[Job],
        on_rows: OnRows<'_>,
    ) -> Result<Pull, EngineError> {
        let began = Utc::now();
        let basis = server.basis(jobs).await?;
        let turn = Arc::clone(&self.pulling).lock_owned().await;
        let (folder, key) = (self.roster_folder().to_owned(), self.key().clone());
        let (today, expected) = (server.today, basis.clone());
        let (filling, before) = blocking(move || {
            let recent = |pulled: &RosterMeta, state: &PullState| {
                let age = began.signed_duration_since(state.whole_at);
                state.basis == expected
                    && pulled.today == today
                    && (TimeDelta::zero()..WHOLE_EVERY).contains(&age)
            };
            let resumed = RosterStaging::resume(&folder, key.expose(), recent).unwrap_or_else(|error| {
                // It is a cache: what is wrong with it ends with the next whole one.
                tracing::warn!(code = error.code(), "the roster in place cannot be gone on from");
                None
            });
            let (staging, before) = match resumed {
                Some((staging, pulled, state)) => (staging, Some((state, pulled.years))),
                None => (RosterStaging::create(&folder, key.expose())?, None),
            };
            Ok((Filling { staging, turn }, before))
        })
        .await?;
        let (inserts, waiting) = mpsc::channel(BATCHES_IN_FLIGHT);
        let inserting = tokio::task::spawn_blocking(move || insert_all(filling, waiting));
        let reading = Reading { client: &server.client, on_rows, inserts, before, outcome: Mutex::default() };
        let read = reading.read(server.today, jobs).await;
        let Reading { outcome, before, inserts, .. } = reading;
        drop(inserts);
        // With that the inserting thread ends: nothing more can come. Where it refused a batch, the reading broke off:
        // that error is the one to report.
        let filling = inserting.await??;
        let years = read?;
        let ReadOutcome { versions, laid_over, refused } =
            outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
        let whole_at = before.filter(|_| laid_over).map_or(began, |(state, _)| state.whole_at);
        // Where something could not be read, the next pull may find that it can be.
        let state = refused.is_empty().then_some(PullState { basis, whole_at, versions });
        let meta = RosterMeta { pulled_at: Utc::now(), today: server.today, years };
        let roster = blocking(move || {
            let Filling { mut staging, turn: _turn } = filling;
            if let Some(state) = state {
                staging.keep(state);
            }
            Ok(staging.finish(meta)?)
        })
        .await?;
        Ok(Pull { roster: Arc::new(roster), refused })
    }
}

impl Server {
    /// What the rows of a pull depend on besides PowerSchool's data and the school years.
    async fn basis(&self, jobs: &[Job]) -> Result<String, EngineError> {
        let metadata = self.client.known_metadata().await?;
        let basis = serde_json::json!({
            "address": self.address.to_string(),
            "district": self.district,
            "plugin": metadata.plugin_id,
            "server": metadata.version.as_ref().map(ToString::to_string),
            "queries": plugin::version(0),
            "program": env!("CARGO_PKG_VERSION"),
            "jobs": jobs,
        });
        Ok(basis.to_string())
    }
}

/// The new file, and the turn to fill it, since there is one such file. A pull that is cancelled lets go of both only
/// when its last batch is in, of the file first.
struct Filling {
    staging: RosterStaging,
    turn: OwnedMutexGuard<()>,
}

/// Something to do with the new file, mostly a batch on its way there. Boxed, because all tables take the same way.
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
    /// How the roster that changes are laid over was left, and its school years.
    before: Option<(PullState, Vec<YearId>)>,
    outcome: Mutex<ReadOutcome>,
}

/// What is known of the reading besides the rows.
#[derive(Default)]
struct ReadOutcome {
    /// The data versions of what has been read.
    versions: BTreeMap<String, u64>,
    /// Whether any table was not read whole.
    laid_over: bool,
    /// The jobs that lack something.
    refused: BTreeMap<Job, rosterbridge_powerschool::Error>,
}

impl Reading<'_> {
    /// Reads every table that the jobs need; the school years it was about. Which those are must be known before most
    /// tables are asked for. Of the rest some are read at the same time, the largest first: the many small ones then
    /// cost their round trips while a large one streams.
    async fn read(&self, today: NaiveDate, jobs: &[Job]) -> Result<Vec<YearId>, EngineError> {
        let every_year = PullScope { years: Vec::new(), jobs: jobs.to_vec() };
        let mut terms: Vec<Term> = Vec::new();
        let listing = async { Ok::<Vec<School>, EngineError>(self.client.schools().await?) };
        let reading_terms = self.table::<Term>(&every_year, "terms", |batch| match batch {
            Batch::Rows(rows) => terms.extend_from_slice(rows),
            Batch::StartOver => terms.clear(),
        });
        let (schools, ()) = tokio::try_join!(listing, reading_terms)?;
        (self.on_rows)("schools", schools.len() as u64);
        let years = years_of(&schools, &terms, today);
        self.stage(RosterStaging::discard::<School>).await?;
        self.insert(schools).await?;

        let scope = PullScope { years, ..every_year };
        let tables: [TableReading<'_>; 11] = [
            Box::pin(self.followed_table::<Enrollment>(&scope, "enrolments")),
            Box::pin(self.followed_table::<Student>(&scope, "students")),
            Box::pin(self.table_for_some::<CalendarDay>(&scope, "calendar days")),
            Box::pin(self.table_for_some::<SectionMeeting>(&scope, "meetings")),
            Box::pin(self.followed_table::<Section>(&scope, "sections")),
            Box::pin(self.table_for_some::<Teacher>(&scope, "teachers")),
            Box::pin(self.table_for_some::<Course>(&scope, "courses")),
            Box::pin(self.table_for_some::<AttendanceCode>(&scope, "attendance codes")),
            Box::pin(self.table_for_some::<Period>(&scope, "periods")),
            Box::pin(self.table_for_some::<CycleDay>(&scope, "cycle days")),
            Box::pin(self.table_for_some::<BellScheduleItem>(&scope, "bell schedules")),
        ];
        stream::iter(tables).buffer_unordered(TABLES_AT_ONCE).try_collect::<()>().await?;
        Ok(scope.years)
    }

    /// Reads one table into the new file, in batches, in the place of whatever the file has of it.
    async fn table<R: RosterRow + RosterTable>(
        &self,
        scope: &PullScope,
        subject: &'static str,
        mut seen: impl FnMut(&Batch<R>),
    ) -> Result<(), EngineError> {
        if !scope.needs::<R>() {
            return Ok(());
        }
        self.stage(RosterStaging::discard::<R>).await?;
        let (sink, mut batches) = mpsc::channel::<Batch<R>>(1);
        let pulling = async { Ok::<_, EngineError>(self.client.pull::<R>(scope, sink).await?) };
        let passing = async {
            let mut count = 0;
            while let Some(batch) = batches.recv().await {
                seen(&batch);
                match batch {
                    Batch::Rows(rows) => {
                        count += rows.len() as u64;
                        self.insert(rows).await?;
                    }
                    Batch::StartOver => {
                        count = 0;
                        self.stage(RosterStaging::discard::<R>).await?;
                    }
                }
                (self.on_rows)(subject, count);
            }
            Ok::<(), EngineError>(())
        };
        let (pulled, ()) = tokio::try_join!(pulling, passing)?;
        if let Some(version) = pulled.version {
            self.outcome().versions.insert(R::table().to_owned(), version.get());
        }
        Ok(())
    }

    /// Reads one table for the jobs that may: those that need what the plugin has no access to are refused, and don't
    /// keep the others from what they need.
    async fn table_for_some<R: RosterRow + RosterTable>(
        &self,
        scope: &PullScope,
        subject: &'static str,
    ) -> Result<(), EngineError> {
        let mut scope = scope.clone();
        // Without any job the scope would mean all of them.
        while !scope.jobs.is_empty() {
            let error = match self.table::<R>(&scope, subject, |_| ()).await {
                Err(EngineError::PowerSchool(error)) => error,
                other => return other,
            };
            let refused = scope.kept_from::<R>(&error);
            if refused.is_empty() {
                return Err(error.into());
            }
            self.stage(RosterStaging::discard::<R>).await?;
            scope.jobs.retain(|job| !refused.contains(job));
            let mut outcome = self.outcome();
            for job in refused {
                outcome.refused.entry(job).or_insert_with(|| error.clone());
            }
        }
        Ok(())
    }

    /// Reads what changed of a table since the roster in place was read; the whole table when that is not certain.
    async fn followed_table<R: RosterRow + FollowedTable>(
        &self,
        scope: &PullScope,
        subject: &'static str,
    ) -> Result<(), EngineError> {
        let since = self
            .before
            .as_ref()
            .filter(|(_, years)| scope.needs::<R>() && *years == scope.years)
            .and_then(|(state, _)| state.versions.get(R::table()));
        if let Some(since) = since
            && self.changes::<R>(scope, DataVersion::new(*since), subject).await?
        {
            return Ok(());
        }
        self.table_for_some::<R>(scope, subject).await
    }

    /// Lays what changed of a table over what the new file has of it. False when what is there then is in doubt.
    async fn changes<R: RosterRow + FollowedTable>(
        &self,
        scope: &PullScope,
        since: DataVersion,
        subject: &'static str,
    ) -> Result<bool, EngineError> {
        let (sink, mut batches) = mpsc::channel(1);
        let gathering = async {
            let mut changed = Vec::new();
            while let Some(batch) = batches.recv().await {
                match batch {
                    Batch::Rows(rows) => changed.extend(rows),
                    Batch::StartOver => changed.clear(),
                }
            }
            changed
        };
        let (pulled, changed) = tokio::join!(self.client.pull_changes::<R>(scope, since, sink), gathering);
        let version = match pulled.map(|pulled| pulled.and_then(|pulled| pulled.version)) {
            Ok(Some(version)) => version,
            Ok(None) => {
                tracing::info!(table = R::table(), "what changed is uncertain: reading the whole table");
                return Ok(false);
            }
            // Whatever keeps the server from answering will show again, or not matter to a whole table.
            Err(error) => {
                tracing::info!(
                    table = R::table(),
                    code = error.code(),
                    "no changes: reading the whole table"
                );
                return Ok(false);
            }
        };
        let rows = changed.len() as u64;
        let (told, stored) = oneshot::channel();
        self.stage(move |staging| {
            if !changed.is_empty() {
                staging.replace(&changed)?;
            }
            // Nobody to tell when the pull was cancelled.
            let _ = told.send(staging.stored::<R>());
            Ok(())
        })
        .await?;
        let stored = stored.await.map_err(|_| rosterbridge_powerschool::Error::Stopped)?;
        // Rows that were deleted, or that left the school years, don't show among the changes.
        let counted = self.client.count::<R>(scope).await?;
        if stored != counted {
            tracing::info!(table = R::table(), stored, counted, "rows are gone: reading the whole table");
            return Ok(false);
        }
        (self.on_rows)(subject, rows);
        let mut outcome = self.outcome();
        outcome.versions.insert(R::table().to_owned(), version.get());
        outcome.laid_over = true;
        Ok(true)
    }

    async fn insert<R: RosterTable + Send + 'static>(&self, rows: Vec<R>) -> Result<(), EngineError> {
        self.stage(move |staging| staging.insert(&rows)).await
    }

    /// Passes on something to do with the new file.
    async fn stage(
        &self,
        work: impl FnOnce(&mut RosterStaging) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), EngineError> {
        let work: Insert = Box::new(work);
        self.inserts.send(work).await.map_err(|_| rosterbridge_powerschool::Error::Stopped.into())
    }

    fn outcome(&self) -> MutexGuard<'_, ReadOutcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
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
