//! Looking from outside whether PowerSchool's AutoSend does what it should, with the time passed in: against a practice
//! district, with a real keychain.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod practice;

use std::{
    fs, mem,
    net::TcpListener,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use rosterbridge_domain::{
    id::SchoolNumber,
    job::{AccountId, Job, JobId},
    schedule::{JobSchedule, Missed, Pause, When},
    settings::{HeroAccount, JobSettings, Owner, Setup},
};
use rosterbridge_engine::{
    Engine, OnEvent,
    report::{Event, WatchState, WatchView, WatchedFileView},
};
use rosterbridge_practice::{AutoSend, Running};
use rstest::rstest;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A profile of a district whose PowerSchool sends at 3:00 and takes in at 3:30, today.
struct Stage {
    engine: Arc<Engine>,
    district: Running,
    told: Arc<Mutex<Vec<String>>>,
    midnight: DateTime<Utc>,
    _home: TempDir,
}

fn daily(time: &str) -> JobSchedule {
    let when = When::At { days: "MTWHFSU".parse().unwrap(), time: time.parse().unwrap() };
    JobSchedule { when, zone: chrono_tz::UTC, only_in_session: false, missed: Missed::CatchUp }
}

fn is_powerschools(account: &mut HeroAccount) {
    account.students.owner = Owner::PowerSchool;
    account.schedule.owner = Owner::PowerSchool;
    account.teachers.owner = Owner::PowerSchool;
    account.attendance.owner = Owner::PowerSchool;
}

impl Stage {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let (engine, district) = practice::start(home.path(), practice::small()).await;
        let midnight = Utc::now().date_naive().and_time(NaiveTime::MIN).and_utc();
        let stage = Self { engine, district, told: Arc::default(), midnight, _home: home };
        stage
            .change(|setup| {
                is_powerschools(&mut setup.hero.accounts[0]);
                setup.jobs = setup.hero.accounts[0]
                    .jobs()
                    .map(|job| {
                        let time = if job.kind() == Job::HeroAttendance { "03:30" } else { "03:00" };
                        JobSettings { job, enabled: true, schedule: Some(daily(time)) }
                    })
                    .to_vec();
            })
            .await;
        stage.look("02:00").await;
        stage
    }

    async fn change(&self, change: impl FnOnce(&mut Setup)) {
        let mut setup = self.engine.setup().await.unwrap();
        change(&mut setup);
        practice::save(&self.engine, setup).await.unwrap();
    }

    fn at(&self, time: &str) -> DateTime<Utc> {
        self.midnight + (time.parse::<NaiveTime>().unwrap_or_default() - NaiveTime::MIN)
    }

    fn listener(&self) -> OnEvent {
        let told = Arc::clone(&self.told);
        Arc::new(move |event| {
            if let Event::Notice { title, body, .. } = event {
                told.lock().unwrap().push(format!("{title} | {body}"));
            }
        })
    }

    /// What the schedule does at a time of the day.
    async fn look(&self, time: &str) -> Option<WatchView> {
        self.look_at(self.at(&format!("{time}:00"))).await
    }

    async fn look_at(&self, now: DateTime<Utc>) -> Option<WatchView> {
        self.engine.watch_due(now, &CancellationToken::new(), &self.listener()).await.unwrap();
        self.engine.status().await.unwrap().watch.pop()
    }

    /// What a person sees who asks for it at a time of the day.
    async fn ask(&self, time: &str) -> WatchView {
        let now = self.at(&format!("{time}:00"));
        self.engine.watch(AccountId::FIRST, now, &self.listener()).await.unwrap()
    }

    async fn auto_send(&self, time: &str, request: AutoSend) {
        let modified = Some(self.at(&format!("{time}:00")));
        self.district.auto_send(AutoSend { modified, ..request }).await.unwrap();
    }

    /// The codes, or first words, of what the desktop was told since it was asked last.
    fn told(&self) -> Vec<String> {
        let told = mem::take(&mut *self.told.lock().unwrap());
        told.iter()
            .map(|notice| {
                let code = notice.rsplit_once('[').map(|(_, code)| code.trim_end_matches(']').to_owned());
                code.unwrap_or_else(|| notice.split(" | ").next().unwrap().to_owned())
            })
            .collect()
    }
}

fn file(view: &WatchView, job: JobId) -> &WatchedFileView {
    view.files.iter().find(|file| file.job == job).unwrap()
}

fn states(view: &WatchView) -> Vec<WatchState> {
    view.files.iter().map(|file| file.state).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_on_which_everything_is_as_it_should_be() {
    use WatchState::{Fine, NotDue, Taken};
    let stage = Stage::new().await;
    stage.auto_send("03:01", AutoSend::default()).await;
    assert!(stage.look("03:02").await.is_none(), "it may take a while");
    let view = stage.look("03:04").await.unwrap();
    assert_eq!((&view.cause, &view.not_compared), (&None, &None));
    assert_eq!(states(&view)[..3], [Fine, Fine, Fine], "{view:?}");
    for seen in &view.files[..3] {
        assert_eq!(seen.due_at, Some(stage.at("03:00:00")));
        assert_eq!(seen.columns, Some(seen.expected_columns), "{seen:?}");
        assert!(seen.rows.is_some_and(|rows| rows > 0), "{seen:?}");
        assert_eq!(seen.rows, seen.expected_rows, "{seen:?}");
    }
    // Hero's export is of today already, and PowerSchool's time to take it in has not come.
    let import = file(&view, JobId::HERO_ATTENDANCE);
    assert_eq!((import.due_at, import.state), (None, Fine));
    assert_eq!((import.columns, import.expected_columns), (Some(7), 7));
    assert_eq!(stage.told(), [""; 0]);
    assert_eq!(stage.engine.runs(10).await.unwrap().len(), 0, "a look is no run");

    // Hero may remove what it has taken.
    for name in ["STUDENT.TXT", "SCHEDULE.TXT", "TEACHER.txt"] {
        fs::remove_file(stage.district.data().join("hero/imports").join(name)).unwrap();
    }
    let view = stage.ask("04:30").await;
    assert_eq!(states(&view), [Taken, Taken, Taken, Fine]);
    assert_eq!(stage.told(), [""; 0]);

    // Yesterday's files prove nothing today.
    let view = stage.look_at(stage.at("03:33:00") + TimeDelta::days(1)).await.unwrap();
    assert_eq!(states(&view)[..3], [WatchState::Alert; 3], "{view:?}");
    assert_ne!(states(&view)[3], NotDue);
    stage.district.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_does_not_come_is_told_once_a_day_until_it_is_there() {
    let stage = Stage::new().await;
    stage.change(|setup| setup.jobs.retain(|settings| settings.job != JobId::HERO_ATTENDANCE)).await;
    let (missing, right) = ("hero.watch_missing", "hero-students: the file is as it should be again");
    let students = |view: &WatchView| file(view, JobId::HERO_STUDENTS).clone();
    stage
        .auto_send(
            "03:01",
            AutoSend {
                files: vec!["SCHEDULE.TXT".to_owned(), "TEACHER.txt".to_owned()],
                ..AutoSend::default()
            },
        )
        .await;
    assert_eq!(students(&stage.look("03:04").await.unwrap()).state, WatchState::Waiting);
    assert_eq!(students(&stage.look("03:29").await.unwrap()).state, WatchState::Waiting);
    assert_eq!(stage.told(), [""; 0]);
    let seen = students(&stage.look("03:35").await.unwrap());
    assert_eq!((seen.state, seen.cause.unwrap().code), (WatchState::Alert, missing.to_owned()));
    assert_eq!(stage.told(), [missing]);
    let before = stage.look("03:36").await.unwrap();
    let later = stage.look("04:00").await.unwrap();
    assert_eq!(later.looked_at, before.looked_at, "it is looked again an hour later: {before:?}");
    stage.look("04:40").await;
    stage.ask("05:00").await;
    assert_eq!(stage.told(), [""; 0], "it was told");
    stage.auto_send("05:10", AutoSend::default()).await;
    assert_eq!(students(&stage.look("06:05").await.unwrap()).state, WatchState::Fine);
    assert_eq!(stage.told(), [right]);
    stage.district.stop().await;
}

#[rstest]
#[case::no_folder(AutoSend { in_root: true, ..AutoSend::default() }, "hero.watch_wrong_folder")]
#[case::a_field_less(AutoSend { without: vec!["Home_Phone".to_owned()], ..AutoSend::default() }, "hero.watch_columns")]
#[case::commas(AutoSend { comma: true, ..AutoSend::default() }, "hero.watch_columns")]
#[case::cut_off(AutoSend { rows: Some(10), ..AutoSend::default() }, "hero.watch_rows")]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_file_is_told_once_it_stays_as_it_is(
    #[case] request: AutoSend,
    #[case] code: &str,
) {
    let stage = Stage::new().await;
    stage.auto_send("03:01", AutoSend { files: vec!["STUDENT.TXT".to_owned()], ..request }).await;
    let in_the_root = code == "hero.watch_wrong_folder";
    if !in_the_root {
        let view = stage.look("03:04").await.unwrap();
        assert_eq!(file(&view, JobId::HERO_STUDENTS).state, WatchState::Waiting, "it may be half of it");
        assert_eq!(stage.told(), [""; 0]);
    }
    let view = stage.look("03:10").await.unwrap();
    let seen = file(&view, JobId::HERO_STUDENTS);
    assert_eq!(seen.cause.as_ref().map(|cause| cause.code.as_str()), Some(code), "{seen:?}");
    assert_eq!(stage.told(), [code]);
    let found = in_the_root.then(|| "STUDENT.TXT".to_owned());
    assert_eq!(seen.found, found);
    stage.district.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_fails_no_run_and_is_told_once_a_file_is_due() {
    let stage = Stage::new().await;
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut port = closed;
    stage.change(|setup| mem::swap(&mut setup.connections[0].port, &mut port)).await;
    let view = stage.look("03:04").await.unwrap();
    assert!(view.cause.is_some(), "{view:?}");
    assert_eq!(stage.told(), [""; 0], "the file may still come");
    let view = stage.look("04:05").await.unwrap();
    let code = view.cause.unwrap().code;
    assert_eq!(stage.told(), [code]);
    assert_eq!(stage.engine.runs(10).await.unwrap().len(), 0);
    stage.change(|setup| setup.connections[0].port = port).await;
    stage.auto_send("03:01", AutoSend::default()).await;
    let view = stage.look("05:06").await.unwrap();
    assert_eq!(view.cause, None);
    assert_eq!(states(&view), [WatchState::Fine; 4]);
    assert_eq!(stage.told(), ["Hero can be looked at again"]);
    stage.district.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_person_can_mend_is_told_once_a_file_is_late() {
    let stage = Stage::new().await;
    stage.change(|setup| setup.connections[0].allow_download = false).await;
    let first = stage.look("03:04").await.unwrap();
    assert_eq!(first.cause.unwrap().code, "setup.switched_off");
    assert_eq!(stage.look("03:29").await.unwrap().looked_at, first.looked_at, "no file is late yet");
    assert_eq!(stage.told(), [""; 0]);
    stage.look("03:31").await;
    assert_eq!(stage.told(), ["setup.switched_off"]);
    // The import is late, too, half an hour after the exports.
    stage.look("04:01").await;
    let last = stage.look("05:00").await.unwrap();
    assert_eq!(last.looked_at, stage.at("04:01:00"), "it stays as it is");
    stage.look_at(stage.at("03:04:00") + TimeDelta::days(1)).await;
    assert_eq!(stage.told(), [""; 0]);
    stage.look_at(stage.at("03:31:00") + TimeDelta::days(1)).await;
    assert_eq!(stage.told(), ["setup.switched_off"]);
    stage.district.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_effect_at_powerschool_does_not_count() {
    let stage = Stage::new().await;
    stage
        .change(|setup| {
            let account = &mut setup.hero.accounts[0];
            account.schedule.only_current_terms = true;
            // A school that has nobody.
            account.students.schools = vec![SchoolNumber::new(9999)];
        })
        .await;
    stage.auto_send("03:01", AutoSend::default()).await;
    let view = stage.look("03:35").await.unwrap();
    assert_eq!(view.not_compared, None);
    assert_eq!(states(&view)[..3], [WatchState::Fine; 3], "{view:?}");
    stage.district.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hero_may_have_taken_while_the_computer_slept_is_not_told() {
    let stage = Stage::new().await;
    stage
        .change(|setup| {
            setup.jobs.retain(|settings| settings.job != JobId::HERO_ATTENDANCE);
            let side = &mut setup.hero.accounts[0].hero_side;
            (side.imports_at, side.zone) = (Some("05:00".parse().unwrap()), chrono_tz::UTC);
        })
        .await;
    let view = stage.look("08:00").await.unwrap();
    assert_eq!(states(&view)[..3], [WatchState::NotSeen; 3], "{view:?}");
    assert_eq!(stage.look("10:00").await.unwrap().looked_at, view.looked_at, "no more will be known");
    assert_eq!(states(&stage.ask("11:00").await)[..3], [WatchState::NotSeen; 3]);
    assert_eq!(stage.told(), [""; 0]);
    // The next day it is awake.
    stage.look_at(stage.at("03:04:00") + TimeDelta::days(1)).await;
    let view = stage.look_at(stage.at("08:00:00") + TimeDelta::days(1)).await.unwrap();
    assert_eq!(states(&view)[..3], [WatchState::Alert; 3], "{view:?}");
    stage.district.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_looked_at_in_a_pause_nor_without_download() {
    let stage = Stage::new().await;
    stage.engine.set_pause(Pause::UntilResumed).await.unwrap();
    assert!(stage.look("03:40").await.is_none());
    stage.engine.set_pause(Pause::No).await.unwrap();
    stage.change(|setup| setup.connections[0].allow_download = false).await;
    let view = stage.look("03:41").await.unwrap();
    assert_eq!(view.cause.unwrap().code, "setup.switched_off");
    stage.district.stop().await;
}
