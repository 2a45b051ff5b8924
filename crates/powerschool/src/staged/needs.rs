//! Whether the installed plugin may do what the chosen exchanges need.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use rosterbridge_domain::job::Job;
use serde_json::{Map, Value};

use crate::{
    access::{self, Reach},
    client::Client,
    error::{AnswerProblem, Error, Warning},
    plugin::{self, Access, FieldAccess, words},
    tables::{self, Need},
    transport::Call,
};

use super::{Outcome, Verdict};

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
    let wanted = plugin::access_told(jobs);
    let tables: BTreeSet<String> = wanted.iter().map(|field| field.table.to_owned()).collect();
    let answers: BTreeMap<String, BTreeMap<String, Access>> = stream::iter(tables)
        .map(|table| async move {
            let access = access::of_table(client.transport(), &table).await?;
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

/// Says how much is granted and, where that is not all, how far the exchanges get with it.
pub(super) fn judge_grants(jobs: &[Job], grants: &[FieldGrant], queries: &[QueryFact]) -> Verdict {
    let granted = |table: &str, field: &str| {
        grants.iter().find(|grant| grant.table == table && grant.field == field)?.granted
    };
    let has_query = |name: &str| queries.iter().any(|query| query.name == name && query.present);
    let (mut through_core, mut kept_back) = (Vec::new(), Vec::new());
    let mut missing: BTreeSet<(&str, String)> = BTreeSet::new();
    for job in jobs {
        match Reach::of(*job, granted, has_query) {
            Reach::Full => {}
            Reach::CoreOnly => through_core.push(job.to_string()),
            Reach::Missing(fields) => {
                kept_back.push(job.to_string());
                missing.extend(fields.into_iter().map(|field| (field.table, field.field)));
            }
        }
    }
    let core_words = format!(
        "Without access to all of the tables, what {} cannot read of them comes from PowerSchool's core resources (/ws/v1), which works and is slower.",
        words::list(&through_core)
    );
    if !kept_back.is_empty() {
        let fields = missing.into_iter().map(|(table, field)| format!("{table}.{field}")).collect();
        let error = Error::NoAccess { fields };
        let mut message = format!("{error} That keeps back {}.", words::list(&kept_back));
        if !through_core.is_empty() {
            message = format!("{message} {core_words}");
        }
        let (code, remedy) = (error.code(), error.remedy().to_owned());
        return Outcome::Failed { code, message, remedy }.into();
    }
    let tables: BTreeSet<&str> = grants.iter().map(|grant| grant.table.as_str()).collect();
    let enough = grants.iter().filter(|grant| grant.is_enough()).count();
    let some = format!("{enough} of {} fields of {} tables are granted.", grants.len(), tables.len());
    let loss = lost(jobs, grants);
    if through_core.is_empty() {
        return match loss {
            Some(warning) => Verdict { outcome: (&warning).into(), detail: some },
            None => format!("All {} fields of {} tables are granted.", grants.len(), tables.len()).into(),
        };
    }
    Verdict {
        outcome: Outcome::Warned {
            code: "powerschool.core_only",
            message: loss.map_or_else(|| core_words.clone(), |loss| format!("{loss} {core_words}")),
            remedy: "Nothing has to be done for that. For the full speed, and for attendance and the schedule, install the plugin that RosterBridge writes: over the installed one if that is ours, beside it if it is a vendor's.".to_owned(),
        },
        detail: some,
    }
}

/// What the exchanges can't do because a table that they can do without is not granted.
fn lost(jobs: &[Job], grants: &[FieldGrant]) -> Option<Warning> {
    tables::told(jobs).find_map(|table| {
        let Need::Useful(loss) = table.need else { return None };
        let lacks = |grant: &FieldGrant| grant.table == table.name && !grant.is_enough();
        grants.iter().any(lacks).then_some(Warning::PartialAccess { table: table.name, loss })
    })
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
    stream::iter(plugin::queries_needed(jobs))
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
            outcome: (&Warning::NoQueries { query: first.name.clone(), missing: missing.count() + 1 }).into(),
            detail: "What they give is read page by page.".to_owned(),
        },
    }
}
