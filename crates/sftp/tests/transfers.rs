//! Transfers over lines that break, to servers that lack something, against OpenSSH's own sshd.
#![cfg(unix)]
// Fixtures fail a test by panicking, like the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::Duration;

use rosterbridge_sftp::{
    Capabilities, Connection, Error, Placement, RemoteFile, RemoteFolder, Session, connect,
};
use rstest::rstest;
use sha2::{Digest, Sha256};
use support::proxy::{Fault, Proxy};
use support::sshd::{Options, PASSWORD, Sshd};
use tokio_util::sync::CancellationToken;

/// Bytes of a row of [`write_rows`].
const ROW: usize = 100;
/// More than three windows of 4 MiB.
const ROWS: usize = 130_001;

fn student_txt() -> RemoteFile {
    RemoteFile::parse("imports/STUDENT.TXT").unwrap()
}

fn attendance_txt() -> RemoteFile {
    RemoteFile::parse("export/ATTENDANCE.txt").unwrap()
}

fn folder(name: &str) -> RemoteFolder {
    RemoteFolder::parse(name).unwrap()
}

/// Rows that differ, so that lost or swapped pieces show.
fn write_rows(out: &mut dyn Write, rows: usize) -> io::Result<()> {
    (0..rows).try_for_each(|row| out.write_all(format!("{row:>98}\r\n").as_bytes()))
}

fn rows(count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(count * ROW);
    write_rows(&mut bytes, count).unwrap();
    bytes
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

async fn open(sshd: &Sshd) -> Session {
    connect(&sshd.connection(), &sshd.pins(), &CancellationToken::new()).await.unwrap()
}

fn through(sshd: &Sshd, proxy: &Proxy) -> Connection {
    let mut connection = sshd.connection();
    connection.address.port = proxy.port;
    connection.timeouts.answer = Duration::from_secs(2);
    connection
}

async fn open_through(sshd: &Sshd, proxy: &Proxy) -> Session {
    connect(&through(sshd, proxy), &sshd.pins(), &CancellationToken::new()).await.unwrap()
}

fn names_in(sshd: &Sshd, folder: &str) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(sshd.files().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

// Uploads that go on

#[rstest]
#[case::before_the_first_row(vec![Fault::CutAfter(7_000)])]
#[case::in_the_first_window(vec![Fault::CutAfter(1_000_000)])]
#[case::in_the_second_window(vec![Fault::CutAfter(6_543_210)])]
#[case::in_the_third_window(vec![Fault::CutAfter(9_999_999)])]
#[case::at_the_end(vec![Fault::CutAfter(13_000_000)])]
#[case::stalled(vec![Fault::StallAfter(9_000_000)])]
#[case::answers_cut(vec![Fault::CutAnswers(18_000)])]
#[case::answers_stalled(vec![Fault::StallAnswers(18_000)])]
#[case::three_times(vec![Fault::CutAfter(6_000_000), Fault::CutAnswers(6_000), Fault::CutAfter(5_000_000)])]
#[case::while_signing_in_again(vec![Fault::CutAfter(7_000_000), Fault::CutAfter(10), Fault::CutAfter(2_500)])]
#[tokio::test]
async fn an_upload_goes_on_after_a_cut(#[case] faults: Vec<Fault>) {
    let sshd = Sshd::start();
    fs::write(sshd.files().join("imports/STUDENT.TXT"), "yesterday").unwrap();
    let proxy = Proxy::failing_first(sshd.port, faults.clone());
    let session = open_through(&sshd, &proxy).await;
    let uploaded = session.upload(&student_txt(), |out| write_rows(out, ROWS)).await.unwrap();
    let expected = rows(ROWS);
    let arrived = fs::read(sshd.files().join("imports/STUDENT.TXT")).unwrap();
    assert!(arrived == expected, "the content differs");
    assert_eq!((uploaded.bytes, uploaded.sha256), (expected.len() as u64, sha256(&expected)));
    assert_eq!(uploaded.placement, Placement::Replaced);
    assert_eq!(names_in(&sshd, "imports"), ["STUDENT.TXT"]);
    assert_eq!(proxy.sent().len(), faults.len() + 1);
    // What the server has confirmed is not sent again: all but the last window of what went through.
    if let [Fault::CutAfter(cut @ 5_000_000..)] = faults[..] {
        let resumed_at = usize::try_from(uploaded.resumed_at.expect("it began again")).unwrap();
        assert!(resumed_at + 5_000_000 > cut, "{resumed_at} of {cut}");
        let sent = *proxy.sent().last().unwrap();
        assert!(sent < ROWS * ROW - resumed_at + 200_000, "{sent} after {resumed_at}");
    }
    // The session is as good as new.
    assert!(session.exists(&student_txt()).await.unwrap());
}

#[rstest]
#[case::with_the_old_file(true)]
#[case::without(false)]
#[tokio::test]
async fn an_upload_goes_on_where_nothing_is_extended(#[case] exists: bool) {
    let sshd = Sshd::with(&Options { sftp_arguments: "-P posix-rename,statvfs,fsync", ..Options::default() });
    if exists {
        fs::write(sshd.files().join("imports/STUDENT.TXT"), "yesterday").unwrap();
    }
    let proxy = Proxy::failing_first(sshd.port, vec![Fault::CutAfter(9_000_000)]);
    let session = open_through(&sshd, &proxy).await;
    let uploaded = session.upload(&student_txt(), |out| write_rows(out, ROWS)).await.unwrap();
    assert!(fs::read(sshd.files().join("imports/STUDENT.TXT")).unwrap() == rows(ROWS), "the content differs");
    assert_eq!(uploaded.placement, if exists { Placement::SetAside } else { Placement::Replaced });
    assert!(uploaded.resumed_at.is_some());
    assert_eq!(names_in(&sshd, "imports"), ["STUDENT.TXT"]);
}

#[tokio::test]
async fn a_cut_while_the_target_is_written_over_is_made_good() {
    let sshd = Sshd::with(&Options { sftp_arguments: "-P rename,posix-rename", ..Options::default() });
    fs::write(sshd.files().join("imports/STUDENT.TXT"), "yesterday").unwrap();
    let proxy = Proxy::failing_first(sshd.port, vec![Fault::CutAfter(20_000_000)]);
    let session = open_through(&sshd, &proxy).await;
    let uploaded = session.upload(&student_txt(), |out| write_rows(out, ROWS)).await.unwrap();
    assert_eq!(uploaded.placement, Placement::Overwritten);
    assert!(fs::read(sshd.files().join("imports/STUDENT.TXT")).unwrap() == rows(ROWS), "the content differs");
    assert_eq!(names_in(&sshd, "imports"), ["STUDENT.TXT"]);
}

#[tokio::test]
async fn a_fourth_cut_ends_an_upload_and_the_next_one_is_whole() {
    let sshd = Sshd::start();
    fs::write(sshd.files().join("imports/STUDENT.TXT"), "yesterday").unwrap();
    let proxy = Proxy::failing_first(sshd.port, vec![Fault::CutAfter(100_000); 4]);
    let session = open_through(&sshd, &proxy).await;
    let error = session.upload(&student_txt(), |out| write_rows(out, ROWS)).await.unwrap_err();
    assert_eq!(error.code(), "sftp.disconnected", "{error:?}");
    assert_eq!(fs::read_to_string(sshd.files().join("imports/STUDENT.TXT")).unwrap(), "yesterday");
    // The session connects again for the next transfer.
    let uploaded = session.upload(&student_txt(), |out| write_rows(out, 10)).await.unwrap();
    assert_eq!((uploaded.sha256, uploaded.resumed_at), (sha256(&rows(10)), None));
    assert_eq!(names_in(&sshd, "imports"), ["STUDENT.TXT"]);
}

#[tokio::test]
async fn a_source_that_writes_something_else_after_a_cut_is_sent_from_its_beginning() {
    let sshd = Sshd::start();
    let proxy = Proxy::failing_first(sshd.port, vec![Fault::CutAfter(9_000_000)]);
    let session = open_through(&sshd, &proxy).await;
    let mut calls = 0;
    let source = move |out: &mut dyn Write| {
        calls += 1;
        // One byte of the first row tells them apart.
        out.write_all(format!("{:<100}", calls > 1).as_bytes())?;
        write_rows(out, ROWS)
    };
    let uploaded = session.upload(&student_txt(), source).await.unwrap();
    let expected = [format!("{:<100}", true).into_bytes(), rows(ROWS)].concat();
    assert!(fs::read(sshd.files().join("imports/STUDENT.TXT")).unwrap() == expected, "the content differs");
    assert_eq!((uploaded.sha256, uploaded.resumed_at), (sha256(&expected), None));
}

#[rstest]
#[case::shorter_than_what_is_there(10)]
#[case::longer(ROWS + 70_000)]
#[tokio::test]
async fn a_source_of_another_length_after_a_cut_is_sent_whole(#[case] second: usize) {
    let sshd = Sshd::start();
    let proxy = Proxy::failing_first(sshd.port, vec![Fault::CutAfter(9_000_000)]);
    let session = open_through(&sshd, &proxy).await;
    let mut length = ROWS;
    let source = move |out: &mut dyn Write| write_rows(out, std::mem::replace(&mut length, second));
    session.upload(&student_txt(), source).await.unwrap();
    assert!(
        fs::read(sshd.files().join("imports/STUDENT.TXT")).unwrap() == rows(second),
        "the content differs"
    );
}

#[rstest]
#[case::the_end(3_000_000, 0)]
#[case::all_but_the_size(0, 6_000_000)]
#[tokio::test]
async fn what_the_server_lost_of_the_part_is_sent_again(#[case] kept: u64, #[case] emptied: u64) {
    let sshd = Sshd::start();
    let proxy = Proxy::failing_first(sshd.port, vec![Fault::CutAfter(10_000_000)]);
    let session = open_through(&sshd, &proxy).await;
    let part = sshd.files().join("imports/.STUDENT.TXT.rosterbridge-part");
    let source = move |out: &mut dyn Write| {
        write_rows(out, ROWS).inspect_err(|_| {
            // As after a crash of the server, before anybody connects again.
            let file = fs::File::options().write(true).open(&part).unwrap();
            file.set_len(kept).unwrap();
            file.set_len(kept + emptied).unwrap();
        })
    };
    session.upload(&student_txt(), source).await.unwrap();
    assert!(fs::read(sshd.files().join("imports/STUDENT.TXT")).unwrap() == rows(ROWS), "the content differs");
}

#[tokio::test]
async fn content_that_is_not_the_planned_one_does_not_get_the_name() {
    let sshd = Sshd::start();
    fs::write(sshd.files().join("imports/STUDENT.TXT"), "yesterday").unwrap();
    let session = open(&sshd).await;
    let planned = sha256(&rows(10));
    let error =
        session.upload_planned(&student_txt(), &planned, |out| write_rows(out, 11)).await.unwrap_err();
    assert!(matches!(&error, Error::NotAsPlanned { path } if path == "imports/STUDENT.TXT"), "{error:?}");
    assert_eq!(names_in(&sshd, "imports"), ["STUDENT.TXT"]);
    assert_eq!(fs::read_to_string(sshd.files().join("imports/STUDENT.TXT")).unwrap(), "yesterday");
    let uploaded = session.upload_planned(&student_txt(), &planned, |out| write_rows(out, 10)).await.unwrap();
    assert_eq!(uploaded.sha256, planned);
}

#[tokio::test]
async fn a_server_with_another_key_after_a_cut_gets_nothing_more() {
    let sshd = Arc::new(Sshd::start());
    fs::write(sshd.files().join("imports/STUDENT.TXT"), "yesterday").unwrap();
    let proxy = Proxy::failing_first(sshd.port, vec![Fault::CutAfter(9_000_000)]);
    let session = open_through(&sshd, &proxy).await;
    let server = Arc::clone(&sshd);
    let source = move |out: &mut dyn Write| {
        write_rows(out, 60_000)?;
        server.replace_host_keys("ed25519");
        write_rows(out, 70_000)
    };
    let error = session.upload(&student_txt(), source).await.unwrap_err();
    assert_eq!(error.code(), "sftp.host_key_changed", "{error:?}");
    assert_eq!(fs::read_to_string(sshd.files().join("imports/STUDENT.TXT")).unwrap(), "yesterday");
}

#[tokio::test]
async fn cancelling_is_heard_between_two_connections() {
    let sshd = Sshd::start();
    let cancel = CancellationToken::new();
    let proxy = Proxy::to(sshd.port, Fault::CutAfter(1_000_000));
    let session = connect(&through(&sshd, &proxy), &sshd.pins(), &cancel).await.unwrap();
    let watcher = std::thread::spawn(move || {
        proxy.wait_for_fault();
        cancel.cancel();
        proxy
    });
    let error = session.upload(&student_txt(), |out| write_rows(out, ROWS)).await.unwrap_err();
    assert_eq!(error.code(), "sftp.cancelled", "{error:?}");
    watcher.join().unwrap();
}

// Downloads that go on

#[rstest]
#[case::before_the_first_byte(vec![Fault::CutAnswers(5_000)])]
#[case::in_the_midst(vec![Fault::CutAnswers(5_432_109)])]
#[case::near_the_end(vec![Fault::CutAnswers(12_999_999)])]
#[case::stalled(vec![Fault::StallAnswers(7_000_000)])]
#[case::requests_cut(vec![Fault::CutAfter(12_000)])]
#[case::three_times(vec![Fault::CutAnswers(4_000_000); 3])]
#[tokio::test]
async fn a_download_goes_on_after_a_cut_and_gives_each_byte_once(#[case] faults: Vec<Fault>) {
    let sshd = Sshd::start();
    let expected = rows(ROWS);
    fs::write(sshd.files().join("export/ATTENDANCE.txt"), &expected).unwrap();
    let proxy = Proxy::failing_first(sshd.port, faults.clone());
    let session = open_through(&sshd, &proxy).await;
    let (downloaded, bytes) = session.download(&attendance_txt(), Vec::new()).await.unwrap();
    assert!(bytes == expected, "the content differs: {} bytes", bytes.len());
    assert_eq!((downloaded.bytes, &downloaded.sha256), (expected.len() as u64, &sha256(&expected)));
    assert_eq!(proxy.sent().len(), faults.len() + 1);
    if let [Fault::CutAnswers(6_000..)] = faults[..] {
        assert!(downloaded.resumed_at.is_some_and(|at| at > 0), "{downloaded:?}");
    }
}

#[tokio::test]
async fn a_file_that_changes_between_two_connections_is_not_pieced_together() {
    struct Meddling {
        left: usize,
        path: std::path::PathBuf,
    }
    impl Write for Meddling {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            let before = self.left;
            self.left = before.saturating_sub(data.len());
            if before > 0 && self.left == 0 {
                fs::write(&self.path, rows(ROWS + 1))?;
            }
            Ok(data.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let sshd = Sshd::start();
    let path = sshd.files().join("export/ATTENDANCE.txt");
    fs::write(&path, rows(ROWS)).unwrap();
    let proxy = Proxy::failing_first(sshd.port, vec![Fault::CutAnswers(6_000_000)]);
    let session = open_through(&sshd, &proxy).await;
    let error =
        session.download(&attendance_txt(), Meddling { left: 1_000_000, path }).await.map(drop).unwrap_err();
    assert_eq!(error.code(), "sftp.file_changing", "{error:?}");
    assert_eq!(proxy.sent().len(), 2);
}

// What servers offer

#[tokio::test]
async fn openssh_offers_everything() {
    let sshd = Sshd::start();
    let session = open(&sshd).await;
    let everything = Capabilities { posix_rename: true, fsync: true, statvfs: true, renames: None };
    assert_eq!(session.capabilities().await.unwrap(), everything);
    session.probe(&folder("imports")).await.unwrap();
    assert!(names_in(&sshd, "imports").is_empty());
    assert_eq!(session.capabilities().await.unwrap().renames, Some(true));
    let space = session.free_space(&folder("imports")).await.unwrap().unwrap();
    assert!(0 < space.available && space.available <= space.total, "{space:?}");
    let error = session.free_space(&folder("nowhere")).await.unwrap_err();
    assert!(matches!(&error, Error::FolderMissing { folder } if folder == "nowhere"), "{error:?}");
}

#[rstest]
#[case::no_extensions("-P posix-rename,statvfs,fsync", "", Some(true), Placement::SetAside)]
#[case::one_channel("", "MaxSessions 1", Some(true), Placement::SetAside)]
#[case::no_renames("-P rename,posix-rename,statvfs,fsync", "", Some(false), Placement::Overwritten)]
#[tokio::test]
async fn a_server_that_lacks_something_is_served_as_well_as_it_can_be(
    #[case] sftp_arguments: &'static str,
    #[case] config: &'static str,
    #[case] renames: Option<bool>,
    #[case] placement: Placement,
) {
    let sshd = Sshd::with(&Options { sftp_arguments, config, ..Options::default() });
    let session = open(&sshd).await;
    assert_eq!(session.capabilities().await.unwrap(), Capabilities::default());
    assert_eq!(session.free_space(&folder("imports")).await.unwrap(), None);
    session.probe(&folder("imports")).await.unwrap();
    assert_eq!(session.capabilities().await.unwrap(), Capabilities { renames, ..Capabilities::default() });
    assert!(names_in(&sshd, "imports").is_empty());
    for round in [1, 2] {
        let uploaded =
            session.upload(&student_txt(), move |out| write_rows(out, 60_000 / round)).await.unwrap();
        let new_and_renamed = round == 1 && placement == Placement::SetAside;
        assert_eq!(uploaded.placement, if new_and_renamed { Placement::Replaced } else { placement });
        let arrived = fs::read(sshd.files().join("imports/STUDENT.TXT")).unwrap();
        assert_eq!(sha256(&arrived), uploaded.sha256);
        assert_eq!(names_in(&sshd, "imports"), ["STUDENT.TXT"]);
    }
}

#[rstest]
#[case::in_one_step("")]
#[case::set_aside("-P posix-rename")]
#[tokio::test]
async fn an_old_file_set_aside_never_comes_back_over_a_newer_one(#[case] sftp_arguments: &'static str) {
    let sshd = Sshd::with(&Options { sftp_arguments, ..Options::default() });
    let imports = sshd.files().join("imports");
    fs::write(imports.join(".STUDENT.TXT.rosterbridge-old"), "the day before").unwrap();
    fs::write(imports.join("STUDENT.TXT"), "yesterday").unwrap();
    let session = open(&sshd).await;
    let failing = |_: &mut dyn Write| Err(io::Error::other("the store is closed"));
    assert_eq!(session.upload(&student_txt(), failing).await.unwrap_err().code(), "sftp.source");
    assert_eq!(fs::read_to_string(imports.join("STUDENT.TXT")).unwrap(), "yesterday");
    assert_eq!(names_in(&sshd, "imports"), ["STUDENT.TXT"]);
}

#[rstest]
#[case::in_one_step("-P remove", Placement::Replaced, &["STUDENT.TXT"])]
#[case::set_aside(
    "-P remove,posix-rename",
    Placement::SetAside,
    &[".STUDENT.TXT.rosterbridge-old", "STUDENT.TXT"]
)]
#[case::written_over(
    "-P remove,rename,posix-rename",
    Placement::Overwritten,
    &[".STUDENT.TXT.rosterbridge-part", "STUDENT.TXT"]
)]
#[tokio::test]
async fn an_account_that_may_not_remove_files_can_go_on_uploading(
    #[case] sftp_arguments: &'static str,
    #[case] placement: Placement,
    #[case] names: &[&str],
) {
    let sshd = Sshd::with(&Options { sftp_arguments, ..Options::default() });
    let imports = sshd.files().join("imports");
    fs::write(imports.join("STUDENT.TXT"), "yesterday").unwrap();
    // Half a file of an upload that a crash ended, longer than what comes.
    fs::write(imports.join(".STUDENT.TXT.rosterbridge-part"), rows(60_000)).unwrap();
    let session = open(&sshd).await;
    for count in [10, 20_000, 3] {
        let uploaded = session.upload(&student_txt(), move |out| write_rows(out, count)).await.unwrap();
        assert_eq!(uploaded.placement, placement);
        assert!(fs::read(imports.join("STUDENT.TXT")).unwrap() == rows(count), "{count}");
        assert_eq!(names_in(&sshd, "imports"), names);
    }
}

#[rstest]
#[case::between_the_renames(&["old", "part"], Some("previous"))]
#[case::before_the_removal(&["old", "target"], Some("new"))]
#[case::taken_after_the_swap(&["old"], None)]
#[case::all_three(&["old", "part", "target"], Some("new"))]
#[tokio::test]
async fn a_replaced_file_that_stays_never_comes_back(#[case] left: &[&str], #[case] standing: Option<&str>) {
    let sshd = Sshd::with(&Options { sftp_arguments: "-P remove,posix-rename", ..Options::default() });
    let imports = sshd.files().join("imports");
    for leftover in left {
        let (name, text) = match *leftover {
            "old" => (".STUDENT.TXT.rosterbridge-old", "previous"),
            "part" => (".STUDENT.TXT.rosterbridge-part", "half"),
            _ => ("STUDENT.TXT", "new"),
        };
        fs::write(imports.join(name), text).unwrap();
    }
    let session = open(&sshd).await;
    // Each leaves half a file behind, as a crash would.
    for _ in 0..2 {
        let failing = |_: &mut dyn Write| Err(io::Error::other("the store is closed"));
        assert_eq!(session.upload(&student_txt(), failing).await.unwrap_err().code(), "sftp.source");
        assert_eq!(fs::read_to_string(imports.join("STUDENT.TXT")).ok().as_deref(), standing);
    }
    session.upload(&student_txt(), |out| write_rows(out, 10)).await.unwrap();
    assert!(fs::read(imports.join("STUDENT.TXT")).unwrap() == rows(10));
}

#[tokio::test]
async fn an_account_that_may_not_remove_files_goes_on_after_cuts() {
    let sshd = Sshd::with(&Options { sftp_arguments: "-P remove", ..Options::default() });
    let proxy = Proxy::failing_first(sshd.port, vec![Fault::CutAfter(100_000); 4]);
    let session = open_through(&sshd, &proxy).await;
    let error = session.upload(&student_txt(), |out| write_rows(out, ROWS)).await.unwrap_err();
    assert_eq!(error.code(), "sftp.disconnected", "{error:?}");
    session.upload(&student_txt(), |out| write_rows(out, 10)).await.unwrap();
    assert!(fs::read(sshd.files().join("imports/STUDENT.TXT")).unwrap() == rows(10));
    assert_eq!(names_in(&sshd, "imports"), ["STUDENT.TXT"]);
}

#[rstest]
// What the account makes, it may write and not read.
#[case::by_the_files_mode("-u 0444")]
#[case::by_request("-P read")]
#[tokio::test]
async fn an_account_that_may_not_read_sends_all_again_after_a_cut(#[case] sftp_arguments: &'static str) {
    // The account that runs the tests may read what it likes.
    let sshd = Sshd::with(&Options { sftp_arguments, password_account: true, ..Options::default() });
    let proxy = Proxy::failing_first(sshd.port, vec![Fault::CutAfter(9_000_000)]);
    let mut connection = sshd.connection_with_password(PASSWORD);
    connection.address.port = proxy.port;
    let session = connect(&connection, &sshd.pins(), &CancellationToken::new()).await.unwrap();
    let uploaded = session.upload(&student_txt(), |out| write_rows(out, ROWS)).await.unwrap();
    assert!(fs::read(sshd.files().join("imports/STUDENT.TXT")).unwrap() == rows(ROWS), "the content differs");
    assert_eq!((uploaded.sha256, uploaded.resumed_at), (sha256(&rows(ROWS)), None));
    assert_eq!(proxy.sent().len(), 2);
    assert_eq!(names_in(&sshd, "imports"), ["STUDENT.TXT"]);
}

#[tokio::test]
async fn a_full_disk_is_named_and_freed() {
    let sshd = Sshd::with(&Options { small_disk: true, ..Options::default() });
    let session = open(&sshd).await;
    let space = session.free_space(&folder("imports")).await.unwrap().unwrap();
    assert_eq!(space.total, 1024 * 1024);
    session.upload(&student_txt(), |out| out.write_all(b"yesterday")).await.unwrap();
    let error = session.upload(&student_txt(), |out| write_rows(out, ROWS)).await.unwrap_err();
    assert!(matches!(&error, Error::NoSpace { path } if path == "imports/STUDENT.TXT"), "{error:?}");
    assert!(error.is_transient());
    // The same session goes on, and what did not fit is gone.
    let entries = session.list(&folder("imports")).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["STUDENT.TXT"]);
    let (_, bytes) = session.download(&student_txt(), Vec::new()).await.unwrap();
    assert_eq!(bytes, b"yesterday");
    session.upload(&student_txt(), |out| out.write_all(b"today")).await.unwrap();
}

#[tokio::test]
async fn an_account_in_a_jail_is_served() {
    let sshd = Sshd::with(&Options { chroot: true, ..Options::default() });
    fs::write(sshd.files().join("export/ATTENDANCE.txt"), rows(3)).unwrap();
    // A link is followed by the server, within what it shows the account.
    symlink("/etc/hostname", sshd.files().join("export/outside.txt")).unwrap();
    symlink("ATTENDANCE.txt", sshd.files().join("export/inside.txt")).unwrap();
    let session = open(&sshd).await;
    for count in [60_000, 5] {
        let uploaded = session.upload(&student_txt(), move |out| write_rows(out, count)).await.unwrap();
        assert_eq!(uploaded.placement, Placement::Replaced);
        assert!(fs::read(sshd.files().join("imports/STUDENT.TXT")).unwrap() == rows(count));
    }
    let absolute = RemoteFile::parse("/imports/STUDENT.TXT").unwrap();
    assert_eq!(session.download(&absolute, Vec::new()).await.unwrap().1, rows(5));
    let inside = RemoteFile::parse("export/inside.txt").unwrap();
    assert_eq!(session.download(&inside, Vec::new()).await.unwrap().1, rows(3));
    let outside = RemoteFile::parse("export/outside.txt").unwrap();
    let error = session.download(&outside, Vec::new()).await.unwrap_err();
    assert_eq!(error.code(), "sftp.file_missing", "{error:?}");
    assert!(session.free_space(&folder("imports")).await.unwrap().is_some());
}

// Names and links

#[rstest]
#[case::in_one_step("")]
#[case::set_aside("-P posix-rename")]
#[tokio::test]
async fn a_link_leads_no_upload_elsewhere(#[case] sftp_arguments: &'static str) {
    let sshd = Sshd::with(&Options { sftp_arguments, ..Options::default() });
    let (imports, elsewhere) = (sshd.files().join("imports"), sshd.files().join("elsewhere"));
    fs::write(&elsewhere, "keep").unwrap();
    symlink(&elsewhere, imports.join(".STUDENT.TXT.rosterbridge-part")).unwrap();
    symlink(&elsewhere, imports.join("STUDENT.TXT")).unwrap();
    open(&sshd).await.upload(&student_txt(), |out| write_rows(out, 10)).await.unwrap();
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "keep");
    assert_eq!(names_in(&sshd, "imports"), ["STUDENT.TXT"]);
    assert!(imports.join("STUDENT.TXT").symlink_metadata().unwrap().is_file());
    assert!(fs::read(imports.join("STUDENT.TXT")).unwrap() == rows(10));
}

#[rstest]
#[case::a_link(true)]
#[case::a_folder(false)]
#[tokio::test]
async fn what_can_not_be_removed_and_is_no_file_is_not_written_to(#[case] link: bool) {
    let sshd = Sshd::with(&Options { sftp_arguments: "-P remove", ..Options::default() });
    let (imports, elsewhere) = (sshd.files().join("imports"), sshd.files().join("elsewhere"));
    fs::write(&elsewhere, "keep").unwrap();
    let part = imports.join(".STUDENT.TXT.rosterbridge-part");
    if link {
        symlink(&elsewhere, &part).unwrap();
    } else {
        fs::create_dir(&part).unwrap();
    }
    let error = open(&sshd).await.upload(&student_txt(), |out| write_rows(out, 10)).await.unwrap_err();
    assert_eq!(error.code(), "sftp.server_refused", "{error:?}");
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "keep");
    assert!(!imports.join("STUDENT.TXT").exists());
}

#[tokio::test]
async fn a_listing_leaves_names_out_that_could_lead_elsewhere() {
    let sshd = Sshd::start();
    for name in ["a\\b", "..\\secret", "two\nlines", "tab\tin", "plain.txt", "..."] {
        fs::write(sshd.files().join("export").join(name), "").unwrap();
    }
    let entries = open(&sshd).await.list(&folder("export")).await.unwrap();
    let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["...", "plain.txt"]);
}

// Idle connections

#[tokio::test]
async fn an_idle_session_shows_that_it_is_there() {
    let sshd = Sshd::start();
    let mut connection = sshd.connection();
    connection.timeouts.keep_alive = Duration::from_millis(50);
    let session = connect(&connection, &sshd.pins(), &CancellationToken::new()).await.unwrap();
    let sign = "keepalive@libssh2.org want_reply 1";
    let waiting = tokio::task::spawn_blocking(move || {
        let log = sshd.log_with(sign, 2);
        (sshd, log)
    });
    let (sshd, log) = waiting.await.unwrap();
    assert!(log.matches(sign).count() >= 2, "{log}");
    let uploaded = session.upload(&student_txt(), |out| write_rows(out, ROWS)).await.unwrap();
    assert_eq!(sha256(&fs::read(sshd.files().join("imports/STUDENT.TXT")).unwrap()), uploaded.sha256);
}
