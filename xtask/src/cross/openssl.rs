//! OpenSSL for another system, built once. The product brings its own; that build takes minutes each time.

use super::{compiler::Compiler, made_whole};
use crate::process::{self, StepError};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The crate whose sources the product's own build uses.
const SOURCES: &str = "openssl-src";

/// Builds into the folder that it is given, for the system that it is given.
const PROGRAM: &str = r#"fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, system, host] = arguments.as_slice() else { panic!("folder, system and host") };
    openssl_src::Build::new().out_dir(folder).target(system).host(host).build();
}
"#;

/// Where OpenSSL for `system` is installed: of the version that Cargo.lock names.
pub fn ensure(compiler: &Compiler, root: &Path, cache: &Path, system: &str) -> Result<PathBuf, StepError> {
    let lock = root.join("Cargo.lock");
    let text = fs::read_to_string(&lock).map_err(|source| StepError::file(lock.display(), source))?;
    let version = locked_version(&text, SOURCES)
        .ok_or_else(|| StepError::Unmet(format!("{SOURCES} is not in {}", lock.display())))?;
    // Its version names OpenSSL's after a plus sign.
    let folder = cache.join("openssl").join(version.replace('+', "-")).join(system);
    made_whole(&folder, |folder| {
        let file_error = |source| StepError::file(folder.display(), source);
        let package = tempfile::tempdir().map_err(file_error)?;
        let manifest = format!(
            "[package]\nname = \"openssl\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
             {SOURCES} = \"={version}\"\n"
        );
        fs::create_dir(package.path().join("src")).map_err(file_error)?;
        fs::write(package.path().join("src/main.rs"), PROGRAM).map_err(file_error)?;
        fs::write(package.path().join("Cargo.toml"), manifest).map_err(file_error)?;
        let work = package.path().join("work");
        let log = cache.join("openssl.log");
        let told = fs::File::create(&log).map_err(|source| StepError::file(log.display(), source))?;
        let outcome = process::run(
            compiler
                .cargo()
                .args(["run", "--quiet", "--"])
                .arg(&work)
                .args([system, compiler.host()])
                .current_dir(package.path())
                .env("CARGO_TARGET_DIR", package.path().join("target"))
                .stdout(told),
        );
        outcome.inspect_err(|_| eprintln!("    What it said is in {}", log.display()))?;
        for part in ["include", "lib"] {
            let made = work.join("install").join(part);
            fs::rename(&made, folder.join(part))
                .or_else(|_| copy_all(&made, &folder.join(part)))
                .map_err(|source| StepError::file(made.display(), source))?;
        }
        Ok(())
    })?;
    Ok(folder)
}

/// The version of a package in Cargo.lock, where its name comes right before.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"\n");
    let after = &lock[lock.find(&name)? + name.len()..];
    after.strip_prefix("version = \"")?.split('"').next()
}

/// To another file system, where nothing can be renamed to.
fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_named_packages() {
        let lock = "[[package]]\nname = \"openssl-sys\"\nversion = \"0.9.1\"\n\n[[package]]\nname = \"openssl-src\"\nversion = \"300.5.0+3.5.0\"\n";
        assert_eq!(locked_version(lock, SOURCES), Some("300.5.0+3.5.0"));
        assert_eq!(locked_version(lock, "openssl"), None);
    }
}
