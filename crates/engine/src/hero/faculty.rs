//! Hero's file for creating the staff's accounts, which a Hero administrator imports once by hand.

use std::path::Path;

use rosterbridge_domain::{
    job::{AccountId, Job, JobId},
    settings::Setup,
};
use rosterbridge_hero::FacultyFile;
use rosterbridge_store::Roster;
use tempfile::NamedTempFile;

use super::row_problems::counts;
use crate::{
    engine::{Engine, blocking},
    error::EngineError,
    report::FacultyFileView,
    support_bundle::{place, refuse_existing},
};

/// TEACHERS.STATUS of somebody who is there.
const CURRENT: i64 = 1;

/// Whom the file is for, and what everybody gets in Hero.
struct Wanted {
    account: AccountId,
    role: String,
    account_type: String,
}

impl Engine {
    /// Writes the file of an account's current staff to `file`, which must be an absolute path, for its owner only. A file
    /// that is there is replaced only when `overwrite` says so.
    pub async fn faculty_file(
        &self,
        account: AccountId,
        role: String,
        account_type: String,
        file: &Path,
        overwrite: bool,
    ) -> Result<FacultyFileView, EngineError> {
        refuse_existing(file, overwrite)?;
        let setup = self.setup().await?;
        let Some(roster) = self.roster().await? else {
            return Err(EngineError::NotSetUp("PowerSchool's roster has not been read yet"));
        };
        let wanted = Wanted { account, role, account_type };
        let file = file.to_owned();
        blocking(move || write(&setup, &roster, &wanted, &file, overwrite)).await
    }
}

fn write(
    setup: &Setup,
    roster: &Roster,
    wanted: &Wanted,
    file: &Path,
    overwrite: bool,
) -> Result<FacultyFileView, EngineError> {
    let job = JobId::new(Job::HeroTeachers, wanted.account);
    let account = setup.hero.account(wanted.account).ok_or(EngineError::NoSuchJob(job))?;
    let mut teachers = roster.teachers()?;
    teachers.retain(|teacher| setup.hero.takes(account, teacher.school));
    let all = teachers.len();
    teachers.retain(|teacher| teacher.status == CURRENT);
    let left = all - teachers.len();
    teachers.sort_by(|a, b| (a.school, &a.number, a.id).cmp(&(b.school, &b.number, b.id)));
    let without_email = teachers.iter().filter(|teacher| teacher.email.trim().is_empty()).count();

    let failed = |source| EngineError::io("write", file, source);
    let export = |source: rosterbridge_hero::WriteError| EngineError::Export { job, source: into_io(source) };
    let folder = file.parent().unwrap_or(file);
    let mut partial = NamedTempFile::new_in(folder).map_err(failed)?;
    let (role, account_type) = (wanted.role.trim(), wanted.account_type.trim());
    let mut out = FacultyFile::new(partial.as_file_mut(), role, account_type, 0);
    for teacher in &teachers {
        out.write(teacher).map_err(export)?;
    }
    let (_, written) = out.finish().map_err(export)?;
    let bytes = place(partial, file, overwrite)?;

    let mut notes = Vec::new();
    if left > 0 {
        notes.push(format!("{left} who are no longer there by PowerSchool were left out."));
    }
    if without_email > 0 {
        notes.push(format!("{without_email} have no e-mail address in PowerSchool: Hero can't invite them."));
    }
    if role.is_empty() || account_type.is_empty() {
        notes.push("The columns Role or Type are empty: fill them in before importing the file.".to_owned());
    }
    notes
        .extend(counts(&written.problems).iter().map(|count| format!("{}: {}.", count.meaning, count.count)));
    Ok(FacultyFileView { file: file.display().to_string(), rows: written.rows, bytes, notes })
}

fn into_io(error: rosterbridge_hero::WriteError) -> std::io::Error {
    match error {
        rosterbridge_hero::WriteError::Io(error) => error,
    }
}
