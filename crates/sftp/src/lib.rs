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
mod connection;
mod error;
mod host_key;
mod path;
mod session;
mod test;
mod upload;
mod wire;

pub use address::Address;
pub use connection::{Authentication, Connection, Timeouts, connect};
pub use error::{Error, KeyProblem};
pub use host_key::HostKey;
pub use path::{RemoteFile, RemoteFolder};
pub use session::{Downloaded, Entry, Session};
pub use test::{Needs, Outcome, Stage, StageReport, TestReport, test};
pub use upload::{Placement, Uploaded};
