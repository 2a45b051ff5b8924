//! Cancelling a run at the moment one of its steps begins: against a practice district, with a real keychain.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod practice;

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use rosterbridge_domain::job::{JobId, Outcome};
use rosterbridge_engine::{
    Engine, OnEvent,
    report::{Event, Phase, Progress},
};
use rosterbridge_practice::{AttendanceMode, Running, ServeOptions};
use rstest::rstest;
use tempfile::TempDir;

/// A Wednesday in session.
const DATE: &str = "2026-11-18";

struct Stage {
    engine: Arc<Engine>,
    district: Running,
    home: TempDir,
}

impl Stage {
    async fn new() -> Self {
        Self::with(practice::small()).await
    }

    async fn with(options: ServeOptions) -> Self {
        let home = tempfile::tempdir().unwrap();
        let options =
            ServeOptions { date: DATE.parse().ok(), data: Some(home.path().join("district")), ..options };
        let (engine, district) = practice::start(home.path(), options).await;
        Self { engine, district, home }
    }

    async fn run(&self, job: JobId) -> Outcome {
        self.engine.sync(vec![job], false, Arc::new(|_| ())).await.unwrap().jobs[0].outcome
    }

    /// Cancels the run at the first progress that `at` holds for.
    fn cancelling(
        &self,
        at: impl Fn(&Progress) -> bool + Send + Sync + 'static,
    ) -> (OnEvent, Arc<AtomicBool>) {
        let (engine, cancelled) = (Arc::clone(&self.engine), Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&cancelled);
        let on_event = Arc::new(move |event| {
            if let Event::Progress(progress) = event
                && at(&progress)
            {
                told.store(true, Ordering::SeqCst);
                engine.cancel();
            }
        });
        (on_event, cancelled)
    }

    fn hero_imports(&self) -> Vec<String> {
        names_in(&self.home.path().join("district/hero/imports"))
    }

    fn raptor(&self, folder: &str) -> Vec<String> {
        names_in(&self.district.ready().raptor.folder.join(folder))
    }
}

/// What is in a folder, sorted; nothing when there is none.
fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[rstest]
#[case::planning_students(JobId::HERO_STUDENTS, Phase::Plan, true)]
#[case::planning_schedules(JobId::HERO_SCHEDULE, Phase::Plan, true)]
#[case::planning_teachers(JobId::HERO_TEACHERS, Phase::Plan, true)]
#[case::planning_rosters(JobId::RAPTOR_ROSTER, Phase::Plan, true)]
#[case::writing_rosters(JobId::RAPTOR_ROSTER, Phase::Plan, false)]
#[case::sending_students(JobId::HERO_STUDENTS, Phase::Upload, false)]
#[case::reading_tardies(JobId::RAPTOR_TARDIES, Phase::Download, true)]
#[tokio::test(flavor = "multi_thread")]
async fn a_job_stops_where_it_is_cancelled(#[case] job: JobId, #[case] phase: Phase, #[case] dry: bool) {
    let stage = Stage::new().await;
    let (on_event, cancelled) =
        stage.cancelling(move |progress| progress.job == Some(job) && progress.phase == phase);
    let report = stage.engine.sync(vec![job], dry, on_event).await.unwrap();
    assert!(cancelled.load(Ordering::SeqCst), "it came to the step");
    assert_eq!((report.outcome, report.jobs[0].outcome), (Outcome::Cancelled, Outcome::Cancelled));
    assert_eq!(report.jobs[0].cause.as_ref().unwrap().code, "run.cancelled");
    assert!(report.jobs[0].plan.is_none(), "nothing was planned to its end");
    assert!(!stage.engine.is_running());
    assert_eq!((stage.hero_imports(), stage.raptor("roster")), (Vec::new(), Vec::new()));

    if job == JobId::RAPTOR_TARDIES {
        assert_eq!(stage.run(JobId::RAPTOR_ROSTER).await, Outcome::Succeeded);
    }
    assert_eq!(stage.run(job).await, Outcome::Succeeded);
}

/// A run that a person stopped says nothing about the integration.
#[tokio::test(flavor = "multi_thread")]
async fn cancelling_leaves_the_integration_as_it_is() {
    let stage = Stage::new().await;
    assert_eq!(stage.run(JobId::RAPTOR_ROSTER).await, Outcome::Succeeded);
    let before = stage.engine.raptor_status().await.unwrap();
    let (on_event, _) = stage.cancelling(|progress| progress.phase == Phase::Plan);
    let report = stage.engine.sync(vec![JobId::RAPTOR_ROSTER], false, on_event).await.unwrap();
    assert_eq!(report.jobs[0].outcome, Outcome::Cancelled);
    assert_eq!(stage.engine.raptor_status().await.unwrap(), before);
}

/// Files are moved when their rows are in PowerSchool: cancelled in between, the next run only moves them.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_rows_are_written_is_moved_by_the_next_run() {
    let stage = Stage::new().await;
    assert_eq!(stage.run(JobId::RAPTOR_ROSTER).await, Outcome::Succeeded);
    let tardies = format!("tardies-{DATE}.csv");
    let (on_event, _) = stage.cancelling(|progress| {
        progress.phase == Phase::Attendance && progress.done > 0 && Some(progress.done) == progress.total
    });
    let report = stage.engine.sync(vec![JobId::RAPTOR_TARDIES], false, on_event).await.unwrap();
    assert_eq!(report.jobs[0].outcome, Outcome::Cancelled);
    let written = report.jobs[0].rows.written;
    assert!(written > 0);
    assert!(stage.raptor("").contains(&tardies) && stage.raptor("processed").is_empty());

    let next = stage.engine.sync(vec![JobId::RAPTOR_TARDIES], false, Arc::new(|_| ())).await.unwrap();
    assert_eq!((next.jobs[0].outcome, next.jobs[0].rows.written), (Outcome::Succeeded, 0));
    assert_eq!(next.jobs[0].rows.noop, written);
    assert!(!stage.raptor("").contains(&tardies));
    assert_eq!(stage.raptor("processed"), [tardies]);
}

/// Cancelled while some are on their way, those before them noted and those after them marked: each is written once.
#[rstest]
#[case::early(1)]
#[case::late(15)]
#[tokio::test(flavor = "multi_thread")]
async fn writes_under_way_are_made_once_each(#[case] noted: u64) {
    let stage = Stage::with(ServeOptions {
        tardies: Some(35),
        attendance: AttendanceMode::Insert,
        ..practice::small()
    })
    .await;
    let mut setup = stage.engine.setup().await.unwrap();
    setup.powerschool.answer_seconds = 1;
    practice::save(&stage.engine, setup).await.unwrap();
    assert_eq!(stage.run(JobId::RAPTOR_ROSTER).await, Outcome::Succeeded);
    let planned = Arc::new(AtomicU64::new(0));
    let total = Arc::clone(&planned);
    let (on_event, _) = stage.cancelling(move |progress| {
        total.fetch_max(progress.total.unwrap_or_default(), Ordering::SeqCst);
        progress.phase == Phase::Attendance
            && (noted..progress.total.unwrap_or_default()).contains(&progress.done)
    });
    let report = stage.engine.sync(vec![JobId::RAPTOR_TARDIES], false, on_event).await.unwrap();
    assert_eq!(report.jobs[0].outcome, Outcome::Cancelled);
    let planned = planned.load(Ordering::SeqCst);
    let written = report.jobs[0].rows.written;
    assert!((noted..planned).contains(&written), "{written} of {planned} were noted");

    let next = stage.engine.sync(vec![JobId::RAPTOR_TARDIES], false, Arc::new(|_| ())).await.unwrap();
    assert_eq!((next.jobs[0].outcome, next.jobs[0].rows.written), (Outcome::Succeeded, planned - written));
    let database = stage.district.district().connect().unwrap();
    let sent = "SELECT count(*), count(DISTINCT StudentID) FROM Practice_Write";
    let sent: (i64, i64) = database.query_row(sent, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(sent, (planned.cast_signed(), planned.cast_signed()));
}
