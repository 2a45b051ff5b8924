//! The staged connection test: where exactly a connection to PowerSchool fails, and what to do about it.

use std::time::Instant;

use chrono::NaiveDateTime;
use rosterbridge_domain::settings::PowerSchoolSettings;
use secrecy::SecretString;
use serde::Serialize;
use tokio::net::TcpStream;

use crate::{
    address::{ClientId, ServerUrl},
    client::{Client, Version},
    error::Error,
    tables,
    transport::{Connection, Timeouts},
};

/// The stages, in the order they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StageName {
    /// Address and Client ID have the right form.
    Input,
    /// The server can be reached.
    Tcp,
    /// Its certificate is trusted.
    Tls,
    /// It answers as PowerSchool.
    Time,
    /// Its version is 9.0 or higher.
    Metadata,
    /// It accepts the credentials.
    Token,
    /// The plugin has our queries.
    Queries,
    /// Data can be read through them.
    Sample,
}

impl StageName {
    /// The name a person reads.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Input => "Input",
            Self::Tcp => "Connection",
            Self::Tls => "Certificate",
            Self::Time => "Server clock",
            Self::Metadata => "Version",
            Self::Token => "Credentials",
            Self::Queries => "Plugin",
            Self::Sample => "Sample read",
        }
    }

    /// Every stage, in order.
    pub const ALL: [Self; 8] = [
        Self::Input,
        Self::Tcp,
        Self::Tls,
        Self::Time,
        Self::Metadata,
        Self::Token,
        Self::Queries,
        Self::Sample,
    ];
}

/// How a stage ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// Not as it should be.
    Failed {
        /// The stable code, `powerschool.…`.
        code: &'static str,
        /// What happened.
        message: String,
        /// What the person can do.
        remedy: String,
    },
    /// Not tried, because an earlier stage failed.
    Skipped,
}

/// One stage of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// Which one.
    pub name: StageName,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What was found, for people; empty when there is nothing to say.
    pub detail: String,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// A whole test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TestReport {
    /// Every stage, in order.
    pub stages: Vec<Stage>,
}

impl TestReport {
    /// Whether every stage passed.
    pub fn passed(&self) -> bool {
        self.stages.iter().all(|stage| stage.outcome == Outcome::Passed)
    }

    /// The stage that failed, if one did.
    pub fn failure(&self) -> Option<&Stage> {
        self.stages.iter().find(|stage| matches!(stage.outcome, Outcome::Failed { .. }))
    }
}

/// Tests a connection stage by stage with what a person has entered. `on_stage` hears of each stage as it ends; the
/// stages behind a failed one are skipped.
pub async fn test_connection(
    settings: &PowerSchoolSettings,
    client_secret: &SecretString,
    timeouts: Timeouts,
    mut on_stage: impl FnMut(&Stage),
) -> TestReport {
    let mut run =
        Run { settings, client_secret, timeouts, connection: None, client: None, first_answer: None };
    let mut report = TestReport::default();
    let mut failed = false;
    for name in StageName::ALL {
        let began = Instant::now();
        let (outcome, detail) = if failed {
            (Outcome::Skipped, String::new())
        } else {
            match run.stage(name).await {
                Ok(detail) => (Outcome::Passed, detail),
                Err(error) => {
                    failed = true;
                    let remedy = error.remedy().to_owned();
                    (
                        Outcome::Failed { code: error.code(), message: error.to_string(), remedy },
                        String::new(),
                    )
                }
            }
        };
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let stage = Stage { name, outcome, detail, millis };
        on_stage(&stage);
        report.stages.push(stage);
    }
    report
}

/// What the stages hand on to one another.
struct Run<'a> {
    settings: &'a PowerSchoolSettings,
    client_secret: &'a SecretString,
    timeouts: Timeouts,
    connection: Option<Connection>,
    client: Option<Client>,
    first_answer: Option<Result<NaiveDateTime, Error>>,
}

impl Run<'_> {
    async fn stage(&mut self, name: StageName) -> Result<String, Error> {
        match name {
            StageName::Input => {
                let connection =
                    Connection::from_settings(self.settings, self.client_secret.clone(), self.timeouts)?;
                let detail = connection.url.to_string();
                self.connection = Some(connection);
                Ok(detail)
            }
            StageName::Tcp => {
                let connection = self.connection.as_ref().ok_or(Error::Stopped)?;
                reach(&connection.url, self.timeouts).await
            }
            StageName::Tls => {
                // The first answer to a request that needs no token tells about the certificate too.
                let client = Client::new(self.connection.take().ok_or(Error::Stopped)?)?;
                let time = client.time().await;
                let time = match time {
                    Err(
                        error @ (Error::UnknownAuthority { .. }
                        | Error::Certificate { .. }
                        | Error::Unreachable { .. }
                        | Error::Dns { .. }
                        | Error::Timeout { .. }),
                    ) => return Err(error),
                    other => other,
                };
                self.first_answer = Some(time);
                self.client = Some(client);
                Ok(String::new())
            }
            StageName::Time => {
                let time = self.first_answer.take().ok_or(Error::Stopped)??;
                Ok(format!("The server's clock says {}.", time.format("%Y-%m-%d %H:%M:%S")))
            }
            StageName::Metadata => {
                let metadata = self.client()?.metadata().await?;
                match metadata.version {
                    Some(version) if version.at_least(Version::OLDEST) => {
                        Ok(format!("PowerSchool {version}"))
                    }
                    version => Err(Error::TooOld { version }),
                }
            }
            StageName::Token => self.client()?.authenticate().await.map(|()| String::new()),
            StageName::Queries => {
                if self.client()?.queries_available().await? {
                    Ok(String::new())
                } else {
                    Err(Error::NoQueries { query: tables::SCHOOLS.query.to_owned() })
                }
            }
            StageName::Sample => {
                let students = self.client()?.student_count().await?;
                Ok(format!("{students} students can be read."))
            }
        }
    }

    fn client(&self) -> Result<&Client, Error> {
        self.client.as_ref().ok_or(Error::Stopped)
    }
}

/// Opens and closes a connection, to tell a wrong name from a closed port.
async fn reach(url: &ServerUrl, timeouts: Timeouts) -> Result<String, Error> {
    let host = || url.host().to_owned();
    let address = (url.host().trim_matches(['[', ']']), url.port());
    let connecting = async {
        let found: Vec<_> =
            tokio::net::lookup_host(address).await.map_err(|_| Error::Dns { host: host() })?.collect();
        TcpStream::connect(found.as_slice()).await.map_err(|_| Error::Unreachable { host: host() })
    };
    match tokio::time::timeout(timeouts.connect, connecting).await {
        Err(_) => Err(Error::Timeout { host: host(), after: timeouts.connect }),
        Ok(stream) => Ok(stream?.peer_addr().map(|peer| peer.to_string()).unwrap_or_default()),
    }
}

impl Connection {
    /// The connection a profile's settings describe, with the secret from the keychain. `timeouts` are the caller's:
    /// `answer_seconds` of the settings is what it derives them from.
    pub fn from_settings(
        settings: &PowerSchoolSettings,
        client_secret: SecretString,
        timeouts: Timeouts,
    ) -> Result<Self, Error> {
        Ok(Self {
            url: ServerUrl::parse(&settings.url)?,
            client_id: ClientId::parse(&settings.client_id)?,
            client_secret,
            extra_roots: settings.extra_roots.clone(),
            timeouts,
        })
    }
}
