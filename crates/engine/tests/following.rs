//! What the Raptor integration does by itself, with the time passed in: against a practice district, with a real keychain.
//!
//! The window opens at 22:00 UTC in November, and at 21:00 UTC in July.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod practice;

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, Utc};
use rosterbridge_domain::{
    integration::{IntegrationEvent as E, IntegrationStatus as S},
    job::{JobId, Outcome},
    schedule::{JobSchedule, Missed, Pause, When},
    school_year::Summer,
    settings::{Prerequisites, Setup},
};
use rosterbridge_engine::{
    Engine, EngineError, OnEvent,
    report::{Event, RaptorStep},
};
use rosterbridge_practice::{DistrictChange, Faults, Maintenance, Running, ServeOptions};
use rstest::rstest;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

const NONE: &[JobId] = &[];
const ROSTER: &[JobId] = &[JobId::RAPTOR_ROSTER];

/// A profile set up for a practice district, where nothing but the roster for Raptor happens by itself.
struct Stage {
    engine: Arc<Engine>,
    district: Running,
    told: Arc<Mutex<Vec<String>>>,
    home: TempDir,
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn fields(value: Value) -> Map<String, Value> {
    let Value::Object(fields) = value else { panic!("{value}") };
    fields
}

impl Stage {
    async fn on(date: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let options = ServeOptions { date: date.parse().ok(), ..practice::small() };
        let (engine, district) = practice::start(home.path(), options).await;
        Self { engine, district, told: Arc::default(), home }
    }

    async fn new() -> Self {
        Self::on("2026-11-18").await
    }

    /// The program ends and starts again.
    async fn restarted(self) -> Self {
        let Self { engine, district, told, home } = self;
        drop(engine);
        Self { engine: practice::open(home.path()).await, district, told, home }
    }

    async fn change(&self, change: impl FnOnce(&mut Setup)) {
        let mut setup = self.engine.setup().await.unwrap();
        change(&mut setup);
        practice::save(&self.engine, setup).await.unwrap();
    }

    fn listens(&self) -> OnEvent {
        let told = Arc::clone(&self.told);
        Arc::new(move |event| {
            if let Event::Notice { title, .. } = event {
                told.lock().unwrap().push(title);
            }
        })
    }

    /// What the desktop was told since it was asked last.
    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    /// What runs at a moment.
    async fn at(&self, time: &str) -> Vec<JobId> {
        self.engine.run_due(at(time), self.listens()).await.unwrap()
    }

    async fn status(&self) -> S {
        self.engine.raptor_status().await.unwrap()
    }

    async fn outcomes(&self) -> Vec<Outcome> {
        self.engine.runs(20).await.unwrap().iter().map(|run| run.outcome).collect()
    }

    /// What happened, oldest first: event, status after it, code of what failed.
    async fn history(&self) -> Vec<(E, S, Option<String>)> {
        let history = self.engine.raptor_history(99, None).await.unwrap();
        let changes = history.changes.into_iter().rev();
        changes.map(|change| (change.event, change.to, change.cause.map(|cause| cause.code))).collect()
    }

    /// The roster files' content, one after the other.
    async fn rosters(&self) -> String {
        let folder = PathBuf::from(self.engine.setup().await.unwrap().raptor.folder).join("roster");
        let mut files: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
    }

    async fn change_students(&self, found_by: Value, set: Value) {
        let change =
            DistrictChange::Change { table: "Students".into(), found_by: fields(found_by), set: fields(set) };
        assert!(self.district.change_district(vec![change]).await.unwrap().rows > 0);
    }
}

fn down() -> Faults {
    Faults { maintenance: Some(Maintenance::Html), ..Faults::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_opens_and_the_first_synchronization_succeeds() {
    let stage = Stage::new().await;
    assert_eq!(stage.at("2026-11-18T21:59:59Z").await, NONE);
    assert_eq!(stage.status().await, S::PendingInitialization);
    let next = stage.engine.status().await.unwrap().raptor.next.unwrap();
    assert_eq!(next.step, RaptorStep::Synchronize);
    assert_eq!(stage.at("2026-11-18T22:00:05Z").await, ROSTER);
    assert_eq!(stage.status().await, S::Synchronizing);
    assert!(stage.engine.runs(1).await.unwrap()[0].scheduled);
    assert!(!stage.rosters().await.is_empty());
    assert_eq!(
        stage.history().await,
        [
            (E::Enabled, S::PendingInitialization, None),
            (E::WindowOpened, S::Initializing, None),
            (E::SyncSucceeded, S::Synchronizing, None),
        ]
    );
    assert_eq!(
        stage.told(),
        ["Raptor integration is now Initializing", "Raptor integration is now Synchronizing"]
    );
    let raptor = stage.engine.status().await.unwrap().raptor;
    assert_eq!(raptor.next.unwrap().step, RaptorStep::Look);
    assert!(raptor.since.is_some());
}

/// Whether the exchange folder is away or PowerSchool is, whose run comes to no exchange at all.
#[rstest]
#[case::no_folder(None, "raptor.folder_unusable")]
#[case::no_powerschool(Some(down()), "powerschool.maintenance")]
#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_fail_go_on_until_the_window_closes_and_the_next_day(
    #[case] faults: Option<Faults>,
    #[case] code: &str,
) {
    let stage = Stage::new().await;
    let folder = stage.engine.setup().await.unwrap().raptor.folder;
    match faults {
        Some(faults) => stage.district.set_faults(faults),
        None => stage.change(|setup| setup.raptor.folder = "/nowhere/at/all".to_owned()).await,
    }
    assert_eq!(stage.at("2026-11-18T22:00:00Z").await, ROSTER);
    assert_eq!(stage.status().await, S::Reinitializing);
    assert_eq!(stage.at("2026-11-18T22:09:59Z").await, NONE);
    let stage = stage.restarted().await;
    assert_eq!(stage.at("2026-11-18T22:09:59Z").await, NONE, "what was done is kept");
    assert_eq!(stage.at("2026-11-18T22:10:00Z").await, ROSTER);
    assert_eq!(stage.status().await, S::Reinitializing);
    // Asleep over the end of the window.
    assert_eq!(stage.at("2026-11-19T06:00:00Z").await, NONE);
    assert_eq!(stage.status().await, S::InitializationScheduled);
    assert_eq!(stage.at("2026-11-19T21:00:00Z").await, NONE);
    assert_eq!(stage.at("2026-11-19T22:00:00Z").await, ROSTER);
    assert_eq!(stage.status().await, S::InitializationScheduled);
    stage.district.set_faults(Faults::default());
    stage.change(|setup| setup.raptor.folder = folder).await;
    assert_eq!(stage.at("2026-11-19T22:10:00Z").await, ROSTER);
    assert_eq!(stage.status().await, S::Synchronizing);
    let code = Some(code.to_owned());
    assert_eq!(
        stage.history().await,
        [
            (E::Enabled, S::PendingInitialization, None),
            (E::WindowOpened, S::Initializing, None),
            (E::SyncFailed, S::Reinitializing, code.clone()),
            (E::SyncFailed, S::Reinitializing, code.clone()),
            (E::WindowClosed, S::InitializationScheduled, None),
            (E::WindowOpened, S::InitializationScheduled, None),
            (E::SyncFailed, S::InitializationScheduled, code),
            (E::SyncSucceeded, S::Synchronizing, None),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_in_powerschool_is_followed_and_what_is_not_costs_no_run() {
    let stage = Stage::new().await;
    assert_eq!(stage.at("2026-11-18T22:00:00Z").await, ROSTER);
    assert_eq!(stage.at("2026-11-18T22:00:20Z").await, NONE);
    assert_eq!(stage.at("2026-11-19T15:00:00Z").await, NONE);
    assert_eq!(stage.outcomes().await.len(), 1);
    let student = stage.rosters().await.lines().nth(1).unwrap().split(',').nth(1).unwrap().to_owned();
    let student: i64 = student.parse().unwrap();
    stage.change_students(json!({"Student_Number": student}), json!({"First_Name": "Zebedee"})).await;
    assert_eq!(stage.at("2026-11-19T15:04:00Z").await, NONE, "not yet");
    assert_eq!(stage.at("2026-11-19T15:05:00Z").await, ROSTER);
    assert!(stage.rosters().await.contains("Zebedee"));
    assert_eq!(stage.at("2026-11-19T15:10:00Z").await, NONE);
    assert_eq!(stage.outcomes().await, [Outcome::Succeeded, Outcome::Succeeded]);
    // What no roster holds is no news.
    stage.change_students(json!({"Student_Number": student}), json!({"Mailing_City": "Springfield"})).await;
    assert_eq!(stage.at("2026-11-19T15:15:00Z").await, NONE);
    // Another set-up is something new as well.
    stage.change(|setup| setup.mappings.buildings[0].enabled = false).await;
    assert_eq!(stage.at("2026-11-19T15:20:00Z").await, ROSTER);
    assert_eq!(stage.status().await, S::Synchronizing);
    let events: Vec<E> = stage.history().await.into_iter().skip(3).map(|(event, ..)| event).collect();
    assert_eq!(events, [E::FetchSucceeded, E::SyncSucceeded], "each is listed once");
}

/// Without data versions each look reads everything: then it is made once an hour.
#[tokio::test(flavor = "multi_thread")]
async fn a_powerschool_that_does_not_tell_what_is_new_is_looked_at_once_an_hour() {
    let stage = Stage::new().await;
    stage.district.set_faults(Faults { no_data_versions: true, ..Faults::default() });
    assert_eq!(stage.at("2026-11-18T22:00:00Z").await, ROSTER);
    assert_eq!(stage.at("2026-11-19T15:00:00Z").await, NONE);
    stage.change_students(json!({"Enroll_Status": 0}), json!({"Home_Room": "B 12"})).await;
    assert_eq!(stage.at("2026-11-19T15:59:00Z").await, NONE);
    assert_eq!(stage.at("2026-11-19T16:00:00Z").await, ROSTER);
    assert!(stage.rosters().await.contains("B 12"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_fails_has_it_initialized_again_in_the_next_window() {
    let stage = Stage::new().await;
    assert_eq!(stage.at("2026-11-18T22:00:00Z").await, ROSTER);
    stage.told();
    stage.district.set_faults(down());
    assert_eq!(stage.at("2026-11-19T15:00:00Z").await, NONE);
    assert_eq!(stage.status().await, S::ReinitializationScheduled);
    assert_eq!(stage.told(), ["Raptor integration is now Reinitialization Scheduled"]);
    let (event, _, code) = stage.history().await.pop().unwrap();
    assert_eq!((event, code.as_deref()), (E::FetchFailed, Some("powerschool.maintenance")));
    stage.district.set_faults(Faults::default());
    assert_eq!(stage.at("2026-11-19T16:00:00Z").await, NONE, "the last roster stands");
    assert_eq!(stage.outcomes().await.len(), 1);
    assert_eq!(stage.at("2026-11-19T22:00:00Z").await, ROSTER);
    assert_eq!(stage.status().await, S::Synchronizing);
}

/// A large change waits for a person, and is not tried every few minutes meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_before_a_large_change_is_no_failure_of_the_integration() {
    let stage = Stage::new().await;
    assert_eq!(stage.at("2026-11-18T22:00:00Z").await, ROSTER);
    stage.told();
    stage.change_students(json!({"Enroll_Status": 0}), json!({"Enroll_Status": 2})).await;
    assert_eq!(stage.at("2026-11-19T15:00:00Z").await, ROSTER);
    assert_eq!(stage.told(), ["raptor-roster was stopped before a large change"]);
    assert_eq!(stage.status().await, S::Synchronizing);
    assert_eq!(stage.at("2026-11-19T15:05:00Z").await, NONE);
    for file in stage.engine.guarded().await.unwrap() {
        stage.engine.decide_guarded(&file.id, true).await.unwrap();
    }
    assert_eq!(stage.at("2026-11-19T15:10:00Z").await, ROSTER);
    assert_eq!(stage.at("2026-11-19T15:15:00Z").await, NONE);
    assert_eq!(stage.outcomes().await, [Outcome::Succeeded, Outcome::Failed, Outcome::Succeeded]);
}

/// Nobody is refused because the program happens to look at PowerSchool.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_gives_way_to_a_person() {
    let stage = Stage::new().await;
    assert_eq!(stage.at("2026-11-18T22:00:00Z").await, ROSTER);
    stage.district.set_faults(Faults { hang: Some("/ws/".to_owned()), ..Faults::default() });
    let looking = tokio::spawn({
        let (engine, on_event) = (Arc::clone(&stage.engine), stage.listens());
        async move { engine.run_due(at("2026-11-19T15:00:00Z"), on_event).await }
    });
    while !stage.engine.is_running() {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.engine.status().await.unwrap().running, None, "it is no run");
    stage.district.set_faults(Faults::default());
    let report = stage.engine.sync(vec![JobId::HERO_TEACHERS], false, Arc::new(|_| ())).await.unwrap();
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert_eq!(looking.await.unwrap().unwrap(), NONE);
    assert_eq!(stage.status().await, S::Synchronizing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_may_start_it_outside_the_window() {
    let stage = Stage::new().await;
    let report = stage.engine.sync(ROSTER.to_vec(), false, stage.listens()).await.unwrap();
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert_eq!(stage.status().await, S::Synchronizing);
    let history = stage.engine.raptor_history(2, None).await.unwrap();
    assert!(history.more);
    assert_eq!(history.changes[0].run.as_deref(), Some(report.run.as_str()));
    assert!(history.changes[1].because.contains("A person started"), "{:?}", history.changes[1]);
    let before = Some(history.changes[1].id);
    let first = stage.engine.raptor_history(9, before).await.unwrap();
    assert_eq!((first.changes.len(), first.more, first.changes[0].event), (1, false, E::Enabled));
    // From here on updates are followed.
    assert_eq!(stage.at("2026-11-18T15:00:00Z").await, NONE);
    assert_eq!(stage.outcomes().await.len(), 1);
}

/// What was read is followed again and again, and not only in the next window: nothing was wrong with fetching it.
#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_can_not_be_sent_is_tried_again_at_each_look() {
    let stage = Stage::new().await;
    assert_eq!(stage.at("2026-11-18T22:00:00Z").await, ROSTER);
    stage.told();
    let away = stage.home.path().join("away");
    let folder = away.to_str().unwrap().to_owned();
    stage.change(|setup| setup.raptor.folder = folder).await;
    assert_eq!(stage.at("2026-11-19T15:00:00Z").await, ROSTER);
    assert_eq!(stage.status().await, S::Synchronizing);
    assert_eq!(stage.told(), ["raptor-roster failed"]);
    assert_eq!(stage.at("2026-11-19T15:04:00Z").await, NONE);
    assert_eq!(stage.at("2026-11-19T15:05:00Z").await, ROSTER);
    let latest = stage.engine.raptor_history(1, None).await.unwrap().changes.remove(0);
    assert_eq!((latest.event, latest.from, latest.to), (E::SyncFailed, S::Synchronizing, S::Synchronizing));
    assert_eq!(latest.cause.unwrap().code, "raptor.folder_unusable");
    assert!(latest.because.ends_with("the next look tries again."), "{}", latest.because);
    fs::create_dir(&away).unwrap();
    assert_eq!(stage.at("2026-11-19T15:10:00Z").await, ROSTER);
    assert!(!stage.rosters().await.is_empty());
    assert_eq!(stage.at("2026-11-19T15:15:00Z").await, NONE);
    assert_eq!(
        stage.outcomes().await,
        [Outcome::Succeeded, Outcome::Failed, Outcome::Failed, Outcome::Succeeded]
    );
}

/// Whoever starts a run while the plugin lacks a field learns of it, and so does the status.
#[tokio::test(flavor = "multi_thread")]
async fn what_powerschool_does_not_give_could_not_be_fetched() {
    let stage = Stage::new().await;
    assert_eq!(stage.at("2026-11-18T22:00:00Z").await, ROSTER);
    let missing_access = vec!["STUDENTS.HOME_PHONE".to_owned()];
    stage.district.set_faults(Faults { missing_access, no_data_versions: true, ..Faults::default() });
    let report = stage.engine.sync(ROSTER.to_vec(), false, stage.listens()).await.unwrap();
    assert_eq!(report.jobs[0].cause.as_ref().unwrap().code, "powerschool.no_access");
    assert_eq!(stage.status().await, S::ReinitializationScheduled);
    assert_eq!(stage.history().await.pop().unwrap().0, E::FetchFailed);
}

/// A run that does not come to PowerSchool at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_breaks_off_does_not_blame_powerschool() {
    let stage = Stage::new().await;
    stage.change(|setup| setup.powerschool.url = String::new()).await;
    assert_eq!(stage.at("2026-11-18T22:00:00Z").await, ROSTER);
    assert_eq!(stage.status().await, S::Reinitializing);
    let latest = stage.engine.raptor_history(1, None).await.unwrap().changes.remove(0);
    assert_eq!(
        latest.because,
        "A full synchronization failed: the run broke off before the roster was done."
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tardies_wait_for_the_integration() {
    let stage = Stage::new().await;
    let tardies = [JobId::RAPTOR_TARDIES];
    let when = When::Every { minutes: 5.try_into().unwrap() };
    let every = JobSchedule { when, zone: chrono_tz::UTC, only_in_session: false, missed: Missed::Skip };
    stage
        .change(|setup| {
            setup.jobs.iter_mut().find(|job| job.job == JobId::RAPTOR_TARDIES).unwrap().schedule =
                Some(every);
        })
        .await;
    let planned = async || {
        let jobs = stage.engine.status().await.unwrap().jobs;
        jobs.iter().find(|view| view.job == JobId::RAPTOR_TARDIES).unwrap().next_at.is_some()
    };
    for time in ["2026-11-18T21:00:00Z", "2026-11-18T21:05:00Z", "2026-11-18T21:30:00Z"] {
        assert_eq!((stage.at(time).await.as_slice(), planned().await), (NONE, false), "pending");
    }
    assert_eq!(stage.at("2026-11-18T22:00:00Z").await, ROSTER);
    assert_eq!(stage.at("2026-11-18T22:00:20Z").await, NONE);
    assert!(planned().await);
    assert_eq!(stage.at("2026-11-18T22:05:00Z").await, tardies);
    stage.change(|setup| setup.raptor.student_tardy = false).await;
    assert_eq!((stage.at("2026-11-18T22:10:00Z").await.as_slice(), planned().await), (NONE, false), "No");
    stage.change(|setup| setup.raptor.student_tardy = true).await;
    assert_eq!(stage.at("2026-11-18T22:15:00Z").await, NONE, "for times gone by it does not run");
    assert_eq!(stage.at("2026-11-18T22:20:00Z").await, tardies);
    stage.change(|setup| setup.raptor.enabled = false).await;
    assert_eq!((stage.at("2026-11-18T22:25:00Z").await.as_slice(), planned().await), (NONE, false), "off");
    assert!(stage.outcomes().await.iter().all(|outcome| *outcome != Outcome::Failed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_it_back() {
    let stage = Stage::new().await;
    stage.engine.set_pause(Pause::UntilResumed).await.unwrap();
    assert_eq!(stage.at("2026-11-18T22:00:00Z").await, NONE);
    assert_eq!(stage.engine.status().await.unwrap().raptor.next, None);
    stage.engine.set_pause(Pause::No).await.unwrap();
    assert_eq!(stage.status().await, S::PendingInitialization);
    assert_eq!(stage.at("2026-11-18T23:00:00Z").await, ROSTER, "the window is open still");
}

#[tokio::test(flavor = "multi_thread")]
async fn summer_holds_it_back() {
    let stage = Stage::on("2026-07-15").await;
    assert_eq!(stage.at("2026-07-15T21:00:00Z").await, NONE);
    assert_eq!(stage.status().await, S::PendingInitialization);
    assert_eq!(stage.engine.status().await.unwrap().raptor.next, None, "a practice date stands still");
}

#[tokio::test(flavor = "multi_thread")]
async fn switched_off_and_on_again_it_begins_anew_in_the_same_window() {
    let stage = Stage::new().await;
    assert_eq!(stage.at("2026-11-18T22:00:00Z").await, ROSTER);
    stage.change(|setup| setup.raptor.enabled = false).await;
    assert_eq!(stage.status().await, S::Disabled);
    assert_eq!(stage.at("2026-11-18T22:05:00Z").await, NONE);
    stage.change(|setup| setup.raptor.enabled = true).await;
    assert_eq!(stage.status().await, S::PendingInitialization);
    assert_eq!(stage.at("2026-11-18T22:06:00Z").await, ROSTER);
    assert_eq!(stage.status().await, S::Synchronizing);
    // Saved again it is not switched on again.
    let before = stage.history().await.len();
    stage.change(|setup| setup.raptor.student_tardy = false).await;
    assert_eq!(stage.history().await.len(), before);
    // The exchange alone can be held back, too.
    stage
        .change(|setup| {
            setup.jobs.iter_mut().find(|job| job.job == JobId::RAPTOR_ROSTER).unwrap().enabled = false;
        })
        .await;
    assert_eq!(stage.at("2026-11-19T22:00:00Z").await, NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_confirmation_says_what_delays_it() {
    let stage = Stage::on("2026-07-15").await;
    stage.district.set_faults(Faults { no_data_versions: true, ..Faults::default() });
    stage.engine.sync(ROSTER.to_vec(), false, stage.listens()).await.unwrap();
    let mut setup = stage.engine.setup().await.unwrap();
    let now = at("2026-07-15T12:00:00Z");
    let warnings =
        async |setup: &Setup| stage.engine.raptor_confirmation(setup.clone(), now).await.unwrap().warnings;
    let doubtful = warnings(&setup).await;
    for part in ["It is summer: nothing is sent or taken in before the first day of school", "once an hour"] {
        assert_eq!(doubtful.iter().filter(|warning| warning.contains(part)).count(), 1, "{doubtful:?}");
    }
    setup.raptor.follow_minutes = 60.try_into().unwrap();
    setup.summer = Summer::SendPreRegistered;
    let chosen = warnings(&setup).await;
    assert_eq!(chosen.len(), doubtful.len() - 2, "{chosen:?}");
}

fn code<T: std::fmt::Debug>(refused: Result<T, EngineError>) -> &'static str {
    refused.unwrap_err().code()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_switched_on_only_with_all_it_needs() {
    let stage = Stage::new().await;
    stage.change(|setup| setup.raptor.enabled = false).await;
    let mut on = stage.engine.setup().await.unwrap();
    on.raptor.enabled = true;
    let refused = async |change: fn(&mut Setup)| {
        let mut setup = on.clone();
        change(&mut setup);
        let confirmation =
            stage.engine.raptor_confirmation(setup.clone(), at("2026-11-18T12:00:00Z")).await.unwrap();
        let error = practice::save(&stage.engine, setup).await.unwrap_err();
        assert_eq!(confirmation.obstacles.first().map(|cause| cause.code.as_str()), Some(error.code()));
        assert_eq!(stage.status().await, S::Disabled);
        error
    };
    let missing = refused(|setup| {
        setup.raptor.prerequisites = Prerequisites { plugin_installed: false, ..Prerequisites::DONE };
    })
    .await;
    assert_eq!(missing.code(), "raptor.prerequisites");
    let message = missing.to_string();
    assert!(message.contains("plugin is installed") && !message.contains("credentials"), "{message}");
    let no_buildings = refused(|setup| {
        for row in &mut setup.mappings.buildings {
            row.enabled = false;
        }
    });
    assert_eq!(no_buildings.await.code(), "raptor.no_buildings");
    assert_eq!(refused(|setup| setup.raptor.folder = " ".to_owned()).await.code(), "raptor.no_exchange");

    // A setup file is taken over as it is, and starts paused.
    let mut imported = on.clone();
    imported.raptor.prerequisites = Prerequisites::default();
    stage.engine.import_setup(imported, Vec::new()).await.unwrap();
    assert_eq!(stage.status().await, S::PendingInitialization);
    assert!(stage.engine.is_paused().await.unwrap());
    // So is one that was switched on before.
    stage.change(|setup| setup.raptor.student_tardy = false).await;
    let unmapped = practice::save(&stage.engine, Setup::default()).await;
    assert!(unmapped.is_ok() && stage.status().await == S::Disabled);
    assert_eq!(
        code(practice::save(&stage.engine, Setup { raptor: on.raptor, ..Setup::default() }).await),
        "raptor.no_buildings"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_confirmation_tells_what_will_happen_and_when() {
    let stage = Stage::new().await;
    let mut setup = stage.engine.setup().await.unwrap();
    let confirm = async |setup: &Setup, now: &str| {
        stage.engine.raptor_confirmation(setup.clone(), at(now)).await.unwrap()
    };
    let before = confirm(&setup, "2026-11-18T12:00:00Z").await;
    assert_eq!((before.buildings, before.schools, before.schools_left_out), (2, 2, 0));
    assert_eq!(
        (before.students, before.notified.as_slice()),
        (Some(40), ["office@practice.example".to_owned()].as_slice())
    );
    assert_eq!(before.processed_at, at("2026-11-18T22:00:00Z"));
    assert!(before.tardy_codes.is_some_and(|codes| codes > 0));
    assert!(before.obstacles.is_empty() && before.warnings.is_empty(), "{before:?}");
    let open = confirm(&setup, "2026-11-18T22:30:00Z").await;
    assert_eq!(open.processed_at, at("2026-11-18T22:30:00Z"), "at once");

    let school = setup.mappings.buildings[0].school;
    setup.mappings.buildings[1].school = school;
    setup.mappings.buildings[1].method = None;
    setup.mappings.tardy_codes.clear();
    setup.raptor.notify.clear();
    setup.mail.to.clear();
    for job in &mut setup.jobs {
        job.enabled = false;
    }
    stage.engine.set_pause(Pause::UntilResumed).await.unwrap();
    let doubtful = confirm(&setup, "2026-11-18T12:00:00Z").await;
    assert_eq!((doubtful.buildings, doubtful.schools, doubtful.schools_left_out), (2, 1, 1));
    assert!(doubtful.students.unwrap() < 40 && doubtful.paused);
    for part in [
        "the same school",
        "No building stands for 1 school",
        "Nobody is named",
        "raptor-roster is switched off",
        "no tardy is taken in, until",
        "raptor-tardies is switched off",
        "no active row",
        "method is not confirmed for 1",
        "are paused",
    ] {
        assert_eq!(
            doubtful.warnings.iter().filter(|warning| warning.contains(part)).count(),
            1,
            "{part}: {doubtful:?}"
        );
    }
    setup.raptor.student_tardy = false;
    let roster_only = confirm(&setup, "2026-11-18T12:00:00Z").await;
    assert_eq!(roster_only.tardy_codes, None);
    assert!(roster_only.warnings.len() < doubtful.warnings.len());
}
