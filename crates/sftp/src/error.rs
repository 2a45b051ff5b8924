use std::io;
use std::time::Duration;

use crate::algorithms::Mismatch;
use crate::{Address, HostKey, Pin};

/// What is wrong with a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyProblem {
    /// The text is not a private key in a form that can be used.
    Unreadable,
    /// It is a public key.
    Public,
    /// It is a private key of a kind that can't be used: DSA, one in a hardware token, or protected by a cipher of old.
    Unsupported,
    /// It is encrypted and no passphrase was given.
    PassphraseMissing,
    /// It is encrypted and the passphrase does not open it, or the file is damaged.
    PassphraseWrong,
}

/// Why a connection or a transfer failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The typed address can't be one.
    #[error("'{text}' is not an SFTP address: {reason}")]
    BadAddress {
        /// What was typed.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file or folder name that could leave its folder, or that no server can store.
    #[error("'{}' can't be used as a file or folder name on the server", name.escape_debug())]
    BadName {
        /// The refused name.
        name: String,
    },
    /// The host name has no address.
    #[error("the name {host} could not be resolved")]
    Dns {
        /// The host that was looked up.
        host: String,
        /// The resolver's answer.
        #[source]
        cause: Option<io::Error>,
    },
    /// The computer answers and has nothing on that port.
    #[error("{address} refused the connection")]
    Refused {
        /// Where.
        address: Address,
    },
    /// No way to the address.
    #[error("{address} can't be reached")]
    Unreachable {
        /// Where.
        address: Address,
        /// The operating system's reason.
        #[source]
        cause: io::Error,
    },
    /// No answer in time.
    #[error("no answer from {address} within {} seconds while {doing}", after.as_secs_f32())]
    Timeout {
        /// Where.
        address: Address,
        /// What was being waited for.
        doing: &'static str,
        /// How long.
        after: Duration,
    },
    /// Something answers, and it does not speak SSH.
    #[error("{address} answered, but not as an SSH server")]
    NotSsh {
        /// Where.
        address: Address,
    },
    /// The two ends share no way of encrypting, or the exchange of keys failed.
    #[error("no secure connection could be agreed on with {address}: {}", match mismatch {
        Some(mismatch) => mismatch.to_string(),
        None => format!("the exchange of keys failed (SSH library code {code})"),
    })]
    Handshake {
        /// Where.
        address: Address,
        /// libssh2's error number.
        code: i32,
        /// What the two ends have nothing in common for, if that is the reason.
        mismatch: Option<Box<Mismatch>>,
    },
    /// First contact: nobody has accepted this server's key yet. No credential was sent.
    #[error("the server's {} host key {} has not been accepted yet", .0.algorithm, .0.sha256)]
    HostKeyUnknown(Box<HostKey>),
    /// The server shows another key than the accepted one. No credential was sent.
    #[error(
        "THE SERVER'S HOST KEY HAS CHANGED: accepted was {}, presented is {} ({})",
        pinned.iter().map(|pin| pin.sha256.as_str()).collect::<Vec<_>>().join(" or "),
        presented.sha256,
        presented.algorithm
    )]
    HostKeyChanged {
        /// The accepted keys.
        pinned: Vec<Pin>,
        /// The key shown now.
        presented: Box<HostKey>,
    },
    /// First contact: the server shows another key than the one whose fingerprint was given. No credential was sent.
    #[error("the server's {} host key is {}, not the expected {expected}", presented.algorithm, presented.sha256)]
    HostKeyMismatch {
        /// The fingerprint that was given.
        expected: String,
        /// The key shown.
        presented: Box<HostKey>,
    },
    /// What was given as a host key's fingerprint is none.
    #[error("this is not the fingerprint of a host key")]
    NotAFingerprint,
    /// The server did not accept the password.
    #[error("the server did not accept the password of '{username}'")]
    BadPassword {
        /// The account.
        username: String,
    },
    /// The password must be changed before it works again.
    #[error("the password of '{username}' has expired")]
    PasswordExpired {
        /// The account.
        username: String,
    },
    /// The server did not accept the sign-in for another reason than a wrong password.
    #[error("the server did not let '{username}' sign in (it offers: {offered})")]
    AuthRefused {
        /// The account.
        username: String,
        /// The ways of signing in the server names.
        offered: String,
    },
    /// The private key can't be used.
    #[error("{}", match .0 {
        KeyProblem::Unreadable => "the private key can't be read",
        KeyProblem::Public => "this is a public key, not a private one",
        KeyProblem::Unsupported => "a private key of this kind can't be used",
        KeyProblem::PassphraseMissing => "the private key is protected by a passphrase, and none was given",
        KeyProblem::PassphraseWrong => "the passphrase does not open the private key",
    })]
    BadPrivateKey(KeyProblem),
    /// No key could be made.
    #[error("the operating system gave no random numbers for a new key")]
    NoRandomness,
    /// Signed in, but the server offers no file transfer.
    #[error("the server let us sign in but offers no SFTP to this account")]
    NoSftp,
    /// A folder does not exist.
    #[error("there is no folder '{folder}' on the server")]
    FolderMissing {
        /// Which.
        folder: String,
    },
    /// A file does not exist.
    #[error("there is no file '{path}' on the server")]
    FileMissing {
        /// Which.
        path: String,
    },
    /// There is a folder where a file is to go.
    #[error("'{path}' is a folder on the server")]
    NotAFile {
        /// Which path.
        path: String,
    },
    /// The account may not do this.
    #[error("the server does not allow this account to {action} '{path}'")]
    Permission {
        /// What was tried.
        action: &'static str,
        /// With which file or folder.
        path: String,
    },
    /// The server has no room.
    #[error("the server has no space left for '{path}'")]
    NoSpace {
        /// Which file was being written.
        path: String,
    },
    /// The server refused for a reason of its own.
    #[error("the server could not {action} '{path}' (SFTP status {status})")]
    ServerRefused {
        /// What was tried.
        action: &'static str,
        /// With which file or folder.
        path: String,
        /// The status number of the SFTP protocol.
        status: i32,
    },
    /// After a transfer the sizes differ.
    #[error("'{path}' has {found} bytes on the server instead of {expected}")]
    SizeMismatch {
        /// Which file.
        path: String,
        /// Bytes sent.
        expected: u64,
        /// Bytes the server reports.
        found: u64,
    },
    /// A file changed while it was being read.
    #[error("'{path}' changed on the server while it was being read")]
    FileChanging {
        /// Which file.
        path: String,
    },
    /// What was produced for an upload is not what was planned.
    #[error("the content for '{path}' is not the planned one")]
    NotAsPlanned {
        /// The remote file it was meant for.
        path: String,
    },
    /// A folder holds more than can be taken in.
    #[error("the folder '{folder}' on the server holds more than {most} entries")]
    FolderTooFull {
        /// Which folder.
        folder: String,
        /// How many entries are taken in.
        most: usize,
    },
    /// The connection ended in mid-use.
    #[error("the connection to {address} was lost while {doing}")]
    Disconnected {
        /// Where.
        address: Address,
        /// What was going on.
        doing: &'static str,
    },
    /// This side stopped.
    #[error("the transfer was cancelled")]
    Cancelled,
    /// What was to be uploaded could not be produced.
    #[error("the content of '{path}' could not be produced")]
    Source {
        /// The remote file it was meant for.
        path: String,
        /// The producer's error.
        #[source]
        cause: io::Error,
    },
    /// What was downloaded could not be taken in.
    #[error("the content of '{path}' could not be stored")]
    Sink {
        /// The remote file it came from.
        path: String,
        /// The receiver's error.
        #[source]
        cause: io::Error,
    },
    /// libssh2, or the thread that ran it, failed in a way that has no meaning of its own.
    #[error("the SSH library failed while {doing} (code {code})")]
    Library {
        /// What was going on.
        doing: &'static str,
        /// libssh2's error number, 0 when its thread ended.
        code: i32,
    },
}

impl Error {
    /// Stable code for people and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadAddress { .. } => "sftp.bad_address",
            Self::BadName { .. } => "sftp.bad_name",
            Self::Dns { .. } => "sftp.dns",
            Self::Refused { .. } => "sftp.refused",
            Self::Unreachable { .. } => "sftp.unreachable",
            Self::Timeout { .. } => "sftp.timeout",
            Self::NotSsh { .. } => "sftp.not_ssh",
            Self::Handshake { .. } => "sftp.handshake",
            Self::HostKeyUnknown(_) => "sftp.host_key_unknown",
            Self::HostKeyChanged { .. } => "sftp.host_key_changed",
            Self::HostKeyMismatch { .. } => "sftp.host_key_mismatch",
            Self::NotAFingerprint => "sftp.bad_fingerprint",
            Self::BadPassword { .. } => "sftp.bad_password",
            Self::PasswordExpired { .. } => "sftp.password_expired",
            Self::AuthRefused { .. } => "sftp.auth_refused",
            Self::BadPrivateKey(_) => "sftp.bad_private_key",
            Self::NoRandomness => "sftp.no_randomness",
            Self::NoSftp => "sftp.no_sftp",
            Self::FolderMissing { .. } => "sftp.folder_missing",
            Self::FileMissing { .. } => "sftp.file_missing",
            Self::NotAFile { .. } => "sftp.not_a_file",
            Self::Permission { .. } => "sftp.permission",
            Self::NoSpace { .. } => "sftp.no_space",
            Self::ServerRefused { .. } => "sftp.server_refused",
            Self::SizeMismatch { .. } => "sftp.size_mismatch",
            Self::FileChanging { .. } => "sftp.file_changing",
            Self::NotAsPlanned { .. } => "sftp.not_as_planned",
            Self::FolderTooFull { .. } => "sftp.folder_too_full",
            Self::Disconnected { .. } => "sftp.disconnected",
            Self::Cancelled => "sftp.cancelled",
            Self::Source { .. } => "sftp.source",
            Self::Sink { .. } => "sftp.sink",
            Self::Library { .. } => "sftp.library",
        }
    }

    /// What the person can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::BadAddress { .. } => {
                "Enter the host name alone or as sftp://host, and a port if it is not the usual one."
            }
            Self::BadName { .. } => {
                "Use a plain name without slashes, backslashes or '..', at most 200 characters long."
            }
            Self::Dns { .. } => {
                "Check the spelling of the host name, and that this computer has a working network and DNS."
            }
            Self::Refused { .. } => {
                "Check the port (SchoolMint Hero uses 2022), and that the server is running."
            }
            Self::Unreachable { .. } => "Check this computer's network connection, VPN and firewall.",
            Self::Timeout { .. } => {
                "Check host and port, and ask the network administrator whether a firewall lets this computer \
                 reach that port. If it worked before, try again later."
            }
            Self::NotSsh { .. } => {
                "Check the port: another service listens there, or a firewall in between answers in its place."
            }
            Self::Handshake { mismatch: Some(mismatch), .. } if mismatch.legacy_helps => {
                "Ask the server's operator for a newer cipher. Until there is one, 'Allow legacy ciphers' lets the \
                 connection use an old one, which protects less."
            }
            Self::Handshake { .. } => {
                "Ask the server's operator which SSH algorithms it accepts; very old servers can't be used safely."
            }
            Self::HostKeyUnknown(_) => {
                "Compare the fingerprint with the one the server's operator gives you, then accept it once."
            }
            Self::HostKeyChanged { .. } => {
                "Do not go on. Ask the server's operator whether the host key was replaced; if they do not confirm it, \
                 someone may be posing as the server. If they do, replace the accepted key in the connection's settings."
            }
            Self::HostKeyMismatch { .. } => {
                "Do not go on. Check that the fingerprint is the one of this server and was copied whole; if it is, \
                 someone may be posing as the server: ask its operator."
            }
            Self::NotAFingerprint => {
                "Paste the fingerprint as the server's operator gives it: SHA256:... or MD5:..., a line of \
                 ssh-keygen -l, or the public host key itself."
            }
            Self::BadPassword { .. } => {
                "Check the account ID and enter its password again. The server's operator can set a new one; for \
                 SchoolMint Hero, a system administrator does it in Hero."
            }
            Self::PasswordExpired { .. } => {
                "Set a new password with the server's operator, then enter it here."
            }
            Self::AuthRefused { .. } => {
                "Check the account ID, and that the server knows this public key or accepts this way of signing in."
            }
            Self::BadPrivateKey(KeyProblem::Unreadable) => {
                "Use a private key in OpenSSH or PEM form (the whole file, from the BEGIN line to the END line)."
            }
            Self::BadPrivateKey(KeyProblem::Public) => {
                "Use the other file of the pair: the private key, whose name has no .pub at its end."
            }
            Self::BadPrivateKey(KeyProblem::Unsupported) => {
                "Use an Ed25519, ECDSA or RSA key from a file, or let RosterBridge make one. A key protected by an old \
                 cipher can be used after ssh-keygen -p -f FILE has saved it anew."
            }
            Self::BadPrivateKey(KeyProblem::PassphraseMissing) => "Enter the passphrase of the private key.",
            Self::BadPrivateKey(KeyProblem::PassphraseWrong) => {
                "Enter the passphrase of the private key again. If it is right, save the key anew with \
                 ssh-keygen -p -f FILE and use that."
            }
            Self::NoRandomness => "Start the computer anew, then try again.",
            Self::NoSftp => "Ask the server's operator to allow SFTP for this account.",
            Self::FolderMissing { .. } => {
                "Check the folder's spelling (upper and lower case count); Hero has the folders imports and export."
            }
            Self::FileMissing { .. } => {
                "Check the file's name (upper and lower case count), and that it has been written yet."
            }
            Self::NotAFile { .. } => {
                "Use another file name, or ask the server's operator to remove that folder."
            }
            Self::Permission { .. } => {
                "Ask the server's operator to give this account access to that folder."
            }
            Self::NoSpace { .. } => "Ask the server's operator to free space, then run again.",
            Self::ServerRefused { .. } => {
                "Try again later; if it stays, send the server's operator this message."
            }
            Self::SizeMismatch { .. } => {
                "Run again; if it stays, the server or something in between alters files: tell its operator."
            }
            Self::FileChanging { .. } => "Run again when the other side has finished writing the file.",
            Self::FolderTooFull { .. } => {
                "Ask the server's operator to clear the folder, or use another one."
            }
            Self::Disconnected { .. } => "Run again; if it stays, check network and server.",
            Self::Cancelled => "Run again when you are ready.",
            Self::Source { .. } | Self::Sink { .. } => {
                "Check this computer's free space and RosterBridge's own message about the cause."
            }
            Self::NotAsPlanned { .. } | Self::Library { .. } => {
                "Run again; if it stays, report it with the message above."
            }
        }
    }

    /// Whether the same call can succeed later with nothing changed by a person.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Dns { .. }
                | Self::Refused { .. }
                | Self::Unreachable { .. }
                | Self::Timeout { .. }
                | Self::NoSpace { .. }
                | Self::ServerRefused { .. }
                | Self::SizeMismatch { .. }
                | Self::FileChanging { .. }
                | Self::Disconnected { .. }
        )
    }
}
