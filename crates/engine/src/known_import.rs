//! Hero's attendance export when it is the one of an earlier run, every row of which is dealt with.
//!
//! A Hero row whose code the source stated last is a no-op whatever PowerSchool holds: see
//! [`judge`](rosterbridge_domain::attendance::judge). So a file of nothing but such rows comes to the same again as long
//! as the file, what its rows are looked up in, and the statements are the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::SystemTime,
};

use rosterbridge_domain::{
    attendance::{NoOpReason, Source},
    job::{FileReceipt, JobId},
    settings::Setup,
};
use rosterbridge_sftp::{RemoteFile, Session};
use rosterbridge_store::{
    Roster,
    ledger::{DecisionOutcome, HeldId},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{attendance::AttendancePlan, engine::Engine, error::EngineError, report::PlanView};

/// The ledger's value that holds the import of a job.
fn key(job: JobId) -> String {
    let first = JobId::HERO_ATTENDANCE;
    if job == first { "known_import".to_owned() } else { format!("known_import.{job}") }
}

/// An import that changed nothing.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KnownImport {
    /// A digest of all that its rows are looked up in.
    from: String,
    /// [`Ledger::stated_revision`].
    stated: String,
    /// The rows that people had asked for when it was looked through: none of them is in it.
    #[serde(default)]
    looked_for: BTreeSet<HeldId>,
    pub(crate) file: FileReceipt,
    pub(crate) plan: PlanView,
    /// The last change of the file at hand, in the server's clock, where the server says.
    #[serde(skip)]
    pub(crate) modified: Option<SystemTime>,
}

/// What an import's rows are judged by, as it was before they were.
pub(crate) struct Grounds {
    job: JobId,
    from: Option<String>,
    stated: String,
    /// The held rows that people ask for: an export is looked through for them once, also when it has no news.
    asked_for: BTreeSet<HeldId>,
}

impl Engine {
    /// What the rows of Hero's export are judged by now.
    pub(crate) async fn grounds(
        &self,
        job: JobId,
        roster: &Roster,
        setup: &Setup,
        zone: chrono_tz::Tz,
    ) -> Result<Grounds, EngineError> {
        let (stated, asked_for, fixes) = self
            .ledger(|ledger| {
                let asked_for = ledger.asked_for(Source::Hero)?.into_values().collect();
                Ok((ledger.stated_revision()?, asked_for, ledger.held_fixes(Source::Hero)?))
            })
            .await?;
        let fixes: BTreeMap<String, String> =
            fixes.into_iter().map(|(row, fix)| (hex::encode(row), fix)).collect();
        let from = roster.content().map(|content| {
            let all = serde_json::json!({
                "program": env!("CARGO_PKG_VERSION"),
                "roster": content,
                "hero": setup.hero,
                "mappings": setup.mappings,
                "attendance": setup.attendance,
                "zone": zone.name(),
                "fixes": fixes,
            });
            hex::encode(Sha256::digest(all.to_string()))
        });
        Ok(Grounds { job, from, stated, asked_for })
    }

    /// The export on Hero's server, if it is known that none of its rows has anything to say.
    pub(crate) async fn known_import(
        &self,
        grounds: &Grounds,
        file: &RemoteFile,
        session: &Session,
    ) -> Result<Option<KnownImport>, EngineError> {
        let key = key(grounds.job);
        let text = self.ledger(move |ledger| ledger.value(&key)).await?.unwrap_or_default();
        let known = serde_json::from_str::<KnownImport>(&text).ok().filter(|known| {
            Some(&known.from) == grounds.from.as_ref()
                && known.stated == grounds.stated
                && grounds.asked_for.is_subset(&known.looked_for)
        });
        let Some(known) = known else { return Ok(None) };
        session.require_folder(file.folder()).await?;
        if session.stat(file).await?.is_none_or(|found| found.size != known.file.bytes) {
            return Ok(None);
        }
        let (downloaded, _) = session.download(file, io::sink()).await?;
        // Another day's file may say the same.
        let receipt = FileReceipt { name: file.to_string(), ..known.file.clone() };
        Ok((downloaded.sha256 == known.file.sha256).then_some(KnownImport {
            file: receipt,
            modified: downloaded.modified,
            ..known
        }))
    }

    /// Remembers an import that changed nothing.
    pub(crate) async fn remember_import(
        &self,
        grounds: Grounds,
        file: FileReceipt,
        plan: PlanView,
    ) -> Result<(), EngineError> {
        let Some(from) = grounds.from else { return Ok(()) };
        let key = key(grounds.job);
        let (stated, looked_for) = (grounds.stated, grounds.asked_for);
        let known = KnownImport { from, stated, looked_for, file, plan, modified: None };
        let text = serde_json::to_string(&known).unwrap_or_default();
        self.ledger(move |ledger| ledger.set_value(&key, &text)).await
    }
}

/// The file of a plan in which every row states what was stated last, or is overtaken by another one of the file.
pub(crate) fn without_news(job: JobId, plan: &AttendancePlan) -> Option<(FileReceipt, PlanView)> {
    use NoOpReason::{AlreadyDelivered, AlreadyStated, Superseded};
    let [input] = plan.inputs.as_slice() else { return None };
    let says_nothing = input.decisions.iter().all(|decision| {
        let DecisionOutcome::NoOp { reason, .. } = &decision.outcome else { return false };
        matches!(reason, AlreadyStated | AlreadyDelivered | Superseded)
    });
    says_nothing.then(|| {
        let file = FileReceipt {
            name: input.name.clone(),
            rows: input.rows,
            bytes: input.bytes,
            sha256: input.sha256.clone(),
        };
        (file, PlanView::of_attendance(job, plan))
    })
}
