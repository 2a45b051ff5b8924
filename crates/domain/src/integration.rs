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
    /// The window opened; the first full synchronisation runs.
    Initializing,
    /// The first attempt failed and the window is still open: wait, then try again.
    Reinitializing,
    /// A full synchronisation succeeded; updates are followed as they happen.
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
    /// A full synchronisation succeeded.
    SyncSucceeded,
    /// A full synchronisation failed.
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

    /// Whether tardies are taken in: in every status but Disabled and Pending Initialization.
    pub const fn takes_tardies(self) -> bool {
        !matches!(self, Self::Disabled | Self::PendingInitialization)
    }

    /// The status after `event`, or `None` when the pair is undefined and the status stays.
    pub const fn after(self, event: IntegrationEvent) -> Option<Self> {
        use IntegrationEvent as E;
        match (self, event) {
            (Self::Disabled, E::Enabled) => Some(Self::PendingInitialization),
            (Self::Disabled, _) => None,
            (_, E::Disabled) => Some(Self::Disabled),
            (Self::PendingInitialization, E::WindowOpened) => Some(Self::Initializing),
            (Self::Initializing, E::SyncFailed) => Some(Self::Reinitializing),
            (
                Self::Initializing
                | Self::Reinitializing
                | Self::ReinitializationScheduled
                | Self::InitializationScheduled,
                E::SyncSucceeded,
            ) => Some(Self::Synchronizing),
            (
                Self::Initializing | Self::Reinitializing | Self::ReinitializationScheduled,
                E::WindowClosed,
            ) => Some(Self::InitializationScheduled),
            (Self::Synchronizing, E::FetchFailed | E::SyncFailed) => Some(Self::ReinitializationScheduled),
            _ => None,
        }
    }
}

impl std::fmt::Display for IntegrationStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.title())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{IntegrationEvent as E, IntegrationStatus as S};

    #[rstest]
    #[case(S::Disabled, E::Enabled, Some(S::PendingInitialization))]
    #[case(S::Disabled, E::WindowOpened, None)]
    #[case(S::Disabled, E::SyncSucceeded, None)]
    #[case(S::PendingInitialization, E::WindowOpened, Some(S::Initializing))]
    #[case(S::PendingInitialization, E::Disabled, Some(S::Disabled))]
    #[case(S::PendingInitialization, E::SyncFailed, None)]
    #[case(S::Initializing, E::SyncFailed, Some(S::Reinitializing))]
    #[case(S::Initializing, E::SyncSucceeded, Some(S::Synchronizing))]
    #[case(S::Initializing, E::WindowClosed, Some(S::InitializationScheduled))]
    #[case(S::Reinitializing, E::SyncSucceeded, Some(S::Synchronizing))]
    #[case(S::Reinitializing, E::WindowClosed, Some(S::InitializationScheduled))]
    #[case(S::Synchronizing, E::FetchFailed, Some(S::ReinitializationScheduled))]
    #[case(S::Synchronizing, E::FetchSucceeded, None)]
    #[case(S::ReinitializationScheduled, E::SyncSucceeded, Some(S::Synchronizing))]
    #[case(S::ReinitializationScheduled, E::WindowClosed, Some(S::InitializationScheduled))]
    #[case(S::InitializationScheduled, E::SyncSucceeded, Some(S::Synchronizing))]
    #[case(S::InitializationScheduled, E::SyncFailed, None)]
    fn the_vendors_table(#[case] from: S, #[case] event: E, #[case] to: Option<S>) {
        assert_eq!(from.after(event), to);
    }
}
