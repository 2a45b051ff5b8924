//! Starts the window.
#![forbid(unsafe_code)]
// No console window beside it on Windows, but keep one while developing.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

use std::process::ExitCode;

fn main() -> ExitCode {
    rosterbridge_allocator::share_heaps();
    rosterbridge_desktop::run()
}
