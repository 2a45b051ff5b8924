//! The status of the Raptor integration, as its vendor's procedure describes it, as one pure transition function.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// 'Real Time Student Information System Integration Status'. Read-only to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum IntegrationStatus {
    /// Integration is switched off.
    Disabled,
    /// Enabled, waiting for the integration window to open.
    PendingInitialization,
    /// The window opened; the first full synchronization runs.
    Initializing,
    /// The first attempt failed and the window is still open: wait, then try again.
    Reinitializing,
    /// A full synchronization succeeded; updates are followed as they happen.
    Synchronizing,
    /// An update came and fetching its data failed.
    ReinitializationScheduled,
    /// Every attempt failed while the window was open; tried again each time it opens.
    InitializationScheduled,
}

/// What can happen to the integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum IntegrationEvent {
    /// A person confirmed the set-up.
    Enabled,
    /// A person switched the integration off.
    Disabled,
    /// The daily window opened.
    WindowOpened,
    /// The daily window closed.
    WindowClosed,
    /// A full synchronization succeeded.
    SyncSucceeded,
    /// A full synchronization failed.
    SyncFailed,
    /// Following an update succeeded.
    FetchSucceeded,
    /// Following an update failed.
    FetchFailed,
}

impl IntegrationStatus {
    /// Every status, in the order of the vendor's page.
    pub const ALL: [Self; 7] = [
        Self::Disabled,
        Self::PendingInitialization,
        Self::Initializing,
        Self::Reinitializing,
        Self::Synchronizing,
        Self::ReinitializationScheduled,
        Self::InitializationScheduled,
    ];

    /// The name shown to a person, as Raptor writes it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Disabled => "Disabled",
            Self::PendingInitialization => "Pending Initialization",
            Self::Initializing => "Initializing",
            Self::Reinitializing => "Reinitializing",
            Self::Synchronizing => "Synchronizing",
            Self::ReinitializationScheduled => "Reinitialization Scheduled",
            Self::InitializationScheduled => "Initialization Scheduled",
        }
    }

    /// The name in JSON and in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::PendingInitialization => "pending_initialization",
            Self::Initializing => "initializing",
            Self::Reinitializing => "reinitializing",
            Self::Synchronizing => "synchronizing",
            Self::ReinitializationScheduled => "reinitialization_scheduled",
            Self::InitializationScheduled => "initialization_scheduled",
        }
    }

    /// Whether tardies are taken in: in every status but Disabled and Pending Initialization.
    pub const fn takes_tardies(self) -> bool {
        !matches!(self, Self::Disabled | Self::PendingInitialization)
    }

    /// Whether a full synchronization is still to succeed: then it is tried while the window is open.
    pub const fn awaits_synchronization(self) -> bool {
        !matches!(self, Self::Disabled | Self::Synchronizing)
    }

    /// The status after `event`: also the same one, where the rule is that it stays. Every pair has its answer here; for
    /// one without a rule the status stays, too, and the answer says why there is none.
    pub const fn after(self, event: IntegrationEvent) -> Result<Self, NoRule> {
        use IntegrationEvent as E;
        use IntegrationStatus as S;
        Ok(match (self, event) {
            (S::Disabled, E::Enabled) => S::PendingInitialization,
            (S::Disabled, E::Disabled) => return NoRule::because("The integration is switched off already."),
            (
                S::Disabled,
                E::WindowOpened
                | E::WindowClosed
                | E::SyncSucceeded
                | E::SyncFailed
                | E::FetchSucceeded
                | E::FetchFailed,
            ) => return NoRule::because("The integration is switched off: nothing is expected of it."),

            (
                S::PendingInitialization
                | S::Initializing
                | S::Reinitializing
                | S::Synchronizing
                | S::ReinitializationScheduled
                | S::InitializationScheduled,
                E::Enabled,
            ) => return NoRule::because("The integration is switched on already."),
            (
                S::PendingInitialization
                | S::Initializing
                | S::Reinitializing
                | S::Synchronizing
                | S::ReinitializationScheduled
                | S::InitializationScheduled,
                E::Disabled,
            ) => S::Disabled,

            (S::PendingInitialization, E::WindowOpened) => S::Initializing,
            (S::PendingInitialization, E::WindowClosed) => {
                return NoRule::because(
                    "No synchronization was tried while the window was open: its next opening is waited for.",
                );
            }
            (S::PendingInitialization, E::SyncSucceeded | E::SyncFailed) => {
                return NoRule::because(
                    "The first full synchronization counts from the opening of the window on.",
                );
            }
            (
                S::PendingInitialization | S::Initializing | S::Reinitializing,
                E::FetchSucceeded | E::FetchFailed,
            ) => {
                return NoRule::because(
                    "Updates are followed only after a full synchronization has succeeded.",
                );
            }

            (S::Initializing | S::Reinitializing, E::WindowOpened) => {
                return NoRule::because("The initialization has begun already, and goes on being tried.");
            }
            (S::Initializing | S::Reinitializing | S::ReinitializationScheduled, E::WindowClosed) => {
                S::InitializationScheduled
            }
            (
                S::Initializing
                | S::Reinitializing
                | S::ReinitializationScheduled
                | S::InitializationScheduled,
                E::SyncSucceeded,
            )
            | (S::Synchronizing, E::FetchSucceeded) => S::Synchronizing,
            (S::Initializing, E::SyncFailed) => S::Reinitializing,
            (
                S::Reinitializing | S::ReinitializationScheduled | S::InitializationScheduled,
                E::SyncFailed,
            ) => {
                return NoRule::because(
                    "A further attempt that fails changes nothing: it is tried again while the window is open.",
                );
            }

            (S::Synchronizing, E::WindowOpened | E::WindowClosed) => {
                return NoRule::because(
                    "Updates are followed at any hour: the window matters only until a full synchronization has succeeded.",
                );
            }
            (S::Synchronizing, E::SyncSucceeded) => {
                return NoRule::because("A full synchronization had succeeded before.");
            }
            (S::Synchronizing, E::SyncFailed) => {
                return NoRule::because(
                    "The update itself could be fetched: the last roster stands, and the next look tries again.",
                );
            }
            (S::Synchronizing, E::FetchFailed) => S::ReinitializationScheduled,

            (S::ReinitializationScheduled | S::InitializationScheduled, E::WindowOpened) => {
                return NoRule::because("A full synchronization is tried now: its outcome decides.");
            }
            (S::InitializationScheduled, E::WindowClosed) => {
                return NoRule::because("It is tried again each time the window opens, until it succeeds.");
            }
            (
                S::ReinitializationScheduled | S::InitializationScheduled,
                E::FetchSucceeded | E::FetchFailed,
            ) => {
                return NoRule::because(
                    "After a failure only a full synchronization in the window makes it good.",
                );
            }
        })
    }
}

/// An event that a status has no rule for, and why: the status stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoRule(&'static str);

impl NoRule {
    const fn because(why: &'static str) -> Result<IntegrationStatus, Self> {
        Err(Self(why))
    }

    /// Why there is none, in a sentence.
    pub const fn why(self) -> &'static str {
        self.0
    }
}

impl IntegrationEvent {
    /// Every event.
    pub const ALL: [Self; 8] = [
        Self::Enabled,
        Self::Disabled,
        Self::WindowOpened,
        Self::WindowClosed,
        Self::SyncSucceeded,
        Self::SyncFailed,
        Self::FetchSucceeded,
        Self::FetchFailed,
    ];

    /// The name in JSON and in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::WindowOpened => "window_opened",
            Self::WindowClosed => "window_closed",
            Self::SyncSucceeded => "sync_succeeded",
            Self::SyncFailed => "sync_failed",
            Self::FetchSucceeded => "fetch_succeeded",
            Self::FetchFailed => "fetch_failed",
        }
    }
}

impl std::fmt::Display for IntegrationStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.title())
    }
}
