//! What PowerSchool takes as a plugin, and what not.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its parts fails")]

mod support;

use proptest::prelude::*;
use rosterbridge_practice::plugin::{Plugin, PluginError};
use rstest::rstest;
use support::zipped;

const QUERIES: &str = "queries_root/a.named_queries.xml";

fn plugin_xml(attributes: &str, children: &str) -> String {
    format!(
        "<plugin xmlns=\"http://plugin.powerschool.pearson.com\" {attributes}>{children}\
         <publisher name=\"P\"><contact email=\"p@example.com\"/></publisher></plugin>"
    )
}

fn with_queries(queries: &str) -> Vec<u8> {
    zipped(&[("plugin.xml", &plugin_xml("name=\"A\" version=\"1\"", "<oauth/>")), (QUERIES, queries)])
}

fn query(name: &str, columns: &str, sql: &str) -> String {
    format!(
        "<queries><query name=\"{name}\" coreTable=\"students\"><columns>{columns}</columns><sql>{sql}</sql></query></queries>"
    )
}

const COLUMN: &str = "<column column=\"STUDENTS.ID\">id</column>";

#[rstest]
#[case::entities(&query("a.b.c.d.e", COLUMN, "SELECT id FROM students WHERE id &lt; 5 &#38;&#38; 1"))]
#[case::cdata(&query("a.b.c.d.e", COLUMN, "<![CDATA[SELECT id FROM students WHERE id < 5]]>"))]
#[case::comments_and_declaration(&format!("<?xml version=\"1.0\"?><!-- c -->{}", query("a.b.c.d.e", COLUMN, "SELECT 1")))]
#[case::byte_order_mark(&format!("\u{feff}{}", query("a.b.c.d.e", COLUMN, "SELECT 1")))]
fn queries_that_are_taken(#[case] queries: &str) {
    Plugin::read(&with_queries(queries)).unwrap();
}

#[rstest]
#[case::four_parts(&query("a.b.c.d", COLUMN, "SELECT 1"))]
#[case::empty_part(&query("a.b..d.e", COLUMN, "SELECT 1"))]
#[case::too_long(&query(&format!("a.b.c.d.{}", "e".repeat(193)), COLUMN, "SELECT 1"))]
#[case::no_columns(&query("a.b.c.d.e", "", "SELECT 1"))]
#[case::no_sql(&query("a.b.c.d.e", COLUMN, " "))]
#[case::column_without_table(&query("a.b.c.d.e", "<column column=\"ID\">id</column>", "SELECT 1"))]
#[case::unknown_entity(&query("a.b.c.d.e", COLUMN, "SELECT &secret;"))]
#[case::document_type("<!DOCTYPE queries><queries/>")]
#[case::unfinished("<queries><query")]
#[case::bare_less_than(&query("a.b.c.d.e", COLUMN, "SELECT 1 WHERE 1 < 2"))]
fn queries_that_are_not(#[case] queries: &str) {
    let error = Plugin::read(&with_queries(queries)).unwrap_err();
    assert!(matches!(error, PluginError::Invalid { .. } | PluginError::Xml { .. }), "{error}");
}

#[rstest]
#[case::name_of_41(&format!("name=\"{}\" version=\"1\"", "n".repeat(41)), "")]
#[case::no_version("name=\"A\"", "")]
#[case::letters_in_version("name=\"A\" version=\"1.0b\"", "")]
#[case::oauth_twice("name=\"A\" version=\"1\"", "<oauth/><oauth/>")]
#[case::other_access(
    "name=\"A\" version=\"1\"",
    "<access_request><field table=\"T\" field=\"F\" access=\"All\"/></access_request>"
)]
#[case::long_field(
    "name=\"A\" version=\"1\"",
    "<access_request><field table=\"T\" field=\"F234567890123456789012345678901\" access=\"ViewOnly\"/></access_request>"
)]
fn plugin_files_that_are_refused(#[case] attributes: &str, #[case] children: &str) {
    let error = Plugin::read(&zipped(&[("plugin.xml", &plugin_xml(attributes, children))])).unwrap_err();
    assert!(matches!(error, PluginError::Invalid { .. }), "{error}");
}

#[test]
fn a_plugin_without_oauth_says_so() {
    let bare = |children| zipped(&[("plugin.xml", &plugin_xml("name=\"A\" version=\"1.2\"", children))]);
    let plugin = Plugin::read(&bare("")).unwrap();
    assert_eq!((plugin.name.as_str(), plugin.version.as_str(), plugin.oauth), ("A", "1.2", false));
    assert!(Plugin::read(&bare("<oauth/>")).unwrap().oauth);
}

#[test]
fn the_same_query_name_twice_is_refused() {
    let one = query("a.b.c.d.e", COLUMN, "SELECT 1");
    let zip = zipped(&[
        ("plugin.xml", &plugin_xml("name=\"A\" version=\"1\"", "")),
        (QUERIES, &one),
        ("queries_root/b.named_queries.xml", &one),
    ]);
    assert!(matches!(Plugin::read(&zip).unwrap_err(), PluginError::Invalid { .. }));
}

#[test]
fn a_bare_plugin_xml_is_a_plugin() {
    let text = plugin_xml("name=\"A\" version=\"1.2\"", "<oauth/>");
    for text in [text.clone(), format!("\u{feff}{text}"), format!("\n{text}")] {
        assert_eq!(Plugin::read(text.as_bytes()).unwrap().name, "A");
    }
    assert!(matches!(Plugin::read(b"<plugin name='\xff'/>").unwrap_err(), PluginError::Xml { .. }));
}

#[test]
fn what_would_fill_the_memory_is_refused() {
    let good = plugin_xml("name=\"A\" version=\"1\"", "<oauth/>");
    let long = format!("<queries><!--{}--></queries>", " ".repeat(3_900_000));
    let bombs: Vec<(String, &str)> =
        (0..6).map(|number| (format!("queries_root/{number}.named_queries.xml"), long.as_str())).collect();
    let mut files: Vec<(&str, &str)> = vec![("plugin.xml", &good)];
    files.extend(bombs.iter().map(|(name, text)| (name.as_str(), *text)));
    Plugin::read(&zipped(&files[..4])).unwrap();
    assert!(
        matches!(Plugin::read(&zipped(&files)).unwrap_err(), PluginError::Invalid { .. }),
        "together too long"
    );
    let longer = plugin_xml("name=\"A\" version=\"1\"", &format!("<!--{}-->", " ".repeat(5_000_000)));
    assert!(matches!(
        Plugin::read(&zipped(&[("plugin.xml", &longer)])).unwrap_err(),
        PluginError::Invalid { .. }
    ));

    let names: Vec<String> = (0..1_001).map(|number| format!("web_root/{number}")).collect();
    let mut files: Vec<(&str, &str)> = vec![("plugin.xml", &good)];
    files.extend(names.iter().map(|name| (name.as_str(), "")));
    assert!(
        matches!(Plugin::read(&zipped(&files)).unwrap_err(), PluginError::Invalid { .. }),
        "too many files"
    );

    let deep = plugin_xml(
        "name=\"A\" version=\"1\"",
        &format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000)),
    );
    assert!(matches!(Plugin::read(&zipped(&[("plugin.xml", &deep)])).unwrap_err(), PluginError::Xml { .. }));
}

proptest! {
    /// Nothing that a file can hold makes the reader panic, and SQL arrives as it was written.
    #[test]
    fn sql_arrives_or_is_refused(sql in "[ -~é<>&\\n]{1,60}", escaped in any::<bool>()) {
        let text = if escaped { quick_xml::escape::escape(&sql).into_owned() } else { sql.clone() };
        let read = Plugin::read(&with_queries(&query("a.b.c.d.e", COLUMN, &text)));
        if escaped && !sql.trim().is_empty() {
            prop_assert!(read.is_ok(), "{:?}", read.err());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        prop_assert!(Plugin::read(&bytes).is_err());
        prop_assert!(Plugin::read(&zipped(&[("plugin.xml", &text)])).is_err());
    }
}
