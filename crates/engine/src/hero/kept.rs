//! What held rows of Hero's export state, for a person who decides about them. The next export that holds a row decides it:
//! of what Hero states about one record the latest counts, and a kept row can't tell whether something came after it.

use std::collections::HashSet;

use rosterbridge_hero::AttendanceRow;
use rosterbridge_store::ledger::{HeldByRun, RowHash, RunId};
use serde::{Deserialize, Serialize};

use super::{Import, SOURCE};
use crate::{engine::Engine, error::EngineError};

/// What a held row states.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KeptImportRow {
    pub(crate) row: AttendanceRow,
}

impl Engine {
    /// Keeps what those of an import's rows state that a run has held, so that a person can decide about them. `rows` are the
    /// rows of its files: the run may have held others, and what is in which column of these another account says.
    pub(crate) async fn keep_import_rows(
        &self,
        import: &Import,
        rows: &HashSet<RowHash>,
        run: RunId,
    ) -> Result<(), EngineError> {
        if rows.is_empty() {
            return Ok(());
        }
        let held = self.ledger(move |ledger| ledger.held_by_run(SOURCE, run)).await?;
        let kept = to_keep(import, rows, held);
        if kept.is_empty() {
            return Ok(());
        }
        self.ledger(move |ledger| ledger.keep_fields(SOURCE, &kept)).await
    }
}

/// What those of `rows` that are held state by the import's columns, where it is not just that which is kept of them.
fn to_keep(import: &Import, rows: &HashSet<RowHash>, held: Vec<HeldByRun>) -> Vec<(RowHash, String)> {
    let of_import = held.into_iter().filter(|held| rows.contains(&held.row_hash));
    let stated = of_import.filter_map(|held| {
        let stated = KeptImportRow { row: import.stated(&held.raw)? };
        let fields = serde_json::to_string(&stated).ok()?;
        (held.fields.as_deref() != Some(fields.as_str())).then_some((held.row_hash, fields))
    });
    stated.collect()
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use rosterbridge_domain::settings::HeroAccount;

    use super::*;

    fn held(row: u8, student: &str, fields: Option<&str>) -> HeldByRun {
        HeldByRun {
            row_hash: [row; 32],
            raw: format!("100\t{student}\tENG9\t1\t11/19/2026\tZZ\tP1"),
            fields: fields.map(str::to_owned),
        }
    }

    /// A row that another account's job had written, and that PowerSchool's answer made a held one in this run, would be
    /// read by the wrong columns.
    #[test]
    fn an_import_reads_the_rows_of_its_own_files_only() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 20).unwrap();
        let import = Import::of(&HeroAccount::default(), day).unwrap();
        let rows = HashSet::from([[1; 32], [3; 32]]);
        let run = vec![held(1, "9001", None), held(2, "9002", None), held(3, "9003", Some("{\"row\":{}}"))];
        let kept = to_keep(&import, &rows, run);
        // What the columns are now counts, whatever they were when the row was held first.
        assert_eq!(kept.iter().map(|(row, _)| row[0]).collect::<Vec<_>>(), [1, 3]);
        assert!(kept[0].1.contains("9001") && kept[1].1.contains("9003"), "{kept:?}");
        assert!(to_keep(&import, &rows, vec![held(1, "9001", Some(&kept[0].1))]).is_empty());
    }
}
