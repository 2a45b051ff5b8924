use std::path::PathBuf;

use thiserror::Error;

/// Why the practice district could not start, or stopped.
#[derive(Debug, Error)]
pub enum PracticeError {
    /// A file or folder of the data directory could not be read or written.
    #[error("The practice district cannot use {path}: {source}")]
    Data {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Another practice district serves from the same folder.
    #[error("A practice district is already running from this folder ({path} is locked)")]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// SQLite refused something on the district database.
    #[error("The practice district's database failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// The database was written by a version with another layout and no generator input is known.
    #[error("The practice district's data in {path} is not readable: {reason}")]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A size that cannot be generated.
    #[error("A practice district cannot have {students} students in {schools} schools")]
    Size {
        /// Requested active students.
        students: u32,
        /// Requested schools.
        schools: u32,
    },
    /// A change of the district that cannot be made.
    #[error("The practice district cannot be changed like this: {reason}")]
    Change {
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate authority or server certificate could not be made.
    #[error("The practice district's certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The certificate and key could not be used for TLS.
    #[error("The practice district's certificate could not be used: {0}")]
    Tls(#[from] rustls::Error),
    /// No port on 127.0.0.1 could be opened.
    #[error("The practice district cannot listen on 127.0.0.1: {0}")]
    Listen(std::io::Error),
    /// The operating system gave no random numbers for keys and passwords.
    #[error("The operating system gave no random numbers: {0}")]
    Random(getrandom::Error),
    /// The plugin was not accepted.
    #[error(transparent)]
    Plugin(#[from] crate::plugin::PluginError),
    /// The Hero half could not start.
    #[error(transparent)]
    Hero(#[from] crate::hero::HeroError),
    /// The Raptor folder could not be written.
    #[error(transparent)]
    Raptor(#[from] crate::raptor::RaptorError),
    /// The mail sink could not start.
    #[error(transparent)]
    Mail(#[from] crate::mail::MailError),
    /// A background task ended abnormally.
    #[error("A task of the practice district ended abnormally: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl PracticeError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Data { .. } => "practice.data",
            Self::InUse { .. } => "practice.in_use",
            Self::Database(_) => "practice.database",
            Self::Corrupt { .. } => "practice.corrupt",
            Self::Size { .. } => "practice.size",
            Self::Change { .. } => "practice.change",
            Self::Certificate(_) | Self::Tls(_) => "practice.certificate",
            Self::Listen(_) => "practice.listen",
            Self::Random(_) => "practice.random",
            Self::Plugin(_) => "practice.plugin",
            Self::Hero(_) => "practice.hero",
            Self::Raptor(_) => "practice.raptor",
            Self::Mail(_) => "practice.mail",
            Self::Task(_) => "practice.task",
        }
    }

    /// What the person can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Data { .. } => "Choose a data folder you may write to, with free space, and start again.",
            Self::InUse { .. } => "Stop the other practice district first, or choose another data folder.",
            Self::Database(_) | Self::Corrupt { .. } => {
                "Delete the practice data folder (nothing real is in it) and start again."
            }
            Self::Size { .. } => "Ask for 1 to 2,000,000 students in 1 to 2,000 schools.",
            Self::Change { .. } => "Name a student, school, table and column that the district has.",
            Self::Certificate(_) | Self::Tls(_) | Self::Random(_) | Self::Task(_) => "Start it again.",
            Self::Listen(_) => "Allow this program to listen on 127.0.0.1 and start again.",
            Self::Plugin(_) => "Check the plugin file; a plugin is a zip with plugin.xml at its root.",
            Self::Hero(_) | Self::Raptor(_) | Self::Mail(_) => {
                "Check that the data folder can be written to, and start again."
            }
        }
    }
}

/// Turns an I/O error into [`PracticeError::Data`], naming the path it happened on.
pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> PracticeError {
    let path = path.into();
    move |source| PracticeError::Data { path, source }
}
