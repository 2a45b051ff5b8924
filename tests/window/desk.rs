//! What a desktop has around a window: other windows, a place for icons, one for notifications, a person's hands.
#![allow(clippy::used_underscore_binding, reason = "the macro of an interface reads every argument")]
#![expect(
    clippy::needless_pass_by_value,
    clippy::unused_self,
    reason = "an interface on the bus decides what its methods take"
)]

use std::{
    process::Command,
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use x11rb::protocol::xproto::{ClientMessageEvent, ConnectionExt, EventMask};
use zbus::{interface, object_server::SignalEmitter, zvariant::OwnedValue};

use crate::{driver::PATIENCE, support::Window};

/// Calls a command of the shell, as a script that got into the page would.
const INVOKE: &str = "const [command, payload, done] = arguments;
if (payload.onEvent) payload.onEvent = `__CHANNEL__:${window.__TAURI_INTERNALS__.transformCallback(() => {})}`;
if (payload.onProgress) payload.onProgress = `__CHANNEL__:${window.__TAURI_INTERNALS__.transformCallback(() => {})}`;
window.__TAURI_INTERNALS__.invoke(command, payload)
    .then((answer) => done({ answer }), (refused) => done({ refused }));";

impl Window {
    pub(crate) async fn invoke(&self, command: &str, payload: Value) -> Value {
        self.client.execute_async(INVOKE, vec![json!(command), payload]).await.unwrap()
    }

    /// What a command of ours said why it was not carried out.
    pub(crate) async fn refused(&self, command: &str, payload: Value) -> String {
        let answer = self.invoke(command, payload).await;
        answer["refused"]["code"].as_str().unwrap_or_else(|| panic!("{command}: {answer}")).to_owned()
    }
}

/// Waits until something has happened.
pub(crate) async fn until<T>(what: &str, mut happened: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(happened) = happened() {
            return happened;
        }
        assert!(started.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The visible windows of this name, as the screen has them.
pub(crate) fn windows_named(name: &str) -> Vec<String> {
    let found = Command::new("xdotool")
        .args(["search", "--onlyvisible", "--name", name])
        .output()
        .expect("xdotool starts");
    String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Moves windows and presses keys as a person does.
pub(crate) fn press(arguments: &[&str]) -> String {
    let done = Command::new("xdotool").args(arguments).output().expect("xdotool starts");
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// Asks a window to close, as the button in its frame does.
pub(crate) fn close(window: &str) {
    let (screen, _) = x11rb::connect(None).unwrap();
    let atom = |name: &[u8]| screen.intern_atom(false, name).unwrap().reply().unwrap().atom;
    let window = window.parse().unwrap();
    let asked = [atom(b"WM_DELETE_WINDOW"), x11rb::CURRENT_TIME, 0, 0, 0];
    let message = ClientMessageEvent::new(32, window, atom(b"WM_PROTOCOLS"), asked);
    screen.send_event(false, window, EventMask::NO_EVENT, message).unwrap().check().unwrap();
}

/// The desktop's place for notifications.
pub(crate) struct Notifications(mpsc::Sender<String>);

#[interface(name = "org.freedesktop.Notifications")]
impl Notifications {
    #[expect(clippy::too_many_arguments, reason = "the interface decides what its methods take")]
    fn notify(
        &self,
        _app: &str,
        _replaces: u32,
        _icon: &str,
        summary: &str,
        _body: &str,
        actions: Vec<String>,
        _hints: std::collections::HashMap<String, OwnedValue>,
        _timeout: i32,
    ) -> u32 {
        assert!(actions.iter().any(|action| action == "default"), "a click on it is heard of: {actions:?}");
        self.0.send(summary.to_owned()).unwrap();
        7
    }

    fn get_capabilities(&self) -> Vec<String> {
        vec!["actions".to_owned(), "body".to_owned()]
    }

    fn get_server_information(&self) -> (String, String, String, String) {
        ("test".to_owned(), "test".to_owned(), "1".to_owned(), "1.2".to_owned())
    }

    #[zbus(signal)]
    async fn action_invoked(emitter: &SignalEmitter<'_>, id: u32, action: &str) -> zbus::Result<()>;
}

/// The desktop's place for icons.
struct Icons;

#[interface(name = "org.kde.StatusNotifierWatcher")]
impl Icons {
    fn register_status_notifier_item(&self, _service: &str) {}

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

/// A desktop with a place for icons and one for notifications, whose titles it tells.
pub(crate) struct Desktop(zbus::Connection);

impl Desktop {
    pub(crate) async fn start(told: mpsc::Sender<String>) -> Self {
        let bus = zbus::connection::Builder::session()
            .unwrap()
            .name("org.freedesktop.Notifications")
            .unwrap()
            .name("org.kde.StatusNotifierWatcher")
            .unwrap()
            .serve_at("/org/freedesktop/Notifications", Notifications(told))
            .unwrap()
            .serve_at("/StatusNotifierWatcher", Icons)
            .unwrap();
        Self(bus.build().await.unwrap())
    }

    /// A person clicks on the notification that is shown.
    pub(crate) async fn click_notification(&self) {
        let server = self.0.object_server();
        let place = server.interface::<_, Notifications>("/org/freedesktop/Notifications").await.unwrap();
        Notifications::action_invoked(place.signal_emitter(), 7, "default").await.unwrap();
    }
}
