//! A mail as plain text.

use std::fmt::Write;

use super::letter::Letter;

/// Writes it.
pub(super) fn write(letter: &Letter) -> String {
    let mut text = format!("{}\n", letter.about);
    for section in &letter.sections {
        // Writing to a string can't fail.
        let _ = writeln!(text, "\n{}", section.title);
        for (name, value) in &section.facts {
            let _ = writeln!(text, "  {name}: {value}");
        }
        for line in section.advice.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    let _ = writeln!(text, "\n--\n{}", letter.footer);
    text
}
