//! The local socket (named pipe on Windows) of a profile: its name, its listener, and the lines that travel over it.
//!
//! Only the owner of the account may connect. The first line of each side is a [`Hello`]; then the guest sends one
//! [`Request`] and the host answers with [`Reply`] lines, the last of which is no event.

use std::{io, path::Path, time::Duration};

use futures_util::{SinkExt, StreamExt};
use interprocess::local_socket::{
    ListenerOptions, Name,
    tokio::{Listener, Stream, prelude::*},
};
use rosterbridge_engine::profile::ProfileFolder;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use tokio_util::{
    codec::{Framed, LinesCodec, LinesCodecError},
    sync::CancellationToken,
};

use crate::request::{Fault, Reply, Request};

/// Raised whenever a request or an answer changes its shape.
const PROTOCOL: u32 = 5;

/// Longest line taken. A setup file and a page of held rows fit many times.
const LONGEST_LINE: usize = 16 << 20;

/// How long a guest may take to take in a line of a host that leaves. A process on the same machine that is alive takes far less.
const HEARING: Duration = Duration::from_secs(5);

/// The first line of each side.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Hello {
    protocol: u32,
    app: String,
}

impl Hello {
    fn ours() -> Self {
        Self { protocol: PROTOCOL, app: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// A connection between two processes of a profile.
pub(crate) struct Line(Framed<Stream, LinesCodec>);

impl Line {
    fn new(stream: Stream) -> Self {
        Self(Framed::new(stream, LinesCodec::new_with_max_length(LONGEST_LINE)))
    }

    async fn send<T: Serialize>(&mut self, message: &T) -> io::Result<()> {
        self.0.send(serde_json::to_string(message)?).await.map_err(into_io)
    }

    async fn receive<T: DeserializeOwned>(&mut self) -> io::Result<T> {
        let line = self.0.next().await.ok_or(io::ErrorKind::UnexpectedEof)?.map_err(into_io)?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Connects to the process that holds the profile. An error means nobody listens there (any more).
    pub(crate) async fn connect(folder: &ProfileFolder) -> io::Result<Self> {
        Ok(Self::new(Stream::connect(name(folder)?).await?))
    }

    /// As the guest: introduces itself and refuses a host of another protocol.
    pub(crate) async fn greet(&mut self) -> io::Result<Result<(), Fault>> {
        self.send(&Hello::ours()).await?;
        let theirs: Hello = self.receive().await?;
        Ok(if theirs.protocol == PROTOCOL { Ok(()) } else { Err(other_version(&theirs)) })
    }

    /// As the host: the guest's request, or `None` when it speaks another protocol (it has been told).
    pub(crate) async fn welcome(&mut self) -> io::Result<Option<Request>> {
        let theirs: Hello = self.receive().await?;
        self.send(&Hello::ours()).await?;
        if theirs.protocol == PROTOCOL { self.receive().await.map(Some) } else { Ok(None) }
    }

    /// As the guest: asks.
    pub(crate) async fn ask(&mut self, request: &Request) -> io::Result<()> {
        self.send(request).await
    }

    /// As the guest: the next reply.
    pub(crate) async fn reply(&mut self) -> io::Result<Reply> {
        self.receive().await
    }

    /// As the host: ends when the guest has gone. It has nothing more to say, so whatever comes is taken for that.
    pub(crate) async fn gone(&mut self) {
        let _ = self.0.next().await;
    }

    /// As the host: tells, for as long as the guest takes to hear it, but for a moment once the host is `leaving`: one that
    /// connects and never reads must not hold up its end. After an error the guest may have half of the line, and is of no
    /// more use.
    pub(crate) async fn tell(&mut self, reply: &Reply, leaving: &CancellationToken) -> io::Result<()> {
        let given_up = async {
            leaving.cancelled().await;
            tokio::time::sleep(HEARING).await;
        };
        tokio::select! {
            told = self.send(reply) => told,
            () = given_up => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

fn into_io(error: LinesCodecError) -> io::Error {
    match error {
        LinesCodecError::Io(error) => error,
        LinesCodecError::MaxLineLengthExceeded => io::ErrorKind::InvalidData.into(),
    }
}

fn other_version(theirs: &Hello) -> Fault {
    Fault {
        code: "session.other_version".to_owned(),
        message: format!(
            "This district is in use by RosterBridge {}, and this is {}. The two can't work together.",
            theirs.app,
            env!("CARGO_PKG_VERSION")
        ),
        remedy: "Close the other RosterBridge window, or wait for its command to end, then try again."
            .to_owned(),
    }
}

/// Listens for other processes of this account.
pub(crate) fn listen(folder: &ProfileFolder) -> io::Result<Listener> {
    let options = ListenerOptions::new().name(name(folder)?).try_overwrite(true);
    #[cfg(windows)]
    let options = {
        use interprocess::os::windows::{
            local_socket::ListenerOptionsExt, security_descriptor::SecurityDescriptor,
        };
        // Protected, and everything allowed to the owner only.
        options.security_descriptor(SecurityDescriptor::deserialize(widestring::u16cstr!("D:P(A;;GA;;;OW)"))?)
    };
    let listener = options.create_tokio()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(socket_path(folder)?, std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(listener)
}

/// Waits for the next process.
pub(crate) async fn accept(listener: &Listener) -> io::Result<Line> {
    listener.accept().await.map(Line::new)
}

/// A short name for a profile's folder, the same in every process.
fn digest(path: &Path) -> io::Result<String> {
    let path = path.canonicalize()?;
    let mut hash = hex::encode(Sha256::digest(path.as_os_str().as_encoded_bytes()));
    hash.truncate(24);
    Ok(hash)
}

#[cfg(unix)]
fn name(folder: &ProfileFolder) -> io::Result<Name<'static>> {
    use interprocess::local_socket::{GenericFilePath, ToFsName};
    socket_path(folder)?.to_fs_name::<GenericFilePath>()
}

/// The file a profile's socket is; none where sockets are no files.
#[cfg(unix)]
pub(crate) fn file(folder: &ProfileFolder) -> Option<std::path::PathBuf> {
    socket_path(folder).ok()
}

/// The file a profile's socket is; none where sockets are no files.
#[cfg(windows)]
pub(crate) fn file(_: &ProfileFolder) -> Option<std::path::PathBuf> {
    None
}

/// The socket lies in the profile's folder, which only its owner may enter. A path too long for a socket address
/// (104 bytes on macOS) moves to a folder of the same kind in the temporary directory.
#[cfg(unix)]
fn socket_path(folder: &ProfileFolder) -> io::Result<std::path::PathBuf> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};

    let here = folder.path().join("engine.sock");
    if here.as_os_str().len() < 100 {
        return Ok(here);
    }
    let short = std::env::temp_dir().join(format!("rosterbridge-{}", digest(folder.path())?));
    match std::fs::DirBuilder::new().mode(0o700).create(&short) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let (ours, theirs) = (std::fs::metadata(folder.path())?, std::fs::symlink_metadata(&short)?);
    if !theirs.is_dir() || theirs.uid() != ours.uid() || theirs.mode() & 0o077 != 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(short.join("engine.sock"))
}

#[cfg(windows)]
fn name(folder: &ProfileFolder) -> io::Result<Name<'static>> {
    use interprocess::local_socket::{GenericNamespaced, ToNsName};
    format!("rosterbridge-{}", digest(folder.path())?).to_ns_name::<GenericNamespaced>()
}
