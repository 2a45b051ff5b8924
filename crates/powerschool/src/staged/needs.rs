//! Whether the installed plugin may do what the chosen exchanges need.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use rosterbridge_domain::job::Job;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    client::Client,
    error::{AnswerProblem, Error, Warning},
    json,
    plugin::{self, Access, FieldAccess},
    transport::Call,
};

use super::Verdict;

/// Questions asked at the same time.
const AT_ONCE: usize = 4;

/// One field the exchanges need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldGrant {
    /// The table, in capitals.
    pub table: String,
    /// The field, in capitals.
    pub field: String,
    /// What is needed.
    pub wanted: Access,
    /// What the plugin may do, if anything.
    pub granted: Option<Access>,
}

impl FieldGrant {
    /// Whether the plugin may do what is needed.
    pub fn is_enough(&self) -> bool {
        self.granted >= Some(self.wanted)
    }
}

/// One query the exchanges use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryFact {
    /// Its name, five parts.
    pub name: String,
    /// The table it reads, in capitals.
    pub table: String,
    /// Whether the installed plugin has it.
    pub present: bool,
}

/// Asks for each table what the plugin may do with its fields (PowerSchool: `/ws/schema/table/{table}/metadata`).
pub(super) async fn grants(client: &Client, jobs: &[Job]) -> Result<Vec<FieldGrant>, Error> {
    let wanted = plugin::access_request(jobs);
    let tables: BTreeSet<String> = wanted.iter().map(|field| field.table.to_owned()).collect();
    let answers: BTreeMap<String, BTreeMap<String, Access>> = stream::iter(tables)
        .map(|table| async move {
            let access = table_access(client, &table).await?;
            Ok::<_, Error>((table, access))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let granted = |field: &FieldAccess| answers.get(field.table)?.get(&field.field).copied();
    Ok(wanted
        .into_iter()
        .map(|field| FieldGrant {
            granted: granted(&field),
            table: field.table.to_owned(),
            field: field.field,
            wanted: field.access,
        })
        .collect())
}

/// What the plugin may do with the fields of one table, by field in capitals.
async fn table_access(client: &Client, table: &str) -> Result<BTreeMap<String, Access>, Error> {
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
    let answer: Answer = match client.transport().ask(&Call::get(path).with("expansions", "access")).await {
        Ok(answer) => answer,
        // A table none of whose fields may be seen need not be there for the plugin.
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

/// Says how much is granted, or names what is missing.
pub(super) fn judge_grants(grants: &[FieldGrant]) -> Result<String, Error> {
    let fields: Vec<String> = grants
        .iter()
        .filter(|grant| !grant.is_enough())
        .map(|grant| format!("{}.{}", grant.table, grant.field))
        .collect();
    if !fields.is_empty() {
        return Err(Error::NoAccess { fields });
    }
    let tables: BTreeSet<&str> = grants.iter().map(|grant| grant.table.as_str()).collect();
    Ok(format!("All {} fields of {} tables are granted.", grants.len(), tables.len()))
}

/// Looks for our queries among those the plugin may call (PowerSchool: `/ws/schema/query/api`), and counts the rows
/// of each that is not listed: the list's shape is not documented, and not every server has it.
pub(super) async fn queries(client: &Client, jobs: &[Job]) -> Result<Vec<QueryFact>, Error> {
    let listed = match client.transport().ask(&Call::get("/ws/schema/query/api")).await {
        Ok(list) => {
            let mut texts = BTreeSet::new();
            collect_texts(list, &mut texts);
            texts
        }
        Err(error) => {
            tracing::debug!(code = error.code(), "the list of queries cannot be read");
            BTreeSet::new()
        }
    };
    let listed = &listed;
    stream::iter(plugin::named_queries(jobs))
        .map(|query| async move {
            let table = query.columns.first().and_then(|column| column.split('.').next()).unwrap_or_default();
            Ok(QueryFact {
                name: query.name.to_owned(),
                table: table.to_owned(),
                present: listed.contains(query.name) || answers(client, query.name).await?,
            })
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

/// Every text in an answer.
fn collect_texts(value: Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => _ = texts.insert(text),
        Value::Array(elements) => elements.into_iter().for_each(|element| collect_texts(element, texts)),
        Value::Object(members) => members.into_iter().for_each(|(_, member)| collect_texts(member, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a query is known. A refusal, such as of the arguments that are left out here, means that it is.
async fn answers(client: &Client, query: &str) -> Result<bool, Error> {
    let call = Call::post(format!("/ws/schema/query/{query}/count"), Value::Object(Map::new()));
    match client.transport().ask::<Value>(&call).await {
        Ok(_)
        | Err(Error::NoAccess { .. } | Error::UnexpectedAnswer { problem: AnswerProblem::Refused(_), .. }) => {
            Ok(true)
        }
        Err(Error::UnexpectedAnswer { problem: AnswerProblem::Status(404), .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Says how many queries there are, or warns of what is missing: a vendor's plugin has none of ours.
pub(super) fn judge_queries(queries: &[QueryFact]) -> Verdict {
    let mut missing = queries.iter().filter(|query| !query.present);
    match missing.next() {
        None => format!("All {} queries are there.", queries.len()).into(),
        Some(first) => Verdict {
            warning: Some(Warning::NoQueries { query: first.name.clone(), missing: missing.count() + 1 }),
            detail: "The tables are read page by page.".to_owned(),
        },
    }
}
