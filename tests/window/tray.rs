//! The icon beside the clock, worked over the session bus as a desktop does, with a stand-in for the desktop's place for
//! icons.
#![expect(
    clippy::needless_pass_by_value,
    clippy::unused_self,
    reason = "an interface on the bus decides what its methods take"
)]

use std::{
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use zbus::{
    Proxy, interface,
    message::Header,
    zvariant::{OwnedObjectPath, OwnedValue, Structure, Value},
};

use crate::{driver::PATIENCE, support::desktop};

/// The desktop's place for icons. Tells who wants to stand there: a name on the bus, and a path.
struct Place(mpsc::UnboundedSender<(String, String)>);

#[interface(name = "org.kde.StatusNotifierWatcher")]
impl Place {
    fn register_status_notifier_item(&self, service: &str, #[zbus(header)] header: Header<'_>) {
        let sender = header.sender().expect("a caller has a name").to_string();
        self.0.send((sender, service.to_owned())).unwrap();
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

/// The app, ended with the test whatever happens in it.
struct App(Child);

impl App {
    fn start(home: &std::path::Path) -> Self {
        Self(Command::new(desktop()).arg("--in-tray").arg("--home").arg(home).spawn().unwrap())
    }

    async fn ended(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "the app did not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A menu as a desktop reads it: each line's id and what it says.
async fn lines(menu: &Proxy<'_>) -> Vec<(i32, String)> {
    type Layout = (i32, std::collections::HashMap<String, OwnedValue>, Vec<OwnedValue>);
    let (_, (_, _, children)): (u32, Layout) =
        menu.call("GetLayout", &(0, -1, Vec::<String>::new())).await.unwrap();
    children
        .into_iter()
        .filter_map(|child| {
            let line = Structure::try_from(child).unwrap();
            let [Value::I32(id), Value::Dict(properties), ..] = line.fields() else {
                panic!("no line of a menu: {line:?}")
            };
            let said = properties.get::<_, String>(&"label").ok().flatten()?;
            Some((*id, said.replace('_', "")))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_icon_beside_the_clock() {
    let (send, mut icons) = mpsc::unbounded_channel();
    let bus = zbus::connection::Builder::session()
        .unwrap()
        .name("org.kde.StatusNotifierWatcher")
        .unwrap()
        .serve_at("/StatusNotifierWatcher", Place(send))
        .unwrap()
        .build()
        .await
        .unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut app = App::start(home.path());
    let (owner, path) =
        tokio::time::timeout(PATIENCE, icons.recv()).await.expect("an icon is put up").unwrap();

    let item = Proxy::new(&bus, owner.clone(), path, "org.kde.StatusNotifierItem").await.unwrap();
    let menu: OwnedObjectPath = item.get_property("Menu").await.unwrap();
    let menu = Proxy::new(&bus, owner, menu, "com.canonical.dbusmenu").await.unwrap();
    let started = Instant::now();
    let quit = loop {
        let lines = lines(&menu).await;
        let said: Vec<&str> =
            lines.iter().map(|(_, said)| said.as_str()).filter(|said| !said.is_empty()).collect();
        if said
            == [
                "No run is planned",
                "No held records",
                "Open RosterBridge",
                "Run now",
                "Pause scheduled runs",
                "Settings…",
                "Quit…",
            ]
        {
            break lines.into_iter().find(|(_, said)| said == "Quit…").unwrap().0;
        }
        assert!(started.elapsed() < PATIENCE, "the menu says {said:?}");
        tokio::task::yield_now().await;
    };

    // A second start for the same home ends by itself, and leaves the first one alone.
    assert!(App::start(home.path()).ended().await.success());
    assert!(app.0.try_wait().unwrap().is_none());

    // Nothing is set up, so quitting stops nothing and asks nothing.
    menu.call::<_, _, ()>("Event", &(quit, "clicked", Value::from(0), 0_u32)).await.unwrap();
    assert!(app.ended().await.success());
}
