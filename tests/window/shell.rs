//! What the window has of the desktop, and what the desktop refuses it.
#![allow(clippy::used_underscore_binding, reason = "the macro of an interface reads every argument")]

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, Command},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use arboard::Clipboard;
use fantoccini::key::Key;
use serde_json::{Value, json};
use zbus::{fdo::DBusProxy, interface};

use crate::{
    desk::{Desktop, press, until, windows_named},
    driver::PATIENCE,
    support::{Window, desktop},
};

/// Position and size, in pixels.
fn frame(window: &str) -> [i64; 4] {
    let said = press(&["getwindowgeometry", "--shell", window]);
    ["X", "Y", "WIDTH", "HEIGHT"].map(|name| {
        let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("{said}")).parse().unwrap()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_may_ask_for_what_it_needs_and_no_more() {
    let window = Window::open().await;
    window.find("welcome-practice").await;

    // Tauri's own commands, however harmless, and those no build has: refused before anything is done.
    for command in [
        "plugin:window|set_focus",
        "plugin:window|close",
        "plugin:webview|create_webview_window",
        "plugin:app|version",
        "plugin:dialog|save",
        "plugin:notification|notify",
        "plugin:updater|check",
        "plugin:autostart|enable",
        "plugin:event|emit",
        "no_such_command",
    ] {
        let answer = window.invoke(command, json!({})).await;
        let refusal = answer["refused"].as_str().unwrap_or_else(|| panic!("{command}: {answer}"));
        assert!(refusal.contains("not allowed") || refusal.contains("not found"), "{command}: {refusal}");
    }
    assert_eq!(window.invoke("environment", json!({})).await["answer"]["profile"], "default");

    // Nothing is done in the name of a district the window does not show.
    for profile in ["practice", "north", ""] {
        let request = json!({ "op": "pause", "pause": { "kind": "no" } });
        let payload = json!({ "profile": profile, "request": request, "onEvent": true });
        assert_eq!(window.refused("call", payload).await, "window.other_profile", "{profile}");
    }

    // A file that nobody has chosen is not written.
    let file = window.documents().join("bundle.zip");
    let request = json!({ "op": "support_bundle", "file": file, "overwrite": true });
    let payload = json!({ "profile": "default", "request": request, "onEvent": true });
    assert_eq!(window.refused("call", payload.clone()).await, "window.file_not_chosen");
    assert!(!file.exists());

    // The same one is, once the person has chosen it in the system's dialog.
    let choosing = window.invoke("choose_file", json!({ "suggestedName": "../bundle.zip" }));
    let chosen = async {
        let dialog = until("no dialog", || windows_named("^Save").pop()).await;
        let path = file.display().to_string();
        press(&["windowfocus", "--sync", &dialog, "key", "ctrl+a"]);
        press(&["type", "--window", &dialog, "--delay", "20", &path]);
        press(&["key", "--window", &dialog, "Return"]);
    };
    let (answer, ()) = tokio::join!(choosing, chosen);
    assert_eq!(answer["answer"], json!(file), "{answer}");
    let written = window.invoke("call", payload).await;
    assert_eq!(written["answer"]["kind"], "support_bundle", "{written}");
    assert!(file.exists());
    window.close().await;
}

/// The environment of the process that draws the page of the window with this home.
fn environment_of_the_page(home: &Path) -> Option<String> {
    let home = home.to_str().unwrap();
    let read =
        |process: &str, file: &str| fs::read_to_string(Path::new("/proc").join(process).join(file)).ok();
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let process = entry.file_name().into_string().ok()?;
        let status =
            read(&process, "status").filter(|status| status.starts_with("Name:\tWebKitWebProces"))?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim();
        read(parent, "cmdline").filter(|line| line.contains(home))?;
        read(&process, "environ")
    })
}

/// What draws the page has to know it before it starts. `src-tauri/graphics.rs` says which cards count.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_drawn_without_a_graphics_card_where_there_is_none() {
    let window = Window::open().await;
    window.find("welcome-practice").await;
    let environment = environment_of_the_page(window.home()).expect("a process draws the page");
    let nodes = fs::read_dir("/dev/dri").into_iter().flatten().flatten();
    let rendering = nodes.into_iter().any(|node| node.file_name().to_string_lossy().starts_with("renderD"));
    if !rendering && !Path::new("/dev/nvidiactl").exists() && !Path::new("/dev/dxg").exists() {
        assert!(environment.contains("WEBKIT_DISABLE_COMPOSITING_MODE=1"), "{environment}");
    }
    window.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shell_speaks_as_the_page_does() {
    let window = Window::open().await;
    window.find("welcome-practice").await;
    let file = window.home().join("shell-words.json");
    let kept = || fs::read_to_string(&file).ok().and_then(|kept| serde_json::from_str::<Value>(&kept).ok());
    let spanish = || kept().filter(|words| words["quit"] == "Salir…");

    window.click("language-es").await;
    let words = until("the shell was not told the words", spanish).await;
    assert_eq!(words["pausedUntil"].as_str().map(|text| text.contains("{when}")), Some(true), "{words}");
    assert_eq!(words["weekdays"][2], "mié", "{words}");

    // What no menu can show changes nothing.
    window.find("welcome-practice").await;
    for words in [json!({ "quit": "" }), json!({ "quit": "x".repeat(1_000) }), json!({ "unknown": "x" })] {
        let answer = window.invoke("speak", json!({ "words": words })).await;
        assert!(answer["refused"].is_string(), "{answer}");
    }
    assert!(spanish().is_some());

    window.click("language-en").await;
    until("the shell did not follow back", || kept().filter(|words| words["quit"] == "Quit…")).await;
    window.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setup_file_opened_outside_is_shown_and_not_imported() {
    let window = Window::open().await;
    window.find("welcome-practice").await;
    let file = window.documents().join("north.rosterbridge");
    let setup = window
        .invoke("call", json!({ "profile": "default", "request": { "op": "export_setup", "passphrase": null }, "onEvent": true }));
    let setup = setup.await["answer"]["data"].as_str().unwrap().to_owned();
    let mut setup: Value = serde_json::from_str(&setup).unwrap();
    assert_eq!(setup["powerschool"]["url"], "", "{setup}");
    setup["powerschool"]["url"] = json!("https://ps.north.example.org");
    fs::write(&file, setup.to_string()).unwrap();

    // As a double click in the file manager does: the app that runs takes it, and the second one ends.
    let mut second = Command::new(desktop())
        .args(["--quit-on-close", "--home"])
        .arg(window.home())
        .arg("north.rosterbridge")
        .current_dir(window.documents())
        .spawn()
        .unwrap();
    let ended = until("the second start did not end", || second.try_wait().unwrap()).await;
    assert!(ended.success());
    assert_eq!(window.text("opened-file").await, "north.rosterbridge");
    window.picture("opened-file").await;
    let now = || {
        window.invoke("call", json!({ "profile": "default", "request": { "op": "setup" }, "onEvent": true }))
    };
    assert_eq!(now().await["answer"]["data"]["setup"]["powerschool"]["url"], "");

    window.click("import-setup").await;
    window.gone("opened-file").await;
    assert_eq!(now().await["answer"]["data"]["setup"]["powerschool"]["url"], "https://ps.north.example.org");
    window.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_comes_back_where_it_was_and_never_out_of_sight() {
    let window = Window::open().await;
    window.find("welcome-practice").await;
    let own = || until("the window is not on the screen", || windows_named("^RosterBridge$").pop());
    let shown = own().await;
    press(&["windowsize", "--sync", &shown, "1000", "700"]);
    press(&["windowmove", "--sync", &shown, "120", "80"]);
    let moved =
        until("it was not moved", || Some(frame(&shown)).filter(|at| *at == [120, 80, 1000, 700])).await;
    let file = window.home().join("window-state.json");
    let is_kept = || fs::read_to_string(&file).ok().filter(|kept| kept.contains("\"x\":120"));
    until("it was not kept", is_kept).await;

    let window = window.restart().await;
    window.find("welcome-practice").await;
    let shown = own().await;
    until("it is not where it was", || (frame(&shown) == moved).then_some(())).await;

    // The second screen it stood on is gone.
    let put_away = |home: &Path| {
        let kept = home.join("window-state.json");
        let away = fs::read_to_string(&kept).unwrap().replace("\"x\":120", "\"x\":4120");
        assert!(away.contains("4120"), "{away}");
        fs::write(kept, away).unwrap();
    };
    let window = window.restart_after(put_away).await;
    window.find("welcome-practice").await;
    let [x, y, ..] = frame(&own().await);
    assert!((0..1280).contains(&x) && (0..900).contains(&y), "{x}, {y}");
    window.close().await;
}

/// A minute has to pass: that is what is promised.
#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_secret_leaves_the_clipboard() {
    const SECRET: &str = "2f1c7d0e-51f5-4a0e-9d5e-3f6b1d2c4a77";
    let window = Window::open().await;
    window.click("welcome-district").await;
    // The owner of what it holds has to answer for as long as it is there.
    let mut clipboard = Clipboard::new().unwrap();
    let paste = async |field: &'static str| {
        window.find(field).await.send_keys(&(Key::Control + "v")).await.unwrap();
    };

    // What is no secret stays.
    clipboard.set_text("ps.north.example.org").unwrap();
    paste("field-url").await;
    clipboard.set_text(SECRET).unwrap();
    paste("field-client-secret").await;
    let pasted = Instant::now();
    assert_eq!(window.value("field-client-secret").await, SECRET);
    assert_eq!(window.value("field-url").await, "ps.north.example.org");
    assert_eq!(clipboard.get_text().unwrap(), SECRET);
    until("it stays on the clipboard", || clipboard.get_text().is_err().then_some(())).await;
    assert!(pasted.elapsed() > Duration::from_secs(50), "{:?}", pasted.elapsed());

    window.close().await;
}

/// A server for updates: counts what is asked of it.
struct UpdateServer {
    address: String,
    asked: Arc<AtomicU32>,
}

/// A key pair made for this test alone: this is its public half, and the signature of [`PACKAGE`] as version 9.9.9.
const PUBLIC_KEY: &str = "dW50cnVzdGVkIGNvbW1lbnQ6IG1pbmlzaWduIHB1YmxpYyBrZXkKUldSU1FuUmxjM1F3TVdmVHRlcnd3TDlyV21BdE5aMnV6SWFucDBCVFNRN0RldUNPY1RZRmg4aHcK";
const SIGNATURE: &str = "dW50cnVzdGVkIGNvbW1lbnQ6IHNpZ25hdHVyZQpSVVJTUW5SbGMzUXdNUm9Ea2xSWTdyNk1sS1RSU01Qb0JwazYwUnprZ2h0K3ZkbG5HenlpcHZ4NUZJRnk4V3YwMTh2dys5QzIxVXh4WTFGbER0VWlqYkNFOXh1NURta2UxZ2M9CnRydXN0ZWQgY29tbWVudDogdGltZXN0YW1wOjE3OTUwMDAwMDAJZmlsZTp4CXZlcnNpb246OS45LjkKNjNORnJwR2hlUEJkTXZIbzFFaFZlQjltV3V4dG5hNGNsVXNtYy9taFNieUE2QUd1VG5RQVUxU1lNN282S1FsQitaWXJDbTdUazMwa29naEQ5K0pxQkE9PQo=";
const PACKAGE: &str = "no package of any system";

impl UpdateServer {
    /// Offers a version, with whatever `package` gives to download.
    fn start(version: &'static str, package: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicU32::new(0));
        let (count, own) = (Arc::clone(&asked), address.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap_or_default();
                count.fetch_add(1, Ordering::SeqCst);
                let body = if request[..length].starts_with(b"GET /package ") {
                    package.to_owned()
                } else {
                    let url = format!("{own}/package");
                    json!({ "version": version, "url": url, "signature": SIGNATURE, "notes": "New." })
                        .to_string()
                };
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    fn configure(&self, home: &Path) {
        let source = json!({ "endpoint": self.address, "public_key": PUBLIC_KEY });
        fs::write(home.join("updates.json"), source.to_string()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_are_off_until_configured_and_install_only_what_is_signed() {
    let window = Window::open().await;
    window.find("welcome-practice").await;
    let install =
        async || window.refused("install_update", json!({ "version": "9.9.9", "onProgress": true })).await;

    assert_eq!(window.invoke("updates", json!({})).await["answer"], json!({ "state": "off" }));
    assert_eq!(window.refused("check_for_update", json!({})).await, "updates.off");
    assert_eq!(install().await, "updates.gone");

    // Configured, it still asks nobody by itself, and downloads nothing when it is told to look.
    let server = UpdateServer::start("9.9.9", PACKAGE);
    server.configure(window.home());
    assert_eq!(
        window.invoke("updates", json!({})).await["answer"],
        json!({ "state": "on", "server": "127.0.0.1" })
    );
    assert_eq!(server.asked(), 0);
    let found = window.invoke("check_for_update", json!({})).await;
    assert_eq!(found["answer"]["version"], "9.9.9", "{found}");
    assert_eq!(server.asked(), 1);
    // The signature fits; what it fits is nothing that can be installed.
    assert_eq!(install().await, "updates.not_installed");
    assert_eq!(server.asked(), 2);

    for (version, package) in [("9.9.9", "another package"), ("9.9.10", PACKAGE)] {
        let server = UpdateServer::start(version, package);
        server.configure(window.home());
        let found = window.invoke("check_for_update", json!({})).await;
        assert_eq!(found["answer"]["version"], version, "{found}");
        let payload = json!({ "version": version, "onProgress": true });
        assert_eq!(
            window.refused("install_update", payload).await,
            "updates.signature",
            "{version}, {package}"
        );
    }
    window.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_on_a_notification_brings_the_window_back() {
    let (send, shown) = mpsc::channel();
    let desktop = Desktop::start(send).await;
    let window = Window::open().await;
    window.find("welcome-practice").await;
    window
        .invoke("notify", json!({ "title": "PowerSchool is connected", "body": "The test has run." }))
        .await;
    let title = until("no notification", || shown.try_recv().ok()).await;
    assert_eq!(title, "PowerSchool is connected");

    let own = until("the window is not on the screen", || windows_named("^RosterBridge$").pop()).await;
    press(&["windowunmap", "--sync", &own]);
    assert!(windows_named("^RosterBridge$").is_empty());
    desktop.click_notification().await;
    until("the window does not come back", || windows_named("^RosterBridge$").pop()).await;
    window.close().await;
}

/// The app on a home of its own, ended with the test.
struct App(Child);

impl App {
    fn start(home: &Path) -> Self {
        let mut command = Command::new(desktop());
        command.args(["--quit-on-close", "--profile", "north"]).env("XDG_DATA_HOME", home).env("HOME", home);
        Self(command.spawn().unwrap())
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The name on the bus of the app with profile `north` of the usual home.
const NAME: &str = "app.rosterbridge.desktop.p_north.SingleInstance";

/// An app that is there when it is called, and gone before it has heard.
struct Leaving(mpsc::Sender<()>);

#[interface(name = "org.SingleInstance.DBus")]
impl Leaving {
    async fn execute_callback(
        &self,
        _arguments: Vec<String>,
        _folder: String,
        #[zbus(connection)] bus: &zbus::Connection,
    ) -> zbus::fdo::Result<()> {
        bus.release_name(NAME).await?;
        self.0.send(()).unwrap();
        Err(zbus::fdo::Error::UnknownObject("gone".to_owned()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_ends_while_it_is_called_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let (send, called) = mpsc::channel();
    let bus = zbus::connection::Builder::session()
        .unwrap()
        .name(NAME)
        .unwrap()
        .serve_at(format!("/{}", NAME.replace('.', "/")), Leaving(send))
        .unwrap()
        .build()
        .await
        .unwrap();
    let mut app = App::start(home.path());
    until("the app was not called", || called.try_recv().ok()).await;
    until("no window in its place", || windows_named("^RosterBridge$").pop()).await;
    assert!(app.0.try_wait().unwrap().is_none());
    drop(bus);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_while_the_app_ends_is_not_lost() {
    let home = tempfile::tempdir().unwrap();
    let bus = zbus::Connection::session().await.unwrap();
    let bus = DBusProxy::new(&bus).await.unwrap();
    let mut first = App::start(home.path());
    until("no window", || windows_named("^RosterBridge$").pop()).await;
    let signalled = Command::new("kill").arg(first.0.id().to_string()).status().unwrap();
    assert!(signalled.success());
    let _second = App::start(home.path());

    // The second one itself, or another one that the first one starts when it has ended: somebody is there in the end.
    until("the first one does not end", || first.0.try_wait().unwrap()).await;
    let started = Instant::now();
    let pid = loop {
        if let Ok(pid) = bus.get_connection_unix_process_id(NAME.try_into().unwrap()).await
            && pid != first.0.id()
        {
            break pid;
        }
        assert!(started.elapsed() < PATIENCE, "nobody is there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    until("no window in its place", || windows_named("^RosterBridge$").pop()).await;
    let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
}
