//! Oracle functions that named queries use and SQLite lacks.

use chrono::NaiveDate;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, Result};

/// Registers NVL, TO_CHAR, TO_DATE and TRUNC. Dates are ISO text in the database, so TO_DATE gives
/// and TO_CHAR takes that.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("NVL", 2, flags, |context| {
        let chosen = usize::from(context.get_raw(0) == ValueRef::Null);
        context.get::<Value>(chosen)
    })?;
    connection.create_scalar_function("TO_CHAR", 1, flags, |context| {
        Ok(match context.get::<Value>(0)? {
            Value::Integer(number) => Some(number.to_string()),
            Value::Real(number) => Some(number.to_string()),
            Value::Text(text) => Some(text),
            Value::Null | Value::Blob(_) => None,
        })
    })?;
    connection.create_scalar_function("TO_CHAR", 2, flags, |context| {
        let Some(date) = date(context, "%Y-%m-%d")? else { return Ok(None) };
        Ok(Some(date.format(&format(context)?).to_string()))
    })?;
    connection.create_scalar_function("TO_DATE", 2, flags, |context| {
        let format = format(context)?;
        Ok(date(context, &format)?.map(|date| date.to_string()))
    })?;
    connection.create_scalar_function("TRUNC", 1, flags, |context| {
        Ok(match context.get::<Value>(0)? {
            Value::Text(text) => Value::Text(text.chars().take(10).collect()),
            Value::Real(number) => Value::Real(number.trunc()),
            other => other,
        })
    })
}

fn date(context: &Context<'_>, format: &str) -> Result<Option<NaiveDate>> {
    let Some(text) = context.get::<Option<String>>(0)? else { return Ok(None) };
    NaiveDate::parse_from_str(&text, format).map(Some).map_err(|error| Error::UserFunctionError(error.into()))
}

/// An Oracle date format in chrono's spelling.
fn format(context: &Context<'_>) -> Result<String> {
    let oracle = context.get::<String>(1)?.to_uppercase();
    if oracle.contains("HH") {
        return Err(Error::UserFunctionError("times of day are not supported".into()));
    }
    Ok(oracle.replace("YYYY", "%Y").replace("MM", "%m").replace("DD", "%d"))
}
