//! What is known of a service, and what installing or removing it does: worked out before anything is done.

use std::{fs, path::PathBuf};

use serde::Serialize;

use super::ServiceError;

/// What a service manager knows of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// It knows the service.
    pub known: bool,
    /// The program runs.
    pub running: bool,
    /// How the program last ended, where that is told.
    pub last_exit: Option<LastExit>,
}

/// How the program last ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LastExit {
    /// With this exit code.
    Code(i64),
    /// By this signal.
    Signal(i64),
    /// A person stopped it.
    Stopped,
}

/// How a file's text is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As every system but Windows has it.
    Utf8,
    /// Little endian with a byte order mark, which schtasks asks for.
    Utf16,
}

impl Encoding {
    /// The file's bytes.
    pub fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Utf16 => {
                std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
            }
        }
    }

    /// The text in a file's bytes.
    pub fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Self::Utf16 => {
                let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
                char::decode_utf16(units.skip_while(|unit| *unit == 0xfeff))
                    .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect()
            }
        }
    }
}

/// What an installation does: writes one file, then runs commands.
#[derive(Debug)]
pub struct InstallPlan {
    /// The file.
    pub file: PathBuf,
    /// Its text.
    pub content: String,
    /// How that is stored.
    pub encoding: Encoding,
    /// Each a program and its arguments.
    pub commands: Vec<Vec<String>>,
}

/// What a removal does: runs commands, removes the file, runs further ones.
#[derive(Debug)]
pub struct RemovalPlan {
    /// The first commands, each a program and its arguments.
    pub before: Vec<Vec<String>>,
    /// The file.
    pub file: PathBuf,
    /// The further commands.
    pub after: Vec<Vec<String>>,
}

impl InstallPlan {
    /// Writes the file: it is there whole or not at all.
    pub fn write(&self) -> Result<(), ServiceError> {
        let beside = self.file.with_extension("new");
        self.file
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&beside, self.encoding.encode(&self.content)))
            .and_then(|()| fs::rename(&beside, &self.file))
            .map_err(|source| ServiceError::file("write", &self.file, source))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_read_as_it_was_written(text in r"[^\u{feff}]{0,40}") {
            for encoding in [Encoding::Utf8, Encoding::Utf16] {
                prop_assert_eq!(encoding.decode(&encoding.encode(&text)), text.as_str());
            }
        }
    }

    #[test]
    fn a_task_is_written_in_the_encoding_schtasks_reads() {
        assert_eq!(Encoding::Utf16.encode("<é"), [0xff, 0xfe, b'<', 0, 0xe9, 0]);
    }
}
