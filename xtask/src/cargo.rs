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
    command
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

/// Builds the engine's example of that name as it would be shipped, beside the command line: built together the two
/// share everything they depend on. Tells where it is.
pub fn release_example(root: &Path, name: &str) -> Result<PathBuf, StepError> {
    process::run(
        cargo(root)
            .args(["build", "--release", "-p", "rosterbridge-cli", "-p", "rosterbridge-engine"])
            .args(["--bin", "rosterbridge", "--example", name, "--locked"]),
    )?;
    Ok(target_folder()?.join("release").join("examples").join(format!("{name}{}", env::consts::EXE_SUFFIX)))
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
