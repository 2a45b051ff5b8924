//! Hero's attendance export, in.

use std::{
    io::{self, Read},
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::NaiveDate;
use rosterbridge_crash_points::{CrashPoint, pass};
use rosterbridge_domain::{
    dated_path::DatedPath,
    job::{AccountId, Job, JobId},
    settings::{CharacterSet, HeroAccount, Setup},
};
use rosterbridge_hero::{AttendanceRow, ImportLayout, read_attendance};
use rosterbridge_sftp::{Entry, RemoteFile, Session};
use rosterbridge_store::Roster;

use super::{HeroProblem, SOURCE, Version};
use crate::{
    attendance::{PlannedInput, SourceRow},
    decide::{District, Fixes, hero_rows},
    diagnosis::millis,
    engine::{Engine, blocking},
    error::EngineError,
};

/// Looks at a file that ends within a row, before the row counts as whole: the server's clock is not known, so only what
/// does not change from one look to the next says that nobody is writing it.
const LOOKS: u32 = 3;
/// The time between two of them. A server tells it in whole seconds. Short in a debug build, for the tests.
const BETWEEN_LOOKS: Duration = Duration::from_secs(if cfg!(debug_assertions) { 1 } else { 5 });
/// Looks at a file that goes on changing, before the job is left to a later time: ten minutes of them.
const MOST_LOOKS: u32 = 120;

/// The import of an account, on a day.
pub(crate) struct Import {
    pub(crate) file: RemoteFile,
    /// The day its path is that of.
    pub(super) day: NaiveDate,
    pub(super) account: AccountId,
    layout: ImportLayout,
}

/// What was fetched.
pub(crate) struct Fetched {
    pub(crate) input: PlannedInput,
    pub(crate) rows: Vec<SourceRow>,
    pub(crate) version: Version,
    /// Whether the file ends within a row.
    unfinished: bool,
}

impl Import {
    /// As it is set up, on a day in the district.
    pub(crate) fn of(account: &HeroAccount, day: NaiveDate) -> Result<Self, EngineError> {
        let job = JobId::new(Job::HeroAttendance, account.id);
        let refused = |problem| EngineError::HeroSettings(vec![problem]);
        let path = DatedPath::parse_import(&account.attendance.path)
            .map_err(|error| refused(HeroProblem::Path { job, error }))?;
        let layout = ImportLayout::of(&account.attendance)
            .map_err(|error| refused(HeroProblem::Order { job, error }))?;
        Ok(Self { file: RemoteFile::parse(&path.expand(day))?, day, account: account.id, layout })
    }

    /// What a row states, by its text.
    pub(super) fn stated(&self, raw: &str) -> Option<AttendanceRow> {
        stated(raw, self.layout)
    }
}

impl Engine {
    /// Fetches Hero's attendance export and looks every row up. `None` when there is none yet. One that is still being
    /// written is waited for, and `waiting` is told so; without it, that is an error.
    pub(crate) async fn fetch_attendance(
        &self,
        import: &Import,
        setup: &Setup,
        roster: &Arc<Roster>,
        zone: chrono_tz::Tz,
        session: &Session,
        waiting: Option<&(dyn Fn() + Send + Sync)>,
    ) -> Result<Option<Fetched>, EngineError> {
        session.require_folder(import.file.folder()).await?;
        let Some(mut before) = session.stat(&import.file).await? else { return Ok(None) };
        let fixes = self.fixes(SOURCE).await?;
        let (mut quiet, mut looks) = (0, 0);
        loop {
            let fetched = fetch(import, setup, roster, zone, &fixes, session).await;
            match fetched {
                Ok(fetched) if !fetched.unfinished || quiet >= LOOKS => {
                    pass(CrashPoint::ImportFetched);
                    return Ok(Some(fetched));
                }
                Ok(_) => {}
                // The first line of a file may not be whole yet, and then looks like that of another file.
                Err(
                    EngineError::Sftp(rosterbridge_sftp::Error::FileChanging { .. })
                    | EngineError::HeroFile(rosterbridge_hero::FileError::WrongColumns { .. }),
                ) if quiet < LOOKS => {}
                Err(error) => return Err(error),
            }
            let Some(waiting) = waiting else {
                let path = import.file.to_string();
                return Err(rosterbridge_sftp::Error::FileChanging { path }.into());
            };
            // Whoever writes it may have stopped within a row. Nothing is read again before it stands still.
            waiting();
            quiet = 0;
            while quiet < LOOKS {
                if looks >= MOST_LOOKS {
                    let path = import.file.to_string();
                    return Err(rosterbridge_sftp::Error::FileChanging { path }.into());
                }
                looks += 1;
                tokio::time::sleep(BETWEEN_LOOKS).await;
                let Some(now) = session.stat(&import.file).await? else { return Ok(None) };
                quiet = if is_same(&before, &now) { quiet + 1 } else { 0 };
                before = now;
            }
        }
    }
}

/// What a row states, by its text, which is no record of field names and already in characters.
fn stated(raw: &str, layout: ImportLayout) -> Option<AttendanceRow> {
    let layout = ImportLayout { header: false, characters: CharacterSet::Utf8, ..layout };
    read_attendance(raw.as_bytes(), layout).ok()?.next()?.ok()?.parsed.ok()
}

fn is_same(before: &Entry, now: &Entry) -> bool {
    (before.size, before.modified) == (now.size, now.modified)
}

async fn fetch(
    import: &Import,
    setup: &Setup,
    roster: &Arc<Roster>,
    zone: chrono_tz::Tz,
    fixes: &Fixes,
    session: &Session,
) -> Result<Fetched, EngineError> {
    let (reader, writer) = io::pipe().map_err(|source| EngineError::Pipe { source })?;
    let (roster, rules, fixes) = (Arc::clone(roster), setup.clone(), fixes.clone());
    let Import { layout, account, .. } = *import;
    let started = Instant::now();
    let looking_up = blocking(move || {
        let mut district =
            District::new(&roster, &rules, zone)?.of_account(&rules.hero, account).with_fixes(fixes);
        let mut arriving = Arriving { file: reader, waited: Duration::ZERO };
        let mut file = read_attendance(&mut arriving, layout)?;
        let mut rows = hero_rows(&mut file, 0, &mut district)?;
        district.fix_hero_rows(&mut rows, |raw| stated(raw, layout));
        let whole = file.whole_bytes();
        Ok((rows, whole, arriving.waited))
    });
    let downloading = async {
        // The reader sees the end only when the writer is gone.
        session.download(&import.file, writer).await.map(|(downloaded, _writer)| downloaded)
    };
    let (downloaded, rows) = tokio::join!(downloading, looking_up);
    // Half a file may look like a bad one.
    if let Err(
        error @ (rosterbridge_sftp::Error::Cancelled | rosterbridge_sftp::Error::FileChanging { .. }),
    ) = downloaded
    {
        return Err(error.into());
    }
    // A file that is refused breaks off its download: the refusal is the cause.
    let (rows, whole, waited) = rows?;
    tracing::info!(
        rows = rows.len(),
        millis = millis(started),
        waited_millis = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
        "the export's rows are looked up"
    );
    let downloaded = downloaded?;
    // One that was just made, or is being written anew, has nothing in it yet.
    let unfinished = whole < downloaded.bytes || downloaded.bytes == 0;
    let input = PlannedInput {
        name: import.file.to_string(),
        rows: 0,
        bytes: downloaded.bytes,
        sha256: downloaded.sha256,
        decisions: Vec::new(),
    };
    let version = Version { bytes: downloaded.bytes, modified: downloaded.modified };
    Ok(Fetched { input, rows, version, unfinished })
}

/// A file on its way here.
struct Arriving<R> {
    file: R,
    /// How long its reader waited for it.
    waited: Duration,
}

impl<R: Read> Read for Arriving<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let asked = Instant::now();
        let read = self.file.read(buffer);
        self.waited += asked.elapsed();
        read
    }
}
