//! What an administrator types and pastes: the server's address, the plugin's credentials, a proxy, certificates.

use std::fmt;

use rosterbridge_domain::settings::{PowerSchoolSettings, ProxyMode};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};
use uuid::Uuid;

use crate::{
    error::Error,
    transport::{added_certificates, proxy_address},
};

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
    /// A UUID, as the plugin's credentials are.
    #[error("it looks like a Client ID or Client Secret; the fields may be swapped")]
    Swapped,
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
        if Uuid::try_parse(trimmed).is_ok() {
            return Err(Error::BadUrl(UrlProblem::Swapped));
        }
        // A slash is easily lost in typing, and the URL standard reads it all the same.
        let one_slash = ["https:/", "http:/"].iter().any(|scheme| trimmed.starts_with(scheme));
        let with_scheme = if trimmed.contains("://") || one_slash {
            trimmed.to_owned()
        } else {
            format!("https://{trimmed}")
        };
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

    /// Whether the connection is encrypted: always, but for this computer itself.
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
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

/// What is wrong with a Client ID or Client Secret, with a guess at how it came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialProblem {
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
    /// More than a UUID.
    #[error("it is too long: {length} characters instead of 36")]
    TooLong {
        /// How many characters there are.
        length: usize,
    },
    /// A web address.
    #[error("it looks like the server's address; the fields may be swapped")]
    Swapped,
    /// The Client ID a second time.
    #[error("it is the same as the Client ID; the same value was pasted twice")]
    SameAsId,
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
        uuid(text).map(Self).map_err(Error::BadClientId)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// A Client Secret without the spaces and quotation marks that came along when it was pasted.
pub(crate) fn pasted(secret: SecretString) -> SecretString {
    let padded = secret.expose_secret();
    let bare = unpadded(padded);
    if bare.len() == padded.len() { secret } else { SecretString::from(bare) }
}

/// Checks the form of everything an administrator enters for PowerSchool, without any network, and names all
/// problems at once. A secret that is not at hand (`None`) is not checked.
pub fn check_input(
    settings: &PowerSchoolSettings,
    client_secret: Option<&SecretString>,
) -> Result<ServerUrl, Vec<Error>> {
    let mut problems = Vec::new();
    let url = ServerUrl::parse(&settings.url).map_err(|problem| problems.push(problem)).ok();
    let id = ClientId::parse(&settings.client_id).map_err(|problem| problems.push(problem)).ok();
    if let Some(secret) = client_secret {
        match (uuid(secret.expose_secret()), id) {
            (Ok(secret), Some(ClientId(id))) if secret == id => {
                problems.push(Error::BadClientSecret(CredentialProblem::SameAsId));
            }
            (Ok(_), _) => {}
            (Err(problem), _) => problems.push(Error::BadClientSecret(problem)),
        }
    }
    if let Err(problem) = added_certificates(&settings.extra_roots) {
        problems.push(problem);
    }
    if settings.proxy.mode == ProxyMode::Explicit
        && let Err(problem) = proxy_address(&settings.proxy.url)
    {
        problems.push(problem);
    }
    match url {
        Some(url) if problems.is_empty() => Ok(url),
        _ => Err(problems),
    }
}

fn unpadded(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_quote(c))
}

fn uuid(text: &str) -> Result<Uuid, CredentialProblem> {
    let text = unpadded(text);
    if text.len() == 36
        && let Ok(id) = Uuid::try_parse(text)
    {
        return Ok(id);
    }
    let uuid_characters = |c: char| c.is_ascii_hexdigit() || c == '-';
    Err(if text.is_empty() {
        CredentialProblem::Empty
    } else if text.contains("://") || text.contains(".powerschool.") {
        CredentialProblem::Swapped
    } else if text.contains(char::is_whitespace) {
        CredentialProblem::Whitespace
    } else if text.contains(is_quote) {
        CredentialProblem::Quotes
    } else if text.len() < 36 && text.chars().all(uuid_characters) {
        CredentialProblem::Truncated { length: text.len() }
    } else if text.len() > 36 && text.chars().all(uuid_characters) {
        CredentialProblem::TooLong { length: text.len() }
    } else {
        CredentialProblem::NotAUuid
    })
}
