//! What installing a plugin means to PowerSchool: `plugin.xml` and the named queries of a zip.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{Cursor, Read as _};

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use thiserror::Error;

/// Largest file read out of a plugin, bytes; real ones are a few kilobytes.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;
/// Most bytes read out of a plugin, all files together.
const LARGEST_PLUGIN: u64 = 16 * 1024 * 1024;
/// Most files of a plugin.
const MOST_FILES: usize = 1_000;
/// Elements within elements; a plugin needs five.
const DEEPEST: usize = 32;

/// Why PowerSchool would not install a plugin.
#[derive(Debug, Error)]
pub enum PluginError {
    /// Not a zip.
    #[error("The plugin is not a readable zip: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// A file in it could not be read.
    #[error("The plugin's {file} cannot be read: {source}")]
    Read {
        /// Path inside the zip.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// `plugin.xml` is not at the root.
    #[error("The zip has no plugin.xml at its root")]
    NoPluginXml,
    /// XML that does not parse, or declares a document type.
    #[error("The plugin's {file} is not acceptable XML: {reason}")]
    Xml {
        /// Path inside the zip.
        file: String,
        /// What the parser said.
        reason: String,
    },
    /// Well-formed, but not what PowerSchool takes.
    #[error("PowerSchool does not accept the plugin's {file}: {reason}")]
    Invalid {
        /// Path inside the zip.
        file: String,
        /// The rule that is broken.
        reason: String,
    },
    /// An update must raise the version.
    #[error(
        "Version {installed} of the plugin is installed already; an update needs a higher one than {offered}"
    )]
    NotNewer {
        /// What is installed.
        installed: String,
        /// What was offered.
        offered: String,
    },
}

/// An installed plugin.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// `plugin/@name`: what an update is recognised by.
    pub name: String,
    /// `plugin/@version`: digits and dots.
    pub version: String,
    /// Has an `oauth` element: only then there are credentials.
    pub oauth: bool,
    /// Fields of `access_request`, lower case, by (table, field).
    access: HashMap<(String, String), Access>,
    /// Named queries by name.
    pub(crate) queries: BTreeMap<String, Query>,
}

/// `field/@access` of an `access_request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// May be read.
    ViewOnly,
    /// May be read and written.
    FullAccess,
}

/// A named query.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub name: String,
    pub core_table: String,
    pub flattened: bool,
    pub description: String,
    pub args: Vec<Arg>,
    pub columns: Vec<Column>,
    pub sql: String,
}

/// An argument of a named query.
#[derive(Debug, Clone)]
pub(crate) struct Arg {
    pub name: String,
    pub required: bool,
    pub default: Option<String>,
}

/// A column of a named query: which field it is checked as, and what it is called in the answer.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub table: String,
    pub field: String,
    pub label: String,
}

impl Plugin {
    /// Reads a plugin, a zip or a bare plugin.xml, the way PowerSchool does when it installs one.
    pub fn read(file: &[u8]) -> Result<Self, PluginError> {
        if file.trim_ascii_start().starts_with(b"<") || file.starts_with(b"\xef\xbb\xbf<") {
            let text = std::str::from_utf8(file)
                .map_err(|error| PluginError::Xml { file: "plugin.xml".into(), reason: error.to_string() })?;
            return Self::read_plugin_xml(text);
        }
        let mut archive = zip::ZipArchive::new(Cursor::new(file))?;
        if archive.len() > MOST_FILES {
            return Err(invalid("the zip", "it has too many files"));
        }
        let files: Vec<String> = archive
            .file_names()
            .map(|name| name.map(std::borrow::Cow::into_owned))
            .collect::<Result<_, _>>()?;
        let mut left = LARGEST_PLUGIN;
        let mut read = |file: &str| -> Result<String, PluginError> {
            let mut text = String::new();
            let most = LARGEST_FILE.min(left);
            // One more than is taken, so that a file of that size can be told from a longer one.
            let bytes = archive
                .by_name(file)?
                .take(most + 1)
                .read_to_string(&mut text)
                .map_err(|source| PluginError::Read { file: file.into(), source })?
                as u64;
            if bytes > most {
                return Err(invalid(file, "it is too long"));
            }
            left -= bytes;
            Ok(text)
        };
        if !files.iter().any(|file| file == "plugin.xml") {
            return Err(PluginError::NoPluginXml);
        }
        let mut plugin = Self::read_plugin_xml(&read("plugin.xml")?)?;
        for file in &files {
            if file.starts_with("queries_root/") && file.ends_with(".named_queries.xml") {
                for query in read_queries(file, &read(file)?)? {
                    if plugin.queries.insert(query.name.clone(), query).is_some() {
                        return Err(invalid(file, "a query name occurs twice"));
                    }
                }
            }
        }
        Ok(plugin)
    }

    fn read_plugin_xml(text: &str) -> Result<Self, PluginError> {
        const FILE: &str = "plugin.xml";
        let mut plugin = Self {
            name: String::new(),
            version: String::new(),
            oauth: false,
            access: HashMap::new(),
            queries: BTreeMap::new(),
        };
        let mut children = BTreeSet::new();
        let (mut publisher, mut email) = (false, false);
        walk(FILE, text, |path, element, _| {
            let Some(element) = element else { return Ok(()) };
            let attribute = |name: &str, most: usize| limited(FILE, element, name, most);
            match path {
                ["plugin"] => {
                    if attribute("xmlns", 100)? != "http://plugin.powerschool.pearson.com" {
                        return Err(invalid(
                            FILE,
                            "the namespace is not http://plugin.powerschool.pearson.com",
                        ));
                    }
                    plugin.name = attribute("name", 40)?;
                    plugin.version = attribute("version", 20)?;
                    if !plugin.version.chars().all(|c| c.is_ascii_digit() || c == '.') {
                        return Err(invalid(FILE, "a version has only digits and dots"));
                    }
                }
                ["plugin", child] => {
                    if !children.insert((*child).to_owned()) {
                        return Err(invalid(FILE, "a child of plugin occurs twice"));
                    }
                    match *child {
                        "oauth" => plugin.oauth = true,
                        "publisher" => {
                            attribute("name", 100)?;
                            publisher = true;
                        }
                        _ => {}
                    }
                }
                ["plugin", "publisher", "contact"] => {
                    attribute("email", 40)?;
                    email = true;
                }
                ["plugin", "access_request", "field"] => {
                    let key =
                        (attribute("table", 30)?.to_lowercase(), attribute("field", 30)?.to_lowercase());
                    let access = match attribute("access", 20)?.as_str() {
                        "ViewOnly" => Access::ViewOnly,
                        "FullAccess" => Access::FullAccess,
                        _ => return Err(invalid(FILE, "access is ViewOnly or FullAccess")),
                    };
                    let held = plugin.access.entry(key).or_insert(access);
                    *held = (*held).max(access);
                }
                _ => {}
            }
            Ok(())
        })?;
        if plugin.name.is_empty() {
            return Err(invalid(FILE, "the root element is not plugin"));
        }
        if !(publisher && email) {
            return Err(invalid(FILE, "publisher with a contact is required"));
        }
        Ok(plugin)
    }

    /// What the plugin may do with a field, by `TABLE` and `FIELD` in any case.
    pub(crate) fn access(&self, table: &str, field: &str) -> Option<Access> {
        self.access.get(&(table.to_lowercase(), field.to_lowercase())).copied()
    }

    /// Whether this one may replace `installed`: another name, or a higher version.
    pub(crate) fn check_update(&self, installed: &Self) -> Result<(), PluginError> {
        if self.name == installed.name && version_parts(&self.version) <= version_parts(&installed.version) {
            return Err(PluginError::NotNewer {
                installed: installed.version.clone(),
                offered: self.version.clone(),
            });
        }
        Ok(())
    }
}

/// The numbers of a dotted version, for comparison.
pub(crate) fn version_parts(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

fn read_queries(file: &str, text: &str) -> Result<Vec<Query>, PluginError> {
    let mut queries: Vec<Query> = Vec::new();
    walk(file, text, |path, element, text| {
        match (path, element, queries.last_mut()) {
            (["queries", "query"], Some(element), _) => {
                let name = limited(file, element, "name", 200)?;
                if name.split('.').filter(|part| !part.is_empty()).count() != 5 {
                    return Err(invalid(file, "a query name has five parts with dots between"));
                }
                queries.push(Query {
                    name,
                    core_table: optional(file, element, "coreTable")?.unwrap_or_default(),
                    flattened: optional(file, element, "flattened")?.as_deref() == Some("true"),
                    ..Query::default()
                });
            }
            (["queries", "query", "args", "arg"], Some(element), Some(query)) => query.args.push(Arg {
                name: limited(file, element, "name", 100)?,
                required: optional(file, element, "required")?.as_deref() == Some("true"),
                default: optional(file, element, "default")?.filter(|default| !default.is_empty()),
            }),
            (["queries", "query", "columns", "column"], Some(element), Some(query)) => {
                let source = limited(file, element, "column", 61)?;
                let Some((table, field)) = source.split_once('.') else {
                    return Err(invalid(file, "column names TABLE.FIELD"));
                };
                query.columns.push(Column { table: table.into(), field: field.into(), label: String::new() });
            }
            (["queries", "query", "columns", "column"], None, Some(query)) => {
                if let Some(column) = query.columns.last_mut() {
                    column.label.push_str(text.trim());
                }
            }
            (["queries", "query", "sql"], None, Some(query)) => query.sql.push_str(text),
            (["queries", "query", "description"], None, Some(query)) => {
                query.description.push_str(text.trim());
            }
            _ => {}
        }
        Ok(())
    })?;
    for query in &mut queries {
        if query.columns.is_empty() || query.sql.trim().is_empty() {
            return Err(invalid(file, "a query needs columns and sql"));
        }
        for column in &mut query.columns {
            if column.label.is_empty() {
                column.label = column.field.to_lowercase();
            }
        }
    }
    Ok(queries)
}

/// Calls `visit` with the path of local names for every element (with its tag) and every piece of
/// text (without).
fn walk(
    file: &str,
    text: &str,
    mut visit: impl FnMut(&[&str], Option<&BytesStart<'_>>, &str) -> Result<(), PluginError>,
) -> Result<(), PluginError> {
    let xml = |reason: String| PluginError::Xml { file: file.into(), reason };
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut path: Vec<String> = Vec::new();
    loop {
        let event = reader.read_event().map_err(|error| xml(error.to_string()))?;
        let (element, piece) = match &event {
            Event::Eof if path.is_empty() => return Ok(()),
            Event::Eof => return Err(xml("it ends before its root element does".into())),
            Event::DocType(_) => return Err(xml("a document type is not allowed".into())),
            Event::Start(element) | Event::Empty(element) => {
                if path.len() == DEEPEST {
                    return Err(xml("elements lie too deep in each other".into()));
                }
                path.push(element.local_name().as_ref().to_owned());
                (Some(element), String::new())
            }
            Event::Text(text) => (None, text.xml10_content().into_owned()),
            Event::CData(text) => (None, text.xml10_content().into_owned()),
            Event::GeneralRef(reference) => {
                let name = reference.xml10_content();
                let resolved = match reference.resolve_char_ref().map_err(|error| xml(error.to_string()))? {
                    Some(character) => character.to_string(),
                    None => quick_xml::escape::resolve_predefined_entity(&name)
                        .ok_or_else(|| xml(format!("the entity {name} is unknown")))?
                        .to_owned(),
                };
                (None, resolved)
            }
            Event::End(_) => {
                path.pop();
                continue;
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
        };
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        visit(&names, element, &piece)?;
        if matches!(event, Event::Empty(_)) {
            path.pop();
        }
    }
}

fn optional(file: &str, element: &BytesStart<'_>, name: &str) -> Result<Option<String>, PluginError> {
    let xml = |reason: String| PluginError::Xml { file: file.into(), reason };
    let Some(attribute) = element.try_get_attribute(name).map_err(|error| xml(error.to_string()))? else {
        return Ok(None);
    };
    let value =
        attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| xml(error.to_string()))?;
    Ok(Some(value.into_owned()))
}

/// A required attribute of 1 to `most` characters.
fn limited(file: &str, element: &BytesStart<'_>, name: &str, most: usize) -> Result<String, PluginError> {
    let value = optional(file, element, name)?.unwrap_or_default();
    if value.is_empty() || value.chars().count() > most {
        return Err(invalid(file, &format!("{name} needs 1 to {most} characters")));
    }
    Ok(value)
}

fn invalid(file: &str, reason: &str) -> PluginError {
    PluginError::Invalid { file: file.into(), reason: reason.into() }
}
