//! A run: one roster pull, then each job planned and applied.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Instant,
};

use chrono::Utc;
use rosterbridge_domain::{
    attendance::{OverwriteRules, Source},
    integration::{IntegrationEvent, IntegrationStatus},
    job::{FileReceipt, Job, Outcome, RowCounts},
    settings::Setup,
};
use rosterbridge_sftp::Session;
use rosterbridge_store::{
    Roster,
    ledger::{DecisionOutcome, JobResult, RunId, Trigger},
};
use tokio_util::sync::CancellationToken;

use crate::{
    attendance::{AttendancePlan, Delivered, PlannedInput, SourceRow, Writing},
    connections::answer_time,
    engine::{Engine, blocking},
    error::EngineError,
    exports, hero,
    pull::{Pull, Server},
    raptor,
    report::{Cause, Event, JobReport, Phase, PhaseSeconds, Progress, SyncReport},
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
    /// The jobs of the run.
    jobs: Vec<Job>,
    /// The next export, put together while the one before it is sent.
    ahead: Option<hero::Composing>,
    cancel: CancellationToken,
    on_event: OnEvent,
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
}

impl Engine {
    /// Runs jobs now: the named ones, or all that are enabled. A dry run plans and shows, and writes nothing.
    pub async fn sync(
        self: &Arc<Self>,
        jobs: Vec<Job>,
        dry_run: bool,
        on_event: OnEvent,
    ) -> Result<SyncReport, EngineError> {
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
        let under_way = self.begin(&id.to_string())?;
        let trigger = if dry_run { Trigger::DryRun } else { Trigger::Manual };
        let planned = jobs.clone();
        self.ledger(move |ledger| ledger.start_run(id, trigger, &planned, now)).await?;
        on_event(Event::RunStarted { run: id.to_string(), jobs: jobs.clone(), dry_run });

        let mut report = SyncReport {
            run: id.to_string(),
            dry_run,
            outcome: Outcome::Failed,
            jobs: Vec::new(),
            cause: None,
            seconds: Vec::new(),
        };
        match self.prepare(id, setup, &jobs, under_way.cancel.clone(), &on_event, &mut report).await {
            Ok(mut run) => {
                run.jobs.clone_from(&jobs);
                for job in jobs {
                    let started = Instant::now();
                    self.ledger(move |ledger| ledger.start_job(id, job, Utc::now())).await?;
                    let mut done = Done::default();
                    let ended = run.job(job, &mut done).await;
                    report.seconds.push(seconds(job.as_str(), started));
                    let finished = job_report(job, done, ended.as_ref().err());
                    if let Err(EngineError::LargeChange(change)) = ended {
                        self.remember_stop(*change).await?;
                    }
                    let result = job_result(&finished);
                    self.ledger(move |ledger| ledger.finish_job(id, job, &result, Utc::now())).await?;
                    on_event(Event::JobFinished(finished.clone()));
                    report.jobs.push(finished);
                }
                run.close().await;
            }
            Err(error) => {
                report.cause = Some(error.cause());
                report.jobs = jobs.into_iter().map(skipped).collect();
            }
        }
        report.outcome = outcome(&report);
        let (outcome, cause) = (report.outcome, report.cause.clone().map(Into::into));
        self.ledger(move |ledger| ledger.finish_run(id, outcome, cause.as_ref(), Utc::now())).await?;
        drop(under_way);
        on_event(Event::RunFinished(report.clone()));
        Ok(report)
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
        // The jobs that are switched on look into the roster between runs, too.
        let jobs: Vec<Job> =
            Job::ALL.into_iter().filter(|job| jobs.contains(job) || setup.job_enabled(*job)).collect();
        let Pull { roster, refused } = self.pull_from(&server, &jobs, &cancel, &progress).await?;
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
            jobs: Vec::new(),
            ahead: None,
            cancel,
            on_event: Arc::clone(on_event),
        })
    }
}

impl Run<'_> {
    async fn job(&mut self, job: Job, done: &mut Done) -> Result<(), EngineError> {
        if self.cancel.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        self.allowed(job)?;
        if let Some(error) = self.refused.get(&job) {
            if job == Job::RaptorRoster && !self.dry {
                self.follow_raptor(false).await?;
            }
            return Err(error.clone().into());
        }
        match job {
            Job::HeroStudents | Job::HeroSchedule | Job::HeroTeachers => self.export(job, done).await,
            Job::HeroAttendance => self.hero_attendance(done).await,
            Job::RaptorRoster => {
                let ended = self.raptor_roster(done).await;
                if !self.dry {
                    self.follow_raptor(ended.is_ok()).await?;
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
            Ok(session) => Ok(Arc::clone(self.hero.insert(Arc::new(session)))),
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
        let plan = self.engine.plan_export(composing).await?;
        let next = self.jobs.iter().copied().find(|next| *next > job && exports::file_name(*next).is_some());
        self.ahead = next.map(|next| self.compose(next));
        let rows = plan.receipt.rows;
        if !self.dry {
            let name = plan.receipt.name.clone();
            self.progress(job, Phase::Upload, &name, 0, Some(rows));
            let session = self.hero(job).await?;
            self.engine.apply_export(&plan, &self.setup, &self.roster, &session, self.id).await?;
            self.progress(job, Phase::Upload, &name, rows, Some(rows));
        }
        done.rows = RowCounts { read: rows, written: rows, ..RowCounts::default() };
        done.files.push(plan.receipt);
        done.notes = plan.notes;
        Ok(())
    }

    async fn hero_attendance(&mut self, done: &mut Done) -> Result<(), EngineError> {
        let job = Job::HeroAttendance;
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
        let plan = self.engine.plan_rosters(&self.setup, &self.roster).await?;
        if !self.dry {
            self.engine.apply_rosters(&plan, &self.setup, &self.roster, self.id).await?;
        }
        let rows = plan.files.iter().map(|file| file.rows).sum();
        done.rows = RowCounts { read: rows, written: rows, ..RowCounts::default() };
        done.files = plan.files;
        Ok(())
    }

    /// Moves the Raptor integration's status with the outcome of a full synchronisation. A run a person asked for
    /// counts as the window being open.
    async fn follow_raptor(&self, succeeded: bool) -> Result<(), EngineError> {
        if self.engine.raptor_status().await? == IntegrationStatus::PendingInitialization {
            self.engine.raptor_event(IntegrationEvent::WindowOpened).await?;
        }
        let event = if succeeded { IntegrationEvent::SyncSucceeded } else { IntegrationEvent::SyncFailed };
        self.engine.raptor_event(event).await
    }

    async fn raptor_tardies(&self, done: &mut Done) -> Result<(), EngineError> {
        let job = Job::RaptorTardies;
        let status = self.engine.raptor_status().await?;
        if !status.takes_tardies() && !self.dry {
            return Err(EngineError::RaptorNotInitialized(status));
        }
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
            for source in [Source::Hero, Source::Raptor] {
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
        let mut decided = Vec::new();
        let mut to_write = 0;
        let open = if settled_unclear > 0 { self.engine.open_keys().await? } else { HashSet::new() };
        for mut input in plan.inputs {
            let rows = input.rows;
            let planned = input.decisions.len();
            // A record whose last write is unclear takes no other: its rows wait in their file.
            input.decisions.retain(|decision| match &decision.outcome {
                DecisionOutcome::Write(write) => !open.contains(&write.key),
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
            done.cause = Some(EngineError::AnswersUnclear(unclear).cause());
        }
        Ok(decided)
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

fn seconds(phase: &str, since: Instant) -> PhaseSeconds {
    PhaseSeconds {
        phase: phase.to_owned(),
        millis: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}
