//! SchoolMint Hero's side: an SSH server with SFTP, which takes the district's three files from
//! `imports/` and places the day's attendance in `export/`.
//!
//! For practice only: one account, password authentication, an ed25519 host key.

mod account;
pub(crate) mod classes;
mod import;
mod sftp;

use std::{
    collections::HashMap,
    fs, io,
    net::{Shutdown, SocketAddr, TcpListener},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::NaiveDate;
use russh::{
    Channel, ChannelId, MethodKind, MethodSet, SshId,
    keys::{
        HashAlg, PrivateKey,
        ssh_key::{self, LineEnding, private::Ed25519Keypair},
    },
    server::{Auth, ChannelOpenHandle, Config, Msg, Session},
};
use serde::Deserialize;
use tokio::{io::AsyncWriteExt as _, net, sync::Notify, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    account::Folder,
    sftp::{LARGEST_PACKET, SftpSession},
};
use crate::district::District;

/// Room for many packets on their way: at 50 ms round trip this still allows 300 MB/s.
const WINDOW: u32 = 16 * 1024 * 1024;
/// The largest SSH packet that every client takes.
const SSH_PACKET: u32 = 65_535;
/// Requests that may wait for their turn in one session, bytes: more than clients have on the way.
const QUEUED_REQUESTS: usize = 64 * 1024 * 1024;
/// How long a wrong password takes.
const REJECTION: Duration = Duration::from_millis(200);
/// Pause after a failed accept: the process is out of file descriptors, and asking at once again
/// would keep a core busy.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a Hero server needs to know.
pub struct HeroOptions {
    /// The socket to serve on, already bound.
    pub listen: TcpListener,
    /// The account's folder; `imports/` and `export/` are made in it.
    pub root: PathBuf,
    /// The server's identity in OpenSSH's private key format, from [`generate_host_key`].
    pub host_key: String,
    /// The account ID that an administrator would create in Hero.
    pub username: String,
    /// The account's password.
    pub password: String,
    /// Whose students Hero has behaviour records of.
    pub district: District,
    /// The practice date, the only day of the attendance export.
    pub date: NaiveDate,
    /// Decides with the date which students are tardy.
    pub seed: u64,
    /// Misbehaviour from the start.
    pub faults: HeroFaults,
}

/// Ways a Hero server can misbehave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeroFaults {
    /// There is no `imports/` folder.
    pub missing_imports: bool,
    /// Files can be written but not renamed.
    pub refuse_rename: bool,
    /// The connection breaks, without a farewell, at the first write that exceeds this number of
    /// bytes of file content in one session.
    pub drop_after_bytes: Option<u64>,
    /// Requests of this kind get no answer and do nothing until the faults are set anew; then their connection breaks.
    pub hang: Option<HeroHang>,
    /// Milliseconds until a file gets the name of an import file. It keeps the name it has if the client leaves meanwhile.
    pub late_name_ms: Option<u64>,
}

/// Requests that can hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeroHang {
    /// Looking at a file or folder.
    Stat,
    /// Opening a file.
    Open,
    /// Writing to one.
    Write,
    /// Reading from one.
    Read,
    /// Renaming one.
    Rename,
}

/// Why the Hero server could not start.
#[derive(Debug, thiserror::Error)]
pub enum HeroError {
    /// The host key is not an OpenSSH private key, or the system has no randomness for a new one.
    #[error("The practice Hero server's host key cannot be used: {0}")]
    HostKey(String),
    /// The account's folder could not be made.
    #[error("The practice Hero account's folder {} cannot be made: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The socket could not be handed to the server.
    #[error("The practice Hero server's socket cannot be used: {0}")]
    Listener(io::Error),
}

impl HeroError {
    /// The stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::HostKey(_) => "practice.hero_host_key",
            Self::Folder { .. } => "practice.hero_folder",
            Self::Listener(_) => "practice.hero_listener",
        }
    }

    /// What a person can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::HostKey(_) => {
                "Delete the practice district's data folder: a new one gets a new key, and connections to \
                 it must accept the new fingerprint."
            }
            Self::Folder { .. } => "Choose a data folder you can write to, on a disk with free space.",
            Self::Listener(_) => "Start the practice district again.",
        }
    }
}

/// Makes a new ed25519 host key, as OpenSSH private key text.
pub fn generate_host_key() -> Result<String, HeroError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| HeroError::HostKey(error.to_string()))?;
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
    let text = key.to_openssh(LineEnding::LF).map_err(|error| host_key_error(&error))?;
    Ok(text.as_str().to_owned())
}

fn host_key_error(error: &ssh_key::Error) -> HeroError {
    HeroError::HostKey(error.to_string())
}

/// A Hero server at work. It stops when this is dropped; [`HeroServer::stop`] also waits for it.
pub struct HeroServer {
    account: Arc<HeroAccount>,
    address: SocketAddr,
    host_key_sha256: String,
    stop: CancellationToken,
    accepting: JoinHandle<()>,
}

impl HeroServer {
    /// The host key's fingerprint as `ssh-keygen -l` prints it, `SHA256:` included.
    pub fn host_key_sha256(&self) -> &str {
        &self.host_key_sha256
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes the server misbehave from the next request on, or behave again.
    pub fn set_faults(&self, faults: HeroFaults) {
        *self.account.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
        self.account.mended.notify_waiters();
    }

    /// Requests that hang now.
    pub fn hanging(&self) -> usize {
        self.account.hanging.load(Ordering::SeqCst)
    }

    /// Cuts all connections and waits until they are gone.
    pub async fn stop(mut self) {
        self.stop.cancel();
        // The task only ends early by a panic, and then there is nothing left to wait for.
        _ = (&mut self.accepting).await;
    }
}

impl Drop for HeroServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Starts serving on the runtime that this is called in.
pub fn start(options: HeroOptions) -> Result<HeroServer, HeroError> {
    let HeroOptions { listen, root, host_key, username, password, district, date, seed, faults } = options;
    let key = PrivateKey::from_openssh(&host_key).map_err(|error| host_key_error(&error))?;
    let host_key_sha256 = key.fingerprint(HashAlg::Sha256).to_string();

    let folder = Folder::new(root);
    for path in [folder.imports(), folder.export()] {
        fs::create_dir_all(&path).map_err(|source| HeroError::Folder { path, source })?;
    }

    listen.set_nonblocking(true).map_err(HeroError::Listener)?;
    let address = listen.local_addr().map_err(HeroError::Listener)?;
    let listener = net::TcpListener::from_std(listen).map_err(HeroError::Listener)?;
    let config = Arc::new(Config {
        server_id: SshId::Standard("SSH-2.0-PracticeHero".into()),
        methods: MethodSet::from([MethodKind::Password].as_slice()),
        auth_rejection_time: REJECTION,
        // Clients probe with "none" first; that is no guess at a password.
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        window_size: WINDOW,
        maximum_packet_size: SSH_PACKET,
        ..Config::default()
    });
    let account = Arc::new(HeroAccount {
        folder,
        username,
        password,
        district,
        date,
        seed,
        faults: Mutex::new(faults),
        import: tokio::sync::Mutex::new(()),
        mended: Notify::new(),
        hanging: AtomicUsize::new(0),
    });
    let stop = CancellationToken::new();
    let accepting = tokio::spawn(accept(listener, config, Arc::clone(&account), stop.clone()));
    Ok(HeroServer { account, address, host_key_sha256, stop, accepting })
}

/// What all sessions share.
struct HeroAccount {
    folder: Folder,
    username: String,
    password: String,
    district: District,
    date: NaiveDate,
    seed: u64,
    faults: Mutex<HeroFaults>,
    /// Held while Hero takes in the files: two sessions may deliver at once.
    import: tokio::sync::Mutex<()>,
    /// Told when the faults change.
    mended: Notify,
    /// Requests that hang by a fault.
    hanging: AtomicUsize,
}

impl HeroAccount {
    fn faults(&self) -> HeroFaults {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Imports, if all three files are there. A client never hears of a failure, as with Hero,
    /// where the upload is long over; it is logged.
    async fn take_in(self: &Arc<Self>) {
        let _turn = self.import.lock().await;
        let account = Arc::clone(self);
        let outcome = tokio::task::spawn_blocking(move || {
            import::import(&account.folder, &account.district, account.date, account.seed)
        })
        .await;
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the practice Hero could not import"),
            Err(error) => tracing::error!(%error, "the practice Hero's import broke off"),
        }
    }
}

async fn accept(
    listener: net::TcpListener,
    config: Arc<Config>,
    account: Arc<HeroAccount>,
    stop: CancellationToken,
) {
    let sessions = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (config, account, stop) = (Arc::clone(&config), Arc::clone(&account), stop.clone());
                sessions.spawn(async move {
                    // Clients come and go as they like; a broken session is theirs to report.
                    if let Err(error) = serve(stream, config, account, stop).await {
                        tracing::debug!(%error, "a Hero session ended with an error");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the practice Hero could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    sessions.close();
    sessions.wait().await;
}

/// Serves one connection until the client or the server ends it.
async fn serve(
    stream: net::TcpStream,
    config: Arc<Config>,
    account: Arc<HeroAccount>,
    stop: CancellationToken,
) -> Result<(), russh::Error> {
    stream.set_nodelay(true)?;
    let stream = stream.into_std()?;
    let wire = Arc::new(stream.try_clone()?);
    let stream = net::TcpStream::from_std(stream)?;
    let connection = Connection { account, wire: Arc::clone(&wire), channels: HashMap::new() };
    let session = async { russh::server::run_stream(config, stream, connection).await?.await };
    tokio::pin!(session);
    let outcome = tokio::select! {
        outcome = &mut session => outcome,
        () = stop.cancelled() => {
            // An error means that the connection is gone, which is what is wanted.
            _ = wire.shutdown(Shutdown::Both);
            session.await
        }
    };
    _ = wire.shutdown(Shutdown::Both);
    outcome
}

/// The SSH side of one connection.
struct Connection {
    account: Arc<HeroAccount>,
    wire: Arc<std::net::TcpStream>,
    /// Open channels that have not asked for SFTP yet.
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl russh::server::Handler for Connection {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        let known = user == self.account.username && password == self.account.password;
        Ok(if known { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        self.channels.remove(&channel);
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        session.close(channel)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(open) = (if name == "sftp" { self.channels.remove(&channel) } else { None }) else {
            return session.channel_failure(channel);
        };
        session.channel_success(channel)?;
        let sftp = SftpSession::new(Arc::clone(&self.account), Arc::clone(&self.wire));
        let config = russh_sftp::server::Config { max_client_packet_len: LARGEST_PACKET };
        let (mut requests, answers) = open.split();
        let (queued, mut queue) = tokio::io::simplex(QUEUED_REQUESTS);
        // russh's session waits while a channel's own queue is full, and then no longer sees the window
        // adjustments that our answers wait for: a client that asks for much at once would hang. So the
        // requests are taken out of that queue whatever the answers are doing.
        tokio::spawn(async move {
            // Either end going away ends the session, which says so itself.
            _ = tokio::io::copy(&mut requests.make_reader(), &mut queue).await;
            _ = queue.shutdown().await;
        });
        let stream = tokio::io::join(queued, answers.make_writer());
        russh_sftp::server::run_with_config(stream, sftp, config).await;
        Ok(())
    }
}
