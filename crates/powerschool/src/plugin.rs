//! The PowerSchool plugin: what an administrator installs so that RosterBridge may read and write.
//!
//! Ours holds one named query (PowerQuery) a table, without joins, and an access request for exactly the fields those
//! queries read and the attendance that is written, as far as the exchanges in use need them. [`build`] writes it,
//! [`changes`] tells it from the one for other exchanges, and [`check`] judges any plugin, ours or a vendor's.

mod changes;
mod check;
pub(crate) mod words;
mod write;

use std::{collections::BTreeMap, io};

use rosterbridge_domain::job::Job;
use zip::result::ZipError;

use crate::tables::{self, Table};

pub use changes::changes;
pub use check::{Checked, CheckedQuery, Fit, LARGEST_FILE, LARGEST_XML, Remark, Severity, check};
pub use write::{build, files};

/// The plugin's name. PowerSchool updates the plugin of the same name in place and keeps its credentials.
pub const NAME: &str = "RosterBridge";

/// The plugin's version. PowerSchool updates in place only to a higher one: the first two numbers rise with a release
/// that changes a query or the access request, `revision` with every plugin written for other exchanges than before.
pub fn version(revision: u32) -> String {
    format!("1.3.{revision}")
}

/// The namespace of `plugin.xml`.
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
    access_to(tables::needed(jobs), jobs)
}

/// Those of the fields that these exchanges can't do without.
pub fn access_needed(jobs: &[Job]) -> Vec<FieldAccess> {
    access_to(tables::essential(jobs), jobs)
}

/// Those of the fields whose absence is told.
pub(crate) fn access_told(jobs: &[Job]) -> Vec<FieldAccess> {
    access_to(tables::told(jobs), jobs)
}

fn access_to(tables: impl Iterator<Item = &'static Table>, jobs: &[Job]) -> Vec<FieldAccess> {
    let mut wanted: BTreeMap<(&'static str, String), Access> = BTreeMap::new();
    for table in tables {
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
    queries_of(tables::needed(jobs), jobs)
}

/// Those of the named queries that these exchanges can't do without.
pub fn queries_needed(jobs: &[Job]) -> Vec<NamedQuery> {
    queries_of(tables::essential(jobs), jobs)
}

fn queries_of(tables: impl Iterator<Item = &'static Table>, jobs: &[Job]) -> Vec<NamedQuery> {
    tables
        .map(|table| NamedQuery {
            name: table.query,
            columns: table.columns_for(jobs).iter().map(|column| qualified(table, column)).collect(),
            arguments: table.arguments().iter().map(|(name, _)| *name).collect(),
            sql: table.sql(jobs),
        })
        .collect()
}

/// A column as a named query names it: `TABLE.FIELD`, which is what PowerSchool checks access against.
fn qualified(table: &Table, column: &str) -> String {
    format!("{}.{}", table.name, column.to_ascii_uppercase())
}
