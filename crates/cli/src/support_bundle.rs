//! `rosterbridge support-bundle`.

use std::path::{Path, PathBuf};

use rosterbridge_api::{Fault, Request, Response, Session, report::SupportBundle};
use serde_json::{Value, json};

use crate::{
    answer::{to_value, unexpected},
    document::Document,
    files::file_fault,
};

/// Writes a bundle through whichever process holds the profile; by this one alone when nobody can open it.
pub async fn write(home: &Path, profile: &str, file: &Path, force: bool) -> Result<Document, Fault> {
    // Another process may write it, which works in another folder.
    let file = std::path::absolute(file).map_err(|error| file_fault("write", file, &error))?;
    let session = match Session::open_existing(home, profile).await {
        Ok(session) => session,
        Err(why) => return write_without_engine(home, profile, file, force, &why).await,
    };
    let path = file.to_str().map(str::to_owned).ok_or_else(|| {
        file_fault("write", &file, &std::io::Error::from(std::io::ErrorKind::InvalidFilename))
    });
    let answer = match path {
        Ok(file) => session.call(Request::SupportBundle { file, overwrite: force }, |_| ()).await,
        Err(fault) => Err(fault),
    };
    session.close().await;
    match answer? {
        Response::SupportBundle(bundle) => document(&bundle, &Value::Null),
        _ => Err(unexpected()),
    }
}

async fn write_without_engine(
    home: &Path,
    profile: &str,
    file: PathBuf,
    force: bool,
    why: &Fault,
) -> Result<Document, Fault> {
    let bundle = rosterbridge_api::support_bundle_without_engine(home, profile, file, force, why).await?;
    document(&bundle, &to_value(why)?)
}

fn document(bundle: &SupportBundle, not_opened: &Value) -> Result<Document, Fault> {
    let missing = if not_opened.is_null() {
        ""
    } else {
        " The profile can't be opened, so it holds only the reason and the logs."
    };
    let mut data = to_value(bundle)?;
    data["not_opened"] = json!(not_opened);
    Ok(Document::done(
        format!(
            "Wrote {}. It holds no secret and no student's name; look into it before you send it.{missing}",
            bundle.file
        ),
        data,
    ))
}
