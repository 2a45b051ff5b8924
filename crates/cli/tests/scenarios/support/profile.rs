//! A profile, and what the command line answers on it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write},
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{District, rosterbridge};

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

    /// A run that holds the profile itself, and what it still has to tell of its progress. It says so once it is at
    /// work: a command that came before it would be the host, and would stay until the run is over.
    pub fn under_way(&self, arguments: &[&str]) -> (Child, BufReader<ChildStderr>) {
        let mut running = self.spawn(arguments);
        let mut progress = BufReader::new(running.stderr.take().unwrap());
        progress.read_line(&mut String::new()).unwrap();
        (running, progress)
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

    /// Has files exchanged with Raptor over an SFTP server: the second managed connection.
    pub fn use_server_for_raptor(&self, host: &str, port: u16, username: &str, folder: &str) {
        self.change_setup(|setup| {
            let connections = setup["connections"].as_array_mut().unwrap();
            connections.retain(|connection| connection["id"] != "raptor");
            connections.push(json!({
                "id": "raptor", "name": "Raptor SFTP Connection", "host": host, "port": port, "username": username,
            }));
            setup["raptor"]["connection"] = json!({"connection": "raptor", "folder": folder});
        });
    }

    pub fn set_secret(&self, name: &str, value: &str) {
        self.run_with_input(&["secrets", "set", name], value).done();
    }
}
