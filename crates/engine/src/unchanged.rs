//! Files that are as they were: what goes into them is the same as before, so they need not be put together to know their
//! content; and where the other side still has them as they were sent, they need not be sent again.

use std::{iter::once, sync::Arc};

use chrono::{DateTime, Utc};
use rosterbridge_domain::{
    job::{AccountId, FileReceipt, JobId},
    settings::{ExportKind, Setup},
};
use rosterbridge_store::{Ledger, Roster, StoreError, ledger::RunId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{engine::Engine, error::EngineError, exports::Export, hero::Place, raptor, tally::Schools};

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

/// A file as the other side had it right after it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct AtHero {
    account: String,
    /// Where, on the day it was sent.
    path: String,
    sha256: String,
    size: u64,
    /// Last change in its clock, seconds since 1970.
    modified: u64,
}

/// Whether the other side has a file as it was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AsLeft {
    /// As it was right after it was sent.
    Yes,
    /// Somebody has written it since.
    No,
    /// Nobody can tell: it is gone, it goes somewhere else now, or how it was left is not known.
    Unknown,
}

/// How much later than it was seen right after it was sent the last change of a file may be told, in seconds: not every
/// server knows it at once.
const SETTLES: u64 = 5;

impl AtHero {
    /// Whether a file that is at a place is this one, or may be. Where the place is another one every day, what was written
    /// there since is somebody else's; what is older may have been sent from here on an earlier day of that name.
    fn judge(&self, account: &str, path: &str, size: u64, modified: u64) -> AsLeft {
        let later = modified > self.modified.saturating_add(SETTLES);
        // Nobody sends an empty file: it was cut off, or is being written.
        if account != self.account || size == 0 {
            AsLeft::Unknown
        } else if path == self.path {
            if size == self.size && !later { AsLeft::Yes } else { AsLeft::No }
        } else if later {
            AsLeft::No
        } else {
            AsLeft::Unknown
        }
    }
}

/// A digest of all that a job's files depend on; `None` where that can't be told. Roster files for Raptor depend on what
/// Raptor has, too: `accepted` names it.
pub(crate) fn made_from(
    job: JobId,
    roster: &Roster,
    setup: &Setup,
    accepted: Option<&str>,
) -> Option<String> {
    let raptor = &setup.raptor;
    let of_hero = match ExportKind::of(job.kind()) {
        Some(_) => Some(Export::of(job, setup, roster.meta().today).ok()?.grounds()),
        None => None,
    };
    let settings = serde_json::json!({
        "job": job,
        "program": env!("CARGO_PKG_VERSION"),
        "roster": roster.content()?,
        "summer": setup.summer,
        "hero": of_hero,
        "buildings": setup.mappings.buildings,
        "raptor": accepted.map(|accepted| (accepted, &raptor.roster, raptor::destination_name(setup))),
    });
    Some(hex::encode(Sha256::digest(settings.to_string())))
}

impl Engine {
    /// What a job's files come to, with their rows school by school, if they are made from the same as the ones the other
    /// side accepted last.
    pub(crate) async fn made_before(
        &self,
        job: JobId,
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
    pub(crate) async fn remember_made(&self, job: JobId, made: Option<Made>) -> Result<(), EngineError> {
        let Some(made) = made else { return Ok(()) };
        let text = serde_json::to_string(&made).unwrap_or_default();
        self.ledger(move |ledger| {
            let key = made_key(job);
            // Every write waits for the disk.
            if ledger.value(&key)?.as_ref() == Some(&text) { Ok(()) } else { ledger.set_value(&key, &text) }
        })
        .await
    }

    /// Whether the other side has a file as it was right after it was sent last.
    pub(crate) async fn still_at_place(
        &self,
        job: JobId,
        receipt: &FileReceipt,
        place: &Place<'_>,
    ) -> Result<bool, EngineError> {
        let key = there_key(job, &receipt.name);
        let text = self.ledger(move |ledger| ledger.value(&key)).await?.unwrap_or_default();
        let Ok(then) = serde_json::from_str::<AtHero>(&text) else { return Ok(false) };
        let (account, found) = place.look().await?;
        Ok(at_hero(account, &place.path(), receipt, found).as_ref() == Some(&then))
    }

    /// Whether the other side has a file as it was right after it was sent last. Another size, or a later change by the
    /// server's own clock, is somebody else's doing; but for `others`, which are this profile's own jobs.
    pub(crate) async fn as_left(
        &self,
        job: JobId,
        others: &[JobId],
        name: &str,
        place: &Place<'_>,
    ) -> Result<AsLeft, EngineError> {
        let keys: Vec<String> = once(&job).chain(others).map(|job| there_key(*job, name)).collect();
        let values = move |ledger: &Ledger| {
            keys.iter().map(|key| ledger.value(key)).collect::<Result<Vec<Option<String>>, StoreError>>()
        };
        let values = self.ledger(values).await?.into_iter();
        let mut left = values.map(|text| serde_json::from_str::<AtHero>(&text?).ok());
        let Some(then) = left.next().flatten() else { return Ok(AsLeft::Unknown) };
        let (account, found) = place.look().await?;
        let Some((size, modified)) = found else { return Ok(AsLeft::Unknown) };
        let path = place.path();
        let judged = |left: &AtHero| left.judge(account, &path, size, modified);
        Ok(match judged(&then) {
            AsLeft::No if left.flatten().any(|left| judged(&left) == AsLeft::Yes) => AsLeft::Unknown,
            judged => judged,
        })
    }

    /// Forgets how the other side had a file that is about to be sent: were the program to end while it is sent, the new one
    /// would look like somebody else's.
    pub(crate) async fn forget_there(&self, job: JobId, name: &str) -> Result<(), EngineError> {
        let key = there_key(job, name);
        self.ledger(move |ledger| {
            if ledger.value(&key)?.is_some_and(|text| !text.is_empty()) {
                ledger.set_value(&key, "")
            } else {
                Ok(())
            }
        })
        .await
    }

    /// Remembers how the other side has a file that was just sent.
    pub(crate) async fn remember_there(
        &self,
        job: JobId,
        receipt: &FileReceipt,
        place: &Place<'_>,
    ) -> Result<(), EngineError> {
        // The file is there. Where the other side does not tell more of it, it is sent every time.
        let Ok((account, found)) = place.look().await else { return Ok(()) };
        let Some(found) = at_hero(account, &place.path(), receipt, found) else { return Ok(()) };
        let (key, text) = (there_key(job, &receipt.name), serde_json::to_string(&found).unwrap_or_default());
        self.ledger(move |ledger| ledger.set_value(&key, &text)).await
    }

    /// When these very contents were accepted, the first of them, if all were on the day it is in the district.
    pub(crate) async fn sent_today(
        &self,
        job: JobId,
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
pub(crate) fn made_of(ledger: &Ledger, job: JobId, from: &str) -> Result<Option<Made>, StoreError> {
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

/// How the other side has a file; `None` where it does not have it whole, or does not tell.
fn at_hero(account: &str, path: &str, receipt: &FileReceipt, found: Option<(u64, u64)>) -> Option<AtHero> {
    let (size, modified) = found.filter(|(size, _)| *size == receipt.bytes)?;
    let (account, path) = (account.to_owned(), path.to_owned());
    Some(AtHero { account, path, sha256: receipt.sha256.clone(), size, modified })
}

fn made_key(job: JobId) -> String {
    format!("made.{job}")
}

/// Every job has a file of its own, and each keeps the key it had when there was one account.
fn there_key(job: JobId, name: &str) -> String {
    if job.account() == AccountId::FIRST {
        format!("at_hero.{name}")
    } else {
        format!("at_hero.{job}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::America::Chicago;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::untouched("hero", "imports/S_18.TXT", 900, 1_000, AsLeft::Yes)]
    #[case::told_a_moment_later("hero", "imports/S_18.TXT", 900, 1_005, AsLeft::Yes)]
    #[case::as_an_older_one("hero", "imports/S_18.TXT", 900, 900, AsLeft::Yes)]
    #[case::written_again("hero", "imports/S_18.TXT", 900, 1_006, AsLeft::No)]
    #[case::another_size("hero", "imports/S_18.TXT", 899, 1_000, AsLeft::No)]
    #[case::emptied("hero", "imports/S_18.TXT", 0, 9_000, AsLeft::Unknown)]
    #[case::another_account("school", "imports/S_18.TXT", 899, 9_000, AsLeft::Unknown)]
    #[case::the_next_days_name_is_taken("hero", "imports/S_19.TXT", 900, 1_006, AsLeft::No)]
    #[case::last_months_of_that_name("hero", "imports/S_19.TXT", 850, 400, AsLeft::Unknown)]
    fn a_file_is_somebody_elses_where_it_was_written_since(
        #[case] account: &str,
        #[case] path: &str,
        #[case] size: u64,
        #[case] modified: u64,
        #[case] judged: AsLeft,
    ) {
        let (account_then, path_then) = ("hero".to_owned(), "imports/S_18.TXT".to_owned());
        let then = AtHero {
            account: account_then,
            path: path_then,
            sha256: "00".to_owned(),
            size: 900,
            modified: 1_000,
        };
        assert_eq!(then.judge(account, path, size, modified), judged);
    }

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
