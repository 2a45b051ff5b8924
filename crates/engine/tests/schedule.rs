//! What the engine does by itself, with the time passed in: against a practice district, with a real keychain.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod practice;

use std::{
    fs,
    io::Write,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, TimeDelta, Utc};
use rosterbridge_domain::{
    job::{JobId, Outcome},
    retry::{CircuitState, Remote},
    schedule::{JobSchedule, Missed, Pause, When},
    settings::{Destination, JobSettings, Setup},
};
use rosterbridge_engine::{
    Engine, OnEvent,
    report::{Event, Phase, Progress},
};
use rosterbridge_practice::{Faults, Running};
use rstest::rstest;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A profile set up for a practice district, where nothing is scheduled yet and Raptor's window is of no concern.
struct Stage {
    engine: Arc<Engine>,
    district: Running,
    home: TempDir,
}

/// What the desktop was told.
#[derive(Clone, Default)]
struct Desktop(Arc<Mutex<Vec<String>>>);

impl Desktop {
    fn listens(&self) -> OnEvent {
        let told = Arc::clone(&self.0);
        Arc::new(move |event| {
            if let Event::Notice { title, body, .. } = event {
                told.lock().unwrap().push(format!("{title}: {body}"));
            }
        })
    }

    /// The titles since it was asked last.
    fn titles(&self) -> Vec<String> {
        let told = std::mem::take(&mut *self.0.lock().unwrap());
        told.iter().map(|notice| notice.split(": ").next().unwrap().to_owned()).collect()
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Every day at this time, in UTC.
fn daily(time: &str, missed: Missed) -> JobSchedule {
    let when = When::At { days: "MTWHFSU".parse().unwrap(), time: time.parse().unwrap() };
    JobSchedule { when, zone: chrono_tz::UTC, only_in_session: false, missed }
}

impl Stage {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let (engine, district) = practice::start(home.path(), practice::small()).await;
        let stage = Self { engine, district, home };
        stage.change(|setup| setup.jobs.retain(|settings| settings.job != JobId::RAPTOR_ROSTER)).await;
        stage
    }

    async fn change(&self, change: impl FnOnce(&mut Setup)) {
        let mut setup = self.engine.setup().await.unwrap();
        change(&mut setup);
        practice::save(&self.engine, setup).await.unwrap();
    }

    async fn schedule(&self, job: JobId, schedule: JobSchedule) {
        self.change(|setup| {
            setup.jobs.iter_mut().find(|settings| settings.job == job).unwrap().schedule = Some(schedule);
        })
        .await;
    }

    /// What runs at a moment.
    async fn at(&self, time: &str) -> Vec<JobId> {
        self.engine.run_due(at(time), Arc::new(|_| ())).await.unwrap()
    }

    async fn next(&self, job: JobId) -> Option<DateTime<Utc>> {
        self.engine.status().await.unwrap().jobs.iter().find(|view| view.job == job).unwrap().next_at
    }

    /// A second way into the ledger.
    fn ledger(&self) -> rusqlite::Connection {
        let ledger =
            rusqlite::Connection::open(self.home.path().join("profiles/practice/ledger.db")).unwrap();
        let key = self.engine.recovery_key().key;
        ledger.pragma_update(None, "key", format!("x'{}'", key.expose_secret())).unwrap();
        ledger
    }

    async fn outcomes(&self) -> Vec<Outcome> {
        self.engine.runs(20).await.unwrap().iter().map(|run| run.outcome).collect()
    }
}

const NONE: &[JobId] = &[];

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_once_at_its_time_and_again_the_next_day() {
    let stage = Stage::new().await;
    stage.schedule(JobId::HERO_STUDENTS, daily("03:10", Missed::CatchUp)).await;
    stage.schedule(JobId::HERO_TEACHERS, daily("03:10", Missed::CatchUp)).await;
    assert_eq!(stage.at("2026-11-18T02:00:00Z").await, NONE);
    assert_eq!(stage.at("2026-11-18T03:09:59Z").await, NONE);
    let both = [JobId::HERO_STUDENTS, JobId::HERO_TEACHERS];
    assert_eq!(stage.at("2026-11-18T03:10:05Z").await, both);
    assert_eq!(stage.at("2026-11-18T03:10:25Z").await, NONE);
    // The clock is put back: not again.
    assert_eq!(stage.at("2026-11-18T03:00:00Z").await, NONE);
    assert_eq!(stage.at("2026-11-18T03:10:30Z").await, NONE);
    assert_eq!(stage.at("2026-11-19T03:10:00Z").await, both);
    assert_eq!(stage.outcomes().await, [Outcome::Succeeded, Outcome::Succeeded]);
}

#[rstest]
#[case::caught_up(Missed::CatchUp, &[JobId::HERO_STUDENTS])]
#[case::left_out(Missed::Skip, &[])]
#[tokio::test(flavor = "multi_thread")]
async fn days_of_sleep_cost_one_run_at_most(#[case] missed: Missed, #[case] on_waking: &[JobId]) {
    let stage = Stage::new().await;
    stage.schedule(JobId::HERO_STUDENTS, daily("03:10", missed)).await;
    assert_eq!(stage.at("2026-11-18T02:00:00Z").await, NONE);
    assert_eq!(stage.at("2026-11-21T09:00:00Z").await, on_waking);
    assert_eq!(stage.at("2026-11-21T09:00:20Z").await, NONE);
    assert_eq!(stage.at("2026-11-22T03:10:00Z").await, [JobId::HERO_STUDENTS]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_in_a_pause_and_one_run_makes_up_for_it() {
    let stage = Stage::new().await;
    stage.schedule(JobId::HERO_STUDENTS, daily("03:10", Missed::CatchUp)).await;
    assert_eq!(stage.at("2026-11-18T02:00:00Z").await, NONE);
    stage.engine.set_pause(Pause::Until(at("2026-11-20T12:00:00Z"))).await.unwrap();
    assert_eq!(stage.at("2026-11-18T03:10:00Z").await, NONE);
    assert_eq!(stage.at("2026-11-19T03:10:00Z").await, NONE);
    assert_eq!(stage.at("2026-11-20T12:00:00Z").await, [JobId::HERO_STUDENTS]);
    stage.engine.set_pause(Pause::UntilResumed).await.unwrap();
    assert_eq!(stage.at("2026-12-20T12:00:00Z").await, NONE);
    assert_eq!(stage.next(JobId::HERO_STUDENTS).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_switched_on_or_gets_another_time_does_not_run_for_times_gone_by() {
    let stage = Stage::new().await;
    stage.schedule(JobId::HERO_STUDENTS, daily("03:10", Missed::CatchUp)).await;
    assert_eq!(stage.at("2026-11-18T12:00:00Z").await, NONE);
    stage.schedule(JobId::HERO_STUDENTS, daily("11:00", Missed::CatchUp)).await;
    assert_eq!(stage.at("2026-11-18T12:00:20Z").await, NONE);
    assert_eq!(stage.at("2026-11-19T11:00:00Z").await, [JobId::HERO_STUDENTS]);
    stage.change(|setup| setup.jobs.iter_mut().for_each(|settings| settings.enabled = false)).await;
    assert_eq!(stage.at("2026-11-20T11:00:00Z").await, NONE);
    stage.change(|setup| setup.jobs.iter_mut().for_each(|settings| settings.enabled = true)).await;
    assert_eq!(stage.at("2026-11-20T11:05:00Z").await, NONE);
}

/// It follows its window: a schedule for it, from an older set-up, is of no concern.
#[tokio::test(flavor = "multi_thread")]
async fn the_roster_for_raptor_has_no_schedule() {
    let stage = Stage::new().await;
    let schedule = Some(daily("03:10", Missed::CatchUp));
    let settings = JobSettings { job: JobId::RAPTOR_ROSTER, enabled: true, schedule };
    stage.change(|setup| setup.jobs.push(settings)).await;
    assert_eq!(stage.at("2026-11-18T02:00:00Z").await, NONE);
    assert_eq!(stage.at("2026-11-18T03:10:00Z").await, NONE);
    let status = stage.engine.status().await.unwrap();
    let view = status.jobs.iter().find(|view| view.job == JobId::RAPTOR_ROSTER).unwrap();
    assert_eq!((view.schedule, view.next_at), (None, status.raptor.next.map(|next| next.at)));
    assert!(view.next_at.is_some());
}

/// PowerSchool is gone: the run is tried again with growing pauses, and then left to its next time.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_is_tried_again_a_few_times() {
    let stage = Stage::new().await;
    stage.schedule(JobId::HERO_STUDENTS, daily("03:10", Missed::CatchUp)).await;
    assert_eq!(stage.at("2026-11-18T02:00:00Z").await, NONE);
    let Stage { engine, district, home: _home } = stage;
    district.stop().await;
    let mut tried = 0;
    let mut now = at("2026-11-18T03:10:00Z");
    while now < at("2026-11-18T09:00:00Z") {
        tried += engine.run_due(now, Arc::new(|_| ())).await.unwrap().len();
        now += TimeDelta::minutes(1);
    }
    assert_eq!(tried, 4, "once, and three repetitions");
    assert!(engine.runs(20).await.unwrap().iter().all(|run| run.outcome == Outcome::Failed));
    let again = engine.run_due(at("2026-11-19T03:10:00Z"), Arc::new(|_| ())).await.unwrap();
    assert_eq!(again, [JobId::HERO_STUDENTS], "its next time comes as ever");
}

/// Hero can't be reached, again and again: it is left alone. Raptor's jobs go on at their times, and so does an export
/// to a folder of this computer.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_hero_does_not_delay_raptor() {
    let stage = Stage::new().await;
    let every = |minutes: u16| JobSchedule {
        when: When::Every { minutes: minutes.try_into().unwrap() },
        ..daily("00:00", Missed::CatchUp)
    };
    stage.engine.sync(vec![JobId::RAPTOR_ROSTER], false, Arc::new(|_| ())).await.unwrap();
    stage.schedule(JobId::HERO_STUDENTS, every(5)).await;
    stage.schedule(JobId::RAPTOR_TARDIES, every(5)).await;
    let kept = tempfile::tempdir().unwrap();
    let folder = kept.path().to_string_lossy().into_owned();
    stage.change(|setup| setup.hero.accounts[0].teachers.destination = Destination::Folder { folder }).await;
    stage.schedule(JobId::HERO_TEACHERS, every(5)).await;
    // Nobody listens there any more.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    stage.change(|setup| setup.connections[0].port = closed).await;
    assert_eq!(stage.at("2026-11-18T02:01:00Z").await, NONE);
    let (mut hero, mut raptor, mut to_folder, mut last_try) = (0, 0, 0, None);
    for minutes in 0..60 {
        let now = at("2026-11-18T02:05:00Z") + TimeDelta::minutes(minutes);
        let jobs = stage.engine.run_due(now, Arc::new(|_| ())).await.unwrap();
        if jobs.contains(&JobId::HERO_STUDENTS) {
            (hero, last_try) = (hero + 1, Some(now));
        }
        raptor += usize::from(jobs.contains(&JobId::RAPTOR_TARDIES));
        to_folder += usize::from(jobs.contains(&JobId::HERO_TEACHERS));
    }
    assert_eq!((raptor, to_folder), (12, 12), "each of their times");
    assert!(kept.path().join("TEACHER.txt").exists());
    assert!((3..10).contains(&hero), "tried, and then left alone: {hero}");
    let circuit = async |remote: Remote, now: DateTime<Utc>| {
        let metrics = stage.engine.metrics(now).await.unwrap();
        *metrics.circuits.iter().find(|circuit| circuit.remote == remote).unwrap()
    };
    let last_try = last_try.unwrap();
    let open = circuit(Remote::Hero, last_try).await;
    assert_eq!((open.state, open.misses), (CircuitState::Open, hero));
    assert!(open.until.unwrap() > last_try);
    let later = circuit(Remote::Hero, last_try + TimeDelta::hours(2)).await;
    assert_eq!((later.state, later.until), (CircuitState::HalfOpen, None));
    assert_eq!(circuit(Remote::Raptor, last_try).await.state, CircuitState::Closed);
}

/// The computer shuts down in the middle of a run: what was cancelled by that is made good when it is up again.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_a_stop_cancels_is_made_good() {
    let stage = Stage::new().await;
    let every_minute =
        JobSchedule { when: When::Every { minutes: 1.try_into().unwrap() }, ..daily("00:00", Missed::Skip) };
    stage.schedule(JobId::HERO_STUDENTS, every_minute).await;
    // From here on its times count; the latest of them is due at once.
    let started = Utc::now();
    stage.engine.run_due(started - TimeDelta::minutes(5), Arc::new(|_| ())).await.unwrap();
    stage.district.set_faults(Faults { latency_ms: 300, ..Faults::default() });
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let on_event = move |event| {
        if matches!(event, Event::Progress(_)) {
            stopping.cancel();
        }
    };
    stage.engine.follow_schedule(&stop, Arc::new(on_event)).await;
    assert_eq!(stage.outcomes().await, [Outcome::Cancelled]);
    stage.district.set_faults(Faults::default());
    let again = stage.engine.run_due(started + TimeDelta::seconds(1), Arc::new(|_| ())).await.unwrap();
    assert_eq!(again, [JobId::HERO_STUDENTS]);
    assert_eq!(stage.outcomes().await, [Outcome::Succeeded, Outcome::Cancelled]);
}

#[rstest]
#[case::caught_up(Missed::CatchUp)]
#[case::left_out(Missed::Skip)]
#[tokio::test(flavor = "multi_thread")]
async fn the_desktop_is_told_of_missed_runs_once(#[case] missed: Missed) {
    let (stage, desktop) = (Stage::new().await, Desktop::default());
    stage.schedule(JobId::HERO_STUDENTS, daily("03:10", missed)).await;
    assert_eq!(stage.at("2026-11-18T02:00:00Z").await, NONE);
    for time in ["2026-11-20T09:00:00Z", "2026-11-20T09:00:20Z"] {
        stage.engine.run_due(at(time), desktop.listens()).await.unwrap();
    }
    assert_eq!(desktop.titles(), ["3 scheduled runs were missed"]);
}

/// The ledger takes nothing for hours, as on a full disk: a person learns it at once, once, and again after hours. The
/// mail is written as soon as it can be.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_even_be_recorded_is_told() {
    let (stage, desktop) = (Stage::new().await, Desktop::default());
    stage.schedule(JobId::HERO_STUDENTS, daily("03:10", Missed::CatchUp)).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    stage.change(|setup| setup.mail.port = closed).await;
    assert_eq!(stage.at("2026-11-18T02:00:00Z").await, NONE);
    let waiting = async |time: &str| {
        let sent = stage.engine.send_due_notices(at(time)).await;
        (sent.is_ok(), stage.engine.status().await.unwrap().mail.map_or(0, |mail| mail.waiting))
    };
    let (_, before) = waiting("2026-11-18T02:00:00Z").await;

    let ledger = stage.ledger();
    let refuse = |table: &str| {
        format!("CREATE TRIGGER no_{table} BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'full'); END;")
    };
    ledger.execute_batch(&(refuse("facts") + &refuse("runs"))).unwrap();
    for time in ["03:10:00", "03:10:20", "03:10:40", "07:09:59"] {
        let now = at(&format!("2026-11-18T{time}Z"));
        stage.engine.run_due(now, desktop.listens()).await.unwrap_err();
    }
    assert_eq!(desktop.titles(), ["A run came to no exchange"]);
    stage.engine.run_due(at("2026-11-18T07:10:00Z"), desktop.listens()).await.unwrap_err();
    assert_eq!(desktop.titles(), ["Runs still come to no exchange"]);
    assert_eq!(waiting("2026-11-18T07:10:00Z").await, (false, before));

    ledger.execute_batch("DROP TRIGGER no_facts;").unwrap();
    assert_eq!(waiting("2026-11-18T07:11:00Z").await, (true, before + 1));
    stage.engine.run_due(at("2026-11-18T07:11:20Z"), desktop.listens()).await.unwrap_err();
    assert_eq!(desktop.titles(), ["1 scheduled run was missed"], "of the failure nothing new");

    ledger.execute_batch("DROP TRIGGER no_runs;").unwrap();
    let mut now = at("2026-11-18T07:12:00Z");
    while stage.engine.run_due(now, desktop.listens()).await.unwrap().is_empty() {
        now += TimeDelta::minutes(1);
    }
    assert!(now < at("2026-11-18T08:00:00Z"), "tried again soon: {now}");
    // What a run tells is told at the time it is by the clock, days later.
    assert_eq!(desktop.titles().last().unwrap(), "Runs work again");
    assert_eq!(stage.outcomes().await, [Outcome::Succeeded]);
}

/// Another program writes on while we read: its file is read again soon, and not on the next day only.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_still_being_written_is_read_again_soon() {
    let stage = Stage::new().await;
    stage.engine.sync(vec![JobId::RAPTOR_ROSTER], false, Arc::new(|_| ())).await.unwrap();
    stage.schedule(JobId::RAPTOR_TARDIES, daily("03:10", Missed::CatchUp)).await;
    assert_eq!(stage.at("2026-11-18T02:00:00Z").await, NONE);
    let folder = PathBuf::from(stage.engine.setup().await.unwrap().raptor.folder);
    let tardies = folder.join("tardies-2026-11-18.csv");
    let row = fs::read_to_string(&tardies).unwrap().lines().nth(1).unwrap().to_owned();
    let writer = {
        let tardies = tardies.clone();
        move |event| {
            if let Event::Progress(Progress { phase: Phase::Attendance, done: 0, .. }) = event {
                let mut file = fs::OpenOptions::new().append(true).open(&tardies).unwrap();
                writeln!(file, "{row}").unwrap();
            }
        }
    };
    let first = stage.engine.run_due(at("2026-11-18T03:10:00Z"), Arc::new(writer)).await.unwrap();
    assert_eq!(first, [JobId::RAPTOR_TARDIES]);
    let runs = stage.engine.runs(1).await.unwrap();
    assert_eq!(runs[0].jobs[0].cause.as_ref().unwrap().code, "raptor.file_changing");
    assert!(tardies.exists());

    let mut now = at("2026-11-18T03:10:20Z");
    while stage.at(&now.to_rfc3339()).await.is_empty() {
        now += TimeDelta::seconds(20);
    }
    assert!(now < at("2026-11-18T03:20:00Z"), "minutes later: {now}");
    assert_eq!(stage.outcomes().await[0], Outcome::Succeeded);
    assert!(!tardies.exists());
}
