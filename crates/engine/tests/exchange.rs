//! The exchange folder, followed: a file dropped into it is taken in without waiting for the job's next time. Against a
//! practice district, with a real keychain.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod practice;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use chrono::{TimeDelta, Timelike, Utc};
use rosterbridge_domain::{
    job::{JobId, Outcome},
    schedule::{JobSchedule, Missed, TimeOfDay, When},
};
use rosterbridge_engine::Engine;
use rosterbridge_practice::Running;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Never reached, unless a file is not taken in.
const PATIENCE: Duration = Duration::from_mins(2);

/// A profile that follows its schedule, which is hours away.
struct Stage {
    engine: Arc<Engine>,
    _district: Running,
    folder: PathBuf,
    _home: TempDir,
    stop: CancellationToken,
    following: Option<JoinHandle<()>>,
}

impl Stage {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let (engine, district) = practice::start(home.path(), practice::small()).await;
        engine.sync(vec![JobId::RAPTOR_ROSTER], false, Arc::new(|_| ())).await.unwrap();
        let mut setup = engine.setup().await.unwrap();
        let hours_away = Utc::now() + TimeDelta::hours(6);
        let time = TimeOfDay::new(hours_away.hour(), 0).unwrap();
        for settings in &mut setup.jobs {
            let when = When::At { days: "MTWHFSU".parse().unwrap(), time };
            let (zone, missed) = (chrono_tz::UTC, Missed::Skip);
            settings.enabled = settings.job == JobId::RAPTOR_TARDIES;
            settings.schedule = Some(JobSchedule { when, zone, only_in_session: false, missed });
        }
        practice::save(&engine, setup).await.unwrap();
        let folder = district.ready().raptor.folder.clone();
        let stop = CancellationToken::new();
        Self { engine, _district: district, folder, _home: home, stop, following: None }
    }

    fn follow(&mut self) {
        let (engine, stop) = (Arc::clone(&self.engine), self.stop.clone());
        let following = async move { engine.follow_schedule(&stop, Arc::new(|_| ())).await };
        self.following = Some(tokio::spawn(following));
    }

    /// Takes the day's tardies away, whose content it gives.
    fn take_tardies(&self) -> String {
        let path = self.folder.join("tardies-2026-11-18.csv");
        let content = fs::read_to_string(&path).unwrap();
        fs::remove_file(path).unwrap();
        content
    }
}

/// Waits until a file is there, and does something every few seconds meanwhile.
async fn until_there(path: &Path, meanwhile: impl Fn()) {
    let there = async {
        for look in 1.. {
            if path.exists() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            if look % 100 == 0 {
                meanwhile();
            }
        }
    };
    tokio::time::timeout(PATIENCE, there).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_file_does_not_wait_for_the_jobs_next_time() {
    let mut stage = Stage::new().await;
    let content = stage.take_tardies();
    stage.follow();
    let first = stage.folder.join("first.csv");
    fs::write(&first, &content).unwrap();
    // What came before the folder is watched was told to nobody: so it is touched now and then.
    until_there(&stage.folder.join("processed/first.csv"), || {
        if let Ok(file) = File::options().write(true).open(&first) {
            file.set_modified(SystemTime::now()).unwrap();
        }
    })
    .await;
    let runs = stage.engine.runs(9).await.unwrap();
    assert!(runs[0].jobs[0].rows.written > 0);

    let second = content.lines().next().unwrap().to_owned() + "\nNowhere,1,2026-11-18T08:12,Late,\n";
    fs::write(stage.folder.join("second.csv"), &second).unwrap();
    let held = async {
        while stage.engine.status().await.unwrap().held == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, held).await.unwrap();
    // It waits in its file, and what waits is not looked at again and again.
    assert!(stage.folder.join("second.csv").exists());
    stage.stop.cancel();
    stage.following.unwrap().await.unwrap();
    let newest = stage.engine.runs(9).await.unwrap();
    assert_eq!(newest.len(), runs.len() + 1);
    assert_eq!(newest[0].outcome, Outcome::SucceededWithHeldRows);
}
