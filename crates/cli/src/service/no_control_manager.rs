//! Other systems have no service control manager: nothing is in it, and it started no process.

use rosterbridge_api::Fault;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::{ServiceError, ServiceManager, plan::State, windows_service::Definition};
use crate::document::Exit;

/// A service that is there.
pub struct Registered {
    /// How Windows starts it.
    pub command_line: String,
    /// What is known of it.
    pub state: State,
}

/// There is none.
#[expect(clippy::unnecessary_wraps, reason = "as on Windows")]
pub fn find(_name: &str) -> Result<Option<Registered>, ServiceError> {
    Ok(None)
}

/// Nobody may.
pub fn may_install(_name: &str) -> Result<(), ServiceError> {
    Err(none())
}

/// Nobody is asked.
pub fn ask_password(_account: &str) -> Result<SecretString, Fault> {
    Err(none().into())
}

/// Nothing is made.
#[expect(clippy::unused_async, reason = "as on Windows")]
pub async fn install(
    _definition: &Definition,
    _password: &SecretString,
    _restarts: bool,
) -> Result<(), ServiceError> {
    Err(none())
}

/// There is nothing to remove.
#[expect(clippy::unused_async, reason = "as on Windows")]
pub async fn remove(_name: &str) -> Result<(), ServiceError> {
    Err(none())
}

fn none() -> ServiceError {
    ServiceError::NoManager {
        manager: ServiceManager::WindowsService,
        reason: "this is not Windows".to_owned(),
    }
}

/// A process that a service control manager has started: never this one.
pub enum Hosted {}

impl Hosted {
    /// None.
    #[expect(clippy::unused_async, reason = "as on Windows")]
    pub async fn find() -> Result<Option<Self>, ServiceError> {
        Ok(None)
    }

    /// Never called.
    pub fn stop(&self) -> CancellationToken {
        match *self {}
    }

    /// Never called.
    pub fn runs(&self) {
        match *self {}
    }

    /// Never called.
    pub fn ended(self, _exit: Exit) {
        match self {}
    }
}
