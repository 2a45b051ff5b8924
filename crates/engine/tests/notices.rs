//! Notices that wait for a mail server, with the clock in the test's hands.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use chrono::{DateTime, TimeDelta, Utc};
use rosterbridge_domain::{
    id::SchoolNumber,
    mapping::BuildingMapping,
    settings::{MailSecurity, MailSettings, Prerequisites, Setup},
};
use rosterbridge_engine::{
    Engine, EngineError,
    profile::{ProfileFolder, ProfileLock},
    setup_revision,
};
use rosterbridge_practice::mail;
use rstest::rstest;

async fn engine(home: &Path) -> Engine {
    let folder = ProfileFolder::new(home, "oak-hill").unwrap();
    let lock = ProfileLock::take(&folder).unwrap().unwrap();
    Engine::open(folder, lock).await.unwrap()
}

/// Saves a set-up in the place of the one there is.
async fn save(engine: &Engine, setup: Setup) -> Result<(), EngineError> {
    let revision = setup_revision(&engine.setup().await?);
    engine.save_setup(setup, &revision).await
}

/// A port nobody listens on, until a server is started there.
fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn set_up(port: u16, raptor: bool) -> Setup {
    let mut setup = Setup::default();
    let building = BuildingMapping {
        building: "Oak".to_owned(),
        school: Some(SchoolNumber::new(100)),
        enabled: true,
        ..BuildingMapping::default()
    };
    setup.mappings.buildings = vec![building];
    setup.raptor.enabled = raptor;
    setup.raptor.prerequisites = Prerequisites::DONE;
    "exchange".clone_into(&mut setup.raptor.folder);
    setup.mail = MailSettings {
        host: "127.0.0.1".to_owned(),
        port,
        security: MailSecurity::None,
        username: String::new(),
        from: "rosterbridge@example.org".to_owned(),
        to: vec!["it@example.org".to_owned()],
    };
    setup
}

fn subjects(folder: &Path) -> Vec<String> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let subject = |path: &_| {
        let text = fs::read_to_string(path).unwrap().replace("\r\n ", " ");
        text.lines().find_map(|line| line.strip_prefix("Subject: ").map(str::to_owned)).unwrap()
    };
    paths.iter().map(subject).collect()
}

async fn waiting(engine: &Engine) -> Option<(String, u64)> {
    let problem = engine.status().await.unwrap().mail?;
    Some((problem.cause.code, problem.waiting))
}

async fn minutes_later(engine: &Engine, now: DateTime<Utc>, minutes: i64) {
    engine.send_due_notices(now + TimeDelta::minutes(minutes)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_mailed_waits_across_a_restart_and_goes_out_later() {
    let (home, sink) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let closed = listener().local_addr().unwrap().port();
    let now = Utc::now();
    let before = engine(home.path()).await;
    save(&before, set_up(closed, true)).await.unwrap();
    save(&before, set_up(closed, false)).await.unwrap();
    assert_eq!(waiting(&before).await, None, "nobody has tried yet");
    minutes_later(&before, now, 0).await;
    assert_eq!(waiting(&before).await, Some(("mail.refused".to_owned(), 2)));
    drop(before);

    let engine = engine(home.path()).await;
    assert_eq!(waiting(&engine).await, Some(("mail.refused".to_owned(), 2)));
    let open = listener();
    let port = open.local_addr().unwrap().port();
    let server = mail::start(open, sink.path().to_owned()).unwrap();
    save(&engine, set_up(port, false)).await.unwrap();
    minutes_later(&engine, now, 1).await;
    assert_eq!(subjects(sink.path()), [""; 0], "the server is left alone for a while");
    minutes_later(&engine, now, 2).await;
    assert_eq!(
        subjects(sink.path()),
        [
            "RosterBridge (oak-hill): Raptor integration is now Pending Initialization",
            "RosterBridge (oak-hill): Raptor integration is now Disabled",
        ]
    );
    assert_eq!(waiting(&engine).await, None);
    minutes_later(&engine, now, 60).await;
    assert_eq!(subjects(sink.path()).len(), 2, "each was sent once");
    server.stop().await;
}

/// A mail server that answers `answer` to every mail to `refused@example.org`, and takes all others. Gives the addresses
/// it took mail for.
fn choosy(answer: &'static str) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = listener();
    let port = listener.local_addr().unwrap().port();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let noting = Arc::clone(&taken);
    thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that goes away ends its conversation only.
            let _ = converse(stream.unwrap(), answer, &noting);
        }
    });
    (port, taken)
}

fn converse(mut stream: TcpStream, answer: &str, taken: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    stream.write_all(b"220 here\r\n")?;
    let mut to = String::new();
    while let Some(line) = lines.next() {
        let line = line?;
        let reply = match &line[..4] {
            "RCPT" if line.contains("<refused@example.org>") => answer,
            "RCPT" => {
                to = line;
                "250 taken"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n")?;
                while lines.next().transpose()?.is_some_and(|line| line != ".") {}
                taken.lock().unwrap().push(to.replace("RCPT TO:", ""));
                "250 kept"
            }
            "QUIT" => return stream.write_all(b"221 bye\r\n"),
            _ => "250 well",
        };
        stream.write_all(format!("{reply}\r\n").as_bytes())?;
    }
    Ok(())
}

#[rstest]
#[case::for_good("550 5.1.1 no such mailbox", None)]
#[case::for_now("452 4.2.2 the mailbox is full", Some(("mail.refused".to_owned(), 2)))]
#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_is_refused_keeps_mail_from_nobody_else(
    #[case] answer: &'static str,
    #[case] left: Option<(String, u64)>,
) {
    let home = tempfile::tempdir().unwrap();
    let (port, taken) = choosy(answer);
    let engine = engine(home.path()).await;
    let set_up = |raptor| {
        let mut setup = set_up(port, raptor);
        setup.mail.to = ["first", "refused", "last"].map(|name| format!("{name}@example.org")).to_vec();
        setup
    };
    let now = Utc::now();
    save(&engine, set_up(true)).await.unwrap();
    save(&engine, set_up(false)).await.unwrap();
    let everybody_else =
        ["<first@example.org>", "<last@example.org>", "<first@example.org>", "<last@example.org>"];
    for minutes in [0, 60, 120] {
        minutes_later(&engine, now, minutes).await;
        assert_eq!(*taken.lock().unwrap(), everybody_else, "two notices, each once");
        assert_eq!(waiting(&engine).await, left);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_is_no_address_is_refused_where_there_is_a_mail_server() {
    let home = tempfile::tempdir().unwrap();
    let engine = engine(home.path()).await;
    let mut setup = set_up(25, false);
    setup.mail.from = "the office".to_owned();
    assert_eq!(save(&engine, setup.clone()).await.unwrap_err().code(), "mail.bad_address");
    setup.mail.host = String::new();
    save(&engine, setup).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_nothing_waits() {
    let (home, sink) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = listener();
    let port = open.local_addr().unwrap().port();
    let server = mail::start(open, sink.path().to_owned()).unwrap();
    let engine = engine(home.path()).await;
    let mut silent = set_up(port, true);
    silent.mail.host = String::new();
    save(&engine, silent).await.unwrap();
    save(&engine, set_up(port, true)).await.unwrap();
    minutes_later(&engine, Utc::now(), 0).await;
    assert_eq!(subjects(sink.path()), [""; 0]);
    assert_eq!(waiting(&engine).await, None);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_mail_goes_to_those_named_or_else_to_everybody_who_gets_reports() {
    let home = tempfile::tempdir().unwrap();
    let (port, taken) = choosy("550 5.1.1 no such mailbox");
    let engine = engine(home.path()).await;
    save(&engine, set_up(port, false)).await.unwrap();
    assert!(engine.test_mail(vec!["front@example.org".to_owned()]).await.unwrap().passed);
    assert!(engine.test_mail(Vec::new()).await.unwrap().passed);
    assert!(!engine.test_mail(vec!["refused@example.org".to_owned()]).await.unwrap().passed);
    assert!(!engine.test_mail(vec!["no address".to_owned()]).await.unwrap().passed);
    assert_eq!(*taken.lock().unwrap(), ["<front@example.org>", "<it@example.org>"]);
}
