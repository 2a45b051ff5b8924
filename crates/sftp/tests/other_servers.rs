//! The same against SFTP servers that others wrote in Python: asyncssh, which knows OpenSSH's extensions, and paramiko,
//! which names none. And against an asyncssh that misbehaves as real servers don't.
#![cfg(unix)]
// Fixtures fail a test by panicking, like the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::io::{self, Write};
use std::time::Duration;

use rosterbridge_sftp::{
    Capabilities, Needs, Outcome, Placement, RemoteFile, RemoteFolder, Session, Stage, StageReport, connect,
    test as test_connection,
};
use rstest::rstest;
use sha2::{Digest, Sha256};
use support::proxy::{Fault, Proxy};
use support::python::OtherServer;
use tokio_util::sync::CancellationToken;

const ASYNCSSH: &str = "asyncssh_server.py";
const PARAMIKO: &str = "paramiko_server.py";

/// More than three windows of 4 MiB.
const ROWS: usize = 130_001;

fn student_txt() -> RemoteFile {
    RemoteFile::parse("imports/STUDENT.TXT").unwrap()
}

fn folder(name: &str) -> RemoteFolder {
    RemoteFolder::parse(name).unwrap()
}

/// Rows of 100 bytes that differ.
fn write_rows(out: &mut dyn Write, rows: usize) -> io::Result<()> {
    (0..rows).try_for_each(|row| out.write_all(format!("{row:>98}\r\n").as_bytes()))
}

fn rows(count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_rows(&mut bytes, count).unwrap();
    bytes
}

async fn open(server: &OtherServer) -> Session {
    connect(&server.connection(), &server.pins(), &CancellationToken::new()).await.unwrap()
}

async fn open_through(server: &OtherServer, faults: Vec<Fault>) -> Session {
    let mut connection = server.connection();
    connection.address.port = Proxy::failing_first(server.port, faults).port;
    connect(&connection, &server.pins(), &CancellationToken::new()).await.unwrap()
}

fn names_in(server: &OtherServer, folder: &str) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(server.files().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[track_caller]
fn assert_arrived(server: &OtherServer, count: usize) {
    let arrived = fs::read(server.files().join("imports/STUDENT.TXT")).unwrap();
    assert!(arrived == rows(count), "the content differs: {} bytes", arrived.len());
    assert_eq!(names_in(server, "imports"), ["STUDENT.TXT"]);
}

/// The test that a person asks for finds nothing to stop for, and leaves nothing.
async fn assert_test_passes(server: &OtherServer) {
    let needs = Needs {
        upload_folders: vec![folder("imports")],
        download_folders: vec![folder("export")],
        made_folder: None,
    };
    let (connection, pins) = (server.connection(), server.pins());
    let before = names_in(server, "imports");
    let cancel = CancellationToken::new();
    let report = test_connection(&connection, &pins, None, &needs, &cancel, |_| ()).await;
    let calm = |stage: &StageReport| matches!(stage.outcome, Outcome::Passed(_) | Outcome::Skipped);
    assert!(report.stages.iter().filter(|stage| stage.stage != Stage::Space).all(calm), "{report:?}");
    assert_eq!(names_in(server, "imports"), before);
}

#[rstest]
#[case::asyncssh(ASYNCSSH, true)]
#[case::paramiko(PARAMIKO, false)]
#[tokio::test]
async fn files_are_sent_replaced_fetched_and_listed(#[case] script: &str, #[case] extended: bool) {
    let server = OtherServer::start(script, &[], &[]);
    assert_test_passes(&server).await;

    let session = open(&server).await;
    let offered = Capabilities { posix_rename: extended, fsync: extended, statvfs: extended, renames: None };
    assert_eq!(session.capabilities().await.unwrap(), offered);
    assert_eq!(session.free_space(&folder("imports")).await.unwrap().is_some(), extended);
    let in_one_step = if extended { Placement::Replaced } else { Placement::SetAside };
    for (count, placement) in [(ROWS, Placement::Replaced), (60_000, in_one_step), (0, in_one_step)] {
        let uploaded = session.upload(&student_txt(), move |out| write_rows(out, count)).await.unwrap();
        assert_eq!(uploaded.placement, placement);
        assert_arrived(&server, count);
        let (downloaded, bytes) = session.download(&student_txt(), Vec::new()).await.unwrap();
        assert!(bytes == rows(count), "the content differs");
        assert_eq!(downloaded.sha256, uploaded.sha256);
    }
    let entries = session.list(&folder("imports")).await.unwrap();
    let listed: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.size)).collect();
    assert_eq!(listed, [("STUDENT.TXT", 0)]);
    let absent = RemoteFile::parse("export/ATTENDANCE.txt").unwrap();
    let error = session.download(&absent, Vec::new()).await.unwrap_err();
    assert_eq!(error.code(), "sftp.file_missing", "{error:?}");
    session.close().await.unwrap();
}

#[rstest]
#[case::asyncssh(ASYNCSSH)]
#[case::paramiko(PARAMIKO)]
#[tokio::test]
async fn transfers_go_on_after_a_cut(#[case] script: &str) {
    let server = OtherServer::start(script, &[], &[]);
    let session = open_through(&server, vec![Fault::CutAfter(9_000_000)]).await;
    let uploaded = session.upload(&student_txt(), |out| write_rows(out, ROWS)).await.unwrap();
    assert!(uploaded.resumed_at.is_some());
    assert_arrived(&server, ROWS);

    let session = open_through(&server, vec![Fault::CutAnswers(6_000_000)]).await;
    let (downloaded, bytes) = session.download(&student_txt(), Vec::new()).await.unwrap();
    assert!(bytes == rows(ROWS), "the content differs");
    assert!(downloaded.resumed_at.is_some());
    assert_eq!(downloaded.sha256, hex::encode(Sha256::digest(&bytes)));
}

#[rstest]
#[case("one-channel")]
#[case("hangs-up-on-a-second-channel")]
#[case("greets-with-words")]
#[case("claims-much")]
#[case("says-nothing-in-it")]
#[case("cuts-its-texts")]
#[case("closes")]
#[case("answers-another-request")]
#[case("answers-with-words")]
#[case("answers-half")]
#[case("closes-when-asked")]
#[tokio::test]
async fn a_server_that_muddles_its_second_channel_is_served_over_the_first(#[case] mischief: &str) {
    let server = OtherServer::start(ASYNCSSH, &[mischief], &[]);
    fs::write(server.files().join("imports/STUDENT.TXT"), "yesterday").unwrap();
    assert_test_passes(&server).await;
    let session = open(&server).await;
    let uploaded = session.upload(&student_txt(), |out| write_rows(out, 60_000)).await.unwrap();
    assert_eq!(uploaded.placement, Placement::SetAside);
    assert_arrived(&server, 60_000);
    let offered = session.capabilities().await.unwrap();
    assert_eq!(offered, Capabilities { renames: Some(true), ..Capabilities::default() });
}

#[rstest]
#[case::in_one_step("hangs-up-after-renaming", &[], Placement::Replaced)]
#[case::the_new_one("hangs-up-after-renaming", &[("ONE_CHANNEL", "1")], Placement::SetAside)]
#[case::the_old_one("hangs-up-after-setting-aside", &[], Placement::SetAside)]
#[tokio::test]
async fn a_renaming_whose_answer_is_lost_is_found_done(
    #[case] mischief: &str,
    #[case] environment: &[(&str, &str)],
    #[case] placement: Placement,
) {
    let server = OtherServer::start(ASYNCSSH, &[mischief], environment);
    fs::write(server.files().join("imports/STUDENT.TXT"), "yesterday").unwrap();
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let called = std::sync::Arc::clone(&calls);
    let session = open(&server).await;
    let source = move |out: &mut dyn Write| {
        called.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        write_rows(out, ROWS)
    };
    let uploaded = session.upload(&student_txt(), source).await.unwrap();
    assert_eq!((uploaded.placement, uploaded.bytes), (placement, ROWS as u64 * 100));
    assert_arrived(&server, ROWS);
    let done_before = mischief == "hangs-up-after-renaming";
    assert_eq!(calls.load(std::sync::atomic::Ordering::SeqCst), if done_before { 1 } else { 2 });
}

#[rstest]
#[case::unknown("opens-nothing-exclusively")]
#[case::denied("denies-what-exists-and-removals")]
#[tokio::test]
async fn a_server_that_opens_only_in_its_own_way_gets_the_file(#[case] mischief: &str) {
    let server = OtherServer::start(ASYNCSSH, &[mischief], &[]);
    // Half a file of an upload that a crash ended, longer than what comes.
    fs::write(server.files().join("imports/.STUDENT.TXT.rosterbridge-part"), rows(20_000)).unwrap();
    let session = open(&server).await;
    for count in [10, 20] {
        session.upload(&student_txt(), move |out| write_rows(out, count)).await.unwrap();
        assert_arrived(&server, count);
    }
}

#[tokio::test]
async fn a_server_that_offers_a_renaming_and_refuses_it_renames_in_the_old_way() {
    let server = OtherServer::start(ASYNCSSH, &["refuses-posix-rename"], &[]);
    assert_test_passes(&server).await;
    let session = open(&server).await;
    assert!(session.capabilities().await.unwrap().posix_rename);
    assert_eq!(session.probe(&folder("imports")).await.unwrap(), [""; 0]);
    let shown = session.capabilities().await.unwrap();
    assert_eq!((shown.posix_rename, shown.renames), (false, Some(true)));
    for (count, placement) in [(10, Placement::Replaced), (20, Placement::SetAside)] {
        let uploaded = session.upload(&student_txt(), move |out| write_rows(out, count)).await.unwrap();
        assert_eq!(uploaded.placement, placement);
        assert_arrived(&server, count);
    }
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_not_listed() {
    let server = OtherServer::start(ASYNCSSH, &["lists-mischief"], &[]);
    let entries = open(&server).await.list(&folder("export")).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["good.txt"]);
}

#[tokio::test]
async fn a_listing_without_end_is_ended() {
    let server = OtherServer::start(ASYNCSSH, &["lists-for-ever"], &[]);
    let error = open(&server).await.list(&folder("export")).await.unwrap_err();
    assert_eq!(error.code(), "sftp.folder_too_full", "{error:?}");
}

/// What broke a connection is told, and not what could not be asked over it afterwards.
#[tokio::test]
async fn a_file_that_nobody_looks_at_after_it_was_closed_is_told_as_unanswered() {
    let server = OtherServer::start(ASYNCSSH, &["never-looks-at-what-it-closed"], &[]);
    let mut connection = server.connection();
    connection.timeouts.answer = Duration::from_millis(500);
    let session = connect(&connection, &server.pins(), &CancellationToken::new()).await.unwrap();
    let error = session.upload(&student_txt(), |out| write_rows(out, 10)).await.unwrap_err();
    assert_eq!(error.code(), "sftp.timeout", "{error:?}");
}

/// libssh2's own patience is two seconds where it sends signs of life, whatever it is told to wait for an answer.
#[tokio::test]
async fn an_answer_may_take_as_long_as_it_is_allowed_to() {
    let server = OtherServer::start(ASYNCSSH, &["closes-late"], &[("CLOSES_AFTER", "3")]);
    let mut connection = server.connection();
    connection.timeouts.answer = Duration::from_secs(30);
    connection.timeouts.keep_alive = Duration::from_millis(100);
    let session = connect(&connection, &server.pins(), &CancellationToken::new()).await.unwrap();
    let uploaded = session.upload(&student_txt(), |out| write_rows(out, 10)).await.unwrap();
    assert_eq!((uploaded.bytes, uploaded.resumed_at), (1_000, None));
    assert_arrived(&server, 10);
}
