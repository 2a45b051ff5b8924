//! The PowerSchool plugin: what an administrator installs so that RosterBridge may read and write.
//!
//! It holds one named query (PowerQuery) a table, without joins, and an access request for exactly the fields those
//! queries read and the attendance that is written, as far as the exchanges in use need them. It has no permission mappings: those would let people signed in to
//! PowerSchool call the queries, and only RosterBridge does.

use std::{
    collections::BTreeMap,
    io::{self, Cursor, Write},
};

use quick_xml::{
    Writer,
    events::{BytesCData, BytesDecl, BytesText, Event},
};
use rosterbridge_domain::job::Job;
use zip::{CompressionMethod, DateTime, ZipWriter, result::ZipError, write::SimpleFileOptions};

use crate::tables::{self, Table};

/// The plugin's name. PowerSchool updates the plugin of the same name in place and keeps its credentials.
pub const NAME: &str = "RosterBridge";

/// The plugin's version. PowerSchool updates in place only to a higher one: the first two numbers rise with a release
/// that changes a query or the access request, `revision` with every plugin written for other exchanges than before.
pub fn version(revision: u32) -> String {
    format!("1.1.{revision}")
}

const NAMESPACE: &str = "http://plugin.powerschool.pearson.com";

/// Why the plugin could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// Its XML could not be written.
    #[error("The plugin's files could not be written.")]
    Xml(#[from] io::Error),
    /// The archive could not be written.
    #[error("The plugin's archive could not be written.")]
    Archive(#[from] ZipError),
}

impl PluginError {
    /// The stable code, `plugin.…`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Xml(_) => "plugin.files",
            Self::Archive(_) => "plugin.archive",
        }
    }

    /// What the person can do.
    pub fn remedy(&self) -> &'static str {
        "Close other programs to free memory, then try again."
    }
}

/// How much of a field the plugin asks for (PowerSchool: `access` of an access request).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Reading.
    ViewOnly,
    /// Reading and writing.
    FullAccess,
}

impl Access {
    /// PowerSchool's own word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ViewOnly => "ViewOnly",
            Self::FullAccess => "FullAccess",
        }
    }
}

/// One field of the access request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldAccess {
    /// The table, in capitals.
    pub table: &'static str,
    /// The field, in capitals.
    pub field: String,
    /// What for.
    pub access: Access,
}

/// Every field a plugin for these exchanges asks for, by table and field. Fewer exchanges never need more.
pub fn access_request(jobs: &[Job]) -> Vec<FieldAccess> {
    let mut wanted: BTreeMap<(&'static str, String), Access> = BTreeMap::new();
    for table in tables::needed(jobs) {
        for column in table.columns_for(jobs) {
            wanted.insert((table.name, column.to_ascii_uppercase()), Access::ViewOnly);
        }
    }
    if tables::ATTENDANCE.needed_by(jobs) {
        for column in tables::ATTENDANCE_WRITTEN {
            wanted.insert((tables::ATTENDANCE.name, column.to_ascii_uppercase()), Access::FullAccess);
        }
    }
    wanted.into_iter().map(|((table, field), access)| FieldAccess { table, field, access }).collect()
}

/// A named query of the plugin, as its file states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedQuery {
    /// Its name, five parts.
    pub name: &'static str,
    /// Its columns as `TABLE.FIELD`, in the order of the SELECT list.
    pub columns: Vec<String>,
    /// Its arguments.
    pub arguments: Vec<&'static str>,
    /// Its SQL.
    pub sql: String,
}

/// The named queries of a plugin for these exchanges.
pub fn named_queries(jobs: &[Job]) -> Vec<NamedQuery> {
    tables::needed(jobs)
        .map(|table| NamedQuery {
            name: table.query,
            columns: table.columns_for(jobs).iter().map(|column| qualified(table, column)).collect(),
            arguments: table.arguments().iter().map(|(name, _)| *name).collect(),
            sql: table.sql(jobs),
        })
        .collect()
}

/// The files of a plugin for these exchanges, with their paths in the archive.
pub fn files(jobs: &[Job], revision: u32) -> Result<Vec<(&'static str, String)>, PluginError> {
    Ok(vec![
        ("plugin.xml", plugin_xml(jobs, revision)?),
        ("queries_root/rosterbridge.named_queries.xml", named_queries_xml(jobs)?),
    ])
}

/// The plugin for these exchanges as the zip an administrator installs. The same exchanges and revision always give
/// the same bytes.
pub fn build(jobs: &[Job], revision: u32) -> Result<Vec<u8>, PluginError> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    // A fixed date and mode, or every build would differ.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    for (path, content) in files(jobs, revision)? {
        archive.start_file(path, options)?;
        archive.write_all(content.as_bytes())?;
    }
    Ok(archive.finish()?.into_inner())
}

fn qualified(table: &Table, column: &str) -> String {
    format!("{}.{}", table.name, column.to_ascii_uppercase())
}

fn plugin_xml(jobs: &[Job], revision: u32) -> io::Result<String> {
    document(|xml| {
        xml.create_element("plugin")
            .with_attributes([
                ("xmlns", NAMESPACE),
                ("name", NAME),
                ("version", version(revision).as_str()),
                (
                    "description",
                    "Lets RosterBridge exchange rosters and attendance with Raptor and SchoolMint Hero.",
                ),
            ])
            .write_inner_content(|xml| {
                // Some server versions validate the order: oauth, access_request, publisher suits all of them.
                xml.create_element("oauth").write_empty()?;
                xml.create_element("access_request").write_inner_content(|xml| {
                    for field in access_request(jobs) {
                        xml.create_element("field")
                            .with_attributes([
                                ("table", field.table),
                                ("field", field.field.as_str()),
                                ("access", field.access.as_str()),
                            ])
                            .write_empty()?;
                    }
                    Ok(())
                })?;
                xml.create_element("publisher").with_attribute(("name", NAME)).write_inner_content(
                    |xml| {
                        xml.create_element("contact")
                            .with_attribute(("email", "support@rosterbridge.example"))
                            .write_empty()?;
                        Ok(())
                    },
                )?;
                Ok(())
            })?;
        Ok(())
    })
}

fn named_queries_xml(jobs: &[Job]) -> io::Result<String> {
    document(|xml| {
        xml.create_element("queries").write_inner_content(|xml| {
            for table in tables::needed(jobs) {
                query_xml(xml, table, jobs)?;
            }
            Ok(())
        })?;
        Ok(())
    })
}

fn query_xml(xml: &mut Writer<Vec<u8>>, table: &Table, jobs: &[Job]) -> io::Result<()> {
    xml.create_element("query")
        .with_attributes([
            ("name", table.query),
            ("coreTable", table.path_name().as_str()),
            ("flattened", "true"),
        ])
        .write_inner_content(|xml| {
            xml.create_element("description").write_text_content(BytesText::new(table.purpose))?;
            if !table.arguments().is_empty() {
                xml.create_element("args").write_inner_content(|xml| {
                    for (name, description) in table.arguments() {
                        xml.create_element("arg")
                            .with_attributes([
                                ("name", *name),
                                ("type", "primitive"),
                                ("required", "true"),
                                ("description", description),
                            ])
                            .write_empty()?;
                    }
                    Ok(())
                })?;
            }
            xml.create_element("columns").write_inner_content(|xml| {
                for column in table.columns_for(jobs) {
                    xml.create_element("column")
                        .with_attribute(("column", qualified(table, column).as_str()))
                        .write_text_content(BytesText::new(column))?;
                }
                Ok(())
            })?;
            xml.create_element("sql").write_cdata_content(BytesCData::new(table.sql(jobs)))?;
            Ok(())
        })?;
    Ok(())
}

/// An XML document, indented for the people who check a plugin before installing it.
fn document(write: impl FnOnce(&mut Writer<Vec<u8>>) -> io::Result<()>) -> io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    write(&mut writer)?;
    let mut bytes = writer.into_inner();
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(io::Error::other)
}
