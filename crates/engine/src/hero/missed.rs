//! Files of earlier days that an import never read, where its path holds the date: the computer was off, or the server
//! away. They are read before today's, the oldest first, so that of two files about one record the later one counts.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use rosterbridge_domain::{
    dated_path::DatedPath,
    job::{Job, JobId},
    settings::{HandOver, HeroAccount, Owner, Setup},
};
use rosterbridge_sftp::{Entry, RemoteFile, Session};
use serde::{Deserialize, Serialize};

use super::{HeroProblem, Import};
use crate::{engine::Engine, error::EngineError};

/// How many days back files are looked for.
const MOST_DAYS: u64 = 14;

/// The last day of an import whose file was read whole, every row of it decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ReadWhole {
    day: NaiveDate,
    /// The file; empty where nothing was read yet, and the import began on the day after.
    path: String,
    /// Its size. One that has grown since is not read whole.
    bytes: u64,
    /// Its last change in the server's clock, in seconds since 1970, where the server told it. One that was changed since is
    /// not read whole, whatever its size.
    #[serde(default)]
    modified: Option<u64>,
}

impl ReadWhole {
    /// Nothing was read yet: the import begins on the day after.
    const fn nothing(day: NaiveDate) -> Self {
        Self { day, path: String::new(), bytes: 0, modified: None }
    }

    /// Whether its file is still what was read.
    fn is_of(&self, found: &Entry) -> bool {
        let modified = found.modified.and_then(seconds);
        let changed = self.modified.zip(modified).is_some_and(|(before, now)| before != now);
        found.size == self.bytes && !changed
    }
}

/// As a server tells a time.
fn seconds(at: SystemTime) -> Option<u64> {
    at.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// The day before an import's first. One that was handed over after the runs of its day may be run first after midnight:
/// that day's file is its own, too.
fn day_before_first(
    hand_over: Option<&HandOver>,
    today: NaiveDate,
    zone: chrono_tz::Tz,
) -> Option<NaiveDate> {
    let yesterday = today.pred_opt()?;
    let begun = hand_over.map(|hand_over| hand_over.confirmed_at.with_timezone(&zone).date_naive());
    if begun == Some(yesterday) { yesterday.pred_opt() } else { Some(yesterday) }
}

/// Whether a file can be that of a day: where the path has no year, or no month, an older one may be in its place. A day is
/// allowed for, since neither the server's clock nor its zone is known.
fn can_be_of(found: &Entry, day: NaiveDate) -> bool {
    let Some(earliest) = day.pred_opt().map(|before| before.and_time(NaiveTime::MIN).and_utc()) else {
        return true;
    };
    found.modified.is_none_or(|modified| DateTime::<Utc>::from(modified) >= earliest)
}

/// What tells a file from a later one in its place.
#[derive(Clone, Copy)]
pub(crate) struct Version {
    /// Its size.
    pub(crate) bytes: u64,
    /// Its last change, in the server's clock, where the server says.
    pub(crate) modified: Option<SystemTime>,
}

/// The files of earlier days that are there and were not read whole.
#[derive(Default)]
pub(crate) struct Missed {
    /// Each with its day, oldest first.
    pub(crate) imports: Vec<Import>,
    /// Days that lie too far back to be looked for, and the last one read before them.
    too_old: Option<(u64, NaiveDate)>,
}

impl Missed {
    /// What a person is told of days that are not looked for.
    pub(crate) fn note(&self) -> Option<String> {
        let (days, last) = self.too_old?;
        let days = if days == 1 { "one day".to_owned() } else { format!("{days} days") };
        Some(format!(
            "Hero's export was read last for {last}. Files of the last {MOST_DAYS} days are looked for; of {days} before \
             that nothing is read."
        ))
    }
}

/// The ledger's value that holds the last day of a job that was read whole. Forgotten with all that was exchanged.
pub(super) fn key(job: JobId) -> String {
    format!("read_whole.{job}")
}

impl Engine {
    /// The files of an account's import of the days before `today` that are there and were not read whole. Days before the
    /// import was taken from PowerSchool are PowerSchool's.
    pub(crate) async fn missed_imports(
        &self,
        account: &HeroAccount,
        today: NaiveDate,
        zone: chrono_tz::Tz,
        session: &Session,
        dry: bool,
    ) -> Result<Missed, EngineError> {
        let job = JobId::new(Job::HeroAttendance, account.id);
        let path = DatedPath::parse_import(&account.attendance.path)
            .map_err(|error| EngineError::HeroSettings(vec![HeroProblem::Path { job, error }]))?;
        let last = if let Some(last) = self.read_whole(job).await? {
            last
        } else {
            let hand_over = account.attendance.hand_over.as_ref();
            let Some(day) = day_before_first(hand_over, today, zone) else {
                return Ok(Missed::default());
            };
            let begin = ReadWhole::nothing(day);
            // A file of today that comes too late for its runs is looked for tomorrow.
            if !dry {
                self.keep_read_whole(job, &begin).await?;
            }
            begin
        };
        if !path.is_dated() || last.day >= today {
            return Ok(Missed::default());
        }
        let first = today.checked_sub_days(Days::new(MOST_DAYS)).unwrap_or(today);
        let mut missed = Missed::default();
        // Whoever confirms anew that nobody else takes it in says nothing about files that nobody has read.
        let too_old = u64::try_from((first - last.day).num_days() - 1).unwrap_or_default();
        missed.too_old = (too_old > 0).then_some((too_old, last.day));
        let mut is_there = false;
        for (day, path) in path.before(today, last.day.max(first)) {
            let read = path == last.path;
            if day <= last.day && !read {
                continue;
            }
            let import = Import::of(account, day)?;
            if !is_there {
                session.require_folder(import.file.folder()).await?;
                is_there = true;
            }
            // On a day without school there is none.
            let Some(found) = session.stat(&RemoteFile::parse(&path)?).await? else { continue };
            if can_be_of(&found, day) && !(read && last.is_of(&found)) {
                missed.imports.push(import);
            }
        }
        Ok(missed)
    }

    /// Remembers that every row of an import's file is decided.
    pub(crate) async fn remember_read_whole(
        &self,
        job: JobId,
        import: &Import,
        version: Version,
    ) -> Result<(), EngineError> {
        let modified = version.modified.and_then(seconds);
        let read =
            ReadWhole { day: import.day, path: import.file.to_string(), bytes: version.bytes, modified };
        // Every write waits for the disk.
        if self.read_whole(job).await?.as_ref() == Some(&read) {
            return Ok(());
        }
        self.keep_read_whole(job, &read).await
    }

    /// Forgets what was read of the imports that are PowerSchool's in a set-up: one that is taken from it again begins anew.
    pub(crate) async fn forget_foreign_imports(&self, setup: &Setup) -> Result<(), EngineError> {
        let imports =
            setup.hero.accounts.iter().filter(|account| account.attendance.owner == Owner::PowerSchool);
        let keys: Vec<String> =
            imports.map(|account| key(JobId::new(Job::HeroAttendance, account.id))).collect();
        self.ledger(move |ledger| {
            for key in keys {
                if ledger.value(&key)?.is_some_and(|value| !value.is_empty()) {
                    ledger.set_value(&key, "")?;
                }
            }
            Ok(())
        })
        .await
    }

    async fn read_whole(&self, job: JobId) -> Result<Option<ReadWhole>, EngineError> {
        let text = self.ledger(move |ledger| ledger.value(&key(job))).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    async fn keep_read_whole(&self, job: JobId, read: &ReadWhole) -> Result<(), EngineError> {
        let text = serde_json::to_string(read).unwrap_or_default();
        self.ledger(move |ledger| ledger.set_value(&key(job), &text)).await
    }
}
