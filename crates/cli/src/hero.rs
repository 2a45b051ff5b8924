//! `hero`: the exchange with Hero.

mod accounts;
mod files;
mod text;

use std::path::{Path, PathBuf};

use rosterbridge_api::{Fault, Request, Response, Session, domain::job::AccountId, report::Sheet};

use crate::{
    answer::{to_value, unexpected},
    args::{Hero, WriteFaculty},
    connections,
    document::Document,
    files::file_fault,
    watch,
};

/// Carries out a command about the exchange with Hero.
pub async fn carry_out(session: &Session, hero: Hero) -> Result<Document, Fault> {
    match hero {
        Hero::Ownership(ownership) => connections::own(session, ownership).await,
        Hero::Accounts(command) => accounts::carry_out(session, command).await,
        Hero::Watch { of } => watch::look(session, of.account).await,
        Hero::Sheet { of, screen } => sheet(session, of.account, screen.as_deref()).await,
        Hero::Tick { row, of, off } => tick(session, of.account, row, !off).await,
        Hero::Timeline { of } => timeline(session, of.account).await,
        Hero::Preview { job } => files::preview(session, job).await,
        Hero::Problems { job, csv, force } => files::problems(session, job, csv.as_deref(), force).await,
        Hero::Files { of } => files::at_server(session, of.account).await,
        Hero::Faculty(faculty) => write_faculty(session, faculty).await,
    }
}

async fn sheet(session: &Session, account: AccountId, screen: Option<&str>) -> Result<Document, Fault> {
    let Response::Sheet(mut sheet) = session.call(Request::Sheet { account }, |_| ()).await? else {
        return Err(unexpected());
    };
    if let Some(wanted) = screen {
        let known: Vec<String> = sheet.screens.iter().map(|screen| screen.key.clone()).collect();
        sheet.screens.retain(|screen| screen.key == wanted);
        if sheet.screens.is_empty() {
            return Ok(Document::wrong_usage(format!(
                "There is no screen '{wanted}'. The screens are: {}.",
                known.join(", ")
            )));
        }
    }
    document(&sheet)
}

async fn tick(session: &Session, account: AccountId, row: String, on: bool) -> Result<Document, Fault> {
    match session.call(Request::TickSheet { account, row, on }, |_| ()).await? {
        Response::Sheet(sheet) => Ok(Document::done(text::ticked(&sheet), to_value(&sheet)?)),
        _ => Err(unexpected()),
    }
}

fn document(sheet: &Sheet) -> Result<Document, Fault> {
    Ok(Document::done(text::ticked(sheet), to_value(sheet)?).with_text(text::sheet(sheet)))
}

async fn timeline(session: &Session, account: AccountId) -> Result<Document, Fault> {
    match session.call(Request::Timeline { account }, |_| ()).await? {
        Response::Timeline(timeline) => {
            let message = match timeline.warnings.len() {
                0 => "The order of the day is sound.".to_owned(),
                1 => "One thing in the order of the day does not fit.".to_owned(),
                several => format!("{several} things in the order of the day don't fit."),
            };
            Ok(Document::done(message, to_value(&timeline)?).with_text(text::timeline(&timeline)))
        }
        _ => Err(unexpected()),
    }
}

async fn write_faculty(session: &Session, faculty: WriteFaculty) -> Result<Document, Fault> {
    let WriteFaculty { file, role, account_type, of, force } = faculty;
    let file = absolute(&file)?;
    let request = Request::FacultyFile { account: of.account, role, account_type, file, overwrite: force };
    match session.call(request, |_| ()).await? {
        Response::FacultyFile(written) => {
            let mut message = format!(
                "Wrote {} with {} rows. It holds names: delete it when Hero has it.",
                written.file, written.rows
            );
            for note in &written.notes {
                message.push(' ');
                message.push_str(note);
            }
            Ok(Document::done(message, to_value(&written)?))
        }
        _ => Err(unexpected()),
    }
}

/// A path that means the same to the process that writes it, which may work in another folder.
fn absolute(file: &Path) -> Result<String, Fault> {
    let absolute: PathBuf = std::path::absolute(file).map_err(|error| file_fault("write", file, &error))?;
    let invalid = || file_fault("write", file, &std::io::Error::from(std::io::ErrorKind::InvalidFilename));
    absolute.to_str().map(str::to_owned).ok_or_else(invalid)
}
