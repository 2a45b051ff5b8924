//! A mail as HTML: one column, the reader's own colours, nothing loaded from elsewhere.

use std::fmt::{self, Display, Write};

use super::letter::Letter;

/// Writes it.
pub(super) fn write(letter: &Letter) -> String {
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{}</title>\n</head>\n\
         <body style=\"font-family: sans-serif; line-height: 1.5; max-width: 40em\">\n<p>{}</p>\n",
        Escaped(&letter.subject),
        Escaped(&letter.about)
    );
    for section in &letter.sections {
        // Writing to a string can't fail.
        let _ = writeln!(html, "<h2 style=\"font-size: 1.1em\">{}</h2>", Escaped(&section.title));
        if !section.facts.is_empty() {
            html.push_str("<table style=\"border-collapse: collapse\">\n");
            for (name, value) in &section.facts {
                let _ = writeln!(
                    html,
                    "<tr><th scope=\"row\" style=\"text-align: left; vertical-align: top; font-weight: normal; \
                     padding-right: 1em\">{}</th><td>{}</td></tr>",
                    Escaped(name),
                    Escaped(value)
                );
            }
            html.push_str("</table>\n");
        }
        for line in section.advice.lines() {
            let _ = writeln!(html, "<p>{}</p>", Escaped(line));
        }
    }
    let _ = write!(
        html,
        "<hr>\n<p style=\"font-size: 0.85em\">{}</p>\n</body>\n</html>\n",
        Escaped(letter.footer)
    );
    html
}

/// Text that is shown as it is, in an element or an attribute.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            other => f.write_char(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Escaped;

    #[test]
    fn nothing_becomes_markup() {
        assert_eq!(
            Escaped("<b onclick=\"x\">'A' & B</b>").to_string(),
            "&lt;b onclick=&quot;x&quot;&gt;&#39;A&#39; &amp; B&lt;/b&gt;"
        );
    }
}
