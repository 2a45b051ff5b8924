//! Mail through a real SMTP server (aiosmtpd), which knows nothing of RosterBridge.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{District, Profile, until};

/// A mail server that files what it gets into a maildir.
struct MailServer {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl MailServer {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
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

#[test]
fn a_test_mail_reaches_everybody_named() {
    let (district, server) = (District::start(&[]), MailServer::start());
    let profile = Profile::of(&district);
    profile.change_setup(|setup| {
        setup["mail"]["port"] = json!(server.port);
        setup["mail"]["to"] = json!(["office@example.org", "it@example.org"]);
    });
    profile.run(&["test", "mail"]).done();
    let [message] = &server.messages()[..] else { panic!("{:?}", server.messages()) };
    for part in ["Subject: RosterBridge test mail", "office@example.org", "it@example.org"] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
}

#[test]
fn a_mail_server_that_is_gone_or_unprotected_is_told_apart_from_success() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    profile.change_setup(|setup| setup["mail"]["port"] = json!(port));
    profile.run(&["test", "mail"]).ended(1, "mail.refused");

    // Without protection only this machine is spoken to.
    profile.change_setup(|setup| setup["mail"]["host"] = json!("mail.example.org"));
    profile.run(&["test", "mail"]).ended(1, "mail.refused");

    profile.change_setup(|setup| setup["mail"]["host"] = json!(""));
    profile.run(&["test", "mail"]).ended(1, "setup.incomplete");
}
