//! What the engine does by itself: it runs each job when it is due, tries again what may pass, and leaves a system
//! alone that can't be reached.
//!
//! [`Engine::run_due`] decides for one moment and is given that moment; [`Engine::follow_schedule`] asks again and again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rosterbridge_domain::{
    following::Step,
    job::{AccountId, Job, JobId, Outcome},
    notice::{self, Happening},
    retry::{Backoff, Circuit, Remote},
    schedule::{Due, DueRun, JobSchedule, Pause, Timing},
    settings::{Destination, ExportKind, Setup},
};
use rosterbridge_store::{Roster, StoreError, ledger::Trigger};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::Engine,
    error::EngineError,
    notices::{announce, reason},
    report::CircuitView,
    run::{Failure, OnEvent, Ran},
    school_year::Summers,
};

/// The ledger's value that holds how far each job's schedule is dealt with.
const SCHEDULES: &str = "schedules";

/// How often it is looked whether a job is due. A computer that wakes up continues here.
const LOOK: Duration = Duration::from_secs(20);

/// How often a run that is to stop is asked again.
const AGAIN: Duration = Duration::from_millis(100);

/// A run that begins later than this after its time is one that was missed.
const TOLERANCE: TimeDelta = TimeDelta::minutes(10);

/// How often a run is begun for one occurrence if the program ends in the middle of it each time.
const BEGINNINGS: u32 = 3;

/// How far a job's schedule is dealt with.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Dealt {
    /// The schedule this is about: another one starts anew.
    schedule: JobSchedule,
    /// The moment up to which everything is dealt with.
    handled: DateTime<Utc>,
    /// The occurrence that a run was begun for and that is not dealt with yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun: Option<Begun>,
}

/// An occurrence that is being tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Begun {
    occurrence: DateTime<Utc>,
    /// Runs begun for it.
    times: u32,
    /// Those of them that came to their end and failed.
    failures: u32,
    /// When the next one may begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<DateTime<Utc>>,
    /// Missed occurrences that a person has been told of.
    #[serde(default)]
    missed: u64,
}

type Schedules = BTreeMap<JobId, Dealt>;

/// What there is to do at a moment.
#[derive(Debug, Default)]
struct ToDo {
    /// The jobs to run.
    due: Vec<JobId>,
    /// What somebody may have to know of.
    told: Vec<Happening>,
    /// Whether any job would run if it were not summer.
    in_summer: bool,
}

/// A remote system, and at Hero the account there: each has a connection of its own.
pub(crate) type System = (Remote, AccountId);

/// PowerSchool, as a system of its own.
pub(crate) const POWERSCHOOL: System = (Remote::PowerSchool, AccountId::FIRST);

/// The circuits of all remote systems.
pub(crate) type Circuits = HashMap<System, Circuit>;

/// The system at the other end of a job that a failure of it concerns.
const fn system(remote: Remote, job: JobId) -> System {
    match remote {
        Remote::Hero => (remote, job.account()),
        Remote::PowerSchool | Remote::Raptor => (remote, AccountId::FIRST),
    }
}

/// The systems a job can't do without, as it is set up: an export to a folder needs no server of Hero's.
fn systems(setup: &Setup, job: JobId) -> Vec<System> {
    let export =
        ExportKind::of(job.kind()).and_then(|kind| Some(setup.hero.account(job.account())?.export(kind)));
    let other = match job.kind() {
        _ if export.is_some_and(|export| export.destination != Destination::Connection) => None,
        Job::HeroStudents | Job::HeroSchedule | Job::HeroTeachers | Job::HeroAttendance => Some(Remote::Hero),
        Job::RaptorRoster | Job::RaptorTardies => Some(Remote::Raptor),
    };
    [POWERSCHOOL].into_iter().chain(other.map(|remote| system(remote, job))).collect()
}

/// Where the schools are in their years.
struct Year<'a> {
    calendars: Calendars,
    summers: &'a Summers,
}

/// Whether any school is in session on a date, by the calendars of the last pull.
struct Calendars {
    roster: Option<Arc<Roster>>,
    known: Mutex<HashMap<NaiveDate, Option<bool>>>,
}

impl Calendars {
    fn of(roster: Option<Arc<Roster>>) -> Self {
        Self { roster, known: Mutex::default() }
    }

    fn in_session(&self, date: NaiveDate) -> Option<bool> {
        let roster = self.roster.as_ref()?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // A calendar that can't be read is one that is not known: the job runs.
        *known.entry(date).or_insert_with(|| any_in_session(roster, date).ok().flatten())
    }
}

fn any_in_session(roster: &Roster, date: NaiveDate) -> Result<Option<bool>, StoreError> {
    let mut known = None;
    for school in roster.schools()? {
        if let Some(day) = roster.calendar_day(school.number, date)? {
            if day.in_session {
                return Ok(Some(true));
            }
            known = Some(false);
        }
    }
    Ok(known)
}

impl Engine {
    /// Runs what is due until `stop` is cancelled. A run under way then is cancelled and comes to a clean end. Beside that
    /// it is looked whether PowerSchool does what is its to do.
    pub async fn follow_schedule(self: &Arc<Self>, stop: &CancellationToken, on_event: OnEvent) {
        // On the heap, so that whoever follows stays small.
        let looking = Box::pin(self.watch_from_outside(stop, &on_event));
        tokio::join!(looking, Box::pin(self.follow_times(stop, Arc::clone(&on_event))));
    }

    /// Looks from outside whenever a time of PowerSchool's has come.
    async fn watch_from_outside(self: &Arc<Self>, stop: &CancellationToken, on_event: &OnEvent) {
        loop {
            if let Err(error) = Box::pin(self.watch_due(Utc::now(), stop, on_event)).await {
                tracing::warn!(code = error.code(), "it could not be looked what PowerSchool sends");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn follow_times(self: &Arc<Self>, stop: &CancellationToken, on_event: OnEvent) {
        loop {
            if let Err(error) = self.keep_house(Utc::now(), &on_event).await {
                tracing::error!(code = error.code(), "the house could not be kept");
            }
            if let Err(error) = self.watch_exchange().await {
                tracing::warn!(code = error.code(), "whether to watch the exchange folder is not known");
            }
            if stop.is_cancelled() {
                return;
            }
            // On the heap, so that whoever follows stays small.
            let mut running = Box::pin(self.run_due(Utc::now(), Arc::clone(&on_event)));
            let ran = tokio::select! {
                ran = &mut running => ran,
                () = stop.cancelled() => {
                    self.stopping.store(true, Ordering::SeqCst);
                    // Its run may not have begun yet: what can't be cancelled now can be in a moment.
                    loop {
                        self.cancel();
                        tokio::select! {
                            ran = &mut running => break ran,
                            () = tokio::time::sleep(AGAIN) => {}
                        }
                    }
                }
            };
            if let Err(error) = ran {
                tracing::error!(code = error.code(), "the schedule could not be followed");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.exchange.ready() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Runs what is due at `now`, as one run; the jobs that were in it. That this can't be done at all, because the ledger
    /// takes nothing, is told like a failure.
    pub async fn run_due(
        self: &Arc<Self>,
        now: DateTime<Utc>,
        on_event: OnEvent,
    ) -> Result<Vec<JobId>, EngineError> {
        // On the heap, so that whoever asks stays small.
        let made = Box::pin(self.make_due_run(now, &on_event)).await;
        if let Err(error) = &made {
            self.tell_of_failure(error, now, &on_event).await;
        }
        made
    }

    /// Tells that nothing at all could be done; what goes on failing is told again after hours only.
    async fn tell_of_failure(&self, error: &EngineError, now: DateTime<Utc>, on_event: &OnEvent) {
        let failure = notice::Failure { job: None, reason: reason(error), stopped: Vec::new() };
        let notices = self.note_all_the_same(vec![Happening::Failed(failure)], now, None).await;
        announce(&notices, on_event);
        self.wake_sending();
    }

    async fn make_due_run(
        self: &Arc<Self>,
        now: DateTime<Utc>,
        on_event: &OnEvent,
    ) -> Result<Vec<JobId>, EngineError> {
        // What comes due meanwhile waits for the pause to end: it is late then, and its schedule says what follows.
        if self.pause().await?.is_paused(now) || self.running().is_some() {
            return Ok(Vec::new());
        }
        let setup = self.setup().await?;
        let before = self.schedules().await?;
        let takes_tardies = self.takes_tardies(&setup).await?;
        let mut schedules = current(&setup, before.clone(), takes_tardies, now);
        // A file of Raptor's that has just come need not wait for the job's next time.
        let dropped = self.exchange.is_due() && takes_tardies;
        // Asked every few seconds, all year: what needs the roster is looked up only where anything has come due.
        let asked = dropped
            || schedules.values().any(|dealt| {
                !matches!(dealt.schedule.due(Some(dealt.handled), now, TOLERANCE), Due::NotYet { .. })
            });
        let mut step = self.raptor_step(&setup, now, on_event).await?;
        let raptor_asked = !matches!(step, Step::Wait(_));
        let roster = if asked || raptor_asked { self.roster().await.unwrap_or_default() } else { None };
        let summers = self.summers(&setup, roster.as_ref()).await?;
        let ToDo { mut due, told, mut in_summer } = {
            // Windows replaces no file that is open: the roster is let go of before any run or look.
            let calendars = self.calendars(roster).await?;
            self.to_do(&setup, &mut schedules, &Year { calendars, summers: &summers }, now, dropped)
        };
        if raptor_asked {
            let summer = summers.on(summers.today(now, setup.raptor.window.zone)).is_some();
            in_summer |= summer;
            if summer || self.is_left_alone(&setup, JobId::RAPTOR_ROSTER, now) {
                self.put_off(step, now).await?;
                step = Step::Wait(None);
            }
        }
        let attempt = self.begin_attempt(step, now, on_event).await?;
        if attempt.is_some() {
            due.push(JobId::RAPTOR_ROSTER);
        }
        // What comes from now on is looked at once more; what can't be looked at now waits as begun. Before tardies are
        // taken in nothing is: then what has come is still due.
        if takes_tardies {
            self.exchange.looked_at();
        }
        if due.is_empty() {
            if changed(&before, &schedules) {
                self.keep_schedules(&schedules, told, now, on_event).await?;
            }
            if in_summer
                && summers.look_is_due(now)
                && let Err(error) = self.look_in_summer(&setup, now, on_event).await
            {
                tracing::warn!(code = error.code(), "the end of the summer could not be looked for");
                // What came due is dealt with all the same: after the summer nothing would run, and nobody would know.
                if !matches!(error, EngineError::Cancelled) {
                    self.tell_of_failure(&error, now, on_event).await;
                }
            }
            if step == Step::Look {
                return self.look_for_updates(&setup, now, on_event).await;
            }
            return Ok(due);
        }
        let waiting = schedules.clone();
        // Known before anything is done: a run that takes the program with it must not do so for ever.
        for job in &due {
            if let Some(begun) = schedules.get_mut(job).and_then(|dealt| dealt.begun.as_mut()) {
                begun.times += 1;
                begun.next = None;
            }
        }
        self.keep_schedules(&schedules, told, now, on_event).await?;
        let ran = match self.run_jobs(due.clone(), Trigger::Schedule, Arc::clone(on_event)).await {
            Ok(ran) => ran,
            // A person was faster: their run first, then this one.
            Err(EngineError::Busy) => {
                self.save_schedules(&waiting).await?;
                if let Some(attempt) = &attempt {
                    self.withdraw_attempt(attempt).await?;
                }
                return Ok(Vec::new());
            }
            Err(error) => {
                for job in &due {
                    let begun = schedules.get(job).and_then(|dealt| dealt.begun);
                    let occurrence = begun.map(|begun| begun.occurrence.to_rfc3339());
                    tracing::error!(%job, occurrence, code = error.code(), "a scheduled run could not be made");
                }
                if let Err(error) = self.settle_schedules(&due, now, |_| Some(Failure::UNKNOWN)).await {
                    tracing::error!(code = error.code(), "how far the schedule is dealt with can't be kept");
                }
                return Err(error);
            }
        };
        self.follow_circuits(&setup, &ran, now);
        let failure = |job| ran.failures.get(&job).copied();
        self.settle_schedules(&due, now, failure).await?;
        // Whoever runs the profile next makes it good.
        if let Some(attempt) = &attempt
            && self.stopping.load(Ordering::SeqCst)
            && failure(JobId::RAPTOR_ROSTER).is_some_and(|failure| failure.stopped)
        {
            self.withdraw_attempt(attempt).await?;
        }
        Ok(due)
    }

    /// Whether a system that a job can't do without is left alone at `now`.
    fn is_left_alone(&self, setup: &Setup, job: JobId, now: DateTime<Utc>) -> bool {
        let circuits = self.circuits.lock().unwrap_or_else(PoisonError::into_inner);
        systems(setup, job).iter().any(|system| circuits.get(system).is_some_and(|open| !open.allows(now)))
    }

    /// Whether tardies are taken in by themselves, going by the set-up and by how the integration stands.
    async fn takes_tardies(&self, setup: &Setup) -> Result<bool, EngineError> {
        let raptor = &setup.raptor;
        Ok(raptor.enabled && raptor.student_tardy && self.raptor_status().await?.takes_tardies())
    }

    /// What there is to do at `now`; `dropped` tells that tardies have come. What is dealt with without a run is noted in
    /// `schedules`.
    fn to_do(
        &self,
        setup: &Setup,
        schedules: &mut Schedules,
        year: &Year<'_>,
        now: DateTime<Utc>,
        dropped: bool,
    ) -> ToDo {
        let ToDo { mut due, mut told, mut in_summer } = ToDo::default();
        let Year { calendars, summers } = year;
        for (&job, dealt) in schedules {
            let mut asked = dealt.schedule.due(Some(dealt.handled), now, TOLERANCE);
            if let Due::Skipped { occurrence, .. } = asked
                && dealt.begun.is_some_and(|begun| begun.occurrence == occurrence)
            {
                // It was not missed: it began in time, and is to be tried again.
                asked =
                    Due::Run(DueRun { occurrence, timing: Timing::OnTime, missed: 0, earliest: occurrence });
            }
            let dropped = dropped && job == JobId::RAPTOR_TARDIES;
            if matches!(asked, Due::NotYet { .. }) {
                // One that was begun between two times of the schedule is tried again like any other.
                let open = dealt.begun.map(|begun| begun.occurrence);
                let open = open.filter(|occurrence| (dealt.handled..=now).contains(occurrence));
                if let Some(occurrence) = open.or_else(|| dropped.then_some(now)) {
                    let timing = Timing::OnTime;
                    asked = Due::Run(DueRun { occurrence, timing, missed: 0, earliest: occurrence });
                }
            }
            if summers.on(summers.today(now, dealt.schedule.zone)).is_some() {
                in_summer |= matches!(asked, Due::Run(_));
                // Nothing is missed by it, and nothing is made up for later.
                (dealt.handled, dealt.begun) = (asked.handled(), None);
                continue;
            }
            let Due::Run(run) = asked else {
                if let Due::Skipped { missed, occurrence } = asked {
                    let latest = occurrence.to_rfc3339();
                    tracing::warn!(%job, missed, occurrence = latest, "missed runs are left out, as its schedule says");
                    told.push(Happening::RunsMissed { job, times: missed.into(), latest: occurrence });
                    dealt.begun = None;
                }
                dealt.handled = asked.handled();
                continue;
            };
            if !dealt.schedule.gate_run(&run, |date| calendars.in_session(date)).runs() {
                tracing::info!(%job, occurrence = run.occurrence.to_rfc3339(), "no run: school is not in session");
                (dealt.handled, dealt.begun) = (run.occurrence, None);
                continue;
            }
            // A new occurrence takes over from one that is still being tried.
            let known = dealt.begun.map_or(0, |begun| begun.missed);
            let mut begun = dealt.begun.filter(|begun| begun.occurrence == run.occurrence).unwrap_or(Begun {
                occurrence: run.occurrence,
                times: 0,
                failures: 0,
                next: None,
                missed: known,
            });
            // One that has begun in time is not missed when it is tried again later.
            let late = run.timing == Timing::CatchUp && begun.times == 0;
            let missed = u64::from(run.missed) + u64::from(late);
            if missed > known {
                told.push(Happening::RunsMissed { job, times: missed - known, latest: run.occurrence });
                begun.missed = missed;
            }
            dealt.begun = Some(begun);
            if begun.times >= BEGINNINGS + begun.failures {
                let occurrence = run.occurrence.to_rfc3339();
                tracing::error!(%job, occurrence, "the program ended in its run again and again: left to its next time");
                (dealt.handled, dealt.begun) = (run.occurrence, None);
                continue;
            }
            if !self.is_left_alone(setup, job, now) && (dropped || begun.next.is_none_or(|next| now >= next))
            {
                due.push(job);
            }
        }
        ToDo { due, told, in_summer }
    }

    /// Notes how the jobs of a scheduled run ended: dealt with, or to be tried again.
    async fn settle_schedules(
        &self,
        jobs: &[JobId],
        now: DateTime<Utc>,
        failure: impl Fn(JobId) -> Option<Failure>,
    ) -> Result<(), EngineError> {
        let mut schedules = self.schedules().await?;
        for job in jobs {
            let Some(dealt) = schedules.get_mut(job) else { continue };
            let Some(mut begun) = dealt.begun else { continue };
            if self.stopping.load(Ordering::SeqCst) && failure(*job).is_some_and(|failure| failure.stopped) {
                // Whoever runs the profile next makes it good.
                begun.times = begun.times.saturating_sub(1);
                dealt.begun = Some(begun);
                continue;
            }
            let again = failure(*job).filter(|failure| failure.may_pass).and_then(|failure| {
                begun.failures += 1;
                let pause = Backoff::RUN.pause(begun.failures, failure.asked, chance())?;
                let next = now + TimeDelta::from_std(pause).ok()?;
                // Its next time comes anyway.
                dealt.schedule.next_after(now).is_none_or(|time| next < time).then_some(next)
            });
            if let Some(next) = again {
                begun.next = Some(next);
                dealt.begun = Some(begun);
            } else {
                (dealt.handled, dealt.begun) = (dealt.handled.max(begun.occurrence), None);
            }
        }
        self.save_schedules(&schedules).await
    }

    /// When a job runs next by itself; `None` if it does not.
    pub(crate) async fn next_runs(
        &self,
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<JobId, DateTime<Utc>>, EngineError> {
        let setup = self.setup().await?;
        let schedules = current(&setup, self.schedules().await?, self.takes_tardies(&setup).await?, now);
        // It is a cache: where there is none, no calendar is known and nothing pauses.
        let roster = self.roster().await.unwrap_or_default();
        let summers = self.summers(&setup, roster.as_ref()).await?;
        let calendars = self.calendars(roster).await?;
        let circuits = self.circuits.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let from = match self.pause().await? {
            Pause::No => now,
            Pause::Until(end) => now.max(end),
            Pause::UntilResumed => return Ok(BTreeMap::new()),
        };
        let free_of_circuits = |job: JobId| {
            systems(&setup, job).iter().filter_map(|system| circuits.get(system)?.open_until(now)).max()
        };
        let raptor = match summers.free_from(from, setup.raptor.window.zone) {
            Some(from) => {
                let from = free_of_circuits(JobId::RAPTOR_ROSTER).map_or(from, |free| from.max(free));
                self.next_raptor_step(&setup, from).await?
            }
            None => None,
        };
        let mut next: BTreeMap<JobId, DateTime<Utc>> = schedules
            .into_iter()
            .filter_map(|(job, dealt)| {
                let from = summers.free_from(from, dealt.schedule.zone)?;
                let waiting = dealt.begun.map(|begun| begun.next.unwrap_or(from));
                let free = free_of_circuits(job).unwrap_or(from);
                let regular =
                    || dealt.schedule.next_run(from.max(dealt.handled), |date| calendars.in_session(date));
                Some((job, waiting.or_else(regular)?.max(free).max(from)))
            })
            .collect();
        next.extend(raptor.map(|at| (JobId::RAPTOR_ROSTER, at)));
        // Its runs end at once, until a person lets it go on.
        for paused in self.other_senders(&setup).await? {
            next.remove(&paused.job);
        }
        Ok(next)
    }

    /// Lets a run's end close or open the circuits of the systems it went to. Any run counts, whoever asked for it.
    pub(crate) fn follow_circuits(&self, setup: &Setup, ran: &Ran, now: DateTime<Utc>) {
        let mut circuits = self.circuits.lock().unwrap_or_else(PoisonError::into_inner);
        let missed: BTreeMap<System, Option<Duration>> = ran
            .failures
            .iter()
            .filter_map(|(job, failure)| Some((system(failure.remote?, *job), failure.asked)))
            .collect();
        for (system, asked) in &missed {
            let circuit = circuits.entry(*system).or_default();
            *circuit = circuit.missed(now, *asked, chance());
        }
        for report in &ran.report.jobs {
            if matches!(report.outcome, Outcome::Succeeded | Outcome::SucceededWithHeldRows) {
                for system in
                    systems(setup, report.job).into_iter().filter(|system| !missed.contains_key(system))
                {
                    circuits.insert(system, Circuit::default());
                }
            }
        }
    }

    /// How the schedule treats each remote system at `now`.
    pub(crate) fn circuit_views(&self, now: DateTime<Utc>) -> Vec<CircuitView> {
        let circuits = self.circuits.lock().unwrap_or_else(PoisonError::into_inner);
        let always = Remote::ALL.map(|remote| (remote, AccountId::FIRST));
        let known: BTreeSet<System> = circuits.keys().copied().chain(always).collect();
        known
            .into_iter()
            .map(|system| {
                let circuit = circuits.get(&system).copied().unwrap_or_default();
                CircuitView {
                    remote: system.0,
                    account: system.1,
                    state: circuit.state(now),
                    until: circuit.open_until(now),
                    misses: circuit.misses(),
                }
            })
            .collect()
    }

    async fn calendars(&self, roster: Option<Arc<Roster>>) -> Result<Calendars, EngineError> {
        // A practice district has a date of its own, which the clock here says nothing about.
        Ok(Calendars::of(if self.is_practice().await? { None } else { roster }))
    }

    async fn schedules(&self) -> Result<Schedules, EngineError> {
        let text = self.ledger(|ledger| ledger.value(SCHEDULES)).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Keeps how far the schedules are dealt with, and at once what is told of it: neither without the other.
    async fn keep_schedules(
        &self,
        schedules: &Schedules,
        told: Vec<Happening>,
        now: DateTime<Utc>,
        on_event: &OnEvent,
    ) -> Result<(), EngineError> {
        if told.is_empty() {
            return self.save_schedules(schedules).await;
        }
        let text = serde_json::to_string(schedules).unwrap_or_default();
        let notices = self.note(told, now, Some((SCHEDULES, text)), None).await?;
        announce(&notices, on_event);
        self.wake_sending();
        Ok(())
    }

    async fn save_schedules(&self, schedules: &Schedules) -> Result<(), EngineError> {
        let text = serde_json::to_string(schedules).unwrap_or_default();
        self.ledger(move |ledger| ledger.set_value(SCHEDULES, &text)).await
    }
}

/// How the jobs that are switched on stand. One that is new, or has a new schedule, starts now; so do the tardies once they
/// are taken in.
fn current(setup: &Setup, mut before: Schedules, takes_tardies: bool, now: DateTime<Utc>) -> Schedules {
    setup
        .jobs
        .iter()
        // The roster for Raptor follows its window, whatever an older set-up says.
        .filter(|settings| setup.job_enabled(settings.job) && settings.job != JobId::RAPTOR_ROSTER)
        .filter(|settings| takes_tardies || settings.job != JobId::RAPTOR_TARDIES)
        .filter_map(|settings| {
            let schedule = settings.schedule?;
            let dealt = before
                .remove(&settings.job)
                .filter(|dealt| dealt.schedule == schedule)
                .unwrap_or(Dealt { schedule, handled: now, begun: None });
            Some((settings.job, dealt))
        })
        .collect()
}

/// Whether there is anything to save.
fn changed(before: &Schedules, after: &Schedules) -> bool {
    before.len() != after.len()
        || after.iter().any(|(job, dealt)| {
            before.get(job).is_none_or(|known| {
                known.schedule != dealt.schedule
                    || known.handled != dealt.handled
                    || known.begun != dealt.begun
            })
        })
}

/// A number that is not foreseen, for jitter.
pub(crate) fn chance() -> u32 {
    // Without a source of chance there is no jitter, and nothing else is lost.
    getrandom::u32().unwrap_or(u32::MAX)
}
