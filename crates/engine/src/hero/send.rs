//! The three exports, out.

use std::{io::Write, path::Path, sync::Arc};

use chrono::{DateTime, Utc};
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{
    dated_path::folder_and_name,
    job::{FileReceipt, JobId},
    settings::{Destination, Setup},
};
use rosterbridge_hero::{ProblemCounts, Subject, Written};
use rosterbridge_sftp::{RemoteFile, Session};
use rosterbridge_store::{
    Roster,
    ledger::{ExportProblem, RunId},
};
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::local;
use crate::{
    engine::{Engine, blocking},
    error::EngineError,
    exports::{Export, ExportError, Kept, Measured},
    guard::OutgoingFile,
    report::FileSample,
    school_year::YearsInSight,
    tally::{Schools, Tally},
    unchanged::{self, Made, MadeBefore, Sending},
};

/// A file to be sent to Hero. Not `Debug`: it may hold the file, and that is the students'.
#[derive(Serialize)]
pub(crate) struct ExportPlan {
    pub(crate) job: JobId,
    /// Under the name the ledger knows it by: its path as it is configured.
    pub(crate) receipt: FileReceipt,
    pub(crate) notes: Vec<String>,
    /// The file as it is set up.
    #[serde(skip)]
    export: Export,
    /// What its rows should be looked at for; `None` where they were not put together this time.
    #[serde(skip)]
    problems: Option<Vec<ExportProblem>>,
    /// Its rows, school by school.
    #[serde(skip)]
    schools: Schools,
    /// The file itself, where it is small enough to keep.
    #[serde(skip)]
    content: Option<Arc<Vec<Vec<u8>>>>,
    /// Its first rows.
    #[serde(skip)]
    pub(crate) sample: FileSample,
}

/// One of the three files being put together aside, without writing it anywhere. Dropped, it ends.
pub(crate) struct Composing {
    pub(crate) job: JobId,
    plan: JoinHandle<Result<ExportPlan, EngineError>>,
    cancel: CancellationToken,
    _end: DropGuard,
}

impl Composing {
    /// Starts putting the file of an export job together.
    pub(crate) fn start(
        job: JobId,
        setup: &Setup,
        roster: &Arc<Roster>,
        cancel: &CancellationToken,
    ) -> Result<Self, EngineError> {
        let export = Export::of(job, setup, roster.meta().today)?;
        let roster = Arc::clone(roster);
        let cancel = cancel.child_token();
        let stop = cancel.clone();
        let plan = tokio::task::spawn_blocking(move || {
            let mut out = Measured::new(Kept::new());
            let mut tally = Tally::default();
            let written =
                export.write(&roster, &stop, &mut tally, &mut out).map_err(|error| match error {
                    ExportError::Cancelled => EngineError::Cancelled,
                    error => EngineError::Export { job, source: error.into() },
                })?;
            let (bytes, sha256, kept) = out.into_parts();
            let receipt = FileReceipt { name: export.slot.clone(), rows: written.rows, bytes, sha256 };
            let content = kept.into_pieces().map(Arc::new);
            let problems = Some(problems(&written));
            let too_many_schools = export
                .too_many_schools(&roster)
                .map_err(|error| EngineError::Export { job, source: ExportError::from(error).into() })?;
            let notes = too_many_schools.into_iter().chain(notes(&written)).collect();
            let sample = FileSample::new(&export.sent_as(), export.columns(), written.first);
            let schools = tally.finish();
            Ok(ExportPlan { job, receipt, notes, export, problems, schools, content, sample })
        });
        Ok(Self { job, plan, _end: cancel.clone().drop_guard(), cancel })
    }
}

impl ExportPlan {
    fn made(&self, from: Option<String>) -> Option<Made> {
        let files = vec![self.receipt.clone()];
        Some(Made { from: from?, files, notes: self.notes.clone(), rows: self.receipt.rows })
    }

    /// Whether the file goes over the account's connection.
    pub(crate) fn leaves(&self) -> bool {
        self.export.destination == Destination::Connection
    }

    /// The file under the name it is sent under.
    pub(crate) fn sent(&self) -> FileReceipt {
        FileReceipt { name: self.export.sent_as(), ..self.receipt.clone() }
    }
}

impl Engine {
    /// Works out one of the three files: what it would hold.
    pub(crate) async fn plan_export(
        &self,
        mut composing: Composing,
        years: &YearsInSight,
    ) -> Result<ExportPlan, EngineError> {
        // It only reads: where it is, it may come to its own end.
        let planned = composing.cancel.run_until_cancelled(&mut composing.plan).await;
        let plan = planned.ok_or(EngineError::Cancelled)???;
        let file = OutgoingFile::whole(&plan.receipt, &plan.schools);
        self.refuse_large_changes(plan.job, &[file], years).await?;
        pass(CrashPoint::ExportPlanned);
        Ok(plan)
    }

    /// Plans a file that is made from the same as the last one.
    pub(crate) async fn plan_made_export(
        &self,
        job: JobId,
        setup: &Setup,
        roster: &Roster,
        (made, schools): MadeBefore,
        years: &YearsInSight,
    ) -> Result<ExportPlan, EngineError> {
        let export = Export::of(job, setup, roster.meta().today)?;
        let (receipt, schools) = made
            .files
            .into_iter()
            .zip(schools)
            .next()
            .ok_or_else(|| EngineError::NotAsPlanned(export.sent_as()))?;
        let file = OutgoingFile::whole(&receipt, &schools);
        self.refuse_large_changes(job, &[file], years).await?;
        pass(CrashPoint::ExportPlanned);
        let sample = FileSample::new(&export.sent_as(), export.columns(), Vec::new());
        let notes = made.notes;
        Ok(ExportPlan { job, receipt, notes, export, problems: None, schools, content: None, sample })
    }

    /// Sends the planned file: what the plan kept of it, or streamed from the roster. Where the other side still has it as
    /// it was sent earlier in the day, it is not sent; the answer is when it was. `session` is the account's connection,
    /// where the file goes over it.
    pub(crate) async fn apply_export(
        &self,
        plan: ExportPlan,
        sending: Sending<'_>,
        session: Option<&Session>,
    ) -> Result<Option<DateTime<Utc>>, EngineError> {
        let Sending { setup, roster, run, now, zone, cancel } = sending;
        let job = plan.job;
        let made = plan.made(unchanged::made_from(job, roster, setup, None));
        let place = Place::of(setup, &plan, session)?;
        if let Place::Server { session, file, .. } = &place {
            session.require_folder(file.folder()).await?;
        }
        self.look_for_other_export(job, &plan.receipt.name, setup, &place, now).await?;
        let sent_today = self.sent_today(job, std::slice::from_ref(&plan.receipt), now, zone).await?;
        if let Some(sent_at) = sent_today.filter(|_| plan.export.skip_unchanged)
            && self.still_at_place(job, &plan.receipt, &place).await?
        {
            // What was stopped in between is not what is there, nor what is planned.
            self.forget_stop(job, &plan.receipt.name).await?;
            self.remember_made(job, made).await?;
            return Ok(Some(sent_at));
        }
        let (content, export, problems) = (plan.content, plan.export, plan.problems);
        let (roster, stopped) = (Arc::clone(roster), cancel);
        let cancel = cancel.clone();
        self.forget_there(job, &plan.receipt.name).await?;
        let write = move |out: &mut dyn Write| match &content {
            Some(content) => content.iter().try_for_each(|piece| out.write_all(piece)),
            None => Ok(export.write(&roster, &cancel, &mut Tally::default(), out).map(drop)?),
        };
        match &place {
            Place::Server { session, file, .. } => {
                session.upload_planned(file, &plan.receipt.sha256, write).await?;
            }
            Place::Folder { folder, name } => {
                let (folder, name, sha256) = (folder.clone(), name.clone(), plan.receipt.sha256.clone());
                let written = blocking(move || local::write(&folder, &name, &sha256, write)).await;
                // What was stopped while it was written did not fail.
                if stopped.is_cancelled() {
                    written.map_err(|_| EngineError::Cancelled)?;
                } else {
                    written?;
                }
            }
        }
        pass(CrashPoint::UploadUnrecorded);
        self.record_upload(run, job, plan.receipt.clone(), plan.schools).await?;
        pass(CrashPoint::UploadRecorded);
        if let Some(problems) = problems {
            self.ledger(move |ledger| ledger.keep_export_problems(job, &problems)).await?;
        }
        self.remember_there(job, &plan.receipt, &place).await?;
        self.remember_made(job, made).await?;
        Ok(None)
    }

    /// Remembers what the other side has.
    async fn record_upload(
        &self,
        run: RunId,
        job: JobId,
        receipt: FileReceipt,
        schools: Schools,
    ) -> Result<(), EngineError> {
        let (name, now) = (receipt.name.clone(), Utc::now());
        self.ledger(move |ledger| ledger.record_upload_by_school(run, job, &receipt, &schools, now)).await?;
        self.forget_stop(job, &name).await
    }
}

/// Where a file goes.
pub(crate) enum Place<'a> {
    /// A server. The account is told by whom, where and as what the file is there.
    Server { session: &'a Session, file: RemoteFile, account: String },
    /// A folder of this computer or its network.
    Folder { folder: String, name: String },
}

impl<'a> Place<'a> {
    fn of(setup: &Setup, plan: &ExportPlan, session: Option<&'a Session>) -> Result<Self, EngineError> {
        match (&plan.export.destination, session) {
            (Destination::Folder { folder }, _) => {
                let (_, name) = folder_and_name(&plan.export.path);
                Ok(Self::Folder { folder: folder.clone(), name: name.to_owned() })
            }
            (Destination::Connection, Some(session)) => {
                let id = setup.hero.account(plan.job.account()).map(|account| account.connection);
                let connection = id.and_then(|id| setup.connection(id));
                let account = connection.map_or_else(String::new, |connection| {
                    format!("{}@{}:{}", connection.username, connection.host, connection.port)
                });
                Ok(Self::Server { session, file: RemoteFile::parse(&plan.export.path)?, account })
            }
            (Destination::Connection, None) => Err(EngineError::NoSuchJob(plan.job)),
        }
    }

    /// Folder and name of the file on the day, as a person calls it there.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Server { file, .. } => file.to_string(),
            Self::Folder { name, .. } => name.clone(),
        }
    }

    /// The name of the place, and what it has under the file's name: size and last change, seconds since 1970.
    pub(crate) async fn look(&self) -> Result<(&str, Option<(u64, u64)>), EngineError> {
        let seconds = |at: std::time::SystemTime| at.duration_since(std::time::UNIX_EPOCH).ok();
        Ok(match self {
            Self::Server { session, file, account } => {
                let found = session.stat(file).await?;
                let modified = found.as_ref().and_then(|found| seconds(found.modified?));
                (account, found.and_then(|found| Some((found.size, modified?.as_secs()))))
            }
            Self::Folder { folder, name } => {
                let path = Path::new(folder).join(name);
                let found = blocking(move || Ok(local::look(path))).await?;
                let modified = found.as_ref().and_then(|found| seconds(found.modified().ok()?));
                (folder, found.and_then(|found| Some((found.len(), modified?.as_secs()))))
            }
        })
    }
}

/// What a person should look at, for the ledger.
fn problems(written: &Written) -> Vec<ExportProblem> {
    let of = |problem: &rosterbridge_hero::Problem| {
        let (found, accepted) = problem.kind.measures();
        ExportProblem {
            row: problem.row.unwrap_or_default(),
            number: match &problem.subject {
                Subject::Student(number) => number.to_string(),
                Subject::Teacher(number) => number.clone(),
            },
            field: problem.field.unwrap_or_default().to_owned(),
            kind: problem.kind.code().to_owned(),
            found,
            accepted,
        }
    };
    written.problems.listed.iter().map(of).collect()
}

/// What a person should know about a file, in sentences. No values: rows and fields only.
fn notes(written: &Written) -> Vec<String> {
    const EXAMPLES: usize = 5;
    let mut notes = Vec::new();
    if written.altered_values > 0 {
        let values = match written.altered_values {
            1 => "1 value stands".to_owned(),
            more => format!("{more} values stand"),
        };
        notes.push(format!(
            "{values} in the file otherwise than in PowerSchool: a tab, a line break or a character the file can't \
             hold was replaced, or a long value was shortened."
        ));
    }
    let listed = written.problems.listed.iter().take(EXAMPLES);
    notes.extend(listed.map(|problem| crate::error::sentence(&problem.to_string())));
    let told = written.problems.listed.len().min(EXAMPLES) as u64;
    let total = ProblemCounts::total(written.problems.counts);
    if total > told {
        notes.push(match total - told {
            1 => "1 more row or value needs a look.".to_owned(),
            more => format!("{more} more rows or values need a look."),
        });
    }
    notes
}
