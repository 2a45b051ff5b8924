//! A whole run, killed without warning at moments spread over all of its time: the next run leaves the same behind as
//! one that was never disturbed.

use std::{
    env,
    process::Stdio,
    time::{Duration, Instant},
};

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use rstest::rstest;
use serde_json::json;

use crate::stage::{Stage, report};

/// Kills of each mode; `ROSTERBRIDGE_SOAK_KILLS` says otherwise.
const KILLS: u32 = 10;

/// Slow enough that a kill meets every part of a run.
const LATENCY_MS: u64 = 10;

fn number(name: &str, otherwise: u32) -> u32 {
    env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// Numbers from 0 to 1 that a seed decides.
fn chances(seed: u32, count: u32) -> Vec<f64> {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&seed.to_be_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..count).map(|_| (0.0_f64..1.0).new_tree(&mut runner).unwrap().current()).collect()
}

#[rstest]
fn a_run_killed_at_any_moment_is_made_good(#[values("upsert", "insert")] mode: &str) {
    let (kills, seed) = (number("ROSTERBRIDGE_SOAK_KILLS", KILLS), number("ROSTERBRIDGE_SOAK_SEED", 1));
    let mut stage = Stage::new(&[], mode);
    stage.district.faults(&json!({"latency_ms": LATENCY_MS}));
    let started = Instant::now();
    assert!(stage.sync().output().unwrap().status.success());
    let whole = started.elapsed();
    let expected = stage.left();

    let mut met = 0;
    for (place, chance) in chances(seed, kills).into_iter().enumerate() {
        stage.rewind();
        stage.district.faults(&json!({"latency_ms": LATENCY_MS}));
        let mut running = stage.sync().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // One moment in each of as many equal stretches of the run as there are kills.
        let share = (f64::from(u32::try_from(place).unwrap()) + chance) / f64::from(kills);
        std::thread::sleep(whole.mul_f64(share).max(Duration::from_millis(1)));
        met += u32::from(running.try_wait().unwrap().is_none());
        let _ = running.kill();
        running.wait().unwrap();
        let next = stage.sync().output().unwrap();
        let text = String::from_utf8_lossy(&next.stdout);
        assert!(next.status.success(), "{mode}, seed {seed}, kill {place} at {share:.3}: {text}");
        assert_eq!(stage.left(), expected, "{mode}, seed {seed}, kill {place} at {share:.3}");
    }
    report(
        &format!("soak-{mode}"),
        &json!({"tried": kills, "met": met, "seed": seed, "lost": 0, "doubled": 0}),
    );
    println!(
        "{mode}, seed {seed}: {kills} kills, {met} of them in the middle, all survived, 0 lost, 0 doubled"
    );
    assert!(met * 2 > kills, "most kills meet a run: {met} of {kills}");
}
