//! The rules of `plugin.xml` (PowerSchool: plugin XML).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Access, Findings, Source, words,
    xml::{Element, Namespace},
};

/// Fields asked for, by table and field in capitals.
pub(super) type Asks = BTreeMap<(String, String), Access>;

/// What a `plugin.xml` says.
#[derive(Debug, Default)]
pub(super) struct PluginXml {
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) description: Option<String>,
    pub(super) publisher: Option<String>,
    pub(super) oauth: bool,
    pub(super) asks: Asks,
    /// What else it does, in sentences.
    pub(super) facts: Vec<String>,
}

/// What an attribute may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Any text.
    Text,
    /// Digits and dots.
    Version,
    /// `ViewOnly` or `FullAccess`.
    Access,
}

/// A rule about an attribute: its length in characters is `shortest` to `longest`.
pub(super) struct Rule {
    name: &'static str,
    required: bool,
    shortest: usize,
    longest: usize,
    form: Form,
}

impl Rule {
    /// An attribute that must be there and not be empty.
    pub(super) const fn required(name: &'static str, longest: usize) -> Self {
        Self { name, required: true, shortest: 1, longest, form: Form::Text }
    }

    /// An attribute that may be left out.
    pub(super) const fn optional(name: &'static str, longest: usize) -> Self {
        Self { name, required: false, shortest: 0, longest, form: Form::Text }
    }

    const fn of(self, form: Form) -> Self {
        Self { form, ..self }
    }
}

const PLUGIN: [Rule; 4] = [
    Rule::required("name", 40),
    Rule { name: "version", required: false, shortest: 1, longest: 20, form: Form::Version },
    Rule::optional("description", 256),
    Rule::optional("deletable", 5),
];
const FIELD: [Rule; 3] =
    [Rule::required("table", 30), Rule::required("field", 30), Rule::required("access", 10).of(Form::Access)];
const PUBLISHER: [Rule; 1] = [Rule::required("name", 100)];
const CONTACT: [Rule; 2] = [Rule::required("email", 40), Rule::optional("phone", 20)];

/// Checks an element's attributes. Ones of other namespaces, such as `xsi:schemaLocation`, are nobody's business here.
pub(super) fn attributes(source: &Source<'_>, element: &Element, rules: &[Rule], findings: &mut Findings) {
    for attribute in &element.attributes {
        let foreign = attribute.name == "xmlns" || attribute.name.contains(':');
        if !foreign && !rules.iter().any(|rule| rule.name == attribute.name) {
            findings.note(
                source,
                attribute.at,
                "plugin.unknown_attribute",
                format!("'{}' has no attribute '{}'.", element.name, words::shown(&attribute.name, 40)),
            );
        }
    }
    for rule in rules {
        let range = if rule.shortest == 0 {
            format!("up to {} characters", rule.longest)
        } else {
            format!("{} to {} characters", rule.shortest, rule.longest)
        };
        let Some(attribute) = element.attributes.iter().find(|attribute| attribute.name == rule.name) else {
            if rule.required {
                findings.error(
                    source,
                    element.at,
                    "plugin.attribute_missing",
                    format!("'{}' needs the attribute '{}' ({range}).", element.name, rule.name),
                );
            }
            continue;
        };
        let value = &attribute.value;
        let length = value.chars().count();
        match rule.form {
            Form::Access if access(value).is_none() => findings.error(
                source,
                attribute.at,
                "plugin.attribute_value",
                format!("'access' is ViewOnly or FullAccess; here it is '{}'.", words::shown(value, 40)),
            ),
            Form::Access => {}
            _ if length < rule.shortest || length > rule.longest => findings.error(
                source,
                attribute.at,
                "plugin.attribute_length",
                format!(
                    "'{}' has {}; PowerSchool takes {range}.",
                    rule.name,
                    words::counted(length, "character", "characters")
                ),
            ),
            Form::Version if !value.chars().all(|letter| letter.is_ascii_digit() || letter == '.') => {
                findings.error(
                    source,
                    attribute.at,
                    "plugin.attribute_value",
                    format!("A version has digits and dots only; here it is '{}'.", words::shown(value, 40)),
                );
            }
            Form::Version | Form::Text => {}
        }
    }
}

fn access(value: &str) -> Option<Access> {
    [Access::ViewOnly, Access::FullAccess].into_iter().find(|access| access.as_str() == value)
}

/// The children of `plugin`, each at most once.
const CHILDREN: [&str; 9] = [
    "registration",
    "oauth",
    "access_request",
    "openid",
    "saml",
    "links",
    "publisher",
    "autoinstall",
    "identityAttribute",
];

/// The order that every version of PowerSchool takes.
const ORDER: [&str; 3] = ["oauth", "access_request", "publisher"];

/// Checks a `plugin.xml`; nothing when its outermost element is another.
pub(super) fn plugin_xml(source: &Source<'_>, root: &Element, findings: &mut Findings) -> Option<PluginXml> {
    if root.name != "plugin" {
        findings.error(
            source,
            root.at,
            "plugin.wrong_root",
            format!("The outermost element is '{}' and has to be 'plugin'.", words::shown(&root.name, 40)),
        );
        return None;
    }
    if root.namespace != Namespace::Plugin {
        let at = root
            .attributes
            .iter()
            .find(|attribute| attribute.name == "xmlns")
            .map_or(root.at, |xmlns| xmlns.at);
        findings.error(
            source,
            at,
            "plugin.namespace",
            format!("'plugin' has to be in the namespace {} (xmlns).", crate::plugin::NAMESPACE),
        );
    }
    attributes(source, root, &PLUGIN, findings);
    if root.value("version").is_none() {
        findings.note(
            source,
            root.at,
            "plugin.attribute_missing",
            "Without a version the plugin can't be updated in place.".to_owned(),
        );
    }
    children(source, root, findings);
    let text = |name: &str| root.value(name).map(|value| words::shown(value, 300));
    let mut plugin = PluginXml {
        name: text("name"),
        version: text("version"),
        description: text("description"),
        oauth: root.first("oauth").is_some(),
        ..PluginXml::default()
    };
    if let Some(request) = root.first("access_request") {
        plugin.asks = access_request(source, request, findings);
    }
    match root.first("publisher") {
        Some(publisher) => plugin.publisher = Some(published(source, publisher, findings)),
        None => findings.error(
            source,
            root.at,
            "plugin.element_missing",
            "'plugin' needs the element 'publisher' with a name and a contact.".to_owned(),
        ),
    }
    plugin.facts = facts(root);
    Some(plugin)
}

fn children(source: &Source<'_>, root: &Element, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    let mut furthest = 0;
    let mut in_order = true;
    for child in &root.children {
        let known = child.namespace == root.namespace && CHILDREN.contains(&child.name.as_str());
        if !known {
            unknown_element(source, root, child, findings);
            continue;
        }
        if !seen.insert(child.name.as_str()) {
            findings.error(
                source,
                child.at,
                "plugin.element_twice",
                format!("'{}' may be there once only.", child.name),
            );
            continue;
        }
        if let Some(place) = ORDER.iter().position(|name| *name == child.name) {
            if place < furthest && in_order {
                in_order = false;
                findings.note(
                    source,
                    child.at,
                    "plugin.element_order",
                    format!(
                        "'{}' comes after '{}'. That is valid; some versions of PowerSchool insist on the order {}.",
                        child.name,
                        ORDER[furthest],
                        ORDER.join(", ")
                    ),
                );
            }
            furthest = furthest.max(place);
        }
    }
}

/// Notes an element that is not known where it stands.
pub(super) fn unknown_element(
    source: &Source<'_>,
    parent: &Element,
    child: &Element,
    findings: &mut Findings,
) {
    findings.note(
        source,
        child.at,
        "plugin.unknown_element",
        format!("'{}' has no element '{}' that is known here.", parent.name, words::shown(&child.name, 40)),
    );
}

fn access_request(source: &Source<'_>, request: &Element, findings: &mut Findings) -> Asks {
    let mut asks = Asks::new();
    for child in &request.children {
        match child.name.as_str() {
            "field" if child.namespace == request.namespace => {}
            "cdn_request" if child.namespace == request.namespace => continue,
            _ => {
                unknown_element(source, request, child, findings);
                continue;
            }
        }
        attributes(source, child, &FIELD, findings);
        let (Some(table), Some(field), Some(access)) =
            (child.value("table"), child.value("field"), child.value("access").and_then(access))
        else {
            continue;
        };
        // What is longer has been remarked on, and is no field.
        if [table, field].iter().any(|name| name.is_empty() || name.chars().count() > 30) {
            continue;
        }
        let (table, field) = (table.to_uppercase(), field.to_uppercase());
        if let Some(before) = asks.get(&(table.clone(), field.clone())).copied() {
            findings.note(
                source,
                child.at,
                "plugin.field_twice",
                format!(
                    "{table}.{field} is asked for twice, as {} and as {}.",
                    before.as_str(),
                    access.as_str()
                ),
            );
        }
        let asked = asks.entry((table, field)).or_insert(access);
        *asked = (*asked).max(access);
    }
    asks
}

fn published(source: &Source<'_>, publisher: &Element, findings: &mut Findings) -> String {
    attributes(source, publisher, &PUBLISHER, findings);
    let contact = publisher.first("contact");
    for child in &publisher.children {
        let known = child.namespace == publisher.namespace && child.name == "contact";
        if !known {
            unknown_element(source, publisher, child, findings);
        } else if contact.is_some_and(|first| first.at != child.at) {
            findings.error(
                source,
                child.at,
                "plugin.element_twice",
                "'contact' may be there once only.".to_owned(),
            );
        }
    }
    match contact {
        Some(contact) => attributes(source, contact, &CONTACT, findings),
        None => findings.error(
            source,
            publisher.at,
            "plugin.element_missing",
            "'publisher' needs the element 'contact' with an e-mail address.".to_owned(),
        ),
    }
    let name = words::shown(publisher.value("name").unwrap_or_default(), 100);
    match contact.and_then(|contact| contact.value("email")) {
        Some(email) => format!("{name} ({})", words::shown(email, 100)),
        None => name,
    }
}

/// What the elements beside the access request do, in sentences.
fn facts(root: &Element) -> Vec<String> {
    let mut facts = Vec::new();
    let shown = |element: &Element, name: &str| {
        element.value(name).filter(|value| !value.is_empty()).map(|value| words::shown(value, 100))
    };
    let to = |place: Option<String>| place.map(|place| format!(" at {place}")).unwrap_or_default();
    if let Some(level) = root.first("oauth").and_then(|oauth| shown(oauth, "accessLevelV1Api")) {
        facts.push(format!("Asks for {level} access to the interface /ws/v1."));
    }
    if let Some(cdn) = root.first("access_request").and_then(|request| request.first("cdn_request")) {
        let hosts: Vec<String> = cdn.all("cdn").filter_map(|cdn| shown(cdn, "name")).take(10).collect();
        facts.push(format!("Lets PowerSchool's pages load content from {}.", words::list(&hosts)));
    }
    if let Some(registration) = root.first("registration") {
        let url = to(shown(registration, "url"));
        facts.push(format!(
            "Has PowerSchool hand its credentials to the vendor's server{url} when it is enabled."
        ));
    }
    let links = |element: &Element| element.all("links").flat_map(|links| links.all("link")).count();
    let own = links(root);
    if own > 0 {
        facts.push(format!("Adds {} to PowerSchool's pages.", words::counted(own, "link", "links")));
    }
    if let Some(openid) = root.first("openid") {
        facts.push(format!(
            "Adds single sign-on (OpenID): people signed in to PowerSchool reach the vendor's site{} without another \
             password ({}).",
            to(shown(openid, "host")),
            words::counted(links(openid), "link", "links")
        ));
    }
    if let Some(saml) = root.first("saml") {
        facts.push(if saml.value("idp-entity-id").is_some() || saml.value("idp-name").is_some() {
            format!(
                "Adds single sign-on (SAML): people sign in to PowerSchool with another system's account{}.",
                to(shown(saml, "idp-entity-id"))
            )
        } else {
            format!(
                "Adds single sign-on (SAML): people signed in to PowerSchool reach the vendor's site{} without another \
                 password ({}).",
                to(shown(saml, "base-url")),
                words::counted(links(saml), "link", "links")
            )
        });
    }
    if root.first("autoinstall").is_some() {
        facts.push("May be installed, enabled or updated by PowerSchool by itself (autoinstall).".to_owned());
    }
    if root.first("identityAttribute").is_some() {
        facts.push("Says which field tells the vendor who somebody is (identityAttribute).".to_owned());
    }
    if root.value("deletable") == Some("false") {
        facts.push("Can't be deleted by an administrator.".to_owned());
    }
    facts
}
