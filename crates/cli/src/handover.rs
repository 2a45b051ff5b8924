//! `handover`: PowerSchool's address and credentials, encrypted for another person.

use std::{io::Read, path::Path};

use rosterbridge_api::{Fault, HandoverTo, Request, Response, SecretText, Session};
use serde_json::json;

use crate::{
    answer::{to_value, unexpected},
    args::Handover,
    document::Document,
    files::{file_fault, secret_from_stdin, write_owner_only},
    text,
};

/// Carries out a command about handover files.
pub async fn carry_out(session: &Session, handover: Handover) -> Result<Document, Fault> {
    match handover {
        Handover::Write { file, to } => {
            let to = match to {
                Some(key) => HandoverTo::Recipient(key),
                None => HandoverTo::Passphrase(secret_from_stdin("passphrase")?),
            };
            match session.call(Request::WriteHandover { to }, |_| ()).await? {
                Response::Handover(handover) => {
                    write_owner_only(&file, handover.text.as_bytes())?;
                    let data = json!({
                        "file": file, "subject": handover.subject, "body": handover.body,
                    });
                    let text = text::handover(&file, &handover);
                    Ok(Document::done(format!("Wrote {}.", file.display()), data).with_text(text))
                }
                _ => Err(unexpected()),
            }
        }
        Handover::Open { file } => {
            let text = read(&file)?;
            let passphrase = if rosterbridge_api::handover_needs_passphrase(&text)? {
                Some(secret_from_stdin("passphrase")?)
            } else {
                None
            };
            let request = Request::OpenHandover { text: SecretText::new(text), passphrase };
            match session.call(request, |_| ()).await? {
                Response::Setup(view) => {
                    let powerschool = &view.setup.powerschool;
                    let certificates = match powerschool.extra_roots.len() {
                        0 => String::new(),
                        number => format!(" Certificates trusted besides this computer's: {number}."),
                    };
                    Ok(Document::done(
                        format!(
                            "PowerSchool at {} is set up with Client ID {}.{certificates} Test it with: rosterbridge test \
                             powerschool",
                            powerschool.url, powerschool.client_id
                        ),
                        to_value(&view)?,
                    ))
                }
                _ => Err(unexpected()),
            }
        }
        Handover::Key => match session.call(Request::HandoverKey, |_| ()).await? {
            Response::HandoverKey(key) => Ok(Document::done(key.clone(), json!({ "key": key }))),
            _ => Err(unexpected()),
        },
    }
}

/// Bytes of a handover file read at most: more than it may have, so that one too large is told so.
const LONGEST_HANDOVER: u64 = 1 << 20;

fn read(file: &Path) -> Result<String, Fault> {
    let mut content = Vec::new();
    std::fs::File::open(file)
        .and_then(|opened| opened.take(LONGEST_HANDOVER).read_to_end(&mut content))
        .map_err(|error| file_fault("read", file, &error))?;
    // A file of another kind is told so by its first line.
    Ok(String::from_utf8_lossy(&content).into_owned())
}
