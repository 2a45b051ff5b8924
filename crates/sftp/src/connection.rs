use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use ssh2::{ErrorCode, KeyboardInteractivePrompt, MethodType, Prompt};
use tokio_util::sync::CancellationToken;

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
    /// How long to wait.
    pub timeouts: Timeouts,
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
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(15), answer: Duration::from_mins(1) }
    }
}

/// Host key types in the order they are asked for. libssh2's own order may change with its version, and a
/// server with several keys would then show another one than the pinned.
const HOST_KEY_PREFERENCE: &str = "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,\
                                   rsa-sha2-512,rsa-sha2-256";

/// Opens a session. `pinned` is the accepted SHA256 fingerprint; without one, or with another key presented,
/// the call ends before any credential is sent. `cancel` governs the session for its whole life.
pub async fn connect(
    connection: &Connection,
    pinned: Option<&str>,
    cancel: &CancellationToken,
) -> Result<Session, Error> {
    let addresses = resolve(connection, cancel).await?;
    let socket = dial(connection, &addresses, cancel).await?;
    let greeted = greet(connection, socket, cancel).await?;
    check_host_key(&greeted.host_key, pinned)?;
    sign_in(connection, greeted).await
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
    ssh: ssh2::Session,
    line: Arc<Line>,
}

/// Agrees on encryption and takes the server's host key. Sends no credential and no user name.
pub(crate) async fn greet(
    connection: &Connection,
    socket: TcpStream,
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
    let (ssh, host_key) = line
        .run(DOING, {
            let line = Arc::clone(&line);
            move || {
                let library = |error: &ssh2::Error| line.broken(session_code(error), DOING);
                let mut ssh = ssh2::Session::new().map_err(|error| library(&error))?;
                ssh.set_timeout(milliseconds(line.answer_within));
                ssh.method_pref(MethodType::HostKey, HOST_KEY_PREFERENCE).map_err(|error| library(&error))?;
                ssh.set_tcp_stream(for_library);
                if let Err(error) = ssh.handshake() {
                    let number = session_code(&error);
                    let broken = line.broken(number, DOING);
                    // Whatever else went wrong: without SSH's greeting it was no SSH server.
                    if ssh.banner_bytes().is_none_or(|banner| !banner.starts_with(b"SSH-")) {
                        return Err(Error::NotSsh { address: line.address.clone() });
                    }
                    return Err(match broken {
                        Error::Library { code, .. } => {
                            Error::Handshake { address: line.address.clone(), code }
                        }
                        other => other,
                    });
                }
                let host_key = ssh
                    .host_key()
                    .and_then(|(blob, _)| HostKey::from_blob(blob))
                    .ok_or_else(|| Error::Handshake { address: line.address.clone(), code: 0 })?;
                Ok((ssh, host_key))
            }
        })
        .await?;
    Ok(Greeted { host_key, ssh, line })
}

/// Goes on only with the pinned key.
pub(crate) fn check_host_key(presented: &HostKey, pinned: Option<&str>) -> Result<(), Error> {
    match pinned {
        None => Err(Error::HostKeyUnknown(Box::new(presented.clone()))),
        Some(pin) if presented.matches(pin) => Ok(()),
        Some(pin) => {
            tracing::error!(pinned = pin, presented = presented.sha256, "SFTP host key changed");
            Err(Error::HostKeyChanged { pinned: pin.to_owned(), presented: Box::new(presented.clone()) })
        }
    }
}

/// Signs in and starts SFTP.
pub(crate) async fn sign_in(connection: &Connection, greeted: Greeted) -> Result<Session, Error> {
    const DOING: &str = "signing in";
    let Greeted { host_key, ssh, line } = greeted;
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
                Ok(Channel { sftp, ssh })
            }
        })
        .await?;
    Ok(Session::new(line, channel, host_key))
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
            let key = PrivateKeyText::parse(key)?;
            if key.encrypted && passphrase.is_none() {
                return Err(Error::BadPrivateKey(KeyProblem::PassphraseMissing));
            }
            let passphrase = passphrase.as_ref().map(ExposeSecret::expose_secret);
            ssh.userauth_pubkey_memory(username, None, key.text.expose_secret(), passphrase).map_err(
                |error| match session_code(&error) {
                    code::AUTHENTICATION_FAILED | code::PUBLICKEY_UNVERIFIED => refused(),
                    number => match line.broken(number, DOING) {
                        Error::Library { .. } if key.encrypted => {
                            Error::BadPrivateKey(KeyProblem::PassphraseWrong)
                        }
                        Error::Library { .. } => Error::BadPrivateKey(KeyProblem::Unreadable),
                        other => other,
                    },
                },
            )
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

/// A private key as libssh2 wants it: Unix line ends, nothing around, one newline at the end.
struct PrivateKeyText {
    text: SecretString,
    encrypted: bool,
}

impl PrivateKeyText {
    fn parse(pasted: &SecretString) -> Result<Self, Error> {
        let pasted = pasted.expose_secret();
        let unreadable = || Error::BadPrivateKey(KeyProblem::Unreadable);
        let mut lines = pasted.lines().map(str::trim).skip_while(|line| !line.starts_with("-----BEGIN "));
        let first = lines.next().ok_or_else(unreadable)?;
        if !first.ends_with("PRIVATE KEY-----") {
            return Err(unreadable());
        }
        // As much room as can be needed, so that no half-grown copy of the key stays behind in memory.
        let mut text = String::with_capacity(pasted.len() + 1);
        text.push_str(first);
        text.push('\n');
        let mut encrypted = first == "-----BEGIN ENCRYPTED PRIVATE KEY-----";
        for (number, line) in lines.enumerate() {
            encrypted |= line.starts_with("Proc-Type:") && line.ends_with("ENCRYPTED");
            if number == 0 && first == "-----BEGIN OPENSSH PRIVATE KEY-----" {
                encrypted |= openssh_cipher(line).is_some_and(|cipher| cipher != b"none");
            }
            text.push_str(line);
            text.push('\n');
            if line.starts_with("-----END ") {
                return Ok(Self { text: SecretString::from(text), encrypted });
            }
        }
        Err(unreadable())
    }
}

/// The cipher named at the start of an OpenSSH private key (PROTOCOL.key: a magic text, then a
/// length-prefixed name), from the first line of its body.
fn openssh_cipher(first_line: &str) -> Option<Vec<u8>> {
    let whole = first_line.get(..first_line.len() / 4 * 4)?;
    let bytes = STANDARD.decode(whole).ok()?;
    let rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?).map(<[u8]>::to_vec)
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
