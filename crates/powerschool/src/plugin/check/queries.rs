//! The rules of named queries and permission mappings (PowerSchool: PowerQueries).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CheckedQuery, Findings, Source,
    rules::{Asks, Rule, attributes, unknown_element},
    select::{self, Item},
    words,
    xml::Element,
};

/// Parts of a query's name: two of the organisation's domain, product, area, name.
const NAME_PARTS: usize = 5;

const QUERY: [Rule; 4] = [
    Rule::required("name", 200),
    Rule::optional("coreTable", 30),
    Rule::optional("flattened", 5),
    Rule::optional("tags", 1000),
];
const ARGUMENT: [Rule; 7] = [
    Rule::required("name", 100),
    Rule::optional("column", 61),
    Rule::optional("required", 5),
    Rule::optional("description", 4000),
    Rule::optional("type", 9),
    Rule::optional("default", 4000),
    Rule::optional("casing", 5),
];
const COLUMN: [Rule; 2] = [Rule::optional("column", 61), Rule::optional("description", 4000)];

/// The queries of a plugin's files so far, and who may call them.
#[derive(Debug, Default)]
pub(super) struct Queries {
    pub(super) list: Vec<CheckedQuery>,
    /// How many queries each page lets people call.
    pub(super) mappings: BTreeMap<String, usize>,
    names: BTreeSet<String>,
}

/// A column of a query.
struct Column {
    table: String,
    field: String,
    /// What it is called in the answer, in capitals and without a table.
    label: String,
    at: usize,
}

impl Queries {
    /// Checks a file of named queries. `asks` is what the plugin's access request has, if there is one.
    pub(super) fn named_queries(
        &mut self,
        source: &Source<'_>,
        root: &Element,
        asks: Option<&Asks>,
        findings: &mut Findings,
    ) {
        if !is_root(source, root, "queries", findings) {
            return;
        }
        for child in &root.children {
            if child.name == "query" {
                self.query(source, child, asks, findings);
            } else {
                unknown_element(source, root, child, findings);
            }
        }
    }

    fn query(&mut self, source: &Source<'_>, query: &Element, asks: Option<&Asks>, findings: &mut Findings) {
        attributes(source, query, &QUERY, findings);
        let name = query.value("name").unwrap_or_default();
        let at = query
            .attributes
            .iter()
            .find(|attribute| attribute.name == "name")
            .map_or(query.at, |name| name.at);
        let parts = name.split('.').filter(|part| !part.is_empty()).count();
        if !name.is_empty() && (parts != NAME_PARTS || name.split('.').count() != NAME_PARTS) {
            findings.error(
                source,
                at,
                "plugin.query_name",
                format!(
                    "A query's name has five parts with dots between: com.organization.product.area.name. \
                     '{}' has not.",
                    words::shown(name, 100)
                ),
            );
        }
        if !name.is_empty() && !self.names.insert(name.to_owned()) {
            findings.error(
                source,
                at,
                "plugin.query_twice",
                format!("There is another query '{}'.", words::shown(name, 100)),
            );
        }
        for child in &query.children {
            match child.name.as_str() {
                "args" => parts_of(source, child, "arg", &ARGUMENT, findings),
                "columns" => parts_of(source, child, "column", &COLUMN, findings),
                "description" | "summary" | "sql" => {}
                _ => unknown_element(source, query, child, findings),
            }
        }
        let columns = columns(source, query, findings);
        let sql = query.first("sql");
        match sql {
            Some(sql) if !sql.text.trim().is_empty() => {
                compare(source, sql, &columns, findings);
            }
            _ => findings.error(
                source,
                query.at,
                "plugin.query_incomplete",
                "A query needs the element 'sql' with a SELECT statement.".to_owned(),
            ),
        }
        if columns.is_empty() {
            findings.error(
                source,
                query.at,
                "plugin.query_incomplete",
                "A query needs the element 'columns' with a column for each one that its SELECT statement gives."
                    .to_owned(),
            );
        }
        if let Some(asks) = asks {
            let uncovered: BTreeSet<String> = columns
                .iter()
                .filter(|column| !column.table.is_empty())
                .filter(|column| !asks.contains_key(&(column.table.clone(), column.field.clone())))
                .map(|column| words::shown(&format!("{}.{}", column.table, column.field), 61))
                .collect();
            if !uncovered.is_empty() {
                let named: Vec<String> = uncovered.iter().take(10).cloned().collect();
                let more = uncovered.len() - named.len();
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                findings.note(
                    source,
                    at,
                    "plugin.query_access",
                    format!(
                        "The access request has no {}{more}: called over OAuth, the query is refused.",
                        named.join(", ")
                    ),
                );
            }
        }
        self.list.push(CheckedQuery {
            name: words::shown(name, 200),
            core_table: words::shown(query.value("coreTable").unwrap_or_default(), 30),
            columns: columns.into_iter().map(|column| format!("{}.{}", column.table, column.field)).collect(),
        });
    }

    /// Checks a file of permission mappings.
    pub(super) fn permission_mappings(
        &mut self,
        source: &Source<'_>,
        root: &Element,
        findings: &mut Findings,
    ) {
        if !is_root(source, root, "permission_mappings", findings) {
            return;
        }
        for permission in &root.children {
            if permission.name != "permission" {
                unknown_element(source, root, permission, findings);
                continue;
            }
            attributes(source, permission, &[Rule::required("name", 1000)], findings);
            let mut called = 0;
            for implied in permission.all("implies") {
                let target = implied.text.trim();
                let known =
                    target.strip_prefix("/ws/schema/query/").is_some_and(|name| self.names.contains(name));
                called += 1;
                if !known {
                    findings.note(
                        source,
                        implied.at,
                        "plugin.permission_target",
                        format!("'{}' is no query of this plugin.", words::shown(target, 100)),
                    );
                }
            }
            if let Some(page) = permission.value("name") {
                *self.mappings.entry(words::shown(page, 100)).or_default() += called;
            }
        }
    }
}

fn is_root(source: &Source<'_>, root: &Element, name: &str, findings: &mut Findings) -> bool {
    if root.name == name {
        return true;
    }
    findings.error(
        source,
        root.at,
        "plugin.wrong_root",
        format!("The outermost element is '{}' and has to be '{name}'.", words::shown(&root.name, 40)),
    );
    false
}

fn parts_of(source: &Source<'_>, list: &Element, part: &str, rules: &[Rule], findings: &mut Findings) {
    for child in &list.children {
        if child.name == part {
            attributes(source, child, rules, findings);
        } else {
            unknown_element(source, list, child, findings);
        }
    }
}

fn columns(source: &Source<'_>, query: &Element, findings: &mut Findings) -> Vec<Column> {
    let mut columns = Vec::new();
    for element in query.all("columns").flat_map(|list| list.all("column")) {
        let label = element.text.trim();
        // Without the attribute, the text names the column itself.
        let stated = element.value("column").unwrap_or(label);
        let (table, field) = match stated.split_once('.') {
            Some((table, field)) if !table.is_empty() && !field.is_empty() && !field.contains('.') => {
                (table.to_uppercase(), field.to_uppercase())
            }
            _ => {
                findings.error(
                    source,
                    element.at,
                    "plugin.column_name",
                    format!(
                        "A column names TABLE.FIELD, which access is checked against; here it is '{}'.",
                        words::shown(stated, 61)
                    ),
                );
                (String::new(), stated.to_uppercase())
            }
        };
        let label = label.rsplit('.').next().unwrap_or_default().to_uppercase();
        columns.push(Column { table, field, label, at: element.at });
    }
    columns
}

/// Whether the columns follow the SELECT list, as far as that can be told.
fn compare(source: &Source<'_>, sql: &Element, columns: &[Column], findings: &mut Findings) {
    let Some(items) = select::list(&sql.text) else { return };
    if columns.is_empty() {
        return;
    }
    if items.len() != columns.len() {
        findings.error(
            source,
            sql.at,
            "plugin.query_columns",
            format!(
                "The SELECT list has {} and the query declares {}.",
                words::counted(items.len(), "column", "columns"),
                words::counted(columns.len(), "column", "columns")
            ),
        );
        return;
    }
    let declared: BTreeSet<&str> = columns.iter().map(|column| column.field.as_str()).collect();
    for (item, column) in items.iter().zip(columns) {
        let Item { field: Some(field), alias } = item else { continue };
        let same = *field == column.field
            || *field == column.label
            || alias.as_ref().is_some_and(|alias| *alias == column.label || *alias == column.field);
        if !same && declared.contains(field.as_str()) {
            findings.note(
                source,
                column.at,
                "plugin.query_order",
                format!(
                    "The SELECT list has {} in the place of {}: columns follow its order.",
                    words::shown(field, 40),
                    words::shown(&column.field, 40)
                ),
            );
            return;
        }
    }
}
