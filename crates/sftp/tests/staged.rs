//! The test a person asks for when they set a connection up, against OpenSSH's own sshd.
#![cfg(unix)]
// Fixtures fail a test by panicking, like the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;

use rosterbridge_sftp::{
    Address, Authentication, Connection, ExpectedFingerprint, Needs, Outcome, Pin, RemoteFolder, Stage,
    TestReport, Timeouts, Warning, fingerprint, test as test_connection,
};
use rstest::rstest;
use support::sshd::{Options, Sshd};
use tokio_util::sync::CancellationToken;

fn folder(name: &str) -> RemoteFolder {
    RemoteFolder::parse(name).unwrap()
}

fn names_in(sshd: &Sshd, folder: &str) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(sshd.files().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn hero_needs() -> Needs {
    Needs {
        upload_folders: vec![folder("imports")],
        download_folders: vec![folder("export")],
        made_folder: None,
    }
}

/// Runs the test, and checks that every stage is told once, in order.
async fn staged(
    connection: &Connection,
    pins: &[Pin],
    expected: Option<&ExpectedFingerprint>,
    needs: &Needs,
) -> TestReport {
    let mut heard = Vec::new();
    let cancel = CancellationToken::new();
    let report = test_connection(connection, pins, expected, needs, &cancel, |stage| {
        heard.push(stage.stage);
    })
    .await;
    assert_eq!(heard, Stage::ALL);
    assert_eq!(report.stages.iter().map(|stage| stage.stage).collect::<Vec<_>>(), Stage::ALL);
    report
}

fn words(report: &TestReport) -> Vec<&'static str> {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Passed(_) => "passed",
        Outcome::Warned { warning, .. } => warning.code(),
        Outcome::Failed(error) => error.code(),
        Outcome::Skipped => "skipped",
    };
    report.stages.iter().map(|stage| word(&stage.outcome)).collect()
}

fn found(report: &TestReport, stage: Stage) -> &str {
    let at = Stage::ALL.iter().position(|other| *other == stage).unwrap();
    match &report.stages[at].outcome {
        Outcome::Passed(found) | Outcome::Warned { found, .. } => found,
        other => panic!("{other:?}"),
    }
}

/// The stages up to one that ends otherwise, and nothing behind it.
fn stops_at(stage: Stage, word: &'static str) -> Vec<&'static str> {
    let mut words = vec!["skipped"; Stage::ALL.len()];
    let at = Stage::ALL.iter().position(|other| *other == stage).unwrap();
    words[..at].fill("passed");
    words[at] = word;
    words
}

#[tokio::test]
async fn every_stage_passes_and_nothing_is_left() {
    let sshd = Sshd::start();
    fs::write(sshd.files().join("export/ATTENDANCE.txt"), "1\t2\n").unwrap();
    fs::write(sshd.files().join("export/REFERRALS.TXT"), "").unwrap();
    fs::create_dir(sshd.files().join("export/older")).unwrap();
    let report = staged(&sshd.connection(), &sshd.pins(), None, &hero_needs()).await;
    assert_eq!(words(&report), ["passed"; Stage::ALL.len()], "{report:?}");
    assert_eq!(report.host_key.as_ref().map(|key| &key.sha256), Some(&sshd.pin()));
    assert!(names_in(&sshd, "imports").is_empty());

    assert_eq!(found(&report, Stage::Resolve), "127.0.0.1");
    assert_eq!(found(&report, Stage::Connect), format!("127.0.0.1:{}", sshd.port));
    let greeting = found(&report, Stage::Greeting);
    assert!(greeting.starts_with("SSH-2.0-OpenSSH_"), "{greeting}");
    assert!(
        greeting.ends_with(", host key ssh-ed25519, cipher aes256-gcm@openssh.com")
            && greeting.contains(", key exchange "),
        "{greeting}"
    );
    assert_eq!(found(&report, Stage::HostKey), format!("ssh-ed25519 {}", sshd.pin()));
    assert_eq!(found(&report, Stage::Folders), "imports, export");
    assert_eq!(found(&report, Stage::Probe), "imports: files are replaced in one step");
    assert_eq!(found(&report, Stage::Listing), "export: 2 files: ATTENDANCE.txt, REFERRALS.TXT");
    let space = found(&report, Stage::Space);
    assert!(space.contains(" free of "), "{space}");
}

#[tokio::test]
async fn the_first_failure_ends_the_test() {
    let sshd = Sshd::start();
    let report = staged(&sshd.connection(), &[], None, &hero_needs()).await;
    assert_eq!(words(&report), stops_at(Stage::HostKey, "sftp.host_key_unknown"));
    assert_eq!(report.host_key.map(|key| key.sha256), Some(sshd.pin()));

    let stranger = sshd.connection_with_key("client_stranger", None);
    let report = staged(&stranger, &sshd.pins(), None, &hero_needs()).await;
    assert_eq!(words(&report), stops_at(Stage::SignIn, "sftp.auth_refused"));

    fs::remove_dir(sshd.files().join("imports")).unwrap();
    let report = staged(&sshd.connection(), &sshd.pins(), None, &hero_needs()).await;
    assert_eq!(words(&report), stops_at(Stage::Folders, "sftp.folder_missing"));

    let nowhere = Connection {
        address: Address { host: "sftp.rosterbridge.invalid".to_owned(), port: 22 },
        username: "nobody".to_owned(),
        authentication: Authentication::Password("none".into()),
        allow_legacy: false,
        timeouts: Timeouts::default(),
    };
    let report = staged(&nowhere, &[], None, &hero_needs()).await;
    assert_eq!(words(&report), stops_at(Stage::Resolve, "sftp.dns"));
    assert_eq!(report.host_key, None);
}

#[tokio::test]
async fn only_what_is_needed_is_tried() {
    let sshd = Sshd::start();
    let needs = Needs { download_folders: vec![folder("export")], ..Needs::default() };
    fs::remove_dir(sshd.files().join("imports")).unwrap();
    let report = staged(&sshd.connection(), &sshd.pins(), None, &needs).await;
    assert_eq!(
        words(&report),
        ["passed", "passed", "passed", "passed", "passed", "passed", "skipped", "passed", "skipped"]
    );
    assert_eq!(found(&report, Stage::Folders), "export");
    assert_eq!(found(&report, Stage::Listing), "export: no files yet");
}

#[tokio::test]
async fn a_test_looks_at_every_folder_that_is_used() {
    let sshd = Sshd::start();
    let needs = |uploads: &[&str], downloads: &[&str]| Needs {
        upload_folders: uploads.iter().copied().map(folder).collect(),
        download_folders: downloads.iter().copied().map(folder).collect(),
        made_folder: None,
    };
    fs::create_dir(sshd.files().join("imports/staff")).unwrap();
    let both = needs(&["imports", "imports/staff"], &["export", "imports"]);
    let report = staged(&sshd.connection(), &sshd.pins(), None, &both).await;
    assert!(report.failure().is_none(), "{report:?}");
    assert_eq!(found(&report, Stage::Folders), "imports, imports/staff, export");
    assert_eq!(found(&report, Stage::Probe), "imports, imports/staff: files are replaced in one step");
    assert_eq!(found(&report, Stage::Listing), "export: no files yet; imports: no files yet");
    let missing = needs(&["imports", "imports/office"], &["export"]);
    let report = staged(&sshd.connection(), &sshd.pins(), None, &missing).await;
    assert_eq!(report.failure().unwrap().code(), "sftp.folder_missing");
}

#[tokio::test]
async fn a_test_makes_the_folder_it_shall_write_to() {
    let sshd = Sshd::start();
    let needs = |made: &str| Needs {
        upload_folders: Vec::new(),
        download_folders: vec![folder("export")],
        made_folder: Some(folder(made)),
    };
    let report = staged(&sshd.connection(), &sshd.pins(), None, &needs("export/roster")).await;
    assert!(report.failure().is_none(), "{report:?}");
    assert_eq!(found(&report, Stage::Folders), "export, export/roster");
    assert_eq!(found(&report, Stage::Probe), "export/roster: files are replaced in one step");
    assert_eq!(names_in(&sshd, "export"), ["roster"]);
    assert_eq!(names_in(&sshd, "export/roster"), [""; 0]);
    let report = staged(&sshd.connection(), &sshd.pins(), None, &needs("nowhere/roster")).await;
    assert_eq!(report.failure().unwrap().code(), "sftp.folder_missing");
}

#[rstest]
// OpenSSH names its extended requests in -P too.
#[case::in_one_step("", "passed", "imports: files are replaced in one step")]
#[case::set_aside(
    "-P posix-rename",
    "passed",
    "imports: the old file is set aside for a moment while the new one takes its place"
)]
#[case::no_renames("-P rename,posix-rename", "sftp.written_directly", "imports: files are written directly")]
#[case::no_removal(
    "-P remove",
    "sftp.not_removed",
    "imports: files are replaced in one step; imports/.rosterbridge-probe"
)]
#[case::no_renames_and_no_removal(
    "-P rename,posix-rename,remove",
    "sftp.written_directly",
    "imports: files are written directly; imports/.rosterbridge-probe"
)]
#[case::read_only("-R", "sftp.permission", "")]
#[tokio::test]
async fn what_the_server_allows_is_told_as_what_follows_for_uploads(
    #[case] sftp_arguments: &'static str,
    #[case] word: &str,
    #[case] text: &str,
) {
    let sshd = Sshd::with(&Options { sftp_arguments, ..Options::default() });
    let report = staged(&sshd.connection(), &sshd.pins(), None, &hero_needs()).await;
    let probe = Stage::ALL.iter().position(|stage| *stage == Stage::Probe).unwrap();
    assert_eq!(words(&report)[probe], word, "{report:?}");
    if !text.is_empty() {
        let told = found(&report, Stage::Probe);
        assert!(told.starts_with(text), "{told}");
        assert_eq!(told.ends_with(" stays there"), sftp_arguments.contains("remove"), "{told}");
    }
}

#[tokio::test]
async fn everything_a_test_leaves_is_named() {
    let sshd = Sshd::with(&Options { sftp_arguments: "-P posix-rename,remove", ..Options::default() });
    let told = |files| {
        format!(
            "imports: the old file is set aside for a moment while the new one takes its place; {files} there"
        )
    };
    let report = staged(&sshd.connection(), &sshd.pins(), None, &hero_needs()).await;
    assert_eq!(found(&report, Stage::Probe), told("imports/.rosterbridge-probe-renamed stays"));
    // That one is in the way of the next test's renaming.
    let report = staged(&sshd.connection(), &sshd.pins(), None, &hero_needs()).await;
    assert_eq!(
        found(&report, Stage::Probe),
        told("imports/.rosterbridge-probe-renamed, imports/.rosterbridge-probe stay")
    );
    assert_eq!(names_in(&sshd, "imports"), [".rosterbridge-probe", ".rosterbridge-probe-renamed"]);
}

#[rstest]
#[case::renames(false)]
#[case::renames_and_removals(true)]
#[test]
fn every_refusal_is_in_the_warning(#[case] not_removed: bool) {
    let warning = Warning::WrittenDirectly { not_removed };
    assert!(warning.remedy().contains("rename") && warning.to_string().contains("rename"));
    assert_eq!(warning.remedy().contains("remove"), not_removed);
    assert_eq!(warning.to_string().contains("remove"), not_removed);
}

#[tokio::test]
async fn a_server_that_does_not_tell_its_space_is_not_asked_twice() {
    let sshd = Sshd::with(&Options { sftp_arguments: "-P statvfs", ..Options::default() });
    let report = staged(&sshd.connection(), &sshd.pins(), None, &hero_needs()).await;
    assert_eq!(words(&report)[Stage::ALL.len() - 2..], ["passed", "skipped"], "{report:?}");
}

#[tokio::test]
async fn little_space_is_a_warning() {
    let sshd = Sshd::with(&Options { small_disk: true, ..Options::default() });
    let report = staged(&sshd.connection(), &sshd.pins(), None, &hero_needs()).await;
    assert_eq!(words(&report)[Stage::ALL.len() - 1], "sftp.little_space", "{report:?}");
    assert_eq!(found(&report, Stage::Space), "1 MB free of 1 MB");
}

// The fingerprint that was announced

#[rstest]
#[case::sha256("host_key", "sha256", 1)]
#[case::md5("host_key", "md5", 1)]
// The server shows its ed25519 key unless it is asked for another.
#[case::of_another_key("host_key_rsa", "sha256", 1)]
#[case::of_another_key_by_md5("host_key_ecdsa", "md5", 1)]
#[case::a_whole_line("host_key_rsa", "sha256", 4)]
#[tokio::test]
async fn an_announced_key_is_accepted_without_a_question(
    #[case] name: &str,
    #[case] hash: &str,
    #[case] words_pasted: usize,
) {
    let sshd = Sshd::with(&Options { more_host_keys: &["ecdsa", "rsa"], ..Options::default() });
    let line = sshd.keygen_line(name, hash);
    let pasted = match words_pasted {
        1 => line.split(' ').nth(1).unwrap(),
        _ => &line,
    };
    let expected = fingerprint::parse(pasted).unwrap();
    let report = staged(&sshd.connection(), &[], Some(&expected), &hero_needs()).await;
    assert_eq!(words(&report), ["passed"; Stage::ALL.len()], "{report:?}");
    assert_eq!(Pin::from(report.host_key.as_ref().unwrap()), sshd.pin_of(name));
}

#[tokio::test]
async fn another_key_than_the_announced_ends_the_test_before_anything_is_told() {
    let sshd = Sshd::with(&Options { more_host_keys: &["ecdsa", "rsa"], ..Options::default() });
    let other = Sshd::start();
    let expected = fingerprint::parse(&other.pin()).unwrap();
    let report = staged(&sshd.connection(), &[], Some(&expected), &hero_needs()).await;
    assert_eq!(words(&report), stops_at(Stage::HostKey, "sftp.host_key_mismatch"));
    let message = report.failure().unwrap().to_string();
    assert!(message.contains(&sshd.pin()) && message.contains(&other.pin()), "{message}");
    assert_eq!(report.host_key.map(|key| key.sha256), Some(sshd.pin()));
    assert!(!sshd.log().contains("userauth"), "{}", sshd.log());
}

#[tokio::test]
async fn an_announced_key_replaces_no_accepted_one() {
    let sshd = Sshd::start();
    let pins = sshd.pins();
    sshd.replace_host_keys("ed25519");
    let expected = fingerprint::parse(&sshd.pin()).unwrap();
    let report = staged(&sshd.connection(), &pins, Some(&expected), &hero_needs()).await;
    assert_eq!(words(&report), stops_at(Stage::HostKey, "sftp.host_key_changed"));
}
