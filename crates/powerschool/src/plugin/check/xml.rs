//! An XML file as a tree of bounded size, with the place of every element and attribute. Document types and entities of
//! a file's own are refused, so nothing is ever expanded or fetched.

use quick_xml::{
    NsReader, XmlVersion,
    escape::{EscapeError, resolve_predefined_entity},
    events::{BytesStart, Event, attributes::AttrError},
    name::ResolveResult,
};

use super::words::shown;
use crate::plugin::NAMESPACE;

/// Elements inside each other.
const DEPTH: usize = 32;
/// Elements of a file: a plugin that asks for every field there is has some ten thousand.
const ELEMENTS: usize = 50_000;
/// Attributes of an element, and of a file's elements together.
const ATTRIBUTES: usize = 64;
const ALL_ATTRIBUTES: usize = 150_000;

/// The namespace an element is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Namespace {
    /// None.
    Absent,
    /// That of `plugin.xml`.
    Plugin,
    /// Another.
    Other,
}

/// An attribute.
#[derive(Debug)]
pub(super) struct Attribute {
    /// Its name as written, with a prefix if it has one.
    pub(super) name: String,
    pub(super) value: String,
    /// Where its name begins, in bytes.
    pub(super) at: usize,
}

/// An element with everything in it.
#[derive(Debug)]
pub(super) struct Element {
    /// Its name without a prefix.
    pub(super) name: String,
    pub(super) namespace: Namespace,
    /// Where its tag begins, in bytes.
    pub(super) at: usize,
    pub(super) attributes: Vec<Attribute>,
    /// The text directly in it, all pieces together.
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The value of an attribute.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| attribute.value.as_str())
    }

    /// The children of a name, in the element's own namespace.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.namespace == self.namespace && child.name == name)
    }

    /// The first child of a name.
    pub(super) fn first(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.namespace == self.namespace && child.name == name)
    }
}

/// Why a text is no acceptable XML.
#[derive(Debug)]
pub(super) struct Problem {
    /// Where, in bytes.
    pub(super) at: usize,
    pub(super) code: &'static str,
    pub(super) message: String,
}

fn malformed(at: usize, what: &str) -> Problem {
    Problem { at, code: "plugin.malformed", message: format!("This is not well-formed XML: {what}.") }
}

fn entities(at: usize, what: &str) -> Problem {
    Problem {
        at,
        code: "plugin.entities",
        message: format!(
            "{what} A plugin needs neither document types nor entities; they are refused unread."
        ),
    }
}

fn too_complex(at: usize, what: String) -> Problem {
    Problem { at, code: "plugin.too_complex", message: what }
}

/// Reads a whole file.
pub(super) fn parse(text: &str) -> Result<Element, Problem> {
    if let Some((at, _)) = text.char_indices().find(|(_, letter)| !is_character(*letter)) {
        return Err(malformed(at, "here is a character that XML does not allow"));
    }
    let mut reader = NsReader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let (mut elements, mut attributes) = (0, 0);
    loop {
        let at = offset(reader.buffer_position());
        let (resolved, event) = match reader.read_resolved_event() {
            Ok((resolved, event)) => (namespace(&resolved), event),
            Err(error) => {
                return Err(malformed(offset(reader.error_position()), &shown(&error.to_string(), 200)));
            }
        };
        match event {
            Event::Start(_) | Event::Empty(_) if open.is_empty() && root.is_some() => {
                return Err(malformed(at, "there is a second outermost element"));
            }
            Event::Start(_) if open.len() >= DEPTH => {
                return Err(too_complex(at, format!("More than {DEPTH} elements lie inside each other.")));
            }
            Event::Start(start) => {
                elements = counted(elements, at)?;
                let element = element(&start, resolved, at)?;
                attributes += element.attributes.len();
                open.push(element);
            }
            Event::Empty(start) => {
                elements = counted(elements, at)?;
                let element = element(&start, resolved, at)?;
                attributes += element.attributes.len();
                close(element, &mut open, &mut root);
            }
            Event::End(_) => {
                // The reader has seen to it that there is one.
                if let Some(element) = open.pop() {
                    close(element, &mut open, &mut root);
                }
            }
            Event::Text(text) => write_text(&mut open, &text.xml10_content(), at)?,
            Event::CData(text) if open.is_empty() => {
                return Err(malformed(
                    at,
                    &format!("'{}' stands outside of every element", shown(&text.xml10_content(), 20)),
                ));
            }
            Event::CData(text) => write_text(&mut open, &text.xml10_content(), at)?,
            Event::GeneralRef(reference) => {
                let name = reference.xml10_content();
                let letter = reference
                    .resolve_char_ref()
                    .map_err(|error| malformed(at, &shown(&error.to_string(), 200)))?;
                match (letter, resolve_predefined_entity(&name)) {
                    (Some(letter), _) if !is_character(letter) => {
                        return Err(malformed(at, "here is a character that XML does not allow"));
                    }
                    (Some(letter), _) => write_text(&mut open, letter.encode_utf8(&mut [0; 4]), at)?,
                    (None, Some(text)) => write_text(&mut open, text, at)?,
                    (None, None) => {
                        return Err(entities(
                            at,
                            &format!("The file uses the entity '{}'.", shown(&name, 40)),
                        ));
                    }
                }
            }
            Event::DocType(_) => return Err(entities(at, "The file declares a document type.")),
            Event::Decl(_) if at > 0 => {
                return Err(malformed(at, "the XML declaration is not at the very beginning"));
            }
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
        if attributes > ALL_ATTRIBUTES {
            return Err(too_complex(at, format!("The file has more than {ALL_ATTRIBUTES} attributes.")));
        }
    }
    match (open.pop(), root) {
        (Some(unclosed), _) => {
            Err(malformed(unclosed.at, &format!("'{}' is not closed", shown(&unclosed.name, 40))))
        }
        (None, Some(root)) => Ok(root),
        (None, None) => Err(malformed(0, "there is no element")),
    }
}

/// A position that `quick-xml` gives; a file is never so large that it would not fit.
fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

fn counted(elements: usize, at: usize) -> Result<usize, Problem> {
    if elements < ELEMENTS {
        Ok(elements + 1)
    } else {
        Err(too_complex(at, format!("The file has more than {ELEMENTS} elements.")))
    }
}

fn namespace(resolved: &ResolveResult<'_>) -> Namespace {
    match resolved {
        ResolveResult::Unbound => Namespace::Absent,
        ResolveResult::Bound(bound) if bound.0 == NAMESPACE => Namespace::Plugin,
        ResolveResult::Bound(_) | ResolveResult::Unknown(_) => Namespace::Other,
    }
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *root = Some(element),
    }
}

fn write_text(open: &mut [Element], text: &str, at: usize) -> Result<(), Problem> {
    match open.last_mut() {
        Some(element) => {
            element.text.push_str(text);
            Ok(())
        }
        None if text.trim().is_empty() => Ok(()),
        None => Err(malformed(at, &format!("'{}' stands outside of every element", shown(text.trim(), 20)))),
    }
}

/// A tag that begins at `at`.
fn element(start: &BytesStart<'_>, namespace: Namespace, at: usize) -> Result<Element, Problem> {
    let name = start.name();
    if !is_name(name.0) {
        return Err(malformed(at, &format!("'{}' is no name of an element", shown(name.0, 40))));
    }
    let raw = start.attributes_raw();
    // Behind the `<`.
    let tag = at + 1;
    let begin = tag + name.0.len();
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| {
            let (place, what) = attribute_error(&error);
            malformed(tag + place, what)
        })?;
        let key = attribute.key.0;
        // Both are parts of the same tag.
        let at = begin + (key.as_ptr() as usize).saturating_sub(raw.as_ptr() as usize);
        if attributes.len() == ATTRIBUTES {
            return Err(too_complex(at, format!("An element has more than {ATTRIBUTES} attributes.")));
        }
        if !is_name(key) {
            return Err(malformed(at, &format!("'{}' is no name of an attribute", shown(key, 40))));
        }
        if attribute.value.contains('<') {
            return Err(malformed(at, "the value of an attribute has a '<', which has to be written &lt;"));
        }
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| match error {
            quick_xml::Error::Escape(EscapeError::UnrecognizedEntity(_, name)) => {
                entities(at, &format!("The file uses the entity '{}'.", shown(&name, 40)))
            }
            other => malformed(at, &shown(&other.to_string(), 200)),
        })?;
        if !value.chars().all(is_character) {
            return Err(malformed(at, "here is a character that XML does not allow"));
        }
        attributes.push(Attribute { name: key.to_owned(), value: value.into_owned(), at });
    }
    Ok(Element {
        name: start.local_name().as_ref().to_owned(),
        namespace,
        at,
        attributes,
        text: String::new(),
        children: Vec::new(),
    })
}

/// Where in the tag, and what.
fn attribute_error(error: &AttrError) -> (usize, &'static str) {
    match error {
        AttrError::ExpectedEq(at) => (*at, "an attribute has no '='"),
        AttrError::ExpectedValue(at) => (*at, "an attribute has no value"),
        AttrError::UnquotedValue(at) => (*at, "an attribute's value is not in quotes"),
        AttrError::ExpectedQuote(at, _) => (*at, "an attribute's value has no closing quote"),
        AttrError::Duplicated(at, _) => (*at, "an attribute is there twice"),
    }
}

/// XML 1.0: `Char`.
const fn is_character(letter: char) -> bool {
    !matches!(letter, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// XML 1.0: `Name`, without its finer rules for characters outside ASCII.
fn is_name(name: &str) -> bool {
    let begins =
        |letter: char| letter.is_ascii_alphabetic() || matches!(letter, '_' | ':') || !letter.is_ascii();
    name.starts_with(begins)
        && name.chars().all(|letter| begins(letter) || letter.is_ascii_digit() || matches!(letter, '-' | '.'))
}
