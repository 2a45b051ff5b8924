//! Set-up, small facts, sealed secrets and files seen.

use chrono::{DateTime, Utc};
use rosterbridge_domain::{attendance::Source, settings::Setup};
use rusqlite::{OptionalExtension, params};

use super::{Ledger, RunId};
use crate::{StoreError, database::from_instant};

impl Ledger {
    /// What is configured; `None` before the first set-up.
    pub fn setup(&self) -> Result<Option<Setup>, StoreError> {
        let json: Option<String> =
            self.lock().query_row("SELECT json FROM setup", [], |row| row.get(0)).optional()?;
        json.map(|json| serde_json::from_str(&json).map_err(|_| StoreError::unreadable("setup.json")))
            .transpose()
    }

    /// Replaces what is configured.
    pub fn save_setup(&self, setup: &Setup) -> Result<(), StoreError> {
        let json = serde_json::to_string(setup).map_err(|_| StoreError::unreadable("setup.json"))?;
        self.lock().execute("INSERT OR REPLACE INTO setup (id, json) VALUES (1, ?1)", [json])?;
        Ok(())
    }

    /// A small fact of the engine's, under the name it was given.
    pub fn value(&self, name: &str) -> Result<Option<String>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached("SELECT value FROM facts WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }

    /// Keeps a small fact, replacing an earlier one of the same name.
    pub fn set_value(&self, name: &str, value: &str) -> Result<(), StoreError> {
        self.lock().execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?1, ?2)", [name, value])?;
        Ok(())
    }

    /// How often what the sources stated has changed: as long as it is the same, so is every record's last statement.
    pub fn stated_revision(&self) -> Result<String, StoreError> {
        Ok(self.value("stated_revision")?.unwrap_or_default())
    }

    /// Keeps several small facts, all or none.
    pub fn set_values(&self, values: &[(&str, &str)]) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            for (name, value) in values {
                transaction
                    .execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?1, ?2)", [name, value])?;
            }
            Ok(())
        })
    }

    /// A sealed secret, as the vault sealed it.
    pub fn sealed_secret(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached("SELECT sealed FROM sealed_secrets WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }

    /// Keeps a sealed secret, replacing an earlier one of the same name.
    pub fn put_sealed_secret(&self, name: &str, sealed: &[u8]) -> Result<(), StoreError> {
        self.lock().execute(
            "INSERT OR REPLACE INTO sealed_secrets (name, sealed) VALUES (?1, ?2)",
            params![name, sealed],
        )?;
        Ok(())
    }

    /// Forgets a sealed secret; whether there was one.
    pub fn delete_sealed_secret(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.lock().execute("DELETE FROM sealed_secrets WHERE name = ?1", [name])? > 0)
    }

    /// The run that first decided a file of this name and content, if any did.
    pub fn file_seen(&self, source: Source, name: &str, sha256: &str) -> Result<Option<RunId>, StoreError> {
        Ok(self
            .lock()
            .query_row(
                "SELECT run FROM files_seen WHERE source = ?1 AND name = ?2 AND sha256 = ?3",
                [source.as_str(), name, sha256],
                |row| row.get(0),
            )
            .optional()?)
    }

    /// Whether a file of this name and content was first decided before `cutoff`. One that never was is not.
    pub fn file_seen_before(
        &self,
        source: Source,
        name: &str,
        sha256: &str,
        cutoff: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT 1 FROM files_seen WHERE source = ?1 AND name = ?2 AND sha256 = ?3 AND first_seen < ?4",
        )?;
        Ok(statement.exists(params![source.as_str(), name, sha256, from_instant(cutoff)])?)
    }

    /// Remembers that every row of a file was decided. The first run that says so stays.
    pub fn mark_file_seen(
        &self,
        source: Source,
        name: &str,
        sha256: &str,
        run: RunId,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.lock().execute(
            "INSERT INTO files_seen (source, name, sha256, run, first_seen) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
            params![source.as_str(), name, sha256, run, from_instant(at)],
        )?;
        Ok(())
    }

    /// Forgets everything that was exchanged with a district, but neither its set-up nor its run history: for a
    /// practice profile that moves to another practice district.
    pub fn forget_exchange(&self) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            transaction.execute_batch(
                "DELETE FROM written; DELETE FROM stated; DELETE FROM outbox; DELETE FROM decisions;
                 DELETE FROM held_rows; DELETE FROM files_seen; DELETE FROM uploads;
                 DELETE FROM traced_rows; DELETE FROM input_files; DELETE FROM put_off_rows; DELETE FROM rows_in_doubt;
                 DELETE FROM raptor_rosters; DELETE FROM raptor_rosters_staged;
                 DELETE FROM export_problems; DELETE FROM watched_files;
                 DELETE FROM facts WHERE name IN ('made.raptor-roster', 'raptor_rosters.accepted_at', 'other_sender')
                     OR name GLOB 'read_whole.*';",
            )?;
            Ok(())
        })
    }
}
