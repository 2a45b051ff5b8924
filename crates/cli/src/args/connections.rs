//! Managed connections, the keys they sign in with, and whose the exchanges with Hero are.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use rosterbridge_api::domain::{job::JobId, settings::ConnectionId};

/// Managed connections.
#[derive(Debug, Subcommand)]
pub enum Connections {
    /// List them
    List,
    /// Show one, with the accepted host keys of its server
    Show {
        /// hero, raptor, connection-3, ...
        #[arg(value_name = "ID")]
        id: ConnectionId,
    },
    /// Change one, or create it with --name. What is not named stays; a new one begins as Hero's
    Set(Box<SetConnection>),
    /// Delete one that nothing uses, and its secrets. The accepted host keys of its server stay
    Remove {
        /// hero, raptor, connection-3, ...
        #[arg(value_name = "ID")]
        id: ConnectionId,
    },
    /// Show what an OpenSSH known_hosts file says of its server, or accept keys from it
    KnownHosts {
        /// hero, raptor, connection-3, ...
        #[arg(value_name = "ID")]
        id: ConnectionId,
        /// The file
        file: PathBuf,
        /// Accept the key with this fingerprint; may be repeated. Never replaces an accepted one
        #[arg(long, value_name = "SHA256:...")]
        accept: Vec<String>,
    },
    /// Replace the accepted host key, because the server has another one: only after its operator has confirmed that
    ReplaceHostKey {
        /// hero, raptor, connection-3, ...
        #[arg(value_name = "ID")]
        id: ConnectionId,
        /// The new key's whole fingerprint, which the server has to present now
        #[arg(long, value_name = "SHA256:...")]
        presented: String,
        /// Its first eight characters behind SHA256: once more, typed from what the operator told you
        #[arg(long, value_name = "CHARACTERS", allow_hyphen_values = true)]
        typed: String,
    },
    /// The accepted host keys of its server, and those that were replaced
    History {
        /// hero, raptor, connection-3, ...
        #[arg(value_name = "ID")]
        id: ConnectionId,
    },
}

/// Changes to one managed connection.
#[derive(Debug, Args)]
pub struct SetConnection {
    /// Which: hero, raptor, connection-3, ...
    #[arg(value_name = "ID")]
    pub id: ConnectionId,
    /// What people call it. Required of a new one
    #[arg(long)]
    pub name: Option<String>,
    /// What it is for
    #[arg(long)]
    pub description: Option<String>,
    /// Host, with or without sftp://
    #[arg(long)]
    pub host: Option<String>,
    /// Port
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// The account's name at the server
    #[arg(long)]
    pub username: Option<String>,
    /// How it signs in
    #[arg(long, value_enum)]
    pub sign_in: Option<SignIn>,
    /// Whether files may be fetched
    #[arg(long, value_name = "true|false")]
    pub allow_download: Option<bool>,
    /// Whether files may be sent
    #[arg(long, value_name = "true|false")]
    pub allow_upload: Option<bool>,
    /// Whether ciphers are agreed on that are no longer held to be safe: see 'keys legacy'
    #[arg(long, value_name = "true|false")]
    pub allow_legacy: Option<bool>,
    /// How many transfers may be under way at a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=8))]
    pub transfers_at_once: Option<u8>,
    /// How long one answer of the server may take
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub answer_seconds: Option<u32>,
    /// How often an idle connection is kept alive; 0 for never
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=3600))]
    pub keep_alive_seconds: Option<u32>,
}

/// How a managed connection signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SignIn {
    /// By the password, kept with: secrets set ID.password
    Password,
    /// By the private key, kept with: secrets set ID.private-key; or made with: keys generate ID
    PrivateKey,
}

/// Private keys.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a key pair for a managed connection. The private key goes to the keychain; the public one is printed
    Generate {
        /// hero, raptor, connection-3, ...
        #[arg(value_name = "ID")]
        id: ConnectionId,
        /// Replace the private key that is kept already. It is lost then
        #[arg(long)]
        replace: bool,
    },
    /// Tell what a private key is, and whether it can be used. Nothing is kept
    Check {
        /// The key file: OpenSSH, PEM or PuTTY
        file: PathBuf,
        /// Read its passphrase from standard input
        #[arg(long)]
        with_passphrase: bool,
    },
    /// Print the public key of a managed connection, for the server's operator
    Public {
        /// hero, raptor, connection-3, ...
        #[arg(value_name = "ID")]
        id: ConnectionId,
    },
    /// List the algorithms that 'allow legacy ciphers' adds, and what each weakens
    Legacy,
}

/// Whose the exchanges with Hero are.
#[derive(Debug, Subcommand)]
pub enum Ownership {
    /// Take an exchange over from PowerSchool, after its record was turned off there
    HandOver {
        /// hero-students, hero-schedule, hero-teachers, hero-attendance; with -2, ... for further accounts
        job: JobId,
        /// The AutoSend or AutoComm record, as it is called in PowerSchool
        #[arg(long, value_name = "NAME")]
        record: String,
        /// Yes: 'Turn Execution Off' is ticked on that record in PowerSchool
        #[arg(long, required = true)]
        yes: bool,
    },
    /// Let an exchange go on that is paused because another sender was active, once nobody else does it any more
    OnlySender {
        /// hero-students, hero-schedule, hero-teachers, hero-attendance; with -2, ... for further accounts
        job: JobId,
        /// Yes: 'Turn Execution Off' is ticked on its record in PowerSchool, and no second RosterBridge does it
        #[arg(long, required = true)]
        yes: bool,
    },
    /// Give an exchange to PowerSchool: it does not run here any more
    TakeBack {
        /// hero-students, hero-schedule, hero-teachers, hero-attendance; with -2, ... for further accounts
        job: JobId,
    },
}
