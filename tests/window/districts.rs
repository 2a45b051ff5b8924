//! Several districts: a window for each; and what can be done to one as a whole.

use std::{
    fs,
    path::Path,
    process::{Child, Command},
    sync::mpsc,
};

use serde_json::{Value, json};

use crate::{
    desk::{Desktop, close, press, until, windows_named},
    support::{Window, command_line, desktop},
};

/// The command line on a profile: where a window holds it, this goes through its socket.
fn rosterbridge(home: &Path, arguments: &[&str]) -> Value {
    let done =
        Command::new(command_line()).args(["--json", "--home"]).arg(home).args(arguments).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stdout));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// A district that is set up as far as its window shows Home.
fn set_up(home: &Path, profile: &str) {
    let setup = json!({
        "version": 1,
        "powerschool": { "url": server(profile) },
        "jobs": [{ "job": "raptor-roster", "enabled": true }],
    });
    let file = home.join(format!("{profile}.json"));
    fs::write(&file, setup.to_string()).unwrap();
    rosterbridge(home, &["--profile", profile, "setup", "import", file.to_str().unwrap()]);
}

fn server(profile: &str) -> String {
    format!("https://ps.{profile}.example.org")
}

/// Whose server each process works for, by profile.
fn served(home: &Path) -> Vec<(String, String)> {
    let profiles = rosterbridge(home, &["profiles"]);
    let profiles = profiles["data"]["profiles"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    profiles
        .filter_map(|profile| Some((text(&profile["name"])?, text(&profile["served"]["server"])?)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_districts_in_two_windows() {
    let window =
        Window::open_after(|home| ["default", "north"].iter().for_each(|name| set_up(home, name))).await;
    window.click("nav-settings").await;
    until("the title", || windows_named("^RosterBridge – default$").pop()).await;
    window.says("settings-section", "ps.default.example.org").await;

    window.click("settings-districts").await;
    window.click("district-open-north").await;
    let other = until("no second window", || windows_named("^RosterBridge – north$").pop()).await;
    let both = || {
        let served = served(window.home());
        let wanted = ["default", "north"].map(|name| (name.to_owned(), format!("ps.{name}.example.org")));
        (served == wanted).then_some(())
    };
    until("not each works on its own district", both).await;

    // What is asked for in the other one's name is refused here, and changes neither.
    let pause = json!({ "op": "pause", "pause": { "kind": "until_resumed" } });
    let refused =
        window.refused("call", json!({ "profile": "north", "request": pause, "onEvent": true })).await;
    assert_eq!(refused, "window.other_profile");

    // Its end is not this one's, whose title stays: the district is still there.
    let pid = press(&["getwindowpid", &other]);
    assert!(Command::new("kill").arg(pid.trim()).status().unwrap().success());
    until("the second window stays", || windows_named("^RosterBridge – north$").is_empty().then_some(()))
        .await;
    until("it works on still", || (served(window.home()).len() == 1).then_some(())).await;
    window.says("settings-section", "ps.default.example.org").await;
    window.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_district_is_erased_once_its_name_is_typed() {
    let window = Window::open_after(|home| set_up(home, "default")).await;
    let folder = window.home().join("profiles/default");
    window.click("nav-settings").await;
    window.click("settings-erase").await;
    window.click("erase").await;
    window.fill("field-erase", "defaul").await;
    assert!(!window.find("erase-confirm").await.is_enabled().await.unwrap());
    window.fill("field-erase", "default").await;
    assert!(folder.join("ledger.db").exists());
    window.click("erase-confirm").await;
    window.find("erased").await;
    window.picture("erased").await;
    assert!(!folder.exists());

    // Nothing has made it anew meanwhile; a person does.
    window.click("erased-begin").await;
    window.find("welcome-practice").await;
    window.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored() {
    let window = Window::open_after(|home| set_up(home, "default")).await;
    let is_paused =
        || rosterbridge(window.home(), &["--profile", "default", "status"])["data"]["paused"] == json!(true);
    assert!(is_paused(), "an imported profile starts paused");
    window.click("nav-settings").await;
    window.click("settings-backups").await;
    window.click("backup-now").await;
    window.says("backup-said", "The backup was made").await;
    rosterbridge(window.home(), &["--profile", "default", "jobs", "resume"]);
    assert!(!is_paused());

    window.click("restore").await;
    window.click("restore-confirm").await;
    window.says("settings-section", "The backup was restored").await;
    assert!(is_paused());
    // The window holds the district again, and goes on.
    assert_eq!(served(window.home()).len(), 1);
    window.picture("restored").await;
    window.close().await;
}

/// The app as a person starts it, ended with the test whatever happens in it.
struct App(Child);

impl App {
    fn start(home: &Path) -> Self {
        Self(Command::new(desktop()).arg("--home").arg(home).spawn().unwrap())
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn that_the_app_stays_beside_the_clock_is_told_once() {
    let (send, told) = mpsc::channel();
    let _desktop = Desktop::start(send).await;
    let home = tempfile::tempdir().unwrap();
    let mut app = App::start(home.path());
    let shown = || windows_named("^RosterBridge$").pop();
    for _ in 0..2 {
        let window = until("no window", shown).await;
        close(&window);
        until("the window stays", || shown().is_none().then_some(())).await;
        assert!(app.0.try_wait().unwrap().is_none(), "the app goes on");
        // As the icon or another start does.
        let mut again = App::start(home.path());
        let ended = until("the second start stays", || again.0.try_wait().unwrap()).await;
        assert!(ended.success());
    }
    until("the window does not come back", shown).await;
    assert!(Command::new("kill").arg(app.0.id().to_string()).status().unwrap().success());
    until("the app does not end", || app.0.try_wait().unwrap()).await;
    // Nothing more can come.
    assert_eq!(told.try_iter().collect::<Vec<String>>(), ["RosterBridge is still running"]);
}
