//! PowerQueries: the plugin's named queries, run on the district and streamed.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query as Parameters, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::{StreamExt as _, stream};
use rusqlite::types::{Value as Stored, ValueRef};
use rusqlite::{Connection, Statement};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::answer::{Failure, ok};
use super::fiql::{self, stored};
use super::tables::given;
use super::{PAGE, PowerSchool, versions};
use crate::plugin::{Column, Query};

/// Bytes collected before a piece of the answer is sent.
const PIECE: usize = 64 * 1024;
/// Pieces waiting for a slow client before the query waits too.
const PIECES: usize = 8;

pub(super) fn routes() -> Router<Arc<PowerSchool>> {
    Router::new()
        .route("/ws/schema/query/api", get(available))
        .route("/ws/schema/query/{name}", post(run))
        .route("/ws/schema/query/{name}/count", post(count))
}

impl PowerSchool {
    /// Since 8.1, unless a fault says otherwise.
    fn has_queries(&self) -> bool {
        self.at_least(&[8, 1]) && !self.faults().no_powerqueries
    }

    /// The query of that name, if the plugin has it and may read every column of it.
    fn query(&self, name: &str) -> Result<Query, Failure> {
        if !self.has_queries() {
            return Err(Failure::NotFound);
        }
        if name == DCID_ID_MAP {
            return Ok(dcid_id_map());
        }
        let installed = self.installed();
        let query =
            installed.plugin.as_ref().and_then(|plugin| plugin.queries.get(name)).ok_or(Failure::NotFound)?;
        let mut refused: Vec<_> = query
            .columns
            .iter()
            .filter(|column| self.access(&column.table, &column.field).is_none())
            .map(|column| format!("{}.{}", column.table, column.field).to_lowercase())
            .collect();
        refused.dedup();
        if refused.is_empty() {
            Ok(query.clone())
        } else {
            Err(Failure::Validation(
                refused
                    .into_iter()
                    .map(|field| (query.name.clone(), field, "No access to the field".into()))
                    .collect(),
            ))
        }
    }

    /// The query's SQL with PS-HTML replaced. Only `~(curyearid)` is known.
    fn sql(&self, query: &Query) -> Result<String, Failure> {
        let year = self.plan.yearid().to_string();
        let sql = query.sql.trim().trim_end_matches(';').replace("~(curyearid)", &year);
        if sql.contains("~(") || sql.contains("~[") {
            return Err(Failure::Internal(format!("{} uses PS-HTML other than ~(curyearid)", query.name)));
        }
        Ok(sql)
    }
}

/// PowerSchool's own query that translates a student's DCID and ID; it needs no access_request.
const DCID_ID_MAP: &str = "com.pearson.core.student.student_dcid_id_map";

fn dcid_id_map() -> Query {
    let column = |field: &str| Column { table: "STUDENTS".into(), field: field.into(), label: field.into() };
    Query {
        name: DCID_ID_MAP.into(),
        core_table: "students".into(),
        flattened: true,
        description: "DCID and ID of every student".into(),
        args: Vec::new(),
        columns: vec![column("dcid"), column("id")],
        sql: "SELECT DCID, ID FROM Students ORDER BY ID".into(),
    }
}

/// A request body, which may be absent or empty.
fn parsed(body: &[u8]) -> Result<Value, Failure> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(json!({}));
    }
    serde_json::from_slice(body).map_err(|_| Failure::BadRequest("The body is not JSON".into()))
}

/// What the SQL of a query is run with.
struct Arguments {
    /// By name in lower case.
    named: HashMap<String, Stored>,
    /// Those of an ad-hoc filter, in order.
    filter: Vec<Stored>,
}

/// The arguments of a request body.
fn arguments(query: &Query, body: &Value) -> Result<HashMap<String, Stored>, Failure> {
    let mut arguments = HashMap::new();
    for arg in &query.args {
        let value = match body.get(&arg.name) {
            None | Some(Value::Null) => arg.default.as_deref().map_or(Stored::Null, stored),
            Some(Value::Number(number)) => number
                .as_i64()
                .map(Stored::Integer)
                .or_else(|| number.as_f64().map(Stored::Real))
                .unwrap_or(Stored::Null),
            // Oracle knows no empty string.
            Some(Value::String(text)) if text.is_empty() => Stored::Null,
            Some(Value::String(text)) => stored(text),
            Some(other) => Stored::Text(other.to_string()),
        };
        if arg.required && value == Stored::Null {
            return Err(Failure::Validation(vec![(
                query.name.clone(),
                arg.name.clone(),
                "Missing required argument".into(),
            )]));
        }
        arguments.insert(arg.name.to_lowercase(), value);
    }
    Ok(arguments)
}

/// The query's SQL with the ad-hoc filter `$q` and order `order` of a request, from its parameters or its
/// body. Both name columns by their label or as TABLE.FIELD; `;desc` after a name reverses its order.
fn ad_hoc(
    query: &Query,
    sql: String,
    parameters: &HashMap<String, String>,
    body: &Value,
) -> Result<(String, Vec<Stored>), Failure> {
    let wanted = |names: [&str; 2]| {
        names.into_iter().find_map(|name| {
            given(parameters, name).or_else(|| body.get(name)?.as_str()).filter(|text| !text.is_empty())
        })
    };
    let (filter, order) = (wanted(["$q", "q"]), wanted(["order", "$order"]));
    if filter.is_none() && order.is_none() {
        return Ok((sql, Vec::new()));
    }
    let column = |name: &str| {
        let is = |column: &Column| {
            column.label.eq_ignore_ascii_case(name)
                || name.split_once('.').is_some_and(|(table, field)| {
                    column.table.eq_ignore_ascii_case(table) && column.field.eq_ignore_ascii_case(field)
                })
        };
        query.columns.iter().position(is).map(|index| format!("c{index}")).ok_or_else(|| {
            Failure::Validation(vec![(query.name.clone(), name.to_owned(), "Invalid field".into())])
        })
    };
    let filter = fiql::parse(filter.unwrap_or_default(), &query.name, |name| {
        Ok(fiql::Field { sql: column(name)?, spelled: ToOwned::to_owned })
    })?;
    let columns: Vec<String> = (0..query.columns.len()).map(|index| format!("c{index}")).collect();
    let mut wrapped = format!("WITH found({}) AS ({sql}) SELECT * FROM found", columns.join(", "));
    if !filter.sql.is_empty() {
        wrapped = format!("{wrapped} WHERE {}", filter.sql);
    }
    let mut terms = Vec::new();
    for term in order.unwrap_or_default().split(',').map(str::trim).filter(|term| !term.is_empty()) {
        let (name, direction) = match term.split_once([';', ' ']) {
            Some((name, word)) if word.trim().eq_ignore_ascii_case("desc") => (name.trim(), " DESC"),
            Some((name, word)) if word.trim().eq_ignore_ascii_case("asc") => (name.trim(), ""),
            _ => (term, ""),
        };
        terms.push(format!("{}{direction}", column(name)?));
    }
    if !terms.is_empty() {
        wrapped = format!("{wrapped} ORDER BY {}", terms.join(", "));
    }
    Ok((wrapped, filter.values))
}

fn bind(statement: &mut Statement<'_>, arguments: &Arguments) -> Result<(), Failure> {
    let mut filter = arguments.filter.iter();
    for index in 1..=statement.parameter_count() {
        let value = match statement.parameter_name(index) {
            Some(name) => {
                let name = name.trim_start_matches(':').to_lowercase();
                arguments.named.get(&name).ok_or_else(|| {
                    Failure::Internal(format!("the query uses :{name}, which is not among its args"))
                })?
            }
            None => filter.next().unwrap_or(&Stored::Null),
        };
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(())
}

async fn available(State(state): State<Arc<PowerSchool>>) -> Result<Response, Failure> {
    if !state.has_queries() {
        return Err(Failure::NotFound);
    }
    let installed = state.installed();
    let queries: Vec<Value> = installed
        .plugin
        .iter()
        .flat_map(|plugin| plugin.queries.values())
        .map(|query| json!({"name": query.name, "description": query.description, "core_table": query.core_table}))
        .collect();
    Ok(ok(&json!({ "queries": queries })))
}

async fn count(
    State(state): State<Arc<PowerSchool>>,
    Path(name): Path<String>,
    Parameters(parameters): Parameters<HashMap<String, String>>,
    body: Bytes,
) -> Result<Response, Failure> {
    state
        .read(move |state, connection| {
            let query = state.query(&name)?;
            let body = parsed(&body)?;
            let named = arguments(&query, &body)?;
            let (sql, filter) = ad_hoc(&query, state.sql(&query)?, &parameters, &body)?;
            Ok(ok(&json!({"count": total(connection, &sql, &Arguments { named, filter })?})))
        })
        .await
}

fn total(connection: &Connection, sql: &str, arguments: &Arguments) -> Result<i64, Failure> {
    let mut statement = connection.prepare(&format!("SELECT COUNT(*) FROM ({})", unordered(sql)))?;
    bind(&mut statement, arguments)?;
    let mut rows = statement.raw_query();
    match rows.next()? {
        Some(row) => Ok(row.get(0)?),
        None => Ok(0),
    }
}

/// A query without the ORDER BY it ends with: SQLite would read every column in that order just to count rows.
fn unordered(sql: &str) -> &str {
    let upper = sql.to_ascii_uppercase();
    match upper.rfind("ORDER BY") {
        // Inside brackets or a text it is not the query's own, and together with a limit it matters.
        Some(at)
            if !["(", ")", "'", "FETCH", "LIMIT", "OFFSET"].iter().any(|word| upper[at..].contains(word)) =>
        {
            &sql[..at]
        }
        _ => sql,
    }
}

/// A query that is ready to run.
struct Prepared {
    query: Query,
    /// Without a limit.
    sql: String,
    /// Behind the query's own ORDER BY, so that the order is the query's.
    limit: String,
    arguments: Arguments,
    with_count: bool,
    asked: Option<versions::Asked>,
}

async fn run(
    State(state): State<Arc<PowerSchool>>,
    Path(name): Path<String>,
    Parameters(parameters): Parameters<HashMap<String, String>>,
    body: Bytes,
) -> Result<Response, Failure> {
    let query = state.query(&name)?;
    let body = parsed(&body)?;
    let named = arguments(&query, &body)?;
    let asked = state.asked(&query, &body)?;
    let (sql, filter) = ad_hoc(&query, state.sql(&query)?, &parameters, &body)?;
    let number = |name: &str| -> Result<Option<u64>, Failure> {
        given(&parameters, name)
            .map(|text| text.parse().map_err(|_| Failure::BadRequest(format!("{name} must be a number"))))
            .transpose()
    };
    let most = state.faults().page_limit.map(u64::from);
    let size = match (number("pagesize")?.unwrap_or(u64::from(PAGE)), most) {
        (0, most) => {
            if let Some(status) = state.faults().refuse_whole {
                return Err(Failure::Status(status));
            }
            most
        }
        (size, most) => Some(most.map_or(size, |most| size.min(most))),
    };
    let with_count = given(&parameters, "count") == Some("true");
    let limit = match size {
        Some(size) => {
            let page = number("page")?.unwrap_or(1).max(1);
            format!(" LIMIT {size} OFFSET {}", (page - 1).saturating_mul(size))
        }
        None => String::new(),
    };
    let arguments = Arguments { named, filter };
    let prepared = Prepared { query, sql, limit, arguments, with_count, asked };
    let (pieces, mut waiting) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        if let Err(failure) = state.answer(&prepared, &pieces) {
            // Nobody to tell if the client is gone.
            let _ = pieces.blocking_send(Err(failure));
        }
    });
    // What fails before the first piece is still an answer of its own; later only the end of the
    // connection can say so.
    let Some(first) = waiting.recv().await else {
        return Err(Failure::Internal("the query ended without an answer".into()));
    };
    let rest = stream::unfold(waiting, |mut waiting| async {
        let piece = waiting.recv().await?;
        let piece = piece.map_err(|_| std::io::Error::other("the query failed while its rows were sent"));
        Some((piece, waiting))
    });
    // Fused, because the compression asks once more after the end.
    let body = stream::iter([Ok(first?)]).chain(rest).fuse();
    Ok(([(header::CONTENT_TYPE, "application/json;charset=UTF-8")], Body::from_stream(body)).into_response())
}

impl PowerSchool {
    /// Runs a query, of everything or of what changed. Blocking.
    fn answer(&self, prepared: &Prepared, pieces: &Pieces) -> Result<(), Failure> {
        let Some(asked) = &prepared.asked else {
            let connection = self.reader()?;
            let result = write(&connection, prepared, &prepared.sql, None, pieces);
            self.put_back(connection);
            return result;
        };
        let since = self.since(&prepared.query, asked)?;
        let connection = &since.connection;
        let sql = match &since.shadows[..] {
            [] => prepared.sql.clone(),
            [one] => {
                one.cast(connection)?;
                prepared.sql.clone()
            }
            // A row of several tables changed when any of its parts did.
            several => {
                for (number, shadow) in several.iter().enumerate() {
                    shadow.cast(connection)?;
                    let into =
                        if number == 0 { "CREATE TEMP TABLE Changed AS" } else { "INSERT INTO temp.Changed" };
                    // As a subquery, so that a WITH can stand at its head.
                    let mut statement =
                        connection.prepare(&format!("{into} SELECT * FROM ({})", prepared.sql))?;
                    bind(&mut statement, &prepared.arguments)?;
                    statement.raw_execute()?;
                    drop(statement);
                    shadow.lift(connection)?;
                }
                "SELECT DISTINCT * FROM temp.Changed".to_owned()
            }
        };
        write(connection, prepared, &sql, Some(since.version), pieces)
    }
}

type Pieces = mpsc::Sender<Result<Bytes, Failure>>;

/// Writes the answer in pieces, never holding more than one of them and the channel's.
fn write(
    connection: &Connection,
    prepared: &Prepared,
    sql: &str,
    version: Option<i64>,
    pieces: &Pieces,
) -> Result<(), Failure> {
    let internal = |error: std::io::Error| Failure::Internal(error.to_string());
    let query = &prepared.query;
    let mut statement = connection.prepare(&format!("{sql}{}", prepared.limit))?;
    if statement.column_count() != query.columns.len() {
        return Err(Failure::Internal(format!(
            "{} selects {} columns and declares {}",
            query.name,
            statement.column_count(),
            query.columns.len()
        )));
    }
    bind(&mut statement, &prepared.arguments)?;
    // `"label":` of each column, escaped once. A query that is not flattened nests its columns in
    // `tables`, by their tables in order of appearance.
    let labels: Vec<String> =
        query.columns.iter().map(|column| format!("{}:", Value::from(column.label.to_lowercase()))).collect();
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    if !query.flattened {
        for (index, column) in query.columns.iter().enumerate() {
            let table = column.table.to_lowercase();
            match groups.iter_mut().find(|(name, _)| *name == table) {
                Some((_, columns)) => columns.push(index),
                None => groups.push((table, vec![index])),
            }
        }
    }
    let all: Vec<usize> = (0..labels.len()).collect();
    let name = Value::from(query.core_table.as_str());
    let mut out = Vec::with_capacity(PIECE + 4096);
    write!(out, "{{\"name\":{name}").map_err(internal)?;
    if prepared.with_count {
        write!(out, ",\"count\":{}", total(connection, sql, &prepared.arguments)?).map_err(internal)?;
    }
    if let Some(version) = version {
        write!(out, ",\"{}\":{version}", versions::VERSION).map_err(internal)?;
    }
    let mut rows = statement.raw_query();
    let mut number = 0u64;
    while let Some(row) = rows.next()? {
        number += 1;
        out.extend_from_slice(if number == 1 { b",\"record\":[" } else { b"," });
        if query.flattened {
            fields(&mut out, row, &labels, &all)?;
        } else {
            write!(out, "{{\"id\":{number},\"name\":{name},\"tables\":{{").map_err(internal)?;
            for (position, (table, columns)) in groups.iter().enumerate() {
                let comma = if position == 0 { "" } else { "," };
                write!(out, "{comma}{}:", Value::from(table.as_str())).map_err(internal)?;
                fields(&mut out, row, &labels, columns)?;
            }
            out.extend_from_slice(b"}}");
        }
        if out.len() >= PIECE {
            let piece = std::mem::replace(&mut out, Vec::with_capacity(PIECE + 4096));
            if pieces.blocking_send(Ok(piece.into())).is_err() {
                return Ok(());
            }
        }
    }
    if number > 0 {
        out.push(b']');
    }
    out.extend_from_slice(b",\"@extensions\":\"\"}");
    // A client that is gone needs no end.
    let _ = pieces.blocking_send(Ok(out.into()));
    Ok(())
}

/// One object: values are strings, or null.
fn fields(
    out: &mut Vec<u8>,
    row: &rusqlite::Row<'_>,
    labels: &[String],
    columns: &[usize],
) -> Result<(), Failure> {
    let internal = |error: std::io::Error| Failure::Internal(error.to_string());
    for (position, index) in columns.iter().enumerate() {
        out.push(if position == 0 { b'{' } else { b',' });
        out.extend_from_slice(labels[*index].as_bytes());
        match row.get_ref(*index)? {
            ValueRef::Null | ValueRef::Blob(_) => out.extend_from_slice(b"null"),
            ValueRef::Integer(number) => write!(out, "\"{number}\"").map_err(internal)?,
            ValueRef::Real(number) => write!(out, "\"{number}\"").map_err(internal)?,
            ValueRef::Text(text) => serde_json::to_writer(&mut *out, &String::from_utf8_lossy(text))
                .map_err(|error| Failure::Internal(error.to_string()))?,
        }
    }
    out.push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("SELECT id FROM cc ORDER BY studentid, id", "SELECT id FROM cc ")]
    #[case("SELECT id FROM cc WHERE id > :a\norder by id DESC", "SELECT id FROM cc WHERE id > :a\n")]
    #[case("SELECT id FROM cc", "SELECT id FROM cc")]
    #[case("SELECT * FROM (SELECT id FROM cc ORDER BY id)", "SELECT * FROM (SELECT id FROM cc ORDER BY id)")]
    #[case("SELECT id FROM cc ORDER BY id LIMIT 5", "SELECT id FROM cc ORDER BY id LIMIT 5")]
    #[case("SELECT id FROM cc WHERE a = 'x ORDER BY y'", "SELECT id FROM cc WHERE a = 'x ORDER BY y'")]
    fn only_an_order_of_the_query_itself_is_left_out(#[case] sql: &str, #[case] counted: &str) {
        assert_eq!(unordered(sql), counted);
    }
}
