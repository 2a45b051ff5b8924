//! The standard library for another system, from the source that Debian's compiler comes with.

use super::{compiler::Compiler, made_whole};
use crate::process::{self, StepError};
use std::{
    fs, io, os,
    path::{Path, PathBuf},
};

/// A package that uses nothing but the library.
const MANIFEST: &str = r#"[package]
name = "standard-library"
version = "0.0.0"
edition = "2024"

[workspace]

[profile.dev]
debug = false
incremental = false
opt-level = 2
"#;

/// The library's parts that a program or a test may ask for.
const PARTS: &str = "build-std=std,panic_abort,panic_unwind,proc_macro,test";

/// Where the library of `system` is, with the compiler's own beside it, as the compiler expects a sysroot to be. Builds it
/// when it is not there yet, which takes about a minute.
pub fn ensure(compiler: &Compiler, cache: &Path, system: &str) -> Result<PathBuf, StepError> {
    let sysroot = cache.join("sysroot").join(compiler.version()).join(system);
    made_whole(&sysroot, |folder| {
        let libraries = folder.join("lib/rustlib");
        let library = libraries.join(system).join("lib");
        let file_error = |source| StepError::file(library.display(), source);
        fs::create_dir_all(&library).map_err(file_error)?;
        let own = Path::new("/usr/lib/rustlib").join(compiler.host());
        link(&own, &libraries.join(compiler.host())).map_err(file_error)?;

        let package = tempfile::tempdir().map_err(file_error)?;
        let built = package.path().join("target");
        fs::create_dir(package.path().join("src")).map_err(file_error)?;
        fs::write(package.path().join("src/lib.rs"), "").map_err(file_error)?;
        fs::write(package.path().join("Cargo.toml"), MANIFEST).map_err(file_error)?;
        process::run(
            compiler
                .cargo()
                .args(["build", "--quiet", "--target", system, "-Z", PARTS])
                .current_dir(package.path())
                // What is not stable yet is just this: building the library.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_DIR", &built),
        )?;
        let parts = fs::read_dir(built.join(system).join("debug/deps")).map_err(file_error)?;
        for part in parts {
            let part = part.map_err(file_error)?;
            let (path, name) = (part.path(), part.file_name());
            let is_own = name.to_string_lossy().starts_with("libstandard_library");
            if path.extension().is_some_and(|ending| ending == "rlib") && !is_own {
                fs::copy(path, library.join(name)).map_err(file_error)?;
            }
        }
        Ok(())
    })?;
    Ok(sysroot)
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) -> io::Result<()> {
    os::unix::fs::symlink(to, at)
}

#[cfg(not(unix))]
fn link(to: &Path, at: &Path) -> io::Result<()> {
    os::windows::fs::symlink_dir(to, at)
}
