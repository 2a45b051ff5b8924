//! What is read from and written to files, and secrets from standard input.

use std::{
    io::{IsTerminal, Read},
    path::Path,
};

use rosterbridge_api::{Fault, SecretText};
use rosterbridge_files::owner_only;

pub fn read(path: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(path).map_err(|error| file_fault("read", path, &error))
}

/// Writes a file only its owner can read.
pub fn write_owner_only(path: &Path, content: &[u8]) -> Result<(), Fault> {
    use std::io::Write;
    let mut options = owner_only::options();
    let opened = options.write(true).create(true).truncate(true).open(path);
    opened
        .and_then(|mut file| {
            owner_only::protect(&file)?;
            file.write_all(content)
        })
        .map_err(|error| file_fault("write", path, &error))
}

/// A file that is there, and nobody said that it may be replaced.
pub fn exists(path: &Path) -> Fault {
    Fault {
        code: "file.exists".to_owned(),
        message: format!("{} is there already.", path.display()),
        remedy: "Choose another name, or replace it with --force.".to_owned(),
    }
}

pub fn file_fault(action: &str, path: &Path, error: &std::io::Error) -> Fault {
    Fault {
        code: "file.unusable".to_owned(),
        message: format!("Could not {action} {}: {error}.", path.display()),
        remedy: "Check the path, and that you may read and write there.".to_owned(),
    }
}

/// Bytes read from standard input at most: several times the longest private key.
const LONGEST_SECRET: u64 = 64 * 1024;

/// A secret from standard input, without its line end.
pub fn secret_from_stdin(what: &str) -> Result<SecretText, Fault> {
    text_from_stdin(what).map(SecretText::new)
}

/// The same as it came: the caller says what wipes it.
pub fn text_from_stdin(what: &str) -> Result<String, Fault> {
    let empty = |message: String| Fault {
        code: "secret.not_given".to_owned(),
        message,
        remedy: format!("Pipe the {what} into this command; it is never an argument."),
    };
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(empty(format!("The {what} is expected on standard input.")));
    }
    let mut value = String::new();
    stdin
        .take(LONGEST_SECRET + 1)
        .read_to_string(&mut value)
        .map_err(|error| empty(format!("The {what} on standard input can't be read: {error}.")))?;
    if value.len() as u64 > LONGEST_SECRET {
        return Err(empty(format!("The {what} on standard input is longer than {LONGEST_SECRET} bytes.")));
    }
    let trimmed = value.trim_end_matches(['\r', '\n']).to_owned();
    if trimmed.is_empty() {
        return Err(empty(format!("There was no {what} on standard input.")));
    }
    Ok(trimmed)
}
