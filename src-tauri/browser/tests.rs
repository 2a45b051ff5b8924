use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use rosterbridge_api::report::NoticePlace;
use tempfile::TempDir;

use super::*;

/// A host on a home and a page of its own.
struct Served {
    host: Arc<Host>,
    address: SocketAddr,
    _folder: TempDir,
}

impl Served {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("index.html"), "<!doctype html>").unwrap();
        std::fs::write(folder.path().join("a.js"), "1").unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let home = folder.path().join("home");
        let start = Start::new([OsString::from("--home"), home.into_os_string()], None);
        let host = Arc::new(host(start, Door::new(address.port()).unwrap(), folder.path().to_owned()));
        let router = router(Arc::clone(&host));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { host, address, _folder: folder }
    }

    fn key(&self) -> String {
        self.host.door.address().split_once("#key=").unwrap().1.to_owned()
    }

    /// The headers a browser sends from our page.
    fn own(&self) -> Vec<(&'static str, String)> {
        vec![
            ("Host", self.address.to_string()),
            ("Origin", format!("http://{}", self.address)),
            ("X-RosterBridge-Key", self.key()),
            ("Content-Type", "application/json".to_owned()),
        ]
    }

    fn open(&self, line: &str, headers: &[(&str, String)], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
        let headers: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = headers.concat();
        write!(
            stream,
            "{line} HTTP/1.1\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        stream
    }

    /// The status and the whole answer.
    async fn ask(&self, line: &str, headers: &[(&str, String)], body: &str) -> (u16, String) {
        let mut stream = self.open(line, headers, body);
        let answer = tokio::task::spawn_blocking(move || {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        });
        let answer = answer.await.unwrap().unwrap();
        (answer[9..12].parse().unwrap(), answer)
    }
}

const ENVIRONMENT: &str = r#"{"command":"environment"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_served_under_the_windows_policy() {
    let served = Served::start().await;
    let host = [("Host", served.address.to_string())];
    for (path, kind) in [("/", "text/html"), ("/a.js", "text/javascript")] {
        let (status, answer) = served.ask(&format!("GET {path}"), &host, "").await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer.contains(&format!("content-type: {kind}")), "{answer}");
        assert!(answer.contains("content-security-policy: base-uri 'none'; "), "{answer}");
    }
    assert_eq!(served.ask("GET /missing", &host, "").await.0, 404);
    assert_eq!(served.ask("GET /../home", &host, "").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_page_with_the_key_is_answered() {
    let served = Served::start().await;
    let (status, answer) = served.ask("POST /command", &served.own(), ENVIRONMENT).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains(r#"{"answer":{"#) && answer.contains(r#""profile":"default""#), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_else_is_refused_and_no_other_origin_is_allowed_anything() {
    let served = Served::start().await;
    let with = |name: &str, value: Option<&str>| -> Vec<(&'static str, String)> {
        let mut headers = served.own();
        headers.retain(|(own, _)| *own != name || value.is_some());
        for header in &mut headers {
            if header.0 == name {
                value.unwrap_or_default().clone_into(&mut header.1);
            }
        }
        headers
    };
    let nearly = format!("{}0", &served.key()[..63]);
    let other_key = if nearly == served.key() { "1".repeat(64) } else { nearly };
    let cases = [
        (with("X-RosterBridge-Key", None), 403),
        (with("X-RosterBridge-Key", Some("")), 403),
        (with("X-RosterBridge-Key", Some(&other_key)), 403),
        (with("Origin", None), 403),
        (with("Origin", Some("null")), 403),
        (with("Origin", Some("https://example.org")), 403),
        (with("Host", Some("example.org")), 421),
        (with("Host", Some("localhost")), 421),
    ];
    for path in ["/command", "/happened"] {
        for (headers, expected) in &cases {
            let (status, answer) = served.ask(&format!("POST {path}"), headers, ENVIRONMENT).await;
            assert_eq!(status, *expected, "{path} {headers:?}");
            assert!(!answer.to_lowercase().contains("access-control-"), "{answer}");
            assert!(!answer.contains("profile"), "{answer}");
        }
    }
    // What a browser asks first on behalf of another page.
    let (status, answer) =
        served.ask("OPTIONS /command", &with("Origin", Some("https://example.org")), "").await;
    assert!(status >= 400 && !answer.to_lowercase().contains("access-control-"), "{answer}");
    assert_eq!(served.ask("GET /", &[("Host", "example.org".to_owned())], "").await.0, 421);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_writes_only_files_that_were_chosen_here() {
    let served = Served::start().await;
    let bundle = r#"{"command":"call","profile":"default","request":{"op":"support_bundle","file":"/etc/x","overwrite":true}}"#;
    let (status, answer) = served.ask("POST /command", &served.own(), bundle).await;
    assert_eq!(status, 200);
    assert!(answer.contains(r#"{"fault":{"code":"window.file_not_chosen""#), "{answer}");

    let choose = r#"{"command":"choose_file","suggestedName":"../../bundle.zip"}"#;
    let (_, answer) = served.ask("POST /command", &served.own(), choose).await;
    let chosen = served.host.desk.home().unwrap().join("saved/bundle.zip");
    assert!(answer.contains(chosen.to_str().unwrap()), "{answer}");
    let named = Request::SupportBundle { file: chosen.display().to_string(), overwrite: true };
    assert!(served.host.named.check(&named).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_reaches_a_page_that_listens() {
    let served = Served::start().await;
    let mut stream = served.open("POST /happened", &served.own(), "");
    let read = tokio::task::spawn_blocking(move || {
        let mut text = Vec::new();
        let mut part = [0; 1024];
        while !text.ends_with(b"}}}\n\r\n") {
            let length = stream.read(&mut part).unwrap();
            assert!(length > 0, "{}", String::from_utf8_lossy(&text));
            text.extend_from_slice(&part[..length]);
        }
        String::from_utf8(text).unwrap()
    });
    // Heard from its subscription on; the answer's head says when that is.
    while served.host.pages.0.receiver_count() == 0 {
        tokio::task::yield_now().await;
    }
    served.host.pages.tell(Happened {
        profile: "default".to_owned(),
        event: Event::Notice {
            title: "Stopped".to_owned(),
            body: "Look at Home.".to_owned(),
            place: NoticePlace::Home,
        },
    });
    let text = read.await.unwrap();
    assert!(text.contains(r#"{"happened":{"profile":"default","event":{"event":"notice""#), "{text}");
}

#[test]
fn the_folder_of_the_page_asks_for_it() {
    let wanted = |arguments: &[&str]| wanted(arguments.iter().map(OsString::from));
    assert_eq!(wanted(&["--home", "/here", "--browser-host", "ui/dist"]), Some("ui/dist".into()));
    assert_eq!(wanted(&["--browser-host=ui/dist"]), Some("ui/dist".into()));
    assert_eq!(wanted(&["--home", "/here"]), None);
}

/// This module refuses to be compiled without debug assertions, and releases are made without them.
#[test]
fn no_release_build_has_it() {
    let workspace = include_str!("../../Cargo.toml");
    let release = workspace.split_once("[profile.release]").unwrap().1;
    assert!(!release.contains("debug-assertions"), "releases are made without debug assertions");
    let refusal = "#[cfg(not(debug_assertions))]\ncompile_error!";
    assert!(include_str!("../browser.rs").contains(refusal));
    assert!(include_str!("../lib.rs").contains("#[cfg(debug_assertions)]\nmod browser;"));
}
