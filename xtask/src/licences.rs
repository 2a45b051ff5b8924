//! `cargo xtask licences`: which crates the product is linked with, and under which licences, for its page about them.
//!
//! What it finds is committed, so that building the interface asks for no crate's sources.

use crate::{
    cargo::cargo,
    process::{self, StepError},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

/// Where it is kept, in the repository.
const FILE: &str = "ui/licences/crates.json";

/// The programs in each bundle.
const SHIPPED: &[&str] = &["rosterbridge-desktop", "rosterbridge-cli"];

/// What they are built for. The same are in deny.toml.
const TARGETS: &[&str] =
    &["x86_64-unknown-linux-gnu", "x86_64-pc-windows-msvc", "aarch64-apple-darwin", "x86_64-apple-darwin"];

/// How the files begin, in small letters, in which a package says its licence.
const LICENCE_FILES: &[&str] = &["license", "licence", "copying", "copyright", "notice", "unlicense"];

const BSD_3_CLAUSE: &str = include_str!("licences/BSD-3-Clause.txt");
const BSL_1_0: &str = include_str!("licences/BSL-1.0.txt");

/// Something that a crate brings along and that is under a licence of its own.
struct Within {
    name: &'static str,
    /// The crate that has it.
    of: &'static str,
    licence: &'static str,
    text: Text,
}

enum Text {
    /// A file of the crate.
    File(&'static str),
    /// The crate has none.
    Own(&'static str),
}

const WITHIN: &[Within] = &[
    Within {
        name: "Fiat-Crypto",
        of: "ring",
        licence: "Apache-2.0",
        text: Text::File("third_party/fiat/LICENSE"),
    },
    Within {
        name: "libssh2",
        of: "libssh2-sys",
        licence: "BSD-3-Clause",
        text: Text::File("libssh2/COPYING"),
    },
    Within {
        name: "Microsoft Edge WebView2 loader",
        of: "webview2-com-sys",
        licence: "BSD-3-Clause",
        text: Text::Own(include_str!("licences/webview2-loader.txt")),
    },
    Within {
        name: "OpenSSL",
        of: "openssl-src",
        licence: "Apache-2.0",
        text: Text::File("openssl/LICENSE.txt"),
    },
    Within {
        name: "SQLCipher",
        of: "sqlcipher-src",
        licence: "BSD-3-Clause",
        text: Text::File("sqlcipher/LICENSE-sqlcipher"),
    },
    Within { name: "zlib", of: "libz-sys", licence: "Zlib", text: Text::File("src/zlib/LICENSE") },
];

/// One crate of the dependency tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Linked {
    name: String,
    version: String,
    licence: String,
}

/// One entry of the page.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    name: String,
    /// Unset for what is no crate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// The crate that brings it, where it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    within: Option<String>,
    /// An SPDX expression.
    licence: String,
    /// Places in the list of texts.
    texts: Vec<usize>,
}

/// The file.
#[derive(Debug, Deserialize)]
struct Licences {
    packages: Vec<Entry>,
    texts: Vec<String>,
}

/// Writes the file of the repository at `root`.
pub fn write(root: &Path) -> Result<(), StepError> {
    let licences = gather(root, &linked(root)?, &sources(root)?)?;
    let path = root.join(FILE);
    let failed = |source| StepError::file(path.display(), source);
    fs::create_dir_all(path.parent().unwrap_or(root)).map_err(failed)?;
    fs::write(&path, licences.as_text()?).map_err(failed)?;
    println!("    {FILE}: {} packages, {} texts", licences.packages.len(), licences.texts.len());
    Ok(())
}

/// Whether the file names exactly the crates the product is linked with. Reads no crate's sources.
pub fn check(root: &Path) -> Result<(), StepError> {
    let path = root.join(FILE);
    let text = fs::read(&path).map_err(|source| StepError::file(path.display(), source))?;
    let kept: Licences = process::parse(FILE, &text)?;
    match difference(&linked(root)?, &kept.packages) {
        None => Ok(()),
        Some(difference) => {
            Err(StepError::Unmet(format!("{FILE} {difference}; `cargo xtask licences` writes it anew")))
        }
    }
}

/// What the file says too little or too much.
fn difference(linked: &BTreeSet<Linked>, kept: &[Entry]) -> Option<String> {
    let kept: BTreeSet<Linked> = kept
        .iter()
        .filter_map(|entry| {
            let version = entry.version.clone()?;
            Some(Linked { name: entry.name.clone(), version, licence: entry.licence.clone() })
        })
        .collect();
    let first = |of: &BTreeSet<Linked>, without| {
        of.difference(without).next().map(|one| format!("{} {} ({})", one.name, one.version, one.licence))
    };
    first(linked, &kept)
        .map(|missing| format!("does not name {missing}"))
        .or_else(|| first(&kept, linked).map(|gone| format!("names {gone}, which is not linked any more")))
}

/// The crates of others that end up in the product, on whichever system.
fn linked(root: &Path) -> Result<BTreeSet<Linked>, StepError> {
    let mut linked = crates(&tree(root, "normal,no-proc-macro")?)?;
    // Libraries in C come as crates that hold nothing but their source, and are built by build scripts.
    let built = crates(&tree(root, "normal,build,no-proc-macro")?)?;
    linked.extend(built.into_iter().filter(|one| one.name.ends_with("-src")));
    Ok(linked)
}

fn tree(root: &Path, edges: &str) -> Result<String, StepError> {
    let mut command = cargo(root);
    command
        .args(["tree", "--locked", "--quiet", "--prefix", "none", "--format", "{p}\t{l}", "--edges", edges]);
    for package in SHIPPED {
        command.args(["--package", package]);
    }
    for target in TARGETS {
        command.args(["--target", target]);
    }
    Ok(String::from_utf8_lossy(&process::output(&mut command)?).into_owned())
}

/// The crates in what `cargo tree` prints, without our own.
fn crates(tree: &str) -> Result<BTreeSet<Linked>, StepError> {
    let mut crates = BTreeSet::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let unexpected = || StepError::Unmet(format!("`cargo tree` printed '{line}'"));
        let (package, licence) = line.split_once('\t').ok_or_else(unexpected)?;
        let mut words = package.splitn(3, ' ');
        let name = words.next().ok_or_else(unexpected)?;
        let version = words.next().and_then(|word| word.strip_prefix('v')).ok_or_else(unexpected)?;
        // crates.io goes without saying.
        match words.next() {
            None => {}
            Some(_) if name == "xtask" || name.starts_with("rosterbridge-") => continue,
            Some(from) => {
                return Err(StepError::Unmet(format!("{name} {version} is from {from}, not from crates.io")));
            }
        }
        // A package whose own dependencies were listed above.
        let licence = licence.trim_end_matches("(*)").trim();
        if licence.is_empty() {
            return Err(StepError::Unmet(format!("{name} {version} names no licence")));
        }
        crates.insert(Linked {
            name: name.to_owned(),
            version: version.to_owned(),
            licence: licence.replace(" / ", " OR ").replace('/', " OR "),
        });
    }
    Ok(crates)
}

/// What cargo knows of a crate's source.
#[derive(Debug, Deserialize)]
struct Source {
    name: String,
    version: String,
    authors: Vec<String>,
    manifest_path: PathBuf,
    license_file: Option<PathBuf>,
}

/// The sources of all crates, fetched where they are not there.
fn sources(root: &Path) -> Result<Vec<Source>, StepError> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Source>,
    }
    let bytes =
        process::output(cargo(root).args(["metadata", "--locked", "--quiet", "--format-version", "1"]))?;
    Ok(process::parse::<Metadata>("What `cargo metadata` prints", &bytes)?.packages)
}

fn gather(root: &Path, linked: &BTreeSet<Linked>, sources: &[Source]) -> Result<Licences, StepError> {
    let ours = Ours::read(root)?;
    let mut texts = Texts::default();
    let mut packages = Vec::new();
    for one in linked {
        let source = sources
            .iter()
            .find(|source| source.name == one.name && source.version == one.version)
            .ok_or_else(|| {
            StepError::Unmet(format!("cargo knows no source of {} {}", one.name, one.version))
        })?;
        let mut found = licence_texts(source)?;
        if found.is_empty() {
            found.push(ours.standard(one, &source.authors).ok_or_else(|| {
                StepError::Unmet(format!(
                    "{} {} has no text of its licence, {}",
                    one.name, one.version, one.licence
                ))
            })?);
        }
        packages.push(Entry {
            name: one.name.clone(),
            version: Some(one.version.clone()),
            within: None,
            licence: one.licence.clone(),
            texts: texts.places(found),
        });
        for part in WITHIN.iter().filter(|part| part.of == one.name) {
            let text = match part.text {
                Text::Own(text) => plain(text),
                Text::File(file) => read_text(&folder_of(source).join(file))?,
            };
            packages.push(Entry {
                name: part.name.to_owned(),
                version: None,
                within: Some(format!("{} {}", one.name, one.version)),
                licence: part.licence.to_owned(),
                texts: texts.places(vec![text]),
            });
        }
    }
    packages.push(Entry {
        name: "Rust standard library".to_owned(),
        version: None,
        within: None,
        licence: "MIT OR Apache-2.0".to_owned(),
        texts: texts.places(vec![ours.apache.clone(), ours.mit_of("The Rust Project Contributors")]),
    });
    packages.sort_by_cached_key(|entry| (entry.name.to_lowercase(), entry.version.clone()));
    Ok(Licences { packages, texts: texts.list })
}

fn folder_of(source: &Source) -> &Path {
    source.manifest_path.parent().unwrap_or(&source.manifest_path)
}

/// The texts a crate comes with, but for those nobody would choose.
fn licence_texts(source: &Source) -> Result<Vec<String>, StepError> {
    let folder = folder_of(source);
    let failed = |source| StepError::file(folder.display(), source);
    let mut files = Vec::new();
    for path in entries(folder).map_err(failed)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let of_licence = LICENCE_FILES.iter().any(|begin| name.starts_with(begin));
        if !of_licence || name.contains("gpl") || [".spdx", ".rs"].iter().any(|end| name.ends_with(end)) {
            continue;
        }
        if path.is_dir() {
            files.extend(entries(&path).map_err(failed)?.into_iter().filter(|file| file.is_file()));
        } else {
            files.push(path);
        }
    }
    if let Some(named) = source.license_file.as_ref().map(|file| folder.join(file))
        && !files.contains(&named)
    {
        files.push(named);
    }
    let mut texts = files.iter().map(|file| read_text(file)).collect::<Result<Vec<_>, _>>()?;
    texts.retain(|text| !text.is_empty());
    Ok(texts)
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    entries.sort();
    Ok(entries)
}

fn read_text(file: &Path) -> Result<String, StepError> {
    let bytes = fs::read(file).map_err(|source| StepError::file(file.display(), source))?;
    Ok(plain(&String::from_utf8_lossy(&bytes)))
}

/// As every system writes it, and without blanks that nobody sees.
fn plain(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}').lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    text.trim_matches('\n').to_owned()
}

/// The project's own copies of licences, for crates that name one and come without its text.
struct Ours {
    apache: String,
    mit: String,
}

impl Ours {
    fn read(root: &Path) -> Result<Self, StepError> {
        Ok(Self {
            apache: read_text(&root.join("LICENSE-APACHE"))?,
            mit: read_text(&root.join("LICENSE-MIT"))?,
        })
    }

    /// The text of a licence that the crate may be used under, as its authors' own.
    fn standard(&self, of: &Linked, authors: &[String]) -> Option<String> {
        let offered: Vec<&str> = of.licence.split(" OR ").collect();
        let names: Vec<&str> =
            authors.iter().filter_map(|author| author.split('<').next()).map(str::trim).collect();
        let holder = if names.is_empty() { format!("the authors of {}", of.name) } else { names.join(", ") };
        let one_of = |licence| offered.contains(&licence);
        if one_of("Apache-2.0") {
            Some(self.apache.clone())
        } else if one_of("MIT") {
            Some(self.mit_of(&holder))
        } else if one_of("BSD-3-Clause") {
            Some(format!("Copyright (c) {holder}\n\n{}", plain(BSD_3_CLAUSE)))
        } else if one_of("BSL-1.0") {
            Some(plain(BSL_1_0))
        } else {
            None
        }
    }

    fn mit_of(&self, holder: &str) -> String {
        let lines = self.mit.lines().map(|line| {
            if line.starts_with("Copyright ") { format!("Copyright (c) {holder}") } else { line.to_owned() }
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Each text once, however its lines are broken.
#[derive(Debug, Default)]
struct Texts {
    list: Vec<String>,
    known: HashMap<String, usize>,
}

impl Texts {
    fn places(&mut self, texts: Vec<String>) -> Vec<usize> {
        let mut places: Vec<usize> = Vec::new();
        for text in texts {
            let place = self.place(text);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }

    fn place(&mut self, text: String) -> usize {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        *self.known.entry(words).or_insert_with(|| {
            self.list.push(text);
            self.list.len() - 1
        })
    }
}

impl Licences {
    /// A line for each package and each text, so that a change is seen as one.
    fn as_text(&self) -> Result<String, StepError> {
        let failed = |error: serde_json::Error| StepError::file(FILE, error.into());
        let packages =
            self.packages.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let texts =
            self.texts.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        Ok(format!(
            "{{\n\"packages\": [\n{}\n],\n\"texts\": [\n{}\n]\n}}\n",
            packages.join(",\n"),
            texts.join(",\n")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linked(name: &str, version: &str, licence: &str) -> Linked {
        Linked { name: name.to_owned(), version: version.to_owned(), licence: licence.to_owned() }
    }

    fn entry(name: &str, version: Option<&str>, licence: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            version: version.map(str::to_owned),
            within: None,
            licence: licence.to_owned(),
            texts: vec![0],
        }
    }

    /// A crate in a folder of its own with these files.
    fn source(folder: &Path, name: &str, files: &[(&str, &str)]) -> Source {
        let folder = folder.join(name);
        fs::create_dir_all(folder.join("LICENSES")).unwrap();
        for (file, text) in files {
            fs::write(folder.join(file), text).unwrap();
        }
        Source {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            authors: vec!["Ann Author <ann@example.org>".to_owned()],
            manifest_path: folder.join("Cargo.toml"),
            license_file: None,
        }
    }

    fn repository() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("LICENSE-APACHE"), "Apache\n").unwrap();
        fs::write(root.path().join("LICENSE-MIT"), "MIT\n\nCopyright (c) ours\n\nFree.\n").unwrap();
        root
    }

    #[test]
    fn the_tree_is_read_once_for_each_crate_and_without_our_own() {
        let tree = "rosterbridge-cli v0.1.0 (/somewhere/crates/cli)\tMIT\n\
                    csv v1.4.0\tUnlicense/MIT\n\
                    log v0.4.1\tMIT / Apache-2.0\n\
                    \n\
                    csv v1.4.0\tUnlicense/MIT (*)\n";
        let expected =
            [linked("csv", "1.4.0", "Unlicense OR MIT"), linked("log", "0.4.1", "MIT OR Apache-2.0")];
        assert_eq!(crates(tree).unwrap(), BTreeSet::from(expected));
    }

    #[test]
    fn a_crate_from_elsewhere_or_without_a_licence_is_refused() {
        let elsewhere =
            crates("csv v1.4.0 (https://git.example.org/csv#1234)\tMIT\n").unwrap_err().to_string();
        assert!(elsewhere.contains("csv 1.4.0") && elsewhere.contains("git.example.org"), "{elsewhere}");
        assert!(crates("csv v1.4.0\t\n").unwrap_err().to_string().contains("no licence"));
        assert!(crates("csv\n").is_err());
    }

    #[test]
    fn a_file_that_names_other_crates_is_told_from_one_that_is_right() {
        let now = BTreeSet::from([linked("csv", "1.4.0", "MIT"), linked("log", "0.4.1", "MIT")]);
        let csv = || entry("csv", Some("1.4.0"), "MIT");
        let log = |version| entry("log", Some(version), "MIT");
        let within = || entry("zlib", None, "Zlib");
        assert_eq!(difference(&now, &[csv(), log("0.4.1"), within()]), None);
        assert!(difference(&now, &[csv(), within()]).unwrap().contains("does not name log 0.4.1"));
        assert!(difference(&now, &[csv(), log("0.4.0")]).unwrap().contains("does not name log 0.4.1"));
        let more = [csv(), log("0.4.1"), entry("old", Some("1.0.0"), "MIT")];
        assert!(difference(&now, &more).unwrap().contains("names old 1.0.0 (MIT)"));
        let other = [entry("csv", Some("1.4.0"), "ISC"), log("0.4.1")];
        assert!(difference(&now, &other).unwrap().contains("csv 1.4.0 (MIT)"));
    }

    #[test]
    fn a_text_that_several_share_is_kept_once_whatever_its_line_ends() {
        let root = repository();
        let sources = [
            source(
                root.path(),
                "one",
                &[("LICENSE-MIT", "Free  \r\nfor all.\r\n"), ("README.md", "Read me.")],
            ),
            source(root.path(), "two", &[("COPYING", "Free for all.\n"), ("LICENSES/ISC.txt", "As it is.")]),
        ];
        let crates = BTreeSet::from([linked("one", "1.0.0", "MIT"), linked("two", "1.0.0", "MIT AND ISC")]);
        let licences = gather(root.path(), &crates, &sources).unwrap();
        assert_eq!(&licences.texts[..2], ["Free\nfor all.", "As it is."]);
        let places: Vec<_> =
            licences.packages.iter().map(|one| (one.name.as_str(), one.texts.as_slice())).collect();
        assert_eq!(places, [("one", &[0][..]), ("Rust standard library", &[2, 3]), ("two", &[0, 1])]);
    }

    #[test]
    fn a_crate_without_a_text_gets_the_one_of_a_licence_it_offers() {
        let root = repository();
        let text = |name: &str, licence: &str| {
            let sources = [source(root.path(), name, &[("LICENSE-GPL", "Not this one.")])];
            let crates = BTreeSet::from([linked(name, "1.0.0", licence)]);
            gather(root.path(), &crates, &sources).map(|licences| licences.texts[0].clone())
        };
        assert_eq!(text("a", "MIT OR Apache-2.0").unwrap(), "Apache");
        assert_eq!(text("b", "MIT").unwrap(), "MIT\n\nCopyright (c) Ann Author\n\nFree.");
        assert!(text("c", "BSD-3-Clause").unwrap().starts_with("Copyright (c) Ann Author\n\nRedistribution"));
        assert!(text("d", "BSL-1.0").unwrap().starts_with("Boost Software License"));
        for unknown in ["MIT AND ISC", "(MIT OR Apache-2.0) AND Unicode-3.0", "GPL-3.0-only"] {
            assert!(text("e", unknown).unwrap_err().to_string().contains(unknown));
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let root = repository();
        let sources = [source(root.path(), "zlib", &[("LICENSE", "Text with \"marks\"\nand lines.")])];
        let crates = BTreeSet::from([linked("zlib", "1.0.0", "Zlib")]);
        let licences = gather(root.path(), &crates, &sources).unwrap();
        let read: Licences = serde_json::from_str(&licences.as_text().unwrap()).unwrap();
        assert_eq!((read.packages, read.texts), (licences.packages, licences.texts));
    }
}
