//! An export as settings that are not saved yet would make it.

use std::{io, sync::Arc};

use chrono::{DateTime, NaiveDate, Utc};
use rosterbridge_domain::{
    dated_path::{DatedPath, folder_and_name},
    job::{AccountId, JobId},
    settings::{AccountLevel, Destination, ExportJob, ExportKind, HeroAccount, Setup},
};
use rosterbridge_hero::fields::{self, Field, KnownField, ScheduleField, StudentField, TeacherField};
use rosterbridge_store::Roster;
use tokio_util::sync::CancellationToken;

use super::{
    problems::{HeroProblem, problems},
    row_problems::counts,
    schools::too_many_schools,
};
use crate::{
    engine::{Engine, blocking},
    error::{EngineError, sentence},
    exports::{Export, IMPORTS, Measured},
    report::{Cause, ExportField, ExportPreview, ExportRows},
    tally::Tally,
};

impl Engine {
    /// An export as these settings would make it, from the last roster pull. Nothing is sent or saved.
    pub async fn export_preview(
        &self,
        account: AccountId,
        kind: ExportKind,
        settings: ExportJob,
        rows: bool,
        now: DateTime<Utc>,
    ) -> Result<ExportPreview, EngineError> {
        let job = JobId::new(kind.job(), account);
        let mut setup = self.setup().await?;
        let found = setup.hero.accounts.iter_mut().find(|found| found.id == account);
        let tried = found.ok_or(EngineError::NoSuchJob(job))?;
        match kind {
            ExportKind::Students => tried.students = settings,
            ExportKind::Schedule => tried.schedule = settings,
            ExportKind::Teachers => tried.teachers = settings,
        }
        let tried = tried.clone();
        let roster = self.roster().await?;
        let of_job = setup.jobs.iter().find(|of| of.job == job).and_then(|of| of.schedule);
        let of_any = || setup.jobs.iter().find_map(|of| of.schedule);
        let zone = of_job.or_else(of_any).map_or(chrono_tz::UTC, |schedule| schedule.zone);
        let day = self.summers(&setup, roster.as_ref()).await?.today(now, zone);
        let wrong = problems(&setup);
        let wrong: Vec<Cause> =
            wrong.iter().filter(|problem| problem.concerns(job)).map(HeroProblem::cause).collect();
        let mut preview = beginning(&tried, kind, day);
        preview.problems = wrong;
        if kind == ExportKind::Students {
            let known = self.known_schools().await?;
            preview.notes.extend(too_many_schools(&setup.hero, &tried, &known));
        }
        if let Some(roster) = roster.filter(|_| rows && preview.problems.is_empty()) {
            preview.rows = rows_of(job, setup, roster, day).await?;
        }
        Ok(preview)
    }
}

/// The file as it would be; `None` where PowerSchool alone can make it.
async fn rows_of(
    job: JobId,
    setup: Setup,
    roster: Arc<Roster>,
    day: NaiveDate,
) -> Result<Option<ExportRows>, EngineError> {
    let Ok(export) = Export::of(job, &setup, day) else { return Ok(None) };
    blocking(move || {
        let mut out = Measured::new(io::sink());
        let written = export
            .write(&roster, &CancellationToken::new(), &mut Tally::default(), &mut out)
            .map_err(|error| EngineError::Export { job, source: error.into() })?;
        let (bytes, _) = out.finish();
        let problems = counts(&written.problems);
        let read_at = roster.meta().pulled_at;
        Ok(Some(ExportRows { first: written.first, total: written.rows, bytes, problems, read_at }))
    })
    .await
}

/// What can be said of an export without its rows.
fn beginning(account: &HeroAccount, kind: ExportKind, day: NaiveDate) -> ExportPreview {
    let settings = account.export(kind);
    let mut notes = Vec::new();
    let columns = match kind {
        ExportKind::Students => students(account, settings, &mut notes),
        ExportKind::Schedule => columns::<ScheduleField>(settings, &mut notes),
        ExportKind::Teachers => columns::<TeacherField>(settings, &mut notes),
    };
    let (folder, _) = folder_and_name(&settings.path);
    if settings.destination == Destination::Connection && folder != IMPORTS {
        notes.push(
            "Hero takes files from the folder imports: one that is sent elsewhere is not taken.".to_owned(),
        );
    }
    ExportPreview {
        path: DatedPath::preview(&settings.path, day).ok(),
        day,
        problems: Vec::new(),
        notes,
        columns,
        known: fields::known_fields(kind).iter().map(ExportField::from).collect(),
        rows: None,
    }
}

fn columns<F: Field>(settings: &ExportJob, notes: &mut Vec<String>) -> Vec<ExportField> {
    let Ok(list) = fields::parse::<F>(&settings.fields) else { return Vec::new() };
    lacking(list.lacking(), notes);
    named(list.fields().iter().map(|field| field.known()), list.names())
}

/// A group's file begins with the school.
fn students(account: &HeroAccount, settings: &ExportJob, notes: &mut Vec<String>) -> Vec<ExportField> {
    let Ok(list) = fields::parse::<StudentField>(&settings.fields) else { return Vec::new() };
    lacking(list.lacking(), notes);
    let of_settings = list.names().len();
    let list = list.for_level(account.level);
    if account.level == AccountLevel::Group && list.names().len() > of_settings {
        notes.push("For a group's account SchoolID is put in front of the fields.".to_owned());
    }
    named(list.fields().iter().map(|field| field.known()), list.names())
}

fn lacking(lacking: impl Iterator<Item = &'static KnownField>, notes: &mut Vec<String>) {
    notes
        .extend(lacking.map(|field| format!("Hero requires {}, and the list does not have it.", field.name)));
}

/// The columns under the names they were given.
fn named<'a>(known: impl Iterator<Item = &'a KnownField>, names: &[String]) -> Vec<ExportField> {
    let columns = known.zip(names);
    columns.map(|(known, name)| ExportField { name: name.clone(), ..ExportField::from(known) }).collect()
}

impl From<&KnownField> for ExportField {
    fn from(known: &KnownField) -> Self {
        Self {
            name: known.name.to_owned(),
            column: known.column.to_owned(),
            meaning: known.meaning.to_owned(),
            limit: known.limit.and_then(|limit| u32::try_from(limit).ok()),
            required: known.required,
        }
    }
}

impl HeroProblem {
    /// Whether it is about a job.
    fn concerns(&self, wanted: JobId) -> bool {
        match self {
            Self::Field { job, .. }
            | Self::Order { job, .. }
            | Self::Path { job, .. }
            | Self::NoFolder(job)
            | Self::MacRoman(job) => *job == wanted,
            Self::SameFile { first, second, .. } | Self::SameFileOn { first, second, .. } => {
                *first == wanted || *second == wanted
            }
            _ => false,
        }
    }

    /// Code, message and remedy.
    fn cause(&self) -> Cause {
        let whole = EngineError::HeroSettings(vec![self.clone()]);
        let (code, message, remedy) = match self {
            Self::Field { error, .. } => (error.code(), error.to_string(), error.remedy().to_owned()),
            Self::Path { error, .. } => (error.code(), error.to_string(), error.remedy().to_owned()),
            Self::Order { error, .. } => (error.code(), error.to_string(), error.remedy().to_owned()),
            _ => (whole.code(), self.to_string(), whole.remedy()),
        };
        Cause { code: code.to_owned(), message: sentence(&message), remedy }
    }
}

#[cfg(test)]
mod tests {
    use rosterbridge_domain::settings::Owner;

    use super::*;

    const DAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 9, 7).unwrap();

    fn causes(setup: &Setup, job: JobId) -> Vec<(String, String)> {
        let problems = problems(setup);
        let causes = problems.iter().filter(|problem| problem.concerns(job)).map(HeroProblem::cause);
        causes.map(|cause| (cause.code, cause.message)).collect()
    }

    #[test]
    fn paths_columns_and_what_hero_requires_are_told() {
        let mut account = HeroAccount::default();
        account.students.path = "STUDENT_%Y%m%d.TXT".to_owned();
        account.students.fields.retain(|field| field != "Grade_Level");
        account.level = AccountLevel::Group;
        let preview = beginning(&account, ExportKind::Students, DAY);
        assert_eq!(preview.path.as_deref(), Some("STUDENT_20260907.TXT"));
        let columns: Vec<&str> = preview.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!((columns.len(), columns[0], columns[1]), (12, "SchoolID", "Student_Number"));
        let notes = preview.notes.join(" ");
        assert!(
            notes.contains("Grade_Level") && notes.contains("SchoolID") && notes.contains("imports"),
            "{notes}"
        );
        let usual = beginning(&HeroAccount::default(), ExportKind::Teachers, DAY);
        assert_eq!(
            (usual.notes.len(), usual.columns.len(), usual.path.as_deref()),
            (0, 7, Some("imports/TEACHER.txt"))
        );
    }

    #[test]
    fn what_is_wrong_with_the_job_is_told_and_nothing_else() {
        let mut setup = Setup::default();
        let account = &mut setup.hero.accounts[0];
        account.students.fields.push("Lunch_Balance_7".to_owned());
        account.students.path = "imports/MY STUDENTS.TXT".to_owned();
        account.schedule.path = String::new();
        let codes: Vec<String> =
            causes(&setup, JobId::HERO_STUDENTS).into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes, ["hero.field_unknown", "hero.path_space"]);
        assert_eq!(causes(&setup, JobId::HERO_TEACHERS), []);
    }

    #[test]
    fn powerschool_may_send_fields_that_are_not_read_here() {
        let mut setup = Setup::default();
        setup.hero.accounts[0].students.fields.push("Gender".to_owned());
        let code = |setup: &Setup| causes(setup, JobId::HERO_STUDENTS).first().map(|cause| cause.0.clone());
        assert_eq!(code(&setup).as_deref(), Some("hero.field_only_from_powerschool"));
        setup.hero.accounts[0].students.owner = Owner::PowerSchool;
        assert_eq!(code(&setup), None);
    }
}
