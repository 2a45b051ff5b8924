//! The plugin an administrator installs.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    collections::BTreeSet,
    io::{Cursor, Read},
};

use proptest::prelude::*;
use rosterbridge_domain::job::Job;
use rosterbridge_powerschool::plugin::{self, Access};
use sqlparser::{
    ast::{Expr, SelectItem, SetExpr, Statement, TableFactor, Value, visit_expressions},
    dialect::{OracleDialect, SQLiteDialect},
    parser::Parser,
};
use zip::ZipArchive;

#[test]
fn the_archive_holds_its_files_at_the_root_and_is_the_same_every_time() {
    let bytes = plugin::build(&Job::ALL, 0).unwrap();
    assert_eq!(bytes, plugin::build(&Job::ALL, 0).unwrap());
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert_eq!(
        names,
        [
            "plugin.xml",
            "queries_root/rosterbridge.named_queries.xml",
            "permissions_root/rosterbridge.permission_mappings.xml"
        ]
    );
    for (path, content) in plugin::files(&Job::ALL, 0).unwrap() {
        let mut stored = String::new();
        archive.by_name(path).unwrap().read_to_string(&mut stored).unwrap();
        assert_eq!(stored, content);
    }
}

#[test]
fn plugin_xml() {
    insta::assert_snapshot!(plugin::files(&Job::ALL, 0).unwrap()[0].1);
}

#[test]
fn named_queries_xml() {
    insta::assert_snapshot!(plugin::files(&Job::ALL, 0).unwrap()[1].1);
}

#[test]
fn permission_mappings_xml() {
    insta::assert_snapshot!(plugin::files(&Job::ALL, 0).unwrap()[2].1);
}

#[test]
fn the_version_rises_with_the_revision() {
    assert_eq!([plugin::version(0), plugin::version(12)], ["1.3.0", "1.3.12"]);
    assert!(plugin::files(&[], 12).unwrap()[0].1.contains("version=\"1.3.12\""));
}

#[test]
fn a_difference_is_told_in_sentences() {
    let told = |before: &[Job], after: &[Job]| plugin::changes(before, after).join("\n");
    insta::assert_snapshot!(told(&[Job::HeroStudents], &[Job::HeroStudents, Job::RaptorTardies]));
    insta::assert_snapshot!(told(&Job::ALL, &[Job::HeroTeachers]));
    insta::assert_snapshot!(told(&[Job::RaptorRoster], &[Job::HeroStudents]));
}

#[test]
fn the_access_request_keeps_to_powerschools_limits_and_asks_to_write_attendance_only() {
    let fields = plugin::access_request(&Job::ALL);
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

/// Every query is SQL for Oracle and SQLite and covered by the access request.
fn assert_queries(jobs: &[Job]) {
    let requested: BTreeSet<String> =
        plugin::access_request(jobs).iter().map(|field| format!("{}.{}", field.table, field.field)).collect();
    let queries = plugin::named_queries(jobs);
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

#[test]
fn queries_of_every_exchange_are_sound() {
    assert_queries(&Job::ALL);
    for job in Job::ALL {
        assert_queries(&[job]);
    }
}

#[test]
fn an_exchange_asks_for_no_more_than_it_reads() {
    let tables = |job: Job| -> BTreeSet<&str> {
        plugin::access_request(&[job]).iter().map(|field| field.table).collect()
    };
    let schedule = BTreeSet::from(["CC", "COURSES", "SCHOOLS", "SECTIONS", "STUDENTS", "TEACHERS", "TERMS"]);
    assert_eq!(tables(Job::HeroSchedule), schedule);
    assert_eq!(tables(Job::HeroTeachers), BTreeSet::from(["SCHOOLS", "TEACHERS", "TERMS"]));
    assert_eq!(tables(Job::HeroStudents), BTreeSet::from(["SCHOOLS", "STUDENTS", "TERMS"]));
    assert_eq!(tables(Job::RaptorRoster), BTreeSet::from(["SCHOOLS", "STUDENTS", "TERMS"]));
    for job in Job::ALL {
        let asked = plugin::access_request(&[job]);
        let writes = asked.iter().any(|field| field.access == Access::FullAccess);
        assert_eq!(writes, matches!(job, Job::HeroAttendance | Job::RaptorTardies), "{job}");
        let names = asked.iter().any(|field| field.field == "GUARDIANEMAIL");
        assert_eq!(names, matches!(job, Job::HeroStudents | Job::RaptorRoster), "{job}");
    }
    assert_eq!(plugin::access_request(&[]), []);
    assert_eq!(plugin::named_queries(&[]), []);
}

proptest! {
    /// An exchange that is switched off never adds a field, and one that is switched on never takes one away.
    #[test]
    fn fewer_exchanges_ask_for_a_part_of_what_more_ask_for(
        more in prop::sample::subsequence(Job::ALL.to_vec(), 0..=6),
        keep in prop::collection::vec(any::<bool>(), 6),
    ) {
        let fewer: Vec<Job> =
            more.iter().zip(keep).filter_map(|(job, keep)| keep.then_some(*job)).collect();
        let of_more = plugin::access_request(&more);
        for field in plugin::access_request(&fewer) {
            prop_assert!(of_more.contains(&field), "{field:?}");
        }
        let queries: BTreeSet<_> = plugin::named_queries(&more).iter().map(|query| query.name).collect();
        prop_assert!(plugin::named_queries(&fewer).iter().all(|query| queries.contains(query.name)));
    }

    /// What a change adds, the way back takes away; and no change is none.
    #[test]
    fn differences_are_told_both_ways(
        before in prop::sample::subsequence(Job::ALL.to_vec(), 0..=6),
        after in prop::sample::subsequence(Job::ALL.to_vec(), 0..=6),
    ) {
        prop_assert_eq!(plugin::changes(&before, &before), Vec::<String>::new());
        let (there, back) = (plugin::changes(&before, &after), plugin::changes(&after, &before));
        let asks = |jobs: &[Job]| plugin::access_request(jobs);
        prop_assert_eq!(there.is_empty(), asks(&before) == asks(&after));
        let count = |told: &[String], word: &str| told.iter().filter(|told| told.contains(word)).count();
        prop_assert_eq!(count(&there, "Adds the query"), count(&back, "No longer has the query"));
        prop_assert_eq!(count(&there, "Adds FullAccess"), count(&back, "No longer reads or writes"));
    }
}
