//! Every link of the documents leads somewhere: to a file that is there, and to a heading in it.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the documents fails")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The pages of `docs`, and those at the top.
fn documents() -> Vec<PathBuf> {
    let root = repository();
    let folders = [root.clone(), root.join("docs"), root.join("docs/decisions")];
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect()
}

/// The lines of a page that are text, not code.
fn text(page: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    page.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// What stands in the round brackets of links, on lines and within them.
fn targets(page: &str) -> Vec<&str> {
    text(page)
        .flat_map(|line| line.split("](").skip(1).filter_map(|rest| rest.split_once(')')))
        .map(|(target, _)| target)
        .collect()
}

/// The names under which headings can be linked to, as the pages' host makes them. The second heading of a name gets
/// `-1`, which nobody counts on: it is no name here.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = text(page).filter(|line| line.starts_with('#'));
    let named = headings.map(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    });
    named.collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    let mut links = 0_u32;
    for document in documents() {
        let page = fs::read_to_string(&document).unwrap();
        for target in targets(&page).into_iter().filter(|target| !target.contains("://")) {
            links += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { document.clone() } else { document.parent().unwrap().join(path) };
            let there = file.exists()
                && (anchor.is_empty() || anchors(&fs::read_to_string(&file).unwrap()).contains(anchor));
            if !there {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(links > 50, "only {links} links were found");
    assert!(broken.is_empty(), "these links lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn every_picture_is_shown() {
    let pages: Vec<String> =
        documents().iter().map(|document| fs::read_to_string(document).unwrap()).collect();
    for picture in fs::read_dir(repository().join("docs/images")).unwrap() {
        let name = picture.unwrap().file_name().into_string().unwrap();
        let link = format!("images/{name})");
        assert!(pages.iter().any(|page| page.contains(&link)), "no page shows docs/images/{name}");
    }
}

#[test]
fn headings_are_named_as_the_host_does() {
    let page =
        "## Where a row went\n### 1. Plugin and credentials\n### Hero's export\n```\n# no heading\n```";
    let expected = ["1-plugin-and-credentials", "heros-export", "where-a-row-went"].map(str::to_owned);
    assert_eq!(anchors(page), BTreeSet::from(expected));
}
