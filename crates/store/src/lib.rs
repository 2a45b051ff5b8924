//! The two encrypted databases of a profile: the [`Ledger`], which is never rebuilt, and the [`Roster`], a cache of
//! PowerSchool that is replaced as a whole. Every call blocks; none reads the clock.
#![forbid(unsafe_code)]

pub mod backup;
mod database;
mod erase;
mod error;
pub mod ledger;
pub mod roster;

pub use backup::Backup;
pub use erase::erase_databases;
pub use error::StoreError;
pub use ledger::Ledger;
pub use roster::{Roster, RosterStaging};

/// A profile's random key, with which both files are encrypted (SQLCipher's raw key: no passphrase is derived).
/// It belongs to the keychain; copies made here are wiped.
pub type ProfileKeyBytes = [u8; 32];
