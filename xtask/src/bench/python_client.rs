//! The PyPI client `powerschool`, in an environment of its own.

use super::{
    downloads::{Downloads, PagedTable},
    empty,
    powerschool::Site,
};
use crate::process::{self, StepError};
use serde::Deserialize;
use serde_json::json;
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

/// The release measured.
const PACKAGE: &str = "powerschool==4.0.1";
const SCRIPT: &str = include_str!("powerschool_client.py");
/// Pages the client is measured on by pages: it reads one after the other, so the others take as long each.
const PAGES: u64 = 500;

/// The client, installed.
pub struct PythonClient {
    python: PathBuf,
    folder: PathBuf,
}

impl PythonClient {
    /// What [`PythonClient::pages`] measures.
    pub const PAGES_FIGURE: &str = "peer: Python, paged path, 20 ms, scaled from its first 500 pages";

    /// Makes an environment in `folder` and installs the client from PyPI into it.
    pub fn install(folder: &Path) -> Result<Self, StepError> {
        let python = folder.join("bin").join("python");
        let installed =
            |python: &Path| process::probe(Command::new(python).args(["-c", "import powerschool"]));
        if installed(&python).is_none() {
            empty(folder)?;
            process::run(Command::new("python3").args(["-m", "venv"]).arg(folder).stdout(std::io::stderr()))?;
            let mut pip = Command::new(&python);
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]);
            process::run(pip.stdout(std::io::stderr()))?;
        }
        let client = Self { python, folder: folder.to_owned() };
        let script = client.script();
        fs::write(&script, SCRIPT).map_err(|source| StepError::file(script.display(), source))?;
        Ok(client)
    }

    /// Seconds for both queries, each in one answer.
    pub fn queries(&self, site: &Site, downloads: &Downloads) -> Result<f64, StepError> {
        let job = json!({"queries": downloads.queries, "tables": []});
        self.run(site, &job, downloads.rows)
    }

    /// Seconds for all pages, from those of the first ones. The seconds before the first page, which are the same
    /// however many follow, are counted in full.
    pub fn pages(&self, site: &Site, downloads: &Downloads) -> Result<f64, StepError> {
        let tables = |pages: u64| -> serde_json::Value {
            downloads
                .tables
                .iter()
                .filter(|table| table.pages > 0)
                .map(|PagedTable { name, projection, filter, sort, pages: all }| {
                    let part = (all * pages).div_ceil(downloads.pages.max(1));
                    json!({"name": name, "projection": projection, "q": filter, "sort": sort, "pages": part})
                })
                .collect()
        };
        let part = tables(PAGES.min(downloads.pages));
        let read: u64 =
            part.as_array().into_iter().flatten().filter_map(|table| table["pages"].as_u64()).sum();
        let job = json!({"queries": [], "tables": part});
        let started = self.run(site, &json!({"queries": [], "tables": []}), 0)?;
        let seconds = self.run(site, &job, 1)?;
        #[expect(clippy::cast_precision_loss, reason = "a few thousand pages")]
        let scale = downloads.pages as f64 / read.max(1) as f64;
        Ok(started + (seconds - started) * scale)
    }

    fn script(&self) -> PathBuf {
        self.folder.join("powerschool_client.py")
    }

    /// Runs a job in a process of its own; it must come to at least `rows`.
    fn run(&self, site: &Site, job: &serde_json::Value, rows: u64) -> Result<f64, StepError> {
        #[derive(Deserialize)]
        struct Collected {
            rows: u64,
        }

        let path = self.folder.join("job.json");
        fs::write(&path, job.to_string()).map_err(|source| StepError::file(path.display(), source))?;
        let powerschool = &site.ready.powerschool;
        let host = powerschool.url.trim_start_matches("https://").trim_end_matches('/');
        let mut python = Command::new(&self.python);
        python.arg(self.script()).args([host, &powerschool.client_id]).arg(path);
        python.env("REQUESTS_CA_BUNDLE", &site.authority).env("NO_PROXY", "*");
        let (seconds, output) = with_secret(&mut python, &powerschool.client_secret)?;
        let collected: Collected = process::parse("the Python client's result", &output)?;
        if collected.rows < rows {
            return Err(StepError::Unmet(format!(
                "the Python client collected {} of {rows} rows",
                collected.rows
            )));
        }
        Ok(seconds)
    }
}

/// Runs a program that reads a secret from standard input; its seconds, and what it printed.
pub fn with_secret(command: &mut Command, secret: &str) -> Result<(f64, Vec<u8>), StepError> {
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| StepError::Start { program: command_name(command), source })?;
    if let Some(mut input) = child.stdin.take() {
        // A program that ended early says why by its status.
        let _ = writeln!(input, "{secret}");
    }
    let output = child
        .wait_with_output()
        .map_err(|source| StepError::Start { program: command_name(command), source })?;
    let seconds = started.elapsed().as_secs_f64();
    if output.status.success() {
        Ok((seconds, output.stdout))
    } else {
        Err(StepError::Failed { command: process::line(command), status: output.status })
    }
}

fn command_name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}
