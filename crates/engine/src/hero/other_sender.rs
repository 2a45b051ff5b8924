//! Noticing that PowerSchool's AutoSend or AutoComm still does what is this program's to do. It is told, and nothing stops.
//!
//! Of an export: its file at Hero is another one than it was right after it was sent from here. Of the import: most rows
//! that were never seen before stand in PowerSchool already, though nobody wrote them from here. A row or two may be a
//! teacher's. Nothing is made of the first run, nor of what was sent or taken in before the ledger was restored or before
//! the hand-over was confirmed.

use chrono::{DateTime, TimeDelta, Utc};
use rosterbridge_domain::{
    job::{Job, JobId, Outcome},
    notice::{Alert, AlertKind, AlertSubject, Happening, Reason},
    settings::{ExportKind, HandOver, Owner, Setup},
};

use super::Place;
use crate::{
    attendance::FirstSeen,
    engine::Engine,
    error::{EngineError, sentence},
    report::{Cause, OtherSenderView},
    unchanged::AsLeft,
};

/// The ledger's value that holds who else was noticed.
const OTHER_SENDER: &str = "other_sender";

/// How long nothing is to be seen of somebody else before it counts as over: AutoSend does not run at weekends.
const OVER_AFTER: TimeDelta = TimeDelta::days(4);

/// Fewer rows than these may be a teacher's.
const LEAST_ROWS: u64 = 5;
/// The share of the rows never seen before, in percent, that stands in PowerSchool already.
const ROWS_PERCENT: u64 = 80;

/// What somebody else was seen to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum OtherSender {
    /// It sends an export.
    #[error("AutoSend is still running: {path} is another one than RosterBridge sent last")]
    AutoSend {
        /// The file.
        path: String,
        /// The record to be turned off.
        record: String,
    },
    /// It takes the import in.
    #[error("AutoComm is still running: of {rows} new rows of {path}, PowerSchool had {standing} already")]
    AutoComm {
        /// The file.
        path: String,
        /// The record to be turned off.
        record: String,
        /// Rows that were never seen before.
        rows: u64,
        /// Those of them that stood in PowerSchool.
        standing: u64,
    },
}

impl OtherSender {
    const fn code(&self) -> &'static str {
        match self {
            Self::AutoSend { .. } | Self::AutoComm { .. } => "hero.other_sender",
        }
    }

    fn remedy(&self) -> String {
        let (menu, record) = match self {
            Self::AutoSend { record, .. } => ("AutoSend Setup", record),
            Self::AutoComm { record, .. } => ("AutoComm Setup", record),
        };
        format!(
            "In PowerSchool open {menu}, then the record '{record}', tick 'Turn Execution Off' and submit. Or give this \
             job back to PowerSchool. Only one of the two may do it."
        )
    }

    fn cause(&self) -> Cause {
        Cause { code: self.code().to_owned(), message: sentence(&self.to_string()), remedy: self.remedy() }
    }
}

/// Whether rows that were never seen before look as if somebody else had taken their file in.
const fn is_somebody_elses(first_seen: FirstSeen) -> bool {
    first_seen.standing >= LEAST_ROWS && first_seen.standing * 100 >= first_seen.rows * ROWS_PERCENT
}

impl Engine {
    /// The exports and imports of this program that somebody else still does as well.
    pub(crate) async fn other_senders(&self, setup: &Setup) -> Result<Vec<OtherSenderView>, EngineError> {
        let possible = setup.possible_jobs();
        let mut others = self.kept_other_senders().await?;
        let is_ours = |job| possible.contains(&job) && setup.owner(job) == Owner::RosterBridge;
        others.retain(|other| is_ours(other.job));
        Ok(others)
    }

    async fn kept_other_senders(&self) -> Result<Vec<OtherSenderView>, EngineError> {
        let text = self.ledger(|ledger| ledger.value(OTHER_SENDER)).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Looks whether the file of an export is still the one that was sent from here last, before it is sent again.
    pub(crate) async fn look_for_other_export(
        &self,
        job: JobId,
        name: &str,
        setup: &Setup,
        place: &Place<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), EngineError> {
        let Place::Server { file, .. } = place else { return Ok(()) };
        let of_job = name.to_owned();
        let sent = self.ledger(move |ledger| ledger.last_upload(job, &of_job)).await?;
        let known = sent.map(|upload| upload.uploaded_at);
        if known.is_none() || known <= self.nothing_known_before(setup, job).await? {
            return Ok(());
        }
        let other = match self.as_left(job, name, place).await? {
            AsLeft::Unknown => return Ok(()),
            AsLeft::Yes => None,
            AsLeft::No => {
                let (path, record) = (file.to_string(), record(setup, job));
                Some((path.clone(), OtherSender::AutoSend { path, record }))
            }
        };
        self.note_other_sender(setup, job, name, other, now).await
    }

    /// Looks whether somebody else has taken Hero's export in. `first_seen` are its rows about records that nothing was
    /// known of here.
    pub(crate) async fn look_for_other_import(
        &self,
        job: JobId,
        path: &str,
        setup: &Setup,
        first_seen: FirstSeen,
        now: DateTime<Utc>,
    ) -> Result<(), EngineError> {
        if first_seen.rows < LEAST_ROWS {
            return Ok(());
        }
        let last = self.ledger(move |ledger| ledger.last_job_run(job)).await?;
        let last = last
            .filter(|run| matches!(run.result.outcome, Outcome::Succeeded | Outcome::SucceededWithHeldRows))
            .and_then(|run| run.finished_at);
        if last.is_none() || last <= self.nothing_known_before(setup, job).await? {
            return Ok(());
        }
        let other = is_somebody_elses(first_seen).then(|| {
            let FirstSeen { rows, standing } = first_seen;
            let (path, record) = (path.to_owned(), record(setup, job));
            (path.clone(), OtherSender::AutoComm { path, record, rows, standing })
        });
        let slot = setup.hero.account(job.account()).map(|account| account.attendance.path.clone());
        self.note_other_sender(setup, job, &slot.unwrap_or_default(), other, now).await
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

    /// Keeps that somebody else was noticed, or that nothing was to be seen of them, at once with what is told of it.
    async fn note_other_sender(
        &self,
        setup: &Setup,
        job: JobId,
        slot: &str,
        other: Option<(String, OtherSender)>,
        now: DateTime<Utc>,
    ) -> Result<(), EngineError> {
        let mut all = self.kept_other_senders().await?;
        let place = all.iter().position(|known| known.job == job);
        let subject = AlertSubject { kind: AlertKind::OtherSender, job, file: slot.to_owned() };
        let told = match (other, place) {
            (None, None) => return Ok(()),
            (None, Some(place)) => {
                if (TimeDelta::zero()..OVER_AFTER).contains(&(now - all[place].last_seen)) {
                    return Ok(());
                }
                all.remove(place);
                Happening::InOrder(subject)
            }
            (Some((path, other)), place) => {
                let (cause, record) = (other.cause(), record(setup, job));
                tracing::warn!(%job, code = cause.code, "somebody else does what is to be done from here");
                let since = place.map_or(now, |place| all.remove(place).since);
                let zone = setup
                    .jobs
                    .iter()
                    .find(|settings| settings.job == job)
                    .and_then(|settings| settings.schedule);
                let day = zone.map_or(now.date_naive(), |schedule| schedule.local_date(now));
                let reason = Reason { code: cause.code.clone(), remedy: cause.remedy.clone() };
                let alert = Alert { subject, day, what: cause.message.clone(), reason };
                all.push(OtherSenderView { job, record, path, since, last_seen: now, cause });
                all.sort_by_key(|known| known.job);
                Happening::Alerted(alert)
            }
        };
        let text = serde_json::to_string(&all).unwrap_or_default();
        self.note_beside(vec![told], now, Some((OTHER_SENDER, text))).await
    }
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
fn record(setup: &Setup, job: JobId) -> String {
    let named =
        hand_over(setup, job).map(|hand_over| hand_over.record.trim()).filter(|name| !name.is_empty());
    named.map_or_else(|| crate::notices::record_name(setup, job), str::to_owned)
}

#[cfg(test)]
mod tests {
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
}
