//! `/ws/schema/table`: rows of a table, as far as the plugin's access_request reaches.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use rusqlite::params_from_iter;
use rusqlite::types::{Value as Stored, ValueRef};
use serde_json::{Map, Value, json};

use super::answer::{Failure, dcid, ok};
use super::{PowerSchool, Table, fiql};

type Parameters = HashMap<String, String>;

pub(super) fn routes() -> Router<Arc<PowerSchool>> {
    Router::new()
        .route("/ws/schema/table/{table}", get(rows))
        .route("/ws/schema/table/{table}/count", get(count))
        .route("/ws/schema/table/{table}/metadata", get(metadata))
        .route("/ws/schema/table/{table}/{id}", get(row))
}

/// A non-empty parameter: clients send empty ones too.
pub(super) fn given<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a str> {
    parameters.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
}

/// `page` (from 1) and `pagesize` as LIMIT and OFFSET.
pub(super) fn page(parameters: &Parameters, most: u32) -> Result<(u32, u64), Failure> {
    let number = |name: &str| -> Result<Option<u32>, Failure> {
        given(parameters, name)
            .map(|text| text.parse().map_err(|_| Failure::BadRequest(format!("{name} must be a number"))))
            .transpose()
    };
    let size = number("pagesize")?.filter(|size| *size > 0).unwrap_or(super::PAGE).min(most);
    let page = number("page")?.unwrap_or(1).max(1);
    Ok((size, u64::from(page - 1) * u64::from(size)))
}

impl PowerSchool {
    fn table(&self, name: &str) -> Result<&Table, Failure> {
        self.schema.get(&name.to_lowercase()).ok_or(Failure::NotFound)
    }

    /// The table's own spelling of a column the plugin may read.
    fn column<'a>(&self, table: &'a Table, name: &str) -> Result<&'a str, (String, String, String)> {
        let refused = |code: &str| {
            (table.name.clone(), format!("{}.{name}", table.name).to_lowercase(), code.to_owned())
        };
        let column = table
            .columns
            .iter()
            .find(|column| column.eq_ignore_ascii_case(name))
            .ok_or_else(|| refused("Invalid field"))?;
        self.access(&table.name, column)
            .map(|_| column.as_str())
            .ok_or_else(|| refused("No access to the field"))
    }

    /// The columns of a projection; `*` is every column the plugin may read.
    fn projection<'a>(&self, table: &'a Table, parameters: &Parameters) -> Result<Vec<&'a str>, Failure> {
        let Some(projection) = given(parameters, "projection") else {
            return Err(Failure::Validation(vec![(
                table.name.clone(),
                "projection".into(),
                "Projection is required".into(),
            )]));
        };
        let wanted: Vec<&str> = if projection == "*" {
            let allowed: Vec<&str> = table
                .columns
                .iter()
                .map(String::as_str)
                .filter(|column| self.access(&table.name, column).is_some())
                .collect();
            if allowed.is_empty() {
                // Named one by one in the refusal.
                table.columns.iter().map(String::as_str).collect()
            } else {
                allowed
            }
        } else {
            projection.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
        };
        let (mut columns, mut refused) = (Vec::new(), Vec::new());
        for name in wanted {
            match self.column(table, name) {
                Ok(column) => columns.push(column),
                Err(error) => refused.push(error),
            }
        }
        if refused.is_empty() { Ok(columns) } else { Err(Failure::Validation(refused)) }
    }

    fn filter(&self, table: &Table, parameters: &Parameters) -> Result<fiql::Filter, Failure> {
        fiql::parse(given(parameters, "q").unwrap_or_default(), &table.name, |name| {
            let column = self.column(table, name).map_err(|error| Failure::Validation(vec![error]))?;
            Ok(fiql::Field { sql: format!("\"{column}\""), spelled: ToOwned::to_owned })
        })
    }
}

/// A value as the `tables` object has it: a string whatever the column's type, or null.
pub(super) fn text(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null | ValueRef::Blob(_) => Value::Null,
        ValueRef::Integer(number) => number.to_string().into(),
        ValueRef::Real(number) => number.to_string().into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
    }
}

fn record(table: &Table, columns: &[&str], row: &rusqlite::Row<'_>) -> rusqlite::Result<Value> {
    let mut fields = Map::new();
    for (index, column) in columns.iter().enumerate() {
        fields.insert(column.to_lowercase(), text(row.get_ref(index + 1)?));
    }
    Ok(json!({
        "id": row.get::<_, i64>(0)?,
        "name": table.name,
        "tables": { table.name.to_lowercase(): fields },
    }))
}

fn list(columns: &[&str]) -> String {
    columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ")
}

fn condition(filter: &fiql::Filter) -> String {
    if filter.sql.is_empty() { String::new() } else { format!("WHERE {}", filter.sql) }
}

async fn rows(
    State(state): State<Arc<PowerSchool>>,
    Path(name): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Failure> {
    state
        .read(move |state, connection| {
            let table = state.table(&name)?;
            let columns = state.projection(table, &parameters)?;
            let filter = state.filter(table, &parameters)?;
            let mut order = Vec::new();
            // Clients use `sortdescending` as a switch for `sort` and as a list of its own.
            let (switched, listed) = match given(&parameters, "sortdescending") {
                Some("true") => (" DESC", ""),
                Some("false") | None => ("", ""),
                Some(list) => ("", list),
            };
            let sort = given(&parameters, "sort").unwrap_or_default();
            for (names, direction) in [(sort, switched), (listed, " DESC")] {
                for name in names.split(',').map(str::trim) {
                    if !name.is_empty() {
                        let column =
                            state.column(table, name).map_err(|error| Failure::Validation(vec![error]))?;
                        order.push(format!("\"{column}\"{direction}"));
                    }
                }
            }
            // A page needs a total order, whatever else is asked for.
            let key = if table.columns.iter().any(|column| column == "DCID") { "DCID" } else { "StudentID" };
            order.push(key.to_owned());
            let (limit, offset) = page(&parameters, state.page_limit())?;
            let mut statement = connection.prepare(&format!(
                "SELECT {key}, {} FROM {} {} ORDER BY {} LIMIT {limit} OFFSET {offset}",
                list(&columns),
                table.name,
                condition(&filter),
                order.join(", "),
            ))?;
            let records = statement
                .query_map(params_from_iter(filter.values), |row| record(table, &columns, row))?
                .collect::<Result<Vec<_>, _>>()?;
            let mut answer = json!({"name": table.name, "@extensions": ""});
            if !records.is_empty() {
                answer["record"] = records.into();
            }
            Ok(ok(&answer))
        })
        .await
}

async fn count(
    State(state): State<Arc<PowerSchool>>,
    Path(name): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Failure> {
    state
        .read(move |state, connection| {
            let table = state.table(&name)?;
            let filter = state.filter(table, &parameters)?;
            let count: i64 = connection.query_row(
                &format!("SELECT COUNT(*) FROM {} {}", table.name, condition(&filter)),
                params_from_iter(filter.values),
                |row| row.get(0),
            )?;
            Ok(ok(&json!({ "count": count })))
        })
        .await
}

async fn row(
    State(state): State<Arc<PowerSchool>>,
    Path((name, id)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Failure> {
    state
        .read(move |state, connection| {
            let table = state.table(&name)?;
            let columns = state.projection(table, &parameters)?;
            let mut statement = connection.prepare(&format!(
                "SELECT DCID, {} FROM {} WHERE DCID = ?1",
                list(&columns),
                table.name
            ))?;
            let mut found = statement.query([Stored::Integer(dcid(&id)?)])?;
            let row = found.next()?.ok_or(Failure::NotFound)?;
            Ok(ok(&record(table, &columns, row)?))
        })
        .await
}

async fn metadata(
    State(state): State<Arc<PowerSchool>>,
    Path(name): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Failure> {
    let table = state.table(&name)?;
    let access = given(&parameters, "expansions")
        .is_some_and(|list| list.split(',').any(|one| one.trim() == "access"));
    let columns: Vec<Value> = table
        .columns
        .iter()
        .map(|column| {
            let mut entry = json!({ "name": column });
            if access {
                entry["access"] = match state.access(&table.name, column) {
                    Some(crate::plugin::Access::FullAccess) => "FullAccess",
                    Some(crate::plugin::Access::ViewOnly) => "ViewOnly",
                    None if super::never(&table.name, column) => "BlackListNoAccess",
                    None => "NoAccess",
                }
                .into();
            }
            entry
        })
        .collect();
    Ok(ok(&json!({"name": table.name, "columns": columns})))
}
