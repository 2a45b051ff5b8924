//! The cargo calls that several chores share.

use crate::process::{self, StepError};
use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// The cargo that started us, in the repository at `root`.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(root);
    without_own(&mut command);
    command
}

/// Keeps from a program that calls cargo in its turn what cargo tells this program about its own package: that is none of
/// the build's business; left in, build scripts that look at it would run again whenever cargo is called without xtask in
/// between.
pub fn without_own(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let own = ["CARGO_PKG_", "CARGO_MANIFEST_"];
        if name.to_str().is_some_and(|name| own.iter().any(|own| name.starts_with(own))) {
            command.env_remove(name);
        }
    }
}

/// Builds both binaries exactly as the tests' build does, so that neither makes the other start over.
/// Features resolve over the whole workspace, and naming one test (the smallest) counts the
/// dev-dependencies in, which cargo otherwise leaves out. Without xtask, which Windows would not let us
/// overwrite while it runs.
pub fn binaries(root: &Path) -> Result<(), StepError> {
    process::run(cargo(root).args([
        "build",
        "--workspace",
        "--exclude",
        "xtask",
        "--bins",
        "--test",
        "window",
        "--locked",
    ]))
}

/// Builds the command line as it is shipped and tells where it is.
pub fn release_command_line(root: &Path) -> Result<PathBuf, StepError> {
    process::run(cargo(root).args(["build", "--release", "-p", "rosterbridge-cli", "--locked"]))?;
    Ok(target_folder()?.join("release").join(format!("rosterbridge{}", env::consts::EXE_SUFFIX)))
}

/// Builds the window as it is shipped and tells where it is. The interface must have been built.
pub fn release_desktop(root: &Path) -> Result<PathBuf, StepError> {
    process::run(cargo(root).args(["build", "--release", "-p", "rosterbridge-desktop", "--locked"]))?;
    Ok(target_folder()?.join("release").join(format!("rosterbridge-desktop{}", env::consts::EXE_SUFFIX)))
}

/// Builds the command line and an example of the engine as they would be shipped, and tells where they are.
pub fn release_with_example(root: &Path, example: &str) -> Result<(PathBuf, PathBuf), StepError> {
    process::run(
        cargo(root)
            .args(["build", "--release", "--locked", "-p", "rosterbridge-cli", "-p", "rosterbridge-engine"])
            .args(["--bin", "rosterbridge", "--example", example]),
    )?;
    let (folder, suffix) = (target_folder()?.join("release"), env::consts::EXE_SUFFIX);
    let example = folder.join("examples").join(format!("{example}{suffix}"));
    Ok((folder.join(format!("rosterbridge{suffix}")), example))
}

/// Where cargo puts what it makes: this program is in `debug/` there.
pub fn target_folder() -> Result<PathBuf, StepError> {
    let own = own_path()?;
    match own.ancestors().nth(2) {
        Some(folder) => Ok(folder.to_owned()),
        None => Err(StepError::Unmet(format!("{} is not in a target folder", own.display()))),
    }
}

/// One of the debug binaries, which are beside this one.
pub fn binary(name: &str) -> Result<PathBuf, StepError> {
    Ok(own_path()?.with_file_name(format!("{name}{}", env::consts::EXE_SUFFIX)))
}

fn own_path() -> Result<PathBuf, StepError> {
    env::current_exe().map_err(|source| StepError::file("this program's own path", source))
}
