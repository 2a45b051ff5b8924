//! A network that cuts, stalls, delays or repeats, at places spread over all the bytes of a run: a run may fail of it,
//! and the next one leaves the same behind as one that was never disturbed.

use rstest::rstest;
use serde_json::json;

use crate::{
    stage::{Stage, report},
    support::{District, Profile},
    wire::{Fault, Relay},
};

/// Which of the two systems is behind the bad network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind {
    PowerSchool,
    Hero,
}

/// Places a fault is put at, spread over a run.
const PLACES: u64 = 4;

#[rstest]
#[case::powerschool_cut(Behind::PowerSchool, |at| Fault::Cut { at })]
#[case::powerschool_stalled(Behind::PowerSchool, |at| Fault::Stall { at })]
#[case::powerschool_repeated(Behind::PowerSchool, |at| Fault::Repeat { at })]
#[case::hero_cut(Behind::Hero, |at| Fault::Cut { at })]
#[case::hero_repeated(Behind::Hero, |at| Fault::Repeat { at })]
fn whatever_the_network_does_each_record_is_there_once(
    #[case] behind: Behind,
    #[case] fault: fn(u64) -> Fault,
    #[values("upsert", "insert")] mode: &str,
) {
    let (mut stage, relay) = stage(behind, mode);
    relay.set(None);
    assert!(stage.sync().output().unwrap().status.success());
    let (whole, expected) = (relay.passed(), stage.left());
    assert!(whole > 10_000, "everything goes through the relay: {whole}");
    for place in 0..PLACES {
        relay.set(None);
        stage.rewind();
        let fault = fault(whole * (2 * place + 1) / (2 * PLACES));
        relay.set(Some(fault));
        let disturbed = stage.sync().output().unwrap();
        assert!(disturbed.status.code().is_some(), "{fault:?}: it ends by itself");
        relay.set(None);
        let next = stage.sync().output().unwrap();
        let text = String::from_utf8_lossy(&next.stdout);
        assert!(next.status.success(), "after {fault:?}: {text}");
        assert_eq!(stage.left(), expected, "after {fault:?}");
    }
    let name = format!("network-{behind:?}-{:?}-{mode}", fault(0)).replace([' ', '{', '}', ':'], "");
    report(&name, &json!({"tried": PLACES, "lost": 0, "doubled": 0}));
}

#[rstest]
fn a_slow_network_only_takes_longer(#[values(Behind::PowerSchool, Behind::Hero)] behind: Behind) {
    let (stage, relay) = stage(behind, "insert");
    relay.set(Some(Fault::Delay { milliseconds: 5 }));
    assert!(stage.sync().output().unwrap().status.success());
    let setup = stage.profile.setup();
    stage.district.holds_each_once(&stage.district.day(&setup));
}

/// A profile that reaches one of the systems through a relay.
fn stage(behind: Behind, mode: &str) -> (Stage, Relay) {
    let mut district = District::start(&["--students", "40", "--schools", "2", "--attendance", mode]);
    let url = district.ready.powerschool.url.clone();
    let port = match behind {
        Behind::PowerSchool => url.rsplit(':').next().unwrap().parse().unwrap(),
        Behind::Hero => district.ready.hero.port,
    };
    let relay = Relay::to(port);
    match behind {
        Behind::PowerSchool => {
            district.ready.powerschool.url = format!("https://127.0.0.1:{}", relay.port);
        }
        Behind::Hero => district.ready.hero.port = relay.port,
    }
    std::fs::write(district.ready_file(), serde_json::to_string(&district.ready).unwrap()).unwrap();
    let profile = Profile::patient_for(&district, 1);
    (Stage::kept(district, profile, &[]), relay)
}
