//! `cargo xtask cross`: what a Linux machine can prove about Windows and macOS.
//!
//! Debian's own compiler builds for both, because it comes with the source of the standard library; the library is built
//! once for each of them and kept outside the clone, as is OpenSSL. Windows programs run under Wine. macOS is compiled and
//! linted, never linked: nothing here can run it.

mod compiler;
mod main_job;
mod openssl;
mod stand_ins;
mod standard_library;
mod wine;

use crate::{
    cargo, packages,
    process::{self, StepError},
    reports::{Report, Totals},
    steps::{Failed, Steps},
    test::ensure_nextest,
    ui::Ui,
};
use compiler::Compiler;
use main_job::Program;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};
use wine::Wine;

/// The system most users have. Microsoft's own compiler would need Microsoft's libraries.
const WINDOWS: &str = "x86_64-pc-windows-gnu";

/// Every Mac sold since 2020.
const MACOS: &str = "aarch64-apple-darwin";

/// The package that needs a window, and with it WebView2, which Wine has not.
const DESKTOP: &str = "rosterbridge-desktop";

/// Builds and tests the repository at `root` for Windows, and checks it for macOS. With `full` the desktop app is linked
/// for Windows too.
pub fn cross(root: &Path, target: &Path, full: bool) -> Result<(), Failed> {
    let mut steps = Steps::default();
    let report = report(root);
    let outcome = check(root, target, full, &report, &mut steps);
    steps.print_times();
    match report.totals() {
        Some(totals) => println!("    Windows tests under Wine: {totals}\n{totals}"),
        None => println!("    Windows tests under Wine: did not run\n{}", Totals::default()),
    }
    outcome
}

/// Where nextest puts the totals of the tests under Wine; the file's own name is in .config/nextest.toml.
fn report(root: &Path) -> Report {
    Report::Nextest(root.join("target/nextest/wine/junit.xml"))
}

fn check(root: &Path, target: &Path, full: bool, report: &Report, steps: &mut Steps) -> Result<(), Failed> {
    let cache = steps.take("Kept from earlier runs", || {
        report.clear()?;
        let folder = cache_folder()?;
        fs::create_dir_all(&folder).map_err(|source| StepError::file(folder.display(), source))?;
        println!("    {}", folder.display());
        Ok(folder)
    })?;
    steps.take("System packages", || {
        if !cfg!(target_os = "linux") {
            return Err(StepError::Unmet("this is for Linux: it stands in for the other two".to_owned()));
        }
        packages::ensure(&[packages::BUILD, packages::COMMAND_LINE, packages::CROSS, packages::KEYRING])?;
        ensure_nextest(root)
    })?;
    let mut compiler = steps.take("Compiler", || Compiler::find(root, &target.join("cross")))?;
    for system in [WINDOWS, MACOS] {
        steps.take(standard_library_step(system), || {
            let sysroot = standard_library::ensure(&compiler, &cache, system)?;
            compiler.use_sysroot(system, &sysroot);
            Ok(())
        })?;
    }
    steps.take("OpenSSL for Windows", || {
        let folder = openssl::ensure(&compiler, root, &cache, WINDOWS)?;
        compiler.use_openssl(WINDOWS, &folder);
        Ok(())
    })?;
    steps.take("Stand-ins for Apple's tools", || stand_ins::ensure(&mut compiler, &cache, MACOS))?;
    let wine = steps.take("Wine", || Wine::start(&cache))?;
    compiler.run_with(WINDOWS, &Wine::program());

    let without_window = ["--workspace", "--exclude", DESKTOP, "--exclude", "xtask"];
    steps.take("Windows: tests under Wine", || {
        let mut nextest = compiler.subcommand("nextest");
        nextest.args(["run", "--locked", "--profile", "wine", "--target", WINDOWS]).args(without_window);
        process::run(wine.apply(&mut nextest))
    })?;
    // The tests' build has made the Windows program; this system's serves the districts of both.
    let ui = Ui::new(root, &target.join("xtask"));
    steps.take("Interface", || ui.install().and_then(|()| ui.build()))?;
    steps.take("The same program for this system", || cargo::binaries(root))?;
    steps.take("Windows: the main job, as on this system", || {
        let here = cargo::binary("rosterbridge")?;
        let windows = compiler.target().join(WINDOWS).join("debug/rosterbridge.exe");
        let exchange = |name: &str, program: Program| {
            let left = main_job::exchange(&here, &program, &target.join("xtask").join(name))?;
            println!("    {name}: {}", left.summary());
            Ok(left)
        };
        let ours = exchange("main-job-here", Program::Here(&here))?;
        let theirs = exchange("main-job-windows", Program::Windows(&windows, &wine))?;
        match ours.difference(&theirs) {
            None => Ok(()),
            Some(what) => Err(StepError::Unmet(format!("Windows and this system differ in {what}"))),
        }
    })?;
    let lint = |system: &str, packages: &[&str]| {
        let mut clippy = compiler.clippy();
        clippy.args(packages).args(["--all-targets", "--locked", "--target", system, "--", "-D", "warnings"]);
        process::run(&mut clippy)
    };
    steps.take("Windows: lints of the desktop app", || lint(WINDOWS, &["--package", DESKTOP]))?;
    steps.take("macOS: lints", || lint(MACOS, &["--workspace"]))?;
    if full {
        steps.take("Windows: link the desktop app", || {
            let mut build = compiler.cargo();
            build.args(["build", "--locked", "--target", WINDOWS, "--package", DESKTOP]);
            process::run(&mut build)
        })?;
    }
    Ok(())
}

fn standard_library_step(system: &str) -> &'static str {
    if system == WINDOWS { "Standard library for Windows" } else { "Standard library for macOS" }
}

/// What is built once for all clones: `ROSTERBRIDGE_CROSS_CACHE`, else in the person's own cache folder.
fn cache_folder() -> Result<PathBuf, StepError> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("ROSTERBRIDGE_CROSS_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("rosterbridge-cross")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/rosterbridge-cross")))
        .ok_or_else(|| StepError::Unmet("neither HOME nor ROSTERBRIDGE_CROSS_CACHE is set".to_owned()))
}

/// A folder that takes its name only when it is complete: an attempt that was stopped leaves nothing that looks done.
fn made_whole(folder: &Path, make: impl FnOnce(&Path) -> Result<(), StepError>) -> Result<(), StepError> {
    let file_error = |source| StepError::file(folder.display(), source);
    if folder.exists() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(folder);
    fs::create_dir_all(parent).map_err(file_error)?;
    let scratch = tempfile::tempdir_in(parent).map_err(file_error)?;
    make(scratch.path())?;
    fs::rename(scratch.keep(), folder).map_err(file_error)
}

/// What a program prints on one line, or why it can't be used.
fn said(command: &mut Command) -> Result<String, StepError> {
    let output = process::output(command)?;
    Ok(String::from_utf8_lossy(&output).trim().to_owned())
}
