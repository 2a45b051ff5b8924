//! What happened to the Raptor integration, and how its status came about.

use chrono::{DateTime, Utc};
use rosterbridge_domain::{
    integration::{IntegrationEvent, IntegrationStatus},
    settings::Setup,
};
use rusqlite::{OptionalExtension, Transaction, params};

use super::{Cause, Ledger, RunId};
use crate::{
    StoreError,
    database::{from_instant, to_instant},
};

/// Something that happened to the integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// When, to the millisecond.
    pub at: DateTime<Utc>,
    /// The status before.
    pub from: IntegrationStatus,
    /// The status after: the same one where there is no rule, or the rule is that it stays.
    pub to: IntegrationStatus,
    /// What happened.
    pub event: IntegrationEvent,
    /// Why, in sentences.
    pub because: String,
    /// What failed, where something did.
    pub cause: Option<Cause>,
    /// The run it happened in.
    pub run: Option<RunId>,
}

/// What is kept at once: all of it, or nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Together<'a> {
    /// Small facts by their names.
    pub values: &'a [(&'a str, &'a str)],
    /// What is configured from now on.
    pub setup: Option<&'a Setup>,
    /// What happened to the integration.
    pub status_change: Option<&'a StatusChange>,
}

impl Ledger {
    /// Keeps several things at once. Something that leaves the integration's status as it is, is listed once for as long as
    /// the status stays: what fails every few minutes would drown everything else.
    pub fn keep_together(&self, together: Together<'_>) -> Result<(), StoreError> {
        let setup = together
            .setup
            .map(|setup| serde_json::to_string(setup).map_err(|_| StoreError::unreadable("setup.json")))
            .transpose()?;
        self.transaction(|transaction| {
            for (name, value) in together.values {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO facts (name, value) VALUES (?1, ?2)")?
                    .execute([name, value])?;
            }
            if let Some(json) = setup {
                transaction.execute("INSERT OR REPLACE INTO setup (id, json) VALUES (1, ?1)", [json])?;
            }
            if let Some(change) = together.status_change
                && (change.from != change.to || !is_known(transaction, change)?)
            {
                insert(transaction, change)?;
            }
            Ok(())
        })
    }

    /// What happened to the integration, latest first: at most `limit`, and only what was before `before`, by its id.
    pub fn status_changes(
        &self,
        limit: u32,
        before: Option<i64>,
    ) -> Result<Vec<(i64, StatusChange)>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT id, at, from_status, to_status, event, because, cause, run FROM status_changes
             WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let mut rows = statement.query(params![before.unwrap_or(i64::MAX), limit])?;
        let mut changes = Vec::new();
        while let Some(row) = rows.next()? {
            let cause: Option<String> = row.get(6)?;
            let change = StatusChange {
                at: to_instant(row.get(1)?)?,
                from: status(&row.get::<_, String>(2)?)?,
                to: status(&row.get::<_, String>(3)?)?,
                event: event(&row.get::<_, String>(4)?)?,
                because: row.get(5)?,
                cause: cause
                    .map(|json| {
                        serde_json::from_str(&json)
                            .map_err(|_| StoreError::unreadable("status_changes.cause"))
                    })
                    .transpose()?,
                run: row.get(7)?,
            };
            changes.push((row.get(0)?, change));
        }
        Ok(changes)
    }

    /// Since when the integration has the status it has; `None` where it never changed.
    pub fn status_since(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT at FROM status_changes WHERE from_status <> to_status ORDER BY id DESC LIMIT 1",
        )?;
        let at: Option<i64> = statement.query_row([], |row| row.get(0)).optional()?;
        at.map(to_instant).transpose()
    }
}

/// Whether the same has happened since the status last changed: the same event with the same code, if it failed.
fn is_known(transaction: &Transaction<'_>, change: &StatusChange) -> Result<bool, StoreError> {
    let mut statement = transaction.prepare_cached(
        "SELECT 1 FROM status_changes
         WHERE id > ifnull((SELECT max(id) FROM status_changes WHERE from_status <> to_status), 0)
             AND to_status = ?1 AND event = ?2 AND json_extract(cause, '$.code') IS ?3",
    )?;
    let code = change.cause.as_ref().map(|cause| cause.code.as_str());
    Ok(statement.exists(params![change.to.as_str(), change.event.as_str(), code])?)
}

fn insert(transaction: &Transaction<'_>, change: &StatusChange) -> Result<(), StoreError> {
    let cause = change
        .cause
        .as_ref()
        .map(|cause| serde_json::to_string(cause).map_err(|_| StoreError::unreadable("status_changes.cause")))
        .transpose()?;
    transaction
        .prepare_cached(
            "INSERT INTO status_changes (at, from_status, to_status, event, because, cause, run)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            from_instant(change.at),
            change.from.as_str(),
            change.to.as_str(),
            change.event.as_str(),
            change.because,
            cause,
            change.run,
        ])?;
    Ok(())
}

fn status(name: &str) -> Result<IntegrationStatus, StoreError> {
    IntegrationStatus::ALL
        .into_iter()
        .find(|status| status.as_str() == name)
        .ok_or_else(|| StoreError::unreadable("status_changes.to_status"))
}

fn event(name: &str) -> Result<IntegrationEvent, StoreError> {
    IntegrationEvent::ALL
        .into_iter()
        .find(|event| event.as_str() == name)
        .ok_or_else(|| StoreError::unreadable("status_changes.event"))
}
