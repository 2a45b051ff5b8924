//! The ledger as a file: creation, keys, damage, crashes, backups; and what it keeps besides attendance.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use rosterbridge_domain::{
    attendance::Source,
    held::HoldReason,
    id::SchoolNumber,
    job::{FileReceipt, JobId, Outcome, RowCounts},
    settings::Setup,
};
use rosterbridge_store::{
    Ledger, StoreError,
    ledger::{
        Cause, ExportProblem, HostKeyReplacement, JobResult, PinnedHostKey, RunId, Trigger, WatchedFile,
    },
};
use rstest::rstest;
use support::{Fixture, KEY, OTHER_KEY, at, daily, files_in, hold, raw, start_run, write};

#[test]
fn opening_again_changes_nothing() {
    let fixture = Fixture::new();
    fixture.ledger.set_value("paused", "true").unwrap();
    drop(fixture.ledger);
    let path = fixture.folder.path().join("ledger.db");
    for _ in 0..2 {
        let ledger = Ledger::open(&path, &KEY, at(0)).unwrap();
        assert_eq!(ledger.value("paused").unwrap().as_deref(), Some("true"));
        ledger.integrity_check().unwrap();
    }
    assert_eq!(
        files_in(fixture.folder.path()),
        [path],
        "no copies, and the log is folded in when it is closed"
    );
}

#[test]
fn the_missing_folder_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("profiles").join("north").join("ledger.db");
    Ledger::open(&path, &KEY, at(0)).unwrap();
    assert!(path.exists());
}

#[test]
fn another_key_does_not_open_it_and_leaves_it_alone() {
    let fixture = Fixture::new();
    let path = fixture.path();
    drop(fixture.ledger);
    let before = std::fs::read(&path).unwrap();
    let error = Ledger::open(&path, &OTHER_KEY, at(0)).err().unwrap();
    assert_eq!(error.code(), "store.wrong_key");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    Ledger::open(&path, &KEY, at(0)).unwrap();
}

#[test]
fn a_newer_layout_is_refused() {
    let fixture = Fixture::new();
    let path = fixture.path();
    drop(fixture.ledger);
    raw(&path).execute_batch("PRAGMA user_version = 999;").unwrap();
    match Ledger::open(&path, &KEY, at(0)) {
        Err(StoreError::NewerSchema { found: 999, known, .. }) => assert!(known < 999),
        other => panic!("{:?}", other.err()),
    }
}

#[test]
fn nothing_readable_reaches_the_disk() {
    let fixture = Fixture::new();
    let name = "Anneliese O'Brien-Ñandú";
    let mut row = hold(1, HoldReason::UnknownStudent);
    row.raw = format!("100\t{name}\tENG9");
    fixture.decide(Source::Raptor, "tardies.csv", &[row], 1);
    fixture.ledger.set_value("note", name).unwrap();
    let backup = fixture.ledger.back_up(fixture.folder.path(), &KEY, at(0), 1).unwrap();

    let files = files_in(fixture.folder.path());
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["ledger-20261120T140000Z.db", "ledger.db", "ledger.db-shm", "ledger.db-wal"]);
    assert_eq!(backup.path, files[0]);
    for file in &files {
        let bytes = std::fs::read(file).unwrap();
        for text in ["Anneliese", "CREATE TABLE", "SQLite format"] {
            let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(!found, "'{text}' in {}", file.display());
        }
    }
    assert!(std::fs::metadata(&files[3]).unwrap().len() > 0, "the log holds what was just written");
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_its_files() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new();
    fixture.ledger.back_up(fixture.folder.path(), &KEY, at(0), 1).unwrap();
    let files = files_in(fixture.folder.path());
    assert_eq!(files.len(), 4);
    for file in files {
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600,
            "{}",
            file.display()
        );
    }

    let nested = fixture.folder.path().join("new").join("ledger.db");
    Ledger::open(&nested, &KEY, at(0)).unwrap();
    let folder = std::fs::metadata(nested.parent().unwrap()).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
}

#[cfg(unix)]
#[test]
fn a_file_others_could_read_is_closed_to_them() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new();
    let path = fixture.path();
    drop(fixture.ledger);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    Ledger::open(&path, &KEY, at(0)).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

const BATCH_ROWS: u64 = 400;

/// What `killed_in_the_middle_of_writing` runs in a process of its own, until it is killed.
#[test]
#[ignore = "a child process of another test"]
fn writes_until_killed() {
    let path = std::env::var_os("ROSTERBRIDGE_STORE_TEST_LEDGER").expect("run by another test only");
    let ledger = Ledger::open(Path::new(&path), &KEY, at(0)).unwrap();
    let run = start_run(&ledger, 0);
    for batch in 0.. {
        let rows: Vec<_> = (0..BATCH_ROWS)
            .map(|row| {
                let row = batch * BATCH_ROWS + row;
                write(row, daily(i64::try_from(row).unwrap()), "T")
            })
            .collect();
        support::record(&ledger, run, Source::Hero, &format!("{batch}.txt"), &rows, at(1)).unwrap();
        println!("committed {batch}");
    }
}

#[test]
fn killed_in_the_middle_of_writing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writes_until_killed", "--ignored", "--nocapture"])
        .env("ROSTERBRIDGE_STORE_TEST_LEDGER", &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The test harness writes the test's name before the first line, without ending it.
    let reported = lines.map_while(Result::ok).filter(|line| line.contains("committed")).take(4).count();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(reported, 4);

    let ledger = Ledger::open(&path, &KEY, at(0)).unwrap();
    ledger.integrity_check().unwrap();
    let pending = ledger.pending(Source::Hero).unwrap();
    let rows = pending.len() as u64;
    assert!(rows >= 4 * BATCH_ROWS, "what was reported as committed is there: {rows}");
    assert_eq!(rows % BATCH_ROWS, 0, "a file's decisions are all there or none: {rows}");
    // And it goes on from there: the run that was cut short is found.
    assert_eq!(ledger.interrupt_unfinished_runs(at(60)).unwrap(), 1);
    assert_eq!(ledger.runs(1).unwrap()[0].outcome, Outcome::Interrupted);
}

#[test]
fn setup_values_and_secrets() {
    let ledger = Fixture::new().ledger;
    assert_eq!(ledger.setup().unwrap(), None);
    let mut setup = Setup::default();
    setup.hero.accounts[0].schools = vec![SchoolNumber::new(100)];
    ledger.save_setup(&Setup::default()).unwrap();
    ledger.save_setup(&setup).unwrap();
    assert_eq!(ledger.setup().unwrap(), Some(setup));

    assert_eq!(ledger.value("raptor.status").unwrap(), None);
    ledger.set_value("raptor.status", "disabled").unwrap();
    ledger.set_value("raptor.status", "initializing").unwrap();
    assert_eq!(ledger.value("raptor.status").unwrap().as_deref(), Some("initializing"));

    assert_eq!(ledger.sealed_secret("hero.private-key").unwrap(), None);
    ledger.put_sealed_secret("hero.private-key", &[0, 255, 7]).unwrap();
    assert_eq!(ledger.sealed_secret("hero.private-key").unwrap(), Some(vec![0, 255, 7]));
    assert!(ledger.delete_sealed_secret("hero.private-key").unwrap());
    assert!(!ledger.delete_sealed_secret("hero.private-key").unwrap());
}

#[test]
fn host_keys_belong_to_host_and_port() {
    let ledger = Fixture::new().ledger;
    let key = PinnedHostKey {
        host: "sftp.hero.example".to_owned(),
        port: 2022,
        algorithm: "ssh-ed25519".to_owned(),
        sha256: "SHA256:AAAA".to_owned(),
        accepted_at: at(0),
        accepted_by: "ada".to_owned(),
    };
    ledger.pin_host_key(&key).unwrap();
    assert_eq!(ledger.pinned_host_keys("SFTP.hero.example", 2022).unwrap(), std::slice::from_ref(&key));
    assert_eq!(ledger.pinned_host_keys("sftp.hero.example", 22).unwrap(), []);
    let rsa =
        PinnedHostKey { algorithm: "ssh-rsa".to_owned(), sha256: "SHA256:CCCC".to_owned(), ..key.clone() };
    let another = PinnedHostKey { host: "raptor.example".to_owned(), ..key.clone() };
    ledger.pin_host_keys(&[rsa.clone(), another.clone()]).unwrap();
    assert_eq!(ledger.pinned_host_keys("raptor.example", 2022).unwrap(), [another]);
    assert_eq!(ledger.pinned_host_keys("sftp.hero.example", 2022).unwrap(), [key.clone(), rsa.clone()]);

    // None takes the place of another one unasked, alone or with others; the same one again stays as it was accepted.
    let usurper =
        PinnedHostKey { sha256: "SHA256:DDDD".to_owned(), accepted_by: "eve".to_owned(), ..key.clone() };
    let ecdsa = PinnedHostKey { algorithm: "ecdsa-sha2-nistp256".to_owned(), ..key.clone() };
    for refused in [
        ledger.pin_host_key(&usurper),
        ledger.pin_host_key(&PinnedHostKey { host: "SFTP.Hero.Example".to_owned(), ..usurper.clone() }),
        ledger.pin_host_keys(&[ecdsa, usurper]),
    ] {
        assert_eq!(refused.unwrap_err().code(), "store.host_key_accepted");
    }
    ledger.pin_host_key(&PinnedHostKey { accepted_at: at(4), ..key.clone() }).unwrap();
    assert_eq!(ledger.pinned_host_keys("sftp.hero.example", 2022).unwrap(), [key.clone(), rsa.clone()]);

    // A replacement takes the place of all types, and says whose acceptance ended.
    let new = PinnedHostKey {
        sha256: "SHA256:BBBB".to_owned(),
        accepted_at: at(5),
        accepted_by: "joe".to_owned(),
        ..key.clone()
    };
    let elsewhere = PinnedHostKey { port: 22, ..key.clone() };
    ledger.pin_host_key(&elsewhere).unwrap();
    ledger.replace_host_keys(&new).unwrap();
    assert_eq!(ledger.pinned_host_keys("sftp.hero.example", 2022).unwrap(), std::slice::from_ref(&new));
    assert_eq!(ledger.pinned_host_keys("sftp.hero.example", 22).unwrap(), [elsewhere]);
    assert_eq!(
        ledger.host_key_replacements("Sftp.Hero.Example", 2022).unwrap(),
        [HostKeyReplacement { old: rsa, new: new.clone() }, HostKeyReplacement { old: key, new },]
    );
}

#[test]
fn what_an_export_had_to_be_told_of_is_that_of_its_last_file() {
    let ledger = Fixture::new().ledger;
    let problem = |row: u64| ExportProblem {
        row,
        number: (5000 + row).to_string(),
        field: "Last_Name".to_owned(),
        kind: "too_long".to_owned(),
        found: (row % 2 == 1).then_some(20 + row),
        accepted: (row % 2 == 1).then_some(20),
    };
    let job = JobId::HERO_STUDENTS;
    ledger.keep_export_problems(job, &[problem(1), problem(2)]).unwrap();
    let problems: Vec<_> = (3..10).map(problem).collect();
    ledger.keep_export_problems(job, &problems).unwrap();
    assert_eq!(ledger.export_problems(job, 0, 100).unwrap(), problems);
    assert_eq!(ledger.export_problems(job, 2, 3).unwrap(), problems[2..5]);
    assert_eq!(ledger.export_problems(JobId::HERO_TEACHERS, 0, 100).unwrap(), []);
}

#[test]
fn watched_files_belong_to_their_connection() {
    let ledger = Fixture::new().ledger;
    let file = WatchedFile {
        connection: "hero".to_owned(),
        path: "imports/STUDENT.TXT".to_owned(),
        size: 400,
        modified: Some(at(1)),
        first_seen: at(2),
        last_seen: at(3),
        gone_at: None,
    };
    ledger.keep_watched_file(&file).unwrap();
    let gone = WatchedFile { gone_at: Some(at(9)), ..file.clone() };
    ledger.keep_watched_file(&gone).unwrap();
    ledger.keep_watched_file(&WatchedFile { connection: "raptor".to_owned(), ..file.clone() }).unwrap();
    assert_eq!(ledger.watched_files("hero").unwrap(), [gone]);
    ledger.forget_watched_files("hero", &["imports/STUDENT.TXT".to_owned()]).unwrap();
    assert_eq!(ledger.watched_files("hero").unwrap(), []);
    assert_eq!(ledger.watched_files("raptor").unwrap().len(), 1);
}

#[test]
fn files_are_recognised_by_source_name_and_content() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    assert_eq!(ledger.file_seen(Source::Hero, "ATTENDANCE.txt", "ab").unwrap(), None);
    ledger.mark_file_seen(Source::Hero, "ATTENDANCE.txt", "ab", fixture.run, at(1)).unwrap();
    let later = start_run(ledger, 60);
    ledger.mark_file_seen(Source::Hero, "ATTENDANCE.txt", "ab", later, at(61)).unwrap();
    assert_eq!(ledger.file_seen(Source::Hero, "ATTENDANCE.txt", "ab").unwrap(), Some(fixture.run));
    assert_eq!(ledger.file_seen(Source::Hero, "ATTENDANCE.txt", "cd").unwrap(), None);
    assert_eq!(ledger.file_seen(Source::Raptor, "ATTENDANCE.txt", "ab").unwrap(), None);
}

fn cause() -> Cause {
    Cause {
        code: "powerschool.maintenance".to_owned(),
        message: "PowerSchool is down.".to_owned(),
        remedy: "Wait.".to_owned(),
    }
}

fn result(outcome: Outcome) -> JobResult {
    JobResult {
        outcome,
        rows: RowCounts { read: 5, written: 3, noop: 1, held: 1, rejected: 0 },
        newly_held: 1,
        files: vec![FileReceipt {
            name: "imports/STUDENT.TXT".to_owned(),
            rows: 5,
            bytes: 400,
            sha256: "ef".to_owned(),
        }],
        notes: vec!["2 values were shortened".to_owned()],
        cause: (outcome == Outcome::Failed).then(cause),
    }
}

#[test]
fn a_run_and_its_jobs() {
    let ledger = Fixture::new().ledger;
    let run = RunId::new(at(100));
    ledger
        .start_run(
            run,
            Trigger::Schedule,
            &[JobId::HERO_STUDENTS, JobId::HERO_ATTENDANCE, JobId::HERO_SCHEDULE],
            at(100),
        )
        .unwrap();
    let started = ledger.run(run).unwrap().unwrap();
    assert_eq!(
        (started.outcome, started.finished_at, started.trigger),
        (Outcome::Running, None, Trigger::Schedule)
    );
    assert_eq!(ledger.last_job_run(JobId::HERO_STUDENTS).unwrap(), None, "it has not ended");

    ledger.start_job(run, JobId::HERO_STUDENTS, at(101)).unwrap();
    ledger.finish_job(run, JobId::HERO_STUDENTS, &result(Outcome::Succeeded), at(102)).unwrap();
    ledger.start_job(run, JobId::HERO_ATTENDANCE, at(103)).unwrap();
    ledger.finish_job(run, JobId::HERO_ATTENDANCE, &result(Outcome::Failed), at(104)).unwrap();
    ledger.finish_run(run, Outcome::Failed, Some(&cause()), at(105)).unwrap();

    let ended = ledger.run(run).unwrap().unwrap();
    assert_eq!(
        (ended.outcome, ended.finished_at, ended.cause),
        (Outcome::Failed, Some(at(105)), Some(cause()))
    );
    let jobs: Vec<_> = ended.jobs.iter().map(|job| (job.job, job.result.outcome)).collect();
    assert_eq!(
        jobs,
        [
            (JobId::HERO_STUDENTS, Outcome::Succeeded),
            (JobId::HERO_ATTENDANCE, Outcome::Failed),
            (JobId::HERO_SCHEDULE, Outcome::Skipped)
        ]
    );
    assert_eq!(ended.jobs[0].result, result(Outcome::Succeeded));
    assert_eq!((ended.jobs[0].started_at, ended.jobs[0].finished_at), (Some(at(101)), Some(at(102))));
    assert_eq!(ledger.last_job_run(JobId::HERO_STUDENTS).unwrap().as_ref(), Some(&ended.jobs[0]));

    let dry = RunId::new(at(200));
    ledger.start_run(dry, Trigger::DryRun, &[JobId::HERO_STUDENTS], at(200)).unwrap();
    ledger.finish_job(dry, JobId::HERO_STUDENTS, &result(Outcome::Failed), at(201)).unwrap();
    ledger.finish_run(dry, Outcome::Failed, None, at(202)).unwrap();
    assert_eq!(
        ledger.last_job_run(JobId::HERO_STUDENTS).unwrap().unwrap().run,
        run,
        "a dry run is no run of the job"
    );
    let ids: Vec<_> = ledger.runs(2).unwrap().into_iter().map(|run| run.id).collect();
    assert_eq!(ids, [dry, run], "newest first");
}

#[test]
fn the_last_success_of_a_job() {
    let ledger = Fixture::new().ledger;
    let job = JobId::HERO_ATTENDANCE;
    let ended = |second: i64, trigger: Trigger, outcome: Outcome| {
        let run = RunId::new(at(second));
        ledger.start_run(run, trigger, &[job], at(second)).unwrap();
        ledger.finish_job(run, job, &result(outcome), at(second + 1)).unwrap();
        ledger.finish_run(run, outcome, None, at(second + 1)).unwrap();
        run
    };
    let last = || ledger.last_success(job).unwrap().map(|job| job.run);
    ended(100, Trigger::Schedule, Outcome::Failed);
    assert_eq!(last(), None);
    let first = ended(200, Trigger::Schedule, Outcome::Succeeded);
    ended(300, Trigger::Schedule, Outcome::Failed);
    ended(400, Trigger::DryRun, Outcome::Succeeded);
    assert_eq!(last(), Some(first));
    let held = ended(500, Trigger::Manual, Outcome::SucceededWithHeldRows);
    ended(600, Trigger::Schedule, Outcome::Cancelled);
    assert_eq!(last(), Some(held));
}

#[test]
fn who_else_was_seen_in_one_district_is_nobody_in_another() {
    let ledger = Fixture::new().ledger;
    ledger.set_values(&[("other_sender", "[]"), ("district", "kept")]).unwrap();
    ledger.forget_exchange().unwrap();
    assert_eq!(ledger.value("other_sender").unwrap(), None);
    assert_eq!(ledger.value("district").unwrap().as_deref(), Some("kept"));
}

#[test]
fn runs_without_an_end_were_interrupted() {
    let fixture = Fixture::new();
    fixture.ledger.start_job(fixture.run, JobId::HERO_ATTENDANCE, at(1)).unwrap();
    let done = start_run(&fixture.ledger, 10);
    fixture.ledger.finish_run(done, Outcome::Cancelled, None, at(11)).unwrap();
    assert_eq!(fixture.ledger.interrupt_unfinished_runs(at(50)).unwrap(), 1);
    assert_eq!(fixture.ledger.interrupt_unfinished_runs(at(60)).unwrap(), 0);
    let run = fixture.ledger.run(fixture.run).unwrap().unwrap();
    assert_eq!((run.outcome, run.finished_at), (Outcome::Interrupted, Some(at(50))));
    let jobs: Vec<_> = run.jobs.iter().map(|job| job.result.outcome).collect();
    assert_eq!(jobs, [Outcome::Interrupted, Outcome::Skipped]);
    assert_eq!(fixture.ledger.run(done).unwrap().unwrap().outcome, Outcome::Cancelled);
}

#[test]
fn what_is_not_there_is_said() {
    let fixture = Fixture::new();
    let unknown = RunId::new(at(999));
    let ledger = &fixture.ledger;
    assert_eq!(ledger.run(unknown).unwrap(), None);
    for error in [
        ledger.finish_run(unknown, Outcome::Failed, None, at(1)).unwrap_err(),
        ledger.start_job(fixture.run, JobId::HERO_STUDENTS, at(1)).unwrap_err(),
        ledger.finish_job(fixture.run, JobId::HERO_STUDENTS, &result(Outcome::Failed), at(1)).unwrap_err(),
    ] {
        assert_eq!(error.code(), "store.not_found");
    }
}

#[test]
fn the_last_upload_of_a_name() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let receipt = |rows| FileReceipt {
        name: "imports/STUDENT.TXT".to_owned(),
        rows,
        bytes: rows * 80,
        sha256: format!("{rows:064x}"),
    };
    assert_eq!(ledger.last_upload(JobId::HERO_STUDENTS, "imports/STUDENT.TXT").unwrap(), None);
    ledger.record_upload(fixture.run, JobId::HERO_STUDENTS, &receipt(10), at(1)).unwrap();
    ledger.record_upload(fixture.run, JobId::HERO_STUDENTS, &receipt(12), at(2)).unwrap();
    let last = ledger.last_upload(JobId::HERO_STUDENTS, "imports/STUDENT.TXT").unwrap().unwrap();
    assert_eq!((last.receipt, last.uploaded_at, last.run), (receipt(12), at(2), fixture.run));
    assert_eq!(ledger.last_upload(JobId::RAPTOR_ROSTER, "imports/STUDENT.TXT").unwrap(), None);
    assert_eq!(ledger.uploaded_names(JobId::HERO_STUDENTS).unwrap(), ["imports/STUDENT.TXT"]);
    assert_eq!(ledger.uploaded_names(JobId::RAPTOR_ROSTER).unwrap(), [""; 0]);
}

#[rstest]
#[case(rusqlite::ffi::SQLITE_NOTADB, "store.corrupt")]
#[case(rusqlite::ffi::SQLITE_CORRUPT, "store.corrupt")]
#[case(rusqlite::ffi::SQLITE_FULL, "store.disk_full")]
#[case(rusqlite::ffi::SQLITE_IOERR, "store.io")]
#[case(rusqlite::ffi::SQLITE_CANTOPEN, "store.io")]
#[case(rusqlite::ffi::SQLITE_READONLY, "store.io")]
#[case(rusqlite::ffi::SQLITE_BUSY, "store.busy")]
#[case(rusqlite::ffi::SQLITE_LOCKED, "store.busy")]
#[case(rusqlite::ffi::SQLITE_CONSTRAINT, "store.refused")]
fn sqlites_answers_have_stable_codes(#[case] answer: i32, #[case] code: &str) {
    let error = StoreError::from(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(answer), None));
    assert_eq!(error.code(), code);
    assert!(!error.remedy().is_empty());
}

/// Some systems run the tests as root, whom no file mode stops: a folder in the file's place does.
#[test]
fn a_file_that_cannot_be_opened_is_an_io_error() {
    let folder = tempfile::tempdir().unwrap();
    let error = Ledger::open(folder.path(), &KEY, at(0)).err().unwrap();
    assert_eq!(error.code(), "store.io");
}
