//! Managed SFTP connections, host keys and safe transfers.
//!
//! A [`Connection`] says where, as whom and how to sign in. [`connect`] opens a [`Session`] only when the
//! server's [`HostKey`] is the pinned one: an unknown or changed key stops before any credential is sent.
//! [`Session::upload`] replaces a remote file only by a complete, checked one. [`test()`] tries a connection in
//! stages, for the person who sets it up.
//!
//! libssh2 blocks; every operation here is a future that runs it aside. Cancelling the token, or dropping the
//! future, shuts the TCP socket down, which ends the blocked call at once.

mod address;
pub mod algorithms;
mod connection;
mod error;
mod extensions;
pub mod fingerprint;
mod host_key;
mod keys;
pub mod known_hosts;
mod path;
mod session;
mod test;
mod upload;
mod wire;

pub use address::Address;
pub use connection::{Authentication, Connection, Pin, Timeouts, connect, presented_host_key};
pub use error::{Error, KeyProblem};
pub use extensions::{Capabilities, Space};
pub use fingerprint::ExpectedFingerprint;
pub use host_key::HostKey;
pub use keys::{GeneratedKey, KeyFacts, check_key, generate_key, public_line};
pub use path::{RemoteFile, RemoteFolder};
pub use session::{Downloaded, Entry, Session};
pub use test::{Needs, Outcome, Stage, StageReport, TestReport, Warning, test};
pub use upload::{Placement, Uploaded};
