use std::fmt;

use url::{Host, Url};
use uuid::Uuid;

use crate::error::Error;

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlProblem {
    /// Nothing was entered.
    #[error("it is empty")]
    Empty,
    /// It cannot be read as an address.
    #[error("it cannot be read as a web address")]
    Malformed,
    /// Another kind of address, such as `ftp:`.
    #[error("it does not begin with https://")]
    Scheme,
    /// A name and password before the host.
    #[error("it contains a user name or password")]
    Credentials,
}

/// The address of a PowerSchool server: scheme, host and port, nothing after them.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(Url);

impl ServerUrl {
    /// Reads an address as people paste it: quotes and spaces around it, `https://` left out, and everything after
    /// the host (such as `/admin/home.html`) are accepted. Plain `http` is accepted for this computer only.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let trimmed = text.trim_matches(|c: char| c.is_whitespace() || is_quote(c) || c == '<' || c == '>');
        if trimmed.is_empty() {
            return Err(Error::BadUrl(UrlProblem::Empty));
        }
        let with_scheme =
            if trimmed.contains("://") { trimmed.to_owned() } else { format!("https://{trimmed}") };
        let mut url = Url::parse(&with_scheme).map_err(|_| Error::BadUrl(UrlProblem::Malformed))?;
        let plain = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err(Error::BadUrl(UrlProblem::Scheme)),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::BadUrl(UrlProblem::Credentials));
        }
        let host = url.host().ok_or(Error::BadUrl(UrlProblem::Malformed))?;
        if let Host::Domain(name) = host
            && !is_host_name(name)
        {
            return Err(Error::BadUrl(UrlProblem::Malformed));
        }
        let server = {
            url.set_path("");
            url.set_query(None);
            url.set_fragment(None);
            Self(url)
        };
        if plain && !server.is_loopback() {
            return Err(Error::HttpRefused);
        }
        Ok(server)
    }

    /// The host's name or address.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The port, 443 unless the address names another.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    /// Whether the server is this computer.
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// The address of `path` (which begins with a slash) on this server.
    pub(crate) fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(path);
        url
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerUrl({self})")
    }
}

/// Quotation marks that come along when something is pasted from a mail or a document.
fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}' | '\u{ab}' | '\u{bb}')
}

/// Whether a name can be a host on a network: labels of letters, digits, hyphens and underscores.
fn is_host_name(name: &str) -> bool {
    name.trim_end_matches('.').split('.').all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    })
}

/// What is wrong with a Client ID, with a guess at how it came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientIdProblem {
    /// Nothing was entered.
    #[error("it is empty")]
    Empty,
    /// Spaces or line ends inside.
    #[error("there are spaces or line breaks inside it")]
    Whitespace,
    /// Quotation marks inside.
    #[error("there are quotation marks inside it")]
    Quotes,
    /// The beginning of a UUID.
    #[error("it is cut off: {length} of 36 characters are there")]
    Truncated {
        /// How many characters there are.
        length: usize,
    },
    /// A web address.
    #[error("it looks like the server's address; the fields may be swapped")]
    Swapped,
    /// Anything else.
    #[error("it is not of the form 01234567-89ab-cdef-0123-456789abcdef")]
    NotAUuid,
}

/// The plugin's Client ID: a UUID (PowerSchool: Data Provider Configuration).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientId(Uuid);

impl ClientId {
    /// Reads a Client ID; spaces and quotation marks around it are accepted.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let trimmed = text.trim_matches(|c: char| c.is_whitespace() || is_quote(c));
        if trimmed.len() == 36
            && let Ok(id) = Uuid::try_parse(trimmed)
        {
            return Ok(Self(id));
        }
        Err(Error::BadClientId(problem_of(trimmed)))
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

fn problem_of(text: &str) -> ClientIdProblem {
    let uuid_characters = |c: char| c.is_ascii_hexdigit() || c == '-';
    if text.is_empty() {
        ClientIdProblem::Empty
    } else if text.contains("://") || text.contains(".powerschool.") {
        ClientIdProblem::Swapped
    } else if text.contains(char::is_whitespace) {
        ClientIdProblem::Whitespace
    } else if text.contains(is_quote) {
        ClientIdProblem::Quotes
    } else if text.len() < 36 && text.chars().all(uuid_characters) {
        ClientIdProblem::Truncated { length: text.len() }
    } else {
        ClientIdProblem::NotAUuid
    }
}
