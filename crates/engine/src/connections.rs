//! The connections a profile's set-up describes, with their secrets from the keychain.

use std::{collections::BTreeMap, time::Duration};

use rosterbridge_domain::{
    job::Job,
    settings::{ConnectionId, ManagedConnection, RaptorConnection, Setup, SignInMethod},
};
use rosterbridge_powerschool::{Connection, Timeouts};
use rosterbridge_sftp::{Address, Authentication, Pin, RemoteFolder};
use rosterbridge_store::ledger::PinnedHostKey;
use rosterbridge_vault::{ConnectionSecret, SecretName};
use tokio_util::sync::CancellationToken;

use crate::{engine::Engine, error::EngineError, report::AcceptedHostKey, transfers::OpenConnection};

impl Engine {
    /// How to reach PowerSchool, checked for its shape.
    pub(crate) async fn powerschool_connection(&self, setup: &Setup) -> Result<Connection, EngineError> {
        let settings = &setup.powerschool;
        if settings.url.trim().is_empty() {
            return Err(EngineError::NotSetUp("PowerSchool's address and credentials are not set up yet"));
        }
        let client_secret = self.required_secret(SecretName::PowerSchoolClientSecret).await?;
        let proxy_password = self.secret(SecretName::ProxyPassword).await?;
        Ok(Connection::from_settings(settings, client_secret, proxy_password, powerschool_timeouts(setup))?)
    }

    /// How to reach the server of a managed connection.
    pub(crate) async fn managed_connection(
        &self,
        setup: &Setup,
        id: ConnectionId,
    ) -> Result<rosterbridge_sftp::Connection, EngineError> {
        let settings = managed(setup, id)?;
        if settings.host.trim().is_empty() || settings.username.trim().is_empty() {
            return Err(EngineError::ConnectionNotSetUp(settings.name.clone()));
        }
        let (password, key) = (SecretName::password(id), SecretName::private_key(id));
        let kept_key = match settings.sign_in {
            Some(SignInMethod::Password) => None,
            Some(SignInMethod::PrivateKey) => Some(self.required_secret(key).await?),
            None => self.secret(key).await?,
        };
        let authentication = match kept_key {
            Some(key) => {
                let passphrase = self.secret(SecretName::key_passphrase(id)).await?;
                Authentication::PrivateKey { key, passphrase }
            }
            None => Authentication::Password(self.required_secret(password).await?),
        };
        Ok(rosterbridge_sftp::Connection {
            address: address(settings)?,
            username: settings.username.trim().to_owned(),
            authentication,
            allow_legacy: settings.allow_legacy,
            timeouts: rosterbridge_sftp::Timeouts {
                answer: Duration::from_secs(u64::from(settings.answer_seconds.max(1))),
                keep_alive: Duration::from_secs(u64::from(settings.keep_alive_seconds)),
                ..rosterbridge_sftp::Timeouts::default()
            },
        })
    }

    /// Opens a managed connection for an exchange; the host key must have been accepted before. Waits while the connection
    /// has as many sessions as it may.
    pub(crate) async fn connect(
        &self,
        setup: &Setup,
        id: ConnectionId,
        exchange: Job,
        cancel: &CancellationToken,
    ) -> Result<OpenConnection, EngineError> {
        let of_exchange = |error: EngineError| match error {
            EngineError::Sftp(error) if matches!(exchange, Job::RaptorRoster | Job::RaptorTardies) => {
                EngineError::RaptorServer(error)
            }
            error => error,
        };
        let connection = self.managed_connection(setup, id).await.map_err(of_exchange)?;
        let turn = self.transfers.turn(id, managed(setup, id)?.transfers_at_once, cancel).await?;
        let pins = self.pins(&connection.address).await?;
        // On the heap, so that whoever opens a connection stays small.
        let connected = Box::pin(rosterbridge_sftp::connect(&connection, &pins, cancel)).await;
        let session = connected.map_err(|error| of_exchange(error.into()))?;
        Ok(OpenConnection::new(session, turn))
    }

    /// Opens the managed connection over which files are exchanged with Raptor.
    pub(crate) async fn raptor(
        &self,
        setup: &Setup,
        server: &RaptorConnection,
        cancel: &CancellationToken,
    ) -> Result<OpenConnection, EngineError> {
        self.connect(setup, server.connection, Job::RaptorRoster, cancel).await
    }

    /// The host keys accepted for an address.
    pub(crate) async fn pins(&self, address: &Address) -> Result<Vec<Pin>, EngineError> {
        let keys = self.pinned_host_keys(address).await?;
        Ok(keys.iter().map(pin).collect())
    }

    /// The same, with when and by whom.
    pub(crate) async fn pinned_host_keys(
        &self,
        address: &Address,
    ) -> Result<Vec<PinnedHostKey>, EngineError> {
        let (host, port) = (address.host.clone(), address.port);
        self.ledger(move |ledger| ledger.pinned_host_keys(&host, port)).await
    }

    /// The host keys accepted for the servers of the managed connections.
    pub async fn accepted_host_keys(
        &self,
    ) -> Result<BTreeMap<ConnectionId, Vec<AcceptedHostKey>>, EngineError> {
        let mut accepted = BTreeMap::new();
        for connection in &self.setup().await?.connections {
            let Ok(address) = address(connection) else { continue };
            let keys = self.pinned_host_keys(&address).await?.into_iter().map(AcceptedHostKey::from);
            accepted.insert(connection.id, keys.collect());
        }
        Ok(accepted)
    }

    /// Deletes a managed connection that nothing uses, and its secrets. The accepted host keys stay: they are the
    /// server's.
    pub async fn delete_connection(&self, id: ConnectionId) -> Result<(), EngineError> {
        let _saving = self.saving_setup.lock().await;
        let mut setup = self.setup().await?;
        let name = managed(&setup, id)?.name.clone();
        let users = users(&setup, id);
        if !users.is_empty() {
            return Err(EngineError::ConnectionInUse { name, users });
        }
        // Before the connection: what a crash leaves would be the secrets of the next one with its id.
        self.forget_connection_secrets(id).await?;
        setup.connections.retain(|connection| connection.id != id);
        self.keep_setup(setup).await?;
        tracing::info!(connection = %id, "a managed connection was deleted");
        Ok(())
    }

    /// Forgets the secrets of a managed connection.
    pub(crate) async fn forget_connection_secrets(&self, id: ConnectionId) -> Result<(), EngineError> {
        for secret in ConnectionSecret::ALL {
            self.forget_secret(SecretName::Connection(id, secret)).await?;
        }
        Ok(())
    }
}

/// Who uses a managed connection, by name.
fn users(setup: &Setup, id: ConnectionId) -> Vec<String> {
    let accounts = setup.hero.accounts.iter().filter(|account| account.connection == id);
    let accounts = accounts.map(|account| format!("the Hero account '{}'", account.name));
    let raptor = setup.raptor.connection.iter().filter(|server| server.connection == id);
    accounts.chain(raptor.map(|_| "the exchange with Raptor".to_owned())).collect()
}

impl From<PinnedHostKey> for AcceptedHostKey {
    fn from(key: PinnedHostKey) -> Self {
        Self {
            algorithm: key.algorithm,
            sha256: key.sha256,
            accepted_at: key.accepted_at,
            accepted_by: key.accepted_by,
        }
    }
}

/// An accepted host key, as a session is opened with it.
pub(crate) fn pin(key: &PinnedHostKey) -> Pin {
    Pin { algorithm: key.algorithm.clone(), sha256: key.sha256.clone() }
}

/// The settings of a managed connection.
pub(crate) fn managed(setup: &Setup, id: ConnectionId) -> Result<&ManagedConnection, EngineError> {
    setup.connection(id).ok_or(EngineError::NoSuchConnection(id))
}

/// Its address, as typed with or without `sftp://`.
pub(crate) fn address(settings: &ManagedConnection) -> Result<Address, EngineError> {
    Ok(Address::parse(&settings.host, settings.port)?)
}

/// The folder on Raptor's server that stands for the exchange folder.
pub(crate) fn raptor_folder(settings: &RaptorConnection) -> Result<RemoteFolder, EngineError> {
    RemoteFolder::parse(settings.folder.trim()).map_err(EngineError::raptor_server)
}

/// How long PowerSchool's connection and answers may take.
pub(crate) fn powerschool_timeouts(setup: &Setup) -> Timeouts {
    let (request, usual) = (answer_time(setup), Timeouts::default());
    // Nobody who expects answers within seconds waits longer for a connection.
    Timeouts { request, connect: usual.connect.min(request), ..usual }
}

/// How long PowerSchool may take for an answer.
pub(crate) fn answer_time(setup: &Setup) -> Duration {
    Duration::from_secs(u64::from(setup.powerschool.answer_seconds.max(1)))
}
