//! The system packages each chore needs, and getting them.

use crate::process::{self, StepError};
use std::{path::Path, process::Command};

/// To build the desktop app on Debian and Ubuntu (perl and make build the vendored OpenSSL).
pub const BUILD: &[&str] =
    &["build-essential", "pkg-config", "perl", "libwebkit2gtk-4.1-dev", "librsvg2-dev"];

/// To build for Windows and macOS: a compiler that comes with its library's source, a linker for Windows, and Wine.
/// OpenSSL's headers are read in place of those a Mac would have.
pub const CROSS: &[&str] = &[
    "cargo-web",
    "g++-mingw-w64-x86-64-win32",
    "gcc-mingw-w64-x86-64-win32",
    "libssl-dev",
    "rust-web-clippy",
    "rust-web-src",
    "rustc-web",
    "wine64",
];

/// For a private session bus with a keyring.
pub const KEYRING: &[&str] = &["dbus", "gnome-keyring"];

/// To ask the practice district's audit address from the command line.
pub const COMMAND_LINE: &[&str] = &["curl"];

/// What the benches are measured with: peers, and GNU time for the memory.
pub const BENCH: &[&str] = &["curl", "openssh-client", "sqlite3", "time"];

/// For a peer from PyPI, in an environment of its own.
pub const PYTHON: &[&str] = &["python3-venv"];

/// What the tests need beside [`BUILD`] and [`KEYRING`].
pub const TESTS: &[&str] = &[
    "chromium",
    "curl",
    "dbus-x11",
    // The icon beside the clock is loaded when the app starts.
    "libayatana-appindicator3-1",
    "openssh-client",
    "openssh-server",
    "openssl",
    "poppler-utils",
    "python3-aiosmtpd",
    "python3-venv",
    "sqlite3",
    "webkit2gtk-driver",
    "xauth",
    "xdotool",
    "xvfb",
];

/// Oldest Node.js that builds the interface (Vite 8: 20.19).
const NODE: (u32, u32) = (20, 19);

/// Seconds apt waits for another package installation to finish.
const APT_LOCK_SECONDS: u32 = 300;

/// Installs those of `wanted` that are missing on Debian and Ubuntu. On other systems it says what is
/// needed and goes on: the build itself will tell whether it is there.
pub fn ensure(wanted: &[&[&str]]) -> Result<(), StepError> {
    let mut wanted: Vec<&str> = wanted.concat();
    wanted.sort_unstable();
    wanted.dedup();

    if cfg!(target_os = "windows") {
        eprintln!(
            "    Needed: Visual Studio Build Tools (C++), Strawberry Perl, and WebView2 (part of Windows 11)."
        );
        return Ok(());
    }
    if cfg!(target_os = "macos") {
        eprintln!("    Needed: the Xcode command line tools (`xcode-select --install`).");
        return Ok(());
    }
    if !Path::new("/usr/bin/dpkg-query").exists() {
        eprintln!("    This is neither Debian nor Ubuntu. Needed, under your system's own names:");
        eprintln!("    {}", wanted.join(" "));
        return Ok(());
    }

    let missing = missing(&wanted);
    if missing.is_empty() {
        eprintln!("    All {} packages are there.", wanted.len());
        return Ok(());
    }
    eprintln!("    Installing {}", missing.join(" "));
    apt(&["update", "--quiet"])?;
    apt(&[&["install", "--yes", "--quiet", "--no-install-recommends"], missing.as_slice()].concat())
}

/// Node.js of a version that builds the interface, from apt if there is none and apt's is new enough.
pub fn ensure_node() -> Result<(), StepError> {
    if node_version().is_none() && Path::new("/usr/bin/dpkg-query").exists() {
        ensure(&[&["nodejs", "npm"]])?;
    }
    match node_version() {
        Some(version) if version >= NODE => Ok(()),
        found => Err(StepError::Unmet(format!(
            "Node.js {}.{} or later is needed to build the interface ({}); get it from https://nodejs.org",
            NODE.0,
            NODE.1,
            found.map_or("none found".to_owned(), |(major, minor)| format!("found {major}.{minor}")),
        ))),
    }
}

fn node_version() -> Option<(u32, u32)> {
    parse_node_version(&process::probe(Command::new("node").arg("--version"))?)
}

fn parse_node_version(printed: &str) -> Option<(u32, u32)> {
    let mut numbers = printed.trim().strip_prefix('v')?.split('.').map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

fn missing<'a>(wanted: &[&'a str]) -> Vec<&'a str> {
    // dpkg-query ends with failure when a package is unknown to it, and still prints the others.
    let printed = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"])
        .args(wanted)
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    not_installed(wanted, &printed)
}

fn not_installed<'a>(wanted: &[&'a str], dpkg_query: &str) -> Vec<&'a str> {
    let installed: Vec<&str> =
        dpkg_query.lines().filter_map(|line| line.strip_suffix(" installed")).collect();
    wanted.iter().copied().filter(|package| !installed.contains(package)).collect()
}

fn apt(arguments: &[&str]) -> Result<(), StepError> {
    let root = process::probe(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    let mut command = if root { Command::new("env") } else { Command::new("sudo") };
    if !root {
        command.arg("env");
    }
    command
        .arg("DEBIAN_FRONTEND=noninteractive")
        .arg("apt-get")
        .args(["-o", &format!("DPkg::Lock::Timeout={APT_LOCK_SECONDS}")])
        .args(arguments)
        // Progress, like ours: standard output may have to hold one document only.
        .stdout(std::io::stderr());
    process::run(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fully_installed_packages_count() {
        let printed = "perl installed\nxvfb config-files\nlibssl-dev installed\n";
        assert_eq!(not_installed(&["perl", "xvfb", "xauth", "libssl-dev"], printed), ["xvfb", "xauth"]);
    }

    #[test]
    fn node_versions_compare_by_number() {
        assert_eq!(parse_node_version("v20.20.2\n"), Some((20, 20)));
        assert!(parse_node_version("v20.9.0").unwrap() < NODE);
        assert_eq!(parse_node_version("node: command not found"), None);
    }
}
