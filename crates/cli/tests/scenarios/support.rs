//! A practice district, a profile, and what should be in PowerSchool in the end.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};
use rosterbridge_practice::Ready;
use rusqlite::{Connection, OpenFlags, named_params};
use serde_json::Value;
use tempfile::TempDir;

/// A Wednesday in session, so that nothing depends on the day the tests run.
pub const DATE: &str = "2026-11-18";

/// How long anything may take before a test gives up. Never reached by a healthy run.
const PATIENCE: Duration = Duration::from_mins(2);

/// The three files in the order Hero's procedure lists them.
pub const EXPORTS: [&str; 3] = ["hero-students", "hero-schedule", "hero-teachers"];

/// Our own binary.
pub fn rosterbridge() -> Command {
    Command::new(env!("CARGO_BIN_EXE_rosterbridge"))
}

/// Looks again and again until `condition` gives something.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

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

/// What a command answered.
#[derive(Debug)]
pub struct Output {
    pub exit: i32,
    pub document: Value,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Checks the part of the contract that holds for every document, and takes it apart.
    #[track_caller]
    pub fn of(output: &std::process::Output) -> Self {
        let stdout = String::from_utf8(output.stdout.clone()).unwrap();
        let stderr = String::from_utf8(output.stderr.clone()).unwrap();
        let document: Value = serde_json::from_str(&stdout)
            .unwrap_or_else(|error| panic!("not exactly one document: {error}\n{stdout}\n{stderr}"));
        let fields: Vec<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["code", "data", "message", "ok", "remedy", "schema"], "{stdout}");
        assert_eq!(document["schema"], 1);
        assert!(!document["message"].as_str().unwrap().is_empty(), "{stdout}");
        let exit = output.status.code().unwrap_or_else(|| panic!("ended by {}", output.status));
        if document["ok"] == false {
            assert_ne!(exit, 0, "{stdout}");
            assert!(!document["remedy"].as_str().unwrap().is_empty(), "a failure without a remedy: {stdout}");
        }
        Self { exit, document, stdout, stderr }
    }

    pub fn code(&self) -> &str {
        self.document["code"].as_str().unwrap()
    }

    pub fn data(&self) -> &Value {
        &self.document["data"]
    }

    /// A job's report in a `sync` document.
    #[track_caller]
    pub fn job(&self, job: &str) -> &Value {
        let jobs = self.data()["jobs"].as_array().unwrap_or_else(|| panic!("{}", self.stdout));
        jobs.iter().find(|report| report["job"] == job).unwrap_or_else(|| panic!("no {job}: {}", self.stdout))
    }

    /// Checks exit code and stable code.
    #[track_caller]
    pub fn ended(self, exit: i32, code: &str) -> Self {
        assert_eq!((self.exit, self.code()), (exit, code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn done(self) -> Self {
        self.ended(0, "ok")
    }
}

/// A profile in a home of its own.
pub struct Profile {
    home: TempDir,
    /// What no output may ever show.
    secrets: Vec<String>,
}

impl Profile {
    /// One that is still to be made.
    pub fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), secrets: Vec::new() }
    }

    /// One that has been made, with nothing in it.
    pub fn fresh() -> Self {
        let profile = Self::new();
        profile.run(&["handover", "key"]).done();
        profile
    }

    /// A profile that is set up for the district.
    pub fn of(district: &District) -> Self {
        Self::importing(district, &[])
    }

    /// As [`Profile::of`], with further options of `setup import`.
    pub fn importing(district: &District, options: &[&str]) -> Self {
        let mut profile = Self::new();
        profile.secrets =
            vec![district.ready.powerschool.client_secret.clone(), district.ready.hero.password.clone()];
        let ready = district.ready_file();
        let import = ["setup", "import", "--practice", ready.to_str().unwrap()];
        profile.run(&[import.as_slice(), options].concat()).done();
        profile
    }

    /// As [`Profile::of`], but PowerSchool has to answer within so many seconds, and an unclear write is looked up
    /// as many seconds later.
    pub fn patient_for(district: &District, seconds: u32) -> Self {
        let profile = Self::of(district);
        profile.change_setup(|setup| setup["powerschool"]["answer_seconds"] = seconds.into());
        profile
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The command line on this profile.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = rosterbridge();
        command.arg("--home").arg(self.home.path()).args(["--profile", "practice", "--json"]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.checked(&self.command(arguments).output().unwrap())
    }

    /// As [`Profile::run`], with `input` on standard input.
    #[track_caller]
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        self.checked(&child.wait_with_output().unwrap())
    }

    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// Waits for a spawned command.
    #[track_caller]
    pub fn finish(&self, child: Child) -> Output {
        self.checked(&child.wait_with_output().unwrap())
    }

    #[track_caller]
    fn checked(&self, output: &std::process::Output) -> Output {
        let output = Output::of(output);
        for secret in &self.secrets {
            assert!(!output.stdout.contains(secret) && !output.stderr.contains(secret), "a secret shows");
        }
        output
    }

    /// Everything configured, as the setup file has it.
    pub fn setup(&self) -> Value {
        let file = self.home.path().join("exported.json");
        self.run(&["setup", "export", file.to_str().unwrap()]).done();
        let text = fs::read_to_string(file).unwrap();
        for secret in &self.secrets {
            assert!(!text.contains(secret), "a secret is in the setup file");
        }
        serde_json::from_str(&text).unwrap()
    }

    /// Exports the set-up, lets `change` edit it and imports it again.
    pub fn change_setup(&self, change: impl FnOnce(&mut Value)) {
        let mut setup = self.setup();
        change(&mut setup);
        let file = self.home.path().join("changed.json");
        fs::write(&file, setup.to_string()).unwrap();
        self.run(&["setup", "import", file.to_str().unwrap()]).done();
    }

    pub fn set_secret(&self, name: &str, value: &str) {
        self.run_with_input(&["secrets", "set", name], value).done();
    }
}

/// What an attendance record is about, in PowerSchool's columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub student: i64,
    pub school: i64,
    pub date: String,
    pub mode: String,
    pub cc: i64,
    pub period: i64,
}

/// Records with the id of the code they should have.
pub type Records = BTreeMap<Key, i64>;

/// PowerSchool: school year start - 1990.
fn year_of(date: NaiveDate) -> i64 {
    i64::from(date.year()) - if date.month() >= 7 { 1990 } else { 1991 }
}

impl District {
    /// The records Hero's export asks for, worked out from the district's tables alone.
    pub fn hero_records(&self) -> Records {
        let database = self.database();
        let mut find = database
            .prepare(
                "SELECT s.ID, sec.Att_Mode_Code, c.ID, p.ID, ac.ID
                   FROM Students s
                   JOIN CC c ON c.StudentID = s.ID AND c.SchoolID = :school AND c.Course_Number = :course
                        AND c.Section_Number = :section AND c.DateEnrolled <= :date AND c.DateLeft > :date
                   JOIN Sections sec ON sec.ID = ABS(c.SectionID)
                   JOIN Period p ON p.SchoolID = :school AND p.Year_ID = :year AND p.Abbreviation = :period
                   JOIN Attendance_Code ac ON ac.SchoolID = :school AND ac.YearID = :year AND ac.Att_Code = :code
                  WHERE s.Student_Number = :student",
            )
            .unwrap();
        let text = fs::read_to_string(self.hero("export/ATTENDANCE.txt")).unwrap();
        text.lines()
            .map(|line| {
                let fields: Vec<&str> = line.split('\t').collect();
                let [school, student, course, section, date, code, period] = fields[..] else {
                    panic!("{line}")
                };
                let school: i64 = school.parse().unwrap();
                let student: i64 = student.parse().unwrap();
                let date = NaiveDate::parse_from_str(date, "%m/%d/%Y").unwrap();
                find.query_one(
                    named_params! {
                        ":school": school, ":student": student, ":course": course, ":section": section,
                        ":date": date.to_string(), ":year": year_of(date), ":code": code, ":period": period,
                    },
                    |row| {
                        let mode: String = row.get(1)?;
                        let daily = mode == "ATT_ModeDaily";
                        let key = Key {
                            student: row.get(0)?,
                            school,
                            date: date.to_string(),
                            cc: if daily { 0 } else { row.get(2)? },
                            period: if daily { 0 } else { row.get(3)? },
                            mode,
                        };
                        Ok((key, row.get(4)?))
                    },
                )
                .unwrap()
            })
            .collect()
    }

    /// The records a file of Raptor's asks for under the set-up's mappings, worked out from the district's tables
    /// alone.
    pub fn raptor_records(&self, file: &Path, setup: &Value) -> Records {
        let database = self.database();
        let mut daily = database
            .prepare(
                "SELECT s.ID, s.SchoolID, 0, 0, ac.ID FROM Students s
                   JOIN Attendance_Code ac ON ac.SchoolID = s.SchoolID AND ac.YearID = :year AND ac.Att_Code = :code
                  WHERE s.Student_Number = :student AND :school > 0 AND :date <> '' AND :at > 0",
            )
            .unwrap();
        let mut meeting = database
            .prepare(
                "SELECT s.ID, c.SchoolID, c.ID, p.ID, ac.ID FROM Students s
                   JOIN CC c ON c.StudentID = s.ID AND c.SchoolID = :school
                        AND c.DateEnrolled <= :date AND c.DateLeft > :date
                   JOIN Calendar_Day d ON d.SchoolID = c.SchoolID AND d.Date_Value = :date
                   JOIN Cycle_Day cd ON cd.ID = d.Cycle_Day_ID
                   JOIN Section_Meeting m ON m.SectionID = ABS(c.SectionID) AND m.Cycle_Day_Letter = cd.Letter
                   JOIN Period p ON p.SchoolID = c.SchoolID AND p.Year_ID = :year
                        AND p.Period_Number = m.Period_Number
                   JOIN Bell_Schedule_Items b ON b.Bell_Schedule_ID = d.Bell_Schedule_ID AND b.Period_ID = p.ID
                        AND b.Start_Time <= :at AND b.End_Time > :at
                   JOIN Attendance_Code ac ON ac.SchoolID = c.SchoolID AND ac.YearID = :year AND ac.Att_Code = :code
                  WHERE s.Student_Number = :student",
            )
            .unwrap();
        let mut records = Records::new();
        for row in csv::Reader::from_path(file).unwrap().records() {
            let row = row.unwrap();
            let building = setup["mappings"]["buildings"]
                .as_array()
                .unwrap()
                .iter()
                .find(|mapping| mapping["building"] == row[0])
                .unwrap();
            let code = setup["mappings"]["tardy_codes"]
                .as_array()
                .unwrap()
                .iter()
                .find(|mapping| mapping["reason"] == row[3])
                .unwrap();
            let at: NaiveDateTime = row[2].parse().unwrap();
            let (mode, statement) = match building["method"].as_str().unwrap() {
                "daily" => ("ATT_ModeDaily", &mut daily),
                _ => ("ATT_ModeMeeting", &mut meeting),
            };
            let (key, code) = statement
                .query_one(
                    named_params! {
                        ":student": row[1].parse::<i64>().unwrap(), ":school": building["school"].as_i64(),
                        ":date": at.date().to_string(), ":year": year_of(at.date()),
                        ":at": at.time().num_seconds_from_midnight(), ":code": code["code"].as_str(),
                    },
                    |found| {
                        let key = Key {
                            student: found.get(0)?,
                            school: found.get(1)?,
                            date: at.date().to_string(),
                            mode: mode.to_owned(),
                            cc: found.get(2)?,
                            period: found.get(3)?,
                        };
                        Ok((key, found.get(4)?))
                    },
                )
                .unwrap();
            records.insert(key, code);
        }
        records
    }

    /// Everything the day asks for: Hero's export and Raptor's tardies, wherever that file is now.
    pub fn day(&self, setup: &Value) -> Records {
        let mut records = self.hero_records();
        let tardies = self.tardies();
        let processed = self.raptor(&format!("processed/tardies-{DATE}.csv"));
        records.extend(self.raptor_records(if tardies.exists() { &tardies } else { &processed }, setup));
        records
    }

    /// Checks that PowerSchool holds each record exactly once, with its code, and that nothing else was ever
    /// written, nor anything twice.
    #[track_caller]
    pub fn holds_each_once(&self, expected: &Records) {
        assert!(!expected.is_empty());
        let mut accepted = Vec::new();
        for write in self.audit() {
            let number = |name: &str| write[name].as_i64().unwrap();
            let text = |name: &str| write[name].as_str().unwrap().to_owned();
            let key = Key {
                student: number("studentid"),
                school: number("schoolid"),
                date: text("att_date"),
                mode: text("att_mode_code"),
                cc: number("ccid"),
                period: number("periodid"),
            };
            accepted.push((key, number("attendance_codeid")));
        }
        accepted.sort();
        let expected_writes: Vec<(Key, i64)> =
            expected.iter().map(|(key, code)| (key.clone(), *code)).collect();
        assert_eq!(accepted, expected_writes, "the audit log differs from what the day asks for");

        let database = self.database();
        let mut held = database
            .prepare(
                "SELECT Attendance_CodeID FROM Attendance WHERE StudentID = ?1 AND SchoolID = ?2 AND Att_Date = ?3
                    AND Att_Mode_Code = ?4 AND CCID = ?5 AND PeriodID = ?6 AND ProgramID = 0",
            )
            .unwrap();
        for (key, code) in expected {
            let codes: Vec<i64> = held
                .query_map((key.student, key.school, &key.date, &key.mode, key.cc, key.period), |row| {
                    row.get(0)
                })
                .unwrap()
                .map(Result::unwrap)
                .collect();
            assert_eq!(codes, [*code], "{key:?}");
        }
    }

    /// Checks that nothing went anywhere and Raptor's file waits.
    #[track_caller]
    pub fn is_untouched(&self) {
        assert_eq!(self.audit(), Vec::<Value>::new());
        assert_eq!(files_in(&self.hero("imports")), Vec::<String>::new());
        assert!(!self.raptor("roster").exists());
        assert!(self.tardies().exists());
    }
}

/// The names in a folder, sorted; none when there is no folder.
pub fn files_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every file below a folder, at any depth.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

/// Copies a folder with all that is in it, but for sockets. `to` may exist.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (kind, target) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy_tree(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
