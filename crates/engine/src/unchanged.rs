//! Files that are as they were: what goes into them is the same as before, so they need not be put together to know their
//! content; and where the other side still has them as they were sent, they need not be sent again.

use std::{sync::Arc, time::UNIX_EPOCH};

use chrono::{DateTime, Utc};
use rosterbridge_domain::{
    job::{FileReceipt, Job},
    settings::{HeroSettings, Setup},
};
use rosterbridge_sftp::{Entry, RemoteFile, Session};
use rosterbridge_store::{Ledger, Roster, StoreError, ledger::RunId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{engine::Engine, error::EngineError, tally::Schools};

/// What sending files takes of a run.
#[derive(Clone, Copy)]
pub(crate) struct Sending<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) roster: &'a Arc<Roster>,
    pub(crate) run: RunId,
    pub(crate) now: DateTime<Utc>,
    /// The district's.
    pub(crate) zone: chrono_tz::Tz,
    pub(crate) cancel: &'a CancellationToken,
}

/// What a job's files came to, and from what. It only repeats what putting them together would show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    /// A digest of all that the content depends on.
    pub(crate) from: String,
    /// Of each file.
    pub(crate) files: Vec<FileReceipt>,
    /// What a person should know about them.
    pub(crate) notes: Vec<String>,
    /// The rows that were looked at: where only changes are sent, more than the files have.
    #[serde(default)]
    pub(crate) rows: u64,
}

/// What a job's files come to, and the rows of each school by school.
pub(crate) type MadeBefore = (Made, Vec<Schools>);

/// A file as Hero's server had it right after it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct AtHero {
    account: String,
    sha256: String,
    size: u64,
    /// Last change in the server's clock, seconds since 1970.
    modified: u64,
}

/// A digest of all that a job's files depend on; `None` where that can't be told. Roster files for Raptor depend on what
/// Raptor has, too: `accepted` names it.
pub(crate) fn made_from(job: Job, roster: &Roster, setup: &Setup, accepted: Option<&str>) -> Option<String> {
    let raptor = &setup.raptor;
    let settings = serde_json::json!({
        "job": job,
        "program": env!("CARGO_PKG_VERSION"),
        "roster": roster.content()?,
        "summer": setup.summer,
        "schools": setup.hero.schools,
        "buildings": setup.mappings.buildings,
        "raptor": accepted.map(|accepted| (accepted, &raptor.roster, &raptor.folder, &raptor.connection)),
    });
    Some(hex::encode(Sha256::digest(settings.to_string())))
}

impl Engine {
    /// What a job's files come to, with their rows school by school, if they are made from the same as the ones the other
    /// side accepted last.
    pub(crate) async fn made_before(
        &self,
        job: Job,
        from: Option<&str>,
    ) -> Result<Option<MadeBefore>, EngineError> {
        let Some(from) = from.map(str::to_owned) else { return Ok(None) };
        self.ledger(move |ledger| {
            let Some(made) = made_of(ledger, job, &from)? else { return Ok(None) };
            let mut schools = Vec::new();
            for receipt in &made.files {
                let accepted = ledger.last_upload(job, &receipt.name)?;
                if !accepted.is_some_and(|upload| upload.receipt == *receipt) {
                    return Ok(None);
                }
                schools.push(ledger.last_upload_by_school(job, &receipt.name)?);
            }
            Ok(Some((made, schools)))
        })
        .await
    }

    /// Remembers what a job's files came to, where it can be told what they are made from.
    pub(crate) async fn remember_made(&self, job: Job, made: Option<Made>) -> Result<(), EngineError> {
        let Some(made) = made else { return Ok(()) };
        let text = serde_json::to_string(&made).unwrap_or_default();
        self.ledger(move |ledger| {
            let key = made_key(job);
            // Every write waits for the disk.
            if ledger.value(&key)?.as_ref() == Some(&text) { Ok(()) } else { ledger.set_value(&key, &text) }
        })
        .await
    }

    /// Whether Hero's server has a file as it was right after it was sent last.
    pub(crate) async fn still_at_hero(
        &self,
        receipt: &FileReceipt,
        hero: &HeroSettings,
        session: &Session,
    ) -> Result<bool, EngineError> {
        let key = at_hero_key(&receipt.name);
        let text = self.ledger(move |ledger| ledger.value(&key)).await?.unwrap_or_default();
        let Ok(then) = serde_json::from_str::<AtHero>(&text) else { return Ok(false) };
        let now = session.stat(&RemoteFile::parse(&receipt.name)?).await?;
        Ok(at_hero(hero, receipt, now).as_ref() == Some(&then))
    }

    /// Remembers how Hero's server has a file that was just sent.
    pub(crate) async fn remember_at_hero(
        &self,
        receipt: &FileReceipt,
        hero: &HeroSettings,
        session: &Session,
    ) -> Result<(), EngineError> {
        // The file is there. Where the server does not tell more of it, it is sent every time.
        let found = session.stat(&RemoteFile::parse(&receipt.name)?).await.ok().flatten();
        let Some(found) = at_hero(hero, receipt, found) else { return Ok(()) };
        let (key, text) = (at_hero_key(&receipt.name), serde_json::to_string(&found).unwrap_or_default());
        self.ledger(move |ledger| ledger.set_value(&key, &text)).await
    }

    /// When these very contents were accepted, the first of them, if all were on the day it is in the district.
    pub(crate) async fn sent_today(
        &self,
        job: Job,
        receipts: &[FileReceipt],
        now: DateTime<Utc>,
        zone: chrono_tz::Tz,
    ) -> Result<Option<DateTime<Utc>>, EngineError> {
        let receipts = receipts.to_vec();
        self.ledger(move |ledger| {
            let mut oldest: Option<DateTime<Utc>> = None;
            for receipt in receipts {
                let last = ledger.last_upload(job, &receipt.name)?.filter(|upload| upload.receipt == receipt);
                let Some(at) = last.map(|upload| upload.uploaded_at).filter(|at| is_of_today(*at, now, zone))
                else {
                    return Ok(None);
                };
                oldest = Some(oldest.map_or(at, |oldest| oldest.min(at)));
            }
            Ok(oldest)
        })
        .await
    }
}

/// What a job's files came to last, if that was from the same.
pub(crate) fn made_of(ledger: &Ledger, job: Job, from: &str) -> Result<Option<Made>, StoreError> {
    let text = ledger.value(&made_key(job))?.unwrap_or_default();
    Ok(serde_json::from_str::<Made>(&text).ok().filter(|made| made.from == from))
}

/// Whether a file sent then need not be sent again: the first exchange of a day sends it in any case, so whoever watches the
/// other side sees it arrive every day.
fn is_of_today(sent_at: DateTime<Utc>, now: DateTime<Utc>, zone: chrono_tz::Tz) -> bool {
    let day = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
    // A clock that was set back says nothing.
    sent_at <= now && day(sent_at) == day(now)
}

/// What a person is told of files that are not sent again.
pub(crate) fn note(sent_at: DateTime<Utc>) -> String {
    format!("Nothing has changed since {} UTC, so it was not sent again.", sent_at.format("%Y-%m-%d %H:%M"))
}

/// How the server has a file; `None` where it does not have it whole, or does not tell.
fn at_hero(hero: &HeroSettings, receipt: &FileReceipt, found: Option<Entry>) -> Option<AtHero> {
    let found = found.filter(|found| found.size == receipt.bytes)?;
    let since = found.modified?.duration_since(UNIX_EPOCH).ok()?;
    let account = format!("{}@{}:{}", hero.username, hero.host, hero.port);
    Some(AtHero { account, sha256: receipt.sha256.clone(), size: found.size, modified: since.as_secs() })
}

fn made_key(job: Job) -> String {
    format!("made.{}", job.as_str())
}

fn at_hero_key(name: &str) -> String {
    format!("at_hero.{name}")
}

#[cfg(test)]
mod tests {
    use chrono_tz::America::Chicago;
    use rstest::rstest;

    use super::*;

    /// Chicago is six hours behind UTC in November, five in October; its clocks go back on 2026-11-01 at 07:00Z and forward
    /// on 2027-03-14 at 08:00Z.
    #[rstest]
    #[case::at_once("2026-11-18T15:00:00Z", "2026-11-18T15:00:00Z", true)]
    #[case::in_the_evening("2026-11-18T15:00:00Z", "2026-11-19T05:59:59Z", true)]
    #[case::at_midnight("2026-11-18T15:00:00Z", "2026-11-19T06:00:00Z", false)]
    #[case::the_night_after_a_morning("2026-11-16T15:00:00Z", "2026-11-17T09:10:00Z", false)]
    #[case::a_nightly_run_that_is_earlier("2026-11-17T09:10:20Z", "2026-11-18T09:10:00Z", false)]
    #[case::two_days_of_utc("2026-11-18T23:30:00Z", "2026-11-19T00:30:00Z", true)]
    #[case::two_days_in_one_of_utc("2026-11-18T05:30:00Z", "2026-11-18T06:30:00Z", false)]
    #[case::a_day_of_25_hours("2026-11-01T05:00:00Z", "2026-11-02T05:59:59Z", true)]
    #[case::after_a_day_of_25_hours("2026-11-01T05:00:00Z", "2026-11-02T06:00:00Z", false)]
    #[case::a_day_of_23_hours("2027-03-14T06:00:00Z", "2027-03-15T04:59:59Z", true)]
    #[case::after_a_day_of_23_hours("2027-03-14T06:00:00Z", "2027-03-15T05:00:00Z", false)]
    #[case::the_clock_was_set_back("2026-11-18T15:00:01Z", "2026-11-18T15:00:00Z", false)]
    #[case::the_same_day_a_year_later("2026-11-18T15:00:00Z", "2027-11-18T15:00:00Z", false)]
    fn once_a_day_a_file_is_sent_in_any_case(
        #[case] sent_at: DateTime<Utc>,
        #[case] now: DateTime<Utc>,
        #[case] skipped: bool,
    ) {
        assert_eq!(is_of_today(sent_at, now, Chicago), skipped);
    }
}
