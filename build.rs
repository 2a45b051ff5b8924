//! Generates Tauri's context and makes sure there is a front end to embed.

#[path = "src-tauri/command_names.rs"]
mod command_names;

use std::{fs, io, path::Path};

use tauri_build::{AppManifest, Attributes};

/// Shown when somebody runs the app from a plain `cargo build` without having built the interface.
const PLACEHOLDER: &str = "<!doctype html>
<html lang=\"en\">
  <head><meta charset=\"utf-8\"><title>RosterBridge</title></head>
  <body><p>The interface is not built yet. Run <code>cargo xtask run</code>.</p></body>
</html>
";

fn main() -> io::Result<()> {
    // `generate_context!` embeds this folder; in a fresh clone it is missing, and linting or testing
    // other crates should not need node.
    let dist = Path::new("ui/dist");
    let index = dist.join("index.html");
    if !index.exists() {
        fs::create_dir_all(dist)?;
        fs::write(&index, PLACEHOLDER)?;
    }
    // Without this a rebuilt interface would stay out of the binary until some Rust file changed.
    println!("cargo:rerun-if-changed={}", dist.display());
    println!("cargo:rerun-if-changed=tauri.conf.json");
    println!("cargo:rerun-if-changed=icons");
    println!("cargo:rerun-if-changed=capabilities");
    println!("cargo:rerun-if-changed=src-tauri/command_names.rs");
    // Without a list every command would be open to every window, whatever the capabilities say.
    let commands = AppManifest::new().commands(command_names::COMMANDS);
    tauri_build::try_build(Attributes::new().app_manifest(commands)).map_err(io::Error::other)
}
