//! Backups and the recovery file.

use std::path::PathBuf;

use clap::Subcommand;

/// Backups and the recovery file.
#[derive(Debug, Subcommand)]
pub enum Backup {
    /// Make one now
    Now,
    /// List them
    List,
    /// Put the newest one in the ledger's place. What happened since is read again by the next run
    Restore {
        /// Begin an empty ledger instead: set-up, host keys and history are gone
        #[arg(long)]
        begin_anew: bool,
    },
    /// Write the profile's key, encrypted with the passphrase on standard input
    RecoveryFile {
        /// The file
        file: PathBuf,
    },
    /// Put the profile's key back into the keychain. The passphrase is read from standard input
    Recover {
        /// The recovery file
        file: PathBuf,
    },
}
