//! `docs/troubleshooting.md` has a section for every code a person can meet, and for none that is gone.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the sources fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// What codes begin with.
const AREAS: [&str; 26] = [
    "attendance",
    "connection",
    "file",
    "guard",
    "handover",
    "held",
    "hero",
    "mail",
    "mapping",
    "plugin",
    "powerschool",
    "practice",
    "profile",
    "raptor",
    "run",
    "secret",
    "service",
    "session",
    "setup",
    "sftp",
    "store",
    "sync",
    "system",
    "test",
    "vault",
    "window",
];

/// Texts in the sources that look like codes and are something else.
const NO_CODES: [&str; 8] = [
    // Names of secrets.
    "handover.identity",
    "hero.password",
    // Values in the ledger.
    "guard.stopped",
    "raptor.status",
    // Files.
    "plugin.xml",
    "plugin.zip",
    "profile.json",
    "setup.json",
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every Rust source of the product, and those of the window that make faults of their own: all the others only compare.
fn sources() -> Vec<PathBuf> {
    let root = repository();
    let mut sources = Vec::new();
    let mut folders = vec![root.join("src-tauri"), root.join("ui/src")];
    folders.extend(fs::read_dir(root.join("crates")).unwrap().map(|entry| entry.unwrap().path().join("src")));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
            let is_test = path.to_str().unwrap().ends_with(".test.ts");
            if path.is_dir() {
                folders.push(path);
            } else if ending == "rs"
                || ["svelte", "ts"].contains(&ending)
                    && !is_test
                    && fs::read_to_string(&path).unwrap().contains(" ownFault(")
            {
                sources.push(path);
            }
        }
    }
    sources
}

/// The quoted texts of the form `area.what`, whatever the area. A quote that begins no such text is passed over, so it
/// does not matter which quotes belong together.
fn dotted_literals(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(['"', '\'']).filter_map(|(at, quote)| {
        let inside = &text[at + 1..];
        let length = inside.find(|c: char| !matches!(c, 'a'..='z' | '0'..='9' | '_' | '.'))?;
        let (area, what) = inside[..length].split_once('.')?;
        let ends = inside[length..].starts_with(quote);
        let is_code = ends && !area.is_empty() && !what.is_empty() && !what.contains('.');
        is_code.then_some(&inside[..length])
    })
}

/// The bodies of the functions `code` in a Rust source.
fn code_functions(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("fn code(").map(|(at, name)| {
        let body = &text[at + name.len()..];
        &body[..body.find("\n    }").unwrap_or(body.len())]
    })
}

fn is_known_area(code: &str) -> bool {
    let area = code.split('.').next().unwrap_or_default();
    AREAS.contains(&area)
}

/// Every code, with a source it is in.
fn codes() -> BTreeMap<String, PathBuf> {
    let mut codes = BTreeMap::new();
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        let by_area = dotted_literals(&text).filter(|literal| is_known_area(literal));
        let by_function = code_functions(&text).flat_map(dotted_literals);
        for code in by_area.chain(by_function).filter(|code| !NO_CODES.contains(code)) {
            codes.entry(code.to_owned()).or_insert_with(|| path.clone());
        }
    }
    codes
}

/// The headings of the guide's sections, in its order.
fn headings() -> Vec<String> {
    let guide = fs::read_to_string(repository().join("docs/troubleshooting.md")).unwrap();
    guide.lines().filter_map(|line| line.strip_prefix("### ")).map(|code| code.trim().to_owned()).collect()
}

#[test]
fn every_code_has_its_section() {
    let headings: BTreeSet<String> = headings().into_iter().collect();
    let missing: Vec<_> = codes()
        .into_iter()
        .filter(|(code, _)| !headings.contains(code))
        .map(|(code, source)| format!("{code} ({})", source.display()))
        .collect();
    assert!(missing.is_empty(), "docs/troubleshooting.md has no section for:\n{}", missing.join("\n"));
}

#[test]
fn no_section_is_stale_or_there_twice() {
    let codes = codes();
    let mut seen = BTreeSet::new();
    let wrong: Vec<_> = headings()
        .into_iter()
        .filter(|heading| !codes.contains_key(heading) || !seen.insert(heading.clone()))
        .collect();
    assert!(wrong.is_empty(), "docs/troubleshooting.md explains codes that are gone, or twice: {wrong:?}");
}

#[test]
fn every_section_says_what_happened_and_what_to_do() {
    let guide = fs::read_to_string(repository().join("docs/troubleshooting.md")).unwrap();
    for section in guide.split("\n### ").skip(1) {
        let section = section.split("\n## ").next().unwrap();
        let (code, body) = section.split_once('\n').unwrap();
        for part in ["**What happened:** ", "**What to do:** "] {
            assert_eq!(body.matches(part).count(), 1, "{code} needs one '{}'", part.trim());
        }
    }
}

#[test]
fn every_exception_is_still_needed() {
    let texts: Vec<String> = sources().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for literal in NO_CODES {
        let found = texts.iter().any(|text| dotted_literals(text).any(|other| other == literal));
        assert!(found, "{literal} is in no source any more: take it off the list");
    }
}

#[test]
fn the_scan_finds_codes_however_they_are_written() {
    let text =
        r#"match self { Self::A => "sftp.timeout", _ => 'window.no_shell' } "a.b.c" "no" "Run. ok" "x.y"#;
    let found: Vec<_> = dotted_literals(text).collect();
    assert_eq!(found, ["sftp.timeout", "window.no_shell"]);
}
