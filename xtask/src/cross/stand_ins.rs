//! Stand-ins for Apple's compiler and archiver. Nothing is linked for macOS, so what C code becomes does not matter: each
//! file becomes an empty one.

use super::compiler::Compiler;
use crate::process::StepError;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Answers what build scripts ask a compiler, with the system's own; makes an empty file of what is to be compiled.
const COMPILER: &str = r#"#!/bin/bash
out= compiles= rest=()
while [ $# -gt 0 ]; do
  case "$1" in
    -o) out=$2; rest+=(-o "$2"); shift ;;
    -c) compiles=1; rest+=(-c) ;;
    -arch | -target | -isysroot) shift ;;
    --target=* | -m*-version-min=*) ;;
    *) rest+=("$1") ;;
  esac
  shift
done
if [ -n "$compiles" ] && [ -n "$out" ]; then
  : > "$out"
else
  exec gcc "${rest[@]}"
fi
"#;

/// Makes an archive without members.
const ARCHIVER: &str = r#"#!/bin/bash
for argument in "$@"; do
  case "$argument" in *.a) printf '!<arch>\n' > "$argument" ;; esac
done
"#;

/// Puts them in the cache and tells the compiler of them.
pub fn ensure(compiler: &mut Compiler, cache: &Path, system: &str) -> Result<(), StepError> {
    let folder = cache.join("stand-ins");
    let write = |name: &str, text: &str| -> Result<PathBuf, StepError> {
        let path = folder.join(name);
        let file_error = |source| StepError::file(path.display(), source);
        fs::create_dir_all(&folder).map_err(file_error)?;
        // Renamed into place: another run may be using the one before.
        let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(file_error)?;
        std::io::Write::write_all(&mut file, text.as_bytes()).map_err(file_error)?;
        make_executable(file.path()).map_err(file_error)?;
        file.persist(&path).map_err(|failed| file_error(failed.error))?;
        Ok(path)
    };
    let (gcc, ar) = (write("compiler", COMPILER)?, write("archiver", ARCHIVER)?);
    let variable = system.replace('-', "_");
    compiler.set(format!("CC_{variable}"), &gcc);
    compiler.set(format!("CXX_{variable}"), &gcc);
    compiler.set(format!("AR_{variable}"), &ar);
    compiler.set("SDKROOT", "/nonexistent");

    // The system's own headers will do for reading.
    let openssl = folder.join("openssl");
    let file_error = |source| StepError::file(openssl.display(), source);
    let (headers, libraries) = (openssl.join("include/openssl"), openssl.join("lib"));
    fs::create_dir_all(&headers).map_err(file_error)?;
    fs::create_dir_all(&libraries).map_err(file_error)?;
    for from in ["/usr/include/openssl", "/usr/include/x86_64-linux-gnu/openssl"] {
        for header in fs::read_dir(from).map_err(|source| StepError::file(from, source))? {
            let header = header.map_err(file_error)?;
            fs::copy(header.path(), headers.join(header.file_name())).map_err(file_error)?;
        }
    }
    for library in ["libssl.a", "libcrypto.a"] {
        fs::write(libraries.join(library), "!<arch>\n").map_err(file_error)?;
    }
    compiler.use_openssl(system, &openssl);
    Ok(())
}

#[cfg(unix)]
fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}
