//! `/ws/v1`: what can be had of the roster through core resources alone, for a plugin with neither our queries nor
//! access to the tables.
//!
//! Every id there is a DCID. A student's ID comes from PowerSchool's own query that translates the two; what no core
//! resource holds is named in an error and never read as empty.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    client::Client,
    error::{AnswerProblem, Error},
    json::{self, CountAnswer},
    tables::{self, Table},
    transport::{Call, Shared},
};

/// PowerSchool's own query for DCID and ID of every student.
const ID_MAP: &str = "/ws/schema/query/com.pearson.core.student.student_dcid_id_map";

/// What students are asked for with.
const EXPANSIONS: &str =
    "demographics,addresses,phones,contact,contact_info,school_enrollment,schedule_setup";

/// The columns of STUDENTS that core resources hold, and where in a student.
const STUDENT_COLUMNS: [(&str, &str); 18] = [
    ("dcid", "/id"),
    ("student_number", "/local_id"),
    ("first_name", "/name/first_name"),
    ("middle_name", "/name/middle_name"),
    ("last_name", "/name/last_name"),
    ("dob", "/demographics/birth_date"),
    ("grade_level", "/school_enrollment/grade_level"),
    ("schoolid", "/school_enrollment/school_number"),
    ("enroll_status", "/school_enrollment/enroll_status_code"),
    ("entrydate", "/school_enrollment/entry_date"),
    ("exitdate", "/school_enrollment/exit_date"),
    ("mailing_street", "/addresses/mailing/street"),
    ("mailing_city", "/addresses/mailing/city"),
    ("mailing_state", "/addresses/mailing/state_province"),
    ("mailing_zip", "/addresses/mailing/postal_code"),
    ("guardianemail", "/contact/guardian_email"),
    ("home_phone", "/phones/main/number"),
    ("home_room", "/schedule_setup/home_room"),
];

/// The columns of TERMS, likewise. The others are worked out.
const TERM_COLUMNS: [(&str, &str); 5] = [
    ("dcid", "/id"),
    ("id", "/local_id"),
    ("abbreviation", "/abbreviation"),
    ("firstday", "/start_date"),
    ("lastday", "/end_date"),
];

/// A table that core resources hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CoreSource {
    /// `/ws/v1/district/student`: of every status, since nothing is filtered.
    Students,
    /// `/ws/v1/school/{id}/term` of every school.
    Terms,
}

impl CoreSource {
    /// The resources that hold a table. SCHOOLS are read from theirs at any rate; TEACHERS can't be read, since a
    /// member of staff has no SCHOOLSTAFF.ID there.
    pub(crate) fn of(table: &Table) -> Option<Self> {
        match table.name {
            "STUDENTS" => Some(Self::Students),
            "TERMS" => Some(Self::Terms),
            _ => None,
        }
    }

    /// The columns that a resource has a place for.
    fn places(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Students => &STUDENT_COLUMNS,
            Self::Terms => &TERM_COLUMNS,
        }
    }

    /// The columns that are worked out.
    fn worked_out(self) -> &'static [&'static str] {
        match self {
            Self::Students => &["id"],
            Self::Terms => &["yearid", "schoolid"],
        }
    }

    fn place(self, column: &str) -> Option<&'static str> {
        self.places().iter().find(|(name, _)| *name == column).map(|(_, place)| *place)
    }
}

/// Whether core resources hold all these columns of a table, as far as PowerSchool documents them.
pub(crate) fn holds(table: &Table, columns: &[&str]) -> bool {
    match CoreSource::of(table) {
        Some(source) => columns
            .iter()
            .all(|column| source.place(column).is_some() || source.worked_out().contains(column)),
        // Listed by core resources at any rate; the abbreviation only helps to suggest a mapping.
        None => table.name == tables::SCHOOLS.name,
    }
}

/// A list of resources, page by page.
#[derive(Debug)]
struct Listing {
    path: String,
    /// School_Number of the school it is about.
    school: Option<i64>,
    count: u64,
}

/// Core resources under way.
pub(crate) struct Core<'a> {
    client: &'a Client,
    transport: &'a Shared,
    source: CoreSource,
    wanted: Vec<&'static str>,
    /// What is left to read, in reverse.
    left: Vec<Listing>,
    /// The next page of the last of them, from 1.
    page: u64,
    /// STUDENTS.ID by DCID.
    ids: HashMap<i64, i64>,
    /// The wanted columns that no resource had a place for so far.
    missing: BTreeSet<&'static str>,
    /// The DCIDs of what has been read: one that comes on another page again is left out, and the counts tell.
    read: HashSet<i64>,
}

impl<'a> Core<'a> {
    pub(crate) fn new(
        client: &'a Client,
        transport: &'a Shared,
        source: CoreSource,
        wanted: &[&'static str],
    ) -> Self {
        Self {
            client,
            transport,
            source,
            wanted: wanted.to_vec(),
            left: Vec::new(),
            page: 1,
            ids: HashMap::new(),
            missing: wanted.iter().copied().collect(),
            read: HashSet::new(),
        }
    }

    /// How many resources there are, counted anew.
    pub(crate) async fn count(&mut self) -> Result<u64, Error> {
        let listings: Vec<(String, Option<i64>)> = match self.source {
            CoreSource::Students => vec![("/ws/v1/district/student".to_owned(), None)],
            CoreSource::Terms => self
                .client
                .listed_schools()
                .await?
                .into_iter()
                .map(|school| (format!("/ws/v1/school/{}/term", school.dcid), Some(school.number.get())))
                .collect(),
        };
        let first = self.left.is_empty() && self.read.is_empty();
        let mut total = 0;
        let mut counted = Vec::new();
        for (path, school) in listings {
            let call = Call::get(format!("{path}/count"));
            let answer: CountAnswer = self.transport.ask(&call).await?;
            let count = answer
                .count()
                .ok_or_else(|| Error::unexpected(&call.path, AnswerProblem::Missing("count")))?;
            total += count;
            counted.push(Listing { path, school, count });
        }
        if first {
            counted.reverse();
            self.left = counted;
            if self.source == CoreSource::Students {
                self.ids = self.student_ids().await?;
            }
        }
        Ok(total)
    }

    /// The next resources as records of the table's columns; none at the end.
    pub(crate) async fn next_page(&mut self) -> Result<Option<Vec<Vec<u8>>>, Error> {
        let limits = self.client.known_metadata().await?.page_limits;
        let (size, plural, single) = match self.source {
            CoreSource::Students => (u64::from(limits.students), "students", "student"),
            CoreSource::Terms => (u64::from(limits.terms), "terms", "term"),
        };
        let listing = loop {
            match self.left.last() {
                Some(listing) if self.page <= listing.count.div_ceil(size) => break listing,
                Some(_) => {
                    self.left.pop();
                    self.page = 1;
                }
                None => return Ok(None),
            }
        };
        let mut call = Call::get(listing.path.clone()).with("page", self.page).with("pagesize", size);
        if self.source == CoreSource::Students {
            call = call.with("expansions", EXPANSIONS);
        }
        let school = listing.school;
        let mut answer: Value = self.transport.ask(&call).await?;
        self.page += 1;
        let mut resources =
            match answer.get_mut(plural).and_then(|list| list.get_mut(single)).map(Value::take) {
                Some(Value::Array(resources)) => resources,
                Some(resource @ Value::Object(_)) => vec![resource],
                _ => Vec::new(),
            };
        // One without a DCID is for the reader to refuse.
        resources.retain(|resource| {
            resource.get("id").and_then(whole_number).is_none_or(|dcid| self.read.insert(dcid))
        });
        let records = resources.iter().map(|resource| self.record(resource, school).to_string().into_bytes());
        let records = records.collect();
        let present = |column: &&str| match self.source.place(column) {
            // A value may be left out when it is empty, what holds it may not.
            Some(place) => {
                let holder = place.rsplit_once('/').map_or("", |(holder, _)| holder);
                resources.iter().any(|resource| resource.pointer(holder).is_some_and(Value::is_object))
            }
            // Worked out.
            None => self.source.worked_out().contains(column) && !resources.is_empty(),
        };
        let found: Vec<&'static str> =
            self.missing.iter().copied().filter(|column| present(column)).collect();
        for column in found {
            self.missing.remove(column);
        }
        Ok(Some(records))
    }

    /// Makes sure that the resources read had a place for every column wanted.
    pub(crate) fn check_columns(&self, table: &Table) -> Result<(), Error> {
        if self.read.is_empty() || self.missing.is_empty() {
            return Ok(());
        }
        let fields = self
            .wanted
            .iter()
            .filter(|column| self.missing.contains(*column))
            .map(|column| format!("{}.{}", table.name, column.to_ascii_uppercase()));
        Err(Error::CoreOnly { fields: fields.collect() })
    }

    /// A resource as a record of the table.
    fn record(&self, resource: &Value, school: Option<i64>) -> Value {
        let mut record: Map<String, Value> = self
            .source
            .places()
            .iter()
            .filter_map(|(column, place)| Some(((*column).to_owned(), resource.pointer(place)?.clone())))
            .collect();
        match self.source {
            CoreSource::Students => {
                let id = resource.get("id").and_then(whole_number).and_then(|dcid| self.ids.get(&dcid));
                record.insert("id".to_owned(), json!(id));
            }
            CoreSource::Terms => {
                // PowerSchool: YearID is the year the school year begins in, less 1990.
                let year = resource.get("start_year").and_then(whole_number).map(|year| year - 1990);
                record.insert("yearid".to_owned(), json!(year));
                record.insert("schoolid".to_owned(), json!(school));
            }
        }
        Value::Object(record)
    }

    async fn student_ids(&self) -> Result<HashMap<i64, i64>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default, deserialize_with = "json::list")]
            record: Vec<Pair>,
        }
        #[derive(Deserialize)]
        struct Pair {
            #[serde(default, deserialize_with = "json::number")]
            dcid: Option<i64>,
            #[serde(default, deserialize_with = "json::number")]
            id: Option<i64>,
        }

        let call = Call::post(ID_MAP, json!({})).with("pagesize", 0);
        match self.transport.ask::<Answer>(&call).await {
            Ok(answer) => Ok(answer.record.iter().filter_map(|pair| pair.dcid.zip(pair.id)).collect()),
            Err(
                Error::NoAccess { .. }
                | Error::UnexpectedAnswer {
                    problem: AnswerProblem::Status(404) | AnswerProblem::Refused(_),
                    ..
                },
            ) => Err(Error::CoreOnly { fields: vec!["STUDENTS.ID".to_owned()] }),
            Err(other) => Err(other),
        }
    }
}

/// A whole number, sent as a number or as text.
fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}
