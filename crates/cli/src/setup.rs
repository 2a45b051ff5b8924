//! `setup`: the setup file, and a practice district in its place.

use rosterbridge_api::{Fault, Request, Response, SecretText, Session, SetupView, domain};
use serde_json::json;

use crate::{
    answer::{to_value, unexpected},
    args::Setup,
    document::Document,
    files::{read, secret_from_stdin, write_owner_only},
};

/// The set-up as it is.
pub async fn now(session: &Session) -> Result<Box<SetupView>, Fault> {
    match session.call(Request::Setup, |_| ()).await? {
        Response::Setup(view) => Ok(view),
        _ => Err(unexpected()),
    }
}

/// Saves what was made of the set-up of this revision, and gives it as it is then.
pub async fn save(
    session: &Session,
    setup: domain::settings::Setup,
    revision: String,
) -> Result<Box<SetupView>, Fault> {
    match session.call(Request::SaveSetup { setup: Box::new(setup), revision }, |_| ()).await? {
        Response::Setup(view) => Ok(view),
        _ => Err(unexpected()),
    }
}

/// Carries out a command about the setup file.
pub async fn carry_out(session: &Session, setup: Setup, profile: &str) -> Result<Document, Fault> {
    match setup {
        Setup::Import { file, practice, no_pin } => {
            let request = match (file, practice) {
                (_, Some(ready)) => {
                    Request::ImportPractice { ready: SecretText::new(read(&ready)?), pin: !no_pin }
                }
                (Some(file), None) => {
                    let text = read(&file)?;
                    let encrypted = text.trim_start().starts_with("-----BEGIN AGE");
                    let passphrase = if encrypted { Some(secret_from_stdin("passphrase")?) } else { None };
                    Request::ImportSetup { text: SecretText::new(text), passphrase }
                }
                (None, None) => return Err(unexpected()),
            };
            match session.call(request, |_| ()).await? {
                Response::Setup(view) => {
                    Ok(Document::done(format!("Profile {profile} is set up."), to_value(&view)?))
                }
                _ => Err(unexpected()),
            }
        }
        Setup::Export { file, with_secrets } => {
            let passphrase = if with_secrets { Some(secret_from_stdin("passphrase")?) } else { None };
            match session.call(Request::ExportSetup { passphrase }, |_| ()).await? {
                Response::Exported(text) => {
                    write_owner_only(&file, text.as_bytes())?;
                    Ok(Document::done(format!("Wrote {}.", file.display()), json!({ "file": file })))
                }
                _ => Err(unexpected()),
            }
        }
    }
}
