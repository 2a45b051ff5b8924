//! SchoolMint Hero's side: an SSH server with SFTP, which takes a district's three files from the
//! `imports/` of an account and places the day's attendance in its `export/`.
//!
//! For practice only. There can be several accounts, each with a user and a folder of its own. They sign in by password
//! or public key, and the server can show host keys of several kinds.

mod account;
pub(crate) mod classes;
mod export;
mod faults;
mod folder;
pub(crate) mod import;
mod keys;
mod sftp;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs, io,
    net::{Shutdown, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, NaiveDate, Utc};
use russh::{
    Channel, ChannelId, ChannelOpenFailure, MethodKind, MethodSet, SshId,
    keys::PublicKey,
    server::{Auth, ChannelOpenHandle, Config, Msg, PublicKeyOffer, Session, VerifiedPublicKey},
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net,
    sync::Notify,
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    account::Account,
    sftp::{LARGEST_PACKET, SftpSession},
};
pub use self::{
    account::{HeroAccountOptions, HeroAccountSettings, HeroLevel, HeroTaking},
    export::{ExportCharacters, ExportDelimiter, ExportForm, ExportRecordEnd, Exported, HeroExport},
    faults::{CutOnce, HeroFaults, HeroHang, HeroSpace},
    import::FileReport,
    keys::{HostKey, HostKeyKind, generate_host_key, generate_host_key_of},
};
use crate::{PracticeError, district::District};

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
    /// The server's identities in OpenSSH's private key format, at least one; from [`generate_host_key`].
    pub host_keys: Vec<String>,
    /// The accounts. Without one nobody can sign in.
    pub accounts: Vec<HeroAccountOptions>,
    /// Whose students Hero has behaviour records of.
    pub district: District,
    /// The practice date, the only day of the attendance export.
    pub date: NaiveDate,
    /// Decides with the date which students are tardy.
    pub seed: u64,
    /// Misbehaviour from the start.
    pub faults: HeroFaults,
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

/// A Hero server at work. It stops when this is dropped; [`HeroServer::stop`] also waits for it.
pub struct HeroServer {
    hero: Arc<Hero>,
    address: SocketAddr,
    stop: CancellationToken,
    accepting: JoinHandle<()>,
}

/// What Hero read of an account's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountReport {
    /// The account's name in Hero.
    pub name: String,
    /// Its user.
    pub username: String,
    /// By file name.
    pub files: BTreeMap<String, FileReport>,
}

impl HeroServer {
    /// The first host key's fingerprint as `ssh-keygen -l` prints it, `SHA256:` included.
    pub fn host_key_sha256(&self) -> String {
        self.host_keys().into_iter().next().map(|key| key.sha256).unwrap_or_default()
    }

    /// The host keys that the next connection is offered.
    pub fn host_keys(&self) -> Vec<HostKey> {
        self.hero.server.read().unwrap_or_else(PoisonError::into_inner).host_keys.clone()
    }

    /// Replaces the host keys, from the next connection on.
    pub fn set_host_keys(&self, host_keys: &[String]) -> Result<Vec<HostKey>, HeroError> {
        let server = Server::new(host_keys)?;
        let shown = server.host_keys.clone();
        *self.hero.server.write().unwrap_or_else(PoisonError::into_inner) = server;
        Ok(shown)
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes the server misbehave from the next request on, or behave again.
    pub fn set_faults(&self, faults: HeroFaults) {
        *self.hero.faults_mut() = faults;
        self.hero.mended.notify_waiters();
    }

    /// Requests that hang now.
    pub fn hanging(&self) -> usize {
        self.hero.hanging.load(Ordering::SeqCst)
    }

    /// Adds an account.
    pub fn add_account(&self, options: HeroAccountOptions) -> Result<(), HeroError> {
        let account = Arc::new(make(options)?);
        self.hero.accounts.write().unwrap_or_else(PoisonError::into_inner).push(account);
        Ok(())
    }

    /// Replaces what an account's administrator has set; no name for the first account.
    pub fn set_account(
        &self,
        username: Option<&str>,
        settings: HeroAccountSettings,
    ) -> Result<(), PracticeError> {
        let account = self.account(username)?;
        settings.authorised().map_err(|reason| PracticeError::Change {
            reason: format!("the public key is not one: {reason}"),
        })?;
        account.state().settings = settings;
        Ok(())
    }

    /// Replaces how an account's attendance export looks, and writes it. No name for the first account.
    pub async fn set_export(
        &self,
        username: Option<&str>,
        export: HeroExport,
    ) -> Result<Exported, PracticeError> {
        let name = export.file_name();
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', ':', '\0']) {
            return Err(PracticeError::Change {
                reason: "an export's name is the name of a file".to_owned(),
            });
        }
        let account = self.account(username)?;
        let _turn = account.turn.lock().await;
        account.state().export = export;
        let hero = Arc::clone(&self.hero);
        let (folder, worker) = (account.folder.export(), Arc::clone(&account));
        tokio::task::spawn_blocking(move || hero.write_export(&worker))
            .await?
            .map_err(crate::error::at(folder))
    }

    /// Lets Hero read what is in an account's `imports/`, as it does of itself unless the account is set to be asked.
    pub async fn read_imports(&self, username: Option<&str>) -> Result<AccountReport, PracticeError> {
        let account = self.account(username)?;
        self.hero.take_in(&account).await;
        Ok(report(&account))
    }

    /// What Hero read, account by account.
    pub fn reports(&self) -> Vec<AccountReport> {
        self.hero.accounts().iter().map(|account| report(account)).collect()
    }

    /// Puts a file into an account as another sender would. Blocking.
    pub(crate) fn receive(
        &self,
        username: Option<&str>,
        name: &str,
        in_imports: bool,
        bytes: &[u8],
        modified: Option<DateTime<Utc>>,
    ) -> Result<(), PracticeError> {
        let account = self.account(username)?;
        account.receive(name, in_imports, bytes, modified).map_err(crate::error::at(account.folder.root()))
    }

    /// Tells Hero that all files of a sender have arrived.
    pub(crate) async fn received(&self, username: Option<&str>) -> Result<(), PracticeError> {
        let account = self.account(username)?;
        if account.reads_on_arrival(import::STUDENTS) {
            self.hero.take_in(&account).await;
        }
        Ok(())
    }

    /// Level and schools of an account; no schools for every one.
    pub(crate) fn shape(&self, username: Option<&str>) -> Result<(HeroLevel, Vec<i64>), PracticeError> {
        let account = self.account(username)?;
        Ok((account.level, account.schools.clone()))
    }

    /// The local file of an account's export.
    pub(crate) fn export_file(
        &self,
        username: Option<&str>,
        name: Option<&str>,
    ) -> Result<PathBuf, PracticeError> {
        let account = self.account(username)?;
        let state = account.state();
        let name = name.unwrap_or_else(|| state.export.file_name());
        Ok(account.folder.export().join(Path::new(name).file_name().unwrap_or_default()))
    }

    fn account(&self, username: Option<&str>) -> Result<Arc<Account>, PracticeError> {
        let accounts = self.hero.accounts();
        accounts
            .into_iter()
            .find(|account| username.is_none_or(|username| account.username == username))
            .ok_or_else(|| PracticeError::Change {
                reason: format!("there is no Hero account {}", username.unwrap_or_default()),
            })
    }

    /// Cuts all connections and waits until they are gone.
    pub async fn stop(mut self) {
        self.stop.cancel();
        // The task only ends early by a panic, and then there is nothing left to wait for.
        _ = (&mut self.accepting).await;
    }
}

fn report(account: &Account) -> AccountReport {
    let state = account.state();
    AccountReport {
        name: account.name.clone(),
        username: account.username.clone(),
        files: state.reports.iter().map(|(name, report)| ((*name).to_owned(), report.clone())).collect(),
    }
}

impl Drop for HeroServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Starts serving on the runtime that this is called in.
pub fn start(options: HeroOptions) -> Result<HeroServer, HeroError> {
    let HeroOptions { listen, host_keys, accounts, district, date, seed, faults } = options;
    let server = Server::new(&host_keys)?;
    let accounts = accounts
        .into_iter()
        .map(|account| make(account).map(Arc::new))
        .collect::<Result<Vec<_>, HeroError>>()?;
    listen.set_nonblocking(true).map_err(HeroError::Listener)?;
    let address = listen.local_addr().map_err(HeroError::Listener)?;
    let listener = net::TcpListener::from_std(listen).map_err(HeroError::Listener)?;
    let hero = Arc::new(Hero {
        accounts: RwLock::new(accounts),
        server: RwLock::new(server),
        district,
        date,
        seed,
        faults: Mutex::new(faults),
        mended: Notify::new(),
        hanging: AtomicUsize::new(0),
    });
    let stop = CancellationToken::new();
    let accepting = tokio::spawn(accept(listener, Arc::clone(&hero), stop.clone()));
    Ok(HeroServer { hero, address, stop, accepting })
}

/// Makes an account and its folders.
fn make(options: HeroAccountOptions) -> Result<Account, HeroError> {
    let account = Account::new(options);
    for path in [account.folder.imports(), account.folder.export()] {
        fs::create_dir_all(&path).map_err(|source| HeroError::Folder { path, source })?;
    }
    Ok(account)
}

/// How the server shows itself to a new connection.
struct Server {
    config: Arc<Config>,
    host_keys: Vec<HostKey>,
}

impl Server {
    fn new(host_keys: &[String]) -> Result<Self, HeroError> {
        let keys = keys::read(host_keys)?;
        let host_keys = keys.iter().map(HostKey::of).collect::<Result<Vec<_>, _>>()?;
        let config = Arc::new(Config {
            server_id: SshId::Standard("SSH-2.0-PracticeHero".into()),
            methods: MethodSet::from([MethodKind::Password, MethodKind::PublicKey].as_slice()),
            auth_rejection_time: REJECTION,
            // Clients probe with "none" first; that is no guess at a password.
            auth_rejection_time_initial: Some(Duration::ZERO),
            keys,
            window_size: WINDOW,
            maximum_packet_size: SSH_PACKET,
            ..Config::default()
        });
        Ok(Self { config, host_keys })
    }
}

/// What all sessions share.
struct Hero {
    accounts: RwLock<Vec<Arc<Account>>>,
    server: RwLock<Server>,
    district: District,
    date: NaiveDate,
    seed: u64,
    faults: Mutex<HeroFaults>,
    /// Told when the faults change.
    mended: Notify,
    /// Requests that hang by a fault.
    hanging: AtomicUsize,
}

impl Hero {
    fn accounts(&self) -> Vec<Arc<Account>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find(&self, username: &str) -> Option<Arc<Account>> {
        self.accounts().into_iter().find(|account| account.username == username)
    }

    fn faults(&self) -> HeroFaults {
        *self.faults_mut()
    }

    fn faults_mut(&self) -> MutexGuard<'_, HeroFaults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocking.
    fn write_export(&self, account: &Account) -> io::Result<Exported> {
        export::write(account, &self.district, self.date, self.seed)
    }

    /// Reads the files of an account, and writes its exports once it has had all three. A client never hears of a
    /// failure, as with Hero, where the upload is long over; it is logged.
    async fn take_in(self: &Arc<Self>, account: &Arc<Account>) {
        let _turn = account.turn.lock().await;
        let (hero, worker) = (Arc::clone(self), Arc::clone(account));
        let outcome = tokio::task::spawn_blocking(move || {
            if import::import(&worker)? {
                hero.write_export(&worker)?;
            }
            Ok::<_, io::Error>(())
        })
        .await;
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the practice Hero could not import"),
            Err(error) => tracing::error!(%error, "the practice Hero's import broke off"),
        }
    }
}

async fn accept(listener: net::TcpListener, hero: Arc<Hero>, stop: CancellationToken) {
    let sessions = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (hero, stop) = (Arc::clone(&hero), stop.clone());
                sessions.spawn(async move {
                    // Clients come and go as they like; a broken session is theirs to report.
                    if let Err(error) = serve(stream, hero, stop).await {
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
async fn serve(stream: net::TcpStream, hero: Arc<Hero>, stop: CancellationToken) -> Result<(), russh::Error> {
    stream.set_nodelay(true)?;
    let stream = stream.into_std()?;
    let wire = Arc::new(stream.try_clone()?);
    let stream = net::TcpStream::from_std(stream)?;
    let config = Arc::clone(&hero.server.read().unwrap_or_else(PoisonError::into_inner).config);
    let connection = Connection {
        hero,
        account: None,
        wire: Arc::clone(&wire),
        channels: HashMap::new(),
        open: HashSet::new(),
    };
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
    hero: Arc<Hero>,
    /// Who has signed in.
    account: Option<Arc<Account>>,
    wire: Arc<std::net::TcpStream>,
    /// Open channels that have not asked for SFTP yet.
    channels: HashMap<ChannelId, Channel<Msg>>,
    /// All open channels.
    open: HashSet<ChannelId>,
}

impl Connection {
    /// The account whose holder of this key may sign in.
    fn authorised(&self, user: &str, key: &PublicKey) -> Option<Arc<Account>> {
        let account = self.hero.find(user)?;
        let authorised = account.state().settings.authorised().ok().flatten()?;
        (authorised.key_data() == key.key_data()).then_some(account)
    }
}

impl russh::server::Handler for Connection {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        let Some(account) = self.hero.find(user).filter(|account| account.password == password) else {
            return Ok(Auth::reject());
        };
        if account.state().settings.refuse_password {
            let proceed_with_methods = Some(MethodSet::from([MethodKind::PublicKey].as_slice()));
            return Ok(Auth::Reject { proceed_with_methods, partial_success: false });
        }
        self.account = Some(account);
        Ok(Auth::Accept)
    }

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        let known = self.authorised(user, offer.public_key).is_some();
        Ok(if known { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        self.account = self.authorised(user, key.public_key);
        Ok(if self.account.is_some() { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.hero.faults().one_channel && !self.open.is_empty() {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        self.open.insert(channel.id());
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        self.open.remove(&channel);
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
        let open = if name == "sftp" { self.channels.remove(&channel) } else { None };
        let (Some(open), Some(account)) = (open, &self.account) else {
            return session.channel_failure(channel);
        };
        session.channel_success(channel)?;
        let hero = Arc::clone(&self.hero);
        let sftp = SftpSession::new(Arc::clone(&hero), Arc::clone(account), Arc::clone(&self.wire));
        let config = russh_sftp::server::Config { max_client_packet_len: LARGEST_PACKET };
        let (mut requests, answers) = open.split();
        let (queued, mut queue) = tokio::io::simplex(QUEUED_REQUESTS);
        // russh's session waits while a channel's own queue is full, and then no longer sees the window
        // adjustments that our answers wait for: a client that asks for much at once would hang. So the
        // requests are taken out of that queue whatever the answers are doing.
        tokio::spawn(async move {
            let mut requests = requests.make_reader();
            let mut piece = vec![0; SSH_PACKET as usize];
            // Either end going away ends the session, which says so itself.
            while let Ok(count @ 1..) = requests.read(&mut piece).await {
                let slow = hero.faults().answer_ms;
                if slow > 0 {
                    tokio::time::sleep(Duration::from_millis(slow)).await;
                }
                if queue.write_all(piece.get(..count).unwrap_or_default()).await.is_err() {
                    break;
                }
            }
            _ = queue.shutdown().await;
        });
        let stream = tokio::io::join(queued, answers.make_writer());
        russh_sftp::server::run_with_config(stream, sftp, config).await;
        Ok(())
    }
}
