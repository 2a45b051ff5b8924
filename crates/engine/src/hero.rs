//! Hero's jobs: the three exports out, the attendance export in.

use std::{io, sync::Arc};

use chrono::{DateTime, Utc};
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{
    attendance::Source,
    job::{FileReceipt, Job},
    settings::Setup,
};
use rosterbridge_hero::{ExportLayout, ImportLayout, Written, read_attendance};
use rosterbridge_sftp::{RemoteFile, RemoteFolder, Session};
use rosterbridge_store::{Roster, ledger::RunId};
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    attendance::{PlannedInput, SourceRow},
    decide::{District, Stop},
    engine::{Engine, blocking},
    error::EngineError,
    exports::{self, EXPORT, Export, ExportError, IMPORTS, Kept, Measured},
    guard::OutgoingFile,
    report::FileSample,
    school_year::YearsInSight,
    tally::{Schools, Tally},
    unchanged::{self, Made, MadeBefore, Sending},
};

/// A file to be sent to Hero. Not `Debug`: it may hold the file, and that is the students'.
#[derive(Serialize)]
pub(crate) struct ExportPlan {
    pub(crate) job: Job,
    pub(crate) receipt: FileReceipt,
    pub(crate) notes: Vec<String>,
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
    pub(crate) job: Job,
    plan: JoinHandle<Result<ExportPlan, EngineError>>,
    cancel: CancellationToken,
    _end: DropGuard,
}

impl Composing {
    /// Starts putting the file of an export job together.
    pub(crate) fn start(job: Job, setup: &Setup, roster: &Arc<Roster>, cancel: &CancellationToken) -> Self {
        let (roster, hero, summer) = (Arc::clone(roster), setup.hero.clone(), setup.summer);
        let cancel = cancel.child_token();
        let stop = cancel.clone();
        let plan = tokio::task::spawn_blocking(move || {
            let mut out = Measured::new(Kept::new());
            let mut tally = Tally::default();
            let layout = ExportLayout::default();
            let export = Export { job, roster: &roster, settings: &hero, summer, layout, cancel: &stop };
            let written = export.write(&mut tally, &mut out).map_err(|error| match error {
                ExportError::Cancelled => EngineError::Cancelled,
                error => EngineError::Export { job, source: error.into() },
            })?;
            let (bytes, sha256, kept) = out.into_parts();
            let name = format!("{IMPORTS}/{}", exports::file_name(job).unwrap_or_default());
            let receipt = FileReceipt { name, rows: written.rows, bytes, sha256 };
            let content = kept.into_pieces().map(Arc::new);
            let notes = notes(&written);
            let sample = FileSample::new(&receipt.name, exports::columns(job), written.first);
            Ok(ExportPlan { job, receipt, notes, schools: tally.finish(), content, sample })
        });
        Self { job, plan, _end: cancel.clone().drop_guard(), cancel }
    }
}

impl ExportPlan {
    fn made(&self, from: Option<String>) -> Option<Made> {
        let files = vec![self.receipt.clone()];
        Some(Made { from: from?, files, notes: self.notes.clone(), rows: self.receipt.rows })
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
        job: Job,
        (made, schools): MadeBefore,
        years: &YearsInSight,
    ) -> Result<ExportPlan, EngineError> {
        let (receipt, schools) = made.files.into_iter().zip(schools).next().ok_or_else(|| {
            EngineError::NotAsPlanned(exports::file_name(job).unwrap_or_default().to_owned())
        })?;
        let file = OutgoingFile::whole(&receipt, &schools);
        self.refuse_large_changes(job, &[file], years).await?;
        pass(CrashPoint::ExportPlanned);
        let sample = FileSample::new(&receipt.name, exports::columns(job), Vec::new());
        Ok(ExportPlan { job, receipt, notes: made.notes, schools, content: None, sample })
    }

    /// Sends the planned file: what the plan kept of it, or streamed from the roster. Where the server still has it as it
    /// was sent earlier in the day, it is not sent; the answer is when it was.
    pub(crate) async fn apply_export(
        &self,
        plan: &ExportPlan,
        sending: Sending<'_>,
        session: &Session,
    ) -> Result<Option<DateTime<Utc>>, EngineError> {
        let Sending { setup, roster, run, now, zone, cancel } = sending;
        let made_from = unchanged::made_from(plan.job, roster, setup, None);
        let (roster, hero, job) = (Arc::clone(roster), setup.hero.clone(), plan.job);
        let (summer, cancel) = (setup.summer, cancel.clone());
        let content = plan.content.clone();
        let file = RemoteFile::parse(&plan.receipt.name)?;
        session.require_folder(&RemoteFolder::parse(IMPORTS)?).await?;
        let sent_today = self.sent_today(job, std::slice::from_ref(&plan.receipt), now, zone).await?;
        if let Some(sent_at) = sent_today
            && self.still_at_hero(&plan.receipt, &hero, session).await?
        {
            // What was stopped in between is not what is there, nor what is planned.
            self.forget_stop(job, &plan.receipt.name).await?;
            self.remember_made(job, plan.made(made_from)).await?;
            return Ok(Some(sent_at));
        }
        let uploaded = session
            .upload(&file, move |out| {
                if let Some(content) = content {
                    return content.iter().try_for_each(|piece| out.write_all(piece));
                }
                let layout = ExportLayout::default();
                let export =
                    Export { job, roster: &roster, settings: &hero, summer, layout, cancel: &cancel };
                export.write(&mut Tally::default(), out).map(|_| ()).map_err(io::Error::from)
            })
            .await?;
        if uploaded.sha256 != plan.receipt.sha256 {
            return Err(EngineError::NotAsPlanned(plan.receipt.name.clone()));
        }
        pass(CrashPoint::UploadUnrecorded);
        self.record_upload(run, job, plan.receipt.clone(), plan.schools.clone()).await?;
        pass(CrashPoint::UploadRecorded);
        self.remember_at_hero(&plan.receipt, &setup.hero, session).await?;
        self.remember_made(job, plan.made(made_from)).await?;
        Ok(None)
    }

    /// Fetches Hero's attendance export and looks every row up. `None` when there is none yet.
    pub(crate) async fn fetch_attendance(
        &self,
        setup: &Setup,
        roster: &Arc<Roster>,
        zone: chrono_tz::Tz,
        session: &Session,
    ) -> Result<Option<(PlannedInput, Vec<SourceRow>)>, EngineError> {
        let folder = RemoteFolder::parse(EXPORT)?;
        let file = folder.file(&setup.hero.attendance_file)?;
        session.require_folder(&folder).await?;
        if !session.exists(&file).await? {
            return Ok(None);
        }
        let (reader, writer) = io::pipe().map_err(|source| EngineError::Pipe { source })?;
        let (roster, rules) = (Arc::clone(roster), setup.clone());
        let looking_up = blocking(move || {
            let mut district = District::new(&roster, &rules, zone)?;
            let mut rows = Vec::new();
            for row in read_attendance(reader, ImportLayout::default())? {
                let row = row?;
                rows.push(SourceRow {
                    input: 0,
                    line: row.line,
                    raw: row.raw,
                    student_number: row.parsed.as_ref().ok().map(|parsed| parsed.student),
                    happened: None,
                    wanted: match &row.parsed {
                        Ok(parsed) => district.hero(parsed),
                        Err(error) => Err(Stop::Reject(error.to_string())),
                    },
                });
            }
            Ok(rows)
        });
        let downloading = async {
            // The reader sees the end only when the writer is gone.
            session.download(&file, writer).await.map(|(downloaded, _writer)| downloaded)
        };
        let (downloaded, rows) = tokio::join!(downloading, looking_up);
        // Half a file may look like a bad one.
        if let Err(rosterbridge_sftp::Error::Cancelled) = downloaded {
            return Err(EngineError::Cancelled);
        }
        // A file that is refused breaks off its download: the refusal is the cause.
        let rows = rows?;
        let downloaded = downloaded?;
        pass(CrashPoint::ImportFetched);
        let input = PlannedInput {
            name: format!("{EXPORT}/{}", setup.hero.attendance_file),
            rows: 0,
            bytes: downloaded.bytes,
            sha256: downloaded.sha256,
            decisions: Vec::new(),
        };
        Ok(Some((input, rows)))
    }

    /// Remembers what the other side has.
    pub(crate) async fn record_upload(
        &self,
        run: RunId,
        job: Job,
        receipt: FileReceipt,
        schools: Schools,
    ) -> Result<(), EngineError> {
        let (name, now) = (receipt.name.clone(), Utc::now());
        self.ledger(move |ledger| ledger.record_upload_by_school(run, job, &receipt, &schools, now)).await?;
        self.forget_stop(job, &name).await
    }
}

/// The name under which Hero's rows are decided.
pub(crate) const SOURCE: Source = Source::Hero;

/// What a person should know about a file, in sentences. No values: rows and fields only.
fn notes(written: &Written) -> Vec<String> {
    let mut notes = Vec::new();
    if written.altered_values > 0 {
        notes.push(format!(
            "{} values had a tab, a line break or a character the file can't hold, which was replaced.",
            written.altered_values
        ));
    }
    notes.extend(written.warnings.iter().take(5).map(|warning| crate::error::sentence(&warning.to_string())));
    let listed = written.warnings.len().min(5) as u64;
    if written.warnings_total > listed {
        notes.push(format!("{} more values need a look.", written.warnings_total - listed));
    }
    notes
}
