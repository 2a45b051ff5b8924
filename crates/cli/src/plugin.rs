//! `plugin`: ours, and a vendor's file.

use std::{io::Read, path::Path};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rosterbridge_api::{Fault, Request, Response, Session, domain::job::Job, report::PluginView};
use serde_json::json;

use crate::{
    answer::{to_value, unexpected},
    document::Document,
    files::file_fault,
    text,
};

/// Our plugin for whoever has no profile.
pub fn build(file: &Path, jobs: &[Job]) -> Result<Document, Fault> {
    let jobs = if jobs.is_empty() { &Job::ALL } else { jobs };
    write(file, rosterbridge_api::plugin_view(jobs, chrono::Utc::now().date_naive())?)
}

/// Our plugin for a profile: its own exchanges unless others are named.
pub async fn build_for_profile(
    session: &Session,
    file: &Path,
    mut jobs: Vec<Job>,
) -> Result<Document, Fault> {
    if jobs.is_empty() {
        let Response::Setup(view) = session.call(Request::Setup, |_| ()).await? else {
            return Err(unexpected());
        };
        let chosen = view.setup.powerschool.plugin.chosen();
        let enabled = view.setup.enabled_exchanges();
        jobs.extend(Job::ALL.into_iter().filter(|job| chosen.contains(job) || enabled.contains(job)));
    }
    match session.call(Request::Plugin { jobs, write: true }, |_| ()).await? {
        Response::Plugin(plugin) => write(file, *plugin),
        _ => Err(unexpected()),
    }
}

fn write(file: &Path, mut plugin: PluginView) -> Result<Document, Fault> {
    let bytes = BASE64_STANDARD.decode(std::mem::take(&mut plugin.content)).map_err(|_| unexpected())?;
    std::fs::write(file, &bytes).map_err(|error| file_fault("write", file, &error))?;
    let mut data = to_value(&plugin)?;
    data["file"] = json!(file);
    data["bytes"] = json!(bytes.len());
    Ok(Document::done(
        format!(
            "Wrote {} ({} {}). Install it in PowerSchool under Plugin Management Configuration and enable it.",
            file.display(),
            plugin.name,
            plugin.version
        ),
        data,
    )
    .with_text(text::plugin(file, &plugin)))
}

/// Bytes of a plugin file read at most: more than any plugin PowerSchool takes.
const LONGEST_PLUGIN: u64 = 64 << 20;

/// Whether PowerSchool would take a plugin file, and what it asks for.
pub fn check(file: &Path) -> Result<Document, Fault> {
    let mut content = Vec::new();
    std::fs::File::open(file)
        .and_then(|opened| opened.take(LONGEST_PLUGIN).read_to_end(&mut content))
        .map_err(|error| file_fault("read", file, &error))?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let check = rosterbridge_api::check_plugin(&name, &content);
    let data = to_value(&check)?;
    let document = if check.valid {
        Document::done(format!("{name} is a plugin PowerSchool takes."), data)
    } else {
        let errors = check.remarks.iter().filter(|remark| remark.error).count();
        Document::failed(
            &Fault {
                code: "plugin.invalid".to_owned(),
                message: format!("{name} is not a plugin PowerSchool takes: {errors} errors."),
                remedy: "Send the errors to whoever made the plugin, and ask for a corrected one.".to_owned(),
            },
            data,
        )
    };
    Ok(document.with_text(text::plugin_check(&check)))
}
