//! Everything against OpenSSH's own sshd.
#![cfg(unix)]
// Fixtures fail a test by panicking, like the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rosterbridge_sftp::{
    Address, Authentication, Connection, Error, KeyProblem, Pin, Placement, RemoteFile, RemoteFolder,
    Session, Timeouts, connect,
};
use rstest::rstest;
use sha2::{Digest, Sha256};
use support::proxy::{Fault, Proxy};
use support::sshd::{Options, PASSWORD, Sshd};
use tokio_util::sync::CancellationToken;

async fn open(sshd: &Sshd) -> Session {
    open_with(sshd, &sshd.connection()).await.expect("a session")
}

async fn open_with(sshd: &Sshd, connection: &Connection) -> Result<Session, Error> {
    connect(connection, &sshd.pins(), &CancellationToken::new()).await
}

fn student_txt() -> RemoteFile {
    RemoteFile::parse("imports/STUDENT.TXT").unwrap()
}

fn folder(name: &str) -> RemoteFolder {
    RemoteFolder::parse(name).unwrap()
}

/// A source that writes `text` whole.
fn content(text: &str) -> impl FnMut(&mut dyn Write) -> io::Result<()> + Send + 'static {
    let text = text.to_owned();
    move |out| out.write_all(text.as_bytes())
}

/// `rows` rows of 100 bytes that differ, so that lost or swapped pieces show in the digest.
fn many_rows(rows: usize) -> impl FnMut(&mut dyn Write) -> io::Result<()> + Send + 'static {
    move |out| {
        for row in 0..rows {
            out.write_all(format!("{row:>98}\r\n").as_bytes())?;
        }
        Ok(())
    }
}

fn names_in(sshd: &Sshd, folder: &str) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(sshd.files().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

// Host keys

#[rstest]
#[case::ed25519("ed25519", "ssh-ed25519")]
#[case::ecdsa("ecdsa", "ecdsa-sha2-nistp256")]
#[case::rsa("rsa", "ssh-rsa")]
#[tokio::test]
async fn the_fingerprint_is_the_one_ssh_keygen_prints(#[case] kind: &'static str, #[case] algorithm: &str) {
    let sshd = Sshd::with(&Options { host_key_type: Some(kind), ..Options::default() });
    let session = open(&sshd).await;
    let key = session.host_key();
    assert_eq!(key.algorithm, algorithm);
    assert_eq!(key.sha256, sshd.keygen_fingerprint("sha256"));
    assert_eq!(key.md5, sshd.keygen_fingerprint("md5"));
}

#[tokio::test]
async fn an_unknown_key_stops_before_anything_is_told() {
    let sshd = Sshd::start();
    let error = connect(&sshd.connection(), &[], &CancellationToken::new()).await.unwrap_err();
    let Error::HostKeyUnknown(key) = &error else { panic!("{error:?}") };
    assert_eq!(key.sha256, sshd.pin());
    assert_eq!(error.code(), "sftp.host_key_unknown");
    // With the accepted key the log shows the user name, so its absence before means something.
    assert!(!sshd.log().contains("userauth"), "{}", sshd.log());
    open(&sshd).await;
    assert!(sshd.log().contains("userauth-request"), "{}", sshd.log());
}

#[tokio::test]
async fn a_changed_key_stops_loudly_before_anything_is_told() {
    let sshd = Sshd::start();
    let other = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
    let pins = [Pin { algorithm: "ssh-ed25519".to_owned(), sha256: other.to_owned() }];
    let error = connect(&sshd.connection(), &pins, &CancellationToken::new()).await.unwrap_err();
    let Error::HostKeyChanged { pinned, presented } = &error else { panic!("{error:?}") };
    assert_eq!((&pinned[..], &presented.sha256), (&pins[..], &sshd.pin()));
    assert_eq!(error.code(), "sftp.host_key_changed");
    assert!(error.to_string().contains(other) && error.to_string().contains(&sshd.pin()));
    assert!(!sshd.log().contains("userauth"), "{}", sshd.log());
}

// Signing in

#[rstest]
#[case::openssh_ed25519("client_ed25519", None)]
#[case::pem_rsa("client_rsa", None)]
#[case::with_passphrase("client_locked", Some("open sesame"))]
#[case::needless_passphrase("client_ed25519", Some("not needed"))]
#[tokio::test]
async fn a_known_key_is_let_in(#[case] key: &str, #[case] passphrase: Option<&str>) {
    let sshd = Sshd::start();
    let session = open_with(&sshd, &sshd.connection_with_key(key, passphrase)).await.unwrap();
    session.require_folder(&folder("imports")).await.unwrap();
}

#[tokio::test]
async fn a_key_pasted_with_windows_line_ends_and_blanks_is_let_in() {
    use secrecy::ExposeSecret;
    let sshd = Sshd::start();
    let key = sshd.client_key("client_ed25519").expose_secret().trim_end().replace('\n', "  \r\n");
    let mut connection = sshd.connection();
    connection.authentication =
        Authentication::PrivateKey { key: format!("\r\n  {key}").into(), passphrase: None };
    open_with(&sshd, &connection).await.unwrap();
}

#[rstest]
#[case::missing(None, KeyProblem::PassphraseMissing)]
#[case::wrong(Some("open barley"), KeyProblem::PassphraseWrong)]
#[tokio::test]
async fn a_passphrase_problem_is_named(#[case] passphrase: Option<&str>, #[case] expected: KeyProblem) {
    let sshd = Sshd::start();
    let error = open_with(&sshd, &sshd.connection_with_key("client_locked", passphrase)).await.unwrap_err();
    assert!(matches!(error, Error::BadPrivateKey(problem) if problem == expected), "{error:?}");
    assert_eq!(error.code(), "sftp.bad_private_key");
}

#[rstest]
#[case::no_key("what the administrator was sent")]
#[case::putty("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n")]
#[case::cut_off("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU=\n")]
#[case::damaged(
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n"
)]
#[tokio::test]
async fn what_is_no_private_key_is_refused(#[case] text: &str) {
    let sshd = Sshd::start();
    let mut connection = sshd.connection();
    connection.authentication = Authentication::PrivateKey { key: text.into(), passphrase: None };
    let error = open_with(&sshd, &connection).await.unwrap_err();
    assert!(matches!(error, Error::BadPrivateKey(KeyProblem::Unreadable)), "{error:?}");
}

#[tokio::test]
async fn a_key_the_server_does_not_know_is_refused() {
    let sshd = Sshd::start();
    let error = open_with(&sshd, &sshd.connection_with_key("client_stranger", None)).await.unwrap_err();
    assert_eq!(error.code(), "sftp.auth_refused", "{error:?}");
}

#[tokio::test]
async fn a_password_is_let_in_and_works_with_the_accounts_rights() {
    let sshd = Sshd::with(&Options { password_account: true, ..Options::default() });
    let session = open_with(&sshd, &sshd.connection_with_password(PASSWORD)).await.unwrap();
    session.upload(&student_txt(), content("1\r\n")).await.unwrap();
    fs::set_permissions(sshd.files().join("imports"), fs::Permissions::from_mode(0o555)).unwrap();
    let error = session.upload(&student_txt(), content("2\r\n")).await.unwrap_err();
    assert_eq!(error.code(), "sftp.permission", "{error:?}");
    assert_eq!(fs::read_to_string(sshd.files().join("imports/STUDENT.TXT")).unwrap(), "1\r\n");
}

#[tokio::test]
async fn a_server_that_asks_for_the_password_by_prompt_gets_it() {
    let sshd =
        Sshd::with(&Options { password_account: true, keyboard_interactive: true, ..Options::default() });
    let session = open_with(&sshd, &sshd.connection_with_password(PASSWORD)).await.unwrap();
    session.require_folder(&folder("imports")).await.unwrap();
    assert!(
        sshd.log_with("Accepted keyboard-interactive", 1).contains("Accepted keyboard-interactive"),
        "{}",
        sshd.log()
    );
}

#[rstest]
#[case::password(false)]
#[case::by_prompt(true)]
#[tokio::test]
async fn a_wrong_password_is_named_and_not_repeated(#[case] keyboard_interactive: bool) {
    let sshd = Sshd::with(&Options { password_account: true, keyboard_interactive, ..Options::default() });
    let error = open_with(&sshd, &sshd.connection_with_password("Throwaway practice 43")).await.unwrap_err();
    assert_eq!(error.code(), "sftp.bad_password", "{error:?}");
    let attempt = if keyboard_interactive { "Failed keyboard-interactive" } else { "Failed password" };
    // The first connection only asks whether the server is up; what ends this one comes after all its attempts.
    let log = sshd.log_with("authenticating user", 1);
    assert_eq!(log.matches(attempt).count(), 1, "{log}");
    assert!(!format!("{error} {error:?}").contains("practice 43"));
}

#[tokio::test]
async fn a_password_is_not_offered_where_only_keys_are_taken() {
    let sshd = Sshd::with(&Options { keys_only: true, ..Options::default() });
    let error = open_with(&sshd, &sshd.connection_with_password(PASSWORD)).await.unwrap_err();
    assert!(matches!(&error, Error::AuthRefused { offered, .. } if offered == "publickey"), "{error:?}");
}

#[tokio::test]
async fn a_server_without_sftp_is_named() {
    let sshd = Sshd::with(&Options { no_sftp: true, ..Options::default() });
    let error = open_with(&sshd, &sshd.connection()).await.unwrap_err();
    assert_eq!(error.code(), "sftp.no_sftp", "{error:?}");
}

// Reaching the server

fn nobody_at(host: &str, port: u16) -> Connection {
    Connection {
        address: Address { host: host.to_owned(), port },
        username: "nobody".to_owned(),
        authentication: Authentication::Password("none".into()),
        allow_legacy: false,
        timeouts: Timeouts {
            connect: Duration::from_secs(20),
            answer: Duration::from_millis(500),
            ..Timeouts::default()
        },
    }
}

#[tokio::test]
async fn an_unknown_name_a_closed_port_and_a_silent_one_are_told_apart() {
    let cancel = CancellationToken::new();
    // RFC 6761: a name below .invalid never resolves.
    let error = connect(&nobody_at("sftp.rosterbridge.invalid", 22), &[], &cancel).await.unwrap_err();
    assert_eq!(error.code(), "sftp.dns", "{error:?}");

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = connect(&nobody_at("127.0.0.1", closed), &[], &cancel).await.unwrap_err();
    assert_eq!(error.code(), "sftp.refused", "{error:?}");

    // Takes connections (the system's backlog does) and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let error = connect(&nobody_at("127.0.0.1", port), &[], &cancel).await.unwrap_err();
    assert_eq!(error.code(), "sftp.not_ssh", "{error:?}");
}

#[rstest]
#[case::web_server(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html></html>")]
#[case::mail_server(b"220 mail.example.org ESMTP\r\n")]
#[case::hangs_up(b"")]
#[tokio::test]
async fn a_port_of_another_service_is_named(#[case] greeting: &'static [u8]) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(greeting).unwrap();
    });
    let error = connect(&nobody_at("127.0.0.1", port), &[], &CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.code(), "sftp.not_ssh", "{error:?}");
    server.join().unwrap();
}

// Transfers

#[tokio::test]
async fn a_big_file_arrives_whole_and_replaces_the_old_one() {
    let sshd = Sshd::start();
    let session = open(&sshd).await;
    let first = session.upload(&student_txt(), content("old\r\n")).await.unwrap();
    assert_eq!((first.bytes, first.placement), (5, Placement::Replaced));

    // Several windows of 4 MiB and a remainder.
    let uploaded = session.upload(&student_txt(), many_rows(130_001)).await.unwrap();
    let mut expected = Vec::new();
    many_rows(130_001)(&mut expected).unwrap();
    let arrived = fs::read(sshd.files().join("imports/STUDENT.TXT")).unwrap();
    assert!(arrived == expected, "the content differs");
    assert_eq!(uploaded.bytes, expected.len() as u64);
    assert_eq!(uploaded.sha256, hex::encode(Sha256::digest(&expected)));
    assert_eq!(uploaded.placement, Placement::Replaced);
    assert_eq!(names_in(&sshd, "imports"), ["STUDENT.TXT"]);

    let (downloaded, bytes) = session.download(&student_txt(), Vec::new()).await.unwrap();
    assert!(bytes == expected, "the content differs");
    assert_eq!((downloaded.bytes, downloaded.sha256), (uploaded.bytes, uploaded.sha256));
    session.close().await.unwrap();
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let sshd = Sshd::start();
    let session = open(&sshd).await;
    let uploaded = session.upload(&student_txt(), content("")).await.unwrap();
    assert_eq!(uploaded.bytes, 0);
    assert_eq!(fs::read(sshd.files().join("imports/STUDENT.TXT")).unwrap(), b"");
    let (downloaded, bytes) = session.download(&student_txt(), Vec::new()).await.unwrap();
    assert_eq!((downloaded.bytes, bytes.len()), (0, 0));
}

#[tokio::test]
async fn transfers_asked_for_at_once_take_turns() {
    let sshd = Sshd::start();
    let session = open(&sshd).await;
    let files: Vec<_> = ["A.TXT", "B.TXT", "C.TXT"].map(|name| folder("imports").file(name).unwrap()).into();
    let (a, b, c) = tokio::join!(
        session.upload(&files[0], many_rows(60_000)),
        session.upload(&files[1], many_rows(60_000)),
        session.upload(&files[2], many_rows(60_000)),
    );
    let (a, b, c) = (a.unwrap(), b.unwrap(), c.unwrap());
    assert!(a == b && b == c);
    for name in ["A.TXT", "B.TXT", "C.TXT"] {
        let arrived = fs::read(sshd.files().join("imports").join(name)).unwrap();
        assert_eq!(hex::encode(Sha256::digest(&arrived)), a.sha256, "{name}");
    }
}

#[rstest]
#[case::between_the_renames(&["old", "part"], &["STUDENT.TXT"], "previous")]
#[case::before_the_removal(&["old", "target"], &["STUDENT.TXT"], "new")]
#[case::taken_after_the_swap(&["old"], &[], "")]
#[case::during_the_upload(&["part", "target"], &["STUDENT.TXT"], "new")]
#[tokio::test]
async fn leftovers_of_a_crash_are_put_right(
    #[case] left: &[&str],
    #[case] after_failure: &[&str],
    #[case] standing: &str,
) {
    let sshd = Sshd::start();
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
    // A source that fails shows what the recovery alone leaves standing.
    let error =
        session.upload(&student_txt(), |_| Err(io::Error::other("the store is closed"))).await.unwrap_err();
    assert_eq!(error.code(), "sftp.source", "{error:?}");
    assert_eq!(names_in(&sshd, "imports"), after_failure);
    if !standing.is_empty() {
        assert_eq!(fs::read_to_string(imports.join("STUDENT.TXT")).unwrap(), standing);
    }
    session.upload(&student_txt(), content("today")).await.unwrap();
    assert_eq!(names_in(&sshd, "imports"), ["STUDENT.TXT"]);
    assert_eq!(fs::read_to_string(imports.join("STUDENT.TXT")).unwrap(), "today");
}

#[tokio::test]
async fn a_failing_source_leaves_the_old_file_and_nothing_else() {
    let sshd = Sshd::start();
    let session = open(&sshd).await;
    session.upload(&student_txt(), content("yesterday")).await.unwrap();
    let error = session
        .upload(&student_txt(), |out| {
            many_rows(60_000)(out)?;
            Err(io::Error::other("row 60001 is not valid"))
        })
        .await
        .unwrap_err();
    let Error::Source { cause, .. } = &error else { panic!("{error:?}") };
    assert_eq!(cause.to_string(), "row 60001 is not valid");
    assert_eq!(names_in(&sshd, "imports"), ["STUDENT.TXT"]);
    assert_eq!(fs::read_to_string(sshd.files().join("imports/STUDENT.TXT")).unwrap(), "yesterday");
}

#[rstest]
#[case::new_file(false)]
#[case::existing_file(true)]
#[tokio::test]
async fn a_server_that_refuses_renames_is_served_directly(#[case] exists: bool) {
    let sshd = Sshd::with(&Options { sftp_arguments: "-P rename,posix-rename", ..Options::default() });
    let target = sshd.files().join("imports/STUDENT.TXT");
    if exists {
        fs::write(&target, "yesterday, and longer than today").unwrap();
    }
    let session = open(&sshd).await;
    let uploaded = session.upload(&student_txt(), many_rows(60_000)).await.unwrap();
    assert_eq!(uploaded.placement, Placement::Overwritten);
    assert_eq!(hex::encode(Sha256::digest(fs::read(&target).unwrap())), uploaded.sha256);
    assert_eq!(names_in(&sshd, "imports"), ["STUDENT.TXT"]);
}

#[tokio::test]
async fn a_read_only_server_is_named() {
    let sshd = Sshd::with(&Options { sftp_arguments: "-R", ..Options::default() });
    fs::write(sshd.files().join("imports/STUDENT.TXT"), "yesterday").unwrap();
    let session = open(&sshd).await;
    let error = session.upload(&student_txt(), content("today")).await.unwrap_err();
    assert!(matches!(error, Error::Permission { action: "write", .. }), "{error:?}");
    let error = session.probe(&folder("imports")).await.unwrap_err();
    assert_eq!(error.code(), "sftp.permission", "{error:?}");
    assert_eq!(fs::read_to_string(sshd.files().join("imports/STUDENT.TXT")).unwrap(), "yesterday");
}

#[tokio::test]
async fn a_folder_in_the_files_place_is_named() {
    let sshd = Sshd::start();
    fs::create_dir(sshd.files().join("imports/STUDENT.TXT")).unwrap();
    let error = open(&sshd).await.upload(&student_txt(), content("today")).await.unwrap_err();
    assert_eq!(error.code(), "sftp.not_a_file", "{error:?}");
    assert_eq!(names_in(&sshd, "imports"), ["STUDENT.TXT"]);
}

#[tokio::test]
async fn a_full_disk_keeps_the_old_file() {
    let sshd = Sshd::with(&Options { small_disk: true, ..Options::default() });
    let session = open(&sshd).await;
    session.upload(&student_txt(), content("yesterday")).await.unwrap();
    let error = session.upload(&student_txt(), many_rows(130_000)).await.unwrap_err();
    assert!(matches!(error.code(), "sftp.server_refused" | "sftp.no_space"), "{error:?}");
    assert!(error.is_transient());

    let session = open(&sshd).await;
    let (_, bytes) = session.download(&student_txt(), Vec::new()).await.unwrap();
    assert_eq!(bytes, b"yesterday");
    session.upload(&student_txt(), content("today")).await.unwrap();
    let names: Vec<_> =
        session.list(&folder("imports")).await.unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["STUDENT.TXT"]);
}

#[tokio::test]
async fn a_missing_folder_or_file_is_named() {
    let sshd = Sshd::start();
    fs::remove_dir(sshd.files().join("imports")).unwrap();
    fs::write(sshd.files().join("export/NOTES"), "").unwrap();
    let session = open(&sshd).await;
    let errors = [
        session.upload(&student_txt(), content("today")).await.unwrap_err(),
        session.list(&folder("imports")).await.unwrap_err(),
        session.require_folder(&folder("imports")).await.unwrap_err(),
        session.probe(&folder("imports")).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(&error, Error::FolderMissing { folder } if folder == "imports"), "{error:?}");
    }
    // A file is no folder.
    let error = session.require_folder(&folder("export/NOTES")).await.unwrap_err();
    assert_eq!(error.code(), "sftp.folder_missing");
    let absent = RemoteFile::parse("export/ATTENDANCE.txt").unwrap();
    let error = session.download(&absent, Vec::new()).await.unwrap_err();
    assert!(matches!(&error, Error::FileMissing { path } if path == "export/ATTENDANCE.txt"), "{error:?}");
    assert!(!session.exists(&absent).await.unwrap());
}

#[tokio::test]
async fn a_folder_lists_its_files_with_size_and_time() {
    let sshd = Sshd::start();
    fs::write(sshd.files().join("export/b.txt"), "12345").unwrap();
    fs::write(sshd.files().join("export/A'é \u{1F600}.txt"), "").unwrap();
    fs::create_dir(sshd.files().join("export/c")).unwrap();
    let session = open(&sshd).await;
    let entries = session.list(&folder("export/")).await.unwrap();
    let shown: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.is_folder)).collect();
    assert_eq!(shown, [("A'é \u{1F600}.txt", false), ("b.txt", false), ("c", true)]);
    assert_eq!(entries[1].size, 5);
    assert!(entries[1].modified.is_some());
    let entry = session.stat(&RemoteFile::parse("export/b.txt").unwrap()).await.unwrap();
    assert_eq!(entry.as_ref(), Some(&entries[1]));
    assert!(session.list(&RemoteFolder::login()).await.unwrap().iter().any(|entry| entry.name == "export"));
}

#[tokio::test]
async fn a_sink_that_is_full_stops_the_download() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::Error::other("too big"));
            }
            self.0 -= 1;
            Ok(data.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let sshd = Sshd::start();
    fs::write(sshd.files().join("export/big.txt"), vec![b'x'; 5_000_000]).unwrap();
    let session = open(&sshd).await;
    let big = RemoteFile::parse("export/big.txt").unwrap();
    let error = session.download(&big, Full(1)).await.map(|_| ()).unwrap_err();
    assert_eq!(error.code(), "sftp.sink", "{error:?}");
    // The session is still good.
    let (downloaded, _) = session.download(&big, io::sink()).await.unwrap();
    assert_eq!(downloaded.bytes, 5_000_000);
}

// Lines that break

/// Longer than any test run: only something else can end the wait.
const FOR_EVER: Duration = Duration::from_hours(1);

/// A session through a proxy that fails in the midst of an upload.
async fn open_through(
    sshd: &Sshd,
    fault: Fault,
    answer: Duration,
    cancel: &CancellationToken,
) -> (Session, Proxy) {
    let proxy = Proxy::to(sshd.port, fault);
    let mut connection = sshd.connection();
    connection.address.port = proxy.port;
    connection.timeouts.answer = answer;
    (connect(&connection, &sshd.pins(), cancel).await.unwrap(), proxy)
}

#[rstest]
#[case::stalled(Fault::StallAfter(1_000_000), "sftp.timeout")]
#[case::cut(Fault::CutAfter(1_000_000), "sftp.disconnected")]
#[tokio::test]
async fn a_line_that_fails_in_an_upload_keeps_the_old_file(#[case] fault: Fault, #[case] code: &str) {
    let sshd = Sshd::start();
    fs::write(sshd.files().join("imports/STUDENT.TXT"), "yesterday").unwrap();
    let (session, _proxy) =
        open_through(&sshd, fault, Duration::from_secs(2), &CancellationToken::new()).await;
    let error = session.upload(&student_txt(), many_rows(130_000)).await.unwrap_err();
    assert_eq!(error.code(), code, "{error:?}");
    assert!(error.is_transient());
    // The session is of no further use and says so.
    let error = session.list(&folder("imports")).await.unwrap_err();
    assert!(matches!(error, Error::Disconnected { .. } | Error::Timeout { .. }), "{error:?}");
    assert_eq!(fs::read_to_string(sshd.files().join("imports/STUDENT.TXT")).unwrap(), "yesterday");

    open(&sshd).await.upload(&student_txt(), content("today")).await.unwrap();
    assert_eq!(names_in(&sshd, "imports"), ["STUDENT.TXT"]);
}

#[tokio::test]
async fn cancelling_ends_a_stalled_upload_at_once() {
    let sshd = Sshd::start();
    let cancel = CancellationToken::new();
    let (session, proxy) = open_through(&sshd, Fault::StallAfter(1_000_000), FOR_EVER, &cancel).await;
    let stop = cancel.clone();
    let watcher = std::thread::spawn(move || {
        proxy.wait_for_fault();
        stop.cancel();
    });
    let file = student_txt();
    let error = session.upload(&file, many_rows(130_000)).await.unwrap_err();
    watcher.join().unwrap();
    assert_eq!(error.code(), "sftp.cancelled", "{error:?}");
    assert!(!sshd.files().join("imports/STUDENT.TXT").exists());
    let error = session.list(&folder("imports")).await.unwrap_err();
    assert_eq!(error.code(), "sftp.cancelled", "{error:?}");
}

#[tokio::test]
async fn dropping_an_upload_ends_it() {
    let sshd = Sshd::start();
    let (session, proxy) =
        open_through(&sshd, Fault::StallAfter(1_000_000), FOR_EVER, &CancellationToken::new()).await;
    // The source is dropped when the blocked call has ended: the channel closes then.
    let (alive, ended) = tokio::sync::oneshot::channel::<()>();
    let file = student_txt();
    let upload = session.upload(&file, move |out| {
        let _alive = &alive;
        many_rows(130_000)(out)
    });
    let stalled = tokio::task::spawn_blocking(move || proxy.wait_for_fault());
    tokio::select! {
        outcome = upload => panic!("{outcome:?}"),
        _ = stalled => {}
    }
    assert!(ended.await.is_err());
}

#[tokio::test]
async fn a_cancelled_token_connects_nowhere() {
    let sshd = Sshd::start();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let error = connect(&sshd.connection(), &sshd.pins(), &cancel).await.unwrap_err();
    assert_eq!(error.code(), "sftp.cancelled", "{error:?}");
}

// Folders and names

#[tokio::test]
async fn a_folder_is_made_once_and_files_get_other_names() {
    let sshd = Sshd::start();
    let session = open(&sshd).await;
    let roster = folder("export").folder("roster").unwrap();
    for _ in 0..2 {
        session.make_folder(&roster).await.unwrap();
    }
    assert!(sshd.files().join("export/roster").is_dir());
    let lost = session.make_folder(&folder("nowhere/roster")).await.unwrap_err();
    assert_eq!(lost.code(), "sftp.folder_missing");

    let [part, file] = [".a.part", "a.csv"].map(|name| roster.file(name).unwrap());
    session.upload(&part, content("one")).await.unwrap();
    session.rename(&part, &file).await.unwrap();
    assert_eq!(fs::read_to_string(sshd.files().join("export/roster/a.csv")).unwrap(), "one");
    assert_eq!(session.rename(&part, &file).await.unwrap_err().code(), "sftp.file_missing");
    session.remove(&file).await.unwrap();
    assert_eq!(names_in(&sshd, "export/roster"), [""; 0]);
    assert_eq!(session.remove(&file).await.unwrap_err().code(), "sftp.file_missing");
}
