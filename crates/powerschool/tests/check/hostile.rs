//! XML that is made to do harm, or is none.

use rosterbridge_powerschool::plugin::{LARGEST_FILE, LARGEST_XML, check};
use rstest::rstest;

use super::{errors, remarks};

fn laughs() -> String {
    let mut xml = "<!DOCTYPE plugin [<!ENTITY a0 \"ha\">".to_owned();
    for level in 1..10 {
        let inner = format!("&a{};", level - 1).repeat(10);
        xml += &["<!ENTITY a", &level.to_string(), " \"", &inner, "\">"].concat();
    }
    xml + "]><plugin name='&a9;'>&a9;</plugin>"
}

fn deep(levels: usize) -> String {
    format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels))
}

fn wide(attributes: usize) -> String {
    let attributes: Vec<String> = (0..attributes).map(|number| format!(" a{number}=''")).collect();
    format!("<plugin{}/>", attributes.concat())
}

#[rstest]
#[case::laughs(laughs(), "plugin.entities", 1, 1)]
#[case::external_entity("\n<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>".to_owned(), "plugin.entities", 2, 1)]
#[case::external_dtd("<!DOCTYPE a SYSTEM 'http://vendor.example/a.dtd'><a/>".to_owned(), "plugin.entities", 1, 1)]
#[case::parameter_entity("<!DOCTYPE a [<!ENTITY % b 'c'> %b;]><a/>".to_owned(), "plugin.entities", 1, 1)]
#[case::unknown_entity("<plugin>\n é&vendor;</plugin>".to_owned(), "plugin.entities", 2, 3)]
#[case::entity_in_attribute("<plugin\nname='&vendor;'/>".to_owned(), "plugin.entities", 2, 1)]
#[case::unclosed_doctype("<!DOCTYPE a [".to_owned(), "plugin.malformed", 1, 1)]
#[case::too_deep(deep(33), "plugin.too_complex", 1, 97)]
#[case::far_too_deep(deep(200_000), "plugin.too_complex", 1, 97)]
#[case::too_many_attributes(wide(65), "plugin.too_complex", 1, 447)]
#[case::far_too_many_attributes(wide(100_000), "plugin.too_complex", 1, 447)]
#[case::too_many_elements(format!("<a>{}</a>", "<b/>".repeat(50_000)), "plugin.too_complex", 1, 200_000)]
#[case::empty(String::new(), "plugin.malformed", 1, 1)]
#[case::blank(" \n ".to_owned(), "plugin.malformed", 1, 1)]
#[case::text("Dear vendor,".to_owned(), "plugin.malformed", 1, 1)]
#[case::unclosed("<plugin>\n <oauth>\n".to_owned(), "plugin.malformed", 2, 2)]
#[case::crossed("<plugin><a></b></plugin>".to_owned(), "plugin.malformed", 1, 12)]
#[case::closed_twice("<plugin/></plugin>".to_owned(), "plugin.malformed", 1, 10)]
#[case::two_roots("<plugin/>\n<plugin/>".to_owned(), "plugin.malformed", 2, 1)]
#[case::text_behind("<plugin/>\nmore".to_owned(), "plugin.malformed", 1, 10)]
#[case::unquoted("<plugin name=a/>".to_owned(), "plugin.malformed", 1, 14)]
#[case::attribute_twice("<plugin name='a' name='b'/>".to_owned(), "plugin.malformed", 1, 18)]
#[case::no_value("<plugin name/>".to_owned(), "plugin.malformed", 1, 13)]
#[case::bracket_in_value("<plugin name='a<b'/>".to_owned(), "plugin.malformed", 1, 9)]
#[case::bare_ampersand("<plugin>R & D</plugin>".to_owned(), "plugin.malformed", 1, 11)]
#[case::no_name_of_an_element("<1/>".to_owned(), "plugin.malformed", 1, 1)]
#[case::null("<plugin>\0</plugin>".to_owned(), "plugin.malformed", 1, 9)]
#[case::null_by_reference("<plugin>&#0;</plugin>".to_owned(), "plugin.malformed", 1, 9)]
#[case::bell_by_reference("<plugin name='&#7;'/>".to_owned(), "plugin.malformed", 1, 9)]
#[case::comment_in_comment("<!-- a -- b --><plugin/>".to_owned(), "plugin.malformed", 1, 8)]
#[case::late_declaration(" <?xml version='1.0'?><plugin/>".to_owned(), "plugin.malformed", 1, 2)]
#[case::bound_prefix_is_missing("<p:plugin/>".to_owned(), "plugin.namespace", 1, 1)]
fn is_refused_with_its_place(
    #[case] xml: String,
    #[case] code: &str,
    #[case] line: u32,
    #[case] column: u32,
) {
    let checked = check("plugin.xml", xml.as_bytes());
    let first = &checked.remarks[0];
    assert_eq!((first.code, first.line, first.column), (code, line, column), "{}", first.message);
    assert!(!checked.valid());
    assert!(first.message.chars().count() < 400);
}

#[test]
fn references_that_xml_itself_knows_are_read() {
    let xml = "<plugin xmlns='http://plugin.powerschool.pearson.com' name='R&amp;D &#x3c;&#233;&gt;' version='1'>\
               <publisher name='a&quot;'><contact email='&apos;e@e'/></publisher></plugin>";
    let checked = check("plugin.xml", xml.as_bytes());
    assert_eq!(remarks(&checked), Vec::<String>::new());
    assert_eq!(checked.name.as_deref(), Some("R&D <é>"));
}

#[rstest]
#[case::huge("plugin.xml", LARGEST_FILE + 1)]
#[case::large("plugin.xml", LARGEST_XML + 1)]
#[case::huge_zip("plugin.zip", LARGEST_FILE + 1)]
fn large_files_are_not_read(#[case] name: &str, #[case] size: usize) {
    assert_eq!(errors(&check(name, &vec![b'<'; size]))[..1], ["plugin.too_large"]);
}

#[rstest]
#[case::utf16_without_mark(b"<\0p\0/\0>\0".as_slice(), 0, 0)]
#[case::latin_declared_as_utf8(b"<?xml version='1.0' encoding='UTF-8'?>\n<p n='\xe9'/>".as_slice(), 2, 7)]
#[case::unknown(b"<?xml version='1.0' encoding='klingon'?><p/>".as_slice(), 0, 0)]
#[case::contradiction(b"\xef\xbb\xbf<?xml version='1.0' encoding='windows-1252'?><p/>".as_slice(), 0, 0)]
fn wrong_encodings_are_told(#[case] content: &[u8], #[case] line: u32, #[case] column: u32) {
    let checked = check("plugin.xml", content);
    assert_eq!(errors(&checked), ["plugin.encoding"]);
    assert_eq!((checked.remarks[0].line, checked.remarks[0].column), (line, column));
}

#[test]
fn utf16_is_read_and_places_count_characters() {
    let text = "<?xml version='1.0' encoding='UTF-16'?>\n<plugin xmlns='http://plugin.powerschool.pearson.com' \
                name='é😀' version='x'><publisher name='a'><contact email='e@e'/></publisher></plugin>";
    let bytes: Vec<u8> =
        std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let checked = check("plugin.xml", &bytes);
    assert_eq!(checked.name.as_deref(), Some("é😀"));
    assert_eq!(errors(&checked), ["plugin.attribute_value"]);
    assert_eq!((checked.remarks[0].line, checked.remarks[0].column), (2, 65));
}

#[rstest]
#[case("plugin.txt", b"<a/>".as_slice())]
#[case("plugin", b"<a/>".as_slice())]
#[case("plugin.zip", b"<?xml version='1.0'?><plugin/>".as_slice())]
#[case("plugin.xml", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".as_slice())]
fn names_that_powerschool_does_not_take(#[case] name: &str, #[case] content: &[u8]) {
    assert_eq!(errors(&check(name, content))[0], "plugin.file_name");
}
