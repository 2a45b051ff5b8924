use std::{error::Error as StdError, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use crate::{
    address::{CredentialProblem, UrlProblem},
    client::Version,
    records::FieldError,
};

/// Why PowerSchool could not be asked, or what it answered instead.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The address is not one.
    #[error("The PowerSchool address is not usable: {0}.")]
    BadUrl(UrlProblem),
    /// The address begins with `http://`.
    #[error("The PowerSchool address begins with http://, which would send the Client Secret unprotected.")]
    HttpRefused,
    /// The Client ID is not a UUID.
    #[error("The Client ID is not valid: {0}.")]
    BadClientId(CredentialProblem),
    /// The Client Secret is not a UUID.
    #[error("The Client Secret is not valid: {0}.")]
    BadClientSecret(CredentialProblem),
    /// The proxy's address is not one.
    #[error("The proxy's address is not usable: {0}.")]
    BadProxy(ProxyProblem),
    /// A certificate to be trusted besides the system's is not PEM text.
    #[error("The additional certificate number {number} cannot be read.")]
    BadExtraRoot {
        /// Its place in the list, from 1.
        number: usize,
    },
    /// The operating system's list of certificate authorities, or its TLS set-up, cannot be used.
    #[error("No secure connection can be set up on this computer.")]
    TlsUnavailable(#[source] Arc<dyn StdError + Send + Sync>),
    /// PowerSchool does not accept the credentials.
    #[error("PowerSchool does not accept the Client ID and Client Secret.")]
    BadCredentials,
    /// Credentials that used to work are no longer accepted.
    #[error(
        "PowerSchool no longer accepts this Client ID and Client Secret. They last worked on {}.",
        last_worked.format("%Y-%m-%d at %H:%M UTC")
    )]
    CredentialsReplaced {
        /// When they were last accepted.
        last_worked: DateTime<Utc>,
    },
    /// The server accepts the credentials the other way round.
    #[error("Client ID and Client Secret are swapped: PowerSchool accepts each in the other's place.")]
    CredentialsSwapped,
    /// The host's name has no address.
    #[error("The name {host} cannot be found on the network.")]
    Dns {
        /// The host asked for.
        host: String,
    },
    /// No connection, or one that broke.
    #[error("{host} cannot be reached, or the connection broke.")]
    Unreachable {
        /// The host asked for.
        host: String,
    },
    /// The connection broke in the middle of an answer.
    #[error("The connection to {host} broke in the middle of an answer.")]
    Interrupted {
        /// The host asked for.
        host: String,
    },
    /// No answer in time.
    #[error("{host} did not answer within {} seconds.", after.as_secs())]
    Timeout {
        /// The host asked for.
        host: String,
        /// How long we waited.
        after: Duration,
    },
    /// The server's certificate leads to no authority this computer trusts.
    #[error("The certificate of {host} was issued by an authority this computer does not know.")]
    UnknownAuthority {
        /// The host asked for.
        host: String,
    },
    /// The server's certificate is for another name, has expired, or is otherwise wrong.
    #[error("The certificate of {host} is not valid: {problem}.")]
    Certificate {
        /// The host asked for.
        host: String,
        /// What is wrong with it.
        problem: CertificateProblem,
    },
    /// The server speaks no version of TLS that is safe to use.
    #[error("{host} only offers TLS 1.0 or 1.1, which are no longer safe.")]
    OldTls {
        /// The host asked for.
        host: String,
    },
    /// The server and this computer have no safe way of exchanging keys in common.
    #[error("{host} refused to agree on an encryption, most likely because it only offers RSA key exchange.")]
    RsaKeyExchange {
        /// The host asked for.
        host: String,
    },
    /// `https` to a port without TLS, or `http` to one with it.
    #[error(
        "Port {port} of {host} {}.",
        if *encrypted { "expects https://, not http://" } else { "answers without encryption, so https:// cannot be used with it" }
    )]
    WrongScheme {
        /// The host asked for.
        host: String,
        /// The port asked for.
        port: u16,
        /// Whether the server speaks TLS there.
        encrypted: bool,
    },
    /// The proxy itself cannot be reached.
    #[error("The proxy {proxy} cannot be reached.")]
    ProxyUnreachable {
        /// Host and port of the proxy.
        proxy: String,
    },
    /// The proxy took the request to connect to the server and never answered it.
    #[error("The proxy {proxy} did not answer within {} seconds.", after.as_secs())]
    ProxyTimeout {
        /// Host and port of the proxy.
        proxy: String,
        /// How long we waited.
        after: Duration,
    },
    /// The proxy wants a user name and password, or does not accept those it got.
    #[error("The proxy {proxy} does not accept the user name and password.")]
    ProxyCredentials {
        /// Host and port of the proxy.
        proxy: String,
    },
    /// The proxy accepts a Windows sign-in only.
    #[error("The proxy {proxy} only accepts {schemes}, which RosterBridge does not offer.")]
    ProxyNtlm {
        /// Host and port of the proxy.
        proxy: String,
        /// The ways of signing in it named, e.g. `Negotiate, NTLM`.
        schemes: String,
    },
    /// The proxy opened no connection to the server.
    #[error("The proxy {proxy} opened no connection to {host}{}.", status.map(|status| format!(" (HTTP {status})")).unwrap_or_default())]
    ProxyRefused {
        /// Host and port of the proxy.
        proxy: String,
        /// The host asked for.
        host: String,
        /// Its answer, if it was one.
        status: Option<u16>,
    },
    /// No direct connection, and this computer finds its proxy by a script that is not run here.
    #[error("{host} cannot be reached directly, and this computer chooses its proxy by the script {script}.")]
    ProxyPac {
        /// The host asked for.
        host: String,
        /// Where the script is.
        script: String,
    },
    /// A redirect, or a page for people, where the API was asked.
    #[error("PowerSchool is down for maintenance.")]
    Maintenance,
    /// The server does not have PowerSchool's API.
    #[error("{host} answers, but not as PowerSchool.")]
    NotPowerSchool {
        /// The host asked for.
        host: String,
    },
    /// A 403 that does not come from PowerSchool's API.
    #[error("The server refused the request before PowerSchool saw it (HTTP 403).")]
    Forbidden,
    /// The server's version has no API for this.
    #[error("This PowerSchool is too old{}: 'PowerSchool v.9.0 or higher REQUIRED'.", version.as_ref().map(|v| format!(" (version {v})")).unwrap_or_default())]
    TooOld {
        /// The version, if the server told it (it does since 9.0).
        version: Option<Version>,
    },
    /// The plugin may not read or write fields it needs.
    #[error("The PowerSchool plugin has no access to {}.", by_table(fields))]
    NoAccess {
        /// `table.field`, as PowerSchool names them.
        fields: Vec<String>,
    },
    /// The plugin has neither our queries nor access to the tables, and PowerSchool's core resources don't hold this.
    #[error("Without RosterBridge's own plugin, PowerSchool does not give {}.", by_table(fields))]
    CoreOnly {
        /// `table.field`, as PowerSchool names them.
        fields: Vec<String>,
    },
    /// The installed plugin has no queries, or not all of ours.
    #[error("The PowerSchool plugin does not have the query {query}.")]
    NoQueries {
        /// The missing query's name.
        query: String,
    },
    /// Rows came or went while a table was read, so what was read may lack rows or have them twice.
    #[error("{table} changed while it was read ({before} rows before, {rows} read, {after} after).")]
    ChangedWhileReading {
        /// PowerSchool's name of the table.
        table: &'static str,
        /// The count before.
        before: u64,
        /// The distinct rows read.
        rows: u64,
        /// The count afterwards.
        after: u64,
    },
    /// A value of the wrong kind in a row.
    #[error("{query}, record {record}: {source}.")]
    BadRecord {
        /// The query or table that was read.
        query: String,
        /// The record's place in the answer, from 1.
        record: u64,
        /// Which field, and what is wrong with it.
        source: FieldError,
    },
    /// An answer that is not as documented.
    #[error("PowerSchool gave an answer to {request} that cannot be understood: {problem}.")]
    UnexpectedAnswer {
        /// What was asked, e.g. `/ws/v1/metadata`.
        request: String,
        /// What is wrong with the answer.
        problem: AnswerProblem,
    },
    /// Too many requests, or a server that asks to come back later, after all repetitions.
    #[error("PowerSchool is busy (HTTP {status}).")]
    Busy {
        /// 429 or 503.
        status: u16,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// Whoever asked for the rows no longer takes them.
    #[error("Reading was stopped.")]
    Stopped,
}

/// What is wrong with a proxy's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyProblem {
    /// Nothing was entered.
    #[error("it is empty")]
    Empty,
    /// It cannot be read as an address.
    #[error("it cannot be read as an address")]
    Malformed,
    /// Another kind of proxy, such as `socks5:`.
    #[error("only proxies whose address begins with http:// can be used")]
    Scheme,
    /// A name and password before the host: they belong in their own fields.
    #[error("it contains a user name or password, which belong in their own fields")]
    Credentials,
    /// Characters that no sign-in to a proxy can carry.
    #[error("its user name or password contains line breaks, or its user name a colon")]
    SignIn,
}

/// What a connection test finds that does not stop the exchange.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// The server's clock and this computer's differ by more than five minutes.
    #[error(
        "The server's clock is {} {} this computer's.",
        spoken(*ahead_seconds),
        if *ahead_seconds > 0 { "ahead of" } else { "behind" }
    )]
    ClockSkew {
        /// How far the server's clock is ahead, in seconds.
        ahead_seconds: i64,
    },
    /// The server's certificate ends within thirty days.
    #[error("The server's certificate expires on {}.", not_after.format("%Y-%m-%d"))]
    CertificateExpiring {
        /// Its last moment.
        not_after: DateTime<Utc>,
    },
    /// The installed plugin does not have our queries: the tables are read page by page.
    #[error("The PowerSchool plugin does not have {}.", few(*missing, query))]
    NoQueries {
        /// The first that is missing.
        query: String,
        /// How many are missing.
        missing: usize,
    },
    /// The installed plugin may not read a table that the exchanges can do without.
    #[error("The PowerSchool plugin may not read {table}. Without it {loss}.")]
    PartialAccess {
        /// The table, in capitals.
        table: &'static str,
        /// What the exchanges can't do then.
        loss: &'static str,
    },
}

impl Warning {
    /// The stable code, `powerschool.…`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ClockSkew { .. } => "powerschool.clock_skew",
            Self::CertificateExpiring { .. } => "powerschool.certificate_expiring",
            Self::NoQueries { .. } => "powerschool.no_queries",
            Self::PartialAccess { .. } => "powerschool.partial_access",
        }
    }

    /// What the person can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::ClockSkew { .. } => {
                "Have this computer set its clock from the internet, and check its time zone. If it is right, tell the administrator of the PowerSchool server: attendance is filed by that clock."
            }
            Self::CertificateExpiring { .. } => {
                "Have the certificate renewed before that day: afterwards nothing connects. If you added the server's own certificate to RosterBridge, add the new one too."
            }
            Self::NoQueries { .. } => {
                "Everything works without them, only slower, as with a vendor's plugin. For the full speed install the RosterBridge plugin, over the installed one if that is ours."
            }
            Self::PartialAccess { .. } => {
                "Everything else works. To have that too, write the RosterBridge plugin again and install it over the installed one: the credentials stay."
            }
        }
    }
}

/// One query by its name, or several by their number.
fn few(missing: usize, query: &str) -> String {
    if missing == 1 {
        format!("the query {query}")
    } else {
        format!("{missing} of our queries, {query} among them")
    }
}

/// Fields named in a sentence at most; the others are counted.
const FIELDS_NAMED: usize = 12;

/// Fields (`table.field`) table by table, in the order of their first ones: `STUDENTS: dob, home_phone; CC: expression`.
fn by_table(fields: &[String]) -> String {
    let mut tables: Vec<(String, Vec<&str>)> = Vec::new();
    for field in fields.iter().take(FIELDS_NAMED) {
        let (table, column) = field.split_once('.').unwrap_or(("", field));
        let table = table.to_uppercase();
        match tables.iter_mut().find(|(named, _)| *named == table) {
            Some((_, columns)) => columns.push(column),
            None => tables.push((table, vec![column])),
        }
    }
    let text = tables
        .into_iter()
        .map(|(table, columns)| {
            let columns = columns.join(", ");
            if table.is_empty() { columns } else { format!("{table}: {columns}") }
        })
        .collect::<Vec<_>>()
        .join("; ");
    match fields.len().checked_sub(FIELDS_NAMED) {
        Some(more @ 1..) => format!("{text} and {more} more"),
        _ => text,
    }
}

/// A span of time, rounded, for people.
fn spoken(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    match seconds {
        0..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// For another name.
    #[error("it belongs to another server name")]
    WrongName,
    /// Past its last day.
    #[error("it has expired")]
    Expired,
    /// Before its first day.
    #[error("it is not valid yet")]
    NotYetValid,
    /// Withdrawn by its authority.
    #[error("it was revoked")]
    Revoked,
    /// Anything else.
    #[error("it does not meet the rules for server certificates")]
    Other,
    /// No agreement on how to talk.
    #[error("no secure connection could be agreed on")]
    Handshake,
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerProblem {
    /// A status that is not documented for the request.
    #[error("HTTP {0}")]
    Status(u16),
    /// Not JSON where JSON was announced.
    #[error("it is not valid JSON")]
    NotJson,
    /// It ended early.
    #[error("it is incomplete")]
    Incomplete,
    /// One record, or an answer without records, is larger than anything PowerSchool sends.
    #[error("it is too large")]
    TooLarge,
    /// A field that must be there is not.
    #[error("it has no usable {0}")]
    Missing(&'static str),
    /// The request was refused as invalid.
    #[error("the request was refused ({0})")]
    Refused(String),
    /// Rows that should be sorted by their key are not.
    #[error("the rows are not in the order asked for")]
    OutOfOrder,
}

impl Error {
    /// The stable code, `powerschool.…`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadUrl(_) => "powerschool.bad_url",
            Self::HttpRefused => "powerschool.http_refused",
            Self::BadClientId(_) => "powerschool.bad_client_id",
            Self::BadClientSecret(_) => "powerschool.bad_client_secret",
            Self::BadProxy(_) => "powerschool.bad_proxy",
            Self::BadExtraRoot { .. } => "powerschool.bad_extra_root",
            Self::TlsUnavailable(_) => "powerschool.tls_unavailable",
            Self::BadCredentials => "powerschool.bad_credentials",
            Self::CredentialsReplaced { .. } => "powerschool.credentials_replaced",
            Self::CredentialsSwapped => "powerschool.credentials_swapped",
            Self::Dns { .. } => "powerschool.dns",
            Self::Unreachable { .. } => "powerschool.unreachable",
            Self::Interrupted { .. } => "powerschool.interrupted",
            Self::Timeout { .. } => "powerschool.timeout",
            Self::UnknownAuthority { .. } => "powerschool.unknown_authority",
            Self::Certificate { .. } => "powerschool.certificate",
            Self::OldTls { .. } => "powerschool.old_tls",
            Self::RsaKeyExchange { .. } => "powerschool.rsa_key_exchange",
            Self::WrongScheme { .. } => "powerschool.wrong_scheme",
            Self::ProxyUnreachable { .. } => "powerschool.proxy_unreachable",
            Self::ProxyTimeout { .. } => "powerschool.proxy_timeout",
            Self::ProxyCredentials { .. } => "powerschool.proxy_credentials",
            Self::ProxyNtlm { .. } => "powerschool.proxy_ntlm",
            Self::ProxyRefused { .. } => "powerschool.proxy_refused",
            Self::ProxyPac { .. } => "powerschool.proxy_pac",
            Self::Maintenance => "powerschool.maintenance",
            Self::NotPowerSchool { .. } => "powerschool.not_powerschool",
            Self::Forbidden => "powerschool.forbidden",
            Self::TooOld { .. } => "powerschool.too_old",
            Self::NoAccess { .. } => "powerschool.no_access",
            Self::CoreOnly { .. } => "powerschool.core_only",
            Self::NoQueries { .. } => "powerschool.no_queries",
            Self::ChangedWhileReading { .. } => "powerschool.changed_while_reading",
            Self::BadRecord { .. } => "powerschool.bad_record",
            Self::UnexpectedAnswer { .. } => "powerschool.unexpected_answer",
            Self::Busy { .. } => "powerschool.busy",
            Self::Stopped => "powerschool.stopped",
        }
    }

    /// What the person can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::BadUrl(_) => {
                "Enter the address you use to open PowerSchool in a browser, for example https://district.powerschool.com."
            }
            Self::HttpRefused => "Enter the address with https://. PowerSchool's API needs it.",
            Self::BadClientId(_) => {
                "Copy the Client ID again: in PowerSchool, System > System Settings > Plugin Management Configuration > RosterBridge > Data Provider Configuration."
            }
            Self::BadClientSecret(_) => {
                "Copy the Client Secret again, whole and by itself: in PowerSchool, System > System Settings > Plugin Management Configuration > RosterBridge > Data Provider Configuration."
            }
            Self::BadProxy(_) => {
                "Enter the proxy as http://, its name and its port, for example http://proxy.district.org:8080, and user name and password in their own fields."
            }
            Self::BadExtraRoot { .. } => {
                "Add the certificate as a PEM file: text that begins with -----BEGIN CERTIFICATE-----."
            }
            Self::TlsUnavailable(_) => {
                "Install the operating system's certificate authorities (on Linux the package ca-certificates), then try again."
            }
            Self::BadCredentials => {
                "Check that the plugin is enabled (Plugin Management Configuration > Enable), and copy Client ID and Client Secret again from its Data Provider Configuration; they change when the plugin is deleted and installed anew, or regenerated. Check too that neither stands in the other's field."
            }
            Self::CredentialsReplaced { .. } => {
                "The plugin was probably deleted and installed anew, or its credentials were regenerated: make sure it is enabled (Plugin Management Configuration > Enable), copy the new Client ID and Client Secret from its Data Provider Configuration, and enter them here."
            }
            Self::CredentialsSwapped => {
                "Enter them the other way round: what stands as the Client ID is the Client Secret, and the other way about. Nothing was changed."
            }
            Self::Dns { .. } => {
                "Check the spelling of the address. If a browser on this computer can open it, check this computer's DNS settings."
            }
            Self::Unreachable { .. } => {
                "Check that this computer is online and that a firewall lets it reach the server on this port."
            }
            Self::Interrupted { .. } => {
                "Try again. If it keeps happening, something between this computer and the server ends long connections: ask the network's administrator."
            }
            Self::Timeout { .. } => {
                "Try again later. If it happens every time, ask for this computer's address to be allowed through the firewall."
            }
            Self::UnknownAuthority { .. } => {
                "If PowerSchool runs in the district, compare the certificate's SHA256 fingerprint with its administrator and add it in the PowerSchool step of the set-up. If not, something intercepts the connection: ask the network's administrator."
            }
            Self::Certificate { .. } => {
                "Check the address and this computer's clock. If both are right, the server's certificate has to be renewed or replaced."
            }
            Self::OldTls { .. } => {
                "Have TLS 1.2 or 1.3 switched on at the server, or at the load balancer in front of it. PowerSchool itself supports TLS 1.2."
            }
            Self::RsaKeyExchange { .. } => {
                "Have cipher suites with forward secrecy switched on at the server, or at the load balancer in front of it: names that begin with TLS_ECDHE_ and end with GCM_SHA256 or GCM_SHA384."
            }
            Self::WrongScheme { encrypted: true, .. } => "Enter the address with https://.",
            Self::WrongScheme { encrypted: false, .. } => {
                "Check the port in the address: PowerSchool's https port is 443 unless its administrator chose another one."
            }
            Self::ProxyUnreachable { .. } => {
                "Check the proxy's name and port in the connection's settings (or in the operating system's, if that is where it comes from), and that this computer is on the school's network."
            }
            Self::ProxyTimeout { .. } => {
                "Try again later. If it happens every time, ask the network's administrator why the proxy does not answer, and whether it may connect to the PowerSchool server."
            }
            Self::ProxyCredentials { .. } => {
                "Enter the proxy's user name and password in the connection's settings, with the proxy entered by hand."
            }
            Self::ProxyNtlm { .. } => {
                "Ask the network's administrator to let this computer pass the proxy without signing in, or with Basic credentials, for the PowerSchool server."
            }
            Self::ProxyRefused { .. } => {
                "Check the PowerSchool address. If it is right, ask the network's administrator to let the proxy connect to that server and port."
            }
            Self::ProxyPac { .. } => {
                "Ask the network's administrator which proxy the script chooses for the PowerSchool server, and enter it by hand in the connection's settings."
            }
            Self::Maintenance => {
                "Wait until PowerSchool is back, then run again. If it is there in a browser, check the address, and whether the network wants a sign-in of its own."
            }
            Self::NotPowerSchool { .. } => {
                "Check the address: it must be the server you open PowerSchool on, without anything after the host name."
            }
            Self::Forbidden => {
                "A firewall or an address list in front of PowerSchool refuses this computer. Ask PowerSchool's hosting or the network's administrator to allow this computer's address."
            }
            Self::TooOld { .. } => "Have PowerSchool updated to version 9.0 or higher.",
            Self::NoAccess { .. } => {
                "Install the RosterBridge plugin of this version (Plugin Management Configuration > Install over the old one, which keeps the credentials) and see that it is enabled: its access request has these fields. Beside a vendor's plugin it is a new one with credentials of its own."
            }
            Self::CoreOnly { .. } => {
                "Install the plugin that RosterBridge writes, beside the vendor's: attendance and the schedule can't be exchanged without it."
            }
            Self::NoQueries { .. } => {
                "Install the RosterBridge plugin of this version over the installed one and enable it; the credentials stay."
            }
            Self::ChangedWhileReading { .. } => {
                "Nothing has to be done: it is read again. Try later if it keeps happening."
            }
            Self::BadRecord { .. } => {
                "Correct the value in PowerSchool. If it looks right there, report it with the message above."
            }
            Self::UnexpectedAnswer { .. } => {
                "Try again. If it keeps happening, report it with the message above."
            }
            Self::Busy { .. } => "Try again in a few minutes, or move the schedule to a quieter time.",
            Self::Stopped => "Start the run again.",
        }
    }

    /// Whether asking again may help without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Interrupted { .. }
            | Self::Timeout { .. }
            | Self::ProxyUnreachable { .. }
            | Self::ProxyTimeout { .. }
            | Self::Busy { .. }
            | Self::Maintenance
            | Self::ChangedWhileReading { .. } => true,
            Self::UnexpectedAnswer { problem, .. } => match problem {
                AnswerProblem::Status(status) => *status >= 500,
                AnswerProblem::Incomplete => true,
                _ => false,
            },
            _ => false,
        }
    }

    /// An answer to `request` that is not as documented.
    pub(crate) fn unexpected(request: &str, problem: AnswerProblem) -> Self {
        Self::UnexpectedAnswer { request: request.to_owned(), problem }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::one(&["students.dob"], "STUDENTS: dob")]
    #[case::two_tables(
        &["students.home_phone", "cc.expression", "Students.dob"],
        "STUDENTS: home_phone, dob; CC: expression"
    )]
    #[case::no_table(&["dob"], "dob")]
    fn missing_fields_are_told_table_by_table(#[case] fields: &[&str], #[case] told: &str) {
        let fields = fields.iter().map(|&field| field.to_owned()).collect();
        let message = Error::NoAccess { fields }.to_string();
        assert_eq!(message, format!("The PowerSchool plugin has no access to {told}."));
    }

    #[rstest]
    #[case::all(12, None)]
    #[case::one_more(13, Some(" and 1 more."))]
    #[case::many(35, Some(" and 23 more."))]
    fn many_missing_fields_are_counted(#[case] number: usize, #[case] end: Option<&str>) {
        let fields = (0..number).map(|number| format!("students.field{number}")).collect();
        let message = Error::NoAccess { fields }.to_string();
        assert_eq!(message.matches("field").count(), number.min(12), "{message}");
        assert!(message.ends_with(end.unwrap_or("field11.")), "{message}");
    }
}
