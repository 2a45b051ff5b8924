//! The product's window beside a bare one of Tauri's, on the same machine in the same run: launch, answers to keys while
//! the processor is busy, memory; and the list of rows, long and short.
//!
//! `cargo xtask bench window` prepares the districts and profiles, builds the product as it is shipped, and calls this.
//! Standard output gets a JSON object of lists of measurements, in pairs that belong together.
#![cfg_attr(not(target_os = "linux"), allow(unused, reason = "only Linux has a driver for this web view"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops when it can't measure"
)]

#[cfg(target_os = "linux")]
#[path = "../../tests/window/driver.rs"]
mod driver;
#[cfg(target_os = "linux")]
mod measure;

use std::env;

/// Opens the bare window and nothing else.
const BARE: &str = "--bare-window";

fn main() {
    if env::args().any(|argument| argument == BARE) {
        tauri::Builder::default()
            .run(tauri::generate_context!("benches/window/bare/tauri.conf.json"))
            .expect("the bare window opens");
        return;
    }
    #[cfg(target_os = "linux")]
    measure::all();
}
