//! `test`: a connection, stage by stage.

use std::fmt::Write;

use rosterbridge_api::{
    Fault, Request, Response, Session,
    domain::{job::AccountId, settings::ConnectionId},
    report::{HostKeyView, StageResult, TestReport},
};
use serde_json::{Value, json};

use crate::{
    answer::{show, to_value, unexpected},
    args::{Test, Tested},
    connections::accepted,
    document::{Document, Exit},
    stop::{self, Asked},
};

/// Carries out a connection test.
pub async fn run(session: &Session, test: Test) -> Result<Document, Fault> {
    let over_sftp = matches!(test.what, Tested::Hero | Tested::Connection);
    let request = match test.what {
        Tested::Powerschool => return powerschool(session, test).await,
        Tested::Hero | Tested::Connection => {
            let connection = match test.connection {
                Some(connection) => connection,
                None => of_first_account(session).await?,
            };
            Request::TestConnection { connection, accept_host_key: test.accept_host_key }
        }
        Tested::Raptor => Request::TestRaptor { accept_host_key: test.accept_host_key },
        Tested::Mail => Request::TestMail { to: Vec::new() },
    };
    // A mail that is on its way can't be called back.
    let cancel = (test.what != Tested::Mail).then_some(Request::CancelConnectionTest);
    match stop::tested(session, request, |event| show(&event), cancel).await? {
        Response::Test(report) => Ok(judged(&report, to_value(&report)?)),
        Response::ConnectionTest(test) => {
            let mut data = to_value(&test.report)?;
            if over_sftp || test.host_key.is_some() {
                data["host_key_sha256"] = json!(test.host_key.as_ref().map(|key| &key.sha256));
                data["host_key"] = to_value(&test.host_key)?;
            }
            let text = test.host_key.as_ref().filter(|key| !key.accepted).map(host_key).unwrap_or_default();
            Ok(judged(&test.report, data).with_text(text))
        }
        _ => Err(unexpected()),
    }
}

/// The connection of the first account at Hero.
async fn of_first_account(session: &Session) -> Result<ConnectionId, Fault> {
    match session.call(Request::Setup, |_| ()).await? {
        Response::Setup(view) => {
            let first = view.setup.hero.account(AccountId::FIRST);
            Ok(first.map_or(ConnectionId::HERO, |account| account.connection))
        }
        _ => Err(unexpected()),
    }
}

/// A host key that stands to be decided on, with the accepted one it differs from.
fn host_key(key: &HostKeyView) -> String {
    let mut text = String::new();
    if let Some(old) = &key.pinned_instead {
        let _ = writeln!(text, "Accepted host key:  {}", accepted(old));
    }
    let _ = writeln!(
        text,
        "Presented host key: {} {}\n                    {}",
        key.algorithm, key.sha256, key.md5
    );
    text
}

/// Tests PowerSchool. Ctrl-C stops a test under way; what waits for the server goes on waiting.
async fn powerschool(session: &Session, test: Test) -> Result<Document, Fault> {
    if let Some(sha256) = test.accept_certificate {
        session.call(Request::TrustCertificate { sha256 }, |_| ()).await?;
    }
    let mut asked = Asked::listen();
    let request = Request::TestPowerSchool { offline: test.offline };
    let testing = session.call(request, |event| show(&event));
    tokio::pin!(testing);
    let answer = tokio::select! {
        answer = &mut testing => answer?,
        () = asked.next(), if !test.offline => {
            stop::cancelled(session, testing, Request::CancelTest, &mut asked).await?
        }
    };
    let Response::PowerSchoolTest(mut report) = answer else { return Err(unexpected()) };
    let mut stopped_waiting = false;
    if report.waiting && test.wait {
        tokio::select! {
            answer = session.call(Request::AwaitTest, |event| show(&event)) => match answer? {
                Response::PowerSchoolTest(made) => report = made,
                _ => return Err(unexpected()),
            },
            () = asked.next() => stopped_waiting = true,
        }
    }
    let mut document = judged(&report.report, to_value(&report)?);
    if document.ok && report.waiting {
        "test.waiting".clone_into(&mut document.code);
        "What can be tested without the network is right. The rest runs by itself when the server can be reached."
            .clone_into(&mut document.message);
        "Leave RosterBridge open, or wait here with: rosterbridge test powerschool --offline --wait"
            .clone_into(&mut document.remedy);
    }
    let mut text = report.text.clone();
    if document.ok && report.waiting {
        text = format!("{text}\n{}\n", document.remedy);
        if stopped_waiting {
            // Whoever asked to wait was promised a tested connection.
            document.ok = false;
            document.exit = Exit::Failed;
        }
    }
    Ok(document.with_text(text))
}

fn judged(report: &TestReport, data: Value) -> Document {
    let failed = report.stages.iter().find_map(|stage| match &stage.result {
        StageResult::Failed(cause) => Some(Fault {
            code: cause.code.clone(),
            message: cause.message.clone(),
            remedy: cause.remedy.clone(),
        }),
        StageResult::Running
        | StageResult::Passed
        | StageResult::Warned(_)
        | StageResult::Skipped
        | StageResult::Waiting => None,
    });
    match failed {
        Some(fault) if fault.code == "sftp.cancelled" => Document::failed(&stop::test_stopped(), data),
        Some(fault) => Document::failed(&fault, data),
        None => Document::done("The connection works.", data),
    }
}
