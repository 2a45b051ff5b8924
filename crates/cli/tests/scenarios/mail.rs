//! Mail: that it reaches a real SMTP server (aiosmtpd), which knows nothing of RosterBridge, and who is told what, by
//! the mails the practice district's server got.

use std::{
    fs, mem,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use rosterbridge_crash_points::CrashPoint;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{District, Profile, crashed, until};

/// A mail server that files what it gets into a maildir.
struct MailServer {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl MailServer {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = closed_port();
        let process = Command::new("aiosmtpd")
            .args(["--nosetuid", "--listen", &format!("127.0.0.1:{port}")])
            .args(["--class", "aiosmtpd.handlers.Mailbox"])
            .arg(folder.path().join("mail"))
            .stdout(Stdio::null())
            .spawn()
            .expect("aiosmtpd (package python3-aiosmtpd) starts");
        until("the mail server listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
        Self { process, port, folder }
    }

    fn messages(&self) -> Vec<String> {
        let new: PathBuf = self.folder.path().join("mail/new");
        fs::read_dir(new).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A mail on its way can't be called back, so that there is nothing to wait for.
#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_test_mail_although_the_mail_server_says_nothing() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.change_setup(|setup| {
        setup["mail"]["port"] = json!(silent.local_addr().unwrap().port());
        setup["mail"]["to"] = json!(["office@example.org"]);
    });
    let mut testing = profile.spawn(&["test", "mail"]);
    let _asked = silent.accept().unwrap();
    crate::processes::interrupt(&testing);
    until("the test ends", || testing.try_wait().unwrap());
    profile.finish(testing).ended(1, "test.cancelled");
}

#[test]
fn a_test_mail_reaches_everybody_named() {
    let (district, server) = (District::start(&[]), MailServer::start());
    let profile = Profile::of(&district);
    profile.change_setup(|setup| {
        setup["mail"]["port"] = json!(server.port);
        setup["mail"]["to"] = json!(["office@example.org", "it@example.org"]);
    });
    profile.run(&["test", "mail"]).done();
    let messages = server.messages();
    assert_eq!(messages.len(), 2, "{messages:?}");
    for address in ["office@example.org", "it@example.org"] {
        let theirs = messages.iter().filter(|message| message.contains(&format!("To: {address}")));
        let [message] = &theirs.collect::<Vec<_>>()[..] else { panic!("{messages:?}") };
        assert!(message.contains("Subject: RosterBridge test mail"), "{message}");
    }
}

#[test]
fn a_mail_server_that_is_gone_or_unprotected_is_told_apart_from_success() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.change_setup(|setup| setup["mail"]["port"] = json!(closed_port()));
    profile.run(&["test", "mail"]).ended(1, "mail.refused");

    // Without protection only this machine is spoken to.
    profile.change_setup(|setup| setup["mail"]["host"] = json!("mail.example.org"));
    profile.run(&["test", "mail"]).ended(1, "mail.refused");

    profile.change_setup(|setup| setup["mail"]["host"] = json!(""));
    profile.run(&["test", "mail"]).ended(1, "setup.incomplete");
}

/// A port of this computer nobody listens on.
fn closed_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A mail the practice district's server got.
#[derive(Debug)]
struct Mail {
    /// With lines put together again.
    text: String,
}

impl Mail {
    /// A header's values, in order.
    fn header(&self, name: &str) -> Vec<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap();
        head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
    }

    fn subject(&self) -> &str {
        let [subject] = self.header("Subject")[..] else { panic!("{}", self.text) };
        subject.strip_prefix("RosterBridge (practice): ").unwrap_or_else(|| panic!("{}", self.text))
    }
}

/// The mails of a district as they come.
struct Postbox<'a> {
    district: &'a District,
    read: usize,
}

impl<'a> Postbox<'a> {
    fn of(district: &'a District) -> Self {
        Self { district, read: 0 }
    }

    /// Those that have come since it was looked last.
    fn new_mails(&mut self) -> Vec<Mail> {
        let folder = self.district.data().join("mail");
        let mut mails: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        mails.sort();
        let before = mem::replace(&mut self.read, mails.len());
        mails[before..]
            .iter()
            .map(|path| Mail { text: fs::read_to_string(path).unwrap().replace("\r\n ", " ") })
            .collect()
    }

    fn new_subjects(&mut self) -> Vec<String> {
        self.new_mails().iter().map(|mail| mail.subject().to_owned()).collect()
    }
}

#[test]
fn a_failure_is_told_once_and_so_is_the_first_success_after_it() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let mut mail = Postbox::of(&district);
    assert_eq!(mail.new_subjects(), ["Raptor integration is now Pending Initialization"]);

    let port = profile.setup()["connections"][0]["port"].clone();
    profile.change_setup(|setup| setup["connections"][0]["port"] = json!(closed_port()));
    profile.run(&["sync", "hero-students"]);
    let [failure] = &mail.new_mails()[..] else { panic!("one mail about the failure") };
    assert_eq!(failure.subject(), "hero-students failed");
    for part in ["Content-Type: text/plain", "Content-Type: text/html", "Code: sftp."] {
        assert!(failure.text.contains(part), "{part} is not in {}", failure.text);
    }
    profile.run(&["sync", "hero-students"]);
    profile.run(&["sync", "hero-students", "--dry-run"]);
    assert_eq!(mail.new_subjects(), [""; 0], "the same failure again");

    profile.change_setup(|setup| setup["connections"][0]["port"] = port);
    profile.run(&["sync", "hero-students", "--dry-run"]).done();
    assert_eq!(mail.new_subjects(), [""; 0], "a dry run proves nothing");
    profile.run(&["sync", "hero-students"]).done();
    assert_eq!(mail.new_subjects(), ["hero-students works again"]);
    profile.run(&["sync", "hero-students"]).done();
    assert_eq!(mail.new_subjects(), [""; 0], "another success");
}

#[test]
fn every_change_of_raptors_status_is_a_mail_of_its_own_to_its_own_addressees() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let mut mail = Postbox::of(&district);
    mail.new_mails();
    profile.change_setup(|setup| {
        setup["raptor"]["notify"] = json!(["front@example.org", "office@example.org"]);
        setup["mail"]["to"] = json!(["it@example.org"]);
    });
    profile.run(&["sync", "raptor-roster"]).done();
    let mails = mail.new_mails();
    let told: Vec<(&str, Vec<&str>)> =
        mails.iter().map(|mail| (mail.subject(), mail.header("Delivered-To"))).collect();
    let (initializing, synchronizing) =
        ("Raptor integration is now Initializing", "Raptor integration is now Synchronizing");
    assert_eq!(
        told,
        [
            (initializing, vec!["front@example.org"]),
            (initializing, vec!["office@example.org"]),
            (synchronizing, vec!["front@example.org"]),
            (synchronizing, vec!["office@example.org"]),
        ]
    );
    profile.run(&["sync", "raptor-roster"]).done();
    assert_eq!(mail.new_subjects(), [""; 0], "nothing changed");

    // A failure and a change go to different people.
    profile.change_setup(|setup| setup["raptor"]["folder"] = json!("/nowhere/at/all"));
    profile.run(&["sync", "raptor-roster"]);
    let mails = mail.new_mails();
    let [failure] = &mails[..] else { panic!("{mails:?}") };
    assert_eq!(failure.subject(), "raptor-roster failed");
    assert!(failure.text.contains("Code: raptor.folder_unusable"), "{}", failure.text);
    assert_eq!(failure.header("Delivered-To"), ["it@example.org"]);
    profile.run(&["raptor", "disable"]).done();
    let mails = mail.new_mails();
    let [change, same] = &mails[..] else { panic!("{mails:?}") };
    assert_eq!(change.subject(), same.subject(), "one for each addressee");
    assert_eq!(change.subject(), "Raptor integration is now Disabled");
    assert_eq!(
        (change.header("Delivered-To"), same.header("Delivered-To")),
        (vec!["front@example.org"], vec!["office@example.org"])
    );
}

#[test]
fn a_run_that_was_cut_off_is_told_once_at_the_next_start() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let mut mail = Postbox::of(&district);
    mail.new_mails();
    let cut_off = |arguments: &[&str]| {
        let place = format!("{}@1", CrashPoint::RosterPulled.as_str());
        let ended = profile.command(arguments).env("ROSTERBRIDGE_CRASH_AT", place).output().unwrap();
        assert!(crashed(ended.status), "it did not end");
    };
    cut_off(&["sync", "hero-teachers"]);
    let runs = profile.run(&["runs"]).done();
    let run = &runs.data()["runs"][0];
    assert_eq!(run["outcome"], "interrupted");
    let mails = mail.new_mails();
    let [told] = &mails[..] else { panic!("{mails:?}") };
    assert_eq!(told.subject(), "1 run was cut off");
    // Long lines are broken for the way.
    let text = told.text.replace("=\r\n", "");
    for part in [run["run"].as_str().unwrap(), "The next run makes it good"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    profile.run(&["sync", "hero-teachers"]).done();
    assert_eq!(mail.new_subjects(), [""; 0], "it was told");

    cut_off(&["sync", "hero-teachers", "--dry-run"]);
    profile.run(&["status"]).done();
    assert_eq!(mail.new_subjects(), [""; 0], "a dry run has left nothing");
}

#[test]
fn newly_held_rows_are_told_by_number_and_not_by_name() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "raptor-roster"]).done();
    let mut mail = Postbox::of(&district);
    mail.new_mails();
    profile.change_setup(|setup| setup["mappings"]["buildings"] = json!([]));
    profile.run(&["sync", "raptor-tardies"]);
    let held = profile.run(&["held", "list"]).done();
    let rows = held.data()["rows"].as_array().unwrap().clone();
    let mails = mail.new_mails();
    let [digest] = &mails[..] else { panic!("{mails:?}") };
    assert_eq!(digest.subject(), format!("{} rows were held", rows.len()));
    assert!(digest.text.contains(&format!("raptor-tardies: {} rows held or rejected", rows.len())));
    for row in &rows {
        let raw = row["raw"].as_str().unwrap();
        assert!(!raw.is_empty() && !digest.text.contains(raw), "{}", digest.text);
    }
    profile.run(&["sync", "raptor-tardies"]);
    assert_eq!(mail.new_subjects(), [""; 0], "the same rows are held still");
}

#[test]
fn a_stop_before_a_large_change_is_told_with_its_id() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "hero-students"]).done();
    let mut mail = Postbox::of(&district);
    mail.new_mails();
    profile
        .change_setup(|setup| setup["hero"]["accounts"][0]["schools"] = json!([district_school(&district)]));
    profile.run(&["sync", "hero-students"]);
    let stopped = profile.run(&["guard", "list"]).done();
    let id = stopped.data()["stopped"][0]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{}", stopped.stdout))
        .to_owned();
    let mails = mail.new_mails();
    let [stop] = &mails[..] else { panic!("{mails:?}") };
    assert_eq!(stop.subject(), "hero-students was stopped before a large change");
    assert!(stop.text.contains(&id), "{id} is not in {}", stop.text);
    profile.run(&["sync", "hero-students"]);
    assert_eq!(mail.new_subjects(), [""; 0], "it is stopped still");
    profile.run(&["guard", "accept", &id]).done();
    profile.run(&["sync", "hero-students"]).done();
    assert_eq!(mail.new_subjects(), ["hero-students works again"]);
}

/// One of the district's schools.
fn district_school(district: &District) -> i64 {
    let sql = "SELECT MIN(SchoolID) FROM Students WHERE Enroll_Status = 0";
    district.database().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn what_the_mail_server_does_not_take_waits_and_fails_no_run() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let mut mail = Postbox::of(&district);
    mail.new_mails();
    let port = profile.setup()["mail"]["port"].clone();
    profile.change_setup(|setup| setup["mail"]["port"] = json!(closed_port()));
    profile.run(&["sync", "raptor-roster"]).done();
    let status = profile.run(&["status"]).done();
    assert_eq!(status.data()["mail"]["cause"]["code"], "mail.refused", "{}", status.stdout);
    assert_eq!(
        (&status.data()["mail"]["waiting"], &status.data()["mail"]["dropped"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(mail.new_subjects(), [""; 0]);

    profile.change_setup(|setup| setup["mail"]["port"] = port);
    profile.run(&["sync", "hero-teachers"]).done();
    assert_eq!(
        mail.new_subjects(),
        ["Raptor integration is now Initializing", "Raptor integration is now Synchronizing"]
    );
    let status = profile.run(&["status"]).done();
    assert_eq!(status.data().get("mail"), None, "{}", status.stdout);
}
