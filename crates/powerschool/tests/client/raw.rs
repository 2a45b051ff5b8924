//! A server that sends bytes as a test gives them, for what a proper HTTP server would not do.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What happens to the connection after the bytes.
#[derive(Clone, Copy, Debug)]
pub enum After {
    Close,
    Reset,
    Stall,
}

/// Serves what `answer` gives for a request's head, one request a connection; gives its address.
pub async fn serve(answer: impl Fn(&str) -> (Vec<u8>, After) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut stalled = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(head) = head(&mut stream).await else { continue };
            let (bytes, after) = answer(&head);
            stream.write_all(&bytes).await.unwrap();
            match after {
                After::Close => {}
                After::Reset => stream.set_zero_linger().unwrap(),
                After::Stall => stalled.push(stream),
            }
        }
    });
    url
}

/// The head of a request: everything up to the empty line. None for what is no HTTP, such as a TLS handshake.
pub async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok().filter(u8::is_ascii)?);
        if !head[0].is_ascii_alphabetic() {
            return None;
        }
    }
    String::from_utf8(head).ok()
}

/// A JSON answer as bytes, without a `Date`.
pub fn json(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into_bytes()
}
