//! The window's TypeScript types are those of the requests and answers in this crate.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use rosterbridge_api::{Erased, Fault, ProfileView, Request, Response, RestoredView, report::Event};
use ts_rs::{Config, TS};

/// Where the window's sources expect them.
const BINDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ui/src/bindings");

fn files_in(folder: &Path) -> BTreeMap<String, String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap().replace("\r\n", "\n"))
        })
        .collect()
}

/// Run with `UPDATE_BINDINGS=1` to write them anew.
#[test]
fn the_windows_types_are_these() {
    let fresh = tempfile::tempdir().unwrap();
    // Ids and counts stay far below 2^53, so TypeScript sees them as numbers.
    let config = Config::new().with_large_int("number").with_out_dir(fresh.path());
    Request::export_all(&config).unwrap();
    Response::export_all(&config).unwrap();
    Fault::export_all(&config).unwrap();
    Event::export_all(&config).unwrap();
    // The answers of what a session does as its last.
    Erased::export_all(&config).unwrap();
    RestoredView::export_all(&config).unwrap();
    // The answer to what concerns no single profile.
    ProfileView::export_all(&config).unwrap();
    let expected = files_in(fresh.path());
    assert!(expected.contains_key("Request.ts"));

    let committed = Path::new(BINDINGS);
    if std::env::var_os("UPDATE_BINDINGS").is_some() {
        fs::remove_dir_all(committed).unwrap();
        fs::create_dir_all(committed).unwrap();
        for (name, text) in &expected {
            fs::write(committed.join(name), text).unwrap();
        }
    }
    let found = files_in(committed);
    let differing: BTreeSet<&String> =
        expected.keys().chain(found.keys()).filter(|name| expected.get(*name) != found.get(*name)).collect();
    assert!(
        differing.is_empty(),
        "{differing:?} in ui/src/bindings differ from the Rust types: run the test with UPDATE_BINDINGS=1"
    );
}
