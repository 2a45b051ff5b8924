//! Accepted SSH host keys.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, params};

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
            keys.push(PinnedHostKey {
                host: host.clone(),
                port,
                algorithm: row.get(0)?,
                sha256: row.get(1)?,
                accepted_at: to_instant(row.get(2)?)?,
                accepted_by: row.get(3)?,
            });
        }
        Ok(keys)
    }

    /// Keeps the host key a person accepted, in place of an earlier one of the same server and type.
    pub fn pin_host_key(&self, key: &PinnedHostKey) -> Result<(), StoreError> {
        insert(&self.lock(), key)
    }

    /// Keeps several host keys a person accepted, all or none.
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
            let key = |first: usize| {
                Ok::<_, StoreError>(PinnedHostKey {
                    host: host.clone(),
                    port,
                    algorithm: row.get(first)?,
                    sha256: row.get(first + 1)?,
                    accepted_at: to_instant(row.get(first + 2)?)?,
                    accepted_by: row.get(first + 3)?,
                })
            };
            replacements.push(HostKeyReplacement { old: key(0)?, new: key(4)? });
        }
        Ok(replacements)
    }
}

fn insert(connection: &Connection, key: &PinnedHostKey) -> Result<(), StoreError> {
    connection.execute(
        "INSERT OR REPLACE INTO host_keys (host, port, algorithm, sha256, accepted_at, accepted_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            key.host.to_ascii_lowercase(),
            key.port,
            key.algorithm,
            key.sha256,
            from_instant(key.accepted_at),
            key.accepted_by
        ],
    )?;
    Ok(())
}
