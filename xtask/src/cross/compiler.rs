//! Debian's compiler, set up for another system.

use crate::process::StepError;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// Where Debian's `rustc-web`, `cargo-web` and `rust-web-clippy` are. A rustup in front of them on the search path would
/// otherwise be found first.
const BIN: &str = "/usr/bin";

/// What would make it another compiler, or another build.
const NOT_OURS: &[&str] =
    &["CARGO_ENCODED_RUSTFLAGS", "RUSTC_BOOTSTRAP", "RUSTC_WRAPPER", "RUSTFLAGS", "RUSTUP_TOOLCHAIN"];

/// Debian's compiler with everything that has been found for it so far.
pub struct Compiler {
    root: PathBuf,
    target: PathBuf,
    /// The compiler's own commit and Debian's version of it: what is built by one is of no use to another.
    version: String,
    host: String,
    environment: Vec<(OsString, OsString)>,
}

impl Compiler {
    /// Finds it, to work on the repository at `root` with `target` for what it builds.
    pub fn find(root: &Path, target: &Path) -> Result<Self, StepError> {
        let said = super::said(Command::new(Path::new(BIN).join("rustc")).arg("-vV"))?;
        let value = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let (Some(host), Some(commit), Some(release)) =
            (value("host: "), value("commit-hash: "), value("release: "))
        else {
            return Err(StepError::Unmet(format!("{BIN}/rustc does not say what it is: {said}")));
        };
        println!("    rustc {release}");
        Ok(Self {
            root: root.to_owned(),
            target: target.to_owned(),
            version: format!("{release}-{commit}"),
            host,
            environment: Vec::new(),
        })
    }

    /// What things built with it are kept under.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The system it runs on, as it calls it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where it puts what it builds, by system.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// From now on the standard library of `system` is in `sysroot`.
    pub fn use_sysroot(&mut self, system: &str, sysroot: &Path) {
        let flags = format!("--sysroot {}", sysroot.display());
        self.set(format!("CARGO_TARGET_{}_RUSTFLAGS", shouted(system)), flags);
    }

    /// From now on OpenSSL for `system` is what is installed in `folder`.
    pub fn use_openssl(&mut self, system: &str, folder: &Path) {
        let system = shouted(system);
        self.set(format!("{system}_OPENSSL_NO_VENDOR"), "1");
        self.set(format!("{system}_OPENSSL_STATIC"), "1");
        self.set(format!("{system}_OPENSSL_DIR"), folder);
    }

    /// From now on programs for `system` are started by `runner`.
    pub fn run_with(&mut self, system: &str, runner: &Path) {
        self.set(format!("CARGO_TARGET_{}_RUNNER", shouted(system)), runner);
    }

    /// From now on everything it starts has this in its environment.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.environment.push((name.into(), value.into()));
    }

    /// Cargo.
    pub fn cargo(&self) -> Command {
        self.command("cargo".as_ref())
    }

    /// Clippy. Cargo would find rustup's.
    pub fn clippy(&self) -> Command {
        let mut command = self.command("cargo-clippy".as_ref());
        command.arg("clippy");
        command
    }

    /// A subcommand that builds with the cargo it is told of, wherever it is itself.
    pub fn subcommand(&self, name: &str) -> Command {
        let mut command = self.prepared(Command::new(format!("cargo-{name}")));
        command.arg(name);
        command
    }

    fn command(&self, name: &Path) -> Command {
        self.prepared(Command::new(Path::new(BIN).join(name)))
    }

    fn prepared(&self, mut command: Command) -> Command {
        crate::cargo::without_own(&mut command);
        for name in NOT_OURS {
            command.env_remove(name);
        }
        for (name, program) in [("CARGO", "cargo"), ("RUSTC", "rustc"), ("RUSTDOC", "rustdoc")] {
            command.env(name, Path::new(BIN).join(program));
        }
        command
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target)
            // Incremental builds and line numbers are for whoever sits before it.
            .env("CARGO_INCREMENTAL", "0")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// As a system is called in the names of variables.
fn shouted(system: &str) -> String {
    system.to_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_systems_variables_are_its_own() {
        let mut compiler = Compiler {
            root: PathBuf::from("/repository"),
            target: PathBuf::from("/target"),
            version: String::new(),
            host: String::new(),
            environment: Vec::new(),
        };
        compiler.use_openssl(crate::cross::WINDOWS, Path::new("/openssl"));
        let cargo = compiler.cargo();
        let set = cargo.get_envs().any(|(name, value)| {
            name == "X86_64_PC_WINDOWS_GNU_OPENSSL_DIR" && value == Some("/openssl".as_ref())
        });
        assert!(set);
        assert_eq!(cargo.get_program(), "/usr/bin/cargo");
    }
}
