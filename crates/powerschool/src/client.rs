use std::{fmt, sync::Arc};

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;
use reqwest::header;
use rosterbridge_domain::{
    attendance::AttendanceWrite,
    id::{SchoolDcid, SchoolNumber},
    roster::{AttendanceRecord, School, SchoolPreference},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::{
    address::ClientId,
    attendance::{self, WriteAnswer},
    deltas::DataVersion,
    error::{AnswerProblem, Error},
    fingerprint::Fingerprint,
    json,
    paging::{Batch, Lessons, Pull},
    roster::{Narrowed, PullScope, RosterRow},
    transport::{Call, Connection, Shared, Transport},
};

/// A PowerSchool version, such as 23.9.0.0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(Vec<u32>);

impl Version {
    /// The oldest version the exchange works with: the attendance resources exist since 9.0.
    pub const OLDEST: (u32, u32) = (9, 0);

    /// Reads digits and dots; what follows them, such as a build's name, is left out.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<u32> = text
            .trim()
            .split('.')
            .map_while(|part| part.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
            .collect();
        (!parts.is_empty()).then_some(Self(parts))
    }

    /// Whether this is `major.minor` or newer.
    pub fn at_least(&self, (major, minor): (u32, u32)) -> bool {
        let part = |place: usize| self.0.get(place).copied().unwrap_or(0);
        (part(0), part(1)) >= (major, minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, part) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(".")?;
            }
            write!(f, "{part}")?;
        }
        Ok(())
    }
}

/// How many rows a page may have (PowerSchool: 100 unless raised for the plugin).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimits {
    /// `school_max_page_size`.
    pub schools: u32,
    /// `student_max_page_size`.
    pub students: u32,
    /// `term_max_page_size`.
    pub terms: u32,
    /// `schema_table_query_max_page_size`.
    pub table_rows: u32,
}

impl PageLimits {
    const DEFAULT: u32 = 100;
}

/// What a server says about itself to everybody (PowerSchool: `/ws/v1/metadata`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// `powerschool_version`; servers before 9.0 do not tell it.
    pub version: Option<Version>,
    /// `district_timezone`, where it names a zone of the tz database.
    pub district_timezone: Option<Tz>,
    /// `district_uuid`.
    pub district_uuid: Option<String>,
    /// `plugin_id`: known only to a request with a token.
    pub plugin_id: Option<i64>,
    /// Page limits.
    pub page_limits: PageLimits,
}

/// What was read from one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// Distinct rows.
    pub rows: u64,
    /// Bytes of the answers' bodies.
    pub bytes: u64,
    /// The state of the table that the rows are of, where the server tells it.
    pub version: Option<DataVersion>,
    /// What the one answer with all rows is recognised by, where they came in one answer without a version.
    pub fingerprint: Option<Fingerprint>,
}

/// A client of one PowerSchool server. Clones share connections and token.
#[derive(Clone, Debug)]
pub struct Client {
    transport: Shared,
    writing: Arc<attendance::Capabilities>,
    lessons: Arc<Lessons>,
}

impl Client {
    /// Prepares a client; nothing is sent yet.
    pub fn new(connection: Connection) -> Result<Self, Error> {
        Ok(Self {
            transport: Arc::new(Transport::new(connection)?),
            writing: Arc::new(attendance::Capabilities::default()),
            lessons: Arc::new(Lessons::new()),
        })
    }

    /// A client for a test: it repeats nothing.
    pub(crate) fn for_test(connection: Connection) -> Result<Self, Error> {
        Ok(Self {
            transport: Arc::new(Transport::for_test(connection)?),
            writing: Arc::new(attendance::Capabilities::default()),
            lessons: Arc::new(Lessons::new()),
        })
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The server's date and time, in the server's own zone. Needs no token (PowerSchool: `/ws/v1/time`).
    pub async fn time(&self) -> Result<NaiveDateTime, Error> {
        Ok(self.clock().await?.shown)
    }

    /// The server's clock, with what is needed to compare it with ours (PowerSchool: `/ws/v1/time`).
    pub(crate) async fn clock(&self) -> Result<Clock, Error> {
        const PATH: &str = "/ws/v1/time";
        let call = Call::get(PATH).open();
        let response =
            self.transport.ask_streaming(&call).await.map_err(|error| self.no_powerschool(error))?;
        let header = response.headers().get(header::DATE).and_then(|date| date.to_str().ok());
        let header = header.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        let answer: Value = self.transport.read_whole(&call, response).await?;
        let (shown, exact) = time_in(&answer)
            .ok_or_else(|| Error::unexpected(PATH, AnswerProblem::Missing("date and time")))?;
        // The header is a web server's or a proxy's in front of PowerSchool, and counts where PowerSchool gives no offset.
        Ok(Clock { shown, exact: exact.or(header).map(|time| time.to_utc()) })
    }

    /// What the server says about itself. Needs no token (PowerSchool: `/ws/v1/metadata`).
    pub async fn metadata(&self) -> Result<Metadata, Error> {
        self.read_metadata(Call::get(METADATA).open()).await
    }

    /// The same with a token, which adds what PowerSchool says to this plugin only: its id and its page limits.
    pub(crate) async fn plugin_metadata(&self) -> Result<Metadata, Error> {
        self.read_metadata(Call::get(METADATA)).await
    }

    /// What the server says about itself to this plugin, with the plugin's id and page limits. Asked for once.
    pub async fn known_metadata(&self) -> Result<&Metadata, Error> {
        self.lessons.metadata.get_or_try_init(|| self.plugin_metadata()).await
    }

    /// What reading has taught about the server.
    pub(crate) const fn lessons(&self) -> &Arc<Lessons> {
        &self.lessons
    }

    async fn read_metadata(&self, call: Call) -> Result<Metadata, Error> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default, deserialize_with = "json::container")]
            metadata: Fields,
        }
        #[derive(Default, Deserialize)]
        struct Fields {
            #[serde(default, deserialize_with = "json::text")]
            powerschool_version: Option<String>,
            #[serde(default, deserialize_with = "json::text")]
            district_timezone: Option<String>,
            #[serde(default, deserialize_with = "json::text")]
            district_uuid: Option<String>,
            #[serde(default, deserialize_with = "json::number")]
            plugin_id: Option<i64>,
            #[serde(default, deserialize_with = "json::number")]
            school_max_page_size: Option<i64>,
            #[serde(default, deserialize_with = "json::number")]
            student_max_page_size: Option<i64>,
            #[serde(default, deserialize_with = "json::number")]
            term_max_page_size: Option<i64>,
            #[serde(default, deserialize_with = "json::number")]
            schema_table_query_max_page_size: Option<i64>,
        }

        let Answer { metadata } = self.not_found_is_no_powerschool(&call).await?;
        let limit = |size: Option<i64>| {
            size.and_then(|size| u32::try_from(size).ok())
                .filter(|size| *size > 0)
                .unwrap_or(PageLimits::DEFAULT)
        };
        Ok(Metadata {
            version: metadata.powerschool_version.as_deref().and_then(Version::parse),
            district_timezone: metadata.district_timezone.and_then(|zone| zone.trim().parse().ok()),
            district_uuid: metadata.district_uuid,
            plugin_id: metadata.plugin_id,
            page_limits: PageLimits {
                schools: limit(metadata.school_max_page_size),
                students: limit(metadata.student_max_page_size),
                terms: limit(metadata.term_max_page_size),
                table_rows: limit(metadata.schema_table_query_max_page_size),
            },
        })
    }

    /// Fetches a token unless a lasting one is held. It is renewed by itself afterwards, before it expires and once
    /// after a 401.
    pub async fn authenticate(&self) -> Result<(), Error> {
        self.transport.authenticate().await
    }

    /// Whether the server issues a token for Client ID and Client Secret in each other's place. Asked once, and nothing
    /// is kept of it.
    pub(crate) async fn accepts_swapped(&self) -> bool {
        let connection = self.transport.connection();
        let Ok(client_id) = ClientId::parse(connection.client_secret.expose_secret()) else { return false };
        let client_secret = SecretString::from(connection.client_id.to_string());
        match Self::for_test(Connection { client_id, client_secret, ..connection.clone() }) {
            Ok(swapped) => swapped.authenticate().await.is_ok(),
            Err(_) => false,
        }
    }

    /// The district's schools without 'Graduated Students', by number. The abbreviation comes from our query and is
    /// empty where the plugin has none.
    pub async fn schools(&self) -> Result<Vec<School>, Error> {
        let mut schools = match self.listed_schools().await {
            // PowerSchool 25.2 and later can deny `/ws/v1` to a plugin. The table has the same schools.
            Err(
                Error::Forbidden
                | Error::NoAccess { .. }
                | Error::UnexpectedAnswer { problem: AnswerProblem::Refused(_), .. },
            ) => {
                let mut schools = self.schools_of_table().await?;
                schools.retain(|school| school.number != SchoolNumber::GRADUATED);
                schools.sort_by_key(|school| school.number);
                return Ok(schools);
            }
            listed => listed?,
        };
        let named = match self.collect::<School>(&Narrowed::Years(&PullScope::every_year())).await {
            // Names and numbers are enough to go on: abbreviations only help to suggest a mapping.
            Err(Error::NoQueries { .. } | Error::NoAccess { .. } | Error::CoreOnly { .. }) => Vec::new(),
            other => other?,
        };
        for school in &mut schools {
            if let Some(row) = named.iter().find(|row| row.number == school.number) {
                school.abbreviation.clone_from(&row.abbreviation);
            }
        }
        Ok(schools)
    }

    /// The rows of SCHOOLS. A plugin for exchanges that don't read the abbreviation has no access to it, and is enough.
    async fn schools_of_table(&self) -> Result<Vec<School>, Error> {
        match self.collect(&Narrowed::Years(&PullScope::every_year())).await {
            Err(Error::NoAccess { .. } | Error::CoreOnly { .. }) => {
                self.collect(&Narrowed::Years(&PullScope::of_every_plugin::<School>())).await
            }
            schools => schools,
        }
    }

    /// The schools that `/ws/v1/district/school` lists, without abbreviations.
    pub(crate) async fn listed_schools(&self) -> Result<Vec<School>, Error> {
        let count: json::CountAnswer = self.transport.ask(&Call::get(format!("{SCHOOLS}/count"))).await?;
        let count =
            count.count().ok_or_else(|| Error::unexpected(SCHOOLS, AnswerProblem::Missing("count")))?;
        let page_size = u64::from(self.known_metadata().await?.page_limits.schools);
        let mut schools = Vec::new();
        for page in 1..=count.div_ceil(page_size) {
            for listed in self.page_of_schools(page, page_size).await? {
                let missing = |field| Error::unexpected(SCHOOLS, AnswerProblem::Missing(field));
                schools.push(School {
                    dcid: SchoolDcid::new(listed.id.ok_or_else(|| missing("id"))?),
                    number: SchoolNumber::new(listed.school_number.ok_or_else(|| missing("school_number"))?),
                    name: listed.name.unwrap_or_default(),
                    abbreviation: String::new(),
                });
            }
        }
        schools.retain(|school| school.number != SchoolNumber::GRADUATED);
        schools.sort_by_key(|school| school.number);
        Ok(schools)
    }

    async fn page_of_schools(&self, page: u64, size: u64) -> Result<Vec<ListedSchool>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default, deserialize_with = "json::container")]
            schools: List,
        }
        #[derive(Default, Deserialize)]
        struct List {
            #[serde(default, deserialize_with = "json::list")]
            school: Vec<ListedSchool>,
        }

        let call = Call::get(SCHOOLS).with("page", page).with("pagesize", size);
        Ok(self.transport.ask::<Answer>(&call).await?.schools.school)
    }

    /// Reads one table in the order of its unique key, in batches of up to 250 rows. Rows counted before and after
    /// must agree with the distinct ones read; otherwise it is [`Error::ChangedWhileReading`], and what `sink` got
    /// is not to be used. A server that does not give all rows in one answer is asked for pages, and without our
    /// queries the table itself is read; [`Batch::StartOver`] then takes back what was handed over.
    pub async fn pull<R: RosterRow>(
        &self,
        scope: &PullScope,
        sink: mpsc::Sender<Batch<R>>,
    ) -> Result<Pulled, Error> {
        self.pull_of::<R>(Narrowed::Years(scope)).run(&sink).await
    }

    /// Reads the rows of a table that changed since an earlier pull of the same scope, in batches. Rows deleted since
    /// don't show: the number of rows, with the changes made, has to agree with [`Client::count`], and a whole pull
    /// has to follow some time.
    ///
    /// `None` when it is not certain that these are all changes: what `sink` got is then not to be used, and the table
    /// is to be pulled as a whole.
    pub async fn pull_changes<R: RosterRow>(
        &self,
        scope: &PullScope,
        since: DataVersion,
        sink: mpsc::Sender<Batch<R>>,
    ) -> Result<Option<Pulled>, Error> {
        self.pull_of::<R>(Narrowed::Years(scope)).run_changes(since, &sink).await
    }

    /// Whether the one answer with all rows of a table is, byte for byte, the one of an earlier pull of the same scope,
    /// and PowerSchool counts as many `rows` as that pull brought: then they are the same. False, too, where the server
    /// does not give all rows in one answer.
    pub async fn repeats<R: RosterRow>(
        &self,
        scope: &PullScope,
        known: &Fingerprint,
        rows: u64,
    ) -> Result<bool, Error> {
        self.pull_of::<R>(Narrowed::Years(scope)).run_repeated(known, rows).await
    }

    /// How many rows of a table our query has now.
    pub async fn count<R: RosterRow>(&self, scope: &PullScope) -> Result<u64, Error> {
        self.pull_of::<R>(Narrowed::Years(scope)).count().await
    }

    /// The attendance PowerSchool holds for one school on one day, of all modes and programs. Teachers record
    /// attendance all morning: a day that comes whole in one answer is taken as it is, one that changes while it is
    /// read page by page is read again, twice at most.
    pub async fn attendance_on(
        &self,
        school: SchoolNumber,
        date: NaiveDate,
    ) -> Result<Vec<AttendanceRecord>, Error> {
        let day = Narrowed::SchoolDay(school, date);
        for _ in 0..2 {
            match self.collect(&day).await {
                Err(Error::ChangedWhileReading { .. }) => {}
                other => return other,
            }
        }
        self.collect(&day).await
    }

    /// How the schools take attendance, by their preferences. Not every plugin may read them.
    pub async fn school_preferences(&self) -> Result<Vec<SchoolPreference>, Error> {
        self.collect(&Narrowed::Years(&PullScope::every_year())).await
    }

    /// Writes attendance; the answers come in the order of `writes`, one for each. Nothing is ever sent twice.
    ///
    /// Records of one student and day are sent in their order. After a 400 to several records at once, which says
    /// nothing about the single ones, those are [`WriteAnswer::Unclear`] and this client sends singly from then on.
    pub async fn write_attendance(&self, writes: &[AttendanceWrite]) -> Vec<WriteAnswer> {
        attendance::write(&self.transport, &self.writing, writes).await
    }

    /// The name of one school: the sample of a connection test.
    pub(crate) async fn first_school(&self) -> Result<Option<String>, Error> {
        match self.page_of_schools(1, 1).await {
            Err(
                Error::NoAccess { .. } | Error::UnexpectedAnswer { problem: AnswerProblem::Refused(_), .. },
            ) => Ok(self.schools().await?.into_iter().next().map(|school| school.name)),
            listed => Ok(listed?.into_iter().next().map(|school| school.name.unwrap_or_default())),
        }
    }

    fn pull_of<'a, R: RosterRow>(&'a self, narrowed: Narrowed<'a>) -> Pull<'a, R> {
        Pull::new(self, &self.transport, narrowed)
    }

    /// All rows of a table that is small once narrowed.
    async fn collect<R: RosterRow>(&self, narrowed: &Narrowed<'_>) -> Result<Vec<R>, Error> {
        let (sink, mut batches) = mpsc::channel(4);
        let pull = self.pull_of::<R>(narrowed.clone());
        let reading = async move { pull.run(&sink).await };
        let gathering = async {
            let mut rows = Vec::new();
            while let Some(batch) = batches.recv().await {
                match batch {
                    Batch::Rows(batch) => rows.extend(batch),
                    Batch::StartOver => rows.clear(),
                }
            }
            rows
        };
        let (pulled, rows) = tokio::join!(reading, gathering);
        pulled.map(|_| rows)
    }

    /// Asks what every PowerSchool answers, so that a 404 means another kind of server.
    async fn not_found_is_no_powerschool<A: serde::de::DeserializeOwned>(
        &self,
        call: &Call,
    ) -> Result<A, Error> {
        self.transport.ask(call).await.map_err(|error| self.no_powerschool(error))
    }

    fn no_powerschool(&self, error: Error) -> Error {
        match error {
            Error::UnexpectedAnswer { problem: AnswerProblem::Status(404), .. } => {
                Error::NotPowerSchool { host: self.transport.connection().url.host().to_owned() }
            }
            other => other,
        }
    }
}

const METADATA: &str = "/ws/v1/metadata";
const SCHOOLS: &str = "/ws/v1/district/school";

/// A school of `/ws/v1`.
#[derive(Deserialize)]
struct ListedSchool {
    #[serde(default, deserialize_with = "json::number")]
    id: Option<i64>,
    #[serde(default, deserialize_with = "json::number")]
    school_number: Option<i64>,
    #[serde(default, deserialize_with = "json::text")]
    name: Option<String>,
}

/// The server's clock.
pub(crate) struct Clock {
    /// As it shows in the server's own zone.
    pub(crate) shown: NaiveDateTime,
    /// The same moment in UTC, where the answer tells it: by its `Date` header (always UTC, RFC 9110) or by a time
    /// with an offset.
    pub(crate) exact: Option<DateTime<Utc>>,
}

/// Finds a date and time in the answer of `/ws/v1/time`, whose exact shape is not documented: one text with both, or
/// two texts. With the moment it is, if it comes with an offset.
fn time_in(answer: &Value) -> Option<(NaiveDateTime, Option<DateTime<FixedOffset>>)> {
    fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::String(text) => found.push(text.trim()),
            Value::Object(members) => members.values().for_each(|member| texts(member, found)),
            Value::Array(elements) => elements.iter().for_each(|element| texts(element, found)),
            _ => {}
        }
    }

    let mut found = Vec::new();
    texts(answer, &mut found);
    let whole = |text: &&str| {
        let with_offset = DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"));
        if let Ok(time) = with_offset {
            return Some((time.naive_local(), Some(time)));
        }
        NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
            .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))
            .ok()
            .map(|time| (time, None))
    };
    found.iter().find_map(whole).or_else(|| {
        let date = found.iter().find_map(|text| text.parse::<NaiveDate>().ok())?;
        let time = found.iter().find_map(|text| text.parse::<chrono::NaiveTime>().ok())?;
        Some((date.and_time(time), None))
    })
}
