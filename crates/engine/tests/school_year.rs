//! Summer and the days around it, as the schedule meets them: against a practice district, with a real keychain.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod practice;

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, TimeDelta, Utc};
use rosterbridge_domain::{
    id::{TermId, YearId},
    job::{JobId, Outcome},
    schedule::{JobSchedule, Missed, When},
    school_year::{Season, Summer, YearChange},
};
use rosterbridge_engine::{
    Engine,
    report::{Event, SummerPause},
};
use rosterbridge_practice::{Faults, Running, ServeOptions};
use secrecy::ExposeSecret;
use tempfile::TempDir;

/// A profile whose students go to Hero every day at 03:10, and its practice district.
struct Stage {
    engine: Arc<Engine>,
    district: Running,
    options: ServeOptions,
    told: Arc<Mutex<Vec<String>>>,
    folder: TempDir,
}

impl Stage {
    async fn on(date: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let options = ServeOptions {
            date: date.parse().ok(),
            data: Some(home.path().join("district")),
            ..practice::small()
        };
        let (engine, district) = practice::start(home.path(), options.clone()).await;
        let mut setup = engine.setup().await.unwrap();
        let when = When::At { days: "MTWHFSU".parse().unwrap(), time: "03:10".parse().unwrap() };
        let schedule =
            JobSchedule { when, zone: chrono_tz::UTC, only_in_session: false, missed: Missed::CatchUp };
        let students = setup.jobs.iter_mut().find(|settings| settings.job == JobId::HERO_STUDENTS);
        students.unwrap().schedule = Some(schedule);
        practice::save(&engine, setup).await.unwrap();
        Self { engine, district, options, told: Arc::default(), folder: home }
    }

    /// The same people on a later date.
    async fn move_to(self, date: &str) -> Self {
        let Self { engine, district, options, told, folder } = self;
        district.stop().await;
        let options = ServeOptions { date: date.parse().ok(), ..options };
        let district = rosterbridge_practice::start(options.clone()).await.unwrap();
        Self { engine, district, options, told, folder }
    }

    /// What runs at a moment.
    async fn at(&self, time: &str) -> Vec<JobId> {
        let told = Arc::clone(&self.told);
        let on_event = Arc::new(move |event| {
            if let Event::Notice { title, .. } = event {
                told.lock().unwrap().push(title);
            }
        });
        self.engine.run_due(time.parse::<DateTime<Utc>>().unwrap(), on_event).await.unwrap()
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    fn roster_file(&self) -> PathBuf {
        self.folder.path().join("profiles/practice/roster.db")
    }

    fn roster(&self) -> Vec<u8> {
        fs::read(self.roster_file()).unwrap()
    }

    /// Lets the roster be one of an earlier pull.
    fn age_the_roster(&self, age: TimeDelta) {
        let roster = rusqlite::Connection::open(self.roster_file()).unwrap();
        let key = self.engine.recovery_key().key;
        roster.pragma_update(None, "key", format!("x'{}'", key.expose_secret())).unwrap();
        let pulled_at = (Utc::now() - age).to_rfc3339();
        let sql = "UPDATE meta SET json = json_set(json, '$.pull.pulled_at', ?1)";
        assert_eq!(roster.execute(sql, [pulled_at]).unwrap(), 1);
    }

    async fn pause(&self) -> Option<SummerPause> {
        self.engine.status().await.unwrap().school_year.summer_pause
    }

    async fn runs(&self) -> usize {
        self.engine.runs(20).await.unwrap().len()
    }
}

const NONE: &[JobId] = &[];

#[tokio::test(flavor = "multi_thread")]
async fn in_summer_nothing_runs_by_itself_until_the_new_year_has_begun() {
    let stage = Stage::on("2026-07-15").await;
    let first_day = "2026-08-17".parse().ok();
    assert_eq!(stage.pause().await, Some(SummerPause { until: first_day }));
    assert_eq!(stage.at("2026-07-15T02:00:00Z").await, NONE);
    assert_eq!(stage.at("2026-07-15T03:10:05Z").await, NONE);
    assert_eq!(stage.at("2026-07-16T03:10:05Z").await, NONE);
    assert_eq!((stage.runs().await, stage.told()), (0, Vec::new()));
    let status = stage.engine.status().await.unwrap();
    let students = status.jobs.iter().find(|view| view.job == JobId::HERO_STUDENTS).unwrap();
    assert_eq!(students.next_at, None, "a practice date stands still");
    for school in &status.school_year.schools {
        assert_eq!(school.season, Season::Summer { year: YearId::new(36), starts: first_day });
    }

    // A person may.
    let report = stage.engine.sync(vec![JobId::HERO_STUDENTS], false, Arc::new(|_| ())).await.unwrap();
    assert_eq!(report.outcome, Outcome::Succeeded);
    assert_eq!(report.jobs[0].rows.written, 40);

    // The first day of school is found by looking, and from the next time on it runs again: once, not for each time
    // of the summer.
    let stage = stage.move_to("2026-08-17").await;
    assert_eq!(stage.at("2026-08-17T03:10:05Z").await, NONE);
    assert_eq!(stage.told(), ["A new term"]);
    assert_eq!(stage.pause().await, None);
    let changes = stage.engine.status().await.unwrap().school_year.changes;
    assert_eq!(changes.len(), 2);
    for noticed in changes {
        let YearChange::NewTerm { from: None, to, .. } = noticed.change else { panic!("{noticed:?}") };
        assert_eq!(to, TermId::new(3601));
    }
    assert_eq!(stage.at("2026-08-18T03:10:05Z").await, [JobId::HERO_STUDENTS]);
    assert_eq!((stage.runs().await, stage.told()), (2, Vec::new()));
    stage.district.stop().await;
}

/// A Client Secret that is revoked in July must not come to light in October, when every run of September has been taken for
/// one of the summer.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_in_summer_that_fails_is_told_and_one_that_finds_nothing_new_counts() {
    let stage = Stage::on("2026-07-15").await;
    let mut setup = stage.engine.setup().await.unwrap();
    let students = setup.jobs.iter_mut().find(|settings| settings.job == JobId::HERO_STUDENTS).unwrap();
    let when = When::Every { minutes: 1.try_into().unwrap() };
    students.schedule = students.schedule.map(|schedule| JobSchedule { when, ..schedule });
    practice::save(&stage.engine, setup).await.unwrap();
    let now = Utc::now();
    let after = async |minutes: i64| {
        let at = now + TimeDelta::minutes(minutes);
        assert_eq!(stage.at(&at.to_rfc3339()).await, NONE);
        stage.told()
    };
    assert!(after(0).await.is_empty());
    stage.age_the_roster(TimeDelta::hours(30));
    assert!(after(2).await.is_empty());
    stage.age_the_roster(TimeDelta::hours(30));
    let aged = stage.roster();
    assert!(after(4).await.is_empty());
    assert!(stage.roster() == aged, "nothing had changed");
    stage.district.set_faults(Faults {
        revoked_credentials: true,
        expire_tokens_now: true,
        ..Faults::default()
    });
    assert!(after(6).await.is_empty(), "it was looked at just now");
    assert_eq!(after(22 * 60).await, ["A run came to no exchange"]);
    assert!(after(22 * 60 + 5).await.is_empty());
    assert_eq!(after(26 * 60 + 10).await, ["Runs still come to no exchange"]);
    stage.district.set_faults(Faults::default());
    assert_eq!(after(27 * 60).await, ["Runs work again"]);
    assert_eq!(stage.runs().await, 0);
    stage.district.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_person_chose_so_summer_is_no_pause() {
    let stage = Stage::on("2026-07-15").await;
    let mut setup = stage.engine.setup().await.unwrap();
    setup.summer = Summer::SendPreRegistered;
    practice::save(&stage.engine, setup).await.unwrap();
    assert_eq!(stage.pause().await, None);
    assert_eq!(stage.at("2026-07-15T02:00:00Z").await, NONE);
    assert_eq!(stage.at("2026-07-15T03:10:05Z").await, [JobId::HERO_STUDENTS]);
    stage.district.stop().await;
}
