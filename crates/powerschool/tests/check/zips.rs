//! Plugins in archives, and archives that are made to do harm.

use std::io::{Cursor, Write};

use rosterbridge_domain::job::Job;
use rosterbridge_powerschool::plugin::{self, check};
use rstest::rstest;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{errors, remarks};

fn plugin_xml() -> String {
    plugin::files(&Job::ALL, 0).unwrap()[0].1.clone()
}

pub fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in files {
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// An archive with our `plugin.xml` and another file.
fn with(name: &str, content: &str) -> Vec<u8> {
    archive(&[("plugin.xml", plugin_xml().as_bytes()), (name, content.as_bytes())])
}

/// An entry of an archive that is put together byte by byte, so that it can lie.
#[derive(Clone)]
struct Entry {
    local_name: &'static str,
    name: &'static str,
    content: Vec<u8>,
    /// The content's size and checksum as the headers have it, if not the true ones.
    size: Option<u32>,
    checksum: Option<u32>,
    flags: u16,
    method: u16,
    /// Unix mode.
    mode: u32,
    /// Points at the entry before it instead of at itself.
    shared: bool,
}

fn entry(name: &'static str, content: &[u8]) -> Entry {
    Entry {
        local_name: name,
        name,
        content: content.to_vec(),
        size: None,
        checksum: None,
        flags: 0,
        method: 0,
        mode: 0o100_644,
        shared: false,
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg()))
    })
}

fn stored(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    let mut before = 0;
    for entry in entries {
        let length = u32::try_from(entry.content.len()).unwrap();
        let common = |name: &str| {
            let mut header = Vec::new();
            header.extend([20, 0]);
            header.extend(entry.flags.to_le_bytes());
            header.extend(entry.method.to_le_bytes());
            header.extend([0, 0, 0x21, 0]);
            header.extend(entry.checksum.unwrap_or_else(|| crc32(&entry.content)).to_le_bytes());
            header.extend(length.to_le_bytes());
            header.extend(entry.size.unwrap_or(length).to_le_bytes());
            header.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
            header.extend([0, 0]);
            header
        };
        let begin = if entry.shared { before } else { u32::try_from(bytes.len()).unwrap() };
        before = begin;
        if !entry.shared {
            bytes.extend(b"PK\x03\x04");
            bytes.extend(common(entry.local_name));
            bytes.extend(entry.local_name.as_bytes());
            bytes.extend(&entry.content);
        }
        directory.extend(b"PK\x01\x02");
        directory.extend([20, 3]);
        directory.extend(common(entry.name));
        directory.extend([0; 6]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(begin.to_le_bytes());
        directory.extend(entry.name.as_bytes());
    }
    let begin = u32::try_from(bytes.len()).unwrap();
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
    bytes.extend(count);
    bytes.extend(count);
    bytes.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    bytes.extend(begin.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

fn ours() -> Entry {
    entry("plugin.xml", plugin_xml().as_bytes())
}

#[test]
fn an_archive_put_together_by_hand_is_read() {
    let checked = check("a.zip", &stored(&[ours(), entry("web_root/admin/a.html", b"<p>a</p>")]));
    assert_eq!(remarks(&checked), Vec::<String>::new());
    assert!(checked.summary.contains(&"Adds or changes 1 page file of PowerSchool (web_root).".to_owned()));
}

#[rstest]
#[case::nothing(vec![], "plugin.no_plugin_xml", "it is no plugin")]
#[case::a_folder_around(vec![Entry { local_name: "vendor/plugin.xml", name: "vendor/plugin.xml", ..ours() }], "plugin.no_plugin_xml", "folder 'vendor'")]
#[case::capitals(vec![Entry { local_name: "Plugin.xml", name: "Plugin.xml", ..ours() }], "plugin.no_plugin_xml", "here it is Plugin.xml")]
#[case::slip(vec![ours(), entry("../../.profile", b"a")], "plugin.zip_unsafe", "leads out")]
#[case::slip_inside(vec![ours(), entry("web_root/../../a", b"a")], "plugin.zip_unsafe", "leads out")]
#[case::absolute(vec![ours(), entry("/etc/cron.d/a", b"a")], "plugin.zip_unsafe", "place on the disk")]
#[case::drive(vec![ours(), entry("C:/a", b"a")], "plugin.zip_unsafe", "place on the disk")]
#[case::backslash(vec![ours(), entry("web_root\\a", b"a")], "plugin.zip_unsafe", "backslash")]
#[case::control_character(vec![ours(), entry("web_root/a\n", b"a")], "plugin.zip_unsafe", "can't be shown")]
#[case::twice(vec![ours(), ours()], "plugin.zip_unsafe", "same name")]
#[case::link(vec![ours(), Entry { mode: 0o120_777, ..entry("web_root/a", b"/etc/passwd") }], "plugin.zip_unsafe", "link")]
#[case::encrypted(vec![ours(), Entry { flags: 1, ..entry("web_root/a", b"abcdefghijklmno") }], "plugin.zip_unsafe", "encrypted")]
#[case::overlapping(vec![ours(), Entry { shared: true, name: "web_root/a", ..ours() }], "plugin.zip_unsafe", "overlap")]
#[case::two_names(vec![Entry { local_name: "plugin.xmm", ..ours() }], "plugin.zip_unsafe", "says one thing")]
#[case::wrong_checksum(vec![Entry { checksum: Some(7), ..ours() }], "plugin.zip_damaged", "damaged")]
#[case::wrong_size(vec![ours(), Entry { method: 8, size: Some(9), ..entry("web_root/a", b"\x03\x00") }], "plugin.zip_damaged", "damaged")]
#[case::unknown_method(vec![ours(), Entry { method: 77, ..entry("web_root/a", b"a") }], "plugin.zip_damaged", "compressed in a way")]
fn is_refused(#[case] entries: Vec<Entry>, #[case] code: &str, #[case] message: &str) {
    let checked = check("a.zip", &stored(&entries));
    let told = remarks(&checked);
    assert!(
        told.iter().any(|told| told.starts_with(&format!("error {code} ")) && told.contains(message)),
        "{told:#?}"
    );
}

#[test]
fn every_cut_of_an_archive_is_refused() {
    let whole = archive(&[("plugin.xml", plugin_xml().as_bytes())]);
    for length in 0..whole.len() {
        let checked = check("a.zip", &whole[..length]);
        assert_eq!(errors(&checked), ["plugin.zip_damaged"], "{length}");
    }
}

#[test]
fn zip64_sizes_that_can_not_be_are_refused() {
    let mut lies = stored(&[ours()]);
    let end = lies.len() - 22;
    // The end record says 'see zip64', and the zip64 record claims more entries and bytes than there can be.
    let mut zip64 = b"PK\x06\x06".to_vec();
    zip64.extend(44_u64.to_le_bytes());
    zip64.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for claim in [u64::MAX, u64::MAX, u64::MAX - 50, 4] {
        zip64.extend(claim.to_le_bytes());
    }
    zip64.extend(b"PK\x06\x07\0\0\0\0");
    zip64.extend(u64::try_from(end).unwrap().to_le_bytes());
    zip64.extend(1_u32.to_le_bytes());
    let mut record = lies.split_off(end);
    record[8..20].fill(0xFF);
    lies.extend(zip64);
    lies.extend(record);
    assert_eq!(errors(&check("a.zip", &lies)), ["plugin.zip_damaged"]);
}

#[test]
fn a_bomb_is_stopped_while_it_is_unpacked() {
    let bomb = archive(&[
        ("plugin.xml", plugin_xml().as_bytes()),
        ("web_root/a.html", &vec![b'a'; 12 << 20]),
        ("web_root/b.html", b"b"),
    ]);
    assert!(bomb.len() < 100_000);
    let checked = check("a.zip", &bomb);
    assert_eq!(errors(&checked), ["plugin.too_large"]);
    assert!(checked.remarks[0].message.contains("times its size"), "{:?}", checked.remarks);
    assert_eq!(checked.remarks[0].file, "web_root/a.html");
}

#[rstest]
#[case::plugin_xml("plugin.xml")]
#[case::queries("queries_root/a.named_queries.xml")]
fn large_xml_files_are_not_read(#[case] name: &str) {
    // Numbers, which are not compressed far enough to be taken for a bomb.
    let large = (0..400_000).map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
    let mut files = vec![(name, large.as_bytes())];
    let ours = plugin_xml();
    if name != "plugin.xml" {
        files.push(("plugin.xml", ours.as_bytes()));
    }
    assert_eq!(errors(&check("a.zip", &archive(&files)))[0], "plugin.too_large");
}

#[test]
fn an_archive_of_very_many_entries_is_not_opened() {
    let entries: Vec<Entry> = (0..5_001).map(|_| entry("web_root/", b"")).collect();
    let checked = check("a.zip", &stored(&entries));
    assert_eq!(errors(&checked), ["plugin.too_large"]);
    assert!(checked.remarks[0].message.contains("5000 entries"));
}

#[test]
fn files_that_are_none_of_a_plugins_are_noted_and_not_looked_into() {
    let nested = archive(&[("../plugin.xml", b"<")]);
    let checked = check(
        "a.zip",
        &archive(&[
            ("plugin.xml", plugin_xml().as_bytes()),
            ("other.zip", &nested),
            ("__MACOSX/._plugin.xml", b"\0"),
            ("queries_root/readme.txt", b"a"),
            ("MessageKeys/a.properties", b"a=b"),
            ("user_schema_root/a.xml", b"<a/>"),
            ("pagecataloging/a.json", b"{}"),
        ]),
    );
    assert!(checked.valid(), "{:?}", remarks(&checked));
    let files: Vec<&str> = checked.remarks.iter().map(|remark| remark.file.as_str()).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in ["other.zip", "__MACOSX/._plugin.xml", "queries_root/readme.txt"] {
        assert!(files.contains(&file), "{files:?}");
    }
    assert!(checked.remarks.iter().all(|remark| remark.code == "plugin.file_ignored"));
    assert_eq!(checked.summary.iter().filter(|told| told.contains("1 file (")).count(), 3);
}

fn query(attributes: &str, columns: &str, sql: &str) -> String {
    format!(
        "<queries>\n<query {attributes}><columns>{columns}</columns><sql><![CDATA[{sql}]]></sql></query>\n</queries>"
    )
}

const NAME: &str = "name='com.vendor.product.area.name' coreTable='terms'";
const COLUMN: &str = "<column column='TERMS.DCID'>dcid</column>";
const TWO: &str = "<column column='TERMS.DCID'>dcid</column><column column='TERMS.ID'>id</column>";

#[rstest]
#[case::four_parts(
    query("name='com.vendor.area.name'", COLUMN, "select dcid from terms"),
    "error plugin.query_name",
    2,
    8,
    "five parts"
)]
#[case::an_empty_part(
    query("name='com.vendor..area.name'", COLUMN, "select dcid from terms"),
    "error plugin.query_name",
    2,
    8,
    "five parts"
)]
#[case::long_name(query(&format!("name='a.b.c.d.{}'", "e".repeat(193)), COLUMN, "select dcid from terms"), "error plugin.attribute_length", 2, 8, "201 characters")]
#[case::no_name(
    query("coreTable='terms'", COLUMN, "select dcid from terms"),
    "error plugin.attribute_missing",
    2,
    1,
    "'name'"
)]
#[case::no_columns(
    query(NAME, "", "select dcid from terms"),
    "error plugin.query_incomplete",
    2,
    1,
    "'columns'"
)]
#[case::no_sql(query(NAME, COLUMN, " "), "error plugin.query_incomplete", 2, 1, "'sql'")]
#[case::no_table(
    query(NAME, "<column column='DCID'>dcid</column>", "select dcid from terms"),
    "error plugin.column_name",
    2,
    71,
    "TABLE.FIELD"
)]
#[case::three_parts(
    query(NAME, "<column column='a.b.c'>dcid</column>", "select dcid from terms"),
    "error plugin.column_name",
    2,
    71,
    "'a.b.c'"
)]
#[case::too_few_columns(
    query(NAME, COLUMN, "select dcid, id from terms"),
    "error plugin.query_columns",
    2,
    122,
    "2 columns"
)]
#[case::too_many_columns(
    query(NAME, TWO, "select max(dcid, 1) from terms"),
    "error plugin.query_columns",
    2,
    159,
    "declares 2 columns"
)]
#[case::another_order(
    query(NAME, TWO, "select id, dcid from terms"),
    "note plugin.query_order",
    2,
    71,
    "ID in the place of DCID"
)]
#[case::no_access(
    query(NAME, "<column column='TERMS.NAME'>n</column>", "select name from terms"),
    "note plugin.query_access",
    2,
    8,
    "TERMS.NAME"
)]
#[case::unknown_element(query(NAME, &format!("{COLUMN}<row/>"), "select dcid from terms"), "note plugin.unknown_element", 2, 112, "'row'")]
#[case::another_root("<named_queries/>".to_owned(), "error plugin.wrong_root", 1, 1, "'queries'")]
#[case::malformed("<queries>\n<query></queries>".to_owned(), "error plugin.malformed", 2, 8, "well-formed")]
#[case::entities("<!DOCTYPE a><queries/>".to_owned(), "error plugin.entities", 1, 1, "refused")]
fn a_querys_broken_rule_is_told(
    #[case] queries: String,
    #[case] code: &str,
    #[case] line: u32,
    #[case] column: u32,
    #[case] message: &str,
) {
    let told = remarks(&check("a.zip", &with("queries_root/a.named_queries.xml", &queries)));
    let expected = format!("{code} queries_root/a.named_queries.xml {line}:{column} ");
    assert!(
        told.iter().any(|told| told.starts_with(&expected) && told.contains(message)),
        "{told:#?}\n{queries}"
    );
}

#[rstest]
#[case::in_order(query(NAME, TWO, "select terms.dcid, terms.id as id from terms"))]
#[case::named_otherwise(query(
    NAME,
    "<column column='TERMS.DCID'>ID</column><column column='TERMS.ID'>DCID</column>",
    "select id, dcid from terms"
))]
#[case::placeholder(query(
    NAME,
    "<column column='TERMS.ID'>a</column><column column='TERMS.ID'>b</column>",
    "select count(*) a, 'x' b from terms"
))]
#[case::everything(query(NAME, COLUMN, "select * from terms"))]
#[case::in_the_text(query(NAME, "<column>TERMS.DCID</column>", "select dcid from terms"))]
fn valid_queries_have_no_remarks(#[case] queries: String) {
    let told = remarks(&check("a.zip", &with("queries_root/a.named_queries.xml", &queries)));
    assert_eq!(told, Vec::<String>::new(), "{queries}");
}

#[test]
fn a_querys_name_is_unique_in_the_plugin() {
    let queries = query(NAME, COLUMN, "select dcid from terms");
    let checked = check(
        "a.zip",
        &archive(&[
            ("plugin.xml", plugin_xml().as_bytes()),
            ("queries_root/a.named_queries.xml", queries.as_bytes()),
            ("queries_root/b.named_queries.xml", queries.as_bytes()),
        ]),
    );
    assert_eq!(errors(&checked), ["plugin.query_twice"]);
    assert_eq!(checked.remarks[0].file, "queries_root/b.named_queries.xml");
}

#[test]
fn permission_mappings_are_told_and_lead_to_queries_of_the_plugin() {
    let mappings = "<permission_mappings>\n<permission name='/admin/home.html'>\
                    <implies allow='post'>/ws/schema/query/com.vendor.product.area.name</implies>\n\
                    <implies allow='get'>/ws/cpm/tree</implies></permission>\n</permission_mappings>";
    let queries = query(NAME, COLUMN, "select dcid from terms");
    let checked = check(
        "a.zip",
        &archive(&[
            ("permissions_root/a.permission_mappings.xml", mappings.as_bytes()),
            ("plugin.xml", plugin_xml().as_bytes()),
            ("queries_root/a.named_queries.xml", queries.as_bytes()),
        ]),
    );
    assert_eq!(remarks(&checked).len(), 1, "{:?}", remarks(&checked));
    assert_eq!((checked.remarks[0].code, checked.remarks[0].line), ("plugin.permission_target", 3));
    assert!(
        checked.summary.iter().any(|told| told.contains("open /admin/home.html call 2 of its queries")),
        "{:?}",
        checked.summary
    );
}

/// Each pair of the two kinds of end records is a possible end: a thousand of each keep a reader busy for hours.
#[rstest]
#[case::ends(b"PK\x05\x06\0\0\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0\0\0")]
#[case::ends_of_the_larger_format(b"PK\x06\x06\x40\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0")]
fn an_archive_with_many_ends_is_not_opened(#[case] end: &[u8]) {
    let mut content = with("more.txt", "");
    let behind = content.split_off(4);
    content.extend(end.repeat(1_500));
    content.extend(behind);
    assert_eq!(errors(&check("plugin.zip", &content)), ["plugin.zip_unsafe"]);
}

#[test]
fn nested_archives_do_not_count_as_many_ends() {
    let inner = with("more.txt", "");
    let content = archive(&[("plugin.xml", plugin_xml().as_bytes()), ("web_root/inner.zip", &inner)]);
    assert!(check("plugin.zip", &content).valid());
}
