//! What a handover file carries from the person who installed the plugin to the one who sets the site up.

use rosterbridge_domain::settings::PluginSettings;
use rosterbridge_powerschool::ServerUrl;
use rosterbridge_vault::SecretName;
use secrecy::SecretString;

use crate::{engine::Engine, error::EngineError};

/// Where PowerSchool is and as whom it is called, with the secret.
#[derive(Clone, Debug)]
pub struct PowerSchoolAccess {
    /// The server's address.
    pub url: String,
    /// Client ID of the plugin.
    pub client_id: String,
    /// Its Client Secret.
    pub client_secret: SecretString,
    /// Certificates (PEM text) trusted for the server.
    pub extra_roots: Vec<String>,
    /// The plugin that was written for the district.
    pub plugin: PluginSettings,
}

impl Engine {
    /// The profile's access to PowerSchool, to be encrypted for somebody else.
    pub async fn powerschool_access(&self) -> Result<PowerSchoolAccess, EngineError> {
        let settings = self.setup().await?.powerschool;
        if settings.url.trim().is_empty() || settings.client_id.trim().is_empty() {
            return Err(EngineError::NotSetUp("PowerSchool's address and credentials are not set up yet"));
        }
        Ok(PowerSchoolAccess {
            url: ServerUrl::parse(&settings.url)?.to_string(),
            client_id: settings.client_id.trim().to_owned(),
            client_secret: self.required_secret(SecretName::PowerSchoolClientSecret).await?,
            extra_roots: settings.extra_roots,
            plugin: settings.plugin,
        })
    }

    /// Takes over somebody else's access to PowerSchool. A profile that is set up for another server keeps it, and the
    /// access is refused. For the same server the credentials are replaced and no more: certificates are trusted when a
    /// person has compared them, and a file for our key may come from anybody.
    pub async fn take_over_powerschool(&self, access: PowerSchoolAccess) -> Result<(), EngineError> {
        let theirs = ServerUrl::parse(&access.url)?;
        let _saving = self.saving_setup.lock().await;
        let before = self.setup().await?;
        let mut setup = before.clone();
        let settings = &mut setup.powerschool;
        let ours = settings.url.trim();
        let new = ours.is_empty();
        if !new && !ServerUrl::parse(ours).is_ok_and(|ours| ours == theirs) {
            let ours = ours.to_owned();
            return Err(EngineError::OtherServer { ours, theirs: theirs.to_string() });
        }
        if new {
            settings.extra_roots = access.extra_roots;
        }
        settings.url = theirs.to_string();
        settings.client_id = access.client_id;
        // A version once written must not be written again for other content.
        if new || access.plugin.revision > settings.plugin.revision {
            settings.plugin = access.plugin;
        }
        Box::pin(self.save_over(before, setup)).await?;
        self.put_secret(SecretName::PowerSchoolClientSecret, &access.client_secret).await
    }

    /// The private key handover files are encrypted for, if it was made yet.
    pub async fn handover_identity(&self) -> Result<Option<SecretString>, EngineError> {
        self.secret(SecretName::HandoverIdentity).await
    }

    /// Keeps the private key handover files are encrypted for.
    pub async fn keep_handover_identity(&self, identity: &SecretString) -> Result<(), EngineError> {
        self.put_secret(SecretName::HandoverIdentity, identity).await
    }
}
