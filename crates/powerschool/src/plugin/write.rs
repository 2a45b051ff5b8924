//! The plugin's files and its archive.

use std::io::{self, Cursor, Write};

use quick_xml::{
    Writer,
    events::{BytesCData, BytesDecl, BytesText, Event},
};
use rosterbridge_domain::job::Job;
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::{NAME, NAMESPACE, PluginError, access_request, qualified, version};
use crate::tables::{self, Table};

/// The files of a plugin for these exchanges, with their paths in the archive.
pub fn files(jobs: &[Job], revision: u32) -> Result<Vec<(&'static str, String)>, PluginError> {
    Ok(vec![
        ("plugin.xml", plugin_xml(jobs, revision)?),
        ("queries_root/rosterbridge.named_queries.xml", named_queries_xml(jobs)?),
        ("permissions_root/rosterbridge.permission_mappings.xml", permission_mappings_xml(jobs)?),
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

/// Which people signed in to PowerSchool may call which query. RosterBridge itself needs none of it. PowerSchool's
/// documentation shows no empty file, so there is one mapping, which tells nobody anything new: who may open the start
/// page, where schools are chosen, may call the list of schools.
fn permission_mappings_xml(jobs: &[Job]) -> io::Result<String> {
    document(|xml| {
        xml.create_element("permission_mappings").write_inner_content(|xml| {
            if tables::SCHOOLS.needed_by(jobs) {
                xml.create_element("permission")
                    .with_attribute(("name", "/admin/home.html"))
                    .write_inner_content(|xml| {
                        let query = format!("/ws/schema/query/{}", tables::SCHOOLS.query);
                        xml.create_element("implies")
                            .with_attribute(("allow", "post"))
                            .write_text_content(BytesText::new(&query))?;
                        Ok(())
                    })?;
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
