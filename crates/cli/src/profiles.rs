//! `rosterbridge profiles`.

use std::path::Path;

use rosterbridge_api::{Fault, ProfileView, ServedView};
use serde_json::json;

use crate::{answer::to_value, document::Document};

/// Lists the profiles there are.
pub async fn list(home: &Path) -> Result<Document, Fault> {
    let profiles = rosterbridge_api::profiles(home).await;
    Ok(Document::done("Profiles", json!({ "profiles": to_value(&profiles)? })).with_text(text(&profiles)))
}

fn text(profiles: &[ProfileView]) -> String {
    if profiles.is_empty() {
        return "There is no profile yet.\n".to_owned();
    }
    profiles.iter().fold(String::new(), |text, profile| {
        format!("{text}{}  {}\n", profile.name, state(profile.served.as_ref()))
    })
}

fn state(served: Option<&ServedView>) -> String {
    let Some(ServedView { server, paused, running, next_at }) = served else {
        return "nothing works on it".to_owned();
    };
    let server = if server.is_empty() { "not set up yet" } else { server };
    match next_at {
        _ if *running => format!("{server}, running"),
        _ if *paused => format!("{server}, paused"),
        Some(next) => format!("{server}, next run {}", next.to_rfc3339()),
        None => server.to_owned(),
    }
}
