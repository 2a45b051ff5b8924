//! What the installed plugin may do with a table's fields, and how far an exchange gets with it.

use std::collections::BTreeMap;

use rosterbridge_domain::job::Job;
use serde::Deserialize;

use crate::{
    core,
    error::{AnswerProblem, Error},
    json,
    plugin::{self, Access, FieldAccess},
    tables,
    transport::{Call, Transport},
};

/// How far a plugin serves an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It may do everything the exchange does.
    Full,
    /// It may not read all of the tables, but core resources (`/ws/v1`) hold the rest: slower.
    CoreOnly,
    /// The exchange can't work: nothing gives these fields.
    Missing(Vec<FieldAccess>),
}

impl Reach {
    /// How far a plugin serves `job` that may do with a field, by table and field in capitals, what `granted` says and
    /// has the queries that `has_query` knows.
    ///
    /// Core resources take the place of a table only for a plugin without our query of it: one that has the query is
    /// ours, and the access it lacks is to be repaired.
    pub(crate) fn of(
        job: Job,
        granted: impl Fn(&str, &str) -> Option<Access>,
        has_query: impl Fn(&str) -> bool,
    ) -> Self {
        let mut lacking = plugin::access_needed(&[job]);
        lacking.retain(|field| granted(field.table, &field.field) < Some(field.access));
        if lacking.is_empty() {
            return Self::Full;
        }
        let in_core: Vec<&str> = tables::essential(&[job])
            .filter(|table| !has_query(table.query) && core::holds(table, &table.columns_for(&[job])))
            .map(|table| table.name)
            .collect();
        lacking.retain(|field| field.access > Access::ViewOnly || !in_core.contains(&field.table));
        if lacking.is_empty() { Self::CoreOnly } else { Self::Missing(lacking) }
    }
}

/// What the plugin may do with the fields of one table, by field in capitals (PowerSchool:
/// `/ws/schema/table/{table}/metadata`).
pub(crate) async fn of_table(transport: &Transport, table: &str) -> Result<BTreeMap<String, Access>, Error> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default, deserialize_with = "json::list")]
        columns: Vec<Column>,
    }
    #[derive(Deserialize)]
    struct Column {
        #[serde(default, deserialize_with = "json::text")]
        name: Option<String>,
        #[serde(default, deserialize_with = "json::text")]
        access: Option<String>,
    }

    let path = format!("/ws/schema/table/{}/metadata", table.to_ascii_lowercase());
    let answer: Answer = match transport.ask(&Call::get(path).with("expansions", "access")).await {
        Ok(answer) => answer,
        // What the plugin may not even ask about, it may not read; and a table none of whose fields may be seen need
        // not be there for it.
        Err(
            Error::NoAccess { .. }
            | Error::UnexpectedAnswer {
                problem: AnswerProblem::Status(404) | AnswerProblem::Refused(_), ..
            },
        ) => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let fields = answer.columns.into_iter().filter_map(|column| {
        let access = match column.access?.as_str() {
            "FullAccess" => Access::FullAccess,
            "ViewOnly" => Access::ViewOnly,
            // NoAccess, BlackListNoAccess.
            _ => return None,
        };
        Some((column.name?.to_ascii_uppercase(), access))
    });
    Ok(fields.collect())
}
