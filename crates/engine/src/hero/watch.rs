//! Looking from outside whether PowerSchool's AutoSend and AutoComm do what they should: over the account's connection,
//! reading only. A look is no run, and one that fails is no failed run.

mod judge;
mod shape;

use std::{collections::HashMap, io, sync::Arc, time::SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use rosterbridge_domain::{
    dated_path::DatedPath,
    day::{Planned, Step},
    job::{AccountId, Job, JobId},
    notice::{Alert, AlertKind, AlertSubject, Happening, Reason},
    schedule::{Due, JobSchedule},
    settings::{
        Destination, ExportJob, ExportKind, FieldDelimiter, HeroAccount, JobSettings, ManagedConnection,
        Owner, Setup,
    },
};
use rosterbridge_sftp::{Entry, RemoteFile};
use rosterbridge_store::{Roster, ledger::WatchedFile};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use self::{
    judge::{Expected, Found, Seen, TOLERANCE},
    shape::{Counted, Shape},
};
use crate::{
    connections::managed,
    engine::{Engine, blocking},
    error::EngineError,
    exports::Export,
    notices::{announce, reason},
    report::{Cause, WatchState, WatchView, WatchedFileView},
    run::OnEvent,
    tally::Tally,
};

/// The ledger's value that holds what was seen, account by account.
const WATCH: &str = "watch";

/// How long after PowerSchool's time it is looked first: Hero may remove what it has taken.
const FIRST_LOOK: TimeDelta = TimeDelta::minutes(3);
/// How soon it is looked again while a file may still come.
const SOON: TimeDelta = TimeDelta::minutes(5);
/// How soon it is looked again while something is wrong that may be put right.
const LATER: TimeDelta = TimeDelta::hours(1);
/// How far back a time of PowerSchool's is looked for.
const LOOK_BACK: TimeDelta = TimeDelta::days(8);

/// What is known of an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Watched {
    account: AccountId,
    /// The exports and imports that are watched by their schedule.
    jobs: Vec<WatchedJob>,
    /// When it is looked again though no time of PowerSchool's has come.
    next_look: Option<DateTime<Utc>>,
    /// When the files were seen last: not every look sees something.
    #[serde(default)]
    seen_at: Option<DateTime<Utc>>,
    /// What the latest look showed; none before the first.
    view: Option<WatchView>,
}

/// An export or import that PowerSchool does by a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct WatchedJob {
    job: JobId,
    /// The schedule this is about: another one starts anew.
    schedule: JobSchedule,
    /// Since when it is watched: nothing is expected of earlier times.
    since: DateTime<Utc>,
    /// PowerSchool's time whose file was in order.
    settled: Option<DateTime<Utc>>,
}

impl WatchedJob {
    /// PowerSchool's latest time.
    fn due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.schedule.due(Some(self.since.max(now - LOOK_BACK)), now, TOLERANCE) {
            Due::Run(run) => Some(run.occurrence),
            Due::Skipped { occurrence, .. } => Some(occurrence),
            Due::NotYet { .. } => None,
        }
    }

    /// PowerSchool's latest time whose file was not seen in order yet.
    fn open(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.due(now).filter(|due| self.settled != Some(*due))
    }
}

impl Watched {
    /// What is known of an account with what is set up now.
    fn of(account: &HeroAccount, setup: &Setup, before: Option<Self>, now: DateTime<Utc>) -> Self {
        let mut known = before.unwrap_or(Self {
            account: account.id,
            jobs: Vec::new(),
            next_look: None,
            seen_at: None,
            view: None,
        });
        let known_jobs = std::mem::take(&mut known.jobs);
        let scheduled = |job: &JobId| {
            let settings = setup.jobs.iter().find(|settings| settings.job == *job)?;
            Some((*job, settings.schedule.filter(|_| settings.enabled)?))
        };
        let watched = powerschools(account).filter_map(|job| scheduled(&job));
        known.jobs = watched
            .map(|(job, schedule)| {
                let same = |known: &&WatchedJob| known.job == job && known.schedule == schedule;
                let begun = WatchedJob { job, schedule, since: now, settled: None };
                known_jobs.iter().find(same).copied().unwrap_or(begun)
            })
            .collect();
        known
    }

    /// When a file that is not in order yet becomes late next.
    fn next_late(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let late = self.jobs.iter().filter_map(|job| job.open(now)).map(|due| due + TOLERANCE);
        late.filter(|late| *late > now).min()
    }

    /// Whether an account's file was looked for after it was due and before Hero takes in files.
    fn looked_in_time(&self, job: JobId, due: Option<DateTime<Utc>>) -> bool {
        let mut earlier = self.view.iter().flat_map(|view| &view.files);
        // Looks that came later change nothing about it.
        let missed =
            earlier.any(|file| file.job == job && file.due_at == due && file.state == WatchState::NotSeen);
        !missed && self.seen_at.zip(due).is_some_and(|(seen, due)| due <= seen)
    }

    /// Whether there is anything to look for.
    fn asks(&self, now: DateTime<Utc>) -> bool {
        let looked_at = self.view.as_ref().map(|view| view.looked_at);
        let again = self.next_look.is_some_and(|next| next <= now);
        self.jobs.iter().filter_map(|job| job.open(now)).any(|due| {
            let first = due + FIRST_LOOK;
            first <= now && (again || looked_at.is_none_or(|at| at < first))
        })
    }
}

/// What is looked for.
struct Watch<'a> {
    setup: &'a Setup,
    account: &'a HeroAccount,
    connection: &'a ManagedConnection,
    now: DateTime<Utc>,
}

/// A file on the way to being judged.
struct Looked {
    job: JobId,
    /// The path as it is configured.
    slot: String,
    record: String,
    expected: Expected,
    seen: Seen,
}

impl Engine {
    /// Looks over an account's connection whether what PowerSchool should have sent is there and as it should be.
    pub async fn watch(
        self: &Arc<Self>,
        account: AccountId,
        now: DateTime<Utc>,
        on_event: &OnEvent,
    ) -> Result<WatchView, EngineError> {
        let setup = self.setup().await?;
        let of_account = setup.hero.account(account);
        let no_such = || EngineError::NoSuchJob(JobId::new(Job::HeroStudents, account));
        let of_account = of_account.ok_or_else(no_such)?;
        let _watching = self.watching.lock().await;
        // On the heap, so that whoever asks stays small.
        Box::pin(self.look_from_outside(&setup, of_account, now, &CancellationToken::new(), on_event)).await
    }

    /// Looks where a time of PowerSchool's has come.
    pub async fn watch_due(
        self: &Arc<Self>,
        now: DateTime<Utc>,
        stop: &CancellationToken,
        on_event: &OnEvent,
    ) -> Result<(), EngineError> {
        let setup = self.setup().await?;
        if !setup.hero.accounts.iter().any(|account| powerschools(account).next().is_some()) {
            return Ok(());
        }
        if self.pause().await?.is_paused(now) {
            return Ok(());
        }
        let _watching = self.watching.lock().await;
        let before = self.watched().await?;
        let of = |account: &HeroAccount| before.iter().find(|known| known.account == account.id).cloned();
        let known: Vec<(&HeroAccount, Watched)> = setup
            .hero
            .accounts
            .iter()
            .filter(|account| powerschools(account).next().is_some())
            .map(|account| (account, Watched::of(account, &setup, of(account), now)))
            .collect();
        let jobs = |known: &Watched| known.jobs.clone();
        if !known.iter().map(|(_, known)| jobs(known)).eq(before.iter().map(jobs)) {
            self.keep_watched(known.iter().map(|(_, known)| known.clone()).collect(), Vec::new(), now)
                .await?;
        }
        for (account, known) in known {
            if !known.asks(now) || self.is_summer(&setup, account, now).await? {
                continue;
            }
            match Box::pin(self.look_from_outside(&setup, account, now, stop, on_event)).await {
                Ok(_) | Err(EngineError::Cancelled) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn is_summer(
        &self,
        setup: &Setup,
        account: &HeroAccount,
        now: DateTime<Utc>,
    ) -> Result<bool, EngineError> {
        // It is a cache: where there is none, no summer is known.
        let roster = self.roster().await.unwrap_or_default();
        let summers = self.summers(setup, roster.as_ref()).await?;
        Ok(summers.on(summers.today(now, account.hero_side.zone)).is_some())
    }

    /// What the latest look showed of each account for which PowerSchool does something.
    pub(crate) async fn watch_views(&self, setup: &Setup) -> Result<Vec<WatchView>, EngineError> {
        let is_powerschools = |file: &WatchedFileView| setup.owner(file.job) == Owner::PowerSchool;
        let views = self.watched().await?.into_iter().filter_map(|known| {
            let mut view = known.view?;
            view.files.retain(is_powerschools);
            (view.cause.is_some() || !view.files.is_empty()).then_some(view)
        });
        let has_any = |view: &WatchView| {
            setup.hero.account(view.account).is_some_and(|account| powerschools(account).next().is_some())
        };
        Ok(views.filter(has_any).collect())
    }

    /// Looks at an account's files and keeps what was seen, together with what is told of it.
    async fn look_from_outside(
        self: &Arc<Self>,
        setup: &Setup,
        account: &HeroAccount,
        now: DateTime<Utc>,
        cancel: &CancellationToken,
        on_event: &OnEvent,
    ) -> Result<WatchView, EngineError> {
        let mut all = self.watched().await?;
        let place = all.iter().position(|known| known.account == account.id);
        let before = place.map(|place| all.remove(place));
        let mut known = Watched::of(account, setup, before, now);
        let connection = managed(setup, account.connection)?;
        let watch = Watch { setup, account, connection, now };
        let (view, told, may_pass) = match self.see(&watch, &known, cancel).await {
            Ok(looked) => {
                let (looked, not_compared) =
                    Box::pin(self.compare_rows(&watch, looked, cancel, on_event)).await?;
                let may_pass = not_compared
                    .as_ref()
                    .is_some_and(|error| error.may_pass() || matches!(error, EngineError::Busy));
                let not_compared = not_compared.map(|error| error.cause());
                let (view, mut told) = shown(&watch, looked, not_compared, known.view.as_ref());
                told.push(Happening::InOrder(subject_of(&watch)));
                (view, told, may_pass)
            }
            Err(EngineError::Cancelled) => return Err(EngineError::Cancelled),
            Err(error) => {
                let told = blind(&watch, &known, &error);
                let files = known.view.as_ref().map(|view| view.files.clone()).unwrap_or_default();
                let cause = Some(error.cause());
                let view =
                    WatchView { account: account.id, looked_at: now, cause, not_compared: None, files };
                (view, told, error.may_pass())
            }
        };
        tracing::info!(
            account = account.id.number(),
            code = view.cause.as_ref().map(|cause| cause.code.as_str()),
            alerts = view.files.iter().filter(|file| file.state == WatchState::Alert).count(),
            "it was looked whether PowerSchool does what it should"
        );
        if view.cause.is_none() {
            for job in &mut known.jobs {
                let of_job = view.files.iter().find(|file| file.job == job.job);
                let in_order = of_job
                    .filter(|file| matches!(file.state, WatchState::Fine | WatchState::Taken) && !may_pass);
                // Nothing more will be known of a file that may have come and gone.
                let gone = of_job.filter(|file| file.state == WatchState::NotSeen);
                if let Some(due) = in_order.or(gone).and_then(|file| file.due_at) {
                    job.settled = Some(due);
                }
            }
            known.seen_at = Some(now);
        }
        let any = |state| view.files.iter().any(|file| file.state == state);
        known.next_look = match (&view.cause, may_pass) {
            // It stays as it is until a person does something, and is told once a file is late.
            (Some(_), false) => known.next_late(now),
            (None, _) if any(WatchState::Waiting) => Some(now + SOON),
            (Some(_), true) | (None, _) => Some(now + LATER),
        };
        known.view = Some(view.clone());
        all.push(known);
        all.sort_by_key(|known| known.account);
        let notices = self.keep_watched(all, told, now).await?;
        announce(&notices, on_event);
        self.wake_sending();
        Ok(view)
    }

    /// Looks at the files and reads them, over a connection of its own.
    async fn see(
        &self,
        watch: &Watch<'_>,
        known: &Watched,
        cancel: &CancellationToken,
    ) -> Result<Vec<Looked>, EngineError> {
        let mut looked = watch.wanted(known)?;
        if looked.is_empty() {
            return Ok(looked);
        }
        if !watch.connection.allow_download {
            return Err(EngineError::SwitchedOff("'Allow Download' of the Hero connection"));
        }
        let memory = self.memory(watch).await?;
        let connecting = self.connect(watch.setup, watch.account.connection, Job::HeroStudents, cancel);
        let session = cancel.run_until_cancelled(connecting).await.ok_or(EngineError::Cancelled)??;
        for file in &mut looked {
            let path = RemoteFile::parse(&file.expected.path)?;
            let there = session.stat(&path).await?.filter(|entry| !entry.is_folder);
            file.seen.there = there.as_ref().map(Found::from);
            file.seen.before = memory.get(&file.expected.path).copied();
            file.seen.in_time = known.looked_in_time(file.job, file.expected.due);
            if file.expected.path.contains('/') {
                let in_root = session.stat(&RemoteFile::parse(path.name())?).await?;
                file.seen.in_root = in_root.filter(|entry| !entry.is_folder).as_ref().map(Found::from);
            }
            if file.seen.there.is_some_and(|found| file.expected.is_fresh(&found, watch.now)) {
                let (delimiter, header) = watch.layout(file.job);
                let reading = session.download(&path, Shape::new(delimiter));
                let (_, shape) = reading.await?;
                let mut counted = shape.finish();
                counted.rows = counted.rows.saturating_sub(u64::from(header));
                file.seen.counted = Some(counted);
            }
        }
        if let Err(error) = session.close().await {
            tracing::debug!(%error, "the server did not say goodbye");
        }
        self.remember_seen(watch, &looked).await?;
        Ok(looked)
    }

    /// What was seen of the account's files before, by path.
    async fn memory(&self, watch: &Watch<'_>) -> Result<HashMap<String, Found>, EngineError> {
        let connection = watch.account.connection.to_string();
        let files = self.ledger(move |ledger| ledger.watched_files(&connection)).await?;
        let found =
            |file: &WatchedFile| Found { bytes: file.size, modified: file.modified.or(Some(file.last_seen)) };
        Ok(files.into_iter().map(|file| (file.path.clone(), found(&file))).collect())
    }

    async fn remember_seen(&self, watch: &Watch<'_>, looked: &[Looked]) -> Result<(), EngineError> {
        let (connection, now) = (watch.account.connection.to_string(), watch.now);
        let seen: Vec<(String, Option<Found>)> =
            looked.iter().map(|file| (file.expected.path.clone(), file.seen.there)).collect();
        self.ledger(move |ledger| {
            let mut known: HashMap<String, WatchedFile> = ledger
                .watched_files(&connection)?
                .into_iter()
                .map(|file| (file.path.clone(), file))
                .collect();
            for (path, found) in seen {
                let before = known.remove(&path);
                let file = match (found, before) {
                    (Some(Found { bytes, modified }), before) => {
                        let same = before.filter(|file| (file.size, file.modified) == (bytes, modified));
                        let first_seen = same.map_or(now, |file| file.first_seen);
                        let connection = connection.clone();
                        let (size, last_seen) = (bytes, now);
                        WatchedFile { connection, path, size, modified, first_seen, last_seen, gone_at: None }
                    }
                    (None, Some(mut before)) if before.gone_at.is_none() => {
                        before.gone_at = Some(now);
                        before
                    }
                    (None, _) => continue,
                };
                ledger.keep_watched_file(&file)?;
            }
            Ok(())
        })
        .await
    }

    /// Compares the exports that were read with what PowerSchool has. Where that can't be known, the error tells why.
    async fn compare_rows(
        self: &Arc<Self>,
        watch: &Watch<'_>,
        mut looked: Vec<Looked>,
        cancel: &CancellationToken,
        on_event: &OnEvent,
    ) -> Result<(Vec<Looked>, Option<EngineError>), EngineError> {
        let read: Vec<JobId> = looked
            .iter()
            .filter(|file| file.seen.counted.is_some() && !file.expected.of_hero)
            .map(|file| file.job)
            .collect();
        if read.is_empty() {
            return Ok((looked, None));
        }
        if watch.setup.powerschool.url.trim().is_empty() {
            let unknown = EngineError::NotSetUp("PowerSchool's address and credentials are not set up yet");
            return Ok((looked, Some(unknown)));
        }
        let setup = watch.as_if_ours(&read);
        let pulling = Box::pin(self.look_between_runs(&setup, watch.now, on_event));
        let pulled = cancel.run_until_cancelled(pulling).await.ok_or(EngineError::Cancelled)?;
        let mut pull = match pulled {
            Ok(Some(pull)) => pull,
            // Somebody's run was faster.
            Ok(None) | Err(EngineError::Cancelled) if !cancel.is_cancelled() => {
                return Ok((looked, Some(EngineError::Busy)));
            }
            Ok(None) => return Err(EngineError::Cancelled),
            Err(error) => return Ok((looked, Some(error))),
        };
        let mut not_compared = None;
        for file in looked.iter_mut().filter(|file| read.contains(&file.job)) {
            if let Some(error) = pull.refused.remove(&file.job.kind()) {
                not_compared = Some(error.into());
                continue;
            }
            let (setup, roster) = (setup.clone(), Arc::clone(&pull.roster));
            let (job, cancel) = (file.job, cancel.clone());
            let counting = blocking(move || count_rows(job, &setup, &roster, &cancel));
            match counting.await {
                Ok(rows) => file.expected.rows = Some(rows),
                Err(EngineError::Cancelled) => return Err(EngineError::Cancelled),
                Err(error) => not_compared = Some(error),
            }
        }
        Ok((looked, not_compared))
    }

    async fn watched(&self) -> Result<Vec<Watched>, EngineError> {
        let text = self.ledger(|ledger| ledger.value(WATCH)).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Keeps what was seen at once with what is told of it: neither without the other.
    async fn keep_watched(
        &self,
        all: Vec<Watched>,
        told: Vec<Happening>,
        now: DateTime<Utc>,
    ) -> Result<Vec<rosterbridge_domain::notice::Notice>, EngineError> {
        let text = serde_json::to_string(&all).unwrap_or_default();
        self.note(told, now, Some((WATCH, text)), None).await
    }
}

impl Watch<'_> {
    /// The files that are looked at, with what they should be like but for their rows.
    fn wanted(&self, known: &Watched) -> Result<Vec<Looked>, EngineError> {
        powerschools(self.account)
            .map(|job| {
                let watched = known.jobs.iter().find(|watched| watched.job == job);
                let due = watched.and_then(|watched| watched.due(self.now));
                let zone = watched.map_or(self.account.hero_side.zone, |watched| watched.schedule.zone);
                let import = &self.account.attendance;
                let (slot, record, columns) = if let Some(kind) = ExportKind::of(job.kind()) {
                    let export = self.account.export(kind);
                    (&export.path, &export.name, self.columns(job, export))
                } else {
                    (&import.path, &import.name, import.fields.len())
                };
                let mut expected = Expected {
                    path: slot.clone(),
                    of_hero: job.kind() == Job::HeroAttendance,
                    due,
                    zone,
                    columns: u32::try_from(columns).unwrap_or(u32::MAX),
                    rows: None,
                    taken_at: due.and_then(|due| self.taken_at(due)),
                };
                let path = DatedPath::parse(slot).map_err(|error| {
                    EngineError::HeroSettings(vec![super::HeroProblem::Path { job, error }])
                })?;
                expected.path = path.expand(expected.day(self.now));
                let (slot, record) = (slot.clone(), record.clone());
                Ok(Looked { job, slot, record, expected, seen: Seen::default() })
            })
            .collect()
    }

    /// When Hero takes in files next after a time, where somebody entered when it does.
    fn taken_at(&self, due: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let side = &self.account.hero_side;
        let schedule = Planned::at_hero(Step::HeroImports, side.imports_at, side.zone).schedule?;
        schedule.next_after(due)
    }

    /// The columns of an export. PowerSchool may send fields that are not known here: then its lines are counted.
    fn columns(&self, job: JobId, export: &ExportJob) -> usize {
        let today = self.now.date_naive();
        let known = Export::of(job, self.setup, today).map(|export| export.columns().len());
        known.unwrap_or_else(|_| export.fields.iter().filter(|field| !field.trim().is_empty()).count())
    }

    /// How the fields of a file are separated, and whether it begins with their names.
    fn layout(&self, job: JobId) -> (FieldDelimiter, bool) {
        match ExportKind::of(job.kind()) {
            Some(kind) => {
                let export = self.account.export(kind);
                (export.field_delimiter, export.header)
            }
            None => (self.account.attendance.field_delimiter, self.account.attendance.header),
        }
    }

    /// The set-up as if these exports were this program's, with fields that are known: for the rows they have.
    fn as_if_ours(&self, jobs: &[JobId]) -> Setup {
        let mut setup = self.setup.clone();
        for &job in jobs {
            setup.jobs.retain(|settings| settings.job != job);
            setup.jobs.push(JobSettings { job, enabled: true, schedule: None });
            let account = setup.hero.accounts.iter_mut().find(|account| account.id == job.account());
            let (Some(account), Some(kind)) = (account, ExportKind::of(job.kind())) else { continue };
            let usual = ExportJob::usual(kind);
            let export = match kind {
                ExportKind::Students => &mut account.students,
                ExportKind::Schedule => &mut account.schedule,
                ExportKind::Teachers => &mut account.teachers,
            };
            (export.owner, export.destination) = (Owner::RosterBridge, Destination::Connection);
            (export.fields, export.path) = (usual.fields, usual.path);
            // They have no effect where PowerSchool sends.
            (export.only_current_terms, export.schools) = (false, Vec::new());
        }
        setup
    }
}

impl From<&Entry> for Found {
    fn from(entry: &Entry) -> Self {
        let since_1970 = entry.modified.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        let seconds = since_1970.and_then(|passed| i64::try_from(passed.as_secs()).ok());
        let modified = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        Self { bytes: entry.size, modified }
    }
}

/// The exports and the import of an account that are PowerSchool's to do.
fn powerschools(account: &HeroAccount) -> impl Iterator<Item = JobId> + '_ {
    account.jobs().into_iter().filter(|job| account.owner(job.kind()) == Some(Owner::PowerSchool))
}

/// The rows an export would have.
fn count_rows(
    job: JobId,
    setup: &Setup,
    roster: &Roster,
    cancel: &CancellationToken,
) -> Result<u64, EngineError> {
    let export = Export::of(job, setup, roster.meta().today)?;
    let written = export.write(roster, cancel, &mut Tally::default(), &mut io::sink());
    Ok(written.map_err(|error| EngineError::Export { job, source: error.into() })?.rows)
}

/// The account's connection as something that is looked at.
fn subject_of(watch: &Watch<'_>) -> AlertSubject {
    let job = JobId::new(Job::HeroStudents, watch.account.id);
    AlertSubject { kind: AlertKind::Look, job, file: watch.connection.name.clone() }
}

/// What is told when nothing could be seen: something once a file should have been there.
fn blind(watch: &Watch<'_>, known: &Watched, error: &EngineError) -> Vec<Happening> {
    let open = known.jobs.iter().filter_map(|job| Some((job, job.open(watch.now)?)));
    let late = open.filter(|(_, due)| *due + TOLERANCE <= watch.now).max_by_key(|(_, due)| *due);
    let alert = late.map(|(job, due)| Alert {
        subject: subject_of(watch),
        day: job.schedule.local_date(due),
        what: error.cause().message,
        reason: reason(error),
    });
    alert.into_iter().map(Happening::Alerted).collect()
}

/// What is shown and told of files that were looked at.
fn shown(
    watch: &Watch<'_>,
    looked: Vec<Looked>,
    not_compared: Option<Cause>,
    before: Option<&WatchView>,
) -> (WatchView, Vec<Happening>) {
    let (mut files, mut told) = (Vec::new(), Vec::new());
    for file in looked {
        let Looked { job, slot, record, expected, seen } = file;
        let (state, problem) = expected.judge(&seen, watch.now);
        let earlier = before.and_then(|view| view.files.iter().find(|earlier| earlier.job == job));
        // Hero has taken it, and it was wrong.
        let was_wrong = earlier.filter(|earlier| {
            state == WatchState::Taken
                && earlier.state == WatchState::Alert
                && earlier.rows.is_some()
                && earlier.due_at == expected.due
                && earlier.path == expected.path
        });
        if let Some(earlier) = was_wrong {
            files.push(earlier.clone());
            continue;
        }
        let subject = AlertSubject { kind: AlertKind::Watch, job, file: slot };
        match (&problem, state) {
            (Some(problem), _) if expected.due.is_some() => {
                let cause = problem.cause();
                told.push(Happening::Alerted(Alert {
                    subject,
                    day: expected.day(watch.now),
                    what: cause.message,
                    reason: Reason { code: cause.code, remedy: cause.remedy },
                }));
            }
            (None, WatchState::Fine | WatchState::Taken) => told.push(Happening::InOrder(subject)),
            _ => {}
        }
        let elsewhere = if let Some(judge::WatchProblem::WrongFolder { found, .. }) = &problem {
            Some(found.clone())
        } else {
            None
        };
        let found = if elsewhere.is_some() { seen.in_root } else { seen.there };
        let counted: Option<Counted> = seen.counted;
        files.push(WatchedFileView {
            job,
            record,
            path: expected.path.clone(),
            due_at: expected.due,
            state,
            found: elsewhere,
            bytes: found.map(|found| found.bytes),
            modified: found.and_then(|found| found.modified),
            columns: counted.and_then(|counted| counted.columns),
            expected_columns: expected.columns,
            rows: counted.map(|counted| counted.rows),
            expected_rows: expected.rows,
            cause: problem.map(|problem| problem.cause()),
        });
    }
    let view =
        WatchView { account: watch.account.id, looked_at: watch.now, cause: None, not_compared, files };
    (view, told)
}
