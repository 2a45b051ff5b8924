//! WebKit's driver, which starts a program and works its window.

use std::{
    ffi::OsStr,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use fantoccini::{Client, ClientBuilder, wd::Capabilities};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

/// How long anything in the window may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// WebKit's driver, ended with its owner.
pub(crate) struct Driver {
    /// What it starts are its children.
    pub(crate) process: Child,
    port: u16,
}

impl Driver {
    /// With the system's settings in this folder, in English.
    pub(crate) fn start(settings: &Path) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let process = Command::new("WebKitWebDriver")
            .arg(format!("--port={port}"))
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .env("LC_ALL", "C.UTF-8")
            .env("XDG_CONFIG_HOME", settings)
            .stdout(Stdio::null())
            .spawn()
            .expect("WebKitWebDriver (package webkit2gtk-driver) starts");
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(started.elapsed() < PATIENCE, "WebKitWebDriver does not listen");
            std::thread::yield_now();
        }
        Self { process, port }
    }

    /// Opens the window of a program, started with these arguments.
    pub(crate) async fn open(&self, program: &Path, arguments: &[&OsStr]) -> Client {
        let arguments: Vec<_> =
            arguments.iter().map(|argument| argument.to_str().expect("plain text")).collect();
        let mut capabilities = Capabilities::new();
        let options = json!({ "binary": program, "args": arguments });
        capabilities.insert("webkitgtk:browserOptions".to_owned(), options);
        let address = format!("http://127.0.0.1:{}", self.port);
        let mut client = ClientBuilder::new(HttpConnector::new());
        let opening = client.capabilities(capabilities).connect(&address);
        tokio::time::timeout(PATIENCE, opening).await.expect("the window opens in time").unwrap()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
