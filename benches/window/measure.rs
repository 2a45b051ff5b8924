//! What is measured, through WebKit's driver, and how.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use fantoccini::{
    Client, Locator,
    actions::{InputSource as _, KeyAction, KeyActions},
    elements::Element,
    key::Key,
};
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use crate::{
    BARE,
    driver::{Driver, PATIENCE},
};

/// The name of every profile, as `cargo xtask bench` makes it.
const PROFILE: &str = "bench";
/// Counted launches of each window; one more of each goes before.
const LAUNCHES: usize = 10;
/// Counted openings of each list, each in a window of its own.
const OPENINGS: usize = 5;
/// Keys pressed in each window while the processor is busy, one after the other at this pace: a person who holds one down.
const KEYS: usize = 150;
const PACE: Duration = Duration::from_millis(30);
/// Rounds of that.
const ROUNDS: usize = 5;
/// Until a window that can be used has drawn itself and holds what it will hold. At the first moment that it can be used, a
/// bare one has drawn itself in one launch and not in the next, 20 MB apart.
const SETTLED: Duration = Duration::from_secs(2);
/// Ticks of a second in which /proc tells when a process began (`USER_HZ`: 100 on x86-64 and ARM).
const TICKS: f64 = 100.0;

/// Answers the wall clock's milliseconds at which the window could be used.
const READY: &str = "const answer = arguments[0];
const look = () => {
    const [mark] = performance.getEntriesByName('ready');
    if (mark) answer(performance.timeOrigin + mark.startTime); else setTimeout(look, 5);
};
look();";

/// From now on, notes for each key how many milliseconds passed until the frame after it was handed over. The focus is on
/// an element that has others before and behind it.
const WATCH_KEYS: &str = "window.taken = [];
document.querySelector(arguments[0]).focus();
addEventListener('keydown', (event) => {
    if (event.key === 'Shift') return;
    const began = event.timeStamp;
    requestAnimationFrame(() => {
        const after = new MessageChannel();
        after.port1.onmessage = () => window.taken.push(performance.now() - began);
        after.port2.postMessage(null);
    });
}, true);";

/// Answers what was noted, once the last key's frame is over.
const KEYS_TAKEN: &str = "const answer = arguments[0];
requestAnimationFrame(() => setTimeout(() => answer(window.taken), 100));";

/// Answers once a run says that it reads students.
const STUDENTS_COME: &str = "const answer = arguments[0];
const look = () => {
    const panel = document.querySelector(`[data-testid='run-panel']`);
    if (panel?.textContent.includes('students')) answer(0); else setTimeout(look, 5);
};
look();";

/// Opens the list of rows as a person does, and answers how many milliseconds passed until its first rows were drawn.
const OPEN_ROWS: &str = "const answer = arguments[0];
const part = (id) => document.querySelector(`[data-testid='${id}']`);
const began = performance.now();
const look = (id, then) => { const found = part(id); if (found) then(found); else requestAnimationFrame(() => look(id, then)); };
part('nav-activity').click();
look('tab-records', (tab) => { tab.dispatchEvent(new MouseEvent('pointerdown', { bubbles: true })); tab.click();
    look('trace-row', () => requestAnimationFrame(() => answer(performance.now() - began))); });";

/// What `cargo xtask bench window` names.
struct Arguments {
    /// The product's window, as it is shipped.
    desktop: PathBuf,
    /// The command line, as it is shipped.
    rosterbridge: PathBuf,
    /// A home whose profile has 100 rows, and one with 100,000.
    few: PathBuf,
    many: PathBuf,
    /// Homes of a large district: the window's, and the command line's beside the bare window.
    large: PathBuf,
    beside: PathBuf,
}

impl Arguments {
    fn read() -> Self {
        let mut arguments = env::args_os().skip(1).filter(|argument| argument != "--bench");
        let mut next =
            || PathBuf::from(arguments.next().expect("six paths, as `cargo xtask bench window` gives them"));
        Self {
            desktop: next(),
            rosterbridge: next(),
            few: next(),
            many: next(),
            large: next(),
            beside: next(),
        }
    }
}

/// An open window.
struct Open {
    client: Client,
    driver: Driver,
    _settings: tempfile::TempDir,
}

impl Open {
    async fn start(program: &Path, arguments: &[&OsStr]) -> Self {
        let settings = tempfile::tempdir().unwrap();
        let driver = Driver::start(settings.path());
        let client = driver.open(program, arguments).await;
        Self { client, driver, _settings: settings }
    }

    /// The product's window on the profile of a home.
    async fn ours(desktop: &Path, home: &Path) -> Self {
        let profile = ["--quit-on-close", "--profile", PROFILE, "--home"].map(OsStr::new);
        Self::start(desktop, &[&profile[..], &[home.as_os_str()]].concat()).await
    }

    async fn bare() -> Self {
        Self::start(&env::current_exe().unwrap(), &[OsStr::new(BARE)]).await
    }

    /// Milliseconds from the process's beginning until the window could be used.
    async fn launched(&self) -> f64 {
        let ready = self.ask(READY).await;
        ready - began(self.process())
    }

    /// The program the driver started.
    fn process(&self) -> u32 {
        children(self.driver.process.id()).into_iter().next().expect("the driver has started a program")
    }

    /// Memory of the process that draws the page: proportional set, MB of a million bytes.
    fn memory(&self) -> f64 {
        let mut below = vec![self.process()];
        let mut sum = 0.0;
        while let Some(process) = below.pop() {
            below.extend(children(process));
            let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
            if name.starts_with("WebKitWebProces") {
                sum += proportional_set(process);
            }
        }
        assert!(sum > 0.0, "no process draws the page");
        sum
    }

    async fn ask(&self, script: &str) -> f64 {
        let answer = self.client.execute_async(script, Vec::new()).await.unwrap();
        answer.as_f64().expect("a number")
    }

    async fn find(&self, selector: &str) -> Element {
        self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await.unwrap()
    }

    /// Presses Tab and Shift+Tab in turns, from the element `from` on; how long each took until its frame, milliseconds.
    async fn keys(&self, from: &str) -> Vec<f64> {
        self.client.execute(WATCH_KEYS, vec![json!(from)]).await.unwrap();
        let (tab, shift) = (char::from(Key::Tab), char::from(Key::Shift));
        let press =
            |key: KeyActions| key.then(KeyAction::Down { value: tab }).then(KeyAction::Up { value: tab });
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for number in 0..KEYS {
            pace.tick().await;
            let keyboard = KeyActions::new("keyboard".to_owned());
            let actions = if number % 2 == 0 {
                press(keyboard)
            } else {
                press(keyboard.then(KeyAction::Down { value: shift })).then(KeyAction::Up { value: shift })
            };
            self.client.perform_actions(actions).await.unwrap();
        }
        let taken = self.client.execute_async(KEYS_TAKEN, Vec::new()).await.unwrap();
        let taken: Vec<f64> = taken.as_array().unwrap().iter().filter_map(Value::as_f64).collect();
        assert!(taken.len() * 10 >= KEYS * 9, "{} of {KEYS} keys arrived", taken.len());
        taken
    }

    /// Comes back once the program has ended: a second start would meet the first one still ending.
    async fn close(self) {
        let process = Path::new("/proc").join(self.process().to_string()).join("cmdline");
        // Empty once it has ended, also where its end has not been asked for yet.
        let runs = || fs::read(&process).is_ok_and(|line| !line.is_empty());
        self.client.clone().close().await.unwrap();
        let started = Instant::now();
        while runs() {
            assert!(started.elapsed() < PATIENCE, "the program does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Measures all, and prints it.
pub(crate) fn all() {
    let arguments = Arguments::read();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let measured = runtime.block_on(async {
        let (launch, memory) = launches(&arguments).await;
        json!({
            "launch": launch,
            "memory": memory,
            "rows": rows(&arguments).await,
            "keys": busy(&arguments).await,
        })
    });
    println!("{measured}");
}

/// Launch in milliseconds and memory of the page, each ours and bare in turn.
async fn launches(arguments: &Arguments) -> (Value, Value) {
    let (mut launch, mut memory) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for round in 0..=LAUNCHES {
        for (which, bare) in [false, true].into_iter().enumerate() {
            let window =
                if bare { Open::bare().await } else { Open::ours(&arguments.desktop, &arguments.few).await };
            let millis = window.launched().await;
            tokio::time::sleep(SETTLED).await;
            let megabytes = window.memory();
            window.close().await;
            eprintln!(
                "    launch {round}, {}: {millis:.0} ms, {megabytes:.0} MB",
                if bare { "bare" } else { "ours" }
            );
            if round > 0 {
                launch[which].push(millis);
                memory[which].push(megabytes);
            }
        }
    }
    (pair(&launch), pair(&memory))
}

/// Opening the list of many rows and of few.
async fn rows(arguments: &Arguments) -> Value {
    let mut taken = [Vec::new(), Vec::new()];
    for round in 0..=OPENINGS {
        for (which, home) in [&arguments.many, &arguments.few].into_iter().enumerate() {
            let window = Open::ours(&arguments.desktop, home).await;
            window.launched().await;
            let millis = window.ask(OPEN_ROWS).await;
            window.close().await;
            eprintln!("    rows {round}, {}: {millis:.0} ms", home.display());
            if round > 0 {
                taken[which].push(millis);
            }
        }
    }
    pair(&taken)
}

/// The 95th percentile of keys while a whole roster is read: in the window that reads it, and in the bare one while the
/// command line does the same. Both from when the first students have come.
async fn busy(arguments: &Arguments) -> Value {
    let mut taken = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        forget_roster(&arguments.large);
        let window = Open::ours(&arguments.desktop, &arguments.large).await;
        window.launched().await;
        // Reads the roster as any run does, and asks nothing first, whatever the hour.
        window.find("[data-testid='dry-run']").await.click().await.unwrap();
        window.ask(STUDENTS_COME).await;
        let ours = percentile(window.keys("[data-testid='nav-activity']").await);
        // Keys after the run's end would meet an idle machine.
        let over = window.client.find(Locator::Css("[data-testid='run-outcome']")).await.is_ok();
        assert!(!over, "the run was over before the last key: the district is too small for this machine");
        window.close().await;

        forget_roster(&arguments.beside);
        let window = Open::bare().await;
        window.launched().await;
        let mut load = Load::start(arguments);
        let bare = percentile(window.keys("[data-testid='run-now']").await);
        assert!(
            load.runs(),
            "the run was over before the last key: the district is too small for this machine"
        );
        drop(load);
        window.close().await;
        eprintln!("    keys {round}: ours {ours:.1} ms, bare {bare:.1} ms");
        taken[0].push(ours);
        taken[1].push(bare);
    }
    pair(&taken)
}

/// The command line reading a whole roster, ended with this.
struct Load(Child);

impl Load {
    /// Comes back once it says that it reads students.
    fn start(arguments: &Arguments) -> Self {
        let mut command = Command::new(&arguments.rosterbridge);
        command.arg("--home").arg(&arguments.beside).args(["--profile", PROFILE, "sync", "--dry-run"]);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap()).lines();
        let students = said.any(|line| line.unwrap().contains("reading students"));
        assert!(students, "the command line ended before it read students");
        // It waits where nobody takes what it says.
        thread::spawn(move || said.for_each(drop));
        Self(process)
    }

    fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has the next run read the whole roster: what is removed is a cache.
fn forget_roster(home: &Path) {
    let _ = fs::remove_file(home.join("profiles").join(PROFILE).join("roster.db"));
}

fn pair(of: &[Vec<f64>; 2]) -> Value {
    json!({ "ours": of[0], "peer": of[1] })
}

/// The 95th percentile.
fn percentile(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * 95).div_ceil(100) - 1]
}

/// The processes a process has started and that live.
fn children(process: u32) -> Vec<u32> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|other| stat(*other).and_then(|fields| fields.get(1)?.parse().ok()) == Some(process))
        .collect()
}

/// The fields of `/proc/PID/stat` behind the program's name, which may hold anything: its state first.
fn stat(process: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

/// When a process began, in milliseconds of the wall clock.
fn began(process: u32) -> f64 {
    // Field 22 of proc(5), counted from the name.
    let ticks: f64 =
        stat(process).and_then(|fields| fields.get(19)?.parse().ok()).expect("proc(5)'s starttime");
    let up = fs::read_to_string("/proc/uptime").unwrap();
    let up: f64 = up.split_whitespace().next().unwrap().parse().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64();
    (now - up + ticks / TICKS) * 1000.0
}

/// `Pss` of a process, MB of a million bytes.
fn proportional_set(process: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).expect("proc(5)'s Pss");
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
    kibibytes * 1024.0 / 1_000_000.0
}
