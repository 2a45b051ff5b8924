//! Reads XML back in tests.

use quick_xml::{Reader, events::Event};

/// The texts of the elements at a path, such as `plist/dict/array/string`.
pub fn texts(document: &str, path: &str) -> Vec<String> {
    let mut reader = Reader::from_str(document);
    let (mut names, mut texts): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    loop {
        let event = reader.read_event().unwrap();
        match &event {
            Event::Start(start) => {
                names.push(start.name().as_ref().to_owned());
                if names.join("/") == path {
                    texts.push(String::new());
                }
            }
            Event::End(_) => {
                names.pop();
            }
            Event::Eof => return texts,
            _ => {}
        }
        if names.join("/") == path {
            let text = texts.last_mut().unwrap();
            match event {
                Event::Text(part) => text.push_str(&part.xml10_content()),
                Event::GeneralRef(name) => {
                    text.push_str(&quick_xml::escape::unescape(&format!("&{};", &*name)).unwrap());
                }
                _ => {}
            }
        }
    }
}
