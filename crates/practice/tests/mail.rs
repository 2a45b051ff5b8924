//! The practice mail sink, by a mail library and by hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its parts fails")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    path::PathBuf,
    time::Duration,
};

use lettre::{Message, SmtpTransport, Transport as _};
use proptest::prelude::*;
use rosterbridge_practice::mail::{self, LARGEST_MESSAGE, MailSink};
use rstest::rstest;
use tempfile::TempDir;
use tokio::runtime::Runtime;

struct Practice {
    sink: MailSink,
    runtime: Runtime,
    folder: TempDir,
}

impl Practice {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let sink = serve(&runtime, folder.path().join("mail"));
        Self { sink, runtime, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("mail").join(name)
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder.path().join("mail"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn client(&self) -> Client {
        let stream = TcpStream::connect(self.sink.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Client { read: BufReader::new(stream.try_clone().unwrap()), write: stream };
        assert_eq!(client.code(), 220);
        client
    }
}

fn serve(runtime: &Runtime, folder: PathBuf) -> MailSink {
    let _runtime = runtime.enter();
    mail::start(TcpListener::bind("127.0.0.1:0").unwrap(), folder).unwrap()
}

struct Client {
    read: BufReader<TcpStream>,
    write: TcpStream,
}

impl Client {
    fn send(&mut self, bytes: &[u8]) {
        self.write.write_all(bytes).unwrap();
    }

    /// The code of the next answer, past all lines that announce another one.
    fn code(&mut self) -> u16 {
        loop {
            let mut line = String::new();
            self.read.read_line(&mut line).unwrap();
            if line.as_bytes().get(3) == Some(&b' ') {
                return line[..3].parse().unwrap();
            }
            assert_eq!(line.as_bytes().get(3), Some(&b'-'), "{line:?}");
        }
    }

    fn ask(&mut self, command: &str) -> u16 {
        self.send(format!("{command}\r\n").as_bytes());
        self.code()
    }

    fn start_message(&mut self) {
        for (command, code) in [
            ("EHLO practice", 250),
            ("MAIL FROM:<from@example.org>", 250),
            ("RCPT TO:<to@example.org>", 250),
            ("DATA", 354),
        ] {
            assert_eq!(self.ask(command), code, "{command}");
        }
    }
}

const ENVELOPE: &str = "Return-Path: <from@example.org>\r\nDelivered-To: to@example.org\r\n";

#[test]
fn a_mail_library_delivers() {
    let sink = Practice::start();
    let transport = SmtpTransport::builder_dangerous("127.0.0.1").port(sink.sink.address().port()).build();
    let message = Message::builder()
        .from("RosterBridge <roster@example.org>".parse().unwrap())
        .to("Ana <ana@example.org>".parse().unwrap())
        .to("bo@example.org".parse().unwrap())
        .subject("Synchronizing")
        .body("First line\r\n.A line with a dot\r\n..\r\nÄnde\r\n".to_owned())
        .unwrap();
    transport.send(&message).unwrap();
    assert_eq!(sink.files(), ["0001.eml"]);
    let kept = fs::read(sink.file("0001.eml")).unwrap();
    let envelope = "Return-Path: <roster@example.org>\r\n\
                    Delivered-To: ana@example.org\r\nDelivered-To: bo@example.org\r\n";
    // This library ends every message with one more line end.
    assert_eq!(kept, [envelope.as_bytes(), &message.formatted(), b"\r\n"].concat());
}

#[rstest]
#[case::plain("Subject: x\r\n\r\nHello\r\n.\r\n", "Subject: x\r\n\r\nHello\r\n")]
#[case::empty(".\r\n", "")]
#[case::protected_dots("..\r\n..x\r\n.y\r\na.\r\n.\r\n", ".\r\n.x\r\ny\r\na.\r\n")]
#[case::bare_lf_is_no_line_end("a\n.\nb\n.\r\nc\r\n.\r\n", "a\n.\nb\n.\r\nc\r\n")]
#[case::bare_cr_is_no_line_end("a\r.\r\n.\r\n", "a\r.\r\n")]
#[case::no_text_before_the_end("\r\n.\r\n", "\r\n")]
fn messages_are_kept_byte_for_byte(#[case] sent: &str, #[case] kept: &str) {
    let sink = Practice::start();
    let mut client = sink.client();
    client.start_message();
    client.send(sent.as_bytes());
    assert_eq!(client.code(), 250);
    assert_eq!(fs::read_to_string(sink.file("0001.eml")).unwrap(), format!("{ENVELOPE}{kept}"));
    assert_eq!(client.ask("NOOP"), 250);
}

/// Protecting dots, as every client must, and what is kept are inverse to each other.
#[test]
fn any_message_survives() {
    let sink = Practice::start();
    let part = prop::sample::select(vec![".", "..", "\r", "\n", "\r\n", "\r\n.", "x", "\0", "é"]);
    proptest!(|(parts in prop::collection::vec(part, 0..40))| {
        let message = parts.concat() + "\r\n";
        let protected = format!("\r\n{message}").replace("\r\n.", "\r\n..");
        let mut client = sink.client();
        client.start_message();
        client.send(protected.strip_prefix("\r\n").unwrap().as_bytes());
        client.send(b".\r\n");
        prop_assert_eq!(client.code(), 250);
        let number = sink.files().len();
        let kept = fs::read_to_string(sink.file(&format!("{number:04}.eml"))).unwrap();
        prop_assert_eq!(kept, format!("{ENVELOPE}{message}"));
    });
}

/// A line longer than what is read at once, cut at every place around its end.
#[test]
fn long_lines_stay_whole() {
    let sink = Practice::start();
    let mut client = sink.client();
    for (number, length) in (65_533..=65_537).enumerate() {
        client.start_message();
        let line = "x".repeat(length);
        client.send(format!("{line}\r\n..after\r\n.\r\n").as_bytes());
        assert_eq!(client.code(), 250);
        let kept = fs::read_to_string(sink.file(&format!("{:04}.eml", number + 1))).unwrap();
        assert_eq!(kept, format!("{ENVELOPE}{line}\r\n.after\r\n"));
    }
}

#[rstest]
#[case::data_without_recipients(&[("EHLO a", 250), ("MAIL FROM:<a@b>", 250), ("DATA", 503)])]
#[case::data_first(&[("EHLO a", 250), ("DATA", 503)])]
#[case::no_greeting(&[("MAIL FROM:<a@b>", 503)])]
#[case::nameless_greeting(&[("EHLO", 501), ("HELO ", 501)])]
#[case::old_greeting(&[("HELO a", 250), ("MAIL FROM:<a@b>", 250)])]
#[case::recipient_first(&[("EHLO a", 250), ("RCPT TO:<a@b>", 503)])]
#[case::two_senders(&[("EHLO a", 250), ("MAIL FROM:<a@b>", 250), ("MAIL FROM:<c@d>", 503)])]
#[case::reset(&[("EHLO a", 250), ("MAIL FROM:<a@b>", 250), ("RSET", 250), ("MAIL FROM:<c@d>", 250)])]
#[case::bounce(&[("EHLO a", 250), ("MAIL FROM:<>", 250), ("RCPT TO:<>", 501)])]
#[case::parameters(&[("EHLO a", 250), ("mail from:<a@b> SIZE=100 BODY=8BITMIME", 250), ("rcpt to:<a@b>", 250)])]
#[case::too_large(&[("EHLO a", 250), ("MAIL FROM:<a@b> SIZE=99999999", 552), ("MAIL FROM:<a@b> SIZE=x", 501)])]
#[case::no_brackets(&[("EHLO a", 250), ("MAIL FROM:a@b", 501), ("MAIL TO:<a@b>", 501), ("MAIL", 501)])]
#[case::unknown(&[("EHLO a", 250), ("STARTTLS", 500), ("AUTH PLAIN x", 500), ("", 500), ("VRFY a", 252)])]
#[case::quit(&[("QUIT", 221)])]
fn commands_have_an_order(#[case] conversation: &[(&str, u16)]) {
    let sink = Practice::start();
    let mut client = sink.client();
    for (command, code) in conversation {
        assert_eq!(client.ask(command), *code, "{command}");
    }
    assert!(sink.files().is_empty());
}

#[test]
fn a_long_command_is_refused_and_the_next_one_taken() {
    let sink = Practice::start();
    let mut client = sink.client();
    assert_eq!(client.ask(&format!("EHLO {}", "x".repeat(100_000))), 500);
    assert_eq!(client.ask("EHLO a"), 250);
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    let sink = Practice::start();
    let mut client = sink.client();
    client.send(b"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
    assert_eq!([client.code(), client.code(), client.code(), client.code()], [250, 250, 250, 354]);
    client.send(b"x\r\n.\r\nQUIT\r\n");
    assert_eq!([client.code(), client.code()], [250, 221]);
}

#[test]
fn a_message_over_the_limit_is_refused_and_the_next_one_taken() {
    let sink = Practice::start();
    let mut client = sink.client();
    client.start_message();
    let line = [b"x".repeat(998).as_slice(), b"\r\n"].concat();
    for _ in 0..=LARGEST_MESSAGE / line.len() {
        client.send(&line);
    }
    client.send(b".\r\n");
    assert_eq!(client.code(), 552);
    assert!(sink.files().is_empty());
    client.start_message();
    client.send(b"small\r\n.\r\n");
    assert_eq!(client.code(), 250);
    assert_eq!(sink.files(), ["0001.eml"]);
}

#[test]
fn a_client_that_goes_away_leaves_nothing() {
    let sink = Practice::start();
    let mut client = sink.client();
    client.start_message();
    client.send(b"half a mess");
    client.write.shutdown(Shutdown::Write).unwrap();
    let mut rest = String::new();
    assert_eq!(client.read.read_line(&mut rest).unwrap(), 0, "the server hangs up without an answer");
    assert!(sink.files().is_empty());
}

#[test]
fn numbers_go_on_after_a_restart() {
    let Practice { sink, runtime, folder } = Practice::start();
    let mail = folder.path().join("mail");
    runtime.block_on(sink.stop());
    fs::write(mail.join("0041.eml"), "earlier").unwrap();
    let sink = Practice { sink: serve(&runtime, mail), runtime, folder };
    let mut client = sink.client();
    for _ in 0..2 {
        client.start_message();
        client.send(b"x\r\n.\r\n");
        assert_eq!(client.code(), 250);
    }
    assert_eq!(sink.files(), ["0041.eml", "0042.eml", "0043.eml"]);
}

#[test]
fn stopping_ends_sessions_and_frees_the_port() {
    let Practice { sink, runtime, folder: _folder } = Practice::start();
    let address = sink.address();
    let open = TcpStream::connect(address).unwrap();
    let mut read = BufReader::new(open);
    let mut greeting = String::new();
    read.read_line(&mut greeting).unwrap();
    runtime.block_on(sink.stop());
    assert_eq!(read.read_line(&mut greeting).unwrap_or(0), 0);
    assert!(TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_err());
}
