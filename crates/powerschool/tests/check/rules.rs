//! The rules of `plugin.xml`, with their places.

use rosterbridge_domain::job::Job;
use rosterbridge_powerschool::plugin::{Access, check};
use rstest::rstest;

use super::remarks;

const OPEN: &str = "<plugin xmlns=\"http://plugin.powerschool.pearson.com\" name=\"Vendor\" version=\"1.0\">";
const PUBLISHER: &str = "<publisher name=\"V\"><contact email=\"v@v.example\"/></publisher>";

/// A plugin with these children beside the publisher, each on a line of its own from the second on.
fn plugin(children: &str) -> String {
    format!("{OPEN}\n{children}\n{PUBLISHER}\n</plugin>")
}

fn field(table: &str, field: &str, access: &str) -> String {
    plugin(&format!(
        "<access_request>\n <field table=\"{table}\" field=\"{field}\" access=\"{access}\"/>\n</access_request>"
    ))
}

fn root(attributes: &str) -> String {
    format!("<plugin {attributes}>\n{PUBLISHER}\n</plugin>")
}

const NS: &str = "xmlns=\"http://plugin.powerschool.pearson.com\"";

/// Severity, code and place of the first remark, and part of its message.
#[rstest]
#[case::no_name(root(&format!("{NS} version='1'")), "error plugin.attribute_missing", 1, 1, "'name' (1 to 40")]
#[case::empty_name(root(&format!("{NS} name='' version='1'")), "error plugin.attribute_length", 1, 55, "0 characters")]
#[case::long_name(root(&format!("{NS} name='{}' version='1'", "é".repeat(41))), "error plugin.attribute_length", 1, 55, "41 characters")]
#[case::no_version(root(&format!("{NS} name='a'")), "note plugin.attribute_missing", 1, 1, "updated in place")]
#[case::letters_in_version(root(&format!("{NS} name='a' version='v1.0'")), "error plugin.attribute_value", 1, 64, "'v1.0'")]
#[case::long_version(root(&format!("{NS} name='a' version='{}'", "1".repeat(21))), "error plugin.attribute_length", 1, 64, "1 to 20")]
#[case::long_description(root(&format!("{NS} name='a' version='1' description='{}'", "d".repeat(257))), "error plugin.attribute_length", 1, 76, "257 characters")]
#[case::no_namespace(
    root("name='a' version='1'"),
    "error plugin.namespace",
    1,
    1,
    "plugin.powerschool.pearson.com"
)]
#[case::other_namespace(
    root("xmlns='http://plugin.powerschool.com' name='a' version='1'"),
    "error plugin.namespace",
    1,
    9,
    "plugin.powerschool.pearson.com"
)]
#[case::unknown_attribute(root(&format!("{NS} name='a' version='1' colour='red'")), "note plugin.unknown_attribute", 1, 76, "'colour'")]
#[case::another_root("<module/>".to_owned(), "error plugin.wrong_root", 1, 1, "'module'")]
#[case::no_publisher(format!("{OPEN}</plugin>"), "error plugin.element_missing", 1, 1, "'publisher'")]
#[case::no_contact(format!("{OPEN}\n  <publisher name='a'/></plugin>"), "error plugin.element_missing", 2, 3, "'contact'")]
#[case::no_email(format!("{OPEN}\n<publisher name='a'><contact phone='1'/></publisher></plugin>"), "error plugin.attribute_missing", 2, 21, "'email'")]
#[case::long_email(format!("{OPEN}\n<publisher name='a'><contact email='{}'/></publisher></plugin>", "e".repeat(41)), "error plugin.attribute_length", 2, 30, "41 characters")]
#[case::long_phone(format!("{OPEN}\n<publisher name='a'><contact email='e@e' phone='{}'/></publisher></plugin>", "1".repeat(21)), "error plugin.attribute_length", 2, 42, "up to 20")]
#[case::nameless_publisher(format!("{OPEN}\n<publisher><contact email='e@e'/></publisher></plugin>"), "error plugin.attribute_missing", 2, 1, "'name'")]
#[case::two_contacts(format!("{OPEN}\n<publisher name='a'><contact email='e@e'/><contact email='e@e'/></publisher></plugin>"), "error plugin.element_twice", 2, 43, "'contact'")]
#[case::oauth_twice(plugin("<oauth/>\n<oauth/>"), "error plugin.element_twice", 3, 1, "'oauth'")]
#[case::unknown_element(plugin("<!-- é --><colour/>"), "note plugin.unknown_element", 2, 11, "'colour'")]
#[case::foreign_element(
    plugin("<oauth xmlns='http://other.example'/>"),
    "note plugin.unknown_element",
    2,
    1,
    "'oauth'"
)]
#[case::unknown_in_request(
    plugin("<access_request><table/></access_request>"),
    "note plugin.unknown_element",
    2,
    17,
    "'table'"
)]
#[case::other_order(
    plugin("<access_request/>\n\t<oauth/>"),
    "note plugin.element_order",
    3,
    2,
    "That is valid"
)]
#[case::publisher_first(format!("{OPEN}\n{PUBLISHER}\n<oauth/></plugin>"), "note plugin.element_order", 3, 1, "'oauth' comes after 'publisher'")]
#[case::long_table(field(&"T".repeat(31), "F", "ViewOnly"), "error plugin.attribute_length", 3, 9, "31 characters")]
#[case::long_field(field("T", &"F".repeat(31), "ViewOnly"), "error plugin.attribute_length", 3, 19, "31 characters")]
#[case::no_field(field("T", "", "ViewOnly"), "error plugin.attribute_length", 3, 19, "1 to 30")]
#[case::access_in_other_letters(
    field("T", "F", "viewonly"),
    "error plugin.attribute_value",
    3,
    29,
    "'viewonly'"
)]
#[case::no_access(
    plugin("<access_request><field table='a' field='b'/></access_request>"),
    "error plugin.attribute_missing",
    2,
    17,
    "'access'"
)]
#[case::field_twice(
    plugin(
        "<access_request><field table='a' field='b' access='ViewOnly'/>\n<field table='A' field='B' access='FullAccess'/></access_request>"
    ),
    "note plugin.field_twice",
    3,
    1,
    "A.B"
)]
fn a_broken_rule_is_told_with_its_place(
    #[case] xml: String,
    #[case] code: &str,
    #[case] line: u32,
    #[case] column: u32,
    #[case] message: &str,
) {
    let checked = check("plugin.xml", xml.as_bytes());
    let told = remarks(&checked);
    let expected = format!("{code} plugin.xml {line}:{column} ");
    assert!(
        told.iter().any(|told| told.starts_with(&expected) && told.contains(message)),
        "{told:#?}\n{xml}"
    );
    assert_eq!(checked.valid(), !told.iter().any(|told| told.starts_with("error")));
    assert_eq!(told.len(), 1, "{told:#?}");
}

#[rstest]
#[case::bare_oauth(plugin("<oauth></oauth>"))]
#[case::schema_location(root(&format!(
    "{NS} xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='http://plugin.powerschool.pearson.com plugin.xsd' name='a' version='1' description='' deletable='true'"
)))]
#[case::a_prefix(format!("<p:plugin xmlns:p=\"http://plugin.powerschool.pearson.com\" name='a' version='1'><p:oauth/><p:publisher name='b'><p:contact email='e@e'/></p:publisher></p:plugin>"))]
#[case::longest(root(&format!("{NS} name='{}' version='{}' description='{}'", "n".repeat(40), "1.".repeat(10), "d".repeat(256))))]
#[case::instructions_and_comments(format!("<?xml version='1.0'?><!-- a --><?b c?>{}<!-- d -->\n", plugin("<!-- e --><oauth/>")))]
fn unusual_and_valid(#[case] xml: String) {
    assert_eq!(remarks(&check("plugin.xml", xml.as_bytes())), Vec::<String>::new(), "{xml}");
}

#[test]
fn the_stronger_access_counts_and_letter_case_does_not() {
    let xml = plugin(
        "<access_request><field table='Terms' field='Dcid' access='FullAccess'/>\
         <field table='terms' field='dcid' access='ViewOnly'/></access_request>",
    );
    let checked = check("plugin.xml", xml.as_bytes());
    assert_eq!(checked.asks, [("TERMS".to_owned(), "DCID".to_owned(), Access::FullAccess)]);
    let missing = checked.fit(Job::HeroTeachers).missing;
    assert!(!missing.iter().any(|(table, field, _)| table == "TERMS" && field == "DCID"));
}

#[test]
fn a_vendors_plugin_is_told_in_plain_words() {
    let xml = format!(
        "{OPEN}<registration url='https://vendor.example/register'/>\
         <oauth accessLevelV1Api='READ'/>\
         <access_request><cdn_request><cdn name='https://cdn.example'/></cdn_request>\
         <field table='STUDENTS' field='First_Name' access='ViewOnly'/>\
         <field table='STUDENTS' field='DOB' access='ViewOnly'/>\
         <field table='STUDENTS' field='GuardianEmail' access='ViewOnly'/>\
         <field table='STUDENTS' field='SSN' access='FullAccess'/>\
         <field table='ATTENDANCE' field='ATT_DATE' access='FullAccess'/></access_request>\
         <links><link display-text='Vendor' path='/x'><ui_contexts><ui_context id='admin.header'/></ui_contexts></link></links>\
         <openid host='sso.vendor.example' port='443'><links><link display-text='a' path='/'/></links></openid>\
         <saml name='vendor' entity-id='https://vendor.example' base-url='https://vendor.example'><links><link display-text='a' path='/'/><link display-text='b' path='/'/></links></saml>\
         {PUBLISHER}<autoinstall><autoenable/></autoinstall><identityAttribute/></plugin>"
    );
    let checked = check("plugin.xml", xml.as_bytes());
    assert!(checked.valid(), "{:?}", remarks(&checked));
    insta::assert_snapshot!(checked.summary.join("\n"));
}

#[test]
fn remarks_are_limited_and_the_rest_is_counted() {
    let wrong = "<field table='a' field='b' access='c'/>".repeat(250);
    let checked =
        check("plugin.xml", plugin(&format!("<access_request>{wrong}</access_request>")).as_bytes());
    assert_eq!(checked.remarks.len(), 101);
    assert_eq!(checked.remarks[100].code, "plugin.more_remarks");
    assert!(checked.remarks[100].message.contains("150 more errors"));
}
