//! `held` and `guard`: what waits for a person.

use rosterbridge_api::{Fault, Request, Response, Session};
use serde_json::json;

use crate::{
    answer::{to_value, unexpected},
    args::{Guard, Held},
    document::Document,
    text,
};

/// Carries out a command about held rows.
pub async fn carry_out(session: &Session, held: Held) -> Result<Document, Fault> {
    match held {
        Held::List { limit, offset } => match session.call(Request::Held { limit, offset }, |_| ()).await? {
            Response::Held(page) => {
                Ok(Document::done("Held rows", to_value(&page)?).with_text(text::held(&page)))
            }
            _ => Err(unexpected()),
        },
        Held::Retry { ids } => {
            let retried = ids.clone();
            let Response::Retried(by_file) = session.call(Request::RetryHeld { ids }, |_| ()).await? else {
                return Err(unexpected());
            };
            let message = if by_file.is_empty() {
                "The next run decides these rows again.".to_owned()
            } else {
                let ids: Vec<String> = by_file.iter().map(ToString::to_string).collect();
                format!(
                    "The next run decides these rows again, but {} only if the file is still there or comes again: \
                     what they state was not kept.",
                    ids.join(", ")
                )
            };
            Ok(Document::done(message, json!({ "retried": retried, "by_file": by_file })))
        }
        Held::Discard { ids } => {
            let data = json!({ "discarded": ids });
            session.call(Request::DiscardHeld { ids }, |_| ()).await?;
            Ok(Document::done("These rows are closed and never written.", data))
        }
    }
}

/// Carries out a command about stopped plans.
pub async fn decide_guarded(session: &Session, guard: Guard) -> Result<Document, Fault> {
    let (request, message) = match guard {
        Guard::List => (Request::Guarded, "Stopped plans"),
        Guard::Accept { id } => {
            (Request::DecideGuarded { id, accept: true }, "Accepted. It goes out with the next run.")
        }
        Guard::Reject { id } => (Request::DecideGuarded { id, accept: false }, "Rejected."),
    };
    match session.call(request, |_| ()).await? {
        Response::Guarded(files) => Ok(Document::done(message, json!({ "stopped": to_value(&files)? }))
            .with_text(text::guarded(message, &files))),
        _ => Err(unexpected()),
    }
}
