//! What held rows of Hero's export state, for a person who decides about them. The next export that holds a row decides it:
//! of what Hero states about one record the latest counts, and a kept row can't tell whether something came after it.

use rosterbridge_domain::job::AccountId;
use rosterbridge_hero::AttendanceRow;
use rosterbridge_store::ledger::{RowHash, RunId};
use serde::{Deserialize, Serialize};

use super::{Import, SOURCE};
use crate::{engine::Engine, error::EngineError};

/// What a held row states, and of which account's file it is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KeptImportRow {
    account: AccountId,
    pub(crate) row: AttendanceRow,
}

impl Engine {
    /// Whether a person asked for held rows: an export is looked through for them then, also when it has no news.
    pub(crate) async fn are_imports_asked_for(&self) -> Result<bool, EngineError> {
        Ok(!self.ledger(|ledger| ledger.asked_for(SOURCE)).await?.is_empty())
    }

    /// Keeps what those rows of an import state that a run has held, so that a person can decide about them.
    pub(crate) async fn keep_import_rows(&self, import: &Import, run: RunId) -> Result<(), EngineError> {
        let unkept = self.ledger(move |ledger| ledger.held_unkept(SOURCE, run)).await?;
        let rows: Vec<(RowHash, String)> = unkept
            .into_iter()
            .filter_map(|(row_hash, raw)| {
                let kept = KeptImportRow { account: import.account, row: import.stated(&raw)? };
                Some((row_hash, serde_json::to_string(&kept).ok()?))
            })
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        self.ledger(move |ledger| ledger.keep_fields(SOURCE, &rows)).await
    }
}
