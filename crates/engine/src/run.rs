//! A run: one roster pull, then each job planned and applied.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::Utc;
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{
    attendance::{NoOpReason, OverwriteRules, Source},
    integration::{IntegrationEvent, IntegrationStatus},
    job::{FileReceipt, Job, Outcome, RowCounts},
    notice::Reason,
    retry::Remote,
    settings::Setup,
};
use rosterbridge_sftp::Session;
use rosterbridge_store::{
    Roster, StoreError,
    ledger::{DecisionOutcome, JobResult, RunId, Trigger},
};
use tokio_util::sync::CancellationToken;

use crate::{
    attendance::{AttendancePlan, Delivered, PlannedInput, SourceRow, Writing},
    care::{EndedRun, Found, Rereading},
    connections::answer_time,
    engine::{Engine, blocking},
    error::EngineError,
    exports, guard, hero,
    notices::{announce, reason},
    pull::{Pull, Server},
    raptor,
    report::{Cause, Event, JobReport, LeftAlone, Phase, PhaseSeconds, PlanView, Progress, SyncReport},
    school_year::YearsInSight,
};

/// Told what happens during a run.
pub type OnEvent = Arc<dyn Fn(Event) + Send + Sync>;

/// Everything a run has at hand.
struct Run<'a> {
    engine: &'a Engine,
    id: RunId,
    dry: bool,
    setup: Setup,
    server: Server,
    roster: Arc<Roster>,
    /// The jobs whose part of the roster could not be read.
    refused: BTreeMap<Job, rosterbridge_powerschool::Error>,
    /// The connection to Hero, opened by the first job that needs it.
    hero: Option<Arc<Session>>,
    /// The job the connection to Hero failed for, and why. It is not tried again in this run: four wrong passwords
    /// in a row can lock an account.
    hero_failed: Option<(Job, Arc<EngineError>)>,
    /// Where the schools are in their years.
    years: YearsInSight,
    /// The jobs of the run.
    jobs: Vec<Job>,
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
    pub(crate) failures: BTreeMap<Job, Failure>,
    /// Of an undo: what stays as it is.
    pub(crate) left: Vec<LeftAlone>,
}

/// What a failure means for trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The system it concerns, if it could not be reached or did not answer as it should.
    pub(crate) remote: Option<Remote>,
    /// Whether it may pass by itself.
    pub(crate) may_pass: bool,
    /// When the system asked to be tried again.
    pub(crate) asked: Option<Duration>,
    /// Whether it was stopped, rather than failed.
    pub(crate) stopped: bool,
}

impl Failure {
    /// One that nothing is known of: trying again may help.
    pub(crate) const UNKNOWN: Self = Self { remote: None, may_pass: true, asked: None, stopped: false };

    fn of(error: &EngineError) -> Self {
        Self {
            remote: error.remote(),
            may_pass: error.may_pass(),
            asked: error.retry_after(),
            stopped: matches!(error, EngineError::Cancelled),
        }
    }
}

/// What a job has done so far: kept when it ends with an error too.
#[derive(Default)]
struct Done {
    rows: RowCounts,
    newly_held: u64,
    files: Vec<FileReceipt>,
    notes: Vec<String>,
    /// What kept it from doing all, though it went on.
    cause: Option<Cause>,
    /// What that means for trying again.
    failure: Option<Failure>,
    /// What was planned.
    plan: Option<PlanView>,
    /// Of an undo: what stays as it is.
    left: Vec<LeftAlone>,
}

impl Engine {
    /// Runs jobs now: the named ones, or all that are enabled. A dry run plans and shows, and writes nothing.
    pub async fn sync(
        self: &Arc<Self>,
        jobs: Vec<Job>,
        dry_run: bool,
        on_event: OnEvent,
    ) -> Result<SyncReport, EngineError> {
        let trigger = if dry_run { Trigger::DryRun } else { Trigger::Manual };
        let ran = self.run_jobs(jobs, trigger, on_event).await?;
        if !dry_run {
            self.follow_circuits(&ran, Utc::now());
        }
        Ok(ran.report)
    }

    /// Runs jobs now, on whatever made them due.
    pub(crate) async fn run_jobs(
        self: &Arc<Self>,
        jobs: Vec<Job>,
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
        jobs: Vec<Job>,
        trigger: Trigger,
        undone: Option<RunId>,
        on_event: OnEvent,
    ) -> Result<Ran, EngineError> {
        let dry_run = trigger == Trigger::DryRun;
        let setup = self.setup().await?;
        let mut jobs = if jobs.is_empty() {
            Job::ALL.into_iter().filter(|job| setup.job_enabled(*job)).collect()
        } else {
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
        let mut ran = Ran { report, failures: BTreeMap::new(), left: Vec::new() };
        // Whatever stops it, the run gets its end, and every job a word.
        let worked = self.work(id, setup, &jobs, undone, &under_way.cancel, &on_event, &mut ran).await;
        if let Err(error) = worked {
            for job in jobs.into_iter().skip(ran.report.jobs.len()) {
                ran.failures.insert(job, Failure::of(&error));
                ran.report.jobs.push(skipped(job));
            }
            ran.report.cause = Some(error.cause());
        }
        ran.report.outcome = outcome(&ran.report);
        pass(CrashPoint::RunDone);
        tracing::info!(
            outcome = ran.report.outcome.as_str(),
            code = ran.report.cause.as_ref().map(|cause| cause.code.as_str()),
            "the run has ended"
        );
        if !dry_run {
            // Before the run counts as finished: a crash in between must not keep it from being told.
            match self.note_run(&ran.report, Utc::now()).await {
                Ok(notices) => announce(&notices, &on_event),
                Err(error) => tracing::warn!(code = error.code(), "what is to be told can't be kept"),
            }
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
        self.wake_sending();
        on_event(Event::RunFinished(ran.report.clone()));
        Ok(ran)
    }

    /// Does the jobs of a run, one after the other. How each ended is in `ran`; an error is one that no job can be done
    /// after.
    #[allow(clippy::too_many_arguments, reason = "one caller")]
    async fn work(
        &self,
        id: RunId,
        setup: Setup,
        jobs: &[Job],
        undone: Option<RunId>,
        cancel: &CancellationToken,
        on_event: &OnEvent,
        ran: &mut Ran,
    ) -> Result<(), EngineError> {
        let mut run = self.prepare(id, setup, jobs, cancel.clone(), on_event, &mut ran.report).await?;
        run.jobs = jobs.to_vec();
        for &job in jobs {
            let started = Instant::now();
            self.ledger(move |ledger| ledger.start_job(id, job, Utc::now())).await?;
            pass(CrashPoint::JobStarted);
            let mut done = Done::default();
            let ended = match undone {
                Some(undone) => run.undo(job, undone, &mut done).await,
                None => run.job(job, &mut done).await,
            };
            // It is a cache: PowerSchool is read anew, and the job begins again. It had come to planning only.
            let ended = if undone.is_none() && ended.is_err() && run.roster.is_damaged() {
                done = Done::default();
                match run.pull_again().await {
                    Ok(()) => run.job(job, &mut done).await,
                    Err(error) => Err(error),
                }
            } else {
                ended
            };
            ran.left.append(&mut done.left);
            if let Some(failure) = done.failure {
                ran.failures.insert(job, failure);
            }
            ran.report.seconds.push(seconds(job.as_str(), started));
            let finished = job_report(job, done, ended.as_ref().err());
            if let Err(error) = ended {
                ran.failures.insert(job, Failure::of(&error));
                // A dry run only warns.
                if let (EngineError::LargeChange(change), false) = (error, run.dry) {
                    self.remember_stop(*change).await?;
                }
            }
            let result = job_result(&finished);
            pass(CrashPoint::JobDone);
            self.ledger(move |ledger| ledger.finish_job(id, job, &result, Utc::now())).await?;
            pass(CrashPoint::JobRecorded);
            log_end(&finished);
            on_event(Event::JobFinished(finished.clone()));
            ran.report.jobs.push(finished);
        }
        run.close().await;
        Ok(())
    }

    /// Meets PowerSchool and pulls the roster.
    async fn prepare<'a>(
        &'a self,
        id: RunId,
        setup: Setup,
        jobs: &[Job],
        cancel: CancellationToken,
        on_event: &OnEvent,
        report: &mut SyncReport,
    ) -> Result<Run<'a>, EngineError> {
        let (started, dry) = (Instant::now(), report.dry_run);
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
        // The jobs that are switched on look into the roster between runs, too.
        let jobs: Vec<Job> =
            Job::ALL.into_iter().filter(|job| jobs.contains(job) || setup.job_enabled(*job)).collect();
        let pull = match self.pull_from(&server, &jobs, &cancel, &progress).await {
            // The roster it began with is damaged. The second time it begins with nothing.
            Err(EngineError::Store(StoreError::Corrupt(_) | StoreError::Damaged { .. })) => {
                self.pull_from(&server, &jobs, &cancel, &progress).await?
            }
            pull => pull?,
        };
        let years = self.notice_school_year(&setup, &pull, dry, Utc::now(), on_event).await?;
        let Pull { roster, refused } = pull;
        pass(CrashPoint::RosterPulled);
        report.seconds.push(seconds("pull", started));
        Ok(Run {
            engine: self,
            id,
            dry,
            setup,
            server,
            roster,
            refused,
            hero: None,
            hero_failed: None,
            years,
            jobs: Vec::new(),
            ahead: None,
            cancel,
            on_event: Arc::clone(on_event),
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
        let needed = |job: &Job| self.jobs.contains(job) || self.setup.job_enabled(*job);
        let jobs: Vec<Job> = Job::ALL.into_iter().filter(needed).collect();
        let pull = self.engine.pull_from(&self.server, &jobs, &self.cancel, &progress).await?;
        (self.roster, self.refused, self.ahead) = (pull.roster, pull.refused, None);
        Ok(())
    }

    #[tracing::instrument(skip_all, fields(job = job.as_str()))]
    async fn job(&mut self, job: Job, done: &mut Done) -> Result<(), EngineError> {
        if self.cancel.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        self.allowed(job)?;
        if let Some(error) = self.refused.get(&job) {
            let error = EngineError::from(error.clone());
            if job == Job::RaptorRoster && !self.dry {
                self.follow_raptor(Some(&error)).await?;
            }
            return Err(error);
        }
        match job {
            Job::HeroStudents | Job::HeroSchedule | Job::HeroTeachers => self.export(job, done).await,
            Job::HeroAttendance => self.hero_attendance(done).await,
            Job::RaptorRoster => {
                let ended = self.raptor_roster(done).await;
                if !self.dry {
                    self.follow_raptor(ended.as_ref().err()).await?;
                }
                ended
            }
            Job::RaptorTardies => self.raptor_tardies(done).await,
        }
    }

    /// Whether the set-up lets a job do what it does: nothing leaves or is written that a person switched off.
    fn allowed(&self, job: Job) -> Result<(), EngineError> {
        let (hero, raptor) = (&self.setup.hero, &self.setup.raptor);
        match job {
            Job::HeroStudents | Job::HeroSchedule | Job::HeroTeachers if !hero.allow_upload => {
                Err(EngineError::SwitchedOff("'Allow Upload' of the Hero connection"))
            }
            Job::HeroAttendance if !hero.allow_download => {
                Err(EngineError::SwitchedOff("'Allow Download' of the Hero connection"))
            }
            Job::RaptorRoster | Job::RaptorTardies if !raptor.enabled => {
                Err(EngineError::SwitchedOff("The Raptor integration"))
            }
            Job::RaptorTardies if !raptor.student_tardy => Err(EngineError::SwitchedOff("'Student Tardy'")),
            _ => Ok(()),
        }
    }

    fn progress(&self, job: Job, phase: Phase, subject: &str, done: u64, total: Option<u64>) {
        (self.on_event)(Event::Progress(Progress {
            run: self.id.to_string(),
            job: Some(job),
            phase,
            subject: subject.to_owned(),
            done,
            total,
        }));
    }

    /// The connection to Hero.
    async fn hero(&mut self, job: Job) -> Result<Arc<Session>, EngineError> {
        if let Some(session) = &self.hero {
            return Ok(Arc::clone(session));
        }
        if let Some((first, error)) = &self.hero_failed {
            return Err(EngineError::NotTried { first: *first, error: Arc::clone(error) });
        }
        match self.engine.hero(&self.setup, &self.cancel).await {
            Ok(session) => {
                pass(CrashPoint::HeroConnected);
                Ok(Arc::clone(self.hero.insert(Arc::new(session))))
            }
            Err(error @ EngineError::Sftp(_)) => {
                let error = Arc::new(error);
                self.hero_failed = Some((job, Arc::clone(&error)));
                Err(EngineError::NotConnected(error))
            }
            Err(error) => Err(error),
        }
    }

    async fn close(self) {
        if let Some(session) = self.hero.and_then(Arc::into_inner) {
            // Everything is done; a server that dislikes goodbyes changes nothing.
            if let Err(error) = session.close().await {
                tracing::debug!(%error, "Hero's server did not say goodbye");
            }
        }
    }

    fn compose(&self, job: Job) -> hero::Composing {
        hero::Composing::start(job, &self.setup, &self.roster)
    }

    async fn export(&mut self, job: Job, done: &mut Done) -> Result<(), EngineError> {
        self.progress(job, Phase::Plan, "rows", 0, None);
        let composing = match self.ahead.take() {
            Some(ahead) if ahead.job == job => ahead,
            _ => self.compose(job),
        };
        let plan = self.engine.plan_export(composing, &self.years).await?;
        let next = self.jobs.iter().copied().find(|next| *next > job && exports::file_name(*next).is_some());
        self.ahead = next.map(|next| self.compose(next));
        let rows = plan.receipt.rows;
        if !self.dry {
            let name = plan.receipt.name.clone();
            self.progress(job, Phase::Upload, &name, 0, Some(rows));
            let session = self.hero(job).await?;
            self.engine.apply_export(&plan, &self.setup, &self.roster, &session, self.id).await?;
            self.engine.keep_pre_registered(&self.years, std::slice::from_ref(&plan.receipt)).await?;
            self.progress(job, Phase::Upload, &name, rows, Some(rows));
        }
        done.rows = RowCounts { read: rows, written: rows, ..RowCounts::default() };
        done.plan = Some(PlanView::of_files(job, std::slice::from_ref(&plan.receipt)));
        done.files.push(plan.receipt);
        done.notes = plan.notes;
        Ok(())
    }

    async fn hero_attendance(&mut self, done: &mut Done) -> Result<(), EngineError> {
        let job = Job::HeroAttendance;
        self.read_again(job, done).await?;
        let unclear = self.settle(job, done).await?;
        self.progress(job, Phase::Download, &self.setup.hero.attendance_file.clone(), 0, None);
        let session = self.hero(job).await?;
        let fetched =
            self.engine.fetch_attendance(&self.setup, &self.roster, self.server.zone, &session).await?;
        let Some((input, rows)) = fetched else {
            if self.dry {
                let note =
                    format!("{} is not there yet: nothing to import.", self.setup.hero.attendance_file);
                done.notes.push(note);
                return Ok(());
            }
            return Err(EngineError::ExportMissing(self.setup.hero.attendance_file.clone()));
        };
        self.progress(job, Phase::Plan, "rows", rows.len() as u64, None);
        let plan = self.plan_attendance(hero::SOURCE, vec![input], rows).await?;
        self.apply_attendance(job, plan, unclear, done).await?;
        Ok(())
    }

    async fn raptor_roster(&self, done: &mut Done) -> Result<(), EngineError> {
        self.progress(Job::RaptorRoster, Phase::Plan, "buildings", 0, None);
        let plan = self.engine.plan_rosters(&self.setup, &self.roster, &self.years).await?;
        if !self.dry {
            self.engine.apply_rosters(&plan, &self.setup, &self.roster, self.id).await?;
            self.engine.keep_pre_registered(&self.years, &plan.files).await?;
        }
        let rows = plan.files.iter().map(|file| file.rows).sum();
        done.rows = RowCounts { read: rows, written: rows, ..RowCounts::default() };
        done.plan = Some(PlanView::of_files(Job::RaptorRoster, &plan.files));
        done.files = plan.files;
        Ok(())
    }

    /// Moves the Raptor integration's status with the outcome of a full synchronisation. A run a person asked for
    /// counts as the window being open.
    async fn follow_raptor(&self, failed: Option<&EngineError>) -> Result<(), EngineError> {
        if self.engine.raptor_status().await? == IntegrationStatus::PendingInitialization {
            self.move_raptor(IntegrationEvent::WindowOpened, None).await?;
        }
        pass(CrashPoint::StatusUnmoved);
        match failed {
            None => self.move_raptor(IntegrationEvent::SyncSucceeded, None).await,
            Some(error) => self.move_raptor(IntegrationEvent::SyncFailed, Some(reason(error))).await,
        }
    }

    async fn move_raptor(&self, event: IntegrationEvent, reason: Option<Reason>) -> Result<(), EngineError> {
        let notices = self.engine.raptor_event(event, reason).await?;
        self.engine.wake_sending();
        announce(&notices, &self.on_event);
        Ok(())
    }

    async fn raptor_tardies(&mut self, done: &mut Done) -> Result<(), EngineError> {
        let job = Job::RaptorTardies;
        let status = self.engine.raptor_status().await?;
        if !status.takes_tardies() && !self.dry {
            return Err(EngineError::RaptorNotInitialized(status));
        }
        self.read_again(job, done).await?;
        let unclear = self.settle(job, done).await?;
        self.progress(job, Phase::Download, "tardy files", 0, None);
        let dropped = self.engine.read_tardies(&self.setup, &self.roster, self.server.zone).await?;
        let files: Vec<_> =
            dropped.paths.into_iter().zip(dropped.inputs.iter().map(|input| input.sha256.clone())).collect();
        self.progress(job, Phase::Plan, "rows", dropped.rows.len() as u64, None);
        let plan = self.plan_attendance(raptor::SOURCE, dropped.inputs, dropped.rows).await?;
        let decided = self.apply_attendance(job, plan, unclear, done).await?;
        let mut left = dropped.refused;
        if !self.dry {
            let finished = files.into_iter().zip(decided).filter(|(_, decided)| *decided);
            for ((path, sha256), _) in finished {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let (run, seen, content) = (self.id, name.clone(), sha256.clone());
                self.engine
                    .ledger(move |ledger| {
                        ledger.mark_file_seen(raptor::SOURCE, &seen, &content, run, Utc::now())
                    })
                    .await?;
                if let Err(error) = blocking(move || raptor::set_aside(&path, &sha256)).await {
                    // Its rows are decided: read again, they change nothing.
                    left.push((name, error.cause()));
                }
            }
        }
        for (name, cause) in left {
            done.notes.push(format!("{name} was left where it is: {} [{}]", cause.message, cause.code));
            done.cause.get_or_insert(cause);
        }
        Ok(())
    }

    /// After the ledger was restored: reads again what a source stated since its backup was made, so that nothing is
    /// written twice. It fails with the job's own source; the other one is left to its own job.
    async fn read_again(&mut self, job: Job, done: &mut Done) -> Result<(), EngineError> {
        let unread = self.engine.unread_sources().await?;
        if self.dry {
            if !unread.is_empty() {
                done.notes.push(
                    "The ledger was restored from a backup. The next run first reads again what happened since, so \
                     it may do less than shown here."
                        .to_owned(),
                );
            }
            return Ok(());
        }
        for source in unread {
            let of_source = match source {
                Source::Hero => Job::HeroAttendance,
                Source::Raptor => Job::RaptorTardies,
            };
            // What is not in use has nothing to tell.
            let used = self.jobs.contains(&of_source) || self.setup.job_enabled(of_source);
            match if used { self.read_source_again(job, source).await } else { Ok(0) } {
                Ok(records) => {
                    self.engine.source_read_again(source).await?;
                    tracing::info!(source = source.as_str(), records, "read again after the restoring");
                    if records > 0 {
                        done.notes.push(format!(
                            "The ledger was restored from a backup: {records} records written since were found in \
                             PowerSchool and are known again."
                        ));
                    }
                }
                Err(error) if of_source == job => return Err(error),
                Err(error) => {
                    tracing::warn!(
                        source = source.as_str(),
                        code = error.code(),
                        "could not be read again yet"
                    );
                }
            }
        }
        Ok(())
    }

    async fn read_source_again(&mut self, job: Job, source: Source) -> Result<usize, EngineError> {
        self.progress(job, Phase::Download, "what happened since the backup", 0, None);
        let session = if source == Source::Hero { Some(self.hero(job).await?) } else { None };
        let (engine, zone) = (self.engine, self.server.zone);
        let (setup, roster) = (&self.setup, &self.roster);
        let rereading = Rereading { run: self.id, client: &self.server.client, setup, roster, zone };
        let reading = async {
            let Some(session) = session else { return engine.reread_raptor(&rereading).await };
            let fetched = engine.fetch_attendance(setup, roster, zone, &session).await?;
            let Some((input, rows)) = fetched else { return Ok(0) };
            engine.take_over(&rereading, source, &input.name, rows, Found::Waiting).await
        };
        self.cancel.run_until_cancelled(reading).await.ok_or(EngineError::Cancelled)?
    }

    /// Decides every row of a source's files, unless a person stops it.
    async fn plan_attendance(
        &self,
        source: Source,
        inputs: Vec<PlannedInput>,
        rows: Vec<SourceRow>,
    ) -> Result<AttendancePlan, EngineError> {
        let (client, rules) = (&self.server.client, self.rules(source));
        let planning = self.engine.plan_attendance(client, &self.roster, source, inputs, rows, rules);
        self.cancel.run_until_cancelled(planning).await.ok_or(EngineError::Cancelled)?
    }

    /// Who may overwrite what, for rows of a source.
    fn rules(&self, source: Source) -> OverwriteRules<'_> {
        OverwriteRules {
            update_existing: match source {
                Source::Hero => self.setup.hero.update_existing,
                Source::Raptor => true,
            },
            replaceable: &self.setup.mappings.replaceable_codes,
        }
    }

    /// Finishes what an earlier run of either source left open, so that planning sees PowerSchool as it is. Tells
    /// how many writes stay open all the same.
    async fn settle(&self, job: Job, done: &mut Done) -> Result<usize, EngineError> {
        let mut unclear = 0;
        if !self.dry {
            let unread = self.engine.unread_sources().await?;
            for source in [Source::Hero, Source::Raptor] {
                if unread.contains(&source) {
                    // What was written since the ledger's backup is not known: nothing of it is sent again.
                    unclear += self.engine.ledger(move |ledger| ledger.pending(source)).await?.len();
                    continue;
                }
                unclear += self.deliver(job, source, None, None, done).await?.unclear;
            }
        }
        Ok(unclear)
    }

    async fn deliver(
        &self,
        job: Job,
        source: Source,
        judged: Option<RunId>,
        total: Option<u64>,
        done: &mut Done,
    ) -> Result<Delivered, EngineError> {
        let on_written = |written: u64| self.progress(job, Phase::Attendance, "attendance", written, total);
        let writing = Writing {
            client: &self.server.client,
            roster: &self.roster,
            source,
            rules: self.rules(source),
            answer_time: answer_time(&self.setup),
            cancel: &self.cancel,
            on_written: &on_written,
        };
        let mut delivered = Delivered::default();
        let ended = self.engine.deliver(&writing, judged, &mut delivered).await;
        done.rows.written += delivered.written;
        done.rows.noop += delivered.noop;
        done.rows.held += delivered.held;
        done.newly_held += delivered.newly_held;
        if !delivered.doubled.is_empty() {
            for dcids in &delivered.doubled {
                let dcids: Vec<String> = dcids.iter().map(ToString::to_string).collect();
                done.notes.push(format!(
                    "PowerSchool has one attendance record twice: ATTENDANCE.DCID {}.",
                    dcids.join(" and ")
                ));
            }
            done.cause = Some(EngineError::Doubled(delivered.doubled.len()).cause());
        }
        ended.map(|()| delivered)
    }

    /// Records the decisions of a plan, then writes what is to be written. Tells for each file whether every row
    /// of it is decided for good.
    async fn apply_attendance(
        &self,
        job: Job,
        plan: AttendancePlan,
        settled_unclear: usize,
        done: &mut Done,
    ) -> Result<Vec<bool>, EngineError> {
        let source = plan.source;
        let planned = PlanView::of_attendance(job, &plan);
        self.engine.refuse_many_rows(job, &plan, &planned.id).await?;
        done.plan = Some(planned);
        let mut decided = Vec::new();
        let mut to_write = 0;
        let open = if settled_unclear > 0 { self.engine.open_keys().await? } else { HashSet::new() };
        let mut put_off = HashSet::new();
        for mut input in plan.inputs {
            let rows = input.rows;
            let planned = input.decisions.len();
            // A record whose last write is unclear takes no other: its rows wait in their file, and so does a row that
            // only repeats one of them.
            input.decisions.retain(|decision| match &decision.outcome {
                DecisionOutcome::Write(write) if open.contains(&write.key) => {
                    put_off.insert(decision.row_hash);
                    false
                }
                DecisionOutcome::NoOp { reason: NoOpReason::AlreadyDelivered, .. } => {
                    !put_off.contains(&decision.row_hash)
                }
                _ => true,
            });
            let waiting = planned > input.decisions.len();
            let mut counts = RowCounts { read: rows, ..RowCounts::default() };
            for decision in &input.decisions {
                match decision.outcome {
                    DecisionOutcome::Write(_) => counts.written += 1,
                    DecisionOutcome::NoOp { .. } => counts.noop += 1,
                    DecisionOutcome::Hold { .. } => counts.held += 1,
                    DecisionOutcome::Reject { .. } => counts.rejected += 1,
                }
            }
            decided.push(counts.held == 0 && !waiting);
            note_rejected(&mut done.notes, &input);
            done.files.push(FileReceipt {
                name: input.name.clone(),
                rows,
                bytes: input.bytes,
                sha256: input.sha256,
            });
            to_write += counts.written;
            if !self.dry {
                let (run, name, decisions) = (self.id, input.name, input.decisions);
                let recorded = self
                    .engine
                    .ledger(move |ledger| ledger.record_decisions(run, source, &name, &decisions, Utc::now()))
                    .await?;
                pass(CrashPoint::DecisionsRecorded);
                done.newly_held += recorded.newly_held + recorded.newly_rejected;
                // What is to be written counts once it is.
                counts.written = 0;
                counts.held = recorded.held;
                counts.noop = recorded.noop;
                counts.rejected = recorded.rejected;
            }
            add(&mut done.rows, counts);
        }
        if self.dry {
            return Ok(decided);
        }
        self.progress(job, Phase::Attendance, "attendance", 0, Some(to_write));
        let delivered = self.deliver(job, source, Some(self.id), Some(to_write), done).await?;
        if delivered.held > 0 || delivered.unclear > 0 {
            // A refused row waits in its file until it is decided.
            decided.fill(false);
        }
        // What settling left open, this delivery has tried again if it is of the same source.
        let unclear =
            if settled_unclear > 0 { self.engine.open_keys().await?.len() } else { delivered.unclear };
        if unclear > 0 {
            done.fail(&EngineError::AnswersUnclear(unclear));
        }
        self.engine.forget_stop(job, guard::IMPORT).await?;
        Ok(decided)
    }

    /// Takes back what another run wrote for a job.
    #[tracing::instrument(skip_all, fields(job = job.as_str(), undone = %undone))]
    async fn undo(&mut self, job: Job, undone: RunId, done: &mut Done) -> Result<(), EngineError> {
        if self.cancel.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        if let Some(error) = self.refused.get(&job) {
            return Err(error.clone().into());
        }
        let source = if job == Job::HeroAttendance { hero::SOURCE } else { raptor::SOURCE };
        // What is under way is brought to its end first; its rows are not this run's.
        let mut earlier = Done::default();
        self.read_again(job, done).await?;
        self.settle(job, &mut earlier).await?;
        done.newly_held = earlier.newly_held;
        let client = &self.server.client;
        let planning = self.engine.plan_undo(client, &self.roster, undone, source);
        let plan = self.cancel.run_until_cancelled(planning).await.ok_or(EngineError::Cancelled)??;
        let total = plan.undos.len() as u64;
        done.rows.read = total + plan.left.len() as u64;
        done.left = plan.left;
        if self.dry {
            done.rows.written = total;
        } else {
            self.engine.record_undo(self.id, plan.undos).await?;
            self.progress(job, Phase::Attendance, "attendance", 0, Some(total));
            let delivered = self.deliver(job, source, Some(self.id), Some(total), done).await?;
            done.left.extend(self.engine.left_by_undo(self.id, source).await?);
            if delivered.unclear > 0 {
                done.fail(&EngineError::AnswersUnclear(delivered.unclear));
            }
        }
        done.rows.noop = done.left.len() as u64;
        done.notes.push(format!("This takes back what run {undone} wrote."));
        Ok(())
    }
}

impl Done {
    /// Notes what keeps it from doing all, though it goes on.
    fn fail(&mut self, error: &EngineError) {
        self.cause = Some(error.cause());
        self.failure = Some(Failure::of(error));
    }
}

/// Malformed rows a job's report names one by one.
const NAMED_REJECTED: usize = 5;

/// Tells which rows of a file are malformed and why: line and field, no values.
fn note_rejected(notes: &mut Vec<String>, input: &PlannedInput) {
    let mut rejected = input.decisions.iter().filter_map(|decision| match &decision.outcome {
        DecisionOutcome::Reject { detail } => Some((decision.line, detail)),
        _ => None,
    });
    for (line, detail) in rejected.by_ref().take(NAMED_REJECTED) {
        notes.push(format!("{} line {line} was rejected: {detail}.", input.name));
    }
    let more = rejected.count();
    if more > 0 {
        notes.push(format!("{more} more rows of {} were rejected.", input.name));
    }
}

fn add(sum: &mut RowCounts, counts: RowCounts) {
    sum.read += counts.read;
    sum.written += counts.written;
    sum.noop += counts.noop;
    sum.held += counts.held;
    sum.rejected += counts.rejected;
}

fn job_report(job: Job, done: Done, error: Option<&EngineError>) -> JobReport {
    let outcome = match error {
        Some(EngineError::Cancelled) => Outcome::Cancelled,
        Some(EngineError::NotTried { .. }) => Outcome::Skipped,
        Some(_) => Outcome::Failed,
        None if done.cause.is_some() => Outcome::Failed,
        None if done.rows.held > 0 || done.rows.rejected > 0 => Outcome::SucceededWithHeldRows,
        None => Outcome::Succeeded,
    };
    JobReport {
        job,
        outcome,
        rows: done.rows,
        newly_held: done.newly_held,
        files: done.files,
        cause: error.map(EngineError::cause).or(done.cause),
        notes: done.notes,
        plan: done.plan,
    }
}

fn skipped(job: Job) -> JobReport {
    JobReport {
        job,
        outcome: Outcome::Skipped,
        rows: RowCounts::default(),
        newly_held: 0,
        files: Vec::new(),
        cause: None,
        notes: Vec::new(),
        plan: None,
    }
}

fn job_result(report: &JobReport) -> JobResult {
    JobResult {
        outcome: report.outcome,
        rows: report.rows,
        newly_held: report.newly_held,
        files: report.files.clone(),
        notes: report.notes.clone(),
        cause: report.cause.clone().map(Into::into),
    }
}

/// The worst of what happened.
fn outcome(report: &SyncReport) -> Outcome {
    let any = |outcome: Outcome| report.jobs.iter().any(|job| job.outcome == outcome);
    match &report.cause {
        Some(cause) if cause.code == EngineError::Cancelled.code() => Outcome::Cancelled,
        Some(_) => Outcome::Failed,
        None if any(Outcome::Failed) => Outcome::Failed,
        None if any(Outcome::Cancelled) => Outcome::Cancelled,
        None if any(Outcome::SucceededWithHeldRows) => Outcome::SucceededWithHeldRows,
        None => Outcome::Succeeded,
    }
}

/// Logs how a job ended.
fn log_end(report: &JobReport) {
    let RowCounts { read, written, noop, held, rejected } = report.rows;
    tracing::info!(
        job = report.job.as_str(),
        outcome = report.outcome.as_str(),
        code = report.cause.as_ref().map(|cause| cause.code.as_str()),
        read,
        written,
        noop,
        held,
        rejected,
        newly_held = report.newly_held,
        "the job has ended"
    );
}

fn seconds(phase: &str, since: Instant) -> PhaseSeconds {
    PhaseSeconds {
        phase: phase.to_owned(),
        millis: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}
