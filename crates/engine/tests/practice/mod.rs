//! How most tests of the engine begin: a profile set up for a practice district.

use std::{path::Path, sync::Arc};

use rosterbridge_domain::{job::Job, schedule::Pause, settings::Setup};
use rosterbridge_engine::{
    Engine, EngineError,
    profile::{ProfileFolder, ProfileLock},
    setup_revision,
};
use rosterbridge_practice::{Running, ServeOptions};

/// A small district with the plugin for all jobs.
pub fn small() -> ServeOptions {
    ServeOptions::small(rosterbridge_powerschool::plugin::build(&Job::ALL, 0).unwrap())
}

/// Opens the profile in `home`.
pub async fn open(home: &Path) -> Arc<Engine> {
    let folder = ProfileFolder::new(home, "practice").unwrap();
    let lock = ProfileLock::take(&folder).unwrap().unwrap();
    Arc::new(Engine::open(folder, lock).await.unwrap())
}

/// Serves a district and sets the profile in `home` up for it, with schedules that are not held back.
pub async fn start(home: &Path, options: ServeOptions) -> (Arc<Engine>, Running) {
    let engine = open(home).await;
    let district = rosterbridge_practice::start(options).await.unwrap();
    let ready = serde_json::to_string(district.ready()).unwrap();
    engine.import_practice(&ready, true).await.unwrap();
    engine.set_pause(Pause::No).await.unwrap();
    (engine, district)
}

/// Saves a set-up in the place of the one there is.
pub async fn save(engine: &Engine, setup: Setup) -> Result<(), EngineError> {
    let revision = setup_revision(&engine.setup().await?);
    engine.save_setup(setup, &revision).await
}
