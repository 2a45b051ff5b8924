//! The mail sink: an SMTP server (RFC 5321) that keeps every message as a file and sends none on.
//!
//! It speaks what a mail client needs, without TLS or authentication, on the loopback interface.
//! The published embeddable SMTP servers cannot be stopped, which a practice district must be.

use std::{
    fs,
    io::{self, Write as _},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{self, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The largest message taken, bytes.
pub const LARGEST_MESSAGE: usize = 10 * 1024 * 1024;
/// RFC 5321 section 4.5.3.1.4 asks for 512 bytes, extensions need a little more.
const LONGEST_COMMAND: usize = 2048;
/// How much of a message line is looked at in one go.
const CHUNK: u64 = 64 * 1024;
const MOST_RECIPIENTS: usize = 100;
/// RFC 5321 section 4.5.3.2.7: a server waits at least five minutes for the next command.
const PATIENCE: Duration = Duration::from_mins(5);
/// Pause after a failed accept, as the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why the mail sink could not start.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The folder for messages could not be made or read.
    #[error("The practice mail folder {} cannot be used: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The socket could not be handed to the server.
    #[error("The practice mail server's socket cannot be used: {0}")]
    Listener(io::Error),
}

impl MailError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "practice.mail_folder",
            Self::Listener(_) => "practice.mail_listener",
        }
    }

    /// What the person can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "Choose a data folder you may write to, with free space, and start again.",
            Self::Listener(_) => "Start the practice district again.",
        }
    }
}

/// A mail sink at work. It stops when this is dropped; [`MailSink::stop`] also waits for it.
pub struct MailSink {
    address: SocketAddr,
    stop: CancellationToken,
    accepting: JoinHandle<()>,
}

impl MailSink {
    /// Where the sink listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all sessions and waits until they are gone. Messages that were accepted are files by then.
    pub async fn stop(mut self) {
        self.stop.cancel();
        // The task only ends early by a panic, and then there is nothing left to wait for.
        _ = (&mut self.accepting).await;
    }
}

impl Drop for MailSink {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Starts keeping messages in `folder` as `0001.eml` and so on, after those that are there already.
///
/// A file begins with the envelope, as a mailbox's delivery agent writes it: `Return-Path`, then one
/// `Delivered-To` per recipient; the message follows byte for byte.
pub fn start(listener: TcpListener, folder: PathBuf) -> Result<MailSink, MailError> {
    let last = last_number(&folder).map_err(|source| MailError::Folder { path: folder.clone(), source })?;
    listener.set_nonblocking(true).map_err(MailError::Listener)?;
    let address = listener.local_addr().map_err(MailError::Listener)?;
    let listener = net::TcpListener::from_std(listener).map_err(MailError::Listener)?;
    let mailbox = Arc::new(Mailbox { folder, last: AtomicU32::new(last) });
    let stop = CancellationToken::new();
    let accepting = tokio::spawn(accept(listener, mailbox, stop.clone()));
    Ok(MailSink { address, stop, accepting })
}

fn last_number(folder: &Path) -> io::Result<u32> {
    fs::create_dir_all(folder)?;
    let mut last = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".eml")?.parse().ok());
        last = last.max(number.unwrap_or(0));
    }
    Ok(last)
}

struct Mailbox {
    folder: PathBuf,
    last: AtomicU32,
}

impl Mailbox {
    /// Stores a message; when this returns, it is a complete file.
    fn keep(&self, envelope: &Envelope, message: &[u8]) -> io::Result<()> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let unfinished = self.folder.join(format!(".{number:04}.part"));
        let mut file = fs::File::create(&unfinished)?;
        write!(file, "Return-Path: <{}>\r\n", envelope.from)?;
        for recipient in &envelope.to {
            write!(file, "Delivered-To: {recipient}\r\n")?;
        }
        file.write_all(message)?;
        drop(file);
        fs::rename(unfinished, self.folder.join(format!("{number:04}.eml")))
    }
}

async fn accept(listener: net::TcpListener, mailbox: Arc<Mailbox>, stop: CancellationToken) {
    let sessions = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (read, write) = stream.into_split();
                let session = Session { read: BufReader::new(read), write, mailbox: Arc::clone(&mailbox) };
                let stop = stop.clone();
                sessions.spawn(async move {
                    // Dropping the session closes the connection; no file is ever half written by it.
                    let ended = tokio::select! {
                        () = stop.cancelled() => Ok(()),
                        ended = session.converse() => ended,
                    };
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a mail session ended with an error");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the practice mail server could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    sessions.close();
    sessions.wait().await;
}

#[derive(Debug, Clone, Default)]
struct Envelope {
    from: String,
    to: Vec<String>,
}

/// What the client has said so far.
#[derive(Default)]
struct Transaction {
    greeted: bool,
    envelope: Option<Envelope>,
}

enum Line {
    Text(String),
    TooLong,
    End,
}

enum Message {
    Complete(Vec<u8>),
    TooLarge,
    End,
}

struct Session {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    mailbox: Arc<Mailbox>,
}

impl Session {
    async fn converse(mut self) -> io::Result<()> {
        let mut state = Transaction::default();
        self.answer("220 practice mail sink").await?;
        loop {
            let line = match self.command().await? {
                Line::Text(line) => line,
                Line::TooLong => {
                    self.answer("500 5.5.2 Line too long").await?;
                    continue;
                }
                Line::End => return Ok(()),
            };
            let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
            let answer = match verb.to_ascii_uppercase().as_str() {
                "DATA" => self.data(&mut state).await?,
                "QUIT" => return self.answer("221 2.0.0 Bye").await,
                verb => Some(state.reply(verb, argument.trim())),
            };
            match answer {
                Some(answer) => self.answer(&answer).await?,
                None => return Ok(()),
            }
        }
    }

    /// Takes the message of a transaction; no answer means that the client is gone.
    async fn data(&mut self, state: &mut Transaction) -> io::Result<Option<String>> {
        let Some(envelope) = state.envelope.take_if(|envelope| !envelope.to.is_empty()) else {
            return Ok(Some("503 5.5.1 Recipients first".to_owned()));
        };
        self.answer("354 End with <CRLF>.<CRLF>").await?;
        let answer = match self.message().await? {
            Message::End => return Ok(None),
            Message::TooLarge => "552 5.3.4 Message too large".to_owned(),
            Message::Complete(message) => {
                let mailbox = Arc::clone(&self.mailbox);
                let kept = tokio::task::spawn_blocking(move || mailbox.keep(&envelope, &message)).await;
                match kept.map_err(io::Error::from).flatten() {
                    Ok(()) => "250 2.0.0 Kept".to_owned(),
                    Err(error) => {
                        tracing::error!(%error, "a practice mail could not be stored");
                        "451 4.3.0 The message could not be stored".to_owned()
                    }
                }
            }
        };
        Ok(Some(answer))
    }

    async fn answer(&mut self, text: &str) -> io::Result<()> {
        tokio::time::timeout(PATIENCE, self.write.write_all(format!("{text}\r\n").as_bytes())).await?
    }

    /// Reads at most `limit` bytes, up to and including a line feed; nothing at the end of the stream.
    async fn chunk(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        let mut chunk = Vec::new();
        let mut limited = (&mut self.read).take(limit);
        tokio::time::timeout(PATIENCE, limited.read_until(b'\n', &mut chunk)).await??;
        Ok(chunk)
    }

    async fn command(&mut self) -> io::Result<Line> {
        let mut length = 0;
        loop {
            let chunk = self.chunk(LONGEST_COMMAND as u64).await?;
            let complete = chunk.ends_with(b"\n");
            if chunk.is_empty() {
                return Ok(Line::End);
            }
            length += chunk.len();
            if complete && length > LONGEST_COMMAND {
                return Ok(Line::TooLong);
            }
            if complete {
                return Ok(Line::Text(
                    String::from_utf8_lossy(&chunk).trim_end_matches(['\r', '\n']).to_owned(),
                ));
            }
            if length < LONGEST_COMMAND {
                // The stream ended in the middle of a line.
                return Ok(Line::End);
            }
        }
    }

    /// Reads up to the line that holds a single dot, taking off the dots that protect other lines.
    ///
    /// Only CRLF ends a line here: taking a bare LF for one lets a sender smuggle a second message.
    async fn message(&mut self) -> io::Result<Message> {
        let mut message = Vec::new();
        let mut too_large = false;
        let mut line_starts = true;
        let mut after_cr = false;
        loop {
            let chunk = self.chunk(CHUNK).await?;
            let Some(&last) = chunk.last() else { return Ok(Message::End) };
            if line_starts && chunk == b".\r\n" {
                return Ok(if too_large { Message::TooLarge } else { Message::Complete(message) });
            }
            let text = if line_starts { chunk.strip_prefix(b".").unwrap_or(&chunk) } else { &chunk };
            too_large |= message.len() + text.len() > LARGEST_MESSAGE;
            if too_large {
                message = Vec::new();
            } else {
                message.extend_from_slice(text);
            }
            line_starts = chunk.ends_with(b"\r\n") || (after_cr && chunk == b"\n");
            after_cr = last == b'\r';
        }
    }
}

impl Transaction {
    /// Everything but DATA and QUIT.
    fn reply(&mut self, verb: &str, argument: &str) -> String {
        match verb {
            "EHLO" | "HELO" if argument.is_empty() => "501 5.5.4 Say who you are".to_owned(),
            "EHLO" => {
                *self = Self { greeted: true, envelope: None };
                format!(
                    "250-practice mail sink\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n\
                     250-SMTPUTF8\r\n250 SIZE {LARGEST_MESSAGE}"
                )
            }
            "HELO" => {
                *self = Self { greeted: true, envelope: None };
                "250 practice mail sink".to_owned()
            }
            "RSET" => {
                self.envelope = None;
                "250 2.0.0 Forgotten".to_owned()
            }
            "NOOP" => "250 2.0.0 Here".to_owned(),
            "VRFY" => "252 2.5.0 Any address is taken".to_owned(),
            "MAIL" => self.mail(argument),
            "RCPT" => self.rcpt(argument),
            _ => "500 5.5.1 Unknown command".to_owned(),
        }
    }

    fn mail(&mut self, argument: &str) -> String {
        if !self.greeted {
            return "503 5.5.1 EHLO first".to_owned();
        }
        if self.envelope.is_some() {
            return "503 5.5.1 One message at a time".to_owned();
        }
        let Some((from, parameters)) = address(argument, "FROM:") else {
            return "501 5.5.4 MAIL FROM:<address>".to_owned();
        };
        let size = parameters
            .split_ascii_whitespace()
            .filter_map(|parameter| parameter.split_once('='))
            .find_map(|(name, value)| name.eq_ignore_ascii_case("SIZE").then(|| value.parse::<usize>()));
        match size {
            Some(Err(_)) => "501 5.5.4 SIZE is a number".to_owned(),
            Some(Ok(size)) if size > LARGEST_MESSAGE => "552 5.3.4 Message too large".to_owned(),
            _ => {
                self.envelope = Some(Envelope { from: from.to_owned(), to: Vec::new() });
                "250 2.1.0 Sender taken".to_owned()
            }
        }
    }

    fn rcpt(&mut self, argument: &str) -> String {
        let Some(envelope) = &mut self.envelope else {
            return "503 5.5.1 MAIL first".to_owned();
        };
        match address(argument, "TO:") {
            Some(("", _)) | None => "501 5.5.4 RCPT TO:<address>".to_owned(),
            Some(_) if envelope.to.len() == MOST_RECIPIENTS => "452 4.5.3 Too many recipients".to_owned(),
            Some((to, _)) => {
                envelope.to.push(to.to_owned());
                "250 2.1.5 Recipient taken".to_owned()
            }
        }
    }
}

/// Splits `FROM:<address> parameters`; the address may be empty, as in a bounce.
fn address<'a>(argument: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let (start, rest) = argument.split_at_checked(keyword.len())?;
    if !start.eq_ignore_ascii_case(keyword) {
        return None;
    }
    // A quoted local part may hold '>', but a domain may not.
    let (path, parameters) = rest.trim_start().strip_prefix('<')?.rsplit_once('>')?;
    (!path.contains(char::is_control)).then_some((path, parameters))
}
