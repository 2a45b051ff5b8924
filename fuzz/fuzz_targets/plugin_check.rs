//! Any bytes as a plugin: as a file of their own, and as the named queries and permission mappings of an archive.
#![no_main]

use std::io::{Cursor, Write};

use libfuzzer_sys::fuzz_target;
use rosterbridge_domain::job::Job;
use rosterbridge_powerschool::plugin::check;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// An archive with the same content in each place where XML is read.
fn archive(content: &[u8]) -> Option<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for name in ["plugin.xml", "queries_root/a.named_queries.xml", "permissions_root/a.permission_mappings.xml"] {
        zip.start_file(name, options).ok()?;
        zip.write_all(content).ok()?;
    }
    Some(zip.finish().ok()?.into_inner())
}

fn all(name: &str, content: &[u8]) {
    let checked = check(name, content);
    for remark in &checked.remarks {
        assert_eq!(remark.line == 0, remark.column == 0);
        assert!(remark.message.chars().count() < 2_000);
    }
    for job in Job::ALL {
        assert!(!checked.fit(job).sentence.is_empty());
    }
}

fuzz_target!(|content: &[u8]| {
    let is_zip = content.starts_with(b"PK");
    all(if is_zip { "plugin.zip" } else { "plugin.xml" }, content);
    if !is_zip && let Some(archive) = archive(content) {
        all("plugin.zip", &archive);
    }
});
