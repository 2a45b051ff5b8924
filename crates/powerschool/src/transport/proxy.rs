//! The way out of a school's network.

use base64::{Engine, prelude::BASE64_STANDARD};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{StatusCode, header::HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::Url;

use crate::{
    address::ServerUrl,
    error::{Error, ProxyProblem},
};

/// Which web proxy a connection goes through.
#[derive(Clone, Debug, Default)]
pub enum Proxy {
    /// The one the operating system or the environment is set to, if it is a fixed one. This computer itself is
    /// always reached directly.
    #[default]
    System,
    /// None.
    None,
    /// The one named here, for every server.
    Explicit {
        /// Its address, `http://host:port`.
        url: Url,
        /// User name for Basic sign-in; empty for none.
        username: String,
        /// Password for Basic sign-in.
        password: Option<SecretString>,
    },
}

/// Reads a proxy's address as people type it: `http://` may be left out.
pub(crate) fn proxy_address(text: &str) -> Result<Url, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::BadProxy(ProxyProblem::Empty));
    }
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&with_scheme).map_err(|_| Error::BadProxy(ProxyProblem::Malformed))?;
    if url.scheme() != "http" {
        return Err(Error::BadProxy(ProxyProblem::Scheme));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::BadProxy(ProxyProblem::Credentials));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(Error::BadProxy(ProxyProblem::Malformed));
    }
    Ok(url)
}

/// The proxy that one server is reached through.
#[derive(Clone, Debug)]
pub(crate) struct HttpProxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// For `Proxy-Authorization`; marked as sensitive, so that it is not printed.
    pub(crate) authorization: Option<HeaderValue>,
}

impl HttpProxy {
    /// The proxy for `server`, if there is one.
    pub(crate) fn of(proxy: &Proxy, server: &ServerUrl) -> Result<Option<Self>, Error> {
        match proxy {
            Proxy::None => Ok(None),
            Proxy::System if server.is_loopback() => Ok(None),
            Proxy::System => {
                let target =
                    server.to_string().parse().map_err(|_| Error::BadProxy(ProxyProblem::Malformed))?;
                let Some(found) = Matcher::from_system().intercept(&target) else { return Ok(None) };
                if found.uri().scheme_str() != Some("http") {
                    return Err(Error::BadProxy(ProxyProblem::Scheme));
                }
                Ok(Some(Self {
                    host: found.uri().host().unwrap_or_default().to_owned(),
                    port: found.uri().port_u16().unwrap_or(80),
                    authorization: found.basic_auth().cloned().map(sensitive),
                }))
            }
            Proxy::Explicit { url, username, password } => {
                // A password can be left of an earlier proxy: without a user name it goes nowhere.
                let authorization =
                    if username.trim().is_empty() { None } else { Some(basic(username, password.as_ref())?) };
                Ok(Some(Self {
                    host: url.host_str().unwrap_or_default().to_owned(),
                    port: url.port_or_known_default().unwrap_or(80),
                    authorization,
                }))
            }
        }
    }

    /// Host and port, for people.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// As reqwest wants it.
    pub(crate) fn for_reqwest(&self) -> reqwest::Result<reqwest::Proxy> {
        let proxy = reqwest::Proxy::all(format!("http://{}", self.name()))?;
        Ok(match &self.authorization {
            Some(authorization) => proxy.custom_http_auth(authorization.clone()),
            None => proxy,
        })
    }

    /// Asks the proxy for a connection to `server` (HTTP: `CONNECT`).
    pub(crate) async fn open_tunnel(&self, stream: &mut TcpStream, server: &ServerUrl) -> Result<(), Error> {
        /// What a proxy says before the connection is open fits in this many bytes.
        const LONGEST_ANSWER: usize = 16 * 1024;

        let refused =
            |status| Error::ProxyRefused { proxy: self.name(), host: server.host().to_owned(), status };
        let target = format!("{}:{}", server.host(), server.port());
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
        if let Some(authorization) = &self.authorization {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(authorization.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        stream.write_all(&request).await.map_err(|_| refused(None))?;

        let mut answer = Vec::new();
        loop {
            let read = stream.read_buf(&mut answer).await.map_err(|_| refused(None))?;
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut response = httparse::Response::new(&mut headers);
            match response.parse(&answer) {
                Ok(httparse::Status::Complete(_)) => {
                    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
                    let challenges = response
                        .headers
                        .iter()
                        .filter(|header| header.name.eq_ignore_ascii_case("proxy-authenticate"))
                        .filter_map(|header| str::from_utf8(header.value).ok());
                    return match status {
                        Some(status) if status.is_success() => Ok(()),
                        Some(StatusCode::PROXY_AUTHENTICATION_REQUIRED) => {
                            Err(self.sign_in_problem(challenges))
                        }
                        status => Err(refused(status.map(|status| status.as_u16()))),
                    };
                }
                Ok(httparse::Status::Partial) if read > 0 && answer.len() < LONGEST_ANSWER => {}
                _ => return Err(refused(None)),
            }
        }
    }

    /// What a 407 with these `Proxy-Authenticate` lines means: that Basic credentials are missing or wrong, or that
    /// they are of no use.
    pub(crate) fn sign_in_problem<'a>(&self, challenges: impl Iterator<Item = &'a str>) -> Error {
        let schemes: Vec<&str> = challenges.filter_map(|line| line.split_whitespace().next()).collect();
        if schemes.is_empty() || schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("basic")) {
            Error::ProxyCredentials { proxy: self.name() }
        } else {
            Error::ProxyNtlm { proxy: self.name(), schemes: schemes.join(", ") }
        }
    }
}

fn basic(username: &str, password: Option<&SecretString>) -> Result<HeaderValue, Error> {
    let password = password.map_or("", |password| password.expose_secret());
    if username.contains(':') || username.chars().chain(password.chars()).any(char::is_control) {
        return Err(Error::BadProxy(ProxyProblem::SignIn));
    }
    let encoded = BASE64_STANDARD.encode(format!("{username}:{password}"));
    let value = HeaderValue::from_str(&format!("Basic {encoded}"))
        .map_err(|_| Error::BadProxy(ProxyProblem::SignIn))?;
    Ok(sensitive(value))
}

fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}
