//! What a server that refuses our handshake would agree to. Servers refuse in many ways (an alert of one kind or
//! another, or no answer at all), so they are asked once more the way programs of 2008 asked. Only the first answer is
//! read; the handshake is never finished.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// TLS 1.2 on the wire (RFC 5246).
const TLS_1_2: u16 = 0x0303;

/// Cipher suites we do not offer, and that servers without forward secrecy or TLS 1.2 have: RSA key exchange with
/// AES or 3DES, and ECDHE and DHE with CBC (IANA's TLS cipher suite registry).
const SUITES: [u16; 16] = [
    0x009c, 0x009d, 0x003c, 0x003d, 0x002f, 0x0035, 0x000a, 0x0005, 0xc013, 0xc014, 0xc012, 0xc027, 0xc028,
    0x0033, 0x0039, 0x0016,
];

/// Why our own handshake cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outdated {
    /// The newest version the server has is TLS 1.1 or older.
    Version,
    /// It has TLS 1.2, with suites that are no longer safe.
    Suites,
}

/// Offers outdated versions and suites and says what is taken; None when that is refused as well.
pub(crate) async fn agreed(stream: &mut TcpStream, host: &str) -> Option<Outdated> {
    /// Kinds of records and messages (RFC 5246).
    const HANDSHAKE: u8 = 22;
    const SERVER_HELLO: u8 = 2;

    stream.write_all(&client_hello(host)).await.ok()?;
    // Kind, version and length of the record; kind and length of the message; version chosen.
    let mut answer = [0; 11];
    stream.read_exact(&mut answer).await.ok()?;
    if answer[0] != HANDSHAKE || answer[5] != SERVER_HELLO {
        return None;
    }
    let chosen = u16::from_be_bytes([answer[9], answer[10]]);
    Some(if chosen < TLS_1_2 { Outdated::Version } else { Outdated::Suites })
}

/// A record with a ClientHello for TLS 1.0 to 1.2.
fn client_hello(host: &str) -> Vec<u8> {
    let mut body = Vec::from(TLS_1_2.to_be_bytes());
    // No key comes of this handshake: the random number protects nothing.
    body.extend_from_slice(&[0x52; 32]);
    // No session to resume.
    body.push(0);
    let suites: Vec<u8> = SUITES.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    body.extend(with_length(&suites));
    // No compression.
    body.extend_from_slice(&[1, 0]);

    let mut extensions = Vec::new();
    if host.parse::<std::net::IpAddr>().is_err() && !host.starts_with('[') {
        // server_name (RFC 6066): a list of one name.
        let name = [&[0][..], &with_length(host.as_bytes())].concat();
        extensions.extend(extension(0, &with_length(&name)));
    }
    // supported_groups: secp256r1, secp384r1, secp521r1; ec_point_formats: uncompressed.
    extensions.extend(extension(10, &with_length(&[0, 23, 0, 24, 0, 25])));
    extensions.extend(extension(11, &[1, 0]));
    // signature_algorithms: RSA and ECDSA with SHA-256 and SHA-1.
    extensions.extend(extension(13, &with_length(&[4, 1, 4, 3, 2, 1, 2, 3])));
    body.extend(with_length(&extensions));

    // Message kind 1, its length in three bytes.
    let message = [&[1, 0][..], &with_length(&body)].concat();
    // A handshake record that says TLS 1.0, which servers of every age read.
    [&[22, 3, 1][..], &with_length(&message)].concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &with_length(content)].concat()
}

/// `content` behind its length in two bytes. Everything here is far shorter than 64 KiB: a host's name has at most 253
/// characters.
fn with_length(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], content].concat()
}
