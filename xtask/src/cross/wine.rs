//! Wine, with a Windows of its own.

use super::made_whole;
use crate::process::{self, StepError};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where Debian has it: there is no `wine64` on the search path.
const BIN: &str = "/usr/lib/wine";

/// Below the prefix.
const SYSTEM: &str = "drive_c/windows/system32";

/// The system library the Rust standard library takes random numbers from, which Wine 8 has not. The function it forwards
/// to is the one that library itself was made to replace.
const RANDOM: &str = r"#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE at, SIZE_T left) {
    while (left > 0) {
        ULONG part = left > 0x10000000 ? 0x10000000 : (ULONG)left;
        if (!SystemFunction036(at, part)) return FALSE;
        at += part;
        left -= part;
    }
    return TRUE;
}
";

/// A Windows that has started. One server for all programs, ended with this.
pub struct Wine {
    prefix: PathBuf,
}

impl Wine {
    /// Starts it, made anew when there is none in the cache.
    pub fn start(cache: &Path) -> Result<Self, StepError> {
        let prefix = cache.join("wine");
        made_whole(&prefix, |folder| {
            let making = Self { prefix: folder.to_owned() };
            process::run(making.apply(Command::new(Self::program()).args(["wineboot", "--init"])))?;
            process::run(making.apply(Command::new(server()).arg("--wait")))?;
            let (source, library) =
                (folder.join("random.c"), folder.join(SYSTEM).join("bcryptprimitives.dll"));
            fs::write(&source, RANDOM).map_err(|error| StepError::file(source.display(), error))?;
            process::run(
                Command::new("x86_64-w64-mingw32-gcc")
                    .args(["-O2", "-shared", "-nostartfiles", "-Wl,-e,0", "-o"])
                    .args([&library, &source])
                    .arg("-ladvapi32"),
            )
        })?;
        let wine = Self { prefix };
        process::run(wine.apply(Command::new(server()).arg("--persistent")))?;
        // The first program starts Windows' services, which keep its pipes: whoever reads those would wait for ever.
        let mut first = Command::new(Self::program());
        first.args(["cmd", "/c", "exit"]).stdout(Stdio::null()).stderr(Stdio::null());
        process::run(wine.apply(&mut first))?;
        Ok(wine)
    }

    /// What starts a Windows program.
    pub fn program() -> PathBuf {
        Path::new(BIN).join("wine64")
    }

    /// For a command that starts Windows programs, itself or through others.
    pub fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("WINEPREFIX", &self.prefix)
            .env("WINEARCH", "win64")
            .env("WINEDEBUG", "-all")
            // Neither .NET nor a browser engine is there, and nothing is to appear in a menu.
            .env("WINEDLLOVERRIDES", "mscoree,mshtml=;winemenubuilder.exe=d")
            .env("DISPLAY", "")
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = process::run(self.apply(Command::new(server()).arg("--kill")));
    }
}

fn server() -> PathBuf {
    Path::new(BIN).join("wineserver")
}
