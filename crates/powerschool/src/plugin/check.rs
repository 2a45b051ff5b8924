//! Judging a plugin file, ours or a vendor's: whether PowerSchool would take it, what it asks for and does, and what our
//! exchanges would miss with it.
//!
//! The file comes from anywhere. Whatever is in it, checking ends, and takes at most about 64 MiB beside the file itself:
//! files over [`LARGEST_FILE`] are refused unread; of an archive one file is unpacked at a time, an XML file to at most
//! [`LARGEST_XML`], and what is unpacked is counted as it comes and not as the archive says; trees, remarks and texts
//! shown are limited. Nothing is written to disk or fetched, and no entity is expanded.

mod archive;
mod encoding;
mod queries;
mod rules;
mod select;
mod xml;

use std::collections::{BTreeMap, BTreeSet};

use rosterbridge_domain::job::Job;

use self::{archive::Archive, queries::Queries, rules::PluginXml, xml::Element};
use super::{Access, queries_needed, words};
use crate::access::Reach;

/// The largest plugin file that is looked into, bytes. Real ones are a few kilobytes, with pages and pictures a few
/// megabytes.
pub const LARGEST_FILE: usize = 16 << 20;

/// The largest XML file that is looked into, bytes after unpacking. One that asks for every field there is has about one
/// million.
pub const LARGEST_XML: usize = 2 << 20;

/// Remarks of one severity that are kept; further ones are counted.
const REMARKS: usize = 100;

/// What was found out about a plugin file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// `plugin/@name`, where it could be read.
    pub name: Option<String>,
    /// `plugin/@version`.
    pub version: Option<String>,
    /// `plugin/@description`.
    pub description: Option<String>,
    /// The publisher's name, with the contact's address in brackets.
    pub publisher: Option<String>,
    /// Whether it makes credentials: it has an `oauth` element.
    pub oauth: bool,
    /// Every field it asks for once, as table and field in capitals, by table and field.
    pub asks: Vec<(String, String, Access)>,
    /// Its named queries, in their files' order.
    pub queries: Vec<CheckedQuery>,
    /// Errors and notes, by file and place.
    pub remarks: Vec<Remark>,
    /// What it does and asks for, in plain sentences.
    pub summary: Vec<String>,
}

/// A named query of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedQuery {
    /// `query/@name`.
    pub name: String,
    /// `query/@coreTable`; empty where it has none.
    pub core_table: String,
    /// Its columns as `TABLE.FIELD` in capitals.
    pub columns: Vec<String>,
}

/// How bad a remark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// PowerSchool would refuse the plugin, or the file is not safe to open.
    Error,
    /// Unusual, and no reason to refuse it.
    Note,
}

/// Something about a plugin file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// How bad it is.
    pub severity: Severity,
    /// The file in the archive, or the file itself.
    pub file: String,
    /// Line, from 1; 0 where it is about the whole file.
    pub line: u32,
    /// Column in characters, from 1; 0 where it is about the whole file.
    pub column: u32,
    /// The stable code, `plugin.…`.
    pub code: &'static str,
    /// What is wrong or unusual.
    pub message: String,
}

/// What one exchange would miss with a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Fields it can't do without and the plugin does not ask for, or only for reading: table and field in capitals, and
    /// the access it needs.
    pub missing: Vec<(String, String, Access)>,
    /// Whether a query of ours that the exchange reads through is missing or lacks columns: tables are then read page by
    /// page.
    pub without_queries: bool,
    /// Whether some of what it reads has to come from core resources (PowerSchool: `/ws/v1`), which is slower.
    pub core_only: bool,
    /// The same in a sentence.
    pub sentence: String,
}

impl Checked {
    /// Whether PowerSchool would install it: no remark is an error.
    pub fn valid(&self) -> bool {
        self.remarks.iter().all(|remark| remark.severity == Severity::Note)
    }

    /// What an exchange would miss with it.
    pub fn fit(&self, job: Job) -> Fit {
        let asks: BTreeMap<(&str, &str), Access> = self
            .asks
            .iter()
            .map(|(table, field, access)| ((table.as_str(), field.as_str()), *access))
            .collect();
        let brought: BTreeMap<&str, BTreeSet<&str>> = self
            .queries
            .iter()
            .map(|query| (query.name.as_str(), query.columns.iter().map(String::as_str).collect()))
            .collect();
        let without_queries = queries_needed(&[job]).iter().any(|needed| {
            brought
                .get(needed.name)
                .is_none_or(|columns| needed.columns.iter().any(|column| !columns.contains(column.as_str())))
        });
        let reach = Reach::of(
            job,
            |table, field| asks.get(&(table, field)).copied(),
            |query| brought.contains_key(query),
        );
        let sentence = if self.summary.is_empty() {
            "Can't be told: the file could not be read.".to_owned()
        } else {
            fit_sentence(self.oauth, &reach, without_queries)
        };
        let core_only = reach == Reach::CoreOnly;
        let missing = match reach {
            Reach::Full | Reach::CoreOnly => Vec::new(),
            Reach::Missing(fields) => {
                fields.into_iter().map(|field| (field.table.to_owned(), field.field, field.access)).collect()
            }
        };
        Fit { missing, without_queries, core_only, sentence }
    }
}

/// Tables named in a sentence about what is missing.
const NAMED_TABLES: usize = 4;

fn fit_sentence(oauth: bool, reach: &Reach, without_queries: bool) -> String {
    if !oauth {
        return "Can't work with this plugin: it makes no credentials to sign in with.".to_owned();
    }
    let missing = match reach {
        Reach::Full if without_queries => {
            return "Works with this plugin, but slower: without our queries the tables are read page by page."
                .to_owned();
        }
        Reach::Full => return "Works with this plugin.".to_owned(),
        Reach::CoreOnly => {
            return "Works with this plugin, but slower: what it may not read of the tables is read page by page from \
                    PowerSchool's core resources (/ws/v1)."
                .to_owned();
        }
        Reach::Missing(fields) => fields,
    };
    let mut lacking = Vec::new();
    for (may_not, access) in [("may not write", Access::FullAccess), ("may not read", Access::ViewOnly)] {
        let mut tables: BTreeMap<&str, usize> = BTreeMap::new();
        for field in missing.iter().filter(|field| field.access == access) {
            *tables.entry(field.table).or_default() += 1;
        }
        let further = tables.len().saturating_sub(NAMED_TABLES);
        let mut named: Vec<String> = tables
            .into_iter()
            .take(NAMED_TABLES)
            .map(|(table, count)| format!("{} of {}", words::fields(count), words::table(table)))
            .collect();
        if further > 0 {
            named.push(words::counted(further, "more table", "more tables"));
        }
        if !named.is_empty() {
            lacking.push(format!("{may_not} {}", words::list(&named)));
        }
    }
    format!("Can't work with this plugin: it {}.", lacking.join(", and it "))
}

/// Checks a plugin file of any origin. `file_name` may have a path before it.
pub fn check(file_name: &str, content: &[u8]) -> Checked {
    let file = words::shown(file_name.rsplit(['/', '\\']).next().unwrap_or_default(), 100);
    let mut findings = Findings::default();
    let mut checked = Checked::default();
    if content.len() > LARGEST_FILE {
        findings.whole_error(
            &file,
            "plugin.too_large",
            format!(
                "The file has more than {} MB, which no plugin needs. It was not opened.",
                LARGEST_FILE >> 20
            ),
        );
    } else {
        let ends_in = |ending: &str| {
            file.rsplit_once('.').is_some_and(|(_, extension)| extension.eq_ignore_ascii_case(ending))
        };
        let (named_zip, named_xml) = (ends_in("zip"), ends_in("xml"));
        let is_zip = content.starts_with(b"PK");
        if !named_zip && !named_xml {
            findings.whole_error(
                &file,
                "plugin.file_name",
                "PowerSchool takes files whose names end in .xml or .zip.".to_owned(),
            );
        } else if named_xml && is_zip {
            findings.whole_error(
                &file,
                "plugin.file_name",
                "The file is a zip archive, so its name has to end in .zip.".to_owned(),
            );
        } else if named_zip && !is_zip && is_xml(content) {
            findings.whole_error(
                &file,
                "plugin.file_name",
                "The file is not a zip archive but XML, so its name has to end in .xml.".to_owned(),
            );
        }
        if is_zip || named_zip && !is_xml(content) {
            check_archive(&file, content, &mut checked, &mut findings);
        } else if let Some(plugin) = check_plugin_xml(&file, content, &mut findings) {
            let summary = words_of(&plugin, &Queries::default(), &Brought::default());
            take(&mut checked, plugin, Queries::default(), summary);
        }
    }
    checked.remarks = findings.into_remarks();
    checked
}

/// Whether bytes look like XML in any encoding.
fn is_xml(content: &[u8]) -> bool {
    content
        .iter()
        .find(|byte| !matches!(byte, 0xEF | 0xBB | 0xBF | 0xFF | 0xFE | 0 | b' ' | b'\t' | b'\r' | b'\n'))
        == Some(&b'<')
}

fn check_plugin_xml(file: &str, content: &[u8], findings: &mut Findings) -> Option<PluginXml> {
    if content.len() > LARGEST_XML {
        findings.whole_error(
            file,
            "plugin.too_large",
            format!(
                "The file has more than {} MB, which no plugin.xml needs. It was not read.",
                LARGEST_XML >> 20
            ),
        );
        return None;
    }
    with_xml(file, content, findings, rules::plugin_xml).flatten()
}

/// Decodes and parses a file, and hands it to `judge`.
fn with_xml<T>(
    file: &str,
    content: &[u8],
    findings: &mut Findings,
    judge: impl FnOnce(&Source<'_>, &Element, &mut Findings) -> T,
) -> Option<T> {
    let text = match encoding::decode(content) {
        Ok(text) => text,
        Err(error) => {
            findings.add(Remark {
                severity: Severity::Error,
                file: file.to_owned(),
                line: error.line,
                column: error.column,
                code: "plugin.encoding",
                message: error.message,
            });
            return None;
        }
    };
    let source = Source::new(file, &text);
    match xml::parse(&text) {
        Ok(root) => Some(judge(&source, &root, findings)),
        Err(problem) => {
            findings.error(&source, problem.at, problem.code, problem.message);
            None
        }
    }
}

/// What an archive brings beside its XML files.
#[derive(Debug, Default)]
struct Brought {
    pages: usize,
    tables: usize,
    texts: usize,
    cataloguing: usize,
}

fn check_archive(file: &str, content: &[u8], checked: &mut Checked, findings: &mut Findings) {
    let Some(mut archive) = Archive::open(file, content, findings) else { return };
    let mut brought = Brought::default();
    let (mut plugin_xml, mut query_files, mut mapping_files) = (None, Vec::new(), Vec::new());
    for (index, name) in archive.files() {
        let (folder, rest) = name.split_once('/').unwrap_or(("", &name));
        match folder {
            "" if rest == "plugin.xml" => plugin_xml = Some(index),
            "queries_root" if rest.ends_with(".named_queries.xml") => query_files.push((index, name)),
            "permissions_root" if rest.ends_with(".permission_mappings.xml") => {
                mapping_files.push((index, name));
            }
            "web_root" => brought.pages += 1,
            "user_schema_root" => brought.tables += 1,
            "MessageKeys" => brought.texts += 1,
            "pagecataloging" => brought.cataloguing += 1,
            _ => findings.whole_note(
                &words::shown(&name, 100),
                "plugin.file_ignored",
                "PowerSchool knows no such file in a plugin: it ignores it, or refuses the plugin for it."
                    .to_owned(),
            ),
        }
    }
    if plugin_xml.is_none() {
        findings.whole_error(file, "plugin.no_plugin_xml", archive.without_plugin_xml());
    }
    let plugin = plugin_xml
        .and_then(|index| archive.read(index, findings))
        .and_then(|content| check_plugin_xml("plugin.xml", &content, findings));
    let mut queries = Queries::default();
    for (index, name) in query_files {
        if let Some(content) = archive.read(index, findings) {
            let asks = plugin.as_ref().map(|plugin| &plugin.asks);
            with_xml(&words::shown(&name, 100), &content, findings, |source, root, findings| {
                queries.named_queries(source, root, asks, findings);
            });
        }
    }
    for (index, name) in mapping_files {
        if let Some(content) = archive.read(index, findings) {
            with_xml(&words::shown(&name, 100), &content, findings, |source, root, findings| {
                queries.permission_mappings(source, root, findings);
            });
        }
    }
    archive.measure_the_rest(findings);
    if let Some(plugin) = plugin {
        let summary = words_of(&plugin, &queries, &brought);
        take(checked, plugin, queries, summary);
    }
}

fn take(checked: &mut Checked, plugin: PluginXml, queries: Queries, summary: Vec<String>) {
    checked.name = plugin.name;
    checked.version = plugin.version;
    checked.description = plugin.description;
    checked.publisher = plugin.publisher;
    checked.oauth = plugin.oauth;
    checked.asks = plugin.asks.into_iter().map(|((table, field), access)| (table, field, access)).collect();
    checked.queries = queries.list;
    checked.summary = summary;
}

/// Tables that get a sentence of their own.
const TABLES: usize = 40;

/// What a plugin does, in sentences.
fn words_of(plugin: &PluginXml, queries: &Queries, brought: &Brought) -> Vec<String> {
    let mut words = vec![
        if plugin.oauth {
            "Creates credentials with which another program signs in (OAuth)."
        } else {
            "Creates no credentials: no program can sign in with it."
        }
        .to_owned(),
    ];
    let mut tables: BTreeMap<&str, Vec<(&str, Access)>> = BTreeMap::new();
    for ((table, field), access) in &plugin.asks {
        tables.entry(table).or_default().push((field, *access));
    }
    let further = tables.len().saturating_sub(TABLES);
    for (table, fields) in tables.iter().take(TABLES) {
        for (access, does) in [(Access::ViewOnly, "Reads"), (Access::FullAccess, "Reads and writes")] {
            let of_it = fields.iter().filter(|(_, asked)| *asked == access).map(|(field, _)| *field);
            let count = of_it.clone().count();
            if count > 0 {
                let topics = words::topics(of_it);
                let among = if topics.is_empty() {
                    String::new()
                } else {
                    format!(", among them {}", words::list(&topics))
                };
                words.push(format!("{does} {} of {}{among}.", words::fields(count), words::table(table)));
            }
        }
    }
    if further > 0 {
        words.push(format!("Asks for fields of {}.", words::counted(further, "more table", "more tables")));
    }
    if plugin.asks.is_empty() {
        words.push("Asks for no fields of the database.".to_owned());
    }
    if !queries.list.is_empty() {
        let count = words::counted(queries.list.len(), "query", "queries");
        words.push(format!("Brings {count} of its own."));
    }
    for (page, called) in queries.mappings.iter().take(TABLES) {
        let called = words::counted(*called, "of its queries", "of its queries");
        words.push(format!("Lets everybody who may open {page} call {called}."));
    }
    words.extend(plugin.facts.iter().cloned());
    let things = [
        (
            brought.pages,
            "Adds or changes",
            "page file of PowerSchool",
            "page files of PowerSchool",
            "web_root",
        ),
        (brought.tables, "Extends PowerSchool's database by", "file", "files", "user_schema_root"),
        (brought.texts, "Brings texts for its pages in", "file", "files", "MessageKeys"),
        (
            brought.cataloguing,
            "Puts pages into PowerSchool's navigation by",
            "file",
            "files",
            "pagecataloging",
        ),
    ];
    for (count, does, one, several, folder) in things {
        if count > 0 {
            words.push(format!("{does} {} ({folder}).", words::counted(count, one, several)));
        }
    }
    words
}

/// A file's text, for telling places.
struct Source<'a> {
    file: &'a str,
    text: &'a str,
    /// Where each line begins, in bytes.
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    fn new(file: &'a str, text: &'a str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { file, text, lines }
    }

    /// Line and column in characters, both from 1.
    fn place(&self, at: usize) -> (u32, u32) {
        let line = self.lines.partition_point(|begin| *begin <= at);
        let begin = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let end = at.min(self.text.len());
        let column = self.text.as_bytes().get(begin..end).unwrap_or_default();
        // Every character has one byte that continues none.
        let column = column.iter().filter(|byte| (**byte & 0xC0) != 0x80).count() + 1;
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }
}

/// The remarks of a check, at most [`REMARKS`] of each severity.
#[derive(Default)]
struct Findings {
    errors: Vec<Remark>,
    notes: Vec<Remark>,
    /// Errors and notes beyond.
    further: (usize, usize),
}

impl Findings {
    fn add(&mut self, remark: Remark) {
        let (list, further) = match remark.severity {
            Severity::Error => (&mut self.errors, &mut self.further.0),
            Severity::Note => (&mut self.notes, &mut self.further.1),
        };
        if list.len() < REMARKS {
            list.push(remark);
        } else {
            *further += 1;
        }
    }

    fn error(&mut self, source: &Source<'_>, at: usize, code: &'static str, message: String) {
        self.at(Severity::Error, source, at, code, message);
    }

    fn note(&mut self, source: &Source<'_>, at: usize, code: &'static str, message: String) {
        self.at(Severity::Note, source, at, code, message);
    }

    fn at(
        &mut self,
        severity: Severity,
        source: &Source<'_>,
        at: usize,
        code: &'static str,
        message: String,
    ) {
        let full = match severity {
            Severity::Error => self.errors.len() >= REMARKS,
            Severity::Note => self.notes.len() >= REMARKS,
        };
        // One that is only counted needs no place, and in a long line finding that takes a while.
        let (line, column) = if full { (0, 0) } else { source.place(at) };
        self.add(Remark { severity, file: source.file.to_owned(), line, column, code, message });
    }

    fn whole_error(&mut self, file: &str, code: &'static str, message: String) {
        self.whole(Severity::Error, file, code, message);
    }

    fn whole_note(&mut self, file: &str, code: &'static str, message: String) {
        self.whole(Severity::Note, file, code, message);
    }

    fn whole(&mut self, severity: Severity, file: &str, code: &'static str, message: String) {
        self.add(Remark { severity, file: file.to_owned(), line: 0, column: 0, code, message });
    }

    /// All of them, by file and place. Files keep the order in which they were met.
    fn into_remarks(self) -> Vec<Remark> {
        let mut files: BTreeMap<String, usize> = BTreeMap::new();
        let mut remarks: Vec<Remark> = self.errors.into_iter().chain(self.notes).collect();
        for remark in &remarks {
            let next = files.len();
            files.entry(remark.file.clone()).or_insert(next);
        }
        remarks.sort_by_key(|remark| (files.get(&remark.file).copied(), remark.line, remark.column));
        for (severity, further) in [(Severity::Error, self.further.0), (Severity::Note, self.further.1)] {
            if further > 0 {
                let what = match severity {
                    Severity::Error => words::counted(further, "more error", "more errors"),
                    Severity::Note => words::counted(further, "more note", "more notes"),
                };
                remarks.push(Remark {
                    severity,
                    file: String::new(),
                    line: 0,
                    column: 0,
                    code: "plugin.more_remarks",
                    message: format!("There are {what} than are listed."),
                });
            }
        }
        remarks
    }
}
