//! `curl` and the `sqlite3` shell doing by hand what a pull of STUDENTS and CC does: the same requests, the same bytes,
//! the same rows.

use super::{
    peers::{csv_value, is_there, timed, token, write},
    powerschool::Site,
};
use crate::process::{self, StepError};
use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor},
};
use serde_json::{Map, Value, json};
use std::{
    fmt::{self, Write as _},
    fs,
    io::{BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::Command,
};

/// Pages asked for at the same time.
pub const PAGES_IN_FLIGHT: u32 = 16;

/// A table as the plugin's query gives it and as its pages do.
struct Source {
    /// As in an address.
    table: &'static str,
    query: &'static str,
    by_year: bool,
    columns: &'static str,
    sort: &'static str,
}

const SOURCES: [Source; 2] = [
    Source {
        table: "students",
        query: "com.rosterbridge.roster.students.all",
        by_year: false,
        columns: "dcid,id,student_number,first_name,middle_name,last_name,dob,grade_level,schoolid,enroll_status,\
                  entrydate,exitdate,mailing_street,mailing_city,mailing_state,mailing_zip,guardianemail,home_phone,\
                  home_room",
        sort: "student_number,dcid",
    },
    Source {
        table: "cc",
        query: "com.rosterbridge.roster.enrollments.of_years",
        by_year: true,
        columns: "dcid,id,studentid,sectionid,termid,course_number,section_number,schoolid,teacherid,expression,\
                  period_obsolete,dateenrolled,dateleft",
        sort: "studentid,id",
    },
];

impl Source {
    /// The query's arguments.
    fn arguments(&self, year: u16) -> Value {
        if self.by_year { json!({"yearid_from": year, "yearid_to": year}) } else { json!({}) }
    }

    /// The same as filters, each of which is read by itself: enrolments that stand, and dropped ones.
    fn filters(&self, year: u16) -> Vec<String> {
        if self.by_year {
            let (first, last) = (year * 100, year * 100 + 99);
            vec![
                format!("termid=ge={first};termid=le={last}"),
                format!("termid=ge=-{last};termid=le=-{first}"),
            ]
        } else {
            vec![String::new()]
        }
    }
}

/// The downloads, ready to be run.
pub struct Downloads {
    folder: PathBuf,
    /// Pages of all tables.
    pub pages: u64,
    /// Rows of the CSV files.
    pub rows: u64,
    /// Bytes of the answers, by queries and by pages.
    pub bytes: [u64; 2],
    /// The same reads for the Python client; how many pages of each is still to be set.
    pub queries: Value,
    pub tables: Vec<PagedTable>,
}

/// A table with one filter, read page by page.
pub struct PagedTable {
    pub name: &'static str,
    pub projection: &'static str,
    pub filter: String,
    pub sort: &'static str,
    pub pages: u64,
}

impl Downloads {
    /// Counts pages and writes curl's configurations for the server with queries and the one with pages; `None` without
    /// curl.
    pub fn prepare(folder: &Path, sites: [&Site; 2], year: u16) -> Result<Option<Self>, StepError> {
        #[derive(Deserialize)]
        struct Limits {
            metadata: Metadata,
        }
        #[derive(Deserialize)]
        struct Metadata {
            schema_table_query_max_page_size: u64,
        }
        #[derive(Deserialize)]
        struct Count {
            count: u64,
        }

        if !is_there("curl", "--version") {
            return Ok(None);
        }
        let [for_queries, for_pages] = sites.map(|site| Asking::new(folder, site));
        let (for_queries, for_pages) = (for_queries?, for_pages?);
        let ask = |path: &str| {
            let config =
                format!("{}url = {}\n", for_pages.options, quoted(&format!("{}{path}", for_pages.url)));
            let config = write(folder, "ask.conf", &config)?;
            process::output(Command::new("curl").arg("--disable").arg("--config").arg(config))
        };
        let output = |name: &str| quoted(&folder.join(name).display().to_string());
        let limits: Limits = process::parse("the metadata", &ask("/ws/v1/metadata")?)?;
        let page_size = limits.metadata.schema_table_query_max_page_size;

        let (mut queries, mut pages, mut tables) = (String::new(), String::new(), Vec::new());
        let mut named = Vec::new();
        for source in &SOURCES {
            if !queries.is_empty() {
                queries.push_str("next\n");
            }
            queries.push_str(&for_queries.options);
            let address = format!("{}/ws/schema/query/{}?pagesize=0", for_queries.url, source.query);
            let body = source.arguments(year);
            let _ = writeln!(queries, "url = {}\noutput = {}", quoted(&address), output(&query_file(source)));
            let _ = writeln!(queries, "header = \"Content-Type: application/json\"");
            let _ = writeln!(queries, "data = {}", quoted(&body.to_string()));
            named.push(json!({"name": source.query, "body": body}));
            for (place, filter) in source.filters(year).into_iter().enumerate() {
                let filtered =
                    if filter.is_empty() { String::new() } else { format!("&q={}", encoded(&filter)) };
                let path = format!("/ws/schema/table/{}", source.table);
                let count = ask(&format!("{path}/count?{}", filtered.trim_start_matches('&')))?;
                let count = process::parse::<Count>("a count", &count)?.count.div_ceil(page_size);
                tables.push(PagedTable {
                    name: source.table,
                    projection: source.columns,
                    filter,
                    sort: source.sort,
                    pages: count,
                });
                if count == 0 {
                    continue;
                }
                if !pages.is_empty() {
                    pages.push_str("next\n");
                }
                pages.push_str(&for_pages.options);
                let address = format!(
                    "{}{path}?projection={}&page=[1-{count}]&pagesize={page_size}&sort={}{filtered}",
                    for_pages.url,
                    encoded(source.columns),
                    encoded(source.sort),
                );
                let file = format!("page-{}-{place}-#1.json", source.table);
                let _ = writeln!(pages, "url = {}\noutput = {}", quoted(&address), output(&file));
            }
        }
        write(folder, "queries.conf", &queries)?;
        write(folder, "pages.conf", &pages)?;

        let mut downloads = Self {
            folder: folder.to_owned(),
            pages: tables.iter().map(|table| table.pages).sum(),
            rows: 0,
            bytes: [0; 2],
            queries: named.into(),
            tables,
        };
        downloads.run(false)?;
        downloads.rows = downloads.to_csv()?;
        downloads.run(true)?;
        downloads.bytes = [downloads.size("query-")?, downloads.size("page-")?];
        Ok(Some(downloads))
    }

    /// Downloads everything with one `curl` process and tells the seconds: the queries over one connection, one after
    /// the other, or the pages, some at the same time.
    pub fn run(&self, paged: bool) -> Result<f64, StepError> {
        let mut curl = Command::new("curl");
        curl.arg("--disable");
        if paged {
            curl.args(["--no-progress-meter", "--parallel", "--parallel-max", &PAGES_IN_FLIGHT.to_string()]);
        }
        curl.arg("--config").arg(self.folder.join(if paged { "pages.conf" } else { "queries.conf" }));
        Ok(timed(&mut curl)?.as_secs_f64())
    }

    /// The shell with its defaults, in one transaction, into a new plain database; it makes the tables from the files'
    /// first lines. `None` without the shell.
    pub fn import(&self) -> Result<Option<f64>, StepError> {
        if !is_there("sqlite3", "--version") {
            return Ok(None);
        }
        let mut script = "BEGIN;\n.mode csv\n".to_owned();
        for Source { table, .. } in &SOURCES {
            // Writing to a string can't fail.
            let _ = writeln!(script, ".import {table}.csv {table}");
        }
        script.push_str("COMMIT;\n");
        write(&self.folder, "import.sql", &script)?;
        let database = self.folder.join("peer.db");
        match fs::remove_file(&database) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StepError::file(database.display(), source));
            }
            _ => {}
        }
        let mut shell = Command::new("sqlite3");
        shell.current_dir(&self.folder).args(["-batch", "-bail", "peer.db", ".read import.sql"]);
        Ok(Some(timed(&mut shell)?.as_secs_f64()))
    }

    /// Turns the queries' answers into what the shell can import; how many rows there are.
    fn to_csv(&self) -> Result<u64, StepError> {
        let mut rows = 0;
        for source in &SOURCES {
            let answer = self.folder.join(query_file(source));
            let file = fs::File::open(&answer).map_err(|error| StepError::file(answer.display(), error))?;
            let csv = self.folder.join(format!("{}.csv", source.table));
            let mut target = fs::File::create(&csv)
                .map(BufWriter::new)
                .map_err(|error| StepError::file(csv.display(), error))?;
            let mut answer = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 20, file));
            rows += AnswerToCsv(&mut target)
                .deserialize(&mut answer)
                .map_err(|error| StepError::Unmet(format!("{}: {error}", source.query)))?;
            target.flush().map_err(|error| StepError::file(csv.display(), error))?;
        }
        Ok(rows)
    }

    /// Bytes of the answers whose files begin so.
    fn size(&self, beginning: &str) -> Result<u64, StepError> {
        let sum = || -> std::io::Result<u64> {
            let mut bytes = 0;
            for entry in fs::read_dir(&self.folder)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(beginning) {
                    bytes += entry.metadata()?.len();
                }
            }
            Ok(bytes)
        };
        sum().map_err(|source| StepError::file(self.folder.display(), source))
    }
}

/// How curl asks one server.
struct Asking {
    url: String,
    /// Lines of its configuration that every request needs.
    options: String,
}

impl Asking {
    fn new(folder: &Path, Site { ready, authority, .. }: &Site) -> Result<Self, StepError> {
        let token = token(folder, ready, authority)?;
        let mut options = "fail\nsilent\nshow-error\n".to_owned();
        for (option, value) in [
            ("cacert", authority.display().to_string()),
            ("header", format!("Authorization: Bearer {token}")),
            ("header", "Accept: application/json".to_owned()),
            ("noproxy", "*".to_owned()),
        ] {
            // Writing to a string can't fail.
            let _ = writeln!(options, "{option} = {}", quoted(&value));
        }
        Ok(Self { url: ready.powerschool.url.clone(), options })
    }
}

/// A value of curl's configuration: quoted as in JSON.
fn quoted(value: &str) -> String {
    Value::from(value).to_string()
}

fn query_file(source: &Source) -> String {
    format!("query-{}.json", source.table)
}

/// A query's value as our client sends it. Braces and brackets would be ranges to curl; none occurs.
fn encoded(value: &str) -> String {
    value.replace('=', "%3D").replace(';', "%3B").replace(',', "%2C")
}

/// Writes an answer's records as CSV while they are read: there are too many to hold. Yields their number.
struct AnswerToCsv<W>(W);

impl<'de, W: Write> DeserializeSeed<'de> for AnswerToCsv<W> {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, W: Write> Visitor<'de> for AnswerToCsv<W> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(mut self, mut map: A) -> Result<u64, A::Error> {
        let mut rows = 0;
        while let Some(key) = map.next_key::<String>()? {
            if key == "record" {
                rows += map.next_value_seed(RecordsToCsv(&mut self.0))?;
            } else {
                map.next_value::<serde::de::IgnoredAny>()?;
            }
        }
        Ok(rows)
    }
}

struct RecordsToCsv<W>(W);

impl<'de, W: Write> DeserializeSeed<'de> for RecordsToCsv<W> {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, W: Write> Visitor<'de> for RecordsToCsv<W> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("records")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut records: A) -> Result<u64, A::Error> {
        let mut rows = 0;
        while let Some(record) = records.next_element::<Map<String, Value>>()? {
            let line = |values: Vec<String>| values.join(",");
            if rows == 0 {
                writeln!(self.0, "{}", line(record.keys().cloned().collect())).map_err(A::Error::custom)?;
            }
            writeln!(self.0, "{}", line(record.values().map(csv_value).collect()))
                .map_err(A::Error::custom)?;
            rows += 1;
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_becomes_csv_with_its_columns_first() {
        let answer =
            r#"{"name":"cc","record":[{"dcid":"1","id":"2"},{"dcid":"3","id":null}],"@extensions":""}"#;
        let mut csv = Vec::new();
        let rows = AnswerToCsv(&mut csv).deserialize(&mut serde_json::Deserializer::from_str(answer));
        assert_eq!(rows.unwrap(), 2);
        assert_eq!(String::from_utf8(csv).unwrap(), "dcid,id\n1,2\n3,\n");
    }

    #[test]
    fn dropped_enrolments_are_pages_of_their_own() {
        assert_eq!(SOURCES[0].filters(35), [""]);
        assert_eq!(
            SOURCES[1].filters(35),
            ["termid=ge=3500;termid=le=3599", "termid=ge=-3599;termid=le=-3500"]
        );
    }
}
