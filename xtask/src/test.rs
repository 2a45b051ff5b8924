//! `cargo xtask test`: everything that has to hold, in one call.

use crate::{
    cargo, faults, licences, packages,
    process::{self, StepError},
    reports::{Report, Totals},
    steps::{Failed, Steps},
    ui::Ui,
};
use std::{fs, num::NonZero, path::Path, process::Command, thread};

/// Kills whole runs of the product at moments spread over all of their time, much more often than the tests do.
pub fn soak(root: &Path, target: &Path, kills: u32, seed: u32) -> Result<(), Failed> {
    let mut steps = Steps::default();
    let scratch = target.join("xtask");
    steps.take("System packages", || packages::ensure(&[packages::BUILD, packages::KEYRING]))?;
    steps.take("cargo-nextest", || ensure_nextest(root))?;
    let command_line = || {
        let mut command = nextest(root)?;
        command.args(["--package", "rosterbridge-cli", "--test", "scenarios"]);
        Ok(command)
    };
    steps.take("Build", || process::run(command_line()?.arg("--no-run")))?;
    let faults = faults::folder(&scratch)
        .map_err(|source| Failed { step: "Folder for the fault-injection reports", source })?;
    steps.take("Soak", || {
        process::run(
            command_line()?
                .args(["--profile", "soak", "a_run_killed_at_any_moment"])
                .env("ROSTERBRIDGE_SOAK_KILLS", kills.to_string())
                .env("ROSTERBRIDGE_SOAK_SEED", seed.to_string())
                .env("ROSTERBRIDGE_FAULT_REPORTS", &faults),
        )
    })?;
    let summary =
        faults::summary(&faults).map_err(|source| Failed { step: "Fault-injection reports", source })?;
    println!("{summary}");
    Ok(())
}

/// Runs every check of the repository at `root`, and prints the totals last, also after a failure.
pub fn test(root: &Path, target: &Path) -> Result<(), Failed> {
    let mut steps = Steps::default();
    let reports = Reports::new(root, target);
    let outcome = check(root, &target.join("xtask"), &reports, &mut steps);
    steps.print_times();
    reports.print();
    outcome
}

/// Where each runner writes its totals.
struct Reports {
    ui: Report,
    rust: Report,
    browser: Report,
    window: Report,
}

impl Reports {
    fn new(root: &Path, target: &Path) -> Self {
        // nextest keeps its store in the workspace whatever the target folder is, by profile name; the
        // file's own name is in .config/nextest.toml.
        let nextest =
            |profile: &str| Report::Nextest(root.join("target/nextest").join(profile).join("junit.xml"));
        Self {
            ui: Report::Vitest(target.join("xtask/ui-tests.json")),
            rust: nextest("default"),
            browser: Report::Playwright(target.join("xtask/browser-tests.json")),
            window: nextest("window"),
        }
    }

    fn each(&self) -> [(&'static str, &Report); 4] {
        [("interface", &self.ui), ("Rust", &self.rust), ("browser", &self.browser), ("window", &self.window)]
    }

    fn print(&self) {
        let mut sum = Totals::default();
        for (name, report) in self.each() {
            match report.totals() {
                Some(totals) => {
                    println!("    {name} tests: {totals}");
                    sum += totals;
                }
                None => println!("    {name} tests: did not run"),
            }
        }
        println!("{sum}");
    }
}

fn check(root: &Path, scratch: &Path, reports: &Reports, steps: &mut Steps) -> Result<(), Failed> {
    let ui = Ui::new(root, scratch);

    steps.take("Clear earlier reports", || {
        fs::create_dir_all(scratch).map_err(|source| StepError::file(scratch.display(), source))?;
        reports.each().into_iter().try_for_each(|(_, report)| report.clear())
    })?;
    steps.take("System packages", || {
        packages::ensure(&[packages::BUILD, packages::KEYRING, packages::TESTS])
    })?;
    steps.take("cargo-nextest", || ensure_nextest(root))?;
    steps.take("Interface packages", || ui.install())?;
    steps.take("Formatting", || process::run(cargo::cargo(root).args(["fmt", "--all", "--check"])))?;
    steps.take("One TLS provider", || one_tls_provider(&root.join("Cargo.lock")))?;
    steps.take("Third-party licences", || licences::check(root))?;
    steps.take("Interface: types", || ui.check())?;
    steps.take("Interface: tests", || ui.test(reports.ui.path()))?;
    // Before anything in Rust: the desktop binary embeds it.
    steps.take("Interface: build", || ui.build())?;
    steps.take("Lints", || {
        process::run(cargo::cargo(root).args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    // This builds the two binaries as well: packages with integration tests get theirs.
    steps.take("Build the tests", || process::run(nextest(root)?.args(["--workspace", "--no-run"])))?;

    if !cfg!(target_os = "linux") {
        println!("    The vault's tests use this account's own keychain, under names of their own.");
    }
    let faults = faults::folder(scratch)
        .map_err(|source| Failed { step: "Folder for the fault-injection reports", source })?;
    steps.take("Rust tests", || {
        process::run(
            nextest(root)?
                .args(["--workspace", "--test-threads", &test_threads().to_string()])
                .env("ROSTERBRIDGE_FAULT_REPORTS", &faults),
        )
    })?;
    steps.take("Fault injection", || {
        println!("    {}", faults::summary(&faults)?);
        Ok(())
    })?;
    steps.take("Documentation examples", || {
        process::run(cargo::cargo(root).args(["test", "--doc", "--workspace", "--locked", "--quiet"]))
    })?;
    if !cfg!(target_os = "linux") {
        println!("    The browser and window tests run on Linux only: they need a keyring of their own.");
        return Ok(());
    }
    steps.take("Browser tests", || ui.end_to_end(reports.browser.path()))?;
    steps.take("Window test", || {
        let nextest = nextest(root)?;
        let mut command = Command::new("xvfb-run");
        command
            .args(["--auto-servernum", "--server-args=-screen 0 1280x900x24"])
            .arg(nextest.get_program())
            .args(nextest.get_args())
            .args(["--workspace", "--profile", "window"])
            .current_dir(root);
        for (name, value) in nextest.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        process::run(&mut command)
    })
}

/// How many tests run at once: half as many again as there are processors, because many wait for an answer that does
/// not come.
fn test_threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).saturating_mul(3).div_ceil(2)
}

/// The tests find the binaries just built, and on Linux never meet the person's own keyring.
fn nextest(root: &Path) -> Result<Command, StepError> {
    let mut command = cargo::cargo(root);
    command
        .args(["nextest", "run", "--locked"])
        .env("ROSTERBRIDGE_BIN", cargo::binary("rosterbridge")?)
        .env("ROSTERBRIDGE_DESKTOP_BIN", cargo::binary("rosterbridge-desktop")?);
    if cfg!(target_os = "linux") {
        let runner = serde_json::json!([cargo::binary("xtask")?, "run-test"]);
        command.arg("--config").arg(format!("target.'cfg(target_os = \"linux\")'.runner = {runner}"));
    }
    Ok(command)
}

/// Packages that would bring a second way to speak TLS (docs/decisions/001-rustls-with-ring.md).
const OTHER_TLS: &[&str] = &["aws-lc-rs", "aws-lc-sys", "native-tls"];

/// deny.toml says the same to people who have cargo-deny; building that for each run would cost minutes.
fn one_tls_provider(lock: &Path) -> Result<(), StepError> {
    let text = fs::read_to_string(lock).map_err(|source| StepError::file(lock.display(), source))?;
    match locked_packages(&text).find(|package| OTHER_TLS.contains(package)) {
        None => Ok(()),
        Some(package) => Err(StepError::Unmet(format!(
            "{package} is in Cargo.lock; `cargo tree -i {package}` names who brings it"
        ))),
    }
}

fn locked_packages(lock: &str) -> impl Iterator<Item = &str> {
    lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
}

/// nextest, built from source where it is not there.
pub fn ensure_nextest(root: &Path) -> Result<(), StepError> {
    if process::probe(cargo::cargo(root).args(["nextest", "--version"])).is_some() {
        println!("    It is there.");
        return Ok(());
    }
    process::run(cargo::cargo(root).args(["install", "--locked", "cargo-nextest"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_tls_provider_in_the_lock_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("Cargo.lock");
        fs::write(&lock, "[[package]]\nname = \"ring\"\nversion = \"0.17.0\"\n").unwrap();
        assert!(one_tls_provider(&lock).is_ok());

        fs::write(&lock, "[[package]]\nname = \"aws-lc-rs\"\nversion = \"1.0.0\"\n").unwrap();
        assert!(one_tls_provider(&lock).unwrap_err().to_string().contains("aws-lc-rs"));
    }
}
