//! Noticing that somebody else does what is this program's to do, and pausing the job until a person says that there is
//! one sender only. Somebody else is PowerSchool's AutoSend or AutoComm, or another installation.
//!
//! Of an export: its file at Hero is another one than it was right after it was sent from here. Of the import: most rows
//! that were never seen before stand in PowerSchool already, though nobody wrote them from here. A row or two may be a
//! teacher's. Nothing is made of the first run, nor of what was sent or taken in before the ledger was restored or before
//! a person gave their word.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use rosterbridge_domain::{
    job::{Job, JobId},
    notice::{Alert, AlertKind, AlertSubject, Happening, Reason},
    settings::{ExportKind, HandOver, Owner, Setup},
};
use serde::{Deserialize, Serialize};

use super::Place;
use crate::{
    attendance::FirstSeen,
    engine::Engine,
    error::{EngineError, sentence},
    notices::Kept,
    report::{Cause, OtherSenderView},
    unchanged::AsLeft,
};

/// The ledger's value that holds the jobs that are paused.
const OTHER_SENDER: &str = "other_sender";

/// Fewer rows than these may be a teacher's.
const LEAST_ROWS: u64 = 5;
/// The share of the rows never seen before, in percent, that stands in PowerSchool already.
const ROWS_PERCENT: u64 = 80;

/// What somebody else was seen to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Seen {
    /// It sends an export.
    #[error("{path} at Hero is another file than RosterBridge sent last")]
    File {
        /// Where.
        path: String,
    },
    /// It takes the import in.
    #[error("of {rows} new rows of {path}, PowerSchool had {standing} already")]
    Rows {
        /// The file.
        path: String,
        /// Rows that were never seen before.
        rows: u64,
        /// Those of them that stood in PowerSchool.
        standing: u64,
    },
    /// Something was noticed before, and is not known any more.
    #[error("this was noticed before, and what was kept of it can't be read")]
    Unreadable {
        /// The file, as it is configured.
        path: String,
    },
}

impl Seen {
    fn path(&self) -> &str {
        match self {
            Self::File { path } | Self::Rows { path, .. } | Self::Unreadable { path } => path,
        }
    }

    /// What is told of it, and what a person is to do.
    fn cause(&self, job: JobId, record: &str) -> Cause {
        let (nothing, menu) = match ExportKind::of(job.kind()) {
            Some(_) => ("sent", "AutoSend Setup"),
            None => ("taken in", "AutoComm Setup"),
        };
        Cause {
            code: EngineError::OTHER_SENDER.to_owned(),
            message: sentence(&format!("another sender is active, so {job} is paused: {self}")),
            remedy: format!(
                "Nothing is {nothing} until a person says so. In PowerSchool open {menu}, then the record '{record}', \
                 tick 'Turn Execution Off' and submit; and see that no second RosterBridge does it. Then confirm it on \
                 Home, or with: rosterbridge hero only-sender {job} --yes. Or give the exchange back to PowerSchool."
            ),
        }
    }
}

/// A paused job, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Paused {
    #[serde(flatten)]
    view: OtherSenderView,
    /// The path as it was configured then: the pause was told under it.
    file: String,
}

impl Paused {
    fn subject(&self) -> AlertSubject {
        AlertSubject { kind: AlertKind::OtherSender, job: self.view.job, file: self.file.clone() }
    }

    /// Whether it is still this program's to do.
    fn is_ours(&self, setup: &Setup) -> bool {
        let job = self.view.job;
        setup.possible_jobs().contains(&job) && setup.owner(job) == Owner::RosterBridge
    }

    /// What is told of it when it begins.
    fn begins(&self, setup: &Setup) -> Happening {
        let OtherSenderView { job, since, ref cause, .. } = self.view;
        let settings = setup.jobs.iter().find(|settings| settings.job == job);
        let schedule = settings.and_then(|known| known.schedule);
        Happening::Alerted(Alert {
            subject: self.subject(),
            day: schedule.map_or(since.date_naive(), |schedule| schedule.local_date(since)),
            what: cause.message.clone(),
            reason: Reason { code: cause.code.clone(), remedy: cause.remedy.clone() },
        })
    }
}

/// Whether rows that were never seen before look as if somebody else had taken their file in.
const fn is_somebody_elses(first_seen: FirstSeen) -> bool {
    first_seen.standing >= LEAST_ROWS && first_seen.standing * 100 >= first_seen.rows * ROWS_PERCENT
}

impl Engine {
    /// The jobs that are paused because another sender is active, in running order.
    pub(crate) async fn other_senders(&self, setup: &Setup) -> Result<Vec<OtherSenderView>, EngineError> {
        let paused = self.paused_jobs().await?.into_iter();
        Ok(paused.filter(|paused| paused.is_ours(setup)).map(|paused| paused.view).collect())
    }

    async fn paused_jobs(&self) -> Result<Vec<Paused>, EngineError> {
        let text = self.ledger(|ledger| ledger.value(OTHER_SENDER)).await?;
        Ok(text.map_or_else(Vec::new, |text| kept_in(&text).0))
    }

    /// Pauses the jobs of which something was kept that can't be read, at once with what is told of it. From then on each is
    /// paused as any other: everything that is read of it was written by this version.
    pub(crate) async fn pause_unreadable(&self, now: DateTime<Utc>) -> Result<(), EngineError> {
        let Some(kept) = self.ledger(|ledger| ledger.value(OTHER_SENDER)).await? else { return Ok(()) };
        let (mut paused, unreadable) = kept_in(&kept);
        if unreadable.is_empty() {
            return Ok(());
        }
        let setup = self.setup().await?;
        let mut happenings = Vec::new();
        for job in unreadable.jobs(&setup) {
            let path = configured_path(&setup, job);
            let record = record(&setup, job);
            let cause = Seen::Unreadable { path: path.clone() }.cause(job, &record);
            let view = OtherSenderView { job, record, path: path.clone(), since: now, cause };
            let new = Paused { view, file: path };
            if new.is_ours(&setup) && paused.iter().all(|known| known.view.job != job) {
                tracing::error!(%job, "what was kept of another sender can't be read: the job stays paused");
                happenings.push(new.begins(&setup));
                paused.push(new);
            }
        }
        paused.sort_by_key(|known| known.view.job);
        self.note_beside(happenings, now, Some((OTHER_SENDER, text(&paused)))).await
    }

    /// Looks whether the file of an export is still the one that was sent from here last, before it is sent again. Where it
    /// is somebody else's, the job is paused, and the error says so.
    pub(crate) async fn look_for_other_export(
        &self,
        job: JobId,
        name: &str,
        setup: &Setup,
        place: &Place<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), EngineError> {
        let Place::Server { file, .. } = place else { return Ok(()) };
        let sent = self.ledger(move |ledger| ledger.last_upload_of(job)).await?;
        // While it went elsewhere, whoever was free to write here was no second sender.
        let known = sent.filter(|upload| upload.receipt.name == name).map(|upload| upload.uploaded_at);
        if known.is_none() || known <= self.nothing_known_before(setup, job).await? {
            return Ok(());
        }
        let exports = setup.possible_jobs().into_iter().filter(|job| ExportKind::of(job.kind()).is_some());
        let others: Vec<JobId> = exports.filter(|other| *other != job).collect();
        match self.as_left(job, &others, name, place).await? {
            AsLeft::Unknown | AsLeft::Yes => Ok(()),
            AsLeft::No => Err(self.pause_job(job, name, &Seen::File { path: file.to_string() }, now).await?),
        }
    }

    /// Looks whether somebody else has taken Hero's export in. `first_seen` are its rows about records that nothing was
    /// known of here. Where somebody has, the job is paused, and the error says so.
    pub(crate) async fn look_for_other_import(
        &self,
        job: JobId,
        path: &str,
        setup: &Setup,
        first_seen: FirstSeen,
        now: DateTime<Utc>,
    ) -> Result<(), EngineError> {
        if !is_somebody_elses(first_seen) {
            return Ok(());
        }
        // A run that failed, because Hero's file was not there yet say, knows nothing of what came meanwhile.
        let last = self.ledger(move |ledger| ledger.last_success(job)).await?.and_then(|run| run.finished_at);
        if last.is_none() || last <= self.nothing_known_before(setup, job).await? {
            return Ok(());
        }
        let FirstSeen { rows, standing } = first_seen;
        let seen = Seen::Rows { path: path.to_owned(), rows, standing };
        Err(self.pause_job(job, &configured_path(setup, job), &seen, now).await?)
    }

    /// The moment before which nothing is known of what stands at the other side.
    async fn nothing_known_before(
        &self,
        setup: &Setup,
        job: JobId,
    ) -> Result<Option<DateTime<Utc>>, EngineError> {
        let confirmed = hand_over(setup, job).map(|hand_over| hand_over.confirmed_at);
        Ok(confirmed.max(self.restored_at().await?))
    }

    /// Pauses a job, at once with what is told of it; why it is paused. `file` is the path as it is configured.
    async fn pause_job(
        &self,
        job: JobId,
        file: &str,
        seen: &Seen,
        now: DateTime<Utc>,
    ) -> Result<EngineError, EngineError> {
        let _saving = self.saving_setup.lock().await;
        let setup = self.setup().await?;
        let record = record(&setup, job);
        let cause = seen.cause(job, &record);
        tracing::warn!(%job, code = cause.code, "another sender is active: the job is paused");
        let view =
            OtherSenderView { job, record, path: seen.path().to_owned(), since: now, cause: cause.clone() };
        let new = Paused { view, file: file.to_owned() };
        let (mut kept, over): (Vec<Paused>, Vec<Paused>) = self
            .paused_jobs()
            .await?
            .into_iter()
            .partition(|known| known.view.job != job && known.is_ours(&setup));
        let mut happenings: Vec<Happening> =
            over.iter().map(|known| Happening::InOrder(known.subject())).collect();
        happenings.push(new.begins(&setup));
        kept.push(new);
        kept.sort_by_key(|known| known.view.job);
        self.note_beside(happenings, now, Some((OTHER_SENDER, text(&kept)))).await?;
        Ok(EngineError::OtherSender(Box::new(cause)))
    }

    /// Keeps a set-up in which a person has given their word that nobody else does a job. With it the job's pause ends.
    pub(crate) async fn keep_word(&self, setup: Setup, job: JobId) -> Result<(), EngineError> {
        self.end_pauses(Some(setup), |paused| paused.view.job == job).await
    }

    /// Ends the pauses of jobs that are no longer this program's to do.
    pub(crate) async fn end_foreign_pauses(&self, setup: &Setup) -> Result<(), EngineError> {
        self.end_pauses(None, |paused| !paused.is_ours(setup)).await
    }

    async fn end_pauses(
        &self,
        setup: Option<Setup>,
        is_over: impl Fn(&Paused) -> bool,
    ) -> Result<(), EngineError> {
        let (over, kept): (Vec<Paused>, Vec<Paused>) =
            self.paused_jobs().await?.into_iter().partition(|paused| is_over(paused));
        if over.is_empty() && setup.is_none() {
            return Ok(());
        }
        let happenings = over.iter().map(|paused| Happening::InOrder(paused.subject())).collect();
        let values = if over.is_empty() { Vec::new() } else { vec![(OTHER_SENDER, text(&kept))] };
        self.note_beside_with(happenings, Utc::now(), Kept { values, setup, ..Kept::default() }).await?;
        self.wake_sending();
        Ok(())
    }
}

/// Jobs of which something was kept that can't be read.
#[derive(Debug, Default)]
struct Unreadable {
    named: BTreeSet<JobId>,
    /// Whose it is can't be read either: any job's at Hero.
    any: bool,
}

impl Unreadable {
    fn is_empty(&self) -> bool {
        self.named.is_empty() && !self.any
    }

    fn jobs(self, setup: &Setup) -> BTreeSet<JobId> {
        let mut jobs = self.named;
        if self.any {
            jobs.extend(jobs_at_hero(setup));
        }
        jobs
    }
}

/// The paused jobs of a kept value. Earlier versions noticed another sender and went on: an entry of theirs, which has no
/// `file`, is no pause, and nobody was told of one. What can't be read says that somebody else was noticed all the same.
fn kept_in(text: &str) -> (Vec<Paused>, Unreadable) {
    let entries = match serde_json::from_str::<Vec<serde_json::Value>>(text) {
        Ok(entries) => entries,
        Err(_) if text.trim().is_empty() => Vec::new(),
        Err(_) => vec![serde_json::Value::Null],
    };
    let mut paused: Vec<Paused> = Vec::new();
    let mut unreadable = Unreadable::default();
    for entry in entries {
        if let Ok(known) = Paused::deserialize(&entry) {
            paused.push(known);
        } else if entry.get("file").is_some() || OtherSenderView::deserialize(&entry).is_err() {
            match entry.get("job").map(JobId::deserialize) {
                Some(Ok(job)) => _ = unreadable.named.insert(job),
                _ => unreadable.any = true,
            }
        }
    }
    (paused, unreadable)
}

/// The exports and imports of all accounts.
fn jobs_at_hero(setup: &Setup) -> impl Iterator<Item = JobId> {
    let of_hero = |job: &JobId| ExportKind::of(job.kind()).is_some() || job.kind() == Job::HeroAttendance;
    setup.possible_jobs().into_iter().filter(of_hero)
}

/// The path of a job's file as it is configured; empty where there is no such account.
fn configured_path(setup: &Setup, job: JobId) -> String {
    let account = setup.hero.account(job.account());
    account.map_or_else(String::new, |account| match ExportKind::of(job.kind()) {
        Some(kind) => account.export(kind).path.clone(),
        None => account.attendance.path.clone(),
    })
}

fn text(paused: &[Paused]) -> String {
    serde_json::to_string(paused).unwrap_or_default()
}

fn hand_over(setup: &Setup, job: JobId) -> Option<&HandOver> {
    let account = setup.hero.account(job.account())?;
    match (ExportKind::of(job.kind()), job.kind()) {
        (Some(kind), _) => account.export(kind).hand_over.as_ref(),
        (None, Job::HeroAttendance) => account.attendance.hand_over.as_ref(),
        (None, _) => None,
    }
}

/// The record in PowerSchool that was to be turned off: as it was named then, or as it would be called.
pub(crate) fn record(setup: &Setup, job: JobId) -> String {
    let named =
        hand_over(setup, job).map(|hand_over| hand_over.record.trim()).filter(|name| !name.is_empty());
    named.map_or_else(|| crate::notices::record_name(setup, job), str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::all_of_many(40, 40, true)]
    #[case::four_fifths(10, 8, true)]
    #[case::fewer(10, 7, false)]
    #[case::few_rows(4, 4, false)]
    #[case::just_enough(5, 5, true)]
    #[case::none(40, 0, false)]
    fn a_row_or_two_may_be_a_teachers(#[case] rows: u64, #[case] standing: u64, #[case] is: bool) {
        assert_eq!(is_somebody_elses(FirstSeen { rows, standing }), is);
    }

    #[test]
    fn what_an_earlier_version_noticed_is_no_pause() {
        let cause =
            serde_json::json!({"code": "hero.other_sender", "message": "It is.", "remedy": "Turn it off."});
        let noticed = serde_json::json!({
            "job": "hero-students", "record": "Hero Student Info", "path": "imports/STUDENT.TXT",
            "since": "2026-11-17T09:00:00Z", "last_seen": "2026-11-18T09:00:00Z", "cause": cause,
        });
        let view = OtherSenderView {
            job: JobId::HERO_TEACHERS,
            record: "Hero Teacher Info".to_owned(),
            path: "imports/TEACHER.txt".to_owned(),
            since: DateTime::UNIX_EPOCH,
            cause: serde_json::from_value(cause).unwrap(),
        };
        let kept = Paused { view, file: "imports/TEACHER.txt".to_owned() };
        let both = serde_json::json!([noticed, kept]).to_string();
        let (paused, unreadable) = kept_in(&both);
        assert_eq!(paused.iter().map(|paused| paused.view.job).collect::<Vec<_>>(), [JobId::HERO_TEACHERS]);
        assert!(unreadable.is_empty());
    }

    const ALL: &[JobId] =
        &[JobId::HERO_STUDENTS, JobId::HERO_SCHEDULE, JobId::HERO_TEACHERS, JobId::HERO_ATTENDANCE];

    #[rstest]
    #[case::nothing("", &[])]
    #[case::nobody("[]", &[])]
    #[case::no_list("no list", ALL)]
    #[case::no_job("[7]", ALL)]
    #[case::a_job_that_is_not_known(r#"[{"job": "hero-parents", "file": "imports/PARENT.TXT"}]"#, ALL)]
    #[case::only_its_job(r#"[{"job": "hero-students", "file": "imports/STUDENT.TXT"}]"#, &[JobId::HERO_STUDENTS])]
    #[case::neither_this_versions_nor_an_earlier_ones(r#"[{"job": "hero-attendance"}]"#, &[JobId::HERO_ATTENDANCE])]
    fn what_cant_be_read_is_of_its_job_or_of_any(#[case] kept: &str, #[case] of: &[JobId]) {
        let (paused, unreadable) = kept_in(kept);
        assert!(paused.is_empty(), "{paused:?}");
        assert_eq!(unreadable.is_empty(), of.is_empty());
        assert_eq!(unreadable.jobs(&Setup::default()).into_iter().collect::<Vec<_>>(), of);
    }
}
