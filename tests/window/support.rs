//! The window under WebKit's driver, and the practice district behind it.

use std::{
    env, fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use fantoccini::{Client, Locator};
use serde_json::{Value, json};

use crate::driver::{Driver, PATIENCE};

/// Closing the window ends the app.
const QUIT_ON_CLOSE: &str = "--quit-on-close";

/// Has the page draw a spot nobody sees, again and again.
const DRAW: &str = "const spot = document.createElement('i');
spot.style = 'position: fixed; inset: 0 auto auto 0; width: 1px; height: 1px; background: currentcolor; opacity: 0';
document.body.append(spot);
let odd = false;
window.resting = () => { clearInterval(drawing); spot.remove(); };
const drawing = setInterval(() => { odd = !odd; spot.style.opacity = odd ? '0.004' : '0'; }, 50);";

/// Ends that.
const REST: &str = "window.resting();";

/// Answers once nothing on the page moves but what moves for ever: nothing comes in any more, and for some frames
/// nothing scrolls.
const STILL: &str = "const finite = document.getAnimations()
    .filter((animation) => animation.effect.getComputedTiming().iterations !== Infinity);
const places = () => Array.from(document.querySelectorAll('*'), (part) => part.scrollTop).join();
const settle = (before, same) => requestAnimationFrame(() => {
    const now = places();
    if (now !== before) settle(now, 0);
    else if (same < 6) settle(now, same + 1);
    else arguments[0](null);
});
Promise.allSettled(finite.map((animation) => animation.finished)).then(() => settle(places(), 0));";

/// Brings a part of the page into view: the driver does not look behind the buttons at the bottom.
const INTO_VIEW: &str =
    "document.querySelector(arguments[0])?.scrollIntoView({ block: 'center', behavior: 'instant' });";

/// The folder of what the desktop has to say to every app, below the test's home.
const SYSTEM: &str = "system";

/// Tells the system's dialogs of one printer, which writes files, and where a person's documents are.
fn set_up_system(home: &Path) {
    let settings = home.join(SYSTEM).join("gtk-3.0");
    fs::create_dir_all(&settings).unwrap();
    fs::write(settings.join("settings.ini"), "[Settings]\ngtk-print-backends=file\n").unwrap();
    let documents = home.join("documents");
    fs::create_dir_all(&documents).unwrap();
    let folders = format!("XDG_DOCUMENTS_DIR=\"{}\"\n", documents.display());
    fs::write(home.join(SYSTEM).join("user-dirs.dirs"), folders).unwrap();
}

/// Waits until no app has its name on the bus any more: another one would only call that one to the front.
async fn ended() {
    let bus = zbus::Connection::session().await.unwrap();
    let bus = zbus::fdo::DBusProxy::new(&bus).await.unwrap();
    let started = Instant::now();
    while bus.list_names().await.unwrap().iter().any(|name| name.starts_with("app.rosterbridge")) {
        assert!(started.elapsed() < PATIENCE, "the app did not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The window of an app with a home of its own.
pub(crate) struct Window {
    pub(crate) client: Client,
    home: tempfile::TempDir,
    _driver: Driver,
}

impl Window {
    pub(crate) async fn open() -> Self {
        Self::open_after(|_| ()).await
    }

    /// Opens it on a home that something was done to before.
    pub(crate) async fn open_after(before: impl FnOnce(&Path)) -> Self {
        let home = tempfile::tempdir().unwrap();
        set_up_system(home.path());
        before(home.path());
        Self::open_in(home).await
    }

    async fn open_in(home: tempfile::TempDir) -> Self {
        let driver = Driver::start(&home.path().join(SYSTEM));
        let client = driver
            .open(&desktop(), &[QUIT_ON_CLOSE.as_ref(), "--home".as_ref(), home.path().as_os_str()])
            .await;
        Self { client, home, _driver: driver }
    }

    /// Ends the app, and opens it again.
    pub(crate) async fn restart(self) -> Self {
        self.restart_after(|_| ()).await
    }

    /// Ends the app, does something to its home, and opens it again.
    pub(crate) async fn restart_after(self, meanwhile: impl FnOnce(&Path)) -> Self {
        let home = self.end().await;
        meanwhile(home.path());
        Self::open_in(home).await
    }

    /// Ends the app. Nothing it has started is left behind.
    pub(crate) async fn close(self) {
        drop(self.end().await);
    }

    async fn end(self) -> tempfile::TempDir {
        let Self { client, home, _driver: driver } = self;
        client.close().await.unwrap();
        ended().await;
        drop(driver);
        home
    }

    /// The folder that holds the profiles.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Waits for a part of the page by its test id.
    pub(crate) async fn find(&self, id: &str) -> fantoccini::elements::Element {
        let selector = format!("[data-testid='{id}']");
        match self.client.wait().at_most(PATIENCE).for_element(Locator::Css(&selector)).await {
            Ok(element) => element,
            Err(error) => {
                let page = self.client.source().await.unwrap_or_default();
                panic!("{id} is not in the window ({error}):\n{page}");
            }
        }
    }

    /// Waits until a part of the page can be clicked, and clicks it.
    pub(crate) async fn click(&self, id: &str) {
        let started = Instant::now();
        loop {
            // A click goes to a place, and what scrolls meanwhile is no longer there.
            self.find(id).await;
            self.still().await;
            let element = self.find(id).await;
            let refusal = if element.is_enabled().await.unwrap_or(false) {
                match element.click().await {
                    Ok(()) => return,
                    Err(error) => error.to_string(),
                }
            } else {
                "it is disabled".to_owned()
            };
            let selector = json!(format!("[data-testid='{id}']"));
            self.client.execute(INTO_VIEW, vec![selector]).await.unwrap();
            if started.elapsed() > PATIENCE {
                let page = self.client.source().await.unwrap_or_default();
                panic!("{id} can't be clicked ({refusal}):\n{page}");
            }
            tokio::task::yield_now().await;
        }
    }

    /// Puts this text in place of what a field holds.
    pub(crate) async fn fill(&self, id: &str, text: &str) {
        let started = Instant::now();
        while let Err(error) = self.find(id).await.clear().await {
            assert!(started.elapsed() < PATIENCE, "{id} can't be filled: {error}");
            let selector = json!(format!("[data-testid='{id}']"));
            self.client.execute(INTO_VIEW, vec![selector]).await.unwrap();
            self.still().await;
        }
        self.find(id).await.send_keys(text).await.unwrap();
    }

    /// Waits until the window shows this error code, and checks that what to do about it stands beside it.
    pub(crate) async fn told(&self, code: &str) {
        let shown = format!("//*[@data-testid='error-code' and normalize-space()='{code}']");
        let remedy = format!("{shown}/..//*[@data-testid='error-remedy']");
        let started = Instant::now();
        loop {
            let sentence = match self.client.find(Locator::XPath(&remedy)).await {
                Ok(remedy) => remedy.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            // Parts that arrive are see-through at first, and WebDriver has no text for those.
            if !sentence.is_empty() {
                assert!(sentence.ends_with('.') && sentence.contains(' '), "{code}: {sentence:?}");
                return;
            }
            if started.elapsed() > PATIENCE {
                let page = self.client.source().await.unwrap_or_default();
                panic!("{code} is not told:\n{page}");
            }
            tokio::task::yield_now().await;
        }
    }

    /// The texts of all parts of the page with this test id, in their order.
    pub(crate) async fn texts(&self, id: &str) -> Vec<String> {
        self.still().await;
        let mut texts = Vec::new();
        for element in self.client.find_all(Locator::Css(&format!("[data-testid='{id}']"))).await.unwrap() {
            texts.push(element.text().await.unwrap());
        }
        texts
    }

    pub(crate) async fn text(&self, id: &str) -> String {
        self.find(id).await;
        self.still().await;
        self.find(id).await.text().await.unwrap()
    }

    pub(crate) async fn value(&self, id: &str) -> String {
        self.find(id).await.prop("value").await.unwrap().unwrap_or_default()
    }

    /// Waits until a part of the page says something.
    pub(crate) async fn says(&self, id: &str, words: &str) {
        let started = Instant::now();
        loop {
            let said = match self.find(id).await.text().await {
                Ok(said) if said.contains(words) => return,
                // It was drawn anew in between.
                other => other.unwrap_or_default(),
            };
            assert!(started.elapsed() < PATIENCE, "{id} says {said:?} and not {words:?}");
            tokio::task::yield_now().await;
        }
    }

    /// Waits until a part of the page is gone.
    pub(crate) async fn gone(&self, id: &str) {
        let selector = format!("[data-testid='{id}']");
        let started = Instant::now();
        while self.client.find(Locator::Css(&selector)).await.is_ok() {
            assert!(started.elapsed() < PATIENCE, "{id} is still there");
            tokio::task::yield_now().await;
        }
    }

    /// Waits until an element has an attribute with this value.
    pub(crate) async fn until(&self, id: &str, attribute: &str, wanted: &str) {
        let selector = format!("[data-testid='{id}'][{attribute}='{wanted}']");
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(&selector)).await;
        if let Err(error) = found {
            let page = self.client.source().await.unwrap_or_default();
            panic!("{id} did not come to {attribute}={wanted} ({error}):\n{page}");
        }
    }

    /// Waits until what comes in has come: WebDriver sees no text in a part that is still see-through.
    async fn still(&self) {
        self.client.execute_async(STILL, Vec::new()).await.unwrap();
    }

    /// Keeps a picture of the window, to be looked at: `screenshots/window-NAME.png`.
    pub(crate) async fn picture(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots");
        fs::create_dir_all(&folder).unwrap();
        self.still().await;
        // WebKit takes its picture with the next drawing of the page. Without a graphics card a page that rests is not
        // drawn again, and the picture would never come.
        self.client.execute(DRAW, Vec::new()).await.unwrap();
        let picture = self.client.screenshot().await.unwrap();
        self.client.execute(REST, Vec::new()).await.unwrap();
        fs::write(folder.join(format!("window-{name}.png")), picture).unwrap();
    }

    pub(crate) fn practice(&self) -> PathBuf {
        self.home.path().join("practice")
    }

    /// What the practice district says about itself.
    pub(crate) fn ready(&self) -> Value {
        serde_json::from_slice(&fs::read(self.practice().join("ready.json")).unwrap()).unwrap()
    }

    /// Where the system keeps a person's documents.
    pub(crate) fn documents(&self) -> PathBuf {
        self.home.path().join("documents")
    }

    /// Sets something wrong with the practice district, or right again, through its control port.
    pub(crate) fn control(&self, part: &str, faults: &Value) {
        let answer = self.post(part, faults);
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }

    /// Asks the practice district for something through its control port: its answer.
    pub(crate) fn ask(&self, part: &str, what: &Value) -> Value {
        let answer = self.post(part, what);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }

    fn post(&self, part: &str, body: &Value) -> String {
        let ready = self.ready();
        let origin = ready["audit_url"].as_str().unwrap();
        let host = origin.trim_start_matches("http://").trim_end_matches("/audit");
        let body = body.to_string();
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "POST /control/{part} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The command line on the same profile: the window holds it, so this goes through its socket.
    pub(crate) fn command_line(&self, arguments: &[&str]) -> Value {
        let output = Command::new(command_line())
            .args(["--json", "--profile", "practice", "--home"])
            .arg(self.home.path())
            .args(arguments)
            .output()
            .expect("the command line starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("one JSON document")
    }
}

pub(crate) fn desktop() -> PathBuf {
    env::var_os("ROSTERBRIDGE_DESKTOP_BIN")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_rosterbridge-desktop")), PathBuf::from)
}

pub(crate) fn command_line() -> PathBuf {
    env::var_os("ROSTERBRIDGE_BIN").map_or_else(|| desktop().with_file_name("rosterbridge"), PathBuf::from)
}
