//! Reading the roster from PowerSchool into a new database file that takes the old one's place when it is complete.
//!
//! The first pull of a day reads every table whole. Later ones go on from the roster in place and read of the large tables
//! only what changed, where PowerSchool has data versions; any doubt about that ends in a whole table. A table whose one
//! answer is byte for byte the one before is not read again. Where nothing has changed at all, the roster stays as it is.

mod counts;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use rosterbridge_domain::{
    calendar,
    id::YearId,
    job::Job,
    roster::{
        AttendanceCode, BellScheduleItem, CalendarDay, Course, CycleDay, Enrollment, Period, Reenrollment,
        School, Section, SectionMeeting, Student, Teacher, Term,
    },
    settings::Setup,
};
use rosterbridge_powerschool::{
    Batch, Client, DataVersion, Fingerprint, Metadata, PullScope, RosterRow, ServerUrl, Version, Warning,
    plugin,
};
use rosterbridge_store::{
    Roster, RosterStaging, StoreError,
    roster::{FollowedTable, PullState, RosterCounts, RosterMeta, RosterTable},
};
use rosterbridge_vault::ProfileKey;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use self::counts::{Counts, Pace};
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
const TABLES_AT_ONCE: usize = 4;

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
    /// What the jobs do without, because the plugin has no access to it.
    pub(crate) without: Vec<Warning>,
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

    /// Reads what `jobs` need of the roster of the current school year, from a server that has been met. The former one
    /// stays until the new one is complete.
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
        let before = self.roster_to_go_on_from(&basis, server.today, began).await?;
        let (inserts, waiting) = mpsc::channel(BATCHES_IN_FLIGHT);
        let filling = Filling {
            staging: None,
            copied: before.as_ref().map(|before| before.roster.counts()),
            folder: self.roster_folder().to_owned(),
            key: self.key().clone(),
            turn,
        };
        let span = tracing::Span::current();
        let inserting = tokio::task::spawn_blocking(move || span.in_scope(|| insert_all(filling, waiting)));
        let reading = Reading {
            client: &server.client,
            on_rows,
            pace: Pace::default(),
            inserts,
            before,
            outcome: Mutex::default(),
        };
        let read = reading.read(server.today, jobs).await;
        let Reading { outcome, before, inserts, .. } = reading;
        drop(inserts);
        // With that the inserting thread ends: nothing more can come. Where it refused a batch, the reading broke off:
        // that error is the one to report.
        let filling = inserting.await??;
        let years = read?;
        let ReadOutcome { versions, answers, laid_over, refused, without } =
            outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
        let whole_at = before.as_ref().filter(|_| laid_over).map_or(began, |before| before.state.whole_at);
        if let (Some(before), true) = (before, filling.staging.is_none()) {
            tracing::info!("nothing has changed in PowerSchool");
            self.confirm_roster(&before.roster, Utc::now()).await?;
            return Ok(Pull { roster: before.roster, refused, without });
        }
        // Where something could not be read, the next pull may find that it can be.
        let state = refused.is_empty().then_some(PullState { basis, whole_at, versions, answers });
        let meta = RosterMeta { pulled_at: Utc::now(), today: server.today, years };
        let roster = blocking(move || {
            let mut filling = filling;
            if let Some(state) = state {
                filling.staging()?.keep(state);
            }
            Ok(filling.finish(meta)?)
        })
        .await?;
        Ok(Pull { roster: Arc::new(roster), refused, without })
    }

    /// The roster in place, if a pull on `basis` may go on from it.
    async fn roster_to_go_on_from(
        &self,
        basis: &str,
        today: NaiveDate,
        now: DateTime<Utc>,
    ) -> Result<Option<Before>, EngineError> {
        let roster = match self.roster().await {
            Ok(roster) => roster,
            // It is a cache: what is wrong with it ends with the next whole one.
            Err(error) => {
                tracing::warn!(code = error.code(), "the roster in place cannot be gone on from");
                None
            }
        };
        Ok(roster.and_then(|roster| {
            let state = roster.state()?.clone();
            let age = now.signed_duration_since(state.whole_at);
            let recent = state.basis == basis
                && roster.meta().today == today
                && (TimeDelta::zero()..WHOLE_EVERY).contains(&age);
            recent.then_some(Before { roster, state })
        }))
    }

    /// Notes that the roster was found to be as PowerSchool has it.
    async fn confirm_roster(&self, roster: &Roster, at: DateTime<Utc>) -> Result<(), EngineError> {
        let Some(content) = roster.content() else { return Ok(()) };
        let confirmed = Confirmed { content: content.to_owned(), at };
        let text = serde_json::to_string(&confirmed).unwrap_or_default();
        self.ledger(move |ledger| ledger.set_value(CONFIRMED, &text)).await
    }

    /// When a roster was last found to be as PowerSchool has it.
    pub(crate) async fn roster_as_of(&self, roster: &Roster) -> Result<DateTime<Utc>, EngineError> {
        let text = self.ledger(|ledger| ledger.value(CONFIRMED)).await?.unwrap_or_default();
        let pulled_at = roster.meta().pulled_at;
        Ok(serde_json::from_str::<Confirmed>(&text)
            .ok()
            .filter(|confirmed| roster.content() == Some(&confirmed.content))
            .map_or(pulled_at, |confirmed| confirmed.at))
    }
}

/// The ledger's value that holds when the roster was last found unchanged.
const CONFIRMED: &str = "roster_confirmed";

/// A roster that was found unchanged.
#[derive(Serialize, Deserialize)]
struct Confirmed {
    content: String,
    at: DateTime<Utc>,
}

/// The roster that a pull goes on from.
struct Before {
    roster: Arc<Roster>,
    state: PullState,
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
    /// Made when there is something to write: `None` as long as nothing differs from the roster in place.
    staging: Option<RosterStaging>,
    /// What is in the roster it begins as a copy of; `None` where it begins empty.
    copied: Option<RosterCounts>,
    folder: PathBuf,
    key: ProfileKey,
    turn: OwnedMutexGuard<()>,
}

impl Filling {
    fn staging(&mut self) -> Result<&mut RosterStaging, StoreError> {
        let staging = match self.staging.take() {
            Some(staging) => staging,
            None if self.copied.is_some() => RosterStaging::copy(&self.folder, self.key.expose())?,
            None => RosterStaging::create(&self.folder, self.key.expose())?,
        };
        Ok(self.staging.insert(staging))
    }

    /// Rows of a table so far.
    fn stored<R: RosterTable>(&self) -> u64 {
        match (&self.staging, &self.copied) {
            (Some(staging), _) => staging.counts().of::<R>(),
            (None, Some(copied)) => copied.of::<R>(),
            (None, None) => 0,
        }
    }

    fn finish(mut self, meta: RosterMeta) -> Result<Roster, StoreError> {
        self.staging()?;
        let Self { staging, turn, .. } = self;
        let roster = staging.ok_or(StoreError::NotFound("roster being filled"))?.finish(meta);
        drop(turn);
        roster
    }
}

/// Something to do with the new file, mostly a batch on its way there. Boxed, because all tables take the same way.
type Insert = Box<dyn FnOnce(&mut Filling) -> Result<(), StoreError> + Send>;

/// Inserts what comes until nothing more can, in the order it comes.
fn insert_all(mut filling: Filling, mut waiting: mpsc::Receiver<Insert>) -> Result<Filling, EngineError> {
    while let Some(insert) = waiting.blocking_recv() {
        insert(&mut filling)?;
    }
    Ok(filling)
}

/// A pull under way.
struct Reading<'a> {
    client: &'a Client,
    on_rows: OnRows<'a>,
    pace: Pace,
    inserts: mpsc::Sender<Insert>,
    /// The roster that changes are laid over.
    before: Option<Before>,
    outcome: Mutex<ReadOutcome>,
}

/// What is known of the reading besides the rows.
#[derive(Default)]
struct ReadOutcome {
    /// The data versions of what has been read.
    versions: BTreeMap<String, u64>,
    /// What the whole answers are recognised by, where there are no versions.
    answers: BTreeMap<String, serde_json::Value>,
    /// Whether any table was not read whole.
    laid_over: bool,
    /// The jobs that lack something.
    refused: BTreeMap<Job, rosterbridge_powerschool::Error>,
    /// What the jobs do without.
    without: Vec<Warning>,
}

impl Reading<'_> {
    /// Reads every table that the jobs need; the school years it was about. Which those are must be known before most
    /// tables are asked for. Of the rest some are read at the same time, the largest first: the many small ones then
    /// cost their round trips while a large one streams.
    async fn read(&self, today: NaiveDate, jobs: &[Job]) -> Result<Vec<YearId>, EngineError> {
        let every_year = PullScope { jobs: jobs.to_vec(), ..PullScope::every_year() };
        let listing = async { Ok::<Vec<School>, EngineError>(self.client.schools().await?) };
        let (schools, terms) = tokio::try_join!(listing, self.terms(&every_year))?;
        (self.on_rows)("schools", schools.len() as u64);
        let years = years_of(&schools, &terms, today);
        if self.of_before(Roster::schools).await?.as_ref() != Some(&schools) {
            self.stage(RosterStaging::discard::<School>).await?;
            self.insert(schools).await?;
        }

        let first_day =
            terms.iter().filter(|term| years.contains(&term.year)).map(|term| term.first_day).min();
        let scope = PullScope { years, first_day, ..every_year };
        let tables: [TableReading<'_>; 12] = [
            Box::pin(self.followed_table::<Enrollment>(&scope, "enrolments")),
            Box::pin(self.followed_table::<Student>(&scope, "students")),
            Box::pin(self.table_for_some::<CalendarDay>(&scope, "calendar days")),
            Box::pin(self.table_for_some::<SectionMeeting>(&scope, "meetings")),
            Box::pin(self.followed_table::<Section>(&scope, "sections")),
            Box::pin(self.table_for_some::<Teacher>(&scope, "teachers")),
            Box::pin(self.table_for_some::<Course>(&scope, "courses")),
            Box::pin(self.table_if_allowed::<Reenrollment>(&scope, "earlier enrolments")),
            Box::pin(self.table_for_some::<AttendanceCode>(&scope, "attendance codes")),
            Box::pin(self.table_for_some::<Period>(&scope, "periods")),
            Box::pin(self.table_for_some::<CycleDay>(&scope, "cycle days")),
            Box::pin(self.table_for_some::<BellScheduleItem>(&scope, "bell schedules")),
        ];
        stream::iter(tables).buffer_unordered(TABLES_AT_ONCE).try_collect::<()>().await?;
        Ok(scope.years)
    }

    /// Every term.
    async fn terms(&self, every_year: &PullScope) -> Result<Vec<Term>, EngineError> {
        if self.repeats::<Term>(every_year, "terms").await
            && let Some(terms) = self.of_before(Roster::terms).await?
        {
            return Ok(terms);
        }
        let mut terms = Vec::new();
        self.table::<Term>(every_year, "terms", |batch| match batch {
            Batch::Rows(rows) => terms.extend_from_slice(rows),
            Batch::StartOver => terms.clear(),
        })
        .await?;
        Ok(terms)
    }

    /// Reads something of the roster in place.
    async fn of_before<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Roster) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Option<T>, EngineError> {
        let Some(before) = &self.before else { return Ok(None) };
        let roster = Arc::clone(&before.roster);
        blocking(move || Ok(Some(read(&roster)?))).await
    }

    /// Whether all rows of a table came in one answer, which is the one that the roster in place has them from.
    async fn repeats<R: RosterRow + RosterTable>(&self, scope: &PullScope, subject: &'static str) -> bool {
        let Some(before) = &self.before else { return false };
        let same_years = scope.years.is_empty() || scope.years == before.roster.meta().years;
        let kept = before.state.answers.get(R::table()).filter(|_| same_years && scope.needs::<R>());
        let Some(known) = kept.and_then(|kept| Fingerprint::deserialize(kept).ok()) else { return false };
        let rows = before.roster.counts().of::<R>();
        let repeats = self.client.repeats::<R>(scope, &known, rows).await.unwrap_or_else(|error| {
            // Whatever keeps the server from answering will show again, or not matter to the next way of reading.
            tracing::info!(table = R::table(), code = error.code(), "no answer: reading the table");
            false
        });
        if let (true, Some(kept)) = (repeats, kept) {
            self.outcome().answers.insert(R::table().to_owned(), kept.clone());
            (self.on_rows)(subject, rows);
        }
        repeats
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
        let (sink, mut batches) = mpsc::channel::<Batch<R>>(1);
        let pulling = async { Ok::<_, EngineError>(self.client.pull::<R>(scope, sink).await?) };
        let passing = async {
            let mut counts = Counts::of(subject, self.on_rows, &self.pace);
            let (mut count, mut discarded) = (0, false);
            while let Some(batch) = batches.recv().await {
                seen(&batch);
                match batch {
                    Batch::Rows(rows) => {
                        // What the file has stays until there is something to put in its place.
                        if !std::mem::replace(&mut discarded, true) {
                            self.stage(RosterStaging::discard::<R>).await?;
                        }
                        count += rows.len() as u64;
                        self.insert(rows).await?;
                    }
                    Batch::StartOver => {
                        count = 0;
                        if discarded {
                            self.stage(RosterStaging::discard::<R>).await?;
                        }
                    }
                }
                counts.so_far(count, Instant::now());
            }
            counts.in_all(count);
            Ok::<bool, EngineError>(discarded)
        };
        let (pulled, discarded) = tokio::try_join!(pulling, passing)?;
        if !discarded {
            self.stage(RosterStaging::discard::<R>).await?;
        }
        let mut outcome = self.outcome();
        if let Some(version) = pulled.version {
            outcome.versions.insert(R::table().to_owned(), version.get());
        }
        if let Some(kept) = pulled.fingerprint.and_then(|taken| serde_json::to_value(taken).ok()) {
            outcome.answers.insert(R::table().to_owned(), kept);
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
        if self.repeats::<R>(scope, subject).await {
            return Ok(());
        }
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

    /// Reads a table that the jobs can do without. Where the plugin may not read it, there are no rows of it, and what
    /// that costs is told.
    async fn table_if_allowed<R: RosterRow + RosterTable>(
        &self,
        scope: &PullScope,
        subject: &'static str,
    ) -> Result<(), EngineError> {
        if self.repeats::<R>(scope, subject).await {
            return Ok(());
        }
        let error = match self.table::<R>(scope, subject, |_| ()).await {
            Err(EngineError::PowerSchool(error)) => error,
            other => return other,
        };
        let Some(warning) = scope.without::<R>(&error) else { return Err(error.into()) };
        tracing::info!(table = R::table(), code = error.code(), "going on without the table");
        self.outcome().without.push(warning);
        self.fill(|filling| match filling.stored::<R>() {
            0 => Ok(()),
            _ => filling.staging()?.discard::<R>(),
        })
        .await
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
            .filter(|before| scope.needs::<R>() && before.roster.meta().years == scope.years)
            .and_then(|before| before.state.versions.get(R::table()));
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
        self.fill(move |filling| {
            if !changed.is_empty() {
                filling.staging()?.replace(&changed)?;
            }
            // Nobody to tell when the pull was cancelled.
            let _ = told.send(filling.stored::<R>());
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
        self.fill(move |filling| work(filling.staging()?)).await
    }

    async fn fill(
        &self,
        work: impl FnOnce(&mut Filling) -> Result<(), StoreError> + Send + 'static,
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
