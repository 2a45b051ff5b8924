//! `keys`: private keys that managed connections sign in with.

use std::fmt::Write;

use rosterbridge_api::{
    Fault, Request, Response, SecretText, Session,
    domain::settings::ConnectionId,
    report::{KeyView, PublicKeyView},
};
use serde_json::json;

use crate::{
    answer::{to_value, unexpected},
    args::Keys,
    document::Document,
    files,
};

/// Carries out a command about private keys.
pub async fn carry_out(session: &Session, keys: Keys) -> Result<Document, Fault> {
    match keys {
        Keys::Generate { id, replace } => {
            let request = Request::GenerateKey { connection: id, replace };
            let key = public_key(session, request).await?;
            let next = format!(
                "Give this line to the server's operator. Once the server knows it, sign in with the key: \
                 rosterbridge connections set {id} --sign-in private-key"
            );
            let text = format!("{}\n\n{next}\n", key.line);
            Ok(Document::done(next, to_value(&key)?).with_text(text))
        }
        Keys::Public { id } => public(session, id).await,
        Keys::Check { file, with_passphrase } => {
            let text = SecretText::new(files::read(&file)?);
            let passphrase = with_passphrase.then(|| files::secret_from_stdin("passphrase")).transpose()?;
            match session.call(Request::CheckKey { text, passphrase }, |_| ()).await? {
                Response::Key(key) => {
                    let text = format!("{}\n", facts(&key));
                    Ok(Document::done("The private key can be used.", to_value(&key)?).with_text(text))
                }
                _ => Err(unexpected()),
            }
        }
        Keys::Legacy => match session.call(Request::LegacyAlgorithms, |_| ()).await? {
            Response::LegacyAlgorithms(algorithms) => {
                let mut text = String::new();
                for algorithm in &algorithms {
                    let _ = writeln!(text, "{:<28} {}", algorithm.name, algorithm.weakens);
                }
                let data = json!({ "algorithms": algorithms });
                Ok(Document::done("What 'Allow legacy ciphers' adds", data).with_text(text))
            }
            _ => Err(unexpected()),
        },
    }
}

async fn public(session: &Session, id: ConnectionId) -> Result<Document, Fault> {
    let key = public_key(session, Request::PublicKey { connection: id }).await?;
    let text = format!("{}\n", key.line);
    Ok(Document::done(facts(&key.key), to_value(&key)?).with_text(text))
}

async fn public_key(session: &Session, request: Request) -> Result<PublicKeyView, Fault> {
    match session.call(request, |_| ()).await? {
        Response::PublicKey(key) => Ok(key),
        _ => Err(unexpected()),
    }
}

/// As `ssh-keygen -l` shows it.
fn facts(key: &KeyView) -> String {
    let mut text = key.bits.map_or_else(String::new, |bits| format!("{bits} "));
    let _ = write!(text, "{} ({})", key.sha256, key.algorithm);
    if !key.comment.is_empty() {
        let _ = write!(text, " {}", key.comment);
    }
    if key.encrypted {
        text.push_str(", protected by a passphrase");
    }
    text
}
