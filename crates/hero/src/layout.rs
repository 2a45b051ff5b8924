//! The choices PowerSchool's AutoSend and AutoComm forms offer for a file.

use serde::{Deserialize, Serialize};

/// 'Field Delimiter' of the AutoSend form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delimiter {
    /// Nothing is ever quoted; a tab or line break inside a value becomes a space. Hero: 'TAB is preferable'.
    #[default]
    Tab,
    /// Values are quoted as in RFC 4180 where they have to be.
    Comma,
}

impl Delimiter {
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Tab => b'\t',
            Self::Comma => b',',
        }
    }
}

/// 'Record Delimiter' of the AutoSend form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordEnd {
    /// Carriage return and line feed, which Hero requires.
    #[default]
    CrLf,
    /// Line feed.
    Lf,
    /// Carriage return.
    Cr,
}

impl RecordEnd {
    pub(crate) const fn bytes(self) -> &'static [u8] {
        match self {
            Self::CrLf => b"\r\n",
            Self::Lf => b"\n",
            Self::Cr => b"\r",
        }
    }
}

/// 'Character Set' of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Characters {
    /// UTF-8 without a byte order mark.
    #[default]
    Utf8,
    /// windows-1252. A character it lacks is sent as `?`, counted and named in a warning.
    WindowsAnsi,
}

/// The form of an export. The default is what Hero's set-up procedure asks for: tab, CRLF, no header row, UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExportLayout {
    /// 'Field Delimiter'.
    pub delimiter: Delimiter,
    /// 'Record Delimiter'.
    pub record_end: RecordEnd,
    /// Whether the first record holds the field names ('First record…').
    pub header: bool,
    /// 'Character Set'.
    pub characters: Characters,
}

/// Bytes to which windows-1252 gives no character (Microsoft's code page table), although decoders of the web let
/// them through as control characters.
pub(crate) const UNDEFINED_IN_WINDOWS_ANSI: [u8; 5] = [0x81, 0x8D, 0x8F, 0x90, 0x9D];

/// 'Character Set' of the AutoComm form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportCharacters {
    /// windows-1252, which Hero writes.
    #[default]
    WindowsAnsi,
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// Mac OS Roman.
    MacRoman,
}
