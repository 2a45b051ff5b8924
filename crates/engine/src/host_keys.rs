//! Accepted host keys: their history, the guarded way to replace one, and `known_hosts` files.

use chrono::Utc;
use rosterbridge_domain::settings::ConnectionId;
use rosterbridge_sftp::{Address, Connection, HostKey, Pin, Timeouts, known_hosts};
use rosterbridge_store::ledger::PinnedHostKey;
use secrecy::SecretString;

use crate::{
    connections::{address, managed, pin},
    diagnosis::of_test,
    engine::Engine,
    error::EngineError,
    report::{
        AcceptedHostKey, HostKeyHistory, HostKeyMarker, KnownHostStanding, KnownHostView, KnownHostsView,
        ReplacedHostKey, UnreadableLine,
    },
};

/// Characters of the new fingerprint a person types to replace a host key.
const TYPED: usize = 8;

impl Engine {
    /// The host keys accepted for a managed connection's server, and those that were replaced.
    pub async fn host_key_history(&self, id: ConnectionId) -> Result<HostKeyHistory, EngineError> {
        let Address { host, port } = address(managed(&self.setup().await?, id)?)?;
        let server = host.clone();
        let (accepted, replaced) = self
            .ledger(move |ledger| {
                Ok((ledger.pinned_host_keys(&server, port)?, ledger.host_key_replacements(&server, port)?))
            })
            .await?;
        Ok(HostKeyHistory {
            connection: id,
            host,
            port,
            accepted: accepted.into_iter().map(AcceptedHostKey::from).collect(),
            replaced: replaced
                .into_iter()
                .map(|replaced| ReplacedHostKey { old: replaced.old.into(), new: replaced.new.into() })
                .collect(),
        })
    }

    /// Accepts the key a server presents now in place of those accepted before: only the very one a person has seen, and
    /// only if they typed the beginning of its fingerprint. Each key that counted until now, with the new one.
    pub async fn replace_host_key(
        &self,
        id: ConnectionId,
        presented_sha256: &str,
        typed: &str,
    ) -> Result<Vec<ReplacedHostKey>, EngineError> {
        let setup = self.setup().await?;
        let settings = managed(&setup, id)?;
        let address = address(settings)?;
        let before = self.pinned_host_keys(&address).await?;
        if before.is_empty() {
            return Err(EngineError::NoHostKeyToReplace(settings.name.clone()));
        }
        let expected = rosterbridge_sftp::fingerprint::parse(presented_sha256)?;
        let beginning = expected.as_str().strip_prefix("SHA256:").and_then(|body| body.get(..TYPED));
        if beginning != Some(typed.trim()) {
            return Err(EngineError::HostKeyNotConfirmed);
        }
        let stop = self.connection_test_token();
        let turn = self.transfers.turn(id, settings.transfers_at_once, &stop).await;
        let _turn = turn.map_err(of_test)?;
        let connection = Connection {
            address: address.clone(),
            username: settings.username.trim().to_owned(),
            // The server is left before anybody signs in.
            authentication: rosterbridge_sftp::Authentication::Password(SecretString::default()),
            allow_legacy: settings.allow_legacy,
            timeouts: Timeouts::default(),
        };
        let pins: Vec<Pin> = before.iter().map(pin).collect();
        let presented = rosterbridge_sftp::presented_host_key(&connection, &pins, &stop).await;
        let presented = presented.map_err(|error| of_test(error.into()))?;
        if pins.iter().any(|pin| presented.matches(&pin.sha256)) {
            return Err(EngineError::HostKeyAcceptedAlready(presented.sha256));
        }
        if !expected.matches(&presented) {
            let expected = expected.as_str().to_owned();
            let presented = Box::new(presented);
            return Err(rosterbridge_sftp::Error::HostKeyMismatch { expected, presented }.into());
        }
        let new = accepted_now(&address, &presented);
        let kept = new.clone();
        self.ledger(move |ledger| ledger.replace_host_keys(&kept)).await?;
        tracing::warn!(connection = %id, algorithm = new.algorithm, "a person replaced the accepted host key");
        let new = AcceptedHostKey::from(new);
        Ok(before.into_iter().map(|old| ReplacedHostKey { old: old.into(), new: new.clone() }).collect())
    }

    /// What a `known_hosts` file says of a managed connection's server.
    pub async fn read_known_hosts(
        &self,
        id: ConnectionId,
        text: &str,
    ) -> Result<KnownHostsView, EngineError> {
        let Address { host, port } = address(managed(&self.setup().await?, id)?)?;
        let address = Address { host, port };
        let accepted = self.pinned_host_keys(&address).await?;
        let found = known_hosts::read(text, &address.host, address.port);
        let usable = found.pins();
        let keys = found.found.iter().map(|found| KnownHostView {
            line: line(found.line),
            standing: standing(found, &usable, &accepted),
            algorithm: found.key.algorithm.clone(),
            sha256: found.key.sha256.clone(),
            md5: found.key.md5.clone(),
            hashed: found.hashed,
            marker: found.marker.map(|marker| match marker {
                known_hosts::Marker::CertAuthority => HostKeyMarker::CertAuthority,
                known_hosts::Marker::Revoked => HostKeyMarker::Revoked,
            }),
        });
        let keys = keys.collect();
        let problems = found
            .problems
            .iter()
            .map(|problem| UnreadableLine { line: line(problem.line), reason: problem.reason.to_owned() })
            .collect();
        Ok(KnownHostsView { host: address.host, port: address.port, keys, problems })
    }

    /// Accepts keys of a managed connection's server from a `known_hosts` file: all of these or none, and none that stands
    /// against an accepted one.
    pub async fn accept_known_hosts(
        &self,
        id: ConnectionId,
        text: &str,
        sha256: &[String],
    ) -> Result<HostKeyHistory, EngineError> {
        let address = address(managed(&self.setup().await?, id)?)?;
        let read = self.read_known_hosts(id, text).await?;
        let mut keys = Vec::new();
        for wanted in sha256 {
            let expected = rosterbridge_sftp::fingerprint::parse(wanted)?;
            let of_file = read.keys.iter().filter(|key| key.sha256 == expected.as_str());
            // The line that can be used, where the file has several with this key.
            let best = of_file.min_by_key(|key| match key.standing {
                KnownHostStanding::New | KnownHostStanding::Accepted => 0,
                KnownHostStanding::Differs => 1,
                KnownHostStanding::NotUsed => 2,
            });
            match best {
                Some(key) if key.standing == KnownHostStanding::New => keys.push(PinnedHostKey {
                    host: address.host.clone(),
                    port: address.port,
                    algorithm: key.algorithm.clone(),
                    sha256: key.sha256.clone(),
                    accepted_at: Utc::now(),
                    accepted_by: account(),
                }),
                Some(key) if key.standing == KnownHostStanding::Accepted => {}
                Some(key) if key.standing == KnownHostStanding::Differs => {
                    return Err(EngineError::HostKeyDiffers(key.sha256.clone()));
                }
                _ => return Err(EngineError::NotInKnownHosts(expected.as_str().to_owned())),
            }
        }
        if sha256.is_empty() {
            return Err(EngineError::NotInKnownHosts("none".to_owned()));
        }
        self.ledger(move |ledger| ledger.pin_host_keys(&keys)).await?;
        self.host_key_history(id).await
    }
}

/// A presented key as it is kept from now on.
pub(crate) fn accepted_now(address: &Address, key: &HostKey) -> PinnedHostKey {
    PinnedHostKey {
        host: address.host.clone(),
        port: address.port,
        algorithm: key.algorithm.clone(),
        sha256: key.sha256.clone(),
        accepted_at: Utc::now(),
        accepted_by: account(),
    }
}

fn standing(found: &known_hosts::Found, usable: &[Pin], accepted: &[PinnedHostKey]) -> KnownHostStanding {
    if accepted.iter().any(|key| key.sha256 == found.key.sha256) {
        KnownHostStanding::Accepted
    } else if found.marker.is_some() || !usable.iter().any(|pin| pin.sha256 == found.key.sha256) {
        KnownHostStanding::NotUsed
    } else if accepted.iter().any(|key| key.algorithm == found.key.algorithm) {
        KnownHostStanding::Differs
    } else {
        KnownHostStanding::New
    }
}

fn line(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The operating system account under which something is accepted or confirmed.
pub(crate) fn account() -> String {
    std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_else(|_| "unknown".to_owned())
}
