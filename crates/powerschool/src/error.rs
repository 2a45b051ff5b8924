use std::{sync::Arc, time::Duration};

use crate::{
    address::{ClientIdProblem, UrlProblem},
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
    BadClientId(ClientIdProblem),
    /// A certificate to be trusted besides the system's is not PEM text.
    #[error("The additional certificate number {number} cannot be read.")]
    BadExtraRoot {
        /// Its place in the list, from 1.
        number: usize,
    },
    /// The operating system's list of certificate authorities, or its TLS set-up, cannot be used.
    #[error("No secure connection can be set up on this computer.")]
    TlsUnavailable(#[source] Arc<reqwest::Error>),
    /// PowerSchool does not accept the credentials.
    #[error("PowerSchool does not accept the Client ID and Client Secret.")]
    BadCredentials,
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
    #[error("This PowerSchool is too old{}: 9.0 or higher is required.", version.as_ref().map(|v| format!(" (version {v})")).unwrap_or_default())]
    TooOld {
        /// The version, if the server told it (it does since 9.0).
        version: Option<Version>,
    },
    /// The plugin may not read or write fields it needs.
    #[error("The PowerSchool plugin has no access to {}.", fields.join(", "))]
    NoAccess {
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
            Self::BadExtraRoot { .. } => "powerschool.bad_extra_root",
            Self::TlsUnavailable(_) => "powerschool.tls_unavailable",
            Self::BadCredentials => "powerschool.bad_credentials",
            Self::Dns { .. } => "powerschool.dns",
            Self::Unreachable { .. } => "powerschool.unreachable",
            Self::Timeout { .. } => "powerschool.timeout",
            Self::UnknownAuthority { .. } => "powerschool.unknown_authority",
            Self::Certificate { .. } => "powerschool.certificate",
            Self::Maintenance => "powerschool.maintenance",
            Self::NotPowerSchool { .. } => "powerschool.not_powerschool",
            Self::Forbidden => "powerschool.forbidden",
            Self::TooOld { .. } => "powerschool.too_old",
            Self::NoAccess { .. } => "powerschool.no_access",
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
            Self::BadExtraRoot { .. } => {
                "Add the certificate as a PEM file: text that begins with -----BEGIN CERTIFICATE-----."
            }
            Self::TlsUnavailable(_) => {
                "Install the operating system's certificate authorities (on Linux the package ca-certificates), then try again."
            }
            Self::BadCredentials => {
                "Check that the plugin is enabled, and copy Client ID and Client Secret again from its Data Provider Configuration; they change when the plugin is deleted and installed anew, or regenerated."
            }
            Self::Dns { .. } => {
                "Check the spelling of the address. If a browser on this computer can open it, check this computer's DNS settings."
            }
            Self::Unreachable { .. } => {
                "Check that this computer is online and that a firewall lets it reach the server on this port."
            }
            Self::Timeout { .. } => {
                "Try again later. If it happens every time, ask for this computer's address to be allowed through the firewall."
            }
            Self::UnknownAuthority { .. } => {
                "If PowerSchool runs in the district, add its certificate authority in the PowerSchool step of the set-up. If not, something intercepts the connection: ask the network's administrator."
            }
            Self::Certificate { .. } => {
                "Check the address and this computer's clock. If both are right, the server's certificate has to be renewed or replaced."
            }
            Self::Maintenance => "Wait until PowerSchool is back, then run again.",
            Self::NotPowerSchool { .. } => {
                "Check the address: it must be the server you open PowerSchool on, without anything after the host name."
            }
            Self::Forbidden => {
                "A firewall or an address list in front of PowerSchool refuses this computer. Ask PowerSchool's hosting or the network's administrator to allow this computer's address."
            }
            Self::TooOld { .. } => "Have PowerSchool updated to version 9.0 or higher.",
            Self::NoAccess { .. } => {
                "Install the RosterBridge plugin of this version (Plugin Management Configuration > Install over the old one, which keeps the credentials): its access request has these fields."
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
            | Self::Timeout { .. }
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
