//! Running libssh2's blocking calls aside, and reading its error numbers.

use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ssh2::ErrorCode;
use tokio_util::sync::CancellationToken;

use crate::{Address, Error};

/// libssh2's numbers (`libssh2.h`), as far as they have a meaning of their own here.
pub(crate) mod code {
    pub(crate) const SOCKET_SEND: i32 = -7;
    pub(crate) const TIMEOUT: i32 = -9;
    pub(crate) const SOCKET_DISCONNECT: i32 = -13;
    pub(crate) const PASSWORD_EXPIRED: i32 = -15;
    pub(crate) const AUTHENTICATION_FAILED: i32 = -18;
    pub(crate) const NO_MORE_FILES: i32 = -16;
    pub(crate) const PUBLICKEY_UNVERIFIED: i32 = -19;
    pub(crate) const CHANNEL_FAILURE: i32 = -21;
    pub(crate) const CHANNEL_REQUEST_DENIED: i32 = -22;
    pub(crate) const CHANNEL_CLOSED: i32 = -26;
    pub(crate) const CHANNEL_EOF_SENT: i32 = -27;
    pub(crate) const SOCKET_TIMEOUT: i32 = -30;
    pub(crate) const SFTP_PROTOCOL: i32 = -31;
    pub(crate) const SOCKET_RECV: i32 = -43;
    pub(crate) const BAD_SOCKET: i32 = -45;
}

/// Status numbers of the SFTP protocol (draft-ietf-secsh-filexfer, SSH_FX_*).
pub(crate) mod status {
    pub(crate) const OK: i32 = 0;
    pub(crate) const NO_SUCH_FILE: i32 = 2;
    pub(crate) const PERMISSION_DENIED: i32 = 3;
    pub(crate) const NO_CONNECTION: i32 = 6;
    pub(crate) const CONNECTION_LOST: i32 = 7;
    pub(crate) const OP_UNSUPPORTED: i32 = 8;
    pub(crate) const NO_SUCH_PATH: i32 = 10;
    pub(crate) const WRITE_PROTECT: i32 = 12;
    pub(crate) const NO_SPACE: i32 = 14;
    pub(crate) const QUOTA_EXCEEDED: i32 = 15;
}

/// How long a cancelled line is left to a file that is between two names: most servers rename both in much less, and the
/// run still ends as soon as a person expects.
const PLACING: Duration = Duration::from_secs(1);

/// What every step of one connection shares: where it goes, how long it waits, how to end it.
pub(crate) struct Line {
    pub(crate) address: Address,
    pub(crate) socket: TcpStream,
    pub(crate) answer_within: Duration,
    pub(crate) cancel: CancellationToken,
    /// A file is between two names: cut now, the line would leave none of the right name.
    pub(crate) placing: AtomicBool,
}

impl Line {
    /// Ends every blocked call on this connection.
    pub(crate) fn cut(&self) {
        // Fails only when the other side was faster.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Lets a file get its name. Cancelled meanwhile, the line is cut only after [`PLACING`]; cancelled before, nothing is
    /// begun.
    pub(crate) fn place<T>(&self, renaming: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        self.placing.store(true, Ordering::SeqCst);
        // In this order: whoever cancels either is seen here, or sees the mark.
        let placed = if self.cancel.is_cancelled() { Err(Error::Cancelled) } else { renaming() };
        self.placing.store(false, Ordering::SeqCst);
        placed
    }

    /// Runs `call` on a thread that may block. A cancelled token or a dropped future cuts the line.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        doing: &'static str,
        call: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        if self.cancel.is_cancelled() {
            self.cut();
            return Err(Error::Cancelled);
        }
        let mut guard = CutWhenDropped(Some(self));
        let span = tracing::Span::current();
        let mut task = tokio::task::spawn_blocking(move || span.in_scope(call));
        let joined = tokio::select! {
            biased;
            joined = &mut task => joined,
            () = self.cancel.cancelled() => {
                let placing = self.placing.load(Ordering::SeqCst);
                let patience = if placing { PLACING } else { Duration::ZERO };
                if let Ok(joined) = tokio::time::timeout(patience, &mut task).await {
                    joined
                } else {
                    self.cut();
                    // The cut ends the call; waiting for it means nothing of it happens after we return.
                    task.await
                }
            }
        };
        guard.0 = None;
        match joined {
            Err(_) => {
                self.cut();
                Err(Error::Library { doing, code: 0 })
            }
            // The source of an upload may have seen it first.
            Ok(Err(_)) if self.cancel.is_cancelled() => Err(Error::Cancelled),
            Ok(outcome) => outcome,
        }
    }

    /// An error of the connection itself, from libssh2's number. Such a connection is of no further use, and
    /// libssh2 must not wait for it again while it tidies up: it is cut.
    pub(crate) fn broken(&self, number: i32, doing: &'static str) -> Error {
        self.cut();
        match number {
            code::TIMEOUT | code::SOCKET_TIMEOUT => {
                Error::Timeout { address: self.address.clone(), doing, after: self.answer_within }
            }
            code::SOCKET_SEND
            | code::SOCKET_RECV
            | code::SOCKET_DISCONNECT
            | code::BAD_SOCKET
            | code::CHANNEL_CLOSED
            | code::CHANNEL_EOF_SENT => Error::Disconnected { address: self.address.clone(), doing },
            code => Error::Library { doing, code },
        }
    }

    /// An error of one SFTP request about `path`.
    pub(crate) fn request(&self, error: &ssh2::Error, action: &'static str, path: &str) -> Error {
        match error.code() {
            ErrorCode::SFTP(number) => self.answered(number, action, path),
            ErrorCode::Session(number) => self.broken(number, action_in_progress(action)),
        }
    }

    /// The meaning of an SFTP status number.
    pub(crate) fn answered(&self, number: i32, action: &'static str, path: &str) -> Error {
        let path = path.to_owned();
        match number {
            status::NO_SUCH_FILE | status::NO_SUCH_PATH => Error::FileMissing { path },
            status::PERMISSION_DENIED | status::WRITE_PROTECT => Error::Permission { action, path },
            status::NO_SPACE | status::QUOTA_EXCEEDED => Error::NoSpace { path },
            status::NO_CONNECTION | status::CONNECTION_LOST => {
                Error::Disconnected { address: self.address.clone(), doing: action_in_progress(action) }
            }
            status => Error::ServerRefused { action, path, status },
        }
    }
}

/// The verbs of [`Error::Permission`] and [`Error::ServerRefused`], as they read in "was lost while ...".
fn action_in_progress(action: &'static str) -> &'static str {
    match action {
        "list" => "listing a folder",
        "read" => "reading a file",
        "write" => "writing a file",
        "rename" => "renaming a file",
        "remove" => "removing a file",
        "make" => "making a folder",
        _ => "looking at a file",
    }
}

struct CutWhenDropped<'a>(Option<&'a Arc<Line>>);

impl Drop for CutWhenDropped<'_> {
    fn drop(&mut self) {
        if let Some(line) = self.0 {
            line.cut();
        }
    }
}
