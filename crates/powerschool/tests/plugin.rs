//! The plugin an administrator installs.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    collections::BTreeSet,
    io::{Cursor, Read},
};

use rosterbridge_powerschool::plugin::{self, Access};
use sqlparser::{
    ast::{Expr, SelectItem, SetExpr, Statement, TableFactor, Value, visit_expressions},
    dialect::{OracleDialect, SQLiteDialect},
    parser::Parser,
};
use zip::ZipArchive;

#[test]
fn the_archive_holds_its_files_at_the_root_and_is_the_same_every_time() {
    let bytes = plugin::build().unwrap();
    assert_eq!(bytes, plugin::build().unwrap());
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert_eq!(names, ["plugin.xml", "queries_root/rosterbridge.named_queries.xml"]);
    for (path, content) in plugin::files().unwrap() {
        let mut stored = String::new();
        archive.by_name(path).unwrap().read_to_string(&mut stored).unwrap();
        assert_eq!(stored, content);
    }
}

#[test]
fn plugin_xml() {
    insta::assert_snapshot!(plugin::files().unwrap()[0].1);
}

#[test]
fn named_queries_xml() {
    insta::assert_snapshot!(plugin::files().unwrap()[1].1);
}

#[test]
fn the_access_request_keeps_to_powerschools_limits_and_asks_to_write_attendance_only() {
    let fields = plugin::access_request();
    let unique: BTreeSet<_> = fields.iter().map(|field| (field.table, &field.field)).collect();
    assert_eq!(unique.len(), fields.len());
    for field in &fields {
        assert!(field.table.len() <= 30 && field.field.len() <= 30, "{field:?}");
        assert_eq!(
            field.access == Access::FullAccess,
            field.table == "ATTENDANCE" && field.field != "PROGRAMID"
        );
    }
}

/// Columns, table and order of a query, and the arguments it names, by a grammar.
struct Parsed {
    columns: Vec<String>,
    table: String,
    arguments: BTreeSet<String>,
    ordered: bool,
}

fn parse(sql: &str, dialect: &dyn sqlparser::dialect::Dialect) -> Parsed {
    let statements = Parser::parse_sql(dialect, sql).unwrap();
    let [Statement::Query(query)] = statements.as_slice() else { panic!("not one query: {sql}") };
    let SetExpr::Select(select) = query.body.as_ref() else { panic!("no plain SELECT: {sql}") };
    let columns = select
        .projection
        .iter()
        .map(|item| match item {
            SelectItem::UnnamedExpr(Expr::Identifier(column)) => column.value.clone(),
            other => panic!("not a plain column: {other}"),
        })
        .collect();
    let [from] = select.from.as_slice() else { panic!("not one table: {sql}") };
    assert!(from.joins.is_empty(), "a join: {sql}");
    let TableFactor::Table { name, .. } = &from.relation else { panic!("not a table: {sql}") };
    let mut arguments = BTreeSet::new();
    let _ = visit_expressions(&statements, |expression| {
        if let Expr::Value(value) = expression
            && let Value::Placeholder(argument) = &value.value
        {
            arguments.insert(argument.trim_start_matches(':').to_owned());
        }
        std::ops::ControlFlow::<()>::Continue(())
    });
    Parsed { columns, table: name.to_string(), arguments, ordered: query.order_by.is_some() }
}

#[test]
fn every_query_is_sql_for_oracle_and_sqlite_and_covered_by_the_access_request() {
    let requested: BTreeSet<String> =
        plugin::access_request().iter().map(|field| format!("{}.{}", field.table, field.field)).collect();
    let queries = plugin::named_queries();
    let names: BTreeSet<_> = queries.iter().map(|query| query.name).collect();
    assert_eq!(names.len(), queries.len());
    for query in queries {
        assert_eq!(query.name.split('.').count(), 5, "{}", query.name);
        assert!(query.name.len() <= 200);
        for dialect in [&OracleDialect {} as &dyn sqlparser::dialect::Dialect, &SQLiteDialect {}] {
            let parsed = parse(&query.sql, dialect);
            let selected: Vec<String> = parsed
                .columns
                .iter()
                .map(|column| format!("{}.{column}", parsed.table).to_ascii_uppercase())
                .collect();
            assert_eq!(selected, query.columns, "{}: columns follow the SELECT list", query.name);
            assert!(parsed.ordered, "{}: sorted by its key", query.name);
            assert_eq!(
                parsed.arguments,
                query.arguments.iter().map(|&name| name.to_owned()).collect(),
                "{}: every argument is declared and used",
                query.name
            );
        }
        for column in &query.columns {
            assert!(requested.contains(column), "{column} of {} is not in the access request", query.name);
        }
    }
}
