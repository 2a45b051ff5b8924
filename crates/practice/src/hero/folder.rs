//! The folder of a Hero account, seen through SFTP paths that cannot leave it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use russh_sftp::{protocol::StatusCode, server::StatusReply};

/// Where Hero expects the administrator's files.
pub(super) const IMPORTS: &str = "imports";
/// Where Hero places its own files.
pub(super) const EXPORT: &str = "export";
/// What Hero's import page would show; not part of what SFTP shows.
const IMPORT_LOG: &str = "import-log.txt";

/// Names directly in the account's folder that SFTP clients are not shown: the import log, and the
/// dot files that become exports when they are complete.
pub(super) fn is_hidden(name: &str) -> bool {
    name == IMPORT_LOG || name.starts_with('.')
}

/// A normalised absolute SFTP path: no empty, `.` or `..` component, whatever the client sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct RemotePath(Vec<String>);

impl RemotePath {
    /// Relative paths start at the account's folder, and `..` stops there, as in a chroot.
    pub(super) fn parse(text: &str) -> Self {
        let mut parts: Vec<String> = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                name => parts.push(name.to_owned()),
            }
        }
        Self(parts)
    }

    /// The name of a file directly in `imports/`: the only place a client may write to.
    pub(super) fn import_name(&self) -> Option<&str> {
        match self.0.as_slice() {
            [folder, name] if folder == IMPORTS => Some(name),
            _ => None,
        }
    }

    pub(super) fn is_in_imports(&self) -> bool {
        self.0.first().is_some_and(|folder| folder == IMPORTS)
    }

    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Display for RemotePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "/{}", self.0.join("/"))
    }
}

/// The local folder that SFTP clients see as `/`.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn imports(&self) -> PathBuf {
        self.root.join(IMPORTS)
    }

    pub(super) fn export(&self) -> PathBuf {
        self.root.join(EXPORT)
    }

    pub(super) fn import_log(&self) -> PathBuf {
        self.root.join(IMPORT_LOG)
    }

    /// The local file behind a path. Symbolic links are not followed at any level, and names that
    /// a file system could read as more than one component (`a\b`, `c:`) do not exist.
    pub(super) fn local(&self, path: &RemotePath) -> Result<PathBuf, StatusReply> {
        let mut local = self.root.clone();
        for part in &path.0 {
            if part.contains(['\\', ':', '\0']) || (local == self.root && is_hidden(part)) {
                return Err(StatusCode::NoSuchFile.into());
            }
            local.push(part);
            if fs::symlink_metadata(&local).is_ok_and(|metadata| metadata.is_symlink()) {
                return Err(StatusCode::PermissionDenied.with_message("symbolic links are not followed"));
            }
        }
        Ok(local)
    }
}

/// SFTP has no status for most of what a file system can answer; the text says the rest.
pub(super) fn status(error: &io::Error) -> StatusReply {
    match error.kind() {
        io::ErrorKind::NotFound => StatusCode::NoSuchFile.into(),
        io::ErrorKind::PermissionDenied => StatusCode::PermissionDenied.into(),
        _ => StatusCode::Failure.with_message(error.to_string()),
    }
}
