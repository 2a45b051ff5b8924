//! The choices PowerSchool's AutoSend and AutoComm forms offer for a file.

use encoding_rs::{Encoding, MACINTOSH, WINDOWS_1252};
use rosterbridge_domain::settings::{CharacterSet, ExportJob, FieldDelimiter, LongValues, RecordDelimiter};

/// The form of an export. The default is what Hero's set-up procedure asks for: tab, CRLF, no header row, UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportLayout {
    /// 'Field Delimiter'.
    pub field_delimiter: FieldDelimiter,
    /// 'Record Delimiter'.
    pub record_delimiter: RecordDelimiter,
    /// Whether the first record holds the field names ('First record…').
    pub header: bool,
    /// 'Character Set'.
    pub character_set: CharacterSet,
    /// What becomes of a value that is longer than Hero takes.
    pub long_values: LongValues,
}

impl Default for ExportLayout {
    fn default() -> Self {
        Self {
            field_delimiter: FieldDelimiter::Tab,
            record_delimiter: RecordDelimiter::Crlf,
            header: false,
            character_set: CharacterSet::Utf8,
            long_values: LongValues::AsIs,
        }
    }
}

impl From<&ExportJob> for ExportLayout {
    fn from(job: &ExportJob) -> Self {
        Self {
            field_delimiter: job.field_delimiter,
            record_delimiter: job.record_delimiter,
            header: job.header,
            character_set: job.character_set,
            long_values: job.long_values,
        }
    }
}

/// What stands between two values.
pub(crate) const fn delimiter(delimiter: FieldDelimiter) -> u8 {
    match delimiter {
        FieldDelimiter::Tab => b'\t',
        FieldDelimiter::Comma => b',',
    }
}

/// What ends a record.
pub(crate) const fn record_end(delimiter: RecordDelimiter) -> &'static [u8] {
    match delimiter {
        RecordDelimiter::Crlf => b"\r\n",
        RecordDelimiter::Lf => b"\n",
        RecordDelimiter::Cr => b"\r",
    }
}

/// The encoding of a character set with one byte a character; `None` for UTF-8.
pub(crate) fn single_byte(characters: CharacterSet) -> Option<&'static Encoding> {
    match characters {
        CharacterSet::Utf8 => None,
        CharacterSet::WindowsAnsi => Some(WINDOWS_1252),
        CharacterSet::MacRoman => Some(MACINTOSH),
    }
}

/// Bytes to which windows-1252 gives no character (Microsoft's code page table), although decoders of the web let
/// them through as control characters.
pub(crate) const UNDEFINED_IN_WINDOWS_ANSI: [u8; 5] = [0x81, 0x8D, 0x8F, 0x90, 0x9D];
