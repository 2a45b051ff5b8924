use std::fmt;

use crate::Error;

/// Longest file name accepted, in bytes. File systems allow 255; the marks of a half-done upload are added to
/// the name beside it.
const LONGEST_NAME: usize = 200;

/// A folder on the server, relative to the folder the account lands in unless it starts with `/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteFolder(String);

impl RemoteFolder {
    /// The folder the account lands in after signing in.
    pub fn login() -> Self {
        Self(String::new())
    }

    /// Reads `imports`, `imports/`, `/data/imports`; an empty text or `.` is the login folder. No step may be
    /// `..` or hold a character that some server reads as a separator.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.is_empty() || text == "." {
            return Ok(Self::login());
        }
        let steps = text.strip_suffix('/').unwrap_or(text);
        let relative = steps.strip_prefix('/').unwrap_or(steps);
        if !(text == "/" || relative.split('/').all(is_name)) {
            return Err(Error::BadName { name: text.to_owned() });
        }
        Ok(Self(if text == "/" { text.to_owned() } else { steps.to_owned() }))
    }

    /// The folder of that name in this one, by the rules of [`RemoteFolder::parse`].
    pub fn folder(&self, name: &str) -> Result<Self, Error> {
        if !is_name(name) {
            return Err(Error::BadName { name: name.to_owned() });
        }
        Ok(Self(match self.0.as_str() {
            "" => name.to_owned(),
            "/" => format!("/{name}"),
            folder => format!("{folder}/{name}"),
        }))
    }

    /// A file of that name in this folder. Names are data from elsewhere: one that could leave the folder, or
    /// that no server can store, is refused.
    pub fn file(&self, name: &str) -> Result<RemoteFile, Error> {
        if is_name(name) && name.len() <= LONGEST_NAME {
            Ok(RemoteFile { folder: self.clone(), name: name.to_owned() })
        } else {
            Err(Error::BadName { name: name.to_owned() })
        }
    }

    /// The folder as it goes over the wire.
    pub(crate) fn wire(&self) -> &str {
        if self.0.is_empty() { "." } else { &self.0 }
    }
}

impl fmt::Display for RemoteFolder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_empty() { "(login folder)" } else { &self.0 })
    }
}

/// A file on the server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteFile {
    folder: RemoteFolder,
    name: String,
}

impl RemoteFile {
    /// Reads `imports/STUDENT.TXT`, by the rules of [`RemoteFolder::parse`] and [`RemoteFolder::file`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text.rsplit_once('/') {
            Some(("", name)) => RemoteFolder::parse("/")?.file(name),
            Some((folder, name)) if !folder.ends_with('/') => RemoteFolder::parse(folder)?.file(name),
            Some(_) => return Err(Error::BadName { name: text.to_owned() }),
            None => RemoteFolder::login().file(text),
        }
        .map_err(|_| Error::BadName { name: text.to_owned() })
    }

    /// The folder it is in.
    pub fn folder(&self) -> &RemoteFolder {
        &self.folder
    }

    /// Its name in that folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Path over the wire of a file beside this one.
    pub(crate) fn beside(&self, name: &str) -> String {
        match self.folder.0.as_str() {
            "" => name.to_owned(),
            "/" => format!("/{name}"),
            folder => format!("{folder}/{name}"),
        }
    }

    /// The path as it goes over the wire.
    pub(crate) fn wire(&self) -> String {
        self.beside(&self.name)
    }
}

impl fmt::Display for RemoteFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.wire())
    }
}

/// Whether `text` is one step of a path. A backslash is a separator on Windows servers (and libssh2's binding
/// turns it into one on Windows clients).
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text != "."
        && text != ".."
        && !text.chars().any(|c| matches!(c, '/' | '\\') || c.is_control())
}
