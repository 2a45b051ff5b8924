//! The staged connection test: where exactly a connection to PowerSchool fails, and what to do about it.

mod needs;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use rosterbridge_domain::job::Job;
use rustls::pki_types::ServerName;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

pub use self::needs::{FieldGrant, QueryFact};
use crate::{
    client::{Client, Metadata, Version},
    error::{CertificateProblem, Error, Warning},
    transport::{Certificate, Connection, legacy, tls_error, tls_problem},
};

/// A certificate that ends sooner is pointed out.
const CERTIFICATE_NOTICE: TimeDelta = TimeDelta::days(30);

/// Clocks that differ by more are pointed out.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// The stages, in the order they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StageName {
    /// Address and credentials have the right form.
    Input,
    /// The keychain keeps the secret.
    Keychain,
    /// The server's name has an address.
    Dns,
    /// The server, or the proxy in between, can be reached.
    Tcp,
    /// Its certificate is trusted.
    Tls,
    /// It answers as PowerSchool, and its clock is right.
    Time,
    /// Its version is 9.0 or higher.
    Metadata,
    /// It accepts the credentials.
    Token,
    /// It knows the plugin they belong to.
    Plugin,
    /// The plugin may read and write every field that is needed.
    Access,
    /// The plugin has our queries.
    Queries,
    /// Data can be read.
    Sample,
}

impl StageName {
    /// The name a person reads.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Input => "Input",
            Self::Keychain => "Keychain",
            Self::Dns => "Name",
            Self::Tcp => "Connection",
            Self::Tls => "Certificate",
            Self::Time => "Server clock",
            Self::Metadata => "Version",
            Self::Token => "Credentials",
            Self::Plugin => "Plugin",
            Self::Access => "Access",
            Self::Queries => "Queries",
            Self::Sample => "Sample read",
        }
    }

    /// Every stage, in order.
    pub const ALL: [Self; 12] = [
        Self::Input,
        Self::Keychain,
        Self::Dns,
        Self::Tcp,
        Self::Tls,
        Self::Time,
        Self::Metadata,
        Self::Token,
        Self::Plugin,
        Self::Access,
        Self::Queries,
        Self::Sample,
    ];

    /// The stages that need the network: what [`test_connection`] runs.
    pub const NETWORK: [Self; 10] = {
        let [_, _, network @ ..] = Self::ALL;
        network
    };
}

/// How a stage ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// Good enough to go on, but somebody should look at it.
    Warned {
        /// The stable code, `powerschool.…`.
        code: &'static str,
        /// What was found.
        message: String,
        /// What the person can do.
        remedy: String,
    },
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

impl From<&Error> for Outcome {
    fn from(error: &Error) -> Self {
        Self::Failed { code: error.code(), message: error.to_string(), remedy: error.remedy().to_owned() }
    }
}

impl From<&Warning> for Outcome {
    fn from(warning: &Warning) -> Self {
        Self::Warned {
            code: warning.code(),
            message: warning.to_string(),
            remedy: warning.remedy().to_owned(),
        }
    }
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

/// What to test.
#[derive(Clone, Debug)]
pub struct TestPlan {
    /// Where PowerSchool is and as whom we call it.
    pub connection: Connection,
    /// The exchanges whose fields and queries are needed.
    pub jobs: Vec<Job>,
    /// Whether to compare the server's clock with this computer's. The practice district lives on a day of its own.
    pub check_clock: bool,
    /// The last sign-in that worked.
    pub known: Option<KnownPlugin>,
}

/// The last successful sign-in of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPlugin {
    /// The Client ID it was made with.
    pub client_id: String,
    /// The plugin's id then (PowerSchool: `plugin_id` of `/ws/v1/metadata`).
    pub plugin_id: i64,
    /// When that was.
    pub last_worked: DateTime<Utc>,
}

/// What a test says while it runs.
#[derive(Clone, Copy, Debug)]
pub enum StageEvent<'a> {
    /// A stage runs now. Stages that are skipped don't begin.
    Began(StageName),
    /// A stage has ended, or was skipped.
    Ended(&'a Stage),
}

/// What a server says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its address, normalised.
    pub url: String,
    /// Its version.
    pub version: Option<Version>,
    /// The district's time zone.
    pub time_zone: Option<Tz>,
    /// The plugin's id; it changes when the plugin is deleted and installed anew.
    pub plugin_id: Option<i64>,
    /// The most rows of a table a page may have for this plugin.
    pub table_page_size: Option<u32>,
    /// How far the server's clock is ahead of this computer's, in seconds; negative when it is behind. None when
    /// they were not compared.
    pub clock_ahead_seconds: Option<i64>,
}

/// A whole test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Every stage, in order.
    pub stages: Vec<Stage>,
    /// What the server says about itself, once it answered as PowerSchool.
    pub server: Option<ServerFacts>,
    /// The certificates it presented, its own first, whether they are trusted or not.
    pub certificates: Vec<Certificate>,
    /// Every field the exchanges need, and what the plugin may do with it.
    pub access: Vec<FieldGrant>,
    /// Every query the exchanges use, and whether the plugin has it.
    pub queries: Vec<QueryFact>,
}

impl Findings {
    /// Whether no stage failed. Warnings don't count.
    pub fn passed(&self) -> bool {
        self.failure().is_none()
    }

    /// The stage that failed, if one did.
    pub fn failure(&self) -> Option<&Stage> {
        self.stages.iter().find(|stage| matches!(stage.outcome, Outcome::Failed { .. }))
    }
}

/// Tests a connection stage by stage; the stages behind a failed one are skipped. Nothing is repeated, so that a
/// server that fails now and then shows. Dropping the future ends the test and its connections.
pub async fn test_connection(plan: TestPlan, mut on_event: impl FnMut(StageEvent<'_>)) -> Findings {
    let mut run = Run {
        client: Client::for_test(plan.connection.clone()),
        plan: &plan,
        addresses: Vec::new(),
        stream: None,
        facts: ServerFacts { url: plan.connection.url.to_string(), ..ServerFacts::default() },
        findings: Findings::default(),
    };
    let mut failed = false;
    for name in StageName::NETWORK {
        let began = Instant::now();
        let (outcome, detail) = if failed {
            (Outcome::Skipped, String::new())
        } else {
            on_event(StageEvent::Began(name));
            match run.stage(name).await {
                Ok(Verdict { outcome, detail }) => (outcome, detail),
                Err(error) => (Outcome::from(&error), String::new()),
            }
        };
        failed |= matches!(outcome, Outcome::Failed { .. });
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let stage = Stage { name, outcome, detail, millis };
        on_event(StageEvent::Ended(&stage));
        run.findings.stages.push(stage);
    }
    run.findings
}

/// Whether the server can be reached and answers as PowerSchool: name, connection, certificate and one answer that
/// needs no credentials (PowerSchool: `/ws/v1/time`).
pub async fn reach(connection: &Connection) -> Result<(), Error> {
    Client::for_test(connection.clone())?.clock().await.map(|_| ())
}

/// The certificates a server presents, its own first, even when they are not trusted: for a person to look at. Nothing
/// is sent over that connection.
pub async fn presented_certificates(connection: &Connection) -> Result<Vec<Certificate>, Error> {
    let client = Client::for_test(connection.clone())?;
    let route = client.transport().route();
    let stream = route.connect(&route.resolve().await?).await?;
    let shaken = shake_hands(&client, stream, connection.timeouts.connect).await;
    let presented = client.transport().tls().presented();
    if presented.is_empty() {
        shaken?;
    }
    Ok(presented)
}

/// Whether the server's certificate holds: connects and agrees on an encryption. Nothing is sent over that connection.
pub async fn trusts(connection: &Connection) -> Result<(), Error> {
    let client = Client::for_test(connection.clone())?;
    let route = client.transport().route();
    let stream = route.connect(&route.resolve().await?).await?;
    shake_hands(&client, stream, connection.timeouts.connect).await.map(|_| ())
}

/// What a stage came to.
struct Verdict {
    outcome: Outcome,
    detail: String,
}

impl Verdict {
    /// Good enough to go on; somebody should look at what is warned of, if anything.
    fn good(warning: Option<&Warning>, detail: String) -> Self {
        Self { outcome: warning.map_or(Outcome::Passed, Outcome::from), detail }
    }
}

impl From<String> for Verdict {
    fn from(detail: String) -> Self {
        Self { outcome: Outcome::Passed, detail }
    }
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, detail: String::new() }
    }
}

/// What the stages hand on to one another.
struct Run<'a> {
    plan: &'a TestPlan,
    client: Result<Client, Error>,
    addresses: Vec<SocketAddr>,
    stream: Option<TcpStream>,
    facts: ServerFacts,
    findings: Findings,
}

impl Run<'_> {
    async fn stage(&mut self, name: StageName) -> Result<Verdict, Error> {
        // What cannot be set up on this computer shows in the first stage.
        let client = self.client.clone()?;
        match name {
            // The caller's: neither needs the network.
            StageName::Input | StageName::Keychain => Ok(Outcome::Passed.into()),
            StageName::Dns => self.dns(&client).await,
            StageName::Tcp => self.tcp(&client).await,
            StageName::Tls => self.tls(&client).await,
            StageName::Time => self.time(&client).await,
            StageName::Metadata => self.metadata(&client).await,
            StageName::Token => self.token(&client).await,
            StageName::Plugin => self.plugin(&client).await,
            StageName::Access => {
                let Findings { access, queries, .. } = &mut self.findings;
                *access = needs::grants(&client, &self.plan.jobs).await?;
                // Without access it matters whether the plugin is ours.
                if !access.iter().all(FieldGrant::is_enough) {
                    *queries = needs::queries(&client, &self.plan.jobs).await?;
                }
                Ok(needs::judge_grants(&self.plan.jobs, access, queries))
            }
            StageName::Queries => {
                if self.findings.queries.is_empty() {
                    self.findings.queries = needs::queries(&client, &self.plan.jobs).await?;
                }
                Ok(needs::judge_queries(&self.findings.queries))
            }
            StageName::Sample => match client.first_school().await? {
                Some(school) => Ok(Verdict::from(format!("Read the school '{school}'."))),
                None => Ok(Verdict::from("The district has no schools yet.".to_owned())),
            },
        }
    }

    async fn dns(&mut self, client: &Client) -> Result<Verdict, Error> {
        let route = client.transport().route();
        self.addresses = route.resolve().await?;
        let mut addresses: Vec<String> =
            self.addresses.iter().map(|address| address.ip().to_string()).collect();
        addresses.dedup();
        let host = match &route.proxy {
            Some(proxy) => format!("The proxy {}", proxy.host),
            None => self.plan.connection.url.host().to_owned(),
        };
        Ok(format!("{host} has the address {}.", addresses.join(", ")).into())
    }

    async fn tcp(&mut self, client: &Client) -> Result<Verdict, Error> {
        let route = client.transport().route();
        let stream = route.connect(&self.addresses).await?;
        let peer = stream.peer_addr().map(|peer| peer.to_string()).unwrap_or_default();
        self.stream = Some(stream);
        let url = &self.plan.connection.url;
        Ok(match &route.proxy {
            Some(_) if url.is_encrypted() => {
                format!("The proxy at {peer} opened a connection to {}:{}.", url.host(), url.port())
            }
            Some(_) => format!("Connected to the proxy at {peer}."),
            None => format!("Connected to {peer}."),
        }
        .into())
    }

    async fn tls(&mut self, client: &Client) -> Result<Verdict, Error> {
        /// For a server that waits for a request which never comes.
        const LONGEST_GUESS: Duration = Duration::from_secs(2);

        let stream = self.stream.take().ok_or(Error::Stopped)?;
        let url = &self.plan.connection.url;
        let patience = self.plan.connection.timeouts.connect;
        let patience = if url.is_encrypted() { patience } else { patience.min(LONGEST_GUESS) };
        let shaken = shake_hands(client, stream, patience).await;
        self.findings.certificates = client.transport().tls().presented();
        if !url.is_encrypted() {
            // Only this computer is asked without encryption; a server with a certificate expects https there.
            return if self.findings.certificates.is_empty() {
                Ok("Not encrypted, which is accepted for this computer itself.".to_owned().into())
            } else {
                Err(Error::WrongScheme { host: url.host().to_owned(), port: url.port(), encrypted: true })
            };
        }
        let stream = match shaken {
            Ok(stream) => stream,
            Err(error) => return Err(self.why_no_handshake(client, patience, error).await),
        };
        let version = match stream.get_ref().1.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS 1.3",
        };
        let Some(own) = self.findings.certificates.first() else { return Ok(version.to_owned().into()) };
        let warning = (own.not_after - Utc::now() < CERTIFICATE_NOTICE)
            .then_some(Warning::CertificateExpiring { not_after: own.not_after });
        let detail =
            format!("{version}. Issued by {}, valid until {}.", own.issuer, own.not_after.format("%Y-%m-%d"));
        Ok(Verdict::good(warning.as_ref(), detail))
    }

    /// A server that broke off the handshake, or refused it without a clear reason, is asked what it would agree to.
    async fn why_no_handshake(&self, client: &Client, patience: Duration, error: Error) -> Error {
        if !matches!(error, Error::Unreachable { .. } | Error::RsaKeyExchange { .. }) {
            return error;
        }
        let host = self.plan.connection.url.host();
        let asking = async {
            let mut stream = client.transport().route().connect(&self.addresses).await.ok()?;
            legacy::agreed(&mut stream, host).await
        };
        match tokio::time::timeout(patience, asking).await.ok().flatten() {
            Some(legacy::Outdated::Version) => Error::OldTls { host: host.to_owned() },
            Some(legacy::Outdated::Suites) => Error::RsaKeyExchange { host: host.to_owned() },
            None => error,
        }
    }

    async fn time(&mut self, client: &Client) -> Result<Verdict, Error> {
        let asked = Utc::now();
        let clock = client.clock().await?;
        let answered = Utc::now();
        self.findings.server = Some(self.facts.clone());
        let detail = format!("The server's clock says {}.", clock.shown.format("%Y-%m-%d %H:%M:%S"));
        if !self.plan.check_clock {
            return Ok(detail.into());
        }
        // A time without an offset is the district's; its zone is known only to metadata. A server that does not
        // tell it fails the next stage, not this one.
        let exact = match clock.exact {
            Some(exact) => Some(exact),
            None => client.metadata().await.ok().and_then(|metadata| {
                let zone = metadata.district_timezone?;
                clock.shown.and_local_timezone(zone).earliest().map(|time| time.to_utc())
            }),
        };
        let Some(exact) = exact else {
            return Ok(format!("{detail} It cannot be compared with this computer's.").into());
        };
        let ahead = exact - (asked + (answered - asked) / 2);
        self.facts.clock_ahead_seconds = Some(ahead.num_seconds());
        self.findings.server = Some(self.facts.clone());
        let warning = (ahead.abs() > CLOCK_TOLERANCE)
            .then(|| Warning::ClockSkew { ahead_seconds: ahead.num_seconds() });
        Ok(Verdict::good(warning.as_ref(), detail))
    }

    async fn metadata(&mut self, client: &Client) -> Result<Verdict, Error> {
        let Metadata { version, district_timezone, .. } = client.metadata().await?;
        self.facts.version.clone_from(&version);
        self.facts.time_zone = district_timezone;
        self.findings.server = Some(self.facts.clone());
        match version {
            Some(version) if version.at_least(Version::OLDEST) => {
                let zone = district_timezone.map(|zone| format!(", time zone {zone}")).unwrap_or_default();
                Ok(format!("PowerSchool {version}{zone}.").into())
            }
            version => Err(Error::TooOld { version }),
        }
    }

    async fn token(&mut self, client: &Client) -> Result<Verdict, Error> {
        let current = self.plan.connection.client_id.to_string();
        match (client.authenticate().await, &self.plan.known) {
            (Ok(()), _) => Ok("The server issued a token.".to_owned().into()),
            (Err(Error::BadCredentials), _) if client.accepts_swapped().await => {
                Err(Error::CredentialsSwapped)
            }
            (Err(Error::BadCredentials), Some(known)) if known.client_id.eq_ignore_ascii_case(&current) => {
                Err(Error::CredentialsReplaced { last_worked: known.last_worked })
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn plugin(&mut self, client: &Client) -> Result<Verdict, Error> {
        let metadata = client.plugin_metadata().await?;
        self.facts.plugin_id = metadata.plugin_id;
        self.facts.table_page_size = Some(metadata.page_limits.table_rows);
        self.findings.server = Some(self.facts.clone());
        let pages = format!("Pages of up to {} rows.", metadata.page_limits.table_rows);
        let detail = match (metadata.plugin_id, &self.plan.known) {
            (Some(id), Some(known)) if id != known.plugin_id => {
                format!(
                    "The plugin was installed anew: it is number {id} now, it was {}. {pages}",
                    known.plugin_id
                )
            }
            (Some(id), _) => format!("Plugin number {id}. {pages}"),
            (None, _) => pages,
        };
        Ok(detail.into())
    }
}

/// The TLS handshake alone: what the server presents is kept by the verifier, and nothing is sent.
async fn shake_hands(
    client: &Client,
    stream: TcpStream,
    patience: Duration,
) -> Result<TlsStream<TcpStream>, Error> {
    let transport = client.transport();
    let url = &transport.connection().url;
    let host = || url.host().to_owned();
    let name = ServerName::try_from(url.host().trim_matches(['[', ']']).to_owned())
        .map_err(|_| Error::Certificate { host: host(), problem: CertificateProblem::WrongName })?;
    let connector = TlsConnector::from(transport.tls().config.clone());
    match tokio::time::timeout(patience, connector.connect(name, stream)).await {
        Err(_) => Err(Error::Timeout { host: host(), after: patience }),
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(match tls_error(&error) {
            Some(problem) => tls_problem(problem, url),
            None => Error::Unreachable { host: host() },
        }),
    }
}
