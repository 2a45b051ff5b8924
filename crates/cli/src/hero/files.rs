//! `hero preview`, `hero problems` and `hero files`: the files themselves.

use std::path::Path;

use rosterbridge_api::{
    Fault, Request, Response, Session,
    domain::{
        job::{AccountId, JobId},
        settings::{ExportJob, ExportKind},
    },
    report::{ExportProblemView, ExportProblems},
};
use serde_json::json;

use super::text;
use crate::{
    answer::{to_value, unexpected},
    document::Document,
    files::{exists, write_owner_only},
};

/// An export as it is set up.
pub async fn preview(session: &Session, job: JobId) -> Result<Document, Fault> {
    let Some(kind) = ExportKind::of(job.kind()) else { return Ok(no_export(job)) };
    let Response::Setup(view) = session.call(Request::Setup, |_| ()).await? else {
        return Err(unexpected());
    };
    let account = job.account();
    // An account that is not there is told by the engine, as everywhere.
    let of = view.setup.hero.account(account);
    let settings = Box::new(of.map_or_else(|| ExportJob::usual(kind), |of| of.export(kind).clone()));
    let request = Request::ExportPreview { account, kind, job: settings, rows: true };
    match session.call(request, |_| ()).await? {
        Response::ExportPreview(preview) => {
            let path = preview.path.as_deref().unwrap_or("a path that can't be used");
            let message = match &preview.rows {
                Some(rows) => format!("{job} would send {} rows as {path}.", rows.total),
                None => format!("{job} would be sent as {path}."),
            };
            Ok(Document::done(message, to_value(&preview)?).with_text(text::preview(&preview)))
        }
        _ => Err(unexpected()),
    }
}

pub fn no_export(job: JobId) -> Document {
    Document::wrong_usage(format!(
        "{job} is no export of an account: hero-students, hero-schedule and hero-teachers are."
    ))
}

/// The rows of an export that have to be looked at; all of them to a file where one is named.
pub async fn problems(
    session: &Session,
    job: JobId,
    csv: Option<&Path>,
    force: bool,
) -> Result<Document, Fault> {
    if ExportKind::of(job.kind()).is_none() {
        return Ok(no_export(job));
    }
    if let Some(file) = csv.filter(|file| !force && file.exists()) {
        return Err(exists(file));
    }
    let mut all = page(session, job, 0).await?;
    let message = match all.total {
        0 => format!("Nothing in the last file of {job} has to be looked at."),
        total if all.more_than_kept => {
            format!("{total} rows or values in the last file of {job}, and more, have to be looked at.")
        }
        total => format!("{total} rows or values in the last file of {job} have to be looked at."),
    };
    let Some(file) = csv else {
        return Ok(Document::done(message, to_value(&all)?).with_text(text::problems(&all)));
    };
    loop {
        let next = page(session, job, all.rows.len() as u64).await?;
        if next.rows.is_empty() {
            break;
        }
        all.rows.extend(next.rows);
    }
    write_owner_only(file, &table(&all)?)?;
    let message = format!("{message} They are in {}.", file.display());
    let data = json!({ "job": job, "total": all.total, "counts": all.counts, "file": file });
    Ok(Document::done(message, data))
}

async fn page(session: &Session, job: JobId, skip: u64) -> Result<ExportProblems, Fault> {
    match session.call(Request::ExportProblems { job, skip }, |_| ()).await? {
        Response::ExportProblems(problems) => Ok(problems),
        _ => Err(unexpected()),
    }
}

/// As CSV, with a header.
fn table(problems: &ExportProblems) -> Result<Vec<u8>, Fault> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut write = |record: [&str; 8]| table.write_record(record).map_err(|_| unexpected());
    write(["row", "number", "field", "kind", "message", "length", "limit", "first_row"])?;
    for problem in &problems.rows {
        let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
        let row = number(problem.row);
        let (length, limit) = (number(problem.length), number(problem.limit));
        let first_row = number(problem.first_row);
        let ExportProblemView { number, field, kind, message, .. } = problem;
        write([&row, number, field, kind, message, &length, &limit, &first_row])?;
    }
    table.into_inner().map_err(|_| unexpected())
}

/// What the account's server has.
pub async fn at_server(session: &Session, account: AccountId) -> Result<Document, Fault> {
    match session.call(Request::RemoteFiles { account }, |_| ()).await? {
        Response::RemoteFiles(files) => {
            let count: usize = files.folders.iter().map(|folder| folder.files.len()).sum();
            let message = format!("{count} files on Hero's server.");
            Ok(Document::done(message, to_value(&files)?).with_text(text::remote_files(&files)))
        }
        _ => Err(unexpected()),
    }
}
