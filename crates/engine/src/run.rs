//! A run: one roster pull, then each job planned and applied.

mod attendance;
mod files;
mod outcome;
mod status;
mod undo;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use chrono::Utc;
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{
    job::{Job, JobId, Outcome},
    settings::{ConnectionId, Destination, ExportKind, HeroAccount, ManagedConnection, Owner, Setup},
};
use rosterbridge_sftp::Session;
use rosterbridge_store::{
    Roster, StoreError,
    ledger::{RunId, Trigger},
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::outcome::Failure;
use self::outcome::{Done, job_report, job_result, log_end, outcome, seconds, skipped};
use crate::{
    care::EndedRun,
    engine::Engine,
    error::EngineError,
    hero,
    notices::announce,
    pull::{Pull, Server},
    report::{Event, JobReport, LeftAlone, Phase, Progress, SyncReport},
    school_year::YearsInSight,
    transfers::Turn,
};

/// Told what happens during a run.
pub type OnEvent = Arc<dyn Fn(Event) + Send + Sync>;

/// What a run is to do.
struct Assignment {
    id: RunId,
    setup: Setup,
    /// In running order.
    jobs: Vec<JobId>,
    /// The run whose writes are to be taken back, if it is an undo.
    undone: Option<RunId>,
    dry: bool,
    cancel: CancellationToken,
    on_event: OnEvent,
}

/// Everything a run has at hand.
struct Run<'a> {
    engine: &'a Engine,
    id: RunId,
    dry: bool,
    setup: Setup,
    server: Server,
    /// `None` where a damaged one is let go of and no other could be read yet.
    roster: Option<Arc<Roster>>,
    /// The jobs whose part of the roster could not be read.
    refused: BTreeMap<Job, rosterbridge_powerschool::Error>,
    /// What the jobs do without, because the plugin has no access to it.
    without: Vec<rosterbridge_powerschool::Warning>,
    /// The managed connections that are open, each by the first job that needed it.
    sessions: BTreeMap<ConnectionId, (Arc<Session>, Turn)>,
    /// The job a connection failed for, and why. It is not tried again in this run: four wrong passwords in a row can lock
    /// an account.
    failed: BTreeMap<ConnectionId, (JobId, Arc<EngineError>)>,
    /// Where the schools are in their years.
    years: YearsInSight,
    /// The jobs of the run.
    jobs: Vec<JobId>,
    /// The next export, put together while the one before it is sent.
    ahead: Option<hero::Composing>,
    cancel: CancellationToken,
    on_event: OnEvent,
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) report: SyncReport,
    /// What the jobs that did not come to their end failed of.
    pub(crate) failures: BTreeMap<JobId, Failure>,
    /// The jobs that another sender had paused before the run: nothing was done for them.
    pub(crate) paused: BTreeSet<JobId>,
    /// Of an undo: what stays as it is.
    pub(crate) left: Vec<LeftAlone>,
}

impl Engine {
    /// Runs jobs now: the named ones, or all that are enabled. A dry run plans and shows, and writes nothing.
    pub async fn sync(
        self: &Arc<Self>,
        jobs: Vec<JobId>,
        dry_run: bool,
        on_event: OnEvent,
    ) -> Result<SyncReport, EngineError> {
        let trigger = if dry_run { Trigger::DryRun } else { Trigger::Manual };
        let setup = self.setup().await?;
        let ran = self.run_jobs(jobs, trigger, on_event).await?;
        if !dry_run {
            self.follow_circuits(&setup, &ran, Utc::now());
        }
        Ok(ran.report)
    }

    /// Runs jobs now, on whatever made them due.
    pub(crate) async fn run_jobs(
        self: &Arc<Self>,
        jobs: Vec<JobId>,
        trigger: Trigger,
        on_event: OnEvent,
    ) -> Result<Ran, EngineError> {
        self.run_work(jobs, trigger, None, on_event).await
    }

    /// Runs jobs, or takes back what they wrote in the run `undone`.
    #[tracing::instrument(
        name = "run",
        skip_all,
        fields(profile = self.profile_name(), run = tracing::field::Empty, trigger = trigger.as_str())
    )]
    pub(crate) async fn run_work(
        self: &Arc<Self>,
        jobs: Vec<JobId>,
        trigger: Trigger,
        undone: Option<RunId>,
        on_event: OnEvent,
    ) -> Result<Ran, EngineError> {
        let dry_run = trigger == Trigger::DryRun;
        let setup = self.setup().await?;
        let mut jobs = if jobs.is_empty() {
            setup.enabled_jobs()
        } else {
            if undone.is_none() {
                refuse_others(&setup, &jobs)?;
            }
            jobs
        };
        jobs.sort_unstable();
        jobs.dedup();
        if jobs.is_empty() {
            return Err(EngineError::NotSetUp("no exchange is switched on yet"));
        }
        let now = Utc::now();
        let id = RunId::new(now);
        tracing::Span::current().record("run", id.to_string());
        self.end_look().await;
        let under_way = self.begin(&id.to_string())?;
        self.record_ended_runs().await?;
        let planned = jobs.clone();
        self.ledger(move |ledger| ledger.start_run(id, trigger, &planned, now)).await?;
        pass(CrashPoint::RunRecorded);
        tracing::info!(jobs = jobs.len(), "the run starts");
        on_event(Event::RunStarted { run: id.to_string(), jobs: jobs.clone(), dry_run });

        let report = SyncReport {
            run: id.to_string(),
            dry_run,
            outcome: Outcome::Failed,
            jobs: Vec::new(),
            cause: None,
            seconds: Vec::new(),
        };
        let mut ran = Ran { report, failures: BTreeMap::new(), paused: BTreeSet::new(), left: Vec::new() };
        // An undo takes back what a job did: nobody asked for a report of that.
        let reporting = undone.is_none().then(|| setup.clone());
        // Whatever stops it, the run gets its end, and every job a word.
        let assignment = Assignment {
            id,
            setup,
            jobs: jobs.clone(),
            undone,
            dry: dry_run,
            cancel: under_way.cancel.clone(),
            on_event: Arc::clone(&on_event),
        };
        // On the heap, so that whoever waits for a run stays small.
        if let Err(error) = Box::pin(self.work(assignment, &mut ran)).await {
            let told: Vec<JobId> = ran.report.jobs.iter().map(|report| report.job).collect();
            let missed: Vec<JobId> = jobs.into_iter().filter(|job| !told.contains(job)).collect();
            if missed.contains(&JobId::RAPTOR_ROSTER) && trigger == Trigger::Schedule {
                self.raptor_not_reached(&error, id, &on_event).await;
            }
            for job in missed {
                ran.failures.insert(job, Failure::of(&error));
                ran.report.jobs.push(skipped(job));
            }
            ran.report.cause = Some(error.cause());
        }
        ran.report.jobs.sort_by_key(|report| report.job);
        ran.report.outcome = outcome(&ran.report);
        pass(CrashPoint::RunDone);
        tracing::info!(
            outcome = ran.report.outcome.as_str(),
            code = ran.report.cause.as_ref().map(|cause| cause.code.as_str()),
            "the run has ended"
        );
        if !dry_run {
            // Before the run counts as finished: a crash in between must not keep it from being told.
            let told = self.note_run(reporting.as_ref(), &ran.report, &ran.paused, Utc::now()).await;
            announce(&told, &on_event);
        }
        let (outcome, cause) = (ran.report.outcome, ran.report.cause.clone().map(Into::into));
        let end = EndedRun { id, outcome, cause, at: Utc::now() };
        let EndedRun { cause, at, .. } = end.clone();
        if let Err(error) =
            self.ledger(move |ledger| ledger.finish_run(id, outcome, cause.as_ref(), at)).await
        {
            self.house.record_later(end);
            return Err(error);
        }
        pass(CrashPoint::RunFinished);
        drop(under_way);
        self.give_back_memory();
        self.wake_sending();
        on_event(Event::RunFinished(ran.report.clone()));
        Ok(ran)
    }

    /// Does the jobs of a run, one after the other. How each ended is in `ran`; an error is one that no job can be done
    /// after.
    async fn work(&self, mut assignment: Assignment, ran: &mut Ran) -> Result<(), EngineError> {
        let (id, undone, on_event) = (assignment.id, assignment.undone, Arc::clone(&assignment.on_event));
        if undone.is_none() && !assignment.dry {
            self.leave_paused(&mut assignment, ran).await?;
            if assignment.jobs.is_empty() {
                return Ok(());
            }
        }
        let mut run = self.prepare(assignment, &mut ran.report).await?;
        for job in run.jobs.clone() {
            let started = Instant::now();
            self.ledger(move |ledger| ledger.start_job(id, job, Utc::now())).await?;
            pass(CrashPoint::JobStarted);
            let mut done = Done::default();
            let ended = match undone {
                Some(undone) => run.undo(job, undone, &mut done).await,
                None => run.job(job, &mut done).await,
            };
            // It is a cache: PowerSchool is read anew, and the job begins again. It had come to planning only.
            let ended = if undone.is_none() && ended.is_err() && run.lacks_roster() {
                done = Done::default();
                match run.pull_again().await {
                    Ok(()) => run.job(job, &mut done).await,
                    Err(error) => Err(error),
                }
            } else {
                ended
            };
            if run.dry
                && undone.is_none()
                && let Some(paused) =
                    self.other_senders(&run.setup).await?.into_iter().find(|paused| paused.job == job)
            {
                done.notes.push(format!("{} A real run ends at once.", paused.cause.message));
            }
            ran.left.append(&mut done.left);
            if let Some(failure) = done.failure {
                ran.failures.insert(job, failure);
            }
            ran.report.seconds.push(seconds(&job.to_string(), started));
            let finished = job_report(job, done, ended.as_ref().err());
            if let Err(error) = ended {
                ran.failures.insert(job, Failure::of(&error));
                // A dry run only warns.
                if let (EngineError::LargeChange(change), false) = (error, run.dry) {
                    self.remember_stop(*change).await?;
                }
            }
            pass(CrashPoint::JobDone);
            self.end_job(id, finished, ran, &on_event).await?;
        }
        run.close().await;
        Ok(())
    }

    /// Ends the jobs of a run that another sender has paused, before anything is read, and takes them out of it.
    async fn leave_paused(&self, assignment: &mut Assignment, ran: &mut Ran) -> Result<(), EngineError> {
        let id = assignment.id;
        for paused in self.other_senders(&assignment.setup).await? {
            let job = paused.job;
            let Some(place) = assignment.jobs.iter().position(|of_run| *of_run == job) else { continue };
            assignment.jobs.remove(place);
            self.ledger(move |ledger| ledger.start_job(id, job, Utc::now())).await?;
            let error = EngineError::OtherSender(Box::new(paused.cause));
            ran.paused.insert(job);
            ran.failures.insert(job, Failure::of(&error));
            let finished = job_report(job, Done::default(), Some(&error));
            self.end_job(id, finished, ran, &assignment.on_event).await?;
        }
        Ok(())
    }

    async fn end_job(
        &self,
        id: RunId,
        finished: JobReport,
        ran: &mut Ran,
        on_event: &OnEvent,
    ) -> Result<(), EngineError> {
        let (job, result) = (finished.job, job_result(&finished));
        self.ledger(move |ledger| ledger.finish_job(id, job, &result, Utc::now())).await?;
        pass(CrashPoint::JobRecorded);
        log_end(&finished);
        on_event(Event::JobFinished(finished.clone()));
        ran.report.jobs.push(finished);
        Ok(())
    }

    /// Meets PowerSchool and pulls the roster.
    async fn prepare<'a>(
        &'a self,
        assignment: Assignment,
        report: &mut SyncReport,
    ) -> Result<Run<'a>, EngineError> {
        let Assignment { id, setup, jobs, undone: _, dry, cancel, on_event } = assignment;
        let started = Instant::now();
        let practice = self.is_at_practice_address().await?;
        let progress = |subject: &'static str, done: u64| {
            on_event(Event::Progress(Progress {
                run: id.to_string(),
                job: None,
                phase: Phase::Pull,
                subject: subject.to_owned(),
                done,
                total: None,
            }));
        };
        let server =
            cancel.run_until_cancelled(self.meet(&setup, practice)).await.ok_or(EngineError::Cancelled)??;
        if !dry {
            self.bind_to_district(server.district.as_deref()).await?;
        }
        pass(CrashPoint::ServerMet);
        let reading = exchanges(&setup, &jobs);
        let pull = match self.pull_from(&server, &reading, &cancel, &progress).await {
            // The roster it began with is damaged. The second time it begins with nothing.
            Err(EngineError::Store(StoreError::Corrupt(_) | StoreError::Damaged { .. })) => {
                self.pull_from(&server, &reading, &cancel, &progress).await?
            }
            pull => pull?,
        };
        let years =
            self.notice_school_year(&setup, &pull, dry, Utc::now(), &on_event, Some(&id.to_string())).await?;
        let Pull { roster, refused, without } = pull;
        pass(CrashPoint::RosterPulled);
        report.seconds.push(seconds("pull", started));
        Ok(Run {
            engine: self,
            id,
            dry,
            setup,
            server,
            roster: Some(roster),
            refused,
            without,
            sessions: BTreeMap::new(),
            failed: BTreeMap::new(),
            years,
            jobs,
            ahead: None,
            cancel,
            on_event,
        })
    }
}

impl Run<'_> {
    /// Reads PowerSchool anew in place of a roster that turned out to be damaged.
    async fn pull_again(&mut self) -> Result<(), EngineError> {
        tracing::warn!("the roster is damaged; PowerSchool is read anew");
        let id = self.id.to_string();
        let progress = |subject: &'static str, done: u64| {
            (self.on_event)(Event::Progress(Progress {
                run: id.clone(),
                job: None,
                phase: Phase::Pull,
                subject: subject.to_owned(),
                done,
                total: None,
            }));
        };
        let jobs = exchanges(&self.setup, &self.jobs);
        // Windows replaces no file that is open.
        (self.roster, self.ahead) = (None, None);
        let pull = self.engine.pull_from(&self.server, &jobs, &self.cancel, &progress).await?;
        (self.roster, self.refused, self.without) = (Some(pull.roster), pull.refused, pull.without);
        Ok(())
    }

    fn roster(&self) -> Result<&Arc<Roster>, EngineError> {
        Ok(self.roster.as_ref().ok_or(StoreError::NotFound("roster"))?)
    }

    /// Whether there is no roster, or one that turned out to be damaged.
    fn lacks_roster(&self) -> bool {
        self.roster.as_ref().is_none_or(|roster| roster.is_damaged())
    }

    #[tracing::instrument(skip_all, fields(job = %job))]
    async fn job(&mut self, job: JobId, done: &mut Done) -> Result<(), EngineError> {
        if self.cancel.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        self.allowed(job)?;
        if let Some(error) = self.refused.get(&job.kind()) {
            let error = EngineError::from(error.clone());
            if job.kind() == Job::RaptorRoster && !self.dry {
                self.refuse_raptor(&error).await?;
            }
            return Err(error);
        }
        match job.kind() {
            Job::HeroStudents | Job::HeroSchedule | Job::HeroTeachers => self.export(job, done).await,
            Job::HeroAttendance => self.hero_attendance(job, done).await,
            Job::RaptorRoster => {
                // It opens the connection itself, and there may be no more sessions than this one.
                if let Some(server) = &self.setup.raptor.connection {
                    self.let_go_of(server.connection).await;
                }
                let ended = self.raptor_roster(done).await;
                // That a person stopped it says nothing about the integration.
                if !self.dry && !matches!(ended, Err(EngineError::Cancelled)) {
                    self.follow_raptor(ended.as_ref().err()).await?;
                }
                ended
            }
            Job::RaptorTardies => self.raptor_tardies(done).await,
        }
    }

    /// Whether the set-up lets a job do what it does: nothing leaves or is written that a person switched off.
    fn allowed(&self, job: JobId) -> Result<(), EngineError> {
        let raptor = &self.setup.raptor;
        match job.kind() {
            Job::HeroStudents | Job::HeroSchedule | Job::HeroTeachers => {
                let export = ExportKind::of(job.kind()).ok_or(EngineError::NoSuchJob(job))?;
                let leaves = self.account(job)?.export(export).destination == Destination::Connection;
                if leaves && !self.connection_of(job)?.allow_upload {
                    return Err(EngineError::SwitchedOff("'Allow Upload' of the Hero connection"));
                }
                Ok(())
            }
            Job::HeroAttendance if !self.connection_of(job)?.allow_download => {
                Err(EngineError::SwitchedOff("'Allow Download' of the Hero connection"))
            }
            Job::RaptorRoster | Job::RaptorTardies if !raptor.enabled => {
                Err(EngineError::SwitchedOff("The Raptor integration"))
            }
            Job::RaptorTardies if !raptor.student_tardy => Err(EngineError::SwitchedOff("'Student Tardy'")),
            _ => Ok(()),
        }
    }

    /// The account at Hero that a job belongs to.
    fn account(&self, job: JobId) -> Result<&HeroAccount, EngineError> {
        self.setup.hero.account(job.account()).ok_or(EngineError::NoSuchJob(job))
    }

    /// The managed connection of a job for Hero.
    fn connection_of(&self, job: JobId) -> Result<&ManagedConnection, EngineError> {
        let id = self.account(job)?.connection;
        self.setup.connection(id).ok_or(EngineError::NoSuchConnection(id))
    }

    fn progress(&self, job: JobId, phase: Phase, subject: &str, done: u64, total: Option<u64>) {
        (self.on_event)(Event::Progress(Progress {
            run: self.id.to_string(),
            job: Some(job),
            phase,
            subject: subject.to_owned(),
            done,
            total,
        }));
    }

    /// The connection to Hero of a job's account.
    async fn hero(&mut self, job: JobId) -> Result<Arc<Session>, EngineError> {
        let id = self.account(job)?.connection;
        self.session(job, id).await
    }

    /// The connection to Raptor's server; `None` where files are exchanged over a folder.
    async fn raptor(&mut self, job: JobId) -> Result<Option<Arc<Session>>, EngineError> {
        let Some(id) = self.setup.raptor.connection.as_ref().map(|server| server.connection) else {
            return Ok(None);
        };
        Ok(Some(self.session(job, id).await?))
    }

    /// A managed connection, open.
    async fn session(&mut self, job: JobId, id: ConnectionId) -> Result<Arc<Session>, EngineError> {
        if let Some((session, _turn)) = self.sessions.get(&id) {
            return Ok(Arc::clone(session));
        }
        if let Some((first, error)) = self.failed.get(&id) {
            return Err(EngineError::NotTried { first: *first, error: Arc::clone(error) });
        }
        // A keychain that asks a person for its password may take any time.
        let connecting = self.engine.connect(&self.setup, id, job.kind(), &self.cancel);
        let connected = self.cancel.run_until_cancelled(connecting).await;
        match connected.unwrap_or(Err(EngineError::Cancelled)) {
            Ok(open) => {
                pass(CrashPoint::HeroConnected);
                let (session, turn) = open.into_parts();
                let session = Arc::new(session);
                self.sessions.insert(id, (Arc::clone(&session), turn));
                Ok(session)
            }
            Err(error @ (EngineError::Sftp(_) | EngineError::RaptorServer(_))) => {
                let error = Arc::new(error);
                self.failed.insert(id, (job, Arc::clone(&error)));
                Err(EngineError::NotConnected(error))
            }
            Err(error) => Err(error),
        }
    }

    async fn close(mut self) {
        while let Some((id, _)) = self.sessions.first_key_value() {
            self.let_go_of(*id).await;
        }
    }

    /// Closes a managed connection, if it is open.
    async fn let_go_of(&mut self, id: ConnectionId) {
        let Some((session, _turn)) = self.sessions.remove(&id) else { return };
        // Everything is done; a server that dislikes goodbyes changes nothing.
        if let Some(session) = Arc::into_inner(session)
            && let Err(error) = session.close().await
        {
            tracing::debug!(%error, "the server did not say goodbye");
        }
    }
}

/// Refuses jobs that are of no account, or are PowerSchool's to do.
fn refuse_others(setup: &Setup, jobs: &[JobId]) -> Result<(), EngineError> {
    let possible = setup.possible_jobs();
    for &job in jobs {
        if !possible.contains(&job) {
            return Err(EngineError::NoSuchJob(job));
        }
        if setup.owner(job) == Owner::PowerSchool {
            return Err(EngineError::OwnedByPowerSchool(job));
        }
    }
    Ok(())
}

/// The exchanges of these jobs and of those that are switched on: the latter look into the roster between runs, too.
fn exchanges(setup: &Setup, jobs: &[JobId]) -> Vec<Job> {
    let enabled = setup.enabled_exchanges();
    let of_run = |kind: &Job| jobs.iter().any(|job| job.kind() == *kind);
    Job::ALL.into_iter().filter(|kind| of_run(kind) || enabled.contains(kind)).collect()
}
