//! A plugin's zip archive, read without trust: how much comes out of it is counted as it comes, and archives that
//! different programs would read differently are refused.

use std::{
    collections::BTreeSet,
    io::{self, Cursor, Read},
};

use zip::{CompressionMethod, ZipArchive};

use super::{Findings, LARGEST_XML, words};

/// Entries of an archive.
const ENTRIES: usize = 5_000;
/// What may come out of an archive altogether, bytes.
const LARGEST_WHOLE: u64 = 64 << 20;
/// What may come out of the XML files that are looked into altogether, bytes.
const LARGEST_XMLS: u64 = 8 << 20;
/// What may come out of an entry for each byte in it, from [`RATIO_FROM`] on.
const RATIO: u64 = 200;
const RATIO_FROM: u64 = 1 << 20;
/// Each entry has a header with this signature in the central directory.
const CENTRAL_HEADER: &[u8] = b"PK\x01\x02";
/// What the record at an archive's end begins with.
const END_RECORD: &[u8] = b"PK\x05\x06";
/// What the record before it begins with in an archive of the larger format.
const ZIP64_END_RECORD: &[u8] = b"PK\x06\x06";
/// Records of either kind taken. One is usual; archives inside an archive bring their own.
const ENDS: usize = 8;

/// An archive that has passed what can be judged without unpacking it.
pub(super) struct Archive<'a> {
    file: &'a str,
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// Index and name of every file.
    files: Vec<(usize, String)>,
    /// The files that were unpacked already.
    read: BTreeSet<usize>,
    /// What has come out so far, bytes.
    unpacked: u64,
    /// What may still come out of XML files, bytes.
    xml_left: u64,
    /// An entry was too large: no more is unpacked.
    burst: bool,
}

/// Why an entry was not unpacked to its end.
enum Broken {
    /// Too much comes out of it.
    TooLarge(String),
    /// It is no valid entry.
    Damaged,
    /// It is compressed in another way than PowerSchool and this program read.
    Unsupported,
}

impl<'a> Archive<'a> {
    /// Opens an archive, or says why not. `file` is its name.
    pub(super) fn open(file: &'a str, content: &'a [u8], findings: &mut Findings) -> Option<Self> {
        // Before anything is allocated for them.
        let count = |signature: &[u8]| content.windows(4).filter(|bytes| *bytes == signature).count();
        if count(CENTRAL_HEADER) > ENTRIES {
            findings.whole_error(
                file,
                "plugin.too_large",
                format!(
                    "The archive has more than {ENTRIES} entries, which no plugin needs. It was not opened."
                ),
            );
            return None;
        }
        // A reader looks for the right pair of these in every combination, which takes hours when there are thousands.
        if count(END_RECORD) > ENDS || count(ZIP64_END_RECORD) > ENDS {
            findings.whole_error(
                file,
                "plugin.zip_unsafe",
                "The archive ends more than once. Programs would read it differently, so it was not unpacked."
                    .to_owned(),
            );
            return None;
        }
        let Ok(mut zip) = ZipArchive::new(Cursor::new(content)) else {
            findings.whole_error(file, "plugin.zip_damaged", unreadable().to_owned());
            return None;
        };
        if let Some(why) = ambiguous(&mut zip) {
            findings.whole_error(
                file,
                "plugin.zip_unsafe",
                format!("The archive {why}. Programs would read it differently, so it was not unpacked."),
            );
            return None;
        }
        let mut archive = Self {
            file,
            zip,
            files: Vec::new(),
            read: BTreeSet::new(),
            unpacked: 0,
            xml_left: LARGEST_XMLS,
            burst: false,
        };
        archive.list(findings).then_some(archive)
    }

    /// Lists the files; whether every entry is harmless.
    fn list(&mut self, findings: &mut Findings) -> bool {
        let mut harmless = true;
        for index in 0..self.zip.len() {
            let Ok(entry) = self.zip.by_index_data(index) else {
                findings.whole_error(self.file, "plugin.zip_damaged", unreadable().to_owned());
                return false;
            };
            let name = entry.name().map(std::borrow::Cow::into_owned);
            let why = match &name {
                Err(_) => Some("has a name that can't be read"),
                Ok(name) => unsafe_name(name)
                    .or_else(|| entry.is_symlink().then_some("is a link to another file"))
                    .or_else(|| entry.encrypted().then_some("is encrypted")),
            };
            let name = name.unwrap_or_default();
            match why {
                Some(why) => {
                    harmless = false;
                    findings.whole_error(
                        self.file,
                        "plugin.zip_unsafe",
                        format!(
                            "The entry '{}' {why}. The archive was not unpacked.",
                            words::shown(&name, 100)
                        ),
                    );
                }
                None if entry.is_dir() => {}
                None => self.files.push((index, name)),
            }
        }
        harmless
    }

    /// Index and name of every file.
    pub(super) fn files(&self) -> Vec<(usize, String)> {
        self.files.clone()
    }

    /// Why there is no `plugin.xml` at the root, as far as the other names tell.
    pub(super) fn without_plugin_xml(&self) -> String {
        let names = || self.files.iter().map(|(_, name)| name.as_str());
        if let Some(name) = names().find(|name| name.eq_ignore_ascii_case("plugin.xml")) {
            return format!("In an archive the file has to be named plugin.xml exactly; here it is {name}.");
        }
        let nested = names().find_map(|name| {
            let (folder, file) = name.rsplit_once('/')?;
            file.eq_ignore_ascii_case("plugin.xml").then_some(folder)
        });
        match nested {
            Some(folder) => format!(
                "plugin.xml lies in the folder '{}' instead of at the archive's root. Zip what is in the folder, not \
                 the folder itself.",
                words::shown(folder, 100)
            ),
            None => "The archive has no plugin.xml: it is no plugin.".to_owned(),
        }
    }

    /// An XML file's content.
    pub(super) fn read(&mut self, index: usize, findings: &mut Findings) -> Option<Vec<u8>> {
        self.read.insert(index);
        let mut content = Vec::new();
        let most = self.xml_left.min(LARGEST_XML as u64);
        let done = self.unpack(index, most, |piece| content.extend_from_slice(piece));
        self.xml_left -= content.len() as u64;
        self.judge(index, done, findings)?;
        Some(content)
    }

    /// Unpacks every other file into nothing, because PowerSchool would unpack it too.
    pub(super) fn measure_the_rest(&mut self, findings: &mut Findings) {
        for (index, _) in self.files.clone() {
            if !self.read.contains(&index) {
                let done = self.unpack(index, LARGEST_WHOLE, |_| ());
                if self.judge(index, done, findings).is_none() {
                    return;
                }
            }
        }
    }

    fn unpack(&mut self, index: usize, most: u64, mut keep: impl FnMut(&[u8])) -> Result<(), Broken> {
        if self.burst {
            return Err(Broken::TooLarge("It was not unpacked, as another was too large.".to_owned()));
        }
        let method = self.zip.by_index_data(index).map(|entry| entry.compression());
        if !matches!(method, Ok(CompressionMethod::Stored | CompressionMethod::Deflated)) {
            return Err(Broken::Unsupported);
        }
        let most = most.min(LARGEST_WHOLE.saturating_sub(self.unpacked));
        let mut entry = self.zip.by_index(index).map_err(|_| Broken::Damaged)?;
        let (packed, declared) = (entry.compressed_size(), entry.size());
        let mut piece = [0; 16 << 10];
        let mut bytes: u64 = 0;
        loop {
            let read = match entry.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Err(Broken::Damaged),
            };
            bytes += read as u64;
            self.unpacked += read as u64;
            let swells = bytes > RATIO_FROM && bytes / RATIO > packed;
            if bytes > most || swells {
                self.burst = true;
                return Err(Broken::TooLarge(if swells {
                    format!(
                        "More than {RATIO} times its size comes out of it: it is made to fill memory or disks."
                    )
                } else {
                    format!(
                        "More than {} MB come out of it or of the archive, which no plugin needs.",
                        most >> 20
                    )
                }));
            }
            keep(&piece[..read]);
        }
        if bytes == declared { Ok(()) } else { Err(Broken::Damaged) }
    }

    fn judge(&self, index: usize, done: Result<(), Broken>, findings: &mut Findings) -> Option<()> {
        let name = self.files.iter().find(|(of, _)| *of == index).map_or("", |(_, name)| name.as_str());
        let name = words::shown(name, 100);
        match done {
            Ok(()) => Some(()),
            Err(Broken::TooLarge(why)) => {
                findings.whole_error(&name, "plugin.too_large", why);
                None
            }
            Err(Broken::Damaged) => {
                findings.whole_error(
                    &name,
                    "plugin.zip_damaged",
                    "This file of the archive is damaged.".to_owned(),
                );
                None
            }
            Err(Broken::Unsupported) => {
                findings.whole_error(
                    &name,
                    "plugin.zip_damaged",
                    "This file is compressed in a way that PowerSchool does not read. Zip the plugin with the \
                     system's own tools."
                        .to_owned(),
                );
                None
            }
        }
    }
}

const fn unreadable() -> &'static str {
    "This is no complete zip archive: it is damaged, cut off, or something else. Get it again from where it came from."
}

/// What makes an archive one that programs read differently.
fn ambiguous(zip: &mut ZipArchive<Cursor<&[u8]>>) -> Option<&'static str> {
    if zip.has_duplicate_names() {
        return Some("has two entries of the same name");
    }
    match zip.has_overlapping_entries() {
        Ok(true) => return Some("has entries that overlap"),
        Ok(false) => {}
        Err(_) => return Some("has an entry whose place is wrong"),
    }
    zip.validate_header_consistency()
        .is_err()
        .then_some("says one thing in its directory and another in its entries")
}

/// What makes an entry's name unfit to unpack to: it would leave the folder, or stand for something else elsewhere.
fn unsafe_name(name: &str) -> Option<&'static str> {
    let mut parts = name.split('/');
    if name.is_empty() || name.chars().any(char::is_control) {
        Some("has a name that can't be shown")
    } else if name.starts_with('/') || name.chars().nth(1) == Some(':') {
        Some("names a place on the disk instead of in the archive")
    } else if name.contains('\\') {
        Some("has a backslash in its name")
    } else if parts.any(|part| part == "..") {
        Some("leads out of the archive")
    } else {
        None
    }
}
