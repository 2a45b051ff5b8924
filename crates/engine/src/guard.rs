//! The large-change rule: nothing leaves the machine that would lose much of what was accepted last, of a file or of one
//! school in it, and no attendance is taken in that is many times what usually comes, unless a person accepts that very
//! content.

use std::{collections::HashMap, fmt, io, iter};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rosterbridge_domain::{
    attendance::Source,
    job::{FileReceipt, JobId},
    school_year::YearChange,
    settings::{ExportKind, GuardSettings},
};
use rosterbridge_store::{Ledger, StoreError, ledger::DecisionOutcome};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    attendance::AttendancePlan,
    engine::Engine,
    error::EngineError,
    exports::Measured,
    report::{FileSample, GuardReason, GuardedSchool, GuardedView, PlanView, PlannedRecord},
    school_year::YearsInSight,
    tally::{self, Schools},
};

/// Imports with up to this many times the usual rows pass.
const USUAL_TIMES: u64 = 3;
/// Imports with fewer rows pass.
const FEW_ROWS: u64 = 20;
/// How many imports back the usual number of rows is taken from.
const IMPORTS_BACK: u32 = 10;
/// How long an acceptance holds for a content that does not go out.
const ACCEPTED_FOR: TimeDelta = TimeDelta::days(7);
/// Records and students shown as a sample.
const SAMPLE: usize = 10;

/// The name under which a stopped import is kept.
pub(crate) const IMPORT: &str = "attendance";

/// The ledger's value that holds the stopped files.
const STOPPED: &str = "guard.stopped";

/// A file to be sent, as the rule looks at it.
pub(crate) struct OutgoingFile<'a> {
    pub(crate) receipt: &'a FileReceipt,
    /// What the other side has once it is sent: the rows of a whole file.
    pub(crate) has: Has,
    /// What it has now, where that is not simply the last file of the name.
    pub(crate) had: Option<(DateTime<Utc>, Has)>,
}

/// The rows the other side has of a file.
#[derive(Clone, Default)]
pub(crate) struct Has {
    pub(crate) rows: u64,
    pub(crate) schools: Schools,
}

impl<'a> OutgoingFile<'a> {
    /// A whole file, which takes the place of the last one.
    pub(crate) fn whole(receipt: &'a FileReceipt, schools: &Schools) -> Self {
        Self { receipt, has: Has { rows: receipt.rows, schools: schools.clone() }, had: None }
    }
}

/// A file that was stopped, and what a person said to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stopped {
    pub(crate) file: GuardedView,
    /// When a person let this very content go out.
    accepted_at: Option<DateTime<Utc>>,
}

impl Stopped {
    fn new(file: GuardedView) -> Self {
        Self { file, accepted_at: None }
    }

    fn is_accepted(&self, now: DateTime<Utc>) -> bool {
        self.accepted_at.is_some_and(|at| now - at < ACCEPTED_FOR)
    }
}

/// Whether going from `before` rows to `now` loses more than the share and at least the number of the settings (10 % and
/// 20), or all.
fn is_large_loss(before: u64, now: u64, settings: GuardSettings) -> bool {
    let lost = before.saturating_sub(now);
    let large_share = u128::from(lost) * 100 > u128::from(before) * u128::from(settings.percent);
    (before > 0 && now == 0) || (lost >= u64::from(settings.rows) && large_share)
}

/// Whether an import has many more rows than the latest ones, and what is usual: their median. The first one ever is
/// as good as any. `passed` are those of its rows that passed before: where they are too many already, a person let them.
fn unusual(latest: &[u64], passed: u64, now: u64) -> Option<u64> {
    let mut latest = latest.to_vec();
    latest.sort_unstable();
    let mut usual = *latest.get(latest.len() / 2)?;
    if passed > usual.saturating_mul(USUAL_TIMES) {
        usual = passed;
    }
    (now >= FEW_ROWS && now > usual.saturating_mul(USUAL_TIMES)).then_some(usual)
}

/// The rows of the day so far, and those of the days before. Files are dropped all day long, a few rows each or all at once,
/// so it is the day's rows that are compared.
fn rows_of_days(days: &[(NaiveDate, u64)], today: NaiveDate) -> (u64, Vec<u64>) {
    let so_far = days.iter().find(|(day, _)| *day == today).map_or(0, |(_, rows)| *rows);
    (so_far, days.iter().filter(|(day, _)| *day != today).map(|(_, rows)| *rows).collect())
}

/// Names a content: what `value` serialises to.
fn content_id(job: JobId, value: &impl Serialize) -> String {
    let mut hash = Measured::new(io::sink());
    // What is hashed in memory can't fail to be written; what could not be serialised would be named by its job alone.
    let _ = serde_json::to_writer(&mut hash, &(job, value));
    let (_, mut sha256) = hash.finish();
    sha256.truncate(16);
    sha256
}

impl PlanView {
    /// The plan to send files.
    pub(crate) fn of_files(job: JobId, files: &[FileReceipt], samples: Vec<FileSample>) -> Self {
        Self { id: content_id(job, &files), sample: Vec::new(), files: samples }
    }

    /// This plan and then another one of the same job: the sample stays the first one's.
    pub(crate) fn followed_by(self, next: &Self) -> Self {
        let mut id = hex::encode(Sha256::digest(format!("{} {}", self.id, next.id)));
        id.truncate(16);
        Self { id, ..self }
    }

    /// The plan to write attendance.
    pub(crate) fn of_attendance(job: JobId, plan: &AttendancePlan) -> Self {
        let writes = plan.inputs.iter().flat_map(|input| &input.decisions).filter_map(|decision| {
            match &decision.outcome {
                DecisionOutcome::Write(write) => Some(PlannedRecord {
                    student_number: decision.student_number.map(rosterbridge_domain::id::StudentNumber::get),
                    school: write.key.school.get(),
                    date: write.key.date,
                    code: write.code.clone(),
                    previous_code: write.previous_code.clone(),
                }),
                _ => None,
            }
        });
        Self { id: content_id(job, plan), sample: writes.take(SAMPLE).collect(), files: Vec::new() }
    }
}

/// Names one planned file: another content is another id, so an acceptance can't pass to it.
fn guard_id(job: JobId, receipt: &FileReceipt) -> String {
    let mut hash = Sha256::new();
    for part in [&job.to_string(), &receipt.name, &receipt.sha256] {
        hash.update(part);
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..4])
}

impl Engine {
    /// Stops before files of a job that would lose too many rows against the last ones sent, and names all of them,
    /// so that a person decides once. Only reads.
    pub(crate) async fn refuse_large_changes(
        &self,
        job: JobId,
        files: &[OutgoingFile<'_>],
        years: &YearsInSight,
    ) -> Result<(), EngineError> {
        let settings = self.setup().await?.guard;
        let decided = self.stopped().await?;
        let mut stopped = Vec::new();
        let names: Vec<String> =
            files.iter().filter(|file| file.had.is_none()).map(|file| file.receipt.name.clone()).collect();
        let mut last_files = self.ledger(move |ledger| last_files(ledger, job, names)).await?;
        for OutgoingFile { receipt, has, had } in files {
            let last = had.clone().or_else(|| last_files.remove(&receipt.name));
            let Some((sent_at, had)) = last else { continue };
            let (schools_before, schools) = (had.schools, &has.schools);
            let all = (had.rows, has.rows);
            let (before, now) = years.alike(job, &receipt.name, all.0, all.1);
            let losing: Vec<GuardedSchool> = schools_before
                .iter()
                .map(|(school, rows)| GuardedSchool {
                    school: school.get(),
                    before: rows.rows,
                    now: schools.get(school).map_or(0, |rows| rows.rows),
                })
                // Where pre-registered students come or go, only the whole can be compared.
                .filter(|school| (before, now) == all && is_large_loss(school.before, school.now, settings))
                .collect();
            if losing.is_empty() && !is_large_loss(before, now, settings) {
                continue;
            }
            let id = guard_id(job, receipt);
            if decided.iter().any(|decided| decided.is_accepted(Utc::now()) && decided.file.id == id) {
                continue;
            }
            stopped.push(Stopped::new(GuardedView {
                id,
                job,
                name: receipt.name.clone(),
                before: all.0,
                now: all.1,
                expected: years.expected(job, &receipt.name, sent_at),
                stopped_at: Utc::now(),
                reason: GuardReason::RowsLost,
                schools: losing,
                sample: tally::gone(&schools_before, schools, SAMPLE),
            }));
        }
        let mut stopped = stopped.into_iter();
        match stopped.next() {
            None => Ok(()),
            Some(first) => {
                Err(EngineError::LargeChange(Box::new(LargeChange { first, others: stopped.collect() })))
            }
        }
    }

    /// Stops before attendance is taken in that has more than three times the usual number of rows, and at least 20. Only
    /// reads.
    pub(crate) async fn refuse_many_rows(
        &self,
        job: JobId,
        plan: &AttendancePlan,
        plan_id: &str,
        day: NaiveDate,
    ) -> Result<(), EngineError> {
        let (passed, now, latest) = match plan.source {
            Source::Hero => {
                let latest = self.ledger(move |ledger| ledger.latest_imports(job, IMPORTS_BACK)).await?;
                // After days without a run there are several files, each of a day.
                (0, plan.inputs.iter().map(|input| input.rows).max().unwrap_or_default(), latest)
            }
            Source::Raptor => {
                // One more for the day itself.
                let days = move |ledger: &Ledger| ledger.rows_by_day(Source::Raptor, day, IMPORTS_BACK + 1);
                let (so_far, latest) = rows_of_days(&self.ledger(days).await?, day);
                (so_far, so_far + plan.new_rows, latest)
            }
        };
        let Some(usual) = unusual(&latest, passed, now) else { return Ok(()) };
        let decided = self.stopped().await?;
        if decided.iter().any(|decided| decided.is_accepted(Utc::now()) && decided.file.id == plan_id) {
            return Ok(());
        }
        let first = Stopped::new(GuardedView {
            id: plan_id.to_owned(),
            job,
            name: IMPORT.to_owned(),
            before: usual,
            now,
            expected: None,
            stopped_at: Utc::now(),
            reason: GuardReason::ManyRows,
            schools: Vec::new(),
            sample: Vec::new(),
        });
        Err(EngineError::LargeChange(Box::new(LargeChange { first, others: Vec::new() })))
    }

    /// Remembers stopped files for a person to decide. Each takes the place of an older one of the same name.
    pub(crate) async fn remember_stop(&self, change: LargeChange) -> Result<(), EngineError> {
        let mut stopped = self.stopped().await?;
        for new in iter::once(change.first).chain(change.others) {
            stopped.retain(|other| (other.file.job, &other.file.name) != (new.file.job, &new.file.name));
            stopped.push(new);
        }
        self.save_stopped(stopped).await
    }

    /// The files that wait for a person, oldest first.
    pub async fn guarded(&self) -> Result<Vec<GuardedView>, EngineError> {
        let stopped = self.stopped().await?;
        let now = Utc::now();
        Ok(stopped
            .into_iter()
            .filter(|stopped| !stopped.is_accepted(now))
            .map(|stopped| stopped.file)
            .collect())
    }

    /// The ids of a job's files that a person lets go out, in order.
    pub(crate) async fn accepted(&self, job: JobId, now: DateTime<Utc>) -> Result<Vec<String>, EngineError> {
        let stopped = self.stopped().await?.into_iter();
        let accepted = stopped.filter(|stopped| stopped.file.job == job && stopped.is_accepted(now));
        let mut ids: Vec<String> = accepted.map(|stopped| stopped.file.id).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Accepts or rejects a stopped file by its id. An accepted one goes out with the next run within seven days if it has
    /// the same content then; a rejected one is forgotten, and stops again if it is planned again.
    pub async fn decide_guarded(&self, id: &str, accept: bool) -> Result<Vec<GuardedView>, EngineError> {
        let mut stopped = self.stopped().await?;
        let Some(place) = stopped.iter().position(|stopped| stopped.file.id == id) else {
            return Err(EngineError::NothingStopped(id.to_owned()));
        };
        if accept {
            stopped[place].accepted_at = Some(Utc::now());
        } else {
            stopped.remove(place);
        }
        self.save_stopped(stopped).await?;
        self.guarded().await
    }

    /// [`Engine::forget_stops`] for one file.
    pub(crate) async fn forget_stop(&self, job: JobId, name: &str) -> Result<(), EngineError> {
        self.forget_stops(job, &[name]).await
    }

    /// Forgets what was decided about files once others of their names have been sent.
    pub(crate) async fn forget_stops(&self, job: JobId, names: &[&str]) -> Result<(), EngineError> {
        let mut stopped = self.stopped().await?;
        let before = stopped.len();
        stopped.retain(|other| other.file.job != job || !names.contains(&other.file.name.as_str()));
        if stopped.len() < before { self.save_stopped(stopped).await } else { Ok(()) }
    }

    async fn stopped(&self) -> Result<Vec<Stopped>, EngineError> {
        let text = self.ledger(|ledger| ledger.value(STOPPED)).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    async fn save_stopped(&self, stopped: Vec<Stopped>) -> Result<(), EngineError> {
        let text = serde_json::to_string(&stopped).unwrap_or_else(|_| "[]".to_owned());
        self.ledger(move |ledger| ledger.set_value(STOPPED, &text)).await
    }
}

/// The last files of these names, by name, and when they were sent.
fn last_files(
    ledger: &Ledger,
    job: JobId,
    names: Vec<String>,
) -> Result<HashMap<String, (DateTime<Utc>, Has)>, StoreError> {
    let mut files = HashMap::new();
    for name in names {
        // A file of Hero's that goes elsewhere now is still the one that came before.
        let moved = || match ExportKind::of(job.kind()) {
            Some(_) => ledger.last_upload_of(job),
            None => Ok(None),
        };
        let last = match ledger.last_upload(job, &name)? {
            Some(last) => Some(last),
            None => moved()?,
        };
        if let Some(last) = last {
            let schools = ledger.last_upload_by_school(job, &last.receipt.name)?;
            files.insert(name, (last.uploaded_at, Has { rows: last.receipt.rows, schools }));
        }
    }
    Ok(files)
}

/// Files of one job that would lose too many rows.
#[derive(Clone, Debug)]
pub struct LargeChange {
    pub(crate) first: Stopped,
    pub(crate) others: Vec<Stopped>,
}

impl fmt::Display for LargeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GuardedView { name, before, now, expected, reason, schools, .. } = &self.first.file;
        match (reason, schools.as_slice()) {
            (GuardReason::ManyRows, _) => {
                return write!(f, "{now} rows of attendance came in, and {before} are usual");
            }
            (GuardReason::RowsLost, [one]) if before.abs_diff(*now) < one.before.abs_diff(one.now) => {
                let GuardedSchool { school, before, now } = one;
                write!(f, "{name} would shrink from {before} to {now} rows for school {school}")?;
            }
            (GuardReason::RowsLost, [_, more @ ..]) if !more.is_empty() && before <= now => {
                write!(f, "{name} would lose too many rows of {} schools", more.len() + 1)?;
            }
            (GuardReason::RowsLost, _) => write!(f, "{name} would shrink from {before} to {now} rows")?,
        }
        if let Some(YearChange::NewYear { from, to, .. }) = expected {
            write!(f, " (expected: new year, {} before and {} now)", from.name(), to.name())?;
        }
        match self.others.len() {
            0 => Ok(()),
            1 => write!(f, ", and 1 more file would lose too many rows as well"),
            others => write!(f, ", and {others} more files would lose too many rows as well"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::first_file(0, 600, false)]
    #[case::growth(600, 900, false)]
    #[case::small_share(1000, 901, false)]
    #[case::few_rows(30, 11, false)]
    #[case::both(200, 170, true)]
    #[case::exactly_ten_percent(200, 180, false)]
    #[case::all_of_few(5, 0, true)]
    #[case::nothing_before(0, 0, false)]
    fn the_rule(#[case] before: u64, #[case] now: u64, #[case] stops: bool) {
        assert_eq!(is_large_loss(before, now, GuardSettings::default()), stops);
    }

    #[rstest]
    #[case::share(GuardSettings { percent: 20, rows: 20 }, 200, 165, false)]
    #[case::rows(GuardSettings { percent: 10, rows: 50 }, 200, 165, false)]
    #[case::strict(GuardSettings { percent: 0, rows: 1 }, 200, 199, true)]
    #[case::all_all_the_same(GuardSettings { percent: 100, rows: 1_000 }, 200, 0, true)]
    fn the_rule_is_a_setting(
        #[case] settings: GuardSettings,
        #[case] before: u64,
        #[case] now: u64,
        #[case] stops: bool,
    ) {
        assert_eq!(is_large_loss(before, now, settings), stops);
    }

    #[rstest]
    #[case::first_ever(&[], 0, 5_000, None)]
    #[case::usual(&[30, 28, 33], 0, 90, None)]
    #[case::more(&[30, 28, 33], 0, 91, Some(30))]
    #[case::few_rows(&[1, 2, 1], 0, 19, None)]
    #[case::not_so_few(&[1, 2, 1], 0, 20, Some(1))]
    #[case::one_outlier_changes_nothing(&[30, 900, 28], 0, 200, Some(30))]
    #[case::little_by_little(&[30, 28, 33], 90, 91, Some(30))]
    #[case::a_person_let_more_pass(&[30, 28, 33], 91, 92, None)]
    #[case::and_many_times_as_much(&[30, 28, 33], 91, 274, Some(91))]
    fn imports_that_ask(
        #[case] latest: &[u64],
        #[case] passed: u64,
        #[case] now: u64,
        #[case] usual: Option<u64>,
    ) {
        assert_eq!(unusual(latest, passed, now), usual);
    }

    #[test]
    fn a_days_files_are_looked_at_together() {
        let day = |day| NaiveDate::from_ymd_opt(2026, 9, day).unwrap();
        let days = [(day(30), 12), (day(29), 30), (day(28), 33)];
        assert_eq!(rows_of_days(&days, day(30)), (12, vec![30, 33]));
        assert_eq!(rows_of_days(&days[1..], day(30)), (0, vec![30, 33]));
        assert_eq!(rows_of_days(&[], day(30)), (0, vec![]));
    }

    #[test]
    fn an_acceptance_ends_after_a_week() {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let mut stopped = Stopped::new(GuardedView {
            id: "1".to_owned(),
            job: JobId::HERO_STUDENTS,
            name: "imports/STUDENT.TXT".to_owned(),
            before: 200,
            now: 1,
            expected: None,
            stopped_at: at,
            reason: GuardReason::RowsLost,
            schools: Vec::new(),
            sample: Vec::new(),
        });
        assert!(!stopped.is_accepted(at));
        stopped.accepted_at = Some(at);
        assert!(stopped.is_accepted(at + TimeDelta::days(7) - TimeDelta::seconds(1)));
        assert!(!stopped.is_accepted(at + TimeDelta::days(7)));
    }
}
