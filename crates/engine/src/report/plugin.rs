//! Plugin files, ours and others'.

use rosterbridge_domain::job::Job;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::FieldAccess;

/// A field with the access asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
pub struct FieldView {
    /// Table, in capitals.
    pub table: String,
    /// Field, in capitals.
    pub field: String,
    /// What is asked for.
    pub access: FieldAccess,
}

/// Our plugin for some exchanges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PluginView {
    /// Its name: PowerSchool updates the plugin of the same name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The exchanges it allows.
    pub jobs: Vec<Job>,
    /// What it asks for.
    pub asks: Vec<FieldView>,
    /// Its named queries.
    pub queries: Vec<String>,
    /// What is different from the one written before, in sentences; empty when nothing is, or none was written.
    pub changes: Vec<String>,
    /// The version of the one written before, if there was one.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_before: Option<String>,
    /// The name to save the file under.
    pub file_name: String,
    /// The zip file, in Base64; empty where it was only asked what it would be.
    pub content: String,
}

/// What was found out about a plugin file, ours or a vendor's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PluginCheck {
    /// The file's name as it was given.
    pub file_name: String,
    /// Whether PowerSchool would install it: no remark is an error.
    pub valid: bool,
    /// Its name, if that could be read.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Who published it, with the contact's address.
    pub publisher: Option<String>,
    /// What it is about, in its own words.
    pub description: Option<String>,
    /// Errors and notes, by file and place.
    pub remarks: Vec<PluginRemark>,
    /// What it does and asks for, in plain sentences.
    pub summary: Vec<String>,
    /// What it asks for, field by field.
    pub asks: Vec<FieldView>,
    /// Its named queries.
    pub queries: Vec<String>,
    /// What each of our exchanges would miss with it; an exchange that misses nothing has empty lists.
    pub exchanges: Vec<ExchangeFit>,
}

/// Something about a plugin file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PluginRemark {
    /// Whether PowerSchool would refuse the plugin for it.
    pub error: bool,
    /// The file inside the archive, or the file itself.
    pub file: String,
    /// Line, from 1; 0 where it is about the whole file.
    pub line: u32,
    /// Column, from 1; 0 where it is about the whole file.
    pub column: u32,
    /// Stable, `plugin.…`.
    pub code: String,
    /// What is wrong or unusual.
    pub message: String,
}

/// What one of our exchanges would miss with a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ExchangeFit {
    /// The exchange.
    pub job: Job,
    /// Fields it needs and the plugin does not ask for, or not enough.
    pub missing: Vec<FieldView>,
    /// Whether it would read page by page for want of our queries: slower, and for attendance impossible.
    pub without_queries: bool,
    /// The same in a sentence.
    pub sentence: String,
}
