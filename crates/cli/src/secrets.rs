//! `secrets`: what the operating system's keychain keeps.

use rosterbridge_api::{Fault, Request, Response, Session};

use crate::{
    answer::{to_value, unexpected},
    args::Secrets,
    document::Document,
    files::secret_from_stdin,
};

/// Carries out a command about secrets.
pub async fn carry_out(session: &Session, secrets: Secrets) -> Result<Document, Fault> {
    match secrets {
        Secrets::Set { name } => {
            let value = secret_from_stdin("secret")?;
            match session.call(Request::SetSecret { name, value }, |_| ()).await? {
                Response::Secret(state) => Ok(Document::done(
                    format!("{} is stored in the keychain.", state.name),
                    to_value(&state)?,
                )),
                _ => Err(unexpected()),
            }
        }
        Secrets::Check { name } => match session.call(Request::CheckSecret { name }, |_| ()).await? {
            Response::Secret(state) if state.set => {
                Ok(Document::done(format!("{} is in the keychain.", state.name), to_value(&state)?))
            }
            Response::Secret(state) => Ok(Document::failed(
                &Fault {
                    code: "vault.secret_missing".to_owned(),
                    message: format!("{} is not in the keychain.", state.name),
                    remedy: format!("Store it with: rosterbridge secrets set {}", state.name),
                },
                to_value(&state)?,
            )),
            _ => Err(unexpected()),
        },
    }
}
