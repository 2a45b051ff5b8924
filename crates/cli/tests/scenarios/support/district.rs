//! The practice district, and what its people do.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use rosterbridge_practice::{HeroAccountAccess, Ready};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{DATE, PATIENCE, rosterbridge, until};

/// `practice serve` in a process of its own.
pub struct District {
    child: Child,
    date: String,
    options: Vec<String>,
    folder: TempDir,
    pub ready: Ready,
}

impl District {
    /// Starts a district on [`DATE`] with further options of `practice serve`.
    pub fn start(options: &[&str]) -> Self {
        Self::start_on(DATE, options)
    }

    /// Starts a district on another date.
    pub fn start_on(date: &str, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let (child, ready) = serve(folder.path(), date, &options);
        Self { child, date: date.to_owned(), options, folder, ready }
    }

    /// The same people on a later date.
    pub fn move_to(&mut self, date: &str) {
        date.clone_into(&mut self.date);
        self.restart();
    }

    /// The same district again, from what it keeps between starts.
    pub fn restart(&mut self) {
        self.stop();
        (self.child, self.ready) = serve(self.folder.path(), &self.date, &self.options);
    }

    /// Ends it without a farewell.
    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn ready_file(&self) -> PathBuf {
        self.folder.path().join("ready.json")
    }

    /// A file of Hero's account, e.g. `imports/STUDENT.TXT`.
    pub fn hero(&self, name: &str) -> PathBuf {
        self.data().join("hero").join(name)
    }

    /// A file of the Raptor exchange folder.
    pub fn raptor(&self, name: &str) -> PathBuf {
        self.ready.raptor.folder.join(name)
    }

    /// The day's tardies as Raptor dropped them.
    pub fn tardies(&self) -> PathBuf {
        self.raptor(&format!("tardies-{DATE}.csv"))
    }

    /// Every attendance write PowerSchool accepted, in order.
    pub fn audit(&self) -> Vec<Value> {
        let (status, body) = http("GET", &self.ready.audit_url, b"");
        assert_eq!(status, 200, "{body}");
        let mut answer: Value = serde_json::from_str(&body).unwrap();
        match answer["writes"].take() {
            Value::Array(writes) => writes,
            other => panic!("{other}"),
        }
    }

    /// Replaces PowerSchool's faults.
    #[track_caller]
    pub fn faults(&self, faults: &Value) {
        self.control("faults", faults);
    }

    /// The faults that are left.
    pub fn faults_left(&self) -> Value {
        let (status, body) = http("GET", &self.control_url("faults"), b"");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Requests that hang by a fault: `powerschool` or `hero`.
    pub fn hanging(&self, system: &str) -> u64 {
        let (status, body) = http("GET", &self.control_url("hanging"), b"");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()[system].as_u64().unwrap()
    }

    /// Replaces Hero's faults.
    #[track_caller]
    pub fn hero_faults(&self, faults: &Value) {
        self.control("hero", faults);
    }

    /// Has Hero place an attendance export of this look, of an account or of the first one.
    #[track_caller]
    pub fn hero_export(&self, account: Option<&str>, export: &Value) {
        self.ask("hero/export", &json!({"account": account, "export": export}));
    }

    /// A further account at Hero, with its user, password and folder.
    #[track_caller]
    pub fn add_hero_account(&self, name: &str, level: &str, schools: &[i64]) -> HeroAccountAccess {
        let answer = self.ask("hero/accounts", &json!({"name": name, "level": level, "schools": schools}));
        serde_json::from_value(answer).unwrap()
    }

    /// Gives Hero's running server a new host key: its fingerprint.
    #[track_caller]
    pub fn new_hero_host_key(&self) -> String {
        let keys = self.ask("hero/host-keys", &json!({"new": ["ed25519"]}));
        keys[0]["sha256"].as_str().unwrap().to_owned()
    }

    /// What Hero read of an account's files, by file name.
    pub fn hero_read(&self, username: &str) -> Value {
        let (status, body) = http("GET", &self.control_url("hero/imports"), b"");
        assert_eq!(status, 200, "{body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        let accounts = answer["accounts"].as_array().unwrap();
        accounts.iter().find(|account| account["username"] == username).unwrap()["files"].clone()
    }

    /// Asks the district for something: its answer.
    #[track_caller]
    pub fn ask(&self, what: &str, body: &Value) -> Value {
        let (status, answer) = http("POST", &self.control_url(what), body.to_string().as_bytes());
        assert_eq!(status, 200, "{answer}");
        serde_json::from_str(&answer).unwrap()
    }

    /// The mails its server got, oldest first, with lines put together again.
    pub fn mails(&self) -> Vec<String> {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(self.data().join("mail")).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let text = |path: &PathBuf| fs::read_to_string(path).unwrap();
        paths.iter().map(|path| text(path).replace("\r\n ", " ").replace("=\r\n", "")).collect()
    }

    fn control_url(&self, what: &str) -> String {
        self.ready.audit_url.replace("/audit", &format!("/control/{what}"))
    }

    #[track_caller]
    fn control(&self, what: &str, body: &Value) {
        let (status, answer) = http("POST", &self.control_url(what), body.to_string().as_bytes());
        assert_eq!(status, 204, "{answer}");
    }

    /// Changes the district's data, as its people do.
    #[track_caller]
    pub fn change(&self, changes: &Value) {
        let (status, answer) = http("POST", &self.control_url("district"), changes.to_string().as_bytes());
        assert_eq!(status, 200, "{answer}");
    }

    /// Installs a plugin, or updates the one of its name, as an administrator does. What PowerSchool then shows.
    #[track_caller]
    pub fn install(&self, plugin: &[u8]) -> Value {
        let (status, answer) = http("POST", &self.control_url("plugin"), plugin);
        assert_eq!(status, 200, "{answer}");
        serde_json::from_str(&answer).unwrap()
    }

    /// Deletes the installed plugin, and its credentials with it.
    #[track_caller]
    pub fn delete_plugin(&self) {
        let (status, answer) = http("DELETE", &self.control_url("plugin"), b"");
        assert_eq!(status, 204, "{answer}");
    }

    /// Ticks or clears the plugin's *Enable* box.
    #[track_caller]
    pub fn enable_plugin(&self, enabled: bool) {
        let body = format!("{{\"enabled\": {enabled}}}");
        let (status, answer) = http("POST", &self.control_url("plugin/enabled"), body.as_bytes());
        assert_eq!(status, 200, "{answer}");
    }

    /// PowerSchool's own tables, to look into.
    pub fn database(&self) -> Connection {
        let path = self.data().join("district.db");
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        connection.busy_timeout(Duration::from_secs(30)).unwrap();
        connection
    }
}

impl Drop for District {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(folder: &Path, date: &str, options: &[String]) -> (Child, Ready) {
    let ready = folder.join("ready.json");
    if ready.exists() {
        fs::remove_file(&ready).unwrap();
    }
    let log = folder.join("serve.log");
    let mut child = rosterbridge()
        .args(["practice", "serve", "--date", date, "--data"])
        .arg(folder.join("data"))
        .arg("--ready-file")
        .arg(&ready)
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let text = until("the practice district is ready", || {
        if let Some(status) = child.try_wait().unwrap() {
            panic!("practice serve ended with {status}: {}", fs::read_to_string(&log).unwrap());
        }
        fs::read_to_string(&ready).ok()
    });
    (child, serde_json::from_str(&text).unwrap())
}

/// One request over plain HTTP to this machine: status and body.
fn http(method: &str, url: &str, body: &[u8]) -> (u16, String) {
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )
    .unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}
