//! Private keys that managed connections sign in with.

use rosterbridge_domain::settings::{ConnectionId, SignInMethod};
use rosterbridge_sftp::algorithms::LEGACY;
use rosterbridge_vault::SecretName;
use secrecy::SecretString;

use crate::{
    connections::managed,
    engine::{Engine, blocking},
    error::{EngineError, sentence},
    report::{KeyView, LegacyAlgorithm, PublicKeyView},
};

impl Engine {
    /// Makes a key pair for a managed connection. The private key goes to the keychain; one that is there is replaced only
    /// if that is `replace`. How the connection signs in stays as it is until a person changes it.
    pub async fn generate_key(&self, id: ConnectionId, replace: bool) -> Result<PublicKeyView, EngineError> {
        managed(&self.setup().await?, id)?;
        let name = SecretName::private_key(id);
        if !replace && self.secret(name).await?.is_some() {
            return Err(EngineError::KeyExists(id));
        }
        // Without a choice a kept key goes before the password, and this one is not known to the server yet.
        let by_password = self.secret(SecretName::password(id)).await?.is_some();
        if by_password && self.secret(name).await?.is_none() {
            // The keychain may have asked somebody meanwhile: only now is the set-up the one that is kept.
            let _saving = self.saving_setup.lock().await;
            let mut setup = self.setup().await?;
            if let Some(settings) = setup.connections.iter_mut().find(|settings| settings.id == id)
                && settings.sign_in.is_none()
            {
                settings.sign_in = Some(SignInMethod::Password);
                self.keep_setup(setup).await?;
            }
        }
        let key = rosterbridge_sftp::generate_key(&format!("RosterBridge {}", self.profile_name()))?;
        self.put_secret(name, &key.private).await?;
        // The new key has none.
        self.forget_secret(SecretName::key_passphrase(id)).await?;
        tracing::info!(connection = %id, "a key pair was made");
        public_key(id, key.private, None).await
    }

    /// The public key that belongs to a managed connection's private key.
    pub async fn public_key(&self, id: ConnectionId) -> Result<PublicKeyView, EngineError> {
        managed(&self.setup().await?, id)?;
        let key = self.required_secret(SecretName::private_key(id)).await?;
        let passphrase = self.secret(SecretName::key_passphrase(id)).await?;
        public_key(id, key, passphrase).await
    }
}

/// What a private key is, or why it can't be used. Opening one with a passphrase takes a moment.
pub async fn check_key(text: SecretString, passphrase: Option<SecretString>) -> Result<KeyView, EngineError> {
    blocking(move || view(&text, passphrase.as_ref())).await
}

/// What 'Allow legacy ciphers' adds, and what each weakens.
pub fn legacy_algorithms() -> Vec<LegacyAlgorithm> {
    let legacy = LEGACY.iter().map(|legacy| LegacyAlgorithm {
        name: legacy.name.to_owned(),
        kind: legacy.kind.plural().to_owned(),
        weakens: sentence(legacy.weakens),
    });
    legacy.collect()
}

async fn public_key(
    connection: ConnectionId,
    key: SecretString,
    passphrase: Option<SecretString>,
) -> Result<PublicKeyView, EngineError> {
    blocking(move || {
        let line = rosterbridge_sftp::public_line(&key, passphrase.as_ref())?;
        Ok(PublicKeyView { connection, line, key: view(&key, passphrase.as_ref())? })
    })
    .await
}

fn view(text: &SecretString, passphrase: Option<&SecretString>) -> Result<KeyView, EngineError> {
    let facts = rosterbridge_sftp::check_key(text, passphrase)?;
    Ok(KeyView {
        algorithm: facts.kind,
        bits: facts.bits,
        comment: facts.comment,
        sha256: facts.sha256,
        encrypted: facts.encrypted,
    })
}
