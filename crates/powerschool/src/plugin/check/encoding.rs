//! From the bytes of an XML file to its text: the byte order mark and the declaration must agree, and every byte must
//! be a character.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::words::shown;

/// A declaration further in than this is none.
const DECLARATION: usize = 256;

/// Why bytes are no text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Undecodable {
    /// Line and column where that is known, else 0.
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) message: String,
}

impl Undecodable {
    fn whole(message: impl Into<String>) -> Self {
        Self { line: 0, column: 0, message: message.into() }
    }
}

/// The text without its byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<String, Undecodable> {
    let (marked, rest) = match bytes {
        // Also how UTF-32 begins, which no XML parser has to know.
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => {
            return Err(Undecodable::whole("The file is in UTF-32. Save it in UTF-8."));
        }
        [0xEF, 0xBB, 0xBF, rest @ ..] => (Some(UTF_8), rest),
        [0xFF, 0xFE, rest @ ..] => (Some(UTF_16LE), rest),
        [0xFE, 0xFF, rest @ ..] => (Some(UTF_16BE), rest),
        [b'<', 0, ..] | [0, b'<', ..] => {
            return Err(Undecodable::whole(
                "The file is in UTF-16 and lacks the byte order mark that UTF-16 needs. Save it in UTF-8.",
            ));
        }
        rest => (None, rest),
    };
    let text = match marked {
        Some(encoding) if encoding != UTF_8 => utf16(rest, encoding)?,
        _ => {
            let declared = declared(rest);
            match (marked, declared.as_deref().map(named)) {
                (Some(_), Some(Some(other))) if other == WINDOWS_1252 => {
                    return Err(Undecodable::whole(format!(
                        "The file is in UTF-8 by its byte order mark and in {} by its first line. \
                         Save it in UTF-8 and declare that.",
                        shown(&declared.unwrap_or_default(), 40)
                    )));
                }
                (_, Some(None)) => {
                    return Err(Undecodable::whole(format!(
                        "The file declares the encoding '{}', which it is not in or which is not known here. \
                         Save it in UTF-8 and declare that.",
                        shown(&declared.unwrap_or_default(), 40)
                    )));
                }
                (None, Some(Some(other))) if other == WINDOWS_1252 => {
                    return Ok(WINDOWS_1252.decode_without_bom_handling(rest).0.into_owned());
                }
                _ => return utf8(rest),
            }
        }
    };
    match declared(text.as_bytes()) {
        Some(label) if !label.to_ascii_lowercase().starts_with("utf-16") => Err(Undecodable::whole(format!(
            "The file is in UTF-16 by its byte order mark and in {} by its first line. \
                 Save it in UTF-8 and declare that.",
            shown(&label, 40)
        ))),
        _ => Ok(text),
    }
}

/// The encodings that a file without UTF-16's mark can be in.
fn named(label: &str) -> Option<&'static Encoding> {
    // US-ASCII is a part of UTF-8, and a byte beyond it is then told as what it is.
    if label.eq_ignore_ascii_case("us-ascii") || label.eq_ignore_ascii_case("ascii") {
        return Some(UTF_8);
    }
    Encoding::for_label(label.as_bytes()).filter(|encoding| [UTF_8, WINDOWS_1252].contains(encoding))
}

fn utf8(bytes: &[u8]) -> Result<String, Undecodable> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            Err(Undecodable {
                line: u32::try_from(line).unwrap_or(u32::MAX),
                column: u32::try_from(column).unwrap_or(u32::MAX),
                message:
                    "Here are bytes that are not UTF-8, which the file is in by its declaration or for want \
                          of one. Save it in UTF-8."
                        .to_owned(),
            })
        }
    }
}

fn utf16(bytes: &[u8], encoding: &'static Encoding) -> Result<String, Undecodable> {
    encoding
        .decode_without_bom_handling_and_without_replacement(bytes)
        .map(std::borrow::Cow::into_owned)
        .ok_or_else(|| {
            Undecodable::whole(
                "The file begins as UTF-16 and has bytes that are not: it is cut off or mixed. Save it in UTF-8.",
            )
        })
}

/// The encoding that the XML declaration names, in ASCII-compatible bytes.
fn declared(bytes: &[u8]) -> Option<String> {
    let start: String = bytes.iter().take(DECLARATION).map(|byte| char::from(*byte)).collect();
    let declaration = start.strip_prefix("<?xml")?.split("?>").next()?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value[1..].split(quote).next().map(|label| label.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn utf16_bytes(text: &str, big: bool) -> Vec<u8> {
        let unit = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(unit).collect()
    }

    #[rstest]
    #[case(b"<a b='\xC3\xA9'/>".to_vec(), "<a b='é'/>")]
    #[case(b"\xEF\xBB\xBF<a b='\xC3\xA9'/>".to_vec(), "<a b='é'/>")]
    #[case(b"<?xml version='1.0' encoding = 'ISO-8859-1'?><a b='\xE9'/>".to_vec(),
        "<?xml version='1.0' encoding = 'ISO-8859-1'?><a b='é'/>")]
    #[case(b"<?xml version='1.0' encoding=\"windows-1252\"?>\x80".to_vec(),
        "<?xml version='1.0' encoding=\"windows-1252\"?>€")]
    #[case(
        utf16_bytes("<?xml version='1.0' encoding='UTF-16'?><é/>", false),
        "<?xml version='1.0' encoding='UTF-16'?><é/>"
    )]
    #[case(utf16_bytes("<é/>", true), "<é/>")]
    fn known_encodings_are_read(#[case] bytes: Vec<u8>, #[case] text: &str) {
        assert_eq!(decode(&bytes).as_deref(), Ok(text));
    }

    #[rstest]
    #[case::utf32(b"\xFF\xFE\x00\x00<\x00\x00\x00".to_vec(), "UTF-32", 0)]
    #[case::no_mark(b"<\x00a\x00".to_vec(), "lacks the byte order mark", 0)]
    #[case::not_utf8(b"<a>\n<b c='\xE9'/>".to_vec(), "not UTF-8", 2)]
    #[case::declared_utf16(b"<?xml version='1.0' encoding='UTF-16'?><a/>".to_vec(), "'UTF-16'", 0)]
    #[case::unknown(b"<?xml version='1.0' encoding='EBCDIC'?><a/>".to_vec(), "'EBCDIC'", 0)]
    #[case::another(b"<?xml version='1.0' encoding='UTF-7'?><a/>".to_vec(), "'UTF-7'", 0)]
    #[case::contradiction(b"\xEF\xBB\xBF<?xml version='1.0' encoding='iso-8859-1'?><a/>".to_vec(), "iso-8859-1", 0)]
    #[case::ascii(b"<?xml version='1.0' encoding='US-ASCII'?><a b='\xE9'/>".to_vec(), "not UTF-8", 1)]
    #[case::mixed_utf16(b"\xFF\xFE<\x00\x00\xD8".to_vec(), "cut off or mixed", 0)]
    #[case::odd_utf16(b"\xFF\xFE<\x00a".to_vec(), "cut off or mixed", 0)]
    fn others_are_refused(#[case] bytes: Vec<u8>, #[case] message: &str, #[case] line: u32) {
        let error = decode(&bytes).unwrap_err();
        assert!(error.message.contains(message), "{error:?}");
        assert_eq!(error.line, line);
    }

    #[test]
    fn a_utf16_file_that_declares_utf8_contradicts_itself() {
        let bytes = utf16_bytes("<?xml version='1.0' encoding='UTF-8'?><a/>", false);
        assert!(decode(&bytes).unwrap_err().message.contains("UTF-8 by its first line"));
    }
}
