//! The connections a profile's set-up describes, with their secrets from the keychain.

use std::time::Duration;

use rosterbridge_domain::settings::{RaptorConnection, Setup};
use rosterbridge_powerschool::{Connection, Timeouts};
use rosterbridge_sftp::{Address, Authentication, RemoteFolder, Session};
use rosterbridge_vault::SecretName;
use tokio_util::sync::CancellationToken;

use crate::{engine::Engine, error::EngineError, report::AcceptedHostKey};

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

    /// How to reach Hero's SFTP server.
    pub(crate) async fn hero_connection(
        &self,
        setup: &Setup,
    ) -> Result<rosterbridge_sftp::Connection, EngineError> {
        let settings = &setup.hero;
        if settings.host.trim().is_empty() || settings.username.trim().is_empty() {
            return Err(EngineError::NotSetUp("Hero's SFTP connection is not set up yet"));
        }
        let authentication = match self.secret(SecretName::HeroPrivateKey).await? {
            Some(key) => Authentication::PrivateKey {
                key,
                passphrase: self.secret(SecretName::HeroKeyPassphrase).await?,
            },
            None => Authentication::Password(self.required_secret(SecretName::HeroPassword).await?),
        };
        Ok(rosterbridge_sftp::Connection {
            address: hero_address(setup)?,
            username: settings.username.trim().to_owned(),
            authentication,
            timeouts: rosterbridge_sftp::Timeouts::default(),
        })
    }

    /// Connects to Hero; the host key must have been accepted before.
    pub(crate) async fn hero(
        &self,
        setup: &Setup,
        cancel: &CancellationToken,
    ) -> Result<Session, EngineError> {
        let connection = self.hero_connection(setup).await?;
        let pinned = self.pinned(&connection.address).await?;
        Ok(rosterbridge_sftp::connect(&connection, pinned.as_deref(), cancel).await?)
    }

    /// How to reach the SFTP server that files are exchanged with Raptor over.
    pub(crate) async fn raptor_connection(
        &self,
        settings: &RaptorConnection,
    ) -> Result<rosterbridge_sftp::Connection, EngineError> {
        if settings.host.trim().is_empty() || settings.username.trim().is_empty() {
            return Err(EngineError::NotSetUp("Raptor's SFTP connection is not set up yet"));
        }
        Ok(rosterbridge_sftp::Connection {
            address: raptor_address(settings)?,
            username: settings.username.trim().to_owned(),
            authentication: Authentication::Password(self.required_secret(SecretName::RaptorPassword).await?),
            timeouts: rosterbridge_sftp::Timeouts::default(),
        })
    }

    /// Connects to the SFTP server that files are exchanged with Raptor over; its host key must have been accepted before.
    pub(crate) async fn raptor(
        &self,
        settings: &RaptorConnection,
        cancel: &CancellationToken,
    ) -> Result<Session, EngineError> {
        let connection = self.raptor_connection(settings).await?;
        let pinned = self.pinned(&connection.address).await?;
        let connected = rosterbridge_sftp::connect(&connection, pinned.as_deref(), cancel).await;
        connected.map_err(EngineError::raptor_server)
    }

    /// The fingerprint accepted for an address.
    pub(crate) async fn pinned(&self, address: &Address) -> Result<Option<String>, EngineError> {
        Ok(self.accepted_host_key(address).await?.map(|key| key.sha256))
    }

    /// The host key accepted for the set-up's Hero connection.
    pub async fn hero_host_key(&self) -> Result<Option<AcceptedHostKey>, EngineError> {
        match hero_address(&self.setup().await?) {
            Ok(address) => self.accepted_host_key(&address).await,
            Err(_) => Ok(None),
        }
    }

    /// The host key accepted for the set-up's SFTP server that files are exchanged with Raptor over, if there is one.
    pub async fn raptor_host_key(&self) -> Result<Option<AcceptedHostKey>, EngineError> {
        match self.setup().await?.raptor.connection.as_ref().map(raptor_address) {
            Some(Ok(address)) => self.accepted_host_key(&address).await,
            Some(Err(_)) | None => Ok(None),
        }
    }

    async fn accepted_host_key(&self, address: &Address) -> Result<Option<AcceptedHostKey>, EngineError> {
        let (host, port) = (address.host.clone(), address.port);
        let pinned = self.ledger(move |ledger| ledger.pinned_host_key(&host, port)).await?;
        Ok(pinned.map(|key| AcceptedHostKey {
            algorithm: key.algorithm,
            sha256: key.sha256,
            accepted_at: key.accepted_at,
        }))
    }
}

/// Hero's address, as typed with or without `sftp://`.
pub(crate) fn hero_address(setup: &Setup) -> Result<Address, EngineError> {
    Ok(Address::parse(&setup.hero.host, setup.hero.port)?)
}

/// The address of the SFTP server that files are exchanged with Raptor over, as typed with or without `sftp://`.
pub(crate) fn raptor_address(settings: &RaptorConnection) -> Result<Address, EngineError> {
    Address::parse(&settings.host, settings.port).map_err(EngineError::raptor_server)
}

/// The folder on that server that stands for the exchange folder.
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
