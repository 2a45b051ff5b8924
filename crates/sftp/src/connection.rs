use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use ssh2::{ErrorCode, KeyboardInteractivePrompt, MethodType, Prompt};
use tokio_util::sync::CancellationToken;

use crate::algorithms::{self, Agreed, HOST_KEYS, KEY_EXCHANGES, MACS, Offer};
use crate::keys::PrivateKey;
use crate::session::Channel;
use crate::wire::{Line, code};
use crate::{Address, Error, HostKey, KeyProblem, Session};

/// A managed connection: everything needed to reach one SFTP account.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Where the server listens.
    pub address: Address,
    /// The account.
    pub username: String,
    /// How it signs in.
    pub authentication: Authentication,
    /// Whether [`algorithms::LEGACY`] may be agreed on as well, for a server that has nothing better.
    pub allow_legacy: bool,
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// A host key that a person has accepted for a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// SSH's name of the key type, such as `ssh-ed25519`.
    pub algorithm: String,
    /// The fingerprint, as [`HostKey::sha256`] has it.
    pub sha256: String,
}

impl From<&HostKey> for Pin {
    fn from(key: &HostKey) -> Self {
        Self { algorithm: key.algorithm.clone(), sha256: key.sha256.clone() }
    }
}

/// How an account proves itself.
#[derive(Debug, Clone)]
pub enum Authentication {
    /// By password, or by keyboard-interactive where the server offers only that.
    Password(SecretString),
    /// By a private key in OpenSSH or PEM form.
    PrivateKey {
        /// The whole key file.
        key: SecretString,
        /// Its passphrase, if it is encrypted.
        passphrase: Option<SecretString>,
    },
}

/// How long to wait for the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the resolver, and again for each address of the host.
    pub connect: Duration,
    /// For one answer of the server. An upload must move a few megabytes within it, so a line slower than
    /// about 70 kB/s needs more than the default.
    pub answer: Duration,
    /// How long an open session may say nothing before it shows the server that it is still there; zero for never.
    pub keep_alive: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            answer: Duration::from_mins(1),
            keep_alive: Duration::from_secs(30),
        }
    }
}

/// Opens a session. `pinned` are the host keys accepted for this server, at most one of each type; without one, or
/// with another key presented, the call ends before any credential is sent. `cancel` governs the session for its
/// whole life.
pub async fn connect(
    connection: &Connection,
    pinned: &[Pin],
    cancel: &CancellationToken,
) -> Result<Session, Error> {
    let addresses = resolve(connection, cancel).await?;
    let socket = dial(connection, &addresses, cancel).await?;
    let asked = algorithms::host_keys_of(pinned.iter().map(|pin| pin.algorithm.as_str()));
    let greeted = meet(connection, &addresses, socket, &asked, cancel).await?;
    check_host_key(&greeted.host_key, pinned)?;
    sign_in(connection, greeted).await
}

/// The host key that a server presents, of the types of these keys where it has one of them. Nobody signs in, so neither
/// user name nor credential is sent.
pub async fn presented_host_key(
    connection: &Connection,
    pinned: &[Pin],
    cancel: &CancellationToken,
) -> Result<HostKey, Error> {
    let addresses = resolve(connection, cancel).await?;
    let socket = dial(connection, &addresses, cancel).await?;
    let asked = algorithms::host_keys_of(pinned.iter().map(|pin| pin.algorithm.as_str()));
    Ok(meet(connection, &addresses, socket, &asked, cancel).await?.leave())
}

/// Looks the host name up.
pub(crate) async fn resolve(
    connection: &Connection,
    cancel: &CancellationToken,
) -> Result<Vec<SocketAddr>, Error> {
    let Address { host, port } = &connection.address;
    let dns = |cause| Error::Dns { host: host.clone(), cause };
    let looked_up = within(connection, cancel, "looking up the host name", async {
        tokio::net::lookup_host((host.as_str(), *port)).await.map(Iterator::collect::<Vec<_>>)
    })
    .await?;
    match looked_up {
        Ok(addresses) if addresses.is_empty() => Err(dns(None)),
        Ok(addresses) => Ok(addresses),
        Err(cause) => Err(dns(Some(cause))),
    }
}

/// Opens a TCP connection to the first address that takes one.
pub(crate) async fn dial(
    connection: &Connection,
    addresses: &[SocketAddr],
    cancel: &CancellationToken,
) -> Result<TcpStream, Error> {
    let address = &connection.address;
    let mut last = None;
    for socket_address in addresses {
        let attempt =
            within(connection, cancel, "connecting", tokio::net::TcpStream::connect(socket_address)).await;
        last = Some(match attempt {
            Ok(Ok(stream)) => {
                let ready = stream.into_std().and_then(|stream| {
                    stream.set_nonblocking(false)?;
                    // Requests are small and waited for: holding them back costs a round trip each.
                    stream.set_nodelay(true)?;
                    Ok(stream)
                });
                return ready.map_err(|cause| Error::Unreachable { address: address.clone(), cause });
            }
            Ok(Err(cause)) if cause.kind() == std::io::ErrorKind::ConnectionRefused => {
                Error::Refused { address: address.clone() }
            }
            Ok(Err(cause)) => Error::Unreachable { address: address.clone(), cause },
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => error,
        });
    }
    Err(last.unwrap_or_else(|| Error::Dns { host: address.host.clone(), cause: None }))
}

/// A server that has shown its key, before anyone signed in.
pub(crate) struct Greeted {
    pub(crate) host_key: HostKey,
    pub(crate) agreed: Agreed,
    ssh: ssh2::Session,
    line: Arc<Line>,
}

impl Greeted {
    /// Leaves the server without having signed in.
    pub(crate) fn leave(self) -> HostKey {
        // Before libssh2 frees its objects, which may wait for the server.
        self.line.cut();
        self.host_key
    }
}

/// Greets the server and asks for these types of host key. A server that has none of them is greeted again and asked
/// for every type, so that the key it does have can be shown; without any agreement, the error says what it wants.
pub(crate) async fn meet(
    connection: &Connection,
    addresses: &[SocketAddr],
    socket: TcpStream,
    asked: &[&str],
    cancel: &CancellationToken,
) -> Result<Greeted, Error> {
    let mut met = greet(connection, socket, asked, cancel).await;
    if matches!(met, Err(Error::Handshake { .. })) && asked.len() < HOST_KEYS.len() {
        let socket = dial(connection, addresses, cancel).await?;
        met = greet(connection, socket, &HOST_KEYS, cancel).await;
    }
    match met {
        Err(Error::Handshake { address, code, .. }) => {
            // Only an explanation: whatever prevents it, the failure is still the handshake's.
            let offer = Offer::ask(connection, addresses, cancel).await;
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let mismatch = offer.and_then(|offer| offer.mismatch(connection.allow_legacy)).map(Box::new);
            Err(Error::Handshake { address, code, mismatch })
        }
        met => met,
    }
}

/// Agrees on encryption and takes the server's host key, of one of these types. Sends no credential and no user name.
pub(crate) async fn greet(
    connection: &Connection,
    socket: TcpStream,
    host_key_types: &[&str],
    cancel: &CancellationToken,
) -> Result<Greeted, Error> {
    const DOING: &str = "agreeing on encryption";
    let address = connection.address.clone();
    let unreachable = |cause| Error::Unreachable { address: address.clone(), cause };
    let for_library = socket.try_clone().map_err(unreachable)?;
    let line = Arc::new(Line {
        address: connection.address.clone(),
        socket,
        answer_within: connection.timeouts.answer,
        cancel: cancel.clone(),
        placing: AtomicBool::new(false),
    });
    let (ssh, agreed, host_key) = line
        .run(DOING, {
            let line = Arc::clone(&line);
            let host_key_types = host_key_types.join(",");
            let ciphers = algorithms::ciphers(connection.allow_legacy).join(",");
            move || {
                let library = |error: &ssh2::Error| line.broken(session_code(error), DOING);
                let mut ssh = ssh2::Session::new().map_err(|error| library(&error))?;
                ssh.set_timeout(milliseconds(line.answer_within));
                for (method, names) in [
                    (MethodType::Kex, KEY_EXCHANGES.join(",")),
                    (MethodType::HostKey, host_key_types),
                    (MethodType::CryptCs, ciphers.clone()),
                    (MethodType::CryptSc, ciphers),
                    (MethodType::MacCs, MACS.join(",")),
                    (MethodType::MacSc, MACS.join(",")),
                ] {
                    ssh.method_pref(method, &names).map_err(|error| library(&error))?;
                }
                ssh.set_tcp_stream(for_library);
                if let Err(error) = ssh.handshake() {
                    let number = session_code(&error);
                    let broken = line.broken(number, DOING);
                    // Whatever else went wrong: without SSH's greeting it was no SSH server.
                    if ssh.banner_bytes().is_none_or(|banner| !banner.starts_with(b"SSH-")) {
                        return Err(Error::NotSsh { address: line.address.clone() });
                    }
                    return Err(match broken {
                        Error::Library { code, .. } => no_agreement(&line, code),
                        other => other,
                    });
                }
                let host_key = ssh
                    .host_key()
                    .and_then(|(blob, _)| HostKey::from_blob(blob))
                    .ok_or_else(|| no_agreement(&line, 0))?;
                let agreed = Agreed::of(&ssh);
                Ok((ssh, agreed, host_key))
            }
        })
        .await?;
    Ok(Greeted { host_key, agreed, ssh, line })
}

fn no_agreement(line: &Line, code: i32) -> Error {
    Error::Handshake { address: line.address.clone(), code, mismatch: None }
}

/// Goes on only with a pinned key.
pub(crate) fn check_host_key(presented: &HostKey, pinned: &[Pin]) -> Result<(), Error> {
    if pinned.is_empty() {
        return Err(Error::HostKeyUnknown(Box::new(presented.clone())));
    }
    if pinned.iter().any(|pin| presented.matches(&pin.sha256)) {
        return Ok(());
    }
    tracing::error!(?pinned, presented = presented.sha256, "SFTP host key changed");
    Err(Error::HostKeyChanged { pinned: pinned.to_vec(), presented: Box::new(presented.clone()) })
}

/// Signs in and starts SFTP.
pub(crate) async fn sign_in(connection: &Connection, greeted: Greeted) -> Result<Session, Error> {
    const DOING: &str = "signing in";
    let Greeted { host_key, ssh, line, agreed: _ } = greeted;
    let channel = line
        .run(DOING, {
            let line = Arc::clone(&line);
            let connection = connection.clone();
            move || {
                authenticate(&line, &ssh, &connection)?;
                let sftp = ssh.sftp().map_err(|error| match session_code(&error) {
                    // A server without the subsystem says no, or just closes the channel.
                    code::CHANNEL_FAILURE
                    | code::CHANNEL_REQUEST_DENIED
                    | code::CHANNEL_CLOSED
                    | code::CHANNEL_EOF_SENT => Error::NoSftp,
                    number => line.broken(number, "starting SFTP"),
                })?;
                Ok(Channel::new(sftp, ssh))
            }
        })
        .await?;
    Ok(Session::new(connection.clone(), line, channel, host_key))
}

fn authenticate(line: &Line, ssh: &ssh2::Session, connection: &Connection) -> Result<(), Error> {
    const DOING: &str = "signing in";
    let username = connection.username.as_str();
    let offered = match ssh.auth_methods(username) {
        Ok(offered) => offered.to_owned(),
        // The server lets this account in without asking for anything.
        Err(_) if ssh.authenticated() => return Ok(()),
        Err(error) => return Err(line.broken(session_code(&error), DOING)),
    };
    let offers = |method: &str| offered.split(',').any(|offer| offer == method);
    let refused = || Error::AuthRefused { username: username.to_owned(), offered: offered.clone() };
    match &connection.authentication {
        Authentication::Password(password) => {
            let outcome = if offers("password") {
                ssh.userauth_password(username, password.expose_secret())
            } else if offers("keyboard-interactive") {
                ssh.userauth_keyboard_interactive(username, &mut PasswordPrompt(password))
            } else {
                return Err(refused());
            };
            outcome.map_err(|error| match session_code(&error) {
                code::AUTHENTICATION_FAILED => Error::BadPassword { username: username.to_owned() },
                code::PASSWORD_EXPIRED => Error::PasswordExpired { username: username.to_owned() },
                number => line.broken(number, DOING),
            })
        }
        Authentication::PrivateKey { key, passphrase } => {
            if !offers("publickey") {
                return Err(refused());
            }
            let key = PrivateKey::read(key, passphrase.as_ref()).map_err(Error::BadPrivateKey)?;
            let text = key.openssh_text().map_err(Error::BadPrivateKey)?;
            ssh.userauth_pubkey_memory(username, None, text.expose_secret(), None).map_err(|error| {
                match session_code(&error) {
                    code::AUTHENTICATION_FAILED | code::PUBLICKEY_UNVERIFIED => refused(),
                    number => match line.broken(number, DOING) {
                        Error::Library { .. } => Error::BadPrivateKey(KeyProblem::Unsupported),
                        other => other,
                    },
                }
            })
        }
    }
}

/// Answers the hidden prompts of keyboard-interactive with the password.
struct PasswordPrompt<'a>(&'a SecretString);

impl KeyboardInteractivePrompt for PasswordPrompt<'_> {
    fn prompt(&mut self, _username: &str, _instructions: &str, prompts: &[Prompt<'_>]) -> Vec<String> {
        prompts
            .iter()
            .map(|prompt| if prompt.echo { String::new() } else { self.0.expose_secret().to_owned() })
            .collect()
    }
}

/// libssh2's number of an error; SFTP's own statuses don't occur before SFTP is started.
pub(crate) fn session_code(error: &ssh2::Error) -> i32 {
    match error.code() {
        ErrorCode::Session(number) => number,
        ErrorCode::SFTP(_) => code::SFTP_PROTOCOL,
    }
}

/// Waits for a step of connecting, within the connection's limit and unless cancelled.
async fn within<T>(
    connection: &Connection,
    cancel: &CancellationToken,
    doing: &'static str,
    step: impl Future<Output = T>,
) -> Result<T, Error> {
    let after = connection.timeouts.connect;
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Error::Cancelled),
        outcome = tokio::time::timeout(after, step) => {
            outcome.map_err(|_| Error::Timeout { address: connection.address.clone(), doing, after })
        }
    }
}

/// libssh2 takes 0 as 'for ever'.
fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX).max(1)
}
