//! Several sessions on one profile: one hosts, the others ask it, and the next one takes its place.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{TimeDelta, Utc};
use rosterbridge_api::{
    Fault, Request, Response, SecretText, Session, SetupView,
    domain::{
        job::{Job, JobId, Outcome},
        schedule::Pause,
        school_year::Summer,
        settings::Setup,
    },
    profiles,
    report::{Event, PowerSchoolTest, StageResult, StatusView, SyncReport},
};
use rosterbridge_engine::{
    Engine,
    profile::{ProfileFolder, ProfileLock},
};
use rosterbridge_practice::{Faults, Maintenance, Running, ServeOptions};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const PROFILE: &str = "practice";

async fn open(home: &Path) -> Session {
    Session::open(home, PROFILE).await.unwrap()
}

async fn status(session: &Session) -> StatusView {
    match session.call(Request::Status, |_| ()).await.unwrap() {
        Response::Status(status) => *status,
        other => panic!("{other:?}"),
    }
}

async fn sync(
    session: &Session,
    jobs: Vec<JobId>,
    on_event: impl Fn(Event) + Send + Sync + 'static,
) -> Result<SyncReport, Fault> {
    match session.call(Request::Sync { jobs, dry_run: false }, on_event).await? {
        Response::Sync(report) => Ok(report),
        other => panic!("{other:?}"),
    }
}

/// A small district, and a profile that `session` has set up for it.
async fn district(session: &Session) -> Running {
    let plugin = rosterbridge_powerschool::plugin::build(&Job::ALL, 0).unwrap();
    let district = rosterbridge_practice::start(ServeOptions::small(plugin)).await.unwrap();
    let ready = serde_json::to_string(district.ready()).unwrap();
    session.call(Request::ImportPractice { ready: SecretText::new(ready), pin: true }, |_| ()).await.unwrap();
    district
}

/// Passes events on to whoever waits for them.
fn events() -> (impl Fn(Event) + Send + Sync + 'static, mpsc::UnboundedReceiver<Event>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (move |event| drop(sender.send(event)), receiver)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_gets_the_hosts_answers_and_events() {
    let home = tempfile::tempdir().unwrap();
    let host = open(home.path()).await;
    let guest = open(home.path()).await;
    assert!(host.is_host().await);
    assert!(!guest.is_host().await);

    let district = district(&guest).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noting = Arc::clone(&seen);
    let jobs = vec![JobId::HERO_STUDENTS, JobId::RAPTOR_ROSTER];
    let report = sync(&guest, jobs.clone(), move |event| noting.lock().unwrap().push(event)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Succeeded);
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let started = Event::RunStarted { run: report.run.clone(), jobs, dry_run: false };
    assert_eq!(seen.first(), Some(&started));
    assert_eq!(seen.last(), Some(&Event::RunFinished(report.clone())));
    assert!(seen.iter().any(|event| matches!(event, Event::Progress(_))));
    let notices: Vec<_> = seen
        .iter()
        .filter_map(|event| match event {
            Event::Notice { title, .. } => Some(title.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        notices,
        ["Raptor integration is now Initializing", "Raptor integration is now Synchronizing"]
    );
    let finished = seen.iter().filter(|event| matches!(event, Event::JobFinished(_))).count();
    assert_eq!(finished, 2);

    // Both speak with the same engine.
    assert_eq!(status(&host).await, status(&guest).await);
    // What was planned is told by the run alone, and not kept.
    let mut first = report.jobs.first().cloned();
    assert!(first.as_mut().is_some_and(|job| job.plan.take().is_some()));
    assert_eq!(status(&host).await.jobs[0].last, first);
    // A fault crosses the socket whole.
    let request = || Request::CheckSecret { name: "no.such.secret".to_owned() };
    let fault = guest.call(request(), |_| ()).await.unwrap_err();
    assert_eq!(fault.code, "vault.unknown_secret");
    assert_eq!(host.call(request(), |_| ()).await.unwrap_err(), fault);
    district.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_cancels_what_another_has_started() {
    let home = tempfile::tempdir().unwrap();
    let host = open(home.path()).await;
    let (guest, other) = (open(home.path()).await, open(home.path()).await);
    let district = district(&host).await;
    district.set_faults(Faults { latency_ms: 100, ..Faults::default() });
    let (on_event, mut seen) = events();
    let running = tokio::spawn(async move { sync(&guest, Vec::new(), on_event).await });
    while !matches!(seen.recv().await.unwrap(), Event::Progress(_)) {}
    assert_eq!(sync(&other, Vec::new(), |_| ()).await.unwrap_err().code, "run.busy");
    // Nor may the district be replaced under a run's feet.
    let ready = SecretText::new(serde_json::to_string(district.ready()).unwrap());
    let import = other.call(Request::ImportPractice { ready, pin: true }, |_| ()).await;
    assert_eq!(import.unwrap_err().code, "run.busy");
    let ended = Request::Cancel { run: Some("20200101T000000000Z-ended".to_owned()) };
    other.call(ended, |_| ()).await.unwrap();
    let Response::Status(status) = other.call(Request::Status, |_| ()).await.unwrap() else { panic!() };
    assert!(status.running.is_some(), "another run is none of its business");
    other.call(Request::Cancel { run: status.running }, |_| ()).await.unwrap();
    let report = running.await.unwrap().unwrap();
    assert_eq!(report.outcome, Outcome::Cancelled);
    assert_eq!(report.cause.unwrap().code, "run.cancelled");
    district.stop().await;
}

/// A process that ends finishes first what others have asked it for.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_closes_finishes_its_guests_requests() {
    let home = tempfile::tempdir().unwrap();
    let host = open(home.path()).await;
    let guest = open(home.path()).await;
    let district = district(&host).await;
    district.set_faults(Faults { latency_ms: 50, ..Faults::default() });
    let (on_event, mut seen) = events();
    let asking = guest.clone();
    let running = tokio::spawn(async move { sync(&asking, vec![JobId::HERO_STUDENTS], on_event).await });
    seen.recv().await.unwrap();
    host.close().await;
    assert_eq!(running.await.unwrap().unwrap().outcome, Outcome::Succeeded);
    district.set_faults(Faults::default());
    status(&guest).await;
    assert!(guest.is_host().await, "the guest takes its place");
    district.stop().await;
}

/// Nobody waits for its answer any more, but it is not cut off.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_closes_finishes_what_a_guest_that_is_gone_has_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let host = open(home.path()).await;
    let guest = open(home.path()).await;
    let district = district(&host).await;
    district.set_faults(Faults { latency_ms: 50, ..Faults::default() });
    let (on_event, mut seen) = events();
    let asking = guest.clone();
    let running = tokio::spawn(async move { sync(&asking, vec![JobId::HERO_STUDENTS], on_event).await });
    seen.recv().await.unwrap();
    running.abort();
    host.close().await;
    district.set_faults(Faults::default());
    let status = status(&guest).await;
    assert_eq!(status.running, None);
    let last = status.jobs.iter().find(|job| job.job == JobId::HERO_STUDENTS).unwrap().last.as_ref();
    assert_eq!(last.unwrap().outcome, Outcome::Succeeded);
    district.stop().await;
}

/// A process that is asked to stop cancels what others have asked it for, and what it runs itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_cancels_the_run_under_way() {
    let home = tempfile::tempdir().unwrap();
    let host = open(home.path()).await;
    let guest = open(home.path()).await;
    let district = district(&host).await;
    for asking in [guest.clone(), host.clone()] {
        // So slow that it would not end by itself while this test has patience.
        district.set_faults(Faults { latency_ms: 3_600_000, ..Faults::default() });
        let (on_event, mut seen) = events();
        let running = tokio::spawn(async move { sync(&asking, vec![JobId::HERO_STUDENTS], on_event).await });
        seen.recv().await.unwrap();
        host.clone().stop().await;
        assert_eq!(running.await.unwrap().unwrap().outcome, Outcome::Cancelled);
        district.set_faults(Faults::default());
        status(&host).await;
        assert!(host.is_host().await, "it could take the profile again");
    }
    district.stop().await;
}

/// A process that waits for its turn must not make a profile anew that a person has erased.
#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_was_erased_does_not_come_back() {
    let home = tempfile::tempdir().unwrap();
    let host = open(home.path()).await;
    let guest = open(home.path()).await;
    status(&guest).await;
    let erased = host.erase(PROFILE).await.unwrap();
    assert_eq!(erased.left, []);
    let fault = guest.call(Request::Status, |_| ()).await.unwrap_err();
    assert_eq!(fault.code, "profile.not_found");
    assert_eq!(guest.attend(&CancellationToken::new()).await.unwrap_err().code, "profile.not_found");
    assert!(!home.path().join("profiles").join(PROFILE).exists());
    // A person may make it anew.
    assert!(open(home.path()).await.is_host().await);
}

/// Asked of the processes that work on them; nothing is opened or made for it.
#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_told_with_what_works_on_them() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(profiles(home.path()).await, []);
    Session::open(home.path(), "north").await.unwrap().close().await;
    let host = open(home.path()).await;
    let district = district(&host).await;
    std::fs::create_dir(home.path().join("profiles/no profile")).unwrap();
    let told = profiles(home.path()).await;
    let [north, practice] = &told[..] else { panic!("{told:?}") };
    assert_eq!((north.name.as_str(), &north.served), ("north", &None));
    assert_eq!(practice.name, PROFILE);
    let served = practice.served.as_ref().unwrap();
    assert!(district.ready().powerschool.url.contains(&served.server) && !served.server.is_empty());
    assert_eq!((served.running, served.paused), (false, status(&host).await.paused));
    host.close().await;
    assert!(profiles(home.path()).await.iter().all(|profile| profile.served.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_takes_the_place_of_a_host_that_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let host = open(home.path()).await;
    let guest = open(home.path()).await;
    let before = status(&guest).await;
    drop(host);
    assert_eq!(status(&guest).await, before);
    assert!(guest.is_host().await);
    let next = open(home.path()).await;
    assert!(!next.is_host().await);
    assert_eq!(status(&next).await, before);
}

/// Down for maintenance: a test waits for its end.
fn down() -> Faults {
    Faults { maintenance: Some(Maintenance::Html), ..Faults::default() }
}

async fn test(session: &Session, request: Request) -> Result<PowerSchoolTest, Fault> {
    match session.call(request, |_| ()).await? {
        Response::PowerSchoolTest(test) => Ok(*test),
        other => panic!("{other:?}"),
    }
}

async fn last_test(session: &Session) -> Option<PowerSchoolTest> {
    match session.call(Request::LastTest, |_| ()).await.unwrap() {
        Response::LastTest(test) => test.map(|test| *test),
        other => panic!("{other:?}"),
    }
}

async fn is_waiting(session: &Session) -> bool {
    match session.call(Request::Setup, |_| ()).await.unwrap() {
        Response::Setup(view) => view.test_waiting,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_test_is_kept_without_the_secret() {
    let home = tempfile::tempdir().unwrap();
    let host = open(home.path()).await;
    assert_eq!(last_test(&host).await, None);
    assert_eq!(test(&host, Request::AwaitTest).await.unwrap_err().code, "test.none_waiting");
    let district = district(&host).await;
    let made = test(&host, Request::TestPowerSchool { offline: false }).await.unwrap();
    assert!(made.report.passed, "{}", made.text);
    assert_eq!(last_test(&host).await.as_ref(), Some(&made));
    let told = serde_json::to_string(&made).unwrap();
    assert!(!told.contains(&district.ready().powerschool.client_secret));
    assert!(!told.contains("BEGIN CERTIFICATE"));
    host.close().await;
    assert_eq!(last_test(&open(home.path()).await).await, Some(made));
    district.stop().await;
}

/// A test of the plugin before says nothing about one that is still to be installed.
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_of_a_higher_version_makes_the_latest_test_void() {
    let home = tempfile::tempdir().unwrap();
    let host = open(home.path()).await;
    let district = district(&host).await;
    let write = async |jobs: &[Job]| {
        let request = Request::Plugin { jobs: jobs.to_vec(), write: true };
        match host.call(request, |_| ()).await.unwrap() {
            Response::Plugin(plugin) => plugin.version,
            other => panic!("{other:?}"),
        }
    };
    let first = write(&Job::ALL).await;
    let made = test(&host, Request::TestPowerSchool { offline: false }).await.unwrap();
    assert_eq!(write(&Job::ALL).await, first);
    assert_eq!(last_test(&host).await, Some(made), "it is the plugin that was tested");
    assert_ne!(write(&[Job::HeroStudents]).await, first);
    assert_eq!(last_test(&host).await, None);
    district.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_waits_is_made_by_whoever_holds_the_profile() {
    let home = tempfile::tempdir().unwrap();
    let host = open(home.path()).await;
    let district = district(&host).await;
    district.set_faults(down());
    let queued = test(&host, Request::TestPowerSchool { offline: true }).await.unwrap();
    assert!(queued.waiting && is_waiting(&host).await);
    let guest = open(home.path()).await;
    let asking = guest.clone();
    let waiting = tokio::spawn(async move { test(&asking, Request::AwaitTest).await });
    // A host that leaves does not wait for the server; the guest takes its place.
    host.close().await;
    assert!(is_waiting(&guest).await);
    district.set_faults(Faults::default());
    let made = waiting.await.unwrap().unwrap();
    assert!(made.report.passed && !made.waiting, "{}", made.text);
    assert!(!is_waiting(&guest).await);
    assert_eq!(last_test(&guest).await, Some(made));
    district.stop().await;
}

/// A window waits for it in the process that holds the profile, and may wait for days: that keeps nobody from letting the
/// profile go.
#[tokio::test(flavor = "multi_thread")]
async fn a_profile_whose_test_waits_can_be_restored_and_erased() {
    let home = tempfile::tempdir().unwrap();
    let mut host = open(home.path()).await;
    let district = district(&host).await;
    district.set_faults(down());
    host.call(Request::BackUp, |_| ()).await.unwrap();
    for restores in [true, false] {
        assert!(test(&host, Request::TestPowerSchool { offline: true }).await.unwrap().waiting);
        let (told, mut waits) = mpsc::unbounded_channel();
        let asking = host.clone();
        let waiting = tokio::spawn(async move {
            let tell = move |_| told.send(()).unwrap_or_default();
            asking.call(Request::AwaitTest, tell).await.unwrap_err().code
        });
        // It has heard why the test waits, so it is under way.
        waits.recv().await.unwrap();
        if restores {
            host.restore(false).await.unwrap();
            host = open(home.path()).await;
        } else {
            assert_eq!(host.clone().erase(PROFILE).await.unwrap().left, []);
        }
        assert_eq!(waiting.await.unwrap(), "session.holder_ended");
    }
    district.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_waits_can_be_taken_off() {
    let home = tempfile::tempdir().unwrap();
    let host = open(home.path()).await;
    let district = district(&host).await;
    district.set_faults(down());
    test(&host, Request::TestPowerSchool { offline: true }).await.unwrap();
    // One that finds the server still down changes nothing about that.
    let still = test(&host, Request::TestPowerSchool { offline: false }).await.unwrap();
    assert!(!still.report.passed && still.waiting && is_waiting(&host).await);
    let asking = host.clone();
    let waiting = tokio::spawn(async move { test(&asking, Request::AwaitTest).await });
    host.call(Request::CancelTest, |_| ()).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap_err().code, "test.cancelled");
    assert!(!is_waiting(&host).await);
    assert!(!last_test(&host).await.unwrap().waiting);
    district.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_under_way_can_be_stopped() {
    let home = tempfile::tempdir().unwrap();
    let host = open(home.path()).await;
    let district = district(&host).await;
    // So slow that it would not end by itself while this test has patience.
    district.set_faults(Faults { latency_ms: 3_600_000, ..Faults::default() });
    let (on_event, mut seen) = events();
    let asking = host.clone();
    let testing =
        tokio::spawn(async move { asking.call(Request::TestPowerSchool { offline: false }, on_event).await });
    // Certain stages are made before the first request.
    let is_slow = |event: &Event| matches!(event, Event::Stage(stage) if stage.name == "Server clock" && stage.result == StageResult::Running);
    while !is_slow(&seen.recv().await.unwrap()) {}
    host.call(Request::CancelTest, |_| ()).await.unwrap();
    assert_eq!(testing.await.unwrap().unwrap_err().code, "test.cancelled");
    assert_eq!(last_test(&host).await, None);
    district.stop().await;
}

/// The window of a profile that a service holds: the person at it hears of what fails in the service's runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_hears_what_the_hosts_runs_have_to_tell() {
    let home = tempfile::tempdir().unwrap();
    let first = open(home.path()).await;
    let district = district(&first).await;
    first.call(Request::Pause { pause: Pause::No }, |_| ()).await.unwrap();
    let Response::Setup(view) = first.call(Request::Setup, |_| ()).await.unwrap() else { panic!() };
    let (mut setup, revision) = (view.setup, view.revision);
    // Nobody listens there any more.
    setup.connections[0].port =
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let students = setup.jobs.iter_mut().find(|settings| settings.job == JobId::HERO_STUDENTS).unwrap();
    let schedule = json!({"when": {"kind": "every", "minutes": 1}, "zone": "UTC"});
    students.schedule = Some(serde_json::from_value(schedule).unwrap());
    first.call(Request::SaveSetup { setup: Box::new(setup), revision }, |_| ()).await.unwrap();
    first.close().await;
    {
        // From here on its times count; the latest of them is due at once.
        let folder = ProfileFolder::existing(home.path(), PROFILE).unwrap();
        let lock = ProfileLock::take(&folder).unwrap().unwrap();
        let engine = Arc::new(Engine::open(folder, lock).await.unwrap());
        engine.run_due(Utc::now() - TimeDelta::minutes(5), Arc::new(|_| ())).await.unwrap();
    }
    // The guest is there long before such a run fails.
    district.set_faults(Faults { latency_ms: 300, ..Faults::default() });
    let host = open(home.path()).await;
    let (on_event, mut heard) = events();
    let guest = open(home.path()).await.follow(on_event).await;
    let stop = CancellationToken::new();
    let attending = tokio::spawn({
        let (guest, stop) = (guest.clone(), stop.clone());
        async move { guest.attend(&stop).await }
    });
    let (on_event, mut seen) = events();
    let host = host.follow(on_event).await;
    let failed =
        |event: &Event| matches!(event, Event::Notice { title, .. } if title == "hero-students failed");
    while !failed(&seen.recv().await.unwrap()) {}
    loop {
        let event = heard.recv().await.unwrap();
        assert!(matches!(event, Event::Notice { .. }), "only notices: {event:?}");
        if failed(&event) {
            break;
        }
    }
    assert!(!guest.is_host().await);
    // A host that leaves does not wait for it.
    host.close().await;
    stop.cancel();
    attending.await.unwrap().unwrap();
    district.stop().await;
}

async fn setup(session: &Session) -> SetupView {
    match session.call(Request::Setup, |_| ()).await.unwrap() {
        Response::Setup(view) => *view,
        other => panic!("{other:?}"),
    }
}

async fn save(session: &Session, setup: Setup, revision: &str) -> Result<SetupView, Fault> {
    let request = Request::SaveSetup { setup: Box::new(setup), revision: revision.to_owned() };
    match session.call(request, |_| ()).await? {
        Response::Setup(view) => Ok(*view),
        other => panic!("{other:?}"),
    }
}

/// Two windows that both hold the set-up: the second one to save is told, and loses neither's changes.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_made_of_an_older_setup_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let (window, command) = (open(home.path()).await, open(home.path()).await);
    let mine = setup(&window).await;
    let theirs = setup(&command).await;
    assert_eq!(mine.revision, theirs.revision);

    let changed = Setup { summer: Summer::SendPreRegistered, ..theirs.setup };
    let saved = save(&command, changed, &theirs.revision).await.unwrap();
    assert_ne!(saved.revision, theirs.revision);
    let mut entered = mine.setup.clone();
    entered.powerschool.client_id = "3f0c9b1e".to_owned();
    let refused = save(&window, entered.clone(), &mine.revision).await.unwrap_err();
    assert_eq!(refused.code, "setup.changed_elsewhere");
    assert_eq!(setup(&window).await.setup, saved.setup, "nothing was saved");

    // Made of what is there now it is taken, and what was there before has its old revision again.
    entered.summer = Summer::SendPreRegistered;
    let both = save(&window, entered, &saved.revision).await.unwrap();
    assert_eq!(
        (both.setup.summer, &*both.setup.powerschool.client_id),
        (Summer::SendPreRegistered, "3f0c9b1e")
    );
    let back = save(&window, mine.setup, &both.revision).await.unwrap();
    assert_eq!(back.revision, mine.revision);

    // A setup file carries none: what it brings is told from what was there all the same.
    let Response::Exported(text) =
        window.call(Request::ExportSetup { passphrase: None }, |_| ()).await.unwrap()
    else {
        panic!()
    };
    assert!(!text.contains(&back.revision));
    save(&command, saved.setup, &back.revision).await.unwrap();
    let import = Request::ImportSetup { text: SecretText::new(text), passphrase: None };
    window.call(import, |_| ()).await.unwrap();
    assert_eq!(setup(&command).await.revision, back.revision);
    command.close().await;
    window.close().await;
}

/// However many come at once, one hosts and all get their answers.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_hosts() {
    let home = tempfile::tempdir().unwrap();
    let opening = (0..8).map(|_| {
        let home = home.path().to_owned();
        tokio::spawn(async move {
            let session = open(&home).await;
            status(&session).await;
            session
        })
    });
    let sessions: Vec<_> = opening.collect();
    let mut hosts = 0;
    let mut opened = Vec::new();
    for session in sessions {
        let session = session.await.unwrap();
        hosts += u32::from(session.is_host().await);
        opened.push(session);
    }
    assert_eq!(hosts, 1);
}

#[cfg(unix)]
mod socket {
    use std::{
        fs::{self, File},
        os::unix::fs::{MetadataExt, PermissionsExt},
    };

    use serde_json::{Value, json};
    use sha2::{Digest, Sha256};
    use tokio::{
        io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
        net::{
            UnixListener, UnixStream,
            unix::{OwnedReadHalf, OwnedWriteHalf},
        },
    };

    use super::*;

    fn folder(home: &TempDir) -> PathBuf {
        home.path().join("profiles").join(PROFILE)
    }

    fn halves(stream: UnixStream) -> (Lines<BufReader<OwnedReadHalf>>, OwnedWriteHalf) {
        let (read, write) = stream.into_split();
        (BufReader::new(read).lines(), write)
    }

    async fn line(lines: &mut Lines<BufReader<OwnedReadHalf>>) -> Option<Value> {
        lines.next_line().await.unwrap().map(|line| serde_json::from_str(&line).unwrap())
    }

    /// Holds the profile's lock as another program would that works on it.
    fn lock(home: &TempDir) -> File {
        fs::create_dir_all(folder(home)).unwrap();
        let identity = json!({"id": "5b1f6d0a-6f0c-4c53-9a55-0d1c4a6f2f11"});
        fs::write(folder(home).join("profile.json"), identity.to_string()).unwrap();
        let file = File::create(folder(home).join("engine.lock")).unwrap();
        file.try_lock().unwrap();
        file
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_the_owner_may_connect() {
        let home = tempfile::tempdir().unwrap();
        let host = open(home.path()).await;
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder(&home).join("engine.sock")), 0o600);
        assert_eq!(mode(folder(&home).join("engine.lock")), 0o600);
        assert_eq!(mode(folder(&home)), 0o700);
        host.close().await;
    }

    /// A process that has asked for something and reads no answer, however long one waits for it.
    async fn deaf_guest(home: &TempDir, request: &Value) -> UnixStream {
        let connect = async || UnixStream::connect(folder(home).join("engine.sock")).await.unwrap();
        let protocol = {
            let (mut lines, mut write) = halves(connect().await);
            write.write_all(b"{\"protocol\":0,\"app\":\"\"}\n").await.unwrap();
            line(&mut lines).await.unwrap()["protocol"].clone()
        };
        let mut stream = connect().await;
        let hello = json!({"protocol": protocol, "app": "0"});
        stream.write_all(format!("{hello}\n{request}\n").as_bytes()).await.unwrap();
        stream
    }

    /// It is answered with more than any socket's buffer holds: the file's name is told.
    fn long_answer() -> Value {
        json!({"op": "check_plugin", "file_name": "x".repeat(4 << 20), "content": "!"})
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_guest_that_does_not_read_holds_nobody_up() {
        let home = tempfile::tempdir().unwrap();
        let host = open(home.path()).await;
        let deaf = deaf_guest(&home, &long_answer()).await;
        let silent = UnixStream::connect(folder(&home).join("engine.sock")).await.unwrap();
        // Served behind it, so it is with the host by now.
        status(&open(home.path()).await).await;
        let erasing = tokio::time::timeout(Duration::from_secs(30), host.erase(PROFILE));
        erasing.await.expect("it ends").unwrap();
        assert!(!folder(&home).exists());
        // Its connection is shut: what comes is the half of a line, and the end.
        let (mut read, _write) = deaf.into_split();
        let mut rest = Vec::new();
        read.read_to_end(&mut rest).await.unwrap();
        assert!(!rest.ends_with(b"}\n"));
        drop(silent);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_guest_has_asked_for_and_does_not_end_refuses_an_erasure() {
        let home = tempfile::tempdir().unwrap();
        let host = open(home.path()).await;
        let district = district(&host).await;
        district.set_faults(Faults { latency_ms: 3_600_000, ..Faults::default() });
        let deaf = deaf_guest(&home, &json!({"op": "test_power_school", "offline": false})).await;
        let (mut lines, _write) = halves(deaf);
        while line(&mut lines).await.unwrap()["event"]["data"]["name"] != "Server clock" {}
        let (mut told, _listener) = halves(deaf_guest(&home, &json!({"op": "listen"})).await);
        line(&mut told).await.unwrap();
        let guest = open(home.path()).await;
        let erasing = tokio::time::timeout(Duration::from_secs(30), host.clone().erase(PROFILE));
        let coming = async {
            // Nobody is let in from then on.
            assert_eq!(line(&mut told).await.unwrap()["fault"]["code"], "session.holder_ended");
            status(&guest).await
        };
        let (refused, answered) = tokio::join!(erasing, coming);
        assert_eq!(refused.expect("it ends").unwrap_err().code, "run.busy");
        assert!(folder(&home).join("ledger.db").exists());

        // The host goes on, for whoever came meanwhile, too.
        assert!(host.is_host().await && !guest.is_host().await);
        assert_eq!(status(&host).await, answered);
        guest.call(Request::CancelTest, |_| ()).await.unwrap();
        while line(&mut lines).await.is_some() {}
        assert_eq!(host.erase(PROFILE).await.unwrap().left, []);
        district.stop().await;
    }

    /// The path of a socket has room for about a hundred bytes only.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_long_path_works_too() {
        let home = tempfile::tempdir().unwrap();
        let long = home.path().join("a folder with a rather long name, ".repeat(3)).join("home");
        let host = open(&long).await;
        let guest = open(&long).await;
        assert!(!guest.is_host().await);
        assert_eq!(status(&guest).await, status(&host).await);

        let profile = long.join("profiles").join(PROFILE).canonicalize().unwrap();
        let digest = hex::encode(Sha256::digest(profile.as_os_str().as_encoded_bytes()));
        let short = std::env::temp_dir().join(format!("rosterbridge-{}", &digest[..24]));
        assert_eq!(fs::metadata(&short).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(short.join("engine.sock")).unwrap().mode() & 0o777, 0o600);
        host.close().await;
        fs::remove_dir_all(short).unwrap();
    }

    /// A killed host leaves its socket behind.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_socket_nobody_listens_on_is_in_nobodys_way() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder(&home)).unwrap();
        drop(std::os::unix::net::UnixListener::bind(folder(&home).join("engine.sock")).unwrap());
        assert!(folder(&home).join("engine.sock").exists());
        let host = open(home.path()).await;
        assert!(host.is_host().await);
        let guest = open(home.path()).await;
        assert_eq!(status(&guest).await, status(&host).await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_guest_of_another_protocol_is_told_and_not_served() {
        let home = tempfile::tempdir().unwrap();
        let _host = open(home.path()).await;
        for (protocol, served) in [(99, false), (5, true)] {
            let stream = UnixStream::connect(folder(&home).join("engine.sock")).await.unwrap();
            let (mut lines, mut write) = halves(stream);
            let hello = json!({"protocol": protocol, "app": "99.0.0"});
            let request = json!({"op": "status"});
            write.write_all(format!("{hello}\n{request}\n").as_bytes()).await.unwrap();
            let theirs = line(&mut lines).await.unwrap();
            assert_eq!(theirs, json!({"protocol": 5, "app": env!("CARGO_PKG_VERSION")}));
            // Unread input makes the end of the connection a reset.
            let answer = lines.next_line().await.ok().flatten();
            assert_eq!(answer.is_some(), served, "{answer:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_host_of_another_protocol_is_refused_in_words() {
        let home = tempfile::tempdir().unwrap();
        let _lock = lock(&home);
        let listener = UnixListener::bind(folder(&home).join("engine.sock")).unwrap();
        tokio::spawn(async move {
            let (mut lines, mut write) = halves(listener.accept().await.unwrap().0);
            assert_eq!(line(&mut lines).await.unwrap()["protocol"], 5);
            write.write_all(b"{\"protocol\":99,\"app\":\"99.4.1\"}\n").await.unwrap();
            assert_eq!(line(&mut lines).await, None, "nothing is asked of it");
        });
        let guest = open(home.path()).await;
        let fault = guest.call(Request::Status, |_| ()).await.unwrap_err();
        assert_eq!(fault.code, "session.other_version");
        assert!(fault.message.contains("99.4.1") && fault.message.contains(env!("CARGO_PKG_VERSION")));
        assert!(!fault.remedy.is_empty());
    }

    /// A host that dies while it carries something out: it is not asked of the next one by itself.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_host_that_dies_at_work_is_reported() {
        let home = tempfile::tempdir().unwrap();
        let lock = lock(&home);
        let listener = UnixListener::bind(folder(&home).join("engine.sock")).unwrap();
        tokio::spawn(async move {
            let (mut lines, mut write) = halves(listener.accept().await.unwrap().0);
            let hello = json!({"protocol": 5, "app": env!("CARGO_PKG_VERSION")});
            write.write_all(format!("{hello}\n").as_bytes()).await.unwrap();
            assert!(line(&mut lines).await.is_some());
            assert_eq!(line(&mut lines).await.unwrap(), json!({"op": "status"}));
            drop((lock, listener));
        });
        let guest = open(home.path()).await;
        let fault = guest.call(Request::Status, |_| ()).await.unwrap_err();
        assert_eq!(fault.code, "session.holder_ended");
        status(&guest).await;
        assert!(guest.is_host().await);
    }

    /// A stopped process takes connections still: the system does so for it. Whoever waits for it waits on a clock that
    /// goes on by itself while nothing else happens.
    #[tokio::test(start_paused = true)]
    async fn a_holder_that_is_frozen_is_named() {
        let home = tempfile::tempdir().unwrap();
        let _lock = lock(&home);
        let _listener = UnixListener::bind(folder(&home).join("engine.sock")).unwrap();
        let guest = open(home.path()).await;
        let fault = guest.call(Request::Status, |_| ()).await.unwrap_err();
        assert_eq!(fault.code, "session.holder_silent");
    }

    #[tokio::test]
    async fn a_guest_that_says_nothing_does_not_keep_its_host() {
        let home = tempfile::tempdir().unwrap();
        let host = open(home.path()).await;
        let _silent = UnixStream::connect(folder(&home).join("engine.sock")).await.unwrap();
        // Somebody who came later was served: so the silent one was received, too.
        status(&open(home.path()).await).await;
        tokio::time::pause();
        host.close().await;
        tokio::time::resume();
        assert!(open(home.path()).await.is_host().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_that_does_not_listen_is_named() {
        let home = tempfile::tempdir().unwrap();
        let _lock = lock(&home);
        let guest = open(home.path()).await;
        let fault = guest.call(Request::Status, |_| ()).await.unwrap_err();
        assert_eq!(fault.code, "session.holder_silent");
    }
}
