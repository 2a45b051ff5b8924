//! Data versions: what changed since an application asked last (PowerSchool: `/ws/dataversion`).
//!
//! A query whose body names an application subscribes its tables under that name. A version is the number of
//! the newest change; 0 is before all of them. Rows that were removed do not show.

use std::sync::{Arc, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::answer::{Failure, ok};
use super::{PowerSchool, functions};
use crate::plugin::Query;

/// Key of a query's body that names the application.
const APPLICATION: &str = "$dataversion_applicationname";
/// Key of a query's body and answer that holds the version.
pub(super) const VERSION: &str = "$dataversion";

pub(super) fn routes() -> Router<Arc<PowerSchool>> {
    Router::new().route("/ws/dataversion/{application}/{version}", get(changes))
}

/// What a query asks of data versions.
pub(super) struct Asked {
    application: String,
    /// Only what changed since; none for everything, 0 likewise.
    since: Option<i64>,
}

/// One state of the district for one answer.
pub(super) struct Since {
    pub connection: Connection,
    /// The version of that state.
    pub version: i64,
    /// The query's tables, each reduced to what changed; none when everything is wanted.
    pub shadows: Vec<Shadow>,
}

/// A table of which a query is to see only some rows.
pub(super) struct Shadow {
    table: String,
    condition: String,
}

impl Shadow {
    /// Puts a view of the same name before the table.
    pub fn cast(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(&format!(
            "CREATE TEMP VIEW \"{0}\" AS SELECT * FROM main.\"{0}\" WHERE {1}",
            self.table, self.condition
        ))
    }

    /// Takes the view away.
    pub fn lift(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(&format!("DROP VIEW temp.\"{}\"", self.table))
    }
}

/// A table of the query under two names: as it is written, and as changes are noted.
struct Source {
    name: String,
    /// An SQL condition on its rows that finds those changed, with `{}` for the version.
    changed: String,
    noted: &'static [&'static str],
}

impl Source {
    /// A table or view of the district in lower case; none for what has no changes of its own.
    fn of(state: &PowerSchool, table: &str) -> Option<Self> {
        let table = state.schema.get(&table.to_lowercase())?;
        let noted = |name: &str| {
            format!("(SELECT RowDCID FROM main.Practice_Change WHERE TableName = '{name}' AND Seq > {{}})")
        };
        let (changed, parts): (String, &'static [&'static str]) = match table.name.as_str() {
            "Teachers" => (
                format!("DCID IN {} OR Users_DCID IN {}", noted("schoolstaff"), noted("users")),
                &["schoolstaff", "users"],
            ),
            "PS_SchoolEnrollment" => (
                format!(
                    "StudentID IN (SELECT ID FROM main.Students WHERE DCID IN {})
                     OR StudentID IN (SELECT StudentID FROM main.ReEnrollments WHERE DCID IN {})",
                    noted("students"),
                    noted("reenrollments")
                ),
                &["students", "reenrollments"],
            ),
            name => (format!("DCID IN {}", noted(&name.to_lowercase())), &[]),
        };
        Some(Self { name: table.name.clone(), changed, noted: parts })
    }

    /// The tables that are subscribed with it, in lower case.
    fn subscribed(&self) -> Vec<String> {
        if self.noted.is_empty() {
            vec![self.name.to_lowercase()]
        } else {
            self.noted.iter().map(|name| (*name).to_owned()).collect()
        }
    }
}

impl PowerSchool {
    /// Since 9.3, unless a fault says otherwise.
    fn offers_data_versions(&self) -> bool {
        self.at_least(&[9, 3]) && !self.faults().no_data_versions
    }

    /// What a query's body asks of data versions; an older server does not know the keys and passes over them.
    pub(super) fn asked(&self, query: &Query, body: &Value) -> Result<Option<Asked>, Failure> {
        let Some(application) = body.get(APPLICATION).and_then(Value::as_str) else { return Ok(None) };
        if application.is_empty() || !self.offers_data_versions() {
            return Ok(None);
        }
        let since = match body.get(VERSION) {
            None | Some(Value::Null) => None,
            Some(Value::Number(number)) => Some(number.as_i64().ok_or_else(|| unknown(query))?),
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::String(text)) => Some(text.parse().map_err(|_| unknown(query))?),
            Some(_) => return Err(unknown(query)),
        };
        Ok(Some(Asked { application: application.to_owned(), since: since.filter(|since| *since != 0) }))
    }

    /// Subscribes the query's tables, and opens a connection that sees one state of the district, with
    /// what hides the rows that did not change since the version given. Blocking.
    pub(super) fn since(&self, query: &Query, asked: &Asked) -> Result<Since, Failure> {
        self.purge_if_asked()?;
        let sources = self.sources(query);
        let tables: Vec<String> = sources.iter().flat_map(Source::subscribed).collect();
        let subscribed = self.subscribe(&asked.application, &tables)?;
        let connection = self.district.connect()?;
        functions::register(&connection)?;
        connection.execute_batch("BEGIN")?;
        let (oldest, newest) = bounds(&connection)?;
        let mut shadows = Vec::new();
        if let Some(since) = asked.since {
            // Without a subscription nobody has noted what changed for this application.
            if !subscribed || !(oldest..=newest).contains(&since) {
                return Err(unknown(query));
            }
            for source in &sources {
                let condition = source.changed.replace("{}", &since.to_string());
                shadows.push(Shadow { table: source.name.clone(), condition });
            }
        }
        Ok(Since { connection, version: newest, shadows })
    }

    /// The tables that a query reads, as far as its declaration names them.
    fn sources(&self, query: &Query) -> Vec<Source> {
        let mut names: Vec<String> = vec![query.core_table.to_lowercase()];
        names.extend(query.columns.iter().map(|column| column.table.to_lowercase()));
        names.sort_unstable();
        names.dedup();
        names.iter().filter_map(|name| Source::of(self, name)).collect()
    }

    /// Notes the tables under the application's name; whether all of them were there before.
    fn subscribe(&self, application: &str, tables: &[String]) -> Result<bool, Failure> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = true;
        for table in tables {
            let known: bool = writer.query_row(
                "SELECT COUNT(*) > 0 FROM Practice_Subscription WHERE Application = ?1 AND TableName = ?2",
                (application, table),
                |row| row.get(0),
            )?;
            if !known {
                all = false;
                writer.execute("INSERT INTO Practice_Subscription VALUES (?1, ?2)", (application, table))?;
            }
        }
        Ok(all)
    }

    /// Forgets all changes if the fault for it is set: a new oldest version that nobody has been told.
    fn purge_if_asked(&self) -> Result<(), Failure> {
        if std::mem::take(&mut self.faults().purge_data_versions) {
            let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer.execute("INSERT INTO Practice_Change (TableName, RowDCID) VALUES ('', 0)", ())?;
            writer.execute(
                "DELETE FROM Practice_Change WHERE Seq < (SELECT MAX(Seq) FROM Practice_Change)",
                (),
            )?;
        }
        Ok(())
    }
}

/// The version of the district as it is now.
pub(super) fn newest(connection: &Connection) -> rusqlite::Result<i64> {
    Ok(bounds(connection)?.1)
}

/// The oldest version that is known and the newest.
fn bounds(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    connection
        .query_row("SELECT MIN(Seq), MAX(Seq) FROM Practice_Change", (), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Inferred: PowerSchool documents no answer for a version it does not know.
fn unknown(query: &Query) -> Failure {
    Failure::Validation(vec![(query.name.clone(), VERSION.into(), "Invalid data version".into())])
}

/// `GET /ws/dataversion/{application}/{version}`: DCIDs that changed, by table.
async fn changes(
    State(state): State<Arc<PowerSchool>>,
    Path((application, version)): Path<(String, String)>,
) -> Result<Response, Failure> {
    if !state.offers_data_versions() {
        return Err(Failure::NotFound);
    }
    let refused =
        || Failure::Validation(vec![("dataversion".into(), "version".into(), "Invalid data version".into())]);
    let since: i64 = version.parse().map_err(|_| refused())?;
    state
        .read(move |state, connection| {
            state.purge_if_asked()?;
            let mut subscribed = connection.prepare(
                "SELECT TableName FROM Practice_Subscription WHERE Application = ?1 ORDER BY TableName",
            )?;
            let tables =
                subscribed.query_map([&application], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
            if tables.is_empty() {
                return Err(Failure::NotFound);
            }
            let transaction = connection.unchecked_transaction()?;
            let (oldest, newest) = bounds(&transaction)?;
            if since != 0 && !(oldest..=newest).contains(&since) {
                return Err(refused());
            }
            let mut changed = Vec::new();
            for table in tables {
                let mut rows = transaction.prepare(&format!(
                    "SELECT DISTINCT RowDCID FROM Practice_Change
                      WHERE Seq > ?1 AND TableName = ?2 AND RowDCID IN (SELECT DCID FROM \"{table}\") ORDER BY RowDCID"
                ))?;
                let ids = rows
                    .query_map((since, &table), |row| row.get(0))?
                    .collect::<Result<Vec<i64>, _>>()?;
                if !ids.is_empty() {
                    changed.push(json!({"name": table, "ids": ids}));
                }
            }
            Ok(ok(&json!({VERSION: newest, "tables": changed})))
        })
        .await
}
