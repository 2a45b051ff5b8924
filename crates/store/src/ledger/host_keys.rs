//! Accepted SSH host keys.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Ledger;
use crate::{
    StoreError,
    database::{from_instant, to_instant},
};

/// An SSH host key a person accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedHostKey {
    /// The server's host name or address, compared without letter case.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// e.g. `ssh-ed25519`. A server can have keys of several types.
    pub algorithm: String,
    /// `SHA256:…` as `ssh-keygen -lf` prints it.
    pub sha256: String,
    /// When it was accepted, to the millisecond.
    pub accepted_at: DateTime<Utc>,
    /// The operating system account that accepted it.
    pub accepted_by: String,
}

/// An accepted key that was replaced because the server has another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKeyReplacement {
    /// The old key, as it was accepted.
    pub old: PinnedHostKey,
    /// The new one: accepted when the old one was replaced, by whoever replaced it.
    pub new: PinnedHostKey,
}

impl Ledger {
    /// The host keys accepted for a server, by type.
    pub fn pinned_host_keys(&self, host: &str, port: u16) -> Result<Vec<PinnedHostKey>, StoreError> {
        let host = host.to_ascii_lowercase();
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT algorithm, sha256, accepted_at, accepted_by FROM host_keys
             WHERE host = ?1 AND port = ?2 ORDER BY algorithm",
        )?;
        let mut rows = statement.query(params![host, port])?;
        let mut keys = Vec::new();
        while let Some(row) = rows.next()? {
            keys.push(read(row, 0, &host, port)?);
        }
        Ok(keys)
    }

    /// Keeps the host key a person accepted. Another one of the same server and type is never given up for it: that is
    /// [`StoreError::HostKeyAccepted`], and only [`Ledger::replace_host_keys`] does so. One that counts already stays as
    /// it was accepted.
    pub fn pin_host_key(&self, key: &PinnedHostKey) -> Result<(), StoreError> {
        insert(&self.lock(), key)
    }

    /// Keeps several host keys a person accepted, all or none, each like [`Ledger::pin_host_key`].
    pub fn pin_host_keys(&self, keys: &[PinnedHostKey]) -> Result<(), StoreError> {
        self.transaction(|transaction| keys.iter().try_for_each(|key| insert(transaction, key)))
    }

    /// Keeps a new host key in place of all that were accepted for the server, and remembers which these were.
    pub fn replace_host_keys(&self, key: &PinnedHostKey) -> Result<(), StoreError> {
        let host = key.host.to_ascii_lowercase();
        self.transaction(|transaction| {
            transaction.execute(
                "INSERT INTO host_key_replacements (host, port, old_algorithm, old_sha256, old_accepted_at,
                     old_accepted_by, new_algorithm, new_sha256, replaced_at, replaced_by)
                 SELECT host, port, algorithm, sha256, accepted_at, accepted_by, ?3, ?4, ?5, ?6
                 FROM host_keys WHERE host = ?1 AND port = ?2 ORDER BY algorithm",
                params![
                    host,
                    key.port,
                    key.algorithm,
                    key.sha256,
                    from_instant(key.accepted_at),
                    key.accepted_by
                ],
            )?;
            transaction
                .execute("DELETE FROM host_keys WHERE host = ?1 AND port = ?2", params![host, key.port])?;
            insert(transaction, key)
        })
    }

    /// The keys of a server that were replaced, latest first.
    pub fn host_key_replacements(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Vec<HostKeyReplacement>, StoreError> {
        let host = host.to_ascii_lowercase();
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT old_algorithm, old_sha256, old_accepted_at, old_accepted_by, new_algorithm, new_sha256,
                 replaced_at, replaced_by
             FROM host_key_replacements WHERE host = ?1 AND port = ?2 ORDER BY id DESC",
        )?;
        let mut rows = statement.query(params![host, port])?;
        let mut replacements = Vec::new();
        while let Some(row) = rows.next()? {
            let (old, new) = (read(row, 0, &host, port)?, read(row, 4, &host, port)?);
            replacements.push(HostKeyReplacement { old, new });
        }
        Ok(replacements)
    }
}

/// Reads a key of a server from a row: its type, its fingerprint, when and by whom, from the column `first` on.
fn read(row: &Row<'_>, first: usize, host: &str, port: u16) -> Result<PinnedHostKey, StoreError> {
    Ok(PinnedHostKey {
        host: host.to_owned(),
        port,
        algorithm: row.get(first)?,
        sha256: row.get(first + 1)?,
        accepted_at: to_instant(row.get(first + 2)?)?,
        accepted_by: row.get(first + 3)?,
    })
}

fn insert(connection: &Connection, key: &PinnedHostKey) -> Result<(), StoreError> {
    let host = key.host.to_ascii_lowercase();
    let counts: Option<String> = connection
        .query_row(
            "SELECT sha256 FROM host_keys WHERE host = ?1 AND port = ?2 AND algorithm = ?3",
            params![host, key.port, key.algorithm],
            |row| row.get(0),
        )
        .optional()?;
    match counts {
        Some(counts) if counts == key.sha256 => return Ok(()),
        Some(_) => {
            let PinnedHostKey { port, algorithm, .. } = key.clone();
            return Err(StoreError::HostKeyAccepted { host, port, algorithm });
        }
        None => {}
    }
    connection.execute(
        "INSERT INTO host_keys (host, port, algorithm, sha256, accepted_at, accepted_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![host, key.port, key.algorithm, key.sha256, from_instant(key.accepted_at), key.accepted_by],
    )?;
    Ok(())
}
