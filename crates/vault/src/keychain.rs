use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use keyring_core::{CredentialStore, Entry, Error as KeyringError};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{LONGEST_KEYCHAIN_VALUE, ProfileKey, SecretName, VaultError};

/// Service name of every entry.
const SERVICE: &str = "RosterBridge";
/// Name, within the profile, of the entry that holds the profile's key.
const PROFILE_KEY: &str = "profile-key";
/// How the names of entries begin that show whether the keychain works. They hold nothing of worth and are there for a
/// moment only.
const PROBE: &str = "rosterbridge-probe";
/// Longest wait for one keychain operation. An unlock window may be open, and a person types slowly.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// One profile's part of the operating system's keychain: Secret Service on Linux, Keychain on macOS,
/// Credential Manager on Windows. Entries are `RosterBridge` / `<profile-uuid>/<name>`.
#[derive(Clone)]
pub struct Vault {
    store: Arc<CredentialStore>,
    profile: Uuid,
}

impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Vault").field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl Vault {
    /// Connects to the keychain for one profile. Reads and writes nothing yet.
    pub async fn open(profile: Uuid) -> Result<Self, VaultError> {
        let store = answered(|| system_store().map_err(unavailable)).await?;
        Ok(Self { store, profile })
    }

    /// The profile this vault belongs to.
    pub fn profile(&self) -> Uuid {
        self.profile
    }

    /// The key of this profile. With `create`, a missing key is made and stored: say so only for a profile
    /// that has no data yet, because a new key can't open old databases.
    pub async fn profile_key(&self, create: bool) -> Result<ProfileKey, VaultError> {
        if let Some(text) = self.read(PROFILE_KEY).await? {
            return ProfileKey::from_hex(&text);
        }
        if !create {
            return Err(VaultError::KeyMissing);
        }
        let key = ProfileKey::generate()?;
        self.write(PROFILE_KEY, key.to_hex()).await?;
        Ok(key)
    }

    /// Writes an entry, reads it back and deletes it: whether the keychain does what it is for. A probe that nobody waits
    /// for any more still cleans up.
    pub async fn probe(&self) -> Result<(), VaultError> {
        let vault = self.clone();
        let probing = tokio::spawn(async move {
            // A name of its own each time: gnome-keyring still finds an entry for a moment after it was deleted.
            let name = format!("{PROBE}-{}", Uuid::new_v4().simple());
            let wrote = vault.write(&name, ProfileKey::generate()?.to_hex()).await;
            let deleted = vault.remove(&name).await;
            wrote?;
            if deleted? { Ok(()) } else { Err(VaultError::NotKept { entry: name }) }
        });
        probing.await.map_err(|crashed| VaultError::Failed { cause: Box::new(crashed) })?
    }

    /// Stores a known key (from a recovery file) as this profile's.
    pub async fn restore_profile_key(&self, key: &ProfileKey) -> Result<(), VaultError> {
        self.write(PROFILE_KEY, key.to_hex()).await
    }

    /// Stores a secret and reads it back. One longer than [`LONGEST_KEYCHAIN_VALUE`] gives
    /// [`VaultError::TooLong`]: seal it.
    pub async fn set(&self, name: SecretName, secret: &SecretString) -> Result<(), VaultError> {
        let text = secret.expose_secret();
        if text.is_empty() {
            return Err(VaultError::Empty(name));
        }
        let length = text.encode_utf16().count();
        if length > LONGEST_KEYCHAIN_VALUE {
            return Err(VaultError::TooLong { name, length });
        }
        self.write(&name.to_string(), Zeroizing::new(text.to_owned())).await
    }

    /// The stored secret, if there is one.
    pub async fn get(&self, name: SecretName) -> Result<Option<SecretString>, VaultError> {
        Ok(self.read(&name.to_string()).await?.map(|text| SecretString::from(text.as_str())))
    }

    /// Whether the keychain holds a secret of this name.
    pub async fn holds(&self, name: SecretName) -> Result<bool, VaultError> {
        Ok(self.read(&name.to_string()).await?.is_some())
    }

    /// Removes a secret; `true` if there was one.
    pub async fn delete(&self, name: SecretName) -> Result<bool, VaultError> {
        self.remove(&name.to_string()).await
    }

    /// Removes every secret of this profile, and its key last: as long as the key stands, an interrupted
    /// erasure can be seen and repeated.
    pub async fn erase(&self) -> Result<(), VaultError> {
        for name in SecretName::possible() {
            self.remove(&name.to_string()).await?;
        }
        self.remove(PROFILE_KEY).await?;
        Ok(())
    }

    async fn read(&self, name: &str) -> Result<Option<Zeroizing<String>>, VaultError> {
        self.with_entry(name, |entry| match entry.get_password() {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(KeyringError::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    async fn write(&self, name: &str, text: Zeroizing<String>) -> Result<(), VaultError> {
        let kept = self
            .with_entry(name, move |entry| {
                entry.set_password(&text)?;
                let back = Zeroizing::new(entry.get_password()?);
                Ok(*back == *text)
            })
            .await?;
        if kept { Ok(()) } else { Err(VaultError::NotKept { entry: name.to_owned() }) }
    }

    async fn remove(&self, name: &str) -> Result<bool, VaultError> {
        self.with_entry(name, |entry| match entry.delete_credential() {
            Ok(()) => Ok(true),
            Err(KeyringError::NoEntry) => Ok(false),
            Err(error) => Err(error),
        })
        .await
    }

    async fn with_entry<T: Send + 'static>(
        &self,
        name: &str,
        operation: impl FnOnce(&Entry) -> Result<T, KeyringError> + Send + 'static,
    ) -> Result<T, VaultError> {
        let store = Arc::clone(&self.store);
        let user = format!("{}/{name}", self.profile);
        answered(move || {
            store
                .build(SERVICE, &user, None)
                .and_then(|entry| operation(&entry))
                .map_err(|error| failure(error, &user))
        })
        .await
    }
}

/// Runs a blocking keychain call on a thread of its own and waits for it, but not for ever. The runtime's pool
/// won't do: it waits for its threads when the program ends, and a call that hangs would keep it from ending.
async fn answered<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
) -> Result<T, VaultError> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("keychain".to_owned())
        // Nobody listens any more after a timeout; the answer is dropped then.
        .spawn(move || drop(answer.send(call())))
        .map_err(|error| VaultError::Failed { cause: Box::new(error) })?;
    match tokio::time::timeout(ANSWER_WITHIN, answered).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(crashed)) => Err(VaultError::Failed { cause: Box::new(crashed) }),
        Err(_) => Err(VaultError::Timeout(ANSWER_WITHIN)),
    }
}

#[cfg(target_os = "linux")]
fn system_store() -> Result<Arc<CredentialStore>, KeyringError> {
    Ok(zbus_secret_service_keyring_store::Store::new()?)
}

#[cfg(target_os = "macos")]
fn system_store() -> Result<Arc<CredentialStore>, KeyringError> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

#[cfg(target_os = "windows")]
fn system_store() -> Result<Arc<CredentialStore>, KeyringError> {
    Ok(windows_native_keyring_store::Store::new()?)
}

/// Any failure to reach the keychain in the first place.
fn unavailable(error: KeyringError) -> VaultError {
    let cause = match error {
        KeyringError::PlatformFailure(cause) | KeyringError::NoStorageAccess(cause) => Some(cause),
        _ => None,
    };
    VaultError::NoKeychain { cause }
}

/// A failure of one operation on the entry `user`.
fn failure(error: KeyringError, user: &str) -> VaultError {
    match error {
        KeyringError::NoStorageAccess(cause) => no_access(cause),
        KeyringError::PlatformFailure(cause) => platform_failure(cause),
        KeyringError::Ambiguous(_) => VaultError::Ambiguous { entry: user.to_owned() },
        // These carry the stored bytes: nothing of them may travel on.
        KeyringError::BadEncoding(_) | KeyringError::BadDataFormat(..) => {
            VaultError::NotKept { entry: user.to_owned() }
        }
        other => VaultError::Failed { cause: Box::new(other) },
    }
}

#[cfg(target_os = "linux")]
fn no_access(cause: Box<dyn std::error::Error + Send + Sync>) -> VaultError {
    use secret_service::Error as ServiceError;
    match cause.downcast_ref::<ServiceError>() {
        // No default collection: the service runs, but no keyring was ever made in it.
        Some(ServiceError::NoResult) => VaultError::NoKeychain { cause: Some(cause) },
        _ => VaultError::Locked,
    }
}

#[cfg(not(target_os = "linux"))]
fn no_access(cause: Box<dyn std::error::Error + Send + Sync>) -> VaultError {
    VaultError::Denied { cause: Some(cause) }
}

#[cfg(target_os = "linux")]
fn platform_failure(cause: Box<dyn std::error::Error + Send + Sync>) -> VaultError {
    use secret_service::Error as ServiceError;
    match cause.downcast_ref::<ServiceError>() {
        Some(ServiceError::Unavailable) => VaultError::NoKeychain { cause: Some(cause) },
        Some(ServiceError::Locked | ServiceError::Prompt | ServiceError::PromptDisconnected) => {
            VaultError::Locked
        }
        _ => VaultError::Failed { cause },
    }
}

#[cfg(not(target_os = "linux"))]
fn platform_failure(cause: Box<dyn std::error::Error + Send + Sync>) -> VaultError {
    VaultError::Failed { cause }
}
