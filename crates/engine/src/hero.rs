//! Hero's jobs: the three exports out, the attendance export in.

use std::{io, sync::Arc};

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

use crate::{
    attendance::{PlannedInput, SourceRow},
    decide::{District, Stop},
    engine::{Engine, blocking},
    error::EngineError,
    exports::{self, EXPORT, IMPORTS, Kept, Measured},
    guard::OutgoingFile,
    school_year::YearsInSight,
    tally::{Schools, Tally},
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
    content: Option<Arc<Vec<u8>>>,
}

/// One of the three files being put together aside, without writing it anywhere.
pub(crate) struct Composing {
    pub(crate) job: Job,
    plan: JoinHandle<Result<ExportPlan, EngineError>>,
}

impl Composing {
    /// Starts putting the file of an export job together.
    pub(crate) fn start(job: Job, setup: &Setup, roster: &Arc<Roster>) -> Self {
        let (roster, hero, summer) = (Arc::clone(roster), setup.hero.clone(), setup.summer);
        let plan = tokio::task::spawn_blocking(move || {
            let mut out = Measured::new(Kept::new());
            let mut tally = Tally::default();
            let layout = ExportLayout::default();
            let written = exports::write(job, &roster, &hero, summer, layout, &mut tally, &mut out)
                .map_err(|error| EngineError::Export { job, source: error.into() })?;
            let (bytes, sha256, kept) = out.into_parts();
            let name = format!("{IMPORTS}/{}", exports::file_name(job).unwrap_or_default());
            let receipt = FileReceipt { name, rows: written.rows, bytes, sha256 };
            let content = kept.into_content().map(Arc::new);
            Ok(ExportPlan { job, receipt, notes: notes(&written), schools: tally.finish(), content })
        });
        Self { job, plan }
    }
}

impl Engine {
    /// Works out one of the three files: what it would hold.
    pub(crate) async fn plan_export(
        &self,
        composing: Composing,
        years: &YearsInSight,
    ) -> Result<ExportPlan, EngineError> {
        let plan = composing.plan.await??;
        let file = OutgoingFile { receipt: &plan.receipt, schools: &plan.schools };
        self.refuse_large_changes(plan.job, &[file], years).await?;
        pass(CrashPoint::ExportPlanned);
        Ok(plan)
    }

    /// Sends the planned file: what the plan kept of it, or streamed from the roster.
    pub(crate) async fn apply_export(
        &self,
        plan: &ExportPlan,
        setup: &Setup,
        roster: &Arc<Roster>,
        session: &Session,
        run: RunId,
    ) -> Result<(), EngineError> {
        let (roster, hero, job) = (Arc::clone(roster), setup.hero.clone(), plan.job);
        let summer = setup.summer;
        let content = plan.content.clone();
        let file = RemoteFile::parse(&plan.receipt.name)?;
        session.require_folder(&RemoteFolder::parse(IMPORTS)?).await?;
        let uploaded = session
            .upload(&file, move |out| {
                if let Some(content) = content {
                    return out.write_all(&content);
                }
                let (layout, mut tally) = (ExportLayout::default(), Tally::default());
                exports::write(job, &roster, &hero, summer, layout, &mut tally, out)
                    .map(|_| ())
                    .map_err(io::Error::from)
            })
            .await?;
        if uploaded.sha256 != plan.receipt.sha256 {
            return Err(EngineError::NotAsPlanned(plan.receipt.name.clone()));
        }
        pass(CrashPoint::UploadUnrecorded);
        self.record_upload(run, job, plan.receipt.clone(), plan.schools.clone()).await?;
        pass(CrashPoint::UploadRecorded);
        Ok(())
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
        let (name, now) = (receipt.name.clone(), chrono::Utc::now());
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
